"""A single-stage detector on any backbone of the course: from images to boxes in their own pixels. Lesson 11.

RetinaNet (Lin et al. 2017, "Focal loss for dense object detection") in small: a feature pyramid, one head that all
levels share, focal loss. `Detector` keeps together what belongs together: the Keras model, its anchors, and what turns
images into its input and its output into boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from cnnlib.detection import anchors as anchor_tools
from cnnlib.detection import boxes as box_tools
from cnnlib.detection.losses import DetectionLoss
from cnnlib.detection.pyramid import feature_maps, feature_pyramid
from cnnlib.detection.suppression import batched_nms

__all__ = ["Detections", "Detector", "letterbox"]

PRIOR = 0.01  # probability that an untrained head gives to every class at every anchor


class Detections(NamedTuple):
    """What was found in one image, best score first."""

    boxes: np.ndarray  # (k, 4) float32, in pixels of the image that was given
    scores: np.ndarray  # (k,) float32 in [0, 1]
    labels: np.ndarray  # (k,) int64


class Detector:
    """A single-stage detector.

    Args:
        backbone: a functional model with a fixed input size, of `cnnlib.models` or `keras.applications`; its classifier
            is left out. Its preprocessing is the caller's: what ``predict`` is given is passed on as it is, resized.
        num_classes: labels are 0 to ``num_classes - 1``.
        strides: which maps of the backbone the pyramid stands on. The finest decides how small an object may be.
        channels: of the pyramid and the head.
        depth: 3x3 convolutions in the head before the last.
        extra: smaller levels on top of the pyramid.
        size: side of an anchor of scale 1, in strides of its level.
        scales, ratios: of `anchors.anchor_grid`.

    Attributes:
        model: Keras model, images (batch, height, width, channels) -> (batch, anchors, 4 + classes): deltas and logits.
        anchors: (anchors, 4).

    Raises:
        ValueError: the backbone has no such map, or images are smaller than the coarsest stride.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        strides: Sequence[int] = (8, 16, 32),
        channels: int = 64,
        depth: int = 1,
        extra: int = 0,
        size: float = 3.0,
        scales: Sequence[float] = (1.0, 2**0.5),
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
    ):
        if num_classes < 1:
            raise ValueError(f"num_classes={num_classes}: expected 1 or more; background is not one of them.")
        self.num_classes = num_classes
        maps = feature_pyramid(feature_maps(backbone, strides), channels, extra)
        self.size = tuple(int(n) for n in backbone.inputs[0].shape[1:3])
        if min(self.size) < max(strides) * 2**extra:
            raise ValueError(
                f"images of {self.size[0]}x{self.size[1]} are smaller than the coarsest stride, "
                f"{max(strides) * 2**extra}."
            )
        shapes = [tuple(level.shape[1:3]) for level in maps]
        sides = [size * stride for stride in (*strides, *(max(strides) * 2 ** (i + 1) for i in range(extra)))]
        self.anchors = anchor_tools.anchor_grid(self.size, shapes, sides, scales, ratios)
        each = len(scales) * len(ratios)
        outputs = _head(maps, num_classes, channels, depth, each)
        self.model = keras.Model(backbone.input, outputs, name=f"detector_{backbone.name}")

    def __repr__(self) -> str:
        return (
            f"Detector({self.model.name}, {self.size[0]}x{self.size[1]}, {len(self.anchors):,} anchors, "
            f"{self.num_classes} classes, {self.model.count_params():,} parameters)"
        )

    # --- training ----------------------------------------------------------------------------------------------------

    def targets(self, boxes: Sequence, labels: Sequence, positive: float = 0.5, negative: float = 0.4) -> np.ndarray:
        """What the model has to learn from the objects of each image: (n, anchors, 5) float32.

        Args:
            boxes: for each image (k, 4), in pixels of the *input*; k may be 0.
            labels: for each image (k,).

        Raises:
            ValueError: the lists differ in length, a box is none, a label is out of range.
        """
        if len(boxes) != len(labels):
            raise ValueError(f"boxes of {len(boxes)} images and labels of {len(labels)}; expected one entry for each.")
        for i, names in enumerate(map(np.asarray, labels)):
            if names.size and not (names.min() >= 0 and names.max() < self.num_classes):
                raise ValueError(
                    f"image {i}: labels from {names.min()} to {names.max()}; expected 0 to {self.num_classes - 1}, "
                    "background not counted."
                )
        return anchor_tools.batch_targets(self.anchors, boxes, labels, positive, negative)

    def compile(self, optimizer="adam", loss: keras.losses.Loss | None = None, **options) -> None:
        """Compile the model with a `DetectionLoss`."""
        self.model.compile(optimizer=optimizer, loss=loss or DetectionLoss(), **options)

    # --- use ---------------------------------------------------------------------------------------------------------

    def predict(
        self,
        images,
        score_threshold: float = 0.3,
        iou_threshold: float = 0.5,
        max_boxes: int = 100,
        batch_size: int = 32,
    ) -> list[Detections]:
        """Find objects in images of any size.

        Args:
            images: an array (n, height, width, channels), or a sequence of arrays (height, width, channels) of
                different sizes, with the values that the backbone was trained with. They are resized without
                distortion.
            score_threshold: what scores less is not reported. For AP take it small, as 0.01.
            iou_threshold: of NMS within each class.
            max_boxes: at most as many in an image.
            batch_size: images at once.

        Returns:
            `Detections` for each image, in pixels of that image; arrays of length 0 where nothing was found.

        Raises:
            ValueError: an image is empty, of another number of channels, or holds NaN.
        """
        if not 0 <= score_threshold <= 1:
            raise ValueError(f"score_threshold={score_threshold}: a score lies in [0, 1].")
        images = list(images)
        if not images:
            return []
        prepared = [letterbox(self._checked(image, i), self.size) for i, image in enumerate(images)]
        found = []
        for begin in range(0, len(images), batch_size):
            part = prepared[begin : begin + batch_size]
            batch = np.stack([picture for picture, _ in part])
            missing = (batch_size if len(images) > batch_size else len(part)) - len(part)
            batch = np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0)))  # one shape: nothing is compiled twice
            raw = np.asarray(ops.convert_to_numpy(self.model.predict_on_batch(batch)), "float32")
            # All anchors at once: JAX compiles for each new shape, and how many are above the threshold always differs.
            boxes = box_tools.decode(self.anchors, raw[..., :4])
            for logits, own, (_, undo), image in zip(raw[..., 4:], boxes, part, images[begin:]):
                found.append(
                    self._decoded(logits, own, undo, np.shape(image)[:2], score_threshold, iou_threshold, max_boxes)
                )
        return found

    def _checked(self, image, index: int) -> np.ndarray:
        image = np.asarray(image)
        channels = self.model.inputs[0].shape[-1]
        if image.ndim != 3 or image.shape[-1] != channels or 0 in image.shape:
            raise ValueError(
                f"image {index} has shape {image.shape}; expected (height, width, {channels}) with at least one pixel."
                + (" One image alone is a list of one." if image.ndim == 2 else "")
            )
        if not np.isfinite(image.sum(dtype=np.float64)):
            raise ValueError(f"image {index} holds NaN or infinite values.")
        return image

    def _decoded(self, logits, boxes, undo, size, score_threshold, iou_threshold, max_boxes) -> Detections:
        """What is reported of one image, from the logits (anchors, classes) and the boxes of all anchors."""
        scores = 1 / (1 + np.exp(-np.maximum(logits, -80)))
        rows, labels = np.nonzero(scores >= score_threshold)
        if len(rows) > MOST_CANDIDATES:
            best = np.argsort(-logits[rows, labels], kind="stable")[:MOST_CANDIDATES]
            rows, labels = rows[best], labels[best]
        scores = scores[rows, labels]
        scale, shift = undo
        boxes = boxes[rows]
        boxes = box_tools.clip((boxes - np.tile(shift, 2)) / np.tile(scale, 2), size).astype("float32")
        kept = batched_nms(boxes, scores, labels, iou_threshold, max_boxes=max_boxes)
        return Detections(boxes[kept], scores[kept].astype("float32"), labels[kept].astype(np.int64))


