"""Measure what lesson 16 shows as stored runs, and keep it in data/results/deploy_*.json.

    python tools/measure_deploy.py                       # all experiments, seeds 0 to 2
    python tools/measure_deploy.py int8 choices --seeds 0 1 2
    python tools/measure_deploy.py choices --again      # replaces what is there

int8           accuracy on the 2,000 bundled test images, and kB, of two CIFAR-10 networks in LiteRT by precision. The
               seed draws the 100 calibration images.
sensitivity    ResNet-20 and MobileNetV2 with one layer at a time in int8, and with all, by channel and by tensor: how
               far the logits move, as a share of their spread. Each seed has 100 images of its own.
pruning        small VGG after one epoch on 3,000 training images: as it was, four fifths of the weights 0 (and kept 0),
               half of the channels gone; beside it before that epoch. The seed draws images and their order.
choices        accuracy, kB, p50, p95 of networks, resolutions, widths and precisions in LiteRT, one thread, batches of
               1 and 8; times are processor time, which other work on the machine disturbs least

Time depends on the machine; a seed is then no more than a repetition. Seeds that are stored are left as they are.
Keras on TensorFlow.
"""

import functools
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _measured
import keras
import numpy as np
from run_experiments import RESULTS

from cnnlib import datasets, deploy, models
from cnnlib.trace import trace

LESSON = "16_fast_enough"
THIN = {"num_classes": 10, "width": 0.5, "small_images": True}
NETWORKS = {
    "ResNet-20": (lambda size: models.CifarResNet(20, input_shape=(size, size, 3)), "resnet20_cifar10"),
    "small VGG": (lambda size: models.SmallVGG(input_shape=(size, size, 3)), "small_vgg_cifar10"),
    "MobileNetV2": (lambda size: models.MobileNetV2(input_shape=(size, size, 3), **THIN), "mobilenetv2_cifar10"),
}
BATCH, RATE = 100, 0.004


@functools.cache
def network_of(name: str, size: int = 32) -> keras.Model:
    build, weights = NETWORKS[name]
    model = build(size)
    datasets.load_weights(model, weights)
    return model


@functools.cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="deploy-"))


def calibration_images(seed: int, count: int = 100) -> np.ndarray:
    data = datasets.cifar10(test_size=10)
    return data.x_train[np.random.default_rng(seed).choice(len(data.x_train), count, replace=False)]


def accuracy(run: deploy.Runner, images: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(run.predict(images).argmax(-1) == labels))


# --- fewer bits ------------------------------------------------------------------------------------------------------


@functools.cache
def exported(name: str, precision: str, seed: int | None, count: int) -> tuple[deploy.Exported, float]:
    """The file, and its accuracy; only in int8 the calibration images, and so the seed, make a difference."""
    path = folder() / f"{name}-{precision}-{seed}.tflite".replace(" ", "_")
    images = calibration_images(seed) if precision == "int8" else None
    file = deploy.export(network_of(name), path, precision=precision, calibration=images)
    data = datasets.cifar10(size=10, test_size=count)
    return file, accuracy(deploy.load(path), data.x_test, data.y_test)


def int8(seed: int, count: int = 2000) -> dict:
    run: dict = {}
    for name in ("ResNet-20", "MobileNetV2"):
        own = {}
        for precision in deploy.PRECISIONS:
            file, found = exported(name, precision, seed if precision == "int8" else None, count)
            own[precision] = {"accuracy": found, "kB": file.bytes / 1000}
        run[name] = own
    return run


def sensitivity(seed: int, count: int = 100) -> dict:
    data = datasets.cifar10()
    images = data.x_test[seed * count : (seed + 1) * count]
    run = {}
    for name in ("ResNet-20", "MobileNetV2"):
        simulated = deploy.Int8(network_of(name), calibration_images(seed))
        exact = simulated.only().predict(images)
        spread = float(exact.std())

        def moved(logits, exact=exact, spread=spread):
            return float(np.sqrt(np.mean((logits - exact) ** 2))) / spread

        run[name] = {
            "layers": {each: moved(simulated.only(each).predict(images)) for each in simulated.layers},
            "types": {row.name: row.type for row in trace(simulated.model) if row.name in simulated.layers},
            "all": moved(simulated.only(*simulated.layers).predict(images)),
            "all, per tensor": moved(deploy.Int8(network_of(name), calibration_images(seed), False).predict(images)),
        }
    return run


# --- fewer weights ---------------------------------------------------------------------------------------------------


