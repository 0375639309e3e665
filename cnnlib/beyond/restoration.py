"""Images out: how they are judged, what is cheap, and small networks that remove noise or enlarge (lesson 18).

PSNR; SSIM of Wang, Bovik, Sheikh and Simoncelli (2004). Image quality assessment: from error visibility to structural
similarity. *IEEE Transactions on Image Processing* 13. Pictures are float arrays in [0, 1] with channels last.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops
from PIL import Image
from scipy import ndimage

from cnnlib.beyond.vit import patchify, unpatchify

__all__ = [
    "FILTERS",
    "Components",
    "PixelShuffle",
    "autoencoder",
    "best_setting",
    "bicubic",
    "bilateral",
    "crops",
    "denoiser",
    "enlarger",
    "fit",
    "luma",
    "noisy",
    "psnr",
    "shrunk",
    "ssim",
]

# --- how images are judged --------------------------------------------------------------------------------------------


def psnr(images: np.ndarray, originals: np.ndarray, peak: float = 1.0) -> np.ndarray:
    """Peak signal-to-noise ratio of each image in decibels, (n,): 10 log10(peak ** 2 / mean squared error).

    Infinite where an image equals its original.

    Args:
        images, originals: (n, ...) of equal shapes.
        peak: the greatest value that a pixel can have: 1, or 255.

    Raises:
        ValueError: shapes differ, or the values do not fit the peak.
    """
    images, originals = _pair(images, originals, peak)
    error = np.square(images - originals).reshape(len(images), -1).mean(1)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(peak**2 / error)


def ssim(images: np.ndarray, originals: np.ndarray, peak: float = 1.0) -> np.ndarray:
    """Structural similarity of each image, (n,), at most 1: means, variances and covariances in windows of 11 pixels.

    The windows are Gaussian with a standard deviation of 1.5 pixels, only whole ones count, and the mean is taken over
    places and channels, as in the paper.

    Args:
        images, originals: (n, height, width, channels) of equal shapes, at least 11 pixels high and wide.
        peak: the greatest value that a pixel can have.
    """
    images, originals = _pair(images, originals, peak)
    if images.ndim != 4 or min(images.shape[1:3]) < 11:
        raise ValueError(f"images of shape {images.shape}: expected (n, h, w, c) of 11 x 11 pixels or more.")

    def mean(x):
        return ndimage.gaussian_filter(x, (0, 1.5, 1.5, 0), truncate=3.4)[:, 5:-5, 5:-5]

    one, two = mean(images), mean(originals)
    own, other = mean(images**2) - one**2, mean(originals**2) - two**2
    both = mean(images * originals) - one * two
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    found = (2 * one * two + c1) * (2 * both + c2) / ((one**2 + two**2 + c1) * (own + other + c2))
    return found.mean((1, 2, 3))


def _pair(images, originals, peak: float) -> tuple[np.ndarray, np.ndarray]:
    images, originals = np.asarray(images, "float64"), np.asarray(originals, "float64")
    if images.shape != originals.shape or not images.ndim:
        raise ValueError(f"images {images.shape}, originals {originals.shape}: expected equal shapes, (n, ...).")
    if not peak > 0 or originals.max(initial=0) > 1.001 * peak:
        raise ValueError(
            f"peak={peak:g}, and the originals reach {originals.max(initial=0):g}: are they in 0 to 255? Then peak=255."
        )
    return images, originals


# --- noise, and what is cheap -----------------------------------------------------------------------------------------


def noisy(images: np.ndarray, sigma: float = 0.25, seed: int = 0) -> np.ndarray:
    """Images in [0, 1] with normal noise of standard deviation `sigma`, clipped to [0, 1] as a camera clips."""
    noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
    return np.clip(images + noise, 0, 1).astype("float32")


def bilateral(images: np.ndarray, spread: float, near: float = 1.5) -> np.ndarray:
    """Means over neighbours of 5 x 5 pixels that are close, and alike (Tomasi and Manduchi 1998).

    Args:
        images: (n, height, width, channels).
        spread: how much a neighbour may differ, in values of pixels; its weight is exp(-difference^2 / (2 spread^2)).
        near: the same for the distance, in pixels.
    """
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    total, weights = np.zeros(images.shape), np.zeros(images.shape)
    for row in range(5):
        for column in range(5):
            other = padded[:, row : row + height, column : column + width]
            far = ((row - 2) ** 2 + (column - 2) ** 2) / near**2
            weight = np.exp(-0.5 * (far + np.square((other - images) / spread)))
            total, weights = total + weight * other, weights + weight
    return total / weights


FILTERS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], tuple[float, ...]]] = {
    "Gaussian": (lambda x, s: ndimage.gaussian_filter(x, (0, s, s, 0)), (0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.3)),
    "median": (lambda x, s: ndimage.median_filter(x, (1, int(s), int(s), 1)), (3, 5, 7)),
    "bilateral": (bilateral, (0.2, 0.3, 0.4, 0.5, 0.7, 1.0)),
}
"""Name -> (filter of images and a setting, settings to choose from)."""


class Components:
    """Principal components of pictures: the linear autoencoder of least squared error (Baldi and Hornik 1989).

    Args:
        images: (n, ...), those to learn from.
    """

    def __init__(self, images: np.ndarray):
        rows = images.reshape(len(images), -1).astype("float64")
        self.mean = rows.mean(0)
        centred = rows - self.mean
        values, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
        self.vectors = vectors[:, np.argsort(-values)]

    def __call__(self, images: np.ndarray, count: float) -> np.ndarray:
        """Images from their first `count` components alone, clipped to [0, 1]."""
        first = self.vectors[:, : int(count)]
        rows = images.reshape(len(images), -1) - self.mean
        return np.clip(rows @ first @ first.T + self.mean, 0, 1).reshape(images.shape)


def best_setting(method: Callable, settings, images: np.ndarray, originals: np.ndarray) -> float:
    """The setting whose mean PSNR is highest on these images: give validation images, and price it on others."""
    scores = [psnr(method(images, setting), originals).mean() for setting in settings]
    return settings[int(np.argmax(scores))]


# --- networks ---------------------------------------------------------------------------------------------------------


def denoiser(size: int = 28, width: int = 32) -> keras.Model:
    """Noisy pictures (n, size, size, 1) in, clean ones out: four convolutions over patches of 2 x 2 find the noise."""
    inputs = keras.Input((size, size, 1))
    half = size // 2
    x = layers.Reshape((half, half, 4))(patchify(inputs, 2))
    for number in (1, 2, 3):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv_{number}")(x)
    x = layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros", name="noise")(x)
    noise = unpatchify(layers.Reshape((half * half, 4))(x), 2, size, size)
    return keras.Model(inputs, inputs - noise, name="denoiser")


def autoencoder(size: int = 28, code: int = 32) -> keras.Model:
    """Pictures (n, size, size, 1) through `code` numbers and back; the layer "code" has them."""
    quarter = size // 4
    inputs = keras.Input((size, size, 1))
    x = layers.Conv2D(16, 4, 2, padding="same", activation="relu", name="down_1")(inputs)
    x = layers.Conv2D(32, 4, 2, padding="same", activation="relu", name="down_2")(x)
    x = layers.Dense(code, name="code")(layers.Flatten()(x))
    x = layers.Reshape((quarter, quarter, 32))(layers.Dense(quarter**2 * 32, activation="relu", name="spread")(x))
    x = layers.Conv2DTranspose(16, 4, 2, padding="same", activation="relu", name="up_1")(x)
    outputs = layers.Conv2DTranspose(1, 4, 2, padding="same", name="up_2")(x)
    return keras.Model(inputs, outputs, name="autoencoder")


@keras.saving.register_keras_serializable("cnnlib.beyond")
class PixelShuffle(layers.Layer):
    """Four channels laid out as two by two pixels: (n, h, w, 4) -> (n, 2h, 2w, 1). Shi and others (2016)."""

    def call(self, x):
        height, width = ops.shape(x)[1:3]
        x = ops.transpose(ops.reshape(x, (-1, height, width, 2, 2)), (0, 1, 3, 2, 4))
        return ops.reshape(x, (-1, 2 * height, 2 * width, 1))

    def compute_output_shape(self, shape):
        n, height, width, channels = shape
        if channels != 4:
            raise ValueError(f"{channels} channels: to be laid out as two by two pixels there have to be 4.")
        return (n, *(None if side is None else 2 * side for side in (height, width)), 1)


def enlarger(end: str = "shuffle", width: int = 32) -> keras.Model:
    """A grey picture (n, h, w, 1) at twice its size: what is to be added to the bicubic enlargement.

    Args:
        end: "shuffle": four channels are laid out as two by two pixels (Shi and others 2016, ESPCN). "transposed": a
            transposed convolution of kernel 3 and stride 2, which draws a checkerboard (lesson 12).
        width: channels.
    """
    if end not in ("shuffle", "transposed"):
        raise ValueError(f"end={end!r}: choose 'shuffle' or 'transposed'.")
    inputs = keras.Input((None, None, 1))
    x = layers.Conv2D(width, 5, padding="same", activation="relu", name="conv_1")(inputs)
    x = layers.Conv2D(width, 3, padding="same", activation="relu", name="conv_2")(x)
    if end == "shuffle":
        x = layers.Conv2D(4, 3, padding="same", name="conv_3")(x)
        outputs = PixelShuffle(name="shuffle")(x)
    else:
        outputs = layers.Conv2DTranspose(1, 3, 2, padding="same", name="conv_3")(x)
    outputs = layers.Rescaling(0.05, name="small")(outputs)  # what is missing is about 0.03, what weights give about 1
    return keras.Model(inputs, outputs, name=f"enlarger_{end}")


def fit(
    model: keras.Model, x: np.ndarray, y: np.ndarray, *, steps: int, rate: float = 2e-3, size: int = 64, seed: int = 0
) -> list[float]:
    """Train a network from images to images with Adam and the mean squared error; the loss after each step."""
    rng = np.random.default_rng(seed)
    decay = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02)
    model.compile(keras.optimizers.Adam(decay, global_clipnorm=1.0), "mse")
    losses, order = [], np.empty(0, int)
    for _ in range(steps):
        if len(order) < size:
            order = np.concatenate([order, rng.permutation(len(x))])
        now, order = order[:size], order[size:]
        losses.append(float(model.train_on_batch(x[now], y[now])))
    return losses


# --- enlarging --------------------------------------------------------------------------------------------------------


def luma(picture: np.ndarray) -> np.ndarray:
    """The brightness of a uint8 picture (h, w, 3) as float32 (h, w) in [0, 1]; sides are cut to even numbers."""
    grey = picture @ np.array([0.299, 0.587, 0.114]) / 255
    return grey[: len(grey) // 2 * 2, : grey.shape[1] // 2 * 2].astype("float32")


def _resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture.astype("float32")).resize((width, height), Image.Resampling.BICUBIC))


def shrunk(picture: np.ndarray) -> np.ndarray:
    """A grey picture (h, w) at half its size, bicubic with a wide enough window (no aliasing)."""
    return np.clip(_resized(picture, len(picture) // 2, picture.shape[1] // 2), 0, 1)


def bicubic(picture: np.ndarray) -> np.ndarray:
    """A grey picture (h, w) at twice its size."""
    return np.clip(_resized(picture, 2 * len(picture), 2 * picture.shape[1]), 0, 1)


def crops(pictures: list[np.ndarray], count: int, side: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Parts of shrunk pictures and what bicubic enlargement misses there: (count, side, side, 1), and twice as large.

    The parts are cut at random from pictures taken in turn, turned and mirrored.
    """
    rng = np.random.default_rng(seed)
    small = [shrunk(picture) for picture in pictures]
    missing = [picture - bicubic(low) for picture, low in zip(pictures, small)]
    low, rest = [], []
    for number in range(count):
        one, two = small[number % len(small)], missing[number % len(small)]
        top, left = (int(rng.integers(0, length - side + 1)) for length in one.shape)
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        cut = one[top : top + side, left : left + side], two[2 * top :, 2 * left :][: 2 * side, : 2 * side]
        cut = [np.rot90(each, turns) for each in cut]
        low.append(cut[0][:, ::-1] if mirrored else cut[0])
        rest.append(cut[1][:, ::-1] if mirrored else cut[1])
    return np.stack(low)[..., None], np.stack(rest)[..., None]
