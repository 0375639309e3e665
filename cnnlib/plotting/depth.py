"""Figures of lesson 06: what this run measured, over the runs of other seeds that went further."""

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.plotting import core

__all__ = ["live_over_stored"]


def live_over_stored(
    live: Mapping[str, Mapping[str, Sequence[float]]],
    stored: Sequence[Mapping],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    x: Sequence[float] | None = None,
    live_x: Sequence[float] | None = None,
    titles: Mapping[str, str] | None = None,
    label: str = "{}",
    logx: bool = False,
) -> None:
    """Lines of stored runs, each the mean over the seeds in a band of their range, and this run's points upon them.

    Args:
        live: this run: panel -> line -> its values. It may lack lines, or all lines of a panel.
        stored: the runs of `cnnlib.results.stored`, each of which has the same panels with these lines and more; none
            while they are being recorded.
        xlabel, ylabel: what the axes are, with their unit; the vertical one is shared.
        alt: what a reader should see.
        x: the positions of the stored values; without them 1, 2, 3, ...
        live_x: the positions of this run's values; without them the first ones of `x`.
        titles: panel -> what stands above it, if that is not its name.
        label: what the legend calls a line, with ``{}`` for its name.
        logx: a logarithmic axis with a mark at each position, for sizes that double.
    """
    if not live:
        raise ValueError("there is nothing to draw: live is empty.")
    fig, axes = core.figure(4.1 * len(live) if len(live) > 1 else 6.0, 3.2, columns=len(live), sharey=True)
    axes = np.atleast_1d(axes)
    for ax, (panel, here) in zip(axes, live.items()):
        runs = [run[panel] for run in stored]
        for name, colour, dashes in zip(runs[0] if runs else here, core.CYCLE, core._DASHES):
            text = label.format(name)
            if runs:
                _band(ax, x, [run[name] for run in runs], colour, dashes, text)
            if name in here:
                _points(ax, x if live_x is None else live_x, here[name], colour, None if runs else text)
        _horizontal(ax, x if logx else None)
        ax.set(title=(titles or {}).get(panel, panel), xlabel=xlabel)
    axes[0].set_ylabel(ylabel)
    axes[0].legend(loc="best")
    _explain_signs(fig, with_points=any(live.values()))
    core.show(fig, alt)


def _band(ax, x, runs, colour: str, dashes: str, text: str) -> None:
    x = range(1, len(runs[0]) + 1) if x is None else x
    lowest, mean, highest = (reduce(runs, axis=0) for reduce in (np.min, np.mean, np.max))
    ax.plot(x, mean, color=colour, linestyle=dashes, label=text)
    ax.fill_between(x, lowest, highest, color=colour, alpha=0.18, linewidth=0)


def _points(ax, x, values, colour: str, text: str | None) -> None:
    x = range(1, len(values) + 1) if x is None else list(x)[: len(values)]
    ax.plot(x, values, "D", color=colour, markeredgecolor="white", markersize=7.5, label=text)


def _horizontal(ax, doubling: Sequence[float] | None) -> None:
    if doubling is None:
        ax.xaxis.get_major_locator().set_params(integer=True)
    else:
        ax.set_xscale("log", base=2)
        ax.set_xticks(list(doubling), [f"{tick:g}" for tick in doubling])


def _explain_signs(fig, with_points: bool) -> None:
    from matplotlib.lines import Line2D

    signs = [Line2D([], [], color=core.COLOURS["muted"], label="stored runs: mean and range")]
    if with_points:
        signs.insert(0, Line2D([], [], color=core.COLOURS["muted"], marker="D", linestyle="", label="this run"))
    fig.legend(handles=signs, loc="outside upper right", ncols=2, borderpad=0)
