"""The checks of lesson 01, convolution arithmetic.

The reference answers are `cnnlib.arithmetic` and `cnnlib.reference`. A misconception is a wrong model of the answer: a
function that is wrong in one way that learners are known for. Outside its own error it does as the reference does, so
it refuses what the reference refuses, unless not refusing is the error.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cnnlib import arithmetic, reference
from cnnlib.exercises.compare import difference
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception


def _refusing(right: Callable, wrong: Callable) -> Callable:
    """``wrong``, except that it refuses what ``right`` refuses."""

    def model(*args, **kwargs):
        right(*args, **kwargs)
        return wrong(*args, **kwargs)

    return model


def _returns(formula: Callable, message: str) -> Misconception:
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


def _formulas(right: Callable, wrong: Sequence[tuple[Callable, str]]) -> list[Misconception]:
    """Each wrong formula twice: first for learners who refuse what ``right`` refuses, then for all others.

    The first kind is told apart more sharply, because it also counts where the wrong formula would have failed and the
    learner's did not.
    """
    sharp = [Misconception(_refusing(right, formula), message) for formula, message in wrong]
    return sharp + [_returns(formula, message) for formula, message in wrong]


def _two_errors(
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
                found.append(Misconception(_refusing(right, formula), f"Two things. {message} And: {other_message}"))
    return found


# 01.1 Output size -----------------------------------------------------------------------------------------------------


def _draw_layer(rng: np.random.Generator) -> tuple[int, int, int, int, int]:
    """A random size, kernel, stride, padding, dilation that fit."""
    kernel, stride, padding, dilation = rng.integers(1, 8), rng.integers(1, 6), rng.integers(0, 5), rng.integers(1, 5)
    span = dilation * (kernel - 1) + 1
    size = max(span - 2 * padding, 1) + rng.integers(0, 40)
    return tuple(int(value) for value in (size, kernel, stride, padding, dilation))


def _output_size_cases(rng: np.random.Generator) -> Iterator[Case]:
    size = int(rng.integers(10, 60))
    yield Case((5, 3), about="a window of 3 on 5 pixels")
    yield Case((size, int(rng.integers(2, 8))), about="no stride, padding or dilation")
    yield Case((size, 3), {"padding": int(rng.integers(1, 4))}, about="padding at both ends")
    yield Case((2 * size + 1, 3), {"stride": 2}, about="a stride of 2 that comes out even")
    yield Case((2 * size, 3), {"stride": 2}, about="a stride of 2 that drops a pixel")
    yield Case((6 * size + 2, 3), {"stride": 3}, about="a stride of 3 that drops two pixels")
    yield Case((size, 3), {"dilation": int(rng.integers(2, 5))}, about="dilation")
    yield Case((224, 7), {"stride": 2, "padding": 3}, about="the first layer of ResNet")
    for _ in range(18):
        size, kernel, stride, padding, dilation = _draw_layer(rng)
        yield Case(
            (size, kernel), {"stride": stride, "padding": padding, "dilation": dilation}, about="everything at once"
        )
    yield Case((7, 7), {"stride": 2}, about="a kernel that fits exactly once")
    yield Case((5, 3), {"padding": 1, "dilation": 3}, about="a dilated kernel that fits exactly once")
    for size, kernel, settings in _too_wide(rng):
        yield Case((size, kernel), settings, raises=ValueError, about="a kernel wider than the padded input")


def _too_wide(rng: np.random.Generator) -> Iterator[tuple[int, int, dict]]:
    size = int(rng.integers(4, 9))
    yield size, size + 1, {}
    yield size, size + 3, {"padding": 1}
    yield 6, 3, {"dilation": 3}
    yield 6, 4, {"dilation": 3, "padding": 1, "stride": 2}
    yield 4, 9, {"stride": 7, "padding": 2}


def _stops(
    span: Callable[[int, int], int] = lambda kernel, dilation: dilation * (kernel - 1) + 1,
    padded: Callable[[int, int], int] = lambda size, padding: size + 2 * padding,
    count: Callable[[int, int], float] = lambda room, stride: room // stride + 1,
) -> Callable:
    """The output size with one of its parts exchanged."""

    def model(size, kernel, stride=1, padding=0, dilation=1):
        return count(padded(size, padding) - span(kernel, dilation), stride)

    return model


def _refuse_if(too_wide: Callable[[int, int, int, int], bool]) -> Callable:
    """The right output size, but refusing other kernels: ``too_wide(size, kernel, padding, dilation)``."""
    right = _stops()

    def model(size, kernel, stride=1, padding=0, dilation=1):
        if too_wide(size, kernel, padding, dilation):
            raise ValueError
        return right(size, kernel, stride, padding, dilation)

    return model


_SIZE_PARTS = {
    "padded": (
        (
            lambda size, padding: size + padding,
            "The padding counts once in your answer. It is added at both ends.",
        ),
        (
            lambda size, padding: size,
            "Your answer does not change with the padding. Padded pixels are pixels: the window stands on them too.",
        ),
    ),
    "span": (
        (
            lambda kernel, dilation: kernel * dilation,
            "Your dilated kernel is too wide. Count for 3 taps that are 2 pixels apart: x . x . x is 5 pixels, not 6, "
            "because there is nothing behind the last tap.",
        ),
        (
            lambda kernel, dilation: kernel + dilation - 1,
            "The dilation widens *every* gap between two taps. A kernel of K taps has K - 1 gaps; your answer widens "
            "one of them.",
        ),
        (
            lambda kernel, dilation: kernel,
            "Your answer does not change with the dilation. How many pixels lie from the first tap to the last?",
        ),
        (
            lambda kernel, dilation: dilation * (kernel - 1),
            "Your window is one pixel too narrow. From pixel a to pixel b there are b - a steps, and one pixel more.",
        ),
        (
            lambda kernel, dilation: dilation * kernel + 1,
            "Your dilated kernel is too wide. K taps have K - 1 gaps between them.",
        ),
    ),
    "count": (
        (
            lambda room, stride: room // stride,
            "One output is missing every time. The division counts the *steps* of the window. How many places does it "
            "stand on when it has taken no step at all?",
        ),
        (
            lambda room, stride: room + 1,
            "Your answer does not change with the stride. With stride S the window takes every S-th place.",
        ),
        (
            lambda room, stride: (room + 1) // stride,
            "The first place of the window costs no step. Divide the room that is left to move in by the stride, and "
            "add the first place after that.",
        ),
        (
            lambda room, stride: -(-room // stride) + 1,
            "You round up. A last step that would carry the window over the edge is not taken.",
        ),
        (
            lambda room, stride: round(room / stride) + 1,
            "You round to the nearest. A last step that would carry the window over the edge is never taken: round "
            "down.",
        ),
        (
            lambda room, stride: room / stride + 1,
            "A window cannot stop two and a half times. What happens to a step that does not fit any more?",
        ),
    ),
}
_WRONG_SIZES = (
    *((_stops(**{name: part}), message) for name, ideas in _SIZE_PARTS.items() for part, message in ideas),
    (
        lambda size, kernel, stride=1, padding=0, dilation=1: -(-size // stride),
        'This is the size for padding="same". Here the padding is given as a number, and the kernel matters.',
    ),
)
_SIZE_PROBES = tuple(itertools.product((29, 30), (1, 2, 4), (1, 2, 3), (0, 1, 2), (1, 2, 3)))


OUTPUT_SIZE = FunctionExercise(
    "01.1",
    "Output size",
    reference=arithmetic.output_size,
    cases=_output_size_cases,
    misconceptions=[
        Misconception(
            _refuse_if(lambda size, kernel, padding, dilation: dilation * (kernel - 1) + 1 >= size + 2 * padding),
            "You refuse a kernel that fits exactly. It has one place to stand.",
        ),
        Misconception(
            _refuse_if(lambda size, kernel, padding, dilation: kernel > size + 2 * padding),
            "You compare the number of taps with the padded input. It is the span of the dilated kernel that has to "
            "fit.",
        ),
        Misconception(
            _refuse_if(lambda size, kernel, padding, dilation: dilation * (kernel - 1) + 1 > size),
            "You refuse a kernel that fits. It may be wider than the input as long as it fits into the *padded* input.",
        ),
        Misconception(
            _stops(),
            "Your sizes are right where the kernel fits. Where it does not, your function returns a number, as if "
            "there were an output. Raise a ValueError there.",
        ),
        *_formulas(arithmetic.output_size, _WRONG_SIZES),
        *_two_errors(arithmetic.output_size, _stops, _SIZE_PARTS, _SIZE_PROBES),
    ],
    hints=(
        "Draw 7 pixels and a window of 3, and move it in steps of 2. How much room does it have to move in?",
        "Three parts: the padded size, the pixels that the dilated kernel spans, and the steps that fit into the rest.",
        "The window stands somewhere before its first step. And `//` rounds down.",
    ),
    remark="Keras counts by this formula, and so does `arithmetic.output_size`, which you may use from here on.",
)


# 01.2 The padding of same ---------------------------------------------------------------------------------------------


def _same_cases(rng: np.random.Generator) -> Iterator[Case]:
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


def _shared(total: Callable[[int, int, int, int], int], share: Callable = lambda n: (n // 2, n - n // 2)) -> Callable:
    """Same padding with another total, ``total(size, kernel, stride, dilation)``, or shared in another way."""

    def model(size, kernel, stride=1, dilation=1):
        return share(total(size, kernel, stride, dilation))

    return _refusing(arithmetic.same_padding, model)


def _same_total(size: int, kernel: int, stride: int, dilation: int, floor: bool = False) -> int:
    """Zeros in all, before a negative number is raised to 0."""
    outputs = size // stride if floor else -(-size // stride)
    return (outputs - 1) * stride + dilation * (kernel - 1) + 1 - size


def _same_refusing(too_large: Callable[[int, int, int, int], bool]) -> Callable:
    """The right padding, but refusing more than it should: ``too_large(size, kernel, stride, dilation)``."""

    def model(size, kernel, stride=1, dilation=1):
        if too_large(size, kernel, stride, dilation):
            raise ValueError
        return arithmetic.same_padding(size, kernel, stride, dilation)

    return model


def _same_without_refusal(size, kernel, stride=1, dilation=1):
    if stride == 0:
        raise ZeroDivisionError
    total = max(_same_total(size, kernel, stride, dilation), 0)
    return total // 2, total - total // 2


SAME_PADDING = FunctionExercise(
    "01.2",
    "The padding of same",
    reference=arithmetic.same_padding,
    cases=_same_cases,
    misconceptions=[
        Misconception(
            _shared(lambda w, k, s, d: (k - 1) // 2, lambda n: (n, n)),
            "Half a kernel on each side is right for an odd kernel without stride and dilation. Start from what "
            '"same" promises, the size of the output, and work back to the zeros that it takes.',
        ),
        Misconception(
            _shared(lambda w, k, s, d: d * (k - 1) // 2, lambda n: (n, n)),
            "Half the span on each side is right only for an odd kernel without a stride. Start from what "
            '"same" promises, the size of the output, and work back to the zeros that it takes.',
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(_same_total(w, k, s, d), 0), lambda n: (n - n // 2, n // 2)),
            "The total is right, and the odd zero stands at the wrong end. Keras puts it behind the last pixel.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(_same_total(w, k, s, d), 0), lambda n: (n, n)),
            "You put the total on each side. It is the sum of both sides.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(_same_total(w, k, s, d), 0), lambda n: ((n + 1) // 2, (n + 1) // 2)),
            "Your two sides are always equal. An odd total cannot be: one side gets a zero more than the other.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(_same_total(w, k, s, d), 0), lambda n: (n // 2, n // 2)),
            "Your two sides are always equal, so a zero is missing where the total is odd.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(_same_total(w, k, s, d), 0), lambda n: (0, n)),
            "All your zeros stand at the end. Only the odd one does; the others are shared.",
        ),
        Misconception(
            _shared(_same_total),
            "You return a negative number of zeros. A kernel that is shorter than the stride needs none: padding "
            "never takes pixels away.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(_same_total(w, k, s, d, floor=True), 0)),
            'You round the number of outputs down. "same" promises one output for every S pixels *begun*: round up.',
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(_same_total(w, k, s, 1), 0)),
            "Your answer does not change with the dilation. It is the dilated kernel that has to fit.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max((-(-w // s) - 1) * s + d * k - w, 0)),
            "Your dilated kernel is too wide: K taps have K - 1 gaps between them, and D pixels lie from tap to tap.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: d * (k - 1)),
            "Your answer does not change with the stride. With a stride the window need not stand on every pixel, so "
            "fewer zeros do.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(d * (k - 1) + 1 - s, 0)),
            "This is right where the stride divides the size. Where it does not, the last window reaches further or "
            "less far: the size of the image takes part.",
        ),
        Misconception(
            _shared(lambda w, k, s, d: max(-(-w // s) * s + d * (k - 1) + 1 - w, 0)),
            "You count one step too many: a window that stops O times takes O - 1 steps.",
        ),
        Misconception(
            _same_refusing(lambda w, k, s, d: k > w),
            "You refuse a kernel that is wider than the image. With zeros around it the image has room for it: "
            '"same" adds as many as it takes.',
        ),
        Misconception(
            _same_refusing(lambda w, k, s, d: d * (k - 1) + 1 > w),
            "You refuse a kernel that spans more than the image. With zeros around it the image has room for it: "
            '"same" adds as many as it takes.',
        ),
        Misconception(
            _same_refusing(lambda w, k, s, d: s > w),
            "You refuse a stride longer than the image. The window then stands in one place, and that is an output.",
        ),
        Misconception(
            _same_without_refusal,
            "Your paddings are right. But 0 pixels, or a kernel, stride or dilation below 1, is no layer: raise a "
            "ValueError.",
        ),
    ],
    hints=(
        "How many outputs are promised? Where does the last of them begin?",
        "The last window begins (O - 1) * S pixels after the first and spans D * (K - 1) + 1. What is missing at the "
        "end is padding.",
        "Nothing may be missing at all. And the two sides differ by one where the total is odd.",
    ),
    remark="Note that the size of the image takes part: a network trained at 224 pixels pads otherwise at 225.",
)


# 01.3 Parameters and multiply-accumulates -----------------------------------------------------------------------------


def _conv_cost(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
    """The reference: (parameters, multiply-accumulates)."""
    height, width, channels = input_shape
    output = [arithmetic.output_size(n, k, stride, padding) for n, k in zip((height, width), kernel_size)]
    parameters = arithmetic.conv_parameters(tuple(kernel_size), channels, filters, bias=bias)
    return parameters, arithmetic.conv_macs(output, tuple(kernel_size), channels, filters)


def _cost_cases(rng: np.random.Generator) -> Iterator[Case]:
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


def _counts(
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


def _refusing_counts(**parts: Callable) -> Callable:
    return _refusing(_conv_cost, _counts(**parts))


def _cost_part(message: str, **parts: Callable) -> tuple[Misconception, Misconception]:
    """A wrong idea about one of the two counts: alone, and also where the other is wrong for another reason."""
    index = 0 if "parameters" in parts else 1
    model = _counts(**parts)

    def recognised(came, expected, case) -> bool:
        return np.size(came) == 2 and difference(came[index], model(*case.args, **case.kwargs)[index]) is None

    alone = Misconception(_refusing(_conv_cost, model), message)
    return alone, Misconception(recognised, message, predicate=True)


_COST_PARTS = (
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

CONV_COST = FunctionExercise(
    "01.3",
    "Parameters and multiply-accumulates",
    reference=_conv_cost,
    cases=_cost_cases,
    misconceptions=[
        Misconception(
            _counts(),
            "Your counts are right where the kernel fits. Where it does not, there is no layer to count: raise a "
            "ValueError.",
        ),
        Misconception(
            _refusing_counts(
                parameters=lambda kh, kw, cout, bias, **_: (kh * kw + (1 if bias else 0)) * cout,
                macs=lambda oh, ow, kh, kw, cout, **_: oh * ow * kh * kw * cout,
            ),
            "Neither of your numbers changes with the input channels. A filter is a cube: it has a slice for each of "
            "them.",
        ),
        Misconception(
            _refusing_counts(
                parameters=lambda kh, cin, cout, bias, **_: (kh * kh * cin + (1 if bias else 0)) * cout,
                macs=lambda oh, ow, kh, cin, cout, **_: oh * ow * kh * kh * cin * cout,
            ),
            "You take the kernel as square. Its height and its width may differ.",
        ),
        Misconception(
            lambda *args, **kwargs: _conv_cost(*args, **kwargs)[::-1],
            "Both numbers are right and stand in the wrong order: parameters first.",
        ),
        *(alone for alone, _ in _COST_PARTS),
        *(among_others for _, among_others in _COST_PARTS),
    ],
    hints=(
        "Take one filter first. How many numbers does it hold if the image has three channels? And its bias?",
        "The multiply-accumulates are a product: the places where a window stands, times the products at one place.",
        "At one place each weight of each filter is used once. Biases are added, not multiplied.",
    ),
    remark="Called thirteen times, this function gives all the convolutions in the figure of VGG-16 above.",
)


# 01.4 A convolution layer from scratch --------------------------------------------------------------------------------


def _conv2d(x, w, b=None, stride=1, padding=0):
    """The reference: one image, NHWC without the N."""
    return reference.conv2d(np.asarray(x)[None], w, b, stride=stride, padding=padding)[0]


def _halves(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random numbers that are easy to read and exact in every float type: -4, -3.5, ..., 4."""
    return rng.integers(-8, 9, size=shape) / 2


