"""Weights between a state dictionary of PyTorch and a Keras model (appendix A).

================  ===========================  ==============================  ======================
layer             PyTorch                      Keras                           axes of PyTorch, taken
================  ===========================  ==============================  ======================
convolution       (out, in, height, width)     (height, width, in, out)        2, 3, 1, 0
depthwise         (in x m, 1, height, width)   (height, width, in, m)          split the first, then 2, 3, 0, 1
transposed        (in, out, height, width)     (height, width, out, in)        2, 3, 1, 0
dense, linear     (out, in)                    (in, out)                       1, 0
================  ===========================  ==============================  ======================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
from keras import layers

Arrays = dict[str, np.ndarray]


def channels_last(array) -> np.ndarray:
    """(n, channels, height, width) as (n, height, width, channels); an array of another rank as it is."""
    array = np.asarray(array)
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def channels_first(array) -> np.ndarray:
    """(n, height, width, channels) as (n, channels, height, width); an array of another rank as it is."""
    array = np.asarray(keras.ops.convert_to_numpy(array))
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def to_keras(
    model: keras.Model,
    state: Mapping[str, np.ndarray],
    flattened: Mapping[str, tuple[int, int, int]] | None = None,
) -> None:
    """Set the weights of a Keras model to those of a PyTorch state dictionary.

    Layers are paired by name (``layer1.conv2`` of PyTorch is ``layer1_conv2`` of Keras) if all names agree, else in
    their order.

    Args:
        model: built, with channels last.
        state: arrays by the names of PyTorch; ``num_batches_tracked`` is passed over.
        flattened: for a dense layer behind a flattened feature map, the map's (channels, height, width): the inputs
            are then put from PyTorch's order, channel by channel, into that of Keras, pixel by pixel.

    Raises:
        ValueError: another number of layers, a layer of a kind that is not known here, a missing entry or a shape that
            does not fit. Nothing is set then.
    """
    flattened = dict(flattened or {})
    assignments = []
    for layer, prefix, entries in _pairs(model, state):
        for variable, array in _kind(layer).into(layer, entries, flattened.pop(layer.name, None)):
            if tuple(variable.shape) != array.shape:
                raise ValueError(
                    f"{prefix or 'the weight'} of PyTorch, brought into the layout of Keras, has the shape "
                    f"{array.shape}; {layer.name} ({type(layer).__name__}) expects {tuple(variable.shape)}. Other "
                    "numbers of channels, or layers in another order? Equal names pair them for certain."
                )
            assignments.append((variable, array))
    if flattened:
        raise ValueError(f"flattened names {', '.join(flattened)}: there is no such layer with weights")
    for variable, array in assignments:
        variable.assign(array)


def from_keras(model: keras.Model) -> dict[str, Arrays]:
    """The weights of a Keras model in the layout of PyTorch: for each layer its entries, such as ``weight``.

    Raises:
        ValueError: a layer of a kind that is not known here.
    """
    return {layer.name: _kind(layer).out(layer) for layer in _with_weights(model)}


def prefixes(model: keras.Model, names: list[str]) -> dict[str, str]:
    """Which module of PyTorch (the part of its entries' names before the last dot) each Keras layer belongs to.

    Args:
        model: built.
        names: of the state dictionary's entries.

    Raises:
        ValueError: another number of layers.
    """
    found = list(_with_weights(model))
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    by_name = {module.replace(".", "_"): module for module in modules}
    if {layer.name for layer in found} == set(by_name):
        return {layer.name: by_name[layer.name] for layer in found}
    if len(found) != len(modules):
        raise ValueError(
            f"PyTorch has {len(modules)} modules with weights ({', '.join(modules)}), Keras {len(found)} layers "
            f"({', '.join(layer.name for layer in found)})"
        )
    return {layer.name: module for layer, module in zip(found, modules)}


def _pairs(model: keras.Model, state: Mapping) -> Iterator[tuple[keras.Layer, str, Arrays]]:
    state = {name: np.asarray(array) for name, array in state.items() if not name.endswith("num_batches_tracked")}
    paired = prefixes(model, list(state))
    for layer in _with_weights(model):
        prefix = paired[layer.name]
        entries = {name.rpartition(".")[2]: array for name, array in state.items() if name.rpartition(".")[0] == prefix}
        expected = set(_kind(layer).entries(layer))
        if set(entries) != expected:
            raise ValueError(
                f"{prefix or 'the module'} of PyTorch has {', '.join(sorted(entries))}; {layer.name} "
                f"({type(layer).__name__}) expects {', '.join(sorted(expected))}. A bias that only one side has?"
            )
        yield layer, prefix, entries


def _with_weights(model: keras.Layer) -> Iterator[keras.Layer]:
    for layer in getattr(model, "layers", [model]):
        if hasattr(layer, "layers"):
            yield from _with_weights(layer)
        elif layer.weights and [w for w in layer.weights if "seed" not in w.name]:
            yield layer


class _Kind:
    """How the entries of one kind of layer are put from one layout into the other."""

    def __init__(self, names: Mapping[str, str], into: Callable, out: Callable):
        self.names = names  # entry of PyTorch -> attribute of Keras
        self._into, self._out = into, out

    def entries(self, layer) -> list[str]:
        return [entry for entry, attribute in self.names.items() if getattr(layer, attribute, None) is not None]

    def into(self, layer, entries: Arrays, flattened) -> Iterator[tuple]:
        for entry in self.entries(layer):
            array = entries[entry]
            if entry == "weight":
                if flattened is not None and isinstance(layer, layers.Dense):
                    array = _by_pixel(array, flattened, layer.name)
                array = self._into(array, layer)
            yield getattr(layer, self.names[entry]), array

    def out(self, layer) -> Arrays:
        found = {each: keras.ops.convert_to_numpy(getattr(layer, self.names[each])) for each in self.entries(layer)}
        return {each: self._out(array) if each == "weight" else array for each, array in found.items()}


def _by_pixel(weight: np.ndarray, flattened: tuple[int, int, int], name: str) -> np.ndarray:
    """(out, channels x height x width) with its inputs in the order height, width, channels."""
    if weight.shape[1] != np.prod(flattened):
        raise ValueError(f"{name} has {weight.shape[1]} inputs; a map of {tuple(flattened)} has {np.prod(flattened)}")
    return weight.reshape(-1, *flattened).transpose(0, 2, 3, 1).reshape(weight.shape)


def _depthwise(weight: np.ndarray, layer) -> np.ndarray:
    multiplier = layer.depth_multiplier
    return weight.reshape(-1, multiplier, *weight.shape[2:]).transpose(2, 3, 0, 1)


def _from_depthwise(kernel: np.ndarray) -> np.ndarray:
    return kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])


_KERNEL = {"weight": "kernel", "bias": "bias"}
_SCALE = {"weight": "gamma", "bias": "beta"}
_STATISTICS = {"running_mean": "moving_mean", "running_var": "moving_variance"}
_CONVOLUTION = _Kind(
    _KERNEL, lambda weight, layer: weight.transpose(2, 3, 1, 0), lambda kernel: kernel.transpose(3, 2, 0, 1)
)
_NORM = _Kind(_SCALE, lambda weight, layer: weight, lambda gamma: gamma)
_KINDS = {
    layers.Conv2DTranspose: _CONVOLUTION,
    layers.DepthwiseConv2D: _Kind(_KERNEL, _depthwise, _from_depthwise),
    layers.Conv2D: _CONVOLUTION,
    layers.Dense: _Kind(_KERNEL, lambda weight, layer: weight.reshape(len(weight), -1).T, lambda kernel: kernel.T),
    layers.BatchNormalization: _Kind({**_SCALE, **_STATISTICS}, lambda weight, layer: weight, lambda gamma: gamma),
    layers.LayerNormalization: _NORM,
    layers.GroupNormalization: _NORM,
}


def _kind(layer: keras.Layer) -> _Kind:
    for known, kind in _KINDS.items():
        if isinstance(layer, known):
            return kind
    known = ", ".join(each.__name__ for each in _KINDS)
    raise ValueError(f"{layer.name} is a {type(layer).__name__}; weights are moved for {known}.")
