"""The checks of lesson 07, efficient and modern blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.compare import describe, times
from cnnlib.exercises.kinds import (
    Case,
    CheckExercise,
    FunctionExercise,
    Misconception,
    ValueExercise,
    Wrong,
    misspells,
    says,
)

# 07.1 Separable counts ------------------------------------------------------------------------------------------------


def separable_counts(kernel, channels_in, channels_out, height, width):
    """The reference answer."""
    if min(kernel, channels_in, channels_out, height, width) < 1:
        raise ValueError
    places = height * width
    ordinary = kernel**2 * channels_in * channels_out * places
    return ordinary, kernel**2 * channels_in * places, channels_in * channels_out * places


def _count_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((3, 64, 128, 10, 20), about="the example")
    yield Case((1, 5, 7, 2, 3), about="a kernel of 1")
    for _ in range(8):
        kernel, height, width = int(rng.choice([3, 5, 7])), int(rng.integers(4, 30)), int(rng.integers(31, 60))
        channels_in, channels_out = int(rng.integers(8, 100)), int(rng.integers(101, 300))
        yield Case((kernel, channels_in, channels_out, height, width), about="channels, height and width all different")
    good = [3, 8, 16, 5, 6]
    for position in range(5):
        for bad in (0, -2):
            args = [*good]
            args[position] = bad
            yield Case(tuple(args), raises=ValueError, about=f"an argument of {bad}")
    yield Case((3, 8, 16, -5, -6), raises=ValueError, about="two arguments below 0")


def _counts(
    ordinary: Callable = lambda k, i, o, p: k * k * i * o * p,
    depthwise: Callable = lambda k, i, o, p: k * k * i * p,
    pointwise: Callable = lambda k, i, o, p: i * o * p,
    places: Callable = lambda h, w: h * w,
    refuses: bool = True,
    given: Callable = lambda ordinary, depthwise, pointwise: (ordinary, depthwise, pointwise),
) -> Callable:
    """The counts with one of their parts exchanged."""

    def model(kernel, channels_in, channels_out, height, width):
        if refuses and min(kernel, channels_in, channels_out, height, width) < 1:
            raise ValueError
        each = (kernel, channels_in, channels_out, places(height, width))
        return given(ordinary(*each), depthwise(*each), pointwise(*each))

    return model


def _refused_by_product(kernel, channels_in, channels_out, height, width):
    if kernel * channels_in * channels_out * height * width < 1:
        raise ValueError
    return _counts(refuses=False)(kernel, channels_in, channels_out, height, width)


SEPARABLE = FunctionExercise(
    "07.1",
    "Separable counts",
    reference=separable_counts,
    cases=_count_cases,
    misconceptions=[
        Misconception(
            _counts(places=lambda h, w: 1),
            "These are weights. In a convolution each weight is used once at *every* place of the output.",
        ),
        Misconception(_counts(places=lambda h, w: h * h), "You take the height twice. The output is height x width."),
        Misconception(
            _counts(depthwise=lambda k, i, o, p: k * k * o * p),
            "The depthwise part works on the channels that come *in*. Only the 1x1 behind it makes new ones.",
        ),
        Misconception(
            _counts(depthwise=lambda k, i, o, p: k * k * i * o * p),
            "Your depthwise part mixes channels. It has one kernel for each channel in, and no sum over channels.",
        ),
        Misconception(
            _counts(depthwise=lambda k, i, o, p: k * k * p),
            "Your depthwise part works on one channel. There is a kernel for each channel in.",
        ),
        Misconception(
            _counts(pointwise=lambda k, i, o, p: k * k * i * o * p),
            "The second part is a 1x1: it looks at one place, whatever `kernel` is.",
        ),
        Misconception(
            _counts(pointwise=lambda k, i, o, p: o * p),
            "A 1x1 convolution reads *all* channels in for each channel out.",
        ),
        Misconception(
            _counts(
                ordinary=lambda k, i, o, p: k * i * o * p,
                depthwise=lambda k, i, o, p: k * i * p,
            ),
            "A kernel of K x K has K times K taps.",
        ),
        Misconception(
            _counts(given=lambda o, d, p: (o, d, d + p)),
            "Your third number is the sum of both parts. The MACs of the 1x1 alone are asked for.",
        ),
        Misconception(
            _counts(given=lambda o, d, p: (o, d + p)),
            "You add the two parts up. Three numbers are asked for, each part by itself.",
        ),
        Misconception(
            _counts(given=lambda o, d, p: (o, p, d)),
            "The last two have changed places: first the depthwise part, then the 1x1.",
        ),
        Misconception(
            _counts(given=lambda o, d, p: (2 * o, 2 * d, 2 * p)),
            "You count multiplications and additions. One MAC is a multiplication with its addition.",
        ),
        Misconception(
            _counts(depthwise=lambda k, i, o, p: (k * k + 1) * i * p, pointwise=lambda k, i, o, p: (i + 1) * o * p),
            "You count the biases. They are added and multiply nothing.",
        ),
        Misconception(
            lambda k, i, o, height, width: separable_counts(k, i, o, height - k + 1, width - k + 1),
            "`height` and `width` are those of the output already. You take the kernel's border off once more.",
        ),
        Misconception(
            _refused_by_product,
            "Two arguments below 0 multiply to something positive. Look at each argument, not at a product.",
        ),
        Misconception(_counts(refuses=False), "Arguments below 1 make no layer. Raise a ValueError for them."),
    ],
    hints=(
        "Count for one place of the output first, then multiply by how many places there are.",
        "Depthwise: a kernel of K x K for each channel in. 1x1: each channel in for each channel out.",
        "The output has height x width places. Refuse before you multiply: the smallest of all five arguments tells.",
    ),
    remark="Divide the sum of the last two by the first, and 1 / channels_out + 1 / kernel² is what remains.",
)


# 07.2 Build squeeze-and-excitation ------------------------------------------------------------------------------------


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _relu(x):
    return np.maximum(x, 0)


def _gated(x, weights, *, pool="mean", hidden=_relu, gate=_sigmoid, join=np.multiply):
    """What squeeze-and-excitation returns, with one of its parts exchanged."""
    kernel1, bias1, kernel2, bias2 = weights
    if pool == "mean":
        squeezed = x.mean(axis=(1, 2), keepdims=True)
    elif pool == "max":
        squeezed = x.max(axis=(1, 2), keepdims=True)
    else:
        squeezed = x
    return join(x, gate(hidden(squeezed @ kernel1 + bias1) @ kernel2 + bias2))


def _softmax(x):
    power = np.exp(x - x.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


_SE_MISTAKES = (
    ({"gate": _softmax}, "Your numbers add up to 1, as those of a softmax do: one channel's gain is another's loss. "
     "Each channel should have a number of its own between 0 and 1."),
    ({"gate": lambda x: x}, "Your second dense layer has no activation: its numbers are not between 0 and 1."),
    ({"gate": _relu}, "Your second dense layer ends in a ReLU, which has no upper end. A sigmoid has."),
    ({"gate": np.tanh}, "Your second dense layer ends in a tanh, from -1 to 1. The numbers lie between 0 and 1."),
    ({"hidden": lambda x: x}, "There is no ReLU behind the first dense layer: two linear layers in a row are one."),
    ({"hidden": _sigmoid}, "Behind the first dense layer stands a sigmoid. A ReLU is asked for there."),
    ({"pool": "max"}, "You take each channel's largest value. The mean over the map is asked for."),
    ({"pool": None}, "Nothing is averaged: each pixel weighs its own channels. One number for each channel should come "
     "from the whole map."),
    ({"join": np.add}, "You *add* the numbers to x. They should multiply it."),
    ({"join": lambda x, gate: x + x * gate},
     "You add x once more, as a shortcut does. x times the numbers is asked for."),
)  # fmt: skip


def _check_squeeze_excite(answer: object, rng: np.random.Generator) -> None:
    import keras

    if not callable(answer):
        raise Wrong("Hand over the function itself, without parentheses behind it.")
    for channels, ratio in ((int(rng.integers(5, 9)) * 4 + 3, 4), (6, 16), (32, None)):
        height, width = int(rng.integers(3, 6)), int(rng.integers(6, 9))
        image = keras.Input((height, width, channels))
        tried = f"{height}x{width}x{channels}, " + (f"ratio={ratio}" if ratio else "no ratio given, which means 16")
        output = answer(image) if ratio is None else answer(image, ratio=ratio)
        _examine_gate(keras, image, output, channels, ratio or 16, tried, rng)


def _examine_gate(keras, image, output, channels: int, ratio: int, tried: str, rng: np.random.Generator) -> None:
    if output is None:
        raise Wrong("`squeeze_excite` returns nothing. Is a `return` missing?")
    if not isinstance(output, keras.KerasTensor):
        raise Wrong("`squeeze_excite` should return a symbolic tensor, made by calling Keras layers on `x`.",
                    came=describe(output))  # fmt: skip
    if tuple(output.shape) != tuple(image.shape):
        likely = ""
        if len(output.shape) < 4 or tuple(output.shape[1:3]) == (1, 1):
            likely = "These are the numbers for the channels. x times these numbers is asked for."
        raise Wrong(
            tried=tried, came=f"shape {times(output.shape[1:])}", expected=times(image.shape[1:]), likely=likely
        )
    model = keras.Model(image, output)
    units = max(1, channels // ratio)
    count = sum(math.prod(weight.shape) for weight in model.weights)
    wanted = 2 * channels * units + units + channels
    if count != wanted or len(model.weights) != 4:
        raise Wrong(tried=tried, came=f"{count:,} weights", expected=f"{wanted:,}",
                    likely=_about_weights(count, channels, units, ratio))  # fmt: skip
    drawn = [rng.normal(0, 0.8, weight.shape).astype("float32") for weight in model.weights]
    model.set_weights(drawn)
    kernel1, bias1, kernel2, bias2 = drawn
    weights = (kernel1.reshape(channels, units), bias1, kernel2.reshape(units, channels), bias2)
    x = rng.normal(0.3, 1, (4, *image.shape[1:])).astype("float32")
    try:
        came = keras.ops.convert_to_numpy(model(x, training=False))
    except Exception:
        raise Wrong(
            "The network can be built, and stops with an error once it gets a batch of 4 images.",
            tried=tried,
            likely="Do the numbers for the channels still have their two axes of length 1? Where x is (n, height, "
            "width, channels) they should be (n, 1, 1, channels): `keepdims=True`, or a Reshape.",
        ) from None
    if _close(came, _gated(x, weights)):
        _check_large(keras, model, drawn, x, tried)
        return
    for change, likely in _SE_MISTAKES:
        if _close(came, _gated(x, weights, **change)):
            raise Wrong("The shapes and weights are right, the values are not.", tried=tried, likely=likely)
    raise Wrong(
        "The shapes and weights are right, the values are not.",
        tried=tried,
        likely="Is it the mean, a dense layer with a ReLU, a dense layer with a sigmoid, and a product, in this order?",
    )


def _check_large(keras, model, drawn: list[np.ndarray], x: np.ndarray, tried: str) -> None:
    """Wrong if a ReLU6 stands where a ReLU should: the units of the first layer get values above 6 here."""
    kernel1, bias1, kernel2, bias2 = np.abs(drawn[0]), drawn[1], 0.05 * drawn[2], drawn[3]
    model.set_weights([kernel1, bias1, kernel2, bias2])
    weights = (kernel1.reshape(kernel1.shape[-2:]), bias1, kernel2.reshape(kernel2.shape[-2:]), bias2)
    x = 5 * np.abs(x)
    came = keras.ops.convert_to_numpy(model(x, training=False))
    if _close(came, _gated(x, weights)):
        return
    capped = _close(came, _gated(x, weights, hidden=lambda values: np.clip(values, 0, 6)))
    raise Wrong(
        "For large values the result is another one.",
        tried=f"{tried}, units of the first layer above 6",
        likely="A ReLU6 cuts off all that is above 6. A ReLU has no upper end." if capped else "",
    )


def _about_weights(count: int, channels: int, units: int, ratio: int) -> str:
    if count == 0:
        return "Nothing is learnt here. Two dense layers are asked for."
    if count == 2 * channels * units:
        return "The biases are missing: both layers have them."
    if count == 2 * channels * ratio + ratio + channels:
        return "Your first dense layer has `ratio` units. The ratio says by how much the channels *shrink*."
    if count == channels * channels + channels:
        return "There is one dense layer, from all channels to all. Two are asked for, with few units between them."
    if count == 2 * (channels * channels + channels):
        return "Your first dense layer has as many units as there are channels. It should have channels // ratio."
    if channels % ratio and count == 2 * channels * (units + 1) + units + 1 + channels:
        return "Your first dense layer has one unit too many: `channels // ratio` rounds down."
    found, rest = divmod(count - channels, 2 * channels + 1)
    if rest == 0 and channels < ratio:
        return f"Your first dense layer has {found} units where {channels} // {ratio} is 0. One is left."
    if ratio == 16 and channels != 6:
        return "The ratio is an argument, and 16 if it is not given."
    if rest == 0 and found > units:
        return (
            f"Your first dense layer has {found} units, and {channels} // {ratio} is {units}. Only 0 is replaced, by 1."
        )
    return "First channels // ratio units, then one for each channel, both with biases."


def _close(came: np.ndarray, expected: np.ndarray) -> bool:
    return came.shape == expected.shape and np.allclose(came, expected, rtol=1e-3, atol=1e-4)


SQUEEZE_EXCITE = CheckExercise(
    "07.2",
    "Build squeeze-and-excitation",
    check=_check_squeeze_excite,
    hints=(
        "Squeeze: which pooling layer returns one mean for each channel? Its `keepdims=True` keeps a map of 1x1.",
        "Excite: two `layers.Dense`, each with its `activation`. With 6 channels and a ratio of 16 the first still has "
        "one unit.",
        "`layers.Multiply` takes a list of two tensors, and stretches a map of 1x1 over the other.",
    ),
    remark="A dense layer on a map of 1x1 is a 1x1 convolution: published code has either.",
)


# 07.3 Scale a network by phi ------------------------------------------------------------------------------------------


def scale(stages, resolution, phi):
    """The reference answer."""
    if phi < 0:
        raise ValueError
    scaled = []
    for channels, repeats in stages:
        multiple = max(8, math.floor(channels * 1.1**phi / 8 + 0.5) * 8)
        scaled.append((multiple, math.ceil(repeats * 1.2**phi - 1e-9)))
    return scaled, math.floor(resolution * 1.15**phi + 0.5)


def _clear(stages, resolution, phi) -> bool:
    """Whether no rounding is near a tie, where the order of two multiplications could decide."""
    ties = [channels * 1.1**phi / 8 + 0.5 for channels, _ in stages] + [resolution * 1.15**phi + 0.5]
    ties += [repeats * 1.2**phi for _, repeats in stages if phi]
    return all(abs(value - round(value)) > 1e-4 for value in ties)


def _scale_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(([(16, 1), (48, 2)], 224), {"phi": 1}, about="the example")
    yield Case(([(16, 1), (24, 2), (40, 2)], 224, 0), about="phi = 0 changes nothing")
    yield Case(([(3, 1), (2, 2)], 32, 2), about="few channels")
    yield Case(([(40, 5), (80, 10)], 100, 1), about="repeats that are whole before they are rounded: 6 and 12")
    yield Case(([(8, 1), (16, 2)], 64, 1.5), about="9.2 and 18.5 channels before they are rounded")
    yield Case(([(8, 1), (24, 3)], 64, 3.9), about="11.6 and 34.8 channels before they are rounded")
    drawn = 0
    while drawn < 12:
        stages = [(int(rng.integers(2, 40)) * 8, int(rng.integers(1, 8))) for _ in range(int(rng.integers(1, 6)))]
        resolution, phi = int(rng.integers(30, 300)), round(float(rng.uniform(0.4, 7)), 2)
        if _clear(stages, resolution, phi):
            drawn += 1
            yield Case((stages, resolution, phi), about=f"{len(stages)} stages, phi = {phi}")
    for phi in (-1, -0.5):
        yield Case(([(16, 1)], 224, phi), raises=ValueError, about="a negative phi")


def _scaled(
    depth: Callable = lambda n, phi: math.ceil(n * 1.2**phi - 1e-9),
    width: Callable = lambda c, phi: max(8, math.floor(c * 1.1**phi / 8 + 0.5) * 8),
    size: Callable = lambda r, phi: math.floor(r * 1.15**phi + 0.5),
    refuses: bool = True,
) -> Callable:
    """The rule with one of its parts exchanged."""

    def model(stages, resolution, phi):
        if refuses and phi < 0:
            raise ValueError
        return [(width(channels, phi), depth(repeats, phi)) for channels, repeats in stages], size(resolution, phi)

    return model


def _nearest8(value: float) -> int:
    return max(8, math.floor(value / 8 + 0.5) * 8)


def _at_most_a_tenth_less(channels: int, phi: float) -> int:
    wanted = channels * 1.1**phi
    return _nearest8(wanted) if _nearest8(wanted) >= 0.9 * wanted else _nearest8(wanted) + 8


SCALE = FunctionExercise(
    "07.3",
    "Scale a network by phi",
    reference=scale,
    cases=_scale_cases,
    misconceptions=[
        Misconception(
            _scaled(
                lambda n, phi: math.ceil(n * 1.2 * phi - 1e-9),
                lambda c, phi: _nearest8(c * 1.1 * phi),
                lambda r, phi: math.floor(r * 1.15 * phi + 0.5),
            ),
            "You multiply by phi. It is an exponent: phi says how many *steps* of 1.2, 1.1 and 1.15 there are.",
        ),
        Misconception(
            _scaled(depth=lambda n, phi: max(1, math.floor(n * 1.2**phi + 0.5))),
            "You round the repeats to the nearest. They are rounded up.",
        ),
        Misconception(
            _scaled(depth=lambda n, phi: int(n * 1.2**phi + 1e-9)),
            "You round the repeats down. They are rounded up, so that a stage of one block grows too.",
        ),
        *(
            Misconception(
                _scaled(depth=depth),
                "You round down and add 1. Repeats that are whole already stay as they are: 6.0 is 6, not 7.",
            )
            for depth in (
                lambda n, phi: int(n * 1.2**phi + 1e-9) + 1,
                lambda n, phi: int(n * 1.2**phi + 1e-9) + 1 if phi else n,
            )
        ),
        Misconception(
            _scaled(width=lambda c, phi: max(8, int(c * 1.1**phi // 8 * 8))),
            "You round the channels down to a multiple of 8. The nearest one is asked for.",
        ),
        Misconception(
            _scaled(width=lambda c, phi: max(8, math.ceil(c * 1.1**phi / 8 - 1e-9) * 8)),
            "You round the channels up to a multiple of 8. The nearest one is asked for.",
        ),
        Misconception(
            _scaled(width=lambda c, phi: math.floor(c * 1.1**phi + 0.5)),
            "Your channels are no multiples of 8.",
        ),
        Misconception(
            _scaled(width=lambda c, phi: math.floor(c * 1.1**phi / 8 + 0.5) * 8),
            "With few channels none is left. Keep at least 8.",
        ),
        Misconception(
            _scaled(lambda n, phi: math.ceil(n * 1.1**phi - 1e-9), lambda c, phi: _nearest8(c * 1.2**phi)),
            "1.2 belongs to the depth, the repeats, and 1.1 to the width, the channels.",
        ),
        Misconception(
            _scaled(width=lambda c, phi: _nearest8(c * 1.1 ** (2 * phi))),
            "You square the factor of the width. The *cost* grows with its square, the channels do not.",
        ),
        Misconception(
            _scaled(size=lambda r, phi: math.floor(r * 1.15 ** (2 * phi) + 0.5)),
            "You square the factor of the resolution. The *cost* grows with its square, the image's side does not.",
        ),
        Misconception(_scaled(size=lambda r, phi: r), "The resolution does not grow. It is scaled by 1.15 to the phi."),
        Misconception(
            _scaled(size=lambda r, phi: int(r * 1.15**phi)), "You round the resolution down. The nearest is asked for."
        ),
        Misconception(
            _scaled(size=lambda r, phi: math.ceil(r * 1.15**phi - 1e-9)),
            "You round the resolution up. The nearest whole number is asked for.",
        ),
        Misconception(
            _scaled(size=lambda r, phi: r * 1.15**phi), "An image has a whole number of pixels: round the resolution."
        ),
        Misconception(
            _scaled(size=lambda r, phi: _nearest8(r * 1.15**phi)),
            "You round the resolution to a multiple of 8. That is asked for the channels alone.",
        ),
        Misconception(
            _scaled(width=_at_most_a_tenth_less),
            "You go up by one multiple where rounding would take off more than a tenth, as `models.common.scaled` and "
            "published code do. Here it is the nearest multiple.",
        ),
        Misconception(
            _scaled(width=lambda c, phi: max(8, round(round(c * 1.1**phi) / 8) * 8)),
            "You round the channels twice, to a whole number and then to a multiple of 8. Round once.",
        ),
        Misconception(
            lambda stages, resolution, phi: (
                [(repeats, channels) for channels, repeats in scale(stages, resolution, phi)[0]],
                scale(stages, resolution, phi)[1],
            ),
            "In your pairs the repeats come first. They should be (channels, repeats), as in `stages`.",
        ),
        Misconception(_scaled(refuses=False), "A negative phi would shrink the network. Raise a ValueError for it."),
    ],
    hints=(
        "Three factors first: 1.2, 1.1 and 1.15, each to the power of phi.",
        "`math.ceil` rounds up. Which number, rounded to the nearest whole one, gives the nearest multiple of 8?",
        "Divide the channels by 8, round, multiply by 8, and take the larger of that and 8.",
    ),
)


# 07.4 Predict, then measure -------------------------------------------------------------------------------------------

_CONTESTANTS = ["broad", "middle", "thin"]


def _names(came: object) -> list[str]:
    return [str(name).strip().casefold() for name in came]  # type: ignore[attr-defined]


def _judge_order(came: object, expected: object) -> bool:
    if not isinstance(came, list) or sorted(_names(came)) != sorted(_CONTESTANTS):
        raise Wrong(
            "`order` should be a list of the three names, each once.",
            came=describe(came),
            expected="three names, in quotes",
        )
    return _names(came) == _CONTESTANTS


MEASURE = ValueExercise(
    "07.4",
    "Predict, then measure",
    expected=_CONTESTANTS,
    compare=_judge_order,
    misconceptions=[
        Misconception(
            ["thin", "middle", "broad"],
            "This is the order of the MACs, or of the slowest first. Measured, one of them is far from its place: call "
            "`milliseconds` with one image for each.",
        ),
        Misconception(
            lambda came: _names(came)[0] == "middle",
            "The one in front is not the fastest. Did the first call of a network, which compiles, get into your time?",
        ),
        Misconception(
            lambda came: _names(came)[0] == "thin",
            "It has the fewest MACs, and the most layers. What does a layer cost beside its MACs?",
        ),
        Misconception(
            lambda came: _names(came)[0] == "broad",
            "The fastest is right. Count the layers of the other two, then measure them again with more repeats.",
        ),
    ],
    hints=(
        "An image for them: `np.zeros((1, 16, 16, 3))`.",
        "`milliseconds(contestants['thin'], image)` returns the time of one. Do it for all three.",
    ),
    remark="The one with the most MACs wins: with one small image, the number of layers decides.",
)


# 07.5 Three briefs ----------------------------------------------------------------------------------------------------


_EFFICIENT = tuple(f"EfficientNet-B{n}" for n in range(8))
_OTHERS = ("LeNet-5", "AlexNet", "VGG-16", "ResNet-50", "DenseNet-40", "MobileNetV2", "ConvNeXt-T")

BRIEFS = ValueExercise(
    "07.5",
    "Three briefs",
    expected={"phone": "MobileNetV2", "factory": "ResNet-50", "archive": "ConvNeXt-T"},
    misconceptions=[
        Misconception(
            misspells(*_EFFICIENT, *_OTHERS),
            "One of your names is not in the table. Write each as it stands there: AlexNet, EfficientNet-B0.",
        ),
        Misconception(
            says("phone", *_EFFICIENT),
            "`phone`: 15 MB at 4 bytes a weight are fewer than 4 million weights. Does it fit?",
        ),
        Misconception(
            says("phone", "LeNet-5", "DenseNet-40"),
            "`phone`: it is small enough, but made for small images and few classes, and has no accuracy on ImageNet.",
        ),
        Misconception(
            says("phone", "ConvNeXt-T", "ResNet-50", "VGG-16", "AlexNet"),
            "`phone`: accuracy is not all. Multiply its weights by 4 bytes.",
        ),
        Misconception(
            says("factory", *_EFFICIENT, "MobileNetV2", "ConvNeXt-T"),
            "`factory`: this network is made of depthwise layers, which the brief rules out.",
        ),
        Misconception(says("factory", "VGG-16"), "`factory`: look at its MACs again."),
        Misconception(
            says("factory", "LeNet-5", "DenseNet-40"),
            "`factory`: it fits, but it was made for small images and few classes, and has no accuracy on ImageNet.",
        ),
        Misconception(
            says("factory", "AlexNet"),
            "`factory`: it fits, but another one without depthwise layers fits too and is more accurate.",
        ),
        Misconception(
            says("archive", "EfficientNet-B1", "EfficientNet-B2", "EfficientNet-B3", "EfficientNet-B4"),
            "`archive`: how many pixels was it made for? Its accuracy is for images of that size.",
        ),
        Misconception(
            says("archive", "EfficientNet-B5", "EfficientNet-B6", "EfficientNet-B7"),
            "`archive`: it takes more than 5 G MACs, and larger images than there are.",
        ),
        Misconception(
            says("archive", "VGG-16", "LeNet-5", "DenseNet-40"),
            "`archive`: compare its MACs with what the brief allows, and look whether it has an accuracy at all.",
        ),
        Misconception(
            says("archive", "ResNet-50", "EfficientNet-B0", "MobileNetV2", "AlexNet"),
            "`archive`: a more accurate one fits as well. Nothing is said here about memory or depthwise layers.",
        ),
    ],
    hints=(
        "`guide` has an argument for each limit: megabytes, giga_macs, pixels, depthwise_is_fast.",
        "Look for limits that are said in passing: stored as float32, ruled out, enlarged under no circumstances.",
        "The archive's scans have 224 pixels: pass `pixels=224` beside `giga_macs=5`.",
    ),
)


EXERCISES = [SEPARABLE, SQUEEZE_EXCITE, SCALE, MEASURE, BRIEFS]
