"""Corruptions: the more severe, the less is left; the same seed, the same noise; and what each of them means."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cnnlib import datasets, reliability
from cnnlib.reliability import corruptions


@pytest.fixture(scope="module")
def pictures():
    """Forty pictures of 32 pixels, four of each class."""
    return datasets.cifar10(size=10, test_size=40).x_test


@pytest.mark.parametrize("kind", reliability.CORRUPTIONS)
def test_each_severity_leaves_less(pictures, kind):
    """In the mean and of each picture; pixelate only in the mean: 28 and 27 of 32 pixels both divide unevenly."""
    ratios = [reliability.psnr(pictures, reliability.corrupt(pictures, kind, s)) for s in reliability.SEVERITIES]
    means = [np.mean(ratio) for ratio in ratios]
    assert all(a > b for a, b in zip(means, means[1:])), np.round(means, 1)
    worse = [np.mean(a > b) for a, b in zip(ratios, ratios[1:])]
    assert kind == "pixelate" or min(worse) == 1, worse
    assert means[0] < 45, "the mildest can be measured"
    assert means[-1] > 5, "the heaviest leaves something"


@pytest.mark.parametrize("kind", reliability.CORRUPTIONS)
def test_a_photograph_is_treated_alike(kind):
    photograph = datasets.photograph("cat", size=(150, 200))[None].astype("float32") / 255
    means = [reliability.psnr(photograph, reliability.corrupt(photograph, kind, s))[0] for s in reliability.SEVERITIES]
    assert all(a > b for a, b in zip(means, means[1:])), np.round(means, 1)


@pytest.mark.parametrize("kind", reliability.CORRUPTIONS)
@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (1, 8, 20, 1), (1, 1, 1, 3), (3, 5, 3, 1)])
def test_shape_type_and_range_are_kept(kind, shape):
    images = np.random.default_rng(0).random(shape).astype("float32")
    before = images.copy()
    for severity in (1, 5):
        came = reliability.corrupt(images, kind, severity)
        assert came.shape == shape
        assert came.dtype == np.float32
        assert came.min() >= 0
        assert came.max() <= 1
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("kind", reliability.CORRUPTIONS)
def test_an_image_does_not_depend_on_its_batch(pictures, kind):
    alone = reliability.corrupt(pictures[:3], kind, 3, seed=5)
    np.testing.assert_array_equal(alone, reliability.corrupt(pictures[:7], kind, 3, seed=5)[:3])
    again = reliability.corrupt(pictures[:3], kind, 3, seed=6)
    assert np.array_equal(alone, again) != (kind in ("noise", "shot noise", "fog"))


def test_noise_has_the_stated_spread_and_is_paired():
    grey = np.full((20, 32, 32, 3), 0.5, "float32")
    mild, heavy = (reliability.corrupt(grey, "noise", severity) - 0.5 for severity in (1, 5))
    assert mild.std() == pytest.approx(0.04, rel=0.02)
    np.testing.assert_allclose(heavy, 2.5 * mild, atol=1e-6)


def test_photons_make_bright_places_noisier():
    images = np.full((20, 32, 32, 3), 0.64, "float32")
    images[:, :16] = 0.16
    came = reliability.corrupt(images, "shot noise", 3)
    assert came[:, :16].std() == pytest.approx(np.sqrt(0.16 / 100), rel=0.05)
    assert came[:, 16:].std() == pytest.approx(np.sqrt(0.64 / 100), rel=0.05)


def test_blur_equals_scipy_and_grows_with_the_image(pictures):
    came = reliability.corrupt(pictures[:5], "blur", 5)
    np.testing.assert_allclose(came, ndimage.gaussian_filter(pictures[:5], (0, 1, 1, 0)), atol=1e-4)
    large = np.random.default_rng(0).random((1, 64, 96, 1)).astype("float32")
    came = reliability.corrupt(large, "blur", 5)
    np.testing.assert_allclose(came, ndimage.gaussian_filter(large, (0, 2, 2, 0)), atol=1e-4)


def test_contrast_keeps_the_mean_and_the_stated_share(pictures):
    came = reliability.corrupt(pictures, "contrast", 5)
    np.testing.assert_allclose(came.mean(axis=(1, 2)), pictures.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(came.std(axis=(1, 2)), 0.15 * pictures.std(axis=(1, 2)), atol=1e-5)


def test_exposure_counts_light_in_stops():
    images = np.full((1, 4, 4, 1), 0.3, "float32")
    came = reliability.corrupt(images, "exposure", 2)
    np.testing.assert_allclose(came**2.2, 2 * images**2.2, rtol=1e-5)
    assert (reliability.corrupt(np.ones((1, 4, 4, 1), "float32"), "exposure", 5) == 1).all()


def test_fog_whitens_what_is_dark_and_leaves_white():
    images = np.zeros((1, 32, 32, 3), "float32")
    images[:, :, 16:] = 1
    came = reliability.corrupt(images, "fog", 3)
    assert (came[:, :, 16:] == 1).all()
    black = came[0, :, :16]
    assert black.std() > 0.02, "it is thicker in some places"
    np.testing.assert_allclose(black[..., 0], black[..., 2])
    clear = corruptions._clouds(33, 47, np.random.default_rng(0))
    assert clear.min() == 0
    assert clear.mean() == pytest.approx(1)


def test_jpeg_is_that_of_pillow(pictures):
    file = io.BytesIO()
    Image.fromarray(np.round(pictures[0] * 255).astype("uint8")).save(file, "JPEG", quality=40)
    wanted = np.asarray(Image.open(file)) / 255
    np.testing.assert_allclose(reliability.corrupt(pictures[:1], "jpeg", 5)[0], wanted, atol=1e-6)


def test_psnr_by_hand():
    images = np.zeros((2, 4, 4, 1), "float32")
    changed = images + np.array([0.1, 0], "float32")[:, None, None, None]
    assert reliability.psnr(images, changed) == pytest.approx([20, np.inf])


@pytest.mark.parametrize(
    ("images", "kind", "severity", "message"),
    [
        (np.zeros((4, 4, 3), "float32"), "blur", 1, r"image\[None\]"),
        (np.zeros((1, 4, 4, 3), "uint8"), "blur", 1, "/ 255"),
        (np.full((1, 4, 4, 3), 200.0), "blur", 1, "divide by 255"),
        (np.full((1, 4, 4, 3), -0.5), "blur", 1, "normalised already"),
        (np.full((1, 4, 4, 3), np.nan), "blur", 1, "NaN"),
        (np.zeros((1, 3, 4, 4), "float32"), "blur", 1, "1 or 3"),
        (np.zeros((1, 4, 4, 3), "float32"), "snow", 1, "'fog'"),
        (np.zeros((1, 4, 4, 3), "float32"), "fog", 0, "1 .mild. to 5"),
        (np.zeros((1, 4, 4, 3), "float32"), "fog", 2.5, "1 .mild. to 5"),
    ],
)
def test_what_has_no_meaning_is_refused(images, kind, severity, message):
    with pytest.raises(ValueError, match=message):
        reliability.corrupt(images, kind, severity)
