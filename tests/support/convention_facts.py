"""What docs/conventions.md says, measured: run with the name of a library, it prints {row: cell} as JSON.

    python tests/support/convention_facts.py keras | torch | jax

One process a library: they do not all get along in one. Each value is found by asking the library, by a default or by
what comes out.
"""

import inspect
import json
import math
import sys

import numpy as np

RNG = np.random.default_rng(0)


def number(value) -> str:
    return f"`{float(value):g}`".replace("e-0", "e-")


def default(function, name: str) -> str:
    value = inspect.signature(function).parameters[name].default
    return "must be given" if value is inspect.Parameter.empty else number(value)


def axes(shape, sizes: dict[int, str]) -> str:
    return f"({', '.join(sizes[n] for n in shape)})"


def initial(kernel: np.ndarray, fan_in: int, fan_out: int) -> str:
    """Which distribution initial values come from: by variance, and by whether the largest is that of a uniform one."""
    variance, largest = kernel.var(), np.abs(kernel).max()
    uniform = largest < 1.02 * math.sqrt(3 * variance)
    known = {
        "2 / (fan-in + fan-out)": 2 / (fan_in + fan_out),
        "1 / fan-in": 1 / fan_in,
        "1 / (3 fan-in)": 1 / (3 * fan_in),
    }
    name = min(known, key=lambda each: abs(math.log(variance / known[each])))
    assert abs(variance / known[name] - 1) < 0.05, (variance, known)
    return f"{'uniform' if uniform else 'normal'}, variance {name}"


def evenly(reads: np.ndarray) -> str:
    """Where a window of ones that moves by 2 over an even size sees fewer ones: at which sides was padded."""
    first, last = reads[0] < 3, reads[-1] < 3
    return {(True, True): "on both sides", (False, True): "below and right", (True, False): "above and left"}[
        first, last
    ]


def gelu(value: float) -> str:
    exact = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    return "exact" if abs(value - exact) < 1e-5 else "approximated"


def smooths(smaller: np.ndarray) -> str:
    """Of single bright pixels, 9 made to 3: a resize that skips pixels sees those in the middle only."""
    return "yes" if smaller.max() < 0.9 else "no"


def aligned(larger: np.ndarray) -> str:
    """Of a ramp 0, 1, 2, 3 made to 8: the second number."""
    return "corners" if abs(larger[1] - 3 / 7) < 1e-3 else "areas"


def divides(kept: float, values: np.ndarray, share: float) -> str:
    """What the kept variance was divided by: it began at 1 and moved by a share."""
    new = (kept - (1 - share)) / share
    return (
        "n - 1" if abs(new - values.var(ddof=1)) < 1e-3 * new else "n" if abs(new - values.var()) < 1e-3 * new else "?"
    )


def moves(mean: float, start: float, batch: float) -> str:
    """How the default momentum is meant: which share of the old value has stayed."""
    return f"{1 - (mean - start) / (batch - start):.2f} of the old value stays"


def decays(with_decay: np.ndarray, without: np.ndarray, start: np.ndarray, rate: float, decay: float) -> str:
    """After one step of Adam: whether the decay shrank the weight beside the step."""
    shrunk = np.allclose(with_decay, without - rate * decay * start, atol=1e-4)
    return "shrinks the weight" if shrunk else "is added to the gradient"


VALUES = RNG.normal(3, 2, (2, 3, 3, 1)).astype("float32")
RAMP = np.arange(4, dtype="float32")
SPOTS = np.zeros((9, 9), "float32")
SPOTS[1::3, 1::3] = 1
WEIGHT, GRADIENT, RATE, DECAY = np.array([0.5, -2.0, 1.0], "float32"), np.array([0.3, -0.1, 0.2], "float32"), 0.1, 0.5


