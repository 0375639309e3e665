"""Of the checks of lesson 13 those on masks: which found masks are right, and who owns a pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 13.5 Right or wrong, mask by mask ------------------------------------------------------------------------------------


def right_masks(masks, scores, truth, threshold=0.5):
    """The reference answer."""
    return _judged(masks, scores, truth, threshold)


def _iou(mask, true) -> float:
    return (mask & true).sum() / (mask | true).sum()


def _of_boxes(mask, true) -> float:
    """IoU of the boxes around two masks."""
    first, second = np.zeros_like(mask), np.zeros_like(true)
    for full, shape in ((first, mask), (second, true)):
        rows, columns = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0))
        full[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return _iou(first, second)


def _judged(
    masks,
    scores,
    truth,
    threshold,
    order: Callable = lambda scores: np.argsort(-np.asarray(scores), kind="stable"),
    overlap: Callable = _iou,
    enough: Callable = lambda value, threshold: value >= threshold,
    taken: str = "next",
    given_order: bool = True,
    choose: Callable = lambda values, threshold: values.argmax(),
    always_takes: bool = False,
) -> np.ndarray:
    """Matching with one of its parts exchanged. ``taken``: what a mask does whose best true mask is taken."""
    gone, right = [], np.zeros(len(masks), bool)
    for i in order(scores):
        values = np.array([overlap(masks[i], true) for true in truth])
        if taken == "next":
            values[gone] = -1
        best = int(choose(values, threshold)) if len(values) else -1
        if best >= 0 and enough(values[best], threshold) and (taken == "again" or best not in gone):
            right[i] = True
        if right[i] or (always_takes and best >= 0):
            gone.append(best)
    return right if given_order else right[order(scores)]


def _chosen_by_truth(masks, scores, truth, threshold=0.5):
    """The true masks choose, in their order, each the one with the greatest IoU."""
    right = np.zeros(len(masks), bool)
    for true in truth:
        values = np.array([-1 if right[i] else _iou(mask, true) for i, mask in enumerate(masks)])
        if values.max() >= threshold:
            right[values.argmax()] = True
    return right


def _square(y: int, x: int, height: int, width: int, size: int = 12) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[y : y + height, x : x + width] = True
    return mask


def _mask_cases(rng: np.random.Generator) -> Iterator[Case]:
    true = np.stack([_square(1, 1, 4, 4), _square(1, 7, 4, 4)])
    found = np.stack([_square(1, 1, 4, 3), _square(1, 1, 4, 4), _square(8, 8, 3, 3)])
    yield Case((found, np.array([0.6, 0.9, 0.8]), true), about="one item found twice")
    yield Case(
        (found, np.array([0.9, 0.6, 0.8]), true), about="one item found twice, the worse mask has the better score"
    )
    yield Case((np.stack([_square(1, 1, 4, 2)]), np.array([0.9]), true), about="an IoU of exactly 0.5")
    yield Case((np.stack([_square(1, 1, 4, 3)]), np.array([0.9]), true, 0.8), about="an IoU below a threshold of 0.8")
    line = np.eye(12, dtype=bool)
    yield Case((np.stack([line]), np.array([0.7]), np.stack([line[::-1]])), about="two thin items that cross")
    for found_one, true_one, about in (
        (_square(2, 2, 2, 3), _square(2, 2, 4, 4), "a part of an item"),
        (_square(2, 2, 6, 6), _square(3, 3, 3, 3), "much more than the item"),
        (_square(2, 2, 4, 4), _square(2, 4, 4, 4), "half of an item, and as much beside it"),
    ):
        yield Case((np.stack([found_one]), np.array([0.7]), np.stack([true_one])), about=about)
    near = np.stack([_square(2, 2, 6, 6), _square(2, 4, 6, 6)])
    twice = np.stack([_square(2, 2, 6, 6), _square(2, 2, 6, 7)])
    yield Case((twice, np.array([0.8, 0.7]), near, 0.4), about="two items overlap, two masks fit the first best")
    both = np.stack([_square(2, 4, 6, 6), _square(2, 0, 6, 6)])
    yield Case((both, np.array([0.9, 0.8]), near, 0.4), about="a mask that fits both items, the second better")
    yield Case(
        (both, np.array([0.9, 0.8]), near[::-1].copy(), 0.4), about="a mask that fits both items, the first better"
    )
    poor = np.stack([_square(2, 2, 2, 2), _square(2, 2, 4, 4)])
    yield Case((poor, np.array([0.9, 0.6]), poor[1:]), about="a bad mask with the better score, and a good one")
    yield Case((found, np.array([0.2, 0.4, 0.3]), np.zeros((0, 12, 12), bool)), about="nothing there")
    for threshold in (0.3, 0.5, 0.75):
        true = np.stack([_square(*rng.integers(0, 6, 2), *rng.integers(3, 7, 2)) for _ in range(3)])
        found = np.stack([np.roll(true[k], tuple(rng.integers(-1, 2, 2)), (0, 1)) for k in rng.integers(0, 3, 7)])
        yield Case((found, rng.permutation(7) / 8 + 0.1, true, threshold), about=f"a threshold of {threshold}")


RIGHT_MASKS = FunctionExercise(
    "13.5",
    "Right or wrong, mask by mask",
    reference=right_masks,
    cases=_mask_cases,
    misconceptions=(
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(masks, scores, truth, threshold, taken="again"),
            "A true mask counts once: who finds it again is wrong.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks, scores, truth, threshold, order=lambda scores: range(len(scores))
            ),
            "You go through the masks as they come. The best score has the first choice.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks, scores, truth, threshold, order=lambda scores: np.argsort(scores, kind="stable")
            ),
            "You begin with the worst score. The best one has the first choice.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(masks, scores, truth, threshold, given_order=False),
            "Your answers stand in the order of the scores. They should stand as the masks do.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks, scores, truth, threshold, enough=lambda value, threshold: value > threshold
            ),
            "An IoU of exactly the threshold is enough: *at least*.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(masks, scores, truth, threshold, overlap=_of_boxes),
            "You compare the boxes around the masks. Compare their pixels.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(masks, scores, truth, threshold, taken="wrong"),
            "Where the best true mask is taken, another one that is free may still reach the threshold.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks, scores, truth, threshold, choose=lambda values, threshold: (values >= threshold).argmax()
            ),
            "Each takes the *first* free mask that reaches the threshold. It should take the one with the greatest "
            "IoU.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks,
                scores,
                truth,
                threshold,
                choose=lambda values, threshold: len(values) - 1 - (values >= threshold)[::-1].argmax(),
            ),
            "Each takes the *last* free mask that reaches the threshold. It should take the one with the greatest IoU.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(masks, scores, truth, threshold, always_takes=True),
            "A mask that misses the threshold takes a true mask away all the same. Only one that is right does.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks, scores, truth, threshold, overlap=lambda mask, true: (mask & true).sum() / mask.sum()
            ),
            "You divide by the pixels of the found mask. The union has those of the true one, too.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks, scores, truth, threshold, overlap=lambda mask, true: (mask & true).sum() / true.sum()
            ),
            "You divide by the pixels of the true mask. The union has those of the found one, too.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks,
                scores,
                truth,
                threshold,
                overlap=lambda mask, true: 2 * (mask & true).sum() / (mask.sum() + true.sum()),
            ),
            "That is the Dice coefficient, which is greater than the IoU.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(
                masks, scores, truth, threshold, overlap=lambda mask, true: (mask == true).mean()
            ),
            "You count pixels that agree, empty ones included. The IoU looks at pixels that one of the two has.",
        ),
        Misconception(
            _chosen_by_truth,
            "With you the true masks choose. The found ones choose, and the one with the best score comes first.",
        ),
        Misconception(
            lambda masks, scores, truth, threshold=0.5: _judged(masks, scores, truth, 0.5),
            "You compare with 0.5 whatever the `threshold` is.",
        ),
    ),
    hints=(
        "Keep a list of which true masks are still free, and start with `np.zeros(len(masks), bool)`.",
        "`np.argsort(-scores)` is the order in which the masks choose.",
        "Each takes, among the free ones, the true mask with which its IoU is greatest, if that reaches the threshold.",
    ),
    remark="With precision_recall and average_precision this is the AP of one class at one threshold.",
)


# 13.6 One owner for each pixel ----------------------------------------------------------------------------------------


def panoptic(masks, scores, least=0.5):
    """The reference answer."""
    return _owned(masks, scores, least)


def _owned(
    masks,
    scores,
    least,
    order: Callable = lambda scores: np.argsort(-np.asarray(scores), kind="stable"),
    over: bool = False,
    enough: Callable = lambda left, mask, least: left.sum() >= least * mask.sum(),
    blocks: bool = False,
    number: Callable = lambda i, rank: i + 1,
) -> np.ndarray:
    """The map with one part of the recipe exchanged."""
    owner = np.zeros(masks.shape[1:], int)
    taken = np.zeros(masks.shape[1:], bool)
    for rank, i in enumerate(order(scores)):
        left = masks[i] & ~taken
        if blocks:
            taken |= masks[i]
        if enough(left, masks[i], least):
            owner[masks[i] if over else left] = number(int(i), rank)
            taken |= masks[i]
    return owner


def _numbered_one_by_one(masks, scores, least=0.5):
    """The masks that own something are numbered without gaps, the best score first."""
    owner = _owned(masks, scores, least)
    order = [i + 1 for i in np.argsort(-np.asarray(scores), kind="stable").tolist() if (owner == i + 1).any()]
    return sum((owner == each) * (rank + 1) for rank, each in enumerate(order))


def _ends_at_a_double(masks, scores, least=0.5):
    owner = np.zeros(masks.shape[1:], int)
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        left = masks[i] & (owner == 0)
        if left.sum() < least * masks[i].sum():
            break
        owner[left] = i + 1
    return owner


def _owner_by_owner(masks, scores, least=0.5):
    owner = np.zeros(masks.shape[1:], int)
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        size = masks[i].sum()
        if all((masks[i] & (owner == each)).sum() <= (1 - least) * size for each in range(1, len(masks) + 1)):
            owner[masks[i] & (owner == 0)] = i + 1
    return owner


def _panoptic_cases(rng: np.random.Generator) -> Iterator[Case]:
    pair = np.stack([_square(0, 0, 2, 4, 6), _square(0, 3, 2, 3, 6)])
    yield Case((pair, np.array([0.4, 0.9])), about="two masks share a column, the second has the better score")
    yield Case((pair, np.array([0.9, 0.4])), about="two masks share a column, the first has the better score")
    half = np.stack([_square(0, 0, 2, 4, 6), _square(0, 2, 2, 4, 6)])
    yield Case((half, np.array([0.9, 0.4])), about="exactly half of the second is left")
    chain = np.stack([_square(0, 0, 2, 4, 8), _square(0, 1, 2, 4, 8), _square(0, 4, 2, 4, 8)])
    yield Case((chain, np.array([0.9, 0.6, 0.3])), about="the second has a quarter left, and lies on the third")
    yield Case((chain, np.array([0.3, 0.6, 0.9]), 0.8), about="at least 0.8 must be left")
    between = np.stack([_square(0, 0, 2, 8, 8), _square(0, 0, 2, 3, 8), _square(0, 5, 2, 3, 8)])
    yield Case((between, np.array([0.2, 0.9, 0.8])), about="two owners each have three eighths of the third")
    for least in (0.3, 0.5, 0.7):
        masks = np.stack([_square(*rng.integers(0, 6, 2), *rng.integers(3, 6, 2), 10) for _ in range(5)])
        yield Case((masks, rng.permutation(5) / 6 + 0.1, least), about=f"at least {least} must be left")


PANOPTIC = FunctionExercise(
    "13.6",
    "One owner for each pixel",
    reference=panoptic,
    cases=_panoptic_cases,
    misconceptions=(
        Misconception(
            lambda masks, scores, least=0.5: _owned(masks, scores, least, order=lambda scores: range(len(scores))),
            "You go through the masks as they come. The best score has the first choice.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(
                masks, scores, least, order=lambda scores: np.argsort(scores, kind="stable")
            ),
            "You begin with the worst score. The best one has the first choice.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(masks, scores, least, over=True),
            "A later mask paints over an earlier one. A pixel that is taken stays taken.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(
                masks, scores, least, over=True, enough=lambda left, mask, least: True
            ),
            "A later mask paints over an earlier one. A pixel that is taken stays taken.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(masks, scores, least, enough=lambda left, mask, least: True),
            "A mask of which too little is left should be dropped.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(
                masks, scores, least, enough=lambda left, mask, least: left.sum() > least * mask.sum()
            ),
            "A mask with exactly the share `least` left stays: *less* than that is too little.",
        ),
        Misconception(
            _owner_by_owner,
            "You compare with one owner at a time. What counts is how much is left when *all* of them have theirs.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(masks, scores, least, blocks=True),
            "A mask that was dropped owns nothing: its pixels are free for the next.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(masks, scores, least, number=lambda i, rank: rank + 1),
            "You number the masks by rank. Mask 0 should be 1 on the map, mask 1 should be 2, whatever their scores.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(masks, scores, least, number=lambda i, rank: i),
            "0 means that nobody owns the pixel, so mask 0 cannot have it.",
        ),
        Misconception(
            _numbered_one_by_one,
            "You number the masks in the order in which they get their pixels. Mask 0 should be 1 on the map, mask 1 "
            "should be 2, whatever their scores.",
        ),
        Misconception(
            lambda masks, scores, least=0.5: _owned(masks, scores, 0.5),
            "You compare with 0.5 whatever `least` is.",
        ),
        Misconception(
            _ends_at_a_double,
            "With you all ends at the first mask of which too little is left. Only that one is dropped.",
        ),
    ),
    hints=(
        "Begin with a map of zeros, and go through the masks, best score first.",
        "`mask & (owner == 0)` is what is left of a mask.",
        "Compare the number of pixels that are left with `least` times the number of pixels of the mask, *before* you "
        "write into the map.",
    ),
    remark="Kirillov and others (2019) merge instances in this way; stuff fills what is left.",
)
