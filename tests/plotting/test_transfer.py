"""The figures of lesson 09 say what they show."""

import numpy as np
import pytest

from cnnlib import plotting


def test_ways_draw_range_mean_reference_and_this_run(shown):
    stored = [{"frozen": 0.6, "tuned": 0.7}, {"frozen": 0.7, "tuned": 0.9}]
    plotting.ways(stored, {"frozen": 0.65, "tuned": 0.5}, reference="frozen")
    figure, alt = shown[0]
    assert "frozen ≈ 0.650, tuned ≈ 0.800." in alt
    (axes,) = figure.axes
    reference, means = axes.lines
    assert np.allclose(reference.get_xdata(), 0.65)
    assert np.allclose(means.get_xdata(), [0.65, 0.8])
    ranges = axes.collections[0].get_segments()
    assert np.allclose([segment[:, 0] for segment in ranges], [[0.6, 0.7], [0.7, 0.9]])
    points = axes.collections[1]
    assert np.allclose(points.get_offsets()[:, 0], [0.65, 0.5])
    good, bad = points.get_facecolors()
    assert not np.allclose(good, bad), "a way that falls behind has another colour"


def test_ways_draw_what_this_run_has(shown):
    plotting.ways([{"frozen": 0.6, "tuned": 0.7}], {"tuned": 0.5}, reference="frozen")
    (axes,) = shown[0][0].axes
    assert axes.collections[1].get_offsets().tolist() == [[0.5, 1.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["frozen", "tuned"]


@pytest.mark.parametrize(
    ("stored", "reference", "message"),
    [([], "a", "0 runs"), ([{"a": 0.5}], "a", "without b"), ([{"a": 0.5, "b": 0.6}], "c", "the reference 'c'")],
)
def test_ways_that_do_not_fit_are_refused(stored, reference, message):
    with pytest.raises(ValueError, match=message):
        plotting.ways(stored, {"a": 0.5, "b": 0.6}, reference=reference)


def test_faults_are_two_rows_of_accuracies(shown):
    plotting.faults({"as trained": (0.7, 0.7), "0 to 255": (0.35, 0.12)})
    figure, alt = shown[0]
    assert "wrong throughout: as trained ≈ 0.70, 0 to 255 ≈ 0.35; wrong in use only: as trained ≈ 0.70" in alt
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["0.70", "0.35", "0.70", "0.12"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["as trained", "0 to 255"]


def test_choices_are_means_over_runs(shown):
    runs = [
        {"a": {"0.1": 0.5, "1": 0.7}, "b": {"0.1": 0.2, "1": 0.1}},
        {"a": {"0.1": 0.6, "1": 0.6}, "b": {"0.1": 0.2, "1": 0.2}},
    ]
    means = plotting.choices(runs, {"b": 0.1, "a": 1})
    assert list(means) == ["b", "a"]
    assert means["a"] == {"0.1": pytest.approx(0.55), "1": pytest.approx(0.65)}
    figure, alt = shown[0]
    assert alt == "b: 0.200 at 0.1, 0.150 at 1; a: 0.550 at 0.1, 0.650 at 1"
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["0.200", "0.150", "0.550", "0.650"]
    for wrong in ([], [{"a": {"1": 0.5}}]):
        with pytest.raises(ValueError, match="choices needs stored runs that have each of a, b"):
            plotting.choices(wrong, {"a": 1, "b": 1})
