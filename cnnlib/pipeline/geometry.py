"""Where the pixels of an image lie in a network's input, and the way back. Lesson 14.

Coordinates are those of the plane: pixel 0 covers [0, 1), in the image and in the input. So a resize is one factor for
each axis and a shift, without halves, and boxes come back exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cnnlib.detection import boxes as box_tools

__all__ = ["POLICIES", "Placement", "place"]

POLICIES = ("stretch", "letterbox", "shortest_side")


class Placement(NamedTuple):
    """A point (x, y) of the image lies at ``(x, y) * scale + shift`` in the input.

    Attributes:
        size: (height, width) of the image, in pixels.
        input_size: (height, width) of the input.
        scale: (x, y), pixels of the input to a pixel of the image.
        shift: (x, y), pixels of the input; negative where the image was cropped.
    """

    size: tuple[int, int]
    input_size: tuple[int, int]
    scale: tuple[float, float]
    shift: tuple[float, float]

    def to_input(self, boxes) -> np.ndarray:
        """Boxes (n, 4), x1, y1, x2, y2 in pixels of the image, as pixels of the input: float32."""
        boxes = box_tools.as_boxes(boxes)
        return (boxes * np.tile(self.scale, 2) + np.tile(self.shift, 2)).astype(np.float32)

    def to_image(self, boxes) -> np.ndarray:
        """Boxes (n, 4) in pixels of the input as pixels of the image, cut at its border: float32."""
        boxes = box_tools.as_boxes(boxes)
        found = (boxes - np.tile(self.shift, 2)) / np.tile(self.scale, 2)
        return box_tools.clip(found.astype(np.float32), self.size)

    @property
    def region(self) -> tuple[float, float, float, float]:
        """The part of the input that shows the image, x1, y1, x2, y2; it reaches beyond the input where cropped."""
        (height, width), (across, down), (left, top) = self.size, self.scale, self.shift
        return left, top, left + width * across, top + height * down


def place(
    size: tuple[int, int],
    input_size: tuple[int, int],
    policy: str,
    anchor: str = "centre",
    shortest_side: int | None = None,
) -> Placement:
    """Where an image of ``size`` comes to lie in an input of ``input_size``, both (height, width).

    Args:
        policy: "stretch" (each axis by itself; shapes are distorted), "letterbox" (as large as fits, the rest is
            filled), or "shortest_side" (the shorter side becomes ``shortest_side`` pixels, then the middle of
            ``input_size`` is cut out: 256 and 224 with most ImageNet networks).
        anchor: of a letterbox: "centre", or "corner" for the upper left.
        shortest_side: of that policy; at least as long as the input.

    Whole pixels are resized to whole pixels, so the two factors of a letterbox may differ in the third digit. In
    "shortest_side" the longer side is rounded down and the crop to the nearest pixel, as torchvision does.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy={policy!r}: choose one of {', '.join(map(repr, POLICIES))}.")
    (height, width), (tall, wide) = size, input_size
    if policy == "stretch":
        return Placement(tuple(size), tuple(input_size), (wide / width, tall / height), (0.0, 0.0))
    if policy == "letterbox":
        factor = min(tall / height, wide / width)
        new = max(1, round(height * factor)), max(1, round(width * factor))
        free = (wide - new[1], tall - new[0])
        shift = (free[0] // 2, free[1] // 2) if anchor == "centre" else (0, 0)
        return Placement(tuple(size), tuple(input_size), (new[1] / width, new[0] / height), tuple(map(float, shift)))
    shorter = min(height, width)
    new = shortest_side * height // shorter, shortest_side * width // shorter
    shift = tuple(-float(round((there - wanted) / 2)) for there, wanted in ((new[1], wide), (new[0], tall)))
    return Placement(tuple(size), tuple(input_size), (new[1] / width, new[0] / height), shift)
