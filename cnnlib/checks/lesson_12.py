"""The checks of lesson 12, semantic segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

from cnnlib.exercises.compare import describe
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, Wrong

IGNORE = 255


# 12.1 Mean IoU --------------------------------------------------------------------------------------------------------


def mean_iou(true, predicted, classes):
    """The reference answer."""
    return _mean_iou(true, predicted, classes)


def _mean_iou(
    true,
    predicted,
    classes,
    score: Callable[[float, float, float], float] = lambda both, t, p: both / (t + p - both),
    absent: float | None = None,
    first: int = 0,
    ignore: bool = True,
    together: bool = False,
    refuse: bool = True,
) -> float:
    """Mean IoU with one of its parts exchanged."""
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape:
        if refuse:
            raise ValueError
        return 0.0
    if ignore:
        true, predicted = true[true != IGNORE], predicted[true != IGNORE]
    found, parts = [], []
    for label in range(first, classes):
        both = np.sum((true == label) & (predicted == label))
        t, p = np.sum(true == label), np.sum(predicted == label)
        if t + p == 0:
            found += [] if absent is None else [absent]
            continue
        found.append(score(both, t, p))
        parts.append((both, t + p - both))
    if together:
        return float(np.sum(parts, axis=0)[0] / np.sum(parts, axis=0)[1])
    return float(np.mean(found)) if found else 0.0


def _accuracy(true, predicted, classes):
    if true.shape != predicted.shape:
        raise ValueError
    counts = true != IGNORE
    return float(np.mean(true[counts] == predicted[counts]))


def _ignored_in_both(true, predicted, classes):
    """Pixels that are ignored stay in the true union, and leave the predicted one."""
    if true.shape != predicted.shape:
        raise ValueError
    return _mean_iou(np.where(true == IGNORE, 0, true), predicted, classes)


def _averaged_over(occurs: Callable, alone: float = 0.0) -> Callable:
    """Mean IoU of the classes that occur in this sense; ``alone``: the score of one with an empty union."""

    def answer(true, predicted, classes):
        here = [label for label in range(classes) if occurs(true == label, predicted == label)]
        return float(np.mean([_mean_iou(true, predicted, label + 1, first=label, absent=alone) for label in here]))

    return answer


def _iou_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(height: int, width: int, labels: list[int], ignored: int) -> tuple[np.ndarray, np.ndarray]:
        true = rng.choice(labels, (height, width))
        predicted = np.where(rng.random(true.shape) < 0.6, true, rng.choice(labels, true.shape))
        true.ravel()[: len(labels)] = labels
        true.ravel()[rng.choice(np.arange(len(labels), true.size), ignored, replace=False)] = IGNORE
        return true, predicted

    example = np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 1]])
    yield Case((*example, 2), about="the example of the exercise")
    yield Case((*example, 3), about="the same, and a class that does not occur")
    yield Case((*draw(6, 7, [0, 1], 0), 2), about="two classes, nothing ignored")
    yield Case((*draw(5, 8, [0, 1, 2], 6), 3), about="three classes, six pixels ignored")
    yield Case((*draw(8, 6, [0, 2, 3], 5), 6), about="classes 1, 4 and 5 occur in neither map")
    yield Case((np.array([[0, 0], [0, 1]]), np.array([[0, 2], [0, 1]]), 3), about="a class that is only predicted")
    yield Case((np.array([[0, 2], [0, 1]]), np.array([[0, 0], [0, 1]]), 3), about="a class that is never predicted")
    hidden = np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 2]])
    yield Case((*hidden, 3), about="a class that is predicted on ignored pixels only")
    true = rng.permutation(np.repeat([1, 2], 6)).reshape(3, 4)
    yield Case((true, true.copy(), 4), about="a perfect answer")
    yield Case((np.zeros((2, 3), int), np.zeros((3, 2), int), 2), raises=ValueError, about="two shapes")
    yield Case((np.zeros((2, 3), int), np.zeros((1, 3), int), 2), raises=ValueError, about="shapes that broadcast")


def _iou_with(**change) -> Callable:
    return lambda true, predicted, classes: _mean_iou(true, predicted, classes, **change)


MEAN_IOU = FunctionExercise(
    "12.1",
    "Mean IoU",
    reference=mean_iou,
    cases=_iou_cases,
    misconceptions=(
        Misconception(
            _iou_with(absent=0.0), "A class that occurs in neither map counts as 0 with you. It has no score at all."
        ),
        Misconception(
            _iou_with(absent=1.0), "A class that occurs in neither map counts as 1 with you. It has no score at all."
        ),
        Misconception(
            _iou_with(ignore=False),
            "What is predicted on pixels with the true label 255 still counts. Take them out of both maps first.",
        ),
        Misconception(_ignored_in_both, "You take 255 as background. These pixels should count for no class at all."),
        Misconception(
            _iou_with(score=lambda both, t, p: 2 * both / (t + p)),
            "That is Dice: it counts the common pixels twice. The union counts them once.",
        ),
        Misconception(
            _iou_with(score=lambda both, t, p: both / t if t else 0.0),
            "You divide by the true pixels only. Pixels that were invented cost nothing then.",
        ),
        Misconception(
            _iou_with(score=lambda both, t, p: both / p if p else 0.0),
            "You divide by the predicted pixels only. Pixels that were missed cost nothing then.",
        ),
        Misconception(
            _iou_with(score=lambda both, t, p: both / (t + p)),
            "True and predicted pixels together count the common ones twice. The union has each pixel once.",
        ),
        Misconception(
            _averaged_over(lambda true, predicted: true.any()),
            "A class that is only predicted is left out. It occurs, and its IoU is 0.",
        ),
        *(
            Misconception(
                _averaged_over(lambda true, predicted: true.any() or predicted.any(), alone),
                "You look for the classes that occur before you leave out the ignored pixels.",
            )
            for alone in (0.0, 1.0, np.nan)
        ),
        Misconception(_accuracy, "That is the share of the pixels that are right. It hides small classes."),
        Misconception(
            _iou_with(together=True),
            "You add up the intersections and the unions of all classes before you divide. Then large classes weigh "
            "more. Divide for each class, then average.",
        ),
        Misconception(_iou_with(first=1), "You leave out class 0. The background is a class like the others."),
        Misconception(
            _iou_with(refuse=False), "Two maps of different shapes cannot be compared. Raise a ValueError for them."
        ),
    ),
    hints=(
        "First throw out the pixels that do not count, from both maps. What is left may be flat.",
        "For one class, `true == label` and `predicted == label` are two masks. How do you get their intersection and "
        "their union, in pixels?",
        "A class whose union has no pixel is skipped. Collect the others in a list and average at the end.",
    ),
)


# 12.2 Build the decoder -----------------------------------------------------------------------------------------------


def _check_decoder(answer: object, rng: np.random.Generator) -> None:
    if not callable(answer):
        raise Wrong("`decoder` should be a function of `features` and `x`.", came=describe(answer))
    from cnnlib.models import common

    with common.without_drawing():  # on JAX each new shape of random numbers takes a second
        for depth in (1, 2):
            _check_one_decoder(answer, depth, rng)


def _check_one_decoder(answer: Callable, depth: int, rng: np.random.Generator) -> None:
    import keras

    channels = rng.permutation(np.arange(3, 10))[: depth + 1].tolist()
    sides = [4 * 2 ** (depth - level) for level in range(depth + 1)]
    inputs = [keras.Input((side, side, count)) for side, count in zip(sides, channels)]
    *features, bottom = inputs
    shown = ", ".join(f"{side}x{side}x{count}" for side, count in zip(sides, channels[:-1]))
    tried = f"features of {shown}; x of {sides[-1]}x{sides[-1]}x{channels[-1]}"
    try:
        y = answer(list(features), bottom)
    except ValueError as error:
        if "Concatenate" not in str(error):
            raise
        raise Wrong(
            "`Concatenate` was given maps of different heights and widths.",
            tried=tried,
            came=str(error),
            likely="Begin with the smallest map, `features[-1]`, and go to the largest."
            if depth > 1
            else "The encoder's map is twice as large as `x`. Step 1 comes before step 3.",
        ) from error
    if y is None:
        raise Wrong("`decoder` returns nothing. Is a `return` missing?")
    if not isinstance(y, keras.KerasTensor):
        raise Wrong("It should return a Keras tensor.", tried=tried, came=describe(y))
    expected = (None, sides[0], sides[0], channels[0])
    if tuple(y.shape) != expected:
        raise Wrong(
            "The result has another shape.",
            tried=tried,
            came=str(tuple(y.shape)),
            expected=str(expected),
            likely="It ends at the size of `features[0]`, with as many channels as that.",
        )
    for number, one in enumerate(inputs):
        _check_used(keras, inputs, number, one, y, tried, last=number == depth)
    _check_layers(keras.Model(inputs, y), channels, sides, tried, keras)


def _check_used(keras, inputs: list, number: int, one, y, tried: str, last: bool) -> None:
    """Wrong if the result can be computed without this input."""
    try:
        keras.Model([other for other in inputs if other is not one], y)
    except (ValueError, KeyError):
        return
    name = "`x`" if last else f"`features[{number}]`"
    raise Wrong(
        f"The result does not depend on {name}.",
        tried=tried,
        likely="At each level the encoder's map goes in beside what comes from below.",
    )


def _check_layers(model, channels: list[int], sides: list[int], tried: str, keras) -> None:
    kinds = [layer.__class__.__name__ for layer in model.layers]
    if "Conv2DTranspose" in kinds:
        raise Wrong(
            "There is a transposed convolution.", tried=tried, likely="Step 1 is `UpSampling2D`, step 2 a convolution."
        )
    if "Add" in kinds:
        raise Wrong(
            "The encoder's map is added to `x`.", tried=tried, likely="Step 3 puts them side by side: `Concatenate`."
        )
    upper, below = channels[:-1], channels[1:]
    doubled = sorted(
        tuple(layer.output.shape[1:]) for layer in model.layers if "UpSampling" in layer.__class__.__name__
    )
    wanted = sorted((side, side, count) for side, count in zip(sides[:-1], below))
    if doubled != wanted:
        raise Wrong(
            "The maps that leave the `UpSampling2D` are others than expected.",
            tried=tried,
            came=", ".join(map(str, doubled)) or "none",
            expected=", ".join(map(str, wanted)),
            likely="At each level it comes first, and acts on what came from below.",
        )
    kernels = sorted(tuple(int(n) for n in layer.kernel.shape) for layer in _convolutions(model, keras))
    three = [
        kernel
        for count, source in zip(upper, below)
        for kernel in ((3, 3, source, count), (3, 3, 2 * count, count), (3, 3, count, count))
    ]
    if kernels == sorted(three):
        return
    few = "fewer" if len(kernels) < len(three) else "more" if len(kernels) > len(three) else "other"
    raise Wrong(
        f"There are {few} convolutions than the four steps make.",
        tried=tried,
        came=", ".join(map(str, kernels)) or "none",
        expected=f"{len(three)} convolutions, three for each level",
        likely="One 3x3 before the maps are put together, and a `block` behind that, all with as many filters as the "
        "encoder's map has channels.",
    )


def _convolutions(model, keras) -> list:
    """All convolutions, those inside nested models too."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _convolutions(layer, keras)
        elif isinstance(layer, keras.layers.Conv2D):
            found.append(layer)
    return found


