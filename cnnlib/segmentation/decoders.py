"""Ways back to the size of the image, and the grid that one of them leaves.

Odena, Dumoulin, Olah 2016, "Deconvolution and checkerboard artifacts": where the kernel of a transposed convolution is
no multiple of its stride, some pixels of the output get more taps than their neighbours. Lesson 12.
"""

import numpy as np
from keras import layers

from cnnlib.models import common
from cnnlib.models.deeplab import aspp

__all__ = ["aspp", "checkerboard", "overlap_counts", "upsample"]

KINDS = ("resize", "transposed")


def upsample(x, filters: int, kind: str = "resize", *, name: str, factor: int = 2, kernel: int = 3):
    """Features (n, h, w, c) to (n, h * factor, w * factor, filters).

    Args:
        x: what to enlarge.
        filters: channels of the result.
        kind: "resize": each pixel repeated, then a convolution; "transposed": one transposed convolution.
        name: how its layers' names begin.
        factor: how many times larger.
        kernel: side of the convolution's window. With "transposed", a multiple of ``factor`` gives each pixel as many
            taps; 3 with a factor of 2 does not, and is what many networks have.

    Raises:
        ValueError: the kind is unknown, or a number is below 1.
    """
    common.one_of("kind", kind, KINDS, "upsample")
    if min(filters, factor, kernel) < 1:
        raise ValueError(f"upsample: filters={filters}, factor={factor}, kernel={kernel}; expected 1 or more of each.")
    if kind == "transposed":
        settings = {"kernel_initializer": common.he(), "name": f"{name}_transposed"}
        return layers.Conv2DTranspose(filters, kernel, factor, "same", **settings)(x)
    x = layers.UpSampling2D(factor, name=f"{name}_resize")(x)
    return layers.Conv2D(filters, kernel, padding="same", kernel_initializer=common.he(), name=f"{name}_conv")(x)


def overlap_counts(size: int, kernel: int, stride: int) -> np.ndarray:
    """How many taps of a transposed convolution each pixel of its output gets in one direction, int (size * stride,).

    Padding "same": the output is cut to ``size * stride``, as Keras cuts it. In two dimensions the counts multiply.

    Raises:
        ValueError: a number is below 1.
    """
    if min(size, kernel, stride) < 1:
        raise ValueError(f"overlap_counts: size={size}, kernel={kernel}, stride={stride}; expected 1 or more of each.")
    full = np.zeros(max((size - 1) * stride + kernel, size * stride), int)
    for i in range(size):
        full[i * stride : i * stride + kernel] += 1
    before = max(kernel - stride, 0) // 2
    return full[before : before + size * stride]


def checkerboard(maps, period: int = 2) -> float:
    """How much of what varies in ``maps`` repeats every ``period`` pixels, from 0 (nothing) to 1 (all of it).

    The pixels fall into ``period ** 2`` groups by their place in the grid. The result is the standard deviation of the
    means of these groups, divided by the standard deviation of all pixels; each map and channel for itself, then the
    root of the mean square. The outermost ``2 * period`` pixels, where padding shows, are left out.

    Args:
        maps: (n, h, w, c), (h, w, c) or (h, w).
        period: the factor of the decoder, or the product of several.

    Raises:
        ValueError: the maps are too small to lose their edge, or hold NaN.
    """
    maps = np.asarray(maps, "float64")
    if maps.ndim not in (2, 3, 4):
        raise ValueError(f"checkerboard: maps of shape {maps.shape}; expected (n, h, w, c), (h, w, c) or (h, w).")
    maps = maps[..., None] if maps.ndim == 2 else maps
    maps = maps[None] if maps.ndim == 3 else maps
    if not np.isfinite(maps).all():
        raise ValueError("checkerboard: the maps hold NaN or infinity.")
    cells = [(side - 4 * period) // period for side in maps.shape[1:3]]
    if period < 2 or min(cells) < 2 or 0 in maps.shape:
        raise ValueError(
            f"checkerboard: maps of shape {maps.shape} leave less than two cells of period={period} inside."
        )
    rows, columns = (slice(2 * period, 2 * period + count * period) for count in cells)
    inside = maps[:, rows, columns]
    groups = inside.reshape(len(maps), cells[0], period, cells[1], period, maps.shape[-1])
    shares = groups.mean(axis=(1, 3)).var(axis=(1, 2)), inside.var(axis=(1, 2))
    varying = shares[1] > 1e-12 * (1 + np.square(inside).mean(axis=(1, 2)))
    return float(np.sqrt(np.mean(shares[0][varying] / shares[1][varying]))) if varying.any() else 0.0
