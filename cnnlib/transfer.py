"""Using what another network has learnt: backbone and head, freezing by stage, rates by depth (lesson 09).

A **backbone** turns images into features, a **head** turns these into scores. A **stage** of a backbone is what works
at one resolution. Stages are counted from the image: the first ones see edges, the last ones are the most specific.

A frozen batch normalisation does two things: its scale and shift stay as they are, and it uses its running statistics
in training, too. Keras ties both to ``trainable = False``. `unfreeze` leaves the normalisations frozen, unless told
otherwise: the statistics of a few small batches would take the place of those of a million images.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from cnnlib import training
from cnnlib.models import parts

__all__ = [
    "Advice",
    "ByDepth",
    "CachedFeatures",
    "CHOICES",
    "Phase",
    "Report",
    "baseline",
    "fit_in_phases",
    "freeze",
    "hand_over",
    "per_second",
    "probe",
    "report",
    "split",
    "stages",
    "strategy",
    "unfreeze",
]

NORMALISATIONS = (layers.BatchNormalization,)


# Two parts ------------------------------------------------------------------------------------------------------------


def split(model: keras.Model, layer: str | keras.Layer | None = None) -> tuple[keras.Model, keras.Model]:
    """(backbone, head) of a model cut behind a layer. Both share the model's weights; nothing is copied.

    Args:
        model: functional or sequential, one image in and scores out.
        layer: the last one of the backbone; None for the last one that returns maps.

    Raises:
        ValueError: there is no such layer, or a shortcut leads around it.
    """
    if not getattr(model, "inputs", None):
        raise ValueError(f"model {model.name!r} has no graph to cut: it is not functional, or was never built.")
    last = _last_maps(model) if layer is None else parts.find_layer(model, layer)
    if last not in model.layers:
        raise ValueError(f"layer {last.name!r} lies in a model within {model.name!r}: cut that model, or behind it.")
    backbone = keras.Model(_alone(model.inputs), last.output, name=f"{model.name}_backbone")
    try:
        head = keras.Model(last.output, _alone(model.outputs), name=f"{model.name}_head")
    except ValueError as error:  # the scores need more than these maps
        raise ValueError(
            f"model {model.name!r} cannot be cut behind {last.name!r}: a shortcut leads around it. "
            "Cut behind an Add or a Concatenate."
        ) from error
    return backbone, head


def _alone(tensors: list):
    """One tensor as itself: a model of a list returns lists, which no further layer takes."""
    return tensors[0] if len(tensors) == 1 else tensors


def _last_maps(model: keras.Model) -> keras.Layer:
    maps = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
    if len(maps) < 2:  # an input layer is one
        raise ValueError(f"model {model.name!r} has no layer that returns maps.")
    return maps[-1]


# What is trained ------------------------------------------------------------------------------------------------------


def hand_over(source: keras.Model, target: keras.Model) -> list[str]:
    """Copy the weights of each layer that both models have under the same name, in the same shapes. Lesson 11.

    It needs no common input size, and the two may differ at their ends, as a detector of ten classes and one of one do.

    Returns:
        The names of the layers of ``target`` that have weights and got none.
    """
    there = {layer.name: layer.get_weights() for layer in source.layers}
    left = []
    for layer in target.layers:
        old = there.get(layer.name, [])
        if [array.shape for array in old] == [tuple(variable.shape) for variable in layer.weights]:
            layer.set_weights(old)
        else:
            left.append(layer.name)
    return left


def stages(backbone: keras.Model) -> list[list[keras.Layer]]:
    """The layers with weights, stage by stage, from the image on; each stage works at one resolution.

    A layer belongs to the resolution of what it returns; what has no resolution belongs to the last stage. Models
    within the backbone are opened.
    """
    found: dict[tuple | None, list[keras.Layer]] = {}
    here = None
    for _, layer in parts.walk(backbone):
        if isinstance(layer, keras.Model) or not layer.weights:
            continue
        shape = tuple(getattr(_output_of(layer), "shape", ()))
        here = shape[1:3] if len(shape) == 4 else here
        if None in (here or ()):
            raise ValueError(
                f"backbone {backbone.name!r} takes images of any size, so that its layers have no resolution to tell "
                "stages by. Build it with a fixed input_shape."
            )
        found.setdefault(here, []).append(layer)
    if not found:
        raise ValueError(f"model {backbone.name!r} has no layer with weights.")
    return list(found.values())


def _output_of(layer: keras.Layer):
    try:
        return layer.output
    except (AttributeError, ValueError):  # used in several places, or never
        return None


def freeze(model: keras.Model) -> None:
    """Freeze every layer: no weight moves, and every batch normalisation uses its running statistics."""
    model.trainable = False


def unfreeze(backbone: keras.Model, last: int, normalisations: bool = False) -> list[keras.Layer]:
    """Let the ``last`` stages learn, and freeze all others. Returns the layers that learn now.

    Args:
        backbone: a model of fixed input size.
        last: how many stages, counted from the end; 0 freezes all.
        normalisations: unfreeze batch normalisations, too. Then they use, and average, the statistics of each batch.

    Compile the model again afterwards: ``fit`` goes on with what was trainable when it was compiled.
    """
    groups = stages(backbone)
    if not 0 <= last <= len(groups):
        raise ValueError(f"last={last}; {backbone.name!r} has {len(groups)} stages, so expected 0 to {len(groups)}.")
    backbone.trainable = True  # the flag of a model within counts for all that is in it
    learns = {id(layer) for group in groups[len(groups) - last :] for layer in group}
    moved = []
    for _, layer in parts.walk(backbone):
        if isinstance(layer, keras.Model):
            continue
        layer.trainable = id(layer) in learns and (normalisations or not isinstance(layer, NORMALISATIONS))
        if layer.trainable:
            moved.append(layer)
    return moved


@dataclass(frozen=True)
class Report:
    """What `report` found: numbers of weights by stage or layer, as rows (name, all, trainable, normalisations)."""

    rows: list[tuple[str, int, int, str]]

    @property
    def trainable(self) -> int:
        """Weights that learn."""
        return sum(row[2] for row in self.rows)

    @property
    def total(self) -> int:
        """All weights, statistics included."""
        return sum(row[1] for row in self.rows)

    def __str__(self) -> str:
        table = [("", "weights", "trainable", "batch normalisation"), *self.rows]
        table.append(("all", self.total, self.trainable, ""))
        texts = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in table]
        widths = [max(len(row[column]) for row in texts) for column in range(4)]
        return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in texts)

    __repr__ = __str__


def report(model: keras.Model) -> Report:
    """What is trainable, layer by layer of the model itself, and how its batch normalisations work."""
    rows = []
    for layer in model.layers:
        if not layer.weights:
            continue
        inner = [layer] if not isinstance(layer, keras.Model) else [found for _, found in parts.walk(layer)]
        norms = [found.trainable and layer.trainable for found in inner if isinstance(found, NORMALISATIONS)]
        state = "" if not norms else "frozen" if not any(norms) else "learning" if all(norms) else "mixed"
        rows.append((layer.name, _count(layer.weights), _count(layer.trainable_weights), state))
    return Report(rows)


def _count(weights) -> int:
    return int(sum(np.prod(weight.shape) for weight in weights))


# Learning rates by depth ----------------------------------------------------------------------------------------------


class ByDepth(keras.optimizers.Optimizer):
    """Several optimizers, one for each part of a model: discriminative rates (Howard and Ruder 2018).

    >>> optimizer = ByDepth({"head": keras.optimizers.Adam(1e-3), "backbone": keras.optimizers.Adam(1e-5)})

    Args:
        parts: beginning of the names of layers, or of their paths, -> optimizer for their weights: ``"block7"`` for
            all layers of block 7, ``""`` for every layer. Of several that fit, the longest counts. Each optimizer
            keeps its own state and schedule; give each part one of its own.

    Raises:
        ValueError: when it is built, if a weight fits no part, or a part fits no weight.
    """

    def __init__(self, parts: Mapping[str, keras.optimizers.Optimizer], name: str = "by_depth"):
        super().__init__(learning_rate=0.0, name=name)
        if not parts:
            raise ValueError("parts is empty; expected {beginning of a path: optimizer}.")
        if len({id(optimizer) for optimizer in parts.values()}) < len(parts):
            raise ValueError("two parts share one optimizer; give each one of its own, since each keeps a state.")
        self._names = list(parts)
        self._optimizers = list(parts.values())
        self._part_of: list[int] = []

    def build(self, variables):
        self._part_of = [self._find(variable.path) for variable in variables]
        for part, (name, optimizer) in enumerate(zip(self._names, self._optimizers)):
            mine = [variable for variable, of in zip(variables, self._part_of) if of == part]
            if not mine:
                raise ValueError(f"no trainable weight belongs to {name!r}. Is it frozen, or called otherwise?")
            optimizer.build(mine)
        super().build(variables)

    def _find(self, path: str) -> int:
        layer = path.rpartition("/")[0]
        fits = [n for n, name in enumerate(self._names) if re.search(rf"(^|/){re.escape(name)}", layer)]
        if not fits:
            raise ValueError(f"weight {path!r} belongs to none of the parts {', '.join(map(repr, self._names))}.")
        return max(fits, key=lambda n: len(self._names[n]))

    def apply(self, grads, trainable_variables=None):
        grads = list(grads)
        if not self.built:
            if trainable_variables is None:
                raise ValueError("give the variables on the first call: they build the optimizer.")
            self.build(list(trainable_variables))
        if len(grads) != len(self._part_of):
            raise ValueError(f"{len(grads)} gradients for {len(self._part_of)} weights that it was built with.")
        for part, optimizer in enumerate(self._optimizers):
            optimizer.apply([grad for grad, of in zip(grads, self._part_of) if of == part])
        self._iterations.assign_add(1)

    def restart(self, rates: Mapping[str, float]) -> None:
        """Begin anew at these rates: each part's rate is set, and all that the optimizers remember becomes zero.

        Nothing need be compiled again, so that one compiled model serves many short runs. A part at a rate of 0 does
        not move.

        Args:
            rates: part -> learning rate, for every part. The optimizers must have rates, not schedules.

        Raises:
            ValueError: the names are not those of the parts.
        """
        if set(rates) != set(self._names):
            raise ValueError(
                f"rates are given for {', '.join(map(repr, rates))}; the parts are {', '.join(map(repr, self._names))}."
            )
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        for name, optimizer in zip(self._names, self._optimizers):
            optimizer.learning_rate = rates[name]

    @property
    def variables(self):
        return [*super().variables, *(variable for inner in self._optimizers for variable in inner.variables)]

    def get_config(self):
        parts = {n: keras.saving.serialize_keras_object(o) for n, o in zip(self._names, self._optimizers)}
        return {"parts": parts, "name": self.name}

    @classmethod
    def from_config(cls, config):
        parts = {n: keras.saving.deserialize_keras_object(o) for n, o in config["parts"].items()}
        return cls(parts, config["name"])


# Training in phases ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phase:
    """A part of `fit_in_phases`: how many of the last stages learn, for how many epochs, and at which rate."""

    unfrozen: int
    epochs: int
    rate: float


def fit_in_phases(
    model: keras.Model,
    backbone: keras.Model,
    phases: Sequence[Phase],
    x,
    y,
    loss,
    optimizer=keras.optimizers.Adam,
    normalisations: bool = False,
    metrics: Sequence = ("accuracy",),
    **options,
) -> dict[str, list[float]]:
    """Progressive unfreezing: train in phases, each with more of the backbone and usually a smaller rate.

    Args:
        model: with ``backbone`` among its layers; what lies outside it always learns.
        phases: such as ``[Phase(0, 3, 1e-3), Phase(1, 3, 1e-4), Phase(2, 3, 1e-5)]``.
        loss, metrics: for ``compile``.
        optimizer: a class or function of a learning rate. Each phase begins with a fresh one.
        normalisations: as in `unfreeze`.
        options: for `training.fit`.

    Returns:
        The histories of the phases, joined, and under ``"phase"`` the number of each epoch's phase.
    """
    if not phases:
        raise ValueError("phases is empty; expected at least one Phase(unfrozen, epochs, rate).")
    if backbone not in model.layers:
        raise ValueError(f"backbone {backbone.name!r} is not a layer of model {model.name!r}.")
    joined: dict[str, list[float]] = {"phase": []}
    for number, phase in enumerate(phases):
        unfreeze(backbone, phase.unfrozen, normalisations)
        model.compile(optimizer(phase.rate), loss, metrics=list(metrics))
        history = training.fit(model, x, y, epochs=phase.epochs, **options).history
        for name, values in history.items():
            joined.setdefault(name, []).extend(values)
        joined["phase"] += [number] * phase.epochs
    return joined


# Features, once -------------------------------------------------------------------------------------------------------


class CachedFeatures(training.Batches):
    """Batches of what a frozen backbone makes of the images, computed once: a head then trains in seconds.

    Args:
        backbone: run for inference (``training=False``) on every image, once. Augmentation has no place here: what is
            cached does not change.
        x: images (n, height, width, channels), as the backbone wants them.
        y: labels (n, ...).
        batch_size, seed: as in `training.Batches`.
        at_once: images in a batch of the backbone.

    Attributes:
        features: (n, ...) what the backbone returned.
    """

    def __init__(self, backbone: keras.Model, x, y, batch_size: int = 32, seed: int | None = None, at_once: int = 32):
        if len(x) != len(y) or not len(x):
            raise ValueError(f"{len(x)} images and {len(y)} labels; expected as many of both, at least one.")
        self.features = backbone.predict(x, batch_size=at_once, verbose=0)
        super().__init__(self.features, y, batch_size, seed=seed)


def probe(features, y, new_features, new_y, strength: float = 300.0) -> float:
    """Accuracy of a linear probe: a head fitted by ridge regression, in one step, without chance.

    Features are standardised by those of the training examples; the head regresses 1 for the class and -1 for the
    others. It compares backbones; a trained head is a little better.

    Args:
        features, y: training examples, (n, d) and class numbers (n,).
        new_features, new_y: those to be classified.
        strength: of the penalty on the squares of the head's weights.

    Raises:
        ValueError: features are not of shape (n, d), or do not fit the labels or each other.
    """
    features, new_features = (np.asarray(array, "float64") for array in (features, new_features))
    y, new_y = np.asarray(y), np.asarray(new_y)
    for array, labels in ((features, y), (new_features, new_y)):
        if array.ndim != 2 or array.shape[1] != features.shape[1] or labels.shape != (len(array),):
            raise ValueError(
                f"features of shape {array.shape} with labels of shape {labels.shape}; expected (n, d) and (n,), the "
                "same d for both sets. Maps are averaged over height and width first."
            )
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    known, new = ((array - mean) / spread for array in (features, new_features))
    targets = 2.0 * np.eye(int(max(y.max(), new_y.max())) + 1)[y] - 1
    offset = targets.mean(axis=0)
    # n equations for n examples in place of d for d features: the same solution, and n is small.
    kernel = known @ known.T + strength * np.eye(len(known))
    weights = known.T @ np.linalg.solve(kernel, targets - offset)
    return float(np.mean((new @ weights + offset).argmax(axis=1) == new_y))


# To compare with ------------------------------------------------------------------------------------------------------


def baseline(x, y, new_x, new_y, steps: int = 200) -> float:
    """Accuracy on new pictures of a small network trained from random weights: what every transfer has to beat.

    Three convolutions in steps of two pixels, 16, 32 and 64 filters, each with batch normalisation, and a dense layer;
    Adam with warm-up and cosine decay (lesson 03), batches of 50.

    Args:
        x, y: pictures to learn, (n, height, width, channels) of 0 ... 255, and class numbers (n,).
        new_x, new_y: those to be classified.
        steps: of training, whatever the number of pictures; rounded down to whole passes, at least one.
    """
    x, new_x = (np.asarray(pictures, "float32") / 255 for pictures in (x, new_x))
    z = image = keras.Input(x.shape[1:])
    for filters in (16, 32, 64):
        z = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(z)
        z = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(z))
    model = keras.Model(image, layers.Dense(int(max(np.max(y), np.max(new_y))) + 1)(layers.Flatten()(z)))
    rate = training.warmup_cosine(peak=0.003, steps=steps, warmup=min(15, steps // 2))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    training.fit(model, x, y, passes=max(50 * steps // len(x), 1), batch_size=50, quiet=True)
    return float(model.evaluate(new_x, new_y, batch_size=500, verbose=0)[1])


def per_second(step: Callable[[], object], seconds: float = 0.5) -> float:
    """How often ``step`` runs in a second, measured for so many seconds after a first call, which may compile."""
    step()
    started, count = time.perf_counter(), 0
    while not count or time.perf_counter() - started < seconds:
        step()
        count += 1
    return count / (time.perf_counter() - started)


# What to do -----------------------------------------------------------------------------------------------------------

# From the least that is learnt to the most.
CHOICES = (
    "hosted API",
    "ready model",
    "label first",
    "frozen features",
    "fine-tune the last stages",
    "fine-tune everything",
    "from scratch",
)
FEW, MANY, VERY_MANY = 20, 1000, 10_000  # labelled images a class


@dataclass(frozen=True)
class Advice:
    """What `strategy` advises: one of `CHOICES`, and why, a sentence each."""

    choice: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.choice}: {' '.join(self.reasons)}"


def strategy(
    images_per_class: int,
    similar: bool,
    *,
    classes_known: bool = False,
    may_leave: bool = True,
    deadline_ms: float | None = None,
    request_ms: float = 300.0,
    fits: bool = True,
) -> Advice:
    """How to come to a classifier, from what there is and what is allowed. A first choice to measure, not a verdict.

    For images like those of ImageNet, the advice for 5 and for 100 of a class is what the experiment of lesson 09
    found; with 20, frozen features and fine-tuning differed there by no more than chance. All else are rules of thumb.

    Args:
        images_per_class: labelled images of the rarest class.
        similar: whether the images resemble what the pretrained network has seen: photographs of things.
        classes_known: whether ready models name these very classes already.
        may_leave: whether images may be sent to somebody else's computers.
        deadline_ms: within how many milliseconds an answer must be there; None for no limit.
        request_ms: what a request over the network takes; measure it.
        fits: whether the images can be given to a pretrained network at all (three channels, a comparable size).

    Raises:
        ValueError: a number is negative.
    """
    if images_per_class < 0 or request_ms < 0 or (deadline_ms is not None and deadline_ms < 0):
        raise ValueError(
            f"images_per_class={images_per_class}, deadline_ms={deadline_ms}, request_ms={request_ms}: "
            "none may be negative."
        )
    if classes_known and images_per_class < FEW:
        return _without_training(may_leave, deadline_ms, request_ms)
    if images_per_class == 0:
        return Advice("label first", ("No ready model knows your classes.", "A handful of each is enough to begin."))
    if not fits:
        return Advice("from scratch", ("No pretrained network takes such images.", "Keep it small, and augment."))
    if images_per_class < FEW:
        return Advice("frozen features", ("So few images teach a head, and hardly more.", "It takes seconds."))
    if images_per_class < MANY:
        why = (
            "The last stages are the most specific to ImageNet." if similar else "Late features fit your images least."
        )
        return Advice("fine-tune the last stages", (why, "Stage by stage, at small rates, normalisations frozen."))
    if similar or images_per_class < VERY_MANY:
        return Advice("fine-tune everything", ("The images suffice for all weights.", "Begin with the head, as above."))
    return Advice("from scratch", ("There is enough to learn all of it.", "Compare with fine-tuning everything."))


def _without_training(may_leave: bool, deadline_ms: float | None, request_ms: float) -> Advice:
    """For classes that somebody's model names already, and too few images of one's own to do better."""
    if not may_leave:
        return Advice("ready model", ("A model that runs on your machines knows the classes.", "No image may leave."))
    if deadline_ms is not None and deadline_ms < request_ms:
        return Advice(
            "ready model", ("A model that runs on your machines knows the classes.", "A request is too slow.")
        )
    return Advice("hosted API", ("Somebody runs a model that knows the classes.", "Measure it on your images first."))
