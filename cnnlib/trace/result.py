"""What a trace gives back: rows, and the table and records made of them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cnnlib.arithmetic import count_text

Number = int | float
PerAxis = Number | tuple[Number | None, ...] | None
_TEXT_COLUMNS = 3  # the first columns of the table hold text, the others numbers


@dataclass(frozen=True)
class Row:
    """One call of one layer.

    Attributes:
        name: the layer's name, with the names of the models around it: ``"backbone/conv1"``.
        type: its class, such as ``"Conv2D"``.
        output_shape: without the batch axis, for example ``(112, 112, 64)``.
        parameters: weights that no earlier row has counted; a layer called twice counts once.
        macs: multiply-accumulates for one example: products of two values that are summed. Normalisation, activation,
            pooling and addition count 0, as in the papers. None if the layer is unknown.
        receptive_field: pixels from the first that a unit can see to the last, along one axis; ``(height, width)`` if
            the axes differ. Padding counts, as in the papers, except where positions have been mixed and the image
            ends: there it is what is really seen. None if it is unknown, or if there is no image.
        jump: input pixels between the centres of neighbouring units; below 1 after up-sampling. None where there are no
            positions any more (global pooling, flatten), or no regular ones.
        start: position of the first unit's centre; pixel ``i`` lies at position ``i``. Padding can make it negative.
            None where ``jump`` is None.
        inputs: names of the rows that this one reads.
        whole_image: True if every unit sees every pixel because positions have been mixed: by global pooling, a dense
            layer on a flattened map, a squeeze-and-excitation gate.
        note: what a number cannot say, for example why the receptive field is unknown.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int | None
    receptive_field: PerAxis
    jump: PerAxis
    start: PerAxis
    inputs: tuple[str, ...]
    whole_image: bool = False
    note: str = ""


