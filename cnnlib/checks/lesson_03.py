"""The checks of lesson 03, training from first principles.

A misconception is a wrong model of the answer: a function that is wrong in one way that learners are known for. Two
answers cannot be compared with a right one and are tried out instead: a learning rate trains the network of the lesson
in NumPy, and an epoch of SGD is run on a network so small that its result is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from cnnlib import reference
from cnnlib.checks.network_03 import check_epoch, check_rate
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, ValueExercise
from cnnlib.exercises.outcome import Outcome, Result

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


# 03.2 A judge of gradients --------------------------------------------------------------------------------------------


Function, Gradient = Callable[[np.ndarray], float], Callable[[np.ndarray], np.ndarray]


def _scaled_squares(factor: float) -> tuple[Function, Gradient]:
    def function(x):
        return float(factor * (x**2).sum())

    def gradient(x):
        return factor * 2 * x

    return function, gradient


def _dense_layer(rng: np.random.Generator) -> tuple[Function, Gradient, Gradient, np.ndarray]:
    """Cross-entropy by the weights of a dense layer: the right gradient, that of the sum, and the weights."""
    inputs, labels = rng.normal(size=(5, 3)), rng.integers(4, size=5)

    def function(w):
        return float(reference.cross_entropy(inputs @ w, labels))

    def gradient(w):
        return inputs.T @ reference.softmax_cross_entropy_grad(inputs @ w, labels)

    def of_the_sum(w):
        return gradient(w) * len(labels)

    return function, gradient, of_the_sum, rng.normal(size=(3, 4))


def _convolution(rng: np.random.Generator) -> tuple[Function, Gradient, Gradient, np.ndarray]:
    """A weighted sum of a convolution's output by its kernel: right, and with the kernel turned by 180 degrees."""
    images, weights = rng.normal(size=(2, 5, 5, 1)), rng.normal(size=(2, 3, 3, 2))

    def function(kernel):
        return float((weights * reference.conv2d(images, kernel)).sum())

    def gradient(kernel):
        return reference.conv2d_backward(weights, images, kernel)[1]

    def turned(kernel):
        return gradient(kernel)[::-1, ::-1]

    return function, gradient, turned, rng.normal(size=(3, 3, 1, 2))


def _relu(rng: np.random.Generator) -> tuple[Function, Gradient, Gradient, np.ndarray]:
    """A weighted sum of ReLUs by what goes in: right, and with one that is off and passes its gradient all the same."""
    weights = rng.uniform(1, 2, size=(4, 6))
    x = rng.choice([-1, 1], size=(4, 6)) * rng.uniform(0.2, 1, size=(4, 6))
    x[0, 0], x[2, 4] = 0.5, -0.5

    def function(x):
        return float((weights * reference.relu(x)).sum())

    def gradient(x):
        return reference.relu_backward(weights, x)

    def one_forgotten(x):
        wrong = gradient(x)
        wrong[2, 4] = weights[2, 4]
        return wrong

    return function, gradient, one_forgotten, x


def _pooling(rng: np.random.Generator) -> tuple[Function, Gradient, Gradient, np.ndarray]:
    """A weighted sum of max pooling by what goes in: right, and shared out among all four pixels of a window."""
    weights = rng.uniform(1, 2, size=(1, 2, 2, 1))
    x = rng.permutation(16).reshape(1, 4, 4, 1) / 4

    def function(x):
        return float((weights * reference.max_pool2d(x)).sum())

    def gradient(x):
        return reference.max_pool2d_backward(weights, x)

    def shared_out(x):
        return reference.avg_pool2d_backward(weights, x)

    return function, gradient, shared_out, x


def steep_function(x):
    return float(np.sin(300 * x).sum())


def steep_gradient(x):
    return 300 * np.cos(300 * x)


def flat_function(x):
    return float(1e6 + np.sin(x).sum())


def flat_gradient(x):
    return np.cos(x)


def constant(x):
    return 2.5


def nothing(x):
    return np.zeros_like(x)


