"""Keypoints as heatmaps, and back to fractions of a pixel. Lesson 13.

A network that looks for a point answers with a map, bright where the point may be. The brightest pixel is known to half
a pixel only; the logarithm of a Gaussian is a parabola, and three values of a parabola give its top exactly.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["decode_heatmaps", "draw_heatmaps"]


def draw_heatmaps(points, size: tuple[int, int], sigma: float = 2.0, stride: float = 1.0) -> np.ndarray:
    """A Gaussian of height 1 around each point: (..., 2 or 3) -> (height, width, number of points) float32.

    Args:
        points: (k, 2) x and y, or (k, 3) with a visibility; in pixels of the image, the centre of the first pixel being
            (0.5, 0.5). A point with visibility 0, or with NaN, has an empty map.
        size: (height, width) of the maps.
        sigma: standard deviation in pixels of the map.
        stride: pixels of the image to a pixel of the map.
    """
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise ValueError(f"points has shape {points.shape}; expected (k, 2), or (k, 3) with the visibility.")
    if not (sigma > 0 and stride > 0):
        raise ValueError(f"sigma={sigma}, stride={stride}: expected more than 0.")
    x, y = points[:, 0] / stride - 0.5, points[:, 1] / stride - 0.5
    down = np.exp(-((np.arange(size[0])[:, None] - y) ** 2) / (2 * sigma**2))
    across = np.exp(-((np.arange(size[1])[:, None] - x) ** 2) / (2 * sigma**2))
    maps = down[:, None] * across[None]
    absent = np.isnan(x + y) | (points[:, 2] == 0 if points.shape[1] == 3 else False)
    maps[..., absent] = 0
    return maps.astype(np.float32)


def decode_heatmaps(maps, stride: float = 1.0, method: str = "parabola") -> tuple[np.ndarray, np.ndarray]:
    """Where each map is brightest: points (..., k, 2) in pixels of the image, and their heights (..., k).

    Args:
        maps: (..., height, width, k).
        stride: pixels of the image to a pixel of the map.
        method: "argmax": the middle of the brightest pixel. "quarter": a quarter of a pixel towards the brighter
            neighbour (Newell et al. 2016). "parabola": the top of the parabola through the logarithms of the brightest
            pixel and its two neighbours, in each direction; exact for a Gaussian (compare Zhang et al. 2020).

    Raises:
        ValueError: the method is unknown, the maps have no pixels, or hold NaN.
    """
    maps = np.asarray(maps, float)
    if method not in ("argmax", "quarter", "parabola"):
        raise ValueError(f"method={method!r}: choose 'argmax', 'quarter' or 'parabola'.")
    if maps.ndim < 3 or 0 in maps.shape[-3:-1]:
        raise ValueError(f"maps has shape {maps.shape}; expected (..., height, width, k) with at least one pixel.")
    if np.isnan(maps).any():
        raise ValueError("maps holds NaN. Did the training diverge?")
    *batch, height, width, count = maps.shape
    flat = np.moveaxis(maps, -1, -3).reshape(math.prod(batch) * count, height, width)
    best = flat.reshape(len(flat), height * width).argmax(1)
    rows, columns = np.divmod(best, width)
    which = np.arange(len(flat))
    x = columns + _offset(flat[which, rows], columns, method)
    y = rows + _offset(flat[which, :, columns], rows, method)
    points = (np.stack([x, y], -1) + 0.5) * stride
    return points.reshape(*batch, count, 2), flat[which, rows, columns].reshape(*batch, count)


def _offset(lines: np.ndarray, at: np.ndarray, method: str) -> np.ndarray:
    """How far from pixel ``at`` (n,) of each line (n, length) the top is; 0 at the border."""
    which, last = np.arange(len(lines)), lines.shape[1] - 1
    before, after = lines[which, np.maximum(at - 1, 0)], lines[which, np.minimum(at + 1, last)]
    inner = (at > 0) & (at < last)
    if method == "argmax":
        return np.zeros(len(at))
    if method == "quarter":
        return np.where(inner, 0.25 * np.sign(after - before), 0)
    here, tiny = lines[which, at], np.finfo(float).tiny
    before, here, after = (np.log(np.maximum(values, tiny)) for values in (before, here, after))
    bend = before + after - 2 * here
    top = np.divide(before - after, 2 * bend, out=np.zeros(len(at)), where=bend < 0)
    return np.where(inner & (lines[which, at] > 0), np.clip(top, -0.5, 0.5), 0)
