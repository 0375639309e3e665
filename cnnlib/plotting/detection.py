"""Figures of lesson 11: boxes on pictures, anchors, what NMS keeps, precision over recall, recall by size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnlib.claims import approx
from cnnlib.detection import suppression
from cnnlib.plotting import core

__all__ = ["anchors", "boxes_on", "by_size", "precision_recall", "suppression_explorer"]

FOUND, TRUE = core.COLOURS["kernel"], core.COLOURS["output"]


def boxes_on(
    pictures: Sequence[np.ndarray],
    found: Sequence[Sequence],
    *,
    alt: str,
    texts: Sequence[Sequence[str]] | None = None,
    truth: Sequence[Sequence] | None = None,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    size: float = 1.75,
) -> None:
    """Pictures with the boxes that were found in them, and perhaps the true ones, dashed.

    Args:
        pictures: (height, width, 3) each, integers in 0..255 or floats in [0, 1]; they may differ in size.
        found: for each picture boxes (k, 4), x1, y1, x2, y2 in its pixels; k may be 0.
        alt: what to see.
        texts: for each picture a short text for each of its boxes.
        truth: for each picture true boxes (g, 4).
        titles: one above each picture.
        columns: pictures side by side.
        size: of one picture, in inches.

    Raises:
        ValueError: the lists differ in length.
    """
    for name, given in (("found", found), ("texts", texts), ("truth", truth), ("titles", titles)):
        if given is not None and len(given) != len(pictures):
            raise ValueError(f"{len(given)} entries in {name} for {len(pictures)} pictures: give one each.")
    columns = min(len(pictures), columns or max(1, int(7.0 / size)))
    rows = math.ceil(len(pictures) / columns)
    tall = size * max(np.shape(picture)[0] / np.shape(picture)[1] for picture in pictures)
    fig, axes = core.figure(
        columns * size, rows * (tall + (0.22 if titles else 0.04)) + 0.04, columns, rows, squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for number, (ax, picture) in enumerate(zip(axes.flat, pictures)):
        _picture(ax, picture)
        if truth is not None:
            _outline(ax, truth[number], TRUE, "--")
        _outline(ax, found[number], FOUND, "-", texts[number] if texts is not None else None)
        if titles is not None:
            ax.set_title(titles[number], fontsize=9, fontweight="normal", loc="center", pad=3)
    core.show(fig, alt)


def _picture(ax: Axes, picture: np.ndarray) -> None:
    picture = np.asarray(picture)
    ax.imshow(picture, extent=(0, picture.shape[1], picture.shape[0], 0))
    ax.set_axis_off()
    ax.set_anchor("N")


def _outline(ax: Axes, boxes: Sequence, colour: str, style: str, texts: Sequence[str] | None = None) -> None:
    """Boxes on a white ground line, so that they are seen on anything, each with its text inside its upper left."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    inches = ax.get_window_extent().height / ax.figure.dpi
    line_height = 11 / 72 / inches * (bottom - top)  # of a text, in pixels of the picture
    taken: list[tuple[float, float]] = []
    for number in np.argsort(-(boxes[:, 2:] - boxes[:, :2]).prod(axis=1), kind="stable"):  # small ones lie on top
        x1, y1, x2, y2 = boxes[number]
        for line, width, kind in (("white", 2.6, "-"), (colour, 1.5, style)):
            ax.add_patch(
                Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=line, linewidth=width, linestyle=kind)
            )
        if texts is not None:
            # Near the right border a text would be cut off, and at the upper one it would hide those of other boxes.
            turned, below = x1 > left + 0.6 * (right - left), y1 < top + 0.04 * (bottom - top)
            x, y = x2 if turned else x1, y2 if below else y1
            while any(abs(x - a) < 0.3 * (right - left) and abs(y - b) < 0.9 * line_height for a, b in taken):
                y += -line_height if below else line_height  # two texts at one place: one stands under the other
            taken.append((x, y))
            ax.text(
                x,
                y,
                texts[number],
                fontsize=7,
                color="white",
                ha="right" if turned else "left",
                va="bottom" if below else "top",
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.0},
                clip_on=True,
            )


def anchors(
    picture: np.ndarray, grid: np.ndarray, boxes: np.ndarray, match: np.ndarray, *, columns: Sequence[int], alt: str
) -> None:
    """A picture with its objects, every place of the grids, and the anchors that answer for an object.

    Args:
        picture: (height, width, 3).
        grid: (a, 4), all anchors.
        boxes: (g, 4), the objects.
        match: (a,), index of an object, -1 background, -2 ignored.
        columns: numbers of anchors in each level, to draw the places of each level in a panel of its own.
        alt: what to see.
    """
    ends = np.cumsum(columns)
    if ends[-1] != len(grid) or len(match) != len(grid):
        raise ValueError(f"levels of {list(columns)} anchors and {len(match)} matches for {len(grid)} anchors.")
    fig, axes = core.figure(2.6 * len(columns), 3.0, len(columns), 1, squeeze=False)
    for level, (ax, start, end) in enumerate(zip(axes[0], [0, *ends[:-1]], ends)):
        _picture(ax, picture)
        middle = (grid[start:end, :2] + grid[start:end, 2:]) / 2
        ax.plot(*np.unique(middle, axis=0).T, ".", color="white", markersize=3.5, markeredgewidth=0)
        ax.plot(*np.unique(middle, axis=0).T, ".", color=core.COLOURS["reference"], markersize=2, markeredgewidth=0)
        for x1, y1, x2, y2 in grid[start:end][match[start:end] >= 0]:
            ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=FOUND, linewidth=1.0))
        _outline(ax, boxes, TRUE, "--")
        ax.set(xlim=(0, np.shape(picture)[1]), ylim=(np.shape(picture)[0], 0))
        count = int((match[start:end] >= 0).sum())
        ax.set_title(
            f"level {level + 1}: {end - start} anchors,\n{count} with an object",
            fontsize=8.5,
            fontweight="normal",
            loc="center",
        )
    core.show(fig, alt)