def _judge_cases(rng: np.random.Generator) -> Iterator[Case]:
    x = np.array([1.0, -2.0, 3.0])
    function, right = _scaled_squares(1.0)
    yield Case((function, right, x), about="a sum of squares, and its gradient")
    yield Case((function, lambda x: x.copy(), x), about="a sum of squares, and half of its gradient")
    yield Case((function, lambda x: -2 * x, x), about="a sum of squares, and its gradient with the wrong sign")
    bugs = {
        "a dense layer": (_dense_layer(rng), "the gradient of the sum over the batch instead of the mean"),
        "a convolution": (_convolution(rng), "the kernel's gradient, turned by 180 degrees"),
        "24 ReLUs": (_relu(rng), "a gradient in which one of them, which is off, is treated as on"),
        "max pooling": (_pooling(rng), "a gradient shared out among all pixels of a window"),
    }
    for layer, ((function, right, wrong, at), bug) in bugs.items():
        yield Case((function, right, at), about=f"{layer}, and its gradient")
        yield Case((function, wrong, at), about=f"{layer}, and {bug}")
    at = rng.uniform(0.5, 1, size=4)
    yield Case((*_scaled_squares(1e11), at), about="a loss of a hundred billion, and its gradient")
    function, right = _scaled_squares(1e-10)
    yield Case((function, right, at), about="slopes of a ten-billionth, and their gradient")
    yield Case((function, lambda x: right(x) / 2, at), about="slopes of a ten-billionth, and half of their gradient")
    yield Case((steep_function, steep_gradient, at[:2]), about="a function with many waves, and its gradient")
    yield Case((flat_function, flat_gradient, at), about="a loss of a million with slopes of 1, and its gradient")
    yield Case((constant, nothing, at), about="a loss on which x has no influence, and a gradient of 0")
    yield Case((function, lambda x: right(x)[None], at), about="a gradient with an axis too many")
    yield Case((lambda x: float(x.sum()), lambda x: np.ones(1), at), about="a sum, and a gradient of one number")
    yield Case((lambda x: -float(x.sum()), lambda x: -np.ones(x.shape), at), about="slopes that are all negative")
    yield Case((lambda x: float(x.sum()), lambda x: np.full(x.shape, 1.002), at), about="a gradient too large by 0.2 %")
    yield Case((lambda x: float(x.sum()), lambda x: np.full(x.shape, 0.998), at), about="a gradient too small by 0.2 %")
    yield Case((lambda x: float(x.sum()), lambda x: np.full(x.shape, 1.0004), at), about="a gradient off by 0.04 %")
    weights = rng.uniform(1, 2, size=(20, 20))
    one_off = weights.copy()
    one_off[13, 5] *= 1.1
    many = rng.normal(size=(20, 20))
    yield Case(
        (lambda x: float((weights * x).sum()), lambda x: one_off, many), about="one of 400 numbers off by a tenth"
    )


def _slopes(function: Function, x: np.ndarray, step: float = 1e-5, behind: float = 1.0) -> np.ndarray:
    """Slopes by differences: central ones, or with `behind=0` the loss ahead minus the loss here."""
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[place] = step
        slopes[place] = (function(x + move) - function(x - behind * move)) / ((1 + behind) * step)
    return slopes


def _near(claimed: np.ndarray, slopes: np.ndarray) -> bool:
    return np.abs(claimed - slopes).max() <= 1e-3 * np.abs(slopes).max()


def _judge(
    measure: Callable[[Function, np.ndarray], np.ndarray] = _slopes,
    accept: Callable[[np.ndarray, np.ndarray], object] = _near,
    shape: bool = True,
) -> Callable:
    """The judge with one of its parts exchanged."""

    def gradient_is_right(function, gradient, x):
        claimed, slopes = np.asarray(gradient(x)), measure(function, x)
        return not (shape and claimed.shape != slopes.shape) and bool(accept(claimed, slopes))

    return gradient_is_right


