"""The figures of lesson 05 draw each row once in every panel, and the short run over the long ones."""

import numpy as np
import pytest

from cnnlib import plotting

ROWS = {"block 1": (0.04, 7.2), "block 2": (0.22, 3.6), "dense": (123.6, 0.01)}
PANELS = {"parameters, in M": "{:.1f}", "activations, in M": "{:.2f}"}


def test_each_panel_has_a_bar_and_a_number_for_each_row(shown):
    plotting.bar_panels(ROWS, PANELS, alt="Three rows in two panels.", marked=("dense",))
    ((fig, alt),) = shown
    assert alt == "Three rows in two panels."
    assert [ax.get_xlabel() for ax in fig.axes] == list(PANELS)
    for number, ax in enumerate(fig.axes):
        assert [bar.get_width() for bar in ax.patches] == [row[number] for row in ROWS.values()]
    assert [text.get_text() for text in fig.axes[0].texts] == ["0.0", "0.2", "123.6"]
    assert [text.get_text() for text in fig.axes[1].texts] == ["7.20", "3.60", "0.01"]
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == list(ROWS)
    bottom, top = fig.axes[0].get_ylim()
    assert bottom > top  # the first row is at the top
    assert fig.axes[1].get_xlim()[1] != 200
    pale = [bar.get_alpha() < 1 for bar in fig.axes[0].patches]
    assert pale == [False, False, True]


def test_two_panels_can_share_a_scale(shown):
    plotting.bar_panels(ROWS, PANELS, alt="Two panels, one scale.", longest=dict.fromkeys(PANELS, 200))
    ((fig, _),) = shown
    assert [ax.get_xlim() for ax in fig.axes] == [(0, 200), (0, 200)]


@pytest.mark.parametrize("rows", [{"one": (1.0,)}, {"three": (1.0, 2.0, 3.0)}, {}])
def test_a_row_needs_a_value_for_each_panel(rows):
    with pytest.raises(ValueError, match="2 panels"):
        plotting.bar_panels(rows, PANELS, alt="Nothing.")


def test_the_live_run_is_drawn_over_longer_stored_ones(shown):
    stored = [{"train": [10, 20, 30, 40], "validation": [9, 18, 27, 30]}] * 3
    live = {"train": [11, 21], "validation": [8, 17]}
    plotting.epochs_among_stored({"plain": (stored, live), "other": ([], live)}, alt="Two panels of curves.")
    ((fig, _),) = shown
    plain, other = fig.axes
    assert [ax.get_title(loc="left") for ax in (plain, other)] == ["plain", "other"]
    assert sorted(len(line.get_xdata()) for line in plain.lines) == [2, 2] + [4] * 6
    assert len(other.lines) == 2
    assert all(tick == round(tick) for tick in plain.get_xticks())
    for line in (line for line in plain.lines if len(line.get_xdata()) == 2):
        assert np.array_equal(line.get_xdata(), [1, 2])
        assert list(line.get_ydata()) in (live["train"], live["validation"])
        assert line.get_linewidth() > max(each.get_linewidth() for each in plain.lines if len(each.get_xdata()) == 4)
    assert {text.get_text() for text in fig.legends[0].get_texts()} >= {"training images", "test images", "this run"}


def test_a_panel_may_have_stored_runs_alone(shown):
    stored = [{"train": [10, 20], "validation": [9, 18]}]
    plotting.epochs_among_stored({"plain": (stored, {})}, alt="Two curves.")
    ((fig, _),) = shown
    assert [list(line.get_ydata()) for line in fig.axes[0].lines if len(line.get_ydata())] == [[10, 20], [9, 18]]
