"""Of the checks of lesson 11 those that work on scores: average precision, and the threshold for a cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 11.4 Average precision -----------------------------------------------------------------------------------------------


def area_under(scores, correct, positives):
    """The reference answer."""
    return _ap(scores, correct, positives)


def _ap(
    scores,
    correct,
    positives,
    order: Callable[[np.ndarray], np.ndarray] = lambda scores: np.argsort(-scores, kind="stable"),
    precision: Callable[[np.ndarray], np.ndarray] = lambda hits: hits / np.arange(1, len(hits) + 1),
    recall: Callable[[np.ndarray, int], np.ndarray] = lambda hits, positives: hits / positives,
    height: Callable[[np.ndarray], float] = lambda values: values.max(initial=0),
    levels: int = 101,
    mean: Callable[[list[float]], float] = np.mean,
) -> float:
    """COCO's average precision with one of its parts exchanged."""
    hits = np.cumsum(np.asarray(correct)[order(np.asarray(scores))])
    p, r = precision(hits), recall(hits, positives)
    return float(mean([height(p[r >= level]) for level in np.linspace(0, 1, levels)]))


def _found_only(scores, correct, positives):
    found = int(np.sum(correct))
    return _ap(scores, correct, found) if found else 0.0


def _rectangles(scores, correct, positives):
    """The area under the raw steps."""
    hits = np.cumsum(np.asarray(correct)[np.argsort(-np.asarray(scores))])
    p, r = hits / np.arange(1, len(hits) + 1), hits / positives
    return float(np.sum(np.diff(r, prepend=0) * p))


def _ap_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 3), about="the example of the exercise")
    yield Case((np.array([0.9, 0.8]), np.array([True, True]), 2), about="all found, no false alarm")
    yield Case((np.array([0.9, 0.8]), np.array([False, False]), 3), about="nothing found")
    yield Case((np.zeros(0), np.zeros(0, bool), 3), about="no detection")
    yield Case((np.array([0.3, 0.9, 0.6, 0.5]), np.array([True, False, True, True]), 3), about="in another order")
    dips = np.array([1, 0, 0, 1, 1, 0, 1, 1, 0, 0], bool), 7
    yield Case((np.linspace(0.9, 0.1, 10), *dips), about="precision falls, rises for long, and falls again")
    yield Case((np.linspace(0.1, 0.9, 10), dips[0][::-1].copy(), 7), about="the same, the worst score first")
    # Recalls that are no multiple of 0.01, so that rounding cannot move a height to a neighbour.
    for positives in (7, 11, 13):
        correct = rng.random(18) < 0.55
        correct[np.flatnonzero(correct)[positives:]] = False
        scores = rng.permutation(np.linspace(0.1, 0.95, 18))
        yield Case((scores, correct, positives), about=f"18 detections of {positives} objects")


AP = FunctionExercise(
    "11.4",
    "Average precision",
    reference=area_under,
    cases=_ap_cases,
    misconceptions=(
        Misconception(
            lambda scores, correct, positives: _ap(
                scores, correct, positives, order=lambda scores: np.arange(len(scores))
            ),
            "The detections are taken as they stand. Sort them, best score first.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(scores, correct, positives, order=np.argsort),
            "`np.argsort` begins with the *smallest* score.",
        ),
        Misconception(
            _found_only,
            "Recall is divided by the objects that were found. Those that nobody found count, too: `positives`.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(
                scores, correct, positives, recall=lambda hits, positives: hits / max(1, len(hits))
            ),
            "Recall is divided by the number of detections. Divide by the number of objects.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(
                scores, correct, positives, precision=lambda hits: hits / max(1, len(hits))
            ),
            "Precision is divided by *all* detections each time. After k detections it is a share of k.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(
                scores, correct, positives, height=lambda values: values[0] if len(values) else 0
            ),
            "The height is the precision where the recall is first reached. COCO takes the *best* precision at that "
            "recall or a higher one.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(
                scores, correct, positives, height=lambda values: values.min(initial=1) if len(values) else 0
            ),
            "The height is the worst precision at that recall or a higher one. The best is asked for.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(scores, correct, positives, height=np.max),
            "For a recall that is never reached there is no precision, and the maximum of nothing is an error. The "
            "height is 0 there.",
        ),
        Misconception(
            _rectangles,
            "That is the area under the jagged curve itself. COCO takes the mean of 101 heights of the curve with its "
            "dips filled.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(scores, correct, positives, levels=11),
            "Those are eleven heights, in steps of 0.1. COCO has 101.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(scores, correct, positives, levels=100),
            "100 heights: from 0 to 1 in steps of 0.01 there are 101.",
        ),
        Misconception(
            lambda scores, correct, positives: _ap(scores, correct, positives, mean=np.sum),
            "The heights are added up. Their mean is asked for.",
        ),
    ),
    hints=(
        "`np.cumsum(correct[order])` counts the hits among the first k detections. What do you divide it by for "
        "precision, and by what for recall?",
        "For a level r, `precision[recall >= r]` are the candidates; there may be none, and then the height is 0.",
        "`.max(initial=0)` is 0 for an empty array. `np.linspace` gives the 101 levels.",
    ),
    remark="In the library: detection.average_precision, and coco_evaluation for the twelve numbers.",
)


