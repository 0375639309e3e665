"""What exercises 03.3 and 03.5 train: the network of lesson 03, in NumPy, at a rate or in an epoch of the learner's."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from cnnlib import reference
from cnnlib.exercises.compare import describe
from cnnlib.exercises.kinds import Wrong

_STEPS = 60


_BATCH = 50


Weights = list[np.ndarray]


def _first_weights(rng: np.random.Generator) -> Weights:
    """Kernels and biases of the lesson's network, float32."""
    weights = []
    for shape in [(3, 3, 1, 8), (3, 3, 8, 16), (144, 10)]:
        spread = np.sqrt(2 / np.prod(shape[:-1]))
        weights += [rng.normal(0, spread, shape).astype("float32"), np.zeros(shape[-1], "float32")]
    return weights


def _loss_and_gradient(weights: Weights, x: np.ndarray, y: np.ndarray) -> tuple[float, Weights]:
    """The mean loss of the lesson's network and its gradient; labels (n,), or shares of each class (n, 10)."""
    k1, b1, k2, b2, k3, b3 = weights
    a1 = reference.conv2d(x, k1, b1, padding="same")
    h1 = reference.max_pool2d(reference.relu(a1))
    a2 = reference.conv2d(h1, k2, b2, padding="same")
    h2 = reference.max_pool2d(reference.relu(a2))
    flat = h2.reshape(len(x), -1)
    scores = reference.dense(flat, k3, b3)
    d, d_k3, d_b3 = reference.dense_backward(reference.softmax_cross_entropy_grad(scores, y), flat, k3)
    d = reference.max_pool2d_backward(d.reshape(h2.shape), reference.relu(a2))
    d, d_k2, d_b2 = reference.conv2d_backward(reference.relu_backward(d, a2), h1, k2, padding="same")
    d = reference.max_pool2d_backward(d, reference.relu(a1))
    _, d_k1, d_b1 = reference.conv2d_backward(reference.relu_backward(d, a1), x, k1, padding="same")
    return float(reference.cross_entropy(scores, y)), [d_k1, d_b1, d_k2, d_b2, d_k3, d_b3]


@functools.lru_cache(maxsize=64)
def _trained(seed: int, rate: float) -> np.ndarray:
    """Train on the summed loss with momentum 0.9; the loss of a picture at each step, until it is no number any more.

    In NumPy, so that the same rate is judged alike on every backend. It takes a few tenths of a second.
    """
    x, y = _pictures()
    weights = _first_weights(np.random.default_rng(seed))
    velocity = [np.zeros_like(weight) for weight in weights]
    losses = []
    with np.errstate(all="ignore"):
        for step in range(_STEPS):
            chosen = np.arange(step * _BATCH, (step + 1) * _BATCH) % len(x)
            loss, gradient = _loss_and_gradient(weights, x[chosen], y[chosen])
            losses.append(loss)
            if not np.isfinite(loss):
                break
            velocity = [0.9 * v - np.float32(rate * _BATCH) * g for v, g in zip(velocity, gradient)]
            weights = [w + v for w, v in zip(weights, velocity)]
    return np.array(losses)


@functools.cache
def _pictures() -> tuple[np.ndarray, np.ndarray]:
    from cnnlib import datasets

    clothes = datasets.fashion_mnist(size=1000)
    return reference.avg_pool2d(clothes.x_train, 2), clothes.y_train


