"""Parts of a network taken out: single weights, which saves storage, or whole channels, which saves work. Lesson 16."""

from __future__ import annotations

import math
import zlib

import keras
import numpy as np
from keras import layers

from cnnlib.trace import trace

__all__ = ["without_channels", "without_weights", "zipped_bytes"]


def _check_share(share: float) -> None:
    if not 0 <= share < 1:
        raise ValueError(f"share={share}: expected 0 or more, and less than 1.")


def without_weights(model: keras.Model, share: float) -> keras.Model:
    """A copy in which the smallest weights of all kernels together are 0 (Han and others 2015): unstructured pruning.

    Shapes stay as they are, so an ordinary matrix product takes as long as before.

    Args:
        share: of the weights of all kernels, 0 ... 1. Biases and normalisations stay.
    """
    _check_share(share)
    copy = keras.models.clone_model(model)
    weights = model.get_weights()
    kernels = [n for n, values in enumerate(weights) if values.ndim >= 2]
    if not kernels:
        raise ValueError(f"{model.name} has no kernels to prune.")
    sizes = np.abs(np.concatenate([weights[n].ravel() for n in kernels]))
    count = int(round(share * sizes.size))
    limit = np.partition(sizes, count - 1)[count - 1] if count else -1.0
    for n in kernels:
        weights[n] = np.where(np.abs(weights[n]) <= limit, 0, weights[n])
    copy.set_weights(weights)
    return copy


def zipped_bytes(model: keras.Model) -> int:
    """Bytes of all weights as float32, compressed: what zeros save in a file, and only there."""
    return len(zlib.compress(b"".join(np.float32(values).tobytes() for values in model.get_weights()), 6))


def without_channels(model: keras.Model, share: float) -> keras.Model:
    """A smaller network: of each convolution, the filters of least absolute sum are gone (Li and others 2017).

    This is structured pruning: fewer multiplications and smaller maps, on any machine. The classes at the end stay.

    Args:
        model: a chain, one layer after the other, of convolutions, normalisations, pooling, activations and dense
            layers behind a global pooling: a VGG.
        share: of the filters of each layer that go, 0 ... 1; at least one stays.

    Raises:
        ValueError: the model is no such chain: in a residual network the channels that meet must go together.
    """
    _check_share(share)
    rows = list(trace(model))
    chain = all(len(row.inputs) <= 1 for row in rows) and len(rows) == len({row.name for row in rows})
    known = (layers.Conv2D, layers.BatchNormalization, layers.Dense)
    for layer in model.layers:
        chain &= not layer.weights or (isinstance(layer, known) and getattr(layer, "groups", 1) == 1)
        chain &= not isinstance(layer, layers.Flatten)
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    if not chain or not dense:
        raise ValueError(
            f"{model.name} is no chain of convolutions that ends in a pooling and a dense layer. Where branches meet, "
            "as in a residual network, the same channels must go on both sides."
        )
    kept = np.arange(model.input_shape[-1])
    filters, parts = {}, {}
    for layer in model.layers:
        weights = layer.get_weights()
        if isinstance(layer, layers.Conv2D):
            count = max(1, layer.filters - math.floor(share * layer.filters))
            size = np.abs(weights[0]).sum((0, 1, 2))
            stay = np.sort(np.argsort(-size, kind="stable")[:count])
            weights = [weights[0][:, :, kept][..., stay], *(bias[stay] for bias in weights[1:])]
            kept, filters[layer.name] = stay, count
        elif isinstance(layer, layers.BatchNormalization):
            weights = [values[kept] for values in weights]
        elif layer is dense[0]:
            weights = [weights[0][kept], *weights[1:]]
        parts[layer.name] = weights

    def narrower(layer):
        settings = layer.get_config()
        if layer.name in filters:
            settings["filters"] = filters[layer.name]
        return type(layer).from_config(settings)

    copy = keras.models.clone_model(model, clone_function=narrower)
    for name, weights in parts.items():
        copy.get_layer(name).set_weights(weights)
    return copy
