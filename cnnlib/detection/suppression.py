"""Non-maximum suppression: one box for each thing. Greedy, by class, in batches, soft. Lesson 11.

Greedy NMS keeps the box with the best score, drops those that overlap it by more than a threshold, and goes on with
what is left. It is defined by that loop; computed box by box it is slow in Python. Here boxes are taken a *block* at a
time: the block is settled by bit sets, then what its survivors overlap is dropped from the rest in one array operation.
"""

from __future__ import annotations

import numpy as np

from cnnlib.detection.boxes import as_boxes, iou

__all__ = ["batched_nms", "nms", "soft_nms"]

BLOCK = 128  # boxes settled at once
SWEEP = 512  # with more boxes left than this, it may pay to sort them by place
PIECE = 32768  # comparisons at once
SWEEP_COST = 2  # of a comparison in a sweep, as a multiple of one in a block


def nms(
    boxes, scores, iou_threshold: float = 0.5, score_threshold: float = -np.inf, max_boxes: int | None = None
) -> np.ndarray:
    """Indices of the boxes that greedy NMS keeps, best score first; the same as ``tf.image.non_max_suppression``.

    Of equal scores the earlier box comes first. A box is dropped if its IoU with a kept one is *greater* than the
    threshold.

    Args:
        boxes: (n, 4).
        scores: (n,).
        iou_threshold: in [0, 1].
        score_threshold: boxes with a score of at most this are left out.
        max_boxes: stop after as many.

    Returns:
        Indices (k,), int64.

    Raises:
        ValueError: boxes or scores are no such arrays, or hold NaN; the threshold is outside [0, 1].
    """
    boxes, scores = _checked(boxes, scores, iou_threshold)
    order = np.argsort(-scores, kind="stable")
    if score_threshold > -np.inf:
        order = order[: np.searchsorted(-scores[order], -scores.dtype.type(score_threshold), side="left")]
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 of two boxes without area: not more than any threshold
        return order[_greedy(boxes[order], iou_threshold, len(order) if max_boxes is None else max_boxes)]


def batched_nms(
    boxes,
    scores,
    labels,
    iou_threshold: float = 0.5,
    score_threshold: float = -np.inf,
    max_boxes: int | None = None,
) -> np.ndarray:
    """NMS within each class, or within whatever ``labels`` tells apart; indices (k,), best score first.

    A shirt does not suppress the bag in front of it. For a batch of images, number them and let
    ``labels = image * classes + label``.
    """
    boxes, scores = _checked(boxes, scores, iou_threshold)
    labels = np.asarray(labels)
    if labels.shape != scores.shape:
        raise ValueError(f"labels has shape {labels.shape}, scores {scores.shape}; expected one label for each box.")
    kept = [np.empty(0, np.int64)]
    for label in np.unique(labels):
        (members,) = np.nonzero(labels == label)
        kept.append(members[nms(boxes[members], scores[members], iou_threshold, score_threshold, max_boxes)])
    kept = np.sort(np.concatenate(kept))  # of equal scores, the earlier box first
    return kept[np.argsort(-scores[kept], kind="stable")][:max_boxes]


