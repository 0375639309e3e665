"""A brain in three dimensions, noise with its ground truth, and networks of 2-D and of 3-D convolutions. Lesson 18.

Arrays are (batch, axis 1, axis 2, axis 3, channels): right to left, back to front, bottom to top.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

NOISE = 0.1
STEPS = 400
#: along axis 2, from back to front. Between the parts lie 8 voxels, 16 mm, of neither.
PARTS = {"train": slice(8, 56), "validation": slice(64, 78), "test": slice(86, 110)}


def brain() -> np.ndarray:
    """The ICBM 152 template: the average of 152 heads in magnetic resonance, brain only (Fonov and others 2009, 2011).

    float32 (99, 117, 95) in [0, 1], voxels of 2 mm; outside of the brain it is 0.
    """
    from cnnlib import datasets

    with np.load(io.BytesIO(datasets.read("brain/t1.npz"))) as file:
        return file["t1"].astype("float32") / 255


def noisy(clean: np.ndarray, seed: int, noise: float = NOISE) -> np.ndarray:
    """The volume with Gaussian noise of that standard deviation, float32."""
    return (clean + noise * np.random.default_rng(seed).standard_normal(clean.shape)).astype("float32")


def region(volume: np.ndarray, part: str) -> np.ndarray:
    """The part of a volume for "train", "validation" or "test"; both halves of the head are in each."""
    if part not in PARTS:
        raise ValueError(f"part={part!r}: choose one of {', '.join(PARTS)}.")
    return volume[:, PARTS[part]]


def psnr(clean: np.ndarray, found: np.ndarray) -> float:
    """Peak signal-to-noise ratio in decibels, of the voxels that belong to the brain; the peak is 1."""
    inside = clean > 0
    if clean.shape != found.shape or not inside.any():
        raise ValueError(f"volumes of shapes {clean.shape} and {found.shape}: expected the same, and some brain.")
    return float(-10 * np.log10(((clean - found)[inside] ** 2).mean()))


def patches(volume: np.ndarray, kernel: Sequence[int]) -> np.ndarray:
    """What a kernel of that shape sees at each voxel, zeros outside: (voxels, taps)."""
    if any(size % 2 == 0 for size in kernel):
        raise ValueError(f"kernel {tuple(kernel)}: expected odd sizes.")
    padded = np.pad(volume, [(size // 2, size // 2) for size in kernel])
    return np.lib.stride_tricks.sliding_window_view(padded, kernel).reshape(volume.size, -1)


def best_kernel(noisy: np.ndarray, clean: np.ndarray, kernel: Sequence[int]) -> np.ndarray:
    """The linear filter of that shape with the least squared error inside of the brain: no training, one equation."""
    inside = (clean > 0).ravel()
    seen = patches(noisy, kernel)[inside].astype(float)
    return np.linalg.solve(seen.T @ seen, seen.T @ clean.ravel()[inside]).reshape(kernel)


def filtered(volume: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The volume under a kernel, zeros outside."""
    return (patches(volume, kernel.shape) @ kernel.ravel()).reshape(volume.shape)


#: kernels of the three layers of each network, and its filters
NETWORKS = {
    "slices": (((1, 3, 3),) * 3, 16),
    "slices, more filters": (((1, 3, 3),) * 3, 28),
    "slices with neighbours": (((3, 3, 3), (1, 3, 3), (1, 3, 3)), 16),
    "volume": (((3, 3, 3),) * 3, 16),
}


def network(kind: str, seed: int = 0, shape: tuple = (None, None, None, 1)):
    """Three convolutions that find the noise, which is taken off the input.

    Args:
        kind: a key of `NETWORKS`. A kernel of (1, 3, 3) is a 2-D convolution of each slice.
        seed: of the weights.
        shape: of a volume.
    """
    import keras
    from keras import layers

    if kind not in NETWORKS:
        raise ValueError(f"kind={kind!r}: choose one of {', '.join(NETWORKS)}.")
    kernels, filters = NETWORKS[kind]
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input(shape)
    for kernel in kernels[:-1]:
        x = layers.Conv3D(filters, kernel, padding="same", activation="relu")(x)
    noise = layers.Conv3D(1, kernels[-1], padding="same", kernel_initializer="zeros")(x)
    return keras.Model(inputs, layers.Subtract()([inputs, noise]))


def trained(model, clean: np.ndarray, rate: float, steps: int, seed: int, side: int = 12, batch: int = 8):
    """The model after some steps of Adam on cubes of the volume, with new noise in each.

    The rate falls to zero along a cosine. Cubes without any brain are not drawn.
    """
    import keras

    rng = np.random.default_rng(seed)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    for _ in range(steps):
        cubes = []
        while len(cubes) < batch:
            corner = [int(rng.integers(0, n - side + 1)) for n in clean.shape]
            cube = clean[tuple(slice(at, at + side) for at in corner)]
            if (cube > 0).mean() > 0.3:
                cubes.append(cube)
        y = np.stack(cubes)[..., None]
        x = y + NOISE * rng.standard_normal(y.shape).astype("float32")
        model.train_on_batch(x, y)
    return model


def denoised(model, volume: np.ndarray) -> np.ndarray:
    """What the model makes of a volume, of the same shape."""
    return np.asarray(model.predict_on_batch(volume[None, ..., None]))[0, ..., 0]
