"""What moves in the meadow? Trained in one notebook, in use behind a camera."""

import keras
import numpy as np

from cnnlib import splits
from cnnlib.broken.sources import cifar, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("bird", "frog", "horse")
NUMBERS = (2, 6, 7)  # in CIFAR-10
MEAN, SPREAD = np.array([0.49, 0.47, 0.41]), np.array([0.23, 0.23, 0.24])  # of the pictures' colours


def load(rng):
    return Data(*drawn(*cifar("train"), classes=NUMBERS, counts=450, rng=rng))


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return (pictures / 255 - MEAN) / SPREAD


def augment(x, y, rng):
    mirrored = rng.random(len(x)) < 0.5
    x[mirrored] = x[mirrored, :, ::-1]
    return x, y


def network():
    return small_network((32, 32, 3), len(CLASSES))


def freeze(model):
    return []


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def serve(outputs_of, pictures):
    """The camera's pictures are uint8, red first, as those of the collection."""
    x = pictures.astype("float32") / 255
    return outputs_of(x).argmax(axis=1)


def field(rng):
    return drawn(*cifar("test"), classes=NUMBERS, counts=150, rng=rng)


project = Project(
    "meadow", "name what moves in the meadow", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
)  # fmt: skip
