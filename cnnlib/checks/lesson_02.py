"""The checks of lesson 02, feature maps, pooling and receptive fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.compare import describe, difference, times
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, ValueExercise, Wrong

# 02.1 Find the shape bug ----------------------------------------------------------------------------------------------

# What the repaired network returns and weighs, layer by layer.
_TABLE = (
    ((32, 32, 16), 448),
    ((16, 16, 16), 0),
    ((16, 16, 32), 4_640),
    ((8, 8, 32), 0),
    ((2048,), 0),
    ((10,), 20_490),
)
_OTHERS = ("AveragePooling2D", "BatchNormalization", "ZeroPadding2D", "DepthwiseConv2D", "SeparableConv2D")
_WITHOUT_SHAPE = ("InputLayer", "Activation", "ReLU", "Relu", "Dropout", "Identity", "Softmax")

_KINDS = ("Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense")
_INSTEAD = {  # other layers that return the same numbers, or are looked at where the scores are compared
    "MaxPooling2D": ("AveragePooling2D",),
    "Flatten": ("Reshape", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
}

_ABOUT_ROW = {
    0: "The first convolution was right as it stood.",
    1: "By how many pixels does the window of this pooling move? Without a word it moves by its own size.",
    2: "The map that it reads is right. What does a convolution of Keras pad if you do not say what?",
    3: "The map that it reads is right. Windows of 2 in steps of 2 halve a map.",
    4: "The dense layer of the small network reads every number of the last map, and not their means.",
    5: "There are ten classes, and a score for each.",
}


def _check_repaired(answer: object, rng: np.random.Generator) -> None:
    import keras

    model = answer() if callable(answer) and not isinstance(answer, keras.Model) else answer
    if model is None:
        raise Wrong("`repaired` returns nothing. Is a `return` missing?")
    if not isinstance(model, keras.Model):
        raise Wrong("`repaired` should return a Keras model.", came=describe(model))
    from cnnlib.trace import trace

    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, 32, 32, 3))  # layers without an input are a network too, once they meet an image

    rows = [row for row in trace(model) if row.type not in _WITHOUT_SHAPE]
    if trace(model).input_shape != (32, 32, 3):
        raise Wrong("The network should take 32x32x3.", came=str(trace(model).input_shape))
    for number, ((shape, _), row) in enumerate(zip(_TABLE, rows)):
        kind = _KINDS[number]
        if row.type != kind and row.type not in _INSTEAD.get(kind, ()) and row.type in {*_KINDS, *_OTHERS}:
            raise Wrong(
                f"Layer {number + 1} is another one than in `small_network`.",
                came=f"`{row.type}`",
                expected=f"`{kind}`",
                likely="Both bugs are arguments. No layer is missing, none is too many, and their order is right.",
            )
        if row.output_shape != shape:
            raise Wrong(
                f"Layer {number + 1}, `{row.type}`, returns another shape than in `small_network`.",
                came=times(row.output_shape),
                expected=times(shape),
                likely=_ABOUT_ROW[number],
            )
    if len(rows) != len(_TABLE):
        raise Wrong(
            "The network has another number of layers than `small_network`.",
            came=f"{len(rows)}",
            expected=f"{len(_TABLE)}",
            likely="Both bugs are arguments. No layer is missing, and none is too many.",
        )
    for (_, parameters), row in zip(_TABLE, rows):
        if row.parameters != parameters:
            raise Wrong(
                f"All shapes are right. But the `{row.type}` that returns {times(row.output_shape)} has another "
                "number of weights, so that the saved ones do not load.",
                came=f"{row.parameters:,}",
                expected=f"{parameters:,}",
                likely="Padding hides the kernel's size: with `same`, a 5x5 returns the same shape as a 3x3. The "
                "kernels were right as they stood.",
            )
    _check_outputs(model, rng)


def _check_outputs(model, rng: np.random.Generator) -> None:
    """The same weights must give the same scores as in `small_network`: the activations and poolings are its own."""
    import keras

    original = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (16, 32):
        original.add(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        original.add(keras.layers.MaxPooling2D(2))
    original.add(keras.layers.Flatten())
    original.add(keras.layers.Dense(10))
    original.set_weights([rng.normal(0, 0.3, size=weight.shape) for weight in original.get_weights()])
    copy = keras.models.clone_model(model)  # the learner's own weights stay as they are
    copy.set_weights(original.get_weights())
    images = rng.normal(size=(3, 32, 32, 3)).astype("float32")
    expected, came = (network.predict_on_batch(images) for network in (original, copy))
    if not np.allclose(came, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()):
        raise Wrong(
            "All shapes and weights are right. But with the saved weights the network returns other scores.",
            came=describe(came[0, :3].round(2)) + " for the first three classes of an image",
            expected=describe(expected[0, :3].round(2)),
            likely="Something changed that a shape does not show: an activation, or the kind of pooling.",
        )


SHAPE_BUG = CheckExercise(
    "02.1",
    "Find the shape bug",
    check=_check_repaired,
    hints=(
        "Print `trace(from_memory())` beside `trace(small)`, and find the first row where the shapes part.",
        "A pooling window of 2 should halve the map. Does it? What else decides how many windows there are?",
        "The second argument is one that is missing. Compare the two convolutions.",
    ),
    remark="No error told you, at any time. The shape table did.",
)


# 02.2 Pool by hand, and back ------------------------------------------------------------------------------------------


def _entry(name: str, wrong: object) -> Callable[[dict], bool]:
    """Recognises a wrong value of one entry."""

    def recognised(came: dict) -> bool:
        value = np.asarray(came[name], dtype=float)
        return value.shape == np.shape(wrong) and np.allclose(value, wrong, rtol=5e-3)

    return recognised


def _in_another_form(came: dict) -> bool:
    """The right numbers of a grid, flat or as a map with more axes."""
    right = {"largest": [4, 6, 8, 5], "average": [2, 3, 3, 3]}
    return any(
        np.shape(came[name]) != (2, 2) and np.size(came[name]) == 4 and np.allclose(np.ravel(came[name]), numbers)
        for name, numbers in right.items()
    )


def _same_pools(came: dict, expected: dict) -> bool:
    """As usual, but the one window of ``overall`` may stand in brackets, as pooling layers return it."""
    overall = np.asarray(came.get("overall"))
    if overall.size == 1 and overall.ndim and overall.dtype.kind in "iuf":
        came = {**came, "overall": float(overall.ravel()[0])}
    return difference(came, expected, 5e-3, 1e-9) is None


# The gradients 1, 2, 3, 4 of the four maxima, where they come from.
_BACK = [[0, 0, 0, 2], [0, 1, 0, 0], [0, 3, 4, 0], [0, 0, 0, 0]]


def _windows(numbers: list) -> np.ndarray:
    """Each number in all four pixels of its window."""
    return np.repeat(np.repeat(numbers, 2, axis=0), 2, axis=1)


POOL_BY_HAND = ValueExercise(
    "02.2",
    "Pool by hand, and back",
    expected={"largest": [[4, 6], [8, 5]], "average": [[2, 3], [3, 3]], "overall": 2.75, "back": _BACK},
    compare=_same_pools,
    misconceptions=(
        Misconception(
            _in_another_form,
            "The numbers are right, in another form: two rows of two numbers, as `[[1, 2], [3, 4]]`.",
        ),
        Misconception(
            _entry("largest", [[4, 4, 6], [8, 8, 5], [8, 8, 5]]),
            "Your windows move by one pixel. In steps of 2 they do not overlap, and there are four of them.",
        ),
        Misconception(
            _entry("largest", [[4, 8], [6, 5]]),
            "Rows and columns have changed places: the first row of the result belongs to the upper two windows.",
        ),
        Misconception(
            _entry("average", [[8, 12], [12, 12]]), "These are the sums of the windows. A mean divides by how many."
        ),
        Misconception(_entry("average", [[4, 6], [6, 6]]), "You divide by 2. A window of 2x2 holds four numbers."),
        Misconception(
            _entry("average", [[2, 2, 3], [3.25, 4.75, 2.5], [3, 4.5, 3]]),
            "Your windows move by one pixel. In steps of 2 they do not overlap, and there are four of them.",
        ),
        Misconception(
            lambda came: float(np.asarray(came["overall"]).ravel()[0]) in (2.8, 3),
            "That is rounded too far. The mean of whole numbers need not be whole: give all its digits.",
        ),
        Misconception(
            _entry("overall", 8), "That is the largest number, a global *max* pooling. The mean is asked for."
        ),
        Misconception(_entry("overall", 44), "That is the sum of all numbers. Divide it by how many there are."),
        Misconception(
            _entry("overall", 5.75), "That is the mean of the four maxima. A global pooling reads the grid itself."
        ),
        Misconception(_entry("overall", 11), "You divide by 4. How many numbers does the one window hold?"),
        Misconception(
            _entry("back", _windows([[0.25, 0.5], [0.75, 1]])),
            "That is what average pooling hands back, a quarter to each pixel. Of a maximum only the largest pixel "
            "moves the result.",
        ),
        Misconception(
            _entry("back", _windows([[1, 2], [3, 4]])),
            "Every pixel of a window has its whole gradient. If the 3 of the first window grows a little, its maximum "
            "is still 4.",
        ),
        Misconception(
            _entry("back", [[0, 0, 0, 6], [0, 4, 0, 0], [0, 8, 5, 0], [0, 0, 0, 0]]),
            "You hand back the maxima. What arrives from above is 1, 2, 3 and 4: only *where* it goes depends on the "
            "grid.",
        ),
        Misconception(
            _entry("back", [[0, 0, 0, 12], [0, 4, 0, 0], [0, 24, 20, 0], [0, 0, 0, 0]]),
            "You multiply by the pixel. If the largest pixel grows by 0.1, the maximum grows by 0.1, however large "
            "the pixel is.",
        ),
        Misconception(
            _entry("back", [[0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]),
            "You have found the pixels. But a gradient arrives for each window, 1, 2, 3 or 4, and is handed on as it "
            "is.",
        ),
        Misconception(
            _entry("back", [[0, 0, 0, 3], [0, 1, 0, 0], [0, 2, 4, 0], [0, 0, 0, 0]]),
            "2 and 3 have changed places: the first row of the gradients belongs to the upper two windows.",
        ),
        Misconception(
            lambda came: np.shape(came["back"]) == (2, 2),
            "`back` has a number for each pixel of the grid: four rows of four.",
        ),
    ),
    hints=(
        "Draw a cross through the middle of the grid. Each quarter is one window.",
        "The upper left window holds 3, 0, 1 and 4.",
        "For `back`, let one pixel of a window grow by 0.1. Does the maximum grow? Twelve of the sixteen are 0.",
    ),
)


# 02.3 Shift consistency -----------------------------------------------------------------------------------------------


def shift_consistency(predict, images, shift):
    """The reference answer."""
    images = np.asarray(images)
    height, width = images.shape[1:3]
    if not 1 <= shift < min(height, width):
        raise ValueError
    here = np.argmax(predict(images[:, :-shift, :-shift]), axis=-1)
    there = np.argmax(predict(images[:, shift:, shift:]), axis=-1)
    return float(np.mean(here == there))


def first_pixel(images):
    """A network that looks at the first pixel only, so that any move is another image to it."""
    return np.asarray(images)[:, 0, 0, :]


def mean_colour(images):
    """A network that averages each channel."""
    return np.asarray(images).mean(axis=(1, 2))


def first_column(images):
    """A network that averages the first column: it minds a move to the side and hardly one downwards."""
    return np.asarray(images)[:, :, 0].mean(axis=1)


def first_row(images):
    """A network that averages the first row."""
    return np.asarray(images)[:, 0].mean(axis=1)


def window_size(images):
    """A network that minds how large its images are."""
    images = np.asarray(images)
    return images[:, 0, 0, :] * (1.0 if images.shape[1] % 2 else -1.0)


def _shift_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(count: int, height: int, width: int, classes: int) -> np.ndarray:
        return rng.random((count, height, width, classes)).astype("float32")

    for about, predict in (
        ("a network that looks at the first pixel", first_pixel),
        ("one that averages each channel", mean_colour),
        ("one that averages the first column", first_column),
        ("one that averages the first row", first_row),
        ("one that minds the size of its images", window_size),
    ):
        for shift in (1, int(rng.integers(2, 6))):
            size = int(rng.integers(8, 16))
            images = draw(48, size, size + int(rng.integers(1, 4)), 3)
            yield Case((predict, images, shift), about=f"{about}, a move by {shift}")
    same = np.repeat(draw(12, 1, 1, 4), 9, axis=1).repeat(9, axis=2)
    yield Case((first_pixel, same, 2), about="images of one colour each: nothing changes")
    yield Case((first_pixel, draw(5, 6, 6, 2), 5), about="a move that leaves one row and one column")
    images = draw(4, 6, 8, 3)
    for shift in (0, -1, 6, 8):
        yield Case((first_pixel, images, shift), raises=ValueError, about=f"a move by {shift} of 6 rows")
    yield Case((first_pixel, draw(4, 8, 6, 3), 6), raises=ValueError, about="a move by 6 of 6 columns")


def _shifted(
    here: Callable = lambda x, s: x[:, :-s, :-s],
    there: Callable = lambda x, s: x[:, s:, s:],
    share: Callable = lambda a, b: np.mean(np.argmax(a, axis=-1) == np.argmax(b, axis=-1)),
    refuse: Callable = lambda s, height, width: not 1 <= s < min(height, width),
) -> Callable:
    """The consistency with one of its parts exchanged."""

    def model(predict, images, shift):
        if refuse(shift, *images.shape[1:3]):
            raise ValueError
        return float(share(predict(here(images, shift)), predict(there(images, shift))))

    return model


SHIFT_CONSISTENCY = FunctionExercise(
    "02.3",
    "Shift consistency",
    reference=shift_consistency,
    cases=_shift_cases,
    misconceptions=[
        Misconception(
            _shifted(share=lambda a, b: np.mean(np.argmax(a, axis=-1) != np.argmax(b, axis=-1))),
            "That is the share of images whose class *changes*.",
        ),
        Misconception(
            _shifted(share=lambda a, b: np.sum(np.argmax(a, axis=-1) == np.argmax(b, axis=-1))),
            "That is how many images keep their class. A share is between 0 and 1.",
        ),
        Misconception(
            _shifted(share=lambda a, b: np.mean(np.isclose(a, b))),
            "You compare scores, which change with every pixel. The class is *where* the largest score stands.",
        ),
        Misconception(
            _shifted(there=lambda x, s: x[:, s:, :-s]),
            "The second window has moved down and not to the side. It leaves out the first rows *and* the "
            "first columns.",
        ),
        Misconception(
            _shifted(there=lambda x, s: x[:, :-s, s:]),
            "The second window has moved to the side and not down. It leaves out the first rows *and* the "
            "first columns.",
        ),
        Misconception(
            _shifted(here=lambda x, s: x),
            "The first window is the whole image. Both windows should have the same size: leave out the last rows and "
            "columns.",
        ),
        Misconception(
            _shifted(here=lambda x, s: x, there=lambda x, s: np.roll(x, (s, s), axis=(1, 2))),
            "`np.roll` brings back on one side what leaves on the other: an image that no camera takes. Cut "
            "two windows.",
        ),
        Misconception(
            _shifted(here=lambda x, s: x, there=lambda x, s: np.roll(x, (-s, -s), axis=(1, 2))),
            "`np.roll` brings back on one side what leaves on the other: an image that no camera takes. Cut "
            "two windows.",
        ),
        Misconception(
            _shifted(here=lambda x, s: x[:, :-1, :-1], there=lambda x, s: x[:, 1:, 1:]),
            "Your windows are one pixel apart, whatever `shift` is.",
        ),
        Misconception(
            _shifted(refuse=lambda s, height, width: not 1 <= s < max(height, width)),
            "An image need not be square: the move must be smaller than its height *and* its width.",
        ),
        Misconception(
            _shifted(refuse=lambda s, height, width: s < 1),
            "A move by as many rows as there are leaves no window. Raise a ValueError for it.",
        ),
        Misconception(
            _shifted(refuse=lambda s, height, width: s >= min(height, width)),
            "A move by less than one pixel is no move. Raise a ValueError for it.",
        ),
    ],
    hints=(
        "Both windows have the size (height - shift, width - shift). Where does each begin?",
        "The classes are `np.argmax(scores, axis=-1)`, one for each image.",
        "Comparing two arrays gives True and False, and the mean of those is a share.",
    ),
)


# 02.4 Measure an effective field --------------------------------------------------------------------------------------


def effective_field(gradient, output_shape, images):
    """The reference answer."""
    unit = np.zeros((1, *output_shape))
    unit[0, output_shape[0] // 2, output_shape[1] // 2] = 1
    strength = np.abs(gradient(images, unit)).sum(axis=-1).mean(axis=0)
    largest = strength.max()
    return strength / largest if largest > 0 else strength


def gradient_of(kernel: np.ndarray, output_shape: tuple[int, int, int], stride: int) -> Callable:
    """The gradient of a convolution without padding whose input was squared and halved.

    So that it depends on the image and has both signs: at each pixel it is the weight times the pixel.
    """

    def gradient(images, weights=1.0):
        images, weights = np.asarray(images, dtype=float), np.asarray(weights, dtype=float)
        expected = (len(images), *output_shape)
        if weights.ndim and (
            weights.ndim != 4 or any(came not in (1, whole) for came, whole in zip(weights.shape, expected))
        ):
            raise ValueError(
                f"weights of shape {weights.shape} do not fit the output of shape {expected}: give the same shape, "
                "with 1 where all positions count alike."
            )
        weights = np.broadcast_to(weights, expected)
        rows, columns = (stride * (length - 1) + 1 for length in output_shape[:2])
        stamped = np.zeros(images.shape)
        for row, column in np.ndindex(*kernel.shape[:2]):
            here = stamped[:, row : row + rows : stride, column : column + columns : stride]
            here += weights @ kernel[row, column].T
        return stamped * images

    return gradient


def _field_cases(rng: np.random.Generator) -> Iterator[Case]:
    def case(
        about: str, count=3, rows=5, columns=5, kernel=3, stride=1, channels=(1, 1), positive=False, scale=1.0
    ) -> Case:
        size = [stride * (length - 1) + kernel for length in (rows, columns)]
        images = rng.normal(size=(count, *size, channels[0]))
        weights = rng.normal(size=(kernel, kernel, *channels))
        if positive:
            images, weights = np.abs(images) + 0.1, np.abs(weights) + 0.1
        images *= scale
        shape = (rows, columns, channels[1])
        return Case((gradient_of(weights, shape, stride), shape, images), about=about)

    yield case("one image and one channel, nothing negative", count=1, positive=True)
    yield case("images whose gradients have both signs", count=4)
    yield case("a unit that responds faintly", scale=1e-3)
    yield case("an output that is wider than high", rows=3, columns=7, positive=True)
    yield case("an output of 4x6: the middle is at (2, 3)", rows=4, columns=6)
    yield case("three channels of the image", channels=(3, 1))
    yield case("a unit of four channels", channels=(1, 4))
    yield case("a stride of 2", stride=2, channels=(3, 2))
    yield case("one unit that sees every pixel", rows=1, columns=1, kernel=4, channels=(2, 2))
    for _ in range(6):
        rows, columns, kernel = (int(rng.integers(2, 8)) for _ in range(3))
        some = {"count": int(rng.integers(2, 5)), "stride": int(rng.integers(1, 3))}
        channels = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        yield case("everything at once", rows=rows, columns=columns, kernel=kernel, channels=channels, **some)
    silent = gradient_of(np.zeros((3, 3, 2, 2)), (4, 4, 2), 1)
    yield Case((silent, (4, 4, 2), rng.normal(size=(2, 6, 6, 2))), about="a unit that responds to nothing")


def _measured(
    unit: Callable = lambda weights, row, column: weights.__setitem__((0, row, column), 1),
    strength: Callable = lambda g: np.abs(g).sum(axis=-1).mean(axis=0),
    scale: Callable = lambda s: s / s.max() if s.max() > 0 else s,
    middle: Callable = lambda rows, columns: (rows // 2, columns // 2),
) -> Callable:
    """The measurement with one of its parts exchanged."""

    def model(gradient, output_shape, images):
        weights = np.zeros((1, *output_shape))
        unit(weights, *middle(*output_shape[:2]))
        with np.errstate(all="ignore"):
            return scale(strength(gradient(images, weights)))

    return model


def _set(weights, where) -> None:
    weights[where] = 1


EFFECTIVE_FIELD = FunctionExercise(
    "02.4",
    "Measure an effective field",
    reference=effective_field,
    cases=_field_cases,
    misconceptions=[
        Misconception(
            _measured(strength=lambda g: g.sum(axis=-1).mean(axis=0)),
            "Your gradients keep their sign, so that a pixel which raises the unit in one image and lowers it in "
            "another seems not to count. Take the size of each before you add any.",
        ),
        Misconception(
            _measured(strength=lambda g: np.abs(g.sum(axis=-1).mean(axis=0))),
            "You take the size after adding up: signs have cancelled by then. Take the size of each gradient first.",
        ),
        Misconception(
            _measured(strength=lambda g: np.abs(g.mean(axis=0)).sum(axis=-1)),
            "You take the size after the mean over images: what is positive in one image and negative in another has "
            "cancelled by then.",
        ),
        Misconception(
            _measured(strength=lambda g: np.abs(g.sum(axis=-1)).mean(axis=0)),
            "You add the channels before you take the size: a red that helps and a blue that harms have cancelled by "
            "then.",
        ),
        Misconception(
            _measured(unit=lambda weights, row, column: _set(weights, ...)),
            "That is the gradient of *all* units together. Give `gradient` weights that are 1 at one place and 0 "
            "elsewhere.",
        ),
        Misconception(
            _measured(unit=lambda weights, row, column: _set(weights, (0, row))),
            "Your weights are 1 in a whole row of units.",
        ),
        Misconception(
            _measured(unit=lambda weights, row, column: _set(weights, (0, row, column, 0))),
            "You ask one channel only. The unit's value is summed over its channels: all of them get a 1.",
        ),
        Misconception(
            _measured(middle=lambda rows, columns: (0, 0)),
            "That is the unit in the corner. The middle one stands at (rows // 2, columns // 2).",
        ),
        Misconception(
            _measured(middle=lambda rows, columns: ((rows - 1) // 2, (columns - 1) // 2)),
            "Where the number of rows or columns is even you take the unit before the middle. Row `rows // 2` is asked "
            "for.",
        ),
        Misconception(
            _measured(middle=lambda rows, columns: (min(columns // 2, rows - 1), min(rows // 2, columns - 1))),
            "Rows and columns have changed places.",
        ),
        Misconception(
            _measured(strength=lambda g: np.abs(g).max(axis=-1).mean(axis=0)),
            "You keep the strongest channel of a pixel. Add them up.",
        ),
        Misconception(
            _measured(strength=lambda g: np.abs(g).sum(axis=-1).max(axis=0)),
            "You keep the image with the strongest response. The mean over all images is asked for.",
        ),
        Misconception(
            _measured(strength=lambda g: np.abs(g).sum(axis=-1)[0]),
            "You look at the first image only.",
        ),
        Misconception(
            _measured(strength=lambda g: (g**2).sum(axis=-1).mean(axis=0)),
            "You square the gradients. That too is never negative, but the strong ones then count for more. Take "
            "absolute values.",
        ),
        Misconception(
            _measured(strength=lambda g: np.sqrt((g**2).sum(axis=-1)).mean(axis=0)),
            "You take the length over the channels, the root of the sum of squares. The sum of absolute values is "
            "asked for.",
        ),
        Misconception(
            _measured(scale=lambda s: s), "The map is right but for its scale. Its largest value should be 1."
        ),
        Misconception(
            _measured(scale=lambda s: s / s.sum() if s.max() > 0 else s),
            "You scale the map to a sum of 1. Its largest value should be 1.",
        ),
        Misconception(
            _measured(scale=lambda s: (s - s.min()) / np.ptp(s) if np.ptp(s) > 0 else s),
            "You subtract the smallest value too. A pixel that counts a little must not seem to count nothing: divide "
            "by the largest only.",
        ),
        Misconception(
            _measured(scale=lambda s: s / s.max()),
            "A unit that responds to nothing has a map of zeros. Yours divides 0 by 0.",
        ),
    ],
    hints=(
        "Make an array of zeros in the shape (1, rows, columns, channels), and put a 1 where the unit stands.",
        "`gradient(images, unit)` has the shape of the images. Which values may be added, and which would cancel?",
        "Absolute values first; then the sum over the last axis; then the mean over the first; then divide by the "
        "largest, if it is not 0.",
    ),
    remark="`cnnlib.trace.effective_receptive_field` does the same to any layer of a Keras model.",
)


# 02.5 A stack that sees 31 pixels -------------------------------------------------------------------------------------

PIXELS, CHANNELS, WEIGHTS = 31, 16, 7_000


def _check_design(answer: object, rng: np.random.Generator) -> None:
    layers = _design(answer)
    weights = sum(kernel * kernel * CHANNELS * CHANNELS for kernel, _ in layers)
    read = {0}
    for kernel, dilation in reversed(layers):
        read = {pixel + tap * dilation for pixel in read for tap in range(kernel)}
    span = max(read) + 1
    if weights > WEIGHTS:
        raise Wrong(
            "The stack is too expensive.",
            came=f"{weights:,} weights",
            expected=f"at most {WEIGHTS:,}",
            likely="A layer costs K x K for each pair of channels and adds D (K - 1) pixels. D is free of charge: "
            "which K adds the most for what it costs?",
        )
    if span < PIXELS:
        raise Wrong(
            "The unit does not see far enough.",
            came=f"{span} pixels",
            expected=f"{PIXELS} or more",
            likely="Each layer adds D (K - 1) pixels to the one pixel that a unit sees without layers.",
        )
    run = _longest_run(read)
    if run < PIXELS:
        raise Wrong(
            "The field has holes: some pixels between its first and its last are read by nothing.",
            came=f"it spans {span} pixels and reads {len(read)} of them, at most {run} in a row",
            expected=f"{PIXELS} or more in a row",
            likely="A layer may spread its taps only as far apart as the layers before it have filled the gaps.",
        )


def _longest_run(read: set[int]) -> int:
    longest = run = 0
    for pixel in range(max(read) + 1):
        run = run + 1 if pixel in read else 0
        longest = max(longest, run)
    return longest


def _design(answer: object) -> list[tuple[int, int]]:
    """The learner's list as pairs of whole numbers."""
    form = "`design` is a list of pairs (kernel, dilation) of whole numbers, such as `[(5, 1), (3, 2)]`."
    try:
        layers = [tuple(layer) for layer in answer]
    except TypeError:
        raise Wrong(form, came=describe(answer)) from None
    if not layers:
        raise Wrong("The stack has no layer.", came="an empty list")
    for layer in layers:
        whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in layer)
        if len(layer) == 3 and whole:
            raise Wrong(form, came=describe(layer), likely="The stride is 1 everywhere, and is left out here.")
        if len(layer) != 2 or not whole:
            raise Wrong(form, came=describe(layer))
        if min(layer) < 1:
            raise Wrong("A kernel and a dilation are at least 1.", came=describe(layer))
        if max(layer) > 1000 or len(layers) > 1000:
            raise Wrong("That is far more than the task needs.", came=describe(layer))
    return [(int(kernel), int(dilation)) for kernel, dilation in layers]