def check_rate(answer: object, rng: np.random.Generator) -> None:
    rate = _as_rate(answer)
    losses = _trained(0, rate)
    last = float(np.mean(losses[-15:])) if np.isfinite(losses).all() else np.nan
    # A high rate can be lucky from one start.
    starts = [losses, _trained(1, rate)] if rate > 1e-3 and last < 2.0 else [losses]
    jump = max(float(np.max(run[10:], initial=0.0)) for run in starts)
    tried = f"{_STEPS} steps at a rate of {rate:g}"
    if not np.isfinite(jump) or not last < 2.0 and rate > 1e-3:
        raise Wrong(
            "At this rate the network breaks.",
            tried=tried,
            came="the loss of a picture is NaN"
            if np.isnan(last) or np.isnan(jump)
            else f"the loss of a picture is {last:.2f} at the end",
            expected="well below 2.30, the loss of guessing",
            likely="On the curve this rate lies at the end, where the loss explodes. Rates that are usual for a loss "
            "that is averaged are too high here by as much as a sum is larger than a mean.",
        )
    if rate > 1e-3 and jump > 2.6:
        raise Wrong(
            "At this rate the training is on the edge.",
            tried=f"{tried}, from two different starts",
            came=f"the loss of a picture jumps up to {jump:.2f} on the way",
            expected="no jumps above 2.6 after the first steps",
            likely="This rate is near the minimum of the curve, whichever way you came to it: if you divided one for "
            "the mean by 50, that one was near the minimum of its own curve. The test spends one step there; a run "
            "stays. Go to lower rates by about a decade.",
        )
    if not last < 1.1:
        raise Wrong(
            "At this rate it learns, but too slowly.",
            tried=tried,
            came=f"the loss of a picture goes from {losses[0]:.2f} to {last:.2f}",
            expected="below 1.1",
            likely="On the curve this rate lies in the flat part or at the beginning of the fall. Go up, towards the "
            "steep part, but stay a decade below the minimum. If you have divided by 50: a rate from *this* curve is "
            "one for the sum already, and only a rate for the mean is divided.",
        )


def _as_rate(answer: object) -> float:
    """The answer as one positive number."""
    if isinstance(answer, str):
        raise Wrong("The rate should be a number, without quotes.", came=answer)
    try:
        rate = float(answer)
    except (TypeError, ValueError):
        raise Wrong("The rate should be one number.", came=type(answer).__name__) from None
    if not 0 < rate < np.inf:
        raise Wrong(
            "A learning rate is a positive number.",
            came=f"{rate:g}",
            likely="The axis of the curve shows powers of ten: 10 to the power of -3 is 0.001." if rate < 0 else "",
        )
    return rate


def _small_start(rng: np.random.Generator) -> Weights:
    weights = [weight.astype("float64") for weight in _first_weights(rng)]
    return [rng.normal(0, 0.1, weight.shape) if weight.ndim == 1 else weight for weight in weights]


def check_epoch(answer: Callable, rng: np.random.Generator) -> None:
    """Run an epoch of one batch, then longer ones at a rate so small that the weights hardly move.

    In both the order of the pictures makes no difference. What the weights moved by is the sum of the gradients of all
    batches: the whole gradient times the number of batches, if every picture was taken once and beside its own label.
    """
    if not callable(answer):
        raise Wrong("The check needs the function `epoch` itself, without parentheses behind it.")
    many = _spots(rng), np.arange(40) % 10
    same = np.repeat(many[0][:1], 21, axis=0), np.repeat(many[1][3:4], 21)
    one = many[0][:10], many[1][:10]
    start = _small_start(rng)

    def run(rate: float, seed: int, x: np.ndarray, y: np.ndarray) -> Weights:
        weights, images, labels = [weight.copy() for weight in start], x.copy(), y.copy()
        after = _as_weights(answer(weights, images, labels, rate, np.random.default_rng(seed)), start)
        if any(not np.array_equal(a, b) for a, b in zip(weights, start)):
            raise Wrong(
                "The function changes the weights that it is given.",
                likely="`w -= ...` and `weights[k] = ...` work on the caller's own arrays and list. Make new ones, as "
                "`[w - rate * g for ...]` does.",
            )
        if not np.array_equal(images, x) or not np.array_equal(labels, y):
            raise Wrong(
                "The function changes the pictures or labels that it is given.",
                likely="`rng.shuffle(x)` works on the caller's own array. Draw an order and index with it.",
            )
        return after

    _judge_one_step(_flat(start) - _flat(run(0.01, 1, *one)), 0.01, start, *one)
    for pictures, judge in ((many, _judge_move), (same, _judge_last_batch)):
        total = (_flat(start) - _flat(run(1e-7, 1, *pictures))) / 1e-7
        judge(total, start, *pictures)
    two = many[0][:20], many[1][:20]
    results = [_flat(run(0.05, seed, *two)) for seed in range(1, 13)]
    different = _distinct(results)
    first, second, again = (_flat(run(0.05, seed, *many)) for seed in (1, 2, 1))
    if np.allclose(first, second, rtol=0, atol=1e-9):
        raise Wrong(
            "It learns now, but the order of the pictures is the same in every epoch.",
            tried="two epochs from the same weights, with two different `rng`",
            likely="The shuffle is gone, or starts its own generator, or every step takes all pictures. Draw the order "
            "from `rng`, and take 10 of it for each step.",
        )
    if different <= 2:
        raise Wrong(
            "The order of the batches changes, but the same ten pictures always come together.",
            tried=f"{len(results)} epochs over 20 pictures from the same weights, each with another `rng`",
            came=f"{different} different results, as many as there are orders of two fixed batches",
            expected="a different result nearly each time",
            likely="You cut the batches first and shuffle them afterwards. Put the *pictures* in a random order first, "
            "then cut.",
        )
    dozen = many[0][:12], many[1][:12]
    apart = [_flat(_gradient_of(start, x, y)) for x, y in zip(np.split(dozen[0], 12), np.split(dozen[1], 12))]
    moves = [(_flat(start) - _flat(run(1e-7, seed, *dozen))) / 1e-7 for seed in range(1, 9)]
    if all(_are_neighbours(_last_two(move, apart)) for move in moves):
        raise Wrong(
            "The order begins elsewhere in each epoch, and every picture keeps its neighbours.",
            tried=f"{len(moves)} epochs over 12 pictures, in batches of 10 and 2, each with another `rng`",
            came="two neighbours in the last batch, every time",
            expected="any two of the pictures",
            likely="`np.roll`, or a start drawn at random, turns the order round and mixes nothing: the same pictures "
            "come together again and again.",
        )
    if not np.allclose(first, again, rtol=0, atol=1e-9):
        raise Wrong(
            "Two epochs with the same `rng` differ.",
            likely="Something random does not come from `rng`, so that no seed can repeat the run.",
        )


