"""NMS against a loop and TensorFlow, ties included; by class; soft; few and many boxes; bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib.detection import batched_nms, iou, nms, soft_nms, suppression


def loop(boxes, scores, threshold: float) -> list[int]:
    """Greedy NMS, box by box, in float32."""
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept = []
    for i in order:
        if all(overlap(boxes[i], boxes[k]) <= np.float32(threshold) for k in kept):
            kept.append(i)
    return kept


def overlap(a, b):
    inter = max(min(a[2], b[2]) - max(a[0], b[0]), np.float32(0)) * max(
        min(a[3], b[3]) - max(a[1], b[1]), np.float32(0)
    )
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / union if union > 0 else np.float32(0)


def random_boxes(seed: int, count: int, coarse: bool, span: float = 100):
    """Boxes and scores; ``coarse`` ones lie on a grid with few scores, so that ties of both kinds are common."""
    rng = np.random.default_rng(seed)
    corner, side = rng.uniform(0, span, (count, 2)), rng.uniform(0, 25, (count, 2))
    boxes, scores = np.concatenate([corner, corner + side], 1), rng.random(count)
    if coarse:
        boxes, scores = np.round(boxes / 5) * 5, np.round(scores * 4) / 4
    return boxes.astype("float32"), scores.astype("float32")


sets = st.builds(random_boxes, st.integers(0, 2**32 - 1), st.integers(0, 60), st.booleans())


@given(sets, st.sampled_from([0.0, 0.25, 0.5, 1 / 3, 0.75, 1.0]))
@settings(max_examples=200, deadline=None)
def test_it_is_the_loop(case, threshold):
    assert nms(*case, threshold).tolist() == loop(*case, threshold)


@given(sets, st.sampled_from([0.0, 0.25, 0.5, 1 / 3, 0.75]))
@settings(max_examples=100, deadline=None)
def test_it_is_tensorflow_s_ties_included(case, threshold):
    tf = pytest.importorskip("tensorflow")
    boxes, scores = case
    expected = tf.image.non_max_suppression(boxes, scores, max(1, len(boxes)), threshold).numpy()
    assert nms(boxes, scores, threshold).tolist() == expected.tolist()


@pytest.mark.parametrize("span", [60, 300, 2000])  # in a heap, dense, sparse: by blocks, by a sweep
@pytest.mark.parametrize("coarse", [False, True])
def test_many_boxes_take_other_ways_to_the_same_result(span, coarse):
    tf = pytest.importorskip("tensorflow")
    boxes, scores = random_boxes(7, 3000, coarse, span)
    expected = tf.image.non_max_suppression(boxes, scores, 3000, 0.4).numpy()
    assert nms(boxes, scores, 0.4).tolist() == expected.tolist()
    assert nms(boxes, scores, 0.4, max_boxes=150).tolist() == expected[:150].tolist()


def test_the_band_of_the_sweep_is_wide_enough():
    """Wide boxes, so that partners are many places away in the order of left edges."""
    rng = np.random.default_rng(3)
    corner = np.stack([rng.uniform(0, 3000, 3000), rng.uniform(0, 30000, 3000)], 1)
    corner[1500:] = corner[:1500] + rng.uniform(-120, 120, (1500, 1)) * [1, 0]
    boxes = np.concatenate([corner, corner + [300, 100]], 1).astype("float32")
    scores = rng.random(3000).astype("float32")
    assert nms(boxes, scores, 0.3).tolist() == loop_in_numpy(boxes, scores, 0.3)


def loop_in_numpy(boxes, scores, threshold: float) -> list[int]:
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        kept.append(int(order[0]))
        order = order[1:][iou(boxes[order[:1]], boxes[order[1:]])[0] <= np.float32(threshold)]
    return kept


def test_the_sweep_is_reached(monkeypatch):
    reached = []
    follow = suppression._follow
    monkeypatch.setattr(suppression, "_follow", lambda *given: reached.append(1) or follow(*given))
    nms(*random_boxes(7, 3000, False, 2000), 0.4)
    assert reached


def test_thresholds_and_limits():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]], "float32")
    scores = np.array([0.9, 0.8, 0.3], "float32")
    assert nms(boxes, scores, 0.5).tolist() == [0, 1, 2]  # an IoU of 0.5 is not greater than 0.5
    assert nms(boxes, scores, 0.49).tolist() == [0, 2]
    assert nms(boxes, scores, 0.5, score_threshold=0.3).tolist() == [0, 1]
    assert nms(boxes, scores, 0.5, max_boxes=1).tolist() == [0]
    assert nms(boxes, scores, 0.5, max_boxes=0).tolist() == []
    assert nms([], [], 0.5).tolist() == []


@given(sets, st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_classes_do_not_suppress_each_other(case, classes, seed):
    boxes, scores = case
    labels = np.random.default_rng(seed).integers(0, classes, len(boxes))
    kept = batched_nms(boxes, scores, labels, 0.3)
    expected = []
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        expected += members[loop(boxes[members], scores[members], 0.3)].tolist()
    assert kept.tolist() == sorted(expected, key=lambda i: (-scores[i], i))
    assert batched_nms(boxes, scores, labels, 0.3, max_boxes=3).tolist() == kept[:3].tolist()


@given(sets)
@settings(deadline=None)
def test_soft_nms_is_the_paper_s_loop(case):
    boxes, scores = case
    left, expected = dict(enumerate(scores.astype(float))), []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        if left[best] <= 1e-3:
            break
        expected.append((best, left.pop(best)))
        for i in left:
            left[i] *= np.exp(-(float(overlap(boxes[i], boxes[best])) ** 2) / 0.5)
    indices, values = soft_nms(boxes, scores)
    np.testing.assert_allclose(values, [value for _, value in expected], atol=1e-5)
    assert sorted(indices.tolist()) == sorted(i for i, _ in expected)


def test_soft_nms_keeps_what_greedy_nms_drops():
    boxes, scores = [[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]], [0.9, 0.8, 0.5]
    assert nms(boxes, scores, 0.5).tolist() == [0, 2]
    indices, values = soft_nms(boxes, scores)
    assert indices.tolist() == [0, 2, 1]
    assert values[0] == pytest.approx(0.9)
    assert 0 < values[2] < 0.8


@pytest.mark.parametrize(
    ("boxes", "scores", "threshold", "message"),
    [
        ([[0, 0, 1, 1]], [0.5, 0.4], 0.5, r"scores has shape \(2,\); expected \(1,\)"),
        ([[0, 0, 1, 1]], [np.nan], 0.5, "scores holds NaN"),
        ([[0, 0, 1, 1]], [0.5], 1.5, "an IoU lies in"),
        ([[2, 0, 1, 1]], [0.5], 0.5, "x2 < x1"),
        ([[np.nan, 0, 1, 1]], [0.5], 0.5, "NaN"),
    ],
)
def test_bad_input_is_refused(boxes, scores, threshold, message):
    for call in (nms, lambda b, s, t: batched_nms(b, s, np.zeros(len(s)), t)):
        with pytest.raises(ValueError, match=message):
            call(boxes, scores, threshold)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="one label for each box"):
        batched_nms([[0, 0, 1, 1]], [0.5], [0, 1])
    with pytest.raises(ValueError, match="sigma=0"):
        soft_nms([[0, 0, 1, 1]], [0.5], sigma=0)
