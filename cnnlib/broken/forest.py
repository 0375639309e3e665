"""What walked past a camera in the forest? It takes four pictures in a second: a burst."""

import keras
import numpy as np

from cnnlib import splits
from cnnlib.broken.sources import cifar, drawn, shot
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("bird", "cat", "deer", "dog", "frog")
NUMBERS = (2, 3, 4, 5, 6)  # in CIFAR-10


def load(rng):
    scenes, kinds = drawn(*cifar("train"), classes=NUMBERS, counts=60, rng=rng)
    pictures = np.stack([shot(scene, rng) for scene in scenes for _ in range(4)])
    names = np.array([f"cam1_{scene:04d}_{number}.png" for scene in range(len(scenes)) for number in range(4)])
    return Data(pictures, np.repeat(kinds, 4), names)


def split(data, rng):
    return splits.random_split(len(data.labels), test=0.25, seed=int(rng.integers(2**31)))


def prepare(pictures):
    return pictures / 127.5 - 1


def augment(x, y, rng):
    return x, y


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
    return drawn(*cifar("test"), classes=NUMBERS, counts=150, rng=rng)


project = Project(
    "forest", "name the animal that walked past", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=7,
)  # fmt: skip
