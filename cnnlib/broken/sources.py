"""Where the small projects get their pictures: bundled sets, decoded once, and what happens to a picture on its way."""

from __future__ import annotations

import functools

import numpy as np

from cnnlib import datasets

__all__ = ["cifar", "clothes", "drawn", "shot"]


@functools.lru_cache(maxsize=4)
def clothes(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): pictures (n, 28, 28, 1) uint8, labels (n,), not to be changed."""
    return _kept(datasets.fashion_mnist(size=4000, dtype="uint8"), split)


@functools.lru_cache(maxsize=4)
def cifar(split: str) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 (Krizhevsky 2009): pictures (n, 32, 32, 3) uint8 and labels (n,), not to be changed."""
    return _kept(datasets.cifar10(size=6000, dtype="uint8"), split)


def _kept(data: datasets.Dataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    arrays = (data.x_train, data.y_train) if split == "train" else (data.x_test, data.y_test)
    for array in arrays:
        array.setflags(write=False)
    return arrays


def drawn(
    pictures: np.ndarray, labels: np.ndarray, classes: tuple[int, ...], counts: int | tuple[int, ...], rng
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of these classes in random order, so many of each, and their labels, numbered anew from 0."""
    counts = (counts,) * len(classes) if isinstance(counts, int) else counts
    chosen = [rng.permutation(np.flatnonzero(labels == kind))[:count] for kind, count in zip(classes, counts)]
    new = np.repeat(np.arange(len(classes)), [len(part) for part in chosen])
    order = rng.permutation(len(new))
    return pictures[np.concatenate(chosen)[order]], new[order]


def shot(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same scene a moment later, uint8: moved by at most a pixel, brighter or darker, with a little noise."""
    top, left = rng.integers(0, 3, 2)
    height, width = picture.shape[:2]
    moved = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")[top : top + height, left : left + width]
    return np.clip(moved * rng.uniform(0.8, 1.2) + rng.normal(0, 5, picture.shape), 0, 255).astype("uint8")
