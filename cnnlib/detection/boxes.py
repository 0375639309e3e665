"""Boxes as arrays: check, area, IoU, GIoU, encoding against anchors. Lesson 11.

A box is (x1, y1, x2, y2) in pixels: left, top, right, bottom. Coordinates are those of the plane, not numbers of
pixels: pixel 0 covers [0, 1), so the box of the single pixel in the corner is (0, 0, 1, 1), one pixel wide.

Everything here takes and gives NumPy arrays of float32 (float64 stays float64), as evaluation and NMS need them.
Formats are converted by ``keras.utils.bounding_boxes``, which training uses as it is.
"""

from __future__ import annotations

import numpy as np

__all__ = ["area", "as_boxes", "clip", "convert", "decode", "encode", "giou", "iou"]

# What the four deltas are divided by, so that they are about as large as the logits (Ren et al. 2015, their code).
VARIANCE = (0.1, 0.1, 0.2, 0.2)


def as_boxes(boxes, name: str = "boxes") -> np.ndarray:
    """``boxes`` as an array (n, 4) of floats, checked; an empty list is (0, 4).

    Raises:
        ValueError: the shape is not (n, 4), a number is NaN or infinite, or a box has x2 < x1 or y2 < y1.
    """
    array = np.asarray(boxes)
    if array.dtype != np.float64 or not isinstance(boxes, np.ndarray):
        try:
            array = array.astype(np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} are not numbers: expected (x1, y1, x2, y2) in each row. {error}") from error
    if array.size == 0 and array.ndim <= 2 and array.shape[-1] in (0, 4):
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"{name} has shape {array.shape}; expected (n, 4), a row (x1, y1, x2, y2) for each box.")
    # Sums find trouble at a tenth of the price of looking for it: NaN and infinity survive any sum.
    if not np.isfinite(array.sum()):
        row = int(np.argmin(np.isfinite(array).all(1)))
        raise ValueError(f"{name}[{row}] is {_shown(array[row])}: NaN or infinite. Did the training diverge?")
    if (array[:, 2:] < array[:, :2]).any():
        row = int(np.argmax((array[:, 2:] < array[:, :2]).any(1)))
        raise ValueError(
            f"{name}[{row}] is {_shown(array[row])}: x2 < x1 or y2 < y1. Expected (x1, y1, x2, y2); are these boxes "
            "(x, y, width, height)? convert(boxes, 'xywh', 'xyxy') turns them."
        )
    return array


def _shown(box: np.ndarray) -> str:
    return f"({', '.join(f'{value:g}' for value in box)})"


