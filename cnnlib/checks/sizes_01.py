"""Cases and wrong models of exercises 01.2 and 01.3: paddings and counts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cnnlib import arithmetic
from cnnlib.checks.layers_01 import (
    refusing,
)
from cnnlib.exercises.compare import difference
from cnnlib.exercises.kinds import Case, Misconception


def returning(formula: Callable, message: str) -> Misconception:
    """Recognises results of a wrong formula, whatever the learner refuses.

    ``formula`` refuses nothing. Who computes a wrong size may well refuse by it too, so only what is returned counts.
    """

    def recognised(came, expected, case) -> bool:
        if case.raises is not None and isinstance(came, np.ndarray) and not came.size:
            return True  # what is left of a layer that does not fit
        try:
            return difference(came, formula(*case.args, **case.kwargs)) is None
        except (ArithmeticError, ValueError):
            return False

    return Misconception(recognised, message, predicate=True)


def wrong_formulas(right: Callable, wrong: Sequence[tuple[Callable, str]]) -> list[Misconception]:
    """Each wrong formula twice: first for learners who refuse what ``right`` refuses, then for all others.

    The first kind is told apart more sharply, because it also counts where the wrong formula would have failed and the
    learner's did not.
    """
    sharp = [Misconception(refusing(right, formula), message) for formula, message in wrong]
    return sharp + [returning(formula, message) for formula, message in wrong]


def two_errors(
    right: Callable, build: Callable, parts: Mapping[str, Sequence[tuple[Callable, str]]], probes: Sequence[tuple]
) -> list[Misconception]:
    """Misconceptions of learners who have two parts of a formula wrong, with what there is to say to each.

    Args:
        right: the reference.
        build: makes the formula; called with the wrong parts, by name.
        parts: for each part the wrong ideas of it, each with its message, the most common first; four are combined.
        probes: arguments that tell formulas apart; a pair of errors that shows as one, or as none, is left out.
    """

    def seen_as(formula: Callable) -> tuple:
        return tuple(formula(*probe) for probe in probes)

    known = {seen_as(right), *(seen_as(build(**{name: part})) for name, ideas in parts.items() for part, _ in ideas)}
    found = []
    for (one, ideas), (other, more_ideas) in itertools.combinations(parts.items(), 2):
        for (part, message), (other_part, other_message) in itertools.product(ideas[:4], more_ideas[:4]):
            formula = build(**{one: part, other: other_part})
            if seen_as(formula) not in known:
                known.add(seen_as(formula))
                found.append(Misconception(refusing(right, formula), f"Two things. {message} And: {other_message}"))
    return found


def _draw_layer(rng: np.random.Generator) -> tuple[int, int, int, int, int]:
    """A random size, kernel, stride, padding, dilation that fit."""
    kernel, stride, padding, dilation = rng.integers(1, 8), rng.integers(1, 6), rng.integers(0, 5), rng.integers(1, 5)
    span = dilation * (kernel - 1) + 1
    size = max(span - 2 * padding, 1) + rng.integers(0, 40)
    return tuple(int(value) for value in (size, kernel, stride, padding, dilation))


def same_cases(rng: np.random.Generator) -> Iterator[Case]:
    size = int(rng.integers(10, 60))
    yield Case((size, 3), about="an odd kernel without a stride")
    yield Case((size, 5), about="an odd kernel without a stride")
    yield Case((size, int(rng.choice([2, 4, 6]))), about="an even kernel")
    yield Case((224, 3), {"stride": 2}, about="an even size and a stride of 2")
    yield Case((225, 3), {"stride": 2}, about="an odd size and a stride of 2")
    yield Case((3 * size + 1, 5), {"stride": 3}, about="a stride of 3")
    yield Case((size, 3), {"dilation": int(rng.integers(2, 5))}, about="dilation")
    yield Case((size, 4), {"dilation": 3}, about="an even kernel with dilation")
    yield Case((2 * size, 1), {"stride": 2}, about="a kernel of 1 with a stride")
    yield Case((12, 2), {"stride": 4}, about="a stride longer than the kernel")
    yield Case((3, 7), about="a kernel wider than the image")
    yield Case((5, 3), {"dilation": 4}, about="a dilated kernel wider than the image")
    yield Case((3, 2), {"stride": 5}, about="a stride longer than the image")
    for _ in range(18):
        size, kernel, stride, _, dilation = _draw_layer(rng)
        yield Case((size, kernel), {"stride": stride, "dilation": dilation}, about="everything at once")
    for args, settings in (
        ((0, 3), {}),
        ((8, 0), {}),
        ((8, 3), {"stride": 0}),
        ((8, 3), {"dilation": 0}),
        ((-4, 3), {}),
    ):
        yield Case(args, settings, raises=ValueError, about="an argument smaller than 1")
    yield Case((1, 1), about="the smallest arguments there are")


def shared_model(
    total: Callable[[int, int, int, int], int], share: Callable = lambda n: (n // 2, n - n // 2)
) -> Callable:
    """Same padding with another total, ``total(size, kernel, stride, dilation)``, or shared in another way."""

    def model(size, kernel, stride=1, dilation=1):
        return share(total(size, kernel, stride, dilation))

    return refusing(arithmetic.same_padding, model)


def same_total(size: int, kernel: int, stride: int, dilation: int, floor: bool = False) -> int:
    """Zeros in all, before a negative number is raised to 0."""
    outputs = size // stride if floor else -(-size // stride)
    return (outputs - 1) * stride + dilation * (kernel - 1) + 1 - size


def same_refusing(too_large: Callable[[int, int, int, int], bool]) -> Callable:
    """The right padding, but refusing more than it should: ``too_large(size, kernel, stride, dilation)``."""

    def model(size, kernel, stride=1, dilation=1):
        if too_large(size, kernel, stride, dilation):
            raise ValueError
        return arithmetic.same_padding(size, kernel, stride, dilation)

    return model


def same_without_refusal(size, kernel, stride=1, dilation=1):
    if stride == 0:
        raise ZeroDivisionError
    total = max(same_total(size, kernel, stride, dilation), 0)
    return total // 2, total - total // 2


def conv_cost(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
    """The reference: (parameters, multiply-accumulates)."""
    height, width, channels = input_shape
    output = [arithmetic.output_size(n, k, stride, padding) for n, k in zip((height, width), kernel_size)]
    parameters = arithmetic.conv_parameters(tuple(kernel_size), channels, filters, bias=bias)
    return parameters, arithmetic.conv_macs(output, tuple(kernel_size), channels, filters)


def cost_cases(rng: np.random.Generator) -> Iterator[Case]:
    def shape() -> tuple[int, int, int]:
        height, width = rng.choice(np.arange(12, 48), size=2, replace=False)
        return int(height), int(width), int(rng.integers(2, 9))

    yield Case(((8, 8, 1), 1, (3, 3)), about="one channel, one filter")
    yield Case(((8, 8, 3), 1, (3, 3)), about="three channels")
    yield Case((shape(), int(rng.integers(3, 33)), (3, 3)), about="many filters")
    yield Case((shape(), int(rng.integers(3, 33)), (3, 3)), {"bias": False}, about="no bias")
    yield Case((shape(), int(rng.integers(3, 33)), (2, 5)), about="a kernel that is not square")
    yield Case((shape(), int(rng.integers(3, 33)), (3, 3)), {"padding": 1}, about="padding")
    yield Case((shape(), int(rng.integers(3, 33)), (3, 3)), {"stride": 2}, about="a stride of 2")
    yield Case(((224, 224, 3), 64, (7, 7)), {"stride": 2, "padding": 3}, about="the first layer of ResNet")
    for _ in range(12):
        settings = {
            "stride": int(rng.integers(1, 4)),
            "padding": int(rng.integers(0, 4)),
            "bias": bool(rng.integers(2)),
        }
        kernel_size = tuple(int(k) for k in rng.choice(np.arange(1, 8), size=2, replace=False))
        yield Case((shape(), int(rng.integers(2, 33)), kernel_size), settings, about="everything at once")
    yield Case(((3, 9, 2), 4, (5, 3)), raises=ValueError, about="a kernel higher than the padded image")
    yield Case(
        ((9, 3, 2), 4, (3, 6)),
        {"padding": 1, "bias": False},
        raises=ValueError,
        about="a kernel wider than the padded image",
    )
    for shape, kernel_size in (((3, 9, 2), (5, 3)), ((9, 3, 2), (3, 5))):
        # -2 / 3, rounded towards zero, would be one place
        yield Case((shape, 4, kernel_size), {"stride": 3}, raises=ValueError, about="a kernel too large, and a stride")
    yield Case(((5, 6, 2), 4, (7, 8)), {"padding": 1}, about="a kernel that fits exactly once")


def counts_model(
    parameters: Callable | None = None, macs: Callable | None = None, output: Callable | None = None
) -> Callable:
    """Both counts with one part exchanged, and nothing refused. The parts are called with all that is known."""

    def model(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
        (h, w, cin), (kh, kw) = input_shape, kernel_size
        known = {
            "h": h,
            "w": w,
            "cin": cin,
            "cout": filters,
            "kh": kh,
            "kw": kw,
            "s": stride,
            "p": padding,
            "bias": bias,
        }
        places = ((h + 2 * padding - kh) // stride + 1, (w + 2 * padding - kw) // stride + 1)
        known["oh"], known["ow"] = output(**known) if output else places
        known["weights"] = kh * kw * cin * filters
        count = parameters(**known) if parameters else known["weights"] + (filters if bias else 0)
        return count, macs(**known) if macs else known["oh"] * known["ow"] * known["weights"]

    return model


def cost_cut_towards_zero(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
    """Refuses a layer by its size, after ``int`` has made one place of a little less than none."""
    for n, k in zip(input_shape, kernel_size):
        if int((n + 2 * padding - k) / stride) + 1 < 1:
            raise ValueError
    parts = {"output": lambda h, w, kh, kw, s, p, **_: (int((h + 2 * p - kh) / s) + 1, int((w + 2 * p - kw) / s) + 1)}
    return counts_model(**parts)(input_shape, filters, kernel_size, stride, padding, bias)


def refusing_counts(**parts: Callable) -> Callable:
    return refusing(conv_cost, counts_model(**parts))


def _cost_part(message: str, **parts: Callable) -> tuple[Misconception, Misconception]:
    """A wrong idea about one of the two counts: alone, and also where the other is wrong for another reason."""
    index = 0 if "parameters" in parts else 1
    model = counts_model(**parts)

    def recognised(came, expected, case) -> bool:
        return np.size(came) == 2 and difference(came[index], model(*case.args, **case.kwargs)[index]) is None

    alone = Misconception(refusing(conv_cost, model), message)
    return alone, Misconception(recognised, message, predicate=True)


COST_PARTS = (
    _cost_part(
        "Your multiply-accumulates include the biases of a layer that has them. By convention they count products "
        "only.",
        macs=lambda oh, ow, weights, cout, bias, **_: oh * ow * (weights + (cout if bias else 0)),
    ),
    _cost_part(
        "Your multiply-accumulates include the biases. By convention they count products only.",
        macs=lambda oh, ow, weights, cout, **_: oh * ow * (weights + cout),
    ),
    _cost_part(
        "Your parameters never include biases. Each filter adds one number to all its outputs, unless bias=False.",
        parameters=lambda weights, **_: weights,
    ),
    _cost_part(
        "You count the biases even for a layer without them (bias=False).",
        parameters=lambda weights, cout, **_: weights + cout,
    ),
    _cost_part(
        "You count one bias for the whole layer. Each filter has its own.",
        parameters=lambda weights, bias, **_: weights + 1 if bias else weights,
    ),
    _cost_part(
        "You count a bias for each weight. A filter adds up all its products first and then adds *one* bias.",
        parameters=lambda weights, bias, **_: 2 * weights if bias else weights,
    ),
    _cost_part(
        "You count a bias for each slice of a filter. The slices are summed first, and one bias is added to the sum.",
        parameters=lambda kh, kw, cin, cout, bias, **_: (kh * kw + (1 if bias else 0)) * cin * cout,
    ),
    _cost_part(
        "You count a bias for each *input* channel. Biases belong to filters, so to the output channels.",
        parameters=lambda weights, cin, bias, **_: weights + cin if bias else weights,
    ),
    _cost_part(
        "Your parameters do not change with the input channels. A filter is a cube: it has a slice for each of them.",
        parameters=lambda kh, kw, cout, bias, **_: (kh * kw + (1 if bias else 0)) * cout,
    ),
    _cost_part(
        "You count the parameters of one filter. How many filters are there?",
        parameters=lambda kh, kw, cin, bias, **_: kh * kw * cin + (1 if bias else 0),
    ),
    _cost_part(
        "Your parameters grow with the image. All windows share the same weights: that is the point of the layer.",
        parameters=lambda oh, ow, weights, cout, bias, **_: oh * ow * (weights + (cout if bias else 0)),
    ),
    _cost_part(
        "Your multiply-accumulates count the pixels of the input. It is the pixels of the *output* that are computed.",
        output=lambda h, w, **_: (h, w),
    ),
    _cost_part(
        "Your multiply-accumulates do not change with the stride. A stride of 2 leaves a quarter of the places.",
        output=lambda h, w, kh, kw, p, **_: (h + 2 * p - kh + 1, w + 2 * p - kw + 1),
    ),
    _cost_part(
        "Your multiply-accumulates do not change with the padding. It adds places where the window stands.",
        output=lambda h, w, kh, kw, s, **_: ((h - kh) // s + 1, (w - kw) // s + 1),
    ),
    _cost_part(
        "The output has the wrong size if the kernel is not square: kernel_size is (height, width), as is the image.",
        output=lambda h, w, kh, kw, s, p, **_: ((h + 2 * p - kw) // s + 1, (w + 2 * p - kh) // s + 1),
    ),
    _cost_part(
        "You take the output as square. Its height and its width may differ.",
        output=lambda h, kh, s, p, **_: ((h + 2 * p - kh) // s + 1,) * 2,
    ),
    _cost_part(
        "You count twice as many: these are floating-point operations. One multiply-accumulate is a product *and* its "
        "addition.",
        macs=lambda oh, ow, weights, **_: 2 * oh * ow * weights,
    ),
    _cost_part(
        "Your multiply-accumulates do not change with the input channels. A window is a cube: it has a slice in each.",
        macs=lambda oh, ow, kh, kw, cout, **_: oh * ow * kh * kw * cout,
    ),
    _cost_part(
        "You count the multiply-accumulates of one filter. Every filter visits every place.",
        macs=lambda oh, ow, kh, kw, cin, **_: oh * ow * kh * kw * cin,
    ),
    _cost_part(
        "You count the numbers that come out. Each of them takes a product for every weight of a filter.",
        macs=lambda oh, ow, cout, **_: oh * ow * cout,
    ),
)
