"""Figures of lesson 12: label maps over pictures, mistakes pixel by pixel, taps of a convolution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cnnlib.plotting import core

__all__ = ["label_maps", "losses_on_curve", "mistakes", "taps"]

IGNORE = 255
ALPHA = 0.55  # of a label, so that the picture shines through
_OBJECTS = core.CYCLE[:-1]  # no grey on grey pictures
_SIGNS = tuple(zip("osD^v", core.CYCLE))
_KINDS = {"found": "output", "missed": "kernel", "invented": "train"}


def label_maps(
    pictures: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    *,
    alt: str,
    titles: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    columns: int | None = None,
    size: float = 1.75,
) -> None:
    """Pictures with a colour for each label: 0 has none, 255 (no label) is white.

    Args:
        pictures: (h, w), (h, w, 1) or (h, w, 3), floats (what is above 1 is drawn as 1) or integers in 0..255.
        maps: whole numbers (h, w), classes or numbers of objects; a colour comes back every five of these.
        alt: what to see.
        titles: one for each picture.
        names: of the classes; those that occur stand below with their colours.
        columns: pictures in a row; all in one if not given.
        size: width of one, in inches.

    Raises:
        ValueError: the numbers or shapes of pictures and maps disagree.
    """
    pictures, maps = [_rgb(picture) for picture in pictures], [np.asarray(labels) for labels in maps]
    titles = [""] * len(pictures) if titles is None else list(titles)
    if not pictures or not len(pictures) == len(maps) == len(titles):
        raise ValueError(f"{len(pictures)} pictures, {len(maps)} maps, {len(titles)} titles: one of each, at least 1.")
    for picture, labels in zip(pictures, maps):
        if picture.shape[:2] != labels.shape:
            raise ValueError(f"a picture of {picture.shape[:2]} and a map of {labels.shape}: expected the same size.")
    there = [] if names is None else sorted(set(np.unique(np.concatenate([m.ravel() for m in maps]))) - {0, IGNORE})
    colours = {label: _OBJECTS[place % len(_OBJECTS)] for place, label in enumerate(there)}
    fig, axes = _grid(pictures, columns, size, extra=0.3 if there else 0)
    for ax, picture, labels, title in zip(axes, pictures, maps, titles):
        ax.imshow(_coloured(picture, labels, colours))
        ax.set_title(title, fontsize=9, fontweight="normal", loc="center", pad=3)
    if there:
        patches = [Patch(color=colours[label], alpha=ALPHA + 0.2, label=names[label]) for label in there]
        fig.legend(handles=patches, loc="outside lower center", ncols=min(6, len(patches)), fontsize=9)
    core.show(fig, alt)


def mistakes(picture: np.ndarray, true: np.ndarray, predicted: Mapping[str, np.ndarray], *, alt: str) -> None:
    """One picture, and for each predicted mask which pixels were found, missed and invented.

    Args:
        picture: (h, w) or (h, w, 1), floats.
        true: the mask (h, w), 0 and 1.
        predicted: title -> mask (h, w).
        alt: what to see.

    Raises:
        ValueError: a mask has another size than the picture.
    """
    ground, true = _rgb(picture), np.asarray(true) > 0
    for title, mask in {"true": true, **predicted}.items():
        if np.shape(mask) != ground.shape[:2]:
            raise ValueError(f"mask {title!r} has shape {np.shape(mask)}; the picture {ground.shape[:2]}.")
    fig, axes = _grid([ground] * (1 + len(predicted)), None, 1.3, extra=0.3)
    axes[0].imshow(ground)
    axes[0].set_title("picture", fontsize=9, fontweight="normal", loc="center", pad=3)
    for ax, (title, mask) in zip(axes[1:], predicted.items()):
        mask = np.asarray(mask) > 0
        parts = {"found": true & mask, "missed": true & ~mask, "invented": mask & ~true}
        drawn = 0.75 + 0.25 * ground
        for kind, part in parts.items():
            drawn[part] = to_rgb(core.COLOURS[_KINDS[kind]])
        drawn[parts["found"]] = 0.6 + 0.4 * np.asarray(to_rgb(core.COLOURS["output"]))  # pale: mistakes are what counts
        ax.imshow(drawn)
        ax.set_title(title, fontsize=9, fontweight="normal", loc="center", pad=3)
    patches = [
        Patch(color=core.COLOURS[role], alpha=0.5 if kind == "found" else 1, label=kind)
        for kind, role in _KINDS.items()
    ]
    fig.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=9)
    core.show(fig, alt)


def losses_on_curve(
    curves: Sequence[tuple[Sequence[float], Sequence[float]]],
    points: Mapping[str, Sequence[tuple[float, float]]],
    *,
    curve: str,
    alt: str,
) -> None:
    """Precision over recall of one way of training, a curve for each seed, and where other ways land: a sign each.

    Args:
        curves: (recall, precision) of each seed.
        points: way of training -> (recall, precision) of each seed, at its own threshold.
        curve: what the curves are of, for the legend.
        alt: what to see.

    Raises:
        ValueError: there is no curve, or there are more ways than signs.
    """
    if not curves or len(points) > len(_SIGNS):
        raise ValueError(f"{len(curves)} curves and {len(points)} ways: expected 1 or more, and up to {len(_SIGNS)}.")
    fig, ax = core.figure(7.0, 3.0)
    for number, (recall, precision) in enumerate(curves):
        text = f"{curve}, at all thresholds" if not number else None
        ax.plot(recall, precision, color=core.COLOURS["muted"], linewidth=1.2, label=text)
    for (name, pairs), (sign, colour) in zip(points.items(), _SIGNS):
        ax.plot(*np.transpose(pairs), sign, color=colour, markersize=7, alpha=0.85, label=name, clip_on=False, zorder=3)
    ax.set(xlim=(0, 1.0), ylim=(0, None), xlabel="recall", ylabel="precision")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
    core.show(fig, alt)


def taps(kernel: int, stride: int, size: int = 8) -> Figure:
    """How many taps of a transposed convolution each pixel of its output gets, along one side and in the plane.

    Args:
        kernel: side of the window.
        stride: steps in which the windows are laid.
        size: pixels along a side of its input.

    Returns:
        The figure, for `plotting.explore`.

    Raises:
        ValueError: a number is below 1.
    """
    if min(kernel, stride, size) < 1:
        raise ValueError(f"taps: kernel={kernel}, stride={stride}, size={size}; expected 1 or more of each.")
    full = np.zeros((size - 1) * stride + max(kernel, stride), int)
    fig, (ax, plane) = core.figure(7.0, 2.9, 2, width_ratios=(1.7, 1))
    for number in range(size):
        start, row = number * stride, number % (math.ceil(kernel / stride) + 1)
        ax.barh(
            row, kernel, left=start - 0.5, height=0.7, color=core.COLOURS["kernel"], alpha=0.35 + 0.3 * (number % 2)
        )
        full[start : start + kernel] += 1
    ax.step(np.arange(len(full)), -1.5 - full.max() + full, where="mid", color=core.COLOURS["output"])
    ax.set(xlim=(-0.7, min(len(full), 24) - 0.3), xlabel="pixel of the output", yticks=[])
    ax.grid(axis="y", visible=False)
    ax.set_title("windows, and their number on each pixel")
    inner = full[:24]
    core.draw_heatmap(plane, np.outer(inner, inner)[:12, :12], cmap="Blues", limits=(0, max(full.max() ** 2, 1)))
    plane.set_title("in the plane")
    return fig


def _grid(pictures: list[np.ndarray], columns: int | None, size: float, extra: float):
    """A figure with one frame for each picture, without axes; the frames as a flat list.

    In a single row all have the same height, and ``size`` is the mean width.
    """
    columns = columns or len(pictures)
    rows = math.ceil(len(pictures) / columns)
    shapes = np.array([picture.shape[1] / picture.shape[0] for picture in pictures])
    ratios = shapes if rows == 1 else np.ones(columns)
    tall = columns / shapes.sum() if rows == 1 else (1 / shapes).max()
    height = rows * (size * tall + 0.25) + extra
    fig, axes = core.figure(columns * size, height, columns, rows, squeeze=False, width_ratios=ratios)
    for ax in axes.ravel():
        ax.set_axis_off()
        ax.set_anchor("N")
    return fig, list(axes.ravel())


def _rgb(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3), floats in [0, 1]."""
    picture = np.asarray(picture)
    if picture.dtype.kind in "iu":
        picture = picture / 255
    picture = picture[..., None] if picture.ndim == 2 else picture
    if picture.ndim != 3 or picture.shape[-1] not in (1, 3):
        raise ValueError(f"a picture of shape {picture.shape}; expected (h, w), (h, w, 1) or (h, w, 3).")
    return np.clip(np.broadcast_to(picture, (*picture.shape[:2], 3)), 0, 1).astype("float64")


def _coloured(picture: np.ndarray, labels: np.ndarray, colours: Mapping[int, str]) -> np.ndarray:
    """The picture with each label's colour laid over it."""
    drawn = picture.copy()
    for label in np.unique(labels):
        if label == 0:
            continue
        colour = (
            (1, 1, 1) if label == IGNORE and colours else to_rgb(colours.get(label) or _OBJECTS[label % len(_OBJECTS)])
        )
        part = labels == label
        drawn[part] = (1 - ALPHA) * picture[part] + ALPHA * np.asarray(colour)
    return drawn
