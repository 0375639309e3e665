"""Write weights the way the course ships them: float16, byte planes apart, in a zip of NumPy arrays (.npz).

The upper bytes of float16 weights (sign, exponent) compress well, the lower bytes (fraction) hardly do: held apart, as
HDF5's shuffle filter does, the file is a tenth smaller. ``cnnlib.datasets.weights`` reads it.
"""

import io
import zipfile

import numpy as np

FRACTION_BITS = 10  # that float16 stores


def pack_weights(arrays: dict[str, np.ndarray], kernel_bits: int = FRACTION_BITS) -> bytes:
    """An .npz file with one uint8 member (2, *shape) per array: the lower, then the upper bytes of its float16 values.

    Equal arrays give equal bytes: the members carry no time, and are in the order given.

    Args:
        arrays: by path.
        kernel_bits: to how many bits the fraction of a value is rounded, from 0 to 10, in arrays of two axes or more:
            the bits behind are zero, and pack well. Biases and statistics, of one axis, keep all.

    Raises:
        ValueError: a value is too large for float16, or there is no such number of bits.
    """
    if not 0 <= kernel_bits <= FRACTION_BITS:
        raise ValueError(f"kernel_bits={kernel_bits}: float16 has a fraction of {FRACTION_BITS} bits")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            with np.errstate(over="ignore"):
                halves = np.ascontiguousarray(array, "<f2")
            if halves.ndim > 1:
                halves = round_fraction(halves, kernel_bits)
            if not np.isfinite(halves).all():
                raise ValueError(f"{name} has values that float16 cannot hold (up to {np.abs(array).max():g})")
            planes = np.moveaxis(halves[..., None].view(np.uint8), -1, 0)
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(planes), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return file.getvalue()


def round_fraction(halves: np.ndarray, bits: int) -> np.ndarray:
    """float16 values with their fractions rounded to ``bits`` bits, to the nearest, halfway ones to the even.

    Integers, as which float16 values are read here, grow with the size of the value: what carries over from the
    fraction goes into the exponent, as it should.
    """
    drop = FRACTION_BITS - bits
    codes = halves.view("<u2").astype("<u4")
    if drop:
        odd = codes >> drop & 1
        codes = codes + (1 << drop - 1) - 1 + odd >> drop << drop
    return np.ascontiguousarray(codes.astype("<u2")).view("<f2")


def model_arrays(model) -> dict[str, np.ndarray]:
    """The weights of a Keras model by path ("stem_conv/kernel"), trainable or not."""
    import keras  # here, because packing needs no Keras

    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}
