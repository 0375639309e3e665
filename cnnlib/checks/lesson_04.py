"""The checks of lesson 04, LeNet-5."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.compare import describe, times
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, ValueExercise, Wrong

# 04.1 Count by hand ---------------------------------------------------------------------------------------------------


def _entry(name: str, wrong: object) -> Callable[[dict], bool]:
    """Recognises a wrong value of one entry."""
    return lambda came: not isinstance(came[name], bool) and came[name] == wrong


COUNT = ValueExercise(
    "04.1",
    "Count by hand",
    expected={"c3": 1_516, "saved": 90_000, "total": 44_426, "widest": 35},
    misconceptions=(
        Misconception(_entry("c3", 2_416), "That is C3 as in the table, where each filter reads all six maps."),
        Misconception(_entry("c3", 1_500), "The biases are missing: each of the sixteen filters has one."),
        Misconception(
            _entry("c3", 1_560), "A bias for each map that is read? Each *filter* has one, whatever it reads."
        ),
        Misconception(_entry("c3", 328), "That is one filter of each kind. How many are there of each?"),
        Misconception(_entry("c3", 416), "That gives a filter one 5x5 window. It has one for each map that it reads."),
        Misconception(_entry("saved", 150_000), "That is what is left. How much less is it than with all six maps?"),
        Misconception(
            _entry("saved", 900),
            "That is what one place saves, and so does the number of weights. C3 has 10x10 places.",
        ),
        Misconception(
            _entry("saved", 22_500),
            "That counts the places of S4. C3 computes its own 10x10 places before they are pooled.",
        ),
        Misconception(
            _entry("saved", 176_400), "That counts the places of S2, which C3 *reads*. How many places does it return?"
        ),
        Misconception(
            _entry("saved", 3_600), "Each connection of a filter with a map costs 25 products at each of 10x10 places."
        ),
        Misconception(_entry("saved", 0), "A map that a filter does not read is never multiplied."),
        Misconception(_entry("total", 43_576), "The ten scores at the end are a layer, too, with weights and biases."),
        Misconception(_entry("total", 61_706), "That is the network at 32 pixels. Which layer is smaller now?"),
        Misconception(
            _entry("total", 44_190), "Without biases. There is one for each filter and each unit, 236 in all."
        ),
        Misconception(
            _entry("total", 44_470),
            "That counts two parameters for each pooled map, as in the paper. Here a pooling has none.",
        ),
        Misconception(
            _entry("total", 43_526),
            "That is with the paper's C3. The tutorials connect each filter with all six maps.",
        ),
        Misconception(
            _entry("total", 82_826),
            "That is with an S4 of 6x6. Follow the width from 28 on: every window of 5 takes 4 pixels.",
        ),
        Misconception(
            _entry("total", 107_786),
            "28, 14, 7 is what is left if only the poolings count. A convolution without padding takes 4.",
        ),
        Misconception(
            _entry("total", 15_626),
            "That gives C5 one number for each map. Each of its units reads every *place* of the 16 maps.",
        ),
        Misconception(
            _entry("widest", 32), "That is the picture of the table. Could a wider one end with the same S4?"
        ),
        Misconception(_entry("widest", 33), "That pixel is lost in S2. Can S4 lose one of its own as well?"),
        Misconception(
            _entry("widest", 34),
            "That is a pixel that S4 loses, which is two pixels before S2. Can S2 lose one as well?",
        ),
        Misconception(_entry("widest", 36), "There S4 is 6 pixels wide, and C5 has more to read."),
        Misconception(_entry("widest", 28), "There S4 is 4 pixels wide, and C5 has less to read."),
    ),
    hints=(
        "A filter of C3 has 25 weights for each map that it reads, and a bias. How many pairs of filter and map are "
        "there, and how many were there in the table?",
        "From 28 pixels on: a window of 5, then a half, then a window of 5, then a half. Only C5 has another number of "
        "parameters than before: the convolutions do not mind the size of the map.",
        "Go backwards from an S4 of 5 pixels. Which widths of C3 does a pooling turn into 5? And which widths of C1 "
        "into the S2 that you need?",
    ),
    remark="44,426 is the number that you will meet in many tutorials.",
)


# 04.2 Build from the table --------------------------------------------------------------------------------------------

LENET_1 = [("conv", 4, 5), ("pool", 2), ("conv", 12, 5), ("pool", 2), ("dense", 10)]
LENET_5 = [("conv", 6, 5), ("pool", 2), ("conv", 16, 5), ("pool", 2), ("dense", 120), ("dense", 84), ("dense", 10)]


def _tables(rng: np.random.Generator) -> Iterator[tuple[str, list[tuple], tuple[int, int, int]]]:
    yield "a small table", [("conv", 4, 3), ("dense", 6), ("dense", 10)], (9, 9, 1)
    yield "LeNet-5", LENET_5, (32, 32, 1)
    yield "LeNet-1", LENET_1, (28, 28, 1)
    filters, units = (int(n) for n in rng.integers(2, 6, 2))
    table = [("conv", filters, 3), ("conv", filters + 1, 2), ("pool", 3), ("dense", units + 4), ("dense", units)]
    # Sizes that leave a remainder behind the convolutions, so that a pooling that pads is told apart.
    shape = (int(rng.choice([13, 14, 16])), int(rng.choice([19, 20, 22, 23])), 3)
    yield "two convolutions in a row, a pooling of 3", table, shape
    yield "a last row that equals the one before it", [("conv", 3, 3), ("dense", units), ("dense", units)], (7, 6, 1)
    yield "dense layers alone", [("dense", 7), ("dense", 3)], (4, 5, 2)
    yield "a convolution as the last row", [("conv", filters, 3), ("pool", 2), ("conv", 4, 2)], (9, 10, 1)


def _check_builder(answer: object, rng: np.random.Generator) -> None:
    import keras

    if not callable(answer) or isinstance(answer, keras.Model):
        raise Wrong("The check needs the function `network_of` itself.", came=describe(answer))
    for about, table, shape in _tables(rng):
        model = answer([(*row[:1], *row[1:]) for row in table], shape)  # rows of their own, even where two are equal
        if model is None:
            raise Wrong("`network_of` returns nothing. Is a `return` missing?", tried=about)
        if not isinstance(model, keras.Model):
            raise Wrong("`network_of` should return a Keras model.", tried=about, came=describe(model))
        if not model.built:
            raise Wrong(
                "The network has no weights yet, since it does not know the shape of its images.",
                tried=about,
                likely="Its layers come without an input. Begin with `keras.Input(input_shape)`.",
            )
        _compare_network(model, about, table, shape, rng)
    for row in (("norm", 3), ("dropout", 1)):
        try:
            answer([("conv", 2, 3), row, ("dense", 2)], (8, 8, 1))
        except ValueError:
            continue
        raise Wrong(
            "An unknown kind of row passes without an error.",
            tried=f"a table with the row {row}",
            came="a network",
            expected="a ValueError",
            likely="A table with a misprint should not become another network. What happens after your last `elif`?",
        )


def _compare_network(
    model, about: str, table: list[tuple], shape: tuple[int, int, int], rng: np.random.Generator
) -> None:
    """Compare with the table: number and shape of the weights first, then what comes out for random images."""
    from keras import ops

    if tuple(model.input_shape[1:]) != shape:
        raise Wrong(
            "The input has another shape.", tried=about, came=times(model.input_shape[1:]), expected=times(shape)
        )
    came, expected = [tuple(w.shape) for w in model.weights], _weight_shapes(table, shape)
    if came != expected:
        wrong = next((i for i, (a, b) in enumerate(zip(came, expected)) if a != b), min(len(came), len(expected)))
        raise Wrong(
            f"The weights are not those of the table: look at number {wrong + 1}.",
            tried=f"{about}, {table}",
            came=times(came[wrong]) if wrong < len(came) else "none",
            expected=times(expected[wrong]) if wrong < len(expected) else "none",
            likely=_about_weights(came, expected, wrong),
        )
    weights = [
        rng.normal(0, 1.5 / np.sqrt(np.prod(s[:-1]) if len(s) > 1 else 4), s).astype("float32") for s in expected
    ]
    images = rng.normal(0.5, 0.5, (3, *shape)).astype("float32")
    model.set_weights(weights)
    came = ops.convert_to_numpy(model(ops.convert_to_tensor(images), training=False))
    right = _forward(table, weights, images)
    if came.shape == right.shape and np.allclose(came, right, rtol=1e-3, atol=1e-3):
        return
    raise Wrong(
        "All weights have the right shapes, but the scores are others.",
        tried=f"{about}, with random weights and images",
        came=describe(came[0, :4] if came.ndim == 2 else came),
        expected=describe(right[0, :4]),
        likely="Here the last row is a convolution, and what it returns are the scores: maps, as they are."
        if came.shape != right.shape and table[-1][0] == "conv"
        else _about_scores(came, table, weights, images),
    )


def _about_weights(came: list, expected: list, wrong: int) -> str:
    if len(came) == len(expected) // 2:
        return "There are no biases. Each filter and each unit has one."
    if wrong < min(len(came), len(expected)):
        a, b = came[wrong], expected[wrong]
        if len(a) == len(b) == 4 and a[3] == b[0]:
            return 'Filters and kernel have changed places: the row is `("conv", filters, kernel)`.'
        if len(a) == len(b) == 4 and a[:2] != b[:2]:
            return "The kernel is the third entry of the row."
        if len(a) == len(b) == 2 and a[0] > b[0]:
            return (
                "A dense layer reads more numbers than the table leaves. Is the padding `valid`, and does a pooling "
                "move by its window?"
            )
        if len(a) == len(b) == 2:
            return "A dense layer reads fewer numbers than the last map has. It flattens, and does not average."
    return "Each row of convolution or dense has one kernel and one bias, in the order of the table."


def _about_scores(came: np.ndarray, table: list[tuple], weights: list, images: np.ndarray) -> str:
    models = (
        (
            {"last": "tanh"},
            "The last row is a convolution here, and it has a tanh. The last row has none, whatever its kind."
            if table[-1][0] == "conv"
            else "The last row has a tanh. Scores may be anything, so they are left as they are.",
        ),
        ({"last": "softmax"}, "The last row has a softmax. Scores are asked for, and the loss does the rest."),
        ({"hidden": "relu"}, "That is ReLU. These networks use tanh."),
        ({"hidden": None}, "There is no activation. Without one, all layers together are one linear layer."),
        ({"pool": "max"}, "Your poolings take the maximum. These take the average."),
        ({"dense": None}, "The dense layers have no tanh. Only the last row has none."),
        ({"conv": None}, "The convolutions have no tanh."),
    )
    if table[-1] in table[:-1]:
        before = _forward(table, weights, images, dense=None)
        if came.shape == before.shape and np.allclose(came, before, rtol=1e-3, atol=1e-3):
            return (
                "Two rows are equal here, and only the second is the last. Tell it by its place, not by what it says."
            )
    for changes, message in models:
        other = _forward(table, weights, images, **changes)
        if came.shape == other.shape and np.allclose(came, other, rtol=1e-3, atol=1e-3):
            return message
    return "Check the activation of each row, the kind of pooling, and the order of the rows."


_ACTIVATIONS = {
    None: lambda z: z,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softmax": lambda z: (
        np.exp(z - z.max(-1, keepdims=True)) / np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)
    ),
}


def _forward(
    table: list[tuple], weights: list, images: np.ndarray, last=None, hidden="tanh", pool="average", dense="", conv=""
) -> np.ndarray:
    """The scores of a table in NumPy, with one of its parts exchanged."""
    from cnnlib import reference

    z, left = images, list(weights)
    for number, row in enumerate(table, start=1):
        if row[0] == "pool":
            z = reference.max_pool2d(z, row[1]) if pool == "max" else reference.avg_pool2d(z, row[1])
            continue
        kernel, bias, left = left[0], left[1], left[2:]
        z = reference.conv2d(z, kernel, bias) if row[0] == "conv" else z.reshape(len(z), -1) @ kernel + bias
        own = conv if row[0] == "conv" else dense
        z = _ACTIVATIONS[last if number == len(table) else hidden if own == "" else own](z)
    return z


def _weight_shapes(table: list[tuple], shape: tuple[int, int, int]) -> list[tuple[int, ...]]:
    height, width, channels = shape
    flat, shapes = None, []
    for row in table:
        if row[0] == "conv":
            shapes += [(row[2], row[2], channels, row[1]), (row[1],)]
            height, width, channels = height - row[2] + 1, width - row[2] + 1, row[1]
        elif row[0] == "pool":
            height, width = height // row[1], width // row[1]
        else:
            flat = height * width * channels if flat is None else flat
            shapes += [(flat, row[1]), (row[1],)]
            flat = row[1]
    return shapes


BUILD = CheckExercise(
    "04.2",
    "Build from the table",
    check=_check_builder,
    hints=(
        "Start with a `keras.Input`, which you need again at the end. Each row makes a new `z` from the old one.",
        "The first entry of a row says which layer, the rest are its numbers: `kind, *numbers = row`.",
        "To know whether a row is the last one, count them: `for number, row in enumerate(table, start=1)`.",
    ),
    remark="Every family in `cnnlib/models` is built in this way: a table, and a loop over its rows.",
)


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


# 04.4 Another mix of classes ------------------------------------------------------------------------------------------


def _mix(
    known: Callable = lambda m: m.diagonal() / m.sum(axis=1),
    combined: Callable = lambda r, s, m: (r * s)[s > 0].sum(),
    refuse_sum: Callable = lambda s: abs(s.sum() - 1) > 1e-6,
    refuse_length: Callable = lambda m, s: len(s) != len(m),
    refuse_empty: Callable = lambda r, s: np.isnan(r[s > 0]).any(),
) -> Callable:
    """The accuracy with one of its parts exchanged."""

    def model(matrix, shares):
        m, s = np.asarray(matrix, float), np.asarray(shares, float)
        if refuse_length(m, s) or refuse_sum(s):
            raise ValueError
        with np.errstate(all="ignore"):
            r = known(m)[: len(s)]
            s = s[: len(r)]
            if refuse_empty(r, s):
                raise ValueError
            return float(combined(r, s, m))

    return model


def accuracy_with(matrix, shares):
    """The reference answer."""
    return _mix()(matrix, shares)


def _mix_cases(rng: np.random.Generator) -> Iterator[Case]:
    def shares(size: int) -> np.ndarray:
        drawn = rng.integers(1, 9, size).astype(float)
        return drawn / drawn.sum()

    yield Case(([[8, 2], [3, 1]], [0.5, 0.5]), about="the example")
    yield Case(([[8, 2], [3, 1]], [0.9, 0.1]), about="the other example")
    yield Case((np.array([[5, 0, 0], [1, 2, 1], [0, 9, 1]]), np.array([0.7, 0.2, 0.1])), about="three classes")
    for size in (2, 4, 10):
        matrix = rng.integers(0, 20, (size, size)) + np.diag(rng.integers(5, 60, size))
        yield Case((matrix, shares(size)), about=f"{size} classes")
    matrix = rng.integers(1, 9, (4, 4))
    matrix[:, 1] = 0
    yield Case((matrix, shares(4)), about="a class that is never answered")
    yield Case((rng.integers(1, 9, (3, 3)), [0.0, 1.0, 0.0]), about="one class alone")
    matrix = rng.integers(1, 9, (4, 4))
    matrix[2] = 0
    yield Case((matrix, [0.5, 0.25, 0.0, 0.25]), about="a class without pictures, of which none come")
    yield Case(
        (matrix, [0.25, 0.25, 0.25, 0.25]), raises=ValueError, about="a class without pictures, of which some come"
    )
    matrix = rng.integers(1, 9, (3, 3))
    yield Case((matrix, [0.25, 0.25, 0.25]), raises=ValueError, about="shares that add up to 0.75")
    yield Case((matrix, [0.5, 0.25, 0.5]), raises=ValueError, about="shares that add up to 1.25")
    yield Case((matrix, [0.5, 0.5]), raises=ValueError, about="two shares for three classes")
    yield Case((matrix, [0.25, 0.25, 0.25, 0.25]), raises=ValueError, about="four shares for three classes")


RECALL = FunctionExercise(
    "04.4",
    "Another mix of classes",
    reference=accuracy_with,
    cases=_mix_cases,
    misconceptions=[
        Misconception(
            _mix(known=lambda m: m.diagonal() / m.sum(axis=0)),
            "You divide by the sums of the columns. These count the *answers*. What stays the same in another mix is "
            "how many of the pictures of a class are found.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: m.trace() / m.sum()),
            "That is the accuracy in the mix of the matrix. The shares say another one.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: np.nanmean(r)),
            "That is the mean recall, right if all classes are equally frequent. The shares say how frequent they are.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (s * m.diagonal()).sum() / (s * m.sum(axis=1)).sum()),
            "You weight the *counts*. A class with many pictures in the matrix then counts twice: by its pictures, and "
            "by its share.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (s * m.diagonal()).sum() / m.sum()),
            "You divide by all pictures of the matrix. Each class is first divided by its own.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (np.nan_to_num(r) * s).mean()),
            "You divide by the number of classes at the end. The shares add up to 1 already.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (r * s).sum()),
            "A class that never comes needs no recall. Here it has none, NaN, and 0 times NaN is NaN.",
        ),
        Misconception(
            _mix(refuse_empty=lambda r, s: np.isnan(r).any()),
            "A class without pictures is refused even if its share is 0. Nobody asks about it then.",
        ),
        Misconception(
            _mix(refuse_empty=lambda r, s: False, combined=lambda r, s, m: (np.nan_to_num(r) * s).sum()),
            "A class without pictures counts as if all of it were missed. Nothing is known of it: where its share is "
            "not 0, raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_empty=lambda r, s: False),
            "Nothing is known of a class without pictures. Where its share is not 0, raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_sum=lambda s: s.sum() > 1 + 1e-6),
            "Shares that add up to less than 1 leave some of the pictures out. Raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_sum=lambda s: s.sum() < 1 - 1e-6),
            "Shares that add up to more than 1 are no mix either. Raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_sum=lambda s: sum(s.tolist()) != 1),
            "In a computer 0.7 + 0.2 + 0.1 is not exactly 1. Allow for rounding: `np.isclose`, or a small tolerance.",
        ),
        Misconception(
            _mix(refuse_length=lambda m, s: len(s) < len(m)),
            "More shares than classes are a mistake as well. Raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_length=lambda m, s: len(s) > len(m)),
            "There must be one share for each class. Raise a ValueError; `zip` leaves the rest out silently.",
        ),
    ],
    hints=(
        "Of 100 pictures in the new mix, how many are of class 0? How many of these are found?",
        "The recalls are `matrix.diagonal() / matrix.sum(axis=1)`. Which classes do you need?",
        "Look at the classes whose share is not 0: `needed = shares > 0`. Each of them must have pictures.",
    ),
    remark="With equal shares it is the mean recall, which is also called balanced accuracy.",
)


# 04.5 Explain a confusion ---------------------------------------------------------------------------------------------


def _shared(
    among: Callable = lambda labels, first, second, c: labels == c,
    condition: Callable = lambda labels, first: first != labels,
    counted: Callable = lambda labels, first, second: second != labels,
    share: Callable = lambda counted, chosen, among: counted[chosen].mean() if chosen.any() else np.nan,
    result: Callable = lambda wrong, right: (wrong, right),
) -> Callable:
    """The two shares with one of their parts exchanged."""

    def model(labels, first, second, c):
        y, a, b = (np.asarray(each) for each in (labels, first, second))
        there = among(y, a, b, c)
        wrong, misses = condition(y, a), counted(y, a, b)
        with np.errstate(all="ignore"):
            return result(*(float(share(misses, there & each, there)) for each in (wrong, ~wrong)))

    return model


def shared_mistakes(labels, first, second, c):
    """The reference answer."""
    return _shared()(labels, first, second, c)


def _swapped(labels, first, second, c):
    return _shared()(labels, second, first, c)


def _shared_cases(rng: np.random.Generator) -> Iterator[Case]:
    labels, first, second = [6, 6, 6, 6, 6, 2], [6, 2, 0, 6, 6, 6], [6, 0, 0, 2, 6, 2]
    yield Case((np.array(labels), np.array(first), np.array(second), 6), about="the example")
    for count, classes in ((40, 3), (60, 4), (200, 10)):
        # Of class 1 there is enough of each kind: missed by one, by both, by both with the same answer, by none.
        labels = np.concatenate([np.full(12, 1), rng.integers(0, classes, count)])
        first, second = (
            np.where(rng.random(len(labels)) < 0.6, labels, rng.integers(0, classes, len(labels))) for _ in "ab"
        )
        first[:12] = [0, 0, 0, 2, 2, 1, 1, 1, 1, 1, 1, 1]
        second[:12] = [0, 2, 1, 2, 0, 0, 2, 1, 1, 1, 1, 1]
        order = rng.permutation(len(labels))
        yield Case((labels[order], first[order], second[order], 1), about=f"{classes} classes")
    labels = np.array([0, 0, 0, 1, 1, 2])
    yield Case(
        (labels, np.array([0, 0, 0, 0, 1, 2]), np.array([0, 1, 0, 2, 1, 1]), 0), about="a class that the first knows"
    )
    yield Case(
        (labels, np.array([1, 2, 1, 1, 1, 2]), np.array([0, 1, 0, 1, 0, 2]), 0), about="a class that it never finds"
    )


EXPLAIN = FunctionExercise(
    "04.5",
    "Explain a confusion",
    reference=shared_mistakes,
    cases=_shared_cases,
    misconceptions=[
        Misconception(
            _shared(among=lambda labels, first, second, c: np.ones(len(labels), bool)),
            "You count the pictures of all classes. A class that is hard for both would then pass for hard pictures: "
            "stay within class c.",
        ),
        Misconception(
            _shared(among=lambda labels, first, second, c: first == c),
            "You take the pictures that are *called* c. The class of a picture is its label.",
        ),
        Misconception(
            _swapped,
            "You have changed the two classifiers. What is split is what the *first* misses and finds; what is counted "
            "is what the second misses.",
        ),
        Misconception(
            _shared(counted=lambda labels, first, second: (second != labels) & (second == first)),
            "You count only pictures for which both give the *same* wrong answer. Missed is missed, whatever is said.",
        ),
        Misconception(
            _shared(counted=lambda labels, first, second: second == first),
            "You count where the two give the same answer. What is asked is whether the second is wrong.",
        ),
        Misconception(
            _shared(
                share=lambda counted, chosen, among: (counted & chosen).sum() / among.sum() if chosen.any() else np.nan
            ),
            "You divide by all pictures of the class. Each share is one of the pictures on its own side of the split.",
        ),
        Misconception(
            _shared(
                share=lambda counted, chosen, among: (counted & chosen).sum() / len(among) if chosen.any() else np.nan
            ),
            "You divide by all pictures. Each share is one of the pictures on its own side of the split.",
        ),
        Misconception(
            _shared(share=lambda counted, chosen, among: float(counted[chosen].sum()) if chosen.any() else np.nan),
            "Those are counts. Divide each by the number of pictures on its side.",
        ),
        Misconception(
            _shared(counted=lambda labels, first, second: second == labels),
            "Those are the shares that the second *finds*. What it misses is asked for.",
        ),
        Misconception(
            _shared(result=lambda wrong, right: (right, wrong)),
            "The two are in the wrong order: first among the pictures that the first classifier misses.",
        ),
        Misconception(
            _shared(share=lambda counted, chosen, among: counted[chosen].mean() if chosen.any() else 0.0),
            "A side without pictures gets 0, as if the second had found them all. Nothing was there: NaN.",
        ),
    ],
    hints=(
        "Cut all three arrays down to the pictures of class c first.",
        "`missed = first != labels` splits them in two. On each side: how often is `second != labels`?",
        "The mean of an array of True and False is a share. The mean of an empty one is a warning and NaN: ask for its "
        "length first.",
    ),
    remark="Statisticians call this conditioning. Without the class held fixed, two classifiers that share no single "
    "mistake by more than chance look alike as soon as both find the same class hard.",
)


# 04.6 Beat it with a fifth --------------------------------------------------------------------------------------------

BUDGET, WANTED = 12_341, 0.81
KNOWS = 0.6  # first weights, drawn at random, are never right as often as this


def _check_small(answer: object, rng: np.random.Generator) -> None:
    import keras
    from keras import ops

    if isinstance(answer, keras.Model) or not callable(answer):
        raise Wrong("The check needs the function, since it trains a new network.", came=describe(answer))
    before = answer()
    keras.utils.set_random_seed(0)
    model = answer()
    if model is None:
        raise Wrong("`my_network` returns nothing. Is a `return` missing?")
    if not isinstance(model, keras.Model):
        raise Wrong("`my_network` should return a Keras model.", came=describe(model))
    if isinstance(before, keras.Model) and {id(w) for w in before.weights} & {id(w) for w in model.weights}:
        raise Wrong(
            "`my_network` does not return a new network.",
            tried="two calls",
            came="networks that share their weights",
            expected="a new network each time",
            likely="The layers are made outside the function, so that each call goes on with what the last training "
            "left. Make them inside.",
        )
    images = np.random.default_rng(0).random((4, 32, 32, 1)).astype("float32")
    try:
        scores = ops.convert_to_numpy(model(ops.convert_to_tensor(images), training=False))
    except Exception as error:  # whatever the backend says to a wrong shape
        raise Wrong(
            "The network does not take pictures of 32x32x1.",
            came=str(error).splitlines()[0][:200],
            expected="(n, 32, 32, 1)",
        ) from None
    if scores.shape != (4, 10):
        raise Wrong(
            "The network should return 10 scores for each picture.",
            came=times(scores.shape[1:]),
            expected="10",
            likely="A map is left over: flatten it or average it, then a dense layer of 10." if scores.ndim > 2 else "",
        )
    if model.count_params() > BUDGET:
        raise Wrong(
            "The network is over the budget.",
            came=f"{model.count_params():,} parameters",
            expected=f"at most {BUDGET:,}",
            likely="Find the layer that has most of them with `trace`. A dense layer behind a large map is expensive: "
            "make the map smaller before you flatten it.",
        )
    if scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        raise Wrong(
            "The network returns probabilities.",
            came="ten numbers that add up to 1",
            expected="scores, which may be anything",
            likely="The last layer has a softmax. The loss has one too, and two of them learn slowly.",
        )
    untrained = _accuracy(model)
    if untrained > KNOWS:
        raise Wrong(
            "The network is trained before the check trains it.",
            came=f"{100 * untrained:.1f} % right before the first step",
            expected="about 10 %, as by guessing",
            likely="Weights of an earlier training are loaded into it. Return the network as its layers make it.",
        )
    key = _fingerprint(model, scores)
    accuracy = _trained[key] = _trained.get(key) or _short_training(model)
    if not accuracy >= WANTED:
        raise Wrong(
            "The network is within the budget, but not good enough after the short training.",
            came=f"{100 * accuracy:.1f} % right, with {model.count_params():,} parameters",
            expected=f"{100 * WANTED:.0f} % or more",
            likely=_advice(model),
        )


# What networks have reached. The training is the same each time, so a network that comes again is not trained again.
_trained: dict[tuple, float] = {}


def _fingerprint(model, scores: np.ndarray) -> tuple:
    """The same for two networks only if layers, first weights and first scores are."""
    settings = tuple(
        str({name: value for name, value in layer.get_config().items() if name != "name"}) for layer in model.layers
    )
    return settings, scores.tobytes(), tuple(hash(weight.tobytes()) for weight in model.get_weights())


def _short_training(model) -> float:
    """The lesson's short_training: 200 steps of Adam on 2,000 pictures, then 1,000 others."""
    import keras

    from cnnlib import training

    x, y = _pictures()
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, 200)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    training.fit(model, x[:2000], y[:2000], epochs=5, batch_size=50, seed=0, quiet=True)
    return _accuracy(model)


