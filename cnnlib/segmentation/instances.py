"""From a mask to objects: connected components, touching objects split, objects matched and counted. Lesson 12.

An instance map holds whole numbers (h, w): 0 for background, else the number of the object, however large. Those made
here are int32. Components and distances are those of ``scipy.ndimage``.
"""

import heapq
from typing import NamedTuple

import numpy as np

__all__ = [
    *("Matches", "average_precision", "connected_components", "count_error", "match_instances", "otsu"),
    *("rims", "seams", "separated", "split_touching"),
]

CONNECTIVITY = {4: 1, 8: 2}  # neighbours of a pixel: those that share an edge, or also a corner


def connected_components(mask, connectivity: int = 4, smallest: int = 1) -> np.ndarray:
    """Number the connected parts of a mask: int32 (h, w), 1, 2, ... from the upper left; of nothing, zeros.

    Args:
        mask: (h, w), True or non-zero inside an object; an image without pixels is empty and has no object.
        connectivity: 4 (pixels that share an edge are connected) or 8 (a corner is enough).
        smallest: parts of fewer pixels are left out.

    Raises:
        ValueError: the mask is not two-dimensional, holds NaN, or connectivity is another number.
    """
    from scipy import ndimage

    mask = _checked_mask(mask, "connected_components")
    if connectivity not in CONNECTIVITY:
        raise ValueError(f"connected_components: connectivity={connectivity!r}; choose 4 or 8.")
    structure = ndimage.generate_binary_structure(2, CONNECTIVITY[connectivity])
    labels = ndimage.label(mask, structure)[0].astype("int32") if mask.size else np.zeros(mask.shape, "int32")
    return _without_small(labels, smallest)


def split_touching(mask, distance: float = 6.0, blur: float = 2.0, smallest: int = 1) -> np.ndarray:
    """Split round objects that touch: one instance around each place that lies deepest inside the mask.

    The distance of each pixel from the background, smoothed, has a peak in the middle of a round object. Each peak that
    is the highest within ``distance`` becomes a seed, and a watershed of the distance grows the seeds until they meet.

    Args:
        mask: (h, w), True or non-zero inside.
        distance: two peaks closer than this, in pixels, are one object: about a radius.
        blur: standard deviation, in pixels, of the smoothing; ragged outlines make false peaks.
        smallest: instances of fewer pixels are left out.

    Returns:
        An instance map. Each component of the mask has at least one instance.

    Raises:
        ValueError: as `connected_components`; ``distance`` or ``blur`` is negative.
    """
    from scipy import ndimage

    mask = _checked_mask(mask, "split_touching")
    if not (distance >= 0 and blur >= 0):
        raise ValueError(f"split_touching: distance={distance}, blur={blur}; expected pixels, 0 or more.")
    if not mask.any():
        return np.zeros(mask.shape, "int32")
    # The edge of the image is no outline: the object goes on beyond it.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    depth = np.minimum(depth, max(mask.shape))  # of a mask without background
    smooth = np.where(mask, ndimage.gaussian_filter(depth, blur) if blur else depth, 0)
    components = ndimage.label(mask, np.ones((3, 3)))[0]
    seeds = np.zeros(mask.shape, "int32")
    for number, (y, x) in enumerate(_peaks(smooth, components, distance), start=1):
        seeds[y, x] = number
    return _without_small(_watershed(-smooth, seeds, mask), smallest)


