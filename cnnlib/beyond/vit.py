"""A small vision transformer from its parts, and a convolutional network of its size (lesson 18).

Dosovitskiy and others (2021). An image is worth 16x16 words: transformers for image recognition at scale. *ICLR*.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

__all__ = [
    "Positions",
    "attention",
    "attention_macs",
    "attention_maps",
    "convolution_macs",
    "patchify",
    "rollout",
    "shuffled",
    "small_cnn",
    "unpatchify",
    "vit",
]


def patchify(images: Any, patch: int) -> Any:
    """Images (n, height, width, channels) as rows of numbers, (n, patches, patch * patch * channels).

    Patches come row by row, and so do the pixels of each; a pixel's channels stay together. Works for arrays and for
    the tensors of a functional model.

    Raises:
        ValueError: the images have not four axes, or a side is no multiple of `patch`.
    """
    shape = tuple(images.shape)
    if len(shape) != 4:
        raise ValueError(
            f"images of shape {shape}: expected (n, height, width, channels). For one image: images[None]."
        )
    _, height, width, channels = shape
    if patch < 1 or height % patch or width % patch:
        raise ValueError(
            f"images of {height} x {width} pixels do not divide into patches of {patch}: pad or crop them, or choose a "
            "divisor of both sides."
        )
    rows, columns = height // patch, width // patch
    own = np if isinstance(images, np.ndarray) else ops
    cut = own.reshape(images, (-1, rows, patch, columns, patch, channels))
    return own.reshape(own.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, rows * columns, patch * patch * channels))


def unpatchify(patches: Any, patch: int, height: int, width: int) -> Any:
    """The images that `patchify` cut: (n, patches, patch * patch * channels) -> (n, height, width, channels).

    Raises:
        ValueError: the patches do not make up images of that size.
    """
    shape = tuple(patches.shape)
    if len(shape) != 3:
        raise ValueError(f"patches of shape {shape}: expected (n, patches, numbers of a patch).")
    fits = patch >= 1 and height % patch == 0 and width % patch == 0 and shape[2] % (patch * patch) == 0
    if not fits or shape[1] != (height // patch) * (width // patch):
        raise ValueError(
            f"{shape[1]} patches of {shape[2]} numbers do not make up {height} x {width} pixels in patches of {patch}."
        )
    rows, columns, channels = height // patch, width // patch, shape[2] // patch**2
    own = np if isinstance(patches, np.ndarray) else ops
    cut = own.reshape(patches, (-1, rows, columns, patch, patch, channels))
    return own.reshape(own.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))


def attention(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled dot-product attention (Vaswani and others 2017), in NumPy.

    Args:
        queries: (..., q, d).
        keys: (..., k, d).
        values: (..., k, v).
        mask: (..., q, k), true where a query may look; all may if not given.

    Returns:
        The weighted means of the values, (..., q, v), and the weights, (..., q, k), which sum to 1 over k.

    Raises:
        ValueError: sizes do not fit, or a query may look nowhere.
    """
    queries, keys, values = (np.asarray(array, "float64") for array in (queries, keys, values))
    if queries.shape[-1] != keys.shape[-1] or keys.shape[-2] != values.shape[-2]:
        raise ValueError(
            f"queries {queries.shape}, keys {keys.shape}, values {values.shape}: queries and keys need the same last "
            "axis, keys and values the same number of rows."
        )
    scores = queries @ np.swapaxes(keys, -1, -2) / np.sqrt(queries.shape[-1])
    if mask is not None:
        mask = np.broadcast_to(np.asarray(mask, bool), scores.shape)
        if not mask.any(-1).all():
            raise ValueError("a query may look at no key: its weights would be 0 / 0. Let it look at one at least.")
        scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights @ values, weights


@keras.saving.register_keras_serializable("cnnlib.beyond")
class Positions(layers.Layer):
    """Adds to each patch a code for its place, learned with the other weights: (n, patches, width) in and out."""

    def build(self, shape):
        self.codes = self.add_weight(
            shape=tuple(shape[1:]), initializer=keras.initializers.RandomNormal(stddev=0.02), name="codes"
        )

    def call(self, patches):
        return patches + self.codes


