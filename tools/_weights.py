"""Write weights the way the course ships them: float16, byte planes apart, in a zip of NumPy arrays (.npz).

The upper bytes of float16 weights (sign, exponent) compress well, the lower bytes (fraction) hardly do: held apart, as
HDF5's shuffle filter does, the file is a tenth smaller. ``cnnlib.datasets.weights`` reads it.
"""

import io
import zipfile

import numpy as np


def pack_weights(arrays: dict[str, np.ndarray], bits: int = 10) -> bytes:
    """An .npz file with one uint8 member (2, *shape) per array: the lower, then the upper bytes of its float16 values.

    Equal arrays give equal bytes: the members carry no time, and are in the order given.

    Args:
        arrays: the values by path.
        bits: how many of the 10 bits of the fraction to keep in arrays of two axes or more; the rest is rounded to
            zeros, which take no space. With 8 the file is an eighth smaller, and a value is off by at most 1 part in
            512. Biases and statistics, of one axis, keep all.

    Raises:
        ValueError: a value is too large for float16, or ``bits`` is not from 1 to 10.
    """
    if not 1 <= bits <= 10:
        raise ValueError(f"bits={bits}: the fraction of a float16 has 10; expected 1 to 10.")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            with np.errstate(over="ignore"):
                halves = np.ascontiguousarray(array, "<f2")
            if halves.ndim > 1:
                halves = round_fraction(halves, bits)
            if not np.isfinite(halves).all():
                raise ValueError(f"{name} has values that float16 cannot hold (up to {np.abs(array).max():g})")
            planes = np.moveaxis(halves[..., None].view(np.uint8), -1, 0)
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(planes), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return file.getvalue()


def round_fraction(halves: np.ndarray, bits: int) -> np.ndarray:
    """float16 values with the fraction rounded to ``bits`` bits, ties to the even neighbour; infinite if too large."""
    drop = 10 - bits
    if drop == 0:
        return halves
    numbers = halves.view("<u2").astype(np.uint32)
    # Neighbouring float16 values have neighbouring bit patterns: rounding is that of whole numbers.
    numbers += (1 << (drop - 1)) - 1 + ((numbers >> drop) & 1)
    return ((numbers >> drop) << drop).astype("<u2").view("<f2")


def model_arrays(model) -> dict[str, np.ndarray]:
    """The weights of a Keras model by path ("stem_conv/kernel"), trainable or not."""
    import keras  # here, because packing needs no Keras

    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}
