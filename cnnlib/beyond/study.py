"""The trainings that lesson 18 compares: with how little data, without labels, and on permuted pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from keras import layers, ops

from cnnlib import datasets, gradients, transfer
from cnnlib.beyond import restoration, vit

__all__ = [
    "ATTRIBUTES",
    "OF_CLASSES",
    "accuracy",
    "augmented",
    "colours",
    "enlarging",
    "outputs",
    "permutation",
    "rotated",
    "steps_of_both",
    "train",
]


def train(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    *,
    rate: float,
    steps: int,
    size: int = 128,
    seed: int = 0,
    prepare: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
) -> keras.Model:
    """Train a classifier with Adam for a number of steps; the rate climbs for a twentieth and falls like a cosine.

    Args:
        model: logits out.
        x, y: images and class numbers. All are seen before one is seen again.
        rate: the highest learning rate.
        steps: of `size` images each.
        seed: of the order of the images, and of what `prepare` draws.
        prepare: makes of a batch what the network is shown, as :func:`augmented`.
    """
    if len(x) != len(y) or not len(x) or steps < 1:
        raise ValueError(f"{len(x)} images, {len(y)} classes, {steps} steps: expected as many of both, and a step.")
    rng = np.random.default_rng(seed)
    size = min(size, len(x))
    schedule = np.concatenate([np.linspace(0, 1, max(1, steps // 20), endpoint=False), np.zeros(steps)])[:steps]
    left = np.arange(steps) - max(1, steps // 20)
    falls = left >= 0
    schedule[falls] = 0.5 * (1 + np.cos(np.pi * left[falls] / max(1, falls.sum())))
    if schedule[0] == 0:
        schedule[0] = schedule[1] / 2 if steps > 1 and schedule[1] else 1
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss)
    order = np.empty(0, int)
    for step in range(steps):
        if len(order) < size:
            order = np.concatenate([order, rng.permutation(len(x))])
        now, order = order[:size], order[size:]
        model.optimizer.learning_rate = float(rate * schedule[step])
        batch = x[now] if prepare is None else prepare(x[now], rng)
        model.train_on_batch(batch, y[now])
    return model


def accuracy(model: keras.Model, x: np.ndarray, y: np.ndarray, size: int = 500) -> float:
    """The share of images whose largest logit is that of their class."""
    return float((outputs(model, x, size).argmax(-1) == y).mean())


def outputs(model: keras.Model, x: np.ndarray, size: int = 500) -> np.ndarray:
    """What a network gives for all images, some at a time; called and not compiled, as it is asked once."""
    parts = (ops.convert_to_numpy(model(x[start : start + size], training=False)) for start in range(0, len(x), size))
    return np.concatenate(list(parts))


def augmented(x: np.ndarray, rng: np.random.Generator, shift: int = 3) -> np.ndarray:
    """Each image shifted by up to `shift` pixels and mirrored or not; the edge is repeated."""
    padded = np.pad(x, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    height, width = x.shape[1:3]
    tops, lefts = rng.integers(0, 2 * shift + 1, (2, len(x)))
    steps = np.where(rng.random(len(x)) < 0.5, 1, -1)
    return np.stack([p[t : t + height, a : a + width][:, ::s] for p, t, a, s in zip(padded, tops, lefts, steps)])


def colours(x: np.ndarray) -> np.ndarray:
    """Images in [0, 1] about 0, in about -2 to 2."""
    return ((x - 0.5) * 4).astype("float32")


def rotated(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each image in four directions, and which: (4n, h, w, c) and numbers 0 to 3 (Gidaris and others 2018)."""
    if x.shape[1] != x.shape[2]:
        raise ValueError(f"images of {x.shape[1]} x {x.shape[2]} pixels: to be turned they have to be square.")
    turned = np.stack([np.rot90(x, turns, (1, 2)) for turns in range(4)], 1)
    return turned.reshape(-1, *x.shape[1:]), np.tile(np.arange(4), len(x))