def _watershed(relief: np.ndarray, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Let water rise over ``relief`` from every seed; inside the mask each pixel belongs to the water that comes first.

    Meyer 1994, "Topographic distance and watershed lines"; neighbours are eight. (``scipy.ndimage.watershed_ift`` goes
    by the differences between neighbours, not by the height, and leaves rims around the seeds.)
    """
    labels = np.pad(seeds, 1)
    inside, height = np.pad(mask, 1), np.pad(relief, 1)
    queue = [(height[y, x], order, y, x) for order, (y, x) in enumerate(np.argwhere(labels > 0).tolist())]
    heapq.heapify(queue)
    order = len(queue)
    while queue:
        y, x = heapq.heappop(queue)[2:]
        for near_y, near_x in [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
            if inside[near_y, near_x] and labels[near_y, near_x] == 0:
                labels[near_y, near_x] = labels[y, x]
                heapq.heappush(queue, (height[near_y, near_x], order, near_y, near_x))
                order += 1
    return labels[1:-1, 1:-1]


def _peaks(smooth: np.ndarray, components: np.ndarray, distance: float) -> np.ndarray:
    """(k, 2): of each component the deepest pixel, and the local maxima farther than ``distance`` from deeper ones."""
    from scipy import ndimage

    y, x = np.nonzero((components > 0) & (smooth == ndimage.maximum_filter(smooth, 3)))
    order = np.argsort(-smooth[y, x], kind="stable")
    points, owners = np.stack([y, x], 1)[order], components[y, x][order]
    kept = np.zeros(len(points), bool)
    for i in range(len(points)):
        rivals = points[kept & (owners == owners[i])]
        kept[i] = (np.square(rivals - points[i]).sum(1) > distance**2).all()
    return points[kept]


def otsu(values) -> float:
    """The level between two groups of values whose means lie farthest apart, weighed by their sizes (Otsu 1979).

    Args:
        values: numbers of any shape, of at least two kinds.

    Returns:
        One of 98 levels, evenly spread between the least and the largest value.

    Raises:
        ValueError: all values are the same.
    """
    values = np.asarray(values)
    if not values.size or values.min() == values.max():
        raise ValueError("otsu: the values are all the same; a level has nothing to part.")
    levels = np.linspace(values.min(), values.max(), 100)[1:-1]
    parts = [(values[values <= level], values[values > level]) for level in levels]
    return float(levels[np.argmax([len(a) * len(b) * (a.mean() - b.mean()) ** 2 for a, b in parts])])


def seams(labels, within: float = 3) -> np.ndarray:
    """Where two instances nearly touch: the pixels whose distances to the nearest two add up to at most ``within``.

    Args:
        labels: instance map (h, w).
        within: in pixels; one that belongs to an instance has the distance 0 to it.

    Returns:
        uint8 (h, w): 1 in a seam.
    """
    from scipy import ndimage

    labels = _checked_labels(labels, "seams", (2,))
    names = [name for name in np.unique(labels) if name]
    if len(names) < 2:
        return np.zeros(labels.shape, "uint8")
    distances = np.partition([ndimage.distance_transform_edt(labels != name) for name in names], 1, axis=0)
    return (distances[0] + distances[1] <= within).astype("uint8")


def rims(labels) -> np.ndarray:
    """Three classes from an instance map (h, w): 0 background, 1 inside, 2 the outermost pixels of each instance.

    A pixel is at the rim if one of its four neighbours is of another instance, or of none. The edge of the image is
    no rim.
    """
    labels = _checked_labels(labels, "rims", (2,))
    padded, inner = np.pad(labels, 1, mode="edge"), slice(1, -1)
    near = [padded[inner, :-2], padded[inner, 2:], padded[:-2, inner], padded[2:, inner]]
    whole = np.all([other == labels for other in near], axis=0)
    return np.where(labels > 0, np.where(whole, 1, 2), 0).astype("uint8")


def separated(labels, gap: int = 1) -> np.ndarray:
    """The mask of an instance map, with a gap where two instances touch: what a network learns to keep apart.

    Args:
        labels: instance map (h, w), or a batch (n, h, w).
        gap: pixels of an instance that lie within this distance (rows and columns) of another one become background.

    Returns:
        uint8, of the same shape: 1 inside.
    """
    from scipy import ndimage

    labels = _checked_labels(labels, "separated", (2, 3))
    if gap < 0:
        raise ValueError(f"separated: gap={gap}; expected pixels, 0 or more.")
    size = (1,) * (labels.ndim - 2) + (2 * gap + 1,) * 2
    shape = labels.shape
    if not labels.size:
        return np.zeros(shape, "uint8")
    # scipy filters in float64, which does not tell large numbers apart: the objects are counted anew.
    numbers, labels = np.unique(np.append(0, labels), return_inverse=True)
    labels = labels.ravel()[1:].reshape(shape).astype("int32")
    largest = ndimage.maximum_filter(labels, size)
    other = np.where(labels > 0, labels, len(numbers))
    smallest = ndimage.minimum_filter(other, size)
    return ((labels > 0) & (largest == labels) & (smallest == labels)).astype("uint8")


# --- objects compared ------------------------------------------------------------------------------------------------


class Matches(NamedTuple):
    """Which true instance is which predicted one.

    ``pairs`` is (k, 2): numbers of a true and of a predicted instance; ``overlaps`` their IoU, (k,); ``missed`` and
    ``invented`` are the numbers of true and of predicted instances without a partner.
    """

    pairs: np.ndarray
    overlaps: np.ndarray
    missed: np.ndarray
    invented: np.ndarray


def match_instances(labels_true, labels_pred, threshold: float = 0.5) -> Matches:
    """Pair true and predicted instances one to one, so that as many pairs as possible reach the IoU ``threshold``.

    Of such pairings it is the one of greatest total IoU. Above 0.5 at most one partner is possible.

    Raises:
        ValueError: the maps differ in shape, are not two-dimensional, hold negative numbers or numbers that are not
            whole, or the threshold is not above 0 and at most 1.
    """
    from scipy.optimize import linear_sum_assignment

    labels_true = _checked_labels(labels_true, "match_instances", (2,))
    labels_pred = _checked_labels(labels_pred, "match_instances", (2,))
    if labels_true.shape != labels_pred.shape:
        raise ValueError(
            f"match_instances: the maps have shapes {labels_true.shape} and {labels_pred.shape}; expected the same. "
            "Was one of them resized?"
        )
    if not 0 < threshold <= 1:
        raise ValueError(f"match_instances: threshold={threshold}; expected an IoU above 0, at most 1.")
    (true, areas_true), (pred, areas_pred) = (_areas(labels) for labels in (labels_true, labels_pred))
    both = (labels_true > 0) & (labels_pred > 0)
    shared = np.zeros((len(true), len(pred)))
    np.add.at(shared, (np.searchsorted(true, labels_true[both]), np.searchsorted(pred, labels_pred[both])), 1)
    overlap = shared / (areas_true[:, None] + areas_pred - shared)
    # A pair that counts is worth more than the IoU of all others together.
    worth = np.where(overlap >= threshold, 1 + overlap / (1 + min(overlap.shape)), 0)
    rows, columns = linear_sum_assignment(-worth)
    good = overlap[rows, columns] >= threshold
    rows, columns = rows[good], columns[good]
    pairs = np.stack([true[rows], pred[columns]], axis=1)
    return Matches(pairs, overlap[rows, columns], np.delete(true, rows), np.delete(pred, columns))


def average_precision(labels_true, labels_pred, threshold: float = 0.5) -> float:
    """Pairs / (pairs + missed + invented) at an IoU ``threshold``: the score of the 2018 Data Science Bowl, in [0, 1].

    1 if both maps are empty. Arguments and errors as `match_instances`. Instances have no scores here, so there is
    no curve to average over, in spite of the name (Caicedo et al. 2019, "Nucleus segmentation across imaging
    experiments: the 2018 Data Science Bowl").
    """
    matches = match_instances(labels_true, labels_pred, threshold)
    total = len(matches.pairs) + len(matches.missed) + len(matches.invented)
    return len(matches.pairs) / total if total else 1.0


def count_error(labels_true, labels_pred) -> int:
    """How many more instances were found than there are; negative if fewer. The maps need not have the same size."""
    counts = [len(_areas(_checked_labels(labels, "count_error", (2, 3)))[0]) for labels in (labels_true, labels_pred)]
    return counts[1] - counts[0]


def _areas(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    numbers, areas = np.unique(labels[labels > 0], return_counts=True)
    return numbers, areas


def _without_small(labels: np.ndarray, smallest: int) -> np.ndarray:
    """Instances of at least ``smallest`` pixels, numbered 1, 2, ... in the order of their first pixels."""
    numbers, first, areas = np.unique(labels, return_index=True, return_counts=True)
    kept = (numbers > 0) & (areas >= smallest)
    new = np.zeros(int(labels.max(initial=0)) + 1, "int32")
    new[numbers[kept][np.argsort(first[kept])]] = np.arange(1, kept.sum() + 1)
    return new[labels]


def _checked_mask(mask, caller: str) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"{caller}: the mask has shape {mask.shape}; expected one mask, (height, width).")
    if mask.dtype.kind == "f" and not np.isfinite(mask).all():
        raise ValueError(f"{caller}: the mask holds NaN or infinity. Compare the scores with a threshold first.")
    if mask.dtype.kind == "f" and not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{caller}: the mask has values between 0 and 1. Compare the scores with a threshold first.")
    return mask.astype(bool)


def _checked_labels(labels, caller: str, dimensions: tuple[int, ...]) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim not in dimensions:
        raise ValueError(f"{caller}: an instance map has shape {labels.shape}; expected (height, width).")
    if labels.dtype.kind not in "iub" or labels.min(initial=0) < 0:
        raise ValueError(f"{caller}: an instance map must hold whole numbers, 0 and more; this is {labels.dtype}.")
    if labels.max(initial=0) > np.iinfo("int64").max:
        raise ValueError(
            f"{caller}: the number {labels.max()} of an instance is above 2**63 - 1. Is -1 among unsigned ones?"
        )
    return labels.astype("int64")
