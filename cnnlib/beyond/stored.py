"""Of stored runs with several rates: which is best on validation data, and what it reaches on the test. Lesson 18."""

from __future__ import annotations

import numpy as np


def chosen(name: str) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The rate of each choice with the best mean over seeds on validation data, and its test values, one a seed.

    Args:
        name: of an experiment whose runs hold "validation" and "test" -> choice -> rate -> value.
    """
    from cnnlib import results

    runs = results.Experiment(name).stored
    valid = {choice: rates.columns() for choice, rates in runs["validation"].columns().items()}
    best = {choice: max(rates, key=lambda rate: rates[rate].mean()) for choice, rates in valid.items()}
    return best, {choice: runs["test"][choice][rate] for choice, rate in best.items()}
