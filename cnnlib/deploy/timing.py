"""How long a call takes: percentiles of wall-clock time, processor time beside it, and what the clock can tell.

A mean hides the calls that take ten times as long, and the first calls plan, compile and fill caches. So calls are made
beforehand that do not count, each further call keeps a time of its own, and what is told are percentiles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Timing", "compare", "latency", "resolution"]

STEPS = 100  # a time is told to a hundredth: it is at least so many of the smallest steps of the clock


@dataclass(frozen=True)
class Timing:
    """Times of one call, in milliseconds.

    Attributes:
        wall: of each repetition, (n,).
        processor: the same in processor time of all threads; much less than wall time where the call waits or other
            programs take turns with it, more where several cores work.
        first: of the very first call, which plans or compiles.
        calls: how many calls one repetition made, because one alone is too short for the clock.
        resolution: smallest step of the clock.
    """

    wall: np.ndarray = field(repr=False)
    processor: np.ndarray = field(repr=False)
    first: float
    calls: int
    resolution: float

    def percentile(self, which: float) -> float:
        """Wall time that ``which`` of 100 repetitions stay below or meet; NaN if there are too few to tell.

        p99 of 20 repetitions would be the slowest of them, and says nothing about one in a hundred.
        """
        few = len(self.wall) * (100 - which) / 100 < 1 and which > 50
        return float("nan") if few else float(np.percentile(self.wall, which))

    @property
    def p50(self) -> float:
        return self.percentile(50)

    @property
    def p95(self) -> float:
        return self.percentile(95)

    @property
    def p99(self) -> float:
        return self.percentile(99)

    @property
    def shortest(self) -> float:
        """Least wall time: what the call itself needs, since all else that the machine does can only add to it."""
        return float(np.min(self.wall))

    @property
    def cpu(self) -> float:
        """Median processor time."""
        return float(np.median(self.processor))

    def __str__(self) -> str:
        known = {name: value for name in ("p50", "p95", "p99") if np.isfinite(value := getattr(self, name))}
        told = [f"{name} {value:.3g}" for name, value in known.items()]
        text = f"{', '.join(told)} ms; processor {self.cpu:.3g} ms; first call {self.first:.3g} ms"
        return text + (f"; means of {self.calls} calls" if self.calls > 1 else "")

    __repr__ = __str__


def resolution() -> float:
    """The smallest step that the clock makes, in milliseconds, as seen: the stated one may be finer."""
    steps = []
    for _ in range(20):
        start = now = time.perf_counter()
        while now == start:
            now = time.perf_counter()
        steps.append(now - start)
    return 1000 * max(min(steps), time.get_clock_info("perf_counter").resolution)


def latency(call: Callable, *arguments, repetitions: int = 50, warm_up: int = 3) -> Timing:
    """Time ``call(*arguments)``, which must wait until its result is there, as everything that gives NumPy arrays does.

    Args:
        call: what to time, as a network from `deploy.load`.
        arguments: what it is given each time.
        repetitions: times that count; p95 needs 20, p99 a hundred.
        warm_up: calls before, the very first one included, which do not count.

    Raises:
        ValueError: fewer than one repetition or call before.
    """
    return compare({"": call}, *arguments, repetitions=repetitions, warm_up=warm_up)[""]


def compare(calls: Mapping[str, Callable], *arguments, repetitions: int = 50, warm_up: int = 3) -> dict[str, Timing]:
    """Time several calls with the same arguments in turns, so that a slow moment hits all alike. As `latency`."""
    if repetitions < 1 or warm_up < 1:
        raise ValueError(
            f"repetitions={repetitions}, warm_up={warm_up}: expected 1 or more; the first call is no measure."
        )
    if not calls:
        raise ValueError("there is nothing to time: calls is empty.")
    step = resolution()
    first, many = {}, {}
    for name, call in calls.items():
        first[name] = _once(call, arguments)[0]
        shortest = min([_once(call, arguments)[0] for _ in range(warm_up - 1)], default=first[name])
        many[name] = max(1, min(1000, int(np.ceil(STEPS * step / max(shortest, step)))))
    wall, processor = ({name: [] for name in calls} for _ in range(2))
    for _ in range(repetitions):
        for name, call in calls.items():
            took, worked = _once(call, arguments, many[name])
            wall[name].append(took)
            processor[name].append(worked)
    return {
        name: Timing(np.array(wall[name]), np.array(processor[name]), first[name], many[name], step) for name in calls
    }


def _once(call: Callable, arguments: tuple, count: int = 1) -> tuple[float, float]:
    """Milliseconds of wall-clock and of processor time, for one of ``count`` calls."""
    worked, started = time.process_time(), time.perf_counter()
    for _ in range(count):
        call(*arguments)
    return 1000 * (time.perf_counter() - started) / count, 1000 * (time.process_time() - worked) / count
