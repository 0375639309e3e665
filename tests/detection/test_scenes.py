"""Rendered scenes: boxes, masks and keypoints are exact, limits are kept, seeds decide, and it is quick."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib.detection import render, scenes, small_scenes

PER_SECOND = 200  # asked for on one free core


@pytest.fixture(scope="module")
def crowded():
    return render(60, 80, objects=(2, 6), occlusion=(0.0, 0.5), seed=5)


def test_shapes_and_types(crowded):
    assert crowded.images.shape == (60, 80, 80, 3)
    assert crowded.images.dtype == np.uint8
    for boxes, labels, masks, points, hidden in zip(
        crowded.boxes, crowded.labels, crowded.masks, crowded.keypoints, crowded.hidden
    ):
        count = len(labels)
        assert 1 <= count <= 6
        assert (boxes.shape, masks.shape, points.shape, hidden.shape) == (
            (count, 4),
            (count, 80, 80),
            (count, 4, 3),
            (count,),
        )
        assert labels.min() >= 0
        assert labels.max() < len(crowded.class_names) == 10
    assert {label for labels in crowded.labels for label in labels.tolist()} == set(range(10))
    assert [set(entry) for entry in crowded.truth[:1]] == [{"boxes", "labels", "masks"}]


def test_boxes_are_those_of_the_visible_pixels(crowded):
    for boxes, masks in zip(crowded.boxes, crowded.masks):
        for (x1, y1, x2, y2), mask in zip(boxes, masks):
            ys, xs = np.nonzero(mask)
            assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x1, y1, x2, y2)


def test_small_scenes_are_scenes_whose_tops_are_one_kind():
    plain = render(40, 48, objects=(1, 2), scale=(0.5, 0.8), occlusion=(0, 0.1), split="test", seed=3)
    merged = small_scenes(40, split="test", seed=3)
    np.testing.assert_array_equal(merged.images, plain.images)
    pairs = set()
    for ours, theirs in zip(merged.labels, plain.labels):
        assert ours.dtype == np.int64
        pairs |= {(plain.class_names[b], merged.class_names[a]) for a, b in zip(ours.tolist(), theirs.tolist())}
    tops = {"T-shirt/top", "pullover", "coat", "shirt"}
    assert {name.lower() for name, kind in pairs if kind == "top"} == {name.lower() for name in tops}
    assert {name.lower() for name, kind in pairs if kind != "top"} == {
        *("trouser", "dress", "sandal", "sneaker", "bag", "ankle boot")
    }
    assert len(pairs) == 10, "each class has one kind"


def test_a_pixel_belongs_to_one_object(crowded):
    assert max(masks.sum(0).max() for masks in crowded.masks) == 1


def test_masks_are_what_was_painted(monkeypatch):
    """With items of one flat colour on black, a mask is where that colour is."""
    paint = iter(range(10, 250, 7))

    def item(rng, side, split):
        shape = rng.random((side, side // 2 + 2)) < 0.8
        shape[[0, -1]] = shape[:, [0, -1]] = True
        return np.full((*shape.shape, 3), next(paint), np.uint8), shape, 3

    monkeypatch.setattr(scenes, "_item", item)
    monkeypatch.setattr(scenes, "_background", lambda rng, size, split: np.zeros((size, size, 3), np.uint8))
    found = render(3, 64, objects=(4, 4), occlusion=(0, 0.6), seed=2)
    for image, masks in zip(found.images, found.masks):
        for mask in masks:
            (colour,) = np.unique(image[mask])
            np.testing.assert_array_equal(mask, image[..., 0] == colour)


def test_keypoints_are_the_outermost_and_know_whether_they_are_seen(crowded):
    states = set()
    for masks, points, hidden in zip(crowded.masks, crowded.keypoints, crowded.hidden):
        for mask, corners, share in zip(masks, points, hidden):
            for x, y, seen in corners:
                assert (seen == 2) == mask[int(y), int(x)]
                states.add(float(seen))
            if share == 0:
                ys, xs = np.nonzero(mask)
                top, right, bottom, left = corners[:, :2] - 0.5
                assert (top[1], right[0], bottom[1], left[0]) == (ys.min(), xs.max(), ys.max(), xs.min())
                assert (corners[:, 2] == 2).all()  # each lies on the item
    assert states == {1.0, 2.0}


@given(st.integers(0, 2**31), st.integers(32, 90), st.floats(0.2, 0.5), st.floats(0.0, 0.5))
@settings(max_examples=25, deadline=None)
def test_scale_and_occlusion_keep_their_limits(seed, size, low, most):
    found = render(4, size, objects=(1, 5), scale=(low, 0.6), occlusion=(0, most), seed=seed)
    for boxes, hidden in zip(found.boxes, found.hidden):
        assert hidden.max() <= most + 1e-6
        longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        assert longer.max() <= 0.6 * size + 1
        assert (longer[hidden == 0] >= 0.7 * low * size - 2).all()  # a faint rim may be lost
        assert (boxes >= 0).all()
        assert (boxes <= size).all()


def test_the_least_occlusion_is_reached():
    found = render(30, 96, objects=(3, 3), occlusion=(0.2, 0.6), seed=1)
    several = [hidden for hidden in found.hidden if len(hidden) > 1]
    assert len(several) > 15
    assert all(hidden.max() >= 0.2 for hidden in several)


def test_the_seed_and_the_number_decide():
    first, more = render(3, 48, seed=9), render(5, 48, seed=9)
    np.testing.assert_array_equal(first.images, more.images[:3])
    assert not np.array_equal(first.images, render(3, 48, seed=10).images)
    assert not np.array_equal(first.images, render(3, 48, seed=9, split="test").images)
    assert not set(scenes.BACKGROUNDS["train"]) & set(scenes.BACKGROUNDS["test"])


def test_two_hundred_a_second():
    render(1, 96)  # reads what is bundled
    start = time.process_time()  # of this process alone, whatever else runs
    render(200, 96)
    assert 200 / (time.process_time() - start) > PER_SECOND


def test_none_is_an_answer():
    nothing = render(0, 64)
    assert len(nothing) == 0
    assert nothing.boxes == nothing.masks == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "validation"}, "choose 'train' or 'test'"),
        ({"size": 8}, "at least 16 pixels"),
        ({"count": -1}, "0 or more scenes"),
        ({"objects": (0, 3)}, "at least one item"),
        ({"objects": (3, 2)}, "fewest, most"),
        ({"scale": (0.5, 0.2)}, "least, most"),
        ({"scale": (0.02, 0.2)}, "4 pixels"),
        ({"occlusion": (0.5, 0.2)}, "shares in"),
        ({"occlusion": (0.0, 1.0)}, "shares in"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        render(**{"count": 1, **options})
