"""Rules for layers that read sequences and tokens: attention, einsum, recurrence; and for operations that cut and join.

Attention: Vaswani et al. (2017); grouped queries: Ainslie et al. (2023). Recurrent cells: Hochreiter and Schmidhuber
(1997), Cho et al. (2014). Only products of two values that are summed count, so the gates of a cell, which multiply
each value by one other, are free.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from keras import layers

from cnnlib.trace.call import Call, Tensor
from cnnlib.trace.windows import Axis, Field, NotKnown, Taps, Unknown, union

# Attention ------------------------------------------------------------------------------------------------------------


def query_value_key(call: Call) -> tuple[Tensor, Tensor, Tensor]:
    """By name, in whatever order they were given; a mask is none of them. The key is the value if not given."""
    if "query" in call.named:
        query, value = call.named["query"], call.named["value"]
        return query, value, call.named.get("key", value)
    query, value, *key = call.inputs  # the layers that take a list
    return query, value, (key or [value])[0]


def _attended(call: Call, rank: int) -> list[int]:
    """Axes that attention runs over, counted from the end of a query of this rank (without the batch axis)."""
    axes = getattr(call.layer, "attention_axes", None) or range(1, rank)
    axes = (axes,) if isinstance(axes, int) else axes
    return [axis if axis < 0 else axis - rank - 1 for axis in axes]


def attention(call: Call) -> Field:
    """A position of the query sees itself, and all positions of value and key along the axes of attention."""
    query, value, key = query_value_key(call)
    over = _attended(call, len(query.shape))
    fields = [tensor.field for tensor in (query, value, key)]
    if call.output_index:
        raise NotKnown("where its scores of attention come from is not followed")
    own_kind = (id(query), id(value), id(key))
    if any(tensor.field is not None for tensor in call.inputs if id(tensor) not in own_kind):
        raise NotKnown("its mask depends on the image")
    seen = []
    for axes in zip(*(field for field in fields if field is not None)):
        own = axes[0] if query.field is not None else None
        others = axes[1:] if query.field is not None else axes
        others = [axis.collapse() if axis.where in over or axis.where is None else axis for axis in others]
        if own is not None and own.where == -1:
            own = own.collapse()  # projections mix what lies on the axis of features
        others = [axis.collapse() if axis.where == -1 else axis for axis in others]
        if own is None and over_all(over, query):
            seen.append(union([axis.collapse() for axis in others]))
        elif own is None:
            seen.append(union(others))
        elif own.where in over:
            # Flattened positions that all see all need not be told apart again.
            stirred = own.collapse() if own.tangled else own
            seen.append(union([stirred, *others]) if others else stirred)
        else:
            seen.append(union([own, *others]))
    return tuple(seen)


def over_all(over: list[int], query: Tensor) -> bool:
    return len(over) == len(query.shape) - 1


def _lengths(call: Call) -> tuple[int, int, int]:
    """(queries, keys, pairs): positions projected on each side, and pairs of them that are compared."""
    query, value, _ = query_value_key(call)
    over = _attended(call, len(query.shape))
    queries, keys = math.prod(query.shape[:-1]), math.prod(value.shape[:-1])
    return queries, keys, queries * math.prod(value.shape[axis] for axis in over)


def multi_head_macs(call: Call) -> int:
    """Projections of query, key and value, their two products, and the projection of the result."""
    query, value, key = query_value_key(call)
    heads, key_dim = call.layer.num_heads, call.layer.key_dim
    value_dim = call.layer.value_dim or key_dim
    queries, keys, pairs = _lengths(call)
    projections = queries * query.shape[-1] * key_dim
    projections += keys * (key.shape[-1] * key_dim + value.shape[-1] * value_dim)
    return heads * (projections + pairs * (key_dim + value_dim) + queries * value_dim * call.output_shape[-1])


def grouped_query_macs(call: Call) -> int:
    """As `multi_head_macs`, with fewer heads for key and value than for the query."""
    query, value, key = query_value_key(call)
    layer = call.layer
    queries, keys, pairs = _lengths(call)
    asking, answering = (heads * layer.head_dim for heads in (layer.num_query_heads, layer.num_key_value_heads))
    projections = queries * query.shape[-1] * asking + keys * (key.shape[-1] + value.shape[-1]) * answering
    return projections + 2 * pairs * asking + queries * asking * call.output_shape[-1]


def dot_product_macs(call: Call) -> int:
    """Attention without projections: the products of queries with keys, and of their shares with the values."""
    query, value, _ = query_value_key(call)
    pairs = math.prod(query.shape[:-1]) * value.shape[-2]
    return pairs * (query.shape[-1] + value.shape[-1])


# Einsum ---------------------------------------------------------------------------------------------------------------


def einsum_terms(call: Call) -> tuple[str, str, str, dict[str, int]]:
    """Letters of input, kernel and output, without the batch axis, and the size of each letter."""
    equation = call.layer.equation.replace(" ", "")
    terms, right = equation.split("->")
    left, kernel = terms.split(",")
    if "..." in equation:
        free = [letter for letter in "zyxwvutsrqponmlkjihgfedcba" if letter not in equation]
        hidden = len(call.shape) + 1 - len(left.replace("...", ""))
        letters = "".join(free[:hidden])
        left, right = left.replace("...", letters), right.replace("...", letters)
    sizes = dict(zip(left[1:], call.shape)) | dict(zip(kernel, call.layer.kernel.shape))
    return left[1:], kernel, right[1:], sizes


def einsum_shape(call: Call) -> tuple[int, ...]:
    """Of the output: known from the equation, also where the layer's ``output_shape`` says None."""
    _, _, right, sizes = einsum_terms(call)
    return tuple(sizes[letter] for letter in right)


