"""Splits that keep apart what belongs together, and near-duplicates found by a perceptual hash. Lesson 08.

A split is a pair of index arrays, (train, test): ``x[train]`` and ``x[test]``. Each example is in exactly one of them.

======================  ===========================================================================================
`random_split`          any example may go to either side
`grouped_split`         examples of a group (patient, burst of photographs, video) stay together
`time_split`            the latest examples are the test
`perceptual_hash`       a fingerprint of an image that survives small changes (the difference hash, Krawetz 2013)
`near_duplicates`       pairs of images whose fingerprints are close
`duplicate_groups`      the groups that such pairs form, for `grouped_split`
======================  ===========================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnlib import runtime

__all__ = ["duplicate_groups", "grouped_split", "near_duplicates", "perceptual_hash", "random_split", "time_split"]

Split = tuple[np.ndarray, np.ndarray]


# --- splits ----------------------------------------------------------------------------------------------------------


def random_split(count: int, test: float = 0.2, seed: int | None = None) -> Split:
    """Give each of ``count`` examples to the training or the test set by chance.

    Args:
        count: how many examples there are.
        test: share that goes to the test set, rounded up to whole examples.
        seed: decides who goes where; None for that of `runtime.setup`.

    Returns:
        ``(train, test)``: two sorted arrays of indices.

    Raises:
        ValueError: the share is not between 0 and 1, or one side would be empty.
    """
    held_out = _held_out(count, test, "examples")
    chosen = _generator(seed).permutation(count)[:held_out]
    return _split(np.isin(np.arange(count), chosen))


def grouped_split(groups: Sequence | np.ndarray, test: float = 0.2, seed: int | None = None) -> Split:
    """Give each *group* as a whole to the training or the test set, by chance.

    Args:
        groups: for each example the group it belongs to, (n,): numbers or texts.
        test: share of the groups, not of the examples, that goes to the test set, rounded up to whole groups. It is
            what scikit-learn's ``GroupShuffleSplit`` calls ``test_size``.
        seed: decides which groups go where; None for that of `runtime.setup`.

    Returns:
        ``(train, test)``: two sorted arrays of indices.

    Raises:
        ValueError: ``groups`` is not one value for each example, the share is not between 0 and 1, or there are too
            few groups to have one on each side.
    """
    groups = _one_each(groups, "groups")
    names, number = np.unique(groups, return_inverse=True)
    held_out = _held_out(len(names), test, "groups")
    chosen = _generator(seed).permutation(len(names))[:held_out]
    return _split(np.isin(number, chosen))


def time_split(times: Sequence | np.ndarray, test: float = 0.2) -> Split:
    """Train on what came first, test on what came last. Examples of one time stay together.

    Args:
        times: when each example was taken, (n,): numbers or dates, in any order.
        test: share of the examples that goes to the test set. If the cut falls between examples of one time, all of
            them go to the test set, so that everything in it is later than everything in the training set.

    Returns:
        ``(train, test)``: two sorted arrays of indices.

    Raises:
        ValueError: ``times`` is not one value for each example, holds NaN, the share is not between 0 and 1, or
            nothing would be left to train on.
    """
    times = _one_each(times, "times")
    if (times != times).any():  # NaN and NaT alone differ from themselves
        raise ValueError("times holds NaN: an example without a time cannot be before or after another.")
    held_out = _held_out(len(times), test, "examples")
    first_of_test = np.sort(times)[len(times) - held_out]
    late = times >= first_of_test
    if late.all():
        raise ValueError(
            f"the first {len(times) - held_out} examples are of the same time as the first one of the test set, so "
            "nothing is left to train on. Is the time too coarse, or test too large?"
        )
    return _split(late)


def _split(is_test: np.ndarray) -> Split:
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _held_out(count: int, test: float, what: str) -> int:
    """How many of ``count`` go to the test set."""
    if not 0 < test < 1:
        raise ValueError(f"test={test}: expected a share between 0 and 1, as 0.2 for a fifth.")
    held_out = math.ceil(test * count)
    if held_out >= count:
        raise ValueError(
            f"{count} {what} with test={test}: {held_out} would go to the test set and none is left to train on."
        )
    return held_out


def _one_each(values: Sequence | np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} of shape {array.shape}: expected one value for each example, shape (n,).")
    return array


def _generator(seed: int | None) -> np.random.Generator:
    return np.random.default_rng(runtime.seed() if seed is None else seed)


# --- near-duplicates -------------------------------------------------------------------------------------------------


def perceptual_hash(images: Sequence | np.ndarray, size: int = 8) -> np.ndarray:
    """A fingerprint of each image that small changes leave almost as it is: the difference hash.

    The image is made grey and shrunk to ``size`` rows of ``size + 1`` pixels, each the mean of its area. A bit says
    whether a pixel is brighter than its left neighbour. Brightness and contrast cancel, and fine detail and noise are
    averaged away; a flip, a rotation or a large crop gives another fingerprint.

    Args:
        images: a batch (n, height, width, channels) or (n, height, width), or a list of images of any sizes; integers
            or floats in any range.
        size: rows of the shrunken image.

    Returns:
        bool, (n, size * size).

    Raises:
        ValueError: something is no image, or ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"size={size}: expected 1 or more.")
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = images.mean(axis=-1, dtype="float32")
    if isinstance(images, np.ndarray) and images.ndim == 3:
        small = _shrunk(images, size)
    else:
        grey = [_grey(image, position) for position, image in enumerate(images)]
        small = np.stack([_shrunk(image[None], size)[0] for image in grey]) if grey else np.zeros((0, size, size + 1))
    # A difference that is float noise must not decide a bit: in a flat area every bit is 0.
    spread = 1e-5 * np.abs(small).max(axis=(1, 2), keepdims=True, initial=0)
    return (small[:, :, 1:] - small[:, :, :-1] > spread).reshape(len(small), size * size)


