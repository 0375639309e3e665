"""Average precision: the definition by hand, COCO's numbers against pycocotools, masks, bad input."""

import numpy as np
import pytest
from coco_case import as_coco, pycocotools, random_set
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib.detection import average_precision, coco_evaluation, mask_iou, precision_recall

pytest.importorskip("pycocotools", reason="pycocotools, of the dev packages, is what is compared with")

NOTHING = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, int), "scores": np.zeros(0)}


def compare(truth, detections, num_classes: int, masks: bool = False) -> None:
    expected = pycocotools(*as_coco(truth, detections, num_classes, masks), masks)
    found = coco_evaluation(truth, detections, num_classes, masks)
    np.testing.assert_allclose(found.stats, expected.stats, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.precision, expected.eval["precision"][..., -1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.recall, expected.eval["recall"][..., -1], rtol=0, atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_the_twelve_numbers_are_those_of_pycocotools(seed, images, num_classes):
    truth, detections = random_set(np.random.default_rng(seed), images, num_classes)
    if any(len(found["labels"]) for found in detections):  # pycocotools cannot load an empty list
        compare(truth, detections, num_classes)


def test_a_hundred_detections_count_and_no_more():
    truth, detections = random_set(np.random.default_rng(0), 3, 1, objects=40, found=400)
    assert max(len(found["labels"]) for found in detections) > 100
    compare(truth, detections, 1)


def test_crowds_and_sizes_occur_in_the_random_sets():
    """A comparison that never meets a rule says nothing about it."""
    truth, _ = random_set(np.random.default_rng(1), 50, 3)
    assert any(image["crowd"].any() for image in truth)
    assert any((image["ignore"] & ~image["crowd"]).any() for image in truth)
    areas = np.concatenate([image["areas"] for image in truth])
    assert all(np.any((areas > low) & (areas < high)) for low, high in ((0, 32**2), (32**2, 96**2), (96**2, 1e9)))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_masks_are_judged_like_pycocotools_does(seed):
    rng = np.random.default_rng(seed)
    truth, detections = [], []
    for _ in range(3):
        count, number = int(rng.integers(0, 4)), int(rng.integers(1, 8))
        shapes = np.stack([np.zeros((40, 50), bool), *(blob(rng) for _ in range(count))])[1:]
        labels = rng.integers(0, 2, count)
        truth.append({"masks": shapes, "labels": labels, "crowd": rng.random(count) < 0.2})
        truth[-1]["ignore"] = rng.random(count) < 0.2
        source = [shapes[rng.integers(count)] if count else blob(rng) for _ in range(number)]
        shapes = np.stack([shape ^ (rng.random((40, 50)) < 0.1) for shape in source])
        detections.append({"masks": shapes, "labels": rng.integers(0, 2, number), "scores": rng.random(number)})
    compare(truth, detections, 2, masks=True)


def test_an_ignored_object_is_neither_rewarded_nor_punished():
    """One to be found, one set aside: finding it changes nothing, missing it changes nothing, finding it twice does."""
    truth = [{"boxes": [[0, 0, 10, 10], [20, 20, 40, 40]], "labels": [0, 0], "ignore": [False, True]}]
    first, aside = [0, 0, 10, 10], [20, 20, 40, 40]
    for boxes, ap in (([first], 1), ([aside, first], 1), ([aside, aside, first], 1 / 2), ([aside], 0)):
        scores = np.linspace(0.9, 0.5, len(boxes))
        found = [{"boxes": boxes, "labels": [0] * len(boxes), "scores": scores}]
        assert coco_evaluation(truth, found, 1).ap == pytest.approx(ap)
        compare(truth, found, 1)
    # A crowd may be found many times, and by a box that is far smaller than itself; an ignored object may not.
    inside = [[20, 20, 30, 30], [30, 30, 40, 40], first]
    found = [{"boxes": inside, "labels": [0] * 3, "scores": [0.9, 0.8, 0.7]}]
    assert coco_evaluation(truth, found, 1).ap == pytest.approx(1 / 3)
    crowd = [{**truth[0], "crowd": truth[0]["ignore"], "ignore": [False, False]}]
    assert coco_evaluation(crowd, found, 1).ap == pytest.approx(1)
    only = [{"boxes": [aside], "labels": [0], "ignore": [True]}]
    assert coco_evaluation(only, [NOTHING], 1).ap == -1  # nothing was to be found


def blob(rng) -> np.ndarray:
    y, x = np.mgrid[:40, :50]
    return ((y - rng.uniform(5, 35)) / rng.uniform(3, 20)) ** 2 + (
        (x - rng.uniform(5, 45)) / rng.uniform(3, 20)
    ) ** 2 < 1


def test_precision_and_recall_by_hand():
    precision, recall = precision_recall([0.9, 0.2, 0.8, 0.7, 0.6], [True, True, False, False, True], positives=4)
    np.testing.assert_allclose(precision, [1, 1 / 2, 1 / 3, 1 / 2, 3 / 5])
    np.testing.assert_allclose(recall, [1 / 4, 1 / 4, 1 / 4, 2 / 4, 3 / 4])
    # Height 1 for recalls 0 to 0.25 (26 of the 101); then the best of what follows, 3/5, to 0.75 (50); 0 beyond.
    assert average_precision(precision, recall) == pytest.approx((26 + 50 * 3 / 5) / 101)


def test_the_mean_over_one_class_and_threshold_is_the_definition():
    truth = [{"boxes": [[0, 0, 10, 10], [20, 20, 60, 60]], "labels": [0, 0]}]
    found = [{"boxes": [[0, 0, 10, 10], [100, 100, 110, 110]], "labels": [0, 0], "scores": [0.7, 0.6]}]
    result = coco_evaluation(truth, found, 1)
    precision, recall = precision_recall([0.7, 0.6], [True, False], 2)
    assert result.ap50 == result.ap75 == result.ap == pytest.approx(average_precision(precision, recall))
    assert (result.ap_small, result.ap_large) == (pytest.approx(1.0), -1)  # the miss is a small one after the hit
    assert result.per_class == pytest.approx([result.ap])


def test_nothing_found_and_nothing_to_find():
    truth = [{"boxes": [[0, 0, 10, 10]], "labels": [1]}, NOTHING]
    result = coco_evaluation(truth, [NOTHING, NOTHING], 3)
    assert (result.ap, result.ap50, result.ar_100) == (0, 0, 0)
    assert result.per_class.tolist() == [-1, 0, -1]
    assert coco_evaluation([NOTHING], [NOTHING], 2).ap == -1
    assert coco_evaluation([], [], 2).ap == -1
    wrong = coco_evaluation([NOTHING], [{"boxes": [[0, 0, 5, 5]], "labels": [0], "scores": [0.5]}], 2)
    assert wrong.ap == -1  # no object, so no recall


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [3]}, r"labels from 3 to 3; expected 0 to 2 \(num_classes=3\)"),
        ({"labels": [-1]}, "labels from -1"),
        ({"labels": [0, 1]}, r"labels has shape \(2,\), expected \(1,\)"),
        ({"boxes": [[5, 5, 1, 9]]}, r"detections\[0\]: boxes\[0\] is \(5, 5, 1, 9\): x2 < x1"),
        ({"boxes": [[5, 5, np.nan, 9]]}, "NaN"),
        ({"scores": [np.nan]}, "scores holds NaN"),
        ({"scores": None}, "has no scores"),
    ],
)
def test_bad_detections_are_refused(change, message):
    found = {"boxes": [[0, 0, 5, 5]], "labels": [0], "scores": [0.5]} | change
    found = {name: value for name, value in found.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        coco_evaluation([NOTHING], [found], 3)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="truth has 1 images, detections 2"):
        coco_evaluation([NOTHING], [NOTHING, NOTHING], 1)
    with pytest.raises(ValueError, match=r"\(4, 5\) and of \(4, 6\) pixels cannot be compared"):
        mask_iou(np.ones((1, 4, 5)), np.ones((2, 4, 6)))
    with pytest.raises(ValueError, match="positives=0"):
        precision_recall([0.5], [True], 0)
    with pytest.raises(ValueError, match="expected .n,. for both"):
        precision_recall([0.5], [True, False], 1)
