"""What workers, simulated devices and tools train with: a small network, its loss, and batches in a fixed order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BATCH = 64
RATE, MOMENTUM = 0.05, 0.9
NORMS = ("group", "batch", "none")


def images(size: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 training images (size, 32, 32, 3) float32, about 0 on average, and their labels (size,)."""
    from cnnlib import datasets

    data = datasets.cifar10(size=size, test_size=10)
    return (data.x_train - 0.47).astype("float32"), data.y_train


def network(norm: str | Callable = "group", shape: tuple[int, int, int] = (32, 32, 3), seed: int = 0):
    """Three convolutions, each with a normalisation, and ten logits: about 24,000 weights.

    Args:
        norm: "group", "batch", "none", or a function that makes the layer.
        shape: of an image.
        seed: of the weights.
    """
    import keras
    from keras import layers

    if isinstance(norm, str) and norm not in NORMS:
        raise ValueError(f"norm={norm!r}: expected one of {', '.join(NORMS)}, or a function that makes a layer.")
    keras.utils.set_random_seed(seed)
    known = {"group": lambda: layers.GroupNormalization(4), "batch": layers.BatchNormalization, "none": layers.Identity}
    make = known[norm] if isinstance(norm, str) else norm
    x = inputs = keras.Input(shape)
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same")(x)
        x = layers.ReLU()(make()(x))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


# --- in NumPy alone: workers that start at once, and take little memory -----------------------------------------------


def first_weights(seed: int) -> list[np.ndarray]:
    """Kernels and biases of two convolutions and a dense layer, float32."""
    rng = np.random.default_rng(seed)
    weights = []
    for shape in ((3, 3, 3, 16), (3, 3, 16, 32), (32, 10)):
        spread = np.sqrt(2 / np.prod(shape[:-1]))
        weights += [(spread * rng.standard_normal(shape)).astype("float32"), np.zeros(shape[-1], "float32")]
    return weights


def loss_and_gradient(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> tuple[float, list[np.ndarray]]:
    """Mean cross-entropy of a batch and its gradient, by the functions of lessons 01 and 03 (`cnnlib.reference`)."""
    from cnnlib import reference

    k1, b1, k2, b2, k3, b3 = weights
    how = {"stride": 2, "padding": "same"}
    z1 = reference.conv2d(x, k1, b1, **how)
    a1 = reference.relu(z1)
    z2 = reference.conv2d(a1, k2, b2, **how)
    a2 = reference.relu(z2)
    pooled = reference.global_avg_pool(a2)
    logits = reference.dense(pooled, k3, b3)
    d_pooled, dk3, db3 = reference.dense_backward(reference.softmax_cross_entropy_grad(logits, y), pooled, k3)
    d2 = reference.relu_backward(reference.global_avg_pool_backward(d_pooled, a2), z2)
    d_a1, dk2, db2 = reference.conv2d_backward(d2, a1, k2, **how)
    _, dk1, db1 = reference.conv2d_backward(reference.relu_backward(d_a1, z1), x, k1, **how)
    return float(reference.cross_entropy(logits, y)), [dk1, db1, dk2, db2, dk3, db3]


# --- in Keras ---------------------------------------------------------------------------------------------------------


def loss():
    """Cross-entropy of logits, averaged over the batch."""
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def batch(step: int, length: int, size: int = BATCH, seed: int = 0) -> np.ndarray:
    """Indices of the examples of one step, (size,): a function of the seed and the step, and of nothing else.

    So a run that goes on in the middle, in another process, draws what it would have drawn.
    """
    if not 0 < size <= length:
        raise ValueError(f"a batch of {size} of {length} examples: expected 1 to {length}.")
    epoch, place = divmod(step, length // size)
    return np.random.default_rng([seed, epoch]).permutation(length)[place * size : (place + 1) * size]


class Sweep:
    """Trainings that differ in batch and learning rate only: the same network, first weights, images and epochs.

    Fashion-MNIST at 14 pixels: 4,000 images to train on, 1,000 for validation and 1,000 for the test. No normalisation,
    because batch normalisation would change with the batch.

    Args:
        seed: of the first weights, the order of the images, and which of them are for validation.
        size: training images.
        epochs: of each training.
    """

    def __init__(self, seed: int, size: int = 4000, epochs: int = 10):
        import keras

        from cnnlib import datasets

        data = datasets.fashion_mnist(test_size=1000)
        order = np.random.default_rng(seed).permutation(len(data.x_train))
        train, held = order[:size], order[size : size + 1000]
        self.parts = {
            "train": (_small(data.x_train[train]), data.y_train[train]),
            "validation": (_small(data.x_train[held]), data.y_train[held]),
            "test": (_small(data.x_test), data.y_test),
        }
        self.seed, self.epochs = seed, epochs
        self.model = network("none", (14, 14, 1), seed)
        self.first = self.model.get_weights()
        self.model.compile(keras.optimizers.SGD(0.1, MOMENTUM), loss())

    def train(self, size: int, rate: float, warmup: bool = False) -> dict[str, float]:
        """Accuracy on validation and test images after a training with batches of `size`.

        With `warmup` the rate climbs from that of a batch of 32 by the linear rule during the first epoch.
        """
        from cnnlib import training
        from cnnlib.parallel.scaling import linear_rate

        x, y = self.parts["train"]
        steps = -(-len(x) // size)
        model, optimizer = self.model, self.model.optimizer
        model.set_weights(self.first)
        for variable in optimizer.variables:
            if "learning_rate" not in variable.path:
                variable.assign(np.zeros(variable.shape, "float32"))
        factor = size / 32
        batches = training.Batches(x, y, size, self.seed)
        step = 0
        for epoch in range(self.epochs):
            batches.seek(epoch)
            for place in range(len(batches)):
                optimizer.learning_rate = linear_rate(step, rate / factor, factor, steps) if warmup else rate
                model.train_on_batch(*batches[place])
                step += 1
        return {part: self.accuracy(part) for part in ("validation", "test")}

    def accuracy(self, part: str) -> float:
        x, y = self.parts[part]
        logits = np.concatenate([self.model.predict_on_batch(x[i : i + 500]) for i in range(0, len(x), 500)])
        return float((logits.argmax(-1) == y).mean())


def _small(x: np.ndarray) -> np.ndarray:
    """Images of 28 pixels at 14, about 0 on average."""
    return (x.reshape(len(x), 14, 2, 14, 2, 1).mean((2, 4)) - 0.28).astype("float32")
