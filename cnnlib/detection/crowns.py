"""A detector of tree crowns from the air, small and with bundled weights. Lesson 11.

It stands on the first blocks of MobileNetV2, which bring what they learnt on ImageNet, down to a stride of 16.
``tools/train_detector.py`` trained it, on one part of one photograph.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from cnnlib import datasets
from cnnlib.detection.detector import Detector
from cnnlib.detection.evaluation import CocoResult, coco_evaluation
from cnnlib.models import mobilenet

__all__ = ["crown_detector", "judged"]

SIZE = 128  # pixels of a tile; a crown is about 40 wide
LAST = "block_8_add"  # of MobileNetV2: what comes behind it is left out


def crown_detector(weights: str | None = "crowns") -> Detector:
    """A detector of one class for tiles of 128 pixels, as `mobilenet.torch_preprocess` gives them.

    Args:
        weights: "crowns" for the bundled ones, or None: those of ImageNet in the backbone, a pyramid and head that have
            learnt nothing.

    Raises:
        ValueError: there are no such weights.
    """
    if weights not in ("crowns", None):
        raise ValueError(f"weights={weights!r}: expected 'crowns' or None.")
    network = mobilenet.imagenet_backbone((SIZE, SIZE, 3), pooling=None)
    backbone = keras.Model(network.input, network.get_layer(LAST).output, name="mobilenetv2")
    found = Detector(backbone, 1, (8, 16), channels=48, size=3.0, scales=(0.8, 1.15), ratios=(1.0,))
    if weights:
        datasets.load_weights(found.model, "crowns_mobilenetv2")
    return found


def judged(detector: Detector, images: np.ndarray, boxes: Sequence[np.ndarray], preprocess=None) -> CocoResult:
    """COCO's numbers of a detector of one class on tiles (n, height, width, 3) uint8 with boxes (k, 4) for each."""
    preprocess = preprocess or mobilenet.torch_preprocess
    truth = [{"boxes": own, "labels": np.zeros(len(own), int)} for own in boxes]
    found = detector.predict(preprocess(images), score_threshold=0.02)
    return coco_evaluation(truth, [each._asdict() for each in found], 1)
