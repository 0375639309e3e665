"""What the heads of lesson 13 have to learn, and their losses: class, box, mask and keypoints of each object.

Three heads answer at each place of one feature map ("Objects as points", Zhou, Wang and Krähenbühl 2019): how likely a
class has its centre there, how far the sides of the box are, how likely a keypoint is there. The fourth answers for
each box, from features that RoI align cut out of the map (Mask R-CNN, He et al. 2017): which pixels are the object's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from cnnlib import training
from cnnlib.detection.heatmap import draw_heatmaps
from cnnlib.detection.losses import focal_loss
from cnnlib.detection.roi import roi_align
from cnnlib.detection.scenes import Scenes

__all__ = ["HEADS", "LOSSES", "SceneBatches", "head_targets"]

HEADS = ("class", "box", "mask", "keypoint")


# --- targets ---------------------------------------------------------------------------------------------------------


def head_targets(
    scenes: Scenes, kinds: Sequence[int], stride: int = 4, places: int = 3, side: int = 16, jitter: float = 0.1
) -> dict[str, np.ndarray]:
    """All that the heads have to learn from each of n scenes, float32.

    Args:
        scenes: of `render`, with a side that the stride divides.
        kinds: for each label of the scenes the class that the class head calls it: ``range(10)`` leaves it as it is.
        stride: pixels of the image to a place of the maps.
        places: RoIs of each scene. Fewer objects are padded; more are an error.
        side: of a mask, in cells.
        jitter: each side of a RoI is moved at random by up to this share of its size, since at inference the boxes
            are those of the box head, which are not exact.

    Returns:
        "class" (n, h, w, classes): 1 where the centre of an object lies, falling off as a Gaussian around it.
        "box" (n, h, w, 5): from the middle of each place to left, top, right and bottom in pixels, and 1 where these
        four count: within one place of an object's centre.
        "rois" (n, places, 4): boxes to cut out; "mask" (n, places, side, side): what share of each cell is the
        object's; "there" (n, places): 1 for RoIs of objects, 0 for the padding.
        "keypoint" (n, h, w, 4): Gaussians of one place's width around the visible keypoints.

    Raises:
        ValueError: the stride does not divide the side, a scene has more objects than places, a label no kind.
    """
    size, kinds = scenes.images.shape[1], np.asarray(kinds, np.int64)
    most = max(map(len, scenes.labels), default=0)
    if size % stride or most > places:
        raise ValueError(f"size={size}, stride={stride}, {most} objects in a scene, places={places}: they do not fit.")
    if any((labels >= len(kinds)).any() for labels in scenes.labels):
        raise ValueError(f"kinds has {len(kinds)} entries; expected one for each label of the scenes.")
    n, cells = len(scenes), size // stride
    found = {
        "class": np.zeros((n, cells, cells, kinds.max() + 1), np.float32),
        "box": np.zeros((n, cells, cells, 5), np.float32),
        "keypoint": np.zeros((n, cells, cells, 4), np.float32),
        "rois": np.tile(np.array([0, 0, size, size], np.float32), (n, places, 1)),
        "there": np.zeros((n, places), np.float32),
    }
    shapes = np.zeros((n, places, size, size), np.float32)
    rng = np.random.default_rng(n)
    for i in range(n):
        boxes, count = scenes.boxes[i], len(scenes.boxes[i])
        _draw_places(found, i, boxes, kinds[scenes.labels[i]], stride)
        visible = np.where(scenes.keypoints[i][..., 2:] == 2, scenes.keypoints[i], 0)
        maps = [draw_heatmaps(points, (cells, cells), 1.0, stride) for points in visible]
        found["keypoint"][i] = np.max(maps, axis=0, initial=0)
        extent = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        found["rois"][i, :count] = np.clip(boxes + extent * rng.uniform(-jitter, jitter, boxes.shape), 0, size)
        found["there"][i, :count] = 1
        shapes[i, :count] = scenes.masks[i]
    return {**found, "mask": _cut_out(shapes, found["rois"], side)}


def _draw_places(found: dict, i: int, boxes: np.ndarray, labels: np.ndarray, stride: int) -> None:
    """Centres and sides of the objects of one scene; where two objects want a place, the smaller one has it."""
    cells = found["box"].shape[1]
    middle = (np.arange(cells) + 0.5) * stride
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    at = np.minimum((centres // stride).astype(int), cells - 1)
    extents = boxes[:, 2:] - boxes[:, :2]
    for k in np.argsort(-extents.prod(1), kind="stable"):
        column, row = at[k]
        # A Gaussian a sixth of the box wide: places from which the box would still fit rather well cost less.
        across, down = np.exp(
            -((np.arange(cells) - at[k][:, None]) ** 2) / (2 * (extents[k, :, None] / stride / 6) ** 2)
        )
        heat = found["class"][i, ..., labels[k]]
        np.maximum(heat, down[:, None] * across, out=heat)
        near = np.s_[i, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        y, x = np.meshgrid(middle[near[1]], middle[near[2]], indexing="ij")
        x1, y1, x2, y2 = boxes[k]
        found["box"][near] = np.stack([x - x1, y - y1, x2 - x, y2 - y, np.ones_like(x)], -1)


def _cut_out(shapes: np.ndarray, rois: np.ndarray, side: int) -> np.ndarray:
    """Masks (n, k, size, size) in their RoIs, (n, k, side, side): RoI align of the mask itself, in pieces."""
    n, k, size, _ = shapes.shape
    flat, boxes = shapes.reshape(n * k, size, size, 1), rois.reshape(-1, 4)
    pieces = [np.zeros((0, side, side, 1), np.float32)]
    for begin in range(0, n * k, PIECE):
        part, owned = flat[begin : begin + PIECE], boxes[begin : begin + PIECE]
        missing = PIECE - len(part)  # one shape: nothing is compiled twice
        part, owned = np.pad(part, ((0, missing), (0, 0), (0, 0), (0, 0))), np.pad(owned, ((0, missing), (0, 0)))
        cut = roi_align(part, ops.convert_to_tensor(owned), ops.arange(PIECE), side)
        pieces.append(ops.convert_to_numpy(cut)[: PIECE - missing])
    return np.concatenate(pieces).reshape(n, k, side, side)


PIECE = 512  # masks that are cut out at once


class SceneBatches(training.Batches):
    """Batches of ``({"images", "rois"}, targets)`` from images (n, ...) and the arrays of `head_targets`.

    The order of the scenes is that of `training.Batches`; the last, smaller batch is left out, so that there is one
    shape.
    """

    def __init__(self, images, targets: dict[str, np.ndarray], batch_size: int = 16, **options):
        super().__init__(images, np.arange(len(images)), batch_size, **options)
        self.targets = targets
        if lengths := {name: len(a) for name, a in targets.items() if len(a) != len(self.x)}:
            raise ValueError(f"{len(self.x)} images, and targets of another number of scenes: {lengths}.")

    def __len__(self) -> int:
        return max(1, len(self.x) // self.batch_size)

    def __getitem__(self, index: int):
        images, chosen = super().__getitem__(index)
        targets = {name: array[chosen] for name, array in self.targets.items()}
        return {"images": images, "rois": targets["rois"]}, targets


# --- losses ----------------------------------------------------------------------------------------------------------


def class_loss(targets, logits):
    """Focal loss against "class" of `head_targets`, the sum over all places divided by the number of objects.

    Where the target is 1, focal loss of a one; elsewhere that of a zero times ``(1 - target) ** 4``, so that a place
    beside the centre costs little (Law and Deng 2018; Zhou et al. 2019).
    """
    heat = ops.cast(targets["class"], logits.dtype)
    centre = ops.cast(heat == 1, logits.dtype)
    each = focal_loss(centre, logits, gamma=2.0, alpha=None) * ops.where(centre > 0, 1.0, (1 - heat) ** 4)
    return ops.sum(each) / ops.maximum(ops.sum(centre), 1.0)


def box_loss(targets, sides):
    """Mean absolute error of the four sides in pixels, over the places that count."""
    wanted, counts = targets["box"][..., :4], targets["box"][..., 4:]
    return ops.sum(ops.abs(sides - wanted) * counts) / ops.maximum(4 * ops.sum(counts), 1.0)


def mask_loss(targets, logits):
    """Binary cross-entropy of each cell, its mean over the RoIs that hold an object."""
    wanted = ops.reshape(targets["mask"], (-1, *targets["mask"].shape[2:]))
    there = ops.reshape(targets["there"], (-1,))
    each = ops.mean(_cross_entropy(wanted, logits), axis=(1, 2)) * there
    return ops.sum(each) / ops.maximum(ops.sum(there), 1.0)


def keypoint_loss(targets, logits):
    """Binary cross-entropy of each place and keypoint against the Gaussians, its mean over all of them."""
    return ops.mean(_cross_entropy(targets["keypoint"], logits))


def _cross_entropy(wanted, logits):
    return ops.softplus(logits) - ops.cast(wanted, logits.dtype) * logits


LOSSES = {"class": class_loss, "box": box_loss, "mask": mask_loss, "keypoint": keypoint_loss}