def einsum(call: Call) -> Field:
    """An axis whose letter stays keeps its positions; one that is summed over gives them up."""
    left, _, right, _ = einsum_terms(call)

    def follow(axis: Axis) -> Axis:
        if axis.where is None:
            return axis
        letter = left[axis.where]
        return replace(axis, where=right.index(letter) - len(right)) if letter in right else axis.collapse()

    return tuple(map(follow, call.inputs[0].field))


def einsum_macs(call: Call) -> int:
    *_, sizes = einsum_terms(call)
    return math.prod(sizes.values())


# Recurrence -----------------------------------------------------------------------------------------------------------


def _recurrent_layer(layer):
    return layer.forward_layer if isinstance(layer, layers.Bidirectional) else layer


def recurrence(call: Call) -> Field:
    """A step sees all steps before it, in both directions all; without sequences, the output sees all."""
    both, layer = isinstance(call.layer, layers.Bidirectional), _recurrent_layer(call.layer)
    sequence = layer.return_sequences and call.output_index == 0

    def follow(axis: Axis) -> Axis:
        if axis.where == -1 or (axis.where == -2 and not sequence):
            return axis.collapse()
        if axis.where != -2:
            return axis
        if both:
            return axis.stir()
        first, last = (end[::-1] if layer.go_backwards else end for end in (axis.first, axis.last))
        first, last = np.minimum.accumulate(first), np.maximum.accumulate(last)
        return replace(axis, first=first, last=last, endless=None)

    return tuple(map(follow, call.inputs[0].field))


def recurrence_macs(call: Call) -> int | None:
    """One step of the cell, as often as there are steps, in each direction."""
    both = isinstance(call.layer, layers.Bidirectional)
    directions = [call.layer.forward_layer, call.layer.backward_layer] if both else [call.layer]
    steps = [cell_macs(layer.cell, call.shape[-1]) for layer in directions]
    return None if None in steps else call.shape[-2] * sum(steps)


