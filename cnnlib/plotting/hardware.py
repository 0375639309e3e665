"""Figures of lesson 16: the roofline of a machine with layers under it, and fewer bits layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnlib.plotting import core

__all__ = ["by_layer", "roofline"]

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def roofline(machine: Any, points: Mapping[str, tuple[float, float]], *, alt: str) -> None:
    """The roof of a machine over arithmetic intensity, and what layers reach under it; both axes logarithmic.

    Args:
        machine: with ``peak`` (operations a second), ``ridge`` (operations per byte) and ``roof(intensity)``.
        points: name -> (intensity in operations per byte, operations a second), all above 0.
        alt: what a reader should see.

    Raises:
        ValueError: there is nothing to draw, or a value is not above 0.
    """
    low = [name for name, pair in points.items() if not min(pair) > 0]
    if not points or low:
        raise ValueError(f"every point needs an intensity and a rate above 0; got {low or 'no points'}.")
    values = [pair[0] for pair in points.values()]
    x = np.geomspace(min(*values, machine.ridge) / 4, max(*values, machine.ridge) * 4, 200)
    fig, ax = core.figure(7.6, 4.0)
    ax.plot(x, machine.roof(x) / 1e9, color=core.COLOURS["reference"], label="roof of this machine")
    ax.axvline(machine.ridge, color=core.COLOURS["muted"], linewidth=1, linestyle=":")
    ax.text(machine.ridge * 1.06, machine.peak / 1e9 * 1.25, "ridge", color=core.COLOURS["muted"], fontsize=9)
    for number, (name, (intensity, rate)) in enumerate(points.items()):
        colour, marker = core.CYCLE[number % len(core.CYCLE)], _MARKERS[number % len(_MARKERS)]
        ax.plot([intensity], [rate / 1e9], marker, color=colour, markersize=9, label=name)
    ax.set(xscale="log", yscale="log", xlabel="operations per byte moved", ylabel="G operations a second")
    ax.set_ylim(top=machine.peak / 1e9 * 2)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside right center")
    core.show(fig, alt)


def by_layer(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    marked: Mapping[str, Sequence[str]],
    ylabel: str,
    alt: str,
) -> None:
    """One value for each layer in order, with a line from the lowest to the highest run; one panel for each network.

    Args:
        panels: title -> layer -> its values, one a run.
        marked: one name in the legend -> the layers that are drawn in the accent colour.
        ylabel: what the values are.
        alt: what a reader should see.
    """
    if not panels or not all(panels.values()):
        raise ValueError("there is nothing to draw: no panel, or a panel without layers.")
    from matplotlib.patches import Patch

    accented = {name for names in marked.values() for name in names}
    fig, axes = core.figure(8.2, 3.3, columns=len(panels), sharey=True)
    for ax, (title, layers) in zip(np.atleast_1d(axes), panels.items()):
        for place, (name, runs) in enumerate(layers.items(), start=1):
            colour = core.COLOURS["accent" if name in accented else "input"]
            ax.bar(place, np.mean(runs), color=colour, width=0.75)
            ax.plot([place] * 2, [min(runs), max(runs)], color=core.COLOURS["reference"], linewidth=1)
        ax.set(title=title, xlabel="layers in order")
        ax.xaxis.get_major_locator().set_params(integer=True)
    np.atleast_1d(axes)[0].set_ylabel(ylabel)
    signs = [Patch(color=core.COLOURS["accent"], label=name) for name in marked]
    if signs:
        signs.append(Patch(color=core.COLOURS["input"], label="other layers"))
        fig.legend(handles=signs, loc="outside upper right", ncols=2)
    core.show(fig, alt)