def _conv2d_cases(rng: np.random.Generator) -> Iterator[Case]:
    def layer(height, width, cin, kh, kw, cout):
        return _halves(rng, height, width, cin), _halves(rng, kh, kw, cin, cout)

    yield Case(layer(4, 4, 1, 2, 2, 1), about="one channel, one filter")
    yield Case(layer(5, 7, 1, 3, 3, 1), about="an image that is not square")
    yield Case(layer(6, 6, 1, 2, 4, 1), about="a kernel that is not square")
    yield Case(layer(4, 5, 3, 3, 3, 1), about="three channels")
    yield Case(layer(4, 5, 3, 2, 2, 4), about="four filters")
    yield Case((*layer(4, 5, 2, 3, 3, 3), _halves(rng, 3) + 5), about="a bias for each filter")
    yield Case(layer(8, 7, 2, 3, 3, 2), {"stride": 2}, about="a stride of 2")
    yield Case(layer(9, 8, 1, 2, 2, 2), {"stride": 3}, about="a stride longer than the kernel")
    yield Case((_halves(rng, 4, 5, 2) + 9, _halves(rng, 3, 3, 2, 2)), {"padding": 1}, about="padding")
    yield Case(
        layer(2, 3, 2, 4, 5, 2), {"padding": 2}, about="a kernel larger than the image, but not than the padded one"
    )
    whole = rng.integers(-9, 10, size=(4, 5, 1)), np.array([0.5, -1, 0.25, 1.5]).reshape(2, 2, 1, 1)
    whole[0][0, :2] = [[2], [1]]  # the first output is never whole
    whole[0][1, :2] = [[3], [0]]
    yield Case(whole, about="an image of whole numbers, and weights that are none")
    yield Case(
        (_halves(rng, 4, 5, 1), rng.integers(-3, 4, size=(2, 2, 1, 1)) * 2 + 1),
        about="weights of whole numbers, and an image of others",
    )
    x, w = layer(4, 5, 2, 3, 3, 3)
    yield Case((x, w, np.array([0.0, 1.5, -2.0])), about="a bias that is 0 for one filter")
    yield Case((x, w, np.array([1, -2, 3])), about="biases of whole numbers")
    for _ in range(4):
        height, width, cin, cout = (int(n) for n in rng.integers(5, 9, size=4) - (0, 0, 3, 3))
        kh, kw = (int(n) for n in rng.choice([1, 2, 3, 4], size=2, replace=False))
        settings = {"stride": int(rng.integers(1, 4)), "padding": int(rng.integers(0, 3))}
        bias = _halves(rng, cout) + 5
        yield Case((*layer(height, width, cin, kh, kw, cout), bias), settings, about="everything at once")
    for cin, expected in ((2, 3), (3, 2), (1, 3), (3, 1)):
        x, w = _halves(rng, 5, 5, cin), _halves(rng, 3, 3, expected, 2)
        yield Case((x, w), raises=ValueError, about=f"an image of {cin} channels and filters for {expected}")
    yield Case(layer(3, 8, 1, 4, 2, 1), raises=ValueError, about="a kernel higher than the image")
    yield Case(layer(3, 8, 1, 5, 2, 1), {"stride": 3}, raises=ValueError, about="a kernel too high, and a stride")
    yield Case(layer(8, 3, 1, 2, 5, 1), {"stride": 3}, raises=ValueError, about="a kernel too wide, and a stride")
    yield Case(layer(8, 3, 1, 2, 6, 1), {"padding": 1}, raises=ValueError, about="a kernel wider than the padded image")


