"""A Keras model as a file for another runtime, and whether that still says the same."""

from __future__ import annotations

import contextlib
import importlib
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from cnnlib import runtime
from cnnlib.deploy import extras
from cnnlib.deploy.runners import Runner, load

__all__ = ["FORMATS", "PRECISIONS", "Exported", "Parity", "export", "parity"]

FORMATS = {".tflite": "litert", ".onnx": "onnx", ".xml": "openvino"}
PRECISIONS = ("float32", "float16", "int8 weights", "int8")
_EXPORTS = {  # what each backend of Keras 3.15 can export and another runtime then runs
    "tensorflow": ("litert", "onnx", "openvino"),
    "torch": ("onnx", "openvino"),
    "jax": (),
}


@dataclass(frozen=True)
class Exported:
    """What was written: path, format, precision, bytes on disk, seconds that it took."""

    path: Path
    format: str
    precision: str
    bytes: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.path.name}: {self.format}, {self.precision}, {self.bytes / 1000:,.0f} kB"

    __repr__ = __str__


@dataclass(frozen=True)
class Parity:
    """How far a runtime is from Keras: largest difference of an output, share of images with the same first class."""

    largest: float
    same: float
    tolerance: float
    images: int

    @property
    def holds(self) -> bool:
        """Whether no output differs by more than the tolerance; False if any is NaN."""
        return self.largest <= self.tolerance

    def __str__(self) -> str:
        verdict = "within" if self.holds else "beyond"
        return (
            f"largest difference {self.largest:.1e}, {verdict} {self.tolerance:g}; "
            f"same class for {self.same:.1%} of {self.images}"
        )

    __repr__ = __str__


def parity(run: Runner, model: keras.Model | Runner, images: np.ndarray, tolerance: float = 1e-4) -> Parity:
    """Compare the outputs of a runtime with those of Keras, on images (n, height, width, channels)."""
    ours = run.predict(images)
    theirs = (model if isinstance(model, Runner) else load(model)).predict(images)
    if ours.shape != theirs.shape:
        raise ValueError(f"{run.name} gives outputs of shape {ours.shape}, the model {theirs.shape}: another network?")
    largest = float(np.abs(ours - theirs).max())
    return Parity(largest, float(np.mean(ours.argmax(-1) == theirs.argmax(-1))), tolerance, len(images))


def export(
    model: keras.Model, path: str | Path, *, precision: str = "float32", calibration: np.ndarray | None = None
) -> Exported:
    """Write a model for LiteRT (``.tflite``), ONNX (``.onnx``) or OpenVINO (``.xml`` and ``.bin``).

    Args:
        model: with one input of images (height, width, channels).
        path: its suffix names the format.
        precision: "float32"; "float16" and "int8 weights" (LiteRT) store shorter weights; "int8" quantises weights and
            activations after training. Inputs and outputs stay float32.
        calibration: for "int8" typical inputs, prepared as for the model, (n, height, width, channels): they tell the
            range of each activation. A hundred training images do.

    Raises:
        MissingPackage: an optional package is not installed.
        NotImplementedError: this backend of Keras does not export to this format, or not in this precision.
        ValueError: unknown suffix or precision, or calibration images that are missing or do not fit.
    """
    path = Path(path)
    kind = FORMATS.get(path.suffix)
    if kind is None:
        raise ValueError(f"{path.name}: expected a name that ends in {', '.join(FORMATS)}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}: expected one of {', '.join(PRECISIONS)}.")
    _check_backend(kind)
    if precision == "int8":
        calibration = _checked(calibration, model)
    started = time.perf_counter()
    with _quiet():
        {"litert": _litert, "onnx": _onnx, "openvino": _openvino}[kind](model, path, precision, calibration)
    parts = [path, path.with_suffix(".bin")] if kind == "openvino" else [path]
    size = sum(part.stat().st_size for part in parts)
    return Exported(path, kind, precision, size, time.perf_counter() - started)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what converters write on their way: warnings, lines of a logger, lines of their C++ part."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with runtime._silenced_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _check_backend(kind: str) -> None:
    backend = runtime.backend()
    if kind in _EXPORTS[backend]:
        return
    able = [name for name, kinds in _EXPORTS.items() if kind in kinds]
    raise NotImplementedError(
        f"Keras on {backend} does not export to {kind}; on {' or '.join(able)} it does. Save the weights, and export "
        f"with KERAS_BACKEND={able[0]}: the files of Keras are the same on every backend."
    )


