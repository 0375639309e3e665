"""The figure of lesson 09 says what it shows."""

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


@pytest.mark.parametrize(
    ("stored", "reference", "message"),
    [([], "a", "0 runs"), ([{"a": 0.5}], "a", "without b"), ([{"a": 0.5, "b": 0.6}], "c", "the reference 'c'")],
)
def test_ways_that_do_not_fit_are_refused(stored, reference, message):
    with pytest.raises(ValueError, match=message):
        plotting.ways(stored, {"a": 0.5, "b": 0.6}, reference=reference)
