"""How fast this machine is, and what a lesson will take on it.

Processors differ by a factor of four, so one column of seconds misleads. The course map names two processors, a fast
and a slow one, with the seconds of every lesson on both and the index that :func:`measure` gave there
(``data/timings.json``, written by ``tools/timings.py``). What a lesson takes here lies where this machine's index lies.
"""

import json
import math
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

# Work of one unit: what took 0.1 s each on the processor that the index was made on. The lessons spend their time on
# both: building and tracing models is Python, training is convolution.
_LOOPS = 4_000_000
_CONVOLUTIONS = 6


def measure(seconds: float = 2.0) -> float:
    """The speed index of this machine for the backend in use: about 1 on a fast processor of 2026, 0.3 on a slow one.

    The median over some rounds, each of which runs a loop in Python and 3x3 convolutions of 32 images of 32x32x64 to
    64 channels.

    Args:
        seconds: how long to measure, at most; never fewer than three rounds.
    """
    import numpy as np  # here: runtime imports this module, and must come before all that is heavy
    from keras import ops

    images, kernel = np.ones((32, 32, 32, 64), "float32"), np.ones((3, 3, 64, 64), "float32")
    images, kernel = ops.convert_to_tensor(images), ops.convert_to_tensor(kernel)
    ops.convert_to_numpy(ops.conv(images, kernel, padding="same"))  # whatever is compiled or allocated once
    started = time.perf_counter()
    rounds: list[float] = []
    while len(rounds) < 3 or (time.perf_counter() - started) * (1 + 1 / len(rounds)) < seconds:
        before = time.perf_counter()
        _count(_LOOPS)
        for _ in range(_CONVOLUTIONS):
            result = ops.conv(images, kernel, padding="same")
        ops.convert_to_numpy(result)
        rounds.append(time.perf_counter() - before)
    return 0.2 / sorted(rounds)[len(rounds) // 2]


def _count(steps: int) -> int:
    total = 0
    for step in range(steps):
        total += step & 3
    return total


def processor() -> str:
    """The name of this machine's processor, as its maker gives it; its architecture where no name is to be had."""
    try:
        if sys.platform == "linux":
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
            names = [line.partition(":")[2] for line in lines if line.lower().startswith("model name")]
            name = names[0] if names else ""
        elif sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            name = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
        else:
            name = platform.processor()
    except (OSError, subprocess.SubprocessError):
        name = ""
    return " ".join(name.split()) or platform.machine() or "unknown"


def instructions() -> str:
    """The widest vector instructions that oneDNN may use here: ``"AVX-512"``, ``"AVX2"``, or an empty text."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return ""
    limited = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    if "avx512f" in flags and not limited.startswith(("AVX2", "AVX", "SSE")):
        return "AVX-512"
    return "AVX2" if "avx2" in flags else ""


def expected(lesson: str, index: float, timings: dict) -> float | None:
    """Seconds that all cells of a lesson will take on a machine of that index; None if the lesson was not measured.

    Between the two processors of the course map the seconds lie on a straight line in logarithms, beyond them they
    are inversely proportional to the index.

    Args:
        lesson: number of the lesson, ``"04"``.
        index: what :func:`measure` gives, above 0.
        timings: the content of ``data/timings.json``.
    """
    if index <= 0:
        raise ValueError(f"a speed index is above 0; {index!r} was given")
    points = sorted(
        (kind["index"], kind["lessons"][lesson]["seconds"])
        for kind in timings.get("processors", {}).values()
        if lesson in kind.get("lessons", {})
    )
    if not points:
        return None
    for at, seconds in (points[0], points[-1]):
        if (index <= at) == ((at, seconds) == points[0]) or len(points) == 1:
            return seconds * at / index
    (low, slow), (high, fast) = points[0], points[-1]
    share = math.log(index / low) / math.log(high / low)
    return math.exp(math.log(slow) + share * math.log(fast / slow))


def load(path: Path) -> dict:
    """The content of ``data/timings.json``; empty if it is missing or damaged: an estimate is no reason to fail."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
