"""Grad-CAM of MobileNetV2 against its floor and its peers: time as a multiple of the floor.

    python benchmarks/explain.py               # batches of 1 and 16 images of 224 x 224
    python benchmarks/explain.py --threads 1   # the same on one core: steadier on a busy machine
    python benchmarks/explain.py --quick       # small images and few repetitions, to see that it runs

The floor is what no Grad-CAM can do without: one forward pass and the gradient of the head by the maps, compiled by
TensorFlow for this one model, cut in two by hand. Ours, and the peers that are installed (tf-keras-vis, tf-explain,
xplique), give the maps of the same class, which are compared with the floor's first: ours to 1e-5 of their maximum, or
the run ends with exit status 1. The class is one whose map is not zero. Times are medians of repetitions in turns.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from convolution import THREADS

OURS = "cnnlib.explain.grad_cam"
NESTED = "the same, the network inside a model"
TARGET = 1.1
LAYER = "Conv_1"

Method = Callable[[np.ndarray], np.ndarray]


def network(size: int):
    import keras

    model = keras.applications.MobileNetV2((size, size, 3), weights=None, classifier_activation=None)
    rng = np.random.default_rng(0)
    for layer in model.layers:  # kernels that neither shrink nor blow up what they pass on
        if "conv" in type(layer).__name__.lower():
            (kernel,) = layer.get_weights()
            fan_in = kernel[..., 0].size if kernel.shape[-1] > 1 else kernel.shape[0] * kernel.shape[1]
            layer.set_weights([rng.normal(0, (2 / fan_in) ** 0.5, kernel.shape)])
    return model


def floor(model, label: int) -> Method:
    """The maps of class ``label`` by a model cut in two at the layer, in one TensorFlow graph without XLA."""
    import keras
    import tensorflow as tf

    body = keras.Model(model.input, model.get_layer(LAYER).output)
    head = keras.Model(model.get_layer(LAYER).output, model.output)

    @tf.function(jit_compile=False)
    def parts(images):
        maps = body(images, training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(maps)
            score = tf.reduce_sum(head(maps, training=False)[:, label])
        return maps, tape.gradient(score, maps)

    def run(images: np.ndarray) -> np.ndarray:
        maps, gradient = (tensor.numpy() for tensor in parts(tf.constant(images)))
        return np.maximum(np.einsum("nhwc,nc->nhw", maps, gradient.mean(axis=(1, 2))), 0)

    return run


def tf_keras_vis(model, label: int) -> Method:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    explainer = Gradcam(model, clone=False)

    def run(images: np.ndarray) -> np.ndarray:
        settings = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}
        return np.asarray(explainer(CategoricalScore([label] * len(images)), images, LAYER, **settings))

    return run


def tf_explain(model, label: int) -> Method:
    from tf_explain.core.grad_cam import GradCAM

    def run(images: np.ndarray) -> np.ndarray:
        maps, gradient = GradCAM.get_gradients_and_filters(model, images, LAYER, label, use_guided_grads=False)
        return np.asarray(GradCAM.generate_ponderated_output(maps, gradient))

    return run


def xplique(model, label: int) -> Method:
    from xplique.attributions import GradCAM

    classes = model.output_shape[-1]
    explainers: dict[int, GradCAM] = {}

    def run(images: np.ndarray) -> np.ndarray:
        if len(images) not in explainers:
            explainers[len(images)] = GradCAM(model, conv_layer=LAYER, batch_size=len(images))
        targets = np.eye(classes, dtype="float32")[[label] * len(images)]
        return np.asarray(explainers[len(images)].explain(images, targets))

    return run


PEERS = {"tf_keras_vis": tf_keras_vis, "tf_explain": tf_explain, "xplique": xplique}


def methods(model, label: int) -> dict[str, Method]:
    import keras

    from cnnlib import explain

    nested = keras.Sequential([keras.Input(model.input_shape[1:]), model])
    entries = {
        "floor": floor(model, label),
        OURS: lambda images: explain.grad_cam(model, images, label, layer=LAYER),
        NESTED: lambda images: explain.grad_cam(nested, images, label, layer=LAYER),
    }
    for package, make in PEERS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed: left out")
            continue
        try:
            entries[package.replace("_", "-")] = make(model, label)
        except Exception as error:  # a peer that does not work with this Keras is a result, too
            print(f"{package} cannot be used here: {type(error).__name__}: {str(error).splitlines()[0][:90]}")
    return entries


def lively_class(model, images: np.ndarray) -> int:
    """A class whose maps are not all zero for any of the images, by ours."""
    from cnnlib import explain

    for label in range(50):
        maps = explain.grad_cam(model, images, label, layer=LAYER)
        if (maps.max(axis=(1, 2)) > 1e-8).all():
            return label
    raise SystemExit("no class among the first 50 has a map that is positive for each image")


def measure(size: int, batches: tuple[int, ...], repetitions: int) -> int:
    """Compare the maps, then print the ratios; 1 if ours differ from the floor's, else 0."""
    model = network(size)
    images = np.random.default_rng(0).uniform(-1, 1, (max(batches), size, size, 3)).astype("float32")
    label = lively_class(model, images)
    entries = methods(model, label)
    print(f"MobileNetV2 at {size} x {size}, float32; 1.00 = a forward pass and the gradient of the head, compiled")
    for batch in batches:
        expected = entries["floor"](images[:batch])
        for name in list(entries):
            try:
                found = entries[name](images[:batch])
            except Exception as error:
                print(f"{name} fails: {type(error).__name__}: {str(error).splitlines()[0][:90]}")
                del entries[name]
                continue
            if found.shape == expected.shape:
                apart = np.abs(found - expected).max() / expected.max()
                if name in (OURS, NESTED) and apart > 1e-5:
                    print(f"{name} differs from the floor by {apart:.1e} of the maximum")
                    return 1
                if name != "floor":
                    print(f"  maps of {name}: within {apart:.0e} of the maximum")
        seconds: dict[str, list[float]] = {name: [] for name in entries}
        for _ in range(repetitions):
            for name, run in entries.items():
                start = time.perf_counter()
                run(images[:batch])
                seconds[name].append(time.perf_counter() - start)
        base = statistics.median(seconds["floor"])
        print(f"batch {batch}: 1.00 = {1000 * base:.1f} ms, median of {repetitions} in turns")
        for name, values in seconds.items():
            ratios = sorted(value / low for value, low in zip(values, seconds["floor"]))
            target = f"   (target {TARGET})" if name == OURS else ""
            print(f"{statistics.median(ratios):9.2f}  {name}{target}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="cores that every library may use")
    parser.add_argument("--quick", action="store_true", help="a small case, to see that it runs")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("tensorflow") is None:
        print("The floor needs TensorFlow, which is not installed: nothing to compare.")
        return 0
    if options.threads or os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":  # read at import
        environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
        if options.threads:
            environment |= dict.fromkeys(THREADS, str(options.threads))
        return subprocess.run(
            [sys.executable, __file__, *(["--quick"] if options.quick else [])], env=environment
        ).returncode
    return measure(96, (1, 2), 3) if options.quick else measure(224, (1, 16), 15)


if __name__ == "__main__":
    sys.exit(main())
