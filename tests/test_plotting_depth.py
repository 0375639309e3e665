"""cnnlib.plotting.depth: what is drawn, and what is refused."""

import pytest

from cnnlib import plotting
from cnnlib.plotting import core


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were shown, with their texts."""
    shown = []
    monkeypatch.setattr(core, "show", lambda fig, alt: shown.append((fig, alt)))
    return shown


def lines(runs=((1, 2, 3), (3, 4, 5))):
    return {"8 layers": (([1, 2], [2.5, 3.5]), ([1, 2, 3], *runs))}


def test_the_stored_mean_is_a_line_and_this_run_are_points(drawn):
    plotting.live_over_stored({"plain": lines()}, xlabel="epoch", ylabel="right, in %", alt="Two runs.")
    fig, alt = drawn[0]
    mean, live = fig.axes[0].lines
    assert list(mean.get_ydata()) == [2, 3, 4]
    assert list(live.get_ydata()) == [2.5, 3.5]
    assert (live.get_marker(), mean.get_label(), alt) == ("D", "8 layers", "Two runs.")
    assert fig.axes[0].get_title(loc="left") + fig.axes[0].get_title() == "plain"


def test_without_stored_runs_the_points_carry_the_name(drawn):
    plotting.live_over_stored({"plain": lines(())}, xlabel="epoch", ylabel="right", alt="One run.")
    (live,) = drawn[0][0].axes[0].lines
    assert live.get_label() == "8 layers"


def test_panels_share_their_axis_and_doubling_sizes_have_marks(drawn):
    panels = {"left": lines(), "right": lines()}
    plotting.live_over_stored(panels, xlabel="images", ylabel="right", alt="Two panels.", logx=True)
    left, right = drawn[0][0].axes
    assert left.get_ylim() == right.get_ylim()
    assert left.get_ylabel() == "right"
    assert right.get_ylabel() == ""
    assert [label.get_text() for label in left.get_xticklabels()] == ["1", "2", "3"]


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        plotting.live_over_stored({}, xlabel="x", ylabel="y", alt="Nothing.")
