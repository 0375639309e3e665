"""From the maps of the heads of lesson 13 to objects, and one number for each head on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnlib.detection import boxes as box_tools
from cnnlib.detection.evaluation import mask_iou
from cnnlib.detection.heatmap import decode_heatmaps
from cnnlib.detection.scenes import Scenes

__all__ = ["find_objects", "head_scores", "paste_masks", "points_in_boxes", "pad_rois"]


def find_objects(logits, sides, stride: int = 4, most: int = 6, threshold: float = 0.05) -> list[dict]:
    """Objects from the maps of a class and a box head: the peaks, best first, without NMS (Zhou et al. 2019).

    A peak is a place whose score for a class none of its eight neighbours exceeds. A box that would be turned inside
    out is held at half a pixel.

    Args:
        logits: (n, h, w, classes).
        sides: (n, h, w, 4), from the middle of each place to left, top, right and bottom in pixels.
        stride: pixels of the image to a place.
        most: peaks of an image that count.
        threshold: peaks with a lower score are no objects.

    Returns:
        For each image {"boxes" (k, 4), "labels" (k,), "scores" (k,)}, as `coco_evaluation` takes it.
    """
    logits, sides = np.asarray(logits, np.float32), np.asarray(sides, np.float32)
    if logits.ndim != 4 or sides.shape != (*logits.shape[:3], 4):
        raise ValueError(f"logits {logits.shape}, sides {sides.shape}; expected (n, h, w, classes) and (n, h, w, 4).")
    n, height, width, _ = logits.shape
    padded = np.pad(logits, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    around = [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    scores = np.where(logits >= np.max(around, axis=0), 1 / (1 + np.exp(-np.clip(logits, -50, 50))), 0)
    size, found = (height * stride, width * stride), []
    for score, side in zip(scores, sides):
        best = np.argsort(-score, axis=None, kind="stable")[:most]
        best = best[score.ravel()[best] >= threshold]
        rows, columns, labels = np.unravel_index(best, score.shape)
        middle = (np.stack([columns, rows], -1) + 0.5) * stride
        reach = np.maximum(side[rows, columns], 0.25)
        boxes = np.concatenate([middle - reach[:, :2], middle + reach[:, 2:]], -1)
        boxes = box_tools.clip(boxes.astype(np.float32), size)
        found.append({"boxes": boxes, "labels": labels, "scores": score[rows, columns, labels]})
    return found


def pad_rois(boxes: Sequence[np.ndarray], places: int, size: int) -> np.ndarray:
    """Boxes of each image (k, 4) as one array (n, places, 4); where there are fewer, the whole image stands."""
    most = max(map(len, boxes), default=0)
    if most > places:
        raise ValueError(f"an image has {most} boxes, and there are {places} places.")
    rois = np.tile(np.array([0, 0, size, size], np.float32), (len(boxes), places, 1))
    for i, own in enumerate(boxes):
        rois[i, : len(own)] = own
    return rois


def paste_masks(probabilities, boxes, size: tuple[int, int], threshold: float = 0.5) -> np.ndarray:
    """Masks as the mask head gives them, (k, side, side) in their boxes, in an image: (k, height, width) bool.

    A pixel whose middle lies in the box is the object's if the probability there, interpolated between the middles of
    the four nearest cells, is at least ``threshold``.
    """
    probabilities, boxes = np.asarray(probabilities, np.float32), box_tools.as_boxes(boxes)
    if probabilities.ndim != 3 or len(probabilities) != len(boxes):
        raise ValueError(f"masks {probabilities.shape} and {len(boxes)} boxes; expected (k, side, side), one for each.")
    masks = np.zeros((len(boxes), *size), bool)
    for mask, cells, (x1, y1, x2, y2) in zip(masks, probabilities, boxes):
        rows, down = _weights(y1, y2, size[0], cells.shape[0])
        columns, across = _weights(x1, x2, size[1], cells.shape[1])
        mask[np.ix_(rows, columns)] = down @ cells @ across.T >= threshold
    return masks


def _weights(start: float, end: float, size: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels whose middles lie between start and end, and for each its weights on the cells, (pixels, cells)."""
    middles = np.arange(size) + 0.5
    (inside,) = np.nonzero((middles >= start) & (middles < end))
    at = np.clip((middles[inside] - start) / max(end - start, 1e-6) * cells - 0.5, 0, cells - 1)
    return inside, np.maximum(1 - np.abs(at[:, None] - np.arange(cells)), 0)


def points_in_boxes(maps, boxes, stride: int = 4, method: str = "parabola") -> np.ndarray:
    """The keypoints of each box, (k, points, 2) in pixels: where each map (h, w, points) is brightest in or near it.

    A map holds the points of all objects of the image; a box says which are whose. Near is one place or less away.
    """
    maps, boxes = np.asarray(maps), box_tools.as_boxes(boxes)
    height, width, count = maps.shape
    points = np.zeros((len(boxes), count, 2), np.float32)
    for k, (x1, y1, x2, y2) in enumerate(boxes / stride):
        left, top = (int(np.clip(np.floor(v) - 1, 0, n - 1)) for v, n in ((x1, width), (y1, height)))
        right, bottom = int(np.ceil(x2)) + 1, int(np.ceil(y2)) + 1
        found, _ = decode_heatmaps(maps[top:bottom, left:right], stride, method)
        points[k] = found + np.array([left, top]) * stride
    return points


def head_scores(
    scenes: Scenes, kinds: Sequence[int], logits, sides, maps, masks, stride: int = 4, near: float = 4.0
) -> dict[str, float]:
    """How good each head is on its own, with the truth in place of what the other heads would tell it.

    Args:
        scenes, kinds: as in `head_targets`.
        logits, sides, maps: (n, h, w, ...) of the class, box and keypoint head; ``maps`` are probabilities.
        masks: (n, places, side, side), probabilities of the mask head in the *true* boxes of each scene.
        near: how far off a keypoint may be, in pixels.

    Returns:
        Four numbers in [0, 1]. "class": share of true centres where the right class scores best. "box": mean IoU of
        the box read at the true centre. "mask": mean IoU of the mask in the true box. "keypoint": share of the visible
        keypoints found within ``near`` pixels, looked for in the true box.
    """
    right, overlaps, shared, close = [], [], [], []
    size = scenes.images.shape[1:3]
    for i, boxes in enumerate(scenes.boxes):
        at = np.minimum((boxes[:, :2] + boxes[:, 2:]) / 2 // stride, np.array(logits.shape[2:0:-1]) - 1).astype(int)
        columns, rows = at.T
        right.append(logits[i, rows, columns].argmax(-1) == np.asarray(kinds)[scenes.labels[i]])
        middle = (at + 0.5) * stride
        reach = np.maximum(sides[i, rows, columns], 0.25)
        found = np.concatenate([middle - reach[:, :2], middle + reach[:, 2:]], -1)
        overlaps.append(np.diag(box_tools.iou(found.astype(np.float32), boxes)))
        shared.append(np.diag(mask_iou(paste_masks(masks[i, : len(boxes)], boxes, size), scenes.masks[i])))
        gap = points_in_boxes(maps[i], boxes, stride) - scenes.keypoints[i][..., :2]
        close.append(np.hypot(*gap.T).T[scenes.keypoints[i][..., 2] == 2] <= near)
    scores = {"class": right, "box": overlaps, "mask": shared, "keypoint": close}
    return {name: float(np.mean(np.concatenate(values))) for name, values in scores.items()}