def convert(boxes, source: str, target: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Boxes in another format, as ``keras.utils.bounding_boxes.convert_format`` does it, as float32 (n, 4).

    Args:
        boxes: (n, 4) in the format ``source``.
        source, target: "xyxy", "xywh", "center_xywh", "yxyx" or "rel_xyxy", ... (fractions of the image).
        size: (height, width) of the image in pixels, for the formats that begin with "rel".
    """
    import keras

    height, width = size if size is not None else (None, None)
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    found = keras.utils.bounding_boxes.convert_format(array, source, target, height=height, width=width)
    return keras.ops.convert_to_numpy(found)


def clip(boxes, size: tuple[int, int]) -> np.ndarray:
    """Boxes cut at the border of an image of ``size`` (height, width); one wholly outside has no area afterwards."""
    boxes = as_boxes(boxes)
    height, width = size
    return np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))


def area(boxes) -> np.ndarray:
    """Areas in square pixels, (n,)."""
    boxes = as_boxes(boxes)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def iou(boxes1, boxes2, crowd=None) -> np.ndarray:
    """Intersection over union of each box of the one set with each of the other, (n, m).

    It is what ``keras.utils.bounding_boxes.compute_iou`` computes, without the 1e-7 that Keras adds to each union,
    which counts when boxes are given as fractions of the image. The IoU of two boxes without area is 0.

    Args:
        boxes1: (n, 4).
        boxes2: (m, 4).
        crowd: (m,) bool, which of ``boxes2`` stand for a crowd of things. There the *area of the first box* takes the
            place of the union (COCO), so that a box anywhere inside the crowd has 1.
    """
    boxes1, boxes2 = as_boxes(boxes1, "boxes1"), as_boxes(boxes2, "boxes2")
    inter = _intersection(boxes1, boxes2)
    union = np.add.outer(area(boxes1), area(boxes2))
    union -= inter
    if crowd is not None:
        crowd = np.asarray(crowd, bool)
        union[:, crowd] = area(boxes1)[:, None]
    return _divide(inter, union)


def giou(boxes1, boxes2) -> np.ndarray:
    """Generalised IoU of each box with each other (Rezatofighi et al. 2019), (n, m), in [-1, 1].

    IoU minus the share of the smallest box around both that neither covers: it still says *how far* two boxes are apart
    when they do not meet, where IoU is 0 and has no slope.
    """
    boxes1, boxes2 = as_boxes(boxes1, "boxes1"), as_boxes(boxes2, "boxes2")
    inter = _intersection(boxes1, boxes2)
    union = np.add.outer(area(boxes1), area(boxes2))
    union -= inter
    width = np.maximum.outer(boxes1[:, 2], boxes2[:, 2]) - np.minimum.outer(boxes1[:, 0], boxes2[:, 0])
    height = np.maximum.outer(boxes1[:, 3], boxes2[:, 3]) - np.minimum.outer(boxes1[:, 1], boxes2[:, 1])
    hull = width * height
    return _divide(inter, union) - _divide(hull - union, hull)


def _intersection(boxes1: np.ndarray, boxes2: np.ndarray) -> np.ndarray:
    """Areas of intersection (n, m): one plane at a time, in place, which is what the memory of a processor likes."""
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = boxes1.T, boxes2.T
    width = np.minimum.outer(right1, right2)
    edge = np.maximum.outer(left1, left2)
    width -= edge
    np.maximum(width, 0, out=width)
    height = np.minimum.outer(bottom1, bottom2)
    np.maximum.outer(top1, top2, out=edge)
    height -= edge
    np.maximum(height, 0, out=height)
    width *= height
    return width


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, and 0 where the whole is 0. Overwrites ``part``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        part /= whole
    if not np.isfinite(part.sum()):
        part[whole <= 0] = 0
    return part


# --- against anchors -------------------------------------------------------------------------------------------------


def encode(anchors, boxes):
    """Boxes as offsets from anchors: ``((cx - ax) / aw, (cy - ay) / ah, log(w / aw), log(h / ah)) / VARIANCE``.

    By ``keras.utils.bounding_boxes.encode_box_to_deltas``. The network learns these four numbers: they do not depend on
    where the anchor is nor on how large it is.

    Args:
        anchors: (n, 4).
        boxes: (n, 4), a box with an area for each anchor.

    Returns:
        Deltas (n, 4), float32, NumPy.
    """
    import keras

    found = keras.utils.bounding_boxes.encode_box_to_deltas(
        np.asarray(anchors, "float32"), np.asarray(boxes, "float32"), "xyxy", "xyxy", "center_xywh", VARIANCE
    )
    return keras.ops.convert_to_numpy(found)


def decode(anchors, deltas):
    """The inverse of `encode`: boxes (n, 4) or (batch, n, 4), as NumPy.

    A logarithm is held below 4.135 (a box 62 times as wide as its anchor), so that an untrained network cannot
    overflow.
    """
    import keras

    deltas = np.array(deltas, "float32")
    np.minimum(deltas[..., 2:], np.log(1000 / 16) / np.array(VARIANCE[2:], "float32"), out=deltas[..., 2:])
    found = keras.utils.bounding_boxes.decode_deltas_to_boxes(
        np.asarray(anchors, "float32"), keras.ops.convert_to_tensor(deltas), "xyxy", "xyxy", "center_xywh", VARIANCE
    )
    return keras.ops.convert_to_numpy(found)
