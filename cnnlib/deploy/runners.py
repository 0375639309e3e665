"""One way to run a network, whatever computes it: a Keras model, or a file for LiteRT, ONNX Runtime or OpenVINO."""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from cnnlib import gradients, runtime
from cnnlib.deploy import extras

__all__ = ["RUNTIMES", "Runner", "UnsupportedOperator", "load", "operators"]

#: suffix of a file -> the runtimes that read it, the preferred one first
RUNTIMES = {
    ".tflite": ("litert", "tf.lite"),
    ".onnx": ("onnxruntime", "openvino"),
    ".xml": ("openvino",),
}
KERAS = ("compiled", "predict_on_batch", "predict", "eager")


class UnsupportedOperator(RuntimeError):
    """A file uses an operator that the runtime does not have."""


class Runner:
    """Images in, outputs out. Called with one batch it does no more than the runtime; `predict` makes batches.

    Attributes:
        name: of the runtime, as ``"onnxruntime"``.
        run: float32 images (n, height, width, channels) -> outputs (n, ...), NumPy arrays.
        inside: what computes: the Keras model, the interpreter or the session.
    """

    def __init__(self, name: str, run: Callable[[np.ndarray], np.ndarray], inside: object = None):
        self.name, self.run, self.inside = name, run, inside

    def __repr__(self) -> str:
        return f"Runner({self.name})"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.run(images))

    def predict(self, images: np.ndarray, batch_size: int = 50) -> np.ndarray:
        """Outputs of any number of images, in batches of one size: a rest is filled up, so nothing is planned anew.

        Raises:
            ValueError: no images, or a batch size below 1.
        """
        images = np.asarray(images, "float32")
        if batch_size < 1 or images.ndim < 2 or not len(images):
            raise ValueError(
                f"batch_size={batch_size} and images of shape {images.shape}: expected 1 or more, and a batch of "
                "images (n, height, width, channels). One image becomes a batch by image[None]."
            )
        size, found = min(batch_size, len(images)), []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            rest = size - len(part)
            if rest:
                part = np.concatenate([part, np.zeros((rest, *part.shape[1:]), "float32")])
            found.append(np.array(self(part))[: size - rest])
        return np.concatenate(found)


# What backends raise where a processor has no code for an operation in a precision.
_NO_KERNEL = ("AbortedError", "InternalError", "NotImplementedError", "UnimplementedError", "XlaRuntimeError")


def missing_kernel(run: Runner, images: np.ndarray) -> str:
    """Why a network cannot be computed on this processor, in the words of the backend; "" if it can. Lesson 16.

    Precisions of 16 bits have kernels on some processors only, and a backend says so at the first call.

    Args:
        run: the network.
        images: a few, (n, height, width, channels).
    """
    try:
        run.predict(images)
    except Exception as error:  # each backend has its own
        said = str(error)
        if type(error).__name__ not in _NO_KERNEL and "not implemented for" not in said:
            raise
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return next((line for line in lines if "could not" in line or "not implemented" in line), lines[0])
    return ""


def load(source: keras.Model | str | Path, runtime: str | None = None, threads: int | None = None) -> Runner:
    """A `Runner` of a Keras model or an exported file.

    Args:
        source: the model, or a path: ``.tflite``, ``.onnx`` or ``.xml``.
        runtime: of a file, one of `RUNTIMES`; the first that is installed if not given. Of a model: ``"compiled"``
            (the default; PyTorch never compiles), ``"predict_on_batch"``, ``"predict"`` or ``"eager"``.
        threads: cores for the inside of one call; what the runtime thinks best if not given. Keras' backends can only
            be told before they start.

    Raises:
        MissingPackage: the runtime is not installed.
        FileNotFoundError: there is no such file.
        ValueError: the runtime does not read such files.
    """
    if isinstance(source, keras.Model):
        return _keras(source, runtime or "compiled", threads)
    path = Path(source)
    if path.suffix not in RUNTIMES:
        raise ValueError(f"{path.name}: expected a Keras model, or a file that ends in {', '.join(RUNTIMES)}.")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}. deploy.export(model, path) writes one.")
    known = RUNTIMES[path.suffix]
    if runtime is not None and runtime not in known:
        raise ValueError(f"runtime={runtime!r} does not read {path.suffix} files; expected {' or '.join(known)}.")
    if runtime is None:
        runtime = "tf.lite" if path.suffix == ".tflite" and not extras.installed("ai_edge_litert") else known[0]
    return {"litert": _litert, "tf.lite": _litert, "onnxruntime": _onnxruntime, "openvino": _openvino}[runtime](
        path, runtime, threads
    )


