"""Sizes and costs of convolution layers, in whole numbers (lesson 01; receptive fields: lesson 02).

Nothing here touches an array. Sizes are those of *one* spatial axis: for an image, ask once for the height and once for
the width. Names: a window of ``kernel`` taps, ``dilation`` pixels apart, moves in steps of ``stride`` over ``size``
pixels that have ``padding`` pixels added at both ends.

Arithmetic as in Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning".
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Padding = int | tuple[int, int] | str
Kernel = int | Sequence[int]


# Arguments ------------------------------------------------------------------------------------------------------------


def whole(name: str, value: object, least: int = 1) -> int:
    """``value`` as an int of at least ``least``; TypeError or ValueError naming ``name`` if it is anything else."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(
            f"{name} must be a whole number, got {value!r} ({type(value).__name__}). "
            "These functions answer for one axis at a time; pass the height and the width separately."
        )
    number = operator.index(value)
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}.")
    return number


def _kernel_taps(kernel: Kernel) -> int:
    """The number of taps of a kernel: 3 counts as 3x3, a sequence is multiplied up."""
    if isinstance(kernel, (tuple, list)):
        return math.prod(whole("kernel", k) for k in kernel)
    return whole("kernel", kernel) ** 2


def channels_per_group(in_channels: int, out_channels: int, groups: int) -> int:
    """Input channels that each output channel reads; ValueError if the groups do not come out even."""
    in_channels, out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
    groups = whole("groups", groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"groups={groups} must divide both the {in_channels} input and the {out_channels} output channels, "
            "because each group reads and writes an equal share of them."
        )
    return in_channels // groups


def padding_amounts(size: int, kernel: int, stride: int, padding: Padding, dilation: int) -> tuple[int, int]:
    """Pixels added ``(before, after)`` one axis for ``padding`` an int, a pair, ``"same"`` or ``"valid"``."""
    if isinstance(padding, str):
        if padding == "valid":
            return 0, 0
        if padding == "same":
            return same_padding(size, kernel, stride, dilation)
        raise ValueError(f"padding must be 'same', 'valid', a whole number or a pair (before, after), got {padding!r}.")
    if isinstance(padding, (tuple, list)):
        if len(padding) != 2:
            raise ValueError(f"padding as a pair is (before, after), got {padding!r}.")
        return whole("padding", padding[0], 0), whole("padding", padding[1], 0)
    return (whole("padding", padding, 0),) * 2


# Sizes ----------------------------------------------------------------------------------------------------------------


def effective_kernel(kernel: int, dilation: int = 1) -> int:
    """Pixels from the first tap of a kernel to its last, both included: ``dilation * (kernel - 1) + 1``.

    >>> effective_kernel(3, dilation=2)
    5
    """
    return whole("dilation", dilation) * (whole("kernel", kernel) - 1) + 1


