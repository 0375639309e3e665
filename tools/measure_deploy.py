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

distillation   a small VGG of a quarter of the width, trained on 2,500 images with their labels, with smoothed labels,
               and with the probabilities of the shipped small VGG. Each with the rate, and the smoothing or the
               temperature, that was best for it on 1,000 other images, for a seed of its own. The seed draws the
               images, their order and the first weights: the same for all three.
startup        processes that load a library, then ResNet-20, and classify one image again and again: the time of each
               step, wall clock and processor; one thread. What is not installed is left out
runtimes       `benchmarks/deploy.py --threads 1`: ratios of runtimes within one run. What is not installed is left out

Time depends on the machine; a seed is then no more than a repetition. Seeds that are stored are left as they are.
Keras on TensorFlow.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _measured
import keras
import numpy as np
from _lessons import ROOT
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


# --- a teacher -------------------------------------------------------------------------------------------------------

SETTINGS = {  # of each arm: (rate, what makes its targets soft)
    "labels": [(rate, None) for rate in (0.004, 0.012)],
    "smoothed labels": [(rate, 0.1) for rate in (0.004, 0.012)],
    "teacher": [(rate, temperature) for rate in (0.004, 0.012) for temperature in (2, 5)],
}
CHOOSING = 100  # the seed for which settings are chosen, on validation images


def softened(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, classes) at a temperature."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@functools.cache
def teacher_logits() -> np.ndarray:
    """Of all bundled training images and their mirror images, (2, n, 10)."""
    images = datasets.cifar10(test_size=10).x_train
    run = deploy.load(network_of("small VGG"))
    return np.stack([run.predict(images), run.predict(images[:, :, ::-1])])


