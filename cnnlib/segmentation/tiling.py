"""An image larger than the network's input: predicted in tiles that overlap, and put together without seams.

Ronneberger, Fischer, Brox 2015 ("overlap-tile strategy"). A network sees zeros beyond the edge of a tile, where the
whole image has pixels, so its answers near that edge differ. `predict_tiled` forgets a margin of each tile, and fades
from one tile to the next over the rest of the overlap. Lesson 12.
"""

from collections.abc import Callable

import numpy as np

from cnnlib import runtime

__all__ = ["blend_window", "pad_to_multiple", "predict_tiled", "random_crops", "tile_starts"]


def tile_starts(size: int, tile: int, overlap: int, multiple: int = 1) -> list[int]:
    """Where tiles begin along a side of ``size`` pixels: neighbours share ``overlap`` pixels or more.

    multiple: starts are multiples of it, as the strides of a network ask for: a feature map is shifted only by whole
    pixels then. The last tile may end behind the image, by less than ``multiple``.

    Raises:
        ValueError: a number has no meaning, or ``overlap`` leaves no step from one tile to the next.
    """
    if min(size, tile, multiple) < 1 or not 0 <= overlap < tile:
        raise ValueError(
            f"tile_starts: size={size}, tile={tile}, overlap={overlap}, multiple={multiple}; expected 1 or more, and "
            "an overlap from 0 to less than a tile."
        )
    step = (tile - overlap) // multiple * multiple
    if step < 1:
        raise ValueError(
            f"tile_starts: tile={tile} less overlap={overlap} is below multiple={multiple}: no step is left."
        )
    last = -(-max(size - tile, 0) // multiple) * multiple
    return [*range(0, last, step), last]


def blend_window(tile: int, overlap: int, margin: int = 0) -> np.ndarray:
    """The weight of each pixel of a tile along one side, float32 (tile,): 0 in the margin, a ramp, 1 in the middle.

    Where two tiles share exactly ``overlap`` pixels their weights sum to 1.

    Raises:
        ValueError: the margins take all of the overlap, or the overlap more than half of the tile.
    """
    if not (0 <= overlap <= tile and margin >= 0) or (margin and 2 * margin >= overlap):
        raise ValueError(
            f"blend_window: tile={tile}, overlap={overlap}, margin={margin}; expected an overlap of at most the tile, "
            "and more than twice the margin: of what two tiles share, each forgets its own margin."
        )
    inner = overlap - 2 * margin
    at = np.arange(tile) - margin + 0.5
    from_left = np.minimum(at, at[::-1]) / max(inner, 1)
    return np.clip(from_left, 0, 1).astype("float32")


def pad_to_multiple(images, multiple: int, mode: str = "reflect") -> tuple[np.ndarray, tuple[slice, slice]]:
    """Images (n, h, w, c) or (h, w, c) with rows and columns added below and on the right, up to multiples.

    Returns:
        The padded images, and the slices (rows, columns) that cut the original part out again.

    Raises:
        ValueError: the images have another shape or no pixels, or ``multiple`` is below 1.
    """
    images = _checked(images, "pad_to_multiple", (3, 4))
    if multiple < 1:
        raise ValueError(f"pad_to_multiple: multiple={multiple}; expected 1 or more.")
    height, width = images.shape[-3:-1]
    more = [(0, 0)] * (images.ndim - 3) + [(0, -height % multiple), (0, -width % multiple), (0, 0)]
    return _pad(images, more, mode), (slice(0, height), slice(0, width))


def predict_tiled(
    predict: Callable[[np.ndarray], np.ndarray],
    image,
    tile: int,
    overlap: int,
    margin: int | None = None,
    multiple: int = 1,
    batch_size: int = 8,
) -> np.ndarray:
    """What ``predict`` gives for the whole of one image, computed in tiles.

    With a ``margin`` at least as large as the radius of the network's receptive field, and ``multiple`` that of its
    strides, the result is that of the whole image at once, wherever that itself is not touched by padding.

    Args:
        predict: a batch (n, tile, tile, c) to (n, tile, tile, k), as ``model.predict_on_batch``.
        image: (h, w, c). Beyond its edges, where tiles need pixels, it is mirrored.
        tile: side of a tile, in pixels.
        overlap: how many pixels two neighbours share, at least.
        margin: how many pixels at each edge of a tile are forgotten (not at the edges of the image, where nothing else
            is known); a quarter of the overlap if not given.
        multiple: tiles start at multiples of it: the product of the network's strides.
        batch_size: tiles in one call; the last batch is filled up, so that a network is compiled once.

    Returns:
        float32 (h, w, k): averages of the tiles' answers, weighted by `blend_window`.

    Raises:
        ValueError: the image has another shape, no pixels, or NaN; the numbers have no meaning; or ``predict`` returns
            another size than it was given.
    """
    image = _checked(image, "predict_tiled", (3,))
    margin = overlap // 4 if margin is None else margin
    if batch_size < 1:
        raise ValueError(f"predict_tiled: batch_size={batch_size}; expected 1 or more.")
    height, width = image.shape[:2]
    starts = [tile_starts(side, tile, overlap, multiple) for side in (height, width)]
    window = blend_window(tile, overlap, margin)
    more = [(0, max(s[-1] + tile - side, 0)) for s, side in zip(starts, (height, width))]
    padded = _pad(image, [*more, (0, 0)], "reflect")
    places = [(y, x) for y in starts[0] for x in starts[1]]
    total = weights = None
    for first in range(0, len(places), batch_size):
        some = places[first : first + batch_size]
        tiles = np.stack([padded[y : y + tile, x : x + tile] for y, x in some])
        filled = np.concatenate([tiles, np.repeat(tiles[:1], min(batch_size, len(places)) - len(some), axis=0)])
        answers = np.asarray(predict(filled), "float32")[: len(some)]
        if answers.ndim != 4 or answers.shape[:3] != tiles.shape[:3]:
            raise ValueError(
                f"predict_tiled: predict was given {filled.shape} and returned {np.shape(answers)}; expected one "
                "answer for each pixel, (n, tile, tile, k). Enlarge logits of a coarser grid in predict."
            )
        if total is None:
            total = np.zeros((*padded.shape[:2], answers.shape[-1]), "float32")
            weights = np.zeros((*padded.shape[:2], 1), "float32")
        for (y, x), answer in zip(some, answers):
            rows = _at_edges(window, y == 0, y == starts[0][-1])
            columns = _at_edges(window, x == 0, x == starts[1][-1])
            share = (rows[:, None] * columns)[..., None]
            total[y : y + tile, x : x + tile] += answer * share
            weights[y : y + tile, x : x + tile] += share
    return (total / weights)[:height, :width]


def _at_edges(window: np.ndarray, first: bool, last: bool) -> np.ndarray:
    """The window of a tile at the edge of the image: 1 towards that edge, as no other tile knows more."""
    window, half = window.copy(), len(window) // 2
    if first:
        window[:half] = 1
    if last:
        window[half:] = 1
    return window


def _pad(images: np.ndarray, more: list[tuple[int, int]], mode: str) -> np.ndarray:
    """Mirror the images into the padding; of one that is smaller than that, again and again."""
    return np.pad(images, more, mode=mode) if any(any(pair) for pair in more) else images


def _checked(images, caller: str, dimensions: tuple[int, ...]) -> np.ndarray:
    images = np.asarray(images)
    shapes = " or ".join("(height, width, channels)" if n == 3 else "(n, height, width, channels)" for n in dimensions)
    if images.ndim not in dimensions or 0 in images.shape:
        raise ValueError(f"{caller}: images of shape {images.shape}; expected {shapes}, with at least one pixel.")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise ValueError(f"{caller}: the images hold NaN or infinity, which a network spreads over all it sees.")
    return images


def random_crops(
    images, labels, size: int, count: int, rng: np.random.Generator | int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` squares cut from images and their label maps at random, each in one of its eight orientations.

    Args:
        images: (n, h, w, c); one image is a batch of one.
        labels: (n, h, w), whole numbers.
        size: side of the squares, in pixels.
        count: how many.
        rng: a generator, or a seed; None for that of `runtime.setup`.

    Returns:
        (count, size, size, c) and (count, size, size), of the same types.

    Raises:
        ValueError: images and labels differ in size, or are smaller than the squares.
    """
    images, labels = _checked(images, "random_crops", (4,)), np.asarray(labels)
    if labels.shape != images.shape[:3]:
        raise ValueError(
            f"random_crops: labels of shape {labels.shape} with images of shape {images.shape}; expected (n, h, w) "
            "with (n, h, w, c). Were the masks resized with the images?"
        )
    if not 1 <= size <= min(images.shape[1:3]) or count < 1:
        raise ValueError(
            f"random_crops: size={size}, count={count} from images of {images.shape[1]} x {images.shape[2]} pixels; "
            "expected squares that fit in, and at least one. Pad smaller images (pad_to_multiple)."
        )
    rng = np.random.default_rng(runtime.seed() if rng is None else rng)
    crops = np.empty((count, size, size, images.shape[-1]), images.dtype), np.empty((count, size, size), labels.dtype)
    for i in range(count):
        n, y, x = (rng.integers(0, most + 1) for most in np.subtract(images.shape[:3], (1, size, size)))
        turns, mirrored = rng.integers(4), rng.integers(2)
        for crop, source in zip(crops, (images, labels)):
            square = np.rot90(source[n, y : y + size, x : x + size], turns)
            crop[i] = square[:, ::-1] if mirrored else square
    return crops
