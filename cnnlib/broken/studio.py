"""A ready backbone, and a second shop that photographs its clothes on white."""

import keras
from keras import layers

from cnnlib import datasets, splits
from cnnlib.broken.sources import clothes, drawn
from cnnlib.broken.steps import Data, Project

CLASSES = datasets.FASHION_MNIST_CLASSES


def load(rng):
    pictures, labels = drawn(*clothes("train"), classes=tuple(range(10)), counts=60, rng=rng)
    return Data(255 - pictures, labels)


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 255


def augment(x, y, rng):
    return x, y


def network():
    """The convolutions of LeNet-5, trained on the first shop's 60,000 pictures, and a new head."""
    x = image = keras.Input((28, 28, 1))
    x = layers.ZeroPadding2D(2)(x)
    for name, filters in (("c1", 6), ("c3", 16)):
        x = layers.Conv2D(filters, 5, use_bias=False, name=name)(x)
        x = layers.ReLU()(layers.BatchNormalization(name=f"{name}_norm")(x))
        x = layers.MaxPooling2D(2)(x)
    datasets.load_weights(keras.Model(image, x), "lenet5_fashion_mnist")
    return keras.Model(image, layers.Dense(len(CLASSES), name="head")(layers.Flatten()(x)))


def freeze(model):
    """The first shop uses the backbone, too: it must stay as it is. The head alone learns."""
    return [layer.name for layer in model.layers if isinstance(layer, layers.Conv2D)]


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    pictures, labels = drawn(*clothes("test"), classes=tuple(range(10)), counts=60, rng=rng)
    return 255 - pictures, labels


project = Project(
    "studio", "the same ten kinds of clothes, on white", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=5,
    fixed=("c1", "c1_norm", "c3", "c3_norm"),
)  # fmt: skip