MOST_CANDIDATES = 2000  # boxes of one image that reach NMS


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """``image`` (h, w, c) resized to fit into ``size`` (height, width), without distortion, zeros around it; float32.

    Returns:
        ``(picture, (scale, shift))``: a point (x, y) of the image is at ``(x, y) * scale + shift`` in the picture.
    """
    image = np.asarray(image, "float32")
    height, width = image.shape[:2]
    if (height, width) == tuple(size):
        return image, (np.ones(2), np.zeros(2))
    factor = min(size[0] / height, size[1] / width)
    new = max(1, round(height * factor)), max(1, round(width * factor))
    top, left = (size[0] - new[0]) // 2, (size[1] - new[1]) // 2
    picture = np.zeros((*size, image.shape[-1]), "float32")
    small = ops.image.resize(image, new, interpolation="bilinear", antialias=True, data_format="channels_last")
    picture[top : top + new[0], left : left + new[1]] = ops.convert_to_numpy(small)
    return picture, (np.array([new[1] / width, new[0] / height]), np.array([left, top], float))


def _head(maps, num_classes: int, channels: int, depth: int, each: int):
    """One head for all levels: (batch, anchors, 4 + classes)."""
    outputs = []
    body = [layers.Conv2D(channels, 3, padding="same", name=f"head_{i + 1}") for i in range(depth)]
    small = keras.initializers.RandomNormal(stddev=0.01)
    deltas = layers.Conv2D(4 * each, 3, padding="same", kernel_initializer=small, name="head_boxes")
    prior = keras.initializers.Constant(-math.log((1 - PRIOR) / PRIOR))
    small = keras.initializers.RandomNormal(stddev=0.01)
    logits = layers.Conv2D(
        num_classes * each, 3, padding="same", kernel_initializer=small, bias_initializer=prior, name="head_classes"
    )
    for i, x in enumerate(maps):
        x = layers.Activation("relu", name=f"level{i}_in")(x)
        for j, layer in enumerate(body):
            # The convolutions are shared, the statistics of the levels are not.
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"level{i}_bn{j + 1}")(layer(x))
            x = layers.Activation("relu", name=f"level{i}_relu{j + 1}")(x)
        parts = [
            layers.Reshape((-1, 4), name=f"level{i}_boxes")(deltas(x)),
            layers.Reshape((-1, num_classes), name=f"level{i}_classes")(logits(x)),
        ]
        outputs.append(layers.Concatenate(name=f"level{i}")(parts))
    return outputs[0] if len(outputs) == 1 else layers.Concatenate(axis=1, name="anchors")(outputs)
