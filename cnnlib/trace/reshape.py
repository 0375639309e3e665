"""Where the positions of an axis go when a tensor is reshaped: axis by axis, by the common factors of the two shapes.

A reshape keeps the order of the numbers. Cut both shapes into their common factors, from the right: 12x7x8 to 84x8 has
the factors 12, 7 and 8. An axis of the image is a function of the factors of its own axis; where they all land on one
axis of the new shape, that axis holds the positions, each repeated for the factors that do not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cnnlib.trace.result import shape_text
from cnnlib.trace.windows import Axis, NotKnown, Taps


def reshaped(axes: Sequence[Axis], before: tuple[int, ...], after: tuple[int, ...]) -> tuple[Axis, ...]:
    """The axes of an image in a tensor of shape ``before``, once that has the shape ``after``."""
    factors = _common_factors(before, after)
    if factors is None:
        if any(axis.where is not None and len(axis.first) > 1 for axis in axes):
            raise NotKnown(f"it reshapes {shape_text(before)} to {shape_text(after)} across positions")
        return tuple(axis if axis.where is None else axis.collapse() for axis in axes)
    old, new, sizes = factors
    moved = [_Move(axis, old, new, sizes, (before, after)) for axis in axes]
    shared = [move.target for move in moved if move.target is not None]
    return tuple(move.axis_after(shared.count(move.target) > 1 or len(after) == 1) for move in moved)


def _common_factors(before: tuple[int, ...], after: tuple[int, ...]):
    """(owner in ``before``, owner in ``after``, size) of each common factor, three lists; None if they do not fit."""
    borders = sorted({math.prod(shape[i:]) for shape in (before, after) for i in range(len(shape) + 1)}, reverse=True)
    if any(large % small for large, small in zip(borders, borders[1:])):
        return None
    old, new, sizes = [], [], []
    for large, small in zip(borders, borders[1:]):
        old.append(_owner(before, large, small))
        new.append(_owner(after, large, small))
        sizes.append(large // small)
    return old, new, sizes


def _owner(shape: tuple[int, ...], large: int, small: int) -> int:
    for i in range(len(shape)):
        if math.prod(shape[i:]) >= large and math.prod(shape[i + 1 :]) <= small:
            return i
    raise AssertionError("a factor belongs to one axis")


class _Move:
    """One axis of the image on its way from one shape to the other."""

    def __init__(self, axis: Axis, old: list[int], new: list[int], sizes: list[int], shapes: tuple):
        self.axis, self.target = axis, None
        self.shapes = shapes
        if axis.where is None:
            return
        place = len(shapes[0]) + axis.where
        own = [i for i, owner in enumerate(old) if owner == place]
        if not own:  # of size 1
            self.axis = axis.collapse()
            return
        cut = [sizes[i] for i in own]
        table = np.stack([np.asarray(end).reshape(cut) for end in (axis.first, axis.last)])
        self.matter = [i for k, i in enumerate(own) if (table != table.take([0], axis=k + 1)).any()]
        if not self.matter:  # every position sees the same: any of the factors will do, and the largest is the map
            self.matter = own if len({new[i] for i in own}) == 1 else [max(own, key=lambda i: sizes[i])]
        targets = {new[i] for i in self.matter}
        if len(targets) > 1:
            raise NotKnown(f"it reshapes {shape_text(shapes[0])} to {shape_text(shapes[1])} across positions")
        self.target = targets.pop()
        self.own, self.sizes = own, sizes
        self.there = [i for i, owner in enumerate(new) if owner == self.target]
        # The positions that matter: where a factor does not, its first.
        self.kept = table[(slice(None), *(slice(None) if i in self.matter else slice(0, 1) for i in own))]

    def axis_after(self, crowded: bool) -> Axis:
        """``crowded``: the new axis holds other things beside these positions, as after Flatten."""
        if self.target is None:
            return self.axis
        own, there, sizes, matter = self.own, self.there, self.sizes, self.matter
        whole = [sizes[i] if i in matter else 1 for i in there]
        first, last = (np.broadcast_to(end.reshape(whole), [sizes[i] for i in there]).reshape(-1) for end in self.kept)
        where = self.target - len(self.shapes[1])
        count = math.prod(sizes[i] for i in matter)
        if own == there:
            return replace(self.axis, where=where)
        if self.axis.tangled:  # its pattern is that of the map before it was flattened
            back = matter == there
            endless = self.axis.endless if not back or count == self.axis.clean else None
            return replace(self.axis, where=where, first=first, last=last, endless=endless, tangled=not back)
        leading = own[: len(matter)] == matter and not any(i in matter for i in own[len(matter) :])
        endless = self.axis.slide(_every(len(self.axis.first) // count), count).endless if leading else None
        if there == matter:
            return replace(self.axis, where=where, first=first, last=last, endless=endless)
        repeats = math.prod(sizes[i] for i in there) // count
        if crowded or endless is None or there[: len(matter)] != matter:
            return replace(self.axis, where=where, first=first, last=last, endless=endless, tangled=True, clean=count)
        taps = Taps(lambda q: (q[:, None] // repeats, True), period=repeats)
        clean = replace(self.axis, first=first[::repeats], last=last[::repeats], endless=endless)
        return replace(clean.slide(taps, len(first)), where=where)


def _every(step: int) -> Taps:
    return Taps(lambda q: (q[:, None] * step, True), advance=step)
