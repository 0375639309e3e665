"""Anchors: a grid of boxes to start from, which of them answers for which object, and what it has to learn. Lesson 11.

A convolution gives a fixed number of answers at each place. An anchor is what one of those answers is about: a box of a
set size and shape at that place (Ren et al. 2015; Liu et al. 2016). The network says what is in it, and how to move it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnlib.detection.boxes import as_boxes, encode, iou

__all__ = ["BACKGROUND", "IGNORED", "anchor_grid", "batch_targets", "match", "targets"]

BACKGROUND, IGNORED = -1, -2


def anchor_grid(
    size: tuple[int, int],
    shapes: Sequence[tuple[int, int]],
    sides: Sequence[float],
    scales: Sequence[float] = (1.0,),
    ratios: Sequence[float] = (1.0,),
) -> np.ndarray:
    """All anchors of an image, (a, 4): level after level, row after row, place after place, as in a flattened map.

    Args:
        size: (height, width) of the image in pixels.
        shapes: (height, width) of the map of each level; its places are spread evenly over the image.
        sides: for each level the side in pixels of an anchor of scale 1 and ratio 1.
        scales: factors of the side.
        ratios: height to width; the area stays the same.

    Raises:
        ValueError: the lists differ in length, or hold something that is not positive.
    """
    if len(shapes) != len(sides):
        raise ValueError(f"{len(shapes)} shapes and {len(sides)} sides; expected one of each for each level.")
    if not all(np.min(values, initial=1) > 0 for values in (size, *shapes, sides, scales, ratios)):
        raise ValueError(
            f"size={size}, shapes={shapes}, sides={sides}, scales={scales}, ratios={ratios}: all must be > 0."
        )
    levels = []
    for (rows, columns), side in zip(shapes, sides):
        y = (np.arange(rows) + 0.5) * size[0] / rows
        x = (np.arange(columns) + 0.5) * size[1] / columns
        centres = np.stack(np.meshgrid(x, y), -1).reshape(-1, 1, 2)
        half = np.array([(side * s / r**0.5 / 2, side * s * r**0.5 / 2) for s in scales for r in ratios])
        levels.append(np.concatenate([centres - half, centres + half], -1).reshape(-1, 4))
    return np.concatenate(levels).astype(np.float32)


def match(anchors, boxes, positive: float = 0.5, negative: float = 0.4) -> np.ndarray:
    """Which object each anchor answers for, (a,) int64: its index, `BACKGROUND` (-1) or `IGNORED` (-2).

    An anchor takes the object with which its IoU is greatest if that is at least ``positive``. Below ``negative`` it is
    background, between the two it is left out of the loss. And every object gets the anchor that fits it best, however
    badly, so that none is forgotten (Ren et al. 2015, section 3.1.2); if several objects want the same anchor, the one
    that fits it better has it.

    Raises:
        ValueError: the thresholds are not 0 <= negative <= positive <= 1, or a box is none.
    """
    if not 0 <= negative <= positive <= 1:
        raise ValueError(f"positive={positive}, negative={negative}: expected 0 <= negative <= positive <= 1.")
    anchors, boxes = as_boxes(anchors, "anchors"), as_boxes(boxes)
    if not len(boxes):
        return np.full(len(anchors), BACKGROUND)
    overlap = iou(anchors, boxes)
    best = overlap.argmax(1)
    value = overlap[np.arange(len(anchors)), best]
    found = np.where(value >= positive, best, np.where(value < negative, BACKGROUND, IGNORED))
    own = overlap.argmax(0)  # the anchor of each object
    height = overlap[own, np.arange(len(boxes))]
    order = np.argsort(height, kind="stable")  # the best fit is written last
    order = order[height[order] > 0]
    found[own[order]] = order
    return found


def targets(anchors, boxes, labels, positive: float = 0.5, negative: float = 0.4) -> np.ndarray:
    """What each anchor has to learn, (a, 5) float32: four deltas and a label, or -1 for background, -2 for ignored."""
    return batch_targets(anchors, [boxes], [labels], positive, negative)[0]


def batch_targets(
    anchors: np.ndarray, boxes: Sequence, labels: Sequence, positive: float = 0.5, negative: float = 0.4
) -> np.ndarray:
    """`targets` of several images, (n, a, 5): boxes (k, 4) and labels (k,) for each. Encoded all at once."""
    table = np.zeros((len(boxes), len(anchors), 5), np.float32)
    rows, goals = [], []
    for i, (own, names) in enumerate(zip(boxes, labels)):
        own, names = as_boxes(own), np.asarray(names)
        if names.shape != (len(own),):
            raise ValueError(f"labels has shape {names.shape}; expected ({len(own)},), one for each box.")
        filled = ((own[:, 2:] - own[:, :2]) > 0).all(1)  # a box without area has no logarithm and can teach nothing
        own, names = own[filled], names[filled]
        found = match(anchors, own, positive, negative)
        table[i, :, 4] = np.minimum(found, BACKGROUND)  # -1 or -2
        (mine,) = np.nonzero(found >= 0)
        table[i, mine, 4] = names[found[mine]]
        rows.append(i * len(anchors) + mine)
        goals.append(own[found[mine]])
    rows = np.concatenate(rows) if rows else np.empty(0, np.int64)
    if len(rows):
        table.reshape(-1, 5)[rows, :4] = encode(anchors[rows % len(anchors)], np.concatenate(goals))
    return table
