"""Ten kinds of clothes, from the folder of pictures of a shop and its list of labels."""

import keras
import numpy as np

from cnnlib import datasets, splits
from cnnlib.broken.sources import clothes, drawn
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = datasets.FASHION_MNIST_CLASSES


def delivered(rng):
    """What the shop sent: pictures, and labels.csv, a line for each picture: its name and its class."""
    pictures, kinds = drawn(*clothes("train"), classes=tuple(range(10)), counts=150, rng=rng)
    lines = [f"{number:04d}.png,{CLASSES[kind]}" for number, kind in enumerate(kinds)]
    return pictures, "\n".join(lines)


def load(rng, header=0):
    """Join pictures and labels; ``header`` is the line of the list that names its columns, None if it has none."""
    pictures, text = delivered(rng)
    rows = [line.split(",") for line in text.splitlines()]
    body = rows if header is None else rows[header + 1 :]
    labels = np.array([CLASSES.index(kind) for name, kind in body])
    names = np.array([name for name, kind in body])
    return Data(pictures[: len(labels)], labels, names)


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
    return drawn(*clothes("test"), classes=tuple(range(10)), counts=60, rng=rng)


project = Project(
    "wardrobe", "sort a shop's pictures into ten kinds of clothes", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
)  # fmt: skip
