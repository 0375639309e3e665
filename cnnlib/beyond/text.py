"""Letters as a signal of 27 channels: short pieces of a text in sixteen languages, and which language they are.

Lesson 18.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
EPOCHS = 12
#: articles of the declaration: 0 is the preamble. What is said in one part is said in no other, in no language.
PARTS = {"train": range(0, 20), "validation": range(20, 25), "test": range(25, 31)}


class Snippets(NamedTuple):
    """Pieces of text as numbers of letters, int64 (n, length), the language of each, int64 (n,), and their names."""

    x: np.ndarray
    y: np.ndarray
    languages: tuple[str, ...]


def encoded(text: str) -> np.ndarray:
    """The number of each letter in `ALPHABET`, int64. ValueError for a letter that is not in it."""
    if unknown := sorted(set(text) - set(ALPHABET)):
        raise ValueError(f"letters {unknown}: expected a to z in lower case and spaces.")
    return np.array([ALPHABET.index(letter) for letter in text], np.int64)


def decoded(numbers: np.ndarray) -> str:
    """The text of the numbers of its letters."""
    return "".join(ALPHABET[int(number)] for number in numbers)


def snippets(part: str = "train", length: int = 32) -> Snippets:
    """Pieces of the Universal Declaration of Human Rights, as many of each language, one after another in it.

    Args:
        part: "train", "validation" or "test": other articles of the declaration.
        length: letters of a piece.
    """
    from cnnlib import datasets

    if part not in PARTS:
        raise ValueError(f"part={part!r}: choose one of {', '.join(PARTS)}.")
    texts = json.loads(datasets.read("declaration/declaration.json"))
    pieces = []
    for facts in texts.values():
        found = []
        for article in PARTS[part]:
            numbers = encoded(facts["articles"][article])
            found += [numbers[i : i + length] for i in range(0, len(numbers) - length + 1, length)]
        pieces.append(found)
    count = min(map(len, pieces))
    if length < 1 or count == 0:
        raise ValueError(f"length={length}: an article has no piece of that length.")
    names = tuple(facts["name"] for facts in texts.values())
    x = np.concatenate([np.stack(found[:count]) for found in pieces])
    return Snippets(x, np.repeat(np.arange(len(pieces)), count), names)


def network(kernel: int, length: int = 32, classes: int = 16, filters: int = 64, seed: int = 0):
    """One convolution over letters, the greatest response of each filter, logits.

    A filter of `kernel` letters is a detector of groups of that many: 27 weights for each place in the group.

    Args:
        kernel: letters that a filter sees.
        length: letters of an input, int (n, length).
        classes: logits.
        filters: of the convolution.
        seed: of the weights.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((length,), dtype="int32")
    x = layers.CategoryEncoding(len(ALPHABET), output_mode="one_hot")(inputs)
    x = layers.Conv1D(filters, kernel, activation="relu", name="letters")(x)
    x = layers.Dropout(0.3)(layers.GlobalMaxPooling1D()(x))
    return keras.Model(inputs, layers.Dense(classes)(x))


def groups(x: np.ndarray, size: int) -> np.ndarray:
    """The number of each group of `size` letters in a row, int64 (n, length - size + 1), from 0 to 27 ** size - 1."""
    if not 1 <= size <= x.shape[1]:
        raise ValueError(f"groups of {size} of {x.shape[1]} letters.")
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=1)
    return windows @ (len(ALPHABET) ** np.arange(size)[::-1])


def naive_bayes(x: np.ndarray, y: np.ndarray, size: int, add: float = 0.1) -> Callable[[np.ndarray], np.ndarray]:
    """A classifier that counts groups of letters: no training, one table.

    The logarithm of how often each language has a group, `add` to each count, is summed up over a piece.

    Returns:
        a function of pieces (n, length) that gives their classes (n,).
    """
    classes, kinds = int(y.max()) + 1, len(ALPHABET) ** size
    table = np.full((classes, kinds), float(add))
    ids = groups(x, size)
    np.add.at(table, (np.repeat(y, ids.shape[1]), ids.ravel()), 1)
    table = np.log(table / table.sum(1, keepdims=True))
    return lambda pieces: table[:, groups(pieces, size)].sum(-1).argmax(0)


def favourites(kernel: np.ndarray) -> list[str]:
    """For each filter the group of letters that excites it most: kernel (size, 27, filters)."""
    return [decoded(best) for best in np.asarray(kernel).argmax(1).T]
