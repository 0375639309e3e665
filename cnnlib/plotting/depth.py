"""Figures of lesson 06: what this run measured, over the runs of other seeds that went further."""

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.plotting import core

__all__ = ["live_over_stored"]


def live_over_stored(
    panels: Mapping[str, Mapping[str, tuple[tuple, Sequence[Sequence[float]]]]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    logx: bool = False,
) -> None:
    """Lines of stored runs, each the mean over the seeds in a band of their range, and this run's points upon them.

    Args:
        panels: title -> name of a line -> ``((x, live), (x, one, for, each, seed))``: the positions and values of this
            run, and the positions of the stored ones followed by their values. Either may be empty.
        xlabel, ylabel: what the axes are, with their unit; the vertical one is shared.
        alt: what a reader should see.
        logx: a logarithmic axis with a mark at each position, for sizes that double.
    """
    if not panels:
        raise ValueError("there is nothing to draw: panels is empty.")
    fig, axes = core.figure(4.1 * len(panels) if len(panels) > 1 else 6.0, 3.2, columns=len(panels), sharey=True)
    for ax, (title, lines) in zip(np.atleast_1d(axes), panels.items()):
        for number, (name, ((x, live), (places, *runs))) in enumerate(lines.items()):
            colour = core.CYCLE[number % len(core.CYCLE)]
            if runs:
                lowest, mean, highest = (reduce(runs, axis=0) for reduce in (np.min, np.mean, np.max))
                ax.plot(places, mean, color=colour, label=name)
                ax.fill_between(places, lowest, highest, color=colour, alpha=0.18, linewidth=0)
            label = None if runs else name
            ax.plot(x, live, "D", color=colour, markeredgecolor="white", markersize=7.5, label=label)
        if logx:
            ticks = sorted({place for (x, _), (places, *_) in lines.values() for place in (*x, *places)})
            ax.set_xscale("log", base=2)
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        else:
            ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(title=title, xlabel=xlabel)
        ax.legend(loc="best")
    np.atleast_1d(axes)[0].set_ylabel(ylabel)
    from matplotlib.lines import Line2D

    signs = [
        Line2D([], [], color=core.COLOURS["muted"], marker="D", linestyle="", label="this run"),
        Line2D([], [], color=core.COLOURS["muted"], label="stored runs: mean and range"),
    ]
    fig.legend(handles=signs, loc="outside upper right", ncols=2, borderpad=0)
    core.show(fig, alt)
