"""What the small projects of lesson 15 share: their steps, one run of them, and what a run shows.

A `Project` is a handful of functions, its **steps**, that `Project.run` calls one after the other, as a training script
would. Any step may be exchanged, `project.replace(split=...)`, and the result is a project again.
"""

from __future__ import annotations

import dataclasses
import html
import inspect
import json
import sys
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cnnlib import runtime, training
from cnnlib.models import common, parts

__all__ = ["Code", "Data", "Listing", "Project", "Run", "STEPS", "accuracy", "answers", "small_network"]


@dataclass(frozen=True)
class Data:
    """What a project has to learn from.

    Attributes:
        pictures: (n, height, width, channels) uint8, as they were collected.
        labels: (n,) int64 class numbers.
        names: (n,) what the files are called; empty if nobody kept it.
    """

    pictures: np.ndarray
    labels: np.ndarray
    names: np.ndarray = field(default_factory=lambda: np.array([], str))

    def __repr__(self) -> str:
        return f"Data(pictures {self.pictures.shape} {self.pictures.dtype}, {len(self.labels)} labels)"


class Code(str):
    """Python source that a notebook shows folded, under the name of its file, and everything else as it is."""

    title = "source"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        heading = f"<summary><code>{html.escape(self.title)}</code></summary>"
        return f"<details>{heading}<pre>{html.escape(self)}</pre></details>"


class Listing(list):
    """Several pieces of `Code`, one below the other."""

    def __repr__(self) -> str:
        return "\n\n".join(f"# {code.title}\n\n{code}" for code in self)

    def _repr_html_(self) -> str:
        return "\n".join(code._repr_html_() for code in self)


