"""Small projects that run, and fail the way real projects fail (lesson 15).

Each is one file of some sixty lines: what was collected, how it is split, prepared and augmented, the network, its loss
and optimizer, and what runs in use. One line of each is wrong. `project` gives one by name; read its `code`, `run` it,
look at anything, and exchange the step that is to blame with `replace`.
"""

from __future__ import annotations

import importlib

from cnnlib._lazy import exports

NAMES = (
    "shoes",
    "wardrobe",
    "toys",
    "microscope",
    "catalogue",
    "studio",
    "sorter",
    "forest",
    "gate",
    "meadow",
    "inspection",
)


def read(*names: str):
    """The code of several projects, each folded under the name of its file where a notebook shows it.

    Raises:
        ValueError: there is no such project.
    """
    from cnnlib.broken.steps import Listing

    return Listing([project(name).code for name in names])


def project(name: str):
    """The `Project` of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in NAMES:
        raise ValueError(f"there is no project {name!r}; there are: {', '.join(NAMES)}.")
    return importlib.import_module(f"{__name__}.{name}").project


_HOME = dict.fromkeys(("Code", "Data", "Project", "Run", "STEPS", "answers", "small_network"), "steps")
_HOME |= dict.fromkeys(("by_eye", "cause"), "causes")
_HOME |= dict.fromkeys(
    (
        *("ROWS", "by_scene", "checked", "confirms", "cross_entropy", "four_numbers", "probabilities", "seen"),
        *("served_as_validated", "tiny"),
    ),
    "evidence",
)
_get, _directory, _public = exports(__name__, (), _HOME)


def __getattr__(name: str):
    return _get(name)


def __dir__() -> list[str]:
    return sorted({*_directory(), *__all__})


__all__ = sorted(["NAMES", "by_eye", "cause", "project", "read", *_public])
