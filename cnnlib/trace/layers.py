"""What each layer of Keras reads, and how many multiply-accumulates it takes: one rule a kind of layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
from keras import ops

from cnnlib import arithmetic
from cnnlib.trace import sequences
from cnnlib.trace.call import Call
from cnnlib.trace.reshape import reshaped
from cnnlib.trace.windows import Axis, Field, NotKnown, Taps, union

Rule = Callable[[Call], "Field"]


def _image_field(call: Call) -> Field:
    """The field of the one input that depends on the image."""
    if any(tensor.field is not None for tensor in call.inputs[1:]):
        raise NotKnown("more than one of its inputs depends on the image")
    return call.inputs[0].field


def _pointwise(call: Call) -> Field:
    return _image_field(call)


def _slide(call: Call, taps: Sequence[Taps], mixes_channels: bool) -> Field:
    """Windows on the spatial axes; a layer that sums over channels also sums over what lies on the channel axis."""
    along = dict(zip(call.spatial_axes, zip(taps, (call.output_shape[a] for a in call.spatial_axes))))

    def after(axis: Axis) -> Axis:
        if axis.where in along:
            return axis.slide(*along[axis.where])
        return axis.collapse() if mixes_channels and axis.where == call.channel_axis else axis

    return tuple(map(after, _image_field(call)))


def window_taps(kernel: int, stride: int, dilation: int, before: int) -> Taps:
    """A window of ``kernel`` taps in steps of ``stride``, the first one ``before`` pixels outside."""
    offsets = dilation * np.arange(kernel) - before
    return Taps(lambda q: (q[:, None] * stride + offsets, True), advance=stride)


def _windowed(kernel_name: str, mixes_channels: bool) -> Rule:
    """Convolutions and poolings: all that slides a window."""

    def rule(call: Call) -> Field:
        taps = []
        strides = call.per_axis("strides") if call.layer.strides is not None else call.per_axis(kernel_name)
        dilations = call.per_axis("dilation_rate") if hasattr(call.layer, "dilation_rate") else (1,) * len(strides)
        for axis, kernel, stride, dilation in zip(call.spatial_axes, _kernel(call, kernel_name), strides, dilations):
            span, before = arithmetic.effective_kernel(kernel, dilation), 0
            if call.layer.padding == "same":
                before, _ = arithmetic.same_padding(call.shape[axis], kernel, stride, dilation)
            elif call.layer.padding == "causal":
                before = span - 1
            elif call.layer.padding != "valid":
                raise NotKnown(f"padding={call.layer.padding!r} is not known")
            taps.append(window_taps(kernel, stride, dilation, before))
        return _slide(call, taps, mixes_channels)

    return rule


def _kernel(call: Call, name: str) -> tuple[int, ...]:
    """Kernel size per axis: an argument of a layer, or the shape of the kernel given to a ``keras.ops`` convolution."""
    if name != "kernel":
        return call.per_axis(name)
    return tuple(ops.shape(call.kwargs.get("kernel", call.args[1] if len(call.args) > 1 else None)))[:-2]


def _transposed(call: Call) -> Field:
    """Transposed convolution: output ``q`` reads input ``p`` if ``q = p * stride + tap * dilation - cut``."""
    paddings = getattr(call.layer, "output_padding", None)
    paddings = paddings if isinstance(paddings, (tuple, list)) else (paddings,) * len(call.spatial_axes)
    taps = []
    arguments = zip(call.per_axis("kernel_size"), call.per_axis("strides"), call.per_axis("dilation_rate"), paddings)
    for kernel, stride, dilation, output_padding in arguments:
        span, cut = arithmetic.effective_kernel(kernel, dilation), 0
        if call.layer.padding == "same":
            # Keras: of the full output, the half of the surplus that is left over is cut off at the front.
            surplus = span + stride - 2 if output_padding is None else span + span % 2 - 2 + output_padding
            cut = span - 1 - min(surplus - surplus // 2, span - 1)
        taps.append(_transposed_taps(kernel, stride, dilation, cut))
    return _slide(call, taps, mixes_channels=True)


def _transposed_taps(kernel: int, stride: int, dilation: int, cut: int) -> Taps:
    offsets = dilation * np.arange(kernel)

    def read(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        positions, remainder = np.divmod(q[:, None] + cut - offsets, stride)
        return positions, remainder == 0

    return Taps(read, period=stride)


def _pixels(name: str, sign: int) -> Rule:
    """Padding (sign 1) and cropping (-1): the map moves by what is added or taken at its front."""

    def rule(call: Call) -> Field:
        amounts = getattr(call.layer, name)
        amounts = amounts if isinstance(amounts[0], (tuple, list)) else (amounts,)
        taps = [window_taps(1, 1, 1, sign * before) for before, _ in amounts]
        return _slide(call, taps, mixes_channels=False)

    return rule


def _resized(call: Call) -> Field:
    """UpSampling, Resizing and keras.ops.image.resize, nearest or bilinear."""
    how = getattr(call.layer, "interpolation", "nearest")
    flags = ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio")
    if how not in ("nearest", "bilinear") or any(getattr(call.layer, flag, False) for flag in flags):
        raise NotKnown(f"it resizes with {how!r} interpolation or with options that are not followed")
    sizes = [(call.shape[axis], call.output_shape[axis]) for axis in call.spatial_axes]
    if how == "nearest" and any(after % before for before, after in sizes):
        raise NotKnown("which pixel is nearest depends on the backend")
    return _slide(call, [_resize_taps(*size, how) for size in sizes], mixes_channels=False)


def _resize_taps(before: int, after: int, how: str) -> Taps:
    common = math.gcd(before, after)
    advance, period = before // common, after // common

    def nearest(q: np.ndarray) -> tuple[np.ndarray, bool]:
        return q[:, None] * before // after, True

    def bilinear(q: np.ndarray) -> tuple[np.ndarray, np.ndarray | bool]:
        # The output's pixel centre lies at (2q + 1) * before / (2 * after) - 1/2 of the input: between two pixels.
        left, remainder = np.divmod((2 * q + 1) * before - after, 2 * after)
        return np.stack([left, left + (remainder > 0)], axis=1), True

    return Taps(nearest if how == "nearest" else bilinear, period, advance)


def _adaptive(call: Call) -> Field:
    """Adaptive pooling: output ``q`` reads from floor(q * before / after) to ceil((q + 1) * before / after)."""

    def taps(before: int, after: int) -> Taps:
        common, widest = math.gcd(before, after), -(-before // after) + 1

        def read(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            start, stop = q * before // after, -((-(q + 1) * before) // after)
            positions = start[:, None] + np.arange(widest)
            return positions, positions < stop[:, None]

        return Taps(read, after // common, before // common)

    sizes = [(call.shape[axis], call.output_shape[axis]) for axis in call.spatial_axes]
    return _slide(call, [taps(*size) for size in sizes], mixes_channels=False)


def _blocks(to_space: bool) -> Rule:
    """keras.ops.depth_to_space and space_to_depth."""

    def rule(call: Call) -> Field:
        block = call.layer.block_size
        one = Taps(lambda q: (q[:, None] // block, True), period=block) if to_space else window_taps(block, block, 1, 0)
        return _slide(call, [one] * len(call.spatial_axes), mixes_channels=False)

    return rule


def _dense(call: Call) -> Field:
    return tuple(axis.collapse() if axis.where == -1 else axis for axis in _image_field(call))


def _matmul(call: Call) -> Field:
    """By a matrix of weights it is a dense layer; of two tensors, it is not followed."""
    first = call.args[0] if call.args else call.kwargs.get("x1")
    if len(call.inputs) > 1 or not isinstance(first, keras.KerasTensor):
        raise NotKnown("it multiplies two tensors, and which positions meet is not followed")
    return _dense(call)


def _global(call: Call) -> Field:
    """Global pooling, attention: all positions go into every output."""
    joined = [union([axis.collapse() for axis in axes]) for axes in zip(*_image_fields(call))]
    return tuple(joined)


def _global_pooling(call: Call) -> Field:
    def pool(axis: Axis) -> Axis:
        if axis.where in call.spatial_axes:
            return axis.collapse()
        return axis if axis.where is None else replace(axis, where=-1)

    return tuple(map(pool, _image_field(call)))


def _stirred(*names: str, default: object = -1) -> Rule:
    """Normalisation or softmax over the axes in ``layer.axis``: positions stay, and each depends on all of them."""

    def rule(call: Call) -> Field:
        axes = next((getattr(call.layer, name) for name in names if hasattr(call.layer, name)), default)
        axes = axes if isinstance(axes, (tuple, list)) else (axes,)
        over = {call.from_end(axis) for axis in axes}
        return tuple(axis.stir() if axis.where in over else axis for axis in _image_field(call))

    return rule


def _group_norm(call: Call) -> Field:
    return tuple(axis.stir() for axis in _image_field(call))


def _activation(call: Call) -> Field:
    over_channels = getattr(call.layer.activation, "__name__", "") in ("softmax", "log_softmax", "sparsemax")
    return _stirred(default=-1)(call) if over_channels else _pointwise(call)


def _image_fields(call: Call) -> list[Field]:
    return [tensor.field for tensor in call.inputs if tensor.field is not None]


def _merge(call: Call) -> Field:
    return tuple(union(axes) for axes in zip(*_image_fields(call)))


def _concatenate(call: Call) -> Field:
    at = call.from_end(call.layer.axis)

    along_positions = any(axis.where == at for field in _image_fields(call) for axis in field)

    def join(axes: Sequence[Axis | None]) -> Axis:
        present = [axis for axis in axes if axis is not None]
        if all(axis.where != at for axis in present):
            ends = [(axis.first.tolist(), axis.last.tolist()) for axis in present]
            if along_positions and any(end != ends[0] for end in ends):
                raise NotKnown("it stacks positions that see other parts of the image along another axis")
            return union(present)
        if any(axis.where != at or axis.tangled != present[0].tangled for axis in present):
            raise NotKnown("it stacks tensors whose positions lie on different axes")
        lengths = [1 if tensor.shape[at] == 1 else len(axis.first) for tensor, axis in zip(call.inputs, axes) if axis]
        if len(present) < len(axes) or sum(lengths) != sum(len(axis.first) for axis in present):
            raise NotKnown("it stacks positions of the image with something else")
        first, last = (np.concatenate([getattr(axis, end) for axis in present]) for end in ("first", "last"))
        return replace(present[0], first=first, last=last, endless=None)

    depth = len(_image_fields(call)[0])
    return tuple(join([t.field[i] if t.field is not None else None for t in call.inputs]) for i in range(depth))


def _reshaped(call: Call) -> Field:
    return reshaped(_image_field(call), call.shape, call.output_shape)


def _permuted(call: Call) -> Field:
    rank = len(call.shape)
    if hasattr(call.layer, "dims"):
        order = [d - 1 for d in call.layer.dims]
    else:
        axes = call.layer.axes or tuple(range(rank + 1))[::-1]
        if axes[0] != 0:
            raise NotKnown("it moves the batch axis")
        order = [a - 1 if a > 0 else a + rank for a in axes[1:]]
    places = {source - rank: target - rank for target, source in enumerate(order)}
    return tuple(replace(axis, where=places.get(axis.where)) for axis in _image_field(call))


def _reduced(call: Call) -> Field:
    """keras.ops.mean, sum, max and the like."""
    axes = call.layer.axis
    axes = range(1, len(call.shape) + 1) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
    gone = {call.from_end(axis) for axis in axes}

    def reduce(axis: Axis) -> Axis:
        if axis.where is None:
            return axis
        if axis.where in gone:
            return axis.collapse()
        return axis if call.layer.keepdims else replace(axis, where=axis.where + sum(g > axis.where for g in gone))

    return tuple(map(reduce, _image_field(call)))


def _sliced(call: Call) -> Field:
    """``x[:, ::2, :, 0]``: slices and single positions are followed, lists of positions are not."""
    key = call.kwargs.get("key", call.args[1] if len(call.args) > 1 else None)
    key = list(key) if isinstance(key, (tuple, list)) else [key]
    rank = len(call.shape) + 1
    if not all(isinstance(part, (slice, int)) or part is Ellipsis for part in key):
        raise NotKnown("it picks positions in another way than by slices")
    if Ellipsis in key:
        at = key.index(Ellipsis)
        key[at : at + 1] = [slice(None)] * (rank - len(key) + 1)
    cuts = {index - rank: part for index, part in enumerate(key)}
    dropped = [index for index, part in cuts.items() if isinstance(part, int)]

    def cut(axis: Axis) -> Axis:
        if axis.where is None:
            return axis
        part, length = cuts.get(axis.where, slice(None)), call.shape[axis.where]
        if isinstance(part, int):
            return axis.keep(part % length, 1).collapse()
        start, stop, step = part.indices(length)
        if step < 0:
            raise NotKnown("it reverses positions")
        if part != slice(None):
            axis = axis.keep(start, len(range(start, stop, step)), step)
        return replace(axis, where=axis.where + sum(index > axis.where for index in dropped))

    return tuple(map(cut, _image_field(call)))


# Multiply-accumulates -------------------------------------------------------------------------------------------------


def _no_macs(call: Call) -> int:
    return 0


def _conv_macs(call: Call) -> int:
    in_channels = call.shape[call.channel_axis] // getattr(call.layer, "groups", 1)
    return call.output_positions() * math.prod(call.per_axis("kernel_size")) * in_channels * call.layer.filters


def _op_conv_macs(call: Call) -> int:
    kernel = call.kwargs.get("kernel", call.args[1] if len(call.args) > 1 else None)
    return call.output_positions() * math.prod(ops.shape(kernel))


def _op_depthwise_macs(call: Call) -> int:
    kernel = call.kwargs.get("kernel", call.args[1] if len(call.args) > 1 else None)
    return math.prod(call.output_shape) * math.prod(ops.shape(kernel)[:-2])


def _depthwise_macs(call: Call) -> int:
    return math.prod(call.output_shape) * math.prod(call.per_axis("kernel_size"))


def _separable_macs(call: Call) -> int:
    middle = call.shape[call.channel_axis] * call.layer.depth_multiplier
    return call.output_positions() * middle * (math.prod(call.per_axis("kernel_size")) + call.layer.filters)


def _transposed_macs(call: Call) -> int:
    """Each input value is multiplied by every tap of every filter, whether or not the result is cut off later."""
    return math.prod(call.shape) * math.prod(call.per_axis("kernel_size")) * call.layer.filters


def _dense_macs(call: Call) -> int:
    return math.prod(call.output_shape) * call.shape[-1]


def _matmul_macs(call: Call) -> int:
    return math.prod(call.output_shape) * call.shape[-1]


# The rules, layer by layer --------------------------------------------------------------------------------------------


def _unknown_field(call: Call) -> Field:
    name = type(call.layer).__name__
    raise NotKnown(f"what {name} reads is not known (if you know, say so: rules={{{call.layer.name!r}: 'pointwise'}})")


Rules = tuple[Rule, Callable[[Call], int | None]]

_names = str.split  # a long list reads better as words than as one quoted name a line

_POINTWISE_LAYERS = _names("""
    Identity ReLU LeakyReLU PReLU ELU Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout
    GaussianDropout GaussianNoise ActivityRegularization Masking BatchNormalization Rescaling Normalization RandAugment
    AugMix CutMix MixUp
