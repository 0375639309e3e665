"""What a unit really responds to: the effective receptive field, found by gradients."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from cnnlib.trace.walk import require_graph


def effective_receptive_field(
    model: keras.Model,
    layer: str | None = None,
    images: np.ndarray | None = None,
    position: str | Sequence[int] = "centre",
    seed: int = 0,
) -> np.ndarray:
    """How strongly one unit responds to each pixel: the effective receptive field of Luo et al. (2016) (lesson 02).

    The unit's value, summed over its channels, is differentiated with respect to the image. The result is the mean over
    images of the absolute gradient, summed over the image's channels and scaled to a maximum of 1.

    Args:
        model: a functional or Sequential model with one image as input.
        layer: name of the layer that the unit belongs to; if not given, the model's output. Layers of a model inside
            this one are not found: pass that model.
        images: ``(n, height, width, channels)``, prepared as the model expects them; if not given, 8 of normal noise.
        position: ``(row, column)`` of the unit, or ``"centre"``.
        seed: of the noise.

    Returns:
        Array (height, width), float32, from 0 to 1; all zero if the unit responds to no pixel.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model without a graph, an unknown layer, images of the wrong shape, or no such position.
    """
    from cnnlib import gradients

    require_graph(model)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise ValueError(
            "an effective receptive field needs a model with one input of images (height, width, channels)."
        )
    names = [each.name for each in model.layers]
    if layer is not None and layer not in names:
        raise ValueError(f"no layer is called {layer!r}; the last ones are {', '.join(names[-5:])}.")
    part = model if layer is None else keras.Model(model.inputs, model.get_layer(layer).output)
    images = _noise(model.inputs[0].shape[1:], seed) if images is None else np.asarray(images, "float32")
    if images.ndim != 4:
        raise ValueError(f"images must have the shape (n, height, width, channels), got {images.shape}.")
    weights = _one_unit(part.compute_output_shape(images.shape), position)
    gradient = np.abs(gradients.input_gradient(part)(images, weights))
    response = gradient.sum(axis=1 if _channels_first() else -1).mean(axis=0)
    return (response / response.max()).astype("float32") if response.max() > 0 else response


def _noise(shape: Sequence[int | None], seed: int) -> np.ndarray:
    if None in shape:
        raise ValueError(
            f"the model leaves the size of its images open, {tuple(shape)}: give images of the size you mean."
        )
    return np.random.default_rng(seed).normal(size=(8, *shape)).astype("float32")


def _one_unit(shape: Sequence[int], position: str | Sequence[int]) -> np.ndarray:
    """An array that is 1 at one position of the output, in all channels, and 0 elsewhere."""
    if len(shape) != 4:
        if position != "centre":
            raise ValueError(f"the output, of shape {tuple(shape)}, has no positions: leave position='centre'.")
        return np.ones((1,) * len(shape), "float32")
    height, width = shape[2:] if _channels_first() else shape[1:3]
    if isinstance(position, str):
        if position != "centre":
            raise ValueError(f"position must be 'centre' or (row, column), got {position!r}.")
        position = (height // 2, width // 2)
    row, column = position
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(f"the layer has {height} x {width} positions, got {tuple(position)}.")
    weights = np.zeros((height, width), "float32")
    weights[row, column] = 1
    return weights[None, None] if _channels_first() else weights[None, :, :, None]


def _channels_first() -> bool:
    return keras.config.image_data_format() == "channels_first"


def effective_size(response: np.ndarray) -> float:
    """Side, in pixels, of a square with as many pixels as respond noticeably: above 4.55 % of the strongest.

    The threshold is that of Luo et al. (2016): within two standard deviations lie 95.45 % of a Gaussian.

    Args:
        response: map (height, width), as `effective_receptive_field` gives it.
    """
    response = np.asarray(response)
    if response.ndim != 2:
        raise ValueError(f"response must be a map (height, width), got shape {response.shape}.")
    return float(np.sqrt((response > (1 - 0.9545) * response.max()).sum()))
