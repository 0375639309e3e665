"""Terrain, time steps as kernels, and kernels that were learned."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import cbook
from scipy import ndimage

from cnnlib import datasets
from cnnlib.beyond import fields


def test_the_terrain_is_that_of_the_card():
    height, dy, dx = fields.terrain()
    assert height.shape == (344, 403)
    assert (height.min(), height.max()) == (236, 1076)
    assert (round(dy), round(dx)) == (93, 74)
    assert fields.terrain(slice(0, 5), slice(2, 9)).height.shape == (5, 7)


def test_other_terrain_under_the_same_name_is_refused(monkeypatch):
    monkeypatch.setattr(cbook, "get_sample_data", lambda name: {"elevation": np.zeros((3, 3), np.int16)})
    with pytest.raises(datasets.DataError, match="requirements.txt"):
        fields.terrain()


@given(st.floats(0.1, 2), st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 0.5))
def test_a_step_is_the_equation_on_a_parabola(dt, diffusivity, v_y, v_x, decay):
    """Central differences are exact on polynomials of degree two, so the step must be the equation itself."""
    dy, dx = 1.5, 0.5
    y, x = np.mgrid[0:7, 0:7] * np.array([dy, dx])[:, None, None]
    u = 1 + 2 * y - x + 0.5 * y**2 + x**2 + x * y
    rate = diffusivity * (1 + 2) - v_y * (2 + y + x) - v_x * (-1 + 2 * x + y) - decay * u
    kernel = fields.step_kernel(dt, dy, dx, diffusivity, (v_y, v_x), decay)
    assert np.allclose(fields.advanced(u, kernel)[1:-1, 1:-1], (u + dt * rate)[1:-1, 1:-1])


def test_steps_are_those_of_scipy_and_of_a_layer():
    rng = np.random.default_rng(0)
    field, kernel = rng.normal(size=(9, 11)), rng.normal(size=(5, 5)) / 5
    twice = ndimage.correlate(ndimage.correlate(field, kernel, mode="nearest"), kernel, mode="nearest")
    assert np.allclose(fields.advanced(field, kernel, 2), twice)
    layer = keras.ops.conv(field[None, ..., None].astype("float32"), kernel[..., None, None].astype("float32"))
    inside = keras.ops.convert_to_numpy(layer)[0, ..., 0]
    assert np.allclose(fields.advanced(field, kernel)[2:-2, 2:-2], inside, atol=1e-4)


@given(st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0.1, 5))
def test_the_bound_is_where_the_largest_factor_leaves_one(dy, dx, diffusivity):
    limit = fields.longest_step(dy, dx, diffusivity)
    below, above = (fields.largest_factor(fields.step_kernel(s * limit, dy, dx, diffusivity)) for s in (0.99, 1.01))
    assert below == pytest.approx(1)
    assert above > 1.01


@pytest.mark.parametrize("size", [3, 5])
def test_a_kernel_is_found_again(size):
    rng = np.random.default_rng(1)
    field, kernel = 500 + rng.normal(size=(30, 30)), rng.normal(size=(size, size))
    assert np.allclose(fields.fitted_kernel(field, fields.advanced(field, kernel), size), kernel, atol=1e-8)


def test_with_noise_it_is_the_least_squares_of_numpy():
    rng = np.random.default_rng(2)
    before, after = rng.normal(size=(2, 12, 13))
    seen = [before[i : i + 10, j : j + 11].ravel() for i in range(3) for j in range(3)]
    design = np.stack([*seen, np.ones(110)], 1)
    expected = np.linalg.lstsq(design, after[1:-1, 1:-1].ravel(), rcond=None)[0][:9].reshape(3, 3)
    assert np.allclose(fields.fitted_kernel(before, after), expected)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="positive"):
        fields.step_kernel(0, 1, 1, 1)
    with pytest.raises(ValueError, match="an odd size"):
        fields.fitted_kernel(np.zeros((9, 9)), np.zeros((9, 9)), 4)
    with pytest.raises(ValueError, match="the same shape"):
        fields.fitted_kernel(np.zeros((9, 9)), np.zeros((9, 8)))
