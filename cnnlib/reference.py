"""The layers of a convolutional network in NumPy: the definitions that the course checks everything else against.

Written to be read. Lesson 01 builds the convolutions, lesson 02 the pooling, lesson 03 trains a network made of nothing
but this file, lesson 06 builds the normalisation, lesson 16 the ways with fewer multiplications. The order is: windows,
convolution, its gradients, the other kinds of convolution, pooling, normalisation, dense layers and the loss.

Shapes, everywhere:

- images ``x``: (batch, height, width, channels)
- kernels ``w``: (kernel height, kernel width, input channels / groups, output channels), as Keras stores them
- ``stride``, ``dilation``, pool ``size``: a whole number, or a pair (vertical, horizontal)
- ``padding``: ``"valid"``, ``"same"`` as in Keras, a whole number for all four sides, or ((top, bottom), (left, right))

A function named ``..._backward`` takes ``dy``, the gradient of the loss with respect to the output ``y``, and returns
the gradients with respect to the inputs, in their shapes. A wrong shape or value raises ValueError.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from cnnlib import arithmetic

Pair = int | tuple[int, int]
Padding = int | str | tuple[tuple[int, int], tuple[int, int]]


# Windows --------------------------------------------------------------------------------------------------------------


class Plan(NamedTuple):
    """Where the windows of one layer lie: every field is a pair (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    output: tuple[int, int]

    def taps(self) -> Iterator[tuple[int, int, slice, slice]]:
        """For each tap (i, j) of the kernel, the rows and columns of the padded input that it meets, window by window.

        The whole of convolution is in here: tap ``i`` of window ``n`` lies on pixel ``n * stride + i * dilation``.
        """
        for i, j in np.ndindex(self.kernel):
            rows, columns = (
                slice(tap * dilation, tap * dilation + (windows - 1) * stride + 1, stride)
                for tap, dilation, windows, stride in zip((i, j), self.dilation, self.output, self.stride)
            )
            yield i, j, rows, columns


def _pair(value: Pair, name: str) -> tuple[int, int]:
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} is one number or a pair (vertical, horizontal), got {value!r}.")
        return arithmetic.whole(name, value[0]), arithmetic.whole(name, value[1])
    return (arithmetic.whole(name, value),) * 2


def plan(
    shape: tuple[int, ...], kernel: Pair, stride: Pair = 1, padding: Padding = "valid", dilation: Pair = 1
) -> Plan:
    """The `Plan` of a layer with this ``kernel`` size on images of ``shape`` (batch, height, width, channels)."""
    if len(shape) != 4:
        raise ValueError(
            f"images must have shape (batch, height, width, channels), got {tuple(shape)}. "
            "Add what is missing: image[None] for the batch, image[..., None] for the channel."
        )
    kernel, stride, dilation = _pair(kernel, "kernel"), _pair(stride, "stride"), _pair(dilation, "dilation")
    if not isinstance(padding, (tuple, list)):
        padding = (padding, padding)
    elif len(padding) != 2 or not all(isinstance(side, (tuple, list)) for side in padding):
        raise ValueError(f"padding per side is ((top, bottom), (left, right)), got {padding!r}.")
    axes = list(zip(shape[1:3], kernel, stride, padding, dilation))
    return Plan(
        kernel,
        stride,
        dilation,
        padding=tuple(arithmetic.padding_amounts(*axis) for axis in axes),
        output=tuple(arithmetic.output_size(*axis) for axis in axes),
    )


def pad(
    x: np.ndarray,
    padding: Padding,
    kernel: Pair = 1,
    stride: Pair = 1,
    dilation: Pair = 1,
    mode: str = "zeros",
    value: float = 0.0,
) -> np.ndarray:
    """``x`` with a border around height and width.

    Args:
        x: images (batch, height, width, channels).
        padding: see the module. ``kernel``, ``stride`` and ``dilation`` matter only for ``"same"``.
        mode: ``"zeros"`` (or any other constant ``value``), ``"reflect"`` (mirrored at the centre of the border pixels)
            or ``"replicate"`` (border pixels repeated).
    """
    modes = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}
    if mode not in modes:
        raise ValueError(f"mode must be one of {', '.join(modes)}, got {mode!r}.")
    x = np.asarray(x)
    if padding == "valid":
        return x
    if isinstance(padding, str):
        (top, bottom), (left, right) = plan(x.shape, kernel, stride, padding, dilation).padding
    else:
        (top, bottom), (left, right) = plan(x.shape, 1, 1, padding).padding
    _, height, width, _ = x.shape
    if mode == "reflect" and (max(top, bottom) >= height or max(left, right) >= width):
        raise ValueError(f"a mirror image of {height} x {width} pixels cannot fill a border of {padding!r}.")
    sides = ((0, 0), (top, bottom), (left, right), (0, 0))
    if mode != "zeros":
        return np.pad(x, sides, mode=modes[mode])
    padded = np.full([before + n + after for n, (before, after) in zip(x.shape, sides)], value, x.dtype)
    padded[:, top : top + height, left : left + width] = x
    return padded


