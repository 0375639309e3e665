"""Write weights the way the course ships them: float16, byte planes apart, in a zip of NumPy arrays (.npz).

The upper bytes of float16 weights (sign, exponent) compress well, the lower bytes (fraction) hardly do: held apart, as
HDF5's shuffle filter does, the file is a tenth smaller. ``cnnlib.datasets.weights`` reads it.
"""

import io
import zipfile

import numpy as np


def pack_weights(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz file with one uint8 member (2, *shape) per array: the lower, then the upper bytes of its float16 values.

    Equal arrays give equal bytes: the members carry no time, and are in the order given.

    Raises:
        ValueError: a value is too large for float16.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            with np.errstate(over="ignore"):
                halves = np.ascontiguousarray(array, "<f2")
            if not np.isfinite(halves).all():
                raise ValueError(f"{name} has values that float16 cannot hold (up to {np.abs(array).max():g})")
            planes = np.moveaxis(halves[..., None].view(np.uint8), -1, 0)
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(planes), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return file.getvalue()


def model_arrays(model) -> dict[str, np.ndarray]:
    """The weights of a Keras model by path ("stem_conv/kernel"), trainable or not."""
    import keras  # here, because packing needs no Keras

    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}
