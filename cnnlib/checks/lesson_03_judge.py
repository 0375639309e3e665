"""The check of exercise 03.2, a judge of gradients: functions, their gradients, and gradients with a planted bug."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib import reference
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

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
    yield Case((lambda x: float(x.sum()), lambda x: np.ones((4, 1)), at), about="a sum, and a gradient in a column")
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
    return _slopes_at(function, x.shape, x.astype(float).tobytes(), step, behind).copy()


@functools.lru_cache(maxsize=512)  # a wrong answer is compared with thirty wrong judges, most of which ask for the same
def _slopes_at(function: Function, shape: tuple[int, ...], numbers: bytes, step: float, behind: float) -> np.ndarray:
    x = np.frombuffer(numbers).reshape(shape)
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
