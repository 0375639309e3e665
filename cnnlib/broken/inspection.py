"""Dresses on a belt. Now and then a shirt lies among them, and must be taken out."""

import keras

from cnnlib import splits
from cnnlib.broken.sources import clothes, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("dress", "shirt")
NUMBERS = (3, 6)  # in Fashion-MNIST


def load(rng):
    return Data(*drawn(*clothes("train"), classes=NUMBERS, counts=(700, 25), rng=rng))


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    return x, y


def network():
    return small_network((28, 28, 1), len(CLASSES), normalise=False)


def freeze(model):
    return []


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.Adam(0.002)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    return drawn(*clothes("test"), classes=NUMBERS, counts=(200, 10), rng=rng)


project = Project(
    "inspection", "take the shirts from a belt of dresses", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
)  # fmt: skip
