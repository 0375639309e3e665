"""RoI align against a loop over torchvision's definition; heatmaps there and back."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from cnnlib.detection import decode_heatmaps, draw_heatmaps, roi_align


def sample(plane, y: float, x: float):
    """Bilinear interpolation as in torchvision's kernel: 0 from one pixel outside on, held at the border before."""
    height, width = plane.shape[:2]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(plane.shape[-1])
    y, x = max(y, 0), max(x, 0)
    upper, left = int(y), int(x)
    if upper >= height - 1:
        upper = lower = y = height - 1
    else:
        lower = upper + 1
    if left >= width - 1:
        left = right = x = width - 1
    else:
        right = left + 1
    a, b = y - upper, x - left
    top = plane[upper, left] * (1 - b) + plane[upper, right] * b
    return top * (1 - a) + (plane[lower, left] * (1 - b) + plane[lower, right] * b) * a


def slow_roi_align(features, boxes, image, cells, scale: float, samples: int, aligned: bool):
    results = np.zeros((len(boxes), *cells, features.shape[-1]))
    for k, box in enumerate(boxes.astype(float)):
        x1, y1, x2, y2 = box * scale - (0.5 if aligned else 0)
        width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
        for i, j in np.ndindex(*cells):
            for p, q in np.ndindex(samples, samples):
                y = y1 + height / cells[0] * (i + (p + 0.5) / samples)
                x = x1 + width / cells[1] * (j + (q + 0.5) / samples)
                results[k, i, j] += sample(features[image[k]], y, x) / samples**2
    return results


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_it_is_the_loop(seed, aligned, samples):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2, 6, 9, 3)).astype("float32")
    corner = rng.uniform(-20, 70, (4, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 60, (4, 2))], 1).astype("float32")
    image = rng.integers(0, 2, 4)
    found = ops.convert_to_numpy(roi_align(features, boxes, image, (2, 3), 1 / 8, samples, aligned))
    expected = slow_roi_align(features, boxes, image, (2, 3), 1 / 8, samples, aligned)
    # A point within rounding of the outer border may be counted as inside by one and as outside by the other.
    assert np.mean(np.abs(found - expected) < 1e-3) > 0.99


def test_a_plane_of_slope_one_gives_back_the_middles():
    """Features that say where they are: each cell must answer with its own middle."""
    x = np.arange(20, dtype="float32") + 0.5
    features = np.stack(np.meshgrid(x, x), -1)[None]
    found = ops.convert_to_numpy(
        roi_align(features, np.array([[4.2, 3.0, 10.2, 15.0]], "float32"), np.array([0]), (3, 2))
    )
    np.testing.assert_allclose(found[0, :, :, 0], [[5.7, 8.7]] * 3, atol=1e-4)
    np.testing.assert_allclose(found[0, :, :, 1], [[5, 5], [9, 9], [13, 13]], atol=1e-4)


def test_it_works_inside_a_model_and_with_no_box():
    features, boxes, image = keras.Input((8, 8, 4)), keras.Input(batch_shape=(5, 4)), keras.Input(batch_shape=(5,))
    assert roi_align(features, boxes, image, 3).shape[1:] == (3, 3, 4)
    nothing = roi_align(np.zeros((1, 8, 8, 4), "float32"), np.zeros((0, 4), "float32"), np.zeros(0, "int32"), 3)
    assert tuple(nothing.shape) == (0, 3, 3, 4)


def test_bad_rois_are_refused():
    good = np.zeros((1, 8, 8, 4), "float32"), np.zeros((2, 4), "float32"), np.zeros(2, "int32")
    with pytest.raises(ValueError, match=r"features \(8, 8, 4\)"):
        roi_align(good[0][0], *good[1:])
    with pytest.raises(ValueError, match=r"boxes \(2, 3\)"):
        roi_align(good[0], good[1][:, :3], good[2])
    with pytest.raises(ValueError, match="output_size=0"):
        roi_align(*good, output_size=0)


# --- heatmaps --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 2.0, 4.0]), st.floats(1.0, 3.0))
@settings(deadline=None)
def test_points_come_back_to_a_hundredth_of_a_pixel(seed, stride, sigma):
    points = np.random.default_rng(seed).uniform(2, 22, (5, 2)) * stride
    maps = draw_heatmaps(points, (24, 24), sigma, stride)
    found, height = decode_heatmaps(maps, stride)
    np.testing.assert_allclose(found, points, atol=0.01 * stride)
    assert (height > 0.77).all()  # at worst half a pixel away in both directions, with sigma 1
    for method, within in (("argmax", 0.5), ("quarter", 0.26)):
        rough, _ = decode_heatmaps(maps, stride, method)
        assert np.abs(rough - points).max() <= (within + 1e-3) * stride
    batch, _ = decode_heatmaps(np.stack([maps, maps[::-1]]), stride)
    np.testing.assert_allclose(batch[0], found)
    np.testing.assert_allclose(batch[1, :, 1], 24 * stride - found[:, 1], atol=0.02 * stride)


def test_a_heatmap_by_hand():
    maps = draw_heatmaps([[2.5, 1.5], [0.5, 0.5]], (4, 5), sigma=1.0)
    assert maps.shape == (4, 5, 2)
    assert maps[1, 2, 0] == 1
    assert maps[1, 3, 0] == pytest.approx(np.exp(-0.5), abs=1e-6)
    found, _ = decode_heatmaps(maps)
    np.testing.assert_allclose(found, [[2.5, 1.5], [0.5, 0.5]], atol=1e-6)  # also in the corner


def test_absent_points_and_empty_maps():
    maps = draw_heatmaps([[2, 2, 0], [2, 2, 1], [np.nan, 2, 2]], (5, 5))
    assert maps[..., 0].max() == maps[..., 2].max() == 0
    assert maps[..., 1].max() > 0.8
    _, height = decode_heatmaps(maps)
    assert height[0] == 0
    found, height = decode_heatmaps(np.zeros((5, 5, 0)))
    assert (found.shape, height.shape) == ((0, 2), (0,))


def test_bad_heatmaps_are_refused():
    with pytest.raises(ValueError, match="choose 'argmax'"):
        decode_heatmaps(np.zeros((4, 4, 1)), method="soft")
    with pytest.raises(ValueError, match="at least one pixel"):
        decode_heatmaps(np.zeros((0, 4, 1)))
    with pytest.raises(ValueError, match="NaN"):
        decode_heatmaps(np.full((4, 4, 1), np.nan))
    with pytest.raises(ValueError, match=r"expected \(k, 2\)"):
        draw_heatmaps([1, 2], (4, 4))
    with pytest.raises(ValueError, match="sigma=0"):
        draw_heatmaps([[1, 2]], (4, 4), sigma=0)
