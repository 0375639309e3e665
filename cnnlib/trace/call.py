"""What a rule is told: a call of a layer, and the tensors that it was called on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras

from cnnlib.trace.windows import Field, Unknown


@dataclass(frozen=True)
class Tensor:
    """A tensor of the traced model: its shape without the batch axis, the row that made it, and what it sees."""

    shape: tuple[int, ...]
    row: str
    field: Field | Unknown | None  # None: it does not depend on the image


@dataclass(frozen=True)
class Call:
    """A layer (or keras.ops operation) together with what it was called on."""

    layer: keras.Operation
    inputs: Sequence[Tensor]
    named: Mapping[str, Tensor]  # those that are an argument by themselves, by the name of the parameter
    args: tuple
    kwargs: dict
    output_shape: tuple[int, ...]
    output_index: int = 0  # which of several outputs is asked about

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return self.inputs[0].shape

    @property
    def channels_first(self) -> bool:
        return (getattr(self.layer, "data_format", None) or keras.config.image_data_format()) == "channels_first"

    @property
    def channel_axis(self) -> int:
        return -len(self.shape) if self.channels_first else -1

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        rank = len(self.shape)
        return tuple(range(1 - rank, 0)) if self.channels_first else tuple(range(-rank, -1))

    def per_axis(self, name: str) -> tuple:
        """An argument of the layer such as ``strides``, one value for each spatial axis."""
        value = getattr(self.layer, name)
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(self.spatial_axes)

    def output_channels(self) -> int:
        return self.output_shape[0 if self.channels_first else -1]

    def output_positions(self) -> int:
        return math.prod(self.output_shape) // self.output_channels()

    def from_end(self, axis: int) -> int:
        """An axis counted with the batch axis, as Keras layers do, counted from the end."""
        return axis if axis < 0 else axis - len(self.shape) - 1
