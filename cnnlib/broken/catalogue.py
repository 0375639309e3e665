"""Ten kinds of clothes again; the shop wants to see probabilities."""

import keras
from keras import layers, ops

from cnnlib import datasets, splits
from cnnlib.broken.sources import clothes, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = datasets.FASHION_MNIST_CLASSES


def load(rng):
    return Data(*drawn(*clothes("train"), classes=tuple(range(10)), counts=150, rng=rng))


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    return x, y


def network():
    scores = small_network((28, 28, 1), len(CLASSES))
    return keras.Sequential([scores.input, scores, layers.Softmax()])


def freeze(model):
    return []


def loss(labels, outputs):
    """Cross-entropy: minus the logarithm of the probability of the true class, mean over the batch."""
    true = ops.one_hot(ops.cast(labels, "int32"), len(CLASSES))
    return -ops.mean(ops.sum(true * ops.log_softmax(outputs), axis=-1))


def optimizer():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    return drawn(*clothes("test"), classes=tuple(range(10)), counts=60, rng=rng)


project = Project(
    "catalogue", "give each kind of clothes a probability", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
)  # fmt: skip
