"""Which detection found which object, by the rules of COCO, for all images, classes, sizes and thresholds at once.

The rules (Lin et al. 2014, as pycocotools has them). In an image and class, detections take turns, best score first.
Each takes the free object with the greatest IoU of at least the threshold; of equal ones the last. An object is
*ignored* if it is a crowd, is marked to be ignored, or its area is outside the range of sizes that is asked about. Only
if there is no other does a detection take an ignored object, and it then counts neither as hit nor as miss. A crowd is
always free, and its IoU is over the area of the detection; any other object is taken once. A detection that finds
nothing is a miss, unless its own area is outside the range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["Table", "match_all"]

CHUNK = 4_000_000  # pairs of which the IoU is taken at once


class Table(NamedTuple):
    """One row for each detection that counts; (n, sizes, thresholds) for hits and misses."""

    labels: np.ndarray  # (n,)
    scores: np.ndarray  # (n,)
    rank: np.ndarray  # (n,): 0 for the best of its image and class
    true: np.ndarray  # (n, sizes, thresholds) bool: it found an object
    false: np.ndarray  # the same: it found none
    positives: np.ndarray  # (classes, sizes): objects that are to be found


def match_all(
    objects: list[dict],
    found: list[dict],
    num_classes: int,
    thresholds: np.ndarray,
    sizes: np.ndarray,
    most: int,
    overlap: Callable | None,
) -> Table:
    """The table of all detections; ``overlap(image, detections, objects, crowd)`` is their IoU, of boxes if None."""
    truth = _flat(objects, num_classes, ("areas", "crowd", "ignore", "boxes"))
    guess = _flat(found, num_classes, ("areas", "scores", "boxes"))
    guess = _best_of_each_cell(guess, most)
    outside = (truth["areas"][:, None] < sizes[:, 0]) | (truth["areas"][:, None] > sizes[:, 1])
    ignored = outside | (truth["crowd"] | truth["ignore"])[:, None]
    positives = np.zeros((num_classes, len(sizes)), np.int64)
    np.add.at(positives, truth["cell"] % num_classes, ~ignored)
    rows, columns, ious = _candidates(guess, truth, min(thresholds), overlap)
    taken, neutral = _take(rows, columns, ious, guess, truth["crowd"], ignored, thresholds)
    size = guess["areas"][:, None]
    beyond = (size < sizes[:, 0]) | (size > sizes[:, 1])
    neutral |= ~taken & beyond[..., None]
    labels = guess["cell"] % num_classes
    return Table(labels, guess["scores"], guess["rank"], taken & ~neutral, ~taken & ~neutral, positives)


def _flat(images: list[dict], num_classes: int, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """All objects of all images in one row, by cell; a cell is an image and a class. "index" counts within an image."""
    counts = [len(image["labels"]) for image in images]
    number = np.repeat(np.arange(len(images)), counts)
    labels = np.concatenate([image["labels"] for image in images]) if images else np.empty(0, np.int64)
    flat = {"cell": number * num_classes + labels, "image": number}
    flat["index"] = np.concatenate([np.arange(count) for count in counts]) if images else labels
    for name in names:
        if images and name in images[0]:
            flat[name] = np.concatenate([image[name] for image in images])
        elif name != "boxes":
            flat[name] = np.empty(0, bool if name in ("crowd", "ignore") else float)
    order = np.argsort(flat["cell"], kind="stable")
    return {name: array[order] for name, array in flat.items()}


def _best_of_each_cell(flat: dict[str, np.ndarray], most: int) -> dict[str, np.ndarray]:
    """Sorted by score within each cell, with its rank there, and no more than ``most`` of a cell."""
    order = np.lexsort((-flat["scores"], flat["cell"]))  # stable
    flat = {name: array[order] for name, array in flat.items()}
    flat["rank"] = _rank(flat["cell"])
    keep = flat["rank"] < most
    return {name: array[keep] for name, array in flat.items()}


def _rank(groups: np.ndarray) -> np.ndarray:
    """Position of each entry in its group; entries of a group stand together."""
    new = np.diff(groups, prepend=-1) != 0
    starts = np.flatnonzero(new)
    return np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))


def _candidates(guess: dict, truth: dict, lowest: float, overlap: Callable | None):
    """Pairs (detection, object) of a cell whose IoU reaches the lowest threshold: rows, columns, IoU, sorted by row."""
    starts = np.searchsorted(truth["cell"], guess["cell"], side="left")
    counts = np.searchsorted(truth["cell"], guess["cell"], side="right") - starts
    if overlap is not None:
        parts = _by_image(guess, truth, overlap)
    else:
        ends = np.cumsum(counts)
        borders = np.searchsorted(ends, np.arange(0, ends[-1] if len(ends) else 0, CHUNK), side="right")
        parts = [
            _box_pairs(guess, truth, starts, counts, int(a), int(b))
            for a, b in zip(borders, [*borders[1:], len(counts)])
        ]
    parts = [tuple(array[part[2] >= min(lowest, 1 - 1e-10)] for array in part) for part in parts]
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    rows, columns, ious = (np.concatenate(arrays) for arrays in zip(*parts))
    order = np.argsort(rows, kind="stable")
    return rows[order], columns[order], ious[order]


def _box_pairs(guess, truth, starts, counts, first: int, last: int):
    """Detections ``first`` to ``last`` with each object of their cell, and the IoU by COCO's arithmetic in float64."""
    rows = np.repeat(np.arange(first, last), counts[first:last])
    columns = starts[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(counts[first:last]), counts[first:last])
    columns += np.repeat(counts[first:last], counts[first:last])
    a, b = guess["boxes"][rows].T, truth["boxes"][columns].T
    width = np.maximum(np.minimum(a[2], b[2]) - np.maximum(a[0], b[0]), 0)
    height = np.maximum(np.minimum(a[3], b[3]) - np.maximum(a[1], b[1]), 0)
    inter = width * height
    size = (a[2] - a[0]) * (a[3] - a[1])
    union = np.where(truth["crowd"][columns], size, size + (b[2] - b[0]) * (b[3] - b[1]) - inter)
    return rows, columns, np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def _by_image(guess: dict, truth: dict, overlap: Callable) -> list[tuple]:
    """The same pairs where the IoU needs more than boxes, cell by cell."""
    parts = []
    for cell in np.intersect1d(guess["cell"], truth["cell"]):
        rows = np.arange(*np.searchsorted(guess["cell"], [cell, cell + 1]))
        columns = np.arange(*np.searchsorted(truth["cell"], [cell, cell + 1]))
        image = int(guess["image"][rows[0]])
        ious = overlap(image, guess["index"][rows], truth["index"][columns], truth["crowd"][columns])
        parts.append((np.repeat(rows, len(columns)), np.tile(columns, len(rows)), ious.ravel()))
    return parts