def _grey(image: object, position: int) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(
            f"image {position} of shape {image.shape}: expected (height, width) or (height, width, channels)."
        )
    return image if image.ndim == 2 else image.mean(axis=-1, dtype="float32")


def _shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Images (n, height, width) as (n, size, size + 1), each pixel the mean of the area it covers."""
    height, width = images.shape[1:]
    if 0 in (height, width):
        raise ValueError(f"images of shape {images.shape} have no pixels.")
    rows, columns = _areas(height, size), _areas(width, size + 1)
    return rows @ images.astype("float32") @ columns.T


def _areas(pixels: int, cells: int) -> np.ndarray:
    """The share that each of ``pixels`` has in each of ``cells`` of equal width, (cells, pixels); rows sum to 1."""
    edges = np.linspace(0, pixels, cells + 1)
    left, right = edges[:-1, None], edges[1:, None]
    start = np.arange(pixels)
    overlap = np.clip(np.minimum(right, start + 1) - np.maximum(left, start), 0, None)
    return (overlap / (right - left)).astype("float32")


def near_duplicates(hashes: np.ndarray, distance: int = 3) -> np.ndarray:
    """All pairs of images whose fingerprints differ in at most ``distance`` bits.

    Args:
        hashes: as `perceptual_hash` gives them, bool, (n, bits).
        distance: the most bits that may differ. 0 finds equal fingerprints only.

    Returns:
        (pairs, 2): indices i < j, sorted. It compares all n (n - 1) / 2 pairs, 1,000 rows at a time: 10,000 images
        take seconds.

    Raises:
        ValueError: the hashes are not of shape (n, bits), or ``distance`` is negative.
    """
    hashes = np.asarray(hashes)
    if hashes.ndim != 2 or hashes.dtype != bool:
        raise ValueError(f"hashes of shape {hashes.shape} and type {hashes.dtype}: expected bool, (n, bits).")
    if distance < 0:
        raise ValueError(f"distance={distance}: expected 0 or more bits.")
    signs = np.where(hashes, np.float32(1), np.float32(-1))  # equal bits give +1, different ones -1
    found = [np.zeros((0, 2), dtype=np.int64)]
    for first in range(0, len(signs), 1000):
        differing = (hashes.shape[1] - signs[first : first + 1000] @ signs[first:].T) / 2
        i, j = np.nonzero(differing <= distance)
        found.append(np.stack([i, j], axis=1)[i < j] + first)
    return np.concatenate(found)


def duplicate_groups(pairs: np.ndarray, count: int) -> np.ndarray:
    """Number the groups that pairs of duplicates form: a duplicate of a duplicate is in the same group.

    Args:
        pairs: (n, 2) indices, as `near_duplicates` gives them.
        count: how many images there are.

    Returns:
        (count,): for each image the smallest index of its group. An image without a duplicate is its own group.

    Raises:
        ValueError: the pairs are not of shape (n, 2), or name an image that is not among ``count``.
    """
    pairs = np.asarray(pairs, dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"pairs of shape {pairs.shape}: expected (n, 2), as near_duplicates gives them.")
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= count):
        raise ValueError(f"a pair names image {pairs.max()} (or one below 0), but there are {count} images.")
    group = np.arange(count)

    def first_of(image: int) -> int:
        while group[image] != image:
            group[image] = image = group[group[image]]
        return image

    for i, j in pairs:
        a, b = first_of(i), first_of(j)
        group[max(a, b)] = min(a, b)
    return np.array([first_of(image) for image in range(count)], dtype=np.int64)
