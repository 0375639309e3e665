"""MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov, Chen 2018, "MobileNetV2: inverted residuals and linear bottlenecks").

Padding is "same", as in the authors' TensorFlow code and `keras.applications`. Lesson 07.

Lesson 09 uses the network of `keras.applications` with ImageNet weights that were trained in PyTorch, under other
conventions: :func:`imagenet_backbone`, :func:`with_torch_conventions`.
"""

import keras
import numpy as np
from keras import layers

from cnnlib import datasets
from cnnlib.models import common

# expansion, channels, repeats, stride of the first: table 2 of the paper
TABLE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
EPSILON = 1e-3  # of the batch normalisations, as in the authors' code


@common.bundled_weights(
    cifar10=(
        "mobilenetv2_cifar10",
        {"input_shape": (None, None, 3), "num_classes": 10, "width": 0.5, "small_images": True},
    ),
)
def MobileNetV2(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    num_classes: int = 1000,
    width: float = 1.0,
    small_images: bool = False,
    dropout: float = 0.2,
    weights: str | None = None,
) -> keras.Model:
    """MobileNetV2 with logits out.

    width: multiplies the numbers of channels. small_images: no stride in the stem nor in the second row of the table,
    for inputs of 32 pixels. weights: None, or "cifar10" (10 classes, width=0.5, small_images=True, colour).
    """
    smallest = 8 if small_images else 32
    inputs = common.image_input(input_shape, num_classes, smallest, "MobileNetV2")
    x = backbone(inputs, width, small_images)
    channels = common.scaled(1280, max(1.0, width), 8)
    x = common.conv_norm_act(x, channels, 1, name="head", activation="relu6", epsilon=EPSILON)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name="mobilenetv2")


def backbone(
    x, width: float = 1.0, small_images: bool = False, output_stride: int = 32, norm: str | None = "batch"
) -> keras.KerasTensor:
    """The stem and the seven stages of the table: images (n, h, w, c) to features (n, h / 32, w / 32, 320 * width).

    output_stride: where the strides have come to it, later ones become dilations (Chen et al. 2017, "Rethinking atrous
    convolution"): the same weights look equally far on a finer map. norm: None for weights with the batch
    normalisation folded in. SSDLite and DeepLab stand on it (lessons 11 and 12).
    """
    settings = {"activation": "relu6", "epsilon": EPSILON, "norm": norm}
    jump = 1 if small_images else 2
    dilation = 1
    x = common.conv_norm_act(x, common.scaled(32, width, 8), 3, jump, name="stem", **settings)
    for stage, (expansion, channels, repeats, stride) in enumerate(TABLE, start=1):
        if small_images and stage == 2:
            stride = 1
        channels = common.scaled(channels, width, 8)
        for i in range(repeats):
            name, step = f"block{stage}_{i + 1}", stride if i == 0 else 1
            if step * jump <= output_stride:
                x = inverted_residual(x, channels, expansion, step, name, norm, dilation)
                jump *= step
            else:  # this block's own window is not widened yet: what it looks at has the old distances
                x = inverted_residual(x, channels, expansion, 1, name, norm, dilation)
                dilation *= step
    return x


def inverted_residual(
    x, channels: int, expansion: int, stride: int, name: str, norm: str | None = "batch", dilation: int = 1
):
    """1x1 up, 3x3 depthwise, 1x1 down without activation; a shortcut where shapes agree."""
    y, settings = x, {"activation": "relu6", "epsilon": EPSILON, "norm": norm}
    if expansion > 1:
        y = common.conv_norm_act(y, expansion * x.shape[-1], 1, name=f"{name}_expand", **settings)
    y = common.conv_norm_act(y, None, 3, stride, name=f"{name}_depthwise", dilation=dilation, **settings)
    y = common.conv_norm_act(y, channels, 1, name=f"{name}_project", **settings | {"activation": None})
    if stride == 1 and x.shape[-1] == channels:
        y = layers.Add(name=f"{name}_add")([x, y])
    return y


# --- ImageNet weights that come from PyTorch -------------------------------------------------------------------------

TORCH_EPSILON = 1e-5
TORCH_MEAN, TORCH_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours, in [0, 1]


def imagenet_backbone(
    input_shape: tuple[int, int, int] = (224, 224, 3), pooling: str | None = "avg", as_trained: bool = True
) -> keras.Model:
    """`keras.applications.MobileNetV2` without its top, with the bundled ImageNet weights.

    Args:
        input_shape: (height, width, 3), fixed. Images as :func:`torch_preprocess` gives them.
        pooling: "avg" or "max", output (n, 1280), or None, (n, height / 32, width / 32, 1280).
        as_trained: False leaves the conventions of `keras.applications`, under which these weights were not trained:
            they fit, no error is raised, and the features are worse (lesson 09).
    """
    if None in input_shape:
        raise ValueError(f"input_shape={input_shape}: height and width must be known, as the padding depends on them.")
    with common.without_drawing():
        model = keras.applications.MobileNetV2(input_shape, include_top=False, pooling=pooling, weights=None)
        model = with_torch_conventions(model) if as_trained else model
    datasets.load_weights(model, "mobilenetv2_imagenet")
    return model


def with_torch_conventions(model: keras.Model) -> keras.Model:
    """A copy of a `keras.applications.MobileNetV2` of fixed input size that computes as PyTorch's would.

    Two things differ: epsilon of the batch normalisations is 1e-5 in place of 1e-3, and under a stride of 2 an even
    input is padded on the top and on the left, not on the right and at the bottom.
    """

    def convention(layer):
        settings = layer.get_config()
        if isinstance(layer, layers.BatchNormalization):
            settings["epsilon"] = TORCH_EPSILON
        elif isinstance(layer, layers.ZeroPadding2D):
            settings["padding"] = tuple(tuple(reversed(sides)) for sides in layer.padding)
        elif layer.name == "Conv1":
            settings["padding"] = "valid"
        return type(layer).from_config(settings)

    def padded(layer, x, **options):
        if layer.name == "Conv1":  # "same" in Keras; the other strides have a padding layer already
            sides = [(1, size % 2) for size in x.shape[1:3]]  # of an odd size Keras pads both sides, too
            x = layers.ZeroPadding2D(sides, name="Conv1_pad")(x)
        return layer(x, **options)

    with common.without_drawing():
        copy = keras.models.clone_model(model, clone_function=convention, call_function=padded)
    copy.set_weights(model.get_weights())
    return copy


def torch_preprocess(images) -> np.ndarray:
    """Images of 0 ... 255, (n, height, width, 3), as PyTorch's model zoo wants them: (v / 255 - mean) / spread."""
    images = np.asarray(images, "float32") / 255
    return (images - np.float32(TORCH_MEAN)) / np.float32(TORCH_SPREAD)
