"""Cases and wrong models of exercises 01.4 to 01.6: a convolution layer, its kernel found, its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib import arithmetic, reference
from cnnlib.exercises.kinds import Case


def refusing(right: Callable, wrong: Callable) -> Callable:
    """``wrong``, except that it refuses what ``right`` refuses."""

    def model(*args, **kwargs):
        right(*args, **kwargs)
        return wrong(*args, **kwargs)

    return model


def conv2d(x, w, b=None, stride=1, padding=0):
    """The reference: one image, NHWC without the N."""
    return reference.conv2d(np.asarray(x)[None], w, b, stride=stride, padding=padding)[0]


def _halves(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random numbers that are easy to read and exact in every float type: -4, -3.5, ..., 4."""
    return rng.integers(-8, 9, size=shape) / 2


def conv2d_cases(rng: np.random.Generator) -> Iterator[Case]:
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


def conv2d_model(change: Callable) -> Callable:
    """The layer with changed arguments or result; ``change(x, w, b, stride, padding)`` returns the output."""

    def model(x, w, b=None, stride=1, padding=0):
        return change(np.asarray(x, float), np.asarray(w, float), b, stride, padding)

    return refusing(conv2d, model)


def padded_conv2d(**how: object) -> Callable:
    """A layer that pads as ``numpy.pad`` does with ``how``."""

    def change(x, w, b, stride, padding):
        return conv2d(np.pad(x, ((padding, padding), (padding, padding), (0, 0)), **how), w, b, stride)

    return conv2d_model(change)


def padded_other_conv2d(before: int, after: int) -> Callable:
    """Pads ``before`` and ``after`` times as much as it should; refuses nothing."""

    def model(x, w, b=None, stride=1, padding=0):
        sides = (before * padding, after * padding)
        return conv2d(np.pad(x, (sides, sides, (0, 0))), w, b, stride)

    return model


def _fits(x: np.ndarray, w: np.ndarray) -> bool:
    return x.shape[0] >= w.shape[0] and x.shape[1] >= w.shape[1]


def wrong_window_conv2d(x, w, b, stride, padding):
    """Forgets to multiply the place by the stride: the windows lie side by side at distance 1."""
    y = conv2d(x, w, b, 1, padding)
    height, width = (arithmetic.output_size(n, k, stride, padding) for n, k in zip(x.shape[:2], w.shape[:2]))
    return y[:height, :width]


def full_conv2d(x, w, b, stride):
    rows, columns = (k - 1 for k in w.shape[:2])
    return conv2d(np.pad(x, ((rows, rows), (columns, columns), (0, 0))), w, b, stride)


def conv2d_in_type_of(which: int) -> Callable:
    """The layer whose output has the type of ``x`` (0) or ``w`` (1): whole numbers stay whole."""

    def model(x, w, b=None, stride=1, padding=0):
        y = conv2d(x, w, None, stride, padding)
        y = np.trunc(y) if np.asarray((x, w)[which]).dtype.kind in "iu" else y
        return y if b is None else y + b

    return model


def permissive_conv2d(channels: bool) -> Callable:
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
        return conv2d(x, w, b, stride, padding)

    return model


def find_kernel(image, output):
    """The reference: one equation for each output pixel."""
    image, output = np.asarray(image, float), np.asarray(output, float)
    shape = tuple(n - m + 1 for n, m in zip(image.shape, output.shape))
    if min(shape) < 1:
        raise ValueError(f"an output of {output.shape} is larger than the image of {image.shape}")
    if output.size < shape[0] * shape[1]:
        raise ValueError(f"{output.size} outputs cannot determine {shape[0] * shape[1]} weights")
    windows = np.lib.stride_tricks.sliding_window_view(image, shape).reshape(output.size, -1)
    return np.linalg.lstsq(windows, output.ravel())[0].reshape(shape)


def find_cases(rng: np.random.Generator) -> Iterator[Case]:
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
    even, kernel = 2 * rng.permutation(np.arange(30)).reshape(6, 5), np.array([[0.5, -1.5], [2.5, 1]])
    output = reference.cross_correlate2d(even, kernel).round().astype(int)
    yield Case((even / 1.0, output), about="an output of whole numbers, and weights that are none")
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


def find_model(change: Callable[[np.ndarray], object]) -> Callable:
    return lambda image, output: change(find_kernel(image, output))


def find_anything(image, output):
    """Solves also where many kernels fit."""
    shape = tuple(n - m + 1 for n, m in zip(np.shape(image), np.shape(output)))
    if min(shape) < 1:
        raise ValueError
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image), shape).reshape(np.size(output), -1)
    return np.linalg.lstsq(windows, np.ravel(output))[0].reshape(shape)


