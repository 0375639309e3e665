"""Figures of lesson 13: objects with boxes, masks and points, and what each head scores when another is off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle

from cnnlib.claims import approx
from cnnlib.plotting import core

__all__ = ["instances", "score_table"]

TINT = 0.5  # how much of a masked pixel is the colour of its object
MARKERS = "^>v<"  # keypoints: top, right, bottom, left


def instances(
    images: np.ndarray, objects: Sequence[Mapping], *, alt: str, titles: Sequence[str] | None = None, size: float = 1.4
) -> None:
    """Pictures side by side, each object in a colour of its own.

    Args:
        images: (n, height, width, 3) uint8.
        objects: for each picture a mapping with "boxes" (k, 4); if there are, "masks" (k, height, width) bool,
            "points" (k, p, 2) in pixels, and "names", k texts written at the boxes.
        alt: what to see.
        titles: one for each picture.
        size: of one picture, in inches.

    Raises:
        ValueError: the numbers of pictures, objects and titles disagree.
    """
    images = np.asarray(images)
    if len(images) != len(objects) or (titles is not None and len(titles) != len(images)) or images.ndim != 4:
        raise ValueError(
            f"images {images.shape}, objects of {len(objects)} pictures, {len(titles or images)} titles: expected "
            "(n, height, width, 3) and one entry for each picture."
        )
    fig, axes = core.figure(size * len(images), size + (0.25 if titles else 0.05), columns=len(images))
    for i, (ax, image, found) in enumerate(zip(np.atleast_1d(axes), images, objects)):
        _draw_objects(ax, image, found)
        if titles:
            ax.set_title(titles[i], fontsize=9, fontweight="normal", loc="center", pad=3)
    fig.draw_without_rendering()  # from here on it is known where on the screen everything is
    for ax, found in zip(np.atleast_1d(axes), objects):
        _write_names(ax, found)
    core.show(fig, alt)


def _draw_objects(ax, image: np.ndarray, found: Mapping) -> None:
    picture = image.astype(float) / 255
    colours = _colours(found)
    for mask, colour in zip(found.get("masks", ()), colours):
        tint = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        picture[mask] = (1 - TINT) * picture[mask] + TINT * tint
    ax.imshow(picture)
    ax.set_axis_off()
    for k, ((x1, y1, x2, y2), colour) in enumerate(zip(found["boxes"], colours)):
        for edge, width in (("white", 2.4), (colour, 1.3)):
            box = Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=edge, linewidth=width)
            ax.add_patch(box)
        if "points" in found:
            for (x, y), marker in zip(found["points"][k], MARKERS):
                ax.plot(
                    x - 0.5, y - 0.5, marker, markersize=4.5, markerfacecolor=colour, markeredgecolor="white", mew=0.7
                )
    ax.set_xlim(-0.5, image.shape[1] - 0.5)
    ax.set_ylim(image.shape[0] - 0.5, -0.5)


def _colours(found: Mapping) -> list[str]:
    return [core.CYCLE[k % len(core.CYCLE)] for k in range(len(found["boxes"]))]


def _write_names(ax, found: Mapping) -> None:
    """Each name at a corner of its box, above all boxes, where it covers no other name and stays in the picture."""
    frame, written = ax.get_window_extent(), []
    for (x1, y1, x2, y2), name, colour in zip(found["boxes"], found.get("names", ()), _colours(found)):
        text = ax.text(
            *(0, 0),
            name,
            fontsize=6.5,
            color="white",
            zorder=5,
            bbox={"facecolor": colour, "edgecolor": "white", "linewidth": 0.5, "pad": 0.8},
        )
        spots = [(x, y, *sides) for y in (y1, y2) for x, *sides in ((x1, "left"), (x2, "right"))]
        places = [(x, y, side, up) for up in ("bottom", "top") for x, y, side in spots]
        trials = [_placed(text, place, frame) for place in places]
        overlaps = [sum(_shared_area(trial, other) for other in written) for trial, _ in trials]
        best = int(np.argmin(overlaps))  # the first of those that overlap least
        written.append(trials[best][0])
        text.set(horizontalalignment="left", verticalalignment="bottom")
        text.set_position(ax.transData.inverted().transform(trials[best][1]))


def _placed(text, place: tuple, frame) -> tuple:
    """The extent of a text at this place, moved into the frame, and where it stands then; both in screen pixels."""
    x, y, side, up = place
    text.set(position=(x, y), horizontalalignment=side, verticalalignment=up)
    extent = text.get_window_extent()
    dx = max(frame.x0 + 1 - extent.x0, 0) or min(frame.x1 - 1 - extent.x1, 0)
    dy = max(frame.y0 + 1 - extent.y0, 0) or min(frame.y1 - 1 - extent.y1, 0)
    moved = extent.translated(dx, dy)
    return moved, (moved.x0, moved.y0)


def _shared_area(one, other) -> float:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(wide, 0) * max(high, 0)


def score_table(
    stored: Sequence[Mapping[str, float]], runs: Sequence[str], scores: Sequence[str], live: Mapping[str, float]
) -> None:
    """A table: a row for each way to train, a column for each score, the mean of the stored runs in each cell.

    The first row is the reference: a cell is coloured by how far it is below or above the cell of that row. This run,
    which has the first row only, stands on top.

    Args:
        stored: runs; ``run["no box mask AP"]`` is the score "mask AP" of the row "no box".
        runs: names of the rows.
        scores: names of the columns.
        live: this run's scores.

    Raises:
        ValueError: there are no stored runs, or one of them lacks a value.
    """
    missing = sorted({f"{r} {s}" for run in stored for r in runs for s in scores if f"{r} {s}" not in run})
    if not stored or missing:
        raise ValueError(
            f"{len(stored)} stored runs" + (f", without {', '.join(missing[:3])}" if missing else "") + "; expected "
            "one or more, with a value for each row and column."
        )
    mean = np.array([[np.mean([run[f"{r} {s}"] for run in stored]) for s in scores] for r in runs])
    table = np.vstack([[live[s] for s in scores], mean])
    fig, ax = core.figure(7.0, 0.55 + 0.36 * len(table))
    core.draw_heatmap(ax, table - mean[0], form=None, cmap="RdBu", limits=(-0.6, 0.6))
    ax.set_aspect("auto")
    for (row, column), value in np.ndenumerate(table):
        far = abs(value - mean[0, column]) > 0.4
        ax.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", color="white" if far else "#222")
    ax.set_yticks(np.arange(len(table)) + 0.5, [f"this run: {runs[0]}", *runs])
    ax.set_xticks(np.arange(len(scores)) + 0.5, scores)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.axhline(1, color="white", linewidth=4)
    told = [f"{r}: {', '.join(f'{s} {approx(v, 2)}' for s, v in zip(scores, row))}" for r, row in zip(runs, mean)]
    core.show(fig, f"Mean of the stored runs. {'. '.join(told)}.")
