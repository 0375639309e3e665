"""Tiles: every pixel covered, functions of single pixels unchanged, networks equal to the whole image at once."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib import segmentation
from cnnlib.segmentation import tiling


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_tiles_cover_the_side_and_overlap_enough(data):
    tile = data.draw(st.integers(1, 40))
    overlap = data.draw(st.integers(0, tile - 1))
    multiple = data.draw(st.integers(1, tile - overlap))
    size = data.draw(st.integers(1, 200))
    starts = segmentation.tile_starts(size, tile, overlap, multiple)
    assert starts[0] == 0
    assert all(start % multiple == 0 for start in starts)
    assert all(b > a for a, b in zip(starts, starts[1:]))
    assert all(a + tile - b >= overlap for a, b in zip(starts, starts[1:]))
    assert starts[-1] + tile >= size
    assert starts[-1] + tile < max(size, tile) + multiple, "it reaches no farther than it must"


@pytest.mark.parametrize(("tile", "overlap", "margin"), [(16, 8, 0), (16, 8, 2), (33, 16, 7), (10, 0, 0), (12, 5, 0)])
def test_windows_of_neighbours_sum_to_one(tile, overlap, margin):
    window = segmentation.blend_window(tile, overlap, margin)
    assert window.shape == (tile,)
    np.testing.assert_array_equal(window, window[::-1])
    assert (window[:margin] == 0).all()
    assert (window[margin : -margin or None] > 0).all()
    if overlap:
        np.testing.assert_allclose(window[-overlap:] + window[:overlap], 1, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_function_of_single_pixels_is_unchanged(data):
    tile = data.draw(st.integers(4, 20))
    overlap = data.draw(st.integers(0, tile // 2))
    margin = data.draw(st.integers(0, max((overlap - 1) // 2, 0)))
    multiple = data.draw(st.integers(1, max(tile - overlap, 1)))
    shape = data.draw(st.tuples(st.integers(1, 50), st.integers(1, 50), st.integers(1, 3)))
    image = np.random.default_rng(0).normal(size=shape).astype("float32")
    sizes = set()

    def double(tiles):
        sizes.add(tiles.shape)
        return np.concatenate([2 * tiles, tiles + 1], axis=-1)

    came = segmentation.predict_tiled(double, image, tile, overlap, margin, multiple, batch_size=3)
    assert came.shape == (*shape[:2], 2 * shape[2])
    np.testing.assert_allclose(came, double(image), rtol=0, atol=1e-5)
    assert len(sizes - {image.shape}) == 1, "all batches have one shape, so that a network is compiled once"


def test_a_network_gives_what_it_gives_for_the_whole_image():
    """With a margin as large as the receptive field's radius, and tiles that keep to the grid of its strides."""
    keras.utils.set_random_seed(0)
    network = segmentation.UNet((None, None, 1), 2, depth=2, width=4, norm="batch")
    image = np.random.default_rng(0).normal(size=(128, 168, 1)).astype("float32")
    whole = network.predict_on_batch(image[None])[0]
    settings = {"tile": 96, "overlap": 72, "multiple": 4}
    tiled = segmentation.predict_tiled(network.predict_on_batch, image, margin=32, **settings)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-4 * np.abs(whole).max())
    # Without a margin the tiles' own edges are seen, off the grid everything is.
    seams = segmentation.predict_tiled(network.predict_on_batch, image, margin=0, **settings)
    assert np.abs(seams - whole).max() > 10 * np.abs(tiled - whole).max()
    off = segmentation.predict_tiled(network.predict_on_batch, image, 96, 71, 32)
    assert np.abs(off - whole).max() > 0.01 * np.abs(whole).max()


def test_blending_leaves_no_step_where_tiles_disagree():
    """Tiles that answer 0 and 1 in turn: the blend changes by one ramp's step at most, hard edges by 1."""
    count = [0]

    def alternating(tiles):
        count[0] += 1
        return np.full((*tiles.shape[:3], 1), count[0] % 2, "float32")

    image = np.zeros((32, 200, 1), "float32")
    blended = segmentation.predict_tiled(alternating, image, 32, 16, 0, batch_size=1)
    assert blended.min() == 0
    assert blended.max() == 1
    assert np.abs(np.diff(blended[..., 0], axis=1)).max() <= 1 / 16 + 1e-6
    hard = segmentation.predict_tiled(alternating, image, 32, 0, 0, batch_size=1)
    assert np.abs(np.diff(hard[..., 0], axis=1)).max() == 1


def test_an_image_smaller_than_a_tile_is_mirrored():
    image = np.arange(6, dtype="float32").reshape(2, 3, 1)
    seen = []
    segmentation.predict_tiled(lambda tiles: seen.append(tiles) or tiles, image, 8, 2)
    np.testing.assert_array_equal(seen[0][0, 0, :, 0], [0, 1, 2, 1, 0, 1, 2, 1])


