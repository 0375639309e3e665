"""How good a label map is: IoU, Dice, boundary F-score. Lesson 12.

Label maps are whole numbers (h, w) or (n, h, w); the pixels of a batch are counted together. Pixels whose true label is
``ignore`` count for nothing. A class that is in neither map has no score: NaN, which `mean_iou` leaves out. Of images
without pixels every score is NaN. Keras has `keras.metrics.MeanIoU` for training; here are the definitions.
"""

import numpy as np

__all__ = [
    *("boundary_f_score", "check_labels", "confusion_matrix", "dice", "iou", "mean_iou", "pixel_accuracy"),
]

IGNORE = 255


def check_labels(labels, num_classes: int, ignore: int | None = IGNORE, what: str = "labels") -> np.ndarray:
    """``labels`` as int64, if all are whole numbers from 0 to ``num_classes - 1``, or ``ignore``.

    Raises:
        ValueError: they are not; the message names the numbers.
    """
    array = np.asarray(labels)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{what}: there are NaN or infinities among them.")
    whole = array.astype("int64")
    if array.dtype.kind not in "iubf" or (whole != array).any():
        raise ValueError(
            f"{what} must be whole numbers of classes; these are {array.dtype}. Take the argmax of scores, and resize "
            "label maps with the nearest neighbour only."
        )
    outside = (whole < 0) | (whole >= num_classes)
    if ignore is not None:
        outside &= whole != ignore
    if outside.any():
        found = ", ".join(map(str, np.unique(whole[outside])[:5]))
        raise ValueError(
            f"{what} hold {found}; with num_classes={num_classes} expected 0 to {num_classes - 1}"
            + (f", or {ignore} for pixels that do not count." if ignore is not None else ".")
        )
    return whole


def confusion_matrix(y_true, y_pred, num_classes: int, ignore: int | None = IGNORE) -> np.ndarray:
    """How many pixels of true class i were given class j: int64 (num_classes, num_classes), row i, column j.

    Raises:
        ValueError: the maps differ in shape, or hold other numbers than classes.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes={num_classes}; expected 1 or more.")
    y_true = check_labels(y_true, num_classes, ignore, "y_true")
    shape = np.shape(y_pred)
    if y_true.shape != shape:
        raise ValueError(
            f"y_true has shape {y_true.shape}, y_pred {shape}; expected the same. Was one of them resized, or has the "
            "prediction still its axis of classes (argmax)?"
        )
    counts = np.ones(shape, bool) if ignore is None else y_true != ignore
    y_pred = check_labels(np.asarray(y_pred)[counts], num_classes, None, "y_pred")
    pairs = y_true[counts] * num_classes + y_pred
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def iou(y_true, y_pred, num_classes: int, ignore: int | None = IGNORE) -> np.ndarray:
    """Intersection over union of each class (Jaccard 1901), float64 (num_classes,); NaN for a class that is nowhere."""
    return _scores(confusion_matrix(y_true, y_pred, num_classes, ignore), 1)


def dice(y_true, y_pred, num_classes: int, ignore: int | None = IGNORE) -> np.ndarray:
    """2 TP / (2 TP + FP + FN) of each class (Dice 1945), the F1 score of its pixels: 2 IoU / (1 + IoU)."""
    return _scores(confusion_matrix(y_true, y_pred, num_classes, ignore), 2)


def _scores(matrix: np.ndarray, weight: int) -> np.ndarray:
    hit = np.diag(matrix)
    whole = matrix.sum(0) + matrix.sum(1) - 2 * hit + weight * hit
    return np.divide(weight * hit, whole, out=np.full(len(matrix), np.nan), where=whole > 0)


def mean_iou(y_true, y_pred, num_classes: int, ignore: int | None = IGNORE) -> float:
    """The mean IoU of the classes that are in either map; NaN if no pixel counts."""
    return _mean(iou(y_true, y_pred, num_classes, ignore))


def pixel_accuracy(y_true, y_pred, num_classes: int, ignore: int | None = IGNORE) -> float:
    """The share of the pixels that count with the right class; NaN if there are none."""
    matrix = confusion_matrix(y_true, y_pred, num_classes, ignore)
    return float(np.trace(matrix) / matrix.sum()) if matrix.any() else float("nan")


def boundary_f_score(
    y_true, y_pred, num_classes: int = 2, tolerance: float = 2.0, ignore: int | None = IGNORE
) -> np.ndarray:
    """How well outlines agree, for each class, float64 (num_classes,); NaN where neither map has an outline.

    Precision is the share of the predicted outline that lies within ``tolerance`` pixels of the true one, recall the
    share of the true outline that lies so near the predicted one; the score is 2 P R / (P + R) (Csurka, Larlus,
    Perronnin 2013, "What is a good evaluation measure for semantic segmentation?"; Perazzi et al. 2016). An outline is
    the pixels of a class with a neighbour (left, right, above, below) of another; the edge of the image is none.

    Args:
        y_true: label map (h, w), or a batch (n, h, w): the pixels of all outlines are counted together.
        y_pred: the same shape.
        num_classes: with a mask, 2.
        tolerance: Euclidean, in pixels.
        ignore: pixels of that true label, and outlines against them, do not count.

    Raises:
        ValueError: as `confusion_matrix`, or the tolerance is negative.
    """
    confusion_matrix(y_true, y_pred, num_classes, ignore)  # refuses what has no meaning
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance}; expected pixels, 0 or more.")
    y_true, y_pred = (np.asarray(y) if np.ndim(y) == 3 else np.asarray(y)[None] for y in (y_true, y_pred))
    if y_true.ndim != 3:
        raise ValueError(f"boundary_f_score: label maps of shape {y_true.shape[1:]}; expected (h, w) or (n, h, w).")
    found = np.zeros((num_classes, 4))
    for true, pred in zip(y_true, y_pred):
        counts = np.ones(true.shape, bool) if ignore is None else true != ignore
        for label in range(num_classes):
            outlines = [_outline(y == label, counts) for y in (true, pred)]
            near = [_near(outline, tolerance) for outline in outlines]
            parts = outlines[1] & near[0], outlines[1], outlines[0] & near[1], outlines[0]
            found[label] += [part.sum() for part in parts]
    precision, recall = (
        np.divide(found[:, i], found[:, i + 1], out=np.zeros(num_classes), where=found[:, i + 1] > 0) for i in (0, 2)
    )
    together = precision + recall
    score = np.divide(2 * precision * recall, together, out=np.zeros(num_classes), where=together > 0)
    return np.where(found[:, 1] + found[:, 3] > 0, score, np.nan)


def _outline(mask: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pixels of ``mask`` with one of four neighbours that counts and is outside."""
    outside = np.pad(~mask & counts, 1)
    beside = outside[:-2, 1:-1] | outside[2:, 1:-1] | outside[1:-1, :-2] | outside[1:-1, 2:]
    return mask & counts & beside


def _near(outline: np.ndarray, tolerance: float) -> np.ndarray:
    from scipy import ndimage

    if not outline.any():
        return np.zeros(outline.shape, bool)
    return ndimage.distance_transform_edt(~outline) <= tolerance


def _mean(scores: np.ndarray) -> float:
    there = scores[~np.isnan(scores)]
    return float(there.mean()) if len(there) else float("nan")
