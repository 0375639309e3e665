"""Lessons as assignments of nbgrader: what is written, what learners get of it, and what a check cell is worth."""

import ast
import copy
import json
import re

import make_assignment
import nbformat
import pytest
from _lessons import choose, lessons
from assignments import convert, mend
from nbformat.v4 import new_code_cell, new_notebook, new_output

from cnnlib.exercises import exercises_of, source

LESSONS = [each.number for each in lessons()]
# What nbgrader 0.9.6 demands of a cell: nbgraderformat/v3.json, v3.py.
KEYS = {"schema_version", "grade", "locked", "solution", "task", "grade_id"}


@pytest.fixture
def course(tmp_path):
    return tmp_path / "course 2027"


def call(*words):
    return make_assignment.main([str(each) for each in words])


def book(course, number="01", name=None):
    (lesson,) = choose([number])
    return nbformat.read(course / "source" / (name or f"lesson{number}") / f"{lesson.name}.ipynb", 4)


def marked(notebook):
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


@pytest.mark.parametrize("number", LESSONS)
def test_every_lesson_converts_and_learners_get_no_answer(number, monkeypatch):
    # What the exercises are is read from the lesson: their checks take minutes to import for all lessons.
    (lesson,) = choose([number])
    ids = source.checked_ids(lesson.source)
    monkeypatch.setattr(convert, "exercises_of", lambda lesson: dict.fromkeys(ids))
    made = convert.convert(lesson)
    assert list(made.points) == ids
    assert sum(made.points.values()) == len(ids)
    seen = set()
    for cell in marked(made.notebook):
        given = cell.metadata.nbgrader
        assert set(given) == KEYS | ({"points"} if given.grade else set())
        assert given.schema_version == 3
        assert cell.cell_type == "code", "nbgrader wants markdown to be graded by hand"
        assert given.grade != given.solution
        assert given.locked == given.grade
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", given.grade_id)
        assert given.grade_id not in seen
        seen.add(given.grade_id)
    handed_out = lesson.notebook()
    for cell, plain, full in zip(made.notebook.cells, handed_out.cells, lesson.notebook(answered=True).cells):
        if cell.cell_type == "markdown":
            assert "](../" not in cell.source, "the link leads nowhere from an assignment"
            continue
        ast.parse(cell.source)
        assert not source.has_answer(cell.source)
        assert convert.released(cell.source) == plain.source
        if source.has_answer(full.source):
            assert cell.metadata.nbgrader.solution
            lines = full.source.split("\n")
            hidden = [line for each in source.blocks(full.source) for line in lines[each.begin : each.end]]
            kept = set(plain.source.split("\n"))
            assert not set(cell.source.split("\n")) & (set(hidden) - kept)
    assert not any("SOLUTION" in cell.source for cell in made.notebook.cells)


def test_a_check_runs_once_when_it_is_graded_and_fails_for_a_wrong_answer():
    text = convert.tested('exercise("01.1").check(answer)')

    class Wrong:
        message = "no"
        __bool__ = lambda self: False  # noqa: E731

    class Fake:
        calls = []

        def check(self, answer):
            self.calls.append(answer)
            return Wrong() if answer == "wrong" else True

    def run(answer):
        code = text.replace("from cnnlib import exercise as _exercise", "")
        exec(code, {"_exercise": lambda id: Fake(), "display": lambda value: None, "answer": answer})

    run("right")
    with pytest.raises(AssertionError, match="no"):
        run("wrong")
    assert Fake.calls == ["right", "wrong"]


def test_points(course):
    (lesson,) = choose(["01"])
    assert set(convert.convert(lesson, 2).points.values()) == {2.0}
    level = convert.convert(lesson, "difficulty").points
    assert set(level.values()) == {1.0, 2.0, 3.0}
    both = convert.convert(lesson, convert.read_points(["difficulty", "01.2=7"])).points
    assert both == {**level, "01.2": 7.0}
    assert convert.read_points(["2,01.3=4", "01.4=0.5"]) == {"": 2.0, "01.3": 4.0, "01.4": 0.5}
    for wrong in ("many", "01.3=", "01.3=x"):
        with pytest.raises(ValueError, match="expected a number"):
            convert.read_points([wrong])
    with pytest.raises(ValueError, match=r"lesson 01 has the exercises 01\.1"):
        convert.convert(lesson, {"01.77": 1})
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="from 0 on"):
            convert.convert(lesson, {"01.2": wrong})