@dataclass(frozen=True)
class Project:
    """A small project: a question, and the steps from files to answers.

    Attributes:
        name: of its file in ``cnnlib/broken/``.
        story: what it is for.
        classes: names of the classes, in order of their numbers.
        load: ``load(rng) -> Data``: what was collected.
        split: ``split(data, rng) -> (train, validation)``: indices.
        prepare: ``prepare(pictures) -> x``: pictures (n, height, width, channels) uint8 to the network's input.
        augment: ``augment(x, y, rng) -> (x, y)``: before each epoch, of the training examples.
        network: ``network() -> keras.Model`` with one output for each class.
        freeze: ``freeze(model) -> names of layers`` whose weights stay as they are.
        loss: ``loss(labels, outputs) -> number``.
        optimizer: ``optimizer() -> keras.optimizers.Optimizer``.
        serve: ``serve(outputs_of, pictures) -> class numbers``: what runs in use, on pictures as the camera gives them;
            ``outputs_of(x)`` are the outputs of the trained network.
        field: ``field(rng) -> (pictures, labels)``: what comes in use, with the truth that is known too late.
        epochs, batch_size: of the training.
        fixed: names of layers that the story wants unchanged.
    """

    name: str
    story: str
    classes: tuple[str, ...]
    load: Callable[[np.random.Generator], Data]
    split: Callable[[Data, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    prepare: Callable[[np.ndarray], np.ndarray]
    augment: Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    network: Callable[[], keras.Model]
    freeze: Callable[[keras.Model], Sequence[str]]
    loss: Callable[[Any, Any], Any]
    optimizer: Callable[[], keras.optimizers.Optimizer]
    serve: Callable[[Callable, np.ndarray], np.ndarray]
    field: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    epochs: int = 3
    batch_size: int = 100
    fixed: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Project({self.name!r}): {self.story}"

    def __deepcopy__(self, memo: dict) -> Project:
        return self  # nothing in it changes

    def replace(self, **steps: Any) -> Project:
        """The same project with some steps exchanged: functions, or numbers for ``epochs`` and ``batch_size``.

        Raises:
            TypeError: there is no such step, or it is no function.
            ValueError: ``epochs`` or ``batch_size`` is below 1.
        """
        for name, step in steps.items():
            if name in ("epochs", "batch_size"):
                if isinstance(step, bool) or not isinstance(step, (int, np.integer)) or step < 1:
                    raise ValueError(f"{name}={step!r}: expected a whole number, 1 or more.")
            elif name not in STEPS:
                raise TypeError(
                    f"there is no step {name!r}; a project has: {', '.join((*STEPS, 'epochs', 'batch_size'))}."
                )
            elif not callable(step):
                raise TypeError(
                    f"the step {name!r} is a function; {step!r} was given. Put `lambda` and its arguments before it."
                )
        return dataclasses.replace(self, **steps)

    @property
    def code(self) -> Code:
        """The source of the project's file."""
        text = Code(inspect.getsource(sys.modules[f"{__package__}.{self.name}"]))
        text.title = f"cnnlib/broken/{self.name}.py"
        return text

    def generator(self, seed: int, what: str = "") -> np.random.Generator:
        """Random numbers for one purpose: the same seed draws the same pictures, whatever else has changed."""
        return np.random.default_rng([seed, zlib.crc32(f"{self.name} {what}".encode())])

    def run(self, seed: int | None = None, epochs: int | None = None) -> Run:
        """Do it all, from the files to a trained network.

        Args:
            seed: decides which pictures are drawn, the split, the first weights; None for that of `runtime.setup`.
            epochs: other than those of the project.

        Raises:
            ValueError: a step returned something that the next one cannot use; the message names the step.
        """
        seed = runtime.seed() if seed is None else int(seed)
        keras.utils.set_random_seed(seed)
        data = _checked_data(self.load(self.generator(seed, "load")))
        train, validation = _checked_split(self.split(data, self.generator(seed, "split")), len(data.labels))
        sets = {}
        for name, chosen in (("train", train), ("validation", validation)):
            sets[name] = _checked_input(self.prepare(data.pictures[chosen].copy())), data.labels[chosen]
        model = self.network()
        for layer in self.freeze(model):
            model.get_layer(layer).trainable = False
        before = [np.array(weight) for weight in model.get_weights()]
        trained = _compiled(model, self.loss, self.optimizer())
        batches = _Augmented(*sets["train"], self.batch_size, seed, self)
        watch = _Validation(self.loss, *sets["validation"], batches)
        epochs = self.epochs if epochs is None else epochs
        history = training.fit(trained, batches, epochs=epochs, callbacks=[watch], shuffle=False, quiet=True).history
        history = {name: [float(value) for value in values] for name, values in {**history, **watch.history}.items()}
        model.set_weights(trained.get_weights())
        return Run(self, seed, data, (train, validation), sets, model, before, history)


STEPS = ("load", "split", "prepare", "augment", "network", "freeze", "loss", "optimizer", "serve", "field")


@dataclass(frozen=True, repr=False)
class Run:
    """One run of a project, and all that it leaves to look at.

    Attributes:
        project, seed: what ran.
        data: what was collected.
        split: indices of training and validation pictures.
        sets: ``{"train": (x, y), "validation": (x, y)}`` as prepared, before augmentation.
        model: the trained network.
        first_weights: what ``model.get_weights()`` was before the first step.
        history: ``loss``, ``accuracy`` (during training), ``val_loss``, ``val_accuracy`` (after it), by epoch.
    """

    project: Project
    seed: int
    data: Data
    split: tuple[np.ndarray, np.ndarray]
    sets: Mapping[str, tuple[np.ndarray, np.ndarray]]
    model: keras.Model
    first_weights: Sequence[np.ndarray]
    history: Mapping[str, Sequence[float]]

    def __repr__(self) -> str:
        return f"Run({self.project.name!r}, seed {self.seed}): " + ", ".join(
            f"{name} {value:.3f}" for name, value in self.accuracies().items()
        )

    def outputs_of(self, x) -> np.ndarray:
        """What the trained network says, (n, classes)."""
        return answers(self.model, x)

    def serve(self, pictures: np.ndarray) -> np.ndarray:
        """The class number of each picture, by what runs in use."""
        return np.asarray(self.project.serve(self.outputs_of, np.asarray(pictures).copy())).astype(int)

    def in_field(self) -> tuple[np.ndarray, np.ndarray]:
        """(answers, truth) of what comes in use."""
        pictures, labels = self.project.field(self.project.generator(self.seed, "field"))
        return self.serve(pictures), labels

    def accuracies(self) -> dict[str, float]:
        """``train`` and ``validation``, both of the finished network, and ``field``, of what is served in use."""
        found = {name: accuracy(y, self.outputs_of(x)) for name, (x, y) in self.sets.items()}
        served, labels = self.in_field()
        return {**found, "field": float(np.mean(served == labels))}

    def moved(self) -> dict[str, float]:
        """By how much each weight has moved: path -> largest change."""
        now = (ops.convert_to_numpy(weight) for weight in self.model.weights)
        pairs = zip(self.model.weights, now, self.first_weights)
        return {weight.path: float(np.max(np.abs(a - b), initial=0)) for weight, a, b in pairs}


_twins: OrderedDict[tuple, tuple[keras.Model, Any]] = OrderedDict()
MOST_TWINS = 12


def _compiled(model: keras.Model, loss: Callable, optimizer: keras.optimizers.Optimizer) -> keras.Model:
    """A compiled copy of ``model`` with its weights; the same one for the same layers, loss and optimizer.

    To compile a training step takes longer than all steps of a run. So the copy is kept, for runs that differ in their
    data only; what its optimizer remembers is forgotten.
    """
    key = _signature(model, loss, optimizer)
    if key in _twins:
        _twins.move_to_end(key)
        twin = _twins[key][0]
        for variable in twin.optimizer.variables:
            if not variable.path.endswith("learning_rate"):
                variable.assign(np.zeros(variable.shape, variable.dtype))
    else:
        with common.without_drawing():
            twin = keras.models.clone_model(model)
        for copy, layer in zip(twin.layers, model.layers):
            copy.trainable = layer.trainable
        twin.compile(optimizer, loss, metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")])
        _twins[key] = twin, loss  # the loss is kept, so that no other function gets its number in memory
        if len(_twins) > MOST_TWINS:
            _twins.popitem(last=False)
    twin.set_weights(model.get_weights())
    return twin


def _signature(model: keras.Model, loss: Callable, optimizer: keras.optimizers.Optimizer) -> tuple:
    """What is the same for two models that compile to the same step."""
    text = json.dumps(model.get_config(), sort_keys=True, default=repr)
    for number, layer in enumerate([model, *(layer for _, layer in parts.walk(model))]):
        text = text.replace(f'"{layer.name}"', f'"{number}"')
    flags = tuple(layer.trainable for layer in model.layers)
    shapes = tuple(tuple(weight.shape) for weight in model.weights)
    named = id(loss) if not hasattr(loss, "get_config") else (type(loss), _settings(loss))
    return text, flags, shapes, named, type(optimizer), _settings(optimizer)


def _settings(thing: Any) -> str:
    """How a loss or an optimizer was made, without its name, which counts up."""
    return json.dumps({key: value for key, value in thing.get_config().items() if key != "name"}, default=repr)


class _Augmented(training.Batches):
    """Batches of what ``augment`` makes of the examples, anew for each epoch."""

    def __init__(self, x, y, batch_size: int, seed: int, project: Project):
        self._original, self._project = (np.asarray(x), np.asarray(y)), project
        super().__init__(x, y, batch_size, seed)

    def seek(self, epoch: int) -> None:
        super().seek(epoch)
        rng = self._project.generator(self.seed, f"augment {epoch}")
        self.x, self.y = _checked_examples(self._project.augment(*(part.copy() for part in self._original), rng))


class _Validation(keras.callbacks.Callback):
    """Loss and accuracy on the validation set after each epoch, without compiling a function for it."""

    def __init__(self, loss: Callable, x: np.ndarray, y: np.ndarray, batches: training.Batches):
        super().__init__()
        self._loss, self._x, self._y, self._batches = loss, x, y, batches
        self.history: dict[str, list[float]] = {"val_loss": [], "val_accuracy": []}

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        self._batches.seek(epoch)  # a model that is fitted for the first time may have looked at the data already

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        outputs = answers(self.model, self._x)
        self.history["val_loss"].append(_number(self._loss(self._y, outputs)))
        self.history["val_accuracy"].append(accuracy(self._y, outputs))


# --- what the steps share ---------------------------------------------------------------------------------------------


def small_network(shape: tuple[int, int, int], classes: int, normalise: bool = True) -> keras.Model:
    """Three 3x3 convolutions in steps of two pixels, then a dense layer: one logit for each class."""
    x = image = keras.Input(shape)
    for filters in (8, 16, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=not normalise)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x) if normalise else x)
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(x)))


