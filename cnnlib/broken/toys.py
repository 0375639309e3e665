"""Three kinds of toys, learnt from scratch by a network without normalisation."""

import keras

from cnnlib import splits
from cnnlib.broken.sources import cifar, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("aeroplane", "frog", "lorry")
NUMBERS = (0, 6, 9)  # in CIFAR-10


def load(rng):
    return Data(*drawn(*cifar("train"), classes=NUMBERS, counts=400, rng=rng))


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    mirrored = rng.random(len(x)) < 0.5
    x[mirrored] = x[mirrored, :, ::-1]
    return x, y


def network():
    return small_network((32, 32, 3), len(CLASSES), normalise=False)


def freeze(model):
    return []


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.Adam(0.3)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    return drawn(*cifar("test"), classes=NUMBERS, counts=150, rng=rng)


project = Project(
    "toys", "put toys into three boxes", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
)  # fmt: skip
