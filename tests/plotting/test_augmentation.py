"""The figures of lesson 08 say what they show."""

import numpy as np
import pytest

from cnnlib import plotting, splits


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


def test_learning_curves_draw_what_this_run_has(shown):
    stored = [{f"{r} {n} test": 0.1 * n for r in ("a", "b") for n in (1, 2)}]
    plotting.learning_curves(stored, {"b 2 test": 0.4}, sizes=(1, 2), recipes=("a", "b"))
    (axes,) = shown[0][0].axes
    points = [c.get_offsets().tolist() for c in axes.collections if len(c.get_offsets()) == 1]
    assert [point for point in points if point != [[0.0, 0.0]]] == [[[2.0, 0.4]]]


def test_learning_curves_without_stored_runs_are_refused():
    with pytest.raises(ValueError, match="at least one stored run"):
        plotting.learning_curves([], {}, sizes=(1,), recipes=("a",))


def test_suspects_count_from_the_top_of_the_list(shown):
    plotting.suspects([True, False, True, False], total=4)
    figure, alt = shown[0]
    precision, recall = figure.axes[0].lines
    assert np.allclose(precision.get_ydata(), [1, 1 / 2, 2 / 3, 1 / 2])
    assert np.allclose(recall.get_ydata(), [1 / 4, 1 / 4, 1 / 2, 1 / 2])
    assert "4 labels: precision ≈ 0.50, recall ≈ 0.50." in alt


@pytest.mark.parametrize("is_wrong", [[], [True, True]])
def test_suspects_that_cannot_be_are_refused(is_wrong):
    with pytest.raises(ValueError, match="no more than that"):
        plotting.suspects(is_wrong, total=1)


def test_recall_table_tells_the_rare_class(shown):
    plotting.recall_table({"nothing": [0.9, 0.1], "weights": [0.8, 0.4]}, ["hat", "shoe"], rare=1)
    figure, alt = shown[0]
    assert "shoe: nothing ≈ 0.10, weights ≈ 0.40." in alt
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.90", "0.10", "0.80", "0.40"]


def test_input_faults_tell_the_mean_of_each_row(shown):
    plotting.input_faults(np.array([[0.9, 0.7], [0.1, 0.3]]), ways=["as trained", "negative"], pictures=["cat", "cup"])
    figure, alt = shown[0]
    assert "as trained ≈ 0.80, negative ≈ 0.20." in alt
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.90", "0.10", "0.70", "0.30"]
