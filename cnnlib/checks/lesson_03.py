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


# 03.2 One step with momentum ------------------------------------------------------------------------------------------


def _momentum_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([1.0]), np.array([0.5]), np.array([2.0]), 0.1, 0.9), about="the example")
    yield Case((np.array([1.0, 2.0]), np.zeros(2), np.array([1.0, -3.0]), 0.1, 0.9), about="no velocity yet")
    yield Case((np.array([1.0, 2.0]), np.array([0.3, -0.2]), np.zeros(2), 0.1, 0.9), about="no gradient")
    for shape in ((3,), (2, 3), (3, 3, 1, 2)):
        arrays = [rng.normal(size=shape).round(2) for _ in range(3)]
        rate, momentum = float(rng.choice([0.01, 0.05, 0.2])), float(rng.choice([0.5, 0.8, 0.95]))
        yield Case((*arrays, rate, momentum), about=f"weights of shape {shape}")
    arrays = [rng.normal(size=4).round(2) for _ in range(3)]
    yield Case((*arrays, 0.3), about="the default momentum")
    yield Case((*arrays, 0.3, 0.0), about="a momentum of 0")


def _right_velocity(v, g, rate, momentum):
    return momentum * v - rate * g


def _momentum(
    speed: Callable = _right_velocity,
    move: Callable = lambda w, new, old, g, rate, momentum: w + new,
    answer: Callable = lambda w, v: (w, v),
) -> Callable:
    """The step with one of its parts exchanged."""

    def momentum_step(weights, velocity, gradient, rate, momentum=0.9):
        new = speed(velocity, gradient, rate, momentum)
        return answer(move(weights, new, velocity, gradient, rate, momentum), new)

    return momentum_step


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
            "`velocity *= momentum` and `weights += velocity` write into the caller's own arrays, which the caller may "
            "still need. `a * b` and `a + b` make new ones."
        )
        says = f"What it returns is right, but it changes {names} on the way."
        return self._result(Outcome.WRONG, says, [("Likely", likely)])


