"""Voices, their spectrogram, and the networks for both."""

import io

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnnlib import datasets
from cnnlib.beyond import signals


@given(arrays.arrays(np.float64, st.integers(0, 50), elements=st.floats(-1, 1)))
def test_mu_law_keeps_a_sample_to_a_share_of_its_size(x):
    back = signals.from_mu_law(signals.mu_law(x))
    assert signals.mu_law(x).dtype == np.uint8
    assert (np.abs(back - x) <= 0.0225 * np.abs(x) + 0.0001).all()  # half a step of 255, bent


def test_samples_that_are_integers_are_refused():
    with pytest.raises(ValueError, match="Divide by 32768"):
        signals.mu_law(np.array([0, 1200]))


def test_every_voice_has_as_many_pieces_in_each_part_and_no_prompt_is_on_two_sides():
    parts = {part: signals.voices(part) for part in ("train", "validation", "test")}
    assert {part: np.bincount(each.y).tolist() for part, each in parts.items()} == {
        "train": [80] * 5,
        "validation": [30] * 5,
        "test": [60] * 5,
    }
    for each in parts.values():
        assert each.x.dtype == np.float32
        assert np.allclose((each.x**2).mean(1), 1, atol=1e-4)
    for code in signals.VOICES.values():
        with np.load(io.BytesIO(datasets.read(f"voices/{code}.npz"))) as file:
            assert len(set(file["prompts"].tolist())) == len(file["pieces"]) == 170
    with pytest.raises(ValueError, match="choose one of"):
        signals.voices("all")


def test_a_spectrogram_is_the_plain_sum_of_fourier():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 70))
    found = signals.spectrogram(x, window=16, hop=7, bands=4)
    assert found.shape == (2, 8, 4)
    for n, frame, band in ((0, 0, 0), (1, 3, 2), (1, 7, 3)):
        piece = x[n, 7 * frame : 7 * frame + 16] * np.hanning(16)
        logs = []
        for k in (2 * band, 2 * band + 1):
            total = sum(value * np.exp(-2j * np.pi * k * t / 16) for t, value in enumerate(piece))
            logs.append(np.log(abs(total) + 1e-2))
        assert found[n, frame, band] == pytest.approx(np.mean(logs), abs=1e-5)


def test_kernels_of_fourier_give_its_numbers():
    x = np.random.default_rng(5).normal(size=16)
    real, imaginary = np.split(x @ signals.fourier_kernels(16)[:, 0], 2)
    assert np.allclose(real + 1j * imaginary, np.fft.rfft(x * np.hanning(16))[:8], atol=1e-5)


def test_a_tone_is_loud_in_its_band():
    time = np.arange(1024) / signals.RATE
    loud = signals.spectrogram(np.sin(2 * np.pi * 1000 * time)[None], bands=128)[0].mean(0)
    assert loud.argmax() == 32  # 1,000 Hz of 4,000 in 128 bands


def test_what_a_spectrogram_cannot_be_made_of_is_refused():
    with pytest.raises(ValueError, match="256 or more"):
        signals.spectrogram(np.zeros((1, 100)))
    with pytest.raises(ValueError, match="a divisor"):
        signals.spectrogram(np.zeros((1, 300)), bands=50)


@pytest.mark.parametrize("kind", signals.LAYERS)
def test_each_network_takes_what_it_is_given(kind):
    x = np.random.default_rng(0).normal(size=(3, 2048)).astype("float32")
    seen, other = signals.seen(kind, x, x[:1])
    model = signals.network(kind, seen.shape[1:])
    assert keras.ops.shape(model(seen)) == (3, 5)
    assert len(other) == 1
    assert signals.predictions(model, seen).shape == (3,)
    if kind != "waveform":
        assert np.allclose(seen.mean((0, 1)), 0, atol=1e-4)
    with pytest.raises(ValueError, match="choose one of"):
        signals.network("picture", (4, 4))


def test_a_network_learns_what_is_to_be_learned_and_a_seed_gives_its_weights():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], 30)
    x = (rng.normal(size=(60, 4, 3)) + 2 * y[:, None, None]).astype("float32")
    model = signals.trained(signals.network("linear", (4, 3), classes=2), x, y, 0.1, 20)
    assert signals.accuracy(model, x, y) > 0.95
    one, two = (signals.network("spectrogram", (15, 64), seed=3).get_weights() for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, two))
