"""The first and the last pixel that each position of a feature map sees, along one axis of the image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

NONE_FIRST, NONE_LAST = 2**40, -(2**40)  # a position that sees nothing: any union with it leaves the other


class NotKnown(Exception):
    """Raised by a rule that cannot say what a layer sees; the message says why."""


@dataclass(frozen=True)
class Windows:
    """First and last pixel seen by position 0, 1, 2, … of an endless feature map on an endless image.

    The pattern repeats: ``len(first)`` positions on, everything has moved by ``advance`` pixels. Without up-sampling
    the pattern has one entry, and this is the textbook's receptive field: size ``last - first + 1``, jump ``advance``.
    """

    first: np.ndarray
    last: np.ndarray
    advance: int

    @property
    def jump(self) -> Fraction:
        return Fraction(self.advance, len(self.first))

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turn, phase = np.divmod(positions, len(self.first))
        first, last, moved = self.first[phase], self.last[phase], self.advance * turn
        nothing = first > last
        return np.where(nothing, first, first + moved), np.where(nothing, last, last + moved)

    def reduced(self) -> Windows:
        """The same pattern with its shortest period."""
        length = len(self.first)
        for period in range(1, length):
            if length % period or self.advance * period % length:
                continue
            short = Windows(self.first[:period], self.last[:period], self.advance * period // length)
            first, last = short.at(np.arange(length))
            if (first == self.first).all() and (last == self.last).all():
                return short
        return self


PIXELS = Windows(np.array([0]), np.array([0]), 1)  # the image itself


@dataclass(frozen=True)
class Taps:
    """What a layer reads along one axis: ``read(q)`` gives the inputs of outputs ``q`` as (positions, is it a tap).

    The pattern repeats: ``period`` outputs on, it has moved by ``advance`` inputs.
    """

    read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | bool]]
    period: int = 1
    advance: int = 1


@dataclass(frozen=True)
class Axis:
    """One axis of the image, as a tensor of the model sees it.

    Attributes:
        where: on which axis of the tensor its positions lie, counted from the end (-1 is the last); None if nowhere.
        first, last: pixels really seen by each position, borders included.
        endless: the same without borders, or None once positions have been mixed.
        size: pixels of the image along this axis.
        tangled: positions share the tensor's axis with something else, as after Flatten; ``first`` and ``last`` are
            then as long as that axis, and ``endless`` is that of the map of ``clean`` positions before.
        clean: see there.
    """

    where: int | None
    first: np.ndarray
    last: np.ndarray
    endless: Windows | None
    size: int
    tangled: bool = False
    clean: int = 0

    @property
    def sees_everything(self) -> bool:
        """Positions have been mixed, and each one that sees anything sees all pixels."""
        something = self.first <= self.last
        all_of_it = (self.first[something] <= 0) & (self.last[something] >= self.size - 1)
        return self.endless is None and bool(something.any() and all_of_it.all())

    def slide(self, taps: Taps, length: int) -> Axis:
        """The axis after a layer with these taps and ``length`` outputs."""
        if self.tangled:
            raise NotKnown("a window slides over positions that an earlier layer has flattened")
        positions, is_tap = taps.read(np.arange(length))
        inside = (positions >= 0) & (positions < len(self.first)) & is_tap
        safe = np.where(inside, positions, 0)
        first = np.where(inside, self.first[safe], NONE_FIRST).min(axis=1)
        last = np.where(inside, self.last[safe], NONE_LAST).max(axis=1)
        return replace(self, first=first, last=last, endless=self.endless and _slide_endless(self.endless, taps))

    def keep(self, start: int, length: int, step: int = 1) -> Axis:
        """Every ``step``-th position from ``start`` on, ``length`` of them."""
        if self.tangled:
            first, last = (end[start : start + length * step : step] for end in (self.first, self.last))
            return replace(self, first=first, last=last, endless=None)
        return self.slide(Taps(lambda q: (q[:, None] * step + start, True), advance=step), length)

    def collapse(self) -> Axis:
        """All positions have gone into one."""
        first, last = self.first.min(keepdims=True), self.last.max(keepdims=True)
        return replace(self, where=None, first=first, last=last, endless=None, tangled=False)

    def stir(self) -> Axis:
        """Every position now depends on all of them."""
        first, last = np.full_like(self.first, self.first.min()), np.full_like(self.last, self.last.max())
        return replace(self, first=first, last=last, endless=None)


def _slide_endless(windows: Windows, taps: Taps) -> Windows:
    period, advance = len(windows.first), taps.advance
    repeats = period // math.gcd(period, advance) if advance else 1
    positions, is_tap = taps.read(np.arange(taps.period * repeats))
    first, last = windows.at(positions)
    first = np.where(is_tap, first, NONE_FIRST).min(axis=1)
    last = np.where(is_tap, last, NONE_LAST).max(axis=1)
    return Windows(first, last, windows.advance * advance * repeats // period).reduced()


def _union_endless(windows: Sequence[Windows | None]) -> Windows | None:
    if any(w is None or w.jump != windows[0].jump for w in windows):
        return None  # branches that drift apart have no common pattern
    length = math.lcm(*(len(w.first) for w in windows))
    firsts, lasts = zip(*(w.at(np.arange(length)) for w in windows))
    advance = windows[0].jump * length
    return Windows(np.min(firsts, axis=0), np.max(lasts, axis=0), int(advance)).reduced()


Field = tuple[Axis, ...]


@dataclass(frozen=True)
class Unknown:
    """The receptive field of a tensor behind something that cannot be followed."""

    reason: str


def union(axes: Sequence[Axis]) -> Axis:
    """One axis of the image as seen by a sum, product or stack of tensors."""
    placed = [axis for axis in axes if axis.where is not None]
    if any((axis.where, axis.tangled) != (placed[0].where, placed[0].tangled) for axis in placed):
        raise NotKnown("it joins tensors whose positions lie on different axes")
    length = max(len(axis.first) for axis in axes)
    if any(len(axis.first) not in (1, length) for axis in axes):
        raise NotKnown("it joins tensors with different numbers of positions")
    firsts = [np.broadcast_to(axis.first, length) for axis in axes]
    lasts = [np.broadcast_to(axis.last, length) for axis in axes]
    alike = len(placed) == len(axes) and all(len(axis.first) == length for axis in axes)
    return replace(
        placed[0] if placed else axes[0],
        first=np.min(firsts, axis=0),
        last=np.max(lasts, axis=0),
        endless=_union_endless([axis.endless for axis in axes]) if alike else None,
    )