MOMENTUM_STEP = _LeavesItsArguments(
    "03.2",
    "One step with momentum",
    reference=_momentum(),
    cases=_momentum_cases,
    misconceptions=(
        Misconception(
            _momentum(move=lambda w, new, old, g, rate, momentum: w + old),
            "You move the weights by the velocity of *before*. Update the velocity first, then move by the new one.",
        ),
        Misconception(
            _momentum(
                speed=lambda v, g, rate, momentum: momentum * v + g,
                move=lambda w, new, old, g, rate, momentum: w - rate * new,
            ),
            "This is the convention of PyTorch: its velocity adds up gradients, and the rate and the minus come at the "
            "move. Here both are inside the velocity.",
        ),
        Misconception(
            _momentum(
                speed=lambda v, g, rate, momentum: momentum * v + rate * g,
                move=lambda w, new, old, g, rate, momentum: w - new,
            ),
            "Your velocity points uphill and is subtracted at the move. Here the minus stands in the velocity, and the "
            "move adds it.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: momentum * v + rate * g),
            "Your velocity grows with the gradient, so the weights walk uphill. Watch the sign of the gradient.",
        ),
        Misconception(
            _momentum(move=lambda w, new, old, g, rate, momentum: w - new),
            "The velocity is right and already points downhill. Subtracting it walks uphill.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: momentum * v - (1 - momentum) * rate * g),
            "You average old and new with shares that sum to 1, as Adam does. Here the gradient enters in full.",
        ),
        Misconception(
            _momentum(
                speed=lambda v, g, rate, momentum: momentum * v + (1 - momentum) * g,
                move=lambda w, new, old, g, rate, momentum: w - rate * new,
            ),
            "Your velocity is an average of gradients, as in Adam. Here the gradient enters it in full, with the rate "
            "and a minus, and the move adds it.",
        ),
        Misconception(
            _momentum(move=lambda w, new, old, g, rate, momentum: w + new - rate * g),
            "The gradient moves the weights twice: it is inside the velocity already.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: momentum * v - g),
            "The learning rate does nothing in your velocity. It scales the gradient there.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: v - momentum * rate * g),
            "The momentum is on the wrong term: it says how much of the *old velocity* is kept.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: momentum * (v - rate * g)),
            "The momentum shrinks the new gradient, too. It belongs to the old velocity alone.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: rate * (momentum * v - g)),
            "The rate shrinks the old velocity, too. It belongs to the gradient alone: in the velocity it is already.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: v - rate * g),
            "Nothing is ever forgotten: your velocity keeps all of its past. Where does the momentum come in?",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: -rate * g),
            "This is SGD without momentum: your velocity forgets what it was.",
        ),
        Misconception(
            _momentum(
                speed=lambda v, g, rate, momentum: v,
                move=lambda w, new, old, g, rate, momentum: w - rate * g,
            ),
            "This is SGD without momentum: the velocity neither changes nor moves the weights.",
        ),
        Misconception(
            _momentum(move=lambda w, new, old, g, rate, momentum: w - rate * g),
            "The velocity is right, but the weights move by the gradient alone, as without momentum.",
        ),
        Misconception(
            _momentum(move=lambda w, new, old, g, rate, momentum: w + momentum * new - rate * g),
            "This is Nesterov's variant, which looks one step ahead. Asked for is the plain one: move by the velocity.",
        ),
        Misconception(
            _momentum(move=lambda w, new, old, g, rate, momentum: w + rate * new),
            "The rate enters twice: it is inside the velocity already.",
        ),
        Misconception(
            _momentum(move=lambda w, new, old, g, rate, momentum: momentum * w + new),
            "The momentum shrinks the weights. It belongs to the velocity.",
        ),
        Misconception(
            _momentum(speed=lambda v, g, rate, momentum: 0.9 * v - rate * g),
            "Your momentum is always 0.9. It is an argument, and 0.9 is its default.",
        ),
        Misconception(
            _momentum(answer=lambda w, v: (v, w)),
            "Both are right, in the wrong order: first the weights, then the velocity.",
        ),
        Misconception(
            _momentum(answer=lambda w, v: w),
            "The weights are right, but the velocity is missing. The next step begins with it, so return both.",
        ),
        Misconception(
            _momentum(answer=lambda w, v: v),
            "The velocity is right, but the weights are missing: they move by it. Return both.",
        ),
    ),
    hints=(
        "Two lines, in the order of the formulas: the velocity, then the weights.",
        "The velocity keeps `momentum` of itself, and the gradient enters with the rate and a minus.",
        "The weights are moved by the *new* velocity.",
    ),
    remark="With a constant gradient the velocity grows to 1 / (1 - momentum) times a single step: 10 times at 0.9.",
)


# 03.3 A learning rate from a range test -------------------------------------------------------------------------------


LEARNING_RATE = CheckExercise(
    "03.3",
    "A learning rate from a range test",
    check=check_rate,
    hints=(
        "Where on the curve is the loss lowest? The axis is logarithmic: between 0.001 and 0.01 lie 0.002, 0.003, ...",
        "The rule: one decade below the minimum of the curve, a tenth of that rate.",
        "A second way: take the rate that the first range test of this lesson advised for the mean over 50 pictures. A "
        "sum is 50 times larger, and so is its gradient. (What you read from the curve of this exercise belongs to the "
        "sum already.)",
    ),
    remark="A sum over 50 pictures has 50 times the gradient of their mean, so the rate must be 50 times smaller. A "
    "rate belongs to a loss, a batch and an optimizer, and moves with each of them.",
)


# 03.4 The rate at a step ----------------------------------------------------------------------------------------------


