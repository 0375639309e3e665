"""The checks of lesson 13, many heads on one backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.checks.lesson_13_masks import PANOPTIC, RIGHT_MASKS
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 13.1 RoI align -------------------------------------------------------------------------------------------------------


def my_roi_align(features, box, stride, cells):
    """The reference answer."""
    return _cut(features, box, stride, cells)


def _middles(cells: int) -> np.ndarray:
    return (np.arange(cells) + 0.5) / cells


def _tent(u: np.ndarray, size: int) -> np.ndarray:
    """Shares of the places: 1 at the point, 0 one place away."""
    return np.maximum(1 - np.abs(u[:, None] - np.arange(size)), 0)


def _held(u: np.ndarray, size: int) -> np.ndarray:
    return np.clip(u, 0, size - 1)


def _cut(
    features,
    box,
    stride,
    cells,
    steps: Callable = _middles,
    half: float = 0.5,
    hold: Callable = _held,
    shares: Callable = _tent,
    on_map: Callable = lambda box, stride: np.asarray(box, float) / stride,
) -> np.ndarray:
    """RoI align with one of its parts exchanged."""
    x1, y1, x2, y2 = on_map(box, stride)
    height, width = features.shape[:2]
    rows = shares(hold(y1 + (y2 - y1) * steps(cells) - half, height), height)
    columns = shares(hold(x1 + (x2 - x1) * steps(cells) - half, width), width)
    return np.einsum("rh,cw,hwk->rck", rows, columns, features)


def _nearest(u: np.ndarray, size: int) -> np.ndarray:
    return np.eye(size)[np.clip(np.floor(u + 0.5), 0, size - 1).astype(int)]


def _below(u: np.ndarray, size: int) -> np.ndarray:
    return np.eye(size)[np.clip(np.floor(u), 0, size - 1).astype(int)]


def _changed_shares(u: np.ndarray, size: int) -> np.ndarray:
    first = np.clip(np.floor(u), 0, size - 2).astype(int)
    share = u - first
    return np.eye(size)[first] * share[:, None] + np.eye(size)[first + 1] * (1 - share[:, None])


def _next_place(u: np.ndarray, size: int) -> np.ndarray:
    """Shares of the place below and the one above; at the last place there is none above, and that is an IndexError."""
    low = np.floor(u).astype(int)
    share = (u - low)[:, None]
    return np.eye(size)[low] * (1 - share) + np.eye(size)[low + 1] * share


def _beyond(came: object, expected: object, case: Case) -> bool:
    """Whether the box reaches beyond the map."""
    features, (x1, y1, x2, y2), stride, _ = case.args
    height, width = features.shape[:2]
    return bool(min(x1, y1) < 0 or x2 > stride * width or y2 > stride * height)


def _roi_cases(rng: np.random.Generator) -> Iterator[Case]:
    ramp = np.broadcast_to(np.arange(6.0), (5, 6))
    plane = np.stack([ramp, np.broadcast_to(np.arange(5.0)[:, None], (5, 6))], -1).copy()
    yield Case((plane, (4.0, 7.0, 16.0, 15.0), 4, 2), about="channel 0 counts the columns, channel 1 the rows")
    for stride, cells in ((4, 3), (2, 4), (8, 1), (1, 2)):
        height, width, channels = (int(n) for n in rng.integers((5, 8, 1), (8, 12, 4)))
        x1, y1 = rng.uniform(0.6, 2, 2) * stride
        box = (x1, y1, x1 + rng.uniform(2, 4) * stride, y1 + rng.uniform(1.2, 2.4) * stride)
        box = tuple(float(np.round(side, 2)) for side in box)
        yield Case((rng.normal(size=(height, width, channels)), box, stride, cells), about=f"a stride of {stride}")
    yield Case((rng.normal(size=(5, 7, 2)), (1, 2, 12, 9), 2, 3), about="a box of whole numbers")
    whole = rng.integers(0, 20, (5, 7, 2))
    yield Case((whole, (1.0, 2.5, 12.0, 8.0), 2, 3), about="features that are whole numbers")
    for box in ((-3.0, 0.0, 9.0, 7.0), (13.0, 6.0, 26.0, 19.0)):
        yield Case((rng.normal(size=(4, 6, 2)), box, 4, 3), about="a box that reaches beyond the map")


ROI_ALIGN = FunctionExercise(
    "13.1",
    "RoI align",
    reference=my_roi_align,
    cases=_roi_cases,
    misconceptions=(
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, half=0),
            "The features stand in the *middles* of their places, and the middle of place 0 is half a stride inside.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, shares=_nearest),
            "You read the nearest place. Take shares of the two places around the point, in each direction.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(
                features, box, stride, cells, on_map=lambda box, stride: np.round(np.asarray(box) / stride)
            ),
            "You round the box to whole places. That is what RoI align was invented to avoid.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(
                features, box, stride, cells, steps=lambda n: np.linspace(0, 1, n)
            ),
            "Your points reach from one side of the box to the other. They should lie in the middles of the cells.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, steps=lambda n: np.arange(n) / n),
            "Your points lie at the left and upper sides of the cells. They should lie in their middles.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells).transpose(1, 0, 2),
            "Rows and columns have changed places: the first axis of the result goes from top to bottom, along y.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(
                features, (box[1], box[0], box[3], box[2]), stride, cells
            ).transpose(1, 0, 2),
            "x and y have changed places: a box is (x1, y1, x2, y2), and x counts columns.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, (box[1], box[0], box[3], box[2]), stride, cells),
            "x and y have changed places: a box is (x1, y1, x2, y2), and x counts columns.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(
                features, (box[0], box[1], box[0] + box[2], box[1] + box[3]), stride, cells
            ),
            "A box is (x1, y1, x2, y2): two corners, no width and height.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, shares=_below),
            "You read the place below the point alone. Take shares of the two places around it, in each direction.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, half=0.5 / stride),
            "You take off half a pixel. It is half a *place*: divide by the stride first.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(
                features, box, stride, cells, on_map=lambda box, stride: np.asarray(box, float)
            ),
            "The box is in pixels, the map has one place for each stride. Which is which?",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, hold=lambda u, size: u),
            "A point beyond the middle of the first or last place should read that place; yours fades to 0 there.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, shares=_changed_shares),
            "The two shares have changed places: the nearer place has the larger one.",
        ),
        Misconception(
            lambda features, box, stride, cells: _cut(features, box, stride, cells, shares=_next_place),
            "Where u is at the last place, `low + 1` lies beyond the map. Its share is 0 there, and yet the index must "
            "exist.",
        ),
        Misconception(
            _beyond,
            "Only boxes that reach beyond the map come out wrong. Clip u before anything else: an index of -1 reads "
            "the other side of the map, and shares below 0 or above 1 go on beyond it.",
            predicate=True,
        ),
    ),
    hints=(
        "Do x first: where are the middles of the cells in pixels, then in places?",
        "The middle of cell i of n is at `x1 + (x2 - x1) * (i + 0.5) / n` pixels. Divide by the stride, take off a "
        "half, clip.",
        "With `low = np.floor(u)` the shares are `1 - (u - low)` and `u - low`. Interpolate along x in the two rows "
        "around the point, then between the two results along y.",
    ),
    remark="detection.roi_align takes several points in each cell, many boxes, and lets gradients through.",
)


# 13.2 Who breaks the contract? ----------------------------------------------------------------------------------------


def broken(pictures, shapes):
    """The reference answer."""
    return _broken(pictures, shapes)


def _whole_stride(height, width, rows, columns) -> bool:
    return height % rows == 0 and width % columns == 0 and height // rows == width // columns


def _one_mask_each(shape, batch) -> bool:
    return len(shape) == 3 and shape[0] % batch == 0 and shape[1] == shape[2]


def _at_each_place(shape, features) -> bool:
    return len(shape) == 4 and tuple(shape[:3]) == tuple(features[:3])


def _broken(
    pictures,
    shapes,
    stride: Callable = _whole_stride,
    mask: Callable = _one_mask_each,
    dense: Callable = _at_each_place,
    sides: Callable = lambda shape: shape[3] == 4,
    same_batch: bool = True,
    known: tuple[str, ...] | None = None,
) -> list[str]:
    """The names that break the contract, with one of its terms exchanged."""
    batch, height, width, _ = pictures
    features = shapes["features"]
    found = []
    for name, shape in shapes.items():
        if name == "mask":
            keeps = mask(shape, batch)
        elif name == "features":
            keeps = len(shape) == 4 and (shape[0] == batch or not same_batch) and stride(height, width, *shape[1:3])
        elif known and name not in known:
            keeps = True
        else:
            keeps = dense(shape, features) and (name != "box" or sides(shape))
        if not keeps:
            found.append(name)
    return found


def _network(rng: np.random.Generator, stride: int) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """Pictures and shapes that keep to the contract; two heads have names that the page does not know."""
    batch = int(rng.integers(3, 6))
    rows, columns = (int(n) for n in rng.choice(np.arange(6, 20), 2, replace=False))
    channels, classes, points, angles, side = (int(n) for n in rng.choice(np.arange(5, 40), 5, replace=False))
    place = (batch, rows, columns)
    shapes = {
        "class": (*place, classes),
        "features": (*place, channels),
        "angle": (*place, angles),
        "mask": (batch * int(rng.integers(2, 5)), side, side),
        "box": (*place, 4),
        "keypoint": (*place, points),
        "offset": (*place, 2),
    }
    return (batch, rows * stride, columns * stride, 3), shapes


def _broken_cases(rng: np.random.Generator) -> Iterator[Case]:
    place = (16, 16, 16)
    page = {"features": (*place, 36), "class": (*place, 5), "box": (*place, 4), "keypoint": (*place, 4)}
    yield Case(((16, 64, 64, 3), {**page, "mask": (16, 16, 16)}), about="the network of this page, with one box each")
    yield Case(((16, 64, 64, 3), {**page, "mask": (48, 16, 16)}), about="the network of this page")
    for stride in (4, 8, 2):
        yield Case(_network(rng, stride), about=f"all is well, with a stride of {stride}")

    def spoilt(about: str, **changed: Callable) -> Case:
        pictures, shapes = _network(rng, int(rng.choice([2, 4, 8])))
        return Case((pictures, shapes | {name: make(shapes[name]) for name, make in changed.items()}), about=about)

    yield spoilt("the class head has rows and columns exchanged", **{"class": lambda s: (s[0], s[2], s[1], s[3])})
    yield spoilt("the class head has half the rows", **{"class": lambda s: (s[0], s[1] // 2, s[2], s[3])})
    yield spoilt("the class head has half the columns", **{"class": lambda s: (s[0], s[1], s[2] // 2, s[3])})
    yield spoilt("the angle head has no axis for its numbers", angle=lambda s: s[:3])
    yield spoilt("the angle head has an axis too many", angle=lambda s: (*s, 1))
    yield spoilt("the angle head answers for one picture more", angle=lambda s: (s[0] + 1, *s[1:]))
    yield spoilt("the box head gives 5 numbers", box=lambda s: (*s[:3], 5))
    yield spoilt("the box head gives 3 numbers", box=lambda s: (*s[:3], 3))
    yield spoilt("the box head gives 4 numbers for each of 3 classes", box=lambda s: (*s[:3], 12))
    yield spoilt("the masks have an axis of pictures", mask=lambda s: (3, s[0], s[1], s[2]))
    yield spoilt("one mask is missing", mask=lambda s: (s[0] - 1, *s[1:]))
    yield spoilt("the masks are no squares", mask=lambda s: (s[0], s[1], s[2] + 1))
    yield spoilt("the masks are taller than wide", mask=lambda s: (s[0], s[1] + 1, s[2]))
    yield spoilt("the masks have an axis for one logit", mask=lambda s: (*s, 1))
    yield spoilt("three at once", mask=lambda s: s[1:], box=lambda s: (*s[:3], 8), keypoint=lambda s: s[:3])
    for size, about in (
        ((64, 128), "4 pixels down and 8 across"),
        ((128, 64), "8 down and 4 across"),
        ((66, 66), "66 pixels, 16 places"),
    ):
        yield Case(((16, *size, 3), {**page, "mask": (48, 16, 16)}), about=about)
    for size in ((66, 64), (64, 66)):
        yield Case(((16, *size, 3), {**page, "mask": (48, 16, 16)}), about=f"{size[0]} by {size[1]} pixels, 16 places")
    yield Case(((8, 64, 64, 3), {**page, "mask": (48, 16, 16)}), about="the map and all heads have 16 pictures, not 8")
    yield Case(
        ((32, 64, 64, 3), {**page, "mask": (64, 16, 16)}), about="the map and all heads have 16 pictures, not 32"
    )
    yield Case(((16, 64, 64, 3), {**page, "mask": (16, 16)}), about="a single mask")


def _instead(change: Callable) -> Callable:
    """The right answer, changed by a function of it and of all names."""
    return lambda pictures, shapes: change(_broken(pictures, shapes), list(shapes))


def _at_a_quarter(pictures, shapes):
    batch, height, width, _ = pictures
    quarter = (batch, height // 4, width // 4)
    return _broken(
        pictures,
        shapes,
        stride=lambda height, width, rows, columns: (rows, columns) == quarter[1:],
        dense=lambda shape, features: _at_each_place(shape, quarter),
    )


def _all_after_the_map(pictures, shapes):
    found = _broken(pictures, shapes)
    return list(shapes) if "features" in found else found


CONTRACT = FunctionExercise(
    "13.2",
    "Who breaks the contract?",
    reference=broken,
    cases=_broken_cases,
    misconceptions=(
        Misconception(
            lambda pictures, shapes: _broken(
                pictures,
                shapes,
                mask=lambda shape, batch: len(shape) == 3 and shape[0] == batch and shape[1] == shape[2],
            ),
            "The mask head answers once for each *box*, and a picture may have several.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures, shapes, mask=lambda shape, batch: len(shape) == 4 and shape[0] == batch
            ),
            "The mask head sees one long list of boxes; the pictures they come from are no axis of its own.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures, shapes, mask=lambda shape, batch: shape[0] % batch == 0 and shape[1] == shape[2]
            ),
            "You do not count the axes of the masks. There is one logit for each cell of a box, so there are three.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures, shapes, mask=lambda shape, batch: len(shape) == 3 and shape[0] % batch == 0
            ),
            "A mask is a *square*: its last two axes are equal.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures, shapes, mask=lambda shape, batch: len(shape) == 3 and shape[1] == shape[2]
            ),
            "Each picture has equally many boxes. What does that say about the first axis of the masks?",
        ),
        Misconception(
            lambda pictures, shapes: _broken(pictures, shapes, mask=lambda shape, batch: True),
            "You let every mask pass.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(pictures, shapes, known=("class", "box", "keypoint")),
            "A head of another name has to answer at each place, too.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(pictures, shapes, sides=lambda shape: True),
            "The box head gives four numbers at each place.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(pictures, shapes, sides=lambda shape: shape[3] % 4 == 0),
            "The box head of this page says four numbers, whatever the class is.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures,
                shapes,
                dense=lambda shape, features: len(shape) == 4 and tuple(shape[1:3]) == tuple(features[1:3]),
            ),
            "A head has to answer for as many pictures as the map has, too.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures, shapes, dense=lambda shape, features: tuple(shape[:3]) == tuple(features[:3])
            ),
            "You do not count the axes: a head gives *some* numbers at each place, and they have an axis.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures, shapes, dense=lambda shape, features: tuple(shape) == tuple(features)
            ),
            "How many numbers a head gives at a place is its own affair; only the places are those of the map.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(
                pictures,
                shapes,
                stride=lambda height, width, rows, columns: height % rows == 0 and width % columns == 0,
            ),
            "The stride down and the stride across have to be *one* number.",
        ),
        *(
            Misconception(
                lambda pictures, shapes, same=same: _broken(pictures, shapes, stride=same),
                "A stride is a whole number of pixels: 66 pixels and 16 places do not go together.",
            )
            for same in (
                lambda height, width, rows, columns: height // rows == width // columns,
                lambda height, width, rows, columns: height / rows == width / columns,
                lambda height, width, rows, columns: height // rows == width // columns and height % rows == 0,
                lambda height, width, rows, columns: height // rows == width // columns and width % columns == 0,
            )
        ),
        Misconception(
            lambda pictures, shapes: _broken(pictures, shapes, stride=lambda *sizes: True),
            "You do not look at the stride of the map.",
        ),
        Misconception(
            lambda pictures, shapes: _broken(pictures, shapes, same_batch=False),
            "The map belongs to these pictures, so it has as many of them.",
        ),
        Misconception(
            _at_a_quarter,
            "You expect a stride of 4. Any whole stride will do: the heads have to agree with the map that *is* there.",
        ),
        Misconception(
            _all_after_the_map,
            "If the map is wrong, a head that has the same places still keeps its side of the contract.",
        ),
        Misconception(
            _instead(lambda found, names: [name for name in names if name not in found]), "Name those that *break* it."
        ),
        Misconception(_instead(lambda found, names: sorted(found)), "Name them in the order in which they are given."),
        Misconception(_instead(lambda found, names: found[:1]), "You stop at the first. Name all that break it."),
        Misconception(
            _instead(lambda found, names: not found), "Name those that break it: a list, `[]` if there is none."
        ),
    ),
    hints=(
        "Compare with what the cells above printed: there the batch axis is left out, and everything else is there.",
        "Go through `shapes.items()`. There are three kinds of terms: for the map, for the masks, for all others.",
        "Look at the number of axes first. `height % rows == 0` says that the stride is whole; the first axis of the "
        "masks is a multiple of the batch.",
    ),
    remark="Run such a check once, on one batch, before the training: a head of the wrong shape often fails late.",
)


# 13.3 Decode a heatmap ------------------------------------------------------------------------------------------------


def decode(heatmap, stride):
    """The reference answer."""
    return _decoded(heatmap, stride)


def _top(a: float, b: float, c: float) -> float:
    return (a - c) / (2 * (a - 2 * b + c))


def _still(line: np.ndarray, at: int) -> bool:
    return at in (0, len(line) - 1)


def _decoded(
    heatmap,
    stride,
    move: Callable = _top,
    scale: Callable = np.log,
    still: Callable = _still,
    pixels: Callable = lambda place, stride: (place + 0.5) * stride,
    beyond: str = "wrap",
) -> tuple[float, float]:
    """Sub-pixel decoding with one of its parts exchanged."""
    row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)

    def place(line, at):
        if still(line, at):
            return at
        a, b, c = scale(line.take((at - 1, at, at + 1), mode=beyond))
        return at + move(a, b, c)

    return pixels(place(heatmap[row], column), stride), pixels(place(heatmap[:, column], row), stride)


def _swapped(heatmap, stride):
    x, y = _decoded(heatmap, stride)
    return y, x


def _by_sums(place_too: bool) -> Callable:
    """Decodes the sums of the columns and of the rows; at the brightest place, or where the sums are greatest."""

    def answer(heatmap, stride):
        row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)
        found = []
        for sums, at in ((heatmap.sum(axis=0), column), (heatmap.sum(axis=1), row)):
            at = int(sums.argmax()) if place_too else at
            found.append((at if _still(sums, at) else at + _top(*np.log(sums[at - 1 : at + 2])), stride))
        return tuple((at + 0.5) * stride for at, stride in found)

    return answer


def _at_the_greatest_sums(heatmap, stride):
    """Takes the row and the column with the greatest sums for the brightest place."""
    row, column = int(heatmap.sum(axis=1).argmax()), int(heatmap.sum(axis=0).argmax())
    found = []
    for line, at in ((heatmap[row], column), (heatmap[:, column], row)):
        found.append(at if _still(line, at) else at + _top(*np.log(line[at - 1 : at + 2])))
    return tuple((at + 0.5) * stride for at in found)


def _sides_exchanged(beyond: str) -> Callable:
    """Compares the column with the height and the row with the width; ``beyond``: what is read outside the map."""

    def answer(heatmap, stride):
        other = dict(zip(heatmap.shape, heatmap.shape[::-1]))
        return _decoded(heatmap, stride, still=lambda line, at: not 0 < at < other[len(line)] - 1, beyond=beyond)

    return answer


def _still_in_both(heatmap, stride):
    """At any border neither x nor y moves."""
    row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)
    border = _still(heatmap[row], column) or _still(heatmap[:, column], row)
    return _decoded(heatmap, stride, still=lambda line, at: border)


def _heatmap_cases(rng: np.random.Generator) -> Iterator[Case]:
    example = np.ones((3, 3))
    example[1], example[0, 1] = (1, 4, 2), 2
    yield Case((example, 2), about="the example of the exercise")
    yield Case((example.astype(int), 2), about="the same, as whole numbers")
    for number in range(5):
        height, width = (int(n) for n in rng.integers((6, 9), (9, 13)))
        stride = (4, 2, 8, 4, 1)[number]
        x, y = rng.integers(2, width - 2), rng.integers(2, height - 2)
        dx, dy = rng.uniform(0.1, 0.45, 2) * rng.choice([-1, 1], 2)
        maps = _bell(height, width, x + dx, y + dy, rng.uniform(0.8, 1.6)) * rng.uniform(0.9, 1, (height, width)) + 0.01
        maps[y, x] = maps.max() * 1.02
        yield Case((maps, stride), about=f"a peak in the middle, a stride of {stride}")
    broad = 0.2 + 0.5 * _bell(9, 11, 3, 6, 2.0)
    broad[1:4, 7:10] = [[0.3, 0.5, 0.2], [0.4, 1.0, 0.6], [0.2, 0.3, 0.2]]
    yield Case((broad, 4), about="a broad hill beside the brightest place")
    wide = 0.1 + _bell(5, 12, 8.3, 1.8, 1.0)
    yield Case((wide, 2), about="a peak further right than the map is high")
    yield Case((wide.T.copy(), 2), about="a peak further down than the map is wide")
    for x, y in ((0, 3), (8, 2), (4, 0), (5, 6), (0, 0), (8, 6)):
        maps = _bell(7, 9, x, y, 1.3) * rng.uniform(0.8, 0.95, (7, 9)) + 0.02
        maps[y, x] = 1.5
        yield Case((maps, 4), about="a peak at the border")


def _bell(height: int, width: int, x: float, y: float, sigma: float) -> np.ndarray:
    down, across = np.arange(height)[:, None] - y, np.arange(width) - x
    return np.exp(-(down**2 + across**2) / (2 * sigma**2))


DECODE = FunctionExercise(
    "13.3",
    "Decode a heatmap",
    reference=decode,
    cases=_heatmap_cases,
    misconceptions=(
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, move=lambda a, b, c: 0),
            "That is the middle of the brightest place. Move it towards the brighter neighbour, by $d$.",
        ),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, move=lambda a, b, c: 0.25 * np.sign(c - a)),
            "You move by a quarter of a place. The parabola says how far exactly.",
        ),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, scale=np.asarray),
            "The parabola goes through the *logarithms* of the three values.",
        ),
        Misconception(_swapped, "x and y have changed places: x counts columns, and comes first."),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, move=lambda a, b, c: -_top(a, b, c)),
            "You move away from the brighter neighbour. Look at the sign.",
        ),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, move=lambda a, b, c: 2 * _top(a, b, c)),
            "You move twice as far as the top is. Look at the denominator.",
        ),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, pixels=lambda place, stride: place * stride),
            "Place 0 covers the pixels from 0 to the stride. Where is its middle?",
        ),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, pixels=lambda place, stride: place * stride + 0.5),
            "Half a *place* is missing, and you add half a pixel.",
        ),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, pixels=lambda place, stride: place + 0.5),
            "That is counted in places. The point is asked for in pixels.",
        ),
        Misconception(
            lambda heatmap, stride: _decoded(heatmap, stride, still=lambda line, at: False),
            "At the border there is no neighbour on one side, and an index of -1 reads the other end of the map. Do "
            "not move there.",
        ),
        *(
            Misconception(
                _sides_exchanged(beyond),
                "The column is compared with the height of the map, or the row with its width. A line of the map ends "
                "at its own length.",
            )
            for beyond in ("raise", "clip", "wrap")
        ),
        *(
            Misconception(
                wrong,
                "You work with sums of rows or columns, to which the whole map adds. The brightest *place* is asked "
                "for, and its own row and column.",
            )
            for wrong in (_by_sums(True), _by_sums(False), _at_the_greatest_sums)
        ),
        Misconception(
            _still_in_both,
            "At the left or right border only x stays; y still moves. At the upper or lower one it is the other way "
            "round.",
        ),
    ),
    hints=(
        "`np.unravel_index(heatmap.argmax(), heatmap.shape)` is the row and the column of the brightest place.",
        "Do the same for a line of the map, `heatmap[row]` or `heatmap[:, column]`, and a position in it.",
        "Take the logarithms of the three values around the position, unless it is the first or the last of its line.",
    ),
    remark="detection.decode_heatmaps does it for any number of maps at once.",
)


# 13.4 Balance the losses ----------------------------------------------------------------------------------------------


def balance(signals):
    """The reference answer."""
    return _balanced(signals)


def _length(signal) -> float:
    return float(np.sqrt(np.sum(np.square(signal, dtype=float))))


def _balanced(
    signals,
    length: Callable = _length,
    share: Callable = lambda lengths: 1 / lengths,
    scale: Callable = np.mean,
    refuse: bool = True,
) -> np.ndarray:
    """Weights with one part of the recipe exchanged."""
    lengths = np.array([length(signal) for signal in signals])
    if refuse and (lengths == 0).any():
        raise ValueError
    weights = share(lengths)
    return weights / scale(weights)


def _silent_if(silent: Callable[[np.ndarray], bool]) -> Callable:
    def answer(signals):
        if any(silent(signal) for signal in signals):
            raise ValueError
        return _balanced(signals, refuse=False)

    return answer


def _signal_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(([np.array([[0.6, 0.8]]), np.array([[3.0, 0.0]])],), about="lengths 1 and 3")
    for heads in (2, 3, 4, 5):
        factors = 10.0 ** rng.uniform(-3, 1, heads)
        shape = tuple(int(n) for n in rng.integers(2, 5, 3))
        sparse = [(rng.random(shape) < rng.uniform(0.2, 1)) * rng.normal(size=shape) * f for f in factors]
        for each, f in zip(sparse, factors):
            each.flat[0] = f
        yield Case((sparse,), about=f"{heads} heads")
    square = np.array([[1.0, 0.0], [0.0, 1.0]])
    yield Case(([square, np.array([[2.0, 2.0], [2.0, 2.0]])],), about="two arrays of 2x2")
    yield Case(([np.array([[1.0, -1.0]]), np.array([[3.0, 4.0]])],), about="a signal whose numbers add up to 0")
    yield Case(([np.array([[3, 0], [0, 4]]), np.array([[2, 1], [2, 0]])],), about="signals of whole numbers")
    yield Case(([np.array([[3e-9, 4e-9]]), np.array([[3.0, 4.0]])],), about="a signal that is very quiet, not silent")
    yield Case(([np.ones((2, 2)), np.zeros((2, 2))],), raises=ValueError, about="a head that is silent")


BALANCE = FunctionExercise(
    "13.4",
    "Balance the losses",
    reference=balance,
    cases=_signal_cases,
    misconceptions=(
        Misconception(
            lambda signals: _balanced(signals, share=lambda lengths: lengths),
            "The loudest head gets the largest weight. It should be the other way round.",
        ),
        Misconception(
            lambda signals: _balanced(signals, scale=np.sum),
            "Your weights add up to 1. Their *mean* should be 1, as if all were 1.",
        ),
        Misconception(
            lambda signals: _balanced(signals, scale=np.max),
            "Your largest weight is 1. Their *mean* should be 1.",
        ),
        Misconception(
            lambda signals: _balanced(signals, scale=lambda weights: weights[0]),
            "Your first weight is 1. Their *mean* should be 1.",
        ),
        Misconception(
            lambda signals: _balanced(signals, scale=lambda weights: 1 / np.mean(1 / weights)),
            "You divide the mean length by each length. That gives the *weights* another mean than 1.",
        ),
        Misconception(
            lambda signals: _balanced(signals, scale=lambda weights: 1.0),
            "The signals are equally long now, and the weights have no scale: their mean should be 1.",
        ),
        Misconception(
            lambda signals: _balanced(signals, share=lambda lengths: 1 / lengths**2),
            "You divide by the sum of the squares. The length is its root.",
        ),
        Misconception(
            lambda signals: _balanced(signals, share=lambda lengths: 1 / np.sqrt(lengths)),
            "You take the root twice: the signals come closer, but are not equally long.",
        ),
        Misconception(
            lambda signals: _balanced(signals, length=lambda signal: np.abs(signal).sum()),
            "You add up absolute values. The length is the root of the sum of squares.",
        ),
        Misconception(
            lambda signals: _balanced(signals, length=lambda signal: np.abs(signal).max()),
            "You take the largest number of each signal. The length is the root of the sum of squares.",
        ),
        Misconception(
            lambda signals: _balanced(signals, length=np.std),
            "A standard deviation takes the mean off first. Take the squares as they are.",
        ),
        Misconception(
            lambda signals: _balanced(signals, length=lambda signal: np.linalg.norm(signal, 2)),
            "With `ord=2` the norm of a matrix is another thing, and more axes are an error. `np.linalg.norm(signal)` "
            "without it takes all numbers, whatever the shape.",
        ),
        Misconception(
            _silent_if(lambda signal: np.sum(signal) == 0),
            "Numbers that add up to 0 are not silent: 1 and -1 do. All of them must be 0.",
        ),
        Misconception(
            _silent_if(lambda signal: np.allclose(signal, 0)),
            "A quiet head is refused. Only one whose signal *is* 0 everywhere is silent.",
        ),
        Misconception(
            lambda signals: _balanced(signals, refuse=False),
            "No weight makes a silent head heard: raise a ValueError.",
        ),
    ),
    hints=(
        "A signal times w is w times as long.",
        "`np.linalg.norm(signal)` of an array with more than two axes is the root of the sum of squares.",
        "Take one over each length, then divide by the mean of these numbers.",
    ),
    remark="Balanced once is not balanced for ever: GradNorm (Chen and others 2018) does this while it trains.",
)


EXERCISES = [ROI_ALIGN, CONTRACT, DECODE, BALANCE, RIGHT_MASKS, PANOPTIC]
