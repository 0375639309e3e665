"""Runners, exports and parity: what is installed runs, and what is not says how to get it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import deploy
from cnnlib.deploy import extras, runners

BACKEND = keras.config.backend()
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras exports to LiteRT from TensorFlow")
IMAGES = np.random.default_rng(0).normal(size=(7, 8, 8, 3)).astype("float32")


def needs(*names):
    return pytest.mark.skipif(
        BACKEND != "tensorflow" or not all(map(deploy.installed, names)), reason=f"{', '.join(names)}: {extras.EXTRA}"
    )


on_onnx = needs("onnx", "tf2onnx", "onnxruntime")
on_openvino = needs("openvino")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(image)
    x = layers.BatchNormalization()(x)
    return keras.Model(image, layers.Dense(4, name="logits")(layers.GlobalAveragePooling2D()(x)), name="small")


@pytest.mark.parametrize("way", runners.KERAS)
def test_keras_in_four_ways(model, way):
    run = deploy.load(model, way)
    np.testing.assert_allclose(run(IMAGES), model.predict(IMAGES, verbose=0), atol=1e-5)
    assert way in repr(run)


def test_batches_have_one_size_and_a_rest_is_cut_off():
    sizes = []

    def run(images):
        sizes.append(len(images))
        return images[:, 0, 0]

    found = deploy.Runner("own", run).predict(IMAGES, batch_size=3)
    assert sizes == [3, 3, 3]
    np.testing.assert_array_equal(found, IMAGES[:, 0, 0])


@pytest.mark.parametrize(("images", "size"), [(IMAGES[:0], 5), (IMAGES, 0), (np.float32(3), 5)])
def test_no_batch_is_refused(model, images, size):
    with pytest.raises(ValueError, match="expected 1 or more, and a batch"):
        deploy.load(model).predict(images, size)


def test_new_weights_are_seen(model):
    copy = keras.models.clone_model(model)
    run = deploy.load(copy)
    before = run(IMAGES)
    copy.set_weights([2 * w for w in copy.get_weights()])
    assert not np.allclose(run(IMAGES), before)


def test_parity_tells_both():
    right = deploy.Runner("right", lambda x: np.eye(4, dtype="float32")[: len(x)])
    other = deploy.Runner("other", lambda x: np.eye(4, dtype="float32")[: len(x)][::-1])
    images = np.zeros((4, 1), "float32")
    assert deploy.parity(right, right, images).holds
    found = deploy.parity(other, right, images)
    assert (found.largest, found.same, found.holds) == (1.0, 0.0, False)
    assert "beyond 0.0001; same class for 0.0% of 4" in str(found)
    broken = deploy.Runner("broken", lambda x: np.full((len(x), 4), np.nan))
    assert not deploy.parity(broken, right, images).holds
    with pytest.raises(ValueError, match="another network"):
        deploy.parity(deploy.Runner("short", lambda x: np.zeros((len(x), 3))), right, images)


@pytest.mark.parametrize(
    ("source", "options", "error", "says"),
    [
        ("model.h5", {}, ValueError, "ends in .tflite, .onnx, .xml"),
        ("nowhere.tflite", {}, FileNotFoundError, "there is no file"),
    ],
)
def test_files_that_are_not_there(source, options, error, says):
    with pytest.raises(error, match=says):
        deploy.load(source, **options)


def test_a_runtime_that_does_not_fit_is_refused(model, tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"'tf.lite' does not read .onnx files"):
        deploy.load(tmp_path / "a.onnx", "tf.lite")
    with pytest.raises(ValueError, match="run by compiled"):
        deploy.load(model, "onnxruntime")
    with pytest.raises(ValueError, match="has started already"):
        deploy.load(model, threads=1)


@pytest.mark.parametrize(("suffix", "package"), [(".onnx", "onnxruntime"), (".xml", "openvino")])
def test_a_missing_package_is_named_with_its_command(tmp_path, monkeypatch, suffix, package):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"")
    monkeypatch.setattr(extras, "installed", lambda name: False)
    with pytest.raises(deploy.MissingPackage, match=f"{package} is needed to run.*deploy.*pip install {package}"):
        deploy.load(path)


def test_missing_packages_of_an_export(model, tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "installed", lambda name: False)
    if BACKEND != "jax":
        with pytest.raises(deploy.MissingPackage, match="onnx is needed to write"):
            deploy.export(model, tmp_path / "a.onnx")
        with pytest.raises(deploy.MissingPackage, match="openvino is needed to write"):
            deploy.export(model, tmp_path / "a.xml")


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow exports")
def test_a_backend_that_does_not_export_says_which_does(model, tmp_path):
    with pytest.raises(NotImplementedError, match=f"Keras on {BACKEND} does not export to litert; on tensorflow"):
        deploy.export(model, tmp_path / "a.tflite")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("a.h5", {}, "ends in .tflite"),
        ("a.tflite", {"precision": "int4"}, "precision='int4'"),
    ],
)
def test_what_cannot_be_exported(model, tmp_path, name, options, says):
    with pytest.raises(ValueError, match=says):
        deploy.export(model, tmp_path / name, **options)


@on_tensorflow
@pytest.mark.parametrize(
    ("calibration", "says"),
    [(None, "needs calibration="), (IMAGES[:, :4], "of shape"), (IMAGES[:0], "of shape"), (IMAGES * np.nan, "finite")],
)
def test_int8_needs_fitting_calibration(model, tmp_path, calibration, says):
    with pytest.raises(ValueError, match=says):
        deploy.export(model, tmp_path / "a.tflite", precision="int8", calibration=calibration)


@on_tensorflow
@pytest.mark.parametrize("runtime", ["tf.lite", pytest.param("litert", marks=needs("ai_edge_litert"))])
def test_litert_says_what_keras_says(model, tmp_path, runtime):
    file = deploy.export(model, tmp_path / "a.tflite")
    assert file.bytes == (tmp_path / "a.tflite").stat().st_size
    assert (file.format, file.precision) == ("litert", "float32")
    run = deploy.load(file.path, runtime, threads=1)
    assert deploy.parity(run, model, IMAGES).holds
    assert run(IMAGES[:2]).shape == (2, 4), "another batch is planned anew"
    assert deploy.operators(run)["CONV_2D"] == 1
    with pytest.raises(ValueError, match=r"of .tflite files"):
        deploy.operators(deploy.load(model))


@on_tensorflow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_file_is_that_of_keras(tmp_path, precision):
    image = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same", use_bias=False)(image)))
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same", activation="relu6")(layers.Dropout(0.5)(x))])
    model = keras.Model(image, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    for variable in model.non_trainable_weights[:2]:
        variable.assign(np.random.default_rng(0).uniform(0.5, 2, variable.shape))
    ours = deploy.load(
        deploy.export(model, tmp_path / "a.tflite", precision=precision, calibration=IMAGES).path, "tf.lite"
    )
    options = {}
    if precision == "int8":
        tf = pytest.importorskip("tensorflow")
        images = lambda: ([each[None].astype("float32")] for each in IMAGES)  # noqa: E731
        options = {"optimizations": [tf.lite.Optimize.DEFAULT], "representative_dataset": images}
    model.export(tmp_path / "b.tflite", format="litert", verbose=False, **options)
    theirs = deploy.load(tmp_path / "b.tflite", "tf.lite")
    assert deploy.operators(ours) == deploy.operators(theirs)
    np.testing.assert_array_equal(ours.predict(IMAGES), theirs.predict(IMAGES))


@on_tensorflow
def test_shorter_numbers_make_smaller_files(tmp_path):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(64, 3, activation="relu")(layers.Conv2D(64, 3, activation="relu")(image))
    model = keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))
    sizes = {}
    for precision in deploy.PRECISIONS:
        file = deploy.export(model, tmp_path / f"{precision[:5]}.tflite", precision=precision, calibration=IMAGES)
        sizes[precision] = file.bytes
        found = deploy.load(file.path, "tf.lite").predict(IMAGES)
        assert np.abs(found - model.predict(IMAGES, verbose=0)).max() < 0.1
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.4 * sizes["float32"]
    assert sizes["int8 weights"] < 0.4 * sizes["float32"]


@on_tensorflow
def test_an_operator_that_litert_does_not_have_is_named(tmp_path):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, ops.image.resize(image, (16, 16), interpolation="bicubic"))
    file = deploy.export(model, tmp_path / "a.tflite")
    with pytest.raises(deploy.UnsupportedOperator, match="FlexResizeBicubic: an operator of TensorFlow"):
        deploy.load(file.path, "tf.lite")


@on_onnx
def test_onnx_runtime(model, tmp_path):
    file = deploy.export(model, tmp_path / "a.onnx")
    assert deploy.parity(deploy.load(file.path, threads=1), model, IMAGES).holds
    profile = deploy.onnx_profile(file.path, IMAGES, 2, threads=1)
    assert "Conv" in profile.by_type() or "FusedConv" in profile.by_type()
    small = deploy.export(model, tmp_path / "b.onnx", precision="int8", calibration=IMAGES)
    assert np.abs(deploy.load(small.path).predict(IMAGES) - model.predict(IMAGES, verbose=0)).max() < 0.1
    with pytest.raises(NotImplementedError, match="'float32' or 'int8'"):
        deploy.export(model, tmp_path / "c.onnx", precision="float16")


@on_openvino
def test_openvino(model, tmp_path):
    file = deploy.export(model, tmp_path / "a.xml")
    assert file.bytes == sum((tmp_path / f"a.{end}").stat().st_size for end in ("xml", "bin"))
    assert deploy.parity(deploy.load(file.path, threads=1), model, IMAGES).holds


@needs("openvino", "nncf")
def test_openvino_int8(model, tmp_path):
    small = deploy.export(model, tmp_path / "b.xml", precision="int8", calibration=IMAGES)
    assert np.abs(deploy.load(small.path).predict(IMAGES) - model.predict(IMAGES, verbose=0)).max() < 0.2


class AbortedError(Exception):
    """As TensorFlow's, for a processor without the kernel."""


def test_a_kernel_that_a_processor_lacks_is_told_and_other_errors_are_not_hidden():
    images = np.zeros((2, 4, 4, 1), "float32")

    def fails(error):
        def run(images):
            raise error

        return deploy.Runner("fails", run, None)

    assert deploy.missing_kernel(deploy.Runner("works", lambda images: images, None), images) == ""
    lacking = AbortedError("Graph execution error:\n\nStatus: 3, message: could not create a primitive")
    assert deploy.missing_kernel(fails(lacking), images) == "Status: 3, message: could not create a primitive"
    said = "\"conv\" not implemented for 'BFloat16'"
    assert deploy.missing_kernel(fails(RuntimeError(said)), images) == said
    with pytest.raises(ZeroDivisionError):
        deploy.missing_kernel(fails(ZeroDivisionError("a fault")), images)
