"""From scores to decisions: what a threshold finds, misses and raises in vain, and how to choose one. Lesson 15.

A yes-or-no question: ``y_true`` says which examples are positive (a defect, a disease), ``scores`` are the higher the
more likely that is, and an example is *flagged* if its score reaches the threshold (``score >= threshold``).

========================  ==================================================================================
`confusion`               which class was given for which, for any number of classes
`class_scores`            precision, recall, F1, specificity of each class, from a confusion matrix
`outcomes`                the four counts of a yes-or-no decision, and every rate that is made of them
`roc_curve`               what share of the positives is found for each share of false alarms; its area
`precision_recall_curve`  what share of the flagged is positive for each share found; its area
`threshold_for_cost`      the cheapest threshold, given what a miss and a false alarm cost
`threshold_for_capacity`  the lowest threshold that flags no more than can be looked at
`threshold_for_recall`    the highest threshold that still finds the share asked for
========================  ==================================================================================

Choose a threshold on validation data, and price it on test data, once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnlib.reliability._arrays import as_binary, as_scores

__all__ = [
    *("ClassScores", "Curve", "OperatingPoint", "Outcomes", "class_scores", "confusion", "outcomes"),
    *("precision_recall_curve", "roc_curve", "threshold_for_capacity", "threshold_for_cost", "threshold_for_recall"),
]


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


# --- several classes -------------------------------------------------------------------------------------------------


def confusion(y_true, y_pred, num_classes: int) -> np.ndarray:
    """How many examples of true class i were given class j: int64 (num_classes, num_classes), row i, column j.

    Args:
        y_true: class numbers (n,).
        y_pred: the same shape; the argmax of scores.
        num_classes: how many there are, also of those that do not occur.

    Raises:
        ValueError: the shapes differ, or something is no class number.
    """
    from cnnlib.segmentation.metrics import confusion_matrix

    if np.ndim(y_pred) == 2 and np.ndim(y_true) == 1:
        raise ValueError(f"y_pred of shape {np.shape(y_pred)} are scores; expected classes: scores.argmax(axis=1).")
    return confusion_matrix(y_true, y_pred, num_classes, ignore=None)


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class against all others, (classes,). NaN where the definition divides by zero.

    Attributes:
        precision: of those given this class, the share that is of it.
        recall: of those of this class, the share that was given it.
        f1: 2 P R / (P + R).
        specificity: of those of other classes, the share that was given another.
        support: examples of this class.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    specificity: np.ndarray
    support: np.ndarray

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that occur: every class counts alike, however rare."""
        return float(self.recall[self.support > 0].mean())


