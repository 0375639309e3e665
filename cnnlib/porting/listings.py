"""The PyTorch listings of a lesson, run in a process of their own, and the comparison of Keras code with them.

A listing is the first block of Python code below a heading ``### 07 · Title`` in the source of the lesson: what the
learner reads is what runs. See :mod:`.torch_process` for what a listing sees, and what is kept of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnlib import results, runtime
from cnnlib.claims import claim
from cnnlib.porting.numbers import difference, numbers
from cnnlib.porting.numbers import state as drawn_state

EXPERIMENT = "a_listings"
LESSON = "A"
TIMEOUT = 300.0  # seconds for all listings; they take five
TOLERANCE = 1e-4  # of the largest number of an output: float32, summed in another order
TOLERANCE_OF_A_STEP = 2e-3  # of the largest change of a weight
MISSING = (
    "PyTorch is not installed here, so running the {count} PyTorch listings was skipped. "
    "Keras is compared with what PyTorch {version} gave on {date} (stored). To run them: make backends."
)


@dataclass(frozen=True)
class Listing:
    """One PyTorch listing: its number and title on the page, and its text."""

    number: str
    title: str
    text: str

    @property
    def fingerprint(self) -> str:
        """Of the text: stored answers belong to one text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


class TorchError(RuntimeError):
    """PyTorch could not be started, or a listing failed in it."""


