"""Figures of lesson 03: what training does to a loss, and how to see that it works.

Training curves are in the course's colour for training and drawn solid, validation curves in that for validation and
dashed. What is measured on the machine at hand stands in alternative texts behind "≈".
Every public function ends in `cnnlib.plotting.show`, except `rate_explorer`, which returns what
`cnnlib.plotting.explore` draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib.claims import approx
from cnnlib.plotting import core

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "activation_profile",
    "histories",
    "loss_of_probability",
    "loss_surface",
    "range_test",
    "rate_explorer",
    "rate_summary",
    "schedules",
    "seed_spread",
    "tiny_fits",
    "unlabelled_curves",
]

CHANCE = math.log(10)  # the loss of a network that gives each of ten classes the same probability


# --- the loss --------------------------------------------------------------------------------------------------------


def loss_of_probability(marks: Mapping[str, float]) -> None:
    """Draw -ln p over the probability p of the true class, with some named values of p marked."""
    fig, ax = core.figure(width=6.0, height=3.0)
    p = np.linspace(0.004, 1, 400)
    ax.plot(p, -np.log(p), color=core.COLOURS["train"])
    for name, value in marks.items():
        ax.plot(value, -math.log(value), "o", color=core.COLOURS["kernel"])
        label, place = f"{name}: {-math.log(value):.2f}", (value, -math.log(value))
        side = {"ha": "right", "xytext": (4, 10)} if value > 0.6 else {"ha": "left", "xytext": (9, 5)}
        ax.annotate(label, place, textcoords="offset points", fontsize=9.5, **side)
    ax.set(xlabel="probability given to the true class", ylabel="loss, $-\\ln p$", xlim=(0, 1.02), ylim=(0, 5.4))
    told = ", ".join(f"{-math.log(value):.2f} at {value:.3g} ({name})" for name, value in marks.items())
    core.show(fig, f"The loss falls from above 5 near probability 0 to 0 at probability 1: {told}.")


# --- curves ----------------------------------------------------------------------------------------------------------


def _series(history: object) -> dict[str, list[float]]:
    """The dictionary of curves in a Keras history, or the dictionary itself."""
    return dict(getattr(history, "history", history))


def histories(
    runs: object,
    metric: str = "loss",
    *,
    alt: str = "",
    marks: Mapping[str, int] | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    """Training and validation curves of one run, or of several side by side.

    Args:
        runs: a Keras history, its dictionary, or ``{name: history}``.
        metric: ``"loss"``, ``"accuracy"`` or another that the histories hold; ``val_...`` is drawn where there is one.
        alt: what to see; made from the last values if not given.
        marks: for some runs an epoch, counted from 1, to draw a line at.
        limits: of the vertical axis, which all runs share.
    """
    named = _named(runs)
    if not named:
        raise ValueError("there is nothing to draw: no run was given.")
    missing = [name for name, curves in named.items() if metric not in curves]
    if missing:
        known = ", ".join(next(iter(named.values())))
        raise ValueError(f"{missing[0] or 'the history'!r} holds no {metric!r}; it holds: {known}.")
    columns = len(named)
    fig, axes = core.figure(min(7.6, 2.1 + 1.85 * columns + (2.2 if columns == 1 else 0)), 2.9, columns, sharey=True)
    for ax, (name, curves) in zip(np.atleast_1d(axes), named.items()):
        _history(ax, curves, metric)
        ax.set(title=name, xlabel="epoch")
        if marks and name in marks:
            ax.axvline(marks[name], color=core.COLOURS["muted"], linewidth=1.2, linestyle=":")
    first = np.atleast_1d(axes)[0]
    first.set_ylabel(metric)
    first.legend()
    if limits is not None:
        first.set_ylim(*limits)
    core.show(fig, alt or " ".join(_told(name, curves, metric) for name, curves in named.items()))


def _named(runs: object) -> dict[str, dict[str, list[float]]]:
    """``{name: {curve: values}}`` of whatever `histories` is given."""
    inner = getattr(runs, "history", runs)
    single = hasattr(runs, "history") or all(
        np.ndim(value) == 1 and not hasattr(value, "keys") for value in inner.values()
    )
    return {"": dict(inner)} if single and inner else {name: _series(run) for name, run in inner.items()}


def _history(ax: Axes, curves: Mapping[str, Sequence[float]], metric: str) -> None:
    for (name, key), role, dash in zip(_pair(metric), ("train", "validation"), ("-", "--")):
        if key in curves:
            values = np.asarray(curves[key], dtype=float)
            ax.plot(np.arange(1, len(values) + 1), values, dash, color=core.COLOURS[role], label=name)
    ax.xaxis.get_major_locator().set_params(integer=True)


def _told(name: str, curves: Mapping[str, Sequence[float]], metric: str) -> str:
    """One sentence about a run, for the alternative text."""
    text = f"{metric} of training goes from {approx(curves[metric][0])} to {approx(curves[metric][-1])}"
    if f"val_{metric}" in curves:
        validation = curves[f"val_{metric}"]
        text += f", of validation from {approx(validation[0])} to {approx(validation[-1])}"
    return f"{name}: {text}." if name else f"{text[0].upper()}{text[1:]}."


# Which run stands behind which letter of exercise 03.6.
_LETTERS = {"A": "overfitting", "B": "rate too high", "C": "underfitting", "D": "healthy"}


def unlabelled_curves(runs: Sequence[Mapping[str, Mapping[str, Sequence[float]]]], metric: str = "accuracy") -> None:
    """Four kinds of runs under a letter each: what happened in them is for the reader to say (exercise 03.6).

    Args:
        runs: sets of curves as ``{"healthy": {...}, ...}``, of which the last is drawn.
        metric: ``"accuracy"`` or ``"loss"``.
    """
    named = runs[-1]
    fig, axes = core.figure(7.0, 4.4, 2, 2, sharey=True)
    for ax, (letter, name) in zip(np.ravel(axes), _LETTERS.items()):
        _history(ax, named[name], metric)
        ax.set_title(letter, fontsize=13)
    for ax in axes[:, 0]:
        ax.set_ylabel(metric)
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    axes[0, 0].legend(loc="lower right")
    axes[0, 0].set_ylim(0, 1.03)
    told = []
    for letter, name in _LETTERS.items():
        curves = named[name]
        ends = [f"{which} {approx(curves[key][0])} to {approx(curves[key][-1])}" for which, key in _pair(metric)]
        told.append(f"{letter}, {len(curves[metric])} epochs: {', '.join(ends)}")
    core.show(fig, f"Four runs. {metric[0].upper()}{metric[1:]} from the first to the last epoch. {'; '.join(told)}.")


def _pair(metric: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("training", metric), ("validation", f"val_{metric}")


def tiny_fits(tests: Mapping[str, Any]) -> None:
    """Losses of `cnnlib.training.overfit_tiny` on a logarithmic axis, one line a test."""
    fig, ax = core.figure(6.4, 3.0)
    for number, (name, test) in enumerate(tests.items()):
        ax.plot(np.arange(len(test.losses)), np.maximum(test.losses, 1e-6), "-" if number == 0 else "--", label=name)
    first = next(iter(tests.values()))
    ax.axhline(first.target * first.losses[0], color=core.COLOURS["muted"], linewidth=1.2, linestyle=":")
    ax.annotate("passed below", (0, first.target * first.losses[0]), (4, -12), textcoords="offset points", fontsize=9)
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    if len(tests) > 1:
        ax.legend()
    told = [
        f"{name or 'the loss'} goes from {approx(t.losses[0])} to {approx(t.losses[-1])}" for name, t in tests.items()
    ]
    core.show(fig, f"Loss on the same few examples over {len(first.losses)} steps: {'; '.join(told)}.")


# --- optimisers ------------------------------------------------------------------------------------------------------


def loss_surface(
    along: Sequence[float],
    across: Sequence[float],
    losses: object,
    paths: Mapping[str, object],
    path_losses: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
) -> None:
    """Contours of a slice of a loss, the paths of optimisers over it, and the loss along each path.

    Args:
        along, across: positions of the columns and rows of ``losses``.
        losses: (len(across), len(along)).
        paths: for each optimiser its positions (steps, 2), as (along, across).
        path_losses: for each optimiser the loss at each of its positions.
        xlabel, ylabel: what the two directions are.
    """
    losses = np.asarray(losses, dtype=float)
    fig, (surface, curve) = core.figure(7.6, 3.5, 2, width_ratios=(1.5, 1))
    levels = np.geomspace(losses.min(), losses.max(), 16)
    surface.contourf(along, across, losses, levels=levels, cmap="Greys", norm="log", alpha=0.55)
    surface.contour(along, across, losses, levels=levels, colors="#8a8a8a", linewidths=0.5)
    for (name, path), dash, colour in zip(paths.items(), ("-", "--", "-.", ":"), core.CYCLE):
        path = np.asarray(path, dtype=float)
        surface.plot(*path.T, dash, color=colour, linewidth=1.5, marker="o", markersize=2.6, label=name)
        surface.plot(*path[-1], "s", color=colour, markersize=7, markeredgecolor="white")
        curve.plot(path_losses[name], dash, color=colour, label=name)
    start = np.asarray(next(iter(paths.values())), dtype=float)[0]
    surface.plot(*start, "*", color=core.COLOURS["reference"], markersize=12, markeredgecolor="white", zorder=5)
    surface.set(xlim=(min(along), max(along)), ylim=(min(across), max(across)), xlabel=xlabel, ylabel=ylabel)
    surface.grid(visible=False)
    curve.set(xlabel="step", ylabel="loss", ylim=(0, None))
    curve.legend()
    told = ", ".join(f"{name} {approx(values[-1])}" for name, values in path_losses.items())
    core.show(
        fig,
        "A long narrow valley of the loss, seen from above. From the star on its wall each optimiser goes its own way "
        f"to a square; the loss where it ends: {told}.",
    )


def range_test(test: Any, advice: bool = True) -> None:
    """Loss over learning rate, with the minimum and the rate a decade below it, or without to read them oneself.

    Args:
        test: what `cnnlib.training.range_test` found.
        advice: mark the minimum and the suggestion, in the figure and in its text. Without it the axis gets a finer
            grid, and the text says how the loss goes from decade to decade.
    """
    fig, ax = core.figure(6.4, 3.2)
    ax.plot(test.rates, test.losses, color=core.COLOURS["muted"], linewidth=0.9, label="loss of each batch")
    ax.plot(test.rates, test.smoothed, color=core.COLOURS["train"], label="smoothed")
    if advice:
        ax.axvline(test.minimum, color=core.COLOURS["validation"], linestyle=":", label="minimum")
        ax.axvline(test.suggestion, color=core.COLOURS["output"], linestyle="--", label="a decade below")
    top = min(np.max(test.losses), 2.5 * test.smoothed[0])
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=(0.9 * np.min(test.losses), 1.05 * top))
    ax.legend()
    if advice:
        told = (
            f"The loss stays near {approx(test.smoothed[0])} at small rates, falls to {approx(test.smoothed.min())} at "
            f"a rate of {approx(test.minimum, 2)}, and rises beyond. A decade below the minimum lies "
            f"{approx(test.suggestion, 2)}."
        )
    else:
        ax.grid(True, which="minor", axis="x", linewidth=0.4)
        told = f"The loss over the learning rate: {_at_thirds(test)}."
    core.show(fig, told)


def _at_thirds(test: Any) -> str:
    """The smoothed loss at three rates a decade, for whoever cannot see the curve."""
    decades = range(math.floor(math.log10(test.rates[0])), math.ceil(math.log10(test.rates[-1])) + 1)
    rates = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
    inside = [rate for rate in rates if 0.999 * test.rates[0] <= rate <= 1.001 * test.rates[-1]]
    losses = np.interp(np.log(inside), np.log(test.rates), test.smoothed)
    return ", ".join(f"{approx(loss)} at {rate:g}" for rate, loss in zip(inside, losses))


def rate_explorer(runs: Mapping[float, Sequence[float]]) -> Callable[[float], Figure]:
    """What `cnnlib.plotting.explore` needs to step through stored runs: ``draw(rate)`` returns the figure of one.

    Args:
        runs: for each learning rate the losses of its steps.
    """
    losses = {rate: np.asarray(values, dtype=float) for rate, values in runs.items()}

    def draw(rate: float) -> Figure:
        fig, (curve, overview) = core.figure(7.4, 3.1, 2, width_ratios=(1.5, 1))
        for values in losses.values():
            curve.plot(values, color="#d4d4d4", linewidth=0.9)
        curve.plot(losses[rate], color=core.COLOURS["train"])
        curve.axhline(CHANCE, color=core.COLOURS["muted"], linestyle=":", linewidth=1.2, label="guessing")
        curve.legend(loc="upper right")
        curve.set(ylim=(0, 4.2), xlabel="step", ylabel="loss", title=f"learning rate {rate:g}")
        ends = [_final(values) for values in losses.values()]
        overview.plot(list(losses), ends, color="#b5b5b5", marker="o", markersize=4)
        overview.plot(rate, _final(losses[rate]), "o", color=core.COLOURS["train"], markersize=9)
        overview.set(xscale="log", ylim=(0, 4.2), xlabel="learning rate", title="loss at the end")
        return fig

    return draw


def _final(values: np.ndarray) -> float:
    """Mean of the last quarter of a run."""
    return float(np.mean(values[-max(1, len(values) // 4) :]))


def rate_summary(live: Mapping[float, float], stored: Sequence[Mapping[float, float]]) -> None:
    """The loss at the end of training over the learning rate: this run, among the runs of other seeds.

    A rate may be a number or its text, as in a file of results.
    """
    live, *stored = ({float(rate): loss for rate, loss in run.items()} for run in [live, *stored])
    fig, ax = core.figure(6.4, 3.1)
    for number, run in enumerate(stored):
        label = f"{len(stored)} stored seeds" if number == 0 else None
        ax.plot(list(run), list(run.values()), color="#b5b5b5", linewidth=1.2, label=label)
    ax.plot(list(live), list(live.values()), color=core.COLOURS["train"], marker="o", label="this run")
    ax.axhline(CHANCE, color=core.COLOURS["muted"], linestyle=":", linewidth=1.2)
    middle = math.sqrt(min(live) * max(live))  # where the curves are far below
    ax.annotate("guessing", (middle, CHANCE), (0, 4), textcoords="offset points", ha="center", fontsize=9)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss at the end", ylim=(0, 4.2))
    ax.legend(loc="upper right")
    told = ", ".join(f"{approx(loss)} at {rate:g}" for rate, loss in live.items())
    core.show(fig, f"The loss at the end of training over the learning rate is a wide valley: {told}.")


def schedules(rates: Mapping[str, Sequence[float]]) -> None:
    """Learning rates over the steps of a run."""
    fig, ax = core.figure(6.4, 2.6)
    for (name, values), dash in zip(rates.items(), ("-", "--", "-.")):
        ax.plot(np.arange(len(values)), values, dash, label=name)
    ax.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    ax.legend()
    told = "; ".join(
        f"{name} starts at {values[0]:.3g}, is highest at step {int(np.argmax(values))} with {max(values):.3g} and "
        f"ends at {values[-1]:.2g}"
        for name, values in rates.items()
    )
    core.show(fig, f"Learning rate over {len(next(iter(rates.values())))} steps: {told}.")


# --- initialisation --------------------------------------------------------------------------------------------------


def activation_profile(profiles: Mapping[str, Sequence[Any]]) -> None:
    """The spread of what each layer passes on, from the first to the last, on a logarithmic axis."""
    fig, ax = core.figure(6.4, 3.1)
    for number, (name, layers) in enumerate(profiles.items()):
        spread = [layer.std for layer in layers]
        ax.plot(np.arange(1, len(spread) + 1), spread, ("-", "--", "-.")[number % 3], marker="o", label=name)
    count = len(next(iter(profiles.values())))
    ax.set(yscale="log", xlabel="convolution layer", ylabel="standard deviation", xticks=range(1, count + 1))
    ax.legend()
    told = "; ".join(f"{name} from {approx(s[0].std)} to {approx(s[-1].std)}" for name, s in profiles.items())
    core.show(fig, f"Standard deviation of the activations from layer 1 to {count}: {told}.")


# --- seeds -----------------------------------------------------------------------------------------------------------


def seed_spread(live: Mapping[str, float], stored: Mapping[str, Sequence[float]], xlabel: str) -> None:
    """One result of this run among stored ones, a row for each setting.

    Args:
        live: name of the setting and the value of this run, which may lack some or all.
        stored: the values of the stored runs, by the same names.
        xlabel: what the values are.
    """
    names = [*stored, *(name for name in live if name not in stored)]
    fig, ax = core.figure(6.4, 0.9 + 0.5 * len(names))
    told = []
    for row, name in enumerate(names):
        others = list(stored.get(name, ()))
        ax.plot(others, [row] * len(others), "o", color="#a0a0a0", markersize=9)
        if name in live:
            ax.plot(live[name], row, "D", color=core.COLOURS["train"], markersize=8)
        parts = [f"this run {approx(live[name])}"] if name in live else []
        parts += [f"stored runs from {approx(min(others))} to {approx(max(others))}"] if others else []
        told.append(f"{name}: {', '.join(parts)}")
    ax.plot([], [], "o", color="#a0a0a0", markersize=9, label="stored seeds")
    if live:
        ax.plot([], [], "D", color=core.COLOURS["train"], markersize=8, label="this run")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel=xlabel, ylim=(len(names) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    core.show(fig, f"{xlabel}. {'; '.join(told)}.")
