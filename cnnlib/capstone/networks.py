"""The networks of a project: a pretrained backbone, a head on it, both in one graph, and a small one of its own."""

from __future__ import annotations

import keras
from keras import layers

from cnnlib import transfer
from cnnlib.models import common, efficientnet_lite

__all__ = ["CUT", "backbone", "head_network", "small_network", "whole_model"]

CUT = "block6d_add"  # behind it: block 7a and the head, a third of the weights
DROPOUT = 0.2


def backbone(size: int) -> keras.Model:
    """EfficientNet-Lite0 with its ImageNet weights, frozen: images (n, size, size, 3) -> features (n, 1280)."""
    model = efficientnet_lite.EfficientNetLite0("imagenet", (size, size, 3), include_top=False, pooling="avg")
    transfer.freeze(model)
    return model


def whole_model(size: int, classes: int) -> keras.Model:
    """Backbone and head in one graph: images -> logits."""
    body = backbone(size)
    z = layers.Dropout(DROPOUT, name="dropout")(body.output)
    return keras.Model(body.input, layers.Dense(classes, name="scores")(z), name="transferred")


def small_network(size: int, classes: int) -> keras.Model:
    """Three convolutions in steps of two on pictures of 48 pixels, as `transfer.baseline`: images -> logits."""
    z = image = keras.Input((size, size, 3), name="image")
    if size > 48:
        z = layers.AveragePooling2D(size // 48 if size >= 96 else 2, padding="same", name="shrink")(z)
    for number, filters in enumerate((16, 32, 64), start=1):
        z = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"conv{number}")(z)
        z = common.normalisation("batch", f"norm{number}")(z)
        z = layers.ReLU(name=f"relu{number}")(z)
    z = layers.GlobalAveragePooling2D(name="pool")(z)
    return keras.Model(image, layers.Dense(classes, name="scores")(z), name="scratch")


def head_network(classes: int) -> keras.Model:
    """Features (n, 1280) -> logits."""
    features = keras.Input((1280,), name="features")
    z = layers.Dropout(DROPOUT, name="dropout")(features)
    return keras.Model(features, layers.Dense(classes, name="scores")(z), name="head")