def cell_macs(cell, features: int) -> int | None:
    """Multiply-accumulates of one step of a cell that gets so many features; None if the cell is not one of Keras."""
    if isinstance(cell, layers.StackedRNNCells):
        total = 0
        for each in cell.cells:
            one = cell_macs(each, features)
            if one is None:
                return None
            total, features = total + one, each.units
        return total
    gates = {layers.LSTMCell: 4, layers.GRUCell: 3, layers.SimpleRNNCell: 1}.get(type(cell))
    return None if gates is None else gates * cell.units * (features + cell.units)


# Cutting and joining --------------------------------------------------------------------------------------------------


def padded(call: Call) -> Field:
    """keras.ops.pad: zeros see nothing, mirrored and repeated borders see what they repeat."""
    widths, mode = call.layer.pad_width, call.layer.mode
    widths = [tuple(pair) for pair in widths]
    widths = widths * (len(call.shape) + 1) if len(widths) == 1 else widths
    if widths[0] != (0, 0):
        raise NotKnown("it pads the batch axis")

    def follow(axis: Axis) -> Axis:
        if axis.where is None:
            return axis
        before, after = widths[axis.where]
        if (before, after) == (0, 0):
            return axis
        length = call.shape[axis.where]
        moved = Taps(lambda q: (q[:, None] - before, True), advance=1)
        if mode == "constant":
            return axis.slide(moved, before + length + after)
        if axis.tangled:
            raise NotKnown("it pads positions that an earlier layer has flattened")
        if mode != "reflect" and not (mode == "symmetric" and max(before, after) == 1):
            raise NotKnown(f"what a {mode!r} border repeats depends on the backend")
        source = np.pad(np.arange(length), (before, after), mode=mode)
        endless = axis.slide(moved, before + length + after).endless
        return replace(axis, first=axis.first[source], last=axis.last[source], endless=endless)

    return tuple(map(follow, call.inputs[0].field))


def split(call: Call) -> Field:
    """keras.ops.split: one piece of the axis."""
    at, pieces = call.from_end(call.layer.axis), call.layer.indices_or_sections
    length = call.shape[at]
    if isinstance(pieces, int):
        borders = list(range(0, length, length // pieces))
    else:
        borders = [0, *(int(each) for each in pieces)]
    start = borders[call.output_index]

    def follow(axis: Axis) -> Axis:
        return axis.keep(start, call.output_shape[at]) if axis.where == at else axis

    return tuple(map(follow, call.inputs[0].field))


def stacked(call: Call) -> Field:
    """keras.ops.stack: a new axis, on which the tensors lie side by side."""
    rank = len(call.output_shape)
    at = call.layer.axis if call.layer.axis < 0 else call.layer.axis - rank - 1
    fields = [tensor.field for tensor in call.inputs if tensor.field is not None]
    joined = [union(axes) for axes in zip(*fields)]

    def follow(axis: Axis) -> Axis:
        if axis.where is None:
            return axis
        return axis if axis.where > at else replace(axis, where=axis.where - 1)  # right of the new one nothing moves

    return tuple(map(follow, joined))


def unstacked(call: Call) -> Field:
    """keras.ops.unstack: one position of an axis, which is gone."""
    at = call.from_end(call.layer.axis)

    def follow(axis: Axis) -> Axis:
        if axis.where is None:
            return axis
        if axis.where == at:
            return axis.keep(call.output_index, 1).collapse()
        return axis if axis.where > at else replace(axis, where=axis.where + 1)

    return tuple(map(follow, call.inputs[0].field))


# A layer for each step ------------------------------------------------------------------------------------------------


def without_time(field: Field | Unknown | None, rank: int) -> Field | Unknown | None:
    """What one step of a tensor of this rank sees: its first axis is time, and is left out."""
    if not isinstance(field, tuple):
        return field
    return tuple(replace(axis, where=None) if axis.where == -rank else axis for axis in field)


def with_time(before: Field, step: Field, rank: int, rank_after: int) -> Field:
    """The fields of all steps: the positions of time are back in their place."""
    return tuple(
        replace(old, where=-rank_after) if old.where == -rank else new for old, new in zip(before, step, strict=True)
    )