class KeepZeros(keras.callbacks.Callback):
    """Weights that are 0 at the start stay 0."""

    def on_train_begin(self, logs=None):
        self.masks = [(v, np.float32(keras.ops.convert_to_numpy(v) != 0)) for v in self.model.trainable_variables]
        self.masks = [(v, mask) for v, mask in self.masks if len(mask.shape) > 1 and not mask.all()]

    def on_train_batch_end(self, batch, logs=None):
        for variable, mask in self.masks:
            variable.assign(variable * mask)


def tuned(model: keras.Model, x, y, seed: int, rate: float = 0.001, epochs: int = 1) -> keras.Model:
    keras.utils.set_random_seed(seed)
    steps = epochs * -(-len(x) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(x, y, batch_size=BATCH, epochs=epochs, callbacks=[KeepZeros()], verbose=0)
    return model


def pruning(seed: int, count: int = 3000, judged: int = 1000) -> dict:
    data = datasets.cifar10(test_size=judged)
    chosen = np.random.default_rng(seed).choice(len(data.x_train), count, replace=False)
    model = network_of("small VGG")
    arms = {
        "as it was": keras.models.clone_model(model),
        "four fifths of the weights": deploy.without_weights(model, 0.8),
        "half of the channels": deploy.without_channels(model, 0.5),
    }
    arms["as it was"].set_weights(model.get_weights())
    run = {}
    for name, each in arms.items():
        before = accuracy(deploy.load(each), data.x_test, data.y_test)
        tuned(each, data.x_train[chosen], data.y_train[chosen], seed)
        run[name] = {
            "before": before,
            "after": accuracy(deploy.load(each), data.x_test, data.y_test),
            "MACs": trace(each).total_macs,
            "kB": 4 * each.count_params() / 1000,
            "kB, compressed": deploy.zipped_bytes(each) / 1000,
        }
    return run


# --- time ------------------------------------------------------------------------------------------------------------


def smaller(images: np.ndarray, size: int) -> np.ndarray:
    if size == images.shape[1]:
        return images
    return keras.ops.convert_to_numpy(keras.ops.image.resize(images, (size, size), antialias=True)).astype("float32")


@functools.cache
def half_as_wide() -> keras.Model:
    data = datasets.cifar10(test_size=10)
    return tuned(
        deploy.without_channels(network_of("small VGG"), 0.5), data.x_train, data.y_train, seed=0, rate=RATE, epochs=3
    )


@functools.cache
def candidate(name: str, size: int, precision: str) -> tuple[deploy.Exported, float]:
    """The file and its accuracy; neither changes from one repetition to the next."""
    data = datasets.cifar10()
    if name == "small VGG, half as wide":
        model = half_as_wide()
    else:
        model = network_of(name, size)
    path = folder() / f"{name}-{size}-{precision}.tflite".replace(" ", "_")
    images = smaller(calibration_images(0), size) if precision == "int8" else None
    file = deploy.export(model, path, precision=precision, calibration=images)
    return file, accuracy(deploy.load(path), smaller(data.x_test, size), data.y_test)


CANDIDATES = (
    ("ResNet-20", 32),
    ("small VGG", 32),
    ("small VGG", 24),
    ("small VGG, half as wide", 32),
    ("MobileNetV2", 32),
)


def choices(seed: int, repetitions: int = 100) -> dict:
    data = datasets.cifar10(test_size=10)
    options = []
    for name, size in CANDIDATES:
        for precision in ("float32", "int8"):
            file, found = candidate(name, size, precision)
            run = deploy.load(file.path, threads=1)
            for batch in (1, 8):
                images = np.resize(smaller(data.x_test, size), (batch, size, size, 3))
                timing = deploy.latency(run, images, repetitions=repetitions)
                options.append(
                    {
                        "network": name,
                        "pixels": size,
                        "precision": precision,
                        "batch": batch,
                        "accuracy": found,
                        "kB": file.bytes / 1000,
                        "p50": float(np.percentile(timing.processor, 50)),
                        "p95": float(np.percentile(timing.processor, 95)),
                    }
                )
    return {"options": options}


EXPERIMENTS: dict[str, Callable] = {
    "int8": int8,
    "sensitivity": sensitivity,
    "pruning": pruning,
    "choices": choices,
}


def main(arguments: list[str] | None = None) -> int:
    return _measured.main(arguments, __doc__, "deploy", LESSON, EXPERIMENTS, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