DECODER = CheckExercise(
    "12.2",
    "Build the decoder",
    check=_check_decoder,
    hints=(
        "The bottom is the smallest map. Which of `features` is the next larger one, the first or the last?",
        "`skip.shape[-1]` is the number of channels of a map. Walk through the features from the last to the first, "
        "and give each new `x` to the next round.",
        "`layers.Concatenate()` takes a list of maps of the same height and width, and works along the channels.",
    ),
    remark="Put a 1x1 convolution behind it, and you have the whole of U-Net.",
)


# 12.3 Dice loss -------------------------------------------------------------------------------------------------------


def dice_loss(labels, logits, smooth=1.0):
    """The reference answer."""
    return _dice_loss(labels, logits, smooth)


def _sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, dtype=float)))


def _dice_loss(
    labels,
    logits,
    smooth=1.0,
    probability: Callable = _sigmoid,
    ignore: str = "leave out",
    above: float = 1.0,
    below: float = 1.0,
    hits: float = 2.0,
    minus: bool = True,
    size: Callable = lambda values: values,
    union: bool = False,
) -> float:
    """Dice loss with one of its parts exchanged."""
    labels, p = np.asarray(labels), probability(logits)
    counts = labels != IGNORE
    t = np.where(counts, labels, 0 if ignore == "as background" else labels).astype(float)
    if ignore == "leave out":
        t, p = t[counts], p[counts]
    common, whole = np.sum(p * t), np.sum(size(p)) + np.sum(size(t))
    whole = whole - common if union else whole
    score = (hits * common + above * smooth) / (whole + below * smooth) if whole + below * smooth else 0.0
    return float(1 - score if minus else score)


