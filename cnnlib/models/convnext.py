"""ConvNeXt (Liu, Mao, Wu, Feichtenhofer, Darrell, Xie 2022, "A ConvNet for the 2020s"). Lesson 07.

Its strided convolutions are as wide as their stride, so that nothing is padded there.
"""

import keras
from keras import layers

from cnnlib.models import common

# variant: blocks per stage, channels per stage, stride of the stem, smallest input
VARIANTS = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768), 4, 32),
    "small_images": ((2, 2, 2), (48, 96, 192), 2, 8),
}


@common.bundled_weights()
def ConvNeXt(
    variant: str = "tiny",
    input_shape: tuple[int, int, int] = (224, 224, 3),
    num_classes: int = 1000,
    width: float = 1.0,
    drop_path: float = 0.0,
    weights: str | None = None,
) -> keras.Model:
    """ConvNeXt with logits out. "tiny" is the paper's ConvNeXt-T, "small_images" one for inputs of 32 pixels.

    ``width`` multiplies every number of channels, ``drop_path`` is the rate of the last block (the first has 0).
    """
    common.one_of("variant", variant, VARIANTS, "ConvNeXt")
    counts, filters, stem, smallest = VARIANTS[variant]
    x = inputs = common.image_input(input_shape, num_classes, smallest, "ConvNeXt")
    total, done = sum(counts), 0
    for stage, (count, channels) in enumerate(zip(counts, filters), start=1):
        channels = common.scaled(channels, width)
        if stage == 1:
            x = layers.Conv2D(channels, stem, stem, name="stem_conv")(x)
            x = _norm(x, "stem_norm")
        else:
            x = _norm(x, f"stage{stage}_norm")
            x = layers.Conv2D(channels, 2, 2, name=f"stage{stage}_downsample")(x)
        for i in range(1, count + 1):
            x = convnext_block(x, f"stage{stage}_{i}", drop_path * done / max(1, total - 1))
            done += 1
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = _norm(x, "head_norm")
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=f"convnext_{variant}")


def convnext_block(x, name: str, drop_path: float = 0.0, layer_scale: float = 1e-6):
    """7x7 depthwise, LayerNorm, 1x1 to four times the channels, GELU, 1x1 back, a learnt scale, and the shortcut."""
    channels = x.shape[-1]
    y = common.DepthwiseConv2D(7, padding="same", name=f"{name}_depthwise")(x)
    y = _norm(y, f"{name}_norm")
    y = layers.Dense(4 * channels, activation="gelu", name=f"{name}_expand")(y)
    y = layers.Dense(channels, name=f"{name}_project")(y)
    y = LayerScale(layer_scale, name=f"{name}_scale")(y)
    return layers.Add(name=f"{name}_add")([x, common.drop_path(y, drop_path, name)])


def _norm(x, name: str):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


@keras.saving.register_keras_serializable(package="cnnlib")
class LayerScale(layers.Layer):
    """Multiplies each channel by a learnt number that starts near 0 (Touvron et al. 2021)."""

    reach, macs = "pointwise", 0  # for cnnlib.trace

    def __init__(self, start: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        initial = keras.initializers.Constant(self.start)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=initial, name="scale")

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return {**super().get_config(), "start": self.start}
