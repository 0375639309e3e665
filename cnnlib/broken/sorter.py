"""A camera whose chip computes the first layer: eight fixed filters. All that follows learns."""

import keras
import numpy as np
from keras import layers

from cnnlib import datasets, splits
from cnnlib.broken.sources import clothes, drawn
from cnnlib.broken.steps import Data, Project

CLASSES = datasets.FASHION_MNIST_CLASSES


def load(rng):
    return Data(*drawn(*clothes("train"), classes=tuple(range(10)), counts=150, rng=rng))


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    return x, y


def block(x, filters, name):
    """Two convolutions and a shortcut around them, as in a ResNet."""
    y = layers.ReLU()(layers.Conv2D(filters, 3, strides=2, padding="same", name=f"{name}_conv1")(x))
    y = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv2")(y)
    return layers.ReLU()(layers.Add()([y, layers.Conv2D(filters, 1, strides=2, name=f"{name}_shortcut")(x)]))


def network():
    x = image = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, padding="same", strides=2, activation="relu", use_bias=False, name="conv1")(x)
    for number, filters in enumerate((16, 32), start=1):
        x = block(x, filters, f"block{number}")
    model = keras.Model(image, layers.Dense(len(CLASSES), name="head")(layers.Flatten()(x)))
    angles = np.arange(8) * np.pi / 4
    y, x = np.mgrid[-1:2, -1:2]
    edges = np.cos(angles) * x[..., None] + np.sin(angles) * y[..., None]  # one direction each
    model.get_layer("conv1").set_weights([edges[:, :, None] / 3])
    return model


def freeze(model):
    """What is on the chip: conv1."""
    return [layer.name for layer in model.layers if "conv1" in layer.name]


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    return drawn(*clothes("test"), classes=tuple(range(10)), counts=60, rng=rng)


project = Project(
    "sorter", "sort clothes behind a camera with a filter chip", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
    fixed=("conv1",),
)  # fmt: skip
