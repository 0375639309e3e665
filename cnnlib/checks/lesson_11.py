"""The checks of lesson 11, object detection."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.checks.lesson_11_scores import AP, COST
from cnnlib.exercises.compare import Opaque, difference
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception, Wrong


def _boxes(rng: np.random.Generator, count: int, size: float = 60.0) -> np.ndarray:
    """Boxes (count, 4) of whole pixels, with an area."""
    corner = rng.integers(0, size, (count, 2))
    return np.concatenate([corner, corner + rng.integers(8, size, (count, 2))], axis=1).astype("float32")


# 11.1 IoU of all pairs ------------------------------------------------------------------------------------------------


def iou_matrix(first, second):
    """The reference answer."""
    return _iou(first, second)


def _sides(boxes: np.ndarray) -> np.ndarray:
    return boxes[..., 2:] - boxes[..., :2]


def _sum_without_shared(first: np.ndarray, second: np.ndarray, shared: np.ndarray) -> np.ndarray:
    return first + second - shared


def _iou(
    first,
    second,
    shared: Callable[[np.ndarray], np.ndarray] = lambda sides: np.maximum(sides, 0).prod(axis=-1),
    whole: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] = _sum_without_shared,
    sides: Callable[[np.ndarray], np.ndarray] = _sides,
    refuse: Callable[[np.ndarray], bool] = lambda boxes: bool((boxes[:, 2:] < boxes[:, :2]).any()),
    both: bool = True,
) -> np.ndarray:
    """The matrix with one of its parts exchanged."""
    first, second = np.asarray(first, float), np.asarray(second, float)
    if refuse(first) or (both and refuse(second)):
        raise ValueError("a box ends before it begins")
    common = np.concatenate(
        [np.maximum(first[:, None, :2], second[:, :2]), np.minimum(first[:, None, 2:], second[:, 2:])], axis=-1
    )
    areas = [sides(boxes).prod(axis=-1) for boxes in (first, second)]
    inner = shared(sides(common))
    with np.errstate(all="ignore"):
        return inner / whole(areas[0][:, None], areas[1], inner)


def _is_diagonal(came: object, expected: object, case: Case) -> bool:
    return not isinstance(came, Opaque) and np.ndim(came) == 1 and np.shape(came)[0] == min(np.shape(expected))


def _iou_cases(rng: np.random.Generator) -> Iterator[Case]:
    whole = np.array([[0, 0, 30, 20]], "float32")
    yield Case((whole, whole + np.float32([10, 0, 10, 0])), about="a box, and the same a third of its width further")
    yield Case((whole, np.array([[10, 5, 20, 15], [0, 0, 60, 40]], "float32")), about="one inside, one around it")
    yield Case((whole, whole + np.float32([40, 30, 40, 30])), about="two boxes that do not meet, in either direction")
    yield Case((whole, whole + np.float32([40, 0, 40, 0])), about="two boxes side by side")
    yield Case((whole, whole + np.float32([0, 25, 0, 25])), about="two boxes one above the other")
    small = np.array([[0.25, 0.5, 1.75, 1.25], [0.5, 0.25, 1.25, 1.75]], "float32")
    yield Case((small, small[::-1].copy()), about="boxes that do not end at whole numbers")
    yield Case((_boxes(rng, 3), _boxes(rng, 5)), about="3 boxes and 5")
    yield Case((_boxes(rng, 4), _boxes(rng, 4)), about="4 boxes and 4")
    yield Case((_boxes(rng, 6), _boxes(rng, 1)), about="6 boxes and 1")
    wide, high = np.array([[50, 30, 10, 40]], "float32"), np.array([[30, 50, 40, 10]], "float32")
    yield Case((wide, _boxes(rng, 2)), raises=ValueError, about="a box with x2 < x1 in the first set")
    yield Case((high, _boxes(rng, 2)), raises=ValueError, about="a box with y2 < y1 in the first set")
    yield Case((_boxes(rng, 2), wide), raises=ValueError, about="a box with x2 < x1 in the second set")
    yield Case((_boxes(rng, 2), high), raises=ValueError, about="a box with y2 < y1 in the second set")
    turned = np.array([[50, 40, 10, 30]], "float32")
    yield Case((turned, _boxes(rng, 2)), raises=ValueError, about="a box with both turned round in the first set")
    for bad, what in ((wide, "x2 < x1"), (high, "y2 < y1"), (turned, "both turned round")):
        boxes = np.concatenate([_boxes(rng, 2), bad, _boxes(rng, 1)])
        yield Case((boxes, _boxes(rng, 2)), raises=ValueError, about=f"one of four boxes with {what}")
        yield Case((_boxes(rng, 2), boxes), raises=ValueError, about=f"one of four in the second set with {what}")


IOU = FunctionExercise(
    "11.1",
    "IoU of all pairs",
    reference=iou_matrix,
    cases=_iou_cases,
    misconceptions=(
        Misconception(
            lambda first, second: _iou(first, second, shared=lambda sides: sides.prod(axis=-1)),
            "Two boxes that do not meet have a shared width or height below 0. Both below 0 multiply to something "
            "positive: hold them at 0 first.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, shared=lambda sides: np.maximum(sides.prod(axis=-1), 0)),
            "The product is held at 0, and a product of two negative sides is positive. Hold each *side* at 0.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, shared=lambda sides: np.abs(sides).prod(axis=-1)),
            "A shared side below 0 means that the boxes do not meet. Its absolute value makes an overlap out of a gap.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, whole=lambda a, b, shared: a + b),
            "The two areas added up count the shared part twice. That is not yet the union.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, whole=lambda a, b, shared: np.minimum(a, b)),
            "You divide by the smaller box. A small box inside a large one would then have an overlap of 1.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, whole=lambda a, b, shared: a + 0 * b),
            "You divide by the area of the first box. Divide by the area that the two cover together.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, whole=lambda a, b, shared: b + 0 * a),
            "You divide by the area of the second box. Divide by the area that the two cover together.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, sides=lambda boxes: boxes[..., 2:] - boxes[..., :2] + 1),
            "A side is longer by 1 than it should be. Coordinates are places in the plane here: from 0 to 1 is one "
            "pixel.",
        ),
        Misconception(
            lambda first, second: _iou(first, second).T,
            "Rows and columns have changed places: row `i` belongs to box `i` of the *first* set.",
        ),
        Misconception(
            _is_diagonal,
            "Each box is compared with its counterpart only. Every box of the first set meets every box of the second: "
            "an added axis makes the pairs.",
            predicate=True,
        ),
        Misconception(
            lambda first, second: _iou(first, second, refuse=lambda boxes: bool((boxes[:, 2] < boxes[:, 0]).any())),
            "You look at x only. A box with y2 < y1 is no box either.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, both=False),
            "You look at one of the two sets only. Both can hold a box that is none.",
        ),
        Misconception(
            lambda first, second: _iou(np.floor(first), np.floor(second)),
            "Your coordinates lose what stands behind the point. They are floats, and no counts of pixels.",
        ),
        Misconception(
            lambda first, second: _iou(
                first, second, refuse=lambda boxes: bool((_sides(boxes).prod(axis=-1) < 0).any())
            ),
            "A box that is turned round in both directions has a positive area. Compare the sides, not the area.",
        ),
        Misconception(
            lambda first, second: _iou(
                first, second, refuse=lambda boxes: bool((boxes[:, 2:] < boxes[:, :2]).any(axis=1).all())
            ),
            "One box that is none among good ones is let through. Refuse if *any* of them is.",
        ),
        Misconception(
            lambda first, second: _iou(
                first, second, refuse=lambda boxes: bool((boxes[:, 2:] < boxes[:, :2]).all(axis=1).any())
            ),
            "You refuse a box only if both of its sides are turned round. One is enough.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, refuse=lambda boxes: bool((boxes[:, 2:] < boxes[:, :2]).all())),
            "You refuse only if every side of every box is turned round. Refuse if *any* of them is.",
        ),
        Misconception(
            lambda first, second: _iou(first, second, refuse=lambda boxes: False),
            "A box that ends before it begins is a mistake somewhere before. Raise a ValueError.",
        ),
    ),
    hints=(
        "`first[:, None, :2]` has shape (n, 1, 2) and `second[None, :, :2]` (1, m, 2). What does `np.maximum` make of "
        "the two?",
        "The shared part begins at the greater of the two left edges and ends at the smaller of the two right ones.",
        "What two boxes cover together is the sum of their areas, minus what was counted twice.",
    ),
    remark="In NumPy and in Keras: detection.iou, keras.utils.bounding_boxes.compute_iou.",
)


# 11.2 Assign anchors --------------------------------------------------------------------------------------------------


def assign(overlap, positive, negative):
    """The reference answer."""
    return _assigned(overlap, positive, negative)


def _assigned(
    overlap,
    positive,
    negative,
    high: Callable[[np.ndarray, float], np.ndarray] = lambda value, limit: value >= limit,
    low: Callable[[np.ndarray, float], np.ndarray] = lambda value, limit: value < limit,
    between: int = -2,
    background: int = -1,
    forced: Callable[[np.ndarray], np.ndarray] = lambda overlap: np.argsort(overlap.max(axis=0), kind="stable"),
    chosen: Callable[[np.ndarray, float], np.ndarray] = lambda overlap, positive: overlap.argmax(axis=1),
) -> np.ndarray:
    """The assignment with one of its parts exchanged."""
    overlap = np.asarray(overlap)
    if overlap.shape[1] == 0:
        return np.full(len(overlap), background)
    best, value = chosen(overlap, positive), overlap.max(axis=1)
    found = np.where(high(value, positive), best, np.where(low(value, negative), background, between))
    for k in forced(overlap):
        found[overlap[:, k].argmax()] = k
    return found


def _nobody_goes_without(wish: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable:
    """Every object takes the best anchor that is left; the one with the greatest wish chooses next."""

    def answer(overlap, positive, negative):
        found = _assigned(overlap, positive, negative, forced=lambda overlap: [])
        left, waiting = np.array(overlap, float), list(range(np.shape(overlap)[1]))
        while waiting:
            wishes = wish(np.asarray(overlap), left)
            k = max(waiting, key=lambda k: wishes[k])
            anchor = left[:, k].argmax()
            found[anchor], left[anchor] = k, -1
            waiting.remove(k)
        return found

    return answer


def _who_has_none(at_first: bool) -> Callable:
    """Only objects without an anchor take their best one; who has none is seen before the first takes one, or then."""

    def answer(overlap, positive, negative):
        found = _assigned(overlap, positive, negative, forced=lambda overlap: [])
        seen = found.copy() if at_first else found
        for k in np.argsort(np.max(overlap, axis=0), kind="stable") if np.shape(overlap)[1] else ():
            if k not in seen:
                found[overlap[:, k].argmax()] = k
        return found

    return answer


def _matrix(came: object) -> bool:
    return not isinstance(came, Opaque) and np.ndim(came) == 2


def _overlaps(rng: np.random.Generator, anchors: int, objects: int) -> np.ndarray:
    """IoU of anchors with objects: most little, all different."""
    values = rng.permutation(np.linspace(0.02, 0.98, 4 * anchors * objects))[: anchors * objects]
    return (values**1.5).reshape(anchors, objects)


def _assign_cases(rng: np.random.Generator) -> Iterator[Case]:
    example = np.array([[0.7, 0.1], [0.45, 0.2], [0.3, 0.35], [0.05, 0.6], [0.0, 0.0]])
    yield Case((example, 0.5, 0.4), about="the example of the exercise")
    badly = np.array([[0.7, 0.1], [0.6, 0.3], [0.1, 0.2], [0.2, 0.0]])
    yield Case((badly, 0.5, 0.4), about="a second object that no anchor fits well")
    yield Case((np.array([[0.5, 0.1], [0.4, 0.2], [0.1, 0.9], [0.9, 0.1]]), 0.5, 0.4), about="IoUs at the thresholds")
    torn = np.array([[0.55, 0.6, 0.1], [0.1, 0.9, 0.2], [0.8, 0.1, 0.3], [0.2, 0.1, 0.7], [0.52, 0.51, 0.6]])
    yield Case((torn, 0.5, 0.4), about="anchors that overlap two objects enough")
    rivals = np.array([[0.3, 0.45, 0.35], [0.1, 0.2, 0.05], [0.25, 0.1, 0.3]])
    yield Case((rivals, 0.6, 0.4), about="three objects that all want the first anchor")
    yield Case((rivals[:, [1, 0, 2]], 0.6, 0.4), about="three objects that all want the first anchor")
    served = np.array([[0.7, 0.9], [0.6, 0.1], [0.1, 0.95], [0.2, 0.3]])
    yield Case((served, 0.5, 0.4), about="the best anchor of an object that has another one, too")
    close = np.array([[0.45, 0.4], [0.05, 0.38], [0.02, 0.36]])
    yield Case((close, 0.6, 0.39), about="two objects that want the first anchor, the second fits the others better")
    yield Case((close[:, ::-1].copy(), 0.6, 0.39), about="the same two objects in the other order")
    yield Case((np.zeros((4, 0)), 0.5, 0.4), about="a picture without objects")
    yield Case((_overlaps(rng, 12, 3), 0.5, 0.4), about="12 anchors, 3 objects")
    yield Case((_overlaps(rng, 6, 6), 0.6, 0.3), about="as many anchors as objects")
    yield Case((_overlaps(rng, 30, 2), 0.7, 0.3), about="30 anchors, 2 objects, thresholds 0.7 and 0.3")
    yield Case((_overlaps(rng, 20, 4), 0.5, 0.5), about="both thresholds the same")


ASSIGN = FunctionExercise(
    "11.2",
    "Assign anchors",
    reference=assign,
    cases=_assign_cases,
    misconceptions=(
        Misconception(
            lambda overlap, positive, negative: _assigned(overlap, positive, negative, forced=lambda overlap: []),
            "An object that no anchor fits well is forgotten: nobody learns it. Give every object its best anchor.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(
                overlap, positive, negative, forced=lambda overlap: np.arange(overlap.shape[1])
            ),
            "Several objects want the same anchor, and the last one gets it. The one that fits it better should.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(
                overlap, positive, negative, forced=lambda overlap: np.argsort(-overlap.max(axis=0))
            ),
            "Several objects want the same anchor, and the one that fits it worst gets it. Write the best fit last.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(
                overlap, positive, negative, forced=lambda overlap: np.argsort(overlap.sum(axis=0))
            ),
            "Several objects want the same anchor, and the one with the greatest *sum* of IoUs gets it. Its best IoU "
            "decides.",
        ),
        *(
            Misconception(
                wrong,
                "Only objects without an anchor that fits take their best one with you. *Every* object does.",
            )
            for wrong in (
                lambda overlap, positive, negative: _assigned(
                    overlap,
                    positive,
                    negative,
                    forced=lambda overlap: [
                        k for k in np.argsort(overlap.max(axis=0)) if overlap[:, k].max() < positive
                    ],
                ),
                _who_has_none(at_first=True),
                _who_has_none(at_first=False),
            )
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(overlap, positive, negative, between=-1),
            "What lies between the thresholds is called background. It half shows an object: -2 leaves it out.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(overlap, positive, negative, between=-1, background=-2),
            "-1 and -2 have changed places: -1 is background, -2 is left out of the loss.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(overlap, positive, negative, high=lambda v, limit: v > limit),
            "An IoU of exactly `positive` is enough: *at least*.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(overlap, positive, negative, low=lambda v, limit: v <= limit),
            "An IoU of exactly `negative` is not background: *below*.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(
                overlap, positive, negative, high=lambda v, limit: v > limit, low=lambda v, limit: v <= limit
            ),
            "An IoU of exactly `positive` is enough, and one of exactly `negative` is not background.",
        ),
        *(
            Misconception(
                _nobody_goes_without(wish),
                "An object that loses its best anchor takes the next best with you. It goes without.",
            )
            for wish in (
                lambda overlap, left: left.max(axis=0),
                lambda overlap, left: overlap.max(axis=0),
                lambda overlap, left: -np.arange(overlap.shape[1]),
            )
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(
                overlap, positive, negative, chosen=lambda overlap, positive: (overlap >= positive).argmax(axis=1)
            ),
            "An anchor takes the first object that it overlaps enough. It should take the one that it overlaps most.",
        ),
        Misconception(
            lambda overlap, positive, negative: _assigned(overlap, 2.0, 2.0),
            "Each object has one anchor only. Every anchor that overlaps an object enough should answer for it.",
        ),
        Misconception(
            lambda came, expected, case: _matrix(came),
            "A matrix came back. Each *anchor* gets one number: the index of its object, -1 or -2.",
            predicate=True,
        ),
    ),
    hints=(
        "`overlap.max(axis=1)` is the best IoU of each anchor, `overlap.argmax(axis=1)` the object it belongs to.",
        "`np.where` inside `np.where` makes three cases. `overlap.argmax(axis=0)` is the best anchor of each object.",
        "Write the objects' own anchors last, the worst fit first, so that the best fit overwrites it. Mind that "
        "`max` of an axis of length 0 is an error.",
    ),
    remark="In the library: detection.match, from boxes. RetinaNet has 0.5 and 0.4, Faster R-CNN's first stage 0.7 and "
    "0.3.",
)


# 11.3 Non-maximum suppression -----------------------------------------------------------------------------------------


def suppress(boxes, scores, threshold):
    """The reference answer."""
    return _suppressed(boxes, scores, threshold)


def _suppressed(
    boxes,
    scores,
    threshold,
    order: Callable[[np.ndarray], np.ndarray] = lambda scores: np.argsort(-scores, kind="stable"),
    near: Callable[[np.ndarray, float], np.ndarray] = lambda overlap, limit: overlap > limit,
    against: Callable[[list[int], list[int]], list[int]] = lambda kept, seen: kept,
    result: Callable[[list[int]], object] = lambda kept: kept,
) -> object:
    """Greedy NMS with one of its parts exchanged."""
    overlap = _iou(boxes, boxes)
    kept: list[int] = []
    seen: list[int] = []
    for i in order(np.asarray(scores)).tolist():
        if not any(near(overlap[i, j], threshold) for j in against(kept, seen)):
            kept.append(i)
        seen.append(i)
    return result(kept)


def _suppressed_by_maximum(boxes, scores, threshold):
    return [_iou(boxes[:1], boxes[[]]).max()] if len(boxes) else []  # stops at the first box


def _is_choice(came: object, expected: object, case: Case) -> bool:
    return not isinstance(came, Opaque) and np.asarray(came).dtype == bool


def _is_boxes(came: object, expected: object, case: Case) -> bool:
    return not isinstance(came, Opaque) and np.ndim(came) == 2 and np.shape(came)[1:] == (4,)


def _suppressed_by_sums(boxes, scores, threshold):
    """The IoUs with all kept boxes together must not exceed the threshold."""
    overlap, kept = _iou(boxes, boxes), []
    for i in np.argsort(-np.asarray(scores), kind="stable").tolist():
        if overlap[i, kept].sum() <= threshold:
            kept.append(i)
    return kept


def _the_dropped(boxes, scores, threshold):
    kept = _suppressed(boxes, scores, threshold)
    return [i for i in np.argsort(-np.asarray(scores)).tolist() if i not in kept]


def _same_indices(came: object, expected: object) -> bool:
    """As the comparison of all exercises, but 2.0 is no index."""
    if difference(came, expected, 0, 0) is not None:
        return False
    if np.size(came) and np.asarray(came).dtype.kind == "f":
        raise Wrong(
            "The indices are floats.",
            came=came,
            likely="NumPy takes whole numbers as indices: `boxes[kept]` would stop with an error.",
        )
    return True


def _nms_cases(rng: np.random.Generator) -> Iterator[Case]:
    box = np.array([0, 0, 40, 20], "float32")
    step = np.array([10, 0, 10, 0], "float32")
    example = np.stack([box, box + step, box + 2 * step])
    yield Case((example, np.array([0.6, 0.9, 0.8], "float32"), 0.5), about="the best in the middle")
    yield Case(
        (example, np.array([0.9, 0.8, 0.6], "float32"), 0.5),
        about="a chain: the first meets the second, the second the third",
    )
    half = np.array([[0, 0, 30, 20], [10, 0, 40, 20]], "float32")  # 400 of 800: exact in any float
    yield Case((half, np.array([0.4, 0.3], "float32"), 0.5), about="an IoU of exactly the threshold")
    far = np.stack([box, box + 9 * step, box + 18 * step])
    yield Case((far, np.array([0.2, 0.9, 0.5], "float32"), 0.5), about="three boxes that do not meet")
    between = np.stack([box, box + 1.5 * step, box + 3 * step])
    yield Case(
        (between, np.array([0.9, 0.5, 0.7], "float32"), 0.5), about="a box that meets two, each of them a little"
    )
    yield Case((box[None], np.array([0.3], "float32"), 0.5), about="one box")
    yield Case((np.zeros((0, 4), "float32"), np.zeros(0, "float32"), 0.5), about="no box")
    for threshold in (0.2, 0.5, 0.7):
        centres = _boxes(rng, 4)
        boxes = np.repeat(centres, 4, axis=0) + rng.integers(-2, 3, (16, 4)).astype("float32")
        scores = rng.permutation(np.linspace(0.1, 0.95, 16)).astype("float32")
        yield Case((boxes, scores, threshold), about=f"16 boxes around 4 things, threshold {threshold}")


NMS = FunctionExercise(
    "11.3",
    "Non-maximum suppression",
    reference=suppress,
    cases=_nms_cases,
    compare=_same_indices,
    misconceptions=(
        Misconception(
            lambda boxes, scores, threshold: _suppressed(
                boxes, scores, threshold, order=lambda scores: np.arange(len(scores))
            ),
            "You go through the boxes in the order in which they stand. The best score comes first.",
        ),
        Misconception(
            lambda boxes, scores, threshold: _suppressed(boxes, scores, threshold, order=np.argsort),
            "`np.argsort` begins with the *smallest* score.",
        ),
        Misconception(
            lambda boxes, scores, threshold: _suppressed(
                boxes, scores, threshold, near=lambda overlap, limit: overlap >= limit
            ),
            "An IoU of exactly the threshold does not drop a box: *more than*.",
        ),
        Misconception(
            lambda boxes, scores, threshold: _suppressed(
                boxes, scores, threshold, near=lambda overlap, limit: overlap < limit
            ),
            "You drop what overlaps little, and keep what overlaps much.",
        ),
        Misconception(
            lambda boxes, scores, threshold: _suppressed(boxes, scores, threshold, against=lambda kept, seen: seen),
            "A box that was dropped drops others. Only boxes that were *kept* may do that.",
        ),
        Misconception(
            _suppressed_by_sums,
            "You add up the IoUs with all kept boxes. A box goes if its IoU with *one* of them is too large.",
        ),
        Misconception(
            lambda boxes, scores, threshold: _suppressed(
                boxes, scores, threshold, against=lambda kept, seen: kept[-1:]
            ),
            "You compare with the last kept box only. Compare with all that were kept.",
        ),
        Misconception(
            lambda boxes, scores, threshold: _suppressed(boxes, scores, threshold, against=lambda kept, seen: kept[:1]),
            "You compare with the best box only. Compare with all that were kept.",
        ),
        Misconception(
            lambda boxes, scores, threshold: _suppressed(boxes, scores, threshold, result=sorted),
            "They are the right ones in the wrong order: the best score comes first.",
        ),
        Misconception(
            _suppressed_by_maximum,
            "Before the first box is kept there is nothing to compare with, and the maximum of nothing is an error. "
            "`max(initial=0)` is 0 there.",
        ),
        Misconception(_the_dropped, "Those are the ones that go. The ones that stay are asked for."),
        Misconception(_is_choice, "That is a truth value for each box. The *indices* are asked for.", predicate=True),
        Misconception(_is_boxes, "Those are the boxes themselves. Their *indices* are asked for.", predicate=True),
    ),
    hints=(
        "Begin with an empty list of those kept, and go through the boxes from the best score to the worst.",
        "`np.argsort(-scores)` is that order. `detection.iou(boxes[[i]], boxes[kept])` compares one box with several.",
        "A box is kept if its IoU with *all* that were kept before is at most the threshold.",
    ),
    remark="The loop is the definition. detection.nms takes a hundred boxes at a time, and gives the same.",
)


# 11.6 Back to boxes ---------------------------------------------------------------------------------------------------

UNITS = np.array([0.1, 0.1, 0.2, 0.2])


def to_boxes(anchors, offsets, size):
    """The reference answer."""
    return _to_boxes(anchors, offsets, size)


def _middles(anchors: np.ndarray) -> np.ndarray:
    return (anchors[:, :2] + anchors[:, 2:]) / 2


def _clipped(boxes: np.ndarray, size) -> np.ndarray:
    return np.clip(boxes, 0, [size[1], size[0], size[1], size[0]])


def _as_corners(middle: np.ndarray, sides: np.ndarray) -> np.ndarray:
    return np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)


def _to_boxes(
    anchors,
    offsets,
    size,
    units: Callable[[np.ndarray], np.ndarray] = lambda offsets: offsets * UNITS,
    start: Callable[[np.ndarray], np.ndarray] = _middles,
    moved_by: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda sides, grown: sides,
    growth: Callable[[np.ndarray], np.ndarray] = np.exp,
    corners: Callable[[np.ndarray, np.ndarray], np.ndarray] = _as_corners,
    clip: Callable[[np.ndarray, object], np.ndarray] = _clipped,
) -> np.ndarray:
    """The boxes with one of the parts exchanged."""
    anchors, t = np.asarray(anchors, float), units(np.asarray(offsets, float))
    sides = anchors[:, 2:] - anchors[:, :2]
    with np.errstate(all="ignore"):
        grown = sides * growth(t[:, 2:])
        middle = start(anchors) + t[:, :2] * moved_by(sides, grown)
        return clip(corners(middle, grown), size)


def _clipped_before(anchors, offsets, size):
    """The middle is held inside the picture, and not the box."""
    height, width = size
    return _to_boxes(
        anchors,
        offsets,
        size,
        corners=lambda middle, sides: _as_corners(np.clip(middle, 0, [width, height]), sides),
        clip=lambda boxes, size: boxes,
    )


def _decode_cases(rng: np.random.Generator) -> Iterator[Case]:
    anchor = np.array([[10, 10, 30, 40]], "float32")

    def row(*values: float) -> np.ndarray:
        return np.array([values], "float32")

    yield Case((anchor, row(2, 0, 0, 0), (100, 100)), about="the example of the exercise")
    yield Case((anchor, row(0, 0, 0, 0), (100, 100)), about="offsets of 0: the anchor itself")
    yield Case((anchor, row(0, 1.5, 0, 0), (100, 100)), about="an anchor that moves down only")
    yield Case((anchor, row(0, 0, 2, 0), (100, 100)), about="an anchor that becomes wider only")
    yield Case((anchor, row(0, 0, 0, -3), (100, 100)), about="an anchor that becomes lower only")
    yield Case((anchor, row(3, -1, 1, 2), (100, 100)), about="an anchor that moves and grows")
    yield Case((anchor, row(2, 0, 0, 0), (35, 30)), about="the example in a picture of height 35 and width 30")
    yield Case((anchor, row(-8, 0, 0, 0), (60, 50)), about="a box that begins left of the picture")
    yield Case((anchor, row(0, -6, 0, 0), (60, 50)), about="a box that begins above the picture")
    yield Case((anchor + 40, row(1, 1, 3, 3), (90, 70)), about="a box that ends right of the picture and below it")
    wide, tall = np.array([[60, 5, 90, 25]], "float32"), np.array([[5, 60, 25, 90]], "float32")
    yield Case((wide, row(0.5, -0.5, 1, -1), (40, 120)), about="a box far to the right in a wide picture")
    yield Case((tall, row(0.5, -0.5, -1, 1), (120, 40)), about="a box far down in a high picture")
    for count in (1, 3, 8):
        corner = rng.integers(0, 60, (count, 2))
        anchors = np.concatenate([corner, corner + rng.integers(10, 50, (count, 2))], axis=1).astype("float32")
        offsets = rng.normal(0, 2, (count, 4)).astype("float32")
        yield Case((anchors, offsets, (400, 300)), about=f"{count} anchors in a large picture")
        yield Case((anchors, offsets, (64, 96)), about=f"{count} anchors, cut at the borders")
    yield Case((np.zeros((0, 4), "float32"), np.zeros((0, 4), "float32"), (60, 50)), about="no anchor")


BOXES = FunctionExercise(
    "11.6",
    "Back to boxes",
    reference=to_boxes,
    cases=_decode_cases,
    misconceptions=(
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, units=lambda offsets: offsets),
            "The offsets were divided by 0.1, 0.1, 0.2, 0.2 before the network learnt them. The way back multiplies.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, units=lambda offsets: offsets / UNITS),
            "The offsets are divided once more. They were divided by 0.1, 0.1, 0.2, 0.2: the way back multiplies.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, units=lambda offsets: offsets * 0.1),
            "All four are multiplied by 0.1. The last two are in units of 0.2.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors, offsets, size, units=lambda offsets: offsets * UNITS[::-1]
            ),
            "The units have changed places: 0.1 for the centre, 0.2 for the sides.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, growth=lambda t: t),
            "The last two offsets are logarithms of a ratio. What undoes a logarithm?",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, growth=lambda t: 1 + t),
            "The side grows by a share of itself. The last two offsets are logarithms: `np.exp` undoes them.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, growth=lambda t: 1 + 0 * t),
            "The sides stay those of the anchor. The last two offsets change them.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, start=lambda anchors: anchors[:, :2]),
            "You start at the upper left corner of the anchor. The offsets move its *centre*.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors,
                offsets,
                size,
                start=lambda anchors: anchors[:, :2],
                corners=lambda corner, sides: np.concatenate([corner, corner + sides], axis=1),
            ),
            "You move the upper left corner, and let the box grow from there. The offsets move the *centre*, and the "
            "box grows around it.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors, offsets, size, corners=lambda middle, sides: np.concatenate([middle, middle + sides], axis=1)
            ),
            "The box begins at the new centre. It lies around it: half a side on each hand.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors,
                offsets,
                size,
                corners=lambda middle, sides: np.concatenate([middle - sides, middle + sides], axis=1),
            ),
            "A whole side on each hand of the centre makes the box twice as large. Half a side.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, moved_by=lambda sides, grown: grown),
            "The centre moves by shares of the *new* sides. The formula divides by those of the anchor.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors, offsets, size, moved_by=lambda sides, grown: np.ones_like(sides)
            ),
            "The centre moves by pixels. The offsets are shares of the anchor's sides.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors, offsets, size, moved_by=lambda sides, grown: sides[:, ::-1]
            ),
            "The centre moves sideways by shares of the height, and down by shares of the width. It is the other way.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(anchors, offsets, size, clip=lambda boxes, size: boxes),
            "A box that reaches out of the picture is not cut.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors, offsets, size, clip=lambda boxes, size: _clipped(boxes, (size[1], size[0]))
            ),
            "The borders have changed places: `size` is (height, width), and a box begins with x.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors, offsets, size, clip=lambda boxes, size: np.maximum(boxes, 0)
            ),
            "The box is cut on the left and above. It may reach out on the right and below, too.",
        ),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors,
                offsets,
                size,
                clip=lambda boxes, size: np.minimum(boxes, [size[1], size[0], size[1], size[0]]),
            ),
            "The box is cut on the right and below. It may begin left of the picture or above it, too.",
        ),
        Misconception(_clipped_before, "The centre is held inside the picture. It is the *box* that is cut."),
        Misconception(
            lambda anchors, offsets, size: _to_boxes(
                anchors,
                offsets,
                size,
                corners=lambda middle, sides: np.concatenate([middle, sides], axis=1),
                clip=lambda boxes, size: boxes,
            ),
            "These are centre and sides. The two corners are asked for: $(x_1, y_1, x_2, y_2)$.",
        ),
    ),
    hints=(
        "The formulas of part 3 give the offsets of a box. Solve each of them for x, y, w and h. What comes first: the "
        "units, or the formula?",
        "Centre and sides of an anchor: `(anchors[:, :2] + anchors[:, 2:]) / 2` and `anchors[:, 2:] - anchors[:, :2]`. "
        "The centre moves by shares of the sides, the sides grow by `np.exp`.",
        "From centre and sides back to corners: half a side on each hand. `np.clip` takes an array of upper limits, "
        "`[width, height, width, height]`.",
    ),
    remark="In the library: detection.decode and detection.clip; ssdlite.decode for the network of this part.",
)


EXERCISES = [IOU, ASSIGN, NMS, AP, COST, BOXES]
