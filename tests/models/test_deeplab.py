"""DeepLabV3: equal to the published graph, what float16 costs, label maps, refusals.

tests/data/tfjs_tensors.npz holds what the original graph answered in node (tests/support/record_tfjs.py).
"""

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import ndimage

from cnnlib import datasets, models
from cnnlib.models import common, deeplab, mobilenet

HERE = Path(__file__).parents[1]
POINTS = 5  # every 5th point of the logits was recorded, every 40th of the enlarged ones
PHOTOGRAPHS = ("cat", "astronaut")
TOLERANCE = 1e-3  # the largest difference seen is 3e-5


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(HERE / "data" / "tfjs_tensors.npz") as archive:
        return {name: archive[name] for name in archive.files if name.startswith("deeplab")}


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return models.DeepLabV3(weights="voc")


def answers(model, name: str):
    """Logits, enlarged logits and label map, the last two of the part that the photograph fills."""
    batch, (height, width) = deeplab.preprocess(datasets.photograph(name))
    logits = model.predict_on_batch(batch)
    enlarged = keras.ops.convert_to_numpy(deeplab.upsample(logits, (513, 513)))
    return logits[0], enlarged[0], enlarged[0, :height, :width].argmax(-1)


# --- the original graph ----------------------------------------------------------------------------------------------


def test_equal_to_the_original_graph_with_its_own_tensors(recorded, assign_original):
    model = models.DeepLabV3(weights="voc")
    assign_original(model, "deeplab")
    for name in PHOTOGRAPHS:
        compare(model, name, recorded, f"deeplab/original/{name}")


def test_equal_to_the_original_graph_with_the_stored_tensors(network, recorded):
    """The graph was run once more, in node, with its weights rounded as those that are bundled."""
    compare(network, "cat", recorded, "deeplab/stored/cat")


def compare(model, name, recorded, key):
    logits, enlarged, labels = answers(model, name)
    expected = recorded[f"{key}/logits"]
    assert expected.std() > 1
    np.testing.assert_allclose(logits[::POINTS, ::POINTS], expected, rtol=0, atol=TOLERANCE)
    few = enlarged[:: 8 * POINTS, :: 8 * POINTS]
    np.testing.assert_allclose(few, recorded[f"{key}/enlarged"], rtol=0, atol=TOLERANCE)
    assert (labels != recorded[f"{key}/labels"]).sum() <= 2, "pixels on the edge between two classes"


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_storing_changes_less_than_a_hundredth_of_the_pixels(name, network, recorded):
    logits, _, labels = answers(network, name)
    assert 0.01 < np.abs(logits[::POINTS, ::POINTS] - recorded[f"deeplab/original/{name}/logits"]).max() < 3
    assert labels.shape == recorded[f"deeplab/original/{name}/labels"].shape
    assert (labels == recorded[f"deeplab/original/{name}/labels"]).mean() > 0.995


# --- label maps ------------------------------------------------------------------------------------------------------


def test_pets_are_segmented():
    for pet in datasets.pets()[:3]:
        labels = deeplab.segment(pet.image)
        assert labels.shape == pet.mask.shape
        assert labels.dtype == np.int64
        sure = pet.mask != 255
        animal = labels == datasets.VOC_CLASSES.index(pet.species)
        shared = (animal & (pet.mask == 1)).sum() / ((animal | (pet.mask == 1)) & sure).sum()
        assert shared > 0.75, (pet, shared)


def test_class_names():
    assert len(datasets.VOC_CLASSES) == 21
    assert [datasets.VOC_CLASSES[i] for i in (0, 8, 12, 15)] == ["background", "cat", "dog", "person"]


def test_preprocess_fills_the_rest_with_grey():
    batch, (height, width) = deeplab.preprocess(np.full((30, 60, 3), 255, np.uint8), size=65)
    assert (height, width) == (32, 65)
    assert batch.shape == (1, 65, 65, 3)
    assert (batch[0, :32] == 1).all()
    assert (batch[0, 32:] == 0).all()


@pytest.mark.parametrize(("small", "large"), [((3, 5), (17, 9)), ((1, 4), (6, 4)), ((65, 65), (513, 513))])
def test_upsample_against_scipy(small, large):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, *small, 3)).astype("float32")
    y, x = (np.linspace(0, s - 1, b) for s, b in zip(small, large))
    grid = np.meshgrid(y, x, indexing="ij")
    expected = [[ndimage.map_coordinates(logits[n, ..., c], grid, order=1) for c in range(3)] for n in range(2)]
    came = keras.ops.convert_to_numpy(deeplab.upsample(logits, large))
    np.testing.assert_allclose(came, np.moveaxis(expected, 1, -1), rtol=0, atol=1e-5)


# --- structure -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "size"), [(8, 16), (16, 8), (32, 4)])
def test_output_stride(stride, size, undrawn):
    model = models.DeepLabV3((128, 128, 3), num_classes=3, output_stride=stride, rates=(6, 12), width=0.35)
    assert model.output_shape == (None, size, size, 3)


def test_dilation_looks_where_the_strides_looked():
    """Atrous convolution: the network of stride 8 gives, at every fourth point, what that of stride 32 gives."""
    rng = np.random.default_rng(0)
    image = keras.Input((97, 97, 3))
    coarse, fine = (keras.Model(image, mobilenet.backbone(image, 0.35, output_stride=s)) for s in (32, 8))
    fine.set_weights(coarse.get_weights())
    x = rng.normal(size=(1, 97, 97, 3)).astype("float32")
    a, b = coarse.predict_on_batch(x), fine.predict_on_batch(x)
    assert b.shape == (1, 13, 13, 112)
    np.testing.assert_allclose(b[:, ::4, ::4], a, rtol=0, atol=1e-4 * np.abs(a).max())


def test_any_size_and_training_from_scratch():
    model = models.DeepLabV3((None, None, 3), num_classes=2, norm="batch", rates=(2,), width=0.35)
    assert model.predict_on_batch(np.zeros((1, 40, 64, 3), "float32")).shape == (1, 5, 8, 2)


def test_aspp_adds_up(undrawn):
    x = keras.Input((9, 9, 5))
    model = keras.Model(x, models.aspp(x, 4, (1, 3), norm=None))
    assert model.output_shape == (None, 9, 9, 4)
    assert model.get_layer("aspp_concat").output.shape == (None, 9, 9, 16)
    assert model.get_layer("aspp_rate3_conv").dilation_rate == (3, 3)
    with pytest.raises(ValueError, match="whole numbers of pixels"):
        models.aspp(x, 4, (0,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output_stride": 4}, "choose one of 8, 16, 32"),
        ({"input_shape": (16, 513, 3)}, "at least 32"),
        ({"weights": "voc", "num_classes": 2}, "trained with num_classes=21"),
        ({"weights": "voc", "rates": (6,)}, r"trained with rates=\(\)"),
        ({"weights": "coco"}, "there is: 'voc'"),
    ],
)
def test_wrong_arguments_say_what_to_do(settings, message):
    with pytest.raises(ValueError, match=message):
        models.DeepLabV3(**settings)


@pytest.mark.parametrize("image", [np.zeros((0, 9, 3)), np.zeros((9, 9)), np.full((9, 9, 3), np.nan)])
def test_bad_images_are_refused(image):
    with pytest.raises(ValueError, match="expected"):
        deeplab.segment(image)


def test_checked_photograph_rounds():
    image = np.full((2, 2, 3), 99.6)
    assert (common.checked_photograph(image, "x") == 100).all()