""")
_MERGING_LAYERS = _names("Add Subtract Multiply Average Maximum Minimum")
_POINTWISE_OPS = _names("""
    Abs Absolute Negative Sign Square Sqrt Rsqrt Cbrt Exp Exp2 Expm1 Log Log10 Log1p Log2 Sin Cos Tan Tanh Arctan Sinh
    Cosh Relu Relu6 Sigmoid HardSigmoid Silu HardSilu Elu Selu Celu Gelu LeakyRelu Softplus Softsign LogSigmoid
    Squareplus HardTanh TanhShrink SoftShrink HardShrink Threshold Clip Floor Ceil Round Trunc Reciprocal Erf Cast
    StopGradient Copy NanToNum LogicalNot Isnan Isfinite Isinf
""")
_MERGING_OPS = _names("""
    Add Subtract Multiply Divide TrueDivide DivideNoNan FloorDivide Mod Power Maximum Minimum Where Average Equal
    NotEqual Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalXor Logaddexp Hypot Arctan2
""")
_REDUCING_OPS = _names("Mean Sum Max Min Amax Amin Prod Std Var Any All Median CountNonzero LogSumExp Logsumexp")


def _layer_rules() -> dict[type, Rules]:
    table: dict[str, Rules] = dict.fromkeys(_POINTWISE_LAYERS, (_pointwise, _no_macs))
    random = (n for n in dir(keras.layers) if n.startswith("Random") and n != "RandomCrop")
    table |= dict.fromkeys(random, (_pointwise, _no_macs))  # these do nothing in inference
    table |= dict.fromkeys(_MERGING_LAYERS, (_merge, _no_macs))
    table |= {
        "Concatenate": (_concatenate, _no_macs),
        "Activation": (_activation, _no_macs),
        "Softmax": (_stirred("axis"), _no_macs),
        "LayerNormalization": (_stirred("axis"), _no_macs),
        "RMSNormalization": (_stirred("axis"), _no_macs),
        "UnitNormalization": (_stirred("axis"), _no_macs),
        "GroupNormalization": (_group_norm, _no_macs),
        "Dense": (_dense, _dense_macs),
        "EinsumDense": (sequences.einsum, sequences.einsum_macs),
        "MultiHeadAttention": (sequences.attention, sequences.multi_head_macs),
        "GroupQueryAttention": (sequences.attention, sequences.grouped_query_macs),
        "GroupedQueryAttention": (sequences.attention, sequences.grouped_query_macs),
        "Attention": (sequences.attention, sequences.dot_product_macs),
        "Flatten": (_reshaped, _no_macs),
        "Reshape": (_reshaped, _no_macs),
        "Permute": (_permuted, _no_macs),
        "Resizing": (_resized, _no_macs),
    }
    recurrent = ("RNN", "LSTM", "GRU", "SimpleRNN", "Bidirectional")
    table |= dict.fromkeys(recurrent, (sequences.recurrence, sequences.recurrence_macs))
    for n in (1, 2, 3):
        table |= {
            f"Conv{n}D": (_windowed("kernel_size", mixes_channels=True), _conv_macs),
            f"SeparableConv{n}D": (_windowed("kernel_size", mixes_channels=True), _separable_macs),
            f"DepthwiseConv{n}D": (_windowed("kernel_size", mixes_channels=False), _depthwise_macs),
            f"Conv{n}DTranspose": (_transposed, _transposed_macs),
            f"MaxPooling{n}D": (_windowed("pool_size", mixes_channels=False), _no_macs),
            f"AveragePooling{n}D": (_windowed("pool_size", mixes_channels=False), _no_macs),
            f"AdaptiveMaxPooling{n}D": (_adaptive, _no_macs),
            f"AdaptiveAveragePooling{n}D": (_adaptive, _no_macs),
            f"GlobalMaxPooling{n}D": (_global_pooling, _no_macs),
            f"GlobalAveragePooling{n}D": (_global_pooling, _no_macs),
            f"ZeroPadding{n}D": (_pixels("padding", 1), _no_macs),
            f"Cropping{n}D": (_pixels("cropping", -1), _no_macs),
            f"UpSampling{n}D": (_resized, _no_macs),
        }
    return {getattr(keras.layers, name): rules for name, rules in table.items() if hasattr(keras.layers, name)}


def _operation_rules() -> dict[str, Rules]:
    table: dict[str, Rules] = dict.fromkeys(_POINTWISE_OPS, (_pointwise, _no_macs))
    table |= dict.fromkeys(_MERGING_OPS, (_merge, _no_macs))
    table |= dict.fromkeys(_REDUCING_OPS, (_reduced, _no_macs))
    table |= dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), (_reshaped, _no_macs))
    table |= {
        "Concatenate": (_concatenate, _no_macs),
        "Softmax": (_stirred("axis"), _no_macs),
        "LogSoftmax": (_stirred("axis"), _no_macs),
        "Transpose": (_permuted, _no_macs),
        "GetItem": (_sliced, _no_macs),
        "Resize": (_resized, _no_macs),
        "DepthToSpace": (_blocks(to_space=True), _no_macs),
        "SpaceToDepth": (_blocks(to_space=False), _no_macs),
        "MaxPool": (_windowed("pool_size", mixes_channels=False), _no_macs),
        "AveragePool": (_windowed("pool_size", mixes_channels=False), _no_macs),
        "Conv": (_windowed("kernel", mixes_channels=True), _op_conv_macs),
        "DepthwiseConv": (_windowed("kernel", mixes_channels=False), _op_depthwise_macs),
        "Matmul": (_matmul, _matmul_macs),
        "Pad": (sequences.padded, _no_macs),
        "Split": (sequences.split, _no_macs),
        "Stack": (sequences.stacked, _no_macs),
        "Unstack": (sequences.unstacked, _no_macs),
    }
    return table


LAYERS = _layer_rules()
_OPERATIONS = _operation_rules()
# Layers that keras.applications keeps to itself (ConvNeXt, Inception-ResNet); they act on each value alone.
_APPLICATION_LAYERS = ("LayerScale", "StochasticDepth", "CustomScaleLayer")
GIVEN: dict[str, Rule] = {"pointwise": _merge, "global": _global}


def rules_for(layer: keras.Operation, given: Mapping) -> Rules:
    """Rules for a layer: those the caller gave, else those of its Keras class unless it computes something else."""
    for key in (layer.name, type(layer)):
        if key in given:
            return _given_rules(given[key])
    kind, from_keras = type(layer), type(layer).__module__.split(".")[0] == "keras"
    own = getattr(kind, "reach", None)  # a layer of one's own may say what it reads, or as which layer it computes
    if own in GIVEN or own in LAYERS:
        return _given_rules((own, kind.macs) if hasattr(kind, "macs") else own)
    if not isinstance(layer, keras.Layer):
        return _OPERATIONS.get(kind.__name__, (_unknown_field, _not_counted)) if from_keras else NO_RULES
    if from_keras and kind.__name__ in _APPLICATION_LAYERS:
        return _merge, _no_macs
    for base in kind.__mro__:
        if base in LAYERS:
            return LAYERS[base] if kind.call is base.call else NO_RULES
    return NO_RULES


def _given_rules(rule: str | type | tuple) -> Rules:
    """What a user says of a layer: its reach, or (reach, multiply-accumulates as a number or a formula)."""
    reach, *costs = rule if isinstance(rule, tuple) else (rule,)
    field, macs = _as_class(reach) if isinstance(reach, type) else (GIVEN[reach], _not_counted)
    if not costs:
        return field, macs
    cost = costs[0]
    if not callable(cost):
        return field, lambda call: cost
    return field, lambda call: int(cost(call.layer, [tensor.shape for tensor in call.inputs], call.output_shape))


def _as_class(kind: type) -> Rules:
    """The rules of a Keras class for a layer that only claims to be like it."""

    def told(rule: Callable) -> Callable:
        def asked(call: Call):
            try:
                return rule(call)
            except AttributeError as error:
                raise ValueError(
                    f"{call.layer.name!r} is to be read like {kind.__name__}, but {error}. Give the layer the "
                    f"arguments of {kind.__name__} as attributes, or say 'pointwise' or 'global'."
                ) from None

        return asked

    field, macs = LAYERS[kind]
    return told(field), told(macs)


def _not_counted(call: Call) -> None:
    return None


NO_RULES: Rules = (_unknown_field, _not_counted)
