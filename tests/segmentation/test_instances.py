"""From masks to objects: against a flood fill, all pairings, scikit-image where it is installed; the nuclei."""

import importlib.util
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib import datasets, segmentation
from cnnlib.segmentation import instances


def flood_fill(mask: np.ndarray, connectivity: int) -> np.ndarray:
    """Components by the definition, numbered in the order of their first pixels."""
    labels = np.zeros(mask.shape, int)
    count = 0
    for start in zip(*np.nonzero(mask)):
        if labels[start]:
            continue
        count += 1
        stack = [start]
        while stack:
            y, x = stack.pop()
            if not (0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]) or not mask[y, x] or labels[y, x]:
                continue
            labels[y, x] = count
            steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if connectivity == 8 or i * j == 0]
            stack += [(y + i, x + j) for i, j in steps]
    return labels


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.sampled_from([4, 8]))
def test_components_against_a_flood_fill(seed, height, width, connectivity):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    expected = flood_fill(mask, connectivity)
    np.testing.assert_array_equal(segmentation.connected_components(mask, connectivity), expected)
    # Small ones are left out, and the others keep their order.
    kept = [n for n in range(1, expected.max() + 1) if (expected == n).sum() >= 3]
    expected = sum(((expected == n) * (i + 1) for i, n in enumerate(kept)), np.zeros(mask.shape, int))
    np.testing.assert_array_equal(segmentation.connected_components(mask, connectivity, smallest=3), expected)


@pytest.mark.parametrize("function", [segmentation.connected_components, segmentation.split_touching])
def test_nothing_and_everything(function):
    for shape in ((0, 5), (5, 0), (4, 6)):
        labels = function(np.zeros(shape))
        assert labels.shape == shape
        assert labels.dtype == np.int32
        assert not labels.any()
    assert (function(np.ones((7, 9))) == 1).all()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((2, 3, 3)), "one mask, .height, width."),
        (np.array([[0.0, np.nan]]), "NaN"),
        (np.array([[0.0, 0.5]]), "threshold"),
    ],
)
@pytest.mark.parametrize("function", [segmentation.connected_components, segmentation.split_touching])
def test_bad_masks_are_refused(function, mask, message):
    with pytest.raises(ValueError, match=message):
        function(mask)


def test_bad_settings_are_refused():
    mask = np.ones((3, 3))
    with pytest.raises(ValueError, match="choose 4 or 8"):
        segmentation.connected_components(mask, 6)
    with pytest.raises(ValueError, match="0 or more"):
        segmentation.split_touching(mask, distance=-1)
    with pytest.raises(ValueError, match="gap=-1"):
        segmentation.separated(mask.astype(int), -1)


# --- touching objects ------------------------------------------------------------------------------------------------


def discs(*centres, radius=8, shape=(40, 60)) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.any([(y - a) ** 2 + (x - b) ** 2 <= radius**2 for a, b in centres], axis=0)


def test_two_discs_that_touch_are_two():
    mask = discs((20, 18), (20, 32))
    assert segmentation.connected_components(mask).max() == 1
    labels = segmentation.split_touching(mask)
    assert labels.max() == 2
    assert ((labels > 0) == mask).all()
    middle = labels[:, 25]
    np.testing.assert_array_equal(labels[:, :24][mask[:, :24]], 1)
    np.testing.assert_array_equal(labels[:, 27:][mask[:, 27:]], 2)
    assert set(middle[middle > 0]) <= {1, 2}


def test_one_disc_stays_one_and_a_speck_is_an_instance():
    mask = discs((20, 18))
    mask[2, 50] = True
    labels = segmentation.split_touching(mask)
    assert labels.max() == 2
    assert ((labels > 0) == mask).all()
    assert segmentation.split_touching(mask, smallest=2).max() == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_component_has_an_instance_and_no_instance_two_components(seed):
    rng = np.random.default_rng(seed)
    mask = discs(*rng.uniform(0, 50, (6, 2)), radius=rng.uniform(2, 9), shape=(50, 50))
    components = segmentation.connected_components(mask, 8)
    labels = segmentation.split_touching(mask)
    np.testing.assert_array_equal(labels > 0, mask)
    assert set(components[labels > 0]) == set(range(1, components.max() + 1))
    for number in range(1, labels.max() + 1):
        assert len(set(components[labels == number])) == 1


@pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="needs scikit-image")
@pytest.mark.parametrize("seed", range(5))
def test_watershed_equals_scikit_image(seed):
    from skimage.segmentation import watershed

    rng = np.random.default_rng(seed)
    relief = rng.permutation(900).reshape(30, 30).astype(float)  # no two pixels are equally high
    mask = rng.random((30, 30)) < 0.8
    seeds = np.zeros((30, 30), int)
    for number in range(1, 6):
        at = tuple(rng.integers(0, 30, 2))
        seeds[at], mask[at] = number, True
    np.testing.assert_array_equal(
        instances._watershed(relief, seeds, mask), watershed(relief, seeds, mask=mask, connectivity=2)
    )


def test_watershed_by_hand():
    relief = np.array([[0.0, 1, 5, 2, 0]])
    seeds = np.array([[1, 0, 0, 0, 2]])
    mask = np.ones((1, 5), bool)
    np.testing.assert_array_equal(instances._watershed(relief, seeds, mask), [[1, 1, 1, 2, 2]])
    mask[0, 3] = False
    np.testing.assert_array_equal(instances._watershed(relief, seeds, mask), [[1, 1, 1, 0, 2]])


def test_separated_opens_a_gap_only_between_instances():
    labels = np.array([[1, 1, 2, 2, 0, 3, 3]])
    np.testing.assert_array_equal(segmentation.separated(labels), [[1, 0, 0, 1, 0, 1, 1]])
    np.testing.assert_array_equal(segmentation.separated(labels, gap=0), labels > 0)
    np.testing.assert_array_equal(
        segmentation.separated(np.stack([labels, labels])), [segmentation.separated(labels)] * 2
    )
    _, labels = datasets.nuclei_image()
    mask = segmentation.separated(labels)
    found = segmentation.connected_components(mask, 8)
    assert segmentation.count_error(labels, found) in range(6), "a thin nucleus may fall apart, none may merge"
    for number in range(1, found.max() + 1):
        assert len(set(labels[found == number])) == 1


# --- matching --------------------------------------------------------------------------------------------------------


def best_pairing(true: np.ndarray, pred: np.ndarray, threshold: float) -> tuple[int, float]:
    """The most pairs that reach the threshold, and the greatest total IoU with so many: all pairings tried."""
    a, b = (sorted(set(y[y > 0])) for y in (true, pred))
    table = {(i, j): ((true == i) & (pred == j)).sum() / ((true == i) | (pred == j)).sum() for i in a for j in b}
    best = (0, 0.0)
    if len(a) > len(b):
        a, b, table = b, a, {(j, i): v for (i, j), v in table.items()}
    for chosen in itertools.permutations(b, len(a)):
        good = [table[pair] for pair in zip(a, chosen) if table[pair] >= threshold]
        best = max(best, (len(good), round(sum(good), 9)))
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.2, 0.5, 0.75, 1.0]))
def test_matching_against_all_pairings(seed, threshold):
    rng = np.random.default_rng(seed)
    true, pred = (rng.integers(0, rng.integers(1, 6), (3, 4)) for _ in "ab")
    if rng.random() < 0.3:
        pred = np.where(rng.random((3, 4)) < 0.8, true, pred)
    count, total = best_pairing(true, pred, threshold)
    matches = segmentation.match_instances(true, pred, threshold)
    assert len(matches.pairs) == count
    assert matches.overlaps.sum() == pytest.approx(total)
    assert set(matches.pairs[:, 0]) | set(matches.missed) == set(true[true > 0])
    assert set(matches.pairs[:, 1]) | set(matches.invented) == set(pred[pred > 0])
    everything = count + len(matches.missed) + len(matches.invented)
    expected = count / everything if everything else 1.0
    assert segmentation.average_precision(true, pred, threshold) == pytest.approx(expected)
    assert segmentation.count_error(true, pred) == len(set(pred[pred > 0])) - len(set(true[true > 0]))


def test_two_poor_pairs_are_better_than_one_good_one():
    true, pred = np.zeros((2, 1, 30), int)
    true[:, :20], true[:, 20:] = 1, 2
    pred[:, :2], pred[:, 2:22] = 1, 2
    assert segmentation.match_instances(true, pred, 0.05).pairs.tolist() == [[1, 1], [2, 2]]
    assert segmentation.match_instances(true, pred, 0.5).pairs.tolist() == [[1, 2]]