def _conv2d_model(change: Callable) -> Callable:
    """The layer with changed arguments or result; ``change(x, w, b, stride, padding)`` returns the output."""

    def model(x, w, b=None, stride=1, padding=0):
        return change(np.asarray(x, float), np.asarray(w, float), b, stride, padding)

    return _refusing(_conv2d, model)


def _padded_conv2d(**how: object) -> Callable:
    """A layer that pads as ``numpy.pad`` does with ``how``."""

    def change(x, w, b, stride, padding):
        return _conv2d(np.pad(x, ((padding, padding), (padding, padding), (0, 0)), **how), w, b, stride)

    return _conv2d_model(change)


def _padded_other_conv2d(before: int, after: int) -> Callable:
    """Pads ``before`` and ``after`` times as much as it should; refuses nothing."""

    def model(x, w, b=None, stride=1, padding=0):
        sides = (before * padding, after * padding)
        return _conv2d(np.pad(x, (sides, sides, (0, 0))), w, b, stride)

    return model


def _fits(x: np.ndarray, w: np.ndarray) -> bool:
    return x.shape[0] >= w.shape[0] and x.shape[1] >= w.shape[1]


def _wrong_window_conv2d(x, w, b, stride, padding):
    """Forgets to multiply the place by the stride: the windows lie side by side at distance 1."""
    y = _conv2d(x, w, b, 1, padding)
    height, width = (arithmetic.output_size(n, k, stride, padding) for n, k in zip(x.shape[:2], w.shape[:2]))
    return y[:height, :width]


