"""Layers of any Keras model, found by name, by path or by kind, also in models within the model."""

import difflib
from collections.abc import Iterator

import keras
from keras import layers

__all__ = ["CONVOLUTIONS", "find_layer", "last_convolution", "walk"]

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose)


def walk(model: keras.Model) -> Iterator[tuple[str, keras.Layer]]:
    """(path, layer) of every layer, those of models within the model included, in the order of the model."""
    for layer in model.layers:
        yield layer.name, layer
        if isinstance(layer, keras.Model):
            yield from ((f"{layer.name}/{path}", inner) for path, inner in walk(layer))


def find_layer(model: keras.Model, layer: str | keras.Layer) -> keras.Layer:
    """The layer of that name or path. Raises ValueError with the names that come near, or if a name occurs twice."""
    found = [(path, inner) for path, inner in walk(model) if layer in (path, inner.name) or inner is layer]
    if len(found) == 1:
        return found[0][1]
    if found:
        raise ValueError(
            f"{len(found)} layers are called {layer!r}. Take a path: {', '.join(path for path, _ in found)}."
        )
    if isinstance(layer, keras.Layer):
        raise ValueError(f"layer {layer.name!r} is not part of model {model.name!r}. Was it taken from a copy?")
    near = difflib.get_close_matches(str(layer), [path for path, _ in walk(model)], n=5, cutoff=0.3)
    raise ValueError(
        f"model {model.name!r} has no layer {layer!r}. "
        + (f"Near it are {', '.join(near)}." if near else "See model.summary(expand_nested=True).")
    )


def last_convolution(model: keras.Model) -> keras.Layer:
    """The last convolution of the model, where Grad-CAM usually looks. ValueError if there is none."""
    found = [layer for _, layer in walk(model) if isinstance(layer, CONVOLUTIONS)]
    if not found:
        raise ValueError(f"model {model.name!r} has no convolution. Name the layer to explain: layer='...'.")
    return found[-1]