def _last_two(move: np.ndarray, gradients: list[np.ndarray]) -> tuple[int, int]:
    """Which of twelve pictures were the batch of two: they count for a half each, the others for a tenth."""
    shares = np.linalg.lstsq(np.stack(gradients, axis=1), move, rcond=None)[0]
    first, second = sorted(np.argsort(shares)[-2:].tolist())
    return first, second


def _are_neighbours(pair: tuple[int, int]) -> bool:
    """Whether two of twelve stand side by side, the last beside the first."""
    return pair[1] - pair[0] in (1, 11)


def _distinct(results: list[np.ndarray]) -> int:
    """How many of some results differ by more than rounding."""
    kept: list[np.ndarray] = []
    for each in results:
        if not any(np.allclose(each, other, rtol=0, atol=1e-9) for other in kept):
            kept.append(each)
    return len(kept)


def _spots(rng: np.random.Generator) -> np.ndarray:
    """40 dark pictures with one bright spot each, whose place belongs to the class: a wrong label is easy to tell."""
    x = np.zeros((40, 14, 14, 1))
    for number in range(40):
        row, column = divmod(number % 10, 4)
        x[number, 1 + 4 * row : 4 + 4 * row, 3 * column : 3 + 3 * column] = rng.uniform(2, 4, size=(3, 3, 1))
    return x


def _judge_one_step(move: np.ndarray, rate: float, start: Weights, x: np.ndarray, y: np.ndarray) -> None:
    """Ten pictures are one batch: recognise a step of the wrong length. What else is wrong, longer epochs tell."""
    gradient = _flat(_gradient_of(start, x, y))
    known = (
        (0 * gradient, "The weights that come back are those that went in.",
         "The new weights are lost: they have to be assigned to `weights`, and returned at the end."),
        (-rate * gradient, "The weights walk uphill.", "The step is *against* the gradient."),
        (gradient, "The learning rate does nothing: the weights move by the whole gradient.",
         "Multiply the gradient by `rate`."),
        (rate**2 * gradient, "The learning rate enters twice.", "Multiply the gradient by `rate` once."),
        (_flat(start) - gradient, "What comes back are the gradients.",
         "The function should return the weights to which the steps have led."),
        (rate * gradient / 10, "The step is ten times too short.",
         "The loss of a batch is a *mean*, so its gradient is divided by the number of pictures already."),
        (rate * gradient * 10, "The step is ten times too long.",
         "The loss of a batch is a *mean*, and so is its gradient: no number of pictures has to be multiplied in."),
    )  # fmt: skip
    for wrong, says, likely in known:
        if np.linalg.norm(move - wrong) <= 1e-4 * np.linalg.norm(wrong if wrong.any() else rate * gradient):
            raise Wrong(says, tried="one epoch over 10 pictures, which are one batch", likely=likely)