def _full_conv2d(x, w, b, stride):
    rows, columns = (k - 1 for k in w.shape[:2])
    return _conv2d(np.pad(x, ((rows, rows), (columns, columns), (0, 0))), w, b, stride)


def _conv2d_in_type_of(which: int) -> Callable:
    """The layer whose output has the type of ``x`` (0) or ``w`` (1): whole numbers stay whole."""

    def model(x, w, b=None, stride=1, padding=0):
        y = _conv2d(x, w, None, stride, padding)
        y = np.trunc(y) if np.asarray((x, w)[which]).dtype.kind in "iu" else y
        return y if b is None else y + b

    return model


def _permissive_conv2d(channels: bool) -> Callable:
    """Refuses only one of the two: channels that disagree, or kernels that do not fit."""

    def model(x, w, b=None, stride=1, padding=0):
        x, w = np.asarray(x, float), np.asarray(w, float)
        if x.shape[2] != w.shape[2]:
            if channels:
                raise ValueError
            if 1 not in (x.shape[2], w.shape[2]):
                raise TypeError  # whatever NumPy makes of it
            common = max(x.shape[2], w.shape[2])
            x, w = np.repeat(x, common // x.shape[2], axis=2), np.repeat(w, common // w.shape[2], axis=2)
        padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
        if not _fits(padded, w):
            if not channels:
                raise ValueError
            height, width = ((n - k) // stride + 1 for n, k in zip(padded.shape[:2], w.shape[:2]))
            return np.zeros((max(height, 0), max(width, 0), w.shape[3]))
        return _conv2d(x, w, b, stride, padding)

    return model


CONV2D = FunctionExercise(
    "01.4",
    "A convolution layer from scratch",
    reference=_conv2d,
    cases=_conv2d_cases,
    misconceptions=[
        Misconception(
            _permissive_conv2d(channels=True),
            "Your outputs are right. A kernel that does not fit into the padded image has no output, though: raise a "
            "ValueError.",
        ),
        Misconception(
            _permissive_conv2d(channels=False),
            "Your outputs are right. But an image and filters with different numbers of channels do not go together, "
            "even where NumPy would stretch one to fit the other: raise a ValueError.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w[::-1, ::-1], b, s, p)),
            "You flip the kernel. That is the convolution of mathematics; a layer does not flip.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x[:, :, :1], w[:, :, :1], b, s, p)),
            "Only the first input channel takes part. Each channel has its own slice of the filter, and all are "
            "summed.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w / w.shape[2], b, s, p)),
            "You average over the input channels. They are summed.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w / w[..., 0].size, b, s, p)),
            "You average over the window. A layer sums.",
        ),
        Misconception(
            _conv2d_model(
                lambda x, w, b, s, p: _conv2d(x, w.mean(axis=2, keepdims=True).repeat(w.shape[2], 2), b, s, p)
            ),
            "You use one slice for all input channels. Each channel has its own.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w, b if b is not None and np.all(b) else None, s, p)),
            "All biases are lost where one of them is 0. A bias of 0 is a number like any other: ask `b is None`.",
        ),
        Misconception(
            _conv2d_in_type_of(0),
            "Your output has the type of `x`: for an image of whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            _conv2d_in_type_of(1),
            "Your output has the type of `w`: for weights that are whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w, None, s, p)),
            "The bias is missing. One number for each filter is added to all its outputs.",
        ),
        Misconception(
            _conv2d_model(
                lambda x, w, b, s, p: _conv2d(x, w, None if b is None else np.asarray(b) * w[..., 0].size, s, p)
            ),
            "You add the bias for every product. It is added once, after the sum over the window.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w, b, 1, p)),
            "Your output does not change with the stride: the window stands on every pixel.",
        ),
        Misconception(
            _conv2d_model(_wrong_window_conv2d),
            "The output has the right size, and the windows lie one pixel apart. Where does window number i begin if "
            "the stride is S?",
        ),
        _returns(
            _padded_other_conv2d(0, 0),
            "Your output does not change with the padding. Put zeros around the image first, then slide.",
        ),
        _returns(
            _padded_other_conv2d(0, 2),
            "All your zeros stand below and to the right of the image. They go on every side.",
        ),
        _returns(
            _padded_other_conv2d(1, 0),
            "Your zeros stand above and to the left of the image only. They go on every side.",
        ),
        Misconception(
            _padded_conv2d(mode="edge"),
            "You repeat the pixels of the border. This layer pads with zeros.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _full_conv2d(x, w, b, s)),
            'Your output is larger than it should be: this is the "full" convolution, where the window hangs over the '
            "edge. Here it stays inside the padded image.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w, b, s, p).transpose(1, 0, 2)),
            "Height and width are exchanged in your output.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: np.moveaxis(_conv2d(x, w, b, s, p), -1, 0)),
            "Your output has its channels first. Keras, and this course, keep them last: (height, width, channels).",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: _conv2d(x, w, b, s, p).sum(axis=-1)),
            "You sum over the filters as well. Each filter gives a feature map of its own; sum over the *input* "
            "channels.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: np.trunc(_conv2d(x, w, b, s, p))),
            "Your output lost its fractions. Is it an array of whole numbers? np.zeros makes one of floats.",
        ),
        Misconception(
            _conv2d_model(lambda x, w, b, s, p: np.maximum(_conv2d(x, w, b, s, p), 0)),
            "Your output has no negative numbers. An activation such as ReLU comes after the layer, it is not part of "
            "it.",
        ),
    ],
    hints=(
        "Begin with the size of the output: `arithmetic.output_size` for the height and for the width. Then pad, then "
        "two loops over the places.",
        "At place (i, j) the window is `padded[i * stride : i * stride + kh, j * stride : j * stride + kw]`, a block "
        "(kh, kw, channels in). For one filter, multiply it by the filter and sum over everything.",
        "All filters at once: `np.tensordot(window, w, axes=3)` sums over height, width and channels.",
    ),
    remark="Keras's Conv2D computes the same. `cnnlib/reference.py` adds batches, dilation and groups.",
)


# 01.5 Find the kernel -------------------------------------------------------------------------------------------------


def _find_kernel(image, output):
    """The reference: one equation for each output pixel."""
    image, output = np.asarray(image, float), np.asarray(output, float)
    shape = tuple(n - m + 1 for n, m in zip(image.shape, output.shape))
    if min(shape) < 1:
        raise ValueError(f"an output of {output.shape} is larger than the image of {image.shape}")
    if output.size < shape[0] * shape[1]:
        raise ValueError(f"{output.size} outputs cannot determine {shape[0] * shape[1]} weights")
    windows = np.lib.stride_tricks.sliding_window_view(image, shape).reshape(output.size, -1)
    return np.linalg.lstsq(windows, output.ravel())[0].reshape(shape)


def _find_cases(rng: np.random.Generator) -> Iterator[Case]:
    def example(height, width, kh, kw):
        image, kernel = _halves(rng, height, width), _halves(rng, kh, kw)
        while np.linalg.cond(np.lib.stride_tricks.sliding_window_view(image, (kh, kw)).reshape(-1, kh * kw)) > 1e4:
            image = _halves(rng, height, width)
        return image, reference.cross_correlate2d(image, kernel)

    yield Case(example(6, 6, 2, 2), about="a kernel of 2x2")
    yield Case(example(9, 9, 3, 3), about="a kernel of 3x3")
    yield Case(example(8, 10, 3, 3), about="an image that is not square")
    yield Case(example(10, 8, 2, 4), about="a kernel of 2x4")
    yield Case(example(7, 9, 4, 1), about="a kernel of 4x1")
    yield Case(example(5, 5, 1, 1), about="a kernel of 1x1")
    yield Case(example(5, 5, 3, 3), about="as many outputs as weights")
    for about, dark in (("upper", slice(0, 3)), ("lower", slice(-3, None))):
        image, output = example(9, 8, 2, 2)
        image[dark] = 0
        image[4] = [1, -2, 3, 0.5, -1, 2, 4, -3]  # the rest is enough to find the kernel by
        image[5] = [2, 1, -3, 4, 0.5, 3, -2, 1]
        kernel = np.array([[1.5, -2], [0.5, 3]])
        yield Case((image, reference.cross_correlate2d(image, kernel)), about=f"an image whose {about} rows are black")
    image = rng.permutation(np.arange(30)).reshape(5, 6)
    kernel = np.array([[1 / 3, -np.sqrt(2)]])
    yield Case((image, reference.cross_correlate2d(image, kernel)), about="an image of whole numbers")
    yield Case(example(9, 4, 6, 1), about="a kernel of 6x1")
    yield Case(example(4, 9, 1, 6), about="a kernel of 1x6")
    kh, kw = (int(n) for n in rng.choice([2, 3, 4, 5], size=2, replace=False))
    yield Case(example(12, 13, kh, kw), about=f"a kernel of {kh}x{kw}")
    yield Case((_halves(rng, 5, 5), _halves(rng, 2, 2)), raises=ValueError, about="4 outputs for 16 weights")
    yield Case((_halves(rng, 6, 7), _halves(rng, 4, 2)), raises=ValueError, about="8 outputs for 18 weights")
    yield Case((_halves(rng, 6, 6), _halves(rng, 3, 3)), raises=ValueError, about="9 outputs for 16 weights")
    yield Case((_halves(rng, 7, 5), _halves(rng, 2, 4)), raises=ValueError, about="8 outputs for 12 weights")
    yield Case((_halves(rng, 5, 7), _halves(rng, 4, 2)), raises=ValueError, about="8 outputs for 12 weights")
    yield Case((_halves(rng, 5, 6), _halves(rng, 6, 6)), raises=ValueError, about="an output higher than the image")
    yield Case((_halves(rng, 6, 5), _halves(rng, 6, 6)), raises=ValueError, about="an output wider than the image")


def _find_model(change: Callable[[np.ndarray], object]) -> Callable:
    return lambda image, output: change(_find_kernel(image, output))


def _find_anything(image, output):
    """Solves also where many kernels fit."""
    shape = tuple(n - m + 1 for n, m in zip(np.shape(image), np.shape(output)))
    if min(shape) < 1:
        raise ValueError
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image), shape).reshape(np.size(output), -1)
    return np.linalg.lstsq(windows, np.ravel(output))[0].reshape(shape)


