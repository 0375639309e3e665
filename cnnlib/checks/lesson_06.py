"""The checks of lesson 06, batch normalisation and ResNet."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from cnnlib.exercises.compare import describe
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, Wrong

# 06.1 The forward pass ------------------------------------------------------------------------------------------------


def _axes(x: np.ndarray) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


def _normalised(
    moments: Callable = lambda x: (x.mean(axis=_axes(x)), x.var(axis=_axes(x))),
    formula: Callable = lambda x, g, b, m, v, e: g * (x - m) / np.sqrt(v + e) + b,
    given: bool = True,
    refuse: bool = True,
) -> Callable:
    """Batch normalisation with one of its parts exchanged."""

    def batch_norm(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
        if refuse and (mean is None) != (variance is None):
            raise ValueError
        if mean is None or variance is None or not given:
            mean, variance = moments(x)
        return formula(x, gamma, beta, mean, variance, epsilon)

    return batch_norm


def _filled_up(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
    """Takes from the batch whichever statistic is not given."""
    mean = x.mean(axis=_axes(x)) if mean is None else mean
    variance = x.var(axis=_axes(x)) if variance is None else variance
    return _normalised()(x, gamma, beta, mean, variance, epsilon)


def _norm_cases(rng: np.random.Generator) -> Iterator[Case]:
    column = np.array([[2.0], [4.0], [4.0], [6.0]])
    three, one, zero = np.array([3.0]), np.array([1.0]), np.array([0.0])
    yield Case((column, three, one), {"epsilon": 0.0}, about="the channel above, epsilon 0")
    yield Case(
        (column, three, one),
        {"mean": zero, "variance": np.array([4.0]), "epsilon": 0.0},
        about="a mean of 0 and a variance of 4 given",
    )
    yield Case((column, one, zero), {"epsilon": 2.0}, about="a large epsilon")
    whole = [rng.permutation(np.arange(24)).reshape(4, 6), np.arange(1, 7), np.arange(6)]
    yield Case((whole[0], *(each / 4 for each in whole[1:])), about="an x of whole numbers")
    yield Case((whole[0] / 4, *whole[1:]), about="a gamma and a beta of whole numbers")
    for shape in ((5, 3), (4, 3, 2, 6), (2, 4, 4, 3), (3, 4, 5, 2, 2)):
        channels = shape[-1]
        x = rng.normal(3 * rng.normal(size=channels), 1 + rng.random(channels), size=shape)
        gamma, beta = rng.normal(1.5, 0.5, channels), rng.normal(2, 1, channels)
        yield Case((x, gamma, beta), about=f"a batch of shape {shape}")
        statistics = {"mean": rng.normal(size=channels), "variance": 0.5 + 3 * rng.random(channels)}
        yield Case((x, gamma, beta), statistics, about=f"shape {shape} with given statistics")
        yield Case((x[:1], gamma, beta), {**statistics, "epsilon": 0.5}, about="one image with given statistics")
    yield Case((rng.normal(2, 3, (1, 4, 3, 2)), gamma[:2], beta[:2]), about="a batch of one image")
    yield Case((np.ones((4, 2, 2, 1)), three, one), about="a channel that does not vary")
    yield Case((column, one, zero), {"mean": zero}, raises=ValueError, about="a mean without a variance")
    yield Case((column, one, zero), {"variance": one}, raises=ValueError, about="a variance without a mean")


FORWARD = FunctionExercise(
    "06.1",
    "The forward pass",
    reference=_normalised(),
    cases=_norm_cases,
    misconceptions=(
        Misconception(
            _normalised(moments=lambda x: (x.mean(axis=0), x.var(axis=0))),
            "You average over the batch alone, so every pixel has statistics of its own. A channel has one mean, over "
            "the images *and* their pixels: all axes but the last.",
        ),
        Misconception(
            lambda x, gamma, beta, mean=None, variance=None, epsilon=1e-3: (
                gamma * x + beta
                if mean is None and variance is None and len(x) == 1
                else _normalised()(x, gamma, beta, mean, variance, epsilon)
            ),
            "One image alone is left as it is with you. Its pixels have a mean and a variance, too.",
        ),
        Misconception(
            _normalised(moments=lambda x: (x.mean(), x.var())),
            "You have one mean for everything. Each channel has its own: leave out the last axis.",
        ),
        Misconception(
            _normalised(moments=lambda x: (x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True))),
            "You average over the channels, which is layer normalisation. Here the last axis is the one that *stays*.",
        ),
        Misconception(
            _normalised(
                moments=lambda x: (
                    x.mean(axis=_axes(x)[1:] or (0,), keepdims=x.ndim > 2),
                    x.var(axis=_axes(x)[1:] or (0,), keepdims=x.ndim > 2),
                )
            ),
            "Each of your images has statistics of its own, which is instance normalisation. The first axis, the "
            "batch, belongs to the average too.",
        ),
        Misconception(
            _normalised(moments=lambda x: (x.mean(axis=_axes(x)), x.var(axis=_axes(x), ddof=1))),
            "Your variance divides by the count less one. Here it divides by the count.",
        ),
        Misconception(
            _normalised(formula=lambda x, g, b, m, v, e: g * (x - m) / (np.sqrt(v) + e) + b),
            "You add epsilon to the standard deviation. In the formula it stands under the root, beside the variance.",
        ),
        Misconception(
            _normalised(formula=lambda x, g, b, m, v, e: g * (x - m) / np.sqrt(v) + b),
            "Your answer does not change with epsilon. Without it, a channel that does not vary divides 0 by 0.",
        ),
        Misconception(
            _normalised(formula=lambda x, g, b, m, v, e: g * (x - m) / (v + e) + b),
            "You divide by the variance. Its root, the standard deviation, has the unit of x.",
        ),
        Misconception(
            _normalised(formula=lambda x, g, b, m, v, e: (x - m) / np.sqrt(v + e)),
            "You stop at the normalised values. Gamma scales them and beta shifts them.",
        ),
        Misconception(
            _normalised(formula=lambda x, g, b, m, v, e: g * ((x - m) / np.sqrt(v + e) + b)),
            "Gamma multiplies your beta too. The shift comes last.",
        ),
        Misconception(
            _normalised(formula=lambda x, g, b, m, v, e: b * (x - m) / np.sqrt(v + e) + g),
            "Gamma and beta have changed places: gamma scales, beta shifts.",
        ),
        Misconception(
            _normalised(given=False),
            "You take the statistics of the batch even when others are given. At inference the given ones count.",
        ),
        Misconception(
            _normalised(refuse=False),
            "Everything is right as long as both statistics are given or neither. One without the other is a mistake "
            "of the caller: raise a ValueError.",
        ),
        Misconception(
            _filled_up,
            "You fill in the statistic that is missing from the batch. Half of each fits no layer: raise a "
            "ValueError if only one is given.",
        ),
    ),
    hints=(
        "Which axes does a channel extend over? All but the last: for (batch, height, width, channels) 0, 1 and 2.",
        "`tuple(range(x.ndim - 1))` names these axes for any rank, and `x.mean(axis=...)` takes them all at once.",
        "First decide where mean and variance come from. From there on training and use are the same formula.",
    ),
)


# 06.2 The way back ----------------------------------------------------------------------------------------------------


def _backward(
    parts: Callable = lambda g, n, axes: g - g.mean(axis=axes) - n * (g * n).mean(axis=axes),
    factor: Callable = lambda gamma, deviation: gamma / deviation,
    by_gamma: Callable = lambda g, n, x, axes: (g * n).sum(axis=axes),
    by_beta: Callable = lambda g, axes: g.sum(axis=axes),
    axes: Callable = _axes,
    epsilon_counts: bool = True,
    deviation: Callable = lambda variance, epsilon: np.sqrt(variance + epsilon),
) -> Callable:
    """The gradients of batch normalisation with one of their parts exchanged."""

    def batch_norm_backward(upstream, x, gamma, epsilon=1e-3):
        over = axes(x)
        spread = deviation(x.var(axis=over), epsilon if epsilon_counts else 0.0)
        normalised = (x - x.mean(axis=over)) / spread
        by_x = factor(gamma, spread) * parts(upstream, normalised, over)
        return by_x, by_gamma(upstream, normalised, x, over), by_beta(upstream, over)

    return batch_norm_backward


def _swapped(upstream, x, gamma, epsilon=1e-3):
    by_x, by_gamma, by_beta = _backward()(upstream, x, gamma, epsilon)
    return by_x, by_beta, by_gamma


def _backward_cases(rng: np.random.Generator) -> Iterator[Case]:
    column, one = np.array([[2.0], [4.0], [4.0], [6.0]]), np.array([1.0])
    yield Case((np.array([[1.0], [0.0], [0.0], [0.0]]), column, one, 0.0), about="the example")
    yield Case((np.array([[1.0], [3.0], [0.0], [2.0]]), column, 3 * one, 0.0), about="the channel above, gamma 3")
    yield Case((np.array([[1.0], [3.0], [0.0], [2.0]]), column, one, 2.0), about="a large epsilon")
    whole = rng.permutation(np.arange(24)).reshape(4, 6)
    yield Case((rng.integers(-3, 4, (4, 6)), whole, np.arange(1, 7)), about="whole numbers")
    for shape in ((5, 3), (4, 3, 2, 6), (2, 4, 4, 3), (1, 4, 3, 2), (3, 4, 5, 2, 2)):
        channels = shape[-1]
        x = rng.normal(3 * rng.normal(size=channels), 1 + rng.random(channels), size=shape)
        upstream, gamma = rng.normal(0.5, 1, shape), rng.normal(1.5, 0.5, channels)
        yield Case((upstream, x, gamma), about=f"a batch of shape {shape}")
        yield Case((upstream, x, gamma, 0.5), about=f"shape {shape}, epsilon 0.5")


BACKWARD = FunctionExercise(
    "06.2",
    "The way back",
    reference=_backward(),
    cases=_backward_cases,
    misconceptions=(
        Misconception(
            _backward(parts=lambda g, n, axes: g),
            "You treat mean and variance as constants. They are made of the same x: nudge one value, and both move.",
        ),
        Misconception(
            _backward(parts=lambda g, n, axes: g - g.mean(axis=axes)),
            "You let the mean move with x and keep the variance fixed. Stretch the channel: its output stays, so the "
            "gradient must be blind to that as well.",
        ),
        Misconception(
            _backward(parts=lambda g, n, axes: g - n * (g * n).mean(axis=axes)),
            "You let the variance move with x and keep the mean fixed. Add 1 to the whole channel: its output stays, "
            "so the gradient by x must sum to 0.",
        ),
        Misconception(
            _backward(parts=lambda g, n, axes: g - g.sum(axis=axes) - n * (g * n).sum(axis=axes)),
            "You subtract sums. Each value has one part in as many as there are of the mean and of the variance: "
            "subtract *means*.",
        ),
        Misconception(
            _backward(parts=lambda g, n, axes: g - g.mean(axis=axes) + n * (g * n).mean(axis=axes)),
            "The part that comes through the variance has the wrong sign. A larger variance makes the output smaller.",
        ),
        Misconception(
            _backward(parts=lambda g, n, axes: g - g.mean(axis=axes) - (g * n).mean(axis=axes)),
            "The part that comes through the variance is the same for each value with you. A value far from the mean "
            "moves the variance most: it is in proportion to the normalised x.",
        ),
        Misconception(
            _backward(factor=lambda gamma, deviation: 1 / deviation),
            "Your gradient by x does not know gamma. Whatever reaches the loss passes through it.",
        ),
        Misconception(
            _backward(factor=lambda gamma, deviation: gamma),
            "You do not divide by the standard deviation. The wider a channel, the less a nudge of 1 matters in it.",
        ),
        Misconception(
            _backward(factor=lambda gamma, deviation: gamma / deviation**2),
            "You divide the gradient by x by the variance. The layer divides by its root.",
        ),
        Misconception(
            _backward(factor=lambda gamma, deviation: gamma * deviation),
            "You multiply by the standard deviation. The layer divides by it, and so does its slope.",
        ),
        Misconception(
            _backward(by_gamma=lambda g, n, x, axes: (g * x).sum(axis=axes)),
            "Gamma multiplies the *normalised* x, and you take x itself.",
        ),
        Misconception(
            _backward(by_gamma=lambda g, n, x, axes: (g * n).mean(axis=axes)),
            "Your gradient by gamma is a mean. One gamma serves all values of its channel: what they ask for adds up.",
        ),
        Misconception(
            _backward(by_beta=lambda g, axes: g.mean(axis=axes)),
            "Your gradient by beta is a mean. One beta serves all values of its channel: what they ask for adds up.",
        ),
        Misconception(
            _backward(
                by_gamma=lambda g, n, x, axes: (g * n).mean(axis=axes), by_beta=lambda g, axes: g.mean(axis=axes)
            ),
            "Your gradients by gamma and beta are means. One weight serves all values of its channel: what they ask "
            "for adds up.",
        ),
        Misconception(_swapped, "The gradients by gamma and by beta have changed places: x, gamma, beta."),
        Misconception(
            _backward(axes=lambda x: (0,)),
            "You sum and average over the batch alone. A channel extends over the pixels too: all axes but the last.",
        ),
        Misconception(
            _backward(epsilon_counts=False),
            "Your answer does not change with epsilon. It stands under the root on the way forward, so on the way back "
            "too.",
        ),
        Misconception(
            _backward(deviation=lambda variance, epsilon: np.sqrt(variance) + epsilon),
            "You add epsilon to the standard deviation. It stands under the root, beside the variance.",
        ),
    ),
    hints=(
        "Begin with beta and gamma: y = gamma * normalised + beta, and each of the two serves a whole channel.",
        "Three ways lead from x to y: through x itself, through the mean, and through the variance.",
        "With u the upstream gradient and n the normalised x, what is left of u is u less its mean, less n times the "
        "mean of u * n. Which factor stands before it?",
    ),
    remark="The gradient by x lacks two directions: a common shift and, but for epsilon, a common stretch. The "
    "layers before it can do neither, whatever the loss asks for.",
)


# 06.3 Fold it away ----------------------------------------------------------------------------------------------------


def _folded(
    scale: Callable = lambda g, v, e: g / np.sqrt(v + e),
    kernel: Callable = lambda k, s: k * s,
    offset: Callable = lambda b, beta, mean, s: beta + (b - mean) * s,
) -> Callable:
    """The folded convolution with one of its parts exchanged."""

    def fold(weights, bias, gamma, beta, mean, variance, epsilon=1e-3):
        factor = scale(gamma, variance, epsilon)
        bias = np.zeros_like(beta) if bias is None else bias
        return kernel(weights, factor), offset(bias, beta, mean, factor)

    return fold


def _wrong_axis(weights, factor):
    """Scales the channels that come in. Where their number is another one, repeats or cuts the factors."""
    return weights * np.resize(factor, weights.shape[2])[:, None]


def _fold_cases(rng: np.random.Generator) -> Iterator[Case]:
    one = np.ones(1)
    yield Case((np.full((1, 1, 1, 1), 2.0), None, 3 * one, one, 4 * one, 4 * one, 0.0), about="the example")
    yield Case(
        (np.full((1, 1, 1, 1), 2.0), 5 * one, 3 * one, one, 4 * one, 4 * one, 0.0),
        about="the example, with a bias of 5",
    )
    whole = rng.permutation(np.arange(36)).reshape(3, 3, 2, 2)
    numbers = (np.array([1, 3]), np.array([2, 1]), np.array([1, 2]), np.array([2, 5]))
    yield Case((whole, np.array([4, 1]), *numbers), about="kernel, bias and statistics of whole numbers")
    for size, before, after, with_bias in ((1, 2, 2, False), (3, 4, 4, True), (3, 3, 5, True), (5, 1, 6, False)):
        kernel, statistics = rng.normal(size=(size, size, before, after)), rng.normal(1, 1, (3, after))
        bias = rng.normal(2, 1, after) if with_bias else None
        variance = 0.3 + 2 * rng.random(after)
        about = f"{size}x{size}, {before} channels to {after}, {'with a' if with_bias else 'without'} bias"
        yield Case((kernel, bias, *statistics, variance), about=about)
        yield Case((kernel, bias, *statistics, variance), {"epsilon": 0.4}, about=f"{about}, epsilon 0.4")


FOLD = FunctionExercise(
    "06.3",
    "Fold it away",
    reference=_folded(),
    cases=_fold_cases,
    rtol=1e-4,
    misconceptions=(
        Misconception(
            _folded(offset=lambda b, beta, mean, s: beta - mean * s),
            "The convolution's own bias is lost. It is added before the normalisation, which scales it too.",
        ),
        Misconception(
            _folded(offset=lambda b, beta, mean, s: b + beta - mean * s),
            "You add the convolution's bias as it is. The normalisation comes behind it and scales it like everything.",
        ),
        Misconception(
            _folded(offset=lambda b, beta, mean, s: beta + (b + mean) * s),
            "The mean has the wrong sign: the normalisation subtracts it.",
        ),
        Misconception(
            _folded(offset=lambda b, beta, mean, s: beta + b - mean),
            "You subtract the mean without scaling it. What stands in the bracket (x - mean) is all scaled.",
        ),
        Misconception(_folded(offset=lambda b, beta, mean, s: b * s + beta), "The mean does not occur in your bias."),
        Misconception(
            _folded(offset=lambda b, beta, mean, s: (b - mean) * s), "Beta does not occur in your bias. It comes last."
        ),
        Misconception(
            _folded(offset=lambda b, beta, mean, s: (beta + b - mean) * s),
            "You scale beta too. It is added after the scaling.",
        ),
        Misconception(
            _folded(scale=lambda g, v, e: g / (v + e)), "You divide by the variance. The formula divides by its root."
        ),
        Misconception(
            _folded(scale=lambda g, v, e: g / (np.sqrt(v) + e)), "Epsilon stands under the root, beside the variance."
        ),
        Misconception(
            _folded(scale=lambda g, v, e: g / np.sqrt(v)),
            "Your answer does not change with epsilon, and so it is near, but not equal to what the layer computes.",
        ),
        Misconception(_folded(scale=lambda g, v, e: 1 / np.sqrt(v + e)), "Gamma does not occur in your scale."),
        Misconception(
            _folded(offset=lambda b, beta, mean, s: beta - (b - mean) * s),
            "The shift has the wrong sign: what the convolution adds is scaled and *added* to beta.",
        ),
        Misconception(
            lambda kernel, bias, *rest, **more: (
                _folded()(kernel, bias, *rest, **more)[0],
                None if bias is None else _folded()(kernel, bias, *rest, **more)[1],
            ),
            "A convolution without a bias gets one by folding: mean and beta must go somewhere.",
        ),
        Misconception(
            _folded(kernel=_wrong_axis),
            "You scale the channels that come *in*, the third axis. The normalisation acts on those that come out, the "
            "last one.",
        ),
        Misconception(_folded(kernel=lambda k, s: k), "The kernel has not changed, so its outputs are not scaled."),
    ),
    hints=(
        "Write down what the two do together: gamma (k * x + b - mean) / sqrt(variance + epsilon) + beta.",
        "What multiplies x in it? That is the new kernel. The rest is the new bias.",
        "Call gamma / sqrt(variance + epsilon) the scale, one number for each channel out. NumPy multiplies along the "
        "last axis of a kernel by itself.",
    ),
    remark="Deployed networks are folded like this: a ResNet-50 has 53 layers fewer and the same answers.",
)


# 06.4 A block that halves ---------------------------------------------------------------------------------------------

_SIZE, _CHANNELS = 8, 3
_PLAN = "The block has three convolutions, each with a normalisation behind it: two of 3x3 in the body, one of 1x1 in "
_PLAN += "the shortcut."


def _check_block(answer: object, rng: np.random.Generator) -> None:
    import keras

    if not callable(answer):
        raise Wrong("`halving_block` should be a function of `x` and `filters`.", came=describe(answer))
    filters = int(rng.integers(4, 7))
    x = keras.Input((_SIZE, _SIZE, _CHANNELS))
    tried = f"x of shape (batch, {_SIZE}, {_SIZE}, {_CHANNELS}), {filters} filters"
    y = answer(x, filters)
    if y is None:
        raise Wrong("`halving_block` returns nothing. Is a `return` missing?")
    if not isinstance(y, keras.KerasTensor):
        raise Wrong("It should return a Keras tensor.", tried=tried, came=describe(y))
    if tuple(y.shape) != (None, _SIZE // 2, _SIZE // 2, filters):
        raise Wrong(
            "The result has another shape.",
            tried=tried,
            came=str(tuple(y.shape)),
            expected=str((None, _SIZE // 2, _SIZE // 2, filters)),
            likely="One convolution of the body and the one of the shortcut have stride 2, and all return `filters` "
            "channels.",
        )
    model = keras.Model(x, y)
    convolutions, norms = _parts(model, keras)
    first, second, projection = _roles(convolutions, tried)
    if len(norms) != 3:
        raise Wrong(
            f"There are {len(norms)} normalisations, and three are asked for.",
            tried=tried,
            likely=_PLAN,
        )
    if biased := [layer for layer in convolutions if layer.use_bias]:
        raise Wrong(
            f"{len(biased)} of the convolutions have a bias.",
            tried=tried,
            likely="The normalisation behind takes it away again: `use_bias=False`.",
        )
    names = [getattr(layer.activation, "__name__", "") for layer in convolutions]
    if active := [name for name in names if name != "linear"]:
        raise Wrong(
            f"{len(active)} of the convolutions have an activation of their own, {active[0]!r}.",
            tried=tried,
            likely="It acts before the normalisation behind. A ReLU stands behind the first normalisation of the body "
            "and behind the sum, and nowhere else: give the convolutions no `activation`.",
        )
    if early := [norm for norm in norms if int(norm.moving_mean.shape[0]) != filters]:
        raise Wrong(
            f"{len(early)} of the normalisations do not stand behind a convolution of the block.",
            tried=tried,
            came=f"a normalisation of {int(early[0].moving_mean.shape[0])} channels",
            expected=f"{filters} channels, those that each convolution returns",
            likely="A normalisation before its convolution acts on the channels of `x`. Here it comes right behind.",
        )
    if plain := [norm for norm in norms if not (norm.scale and norm.center)]:
        raise Wrong(
            f"{len(plain)} of the normalisations lack gamma or beta.",
            tried=tried,
            likely="`scale=False` leaves out gamma and `center=False` beta. A batch normalisation has both.",
        )
    _check_result(model, first, second, projection, norms, tried, rng)


def _parts(model, keras) -> tuple[list, list]:
    """All convolutions and normalisations, those inside nested models too."""
    convolutions, norms = [], []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            inner = _parts(layer, keras)
            convolutions += inner[0]
            norms += inner[1]
        elif isinstance(layer, keras.layers.Conv2D):
            convolutions.append(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            norms.append(layer)
    return convolutions, norms


def _roles(convolutions: list, tried: str) -> tuple:
    """The convolutions as (first of the body, second of the body, projection)."""
    sizes = sorted(tuple(layer.kernel_size) for layer in convolutions)
    if sizes == [(3, 3), (3, 3)]:
        raise Wrong(
            "The result does not depend on a 1x1 convolution: the shortcut is missing, or it is built and not added.",
            tried=tried,
            likely=_PLAN,
        )
    if sizes != [(1, 1), (3, 3), (3, 3)]:
        shown = ", ".join(f"{height}x{width}" for height, width in sizes) or "none"
        raise Wrong("These are other convolutions.", tried=tried, came=shown, expected="1x1, 3x3, 3x3", likely=_PLAN)
    (projection,) = (layer for layer in convolutions if tuple(layer.kernel_size) == (1, 1))
    body = [layer for layer in convolutions if layer is not projection]
    first = [layer for layer in body if int(layer.kernel.shape[2]) == _CHANNELS]
    second = [layer for layer in body if layer not in first]
    if len(first) != 1 or int(projection.kernel.shape[2]) != _CHANNELS:
        raise Wrong(
            "The layers are connected in another way: one 3x3 convolution and the 1x1 should read `x`, and the other "
            "3x3 what the first returns.",
            tried=tried,
        )
    if tuple(projection.strides) != (2, 2):
        raise Wrong(
            "The 1x1 convolution does not have a stride of 2.",
            tried=tried,
            likely="Something else halves `x` before it. The projection halves by its own stride, without a pooling.",
        )
    if second[0].padding != "same":
        raise Wrong(
            "The second 3x3 convolution has no padding, so that it makes the maps smaller.",
            tried=tried,
            likely="Maps of another size are not added as they should be; a map of one pixel is spread over all places "
            'without an error. Both 3x3 convolutions need `padding="same"`.',
        )
    if tuple(second[0].strides) != (1, 1):
        raise Wrong(
            "The second 3x3 convolution has a stride of 2.",
            tried=tried,
            likely="The first one halves, so that the second has a quarter of the work.",
        )
    return first[0], second[0], projection


def _check_result(model, first, second, projection, norms, tried: str, rng: np.random.Generator) -> None:
    """Compare with what the learner's own layers give when they are put together as they should be."""
    from keras import ops

    for norm in norms:  # as after training, so that each differs from the others
        count = int(norm.moving_mean.shape[0])
        values = (norm.gamma, rng.uniform(0.5, 2, count)), (norm.beta, rng.normal(0, 0.5, count))
        values += (norm.moving_mean, rng.normal(0, 0.5, count)), (norm.moving_variance, rng.uniform(0.5, 2, count))
        for variable, value in values:
            variable.assign(value.astype("float32"))
    for layer in (first, second, projection):
        layer.kernel.assign(rng.normal(0, 0.3, layer.kernel.shape).astype("float32"))
    # Bright enough for values above 6, where a ReLU6 would cut.
    images = rng.normal(0, 8, (4, _SIZE, _SIZE, _CHANNELS)).astype("float32")
    came = ops.convert_to_numpy(model(images, training=False))
    borders = [_first_convolution(first, images, border) for border in ((0, 0), (1, 1), (0, 1))]
    pictures = ops.convert_to_numpy(projection(images))

    def normalised(norm, values):
        return ops.convert_to_numpy(norm(ops.convert_to_tensor(values), training=False))

    def after(values):
        return ops.convert_to_numpy(second(ops.convert_to_tensor(values)))

    convolutions = [result for result in borders if result is not None]
    for convolved, roles in itertools.product(convolutions, itertools.permutations(norms)):
        inner = normalised(roles[0], convolved)
        body = normalised(roles[1], after(_relu(inner)))
        shortcut = normalised(roles[2], pictures)
        if _close(came, _relu(body + shortcut)):
            return
        linear = normalised(roles[1], after(inner))
        late = normalised(roles[1], after(normalised(roles[0], _relu(convolved))))
        capped = normalised(roles[1], after(_relu6(inner)))
        for message, *results in _mistakes(body, shortcut, linear, late, capped):
            if any(_close(came, result) for result in results):
                raise Wrong(message, tried=tried)
    raise Wrong(
        "All layers are there, but the result is another one than relu(shortcut(x) + body(x)).",
        tried=tried,
        likely="Go through the order: convolution, normalisation, ReLU, convolution, normalisation. Beside it "
        "convolution, normalisation. Then the sum, then ReLU.",
    )


