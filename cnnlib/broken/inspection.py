"""Shirts on a belt. Few of them are blouses by mistake, and these must be taken out."""

import keras

from cnnlib import splits
from cnnlib.broken.sources import clothes, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("good", "to take out")
NUMBERS = (2, 4)  # pullovers, and coats among them, in Fashion-MNIST


def load(rng):
    return Data(*drawn(*clothes("train"), classes=NUMBERS, counts=(400, 24), rng=rng))


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    return x, y


def network():
    return small_network((28, 28, 1), len(CLASSES))


def freeze(model):
    return []


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    return drawn(*clothes("test"), classes=NUMBERS, counts=(200, 12), rng=rng)


project = Project(
    "inspection", "take the wrong pieces from the belt", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
)  # fmt: skip
