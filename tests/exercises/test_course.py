"""The engine as a library of its own: no word of this course in it, and another course can use it."""

import ast
import importlib
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import small_course
from engine_case import NOT_ATTEMPTED, RIGHT, WRONG

import cnnlib
from cnnlib import exercises
from cnnlib.exercises import Case, Course, FunctionExercise, catalogue, course, exercise, journal, progress, replay, use

FOLDER = Path(exercises.__file__).parent
SOURCES = sorted(FOLDER.glob("*.py"))

CHECKS = """
from pathlib import Path
from cnnlib.exercises import Course, use

COURSE = use(Course(
    checks=__name__, lessons=Path(__file__).parents[2] / "lessons", progress=Path(__file__).parents[2] / "done.json",
    prefix="FENCES",
))
"""
LESSON_CHECKS = """
from cnnlib.exercises import Case, FunctionExercise, Misconception

def posts(panels):
    if panels < 0:
        raise ValueError("a fence of less than nothing")
    return panels + 1

EXERCISES = [
    FunctionExercise(
        "07.1",
        "Fence posts",
        reference=posts,
        cases=lambda rng: [Case((0,)), Case((3,)), Case((int(rng.integers(4, 99)),)), Case((-1,), raises=ValueError)],
        misconceptions=(Misconception(lambda panels: panels, "A fence ends with a post as well."),),
        hints=("Draw a fence of one panel.", "Count its ends."),
    ),
]
"""
LESSON = "# %% [markdown]\n# # 07 · Fences\n\n" + small_course.POSTS


@pytest.fixture
def fences(tmp_path, monkeypatch):
    """Another course, told to the engine."""
    small_course.write(tmp_path, CHECKS, LESSON_CHECKS, LESSON)
    monkeypatch.delenv("CNNLIB_PROGRESS")
    yield small_course.tell(tmp_path, monkeypatch)
    small_course.forget()


# --- no word of this course ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_engine_has_no_word_of_this_course(path):
    text = path.read_text(encoding="utf-8")
    if path.name == "course.py" or path.name == "__init__.py":  # which tell another course what to write
        text = text.replace("from cnnlib.exercises import Course, use", "")
    found = re.findall(r"(?i)cnn\w*|convol\w*|solutions/|\bpixel\w*|\bruntime\b", text)
    assert not found
    assert not re.findall(r"lesson_\d|CNNLIB_", text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_engine_needs_nothing_but_numpy(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        assert not isinstance(node, ast.ImportFrom) or node.level <= 1, "reaches out of its folder"
        for name in names:
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top in ("numpy", "keras"), f"line {node.lineno} imports {name}"


def test_the_engine_works_where_it_is_copied_to(tmp_path):
    """Under another name, without the package around it, and without Keras."""
    package = tmp_path / "asked"
    package.mkdir()
    for path in SOURCES:
        (package / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    code = """
        import sys
        from asked import Case, FunctionExercise, listed, progress
        twice = FunctionExercise("01.1", "Twice", reference=lambda x: 2 * x, cases=lambda rng: [Case((3,)), Case((4,))])
        print(twice.check(lambda x: x + x).outcome, twice.check(lambda x: x + 3).outcome)
        try:
            listed()
        except LookupError as error:
            print(error)
        print([name for name in sys.modules if name.split(".")[0] in ("cnnlib", "keras", "matplotlib", "IPython")])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == "RIGHT WRONG"
    assert "no course was told" in second
    assert third == "[]"


# --- another course --------------------------------------------------------------------------------------------------


def test_another_course_is_checked_hinted_answered_and_its_progress_kept(fences, tmp_path):
    assert catalogue.listed() == {"07.1": "Fence posts"}
    asked = exercise("7.1")
    assert asked.check(lambda panels: ...).outcome == NOT_ATTEMPTED
    result = asked.check(lambda panels: panels)
    assert (result.outcome, result.row("Likely")) == (WRONG, "A fence ends with a post as well.")
    assert asked.hint().text == "Draw a fence of one panel."
    assert "return panels + 1" in asked.answer().source
    (right,) = replay.lesson("07").reference("07.1")
    assert asked.check(right).outcome == RIGHT
    kept = json.loads((tmp_path / "done.json").read_text())["exercises"]["07.1"]
    assert kept["attempts"] == 2
    assert kept["answer_first"]
    assert "07  Fences  1 of 1" in repr(progress())
    with pytest.raises(ValueError, match=r"there is no exercise '01.2'; there are: 07.1"):
        exercise("01.2")


def test_the_stub_of_another_course_is_not_attempted(fences):
    (stub,) = replay.lesson("07").stub("07.1")
    assert exercise("07.1").check(stub).outcome == NOT_ATTEMPTED


def test_another_course_has_variables_of_its_own(fences, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLIB_PROGRESS", str(tmp_path / "not_this.json"))
    monkeypatch.setenv("FENCES_PROGRESS", str(tmp_path / "elsewhere.json"))
    assert journal.file() == tmp_path / "elsewhere.json"
    monkeypatch.setenv("FENCES_PROGRESS", "off")
    assert journal.file() is None
    monkeypatch.setenv("FENCES_CHECK_SEED", "x")
    with pytest.raises(ValueError, match="FENCES_CHECK_SEED must be a whole number"):
        exercise("07.1").check(lambda panels: panels)


def test_the_lines_of_another_course_are_not_the_learners(fences):
    broken = FunctionExercise("07.2", "x", reference=lambda x: x, cases=lambda rng: [Case((1,))])
    library = importlib.import_module("fences.checks.lesson_07").posts
    result = broken.check(lambda x: library("a fence"))
    assert "library(" in result.row("Your line")


# --- what is told ----------------------------------------------------------------------------------------------------


def test_this_course_is_found_without_being_told(monkeypatch):
    monkeypatch.setattr(course, "_told", [])
    assert course.current().checks == "cnnlib.checks"
    assert course.current().packages == ("cnnlib",)
    assert cnnlib.exercise is exercise


def test_a_course_without_anything(monkeypatch):
    monkeypatch.setattr(course, "_told", [Course()])
    monkeypatch.delenv("CNNLIB_PROGRESS")
    assert journal.file() is None
    journal.note_attempt("01.1", True)
    assert journal.entries()["01.1"]["solved"]
    for look in (catalogue.listed, lambda: exercise("01.1")):
        with pytest.raises(LookupError, match="no course was told"):
            look()
    with pytest.raises(FileNotFoundError, match="no folder of lessons"):
        course.current().lessons_folder()


def test_mistakes_of_who_tells_a_course():
    with pytest.raises(TypeError, match="a Course is needed; str was given"):
        use("my_course.checks")
    with pytest.raises(TypeError, match="a tuple of names; 'fences' was given"):
        Course(packages="fences")
    with pytest.raises(LookupError, match=r"keeps its checks in 'no_such_package'"):
        Course(checks="no_such_package").checks_folder()
