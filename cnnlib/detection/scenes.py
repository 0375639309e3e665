"""Rendered scenes: items of Fashion-MNIST on photographs, with exact boxes, masks and keypoints. Lessons 11 and 13.

Real pictures with boxes are scarce and their boxes are somebody's opinion. Here everything is known: which pixels an
item owns, how much of it is hidden, where its outermost points are. Size and occlusion are under control, and there is
no end to them. They teach the machinery; what they say about real photographs must be shown on real photographs.

An item is drawn in one colour of its own, shaded by its grey values, hard-edged, and nothing lies outside the scene.
Later items cover earlier ones. What is drawn for "test" comes from test pictures of Fashion-MNIST on photographs that
"train" does not use.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from cnnlib import datasets, runtime

__all__ = ["KEYPOINTS", "Scenes", "render", "small_scenes"]

KINDS = ("top", "trousers", "dress", "sandal", "sneaker", "bag", "boot")
KIND = np.array([0, 1, 0, 2, 0, 3, 0, 4, 5, 6])  # of each class of Fashion-MNIST
KEYPOINTS = ("top", "right", "bottom", "left")
BACKGROUNDS = {
    "train": ("coffee", "camera", "clock", "rocket", "coins", "brick"),
    "test": ("cat", "astronaut", "retina"),
}
SILHOUETTE = 32  # grey values from here on belong to the item
WITH_HOLES = (5, 8)  # sandal, bag
TRIES = 12  # places that are tried for an item before it is left out


@dataclass(frozen=True)
class Scenes:
    """Scenes and all that is known about them; objects of a scene in the order in which they were drawn.

    Attributes:
        images: (n, size, size, 3) uint8.
        boxes: for each scene (k, 4) float32, around the *visible* pixels: (x1, y1, x2, y2), x2 and y2 just behind them.
        labels: for each scene (k,) int64, classes of Fashion-MNIST.
        masks: for each scene (k, size, size) bool, the visible pixels; no pixel belongs to two objects.
        keypoints: for each scene (k, 4, 3) float32: x, y and visibility (2 visible, 1 hidden by another item) of the
            four outermost points of the *whole* item, in the order of `KEYPOINTS`; x and y are centres of pixels.
        hidden: for each scene (k,) float32, the share of the item's pixels that others cover.
        class_names: of the labels.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    labels: list[np.ndarray]
    masks: list[np.ndarray]
    keypoints: list[np.ndarray]
    hidden: list[np.ndarray]
    class_names: tuple[str, ...] = datasets.FASHION_MNIST_CLASSES

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Scenes(images {self.images.shape} {self.images.dtype}, {sum(map(len, self.labels))} objects)"

    @property
    def truth(self) -> list[dict]:
        """Boxes, labels and masks of each scene, as `coco_evaluation` takes them."""
        return [
            {"boxes": boxes, "labels": labels, "masks": masks}
            for boxes, labels, masks in zip(self.boxes, self.labels, self.masks)
        ]


def render(
    count: int,
    size: int = 96,
    objects: tuple[int, int] = (1, 4),
    scale: tuple[float, float] = (0.2, 0.5),
    occlusion: tuple[float, float] = (0.0, 0.3),
    split: str = "train",
    seed: int | None = None,
) -> Scenes:
    """Draw ``count`` scenes.

    Scene ``i`` depends on the seed and ``i`` alone: fewer scenes are the beginning of more.

    Args:
        count: how many scenes; 0 gives none.
        size: side of a scene in pixels.
        objects: fewest and most items to place. One that finds no place is left out; the first always finds one.
        scale: the longer side of an item as a share of the scene's side, at least and at most; sizes are drawn evenly
            on a logarithmic scale.
        occlusion: no item is hidden by more than the second share. If the first is above 0, every item after the first
            is put where it hides at least that much of an earlier one.
        split: "train" or "test": which items and which photographs.
        seed: None for that of `runtime.setup`.

    Raises:
        ValueError: an argument has no meaning.
    """
    _check(count, size, objects, scale, occlusion, split)
    seed = runtime.seed() if seed is None else seed
    images = np.empty((count, size, size, 3), np.uint8)
    parts = []
    for i in range(count):
        rng = np.random.default_rng([seed, list(BACKGROUNDS).index(split), i])
        images[i] = _background(rng, size, split)
        parts.append(_objects(rng, images[i], objects, scale, occlusion, split))
    return Scenes(images, *(list(column) for column in zip(*parts)) if parts else ([], [], [], [], []))