def permutation(x: np.ndarray, seed: int = 0) -> np.ndarray:
    """The pixels of all images in one other order, the same for all; channels stay together."""
    order = np.random.default_rng(seed).permutation(x.shape[1] * x.shape[2])
    return x.reshape(len(x), -1, x.shape[-1])[:, order].reshape(x.shape)


# --- with how little data, and without labels -------------------------------------------------------------------------

NETWORKS: dict[str, Callable[..., keras.Model]] = {"CNN": vit.small_cnn, "ViT": vit.vit}
TRIED = (0.0003, 0.001, 0.003, 0.01)
SIZES = (500, 2000, 8000)
STEPS = 250
BATCH = 64
LABELS = 500


def network(name: str, seed: int, classes: int = 10) -> keras.Model:
    """A network of `NETWORKS` with the first weights of a seed."""
    if name not in NETWORKS:
        raise ValueError(f"network {name!r}: choose one of {', '.join(NETWORKS)}.")
    keras.utils.set_random_seed(seed)
    return NETWORKS[name](classes=classes)


def try_rate(name: str, rate: float, seed: int) -> float:
    """Accuracy on 1,000 validation pictures after a training on the first 2,000 of CIFAR-10."""
    data = datasets.cifar10(7000, test_size=1)
    x, y = colours(data.x_train), data.y_train
    model = network(name, seed)
    train(model, x[:2000], y[:2000], rate=rate, steps=STEPS, size=BATCH, seed=seed, prepare=augmented)
    found = accuracy(model, x[6000:], y[6000:])
    print(f"seed {seed}, {name}, rate {rate}: {found:.3f}", flush=True)
    return found


def on_few(name: str, size: int, rate: float, seed: int, steps: int = STEPS) -> dict[str, float]:
    """Test accuracy after a training on the first `size` pictures of CIFAR-10.

    "network": its own logits. "probe": those of a linear classifier on its features, with 500 labels.
    """
    data = datasets.cifar10(size)
    model = network(name, seed)
    train(
        *(model, colours(data.x_train), data.y_train),
        **{"rate": rate, "steps": steps, "size": BATCH, "seed": seed, "prepare": augmented},
    )
    found = {"network": accuracy(model, colours(data.x_test), data.y_test), "probe": probe(model)}
    print(f"seed {seed}, {name}, {size} pictures, {steps} steps: {found}", flush=True)
    return found


def probe(model: keras.Model) -> float:
    """Test accuracy of a linear classifier on the features of a network, with 500 labels of CIFAR-10."""
    data = datasets.cifar10(LABELS)
    features = keras.Model(model.inputs[0], model.get_layer("mean").output)
    known, new = (outputs(features, colours(x)) for x in (data.x_train, data.x_test))
    return transfer.probe(known, data.y_train, new, data.y_test)


def turned(rate: float, seed: int, size: int = 8000, steps: int = STEPS) -> dict[str, float]:
    """Test accuracy of a linear classifier on features of a CNN that were learned without a label.

    "random": not at all. "turned": in which of four directions a picture is turned.
    """
    found = {"random": probe(network("CNN", seed))}
    model = network("CNN", seed, classes=4)
    x = colours(datasets.cifar10(size, test_size=1).x_train)
    train(model, *rotated(x), rate=rate, steps=steps, size=BATCH, seed=seed, prepare=augmented)
    found["turned"] = probe(model)
    print(f"seed {seed}: {found}", flush=True)
    return found


# --- when neighbours mean nothing -------------------------------------------------------------------------------------


def dense(size: int = 14, channels: int = 1, width: int = 96, classes: int = 10) -> keras.Model:
    """Two hidden layers over all pixels: it knows of no neighbours."""
    inputs = keras.Input((size, size, channels))
    x = layers.Flatten(name="pixels")(inputs)
    for number in (1, 2):
        x = layers.Dense(width, use_bias=False, name=f"dense_{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"bn_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="dense")


