"""Training: the progress line, a data order that is the same everywhere, range test, schedules, checks, resuming.

Keras trains. This module adds what lesson 03 and the ones after it need around ``model.fit``; `cnnlib.plotting` draws
what comes out (``plotting.histories``, ``range_test``, ``tiny_fits``):

==========================  ===================================================================================
`fit`                       ``model.fit`` with one quiet progress line and batches that every backend draws alike
`Batches`, `Progress`       its two parts, for use with ``model.fit`` directly
`range_test`                the loss against a growing learning rate (Smith 2017)
`warmup_cosine`             linear warm-up, then half a cosine (Loshchilov and Hutter 2017; Goyal et al. 2017)
`overfit_tiny`              can the network learn a handful of examples by heart?
`activation_statistics`     mean, spread and share of zeros of what each layer passes on
`train_resumable`           a run that can be killed at any moment and loses nothing
==========================  ===================================================================================
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from cnnlib import runtime

__all__ = [
    "Batches",
    "LayerStatistics",
    "Progress",
    "RangeTest",
    "TinyFit",
    "activation_statistics",
    "fit",
    "overfit_tiny",
    "range_test",
    "train_resumable",
    "warmup_cosine",
]


# --- data order ------------------------------------------------------------------------------------------------------


class Batches(keras.utils.PyDataset):
    """Batches of two arrays, in an order that depends on ``seed`` and the number of the epoch and on nothing else.

    The order is the same on TensorFlow, JAX and PyTorch, it differs from epoch to epoch, and epoch 7 can be drawn
    without drawing the six before it, which is what makes a run resumable. (The order of ``model.fit(x, y)`` has none
    of the three: in particular, with ``keras.utils.set_random_seed`` it is the same in every epoch on TensorFlow.)

    Args:
        x: inputs, (n, ...).
        y: targets, (n, ...).
        batch_size: examples in a batch; the last batch of an epoch may be smaller.
        seed: a whole number, or None for that of `runtime.setup`.
        shuffle: False keeps the order of the arrays.
        passes: how often an epoch goes through all examples, in another order each time. Keras spends a moment on the
            start of each epoch, which with few examples is more than it spends on their batches.

    Raises:
        ValueError: the arrays differ in length, are empty, or ``batch_size`` or ``passes`` is below 1.
    """

    def __init__(self, x, y, batch_size: int = 32, seed: int | None = None, shuffle: bool = True, passes: int = 1):
        super().__init__(workers=1, use_multiprocessing=False)
        self.x, self.y = np.asarray(x), np.asarray(y)
        if self.x.ndim == 0 or self.y.ndim == 0 or len(self.x) != len(self.y):
            raise ValueError(
                f"x and y need one entry per example, got shapes {self.x.shape} and {self.y.shape}. "
                "Were the two arrays cut differently?"
            )
        if not len(self.x):
            raise ValueError("x and y are empty: there is nothing to train on.")
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}.")
        if passes < 1:
            raise ValueError(f"passes must be 1 or more, got {passes}.")
        self.batch_size, self.passes = int(batch_size), int(passes)
        self.seed = runtime.seed() if seed is None else int(seed)
        self.shuffle = shuffle
        self.seek(0)

    def seek(self, epoch: int) -> None:
        """Make ``epoch``, counted from 0, the one that is drawn next."""
        self._next_epoch = epoch
        self._order = self.order(epoch)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the examples in the order in which ``epoch`` visits them, (passes * n,)."""
        if not self.shuffle:
            return np.tile(np.arange(len(self.x)), self.passes)
        numbers = range(epoch * self.passes, (epoch + 1) * self.passes)
        return np.concatenate([np.random.default_rng([self.seed, k]).permutation(len(self.x)) for k in numbers])

    def on_epoch_begin(self) -> None:
        """Called by Keras before the first batch of each epoch."""
        self.seek(self._next_epoch)
        self._next_epoch += 1

    def __len__(self) -> int:
        return math.ceil(self.passes * len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.x[chosen], self.y[chosen]


class _FollowEpoch(keras.callbacks.Callback):
    """Tells `Batches` which epoch comes next, also when a run starts in the middle."""

    def __init__(self, batches: Batches, reseed: bool = False):
        super().__init__()
        self._batches = batches
        self._reseed = reseed

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        self._batches.seek(epoch)
        if self._reseed:
            sequence = np.random.SeedSequence([self._batches.seed, epoch])
            keras.utils.set_random_seed(int(sequence.generate_state(1)[0]))


# --- progress --------------------------------------------------------------------------------------------------------


class Progress(keras.callbacks.Callback):
    """One line that follows a training run, and stays short when it is stored.

    In a notebook or a terminal the line is redrawn a few times a second: epoch, share done, batches per second, time
    left, loss and metrics. When the run ends it is replaced by the result. In static mode (``CNNLIB_STATIC=1``), or
    when the output goes to a file, the result is all there is::

        10 epochs · loss ≈ 0.312 · accuracy ≈ 0.914 · val_loss ≈ 0.398 · val_accuracy ≈ 0.888

    It costs two Python calls a batch and never waits for the device.

    Args:
        label: a name put before the line, to tell several runs apart.
        interval: seconds between two drawings.
    """

    # Keras may call on_train_batch_end from another thread, so that the next batch starts at once. It only takes
    # notes; the drawing happens in on_train_batch_begin, which Keras calls from the thread of the notebook cell.
    async_safe = True

    def __init__(self, label: str = "", interval: float = 0.2):
        super().__init__()
        self.label = label
        self.interval = interval
        self._line = _Line()

    def on_train_begin(self, logs=None) -> None:
        self._validation: dict[str, float] = {}
        self._latest: dict[str, float] = {}
        self._final: dict[str, float] = {}
        self._begun = self._drawn = time.perf_counter()
        self._warm: float | None = None  # when the first batch was done: before, the backend compiles
        self._batches = self._done = self._epoch = 0
        self._first_epoch: int | None = None
        if self._line.moves:
            self._line.draw(f"{self._prefix()}first batch, which includes compiling ...")

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        if self._first_epoch is None:
            self._first_epoch = epoch
        self._epoch, self._done = epoch, 0

    def on_train_batch_begin(self, batch: int, logs=None) -> None:
        if not self._line.moves or self._warm is None:
            return
        now = time.perf_counter()
        if now - self._drawn >= self.interval:
            self._drawn = now
            self._line.draw(self._live(now))

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        if self._warm is None:
            self._warm = time.perf_counter()
        else:
            self._batches += batch + 1 - self._done
        self._done = batch + 1
        self._latest = logs or {}

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        self._final = dict(logs or {})
        self._validation = {name: value for name, value in self._final.items() if name.startswith("val_")}

    def on_train_end(self, logs=None) -> None:
        if self._first_epoch is None:
            self._line.close("")  # nothing was left to do
        else:
            self._line.close(self.summary())

    def summary(self) -> str:
        """The result in one line, in which everything that differs between machines follows "≈"."""
        from cnnlib.claims import approx

        run, planned = self._epoch + 1, self.params.get("epochs") or self._epoch + 1
        if run == planned:
            parts = [f"{planned} epoch" + "s" * (planned != 1)]
        else:
            parts = [f"stopped after epoch ≈ {run} of {planned}"]
        parts += [f"{name} {approx(value)}" for name, value in _ordered(self._final)]
        return self._prefix() + " · ".join(parts)

    def _prefix(self) -> str:
        return f"{self.label} · " if self.label else ""

    def _live(self, now: float) -> str:
        epochs, steps = self.params.get("epochs") or 1, self.params.get("steps")
        speed = self._batches / max(now - self._warm, 1e-9)
        parts = [f"epoch {self._epoch + 1}/{epochs}"]
        if steps:
            share = self._done / steps
            filled = round(12 * share)
            parts[0] += f" {'━' * filled}{'─' * (12 - filled)} {share:4.0%}"
            left = (epochs - self._epoch) * steps - self._done
            if speed > 0:
                parts.append(f"{_clock(left / speed)} left")
        if speed > 0:
            parts.append(f"{speed:.3g} batches/s")
        parts += [f"{name} {value:.3f}" for name, value in _ordered({**self._latest, **self._validation})]
        return self._prefix() + " · ".join(parts)


def _ordered(logs: Mapping[str, float]) -> list[tuple[str, float]]:
    """Training before validation, and the loss first."""
    return sorted(logs.items(), key=lambda item: (item[0].startswith("val_"), not item[0].endswith("loss")))


def _clock(seconds: float) -> str:
    """``95.2`` as ``1:35``, ``3700`` as ``1:01:40``."""
    seconds = int(seconds)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"


class _Line:
    """A line of text that is redrawn in place where the output allows it, and printed once where it does not."""

    def __init__(self):
        static = runtime.is_static()
        self._notebook = not static and runtime.in_notebook()
        self._terminal = not static and not self._notebook and sys.stdout.isatty()
        self._handle = None
        self._width = 0

    @property
    def moves(self) -> bool:
        return self._notebook or self._terminal

    def draw(self, text: str) -> None:
        if self._notebook:
            from IPython.display import display

            bundle = {"text/plain": text}
            if self._handle is None:
                self._handle = display(bundle, raw=True, display_id=True)
            else:
                self._handle.update(bundle, raw=True)
        else:
            text = text[: shutil.get_terminal_size().columns - 1]
            print("\r" + text.ljust(self._width), end="", flush=True)
            self._width = len(text)

    def close(self, text: str) -> None:
        """Replace the line by ``text`` for good; the next call of ``draw`` starts a new one."""
        if self._notebook and self._handle is not None:
            self.draw(text)
        elif self._terminal and self._width:
            print("\r" + text.ljust(self._width))
        elif text:
            print(text)
        self._handle, self._width = None, 0


def fit(
    model: keras.Model,
    x,
    y=None,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    validation_data=None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    seed: int | None = None,
    shuffle: bool = True,
    passes: int = 1,
    label: str = "",
    quiet: bool = False,
    **options,
) -> keras.callbacks.History:
    """``model.fit`` with the progress line of the course, and batches drawn alike on every backend.

    Args:
        model: a compiled model.
        x: inputs (n, ...), or anything else that ``model.fit`` takes, with ``y=None``; then the order is its own.
        y: targets (n, ...).
        epochs, batch_size, validation_data: as in ``model.fit``.
        callbacks: further Keras callbacks.
        seed: decides the order of the examples; None for that of `runtime.setup`.
        shuffle: False keeps the order of the arrays.
        passes: how often an epoch goes through all examples; see `Batches`.
        label: put before the progress line.
        quiet: no progress line at all.
        **options: passed on to ``model.fit``.

    Returns:
        The history, as ``model.fit`` gives it.
    """
    callbacks = list(callbacks)
    if y is None:
        data, options = x, {"shuffle": shuffle, **options}
    else:
        data = Batches(x, y, batch_size, seed, shuffle, passes)
        callbacks.insert(0, _FollowEpoch(data))
        # With shuffle=True Keras would shuffle the order of the batches again. And it takes the batch size of
        # validation arrays from batch_size, which must not be given beside a dataset.
        options = {"shuffle": False, "validation_batch_size": batch_size, **options}
    if not quiet:
        callbacks.append(Progress(label))
    _create_variables(model, data)
    return model.fit(data, epochs=epochs, validation_data=validation_data, callbacks=callbacks, verbose=0, **options)


def _create_variables(model: keras.Model, data) -> None:
    """Create what a step would create at its first call: the variables of the optimizer, the loss and the metrics.

    TensorFlow traces a step that creates variables twice, which for a small network takes longer than to train it.
    """
    if keras.backend.backend() != "tensorflow" or not model.built or not model.trainable_variables:
        return
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    shape = getattr(model, "output_shape", None)  # a model that is written as a class has none
    if isinstance(data, Batches) and isinstance(shape, tuple) and None not in shape[1:]:
        x, y = data.x[:1], data.y[:1]
        untrained = np.zeros((1, *shape[1:]), "float32")
        model.compute_loss(x, y, untrained)
        model.compute_metrics(x, y, untrained)
        model.reset_metrics()


# --- learning rate ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RangeTest:
    """What `range_test` found.

    Attributes:
        rates: the learning rates tried, growing, (n,).
        losses: the loss of the batch seen at each of them, before its step, (n,).

    Raises:
        ValueError: there are fewer than three losses, not as many rates, or a number that is not finite.
    """

    rates: np.ndarray
    losses: np.ndarray

    def __post_init__(self):
        rates, losses = np.asarray(self.rates, float), np.asarray(self.losses, float)
        if rates.shape != losses.shape or rates.ndim != 1 or len(rates) < 3 or not np.isfinite(rates + losses).all():
            raise ValueError(
                f"a range test is a curve: three finite losses or more, with a rate for each; got rates {rates.shape} "
                f"and losses {losses.shape}, {int(np.isfinite(losses).sum())} of them finite."
            )

    @property
    def smoothed(self) -> np.ndarray:
        """The losses without the noise of single batches: a centred mean over a twelfth of the tested range, (n,)."""
        half = max(1, len(self.losses) // 24)
        padded = np.pad(self.losses, half, mode="edge")
        return np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")

    @property
    def minimum(self) -> float:
        """The rate at which the smoothed loss is lowest. Training at this rate is at the edge of divergence."""
        return float(self.rates[np.argmin(self.smoothed)])

    @property
    def steepest(self) -> float:
        """The rate, below the minimum, at which the smoothed loss falls fastest per decade."""
        end = int(np.argmin(self.smoothed)) + 1
        if end < 3:
            return float(self.rates[0])
        slope = np.gradient(self.smoothed[:end], np.log10(self.rates[:end]))
        return float(self.rates[np.argmin(slope)])

    @property
    def suggestion(self) -> float:
        """A rate to start from: a decade below the minimum."""
        return self.minimum / 10


def range_test(
    model: keras.Model,
    x,
    y,
    lowest: float = 1e-5,
    highest: float = 1.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int | None = None,
) -> RangeTest:
    """Train for a few steps while the learning rate grows from ``lowest`` to ``highest``, and watch the loss.

    Below some rate nothing happens, then the loss falls, then it explodes. The test ends early once the loss is not a
    number or four times the best so far. Afterwards the model and its optimizer are as they were.
    (L. N. Smith, Cyclical learning rates for training neural networks, 2017; lesson 03.)

    Args:
        model: compiled, with a learning rate that is a number and not a schedule.
        x, y: training examples; each step draws its own batch of them.
        lowest, highest: first and last learning rate; they grow by a constant factor from step to step.
        steps: how many steps, at least 10.
        batch_size: examples in a batch.
        seed: decides the batches.

    Raises:
        ValueError: the model is not compiled, its learning rate is a schedule, the range is empty, the data hold
            NaN or infinity, or the loss leaves all bounds before there is a curve.
    """
    optimizer = _compiled_optimizer(model, "range_test")
    _require_finite(x, y)
    if not 0 < lowest < highest:
        raise ValueError(f"The range must grow and be positive, got lowest={lowest} and highest={highest}.")
    if steps < 10:
        raise ValueError(f"A range test needs at least 10 steps to have a shape, got {steps}.")
    before = _snapshot(model)
    rates = np.geomspace(lowest, highest, steps)
    losses: list[float] = []
    try:
        for rate, (inputs, targets) in zip(rates, _endless(Batches(x, y, batch_size, seed))):
            try:
                optimizer.learning_rate = rate
            except TypeError:
                raise ValueError(
                    "The optimizer follows a schedule, which a range test cannot replace. Compile the model with a "
                    "number, as in keras.optimizers.Adam(learning_rate=1e-3)."
                ) from None
            losses.append(_step(model, inputs, targets))
            if not np.isfinite(losses[-1]) or losses[-1] > 4 * min(losses):
                break
    finally:
        _restore(before)
    kept = np.isfinite(losses)
    if kept.sum() < 3:
        raise ValueError(_no_curve(losses, rates))
    return RangeTest(rates[: len(losses)][kept], np.asarray(losses)[kept])


def _no_curve(losses: Sequence[float], rates: np.ndarray) -> str:
    """What to say when a range test ends before it has begun."""
    reached = f"The range test ended after {len(losses)} steps, at a learning rate of {rates[len(losses) - 1]:.3g}: "
    if not np.isfinite(losses[0]):
        return reached + (
            f"the loss was {losses[0]} before any step was taken. The data are finite; expected finite weights, and "
            "targets that fit the loss. Are weights NaN, labels outside the classes, or is the logarithm of 0 taken?"
        )
    return reached + f"the loss had become {losses[-1]:.3g}. Begin at a lower rate: lowest={rates[0] / 100:.3g}."


def warmup_cosine(peak: float, steps: int, warmup: int) -> keras.optimizers.schedules.LearningRateSchedule:
    r"""A learning rate that climbs in a straight line to ``peak`` and comes down along half a cosine.

    With steps counted from 0 and a warm-up of $w \ge 1$ steps, step $s$ is taken at

    .. math:: p\,\frac{s+1}{w} \text{ for } s < w, \qquad
              \frac{p}{2}\left(1 + \cos \pi\frac{s-w+1}{n-w+1}\right) \text{ for } w \le s < n

    so that no step is wasted at a rate of zero, and step ``warmup - 1`` is the first at the peak. Built from
    ``keras.optimizers.schedules.CosineDecay``, whose own warm-up starts at zero. (Lesson 03.)

    Args:
        peak: the highest rate.
        steps: steps of the whole run: epochs times batches per epoch.
        warmup: how many of them climb; 0 counts as 1, so that both start at the peak.

    Raises:
        ValueError: ``peak`` is not positive, or ``warmup`` is not between 0 and ``steps``.
    """
    if peak <= 0:
        raise ValueError(f"peak must be positive, got {peak}.")
    if not 0 <= warmup < steps:
        raise ValueError(
            f"warmup counts steps of the run and must lie in 0 ... {steps - 1}, got {warmup} of {steps}. "
            "Was it given in epochs?"
        )
    if warmup < 2:
        return keras.optimizers.schedules.CosineDecay(peak, decay_steps=steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / warmup,
        warmup_target=peak,
        warmup_steps=warmup - 1,
        decay_steps=steps - warmup + 1,
    )


# --- checks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TinyFit:
    """What `overfit_tiny` found.

    Attributes:
        losses: the loss before each step, (steps,).
        target: the share of the first loss that the last must fall below.
    """

    losses: np.ndarray
    target: float

    @property
    def passed(self) -> bool:
        """Whether the loss came down to less than ``target`` of where it started."""
        return bool(np.isfinite(self.losses[-1]) and self.losses[-1] < self.target * self.losses[0])


def overfit_tiny(
    model: keras.Model, x, y, n: int = 32, steps: int = 100, target: float = 0.1, seed: int | None = None
) -> TinyFit:
    """Train on the same ``n`` examples for ``steps`` steps. A pipeline that works learns them by heart.

    One that cannot has a fault: in the labels, the loss, the output layer, the gradient or the learning rate. It is
    the cheapest test there is, and the first to run. Afterwards the model and its optimizer are as they were.

    Args:
        model: compiled, as it will be trained.
        x, y: training examples, of which ``n`` are drawn.
        n: how many; all of them form one batch.
        steps: how many steps.
        target: the test is passed if the last loss is below this share of the first.
        seed: decides which examples are drawn.

    Raises:
        ValueError: the model is not compiled, there are fewer than ``n`` examples, or they hold NaN or infinity.
    """
    _compiled_optimizer(model, "overfit_tiny")
    _require_finite(x, y)
    if not 1 <= n <= len(x):
        raise ValueError(f"n must be between 1 and the number of examples, {len(x)}, got {n}.")
    inputs, targets = Batches(x, y, n, seed)[0]
    before = _snapshot(model)
    try:
        losses = [_step(model, inputs, targets) for _ in range(steps)]
    finally:
        _restore(before)
    return TinyFit(np.asarray(losses), target)


@dataclass(frozen=True)
class LayerStatistics:
    """What one layer passes on.

    Attributes:
        name: the name of the layer.
        mean, std: of all its output values.
        zeros: the share of output values that are exactly zero, which after a ReLU is the share switched off.
    """

    name: str
    mean: float
    std: float
    zeros: float


def activation_statistics(
    model: keras.Model, x, layers: Sequence[str] | None = None, training: bool = False
) -> list[LayerStatistics]:
    """Mean, standard deviation and share of zeros of every layer's output, from the first layer to the last.

    Args:
        model: a built functional or sequential model.
        x: some inputs, (n, ...); a few dozen are enough.
        layers: names of the layers to report; all but the inputs if not given.
        training: whether the layers run as in training.

    Raises:
        ValueError: the model is not built, or a name is unknown.
    """
    known = {
        layer.name: layer for layer in getattr(model, "layers", []) if not isinstance(layer, keras.layers.InputLayer)
    }
    if not known or not getattr(model, "inputs", None):
        raise ValueError(
            "The model has no layers with outputs yet. Start it with keras.Input(shape), or call it once on a batch."
        )
    unknown = set(layers or ()) - set(known)
    if unknown:
        raise ValueError(f"No layer is named {sorted(unknown)}; the model has: {', '.join(known)}.")
    chosen = [known[name] for name in (layers or known)]
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    outputs = keras.Model(inputs, [layer.output for layer in chosen])(x, training=training)
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    found = []
    for layer, output in zip(chosen, outputs):
        values = keras.ops.convert_to_numpy(output)
        found.append(
            LayerStatistics(layer.name, float(values.mean()), float(values.std()), float((values == 0).mean()))
        )
    return found


# --- resuming --------------------------------------------------------------------------------------------------------


def train_resumable(
    model: keras.Model,
    x,
    y,
    directory: str | Path,
    *,
    epochs: int,
    batch_size: int = 32,
    validation_data=None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    seed: int | None = None,
    label: str = "",
) -> keras.callbacks.History:
    """Train, saving after every epoch, so that the run can be killed at any moment and started again.

    Call it again with the same arguments, in a new process if need be: it goes on after the last complete epoch and
    ends where the run would have ended had it not been killed. What that takes:

    - weights and optimizer state (momenta, step count), by ``keras.callbacks.BackupAndRestore``;
    - the state of every random layer (dropout, augmentation), which Keras does not save with the weights; and since
      PyTorch's dropout draws from the generator of the process, all global generators are seeded at each epoch;
    - the order of the examples, which is a function of seed and epoch alone (`Batches`);
    - the history so far;
    - all of these from the same epoch: a save counts only once it is complete, by one renaming of its folder.

    An epoch that was cut short is repeated from its start; before the first save that is the start of the run, with
    the weights that the model has at the call. Callbacks with a memory of their own, such as
    ``EarlyStopping``, begin anew. On a GPU the sums of a convolution may be taken in another order in each run, and
    then "where it would have ended" holds to rounding errors only.

    Args:
        model: compiled. Its weights are replaced if the folder holds a save.
        x, y: training examples, arrays.
        directory: a folder for this run alone. It keeps the last save: a further call with more epochs continues.
        epochs: how many epochs the whole run has.
        batch_size, validation_data, callbacks, label: as in `fit`.
        seed: decides the order of the examples; None for that of `runtime.setup`.

    Returns:
        The history of the whole run, the epochs before the kill included.

    Raises:
        ValueError: the model is not compiled, or the folder holds a run with other data, seed, batch size or layers.
    """
    _compiled_optimizer(model, "train_resumable")
    batches = Batches(x, y, batch_size, seed)
    saves = _Saves(Path(directory), _identity(model, batches))
    saves.check_out()
    # The callbacks of the caller come first: what they do to the weights at the end of an epoch is then saved.
    chain = [
        *callbacks,
        keras.callbacks.BackupAndRestore(str(saves.backup), delete_checkpoint=False),
        saves,
        _FollowEpoch(batches, reseed=True),
        Progress(label),
    ]
    try:
        history = model.fit(
            batches,
            epochs=epochs,
            validation_data=validation_data,
            validation_batch_size=batch_size,
            callbacks=chain,
            shuffle=False,
            verbose=0,
        )
    finally:
        # BackupAndRestore leaves the epoch to start from here, and nothing clears it: without this line a later
        # model.fit would start there too, and train less than asked for, or not at all.
        model._initial_epoch = None
    history.history, history.epoch = saves.history, list(range(len(saves.history.get("loss", []))))
    return history


_SAVED = ("random.npz", "run.json")  # the files of a save, beside the folder "backup" of BackupAndRestore


class _Saves(keras.callbacks.Callback):
    """Keeps, beside what ``BackupAndRestore`` saves, random states and history, and makes each save all or nothing.

    ``directory/next/`` is where a save is written. Once it is complete it is renamed to ``directory/epoch-0007/``,
    and the one before it is deleted. What is still called ``next`` when a run starts was cut short.
    """

    def __init__(self, directory: Path, identity: dict[str, object]):
        super().__init__()
        self.directory, self.identity = directory, identity
        self.history: dict[str, list[float]] = {}
        self._random: list[np.ndarray] | None = None

    @property
    def backup(self) -> Path:
        return self.directory / "next" / "backup"

    def check_out(self) -> None:
        """Put the newest complete save where ``BackupAndRestore`` looks for it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        unfinished = self.directory / "next"
        if unfinished.exists() and not {path.name for path in unfinished.glob("*")} <= {"backup", *_SAVED}:
            raise ValueError(
                f"The folder {str(unfinished)!r} holds other files than a save of a run, and would be replaced. Choose "
                "another folder for the run, or move these files away."
            )
        shutil.rmtree(unfinished, ignore_errors=True)
        complete = self._complete()
        if not complete:
            return
        saved = json.loads((complete[-1] / "run.json").read_text(encoding="utf-8"))
        differing = [name for name, value in self.identity.items() if saved["identity"].get(name) != value]
        if differing:
            raise ValueError(
                f"The folder {str(self.directory)!r} holds a run that differs in: {', '.join(differing)}. To go on "
                "with that run, call with the same arguments; for a new run, choose an empty folder."
            )
        self.history = saved["history"]
        with np.load(complete[-1] / "random.npz") as file:
            self._random = [file[name] for name in sorted(file.files)]
        shutil.copytree(complete[-1], self.directory / "next")

    def _complete(self) -> list[Path]:
        """The saves of whole epochs, oldest first; other folders of the same name are not ours to delete."""
        folders = sorted(self.directory.glob("epoch-*"))
        return [folder for folder in folders if all((folder / name).is_file() for name in _SAVED)]

    def on_train_begin(self, logs=None) -> None:
        if self._random is not None:
            for variable, value in zip(_random_states(self.model), self._random):
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        folder = self.directory / "next"
        states = {f"{i:04d}": _to_numpy(state) for i, state in enumerate(_random_states(self.model))}
        np.savez(folder / "random.npz", **states)
        run = {"identity": self.identity, "history": self.history}
        (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
        earlier = self._complete()
        os.replace(folder, self.directory / f"epoch-{epoch + 1:06d}")
        for old in earlier:
            shutil.rmtree(old, ignore_errors=True)


def _identity(model: keras.Model, batches: Batches) -> dict[str, object]:
    """What must be the same for two calls to be parts of one run."""
    return {
        "seed": batches.seed,
        "batch size": batches.batch_size,
        "data": [zlib.crc32(np.ascontiguousarray(array)) for array in (batches.x, batches.y)],
        "layers": [list(map(int, weight.shape)) for weight in model.weights],
        "optimizer": type(model.optimizer).__name__,
    }


# --- shared ----------------------------------------------------------------------------------------------------------


def _compiled_optimizer(model: keras.Model, what: str) -> keras.optimizers.Optimizer:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        raise ValueError(f"{what} needs a model that is compiled: call model.compile(optimizer=..., loss=...) first.")
    if not model.built:
        raise ValueError(
            f"{what} needs a model that is built: start it with keras.Input(shape), or call it on a batch."
        )
    return optimizer


def _require_finite(x, y) -> None:
    """ValueError if an example holds NaN or infinity. The loss need not show it: TensorFlow's ReLU makes 0 of NaN."""
    for name, array in (("x", np.asarray(x)), ("y", np.asarray(y))):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = int((~np.isfinite(array.reshape(len(array), -1)).all(axis=1)).sum())
            raise ValueError(
                f"{name} holds NaN or infinity in {bad} of {len(array)} examples: no learning rate is to blame. Was "
                "there a division by a spread of 0, or a file that was not read?"
            )


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """The variables behind the random layers of ``model``, which Keras counts as variables but not as weights."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _to_numpy(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable.value), copy=True)  # PyTorch would share the memory


def _snapshot(model: keras.Model) -> list[tuple[keras.Variable, np.ndarray]]:
    """All that training changes: weights, random states, optimizer."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [(variable, _to_numpy(variable)) for variable in [*model.variables, *model.optimizer.variables]]


def _restore(snapshot: list[tuple[keras.Variable, np.ndarray]]) -> None:
    for variable, value in snapshot:
        variable.assign(value)


def _step(model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> float:
    """One step of training; the loss of this batch alone, before the step."""
    model.reset_metrics()  # before 3.15 Keras returned the mean over all batches since the last reset
    return float(model.train_on_batch(inputs, targets, return_dict=True)["loss"])


def _endless(batches: Batches) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Full batches, epoch after epoch."""
    whole = max(1, len(batches.x) // batches.batch_size)
    epoch = 0
    while True:
        batches.seek(epoch)
        yield from (batches[index] for index in range(whole))
        epoch += 1
