"""Every figure that a lesson draws: one look, one palette, alternative text on each.

Nothing is imported until a name is used, so ``from cnnlib import plotting`` loads no plotting library. A further module
of this package takes part by listing its public names in ``__all__``.
"""

import importlib
import importlib.util

_CORE = (
    "COLOURS",
    "CYCLE",
    "bars",
    "curves",
    "figure",
    "heatmap",
    "images",
    "png",
    "show",
    "use_style",
)
_TOPICS = (
    "convolution",
    "receptive",
    "optimisation",
    "costs",
    "efficiency",
    "depth",
    "augmentation",
    "transfer",
    "explain",
    "detection",
    "segmentation",
    "heads",
    "reliability",
    "hardware",
    "parallel",
    "grids",
)

__all__ = sorted([*_CORE, "explore"])


def __getattr__(name: str):
    if name in _CORE:
        return getattr(importlib.import_module("cnnlib.plotting.core"), name)
    if name == "explore":
        return importlib.import_module("cnnlib.plotting.explorer").explore
    if name.startswith("__"):
        raise AttributeError(name)
    if name in _TOPICS:
        return importlib.import_module(f"cnnlib.plotting.{name}")
    for topic in _topics():
        if name in topic.__all__:
            return getattr(topic, name)
    raise AttributeError(f"plotting has no {name!r}; it has: {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for topic in _topics() for name in topic.__all__)})


def _topics() -> list:
    return [importlib.import_module(f"cnnlib.plotting.{name}") for name in _TOPICS if _exists(name)]


def _exists(name: str) -> bool:
    return importlib.util.find_spec(f"cnnlib.plotting.{name}") is not None
