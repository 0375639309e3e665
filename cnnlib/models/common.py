"""What every model family needs: checked arguments and the convolution-normalisation-activation triple.

Conventions of all families: ``input_shape`` is (height, width, channels), the input holds float32 images in [0, 1] or
whatever the caller trained with, and the last layer gives **logits** (no softmax), one per class.
"""

from collections.abc import Iterable

import keras
from keras import layers


def one_of(name: str, value, allowed: Iterable, family: str):
    """Return ``value`` if it is among ``allowed``; otherwise say which values there are."""
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"{family}: {name}={value!r} is unknown; choose one of {', '.join(map(repr, allowed))}.")
    return value


def image_input(input_shape: tuple[int, int, int], num_classes: int, smallest: int, family: str) -> keras.KerasTensor:
    """Check the arguments that all families share and return the input tensor.

    ``smallest`` is the least height and width that leaves one pixel after the family's last stride.
    """
    shape = tuple(input_shape)
    if len(shape) != 3:
        raise ValueError(
            f"{family}: input_shape={input_shape!r} has {len(shape)} entries; expected (height, width, channels). "
            "The batch axis is not part of it."
        )
    height, width, channels = shape
    if channels is None or channels < 1 or (channels > 16 and height is not None and height <= 16):
        raise ValueError(
            f"{family}: input_shape={shape} says {channels} channels; expected 1 (grey) or 3 (colour). "
            "The order is (height, width, channels), channels last."
        )
    for axis, size in (("height", height), ("width", width)):
        if size is not None and size < smallest:
            raise ValueError(
                f"{family}: the input's {axis} is {size}; the strides of this network need at least {smallest}. "
                "Enlarge the images, or take a family or variant for small images."
            )
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"{family}: num_classes={num_classes!r}; expected a whole number of 1 or more.")
    return keras.Input(shape, name="image")


def he() -> keras.initializers.Initializer:
    """A fresh fan-out He initialiser (He et al. 2015, "Delving deep into rectifiers"), as the ResNet paper uses it.

    One for each layer: an initialiser of Keras that is used twice draws the same numbers twice.
    """
    return keras.initializers.VarianceScaling(scale=2.0, mode="fan_out", distribution="untruncated_normal")


def normalisation(kind: str | None, name: str, epsilon: float = 1e-5, gamma: str = "ones"):
    """A normalisation layer by name: "batch", "group" (groups of up to 32; Wu and He 2018), "layer", or None."""
    if kind is None:
        return None
    if kind == "batch":
        # Momentum 0.9 is what most papers' code means by 0.1: the share of the new batch.
        return layers.BatchNormalization(momentum=0.9, epsilon=epsilon, gamma_initializer=gamma, name=name)
    if kind == "group":
        return _GroupNorm32(epsilon=epsilon, gamma_initializer=gamma, name=name)
    if kind == "layer":
        return layers.LayerNormalization(epsilon=epsilon, gamma_initializer=gamma, name=name)
    raise ValueError(f"norm={kind!r} is unknown; choose 'batch', 'group', 'layer' or None.")


@keras.saving.register_keras_serializable(package="cnnlib")
class _GroupNorm32(layers.GroupNormalization):
    """Group normalisation whose group count fits any number of channels: the largest divisor up to 32 of it."""

    def build(self, input_shape):
        channels = input_shape[-1]
        self.groups = max(g for g in range(1, min(32, max(1, channels // 4)) + 1) if channels % g == 0)
        super().build(input_shape)


def conv_norm_act(
    x,
    filters: int,
    kernel: int = 3,
    stride: int = 1,
    *,
    name: str,
    norm: str | None = "batch",
    activation: str | None = "relu",
    padding: str = "same",
    depthwise: bool = False,
    epsilon: float = 1e-5,
    gamma: str = "ones",
):
    """Convolution, normalisation, activation. The convolution has a bias only where no normalisation follows."""
    settings = {"strides": stride, "padding": padding, "use_bias": norm is None}
    if depthwise:
        x = layers.DepthwiseConv2D(kernel, depthwise_initializer=he(), name=f"{name}_dw", **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel, kernel_initializer=he(), name=f"{name}_conv", **settings)(x)
    if norm is not None:
        x = normalisation(norm, f"{name}_norm", epsilon, gamma)(x)
    if activation is not None:
        x = layers.Activation(activation, name=f"{name}_{activation}")(x)
    return x


def padded_conv_norm_act(x, filters: int, kernel: int, stride: int, **settings):
    """As :func:`conv_norm_act`, padding (kernel - 1) // 2 on every side, as PyTorch and the papers' code do.

    Keras's "same" pads an even input under stride 2 on the right and bottom only: the same shape, other pixels.
    """
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D((kernel - 1) // 2, name=f"{settings['name']}_pad")(x)
        settings["padding"] = "valid"
    return conv_norm_act(x, filters, kernel, stride, **settings)
