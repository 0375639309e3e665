"""The checks of lesson 12, semantic segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.checks.lesson_12_images import COUNT, STITCH
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


def _pairs_wrap(true, predicted, classes):
    """Numbers the pairs of classes in the type of the maps, in which they may not fit."""
    if true.shape != predicted.shape:
        raise ValueError
    counts = true != IGNORE
    pairs = (true[counts] * true.dtype.type(classes) + predicted[counts]).astype(int)
    table = np.bincount(pairs, minlength=classes**2)[: classes**2].reshape(classes, classes)
    both, whole = np.diag(table), table.sum(axis=0) + table.sum(axis=1) - np.diag(table)
    return float(np.mean(both[whole > 0] / whole[whole > 0]))


def _refused_by(differ: Callable[[np.ndarray, np.ndarray], bool]) -> Callable:
    """Another criterion for two shapes."""

    def answer(true, predicted, classes):
        if differ(true, predicted):
            raise ValueError
        predicted[true != IGNORE]  # an IndexError for two shapes
        return _mean_iou(true, predicted, classes)

    return answer


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
    true, predicted = (labels.astype("uint8") for labels in draw(9, 10, [0, 3, 13, 18, 19], 5))
    yield Case((true, predicted, 20), about="maps of uint8, 20 classes")
    yield Case((np.array([[0, 0], [0, 1]]), np.array([[0, 2], [0, 1]]), 3), about="a class that is only predicted")
    yield Case((np.array([[0, 2], [0, 1]]), np.array([[0, 0], [0, 1]]), 3), about="a class that is never predicted")
    hidden = np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 2]])
    yield Case((*hidden, 3), about="a class that is predicted on ignored pixels only")
    true = rng.permutation(np.repeat([1, 2], 6)).reshape(3, 4)
    yield Case((true, true.copy(), 4), about="a perfect answer")
    yield Case((np.zeros((2, 3), int), np.zeros((3, 2), int), 2), raises=ValueError, about="two shapes")
    yield Case((np.zeros((2, 3), int), np.zeros((1, 3), int), 2), raises=ValueError, about="shapes that broadcast")
    yield Case((np.zeros((2, 3), int), np.zeros((2, 1), int), 2), raises=ValueError, about="as many rows, one column")
    yield Case((np.zeros((2, 3), int), np.zeros((2, 4), int), 2), raises=ValueError, about="as many rows, more columns")
    yield Case((np.zeros((2, 3), int), np.zeros(6, int), 2), raises=ValueError, about="as many pixels, in a row")


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
            _pairs_wrap,
            "Maps may be uint8, in which 19 * 20 is 124. Make `int` of them before you compute with labels.",
        ),
        Misconception(
            _refused_by(lambda true, predicted: len(true) != len(predicted)),
            "`len` is the number of rows. Two maps with as many rows may still differ: compare their `shape`.",
        ),
        Misconception(
            _refused_by(lambda true, predicted: true.size != predicted.size),
            "Two maps may have as many pixels and another shape. Compare their `shape`.",
        ),
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
    larger = [layer for layer in model.layers if "UpSampling" in layer.__class__.__name__]
    doubled = sorted(tuple(layer.output.shape[1:]) for layer in larger)
    wanted = sorted((side, side, count) for side, count in zip(sides[:-1], below))
    if doubled != wanted:
        raise Wrong(
            "The maps that leave the `UpSampling2D` are others than expected.",
            tried=tried,
            came=", ".join(map(str, doubled)) or "none",
            expected=", ".join(map(str, wanted)),
            likely="At each level it comes first, and acts on what came from below.",
        )
    if smooth := [layer.interpolation for layer in larger if layer.interpolation != "nearest"]:
        raise Wrong(
            f"The maps are doubled with the interpolation {smooth[0]!r}.",
            tried=tried,
            likely="Step 1 is `layers.UpSampling2D(2)` as it stands, which repeats each value.",
        )
    convolutions = _layers(model, keras.layers.Conv2D, keras)
    kernels = sorted(tuple(int(n) for n in layer.kernel.shape) for layer in convolutions)
    three = [
        kernel
        for count, source in zip(upper, below)
        for kernel in ((3, 3, source, count), (3, 3, 2 * count, count), (3, 3, count, count))
    ]
    if kernels == sorted(three):
        _check_block_parts(model, convolutions, len(upper), tried, keras)
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


def _check_block_parts(model, convolutions: list, levels: int, tried: str, keras) -> None:
    """Wrong if a `block` is not convolution, normalisation and ReLU twice. Step 2 may have an activation."""
    named = [getattr(layer.activation, "__name__", "") for layer in _with_activations(model, convolutions, keras)]
    if other := [name for name in named if name not in ("linear", "relu", "relu6")]:
        raise Wrong(
            f"There is a layer with the activation {other[0]!r}.",
            tried=tried,
            likely="The four steps name none, and `block` has its own, which are ReLU.",
        )
    norms = len(_layers(model, keras.layers.BatchNormalization, keras))
    activations = _with_activations(model, convolutions, keras)
    relus = len(_layers(model, keras.layers.ReLU, keras)) + sum(_is_relu(layer) for layer in activations)
    relus += sum(layer.__class__.__name__ in ("Relu", "Relu6") for layer in model.layers)  # keras.ops.relu(x)
    if norms < 2 * levels or relus < 2 * levels:
        raise Wrong(
            "Step 4 is not a `block`.",
            tried=tried,
            came=f"{norms} normalisations and {relus} ReLU",
            expected=f"{2 * levels} of each, two for each level",
            likely="Call `block` of the page, `block(x, filters)`: each of its two convolutions has a normalisation "
            "and a ReLU behind it.",
        )
    if norms > 2 * levels:
        raise Wrong(
            f"There are {norms} normalisations, and the blocks have {2 * levels}.",
            tried=tried,
            likely="The convolution of step 2 stands alone: no normalisation belongs to it.",
        )


def _with_activations(model, convolutions: list, keras) -> list:
    """The layers that have a function as their activation."""
    return [*_layers(model, keras.layers.Activation, keras), *convolutions]


def _is_relu(layer) -> bool:
    return getattr(layer.activation, "__name__", "").lower() in ("relu", "relu6")


def _layers(model, kind: type, keras) -> list:
    """All layers of a kind, those inside nested models too."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _layers(layer, kind, keras)
        elif isinstance(layer, kind):
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
    labels, _ = draw(1, 5, 6, 0)
    yield Case((labels, rng.integers(-3, 4, labels.shape)), about="logits of whole numbers")
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
            lambda labels, logits, smooth=1.0: np.asarray(_dice_loss(labels, logits, smooth)).astype(
                np.asarray(logits).dtype
            ),
            "Your loss has the type of the logits: where these are whole numbers, it is cut to 0 or 1.",
        ),
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


EXERCISES = [MEAN_IOU, DECODER, DICE_LOSS, EVENNESS, COUNT, STITCH]
