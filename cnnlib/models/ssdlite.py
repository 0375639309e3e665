"""SSDLite on MobileNetV2: boxes and classes of objects in one pass. Lesson 11.

Liu et al. 2016, "SSD: single shot multibox detector"; Sandler et al. 2018, "MobileNetV2", section 6.2 (SSDLite: each
convolution of the heads is a depthwise and a 1x1 one). The bundled weights "coco" were trained on COCO 2017 by its
authors; the batch normalisation of the backbone is folded into its convolutions, that of the heads is kept.
"""

import functools
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from cnnlib import datasets
from cnnlib.models import common, mobilenet

SIZE = 300
GRIDS = (19, 10, 5, 3, 2, 1)  # cells on a side of the six maps, for an input of 300 pixels
FIRST = "block6_1_expand_relu6"  # the layer of the backbone that gives the first map; the head's 1280 are the second
EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))  # channels of the 1x1 and of the strided convolution
SCALES = (*(0.2 + 0.15 * i for i in range(6)), 1.0)  # side of an anchor of map i, relative to the image; 1 for the end
RATIOS = (1.0, 2.0, 0.5, 3.0, 0.3333)  # width / height, as in the configuration of the authors
VARIANCES = (0.1, 0.1, 0.2, 0.2)  # unit of an offset: of the centre, of the logarithm of the size


@common.bundled_weights(coco=("ssdlite_mobilenetv2_coco", {}))
def SSDLite(
    input_shape: tuple[int, int, int] = (SIZE, SIZE, 3),
    num_classes: int = 91,
    width: float = 1.0,
    norm: str | None = None,
    weights: str | None = None,
) -> keras.Model:
    """Images (n, h, w, 3) to {"boxes": (n, anchors, 4), "logits": (n, anchors, num_classes)}.

    "boxes" are offsets (x, y, width, height) from :func:`anchors`, which :func:`decode` turns into boxes; "logits" are
    one of each class, of which class 0 (background) is not used: a sigmoid, not a softmax, makes them scores.

    num_classes: with the background. norm: of the backbone and the extra maps: None (biases in its place), "batch" or
    "group". weights: None, or "coco" (300 px, values in [-1, 1], classes as in `datasets.COCO_CLASSES`).
    """
    inputs = common.image_input(input_shape, num_classes, 32, "SSDLite", fixed=True)
    settings = {"activation": "relu6", "epsilon": mobilenet.EPSILON}
    x = mobilenet.backbone(inputs, width, norm=norm)
    maps = [keras.Model(inputs, x).get_layer(FIRST).output]
    x = common.conv_norm_act(x, common.scaled(1280, max(1.0, width), 8), 1, name="head", norm=norm, **settings)
    maps.append(x)
    for i, (narrow, wide) in enumerate(EXTRA, start=1):
        x = common.conv_norm_act(x, narrow, 1, name=f"extra{i}_narrow", norm=norm, **settings)
        x = common.conv_norm_act(x, None, 3, 2, name=f"extra{i}_depthwise", norm=norm, **settings)
        x = common.conv_norm_act(x, wide, 1, name=f"extra{i}_wide", norm=norm, **settings)
        maps.append(x)
    outputs = {}
    for kind, values in (("boxes", 4), ("logits", num_classes)):
        parts = []
        for i, features in enumerate(maps):
            y = common.conv_norm_act(features, None, 3, name=f"{kind}{i}_depthwise", **settings)
            y = layers.Conv2D(len(shapes(i)) * values, 1, name=f"{kind}{i}_conv")(y)
            parts.append(layers.Reshape((-1, values), name=f"{kind}{i}_flat")(y))
        outputs[kind] = layers.Concatenate(axis=1, name=kind)(parts)
    return keras.Model(inputs, outputs, name="ssdlite")


# --- anchors ---------------------------------------------------------------------------------------------------------


def shapes(number: int) -> list[tuple[float, float]]:
    """(width, height) of the anchors of a cell of map ``number``, relative to the image."""
    scale, following = SCALES[number : number + 2]
    pairs = [(scale, ratio) for ratio in RATIOS] + [((scale * following) ** 0.5, 1.0)]
    if number == 0:  # of the finest map, which has the most cells, fewer and smaller ones
        pairs = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
    return [(scale * ratio**0.5, scale / ratio**0.5) for scale, ratio in pairs]