def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Zeros ``(before, after)`` that Keras and TensorFlow add for ``padding="same"``.

    The output then has ``ceil(size / stride)`` pixels. An odd total puts the extra zero at the end, and with a stride
    the total depends on the size of the image.

    >>> same_padding(224, kernel=3, stride=2)
    (0, 1)
    """
    size, stride = whole("size", size), whole("stride", stride)
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + effective_kernel(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


def output_size(size: int, kernel: int, stride: int = 1, padding: Padding = 0, dilation: int = 1) -> int:
    """Number of places where the window stops: ``floor((W + 2P - D(K-1) - 1) / S) + 1`` (lesson 01).

    Args:
        size: input pixels ``W`` along the axis.
        kernel: taps ``K``.
        stride: pixels ``S`` between two windows.
        padding: pixels ``P`` added at each end; or a pair (before, after), ``"same"`` or ``"valid"``.
        dilation: pixels ``D`` between two taps.

    Raises:
        ValueError: if the dilated kernel is wider than the padded input: there is no place for it.

    >>> output_size(5, 3, stride=2, padding=1)
    3
    """
    size, stride = whole("size", size), whole("stride", stride)
    span = effective_kernel(kernel, dilation)
    padded = size + sum(padding_amounts(size, kernel, stride, padding, dilation))
    if span > padded:
        raise ValueError(
            f"a kernel of {kernel} with dilation {dilation} spans {span} pixels and does not fit into {padded} "
            f"({size} plus padding). Use a smaller kernel or dilation, more padding, or pool less before this layer."
        )
    return (padded - span) // stride + 1


def covered(size: int, kernel: int, stride: int = 1, padding: Padding = 0, dilation: int = 1) -> int:
    """How many of the ``size`` input pixels at least one window reads. The others have no influence on the output.

    Pixels are lost at the end, where the floor in `output_size` drops a window that would not fit, and in between,
    where the stride is longer than the kernel or shares a divisor with the dilation.

    >>> covered(224, kernel=7, stride=2), covered(224, kernel=7, stride=2, padding=3)
    (223, 224)
    """
    outputs = output_size(size, kernel, stride, padding, dilation)
    before, _ = padding_amounts(size, kernel, stride, padding, dilation)
    read = {window * stride + tap * dilation - before for window in range(outputs) for tap in range(kernel)}
    return sum(0 <= pixel < size for pixel in read)


def transposed_output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int | str = "valid",
    output_padding: int | None = None,
    dilation: int = 1,
) -> int:
    """Output pixels of a transposed convolution, as ``keras.layers.Conv2DTranspose`` counts them (lessons 01 and 12).

    Several input sizes of a strided convolution give one output size, so the way back is a choice. Left alone
    (``output_padding=None``), ``"same"`` gives ``size * stride`` and ``"valid"`` gives
    ``(size - 1) * stride + max(effective kernel, stride)``. A whole number as ``padding`` is cut off both ends,
    ``(size - 1) * stride + effective kernel - 2 * padding + output_padding``, as PyTorch does it.

    Args:
        size: input pixels along the axis.
        kernel: taps.
        stride: output pixels between two windows.
        padding: ``"valid"``, ``"same"`` or a whole number.
        output_padding: pixels added at the end, fewer than ``stride``.
        dilation: output pixels between two taps.

    >>> transposed_output_size(7, kernel=4, stride=2, padding="same")
    14
    """
    size, stride = whole("size", size), whole("stride", stride)
    span = effective_kernel(kernel, dilation)
    if output_padding is not None and whole("output_padding", output_padding, 0) >= stride:
        raise ValueError(
            f"output_padding={output_padding} must be smaller than the stride {stride}: "
            "more would add pixels that belong to a further input pixel."
        )
    if padding == "same" and output_padding is None:
        return size * stride
    if padding == "same":  # a padding of span // 2 is cut off both ends
        return (size - 1) * stride + span % 2 + output_padding
    if padding == "valid":
        extra = max(stride - span, 0) if output_padding is None else output_padding
        return (size - 1) * stride + span + extra
    if isinstance(padding, str):
        raise ValueError(f"padding must be 'same', 'valid' or a whole number, got {padding!r}.")
    result = (size - 1) * stride + span - 2 * whole("padding", padding, 0) + (output_padding or 0)
    if result < 1:
        raise ValueError(f"padding={padding} cuts off every pixel: only {result + 2 * padding} were there to cut from.")
    return result


# Costs ----------------------------------------------------------------------------------------------------------------


def conv_parameters(kernel: Kernel, in_channels: int, out_channels: int, bias: bool = True, groups: int = 1) -> int:
    """Weights of a convolution layer, ``(kh * kw * Cin / groups + 1) * Cout``: the image size does not enter.

    ``kernel`` is an int for a square kernel or the sizes along each axis.

    >>> conv_parameters(3, in_channels=3, out_channels=16)
    448
    """
    inputs = _kernel_taps(kernel) * channels_per_group(in_channels, out_channels, groups)
    return (inputs + bool(bias)) * out_channels


def conv_macs(output_shape: Sequence[int], kernel: Kernel, in_channels: int, out_channels: int, groups: int = 1) -> int:
    """Multiply-accumulates of a convolution layer for one image: output pixels times weights without the biases.

    ``output_shape`` is the (height, width) of the *output*. One multiply-accumulate is two floating-point operations.

    >>> conv_macs((224, 224), 3, in_channels=3, out_channels=64)
    86704128
    """
    pixels = math.prod(whole("output_shape", n) for n in output_shape)
    return pixels * conv_parameters(kernel, in_channels, out_channels, bias=False, groups=groups)


def depthwise_parameters(kernel: Kernel, channels: int, multiplier: int = 1, bias: bool = True) -> int:
    """Weights of a depthwise convolution: each channel has ``multiplier`` kernels of its own and reads nothing else."""
    channels, multiplier = whole("channels", channels), whole("multiplier", multiplier)
    return (_kernel_taps(kernel) + bool(bias)) * channels * multiplier


def separable_parameters(
    kernel: Kernel, in_channels: int, out_channels: int, multiplier: int = 1, bias: bool = True
) -> int:
    """Weights of a depthwise convolution followed by a 1x1 one, as in ``keras.layers.SeparableConv2D``.

    Only the 1x1 step has a bias: one in between would be absorbed by it. Chollet (2017), "Xception".

    >>> separable_parameters(3, 256, 256, bias=False) / conv_parameters(3, 256, 256, bias=False)  # 1/256 + 1/9
    0.1150173611111111
    """
    depthwise = depthwise_parameters(kernel, in_channels, multiplier, bias=False)
    return depthwise + conv_parameters(1, in_channels * multiplier, out_channels, bias)


def separable_macs(
    output_shape: Sequence[int], kernel: Kernel, in_channels: int, out_channels: int, multiplier: int = 1
) -> int:
    """Multiply-accumulates of `separable_parameters`' layer for one image with (height, width) ``output_shape`` out."""
    pixels = math.prod(whole("output_shape", n) for n in output_shape)
    return pixels * separable_parameters(kernel, in_channels, out_channels, multiplier, bias=False)


