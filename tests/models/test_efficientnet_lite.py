"""EfficientNet-Lite: published sizes, logits equal to PyTorch's on the original tensors, photographs recognised."""

import importlib.util
import math
import os
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlib import datasets
from cnnlib.models import efficientnet_lite, imagenet

HERE = Path(__file__).parents[1]
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
LOGITS_TOLERANCE = 1e-3  # the largest difference seen on any backend is 2e-5


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    return efficientnet_lite.preprocess(list(datasets.photographs().values()))


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return efficientnet_lite.EfficientNetLite0(weights="imagenet")


@pytest.fixture(scope="module")
def logits(network, photographs) -> np.ndarray:
    return network.predict_on_batch(photographs)


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    """Logits of the independent PyTorch network: with the original float32 tensors, and with them through float16."""
    with np.load(HERE / "data" / "lite0_logits.npz") as archive:
        assert tuple(archive["names"]) == datasets.photograph_names(), "record them again: tests/support/lite0_torch.py"
        return {name: archive[name] for name in ("original", "rounded")}


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE.parent / "tools"))


# --- structure -------------------------------------------------------------------------------------------------------

# Parameters (million, trained ones) and multiply-adds (million) as Google published them in 2020.
PUBLISHED = {0: (4.7, 407), 1: (5.4, 631), 2: (6.1, 899), 3: (8.2, 1440), 4: (13.0, 2640)}


@pytest.mark.parametrize("number", PUBLISHED)
def test_parameters_and_multiply_adds_are_those_published(number, undrawn):
    model = getattr(efficientnet_lite, f"EfficientNetLite{number}")()
    trained = sum(math.prod(w.shape) for w in model.trainable_weights)
    parameters, multiply_adds = PUBLISHED[number]
    assert round(trained / 1e6, 1) == parameters
    assert _multiply_adds(model) / 1e6 == pytest.approx(multiply_adds, rel=0.06)


