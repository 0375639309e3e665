"""The figures of lesson 17: the ring, memory on a device, rates and batches."""

import numpy as np
import pytest

from cnnlib import plotting


def test_a_ring_has_a_panel_for_each_step(shown):
    states = [np.ones((3, 3)), 2 * np.ones((3, 3)), np.full((3, 3), 3)]
    plotting.ring_steps(states, alt="three tables of three devices")
    ((fig, _),) = shown
    assert [ax.get_title(loc="center") for ax in fig.axes[:3]] == ["start", "step 1", "step 2"]
    with pytest.raises(ValueError, match="of the same"):
        plotting.ring_steps([np.ones((2, 2)), np.ones((3, 3))], alt="x")


def test_memory_is_stacked_up_to_its_total_beside_a_limit(shown):
    parts = {"all": {"weights": 4.0, "state": 8.0}, "sharded": {"weights": 4.0, "state": 1.0}}
    plotting.memory_bars(parts, limit=6, alt="two bars and a line at 6")
    ((fig, _),) = shown
    (ax,) = fig.axes
    assert [text.get_text().strip() for text in ax.texts] == ["12", "5"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["all", "sharded"]
    with pytest.raises(ValueError, match="made of the same things"):
        plotting.memory_bars({"a": {"x": 1.0}, "b": {"y": 1.0}}, limit=1, alt="x")


def test_each_batch_has_a_line_over_its_rates_and_this_run_stands_on_it(shown):
    stored = {"32": {"0.1": [0.7, 0.8], "0.2": [0.6, 0.6]}, "500": {"0.2": [0.5, 0.6]}}
    plotting.rates_by_batch(stored, {"500": {0.2: 0.55}}, alt="two lines and a diamond")
    ((fig, _),) = shown
    (ax,) = fig.axes
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert lines["batch 32"].tolist() == pytest.approx([0.75, 0.6])
    assert ax.lines[-1].get_marker() == "D"
    assert ax.lines[-1].get_ydata() == [0.55]
    assert "diamonds" in ax.get_xlabel()
    with pytest.raises(ValueError, match="nothing to draw"):
        plotting.rates_by_batch({}, alt="x")
