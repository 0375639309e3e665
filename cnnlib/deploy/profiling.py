"""Where the time of one forward pass goes, layer by layer: on every backend of Keras, and in ONNX Runtime."""

from __future__ import annotations

import functools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops, tree

from cnnlib import gradients
from cnnlib.deploy import extras

__all__ = ["Profile", "ProfileRow", "layer_profile", "onnx_profile"]


@dataclass(frozen=True)
class ProfileRow:
    """One layer or operator: its name, type, and milliseconds (the median of the repetitions)."""

    name: str
    type: str
    milliseconds: float


class Profile(Sequence):
    """Rows in the order of computation. ``print`` shows the types by their share of the time."""

    def __init__(self, rows: Sequence[ProfileRow], whole: float):
        self.rows = list(rows)
        #: milliseconds of a whole pass without a profiler; what the rows lack is between the layers
        self.whole = whole

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key):
        return self.rows[key]

    @property
    def total(self) -> float:
        """Milliseconds of all rows."""
        return sum(row.milliseconds for row in self.rows)

    def by_type(self) -> dict[str, float]:
        """Milliseconds of each type, the most expensive first."""
        sums: dict[str, float] = {}
        for row in self.rows:
            sums[row.type] = sums.get(row.type, 0.0) + row.milliseconds
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def __str__(self) -> str:
        counts = {kind: sum(row.type == kind for row in self.rows) for kind in self.by_type()}
        width = max(map(len, counts), default=4)
        lines = [f"{'type':<{width}}{'layers':>8}{'ms':>10}{'share':>8}"]
        for kind, spent in self.by_type().items():
            lines.append(f"{kind:<{width}}{counts[kind]:>8}{spent:>10.3f}{spent / self.total:>8.0%}")
        return "\n".join([*lines, f"{'all':<{width}}{len(self):>8}{self.total:>10.3f}"])

    __repr__ = __str__


def layer_profile(model: keras.Model, images: np.ndarray, repetitions: int = 5) -> Profile:
    """Time every layer of a model on a batch of images (n, height, width, channels), on any backend.

    The model is called eagerly, layer by layer, and each result is waited for. So the sum is more than what a compiled
    call takes, where layers are fused; the shares tell where to look. A layer that is called twice has one row with
    the time of both calls. Models inside the model have no row of their own, their layers have.

    Raises:
        ValueError: fewer than one repetition.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions={repetitions}: expected 1 or more.")
    images = ops.convert_to_tensor(np.asarray(images, "float32"))
    whole = []
    eager = gradients.forward(model, jit=False)
    for _ in range(repetitions + 1):
        started = time.perf_counter()
        eager(images)
        whole.append(1000 * (time.perf_counter() - started))
    layers = list(_leaves(model))
    passes = [_spent(layers, lambda: eager(images)) for _ in range(repetitions + 1)][1:]
    rows = [
        ProfileRow(layer.name, type(layer).__name__, float(np.median([spent[layer.name] for spent in passes])))
        for layer in layers
        if layer.name in passes[0]
    ]
    return Profile(rows, float(np.median(whole[1:])))


def _leaves(model: keras.Model) -> Iterator[keras.Layer]:
    """Its layers, those of models inside it in their place."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def _spent(layers: Sequence[keras.Layer], run: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of each layer, by name, in one run."""
    spent: dict[str, float] = {}

    def noting(layer: keras.Layer):
        inner = layer.call

        @functools.wraps(inner)
        def call(*args, **kwargs):
            started = time.perf_counter()
            result = inner(*args, **kwargs)
            _wait(result)
            spent[layer.name] = spent.get(layer.name, 0.0) + 1000 * (time.perf_counter() - started)
            return result

        return call

    try:
        for layer in layers:
            object.__setattr__(layer, "call", noting(layer))
        run()
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)
    return spent


def _wait(result) -> None:
    """Until the numbers are there: JAX and GPUs compute while Python goes on."""
    for tensor in tree.flatten(result):
        if hasattr(tensor, "block_until_ready"):
            tensor.block_until_ready()
        elif "cpu" not in str(getattr(tensor, "device", "cpu")).lower():
            ops.convert_to_numpy(tensor)


def onnx_profile(path: str | Path, images: np.ndarray, repetitions: int = 5, threads: int | None = None) -> Profile:
    """Time every operator of an ``.onnx`` file by ONNX Runtime's own profiler.

    It tells what is left after fusion, so the operators are not the layers of the model.

    Raises:
        MissingPackage: ONNX Runtime is not installed.
        FileNotFoundError: there is no such file.
        ValueError: fewer than one repetition.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions={repetitions}: expected 1 or more.")
    engine = extras.needed("onnxruntime", "to profile .onnx files")
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}. deploy.export(model, path) writes one.")
    with tempfile.TemporaryDirectory() as folder:
        options = engine.SessionOptions()
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        if threads is not None:
            options.intra_op_num_threads = threads
        session = engine.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0].name
        whole = []
        for _ in range(repetitions + 1):
            started = time.perf_counter()
            session.run(None, {given: np.asarray(images, "float32")})
            whole.append(1000 * (time.perf_counter() - started))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    spent: dict[str, list[float]] = {}
    types: dict[str, str] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            spent.setdefault(name, []).append(event["dur"] / 1000)
            types[name] = event["args"]["op_name"]
    rows = [ProfileRow(name, types[name], float(np.median(times[1:]))) for name, times in spent.items()]
    return Profile(rows, float(np.median(whole[1:])))
