"""Measure what lesson 15 shows as stored runs, and keep it in data/results/reliability_*.json.

    python tools/measure_reliability.py                       # all experiments, seeds 0 to 2
    python tools/measure_reliability.py calibration attacks --seeds 0 1 2 3 4

They are no part of the lesson's own code, because they need minutes to an hour of one core:

calibration    the shipped CIFAR-10 networks before and after a temperature that is fitted on one half of the 2,000
               bundled test images and judged on the other; as a control the temperature of training images. The seed
               divides.
corruptions    two of them under eight corruptions at five severities: accuracy, and calibration with and without the
               temperature of other, clean images. Each seed has 250 test images of its own, and its own noise.
attacks        FGSM, PGD, random signs, and FGSM made on the other network. Each seed has 100 test images of its own.
trainings      a small network trained with four kinds of augmentation, and on images of 16 pixels instead of 32,
               on 7,000 bundled images; the epoch is chosen on 1,000, and 1,000 test images judge, clean and corrupted.

Seeds that are stored are left as they are, unless --again. Temperatures, and the epoch of each training, are chosen on
images that are not judged.
"""

import functools
import os
import sys
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _measured
import keras
import numpy as np
from keras import layers
from PIL import Image
from run_experiments import RESULTS

from cnnlib import datasets, models, reliability, splits

LESSON = "15_when_it_does_not_work"
NETWORKS = {
    "ResNet-20": lambda: models.CifarResNet(20, weights="cifar10"),
    "small VGG": lambda: models.SmallVGG(weights="cifar10"),
    "MobileNetV2": lambda: models.MobileNetV2(
        input_shape=(32, 32, 3), num_classes=10, width=0.5, small_images=True, weights="cifar10"
    ),
}
SEEN = 2000  # training images for the control of calibration
EPOCHS, BATCH, RATE = 12, 100, 0.004


def own_images(seed: int, count: int) -> np.ndarray:
    """Indices of ``count`` test images that no other seed has."""
    order = np.random.default_rng(0).permutation(2000)
    chosen = order[seed * count : (seed + 1) * count]
    if len(chosen) < count:
        raise ValueError(f"seed {seed}: there are images for seeds 0 to {len(order) // count - 1}.")
    return chosen


@functools.cache
def network_of(name: str) -> keras.Model:
    return NETWORKS[name]()


@functools.cache
def clean_logits(name: str, part: str, count: int) -> np.ndarray:
    """Of the test images, or of training images that the network has learned, in an order of their own."""
    data = datasets.cifar10(test_size=count)
    if part == "test":
        return logits_of(network_of(name), data.x_test)
    seen = np.random.default_rng(0).permutation(len(data.x_train))[: min(SEEN, count)]
    return logits_of(network_of(name), data.x_train[seen])


def logits_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.concatenate([model.predict_on_batch(images[i : i + 200]) for i in range(0, len(images), 200)])


# --- calibration -----------------------------------------------------------------------------------------------------


def calibration_scores(logits: np.ndarray, labels: np.ndarray, temperature: float) -> dict[str, float]:
    p = reliability.softmax(logits, temperature)
    return {
        "confidence": float(p.max(axis=1).mean()),
        "ece": reliability.expected_calibration_error(p, labels),
        "ece, equal mass": reliability.expected_calibration_error(p, labels, strategy="mass"),
        "ece by chance": float(reliability.calibration_floor(p).mean()),
        "squared error, debiased": reliability.squared_calibration_error(p, labels),
        "nll": reliability.negative_log_likelihood(p, labels),
        "brier": reliability.brier_score(p, labels),
    }


def calibration(seed: int, count: int = 2000) -> dict:
    data = datasets.cifar10(test_size=count)
    labels = data.y_test
    seen = np.random.default_rng(0).permutation(len(data.x_train))[: min(SEEN, count)]
    fit, judge = splits.random_split(count, test=0.5, seed=seed)
    run = {}
    for name in NETWORKS:
        logits = clean_logits(name, "test", count)
        temperature = reliability.fit_temperature(logits[fit], labels[fit])
        from_seen = reliability.fit_temperature(clean_logits(name, "train", count), data.y_train[seen])
        run[name] = {
            "accuracy": float(np.mean(logits[judge].argmax(axis=1) == labels[judge])),
            "temperature": temperature,
            "temperature of training images": from_seen,
            "before": calibration_scores(logits[judge], labels[judge], 1.0),
            "after": calibration_scores(logits[judge], labels[judge], temperature),
            "after, of training images": calibration_scores(logits[judge], labels[judge], from_seen),
        }
    return run


