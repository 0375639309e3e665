"""The checks of lesson 15, when it does not work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from cnnlib.checks.lesson_15_projects import AT_CHANCE, FROZEN, GOOD_NUMBERS, LOSS, TOO_GOOD
from cnnlib.exercises.compare import describe
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, Wrong

# 15.6 Expected calibration error --------------------------------------------------------------------------------------


def calibration_error(probabilities, labels, bins=10):
    """The reference answer."""
    return _ece(probabilities, labels, bins)


def _top(probabilities, labels):
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _into_bins(confidence, bins):
    return np.minimum((confidence * bins).astype(int), bins - 1)


def _ece(
    probabilities,
    labels,
    bins,
    what: Callable = _top,
    place: Callable = _into_bins,
    gap: Callable = np.abs,
    join: Callable = lambda gaps, counts, total: gaps @ counts / counts.sum(),
    least: int = 1,
) -> float:
    """The calibration error with one of its parts exchanged."""
    if bins < least:
        raise ValueError
    confidence, right = what(probabilities, labels)
    places = place(confidence, bins)
    gaps, counts = [], []
    for number in range(bins):
        chosen = places == number
        if chosen.any():
            gaps.append(gap(confidence[chosen].mean() - right[chosen].mean()))
            counts.append(chosen.sum())
    return float(join(np.array(gaps), np.array(counts), len(labels)))


def _off_the_edges(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Confidences that do not lie where two bins meet, so that it does not matter which one gets the edge."""
    off = np.abs(confidence * bins - np.round(confidence * bins)) < 1e-3
    return np.where(off & (confidence < 0.999), confidence + 0.004, confidence)


def _probabilities(rng: np.random.Generator, count: int, classes: int, bins: int, sharp: float):
    """Probabilities that promise too much, and labels that are not always what is most probable."""
    first = rng.uniform(1 / classes + 0.05, 0.96, count) ** sharp
    first = _off_the_edges(np.maximum(first, 1 / classes + 0.05), bins)
    rest = rng.dirichlet(np.full(classes - 1, 8.0), count) * (1 - first)[:, None]
    rest = np.minimum(rest, 0.98 * first[:, None])
    probabilities = np.concatenate([first[:, None], rest], axis=1)
    order = rng.permuted(np.tile(np.arange(classes), (count, 1)), axis=1)
    probabilities = np.take_along_axis(probabilities, order, axis=1)
    right = rng.random(count) < 0.3 + 0.4 * first
    other = (probabilities.argmax(axis=1) + rng.integers(1, classes, count)) % classes
    return probabilities, np.where(right, probabilities.argmax(axis=1), other)


def _ece_cases(rng: np.random.Generator) -> Iterator[Case]:
    few = np.array([[0.93, 0.07], [0.13, 0.87], [0.58, 0.42], [0.32, 0.68]])
    yield Case((few, np.array([0, 1, 1, 1])), {"bins": 5}, about="four predictions")
    yield Case((few, np.array([0, 1, 0, 1])), {"bins": 5}, about="four predictions, all right")
    yield Case((few, np.array([0, 0, 0, 1])), {"bins": 2}, about="four predictions, two bins")
    yield Case((few, np.array([1, 0, 0, 1])), {"bins": 5}, about="four predictions, the surest ones wrong")
    yield Case((few, np.array([0, 1, 1, 0])), {"bins": 1}, about="four predictions, one bin")
    yield Case((np.array([[1.0, 0.0], [0.0, 1.0], [0.94, 0.06]]), np.array([0, 0, 0])), about="a confidence of 1")
    for classes, bins, sharp in ((3, 10, 1.0), (10, 15, 0.6), (4, 7, 1.4)):
        probabilities, labels = _probabilities(rng, 60, classes, bins, sharp)
        yield Case((probabilities, labels), {"bins": bins}, about=f"{classes} classes")
    yield Case((few, np.array([0, 1, 1, 1])), {"bins": 0}, raises=ValueError, about="no bin")


def _of_true_class(probabilities, labels):
    return probabilities[np.arange(len(labels)), labels], probabilities.argmax(axis=1) == labels


def _of_those_in_bins(gaps, counts, total):
    return gaps @ counts / counts.sum()


def _of_all(gaps, counts, total):
    return gaps @ counts / total


