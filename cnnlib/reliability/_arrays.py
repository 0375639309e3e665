"""What the modules of `cnnlib.reliability` ask of their arrays, and how they refuse others."""

from __future__ import annotations

import numpy as np

__all__ = ["as_binary", "as_images", "as_labels", "as_logits", "as_probabilities", "as_scores", "softmax"]

ROUNDING = 1e-3  # of a sum of float16 or float32 probabilities


def softmax(logits, temperature: float = 1.0) -> np.ndarray:
    """Probabilities from logits (..., classes), float64; the logits are first divided by the temperature."""
    if not temperature > 0 or not np.isfinite(temperature):
        raise ValueError(f"temperature={temperature}; expected a positive number, 1 to leave the logits as they are.")
    logits = np.asarray(logits, "float64") / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def as_probabilities(probabilities, what: str = "probabilities") -> np.ndarray:
    """(n, classes), float64, each row of 0 ... 1 with sum 1.

    Raises:
        ValueError: they are not; logits are recognised and named.
    """
    array = _finite(probabilities, what)
    if array.ndim != 2 or array.shape[1] < 2 or not len(array):
        raise ValueError(
            f"{what} of shape {array.shape}; expected (n, classes) with two classes or more. For a yes-or-no network "
            "give both columns: np.stack([1 - p, p], axis=1)."
        )
    if array.min() < -ROUNDING or array.max() > 1 + ROUNDING or np.abs(array.sum(axis=1) - 1).max() > ROUNDING:
        raise ValueError(
            f"{what} range from {array.min():.3g} to {array.max():.3g} and rows sum to "
            f"{array.sum(axis=1).min():.3g} ... {array.sum(axis=1).max():.3g}; expected 0 ... 1 with sum 1. "
            "Are these logits? Take softmax(logits) first."
        )
    return array


def as_logits(logits, what: str = "logits") -> np.ndarray:
    """(n, classes), float64, not probabilities.

    Raises:
        ValueError: they are probabilities (a temperature on these means something else), or of another shape.
    """
    array = _finite(logits, what)
    if array.ndim != 2 or array.shape[1] < 2 or not len(array):
        raise ValueError(f"{what} of shape {array.shape}; expected (n, classes) with two classes or more.")
    if array.min() >= 0 and np.abs(array.sum(axis=1) - 1).max() < ROUNDING:
        raise ValueError(
            f"{what}: every row is positive and sums to 1, so these are probabilities. A temperature divides logits, "
            "the scores before the softmax: give the network an end without activation, or take np.log(probabilities)."
        )
    return array


def as_labels(labels, count: int, classes: int, what: str = "labels") -> np.ndarray:
    """(count,), int64, each 0 ... classes - 1.

    Raises:
        ValueError: they are not; one-hot labels are recognised and named.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == classes:
        raise ValueError(f"{what} of shape {array.shape} look one-hot; expected class numbers: labels.argmax(axis=1).")
    if array.shape != (count,):
        raise ValueError(f"{what} of shape {array.shape}; expected one class number for each example, ({count},).")
    whole = array.astype("int64")
    if array.dtype.kind not in "iubf" or (whole != array).any():
        raise ValueError(f"{what} must be whole numbers of classes, got {array.dtype}: {array[:3]}.")
    if whole.min() < 0 or whole.max() >= classes:
        raise ValueError(
            f"{what} range from {whole.min()} to {whole.max()}; with {classes} classes expected 0 to {classes - 1}."
        )
    return whole


def as_binary(truth, what: str = "y_true") -> np.ndarray:
    """(n,), bool, from booleans or 0 and 1.

    Raises:
        ValueError: something else is among them.
    """
    array = np.asarray(truth)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{what} of shape {array.shape}; expected one yes or no for each example, (n,).")
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        found = np.unique(array[~np.isin(array, (0, 1))])[:3]
        raise ValueError(f"{what} holds {found}; expected 0 and 1. Of several classes choose one: y == 3.")
    return array.astype(bool)


def as_scores(scores, count: int | None = None, what: str = "scores") -> np.ndarray:
    """(n,), float64, without NaN.

    Raises:
        ValueError: they are not, or not as many as ``count``.
    """
    array = np.asarray(scores, "float64")
    if array.ndim != 1 or (count is not None and len(array) != count):
        wanted = "(n,)" if count is None else f"({count},)"
        raise ValueError(
            f"{what} of shape {array.shape}; expected one for each example, {wanted}. Of (n, classes) take a column."
        )
    if np.isnan(array).any():
        raise ValueError(f"{what}: {int(np.isnan(array).sum())} of {len(array)} are NaN, which no threshold can sort.")
    return array


def as_images(images, what: str = "images") -> np.ndarray:
    """(n, height, width, 1 or 3), float32 in [0, 1].

    Raises:
        ValueError: they are not; the message names the likely cause.
    """
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        hint = " One image needs its axis: image[None]." if array.ndim == 3 else ""
        raise ValueError(f"{what} of shape {array.shape}; expected (n, height, width, 1 or 3).{hint}")
    if array.dtype.kind in "iu":
        raise ValueError(f"{what} are {array.dtype}; expected floats in [0, 1]: x.astype('float32') / 255.")
    if array.dtype.kind != "f":
        raise TypeError(f"{what} are {array.dtype}; expected floats in [0, 1].")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} hold NaN or infinity.")
    if array.min() < 0 or array.max() > 1:
        cause = "0 ... 255 as floats: divide by 255" if array.max() > 2 else "normalised already: do that afterwards"
        raise ValueError(f"{what} range from {array.min():.3g} to {array.max():.3g}; expected [0, 1]. Likely {cause}.")
    return array.astype("float32", copy=False)


def _finite(values, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{what} are {array.dtype}; expected numbers.")
    array = array.astype("float64")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} hold NaN or infinity in {int((~np.isfinite(array)).sum())} places.")
    return array
