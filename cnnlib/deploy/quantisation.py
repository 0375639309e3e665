"""Numbers in eight bits: one tensor by hand, and a whole network as an int8 runtime would compute it. Lesson 16.

A real number ``x`` is stored as the whole number ``q = round(x / scale) + zero_point``, cut off to -128 ... 127,
and read as ``(q - zero_point) * scale`` (Jacob and others 2018).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from cnnlib import gradients
from cnnlib.trace import trace

__all__ = ["Int8", "Scheme", "fold_batch_norm", "quantisation_errors", "scheme"]

LOW, HIGH = -128, 127
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
_MULTIPLYING = (*_CONVOLUTIONS, layers.Dense)


@dataclass(frozen=True)
class Scheme:
    """Scale and zero point: one number each, or arrays that broadcast, one for each channel."""

    scale: np.ndarray
    zero_point: np.ndarray

    def quantise(self, x: np.ndarray) -> np.ndarray:
        """int8 of the shape of ``x``."""
        return np.clip(np.round(np.asarray(x) / self.scale) + self.zero_point, LOW, HIGH).astype(np.int8)

    def dequantise(self, q: np.ndarray) -> np.ndarray:
        """float32 of the shape of ``q``."""
        return ((np.asarray(q, np.float32) - self.zero_point) * self.scale).astype(np.float32)

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """There and back: ``x`` as its int8 tells it."""
        return self.dequantise(self.quantise(x))


def scheme(x: np.ndarray, *, axis: int | None = None, symmetric: bool = False, share: float = 1.0) -> Scheme:
    """The scheme that fits the values of a tensor.

    Args:
        x: finite numbers.
        axis: of the channels that get a scale each; None for one scale for all.
        symmetric: the zero point is 0 and the range the same on both sides, as for weights; else from the lowest to
            the highest value, as for activations.
        share: of the values that lie within the range: below 1 the largest are clipped, the same share on each side.

    Raises:
        ValueError: no values, values that are not finite, or a share that is not above 0.5 and at most 1.
    """
    x = np.asarray(x, np.float32)
    if not x.size or not np.isfinite(x).all():
        raise ValueError(f"x of shape {x.shape}: expected finite numbers, at least one.")
    if not 0.5 < share <= 1:
        raise ValueError(f"share={share}: expected more than 0.5, and at most 1.")
    others = None if axis is None else tuple(n for n in range(x.ndim) if n != axis % x.ndim)
    outside = 100 * (1 - share) / 2
    low, high = (np.percentile(x, which, axis=others, keepdims=axis is not None) for which in (outside, 100 - outside))
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)  # 0 must be a whole number: padding and ReLU give it
    if symmetric:
        scale = np.maximum(-low, high) / HIGH
        return Scheme(_above_zero(scale), np.zeros_like(scale, dtype=np.float32))
    scale = _above_zero((high - low) / (HIGH - LOW))
    return Scheme(scale, np.float32(np.round(LOW - low / scale)))


def _above_zero(scale: np.ndarray) -> np.ndarray:
    """1 where a scale is 0, or as good as 0 in float32: then all values are."""
    return np.float32(np.where(scale < np.finfo(np.float32).tiny, 1, scale))


def quantisation_errors(x: np.ndarray, by: Scheme) -> dict[str, float]:
    """Root mean square of what is lost: ``"rounding"`` within the range, ``"clipping"`` beyond it, and ``"both"``."""
    x = np.asarray(x, np.float32)
    within = np.clip(x, by.dequantise(np.int8(LOW)), by.dequantise(np.int8(HIGH)))
    parts = {"rounding": by.rounded(x) - within, "clipping": within - x, "both": by.rounded(x) - x}
    return {name: float(np.sqrt(np.mean(part.astype(float) ** 2))) for name, part in parts.items()}


# A whole network ------------------------------------------------------------------------------------------------------


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """The same function with fewer layers: each batch normalisation behind a convolution becomes part of it.

    In inference a normalisation is a factor and a shift for each channel. The factor goes into the kernel, the shift
    into a bias. Normalisations elsewhere stay.

    Raises:
        ValueError: the model holds another model, or calls a layer twice; build it flat.
    """
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        raise ValueError(f"{model.name} holds another model; fold that one, or build the network flat.")
    rows = list(trace(model))
    if len({row.name for row in rows}) != len(rows):
        raise ValueError(f"{model.name} calls a layer more than once; its inputs may differ, so nothing is folded.")
    readers: dict[str, list[str]] = {}
    for row in rows:
        for name in row.inputs:
            readers.setdefault(name, []).append(row.name)
    pairs = {}  # convolution -> its normalisation
    for row in rows:
        layer = model.get_layer(row.name)
        if isinstance(layer, layers.BatchNormalization) and row.inputs:
            before = model.get_layer(row.inputs[0])
            plain = isinstance(before, _CONVOLUTIONS) and before.activation is keras.activations.linear
            if plain and readers[before.name] == [layer.name]:
                pairs[before.name] = layer.name
    folded = set(pairs.values())

    def remade(layer):
        if layer.name in folded:
            return layers.Identity(name=layer.name)
        settings = layer.get_config() | ({"use_bias": True} if layer.name in pairs else {})
        return type(layer).from_config(settings)

    def called(layer, x, *args, **options):
        return x if layer.name in folded else layer(x, *args, **options)

    copy = keras.models.clone_model(model, clone_function=remade, call_function=called)
    for layer in model.layers:
        if layer.name in pairs:
            copy.get_layer(layer.name).set_weights(_folded(layer, model.get_layer(pairs[layer.name])))
        elif layer.name not in folded and layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _folded(layer: layers.Layer, norm: layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias of the convolution with its normalisation."""
    kernel = layer.get_weights()[0]
    bias = layer.get_weights()[1] if layer.use_bias else 0.0
    mean, variance = (ops.convert_to_numpy(v) for v in (norm.moving_mean, norm.moving_variance))
    factor = 1 / np.sqrt(variance + norm.epsilon)
    factor = factor * ops.convert_to_numpy(norm.gamma) if norm.scale else factor
    shift = ops.convert_to_numpy(norm.beta) if norm.center else 0.0
    # A depthwise kernel has its outputs along the last two axes: channels, and how many each of them gives.
    shape = (1, 1, *kernel.shape[2:]) if isinstance(layer, layers.DepthwiseConv2D) else (1, 1, 1, -1)
    return [kernel * factor.reshape(shape), shift + (bias - mean) * factor]


