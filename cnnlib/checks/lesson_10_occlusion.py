"""The check of exercise 10.3, occlusion: probabilities that notice what is done to the image they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception


class Brightness:
    """A probability that depends on the mean and on some places of the image."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def __call__(self, image) -> float:
        image = np.asarray(image, float)
        if image.shape != self.weights.shape:
            raise ValueError(f"the image has shape {image.shape}; the network takes {self.weights.shape}")
        return float(1 / (1 + np.exp(-(self.weights * image).sum())))

    def __repr__(self) -> str:
        return "probability"


class Lent(np.ndarray):
    """An image that remembers the copy of it that was handed out last."""

    def copy(self, order="C"):
        self.handed = np.array(self, order=order)
        return self.handed

    @property
    def changed(self) -> bool:
        return hasattr(self, "handed") and not np.array_equal(self.handed, np.asarray(self))


class Suspicious(Brightness):
    """A probability that is NaN if the image of the call before was given back changed."""

    def __init__(self, weights: np.ndarray, lent: Lent):
        super().__init__(weights)
        self.lent = lent

    def __call__(self, image) -> float:
        return np.nan if self.lent.changed else super().__call__(image)


def _left_changed(came: object, expected: object, case: Case) -> bool:
    return isinstance(case.args[0], Suspicious) and bool(np.isnan(np.asarray(came, float)).all())


def occlude(probability, image, window, stride, fill=0.0):
    """The reference answer."""
    return _occluded(probability, image, window, stride, fill)


def _occluded(
    probability,
    image,
    window,
    stride,
    fill=0.0,
    fall: Callable[[float, float], float] = lambda whole, hidden: whole - hidden,
    last: int = 1,
    keep: bool | None = True,
    step: Callable[[int, int], int] = lambda window, stride: stride,
    value: Callable[[float, np.ndarray], float] = lambda fill, image: fill,
    rows: Callable[[int, int], int] = lambda row, column: row,
    outside: bool = False,
    limits: Callable[[int, int, int, int], bool] = lambda h, w, window, stride: window > min(h, w) or stride < 1,
) -> np.ndarray:
    """Occlusion with one of its parts exchanged."""
    height, width = image.shape[:2]
    if limits(height, width, window, stride):
        raise ValueError
    whole, pace = probability(image), step(window, stride)
    tops, lefts = range(0, height - window + last, pace), range(0, width - window + last, pace)
    falls, copy = np.zeros((len(tops), len(lefts))), image if keep is None else image.copy()
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            copy = image.copy() if keep else copy
            square = (slice(top, top + window), slice(left, left + window))
            if outside:
                copy[:] = fill
                copy[square] = image[square]
            else:
                copy[square] = value(fill, image)
            falls[row, column] = fall(whole, probability(copy))
    return falls


def _as_map(came: object, expected: np.ndarray, case: Case) -> bool:
    """A number for each pixel; where the places are as many as the pixels, nothing can be told."""
    return np.shape(came)[:2] == case.args[1].shape[:2] and np.shape(came) != np.shape(expected)


def _transposed(probability, image, window, stride, fill=0.0):
    return _occluded(probability, image, window, stride, fill).T