def _relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def _relu6(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 6)


def _mistakes(
    body: np.ndarray, shortcut: np.ndarray, linear: np.ndarray, late: np.ndarray, capped: np.ndarray
) -> Iterator[tuple]:
    """What to say, and the results that call for it.

    `linear`: a body without ReLU, `late`: with norm1 behind it, `capped`: with a ReLU6.
    """
    yield (
        "A ReLU6 cuts off all that is above 6. ReLU has no upper end.",
        _relu(capped + shortcut),
        _relu6(body + shortcut),
        _relu6(capped + shortcut),
    )
    yield "There is no ReLU behind the sum.", body + shortcut
    yield (
        "ReLU stands before the sum, on the body. Then a block can only add, and never take away.",
        _relu(body) + shortcut,
        _relu(_relu(body) + shortcut),
    )
    yield "ReLU is applied to each side and not to their sum.", _relu(body) + _relu(shortcut)
    yield (
        "There is no ReLU between the two convolutions of the body, so together they are no more than one.",
        _relu(linear + shortcut),
        linear + shortcut,
    )
    yield (
        "The shortcut has a ReLU of its own. It should pass on what it is given, below zero too.",
        _relu(body + _relu(shortcut)),
        body + _relu(shortcut),
    )
    yield (
        "Body and shortcut are multiplied. The block *adds* to what comes in.",
        _relu(body * shortcut),
        body * shortcut,
    )
    yield (
        "The shortcut is subtracted from the body, or the body from it. Add them.",
        _relu(body - shortcut),
        _relu(shortcut - body),
    )
    yield "Body and shortcut are averaged. The block adds them.", _relu((body + shortcut) / 2)
    yield (
        "The normalisation stands behind ReLU. In this block it comes right behind its convolution.",
        _relu(late + shortcut),
    )


