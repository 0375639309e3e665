"""The brain, its parts, linear kernels, and networks of two and of three dimensions."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from cnnlib import arithmetic
from cnnlib.beyond import volumes


def test_the_brain_is_symmetric_and_its_parts_lie_apart():
    brain = volumes.brain()
    assert brain.shape == (99, 117, 95)
    assert (brain == brain[::-1]).all()
    assert brain.min() == 0
    assert 0.9 < brain.max() <= 1
    parts = list(volumes.PARTS.values())
    for before, after in zip(parts, parts[1:]):
        assert after.start - before.stop == 8
    assert volumes.region(brain, "test").shape == (99, 24, 95)
    assert all((volumes.region(brain, part) > 0).mean() > 0.05 for part in volumes.PARTS)
    with pytest.raises(ValueError, match="choose one of"):
        volumes.region(brain, "left")


def test_decibels_are_those_of_the_brain_alone():
    clean = np.array([0.0, 0.5, 0.8])
    assert volumes.psnr(clean, clean + np.array([9, 0.1, -0.1])) == pytest.approx(20)
    with pytest.raises(ValueError, match="the same"):
        volumes.psnr(clean, clean[:2])
    with pytest.raises(ValueError, match="some brain"):
        volumes.psnr(np.zeros(3), np.zeros(3))


def test_noise_has_its_size_and_its_seed():
    clean = np.zeros((20, 20, 20), "float32")
    noise = volumes.noisy(clean, 3)
    assert noise.std() == pytest.approx(volumes.NOISE, rel=0.05)
    assert (noise == volumes.noisy(clean, 3)).all()
    assert (noise != volumes.noisy(clean, 4)).any()


@pytest.mark.parametrize("shape", [(3, 3, 3), (1, 3, 5)])
def test_a_filtered_volume_is_that_of_scipy(shape):
    rng = np.random.default_rng(0)
    volume, kernel = rng.normal(size=(5, 6, 7)), rng.normal(size=shape)
    assert np.allclose(volumes.filtered(volume, kernel), ndimage.correlate(volume, kernel, mode="constant"))
    with pytest.raises(ValueError, match="odd"):
        volumes.patches(volume, (2, 3, 3))


def test_the_best_kernel_finds_the_one_that_was_there_and_no_other_is_better():
    rng = np.random.default_rng(1)
    seen, kernel = rng.normal(size=(8, 9, 10)), rng.normal(size=(3, 3, 3))
    clean = np.abs(volumes.filtered(seen, kernel)) * 0 + volumes.filtered(seen, kernel)
    positive = np.where(clean > 0, clean, 0)  # voxels outside of the brain do not count
    assert np.allclose(volumes.best_kernel(seen, positive, (3, 3, 3)), kernel)


def test_a_kernel_of_one_slice_is_a_2d_convolution_of_each():
    model = volumes.network("slices")
    rng = np.random.default_rng(2)
    weights = [0.2 * rng.normal(size=weight.shape).astype("float32") for weight in model.get_weights()]
    model.set_weights(weights)
    volume = rng.normal(size=(4, 6, 5)).astype("float32")
    x = inputs = keras.Input((6, 5, 1))
    for filters, activation in ((16, "relu"), (16, "relu"), (1, None)):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation=activation)(x)
    flat = keras.Model(inputs, keras.layers.Subtract()([inputs, x]))
    flat.set_weights([weight[0] if weight.ndim == 5 else weight for weight in weights])
    by_slice = np.asarray(flat.predict_on_batch(volume[..., None]))[..., 0]
    assert np.allclose(volumes.denoised(model, volume), by_slice, atol=1e-4)


def test_more_filters_cost_what_a_volume_costs():
    def macs(kind):
        kernels, filters = volumes.NETWORKS[kind]
        pairs = [(1, filters), (filters, filters), (filters, 1)]
        return sum(arithmetic.conv_macs((4, 4, 4), kernel, *pair) for kernel, pair in zip(kernels, pairs))

    assert macs("slices, more filters") == pytest.approx(macs("volume"), rel=0.03)
    for kind in volumes.NETWORKS:
        assert volumes.network(kind).output_shape[-1] == 1
    with pytest.raises(ValueError, match="choose one of"):
        volumes.network("cube")


def test_training_takes_noise_away():
    clean = volumes.region(volumes.brain(), "train")
    model = volumes.trained(volumes.network("volume"), clean, 0.003, 60, seed=0)
    noisy = volumes.noisy(clean, 9)
    assert volumes.psnr(clean, volumes.denoised(model, noisy)) > volumes.psnr(clean, noisy) + 1
