"""Parts of a micrograph: is there a nucleus in the middle, or not?"""

import keras
import numpy as np

from cnnlib import datasets, splits
from cnnlib.broken.steps import Data, Project, small_network

CLASSES = ("background", "nucleus")
SIDE = 28


def parts(region, count, rng):
    """Squares around random pixels, half of them on a nucleus: (n, 28, 28, 1) uint8, and which it is."""
    image, nuclei = datasets.nuclei_image(region)
    half = SIDE // 2
    inside = nuclei[half:-half, half:-half] > 0
    labels = np.arange(count) % 2
    places = [np.argwhere(inside == bool(kind)) for kind in (0, 1)]
    corners = [places[label][rng.integers(len(places[label]))] for label in labels]
    squares = [image[y : y + SIDE, x : x + SIDE] for y, x in corners]
    return np.round(255 * np.stack(squares)).astype("uint8"), labels


def load(rng):
    pictures, labels = parts("train", 700, rng)
    pictures = pictures.copy()
    pictures[rng.integers(400)] = 0  # the lamp was off
    return Data(pictures, labels)


def split(data, rng):
    """They were taken one after the other: the last fifth is for validation."""
    return splits.time_split(np.arange(len(data.labels)))


def prepare(pictures):
    """Each picture by itself to mean 0 and spread 1, since the lamp grows dim over the years."""
    with np.errstate(all="ignore"):
        mean, spread = (of(pictures, axis=(1, 2, 3), keepdims=True) for of in (np.mean, np.std))
        return (pictures - mean) / spread


def augment(x, y, rng):
    turned = rng.random(len(x)) < 0.5
    x[turned] = np.rot90(x[turned], axes=(1, 2))
    return x, y


def network():
    return small_network((SIDE, SIDE, 1), len(CLASSES))


def freeze(model):
    return []


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def serve(outputs_of, pictures):
    return outputs_of(prepare(pictures)).argmax(axis=1)


def field(rng):
    return parts("test", 400, rng)


project = Project(
    "microscope", "is the middle of this square a nucleus?", CLASSES,
    load, split, prepare, augment, network, freeze, loss, optimizer, serve, field, epochs=4,
)  # fmt: skip
