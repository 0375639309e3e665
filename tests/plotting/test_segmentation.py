"""The figures of lesson 12 say what they show."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cnnlib import plotting
from cnnlib.plotting import core
from cnnlib.plotting import segmentation as figures


def panels(figure) -> list:
    """The axes that show pictures."""
    return [ax for ax in figure.axes if ax.images]


def test_each_label_has_its_colour_and_no_label_has_none(shown):
    picture = np.full((4, 6, 1), 0.5)
    labels = np.zeros((4, 6), int)
    labels[1:3, 1:3], labels[3, 5], labels[0, 5] = 3, 7, 255
    names = [f"class {number}" for number in range(10)]
    plotting.label_maps([picture, picture], [labels, 0 * labels], titles=["a", "b"], names=names, alt="Two.")
    figure, alt = shown[0]
    assert alt == "Two."
    first, second = (np.asarray(ax.images[0].get_array()) for ax in panels(figure))
    assert np.allclose(first[labels == 0], 0.5)
    assert np.allclose(first[0, 5], 0.45 * 0.5 + 0.55)  # 255 is white
    assert np.allclose(first[1, 1], 0.45 * 0.5 + 0.55 * np.array(to_rgb(core.CYCLE[0])))
    assert np.allclose(first[3, 5], 0.45 * 0.5 + 0.55 * np.array(to_rgb(core.CYCLE[1])))
    assert np.allclose(second, 0.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["class 3", "class 7"]
    assert [ax.get_title(loc="center") for ax in panels(figure)] == ["a", "b"]


def test_objects_need_no_names_and_pictures_may_be_integers_of_any_size(shown):
    tall, wide = np.full((8, 4, 3), 255, np.uint8), np.zeros((4, 8))
    objects = np.arange(32).reshape(8, 4)
    plotting.label_maps([tall, wide], [objects, objects.T], alt="Objects.")
    figure, _ = shown[0]
    assert not figure.legends
    drawn = np.asarray(panels(figure)[0].images[0].get_array())
    assert np.allclose(drawn[0, 0], 1)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1 + 5  # background, and five colours in turn


@pytest.mark.parametrize(
    ("pictures", "maps", "message"),
    [
        ([np.zeros((3, 3))], [], "1 pictures, 0 maps"),
        ([], [], "at least 1"),
        ([np.zeros((3, 3))], [np.zeros((3, 4), int)], "the same size"),
        ([np.zeros((3, 3, 2))], [np.zeros((3, 3), int)], "expected .h, w."),
    ],
)
def test_label_maps_refuses(pictures, maps, message):
    with pytest.raises(ValueError, match=message):
        plotting.label_maps(pictures, maps, alt="Nothing.")


def test_mistakes_are_found_missed_or_invented(shown):
    true = np.array([[1, 1, 0, 0]])
    plotting.mistakes(np.zeros((1, 4)), true, {"mine": np.array([[1, 0, 1, 0]])}, alt="One of each.")
    figure, _ = shown[0]
    picture, mine = panels(figure)
    assert mine.get_title(loc="center") == "mine"
    drawn = np.asarray(mine.images[0].get_array())[0]
    assert np.allclose(drawn[1], to_rgb(core.COLOURS["kernel"]))
    assert np.allclose(drawn[2], to_rgb(core.COLOURS["train"]))
    assert np.ptp(drawn[3]) == 0
    assert drawn[0][1] > drawn[0][0]  # greenish
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["found", "missed", "invented"]
    assert np.allclose(picture.images[0].get_array(), 0)


def test_mistakes_refuses_a_mask_of_another_size():
    with pytest.raises(ValueError, match="mask 'mine'"):
        plotting.mistakes(np.zeros((2, 4)), np.zeros((2, 4)), {"mine": np.zeros((4, 2))}, alt="No.")


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (4, 2), (1, 3), (7, 1)])
def test_taps_draws_as_many_windows_as_lie_on_each_pixel(kernel, stride):
    figure = plotting.taps(kernel, stride, size=6)
    ax = figure.axes[0]
    counts = np.zeros(5 * stride + max(kernel, stride))
    for bar in ax.patches:
        left = round(bar.get_x() + 0.5)
        assert bar.get_width() == kernel
        counts[left : left + kernel] += 1
    heights = ax.lines[0].get_ydata()
    assert np.array_equal(heights - heights.min(), counts - counts.min())
    core.png(figure)


def test_taps_refuses_what_is_no_size():
    with pytest.raises(ValueError, match="stride=0"):
        figures.taps(3, 0)


def test_ways_of_training_stand_beside_the_curves_of_one(shown):
    curves = [([0, 0.5, 1], [0.9, 0.5, 0.1]), ([0, 1], [0.8, 0.2])]
    points = {"Dice": [(0.4, 0.6), (0.5, 0.5)], "Tversky": [(1, 0.1)]}
    plotting.losses_on_curve(curves, points, curve="plain", alt="Two.")
    figure, alt = shown[0]
    (ax,) = figure.axes
    assert alt == "Two."
    assert [line.get_xydata().tolist() for line in ax.lines[2:]] == [[[0.4, 0.6], [0.5, 0.5]], [[1, 0.1]]]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["plain, at all thresholds", "Dice", "Tversky"]
    looks = [(line.get_marker(), line.get_color()) for line in ax.lines[2:]]
    assert len(set(looks)) == len({colour for _, colour in looks}) == 2
    with pytest.raises(ValueError, match="0 curves"):
        plotting.losses_on_curve([], {}, curve="plain", alt="None.")
