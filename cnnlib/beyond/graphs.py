"""Adjacency matrices, and a convolution on any graph. Lesson 18.

A row of an adjacency matrix says to whom a node listens: ``adjacency[i, j] != 0`` if node ``i`` has the neighbour
``j``. A pixel (row, column) of a grid is node ``row * width + column``.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse


def shift(height: int, width: int, down: int, right: int) -> sparse.csr_array:
    """The matrix by which each pixel listens to the one `down` rows below and `right` columns to its right.

    (n, n) with n = height * width. A pixel that has none there, because the grid ends, has a row of zeros, as a
    convolution with zeros for padding has it.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a grid of {height} x {width}: expected 1 or more of each.")
    rows, columns = np.divmod(np.arange(height * width), width)
    there = (rows + down >= 0) & (rows + down < height) & (columns + right >= 0) & (columns + right < width)
    start = np.flatnonzero(there)
    end = (rows + down)[there] * width + (columns + right)[there]
    return sparse.csr_array((np.ones(len(start), "float32"), (start, end)), shape=(height * width,) * 2)


def grid(height: int, width: int) -> sparse.csr_array:
    """The graph of a grid, where each pixel has up to eight neighbours and is not one of them itself."""
    around = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
    return sum(shift(height, width, *step) for step in around)


def mean_of_neighbours(adjacency: sparse.sparray, x: np.ndarray) -> np.ndarray:
    """The mean over the neighbours of each node; 0 for a node that has none.

    Args:
        adjacency: (n, n), not necessarily symmetric.
        x: (n, channels).
    """
    adjacency = sparse.csr_array(adjacency)
    if adjacency.shape != (len(x), len(x)):
        raise ValueError(f"{len(x)} nodes and an adjacency matrix of shape {adjacency.shape}: expected a square one.")
    count = np.asarray(adjacency.sum(1)).reshape(-1, 1)
    return (adjacency @ x) / np.where(count > 0, count, 1)


def graph_convolution(
    adjacency: sparse.sparray, x: np.ndarray, own: np.ndarray, neighbours: np.ndarray, bias: np.ndarray | float = 0.0
) -> np.ndarray:
    """Each node's own channels through one matrix, the mean of its neighbours through another: (n, filters).

    The mean aggregation of GraphSAGE (Hamilton, Ying and Leskovec 2017), without its normalisation.

    Args:
        adjacency: (n, n).
        x: (n, channels).
        own, neighbours: (channels, filters).
        bias: (filters,).
    """
    return x @ own + mean_of_neighbours(adjacency, x) @ neighbours + bias


def relational_convolution(relations: list, x: np.ndarray, kernels: list[np.ndarray]) -> np.ndarray:
    """A matrix of weights for each kind of edge: the sum over kinds r of ``relations[r] @ x @ kernels[r]``.

    The relational convolution of Schlichtkrull and others (2018). With the nine shifts of a grid as kinds it is a 3x3
    convolution.
    """
    if len(relations) != len(kernels):
        raise ValueError(f"{len(relations)} kinds of edges and {len(kernels)} kernels: expected one each.")
    return sum(relation @ x @ kernel for relation, kernel in zip(relations, kernels))