def _find_refusing_equality(image, output):
    kernel = _find_kernel(image, output)
    if np.size(output) <= kernel.size:
        raise ValueError
    return kernel


def _find_from_a_few(part: Callable[[int], slice], solve: Callable) -> Callable:
    """Takes as many equations as there are weights, and leaves the others."""

    def model(image, output):
        shape = _find_kernel(image, output).shape
        windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image, float), shape).reshape(np.size(output), -1)
        chosen = part(windows.shape[1])
        return solve(windows[chosen], np.ravel(output)[chosen]).reshape(shape)

    return model


_ONLY_A_FEW = (
    "You use only as many output pixels as there are weights. Where the image is black or even, their equations say "
    "the same or nothing, and the kernel is not found. Let all output pixels take part."
)


def _find_by_correlating(image, output):
    """Slides the output over the image: the gradient, not the solution."""
    _find_kernel(image, output)
    return reference.cross_correlate2d(np.asarray(image, float), np.asarray(output, float))


FIND_KERNEL = FunctionExercise(
    "01.5",
    "Find the kernel",
    reference=_find_kernel,
    cases=_find_cases,
    misconceptions=[
        Misconception(
            _find_model(lambda kernel: kernel[::-1, ::-1]),
            "This is the kernel turned by 180 degrees. `slide` does not flip.",
        ),
        Misconception(_find_model(lambda kernel: kernel.T), "Rows and columns are exchanged in your kernel."),
        Misconception(
            _find_model(np.ravel),
            "Your weights are right and stand in one row. A kernel has a height and a width.",
        ),
        Misconception(
            _find_model(lambda kernel: kernel / kernel.sum() if abs(kernel.sum()) > 1e-9 else kernel),
            "Your kernel is scaled to a sum of 1. That keeps the brightness of a picture, and not every kernel does.",
        ),
        Misconception(_find_from_a_few(lambda n: slice(0, n), np.linalg.solve), _ONLY_A_FEW),
        Misconception(_find_from_a_few(lambda n: slice(0, n), lambda a, b: np.linalg.lstsq(a, b)[0]), _ONLY_A_FEW),
        Misconception(_find_from_a_few(lambda n: slice(-n, None), np.linalg.solve), _ONLY_A_FEW),
        Misconception(
            lambda image, output: _find_kernel(image, output).astype(np.asarray(image).dtype),
            "Your kernel has the type of the image: for an image of whole numbers the fractions of the weights are "
            "cut off.",
        ),
        Misconception(
            _find_model(np.round),
            "You round the weights. They need not be whole numbers.",
        ),
        Misconception(
            _find_model(lambda kernel: np.round(kernel, 2)),
            "You round the weights. They may have any number of digits.",
        ),
        Misconception(
            _find_by_correlating,
            "You slide the output over the image. This tells which way to change a kernel; it does not solve for it. "
            "Each output pixel is an equation in the weights: put them into one matrix and solve.",
        ),
        Misconception(
            _find_anything,
            "Your kernels are right. But where there are fewer outputs than weights many kernels fit, and you return "
            "one of them as if it were the one: raise a ValueError.",
        ),
        Misconception(
            _find_refusing_equality,
            "You refuse a problem that can be solved: as many equations as unknowns are enough.",
        ),
    ],
    hints=(
        "First the size. A window of K on W pixels stops W - K + 1 times. Which K belongs to this image and this "
        "output?",
        "`unroll(image, kernel_shape)` has one row for each output pixel. That row times the weights is that pixel.",
        "`np.linalg.lstsq(matrix, right_hand_side)` solves such a system. Its first result is the weights.",
    ),
    remark="With noise in the output no kernel is exact, and least squares gives the one that fits best.",
    rtol=1e-4,
    atol=1e-5,
)


