"""Measure what lesson 18 shows as stored runs of signals, text and volumes, and keep it in data/results/grids_*.json.

    python tools/measure_grids.py                       # all experiments, seeds 0 to 2
    python tools/measure_grids.py voices --seeds 0 1 2 3 4

voices     five telephone voices by quarters of a second: a network on the waveform, one on the spectrogram, and a
           linear classifier on the mean of the spectrogram over time, each with four learning rates; accuracy on 150
           validation pieces and on 300 test pieces.
letters    sixteen languages by 32 letters: filters of one, three and five letters, each with four learning rates;
           accuracy on validation and on test articles.
volumes    noise taken from a brain: networks of 2-D kernels on slices, with more filters and with neighbours, and of
           3-D kernels, each with three learning rates; decibels in the validation and in the test part.

The file is written after each seed. Seeds that are stored are left as they are, unless --again.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _measured
from run_experiments import RESULTS

from cnnlib.beyond import signals, text, volumes

LESSON = "18_beyond"
RATES = {
    "waveform": (0.001, 0.003, 0.01, 0.03),
    "spectrogram": (0.0003, 0.001, 0.003, 0.01),
    "linear": (0.003, 0.01, 0.03, 0.1),
}


def voices(seed: int) -> dict:
    """ "validation" or "test" -> what is seen -> rate -> accuracy."""
    found: dict = {part: {kind: {} for kind in RATES} for part in ("validation", "test")}
    pieces = {part: signals.voices(part) for part in ("train", "validation", "test")}
    for kind, rates in RATES.items():
        seen = dict(zip(pieces, signals.seen(kind, *(each.x for each in pieces.values()))))
        for rate in rates:
            model = signals.network(kind, seen["train"].shape[1:], seed=seed)
            signals.trained(model, seen["train"], pieces["train"].y, rate, signals.EPOCHS)
            for part in found:
                found[part][kind][str(rate)] = signals.accuracy(model, seen[part], pieces[part].y)
            print(f"seed {seed}, {kind} {rate}: {[found[part][kind][str(rate)] for part in found]}", flush=True)
    return found


def letters(seed: int) -> dict:
    """ "validation" or "test" -> letters in a filter -> rate -> accuracy."""
    found: dict = {part: {} for part in ("validation", "test")}
    pieces = {part: text.snippets(part) for part in ("train", "validation", "test")}
    for kernel in (1, 3, 5):
        for rate in (0.003, 0.01, 0.03, 0.1):
            model = text.network(kernel, seed=seed)
            signals.trained(model, pieces["train"].x, pieces["train"].y, rate, text.EPOCHS)
            for part in found:
                score = signals.accuracy(model, pieces[part].x, pieces[part].y)
                found[part].setdefault(str(kernel), {})[str(rate)] = score
            print(f"seed {seed}, {kernel} letters, {rate}: {score}", flush=True)
    return found


def brains(seed: int) -> dict:
    """ "validation" or "test" -> network -> rate -> decibels."""
    found: dict = {part: {} for part in ("validation", "test")}
    brain = volumes.brain()
    for kind in volumes.NETWORKS:
        for rate in (0.001, 0.003, 0.01):
            model = volumes.network(kind, seed)
            volumes.trained(model, volumes.region(brain, "train"), rate, volumes.STEPS, seed)
            for part in found:
                clean = volumes.region(brain, part)
                score = volumes.psnr(clean, volumes.denoised(model, volumes.noisy(clean, 100 + seed)))
                found[part].setdefault(kind, {})[str(rate)] = score
            print(f"seed {seed}, {kind} {rate}: {score}", flush=True)
    return found


EXPERIMENTS = {"voices": voices, "letters": letters, "volumes": brains}


def main(arguments: list[str] | None = None) -> int:
    return _measured.main(arguments, __doc__, "grids", LESSON, EXPERIMENTS, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