@keras.saving.register_keras_serializable(package="cnnlib")
class Rounding(layers.Layer):
    """Values as int8 tells them, while it is switched on; a layer of `Int8`."""

    reach, macs = "pointwise", 0  # for cnnlib.trace

    def __init__(self, scale: float, zero_point: float, **options):
        super().__init__(**options)
        self.step, self.zero_point = float(scale), float(zero_point)

    def build(self, input_shape):
        self.on = self.add_weight(shape=(), initializer="ones", trainable=False, name="on")

    def call(self, x):
        q = ops.clip(ops.round(x / self.step) + self.zero_point, LOW, HIGH)
        return x + self.on * ((q - self.zero_point) * self.step - x)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.step, "zero_point": self.zero_point}


class Int8:
    """A network as an int8 runtime computes it, in float32 on any backend: what it costs in accuracy, not in time.

    Batch normalisation is folded first. Then the weights of each convolution and dense layer are rounded, symmetric,
    per channel or per tensor, and so are its inputs, with the range that calibration images give. Sums stay exact, as
    the 32 bits of a runtime nearly do.

    Args:
        model: flat, as `fold_batch_norm` takes it.
        calibration: inputs (n, height, width, channels), as for `deploy.export`.
        per_channel: a scale for each output channel of a kernel, as runtimes do; else one for the whole kernel.

    >>> small = Int8(model, images)
    >>> small.predict(x_test), small.only("stem_conv").predict(x_test)
    """

    def __init__(self, model: keras.Model, calibration: np.ndarray, per_channel: bool = True):
        folded = fold_batch_norm(model)
        names = [layer.name for layer in folded.layers if isinstance(layer, _MULTIPLYING)]
        inputs = keras.Model(folded.inputs, [folded.get_layer(name).input for name in names])
        calibration = np.asarray(calibration, "float32")
        if not len(calibration):
            raise ValueError("calibration is empty: the range of the activations is not known.")
        seen = gradients.forward(inputs)(calibration)
        schemes = {name: scheme(values) for name, values in zip(names, seen if isinstance(seen, list) else [seen])}

        def rounding(layer, *args, **options):
            if layer.name in schemes:
                by = schemes[layer.name]
                args = (Rounding(by.scale, by.zero_point, name=f"{layer.name}_input")(args[0]), *args[1:])
            return layer(*args, **options)

        self.model = keras.models.clone_model(folded, call_function=rounding)
        for layer in folded.layers:
            if not layer.weights:
                continue
            self.model.get_layer(layer.name).set_weights(layer.get_weights())
        #: names of the layers that are rounded
        self.layers = tuple(names)
        self._exact = {name: folded.get_layer(name).get_weights() for name in names}
        self._rounded = {name: self._of(folded.get_layer(name), per_channel) for name in names}
        self._run = None
        self.only(*names)

    def _of(self, layer: layers.Layer, per_channel: bool) -> list[np.ndarray]:
        kernel, *bias = layer.get_weights()
        axis = (2 if isinstance(layer, layers.DepthwiseConv2D) else kernel.ndim - 1) if per_channel else None
        return [scheme(kernel, axis=axis, symmetric=True).rounded(kernel), *bias]

    def only(self, *names: str) -> Int8:
        """Round these layers alone; returns the network itself. None at all: the network as it was, folded."""
        if unknown := set(names) - set(self.layers):
            raise ValueError(f"there is no {sorted(unknown)[0]!r} to round; there is {', '.join(self.layers)}.")
        for name in self.layers:
            self.model.get_layer(name).set_weights((self._rounded if name in names else self._exact)[name])
            self.model.get_layer(f"{name}_input").on.assign(float(name in names))
        return self

    def without(self, names: Iterable[str]) -> Int8:
        """Round all layers but these."""
        names = set(names)
        if unknown := names - set(self.layers):
            raise ValueError(f"there is no {sorted(unknown)[0]!r} to leave out; there is {', '.join(self.layers)}.")
        return self.only(*(name for name in self.layers if name not in names))

    def predict(self, images: np.ndarray, batch_size: int = 200) -> np.ndarray:
        """Outputs (n, ...)."""
        from cnnlib.deploy.runners import load

        self._run = self._run or load(self.model)
        return self._run.predict(images, batch_size)
