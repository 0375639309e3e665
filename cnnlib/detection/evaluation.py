"""Average precision: from boxes to one number, and to the twelve of COCO. Lesson 11; for masks, lesson 13.

`precision_recall` and `average_precision` are the definition, for one class and one threshold. `coco_evaluation` is
what papers report (Lin et al. 2014): the mean over classes and over ten IoU thresholds, by size of the objects, with
crowds and ignored objects. It gives the numbers of pycocotools. Where that loops over images, classes, sizes and
thresholds, this one takes the first detection of all images and classes at once, for all sizes and thresholds, then the
second, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cnnlib.detection import boxes as box_tools
from cnnlib.detection import matching

__all__ = ["CocoResult", "average_precision", "coco_evaluation", "mask_iou", "precision_recall"]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
SIZES = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}  # square pixels
MOST = (1, 10, 100)  # detections of one class in one image that count


def precision_recall(scores, correct, positives: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall when all detections down to each score are accepted, best first: two arrays (n,).

    Args:
        scores: (n,) of one class, from all images.
        correct: (n,) bool, whether a detection found an object that no better one had found.
        positives: how many objects there are.
    """
    scores, correct = np.asarray(scores, float), np.asarray(correct, bool)
    if scores.ndim != 1 or scores.shape != correct.shape:
        raise ValueError(f"scores has shape {scores.shape}, correct {correct.shape}; expected (n,) for both.")
    if positives < 1:
        raise ValueError(f"positives={positives}: without an object there is no recall; leave the class out.")
    hits = np.cumsum(correct[np.argsort(-scores, kind="stable")])
    return hits / np.arange(1, len(hits) + 1), hits / positives


def average_precision(precision, recall) -> float:
    """Area under the precision-recall curve, as COCO measures it: the mean of 101 heights.

    The height at recall r is the *best* precision at any recall of r or more, and 0 beyond the last recall.
    """
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.append(best, 0)[np.searchsorted(recall, RECALLS, side="left")].mean())


