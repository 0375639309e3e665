"""The roofline of this machine, and where the layers of a network lie under it (Williams and others 2009). Lesson 16.

A processor can do so many operations a second, its **peak**, and fetch so many bytes, its **bandwidth**. A layer does a
number of operations with each byte that it moves, its arithmetic **intensity**. So it reaches

    min(peak, bandwidth x intensity)

operations a second at most: low intensity waits for memory, high intensity for arithmetic. They meet at the **ridge**.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnlib.trace.result import Trace

__all__ = ["LayerCost", "Machine", "intensities", "machine"]


@dataclass(frozen=True)
class Machine:
    """What a machine can do: ``peak`` in operations a second, ``bandwidth`` in bytes a second."""

    peak: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The intensity, in operations per byte, above which arithmetic is the limit."""
        return self.peak / self.bandwidth

    def roof(self, intensity):
        """Operations a second that are possible at an intensity (a number or an array)."""
        return np.minimum(self.peak, self.bandwidth * np.asarray(intensity, float))

    def seconds(self, operations: float, moved: float) -> float:
        """The least time for so many operations on so many bytes."""
        return max(operations / self.peak, moved / self.bandwidth)

    def __str__(self) -> str:
        return (
            f"{self.peak / 1e9:.0f} G operations/s, {self.bandwidth / 1e9:.1f} GB/s, ridge at {self.ridge:.1f} "
            "operations per byte"
        )

    __repr__ = __str__


def machine(seconds: float = 1.0, multiply: Callable | None = None) -> Machine:
    """Measure this machine: its best matrix product in float32, and its best stream through memory.

    Args:
        seconds: how long to measure, about.
        multiply: what multiplies two matrices (n, n); NumPy's own product if not given.

    Raises:
        ValueError: not above 0 seconds.
    """
    if not seconds > 0:
        raise ValueError(f"seconds={seconds}: expected more than 0.")
    multiply = multiply or np.matmul
    rng = np.random.default_rng(0)
    peak = 0.0
    for size in (512, 1024):
        left, right = rng.random((2, size, size), np.float32)
        peak = max(peak, 2 * size**3 / _fastest(lambda left=left, right=right: multiply(left, right), seconds / 4))
    # 64 MB each, more than fits into most caches. An addition reads two arrays and writes one.
    one, two, three = (np.ones(2**24, np.float32) for _ in range(3))
    bandwidth = max(
        12 * one.size / _fastest(lambda: np.add(one, two, out=three), seconds / 4),
        8 * one.size / _fastest(lambda: np.copyto(three, one), seconds / 4),
    )
    return Machine(peak, bandwidth)


def _fastest(call: Callable, seconds: float) -> float:
    """The shortest of at least three calls: whatever else the machine does can only add to it."""
    call()
    ends, best, count = time.perf_counter() + seconds, math.inf, 0
    while count < 3 or time.perf_counter() < ends:
        started = time.perf_counter()
        call()
        best, count = min(best, time.perf_counter() - started), count + 1
    return best


@dataclass(frozen=True)
class LayerCost:
    """What a layer does with a batch: floating-point operations (two for a multiply-accumulate) and bytes moved."""

    name: str
    type: str
    operations: float
    moved: float

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.moved


def intensities(traced: Trace, batch: int = 1, bytes_each: int = 4) -> dict[str, LayerCost]:
    """The cost of each layer of a `trace` that multiplies, by name.

    Input, weights and output each go through memory once: the least that a layer by itself can move. What is fused with
    its neighbours moves less, what does not stay in the cache more.

    Args:
        traced: ``trace(model)``.
        batch: images at a time. They share the weights.
        bytes_each: 4 for float32, 2 for float16, 1 for int8.
    """
    if batch < 1 or bytes_each < 1:
        raise ValueError(f"batch={batch}, bytes_each={bytes_each}: expected 1 or more.")
    sizes = {row.name: math.prod(row.output_shape) for row in traced}
    found = {}
    for row in traced:
        if row.macs:
            read = sum(sizes.get(name, 0) for name in row.inputs)
            moved = bytes_each * (batch * (read + sizes[row.name]) + row.parameters)
            found[row.name] = LayerCost(row.name, row.type, 2.0 * batch * row.macs, float(moved))
    return found