# --- corruptions -----------------------------------------------------------------------------------------------------


def corruptions(seed: int, count: int = 250) -> dict:
    data = datasets.cifar10()
    judge = own_images(seed, count)
    images, labels, fit = data.x_test[judge], data.y_test[judge], np.setdiff1d(np.arange(2000), judge)
    run = {}
    for name in ("ResNet-20", "small VGG"):
        clean = clean_logits(name, "test", 2000)
        temperature = reliability.fit_temperature(clean[fit], data.y_test[fit])
        run[name] = {"clean": _under(clean[judge], labels, temperature)}
        for kind in reliability.CORRUPTIONS:
            rows = [
                _under(logits_of(network_of(name), reliability.corrupt(images, kind, s, seed)), labels, temperature)
                for s in reliability.SEVERITIES
            ]
            run[name][kind] = {key: [row[key] for row in rows] for key in rows[0]}
    return run


def _under(logits: np.ndarray, labels: np.ndarray, temperature: float) -> dict[str, float]:
    plain, scaled = reliability.softmax(logits), reliability.softmax(logits, temperature)
    return {
        "accuracy": float(np.mean(logits.argmax(axis=1) == labels)),
        "confidence": float(plain.max(axis=1).mean()),
        "ece": reliability.expected_calibration_error(plain, labels),
        "ece with temperature": reliability.expected_calibration_error(scaled, labels),
    }


# --- attacks ---------------------------------------------------------------------------------------------------------

LEVELS = (1, 2, 4, 8)  # of 255
PGD_LEVELS = (1, 2)


def attacks(seed: int, count: int = 100) -> dict:
    data = datasets.cifar10()
    chosen = own_images(seed, count)
    x, y = data.x_test[chosen], data.y_test[chosen]
    attack = {name: attack_on(name) for name in ("ResNet-20", "small VGG")}
    fgsm = {name: {n: each.fgsm(x, y, n / 255) for n in LEVELS} for name, each in attack.items()}
    run = {}
    for name, each in attack.items():
        other = next(n for n in attack if n != name)
        run[name] = {
            "clean": each.accuracy(x, y),
            "random": [each.accuracy(each.random(x, n / 255, seed), y) for n in LEVELS],
            "FGSM": [each.accuracy(fgsm[name][n], y) for n in LEVELS],
            "FGSM of the other": [each.accuracy(fgsm[other][n], y) for n in LEVELS],
            "PGD": [each.accuracy(each.pgd(x, y, n / 255, start=seed), y) for n in PGD_LEVELS],
        }
    return run


@functools.cache
def attack_on(name: str) -> reliability.Attack:
    return reliability.Attack(network_of(name))


# --- small trainings -------------------------------------------------------------------------------------------------