# 11.5 The threshold for a cost ----------------------------------------------------------------------------------------


def cheapest(scores, correct, positives, miss, alarm):
    """The reference answer."""
    return _cheapest(scores, correct, positives, miss, alarm)


def _cheapest(
    scores,
    correct,
    positives,
    miss,
    alarm,
    accept: Callable[[np.ndarray, float], np.ndarray] = lambda scores, threshold: scores >= threshold,
    none: tuple[float, ...] = (np.inf,),
    missed: Callable[[np.ndarray, np.ndarray, int], float] = lambda correct, taken, positives: (
        positives - correct[taken].sum()
    ),
    prefer: int = -1,
    result: Callable[[dict, float], float] = lambda costs, best: best,
) -> float:
    """The search with one of its parts exchanged."""
    scores, correct = np.asarray(scores, float), np.asarray(correct, bool)
    costs = {}
    for threshold in [*scores.tolist(), *none]:
        taken = accept(scores, threshold)
        costs[threshold] = miss * missed(correct, taken, positives) + alarm * (~correct[taken]).sum()
    return float(result(costs, min(costs, key=lambda threshold: (round(costs[threshold], 9), prefer * threshold))))


def _most_right(scores, correct, positives, miss, alarm):
    return _cheapest(scores, correct, positives, 1, 1)


def _cost_cases(rng: np.random.Generator) -> Iterator[Case]:
    example = np.array([0.9, 0.7, 0.5, 0.3]), np.array([True, True, False, True]), 4
    yield Case((*example, 10, 1), about="a miss is ten times as dear as a false alarm")
    yield Case((*example, 1, 10), about="a false alarm is ten times as dear as a miss")
    yield Case((*example, 1, 1), about="both cost the same: two thresholds are equally cheap")
    tie = np.array([0.5, 0.9, 0.7]), np.array([True, True, False]), 2
    yield Case((*tie, 1, 1), about="two thresholds are equally cheap, and the lower one stands first")
    yield Case((np.array([0.8, 0.6]), np.array([False, False]), 3, 5, 2), about="false alarms only")
    yield Case((np.array([0.4, 0.9, 0.6]), np.array([True, False, True]), 2, 1, 3), about="the best score is wrong")
    yield Case((np.array([0.4, 0.9, 0.6]), np.array([False, True, True]), 5, 2, 3), about="objects that nobody found")
    for miss, alarm in ((1, 1), (7, 2), (2, 7), (20, 1)):
        scores = rng.permutation(np.linspace(0.05, 0.95, 16))
        correct = rng.random(16) < scores
        positives = int(correct.sum()) + int(rng.integers(1, 6))
        yield Case((scores, correct, positives, miss, alarm), about=f"a miss costs {miss}, a false alarm {alarm}")


COST = FunctionExercise(
    "11.5",
    "The threshold for a cost",
    reference=cheapest,
    cases=_cost_cases,
    misconceptions=(
        Misconception(
            lambda scores, correct, positives, miss, alarm: _cheapest(scores, correct, positives, alarm, miss),
            "The two costs have changed places.",
        ),
        Misconception(
            lambda scores, correct, positives, miss, alarm: _cheapest(
                scores, correct, positives, miss, alarm, accept=lambda scores, threshold: scores > threshold
            ),
            "A detection whose score is exactly the threshold is accepted.",
        ),
        Misconception(
            lambda scores, correct, positives, miss, alarm: _cheapest(scores, correct, positives, miss, alarm, none=()),
            "To accept nothing is a choice, too, and sometimes the cheapest: a threshold of infinity.",
        ),
        Misconception(
            lambda scores, correct, positives, miss, alarm: _cheapest(
                scores, correct, positives, miss, alarm, prefer=1
            ),
            "Of two thresholds that cost the same, the higher one is asked for.",
        ),
        Misconception(_most_right, "The costs make no difference to your answer. Weigh each kind of error by its own."),
        Misconception(
            lambda scores, correct, positives, miss, alarm: _cheapest(
                scores, correct, positives, miss, alarm, accept=lambda scores, threshold: scores <= threshold
            ),
            "You accept what scores *less* than the threshold.",
        ),
        Misconception(
            lambda scores, correct, positives, miss, alarm: _cheapest(
                scores, correct, positives, miss, alarm, result=lambda costs, best: costs[best]
            ),
            "That is what it costs. The threshold is asked for.",
        ),
        Misconception(
            lambda scores, correct, positives, miss, alarm: _cheapest(
                scores,
                correct,
                positives,
                miss,
                alarm,
                missed=lambda correct, taken, positives: positives - taken.sum(),
            ),
            "You count every accepted detection as a found object. Only the correct ones are.",
        ),
    ),
    hints=(
        "Only the scores themselves need to be tried: between two of them nothing changes. And one more.",
        "At a threshold: which detections are accepted, how many of them are correct, how many objects are missed?",
        "`np.inf` as a threshold accepts nothing. Go through the candidates from the highest to the lowest, and "
        "replace the best only if the new one is cheaper.",
    ),
    remark="That is why a library's default of 0.5 is right for nobody in particular.",
)