def _checked(calibration: np.ndarray | None, model: keras.Model) -> np.ndarray:
    wanted = tuple(model.input_shape[1:])
    if calibration is None:
        raise ValueError(
            "int8 needs calibration=: some typical inputs, which tell the range of each activation. A hundred training "
            "images, prepared as for the model, do."
        )
    images = np.asarray(calibration, "float32")
    fits = images.ndim == len(wanted) + 1 and all(w in (None, n) for w, n in zip(wanted, images.shape[1:]))
    if not fits or not len(images) or not np.isfinite(images).all():
        raise ValueError(f"calibration of shape {images.shape}: expected finite numbers (n, {str(wanted)[1:]}.")
    return images


def _litert(model: keras.Model, path: Path, precision: str, calibration: np.ndarray | None) -> None:
    """What ``model.export(format="litert")`` gives, in a fifth of the time: on its way to the converter that writes the
    network to disk and reads it back twice."""
    tf = importlib.import_module("tensorflow")
    freezing = importlib.import_module("tensorflow.python.framework.convert_to_constants")
    images = tf.TensorSpec((None, *model.input_shape[1:]), model.inputs[0].dtype, name="images")
    traced = tf.function(lambda images: model(images, training=False), autograph=False).get_concrete_function(images)
    frozen = freezing.convert_variables_to_constants_v2(traced)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
    path.write_bytes(converter.convert())


def _onnx(model: keras.Model, path: Path, precision: str, calibration: np.ndarray | None) -> None:
    if precision in ("float16", "int8 weights"):
        raise NotImplementedError(f"{precision!r} is for .tflite files here; an .onnx file is 'float32' or 'int8'.")
    extras.needed("onnx", "to write .onnx files")
    other = {"tensorflow": "tf2onnx", "torch": "onnxscript"}[runtime.backend()]
    extras.needed(other, f"to write .onnx files from {runtime.backend()}")
    if precision == "float32":
        model.export(str(path), format="onnx", verbose=False)
        return
    tools = extras.needed("onnxruntime.quantization", "to quantise .onnx files")
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared = Path(folder) / "plain.onnx", Path(folder) / "prepared.onnx"
        model.export(str(plain), format="onnx", verbose=False)
        shapes = importlib.import_module("onnxruntime.quantization.shape_inference")
        shapes.quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        given = importlib.import_module("onnx").load(str(prepared)).graph.input[0].name
        images = iter([{given: calibration[i : i + 10]} for i in range(0, len(calibration), 10)])

        class Reader(tools.CalibrationDataReader):
            def get_next(self):
                return next(images, None)

        # Unsigned activations with signed weights saturate on processors without VNNI; both signed do not.
        tools.quantize_static(
            str(prepared),
            str(path),
            Reader(),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            weight_type=tools.QuantType.QInt8,
            activation_type=tools.QuantType.QInt8,
        )


def _openvino(model: keras.Model, path: Path, precision: str, calibration: np.ndarray | None) -> None:
    if precision in ("float16", "int8 weights"):
        raise NotImplementedError(f"{precision!r} is for .tflite files here; an .xml file is 'float32' or 'int8'.")
    engine = extras.needed("openvino", "to write .xml files")
    if precision == "float32":
        model.export(str(path), format="openvino", verbose=False)
        return
    nncf = extras.needed("nncf", "to quantise for OpenVINO")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.xml"
        model.export(str(plain), format="openvino", verbose=False)
        data = nncf.Dataset([image[None] for image in calibration])
        small = nncf.quantize(engine.Core().read_model(plain), data, subset_size=len(calibration))
    engine.save_model(small, str(path))
