"""One fixed case of what `cnnlib.explain` computes, run on the active backend: test_explain.py runs it on each.

KERAS_BACKEND=jax python tests/support/explain_case.py result.npz
"""

import sys

import keras
import numpy as np
from keras import layers

from cnnlib import explain


def branching(seed: int = 19) -> keras.Model:
    """A backbone with a shortcut across its last convolution, inside a model with a head; weights from NumPy."""
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="tanh", name="first")(image)
    y = layers.Conv2D(6, 3, padding="same", name="last")(x)
    y = layers.BatchNormalization(name="norm")(y)
    backbone = keras.Model(image, layers.ReLU(name="maps")(layers.Add(name="sum")([x, y])), name="backbone")
    outer = keras.Input((12, 12, 3))
    pooled = layers.GlobalAveragePooling2D(name="pool")(backbone(outer))
    model = keras.Model(outer, layers.Dense(4, name="scores")(pooled), name="nested")
    rng = np.random.default_rng(seed)
    model.set_weights([np.abs(rng.normal(0, 0.4, w.shape)) if "var" in v.path else rng.normal(0, 0.4, w.shape)
                       for v, w in zip(model.weights, model.get_weights())])  # fmt: skip
    return model


def images(count: int = 5, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 12, 12, 3)).astype("float32")


def case() -> dict[str, np.ndarray]:
    model, batch = branching(), images()
    return {
        "grad_cam": explain.grad_cam(model, batch),
        "grad_cam of class 2": explain.grad_cam(model, batch, 2),
        "grad_cam of another layer": explain.grad_cam(model, batch, [0, 1, 2, 3, 0], layer="backbone/first"),
        "grad_cam++": explain.grad_cam(model, batch, 1, layer="maps", plus_plus=True),
        "saliency": explain.saliency(model, batch),
        "smooth_grad": explain.smooth_grad(model, batch, samples=3),
        "integrated_gradients": explain.integrated_gradients(model, batch, steps=8),
        "occlusion": explain.occlusion(model, batch, window=4, stride=2),
        "activations": explain.activations(model, batch, "norm"),
        "penultimate": explain.penultimate(model, batch),
        "maximise": explain.maximise(model, 1, steps=6),
        "maximise a channel": explain.maximise(model, 3, layer="last", steps=6),
        "enlarged": explain.enlarged(explain.grad_cam(model, batch, layer="maps"), (17, 20)),
    }


if __name__ == "__main__":
    keras.config.disable_traceback_filtering()
    np.savez(sys.argv[1], **case())
