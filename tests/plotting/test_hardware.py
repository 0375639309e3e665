"""The figures of lesson 16 say what they show."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnnlib import plotting

MACHINE = SimpleNamespace(peak=100e9, ridge=10.0, roof=lambda x: np.minimum(100e9, 10e9 * np.asarray(x)))


def test_a_roof_and_the_points_under_it(shown):
    plotting.roofline(MACHINE, {"3x3": (132, 80e9), "depthwise": (2.2, 5e9)}, alt="A roof.")
    ((figure, alt),) = shown
    assert alt == "A roof."
    roof, ridge, *points = figure.axes[0].lines
    x, y = roof.get_xydata().T
    np.testing.assert_allclose(y, MACHINE.roof(x) / 1e9)
    assert x[0] < 2.2 < 132 < x[-1]
    assert ridge.get_xdata()[0] == 10
    assert [line.get_xydata()[0].tolist() for line in points] == [[132, 80], [2.2, 5]]


@pytest.mark.parametrize("points", [{}, {"none": (1, 0)}])
def test_a_roof_needs_points_above_zero(points):
    with pytest.raises(ValueError, match="above 0"):
        plotting.roofline(MACHINE, points, alt="Nothing.")


def test_layers_have_a_bar_and_the_line_of_their_runs(shown):
    panels = {"one": {"a": [1, 3], "b": [2, 2]}, "two": {"c": [5, 7]}}
    plotting.by_layer(panels, marked={"special": ["b"]}, ylabel="moved", alt="Bars.")
    left, right = shown[0][0].axes
    assert [bar.get_height() for bar in left.patches] == [2, 2]
    assert [bar.get_height() for bar in right.patches] == [6]
    assert [text.get_text() for text in shown[0][0].legends[0].get_texts()] == ["special", "other layers"]
    assert left.lines[0].get_ydata().tolist() == [1, 3]
    assert left.patches[0].get_facecolor() != left.patches[1].get_facecolor()
    with pytest.raises(ValueError, match="nothing to draw"):
        plotting.by_layer({}, marked={}, ylabel="", alt="Nothing.")