def _first_convolution(layer, images: np.ndarray, border: tuple[int, int]) -> np.ndarray | None:
    """What the first convolution gives for images with a border of zeros; None if that does not halve them."""
    from keras import ops

    result = ops.convert_to_numpy(layer(np.pad(images, ((0, 0), border, border, (0, 0)))))
    return result if result.shape[1] == _SIZE // 2 else None


def _close(came: np.ndarray, expected: np.ndarray) -> bool:
    return came.shape == expected.shape and np.allclose(came, expected, rtol=1e-3, atol=1e-3)


BLOCK = CheckExercise(
    "06.4",
    "A block that halves",
    check=_check_block,
    hints=(
        "Two paths start at `x`. Give them two names, and use `x` twice.",
        'On each path exactly one convolution has `strides=2`. The 3x3 ones need `padding="same"`.',
        "`layers.Add()([a, b])` adds two tensors. The last ReLU comes behind it.",
    ),
    remark="With this block and the one without a stride you can build every ResNet of the table below.",
)


# 06.5 Why is it called 50? --------------------------------------------------------------------------------------------


def _depth(
    per_block: Mapping[str, int] | None = None,
    more: Callable[[str, tuple], int] = lambda kind, blocks: 2,
    total: Callable[[tuple], int] = sum,
    kinds: bool = True,
    empty: bool = True,
) -> Callable:
    """The depth with one of its parts exchanged."""
    per_block = per_block or {"basic": 2, "bottleneck": 3}

    def depth_of(kind, blocks):
        if (kinds and kind not in per_block) or (empty and min(blocks) < 1):
            raise ValueError
        return per_block.get(kind, 3) * total(blocks) + more(kind, blocks)

    return depth_of