ECE = FunctionExercise(
    "15.6",
    "Expected calibration error",
    reference=calibration_error,
    cases=_ece_cases,
    misconceptions=(
        Misconception(
            lambda probabilities, labels, bins=10: _ece(
                probabilities, labels, bins, join=lambda gaps, counts, total: gaps.mean()
            ),
            "Every bin counts as much as every other. A bin counts as often as it has predictions.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(
                probabilities, labels, bins, join=lambda gaps, counts, total: gaps.sum() / bins
            ),
            "You divide by the number of bins, the empty ones included. A bin counts as often as it has predictions.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(probabilities, labels, bins, gap=lambda gap: gap),
            "Gaps above and below 0 cancel. Take each without its sign.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: abs(_ece(probabilities, labels, bins, gap=lambda gap: gap)),
            "Gaps above and below 0 cancel, as if all predictions lay in one bin. Take each without its sign, *before* "
            "you add them.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(probabilities, labels, bins, gap=np.square),
            "You square the gaps. That is another measure, near the Brier score; here it is their absolute value.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(
                probabilities, labels, bins, join=lambda gaps, counts, total: gaps.max()
            ),
            "You give the largest gap. The *expected* one is a mean.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(
                probabilities, labels, bins, join=lambda gaps, counts, total: gaps @ counts
            ),
            "The gaps are added up and not divided by the number of predictions.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(probabilities, labels, bins, what=_of_true_class),
            "The confidence is the probability of the class that the network *chose*, right or wrong.",
        ),
        *(
            Misconception(
                lambda probabilities, labels, bins=10, place=place, join=join: _ece(
                    probabilities, labels, bins, place=place, join=join
                ),
                message,
            )
            for join in (_of_those_in_bins, _of_all)
            for place, message in (
                (
                    lambda confidence, bins: (confidence * bins).astype(int),
                    "A confidence of exactly 1 falls into no bin. It belongs to the last one.",
                ),
                (
                    lambda confidence, bins: np.where(confidence <= 0.5, -1, _into_bins(confidence, bins)),
                    "Bins reach from 0 to 1. With many classes a confidence may be below one half.",
                ),
            )
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(
                probabilities,
                labels,
                bins,
                place=lambda confidence, bins: _into_bins(
                    (confidence - confidence.min()) / (np.ptp(confidence) + 1e-12), bins
                ),
            ),
            "Your bins reach from the lowest to the highest confidence. They should divide 0 to 1 evenly.",
        ),
        Misconception(
            lambda probabilities, labels, bins=10: _ece(probabilities, labels, max(bins, 1)),
            "Fewer than one bin should be refused: raise a ValueError.",
        ),
    ),
    hints=(
        "Confidence and right or wrong come first: `max` and `argmax` along axis 1.",
        "Which bin? `confidence * bins` rounded down, and no more than `bins - 1`.",
        "For each bin that holds something: the distance of the mean confidence from the share that is right, times "
        "the number of predictions. Add up, and divide by the number of all.",
    ),
    remark="reliability.reliability_diagram draws the bins, and calibration_floor says what chance contributes.",
)


# 15.7 Temperature -----------------------------------------------------------------------------------------------------

LOWEST, HIGHEST = 0.1, 10.0


def temperature(logits, labels):
    """The reference answer."""
    return _coolest(logits, labels)


def _log_likelihood(logits, labels, t: float) -> float:
    scaled = logits / t
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]))


def _coolest(
    logits,
    labels,
    score: Callable = _log_likelihood,
    low: float = LOWEST,
    high: float = HIGHEST,
    best: Callable = np.argmin,
    spread: Callable = np.geomspace,
    count: int = 801,  # a step of 0.6 %, where 2 % are allowed
) -> float:
    """The temperature with one part of the search exchanged."""
    candidates = spread(low, high, count)
    return float(candidates[best([score(logits, labels, t) for t in candidates])])


def _temperature_cases(rng: np.random.Generator) -> Iterator[Case]:
    for sharpness, about in (
        (2.5, "far too sure"),
        (0.4, "not sure enough"),
        (1.3, "a little too sure"),
        (5.0, "very sure"),
    ):
        classes = int(rng.integers(3, 8))
        calm = rng.normal(0, 1.6, (250, classes))
        chances = np.exp(calm) / np.exp(calm).sum(axis=1, keepdims=True)
        labels = np.array([rng.choice(classes, p=row) for row in chances])
        yield Case((sharpness * calm, labels), about=f"a network that is {about}")


def _brier(logits, labels, t):
    scaled = np.exp(logits / t - (logits / t).max(axis=1, keepdims=True))
    scaled /= scaled.sum(axis=1, keepdims=True)
    return float(np.mean(np.sum((scaled - np.eye(logits.shape[1])[labels]) ** 2, axis=1)))


