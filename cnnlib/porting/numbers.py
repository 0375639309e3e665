"""Numbers that a PyTorch process and a Keras process can both draw, so that neither has to send them to the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

LARGEST = 400  # numbers of an array that are all kept; of a larger one SAMPLE are
SAMPLE = 200

Layout = Sequence[tuple[str, tuple[int, ...]]]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """An array of that shape, uniform with mean 0 and variance 1, float32; of shape and seed alone.

    NumPy promises the bits of its generator, and a uniform number is made of them by one division, so every version
    and system draws the same.
    """
    drawn = np.random.Generator(np.random.PCG64([seed, *shape])).random(shape)
    return (math.sqrt(12) * (drawn - 0.5)).astype("float32")


def state(layout: Layout) -> dict[str, np.ndarray]:
    """Weights for a network, by their names, in the layout of PyTorch.

    Args:
        layout: name and shape of each entry of the network's state dictionary, in its order.

    Returns:
        For each entry an array: kernels of variance 1 / fan-in, scales around 1, variances above 0.5, else around 0.
    """
    found = {}
    for position, (name, shape) in enumerate(layout):
        drawn = numbers(*shape, seed=position + 1)
        if name.endswith("running_var"):
            found[name] = 1 + 0.25 * drawn
        elif len(shape) > 1:
            found[name] = drawn / np.float32(math.sqrt(math.prod(shape[1:])))
        else:
            found[name] = 0.2 * drawn + np.float32(1.0 if name.endswith("weight") else 0.0)
    return {name: array.astype("float32") for name, array in found.items()}


def places(size: int) -> np.ndarray:
    """Which numbers of an array of that size are kept: all, or always the same sample of a large one."""
    if size <= LARGEST:
        return np.arange(size)
    return np.sort(np.random.Generator(np.random.PCG64(size)).permutation(size)[:SAMPLE])


def pack(array: np.ndarray | Iterable) -> dict:
    """An array as JSON has it: its shape, and its numbers or, of a large one, a sample of them."""
    array = np.asarray(array)
    kept = array.ravel()[places(array.size)]
    kind = bool if array.dtype == bool else int if array.dtype.kind in "iu" else float
    return {"shape": list(array.shape), "values": [kind(value) for value in kept]}


def difference(array: np.ndarray, packed: dict) -> float:
    """The largest difference between an array and a packed one; infinity for another shape or NaN."""
    array = np.asarray(array, "float64")
    if list(array.shape) != list(packed["shape"]):
        return math.inf
    apart = np.abs(array.ravel()[places(array.size)] - np.asarray(packed["values"], "float64"))
    largest = float(apart.max(initial=0.0))
    return math.inf if math.isnan(largest) else largest