def small_scenes(count: int, split: str = "train", seed: int | None = None) -> Scenes:
    """Scenes of 48 pixels with one or two large items of seven kinds, on which lesson 11 trains a detector.

    T-shirts, pullovers, coats and shirts cannot always be told apart at this size: they are one kind, "top".

    Args:
        count, split, seed: as in `render`.

    Raises:
        ValueError: an argument has no meaning.
    """
    scenes = render(count, 48, objects=(1, 2), scale=(0.5, 0.8), occlusion=(0, 0.1), split=split, seed=seed)
    return replace(scenes, labels=[KIND[labels] for labels in scenes.labels], class_names=KINDS)


def _check(count, size, objects, scale, occlusion, split) -> None:
    if split not in BACKGROUNDS:
        raise ValueError(f"split={split!r}: choose 'train' or 'test'.")
    if count < 0 or size < 16:
        raise ValueError(f"count={count}, size={size}: expected 0 or more scenes of at least 16 pixels.")
    if not 1 <= objects[0] <= objects[1]:
        raise ValueError(f"objects={objects}: expected (fewest, most), at least one item in a scene.")
    if not 0 < scale[0] <= scale[1] <= 1 or scale[0] * size < 4:
        raise ValueError(
            f"scale={scale}: expected (least, most) shares of the side ({size} pixels) in (0, 1], of 4 pixels or more."
        )
    if not 0 <= occlusion[0] <= occlusion[1] < 1:
        raise ValueError(f"occlusion={occlusion}: expected (least, most) shares in [0, 1).")


# --- material --------------------------------------------------------------------------------------------------------


