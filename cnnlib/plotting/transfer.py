"""Figures of lesson 09: what wrong input costs, and ways to use a pretrained network, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.claims import approx
from cnnlib.plotting import core

__all__ = ["choices", "faults", "ways"]


def choices(
    stored: Sequence[Mapping[str, Mapping[str, float]]], chosen: Mapping[str, object]
) -> dict[str, dict[str, float]]:
    """What was tried to choose by: the mean accuracy of each setting on a validation part. Returns these means.

    Args:
        stored: runs; each maps a recipe to {setting: accuracy}, the same recipes and settings in all.
        chosen: the recipes to draw, one row each, in this order.

    Raises:
        ValueError: there is no stored run, or one lacks a recipe.
    """
    if not stored or any(name not in run for run in stored for name in chosen):
        raise ValueError(f"choices needs stored runs that have each of {', '.join(chosen)}; given were {len(stored)}.")
    means = {name: {s: float(np.mean([run[name][s] for run in stored])) for s in stored[0][name]} for name in chosen}
    core.heatmap(
        [list(row.values()) for row in means.values()],
        rows=list(means),
        columns=list(next(iter(means.values()))),
        xlabel="peak rate",
        form="{:.3f}",
        size=0.8,
        title="Validation accuracy",
        alt="; ".join(
            f"{name}: " + ", ".join(f"{v:.3f} at {s}" for s, v in row.items()) for name, row in means.items()
        ),
    )
    return means


def faults(table: Mapping[str, tuple[float, float]]) -> None:
    """What wrong input costs: two rows of accuracies, wrong throughout and wrong in use only, a column for each fault.

    Args:
        table: name of the fault -> (accuracy if all pictures are wrong alike, accuracy if only those in use are).
    """
    throughout, in_use = np.transpose(list(table.values()))
    told = [", ".join(f"{name} {approx(value, 2)}" for name, value in zip(table, row)) for row in (throughout, in_use)]
    core.heatmap(
        [throughout, in_use],
        rows=["wrong in training and in use", "wrong in use only"],
        columns=list(table),
        form="{:.2f}",
        limits=(0, 1),
        title="Accuracy on new pictures",
        alt=f"Accuracy, wrong throughout: {told[0]}; wrong in use only: {told[1]}.",
    )


def ways(
    stored: Sequence[Mapping[str, float]],
    live: Mapping[str, float],
    *,
    reference: str,
    xlabel: str = "accuracy",
) -> None:
    """One row for each way: its range and mean over stored runs, this run as a diamond, and a line at the reference.

    Args:
        stored: runs; each maps the name of a way to its accuracy. The order of the first is that of the rows.
        live: the same for this run; it may lack some.
        reference: the way to compare with; the mean of its stored runs is drawn as a line through all rows.
        xlabel: what the numbers are.

    Raises:
        ValueError: there is no stored run, a stored run lacks a way, or the reference is none of them.
    """
    names = list(stored[0]) if stored else list(live)
    missing = sorted({name for run in stored for name in (*names, *live) if name not in run})
    if not stored or missing or reference not in names:
        raise ValueError(
            f"ways needs stored runs that have each of {', '.join(names)}, the reference {reference!r} among them; "
            f"given were {len(stored)} runs" + (f", without {', '.join(missing)}." if missing else ".")
        )
    values = np.array([[run[name] for run in stored] for name in names])
    mean = values.mean(axis=1)
    fig, ax = core.figure(7.0, 0.42 * len(names) + 0.9)
    rows = np.arange(len(names))
    line = mean[names.index(reference)]
    ax.axvline(line, color=core.COLOURS["reference"], linestyle="--", linewidth=1.2, label=reference)
    ax.hlines(rows, values.min(axis=1), values.max(axis=1), color=core.COLOURS["muted"], linewidth=5, alpha=0.5)
    ax.plot(mean, rows, "o", color=core.COLOURS["muted"], label="stored runs: mean, range")
    here = [(live[name], row) for name, row in zip(names, rows) if name in live]
    colours = [core.COLOURS["output" if value >= line - 0.02 else "kernel"] for value, _ in here]
    ax.scatter(*zip(*here), marker="D", s=48, c=colours, edgecolor="white", zorder=3)
    ax.scatter([], [], marker="D", s=48, color=core.COLOURS["output"], label="this run")
    ax.set_yticks(rows, names)
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, xlim=(0, 1))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    told = ", ".join(f"{name} {approx(value)}" for name, value in zip(names, mean))
    core.show(fig, f"Mean over stored runs of each way: {told}. Dashed: {reference}. Diamonds: this run.")
