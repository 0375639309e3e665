"""The figures of lesson 11 say what they show."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from cnnlib import detection, plotting
from cnnlib.plotting import core

PICTURE = np.full((40, 60, 3), 128, np.uint8)
FOUND, TRUE = core.COLOURS["kernel"], core.COLOURS["output"]


def rectangles(axes, colour) -> list[tuple]:
    """(x1, y1, x2, y2) of the rectangles of one colour, without their white ground lines."""
    from matplotlib.colors import to_rgba

    patches = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_edgecolor() == to_rgba(colour)]
    return [(p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in patches]


def test_boxes_stand_where_they_are_the_small_ones_on_top(shown):
    plotting.boxes_on(
        [PICTURE, PICTURE],
        [[(10, 5, 20, 15), (0, 0, 60, 40)], []],
        texts=[["small", "large"], []],
        truth=[[(11, 6, 21, 16)], [(1, 2, 3, 4)]],
        titles=["one", "two"],
        alt="boxes",
    )
    figure, alt = shown[0]
    first, second = figure.axes
    assert alt == "boxes"
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    assert rectangles(first, FOUND) == [(0, 0, 60, 40), (10, 5, 20, 15)]
    assert rectangles(first, TRUE) == [(11, 6, 21, 16)]
    assert rectangles(second, FOUND) == []
    assert {text.get_text(): text.get_position() for text in first.texts} == {"large": (0, 40), "small": (10, 5)}
    with pytest.raises(ValueError, match="1 entries in titles for 2 pictures"):
        plotting.boxes_on([PICTURE, PICTURE], [[], []], titles=["one"], alt="x")


def test_texts_of_boxes_at_one_place_stand_one_under_the_other(shown):
    boxes = [(10, 12, 30, 30), (10, 12, 31, 30), (10.5, 12.5, 31, 31)]
    plotting.boxes_on([PICTURE], [boxes], texts=[["top 0.6", "bag 0.5", "boot 0.4"]], alt="boxes")
    (figure, _) = shown[0]
    (axes,) = figure.axes
    figure.canvas.draw()
    places = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for i, one in enumerate(places) for other in places[:i])


def test_anchors_of_each_level_have_their_panel(shown):
    grid = detection.anchor_grid((40, 60), [(4, 6), (2, 3)], [10, 20])
    match = np.full(len(grid), -1)
    match[3], match[24], match[25] = 0, 0, -2
    plotting.anchors(PICTURE, grid, np.array([[30, 0, 40, 10]]), match, columns=[24, 6], alt="places")
    (figure, _) = shown[0]
    fine, coarse = figure.axes
    assert rectangles(fine, FOUND) == [tuple(grid[3])]
    assert rectangles(coarse, FOUND) == [tuple(grid[24])]
    assert "24 anchors,\n1 with" in fine.get_title()
    assert len(fine.lines[0].get_xdata()) == 24
    with pytest.raises(ValueError, match="for 30 anchors"):
        plotting.anchors(PICTURE, grid, np.zeros((0, 4)), match, columns=[24], alt="x")


def test_the_explorer_shows_what_nms_leaves():
    boxes = np.array([[0, 0, 20, 20], [1, 0, 21, 20], [1, 1, 21, 21], [30, 10, 50, 30]], "float32")
    scores, labels = np.array([0.9, 0.8, 0.7, 0.2], "float32"), np.array([0, 0, 1, 1])
    draw, alt = plotting.suppression_explorer(PICTURE, boxes, scores, labels, ["cat", "dog"])
    before, after = draw(0.1, 0.5, True).axes
    assert len(rectangles(before, FOUND)) == 4
    assert sorted(text.get_text() for text in after.texts) == ["cat 0.90", "dog 0.20", "dog 0.70"]
    assert len(rectangles(draw(0.1, 0.5, False).axes[1], FOUND)) == 2
    assert len(rectangles(draw(0.1, 0.99, True).axes[1], FOUND)) == 4
    assert alt(0.5, 0.5, True).endswith("by class: boxes before NMS ≈ 3, after it ≈ 2.")
    assert draw(0.95, 0.5, True).axes[1].get_title(loc="center") == "after NMS: 0"


def test_precision_over_recall_is_filled_from_the_right(shown):
    curve = detection.precision_recall([0.9, 0.8, 0.7], [True, False, True], 3)
    plotting.precision_recall({"cat": curve}, {"cat": detection.average_precision(*curve)}, alt="curve")
    (axes,) = shown[0][0].axes
    assert axes.get_title(loc="left") == "cat: AP ≈ 0.55"
    filled, measured = axes.lines
    np.testing.assert_allclose(filled.get_ydata(), [1, 1, 2 / 3, 2 / 3])
    np.testing.assert_allclose(measured.get_ydata(), [1, 1 / 2, 2 / 3])
    none = detection.precision_recall([], [], 3)
    plotting.precision_recall({"cat": none, "dog": curve}, {"cat": 0.0, "dog": 0.5}, alt="one without detections")


def test_recall_by_size_draws_mean_and_range(shown):
    runs = [
        {"seed": 0, "fine": [0.2, 0.8], "coarse": [0, 0.5]},
        {"seed": 1, "fine": [0.4, 0.8], "coarse": [0, 0.7]},
    ]
    plotting.by_size(runs, (0, 10, 30))
    figure, alt = shown[0]
    assert "fine ≈ 0.30, ≈ 0.80; coarse ≈ 0" in alt.replace("≈ 0.0,", "≈ 0,")
    fine, coarse = figure.axes[0].lines
    np.testing.assert_allclose(fine.get_xdata(), [5, 20])
    np.testing.assert_allclose(coarse.get_ydata(), [0, 0.6])
    for runs in ([], [{"fine": [0.2]}]):
        with pytest.raises(ValueError, match="each needs 2 values"):
            plotting.by_size(runs, (0, 10, 30))