def _take(rows, columns, ious, guess, crowd, ignored, thresholds) -> tuple[np.ndarray, np.ndarray]:
    """Let detections take objects in turns: (taken, neutral), both (n, sizes, thresholds) bool."""
    shape = (len(guess["cell"]), ignored.shape[1], len(thresholds))
    taken, neutral = np.zeros(shape, bool), np.zeros(shape, bool)
    free = np.ones((len(crowd), *shape[1:]), bool)
    limits = np.minimum(thresholds, 1 - 1e-10)
    active, begin = np.unique(rows, return_index=True)  # detections with a candidate
    count = np.diff(np.append(begin, len(rows)))
    turn = _rank(guess["cell"][active])
    for now in (np.flatnonzero(turn == t) for t in range(turn.max() + 1 if len(turn) else 0)):
        # One detection of each cell, so none of them wants an object that another of them takes.
        slot = np.arange(count[now].max())
        there = slot < count[now][:, None]  # (m, candidates)
        pair = np.where(there, begin[now][:, None] + slot, 0)
        goal = columns[pair]
        # The better candidate, of equal ones the last, has the greater place.
        place = np.argsort(np.argsort(np.where(there, ious[pair], -1), axis=1, kind="stable"), axis=1, kind="stable")
        open_ = there[..., None, None] & (ious[pair][..., None] >= limits)[:, :, None]
        open_ = open_ & (free[goal] | crowd[goal][..., None, None])
        worth = place[..., None] + len(slot) * ~ignored[goal]  # (m, candidates, sizes): those that count come first
        worth = np.where(open_, worth[..., None] + 1, 0)
        pick = worth.argmax(1)  # (m, sizes, thresholds)
        hit = worth.max(1) > 0
        m, a, t = np.nonzero(hit)
        chosen = goal[m, pick[m, a, t]]
        taken[active[now]] = hit
        neutral[active[now[m]], a, t] = ignored[chosen, a]
        free[chosen, a, t] = False
    return taken, neutral