def read(path: Path | None = None) -> dict[str, Listing]:
    """The listings of a lesson's source by number, in order; those of appendix A if no path is given.

    Raises:
        FileNotFoundError: the checkout has no such lesson.
        ValueError: a number is there twice, or no listing at all.
    """
    if path is None:
        found = sorted((runtime.root() / "solutions").glob(f"{LESSON}_*.py"))
        if not found:
            raise FileNotFoundError(
                f"there is no solutions/{LESSON}_*.py: the listings are read from the page's source"
            )
        path = found[0]
    text = re.sub(r"^# ?", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pattern = re.compile(
        r"^### (\d\d) · ([^\n]+?) *\n(?:(?!```|#)[^\n]*\n)*```python\n(.*?)^```$", re.MULTILINE | re.DOTALL
    )
    listings = [Listing(*match.groups()) for match in pattern.finditer(text)]
    numbers_ = [listing.number for listing in listings]
    if not listings or len(set(numbers_)) < len(numbers_):
        raise ValueError(f"{path.name} has the listings {', '.join(numbers_) or 'none'}: each number stands once")
    return {listing.number: listing for listing in listings}


def available() -> bool:
    """Whether PyTorch is installed; it is not imported."""
    return importlib.util.find_spec("torch") is not None


def run(texts: dict[str, str], timeout: float = TIMEOUT) -> dict:
    """Run PyTorch code in a process of its own: one call for all texts, each in a namespace of its own.

    Returns:
        ``{"version": ..., "listings": {name: {"values": ..., "layouts": ...} or {"error": ...}}}``, see
        :mod:`.torch_process`.

    Raises:
        TorchError: the process did not start, died, or took too long; the message has its last words.
    """
    folder = str(Path(__file__).resolve().parents[2])
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    with tempfile.TemporaryDirectory() as place:
        answers = Path(place) / "answers.json"
        command = [sys.executable, "-m", "cnnlib.porting.torch_process", str(answers)]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(texts),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TorchError(f"the process with PyTorch did not answer: {type(error).__name__}") from error
        if done.returncode or not answers.exists():
            said = [line for line in done.stderr.strip().splitlines() if line.strip()]
            last = said[-1] if said else "it said nothing"
            raise TorchError(f"the process with PyTorch ended with {done.returncode}: {last}")
        return json.loads(answers.read_text(encoding="utf-8"))


def start() -> TorchSide:
    """Run all PyTorch listings of appendix A, or take the stored answers where PyTorch is not installed or fails."""
    listings = read()
    trouble = ""
    if available():
        try:
            content = run({number: listing.text for number, listing in listings.items()})
        except TorchError as error:
            trouble = str(error)
        else:
            values = {
                number: {"fingerprint": listings[number].fingerprint, **answer}
                for number, answer in content["listings"].items()
            }
            if results.recording(EXPERIMENT):
                _all_ran(values)
                results.record(EXPERIMENT, version=content["version"], listings=values)
            return TorchSide(listings, values, content["version"])
    if results.recording(EXPERIMENT):
        raise TorchError(f"the answers of PyTorch cannot be recorded: {trouble or 'it is not installed'}")
    stored = results.load(results.path(EXPERIMENT))
    kept = stored["runs"][0]
    return TorchSide(listings, kept["listings"], kept["version"], stored["date"], trouble)


def _all_ran(values: dict) -> None:
    failed = [f"{number}: {answer['error']}" for number, answer in values.items() if "error" in answer]
    if failed:
        raise TorchError("; ".join(failed))


class TorchSide:
    """What PyTorch gave for each listing, live or stored, and the comparison of Keras with it.

    Args:
        listings: by number.
        answers: by number: ``values`` (packed arrays by name), ``layouts``, ``fingerprint``; or ``error``.
        version: of PyTorch.
        date: of the stored answers; empty if PyTorch runs here.
        trouble: why PyTorch, although installed, did not run.
    """

    def __init__(self, listings: dict[str, Listing], answers: dict, version: str, date: str = "", trouble: str = ""):
        self.listings, self.version, self.date, self.trouble = listings, version.partition("+")[0], date, trouble
        self._answers = answers

    @property
    def live(self) -> bool:
        """Whether PyTorch ran here."""
        return not self.date

    def report(self) -> str:
        """Whether the listings ran here, and if not, what was skipped and why."""
        if self.live:
            return (
                f"PyTorch {self.version} ran the {len(self.listings)} listings of this page, in a process of its own."
            )
        said = MISSING.format(count=len(self.listings), version=self.version, date=self.date)
        return (
            said.replace("is not installed here", f"is installed and does not run ({self.trouble})")
            if self.trouble
            else said
        )

    def values(self, number: str) -> dict[str, np.ndarray]:
        """What a listing left, by name: tensors and numbers. Arrays of more than 400 numbers are left out.

        Raises:
            KeyError: there is no such listing.
            TorchError: it failed, or only the answers of an older text are stored.
        """
        found = self._answer(number)["values"]
        whole = {name: packed for name, packed in found.items() if len(packed["values"]) == np.prod(packed["shape"])}
        return {name: np.reshape(packed["values"], packed["shape"]) for name, packed in whole.items()}

    def fill(self, number: str, model, name: str = "model", flattened: dict | None = None):
        """Give a Keras model the weights that ``fill(model)`` gives that listing's network; returns the model.

        Args:
            number: of the listing.
            model: a built Keras model with the same layers.
            name: of the network in the listing.
            flattened: see :func:`cnnlib.porting.weights.to_keras`.
        """
        from cnnlib.porting import weights

        weights.to_keras(model, self._state(number, name), flattened)
        return model

    def compare(self, number: str, layer, flattened: dict | None = None) -> None:
        """Check that a Keras layer or model computes what the listing's ``model`` computes for its ``x``.

        Both get the same weights and inputs. Compared are the number of parameters, the output in evaluation mode,
        and one step of plain SGD in training mode: loss and change of each weight, running means included. The running
        variances of batch normalisation are not: PyTorch divides by n - 1 there, see listing 14.

        Raises:
            ClaimFailed: they differ; the message says in what.
            KeyError, TorchError: as :meth:`values`.
        """
        said, differs = self.differences(number, layer, flattened)
        title = f"{number} {self.listings[number].title}"
        claim(f"{title}: {said}" if not differs else f"{title}: equal. But {'; '.join(differs)}", not differs)

    def apart(self, number: str, layer) -> float:
        """How far a Keras layer's output is from the listing's, for the same weights and input.

        Returns:
            The largest difference, as a share of the largest output; infinity if the shapes differ.

        Raises:
            KeyError, TorchError: as :meth:`values`.
        """
        return self._outputs(number, layer)[0]

    def differences(self, number: str, layer, flattened: dict | None = None) -> tuple[str, list[str]]:
        """What :meth:`compare` found: a description of what was compared, and in what the two sides differ."""
        packed = self._answer(number)["values"]
        model, x = self._built(number, layer)
        own = sum(int(np.prod(variable.shape)) for variable in _parameters(model))
        trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
        differs = [
            f"{what} are {found:,}, not {packed[name]['values'][0]:,}"
            for what, found, name in (("parameters", own, "parameters"), ("trainable ones", trainable, "trainable"))
            if found != packed[name]["values"][0]
        ]
        if differs:
            return "", differs
        apart, y = self._outputs(number, model, flattened)
        if not apart <= TOLERANCE:
            return "", [
                f"the outputs are {apart:.2g} apart"
                if math.isfinite(apart)
                else f"the output is {y.shape}, not {tuple(packed['y']['shape'])}"
            ]
        parameters = f"{own:,} parameter{'s' if own > 1 else ''}, " if own else ""
        said = f"{parameters}output {' x '.join(map(str, y.shape))}"
        if "loss" not in packed:
            return f"{said}, equal", []
        differs = self._after_a_step(model, x, y.shape, self._state(number, "model"), packed, flattened)
        return f"{said}, equal before and after a step", differs

    def _built(self, number: str, layer) -> tuple:
        """A layer as a built model, and the listing's input with channels last."""
        import keras

        from cnnlib.porting import weights

        x = weights.channels_last(numbers(*self._answer(number)["x"]))
        model = layer if isinstance(layer, keras.Model) else keras.Sequential([layer])
        if not model.built:
            model.build((None, *x.shape[1:]))
        return model, x

    def _outputs(self, number: str, layer, flattened: dict | None = None) -> tuple[float, np.ndarray]:
        from cnnlib import gradients
        from cnnlib.porting import weights

        model, x = self._built(number, layer)
        if state := self._state(number, "model"):
            weights.to_keras(model, state, flattened)
        # JAX compiles each operation of an eager call; one compiled call takes half the time and memory.
        y = gradients.forward(model)(x) if runtime.backend() == "jax" else model(x, training=False)
        y = weights.channels_first(y)
        packed = self._answer(number)["values"]["y"]
        return difference(y, packed) / max(1.0, np.abs(packed["values"]).max()), y

    def _after_a_step(self, model, x, shape, state, packed, flattened) -> list[str]:
        import keras

        from cnnlib.porting import weights
        from cnnlib.porting.torch_process import RATE

        model.compile(optimizer=keras.optimizers.SGD(RATE), loss="mse", run_eagerly=runtime.backend() != "jax")
        loss = float(model.train_on_batch(x, weights.channels_last(numbers(*shape, seed=1))))
        differs = []
        if not abs(loss - packed["loss"]["values"][0]) <= TOLERANCE * max(1.0, abs(loss)):
            differs.append(f"the loss is {loss:.6g}, not {packed['loss']['values'][0]:.6g}")
        paired = weights.prefixes(model, list(state))
        for layer, entries in weights.from_keras(model).items():
            for entry, array in entries.items():
                name = f"{paired[layer]}.{entry}".lstrip(".")
                if entry == "running_var":
                    continue
                if layer in (flattened or {}) and entry == "weight":
                    channels, *size = flattened[layer]
                    array = array.reshape(-1, *size, channels).transpose(0, 3, 1, 2).reshape(array.shape)
                change = packed[f"change:{name}"]
                apart = difference(array.reshape(state[name].shape) - state[name], change)
                if not apart <= 1e-6 + TOLERANCE_OF_A_STEP * np.abs(change["values"]).max():
                    differs.append(f"after a step {name} is {apart:.2g} off")
        return differs

    def _state(self, number: str, name: str) -> dict[str, np.ndarray]:
        layouts = self._answer(number)["layouts"]
        if name not in layouts:
            raise KeyError(f"listing {number} has no network {name!r}; it has: {', '.join(layouts) or 'none'}")
        return drawn_state([(entry, tuple(shape)) for entry, shape in layouts[name]])

    def _answer(self, number: str) -> dict:
        if number not in self.listings:
            raise KeyError(f"there is no listing {number!r}; there are {', '.join(self.listings)}")
        listing, answer = self.listings[number], self._answers.get(number, {})
        if answer.get("fingerprint") != listing.fingerprint:
            raise TorchError(
                f"listing {number} has changed since the answers of PyTorch were stored, and PyTorch does not run "
                f"here. They are made by: python tools/run_experiments.py --lesson {LESSON} --seeds 0"
            )
        if "error" in answer:
            raise TorchError(f"listing {number} · {listing.title} fails in PyTorch {self.version}, {answer['error']}")
        return answer


def _parameters(model) -> list:
    """The variables that PyTorch counts as parameters: not the statistics of batch normalisation, not seeds."""
    statistics = ("moving_mean", "moving_variance", "seed_generator_state")
    return [variable for variable in model.variables if variable.name not in statistics]
