"""What a class with a ``call`` of its own computes is found by calling it with symbols: how to leave no mark."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def untouched(layer: keras.Layer) -> Iterator[None]:
    """Within it, the layer and those inside it may be called with symbols; afterwards no node of a graph is left.

    Without this, ``layer.output`` would answer with the symbol, or refuse to answer for a layer that has several.
    """
    marks = [
        (nodes, len(nodes)) for each in layer._flatten_layers() for nodes in (each._inbound_nodes, each._outbound_nodes)
    ]
    try:
        yield
    finally:
        for nodes, count in marks:
            del nodes[count:]
