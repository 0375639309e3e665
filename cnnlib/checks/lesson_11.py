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


# 11.6 Which stride sees it? -------------------------------------------------------------------------------------------


def coarsest(side, strides, least=0.5):
    """The reference answer."""
    return _coarsest(side, strides, least)


def _overlap_of_shift(side: float, shift: float) -> float:
    """IoU of a square with itself, moved by ``shift`` in both directions."""
    shared = max(side - shift, 0.0) ** 2
    return shared / (2 * side**2 - shared)


def _coarsest(
    side,
    strides,
    least,
    shift: Callable[[float], float] = lambda stride: stride / 2,
    overlap: Callable[[float, float], float] = _overlap_of_shift,
    fits: Callable[[float, float], bool] = lambda value, least: value >= least,
    choose: Callable = max,
    refuse: bool = True,
) -> float:
    """The choice with one of its parts exchanged."""
    able = [stride for stride in strides if fits(overlap(side, shift(stride)), least)]
    if not able:
        if refuse:
            raise ValueError("no stride is fine enough")
        return None
    return choose(able)


def _one_direction(side: float, shift: float) -> float:
    shared = max(side - shift, 0.0) * side
    return shared / (2 * side**2 - shared)


def _share_of_object(side: float, shift: float) -> float:
    return max(side - shift, 0.0) ** 2 / side**2


def _unheld(side: float, shift: float) -> float:
    shared = (side - shift) ** 2
    return shared / (2 * side**2 - shared)


def _stride_cases(rng: np.random.Generator) -> Iterator[Case]:
    strides = [4, 8, 16, 32]
    yield Case((45.0, strides, 0.5), about="an object of 45 pixels")
    yield Case((24.0, strides, 0.5), about="an object of 24 pixels")
    yield Case((30.0, [8, 4, 32, 16], 0.5), about="strides in another order")
    yield Case((24.0, strides, 0.3), about="a match at 0.3")
    yield Case((200.0, strides, 0.5), about="a large object")
    for side in (14.0, 26.0, 50.0, 95.0):
        yield Case((side, strides, 0.5), about=f"an object of {side:g} pixels")
    for side in rng.uniform(11, 120, 3).round(1):
        yield Case((float(side), [2, *strides, 64], 0.6), about=f"an object of {side:g} pixels, a match at 0.6")
    yield Case((8.0, [2, *strides], 0.5), about="an object of 8 pixels, a quarter of the coarsest stride")
    yield Case((24.0, strides), about="`least` is not given, which means 0.5")
    # A quarter of the area is shared: 1/4 and 7/4 are exact, so each formula gives the float next to 1/7.
    yield Case((16.0, [16], 1 / 7), about="an IoU of exactly the least")
    yield Case((3.0, strides, 0.5), raises=ValueError, about="an object of 3 pixels")
    yield Case((18.0, [5, 7, 9], 0.5), about="odd strides")
    yield Case((1.0, [32], 0.5), raises=ValueError, about="an object of one pixel")
    yield Case((2.0, [32], 0.5), raises=ValueError, about="an object of 2 pixels, far smaller than the stride")


STRIDE = FunctionExercise(
    "11.6",
    "Which stride sees it?",
    reference=coarsest,
    cases=_stride_cases,
    misconceptions=(
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, shift=lambda stride: stride),
            "The nearest anchor is never a whole stride away: half of one is the worst in each direction.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, shift=lambda stride: stride / 4),
            "You move by a quarter of the stride. An object may lie in the middle between two anchors.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, overlap=_one_direction),
            "You move in one direction only. The worst object lies between the anchors in both.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, overlap=_share_of_object),
            "You divide the shared area by the area of the object. IoU divides by what both cover together.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, overlap=_unheld),
            "If the shift is larger than the object, the two do not meet. The square of a negative side is positive: "
            "hold it at 0.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, choose=min),
            "That is the finest stride that fits. The coarsest is asked for, since it costs least.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, choose=lambda able: able[-1]),
            "The strides need not stand in order: take the largest of those that fit.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, fits=lambda value, least: value > least),
            "An IoU of exactly `least` is enough.",
        ),
        Misconception(
            lambda side, strides, least=0.5: _coarsest(side, strides, least, refuse=False),
            "If no stride is fine enough, there is none to return. Raise a ValueError.",
        ),
    ),
    hints=(
        "Put the anchor where the object is, then move it by half a stride to the right and half a stride down. What "
        "do the two still share?",
        "The shared part is a square of `side - stride / 2`, and nothing if that is below 0. The union is two squares "
        "minus the shared part.",
        "Keep the strides whose IoU is at least `least`, and take the largest.",
    ),
    remark="For an IoU of 0.5 the stride may be at most 0.37 of the object's side. Objects of 12 pixels need a stride "
    "of 4, and 32 is for those of 90 and more.",
)


EXERCISES = [IOU, ASSIGN, NMS, AP, COST, STRIDE]