@functools.cache
def _items(split: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures of items (h, w) uint8, cut to their silhouettes, and their labels.

    A dark shirt is black inside its outline: such holes are filled. Sandals and bags have real ones.
    """
    from scipy import ndimage

    data = datasets.fashion_mnist(dtype="uint8")
    images, labels = (data.x_train, data.y_train) if split == "train" else (data.x_test, data.y_test)
    cut = []
    for image, label in zip(images[..., 0], labels.tolist()):
        inside = image >= SILHOUETTE
        if label not in WITH_HOLES:
            inside = ndimage.binary_fill_holes(inside)
            image = np.maximum(image, SILHOUETTE)
        (top, bottom), (left, right) = (np.flatnonzero(inside.any(axis))[[0, -1]] for axis in (1, 0))
        cut.append(np.where(inside, image, 0)[top : bottom + 1, left : right + 1])
    return cut, labels


@functools.cache
def _photographs(split: str) -> list[np.ndarray]:
    return [datasets.photograph(name) for name in BACKGROUNDS[split]]


def _background(rng: np.random.Generator, size: int, split: str) -> np.ndarray:
    """A random part of a random photograph, darkened at random so that items and background share no brightness."""
    from PIL import Image

    photographs = _photographs(split)
    photograph = photographs[rng.integers(len(photographs))]
    side = min(photograph.shape[:2])
    side = int(rng.integers(min(size, side), side + 1))
    y, x = (int(rng.integers(n - side + 1)) for n in photograph.shape[:2])
    crop = Image.fromarray(photograph[y : y + side, x : x + side])
    crop = np.asarray(crop.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=1.0))
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return (crop * np.float32(rng.uniform(0.4, 1.0))).astype(np.uint8)


def _item(rng: np.random.Generator, side: int, split: str) -> tuple[np.ndarray, np.ndarray, int]:
    """A random item whose longer side is ``side``: colours (h, w, 3) uint8, silhouette (h, w) bool, label."""
    from PIL import Image

    items, labels = _items(split)
    number = int(rng.integers(len(items)))
    item = items[number]
    factor = side / max(item.shape)
    height, width = (max(2, round(n * factor)) for n in item.shape)
    grey = np.asarray(Image.fromarray(item).resize((width, height), Image.Resampling.BILINEAR))
    if rng.random() < 0.5:
        grey = grey[:, ::-1]
    shape = grey >= SILHOUETTE
    tint = rng.uniform(0.25, 1.0, 3).astype(np.float32)
    tint /= tint.max()
    colours = (grey[..., None] * (0.75 * tint) + 64 * tint).astype(np.uint8)
    # A thin item made small may lose its outer rows: the silhouette is cut again.
    (top, bottom), (left, right) = (np.flatnonzero(shape.any(axis))[[0, -1]] for axis in (1, 0))
    part = np.s_[top : bottom + 1, left : right + 1]
    return colours[part], shape[part], int(labels[number])


# --- placing ---------------------------------------------------------------------------------------------------------


def _objects(rng, image: np.ndarray, objects, scale, occlusion, split: str) -> tuple[np.ndarray, ...]:
    """Draw items into ``image`` (in place): boxes, labels, masks, keypoints and hidden shares of one scene."""
    size = len(image)
    owner = np.full((size, size), -1, np.int16)
    labels, points, whole, visible = [], [], [], []
    for _ in range(int(rng.integers(objects[0], objects[1] + 1))):
        side = round(size * np.exp(rng.uniform(*np.log(scale))))
        colours, shape, label = _item(rng, side, split)
        found = _place(rng, shape, owner, whole, visible, occlusion, points)
        if found is None:
            continue
        (y, x), covered = found
        part = np.s_[y : y + shape.shape[0], x : x + shape.shape[1]]
        image[part][shape] = colours[shape]
        owner[part][shape] = len(labels)
        visible = [count - lost for count, lost in zip(visible, covered)]
        labels.append(label)
        points.append(_outermost(shape) + (x, y))
        whole.append(int(shape.sum()))
        visible.append(whole[-1])
    masks = owner == np.arange(len(labels))[:, None, None]
    keypoints = np.ones((len(labels), len(KEYPOINTS), 3), np.float32)
    for k, point in enumerate(points):
        keypoints[k, :, :2] = point + 0.5
        keypoints[k, :, 2] += masks[k, point[:, 1], point[:, 0]]
    hidden = 1 - np.array(visible, np.float32) / np.array(whole, np.float32)
    return _around(masks), np.array(labels, np.int64), masks, keypoints, hidden


def _place(rng, shape, owner, whole, visible, occlusion, points):
    """A place (y, x) for the item that respects the limits, and how many pixels it covers of each item; or None."""
    height, width = shape.shape
    size = len(owner)
    for _ in range(TRIES):
        if occlusion[0] > 0 and points:  # near an earlier item
            middle = points[int(rng.integers(len(points)))].mean(0) + rng.uniform(-0.75, 0.75, 2) * (width, height)
            x, y = (int(np.clip(c - n / 2, 0, size - n)) for c, n in zip(middle, (width, height)))
        else:
            y, x = int(rng.integers(size - height + 1)), int(rng.integers(size - width + 1))
        under = owner[y : y + height, x : x + width][shape]
        covered = np.bincount(under[under >= 0], minlength=len(whole)).tolist()
        shares = [1 - (left - lost) / all_ for left, lost, all_ in zip(visible, covered, whole)]
        enough = not whole or any(lost / all_ >= occlusion[0] for lost, all_ in zip(covered, whole))
        if enough and all(share <= occlusion[1] for share in shares):
            return (y, x), covered
    return None


def _outermost(shape: np.ndarray) -> np.ndarray:
    """The pixels (x, y) that are furthest up, right, down and left; among equals the middle one. (4, 2) int64."""
    rows, columns = np.flatnonzero(shape[0]), np.flatnonzero(shape[-1])
    left, right = np.flatnonzero(shape[:, 0]), np.flatnonzero(shape[:, -1])
    height, width = shape.shape
    top, bottom, left, right = (edge[len(edge) // 2] for edge in (rows, columns, left, right))
    return np.array([(top, 0), (width - 1, right), (bottom, height - 1), (0, left)])


def _around(masks: np.ndarray) -> np.ndarray:
    """The box around each mask, (k, 4) float32."""
    across, down = masks.any(1), masks.any(2)
    size = masks.shape[-1]
    sides = [across.argmax(1), down.argmax(1), size - across[:, ::-1].argmax(1), size - down[:, ::-1].argmax(1)]
    return np.stack(sides, 1).astype(np.float32)
