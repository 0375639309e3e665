"""EfficientNet-Lite0 to Lite4, with the ImageNet weights of Lite0 that are bundled with the course.

Tan and Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks", in the form that Google
published in 2020 for small devices: no squeeze-and-excitation, ReLU6 in place of swish; the stem and the head do not
grow with the network, nor does the depth of the first and the last stage. Lessons 00, 02, 07, 09 and 10.
"""

import functools
import math
from typing import NamedTuple

import keras
from keras import layers

from cnnlib import datasets
from cnnlib.models import common
from cnnlib.models.imagenet import decode_predictions, preprocess


class Stage(NamedTuple):
    """One stage of Lite0: ``repeats`` inverted residual blocks, of which only the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


# Name: width and depth relative to Lite0, the input size it was made for (pixels), dropout before the classifier.
VARIANTS = {
    "EfficientNetLite0": (1.0, 1.0, 224, 0.2),
    "EfficientNetLite1": (1.0, 1.1, 240, 0.2),
    "EfficientNetLite2": (1.1, 1.2, 260, 0.3),
    "EfficientNetLite3": (1.2, 1.4, 280, 0.3),
    "EfficientNetLite4": (1.4, 1.8, 300, 0.3),
}
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_FILTERS, HEAD_FILTERS = 32, 1280
SMALLEST = 32  # five strides of 2 leave one pixel of it; of less they leave padding
WEIGHTS = {"EfficientNetLite0": "efficientnet_lite0_imagenet"}


def EfficientNetLite(
    name: str,
    weights: str | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    num_classes: int = 1000,
    include_top: bool = True,
    pooling: str | None = None,
) -> keras.Model:
    """Build the network ``name`` of :data:`VARIANTS`: images (n, height, width, channels) in, logits out.

    Args:
        weights: None (random) or "imagenet" (bundled for Lite0 only; the input must come from :func:`preprocess`).
        input_shape: (height, width, channels); height and width may be None. If not given, what it was made for.
        num_classes: how many logits, (n, num_classes); with ``weights="imagenet"`` and the top, 1000.
        include_top: with the classifier. Without it, the output is the last feature map (n, h / 32, w / 32, 1280).
        pooling: without the top: None, or "avg" or "max" over that map (output (n, 1280)).

    Raises:
        ValueError: an argument has no meaning, or does not fit the weights. The message says what to do.
    """
    resolution = VARIANTS[name][2]
    input_shape = (resolution, resolution, 3) if input_shape is None else tuple(input_shape)
    _check(name, weights, input_shape, num_classes, include_top, pooling)

    if weights is not None:  # drawing values that are replaced at once takes JAX 14 s
        with common.without_drawing():
            model = _build(name, input_shape, num_classes, include_top, pooling)
        datasets.load_weights(model, WEIGHTS[name])
        return model
    return _build(name, input_shape, num_classes, include_top, pooling)


def _build(name: str, input_shape: tuple, num_classes: int, include_top: bool, pooling: str | None) -> keras.Model:
    width, depth, _, dropout = VARIANTS[name]
    x = image = keras.Input(input_shape, name="image")
    x = _conv(x, STEM_FILTERS, 3, 2, "stem")
    for number, stage in enumerate(STAGES, start=1):
        fixed = number in (1, len(STAGES))
        repeats = stage.repeats if fixed else math.ceil(stage.repeats * depth)
        for i in range(repeats):
            stride = stage.stride if i == 0 else 1
            filters = common.scaled(stage.filters, width, 8)
            x = _block(x, filters, stage.kernel, stride, stage.expansion, f"block{number}{chr(ord('a') + i)}")
    x = _conv(x, HEAD_FILTERS, 1, 1, "head")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dropout(dropout, name="top_dropout")(x)
        x = layers.Dense(num_classes, name="logits")(x)
    elif pooling is not None:
        pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}[pooling]
        x = pool(name=f"{pooling}_pool")(x)
    return keras.Model(image, x, name=name)


def EfficientNetLite0(weights=None, input_shape=(224, 224, 3), num_classes=1000, include_top=True, pooling=None):
    """Lite0, 4.7 M parameters, for 224 px. Arguments as :func:`EfficientNetLite`."""
    return EfficientNetLite("EfficientNetLite0", weights, input_shape, num_classes, include_top, pooling)


def EfficientNetLite1(weights=None, input_shape=(240, 240, 3), num_classes=1000, include_top=True, pooling=None):
    """Lite1, 5.4 M parameters, for 240 px. Arguments as :func:`EfficientNetLite`."""
    return EfficientNetLite("EfficientNetLite1", weights, input_shape, num_classes, include_top, pooling)


def EfficientNetLite2(weights=None, input_shape=(260, 260, 3), num_classes=1000, include_top=True, pooling=None):
    """Lite2, 6.1 M parameters, for 260 px. Arguments as :func:`EfficientNetLite`."""
    return EfficientNetLite("EfficientNetLite2", weights, input_shape, num_classes, include_top, pooling)


def EfficientNetLite3(weights=None, input_shape=(280, 280, 3), num_classes=1000, include_top=True, pooling=None):
    """Lite3, 8.2 M parameters, for 280 px. Arguments as :func:`EfficientNetLite`."""
    return EfficientNetLite("EfficientNetLite3", weights, input_shape, num_classes, include_top, pooling)


def EfficientNetLite4(weights=None, input_shape=(300, 300, 3), num_classes=1000, include_top=True, pooling=None):
    """Lite4, 13.0 M parameters, for 300 px. Arguments as :func:`EfficientNetLite`."""
    return EfficientNetLite("EfficientNetLite4", weights, input_shape, num_classes, include_top, pooling)


def _conv(x, filters: int | None, kernel: int, stride: int, name: str, activate: bool = True):
    """Convolution (depthwise if ``filters`` is None) without bias, batch normalisation, ReLU6."""
    settings = {"strides": stride, "padding": "same", "use_bias": False, "name": f"{name}_conv"}
    if filters is None:
        x = common.DepthwiseConv2D(kernel, depthwise_initializer=common.he(), **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel, kernel_initializer=common.he(), **settings)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activate else x


def _block(x, filters: int, kernel: int, stride: int, expansion: int, name: str):
    """The inverted residual of MobileNetV2: widen by 1x1, filter each channel, narrow by 1x1 without activation."""
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        x = _conv(x, channels * expansion, 1, 1, f"{name}_expand")
    x = _conv(x, None, kernel, stride, f"{name}_depthwise")
    x = _conv(x, filters, 1, 1, f"{name}_project", activate=False)
    return layers.Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and filters == channels else x


def _check(name: str, weights, input_shape: tuple, num_classes: int, include_top: bool, pooling: str | None) -> None:
    """Refuse arguments that have no meaning, each with what to do."""
    if len(input_shape) != 3:
        raise ValueError(f"{name}: input_shape={input_shape}; expected (height, width, channels), without the batch.")
    if any(pixels is not None and pixels < SMALLEST for pixels in input_shape[:2]):
        raise ValueError(
            f"{name}: input_shape={input_shape} is below {SMALLEST} pixels in height or width, of which five strides "
            "of 2 leave one. Enlarge the images (keras.layers.Resizing). The order is (height, width, channels)."
        )
    if num_classes < 1:
        raise ValueError(f"{name}: num_classes={num_classes}; expected 1 or more.")
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"{name}: pooling={pooling!r}; choose None, 'avg' or 'max'.")
    if pooling and include_top:
        raise ValueError(f"{name}: pooling={pooling!r} needs include_top=False; the classifier has its own pooling.")
    if weights not in (None, "imagenet"):
        raise ValueError(f"{name}: weights={weights!r}; choose None (random) or 'imagenet'.")
    if weights == "imagenet":
        _check_imagenet(name, input_shape, num_classes, include_top)


def _check_imagenet(name: str, input_shape: tuple, num_classes: int, include_top: bool) -> None:
    if name not in WEIGHTS:
        raise ValueError(f"{name}: there are ImageNet weights for {', '.join(WEIGHTS)} only. Take it, or weights=None.")
    if input_shape[2] != 3:
        raise ValueError(
            f"{name}: input_shape={input_shape} has {input_shape[2]} channels, the ImageNet weights need 3. Repeat a "
            "grey channel three times: np.repeat(images, 3, axis=-1)."
        )
    if include_top and num_classes != 1000:
        raise ValueError(
            f"{name}: num_classes={num_classes}, but the ImageNet classifier has 1000. For a head of your own take "
            f"include_top=False, pooling='avg' and put Dense({num_classes}) behind it."
        )


@functools.cache
def _classifier() -> keras.Model:
    return EfficientNetLite0(weights="imagenet")


def classify(image, top: int = 5) -> list[tuple[str, float]]:
    """What EfficientNet-Lite0 sees in one image (height, width, 3): the ``top`` classes as (name, probability)."""
    batch = preprocess(image)
    if len(batch) != 1:
        raise ValueError(f"classify: {len(batch)} images were given; it takes one, (height, width, 3).")
    return decode_predictions(_classifier().predict_on_batch(batch), top)[0]
