"""The checks of exercises 10.5 and 10.6: where maps agree, and three networks of which one has a shortcut."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.compare import Opaque
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception, ValueExercise, Wrong

# 10.5 Catch the shortcut ----------------------------------------------------------------------------------------------


def hot_spot(maps):
    """The reference answer."""
    return _hot_spot(maps)


def _hot_spot(
    maps,
    divide: Callable[[np.ndarray], np.ndarray] = lambda maps: maps / maps.sum(axis=(1, 2), keepdims=True),
    keep: Callable[[np.ndarray], np.ndarray] = lambda maps: maps[maps.sum(axis=(1, 2)) > 0],
    combine: Callable[[np.ndarray], np.ndarray] = lambda maps: maps.mean(axis=0),
    times: Callable[[np.ndarray], float] = lambda mean: float(mean.max() * mean.size),
    refuse: bool = True,
) -> tuple:
    """The place where maps agree, with one of the parts exchanged."""
    maps = np.asarray(maps, float)
    if refuse and not (maps > 0).any():
        raise ValueError
    with np.errstate(all="ignore"):
        mean = combine(divide(keep(maps)))
        row, column = np.unravel_index(np.argmax(mean), mean.shape)
        return int(row), int(column), times(mean)


def _hot_spot_with(**parts) -> Callable:
    return lambda maps: _hot_spot(maps, **parts)


def _most_often(maps):
    """The place that is highest in most maps."""
    maps = np.asarray(maps, float)
    if not (maps > 0).any():
        raise ValueError
    maps = maps[maps.sum(axis=(1, 2)) > 0]
    highest = np.bincount(maps.reshape(len(maps), -1).argmax(axis=1), minlength=maps[0].size)
    row, column = np.unravel_index(highest.argmax(), maps.shape[1:])
    mean = (maps / maps.sum(axis=(1, 2), keepdims=True)).mean(axis=0)
    return int(row), int(column), float(mean[row, column] * mean.size)


def _first_two_swapped(maps):
    row, column, times = _hot_spot(maps)
    return column, row, times


def _spot_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(count: int, height: int, width: int, row: int, column: int, loud: float = 1.0) -> np.ndarray:
        maps = rng.random((count, height, width)) ** 3
        maps[:, row, column] += 2.0
        maps[0] = rng.random((height, width)) ** 6 * loud
        maps[0, row, column] = 0.0
        return maps

    first = np.zeros((2, 2, 3))
    first[0, 1, 0], first[0, 0, 2] = 3.0, 1.0
    first[1, 1, 0], first[1, 0, 1] = 1.0, 1.0
    yield Case((first,), about="two small maps")
    yield Case((draw(6, 4, 6, 3, 1),), about="six maps, wider than high")
    yield Case((draw(8, 5, 5, 4, 0, 500.0),), about="one map that is far louder than the others")
    maps = draw(9, 7, 4, 2, 3)
    maps[[2, 5, 6]] = 0
    yield Case((maps,), about="three maps that are 0 everywhere")
    yield Case((draw(5, 3, 8, 0, 7)[1:2],), about="a single map")
    steady = rng.random((7, 4, 5)) * 0.1
    steady[:, 2, 1] += 1.0
    for number in range(4):
        steady[number, 0, 3] += 1.05
    yield Case((steady,), about="a place that is always second, beside one that is often first")
    yield Case((draw(5, 4, 3, 1, 1) * 1e-3,), about="maps whose sums are small")
    yield Case((np.zeros((4, 3, 3)),), raises=ValueError, about="maps that are all 0")


def _over_the_mean(mean: np.ndarray) -> float:
    """Right of maps that sum to 1, and a plausible number of any others."""
    return float(mean.max() / mean.mean())


def _share_itself(came: object, expected: object, case: Case) -> bool:
    if isinstance(came, Opaque) or np.shape(came) != (3,):
        return False
    size = case.args[0][0].size
    return bool(np.isclose(came[2] * size, expected[2], rtol=1e-3))


LOUD = "The maps are added as they are, so that a loud one outvotes the others. Divide each by its own sum first."
BY_THE_HIGHEST = "You divide each map by its highest value. Divide by its sum, so that each has the same to give away."
ALL_ZERO = "Maps that are all 0 agree on nothing. Raise a ValueError for them."


SHORTCUT = FunctionExercise(
    "10.5",
    "Catch the shortcut",
    reference=hot_spot,
    cases=_spot_cases,
    misconceptions=(
        Misconception(_hot_spot_with(divide=lambda m: m, times=_over_the_mean), LOUD),
        Misconception(_hot_spot_with(divide=lambda m: m), LOUD),
        Misconception(_hot_spot_with(divide=lambda m: m / m.sum()), LOUD),
        Misconception(
            _hot_spot_with(divide=lambda m: m / m.max(axis=(1, 2), keepdims=True), times=_over_the_mean), BY_THE_HIGHEST
        ),
        Misconception(_hot_spot_with(divide=lambda m: m / m.max(axis=(1, 2), keepdims=True)), BY_THE_HIGHEST),
        Misconception(
            lambda maps: _hot_spot(
                maps,
                keep=lambda m: m,
                divide=lambda m: (
                    m / np.where(m.sum(axis=(1, 2), keepdims=True) > 0, m.sum(axis=(1, 2), keepdims=True), 1)
                ),
            ),
            "Maps that are 0 everywhere are counted in the mean, and pull it down. Leave them out.",
        ),
        Misconception(
            lambda maps: _hot_spot(maps, keep=lambda m: m),
            "A map that is 0 everywhere cannot be divided by its sum: it becomes NaN. Leave such maps out.",
        ),
        Misconception(
            lambda maps: _hot_spot(maps, combine=lambda m: m.max(axis=0)),
            "You take the highest value over the maps. One single picture decides that; take the mean.",
        ),
        Misconception(
            _most_often,
            "You take the place that is highest in most maps. The highest place of the *mean* is asked for.",
        ),
        Misconception(
            lambda maps: _hot_spot(
                maps, times=lambda mean: float(mean.max() / mean.min()) if mean.min() else float("inf")
            ),
            "You compare with the lowest place. In an even map each place has one part in as many as there are places.",
        ),
        Misconception(
            _share_itself,
            "The last number is the share at that place. How many times the share of an even map is it?",
            predicate=True,
        ),
        Misconception(_first_two_swapped, "Row and column have changed places."),
        Misconception(lambda maps: (0, 0, 0.0) if not np.any(maps) else _hot_spot(maps), ALL_ZERO),
        Misconception(_hot_spot_with(refuse=False), ALL_ZERO),
    ),
    hints=(
        "First the sums of the maps, one for each; then throw out those whose sum is 0.",
        "`sums[:, None, None]` has the axes that the maps need to be divided by it.",
        "An even map that sums to 1 has 1 / (number of places) everywhere. Divide the highest value of the mean by "
        "that.",
    ),
    remark="A high number is a suspicion, not a proof: eyes sit in the upper middle of portraits. Go and look there.",
)


# 10.6 Three unknown networks ------------------------------------------------------------------------------------------

NAMES, ROW, COLUMN = ("a", "b", "c"), 2, 6


def _whole(value: object) -> int | None:
    """A number of a square, from whatever holds one; None if it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number == int(number) else None


