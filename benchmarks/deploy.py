"""Runtimes for one network: Keras in four ways, LiteRT, ONNX Runtime and OpenVINO, in float32 and int8.

    python benchmarks/deploy.py                          # four networks, batches of 1 and 32
    python benchmarks/deploy.py --threads 1              # on one core: steadier on a busy machine
    python benchmarks/deploy.py --networks resnet20 --quick
    python benchmarks/deploy.py --json FILE              # the numbers, too, as `measure_deploy.py runtimes` keeps them

What is not installed is left out, with a line that says how to get it (the extra ``deploy``). Outputs are compared
first, with those of the compiled Keras model: float32 within 1e-4 of each logit, int8 by the share of images in which
the first class is the same. A disagreement ends the benchmark. Times are medians of repetitions in turns, wall clock;
beside them stand the middle half of the ratios turn by turn, and the ratio of processor time, which other work on the
machine disturbs least. TensorFlow only: other backends export to fewer formats.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from convolution import THREADS

FLOOR = "Keras, compiled"
CLOSE, SAME = 1e-4, 0.8  # largest difference of a float32 logit; share of images with the same class in int8
KERAS = {FLOOR: "compiled", "Keras, predict_on_batch": "predict_on_batch", "Keras, predict": "predict"}
FILES = {  # name -> suffix, precision, runtime, packages
    "LiteRT": (".tflite", "float32", None, ()),
    "LiteRT, int8": (".tflite", "int8", None, ()),
    "ONNX Runtime": (".onnx", "float32", "onnxruntime", ("onnx", "tf2onnx", "onnxruntime")),
    "ONNX Runtime, int8": (".onnx", "int8", "onnxruntime", ("onnx", "tf2onnx", "onnxruntime")),
    "OpenVINO": (".xml", "float32", "openvino", ("openvino",)),
    "OpenVINO, int8": (".xml", "int8", "openvino", ("openvino", "nncf")),
}


def networks() -> dict[str, Callable]:
    """name -> a function that gives the network, 100 images to calibrate with, and 100 to compare on."""
    from cnnlib import datasets, models

    def small(build: Callable) -> Callable:
        def made():
            data = datasets.cifar10(size=100, test_size=100)
            return build(), data.x_train, data.x_test

        return made

    def lite0():
        crops = []
        for name in datasets.photograph_names():
            image = datasets.photograph(name)
            if image.ndim == 3 and min(image.shape[:2]) >= 224:
                down, right = image.shape[0] - 224, image.shape[1] - 224
                corners = ((0, 0), (down, right), (down // 2, right // 2))
                crops += [image[r : r + 224, c : c + 224] for r, c in corners]
        images = (np.stack(crops).astype("float32") - 127) / 128
        return models.EfficientNetLite0(weights="imagenet"), images[::2], images[1::2]

    thin = {"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.5, "small_images": True}
    return {
        "resnet20": small(lambda: models.CifarResNet(20, weights="cifar10")),
        "small_vgg": small(lambda: models.SmallVGG(weights="cifar10")),
        "mobilenetv2": small(lambda: models.MobileNetV2(weights="cifar10", **thin)),
        "efficientnet_lite0": lite0,
    }


def runners(model, calibration: np.ndarray, folder: Path, threads: int | None = None) -> tuple[dict, list[str]]:
    """Everything that can run here, by name, and the names of what cannot."""
    from cnnlib import deploy

    found = {name: deploy.load(model, way) for name, way in KERAS.items()}
    absent = []
    for name, (suffix, precision, engine, packages) in FILES.items():
        if not all(map(deploy.installed, packages)):
            absent.append(name)
            continue
        path = folder / f"{model.name}-{precision.replace(' ', '-')}{suffix}"
        deploy.export(model, path, precision=precision, calibration=calibration[:100])
        found[name] = deploy.load(path, engine, threads)
    return found, absent


def agreement(found: dict, images: np.ndarray) -> dict[str, tuple[float, float]]:
    """Of each: how far its logits are from those of the compiled Keras model at most, and the share of same classes."""
    expected = found[FLOOR].predict(images)
    told = {}
    for name, run in found.items():
        came = run.predict(images)
        told[name] = float(np.abs(came - expected).max()), float(np.mean(came.argmax(-1) == expected.argmax(-1)))
    return told


def disagreements(agreed: dict[str, tuple[float, float]]) -> list[str]:
    """What does not say the same as the compiled Keras model, and by how much."""
    return [
        f"{name}: logits up to {apart:.1e} apart, the same class for {same:.0%}"
        for name, (apart, same) in agreed.items()
        if ((same < SAME) if "int8" in name else not apart <= CLOSE)
    ]


def times(found: dict, images: np.ndarray, repetitions: int) -> dict:
    """`deploy.Timing` of each on this batch, in turns."""
    from cnnlib import deploy

    return deploy.compare(found, images, repetitions=repetitions)


def ratios(measured: dict) -> dict[str, dict[str, float]]:
    """Of each: time over that of the compiled Keras model, and the quarter and three quarters of its turns."""
    floor = measured[FLOOR]
    told = {}
    for name, timing in measured.items():
        low, high = np.percentile(timing.wall / floor.wall, (25, 75))
        told[name] = {
            "wall": timing.p50 / floor.p50,
            "low": float(low),
            "high": float(high),
            "processor": timing.cpu / floor.cpu,
            "ms": timing.p50,
            "processor ms": timing.cpu,
        }
    return told


def versions() -> dict[str, str]:
    """Of the runtimes and converters that are installed."""
    names = ("keras", "tensorflow", "ai-edge-litert", "onnx", "tf2onnx", "onnxruntime", "openvino", "nncf")
    told = {}
    for name in names:
        try:
            told[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return told


def load_average() -> str:
    """How many programs wanted to run in the last minute, and how many cores there are; empty where none tells."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="batch 1, few repetitions")
    parser.add_argument("--threads", type=int, help="cores to use")
    parser.add_argument("--networks", nargs="+", help="some of the four")
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    options = parser.parse_args(arguments)
    if options.threads and os.environ.get("OMP_NUM_THREADS") != str(options.threads):  # read at import
        count = str(options.threads)
        environment = os.environ | dict.fromkeys([*THREADS, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"], count)
        more = sys.argv[1:] if arguments is None else arguments
        return subprocess.run([sys.executable, __file__, *more], env=environment, check=False).returncode
    from cnnlib import runtime
    from cnnlib.deploy.extras import EXTRA

    if runtime.backend() != "tensorflow":
        print("this benchmark is of Keras on TensorFlow, which exports to all of them")
        return 0
    known = networks()
    if unknown := set(options.networks or ()) - set(known):
        parser.error(f"unknown {', '.join(sorted(unknown))}; there is {', '.join(known)}")
    kept: dict = {"versions": versions(), "threads": options.threads or 0, "load": [load_average()], "networks": {}}
    for name in options.networks or known:
        model, calibration, images = known[name]()
        with tempfile.TemporaryDirectory() as folder:
            found, absent = runners(model, calibration, Path(folder), options.threads)
            agreed = agreement(found, images)
            if wrong := disagreements(agreed):
                print(f"{name}: not the same as {FLOOR}\n  " + "\n  ".join(wrong))
                return 1
            own = kept["networks"][name] = {"agreement": agreed}
            for batch in (1,) if options.quick else (1, 32):
                part = np.resize(images, (batch, *images.shape[1:]))
                measured = times(found, part, 3 if options.quick else (20 if batch == 1 else 7))
                floor = measured[FLOOR]
                own[f"batch {batch}"] = ratios(measured)
                print(f"{name}, batch {batch}: 1.00 = {floor.p50:.2f} ms, processor {floor.cpu:.2f} ms")
                for each, told in own[f"batch {batch}"].items():
                    among = f"{told['low']:.2f} to {told['high']:.2f}, processor {told['processor']:.2f}"
                    print(f"{told['wall']:9.3g}  {each}  ({among})", flush=True)
        if absent:
            print(f"left out: {', '.join(absent)}; {EXTRA} installs what they need")
        kept["load"].append(load_average())
        if options.json:  # after each network: what is there stays if the next one fails
            options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
