"""A small course to grade with, and notebooks handed in for it."""

import shutil
from pathlib import Path

import pytest
import small_course
from grading_case import CHECKS, LESSON, LESSON_CHECKS

from cnnlib import exercises


@pytest.fixture
def fences(tmp_path, monkeypatch):
    """The root of a small course, told to the engine; the engine itself is copied beside it, as ``asked``."""
    root = tmp_path / "course"
    small_course.write(root, CHECKS, LESSON_CHECKS, LESSON)
    shutil.copytree(Path(exercises.__file__).parent, root / "asked", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("FENCES_PROGRESS", "FENCES_CHECK_SEED"):
        monkeypatch.setenv(name, "")
    small_course.tell(root, monkeypatch)
    yield root
    small_course.forget()


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
