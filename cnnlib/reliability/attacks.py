"""The worst small change of a picture: FGSM and PGD, within a budget on every value. Lesson 15.

Both climb the loss. FGSM takes one step in the direction of the gradient's sign (Goodfellow, Shlens, Szegedy 2015); PGD
takes many small ones and returns into the budget after each (Madry et al. 2018). The budget is on the largest change of
any value (L-infinity): every value of the result lies within ``epsilon`` of the original, exactly, and in [0, 1].

What they show: an input near this one on which the network fails, found by somebody who has its weights. What they do
not: that a network which withstands them has no such input, or how it does on noise and weather; `corruptions` asks
that. `Attack.random` is the control: as large a change, in directions that chance chose.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from cnnlib import gradients
from cnnlib.models import endings
from cnnlib.reliability._arrays import as_images, as_labels
from cnnlib.trace.walk import is_graph

__all__ = ["Attack", "fgsm", "pgd"]


class Attack:
    """Attacks on one model; its gradient is compiled once for all of them.

    Args:
        model: of images in [0, 1], with logits (n, classes) as its output. Preprocessing belongs inside it.
        batch_size: images at a time. The last batch is filled up, so that nothing is compiled anew.

    Raises:
        TypeError: it is no Keras model.
        ValueError: it has no graph or several outputs, or its output has passed a softmax: where that is saturated the
            gradient is 0 in float32, and the attack fails for a reason that has nothing to do with robustness (Athalye,
            Carlini, Wagner 2018).
    """

    def __init__(self, model: keras.Model, batch_size: int = 100):
        if not isinstance(model, keras.Model):
            raise TypeError(f"model must be a Keras model, got {type(model).__name__}.")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}; expected 1 or more.")
        if not is_graph(model):
            raise ValueError(
                f"model {model.name!r} does not tell what it is made of; expected a functional or Sequential model. "
                "Wrap it: keras.Model(image, model(image)), with image = keras.Input(shape)."
            )
        squash = endings.ending(model).squash
        if squash:
            raise ValueError(
                f"model {model.name!r} ends in a {squash}, and an attack needs logits: where probabilities are nearly "
                "0 or 1 their gradient vanishes. Build the model without its last activation."
            )
        self.model, self.batch_size = model, batch_size

        def loss(images, labels, counts):
            logits = model(images, training=False)
            each = ops.logsumexp(logits, axis=-1) - ops.sum(
                ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype) * logits, axis=-1
            )
            return ops.sum(counts * each)  # a sum, so that no image's gradient depends on its neighbours

        self._differentiate = gradients.value_and_grad(loss)

    def gradient(self, images, labels) -> np.ndarray:
        """The gradient of each image's cross-entropy, in the shape of the images.

        Raises:
            ValueError: the images are not (n, height, width, channels) in [0, 1], or the labels do not fit.
        """
        images, labels = self._checked(images, labels)
        return np.concatenate([g for _, g in self._batches(images, labels)])

    def fgsm(self, images, labels, epsilon: float) -> np.ndarray:
        """One step of size ``epsilon`` in the direction of the gradient's sign, kept in [0, 1].

        Args:
            images: (n, height, width, channels), float32 in [0, 1].
            labels: true class numbers (n,).
            epsilon: the most that a value may change, of 1: 2 levels of 255 are 2 / 255.

        Returns:
            float32, the shape of the images.

        Raises:
            ValueError: as `gradient`, or epsilon is not from 0 to 1.
        """
        images, labels = self._checked(images, labels)
        low, high = budget(images, epsilon)
        return np.clip(images + np.float32(epsilon) * np.sign(self.gradient(images, labels)), low, high)

    def pgd(
        self, images, labels, epsilon: float, steps: int = 10, step: float | None = None, start: int | None = 0
    ) -> np.ndarray:
        """``steps`` steps of size ``step``, returning into the budget after each.

        Args:
            images, labels, epsilon: as `fgsm`.
            steps: how many.
            step: size of each; 2.5 epsilon / steps if not given, so that every corner of the budget can be reached.
            start: seed of the random point of the budget where it begins; None to begin at the image itself.

        Returns:
            float32, the shape of the images.

        Raises:
            ValueError: as `fgsm`, or steps is below 1, or step is not positive.
        """
        images, labels = self._checked(images, labels)
        low, high = budget(images, epsilon)
        if steps < 1 or (step is not None and not step > 0):
            raise ValueError(f"steps={steps}, step={step}; expected 1 or more, and a positive size.")
        step = np.float32(2.5 * epsilon / steps if step is None else step)
        changed = images
        if start is not None:
            noise = np.random.default_rng(start).uniform(-epsilon, epsilon, images.shape).astype("float32")
            changed = np.clip(images + noise, low, high)
        for _ in range(steps):
            changed = np.clip(changed + step * np.sign(self.gradient(changed, labels)), low, high)
        return changed

    def random(self, images, epsilon: float, seed: int = 0) -> np.ndarray:
        """The control: every value moves by ``epsilon`` up or down, as chance has it, kept in [0, 1].

        Raises:
            ValueError: as `fgsm`.
        """
        images = as_images(images)
        low, high = budget(images, epsilon)
        signs = np.random.default_rng(seed).integers(0, 2, images.shape).astype("float32") * 2 - 1
        return np.clip(images + np.float32(epsilon) * signs, low, high)

    def accuracy(self, images, labels) -> float:
        """The share of images that the model gives their class."""
        images, labels = self._checked(images, labels)
        right = 0
        for part, answer, count in self._padded(images, labels):
            logits = ops.convert_to_numpy(self.model.predict_on_batch(part))
            right += int((logits.argmax(axis=-1) == answer)[:count].sum())
        return right / len(images)

    def _checked(self, images, labels) -> tuple[np.ndarray, np.ndarray]:
        images = as_images(images)
        return images, as_labels(labels, len(images), self.model.output_shape[-1])

    def _padded(self, images: np.ndarray, labels: np.ndarray):
        """Batches of one size: the last one is filled up with its own first image."""
        size = min(self.batch_size, len(images))
        for first in range(0, len(images), size):
            chosen = np.arange(first, min(first + size, len(images)))
            count = len(chosen)
            chosen = np.append(chosen, np.full(size - count, first))
            yield images[chosen], labels[chosen], count

    def _batches(self, images: np.ndarray, labels: np.ndarray):
        for part, answer, count in self._padded(images, labels):
            counts = (np.arange(len(part)) < count).astype("float32")
            value, gradient = self._differentiate(part, answer, counts)
            yield value, gradient[:count]


def fgsm(model: keras.Model, images, labels, epsilon: float) -> np.ndarray:
    """`Attack(model).fgsm`, for a single call."""
    return Attack(model).fgsm(images, labels, epsilon)


def pgd(model: keras.Model, images, labels, epsilon: float, **options) -> np.ndarray:
    """`Attack(model).pgd`, for a single call."""
    return Attack(model).pgd(images, labels, epsilon, **options)


def budget(images: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest float32 that each value may take: within epsilon of it and in [0, 1].

    Rounding would step over the border now and then, so the sums are made in float64 and rounded inwards.

    Raises:
        ValueError: epsilon is not from 0 to 1; 8 instead of 8 / 255 is recognised.
    """
    if not 0 <= epsilon <= 1:
        hint = f" Of 255 levels: epsilon={epsilon:g} / 255." if epsilon > 1 else ""
        raise ValueError(f"epsilon={epsilon}; expected the most that a value of [0, 1] may change, 0 to 1.{hint}")
    exact = images.astype("float64")

    def inwards(bound: np.ndarray, towards: float, outside: Callable) -> np.ndarray:
        rounded = bound.astype("float32")
        return np.where(outside(rounded.astype("float64"), bound), np.nextafter(rounded, np.float32(towards)), rounded)

    low = inwards(np.maximum(exact - epsilon, 0), 2, np.less)
    high = inwards(np.minimum(exact + epsilon, 1), -1, np.greater)
    return low, high
