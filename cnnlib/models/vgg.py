"""VGG (Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition"), table 1.

VGG-11 to VGG-19 are configurations A, B, D and E: the number of 3x3 convolutions in each of five blocks. Maps are
halved by pooling, so that the two conventions of padding agree; only the variant of ``downsampling="stride"`` pads as
"same" does under a stride. Lesson 05.
"""

import keras
from keras import layers

from cnnlib.models import common

BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
FILTERS = (64, 128, 256, 512, 512)


@common.bundled_weights()
def VGG(
    depth: int = 16,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    num_classes: int = 1000,
    width: float = 1.0,
    norm: str | None = None,
    head: str = "dense",
    downsampling: str = "pool",
    dropout: float = 0.5,
    weights: str | None = None,
) -> keras.Model:
    """VGG-``depth`` with logits out.

    norm: None as in the paper, "batch" or "group". head: "dense" (two layers of 4,096 units) or "gap" (global average
    pooling, no hidden layer). downsampling: "pool", or "stride" for the all-convolutional variant (Springenberg et al.
    2015, "Striving for simplicity"), where the last convolution of each block has stride 2 instead of a pooling.
    """
    family = "VGG"
    common.one_of("depth", depth, BLOCKS, family)
    common.one_of("head", head, ("dense", "gap"), family)
    common.one_of("downsampling", downsampling, ("pool", "stride"), family)
    x = inputs = common.image_input(input_shape, num_classes, 32, family, fixed=head == "dense")
    for block, (count, filters) in enumerate(zip(BLOCKS[depth], FILTERS), start=1):
        x = vgg_block(x, count, common.scaled(filters, width), f"block{block}", norm, downsampling)
    if head == "dense":
        x = layers.Flatten(name="flatten")(x)
        for i in (1, 2):
            x = layers.Dense(common.scaled(4096, width), activation="relu", name=f"fc{i}")(x)
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    else:
        x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=f"vgg{depth}")


@common.bundled_weights(cifar10=("small_vgg_cifar10", {"input_shape": (None, None, 3)}))
def SmallVGG(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    blocks: tuple[int, ...] = (2, 2, 2),
    filters: tuple[int, ...] = (32, 64, 128),
    norm: str | None = "batch",
    downsampling: str = "pool",
    dropout: float = 0.3,
    weights: str | None = None,
) -> keras.Model:
    """A VGG for small images: ``blocks`` convolutions of ``filters`` channels, dropout after each block, GAP head.

    ``weights="cifar10"`` are those of the arguments as they are.
    """
    family = "SmallVGG"
    if len(blocks) != len(filters):
        raise ValueError(f"SmallVGG: {len(blocks)} blocks but {len(filters)} numbers of filters; expected one each.")
    common.one_of("downsampling", downsampling, ("pool", "stride"), family)
    x = inputs = common.image_input(input_shape, num_classes, 2 ** len(blocks), family)
    for block, (count, channels) in enumerate(zip(blocks, filters), start=1):
        x = vgg_block(x, count, channels, f"block{block}", norm, downsampling)
        x = layers.Dropout(dropout, name=f"block{block}_dropout")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name="small_vgg")


def vgg_block(x, count: int, filters: int, name: str, norm: str | None = None, downsampling: str = "pool"):
    """``count`` 3x3 convolutions, then half the height and width."""
    for i in range(1, count + 1):
        stride = 2 if downsampling == "stride" and i == count else 1
        x = common.conv_norm_act(x, filters, stride=stride, name=f"{name}_{i}", norm=norm)
    return layers.MaxPooling2D(2, name=f"{name}_pool")(x) if downsampling == "pool" else x
