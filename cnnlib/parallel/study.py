"""What workers, simulated devices and tools train with: a small network, its loss, and batches in a fixed order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BATCH = 64
RATE, MOMENTUM = 0.05, 0.9
NORMS = ("group", "batch")


def images(size: int = 1024, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 training images (size, side, side, 3) float32, about 0 on average, and their labels (size,).

    `side` 16 takes the mean of each four pixels.
    """
    from cnnlib import datasets

    if side not in (16, 32):
        raise ValueError(f"side={side}: expected 16 or 32.")
    data = datasets.cifar10(size=size, test_size=10)
    x = data.x_train - 0.47
    if side == 16:
        x = x.reshape(size, 16, 2, 16, 2, 3).mean((2, 4))
    return x.astype("float32"), data.y_train


def network(norm: str | Callable = "group", side: int = 32, seed: int = 0):
    """Three convolutions, each with a normalisation, and ten logits: about 24,000 weights.

    Args:
        norm: "group", "batch", or a function that makes the layer.
        side: of the images.
        seed: of the weights.
    """
    import keras
    from keras import layers

    if isinstance(norm, str) and norm not in NORMS:
        raise ValueError(f"norm={norm!r}: expected one of {', '.join(NORMS)}, or a function that makes a layer.")
    keras.utils.set_random_seed(seed)
    make = {"group": lambda: layers.GroupNormalization(4), "batch": layers.BatchNormalization}.get(norm, norm)
    x = inputs = keras.Input((side, side, 3))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same")(x)
        x = layers.ReLU()(make()(x))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def loss():
    """Cross-entropy of logits, averaged over the batch."""
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def batch(step: int, length: int, size: int = BATCH, seed: int = 0) -> np.ndarray:
    """Indices of the examples of one step, (size,): a function of the seed and the step, and of nothing else.

    So a run that goes on in the middle, in another process, draws what it would have drawn.
    """
    if not 0 < size <= length:
        raise ValueError(f"a batch of {size} of {length} examples: expected 1 to {length}.")
    epoch, place = divmod(step, length // size)
    return np.random.default_rng([seed, epoch]).permutation(length)[place * size : (place + 1) * size]
