"""EfficientNet B0 to B7 (Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks").

Padding is "same", epsilon of batch normalisation 1e-3, as in the authors' TensorFlow code and `keras.applications`,
whose networks scale the input besides. Lesson 07.
"""

import math

import keras
from keras import layers

from cnnlib.models import common

# expansion, channels, repeats, stride, kernel: table 1 of the paper
TABLE = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
         (6, 320, 1, 1, 3))  # fmt: skip
# variant: width, depth, resolution, dropout of the authors' code
VARIANTS = {
    "B0": (1.0, 1.0, 224, 0.2),
    "B1": (1.0, 1.1, 240, 0.2),
    "B2": (1.1, 1.2, 260, 0.3),
    "B3": (1.2, 1.4, 300, 0.3),
    "B4": (1.4, 1.8, 380, 0.4),
    "B5": (1.6, 2.2, 456, 0.4),
    "B6": (1.8, 2.6, 528, 0.5),
    "B7": (2.0, 3.1, 600, 0.5),
}


@common.bundled_weights()
def EfficientNet(
    variant: str = "B0",
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int = 1000,
    drop_path: float = 0.2,
    weights: str | None = None,
) -> keras.Model:
    """EfficientNet with logits out; ``input_shape`` defaults to the variant's resolution.

    ``drop_path``: stochastic depth, 0 at the first block, almost this rate at the last. There are no bundled weights;
    EfficientNetLite0 has some.
    """
    common.one_of("variant", variant, VARIANTS, "EfficientNet")
    width, depth, resolution, dropout = VARIANTS[variant]
    x = inputs = common.image_input(input_shape or (resolution, resolution, 3), num_classes, 32, "EfficientNet")
    settings = {"activation": "silu", "epsilon": 1e-3}
    x = common.conv_norm_act(x, common.scaled(32, width, 8), 3, 2, name="stem", **settings)
    total = sum(math.ceil(repeats * depth) for _, _, repeats, _, _ in TABLE)
    done = 0
    for stage, (expansion, channels, repeats, stride, kernel) in enumerate(TABLE, start=1):
        for i in range(math.ceil(repeats * depth)):
            rate, name = drop_path * done / total, f"block{stage}_{i + 1}"
            x = mbconv(x, common.scaled(channels, width, 8), expansion, stride if i == 0 else 1, kernel, name, rate)
            done += 1
    x = common.conv_norm_act(x, common.scaled(1280, width, 8), 1, name="head", **settings)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=f"efficientnet_{variant.lower()}")


def mbconv(x, channels: int, expansion: int, stride: int, kernel: int, name: str, drop_path: float = 0.0):
    """An inverted residual with squeeze-and-excitation: 1x1 up, depthwise, SE, 1x1 down."""
    settings = {"activation": "silu", "epsilon": 1e-3}
    inputs, filters = x, x.shape[-1]
    if expansion > 1:
        x = common.conv_norm_act(x, expansion * filters, 1, name=f"{name}_expand", **settings)
    x = common.conv_norm_act(x, None, kernel, stride, name=f"{name}_depthwise", **settings)
    x = squeeze_excite(x, max(1, filters // 4), f"{name}_se", activation="silu")
    x = common.conv_norm_act(x, channels, 1, name=f"{name}_project", activation=None, epsilon=1e-3)
    if stride == 1 and filters == channels:
        x = layers.Add(name=f"{name}_add")([inputs, common.drop_path(x, drop_path, name)])
    return x


def squeeze_excite(x, squeezed: int, name: str, activation: str = "relu"):
    """Squeeze-and-excitation (Hu, Shen, Sun 2018): one weight in [0, 1] per channel, from its mean over the image."""
    scale = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    scale = layers.Conv2D(squeezed, 1, activation=activation, name=f"{name}_reduce")(scale)
    scale = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}_expand")(scale)
    return layers.Multiply(name=f"{name}_excite")([x, scale])