def _multiply_adds(model: keras.Model) -> int:
    """Each weight of a kernel is used once at each pixel of the output."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel") or isinstance(layer, keras.layers.DepthwiseConv2D):
            pixels = math.prod(layer.output.shape[1:-1])
            total += pixels * math.prod(layer.weights[0].shape)
    return total


def test_lite0_holds_as_many_numbers_as_the_original_file(network):
    assert network.count_params() == 4_694_024


def test_output_is_logits_of_the_named_size(undrawn):
    model = efficientnet_lite.EfficientNetLite0(input_shape=(64, 96, 1), num_classes=7)
    assert model.output_shape == (None, 7)
    assert model.layers[-1].activation is keras.activations.linear
    assert not any("squeeze" in layer.name or "_se" in layer.name for layer in model.layers)


@pytest.mark.parametrize(
    ("pooling", "shape"), [(None, (None, 2, 3, 1280)), ("avg", (None, 1280)), ("max", (None, 1280))]
)
def test_without_the_top(pooling, shape, undrawn):
    settings = {"input_shape": (64, 96, 3), "include_top": False, "pooling": pooling}
    assert efficientnet_lite.EfficientNetLite0(**settings).output_shape == shape


def test_the_backbone_has_the_same_weights_as_the_classifier(network, photographs, logits):
    backbone = efficientnet_lite.EfficientNetLite0("imagenet", include_top=False, pooling="avg")
    head = network.get_layer("logits")
    features = backbone.predict_on_batch(photographs)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(head(features)), logits, rtol=0, atol=1e-4)


def test_any_input_size(undrawn):
    model = efficientnet_lite.EfficientNetLite0(input_shape=(None, None, 3), include_top=False)
    assert model.compute_output_shape((1, 33, 64, 3)) == (1, 2, 2, 1280)
    assert model.predict_on_batch(np.zeros((1, 33, 64, 3), "float32")).shape == (1, 2, 2, 1280)


@pytest.mark.parametrize(
    ("variant", "settings", "message"),
    [
        (0, {"weights": "cifar"}, "choose None .random. or 'imagenet'"),
        (1, {"weights": "imagenet"}, "EfficientNetLite0 only"),
        (0, {"weights": "imagenet", "num_classes": 10}, r"include_top=False, pooling='avg' and put Dense\(10\)"),
        (0, {"weights": "imagenet", "input_shape": (224, 224, 1)}, "np.repeat"),
        (0, {"input_shape": (16, 64, 3)}, "below 32 pixels"),
        (0, {"input_shape": (3, 224, 224)}, "order is"),
        (0, {"input_shape": (1, 224, 224, 3)}, "without the batch"),
        (0, {"num_classes": 0}, "1 or more"),
        (0, {"include_top": False, "pooling": "mean"}, "'avg' or 'max'"),
        (0, {"pooling": "avg"}, "needs include_top=False"),
    ],
)
def test_wrong_arguments_say_what_to_do(variant, settings, message):
    with pytest.raises(ValueError, match=message):
        getattr(efficientnet_lite, f"EfficientNetLite{variant}")(**settings)


# --- the ImageNet weights --------------------------------------------------------------------------------------------


def test_logits_equal_pytorch_with_the_bundled_weights(logits, recorded):
    np.testing.assert_allclose(logits, recorded["rounded"], rtol=0, atol=LOGITS_TOLERANCE)


def test_float16_changes_no_answer(logits, recorded):
    """What storing as float16 costs: logits move by up to 0.05 (their standard deviation is 1.3), no top-5 changes."""
    assert 0.01 < np.abs(logits - recorded["original"]).max() < 0.06
    stored, original = np.argsort(-logits), np.argsort(-recorded["original"])
    np.testing.assert_array_equal(stored[:, 0], original[:, 0])
    np.testing.assert_array_equal(np.sort(stored[:, :5]), np.sort(original[:, :5]))


@needs_torch
def test_logits_equal_pytorch_computed_now(logits, photographs, tools):
    tensors = _as_in_pytorch(datasets.weights("efficientnet_lite0_imagenet"))
    np.testing.assert_allclose(logits, _pytorch(tensors, photographs), rtol=0, atol=LOGITS_TOLERANCE)


@needs_torch
def test_conversion_of_random_tensors_keeps_the_logits(photographs, tools):
    """The way from the PyTorch file to Keras, in float32 and without the file: with tensors that are drawn."""
    import prepare_data

    rng = np.random.default_rng(0)
    tensors = {}
    for name, array in _as_in_pytorch(datasets.weights("efficientnet_lite0_imagenet")).items():
        scale = rng.uniform(0.9, 1.1, array.shape) if array.ndim == 1 else rng.normal(1, 0.3, array.shape)
        tensors[name] = (array * scale).astype("float32")
    model = efficientnet_lite.EfficientNetLite0(weights="imagenet")
    _fill(model, prepare_data.lite0_from_torch(tensors))
    expected = _pytorch(tensors, photographs[:3])
    assert expected.std() > 0.1
    np.testing.assert_allclose(model.predict_on_batch(photographs[:3]), expected, atol=LOGITS_TOLERANCE)


@pytest.mark.skipif("CNNLIB_PACKAGES" not in os.environ, reason="CNNLIB_PACKAGES names no folder of packages")
def test_logits_equal_pytorch_with_the_original_tensors(photographs, recorded, tools):
    from _packages import open_package
    from _torch_file import read_tensors
    from prepare_data import LITE0_FILE, lite0_from_torch

    tensors = read_tensors(open_package("efficientnet_lite0", Path(os.environ["CNNLIB_PACKAGES"])).read(LITE0_FILE))
    model = efficientnet_lite.EfficientNetLite0(weights="imagenet")
    _fill(model, lite0_from_torch(tensors))
    logits = model.predict_on_batch(photographs)
    np.testing.assert_allclose(logits, recorded["original"], rtol=0, atol=LOGITS_TOLERANCE)


def _fill(model: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    for variable in model.weights:
        variable.assign(arrays.pop(variable.path))
    assert not arrays, "some arrays have no place in the network"


def _pytorch(tensors: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    sys.path.insert(0, str(HERE))
    try:
        import lite0_torch
    finally:
        sys.path.remove(str(HERE))
    return lite0_torch.forward(tensors, images)


def _as_in_pytorch(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keras arrays under the names, and with the axes, of the PyTorch file."""
    kinds = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    kinds |= {"kernel": "weight", "bias": "bias"}
    outside = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}
    outside["logits"] = "_fc"
    inside = {"expand_bn": "_bn0", "depthwise_bn": "_bn1", "project_bn": "_bn2"}
    blocks = list(dict.fromkeys(path.split("_")[0] for path in arrays if path.startswith("block")))
    tensors = {}
    for path, array in arrays.items():
        layer, kind = path.split("/")
        if layer in outside:
            name = outside[layer]
        else:
            block, _, part = layer.partition("_")
            name = f"_blocks.{blocks.index(block)}.{inside.get(part, '_' + part)}"
        if array.ndim == 4:
            array = array.transpose((2, 3, 0, 1) if "depthwise" in layer else (3, 2, 0, 1))
        tensors[f"{name}.{kinds[kind]}"] = array.T if array.ndim == 2 else array
    return tensors


