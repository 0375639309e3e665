"""Measure what lesson 17 shows as stored runs, and keep it in data/results/parallel_*.json.

    python tools/measure_parallel.py                       # all experiments, seeds 0 to 2
    python tools/measure_parallel.py batches --seeds 0 1 2 3 4

devices    three steps on one device and on two simulated ones, by each installed backend's own means, with group and
           with batch normalisation: how far the weights are apart.
batches    a small network trained for ten epochs on 4,000 Fashion-MNIST images of 14 pixels, with batches of 32 to
           2,000 and a range of learning rates each, with a constant rate and with a warm-up of one epoch; accuracy on
           1,000 validation and on 1,000 test images.
longer     the control: batches of 500 for forty epochs, so as many steps as batches of 125 take in ten.

The file is written after each seed. Seeds that are stored are left as they are, unless --again.
"""

import importlib.util
import json
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _measured
from run_experiments import RESULTS, ROOT

from cnnlib import parallel

LESSON = "17_more_than_one_device"
BACKENDS = ("tensorflow", "jax", "torch")
DEVICES = """
import json
from cnnlib import parallel, runtime
if __name__ == "__main__":
    runtime.setup({seed})
    print(json.dumps({{norm: each.differences.tolist() for norm, each in parallel.on_devices().items()}}))
"""
RATES = {
    32: (0.0125, 0.025, 0.05, 0.1, 0.2),
    125: (0.025, 0.05, 0.1, 0.2, 0.4),
    500: (0.05, 0.1, 0.2, 0.4, 0.8, 1.6),
    2000: (0.1, 0.2, 0.4, 0.8, 1.6),
}
WARMED = (500, 2000)


def devices(seed: int) -> dict:
    """Backend -> normalisation -> difference after each step."""
    found = {}
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is None:
            raise SystemExit(f"{backend} is not installed: make backends")
        done = subprocess.run(
            [sys.executable, "-c", DEVICES.format(seed=seed)],
            env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{backend}: {done.stderr[-2000:]}")
        found[backend] = json.loads(done.stdout.splitlines()[-1])
    return found


def batches(seed: int) -> dict:
    """Way of the rate -> "validation" or "test" -> batch -> rate -> accuracy."""
    found: dict = {way: {part: {} for part in ("validation", "test")} for way in ("constant", "warm-up")}
    sweep = parallel.Sweep(seed)
    for size, rates in RATES.items():
        for way in ("constant", "warm-up") if size in WARMED else ("constant",):
            for rate in rates:
                scores = sweep.train(size, rate, warmup=way == "warm-up")
                for part, score in scores.items():
                    found[way][part].setdefault(str(size), {})[str(rate)] = score
                print(f"seed {seed}, batch {size}, {way} {rate}: {scores}", flush=True)
    return found


def longer(seed: int) -> dict:
    """Rate -> validation accuracy of batches of 500 in as many steps as batches of 125 have in ten epochs."""
    sweep = parallel.Sweep(seed, epochs=40)
    return {str(rate): sweep.train(500, rate)["validation"] for rate in (0.2, 0.4)}


EXPERIMENTS = {"devices": devices, "batches": batches, "longer": longer}


def main(arguments: list[str] | None = None) -> int:
    return _measured.main(arguments, __doc__, "parallel", LESSON, EXPERIMENTS, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