def test_matching_of_nothing():
    empty, one = np.zeros((4, 4), int), np.ones((4, 4), int)
    assert segmentation.average_precision(empty, empty) == 1
    assert segmentation.average_precision(one, empty) == 0
    matches = segmentation.match_instances(empty, one)
    assert matches.pairs.shape == (0, 2)
    assert matches.invented.tolist() == [1]
    assert segmentation.count_error(np.zeros((0, 3), int), one) == 1


@pytest.mark.parametrize(
    ("true", "pred", "threshold", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), 0.5, "resized"),
        (np.zeros((2, 2), int), np.zeros((2, 2)), 0.5, "whole numbers"),
        (np.full((2, 2), -1), np.zeros((2, 2), int), 0.5, "whole numbers"),
        (np.zeros(4, int), np.zeros(4, int), 0.5, "height, width"),
        (np.zeros((2, 2), int), np.zeros((2, 2), int), 0, "threshold=0"),
    ],
)
def test_bad_instance_maps_are_refused(true, pred, threshold, message):
    with pytest.raises(ValueError, match=message):
        segmentation.match_instances(true, pred, threshold)


# --- nuclei ----------------------------------------------------------------------------------------------------------


def test_splitting_the_true_masks_of_the_nuclei():
    """Even from the annotated mask, connected components lose nuclei that touch; splitting finds nearly all."""
    _, labels = datasets.nuclei_image()
    together = segmentation.connected_components(labels > 0)
    split = segmentation.split_touching(labels > 0)
    assert segmentation.count_error(labels, together) < -15
    assert abs(segmentation.count_error(labels, split)) <= 4
    scores = [segmentation.average_precision(labels, found) for found in (together, split)]
    assert scores[0] < 0.8
    assert scores[1] > 0.9


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_numbers_beyond_32_and_53_bits_are_objects_like_any_other(dtype):
    large = np.zeros((6, 9), dtype)
    large[1:5, 1:4], large[1:5, 4:8] = 2**40, 2**60
    near = np.where(large == 2**40, large + 2**60 + 1 - 2**40, large).astype(dtype)  # float64 takes 2**60 + 1 for 2**60
    small = np.where(large == 2**40, 1, np.where(large > 0, 2, 0))
    for labels in (large, near):
        matches = segmentation.match_instances(small, labels)
        assert sorted(matches.pairs.tolist()) == sorted([[1, int(labels[2, 2])], [2, 2**60]])
        assert matches.pairs.dtype == np.int64
        assert segmentation.average_precision(labels, small) == 1
        assert segmentation.count_error(labels, small) == 0
        np.testing.assert_array_equal(segmentation.separated(labels), segmentation.separated(small))
        np.testing.assert_array_equal(segmentation.separated(labels[None])[0], segmentation.separated(small))


def test_a_number_that_no_map_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"above 2\*\*63 - 1. Is -1 among unsigned ones"):
        segmentation.count_error(np.array([[0, -1]]).astype("uint64"), np.zeros((1, 2), int))


def test_otsu_parts_two_groups_and_refuses_one():
    values = np.r_[np.linspace(0.0, 0.2, 50), np.linspace(0.8, 1.0, 20)]
    assert 0.2 <= segmentation.otsu(values.reshape(7, 10)) <= 0.8
    for same in (np.ones(4), np.zeros(0)):
        with pytest.raises(ValueError, match="all the same"):
            segmentation.otsu(same)


def test_a_seam_is_near_two_instances():
    labels = np.zeros((3, 9), int)
    labels[:, :3], labels[:, 5:] = 4, 2
    expected = np.zeros((3, 9))
    # From column 2 of the first it is 3 to the second; the two columns between are 1 + 2 from them; column 5 is 3 away.
    expected[:, 2:6] = 1
    np.testing.assert_array_equal(segmentation.seams(labels, within=3), expected)
    np.testing.assert_array_equal(segmentation.seams(labels, within=2.9), 0 * expected)
    np.testing.assert_array_equal(segmentation.seams(np.minimum(labels, 1) * (labels == 4)), 0 * expected)


def test_rims_are_the_outermost_pixels_and_the_image_has_none():
    labels = np.zeros((4, 8), int)
    labels[:3, :3], labels[:3, 3:6] = 9, 300
    expected = [[1, 1, 2, 2, 1, 2, 0, 0], [1, 1, 2, 2, 1, 2, 0, 0], [2, 2, 2, 2, 2, 2, 0, 0], [0] * 8]
    np.testing.assert_array_equal(segmentation.rims(labels), expected)