def test_the_top_5_hold_what_the_photograph_shows(logits):
    names = datasets.photograph_names()
    known = [i for i, name in enumerate(names) if datasets.photograph_facts(name)["imagenet"]]
    assert {names[i] for i in known} == {"cat", "coffee", "camera", "shuttle", "clock"}
    for i in known:
        top = np.argsort(-logits[i])[:5]
        assert set(top) & set(datasets.photograph_facts(names[i])["imagenet"]), names[i]


def test_classify_names_the_cup_of_espresso(logits):
    answer = efficientnet_lite.classify(datasets.photograph("coffee"))
    assert len(answer) == 5
    assert answer[0][0] == "espresso"
    assert answer[0][1] > 0.8
    assert answer == sorted(answer, key=lambda pair: -pair[1])


def test_weights_that_do_not_fit_are_named():
    features = keras.Input((8,))
    model = keras.Model(features, keras.layers.Dense(3, name="logits")(features))
    with pytest.raises(ValueError, match=r"logits/kernel, of shape \(8, 3\), has shape \(1280, 1000\) there"):
        datasets.load_weights(model, "efficientnet_lite0_imagenet")
    model = keras.Model(features, keras.layers.Dense(3, name="other")(features))
    with pytest.raises(ValueError, match="other/kernel.*not among them"):
        datasets.load_weights(model, "efficientnet_lite0_imagenet")


# --- images in, names out --------------------------------------------------------------------------------------------


def test_preprocess_range_shape_and_type():
    image = np.zeros((224, 224, 3), np.uint8)
    image[:, :100] = 255
    batch = imagenet.preprocess(image)
    assert batch.shape == (1, 224, 224, 3)
    assert batch.dtype == np.float32
    assert set(np.unique(batch)) == {np.float32(-127 / 128), 1.0}


def test_preprocess_takes_floats_lists_and_sizes():
    images = [np.full((40, 30, 3), 127, np.uint8), np.full((10, 90, 3), 127.0)]
    batch = imagenet.preprocess(images, size=(32, 64))
    assert batch.shape == (2, 32, 64, 3)
    assert np.all(batch == 0)


def test_preprocess_resizes_a_ramp_to_a_ramp():
    ramp = np.repeat(np.linspace(0, 255, 448, dtype="float32")[None, :, None], 448, 0).repeat(3, -1)
    halved = imagenet.preprocess(ramp)[0] * 128 + 127
    np.testing.assert_allclose(halved[:, 4:-4], ramp.reshape(224, 2, 224, 2, 3).mean((1, 3))[:, 4:-4], atol=0.01)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((8, 8, 3), 0.5), "Multiply images in"),
        (np.full((8, 8, 3), -1.0), "do not preprocess twice"),
        (np.full((8, 8, 3), np.nan), "expected 0..255"),
        (np.zeros((8, 8), np.uint8), "np.repeat"),
        (np.zeros((3, 8, 8), np.uint8), "channels last"),
    ],
)
def test_preprocess_refuses(image, message):
    with pytest.raises(ValueError, match=message):
        imagenet.preprocess(image, size=8)


def test_decode_predictions():
    logits = np.zeros((2, 1000))
    logits[0, 281], logits[1, 967] = 20, 20
    first, second = imagenet.decode_predictions(logits, top=3)
    assert len(first) == 3
    assert first[0] == ("tabby", pytest.approx(1, abs=1e-4))
    assert second[0][0] == "espresso"
    with pytest.raises(ValueError, match=r"\(n, 1000\)"):
        imagenet.decode_predictions(logits[0])


def test_classify_refuses_a_batch():
    with pytest.raises(ValueError, match="it takes one"):
        efficientnet_lite.classify(np.zeros((2, 224, 224, 3), np.uint8))


def test_layers_of_one_shape_start_with_different_values():
    model = efficientnet_lite.EfficientNetLite0(input_shape=(32, 32, 3), include_top=False)
    b, c = (np.array(model.get_layer(f"block6{i}_expand_conv").get_weights()[0]) for i in "bc")
    assert np.abs(b - c).max() > 0.01