def keras_facts() -> dict[str, str]:
    import keras
    from keras import layers, ops

    def built(layer, *shape):
        layer.build((None, *shape))
        return layer

    def shown(tensor):
        return ops.convert_to_numpy(tensor)

    def step(make):
        weight = keras.Variable(WEIGHT)
        optimizer = make()
        optimizer.build([weight])
        optimizer.apply([ops.convert_to_tensor(GRADIENT)])
        return shown(weight.value)

    sizes = {2: "n", 5: "height", 7: "width", 3: "channels"}
    images = layers.Conv2D(3, 1)(np.zeros((2, 5, 7, 4)))
    kernels = {5: "height", 7: "width", 2: "in", 3: "out"}
    conv = built(layers.Conv2D(64, 3), 8, 8, 128)
    norm = layers.BatchNormalization()
    norm(VALUES, training=True)
    strided, ones = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones"), np.ones((1, 8, 8, 1))
    border = layers.AveragePooling2D(3, 1, padding="same")(np.ones((1, 4, 4, 1), "float32"))
    adam = {decay: step(lambda decay=decay: keras.optimizers.Adam(RATE, weight_decay=decay)) for decay in (0.0, DECAY)}
    loss = inspect.signature(keras.losses.SparseCategoricalCrossentropy).parameters["from_logits"].default
    pool = layers.MaxPooling2D(2)(np.zeros((1, 7, 7, 1)))
    larger = ops.image.resize(RAMP.reshape(1, 1, 4, 1), (1, 8), "bilinear", data_format="channels_last")
    smaller = ops.image.resize(SPOTS[None, :, :, None], (3, 3), "bilinear", data_format="channels_last")
    drop = layers.Dropout(0.75, seed=0)(np.ones(1000, "float32"), training=True)
    return {
        "images": axes(images.shape, sizes),
        "kernel of a convolution": axes(built(layers.Conv2D(3, (5, 7)), 9, 9, 2).kernel.shape, kernels),
        "kernel of a depthwise convolution": axes(
            built(layers.DepthwiseConv2D((5, 7), depth_multiplier=3), 9, 9, 2).kernel.shape,
            {5: "height", 7: "width", 2: "in", 3: "m"},
        ),
        "kernel of a transposed convolution": axes(
            built(layers.Conv2DTranspose(3, (5, 7)), 9, 9, 2).kernel.shape, kernels
        ),
        "kernel of a dense layer": axes(built(layers.Dense(3), 2).kernel.shape, kernels),
        "padding of a convolution, default": inspect.signature(layers.Conv2D).parameters["padding"].default.lower(),
        '"same" with stride 2 on an even size': f"pads {evenly(shown(strided(ones))[0, 1, :, 0] / 3)}",
        "a window of 2 on 7 pixels gives": number(pool.shape[1]),
        "padding counts in an average": "no" if shown(border)[0, 0, 0, 0] == 1 else "yes",
        "epsilon of batch normalisation": default(layers.BatchNormalization, "epsilon"),
        "momentum of batch normalisation": default(layers.BatchNormalization, "momentum"),
        "which means": moves(shown(norm.moving_mean)[0], 0, VALUES.mean()),
        "the variance that is kept is divided by": divides(shown(norm.moving_variance)[0], VALUES, 0.01),
        "epsilon of layer normalisation": default(layers.LayerNormalization, "epsilon"),
        "epsilon of group normalisation": default(layers.GroupNormalization, "epsilon"),
        "slope of Leaky ReLU": default(layers.LeakyReLU, "negative_slope"),
        "GELU": gelu(float(keras.activations.gelu(ops.convert_to_tensor(1.0)))),
        "dropout of 0.75 keeps values times": number(shown(drop).max()),
        "initial kernel of a convolution": initial(shown(conv.kernel), 9 * 128, 9 * 64),
        "initial bias": "zeros" if not shown(conv.bias).any() else "uniform",
        "cross-entropy takes": "logits" if loss else "probabilities",
        "rate of SGD": default(keras.optimizers.SGD, "learning_rate"),
        "rate of Adam": default(keras.optimizers.Adam, "learning_rate"),
        "epsilon of Adam": default(keras.optimizers.Adam, "epsilon"),
        "decay of AdamW": default(keras.optimizers.AdamW, "weight_decay"),
        "decay of Adam": decays(adam[DECAY], adam[0.0], WEIGHT, RATE, DECAY),
        "a resize aligns": aligned(shown(larger)[0, 0, :, 0]),
        "a resize to a smaller size smooths": smooths(shown(smaller)[0, :, :, 0]),
    }


