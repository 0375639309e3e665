"""Figures of lesson 10: maps over photographs, falling correlations, pictures in the plane, a repaired shortcut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from cnnlib.claims import approx
from cnnlib.plotting import core

__all__ = ["cascade", "embedding", "laid_over", "pointers", "recipes"]

CMAP = "viridis"  # lightness rises evenly with the value, and the colours are those that every eye tells apart
ALPHA = 0.72  # of a map, so that the picture shines through
_MARKS = "osD^v"


def laid_over(
    pictures: np.ndarray,
    maps: Mapping[str, np.ndarray],
    *,
    alt: str,
    names: Sequence[str] | None = None,
    boxes: Sequence[Sequence[float]] | None = None,
    points: bool = False,
    size: float = 1.1,
) -> None:
    """Pictures, and each kind of map laid over them.

    Under a map the picture is grey and of little contrast, so that bright means high and nothing else. Each map is
    stretched to its own range; of one as fine as the picture, a value that one pixel in a hundred reaches is the
    brightest, and squares of two pixels share their mean, or single pixels would be lost.

    Args:
        pictures: (n, height, width, 3), floats in [0, 1] or integers in 0..255.
        maps: title -> (n, h, w), of any size; drawn smoothly at the size of the pictures.
        alt: what to see.
        names: one for each picture.
        boxes: for each picture x1, y1, x2, y2 in its pixels, drawn on everything.
        points: mark the highest place of each map.
        size: of one picture, in inches.

    Raises:
        ValueError: the numbers of pictures, maps, names and boxes disagree, or a map holds NaN.
    """
    pictures = _pictures(pictures)
    for title, values in maps.items():
        _check_maps(title, values, len(pictures))
    for given, what in ((names, "names"), (boxes, "boxes")):
        if given is not None and len(given) != len(pictures):
            raise ValueError(f"{len(given)} {what} for {len(pictures)} pictures: give one each.")
    across = len(pictures) > len(maps)  # many pictures stand side by side, many maps of few pictures do too
    shape = (1 + len(maps), len(pictures)) if across else (len(pictures), 1 + len(maps))
    height, width = pictures.shape[1:3]
    tall = size * height / width
    fig, axes = core.figure(shape[1] * size + 0.85, shape[0] * (tall + 0.06) + 0.3, shape[1], shape[0], squeeze=False)
    cells = axes.T if across else axes
    for number, picture in enumerate(pictures):
        box = boxes[number] if boxes is not None else None
        _frame(cells[number, 0], picture, box)
        for ax, values in zip(cells[number, 1:], maps.values()):
            _frame(ax, _dimmed(picture), box)
            _lay(ax, np.asarray(values[number], float), (height, width), points)
    above, beside = ("picture", *maps), names or [""] * len(pictures)
    above, beside = (beside, above) if across else (above, beside)
    for ax, text in zip(axes[0], above):
        ax.set_title(text, fontsize=9, fontweight="normal", loc="center", pad=3)
    for ax, text in zip(axes[:, 0], beside):
        ax.set_ylabel(text, fontsize=9)
    _scale(fig, axes)
    core.show(fig, alt)


def _scale(fig, axes) -> None:
    """The colours of the maps, from lowest to highest, at the right."""
    values = ScalarMappable(Normalize(0, 1), colormaps[CMAP])
    bar = fig.colorbar(values, ax=axes, fraction=0.05, pad=0.01, shrink=0.7, aspect=16, ticks=[0, 1], alpha=ALPHA)
    bar.ax.set_yticklabels(["lowest", "highest"], fontsize=8)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)


def _pictures(pictures: np.ndarray) -> np.ndarray:
    pictures = np.asarray(pictures)
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
        raise ValueError(f"pictures have shape {pictures.shape}; expected (n, height, width, 3).")
    if pictures.dtype.kind in "iu":
        return pictures.astype("float32") / 255
    if pictures.min() < -1e-4 or pictures.max() > 1 + 1e-4:
        raise ValueError(
            f"pictures have floats from {pictures.min():.3g} to {pictures.max():.3g}; expected [0, 1]. Give the "
            "pictures themselves, not what was preprocessed for a network."
        )
    return pictures.astype("float32")


def _check_maps(title: str, values: np.ndarray, count: int) -> None:
    if np.ndim(values) != 3 or len(values) != count:
        raise ValueError(f"maps {title!r} have shape {np.shape(values)} for {count} pictures; expected (n, h, w).")
    if not np.isfinite(values).all():
        raise ValueError(f"maps {title!r} hold NaN or infinity, which no colour can show.")


def _dimmed(picture: np.ndarray) -> np.ndarray:
    """The picture as a grey ground of little contrast."""
    grey = picture @ np.array([0.299, 0.587, 0.114], "float32")
    return np.repeat((0.25 + 0.5 * grey)[..., None], 3, axis=-1)


def _frame(ax, picture: np.ndarray, box) -> None:
    ax.imshow(picture)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    if box is not None:
        x1, y1, x2, y2 = box
        ax.add_patch(Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor="white", linewidth=2.6))
        ax.add_patch(
            Rectangle(
                (x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=core.COLOURS["kernel"], linewidth=1.4
            )
        )


def _lay(ax, values: np.ndarray, size: tuple[int, int], point: bool) -> None:
    height, width = size
    shown, smooth = values, "bilinear"
    if values.shape == size:
        even = values[: height // 2 * 2, : width // 2 * 2]
        shown, smooth = even.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)), "antialiased"
    low, high = shown.min(), np.quantile(shown, 0.99) if values.shape == size else shown.max()
    shown = np.clip((shown - low) / (high - low), 0, 1) if high > low else np.zeros_like(shown)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(shown, cmap=CMAP, vmin=0, vmax=1, alpha=ALPHA, extent=extent, interpolation=smooth)
    if point:
        row, column = np.unravel_index(values.argmax(), values.shape)
        x, y = (column + 0.5) * width / values.shape[1] - 0.5, (row + 0.5) * height / values.shape[0] - 0.5
        ax.plot(x, y, "o", markersize=7, markerfacecolor="white", markeredgecolor=core.COLOURS["reference"])
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)


def cascade(stages: Sequence[str], correlations: Mapping[str, Sequence[float]]) -> None:
    """How far each kind of map still resembles its original while a network is shuffled from the top, stage by stage.

    Args:
        stages: names, in the order in which they are shuffled.
        correlations: title -> one rank correlation with the original for each stage.

    Raises:
        ValueError: a row does not have one value for each stage.
    """
    for title, values in correlations.items():
        if len(values) != len(stages):
            raise ValueError(f"{title!r} has {len(values)} values for {len(stages)} stages: give one for each.")
    fig, ax = core.figure(7.0, 3.3)
    places = np.arange(len(stages) + 1)
    for number, (title, values) in enumerate(correlations.items()):
        style = ("-", "--", "-.", ":")[number % 4] + _MARKS[number % len(_MARKS)]
        ax.plot(places, [1.0, *values], style, color=core.CYCLE[number % len(core.CYCLE)], label=title)
    ax.set_xticks(places, ["as learnt", *stages], rotation=30, ha="right")
    ax.axhline(0, color=core.COLOURS["muted"], linewidth=0.8)
    ax.set(xlabel="shuffled down to", ylabel="rank correlation\nwith the original map", ylim=(-0.25, 1.08))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3)
    ends = "; ".join(f"{title} {approx(values[-1], 2)}" for title, values in correlations.items())
    core.show(fig, f"Rank correlation with the original map, from 1 down. With everything shuffled: {ends}.")


def embedding(planes: Mapping[str, np.ndarray], labels: Sequence[int], names: Sequence[str], *, alt: str) -> None:
    """Points in the plane, one panel for each way of getting there; a class has one colour and one mark.

    Args:
        planes: title -> (n, 2).
        labels: class of each point, (n,).
        names: of the classes.
        alt: what to see.

    Raises:
        ValueError: a panel does not have one point for each label.
    """
    labels = np.asarray(labels)
    for title, plane in planes.items():
        if np.shape(plane) != (len(labels), 2):
            raise ValueError(f"{title!r} has shape {np.shape(plane)}; expected ({len(labels)}, 2).")
    fig, axes = core.figure(3.3 * len(planes) + 1.1, 3.3, len(planes), squeeze=False)
    for ax, (title, plane) in zip(axes[0], planes.items()):
        for label, name in enumerate(names):
            chosen = np.asarray(plane)[labels == label]
            colour, mark = core.CYCLE[label % len(core.CYCLE)], _MARKS[label % len(_MARKS)]
            ax.scatter(*chosen.T, s=13, color=colour, marker=mark, alpha=0.8, linewidths=0, label=name)
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
        ax.set_title(title)
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.2, fontsize=8.5, markerscale=1.6)
    core.show(fig, alt)


def pointers(hits: Mapping[str, float], chance: float) -> None:
    """Share of hits in the pointing game, a bar for each kind of map, beside what guessing hits.

    Raises:
        ValueError: there is nothing to show, or a share lies outside 0 to 1.
    """
    if not hits or not all(0 <= share <= 1 for share in (*hits.values(), chance)):
        raise ValueError(f"shares of hits lie between 0 and 1; got {dict(hits)} and a chance of {chance}.")
    fig, ax = core.figure(6.4, 0.75 + 0.36 * len(hits))
    drawn = ax.barh(range(len(hits)), list(hits.values()), color=core.COLOURS["input"], height=0.68)
    ax.bar_label(drawn, [approx(share, 2) for share in hits.values()], padding=4, fontsize=9.5)
    ax.set_yticks(range(len(hits)), list(hits), fontsize=10)
    ax.invert_yaxis()
    ax.axvline(chance, color=core.COLOURS["kernel"], linestyle="--", label=f"a guess: {chance:g}")
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="share of questions answered with the right tile", xlim=(0, 1.12))
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1)
    told = ", ".join(f"{name} {approx(share, 2)}" for name, share in hits.items())
    core.show(fig, f"Share of hits in the pointing game: {told}; a guess {chance:g}.")


def recipes(
    stored: Sequence[Mapping[str, float]],
    live: Mapping[str, float],
    *,
    rows: Sequence[str],
    measures: Mapping[str, str],
    xlabel: str,
    chance: float | None = None,
    limits: tuple[float, float] | None = (-0.02, 1.02),
) -> None:
    """Several measures of several ways of training: mean and range over stored runs, and this run's diamonds.

    Args:
        stored: runs; each maps ``"<row> <measure>"`` to a number.
        live: the same for this run; it may lack some.
        rows: the ways of training, from top to bottom.
        measures: name as in the runs -> what the legend says.
        xlabel: what is measured.
        chance: drawn as a dotted line.
        limits: of the axis; None to fit the numbers.

    Raises:
        ValueError: there is no stored run.
    """
    if not stored:
        raise ValueError("recipes needs at least one stored run.")
    fig, ax = core.figure(7.0, 1.2 + 0.2 * len(rows) * len(measures))
    step, texts = 0.8 / len(measures), []
    for number, (measure, text) in enumerate(measures.items()):
        colour, mark = core.CYCLE[number % len(core.CYCLE)], _MARKS[number % len(_MARKS)]
        for row, name in enumerate(rows):
            values = np.array([run[f"{name} {measure}"] for run in stored])
            y = row + (number - (len(measures) - 1) / 2) * step
            ax.plot([values.min(), values.max()], [y, y], color=colour, linewidth=2)
            ax.plot(values.mean(), y, mark, color=colour, markersize=6, label=text if row == 0 else None)
            here = live.get(f"{name} {measure}", math.nan)
            ax.plot(here, y, "D", markersize=9, markerfacecolor="none", markeredgecolor=core.COLOURS["muted"])
            texts.append(f"{name}, {text} {approx(values.mean(), 2)}")
    ax.plot([], [], "D", markersize=9, markerfacecolor="none", color=core.COLOURS["muted"], label="this run")
    if chance is not None:
        ax.axvline(chance, color=core.COLOURS["reference"], linestyle=":", linewidth=1.2)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=10)
    ax.set(xlabel=xlabel, xlim=limits, ylim=(len(rows) - 0.5, -0.5))  # half a row of room for the first markers
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    core.show(fig, f"Mean over {len(stored)} stored runs: {'; '.join(texts)}. Diamonds: this run.")