def class_scores(matrix) -> ClassScores:
    """Precision, recall, F1 and specificity of each class, from a confusion matrix as `confusion` gives it.

    Raises:
        ValueError: the matrix is not square, or holds other numbers than counts.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a confusion matrix is square, true classes by predicted ones; got shape {matrix.shape}.")
    if (matrix < 0).any() or not np.isfinite(matrix).all():
        raise ValueError("a confusion matrix holds counts, 0 or more. Were shares or differences given?")
    hit, true, given = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    others = matrix.sum() - true

    def share(part, whole):
        return np.divide(part, whole, out=np.full(len(matrix), np.nan), where=whole > 0)

    return ClassScores(
        precision=share(hit, given),
        recall=share(hit, true),
        f1=share(2 * hit, true + given),
        specificity=share(others - (given - hit), others),
        support=true,
    )


# --- yes or no -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcomes:
    """The four outcomes of a yes-or-no decision, as counts, and the rates made of them; NaN for 0 of 0."""

    found: int  # true positives
    missed: int  # false negatives
    false_alarms: int  # false positives
    dismissed: int  # true negatives

    @property
    def recall(self) -> float:
        """The share of the positives that is flagged: also sensitivity, true positive rate."""
        return _share(self.found, self.found + self.missed)

    @property
    def sensitivity(self) -> float:
        """Recall, by its name in medicine."""
        return self.recall

    @property
    def specificity(self) -> float:
        """The share of the negatives that is not flagged."""
        return _share(self.dismissed, self.dismissed + self.false_alarms)

    @property
    def precision(self) -> float:
        """The share of the flagged that is positive. It falls with the share of positives, at the same threshold."""
        return _share(self.found, self.flagged)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return _share(2 * self.found, 2 * self.found + self.missed + self.false_alarms)

    @property
    def accuracy(self) -> float:
        """The share of right decisions."""
        return _share(self.found + self.dismissed, self.count)

    @property
    def flagged(self) -> int:
        """How many somebody has to look at."""
        return self.found + self.false_alarms

    @property
    def count(self) -> int:
        """All examples."""
        return self.found + self.missed + self.false_alarms + self.dismissed

    def precision_at(self, prevalence: float) -> float:
        """The precision where another share of all examples is positive, with this recall and specificity (Bayes).

        Raises:
            ValueError: the share is not between 0 and 1.
        """
        if not 0 <= prevalence <= 1:
            raise ValueError(f"prevalence={prevalence}; expected the share of positives, 0 to 1.")
        true = prevalence * self.recall
        return _share(true, true + (1 - prevalence) * (1 - self.specificity))

    def cost(self, miss: float, false_alarm: float) -> float:
        """The mean cost of an example, given what a miss and a false alarm cost."""
        return _share(miss * self.missed + false_alarm * self.false_alarms, self.count)


def outcomes(y_true, flagged) -> Outcomes:
    """The four outcomes of a decision.

    Args:
        y_true: which are positive, (n,): booleans, or 0 and 1.
        flagged: which were flagged, the same.

    Raises:
        ValueError: the lengths differ, or something else than yes and no is among them (scores: compare them with a
            threshold first).
    """
    y_true, flagged = as_binary(y_true), as_binary(flagged, "flagged")
    if len(y_true) != len(flagged):
        raise ValueError(f"{len(y_true)} true answers and {len(flagged)} decisions: expected as many of each.")
    counts = [np.sum(y_true & flagged), np.sum(y_true & ~flagged), np.sum(~y_true & flagged)]
    return Outcomes(*map(int, counts), dismissed=int(np.sum(~y_true & ~flagged)))


@dataclass(frozen=True)
class Curve:
    """What every threshold gives, from the highest (nothing is flagged) to the lowest (everything is).

    Attributes:
        thresholds: (n,), falling; the first is infinite.
        recall: share of the positives found (true positive rate), (n,), rising.
        false_alarm_rate: share of the negatives flagged (false positive rate), (n,), rising.
        precision: share of the flagged that is positive, (n,); 1 where nothing is flagged, by convention.
        area: under the curve it was made as.
    """

    thresholds: np.ndarray
    recall: np.ndarray
    false_alarm_rate: np.ndarray
    precision: np.ndarray
    area: float


def roc_curve(y_true, scores) -> Curve:
    """Recall against the rate of false alarms, at every threshold that makes a difference.

    The area (AUROC) is the probability that a positive example has a higher score than a negative one, ties counted as
    a half (Fawcett 2006). 0.5 is chance. It does not depend on how many positives there are, and so says nothing about
    how many of the flagged will be positive.

    Args:
        y_true: which are positive, (n,): booleans, or 0 and 1.
        scores: the higher the more likely positive, (n,).

    Raises:
        ValueError: shapes or values do not fit, or one of the two kinds is missing.
    """
    thresholds, found, false_alarms = _sweep(y_true, scores)
    recall, rate = found / found[-1], false_alarms / false_alarms[-1]
    area = float(np.diff(rate) @ (recall[1:] + recall[:-1]) / 2)
    return Curve(thresholds, recall, rate, _precision(found, false_alarms), area)


def precision_recall_curve(y_true, scores) -> Curve:
    """Precision against recall, at every threshold that makes a difference.

    The area is the average precision: the precision at each threshold, weighted by the recall gained there. (The
    trapezoid under the curve promises too much: Davis and Goadrich 2006.) Chance gives the share of positives.

    Arguments and errors as `roc_curve`.
    """
    thresholds, found, false_alarms = _sweep(y_true, scores)
    recall, precision = found / found[-1], _precision(found, false_alarms)
    area = float(np.diff(recall) @ precision[1:])
    return Curve(thresholds, recall, false_alarms / false_alarms[-1], precision, area)


def _precision(found: np.ndarray, false_alarms: np.ndarray) -> np.ndarray:
    flagged = found + false_alarms
    return np.divide(found, flagged, out=np.ones(len(flagged)), where=flagged > 0)


def _sweep(y_true, scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds, falling from infinity, and how many positives and negatives each flags."""
    y_true = as_binary(y_true)
    scores = as_scores(scores, len(y_true))
    if y_true.all() or not y_true.any():
        kind = "positive" if y_true.all() else "negative"
        raise ValueError(f"all {len(y_true)} examples are {kind}: a threshold has nothing to part.")
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], y_true[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)  # of each run of equal scores
    found = np.cumsum(truth)[last]
    return (
        np.append(np.inf, ranked[last]),
        np.append(0, found).astype("float64"),
        np.append(0, last + 1 - found).astype("float64"),
    )