DESIGN = CheckExercise(
    "02.5",
    "A stack that sees 31 pixels",
    check=_check_design,
    hints=(
        "Add up: 30 pixels have to come from the layers, and each one adds D (K - 1).",
        "A layer of 3x3 with 16 channels in and out has 2,304 weights: you can pay three of them. What is the smallest "
        "kernel that sees a neighbour at all?",
        "To leave no hole, the dilation of a layer may be at most what the layers before it see.",
    ),
    remark="Five kernels of 2 see 32 pixels with 5,120 weights: a stack of 2s with doubled dilation counts in binary.",
)


# 02.6 How deep must it be? --------------------------------------------------------------------------------------------


def layers_to_see(pixels, kernel=3, growth=1):
    """The reference answer."""
    if min(pixels, kernel, growth) < 1 or (kernel == 1 and pixels > 1):
        raise ValueError
    size, dilation, count = 1, 1, 0
    while size < pixels:
        size += dilation * (kernel - 1)
        dilation *= growth
        count += 1
    return count


def _depth_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((31,), about="plain layers of 3")
    yield Case((1,), about="one pixel")
    yield Case((int(2 * rng.integers(20, 120)),), about="an even number of pixels")
    yield Case((31,), {"growth": 2}, about="doubling, a field that is met exactly")
    yield Case((32,), {"growth": 2}, about="doubling, one pixel more")
    yield Case((224,), {"kernel": 5}, about="a larger kernel")
    yield Case((1,), {"kernel": 1}, about="one pixel and a kernel of 1")
    yield Case((27,), {"growth": 3}, about="tripling")
    # Fields that are met exactly, where one or the other quotient of logarithms is a little above a whole number.
    for pixels, kernel, growth in ((125, 5, 5), (32, 2, 5), (63, 3, 5), (87, 3, 6), (243, 3, 3), (122, 2, 3)):
        about = f"layers that reach {growth} times as far each, a field that is met exactly"
        yield Case((pixels,), {"kernel": kernel, "growth": growth}, about=about)
    for _ in range(20):
        settings = {"kernel": int(rng.integers(2, 8)), "growth": int(rng.integers(1, 4))}
        yield Case((int(rng.integers(2, 500)),), settings, about="everything at once")
    for args, settings in (
        ((0,), {}),
        ((9,), {"kernel": 0}),
        ((9,), {"growth": 0}),
        ((-3,), {"growth": 2}),
    ):
        yield Case(args, settings, raises=ValueError, about="an argument below 1")
    for pixels in (2, int(rng.integers(3, 50))):
        yield Case((pixels,), {"kernel": 1}, raises=ValueError, about="a kernel that sees no neighbour")


