"""The checks of lesson 04: what a change brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 04.3 Ablate ----------------------------------------------------------------------------------------------------------


def _best(accuracies: dict) -> str:
    """The rate whose accuracies have the highest mean."""
    return max(accuracies, key=lambda rate: np.mean(accuracies[rate]))


def _ablation(
    pick: Callable = lambda validation, test, name, other: _best(validation[name]),
    judged: Callable = lambda validation, test: test,
    differences: Callable = lambda a, b: np.subtract(a, b),
    mean: Callable = np.mean,
    clear: Callable = lambda d: bool(((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.max() - d.min()),
    refuse: Callable = lambda a, b: len(a) != len(b) or len(a) < 2,
) -> Callable:
    """The comparison with one of its parts exchanged."""

    def model(validation, test, variant, baseline):
        accuracies = judged(validation, test)
        a = np.asarray(accuracies[variant][pick(validation, test, variant, baseline)], float)
        b = np.asarray(accuracies[baseline][pick(validation, test, baseline, variant)], float)
        if refuse(a, b):
            raise ValueError
        d = np.asarray(differences(a, b))
        return float(mean(d)), bool(clear(d))

    return model


def ablation(validation, test, variant, baseline):
    """The reference answer."""
    return _ablation()(validation, test, variant, baseline)


def _cut(which: Callable[[int, int], int]) -> Callable:
    """Does not see that one side has more runs, and leaves the rest of them out."""

    def model(validation, test, variant, baseline):
        runs = [test[name][_best(validation[name])] for name in (variant, baseline)]
        count = which(*map(len, runs))
        a, b = (np.asarray(each, float)[:count] for each in runs)
        if len(a) != len(b) or count < 2:
            raise ValueError
        d = a - b
        return float(d.mean()), bool(((d > 0).all() or (d < 0).all()) and abs(d.mean()) > np.ptp(d))

    return model


def _of_each_seed(validation, test, variant, baseline):
    """Each seed takes the rate that is best for it."""
    sides = []
    for name in (variant, baseline):
        rates = list(validation[name])
        tried, priced = (np.array([column[name][rate] for rate in rates], float) for column in (validation, test))
        sides.append(priced[tried.argmax(axis=0), np.arange(tried.shape[1])])
    return _ablation(pick=lambda *_: 0)(validation, {variant: sides[:1], baseline: sides[1:]}, variant, baseline)


def _of_all_rates(validation, test, variant, baseline):
    """No rate is chosen: the mean over all of them."""
    means = {name: [np.mean(list(test[name].values()), axis=0)] for name in (variant, baseline)}
    return _ablation(pick=lambda *_: 0)(validation, means, variant, baseline)


def _by_spread_of(which: Callable) -> Callable:
    """The comparison with the spread of accuracies in place of that of their differences."""

    def model(validation, test, variant, baseline):
        mean, _ = _ablation()(validation, test, variant, baseline)
        a, b = (np.asarray(test[name][_best(validation[name])], float) for name in (variant, baseline))
        same_sign = (a > b).all() or (a < b).all()
        return mean, bool(same_sign and abs(mean) > np.ptp(which(a, b)))

    return model


# Validation accuracies by the number of seeds: the rate that is best on the mean; one that has the best single run and
# the better median; and one whose worst run is better.
_TRIED = {
    1: ([84], [82], [81]),
    2: ([84, 80], [87, 75], [81, 81]),
    3: ([84, 80, 85], [87, 85.5, 74.5], [82, 82, 82]),
    5: ([84, 80, 85, 83, 84], [87, 86, 86, 86, 70], [82, 82, 82, 82, 82]),
}
_SGD, _ADAM = ("0.1", "0.3", "1.0"), ("0.001", "0.003", "0.01")


def _side(rng: np.random.Generator, priced: list, place: int, rates: tuple) -> tuple[dict, dict]:
    """Validation and test accuracies of one side, whose best rate stands at `place` and is worth `priced`."""
    seeds, shift = rng.permutation(len(priced)), rng.integers(-8, 8) / 4
    tried = [np.array(each, float)[seeds] + shift for each in _TRIED[len(priced)]]
    # What the other rates are worth: more, so that who chooses on test pictures is caught, and less.
    others = [np.array(priced, float) + shift + rng.integers(-4, 5, len(priced)) / 4 for shift in (4, -5)]
    values = list(zip(tried, [np.array(priced, float), *others]))
    order = [values[1], values[2]]
    order.insert(place, values[0])
    return dict(zip(rates, (each[0] for each in order))), dict(zip(rates, (each[1] for each in order)))


def _ablation_cases(rng: np.random.Generator) -> Iterator[Case]:
    def case(first: list, second: list, about: str, places=None, rates=(_SGD, _SGD), **more) -> Case:
        places = rng.permutation(3)[:2] if places is None else places
        sides = [_side(rng, *each) for each in zip((first, second), places, rates)]
        validation, test = ({"a": sides[0][i], "b": sides[1][i], "other": sides[1][i]} for i in (0, 1))
        return Case((validation, test, "a", "b"), about=about, **more)

    validation = {"a": {"0.1": [80, 82], "0.3": [84, 85]}, "b": {"0.1": [81, 83], "0.3": [80, 81]}}
    test = {"a": {"0.1": [85, 87], "0.3": [83, 84]}, "b": {"0.1": [80, 83], "0.3": [82, 82]}}
    example = [{n: {r: np.array(v, float) for r, v in s.items()} for n, s in c.items()} for c in (validation, test)]
    yield Case((*example, "a", "b"), about="the example, with the names a and b")
    yield case([84, 86, 88], [80, 81.5, 83.75], "a clear gain", places=(1, 0))
    yield case([80, 81.5, 83.75], [84, 86, 88], "a clear loss", places=(2, 1))
    yield case([80, 90, 85], [78.5, 88, 83.25], "seeds far apart, differences close together", places=(0, 2))
    yield case([84, 86, 88], [82, 85, 85], "as large as the spread")
    yield case([83, 82, 85], [82, 83, 84], "seeds that disagree")
    yield case([90, 80, 85], [79, 89, 84], "means that differ, seeds that disagree strongly")
    yield case([84.5, 85.75, 83], [84, 85, 82.5], "a small gain that is clear")
    yield case([84, 85], [84, 84.5], "one seed without a difference")
    yield case([82, 82, 82], [82, 82, 82], "no difference at all")
    yield case([84, 88, 86], [83.5, 80, 85], "the same sign, far apart")
    for count in (2, 3, 5):
        for gain in (-4.0, 0.5, 3.0):
            base = 80 + rng.normal(0, 2, count)
            # Quarters: sums and differences of them are exact, so that no answer fails by rounding.
            base, other = (np.round(4 * v) / 4 for v in (base, base + gain + rng.normal(0, 1, count)))
            yield case(list(other), list(base), f"{count} seeds")
    yield case([84, 86, 88], [80, 81.5, 83.75], "other rates on the two sides", rates=(_ADAM, _SGD))
    yield case([84, 86, 88], [82, 85], "three runs against two", raises=ValueError)
    yield case([82, 85], [84, 86, 88], "two runs against three", raises=ValueError)
    yield case([84], [82], "a single seed", raises=ValueError)


ABLATE = FunctionExercise(
    "04.3",
    "Ablate",
    reference=ablation,
    cases=_ablation_cases,
    misconceptions=[
        Misconception(
            _ablation(pick=lambda validation, test, name, other: _best(test[name])),
            "You choose the rate by the test accuracies. Then the test prices its own choice, and flatters it.",
        ),
        Misconception(
            _ablation(judged=lambda validation, test: validation),
            "You compare validation accuracies. The rates were chosen on them; the difference is one of *test* "
            "accuracies.",
        ),
        Misconception(
            _ablation(pick=lambda validation, test, name, other: _best(validation["b"])),
            "Both sides have the rate that is best for the baseline. Each needs its own.",
        ),
        Misconception(
            _ablation(pick=lambda validation, test, name, other: _best(validation["a"])),
            "Both sides have the rate that is best for the variant. Each needs its own.",
        ),
        Misconception(
            _of_each_seed,
            "You choose a rate for each seed. One rate for each side: the one with the highest *mean* over the seeds.",
        ),
        Misconception(
            _ablation(
                pick=lambda validation, test, name, other: max(
                    validation[name], key=lambda rate: np.max(validation[name][rate])
                )
            ),
            "You choose the rate of the best single run. A lucky seed decides then; take the mean over the seeds.",
        ),
        Misconception(
            _ablation(
                pick=lambda validation, test, name, other: max(
                    validation[name], key=lambda rate: np.median(validation[name][rate])
                )
            ),
            "You choose the rate with the best median. The mean is asked for.",
        ),
        Misconception(
            _ablation(
                pick=lambda validation, test, name, other: max(
                    validation[name], key=lambda rate: np.min(validation[name][rate])
                )
            ),
            "You choose the rate whose worst run is best. The mean is asked for.",
        ),
        Misconception(
            _ablation(
                pick=lambda validation, test, name, other: min(
                    validation[name], key=lambda rate: np.mean(validation[name][rate])
                )
            ),
            "You choose the rate with the *lowest* accuracy.",
        ),
        Misconception(
            _ablation(pick=lambda validation, test, name, other: next(iter(validation[name]))),
            "You take the first rate. Choose the one with the highest mean validation accuracy.",
        ),
        Misconception(
            _ablation(pick=lambda validation, test, name, other: max(validation[name])),
            "You take the largest rate. `max` of a dictionary compares its keys; give it a `key`.",
        ),
        Misconception(_of_all_rates, "You average over all rates. Choose one for each side first."),
        Misconception(
            _ablation(differences=lambda a, b: np.subtract(b, a)),
            "Your sign is the other way round: a variant that is better than the baseline has a positive difference.",
        ),
        Misconception(
            _ablation(differences=lambda a, b: np.subtract(np.sort(a), np.sort(b))),
            "You sort before you compare. Run 0 of the one belongs to run 0 of the other: both had the same seed.",
        ),
        Misconception(_ablation(mean=np.median), "That is the median of the differences. The mean is asked for."),
        Misconception(_ablation(mean=np.sum), "That is the sum of the differences. Divide by how many there are."),
        Misconception(_ablation(mean=lambda d: abs(d.mean())), "A loss must stay negative."),
        Misconception(
            _ablation(mean=np.max), "That is the best of the differences: the one that an eager author would report."
        ),
        Misconception(
            _ablation(clear=lambda d: (d > 0).all() or (d < 0).all()),
            "You ask only whether the seeds agree on the sign. The mean must also be larger than the spread.",
        ),
        Misconception(
            _ablation(clear=lambda d: (d > 0).all() and d.mean() > d.max() - d.min()),
            "A loss can be clear, too: all differences below zero, and their mean far from it.",
        ),
        Misconception(
            _ablation(
                clear=lambda d: ((d > 0).all() or (d < 0).all()) and abs(d.mean()) >= d.max() - d.min(),
            ),
            "In the example the mean is as large as the spread, and that is not clear. It must be larger.",
        ),
        Misconception(
            _ablation(clear=lambda d: ((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.std()),
            "You compare with the standard deviation. The spread here is the largest difference minus the smallest.",
        ),
        Misconception(
            _ablation(clear=lambda d: ((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.std(ddof=1)),
            "You compare with the standard deviation. The spread here is the largest difference minus the smallest.",
        ),
        Misconception(
            _by_spread_of(lambda a, b: a),
            "You take the spread of one side's accuracies. They may lie far apart, and the *differences* still agree.",
        ),
        Misconception(
            _by_spread_of(lambda a, b: b),
            "You take the spread of one side's accuracies. They may lie far apart, and the *differences* still agree.",
        ),
        Misconception(
            _ablation(clear=lambda d: d.mean() > 0),
            "That says whether the mean is positive. Could the next seed turn it round?",
        ),
        Misconception(
            _ablation(refuse=lambda a, b: len(a) != len(b)),
            "One seed has no spread, so nothing can be said: raise a ValueError for fewer than two runs.",
        ),
        Misconception(
            _cut(lambda first, second: first),
            "Two runs against three cannot be paired either. Raise a ValueError whichever of the two has more runs.",
        ),
        Misconception(
            _cut(min),
            "Three runs against two cannot be paired. Raise a ValueError; `zip` would leave the third out silently.",
        ),
    ],
    hints=(
        "Two steps. First a small function that finds the rate of one side, from its validation accuracies alone; then "
        "the test accuracies of both sides at their rates.",
        "The key with the highest value of a function: `max(accuracies, key=lambda rate: ...)`.",
        "All differences above zero, or all below; and the spread is `max(differences) - min(differences)`.",
    ),
)
