"""Graphs, their means, and what a grid makes of them."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cnnlib.beyond import graphs

sides = st.integers(1, 5)


@given(sides, sides, st.integers(-2, 2), st.integers(-2, 2))
def test_a_shift_fetches_the_pixel_it_names(height, width, down, right):
    picture = np.arange(1.0, height * width + 1).reshape(height, width)
    found = (graphs.shift(height, width, down, right) @ picture.ravel()).reshape(height, width)
    for row in range(height):
        for column in range(width):
            y, x = row + down, column + right
            there = 0 <= y < height and 0 <= x < width
            assert found[row, column] == (picture[y, x] if there else 0)


@given(sides, sides)
def test_neighbours_on_a_grid_touch_each_other(height, width):
    found = graphs.grid(height, width).toarray()
    for i in range(height * width):
        for j in range(height * width):
            apart = max(abs(i // width - j // width), abs(i % width - j % width))
            assert found[i, j] == (apart == 1)


@given(st.integers(1, 6), st.integers(0, 2**16))
def test_the_convolution_is_a_loop_over_nodes_and_their_neighbours(n, seed):
    rng = np.random.default_rng(seed)
    adjacency = (rng.random((n, n)) < 0.4).astype(float)
    x, own, near, bias = rng.normal(size=(n, 3)), rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), rng.normal(size=2)
    found = graphs.graph_convolution(sparse.csr_array(adjacency), x, own, near, bias)
    for i in range(n):
        heard = [x[j] for j in range(n) if adjacency[i, j]]
        mean = np.mean(heard, axis=0) if heard else np.zeros(3)
        assert np.allclose(found[i], x[i] @ own + mean @ near + bias)


@given(st.integers(0, 2**16))
def test_names_of_nodes_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    adjacency = (rng.random((6, 6)) < 0.4).astype(float)
    x, own, near = rng.normal(size=(6, 3)), rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    order = rng.permutation(6)
    renamed = graphs.graph_convolution(adjacency[order][:, order], x[order], own, near)
    assert np.allclose(renamed, graphs.graph_convolution(adjacency, x, own, near)[order])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4), (5, 3), (6, 7)])
def test_nine_kinds_of_edges_are_a_convolution_of_keras(height, width):
    rng = np.random.default_rng(4)
    maps, kernel = rng.normal(size=(1, height, width, 2)), rng.normal(size=(3, 3, 2, 3))
    relations = [graphs.shift(height, width, d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)]
    found = graphs.relational_convolution(relations, maps.reshape(-1, 2), list(kernel.reshape(9, 2, 3)))
    layer = keras.ops.conv(maps.astype("float32"), kernel.astype("float32"), padding="same")
    assert np.allclose(found, np.asarray(keras.ops.convert_to_numpy(layer)).reshape(-1, 3), atol=1e-4)
    with pytest.raises(ValueError, match="one each"):
        graphs.relational_convolution(relations, maps.reshape(-1, 2), [kernel[0, 0]])


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected a square one"):
        graphs.mean_of_neighbours(np.zeros((3, 3)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="1 or more of each"):
        graphs.shift(0, 3, 0, 0)
