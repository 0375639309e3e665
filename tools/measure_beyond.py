"""Measure what lesson 18 shows as stored runs, and keep it in data/results/beyond_*.json.

    python tools/measure_beyond.py rates --seeds 0         # the learning rates, tried for one seed only
    python tools/measure_beyond.py efficiency pretext permuted

rates        a CNN and a small vision transformer of as many parameters on 2,000 CIFAR-10 pictures, with four learning
             rates each; accuracy on 1,000 validation pictures. The others take what is best there.
efficiency   both, trained on 500, 2,000 and 8,000 pictures for as many steps; accuracy on the 2,000 test pictures,
             and of a linear classifier on their features with 500 labels.
pretext      the CNN learns from 8,000 pictures without labels in which direction they are turned. A linear classifier
             on its features with 500 labels, and the same on random features.
permuted     a CNN and a dense network on 2,000 Fashion-MNIST pictures of 14 pixels, as they are and with all pixels in
             one other order, with three learning rates each.

The file is written after each seed. Seeds that are stored are left as they are, unless --again. The stored files were
made with KERAS_BACKEND=torch, which needs the least time on one core.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _measured
from run_experiments import RESULTS

from cnnlib import results

LESSON = "18_beyond"


def rates(seed: int) -> dict:
    """Network -> rate -> validation accuracy."""
    from cnnlib.beyond import study

    return {name: {str(rate): study.try_rate(name, rate, seed) for rate in study.TRIED} for name in study.NETWORKS}


def best_rates() -> dict[str, float]:
    """Network -> the rate with the highest validation accuracy among the stored runs."""
    tried = results.Experiment("beyond_rates").stored
    return {name: float(max(line, key=lambda rate: line[rate].mean())) for name, line in _lines(tried).items()}


def _lines(runs: results.Runs) -> dict:
    return {name: line.columns() for name, line in runs.columns().items()}


def efficiency(seed: int) -> dict:
    """Network -> pictures -> "network" or "probe" -> test accuracy."""
    from cnnlib.beyond import study

    best = best_rates()
    return {
        name: {str(size): study.on_few(name, size, best[name], seed) for size in study.SIZES} for name in study.NETWORKS
    }


def pretext(seed: int) -> dict:
    """What the features were learned from -> test accuracy of a linear classifier with 500 labels."""
    from cnnlib.beyond import study

    return study.turned(best_rates()["CNN"], seed)


def permuted(seed: int) -> dict:
    """Network -> order of the pixels -> "validation" or "test" -> rate -> accuracy."""
    from cnnlib.beyond import study

    return study.permuted(seed)


EXPERIMENTS = {"rates": rates, "efficiency": efficiency, "pretext": pretext, "permuted": permuted}


def main(arguments: list[str] | None = None) -> int:
    return _measured.main(arguments, __doc__, "beyond", LESSON, EXPERIMENTS, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
