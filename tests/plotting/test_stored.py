"""Figures that draw this run among stored ones: rows for all that is stored, diamonds for what was run."""

from cnnlib import plotting
from cnnlib.results import Runs

STORED = Runs([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}])


def diamonds(ax):
    return [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "D" and len(line.get_ydata())]


def test_rows_of_stored_settings_that_this_run_left_out(shown):
    plotting.seed_spread({"b": 2.5}, STORED.columns(), xlabel="right, in %")
    ((fig, alt),) = shown
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a", "b"]
    assert diamonds(fig.axes[0]) == [1]
    told = "a: stored runs from ≈ 1.00 to ≈ 3.00; b: this run ≈ 2.50, stored runs from ≈ 2.00 to ≈ 4.00"
    assert alt == f"right, in %. {told}."


def test_a_setting_that_is_not_stored_has_a_row_too(shown):
    plotting.seed_spread({"c": 5.0}, {}, xlabel="right, in %")
    ((fig, alt),) = shown
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["c"]
    assert diamonds(fig.axes[0]) == [0]
    assert alt == "right, in %. c: this run ≈ 5.00."


def test_without_a_run_of_ones_own_there_is_no_diamond_to_explain(shown):
    plotting.seed_spread({}, STORED.columns(), xlabel="right, in %")
    plotting.seed_spread({"b": 2.5}, STORED.columns(), xlabel="right, in %")
    legends = [[text.get_text() for text in fig.axes[0].get_legend().get_texts()] for fig, _ in shown]
    assert legends == [["stored seeds"], ["stored seeds", "this run"]]


def test_variants_that_this_run_left_out_keep_their_row(shown):
    plotting.live_among_stored({"right, in %": (STORED, {"b": 2.5})}, alt="Two rows.")
    ((fig, _),) = shown
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a", "b"]
    places = [tuple(map(tuple, dots.get_offsets().tolist())) for dots in fig.axes[0].collections]
    assert places == [((1.0, 0.0), (3.0, 0.0)), ((2.0, 1.0), (4.0, 1.0)), ((2.5, 1.0),)]


def test_where_nothing_was_run_live_the_legend_names_no_diamond(shown):
    plotting.live_among_stored({"right, in %": (STORED, {})}, alt="Two rows.")
    plotting.live_among_stored({"right, in %": (STORED, {"b": 2.5})}, alt="Two rows.")
    legends = [[text.get_text() for text in fig.legends[0].get_texts()] for fig, _ in shown]
    assert legends == [["stored runs"], ["this run", "stored runs"]]


def test_rates_may_be_text_as_in_a_file(shown):
    plotting.rate_summary({"0.1": 1.0, "1": 2.3}, [{"0.1": 1.5, "1": 2.2}])
    ((fig, _),) = shown
    stored, live, _ = fig.axes[0].lines
    assert (list(live.get_xdata()), list(live.get_ydata())) == ([0.1, 1.0], [1.0, 2.3])
    assert (list(stored.get_xdata()), list(stored.get_ydata())) == ([0.1, 1.0], [1.5, 2.2])
