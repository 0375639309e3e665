"""The checks of lesson 10, seeing what a CNN sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from keras import ops

from cnnlib import gradients
from cnnlib.checks.lesson_10_fooling import FOOL
from cnnlib.checks.lesson_10_occlusion import OCCLUSION
from cnnlib.checks.lesson_10_pointing import POINTING
from cnnlib.checks.lesson_10_shortcut import SHORTCUT, UNKNOWN
from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

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

FINE, POINTS = 2.0, 2.0  # places between two centres, standard errors above a guess


def choose_layer(layers, width, apart, chance):
    """The reference answer."""
    return _chosen(layers, width, apart, chance)


def _chosen(
    layers,
    width,
    apart,
    chance,
    fine: Callable[[float], bool] = lambda between: between >= FINE,
    points: Callable[[float, float, int], bool] = lambda share, chance, n: (
        share > chance + POINTS * np.sqrt(chance * (1 - chance) / n)
    ),
    rank: Callable[[float, int, int], tuple] = lambda share, number, places: (share, number),
    none: Callable[[list], object] = lambda layers: None,
):
    """The choice of a layer with one of its parts exchanged."""
    will_do = [
        (rank(hits / n, number, places), name)
        for number, (name, places, hits, n) in enumerate(layers)
        if fine(apart * places / width) and points(hits / n, chance, n)
    ]
    return max(will_do)[1] if will_do else none(layers)


def _with(**parts) -> Callable:
    return lambda layers, width, apart, chance: _chosen(layers, width, apart, chance, **parts)


def _most_hits(layers, width, apart, chance):
    """Hits are counted, whatever the number of questions."""
    shares = {name: hits / n for name, _, hits, n in layers}
    hits = {name: hits for name, _, hits, _ in layers}
    will_do = [
        name
        for name, places, _, n in layers
        if apart * places / width >= FINE and shares[name] > chance + POINTS * np.sqrt(chance * (1 - chance) / n)
    ]
    return max(reversed(will_do), key=hits.get) if will_do else None


def _layer_cases(rng: np.random.Generator) -> Iterator[Case]:
    table = [("early", 64, 58, 200), ("middle", 32, 96, 200), ("late", 16, 150, 200), ("last", 8, 190, 200)]
    yield Case((table, 64, 20, 0.25), about="four layers, two things 20 pixels apart")
    yield Case((table, 64, 9, 0.25), about="the same layers, two things 9 pixels apart")
    yield Case((table, 64, 16, 0.25), about="two centres exactly two places of the last map apart")
    yield Case((table, 64, 3, 0.25), about="a map that would be fine enough, and points no better than a guess")
    yield Case((table, 64, 1.5, 0.25), about="two things that no layer tells apart")
    yield Case(([("fine", 56, 28, 100), ("coarse", 14, 33, 100)], 224, 60, 0.25), about="28 % of 100 questions")
    yield Case(([("fine", 56, 33, 100), ("coarse", 7, 90, 100)], 224, 20, 0.25), about="33 % of 100 questions")
    yield Case(([("fine", 56, 34, 100), ("coarse", 7, 90, 100)], 224, 20, 0.25), about="34 % of 100 questions")
    yield Case(
        ([("a", 20, 12, 20), ("b", 10, 300, 600)], 100, 40, 0.25), about="layers with different numbers of questions"
    )
    yield Case(([("a", 20, 6, 12), ("b", 20, 280, 800)], 100, 40, 0.4), about="few questions, and many")
    yield Case(([("a", 28, 60, 100), ("b", 14, 60, 100), ("c", 14, 40, 100)], 224, 64, 0.25), about="two equal shares")
    yield Case(([("a", 8, 3, 4), ("b", 4, 2, 4)], 32, 16, 0.5), about="four questions, half of which a guess hits")
    yield Case(([("a", 32, 15, 150), ("b", 16, 12, 150)], 64, 10, 0.04), about="a guess that hits one in 25")
    yield Case(
        ([("good", 32, 180, 200), ("worse", 16, 120, 200)], 64, 20, 0.25), about="a layer after which it gets worse"
    )
    yield Case(
        ([("fine", 56, 20, 100), ("coarse", 7, 90, 100)], 224, 20, 0.25), about="a fine map that hits less than a guess"
    )
    yield Case(([("a", 16, 1, 3), ("b", 16, 1, 4)], 64, 10, 0.3), about="three questions, one of which is a hit")
    yield Case(([("a", 16, 12, 16)], 64, 20, 0.5), about="a layer exactly two standard errors above a guess")
    yield Case(([("a", 56, 112, 400), ("b", 14, 112, 400)], 224, 40, 0.25), about="28 % of 400 questions")
    places = [int(value) for value in rng.permutation([64, 32, 16, 8])]
    drawn = [(f"layer{k}", p, int(rng.integers(30, 200)), 200) for k, p in enumerate(places)]
    yield Case((drawn, 64, int(rng.integers(5, 30)), 0.25), about="layers drawn by chance")


WHICH_LAYER = FunctionExercise(
    "10.2",
    "Which layer?",
    reference=choose_layer,
    cases=_layer_cases,
    misconceptions=(
        Misconception(
            _with(fine=lambda between: True),
            "You take the one that points best, and its map may be too coarse: count how many of its places lie "
            "between the two centres.",
        ),
        Misconception(
            _with(points=lambda share, chance, n: True),
            "A layer is chosen that points no better than a guess. Compare its share of hits with `chance`.",
        ),
        Misconception(
            _with(points=lambda share, chance, n: share > chance),
            "Above `chance`, but by luck perhaps: of few questions a guess hits more now and then. Ask for two "
            "standard errors more.",
        ),
        Misconception(
            _with(points=lambda share, chance, n: share >= chance + POINTS * np.sqrt(chance * (1 - chance) / n)),
            "Exactly two standard errors are not *more* than two.",
        ),
        Misconception(
            _with(points=lambda share, chance, n: share > chance + np.sqrt(chance * (1 - chance) / n)),
            "One standard error above a guess is often luck. Two are asked for.",
        ),
        Misconception(
            _with(points=lambda share, chance, n: share > chance + POINTS * np.sqrt(share * (1 - share) / n)),
            "The standard error is that of a *guess*: with p the chance, not the share of hits.",
        ),
        Misconception(
            _with(points=lambda share, chance, n: share > chance + POINTS * chance * (1 - chance) / n),
            "The root is missing: that is the variance, not the standard error.",
        ),
        Misconception(
            _with(points=lambda share, chance, n: share > chance + POINTS * np.sqrt(chance * (1 - chance))),
            "The standard error of a *share* shrinks with the number of questions. Divide by it, under the root.",
        ),
        Misconception(
            _with(fine=lambda between: between > FINE),
            "Two places apart is fine enough: one lies between.",
        ),
        Misconception(
            _with(fine=lambda between: between >= 1),
            "With centres one place apart nothing lies between them, so there is one hill. Two places are asked for.",
        ),
        Misconception(
            _with(rank=lambda share, number, places: (places, share, number)),
            "You take the finest map that will do. The one that points best is asked for.",
        ),
        Misconception(
            _with(rank=lambda share, number, places: (number,)),
            "You take the last layer that will do. The one with the highest share of hits is asked for.",
        ),
        Misconception(
            _with(rank=lambda share, number, places: (share, -number)),
            "Of equal shares the layer nearest to the scores is asked for, the later one in the list.",
        ),
        Misconception(_most_hits, "You compare counts of hits. The layers were asked different numbers of questions."),
        Misconception(
            _with(none=lambda layers: layers[-1][0]),
            "No layer will do here, and you return one all the same. Return None.",
        ),
        Misconception(
            lambda layers, width, apart, chance: (
                "" if _chosen(layers, width, apart, chance) is None else _chosen(layers, width, apart, chance)
            ),
            "No layer will do here. Return `None`, not an empty text.",
        ),
    ),
    hints=(
        "Two questions for each layer: is it fine enough, and does it point? Then a maximum over those that are left.",
        "A place is `width / places` pixels wide, so the centres are `apart * places / width` places apart.",
        "Keep the best share so far and its name; an equal share replaces it, since the list runs towards the scores.",
    ),
    remark="The numbers of part 3 would do as `layers`. Where none is fine enough, show the network a larger picture.",
)


EXERCISES = [GRAD_CAM, WHICH_LAYER, OCCLUSION, POINTING, SHORTCUT, UNKNOWN, FOOL]