def _each_by_itself(claimed: np.ndarray, slopes: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        return bool((np.abs(claimed - slopes) / np.abs(slopes) <= 1e-3).all())


def _no_verdict(came: object, expected: object, case: Case) -> bool:
    return not isinstance(came, bool | np.bool_)


GRADIENT_JUDGE = FunctionExercise(
    "03.2",
    "A judge of gradients",
    reference=_judge(),
    cases=_judge_cases,
    misconceptions=(
        Misconception(
            _no_verdict,
            "The judge answers `True` or `False`: this is something else. Compare the largest difference with a "
            "thousandth of the largest slope.",
            predicate=True,
        ),
        Misconception(
            _judge(accept=lambda g, s: True),
            "Your judge lets everything pass.",
        ),
        Misconception(
            _judge(accept=lambda g, s: False),
            "Your judge lets nothing pass.",
        ),
        *(
            Misconception(
                _judge(accept=lambda g, s, bound=bound: np.abs(g - s).max() <= bound),
                "Your bound is a fixed number. For slopes of a ten-billionth it lets everything pass, and for a loss "
                "of a hundred billion rounding alone is above it. What is large depends on the slopes.",
            )
            for bound in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
        ),
        Misconception(
            _judge(accept=lambda g, s: np.allclose(g, s, rtol=1e-3)),
            "`np.allclose` has a second bound, `atol`, which is 1e-8 unless you set it: slopes that are smaller all "
            "pass. And it asks each number by itself.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.allclose(g, s)),
            "`np.allclose` has a second bound, `atol`, which is 1e-8 unless you set it: slopes that are smaller all "
            "pass. And its `rtol` is 1e-5, not a thousandth.",
        ),
        Misconception(
            _judge(accept=_each_by_itself),
            "You divide each difference by its own slope. Where a slope is 0, as behind a ReLU that is off, that is "
            "0 / 0 or the noise of rounding. Measure by the *largest* slope.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.abs(g - s).mean() <= 1e-3 * np.abs(s).max()),
            "You average the differences. One wrong number among many hides in a mean, and the bound is for each.",
        ),
        Misconception(
            _judge(accept=lambda g, s: abs(g.sum() - s.sum()) <= 1e-3 * np.abs(s).max()),
            "You compare sums. A gradient that is too large here and too small there has the right sum.",
        ),
        Misconception(
            _judge(accept=lambda g, s: abs(np.linalg.norm(g) - np.linalg.norm(s)) <= 1e-3 * np.linalg.norm(s)),
            "You compare lengths. A gradient that points elsewhere, even backwards, may be as long.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.linalg.norm(g - s) <= 1e-3 * (np.linalg.norm(g) + np.linalg.norm(s))),
            "You divide the length of the difference by that of both gradients together. It is a fine measure, and not "
            "the one asked for: no *number* may be off by more than a thousandth of the largest slope.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.abs(np.abs(g) - np.abs(s)).max() <= 1e-3 * np.abs(s).max()),
            "Your judge does not see the sign. A gradient that points uphill instead of downhill passes.",
        ),
        Misconception(
            _judge(accept=lambda g, s: (g - s).max() <= 1e-3 * np.abs(s).max()),
            "You look at differences in one direction only: numbers that are too small pass. Take the absolute value.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.abs(g - s).max() <= 1e-3 * s.max()),
            "You take the largest slope *with its sign*. Where all slopes are negative no difference is small enough: "
            "take the absolute value.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.abs(g - s).max() < 1e-3 * np.abs(s).max()),
            "Where `x` has no influence, all slopes are 0, and so is the bound: a difference of 0 is not *below* 0. It "
            "may be as large as the bound.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.abs(g - s).ravel()[0] <= 1e-3 * np.abs(s).max()),
            "You look at the first number alone. A bug may sit in any of them.",
        ),
        Misconception(
            _judge(accept=lambda g, s: np.sum(g * s) > 0.999 * np.linalg.norm(g) * np.linalg.norm(s)),
            "You compare directions. A gradient of the sum instead of the mean has the right one, and is too long.",
        ),
        Misconception(
            _judge(shape=False),
            "NumPy broadcasts: a gradient of another shape passes if its numbers fit. Compare the shapes first.",
        ),
        *(
            Misconception(
                _judge(lambda f, x, step=step, behind=behind: _slopes(f, x, step, behind)),
                "A right gradient fails where the function bends within your step. The loss ahead minus the loss "
                "*behind* is far more exact than ahead minus *here*, and a step near 1e-5 is small enough.",
            )
            for step, behind in ((1e-3, 0), (1e-4, 0), (1e-5, 0), (1.0, 1), (0.1, 1), (0.01, 1), (1e-3, 1))
        ),
        *(
            Misconception(
                _judge(lambda f, x, step=step: _slopes(f, x, step)),
                "Your step is too small: what changes in the loss is lost in rounding, and a right gradient fails.",
            )
            for step in (1e-8, 1e-9, 1e-10, 1e-12)
        ),
        Misconception(
            _judge(lambda f, x: 2 * _slopes(f, x)),
            "Your slopes are twice too large: from behind to ahead are *two* steps.",
        ),
        Misconception(
            _judge(lambda f, x: _slopes(f, x) / 2),
            "Your slopes are half of what they are: ahead minus here is *one* step.",
        ),
    ),
    hints=(
        "For each number of `x`: a copy of `x` in which it alone is moved up by 1e-5, one in which it is moved down.",
        "`np.ndindex(x.shape)` runs through the places of an array of any shape.",
        "The bound is 1e-3 times `np.abs(slopes).max()`, for the largest of `np.abs(claimed - slopes)`. Compare shapes "
        "before that.",
    ),
    remark="It needs two losses for each number, so nobody trains with it. To find a bug, five pictures and one layer "
    "are enough.",
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


# 03.4 Adam from scratch -----------------------------------------------------------------------------------------------


def _adam_cases(rng: np.random.Generator) -> Iterator[Case]:
    one = [np.array([1.0])]

    def steps(*numbers: float) -> list[list[np.ndarray]]:
        return [[np.array([number])] for number in numbers]

    yield Case((one, steps(2.0), 0.1), about="one step")
    yield Case((one, steps(2.0, 2.0), 0.1), about="the example")
    yield Case((one, steps(2.0, -1.0), 0.1), about="the second example")
    yield Case((one, steps(0.5, 0.5, 0.5, -0.2), 0.01), about="four steps")
    yield Case(([np.array([1.0, 2.0])], [[np.array([0.0, 1e-3])]], 0.1), about="a gradient of 0 and a small one")
    yield Case(([np.array([1.0])], steps(1e-7, 1e-7), 0.1), about="gradients of the size of 1e-7")
    shapes = [(3, 3, 1, 2), (2,), (4, 3)]
    weights = [rng.normal(size=shape).round(2) for shape in shapes]
    run = [[rng.normal(size=shape).round(2) for shape in shapes] for _ in range(5)]
    yield Case((weights, run, 0.03), about="three arrays, five steps")
    yield Case((one, [], 0.1), about="no step at all")
    two = [np.array([1.0]), np.array([1.0])]
    pair = [[np.array([3.0]), np.array([4.0])], [np.array([0.3]), np.array([0.4])]]
    yield Case((two, pair, 0.1), {"clip": 1.0}, about="two weights, gradients of length 5 and 0.5, clipped to 1")
    yield Case((two, pair[::-1], 0.1), {"clip": 1.0}, about="gradients of length 0.5 and 5, clipped to 1")
    yield Case((two, pair, 0.1), {"clip": 2.0}, about="gradients of length 5 and 0.5, clipped to 2")
    uneven = [[g * scale for g in step] for step, scale in zip(run, (1.0, 0.1, 2.0, 0.2, 1.0))]
    yield Case((weights, uneven, 0.03), {"clip": 2.0}, about="three arrays, clipped to 2")
    nothing = [[np.zeros(1), np.zeros(1)], *pair]
    yield Case((two, nothing, 0.1), {"clip": 1.0}, about="a first gradient of length 0, with clip")


class _LeavesItsArguments(FunctionExercise):
    """A function that must not change the arrays that it is given, even if what it returns is right."""

    def _try(self, answer, cases, sandbox):
        attempts, self._changed = super()._try(answer, cases, sandbox)
        return attempts, self._changed

    def _check(self, answer: object, rng: np.random.Generator) -> Result:
        self._changed: list[str] = []
        result = super()._check(answer, rng)
        if result.outcome != Outcome.RIGHT or not self._changed:
            return result
        names = " and ".join(f"`{name}`" for name in self._changed)
        likely = (
            "`w -= ...`, `g *= ...` and `weights[k] = ...` write into the caller's own arrays and lists, which the "
            "caller may still need. `w - ...` and a new list make new ones."
        )
        says = f"What it returns is right, but it changes {names} on the way."
        return self._result(Outcome.WRONG, says, [("Likely", likely)])


def _global_clip(gradient: list[np.ndarray], clip: float) -> list[np.ndarray]:
    length = np.sqrt(sum((g**2).sum() for g in gradient))
    return [g * clip / length for g in gradient] if length > clip else gradient


def _shortened_to(gradient: list[np.ndarray], clip: float) -> list[np.ndarray]:
    length = np.sqrt(sum((g**2).sum() for g in gradient))
    return [g * clip / length for g in gradient]


def _each_clipped(gradient: list[np.ndarray], clip: float) -> list[np.ndarray]:
    return [clipped for g in gradient for clipped in _global_clip([g], clip)]


def _squared_clip(gradient: list[np.ndarray], clip: float) -> list[np.ndarray]:
    length = sum((g**2).sum() for g in gradient)
    return [g * clip / length for g in gradient] if length > clip else gradient


def _adam(
    clipped: Callable = _global_clip,
    shares: tuple[float, float] = (0.9, 0.999),
    square: Callable = lambda g, corrected: g**2,
    correct: Callable = lambda m, s, b1, b2, t: (m / (1 - b1**t), s / (1 - b2**t)),
    move: Callable = lambda g, m, s: m / (np.sqrt(s) + 1e-7),
    sign: float = -1.0,
    new: Callable = lambda share: 1 - share,
    forgets: bool = False,
) -> Callable:
    """A run of Adam with one of its parts exchanged."""

    def adam(weights, gradients, rate, clip=None):
        weights, (b1, b2) = [np.array(w) for w in weights], shares
        means, squares = [0 * w for w in weights], [0 * w for w in weights]
        for t, gradient in enumerate(gradients, start=1):
            gradient = gradient if clip is None else clipped(gradient, clip)
            if forgets:
                means, squares = [0 * w for w in weights], [0 * w for w in weights]
            for k, g in enumerate(gradient):
                means[k] = b1 * means[k] + new(b1) * g
                squares[k] = b2 * squares[k] + new(b2) * square(g, means[k])
                weights[k] = weights[k] + sign * rate * move(g, *correct(means[k], squares[k], b1, b2, t))
        return weights

    return adam


def _not_all_weights(came: object, expected: object, case: Case) -> bool:
    return not isinstance(came, list | tuple) or len(came) != len(case.args[0])


ADAM = _LeavesItsArguments(
    "03.4",
    "Adam from scratch",
    reference=_adam(),
    cases=_adam_cases,
    rtol=1e-4,
    atol=1e-7,
    misconceptions=(
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m, s)),
            "Nothing is divided by the share that has come in. After one step the mean of the gradients is a tenth of "
            "the gradient, that of the squares a thousandth of the square.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m / (1 - b1**t), s)),
            "You correct the mean of the gradients, and not that of their squares, which also begins at 0.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m, s / (1 - b2**t))),
            "You correct the mean of the squares, and not that of the gradients, which also begins at 0.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m / (1 - b1), s / (1 - b2))),
            "You divide by the share after *one* step in every step. After $t$ steps more has come in: what is missing "
            "has shrunk by the same factor $t$ times.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m / (1 - b1 * t), s / (1 - b2 * t))),
            "What is still missing shrinks by a *factor* in each step: a power of $t$, not a product with it.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m * (1 - b1**t), s * (1 - b2**t))),
            "You multiply by the share that has come in. The means are too small: divide by it.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m / b1**t, s / b2**t)),
            "You divide by what is still missing. Divide by what has come in, which is 1 minus that.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m / (1 - b1 ** (t + 1)), s / (1 - b2 ** (t + 1)))),
            "Your count of steps is one ahead: in the first step $t$ is 1.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m / (1 - b2**t), s / (1 - b1**t))),
            "The two shares are exchanged in your corrections: 0.9 belongs to the gradients, 0.999 to the squares.",
        ),
        Misconception(
            _adam(shares=(0.999, 0.9)),
            "The two shares are exchanged: 0.9 of the past for the gradients, 0.999 for their squares.",
        ),
        Misconception(
            _adam(shares=(0.9, 0.9)),
            "The mean of the squares keeps 0.999 of the past, not 0.9.",
        ),
        Misconception(
            _adam(shares=(0.1, 0.001)),
            "Old and new are exchanged: 0.9 and 0.999 are the shares of the *past*.",
        ),
        Misconception(
            _adam(new=lambda share: 1.0),
            "The new gradient enters in full, as in momentum. In a mean it has the share that the past leaves: 0.1, "
            "and 0.001 for its square.",
        ),
        Misconception(
            _adam(square=lambda g, m: g),
            "The second mean is one of the gradients. It should be one of their *squares*.",
        ),
        Misconception(
            _adam(square=lambda g, m: m**2),
            "You square the mean. Asked for is the mean of the squares.",
        ),
        Misconception(
            _adam(square=lambda g, m: (g**2).sum()),
            "You add the squares of a whole array. Each weight has a mean of its own.",
        ),
        Misconception(
            _adam(correct=lambda m, s, b1, b2, t: (m * np.sqrt(1 - b2**t) / (1 - b1**t), s)),
            "You put the corrections into the rate, as many libraries do. That is right but for the 1e-7, which is "
            "then larger beside a root that is still too small. Correct the means themselves.",
        ),
        Misconception(
            _adam(move=lambda g, m, s: m / (s + 1e-7)),
            "You divide by the mean of the squares. Divide by its *root*, so that scale does not matter.",
        ),
        Misconception(
            _adam(move=lambda g, m, s: m / np.sqrt(s + 1e-7)),
            "The 1e-7 is under your root, where it counts as 3e-4. It is added to the root.",
        ),
        Misconception(
            _adam(move=lambda g, m, s: m / np.sqrt(np.where(s > 0, s, 1))),
            "The 1e-7 below the fraction is missing. For gradients that small it matters.",
        ),
        Misconception(
            _adam(move=lambda g, m, s: g / (np.sqrt(s) + 1e-7)),
            "The step goes along the gradient, as in RMSProp. Adam takes the mean of the gradients.",
        ),
        Misconception(
            _adam(move=lambda g, m, s: m),
            "Nothing is divided by the root of the mean square.",
        ),
        Misconception(
            _adam(sign=1.0),
            "The weights walk uphill. The step is *against* the mean gradient.",
        ),
        Misconception(
            _adam(forgets=True),
            "Your means begin at 0 in every step. They live from step to step: start them before the loop.",
        ),
        Misconception(
            _adam(clipped=lambda gradient, clip: gradient),
            "Your `clip` does nothing.",
        ),
        Misconception(
            _adam(clipped=lambda gradient, clip: [np.clip(g, -clip, clip) for g in gradient]),
            "You cut off each number at `clip`, which turns the gradient into another direction. Shorten all of it by "
            "one factor.",
        ),
        Misconception(
            _adam(clipped=_each_clipped),
            "You shorten each array by itself. The length is that of all weights together, and so is the factor.",
        ),
        Misconception(
            _adam(clipped=_shortened_to),
            "You bring *every* gradient to the length `clip`. One that is shorter stays as it is, and one of length 0 "
            "cannot be divided by it.",
        ),
        Misconception(
            _adam(clipped=_squared_clip),
            "The length is the *root* of the sum of the squares.",
        ),
        Misconception(
            _adam(clipped=lambda gradient, clip: _global_clip(gradient, 1.0)),
            "Your gradients are shortened to 1. `clip` is the length that they may have.",
        ),
        Misconception(
            _not_all_weights,
            "Return the list of all weights, one array for each.",
            predicate=True,
        ),
    ),
    hints=(
        "Two lists of zeros before the loop over the steps, for the two means. In each step: clip, means, weights.",
        "A constant gradient $g$: after one step the mean is $0.1 g$, after two $0.19 g$, after three $0.271 g$. The "
        "share is $1 - 0.9^t$, with $t$ counted from 1.",
        "`np.sqrt(sum((g**2).sum() for g in gradient))` is the length of all of it. Shorten it only where it is above "
        "`clip`.",
    ),
    remark="With the corrections the first step is as long as the rate, whatever the gradient. Keras's Adam differs in "
    "the place of its 1e-7 alone.",
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
