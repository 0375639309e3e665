"""The checks of appendix A, from PyTorch and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import layers

from cnnlib import porting
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, Wrong

# A.1 Permute the weights ----------------------------------------------------------------------------------------------


def dense_kernel(weight, shape):
    """The reference answer."""
    return np.asarray(weight).reshape(-1, *shape).transpose(2, 3, 1, 0).reshape(-1, len(weight))


def _kernel_cases(rng: np.random.Generator) -> Iterator[Case]:
    for out, shape in ((2, (3, 2, 2)), (5, (4, 3, 2)), (3, (2, 1, 4)), (1, (3, 3, 3)), (4, (1, 2, 3))):
        about = f"{out} outputs behind a map of {shape[0]} channels, {shape[1]} x {shape[2]}"
        yield Case((rng.normal(size=(out, int(np.prod(shape)))).round(2), shape), about=about)


def _rows(weight, shape, axes, order=None):
    """The inputs split by `order` (the map's own if None), put into the order of `axes`."""
    split = weight.reshape(-1, *(order or shape))
    return split.transpose(0, *(axis + 1 for axis in axes)).reshape(len(weight), -1).T


PERMUTE = FunctionExercise(
    "A.1",
    "Permute the weights",
    reference=dense_kernel,
    cases=_kernel_cases,
    misconceptions=(
        Misconception(
            lambda weight, shape: weight.T,
            "The kernel is transposed, and its rows stand in PyTorch's order still: channel by channel.",
        ),
        Misconception(
            lambda weight, shape: _rows(weight, shape, (2, 0, 1), (shape[1], shape[2], shape[0])),
            "You split the inputs as height, width, channels: that is where they should go, not how they lie.",
        ),
        Misconception(
            lambda weight, shape: _rows(weight, shape, (2, 1, 0)),
            "Width comes before height. Keras goes along a row of pixels first: height, width, channels.",
        ),
        Misconception(
            lambda weight, shape: dense_kernel(weight, shape).T,
            "The order is right, the shape is PyTorch's: a kernel of Keras is (in, out).",
        ),
        Misconception(
            lambda weight, shape: weight.reshape(*shape, -1).transpose(1, 2, 0, 3).reshape(-1, len(weight)),
            "In PyTorch's weight the *outputs* come first: (out, channels, height, width), once it is split.",
        ),
    ),
    hints=(
        "Row 1 of PyTorch's inputs is the pixel beside the first one, in the same channel. Which one is it in Keras?",
        "Give the weight its four axes first: `weight.reshape(out, channels, height, width)`.",
        "Then bring the axes into the order height, width, channels, out, and make one of the first three again.",
    ),
    remark="porting.to_keras(model, state, flattened={'dense': (channels, height, width)}) does the same.",
)


# A.2 What PyTorch keeps -----------------------------------------------------------------------------------------------


def running_statistics(batches, momentum):
    """The reference answer."""
    return _kept(batches, momentum)


def _kept(
    batches,
    momentum: float,
    share: Callable = lambda momentum: momentum,
    ddof: int = 1,
    axes: tuple[int, ...] = (0, 2, 3),
    start: tuple[float, float] = (0.0, 1.0),
    spread: Callable = np.var,
    only: slice = slice(None),
) -> tuple[np.ndarray, np.ndarray]:
    """The statistics with one of the steps exchanged."""
    channels = batches[0].shape[1 if 1 not in axes else 3]
    mean, variance = np.full(channels, start[0]), np.full(channels, start[1])
    own = share(momentum)
    for batch in batches[only]:
        mean = (1 - own) * mean + own * batch.mean(axis=axes)
        variance = (1 - own) * variance + own * spread(batch, axis=axes, ddof=ddof)
    return mean, variance


def _by_image(batches, momentum):
    """Variances of each image, averaged."""
    mean, variance = np.zeros(batches[0].shape[1]), np.ones(batches[0].shape[1])
    for batch in batches:
        mean = (1 - momentum) * mean + momentum * batch.mean(axis=(0, 2, 3))
        variance = (1 - momentum) * variance + momentum * batch.var(axis=(2, 3), ddof=1).mean(axis=0)
    return mean, variance


def _all_at_once(batches, momentum):
    whole = np.concatenate(batches)
    return whole.mean(axis=(0, 2, 3)), whole.var(axis=(0, 2, 3), ddof=1)


def _statistics_cases(rng: np.random.Generator) -> Iterator[Case]:
    for count, shape, momentum, about in (
        (1, (2, 3, 2, 2), 0.1, "one batch of two images"),
        (3, (4, 2, 3, 3), 0.1, "three batches"),
        (2, (3, 5, 2, 4), 0.3, "a momentum of 0.3"),
        (6, (2, 2, 2, 3), 0.05, "six batches and a momentum of 0.05"),
    ):
        batches = [rng.normal(rng.uniform(1, 4), 2, shape) for _ in range(count)]
        yield Case((batches, momentum), about=about)


STATISTICS = FunctionExercise(
    "A.2",
    "What PyTorch keeps",
    reference=running_statistics,
    cases=_statistics_cases,
    misconceptions=(
        Misconception(
            lambda batches, momentum: _kept(batches, momentum, share=lambda m: 1 - m),
            "That is the momentum of Keras: the share that stays. PyTorch's is the share of the *new* value.",
        ),
        Misconception(
            lambda batches, momentum: _kept(batches, momentum, ddof=0),
            "The mean is right. The variance that PyTorch *keeps* is divided by n - 1.",
        ),
        Misconception(
            lambda batches, momentum: _kept(batches, momentum, start=(0.0, 0.0)),
            "The running variance begins at 1, not at 0.",
        ),
        Misconception(
            lambda batches, momentum: _kept(
                batches, momentum, spread=lambda batch, axis, ddof: batch.std(axis=axis, ddof=ddof)
            ),
            "That is a running standard deviation. What is kept is the variance.",
        ),
        Misconception(_by_image, "One variance over all images of the batch and all places, not one for each image."),
        Misconception(_all_at_once, "That forgets nothing and weights all batches alike. The statistics *move*."),
        Misconception(
            lambda batches, momentum: _kept(batches, momentum, only=slice(-1, None)),
            "Only the last batch has been seen. Each batch moves what the ones before have left.",
        ),
    ),
    hints=(
        "n is the number of values of a channel in a batch: images times height times width. Axes (0, 2, 3).",
        "After each batch: (1 - momentum) times the old value, plus momentum times that of the batch.",
        "Begin with `np.zeros(channels)` and `np.ones(channels)`. `np.var` has `ddof=1` for a division by n - 1.",
    ),
    remark="Keras divides by n, so its variance is a little smaller: by 1/n of what a batch adds.",
)


# A.3 Convert a listing ------------------------------------------------------------------------------------------------

VARIANTS: tuple[tuple[dict, str], ...] = (
    (
        {"padding": "same"},
        'For an even size "same" pads below and at the right only. Pad one pixel on each side, then pad no more.',
    ),
    ({"epsilon": 1e-3}, "The epsilon is that of Keras, 1e-3. PyTorch's is 1e-5."),
    ({"slope": 0.3}, "The slope is that of Keras's Leaky ReLU, 0.3. PyTorch's is 0.01."),
    ({"slope": 0.0}, "Negative numbers become 0. A *leaky* ReLU leaves a hundredth of them."),
    ({"order": "activation first"}, "The activation comes before the normalisation. In the listing it comes after."),
    (
        {"pool": "zeros"},
        "Your pooling pads with zeros, and zeros win against negative numbers. PyTorch pads with minus infinity.",
    ),
)


def _down(shape, filters, padding="torch", epsilon=1e-5, slope=0.01, order="", pool="same") -> keras.Model:
    """The block with one of its conventions exchanged."""
    norm, leak = layers.BatchNormalization(epsilon=epsilon), layers.LeakyReLU(negative_slope=slope)
    middle = [leak, norm] if order else [norm, leak]
    pad, inside = ([layers.ZeroPadding2D(1)], "valid") if padding == "torch" else ([], padding)
    conv = layers.Conv2D(filters, 3, strides=2, padding=inside, use_bias=False)
    before = [layers.ZeroPadding2D(1)] if pool == "zeros" else []
    end = layers.MaxPooling2D(3, strides=1, padding="valid" if pool == "zeros" else "same")
    return keras.Sequential([keras.Input(shape), *pad, conv, *middle, *before, end])


def _state(channels: int, filters: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights of the listing, with some channels that hardly vary."""
    return {
        "0.weight": rng.normal(0, 0.3, (filters, channels, 3, 3)).astype("float32"),
        "1.weight": rng.uniform(0.8, 1.2, filters).astype("float32"),
        "1.bias": rng.normal(-1.5, 0.5, filters).astype("float32"),
        "1.running_mean": rng.normal(0, 0.3, filters).astype("float32"),
        "1.running_var": rng.choice([0.002, 0.5, 1.0], filters).astype("float32"),
    }


def _answer(model: keras.Model, state: dict, x: np.ndarray) -> np.ndarray:
    porting.to_keras(model, state)
    return keras.ops.convert_to_numpy(model(x, training=False))


def _check_down(answer, rng: np.random.Generator) -> None:
    if not callable(answer):
        raise Wrong("`down` should be a function of a shape and a number of filters.")
    wrong: list[tuple[str, np.ndarray, np.ndarray]] = []
    ideas = [message for _, message in VARIANTS]
    for shape, filters in (((8, 8, 3), 4), ((9, 7, 2), 6), ((14, 16, 3), 5)):
        tried = f"down({shape}, {filters})"
        model = answer(shape, filters)
        if not isinstance(model, keras.Model) or isinstance(model, type):
            raise Wrong("`down` should return a keras.Model.", tried=tried, came=type(model).__name__)
        if not model.built or not model.inputs:
            raise Wrong("The model does not know its input yet: begin it with keras.Input(shape).", tried=tried)
        _right_layers(model, tried)
        state = _state(shape[-1], filters, rng)
        x = rng.normal(size=(2, *shape)).astype("float32")
        expected = _answer(_down(shape, filters), state, x)
        try:
            came = _answer(model, state, x)
        except ValueError as error:
            raise Wrong("PyTorch's weights do not fit into your layers.", tried=tried, likely=str(error)) from None
        if came.shape != expected.shape:
            raise Wrong(
                "The output has another shape.",
                tried=tried,
                came=str(came.shape),
                expected=str(expected.shape),
                likely="A stride of 2 with one pixel of padding halves an even size; the pooling keeps it.",
            )
        if not np.allclose(came, expected, atol=1e-4):
            wrong.append((tried, came[0, 0, 0], expected[0, 0, 0]))
            others = ((message, _answer(_down(shape, filters, **change), state, x)) for change, message in VARIANTS)
            told = {message for message, other in others if np.allclose(came, other, atol=1e-4)}
            ideas = [message for message in ideas if message in told]
        elif not wrong:
            _right_momentum(model, state, x, tried)
    if wrong:
        tried, came, expected = wrong[0]
        shown = {"likely": ideas[0]} if ideas else {"came": came, "expected": expected}
        raise Wrong("The output is another one.", tried=tried, **shown)


def _right_layers(model: keras.Model, tried: str) -> None:
    convs = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    if len(convs) != 1:
        raise Wrong("There should be one convolution.", tried=tried, came=f"{len(convs)}", expected="1")
    if convs[0].use_bias:
        raise Wrong(
            "Your convolution has a bias, and the listing says bias=False.",
            tried=tried,
            likely="The normalisation behind it takes every constant off again, so a bias would be lost.",
        )
    if not any(isinstance(layer, layers.BatchNormalization) for layer in model.layers):
        raise Wrong("There is no batch normalisation among the layers.", tried=tried)


def _right_momentum(model: keras.Model, state: dict, x: np.ndarray, tried: str) -> None:
    """How far one batch in training mode moves the running mean."""
    (norm,) = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    before = _moving_mean(norm)
    conv = _conv_output(model, x)
    model(x, training=True)
    share = np.linalg.norm(_moving_mean(norm) - before) / np.linalg.norm(conv.mean(axis=(0, 1, 2)) - before)
    if abs(share - 0.1) > 0.01:
        right = "The running mean should move by a tenth of the way in a batch."
        likely = {
            0.9: "0.1 is PyTorch's number, the share of the new value. Keras asks for the share that stays.",
            0.01: "0.99 is the default of Keras. PyTorch's default is another one.",
        }
        said = next((text for value, text in likely.items() if abs(share - value) < 0.1 * value), "")
        raise Wrong(right, tried=tried, came=f"{share:.3g} of the way", expected="0.1 of the way", likely=said)


def _moving_mean(norm: keras.Layer) -> np.ndarray:
    return keras.ops.convert_to_numpy(norm.moving_mean).copy()


def _conv_output(model: keras.Model, x: np.ndarray):
    conv = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
    return keras.ops.convert_to_numpy(keras.Model(model.inputs, conv.output)(x))


CONVERT = CheckExercise(
    "A.3",
    "Convert a listing",
    check=_check_down,
    hints=(
        "Five lines of PyTorch, six layers here: one padding must be written out. Which?",
        "Go through the defaults: epsilon, momentum, the slope of LeakyReLU. None of the three is that of Keras.",
        "`ZeroPadding2D(1)` stands before a convolution that is 'valid'. The pooling has a stride of 1, so there "
        "padding='same' is right, and it does not pad with zeros.",
    ),
    remark="A pooling with stride 1 has even padding at every size; that is why it may stay as it is.",
)


# A.4 Decay by another name --------------------------------------------------------------------------------------------


def decay(optimizer, arguments):
    """The reference answer."""
    return _translated(optimizer, arguments)


def _translated(
    optimizer,
    arguments,
    half: float = 0.5,
    coupled: tuple[str, ...] = ("SGD", "Adam"),
    default: float = 0.01,
    refuse: bool = True,
) -> dict:
    if optimizer not in ("SGD", "Adam", "AdamW") and refuse:
        raise ValueError
    number = arguments.get("weight_decay", default if optimizer == "AdamW" else 0)
    return {"l2": number * half, "weight_decay": 0} if optimizer in coupled else {"l2": 0, "weight_decay": number}


def _with(**change) -> Callable:
    return lambda optimizer, arguments: _translated(optimizer, arguments, **change)


def _decay_cases(rng: np.random.Generator) -> Iterator[Case]:
    for name in ("SGD", "Adam", "AdamW"):
        number = float(rng.choice([1e-4, 5e-4, 0.01, 0.05, 0.1]) * rng.integers(1, 4))
        yield Case((name, {"lr": 0.1, "weight_decay": number}), about=f"{name} with a weight decay")
        yield Case((name, {"lr": 0.1}), about=f"{name} without one")
    yield Case(("AdamW", {"weight_decay": 0}), about="AdamW with a weight decay of 0")
    yield Case(("SGD", {"momentum": 0.9, "weight_decay": 5e-4}), about="the usual numbers of ResNet")
    yield Case(("LBFGS", {}), raises=ValueError, about="an optimizer that is not among the three")


DECAY = FunctionExercise(
    "A.4",
    "Decay by another name",
    reference=decay,
    cases=_decay_cases,
    misconceptions=(
        Misconception(
            _with(half=1.0),
            "L2(a) adds a times the *square* to the loss, so 2a times the weight to the gradient: half the number.",
        ),
        Misconception(_with(half=2.0), "The factor is the wrong way round: L2 of half the number."),
        Misconception(
            _with(coupled=()),
            "`weight_decay` of Keras shrinks the weight beside the step. That is AdamW, not SGD or Adam of PyTorch.",
        ),
        Misconception(
            _with(coupled=("SGD",)),
            "Adam of PyTorch adds its decay to the gradient, as SGD does, so that it is divided by the root of the "
            "second moment. Only AdamW does otherwise.",
        ),
        Misconception(_with(coupled=("SGD", "Adam", "AdamW")), "AdamW decays the weight itself, not by the gradient."),
        Misconception(_with(default=0), "AdamW of PyTorch has a weight decay that is not 0 if nothing is said."),
        Misconception(_with(refuse=False), "Another optimizer should get a ValueError, not a guess."),
    ),
    hints=(
        "Is the decay part of the gradient, or does it stand beside the step? In Keras the first is a regulariser.",
        "The gradient of a w² is 2 a w. PyTorch adds `weight_decay` times w.",
        "SGD and Adam: L2 of half the number. AdamW: `weight_decay`, and 0.01 if none is given.",
    ),
    remark="With plain SGD, and only there, both are the same step.",
)


# A.5 Find the trap ----------------------------------------------------------------------------------------------------

TRAPS = ("channels", "padding", "ceil_mode", "epsilon")
FOUND = {
    "channels": "Blue and red cannot be told apart in a grey image. So ask with grey ones first, with colours last.",
    "padding": '"same" differs for an *even* side only. Ask with an even one and an odd one, both grey.',
    "ceil_mode": "Behind the convolution a side of 9 has 5 places: 2 windows, 3 with `ceil_mode`. A side of 7 has 4.",
    "epsilon": "An epsilon shows in *every* image, in grey ones of a side of 7, too, where nothing else shows.",
}


def _network(rng: np.random.Generator, trap: str = "", offset: float = 0.0) -> Callable:
    """The network of the exercise in NumPy, with a trap or as it should be; its last score is the same for all."""
    kernel = rng.normal(0, 0.4, (3, 3, 3, 6))
    mean, variance = rng.normal(0, 0.3, 6), rng.uniform(0.003, 0.02, 6)
    scale, shift = rng.uniform(0.8, 1.2, 6), rng.normal(0, 0.3, 6)
    linear = rng.normal(0, 0.6, (6, 4)) * [1, 1, 1, 0]

    def scores(images):
        x = np.asarray(images, float)
        if x.ndim != 4 or x.shape[-1] != 3 or x.shape[1] != x.shape[2] or x.shape[1] < 5:
            raise ValueError(f"the networks take images (n, side, side, 3) with a side from 5 on; {x.shape} was given")
        side = x.shape[1]
        x = x[..., ::-1] if trap == "channels" else x
        first = 0 if trap == "padding" and side % 2 == 0 else 1
        x = np.pad(x, ((0, 0), (first, 1), (first, 1), (0, 0)))
        size = (side - 1) // 2 + 1
        ends = [slice(i, i + 2 * size - 1, 2) for i in range(3)]
        maps = sum(x[:, ends[i], ends[j]] @ kernel[i, j] for i in range(3) for j in range(3))
        epsilon = 1e-3 if trap == "epsilon" else 1e-5
        maps = scale * (maps - mean) / np.sqrt(variance + epsilon) + shift
        if size % 2:
            maps = (
                maps[:, :-1, :-1]
                if trap == "ceil_mode"
                else np.pad(maps, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
            )
        n, side, _, channels = maps.shape
        maps = maps.reshape(n, side // 2, 2, side // 2, 2, channels).max(axis=(2, 4))
        return (maps.mean(axis=(1, 2)) @ linear + offset).astype("float32")

    return scores


def _check_trap(answer, rng: np.random.Generator) -> None:
    if not callable(answer):
        raise Wrong("`find_trap` should be a function of two functions.")
    said = []
    # Scores that are all positive, and all negative.
    for trap, offset in [(trap, offset) for offset in (30.0, -30.0) for trap in rng.permutation(TRAPS)]:
        seed = int(rng.integers(2**31))
        came = answer(*(_network(np.random.default_rng(seed), each, offset) for each in ("", trap)))
        if not isinstance(came, str) or came not in TRAPS:
            raise Wrong("That is none of the four names.", came=came, expected=" or ".join(f'"{t}"' for t in TRAPS))
        said.append((str(trap), came))
    wrong = [(trap, came) for trap, came in said if trap != came]
    if wrong and len({came for _, came in said}) == 1:
        raise Wrong("You give the same answer for every pair.", came=said[0][1], likely="Ask both, and compare.")
    if wrong:
        trap, came = wrong[0]
        raise Wrong("One of the pairs is not told.", came=f'"{came}"', expected=f'"{trap}"', likely=FOUND[trap])


TRAP = CheckExercise(
    "A.5",
    "Find the trap",
    check=_check_trap,
    hints=(
        "Look for an image that hides all traps but one. Which trap can no image hide?",
        "Sides: even or odd before the convolution decides about one trap, even or odd behind it about another.",
        "Grey, side 7: only an epsilon shows. Grey, side 8: the padding as well. Grey, side 9: `ceil_mode`. What is "
        "left shows in colours only.",
    ),
    remark="That is how a port is tested: even and odd sizes, grey and colours, a pixel with little variance.",
)


EXERCISES = [PERMUTE, STATISTICS, CONVERT, DECAY, TRAP]