def _depth(
    start: int = 1,
    step: Callable[[int, int], int] = lambda dilation, kernel: dilation * (kernel - 1),
    first_dilation: Callable[[int], int] = lambda growth: 1,
    grows: bool = True,
    one_kernel: bool = True,
) -> Callable:
    """The depth with one of its parts exchanged."""

    def model(pixels, kernel=3, growth=1):
        if min(pixels, kernel, growth) < 1 or (one_kernel and kernel == 1 and pixels > 1):
            raise ValueError
        size, dilation, count = start, first_dilation(growth), 0
        while size < pixels and count < 10_000:
            size += step(dilation, kernel)
            dilation *= growth if grows else 1
            count += 1
        return count

    return model


def _rounded(rounding: Callable[[float], int]) -> Callable:
    def model(pixels, kernel=3, growth=1):
        layers_to_see(pixels, kernel, growth)
        if kernel == 1:
            return 0
        if growth == 1:
            return int(rounding((pixels - 1) / (kernel - 1)))
        return layers_to_see(pixels, kernel, growth)

    return model


def _by_logarithm(logarithm: Callable[[float, float], float]) -> Callable:
    """The formula for the sum of a geometric series, solved in floating point."""

    def model(pixels, kernel=3, growth=1):
        count = layers_to_see(pixels, kernel, growth)
        if growth == 1 or kernel == 1:
            return count
        return math.ceil(logarithm(1 + (pixels - 1) * (growth - 1) / (kernel - 1), growth))

    return model


