"""cnnlib: what the lessons of the course share.

Modules load when first used, so that ``import cnnlib`` costs next to nothing beyond Keras and no plotting library is
imported before a figure is drawn.
"""

import importlib

__version__ = "0.1.0"

_MODULES = (
    "arithmetic",
    "claims",
    "datasets",
    "exercises",
    "gradients",
    "models",
    "plotting",
    "reference",
    "results",
    "runtime",
    "splits",
    "trace",
    "training",
)
_FUNCTIONS = {"claim": "claims", "exercise": "exercises", "progress": "exercises"}

__all__ = sorted([*_MODULES, *_FUNCTIONS])


def __getattr__(name: str):
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"cnnlib.{_FUNCTIONS[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"cnnlib.{name}")
    raise AttributeError(f"module 'cnnlib' has no attribute {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
