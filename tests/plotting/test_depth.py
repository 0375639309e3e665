"""cnnlib.plotting.depth: what is drawn, and what is refused."""

import pytest

from cnnlib import plotting

LABELS = {"xlabel": "epoch", "ylabel": "right, in %", "alt": "Two runs."}
LIVE = {"plain": {"8": [2.5, 3.5]}}
STORED = [{"plain": {"8": [1, 2, 3], "44": [0, 0, 1]}}, {"plain": {"8": [3, 4, 5], "44": [0, 2, 1]}}]


def test_the_stored_mean_is_a_line_and_this_run_are_points(shown):
    plotting.live_over_stored(LIVE, STORED, label="{} layers", **LABELS)
    fig, alt = shown[0]
    mean, live, deep = fig.axes[0].lines
    assert list(mean.get_ydata()) == [2, 3, 4]
    assert list(deep.get_ydata()) == [0, 1, 1]
    assert (list(live.get_xdata()), list(live.get_ydata())) == ([1, 2], [2.5, 3.5])
    assert (live.get_marker(), mean.get_label(), alt) == ("D", "8 layers", "Two runs.")
    assert fig.axes[0].get_title(loc="left") + fig.axes[0].get_title() == "plain"


def test_without_stored_runs_the_points_carry_the_name(shown):
    plotting.live_over_stored(LIVE, [], **LABELS)
    (live,) = shown[0][0].axes[0].lines
    assert live.get_label() == "8"


def test_panels_share_their_axis_and_doubling_sizes_have_marks(shown):
    runs = [{"learnt": {"batch": [1, 2, 3]}, "new": {"batch": [4, 5, 6]}}]
    live = {"learnt": {"batch": [2, 3]}, "new": {"batch": [5, 7]}}
    titles = {"new": "new pictures"}
    plotting.live_over_stored(live, runs, x=[2, 4, 8], live_x=[2, 8], titles=titles, logx=True, **LABELS)
    left, right = shown[0][0].axes
    assert left.get_ylim() == right.get_ylim()
    assert (left.get_ylabel(), right.get_ylabel()) == ("right, in %", "")
    assert [label.get_text() for label in left.get_xticklabels()] == ["2", "4", "8"]
    assert list(right.lines[1].get_xdata()) == [2, 8]
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("learnt", "new pictures")


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        plotting.live_over_stored({}, [], **LABELS)


def test_a_panel_may_have_stored_runs_alone(shown):
    runs = [{"plain": {"8": [1, 2]}, "residual": {"8": [3, 4], "20": [5, 6]}}]
    plotting.live_over_stored({"plain": {}, "residual": {"20": [5.5]}}, runs, **LABELS)
    plotting.live_over_stored({"plain": {}}, runs, **LABELS)
    left, right = shown[0][0].axes
    assert [line.get_marker() for line in left.lines] == ["None"]
    assert [line.get_marker() for line in right.lines] == ["None", "None", "D"]
    signs = [[text.get_text() for text in fig.legends[0].get_texts()] for fig, _ in shown]
    assert signs == [["this run", "stored runs: mean and range"], ["stored runs: mean and range"]]