def answers(model: keras.Model, x) -> np.ndarray:
    """Outputs of the model for inference, (n, classes), without a compiled function, which would take longer."""
    return np.asarray(ops.convert_to_numpy(model(ops.convert_to_tensor(x), training=False)))


def accuracy(labels, outputs) -> float:
    """Share of the rows whose largest output is that of the label. NaN is never right."""
    outputs = np.asarray(outputs)
    finite = np.isfinite(outputs).all(axis=1)
    return float(np.mean(finite & (np.nan_to_num(outputs).argmax(axis=1) == labels)))


def _number(value) -> float:
    return float(np.mean(ops.convert_to_numpy(value)))


def _checked_data(data: object) -> Data:
    if not isinstance(data, Data):
        raise ValueError(f"`load` returns Data(pictures, labels); {type(data).__name__} came.")
    pictures, labels = np.asarray(data.pictures), np.asarray(data.labels)
    if pictures.ndim != 4 or labels.shape != pictures.shape[:1] or not len(labels):
        raise ValueError(
            f"`load` gave pictures of shape {pictures.shape} and labels of shape {labels.shape}; expected "
            "(n, height, width, channels) and (n,). Did one of them lose an entry?"
        )
    return dataclasses.replace(data, pictures=pictures, labels=labels.astype("int64"))


def _checked_split(parts: object, count: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        train, validation = (np.asarray(part).astype(int) for part in parts)
        fits = train.ndim == validation.ndim == 1 and len(train) and len(validation)
        fits = fits and min(train.min(), validation.min()) >= 0 and max(train.max(), validation.max()) < count
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            f"`split` returns two arrays of indices, (train, validation), neither of them empty, below {count}."
        )
    return train, validation


def _checked_input(x: object) -> np.ndarray:
    x = np.asarray(x)
    if x.ndim != 4 or x.dtype.kind not in "fiu":
        raise ValueError(
            f"`prepare` gave an array of shape {x.shape} and type {x.dtype}; expected four axes of numbers."
        )
    return x.astype("float32")


def _checked_examples(examples: object) -> tuple[np.ndarray, np.ndarray]:
    try:
        x, y = examples
        x, y = _checked_input(x), np.asarray(y)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`augment` returns (x, y), the inputs and the labels; {type(examples).__name__} came."
        ) from error
    if y.shape != x.shape[:1] or not len(y):
        raise ValueError(f"`augment` gave inputs of shape {x.shape} and labels of shape {y.shape}.")
    return x, y