def permuted(seed: int, size: int = 2000, steps: int = 200, rates=(0.001, 0.003, 0.01)) -> dict:
    """Network -> order of the pixels -> "validation" or "test" -> rate -> accuracy, on Fashion-MNIST of 14 pixels."""
    data = datasets.fashion_mnist(size + 1000, test_size=2000)
    x, new = (each.reshape(-1, 14, 2, 14, 2, 1).mean((2, 4)) * 4 - 1.1 for each in (data.x_train, data.x_test))
    orders = {"as they are": lambda images: images, "permuted": lambda images: permutation(images, seed)}
    networks = {"CNN": lambda: vit.small_cnn(14, 1, widths=(16, 24, 32, 40)), "dense": dense}
    found: dict = {}
    for name, make in networks.items():
        found[name] = {}
        for order, arrange in orders.items():
            found[name][order] = {"validation": {}, "test": {}}
            old, of_new = arrange(x), arrange(new)
            for rate in rates:
                keras.utils.set_random_seed(seed)
                model = train(make(), old[:size], data.y_train[:size], rate=rate, steps=steps, size=BATCH, seed=seed)
                scores = found[name][order]
                scores["validation"][str(rate)] = accuracy(model, old[size:], data.y_train[size:])
                scores["test"][str(rate)] = accuracy(model, of_new, data.y_test)
                print(f"seed {seed}, {name}, {order}, {rate}: {scores['test'][str(rate)]:.3f}", flush=True)
    return found


# --- enlarging, time, attributes --------------------------------------------------------------------------------------


def enlarging(
    end: str, photographs: Mapping[str, np.ndarray], tests: Sequence[str], seed: int, steps: int = 300
) -> tuple[dict[str, np.ndarray], dict[str, list[list[float]]]]:
    """Train an enlarger on all photographs but some, and judge it on these.

    Args:
        end: of :func:`restoration.enlarger`.
        photographs: name -> (h, w), of even sides.
        tests: names of those that are only judged.
        seed: of weights, parts and their order.
        steps: of 16 parts each.

    Returns:
        For each name in `tests` what the network adds to the bicubic enlargement, (h, w), and the scores [PSNR, SSIM],
        each of bicubic enlargement and of the network, without the outermost four pixels.
    """
    kept = [picture for name, picture in photographs.items() if name not in tests]
    if not kept or not set(tests) <= set(photographs):
        raise ValueError(
            f"tests {list(tests)} of {list(photographs)}: expected some of them, and others to learn from."
        )
    low, missing = restoration.crops(kept, 1600, seed=seed)
    keras.utils.set_random_seed(seed)
    model = restoration.enlarger(end)
    restoration.fit(model, low, missing, steps=steps, size=16, seed=seed)
    added, scores = {}, {}
    for name in tests:
        small, inside = restoration.shrunk(photographs[name]), np.s_[None, 4:-4, 4:-4, None]
        cubic = restoration.bicubic(small)
        added[name] = ops.convert_to_numpy(model(small[None, ..., None]))[0, ..., 0]
        pair = cubic, np.clip(cubic + added[name], 0, 1)
        scores[name] = [
            [float(score(x[inside], photographs[name][inside])[0]) for x in pair]
            for score in (restoration.psnr, restoration.ssim)
        ]
    return added, scores


def steps_of_both(side: int, width: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """A forward pass of a 3 x 3 convolution and of attention over side * side places, as functions to be timed."""
    maps, places = np.zeros((1, side, side, width), "float32"), np.zeros((1, side * side, width), "float32")
    grid, row = keras.Input(maps.shape[1:]), keras.Input(places.shape[1:])
    convolution = keras.Model(grid, layers.Conv2D(width, 3, padding="same")(grid))
    attention = keras.Model(row, layers.MultiHeadAttention(3, width // 3)(row, row))
    convolve, attend = gradients.forward(convolution), gradients.forward(attention)
    return lambda: convolve(maps), lambda: attend(places)


ATTRIBUTES = ("upper body", "long sleeves", "legs", "opens in front", "shoe", "open toes", "high shaft")
OF_CLASSES = np.array(  # which of them the ten classes of Fashion-MNIST have
    [
        [1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 1],
    ]
)
