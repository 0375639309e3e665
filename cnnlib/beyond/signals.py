"""Pieces of five telephone voices, as a waveform and as a spectrogram, and a network for each. Lesson 18."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from keras import ops

RATE = 8000  # samples a second
#: class -> (file, what one hears); the first two are one person
VOICES = {"English": "en", "Spanish": "es", "French": "fr", "Italian": "it", "Russian": "ru"}
_MU = 255.0
_TRAIN, _VALIDATION = 80, 30  # of the 170 pieces of each voice; the other 60 are for the test


class Pieces(NamedTuple):
    """Pieces of sound, float32 (n, 2048), each of the same mean square, and the voice of each, int64 (n,)."""

    x: np.ndarray
    y: np.ndarray


def mu_law(x: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as bytes, fine near 0 and coarse far from it, as a telephone line has them.

    The continuous law of ITU-T G.711 with mu = 255, rounded to 256 steps.
    """
    x = np.asarray(x, float)
    if x.size and np.abs(x).max() > 1:
        raise ValueError(f"samples up to {np.abs(x).max():.3g}: expected -1 to 1. Are they integers? Divide by 32768.")
    bent = np.sign(x) * np.log1p(_MU * np.abs(x)) / np.log1p(_MU)
    return np.round((bent + 1) / 2 * 255).astype(np.uint8)


def from_mu_law(coded: np.ndarray) -> np.ndarray:
    """The samples, float32 in [-1, 1], of bytes that `mu_law` made."""
    bent = np.asarray(coded, np.float64) / 255 * 2 - 1
    return (np.sign(bent) * np.expm1(np.abs(bent) * np.log1p(_MU)) / _MU).astype("float32")


def voices(part: str = "train") -> Pieces:
    """Quarters of a second of five voices that read telephone prompts (Asterisk core sounds).

    Each piece is the loudest of another prompt, so no prompt is on two sides. Loudness is taken out: the mean square of
    each piece is 1.

    Args:
        part: "train" (400), "validation" (150) or "test" (300); as many of each voice.
    """
    from cnnlib import datasets

    cuts = {
        "train": slice(0, _TRAIN),
        "validation": slice(_TRAIN, _TRAIN + _VALIDATION),
        "test": slice(_TRAIN + _VALIDATION, None),
    }
    if part not in cuts:
        raise ValueError(f"part={part!r}: choose one of {', '.join(cuts)}.")
    x = []
    for code in VOICES.values():
        with np.load(io.BytesIO(datasets.read(f"voices/{code}.npz"))) as file:
            x.append(from_mu_law(file["pieces"][cuts[part]]))
    y = np.repeat(np.arange(len(x)), [len(each) for each in x])
    x = np.concatenate(x)
    return Pieces(x / np.sqrt((x**2).mean(1, keepdims=True)), y)


def spectrogram(x: np.ndarray, window: int = 256, hop: int = 128, bands: int = 64) -> np.ndarray:
    """How loud each band of frequencies is in each window: (n, samples) -> (n, windows, bands), natural logarithm.

    Each window is weighted with Hann's curve. The `bands` are of equal width, from 0 to half the sampling rate: means
    of ``window / 2 / bands`` neighbouring logarithms of the magnitude.

    Raises:
        ValueError: a signal is shorter than the window, or the bands do not divide half the window.
    """
    x = np.atleast_2d(np.asarray(x, float))
    if x.ndim != 2 or x.shape[1] < window or hop < 1:
        raise ValueError(f"signals of shape {x.shape}, window {window}, hop {hop}: expected (n, {window} or more).")
    if window % (2 * bands):
        raise ValueError(f"{bands} bands of {window // 2} frequencies: expected a divisor.")
    frames = np.lib.stride_tricks.sliding_window_view(x, window, axis=1)[:, ::hop] * np.hanning(window)
    loud = np.log(np.abs(np.fft.rfft(frames, axis=-1))[..., : window // 2] + 1e-2)
    return loud.reshape(*loud.shape[:2], bands, -1).mean(-1).astype("float32")


def fourier_kernels(window: int) -> np.ndarray:
    """Cosines and sines under Hann's curve as kernels of a 1-D convolution, float32 (window, 1, window).

    The first half of the filters gives the real parts of the frequencies below half the sampling rate, the second the
    imaginary parts.
    """
    k, t = np.meshgrid(np.arange(window // 2), np.arange(window))
    waves = np.hanning(window)[:, None] * np.exp(-2j * np.pi * k * t / window)
    return np.concatenate([waves.real, waves.imag], 1)[:, None].astype("float32")


#: the layers of each network: (filters, kernel, stride)
LAYERS = {"waveform": ((16, 16, 8), (32, 8, 4), (64, 8, 4)), "spectrogram": ((32, 3, 1), (64, 3, 1)), "linear": ()}
EPOCHS = 40


def seen(kind: str, *x: np.ndarray) -> list[np.ndarray]:
    """What the network of that kind is given of sounds (n, samples), standardised by the first: (n, time, channels)."""
    if kind == "waveform":
        return [each[..., None] for each in x]
    spectra = [spectrogram(each) for each in x]
    return standardised(*([each.mean(1, keepdims=True) for each in spectra] if kind == "linear" else spectra))


def network(kind: str, shape: tuple[int, int], classes: int = 5, seed: int = 0):
    """1-D convolutions with ReLU, the mean over time, dropout, logits: for a "waveform" or a "spectrogram".

    "linear" has no convolution and no dropout: logits of the mean over time.

    Args:
        kind: a key of `LAYERS`.
        shape: (time, channels) of the input.
        classes: logits.
        seed: of the weights.
    """
    import keras
    from keras import layers

    if kind not in LAYERS:
        raise ValueError(f"kind={kind!r}: choose one of {', '.join(LAYERS)}.")
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input(shape)
    for filters, kernel, stride in LAYERS[kind]:
        x = layers.Conv1D(filters, kernel, strides=stride, activation="relu")(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(0.3)(x) if LAYERS[kind] else x
    return keras.Model(inputs, layers.Dense(classes)(x))


def standardised(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Each array less the mean of the first and over its standard deviation, both over all but the last axis."""
    axes = tuple(range(train.ndim - 1))
    mean, spread = train.mean(axes), train.std(axes) + 1e-6
    return [((each - mean) / spread).astype("float32") for each in (train, *others)]


def trained(model, x: np.ndarray, y: np.ndarray, rate: float, epochs: int, batch: int = 50):
    """The model after Adam with that rate has trained it on (x, y)."""
    import keras

    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    return model


def predictions(model, x: np.ndarray) -> np.ndarray:
    """The class with the greatest logit, (n,)."""
    return np.concatenate(
        [ops.convert_to_numpy(model(x[i : i + 512], training=False)).argmax(-1) for i in range(0, len(x), 512)]
    )


def accuracy(model, x: np.ndarray, y: np.ndarray) -> float:
    """The share of right classes."""
    return float((predictions(model, x) == y).mean())