def anchors(grids: tuple[int, ...] = GRIDS) -> np.ndarray:
    """All anchors as (x, y, width, height) of centre and size, relative to the image: float32 (1917, 4) for 300 px.

    Map after map, row after row, cell after cell; in the order of "boxes" and "logits".
    """
    found = []
    for number, side in enumerate(grids):
        centres = (np.arange(side) + 0.5) / side
        y, x = np.meshgrid(centres, centres, indexing="ij")
        for_each = np.broadcast_to(np.array(shapes(number)), (side, side, len(shapes(number)), 2))
        middle = np.broadcast_to(np.stack([x, y], -1)[:, :, None], for_each.shape)
        found.append(np.concatenate([middle, for_each], -1).reshape(-1, 4))
    return np.concatenate(found).astype("float32")


def decode(offsets, size: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    """Offsets (..., 1917, 4) to boxes (x0, y0, x1, y1) in pixels of an image of ``size`` (height, width)."""
    offsets = np.asarray(keras.ops.convert_to_numpy(offsets), "float32")
    boxes = anchors()
    if offsets.ndim < 2 or offsets.shape[-2:] != boxes.shape:
        raise ValueError(f"decode: offsets of shape {offsets.shape}; expected (..., {len(boxes)}, 4), of 300 pixels.")
    offsets = offsets * np.float32(VARIANCES)
    centre = offsets[..., :2] * boxes[:, 2:] + boxes[:, :2]
    half = np.exp(offsets[..., 2:]) * boxes[:, 2:] / 2
    height, width = size
    return np.concatenate([centre - half, centre + half], -1) * np.float32([width, height, width, height])


# --- images in, objects out ------------------------------------------------------------------------------------------


class Detection(NamedTuple):
    """One object: its class, a score in [0, 1], and its box (x0, y0, x1, y1) in pixels of the image."""

    name: str
    score: float
    box: tuple[float, float, float, float]


def preprocess(image) -> np.ndarray:
    """One image (h, w, 3), uint8 or 0..255, as float32 (1, 300, 300, 3) in [-1, 1]. Its aspect ratio is not kept."""
    from PIL import Image

    picture = Image.fromarray(common.checked_photograph(image, "ssdlite.preprocess"))
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR), "float32")[None] / 127.5 - 1


@functools.cache
def _network() -> keras.Model:
    return SSDLite(weights="coco")


def detect(image, threshold: float = 0.5, overlap: float = 0.6, nms=None, network=None) -> list[Detection]:
    """The COCO objects in one image (h, w, 3), best first; an empty list if there is none.

    Args:
        image: uint8, or numbers in 0..255.
        threshold: the least score.
        overlap: of two boxes of one class whose IoU is above it, the better one stays.
        nms: ``nms(boxes, scores, overlap)`` gives the indices to keep; a plain greedy one if not given.
        network: a model like ``SSDLite(weights="coco")``; that one if not given.
    """
    batch = preprocess(image)
    height, width = np.shape(image)[:2]
    output = (network or _network()).predict_on_batch(batch)
    boxes = np.clip(decode(output["boxes"][0], (height, width)), 0, [width, height, width, height])
    scores = 1 / (1 + np.exp(-np.asarray(output["logits"][0], "float64")))
    found = []
    for label in range(1, scores.shape[1]):
        sure = np.flatnonzero(scores[:, label] >= threshold)
        kept = (nms or _greedy)(boxes[sure], scores[sure, label], overlap) if len(sure) else []
        for i in sure[np.asarray(kept, int)]:
            found.append(Detection(datasets.COCO_CLASSES[label], float(scores[i, label]), tuple(map(float, boxes[i]))))
    return sorted(found, key=lambda detection: -detection.score)


def _greedy(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> list[int]:
    """Indices of the boxes that no better box of those kept overlaps by more than ``overlap`` (IoU)."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        sides = np.minimum(boxes[i, 2:], boxes[kept, 2:]) - np.maximum(boxes[i, :2], boxes[kept, :2])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        if not np.any(shared > overlap * (area[i] + area[kept] - shared)):
            kept.append(int(i))
    return kept