def test_what_can_be_forged_gets_no_points_with_hidden():
    (lesson,) = choose(["00"])
    assert convert.convert(lesson, hidden=True).points == {"00.1": 1.0, "00.2": 1.0}
    (lesson,) = choose(["A"])
    points = convert.convert(lesson, hidden=True).points
    assert {id for id, worth in points.items() if worth == 0} == {"A.3", "A.5"}
    assert sum(points.values()) == len(exercises_of("A")) - 2


def test_a_task_of_the_instructors_own_gets_cells(course):
    assert call("01", course, "--variants", make_assignment.ROOT / "teaching/variants_example") == 0
    found = book(course)
    answer, check = found.cells[-2:]
    assert answer.source == "lost = ..."
    assert convert.checked_exercise(check) == "01.91"
    assert convert.released(check.source) == "# Exercise 01.91 is checked when it is graded."
    with pytest.raises(AssertionError, match="was not judged"):
        exec(check.source)
    assert "size - kernel" not in json.dumps(found), "the instructor's reference stays at home"


def test_the_course_folder_is_made_and_what_is_in_it_is_kept(course, capsys):
    assert call("01", course, "--points", "3") == 0
    assert "7 exercises, 21 points" in capsys.readouterr().out
    assert (course / "secret").stat().st_mode & 0o077 == 0
    secret = (course / "secret").read_text()
    compile((course / "nbgrader_config.py").read_text(), "nbgrader_config.py", "exec")
    (course / "nbgrader_config.py").write_text("c = get_config()\n# mine")
    assert call("00", course, "--hidden") == 0
    assert "wrong answer can get points" in capsys.readouterr().out
    assert (course / "nbgrader_config.py").read_text().endswith("# mine")
    assert (course / "secret").read_text() == secret
    settings = json.loads((course / "assignments.json").read_text())
    assert {name: each["hidden"] for name, each in settings.items()} == {"lesson01": False, "lesson00": True}

    path = course / "source" / "lesson01" / f"{choose(['01'])[0].name}.ipynb"
    assert call("01", course, "--points", "3") == 0, "nothing changed"
    path.write_text(path.read_text() + "\n")
    mine = path.read_text()
    assert call("01", course, "--points", "3") == 1
    assert "is there and differs" in capsys.readouterr().err
    assert path.read_text() == mine
    assert call("01", course, "--points", "3", "--force") == 0
    (old,) = (course / "replaced").iterdir()
    assert old.read_text() == mine
    assert path.read_text() != mine


def test_two_lessons_in_one_assignment(course):
    assert call("00", "01", course, "--name", "week1", "--points", "01.2=5") == 0
    assert len(list((course / "source" / "week1").iterdir())) == 2
    graded = [cell.metadata.nbgrader for cell in marked(book(course, name="week1")) if cell.metadata.nbgrader.grade]
    assert sum(each.points for each in graded) == 6 + 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["99", "{}"], "no lesson '99'"),
        (["01", "."], "Which folder"),
        (["01", "{}", "--points", "02.1=3"], "no lesson that is converted"),
        (["01", "{}", "--points", "many"], "expected a number"),
        (["01", "{}", "--name", "a/b"], "letters, numbers"),
        (["01", "{}", "--variants", "{}"], "holds no lesson_NN.py"),
        (["01", str(make_assignment.ROOT / "cnnlib" / "course")], "submissions can read"),
        (["01", str(make_assignment.ROOT / "data")], "submissions can read"),
    ],
)
def test_what_is_refused_is_told_and_nothing_is_written(words, says, course, capsys):
    assert call(*[word.format(course) for word in words]) == 1
    assert says in capsys.readouterr().err
    assert not course.exists()
    assert not (make_assignment.ROOT / "cnnlib" / "course").exists()


# --- what is handed in ------------------------------------------------------------------------------------------------


def graded_cell(number, **more):
    text = convert.tested(f'exercise("07.{number}").check(x)')
    return new_code_cell(text, metadata={"nbgrader": convert.metadata(f"check-07-{number}", points=1)}, **more)


@pytest.fixture
def source_book():
    cells = [new_code_cell("import os")]
    for number in (1, 2, 3):
        answer = {"nbgrader": convert.metadata(f"answer-07-{number}")}
        cells += [new_code_cell("x = ...", metadata=answer), graded_cell(number)]
    return new_notebook(cells=cells)


def ids(notebook):
    return [cell.metadata.nbgrader.grade_id for cell in marked(notebook)]