# 01.6 The gradient of a kernel ----------------------------------------------------------------------------------------


def _kernel_gradient(x, dy, kernel_size, stride=1):
    """The reference: (kh, kw, channels in, channels out)."""
    x, dy = np.asarray(x, float), np.asarray(dy, float)
    output = tuple(arithmetic.output_size(n, k, stride) for n, k in zip(x.shape, kernel_size))
    if dy.shape[:2] != output:
        raise ValueError(f"the layer returns {output}, dy has {dy.shape[:2]}")
    w = np.zeros((*kernel_size, x.shape[2], dy.shape[2]))
    return reference.conv2d_backward(dy[None], x[None], w, stride=stride)[1]


def _gradient_cases(rng: np.random.Generator) -> Iterator[Case]:
    def example(height, width, cin, cout, kernel_size, stride=1):
        output = [arithmetic.output_size(n, k, stride) for n, k in zip((height, width), kernel_size)]
        return _halves(rng, height, width, cin), _halves(rng, *output, cout), kernel_size

    yield Case(example(4, 4, 1, 1, (2, 2)), about="one channel, one filter")
    yield Case(example(5, 7, 1, 1, (3, 3)), about="an image that is not square")
    yield Case(example(6, 5, 1, 1, (2, 4)), about="a kernel that is not square")
    yield Case(example(5, 5, 3, 1, (3, 3)), about="three channels")
    yield Case(example(5, 5, 2, 4, (2, 2)), about="four filters")
    yield Case(example(7, 9, 2, 3, (3, 3), 2), {"stride": 2}, about="a stride of 2")
    yield Case(example(8, 10, 2, 2, (3, 3), 2), {"stride": 2}, about="a stride of 2 that drops pixels")
    yield Case(example(9, 8, 1, 2, (2, 2), 3), {"stride": 3}, about="a stride longer than the kernel")
    for _ in range(3):
        height, width = (int(n) for n in rng.integers(6, 10, size=2))
        kernel_size = tuple(int(n) for n in rng.choice([1, 2, 3, 4], size=2, replace=False))
        stride = int(rng.integers(1, 4))
        yield Case(example(height, width, 3, 2, kernel_size, stride), {"stride": stride}, about="everything at once")
    whole = np.array([[2, 1, 3], [3, 0, -1], [5, 2, 4]])[:, :, None]
    parts = np.array([[0.5, -1], [0.25, 1.5]])[:, :, None]
    yield Case((whole, parts, (2, 2)), about="an image of whole numbers, and a dy of others")
    yield Case((parts, np.array([[[3]]]), (2, 2)), about="a dy of whole numbers, and an image of others")
    x = _halves(rng, 8, 8, 1)
    for shape, stride in (
        ((5, 6, 1), 1),
        ((6, 5, 1), 1),
        ((8, 8, 1), 1),
        ((7, 6, 1), 1),
        ((6, 6, 1), 2),
        ((2, 3, 1), 2),
    ):
        about = f"a dy of {shape[0]}x{shape[1]} for a layer that returns {6 if stride == 1 else 3} rows and columns"
        yield Case((x, _halves(rng, *shape), (3, 3)), {"stride": stride}, raises=ValueError, about=about)


def _gradient_model(change: Callable) -> Callable:
    """``change(dw, dy)`` of the right gradient."""
    return lambda x, dy, kernel_size, stride=1: change(_kernel_gradient(x, dy, kernel_size, stride), np.asarray(dy))


def _gradient_one_place(last: bool) -> Callable:
    """The term of one position instead of the sum."""

    def model(x, dy, kernel_size, stride=1):
        _kernel_gradient(x, dy, kernel_size, stride)
        i, j = (dy.shape[0] - 1, dy.shape[1] - 1) if last else (0, 0)
        window = x[i * stride : i * stride + kernel_size[0], j * stride : j * stride + kernel_size[1]]
        return window[:, :, :, None] * dy[i, j]

    return model