def _rate_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((0, 1.0, 10, 2), about="the first step")
    yield Case((1, 1.0, 10, 2), about="the last step of the warm-up")
    yield Case((5, 1.0, 10, 2), about="in the middle")
    yield Case((2, 1.0, 10, 2), about="the first step after the warm-up")
    yield Case((9, 1.0, 10, 2), about="the last step")
    yield Case((0, 0.3, 100, 1), about="a warm-up of one step")
    yield Case((1, 0.3, 100, 1), about="after a warm-up of one step")
    for _ in range(12):
        steps = int(rng.integers(20, 500))
        warmup = int(rng.integers(2, steps // 2))
        peak = float(rng.choice([0.01, 0.1, 0.3, 2.0]))
        yield Case((int(rng.integers(warmup)), peak, steps, warmup), about="during the warm-up")
        yield Case((int(rng.integers(warmup, steps)), peak, steps, warmup), about="after the warm-up")
    yield Case((99, 0.3, 100, 99), about="all steps but one are warm-up")
    yield Case((0, 0.3, 20, 0), about="the first step, without a warm-up")
    yield Case((int(rng.integers(1, 20)), 0.3, 20, 0), about="without a warm-up")
    for step in (-1, 10, 11, 25):
        yield Case((step, 1.0, 10, 2), raises=ValueError, about="a step outside the run")


def _in_run(step, steps):
    if not 0 <= step < steps:
        raise ValueError


def _schedule(
    climb: Callable = lambda s, n, w: (s + 1) / w,
    share: Callable = lambda s, n, w: (s - w + 1) / (n - w + 1),
    fall: Callable = lambda share: (1 + np.cos(np.pi * share)) / 2,
    warm: Callable = lambda s, w: s < w,
    refuse: Callable = _in_run,
) -> Callable:
    """The schedule with one of its parts exchanged."""

    def rate_at(step, peak, steps, warmup):
        refuse(step, steps)
        return peak * (climb(step, steps, warmup) if warm(step, warmup) else fall(share(step, steps, warmup)))

    return rate_at


def _accept_up_to(last: Callable[[int], int], first: int = 0) -> Callable:
    def refuse(step, steps):
        if not first <= step <= last(steps):
            raise ValueError

    return refuse


def _climb_without_brackets(step, peak, steps, warmup):
    _in_run(step, steps)
    return peak * step + 1 / warmup if step < warmup else _schedule()(step, peak, steps, warmup)


def _fall_without_brackets(step, peak, steps, warmup):
    if step < warmup:
        return _schedule()(step, peak, steps, warmup)
    _in_run(step, steps)
    return peak / 2 * (1 + np.cos(np.pi * step - warmup + 1 / (steps - warmup + 1)))


def _divides_first(step, peak, steps, warmup):
    _in_run(step, steps)
    climbing = peak * (step + 1) / warmup
    return climbing if step < warmup else _schedule()(step, peak, steps, warmup)


RATE_AT = FunctionExercise(
    "03.4",
    "The rate at a step",
    reference=_schedule(),
    cases=_rate_cases,
    rtol=1e-5,
    atol=1e-9,
    misconceptions=(
        Misconception(
            _schedule(climb=lambda s, n, w: s / w),
            "Your first step is taken at a rate of 0, so nothing is learned from it. Steps are counted from 0: the "
            "first of them climbs one part already.",
        ),
        Misconception(
            _schedule(climb=lambda s, n, w: (s + 1) / (w + 1)),
            "Your warm-up does not reach the peak with its last step. It has as many parts as steps.",
        ),
        Misconception(
            _schedule(climb=lambda s, n, w: (w - s) / w),
            "Your warm-up begins at the peak and goes down. It should climb *to* the peak.",
        ),
        Misconception(
            _schedule(climb=lambda s, n, w: (s + 1) / n),
            "Your warm-up climbs as if it had all $n$ steps for it. It has $w$, and reaches the peak with the last of "
            "them.",
        ),
        Misconception(
            _schedule(climb=lambda s, n, w: 1.0),
            "There is no warm-up in your schedule: it starts at the peak.",
        ),
        Misconception(
            _schedule(warm=lambda s, w: False),
            "Your schedule is the cosine alone, also during the warm-up, where the rate climbs in a straight line.",
        ),
        Misconception(
            _schedule(share=lambda s, n, w: (s - w) / (n - w)),
            "Your cosine begins at its top a second time: the last step of the warm-up was at the peak already. Count "
            "the steps since *that* one.",
        ),
        Misconception(
            _schedule(share=lambda s, n, w: (s - w) / (n - w + 1)),
            "Your cosine is one step late: the last step of the warm-up was at the peak already, and the next one has "
            "left it.",
        ),
        Misconception(
            _schedule(share=lambda s, n, w: (s - w + 1) / (n - w)),
            "Your last step is taken at a rate of 0, so nothing is learned from it. The fall is one part longer than "
            "that: it reaches 0 at the step that no longer belongs to the run.",
        ),
        Misconception(
            _schedule(share=lambda s, n, w: (s + 1) / (n + 1)),
            "Your cosine counts from the beginning of the run. It starts when the warm-up is over.",
        ),
        Misconception(
            _schedule(share=lambda s, n, w: s / n),
            "Your cosine counts from the beginning of the run. It starts when the warm-up is over.",
        ),
        Misconception(
            _schedule(share=lambda s, n, w: (s - w + 1) / n),
            "Your cosine is too slow: it has the steps that are left after the warm-up, not all of them.",
        ),
        Misconception(
            _schedule(fall=lambda share: 1 + np.cos(np.pi * share)),
            "After the warm-up your rate is twice too high. The bracket lies between 0 and 2.",
        ),
        Misconception(
            _schedule(fall=lambda share: np.cos(np.pi * share)),
            "Your rate becomes negative, and the network walks uphill. The cosine runs from 1 to -1; shift it and "
            "halve it.",
        ),
        Misconception(
            _schedule(fall=lambda share: np.cos(np.pi / 2 * share)),
            "That is a quarter of a wave: the rate would end steeply. Half a wave, shifted up, ends gently.",
        ),
        Misconception(
            _schedule(fall=lambda share: (1 + np.cos(share)) / 2),
            "Your cosine hardly falls: its angle goes from 0 to 1 and not to pi.",
        ),
        Misconception(
            _schedule(fall=lambda share: (1 + np.cos(180 * share)) / 2),
            "The cosine of NumPy takes radians: half a wave is pi, not 180.",
        ),
        Misconception(
            _schedule(fall=lambda share: (1 + np.cos(2 * np.pi * share)) / 2),
            "Your rate falls and climbs again: that is a whole wave. Half of it ends at 0.",
        ),
        Misconception(
            _schedule(fall=lambda share: (1 - np.cos(np.pi * share)) / 2),
            "Your rate climbs after the warm-up. Check the sign of the cosine.",
        ),
        Misconception(
            _schedule(fall=lambda share: 1 - share),
            "That is a straight line down. Asked for is the cosine.",
        ),
        Misconception(
            _schedule(fall=lambda share: 1.0),
            "Your rate stays at the peak after the warm-up.",
        ),
        Misconception(
            _schedule(warm=lambda s, w: s <= w),
            "Your warm-up is one step too long: with steps counted from 0 its last one is $w - 1$, and the next would "
            "climb beyond the peak.",
        ),
        Misconception(
            _climb_without_brackets,
            "Brackets are missing in your warm-up: `a * b + 1 / c` multiplies and divides before it adds.",
        ),
        Misconception(
            _fall_without_brackets,
            "Brackets are missing in your cosine: `a - b + 1 / c` divides the 1 alone. The whole numerator is divided.",
        ),
        Misconception(
            _schedule(fall=lambda share: (1 + np.cos(np.pi) * share) / 2),
            "Your fraction stands beside the cosine. It belongs *into* it, multiplied by pi.",
        ),
        Misconception(
            _divides_first,
            "Without a warm-up $w$ is 0, and nothing can be divided by it. Ask first whether the step belongs to the "
            "warm-up.",
        ),
        Misconception(
            _schedule(refuse=_accept_up_to(lambda steps: steps)),
            "Steps are counted from 0, so the last one is n - 1. You accept n as well.",
        ),
        Misconception(
            _schedule(refuse=_accept_up_to(lambda steps: steps - 1, first=-(10**9))),
            "You refuse steps behind the end, and accept negative ones.",
        ),
        Misconception(
            _schedule(refuse=_accept_up_to(lambda steps: 10**9)),
            "You refuse negative steps, and accept steps behind the end.",
        ),
        Misconception(
            _schedule(refuse=lambda step, steps: None),
            "Your rates are right. A step outside the run should raise a `ValueError`, since a schedule that silently "
            "goes on hides a mistake in the loop.",
        ),
    ),
    hints=(
        "Three cases: outside the run, during the warm-up, after it.",
        "During the warm-up: which part of the peak has step 0, which has step `warmup - 1`?",
        "After it, the angle of the cosine grows from a little above 0 to a little below pi: count the steps since the "
        "last one of the warm-up.",
    ),
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
            "epoch on. Slow runs climb. What does a network look like whose ReLUs one large step has switched off?",
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


EXERCISES = [CROSS_ENTROPY_GRADIENT, MOMENTUM_STEP, LEARNING_RATE, RATE_AT, BUG, CURVES]
