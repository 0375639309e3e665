"""Read the tensors of a PyTorch file as NumPy arrays: without PyTorch, and without running anything in the file.

A PyTorch file is a pickle, and a pickle can call any function when it is loaded. The unpickler here admits an ordered
dictionary and tensors, and refuses everything else.
"""

import collections
import io
import pickle
import struct

import numpy as np

STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of the format that PyTorch wrote before 1.6
PROTOCOL = 1001


class _Storage:
    """Numbers that tensors are views of; filled after the pickle was read, as they follow it in the file."""

    def __init__(self, dtype: str, size: int):
        self.dtype, self.size, self.values = np.dtype(dtype), size, None


class _Tensor:
    """A view of a storage, as the file describes it: offset, shape and strides in elements."""

    def __init__(self, storage, offset, shape, strides, *unused):
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)

    def array(self) -> np.ndarray:
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides))
        if min(self.offset, *self.strides, 0) < 0 or last >= self.storage.size:
            raise pickle.UnpicklingError(f"a tensor of shape {self.shape} reaches outside its storage")
        values = self.storage.values[self.offset :]
        strides = [s * values.itemsize for s in self.strides]
        return np.lib.stride_tricks.as_strided(values, self.shape, strides).copy()


class _Unpickler(pickle.Unpickler):
    """Admits ordered dictionaries, tensors and their storages."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}; only tensors are admitted")

    def persistent_load(self, identity):
        if len(identity) != 6 or identity[0] != "storage" or identity[5] is not None:
            raise pickle.UnpicklingError(f"the file refers to {identity!r}; only whole storages are admitted")
        _, dtype, key, _, size, _ = identity
        return self.storages.setdefault(key, _Storage(dtype, size))


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The state dictionary in ``data``, a file that ``torch.save`` of PyTorch before 1.6 wrote: name to array.

    Raises:
        pickle.UnpicklingError: the file holds anything but tensors, or is not such a file.
    """
    file = io.BytesIO(data)
    if _Unpickler(file).load() != MAGIC or _Unpickler(file).load() != PROTOCOL:
        raise pickle.UnpicklingError("this is not a PyTorch file of the format before 1.6")
    _Unpickler(file).load()  # sizes of the writer's machine
    unpickler = _Unpickler(file)
    tensors = unpickler.load()
    for key in _Unpickler(file).load():
        storage = unpickler.storages[key]
        (size,) = struct.unpack("<q", file.read(8))
        if size != storage.size:
            raise pickle.UnpicklingError(f"a storage holds {size} numbers, the tensors expect {storage.size}")
        storage.values = np.frombuffer(file.read(size * storage.dtype.itemsize), storage.dtype)
    return {name: tensor.array() for name, tensor in tensors.items()}