def soft_nms(
    boxes, scores, sigma: float = 0.5, score_threshold: float = 1e-3, max_boxes: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Soft-NMS (Bodla et al. 2017): overlap lowers a score instead of ending a box.

    Each time the best box is taken, the scores of the others are multiplied by ``exp(-IoU**2 / sigma)``.

    Returns:
        ``(indices, scores)``, both (k,): in the order in which they were taken, with the scores they had then.
    """
    boxes, scores = _checked(boxes, scores, 0.5)
    if not sigma > 0:
        raise ValueError(f"sigma={sigma}: it divides the squared overlap; expected more than 0.")
    left = scores.astype(np.float64)
    indices, taken = [], []
    limit = len(boxes) if max_boxes is None else max_boxes
    while len(indices) < limit and len(left):
        best = int(np.argmax(left))
        if left[best] <= score_threshold:
            break
        indices.append(best)
        taken.append(left[best])
        left *= np.exp(-(iou(boxes[best : best + 1], boxes)[0] ** 2) / sigma)
        left[best] = -np.inf
    return np.array(indices, np.int64), np.array(taken, scores.dtype)


def _checked(boxes, scores, iou_threshold: float) -> tuple[np.ndarray, np.ndarray]:
    boxes, scores = as_boxes(boxes), np.asarray(scores)
    if scores.shape != (len(boxes),):
        raise ValueError(f"scores has shape {scores.shape}; expected ({len(boxes)},), a score for each box.")
    if len(scores) and scores.dtype.kind != "f":
        scores = scores.astype(np.float32)
    if np.isnan(scores.sum()) and np.isnan(scores).any():
        raise ValueError("scores holds NaN, which has no place in an order. Did the training diverge?")
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold={iou_threshold}: an IoU lies in [0, 1].")
    return boxes, scores


def _greedy(boxes: np.ndarray, threshold: float, limit: int) -> np.ndarray:
    """Positions that greedy NMS keeps of ``boxes`` (n, 4), which are in falling order of their scores."""
    planes = np.empty((5, len(boxes)), boxes.dtype)
    np.multiply(boxes.T, 0.5, out=planes[:4])
    planes[4] = 4 * (planes[2] - planes[0]) * (planes[3] - planes[1])
    left = np.arange(len(boxes))
    kept: list[np.ndarray] = []
    count = 0
    while len(left) and count < limit:
        block = planes[:, :BLOCK]
        chosen = _settle(_overlaps(block, block, threshold))[: limit - count]
        kept.append(left[chosen])
        count += len(chosen)
        before, planes, left = len(left), planes[:, BLOCK:], left[BLOCK:]
        if len(left):
            alive = _untouched(block[:, chosen], planes, threshold)
            planes, left = planes[:, alive], left[alive]
        if len(left) > SWEEP:  # would the plain way, at this rate, compare more boxes than a sweep?
            blocks = min(before / (before - len(left)), len(left) / (2 * BLOCK))
            edges = _sweep(planes, threshold, len(chosen) * len(left) * blocks / SWEEP_COST)
            if edges is not None:
                kept.append(left[_follow(*edges, len(left))[: limit - count]])
                break
    return np.concatenate(kept) if kept else np.empty(0, np.int64)


def _sweep(planes: np.ndarray, threshold: float, most: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Pairs (better, worse) of overlapping boxes, sorted by the better; None if it takes over ``most`` comparisons.

    Two boxes whose IoU exceeds t share more than t of the wider one's width. So the partners of a box that begin right
    of it begin within ``(1 - t) * width``: sorted by their left edge, they lie in a narrow band of the matrix.
    """
    n = planes.shape[1]
    by_left = np.argsort(planes[0], kind="stable")
    band = planes[:, by_left]
    # A little wider than exact, for the rounding of the sums in the IoU.
    reach = band[0] + (1 - threshold) * 1.001 * (band[2] - band[0]) + 1e-6 * np.abs(band[0])
    ends = np.searchsorted(band[0], np.maximum.accumulate(reach), side="right")
    starts = np.arange(0, n, BLOCK)
    stops = ends[np.minimum(starts + BLOCK, n) - 1]
    if BLOCK * (stops - starts).sum() > most:
        return None
    rows, columns = [], []
    for start, stop in zip(starts.tolist(), stops.tolist()):
        hits = np.flatnonzero(_overlaps(band[:, start : start + BLOCK], band[:, start:stop], threshold))
        row, column = np.divmod(hits, stop - start)
        rows.append(by_left[start + row])
        columns.append(by_left[start + column])
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    better, worse = np.minimum(rows, columns), np.maximum(rows, columns)
    order = np.argsort(better, kind="stable")
    return better[order], worse[order]


def _follow(better: np.ndarray, worse: np.ndarray, n: int) -> np.ndarray:
    """Greedy choice among ``n`` boxes from the pairs that overlap."""
    alive = np.ones(n, bool)
    firsts = np.flatnonzero(np.diff(better, prepend=-1))
    ends = np.append(firsts[1:], len(better))
    for i, start, end in zip(better[firsts].tolist(), firsts.tolist(), ends.tolist()):
        if alive[i]:
            alive[worse[start:end]] = False
            alive[i] = True  # a box overlaps itself
    return np.flatnonzero(alive)


def _overlaps(first: np.ndarray, second: np.ndarray, threshold: float) -> np.ndarray:
    """Whether IoU > threshold, (n, m), of boxes as planes (5, n): x1/2, y1/2, x2/2, y2/2, area."""
    left, top, right, bottom, size = first[:, :, None]
    inter = np.minimum(right, second[2])
    inter -= np.maximum(left, second[0])
    height = np.minimum(bottom, second[3])
    height -= np.maximum(top, second[1])
    # The planes hold halves: x + |x| is max(2x, 0) to the last bit, and three times as fast in NumPy.
    inter += np.abs(inter)
    height += np.abs(height)
    inter *= height
    union = np.add(size, second[4], out=height)
    union -= inter
    inter /= union
    return inter > threshold


def _untouched(kept: np.ndarray, planes: np.ndarray, threshold: float) -> np.ndarray:
    """Which boxes of ``planes`` overlap none of ``kept``, in pieces that fit into the cache of a processor."""
    step = PIECE // max(1, kept.shape[1])
    pieces = [planes[:, i : i + step] for i in range(0, planes.shape[1], step)]
    return ~np.concatenate([_overlaps(kept, piece, threshold).any(0) for piece in pieces])


def _settle(overlaps: np.ndarray) -> np.ndarray:
    """Greedy choice from a matrix of overlaps (n, n), whose rows and columns are in order."""
    n = len(overlaps)
    if np.count_nonzero(overlaps) < 4 * n:  # few pairs: one after another
        rows, columns = np.divmod(np.flatnonzero(overlaps), n)
        alive = [True] * n
        for i, j in zip(rows.tolist(), columns.tolist()):
            if i < j and alive[i]:
                alive[j] = False
        return np.flatnonzero(alive)
    # Few survive: each row is a bit set, one whole number, and the next survivor is the lowest bit that is left.
    packed = np.packbits(overlaps, axis=1, bitorder="little")
    width = packed.shape[1]
    data = packed.tobytes()
    alive, chosen = (1 << n) - 1, []
    while alive:
        i = (alive & -alive).bit_length() - 1
        chosen.append(i)
        alive &= ~(int.from_bytes(data[i * width : (i + 1) * width], "little") | 1 << i)
    return np.array(chosen, np.int64)