def _depth_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(("basic", (2, 2, 2, 2)), about="ResNet-18")
    yield Case(("bottleneck", (3, 4, 6, 3)), about="ResNet-50")
    yield Case(("basic", (3, 4, 6, 3)), about="ResNet-34")
    yield Case(("bottleneck", (3, 8, 36, 3)), about="ResNet-152")
    yield Case(("basic", (1, 2, 1)), about="stages of a single block")
    yield Case(("basic", (3, 3, 3)), about="three stages, as for CIFAR-10")
    for _ in range(8):
        blocks = tuple(int(n) for n in rng.integers(1, 12, size=int(rng.integers(2, 6))))
        yield Case((str(rng.choice(["basic", "bottleneck"])), blocks), about="any row")
    yield Case(("basic", (2, 0, 2, 2)), raises=ValueError, about="a stage without blocks")
    yield Case(("dense", (2, 2, 2, 2)), raises=ValueError, about="another kind of block")


DEPTH = FunctionExercise(
    "06.5",
    "Why is it called 50?",
    reference=_depth(),
    cases=_depth_cases,
    misconceptions=(
        Misconception(
            _depth(more=lambda kind, blocks: 0),
            "You count the blocks alone. The image passes a layer before the first of them, and one behind the last.",
        ),
        Misconception(
            _depth(more=lambda kind, blocks: 1),
            "You are one short. Before the blocks stands the stem, and behind them the dense layer: both have kernels.",
        ),
        Misconception(
            _depth(more=lambda kind, blocks: 3),
            "You are one too many. The pooling of the stem has no kernel to learn, and does not count.",
        ),
        Misconception(
            _depth(more=lambda kind, blocks: 2 + len(blocks)),
            "You count the projections. They lie beside the body, not on the longest way through it.",
        ),
        Misconception(
            _depth(more=lambda kind, blocks: 2 + len(blocks) - (kind == "basic")),
            "You count the projections, one for each stage that has one. They are not on the longest way.",
        ),
        Misconception(
            _depth(more=lambda kind, blocks: 1 + len(blocks)),
            "You count projections, one for each stage but one. They lie beside the body, not on the longest way.",
        ),
        Misconception(
            _depth({"basic": 2, "bottleneck": 2}),
            "You count two layers in each block, whatever its kind. How many kernels has a bottleneck?",
        ),
        Misconception(
            _depth({"basic": 3, "bottleneck": 3}),
            "You count three layers in each block, whatever its kind. How many kernels has a basic block?",
        ),
        Misconception(
            _depth({"basic": 4, "bottleneck": 6}),
            "You count the normalisations as well. The name counts layers with kernels.",
        ),
        Misconception(
            _depth(total=len), "You count one block in each stage. The numbers of the row say how many there are."
        ),
        Misconception(
            _depth(kinds=False),
            "There are two kinds of blocks. For any other raise a ValueError, so a typo is noticed.",
        ),
        Misconception(_depth(empty=False), "Raise a ValueError for a stage without blocks: there is no such network."),
    ),
    hints=(
        "Work it out for ResNet-18: eight blocks of two layers make 16. Which are the other two?",
        "A bottleneck has three kernels: 1x1, 3x3, 1x1.",
        "The sum over the stages, times the layers of a block, plus the stem and the dense layer.",
    ),
    remark="ResNet-50 is 1 + 3 x 16 + 1. The projections, four more convolutions, are not in the name.",
)


