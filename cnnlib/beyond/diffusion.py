"""A small diffusion network for pictures of clothes (lesson 18): its schedule, its U-Net, its steps.

Ho, Jain and Abbeel (2020). Denoising diffusion probabilistic models. *NeurIPS*. The schedule is that of Nichol and
Dhariwal (2021), the steps are those of Song, Meng and Ermon (2021), DDIM.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from cnnlib.beyond.vit import patchify, unpatchify

__all__ = ["bundled", "denoising_step", "noised", "quality", "sample", "schedule", "train", "unet"]

STEPS = 200
"""Levels of noise of the bundled network, from 0, none, to 200, nothing but noise."""


def schedule(steps: int = STEPS) -> np.ndarray:
    """The share of the picture in the variance at each level of noise, (steps + 1,): from 1 to almost 0."""
    if steps < 1:
        raise ValueError(f"steps={steps}: expected at least one level of noise.")
    angle = (np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2
    shares = np.cos(angle) ** 2 / np.cos(angle[0]) ** 2
    return np.clip(shares, 1e-4, 1)


def noised(images: np.ndarray, share: float | np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Pictures with noise, of the variance of which `share` is the picture: sqrt(share) x + sqrt(1 - share) noise.

    Args:
        images: (n, ...), with mean square about 1.
        share: one number from 0 to 1, or one for each image, (n,).
        noise: of the images' shape, standard normal.
    """
    share = np.asarray(share, "float64")
    if images.shape != noise.shape or ((share < 0) | (share > 1)).any():
        raise ValueError(
            f"images {images.shape}, noise {noise.shape}, share {share.min():g} to {share.max():g}: expected equal "
            "shapes, and shares from 0 to 1."
        )
    share = share.reshape(share.shape + (1,) * (images.ndim - share.ndim)) if share.ndim else share
    return (np.sqrt(share) * images + np.sqrt(1 - share) * noise).astype("float32")


def denoising_step(noisy: np.ndarray, noise: np.ndarray, share: float, next_share: float) -> np.ndarray:
    """From one level of noise to a lower one: guess the picture, and add the same noise again, but less.

    Args:
        noisy: pictures at the level of `share`.
        noise: what the network takes for the noise in them.
        share: of the picture in the variance, now; greater than 0.
        next_share: at the next level; 1 asks for the picture.
    """
    if not 0 < share <= next_share <= 1:
        raise ValueError(f"share {share}, then {next_share}: expected 0 < share <= next_share <= 1.")
    picture = np.clip((noisy - np.sqrt(1 - share) * noise) / np.sqrt(share), -1, 1)
    if share < 1:
        noise = (noisy - np.sqrt(share) * picture) / np.sqrt(1 - share)  # what is left once the guess is clipped
    return np.sqrt(next_share) * picture + np.sqrt(1 - next_share) * noise