def find_refusing_equality(image, output):
    kernel = find_kernel(image, output)
    if np.size(output) <= kernel.size:
        raise ValueError
    return kernel


def find_from_a_few(part: Callable[[int], slice], solve: Callable) -> Callable:
    """Takes as many equations as there are weights, and leaves the others."""

    def model(image, output):
        shape = find_kernel(image, output).shape
        windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image, float), shape).reshape(np.size(output), -1)
        chosen = part(windows.shape[1])
        return solve(windows[chosen], np.ravel(output)[chosen]).reshape(shape)

    return model


ONLY_A_FEW = (
    "You use only as many output pixels as there are weights. Where the image is black or even, their equations say "
    "the same or nothing, and the kernel is not found. Let all output pixels take part."
)


def find_by_correlating(image, output):
    """Slides the output over the image: the gradient, not the solution."""
    find_kernel(image, output)
    return reference.cross_correlate2d(np.asarray(image, float), np.asarray(output, float))


def kernel_gradient(x, dy, kernel_size, stride=1):
    """The reference: (kh, kw, channels in, channels out)."""
    x, dy = np.asarray(x, float), np.asarray(dy, float)
    output = tuple(arithmetic.output_size(n, k, stride) for n, k in zip(x.shape, kernel_size))
    if dy.shape[:2] != output:
        raise ValueError(f"the layer returns {output}, dy has {dy.shape[:2]}")
    w = np.zeros((*kernel_size, x.shape[2], dy.shape[2]))
    return reference.conv2d_backward(dy[None], x[None], w, stride=stride)[1]


def backward_cases(rng: np.random.Generator, example: Callable[..., tuple]) -> Iterator[Case]:
    """What a backward pass of a convolution is asked: each thing that can go wrong by itself, then all at once.

    Args:
        rng: draws the sizes of the last ones.
        example: ``(height, width, cin, cout, kernel_size, stride=1)`` -> the arguments of the function but its stride.
    """
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


def gradient_cases(rng: np.random.Generator) -> Iterator[Case]:
    def example(height, width, cin, cout, kernel_size, stride=1):
        output = [arithmetic.output_size(n, k, stride) for n, k in zip((height, width), kernel_size)]
        return _halves(rng, height, width, cin), _halves(rng, *output, cout), kernel_size

    yield from backward_cases(rng, example)
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


def gradient_model(change: Callable) -> Callable:
    """``change(dw, dy)`` of the right gradient."""
    return lambda x, dy, kernel_size, stride=1: change(kernel_gradient(x, dy, kernel_size, stride), np.asarray(dy))


def gradient_one_place(last: bool) -> Callable:
    """The term of one position instead of the sum."""

    def model(x, dy, kernel_size, stride=1):
        kernel_gradient(x, dy, kernel_size, stride)
        i, j = (dy.shape[0] - 1, dy.shape[1] - 1) if last else (0, 0)
        window = x[i * stride : i * stride + kernel_size[0], j * stride : j * stride + kernel_size[1]]
        return window[:, :, :, None] * dy[i, j]

    return model


def gradient_in_type_of(which: int) -> Callable:
    """The gradient with the type of ``x`` (0) or ``dy`` (1): whole numbers stay whole."""

    def model(x, dy, kernel_size, stride=1):
        dw = kernel_gradient(x, dy, kernel_size, stride)
        return np.trunc(dw) if np.asarray((x, dy)[which]).dtype.kind in "iu" else dw

    return model


def gradient_dense_windows(x, dy, kernel_size, stride=1):
    """Window i begins at i, not at i * stride."""
    kernel_gradient(x, dy, kernel_size, stride)
    height, width = (n + k - 1 for n, k in zip(dy.shape, kernel_size))
    return kernel_gradient(np.asarray(x)[:height, :width], dy, kernel_size)


def gradient_of_anything(x, dy, kernel_size, stride=1):
    """Uses as much of x and dy as both have."""
    x, dy = np.asarray(x, float), np.asarray(dy, float)
    dw = np.zeros((*kernel_size, x.shape[2], dy.shape[2]))
    for i, j in np.ndindex(*dy.shape[:2]):
        window = x[i * stride : i * stride + kernel_size[0], j * stride : j * stride + kernel_size[1]]
        dw[: window.shape[0], : window.shape[1]] += window[:, :, :, None] * dy[i, j]
    return dw


def gradient_refusing_large(x, dy, kernel_size, stride=1):
    """Loops over the places of the layer, so that only a dy that is too small is noticed, if at all."""
    height, width = (arithmetic.output_size(n, k, stride) for n, k in zip(np.shape(x), kernel_size))
    dy = np.asarray(dy, float)
    if dy.shape[0] < height or dy.shape[1] < width:
        raise ValueError
    return kernel_gradient(x, dy[:height, :width], kernel_size, stride)
