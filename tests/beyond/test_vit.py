"""cnnlib.beyond.vit: patches against loops, attention against Keras' layer, and what no network without codes knows."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from cnnlib.beyond import vit
from cnnlib.trace import trace


@settings(max_examples=30, deadline=None)
@given(*(st.integers(1, 3) for _ in range(5)))
def test_patches_are_cut_row_by_row_and_put_together_again(n, rows, columns, patch, channels):
    shape = (n, rows * patch, columns * patch, channels)
    images = np.arange(np.prod(shape)).reshape(shape)
    patches = vit.patchify(images, patch)
    for row in range(rows):
        for column in range(columns):
            own = images[:, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            assert np.array_equal(patches[:, row * columns + column], own.reshape(n, -1))
    assert np.array_equal(vit.unpatchify(patches, patch, *shape[1:3]), images)


def test_tensors_are_cut_as_arrays_are():
    images = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype("float32")
    patches = vit.patchify(ops.convert_to_tensor(images), 2)
    assert np.array_equal(ops.convert_to_numpy(patches), vit.patchify(images, 2))
    assert np.array_equal(ops.convert_to_numpy(vit.unpatchify(patches, 2, 6, 4)), images)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: vit.patchify(np.zeros((4, 4, 3)), 2), "images\\[None\\]"),
        (lambda: vit.patchify(np.zeros((1, 5, 4, 3)), 2), "do not divide"),
        (lambda: vit.unpatchify(np.zeros((2, 8, 4)), 2, 4, 4), "do not make up"),
        (lambda: vit.unpatchify(np.zeros((8, 4)), 2, 4, 4), "patches of shape"),
        (lambda: vit.attention(np.zeros((2, 3)), np.zeros((2, 4)), np.zeros((2, 3))), "same last axis"),
        (lambda: vit.attention(*[np.zeros((2, 3))] * 3, mask=np.array([[1, 0], [0, 0]])), "no key"),
        (lambda: vit.vit(width=50), "3 heads"),
        (lambda: vit.rollout(np.zeros((3, 4, 4))), "expected \\(blocks"),
        (lambda: vit.attention_maps(vit.small_cnn(), np.zeros((1, 32, 32, 3))), "no MultiHeadAttention"),
    ],
)
def test_what_does_not_fit_is_said(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_that_of_keras(masked):
    rng = np.random.default_rng(1)
    layer = keras.layers.MultiHeadAttention(2, 5)
    x = rng.normal(size=(3, 7, 6)).astype("float32")
    mask = (rng.random((7, 7)) < 0.5) | np.eye(7, dtype=bool) if masked else None
    theirs, scores = layer(x, x, return_attention_scores=True, attention_mask=None if mask is None else mask[None])
    wq, bq, wk, bk, wv, bv, wo, bo = layer.get_weights()
    q, k, v = (np.einsum("npd,dhe->nhpe", x, w) + b[:, None] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
    z, weights = vit.attention(q, k, v, mask)
    assert np.allclose(weights, ops.convert_to_numpy(scores), atol=1e-5)
    assert np.allclose(np.einsum("nhpe,hed->npd", z, wo) + bo, ops.convert_to_numpy(theirs), atol=1e-4)


def test_large_scores_do_not_overflow():
    x = np.array([[1e4, 0], [0, 1e4]])
    values, weights = vit.attention(x, x, np.eye(2))
    assert np.allclose(weights, np.eye(2))
    assert np.allclose(values, np.eye(2))


@pytest.mark.parametrize("positions", [False, True])
def test_only_with_codes_does_the_order_of_patches_matter(positions):
    keras.utils.set_random_seed(0)
    model = vit.vit(16, 4, 1, width=12, depth=2, heads=2, positions=positions)
    x = np.random.default_rng(0).normal(size=(3, 16, 16, 1)).astype("float32")
    mixed = vit.unpatchify(vit.patchify(x, 4)[:, ::-1], 4, 16, 16)
    apart = np.abs(ops.convert_to_numpy(model(x)) - ops.convert_to_numpy(model(mixed))).max()
    assert (apart > 1e-3) == positions


def test_both_networks_are_of_one_size():
    sizes = [vit.vit().count_params(), vit.small_cnn().count_params()]
    assert abs(sizes[0] / sizes[1] - 1) < 0.1


def test_maps_are_those_of_the_layers_and_rollout_keeps_rows_that_sum_to_one():
    keras.utils.set_random_seed(0)
    model = vit.vit(16, 4, 1, width=12, depth=2, heads=3)
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype("float32")
    maps = vit.attention_maps(model, x)
    assert maps.shape == (2, 2, 3, 16, 16)
    assert np.allclose(maps.sum(-1), 1, atol=1e-5)
    first = model.get_layer("attention_1")
    given = keras.Model(model.inputs[0], first.input[0])(x)
    _, scores = first(given, given, return_attention_scores=True)
    assert np.allclose(maps[0], ops.convert_to_numpy(scores), atol=1e-6)
    seen = vit.rollout(maps)
    assert np.allclose(seen.sum(-1), 1, atol=1e-5)
    halves = [0.5 * block.mean(1) + 0.5 * np.eye(16) for block in maps]
    assert np.allclose(seen, np.einsum("nij,njk->nik", halves[1], halves[0]))


def test_shuffled_weights_are_the_same_numbers_in_another_order():
    model = vit.vit(16, 4, 1, width=12, depth=1, heads=2)
    other = vit.shuffled(model, seed=3)
    for variable, old, new in zip(model.weights, model.get_weights(), other.get_weights()):
        assert np.array_equal(np.sort(old.ravel()), np.sort(new.ravel()))
        assert np.array_equal(old, new) != variable.path.endswith("kernel")


@pytest.mark.parametrize(("side", "width", "heads"), [(4, 12, 3), (6, 16, 2)])
def test_multiplications_are_those_of_the_trace(side, width, heads):
    inputs = keras.Input((side * side, width))
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(heads, width // heads)(inputs, inputs))
    assert trace(model).total_macs == vit.attention_macs(side, width)
    inputs = keras.Input((side, side, width))
    model = keras.Model(inputs, keras.layers.Conv2D(width, 3, padding="same")(inputs))
    assert trace(model).total_macs == vit.convolution_macs(side, width)
