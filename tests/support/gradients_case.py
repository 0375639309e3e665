"""One fixed case of everything `cnnlib.gradients` does, run on the active backend: test_gradients.py runs it on each.

KERAS_BACKEND=jax python tests/support/gradients_case.py result.npz
"""

import sys

import keras
import numpy as np
from keras import layers, ops

from cnnlib import gradients


def small_model() -> keras.Model:
    """Convolution, batch normalisation, pooling and a dense layer, with a regulariser, and weights from NumPy."""
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", kernel_regularizer=keras.regularizers.L2(0.01), name="first"),
            layers.BatchNormalization(momentum=0.7, name="normalisation"),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(5, 3, strides=2, padding="same", activation="tanh", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="scores"),
        ],
        name="small",
    )
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    return model


def batch(seed: int = 2, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 8, 8, 3)).astype("float32"), rng.integers(0, 3, count)


def run() -> dict[str, np.ndarray]:
    """Named results, the same on every backend."""
    results: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 7, 6, 2)), rng.standard_normal((3, 2, 2, 4))

    def layer_loss(x, parameters):
        y = ops.conv(x, parameters["w"], strides=(2, 1), padding="same") + parameters["b"]
        return ops.mean(ops.softmax(y, axis=-1)[..., 0] ** 2) + ops.sum(ops.relu(x)) / 100

    for jit, how in ((True, "jit"), (False, "eager")):
        compute = gradients.value_and_grad(layer_loss, argnums=(0, 1), jit=jit)
        value, (dx, dparameters) = compute(x, {"w": w, "b": np.array([0.5, 0.0, -1.0, 2.0])})
        named = {"value": value, "dx": dx, "dw": dparameters["w"], "db": dparameters["b"]}

        model, (images, labels) = small_model(), batch()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        step = gradients.model_value_and_grad(model, loss, jit=jit)
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        for n in range(3):
            named[f"loss {n}"], grads = step(images, labels)
            optimizer.apply(grads, model.trainable_variables)
        for layer, weights in gradients.by_layer(model, grads).items():
            named |= {f"gradient of {layer} {weight}": gradient for weight, gradient in weights.items()}
        named |= {f"weight {n}": weight for n, weight in enumerate(model.get_weights())}
        named["input"] = gradients.input_gradient(model, jit=jit)(images, np.eye(3)[labels])
        results |= {f"{name} {how}": np.asarray(array, np.float64) for name, array in named.items()}
    return results


if __name__ == "__main__":
    np.savez(sys.argv[1], **run())
