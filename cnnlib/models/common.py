"""What every model family needs: checked arguments, blocks that all of them use, and the bundled weights.

Conventions of all families: ``input_shape`` is (height, width, channels), without the batch axis; images are float32 in
[0, 1], or what the caller trained with; the last layer, "logits", gives one **logit** per class, no softmax.

Padding under a stride of 2 comes in two conventions that give the same shape from other pixels. "same" (TensorFlow,
Keras) pads an even input on the right and bottom only; PyTorch and the ResNet authors pad both sides alike.
:func:`conv_norm_act` does the first, :func:`padded_conv_norm_act` the second. Each family follows its authors.
"""

import contextlib
import functools
import inspect
import numbers
from collections.abc import Callable, Iterable

import keras
import numpy as np
from keras import layers, ops

from cnnlib import datasets, gradients, runtime

RANDOM_INITIALISERS = (
    keras.initializers.VarianceScaling,  # Glorot, He and LeCun initialisers are made from it
    keras.initializers.RandomNormal,
    keras.initializers.RandomUniform,
    keras.initializers.TruncatedNormal,
    keras.initializers.Orthogonal,
)

UNROLLED = 9  # positions of a depthwise kernel that are written out; more are a loop, which compiles in half the time


def one_of(name: str, value, allowed: Iterable, family: str):
    """Return ``value`` if it is among ``allowed``; otherwise say which values there are."""
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"{family}: {name}={value!r} is unknown; choose one of {', '.join(map(repr, allowed))}.")
    return value


def image_input(input_shape, num_classes: int, smallest: int, family: str, fixed: bool = False) -> keras.KerasTensor:
    """Check the arguments that all families share and return the input tensor.

    ``smallest`` is the least height and width that leave one pixel after the family's last stride. ``fixed``: a dense
    layer reads the whole map, so that height and width must be known; otherwise they may be None.
    """
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else (input_shape,)
    if len(shape) != 3:
        raise ValueError(
            f"{family}: input_shape={input_shape!r} has {len(shape)} entries; expected (height, width, channels). "
            "The batch axis is not part of it."
        )
    height, width, channels = shape
    if not all(_whole(size) or (size is None and not fixed) for size in (height, width)):
        flexible = "its dense layers need a fixed height and width." if fixed else "or None where the size may vary."
        raise ValueError(f"{family}: input_shape={shape}; expected whole numbers of pixels, {flexible}")
    if not _whole(channels) or (height is not None and height <= 16 < channels):
        raise ValueError(
            f"{family}: input_shape={shape} says {channels} channels; expected 1 (grey) or 3 (colour). "
            "The order is (height, width, channels), channels last."
        )
    for axis, size in (("height", height), ("width", width)):
        if size is not None and size < smallest:
            raise ValueError(
                f"{family}: the input's {axis} is {size}; the strides of this network need at least {smallest}. "
                "Enlarge the images (keras.layers.Resizing), or take a family or variant for small images."
            )
    if not _whole(num_classes):
        raise ValueError(f"{family}: num_classes={num_classes!r}; expected a whole number of 1 or more.")
    return keras.Input(shape, name="image")


def _whole(number) -> bool:
    return isinstance(number, numbers.Integral) and not isinstance(number, bool) and number >= 1


def scaled(channels: int, width: float, divisor: int = 1) -> int:
    """``channels * width`` rounded to a multiple of ``divisor``, but never by more than a tenth downwards.

    The authors of MobileNetV2 and EfficientNet round to multiples of 8, which their hardware likes.
    """
    if width <= 0:
        raise ValueError(f"width={width}: it multiplies the numbers of channels; expected more than 0.")
    wanted = channels * width
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * wanted else rounded + divisor


# --- blocks ----------------------------------------------------------------------------------------------------------


def he() -> keras.initializers.Initializer:
    """A fresh fan-out He initialiser (He et al. 2015, "Delving deep into rectifiers"), as the ResNet paper uses it.

    One for each layer: an initialiser of Keras that is used twice draws the same numbers twice.
    """
    return keras.initializers.VarianceScaling(scale=2.0, mode="fan_out", distribution="untruncated_normal")


