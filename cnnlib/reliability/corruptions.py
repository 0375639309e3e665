"""What a camera, the weather and a file format do to a picture, at five severities. Lesson 15.

Eight corruptions in the manner of CIFAR-10-C (Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to
common corruptions and perturbations"), written anew with NumPy and Pillow. Noise, blur, JPEG, contrast and pixelation
have the strengths of that benchmark for images of 32 pixels; blur and fog grow with the image, so that larger ones look
alike. Exposure and fog are other models than there, and numbers are not to be compared with published ones.

Images are (n, height, width, 1 or 3), float32 in [0, 1], and so is what comes back. Severity 1 is the mildest. The same
seed gives image i of any batch the same noise or fog at every severity, so that a curve over severities is paired.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from cnnlib.reliability._arrays import as_images

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt", "psnr"]

SEVERITIES = (1, 2, 3, 4, 5)
REFERENCE_SIDE = 32  # pixels of the images that the strengths of blur are given for


def corrupt(images, kind: str, severity: int, seed: int = 0) -> np.ndarray:
    """The images with one corruption.

    Args:
        images: (n, height, width, 1 or 3), float32 in [0, 1].
        kind: a key of `CORRUPTIONS`.
        severity: 1 (mild) to 5 (heavy).
        seed: of noise and fog.

    Returns:
        float32, the same shape, in [0, 1].

    Raises:
        ValueError: the images are not of this kind, or the corruption or severity does not exist.
    """
    images = as_images(images)
    if kind not in CORRUPTIONS:
        raise ValueError(f"kind={kind!r}; expected one of {', '.join(map(repr, CORRUPTIONS))}.")
    if severity not in SEVERITIES or isinstance(severity, bool):
        raise ValueError(f"severity={severity!r}; expected 1 (mild) to 5 (heavy).")
    function, strengths = CORRUPTIONS[kind]
    strength = strengths[severity - 1]
    corrupted = [function(image, strength, np.random.default_rng([seed, i])) for i, image in enumerate(images)]
    return np.clip(np.stack(corrupted), 0, 1).astype("float32")


def psnr(images, changed) -> np.ndarray:
    """The peak signal-to-noise ratio of each image in decibels, (n,): 10 log10(1 / mean squared difference).

    20 dB is a difference of 0.1 on average. Images that did not change have infinity.

    Raises:
        ValueError: the shapes differ, or something is no image.
    """
    images, changed = as_images(images), as_images(changed, "changed")
    if images.shape != changed.shape:
        raise ValueError(f"images {images.shape} and changed {changed.shape}: expected the same shape.")
    difference = ((images.astype("float64") - changed) ** 2).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return -10 * np.log10(difference)


# --- one image (height, width, channels), its strength, a generator --------------------------------------------------


def _noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Independent noise on each value, as from a sensor in the dark that is amplified."""
    return image + sigma * rng.standard_normal(image.shape)


def _shot_noise(image: np.ndarray, photons: float, rng: np.random.Generator) -> np.ndarray:
    """White is so many photons on average, and they arrive by chance (Poisson): bright places are noisier."""
    return rng.poisson(image.astype("float64") * photons) / photons


def _blur(image: np.ndarray, sigma: float, _) -> np.ndarray:
    """A lens out of focus: a Gaussian, whose sigma is given for images of 32 pixels; edges are mirrored."""
    sigma = sigma * min(image.shape[:2]) / REFERENCE_SIDE
    for axis in (0, 1):
        image = _convolved(image, _gaussian(sigma), axis)
    return image


def _fog(image: np.ndarray, density: float, rng: np.random.Generator) -> np.ndarray:
    """A white veil, thicker in some places: each pixel keeps the share exp(-density * thickness) (Koschmieder)."""
    thickness = _clouds(image.shape[0], image.shape[1], rng)[..., None]
    kept = np.exp(-density * thickness)
    return kept * image + (1 - kept)


def _exposure(image: np.ndarray, stops: float, _) -> np.ndarray:
    """So many stops too much light: 2**stops times as much, and what is brighter than white is cut off.

    Light is computed where it adds up, so the usual gamma of 2.2 is taken off first and put on again.
    """
    return np.minimum(image.astype("float64") ** 2.2 * 2.0**stops, 1) ** (1 / 2.2)


def _contrast(image: np.ndarray, kept: float, _) -> np.ndarray:
    """Every value moves towards the mean of its channel."""
    mean = image.mean(axis=(0, 1), keepdims=True)
    return mean + kept * (image - mean)


def _pixelate(image: np.ndarray, share: float, _) -> np.ndarray:
    """Shrunk to this share of its sides and enlarged again, both by areas."""
    height, width = image.shape[:2]
    small = (max(1, int(width * share)), max(1, int(height * share)))

    def there_and_back(channel: np.ndarray) -> np.ndarray:
        shrunk = Image.fromarray(np.ascontiguousarray(channel)).resize(small, Image.Resampling.BOX)
        return np.asarray(shrunk.resize((width, height), Image.Resampling.BOX))

    return np.stack([there_and_back(image[..., c]) for c in range(image.shape[-1])], axis=-1)


def _jpeg(image: np.ndarray, quality: int, _) -> np.ndarray:
    """Saved as a JPEG file of this quality and read again."""
    levels = np.round(image * 255).astype("uint8")
    picture = Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(file), "float32") / 255
    return decoded.reshape(image.shape)


# The strengths of CIFAR-10-C where the corruption is the same; of exposure in stops, of fog in optical thickness.
CORRUPTIONS: dict[str, tuple[Callable, tuple]] = {
    "noise": (_noise, (0.04, 0.06, 0.08, 0.09, 0.10)),
    "shot noise": (_shot_noise, (500, 250, 100, 75, 50)),
    "blur": (_blur, (0.4, 0.6, 0.7, 0.8, 1.0)),
    "fog": (_fog, (0.3, 0.6, 0.9, 1.3, 1.8)),
    "exposure": (_exposure, (0.5, 1.0, 1.5, 2.0, 2.5)),
    "contrast": (_contrast, (0.75, 0.5, 0.4, 0.3, 0.15)),
    "pixelate": (_pixelate, (0.95, 0.9, 0.85, 0.75, 0.65)),
    "jpeg": (_jpeg, (80, 65, 58, 50, 40)),
}


def _gaussian(sigma: float) -> np.ndarray:
    reach = max(1, int(np.ceil(4 * sigma)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return weights / weights.sum()


def _convolved(image: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    reach, size = len(weights) // 2, image.shape[axis]
    margins = [(0, 0)] * image.ndim
    margins[axis] = (reach, reach)
    padded = np.pad(image.astype("float64"), margins, mode="symmetric")
    moved = [np.take(padded, np.arange(start, start + size), axis=axis) for start in range(len(weights))]
    return sum(weight * part for weight, part in zip(weights, moved))


def _clouds(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field with mean 1: noise on grids of 3 to 17 points, enlarged; coarse ones are the stronger."""
    field = np.zeros((height, width))
    for octave in range(1, 5):
        cells = 2**octave
        grid = rng.random((cells + 1, cells + 1)).astype("float32")
        smooth = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        field += np.asarray(smooth) / cells
    field -= field.min()
    return field / field.mean() if field.any() else np.ones((height, width))
