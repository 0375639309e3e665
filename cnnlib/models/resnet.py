"""ResNet (He, Zhang, Ren, Sun 2016, "Deep residual learning for image recognition"), table 1 and section 4.2.

The stride of a bottleneck stands in its 3x3 convolution, as in torchvision ("v1.5"); ``stride_in="1x1"`` puts it into
the first 1x1, as in the paper and `keras.applications`. Padding is explicit, equal on all sides, as in all three, so
that a strided 3x3 convolution is centred on the pixels that the shortcut picks. Lesson 06.
"""

import keras
from keras import layers

from cnnlib.models import common

# depth: block, blocks per stage
IMAGENET = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
FILTERS = (64, 128, 256, 512)
CIFAR_FILTERS = (16, 32, 64)


@common.bundled_weights()
def ResNet(
    depth: int = 50,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    num_classes: int = 1000,
    width: float = 1.0,
    norm: str = "batch",
    shortcut: str = "projection",
    stride_in: str = "3x3",
    zero_init: bool = False,
    drop_path: float = 0.0,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-``depth`` for large images (stem of stride 4), logits out. See :func:`residual_block` for the options."""
    common.one_of("depth", depth, IMAGENET, "ResNet")
    block, counts = IMAGENET[depth]
    x = inputs = common.image_input(input_shape, num_classes, 32, "ResNet")
    x = common.padded_conv_norm_act(x, common.scaled(64, width), 7, 2, name="stem", norm=norm)
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # zeros do not disturb a maximum after a ReLU
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    options = {"kind": block, "norm": norm, "shortcut": shortcut, "stride_in": stride_in, "zero_init": zero_init}
    x = _stages(x, counts, [common.scaled(f, width) for f in FILTERS], drop_path, **options)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=f"resnet{depth}")


@common.bundled_weights(cifar10=("resnet20_cifar10", {"input_shape": (None, None, 3)}))
def CifarResNet(
    depth: int = 20,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    width: float = 1.0,
    norm: str | None = "batch",
    shortcut: str = "identity",
    residual: bool = True,
    block: str = "basic",
    zero_init: bool = False,
    drop_path: float = 0.0,
    weights: str | None = None,
) -> keras.Model:
    """The ResNet of section 4.2 for small images: three stages behind a 3x3 stem; depth 6n + 2, or 9n + 2 (bottleneck).

    ``residual=False`` builds the plain network of the same layers, which the paper compares with.
    ``weights="cifar10"`` are those of depth 20 with the other arguments left as they are.
    """
    per_block = {"basic": 6, "bottleneck": 9}[common.one_of("block", block, ("basic", "bottleneck"), "CifarResNet")]
    if depth < per_block + 2 or (depth - 2) % per_block:
        near = sorted({per_block * n + 2 for n in (1, 3, 5, 7, 9)})
        raise ValueError(
            f"CifarResNet: depth={depth} does not fit; with {block} blocks it is {per_block}n + 2: {near} and so on."
        )
    x = inputs = common.image_input(input_shape, num_classes, 4, "CifarResNet")
    filters = [common.scaled(f, width) for f in CIFAR_FILTERS]
    x = common.conv_norm_act(x, filters[0], name="stem", norm=norm)
    counts = [(depth - 2) // per_block] * 3
    options = {"kind": block, "norm": norm, "shortcut": shortcut, "residual": residual, "zero_init": zero_init}
    x = _stages(x, counts, filters, drop_path, **options)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    name = f"{'resnet' if residual else 'plain'}{depth}_cifar"
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def _stages(x, counts, filters, drop_path: float, **options):
    total, done = sum(counts), 0
    for stage, (count, channels) in enumerate(zip(counts, filters), start=1):
        for i in range(count):
            stride = 2 if i == 0 and stage > 1 else 1
            # Stochastic depth drops late blocks more often than early ones (Huang et al. 2016, linear decay).
            rate = drop_path * done / max(1, total - 1)
            x = residual_block(x, channels, stride, name=f"stage{stage}_{i + 1}", drop_path=rate, **options)
            done += 1
    return x


def residual_block(
    x,
    filters: int,
    stride: int = 1,
    *,
    name: str,
    kind: str = "basic",
    norm: str | None = "batch",
    shortcut: str = "projection",
    residual: bool = True,
    stride_in: str = "3x3",
    zero_init: bool = False,
    drop_path: float = 0.0,
):
    """One residual block: relu(shortcut(x) + body(x)).

    kind: "basic" (two 3x3) or "bottleneck" (1x1, 3x3, 1x1 with four times the channels out).
    shortcut where shapes differ: "projection" (a strided 1x1 convolution, option B of the paper) or "identity" (option
    A: subsample, pad channels with zeros; no parameters).
    zero_init: the last gamma starts at 0, so that the block starts as the identity (Goyal et al. 2017).
    drop_path: the probability that training skips the body for an image (stochastic depth).
    """
    common.one_of("kind", kind, ("basic", "bottleneck"), "residual_block")
    common.one_of("shortcut", shortcut, ("projection", "identity"), "residual_block")
    common.one_of("stride_in", stride_in, ("3x3", "1x1"), "residual_block")
    gamma = "zeros" if zero_init else "ones"
    if kind == "basic":
        y = common.padded_conv_norm_act(x, filters, 3, stride, name=f"{name}_a", norm=norm)
        y = common.conv_norm_act(y, filters, 3, name=f"{name}_b", norm=norm, activation=None, gamma=gamma)
    else:
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        y = common.conv_norm_act(x, filters, 1, first, name=f"{name}_a", norm=norm)
        y = common.padded_conv_norm_act(y, filters, 3, second, name=f"{name}_b", norm=norm)
        y = common.conv_norm_act(y, 4 * filters, 1, name=f"{name}_c", norm=norm, activation=None, gamma=gamma)
    if residual:
        y = common.drop_path(y, drop_path, name)
        y = layers.Add(name=f"{name}_add")([_shortcut(x, y.shape[-1], stride, shortcut, norm, name), y])
    return layers.Activation("relu", name=f"{name}_relu")(y)


def _shortcut(x, channels: int, stride: int, kind: str, norm: str | None, name: str):
    if stride == 1 and x.shape[-1] == channels:
        return x
    if kind == "projection":
        return common.conv_norm_act(x, channels, 1, stride, name=f"{name}_proj", norm=norm, activation=None)
    if stride > 1:
        x = layers.MaxPooling2D(1, stride, name=f"{name}_subsample")(x)
    missing = channels - x.shape[-1]
    return ChannelPadding(missing // 2, missing - missing // 2, name=f"{name}_zeros")(x)


@keras.saving.register_keras_serializable(package="cnnlib")
class ChannelPadding(layers.Layer):
    """Adds ``before`` and ``after`` channels of zeros (option A of the paper). (N, H, W, C) -> (N, H, W, C + both)."""

    reach, macs = "pointwise", 0  # for cnnlib.trace

    def __init__(self, before: int, after: int, **kwargs):
        super().__init__(**kwargs)
        if min(before, after) < 0:
            raise ValueError("an identity shortcut cannot drop channels; take shortcut='projection'.")
        self.before, self.after = before, after

    def call(self, x):
        return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (self.before, self.after)))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + self.before + self.after)

    def get_config(self):
        return {**super().get_config(), "before": self.before, "after": self.after}
