"""Of the checks of lesson 12 those that work on whole images: counting objects, and stitching tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 12.5 From mask to count ----------------------------------------------------------------------------------------------

_CORNERS = np.ones((3, 3))
_FALLING = np.tri(3, k=1) * np.tri(3, k=1).T  # edges, and the corners of one diagonal


def count_objects(mask, smallest):
    """The reference answer."""
    return _counted(mask, smallest)


def _counted(
    mask,
    smallest,
    structure: np.ndarray | None = None,
    keep: Callable = lambda sizes, smallest: sizes >= smallest,
    refuse: bool = True,
    wrap: bool = False,
    background: bool = False,
) -> int:
    """The count with one of its parts exchanged."""
    if refuse and smallest < 1:
        raise ValueError
    names, _ = ndimage.label(np.asarray(mask) != 0, structure)
    if wrap:
        for side in (names, names.T):  # views: what is joined in one is joined in the other
            for place in range(side.shape[1]):
                first, last = side[0, place], side[-1, place]
                if first and last:
                    side[side == last] = first
    sizes = np.bincount(names.ravel())[0 if background else 1 :]
    return int(np.sum(keep(sizes[sizes > 0], smallest)))


def _without_the_edge(mask, smallest):
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1]
    return _counted(inner, smallest)


def _object_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(height: int, width: int, share: float) -> np.ndarray:
        return (rng.random((height, width)) < share).astype("uint8")

    two = np.zeros((5, 5), "uint8")
    two[:2, :2] = two[3:, 3:] = 1
    yield Case((two, 1), about="two squares of 2x2")
    touching = np.zeros((4, 4), "uint8")
    touching[:2, :2] = touching[2:, 2:] = 1
    yield Case((touching, 1), about="two squares that touch at a corner")
    yield Case((touching[:, ::-1].copy(), 1), about="two squares that touch at a corner, the other way round")
    yield Case((two, 4), about="`smallest` is exactly the size of both")
    yield Case((two, 5), about="`smallest` is one more than the size of both")
    bent = np.zeros((6, 6), "uint8")
    bent[0, :5] = bent[:5, 4] = bent[4, 1:5] = bent[2:5, 1] = 1
    bent[2, 2] = 1
    yield Case((bent, 3), about="one spiral")
    ring = np.pad(np.zeros((2, 3), "uint8"), 1, constant_values=1)
    yield Case((ring, 2), about="a ring")
    island = np.pad(np.pad(np.ones((1, 1), "uint8"), 1), 1, constant_values=1)
    yield Case((island, 1), about="a ring around a pixel")
    yield Case((island[:, :4].copy(), 2), about="a ring that is open")
    arms = np.ones((3, 5), "uint8")
    arms[:2, 1::2] = 0
    yield Case((arms, 1), about="three arms that meet below")
    yield Case((arms.astype(bool), 9), about="three arms of 9 pixels together, as truth values")
    steps = np.eye(4, dtype="uint8")
    steps[np.arange(3), np.arange(1, 4)] = 1
    yield Case((steps, 8), about="a staircase of 7 pixels in a square of 16")
    across = np.zeros((4, 5), "uint8")
    across[1, 0] = across[1, -1] = across[0, 2] = across[-1, 2] = 1
    yield Case((across, 1), about="parts at opposite edges")
    yield Case((np.zeros((3, 4), "uint8"), 1), about="nothing")
    yield Case((np.ones((3, 4), "uint8"), 1), about="the mask is full")
    for share, smallest in ((0.3, 1), (0.5, 2), (0.45, 3), (0.6, 4)):
        yield Case((draw(9, 12, share), smallest), about="a random mask")
    yield Case((two, 0), raises=ValueError, about="smallest=0")
    yield Case((two, -3), raises=ValueError, about="smallest=-3")


def _holes_filled(mask, smallest):
    return _counted(ndimage.binary_fill_holes(mask), smallest)


def _one_pass(mask, smallest):
    """A pixel takes the name above it, or the one on its left, and names that meet are not joined."""
    if smallest < 1:
        raise ValueError
    names, count = np.zeros(np.add(mask.shape, 1), int), 0
    for y, x in np.argwhere(mask):
        names[y + 1, x + 1] = names[y, x + 1] or names[y + 1, x]
        if not names[y + 1, x + 1]:
            count += 1
            names[y + 1, x + 1] = count
    return int(np.sum(np.bincount(names.ravel())[1:] >= smallest))


def _extents(mask, smallest):
    """The size of a part is that of the rectangle around it."""
    if smallest < 1:
        raise ValueError
    found = ndimage.find_objects(ndimage.label(mask)[0])
    return sum((y.stop - y.start) * (x.stop - x.start) >= smallest for y, x in found)


def _pixels(mask, smallest):
    if smallest < 1:
        raise ValueError
    return int(np.sum(mask) // smallest)


def _rows(mask, smallest):
    """Runs of each row by itself."""
    if smallest < 1:
        raise ValueError
    starts = np.diff(np.pad(np.asarray(mask).astype(int), ((0, 0), (1, 1))), axis=1)
    begin, end = np.argwhere(starts == 1), np.argwhere(starts == -1)
    return int(np.sum(end[:, 1] - begin[:, 1] >= smallest))


def _objects_with(**change) -> Callable:
    return lambda mask, smallest: _counted(mask, smallest, **change)


COUNT = FunctionExercise(
    "12.5",
    "From mask to count",
    reference=count_objects,
    cases=_object_cases,
    misconceptions=(
        *(
            Misconception(
                _objects_with(structure=structure),
                "Two parts that touch at a corner only are one with you. Neighbours share an *edge*.",
            )
            for structure in (_CORNERS, _FALLING, _FALLING[:, ::-1])
        ),
        Misconception(
            _objects_with(keep=lambda sizes, smallest: sizes > smallest),
            "A part of exactly `smallest` pixels counts too: *at least*.",
        ),
        Misconception(
            _objects_with(keep=lambda sizes, smallest: sizes > 0),
            "Small parts are counted. What is `smallest` for?",
        ),
        Misconception(
            _objects_with(keep=lambda sizes, smallest: sizes < smallest), "You count the parts that are too small."
        ),
        Misconception(_objects_with(background=True), "The background is counted as an object."),
        Misconception(_objects_with(wrap=True), "Parts at opposite edges are joined: neighbours go round the image."),
        Misconception(
            _holes_filled, "What lies inside a ring is another part, with background between: holes are not filled."
        ),
        Misconception(
            _one_pass,
            "Two arms that meet further down are one part. In one pass over the rows they get two names, which must be "
            "joined where they meet.",
        ),
        Misconception(
            _extents, "You measure the rectangle around a part. `smallest` is about the pixels that belong to it."
        ),
        Misconception(_pixels, "You divide pixels by a size. Count the parts, whatever their sizes."),
        Misconception(_rows, "You count runs in rows. A part goes on in the rows above and below."),
        Misconception(_without_the_edge, "Pixels at the edge of the image belong to objects too."),
        Misconception(_objects_with(refuse=False), "Every object has a pixel. Raise a ValueError below 1."),
    ),
    hints=(
        "Take a pixel of the mask that you have not visited, visit all that you can reach from it, and count them. "
        "That is one part.",
        "`names, number = ndimage.label(mask)` does it, with neighbours by edges: each part has a number of its own.",
        "`np.bincount` counts how often each number occurs. What does its first entry stand for?",
    ),
)


# 12.6 Tile and stitch -------------------------------------------------------------------------------------------------


class LocalNetwork:
    """A network that takes squares of one size, and sees ``radius`` pixels far; zeros beyond the edge.

    It adds 1 to the image first, as a layer with a bias does, so zeros around the image are not zeros beyond the edge.
    """

    def __init__(self, tile: int, radius: int, rng: np.random.Generator):
        self.tile, side = tile, 2 * radius + 1
        # Above and left positive, below and right negative: a missing border makes some values smaller, some larger.
        signs = np.where(np.arange(side**2) <= side**2 // 2, 1, -1).reshape(side, side)
        self.weights = signs * rng.uniform(0.5, 1.5, (side, side))

    def whole(self, image: np.ndarray) -> np.ndarray:
        """What it would give for an image of any size."""
        return ndimage.correlate(np.asarray(image, dtype=float) + 1, self.weights, mode="constant")

    def __call__(self, piece):
        if np.shape(piece) != (self.tile, self.tile):
            raise ValueError(f"predict was given {np.shape(piece)}; it takes {(self.tile, self.tile)}")
        return self.whole(piece)

    def __repr__(self) -> str:
        return "predict"


def stitch(predict, image, tile, margin):
    """The reference answer."""
    return _stitched(predict, image, tile, margin)


def _stitched(
    predict,
    image,
    tile,
    margin,
    step: Callable[[int, int], int] = lambda tile, margin: tile - 2 * margin,
    cut: Callable[[int, int], int] = lambda start, margin: margin if start else 0,
    last: bool = True,
    average: bool = False,
    keep: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    refuse: bool = True,
    at_edges: bool = True,
) -> np.ndarray:
    """Stitching with one of its parts exchanged."""
    if 2 * margin >= tile:
        if refuse:
            raise ValueError
        return np.zeros(image.shape)
    starts = [
        [*range(0, side - tile + (0 if last else 1), step(tile, margin)), *([side - tile] if last else [])]
        for side in image.shape
    ]
    result, times = np.zeros(image.shape), np.zeros(image.shape)
    for top in starts[0]:
        for left in starts[1]:
            answer = predict(image[top : top + tile, left : left + tile])
            y, x = cut(top, margin), cut(left, margin)
            ends = [tile if at_edges else tile - margin] * 2
            place = np.s_[top + y : top + ends[0], left + x : left + ends[1]]
            if keep is not None:
                whole = np.s_[top : top + tile, left : left + tile]
                result[whole] = np.where(times[whole] > 0, keep(result[whole], answer), answer)
                times[whole] = 1
            elif average:
                result[top : top + tile, left : left + tile] += answer
                times[top : top + tile, left : left + tile] += 1
            else:
                result[place] = answer[y : ends[0], x : ends[1]]
    return result / np.maximum(times, 1) if average else result


def _padded(mode: str) -> Callable:
    """Makes up pixels beyond the edge of the image, so that all tiles are alike."""

    def answer(predict, image, tile, margin):
        if 2 * margin >= tile:
            raise ValueError
        step, (height, width) = tile - 2 * margin, image.shape
        padded = np.pad(image, ((margin, tile), (margin, tile)), mode=mode)
        result = np.zeros((height + tile, width + tile))
        for top in range(0, height, step):
            for left in range(0, width, step):
                answer = predict(padded[top : top + tile, left : left + tile])
                inner = answer[margin : tile - margin, margin : tile - margin]
                result[top : top + step, left : left + step] = inner
        return result[:height, :width]

    return answer


def _filled_up(predict, image, tile, margin):
    """Adds zeros below and on the right, so that the steps fit; the first tile begins at the edge of the image."""
    if 2 * margin >= tile:
        raise ValueError
    step = tile - 2 * margin
    sides = [tile + -(-(side - tile) // step) * step for side in image.shape]
    larger = np.pad(image, [(0, side - own) for side, own in zip(sides, image.shape)])
    return _stitched(predict, larger, tile, margin)[: image.shape[0], : image.shape[1]]


def _stitch_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(height: int, width: int, tile: int, margin: int, kind: str = "float64") -> tuple:
        image = rng.random((height, width)) if kind == "float64" else rng.integers(0, 9, (height, width)).astype(kind)
        return LocalNetwork(tile, margin, rng), image, tile, margin

    yield Case(draw(8, 8, 8, 1), about="the image is one tile")
    yield Case(draw(14, 14, 8, 1), about="steps of 6 fit exactly")
    yield Case(draw(17, 12, 8, 2), about="the sides are no multiples")
    yield Case(draw(9, 21, 7, 1), about="more columns than rows")
    yield Case(draw(23, 10, 9, 3), about="a margin of a third")
    yield Case(draw(10, 13, 5, 2), about="one pixel is left of each tile")
    yield Case(draw(19, 11, 8, 3), about="two pixels are left of each tile")
    yield Case(draw(12, 8, 4, 0), about="a network that sees single pixels, margin=0")
    yield Case(draw(8, 9, 8, 1), about="one column more than a tile")
    yield Case(draw(14, 9, 8, 1, "int16"), about="an image of whole numbers, and answers that are none")
    yield Case(draw(12, 12, 6, 3), raises=ValueError, about="margins that take all of a tile")
    yield Case(draw(12, 12, 6, 4), raises=ValueError, about="margins larger than a tile")


def _stitch_with(**change) -> Callable:
    return lambda predict, image, tile, margin: _stitched(predict, image, tile, margin, **change)


STITCH = FunctionExercise(
    "12.6",
    "Tile and stitch",
    reference=stitch,
    cases=_stitch_cases,
    misconceptions=(
        Misconception(
            _stitch_with(step=lambda tile, margin: tile, cut=lambda start, margin: 0),
            "The tiles lie edge to edge, and the values near their edges are wrong. Let them overlap.",
        ),
        Misconception(
            _stitch_with(step=lambda tile, margin: max(tile - margin, 1)),
            "Two neighbours each have a margin that is wrong. An overlap of one margin is not enough.",
        ),
        Misconception(
            _stitch_with(cut=lambda start, margin: 0),
            "The tiles overlap, and the wrong rows and columns at the beginning of a tile are written over right ones.",
        ),
        Misconception(
            _stitch_with(average=True), "You average where tiles overlap. A mean with a wrong value in it is wrong."
        ),
        *(
            Misconception(
                _stitch_with(keep=keep),
                "Where tiles overlap you keep the larger or the smaller of two answers. A wrong value may be either.",
            )
            for keep in (np.maximum, np.minimum)
        ),
        Misconception(
            _stitch_with(cut=lambda start, margin: margin),
            "At the upper and left edge of the image nothing is left. A tile is right at an edge of the image.",
        ),
        Misconception(
            _stitch_with(at_edges=False),
            "At the lower and right edge of the image nothing is left. A tile's edge that is an edge of the image is "
            "right.",
        ),
        Misconception(
            _stitch_with(cut=lambda start, margin: margin, at_edges=False),
            "At the edges of the image nothing is left. A tile is right at an edge of the image: cut a margin only "
            "where another tile goes on.",
        ),
        Misconception(
            _stitch_with(last=False),
            "At the lower or right edge a part has no answer. One more tile should end exactly at the edge.",
        ),
        *(
            Misconception(
                wrong, "Beyond the edge of the image you made up pixels. A tile that ends at the edge is right there."
            )
            for wrong in (*map(_padded, ("constant", "reflect", "symmetric", "edge")), _filled_up)
        ),
        Misconception(
            lambda predict, image, tile, margin: _stitched(predict, image, tile, margin).astype(image.dtype),
            "Your result has the type of the image: for an image of whole numbers the fractions of the answers are cut "
            "off. `np.zeros(image.shape)` makes an array of floats, `np.zeros_like(image)` does not.",
        ),
        Misconception(
            lambda predict, image, tile, margin: predict(image),
            "The network takes one size only: `tile` x `tile` pixels.",
        ),
        Misconception(
            _stitch_with(refuse=False), "Between margins that meet nothing of a tile is left. Raise a ValueError."
        ),
    ),
    hints=(
        "One side first. A tile of 8 with margins of 1 has 6 right values inside. Where must the next tile begin?",
        "The last tile ends where the image ends, so it begins at `side - tile`, wherever the one before began.",
        "If tiles come in order and each is written from its margin to its *end*, the next overwrites the wrong end. "
        "The first tile has no margin before it.",
    ),
)
