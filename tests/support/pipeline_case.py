"""Small networks whose answers can be computed by hand, for tests of what stands around a network."""

import keras
import numpy as np
from keras import layers, ops

SIDE = 16


def colour_classifier() -> keras.Model:
    """Logits of red, green and blue: ten times the mean of each channel."""
    x = inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.GlobalAveragePooling2D()(x)
    dense = layers.Dense(3, use_bias=False, name="logits")
    model = keras.Model(inputs, dense(x), name="colours")
    dense.kernel.assign(10 * np.eye(3, dtype="float32"))
    return model


def colour_map() -> keras.Model:
    """Logits (16, 16, 3) for grey, red and blue pixels."""
    inputs = keras.Input((SIDE, SIDE, 3))
    conv = layers.Conv2D(3, 1, name="logits")
    model = keras.Model(inputs, conv(inputs), name="map")
    kernel = np.zeros((1, 1, 3, 3), "float32")
    kernel[0, 0, :, 1], kernel[0, 0, :, 2] = (20, -10, -10), (-10, -10, 20)
    conv.kernel.assign(kernel)
    conv.bias.assign(np.array([3, 0, 0], "float32"))
    return model


GRID = np.array([[4.0 * x, 4.0 * y, 4.0 * x + 4, 4.0 * y + 4] for y in range(4) for x in range(4)], "float32")


def cell_detector() -> keras.Model:
    """Logits (16, 3) of background, red and blue for each cell of 4 by 4 pixels; boxes are the cells, `GRID`."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.AveragePooling2D(4)(inputs)
    conv = layers.Conv2D(3, 1, name="classes")
    model = keras.Model(inputs, layers.Reshape((16, 3))(conv(x)), name="cells")
    kernel = np.zeros((1, 1, 3, 3), "float32")
    kernel[0, 0, :, 1], kernel[0, 0, :, 2] = (20, -10, -10), (-10, -10, 20)
    conv.kernel.assign(kernel)
    conv.bias.assign(np.array([9, -4, -4], "float32"))
    return model


def cells(outputs):
    return np.broadcast_to(GRID, (len(outputs), *GRID.shape)), np.asarray(outputs)


def softmax(logits):
    return ops.convert_to_numpy(ops.softmax(np.asarray(logits, "float32")))


def served_pipelines() -> dict:
    """A pipeline for each task on the networks above."""
    from cnnlib.pipeline import Pipeline, Preprocessing, Specification

    labels, letterbox = ("background", "red", "blue"), Preprocessing(SIDE, "letterbox", fill=128)
    classify = Specification("colours", "classify", ("red", "green", "blue"), Preprocessing(SIDE))
    detect = Specification("cells", "detect", labels, letterbox, background=0, threshold=0.5)
    segment = Specification("map", "segment", labels, letterbox, background=0)
    return {
        "classify": Pipeline(colour_classifier(), classify),
        "detect": Pipeline(cell_detector(), detect, boxes=cells),
        "segment": Pipeline(colour_map(), segment),
    }
