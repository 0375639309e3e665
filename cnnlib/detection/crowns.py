"""Small detectors with bundled weights: of rendered scenes, and of tree crowns from the air. Lesson 11.

The second is the first one for larger pictures and one class. ``tools/train_detector.py`` taught them, the second on
one part of one photograph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnlib import datasets, models
from cnnlib.detection.detector import Detector
from cnnlib.detection.evaluation import CocoResult, coco_evaluation
from cnnlib.detection.scenes import KINDS

__all__ = ["crown_detector", "judged", "scene_detector", "small_detector"]

SIZE = 128  # pixels of a tile; a crown is about 40 wide


def small_detector(size: int, num_classes: int) -> Detector:
    """A single-stage detector on the first half of a narrow ResNet-18, for pictures (size, size, 3) in [0, 1].

    Two levels of strides 4 and 8; at each place anchors of two sizes, each once wide and once high, from 16 to 70
    pixels.
    """
    backbone = models.ResNet(18, (size, size, 3), width=0.5)
    return Detector(backbone, num_classes, (4, 8), channels=48, size=5, scales=(1, 1.41), ratios=(0.6, 1.6))


def scene_detector(weights: str | None = "scenes") -> Detector:
    """A detector of the seven kinds of `scenes.small_scenes` for scenes of 48 pixels in [0, 1].

    Args:
        weights: "scenes" for the bundled ones, None for new ones.

    Raises:
        ValueError: there are no such weights.
    """
    if weights not in ("scenes", None):
        raise ValueError(f"weights={weights!r}: expected 'scenes' or None.")
    found = small_detector(48, len(KINDS))
    if weights:
        datasets.load_weights(found.model, "scenes_resnet18")
    return found


def crown_detector(weights: str | None = "crowns") -> Detector:
    """A detector of one class for tiles of 128 pixels in [0, 1].

    Args:
        weights: "crowns" for the bundled ones, None for new ones.

    Raises:
        ValueError: there are no such weights.
    """
    if weights not in ("crowns", None):
        raise ValueError(f"weights={weights!r}: expected 'crowns' or None.")
    found = small_detector(SIZE, 1)
    if weights:
        datasets.load_weights(found.model, "crowns_resnet18")
    return found


def judged(detector: Detector, images: np.ndarray, boxes: Sequence[np.ndarray]) -> CocoResult:
    """COCO's numbers of a detector of one class on tiles (n, height, width, 3) uint8, with boxes (k, 4) for each."""
    truth = [{"boxes": own, "labels": np.zeros(len(own), int)} for own in boxes]
    found = detector.predict(np.asarray(images, "float32") / 255, score_threshold=0.02, batch_size=8)
    return coco_evaluation(truth, [each._asdict() for each in found], 1)