def _gradient_in_type_of(which: int) -> Callable:
    """The gradient with the type of ``x`` (0) or ``dy`` (1): whole numbers stay whole."""

    def model(x, dy, kernel_size, stride=1):
        dw = _kernel_gradient(x, dy, kernel_size, stride)
        return np.trunc(dw) if np.asarray((x, dy)[which]).dtype.kind in "iu" else dw

    return model


def _gradient_dense_windows(x, dy, kernel_size, stride=1):
    """Window i begins at i, not at i * stride."""
    _kernel_gradient(x, dy, kernel_size, stride)
    height, width = (n + k - 1 for n, k in zip(dy.shape, kernel_size))
    return _kernel_gradient(np.asarray(x)[:height, :width], dy, kernel_size)


def _gradient_of_anything(x, dy, kernel_size, stride=1):
    """Uses as much of x and dy as both have."""
    x, dy = np.asarray(x, float), np.asarray(dy, float)
    dw = np.zeros((*kernel_size, x.shape[2], dy.shape[2]))
    for i, j in np.ndindex(*dy.shape[:2]):
        window = x[i * stride : i * stride + kernel_size[0], j * stride : j * stride + kernel_size[1]]
        dw[: window.shape[0], : window.shape[1]] += window[:, :, :, None] * dy[i, j]
    return dw


def _gradient_refusing_large(x, dy, kernel_size, stride=1):
    """Loops over the places of the layer, so that only a dy that is too small is noticed, if at all."""
    height, width = (arithmetic.output_size(n, k, stride) for n, k in zip(np.shape(x), kernel_size))
    dy = np.asarray(dy, float)
    if dy.shape[0] < height or dy.shape[1] < width:
        raise ValueError
    return _kernel_gradient(x, dy[:height, :width], kernel_size, stride)


KERNEL_GRADIENT = FunctionExercise(
    "01.6",
    "The gradient of a kernel",
    reference=_kernel_gradient,
    cases=_gradient_cases,
    misconceptions=[
        Misconception(
            _gradient_model(lambda dw, dy: dw[::-1, ::-1]),
            "This is the gradient turned by 180 degrees. The forward pass does not flip the kernel, so its gradient "
            "is not flipped either. The flip belongs to the gradient of the *input*.",
        ),
        Misconception(
            _gradient_model(lambda dw, dy: dw / (dy.shape[0] * dy.shape[1])),
            "You average over the positions. The weight takes part in every one of them, and its effects add up: sum.",
        ),
        Misconception(
            _gradient_in_type_of(0),
            "Your gradient has the type of `x`: for an image of whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            _gradient_in_type_of(1),
            "Your gradient has the type of `dy`: where that holds whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            _gradient_one_place(last=True),
            "Only the last position is left in your gradient. Add each position to what is there (+=).",
        ),
        Misconception(
            _gradient_one_place(last=False),
            "Only the first position takes part. The weight is used at every one.",
        ),
        Misconception(
            _gradient_model(lambda dw, dy: dw.swapaxes(2, 3)),
            "The two channel axes are exchanged: the shape is (kh, kw, channels in, channels out).",
        ),
        Misconception(
            _gradient_model(lambda dw, dy: dw.transpose(3, 2, 0, 1)),
            "This is PyTorch's order of axes. Keras's is (kh, kw, channels in, channels out).",
        ),
        Misconception(
            _gradient_model(lambda dw, dy: dw.transpose(1, 0, 2, 3)),
            "Rows and columns of the kernel are exchanged.",
        ),
        Misconception(
            _gradient_model(lambda dw, dy: np.broadcast_to(dw.sum(axis=2, keepdims=True), dw.shape)),
            "You sum over the input channels. The forward pass does; going back, each slice meets its own channel "
            "only.",
        ),
        Misconception(
            _gradient_model(lambda dw, dy: np.broadcast_to(dw.sum(axis=3, keepdims=True), dw.shape)),
            "You sum over the filters. Each filter has its own outputs, so its own gradient.",
        ),
        Misconception(
            _gradient_dense_windows,
            "Right without a stride. With one, position i of the output looked at the window that begins at i * "
            "stride.",
        ),
        Misconception(
            _gradient_model(lambda dw, dy: -dw),
            "The sign is turned. This is the *step*, downhill. The gradient points uphill.",
        ),
        Misconception(
            _gradient_of_anything,
            "Your gradients are right. But a dy that does not have the size of the layer's output belongs to another "
            "layer, and you return numbers for it: raise a ValueError.",
        ),
        Misconception(
            _gradient_refusing_large,
            "Your gradients are right, and a dy that is too small is refused. One that is too large fits no better.",
        ),
    ],
    hints=(
        "Loop over the positions (i, j) of dy. Which window of x was multiplied by the kernel there?",
        "Each position adds its window times dy[i, j] to the gradient. Start with zeros of the shape of w.",
        "Window (kh, kw, channels in) and dy[i, j] (channels out): every number of the one meets every number of the "
        "other. `window[:, :, :, None] * dy[i, j]` does that.",
    ),
    remark="Lesson 03 trains a network with nothing but such gradients.",
)


# 01.7 Size of a transposed convolution --------------------------------------------------------------------------------


def _transposed_size(size, kernel, stride=1, padding=0, output_padding=0):
    """The reference: padding as a whole number, as PyTorch counts."""
    return arithmetic.transposed_output_size(size, kernel, stride, padding, output_padding)