def _image_by_image(labels, logits, smooth=1.0):
    return float(np.mean([_dice_loss(one, z, smooth) for one, z in zip(labels, logits)]))


def _dice_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(count: int, height: int, width: int, ignored: float, share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
        labels = (rng.random((count, height, width)) < share).astype("uint8")
        labels.ravel()[:2] = 0, 1
        logits = rng.normal(0, 1.5, labels.shape)
        labels[:, 1:][rng.random((count, height - 1, width)) < ignored] = IGNORE
        return labels, logits

    flat = np.zeros((1, 2, 2))
    yield Case((np.array([[[1, 0], [1, 0]]]), flat), about="logits of 0: each probability is one half")
    yield Case((*draw(1, 5, 6, 0),), about="one image")
    yield Case((*draw(3, 4, 5, 0), 2.5), about="three images, smooth=2.5")
    yield Case((*draw(2, 6, 5, 0.4),), about="some pixels are 255")
    labels, logits = draw(2, 4, 4, 0)
    labels[1] = 0
    yield Case((labels, logits), about="an image with nothing to find")
    yield Case((np.zeros((1, 3, 3), "uint8"), np.full((1, 3, 3), -30.0)), about="nothing to find, and nothing found")
    yield Case((*draw(2, 5, 5, 0.3), 0.0), about="smooth=0")
    yield Case((np.ones((1, 3, 3), "uint8"), np.full((1, 3, 3), 30.0)), about="all found")


def _dice_with(**change) -> Callable:
    return lambda labels, logits, smooth=1.0: _dice_loss(labels, logits, smooth, **change)


DICE_LOSS = FunctionExercise(
    "12.3",
    "Dice loss",
    reference=dice_loss,
    cases=_dice_cases,
    misconceptions=(
        Misconception(
            _dice_with(probability=lambda z: np.asarray(z, dtype=float)),
            "The logits are used as they are. Make probabilities of them first.",
        ),
        Misconception(
            _dice_with(probability=lambda z: (np.asarray(z) > 0).astype(float)),
            "You cut the logits at 0. That has no gradient, and nothing could be learnt from it: keep probabilities.",
        ),
        Misconception(
            _dice_with(ignore="no"), "Pixels labelled 255 take part as if 255 were a label. Leave them out of all sums."
        ),
        Misconception(
            _dice_with(ignore="as background"),
            "Pixels labelled 255 count as background with you, so that a probability there costs. Leave them out of "
            "all sums.",
        ),
        Misconception(
            _image_by_image, "You average over the images. The sums run over all pixels of the batch together."
        ),
        Misconception(_dice_with(minus=False), "That is the score itself. A loss falls when the mask gets better."),
        Misconception(
            _dice_with(above=0.0), "The smooth term is missing above the line: with nothing to find, the loss is 1."
        ),
        Misconception(_dice_with(below=0.0), "The smooth term is missing below the line, so the loss falls below 0."),
        Misconception(_dice_with(above=0.0, below=0.0), "The smooth term is missing."),
        Misconception(_dice_with(hits=1.0), "The common part counts twice above the line."),
        Misconception(_dice_with(hits=1.0, union=True), "That is the loss made from IoU. Dice was asked for."),
        Misconception(
            _dice_with(size=np.square),
            "You square the terms below the line. Some papers do, this formula does not.",
        ),
    ),
    hints=(
        "A mask of the pixels that count picks them from labels and logits alike, and makes both flat.",
        "The probability of a logit z is 1 / (1 + exp(-z)).",
        "Three sums are needed: of p times t, of p, and of t. `smooth` is added once above and once below the line.",
    ),
)


# 12.4 Checkerboard predictor ------------------------------------------------------------------------------------------


def evenness(kernel, stride):
    """The reference answer."""
    return _evenness(kernel, stride)


def _evenness(kernel, stride, fewest: Callable | None = None, most: Callable | None = None, power: int = 2) -> float:
    """Evenness with one of its parts exchanged."""
    if kernel < 1 or stride < 1:
        raise ValueError
    low = fewest(kernel, stride) if fewest else kernel // stride
    high = most(kernel, stride) if most else -(-kernel // stride)
    return (low / high) ** power if high else 0.0


def _even_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((3, 2), about="the example of the exercise")
    for kernel, stride in ((4, 2), (5, 2), (2, 2), (1, 1), (5, 3), (6, 3), (2, 3), (1, 4)):
        yield Case((kernel, stride))
    for _ in range(6):
        yield Case((int(rng.integers(1, 20)), int(rng.integers(1, 8))))
    yield Case((0, 2), raises=ValueError, about="a kernel of 0")
    yield Case((3, 0), raises=ValueError, about="a stride of 0")
    yield Case((-3, -2), raises=ValueError, about="both below 1")
    yield Case((4, -2), raises=ValueError, about="a stride below 1")


def _unchecked(kernel, stride):
    return _evenness(kernel, stride) if kernel >= 1 and stride >= 1 else 0.0


EVENNESS = FunctionExercise(
    "12.4",
    "Checkerboard predictor",
    reference=evenness,
    cases=_even_cases,
    misconceptions=(
        Misconception(
            lambda kernel, stride: _evenness(kernel, stride, power=1),
            "That is the ratio along one side. In the plane the numbers along both sides multiply.",
        ),
        Misconception(
            lambda kernel, stride: (
                1 / _evenness(kernel, stride) if kernel >= stride >= 1 else _evenness(kernel, stride)
            ),
            "You divide the largest by the least. It is the other way round.",
        ),
        Misconception(
            lambda kernel, stride: float(_evenness(kernel, stride) == 1),
            "You say only whether there is a checkerboard. How strong is it?",
        ),
        Misconception(
            lambda kernel, stride: _evenness(kernel, stride, fewest=lambda k, s: k % s or s, most=lambda k, s: s),
            "The remainder says how many pixels get one window more, not how many windows a pixel gets.",
        ),
        Misconception(
            lambda kernel, stride: _evenness(kernel, stride, most=lambda k, s: k // s + 1),
            "Where the kernel is a multiple of the stride, no pixel gets one window more.",
        ),
        Misconception(
            lambda kernel, stride: _evenness(kernel, stride, fewest=lambda k, s: max(k // s, 1)),
            "A kernel smaller than the stride leaves pixels without any window.",
        ),
        Misconception(
            lambda kernel, stride: _evenness(kernel, stride, fewest=lambda k, s: 1, most=lambda k, s: -(-k // s)),
            "One window is what a pixel at the *edge* of the output gets. Far from it, pixels may all get more.",
        ),
        Misconception(_unchecked, "A kernel or a stride below 1 has no meaning. Raise a ValueError for it."),
    ),
    hints=(
        "Along one side first. Draw windows of 5 in steps of 2 on paper and count how many lie on each pixel.",
        "In steps of S, K taps give each pixel K / S windows on average. Where that is no whole number, some get "
        "it rounded down and the others rounded up.",
        "`//` rounds down. For rounding up, turn the sign before and after. In the plane both counts are squared.",
    ),
    remark="Even counts are not all: each of the four places has weights of its own, which training must keep alike.",
)


# 12.5 From mask to count ----------------------------------------------------------------------------------------------

_CORNERS = np.ones((3, 3))


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

    two = np.zeros((5, 6), "uint8")
    two[:2, :2] = two[3:, 3:] = 1
    yield Case((two, 1), about="two squares of 2x2")
    touching = np.zeros((4, 4), "uint8")
    touching[:2, :2] = touching[2:, 2:] = 1
    yield Case((touching, 1), about="two squares that touch at a corner")
    yield Case((two, 4), about="`smallest` is exactly the size of both")
    yield Case((two, 5), about="`smallest` is one more than the size of both")
    bent = np.zeros((6, 6), "uint8")
    bent[0, :5] = bent[:5, 4] = bent[4, 1:5] = bent[2:5, 1] = 1
    bent[2, 2] = 1
    yield Case((bent, 3), about="one spiral")
    ring = np.pad(np.zeros((2, 3), "uint8"), 1, constant_values=1)
    yield Case((ring, 2), about="a ring")
    across = np.zeros((4, 5), "uint8")
    across[1, 0] = across[1, -1] = across[0, 2] = across[-1, 2] = 1
    yield Case((across, 1), about="parts at opposite edges")
    yield Case((np.zeros((3, 4), "uint8"), 1), about="nothing")
    yield Case((np.ones((3, 4), "uint8"), 1), about="the mask is full")
    for share, smallest in ((0.3, 1), (0.5, 2), (0.45, 3), (0.6, 4)):
        yield Case((draw(9, 12, share), smallest), about="a random mask")
    yield Case((two, 0), raises=ValueError, about="smallest=0")
    yield Case((two, -3), raises=ValueError, about="smallest=-3")


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
        Misconception(
            _objects_with(structure=_CORNERS),
            "Two parts that touch at a corner only are one with you. Neighbours share an *edge*.",
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
        self.tile, self.weights = tile, rng.uniform(0.5, 1.5, (2 * radius + 1, 2 * radius + 1))

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
            if average:
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
    def draw(height: int, width: int, tile: int, margin: int) -> tuple:
        return LocalNetwork(tile, margin, rng), rng.random((height, width)), tile, margin

    yield Case(draw(8, 8, 8, 1), about="the image is one tile")
    yield Case(draw(14, 14, 8, 1), about="steps of 6 fit exactly")
    yield Case(draw(17, 12, 8, 2), about="the sides are no multiples")
    yield Case(draw(9, 21, 7, 1), about="more columns than rows")
    yield Case(draw(23, 10, 9, 3), about="a margin of a third")
    yield Case(draw(10, 13, 5, 2), about="one pixel is left of each tile")
    yield Case(draw(19, 11, 8, 3), about="two pixels are left of each tile")
    yield Case(draw(12, 8, 4, 0), about="a network that sees single pixels, margin=0")
    yield Case(draw(8, 9, 8, 1), about="one column more than a tile")
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


EXERCISES = [MEAN_IOU, DECODER, DICE_LOSS, EVENNESS, COUNT, STITCH]