# 06.6 Why the last one? -----------------------------------------------------------------------------------------------

_NAMES = ("conv1", "gamma1", "conv2", "gamma2")
_FORM = "Each of the two is a list of names out of `conv1`, `gamma1`, `conv2`, `gamma2`. It may be empty."
_WHICH = {"last": "`moved_if_last_is_zero`", "first": "`moved_if_first_is_zero`"}


def _check_moved(answer: object, rng: np.random.Generator) -> None:
    if not isinstance(answer, Mapping) or set(answer) != {"last", "first"}:
        raise Wrong("The check takes both lists, as the cell hands them over.", came=describe(answer))
    moved = {key: _names(answer[key], _WHICH[key]) for key in ("last", "first")}
    if moved["last"] == set() and moved["first"] == {"gamma1"}:
        raise Wrong(
            "Nothing would move if the last gamma is 0, you say. Then no network could start like that.",
            likely="The two lists may have changed places, or follow from the same thought: which gradient has gamma1 "
            "as a factor, and which one gamma2?",
        )
    if moved["last"] != {"gamma2"}:
        raise Wrong(_about_last(moved["last"]), tried="`gamma2` starts at 0", came=_shown(moved["last"]))
    if moved["first"]:
        raise Wrong(_about_first(moved["first"]), tried="`gamma1` starts at 0", came=_shown(moved["first"]))


