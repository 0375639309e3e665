"""Images into a network trained on ImageNet, and its logits back into words.

ImageNet: Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge". Lessons 00, 09, 10 and 14.
"""

import keras
import numpy as np
from PIL import Image

from cnnlib import datasets


def preprocess(images, size: int | tuple[int, int] = 224) -> np.ndarray:
    """Make images ready for the ImageNet weights: bicubic resize to ``size`` (not cropped), then (x - 127) / 128.

    Args:
        images: one image (height, width, 3), a batch (n, height, width, 3) or a list of images of any sizes; uint8,
            or float with values in 0..255.
        size: side of a square, or (height, width), in pixels.

    Returns:
        float32 (n, height, width, 3) in [-0.992, 1]; one image gives a batch of one.

    Raises:
        ValueError: the images have another shape, or another range of values.
    """
    height, width = datasets.height_and_width(size)
    batch = images if isinstance(images, list | tuple) else np.asarray(images)
    if not isinstance(batch, list | tuple) and batch.ndim == 3:
        batch = batch[None]
    resized = [_resize(np.asarray(image), height, width) for image in batch]
    return (np.stack(resized) - 127) / np.float32(128)


def _resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """One image, checked and resized as Pillow does it (bicubic, smoothed when made smaller), float32 0..255."""
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            f"preprocess: an image has shape {image.shape}; expected (height, width, 3), channels last. A grey "
            "image is made so by np.repeat(image[..., None], 3, axis=-1)."
        )
    if image.dtype != np.uint8:
        low, high = image.min(), image.max()
        if not (low >= 0 and high <= 255) or 0 < high <= 1:  # so written, NaN is refused too
            raise ValueError(
                f"preprocess: the values of an image lie in [{low:g}, {high:g}]; expected 0..255. "
                "Multiply images in [0, 1] by 255, and do not preprocess twice."
            )
    planes = [Image.fromarray(np.asarray(image[..., c], "float32")) for c in range(3)]
    if image.shape[:2] != (height, width):
        planes = [plane.resize((width, height), Image.Resampling.BICUBIC) for plane in planes]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], axis=-1), 0, 255)


def decode_predictions(logits, top: int = 5) -> list[list[tuple[str, float]]]:
    """The ``top`` most probable classes of each row of ImageNet ``logits`` (n, 1000), as (name, probability)."""
    logits = np.asarray(keras.ops.convert_to_numpy(logits), "float64")
    if logits.ndim != 2 or logits.shape[1] != 1000:
        raise ValueError(
            f"decode_predictions: logits have shape {logits.shape}; expected (n, 1000), the output of the network with "
            "its ImageNet classifier for a batch of n."
        )
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    names = datasets.imagenet_classes()
    return [[(names[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:top]] for row in probabilities]