# --- choosing a threshold --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, and what it gave on the data that it was chosen on.

    Attributes:
        threshold: flag what reaches it; infinite if nothing is to be flagged.
        outcomes: the four counts.
        cost: the mean cost of an example where it was chosen by cost, else None.
    """

    threshold: float
    outcomes: Outcomes
    cost: float | None = None

    def flags(self, scores) -> np.ndarray:
        """Which of these scores reach the threshold, bool."""
        return np.asarray(scores) >= self.threshold


def threshold_for_cost(
    y_true, scores, miss: float, false_alarm: float, prevalence: float | None = None
) -> OperatingPoint:
    """The threshold at which the mean cost of an example is least.

    Args:
        y_true: which are positive, (n,).
        scores: (n,).
        miss: what a positive that is not flagged costs, in any unit.
        false_alarm: what a negative that is flagged costs, in the same unit.
        prevalence: the share of positives where the threshold will be used, if it is not that of these data: rare
            positives are often collected in excess.

    Returns:
        The operating point; of several equally cheap ones that with the highest threshold, which flags least. With
        calibrated probabilities as scores it lies near false_alarm / (miss + false_alarm).

    Raises:
        ValueError: as `roc_curve`, a cost is not positive, or the prevalence not between 0 and 1.
    """
    if not (miss > 0 and false_alarm > 0 and np.isfinite(miss + false_alarm)):
        raise ValueError(
            f"miss={miss}, false_alarm={false_alarm}; expected two positive costs. If one cost nothing, the best "
            "threshold would be to flag everything, or nothing."
        )
    thresholds, found, false_alarms = _sweep(y_true, scores)
    share = found[-1] / (found[-1] + false_alarms[-1]) if prevalence is None else prevalence
    if not 0 < share < 1:
        raise ValueError(f"prevalence={prevalence}; expected the share of positives, between 0 and 1.")
    missed, alarmed = 1 - found / found[-1], false_alarms / false_alarms[-1]
    costs = miss * share * missed + false_alarm * (1 - share) * alarmed
    best = int(np.flatnonzero(costs <= costs.min() * (1 + 1e-12))[0])
    return OperatingPoint(
        float(thresholds[best]), outcomes(y_true, np.asarray(scores) >= thresholds[best]), float(costs[best])
    )


def threshold_for_capacity(y_true, scores, capacity: int | float) -> OperatingPoint:
    """The lowest threshold that flags no more than can be looked at.

    Args:
        y_true, scores: as `roc_curve`.
        capacity: how many of these examples can be looked at (an int), or which share of them (a float from 0 to 1).

    Returns:
        The operating point. Where equal scores stand at the limit, all of them stay out.

    Raises:
        ValueError: as `roc_curve`, or the capacity is negative, or a share above 1.
    """
    thresholds, found, false_alarms = _sweep(y_true, scores)
    count = len(np.asarray(scores))
    if isinstance(capacity, (bool, np.bool_)) or not capacity >= 0:
        raise ValueError(f"capacity={capacity}; expected a number of examples, or a share of them.")
    if isinstance(capacity, (float, np.floating)):
        if capacity > 1:
            raise ValueError(f"capacity={capacity} as a share is above 1; for a number of examples give an int.")
        capacity = int(np.floor(capacity * count + 1e-9))
    chosen = int(np.flatnonzero(found + false_alarms <= capacity)[-1])
    return OperatingPoint(float(thresholds[chosen]), outcomes(y_true, np.asarray(scores) >= thresholds[chosen]))


def threshold_for_recall(y_true, scores, recall: float) -> OperatingPoint:
    """The highest threshold that finds at least the share ``recall`` of the positives: fewest false alarms for it.

    On few positives this is optimistic: of 20 found ones none may be missed by luck. Look at the interval of the recall
    on test data.

    Raises:
        ValueError: as `roc_curve`, or the recall is not above 0 and at most 1.
    """
    if not 0 < recall <= 1:
        raise ValueError(f"recall={recall}; expected a share of the positives, above 0 and at most 1.")
    thresholds, found, _ = _sweep(y_true, scores)
    chosen = int(np.flatnonzero(found >= recall * found[-1] - 1e-9)[0])
    return OperatingPoint(float(thresholds[chosen]), outcomes(y_true, np.asarray(scores) >= thresholds[chosen]))
