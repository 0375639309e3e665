"""The checks of lesson 14, from image file to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.checks.lesson_14_skew import FIND_SKEW, WHAT_DIFFERS
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 14.1 Undo letterboxing -----------------------------------------------------------------------------------------------


def undo_letterbox(box, size, side):
    """The reference answer."""
    return _undone(box, size, side)


def _whole(height: float, width: float) -> tuple[int, int]:
    return round(height), round(width)


def _half(free: int) -> float:
    return free // 2


def _undone(
    box,
    size,
    side,
    rounded: Callable = _whole,
    shift: Callable = _half,
    pick: Callable = max,
    cut: bool = True,
    swap: bool = False,
    order: Callable | None = None,
) -> tuple[float, float, float, float]:
    """The way back, with one of its parts exchanged."""
    height, width = size[::-1] if swap else size
    longer = pick(height, width)
    new_height, new_width = rounded(height * side / longer, width * side / longer)
    left, top = shift(side - new_width), shift(side - new_height)
    x1, y1, x2, y2 = map(float, box)
    found = order(x1, y1, x2, y2, left, top, width / new_width, height / new_height) if order else None
    if found is None:
        found = [
            (value - start) * factor
            for value, start, factor in (
                (x1, left, width / new_width),
                (y1, top, height / new_height),
                (x2, left, width / new_width),
                (y2, top, height / new_height),
            )
        ]
    if cut:
        found = [min(max(value, 0.0), float(limit)) for value, limit in zip(found, (width, height) * 2)]
    return tuple(found)


def _scaled_first(x1, y1, x2, y2, left, top, across, down):
    return [x1 * across - left, y1 * down - top, x2 * across - left, y2 * down - top]


def _forward_again(x1, y1, x2, y2, left, top, across, down):
    return [x1 / across + left, y1 / down + top, x2 / across + left, y2 / down + top]


def _added(x1, y1, x2, y2, left, top, across, down):
    return [(x1 + left) * across, (y1 + top) * down, (x2 + left) * across, (y2 + top) * down]


def _stretched(box, size, side):
    height, width = size
    x1, y1, x2, y2 = map(float, box)
    return x1 * width / side, y1 * height / side, x2 * width / side, y2 * height / side


def _letterbox_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(((10.0, 20.0, 20.0, 40.0), (100, 200), 50), about="the example")
    yield Case(((20.0, 10.0, 40.0, 20.0), (200, 100), 50), about="a tall picture")
    yield Case(((8.0, 30.0, 60.0, 50.0), (64, 64), 64), about="a picture of the input's own size")
    for height, width, side in ((401, 600, 150), (333, 250, 96), (50, 301, 41), (70, 30, 224)):
        scale = side / max(height, width)
        corner = rng.uniform(0.1, 0.4, 2) * (width, height)
        end = rng.uniform(0.6, 0.9, 2) * (width, height)
        free = (side - round(width * scale)) // 2, (side - round(height * scale)) // 2
        box = tuple(float(v) for v in np.round(np.concatenate([corner * scale + free, end * scale + free]), 1))
        yield Case((box, (height, width), side), about="the sides are no multiples")
    height, width, side = int(rng.integers(90, 140)), int(rng.integers(150, 260)), 64
    yield Case(((-3.0, 1.0, 70.0, 60.0), (height, width), side), about="a box that reaches beyond the picture")
    yield Case(((2.0, -4.0, 50.0, 66.5), (width, height), side), about="a box that reaches beyond a tall picture")


def _ragged(came: object, expected: object, case: Case) -> bool:
    """Right but for a small part of a pixel."""
    apart = np.abs(np.subtract(came, expected))
    return bool(apart.max() <= 0.06 * max(case.args[1]))


UNDO = FunctionExercise(
    "14.1",
    "Undo letterboxing",
    reference=undo_letterbox,
    cases=_letterbox_cases,
    misconceptions=(
        Misconception(_stretched, "That undoes a stretch. In a letterbox both sides have the same factor, and bars."),
        Misconception(
            lambda box, size, side: _undone(box, size, side, shift=lambda free: 0),
            "The shift is missing: the picture does not begin at 0 where there are bars.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, shift=lambda free: free),
            "All of what is left over is taken off. Half of it stands on either side.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, shift=lambda free: free / 2),
            "Bars are whole pixels: of an odd number left over, the one pixel more stands right or below.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, shift=lambda free: (free + 1) // 2),
            "Of an odd number left over, the one pixel more stands right or below, so not before the picture.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, order=_scaled_first),
            "The shift is in pixels of the *input*. Take it off first, then divide by the factor.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, order=_added),
            "The shift is added on the way in. On the way back it is taken off.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, order=_forward_again),
            "That is the way *into* the square once more. On the way back divide by the factor.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, pick=min),
            "The *longer* side becomes `side`. Yours makes the shorter one as long, and the picture sticks out.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, swap=True),
            "`size` is (height, width), and a box begins with x. Have height and width changed places?",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, cut=False),
            "A box that reaches beyond the picture is not cut at its border.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, rounded=lambda h, w: (h, w)),
            "The resized picture has whole pixels: round its height and width, and take the factors from these.",
        ),
        Misconception(
            lambda box, size, side: _undone(box, size, side, rounded=lambda h, w: (int(h), int(w))),
            "The resized height and width are rounded, not cut off: `round`, not `int`.",
        ),
        Misconception(
            _ragged,
            "Nearly. Take the two factors from the whole pixels: width / new width, and height / new height, each for "
            "its own axis.",
            predicate=True,
        ),
    ),
    hints=(
        "Do the way in first, on paper: which size does the picture get in the square, and where does it begin?",
        "`new_width = round(width * side / max(height, width))`, and it begins at `(side - new_width) // 2`.",
        "Back along x: take the beginning off, times `width / new_width`, then `np.clip(..., 0, width)`. The same "
        "along y.",
    ),
    remark="pipeline.place(size, (side, side), 'letterbox').to_image(boxes) does it for many boxes.",
)


# 14.2 Handle nothing --------------------------------------------------------------------------------------------------


def report(scores, labels, threshold):
    """The reference answer."""
    return _reported(scores, labels, threshold)


def _reported(
    scores,
    labels,
    threshold,
    refuse: bool = True,
    order: Callable = lambda scores: np.argsort(-scores, kind="stable"),
    reached: Callable = lambda score, threshold: score >= threshold,
    miss: Callable = lambda missed: missed[0] if missed else None,
    found: Callable = lambda results, scores: bool(results),
) -> dict:
    """The report with one of its parts exchanged."""
    scores = np.asarray(scores, float)
    if refuse and np.isnan(scores).any():
        raise ValueError
    pairs = [(labels[i], float(scores[i])) for i in order(scores)]
    results = [pair for pair in pairs if reached(pair[1], threshold)]
    missed = [pair for pair in pairs if not reached(pair[1], threshold)]
    return {"found": found(results, scores), "results": results, "nearest_miss": miss(missed)}


def _report_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([0.2, 0.9, 0.6, 0.4]), ["a", "b", "c", "d"], 0.5), about="two of four reach the threshold")
    yield Case((np.array([0.2, 0.3]), ["a", "b"], 0.5), about="none reaches the threshold")
    yield Case((np.zeros(0), [], 0.5), about="no scores at all")
    yield Case((np.array([0.9, 0.7]), ["a", "b"], 0.5), about="all reach the threshold")
    yield Case((np.array([0.5, 0.25]), ["a", "b"], 0.5), about="a score is exactly the threshold")
    yield Case((np.array([0.6, 0.8, 0.6, 0.8]), ["a", "b", "c", "d"], 0.5), about="equal scores")
    yield Case((np.array([0.3, 0.9, 0.3]), ["a", "b", "c"], 0.5), about="equal scores below the threshold")
    yield Case((np.array([0.0]), ["a"], 0.0), about="a score and a threshold of 0")
    for _ in range(3):
        scores = np.round(rng.random(int(rng.integers(3, 8))), 1)
        names = [str(name) for name in rng.choice(["cup", "cat", "car", "boat"], len(scores))]
        yield Case((scores, names, float(np.round(rng.uniform(0.2, 0.8), 1))), about="random scores")
    yield Case((np.array([0.9, np.nan]), ["a", "b"], 0.5), raises=ValueError, about="one score is NaN")
    yield Case((np.array([np.nan, np.nan]), ["a", "b"], 0.5), raises=ValueError, about="all scores are NaN")
    yield Case((np.array([0.9, np.nan, 0.1]), ["a", "b", "c"], 0.95), raises=ValueError, about="NaN in the middle")


def _report_with(**change) -> Callable:
    return lambda scores, labels, threshold: _reported(scores, labels, threshold, **change)


def _needs_one(scores, labels, threshold):
    if len(scores) == 0:
        return max(scores)  # a ValueError of Python's own
    return _reported(scores, labels, threshold)


REPORT = FunctionExercise(
    "14.2",
    "Handle nothing",
    reference=report,
    cases=_report_cases,
    misconceptions=(
        Misconception(
            _report_with(refuse=False),
            "NaN goes through: it is not at least the threshold, so it seems to be *nothing*. Look for it first.",
        ),
        Misconception(
            _report_with(reached=lambda score, threshold: score > threshold),
            "A score of exactly the threshold counts: *at least*.",
        ),
        Misconception(
            _report_with(order=lambda scores: range(len(scores))), "The results stand as they came. Best first."
        ),
        Misconception(
            _report_with(order=lambda scores: np.argsort(scores, kind="stable")), "The results begin with the worst."
        ),
        Misconception(
            _report_with(order=lambda scores: np.argsort(scores, kind="stable")[::-1]),
            "Of equal scores the later one comes first: a sorting that is reversed turns equal ones round as well. "
            "Sort the negative scores, with `kind='stable'`.",
        ),
        Misconception(
            _report_with(miss=lambda missed: missed[-1] if missed else None),
            "The nearest miss is the *best* of those below the threshold.",
        ),
        Misconception(_report_with(miss=lambda missed: None), "The nearest miss is missing."),
        Misconception(
            lambda scores, labels, threshold: _reported(
                scores, labels, threshold, miss=lambda missed: missed[0] if missed and max(scores) < threshold else None
            ),
            "The nearest miss is told where something was found, too.",
        ),
        Misconception(
            _report_with(found=lambda results, scores: len(scores) > 0),
            "`found` says whether anything reached the *threshold*, not whether there were scores.",
        ),
        Misconception(_report_with(found=lambda results, scores: True), "Nothing is found, and `found` is True."),
        Misconception(
            _needs_one,
            "With no scores at all there is no maximum. A detector without a candidate gives such arrays: answer.",
        ),
    ),
    hints=(
        "Which of `max`, `argmax` and `scores[0]` work with an empty array? None. Lists and loops do.",
        "First `np.isnan(scores).any()`. Then sort all pairs, best first, and divide them into two lists.",
        "`np.argsort(-scores, kind='stable')` gives the places, best first, of equal scores the earlier one. What is "
        "below the threshold stands in the same order, so its first is the nearest miss, if there is one.",
    ),
    remark="In the pipeline the nearest miss of a detector must also survive NMS: a double of what was found is none.",
)


# 14.3 Run lengths -----------------------------------------------------------------------------------------------------


def lengths_of_runs(mask):
    """The reference answer."""
    return _runs(np.asarray(mask).T.ravel())


def _runs(flat, first: int = 0) -> list[int]:
    flat = np.asarray(flat).astype(int)
    if not len(flat):
        return [0]
    changes = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *changes, len(flat)]).tolist()
    return [0, *lengths] if flat[0] != first else lengths


def _flat(mask) -> np.ndarray:
    return np.asarray(mask).T.ravel()


def _by_row(mask):
    return _runs(np.asarray(mask).ravel())


def _without_the_zero(mask):
    lengths = lengths_of_runs(mask)
    return lengths[1:] if lengths[0] == 0 and len(lengths) > 1 else lengths


def _ones_first(mask):
    return _runs(_flat(mask), first=1)


def _only_ones(mask):
    return lengths_of_runs(mask)[1::2]


def _each_column(mask):
    return [length for column in np.asarray(mask).T for length in _runs(column)]


def _last_missing(mask):
    return lengths_of_runs(mask)[:-1]


def _starts(mask):
    flat = _flat(mask).astype(int)
    return [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist()]


def _from_below(mask):
    return _runs(_flat(np.asarray(mask)[::-1]))


def _values_too(mask):
    flat = _flat(mask).astype(int)
    lengths = _runs(flat, first=int(flat[0]))
    return [[int((flat[0] + i) % 2), length] for i, length in enumerate(lengths)]


def _padded_at_the_end(mask):
    lengths = lengths_of_runs(mask)
    return lengths if len(lengths) % 2 else [*lengths, 0]


def _run_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([[1, 0, 0], [1, 1, 0]]),), about="the example")
    yield Case((np.array([[0, 0], [0, 1], [1, 1]]),), about="a mask that begins with a zero and ends with a one")
    yield Case((np.zeros((3, 4), int),), about="nothing")
    yield Case((np.ones((2, 3), int),), about="everything")
    yield Case((np.array([[0, 1, 1, 0, 1]]),), about="one row")
    yield Case((np.array([[0], [1], [1], [0]]),), about="one column")
    for share in (0.3, 0.5, 0.7):
        height, width = (int(n) for n in rng.integers(2, 7, 2))
        yield Case(((rng.random((height, width + height)) < share),), about="a random mask of truth values")


RUNS = FunctionExercise(
    "14.3",
    "Run lengths",
    reference=lengths_of_runs,
    cases=_run_cases,
    misconceptions=(
        Misconception(_by_row, "You go along the rows. COCO goes down the columns: `mask.T.ravel()`."),
        Misconception(
            _without_the_zero,
            "The first length is that of a run of zeros. Where the mask begins with a one, it is 0, and must stand "
            "there.",
        ),
        Misconception(_ones_first, "Yours begins with a run of ones. The first length counts zeros."),
        Misconception(_only_ones, "You give the runs of ones alone. Zeros and ones take turns."),
        Misconception(_each_column, "A run goes on from the foot of a column to the top of the next one."),
        Misconception(_last_missing, "The last run is missing: no change of value ends it, the end of the mask does."),
        Misconception(_starts, "Those are the places where runs begin, not their lengths."),
        Misconception(_from_below, "You read the columns from below. COCO reads them from the top."),
        Misconception(_values_too, "Only the lengths: that zeros and ones take turns is understood."),
        Misconception(
            _padded_at_the_end, "Nothing is added at the end: a mask that ends with ones has an even number of runs."
        ),
    ),
    hints=(
        "Write the example's values in one line: 1 1 0 1 0 0. Which runs do you see, and which is missing in front?",
        "`np.asarray(mask).T.ravel()` is that line. Go along it with the last value in mind, which is 0 at first.",
        "If the value is the last one, add 1 to the last length. If it is another, begin a new length of 1. Begin with "
        "`lengths = [0]`.",
    ),
    remark="COCO packs these lengths into text, five bits a character: segmentation.rle_encode.",
)


# 14.4 An operating point ----------------------------------------------------------------------------------------------


def operating_point(confidence, right, wrong, look, capacity):
    """The reference answer."""
    return _point(confidence, right, wrong, look, capacity)


def _cost(machine, right, wrong, look):
    return wrong * np.sum(machine & ~right) + look * np.sum(~machine)


def _point(
    confidence,
    right,
    wrong,
    look,
    capacity,
    candidates: Callable = lambda confidence: [*np.unique(confidence), np.inf],
    machine: Callable = lambda confidence, threshold: confidence >= threshold,
    cost: Callable = _cost,
    within: Callable = lambda looked, n, capacity: looked <= capacity * n,
    better: Callable = lambda cost, best: cost < best,
    divide: bool = False,
) -> tuple[float, float] | None:
    """The search with one of its parts exchanged."""
    best = None
    for threshold in candidates(confidence):
        taken = machine(confidence, threshold)
        price = float(cost(taken, right, wrong, look))
        if not within(np.sum(~taken), len(confidence), capacity):
            continue
        if best is None or better(price, best[1]):
            best = (float(threshold), price)
    if best is None:
        return None
    return best[0], best[1] / len(confidence) if divide else best[1]


def _right_counted(machine, right, wrong, look):
    return wrong * np.sum(machine & right) + look * np.sum(~machine)


def _looks_are_free(machine, right, wrong, look):
    return wrong * np.sum(machine & ~right)


def _people_err(machine, right, wrong, look):
    return wrong * np.sum(~right) + look * np.sum(~machine)


def _exchanged(machine, right, wrong, look):
    return look * np.sum(machine & ~right) + wrong * np.sum(~machine)


def _point_cases(rng: np.random.Generator) -> Iterator[Case]:
    sure = np.array([0.9, 0.6, 0.8, 0.7])
    yield Case((sure, np.array([True, False, True, True]), 10.0, 1.0, 1.0), about="the least sure one is wrong")
    yield Case((sure, np.array([False, True, True, True]), 10.0, 1.0, 1.0), about="the surest one is wrong")
    yield Case((sure, np.array([True] * 4), 10.0, 1.0, 1.0), about="all are right")
    yield Case((sure, np.array([False] * 4), 10.0, 1.0, 1.0), about="all are wrong")
    yield Case((sure, np.array([False] * 4), 10.0, 1.0, 0.5), about="all are wrong, and half can be looked at")
    yield Case((sure, np.array([False, False, True, False]), 10.0, 1.0, 0.0), about="nobody is there to look")
    yield Case((sure, np.array([True, False, True, True]), 1.0, 1.0, 1.0), about="two thresholds cost the same")
    same = np.array([0.5, 0.7, 0.5, 0.7, 0.5])
    yield Case((same, np.array([True, True, False, True, False]), 3.0, 1.0, 1.0), about="equal confidences")
    for wrong, look, capacity in ((5.0, 1.0, 0.3), (3.0, 2.0, 1.0), (8.0, 1.0, 0.6), (20.0, 1.0, 0.25)):
        n = int(rng.integers(12, 30))
        confidence = np.round(rng.beta(4, 2, n), 2)
        hits = rng.random(n) < confidence
        yield Case((confidence, hits, wrong, look, capacity), about="random pictures")


def _point_with(**change) -> Callable:
    return lambda confidence, right, wrong, look, capacity: _point(confidence, right, wrong, look, capacity, **change)


POINT = FunctionExercise(
    "14.4",
    "An operating point",
    reference=operating_point,
    cases=_point_cases,
    misconceptions=(
        Misconception(
            _point_with(within=lambda looked, n, capacity: True), "The capacity is not kept: too much is looked at."
        ),
        Misconception(
            _point_with(within=lambda looked, n, capacity: looked < capacity * n),
            "Exactly the capacity is allowed: *at most*.",
        ),
        Misconception(
            _point_with(within=lambda looked, n, capacity: n - looked <= capacity * n),
            "The capacity is of those that a *person* looks at, not of those that the machine sorts.",
        ),
        Misconception(
            _point_with(within=lambda looked, n, capacity: looked <= capacity),
            "The capacity is a *share* of all pictures, and you compare a number with it.",
        ),
        Misconception(
            _point_with(machine=lambda confidence, threshold: confidence > threshold),
            "A confidence of exactly the threshold is sorted by machine: *at least*.",
        ),
        Misconception(
            _point_with(machine=lambda confidence, threshold: confidence < threshold),
            "The machine should sort what it is *sure* of.",
        ),
        Misconception(_point_with(cost=_right_counted), "You pay for what the machine has right. Wrong ones cost."),
        Misconception(_point_with(cost=_looks_are_free), "A look costs, too."),
        Misconception(
            _point_with(cost=_people_err), "What a person looks at is right, whatever the machine would have said."
        ),
        Misconception(_point_with(cost=_exchanged), "The two prices have changed places."),
        Misconception(
            _point_with(candidates=lambda confidence: [*np.unique(confidence)]),
            "Infinity is a candidate, too: with it a person looks at everything.",
        ),
        Misconception(
            _point_with(candidates=lambda confidence: [*np.linspace(0, 1, 101), np.inf]),
            "The candidates are the confidences themselves, not a grid: between two of them nothing changes.",
        ),
        Misconception(
            _point_with(better=lambda cost, best: cost <= best), "Of equal costs take the *lower* threshold."
        ),
        Misconception(_point_with(better=lambda cost, best: cost > best), "You look for the greatest cost."),
        Misconception(_point_with(divide=True), "The total cost is asked for, not the cost of a picture."),
    ),
    hints=(
        "For one threshold: which pictures does the machine sort, which of these are wrong, which are looked at?",
        "Say of each picture whether its confidence is at least the threshold. The cost is `wrong` times the number of "
        "those that are not right among them, and `look` times the number of all others.",
        "Go through `[*np.unique(confidence), np.inf]`, which rises. Skip thresholds with more looks than "
        "`capacity * len(confidence)`, and keep the first of least cost.",
    ),
    remark="The cost on validation data is a little too good, since the threshold was chosen for it.",
)


EXERCISES = [UNDO, REPORT, RUNS, POINT, WHAT_DIFFERS, FIND_SKEW]