def _judge_move(total: np.ndarray, start: Weights, x: np.ndarray, y: np.ndarray) -> None:
    """Compare the sum of all gradients with what it should be, and recognise what it is otherwise."""
    tried = "one epoch over 40 pictures, at a tiny rate"
    whole = _flat(_gradient_of(start, x, y))
    if _close(total, 4 * whole):
        return
    cosine = total @ whole / (np.linalg.norm(total) * np.linalg.norm(whole))
    length = np.linalg.norm(total) / np.linalg.norm(whole)
    if cosine > 0.999:
        raise Wrong(
            "The direction is right, the number of steps is not.",
            tried=tried,
            came=f"the weights moved as in {length:.3g} steps",
            expected="4 steps, one for each batch of 10",
            likely="Batches of another size, or not every batch of the epoch leads to a step.",
        )
    # The gradient is a part that any labels would give, and a part that depends on who stands beside whom.
    anyhow = _flat(_gradient_of(start, x, np.full((len(x), 10), 0.1)))
    common, paired = np.linalg.lstsq(np.stack([anyhow, whole - anyhow], axis=1), total, rcond=None)[0]
    if paired < 0.5 * common:
        raise Wrong(
            "The weights do not move along the gradient of these pictures with their labels.",
            tried=tried,
            came=f"the labels count for {max(paired / common, 0):.2f} of what they should",
            expected="1.00",
            likely="Look at one picture and at the label that stands beside it when the gradient is computed. Are they "
            "still a pair?",
        )
    raise Wrong(
        "It learns, but not from every picture once.",
        tried=tried,
        likely="Some pictures are drawn twice and others not at all, or some batches are skipped or not used for a "
        "step. `rng.permutation(n)` holds every index once, `rng.integers` does not.",
    )


def _judge_last_batch(total: np.ndarray, start: Weights, x: np.ndarray, y: np.ndarray) -> None:
    """21 times the same picture, in batches of 10, 10 and 1: three times the same gradient."""
    whole = _flat(_gradient_of(start, x, y))
    if not _close(total, 3 * whole):
        raise Wrong(
            "Where the last batch is smaller than the others, something goes wrong.",
            tried="one epoch over 21 times the same picture, at a tiny rate",
            came=f"the weights moved as in {total @ whole / (whole @ whole):.3g} steps",
            expected="3 steps, with batches of 10, 10 and 1",
            likely="The last batch is dropped, or filled up.",
        )


def _as_weights(answer: object, start: Weights) -> Weights:
    if answer is None:
        raise Wrong("The function returns nothing.", likely="Is `return weights` missing?")
    if isinstance(answer, list | tuple) and len(answer) == 2:
        raise Wrong(
            "The function returns two things.",
            came=" and ".join(describe(part, 40) for part in answer),
            expected="the list of six weights alone",
            likely="`loss_and_gradient` gives a loss as well; `epoch` keeps it to itself.",
        )
    if not isinstance(answer, list | tuple) or len(answer) != len(start):
        raise Wrong("The function should return the list of six weights.", came=describe(answer))
    arrays = [np.asarray(array) for array in answer]
    for array, weight in zip(arrays, start):
        if array.shape != weight.shape:
            raise Wrong("The weights have changed their shape.", came=str(array.shape), expected=str(weight.shape))
        if not np.isfinite(array).all():
            raise Wrong("The weights that come back hold NaN or infinity.")
    return arrays


def _flat(weights: Weights) -> np.ndarray:
    return np.concatenate([np.ravel(weight) for weight in weights])


def _gradient_of(weights: Weights, x: np.ndarray, y: np.ndarray) -> Weights:
    return _loss_and_gradient(weights, x, y)[1]


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.linalg.norm(a - b) < 1e-3 * np.linalg.norm(b))
