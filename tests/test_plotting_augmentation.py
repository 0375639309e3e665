"""The figures of lesson 08 say what they show."""

import numpy as np
import pytest

from cnnlib import plotting, splits
from cnnlib.plotting import core


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown, with their texts."""
    figures = []
    monkeypatch.setattr(core, "show", lambda fig, alt: figures.append((fig, alt)))
    return figures


def test_fingerprints_count_and_mark_the_bits_that_differ(shown):
    rng = np.random.default_rng(0)
    pictures = {"one": rng.integers(0, 256, (30, 40, 3)).astype("uint8")}
    pictures["mirrored"] = pictures["one"][:, ::-1]
    pictures["same"] = pictures["one"].copy()
    hashes = splits.perceptual_hash(list(pictures.values()))
    plotting.fingerprints(pictures, hashes)
    figure, alt = shown[0]
    differing = int(np.sum(hashes[0] != hashes[1]))
    assert f"mirrored {differing}; same 0." in alt
    marks = [len(ax.collections[0].get_offsets()) for ax in figure.axes[3:]]
    assert marks == [0, differing, 0]
    assert core.png(figure)


def test_fingerprints_that_do_not_fit_are_refused():
    picture = {"one": np.zeros((4, 4, 3), "uint8")}
    for hashes in (np.zeros((2, 64), bool), np.zeros((1, 60), bool), np.zeros(64, bool)):
        with pytest.raises(ValueError, match="square number"):
            plotting.fingerprints(picture, hashes)


def test_learning_curves_draw_mean_range_and_this_run(shown):
    stored = [{f"{r} {n} test": 0.1 * n + seed / 10 for r in ("a", "b") for n in (1, 2, 4)} for seed in (0, 1)]
    plotting.learning_curves(stored, {"a 2 test": 0.3, "b 2 test": 0.4}, sizes=(1, 2, 4), recipes=("a", "b"))
    figure, alt = shown[0]
    assert "a ≈ 0.150, ≈ 0.250, ≈ 0.450" in alt
    (axes,) = figure.axes
    assert np.allclose(axes.lines[0].get_ydata(), [0.15, 0.25, 0.45])
    points = [c.get_offsets().tolist() for c in axes.collections if len(c.get_offsets()) == 1]
    assert [[2.0, 0.3]] in points
    assert [[2.0, 0.4]] in points
    assert core.png(figure)


def test_learning_curves_without_stored_runs_are_refused():
    with pytest.raises(ValueError, match="at least one stored run"):
        plotting.learning_curves([], {}, sizes=(1,), recipes=("a",))