def normalisation(kind: str, name: str, epsilon: float = 1e-5, gamma: str = "ones") -> layers.Layer:
    """A normalisation layer by name: "batch", "group" (up to 32 groups; Wu and He 2018) or "layer"."""
    one_of("norm", kind, ("batch", "group", "layer"), "normalisation")
    if kind == "batch":
        # Momentum 0.9 is what most papers' code means by 0.1: the share of the new batch.
        return layers.BatchNormalization(momentum=0.9, epsilon=epsilon, gamma_initializer=gamma, name=name)
    kind = {"group": GroupNorm32, "layer": layers.LayerNormalization}[kind]
    return kind(epsilon=epsilon, gamma_initializer=gamma, name=name)


@keras.saving.register_keras_serializable(package="cnnlib")
class GroupNorm32(layers.GroupNormalization):
    """Group normalisation with as many groups, up to 32, as divide the channels and leave four channels to each."""

    def build(self, input_shape):
        channels = input_shape[-1]
        self.groups = max(g for g in range(1, min(32, max(1, channels // 4)) + 1) if channels % g == 0)
        super().build(input_shape)


@keras.saving.register_keras_serializable(package="cnnlib")
class DepthwiseConv2D(layers.DepthwiseConv2D):
    """That of Keras, computed in another way where JAX runs on a CPU.

    XLA has no fast depthwise convolution for CPUs. A sum over the kernel's positions of shifted images, each times one
    number per channel (lesson 01), is the same thing. Compiled, it is 3 to 20 times faster on the late maps of
    EfficientNet-Lite0 at 80 pixels, its gradient 5 to 50 times. Arguments as ``keras.layers.DepthwiseConv2D``.
    """

    reach = layers.DepthwiseConv2D  # for cnnlib.trace

    def call(self, inputs):
        plain = self.data_format == "channels_last" and self.depth_multiplier == 1 and None not in inputs.shape[1:]
        if not plain or not gradients.is_traced(inputs) or runtime.device() != "cpu":
            return super().call(inputs)
        maps = self._shifted(inputs)
        return self.activation(maps + self.bias if self.use_bias else maps)

    def _shifted(self, x):
        """The sum over positions in the kernel of the shifted images, (n, height, width, channels)."""
        borders, spans = [], []
        for size, kernel, stride, dilation in zip(x.shape[1:3], self.kernel_size, self.strides, self.dilation_rate):
            reach = dilation * (kernel - 1) + 1
            count = -(-size // stride) if self.padding == "same" else (size - reach) // stride + 1
            missing = max((count - 1) * stride + reach - size, 0) if self.padding == "same" else 0
            borders.append((missing // 2, missing - missing // 2))
            spans.append((count - 1) * stride + 1)
        (down, right), (height, width) = self.strides, spans
        x = ops.pad(x, ((0, 0), *borders, (0, 0)))
        places = np.array(list(np.ndindex(*self.kernel_size)), "int32") * np.array(self.dilation_rate, "int32")
        weights = ops.reshape(self.kernel, (len(places), -1))

        def times(weight, row, column):
            part = ops.slice(x, (0, row, column, 0), (x.shape[0], height, width, x.shape[3]))
            return part[:, ::down, ::right] * weight

        if len(places) <= UNROLLED:
            return sum(times(weights[i], *map(int, place)) for i, place in enumerate(places))
        start = ops.zeros((x.shape[0], -(-height // down), -(-width // right), x.shape[3]), x.dtype)
        return ops.scan(lambda so_far, at: (so_far + times(*at), None), start, (weights, *places.T))[0]


def conv_norm_act(
    x,
    filters: int | None,
    kernel: int = 3,
    stride: int = 1,
    *,
    name: str,
    norm: str | None = "batch",
    activation: str | None = "relu",
    padding: str = "same",
    epsilon: float = 1e-5,
    gamma: str = "ones",
    dilation: int = 1,
):
    """Convolution (depthwise if ``filters`` is None), normalisation, activation.

    The convolution has a bias only where no normalisation follows, which would subtract it again.
    """
    settings = {"strides": stride, "padding": padding, "use_bias": norm is None, "dilation_rate": dilation}
    if filters is None:
        x = DepthwiseConv2D(kernel, depthwise_initializer=he(), name=f"{name}_dw", **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel, kernel_initializer=he(), name=f"{name}_conv", **settings)(x)
    if norm is not None:
        x = normalisation(norm, f"{name}_norm", epsilon, gamma)(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_{activation}")(x)


def padded_conv_norm_act(x, filters: int | None, kernel: int, stride: int, **settings):
    """As :func:`conv_norm_act`, with (kernel - 1) // 2 pixels of padding on every side also under a stride."""
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D((kernel - 1) // 2, name=f"{settings['name']}_pad")(x)
        settings["padding"] = "valid"
    return conv_norm_act(x, filters, kernel, stride, **settings)


def drop_path(x, rate: float, name: str):
    """Stochastic depth (Huang et al. 2016): in training, with probability ``rate``, zeros for a whole image."""
    return layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_droppath")(x) if rate else x


# --- images ----------------------------------------------------------------------------------------------------------


def checked_photograph(image, caller: str) -> np.ndarray:
    """One photograph as uint8 (height, width, 3), or ValueError; numbers that are no integers are rounded."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(
            f"{caller}: the image has shape {image.shape}; expected one image, (height, width, 3), with at least one "
            "pixel. A grey image is made so by np.repeat(image[..., None], 3, axis=-1)."
        )
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 255) or 0 < high <= 1:  # so written, NaN is refused too
        raise ValueError(
            f"{caller}: the values of the image lie in [{low:g}, {high:g}]; expected 0..255. Multiply images in [0, 1] "
            "by 255; if there are NaN, find out where they come from."
        )
    return np.round(image).astype(np.uint8)


# --- weights ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def without_drawing():
    """Within it, layers start with zeros for random numbers: building takes no time on drawing what is not used."""
    drawing = {kind: kind.__call__ for kind in RANDOM_INITIALISERS}
    try:
        for kind in RANDOM_INITIALISERS:
            kind.__call__ = lambda self, shape, dtype=None: ops.zeros(shape, dtype or keras.config.floatx())
        yield
    finally:
        for kind, call in drawing.items():
            kind.__call__ = call


def bundled_weights(**sets: tuple[str, dict]) -> Callable:
    """Decorator that makes the ``weights`` argument of a family work.

    ``sets`` tells for each name of weights the file in data/weights, and the arguments it was trained with where these
    are not the defaults. None in an ``input_shape`` stands for any size. Dropout and drop_path may be anything.
    """

    def decorate(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
        signature = inspect.signature(build)

        @functools.wraps(build)
        def family(*args, **kwargs):
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError:
                return build(*args, **kwargs)  # Python's own message names the function
            given.apply_defaults()
            weights = given.arguments.get("weights")
            if weights is None:
                return build(*args, **kwargs)
            there = " or ".join(repr(name) for name in sets) or "none yet"
            if weights not in sets:
                raise ValueError(
                    f"{build.__name__}: there are no weights {weights!r}; there is: {there}. Or take weights=None."
                )
            file, settings = sets[weights]
            trained = {name: parameter.default for name, parameter in signature.parameters.items()} | settings
            _check_settings(f"{build.__name__}: the weights {weights!r}", trained, given.arguments)
            with without_drawing():
                model = build(*args, **kwargs)
            datasets.load_weights(model, file)
            return model

        return family

    return decorate


def _check_settings(what: str, trained: dict, given: dict) -> None:
    """ValueError if the network asked for is not the one that was trained."""
    other = {}
    for name, value in trained.items():
        wanted = given[name]
        if name == "input_shape" and len(wanted := tuple(wanted)) == 3:
            wanted = tuple(None if t is None else w for t, w in zip(value, wanted))
        if name not in ("weights", "dropout", "drop_path") and wanted != value:
            other[name] = value
    if not other:
        return
    here = ", ".join(f"{name}={given[name]!r}" for name in other)
    remedy = "Build it so, or take weights=None."
    if "input_shape" in other and given["input_shape"][-1] == 1 < other["input_shape"][-1]:
        remedy += " A grey channel is repeated by np.repeat(images, 3, axis=-1)."
    if "num_classes" in other:
        remedy += (
            " For a head of your own, put it on the trained network: "
            f"keras.layers.Dense({given['num_classes']})(model.layers[-2].output)."
        )
    stated = ", ".join(f"{name}={value!r}" for name, value in other.items())
    raise ValueError(f"{what} were trained with {stated}; you ask for {here}. {remedy}")