def _keras(model: keras.Model, way: str, threads: int | None) -> Runner:
    if way not in KERAS:
        raise ValueError(f"runtime={way!r}: a Keras model is run by {', '.join(KERAS)}.")
    if threads is not None:
        raise ValueError("threads: the backend of Keras has started already; set its threads before it does.")
    if way in ("compiled", "eager"):
        return Runner(f"Keras, {way}", gradients.forward(model, jit=way == "compiled"), model)
    if way == "predict":
        return Runner(f"Keras, {way}", lambda x: model.predict(x, batch_size=len(x), verbose=0), model)
    return Runner(f"Keras, {way}", model.predict_on_batch, model)


def _litert(path: Path, name: str, threads: int | None) -> Runner:
    with runtime._silenced_stderr(), warnings.catch_warnings():  # a line about the delegate; that tf.lite will go
        warnings.simplefilter("ignore")
        if name == "litert":
            interpreter_of = extras.needed("ai_edge_litert.interpreter", "to run .tflite files").Interpreter
        else:
            interpreter_of = importlib.import_module("tensorflow").lite.Interpreter
        interpreter = interpreter_of(str(path), num_threads=threads)
        try:
            interpreter.allocate_tensors()
        except RuntimeError as error:
            found = sorted(set(re.findall(r"\((Flex\w+)\)", str(error))))
            if not found:
                raise
            raise UnsupportedOperator(
                f"{path.name} holds {', '.join(found)}: an operator of TensorFlow that LiteRT does not have, and that "
                "the export has passed on as it is. Change the layer it comes from, or compute that part outside."
            ) from error
    given, told = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    shape = [tuple(given["shape"])]

    def run(images: np.ndarray) -> np.ndarray:
        if images.shape != shape[0]:
            with runtime._silenced_stderr():
                interpreter.resize_tensor_input(given["index"], images.shape)
                interpreter.allocate_tensors()
            shape[0] = images.shape
        interpreter.set_tensor(given["index"], np.asarray(images, given["dtype"]))
        interpreter.invoke()
        return interpreter.get_tensor(told["index"])

    return Runner(name, run, interpreter)


def _onnxruntime(path: Path, name: str, threads: int | None) -> Runner:
    engine = extras.needed("onnxruntime", "to run .onnx files")
    options = engine.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    session = engine.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    return Runner(name, lambda images: session.run(None, {given: images})[0], session)


def _openvino(path: Path, name: str, threads: int | None) -> Runner:
    engine = extras.needed("openvino", f"to run {path.suffix} files")
    # float32 unless the file says otherwise: by itself the processor's plug-in may compute in bfloat16.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = engine.Core().compile_model(os.fspath(path), "CPU", settings)
    return Runner(name, lambda images: compiled(images)[0], compiled)


def operators(run: Runner) -> dict[str, int]:
    """How many operators of each kind a loaded ``.tflite`` file has, as ``{"CONV_2D": 19, ...}``.

    ``DELEGATE`` counts the pieces that the processor's fast kernels (XNNPACK) take over. One is best: between two of
    them stands something that they do not know, and everything else waits for it.

    Raises:
        ValueError: of another runtime.
    """
    if run.name not in RUNTIMES[".tflite"]:
        raise ValueError(f"{run.name}: operators are told of .tflite files.")
    return dict(Counter(each["op_name"] for each in run.inside._get_ops_details()))
