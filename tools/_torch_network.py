"""A Keras network of this course run by PyTorch, for training: channels last, in bfloat16 where that is faster.

On a CPU with bfloat16 instructions a training step of ResNet-20 took this way 0.6 of the time that it took with Keras
on TensorFlow in mixed bfloat16, and half of that in float32. The layers are taken from the functional model, whatever
family it is of; the weights go in before training and come back after it.
"""

import keras
import numpy as np
import torch
from keras import layers
from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": functional.relu,
    "relu6": functional.relu6,
    "tanh": torch.tanh,
    "silu": functional.silu,
}


class TorchNetwork(nn.Module):
    """The functional Keras ``model`` as a PyTorch module: images (n, channels, height, width) in, logits out.

    Raises:
        ValueError: a layer is of a kind that is not known here.
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        self._keras = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
        self.parts = nn.ModuleList(torch_layer(layer) for layer in self._keras)
        self._wires = [(tuple(map(id, _as_list(layer.input))), id(layer.output)) for layer in self._keras]
        self._ends = id(model.input), id(model.output)
        for variable, tensor, axes in self._pairs():
            with torch.no_grad():
                array = keras.ops.convert_to_numpy(variable).transpose(axes)
                tensor.copy_(torch.from_numpy(array.reshape(tensor.shape).copy()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        first, last = self._ends
        values = {first: images}
        for part, (inputs, output) in zip(self.parts, self._wires):
            values[output] = part(*[values[i] for i in inputs])
        return values[last]

    def write_back(self) -> None:
        """Set the weights of the Keras model to those of this network."""
        for variable, tensor, axes in self._pairs():
            array = tensor.detach().float().cpu().numpy().reshape([variable.shape[axis] for axis in axes])
            variable.assign(array.transpose(np.argsort(axes)))

    def decayed_and_other(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The kernels, which weight decay is for, and the biases and scales, which it is not for."""
        parameters = list(self.parameters())
        return [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim == 1]

    def _pairs(self):
        """(Keras variable, tensor, how to transpose the first to give the second) of every weight."""
        for layer, part in zip(self._keras, self.parts):
            if isinstance(layer, layers.BatchNormalization):
                yield layer.gamma, part.weight, (0,)
                yield layer.beta, part.bias, (0,)
                yield layer.moving_mean, part.running_mean, (0,)
                yield layer.moving_variance, part.running_var, (0,)
            elif layer.weights:
                yield layer.kernel, part.weight, KERNEL_AXES[type(layer).__name__]
                if layer.use_bias:
                    yield layer.bias, part.bias, (0,)


KERNEL_AXES = {"Conv2D": (3, 2, 0, 1), "DepthwiseConv2D": (2, 3, 0, 1), "Dense": (1, 0)}


def torch_layer(layer: keras.Layer) -> nn.Module:
    """The PyTorch module that computes what a Keras ``layer`` computes, with axes in the order of PyTorch."""
    kind = type(layer).__name__
    if kind in ("Conv2D", "DepthwiseConv2D"):
        return Convolution(layer)
    if kind == "BatchNormalization":
        channels = layer.input.shape[-1]
        return nn.BatchNorm2d(channels, eps=layer.epsilon, momentum=1 - layer.momentum)
    if kind == "Dense":
        return Dense(layer)
    if kind in ("MaxPooling2D", "AveragePooling2D"):
        if layer.padding != "valid":
            raise ValueError(f"{layer.name}: only pooling without padding is known here.")
        pool = nn.MaxPool2d if kind == "MaxPooling2D" else nn.AvgPool2d
        return (
            Function(_subsample(layer.strides))
            if tuple(layer.pool_size) == (1, 1)
            else pool(tuple(layer.pool_size), tuple(layer.strides))
        )
    if kind == "Dropout":
        return Dropout(layer)
    if kind == "ZeroPadding2D":
        (top, bottom), (left, right) = layer.padding
        return nn.ZeroPad2d((left, right, top, bottom))
    if kind == "ChannelPadding":
        sizes = (0, 0, 0, 0, layer.before, layer.after)
        return Function(lambda x: functional.pad(x, sizes))
    simple = {
        "Activation": lambda: ACTIVATIONS[layer.activation.__name__],
        "Add": lambda: lambda *x: sum(x[1:], x[0]),
        "Flatten": lambda: lambda x: x.permute(0, 2, 3, 1).flatten(1),  # in the order of channels last
        "GlobalAveragePooling2D": lambda: lambda x: x.mean((2, 3)),
    }
    if kind not in simple:
        raise ValueError(f"{layer.name} is a {kind}, which tools/_torch_network.py does not know: add it there.")
    return Function(simple[kind]())


class Function(nn.Module):
    """A function without weights, as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Convolution(nn.Conv2d):
    """Conv2D and DepthwiseConv2D of Keras, with its "same" padding, which is one-sided under strides."""

    def __init__(self, layer):
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        channels = layer.input.shape[-1]
        super().__init__(
            channels,
            channels * layer.depth_multiplier if depthwise else layer.filters,
            tuple(layer.kernel_size),
            tuple(layer.strides),
            dilation=tuple(layer.dilation_rate),
            groups=channels if depthwise else layer.groups,
            bias=layer.use_bias,
        )
        self.activation = ACTIVATIONS[layer.activation.__name__]
        self.margins = ()
        if layer.padding == "same":
            sizes = layer.input.shape[1:3]
            spans = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation)]
            totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(sizes, self.stride, spans)]
            if all(total % 2 == 0 for total in totals):
                self.padding = tuple(total // 2 for total in totals)
            else:
                self.margins = tuple(part for n in reversed(totals) for part in (n // 2, n - n // 2))

    def forward(self, x):
        return self.activation(super().forward(functional.pad(x, self.margins) if self.margins else x))


class Dense(nn.Linear):
    """Dense of Keras with its activation."""

    def __init__(self, layer):
        super().__init__(layer.input.shape[-1], layer.units, layer.use_bias)
        self.activation = ACTIVATIONS[layer.activation.__name__]

    def forward(self, x):
        return self.activation(super().forward(x))


class Dropout(nn.Module):
    """Dropout of Keras; a noise shape of (None, 1, 1, 1) drops whole images, as stochastic depth does."""

    def __init__(self, layer):
        super().__init__()
        self.rate, self.whole = layer.rate, layer.noise_shape is not None

    def forward(self, x):
        if not self.training or not self.rate:
            return x
        if not self.whole:
            return functional.dropout(x, self.rate)
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.rate
        return x * kept / (1 - self.rate)


def _subsample(strides):
    vertical, horizontal = strides
    return lambda x: x[:, :, ::vertical, ::horizontal]


def _as_list(tensors) -> list:
    return tensors if isinstance(tensors, list) else [tensors]
