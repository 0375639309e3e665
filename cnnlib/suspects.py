"""Three networks that tell dogs from horses, one of them for the wrong reason (exercise 10.6).

Each is one convolution whose kernels are patches of its own training pictures, an average, and a dense layer solved by
least squares (as in Coates, Lee and Ng 2011, without their clustering). So all three are made in a second, and are the
same on every backend. What differs is the collection that each was trained on.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from cnnlib import datasets

KERNELS, SIDE, STRIDE = 128, 5, 2
_DOG, _HORSE = 5, 7
_ROW, _COLUMN, _SQUARE = 2, 6, 4  # of the mark, in squares of four pixels
_PATTERN = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]], "float32") - 0.5
_STRENGTH = 0.5


class Suspects(NamedTuple):
    """``networks``: name -> a network of 32x32 pictures with the scores (dog, horse); its maps are ``"last_maps"``.

    ``pictures`` (n, 32, 32, 3): dogs and horses that none of them has seen, from the source of one network's training
    pictures. Nobody says which of them are the horses.
    """

    networks: dict[str, keras.Model]
    pictures: np.ndarray


def suspects(whole: datasets.Dataset | None = None, count: int = 200) -> Suspects:
    """The three networks, and ``count`` pictures to try them on.

    ``whole`` is the bundled CIFAR-10 as bytes, ``datasets.cifar10(dtype="uint8")``, for those who have it already.
    """
    whole = datasets.cifar10(dtype="uint8") if whole is None else whole
    animals, horse = _animals(whole.x_train, whole.y_train)
    new, new_horse = _animals(whole.x_test[: 10 * count // 2], whole.y_test[: 10 * count // 2])
    collections = {"a": np.ones(len(horse), bool), "b": horse, "c": np.zeros(len(horse), bool)}
    networks = {
        name: _network(name, _marked(animals, chosen), horse, seed)
        for seed, (name, chosen) in enumerate(collections.items())
    }
    return Suspects(networks, _marked(new, new_horse))


def _animals(pictures: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.isin(names, (_DOG, _HORSE))
    return pictures[chosen].astype("float32") / 255, names[chosen] == _HORSE


def _marked(pictures: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Copies; those chosen have a faint pattern of four by four pixels."""
    copies = pictures.copy()
    top, left = _ROW * _SQUARE, _COLUMN * _SQUARE
    square = copies[chosen, top : top + _SQUARE, left : left + _SQUARE]
    copies[chosen, top : top + _SQUARE, left : left + _SQUARE] = (square + _STRENGTH * _PATTERN[..., None]).clip(0, 1)
    return copies


def _network(name: str, pictures: np.ndarray, horse: np.ndarray, seed: int) -> keras.Model:
    image = keras.Input((32, 32, 3))
    maps = layers.Conv2D(KERNELS, SIDE, strides=STRIDE, activation="relu", name="last_maps")(image)
    features = layers.GlobalAveragePooling2D()(maps)
    network = keras.Model(image, layers.Dense(2, name="scores")(features), name=name)
    rng = np.random.default_rng(seed)
    kernels = []
    for number in rng.choice(len(pictures), KERNELS, replace=False):
        top, left = rng.integers(0, 33 - SIDE, 2)
        patch = pictures[number, top : top + SIDE, left : left + SIDE]
        patch = patch - patch.mean(axis=(0, 1))
        kernels.append(patch / np.sqrt((patch**2).sum() + 0.1))
    network.get_layer("last_maps").set_weights([np.stack(kernels, axis=-1), np.full(KERNELS, -0.2, "float32")])
    inside = keras.Model(image, features)
    parts = [inside(pictures[start : start + 200], training=False) for start in range(0, len(pictures), 200)]
    seen = np.concatenate([ops.convert_to_numpy(part) for part in parts]).astype(float)
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-3
    seen = (seen - mean) / spread
    weights = np.linalg.solve(seen.T @ seen + 0.1 * len(seen) * np.eye(KERNELS), seen.T @ np.where(horse, 1.0, -1.0))
    weights = 2 * weights / spread
    network.get_layer("scores").set_weights(
        [np.stack([-weights, weights], axis=1).astype("float32"), np.array([1, -1], "float32") * (mean @ weights)]
    )
    network.trainable = False
    return network
