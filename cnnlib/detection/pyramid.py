"""The maps of a backbone at several strides, and a feature pyramid on them. Lessons 11 and 13.

Deep maps know what is there and hardly where; shallow maps know where and hardly what. A feature pyramid (Lin et al.
2017, "Feature pyramid networks for object detection") hands the deep ones down: enlarge, add, smooth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import layers

__all__ = ["feature_maps", "feature_pyramid"]


def feature_maps(backbone: keras.Model, strides: Sequence[int] = (8, 16, 32)) -> list:
    """The last map of ``backbone`` at each stride: symbolic tensors (batch, height, width, channels).

    It takes every network of ``cnnlib.models``, and any functional model with a fixed input size whose layers shrink
    their maps by about two at a time. A layer that only pads does not count; nor does one that no later map needs.

    Raises:
        ValueError: the input size is not fixed, or the network has no map of such a stride. The message lists its
            strides.
    """
    shape = backbone.inputs[0].shape
    if len(shape) != 4 or None in shape[1:3]:
        raise ValueError(
            f"the input of {backbone.name} is {tuple(shape)}; a detector needs (batch, height, width, channels) with a "
            "fixed height and width, as its anchors have their places. Build the backbone with input_shape=(96, 96, 3)."
        )
    needed = _needed(backbone)
    last = {}
    for layer in backbone.layers:
        for tensor in _tensors(layer, "output"):
            if len(tensor.shape) != 4 or None in tensor.shape[1:3] or id(tensor) not in needed:
                continue
            if not isinstance(layer, (layers.ZeroPadding2D, layers.InputLayer)):
                last[_stride(shape, tensor.shape)] = tensor
    missing = [stride for stride in strides if stride not in last]
    if missing or not strides:
        there = ", ".join(f"{stride} ({'x'.join(map(str, last[stride].shape[1:3]))})" for stride in sorted(last))
        raise ValueError(
            f"{backbone.name} with images of {shape[1]}x{shape[2]} has no map of stride "
            f"{missing or 'none'}; it has: {there}."
        )
    if list(strides) != sorted(set(strides)):
        raise ValueError(f"strides={tuple(strides)}: expected different ones, finest first, as (8, 16, 32).")
    return [last[stride] for stride in strides]


def _stride(image, feature_map) -> int:
    """By how much a map is smaller than the image, to the nearest power of two (unpadded networks are not exact)."""
    ratio = max(image[1] / feature_map[1], image[2] / feature_map[2])
    return 2 ** round(math.log2(ratio)) if ratio >= 1 else 1


def _tensors(layer, side: str) -> list:
    """Symbolic tensors on one side of a layer, ``"input"`` or ``"output"``."""
    try:
        return keras.tree.flatten(getattr(layer, side))
    except (AttributeError, ValueError):  # a layer that is used twice, or not at all, has no one tensor there
        return []


def _needed(backbone: keras.Model) -> set[int]:
    """ids of the tensors that another layer reads, or that come out at the end."""
    read = [tensor for layer in backbone.layers for tensor in _tensors(layer, "input")]
    return {id(tensor) for tensor in [*read, *backbone.outputs]}


def feature_pyramid(maps: Sequence, channels: int = 64, extra: int = 0, norm: bool = True) -> list:
    """A pyramid over ``maps`` (finest first): as many maps, and ``extra`` smaller ones, all with ``channels`` channels.

    Each map passes a 1x1 convolution; the next coarser result, enlarged to its size, is added; a 3x3 convolution
    smooths the sum. An extra level is a 3x3 convolution of stride 2 on the last.

    Args:
        maps: symbolic tensors (batch, height, width, c), each smaller than the one before.
        norm: batch normalisation after the convolutions.
    """
    if channels < 1 or extra < 0:
        raise ValueError(f"channels={channels}, extra={extra}: expected 1 or more channels, 0 or more extra levels.")
    sums = []
    for i, tensor in reversed(list(enumerate(maps))):
        merged = _conv(tensor, channels, 1, f"pyramid{i}_lateral", norm)
        if sums:
            merged = layers.Add(name=f"pyramid{i}_add")([merged, _enlarge(sums[0], merged, i)])
        sums.insert(0, merged)
    pyramid = [_conv(tensor, channels, 3, f"pyramid{i}_smooth", norm) for i, tensor in enumerate(sums)]
    for i in range(len(maps), len(maps) + extra):
        pyramid.append(_conv(pyramid[-1], channels, 3, f"pyramid{i}_extra", norm, stride=2))
    return pyramid


def _conv(x, channels: int, kernel: int, name: str, norm: bool, stride: int = 1):
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=not norm, name=name)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x) if norm else x


def _enlarge(coarse, fine, level: int):
    """``coarse`` at the size of ``fine``, by the nearest neighbour."""
    height, width = fine.shape[1:3]
    if (height, width) == (2 * coarse.shape[1], 2 * coarse.shape[2]):
        return layers.UpSampling2D(2, name=f"pyramid{level}_up")(coarse)
    return layers.Resizing(height, width, interpolation="nearest", name=f"pyramid{level}_up")(coarse)
