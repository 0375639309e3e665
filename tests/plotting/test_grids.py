"""The figures of lesson 18's first half: sounds, seeds, kernels."""

import numpy as np
import pytest

from cnnlib import plotting


def test_a_sound_stands_above_its_spectrogram(shown):
    plotting.sounds(np.zeros((2, 800)), np.ones((2, 5, 4)), ["a", "b"], rate=8000, alt="two sounds")
    ((fig, _),) = shown
    assert [ax.get_title(loc="left") for ax in fig.axes[:2]] == ["a", "b"]
    (picture,) = fig.axes[2].images
    assert picture.get_extent() == [0, 0.1, 0, 4]
    assert picture.get_array().shape == (4, 5)
    with pytest.raises(ValueError, match="as many of each"):
        plotting.sounds(np.zeros((2, 800)), np.ones((1, 5, 4)), ["a", "b"], rate=8000, alt="x")


def test_each_choice_has_its_runs_their_mean_and_this_one(shown):
    plotting.seeds_by_choice({"plain": [0.5, 0.7], "deep": [0.8, 0.9]}, {"deep": 0.86}, xlabel="accuracy", alt="dots")
    ((fig, _),) = shown
    (ax,) = fig.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["plain", "deep"]
    mean, dots = ax.lines[0], ax.lines[1]
    assert list(mean.get_xdata()) == pytest.approx([0.6, 0.6])
    assert list(dots.get_xdata()) == [0.5, 0.7]
    assert ax.lines[-1].get_marker() == "D"
    assert "diamonds" in ax.get_xlabel()
    with pytest.raises(ValueError, match="live among them"):
        plotting.seeds_by_choice({"plain": [1]}, {"wide": 1}, xlabel="accuracy", alt="x")


def test_kernels_share_a_scale(shown):
    plotting.kernels({"a": np.array([[1.0, -2.0]]), "b": np.array([[0.5, 0.25]])}, alt="two kernels")
    ((fig, _),) = shown
    assert [[text.get_text() for text in ax.texts] for ax in fig.axes[:2]] == [["1.00", "-2.00"], ["0.50", "0.25"]]
    assert [ax.collections[0].norm.vmax for ax in fig.axes[:2]] == [2, 2]
    with pytest.raises(ValueError, match="rows, columns"):
        plotting.kernels({"a": np.ones(3)}, alt="x")
