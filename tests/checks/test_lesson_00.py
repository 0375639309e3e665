"""The exercises of lesson 00: wrong answers get the message written for them, right ones are right."""

import numpy as np
from exercise_harness import cell, standard_tests

from cnnlib import exercise


def convention(body: str) -> cell:
    """An answer to 00.2 with that body."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    return cell(f"def to_convention(image):\n{lines}\n")


REFUSE = "if image.ndim != 3:\n    raise ValueError('three axes')\n"

WRONG = {
    "00.1": [
        ((32, 320, 240, 3), "Width and height have changed places"),
        ((32, 3, 240, 320), "NCHW, the order of PyTorch"),
        ([32, 3, 320, 240], "The channels come last here, and height comes before width"),
        ((240, 320, 3), "That is one photograph"),
        ((240, 320, 3, 32), "Which letter does NHWC begin with"),
        ((32, 240, 320), "The channels are missing"),
        ((32, 240, 320, 1), "One channel is a grey picture"),
        (32 * 240 * 320 * 3, "how many numbers the batch holds"),
        (cell("batch_shape = 32 * 240 * 320 * 3"), "how many numbers the batch holds"),
        ((32, 240, 320, 4), "3 of 4 entries are right; look at entry 3"),
        ("NHWC", "should be a list or an array of 4 values"),
        ((32.5, 240, 320, 3), "look at entry 0"),
    ],
    "00.2": [
        (convention(REFUSE + "c, h, w = image.shape\nreturn image.reshape(h, w, c) / 255"), "cuts the row anew"),
        (convention(REFUSE + "return image.T / 255"), "lies on its side"),
        (convention(REFUSE + "return np.swapaxes(image, 0, 2) / 255.0"), "lies on its side"),
        (convention(REFUSE + "return np.moveaxis(image, 0, -1)"), "still go up to 255"),
        (convention(REFUSE + "return image / 255"), "still the first axis"),
        (convention(REFUSE + "return image.transpose(1, 2, 0) // 255"), "all that is not fully white becomes black"),
        (convention(REFUSE + "return (image.transpose(1, 2, 0) / 255).astype('uint8')"), "not fully white"),
        (convention(REFUSE + "return image.transpose(1, 2, 0) / 256"), "the highest of them should become 1"),
        (convention(REFUSE + "x = image.transpose(1, 2, 0)\nreturn x / max(x.max(), 1)"), "a dark photograph becomes"),
        (
            convention(REFUSE + "x = image.transpose(1, 2, 0).astype('float32')\nreturn x / 255 if x.max() > 1 else x"),
            "would come out nearly white",
        ),
        (convention(REFUSE + "return np.transpose(image, (1, 2, 0)) / 255"), "become float64"),
        (convention(REFUSE + "return np.einsum('chw->hwc', image).astype('float64') / 255.0"), "array of float64"),
        (convention(REFUSE + "return (np.moveaxis(image, 0, -1) / 255).tolist()"), "a list"),
        (convention(REFUSE + "return (np.moveaxis(image, 0, -1) / 255).astype('float16')"), "Difference"),
        (convention(REFUSE + "return image.transpose(1, 2, 0) / 127.5 - 1"), "go from -1 to 1"),
        (convention(REFUSE + "return (image.transpose(1, 2, 0) - 127.0) / 128"), "what the network of this page wants"),
        (convention(REFUSE + "return image.transpose(1, 2, 0)[..., ::-1] / 255"), "red and blue have changed places"),
        (convention("return np.moveaxis(image, 0, -1) / 255"), "compare `image.ndim` with 3"),
        (convention(REFUSE + "print(image.transpose(1, 2, 0) / 255)"), "Is a `return` missing?"),
        (convention(REFUSE + "return np.rollaxis(image, 2) / 255"), "the axes are in another order"),
        (convention(REFUSE + "return image[::-1].transpose(1, 2, 0) / 255"), "red and blue have changed places"),
        (convention(REFUSE + "return image.transpose(1, 2, 0).astype('int8') / 255"), "Expected"),
        (convention(REFUSE + "return image.permute(1, 2, 0) / 255"), "AttributeError"),
        (convention("if image.ndim != 3:\n    return None\nreturn image.transpose(1, 2, 0) / 255"), "ValueError"),
        (convention("assert image.ndim == 3\nreturn image.transpose(1, 2, 0) / 255"), "it raises `ValueError`"),
        (convention("if image.ndim < 3:\n    raise ValueError\nreturn np.moveaxis(image, 0, -1) / 255"), "a batch of"),
        (convention("if image.ndim > 3:\n    raise ValueError\nreturn np.moveaxis(image, 0, -1) / 255"), "two axes"),
    ],
}

EQUIVALENT = {
    "00.1": [
        [32, 240, 320, 3],
        np.zeros((32, 240, 320, 3), "uint8").shape,
        cell("batch_shape = (32,) + (240, 320) + (3,)"),
        np.array([32, 240, 320, 3]),
    ],
    "00.2": [
        convention(REFUSE + "return np.transpose(image, (1, 2, 0)) / np.float32(255)"),
        convention("c, h, w = image.shape\nreturn np.stack([np.float32(p) / 255 for p in image], axis=-1)"),
        convention(REFUSE + "import keras\nreturn keras.ops.transpose(image, (1, 2, 0)) / 255"),
        convention(REFUSE + "return (np.einsum('chw->hwc', image).astype('float64') / 255.0).astype('float32')"),
        convention(REFUSE + "return np.divide(np.rollaxis(image, 0, 3), 255, dtype=np.float32)"),
    ],
}

globals().update(standard_tests("00", WRONG, EQUIVALENT))


def test_hints_name_no_more_than_the_tools():
    """The last hint of 00.2 leaves the divisor to the learner."""
    assert "/ 255" not in " ".join(exercise("00.2").hints)
