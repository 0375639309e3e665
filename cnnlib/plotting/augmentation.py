"""Figures of lesson 08: fingerprints, suspect labels, rare classes, faulty inputs, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.claims import approx
from cnnlib.plotting import core

__all__ = ["fingerprints", "input_faults", "learning_curves", "recall_table", "suspects"]


def fingerprints(pictures: Mapping[str, np.ndarray], hashes: np.ndarray) -> None:
    """Pictures and, below each, its difference hash as black and white cells; bits unlike the first one's are marked.

    Args:
        pictures: title -> uint8 (height, width, 3), of any sizes.
        hashes: one for each picture, bool, (n, rows * rows), as `cnnlib.splits.perceptual_hash` gives them.

    Raises:
        ValueError: there is not one fingerprint for each picture, or its bits make no square.
    """
    hashes = np.asarray(hashes)
    side = round(hashes.shape[-1] ** 0.5) if hashes.ndim == 2 else 0
    if hashes.ndim != 2 or len(hashes) != len(pictures) or side * side != hashes.shape[1]:
        raise ValueError(
            f"hashes of shape {hashes.shape} for {len(pictures)} pictures: expected one row of a square number of "
            "bits for each picture."
        )
    count = len(pictures)
    fig, axes = core.figure(min(8.2, 1.35 * count), 2.75, columns=count, rows=2, height_ratios=(0.8, 1), squeeze=False)
    differing = [int(np.sum(code != hashes[0])) for code in hashes]
    for column, (title, picture) in enumerate(pictures.items()):
        above, below = axes[:, column]
        above.imshow(picture)
        above.set_title(title, fontsize=9, fontweight="normal", loc="center")
        bits = hashes[column].reshape(side, side)
        below.imshow(~bits, cmap="gray", vmin=-0.6, vmax=1)
        other = np.argwhere(bits != hashes[0].reshape(side, side))
        below.scatter(other[:, 1], other[:, 0], marker="s", s=14, color=core.COLOURS["kernel"])
        below.set_title(
            "fingerprint" if column == 0 else f"{differing[column]} bits differ",
            fontsize=9,
            fontweight="normal",
            loc="center",
        )
        for ax in (above, below):
            ax.set_axis_off()
    rest = "; ".join(f"{title} {bits}" for title, bits in list(zip(pictures, differing))[1:])
    core.show(
        fig,
        f"Pictures and their fingerprints, squares of {side} by {side} cells. Bits that differ from the first: {rest}.",
    )


def learning_curves(
    stored: Sequence[Mapping[str, float]],
    live: Mapping[str, float],
    *,
    sizes: Sequence[int],
    recipes: Sequence[str],
) -> None:
    """Test accuracy against the size of the training set: mean and range over stored runs, and this run's points.

    Args:
        stored: runs; each maps ``"<recipe> <size> test"`` to an accuracy.
        live: the same for this run; it may lack sizes, or a way of training.
        sizes: of the training set, small to large.
        recipes: the names of the ways of training, one line each.

    Raises:
        ValueError: there is no stored run.
    """
    if not stored:
        raise ValueError("learning_curves needs at least one stored run.")
    fig, ax = core.figure(6.4, 3.4)
    texts = []
    for number, recipe in enumerate(recipes):
        values = np.array([[run.get(f"{recipe} {size} test", np.nan) for size in sizes] for run in stored])
        colour = core.CYCLE[number % len(core.CYCLE)]
        mean = values.mean(axis=0)
        ax.plot(sizes, mean, "-o" if number else "--o", color=colour, label=recipe)
        ax.fill_between(sizes, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        here = [(size, live[f"{recipe} {size} test"]) for size in sizes if f"{recipe} {size} test" in live]
        if here:
            ax.scatter(*zip(*here), marker="D", s=52, color=colour, edgecolor="white", zorder=3)
        texts.append(recipe + " " + ", ".join(f"{approx(value)}" for value in mean))
    ax.scatter([], [], marker="D", s=52, color=core.COLOURS["muted"], label="this run")
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="training pictures (logarithmic)", ylabel="accuracy on the test pictures")
    ax.legend(handlelength=3)
    core.show(
        fig,
        f"Test accuracy for {', '.join(map(str, sizes))} training pictures, mean and range over seeds: "
        f"{'; '.join(texts)}. Diamonds: this run.",
    )


def suspects(is_wrong: Sequence[bool] | np.ndarray, *, total: int) -> None:
    """Precision and recall of a list of suspect labels, against how far down the list somebody has looked.

    Args:
        is_wrong: for each label of the list, the most suspect first, whether it is wrong, (n,).
        total: how many wrong labels there are, in the list or not.

    Raises:
        ValueError: the list is empty, or holds more wrong labels than there are.
    """
    found = np.cumsum(np.asarray(is_wrong, dtype=bool))
    if not len(found) or found[-1] > total:
        raise ValueError(
            f"a list of {len(found)} labels for {total} wrong ones: expected a list, and no more than that."
        )
    looked_at = np.arange(1, len(found) + 1)
    precision, recall = found / looked_at, found / total
    told = "; ".join(
        f"{n:,} labels: precision {approx(precision[n - 1], 2)}, recall {approx(recall[n - 1], 2)}"
        for n in sorted({max(1, len(found) * part // 4) for part in (1, 2, 3, 4)})
    )
    core.curves(
        {"precision": precision, "recall": recall},
        x=looked_at,
        xlabel="labels looked at, the most suspect first",
        ylabel="share",
        alt=f"Precision and recall down the list. {told}.",
    )


def recall_table(recalls: Mapping[str, Sequence[float]], class_names: Sequence[str], *, rare: int) -> None:
    """Recall of each class, one row for each way of training.

    Args:
        recalls: way of training -> recall of each class, (classes,).
        class_names: the names of the classes.
        rare: the number of the class whose recall the alternative text tells.
    """
    told = ", ".join(f"{name} {approx(values[rare], 2)}" for name, values in recalls.items())
    core.heatmap(
        list(recalls.values()),
        rows=list(recalls),
        columns=class_names,
        form="{:.2f}",
        limits=(0, 1),
        title="Recall of each class",
        alt=f"Recall of each class for each way of training. Of the rare class, {class_names[rare]}: {told}.",
    )


def input_faults(table: np.ndarray, *, ways: Sequence[str], pictures: Sequence[str]) -> None:
    """The probability of the true class of some pictures, for each way of feeding them.

    Args:
        table: (ways of feeding, pictures), in [0, 1].
        ways: their names.
        pictures: their names.
    """
    means = ", ".join(f"{name} {approx(mean, 2)}" for name, mean in zip(ways, np.mean(table, axis=1)))
    core.heatmap(
        np.transpose(table),  # wide rather than tall
        rows=pictures,
        columns=ways,
        form="{:.2f}",
        limits=(0, 1),
        title="Probability of the true class",
        alt=f"Probability of the true class for {len(pictures)} photographs, by how they are fed. On average: {means}.",
    )