def unet(size: int = 28, widths: tuple[int, int] = (32, 64), classes: int = 10, steps: int = STEPS) -> keras.Model:
    """Given noisy pictures (n, size, size, 1), the level of noise (n,) and the class (n,): the noise, as the pictures.

    Patches of two by two pixels are the channels of the first maps, so that most of the work is done at half the size.
    Level and class come as codes that are added to the maps' channels.
    """
    if size % 4:
        raise ValueError(f"size {size}: the maps are halved twice, so it has to be a multiple of 4.")
    images = keras.Input((size, size, 1), name="images")
    level, label = keras.Input((), dtype="int32", name="level"), keras.Input((), dtype="int32", name="label")
    code = layers.Embedding(steps + 1, 64, name="level_code")(level)
    code = layers.Dense(64, activation="silu", name="code")(
        code + layers.Embedding(classes, 64, name="class_code")(label)
    )

    def block(x, width, name):
        y = layers.GroupNormalization(8, name=f"{name}_norm_1")(x)
        y = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv_1")(ops.silu(y))
        y = y + layers.Reshape((1, 1, width))(layers.Dense(width, name=f"{name}_code")(code))
        y = layers.GroupNormalization(8, name=f"{name}_norm_2")(y)
        y = layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros", name=f"{name}_conv_2")(ops.silu(y))
        if x.shape[-1] != width:
            x = layers.Conv2D(width, 1, name=f"{name}_skip")(x)
        return x + y

    half, (narrow, wide) = size // 2, widths
    x = layers.Reshape((half, half, 4))(patchify(images, 2))
    x = layers.Conv2D(narrow, 3, padding="same", name="stem")(x)
    kept = block(x, narrow, "down")
    x = layers.Conv2D(wide, 3, 2, padding="same", name="shrink")(kept)
    x = block(x, wide, "middle")
    x = layers.Conv2D(narrow, 1, name="grow")(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = block(layers.Concatenate()([x, kept]), narrow, "up")
    x = layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros", name="noise")(ops.silu(x))
    outputs = unpatchify(layers.Reshape((half * half, 4))(x), 2, size, size)
    return keras.Model([images, level, label], outputs, name="diffusion")


def train(
    model: keras.Model, x: np.ndarray, y: np.ndarray, steps: int, size: int = 64, rate: float = 2e-3, seed: int = 0
) -> list[float]:
    """Train a network of :func:`unet` on pictures in -1 to 1 and their classes; the loss after each step.

    Each picture of a batch gets a level of noise and a noise of its own; the loss is the mean square of what the
    network misses of the noise. The weights are left as their moving averages.
    """
    shares = schedule()
    rng = np.random.default_rng(seed)
    decay = keras.optimizers.schedules.CosineDecay(0.0, steps, alpha=0.01, warmup_target=rate, warmup_steps=steps // 20)
    model.compile(keras.optimizers.Adam(decay, global_clipnorm=1.0, use_ema=True, ema_momentum=0.995), "mse")
    losses: list[float] = []
    for step in range(steps):
        now = rng.integers(0, len(x), size)
        batch = np.where(rng.random((size, 1, 1, 1)) < 0.5, x[now], x[now][:, :, ::-1])
        level = rng.integers(1, STEPS + 1, size)
        noise = rng.normal(size=batch.shape).astype("float32")
        given = [noised(batch, shares[level], noise), level.astype("int32"), y[now].astype("int32")]
        losses.append(float(model.train_on_batch(given, noise)))
        if step % 100 == 99:
            print(f"step {step + 1}: {np.mean(losses[-100:]):.4f}", flush=True)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    return losses


def bundled() -> keras.Model:
    """The network that the course ships, trained on the 10,000 bundled pictures of Fashion-MNIST."""
    from cnnlib import datasets

    model = unet()
    datasets.load_weights(model, "diffusion_fashion_mnist")
    return model


def sample(
    model: keras.Model,
    labels: Sequence[int],
    steps: int = 25,
    seed: int = 0,
    keep: Sequence[int] = (),
    begin: np.ndarray | None = None,
    level: int = STEPS,
) -> np.ndarray | tuple[np.ndarray, list[np.ndarray]]:
    """Draw a picture for each class number: from noise, in some steps, to pictures in [0, 1].

    Args:
        model: of :func:`unet`.
        labels: class numbers, (n,).
        steps: how often the network is asked; from 1 to `level`.
        seed: of the noise.
        keep: after which steps, counted from 0 (the state at the beginning), states are returned too, in about -1 to 1.
        begin: pictures (n, size, size, 1) in [0, 1] to which noise is added at first (Meng and others 2022, SDEdit).
        level: of the noise at the beginning; below `STEPS` only with `begin`.

    Returns:
        Pictures (n, size, size, 1); with `keep` also a list of states.
    """
    labels = np.asarray(labels, "int32")
    if labels.ndim != 1 or not 1 <= steps <= level <= STEPS:
        raise ValueError(f"labels of shape {labels.shape}, {steps} steps: expected (n,), and 1 to {level} steps.")
    if begin is None and level != STEPS:
        raise ValueError(f"level {level}: below {STEPS} something of a picture is left; give it as begin.")
    shares = schedule()
    levels = np.linspace(level, 0, steps + 1).round().astype(int)
    x = np.random.default_rng(seed).normal(size=(len(labels), *model.inputs[0].shape[1:])).astype("float32")
    if begin is not None:
        x = noised(begin * 2 - 1, shares[level], x)
    states = [x]
    for now, lower in zip(levels[:-1], levels[1:]):
        noise = model.predict_on_batch([x, np.full(len(x), now, "int32"), labels])
        x = denoising_step(x, ops.convert_to_numpy(noise), shares[now], shares[lower]).astype("float32")
        states.append(x)
    pictures = np.clip((x + 1) / 2, 0, 1)
    return (pictures, [states[number] for number in keep]) if len(keep) else pictures


def quality(
    pictures: np.ndarray, labels: Sequence[int], classifier: keras.Model, training: np.ndarray, count: int = 20
) -> tuple[float, float, float]:
    """What can be said of pictures without an original: are they recognised, do they vary, are they copies?

    Args:
        pictures: (n, h, w, c) in [0, 1].
        labels: the class that was asked for, (n,).
        classifier: logits out, for such pictures.
        training: the pictures that were learned from.
        count: for how many of them the nearest picture is looked up.

    Returns:
        The share whose largest logit is that of its label; the standard deviation of a pixel within a class, a mean
        over pixels and classes; the median distance of the nearest training picture, as a root of the mean square.
    """
    labels = np.asarray(labels)
    if len(pictures) != len(labels) or not len(labels):
        raise ValueError(f"{len(pictures)} pictures, {len(labels)} labels: expected as many, and one at least.")
    logits = ops.convert_to_numpy(classifier.predict_on_batch(pictures))
    variety = [pictures[labels == label].std(0).mean() for label in np.unique(labels)]
    rows = training.reshape(len(training), -1)
    nearest = [np.square(rows - one.ravel()).mean(1).min() ** 0.5 for one in pictures[:count]]
    return float((logits.argmax(-1) == labels).mean()), float(np.mean(variety)), float(np.median(nearest))
