"""Losses of a detector, on ``keras.ops``: focal loss for classes, smooth L1 or GIoU for boxes. Lesson 11."""

from __future__ import annotations

import keras
from keras import ops

from cnnlib.detection.anchors import BACKGROUND, IGNORED

__all__ = ["DetectionLoss", "focal_loss", "giou_loss", "smooth_l1"]


def focal_loss(targets, logits, gamma: float = 2.0, alpha: float = 0.25):
    """Focal loss of each number (Lin et al. 2017, "Focal loss for dense object detection"): the shape of ``logits``.

    Cross-entropy of a sigmoid times ``(1 - p_t) ** gamma``, where ``p_t`` is the probability of what is true: the
    hundred thousand easy background anchors stop drowning the few with an object in them.

    It is ``keras.losses.binary_focal_crossentropy(..., from_logits=True)`` without its mean over the last axis; that a
    logit far out has the right slope, where that one clips the probability, is the other difference.

    Args:
        targets: 0 or 1, the shape of ``logits``.
        logits: before the sigmoid.
        gamma: 0 gives cross-entropy.
        alpha: weight of the ones; ``1 - alpha`` is that of the zeros. None for no weights.
    """
    logits = ops.convert_to_tensor(logits)
    targets = ops.cast(targets, logits.dtype)
    # log(1 + exp(-z)) with z = logit of what is true; it never overflows.
    signed = logits * (2 * targets - 1)
    loss = ops.softplus(-signed) * ops.sigmoid(-signed) ** gamma if gamma else ops.softplus(-signed)
    return loss if alpha is None else loss * (alpha * targets + (1 - alpha) * (1 - targets))


def smooth_l1(targets, predictions, beta: float = 1.0):
    """Smooth L1 (Girshick 2015, "Fast R-CNN") of each number: a parabola up to a distance of ``beta``, then a line.

    It is ``keras.losses.huber(delta=beta) / beta`` without its mean over the last axis.
    """
    if not beta > 0:
        raise ValueError(f"beta={beta}: expected more than 0, where the parabola turns into a line.")
    predictions = ops.convert_to_tensor(predictions)
    distance = ops.abs(predictions - ops.cast(targets, predictions.dtype))
    return ops.where(distance < beta, distance**2 / (2 * beta), distance - beta / 2)


def giou_loss(boxes1, boxes2):
    """``1 - GIoU`` of each box with its counterpart (Rezatofighi et al. 2019): (..., 4) and (..., 4) give (...).

    Boxes are (x1, y1, x2, y2). For *each* with *each*, in NumPy, see ``boxes.giou``; for the loss that also looks at
    centres and shapes, ``keras.utils.bounding_boxes.compute_ciou``.
    """
    boxes1, boxes2 = ops.convert_to_tensor(boxes1), ops.convert_to_tensor(boxes2)
    left1, top1, right1, bottom1 = (boxes1[..., i] for i in range(4))
    left2, top2, right2, bottom2 = (boxes2[..., i] for i in range(4))
    width = ops.relu(ops.minimum(right1, right2) - ops.maximum(left1, left2))
    height = ops.relu(ops.minimum(bottom1, bottom2) - ops.maximum(top1, top2))
    inter = width * height
    union = (right1 - left1) * (bottom1 - top1) + (right2 - left2) * (bottom2 - top2) - inter
    hull = (ops.maximum(right1, right2) - ops.minimum(left1, left2)) * (
        ops.maximum(bottom1, bottom2) - ops.minimum(top1, top2)
    )
    tiny = keras.config.epsilon()
    return 1 - inter / ops.maximum(union, tiny) + (hull - union) / ops.maximum(hull, tiny)


@keras.saving.register_keras_serializable(package="cnnlib")
class DetectionLoss(keras.losses.Loss):
    """Focal loss over all anchors that count plus smooth L1 over those with an object, for each image.

    Both sums are divided by the number of anchors with an object in that image (at least 1), as in RetinaNet.

    ``y_true`` is (batch, anchors, 5) of `anchors.targets`: deltas and label. ``y_pred`` is (batch, anchors, 4 +
    classes): deltas and logits.

    Args:
        box_weight: what the box loss is multiplied by.
        gamma, alpha: of `focal_loss`.
        beta: of `smooth_l1`.
    """

    def __init__(self, box_weight: float = 1.0, gamma: float = 2.0, alpha: float = 0.25, beta: float = 1 / 9, **kwargs):
        super().__init__(**{"name": "detection_loss", **kwargs})
        self.box_weight, self.gamma, self.alpha, self.beta = box_weight, gamma, alpha, beta

    def call(self, y_true, y_pred):
        labels = ops.cast(y_true[..., 4], "int32")
        mine = ops.cast(labels > BACKGROUND, y_pred.dtype)
        counts = ops.cast(ops.not_equal(labels, IGNORED), y_pred.dtype)
        # A label below 0 gives a row of zeros.
        classes = ops.one_hot(ops.maximum(labels, 0), y_pred.shape[-1] - 4, dtype=y_pred.dtype) * mine[..., None]
        class_loss = ops.sum(focal_loss(classes, y_pred[..., 4:], self.gamma, self.alpha), -1) * counts
        box_loss = ops.sum(smooth_l1(y_true[..., :4], y_pred[..., :4], self.beta), -1) * mine
        found = ops.maximum(ops.sum(mine, -1), 1.0)
        return (ops.sum(class_loss, -1) + self.box_weight * ops.sum(box_loss, -1)) / found

    def get_config(self):
        settings = {"box_weight": self.box_weight, "gamma": self.gamma, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **settings}