@dataclass(frozen=True)
class CocoResult:
    """COCO's twelve numbers, in [0, 1], or -1 where no object of that size exists.

    ``per_class[k]`` is the AP of class ``k``; ``precision`` is (thresholds, 101 recalls, classes, sizes) as pycocotools
    has it for at most 100 detections, ``recall`` (thresholds, classes, sizes).
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar_1: float
    ar_10: float
    ar_100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    per_class: np.ndarray = field(repr=False)
    precision: np.ndarray = field(repr=False)
    recall: np.ndarray = field(repr=False)

    @property
    def stats(self) -> np.ndarray:
        """The twelve in the order of pycocotools, (12,)."""
        names = [name for name in self.__dataclass_fields__ if name.startswith(("ap", "ar"))]
        return np.array([getattr(self, name) for name in names])


def coco_evaluation(
    truth: Sequence[Mapping],
    detections: Sequence[Mapping],
    num_classes: int,
    masks: bool = False,
) -> CocoResult:
    """COCO's evaluation of detections against the truth; equal to pycocotools.

    Args:
        truth: for each image a mapping with "boxes" (g, 4) and "labels" (g,); if known, "crowd" (g,) bool (regions that
            may be found any number of times, or not at all, without a penalty; the overlap is a share of the
            *detection*), "ignore" (g,) bool (single objects that count for nothing: the one detection that is theirs,
            by IoU as usual, is neither hit nor miss) and "areas" (g,) in square pixels, which decide what is small,
            medium or large (those of the boxes, or of the masks, if not given).
        detections: for each image, in the same order, a mapping with "boxes" (d, 4), "labels" (d,) and "scores" (d,).
        num_classes: labels are 0 to ``num_classes - 1``.
        masks: compare "masks" (n, height, width) bool in place of the boxes, on both sides.

    Raises:
        ValueError: the two lists differ in length, arrays in an image do, a label is out of range, a box is none.
    """
    if len(truth) != len(detections):
        raise ValueError(f"truth has {len(truth)} images, detections {len(detections)}; expected one entry for each.")
    objects = [_checked(image, i, "truth", num_classes, masks) for i, image in enumerate(truth)]
    found = [_checked(image, i, "detections", num_classes, masks) for i, image in enumerate(detections)]
    overlap = _mask_overlaps(truth, detections) if masks else None
    table = matching.match_all(
        objects, found, num_classes, THRESHOLDS, np.array(list(SIZES.values())), MOST[-1], overlap
    )
    return _summary(table, num_classes)


def _checked(image: Mapping, index: int, what: str, num_classes: int, masks: bool) -> dict[str, np.ndarray]:
    """The arrays of an image, with "areas", and "crowd" and "ignore" or "scores"."""
    where = f"{what}[{index}]"
    needed = {"labels", "masks" if masks else "boxes"} | ({"scores"} if what == "detections" else set())
    if missing := needed - set(image):
        raise ValueError(f"{where} has no {', '.join(sorted(missing))}; it has: {', '.join(image)}.")
    labels = np.asarray(image["labels"])
    if masks:
        shapes = np.asarray(image["masks"])
        if shapes.size == 0:
            shapes = shapes.reshape(0, *(shapes.shape[1:] if shapes.ndim == 3 else (0, 0)))
        if shapes.ndim != 3:
            raise ValueError(f"{where}: masks has shape {shapes.shape}; expected (n, height, width).")
        given, areas = shapes, shapes.astype(bool).sum((1, 2)).astype(float)
    else:
        given = box_tools.as_boxes(np.asarray(image["boxes"], np.float64), f"{where}: boxes")
        areas = box_tools.area(given)
    arrays = {"labels": labels.astype(np.int64), "areas": np.asarray(image.get("areas", areas), float)}
    if what == "detections":
        arrays |= {"scores": np.asarray(image["scores"], float), "areas": areas}
        if np.isnan(arrays["scores"]).any():
            raise ValueError(f"{where}: scores holds NaN.")
    else:
        for flag in ("crowd", "ignore"):
            arrays[flag] = np.asarray(image.get(flag, np.zeros(len(given))), bool)
    for name, array in arrays.items():
        if array.shape != (len(given),):
            raise ValueError(f"{where}: {name} has shape {array.shape}, expected ({len(given)},), one for each object.")
    if len(labels) and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ValueError(
            f"{where}: labels from {labels.min()} to {labels.max()}; expected 0 to {num_classes - 1} "
            f"(num_classes={num_classes}). COCO's own ids have gaps: number the classes first."
        )
    return arrays if masks else arrays | {"boxes": given}


# --- masks -----------------------------------------------------------------------------------------------------------


def mask_iou(masks1, masks2, crowd=None) -> np.ndarray:
    """IoU of each mask (n, height, width) with each other (m, height, width), (n, m), float64; ``crowd`` as in `iou`.

    Raises:
        ValueError: the masks are of different sizes.
    """
    first, second = np.asarray(masks1), np.asarray(masks2)
    if not len(first) or not len(second):
        return np.zeros((len(first), len(second)))
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(
            f"masks of {first.shape[1:]} and of {second.shape[1:]} pixels cannot be compared: resize one of them first."
        )
    # A matrix product counts common pixels; float32 is exact to 16.7 million of them.
    first, second = (masks.astype(bool).reshape(len(masks), -1).astype(np.float32) for masks in (first, second))
    inter = (first @ second.T).astype(float)
    area1, area2 = first.sum(1, dtype=float), second.sum(1, dtype=float)
    union = np.add.outer(area1, area2) - inter
    if crowd is not None:
        union[:, np.asarray(crowd, bool)] = area1[:, None]
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def _mask_overlaps(truth, detections) -> Callable:
    def overlap(image: int, found: np.ndarray, objects: np.ndarray, crowd: np.ndarray) -> np.ndarray:
        first, second = np.asarray(detections[image]["masks"]), np.asarray(truth[image]["masks"])
        return mask_iou(first[found], second[objects], crowd)

    return overlap


# --- numbers ---------------------------------------------------------------------------------------------------------


def _summary(table: matching.Table, num_classes: int) -> CocoResult:
    """The twelve numbers from the table of detections."""
    sizes, thresholds = len(SIZES), len(THRESHOLDS)
    precision = np.full((thresholds, len(RECALLS), num_classes, sizes), -1.0)
    recall = np.full((len(MOST), thresholds, num_classes, sizes), -1.0)
    # By class, then by score; of equal scores the earlier image first.
    order = np.lexsort((-table.scores, table.labels))
    borders = np.searchsorted(table.labels[order], np.arange(num_classes + 1))
    for k in np.flatnonzero(table.positives.any(1)):
        rows = order[borders[k] : borders[k + 1]]
        true, false, rank = table.true[rows], table.false[rows], table.rank[rows]
        for m, most in enumerate(MOST):
            with np.errstate(invalid="ignore", divide="ignore"):
                share = true[rank < most].sum(0).T / table.positives[k]  # (thresholds, sizes)
            recall[m, :, k] = np.where(table.positives[k] > 0, share, -1)
        for a in np.flatnonzero(table.positives[k]):
            precision[:, :, k, a] = _curves(true[:, a], false[:, a], table.positives[k, a])
    ap, by_size = {}, [_mean(precision[..., a]) for a in range(sizes)]
    ap["ap"], ap["ap50"], ap["ap75"] = by_size[0], _mean(precision[0, ..., 0]), _mean(precision[5, ..., 0])
    for a, name in enumerate(SIZES):
        if a:
            ap[f"ap_{name}"] = by_size[a]
            ap[f"ar_{name}"] = _mean(recall[-1, ..., a])
    ap |= {f"ar_{most}": _mean(recall[m, ..., 0]) for m, most in enumerate(MOST)}
    per_class = np.array([_mean(precision[:, :, k, 0]) for k in range(num_classes)])
    return CocoResult(**ap, per_class=per_class, precision=precision, recall=recall[-1])


def _curves(true: np.ndarray, false: np.ndarray, positives: int) -> np.ndarray:
    """Precision at the 101 recalls, (thresholds, 101), from hits and misses (n, thresholds), best score first."""
    hits, misses = np.cumsum(true, 0, dtype=float), np.cumsum(false, 0, dtype=float)
    height = hits / (hits + misses + np.spacing(1))
    best = np.concatenate([np.maximum.accumulate(height[::-1])[::-1], np.zeros((1, true.shape[1]))])
    recall = hits / positives
    return np.stack([best[np.searchsorted(recall[:, t], RECALLS), t] for t in range(true.shape[1])])


def _mean(values: np.ndarray) -> float:
    there = values[values > -1]
    return float(there.mean()) if there.size else -1.0
