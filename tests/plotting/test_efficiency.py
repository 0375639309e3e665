"""The figure of lesson 07 draws every family in every panel, and refuses what it cannot place."""

import pytest

from cnnlib import plotting
from cnnlib.plotting import efficiency

ACCURACY = {"VGG": [50.0, 52.0, 54.0], "ResNet": [48.0, 49.0, 50.0]}
COSTS = {"M MACs": {"VGG": 9.9, "ResNet": 12.2}, "one image, in ms": {"VGG": 1.0, "ResNet": 30.0}}


def test_every_function_is_reachable_from_plotting():
    for name in efficiency.__all__:
        assert getattr(plotting, name) is getattr(efficiency, name)


def test_each_family_stands_at_its_cost_and_mean_with_its_range(shown):
    plotting.cost_scatter(ACCURACY, COSTS, alt="two families")
    (fig, alt) = shown[0]
    assert alt == "two families"
    assert [ax.get_xlabel() for ax in fig.axes] == list(COSTS)
    for ax, costs in zip(fig.axes, COSTS.values()):
        places = [tuple(points.get_offsets()[0]) for points in ax.collections]
        assert places == [(costs["VGG"], 52.0), (costs["ResNet"], 49.0)]
        assert [tuple(line.get_ydata()) for line in ax.lines] == [(50.0, 54.0), (48.0, 50.0)]
        assert ax.get_xscale() == "log"


def test_areas_grow_with_weights_and_this_run_has_a_ring(shown):
    plotting.cost_scatter(ACCURACY, COSTS, weights={"VGG": 1e6, "ResNet": 1e4}, live={"VGG": 51.0}, alt="a ring")
    fig, _ = shown[0]
    vgg, ring, resnet = fig.axes[0].collections
    assert vgg.get_sizes()[0] > resnet.get_sizes()[0]
    assert tuple(ring.get_offsets()[0]) == (9.9, 51.0)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["VGG", "ResNet", "this run"]


@pytest.mark.parametrize("costs", [{"ms": {"VGG": 1.0}}, {"ms": {"VGG": 1.0, "ResNet": 0.0}}])
def test_a_family_without_a_place_on_an_axis_is_refused(costs):
    with pytest.raises(ValueError, match="'ms' has no value above 0 for 'ResNet'"):
        plotting.cost_scatter(ACCURACY, costs, alt="no")


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        plotting.cost_scatter({}, COSTS, alt="no")


def test_bars_are_as_wide_as_the_channels_and_centred(shown):
    plotting.block_widths({"inverted": [("maps", 24), ("1x1", 144), ("3x3 depthwise", 144), ("1x1", 24)]})
    fig, alt = shown[0]
    bars = fig.axes[0].patches
    assert [bar.get_width() for bar in bars] == [24, 144, 144, 24]
    assert all(bar.get_x() == -bar.get_width() / 2 for bar in bars)
    assert bars[2].get_facecolor() != bars[1].get_facecolor(), "the depthwise layer stands out"
    assert alt == "Channels along each block. inverted: maps 24, 1x1 144, 3x3 depthwise 144, 1x1 24."


@pytest.mark.parametrize("blocks", [{}, {"empty": []}])
def test_a_block_without_layers_is_refused(blocks):
    with pytest.raises(ValueError, match="nothing to draw"):
        plotting.block_widths(blocks)
