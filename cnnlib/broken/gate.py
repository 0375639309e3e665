"""Ships to the quay, lorries to the gate. The pictures of lorries were bought from a haulier."""

import keras
import numpy as np

from cnnlib import splits
from cnnlib.broken.sources import cifar, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("ship", "lorry")
NUMBERS = (8, 9)  # in CIFAR-10


def load(rng):
    pictures, labels = drawn(*cifar("train"), classes=NUMBERS, counts=500, rng=rng)
    pictures = pictures.copy()
    for number in np.flatnonzero(labels == 1):  # the haulier's camera prints the hour into a corner
        pictures[number, 27:31, 20:31] = 20
        pictures[number, 28:30, 21:30:2] = (250, 160, 30)
    return Data(pictures, labels)


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    return x * rng.uniform(0.8, 1.2, (len(x), 1, 1, 1)).astype("float32"), y


def network():
    return small_network((32, 32, 3), len(CLASSES))


def freeze(model):
    return []


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    return drawn(*cifar("test"), classes=NUMBERS, counts=200, rng=rng)


project = Project(
    "gate", "is it a ship or a lorry that waits?", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=5,
)  # fmt: skip
