"""Cases and wrong models of exercises 01.1 and 01.7: which inputs an output can have, and the way back to the input."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib import arithmetic, reference
from cnnlib.checks.layers_01 import backward_cases, refusing
from cnnlib.exercises.kinds import Case

# --- 01.1 -------------------------------------------------------------------------------------------------------------


def sized(
    steps: Callable[[int, int], int] = lambda outputs, stride: (outputs - 1) * stride,
    span: Callable[[int, int], int] = lambda kernel, dilation: dilation * (kernel - 1) + 1,
    padded: Callable[[int], int] = lambda padding: 2 * padding,
    more: Callable[[int], int] = lambda stride: stride - 1,
    least: Callable[[int], int] = lambda size: max(size, 1),
) -> Callable:
    """The smallest and the largest input, with one of the parts exchanged; nothing is refused."""

    def model(outputs, kernel, stride=1, padding=0, dilation=1):
        smallest = steps(outputs, stride) + span(kernel, dilation) - padded(padding)
        return least(smallest), smallest + more(stride)

    return model


def input_sizes(outputs, kernel, stride=1, padding=0, dilation=1):
    """The reference."""
    smallest, largest = sized()(outputs, kernel, stride, padding, dilation)
    if outputs < 1 or largest < 1:
        raise ValueError(f"no input gives {outputs} outputs")
    return smallest, largest


def input_cases(rng: np.random.Generator) -> Iterator[Case]:
    outputs = int(rng.integers(5, 40))
    yield Case((1, 3), about="one output of a window of 3")
    yield Case((outputs, int(rng.integers(2, 8))), about="no stride, padding or dilation")
    yield Case((outputs, 3), {"padding": int(rng.integers(1, 4))}, about="padding at both ends")
    yield Case((3, 3), {"stride": 2}, about="7 and 8 pixels")
    yield Case((outputs, 4), {"stride": int(rng.integers(3, 6))}, about="a longer stride")
    yield Case((outputs, 3), {"dilation": int(rng.integers(2, 5))}, about="dilation")
    yield Case((112, 7), {"stride": 2, "padding": 3}, about="the first layer of ResNet")
    for _ in range(18):
        outputs, kernel, stride, padding, dilation = (int(rng.integers(*ends)) for ends in _DRAWN)
        yield Case(
            (outputs, kernel), {"stride": stride, "padding": padding, "dilation": dilation}, about="everything at once"
        )
    yield Case((1, 2), {"stride": 3, "padding": 1}, about="a smallest size that would be 0")
    yield Case((1, 3), {"stride": 3, "padding": 2}, about="a smallest size that would be negative")
    yield Case((1, 3), {"padding": 1}, about="one pixel and nothing else")
    yield Case((1, 1), {"padding": 1}, raises=ValueError, about="an output that padding alone exceeds")
    yield Case((1, 3), {"stride": 2, "padding": 2}, raises=ValueError, about="a largest size of 0")
    yield Case((0, 5), {"stride": 2}, raises=ValueError, about="no output")
    yield Case((0, 3), raises=ValueError, about="no output")
    yield Case((-2, 9), raises=ValueError, about="fewer outputs than none")


_DRAWN = ((3, 40), (2, 8), (2, 6), (0, 4), (1, 5))

INPUT_PARTS = {
    "steps": (
        (
            lambda outputs, stride: outputs * stride,
            "A window that stops O times takes O - 1 steps: the first place costs none.",
        ),
        (
            lambda outputs, stride: outputs - 1,
            "Your smallest size does not change with the stride. Each step of the window is S pixels long.",
        ),
    ),
    "span": (
        (
            lambda kernel, dilation: kernel,
            "Your answer does not change with the dilation. How many pixels lie from the first tap to the last?",
        ),
        (
            lambda kernel, dilation: kernel * dilation,
            "Your dilated kernel is too wide: x . x . x is 5 pixels, not 6, because there is nothing behind the last "
            "tap.",
        ),
        (
            lambda kernel, dilation: dilation * (kernel - 1),
            "One pixel is missing. From pixel a to pixel b there are b - a steps, and one pixel more.",
        ),
    ),
    "padded": (
        (lambda padding: padding, "The padding counts once in your answer. It is added at both ends."),
        (lambda padding: 0, "Your answer does not change with the padding. The window stands on padded pixels, too."),
        (
            lambda padding: -2 * padding,
            "With padding your input grows. The window stands on padded pixels, so that *fewer* of the input's own are "
            "enough.",
        ),
    ),
    "more": (
        (
            lambda stride: 0,
            "You return one size twice. The floor drops a rest, so that several sizes give the same output.",
        ),
        (
            lambda stride: stride,
            "Your largest size is one too large: with S pixels more there is room for another step.",
        ),
        (lambda stride: 1, "There are S sizes, whatever the stride. Yours are always two."),
    ),
    "least": ((lambda size: size, "Your smallest size is below 1. An input has at least one pixel."),),
}

WRONG_INPUTS = tuple((sized(**{name: part}), message) for name, ideas in INPUT_PARTS.items() for part, message in ideas)
INPUT_PROBES = tuple(itertools.product((9, 10), (1, 2, 4), (1, 2, 3), (0, 1, 2), (1, 2, 3)))


def inputs_exchanged(outputs, kernel, stride=1, padding=0, dilation=1):
    """The largest first."""
    return input_sizes(outputs, kernel, stride, padding, dilation)[::-1]


def inputs_refusing(nothing: bool, padding_alone: bool) -> Callable:
    """The right sizes, with one of the two refusals or none."""

    def model(outputs, kernel, stride=1, padding=0, dilation=1):
        smallest, largest = sized()(outputs, kernel, stride, padding, dilation)
        if (nothing and outputs < 1) or (padding_alone and largest < 1):
            raise ValueError
        return smallest, largest

    return model


def inputs_refusing_small(outputs, kernel, stride=1, padding=0, dilation=1):
    """Refuses where the range begins below 1, though it reaches above."""
    if sized(least=lambda size: size)(outputs, kernel, stride, padding, dilation)[0] < 1:
        raise ValueError
    return input_sizes(outputs, kernel, stride, padding, dilation)


# --- 01.7 -------------------------------------------------------------------------------------------------------------


def input_gradient(dy, w, size, stride=1):
    """The reference: (height, width, channels in)."""
    dy, w = np.asarray(dy, float), np.asarray(w, float)
    output = tuple(arithmetic.output_size(n, k, stride) for n, k in zip(size, w.shape))
    if dy.shape[:2] != output:
        raise ValueError(f"the layer returns {output}, dy has {dy.shape[:2]}")
    return reference.conv2d_backward(dy[None], np.zeros((1, *size, w.shape[2])), w, stride=stride)[0][0]


def input_gradient_cases(rng: np.random.Generator) -> Iterator[Case]:
    def halves(*shape):
        return rng.integers(-8, 9, size=shape) / 2

    def example(height, width, cin, cout, kernel_size, stride=1):
        output = [arithmetic.output_size(n, k, stride) for n, k in zip((height, width), kernel_size)]
        return halves(*output, cout), halves(*kernel_size, cin, cout), (height, width)

    yield Case(example(2, 2, 1, 1, (2, 2)), about="one output: one stamp")
    yield from backward_cases(rng, example)
    whole, parts = np.array([[2, 1], [3, -1]])[:, :, None], np.array([[0.5, -1], [0.25, 1.5]])
    yield Case((whole, parts[:, :, None, None], (3, 3)), about="a dy of whole numbers, and weights that are none")
    yield Case(
        (parts[:, :, None], np.array([[2, 1], [3, -1]])[:, :, None, None], (3, 3)),
        about="weights of whole numbers, and a dy of others",
    )
    w = halves(3, 3, 1, 1)
    for shape, stride in (((5, 6), 1), ((6, 5), 1), ((8, 8), 1), ((7, 6), 1), ((6, 6), 2), ((2, 3), 2)):
        about = f"a dy of {shape[0]}x{shape[1]} for a layer that returns {6 if stride == 1 else 3} rows and columns"
        yield Case((halves(*shape, 1), w, (8, 8)), {"stride": stride}, raises=ValueError, about=about)


def back_model(change: Callable) -> Callable:
    """``change(dx, dy, w, stride)`` of the right gradient."""

    def model(dy, w, size, stride=1):
        return change(input_gradient(dy, w, size, stride), np.asarray(dy), np.asarray(w), stride)

    return model


def back_of(change: Callable) -> Callable:
    """The gradient for other ``dy`` and ``w``: ``change(dy, w)``. Refuses what the reference refuses."""

    def model(dy, w, size, stride=1):
        return input_gradient(*change(np.asarray(dy, float), np.asarray(w, float)), size, stride)

    return refusing(input_gradient, model)


def stamps(put: Callable[[np.ndarray, tuple, np.ndarray], None], step: bool = True) -> Callable:
    """Stamp by stamp, with another way to ``put(dx, place, stamp)`` it down, or one pixel apart."""

    def model(dy, w, size, stride=1):
        dy, w = np.asarray(dy, float), np.asarray(w, float)
        dx, apart = np.zeros((*size, w.shape[2])), stride if step else 1
        for i, j in np.ndindex(*dy.shape[:2]):
            place = np.s_[i * apart : i * apart + w.shape[0], j * apart : j * apart + w.shape[1]]
            put(dx, place, (w @ dy[i, j])[: dx[place].shape[0], : dx[place].shape[1]])
        return dx

    return model


def add(dx, place, stamp):
    dx[place] += stamp


def replace(dx, place, stamp):
    dx[place] = stamp


def averaged(dy, w, size, stride=1):
    """Divided by how many windows read each pixel."""
    dx = input_gradient(dy, w, size, stride)
    ones = input_gradient(np.ones((*np.shape(dy)[:2], 1)), np.ones((*np.shape(w)[:2], 1, 1)), size, stride)
    return dx / np.maximum(ones, 1)


def reached(dx, dy, w, stride):
    """Without the pixels that no window read."""
    height, width = ((n - 1) * stride + k for n, k in zip(dy.shape[:2], w.shape[:2]))
    return dx[:height, :width]


def back_refusing_small(dy, w, size, stride=1):
    """Only a dy that is too small is noticed."""
    height, width = (arithmetic.output_size(n, k, stride) for n, k in zip(size, np.shape(w)))
    dy = np.asarray(dy, float)
    if dy.shape[0] < height or dy.shape[1] < width:
        raise ValueError
    return input_gradient(dy[:height, :width], w, size, stride)