_FLOATING = (
    "Your formula is right on paper. But a logarithm is rounded: where the field is met exactly, a result such as "
    "3.0000000000000004 is rounded up to a layer too many. Count in whole numbers, layer by layer."
)


def _as_dilated(pixels, kernel=3, growth=1):
    layers_to_see(pixels, kernel, growth)
    if growth == 1 or kernel == 1:
        return layers_to_see(pixels, kernel, growth)
    return math.ceil(math.log(pixels, growth))


DEPTH = FunctionExercise(
    "02.6",
    "How deep must it be?",
    reference=layers_to_see,
    cases=_depth_cases,
    misconceptions=[
        Misconception(
            _rounded(math.floor), "You round down. With that many layers the last pixels are still out of sight."
        ),
        Misconception(
            _rounded(round), "You round to the nearest, sometimes down. Then the last pixels are out of sight."
        ),
        Misconception(
            _depth(start=0),
            "You are one pixel off. Without any layer a unit sees one pixel, itself, and a field of exactly `pixels` "
            "pixels is enough.",
        ),
        Misconception(
            _depth(step=lambda dilation, kernel: dilation * kernel),
            "Each of your layers adds D x K pixels. K taps have K - 1 gaps, so it adds D (K - 1).",
        ),
        Misconception(_depth(grows=False), "Your answer does not change with `growth`: every layer has dilation 1."),
        Misconception(
            _depth(first_dilation=lambda growth: growth),
            "Your first layer is dilated already. The first has dilation 1, the second `growth`.",
        ),
        Misconception(
            _depth(step=lambda dilation, kernel: dilation * 2),
            "Your answer does not change with `kernel`. A layer adds D (K - 1), which is 2 D only for a kernel of 3.",
        ),
        Misconception(_by_logarithm(lambda a, b: math.log(a) / math.log(b)), _FLOATING),
        Misconception(
            _as_dilated,
            "A logarithm of `pixels` is close, but it leaves the kernel out, and the one pixel at the start. Add the "
            "layers up, one by one, until the field is large enough.",
        ),
        Misconception(
            _depth(one_kernel=False),
            "A kernel of 1 sees no neighbours, in any number of layers. Raise a ValueError when more than one pixel is "
            "asked for.",
        ),
        Misconception(
            lambda pixels, kernel=3, growth=1: layers_to_see(max(pixels, 1), max(kernel, 2), max(growth, 1)),
            "Arguments below 1 make no sense, and a kernel of 1 sees no neighbour. Raise a ValueError for them.",
        ),
    ],
    hints=(
        "How many pixels does each layer add? That of dilation D adds D (K - 1).",
        "A loop does it: while the field is too small, add a layer.",
        "With a kernel of 1 such a loop never ends. Ask before it begins.",
    ),
)


EXERCISES = [SHAPE_BUG, POOL_BY_HAND, SHIFT_CONSISTENCY, EFFECTIVE_FIELD, DESIGN, DEPTH]
