"""The checks of lesson 03, training from first principles.

A misconception is a wrong model of the answer: a function that is wrong in one way that learners are known for. Two
answers cannot be compared with a right one and are tried out instead: a learning rate trains the network of the lesson
in NumPy, and an epoch of SGD is run on a network so small that its result is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from cnnlib import reference
from cnnlib.checks.lesson_03_adam import ADAM
from cnnlib.checks.lesson_03_judge import GRADIENT_JUDGE
from cnnlib.checks.network_03 import check_epoch, check_rate
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, ValueExercise

# 03.1 Gradient of the cross-entropy -----------------------------------------------------------------------------------


def _gradient_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([[0.0, 0.0]]), np.array([0])), about="one row of two equal scores")
    yield Case((np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 0])), about="the same row twice")
    yield Case((np.array([[2.0, 1.0, 0.1]]), np.array([0])), about="one row of three scores")
    yield Case((np.array([[2.0, 1.0, 0.1]]), np.array([2])), about="the last class is true")
    for batch, classes in ((4, 3), (3, 3), (5, 10), (8, 4)):
        scores = rng.normal(0, 2, size=(batch, classes)).round(2)
        yield Case((scores, rng.integers(classes, size=batch)), about=f"{batch} rows, {classes} classes")
    yield Case((np.array([[3, 0, 1], [0, 2, 2]]), np.array([0, 1])), about="scores that are whole numbers")
    yield Case((rng.normal(size=(6, 10)).round(2), np.full(6, 7)), about="six rows of the same class")
    yield Case((np.array([[1000.0, 0.0, 3.0], [5.0, 1000.0, 999.0]]), np.array([0, 0])), about="scores of 1,000")
    yield Case((np.array([[-1000.0, -1001.0]]), np.array([1])), about="scores of -1,000")
    yield Case((np.array([[900.0, 901.0], [0.0, 1.0]]), np.array([1, 0])), about="rows of very different size")
    yield Case((np.array([[100, 0, 2], [1, 3, 2]], "float32"), np.array([1, 0])), about="scores of 100 in float32")


def _one_hot(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.eye(scores.shape[-1])[labels]


def _exponentials(scores: np.ndarray, shift: Callable[[np.ndarray], object]) -> np.ndarray:
    return np.exp(scores - shift(scores))


def _gradient(
    probabilities: Callable[[np.ndarray], np.ndarray] = reference.softmax,
    combine: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda p, y: p - y,
    scale: Callable[[np.ndarray], float] = len,
) -> Callable:
    """The gradient with one of its parts exchanged."""

    def cross_entropy_gradient(scores, labels):
        return combine(probabilities(scores), _one_hot(scores, labels)) / scale(scores)

    return cross_entropy_gradient


def _columns(scores, labels):
    gradient = reference.softmax(scores)
    gradient[:, labels] -= 1
    return gradient / len(labels)


def _rows(scores, labels):
    gradient = reference.softmax(scores)
    gradient[labels] -= 1
    return gradient / len(labels)


def _label_number(scores, labels):
    return (reference.softmax(scores) - labels[:, None]) / len(labels)


def _over_rows(scores: np.ndarray) -> np.ndarray:
    exponentials = _exponentials(scores, lambda z: z.max(axis=0, keepdims=True))
    return exponentials / exponentials.sum(axis=0, keepdims=True)


def _over_all(scores: np.ndarray) -> np.ndarray:
    exponentials = _exponentials(scores, np.max)
    return exponentials / exponentials.sum()


def _shifted_by(shift: Callable[[np.ndarray], object]) -> Callable[[np.ndarray], np.ndarray]:
    def probabilities(scores):
        exponentials = _exponentials(scores, shift)
        return exponentials / exponentials.sum(axis=-1, keepdims=True)

    return probabilities


def _the_loss(came: object, expected: object, case: Case) -> bool:
    if np.shape(came) != ():
        return False
    return not np.isfinite(came) or np.isclose(came, reference.cross_entropy(*case.args), rtol=0.01)


def _one_number(came: object, expected: object, case: Case) -> bool:
    return isinstance(came, (int, float, np.ndarray)) and np.shape(came) == ()


def _a_number_a_row(came: object, expected: object, case: Case) -> bool:
    return np.shape(came) == np.shape(expected)[:1]


CROSS_ENTROPY_GRADIENT = FunctionExercise(
    "03.1",
    "Gradient of the cross-entropy",
    reference=_gradient(),
    cases=_gradient_cases,
    misconceptions=(
        Misconception(
            _gradient(scale=lambda z: 1),
            "This is the gradient of the *sum* over the batch. The loss is the mean, so every row counts for one part "
            "in as many as there are rows.",
        ),
        Misconception(
            _gradient(scale=np.size),
            "You divide by the number of all scores, as `.mean()` over the whole array does. The loss is a mean over "
            "the rows alone.",
        ),
        Misconception(
            _gradient(scale=lambda z: z.shape[-1]),
            "You divide by the number of classes. The loss is a mean over the batch, the rows.",
        ),
        Misconception(
            _gradient(combine=lambda p, y: y - p),
            "The sign is the opposite one: this is the direction in which the loss *falls*. The gradient points "
            "uphill, and the minus comes later, in the step.",
        ),
        Misconception(
            _gradient(probabilities=_over_rows),
            "Your softmax runs down the columns, over the batch. Each *row* is one picture, and its probabilities must "
            "sum to 1: use the last axis.",
        ),
        Misconception(
            _gradient(probabilities=_over_all),
            "All your probabilities together sum to 1. Each *row* is one picture and needs a sum of its own: use "
            "`axis=-1` and `keepdims=True`.",
        ),
        Misconception(
            _gradient(probabilities=_shifted_by(lambda z: 0.0)),
            "It is right as long as the scores are small. For large ones `exp` overflows, or all of its results are 0. "
            "What can be subtracted from a row of scores without changing its softmax?",
        ),
        Misconception(
            _gradient(probabilities=_shifted_by(np.max)),
            "You subtract the largest score of the whole batch. In a row whose scores are all far below it every "
            "exponential becomes 0. Each row has a largest score of its own.",
        ),
        Misconception(
            _gradient(combine=lambda p, y: p),
            "This is the softmax alone, which pushes every class down. The true class takes part in the loss a second "
            "time, through $-z_y$.",
        ),
        Misconception(
            _gradient(combine=lambda p, y: (p - 1) * y),
            "Only the true class has a gradient in your answer. The other scores matter too: they stand in the sum "
            "below the fraction.",
        ),
        Misconception(
            _gradient(combine=lambda p, y: -y / p),
            "This is the derivative by the *probability* of the true class. Asked for is the one by the scores, from "
            "which softmax makes the probabilities.",
        ),
        Misconception(
            _gradient(probabilities=lambda z: z),
            "You compare the scores themselves with the labels. They have to become probabilities first.",
        ),
        Misconception(
            _gradient(combine=lambda p, y: p - 1),
            "You subtract 1 from every class. It belongs to the true class of each row alone.",
        ),
        Misconception(
            _columns,
            "`gradient[:, labels]` picks these columns in *every* row. One entry per row is meant: "
            "`gradient[np.arange(len(labels)), labels]`.",
        ),
        Misconception(
            _rows,
            "`gradient[labels]` picks whole *rows*. One entry of each row is meant: "
            "`gradient[np.arange(len(labels)), labels]`.",
        ),
        Misconception(
            _gradient(combine=lambda p, y: np.where(y > 0, 1 - p, p)),
            "The true class has the opposite sign. When its score grows the loss falls, so its gradient is negative.",
        ),
        Misconception(
            _label_number,
            "You subtract the *number* of the class. It says where to subtract, not how much.",
        ),
        Misconception(
            _the_loss,
            "This is the loss itself. Asked for is its gradient: how much the loss changes with each score, in the "
            "shape of `scores`.",
            predicate=True,
        ),
        Misconception(
            _one_number,
            "This is one number, as the loss is. Its gradient has one number for each score.",
            predicate=True,
        ),
        Misconception(
            _a_number_a_row,
            "This is one number for each picture. The gradient has one for each *score* of each picture.",
            predicate=True,
        ),
        Misconception(
            lambda scores, labels: (reference.softmax(scores) - _one_hot(scores, labels)).mean(axis=0),
            "You average the rows into one. A score of one picture does not move the loss of another, so each row "
            "keeps its own gradient: only its share in the mean makes it smaller.",
        ),
        Misconception(
            _gradient(combine=lambda p, y: p * (p - y)),
            "There is a factor too many: the softmax enters twice. The derivative of the logarithm has cancelled it.",
        ),
    ),
    hints=(
        "For one picture it is the probability of each class, minus 1 at the true class.",
        "`np.arange(len(labels))` and `labels` together pick one entry in each row.",
        "The loss is a mean over the rows. What does that do to the gradient of each row?",
    ),
    remark="Look at the rows: the surer and the more wrong the network is, the larger the push. When it is right and "
    "sure, nothing moves.",
)


# 03.3 A learning rate from a range test -------------------------------------------------------------------------------


LEARNING_RATE = CheckExercise(
    "03.3",
    "A learning rate from a range test",
    check=check_rate,
    hints=(
        "Where on the curve is the loss lowest? The axis is logarithmic: between 0.001 and 0.01 lie 0.002, 0.003, ...",
        "The usual advice: one decade below the minimum of the curve, a tenth of that rate.",
        "A second way: take the rate that the first range test of this lesson advised for the mean over 50 pictures. A "
        "sum is 50 times larger, and so is its gradient. (What you read from the curve of this exercise belongs to the "
        "sum already.)",
    ),
    remark="A sum over 50 pictures has 50 times the gradient of their mean, so the rate must be 50 times smaller. A "
    "rate belongs to a loss, a batch and an optimizer, and moves with each of them.",
)


# 03.5 The bug that stops learning -------------------------------------------------------------------------------------


BUG = CheckExercise(
    "03.5",
    "The bug that stops learning",
    check=check_epoch,
    hints=(
        "The loss stays near that of guessing even on 20 pictures. What does a network learn from pictures whose "
        "labels mean nothing, and are others in every epoch?",
        "Print the first label of `y` and look at the first picture of `x`, inside the function. Are they a pair?",
        "One order has to serve both arrays.",
    ),
    remark="The tiny test found it in a second. On 60,000 pictures the same bug looks like a task that is too hard.",
)


# 03.6 Read four curves ------------------------------------------------------------------------------------------------

_NEEDS = {"A": "more data", "B": "a lower rate", "C": "a higher rate", "D": "nothing"}


def _says(letter: str, *answers: str) -> Callable[[Mapping], bool]:
    """Whether the answer has one of these under a letter."""
    return lambda came: str(came[letter]).strip().casefold() in answers


def _shortened(came: Mapping) -> bool:
    known = set(_NEEDS.values())
    return any(str(value).strip().casefold() not in known for value in came.values())


CURVES = ValueExercise(
    "03.6",
    "Read four curves",
    expected=dict(_NEEDS),
    misconceptions=(
        Misconception(
            lambda came: {str(key).casefold() for key in came.keys()} != {"a", "b", "c", "d"},  # noqa: SIM118
            'The answer has one entry for each letter: `{"A": ..., "B": ..., "C": ..., "D": ...}`.',
        ),
        Misconception(
            _shortened,
            'Answer in these words: "more data", "a higher rate", "a lower rate" or "nothing".',
        ),
        Misconception(
            _says("A", "nothing"),
            "A is at 100 % on the pictures that it trains on. Look at the other curve, which is the one that counts: "
            "the gap between them is what A lacks.",
        ),
        Misconception(
            _says("A", "a lower rate", "a higher rate"),
            "A learns all that it is shown, so its rate is fine. It fails on what it is not shown.",
        ),
        Misconception(
            _says("B", "a higher rate"),
            "B does not move, but not because its steps are small: it stands exactly at guessing, 10 %, from the first "
            "epoch on. Slow runs climb. What does a network look like whose ReLUs a few large steps have switched off?",
        ),
        Misconception(
            _says("B", "more data", "nothing"),
            "B names one picture in ten correctly, which guessing does too, on the training pictures as well. No data "
            "helps a network that does not learn those it has.",
        ),
        Misconception(
            _says("C", "more data"),
            "In C both curves lie on each other. Data closes a gap between them, and there is none.",
        ),
        Misconception(
            _says("C", "nothing"),
            "C is still climbing when it ends: it is far from what it could do.",
        ),
        Misconception(
            _says("C", "a lower rate"),
            "C climbs slowly and smoothly. A rate that is too high jumps about or stands at guessing.",
        ),
        Misconception(
            _says("D", "more data", "a lower rate", "a higher rate"),
            "D climbs fast, flattens, and its two curves stay close. Compare it with the other three before you change "
            "anything.",
        ),
    ),
    hints=(
        "Which of the four have a gap between the curves? That one lacks pictures.",
        "One stands at 10 % from beginning to end. One is still climbing at the end.",
        "Too small a rate is slow and smooth. Too large a rate breaks the network at once.",
    ),
)


EXERCISES = [CROSS_ENTROPY_GRADIENT, GRADIENT_JUDGE, LEARNING_RATE, ADAM, BUG, CURVES]
