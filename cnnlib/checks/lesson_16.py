"""The checks of lesson 16, fast enough: convolution on hardware."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib import reference
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception, ValueExercise, misspells, says

B_t, G, A_t = reference.WINOGRAD_PIXELS, reference.WINOGRAD_KERNEL, reference.WINOGRAD_OUTPUT

# 16.1 Winograd --------------------------------------------------------------------------------------------------------


def winograd_tile(tile, kernel):
    """The reference answer."""
    products = (G @ kernel @ G.T) * (B_t @ tile @ B_t.T)
    return products, A_t @ products @ A_t.T


def _tiled(tile, kernel, pixels=None, taps=None, joined=None, out=None, result=None):
    """The answer with one of its parts exchanged."""
    changed = (taps or (lambda g: G @ g @ G.T))(kernel)
    products = (joined or np.multiply)(changed, (pixels or (lambda d: B_t @ d @ B_t.T))(tile))
    y = (out or (lambda m: A_t @ m @ A_t.T))(products)
    return (result or (lambda products, y: (products, y)))(products, y)


def _tile_with(**change) -> Callable:
    return lambda tile, kernel: _tiled(tile, kernel, **change)


def _direct(tile, kernel):
    return np.array([[np.sum(tile[i : i + 3, j : j + 3] * kernel) for j in (0, 1)] for i in (0, 1)])


def _tile_cases(rng: np.random.Generator) -> Iterator[Case]:
    corner = np.zeros((3, 3))
    corner[0, 0] = 1.0
    yield Case((np.arange(16.0).reshape(4, 4), corner), about="a kernel that picks the upper left pixel")
    corner = np.zeros((3, 3))
    corner[0, 2] = 1.0
    yield Case((np.arange(16.0).reshape(4, 4), corner), about="a kernel that picks the upper right pixel")
    yield Case((np.ones((4, 4)), np.ones((3, 3))), about="ones everywhere")
    for _ in range(3):
        yield Case((rng.normal(size=(4, 4)), rng.normal(size=(3, 3))), about="random numbers")


WINOGRAD = FunctionExercise(
    "16.1",
    "Winograd",
    reference=winograd_tile,
    cases=_tile_cases,
    misconceptions=(
        Misconception(
            _tile_with(joined=np.matmul),
            "In the brackets numbers are multiplied one by one, 16 of them. `@` is a matrix product, with 64.",
        ),
        Misconception(
            _tile_with(taps=lambda g: G @ g[::-1, ::-1] @ G.T),
            "You flip the kernel. Networks do not, and $F(2{\\times}2, 3{\\times}3)$ is written for them.",
        ),
        Misconception(
            _tile_with(taps=lambda g: G @ g.T @ G.T),
            "The kernel is transposed: rows and columns have changed places.",
        ),
        Misconception(
            _tile_with(pixels=lambda d: B_t.T @ d @ B_t),
            "`B_t` is B *transposed* already: it stands on the left, and its own transposed on the right.",
        ),
        Misconception(
            _tile_with(pixels=lambda d: B_t @ d @ B_t),
            "On the right of the tile stands $B$, the transposed of `B_t`.",
        ),
        Misconception(
            _tile_with(pixels=lambda d: B_t @ d),
            "The tile is transformed from the left only: its rows are done, its columns are not.",
        ),
        Misconception(
            _tile_with(out=lambda m: m[:2, :2]),
            "The output is not a corner of the products: they are added up by `A_t`, from both sides.",
        ),
        Misconception(_tile_with(result=lambda products, y: y), "The 16 products are asked for, too: return a pair."),
        Misconception(
            _tile_with(result=lambda products, y: (y, products)), "The pair is the other way round: products first."
        ),
        Misconception(
            lambda tile, kernel: (G @ kernel @ G.T, _direct(tile, kernel)),
            "The output is right, but these are not the products: it is the kernel alone, before it meets the tile.",
        ),
    ),
    hints=(
        "Do the kernel first: which matrix makes a (4, 4) of a (3, 3), if it stands on both sides?",
        "The kernel becomes `G @ kernel @ G.T`, the tile `B_t @ tile @ B_t.T`. Both are (4, 4).",
        "Multiply the two with `*`, keep that as the products, and bring them to (2, 2) with `A_t` and `A_t.T`.",
    ),
    remark="reference.conv2d_winograd does it for all tiles, channels and filters at once.",
)

# 16.2 Arithmetic intensity --------------------------------------------------------------------------------------------


def intensity(height, width, kernel, channels_in, channels_out, groups=1, batch=1, bytes_each=4):
    """The reference answer."""
    return _intensity(height, width, kernel, channels_in, channels_out, groups, batch, bytes_each)


def _intensity(
    height,
    width,
    kernel,
    channels_in,
    channels_out,
    groups=1,
    batch=1,
    bytes_each=4,
    each: int = 2,
    read: int = 1,
    write: int = 1,
    weigh: Callable = lambda weights, batch: weights,
    grouped: bool = True,
    images: Callable = lambda batch: batch,
    width_of: Callable = lambda bytes_each: bytes_each,
    upside: bool = False,
):
    """The answer with one of its parts exchanged."""
    weights = kernel**2 * channels_in // (groups if grouped else 1) * channels_out
    places = images(batch) * height * width
    moved = read * places * channels_in + write * places * channels_out + weigh(weights, batch)
    done = each * batch * height * width * weights
    found = done / (width_of(bytes_each) * moved)
    return 1 / found if upside else found


def _intensity_with(**change) -> Callable:
    def wrong(height, width, kernel, channels_in, channels_out, groups=1, batch=1, bytes_each=4):
        return _intensity(height, width, kernel, channels_in, channels_out, groups, batch, bytes_each, **change)

    return wrong


def _one_map_a_group(height, width, kernel, channels_in, channels_out, groups=1, batch=1, bytes_each=4):
    weights = kernel**2 * channels_in // groups * channels_out // groups
    places = batch * height * width
    return 2 * places * weights / (bytes_each * (places * (channels_in + channels_out) + weights))


def _intensity_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((56, 56, 3, 64, 64), about="the example")
    yield Case((7, 14, 1, 32, 8), about="a 1x1 with fewer channels out")
    yield Case((14, 14, 3, 24, 24), {"groups": 24}, about="depthwise")
    yield Case((7, 7, 3, 64, 128), {"groups": 4}, about="four groups")
    yield Case((7, 7, 3, 64, 64), {"batch": 32}, about="a batch of 32")
    yield Case((7, 7, 3, 64, 64), {"bytes_each": 1}, about="int8")
    for _ in range(3):
        groups = int(rng.choice([1, 2, 4]))
        sizes = [int(n) for n in rng.integers(3, 40, 2)]
        channels = [groups * int(n) for n in rng.integers(2, 30, 2)]
        more = {"groups": groups, "batch": int(rng.integers(2, 9)), "bytes_each": int(rng.choice([2, 4]))}
        yield Case((*sizes, int(rng.choice([1, 3, 5])), *channels), more, about="random sizes")


INTENSITY = FunctionExercise(
    "16.2",
    "Arithmetic intensity",
    reference=intensity,
    cases=_intensity_cases,
    misconceptions=(
        Misconception(
            _intensity_with(each=1), "A multiply-accumulate is *two* operations, a multiplication and an addition."
        ),
        Misconception(
            _intensity_with(weigh=lambda weights, batch: 0), "The weights are read from memory, too: they are missing."
        ),
        Misconception(
            _intensity_with(weigh=lambda weights, batch: batch * weights),
            "The weights are read once for the whole batch, not once for each image.",
        ),
        Misconception(
            _intensity_with(images=lambda batch: 1),
            "The maps of *all* images of the batch are moved, and you count those of one.",
        ),
        Misconception(_intensity_with(write=0), "The output is written to memory: it is missing."),
        Misconception(_intensity_with(read=0), "The input is read from memory: it is missing."),
        Misconception(
            _intensity_with(width_of=lambda bytes_each: 1), "That is operations for each *number*. A number has bytes."
        ),
        Misconception(
            _intensity_with(width_of=lambda bytes_each: 4), "A number has `bytes_each` bytes, and not always four."
        ),
        Misconception(
            _intensity_with(grouped=False),
            "With groups a filter reads only its own group: `channels_in // groups` channels.",
        ),
        Misconception(
            _one_map_a_group,
            "Each *output* channel still has its filter: only the input channels are divided by the groups.",
        ),
        Misconception(_intensity_with(upside=True), "Operations for each byte, not bytes for each operation."),
    ),
    hints=(
        "Two counts: operations, and numbers that are moved. Which three things are moved?",
        "Weights are `kernel**2 * channels_in // groups * channels_out`, and each of them is used at every place of "
        "every image. Moved are the input, the output, and the weights once.",
        "Twice `batch * height * width * weights`, over `bytes_each` times all that is moved.",
    ),
    remark="deploy.intensities(trace(model)) tells it of every layer of a network.",
)

# 16.3 Fewer, and slower -----------------------------------------------------------------------------------------------

SLOWER = ValueExercise(
    "16.3",
    "Fewer, and slower",
    expected={"tiles": "memory", "split": "calls", "sparse": "arithmetic"},
    misconceptions=(
        Misconception(
            misspells("memory", "calls", "arithmetic"), 'There are three limits: `"memory"`, `"calls"`, `"arithmetic"`.'
        ),
        Misconception(
            says("tiles", "arithmetic"),
            "At the peak, 22 M operations take 0.22 ms, a quarter of what was measured. How long do its bytes take?",
        ),
        Misconception(says("tiles", "calls"), "Two calls take 0.04 ms. How long do the bytes of `tiles` take?"),
        Misconception(
            says("split", "memory"),
            "0.6 MB take 0.06 ms, a small part of the measured time. What does `split` have most of?",
        ),
        Misconception(
            says("split", "arithmetic"),
            "Another time explains nearly all of `split`: 40 of something, at 20 µs each.",
        ),
        Misconception(
            says("sparse", "memory"),
            "0.8 MB take 0.08 ms, and 4.1 ms were measured: memory does not explain `sparse`.",
        ),
        Misconception(says("sparse", "calls"), "One call takes 0.02 ms, and 4.1 ms were measured."),
    ),
    hints=(
        "For each design compute three times: operations over the peak, bytes over the bandwidth, calls times 20 µs.",
        "`tiles`: 0.22 ms, 0.92 ms and 0.04 ms, and 0.97 ms were measured. Which of the three is the limit?",
        "In one of the others the largest of the three times is nearly the measured one. In the last none comes near, "
        "so the operations are done far below the peak.",
    ),
    remark="Tiles in memory, a layer cut into forty, a sparse product that skips around: all three are real.",
)

# 16.4 Fold a normalisation --------------------------------------------------------------------------------------------


def fold(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3):
    """The reference answer."""
    return _fold(kernel, bias, gamma, beta, mean, variance, epsilon)


def _fold(
    kernel,
    bias,
    gamma,
    beta,
    mean,
    variance,
    epsilon=1e-3,
    factor: Callable = lambda gamma, variance, epsilon: gamma / np.sqrt(variance + epsilon),
    shift: Callable = lambda beta, bias, mean, factor: beta + (bias - mean) * factor,
    spread: Callable = lambda kernel, factor: kernel * factor,
):
    """The answer with one of its parts exchanged."""
    each = factor(gamma, variance, epsilon)
    return spread(kernel, each), shift(beta, bias, mean, each)


def _fold_with(**change) -> Callable:
    def wrong(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3):
        return _fold(kernel, bias, gamma, beta, mean, variance, epsilon, **change)

    return wrong


def _fold_cases(rng: np.random.Generator) -> Iterator[Case]:
    def case(size, inside, out, epsilon, about, variance=None):
        parts = [rng.normal(size=(size, size, inside, out)), *rng.normal(size=(4, out))]
        parts.append(rng.uniform(0.2, 3, out) if variance is None else np.full(out, variance))
        return Case(tuple(parts), {"epsilon": epsilon}, about=about)

    yield case(1, 2, 2, 1e-3, "a 1x1 with two channels")
    yield case(3, 4, 4, 1e-3, "as many channels out as in")
    yield case(3, 3, 5, 1e-5, "more channels out than in")
    yield case(3, 2, 3, 0.1, "a channel that never varied", variance=0.0)
    yield case(5, 6, 2, 0.5, "a large epsilon")


FOLD = FunctionExercise(
    "16.4",
    "Fold a normalisation",
    reference=fold,
    cases=_fold_cases,
    misconceptions=(
        Misconception(
            _fold_with(factor=lambda gamma, variance, epsilon: gamma / (variance + epsilon)),
            "The root is missing: the normalisation divides by the standard deviation, not by the variance.",
        ),
        Misconception(
            _fold_with(factor=lambda gamma, variance, epsilon: gamma / np.sqrt(variance + 1e-30)),
            "Epsilon is missing: it is added to the variance, under the root.",
        ),
        Misconception(
            _fold_with(factor=lambda gamma, variance, epsilon: gamma / (np.sqrt(variance) + epsilon)),
            "Epsilon is added under the root, to the variance, not to the standard deviation.",
        ),
        Misconception(
            _fold_with(factor=lambda gamma, variance, epsilon: gamma / np.sqrt(variance + 1e-3)),
            "`epsilon` is an argument, and not always 0.001.",
        ),
        Misconception(
            _fold_with(factor=lambda gamma, variance, epsilon: 1 / np.sqrt(variance + epsilon)),
            "Gamma is missing from the factor.",
        ),
        Misconception(
            _fold_with(shift=lambda beta, bias, mean, factor: beta - mean * factor),
            "The old bias is lost. It goes through the normalisation like everything else that the convolution gives.",
        ),
        Misconception(
            _fold_with(shift=lambda beta, bias, mean, factor: beta + bias - mean * factor),
            "The old bias is added after the normalisation. It stands before it, so it gets the factor, too.",
        ),
        Misconception(
            _fold_with(shift=lambda beta, bias, mean, factor: beta + bias - mean),
            "The mean and the old bias get the factor, too: $(b - \\mu)$ times it.",
        ),
        Misconception(
            _fold_with(shift=lambda beta, bias, mean, factor: beta + (bias + mean) * factor),
            "The mean is taken off, not added.",
        ),
        Misconception(
            _fold_with(shift=lambda beta, bias, mean, factor: (bias - mean) * factor), "Beta is missing from the bias."
        ),
        Misconception(
            _fold_with(spread=lambda kernel, factor: kernel),
            "The kernel is as it was. Each filter gets the factor of its channel.",
        ),
    ),
    hints=(
        "Write $z$ as a factor times $x * w$, plus something that does not depend on $x$.",
        "The factor of each channel is gamma over the root of variance plus epsilon. The last axis of a kernel is the "
        "output channel, so `kernel * factor` gives each filter its own.",
        "What does not depend on $x$ is beta, and the old bias minus the mean, times the factor.",
    ),
    remark="Converters do it by themselves, and so exports have fewer layers than the model.",
)

# 16.5 Quantise a tensor -----------------------------------------------------------------------------------------------


def quantise(x):
    """The reference answer."""
    return _quantise(x)


def _with_zero(x):
    return min(float(x.min()), 0.0), max(float(x.max()), 0.0)


def _quantise(
    x,
    refuse: bool = True,
    ends: Callable = _with_zero,
    steps: float = 255,
    least: int = -128,
    most: int = 127,
    point: Callable = round,
    rounded: Callable = np.round,
    cast: Callable = lambda q: q.astype(np.int8),
    empty: float = 1.0,
    order: Callable = lambda q, scale, zero_point: (q, scale, zero_point),
):
    """The answer with one of its parts exchanged."""
    x = np.asarray(x, float)
    if refuse and not np.isfinite(x).all():
        raise ValueError
    low, high = ends(x)
    scale = (high - low) / steps or empty
    with np.errstate(all="ignore"):
        zero_point = point(least - low / scale)
        q = cast(np.clip(rounded(x / scale) + zero_point, least, most))
    return order(q, scale, zero_point)


def _quantise_with(**change) -> Callable:
    return lambda x: _quantise(x, **change)


def _symmetric(x):
    edge = float(np.abs(x).max())
    return -edge, edge


def _cut_off(x):
    return _quantise(x, rounded=np.trunc)


def _wrapped(x):
    low, high = _with_zero(x)
    scale = (high - low) / 255 or 1.0
    zero_point = round(-128 - low / scale)
    return (np.round(np.asarray(x) / scale) + zero_point + 1).astype(np.int64).astype(np.int8), scale, zero_point


def _unclipped(x):
    scale, zero_point = _quantise(x)[1:]
    return (np.round(np.asarray(x) / scale) + zero_point).astype(np.int64).astype(np.int8), scale, zero_point


def _quantise_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([-1.0, 0.0, 0.5, 1.55]),), about="both signs")
    yield Case((np.array([0.0, 1.0, 2.0, 2.55]),), about="from 0 on, as behind a ReLU")
    yield Case((np.array([2.0, 3.0, 5.1]),), about="all above 0")
    yield Case((np.array([-5.1, -3.0, -2.0]),), about="all below 0")
    yield Case((np.zeros((2, 3)),), about="only zeros")
    yield Case((np.array([-1.5, 0.0, 253.5]),), about="a highest value that rounds up, as the zero point does")
    for shape in ((3, 4), (2, 3, 2), (40,)):
        yield Case((rng.normal(rng.uniform(-1, 1), rng.uniform(0.5, 3), shape),), about="random values")
    yield Case((np.array([1.0, np.nan]),), raises=ValueError, about="a value is NaN")
    yield Case((np.array([1.0, np.inf]),), raises=ValueError, about="a value is infinite")


QUANTISE = FunctionExercise(
    "16.5",
    "Quantise a tensor",
    reference=quantise,
    cases=_quantise_cases,
    result_type=("int8", None, None),
    about_type="The numbers fit into a byte each and still take as many as before: what int8 saves is saved by "
    "`.astype(np.int8)`, after the clip.",
    misconceptions=(
        Misconception(
            _quantise_with(ends=lambda x: (float(x.min()), float(x.max()))),
            "0 must lie within the range: padding and ReLU give it, and it must be met exactly.",
        ),
        Misconception(
            _quantise_with(ends=_symmetric),
            "The range goes from the lowest value to the highest; yours is the same on both sides of 0, and gives away "
            "steps.",
        ),
        Misconception(_quantise_with(steps=256), "256 whole numbers have 255 steps between them."),
        Misconception(_quantise_with(steps=127), "From -128 to 127 there are 255 steps, not 127."),
        Misconception(
            _quantise_with(least=0, most=255, cast=lambda q: q.astype(np.uint8)),
            "That is uint8, from 0 to 255. Here the lowest end becomes -128, the highest 127.",
        ),
        Misconception(_cut_off, "`x / scale` is cut off, not rounded: that moves everything towards 0 by half a step."),
        Misconception(
            _quantise_with(rounded=np.floor),
            "`x / scale` is rounded down. Round to the *nearest*, or all values come out too low.",
        ),
        Misconception(
            _quantise_with(point=int), "The zero point is rounded, not cut off: `round(-128 - low / scale)`."
        ),
        Misconception(_quantise_with(point=lambda value: value), "The zero point is a whole number: round it."),
        Misconception(
            _unclipped,
            "The highest value and the zero point may both round up, to 128, which int8 takes for -128: clip.",
        ),
        Misconception(_wrapped, "A value falls off one end and comes out at the other. Clip to -128 and 127 first."),
        Misconception(
            _quantise_with(refuse=False), "NaN and infinity have no place among 256 numbers: raise a `ValueError`."
        ),
        Misconception(_quantise_with(empty=math.nan), "Where all values are 0, the range is 0, and you divide by it."),
        Misconception(
            _quantise_with(order=lambda q, scale, zero_point: (q, zero_point, scale)),
            "The scale comes before the zero point in the triple.",
        ),
        Misconception(
            _quantise_with(order=lambda q, scale, zero_point: q), "The scale and the zero point are asked for, too."
        ),
    ),
    hints=(
        "First the two ends: `x.min()` and `x.max()`, unless 0 lies beyond one of them. Then it is the end.",
        "`scale` is high minus low over 255. `zero_point` is where 0 comes to lie if low is to lie at -128.",
        "`np.round(x / scale) + zero_point`, then `np.clip` to -128 and 127, then `.astype(np.int8)`.",
    ),
    remark="deploy.scheme(x) does it, with axis= for a scale each channel and symmetric=True for weights.",
)

# 16.6 Read a profile --------------------------------------------------------------------------------------------------


def speed_up(profile, kind, factor):
    """The reference answer."""
    return _faster(profile, kind, factor)


def _faster(
    profile,
    kind,
    factor,
    refuse: bool = True,
    chosen: Callable = lambda times: sum(times),
    whole: Callable = lambda total, part, factor: total / (total - part + part / factor),
):
    """The answer with one of its parts exchanged."""
    times = [milliseconds for _, type_, milliseconds in profile if type_ == kind]
    if refuse and not times:
        raise ValueError
    return whole(sum(milliseconds for _, _, milliseconds in profile), chosen(times) if times else 0.0, factor)


def _faster_with(**change) -> Callable:
    return lambda profile, kind, factor: _faster(profile, kind, factor, **change)


def _by_count(profile, kind, factor):
    share = sum(type_ == kind for _, type_, _ in profile) / len(profile)
    if not share:
        raise ValueError
    return 1 / (1 - share + share / factor)


def _by_name(profile, kind, factor):
    chosen = sum(ms for name, _, ms in profile if name == kind)
    total = sum(ms for _, _, ms in profile)
    return total / (total - chosen + chosen / factor)


def _profile_cases(rng: np.random.Generator) -> Iterator[Case]:
    example = [("conv_1", "Conv2D", 2.0), ("norm_1", "BatchNormalization", 4.0), ("conv_2", "Conv2D", 4.0)]
    yield Case((example, "Conv2D", 3), about="the example")
    yield Case((example, "BatchNormalization", 2), about="the same, the normalisation")
    yield Case((example, "BatchNormalization", math.inf), about="the normalisation costs nothing any more")
    yield Case((example, "Conv2D", 1), about="a factor of 1")
    yield Case((example, "Add", 2), raises=ValueError, about="a type that no layer has, first in the alphabet")
    yield Case((example, "Conv2D", 0.5), about="a factor of a half: they get slower")
    types = ("Conv2D", "DepthwiseConv2D", "Dense", "ReLU")
    for _ in range(3):
        rows = [(f"layer_{i}", str(rng.choice(types)), float(np.round(rng.uniform(0.1, 5), 2))) for i in range(8)]
        yield Case(
            ([*rows, ("last", "Dense", 1.0), ("relu", "ReLU", 0.5)], "Dense", int(rng.integers(2, 9))), about="random"
        )
    yield Case((example, "Dense", 2), raises=ValueError, about="no layer of that type")


PROFILE = FunctionExercise(
    "16.6",
    "Read a profile",
    reference=speed_up,
    cases=_profile_cases,
    misconceptions=(
        Misconception(
            lambda profile, kind, factor: float(factor),
            "That is how much faster *these layers* get. The others take as long as before.",
        ),
        Misconception(
            _faster_with(whole=lambda total, part, factor: (total - part + part / factor) / total),
            "That is the new time as a share of the old one. How many times *faster* is old over new.",
        ),
        Misconception(
            _faster_with(whole=lambda total, part, factor: total / (total - part)),
            "You leave the layers out. They still take a `factor`-th of their time.",
        ),
        Misconception(
            _faster_with(whole=lambda total, part, factor: total - part + part / factor),
            "Those are the milliseconds that are left. Set the old time in proportion to them.",
        ),
        Misconception(
            _faster_with(whole=lambda total, part, factor: 1 + part / total * (factor - 1)),
            "Speed-ups cannot be averaged, times can: compute the new time first.",
        ),
        Misconception(_faster_with(chosen=max), "All layers of that type count, and you take the slowest alone."),
        Misconception(
            _faster_with(chosen=lambda times: times[0]), "All layers of that type count, and you take the first alone."
        ),
        Misconception(_by_count, "You count layers. A layer's share is that of its *milliseconds*."),
        Misconception(_by_name, "`kind` is a type, the second entry of a row. You compare it with the name."),
        Misconception(
            _faster_with(refuse=False),
            "No layer is of that type, so the question has no meaning: raise a `ValueError`.",
        ),
    ),
    hints=(
        "Two sums first: all milliseconds, and those of the layers of that type.",
        "What is the whole time afterwards? The others as before, and a `factor`-th of those of that type.",
        "Old time over new time. An infinite factor needs nothing special: a number over `math.inf` is 0.",
    ),
    remark="This is Amdahl's law: what is not improved is the limit. Lesson 17 meets it again.",
)

# 16.7 Meet a latency budget -------------------------------------------------------------------------------------------


def choose(options, rate, budget):
    """The reference answer."""
    return _chosen(options, rate, budget)


def _waiting(option, rate):
    return 1000 * (option["batch"] - 1) / rate + option["p95"]


def _chosen(
    options,
    rate,
    budget,
    wait: Callable = _waiting,
    within: Callable = lambda wait, budget: wait <= budget,
    keeps_up: Callable = lambda option, rate: option["p95"] <= 1000 * option["batch"] / rate,
    key: Callable = lambda option, wait: (-option["accuracy"], wait),
    result: Callable = lambda option: option["name"],
    none: object = None,
):
    """The answer with one of its parts exchanged."""
    fitting = [o for o in options if within(wait(o, rate), budget) and keeps_up(o, rate)]
    return result(min(fitting, key=lambda o: key(o, wait(o, rate)))) if fitting else none


def _choose_with(**change) -> Callable:
    return lambda options, rate, budget: _chosen(options, rate, budget, **change)


def _option(name, accuracy, batch, p95):
    return {"name": name, "accuracy": accuracy, "batch": batch, "p95": p95}


def _budget_cases(rng: np.random.Generator) -> Iterator[Case]:
    small, large = _option("small", 0.8, 1, 5.0), _option("large", 0.9, 1, 20.0)
    yield Case(([small, large], 10.0, 30.0), about="both fit")
    yield Case(([small, large], 10.0, 10.0), about="only the fast one fits")
    yield Case(([small, large], 10.0, 20.0), about="a wait of exactly the budget")
    yield Case(([small, large], 100.0, 30.0), about="one of them does not keep up")
    yield Case(([small, large], 50.0, 30.0), about="one of them just keeps up")
    filled = _option("large, batch of 8", 0.9, 8, 40.0)
    yield Case(([small, filled], 100.0, 60.0), about="a batch that takes 70 ms to fill")
    yield Case(([small, filled], 100.0, 30.0), about="a batch that takes longer than the budget")
    yield Case(([small, filled], 100.0, 110.0), about="a batch that fills in time")
    yield Case(([small, filled], 100.0, 40.03), about="a budget that is nearly used up by the batch itself")
    yield Case(([small, filled], 20.0, 100.0), about="the same batch, when pictures come slowly")
    behind = _option("large, batch of 4", 0.9, 4, 60.0)
    yield Case(([small, behind], 100.0, 200.0), about="a batch that meets the budget and does not keep up")
    yield Case(([_option("a", 0.9, 1, 9.0), _option("b", 0.9, 1, 4.0)], 10.0, 30.0), about="equal accuracies")
    yield Case(
        ([_option("a", 0.9, 4, 3.0), _option("b", 0.9, 1, 4.0)], 10.0, 900.0), about="equal accuracies, one in a batch"
    )
    yield Case(([_option("near", 0.9, 1, 33.2)], 30.0, 40.0), about="33.2 ms where a picture comes every 33.3 ms")
    yield Case(([_option("pair", 0.9, 2, 10.0)], 30.0, 43.2), about="a wait of 43.3 ms, a budget of 43.2 ms")
    yield Case(([large], 10.0, 5.0), about="nothing fits")
    yield Case(([], 10.0, 5.0), about="no options")
    for _ in range(4):
        many = [
            _option(
                f"option {i}",
                float(np.round(rng.uniform(0.7, 0.95), 3)),
                int(rng.choice([1, 4, 8])),
                float(np.round(rng.uniform(2, 60), 1)),
            )
            for i in range(8)
        ]
        yield Case((many, float(rng.integers(20, 200)), float(rng.integers(30, 150))), about="random options")


BUDGET = FunctionExercise(
    "16.7",
    "Meet a latency budget",
    reference=choose,
    cases=_budget_cases,
    misconceptions=(
        Misconception(
            _choose_with(wait=lambda option, rate: option["p95"]),
            "The first picture of a batch also waits until the batch is full: `batch - 1` more must arrive.",
        ),
        Misconception(
            _choose_with(wait=lambda option, rate: option["p95"] / option["batch"]),
            "Nobody waits for a *share* of a batch: its first answer comes when the whole batch is done.",
        ),
        Misconception(
            _choose_with(wait=lambda option, rate: 1000 * option["batch"] / rate + option["p95"]),
            "The first picture is there already: it waits for `batch - 1` others.",
        ),
        Misconception(
            _choose_with(wait=lambda option, rate: (option["batch"] - 1) / rate + option["p95"]),
            "`rate` is for each second, p95 and the budget are in milliseconds.",
        ),
        Misconception(
            _choose_with(keeps_up=lambda option, rate: True),
            "It must keep up: while one batch is computed the next one arrives, or the queue grows without end.",
        ),
        Misconception(
            _choose_with(keeps_up=lambda option, rate: option["p95"] <= 1000 / rate),
            "A batch has as long as `batch` pictures take to arrive, not as long as one.",
        ),
        Misconception(
            _choose_with(within=lambda wait, budget: wait < budget), "A wait of exactly the budget is allowed."
        ),
        Misconception(
            _choose_with(keeps_up=lambda option, rate: option["p95"] < 1000 * option["batch"] / rate),
            "Exactly as long as the next batch needs to arrive is still in time.",
        ),
        Misconception(
            _choose_with(key=lambda option, wait: wait), "The *most accurate* one that fits, not the fastest."
        ),
        Misconception(
            _choose_with(key=lambda option, wait: -option["accuracy"]),
            "Of equal accuracies take the one with the shorter wait.",
        ),
        Misconception(
            _choose_with(key=lambda option, wait: (-option["accuracy"], option["p95"])),
            "Of equal accuracies the shorter *wait* decides, and the filling of the batch is part of it.",
        ),
        Misconception(_choose_with(result=lambda option: option), "The name is asked for, not the whole option."),
        Misconception(_choose_with(none=""), "If nothing fits, return None."),
    ),
    hints=(
        "For one option: how long does the first picture of a batch wait? Does the next batch come too soon?",
        "Keep the options whose wait is at most the budget and whose p95 is at most `1000 * batch / rate`.",
        "Of these take the one with the highest accuracy, and of equal ones the shortest wait: `min` over pairs of "
        "negative accuracy and wait.",
    ),
    remark="Real pictures do not arrive evenly, so leave room: where a server is nearly always busy, queues are long.",
)


EXERCISES = [WINOGRAD, INTENSITY, SLOWER, FOLD, QUANTISE, PROFILE, BUDGET]
