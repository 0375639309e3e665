"""One run of a sweep: ``python -m cnnlib.parallel.trial --rate 0.1``. NumPy alone, so that it takes a second.

A linear classifier of Fashion-MNIST by batches of gradient descent; the last line is JSON with its validation accuracy.
With ``--die-once FILE`` the process kills itself in the middle, but not if that file is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from pathlib import Path

import numpy as np


def train(rate: float, seed: int, epochs: int = 5, batch: int = 50, half_way=lambda: None) -> float:
    """Validation accuracy of a linear classifier on 500 images, trained on 2,000 others."""
    x, y = _images()
    order = np.random.default_rng(seed).permutation(len(x))
    x, y, held_x, held_y = x[order[:2000]], y[order[:2000]], x[order[2000:2500]], y[order[2000:2500]]
    weights = np.zeros((x.shape[1] + 1, 10), "float32")
    x, held_x = (np.c_[each, np.ones(len(each), "float32")] for each in (x, held_x))
    for epoch in range(epochs):
        if epoch == epochs // 2:
            half_way()
        rows = np.random.default_rng([seed, epoch]).permutation(len(x))
        for chosen in rows.reshape(-1, batch):
            logits = x[chosen] @ weights
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[np.arange(batch), y[chosen]] -= 1
            weights -= np.float32(rate / batch) * (x[chosen].T @ p)
    return float(((held_x @ weights).argmax(1) == held_y).mean())


def _images() -> tuple[np.ndarray, np.ndarray]:
    from cnnlib import datasets

    data = datasets.fashion_mnist(size=2500, test_size=10)
    return (data.x_train.reshape(2500, -1) - 0.28).astype("float32"), data.y_train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--die-once", type=Path)
    options = parser.parse_args()

    def die() -> None:
        if options.die_once and not options.die_once.exists():
            options.die_once.touch()
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    print(json.dumps({"accuracy": train(options.rate, options.seed, options.epochs, half_way=die)}))


if __name__ == "__main__":
    main()
