"""Packages that only parts of `cnnlib.deploy` need: imported when used, named with the command that installs them."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

__all__ = ["EXTRA", "MissingPackage", "installed", "needed"]

EXTRA = 'python -m pip install -e ".[deploy]"'

# import name -> name on PyPI
_ON_PYPI = {"ai_edge_litert": "ai-edge-litert", "onnxscript": "onnxscript", "nncf": "nncf"}


class MissingPackage(ImportError):
    """A package is asked for that is not installed; the message has the command."""


def installed(name: str) -> bool:
    """Whether a package can be imported, without importing it: ``installed("onnxruntime")``."""
    return importlib.util.find_spec(name) is not None


def needed(name: str, purpose: str) -> ModuleType:
    """Import an optional module.

    Args:
        name: as it is imported; ``"ai_edge_litert.interpreter"`` names a part of a package.
        purpose: what it is needed for, as the sentence goes on: ``"to run .onnx files"``.

    Raises:
        MissingPackage: it is not installed.
    """
    package = name.partition(".")[0]
    if not installed(package):
        pypi = _ON_PYPI.get(package, package)
        raise MissingPackage(
            f"{pypi} is needed {purpose}, and is not installed. In the folder of the course: {EXTRA} installs it with "
            f"the others; python -m pip install {pypi} installs it alone."
        )
    return importlib.import_module(name)