def _of_confidence(logits, labels, t):
    scaled = np.exp(logits / t - (logits / t).max(axis=1, keepdims=True))
    return float(-np.mean(np.log((scaled / scaled.sum(axis=1, keepdims=True)).max(axis=1))))


TEMPERATURE = FunctionExercise(
    "15.7",
    "Temperature",
    reference=temperature,
    cases=_temperature_cases,
    rtol=0.02,
    misconceptions=(
        Misconception(
            lambda logits, labels: 1 / _coolest(logits, labels),
            "That is one over the temperature. The logits are *divided* by it.",
        ),
        Misconception(
            lambda logits, labels: _coolest(logits, labels, best=np.argmax),
            "That is where the network is surest of itself. The *likelihood* should be largest, its negative logarithm "
            "smallest, and it is that of the *true* class, not of the one that the network chose.",
        ),
        Misconception(
            lambda logits, labels: _coolest(logits, labels, score=_of_confidence),
            "That is where the network is surest of itself. The *likelihood* should be largest, its negative logarithm "
            "smallest, and it is that of the *true* class, not of the one that the network chose.",
        ),
        Misconception(
            lambda logits, labels: _coolest(logits, labels, low=1.0),
            "A network may be less sure than it should be. Look below 1, too.",
        ),
        Misconception(
            lambda logits, labels: _coolest(logits, labels, high=2.0),
            "Look further up: a network may be surer by more than a factor of 2.",
        ),
        Misconception(
            lambda logits, labels: _coolest(logits, labels, spread=np.linspace, count=21),
            "Your candidates are too far apart. The answer should be right to a hundredth of itself.",
        ),
        Misconception(
            lambda logits, labels: float(np.std(logits)),
            "The spread of the logits says how sure the network is, and not whether it may be.",
        ),
        Misconception(
            lambda logits, labels: _coolest(logits, labels, score=_brier),
            "You minimise the Brier score. It gives another temperature than the likelihood, if not a far one.",
        ),
    ),
    hints=(
        "There is one number to find: try many, and keep the best.",
        "`np.geomspace(0.1, 10, 1001)` gives candidates, each half a per cent above the one before.",
        "The negative log-likelihood of the logits `z = logits / t` is the mean of `log(sum(exp(z)))` along axis 1, "
        "less the entry of `z` at the true class.",
    ),
    remark="The order of the classes does not change, and so the accuracy does not either.",
)


# 15.8 FGSM ------------------------------------------------------------------------------------------------------------


def fgsm(gradient, images, labels, epsilon):
    """The reference answer."""
    return _stepped(gradient, images, labels, epsilon)


def _stepped(
    gradient,
    images,
    labels,
    epsilon,
    direction: Callable = np.sign,
    way: float = 1.0,
    low: float = 0.0,
    high: float = 1.0,
) -> np.ndarray:
    """One step with one of its parts exchanged."""
    return np.clip(images + way * epsilon * direction(gradient(images, labels)), low, high)


def _length_one(slope):
    length = np.sqrt(np.sum(slope**2, axis=tuple(range(1, slope.ndim)), keepdims=True))
    return slope / np.maximum(length, 1e-12)


def _largest_one(slope):
    return slope / np.maximum(np.abs(slope).max(axis=tuple(range(1, slope.ndim)), keepdims=True), 1e-12)