class Trace(Sequence):
    """The rows of a traced model, in the order in which Keras computes them.

    ``print`` shows the table and a notebook draws it. A row is found by number or by name: ``trace(model)["conv1"]``.

    Attributes:
        name: of the model.
        source: name of the input whose pixels are counted.
        input_shape: its shape, without the batch axis.
        rows: list of `Row`.
    """

    def __init__(self, name: str, source: str, input_shape: tuple[int, ...], rows: Sequence[Row], seen: Mapping):
        self.name = name
        self.source = source
        self.input_shape = input_shape
        self.rows = list(rows)
        self._seen = dict(seen)

    @property
    def total_parameters(self) -> int:
        """Weights of the rows together; for a whole model what ``model.count_params()`` gives."""
        return sum(row.parameters for row in self.rows)

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates for one example, over the rows where they are known: a lower bound if `uncounted`."""
        return sum(row.macs or 0 for row in self.rows)

    @property
    def uncounted(self) -> list[str]:
        """Names of the rows whose multiply-accumulates are not known, and missing in the total."""
        return [row.name for row in self.rows if row.macs is None]

    @property
    def notes(self) -> list[str]:
        """What the table cannot say in a number, one line for each row concerned, and one if the total is partial."""
        lines = [f"{row.name}: {row.note}" for row in self.rows if row.note]
        if self.uncounted:
            example = f"rules={{{self.uncounted[0]!r}: ('pointwise', number or formula)}}"
            lines.append(f"total: without {', '.join(self.uncounted)} (if you know the cost, say so: {example})")
        return lines

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, key):
        if not isinstance(key, str):
            return self.rows[key]
        found = [row for row in self.rows if row.name == key]
        found = found or [row for row in self.rows if row.name.rsplit("/", 1)[-1] == key]
        if len(found) == 1:
            return found[0]
        names = ", ".join(row.name for row in (found or self.rows)[:8]) + ("" if len(self.rows) <= 8 else ", …")
        raise KeyError(f"{len(found) or 'no'} rows are called {key!r}: {names}")

    def only(self, *types: str) -> Trace:
        """The rows of these types, as ``only("Conv2D", "MaxPooling2D")``. The totals are those of the rows kept."""
        rows = [row for row in self.rows if row.type in types]
        if not rows:
            known = ", ".join(sorted({row.type for row in self.rows}))
            raise ValueError(f"no row is of type {' or '.join(types) or 'nothing'}; the types here are {known}.")
        return Trace(self.name, self.source, self.input_shape, rows, self._seen)

    def seen(self, name: str, *position: int) -> tuple[tuple[int, int], ...]:
        """The pixels that one unit really sees: for each axis the first and the last, cut off at the image's border.

        Args:
            name: a row's name.
            position: the unit's row and column in the layer's own output, so that after a Permute the first number
            counts along its first axis; after Flatten, one number. The centre if left out.

        Returns:
            ``((top, bottom), (left, right))`` in pixels, both included; ``((0, -1), (0, -1))`` if it sees none.

        Raises:
            KeyError: there is no such row.
            ValueError: its receptive field is unknown.
            IndexError: there is no such position.
        """
        row = self[name]
        axes = self._seen[row.name]
        if not axes:
            raise ValueError(f"{row.name} has no known receptive field. {row.note}".strip())
        # One number for each axis of the tensor that has positions, in its own order, which Permute may have changed.
        lengths = {where: len(first) for where, first, _ in sorted(axes, key=lambda a: a[0] or 0) if where is not None}
        if len(position) == len(axes) > len(lengths):  # a position may also be given for axes that have become one
            gone = [p for p, (where, *_) in zip(position, axes) if where is None]
            position = [p for p, (where, *_) in zip(position, axes) if where is not None] if not any(gone) else position
        position = position or tuple(length // 2 for length in lengths.values())
        if len(position) != len(lengths) or any(not 0 <= p < n for p, n in zip(position, lengths.values())):
            there = " x ".join(map(str, lengths.values())) or "no"
            raise IndexError(f"{row.name} has {there} positions, got position {tuple(position)}.")
        place = dict(zip(lengths, position))
        ends = [(int(first[place.get(where, 0)]), int(last[place.get(where, 0)])) for where, first, last in axes]
        return tuple(ends) if all(first <= last for first, last in ends) else ((0, -1),) * len(ends)

    def records(self) -> list[dict]:
        """The rows as plain dictionaries, which ``json`` can write and a data frame can read."""
        return [{k: list(v) if isinstance(v, tuple) else v for k, v in vars(row).items()} for row in self.rows]

    def table(self) -> str:
        """The rows as text in aligned columns, with the totals and the notes below."""
        header, body, footer = self._cells()
        widths = [max(len(line[i]) for line in (header, *body, footer)) for i in range(len(header))]

        def line(cells: Sequence[str]) -> str:
            pairs = enumerate(zip(cells, widths))
            return "  ".join(c.ljust(w) if i < _TEXT_COLUMNS else c.rjust(w) for i, (c, w) in pairs).rstrip()

        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        lines = [self._title(), line(header), rule, *map(line, body), rule, line(footer)]
        return "\n".join([*lines, *(f"* {note}" for note in self.notes)])

    __str__ = table
    __repr__ = table

    def _repr_html_(self) -> str:
        header, body, footer = self._cells()

        def line(cells: Sequence[str], tag: str) -> str:
            sides = ["left" if i < _TEXT_COLUMNS else "right" for i in range(len(cells))]
            inner = (f'<{tag} style="text-align:{s}">{html.escape(c)}</{tag}>' for c, s in zip(cells, sides))
            return f"<tr>{''.join(inner)}</tr>"

        notes = "".join(f"<div>* {html.escape(note)}</div>" for note in self.notes)
        return (
            f'<div style="max-height:46em;overflow:auto"><table><caption>{html.escape(self._title())}</caption>'
            f"<thead>{line(header, 'th')}</thead><tbody>{''.join(line(cells, 'td') for cells in body)}</tbody>"
            f"<tfoot>{line(footer, 'th')}</tfoot></table>{notes}</div>"
        )

    def _title(self) -> str:
        return f"{self.name} · input {shape_text(self.input_shape)}"

    def _cells(self) -> tuple[list[str], list[list[str]], list[str]]:
        header = ["layer", "type", "output", "parameters", "MACs", "sees", "jump", "start"]
        total = ("≥ " if self.uncounted else "") + count_text(self.total_macs)
        footer = ["total", "", "", f"{self.total_parameters:,}", total, "", "", ""]
        return header, [_cells(row) for row in self.rows], footer


def _cells(row: Row) -> list[str]:
    unknown = row.receptive_field is None and "unknown" in row.note
    return [
        row.name + ("*" if row.note else ""),
        row.type,
        shape_text(row.output_shape),
        f"{row.parameters:,}" if row.parameters else "·",
        "?" if row.macs is None else count_text(row.macs) if row.macs else "·",
        "image" if row.whole_image else "?" if unknown else _axis_text(row.receptive_field),
        _axis_text(row.jump),
        _axis_text(row.start),
    ]


def shape_text(shape: tuple[int, ...]) -> str:
    """``"112x112x64"``."""
    return "x".join(map(str, shape)) or "scalar"


def _axis_text(value: PerAxis) -> str:
    if isinstance(value, tuple):
        return "x".join(map(_axis_text, value))
    return "·" if value is None else f"{value:g}"
