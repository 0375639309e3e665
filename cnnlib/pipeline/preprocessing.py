"""From a decoded picture to a network's input: colour order, resize, range. Lesson 14.

One object says it all, `Preprocessing`, and training and serving call the same method of it. Its ``version`` is a hash
of its settings: whoever changes one has another version, without remembering to say so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnlib.pipeline.decoding import WHITE, Decoded, decode
from cnnlib.pipeline.geometry import POLICIES, Placement, place

__all__ = ["KERNELS", "Preprocessing"]

KERNELS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
CHANNELS = ("rgb", "bgr", "grey")


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture before a network sees it.

    Args:
        size: (height, width) of the input in pixels.
        policy: "stretch", "letterbox" or "shortest_side" (see `geometry.place`).
        shortest_side: pixels, with that policy: 256 for an input of 224 is the common convention.
        kernel: of the resize, as Pillow names it: "nearest", "box", "bilinear", "hamming", "bicubic" or "lanczos". All
            but "nearest" are widened when an image becomes smaller, so that every pixel counts.
        anchor: of a letterbox, "centre" or "corner".
        fill: of a letterbox, 0..255.
        channels: "rgb", "bgr" or "grey" (one channel).
        mean, spread: in units of 0..255, one number or one for each channel: the input is ``(x - mean) / spread``.
        background: RGB under transparent pixels.

    Raises:
        ValueError: a setting has no meaning.
    """

    size: tuple[int, int]
    policy: str = "stretch"
    shortest_side: int | None = None
    kernel: str = "bilinear"
    anchor: str = "centre"
    fill: float = 127.5
    channels: str = "rgb"
    mean: tuple[float, ...] = (0.0,)
    spread: tuple[float, ...] = (255.0,)
    background: tuple[int, int, int] = WHITE

    def __post_init__(self):
        settle = object.__setattr__  # of a frozen class: lists from JSON and bare numbers become tuples
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        settle(self, "size", tuple(int(side) for side in size))
        for name in ("mean", "spread"):
            value = getattr(self, name)
            settle(self, name, tuple(map(float, value if isinstance(value, (tuple, list)) else (value,))))
        settle(self, "background", tuple(int(value) for value in self.background))
        self._check()

    def _check(self) -> None:
        for name, allowed in (
            ("policy", POLICIES),
            ("kernel", KERNELS),
            ("channels", CHANNELS),
            ("anchor", ("centre", "corner")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose one of {', '.join(map(repr, allowed))}.")
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"size={self.size}: expected (height, width) of the input, in pixels.")
        if (self.policy == "shortest_side") != (self.shortest_side is not None):
            raise ValueError(
                f"policy={self.policy!r} with shortest_side={self.shortest_side}: the policy 'shortest_side' needs a "
                "number of pixels, as 256 for an input of 224; the others take none."
            )
        if self.shortest_side is not None and self.shortest_side < max(self.size):
            raise ValueError(
                f"shortest_side={self.shortest_side} is less than the input, {self.size}: the crop would reach beyond "
                "the image."
            )
        for name in ("mean", "spread"):
            if len(getattr(self, name)) not in (1, self.depth):
                raise ValueError(f"{name}={getattr(self, name)}: expected one number, or one for each of {self.depth}.")
        if not all(value > 0 for value in self.spread):
            raise ValueError(f"spread={self.spread}: it divides; expected more than 0, in units of 0..255.")
        if not 0 <= self.fill <= 255 or not all(0 <= value <= 255 for value in self.background):
            raise ValueError(f"fill={self.fill}, background={self.background}: expected 0..255.")

    @property
    def depth(self) -> int:
        """Channels of the input: 3, or 1 for grey."""
        return 1 if self.channels == "grey" else 3

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return (*self.size, self.depth)

    @property
    def version(self) -> str:
        """The first twelve digits of the sha256 of the settings: two preprocessings of one version are the same."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def prepare(self, image: Decoded, out: np.ndarray | None = None) -> tuple[np.ndarray, Placement]:
        """One decoded picture as input (height, width, channels), float32, and where it lies in there.

        Args:
            image: what `decode` gives.
            out: a float32 array of that shape to write into, as a row of a batch.
        """
        where = place(image.size, self.size, self.policy, self.anchor, self.shortest_side)
        out = np.empty(self.input_shape, np.float32) if out is None else out
        picture = image.image.convert("L") if self.channels == "grey" else image.image
        pixels, (top, left) = self._resized(picture, where)
        target = out
        if pixels.shape[:2] != self.size:
            out[:] = self.fill
            target = out[top : top + pixels.shape[0], left : left + pixels.shape[1]]
        target[:] = pixels[..., ::-1] if self.channels == "bgr" else pixels
        if any(self.mean):
            out -= np.array(self.mean, np.float32)
        if self.spread != (1.0,):
            out /= np.array(self.spread, np.float32)
        return out, where

    def _resized(self, picture, where: Placement) -> tuple[np.ndarray, tuple[int, int]]:
        """The resized part of the picture that the input shows, uint8 (h, w, c), and its (top, left) in there."""
        from PIL import Image

        tall, wide = self.size
        left, top, right, bottom = map(round, where.region)
        left, top, right, bottom = max(0, left), max(0, top), min(wide, right), min(tall, bottom)
        new = right - left, bottom - top
        (across, down), (x, y) = where.scale, where.shift
        # Only what is shown is computed: the shorter side of 20000x1 pixels, made 256, would take 1.3 billion.
        box = ((left - x) / across, (top - y) / down, (right - x) / across, (bottom - y) / down)
        width, height = picture.size
        box = max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3])
        box = tuple(float(round(v)) if abs(v - round(v)) < 1e-6 else v for v in box)
        if picture.size != new or box != (0.0, 0.0, float(width), float(height)):
            picture = picture.resize(new, Image.Resampling[self.kernel.upper()], box=box)
        pixels = np.asarray(picture)
        return pixels.reshape(*pixels.shape[:2], self.depth), (top, left)

    def __call__(self, images) -> np.ndarray:
        """Images of any sizes as one batch (n, height, width, channels), float32: in training as in serving.

        Args:
            images: one image, or a sequence of images of whatever `decode` takes; an array (n, height, width, channels)
                is a sequence.
        """
        single = isinstance(images, np.ndarray) and (
            images.ndim == 2 or (images.ndim == 3 and images.shape[-1] in (1, 3, 4))
        )
        one = single or not isinstance(images, (Sequence, np.ndarray)) or isinstance(images, (str, bytes, bytearray))
        images = [images] if one else images
        batch = np.empty((len(images), *self.input_shape), np.float32)
        for image, out in zip(images, batch):
            self.prepare(decode(image, background=self.background), out)
        return batch

    def batch(self, images: Sequence[Decoded]) -> tuple[np.ndarray, list[Placement]]:
        """Decoded pictures as one batch, and the placement of each."""
        batch = np.empty((len(images), *self.input_shape), np.float32)
        return batch, [self.prepare(image, out)[1] for image, out in zip(images, batch)]

    def as_dict(self) -> dict:
        """The settings, for JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, settings: dict) -> Preprocessing:
        """The inverse of `as_dict`.

        Raises:
            ValueError: a setting is unknown or missing: written by another version of this module?
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if set(settings) != known:
            odd = sorted(set(settings) ^ known)
            raise ValueError(
                f"preprocessing: {', '.join(odd)} {'is' if len(odd) == 1 else 'are'} unknown here or missing there. "
                "Was the specification written by another version of cnnlib?"
            )
        return cls(**settings)