def vit(
    size: int = 32,
    patch: int = 4,
    channels: int = 3,
    *,
    width: int = 48,
    depth: int = 3,
    heads: int = 3,
    ratio: int = 2,
    classes: int = 10,
    positions: bool = True,
) -> keras.Model:
    """A small vision transformer: patches, codes of their places, blocks of attention and dense layers, a mean, logits.

    As in the paper the normalisation stands before each part; in place of its class token the mean over the patches is
    taken, which does as well (Beyer and others 2022).

    Args:
        size, channels: of the square images.
        patch: side of a patch in pixels.
        width: numbers of a patch inside of the network; a multiple of `heads`.
        depth: blocks.
        heads: of the attention in each.
        ratio: how many times as wide the hidden layer of a block is.
        classes: logits.
        positions: whether patches are told their places.
    """
    if width % heads:
        raise ValueError(f"width {width} does not divide among {heads} heads.")
    inputs = keras.Input((size, size, channels))
    x = layers.Dense(width, name="embedding")(patchify(inputs, patch))
    if positions:
        x = Positions(name="positions")(x)
    for number in range(1, depth + 1):
        y = layers.LayerNormalization(epsilon=1e-6, name=f"norm_{number}a")(x)
        x = x + layers.MultiHeadAttention(heads, width // heads, name=f"attention_{number}")(y, y)
        y = layers.LayerNormalization(epsilon=1e-6, name=f"norm_{number}b")(x)
        y = layers.Dense(ratio * width, activation="gelu", name=f"wide_{number}")(y)
        x = x + layers.Dense(width, name=f"narrow_{number}")(y)
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="vit")


def small_cnn(size: int = 32, channels: int = 3, *, widths: tuple[int, ...] = (24, 32, 48, 84), classes: int = 10):
    """A CNN of as many parameters as `vit()`: four convolutions with batch normalisation, a mean, logits."""
    inputs = x = keras.Input((size, size, channels))
    for number, width in enumerate(widths, 1):
        stride = 2 if number in (2, 3) else 1
        x = layers.Conv2D(width, 3, stride, padding="same", use_bias=False, name=f"conv_{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"bn_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="cnn")


def attention_maps(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The attention weights of all blocks of a `vit`, (blocks, n, heads, patches, patches).

    The weights of a row are those with which a patch looks at all; they sum to 1.

    Raises:
        ValueError: the model has no attention.
    """
    blocks = [layer for layer in model.layers if isinstance(layer, layers.MultiHeadAttention)]
    if not blocks:
        raise ValueError(f"the model {model.name!r} has no MultiHeadAttention: give one that vit() made.")
    before = keras.Model(model.inputs[0], [layer.input[0] for layer in blocks])
    inputs = before(ops.convert_to_tensor(images))
    found = [block(y, y, return_attention_scores=True)[1] for block, y in zip(blocks, inputs)]
    return np.stack([ops.convert_to_numpy(scores) for scores in found])


def rollout(maps: np.ndarray) -> np.ndarray:
    """What each patch of the end has seen of each patch of the image, (n, patches, patches): attention rollout.

    Means over the heads, half of each block for the path around the attention, multiplied from the first block to the
    last (Abnar and Zuidema 2020).

    Args:
        maps: of :func:`attention_maps`, (blocks, n, heads, patches, patches).
    """
    maps = np.asarray(maps)
    if maps.ndim != 5 or maps.shape[-1] != maps.shape[-2]:
        raise ValueError(f"maps of shape {maps.shape}: expected (blocks, n, heads, patches, patches).")
    one = np.eye(maps.shape[-1])
    seen = one
    for block in maps.mean(2):
        seen = (0.5 * block + 0.5 * one) @ seen
    return seen


def attention_macs(side: int, width: int) -> int:
    """Multiplications of attention over side * side places of `width` numbers: projections, scores, weighted means."""
    places = side * side
    return 4 * places * width**2 + 2 * places**2 * width


def convolution_macs(side: int, width: int, kernel: int = 3) -> int:
    """Multiplications of a convolution over the same places, `width` channels in and out."""
    return side * side * kernel**2 * width**2


def shuffled(model: keras.Model, seed: int = 0) -> keras.Model:
    """A copy in which each matrix of weights has its own values in random order, those of the attention too.

    What :func:`cnnlib.explain.randomised` does for dense layers and convolutions (Adebayo and others 2018); codes of
    places, normalisations and biases stay.
    """
    copy = keras.models.clone_model(model)
    rng = np.random.default_rng(seed)
    copy.set_weights(
        [
            rng.permutation(array.ravel()).reshape(array.shape) if variable.path.endswith("kernel") else array
            for variable, array in zip(model.weights, model.get_weights())
        ]
    )
    return copy