def images_of(seed: int, count: int, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images are trained on, and which others are held out."""
    order = np.random.default_rng(seed).permutation(8000)
    return order[:count], order[count : count + held_out]


def student(arm: str, setting: tuple, chosen: np.ndarray, seed: int, epochs: int) -> keras.Model:
    """The small network after training; only the targets, and what they are compared with, depend on the arm."""
    rate, soft = setting
    data = datasets.cifar10(test_size=10)
    exact = np.eye(10, dtype="float32")[data.y_train[chosen]]
    targets, temperature = [exact, exact], 1.0
    if arm == "smoothed labels":
        targets = [(1 - soft) * each + soft / 10 for each in targets]
    elif arm == "teacher":
        targets, temperature = [softened(each[chosen], soft) for each in teacher_logits()], float(soft)

    def loss(wanted, logits):
        return temperature**2 * keras.losses.categorical_crossentropy(wanted, logits / temperature, from_logits=True)

    keras.utils.set_random_seed(seed)
    model = models.SmallVGG(filters=(8, 16, 32), dropout=0.0)
    x = np.concatenate([data.x_train[chosen], data.x_train[chosen][:, :, ::-1]])
    steps = epochs * -(-len(x) // BATCH)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)), loss)
    model.fit(x, np.concatenate(targets), batch_size=BATCH, epochs=epochs, verbose=0)
    return model


@functools.cache
def best_settings(count: int, epochs: int, held_out: int) -> dict[str, dict]:
    """Arm -> the setting with the highest accuracy on validation images, and the accuracy of all."""
    chosen, others = images_of(CHOOSING, count, held_out)
    data = datasets.cifar10(test_size=10)
    found = {}
    for arm, settings in SETTINGS.items():
        right = []
        for setting in settings:
            model = student(arm, setting, chosen, CHOOSING, epochs)
            right.append(accuracy(deploy.load(model), data.x_train[others], data.y_train[others]))
            print(f"{arm} {setting}: {right[-1]:.3f}", flush=True)
        rate, soft = settings[int(np.argmax(right))]
        found[arm] = {"rate": rate, "softness": soft, "on validation": right}
    return found


def distillation(seed: int, count: int = 2500, epochs: int = 8, held_out: int = 1000, judged: int = 2000) -> dict:
    data = datasets.cifar10(test_size=judged)
    run: dict = {"settings": best_settings(count, epochs, held_out), "accuracy": {}}
    chosen, _ = images_of(seed, count, held_out)
    for arm, setting in run["settings"].items():
        model = student(arm, (setting["rate"], setting["softness"]), chosen, seed, epochs)
        run["accuracy"][arm] = accuracy(deploy.load(model), data.x_test, data.y_test)
    run["teacher"] = accuracy(deploy.load(network_of("small VGG")), data.x_test, data.y_test)
    run["weights"] = {"student": model.count_params(), "teacher": network_of("small VGG").count_params()}
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


# What a new process does: a library, a network, one image, and many. Each says what it has spent since it began.
STARTS = {
    "Keras on TensorFlow": ("tensorflow", "tensorflow", ""),
    "Keras on JAX": ("jax", "jax", ""),
    "Keras on PyTorch": ("torch", "torch", ""),
    "LiteRT": ("ai_edge_litert", None, ".tflite"),
    "ONNX Runtime": ("onnxruntime", None, ".onnx"),
    "OpenVINO": ("openvino", None, ".xml"),
}
LOADING = {
    "": """
from cnnlib import models, gradients
spent("library")
model = models.CifarResNet(20, weights="cifar10")
call = gradients.forward(model)
""",
    ".tflite": """
from ai_edge_litert.interpreter import Interpreter
spent("library")
inside = Interpreter(path, num_threads=1)
inside.allocate_tensors()
given, told = inside.get_input_details()[0]["index"], inside.get_output_details()[0]["index"]
def call(images):
    inside.set_tensor(given, images)
    inside.invoke()
    return inside.get_tensor(told)
""",
    ".onnx": """
import onnxruntime
spent("library")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
inside = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
given = inside.get_inputs()[0].name
call = lambda images: inside.run(None, {given: images})[0]
""",
    ".xml": """
import openvino
spent("library")
settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
inside = openvino.Core().compile_model(path, "CPU", settings)
call = lambda images: inside(images)[0]
""",
}
PROCESS = """
import json, sys, time
path, began, marks = sys.argv[1], float(sys.argv[2]), []
def spent(what):
    marks.append((what, 1000 * (time.time() - began), 1000 * time.process_time()))
import numpy as np
image = np.full((1, 32, 32, 3), 0.5, "float32")
{loading}
spent("network")
first = np.asarray(call(image))
spent("first call")
for _ in range(20):
    last = np.asarray(call(image))
spent("20 more")
print(json.dumps({{"marks": marks, "logits": last[0].tolist()}}))
"""


def startup(seed: int) -> dict:
    """Milliseconds of each step of a new process, by wall clock and of the processor."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    expected = deploy.load(network_of("ResNet-20"))(np.full((1, 32, 32, 3), 0.5, "float32"))[0]
    run = {}
    for name, (package, backend, suffix) in STARTS.items():
        if not deploy.installed(package) or (suffix == ".onnx" and not deploy.installed("tf2onnx")):
            continue
        path = folder() / f"startup{suffix}"
        if suffix and not path.exists():
            deploy.export(network_of("ResNet-20"), path)
        environment = os.environ | one | ({"KERAS_BACKEND": backend} if backend else {})
        command = [sys.executable, "-c", PROCESS.format(loading=LOADING[suffix]), str(path), repr(time.time())]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        apart = np.abs(np.array(told["logits"]) - expected).max()
        if not apart < 1e-4:
            raise RuntimeError(f"{name}: logits {apart:.1e} from those of Keras")
        names = [what for what, *_ in told["marks"]]
        steps = np.diff([[0, 0], *(times for _, *times in told["marks"])], axis=0)
        steps[names.index("20 more")] /= 20
        names[names.index("20 more")] = "a later call"
        run[name] = {kind: dict(zip(names, steps[:, column])) for column, kind in enumerate(("wall", "processor"))}
    return run


def runtimes(seed: int) -> dict:
    """What the benchmark stores, each time a run of its own."""
    file = folder() / f"runtimes-{seed}.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "deploy.py"), "--threads", "1", "--json", str(file)]
    subprocess.run(command, cwd=ROOT, check=True)
    return json.loads(file.read_text(encoding="utf-8"))


EXPERIMENTS: dict[str, Callable] = {
    "int8": int8,
    "sensitivity": sensitivity,
    "pruning": pruning,
    "choices": choices,
    "distillation": distillation,
    "startup": startup,
    "runtimes": runtimes,
}


def main(arguments: list[str] | None = None) -> int:
    return _measured.main(arguments, __doc__, "deploy", LESSON, EXPERIMENTS, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
