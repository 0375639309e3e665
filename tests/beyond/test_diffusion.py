"""cnnlib.beyond.diffusion: the mixture and its step, a network that learns, samples of the one that is shipped."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib import datasets
from cnnlib.beyond import diffusion


def test_the_schedule_falls_from_a_picture_to_noise():
    shares = diffusion.schedule(50)
    assert shares.shape == (51,)
    assert shares[0] == 1
    assert shares[-1] == pytest.approx(1e-4)
    assert (np.diff(shares) < 0).all()
    with pytest.raises(ValueError, match="at least one"):
        diffusion.schedule(0)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 0.98), st.floats(0, 1), st.integers(0, 99))
def test_a_step_with_the_true_noise_is_the_mixture_at_the_next_level(share, further, seed):
    rng = np.random.default_rng(seed)
    picture, noise = rng.uniform(-1, 1, (3, 2, 2, 1)), rng.normal(size=(3, 2, 2, 1))
    lower = share + (1 - share) * further
    mixed = np.sqrt(share) * picture + np.sqrt(1 - share) * noise
    expected = np.sqrt(lower) * picture + np.sqrt(max(0, 1 - lower)) * noise
    assert np.allclose(diffusion.denoising_step(mixed, noise, share, lower), expected, atol=1e-6)
    assert np.allclose(diffusion.noised(picture, share, noise), mixed, atol=1e-5)


def test_a_guess_that_is_no_picture_is_clipped():
    came = diffusion.denoising_step(np.array([2.0]), np.array([0.0]), 0.25, 1.0)
    assert came == pytest.approx(1)


def test_each_image_may_have_a_share_of_its_own():
    x, noise = np.ones((2, 3, 3, 1)), np.zeros((2, 3, 3, 1))
    came = diffusion.noised(x, np.array([0.25, 1.0]), noise)
    assert np.allclose(came[0], 0.5)
    assert np.allclose(came[1], 1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: diffusion.noised(np.zeros((1, 2)), 1.5, np.zeros((1, 2))), "shares from 0 to 1"),
        (lambda: diffusion.noised(np.zeros((1, 2)), 0.5, np.zeros((2, 2))), "equal shapes"),
        (lambda: diffusion.denoising_step(np.zeros(1), np.zeros(1), 0.5, 0.4), "share <= next_share"),
        (lambda: diffusion.unet(size=30), "multiple of 4"),
        (lambda: diffusion.sample(diffusion.unet(widths=(8, 8)), [1], steps=0), "1 to 200"),
    ],
)
def test_what_has_no_meaning_is_said(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_a_network_learns_to_find_the_noise_and_samples_depend_on_the_seed():
    keras.utils.set_random_seed(0)
    model = diffusion.unet(8, (8, 8))
    x = np.ones((16, 8, 8, 1), "float32")
    losses = diffusion.train(model, x, np.zeros(16, int), steps=60, size=16, rate=1e-2)
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])
    pictures, states = diffusion.sample(model, [0, 0], steps=4, keep=(0, 4))
    assert pictures.shape == (2, 8, 8, 1)
    assert 0 <= pictures.min() <= pictures.max() <= 1
    assert len(states) == 2
    assert np.array_equal(pictures, diffusion.sample(model, [0, 0], steps=4))
    assert not np.array_equal(pictures, diffusion.sample(model, [0, 0], steps=4, seed=1))


def test_the_shipped_network_finds_noise_better_than_a_mean_picture_does():
    """Beside the network: the noise that is left when a class's mean picture is taken for the picture."""
    data = datasets.fashion_mnist(2000, test_size=50)
    means = np.stack([data.x_train[data.y_train == k].mean(0) for k in range(10)]) * 2 - 1
    x, y = data.x_test * 2 - 1, data.y_test
    share = diffusion.schedule()[100]
    noise = np.random.default_rng(0).normal(size=x.shape)
    mixed = diffusion.noised(x, share, noise)
    found = diffusion.bundled().predict_on_batch([mixed, np.full(50, 100, "int32"), y.astype("int32")])
    rival = (mixed - np.sqrt(share) * means[y]) / np.sqrt(1 - share)
    assert np.square(found - noise).mean() < 0.5 * np.square(rival - noise).mean()


def test_quality_is_counted_by_hand():
    training = np.stack([np.zeros((2, 2, 1)), np.ones((2, 2, 1))]).astype("float32")
    pictures = np.stack([np.full((2, 2, 1), value) for value in (0.0, 0.5, 1.0, 0.75)]).astype("float32")
    inputs = keras.Input((2, 2, 1))
    mean = keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D(keepdims=True)(inputs))
    classifier = keras.Model(inputs, keras.layers.Concatenate()([0.6 - mean, mean - 0.6]))
    recognised, variety, nearest = diffusion.quality(pictures, [0, 0, 0, 1], classifier, training)
    assert recognised == 0.75
    assert variety == pytest.approx((np.std([0, 0.5, 1]) + 0) / 2)
    assert nearest == pytest.approx(np.median([0, 0.5, 0, 0.25]))
    with pytest.raises(ValueError, match="expected as many"):
        diffusion.quality(pictures, [0], classifier, training)
