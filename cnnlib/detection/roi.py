"""RoI align: the features of a box, at a fixed size, without rounding its borders. Lesson 13.

He, Gkioxari, Dollar and Girshick 2017, "Mask R-CNN", section 3; details as in torchvision's ``roi_align``.
"""

from __future__ import annotations

import keras
from keras import layers, ops

__all__ = ["RoIAlign", "roi_align"]


def roi_align(
    features, boxes, image, output_size=7, spatial_scale: float = 1.0, samples: int = 2, aligned: bool = True
):
    """Mean of bilinear samples in each cell of each box.

    Each box is divided into ``output_size`` cells, each cell has ``samples`` x ``samples`` points, evenly spread, whose
    features are interpolated between the four nearest pixels. Nothing is rounded, so a small move of the box is a small
    move of the result, and gradients reach the features. A point more than one pixel outside the map counts as zero.

    Args:
        features: (batch, height, width, channels).
        boxes: (n, 4), (x1, y1, x2, y2) in pixels of the image.
        image: (n,) whole numbers: the image of the batch that each box belongs to.
        output_size: cells in each direction, or (height, width).
        spatial_scale: size of the map to size of the image: 1 / stride.
        samples: points of a cell in each direction ("sampling_ratio" of torchvision, which also has a variable number).
        aligned: pixel centres at half numbers, as boxes have them everywhere in this course. False is the first version
            of torchvision, half a pixel off, with boxes held at 1x1 or more.

    Returns:
        (n, height, width, channels).

    Raises:
        ValueError: an argument has another shape, or is not positive.
    """
    if len(features.shape) != 4 or len(boxes.shape) != 2 or boxes.shape[-1] != 4 or len(image.shape) != 1:
        raise ValueError(
            f"features {tuple(features.shape)}, boxes {tuple(boxes.shape)}, image {tuple(image.shape)}; expected "
            "(batch, height, width, channels), (n, 4) and (n,)."
        )
    cells = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    if min(cells) < 1 or samples < 1 or not spatial_scale > 0:
        raise ValueError(
            f"output_size={output_size}, samples={samples}, spatial_scale={spatial_scale}: all must be > 0."
        )
    features = ops.convert_to_tensor(features)
    height, width = features.shape[1:3]
    boxes = ops.cast(boxes, features.dtype) * spatial_scale - (0.5 if aligned else 0.0)
    start, extent = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    if not aligned:
        extent = ops.maximum(extent, 1.0)
    image = ops.cast(image, "int32")
    x = _points(start[:, 0], extent[:, 0], cells[1] * samples)
    y = _points(start[:, 1], extent[:, 1], cells[0] * samples)
    left, right, share_x = _neighbours(x, width)
    upper, lower, share_y = _neighbours(y, height)
    flat = ops.reshape(features, (-1, features.shape[-1]))

    def pixels(rows, columns):
        index = (image[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
        return ops.take(flat, index, axis=0)  # (n, points down, points across, channels)

    share_x, share_y = share_x[:, None, :, None], share_y[:, :, None, None]
    top = pixels(upper, left) * (1 - share_x) + pixels(upper, right) * share_x
    bottom = pixels(lower, left) * (1 - share_x) + pixels(lower, right) * share_x
    values = top * (1 - share_y) + bottom * share_y
    inside = _inside(y, height)[:, :, None] & _inside(x, width)[:, None, :]
    values = values * ops.cast(inside, values.dtype)[..., None]
    shape = (-1, cells[0], samples, cells[1], samples, features.shape[-1])
    return ops.mean(ops.reshape(values, shape), axis=(2, 4))


def _points(start, extent, count: int):
    """``count`` points in the middle of equal parts of each interval: (n, count)."""
    middle = (ops.arange(count, dtype=start.dtype) + 0.5) / count
    return start[:, None] + extent[:, None] * middle


def _neighbours(points, size: int):
    """The two pixels around each point, and how far it is from the first to the second; held at the border."""
    points = ops.clip(points, 0, size - 1)
    first = ops.cast(ops.floor(points), "int32")
    return first, ops.minimum(first + 1, size - 1), points - ops.cast(first, points.dtype)


def _inside(points, size: int):
    return (points >= -1) & (points <= size)


@keras.saving.register_keras_serializable(package="cnnlib")
class RoIAlign(layers.Layer):
    """`roi_align` as a layer: maps (b, h, w, c) and boxes (b, k, 4) in pixels give (b * k, cells, cells, c).

    Args:
        cells: size of what is cut out, in each direction.
        stride: pixels of the image to a place of the map.
    """

    def __init__(self, cells: int, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.cells, self.stride = cells, stride

    def call(self, features, boxes):
        batch, each = ops.shape(boxes)[0], ops.shape(boxes)[1]
        image = ops.arange(batch * each) // each
        return roi_align(features, ops.reshape(boxes, (-1, 4)), image, self.cells, 1 / self.stride)

    def compute_output_shape(self, features_shape, boxes_shape=None):
        return (None, self.cells, self.cells, features_shape[-1])

    def get_config(self):
        return {**super().get_config(), "cells": self.cells, "stride": self.stride}
