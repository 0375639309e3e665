"""A small course to grade with, and notebooks handed in for it."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest
from grading_case import CHECKS, LESSON, LESSON_CHECKS

from cnnlib import exercises
from cnnlib.exercises import catalogue, course


@pytest.fixture
def fences(tmp_path, monkeypatch):
    """The root of a small course, told to the engine; the engine itself is copied beside it, as ``asked``."""
    root = tmp_path / "course"
    checks = root / "fences" / "checks"
    checks.mkdir(parents=True)
    (root / "lessons").mkdir()
    (checks.parent / "__init__.py").write_text("")
    (checks / "__init__.py").write_text(CHECKS)
    (checks / "lesson_07.py").write_text(LESSON_CHECKS)
    (root / "lessons" / "07_fences.py").write_text(LESSON, encoding="utf-8")
    shutil.copytree(Path(exercises.__file__).parent, root / "asked", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(course, "_told", [])
    for name in ("FENCES_PROGRESS", "FENCES_CHECK_SEED"):
        monkeypatch.setenv(name, "")
    importlib.import_module("fences.checks")
    yield root
    catalogue._exercises_of.cache_clear()
    for name in [each for each in sys.modules if each.split(".")[0] == "fences"]:
        del sys.modules[name]


@pytest.fixture
def place(fences):
    """What of the small course a submission sees."""
    from grading.jail import Place

    return Place(
        fences,
        shown=("fences", "asked"),
        key=("fences/checks", "lessons"),
        engine="asked",
        prelude="import fences.checks",
    )


@pytest.fixture
def hand_in(tmp_path):
    """Write a notebook of a learner, and give it back as it is read."""
    from grading import submissions

    def write(text, learner="ada", name="07_fences.ipynb"):
        path = tmp_path / "handed in" / learner / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return submissions.read(learner, path, ["07"])

    return write
