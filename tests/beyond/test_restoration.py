"""cnnlib.beyond.restoration: scores and filters against loops and other libraries; networks that learn."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from cnnlib.beyond import restoration


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.sampled_from([1.0, 255.0]), st.integers(0, 99))
def test_psnr_is_the_formula_for_each_image(n, side, peak, seed):
    rng = np.random.default_rng(seed)
    one, two = rng.uniform(0, peak, (2, n, side, side, 2))
    for came, a, b in zip(restoration.psnr(one, two, peak), one, two):
        error = sum((x - y) ** 2 for x, y in zip(a.ravel(), b.ravel())) / a.size
        assert came == pytest.approx(10 * np.log10(peak**2 / error))


def test_psnr_at_edges():
    low, high = np.full((1, 2, 2, 1), 10, np.uint8), np.full((1, 2, 2, 1), 20, np.uint8)
    assert restoration.psnr(low, high, 255)[0] == pytest.approx(20 * np.log10(25.5))
    assert np.isinf(restoration.psnr(low, low, 255)[0])
    with pytest.raises(ValueError, match="peak=255"):
        restoration.psnr(low, high)
    with pytest.raises(ValueError, match="equal shapes"):
        restoration.psnr(low, high[0], 255)


def looped_ssim(a, b, peak):
    """SSIM of two grey images by windows one after the other, from the formula of the paper."""
    places = np.arange(-5, 6)
    window = np.exp(-(places**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    c1, c2, found = (0.01 * peak) ** 2, (0.03 * peak) ** 2, []
    for row in range(a.shape[0] - 10):
        for column in range(a.shape[1] - 10):
            x, y = (each[row : row + 11, column : column + 11] for each in (a, b))
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            both = (window * (x - mx) * (y - my)).sum()
            found.append((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return np.mean(found)


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_ssim_is_the_formula_window_by_window(peak):
    rng = np.random.default_rng(0)
    one = rng.uniform(0, peak, (2, 14, 17, 2))
    two = np.clip(one + rng.normal(0, 0.1 * peak, one.shape), 0, peak)
    expected = [np.mean([looped_ssim(a[..., c], b[..., c], peak) for c in range(2)]) for a, b in zip(one, two)]
    assert np.allclose(restoration.ssim(one, two, peak), expected, atol=1e-9)
    assert np.allclose(restoration.ssim(one, one, peak), 1)
    with pytest.raises(ValueError, match="11 x 11"):
        restoration.ssim(one[:, :10], two[:, :10], peak)


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(1)
    one = rng.uniform(0, 1, (1, 20, 24, 1))
    two = np.clip(one + rng.normal(0, 0.1, one.shape), 0, 1)
    expected = metrics.structural_similarity(
        *(one[0, ..., 0], two[0, ..., 0]),
        **{"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    )
    assert restoration.ssim(one, two)[0] == pytest.approx(expected, abs=1e-9)


def test_bilateral_is_the_weighted_mean_of_neighbours():
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(1, 6, 7, 1))
    padded = np.pad(image[0, ..., 0], 2, mode="edge")
    came = restoration.bilateral(image, spread=0.3)[0, ..., 0]
    for row, column in ((0, 0), (3, 4), (5, 6)):
        part = padded[row : row + 5, column : column + 5]
        far = np.add.outer(np.arange(-2, 3) ** 2, np.arange(-2, 3) ** 2)
        weights = np.exp(-far / (2 * 1.5**2) - (part - part[2, 2]) ** 2 / (2 * 0.3**2))
        assert came[row, column] == pytest.approx((weights * part).sum() / weights.sum())


def test_components_are_the_best_of_their_number():
    rng = np.random.default_rng(0)
    images = rng.uniform(0.3, 0.7, (40, 3, 4, 1))
    components = restoration.Components(images)
    assert np.allclose(components(images, 12), images)
    rows = images.reshape(40, 12) - images.reshape(40, 12).mean(0)
    singular = np.linalg.svd(rows, compute_uv=False)
    error = np.square(components(images, 4) - images).sum()
    assert error == pytest.approx(np.square(singular[4:]).sum(), rel=1e-6)


def test_the_best_setting_is_chosen_on_the_pictures_given():
    images = np.zeros((1, 4, 4, 1))
    assert restoration.best_setting(lambda x, s: x + abs(s - 3), (1, 2, 3, 4), images, images + 1e-3) == 3


def test_noise_is_that_of_the_seed_and_clipped():
    x = np.full((2, 8, 8, 1), 0.5, "float32")
    one = restoration.noisy(x, 0.5, seed=1)
    assert np.array_equal(one, restoration.noisy(x, 0.5, seed=1))
    assert not np.array_equal(one, restoration.noisy(x, 0.5, seed=2))
    assert one.min() == 0
    assert one.max() == 1


def test_pixel_shuffle_lays_four_channels_out():
    x = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4).astype("float32")
    came = ops.convert_to_numpy(restoration.PixelShuffle()(x))
    assert came.shape == (2, 6, 10, 1)
    for row in range(6):
        for column in range(10):
            channel = 2 * (row % 2) + column % 2
            assert np.array_equal(came[:, row, column, 0], x[:, row // 2, column // 2, channel])
    with pytest.raises(ValueError, match="have to be 4"):
        restoration.PixelShuffle().compute_output_shape((1, 2, 2, 3))


@pytest.mark.parametrize("end", ["shuffle", "transposed"])
def test_an_enlarger_takes_any_size(end):
    model = restoration.enlarger(end, width=4)
    for height, width in ((6, 8), (9, 5)):
        assert model(np.zeros((1, height, width, 1), "float32")).shape == (1, 2 * height, 2 * width, 1)


def test_an_unknown_end_is_named():
    with pytest.raises(ValueError, match="choose 'shuffle' or 'transposed'"):
        restoration.enlarger("bicubic")


def test_crops_fit_each_other():
    picture = np.random.default_rng(0).uniform(size=(60, 50)).astype("float32")
    low, missing = restoration.crops([picture], 5, side=8)
    assert low.shape == (5, 8, 8, 1)
    assert missing.shape == (5, 16, 16, 1)
    whole = restoration.shrunk(picture)
    rest = picture - restoration.bicubic(whole)
    found = [
        np.array_equal(rest[2 * t : 2 * t + 16, 2 * a : 2 * a + 16], _back(missing[0, ..., 0], k, m))
        for t in range(23)
        for a in range(18)
        for k in range(4)
        for m in (False, True)
        if np.array_equal(whole[t : t + 8, a : a + 8], _back(low[0, ..., 0], k, m))
    ]
    assert found == [True]


def _back(part, turns, mirrored):
    return np.rot90(part[:, ::-1] if mirrored else part, -turns)


@pytest.mark.parametrize("make", [restoration.denoiser, restoration.autoencoder])
def test_a_network_from_images_to_images_learns(make):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).uniform(size=(8, 28, 28, 1)).astype("float32")
    x[:] = x[:1]
    model = make()
    losses = restoration.fit(model, restoration.noisy(x), x, steps=30, size=8)
    assert model.output_shape == (None, 28, 28, 1)
    assert np.mean(losses[-3:]) < 0.9 * losses[0]
