"""Read the tensors of a TensorFlow.js graph model as NumPy arrays: without TensorFlow, and without running anything.

Such a model is a ``model.json``, which names each tensor, its type and its shape in order, and shards beside it, which
hold their bytes (little endian) one after the other.
"""

import json
import math
from collections.abc import Callable

import numpy as np

DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "u1"}


def read_tensors(read: Callable[[str], bytes], folder: str) -> dict[str, np.ndarray]:
    """All tensors of the model in ``folder`` of a package, by name.

    Args:
        read: gives the bytes of a file by its path, as ``Members.read`` does.
        folder: where ``model.json`` is.

    Raises:
        ValueError: the shards hold more or fewer bytes than the tensors need, a type is unknown, or the tensors are
            quantised.
    """
    tensors = {}
    for group in json.loads(read(f"{folder}/model.json"))["weightsManifest"]:
        data = b"".join(read(f"{folder}/{path}") for path in group["paths"])
        offset = 0
        for weight in group["weights"]:
            if weight["dtype"] not in DTYPES or "quantization" in weight:
                raise ValueError(f"{folder}: {weight['name']} is stored in a way this reader does not know: {weight}")
            dtype, count = np.dtype(DTYPES[weight["dtype"]]), math.prod(weight["shape"])
            if offset + count * dtype.itemsize > len(data):
                raise ValueError(f"{folder}: the shards end inside the tensor {weight['name']}; is one missing?")
            tensors[weight["name"]] = np.frombuffer(data, dtype, count, offset).reshape(weight["shape"])
            offset += count * dtype.itemsize
        if offset != len(data):
            raise ValueError(f"{folder}: the shards hold {len(data)} bytes, the tensors need {offset}.")
    return tensors
