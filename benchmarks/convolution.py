"""The course's convolutions in NumPy against their peers: time as a multiple of one matrix product of the same size.

    python benchmarks/convolution.py               # 8 images of 32 x 32 x 64 to 64 channels, 3 x 3
    python benchmarks/convolution.py --threads 1   # the same on one core: steadier on a busy machine
    python benchmarks/convolution.py --quick       # a smaller layer and few repetitions, to see that it runs

Everything is measured in one run, in turns, so that a slow minute of the machine slows all of it alike; of the
repetitions the median counts. The results are compared with each other first: a disagreement ends the run with exit
status 1. PyTorch and TensorFlow take part if they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from cnnlib import reference

FLOOR = "NumPy product of this size"
IM2COL = "im2col and one product"
FLAT = "products over flat rows"
TARGETS = {IM2COL: 1.4, FLAT: 1.4}
# What the numerical libraries read when they are imported: OpenBLAS, OpenMP (PyTorch), MKL, Accelerate, TensorFlow.
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def einsum(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Where many NumPy tutorials end: the windows contracted with the kernel."""
    return np.einsum("nyxijc,ijcf->nyxf", reference.windows(x, w.shape[:2], padding="same"), w, optimize=True)


def torch_channels_last(x: np.ndarray, w: np.ndarray) -> Callable[[], np.ndarray]:
    import torch

    images = torch.from_numpy(x).permute(0, 3, 1, 2)  # NCHW in name, NHWC in memory: what channels_last means
    kernels = torch.from_numpy(w.transpose(3, 2, 0, 1).copy()).to(memory_format=torch.channels_last)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return torch.nn.functional.conv2d(images, kernels, padding="same").permute(0, 2, 3, 1).numpy()

    return run


def tensorflow_eager(x: np.ndarray, w: np.ndarray) -> Callable[[], np.ndarray]:
    import tensorflow as tf

    images, kernels = tf.constant(x), tf.constant(w)
    return lambda: tf.nn.conv2d(images, kernels, strides=1, padding="SAME").numpy()


PEERS = {
    "torch": ("PyTorch, channels_last", torch_channels_last),
    "tensorflow": ("TensorFlow, eager", tensorflow_eager),
}


def competitors(x: np.ndarray, w: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """Name -> a function that computes the convolution of x with w, ``padding="same"``."""
    entries = {
        IM2COL: lambda: reference.conv2d(x, w, padding="same"),
        FLAT: lambda: reference.conv2d_flat(x, w, padding="same"),
        "einsum over windows": lambda: einsum(x, w),
    }
    for package, (name, make) in PEERS.items():
        if importlib.util.find_spec(package):
            entries[name] = make(x, w)
        else:
            print(f"{name}: not installed, left out")
    return entries


def disagreements(results: dict[str, np.ndarray], expected: np.ndarray) -> list[str]:
    """Names and errors of the results that differ from ``expected`` (float64) by more than float32 rounding."""
    limit = 1e-5 * np.abs(expected).max()
    errors = {name: np.abs(result - expected).max() for name, result in results.items()}
    return [f"{name}: off by {error:.2e}, allowed {limit:.2e}" for name, error in errors.items() if not error <= limit]


def in_turns(functions: dict[str, Callable], repetitions: int) -> dict[str, float]:
    """Median seconds of each function. Each turn warms it up with one call and times the next."""
    times = {name: [] for name in functions}
    for _ in range(repetitions):
        for name, function in functions.items():
            function()
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(quick: bool, repetitions: int) -> int:
    """Compare the results, then print the ratios; 1 if the results disagree, else 0."""
    batch, size, channels, filters = (2, 12, 8, 8) if quick else (8, 32, 64, 64)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, size, size, channels), np.float32)
    w = rng.standard_normal((3, 3, channels, filters), np.float32)
    expected = reference.conv2d(x.astype(np.float64), w.astype(np.float64), padding="same")

    functions = competitors(x, w)
    strip = reference.pad(x[:1], 1)[:, :4]  # what the first two rows of output need
    loops = reference.conv2d_loops(strip, w)
    wrong = disagreements({name: function() for name, function in functions.items()}, expected)
    wrong += disagreements({"four loops": loops}, expected[:1, :2])
    if wrong:
        print("The results disagree:", *wrong, sep="\n  ")
        return 1

    columns, matrix = reference.im2col(x, 3, padding="same"), w.reshape(-1, filters)
    seconds = in_turns({FLOOR: lambda: columns @ matrix, **functions}, repetitions)
    part = expected.size // loops.size
    strip_seconds = in_turns({"": lambda: reference.conv2d_loops(strip, w)}, min(repetitions, 3))[""]
    seconds[f"four loops (extrapolated from 1/{part})"] = strip_seconds * part

    floor = seconds[FLOOR]
    operations = 2 * expected.size * matrix.shape[0]
    print(
        f"3 x 3 convolution of {batch} x {size} x {size} x {channels} to {filters} channels, float32; all results agree"
    )
    print(f"1.00 = {floor * 1e3:.2f} ms, {operations / floor / 1e9:.0f} GFLOP/s; median of {repetitions}, in turns")
    for name, value in sorted(seconds.items(), key=lambda item: item[1]):
        target = f" (target {TARGETS[name]})" if name in TARGETS and not quick else ""
        print(f"{value / floor:9.2f}  {name}{target}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller layer and few repetitions")
    parser.add_argument("--repetitions", type=int, help="turns, of which the median counts (41; quick: 3)")
    parser.add_argument("--threads", type=int, help="threads of every library; without it each takes what it likes")
    options = parser.parse_args(arguments)
    repetitions = options.repetitions or (3 if options.quick else 41)
    if options.threads:  # the libraries look only once, when imported: start again
        command = [sys.executable, __file__, "--repetitions", str(repetitions), *["--quick"] * options.quick]
        return subprocess.run(command, env=os.environ | dict.fromkeys(THREADS, str(options.threads))).returncode
    return measure(options.quick, repetitions)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
