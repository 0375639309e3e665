"""Figures of lesson 07: the shapes of blocks, and what families of networks reach and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.plotting import core

__all__ = ["block_widths", "cost_scatter"]

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def block_widths(blocks: Mapping[str, Sequence[tuple[str, int]]], alt: str = "") -> None:
    """Blocks side by side, each as a stack of bars as wide as the block has channels there, from its input downwards.

    Args:
        blocks: for each block the pairs of layer and channels that it returns; the first pair is the block's input.
            Depthwise layers (with "depthwise" in their name) have the accent colour.
        alt: what to see; made from the numbers if not given.
    """
    if not blocks or not all(blocks.values()):
        raise ValueError("there is nothing to draw: no block, or a block without layers.")
    fig, axes = core.figure(8.0, 0.75 + 0.52 * max(map(len, blocks.values())), len(blocks))
    for ax, (title, layers) in zip(np.atleast_1d(axes), blocks.items()):
        widest = max(channels for _, channels in layers)
        for row, (name, channels) in enumerate(layers):
            role = "input" if row == 0 else "accent" if "depthwise" in name else "kernel"
            ax.barh(row, channels, left=-channels / 2, height=0.42, color=core.COLOURS[role], alpha=0.85)
            ax.text(0.56 * widest, row, f"{name}: {channels}", va="center", fontsize=9.5)
            if row:
                ax.annotate("", (0, row - 0.24), (0, row - 0.76), arrowprops={"arrowstyle": "->", "color": "#444444"})
        ax.set(title=title, xlim=(-0.55 * widest, 1.75 * widest), ylim=(len(layers) - 0.6, -0.5))
        ax.set_axis_off()
    told = [f"{title}: " + ", ".join(f"{name} {channels}" for name, channels in each) for title, each in blocks.items()]
    core.show(fig, alt or "Channels along each block. " + "; ".join(told) + ".")


def cost_scatter(
    accuracy: Mapping[str, Sequence[float]],
    costs: Mapping[str, Mapping[str, float]],
    *,
    weights: Mapping[str, float] | None = None,
    live: Mapping[str, float] | None = None,
    alt: str,
) -> None:
    """Accuracy of each family over each of several costs, one panel a cost, the same marker in every panel.

    Args:
        accuracy: for each family the test accuracy of its runs, in percent: drawn as their mean, with a line from the
            lowest to the highest.
        costs: axis label -> for each family what it costs, above 0; the axes are logarithmic.
        weights: for each family its number of weights: the area of a marker grows with its root.
        live: for some families the accuracy of this run, drawn as an open ring.
        alt: what a reader should see.

    Raises:
        ValueError: there is nothing to draw, a family has no cost in some panel, or a cost is not above 0.
    """
    if not accuracy or not costs:
        raise ValueError("there is nothing to draw: accuracy or costs is empty.")
    for label, values in costs.items():
        missing = [name for name in accuracy if not values.get(name, 0) > 0]
        if missing:
            raise ValueError(
                f"{label!r} has no value above 0 for {missing[0]!r}; a logarithmic axis needs one for each."
            )
    fig, axes = core.figure(8.4, 3.9, len(costs), sharey=True)
    signs = []
    for number, (name, runs) in enumerate(accuracy.items()):
        colour, marker = core.CYCLE[number % len(core.CYCLE)], _MARKERS[number % len(_MARKERS)]
        area = 60.0 if weights is None else 25 + 0.16 * float(weights[name]) ** 0.5
        edge = "black" if number >= len(core.CYCLE) else colour  # a colour's second use
        for ax, values in zip(np.atleast_1d(axes), costs.values()):
            ax.plot([values[name]] * 2, [min(runs), max(runs)], color=colour, linewidth=1.4, zorder=2)
            ax.scatter(
                [values[name]],
                [np.mean(runs)],
                s=area,
                marker=marker,
                color=colour,
                edgecolors=edge,
                alpha=0.85,
                zorder=3,
            )
            if live and name in live:
                ax.scatter([values[name]], [live[name]], s=130, facecolors="none", edgecolors=colour, zorder=4)
        signs.append(_sign(marker, colour, name, edge=edge))
    for ax, label in zip(np.atleast_1d(axes), costs):
        ax.set_xscale("log")
        ax.set_xlabel(label)
        _few_ticks(ax, costs[label].values())
    np.atleast_1d(axes)[0].set_ylabel("test accuracy, in %")
    if live:
        signs.append(_sign("o", core.COLOURS["muted"], "this run", hollow=True))
    fig.legend(handles=signs, loc="outside upper center", ncols=5, columnspacing=1.2, handletextpad=0.2)
    core.show(fig, alt)


def _few_ticks(ax, values) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, written as plain numbers; a margin so that one value is not alone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = min(values), max(values)
    ax.set_xlim(min(low / 1.4, high / 3), max(high * 1.4, low * 3))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _sign(marker: str, colour: str, label: str, hollow: bool = False, edge: str | None = None):
    """An entry of the legend."""
    from matplotlib.lines import Line2D

    look = {"color": colour, "markerfacecolor": "none" if hollow else colour, "markeredgecolor": edge or colour}
    return Line2D([], [], marker=marker, linestyle="", markersize=7, label=label, **look)