def _transposed_cases(rng: np.random.Generator) -> Iterator[Case]:
    size = int(rng.integers(4, 30))
    yield Case((size, 3), about="a stride of 1")
    yield Case((1, int(rng.integers(2, 7))), {"stride": 3}, about="a single pixel: one stamp")
    yield Case((size, 4), {"stride": 2}, about="a stride of 2")
    yield Case((size, 2), {"stride": 3}, about="stamps with gaps between them")
    yield Case((size, 5), {"padding": 2}, about="padding")
    yield Case((size, 3), {"stride": 2, "padding": 1}, about="a stride and padding")
    yield Case((size, 3), {"stride": 2, "padding": 1, "output_padding": 1}, about="output padding")
    yield Case((112, 7), {"stride": 2, "padding": 3, "output_padding": 1}, about="the first layer of ResNet, backwards")
    for _ in range(16):
        kernel, stride = int(rng.integers(1, 8)), int(rng.integers(1, 6))
        padding = int(rng.integers(0, (kernel + 1) // 2 + 1))
        output_padding = int(rng.integers(0, stride))
        size = int(rng.integers(2, 40)) + padding
        settings = {"stride": stride, "padding": padding, "output_padding": output_padding}
        yield Case((size, kernel), settings, about="everything at once")
    yield Case((1, 3), {"padding": 1}, about="a single pixel that the padding leaves")
    for stride in (1, 2, 3):
        settings = {"stride": stride, "output_padding": stride}
        yield Case((5, 3), settings, raises=ValueError, about="output padding as large as the stride")
    yield Case((5, 3), {"stride": 2, "output_padding": 3}, raises=ValueError, about="output padding beyond the stride")
    yield Case((1, 4), {"padding": 2}, raises=ValueError, about="padding that leaves no pixel")
    yield Case((2, 3), {"padding": 3, "stride": 2}, raises=ValueError, about="padding that leaves no pixel")


def _stamped(
    strip: Callable[[int, int, int], int] = lambda w, k, s: (w - 1) * s + k,
    cut: Callable[[int], int] = lambda p: 2 * p,
    added: Callable[[int], int] = lambda a: a,
) -> Callable:
    """The size with one of its parts exchanged: what the stamps cover, what is cut off, what is added."""

    def model(size, kernel, stride=1, padding=0, output_padding=0):
        return strip(size, kernel, stride) - cut(padding) + added(output_padding)

    return model


def _transposed_refusing(output_padding_of_stride: bool, leaves_nothing: bool) -> Callable:
    """The right size, with only some of the refusals."""

    def model(size, kernel, stride=1, padding=0, output_padding=0):
        output = (size - 1) * stride - 2 * padding + kernel + output_padding
        if (output_padding_of_stride and output_padding >= stride) or (leaves_nothing and output < 1):
            raise ValueError
        return output

    return model


def _transposed_refusing_beyond(size, kernel, stride=1, padding=0, output_padding=0):
    if output_padding == stride:
        return (size - 1) * stride - 2 * padding + kernel + output_padding
    return _transposed_size(size, kernel, stride, padding, output_padding)


def _transposed_refusing_one(size, kernel, stride=1, padding=0, output_padding=0):
    output = _transposed_size(size, kernel, stride, padding, output_padding)
    if output == 1:
        raise ValueError
    return output


def _transposed_allowing_zero(size, kernel, stride=1, padding=0, output_padding=0):
    if (size - 1) * stride - 2 * padding + kernel + output_padding == 0 and output_padding < stride:
        return 0
    return _transposed_size(size, kernel, stride, padding, output_padding)


_STAMP_PARTS = {
    "strip": (
        (
            lambda w, k, s: w * s,
            "The kernel does not take part in your answer. The last stamp reaches over a whole kernel.",
        ),
        (
            lambda w, k, s: (w - 1) * s,
            "You count where the stamps begin. The last one reaches over a whole kernel from there.",
        ),
        (
            lambda w, k, s: w * s + k,
            "You count one step too many: W stamps are W - 1 steps apart.",
        ),
        (
            lambda w, k, s: (w - 1) * s + k - 1,
            "One pixel is missing: the last stamp covers K pixels, its first one included.",
        ),
        (
            lambda w, k, s: w - 1 + k,
            "Your answer does not change with the stride. The stamps lie S pixels apart.",
        ),
        (
            lambda w, k, s: (w - 1) * s + max(k, s),
            'This is Keras\'s "valid", which fills up to the stride where the kernel is shorter. The formula here '
            "does not.",
        ),
    ),
    "cut": (
        (
            lambda p: -2 * p,
            "Your output grows with the padding. Here padding undoes the padding of a convolution: it cuts pixels off.",
        ),
        (lambda p: p, "You cut the padding off one end. It comes off both."),
        (lambda p: 0, "Your answer does not change with the padding. It cuts pixels off both ends."),
    ),
    "added": (
        (lambda a: 0, "Your answer does not change with the output padding."),
        (lambda a: 2 * a, "You add the output padding at both ends. It is added at the end only."),
    ),
}
_WRONG_STAMPS = (
    *((_stamped(**{name: part}), message) for name, ideas in _STAMP_PARTS.items() for part, message in ideas),
    (
        lambda size, kernel, stride=1, padding=0, output_padding=0: (size + 2 * padding - kernel) // stride + 1,
        "This is the size of a convolution. A transposed one goes the other way: its output is larger.",
    ),
    (
        lambda size, kernel, stride=1, padding=0, output_padding=0: size * stride,
        'This is what Keras returns for "same". With padding as a number, the kernel and the padding take part.',
    ),
)
_STAMP_PROBES = tuple(
    (size, kernel, stride, padding, output_padding)
    for size, kernel, stride, padding in itertools.product((9, 10), (1, 2, 4), (1, 2, 3), (0, 1, 2))
    for output_padding in range(stride)
)


TRANSPOSED_SIZE = FunctionExercise(
    "01.7",
    "Size of a transposed convolution",
    reference=_transposed_size,
    cases=_transposed_cases,
    misconceptions=[
        Misconception(
            _transposed_refusing_beyond,
            "You accept output padding that equals the stride. That is the size of an input with one more pixel: it "
            "has to be *smaller*.",
        ),
        Misconception(
            _transposed_refusing(output_padding_of_stride=False, leaves_nothing=True),
            "Your sizes are right. But output padding only tells sizes apart that the floor made equal, and those are "
            "S in number: raise a ValueError unless it is smaller than the stride.",
        ),
        Misconception(
            _transposed_allowing_zero,
            "You return an output of 0 pixels. That is no output: raise a ValueError.",
        ),
        Misconception(
            _transposed_refusing_one,
            "You refuse an output of one pixel. One pixel is an output.",
        ),
        Misconception(
            _transposed_refusing(output_padding_of_stride=True, leaves_nothing=False),
            "Your sizes are right. But a padding that cuts off every pixel leaves no output: raise a ValueError.",
        ),
        Misconception(
            _transposed_refusing(output_padding_of_stride=False, leaves_nothing=False),
            "Your sizes are right. But your function returns a number for everything: raise a ValueError where the "
            "output padding is not smaller than the stride, and where no pixel is left.",
        ),
        *_formulas(_transposed_size, _WRONG_STAMPS),
        *_two_errors(_transposed_size, _stamped, _STAMP_PARTS, _STAMP_PROBES),
    ],
    hints=(
        "Draw it: 3 stamps of 4 pixels, each 2 further on than the one before. How long is the strip that they cover?",
        "The last stamp begins (W - 1) * S pixels after the first, and reaches over K pixels from there.",
        "Then the padding comes off both ends, and the output padding goes onto one. Two things are to be refused.",
    ),
    remark="With padding (K - 1) / 2, an odd K and output padding S - 1 the result is S times the input.",
)


EXERCISES = [OUTPUT_SIZE, SAME_PADDING, CONV_COST, CONV2D, FIND_KERNEL, KERNEL_GRADIENT, TRANSPOSED_SIZE]