def _same_case(came: object, expected: object) -> bool:
    if not isinstance(came, dict):
        raise Wrong("Make `culprit` a dictionary with the keys 'network', 'row' and 'column'.")
    came = {str(key).strip().casefold(): value for key, value in came.items()}
    if missing := [key for key in ("network", "row", "column") if key not in came]:
        raise Wrong(f"The dictionary lacks {', '.join(map(repr, missing))}.")
    name, row, column = str(came["network"]).strip().casefold(), _whole(came["row"]), _whole(came["column"])
    if name not in NAMES:
        raise Wrong("The networks are called 'a', 'b' and 'c'.")
    if row is None or column is None:
        raise Wrong("Row and column are whole numbers, those of a square of four by four pixels.")
    if not (0 <= row < 8 and 0 <= column < 8):
        raise Wrong(
            "There are 8x8 squares, counted from 0. A place of the 14x14 maps, or a pixel, is not yet a square."
        )
    near = max(abs(row - ROW), abs(column - COLUMN)) <= 1
    if name != "b":
        raise Wrong(
            f"Network {name!r} is honest. Cover any square of four pixels: how many of its 200 answers change? Compare "
            "the three networks, not the places of one."
        )
    if near:
        return (row, column) == (ROW, COLUMN) or _beside()
    if max(abs(column - ROW), abs(row - COLUMN)) <= 1:
        raise Wrong("The network is right. Rows and columns have changed places.")
    if max(abs(2 * row - 7), abs(2 * column - 7)) <= 3:
        raise Wrong("The network is right, the place is not. In the middle stand the animals, for any network.")
    raise Wrong(
        "The network is right, the square is not. Cover each of the 64 and count the answers that change; from a place "
        "of the maps, a square comes by way of the pixels that the place looks at."
    )


def _beside() -> bool:
    raise Wrong(
        "The network is right, and the square is next to the mark's. Cover the squares around it as well, and take the "
        "one that changes most answers."
    )


UNKNOWN = ValueExercise(
    "10.6",
    "Three unknown networks",
    expected={"network": "b", "row": ROW, "column": COLUMN},
    compare=_same_case,
    hints=(
        "`explain.grad_cam(network, case.pictures, 1, layer='last_maps')`, then `hot_spot`. An honest network looks at "
        "animals, which are at no one place.",
        "Two steps of the maps are four pixels: a place looks at five pixels, from twice its number on.",
        "To settle it: a copy of the pictures with a square set to 0.5, `predict_on_batch` of both, `argmax`, and the "
        "share of answers that differ. Try all 64 squares.",
    ),
    remark="One square of 64 turns a fifth of its answers. With labels you would have a test set; without them, this.",
)
