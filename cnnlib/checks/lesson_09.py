"""The checks of lesson 09, transfer learning."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.compare import describe, plain
from cnnlib.exercises.kinds import (
    Case,
    CheckExercise,
    FunctionExercise,
    Misconception,
    ValueExercise,
    Wrong,
    misspells,
    says,
)

SPELLING = "One of your words is not among those of the text: compare the spelling."

# 09.1 Freeze all but the head -----------------------------------------------------------------------------------------


def _networks(rng: np.random.Generator) -> Iterator[tuple[str, Callable[[], object], tuple]]:
    """(what it is, makes a small model, ways to set its flags before, of which the answer must cope with one)."""
    import keras
    from keras import layers

    width, classes = (int(n) for n in rng.integers(3, 7, 2))

    def plain():
        image = keras.Input((6, 6, 2))
        x = layers.BatchNormalization()(layers.Conv2D(width, 3)(image))
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.ReLU()(x)))
        return keras.Model(image, layers.Dense(classes)(x))

    def nested():
        image = keras.Input((6, 6, 2))
        x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(layers.Conv2D(width, 3)(image)))
        backbone = keras.Model(image, x)
        return keras.Sequential([keras.Input((6, 6, 2)), backbone, layers.Dropout(0.2), layers.Dense(classes)])

    def two_dense():
        image = keras.Input((6, 6, 2))
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
        return keras.Model(image, layers.Dense(classes)(layers.Dense(width, activation="relu")(x)))

    def head_with_norm():
        image = keras.Input((6, 6, 2))
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(width, 3)(image))
        head = keras.Sequential([keras.Input((width,)), layers.BatchNormalization(), layers.Dense(classes)])
        return keras.Model(image, head(x))

    def as_built(model):
        pass

    def layer_by_layer(model):
        for layer in model.layers:
            layer.trainable = False

    def as_a_whole(model):
        model.trainable = False

    yield "layers in a row", plain, (as_built,)
    yield "a backbone that is a model itself, then dropout, then a dense layer", nested, (as_built,)
    yield "two dense layers at the end, of which the last is the head", two_dense, (as_built,)
    yield "a head that is a model itself: a normalisation and a dense layer", head_with_norm, (as_built,)
    # `model.trainable = True` reaches the layers on every backend only where it was False before.
    yield "a model of which every layer was frozen before", plain, (layer_by_layer, as_a_whole)


def _check_only_head(answer: Callable, rng: np.random.Generator) -> None:
    if not callable(answer):
        raise Wrong("The check needs the function itself, without parentheses behind its name.", came=describe(answer))
    from cnnlib.models import common

    with common.without_drawing():  # on JAX each new shape of random numbers takes a second
        for what, make, ways in _networks(rng):
            for prepare in ways[:-1]:
                try:
                    _check_freezing(answer, make(), prepare, f"a model: {what}")
                    break
                except Wrong:
                    pass
            else:
                _check_freezing(answer, make(), ways[-1], f"a model: {what}")


def _numbers(weights: list) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def _check_freezing(answer: Callable, model, prepare: Callable, tried: str) -> None:
    head = model.layers[-1]
    own = {id(weight) for weight in head.trainable_weights}
    counts = {
        "own": _numbers(head.trainable_weights),
        "head": head.count_params(),
        "total": model.count_params(),
        "arrays": len(own),
    }
    prepare(model)
    counts["before"] = _numbers(model.trainable_weights)
    came = answer(model)
    learning = {id(weight) for weight in model.trainable_weights}
    if not learning:
        raise Wrong(
            "Nothing learns now.",
            tried=tried,
            likely="A model that is frozen as a whole freezes its last layer, too. And a layer that was frozen "
            "before must be set free.",
        )
    if not own <= learning:
        raise Wrong("The last layer does not learn, and another one does.", tried=tried)
    if learning - own:
        others = sorted({weight.path for weight in model.trainable_weights if id(weight) not in own})
        raise Wrong(
            "Something beside the last layer still learns.",
            tried=tried,
            came=", ".join(others[:4]),
            likely="Each layer but the last one is frozen, be it a convolution, a normalisation or a model. And "
            "`model.trainable = True` frees them all: it stands in front, and not behind.",
        )
    _compare_count(came, tried, **counts)


def _compare_count(came: object, tried: str, own: int, head: int, total: int, arrays: int, before: int) -> None:
    weights = own
    if came is None:
        raise Wrong("`only_head` returns nothing. Is a `return` missing?", tried=tried)
    came = plain(came)  # a tensor of any backend is an array
    if isinstance(came, np.ndarray) and came.shape == ():
        came = came.item()
    if isinstance(came, bool) or not isinstance(came, (int, float)):
        raise Wrong("The result should be one number, how many weights learn.", tried=tried, came=describe(came))
    if came == weights:
        return
    likely = "Multiply the sides of each kernel and each bias that learns, and add up."
    if came == arrays:
        likely = "That is the number of arrays, a kernel and a bias. Each holds many numbers."
    elif came == total:
        likely = "That is the number of all weights. Only those that learn are asked for."
    elif came == head:
        likely = "`count_params()` counts all weights of the head: the running statistics of a normalisation never "
        likely += "learn by gradients."
    elif came == before:
        likely = "That is how many learnt before. Freeze first, then count."
    elif came == total - weights:
        likely = "Those are the frozen ones."
    raise Wrong("The model is right, and the count is not.", tried=tried, came=describe(came), likely=likely)


ONLY_HEAD = CheckExercise(
    "09.1",
    "Freeze all but the head, and count",
    check=_check_only_head,
    hints=(
        "Every layer has a flag, `trainable`. `model.layers` is a list, the head its last entry.",
        "Setting `model.trainable = False` reaches every layer, the head included. Set the flags of the layers.",
        "`model.trainable_weights` is a list of arrays; `np.prod` of a shape counts the numbers in one.",
    ),
    remark="Compile the model afterwards: fit goes on with what was trainable when it was compiled.",
)


# 09.2 Preprocess correctly --------------------------------------------------------------------------------------------

MEAN, SPREAD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
BLUE_GREEN_RED = np.array([103.939, 116.779, 123.68])
UNKNOWN = "An unknown convention is let through. Raise a ValueError for it."


def prepare(pixels, convention):
    """The reference answer."""
    return _prepared(pixels, convention)


def _prepared(
    pixels,
    convention,
    lite: Callable = lambda v: (v - 127.0) / 128,
    torch: Callable = lambda v: (v / 255 - MEAN) / SPREAD,
    caffe: Callable = lambda v: v[..., ::-1] - BLUE_GREEN_RED,
    highest: float = 1,
    unknown: bool = True,
):
    """The three conventions with one part exchanged."""
    pixels = np.asarray(pixels)
    if pixels.max() <= highest:
        raise ValueError
    ways = {"lite": lite, "torch": torch, "caffe": caffe}
    if convention not in ways:
        if unknown:
            raise ValueError
        return pixels
    return ways[convention](pixels)


def _with(**parts) -> Callable:
    return lambda pixels, convention: _prepared(pixels, convention, **parts)


def _refused_if(divided: Callable[[np.ndarray], bool]) -> Callable:
    """Another criterion for pixels that have been divided already."""

    def answer(pixels, convention):
        if divided(np.asarray(pixels)):
            raise ValueError
        return _prepared(pixels, convention, highest=-1)

    return answer


def _otherwise_caffe(pixels, convention):
    """The last convention stands behind a bare ``else``."""
    return _prepared(pixels, convention if convention in ("lite", "torch") else "caffe")


def _otherwise_none(pixels, convention):
    """No ``else``: the function ends without a result."""
    return _prepared(pixels, convention) if convention in ("lite", "torch", "caffe") else None


def _wrapping(v):
    """(v - 127) computed in uint8, where -1 is 255."""
    return (v - np.asarray(127, v.dtype)) / 128 if v.dtype == np.uint8 else (v - 127.0) / 128


def _pixel_cases(rng: np.random.Generator) -> Iterator[Case]:
    for convention in ("lite", "torch", "caffe"):
        yield Case((rng.integers(0, 256, (2, 4, 3, 3)).astype("float32"), convention), about="pixels as floats")
        yield Case((rng.integers(0, 256, (1, 3, 5, 3)).astype("uint8"), convention), about="pixels as uint8")
    dark = rng.integers(2, 12, (1, 4, 4, 3)).astype("float32")
    yield Case((dark, "lite"), about="a very dark picture")
    yield Case((np.array([0, 1, 2, 0, 1, 2] * 2, "uint8").reshape(1, 2, 2, 3), "torch"), about="values of 0, 1 and 2")
    divided = rng.uniform(0, 0.99, (2, 3, 3, 3)).astype("float32")
    yield Case((divided, "lite"), raises=ValueError, about="values of 0 to 1")
    yield Case((np.ones((1, 2, 2, 3)), "torch"), raises=ValueError, about="values of exactly 1")
    yield Case(
        (np.array([[0, 1, 1], [1, 0, 1]], "uint8").reshape(1, 1, 2, 3), "caffe"),
        raises=ValueError,
        about="uint8 of 0 and 1",
    )
    half_black = rng.integers(100, 256, (2, 2, 3, 3)).astype("float32")
    half_black[0] = 0
    yield Case((half_black, "lite"), about="two pictures, the first is black")
    yield Case((half_black[::-1].copy(), "caffe"), about="two pictures, the second is black")
    red = np.zeros((1, 2, 3, 3), "uint8")
    red[..., 0] = 200
    yield Case((red, "torch"), about="a picture that is red, without any green or blue")
    yield Case((np.linspace(0, 1.5, 12).reshape(1, 2, 2, 3), "lite"), about="a greatest value of 1.5")
    for word in ("bgr", "tf", "vgg"):
        yield Case(
            (rng.integers(0, 256, (1, 2, 2, 3)).astype("float32"), word), raises=ValueError, about="another word"
        )


PREPARE = FunctionExercise(
    "09.2",
    "Preprocess correctly",
    reference=prepare,
    cases=_pixel_cases,
    misconceptions=(
        Misconception(
            _with(lite=lambda v: v / 255.0), "For `lite` you scale to 0 to 1. It wants -1 to 1: see the formula."
        ),
        Misconception(_with(lite=lambda v: v / 127.5 - 1), "For `lite` the centre is 127 and the divisor 128."),
        Misconception(
            _with(lite=_wrapping),
            "Pixels may be uint8, in which 100 - 127 is 229. Subtract a float, or make floats of them first.",
        ),
        Misconception(
            _with(torch=lambda v: v / 255 - MEAN / SPREAD), "For `torch` a pair of brackets is missing: mean first."
        ),
        Misconception(
            _with(torch=lambda v: (v - MEAN) / SPREAD), "For `torch` the pixels are not divided by 255, the mean is."
        ),
        Misconception(_with(torch=lambda v: (v / 255 - MEAN) * SPREAD), "For `torch` the spread divides."),
        Misconception(_with(torch=lambda v: (v / 255 - MEAN) / SPREAD**2), "`SPREAD` is a standard deviation already."),
        Misconception(
            _with(torch=lambda v: (v[..., ::-1] / 255 - MEAN) / SPREAD),
            "For `torch` the channels stay in their order, red first.",
        ),
        Misconception(
            _with(caffe=lambda v: v - BLUE_GREEN_RED), "For `caffe` the channels change their order: blue comes first."
        ),
        Misconception(
            _with(caffe=lambda v: (v - BLUE_GREEN_RED)[..., ::-1]),
            "For `caffe` you take the mean of blue off red. First change the order, then subtract.",
        ),
        Misconception(
            _with(caffe=lambda v: (v[..., ::-1] - BLUE_GREEN_RED) / 255), "For `caffe` the range stays as it is."
        ),
        Misconception(
            _with(caffe=lambda v: v[:, :, ::-1] - BLUE_GREEN_RED),
            "For `caffe` you mirror the picture. The channels are the *last* axis.",
        ),
        Misconception(
            _refused_if(lambda pixels: pixels.dtype.kind == "f" and pixels.max() <= 1),
            "Only floats are refused. Pixels of uint8 that are 0 and 1 have been divided, too.",
        ),
        Misconception(_with(highest=0.999), "A greatest value of exactly 1 means divided pixels, too: *1 or less*."),
        Misconception(_with(highest=-1), "Values from 0 to 1 are divided already. Raise a ValueError for them."),
        Misconception(_with(highest=20), "A dark picture is refused. Only a greatest value of 1 or less is."),
        Misconception(
            _refused_if(lambda pixels: pixels.max(axis=(1, 2, 3)).min() <= 1),
            "A black picture among others is refused. The greatest of *all* pixels decides.",
        ),
        Misconception(
            _refused_if(lambda pixels: pixels[0].max() <= 1),
            "You look at the first picture only, which may be black. The greatest of *all* pixels decides.",
        ),
        Misconception(
            _refused_if(lambda pixels: pixels.max(axis=(0, 1, 2)).min() <= 1),
            "A picture without green or blue is refused. The greatest of all pixels decides, whatever the channel.",
        ),
        Misconception(_with(highest=1.9), "A greatest value of 1.5 is refused. Only 1 or less is."),
        Misconception(_with(unknown=False), UNKNOWN),
        Misconception(_otherwise_caffe, UNKNOWN),
        Misconception(_otherwise_none, UNKNOWN),
    ),
    hints=(
        "Three conventions, three lines. Begin with what is refused.",
        "Channels are the last axis: `pixels[..., ::-1]` turns their order round, and arrays of length 3 fit it.",
        "Of uint8 pixels NumPy takes off a float without trouble, and an integer with trouble: write 127.0.",
    ),
    remark="In keras.applications each family brings its own preprocess_input, for the same reason.",
)


# 09.3 A schedule of unfreezing ----------------------------------------------------------------------------------------


def schedule(stages, epochs, peak):
    """The reference answer."""
    return _scheduled(stages, epochs, peak)


def _scheduled(
    stages,
    epochs,
    peak,
    phases: Callable[[int], int] = lambda stages: stages + 1,
    unfrozen: Callable[[int, int], int] = lambda number, stages: number,
    extra: Callable[[int, int, int], bool] = lambda number, left, phases: number < left,
    rate: Callable[[float, int], float] = lambda peak, number: peak / 10**number,
    refuse: bool = True,
):
    """The schedule with one of its parts exchanged."""
    count = phases(stages)
    if refuse and epochs < count:
        raise ValueError
    each, left = divmod(epochs, max(count, 1))
    return [(unfrozen(n, stages), each + extra(n, left, count), rate(peak, n)) for n in range(count)]


def _scheduled_with(**parts) -> Callable:
    return lambda stages, epochs, peak: _scheduled(stages, epochs, peak, **parts)


def _one_phase_less(first: int) -> Callable[[object, object, Case], bool]:
    """Recognises a schedule that lacks one phase and has ``first`` stages unfrozen in its first one."""
    return lambda came, expected, case: len(came) == len(expected) - 1 and (len(came) == 0 or came[0][0] == first)


def _schedule_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((2, 8, 0.01), about="the example of the exercise")
    yield Case((2, 9, 0.001), about="epochs that divide evenly")
    yield Case((0, 4, 0.02), about="a backbone that stays frozen")
    yield Case((3, 4, 0.1), about="an epoch for each phase")
    for _ in range(3):
        stages = int(rng.integers(1, 6))
        yield Case((stages, int(rng.integers(stages + 2, 40)), float(rng.choice([0.003, 0.01, 0.5]))))
    yield Case((3, 3, 0.01), raises=ValueError, about="fewer epochs than phases")
    yield Case((2, 0, 0.01), raises=ValueError, about="no epoch at all")


SCHEDULE = FunctionExercise(
    "09.3",
    "A schedule of unfreezing",
    reference=schedule,
    cases=_schedule_cases,
    misconceptions=(
        Misconception(
            _one_phase_less(first=0),
            "One phase is missing: the first one is for the head alone, then one for each stage.",
            predicate=True,
        ),
        Misconception(
            _one_phase_less(first=1),
            "The first phase is for the head alone: nothing is unfrozen in it.",
            predicate=True,
        ),
        Misconception(
            _scheduled_with(unfrozen=lambda number, stages: stages - number),
            "You begin with everything and freeze more and more. Unfreezing goes the other way.",
        ),
        Misconception(
            _scheduled_with(unfrozen=lambda number, stages: stages), "All stages learn from the first phase on."
        ),
        Misconception(
            _scheduled_with(extra=lambda number, left, phases: number >= phases - left),
            "The epochs left over go to the earlier phases, not to the later ones.",
        ),
        Misconception(
            _scheduled_with(extra=lambda number, left, phases: left if number == 0 else 0),
            "All epochs left over go to the first phase. Give one to each as long as there are some.",
        ),
        Misconception(
            _scheduled_with(extra=lambda number, left, phases: 0), "Some epochs are lost: they must add up to all."
        ),
        Misconception(
            _scheduled_with(rate=lambda peak, number: peak / (10 * number if number else 1)),
            "The rate is divided by 10, 20, 30. Each is a tenth of the *one before*.",
        ),
        Misconception(_scheduled_with(rate=lambda peak, number: peak), "The rate stays the same in all phases."),
        Misconception(
            _scheduled_with(rate=lambda peak, number: peak / 10 ** (number + 1)), "The first phase trains at `peak`."
        ),
        Misconception(
            _scheduled_with(rate=lambda peak, number: peak * 10**number), "The rate grows. It should shrink."
        ),
        Misconception(
            _scheduled_with(refuse=False), "A phase without an epoch is no phase. Raise a ValueError in that case."
        ),
    ),
    hints=(
        "How many phases are there for two stages? Count them in the example.",
        "`divmod(epochs, phases)` gives how many epochs each phase has for sure, and how many are left.",
        "Phase number n, counted from 0, has n stages unfrozen and a rate of peak / 10**n.",
    ),
)


# 09.4 What does the cache save? ---------------------------------------------------------------------------------------


def saving(costs, unfrozen, epochs, count):
    """The reference answer."""
    return _saving(costs, unfrozen, epochs, count)


def _saving(
    costs,
    unfrozen,
    epochs,
    count,
    factor: float = 3,
    once: Callable[[int, int], float] = lambda epochs, count: 1,
    cut: Callable[[int, int], int] = lambda stages, unfrozen: stages - unfrozen,
    swap: bool = False,
    frozen_factor: float = 1,
    invert: bool = False,
    refuse: bool = True,
):
    """The ratio with one of its parts exchanged."""
    if refuse and not 0 <= unfrozen <= len(costs):
        raise ValueError
    border = cut(len(costs), unfrozen)
    still, learning = float(sum(costs[:border])), float(sum(costs[border:])) * factor
    if swap:
        still, learning = float(sum(costs[border:])), float(sum(costs[:border])) * factor
    without = epochs * (still * frozen_factor + learning)
    cached = still * once(epochs, count) + epochs * learning
    with np.errstate(all="ignore"):
        ratio = np.float64(without) / cached if cached else float("inf")
    return float(1 / ratio) if invert else float(ratio)


def _saving_with(**parts) -> Callable:
    return lambda costs, unfrozen, epochs, count: _saving(costs, unfrozen, epochs, count, **parts)


def _difference(costs, unfrozen, epochs, count):
    if not 0 <= unfrozen <= len(costs):
        raise ValueError
    return float((epochs - 1) * count * sum(costs[: len(costs) - unfrozen]))


def _cost_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(([30, 10], 1, 5, 200), about="the example of the exercise")
    yield Case(([30.0, 10.0, 7.0], 0, 12, 50), about="all frozen")
    yield Case(([5.0, 10.0], 2, 4, 10), about="nothing frozen")
    yield Case(([5.0, 10.0, 3.0], 1, 1, 10), about="one epoch")
    for _ in range(3):
        stages = int(rng.integers(2, 6))
        costs = np.round(rng.uniform(1, 50, stages), 1).tolist()
        yield Case((costs, int(rng.integers(1, stages)), int(rng.integers(2, 30)), int(rng.integers(10, 500))))
    yield Case(([30.0, 10.0], 3, 5, 10), raises=ValueError, about="more stages unfrozen than there are")
    yield Case(([30.0, 10.0], -1, 5, 10), raises=ValueError, about="less than none unfrozen")


SAVING = FunctionExercise(
    "09.4",
    "What does the cache save?",
    reference=saving,
    cases=_cost_cases,
    misconceptions=(
        Misconception(_saving_with(factor=1), "A stage that learns costs three times its forward pass."),
        Misconception(
            _saving_with(factor=2), "Beside the forward pass a stage that learns needs two gradients: three in all."
        ),
        Misconception(
            _saving_with(frozen_factor=3), "A frozen stage is only run forward: once its cost, not three times."
        ),
        Misconception(
            _saving_with(swap=True), "The last stages learn, the first ones are frozen. You have it reversed."
        ),
        Misconception(
            _saving_with(once=lambda epochs, count: 0), "The frozen stages are not free with a cache: each runs once."
        ),
        Misconception(
            _saving_with(once=lambda epochs, count: 1 / count),
            "The frozen stages run once on *each picture*, not once in all.",
        ),
        Misconception(
            _saving_with(cut=lambda stages, unfrozen: unfrozen),
            "You freeze the first `unfrozen` stages; the last `unfrozen` learn.",
        ),
        Misconception(
            _saving_with(cut=lambda stages, unfrozen: unfrozen, swap=True),
            "`unfrozen` counts from the end, not from the image.",
        ),
        Misconception(
            _saving_with(cut=lambda stages, unfrozen: stages - unfrozen if unfrozen else 0),
            "With `unfrozen=0`, `costs[-0:]` is the whole list, and `costs[:-0]` is empty.",
        ),
        Misconception(
            _saving_with(invert=True), "That is the ratio the other way round: without a cache over with one."
        ),
        Misconception(_difference, "That is the difference. How many *times* more is asked for."),
        Misconception(
            _saving_with(refuse=False, cut=lambda stages, unfrozen: min(max(stages - unfrozen, 0), stages)),
            "There are no more stages to unfreeze than there are, nor fewer than none. Raise a ValueError.",
        ),
    ),
    hints=(
        "Add up the cost of the frozen stages and, apart from it, the cost of those that learn.",
        "Without a cache both are paid in each epoch. With a cache, one of them is paid once.",
        "`costs[: len(costs) - unfrozen]` are the frozen ones; mind that `costs[:-0]` is empty.",
    ),
    remark="With everything frozen it is the number of epochs: that is why a head trains in seconds.",
)


# 09.5 Diagnose --------------------------------------------------------------------------------------------------------


DIAGNOSE = ValueExercise(
    "09.5",
    "Diagnose a broken fine-tune",
    expected={"anna": "normalisation", "ben": "rate", "chen": "compile", "dora": "preprocessing", "emil": "cache"},
    misconceptions=(
        Misconception(misspells("rate", "normalisation", "preprocessing", "compile", "cache"), SPELLING),
        Misconception(
            says("anna", "preprocessing", "rate", "cache", "compile"),
            "Anna's pictures are the same in both numbers. What works differently in training and in evaluation, and "
            "depends on the size of the batch?",
        ),
        Misconception(
            says("ben", "normalisation", "preprocessing", "cache"),
            "Ben's head was good, and within 20 steps all is lost. What is large enough to do that so quickly?",
        ),
        Misconception(
            says("ben", "compile"), "Ben's accuracy changes, so weights do move. They move too far: what decides that?"
        ),
        Misconception(
            says("chen", "rate", "normalisation", "preprocessing", "cache"),
            "No weight of Chen's backbone moves, whatever the rate. Who told `fit` which weights learn, and when?",
        ),
        Misconception(
            says("dora", "normalisation"),
            "Dora's scores differ for a picture alone, too, and in batches. What happens to a file before the network?",
        ),
        Misconception(
            says("dora", "rate", "cache", "compile"),
            "Dora no longer trains. The same file, the same weights, other scores: what lies between file and network?",
        ),
        Misconception(
            says("emil", "rate", "normalisation", "preprocessing", "compile"),
            "Not a digit changes: Emil's flips never reach what learns. What stands between?",
        ),
    ),
    hints=(
        "Each of the five causes is the answer once. Begin with the one that you are surest of.",
        "Ask for each: is it in training, in evaluation, or at inference that something goes wrong? Do weights move?",
        "Batch statistics depend on the size of the batch. A cache never changes. A rate decides how far weights move.",
    ),
)


# 09.6 Four cases ------------------------------------------------------------------------------------------------------

CASES = ValueExercise(
    "09.6",
    "Four cases",
    expected={"mushrooms": "frozen", "satellite": "scratch", "parts": "fine-tune", "archive": "hosted"},
    misconceptions=(
        Misconception(misspells("frozen", "fine-tune", "scratch", "hosted"), SPELLING),
        Misconception(
            says("mushrooms", "fine-tune"),
            "With 8 pictures of each kind, millions of weights have too little to go by, and there is no time.",
        ),
        Misconception(
            says("mushrooms", "scratch", "hosted"),
            "The mushrooms are ordinary photographs, a few of each kind, with labels of their own. What did 5 a class "
            "do best with?",
        ),
        Misconception(
            says("satellite", "frozen", "fine-tune", "hosted"),
            "How many channels has the first layer of a pretrained network? And how many labelled tiles are there?",
        ),
        Misconception(
            says("parts", "hosted"), "The parts may be known to nobody else, and the computer is the factory's own."
        ),
        Misconception(
            says("parts", "frozen", "scratch"),
            "There are 300 pictures of each part and two days. What did 100 a class gain most from?",
        ),
        Misconception(
            says("archive", "frozen", "fine-tune", "scratch"),
            "There is no label to train on, and beaches are known to many models. Nothing is secret.",
        ),
    ),
    hints=(
        "Write down for each case: how many labels, how similar to ImageNet, may the pictures leave, how much time.",
        "Which of the four has no labels at all? Which one cannot be fed to a pretrained network?",
        "Each of the four options is the answer once.",
    ),
)


EXERCISES = [ONLY_HEAD, PREPARE, SCHEDULE, SAVING, DIAGNOSE, CASES]
