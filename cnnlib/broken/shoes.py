"""Left or right? A machine puts shoes in pairs, and must know which way each of them points."""

import keras

from cnnlib import splits
from cnnlib.broken.sources import clothes, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("points left", "points right")
SNEAKER = 7  # in Fashion-MNIST, where all of them point to the left


def lying(split, count, rng):
    pictures, _ = drawn(*clothes(split), classes=(SNEAKER,), counts=count, rng=rng)
    right = rng.random(len(pictures)) < 0.5
    pictures[right] = pictures[right, :, ::-1]
    return pictures, right.astype(int)


def load(rng):
    return Data(*lying("train", 400, rng))


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.2, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    """More pictures for nothing: each as it is or mirrored, and a little darker or brighter."""
    mirrored = rng.random(len(x)) < 0.5
    x[mirrored] = x[mirrored, :, ::-1]
    return x + rng.uniform(-0.1, 0.1, (len(x), 1, 1, 1)).astype("float32"), y


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
    return lying("test", 200, rng)


project = Project(
    "shoes", "which way does the shoe point?", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=6,
)  # fmt: skip
