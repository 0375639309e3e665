"""A batch cut into shards, and the average of what the shards give (lesson 17)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def shards(length: int, devices: int) -> list[slice]:
    """Which examples of a batch each device gets: neighbours, as evenly as whole numbers allow.

    The first devices get one more where the batch cannot be divided.

    Raises:
        ValueError: there are fewer examples than devices, or no device.
    """
    if devices < 1 or length < devices:
        raise ValueError(
            f"{length} examples for {devices} devices: each needs one at least. Is the batch that of one device?"
        )
    ends = [device * (length // devices) + min(device, length % devices) for device in range(devices + 1)]
    return [slice(start, end) for start, end in zip(ends, ends[1:])]


def average(gradients: Sequence[Sequence[np.ndarray]], examples: Sequence[int] | None = None) -> list[np.ndarray]:
    """The gradient of the whole batch from those of its shards: weighted by the examples of each.

    Args:
        gradients: for each device a list of arrays, one for each weight; the mean over its own examples.
        examples: how many examples each device had; the same for all if not given.

    Raises:
        ValueError: the devices give different numbers of arrays, or numbers of examples that do not fit.
    """
    counts = [1] * len(gradients) if examples is None else list(examples)
    if not gradients or len(counts) != len(gradients) or min(counts) < 0 or sum(counts) <= 0:
        raise ValueError(
            f"{len(gradients)} devices and examples {counts}: expected one number of examples for each device, not all "
            "of them 0."
        )
    if len({len(arrays) for arrays in gradients}) > 1:
        raise ValueError(f"devices give {[len(arrays) for arrays in gradients]} arrays: do all train the same network?")
    total = float(sum(counts))
    return [sum(n / total * np.asarray(g) for n, g in zip(counts, each)) for each in zip(*gradients)]


def flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """All numbers of some arrays, one after the other, (n,) float32: what is sent, and what is compared."""
    return np.concatenate([np.asarray(array, "float32").ravel() for array in arrays])


def relative_difference(came: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """How far two lists of arrays are apart: the length of the difference, over the length of what was expected."""
    one, other = flat(came).astype("float64"), flat(expected).astype("float64")
    if one.shape != other.shape:
        raise ValueError(f"{one.size} numbers against {other.size}: are these gradients of the same network?")
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def ring_states(values: np.ndarray) -> list[np.ndarray]:
    """What n devices hold before, and after each of the 2 (n - 1) steps of a ring all-reduce.

    Args:
        values: (n, n): a row for each device, a column for each chunk, one number each.

    Returns:
        2 n - 1 arrays (n, n); in the last one each row is the sum of all rows.

    Raises:
        ValueError: the array is not square.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"values of shape {values.shape}: expected as many chunks as devices, (n, n).")
    n = len(values)
    devices, states = np.arange(n), [values]
    for step in range(2 * (n - 1)):
        chunks, right = (devices - step) % n, (devices + 1) % n
        now = states[-1].copy()
        now[right, chunks] = states[-1][devices, chunks] + (states[-1][right, chunks] if step < n - 1 else 0)
        states.append(now)
    return states
