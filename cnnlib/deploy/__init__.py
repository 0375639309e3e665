"""Networks in service: exported, quantised, timed, and measured against what the machine can do. Lesson 16.

>>> from cnnlib import deploy
>>> deploy.export(model, "model.tflite", precision="int8", calibration=images)
>>> run = deploy.load("model.tflite")          # the same for .onnx, .xml (OpenVINO) and Keras models
>>> deploy.parity(run, model, images), deploy.latency(run, images[:1])

================  =================================================================================================
`extras`          packages that are imported when used, and the command that installs them
`exporting`       `export` to LiteRT, ONNX or OpenVINO, in float32, float16 or int8; `parity` with Keras
`runners`         `load`: one `predict` for Keras models and exported files
`timing`          `latency`: p50, p95, p99, processor time, and what the clock can tell; `compare` in turns
`profiling`       `layer_profile` on every backend, `onnx_profile` in ONNX Runtime
`roofline`        `machine`: peak and bandwidth of this machine; `intensities` of the layers of a network
`quantisation`    one tensor by hand, `fold_batch_norm`, and `Int8`: a network as int8 would compute it, on any backend
`pruning`         weights or whole channels taken out
================  =================================================================================================

The default is LiteRT: Keras on TensorFlow exports it with nothing more to install, and TensorFlow's own interpreter
runs it on Linux, macOS (M processors) and Windows with Python 3.11 to 3.13. Where ``ai-edge-litert``, its successor, is
installed, that is taken. ONNX Runtime and OpenVINO come with the extra ``deploy``.
"""

from cnnlib._lazy import exports

_MODULES = {
    "exporting": ("PRECISIONS", "Exported", "Parity", "export", "parity"),
    "extras": ("MissingPackage", "installed"),
    "profiling": ("Profile", "layer_profile", "onnx_profile"),
    "pruning": ("without_channels", "without_weights", "zipped_bytes"),
    "quantisation": ("Int8", "Scheme", "fold_batch_norm", "quantisation_errors", "scheme"),
    "roofline": ("Machine", "intensities", "machine"),
    "runners": ("Runner", "UnsupportedOperator", "load", "missing_kernel", "operators"),
    "timing": ("Timing", "compare", "latency"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _HOME)