def _cut(padded: np.ndarray, sides: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray:
    """The inverse of `pad`: the border taken off again."""
    (top, bottom), (left, right) = sides
    return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]


def windows(
    x: np.ndarray, kernel: Pair, stride: Pair = 1, padding: Padding = "valid", dilation: Pair = 1
) -> np.ndarray:
    """Every window of ``x``, (batch, output height, output width, kernel height, kernel width, channels).

    Without padding this is a view of ``x``: nothing is copied, each pixel appears in all its windows. It is read-only.
    """
    where = plan(np.shape(x), kernel, stride, padding, dilation)
    spans = tuple(arithmetic.effective_kernel(k, d) for k, d in zip(where.kernel, where.dilation))
    view = np.lib.stride_tricks.sliding_window_view(pad(x, where.padding), spans, axis=(1, 2))
    view = view[:, :: where.stride[0], :: where.stride[1], :, :: where.dilation[0], :: where.dilation[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)


# Convolution ----------------------------------------------------------------------------------------------------------


def cross_correlate2d(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """One channel, one kernel, no padding, in loops: the sliding window of lesson 01.

    ``image`` (H, W), ``kernel`` (kh, kw) -> (H - kh + 1, W - kw + 1), with
    ``y[r, c] = sum over i, j of image[r + i, c + j] * kernel[i, j]``.

    This is what deep learning calls convolution. The mathematical one flips the kernel: see `convolve2d`.
    """
    image, kernel = np.asarray(image), np.asarray(kernel)
    if image.ndim != 2 or kernel.ndim != 2:
        raise ValueError(f"image and kernel must have two axes, got shapes {image.shape} and {kernel.shape}.")
    kernel_height, kernel_width = kernel.shape
    height = arithmetic.output_size(image.shape[0], kernel_height)
    width = arithmetic.output_size(image.shape[1], kernel_width)
    y = np.zeros((height, width), np.result_type(image, kernel))
    for row in range(height):
        for column in range(width):
            window = image[row : row + kernel_height, column : column + kernel_width]
            y[row, column] = np.sum(window * kernel)
    return y


def convolve2d(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolution as in mathematics: `cross_correlate2d` with the kernel flipped upside down and left to right."""
    return cross_correlate2d(image, np.asarray(kernel)[::-1, ::-1])


def _arrays(x: np.ndarray, w: np.ndarray, groups: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """``x`` and ``w`` as arrays whose shapes fit each other."""
    x, w = np.asarray(x), np.asarray(w)
    if w.ndim != 4:
        raise ValueError(
            f"w must have shape (kernel height, kernel width, input channels, output channels), got {w.shape}."
        )
    if x.ndim != 4:
        plan(x.shape, 1)  # says what is wrong
    expected = arithmetic.channels_per_group(x.shape[3], w.shape[3], groups)
    if w.shape[2] != expected:
        raise ValueError(
            f"x has {x.shape[3]} channels and groups={groups}, so that w must have shape (kh, kw, {expected}, output "
            f"channels), got {w.shape}. From PyTorch, take w.transpose(2, 3, 1, 0) and x.transpose(0, 2, 3, 1)."
        )
    return x, w


def _by_group(groups: int, x: np.ndarray, w: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each group's share of the channels of ``x`` (last axis) with its share of the filters in ``w`` (last axis)."""
    return zip(np.split(x, groups, axis=-1), np.split(w, groups, axis=-1))


def _with_bias(y: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """``y`` plus one bias for each channel, if there are any."""
    if b is None:
        return y
    if np.shape(b) != y.shape[-1:]:
        raise ValueError(f"b must hold one number for each of the {y.shape[-1]} outputs, got shape {np.shape(b)}.")
    return y + b


def conv2d_loops(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """`conv2d` as its definition reads, one output number at a time: about a thousand times slower (lesson 01).

    ``y[n, r, c, f] = b[f] + sum over i, j, k of x[n, r * stride + i * dilation, c * stride + j * dilation, k] *
    w[i, j, k, f]``, with ``x`` padded, and ``k`` running over the channels of the group that filter ``f`` belongs to.
    """
    x, w = _arrays(x, w, groups)
    where = plan(x.shape, w.shape[:2], stride, padding, dilation)
    padded = pad(x, where.padding)
    (step_y, step_x), (gap_y, gap_x) = where.stride, where.dilation
    span_y, span_x = (gap * (k - 1) + 1 for gap, k in zip(where.dilation, where.kernel))
    channels, filters = w.shape[2], w.shape[3]
    y = np.zeros((len(x), *where.output, filters), np.result_type(x, w))
    for n in range(len(x)):
        for row in range(where.output[0]):
            for column in range(where.output[1]):
                top, left = row * step_y, column * step_x
                window = padded[n, top : top + span_y : gap_y, left : left + span_x : gap_x]
                for f in range(filters):
                    first = f // (filters // groups) * channels  # of the channels that this filter's group reads
                    y[n, row, column, f] = np.sum(window[:, :, first : first + channels] * w[:, :, :, f])
    return _with_bias(y, b)


def im2col(x: np.ndarray, kernel: Pair, stride: Pair = 1, padding: Padding = "valid", dilation: Pair = 1) -> np.ndarray:
    """Each window of ``x`` laid out as one row of a matrix (lesson 01).

    Returns (batch * output height * output width, kernel height * kernel width * channels), rows in the order of the
    output pixels. A pixel is copied once for each window that contains it: nine times for a 3x3 kernel. Chellapilla,
    Puri and Simard (2006), "High performance convolutional neural networks for document processing".
    """
    view = windows(x, kernel, stride, padding, dilation)
    return view.reshape(np.prod(view.shape[:3]), np.prod(view.shape[3:]))


def col2im(
    columns: np.ndarray,
    shape: tuple[int, int, int, int],
    kernel: Pair,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
) -> np.ndarray:
    """The transpose of `im2col`: every entry is added to the pixel it came from, in images of ``shape``.

    This is what makes the gradient of a convolution, and a transposed convolution: overlapping windows add up.
    """
    where = plan(shape, kernel, stride, padding, dilation)
    batch, height, width, channels = shape
    rows = batch * where.output[0] * where.output[1]
    if columns.shape != (rows, where.kernel[0] * where.kernel[1] * channels):
        raise ValueError(f"columns of shape {columns.shape} do not come from images of shape {shape} with {where}.")
    columns = columns.reshape(batch, *where.output, *where.kernel, channels)
    (top, bottom), (left, right) = where.padding
    padded = np.zeros((batch, top + height + bottom, left + width + right, channels), columns.dtype)
    for i, j, pixel_rows, pixel_columns in where.taps():
        padded[:, pixel_rows, pixel_columns] += columns[:, :, :, i, j]
    return _cut(padded, where.padding)


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """Convolution as one matrix product for each group: windows as rows, filters as columns (lesson 01).

    Args:
        x: images (batch, height, width, input channels).
        w: kernels (kernel height, kernel width, input channels / groups, output channels).
        b: biases (output channels), or None.
        stride, padding, dilation: see the module.
        groups: output channels are made in this many equal parts, each from its own equal part of the input channels.
            Krizhevsky, Sutskever and Hinton (2012) used 2 to spread AlexNet over two cards.

    Returns:
        (batch, output height, output width, output channels); the definition is in `conv2d_loops`.
    """
    x, w = _arrays(x, w, groups)
    where = plan(x.shape, w.shape[:2], stride, padding, dilation)
    products = [
        im2col(x_group, where.kernel, where.stride, where.padding, where.dilation)
        @ w_group.reshape(-1, w_group.shape[3])
        for x_group, w_group in _by_group(groups, x, w)
    ]
    y = products[0] if groups == 1 else np.concatenate(products, axis=1)
    y = y.reshape(len(x), *where.output, w.shape[3])
    return _with_bias(y, b)


def conv2d_flat(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """`conv2d` without the copies of im2col: one matrix product for each tap of the kernel (lesson 16).

    Written one below the other, the pixels of the padded images are a matrix. To move the window by one pixel is to
    move down this matrix by one row, so tap (i, j) sees the same matrix from a later row on. Its product with
    ``w[i, j]`` is added to the result. Windows that run over the right or lower border meet pixels of the next row or
    image; they are computed like the others and then left out.
    """
    x, w = _arrays(x, w, groups)
    where = plan(x.shape, w.shape[:2], stride, padding, dilation)
    padded = pad(x, where.padding)
    taps = _products_of_rows if where.stride == (1, 1) else _products_of_slices
    y = [taps(x_group, w_group, where) for x_group, w_group in _by_group(groups, padded, w)]
    y = y[0] if groups == 1 else np.concatenate(y, axis=-1)
    return _with_bias(y, b)


def _products_of_rows(padded: np.ndarray, w: np.ndarray, where: Plan) -> np.ndarray:
    """Stride 1: the pixels that a tap meets are consecutive rows, taken without a copy."""
    batch, height, width, channels = padded.shape
    pixels = padded.reshape(-1, channels)
    shifts = {(i, j): rows.start * width + columns.start for i, j, rows, columns in where.taps()}
    count = len(pixels) - max(shifts.values())  # places where even the last tap still meets a pixel
    total = np.zeros((len(pixels), w.shape[3]), np.result_type(padded, w))
    product = np.empty_like(total[:count])
    for tap, shift in shifts.items():
        np.matmul(pixels[shift : shift + count], w[tap], out=product)
        total[:count] += product
    return total.reshape(batch, height, width, -1)[:, : where.output[0], : where.output[1]]


def _products_of_slices(padded: np.ndarray, w: np.ndarray, where: Plan) -> np.ndarray:
    """Any stride: the pixels that a tap meets lie apart and are gathered first."""
    total = np.zeros((len(padded), *where.output, w.shape[3]), np.result_type(padded, w))
    for i, j, rows, columns in where.taps():
        pixels = padded[:, rows, columns].reshape(-1, w.shape[2])
        total += (pixels @ w[i, j]).reshape(total.shape)
    return total


# Fewer multiplications (lesson 16) ------------------------------------------------------------------------------------

# Winograd's F(2x2, 3x3) (Lavin and Gray 2016): four outputs from a tile of 4 x 4 pixels by 16 products in place of 36.
WINOGRAD_PIXELS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])  # of a tile, from both sides
WINOGRAD_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
WINOGRAD_OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])


def winograd_kernel(w: np.ndarray) -> np.ndarray:
    """Kernels (3, 3, in, out) as `conv2d_winograd` multiplies with them, (4, 4, in, out): once for all images."""
    w = np.asarray(w)
    if w.ndim != 4 or w.shape[:2] != (3, 3):
        raise ValueError(f"F(2x2, 3x3) is made for kernels (3, 3, in, out), got shape {w.shape}.")
    sides = WINOGRAD_KERNEL.astype(np.result_type(w, np.float32))
    return np.einsum("ai,ijco,bj->abco", sides, w, sides)


def conv2d_winograd(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    padding: Padding = "valid",
    transformed: np.ndarray | None = None,
) -> np.ndarray:
    """`conv2d` of a 3x3 kernel with stride 1 by F(2x2, 3x3): 2.25 times fewer multiplications (Lavin and Gray 2016).

    Each tile of 4 x 4 pixels, 2 apart, is transformed by additions alone; then each of its 16 numbers is multiplied as
    a matrix product over the channels; additions again give 2 x 2 outputs. ``transformed`` is `winograd_kernel` of
    ``w`` if it was made before. (batch, height, width, in) -> (batch, height', width', out); ValueError for a kernel
    that is not 3x3.
    """
    x, w = _arrays(x, w)
    kernel = winograd_kernel(w) if transformed is None else transformed
    padded = pad(x, plan(x.shape, 3, 1, padding).padding)
    count, (height, width) = len(x), (size - 2 for size in padded.shape[1:3])
    rows, columns = -(-height // 2), -(-width // 2)
    padded = pad(padded, ((0, height % 2), (0, width % 2)))  # whole tiles; what they compute too much is cut off
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (1, 2))[:, ::2, ::2]
    tiles = tiles.transpose(4, 5, 0, 1, 2, 3).reshape(4, 4, -1)
    tiles = np.stack([tiles[0] - tiles[2], tiles[1] + tiles[2], tiles[2] - tiles[1], tiles[1] - tiles[3]])
    tiles = np.stack(
        [tiles[:, 0] - tiles[:, 2], tiles[:, 1] + tiles[:, 2], tiles[:, 2] - tiles[:, 1], tiles[:, 1] - tiles[:, 3]], 1
    )
    products = tiles.reshape(16, -1, w.shape[2]) @ kernel.reshape(16, w.shape[2], -1)
    products = products.reshape(4, 4, -1)
    y = np.stack([products[0] + products[1] + products[2], products[1] - products[2] - products[3]])
    y = np.stack([y[:, 0] + y[:, 1] + y[:, 2], y[:, 1] - y[:, 2] - y[:, 3]], 1)
    y = y.reshape(2, 2, count, rows, columns, -1).transpose(2, 3, 0, 4, 1, 5).reshape(count, 2 * rows, 2 * columns, -1)
    return _with_bias(y[:, :height, :width], b)


def conv2d_fft(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None, padding: Padding = "valid") -> np.ndarray:
    """`conv2d` with stride 1 by the convolution theorem: transform, multiply frequency by frequency, transform back.

    The number of operations hardly depends on the kernel's size. (batch, height, width, in) and (kh, kw, in, out) ->
    (batch, height', width', out). Mathieu, Henaff and LeCun (2014).
    """
    from scipy import fft  # of NumPy's own, that of older releases computes in double precision

    x, w = _arrays(x, w)
    where = plan(x.shape, w.shape[:2], 1, padding)
    padded = pad(x, where.padding)
    sizes = [fft.next_fast_len(size, real=True) for size in padded.shape[1:3]]
    images = fft.rfft2(padded, sizes, axes=(1, 2))
    kernels = fft.rfft2(w[::-1, ::-1], sizes, axes=(0, 1))  # flipped: a product of spectra is a true convolution
    y = fft.irfft2((images.transpose(1, 2, 0, 3) @ kernels).transpose(2, 0, 1, 3), sizes, axes=(1, 2))
    # The circle closes over the first kernel - 1 rows and columns; whole windows begin behind them.
    (top, left), (height, width) = (size - 1 for size in where.kernel), where.output
    return _with_bias(y[:, top : top + height, left : left + width], b)


def conv2d_backward(
    dy: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `conv2d` (lessons 01 and 03).

    With the windows as rows of a matrix ``X`` and the output ``Y = X @ W + b``, they are those of a dense layer:
    ``dW = X.T @ dY``, a sum over all positions because they share the kernel; ``db``, the sum of ``dY``; and
    ``dX = dY @ W.T``, which is then added up pixel by pixel because windows share pixels.

    Args:
        dy: gradient of the loss by the output (batch, output height, output width, output channels).
        x, w, stride, padding, dilation, groups: as given to `conv2d`.

    Returns:
        ``(dx, dw, db)`` in the shapes of ``x``, ``w`` and the biases (output channels).
    """
    x, w = _arrays(x, w, groups)
    where = plan(x.shape, w.shape[:2], stride, padding, dilation)
    geometry = where.kernel, where.stride, where.padding, where.dilation
    dy = _gradient_of((len(x), *where.output, w.shape[3]), dy)
    dx, dw = [], []
    for (x_group, w_group), dy_group in zip(_by_group(groups, x, w), np.split(dy, groups, axis=-1)):
        dy_rows = dy_group.reshape(-1, dy_group.shape[-1])
        w_matrix = w_group.reshape(-1, w_group.shape[-1])
        dw.append((im2col(x_group, *geometry).T @ dy_rows).reshape(w_group.shape))
        dx.append(col2im(dy_rows @ w_matrix.T, x_group.shape, *geometry))
    return np.concatenate(dx, axis=-1), np.concatenate(dw, axis=-1), dy.sum(axis=(0, 1, 2))


def _gradient_of(shape: tuple[int, ...], dy: np.ndarray) -> np.ndarray:
    dy = np.asarray(dy)
    if dy.shape != tuple(shape):
        raise ValueError(f"dy has the shape of the output, {tuple(shape)}, but got {dy.shape}.")
    return dy


# Other kinds of convolution -------------------------------------------------------------------------------------------


def conv2d_transpose(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    stride: Pair = 1,
    padding: int | str = "valid",
    output_padding: Pair | None = None,
    dilation: Pair = 1,
) -> np.ndarray:
    """Transposed convolution: the gradient of a convolution by its input, used as a layer (lessons 01 and 12).

    Each input pixel paints a copy of the kernel, scaled by its value, onto the output; the copies lie ``stride`` pixels
    apart and add up where they overlap. Dumoulin and Visin (2016), "A guide to convolution arithmetic".

    Args:
        x: images (batch, height, width, input channels).
        w: kernels (kernel height, kernel width, *output* channels, *input* channels), as ``Conv2DTranspose`` stores
            them: they belong to the convolution from output to input, of which this is the gradient.
        b: biases (output channels), or None.
        stride: output pixels between two copies.
        padding: ``"valid"``, ``"same"`` or a whole number, cut off the output.
        output_padding: pixels added at the lower and right end, fewer than ``stride``; None for what Keras does.
        dilation: output pixels between two taps.

    Returns:
        (batch, output height, output width, output channels), sizes as in ``arithmetic.transposed_output_size``.
    """
    x, w = np.asarray(x), np.asarray(w)
    if x.ndim != 4 or w.ndim != 4 or w.shape[3] != x.shape[3]:
        raise ValueError(
            "x must have shape (batch, height, width, input channels) and w (kernel height, kernel width, output "
            f"channels, input channels), got {x.shape} and {w.shape}. Output channels come before input channels here."
        )
    kernel, stride, dilation = w.shape[:2], _pair(stride, "stride"), _pair(dilation, "dilation")
    extra = output_padding if isinstance(output_padding, (tuple, list)) else (output_padding,) * 2
    size = tuple(
        arithmetic.transposed_output_size(n, k, s, padding, e, d)
        for n, k, s, e, d in zip(x.shape[1:3], kernel, stride, extra, dilation)
    )
    shape = (len(x), *size, w.shape[2])
    if plan(shape, kernel, stride, padding, dilation).output != x.shape[1:3]:
        raise ValueError(
            f"no convolution with padding={padding!r} leads from {size} pixels back to {x.shape[1:3]}. "
            "With an even kernel and padding='same', output_padding must be at least 1, or None."
        )
    columns = x.reshape(-1, x.shape[3]) @ w.reshape(-1, w.shape[3]).T
    y = col2im(columns, shape, kernel, stride, padding, dilation)
    return _with_bias(y, b)


def depthwise_conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
) -> np.ndarray:
    """Each channel convolved with kernels of its own; channels are not mixed (lessons 01 and 07).

    The same as `conv2d` with as many groups as channels. Howard et al. (2017), "MobileNets".

    Args:
        x: images (batch, height, width, channels).
        w: kernels (kernel height, kernel width, channels, multiplier), as ``DepthwiseConv2D`` stores them.
        b: biases (channels * multiplier), or None.

    Returns:
        (batch, output height, output width, channels * multiplier): the outputs of the first channel come first.
    """
    x, w = np.asarray(x), np.asarray(w)
    if x.ndim != 4 or w.ndim != 4 or w.shape[2] != x.shape[3]:
        raise ValueError(
            "x must have shape (batch, height, width, channels) and w (kernel height, kernel width, channels, "
            f"multiplier), got {x.shape} and {w.shape}."
        )
    where = plan(x.shape, w.shape[:2], stride, padding, dilation)
    padded = pad(x, where.padding)
    y = np.zeros((len(x), *where.output, *w.shape[2:]), np.result_type(x, w))
    for i, j, rows, columns in where.taps():
        y += padded[:, rows, columns, :, None] * w[i, j]
    y = y.reshape(*y.shape[:3], -1)
    return _with_bias(y, b)


# Pooling --------------------------------------------------------------------------------------------------------------


def _pool_plan(x: np.ndarray, size: Pair, stride: Pair | None, padding: Padding) -> Plan:
    where = plan(np.shape(x), size, size if stride is None else stride, padding)
    if any(max(sides) >= kernel for sides, kernel in zip(where.padding, where.kernel)):
        raise ValueError(f"padding {padding!r} is as wide as the pool {size}: a window would see nothing but padding.")
    return where


def _pad_with_lowest(x: np.ndarray, padding: Padding) -> np.ndarray:
    dtype = np.asarray(x).dtype
    return pad(x, padding, value=-np.inf if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).min)


def max_pool2d(x: np.ndarray, size: Pair = 2, stride: Pair | None = None, padding: Padding = "valid") -> np.ndarray:
    """The largest value of each window, channel by channel; ``stride`` None means ``size`` (lesson 02).

    Padding never wins: it counts as minus infinity. (batch, H, W, C) -> (batch, output height, output width, C).
    """
    where = _pool_plan(x, size, stride, padding)
    padded = _pad_with_lowest(x, where.padding)
    return functools.reduce(np.maximum, (padded[:, rows, columns] for _, _, rows, columns in where.taps()))


def max_pool2d_backward(
    dy: np.ndarray, x: np.ndarray, size: Pair = 2, stride: Pair | None = None, padding: Padding = "valid"
) -> np.ndarray:
    """Gradient of `max_pool2d`: all of ``dy`` goes to the pixel that won, the first of the window if several did."""
    where = _pool_plan(x, size, stride, padding)
    y = max_pool2d(x, size, stride, padding)
    dy = _gradient_of(y.shape, dy)
    padded = _pad_with_lowest(x, where.padding)
    dx = np.zeros(padded.shape, dy.dtype)
    undecided = np.ones(y.shape, bool)
    for _, _, rows, columns in where.taps():
        wins = undecided & (padded[:, rows, columns] == y)
        dx[:, rows, columns] += dy * wins
        undecided &= ~wins
    return _cut(dx, where.padding)


def _pixels_in_windows(x: np.ndarray, where: Plan) -> np.ndarray:
    """How many pixels of the image, padding excluded, each window holds: (1, output height, output width, 1)."""
    ones = pad(np.ones((1, *x.shape[1:3], 1), np.float32), where.padding)
    return sum(ones[:, rows, columns] for _, _, rows, columns in where.taps())


def avg_pool2d(x: np.ndarray, size: Pair = 2, stride: Pair | None = None, padding: Padding = "valid") -> np.ndarray:
    """The mean of each window, channel by channel; ``stride`` None means ``size`` (lesson 02).

    Padding is left out of the mean, as in Keras: a window half over the border is the mean of its other half.
    """
    where = _pool_plan(x, size, stride, padding)
    x = np.asarray(x)
    padded = pad(x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float64), where.padding)  # no overflow
    return sum(padded[:, rows, columns] for _, _, rows, columns in where.taps()) / _pixels_in_windows(x, where)


def avg_pool2d_backward(
    dy: np.ndarray, x: np.ndarray, size: Pair = 2, stride: Pair | None = None, padding: Padding = "valid"
) -> np.ndarray:
    """Gradient of `avg_pool2d`: each pixel of a window gets an equal share. Of ``x`` only the shape matters."""
    where = _pool_plan(x, size, stride, padding)
    x = np.asarray(x)
    share = _gradient_of((len(x), *where.output, x.shape[3]), dy) / _pixels_in_windows(x, where)
    dx = np.zeros(pad(x, where.padding).shape, share.dtype)
    for _, _, rows, columns in where.taps():
        dx[:, rows, columns] += share
    return _cut(dx, where.padding)


def global_avg_pool(x: np.ndarray) -> np.ndarray:
    """The mean of each channel, (batch, H, W, C) -> (batch, C). Lin, Chen and Yan (2014), "Network in network"."""
    plan(np.shape(x), 1)
    return np.mean(x, axis=(1, 2))


def global_avg_pool_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `global_avg_pool`: every pixel gets ``dy / (H * W)``. Of ``x`` only the shape matters."""
    batch, height, width, channels = x.shape
    dy = _gradient_of((batch, channels), dy)
    return np.broadcast_to(dy[:, None, None] / (height * width), x.shape).copy()


def global_max_pool(x: np.ndarray) -> np.ndarray:
    """The largest value of each channel, (batch, H, W, C) -> (batch, C)."""
    plan(np.shape(x), 1)
    return np.max(x, axis=(1, 2))


def global_max_pool_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `global_max_pool`: all of ``dy`` goes to the first pixel with the largest value."""
    dy = _gradient_of((x.shape[0], x.shape[3]), dy)
    return max_pool2d_backward(dy[:, None, None], x, size=x.shape[1:3])


# Normalisation --------------------------------------------------------------------------------------------------------


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel (the last axis) over everything else; the variance divides by the count."""
    axes = tuple(range(np.ndim(x) - 1))
    return np.mean(x, axis=axes), np.var(x, axis=axes)


def batch_norm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    eps: float = 1e-3,
    mean: np.ndarray | None = None,
    var: np.ndarray | None = None,
) -> np.ndarray:
    """Batch normalisation of the last axis, ``gamma * (x - mean) / sqrt(var + eps) + beta`` (lesson 06).

    Without ``mean`` and ``var`` those of this batch are used, as in training. Give the moving averages for inference.
    Ioffe and Szegedy (2015), "Batch normalization".

    Args:
        x: (..., channels); ``gamma``, ``beta``, ``mean``, ``var``: (channels).
        eps: added to the variance; 1e-3 as in Keras.
    """
    if (mean is None) != (var is None):
        raise ValueError("give both mean and var (inference) or neither (training).")
    if mean is None:
        mean, var = moments(x)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def moving_average(old: np.ndarray, new: np.ndarray, momentum: float = 0.99) -> np.ndarray:
    """``momentum * old + (1 - momentum) * new``: how batch normalisation collects its statistics for inference."""
    return momentum * old + (1 - momentum) * new


def batch_norm_backward(
    dy: np.ndarray, x: np.ndarray, gamma: np.ndarray, eps: float = 1e-3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients ``(dx, dgamma, dbeta)`` of `batch_norm` in training.

    The batch's mean and variance depend on ``x`` too: what they contribute takes away from ``dx`` its mean and its part
    along the normalised ``x``, so that shifting or scaling the whole batch changes nothing.
    """
    axes = tuple(range(np.ndim(x) - 1))
    mean, var = moments(x)
    normalised = (x - mean) / np.sqrt(var + eps)
    dgamma, dbeta = np.sum(dy * normalised, axis=axes), np.sum(dy, axis=axes)
    count = np.size(x) // np.shape(x)[-1]
    dx = gamma / np.sqrt(var + eps) * (dy - dbeta / count - normalised * dgamma / count)
    return dx, dgamma, dbeta


# Dense layers and the loss --------------------------------------------------------------------------------------------


def dense(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """A dense layer, ``x @ w + b``: (batch, inputs), (inputs, units), (units) -> (batch, units)."""
    if np.ndim(x) != 2 or np.ndim(w) != 2 or np.shape(x)[1] != np.shape(w)[0]:
        raise ValueError(
            f"x must be (batch, inputs) and w (inputs, units), got {np.shape(x)} and {np.shape(w)}. "
            "Flatten images with x.reshape(len(x), -1)."
        )
    return _with_bias(x @ w, b)


def dense_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients ``(dx, dw, db)`` of `dense`: ``dy @ w.T``, ``x.T @ dy`` and the sum of ``dy`` over the batch."""
    dy = _gradient_of((np.shape(x)[0], np.shape(w)[1]), dy)
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


def relu(x: np.ndarray) -> np.ndarray:
    """``max(x, 0)``, number by number."""
    return np.maximum(x, 0)


def relu_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Gradient of `relu`: ``dy`` where ``x`` is positive, else 0; at 0 itself 0, as the backends have it."""
    return _gradient_of(np.shape(x), dy) * (x > 0)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of `softmax`, (..., classes). Exact where a probability is too small to be stored."""
    shifted = logits - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def softmax(logits: np.ndarray) -> np.ndarray:
    """``exp(logits) / sum(exp(logits))`` along the last axis (lesson 03).

    Subtracting the largest logit first changes nothing in the quotient and keeps ``exp`` from overflowing.
    """
    return np.exp(log_softmax(np.asarray(logits)))


def _targets(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels as probabilities in the shape of the logits: class numbers become one-hot rows."""
    labels, classes = np.asarray(labels), logits.shape[-1]
    if labels.shape == logits.shape:
        return labels
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels are class numbers of shape {logits.shape[:-1]} or probabilities of shape {logits.shape}, "
            f"got shape {labels.shape}."
        )
    if not np.issubdtype(labels.dtype, np.integer) or (labels.size and not 0 <= labels.min() <= labels.max() < classes):
        raise ValueError(f"class numbers are whole and between 0 and {classes - 1}, got {np.unique(labels)[[0, -1]]}.")
    return np.eye(classes, dtype=logits.dtype)[labels]


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean of ``-log(probability of the true class)`` over the batch, from logits (lesson 03).

    Args:
        logits: (..., classes), before the softmax.
        labels: class numbers (...), or probabilities (..., classes) that sum to 1, such as one-hot or smoothed ones.
    """
    logits = np.asarray(logits)
    return float(-np.mean(np.sum(_targets(logits, labels) * log_softmax(logits), axis=-1)))


def softmax_cross_entropy_grad(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Gradient of `cross_entropy` by the logits: ``(softmax(logits) - one_hot(labels)) / batch`` (lesson 03)."""
    logits = np.asarray(logits)
    return (softmax(logits) - _targets(logits, labels)) / max(logits.size // logits.shape[-1], 1)


def numerical_gradient(fn: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Gradient of ``fn`` at ``x`` by central differences in float64: the judge of every formula above (lesson 03).

    Each number of ``x`` is moved by ``step`` up and down: two calls of ``fn`` for each. The error is of the order of
    ``step**2``, and of rounding divided by ``step``.
    """
    x = np.array(x, np.float64)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        original = x[index]
        x[index] = original + step
        above = fn(x)
        x[index] = original - step
        gradient[index] = (above - fn(x)) / (2 * step)
        x[index] = original
    return gradient