def torch_facts() -> dict[str, str]:
    import torch
    from torch import nn
    from torch.nn import functional

    def step(decay):
        weight = torch.nn.Parameter(torch.from_numpy(WEIGHT.copy()))
        optimizer = torch.optim.Adam([weight], lr=RATE, weight_decay=decay)
        weight.grad = torch.from_numpy(GRADIENT.copy())
        optimizer.step()
        return weight.detach().numpy()

    torch.manual_seed(0)
    images = nn.Conv2d(4, 3, 1)(torch.zeros(2, 4, 5, 7))
    kernels = {5: "height", 7: "width", 2: "in", 3: "out"}
    conv, norm = nn.Conv2d(128, 64, 3), nn.BatchNorm2d(1)
    norm(torch.from_numpy(VALUES.transpose(0, 3, 1, 2)))
    try:
        nn.Conv2d(1, 1, 3, stride=2, padding="same")
        same = "works"
    except ValueError:
        same = "is an error"
    border = nn.AvgPool2d(3, stride=1, padding=1)(torch.ones(1, 1, 4, 4))
    cross = nn.CrossEntropyLoss()(torch.tensor([[5.0, -5.0]]), torch.tensor([0])).item()
    larger = functional.interpolate(torch.from_numpy(RAMP)[None, None, None], size=(1, 8), mode="bilinear")
    smaller = functional.interpolate(torch.from_numpy(SPOTS)[None, None], size=(3, 3), mode="bilinear")
    return {
        "images": axes(images.shape, {2: "n", 5: "height", 7: "width", 3: "channels"}),
        "kernel of a convolution": axes(nn.Conv2d(2, 3, (5, 7)).weight.shape, kernels),
        "kernel of a depthwise convolution": axes(
            nn.Conv2d(2, 6, (5, 7), groups=2).weight.shape, {5: "height", 7: "width", 6: "in x m", 1: "1"}
        ),
        "kernel of a transposed convolution": axes(nn.ConvTranspose2d(2, 3, (5, 7)).weight.shape, kernels),
        "kernel of a dense layer": axes(nn.Linear(2, 3).weight.shape, kernels),
        "padding of a convolution, default": "valid" if conv.padding == (0, 0) else "same",
        '"same" with stride 2 on an even size': same,
        "a window of 2 on 7 pixels gives": number(nn.MaxPool2d(2)(torch.zeros(1, 1, 7, 7)).shape[-1]),
        "padding counts in an average": "no" if border[0, 0, 0, 0] == 1 else "yes",
        "epsilon of batch normalisation": default(nn.BatchNorm2d, "eps"),
        "momentum of batch normalisation": default(nn.BatchNorm2d, "momentum"),
        "which means": moves(norm.running_mean.item(), 0, VALUES.mean()),
        "the variance that is kept is divided by": divides(norm.running_var.item(), VALUES, 0.1),
        "epsilon of layer normalisation": default(nn.LayerNorm, "eps"),
        "epsilon of group normalisation": default(nn.GroupNorm, "eps"),
        "slope of Leaky ReLU": default(nn.LeakyReLU, "negative_slope"),
        "GELU": gelu(nn.GELU()(torch.tensor(1.0)).item()),
        "dropout of 0.75 keeps values times": number(nn.Dropout(0.75)(torch.ones(1000)).max()),
        "initial kernel of a convolution": initial(conv.weight.detach().numpy(), 9 * 128, 9 * 64),
        "initial bias": "uniform" if conv.bias.abs().max() > 0 else "zeros",
        "cross-entropy takes": "logits" if abs(cross - math.log1p(math.exp(-10))) < 1e-5 else "probabilities",
        "rate of SGD": default(torch.optim.SGD, "lr"),
        "rate of Adam": default(torch.optim.Adam, "lr"),
        "epsilon of Adam": default(torch.optim.Adam, "eps"),
        "decay of AdamW": default(torch.optim.AdamW, "weight_decay"),
        "decay of Adam": decays(step(DECAY), step(0.0), WEIGHT, RATE, DECAY),
        "a resize aligns": aligned(larger.numpy()[0, 0, 0]),
        "a resize to a smaller size smooths": smooths(smaller.numpy()[0, 0]),
    }