def dense_parameters(inputs: int, units: int, bias: bool = True) -> int:
    """Weights of a dense layer, ``(inputs + 1) * units``: every unit reads every input.

    >>> dense_parameters(224 * 224 * 3, 64)
    9633856
    """
    return (whole("inputs", inputs) + bool(bias)) * whole("units", units)


# Receptive field ------------------------------------------------------------------------------------------------------


class ReceptiveField(NamedTuple):
    """What one unit of a layer sees along one axis, in input pixels.

    Attributes:
        size: pixels from the first that the unit can see to the last, both included.
        jump: pixels between the centres of two neighbouring units.
        start: position of the first unit's centre; pixel ``i`` lies at position ``i``. The field of unit ``n`` is
            centred on ``start + n * jump``. Even kernels give halves; padding moves it towards 0 and beyond.
    """

    size: int = 1
    jump: int = 1
    start: float = 0.0

    def then(self, kernel: int, stride: int = 1, dilation: int = 1, padding: Padding = 0) -> ReceptiveField:
        """The receptive field after one more layer: the recurrence of lesson 02.

        ``padding`` moves ``start`` only; give the pixels before the first one, or a pair (before, after).
        """
        reach = effective_kernel(kernel, dilation) - 1
        if padding == "same":
            raise ValueError(
                "padding='same' depends on the size of the image once there is a stride. "
                "Give same_padding(size, kernel, stride, dilation) for the size at this layer."
            )
        before, _ = padding_amounts(1, kernel, stride, padding, dilation)
        return ReceptiveField(
            size=self.size + reach * self.jump,
            jump=self.jump * whole("stride", stride),
            start=self.start + (reach / 2 - before) * self.jump,
        )


def receptive_field(layers: Iterable[int | Sequence]) -> ReceptiveField:
    """Receptive field of a stack of layers, first layer first (lesson 02).

    Each layer is ``(kernel, stride, dilation)`` or ``(kernel, stride, dilation, padding)``; what is left out is 1, 1
    and 0, and a bare number is a kernel. Pooling layers count like convolutions. The recurrence is that of Araujo,
    Norris and Sim (2019), "Computing receptive fields of convolutional neural networks".

    >>> receptive_field([3, 3, 3])
    ReceptiveField(size=7, jump=1, start=3.0)
    """
    field = ReceptiveField()
    for layer in layers:
        values = tuple(layer) if isinstance(layer, (tuple, list)) else (layer,)
        if not 1 <= len(values) <= 4:
            raise ValueError(
                f"a layer is (kernel, stride, dilation) or (kernel, stride, dilation, padding), got {layer!r}."
            )
        field = field.then(*values)
    return field


def count_text(count: int) -> str:
    """A count for people: exact below 10,000, else with three digits: ``count_text(89_915_392)`` is ``"89.9 M"``."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= max(size, 10_000):
            return f"{count / size:.{2 if count < 10 * size else 1}f} {unit}"
    return f"{count:,}"