def test_what_was_deleted_comes_back_in_its_place(source_book):
    got = copy.deepcopy(source_book)
    got.cells[1].source = "x = 1"
    del got.cells[2:5]  # check 1, answer 2, check 2
    said = mend.mend(got, source_book)
    assert ids(got) == ids(source_book)
    assert len(said) == 3
    assert got.cells[1].source == "x = 1"
    assert "..." not in got.cells[3].source, "a stub would undo an answer that was written elsewhere"
    nbformat.validate(got)
    everything = new_notebook(cells=[])
    mend.mend(everything, source_book)
    assert ids(everything) == ids(source_book)


def test_marks_that_were_altered_are_put_right(source_book):
    got = copy.deepcopy(source_book)
    got.cells[2].metadata.nbgrader["points"] = "a thousand"
    got.cells[4].metadata.nbgrader["grade_id"] = "check-07-99"
    got.cells[5].metadata["nbgrader"] = "rubbish"
    got.cells[6].cell_type = "markdown"
    got.cells.insert(0, copy.deepcopy(source_book.cells[2]))
    said = mend.mend(got, source_book)
    assert sorted(ids(got)) == sorted(ids(source_book))
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in marked(got)}
    for original in marked(source_book):
        cell = by_id[original.metadata.nbgrader.grade_id]
        assert cell.metadata.nbgrader == original.metadata.nbgrader
        assert cell.cell_type == "code"
    assert any("check-07-99" in each for each in said)
    nbformat.validate(got)
    assert mend.mend(copy.deepcopy(source_book), source_book) == []


def test_an_old_form_of_notebooks_is_mended_too(source_book):
    got = copy.deepcopy(source_book)
    got.nbformat_minor = 4
    for cell in got.cells:
        del cell["id"]
    del got.cells[2]
    mend.mend(got, source_book)
    nbformat.validate(got)


def test_hidden_tests_are_not_taken_for_the_learners_code(source_book):
    plain = mend.as_learners_see(source_book)
    assert plain.cells[2].source == 'exercise("07.1").check(x)'
    assert "HIDDEN" in source_book.cells[2].source


def test_a_copy_of_a_check_does_not_count(source_book):
    got = copy.deepcopy(source_book)
    got.cells.insert(0, copy.deepcopy(source_book.cells[4]))
    assert mend.mend(got, source_book)
    assert mend.positions(got) == {"07.1": 3, "07.2": 5, "07.3": 7}


RIGHT = new_output("display_data", {"text/plain": "✔ Right · Exercise 07.1 · Fence posts"})
ERROR = new_output("error", ename="AssertionError", evalue="no", traceback=[])
WARNING = new_output("stream", name="stderr", text="a warning")


@pytest.mark.parametrize(
    ("outputs", "right"),
    [
        ([RIGHT], True),
        ([WARNING, RIGHT], True),
        ([], False),  # it did not run: nbgrader would give all points
        ([WARNING], False),
        ([RIGHT, ERROR], False),
        ([new_output("display_data", {"text/plain": "✔ Right · Exercise 07.12 · Other"})], False),
        ([new_output("display_data", {"text/plain": "✘ Not right yet · Exercise 07.1 · Fence posts"})], False),
        ([new_output("stream", name="stdout", text="✔ Right · Exercise 07.1 · Fence posts")], False),
        ([new_output("execute_result", {"text/plain": "1.0"}, execution_count=1)], False),
    ],
)
def test_a_check_that_says_nothing_is_not_right(outputs, right):
    cell = graded_cell(1, outputs=copy.deepcopy(outputs))
    assert mend.says_right(cell, "07.1") is right
    mend.settle(cell, right)
    assert worth(cell) == (1 if right else 0)


@pytest.mark.parametrize("outcome", ["RIGHT", "WRONG", "CRASHED", "NOT_ATTEMPTED"])
def test_the_grader_decides_whatever_the_kernel_said(outcome):
    for outputs in ([RIGHT], [WARNING, ERROR], []):
        cell = graded_cell(1, outputs=copy.deepcopy(outputs))
        mend.decide(cell, {"outcome": outcome, "says": "Tried: `f(1)`", "likely": "idea"}, "07.1", "Fence posts")
        assert worth(cell) == (1 if outcome == "RIGHT" else 0)
        assert "Fence posts" in cell.outputs[0]["data"]["text/html"]
        nbformat.validate(new_notebook(cells=[cell]))


def worth(cell):
    """Points by the rule of nbgrader 0.9.6 (utils.determine_grade), for a cell of one point."""
    for output in cell.outputs:
        if output.output_type == "error" or output.output_type == "stream" and output.name == "stderr":
            return 0
        if output.output_type == "execute_result":
            return float(output["data"]["text/plain"])
    return 1
