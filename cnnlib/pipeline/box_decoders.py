"""How the outputs of a detector become boxes: one function for each kind of network. Lesson 14.

A decoder takes what the network returns for a batch, as NumPy, and gives ``(boxes, logits)``: (n, anchors, 4) in pixels
of the *input*, and (n, anchors, classes).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

__all__ = ["DECODERS", "from_anchors"]


def from_anchors(anchors: np.ndarray) -> Callable:
    """The decoder of a `cnnlib.detection.Detector`, from its ``anchors``."""
    from cnnlib.detection import boxes as box_tools

    def decode(outputs):
        outputs = np.asarray(outputs, np.float32)
        return box_tools.decode(anchors, outputs[..., :4]), outputs[..., 4:]

    return decode


def _ssdlite(outputs):
    from cnnlib.models import ssdlite

    return ssdlite.decode(outputs["boxes"]), np.asarray(outputs["logits"])


@functools.cache
def _of_crowns() -> Callable:
    from cnnlib.detection.crowns import SIZE, small_detector
    from cnnlib.models import common

    with common.without_drawing():
        return from_anchors(small_detector(SIZE, 1).anchors)


def _crowns(outputs):
    return _of_crowns()(outputs)


DECODERS: dict[str, Callable] = {"ssdlite": _ssdlite, "crowns": _crowns}
