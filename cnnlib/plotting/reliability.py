"""Figures of lesson 15: calibration, operating points, corruptions and attacks, drift over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from cnnlib.plotting import core

__all__ = ["corruption_curves", "drift_over_time", "operating_curves", "reliability_diagrams"]


def reliability_diagrams(diagrams: Mapping[str, object], *, alt: str, floor: Mapping[str, float] | None = None) -> None:
    """Accuracy over confidence, one panel for each; below it how many predictions each bin holds.

    The diagonal is perfect calibration. The bars of gaps show what is promised too much or too little.

    Args:
        diagrams: title -> a diagram with ``confidence``, ``accuracy``, ``count``, ``edges`` and ``error``, as
            `cnnlib.reliability.reliability_diagram` makes it.
        alt: what to see.
        floor: title -> the calibration error that chance alone gives, written beside the measured one.

    Raises:
        ValueError: there is no diagram, or a floor of another title.
    """
    if not diagrams or set(floor or {}) - set(diagrams):
        raise ValueError(
            f"diagrams of {list(diagrams)}, floors of {list(floor or {})}: expected one or more, the same."
        )
    fig, axes = core.figure(
        min(7.2, 3.4 * len(diagrams)), 3.7, len(diagrams), 2, squeeze=False, height_ratios=(3, 1), sharex="col"
    )
    for (above, below), (title, diagram) in zip(axes.T, diagrams.items()):
        left, right = np.asarray(diagram.edges).T
        confidence, accuracy = np.asarray(diagram.confidence), np.asarray(diagram.accuracy)
        above.plot([0, 1], [0, 1], "--", color=core.COLOURS["reference"], linewidth=1, label="calibrated")
        above.vlines(
            confidence, confidence, accuracy, color=core.COLOURS["kernel"], linewidth=3, alpha=0.6, label="gap"
        )
        above.plot(confidence, accuracy, "o-", color=core.COLOURS["input"], linewidth=1.2, label="measured")
        text = f"ECE {diagram.error:.3f}"
        if floor and title in floor:
            text += f"\nby chance {floor[title]:.3f}"
        above.text(0.97, 0.04, text, transform=above.transAxes, ha="right", va="bottom", fontsize=9)
        above.set(title=title, xlim=(0, 1), ylim=(0, 1))
        below.bar(left, diagram.count, width=right - left, align="edge", color=core.COLOURS["muted"], edgecolor="white")
        below.set(xlabel="confidence", yscale="log")
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("images")
    axes[0, 0].legend(loc="upper left")
    core.show(fig, alt)


def operating_curves(
    roc: object, precision_recall: object, *, alt: str, points: Mapping[str, object] | None = None
) -> None:
    """The ROC curve beside the precision-recall curve, with the thresholds that were chosen on both.

    Args:
        roc, precision_recall: curves with ``recall``, ``false_alarm_rate``, ``precision`` and ``area``, as
            `cnnlib.reliability.roc_curve` and `precision_recall_curve` make them.
        alt: what to see.
        points: name -> an operating point with ``outcomes`` (``recall``, ``specificity``, ``precision``).
    """
    fig, (left, right) = core.figure(7.0, 3.3, 2)
    left.plot([0, 1], [0, 1], "--", color=core.COLOURS["muted"], linewidth=1)
    left.step(roc.false_alarm_rate, roc.recall, where="post", color=core.COLOURS["input"])
    left.set(xlabel="false alarms, of the negatives", ylabel="recall", title=f"ROC, area {roc.area:.3f}")
    chance = precision_recall.precision[-1]
    right.axhline(chance, linestyle="--", color=core.COLOURS["muted"], linewidth=1)
    # Of every recall the precision at its own threshold: steps, not the straight line between two points.
    right.step(precision_recall.recall, precision_recall.precision, where="pre", color=core.COLOURS["input"])
    right.set(xlabel="recall", ylabel="precision", title=f"precision and recall, area {precision_recall.area:.3f}")
    for number, (name, point) in enumerate((points or {}).items()):
        done = point.outcomes
        style = {"color": core.CYCLE[1 + number % 4], "marker": "osD^"[number % 4], "linestyle": "none", "label": name}
        left.plot([1 - done.specificity], [done.recall], **style)
        right.plot([done.recall], [done.precision], **style)
    for ax in (left, right):
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    if points:
        left.legend(loc="lower right")
    core.show(fig, alt)


def corruption_curves(
    accuracy: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    alt: str,
    clean: Mapping[str, float] | None = None,
    columns: int = 4,
    ylabel: str = "accuracy",
    chance: float | None = None,
) -> None:
    """A small panel for each corruption: what is left at severities 1 to 5, one line for each network.

    Args:
        accuracy: corruption -> network -> its values, one for each severity; or one list of them for each seed, drawn
            as their mean in a band of their range.
        alt: what to see.
        clean: network -> its value without corruption, drawn at severity 0.
        columns: panels in a row.
        ylabel: what the values are.
        chance: the value of a constant answer, as a dotted line.

    Raises:
        ValueError: there is nothing to draw, or the panels have different networks.
    """
    if not accuracy or len({tuple(lines) for lines in accuracy.values()}) > 1:
        raise ValueError(f"panels of {[list(lines) for lines in accuracy.values()]}: expected the same lines in each.")
    rows = -(-len(accuracy) // columns)
    columns = min(columns, len(accuracy))
    fig, axes = core.figure(
        1.8 * columns + 0.2, 1.75 * rows + 0.6, columns, rows, squeeze=False, sharex=True, sharey=True
    )
    for ax in axes.ravel()[len(accuracy) :]:
        ax.set_visible(False)
    for ax, (kind, lines) in zip(axes.ravel(), accuracy.items()):
        for number, (name, values) in enumerate(lines.items()):
            values = np.atleast_2d(np.asarray(values, float))
            places = np.arange(1, values.shape[1] + 1)
            if clean:
                start = np.atleast_1d(np.asarray(clean[name], float))
                values = np.column_stack([np.broadcast_to(start, len(values)), values])
                places = np.append(0, places)
            colour, dashes = core.CYCLE[number % len(core.CYCLE)], core._DASHES[number % 4]
            ax.plot(places, values.mean(axis=0), dashes, color=colour, label=name, marker="o", markersize=3.5)
            if len(values) > 1:
                ax.fill_between(places, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        if chance is not None:
            ax.axhline(chance, linestyle=":", color=core.COLOURS["muted"], linewidth=1)
        ax.set_title(kind, fontsize=9.5)
        ax.set_xticks(places)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    for column in range(columns):
        lowest = [ax for ax in axes[:, column] if ax.get_visible()][-1]
        lowest.set_xlabel("severity")
    handles, names = axes[0, 0].get_legend_handles_labels()
    if len(names) > 1:
        fig.legend(handles, names, loc="outside lower center", ncols=min(4, len(names)))
    core.show(fig, alt)


def drift_over_time(
    verdicts: Sequence[object], *, alt: str, columns: Sequence[str] | None = None, changed: int | None = None
) -> None:
    """Distances of windows from the reference over time, each as a share of its limit; alarms are marked.

    Args:
        verdicts: of window after window, with ``distances``, ``limit`` and ``alarm``, as
            `cnnlib.reliability.Monitor.check_all` gives them.
        alt: what to see.
        columns: which of the distances; all if not given.
        changed: the window, counted from 0, in which something was changed on purpose, as a vertical line.

    Raises:
        ValueError: there are no windows, or a column that they do not have.
    """
    known = list(verdicts[0].distances) if len(verdicts) else []
    columns = known if columns is None else list(columns)
    if not columns or set(columns) - set(known):
        raise ValueError(f"columns {columns} of {len(verdicts)} windows that have {known}.")
    fig, ax = core.figure(7.0, 3.2)
    places = np.arange(1, len(verdicts) + 1)
    for number, name in enumerate(columns):
        share = [verdict.distances[name] / verdict.limit[name] for verdict in verdicts]
        colour, dashes = core.CYCLE[number % len(core.CYCLE)], core._DASHES[number % 4]
        ax.plot(places, share, dashes, color=colour, label=name, linewidth=1.5)
    ax.axhline(1, color=core.COLOURS["reference"], linewidth=1)
    alarms = [place for place, verdict in zip(places, verdicts) if verdict.alarm]
    top = max(max(v.distances[n] / v.limit[n] for n in known) for v in verdicts)
    ax.plot(alarms, [1.08 * max(top, 1)] * len(alarms), "v", color=core.COLOURS["validation"], label="alarm")
    if changed is not None:
        ax.axvline(changed + 0.5, linestyle=":", color=core.COLOURS["reference"])
        ax.text(changed + 0.55, 0.02, "changed here", transform=ax.get_xaxis_transform(), fontsize=9, va="bottom")
    ax.set(xlabel="window", ylabel="distance, of its limit", ylim=(0, 1.15 * max(top, 1)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    fig.legend(loc="outside lower center", ncols=min(5, len(columns) + 1))
    core.show(fig, alt)
