"""Figures of lesson 17: the chunks of a ring, memory on each device, accuracy over learning rate and batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.plotting import core

__all__ = ["memory_bars", "rates_by_batch", "ring_steps"]


def ring_steps(states: Sequence[np.ndarray], *, alt: str) -> None:
    """What each device holds of each chunk as a ring all-reduce goes on, one panel for each step.

    Args:
        states: after 0, 1, 2, ... steps an array (devices, chunks): of how many devices the chunk has the sum.
        alt: what to see.

    Raises:
        ValueError: there are no states, or they differ in shape.
    """
    states = [np.asarray(state) for state in states]
    if not states or any(state.ndim != 2 or state.shape != states[0].shape for state in states):
        raise ValueError(f"states of shapes {[s.shape for s in states]}: expected some of the same (devices, chunks).")
    devices, chunks = states[0].shape
    fig, axes = core.figure(min(7.4, 0.4 + 1.15 * len(states)), 1.75, len(states), squeeze=False)
    for step, (ax, state) in enumerate(zip(axes[0], states)):
        core.draw_heatmap(ax, state, form="{:.0f}", limits=(0, 1.3 * devices))
        ax.set_title(f"step {step}" if step else "start", fontsize=9, loc="center", fontweight="normal")
        core._label_cells(ax, [str(d) for d in range(devices)], [chr(ord("a") + c) for c in range(chunks)])
    axes[0, 0].set_ylabel("device")
    fig.supxlabel("chunk; the number says of how many devices it is the sum", fontsize=9.5)
    core.show(fig, alt)


def memory_bars(parts: Mapping[str, Mapping[str, float]], *, limit: float, alt: str, xlabel: str = "GB") -> None:
    """Memory of one device as a bar for each way to divide it, by what it holds, and a line where the device ends.

    Args:
        parts: name of the bar -> what is held -> how much; the same things in each.
        limit: what a device has.
        alt: what to see.
        xlabel: the unit.
    """
    if not parts or len({tuple(part) for part in parts.values()}) > 1:
        raise ValueError(f"bars {list(parts)}: expected one or more, made of the same things.")
    fig, ax = core.figure(7.0, 0.9 + 0.36 * len(parts))
    left = np.zeros(len(parts))
    for number, what in enumerate(next(iter(parts.values()))):
        sizes = np.array([part[what] for part in parts.values()])
        ax.barh(range(len(parts)), sizes, left=left, color=core.CYCLE[number], label=what, height=0.68)
        left += sizes
    for row, total in enumerate(left):
        ax.text(total, row, f" {total:,.0f}", va="center", fontsize=9.5)
    ax.axvline(limit, color=core.COLOURS["reference"], linestyle="--", linewidth=1.2, label=f"a device has {limit:g}")
    ax.set_yticks(range(len(parts)), list(parts))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.1)
    ax.set_xlabel(xlabel)
    fig.legend(loc="outside upper center", ncols=4)
    core.show(fig, alt)


def rates_by_batch(
    stored: Mapping[str, Mapping[str, Sequence[float]]],
    live: Mapping[str, Mapping[str, float]] | None = None,
    *,
    alt: str,
    ylabel: str = "validation accuracy",
) -> None:
    """Accuracy over the learning rate, a line for each batch size; this run's points upon them.

    Args:
        stored: batch -> rate -> the values of all seeds. Batches and rates are texts of numbers.
        live: batch -> rate -> one value.
        alt: what to see.
        ylabel: what the values are.
    """
    if not stored:
        raise ValueError("there is nothing to draw: stored is empty.")
    fig, ax = core.figure(7.0, 3.3)
    for (size, line), colour, dashes in zip(stored.items(), core.CYCLE, core._DASHES * 2):
        rates = [float(rate) for rate in line]
        values = np.array([list(seeds) for seeds in line.values()])
        ax.plot(rates, values.mean(1), dashes, color=colour, marker="o", label=f"batch {size}")
        ax.fill_between(rates, values.min(1), values.max(1), color=colour, alpha=0.18, linewidth=0)
        for rate, value in (live or {}).get(size, {}).items():
            ax.plot(float(rate), value, "D", color=colour, markeredgecolor="white", markersize=8)
    ticks = sorted({float(rate) for line in stored.values() for rate in line})
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8.5)
    ax.minorticks_off()
    ax.set(xlabel="learning rate" + ("; diamonds: this run" if live else ""), ylabel=ylabel)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    core.show(fig, alt)
