"""The figures of lesson 13 say what they show."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from cnnlib import plotting


def test_instances_are_drawn_in_their_places(shown):
    images = np.zeros((2, 20, 20, 3), "uint8")
    mask = np.zeros((1, 20, 20), bool)
    mask[0, 5:9, 3:8] = True
    first = {"boxes": np.array([[3.0, 5, 8, 9]]), "masks": mask, "points": np.array([[[5.5, 6.5]]]), "names": ["shoe"]}
    plotting.instances(images, [first, {"boxes": np.zeros((0, 4))}], titles=["a", "b"], alt="One item.")
    figure, alt = shown[0]
    assert alt == "One item."
    one, other = figure.axes
    box = [patch for patch in one.patches if isinstance(patch, Rectangle)][-1]
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((2.5, 4.5), 5, 4)
    picture = one.images[0].get_array()
    assert np.array_equal(picture.sum(-1) > 0, mask[0]), "the tint covers the mask and nothing else"
    assert [text.get_text() for text in one.texts] == ["shoe"]
    assert one.lines[0].get_xydata().tolist() == [[5, 6]]  # pixel 0 is drawn around 0, its middle is at 0.5
    assert not other.patches
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]


def test_names_cover_no_other_name_and_stay_in_the_picture(shown):
    boxes = np.array([[2.0, 40, 35, 62], [20, 42, 50, 63], [40, 45, 62, 66], [45, -9, 70, 20], [47, -3, 62, 18]])
    names = ["shoe 0.33", "top 0.39", "trousers 0.81", "trousers 0.62", "dress 0.54"]
    plotting.instances(np.zeros((1, 64, 64, 3), "uint8"), [{"boxes": boxes, "names": names}], alt="Five names.")
    (ax,) = shown[0][0].axes
    extents = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == names
    frame = ax.get_window_extent()
    for i, one in enumerate(extents):
        assert frame.x0 <= one.x0 < one.x1 <= frame.x1, names[i]
        assert frame.y0 <= one.y0 < one.y1 <= frame.y1, names[i]
        assert not any(one.overlaps(other) for other in extents[i + 1 :]), names[i]


def test_instances_need_as_many_entries_as_pictures():
    with pytest.raises(ValueError, match="objects of 1 pictures"):
        plotting.instances(np.zeros((2, 8, 8, 3), "uint8"), [{"boxes": []}], alt="x")


def test_a_table_has_the_means_and_this_run_on_top(shown):
    stored = [
        {"all a": 0.4, "none a": 0.1, "all b": 1, "none b": 0},
        {"all a": 0.6, "none a": 0.3, "all b": 1, "none b": 0},
    ]
    plotting.score_table(stored, ("all", "none"), ("a", "b"), {"a": 0.55, "b": 0.9})
    figure, alt = shown[0]
    assert alt == "Mean of the stored runs. all: a ≈ 0.50, b ≈ 1.0. none: a ≈ 0.20, b ≈ 0."
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["0.55", "0.90", "0.50", "1.00", "0.20", "0.00"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["this run: all", "all", "none"]


@pytest.mark.parametrize("stored", [[], [{"all a": 1}]])
def test_a_table_of_runs_that_lack_a_value_is_refused(stored):
    with pytest.raises(ValueError, match="stored runs"):
        plotting.score_table(stored, ("all", "none"), ("a",), {"a": 1})
