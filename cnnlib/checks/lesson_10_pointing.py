"""The check of exercise 10.4, the pointing game."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception


def hit_rate(maps, boxes, labels):
    """The reference answer."""
    return _hit_rate(maps, boxes, labels)


def _hit_rate(
    maps,
    boxes,
    labels,
    inside: Callable[..., bool] = lambda row, column, x1, y1, x2, y2: x1 <= column < x2 and y1 <= row < y2,
    flat: bool = True,
    place: Callable[[np.ndarray], int] = lambda found: int(found.argmax()),
    average: Callable[[np.ndarray, np.ndarray], float] = lambda hits, labels: float(
        np.mean([hits[labels == label].mean() for label in np.unique(labels)])
    ),
    refuse: bool = True,
) -> float:
    """The pointing game with one of its parts exchanged."""
    if refuse and not len(maps) == len(boxes) == len(labels):
        raise ValueError
    labels = np.asarray(labels)
    hits = np.zeros(len(labels))
    for number, (found, box, _) in enumerate(zip(maps, boxes, labels)):
        row, column = np.unravel_index(place(found), found.shape)
        hits[number] = (not flat or found.max() > found.min()) and inside(row, column, *box)
    return average(hits, labels)


def _pointing_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(count: int, height: int, width: int, classes: int, near: float = 0.6) -> tuple:
        maps = rng.random((count, height, width)) * 0.5
        boxes, labels = np.zeros((count, 4), int), rng.permutation(np.arange(count) % classes)
        for n in range(count):
            x1, y1 = rng.integers(0, width - 2), rng.integers(0, height - 2)
            x2, y2 = rng.integers(x1 + 1, width), rng.integers(y1 + 1, height)
            boxes[n] = x1, y1, x2, y2
            row, column = (y1, x1) if rng.random() < near else (rng.integers(height), rng.integers(width))
            maps[n, row, column] = 1
        return maps, boxes, labels

    def one(row: int, column: int, box: tuple) -> tuple:
        found = np.zeros((1, 4, 6))
        found[0, row, column] = 1
        return found, np.array([box]), np.array([3])

    yield Case(one(1, 4, (3, 0, 6, 2)), about="one map, and its highest place inside")
    yield Case(one(3, 1, (3, 0, 6, 2)), about="one map, and its highest place outside")
    yield Case(one(1, 3, (1, 0, 3, 4)), about="a highest place just right of the box")
    yield Case(one(2, 2, (1, 0, 4, 2)), about="a highest place just below the box")
    yield Case(one(1, 2, (2, 1, 4, 3)), about="a highest place in the corner of the box")
    yield Case(one(1, 4, (2, 0, 3, 4)), about="a highest place one column further than that")
    yield Case(one(1, 5, (1, 0, 3, 4)), about="a highest place far to the right of the box")
    yield Case(one(3, 2, (1, 0, 4, 2)), about="a highest place far below the box")
    yield Case((np.ones((1, 4, 4)), np.array([[0, 0, 4, 4]]), np.array([0])), about="a map that is the same everywhere")
    maps, boxes, labels = draw(12, 6, 6, 3)
    yield Case((maps, boxes, labels), about="three classes")
    maps, boxes, labels = draw(15, 5, 8, 3)
    boxes[:9] = (0, 0, 8, 5)
    boxes[9:] = (7, 4, 8, 5)
    maps[9:, 4, 7] = 0
    labels = np.array([4] * 11 + [1] * 3 + [7])
    yield Case((maps, boxes, labels), about="classes of different size")
    below = -1.0 - one(0, 0, (0, 0, 1, 1))[0]
    below[0, 3, 5] = -0.5
    yield Case((below, np.array([[4, 2, 6, 4]]), np.array([3])), about="a map below zero")
    maps = np.zeros((5, 4, 4))
    maps[0], maps[1, 2, 1], maps[2, 3, 3], maps[3, 0, 2] = 0.3, 1, 1, 1
    boxes = np.array([[0, 0, 4, 4], [1, 1, 3, 3], [0, 0, 2, 2], [1, 0, 4, 2], [0, 0, 4, 4]])
    yield Case((maps, boxes, np.array([0, 0, 0, 1, 1])), about="maps that are 0.3 or 0 everywhere, among others")
    three = np.concatenate([one(row, column, (3, 0, 6, 2))[0] for row, column in ((1, 4), (3, 1), (1, 4))])
    yield Case((three.astype(int), np.array([(3, 0, 6, 2)] * 3), np.array([0, 0, 1])), about="maps of whole numbers")
    yield Case((1e-10 * one(1, 4, (3, 0, 6, 2))[0], *one(1, 4, (3, 0, 6, 2))[1:]), about="a map of very small values")
    maps, boxes, labels = draw(6, 5, 5, 2)
    yield Case((maps, boxes[:5], labels), raises=ValueError, about="a box is missing")
    yield Case((maps, boxes[:5], labels[:5]), raises=ValueError, about="a map too many")
    yield Case((maps[:5], boxes[:5], labels), raises=ValueError, about="a label too many")
    yield Case((maps[:5], boxes, labels), raises=ValueError, about="a map is missing")
    yield Case((maps, boxes, labels[:5]), raises=ValueError, about="a label is missing")


def _flat_left_out(maps, boxes, labels):
    """Flat maps are no question at all."""
    if not len(maps) == len(boxes) == len(labels):
        raise ValueError
    kept = [number for number, found in enumerate(maps) if found.max() > found.min()]
    if not kept:
        return 0.0
    return _hit_rate(*(np.asarray(values)[kept] for values in (maps, boxes, labels)))


def _flat_if_zero(maps, boxes, labels):
    moved = np.array(maps)
    for found in moved:
        if found.any() and found.max() == found.min():
            found[0, 0] += 1  # no longer flat, and `argmax` still names its first place
    return _hit_rate(moved, boxes, labels)


def _nearly_flat(maps, boxes, labels):
    return _hit_rate(np.where(np.ptp(maps, axis=(1, 2), keepdims=True) < 1e-6, 0, maps), boxes, labels)


def _box_has(share: Callable[[np.ndarray, np.ndarray], bool]) -> Callable:
    """Hits counted by the values inside the box, not by the highest place."""

    def counted(maps, boxes, labels):
        if not len(maps) == len(boxes) == len(labels):
            raise ValueError
        hits = np.array(
            [float(share(found, found[y1:y2, x1:x2])) for found, (x1, y1, x2, y2) in zip(maps, np.asarray(boxes))]
        )
        return float(np.mean([hits[np.asarray(labels) == label].mean() for label in np.unique(labels)]))

    return counted


POINTING = FunctionExercise(
    "10.4",
    "Pointing game",
    reference=hit_rate,
    cases=_pointing_cases,
    misconceptions=(
        Misconception(
            lambda maps, boxes, labels: _hit_rate(maps, boxes, labels, average=lambda hits, labels: float(hits.mean())),
            "That is the share over all questions. Take the share of each class first, then the mean of those.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(maps, boxes, labels, average=lambda hits, labels: float(hits.sum())),
            "That counts the hits. A share is asked for.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(
                maps, boxes, labels, inside=lambda row, column, x1, y1, x2, y2: x1 <= row < x2 and y1 <= column < y2
            ),
            "Rows and columns have changed places: x goes with the columns, y with the rows.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(
                maps, boxes, labels, inside=lambda row, column, x1, y1, x2, y2: x1 <= column <= x2 and y1 <= row <= y2
            ),
            "Column x2 and row y2 are no longer inside.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(
                maps, boxes, labels, inside=lambda row, column, x1, y1, x2, y2: x1 <= column <= x2 and y1 <= row < y2
            ),
            "Column x2 is no longer inside.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(
                maps, boxes, labels, inside=lambda row, column, x1, y1, x2, y2: x1 <= column < x2 and y1 <= row <= y2
            ),
            "Row y2 is no longer inside.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(
                maps,
                boxes,
                labels,
                average=lambda hits, labels: float(
                    np.mean([hits[labels == n].mean() if n in labels else 0 for n in range(labels.max() + 1)])
                ),
            ),
            "With you a class counts that no question has. Take those that occur, `np.unique(labels)`.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(
                maps, boxes, labels, inside=lambda row, column, x1, y1, x2, y2: x1 < column < x2 and y1 < row < y2
            ),
            "Column x1 and row y1 are inside, too.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(
                maps, boxes, labels, inside=lambda r, c, x1, y1, x2, y2: x1 <= c < x1 + x2 and y1 <= r < y1 + y2
            ),
            "A box is x1, y1, x2, y2: its last two numbers are places, not a width and a height.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(maps, boxes, labels, flat=False),
            "A map that is the same everywhere points nowhere, although `argmax` names its first place. Count a miss.",
        ),
        Misconception(
            _flat_left_out,
            "A map that is the same everywhere is left out with you. It is a question with a wrong answer: a miss.",
        ),
        Misconception(
            _flat_if_zero,
            "Only maps of 0 count as flat with you. One that is the same everywhere points nowhere, whatever its "
            "value. Count a miss.",
        ),
        Misconception(
            _nearly_flat,
            "Maps of very small values count as flat with you. Only one whose highest value *is* its lowest does.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(maps, boxes, labels, place=lambda found: int(np.abs(found).argmax())),
            "You look for the largest absolute value. The highest place is asked for; values may be below zero.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(maps, boxes, labels, place=lambda found: int(found.argmin())),
            "You look for the lowest place.",
        ),
        Misconception(
            _box_has(lambda found, part: part.sum() / found.sum() if found.sum() else 0.0),
            "That is the share of the map's sum in the box. The pointing game asks for the highest place alone.",
        ),
        Misconception(
            lambda maps, boxes, labels: np.asarray(_hit_rate(maps, boxes, labels)).astype(np.asarray(maps).dtype),
            "Your result has the type of the maps: where these are whole numbers, the share is cut to 0 or 1.",
        ),
        Misconception(
            lambda maps, boxes, labels: _hit_rate(maps, boxes, labels, refuse=False),
            "Maps, boxes and labels belong together one by one. Raise a ValueError if there are not equally many.",
        ),
    ),
    hints=(
        "`np.unravel_index(found.argmax(), found.shape)` gives row and column of the highest place.",
        "Note a 1 or a 0 for each map. A map is flat if its highest value is its lowest.",
        "`np.unique(labels)` names the classes; `hits[labels == label].mean()` is the share of one of them.",
    ),
    remark="`explain.pointing_game` gives the hits themselves, and scales boxes to the map.",
)