def _occlusion_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(height: int, width: int, channels: int) -> tuple[Brightness, np.ndarray]:
        image = rng.random((height, width, channels)).astype("float32")
        return Brightness(rng.normal(0, 0.4, image.shape)), image

    yield Case((*draw(8, 6, 1), 4, 2), about="the example of the exercise")
    network, image = draw(5, 5, 1)
    lent = image.view(Lent)
    yield Case((network, lent, 2, 3), about="an image that is looked at again afterwards")
    yield Case((Suspicious(network.weights, lent), image, 2, 3), about="is the image of the call before as it was?")
    yield Case((*draw(6, 6, 3), 2, 2, 0.5), about="squares side by side, filled with 0.5")
    yield Case((*draw(7, 9, 3), 3, 2, 0.25), about="more columns than rows")
    yield Case((*draw(9, 5, 2), 2, 3), about="a stride larger than the square")
    yield Case((*draw(8, 8, 1), 3, 2, 1.0), about="a rest at the border where no square fits")
    yield Case((*draw(5, 4, 1), 4, 1), about="a square as wide as the image")
    network, _ = draw(6, 7, 3)
    yield Case((network, rng.integers(0, 3, (6, 7, 3)), 3, 2), about="an image of whole numbers")
    image = np.zeros((4, 4, 1), "float32")
    image[1, 2] = 1
    yield Case((Brightness(np.where(image > 0, 3.0, 0.0)), image, 1, 1), about="one pixel that counts")
    yield Case((*draw(4, 6, 1), 5, 1), raises=ValueError, about="a square that is higher than the image")
    yield Case((*draw(6, 4, 1), 5, 1), raises=ValueError, about="a square that is wider than the image")
    yield Case((*draw(4, 4, 1), 2, 0), raises=ValueError, about="a stride of 0")
    yield Case((*draw(4, 4, 1), 2, -1), raises=ValueError, about="a stride of -1")


OCCLUSION = FunctionExercise(
    "10.3",
    "Occlusion",
    reference=occlude,
    cases=_occlusion_cases,
    atol=1e-5,
    misconceptions=(
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, fall=lambda whole, hidden: hidden
            ),
            "That is what is left of the probability. The *fall* is asked for: what it was, minus what is left.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, fall=lambda whole, hidden: hidden - whole
            ),
            "The sign is the opposite one. A place that counts has a positive fall.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, fall=lambda whole, hidden: abs(whole - hidden)
            ),
            "You take absolute values. Some places speak against the class: without them the probability rises.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, fall=lambda whole, hidden: (whole - hidden) / whole
            ),
            "You divide by the probability. The fall itself is asked for.",
        ),
        *(
            Misconception(
                lambda p, image, window, stride, fill=0.0, keep=keep: _occluded(
                    p, image, window, stride, fill, keep=keep
                ),
                "The squares stay: each is laid over what the ones before have left. Take a fresh copy of the image "
                "for each.",
            )
            for keep in (False, None)  # on one copy, on the caller's image
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(p, image, window, stride, fill, last=0),
            "The last place is missing. A square that ends exactly at the border fits, too.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(p, image, window, stride, fill, last=window),
            "The square runs over the border. It must fit in whole.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, step=lambda window, stride: window
            ),
            "You move by the side of the square. It moves by `stride`.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, value=lambda fill, image: 0.0
            ),
            "The square is filled with 0. It should have the value `fill`.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, value=lambda fill, image: image.mean()
            ),
            "The square is filled with the mean of the image. It should have the value `fill`.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(p, image, window, stride, fill, outside=True),
            "You hide everything *but* the square.",
        ),
        Misconception(_transposed, "Rows and columns have changed places."),
        Misconception(
            _left_changed,
            "The caller's image is not as it was: a square was left on it, the last one perhaps. Work on a copy, or "
            "put back what the square hid each time.",
            predicate=True,
        ),
        Misconception(
            _as_map,
            "That has the size of the image. One number for each place of the square is asked for.",
            predicate=True,
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, limits=lambda h, w, window, stride: stride < 1
            ),
            "A square that is larger than the image does not fit. Raise a ValueError for it.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p,
                image,
                window,
                stride,
                fill,
                limits=lambda h, w, window, stride: window > min(h, w),
            ),
            "With a stride below 1 the square would never arrive. Raise a ValueError for it.",
        ),
        Misconception(
            lambda p, image, window, stride, fill=0.0: _occluded(
                p, image, window, stride, fill, limits=lambda h, w, window, stride: False
            ),
            "Compare window and stride with the image first, and raise a ValueError.",
        ),
    ),
    hints=(
        "`range(0, height - window + 1, stride)` are the rows at which a square can begin.",
        "For each place: copy the image, set the square to `fill`, ask for the probability, and subtract it from that "
        "of the image as it is.",
        "Compare `window` with the *smaller* side of the image, and look at `stride`, before anything else.",
    ),
    remark="`explain.occlusion` asks for many squares at once, and spreads each fall over the pixels that it hid.",
)