def jax_facts() -> dict[str, str]:
    import jax
    import optax
    from flax import linen as nn

    key = jax.random.PRNGKey(0)

    def shape(layer, *size):
        return layer.init(key, np.zeros((1, *size), "float32"))["params"]["kernel"].shape

    kernels = {5: "height", 7: "width", 2: "in", 3: "out"}
    images = nn.Conv(3, (1, 1)).init_with_output(key, np.zeros((2, 5, 7, 4), "float32"))[0]
    first = nn.Conv(64, (3, 3)).init(key, np.zeros((1, 8, 8, 128), "float32"))["params"]
    norm = nn.BatchNorm(use_running_average=False)
    state = norm.init(key, VALUES)
    _, moved = norm.apply(state, VALUES, mutable=["batch_stats"])
    strided = nn.Conv(1, (3, 3), strides=2, kernel_init=nn.initializers.ones)
    reads = strided.init_with_output(key, np.ones((1, 8, 8, 1), "float32"))[0]
    border = nn.avg_pool(np.ones((1, 4, 4, 1), "float32"), (3, 3), (1, 1), "SAME")
    loss = optax.softmax_cross_entropy_with_integer_labels(np.array([[5.0, -5.0]]), np.array([0]))[0]
    larger = jax.image.resize(RAMP[None], (1, 8), "bilinear")
    smaller = jax.image.resize(SPOTS, (3, 3), "bilinear")
    drop = nn.Dropout(0.75, deterministic=False).apply({}, np.ones(1000, "float32"), rngs={"dropout": key})
    statistics = moved["batch_stats"]
    momentum = float(norm.momentum)
    return {
        "images": axes(images.shape, {2: "n", 5: "height", 7: "width", 3: "channels"}),
        "kernel of a convolution": axes(shape(nn.Conv(3, (5, 7)), 9, 9, 2), kernels),
        "kernel of a depthwise convolution": axes(
            shape(nn.Conv(6, (5, 7), feature_group_count=2), 9, 9, 2), {5: "height", 7: "width", 1: "1", 6: "in x m"}
        ),
        "kernel of a transposed convolution": axes(shape(nn.ConvTranspose(3, (5, 7)), 9, 9, 2), kernels),
        "kernel of a dense layer": axes(shape(nn.Dense(3), 2), kernels),
        "padding of a convolution, default": nn.Conv(3, (3, 3)).padding.lower(),
        '"same" with stride 2 on an even size': f"pads {evenly(np.asarray(reads)[0, 1, :, 0] / 3)}",
        "a window of 2 on 7 pixels gives": number(nn.max_pool(np.zeros((1, 7, 7, 1)), (2, 2), (2, 2)).shape[1]),
        "padding counts in an average": "no" if border[0, 0, 0, 0] == 1 else "yes",
        "epsilon of batch normalisation": number(norm.epsilon),
        "momentum of batch normalisation": number(momentum),
        "which means": moves(float(statistics["mean"][0]), 0, VALUES.mean()),
        "the variance that is kept is divided by": divides(float(statistics["var"][0]), VALUES, 1 - momentum),
        "epsilon of layer normalisation": number(nn.LayerNorm().epsilon),
        "epsilon of group normalisation": number(nn.GroupNorm().epsilon),
        "slope of Leaky ReLU": number(-jax.nn.leaky_relu(np.float32(-1.0))),
        "GELU": gelu(float(jax.nn.gelu(np.float32(1.0)))),
        "dropout of 0.75 keeps values times": number(drop.max()),
        "initial kernel of a convolution": initial(np.asarray(first["kernel"]), 9 * 128, 9 * 64),
        "initial bias": "zeros" if not np.asarray(first["bias"]).any() else "uniform",
        "cross-entropy takes": "logits" if abs(float(loss) - math.log1p(math.exp(-10))) < 1e-5 else "probabilities",
        "rate of SGD": default(optax.sgd, "learning_rate"),
        "rate of Adam": default(optax.adam, "learning_rate"),
        "epsilon of Adam": default(optax.adam, "eps"),
        "decay of AdamW": default(optax.adamw, "weight_decay"),
        "decay of Adam": "none" if "weight_decay" not in inspect.signature(optax.adam).parameters else "?",
        "a resize aligns": aligned(np.asarray(larger)[0]),
        "a resize to a smaller size smooths": smooths(np.asarray(smaller)),
    }


if __name__ == "__main__":
    print(json.dumps({"keras": keras_facts, "torch": torch_facts, "jax": jax_facts}[sys.argv[1]]()))