@functools.cache
def _pictures() -> tuple[np.ndarray, np.ndarray]:
    from cnnlib import datasets

    x, y = datasets.fashion_mnist(size=3000, test_size=1)[:2]
    return np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))), y


def _accuracy(model) -> float:
    """The share of the 1,000 other pictures that a network is right on."""
    x, y = _pictures()
    said = np.concatenate([np.asarray(model.predict_on_batch(x[n : n + 500])) for n in (2000, 2500)])
    return float(np.mean(said.argmax(axis=-1) == y[2000:]))


def _advice(model) -> str:
    """The first thing to try, from what the network has not."""
    kinds = {type(layer).__name__ for layer in model.layers}
    if not kinds & {"Conv2D", "SeparableConv2D", "DepthwiseConv2D"}:
        return "It has no convolution. Filters are cheap, because all places share them."
    if not kinds & {"BatchNormalization", "LayerNormalization", "GroupNormalization"}:
        return "In the ablation one change gained in every run. It costs 4 parameters for each map."
    if model.count_params() < BUDGET / 2:
        return "More than half of the budget is left. More filters?"
    return (
        "Where does the budget go? Let the last map be small, and have many channels. Which of the changes of this "
        "lesson are missing?"
    )


BEAT = CheckExercise(
    "04.6",
    "Beat it with a fifth",
    check=_check_small,
    hints=(
        "C5 reads a map of 5x5x16 with 120 units. Ten scores can read a map directly.",
        "Make the maps small early: a stride of 2, or a pooling, behind the first convolution.",
        "Convolution, batch normalisation, ReLU, max pooling, twice; then flatten and ten scores. A dozen filters of "
        "5x5 and two dozen of 3x3 fit.",
    ),
    time_limit=60,
    remark="Fewer parameters, and better. It is not the number of them that counts, but where they are.",
)


EXERCISES = [COUNT, BUILD, ABLATE, RECALL, EXPLAIN, BEAT]
