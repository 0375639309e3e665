"""Boxes: IoU and GIoU against loops and Keras, encoding there and back, and what is no box."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cnnlib import detection
from cnnlib.detection import boxes as tools


def drawn(most: int = 6):
    """Boxes with whole and half coordinates, so that many touch, coincide or have no area."""
    numbers = st.integers(0, 24).map(lambda n: n / 2)
    rows = npst.arrays(np.float32, st.tuples(st.integers(0, most), st.just(4)), elements=numbers)
    return rows.map(lambda a: np.concatenate([np.minimum(a[:, :2], a[:, 2:]), np.maximum(a[:, :2], a[:, 2:])], 1))


def pair(a, b) -> tuple[float, float, float]:
    """Intersection, union and hull of two boxes, by hand."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter, union, (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))


@given(drawn(), drawn())
@settings(deadline=None)
def test_iou_and_giou_are_what_a_loop_finds(first, second):
    overlap, general = detection.iou(first, second), detection.giou(first, second)
    assert overlap.shape == general.shape == (len(first), len(second))
    for i, a in enumerate(first.tolist()):
        for j, b in enumerate(second.tolist()):
            inter, union, hull = pair(a, b)
            expected = inter / union if union else 0
            assert overlap[i, j] == pytest.approx(expected, abs=1e-6)
            assert general[i, j] == pytest.approx(expected - (hull - union) / hull if hull else 0, abs=1e-6)


def test_iou_is_that_of_keras():
    rng = np.random.default_rng(0)
    first, second = (np.sort(rng.uniform(0, 50, (n, 2, 2)), 1).reshape(n, 4).astype("float32") for n in (20, 30))
    theirs = keras.ops.convert_to_numpy(keras.utils.bounding_boxes.compute_iou(first, second, "xyxy"))
    np.testing.assert_allclose(detection.iou(first, second), theirs, atol=1e-5)


def test_a_box_inside_a_crowd_is_found():
    crowd, box = [[0, 0, 100, 100]], [[10, 10, 20, 20]]
    assert detection.iou(box, crowd)[0, 0] == pytest.approx(0.01)
    assert detection.iou(box, crowd, crowd=[True])[0, 0] == 1


def test_giou_tells_near_from_far():
    box, others = [[0, 0, 10, 10]], [[12, 0, 22, 10], [50, 0, 60, 10], [0, 0, 10, 10]]
    assert detection.iou(box, others)[0].tolist() == [0, 0, 1]
    near, far, same = detection.giou(box, others)[0]
    assert -1 < far < near < 0 < same == 1


@given(drawn())
@settings(deadline=None)
def test_deltas_lead_back_to_the_box(boxes):
    boxes = boxes[((boxes[:, 2:] - boxes[:, :2]) > 0).all(1)]
    anchors = np.tile(np.array([[3, 3, 9, 12]], "float32"), (len(boxes), 1))
    deltas = detection.encode(anchors, boxes)
    np.testing.assert_allclose(detection.decode(anchors, deltas), boxes, atol=1e-4)


def test_deltas_by_hand():
    anchor, box = [[0, 0, 10, 20]], [[5, 0, 25, 20]]  # centres (5, 10) and (15, 10), twice as wide
    np.testing.assert_allclose(detection.encode(anchor, box), [[1 / 0.1, 0, np.log(2) / 0.2, 0]], atol=1e-5)
    assert np.isfinite(detection.decode(anchor, [[0, 0, 1e4, 1e4]])).all()  # an untrained network


def test_formats_areas_and_borders():
    boxes = [[10, 20, 30, 60]]
    np.testing.assert_allclose(detection.convert(boxes, "xyxy", "xywh"), [[10, 20, 20, 40]])
    np.testing.assert_allclose(detection.convert(boxes, "xyxy", "rel_xyxy", (100, 200)), [[0.05, 0.2, 0.15, 0.6]])
    assert detection.area(boxes).tolist() == [800]
    np.testing.assert_allclose(detection.clip([[-5, 2, 300, 60]], (50, 40)), [[0, 2, 40, 50]])


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ([[0, 0, 5, 5], [9, 0, 3, 5]], r"boxes1\[1\] is \(9, 0, 3, 5\): x2 < x1 or y2 < y1.*xywh"),
        ([[0, 0, np.nan, 5]], r"boxes1\[0\] is \(0, 0, nan, 5\): NaN"),
        ([[0, 0, np.inf, 5]], "infinite"),
        ([0, 0, 5, 5], r"shape \(4,\); expected \(n, 4\)"),
        ([[0, 0, 5]], r"shape \(1, 3\)"),
        ([["a", 0, 5, 6]], "not numbers"),
    ],
)
def test_what_is_no_box_is_refused(given_, message):
    with pytest.raises(ValueError, match=message):
        detection.iou(given_, [[0, 0, 1, 1]])


def test_no_box_is_an_answer():
    for nothing in ([], np.zeros((0, 4)), np.zeros(0)):
        assert detection.as_boxes(nothing).shape == (0, 4)
        assert detection.iou(nothing, [[0, 0, 1, 1]]).shape == (0, 1)
    assert tools.as_boxes(np.zeros((1, 4))).dtype == np.float64  # of evaluation
