"""The Inception block of GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions"), in a small network.

The paper has no normalisation; ``norm="batch"`` adds that of its successor (Ioffe and Szegedy 2015). No convolution has
a stride. Lesson 07.
"""

import keras
from keras import layers

from cnnlib.models import common

# filters of the branches: 1x1 | 1x1 then 3x3 | 1x1 then 5x5 | pooling then 1x1; rows 3a to 4a of the paper's table 1
TABLE = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
}


def inception_block(x, one: int, three: tuple[int, int], five: tuple[int, int], pool: int, name: str, norm=None):
    """Four branches beside each other, concatenated: one + three[1] + five[1] + pool channels out."""
    a = common.conv_norm_act(x, one, 1, name=f"{name}_1x1", norm=norm)
    b = common.conv_norm_act(x, three[0], 1, name=f"{name}_3x3_reduce", norm=norm)
    b = common.conv_norm_act(b, three[1], 3, name=f"{name}_3x3", norm=norm)
    c = common.conv_norm_act(x, five[0], 1, name=f"{name}_5x5_reduce", norm=norm)
    c = common.conv_norm_act(c, five[1], 5, name=f"{name}_5x5", norm=norm)
    d = layers.MaxPooling2D(3, 1, "same", name=f"{name}_pool")(x)
    d = common.conv_norm_act(d, pool, 1, name=f"{name}_pool_proj", norm=norm)
    return layers.Concatenate(name=f"{name}_concat")([a, b, c, d])


@common.bundled_weights()
def SmallInception(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    width: float = 0.5,
    norm: str | None = "batch",
    weights: str | None = None,
) -> keras.Model:
    """A stem and three Inception blocks with the branch widths of the paper times ``width``, logits out."""
    x = inputs = common.image_input(input_shape, num_classes, 4, "SmallInception")
    x = common.conv_norm_act(x, common.scaled(64, width), name="stem", norm=norm)
    for i, (name, branches) in enumerate(TABLE.items()):
        one, *pairs, pool = keras.tree.map_structure(lambda filters: common.scaled(filters, width), branches)
        x = inception_block(x, one, *pairs, pool, f"inception_{name}", norm)
        if i < 2:
            x = layers.MaxPooling2D(2, name=f"pool_{name}")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name="small_inception")
