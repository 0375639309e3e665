"""U-Net (Ronneberger, Fischer, Brox 2015, "U-Net: convolutional networks for biomedical image segmentation").

Two changes that are usual today: convolutions are padded, so that the output is as large as the input, and each is
followed by a normalisation; that of groups (Wu, He 2018) does not mind a batch of one. Lesson 12.
"""

import keras
from keras import layers, ops

from cnnlib.models import common
from cnnlib.segmentation.decoders import upsample


def UNet(
    input_shape: tuple[int | None, int | None, int] = (None, None, 1),
    num_classes: int = 1,
    depth: int = 3,
    width: int = 16,
    decoder: str = "resize",
    skips: bool = True,
    norm: str | None = "group",
    dropout: float = 0.0,
) -> keras.Model:
    """Images (n, h, w, c) to logits (n, h, w, num_classes).

    Args:
        input_shape: (height, width, channels); height and width may be None. Sizes that are no multiples of
            ``2 ** depth`` are rounded up at each halving, and the decoder cuts what is too much.
        num_classes: logits for a pixel; 1 asks "is it the object?".
        depth: how often the encoder halves the image.
        width: channels at full size; each level down has twice as many. The paper has depth 4 and width 64.
        decoder: "resize" or "transposed", see `decoders.upsample`.
        skips: give the decoder the encoder's features of the same size. Without, an autoencoder remains.
        norm: "group", "batch" or None.
        dropout: at the bottom, the share of features dropped.

    Raises:
        ValueError: an argument has no meaning, or a side of the image is known and below ``2 ** depth``.
    """
    for name, value in (("depth", depth), ("width", width)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"UNet: {name}={value!r}; expected a whole number of 1 or more.")
    inputs = common.image_input(input_shape, num_classes, 2**depth, "UNet")
    x, features = inputs, []
    for level in range(depth):
        x = _double(x, width << level, norm, f"down{level}")
        features.append(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{level}")(x)
    x = _double(x, width << depth, norm, "bottom")
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    for level in reversed(range(depth)):
        x = upsample(x, width << level, decoder, name=f"up{level}")
        if None in x.shape[1:3] or x.shape[1:3] != features[level].shape[1:3]:
            x = CropLike(name=f"crop{level}")([x, features[level]])
        if skips:
            x = layers.Concatenate(name=f"skip{level}")([features[level], x])
        x = _double(x, width << level, norm, f"back{level}")
    return keras.Model(inputs, layers.Conv2D(num_classes, 1, name="logits")(x), name="unet")


@keras.saving.register_keras_serializable(package="cnnlib")
class CropLike(layers.Layer):
    """The first of two maps, cut below and on the right to the height and width of the second."""

    def call(self, inputs):
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return (x[0], *like[1:3], x[3])


def _double(x, filters: int, norm: str | None, name: str):
    """Two 3x3 convolutions, each with normalisation and ReLU."""
    for part in "ab":
        x = common.conv_norm_act(x, filters, 3, name=f"{name}{part}", norm=norm)
    return x
