"""Figures of lesson 02 and of `cnnlib.trace`: pooling, what units see, what they respond to, and runs among other runs.

The image and its pixels have the input colour, windows the kernel colour, what a layer returns the output colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib import arithmetic
from cnnlib.plotting import core, explorer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "architecture",
    "effective_fields",
    "feature_maps",
    "pooling_windows",
    "live_among_stored",
    "receptive_stack",
    "stack_explorer",
    "unit_explorer",
]

WIDEST_STACK = 64  # pixels; beyond, units are too small to be told apart


# Feature maps and pooling ---------------------------------------------------------------------------------------------


def feature_maps(stages: Mapping[str, object], count: int = 6, *, alt: str) -> None:
    """A row of feature maps for each stage of a network, evenly drawn from the half that varies most over the image.

    Args:
        stages: name -> maps (height, width, channels) of one image. Each map is stretched to its own range.
        count: maps in a row.
        alt: what a reader should see.
    """
    size = 7.4 / count
    fig, axes = core.figure(7.4, len(stages) * (size + 0.22), count, len(stages), squeeze=False)
    for row, (name, maps) in zip(axes, stages.items()):
        maps = np.asarray(maps)
        if maps.ndim != 3:
            raise ValueError(f"the maps of {name!r} must be (height, width, channels) of one image, got {maps.shape}.")
        by_variation = np.argsort(-maps.std(axis=(0, 1)), kind="stable")
        chosen = by_variation[np.linspace(0, len(by_variation) // 2, min(count, len(by_variation)), dtype=int)]
        for ax in row:
            ax.set_axis_off()
        for ax, channel in zip(row, chosen):
            ax.imshow(maps[..., channel], cmap="gray", interpolation="nearest")
        row[0].set_title(f"{name}, {maps.shape[0]}x{maps.shape[1]}", fontsize=9, fontweight="normal", loc="left", pad=3)
    core.show(fig, alt)


def pooling_windows(grid: object, results: Mapping[str, object]) -> None:
    """A grid of numbers in windows of 2x2, and what pooling makes of each window.

    Args:
        grid: (height, width), both even.
        results: title -> (height / 2, width / 2).
    """
    grid = np.asarray(grid)
    if grid.ndim != 2 or grid.shape[0] % 2 or grid.shape[1] % 2:
        raise ValueError(f"grid must be (height, width) with both even, got {grid.shape}.")
    fig, axes = core.figure(1.9 * (1 + len(results)), 2.1, columns=1 + len(results))
    _coloured_cells(axes[0], grid, "image", 2)
    for ax, (title, values) in zip(axes[1:], results.items()):
        _coloured_cells(ax, np.asarray(values), title, 1)
    described = "; ".join(f"{title} gives {np.asarray(v).tolist()}" for title, v in results.items())
    core.show(fig, f"The image {grid.tolist()} in four windows of 2x2; {described}.")


def _coloured_cells(ax: Axes, values: np.ndarray, title: str, per_window: int) -> None:
    """Numbers in cells; cells of one window have one colour."""
    from matplotlib.patches import Rectangle

    for (row, column), value in np.ndenumerate(values):
        window = (row // per_window) * 2 + column // per_window
        colour = core.CYCLE[window % 4]
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=(colour, 0.18), edgecolor="white", linewidth=2))
        size = 11 if per_window > 1 else 13
        ax.text(column + 0.5, row + 0.5, f"{value:g}", ha="center", va="center", fontsize=size)
    ax.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0), xticks=[], yticks=[], aspect="equal")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=9, fontweight="normal", loc="center")


# Receptive fields -----------------------------------------------------------------------------------------------------


def receptive_stack(layers: Sequence) -> None:
    """Draw what one unit on top of a stack of layers reads, down to the pixels.

    Args:
        layers: as for `cnnlib.arithmetic.receptive_field`: kernel, or (kernel, stride, dilation); first layer first.
    """
    core.show(_draw_stack(layers), _describe_stack(layers))


def stack_explorer() -> None:
    """Let the reader choose the depth, kernel, stride and dilation of a stack, and see what its last unit reads."""

    def layers_of(layers: int, kernel: int, stride: int, dilation: int) -> list[tuple[int, int, int]]:
        return [(kernel, stride, dilation**level) for level in range(layers)]

    explorer.explore(
        lambda **values: _draw_stack(layers_of(**values)),
        alt=lambda **values: _describe_stack(layers_of(**values)),
        layers=(1, 6, 1, 3),
        kernel=(1, 7, 1, 3),
        stride=(1, 3),
        dilation={"1 everywhere": 1, "1, 2, 4, … doubling": 2, "1, 3, 9, … tripling": 3},
    )


def _units_read(layers: Sequence[tuple[int, int, int]]) -> list[list[int]]:
    """For each level, the pixels first, the units that the first unit of the last layer depends on."""
    levels = [[0]]
    for kernel, stride, dilation in reversed(layers):
        levels.append(sorted({n * stride + tap * dilation for n in levels[-1] for tap in range(kernel)}))
    return levels[::-1]


def _full(layers: Sequence) -> list[tuple[int, int, int]]:
    whole = [tuple(layer) if isinstance(layer, (tuple, list)) else (layer,) for layer in layers]
    return [(*layer, 1, 1)[:3] if len(layer) == 1 else (*layer, 1)[:3] for layer in whole]


def _draw_stack(layers: Sequence) -> Figure:
    layers = _full(layers)
    fields = [arithmetic.receptive_field(layers[:level]) for level in range(len(layers) + 1)]
    if fields[-1].size > WIDEST_STACK:
        raise ValueError(
            f"the last unit sees {fields[-1].size} pixels, more than the {WIDEST_STACK} that can be drawn."
        )
    levels = _units_read(layers)
    fig, ax = core.figure(8.2, 0.75 + 0.62 * len(levels))
    radius = 22 if fields[-1].size <= 24 else 9
    for level, (units, field) in enumerate(zip(levels, fields)):
        at = {unit: field.start + unit * field.jump for unit in range(units[-1] + 1)}
        colour = core.COLOURS["input" if level == 0 else "output" if level == len(layers) else "kernel"]
        ax.scatter(list(at.values()), [level] * len(at), s=radius, facecolor="white", edgecolor="#BBBBBB", zorder=2)
        ax.scatter([at[unit] for unit in units], [level] * len(units), s=radius * 1.6, color=colour, zorder=3)
        if level:
            _draw_taps(ax, level, units, at, fields[level - 1], layers[level - 1])
        ax.text(fields[-1].size + 0.6, level, _level_text(level, field, layers), va="center", fontsize=9)
    ax.set(xlim=(-1, fields[-1].size * 1.02 + 0.4), ylim=(-0.45, len(layers) + 0.35), yticks=[])
    ax.set_xticks(range(0, fields[-1].size, 1 if fields[-1].size <= 24 else 5))
    ax.set_xlabel("position, in pixels of the image", loc="left")
    ax.grid(visible=False)
    ax.spines["bottom"].set_bounds(0, fields[-1].size - 1)
    ax.spines["left"].set_visible(False)
    return fig


def _draw_taps(ax: Axes, level: int, units: Sequence[int], at: Mapping, below, layer: tuple[int, int, int]) -> None:
    kernel, stride, dilation = layer
    for unit in units:
        for tap in range(kernel):
            read = below.start + (unit * stride + tap * dilation) * below.jump
            ax.plot([at[unit], read], [level, level - 1], color="#999999", linewidth=0.6, zorder=1)


def _level_text(level: int, field: arithmetic.ReceptiveField, layers: Sequence[tuple[int, int, int]]) -> str:
    if level == 0:
        return "image"
    kernel, stride, dilation = layers[level - 1]
    extra = (f", stride {stride}" if stride > 1 else "") + (f", dilation {dilation}" if dilation > 1 else "")
    return f"kernel {kernel}{extra}: sees {field.size}, jump {field.jump}"


def _describe_stack(layers: Sequence) -> str:
    layers = _full(layers)
    fields = [arithmetic.receptive_field(layers[:level]) for level in range(len(layers) + 1)]
    steps = "; ".join(_level_text(level, fields[level], layers) for level in range(1, len(fields)))
    read, size = len(_units_read(layers)[0]), fields[-1].size
    holes = "" if read == size else f" It reads only {read} of them."
    return f"One unit on top of {len(layers)} layers and all that it reads. {steps}. It sees {size} pixels.{holes}"


def unit_explorer(trace: Any, photograph: np.ndarray, layers: Sequence[str], start: str | None = None) -> None:
    """Let the reader choose a layer and a unit, and see its receptive field on a photograph.

    Args:
        trace: of a model whose input has the size of the photograph.
        photograph: uint8 or [0, 1], (height, width, 3).
        layers: names of rows to choose from, early to late.
        start: the one shown first; if not given, the first.

    Raises:
        ValueError: the photograph does not have the size of the model's input.
    """
    if photograph.shape[:2] != trace.input_shape[:2]:
        raise ValueError(f"the model takes {trace.input_shape[:2]} pixels, the photograph has {photograph.shape[:2]}.")
    start = start or layers[0]
    order = [start, *(name for name in layers if name != start)]

    def unit(layer: str, down: int, right: int) -> tuple[int, int]:
        rows, columns = trace[layer].output_shape[:2]
        return (rows - 1) * down // 100, (columns - 1) * right // 100

    def describe(layer: str, down: int, right: int) -> str:
        row, column = unit(layer, down, right)
        (top, bottom), (left, right_end) = trace.seen(layer, row, column)
        size = trace[layer].receptive_field
        return (
            f"A photograph with the window of unit ({row}, {column}) of {layer}: its receptive field is {size} by "
            f"{size} pixels, of which rows {top} to {bottom} and columns {left} to {right_end} lie in the image. "
            "Thin frames: the units of the other layers at the same place."
        )

    explorer.explore(
        lambda layer, down, right: _draw_unit(trace, photograph, order, layer, unit, down, right),
        alt=describe,
        layer=order,
        down=(0, 100, 1, 50),
        right=(0, 100, 1, 50),
    )


def _draw_unit(trace: Any, photograph: np.ndarray, layers: Sequence[str], chosen: str, unit, down: int, right: int):
    from matplotlib.patches import Rectangle

    fig, (ax, crop) = core.figure(7.4, 3.7, columns=2)
    ax.imshow(photograph)
    for layer in sorted(layers, key=lambda name: name == chosen):
        (top, bottom), (left, right_end) = trace.seen(layer, *unit(layer, down, right))
        style = {"edgecolor": core.COLOURS["kernel"], "linewidth": 2.5} if layer == chosen else {"edgecolor": "white"}
        ax.add_patch(
            Rectangle((left - 0.5, top - 0.5), right_end - left + 1, bottom - top + 1, facecolor="none", **style)
        )
    (top, bottom), (left, right_end) = trace.seen(chosen, *unit(chosen, down, right))
    crop.imshow(photograph[top : bottom + 1, left : right_end + 1], interpolation="nearest")
    size = trace[chosen].receptive_field
    ax.set_title(f"{chosen}, unit {unit(chosen, down, right)}", fontsize=9, fontweight="normal", loc="left")
    crop.set_title(f"what it sees: {size} x {size} pixels", fontsize=9, fontweight="normal", loc="left")
    for each in (ax, crop):
        each.set_axis_off()
    return fig


def effective_fields(
    responses: Mapping[str, object], box: tuple[tuple[int, int], tuple[int, int]] | None = None, *, alt: str
) -> None:
    """Maps of how strongly a unit responds to each pixel, and the border of what it could see.

    Args:
        responses: title -> (height, width), from 0 to 1, as `cnnlib.trace.effective_receptive_field` gives them. Square
            roots are drawn, so that weak responses show.
        box: ``((top, bottom), (left, right))`` of the theoretical receptive field, as ``Trace.seen`` gives it.
        alt: what a reader should see, with its numbers.
    """
    from matplotlib.patches import Rectangle

    fig, axes = core.figure(min(8.2, 2.7 * len(responses)), 2.9, columns=len(responses))
    for ax, (title, response) in zip(np.atleast_1d(axes), responses.items()):
        ax.imshow(np.sqrt(np.asarray(response)), cmap="magma", vmin=0, vmax=1)
        if box:
            (top, bottom), (left, right) = box
            frame = Rectangle((left - 0.5, top - 0.5), right - left + 1, bottom - top + 1)
            frame.set(facecolor="none", edgecolor="white", linestyle="--", linewidth=1.2)
            ax.add_patch(frame)
        ax.set_axis_off()
        ax.set_title(title, fontsize=9, fontweight="normal", loc="center")
    core.show(fig, alt)


# A whole network ------------------------------------------------------------------------------------------------------


def architecture(trace: Any) -> None:
    """Cost and receptive field of a traced model, layer by layer. What a trace does not know has no bar."""
    fig, (costs, fields) = core.figure(8.2, 4.6, rows=2, sharex=True, height_ratios=(1, 1))
    places = np.arange(len(trace))
    macs, parameters = (np.array([getattr(row, name) or 0 for row in trace]) for name in ("macs", "parameters"))
    width = 0.4 if len(trace) < 80 else 1.0
    for offset, values, name, role in ((-0.2, macs, "MACs", "kernel"), (0.2, parameters, "parameters", "input")):
        share = 100 * values / max(values.sum(), 1)
        costs.bar(places + offset, share, width, color=core.COLOURS[role], label=name)
    costs.set_ylabel("% of the total")
    costs.set_title(f"{trace.name}: {_total(trace)}")
    costs.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderpad=0)
    sizes = [_largest(row.receptive_field) for row in trace]
    fields.plot(places, sizes, drawstyle="steps-mid", color=core.COLOURS["output"], label="receptive field")
    fields.axhline(max(trace.input_shape[:2]), color=core.COLOURS["muted"], linestyle="--", label="size of the image")
    fields.set_ylabel("pixels")
    fields.set_xlabel("layer, in the order of computation")
    fields.legend()
    if len(trace) <= 40:
        fields.set_xticks(places, [row.name for row in trace], rotation=90, fontsize=8)
    last = next((row for row in reversed(trace.rows) if row.jump is not None), trace.rows[-1])
    core.show(
        fig,
        f"Costs and receptive fields of {trace.name}, layer by layer: {_total(trace)}. The receptive field grows to "
        f"{last.receptive_field} pixels at {last.name}; the image has {' x '.join(map(str, trace.input_shape[:2]))}.",
    )


def _total(trace: Any) -> str:
    parameters, macs = map(arithmetic.count_text, (trace.total_parameters, trace.total_macs))
    least = "at least " if trace.uncounted else ""
    return f"{parameters} parameters, {least}{macs} multiply-accumulates"


def _largest(size: object) -> float:
    if isinstance(size, tuple):
        return max(size)
    return math.nan if size is None else size


# Runs among other runs ------------------------------------------------------------------------------------------------


def live_among_stored(
    panels: Mapping[str, tuple[Sequence[Mapping[str, float]], Mapping[str, float]]], *, alt: str
) -> None:
    """The result of this run, as a diamond among the dots of stored runs, for each variant of a network.

    Args:
        panels: axis label -> (stored, live): a list of the stored runs' results and those of this run, each by variant.
            This run may lack some of the variants, or all.
        alt: what a reader should see.
    """
    names = {label: list(stored[0] if stored else live) for label, (stored, live) in panels.items()}
    fig, axes = core.figure(8.2, 1.15 + 0.42 * max(map(len, names.values())), columns=len(panels))
    for position, (ax, (label, (stored, live))) in enumerate(zip(np.atleast_1d(axes), panels.items())):
        for row, name in enumerate(names[label]):
            others = [run[name] for run in stored]
            ax.scatter(others, [row] * len(others), s=34, color=core.COLOURS["muted"], alpha=0.6, zorder=2)
            if name in live:
                ax.scatter([live[name]], [row], s=64, marker="D", color=core.COLOURS["kernel"], zorder=3)
        ax.set_yticks(range(len(names[label])), names[label] if position == 0 else [""] * len(names[label]))
        ax.set(ylim=(len(names[label]) - 0.5, -0.5), xlabel=label)
    signs = [_sign("D", core.COLOURS["kernel"], "this run")] if any(live for _, live in panels.values()) else []
    signs.append(_sign("o", core.COLOURS["muted"], "stored runs"))
    fig.legend(handles=signs, loc="outside upper right", ncols=2, borderpad=0)
    core.show(fig, alt)


def _sign(marker: str, colour: str, label: str):
    """An entry of a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
