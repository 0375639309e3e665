"""A small collection of clothes with three faults in it, and where they are (exercise 08.7).

Trousers, bags and ankle boots of Fashion-MNIST, which even the nearest neighbour tells apart. Somebody has put some
training pictures among the test pictures, brighter or darker; some training labels are wrong; and one batch of training
pictures was divided by 255 twice. Some pictures have two of the faults.
"""

from typing import NamedTuple

import numpy as np

from cnnlib import datasets

CLASSES = ("trousers", "bag", "ankle boot")
_NUMBERS = (1, 8, 9)
TRAIN, TEST = 300, 90
DARK, LEAKED, WRONG = 24, 15, 12
_BOTH = 3  # of the leaked and of the wrong ones: how many are in the dark batch too


class Collection(NamedTuple):
    """What the learner gets: pictures (n, 28, 28, 1), float32, which should be from 0 to 1, and labels from 0 to 2."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


class Faults(NamedTuple):
    """Where the faults are, each in rising order.

    ``dark`` and ``wrong`` are numbers of training pictures, ``leaked`` numbers of test pictures, and ``twins`` those of
    the training pictures that they show.
    """

    dark: np.ndarray
    leaked: np.ndarray
    wrong: np.ndarray
    twins: np.ndarray


def collection() -> Collection:
    """The collection, the same each time."""
    return _made()[0]


def faults() -> Faults:
    """Where its faults are."""
    return _made()[1]


def _made() -> tuple[Collection, Faults]:
    rng = np.random.default_rng(8)
    source = datasets.fashion_mnist()
    chosen = rng.permutation(np.concatenate([np.flatnonzero(source.y_train == c)[: TRAIN // 3] for c in _NUMBERS]))
    others = rng.permutation(np.concatenate([np.flatnonzero(source.y_test == c)[: TEST // 3] for c in _NUMBERS]))
    x, y = source.x_train[chosen].copy(), np.searchsorted(_NUMBERS, source.y_train[chosen])
    x_test, y_test = source.x_test[others].copy(), np.searchsorted(_NUMBERS, source.y_test[others])

    order = rng.permutation(TRAIN)  # three runs of it that meet in a few pictures
    dark = order[:DARK]
    twins = order[DARK - _BOTH :][:LEAKED]
    wrong = np.concatenate([order[:_BOTH], order[DARK + LEAKED :][: WRONG - _BOTH]])
    leaked = rng.choice(TEST, LEAKED, replace=False)
    light = rng.uniform(0.6, 0.9, (LEAKED, 1, 1, 1)).astype("float32")
    x_test[leaked], y_test[leaked] = light * x[twins], y[twins]
    y[wrong] = (y[wrong] + rng.integers(1, 3, len(wrong))) % 3
    x[dark] /= 255
    by_test = np.argsort(leaked)
    found = Faults(np.sort(dark), leaked[by_test], np.sort(wrong), twins[by_test])
    return Collection(x, y.astype("int64"), x_test, y_test.astype("int64")), found
