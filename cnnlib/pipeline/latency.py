"""Where the time of a pipeline goes: percentiles of each stage. Lessons 14 and 16.

A mean hides the pictures that take ten times as long, and it is these that users wait for. So what is kept of each
image is its own time in each stage, and what is shown are the median, the 95th and the 99th percentile.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

__all__ = ["STAGES", "Latency", "measure_latency"]

STAGES = ("decode", "resize", "forward", "post-processing")
KEPT = 10_000  # images of which times are kept; older ones are forgotten


class Latency:
    """Seconds of each image in each stage. A batch's forward pass is shared out evenly."""

    def __init__(self, stages: Iterable[str] = STAGES, kept: int = KEPT):
        self._seconds: dict[str, deque] = {stage: deque(maxlen=kept) for stage in stages}

    def add(self, stage: str, seconds: float, images: int = 1) -> None:
        """``images`` of a batch took ``seconds`` together."""
        if stage not in self._seconds:
            raise ValueError(f"stage={stage!r}: choose one of {', '.join(map(repr, self._seconds))}.")
        self._seconds[stage].extend([seconds / images] * images)

    @contextlib.contextmanager
    def timed(self, stage: str, images: int = 1) -> Iterator[None]:
        """What happens within it is counted for the stage, unless it raises."""
        started = time.perf_counter()
        yield
        self.add(stage, time.perf_counter() - started, images)

    def clear(self) -> None:
        """Forget everything, as after warming up."""
        for times in self._seconds.values():
            times.clear()

    def __len__(self) -> int:
        """Images that went through all stages."""
        return min(map(len, self._seconds.values()))

    def seconds(self, stage: str) -> np.ndarray:
        """What each image took in a stage, the latest last."""
        return np.array(self._seconds[stage])

    def percentiles(self, which: Iterable[float] = (50, 95, 99)) -> dict[str, dict[float, float]]:
        """Milliseconds by stage and percentile; NaN where nothing was measured."""
        which = list(which)
        found = {}
        for stage, times in self._seconds.items():
            values = np.percentile(times, which) * 1000 if times else np.full(len(which), np.nan)
            found[stage] = dict(zip(which, map(float, values)))
        return found

    def shares(self) -> dict[str, float]:
        """The share of each stage in all the time."""
        sums = {stage: float(sum(times)) for stage, times in self._seconds.items()}
        total = sum(sums.values())
        return {stage: value / total if total else float("nan") for stage, value in sums.items()}

    def __str__(self) -> str:
        if not any(self._seconds.values()):
            return "nothing was measured yet"
        percentiles, shares = self.percentiles(), self.shares()
        columns = list(next(iter(percentiles.values())))
        width = max(map(len, percentiles))
        lines = [f"{'ms an image':<{width}}" + "".join(f"{f'p{c:g}':>9}" for c in columns) + f"{'share':>9}"]
        for stage, row in percentiles.items():
            lines.append(f"{stage:<{width}}" + "".join(f"{row[c]:>9.2f}" for c in columns) + f"{shares[stage]:>9.0%}")
        return "\n".join(lines)

    __repr__ = __str__


def measure_latency(pipeline, sources: Iterable, repetitions: int = 20, batch_size: int = 1) -> Latency:
    """The times of a pipeline on some images, warm: the first round, in which the backend compiles, does not count.

    Args:
        pipeline: a `Pipeline`.
        sources: what it takes.
        repetitions: rounds through all of them.
        batch_size: images in a forward pass.
    """
    sources = list(sources)
    own, pipeline.latency = pipeline.latency, Latency()
    try:
        for turn in range(repetitions + 1):
            for start in range(0, len(sources), batch_size):
                pipeline.answers(sources[start : start + batch_size], batch_size=batch_size)
            if turn == 0:
                pipeline.latency.clear()
        return pipeline.latency
    finally:
        pipeline.latency = own
