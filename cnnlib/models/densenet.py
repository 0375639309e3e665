"""DenseNet for small images (Huang, Liu, van der Maaten, Weinberger 2017, "Densely connected convolutional networks").

Depth 40 without bottlenecks (growth 12) and depth 100 with bottlenecks and compression (DenseNet-BC) are rows of the
paper's table 2. Transitions halve the map by pooling; no convolution has a stride. Lesson 07.
"""

import keras
from keras import layers

from cnnlib.models import common


@common.bundled_weights()
def DenseNet(
    depth: int = 40,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    growth: int = 12,
    bottleneck: bool = False,
    compression: float | None = None,
    weights: str | None = None,
) -> keras.Model:
    """DenseNet of three dense blocks, logits out. depth = 3n + 4, or 6n + 4 with bottlenecks.

    ``compression`` is the share of channels that a transition keeps: 1.0, or 0.5 for DenseNet-BC (the default there).
    """
    step = 6 if bottleneck else 3
    if depth < step + 4 or (depth - 4) % step:
        raise ValueError(
            f"DenseNet: depth={depth} does not fit; it is {step}n + 4: {[step * n + 4 for n in (1, 6, 12, 16)]}."
        )
    compression = (0.5 if bottleneck else 1.0) if compression is None else compression
    if not 0 < compression <= 1:
        raise ValueError(f"DenseNet: compression={compression} keeps that share of channels; expected 0 < share <= 1.")
    x = inputs = common.image_input(input_shape, num_classes, 4, "DenseNet")
    stem = 2 * growth if bottleneck else 16
    x = layers.Conv2D(stem, 3, padding="same", use_bias=False, kernel_initializer=common.he(), name="stem_conv")(x)
    for block in (1, 2, 3):
        for i in range(1, (depth - 4) // step + 1):
            x = dense_layer(x, growth, f"block{block}_{i}", bottleneck)
        x = _norm_relu(x, f"transition{block}")
        if block < 3:
            channels = int(x.shape[-1] * compression)
            x = layers.Conv2D(
                channels, 1, use_bias=False, kernel_initializer=common.he(), name=f"transition{block}_conv"
            )(x)
            x = layers.AveragePooling2D(2, name=f"transition{block}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=f"densenet{depth}")


def dense_layer(x, growth: int, name: str, bottleneck: bool = False):
    """Normalise, ReLU, convolve, and put the ``growth`` new channels beside the old ones."""
    y = _norm_relu(x, f"{name}_a")
    if bottleneck:
        y = layers.Conv2D(4 * growth, 1, use_bias=False, kernel_initializer=common.he(), name=f"{name}_1x1")(y)
        y = _norm_relu(y, f"{name}_b")
    y = layers.Conv2D(growth, 3, padding="same", use_bias=False, kernel_initializer=common.he(), name=f"{name}_3x3")(y)
    return layers.Concatenate(name=f"{name}_concat")([x, y])


def _norm_relu(x, name: str):
    return layers.Activation("relu", name=f"{name}_relu")(common.normalisation("batch", f"{name}_norm")(x))
