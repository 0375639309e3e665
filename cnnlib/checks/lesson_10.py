"""The checks of lesson 10, seeing what a CNN sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from keras import ops

from cnnlib import gradients
from cnnlib.exercises.compare import Opaque
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception, ValueExercise, misspells, says

SPELLING = "One of your words is not among those of the text: compare the spelling."

# 10.1 Grad-CAM from scratch -------------------------------------------------------------------------------------------


class Head:
    """What follows a layer, as a function of its maps: an average or a sum, perhaps a bend, a dense layer."""

    def __init__(self, weights: np.ndarray, kind: str):
        self.weights, self.kind = np.asarray(weights, "float32"), kind

    def __call__(self, maps):
        if self.kind == "bend":
            maps = ops.tanh(maps) * maps
        if self.kind == "where":
            height, width = maps.shape[:2]
            ramp = np.linspace(-0.9, 2.1, height * width, dtype="float32").reshape(height, width, 1)
            maps = maps * ops.convert_to_tensor(ramp)
        pooled = ops.max(maps, axis=(0, 1)) if self.kind == "max" else ops.mean(maps, axis=(0, 1))
        return ops.matmul(pooled, ops.convert_to_tensor(self.weights))

    def __repr__(self) -> str:
        return f"head of {self.weights.shape[1]} classes"


def my_grad_cam(head, maps, label):
    """The reference answer."""
    return _cam(head, maps, label)


def _gradient(head, maps, label) -> np.ndarray:
    return gradients.value_and_grad(lambda maps: head(maps)[label], jit=False)(np.asarray(maps, "float32"))[1]


def _cam(
    head,
    maps,
    label,
    weigh: Callable[[np.ndarray], np.ndarray] = lambda gradient: gradient.mean(axis=(0, 1)),
    combine: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda maps, weights: (maps * weights).sum(axis=-1),
    cut: Callable[[np.ndarray], np.ndarray] = lambda found: np.maximum(found, 0),
) -> np.ndarray:
    """Grad-CAM with one of its parts exchanged."""
    return cut(combine(np.asarray(maps), weigh(_gradient(head, maps, label))))


def _of_the_best(head, maps, label):
    return _cam(head, maps, int(np.argmax(ops.convert_to_numpy(head(ops.convert_to_tensor(maps))))))


def _all_classes(head, maps, label):
    classes = head.weights.shape[1]
    return np.maximum(sum(_cam(head, maps, k, cut=lambda found: found) for k in range(classes)), 0)


def _of_the_probability(head, maps, label):
    return _cam(lambda maps: ops.softmax(head(maps)), maps, label)


def _to_a_maximum_of_1(came: object, expected: np.ndarray, case: Case) -> bool:
    """The map divided by its maximum, or moved to 0 to 1; of a map of zeros that is anything."""
    if not np.any(expected):
        return True
    moved = ((low, expected.max() - low) for low in (0, expected.min()))
    return np.shape(came) == np.shape(expected) and any(
        np.allclose(np.asarray(came) * span + low, expected, rtol=1e-3, atol=1e-5) for low, span in moved
    )


def _cam_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(height: int, width: int, channels: int, classes: int, kind: str, label: int) -> tuple:
        maps = np.maximum(rng.normal(0.4, 1, (height, width, channels)), 0).astype("float32")
        weights = rng.normal(0, 1, (channels, classes))
        weights[:, label] += np.where(np.arange(channels) % 2, 0.8, -0.8)
        return Head(weights, kind), maps, label

    yield Case(draw(3, 3, 2, 3, "mean", 1), about="two maps, behind them an average and a dense layer")
    yield Case(draw(4, 6, 5, 4, "mean", 0), about="maps that are wider than high")
    yield Case(draw(4, 6, 5, 4, "mean", 3), about="the last class")
    yield Case(draw(5, 5, 5, 5, "where", 2), about="a head to which places differ")
    yield Case(draw(5, 3, 4, 3, "bend", 1), about="a head that is not linear")
    yield Case(draw(4, 5, 3, 4, "max", 2), about="a head that takes the maximum of each map")
    head, maps, label = draw(4, 4, 4, 3, "mean", 0)
    yield Case((head, maps - np.float32(0.5), label), about="maps that are partly below zero")


GRAD_CAM = FunctionExercise(
    "10.1",
    "Grad-CAM from scratch",
    reference=my_grad_cam,
    cases=_cam_cases,
    rtol=1e-3,
    atol=1e-5,
    time_limit=30.0,
    misconceptions=(
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, cut=lambda found: found),
            "Some places are below zero. Those speak against the class; Grad-CAM drops them.",
        ),
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, cut=np.abs),
            "You take absolute values. What speaks against the class would then look like evidence for it.",
        ),
        Misconception(_to_a_maximum_of_1, "You scale the map to a maximum of 1. The formula does not.", predicate=True),
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, weigh=lambda g: g),
            "You multiply each place by its own gradient. A map has *one* weight, the mean of its gradient over all "
            "places.",
        ),
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, weigh=lambda g: g.sum(axis=(0, 1))),
            "The gradients are added up over the places. Their mean is asked for.",
        ),
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, weigh=lambda g: g.max(axis=(0, 1))),
            "You take the largest gradient of each map. The mean over its places is asked for.",
        ),
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, weigh=lambda g: np.maximum(g, 0).mean(axis=(0, 1))),
            "Negative gradients are dropped before the mean. Drop what is negative once, at the end, in the sum.",
        ),
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, weigh=lambda g: np.maximum(g.mean(axis=(0, 1)), 0)),
            "A map with a negative weight counts, too. Drop what is negative at the end.",
        ),
        Misconception(
            lambda head, maps, label: _cam(
                head, maps, label, combine=lambda m, w: np.maximum(m * w, 0).sum(axis=-1), cut=lambda found: found
            ),
            "Negative parts are dropped map by map. Add the weighted maps first: what speaks against the class counts.",
        ),
        Misconception(
            lambda head, maps, label: _cam(head, maps, label, combine=lambda m, w: (m * w).mean(axis=-1)),
            "You take the mean over the maps. The weighted maps are added up.",
        ),
        Misconception(
            lambda head, maps, label: np.maximum(_gradient(head, maps, label).mean(axis=-1), 0),
            "That is the gradient alone. The maps themselves, weighted, make the picture.",
        ),
        Misconception(
            lambda head, maps, label: np.asarray(maps).sum(axis=-1),
            "That is the sum of the maps, whatever class is asked for. Each needs its weight.",
        ),
        Misconception(
            _of_the_best, "That is the map of the class with the highest score. The class `label` is asked for."
        ),
        Misconception(
            _all_classes, "You differentiate the sum of all scores. Take the one of `label` inside the function."
        ),
        Misconception(_of_the_probability, "Differentiate the score, not the probability."),
    ),
    hints=(
        "Which number is differentiated, and by what? The score of one class, by the maps.",
        "`gradients.value_and_grad` wants a function of the maps that returns one number: the score of `label`. It "
        "hands back that number and an array in the shape of the maps.",
        "The weights are the mean of that array over its first two axes, one for each map. Then a weighted sum over "
        "the last axis, and the maximum with 0.",
    ),
    remark="With a batch, this is `explain.grad_cam`. Nothing in it knew which backend you use.",
)


# 10.2 Which layer? ----------------------------------------------------------------------------------------------------


WHICH_LAYER = ValueExercise(
    "10.2",
    "Which layer?",
    expected={"evidence": "head_relu6", "two": "block5c_add", "edges": "stem_relu6", "nothing": "avg_pool"},
    misconceptions=(
        Misconception(misspells("stem_relu6", "block2b_add", "block5c_add", "head_relu6", "avg_pool"), SPELLING),
        Misconception(
            says("evidence", "stem_relu6", "block2b_add"),
            "Early maps are fine, and know edges. Where has most of the network been passed, and there still is a map?",
        ),
        Misconception(
            says("evidence", "avg_pool"),
            "Behind the average there are 1,280 numbers and no places. A map needs height and width.",
        ),
        Misconception(
            says("evidence", "block5c_add"),
            "Half-way down, the figure shows less than a third of the map in the right tile. There is a later one.",
        ),
        Misconception(
            says("two", "head_relu6"),
            "Of 224 pixels each of 7 places stands for 32. Two centres that are 40 apart are neighbours there: one "
            "hill.",
        ),
        Misconception(
            says("two", "block2b_add", "stem_relu6"),
            "Fine enough, but of its seven stages only the first few have been passed.",
        ),
        Misconception(says("two", "avg_pool"), "The average has thrown the places away, so nothing can be separated."),
        Misconception(
            says("edges", "block2b_add"),
            "Its units have seen far more than three pixels by three: a convolution of 3, with a stride, came before.",
        ),
        Misconception(
            says("edges", "head_relu6", "block5c_add"),
            "So late a layer has seen most of the picture, and tells classes apart.",
        ),
        Misconception(
            says("edges", "avg_pool"), "It has no map. Which layer comes right behind the first convolution?"
        ),
        Misconception(
            says("nothing", "stem_relu6", "block2b_add", "block5c_add", "head_relu6"),
            "That layer has height and width; its size stands beside it. Which one has none?",
        ),
    ),
    hints=(
        "Divide 224 by the number of places: so many pixels does one place stand for.",
        "Of five layers you need four. The one without a size has no map.",
        "Two hills need at least one lower place between them, so the centres must be more than two places apart.",
    ),
    remark="Where the last map is too coarse, feed the picture larger, or parts of it: the maps grow along.",
)


# 10.3 Occlusion -------------------------------------------------------------------------------------------------------


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


# 10.4 Pointing game ---------------------------------------------------------------------------------------------------


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


# 10.6 Is this map to be trusted? --------------------------------------------------------------------------------------

TRUSTED = ValueExercise(
    "10.6",
    "Is this map to be trusted?",
    expected={"a": "picture", "b": "sound", "c": "guess", "d": "shortcut", "e": "coarse"},
    misconceptions=(
        Misconception(misspells("sound", "picture", "guess", "shortcut", "coarse"), SPELLING),
        Misconception(
            says("a", "sound"),
            "A map that stays the same when nothing learnt is left cannot be about what was learnt, however right it "
            "looks.",
        ),
        Misconception(
            says("a", "guess", "shortcut", "coarse"),
            "What did not change in `a`, although all weights did? That is what the map shows.",
        ),
        Misconception(
            says("c", "sound"),
            "`c` depends on the weights, and that is all. What does a blind finger hit among four tiles?",
        ),
        Misconception(says("c", "picture"), "`c` does change with the weights, so it is not the picture alone."),
        Misconception(
            says("c", "shortcut", "coarse"),
            "A map that is wrong about tiles tells nothing about the network. Compare 27 % with chance.",
        ),
        Misconception(
            says("d", "sound"), "The map of `d` has passed its tests. Now believe it: what does the network look at?"
        ),
        Misconception(
            says("d", "picture", "guess", "coarse"),
            "The method of `d` is the one of `b`, and reliable. Then it is the network that looks at a letter.",
        ),
        Misconception(says("e", "sound"), "In `e` each place stands for 32 pixels. Can it separate what is 12 apart?"),
        Misconception(
            says("e", "picture", "guess", "shortcut"),
            "The method of `e` is the one of `b`. What about the question that it is asked? 224 divided by 7 is 32.",
        ),
        Misconception(
            says("b", "picture", "guess", "shortcut", "coarse"),
            "`b` changes with the weights and points far better than one in four. What more did this page ask?",
        ),
    ),
    hints=(
        "Two tests in this order: does it depend on the weights, and does it point better than a guess?",
        "One tile in four is hit by chance.",
        "`d` and `e` use a method that passes both. In one of them the network is at fault, in the other the question.",
    ),
    remark="And if a map passes everything, it still says where, not why.",
)


EXERCISES = [GRAD_CAM, WHICH_LAYER, OCCLUSION, POINTING, SHORTCUT, TRUSTED]
