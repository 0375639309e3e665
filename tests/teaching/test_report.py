"""The tables and the page that come of a class."""

import csv
import json

import pytest
from grading import report

TITLES = {"07": {"07.1": "Fence posts", "07.2": "Heights", "07.3": "Nails", "07.4": "A gate"}}


def exercise(outcome="RIGHT", likely="", shape="", way="outside", **more):
    found = {
        "outcome": outcome, "likely": likely, "says": "", "shape": shape, "way": way, "hints": 0,
        "answer_shown": False, "check_missing": False, "as_reference": False,
    }  # fmt: skip
    return {**found, **more}


def graded(learner, *exercises, file="x.ipynb"):
    rows = {f"07.{number}": each for number, each in enumerate(exercises, start=1)}
    return report.Graded(learner, file, {"lesson": "07", "exercises": rows})


CLASS = [
    graded("ada", exercise(), exercise(), exercise(), exercise(way="inside")),
    graded("<b>bob</b>", exercise("WRONG", "A fence `ends` <i>too</i>."), exercise(shape="s")),
    graded("=1+1", exercise("WRONG", "A fence `ends` <i>too</i>."), exercise("CRASHED")),
    graded("王小明", exercise("NOT_ATTEMPTED"), exercise("WRONG", "Sorted the other way.")),
]


@pytest.fixture
def written(tmp_path):
    def write(hidden=False, fence=True, graded=CLASS, told=None, refused=()):
        marks, exercises, page = report.write(tmp_path, graded, list(refused), TITLES, told or {}, hidden, fence)
        read = [list(csv.reader(path.open(encoding="utf-8-sig"))) for path in (marks, exercises)]
        return *read, page.read_text(encoding="utf-8")

    return write


def test_marks_are_points_by_lesson(written):
    marks, exercises, _ = written()
    assert marks[0] == ["learner", "07 (of 2)", "points"] or marks[0][0] == "learner"
    assert {line[0]: line[-1] for line in marks[1:]} == {"ada": "4", "<b>bob</b>": "1", "'=1+1": "0", "王小明": "0"}
    assert len(exercises) == 1 + 4 + 2 + 2 + 2


def test_hidden_marks_leave_out_what_can_be_forged(written):
    marks, exercises, _ = written(hidden=True)
    assert {line[0]: line[-1] for line in marks[1:]}["ada"] == "3"
    assert next(line for line in exercises if line[2] == "07.4")[4] == ""


def test_the_page_shows_names_as_text_and_the_wrong_ideas_of_the_class(written):
    _, _, page = written()
    assert "<b>bob" not in page
    assert "&lt;b&gt;bob&lt;/b&gt;" in page
    assert "A fence <code>ends</code> &lt;i&gt;too&lt;/i&gt;." in page
    assert "2× A fence <code>ends</code>" in page
    assert page.count('alt="') == 2
    assert "http" not in page.replace("http-equiv", "")
    assert "NO SANDBOX" not in page
    assert "NO SANDBOX" in written(fence=False)[2]


def test_wrong_ideas_are_counted_by_learners_and_the_hardest_exercise_comes_first():
    table = report.rows(CLASS, TITLES, {}, hidden=False)
    assert report.misconceptions(table)[0] == ("07.1", "A fence `ends` <i>too</i>.", ["<b>bob</b>", "=1+1"])
    assert [each[:4] for each in report.monday(table)] == [("07.1", "Fence posts", 1, 3), ("07.2", "Heights", 2, 4)]


def test_of_a_lesson_that_was_handed_in_twice_the_better_counts(written):
    twice = [graded("ada", exercise("WRONG"), exercise()), graded("ada", exercise(), exercise("CRASHED"), file="y")]
    marks, exercises, _ = written(graded=twice)
    assert marks[1][-1] == "2"
    assert [line[-1] for line in exercises[1:]] == ["2", "2"]


def test_equal_answers_are_named_when_they_are_several():
    same = [exercise(shape=f"s{n}") for n in range(3)]
    table = report.rows([graded("ada", *same), graded("bob", *same), graded("eve", *same[:2])], TITLES, {}, False)
    assert report.equal_pairs(table) == [("07", "ada", "bob", ["07.1", "07.2", "07.3"])]


def test_what_learners_tell_of_themselves_gives_no_points(written, tmp_path):
    folder = tmp_path / "handed in" / "bob"
    folder.mkdir(parents=True)
    entry = {"attempts": 7, "hints": 2, "answer_shown": True, "solved": "2026-01-01"}
    (folder / "progress.json").write_text(json.dumps({"exercises": {"07.1": entry, "07.2": 3}}))
    (folder / "progress-2.json").write_text('{"exercises": ')
    told = report.told_by_learners(folder.parent)
    assert told == {("bob", "07.1"): entry}
    marks, exercises, _ = written(graded=[graded("bob", exercise("WRONG"))], told=told)
    assert marks[1][-1] == "0"
    assert exercises[1][6:9] == ["7", "2", "yes"]


def test_a_notebook_that_could_not_be_graded_is_named(written):
    lost = report.Graded("eve", "e.ipynb", None, "ran for more than 1920 s")
    marks, _, page = written(graded=[*CLASS, lost], refused=[("dan", "cat.jpg", "not a notebook")])
    assert "ran for more than 1920 s" in page
    assert "cat.jpg" in page
    assert {line[0] for line in marks[1:]} >= {"eve", "dan"}


def test_nothing_at_all(written):
    assert "Nothing could be graded" in written(graded=[])[2]