@pytest.mark.parametrize(
    ("image", "arguments", "message"),
    [
        (np.zeros((0, 5, 1)), (8, 2), "at least one pixel"),
        (np.zeros((5, 5)), (8, 2), "height, width, channels"),
        (np.full((5, 5, 1), np.nan), (8, 2), "NaN"),
        (np.zeros((5, 5, 1)), (8, 8), "less than a tile"),
        (np.zeros((5, 5, 1)), (0, 0), "tile=0"),
        (np.zeros((5, 5, 1)), (8, 4, 2), "twice the margin"),
        (np.zeros((5, 5, 1)), (8, 4, 0, 5), "no step"),
        (np.zeros((5, 5, 1)), (8, 4, 0, 1, 0), "batch_size=0"),
    ],
)
def test_predict_tiled_refuses(image, arguments, message):
    with pytest.raises(ValueError, match=message):
        segmentation.predict_tiled(lambda tiles: tiles, image, *arguments)


def test_an_answer_of_another_size_is_refused():
    with pytest.raises(ValueError, match="Enlarge logits"):
        segmentation.predict_tiled(lambda tiles: tiles[:, ::2, ::2], np.zeros((9, 9, 1)), 8, 2)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 16))
def test_pad_to_multiple_and_back(height, width, multiple):
    images = np.random.default_rng(0).normal(size=(2, height, width, 3))
    padded, (rows, columns) = segmentation.pad_to_multiple(images, multiple)
    assert padded.shape[1] % multiple == padded.shape[2] % multiple == 0
    assert padded.shape[1] - height < multiple
    np.testing.assert_array_equal(padded[:, rows, columns], images)
    one, _ = segmentation.pad_to_multiple(images[0], multiple)
    np.testing.assert_array_equal(one, padded[0])


def test_pad_to_multiple_refuses():
    with pytest.raises(ValueError, match="multiple=0"):
        segmentation.pad_to_multiple(np.zeros((2, 2, 1)), 0)
    with pytest.raises(ValueError, match="at least one pixel"):
        segmentation.pad_to_multiple(np.zeros((0, 2, 1)), 2)


def test_a_tile_at_the_edge_of_the_image_keeps_its_edge():
    window = np.array([0, 0.5, 1, 1, 0.5, 0], "float32")
    assert tiling._at_edges(window, True, False).tolist() == [1, 1, 1, 1, 0.5, 0]
    assert tiling._at_edges(window, False, True).tolist() == [0, 0.5, 1, 1, 1, 1]
    assert tiling._at_edges(window, True, True).tolist() == [1] * 6


# --- crops for training ----------------------------------------------------------------------------------------------


def test_random_crops_keep_images_and_labels_together():
    numbers = np.arange(2 * 9 * 12).reshape(2, 9, 12)
    images = np.stack([numbers, -numbers], axis=-1).astype("float32")
    x, y = segmentation.random_crops(images, numbers, 5, 200, rng=0)
    assert x.shape == (200, 5, 5, 2)
    assert y.dtype == numbers.dtype
    np.testing.assert_array_equal(x[..., 0], y)
    np.testing.assert_array_equal(x[..., 1], -y)
    steps = {(int(crop[0, 1] - crop[0, 0]), int(crop[1, 0] - crop[0, 0])) for crop in y}
    assert steps == {(a, b) for i in (-1, 1) for j in (-1, 1) for a, b in ((i, 12 * j), (12 * j, i))}, (
        "eight ways round"
    )
    places = {int(crop.min()) for crop in y}
    possible = {n * 108 + i * 12 + j for n in range(2) for i in range(5) for j in range(8)}
    assert places <= possible
    assert len(places) > 0.8 * len(possible)
    again, _ = segmentation.random_crops(images, numbers, 5, 200, rng=0)
    np.testing.assert_array_equal(again, x)
    whole, _ = segmentation.random_crops(images[:, :, :9], numbers[:, :, :9], 9, 1, rng=1)
    assert whole.shape == (1, 9, 9, 2)


def test_random_crops_refuse():
    images, labels = np.zeros((1, 8, 9, 1)), np.zeros((1, 8, 9), int)
    for size, count in ((9, 1), (0, 1), (4, 0)):
        with pytest.raises(ValueError, match="squares that fit in"):
            segmentation.random_crops(images, labels, size, count)
    with pytest.raises(ValueError, match="masks resized"):
        segmentation.random_crops(images, labels[:, :-1], 4, 1)
    with pytest.raises(ValueError, match="NaN"):
        segmentation.random_crops(images + np.nan, labels, 4, 1)
