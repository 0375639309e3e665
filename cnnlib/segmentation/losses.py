"""Losses for segmentation, on logits and whole-number labels. Lesson 12.

Labels are (n, h, w) or (n, h, w, 1), numbers of classes; pixels with the label ``ignore`` count for nothing. Logits are
(n, h, w, classes), or (n, h, w, 1) where the question is yes (1) or no (0). All are ``keras.losses.Loss`` for
``model.compile``. A compiled loss cannot complain about labels: call `metrics.check_labels` on them once before.

Milletari, Navab, Ahmadi 2016, "V-Net" (Dice); Salehi, Erdogmus, Gholipour 2017, "Tversky loss function for image
segmentation using 3D fully convolutional deep networks".
"""

from collections.abc import Sequence

import keras
from keras import ops

__all__ = ["DiceLoss", "PixelCrossEntropy", "SumOfLosses", "TverskyLoss"]

IGNORE = 255


@keras.saving.register_keras_serializable(package="cnnlib")
class PixelCrossEntropy(keras.losses.Loss):
    """The mean, over the pixels that count, of the cross-entropy of each pixel.

    class_weights: how much a pixel of each class counts, (classes,); for a single logit (no, yes). The mean is divided
    by the sum of the weights, so that doubling all of them changes nothing.
    """

    def __init__(self, class_weights: Sequence[float] | None = None, ignore: int = IGNORE, name="pixel_cross_entropy"):
        super().__init__(name=name, reduction="sum")
        if class_weights is not None and (min(class_weights) < 0 or not sum(class_weights) < float("inf")):
            raise ValueError(f"class_weights={class_weights!r}; expected one number for each class, 0 or more.")
        self.class_weights = None if class_weights is None else tuple(map(float, class_weights))
        self.ignore = ignore

    def call(self, y_true, y_pred):
        _check_weights(self.class_weights, y_pred.shape[-1])
        labels, counts = _labels_and_counts(y_true, y_pred, self.ignore)
        if y_pred.shape[-1] == 1:
            z = y_pred[..., 0]
            losses = ops.softplus(z) - ops.cast(labels, z.dtype) * z  # -log sigmoid(z) or -log sigmoid(-z)
        else:
            losses = keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        if self.class_weights is not None:
            counts = counts * ops.take(ops.convert_to_tensor(self.class_weights, counts.dtype), labels)
        return ops.sum(losses * counts) / ops.maximum(ops.sum(counts), keras.config.epsilon())

    def get_config(self):
        return {"class_weights": self.class_weights, "ignore": self.ignore, "name": self.name}


@keras.saving.register_keras_serializable(package="cnnlib")
class TverskyLoss(keras.losses.Loss):
    r"""1 minus the Tversky index of soft masks, averaged over the classes.

    .. math:: T = \frac{TP + s}{TP + \alpha FP + \beta FN + s}

    TP, FP and FN are sums of probabilities over all pixels of the batch, :math:`s` is ``smooth``. With
    :math:`\alpha = \beta = 1/2` it is the Dice loss; with :math:`\beta > \alpha` a missed pixel costs more than an
    invented one. `keras.losses.Tversky` (3.15) has them the other way round: the ``alpha`` of its text weighs false
    positives, that of its code false negatives.

    Args:
        alpha: weight of false positives.
        beta: weight of false negatives.
        smooth: in pixels; keeps the loss of a class that is not there, and not predicted, at 0.
        ignore: label of pixels that do not count.
    """

    def __init__(
        self, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0, ignore: int = IGNORE, name="tversky"
    ):
        super().__init__(name=name, reduction="sum")
        if not (alpha >= 0 and beta >= 0 and alpha + beta > 0 and smooth >= 0):
            raise ValueError(f"alpha={alpha}, beta={beta}, smooth={smooth}; expected 0 or more, not both weights 0.")
        self.alpha, self.beta, self.smooth, self.ignore = alpha, beta, smooth, ignore

    def call(self, y_true, y_pred):
        labels, counts = _labels_and_counts(y_true, y_pred, self.ignore)
        if y_pred.shape[-1] == 1:
            p, t = ops.sigmoid(y_pred), ops.cast(labels, y_pred.dtype)[..., None]
        else:
            p, t = ops.softmax(y_pred, axis=-1), ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)
        counts = counts[..., None]
        hit, invented, missed = (ops.sum(part * counts, axis=(0, 1, 2)) for part in (p * t, p * (1 - t), (1 - p) * t))
        whole = hit + self.alpha * invented + self.beta * missed + self.smooth
        return 1 - ops.mean((hit + self.smooth) / ops.maximum(whole, keras.config.epsilon()))

    def get_config(self):
        return {name: getattr(self, name) for name in ("alpha", "beta", "smooth", "ignore", "name")}


@keras.saving.register_keras_serializable(package="cnnlib")
class DiceLoss(TverskyLoss):
    """1 minus the Dice coefficient 2 TP / (2 TP + FP + FN) of soft masks, the mean of the classes: a `TverskyLoss`."""

    def __init__(self, smooth: float = 1.0, ignore: int = IGNORE, name="dice"):
        super().__init__(0.5, 0.5, smooth, ignore, name)

    def get_config(self):
        return {"smooth": self.smooth, "ignore": self.ignore, "name": self.name}


@keras.saving.register_keras_serializable(package="cnnlib")
class SumOfLosses(keras.losses.Loss):
    """A weighted sum of losses of the same output, as cross-entropy + Dice."""

    def __init__(self, losses: Sequence[keras.losses.Loss], weights: Sequence[float] | None = None, name="sum"):
        super().__init__(name=name, reduction="sum")
        self.losses = [keras.saving.deserialize_keras_object(x) if isinstance(x, dict) else x for x in losses]
        self.weights = [1.0] * len(self.losses) if weights is None else list(map(float, weights))
        if not self.losses or len(self.weights) != len(self.losses):
            raise ValueError(f"SumOfLosses: {len(self.losses)} losses and {len(self.weights)} weights; one for each.")

    def call(self, y_true, y_pred):
        return sum(weight * loss(y_true, y_pred) for loss, weight in zip(self.losses, self.weights))

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"losses": losses, "weights": self.weights, "name": self.name}


def _check_weights(weights: tuple[float, ...] | None, channels: int) -> None:
    if weights is not None and len(weights) != max(channels, 2):
        raise ValueError(
            f"class_weights has {len(weights)} entries, the logits stand for {max(channels, 2)} classes; one for each."
        )


def _labels_and_counts(y_true, y_pred, ignore: int):
    """Labels (n, h, w), 0 where they are ignored, and 1 for each pixel that counts, else 0."""
    if len(y_pred.shape) != 4:
        raise ValueError(f"the logits have shape {tuple(y_pred.shape)}; expected (n, height, width, classes).")
    labels = ops.convert_to_tensor(y_true)
    if len(labels.shape) == 4 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if len(labels.shape) != 3 or any(a != b for a, b in zip(labels.shape[1:], y_pred.shape[1:3]) if a and b):
        raise ValueError(
            f"the labels have shape {tuple(labels.shape)}, the logits {tuple(y_pred.shape)}; expected labels (n, "
            "height, width) of the same height and width. Was the mask resized with the image, and is it not one-hot?"
        )
    labels = ops.cast(labels, "int32")
    counts = labels != ignore
    return ops.where(counts, labels, 0), ops.cast(counts, y_pred.dtype)
