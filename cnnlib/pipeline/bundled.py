"""Pipelines of the networks that come with the course. Lesson 14.

Their specifications lie in ``data/pipelines``, written by ``tools/write_specifications.py``; the label maps are those
of `cnnlib.datasets`. Weights, label map and specification are held against each other whenever one is built.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from cnnlib import datasets
from cnnlib.pipeline.pipeline import Pipeline
from cnnlib.pipeline.specification import Specification

__all__ = ["DEFAULTS", "READY", "bundled_specification", "ready"]


class Ready(NamedTuple):
    """How a bundled network is built, and what its outputs are called."""

    build: Callable
    labels: Callable


def _model(family: str, **arguments) -> Callable:
    def build():
        from cnnlib import models

        return getattr(models, family)(**arguments)

    return build


def _crowns():
    from cnnlib.detection.crowns import crown_detector

    return crown_detector().model


CIFAR = {"input_shape": (32, 32, 3), "weights": "cifar10"}
READY = {
    "efficientnet_lite0_imagenet": Ready(
        _model("EfficientNetLite0", weights="imagenet"), lambda: datasets.imagenet_classes()
    ),
    "ssdlite_mobilenetv2_coco": Ready(_model("SSDLite", weights="coco"), lambda: datasets.COCO_CLASSES),
    "deeplabv3_mobilenetv2_voc": Ready(_model("DeepLabV3", weights="voc"), lambda: datasets.VOC_CLASSES),
    "resnet20_cifar10": Ready(_model("CifarResNet", depth=20, **CIFAR), lambda: datasets.CIFAR10_CLASSES),
    "small_vgg_cifar10": Ready(_model("SmallVGG", **CIFAR), lambda: datasets.CIFAR10_CLASSES),
    "mobilenetv2_cifar10": Ready(
        _model("MobileNetV2", num_classes=10, width=0.5, small_images=True, **CIFAR), lambda: datasets.CIFAR10_CLASSES
    ),
    "lenet5_fashion_mnist": Ready(
        _model("LeNet5", variant="modern", input_shape=(28, 28, 1), weights="fashion_mnist"),
        lambda: datasets.FASHION_MNIST_CLASSES,
    ),
    "crowns_resnet18": Ready(_crowns, lambda: ("tree crown",)),
}
# What a task means without further words: photographs of everyday things.
DEFAULTS = {
    "classify": "efficientnet_lite0_imagenet",
    "detect": "ssdlite_mobilenetv2_coco",
    "segment": "deeplabv3_mobilenetv2_voc",
}


def bundled_specification(name: str) -> Specification:
    """The specification of a bundled network, one of `READY`, or of a task: "classify", "detect", "segment".

    Raises:
        ValueError: there is none of that name.
        SpecificationError: the label map of this version of the course is another than the network was trained with.
    """
    name = DEFAULTS.get(name, name)
    if name not in READY:
        raise ValueError(f"there is no pipeline {name!r}; there are: {', '.join([*DEFAULTS, *READY])}.")
    return Specification.from_dict(json.loads(datasets.read(f"pipelines/{name}.json")), READY[name].labels())


def ready(name: str, specification: Specification | None = None, **options) -> Pipeline:
    """The pipeline of a bundled network.

    Args:
        name: one of `READY`, or a task: "classify", "detect" or "segment".
        specification: one of your own for it, as one with another threshold; the bundled one if not given.
        options: of `Pipeline`.
    """
    own = specification or bundled_specification(name)
    return Pipeline(READY[DEFAULTS.get(name, name)].build(), own, **options)
