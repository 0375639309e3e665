"""The check of exercise 03.4, Adam from scratch: steps on small gradients, with and without clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception


def _adam_cases(rng: np.random.Generator) -> Iterator[Case]:
    one = [np.array([1.0])]

    def steps(*numbers: float) -> list[list[np.ndarray]]:
        return [[np.array([number])] for number in numbers]

    yield Case((one, steps(2.0), 0.1), about="one step")
    yield Case((one, steps(2.0, 2.0), 0.1), about="the example")
    yield Case((one, steps(2.0, -1.0), 0.1), about="the second example")
    yield Case((one, steps(0.5, 0.5, 0.5, -0.2), 0.01), about="four steps")
    yield Case(([np.array([1.0, 2.0])], [[np.array([0.0, 1e-3])]], 0.1), about="a gradient of 0 and a small one")
    yield Case(([np.array([0.0, 1.0])], [[np.array([1.0, -1.0])]], 0.1), about="a weight of 0")
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


ADAM = FunctionExercise(
    "03.4",
    "Adam from scratch",
    reference=_adam(),
    cases=_adam_cases,
    leaves_arguments=True,
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
