"""DeepLabV3 on MobileNetV2: a class for every pixel. Lesson 12.

Chen, Papandreou, Schroff, Adam 2017, "Rethinking atrous convolution for semantic image segmentation"; the small form
(output stride 8, no atrous branch) is that of section 6.4 of Sandler et al. 2018, "MobileNetV2". The bundled weights
"voc" were trained on PASCAL VOC 2012 (20 classes and background) by its authors; their batch normalisation is folded
into the convolutions.
"""

import functools

import keras
import numpy as np
from keras import layers, ops

from cnnlib.models import common, mobilenet

SIZE = 513  # the longer side of an image when the network was trained: 64 steps of 8, and 1
FILTERS = 256
SMALLEST = 32


@common.bundled_weights(voc=("deeplabv3_mobilenetv2_voc", {"input_shape": (None, None, 3)}))
def DeepLabV3(
    input_shape: tuple[int | None, int | None, int] = (SIZE, SIZE, 3),
    num_classes: int = 21,
    output_stride: int = 8,
    rates: tuple[int, ...] = (),
    width: float = 1.0,
    norm: str | None = None,
    weights: str | None = None,
) -> keras.Model:
    """Images (n, h, w, c), for the weights in [-1, 1], to logits (n, h / output_stride, w / output_stride, classes).

    output_stride: 8, 16 or 32 pixels from one logit to the next. rates: dilations of the 3x3 branches of :func:`aspp`.
    norm: None (biases in its place), "batch" or "group". weights: None, or "voc" (`segment` prepares its input).
    """
    common.one_of("output_stride", output_stride, (8, 16, 32), "DeepLabV3")
    inputs = common.image_input(input_shape, num_classes, SMALLEST, "DeepLabV3")
    x = mobilenet.backbone(inputs, width, output_stride=output_stride, norm=norm)
    x = aspp(x, FILTERS, rates, norm=norm)
    return keras.Model(inputs, layers.Conv2D(num_classes, 1, name="logits")(x), name="deeplabv3")


def aspp(x, filters: int = FILTERS, rates: tuple[int, ...] = (6, 12, 18), norm: str | None = "batch", name="aspp"):
    """Atrous spatial pyramid pooling: a pixel, its surroundings at several distances, and the whole image.

    Args:
        x: features (n, h, w, c).
        filters: channels of each branch and of the result, (n, h, w, filters).
        rates: dilation of each 3x3 branch; none in the small DeepLab.
        norm: "batch", "group", "layer", or None.
        name: how its layers' names begin.

    Raises:
        ValueError: a rate is not a whole number of 1 or more.
    """
    if not all(isinstance(rate, int) and rate >= 1 for rate in rates):
        raise ValueError(f"aspp: rates={rates!r}; expected whole numbers of pixels, 1 or more, one for each branch.")
    settings = {"norm": norm, "epsilon": mobilenet.EPSILON}
    whole = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_gap")(x)
    whole = common.conv_norm_act(whole, filters, 1, name=f"{name}_image", **settings)
    pixel = common.conv_norm_act(x, filters, 1, name=f"{name}_pixel", **settings)
    branches = [layers.Add(name=f"{name}_spread")([whole, ops.zeros_like(pixel)]), pixel]
    for rate in rates:
        branches.append(common.conv_norm_act(x, filters, 3, name=f"{name}_rate{rate}", dilation=rate, **settings))
    x = layers.Concatenate(name=f"{name}_concat")(branches)
    return common.conv_norm_act(x, filters, 1, name=f"{name}_project", **settings)


# --- images in, label maps out ---------------------------------------------------------------------------------------


def preprocess(image, size: int = SIZE) -> tuple[np.ndarray, tuple[int, int]]:
    """One image (h, w, 3), uint8 or 0..255, as the network saw its training images.

    The longer side becomes ``size`` pixels, the rest of the square is grey, and values go to [-1, 1].

    Returns:
        float32 (1, size, size, 3), and the (height, width) of the part that the image fills, from the upper left.

    Raises:
        ValueError: the image has another shape or range, or no pixels.
    """
    from PIL import Image

    image = common.checked_photograph(image, "deeplab.preprocess")
    scale = size / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    picture = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    batch = np.zeros((1, size, size, 3), "float32")  # zero is the grey 127.5
    batch[0, :height, :width] = np.asarray(picture, "float32") / 127.5 - 1
    return batch, (height, width)


def upsample(logits, size: tuple[int, int]):
    """Enlarge (n, h, w, c) to ``size`` by bilinear interpolation with the corners of both grids on one another.

    `keras.ops.image.resize` lets the corners of the corner *pixels* meet, which shifts the map by up to half a step;
    DeepLab was trained with the centres of the corner pixels together ("align corners").
    """
    rows, columns = (_aligned(small, large) for small, large in zip(logits.shape[1:3], size))
    return ops.einsum("ij,njkc,lk->nilc", rows, ops.convert_to_tensor(logits), columns)


@functools.lru_cache(maxsize=16)
def _aligned(small: int, large: int) -> np.ndarray:
    """The weights of ``small`` samples in each of ``large`` points between the first and the last, (large, small)."""
    at = np.linspace(0, small - 1, large)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(small))).astype("float32")


@functools.cache
def _network() -> keras.Model:
    return DeepLabV3(weights="voc")


def segment(image, network: keras.Model | None = None) -> np.ndarray:
    """The VOC class of every pixel of one image (h, w, 3): int64 (h, w), numbers as in `datasets.VOC_CLASSES`.

    network: a model with the input and output of ``DeepLabV3(weights="voc")``; that one if not given.
    """
    batch, (inner_height, inner_width) = preprocess(image)
    height, width = np.shape(image)[:2]
    network = _network() if network is None else network
    logits = upsample(network.predict_on_batch(batch), batch.shape[1:3])[:, :inner_height, :inner_width]
    logits = ops.image.resize(logits, (height, width), interpolation="bilinear", data_format="channels_last")
    return ops.convert_to_numpy(ops.argmax(logits[0], axis=-1)).astype("int64")
