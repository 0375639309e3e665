"""The checks of lesson 04, LeNet-5."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.compare import describe, times
from cnnlib.exercises.kinds import CheckExercise, Misconception, ValueExercise, Wrong

from .lesson_04_ablation import ABLATE
from .lesson_04_mistakes import EXPLAIN, RECALL

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
