"""Geometry and preprocessing: against Pillow, torchvision's convention, and the functions that lessons use."""

import json

import numpy as np
import odd_images
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnnlib import datasets
from cnnlib.models import deeplab, imagenet, ssdlite
from cnnlib.pipeline import Placement, Preprocessing, bundled_specification, decode, place

SIDES = st.integers(1, 400)


# --- geometry --------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES, st.integers(1, 64), st.integers(1, 64), st.sampled_from(["centre", "corner"]))
def test_a_letterbox_holds_the_whole_image_undistorted_and_boxes_come_back(height, width, tall, wide, anchor):
    where = place((height, width), (tall, wide), "letterbox", anchor)
    left, top, right, bottom = where.region
    assert left >= 0
    assert top >= 0
    assert right <= wide + 1e-6
    assert bottom <= tall + 1e-6
    # As large as fits, to a pixel, and the two factors agree to half a pixel.
    assert max(right - left - wide, bottom - top - tall) >= -1e-6 - 1
    factor = min(tall / height, wide / width)
    assert abs((right - left) - max(1, width * factor)) <= 0.5 + 1e-6
    assert abs((bottom - top) - max(1, height * factor)) <= 0.5 + 1e-6
    if anchor == "corner":
        assert (left, top) == (0, 0)
    else:
        assert abs(left - (wide - right)) <= 1 + 1e-6
        assert abs(top - (tall - bottom)) <= 1 + 1e-6
    box = np.array([[width * 0.1, height * 0.2, width * 0.7, height]], np.float32)
    assert np.allclose(where.to_image(where.to_input(box)), box, atol=1e-3 * max(height, width))


def test_stretch():
    where = place((50, 200), (100, 100), "stretch")
    assert where == Placement((50, 200), (100, 100), (0.5, 2.0), (0.0, 0.0))
    assert where.to_input([[20, 10, 40, 30]]).tolist() == [[10, 20, 20, 60]]
    assert where.to_image([[10, 20, 20, 60]]).tolist() == [[20, 10, 40, 30]]
    assert where.to_image([[-10, 20, 2000, 60]]).tolist() == [[0, 10, 200, 30]]


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES)
def test_shortest_side_and_crop_as_torchvision_rounds(height, width):
    where = place((height, width), (224, 224), "shortest_side", shortest_side=256)
    longer, shorter = max(height, width), min(height, width)
    new = {True: (256, int(256 * longer / shorter)), False: (int(256 * longer / shorter), 256)}[height <= width]
    assert where.scale == (new[1] / width, new[0] / height)
    assert where.shift == (-int(round((new[1] - 224) / 2.0)), -int(round((new[0] - 224) / 2.0)))


# --- pixels ----------------------------------------------------------------------------------------------------------


def resized(image: Image.Image, height: int, width: int, kernel: str = "BILINEAR") -> np.ndarray:
    return np.asarray(image.resize((width, height), Image.Resampling[kernel]), "float32")


@pytest.mark.parametrize("kernel", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(33, 50), (200, 31), (40, 24), (24, 40)])
def test_stretch_and_letterbox_are_pillow_s_resize(kernel, size):
    image = odd_images.picture(np.random.default_rng(0), *size)
    plain = Preprocessing((40, 24), kernel=kernel, mean=0, spread=1)
    assert np.array_equal(plain(image)[0], resized(image, 40, 24, kernel.upper()))
    boxed = Preprocessing((40, 24), "letterbox", kernel=kernel, fill=7, mean=0, spread=1)
    factor = min(40 / size[0], 24 / size[1])
    new = round(size[0] * factor), round(size[1] * factor)
    expected = np.full((40, 24, 3), 7, "float32")
    top, left = (40 - new[0]) // 2, (24 - new[1]) // 2
    expected[top : top + new[0], left : left + new[1]] = resized(image, *new, kernel.upper())
    assert np.array_equal(boxed(image)[0], expected)


@pytest.mark.parametrize("size", [(300, 400), (256, 256), (90, 31), (224, 500)])
def test_shortest_side_is_resize_then_crop(size):
    image = odd_images.picture(np.random.default_rng(1), *size)
    own = Preprocessing(224, "shortest_side", shortest_side=256, mean=0, spread=1)(image)[0]
    longer, shorter = max(size), min(size)
    long = int(256 * longer / shorter)
    new = (256, long) if size[0] <= size[1] else (long, 256)
    top, left = round((new[0] - 224) / 2.0), round((new[1] - 224) / 2.0)
    whole = resized(image, *new)[top : top + 224, left : left + 224]
    assert np.abs(own - whole).max() <= 1  # Pillow rounds its weights to a fixed point that depends on the box
    assert (own == whole).mean() > 0.98