def suppression_explorer(
    picture: np.ndarray, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> tuple[Callable[..., Figure], Callable[..., str]]:
    """What `cnnlib.plotting.explore` needs to try thresholds: ``(draw, alt)``, functions of the same three values.

    ``draw(least_score, most_overlap, by_class)`` gives a figure: all boxes above the score, and what NMS leaves of
    them.

    Args:
        picture: (height, width, 3).
        boxes, scores, labels: (n, 4), (n,), (n,), all that a detector gave, before NMS.
        names: of the labels.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)

    def chosen(least_score: float, most_overlap: float, by_class: bool) -> tuple[np.ndarray, np.ndarray]:
        above = np.flatnonzero(scores >= least_score)
        group = labels[above] if by_class else np.zeros(len(above), int)
        return above, above[suppression.batched_nms(boxes[above], scores[above], group, most_overlap)]

    def draw(least_score: float, most_overlap: float, by_class: bool) -> Figure:
        above, kept = chosen(least_score, most_overlap, by_class)
        fig, panels = core.figure(6.4, 3.5, 2)
        for ax, rows, title in zip(panels, (above, kept), ("above the score", "after NMS")):
            _picture(ax, picture)
            few = rows is kept and len(kept) <= 12
            texts = [f"{names[labels[i]]} {scores[i]:.2f}" for i in rows] if few else None
            _outline(ax, boxes[rows], FOUND, "-", texts)
            ax.set_title(f"{title}: {len(rows)}", loc="center")
        return fig

    def alt(least_score: float, most_overlap: float, by_class: bool) -> str:
        above, kept = chosen(least_score, most_overlap, by_class)
        told = f"score at least {least_score:g}, overlap at most {most_overlap:g}" + (", by class" if by_class else "")
        return f"{told}: boxes before NMS {approx(len(above))}, after it {approx(len(kept))}."

    return draw, alt


def precision_recall(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], averages: Mapping[str, float], *, alt: str
) -> None:
    """For each class precision over recall, as measured (thin) and with its dips filled, and its AP.

    Args:
        curves: name -> (precision, recall), best score first.
        averages: name -> average precision.
        alt: what to see.
    """
    fig, panels = core.figure(2.35 * len(curves) + 0.4, 2.5, len(curves), sharey=True, squeeze=False)
    for ax, (name, (precision, recall)) in zip(panels[0], curves.items()):
        best = np.maximum.accumulate(np.asarray(precision)[::-1])[::-1]
        end = recall[-1] if len(recall) else 0
        ax.fill_between([0, *recall, end], [best[0] if len(best) else 0, *best, 0], step="pre", alpha=0.22, color=TRUE)
        ax.step([0, *recall], [best[0] if len(best) else 0, *best], where="pre", color=TRUE, label="dips filled")
        ax.plot(recall, precision, color=core.COLOURS["muted"], linewidth=1.0, label="measured")
        ax.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall", title=f"{name}: AP {approx(averages[name], 2)}")
    panels[0][0].set_ylabel("precision")
    panels[0][0].legend(loc="lower left", fontsize=8)
    core.show(fig, alt)


def by_size(stored: Sequence[Mapping[str, Sequence[float]]], edges: Sequence[float], *, ylabel: str = "recall") -> None:
    """Recall over the size of the objects, one line for each way: mean of the stored runs and their range.

    Args:
        stored: runs; each maps the name of a way to its recall in each interval of sizes, and may have its "seed".
        edges: of the intervals, one more than there are values, in pixels.
        ylabel: of the vertical axis.

    Raises:
        ValueError: no run, or another number of values than intervals.
    """
    stored = [{name: values for name, values in run.items() if name != "seed"} for run in stored]
    if not stored or any(len(values) != len(edges) - 1 for run in stored for values in run.values()):
        raise ValueError(f"{len(stored)} runs: each needs {len(edges) - 1} values for every way, one an interval.")
    middle = (np.asarray(edges[:-1], float) + np.asarray(edges[1:], float)) / 2
    fig, ax = core.figure(6.2, 3.0)
    told = []
    for number, name in enumerate(stored[0]):
        values = np.array([run[name] for run in stored])
        colour = core.CYCLE[number % len(core.CYCLE)]
        ax.fill_between(middle, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        ax.plot(middle, values.mean(axis=0), color=colour, marker="os^D"[number % 4], label=name)
        told.append(f"{name} {', '.join(approx(value, 2) for value in values.mean(axis=0))}")
    ax.set(xlabel="longer side of the object, in pixels", ylabel=ylabel, ylim=(0, 1.02))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    core.show(fig, f"{ylabel} from small to large objects, mean of {len(stored)} stored runs: {'; '.join(told)}.")
