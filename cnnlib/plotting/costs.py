"""Figures of lesson 05: several measures of the same rows side by side, and a short run over longer stored ones."""

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.plotting import core

__all__ = ["bar_panels", "epochs_among_stored"]

_ROLES = ("kernel", "input", "output", "accent")


def bar_panels(
    rows: Mapping[str, Sequence[float]],
    panels: Mapping[str, str],
    *,
    alt: str,
    marked: Sequence[str] = (),
    longest: Mapping[str, float] | None = None,
) -> None:
    """Horizontal bars: one row for each name, one panel for each measure, all panels over the same rows.

    Args:
        rows: name -> its values, one for each panel, drawn from top to bottom.
        panels: label of the axis -> how a value is written at the end of its bar, as ``"{:.1f}"``.
        alt: what a reader should see, with its numbers.
        marked: the names of rows that are drawn pale, as those of another kind.
        longest: for some labels the end of the axis, so that two panels can share a scale.
    """
    short = {name: len(values) for name, values in rows.items() if len(values) != len(panels)}
    if short or not rows:
        raise ValueError(f"there are {len(panels)} panels, so each row needs as many values; got {short or 'no rows'}.")
    fig, axes = core.figure(8.2, 0.85 + 0.32 * len(rows), columns=len(panels), sharey=True)
    for number, (ax, (label, form)) in enumerate(zip(np.atleast_1d(axes), panels.items())):
        values = [float(row[number]) for row in rows.values()]
        colour = core.COLOURS[_ROLES[number % len(_ROLES)]]
        drawn = ax.barh(range(len(rows)), values, color=colour, height=0.68)
        for bar, name in zip(drawn, rows):
            bar.set_alpha(0.45 if name in marked else 1.0)
        ax.bar_label(drawn, [form.format(row[number]) for row in rows.values()], padding=3, fontsize=9)
        ax.set_yticks(range(len(rows)), list(rows))
        ax.set_xlabel(label)
        ax.margins(x=0.2)  # room for the number at the end of the longest bar
        if label in (longest or {}):
            ax.set_xlim(0, longest[label])
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    np.atleast_1d(axes)[0].invert_yaxis()
    core.show(fig, alt)


def epochs_among_stored(
    panels: Mapping[str, tuple[Sequence[Mapping[str, Sequence[float]]], Mapping[str, Sequence[float]]]],
    *,
    alt: str,
    ylabel: str = "accuracy, in %",
) -> None:
    """A run over its epochs, drawn bold over stored runs of other seeds, which may be longer.

    Args:
        panels: title -> (stored, live): each run maps "train" and "validation" to one value per epoch; live is empty
            where only the stored runs have something to show.
        alt: what a reader should see.
        ylabel: what the values are, with their unit.
    """
    fig, axes = core.figure(8.2, 3.3, columns=len(panels), sharey=True)
    names = {"train": "training images", "validation": "test images"}
    for ax, (title, (stored, live)) in zip(np.atleast_1d(axes), panels.items()):
        for role in names:
            for run in stored:
                epochs = np.arange(1, len(run[role]) + 1)
                ax.plot(epochs, run[role], color=core.COLOURS[role], linewidth=0.9, alpha=0.45)
            here = live.get(role, ())
            epochs = np.arange(1, len(here) + 1)
            ax.plot(epochs, here, color=core.COLOURS[role], linewidth=2.6, marker="o", markersize=4)
        ax.set_title(title)
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
    np.atleast_1d(axes)[0].set_ylabel(ylabel)
    from matplotlib.lines import Line2D

    signs = [Line2D([], [], color=core.COLOURS[role], linewidth=2.6, label=name) for role, name in names.items()]
    signs += [
        Line2D([], [], color=core.COLOURS["muted"], linewidth=2.6, marker="o", markersize=4, label="this run"),
        Line2D([], [], color=core.COLOURS["muted"], linewidth=0.9, label="stored runs"),
    ]
    fig.legend(handles=signs, loc="outside upper right", ncols=4, borderpad=0)
    core.show(fig, alt)