def test_thin_images_take_no_memory():
    """The shorter side of 20000x1 pixels, made 256, would be 1.3 billion pixels."""
    thin = np.tile(np.arange(20000, dtype="float32") / 20000, (1, 1))
    for array in (thin, thin.T):
        batch = Preprocessing(224, "shortest_side", shortest_side=256)(array)
        assert np.abs(batch - 0.5).max() < 0.01


def test_order_range_and_grey():
    image = np.zeros((4, 4, 3), np.uint8)
    image[...] = 10, 20, 30
    rgb = Preprocessing(4, mean=(1, 2, 3), spread=(1, 2, 3))(image)
    assert np.allclose(rgb[0, 0, 0], [9, 9, 9])
    assert np.allclose(Preprocessing(4, channels="bgr", mean=0, spread=10)(image)[0, 0, 0], [3, 2, 1])
    grey = Preprocessing(4, channels="grey")(image)
    assert grey.shape == (1, 4, 4, 1)
    assert abs(grey[0, 0, 0, 0] * 255 - (0.299 * 10 + 0.587 * 20 + 0.114 * 30)) <= 0.5
    boxed = Preprocessing((4, 8), "letterbox", fill=127.5, mean=127.5, spread=127.5)(image)
    assert (boxed[0, :, :2] == 0).all()
    assert boxed.dtype == np.float32


def test_a_batch_is_what_single_images_are():
    rng = np.random.default_rng(2)
    pictures = [odd_images.picture(rng) for _ in range(3)]
    own = Preprocessing(20, "letterbox")
    assert np.array_equal(own(pictures), np.concatenate([own(picture) for picture in pictures]))
    array = rng.integers(0, 256, (5, 28, 28)).astype(np.uint8)
    assert Preprocessing(28, channels="grey")(array).shape == (5, 28, 28, 1)
    assert np.array_equal(Preprocessing(28, channels="grey")(array)[..., 0], array.astype("float32") / 255)


def test_what_the_course_trained_with():
    """The bundled specifications do what the functions do that the lessons have used so far."""
    for name in ("cat", "rocket"):
        picture = datasets.photograph(name)
        own = bundled_specification("detect").preprocess(picture)
        assert np.allclose(own, ssdlite.preprocess(picture), atol=1e-6)
        assert np.allclose(
            bundled_specification("segment").preprocess(picture), deeplab.preprocess(picture)[0], atol=1e-6
        )
        square = datasets.photograph(name, 256)
        own = bundled_specification("classify").preprocess(square)
        assert np.abs(own - imagenet.preprocess(square[16:240, 16:240])).max() <= 1 / 128
    images = datasets.cifar10(size=1, test_size=5)
    assert np.allclose(bundled_specification("resnet20_cifar10").preprocess(images.x_test), images.x_test, atol=1e-7)
    clothes = datasets.fashion_mnist(size=1, test_size=5)
    own = bundled_specification("lenet5_fashion_mnist").preprocess(clothes.x_test)
    assert np.allclose(own, clothes.x_test, atol=1e-7)


# --- settings --------------------------------------------------------------------------------------------------------


def test_the_version_follows_the_settings():
    one = Preprocessing(32)
    assert one.version == Preprocessing((32, 32), mean=(0,), spread=[255]).version
    others = [Preprocessing(32, kernel="nearest"), Preprocessing(33), Preprocessing(32, channels="bgr")]
    others += [Preprocessing(32, fill=0), Preprocessing(32, mean=1), Preprocessing(32, background=(0, 0, 0))]
    assert len({each.version for each in (one, *others)}) == 7


def test_settings_survive_json():
    own = Preprocessing((20, 30), "shortest_side", 40, "bicubic", mean=(1, 2, 3), spread=7)
    assert Preprocessing.from_dict(json.loads(json.dumps(own.as_dict()))) == own
    with pytest.raises(ValueError, match="kernal is unknown"):
        Preprocessing.from_dict(own.as_dict() | {"kernal": 1})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"policy": "squash"}, "'stretch'"),
        ({"kernel": "cubic"}, "'bicubic'"),
        ({"channels": "gray"}, "'grey'"),
        ({"anchor": "top"}, "'corner'"),
        ({"policy": "shortest_side"}, "needs a number"),
        ({"shortest_side": 40}, "take none"),
        ({"policy": "shortest_side", "shortest_side": 20}, "reach beyond"),
        ({"mean": (1, 2)}, "one for each of 3"),
        ({"channels": "grey", "spread": (1, 2, 3)}, "one for each of 1"),
        ({"spread": 0}, "more than 0"),
        ({"fill": 300}, "0..255"),
        ({"size": (3, 4, 5)}, "height, width"),
    ],
)
def test_settings_without_a_meaning(settings, says):
    with pytest.raises(ValueError, match=says):
        Preprocessing(**({"size": 32} | settings))


def test_decoded_pictures_are_not_decoded_again():
    image = decode(np.zeros((5, 6, 3), np.uint8))
    assert Preprocessing(4)(image).shape == (1, 4, 4, 3)