class _Slope:
    """The gradient of a loss of some weights, which the learner may call."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def __call__(self, images, labels):
        scores = np.tensordot(images, self.weights, axes=((1, 2, 3), (0, 1, 2)))
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        return np.einsum("nk,hwck->nhwc", chances - np.eye(scores.shape[1])[labels], self.weights)

    def __repr__(self) -> str:
        return "gradient"


def _fgsm_cases(rng: np.random.Generator) -> Iterator[Case]:
    def case(shape, epsilon, low, high, about, blind=False):
        weights = rng.normal(size=(*shape[1:], 3))
        if blind:
            weights[0] = 0
        images = rng.uniform(low, high, shape)
        return Case((_Slope(weights), images, rng.integers(0, 3, shape[0]), epsilon), about=about)

    yield case((1, 1, 2, 1), 0.1, 0.3, 0.6, "one picture of two pixels")
    yield case((2, 3, 3, 3), 0.03, 0.2, 0.8, "two pictures in colour")
    yield case((2, 2, 3, 1), 0.2, 0.0, 0.15, "dark pictures")
    yield case((2, 2, 3, 1), 0.2, 0.85, 1.0, "bright pictures")
    yield case((3, 3, 2, 1), 0.1, 0.3, 0.6, "pixels that the network does not look at", blind=True)
    yield case((2, 2, 2, 1), 0.0, 0.1, 0.9, "an epsilon of 0")


FGSM = FunctionExercise(
    "15.8",
    "The worst small step",
    reference=fgsm,
    cases=_fgsm_cases,
    misconceptions=(
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(gradient, images, labels, epsilon, way=-1),
            "You go down, which makes the network better. The loss should rise.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(
                gradient, images, labels, epsilon, direction=lambda slope: slope
            ),
            "Only the *sign* of the gradient counts: every value moves by the whole epsilon.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(
                gradient, images, labels, epsilon, direction=_length_one
            ),
            "You make the gradient of a picture one long. Here it is the sign of each value.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(
                gradient, images, labels, epsilon, direction=_largest_one
            ),
            "You divide by the largest value of the gradient. Every value should move by the whole epsilon.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(
                gradient, images, labels, epsilon, low=-np.inf, high=np.inf
            ),
            "Some values have left 0 to 1, and no picture has such values.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(gradient, images, labels, epsilon, low=-1.0),
            "Some values have come below 0, and no picture has such values.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(gradient, images, labels, epsilon, high=np.inf),
            "Some values have come above 1, and no picture has such values.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(
                gradient, images, labels, epsilon, direction=lambda slope: np.where(slope > 0, 1.0, -1.0)
            ),
            "Where the gradient is 0, the sign is 0 as well: such a value stays.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: _stepped(
                gradient, images, labels, epsilon, direction=lambda slope: np.where(slope >= 0, 1.0, -1.0)
            ),
            "Where the gradient is 0, the sign is 0 as well: such a value stays where it is.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: np.clip(epsilon * np.sign(gradient(images, labels)), 0, 1),
            "That is the step alone. It is added to the pictures.",
        ),
        Misconception(
            lambda gradient, images, labels, epsilon: (
                images + np.clip(epsilon * np.sign(gradient(images, labels)), 0, 1)
            ),
            "You clip the step. It is the picture, after the step, that must lie in 0 to 1.",
        ),
    ),
    hints=(
        "`gradient(images, labels)` says how the loss changes with each value, in the shape of the images.",
        "`np.sign` keeps of a number whether it is above or below 0.",
        "Add `epsilon` times the sign, then `np.clip` to 0 and 1.",
    ),
    remark="reliability.Attack does the same to a Keras network, and PGD takes many small steps of this kind.",
)


# 15.9 The limit of an alarm -------------------------------------------------------------------------------------------


def alarm_limit(distances, rate):
    """The reference answer."""
    return _limit(distances, rate)


def _limit(distances, rate, allowed: Callable = lambda rate, count: int(np.floor(rate * count + 1e-9)), refuse=True):
    distances = np.asarray(distances, float)
    if refuse and rate * len(distances) < 1 - 1e-9:
        raise ValueError
    return float(np.sort(distances)[::-1][min(allowed(rate, len(distances)), len(distances) - 1)])


def _alarm_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([0.1, 0.3, 0.2, 0.5, 0.4]), 0.2), about="five windows, one of them may raise an alarm")
    yield Case((np.array([0.1, 0.3, 0.2, 0.5, 0.4]), 0.4), about="five windows, two may")
    for count, rate in ((20, 0.1), (50, 0.05), (37, 0.08), (90, 0.25)):
        yield Case((np.round(rng.gamma(2.0, 0.1, count), 4), rate), about=f"{count} windows, a rate of {rate}")
    yield Case((rng.gamma(2.0, 0.1, 12).round(3), 0.05), raises=ValueError, about="12 windows, a rate of 0.05")
    yield Case((rng.gamma(2.0, 0.1, 99).round(3), 0.01), raises=ValueError, about="99 windows, a rate of 0.01")
    yield Case((rng.gamma(2.0, 0.1, 20).round(3), 0.05), about="20 windows, a rate of 0.05")


ALARM = FunctionExercise(
    "15.9",
    "The limit of an alarm",
    reference=alarm_limit,
    cases=_alarm_cases,
    misconceptions=(
        Misconception(
            lambda distances, rate: _limit(distances, rate, allowed=lambda rate, count: 0),
            "Above the largest distance no window of the reference raises an alarm. A share of them may.",
        ),
        Misconception(
            lambda distances, rate: _limit(
                distances, rate, allowed=lambda rate, count: max(int(np.floor(rate * count + 1e-9)) - 1, 0)
            ),
            "One window fewer than allowed is above your limit: an alarm is a distance *above* it, not at it.",
        ),
        Misconception(
            lambda distances, rate: _limit(
                distances, rate, allowed=lambda rate, count: int(np.floor(rate * count + 1e-9)) + 1
            ),
            "One window too many is above your limit.",
        ),
        Misconception(
            lambda distances, rate: _limit(
                distances, rate, allowed=lambda rate, count: int(np.ceil(rate * count - 1e-9))
            ),
            "You round up how many windows may be above. Then the rate may be exceeded.",
        ),
        Misconception(
            lambda distances, rate: (
                float(np.quantile(distances, 1 - rate))
                if rate * len(distances) >= 1 - 1e-9
                else _limit(distances, rate)
            ),
            "A quantile lies between two windows by a rule of its own. Give the smallest *measured* distance above "
            "which no more than the share lies.",
        ),
        Misconception(
            lambda distances, rate: (
                float(np.mean(distances) + 2 * np.std(distances))
                if rate * len(distances) >= 1 - 1e-9
                else _limit(distances, rate)
            ),
            "Mean and spread know nothing of the rate. Count windows.",
        ),
        Misconception(
            lambda distances, rate: (
                float(np.sort(distances)[int(np.floor(rate * len(distances) + 1e-9))])
                if rate * len(distances) >= 1 - 1e-9
                else _limit(distances, rate)
            ),
            "You count from the smallest distance. Alarms come from the largest.",
        ),
        Misconception(
            lambda distances, rate: _limit(distances, rate, refuse=False),
            "So few windows cannot tell so small a rate: raise a ValueError if not even one may be above.",
        ),
    ),
    hints=(
        "How many windows of the reference may raise an alarm? `rate` times their number, rounded down.",
        "Sort the distances, the largest first.",
        "If two may be above the limit, the limit is the third largest: a distance *at* the limit is no alarm.",
    ),
    remark="reliability.Monitor draws thousands of windows from the reference, and looks at several columns at once.",
)


# 15.10 Six briefs -----------------------------------------------------------------------------------------------------


def _check_briefs(answer: object, rng: np.random.Generator) -> None:
    from cnnlib.reliability import BRIEFS, OPTIONS, review

    if not isinstance(answer, Mapping) or not all(isinstance(plan, Mapping) for plan in answer.values()):
        raise Wrong("The answer is a dictionary: brief -> a dictionary of decisions.", came=describe(answer))
    for name in BRIEFS:
        plan = answer.get(name)
        if not plan:
            raise Wrong(f"The brief {name!r} has no plan yet.")
        left = [decision for decision in OPTIONS if plan.get(decision) in (None, ...)]
        if left:
            raise Wrong(f"The plan for {name!r} does not decide about: {', '.join(left)}.")
        for decision, choice in plan.items():
            if decision not in OPTIONS or choice not in OPTIONS[decision]:
                known = ", ".join(map(repr, OPTIONS.get(decision, OPTIONS)))
                raise Wrong(f"For {name!r}, {decision!r} cannot be {choice!r}.", expected=f"one of {known}")
        objections = review(BRIEFS[name], **plan)
        if objections:
            first = objections[0]
            more = f" ({len(objections) - 1} more)" if len(objections) > 1 else ""
            raise Wrong(
                f"In {name!r}, the {first.decision} {first.choice!r} breaks a constraint{more}: {first.constraint}.",
                likely=f"{first.why[:1].upper()}{first.why[1:]}.",
            )


BRIEFS_EXERCISE = CheckExercise(
    "15.10",
    "Six briefs",
    check=_check_briefs,
    hints=(
        "Write down for each: what will be new in use, what a miss costs, how much can be looked at, where it runs.",
        "A cost of both mistakes gives a threshold, and so does a capacity, and so does a recall that is asked for. "
        "Which of them does the brief state?",
        "Where people look at flagged pictures only, nobody ever hears of a miss: a random sample must be labelled.",
    ),
    remark="None of the six is answered by accuracy, and none by a threshold of one half that nobody chose.",
)


EXERCISES = [
    AT_CHANCE,
    LOSS,
    FROZEN,
    TOO_GOOD,
    GOOD_NUMBERS,
    ECE,
    TEMPERATURE,
    FGSM,
    ALARM,
    BRIEFS_EXERCISE,
]
