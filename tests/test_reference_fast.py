"""Winograd and FFT convolution against the plain one, and against SciPy, on random shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from cnnlib import reference

on_numpy = settings(max_examples=150, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
paddings = st.sampled_from(["valid", "same", 0, 1, ((1, 0), (0, 2))])


def scipy_conv2d(x, w):
    """Stride 1, no padding, one filter and channel after the other, in double precision."""
    y = np.zeros((len(x), x.shape[1] - w.shape[0] + 1, x.shape[2] - w.shape[1] + 1, w.shape[3]))
    for n, c, o in np.ndindex(len(x), *w.shape[2:]):
        y[n, ..., o] += signal.correlate2d(x[n, ..., c].astype(float), w[..., c, o].astype(float), mode="valid")
    return y


@st.composite
def layers(draw, kernels):
    kernel = draw(kernels)
    size = [draw(st.integers(k, k + 7)) for k in kernel]
    rng = np.random.default_rng(draw(seeds))
    x = rng.normal(size=(draw(st.integers(1, 2)), *size, draw(st.integers(1, 3)))).astype("float32")
    w = rng.normal(size=(*kernel, x.shape[-1], draw(st.integers(1, 3)))).astype("float32")
    return x, w


@on_numpy
@given(layers(st.just((3, 3))))
def test_winograd_is_scipy_s_correlation(layer):
    x, w = layer
    np.testing.assert_allclose(reference.conv2d_winograd(x, w), scipy_conv2d(x, w), atol=1e-4)


@on_numpy
@given(layers(st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_fft_is_scipy_s_correlation(layer):
    x, w = layer
    np.testing.assert_allclose(reference.conv2d_fft(x, w), scipy_conv2d(x, w), atol=1e-4)


@on_numpy
@given(layers(st.just((3, 3))), paddings)
def test_padding_and_bias_are_those_of_the_plain_convolution(layer, padding):
    x, w = layer
    b = np.arange(w.shape[3], dtype="float32")
    expected = reference.conv2d(x, w, b, padding=padding)
    for way in (reference.conv2d_winograd, reference.conv2d_fft):
        found = way(x, w, b, padding=padding)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_kernel_that_was_transformed_before_is_taken():
    rng = np.random.default_rng(0)
    x, w, other = rng.normal(size=(1, 6, 6, 2)), rng.normal(size=(3, 3, 2, 2)), rng.normal(size=(3, 3, 2, 2))
    made = reference.winograd_kernel(w)
    assert made.shape == (4, 4, 2, 2)
    np.testing.assert_allclose(
        reference.conv2d_winograd(x, other, transformed=made), reference.conv2d(x, w), atol=1e-12
    )


def test_the_three_matrices_make_a_convolution_of_16_products():
    rng = np.random.default_rng(0)
    tile, kernel = rng.normal(size=(4, 4)), rng.normal(size=(3, 3))
    B_t, G, A_t = reference.WINOGRAD_PIXELS, reference.WINOGRAD_KERNEL, reference.WINOGRAD_OUTPUT
    found = A_t @ ((G @ kernel @ G.T) * (B_t @ tile @ B_t.T)) @ A_t.T
    np.testing.assert_allclose(found, signal.correlate2d(tile, kernel, mode="valid"), atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 5, 2, 2), (3, 1, 2, 2), (1, 1, 2, 2)])
def test_winograd_refuses_other_kernels(shape):
    with pytest.raises(ValueError, match="made for kernels"):
        reference.conv2d_winograd(np.zeros((1, 8, 8, 2)), np.zeros(shape))
