"""Figures of lesson 18: a sound and its spectrogram, choices over seeds, kernels side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.plotting import core

__all__ = ["kernels", "seeds_by_choice", "sounds"]


def sounds(x: np.ndarray, spectra: np.ndarray, titles: Sequence[str], *, rate: int, alt: str) -> None:
    """Waveforms in a row, and under each its spectrogram: time to the right, frequency upwards, loud is dark.

    Args:
        x: (n, samples).
        spectra: (n, windows, bands), from 0 to half the sampling rate.
        titles: one for each sound.
        rate: samples a second.
        alt: what to see.

    Raises:
        ValueError: sounds, spectra and titles are not as many.
    """
    if not len(x) == len(spectra) == len(titles) > 0:
        raise ValueError(f"{len(x)} sounds, {len(spectra)} spectra, {len(titles)} titles: expected as many of each.")
    seconds = x.shape[1] / rate
    fig, axes = core.figure(min(7.2, 2.6 * len(x) + 0.6), 3.6, len(x), 2, squeeze=False, sharex=True, sharey="row")
    for column, title in enumerate(titles):
        above, below = axes[:, column]
        above.plot(np.arange(x.shape[1]) / rate, x[column], color=core.COLOURS["input"], linewidth=0.7)
        above.set_title(title, fontsize=10)
        below.imshow(
            spectra[column].T, cmap="Greys", origin="lower", aspect="auto", extent=(0, seconds, 0, rate / 2000)
        )
        below.set_xlabel("seconds")
    axes[0, 0].set_ylabel("pressure")
    axes[1, 0].set_ylabel("kHz")
    core.show(fig, alt)


def seeds_by_choice(
    stored: Mapping[str, Sequence[float]], live: Mapping[str, float] | None = None, *, xlabel: str, alt: str
) -> None:
    """A row for each choice: a dot for each stored run, a bar at their mean, and a diamond for this run.

    Args:
        stored: choice -> value of each seed.
        live: choice -> the value of this run; not all need to have one.
        xlabel: what the values are, with their unit.
        alt: what to see.
    """
    if not stored or set(live or {}) - set(stored):
        raise ValueError(f"stored has {list(stored)}, live {list(live or {})}: expected some, and live among them.")
    fig, ax = core.figure(7.0, 0.8 + 0.38 * len(stored))
    for row, (name, values) in enumerate(stored.items()):
        colour = core.CYCLE[row % len(core.CYCLE)]
        ax.plot([np.mean(values)] * 2, [row - 0.3, row + 0.3], color=colour, linewidth=3)
        ax.plot(values, [row] * len(values), "o", color=colour, markersize=6, alpha=0.75)
        if live and name in live:
            ax.plot(live[name], row, "D", color=core.COLOURS["reference"], markeredgecolor="white", markersize=9)
    ax.set_yticks(range(len(stored)), list(stored))
    ax.invert_yaxis()
    ax.margins(x=0.08, y=0.15)
    ax.set_xlabel(xlabel + ("; diamonds: this run" if live else ""))
    core.show(fig, alt)


def kernels(kernels: Mapping[str, np.ndarray], *, alt: str, form: str = "{:.2f}") -> None:
    """Small kernels side by side with their weights, on one scale of colours.

    Args:
        kernels: title -> (rows, columns).
        alt: what to see.
        form: of a weight.
    """
    if not kernels or any(np.ndim(kernel) != 2 for kernel in kernels.values()):
        raise ValueError(f"kernels of shapes {[np.shape(k) for k in kernels.values()]}: expected (rows, columns) each.")
    most = max(float(np.abs(kernel).max()) for kernel in kernels.values())
    fig, axes = core.figure(min(7.4, 2.3 * len(kernels)), 2.5, len(kernels), squeeze=False)
    for ax, (title, kernel) in zip(axes[0], kernels.items()):
        core.draw_heatmap(ax, np.round(kernel, 6), form=form, cmap="RdBu_r", limits=(-most, most))
        ax.set_title(title, fontsize=9, loc="center", fontweight="normal")
    core.show(fig, alt)