def network(size: int = 32) -> keras.Model:
    """Three convolutions in steps of two pixels and a global mean: 54,000 weights, whatever the size."""
    x = image = keras.Input((size, size, 3))
    for filters in (24, 48, 96):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def flip_and_shift(images: np.ndarray, rng: np.random.Generator, margin: int = 4) -> np.ndarray:
    """Half of them mirrored, all shifted by up to ``margin`` pixels; the border is a reflection."""
    size = images.shape[1]
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    top, left = rng.integers(0, 2 * margin + 1, (2, len(images)))
    rows, columns = top[:, None] + np.arange(size), left[:, None] + np.arange(size)
    mirrored = rng.random(len(images)) < 0.5
    columns[mirrored] = columns[mirrored, ::-1]
    return padded[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def noisy(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifted and mirrored, with noise whose standard deviation is drawn between 0 and 0.1 for each image."""
    images = flip_and_shift(images, rng)
    sigma = rng.uniform(0, 0.1, (len(images), 1, 1, 1)).astype("float32")
    return np.clip(images + sigma * rng.standard_normal(images.shape, dtype="float32"), 0, 1)


def other_light(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifted and mirrored, contrast between 0.15 and 1 and brightness between -0.2 and 0.2 drawn for each image."""
    images = flip_and_shift(images, rng)
    kept = rng.uniform(0.15, 1, (len(images), 1, 1, 1)).astype("float32")
    added = rng.uniform(-0.2, 0.2, (len(images), 1, 1, 1)).astype("float32")
    mean = images.mean(axis=(1, 2), keepdims=True)
    return np.clip(mean + kept * (images - mean) + added, 0, 1)


# What is trained: how the images are changed, and the pixels of a side.
ARMS: dict[str, tuple[Callable, int]] = {
    "none": (lambda images, rng: images, 32),
    "flip and shift": (flip_and_shift, 32),
    "and noise": (noisy, 32),
    "and light": (other_light, 32),
    "flip and shift, 16 pixels": (flip_and_shift, 16),
}


def shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Images of ``size`` pixels, each the mean of the area it covers."""
    if images.shape[1] == size:
        return images
    small = [
        [Image.fromarray(image[..., c]).resize((size, size), Image.Resampling.BOX) for c in range(3)]
        for image in np.ascontiguousarray(images)
    ]
    return np.stack([np.stack([np.asarray(channel) for channel in image], axis=-1) for image in small])


def trained(augment: Callable, seed: int, size: int = 32, epochs: int = EPOCHS, count: int = 8000) -> tuple:
    """A network of the epoch that was best on the held-out images; the accuracy there, and that epoch from 1."""
    keras.utils.set_random_seed(seed)
    data = datasets.cifar10(size=count)
    fit, held = splits.random_split(count, test=0.125, seed=seed)
    x, y = data.x_train[fit], data.y_train[fit]
    validation, answers = shrunk(data.x_train[held], size), data.y_train[held]
    model = network(size)
    steps = epochs * -(-len(x) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    best, kept, when = -1.0, None, 0
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(x))
        model.fit(shrunk(augment(x[order], rng), size), y[order], batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
        accuracy = float(np.mean(logits_of(model, validation).argmax(axis=1) == answers))
        if accuracy > best:
            best, kept, when = accuracy, model.get_weights(), epoch + 1
    model.set_weights(kept)
    return model, best, when


def accuracies(networks: dict[str, keras.Model], images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Of each network on images of 32 pixels, shrunk to its own size."""
    given = {name: logits_of(model, shrunk(images, ARMS[name][1])) for name, model in networks.items()}
    return {name: float(np.mean(logits.argmax(axis=1) == labels)) for name, logits in given.items()}


def trainings(seed: int, judged: int = 1000, **options) -> dict:
    """All networks of a seed are judged together, so that each corrupted image is made once."""
    data = datasets.cifar10(size=10, test_size=judged)
    networks, run = {}, {}
    for name, (augment, size) in ARMS.items():
        networks[name], validation, epoch = trained(augment, seed, size, **options)
        run[name] = {"validation": validation, "epoch": epoch, "corrupted": {}}
        print(f"trainings: {name}, seed {seed}: {validation:.3f} on held-out images", flush=True)
    for name, accuracy in accuracies(networks, data.x_test, data.y_test).items():
        run[name]["clean"] = accuracy
    for kind in reliability.CORRUPTIONS:
        rows = [
            accuracies(networks, reliability.corrupt(data.x_test, kind, severity, seed), data.y_test)
            for severity in reliability.SEVERITIES
        ]
        for name in networks:
            run[name]["corrupted"][kind] = [row[name] for row in rows]
    return run


EXPERIMENTS: dict[str, Callable] = {
    "calibration": calibration,
    "corruptions": corruptions,
    "attacks": attacks,
    "trainings": trainings,
}


def main(arguments: list[str] | None = None) -> int:
    return _measured.main(arguments, __doc__, "reliability", LESSON, EXPERIMENTS, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