def _names(value: object, which: str) -> set[str]:
    if value is Ellipsis or value is None:
        raise Wrong(f"{which} has no answer yet.")
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise Wrong(_FORM, tried=which, came=describe(value))
    names = {name.strip().lower() if isinstance(name, str) else name for name in value}
    if unknown := [name for name in names if name not in _NAMES]:
        raise Wrong(_FORM, tried=which, came=describe(unknown[0]))
    return names


def _shown(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _about_last(names: set[str]) -> str:
    if not names:
        return (
            "You say that nothing moves. But gamma2 multiplies the normalised output of conv2, which is not 0, so its "
            "own gradient is not 0 either: a little of it would change the loss."
        )
    if "conv2" in names:
        return "What conv2 returns is multiplied by gamma2, which is 0: change conv2 a little, and nothing changes."
    if names & {"conv1", "gamma1"}:
        return (
            "All that the early layers compute passes through gamma2, which is 0. A little change is multiplied by 0."
        )
    return "Which weights change the loss if you change them alone, and a little?"


def _about_first(names: set[str]) -> str:
    if "gamma2" in names:
        return (
            "gamma2 multiplies the normalised output of conv2. What does conv2 return when all it is given is 0? And "
            "what remains of a constant channel when its mean is taken away?"
        )
    if "conv2" in names:
        return "The gradient of conv2 is a sum of products with its *input*. With gamma1 and beta1 at 0 this is 0."
    if "gamma1" in names:
        return (
            "gamma1 has to reach the loss through the ReLU behind it, and that ReLU is given 0 everywhere. Its "
            "derivative there counts as 0."
        )
    return "What conv1 returns is multiplied by gamma1, which is 0: change conv1 a little, and nothing changes."


WHY_LAST = CheckExercise(
    "06.6",
    "Why the last one?",
    check=_check_moved,
    hints=(
        "A weight has a gradient of 0 if the loss does not change when you change this weight alone, by a little.",
        "If gamma2 is 0: what comes out of norm2 when you change conv1, gamma1 or conv2? And when you change gamma2?",
        "If gamma1 is 0: ReLU is given 0 everywhere, so conv2 is given 0 everywhere. What is left to change?",
    ),
    remark="With the last gamma at 0 the first step moves it, and from the second step on the whole body learns. With "
    "the first gamma at 0 the body is dead from the start, and only its last beta would ever move.",
)


EXERCISES = [FORWARD, BACKWARD, FOLD, BLOCK, DEPTH, WHY_LAST]
