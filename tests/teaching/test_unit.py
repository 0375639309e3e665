"""One submission graded: what is said of right answers, wrong ones and none, and the instructor's variants."""

import re
from pathlib import Path

import numpy as np
import pytest
from grading import jail, unit
from grading.jail import Limits
from grading_case import STUBS, notebook

from cnnlib.exercises import Case, CheckExercise, FunctionExercise, exercises_of

FENCED = pytest.mark.skipif(bool(jail.works()), reason=f"bubblewrap: {jail.works()}")
FENCES = [pytest.param(True, id="fenced", marks=FENCED), pytest.param(False, id="free")]
LIMITS = Limits(cells=60, call=30, all=120)


def grade(submission, place, fence=False, **more):
    return unit.grade(submission, place, unit.Rules(secret="s", fence=fence, limits=LIMITS, **more))["exercises"]


@pytest.mark.parametrize("fence", FENCES)
def test_what_is_said_is_what_the_check_says(place, hand_in, fence):
    answers = {
        "posts": "def posts(panels):\n    return panels",
        "heights": "def heights(boards):\n    boards.sort()\n    return 1 / 0",
        "nails": "nails = 12",
        "gate": STUBS["gate"],
    }
    found = grade(hand_in(notebook(**answers)), place, fence)
    assert found["07.1"]["outcome"] == "WRONG"
    assert found["07.1"]["likely"] == "A fence ends with a post as well."
    assert "Tried: `posts(0)`" in found["07.1"]["says"]
    assert found["07.2"]["outcome"] == "CRASHED"
    assert "boards.sort()" not in found["07.2"]["says"]
    assert "`return 1 / 0`" in found["07.2"]["says"]
    assert found["07.3"]["likely"] == "A gross is a dozen of dozens."
    assert found["07.4"]["outcome"] == "NOT_ATTEMPTED"
    assert [found[f"07.{n}"]["way"] for n in (1, 2, 3, 4)] == ["outside"] * 3 + ["inside"]


def test_some_exercises_alone(place, hand_in):
    found = grade(hand_in(notebook(nails="nails = 144")), place)
    assert list(found) == ["07.1", "07.2", "07.3", "07.4"]
    rules = unit.Rules(secret="s", fence=False, limits=LIMITS)
    some = unit.grade(hand_in(notebook(nails="nails = 144")), place, rules, only={"07.3"})["exercises"]
    assert some == {"07.3": found["07.3"]}


@FENCED
def test_a_check_of_objects_runs_inside(place, hand_in):
    wrong = "class Gate:\n    def width(self):\n        return 3\n\ngate = Gate()"
    found = grade(hand_in(notebook(gate=wrong)), place, fence=True)["07.4"]
    assert (found["outcome"], found["likely"]) == ("WRONG", "You count the gap.")


def test_no_check_is_needed_and_a_reference_answer_is_told(place, hand_in):
    text = notebook(posts='def posts(panels):\n    """Posts of a fence."""\n    if panels < 0:\n'
                    "        raise ValueError(panels)\n    return panels + 1  # as in the book")  # fmt: skip
    text = text.replace('exercise(\\"07.1\\").check(posts)', "pass")
    found = grade(hand_in(text), place)["07.1"]
    assert (found["outcome"], found["check_missing"], found["as_reference"]) == ("RIGHT", True, True)


def test_a_function_that_changes_its_arguments_is_seen_to_do_so(place, hand_in, fences):
    submission = hand_in(notebook(heights="def heights(boards):\n    boards.sort()\n    return boards"))
    with jail.Jail(place, LIMITS, fence=False) as box:
        cells = unit.submissions.chosen(submission, "07.2", ["heights"], fences / "lessons/07_fences.py", ["07.2"])
        box.ask(60, do="run", cells=cells, engine="asked")
        (about,) = box.ask(60, do="answers", expressions=["heights"], id="07.2")["answers"]
        remote = unit.Remote(box, 0, about, LIMITS)
        boards = np.array([3.0, 1.0])
        assert list(remote(boards)) == [1.0, 3.0]
    assert list(boards) == [1.0, 3.0]


def test_a_wrong_signature_is_told_as_in_the_notebook(place, hand_in):
    found = grade(hand_in(notebook(posts="def posts():\n    return 1")), place)["07.1"]
    assert "Your function takes `()`" in found["says"]


def test_what_cannot_be_packed_is_judged_inside(fences):
    def exercise(value):
        return FunctionExercise("07.9", "x", reference=lambda x: x, cases=lambda rng: [Case((value,))])

    assert unit.way(exercise(np.ones(3))) == unit.OUTSIDE
    assert unit.way(exercise(lambda: 3)) == unit.INSIDE
    assert unit.way(exercise(exercises_of("07")["07.1"].reference)) == unit.INSIDE, "it comes from the checks"
    assert unit.way(CheckExercise("07.9", "x", check=lambda answer, rng: None)) == unit.INSIDE


def test_the_draws_are_secret_equal_for_all_and_several(fences):
    one, other = unit.Rules(secret="a"), unit.Rules(secret="b")
    assert one.seed("07.1", 0) == unit.Rules(secret="a").seed("07.1", 0)
    assert len({one.seed("07.1", 0), one.seed("07.1", 1), one.seed("07.2", 0), other.seed("07.1", 0)}) == 4


VARIANTS = """
from cnnlib.exercises import Case, FunctionExercise

CASES = {"07.1": lambda rng: [Case((1000,))]}
EXERCISES = [
    FunctionExercise("07.2", "Heights", reference=lambda boards: boards[::-1],
                     cases=lambda rng: [Case((rng.normal(size=4),))]),
    FunctionExercise("07.91", "Rails", reference=lambda panels: 2 * panels, cases=lambda rng: [Case((4,))]),
]
ASKS = {"07.91": ["rails"]}
"""


def test_variants_add_cases_take_the_place_of_exercises_and_add_some(place, hand_in, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "lesson_07.py").write_text(VARIANTS)
    small = "def posts(panels):\n    if panels < 0:\n        raise ValueError\n    return min(panels, 100) + 1"
    submission = hand_in(notebook(posts=small, more=["def rails(panels):\n    return 2 * panels"]))
    without, found = grade(submission, place), grade(submission, place, variants=folder)
    assert [without[f"07.{n}"]["outcome"] for n in (1, 2)] == ["RIGHT", "RIGHT"]
    assert [found[f"07.{n}"]["outcome"] for n in (1, 2, 91)] == ["WRONG", "WRONG", "RIGHT"]


def test_without_bubblewrap_it_is_said(monkeypatch, tmp_path, capsys):
    import grade as tool

    monkeypatch.setattr(tool, "works", lambda: "it is not installed")
    (tmp_path / "in" / "ada").mkdir(parents=True)
    assert tool.main([str(tmp_path / "in"), "--hidden"]) == 1
    said = capsys.readouterr().err
    assert "NO SANDBOX: bubblewrap does not work here (it is not installed)" in said
    assert "--hidden needs the sandbox" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Which folder holds the submissions?"),
        (["nowhere"], "Which folder holds the submissions?"),
        (["in", "--out", "in/marks"], "must not lie among the submissions"),
        (["in"], "no notebook of this course"),
    ],
)
def test_what_is_missing_is_said(arguments, said, tmp_path, monkeypatch, capsys):
    import grade as tool

    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    assert tool.main(arguments) == 1
    assert said in capsys.readouterr().err


def test_the_pages_count_the_exercises_as_they_are():
    import grade

    outside, inside = map(int, re.match(r"(\d+) .* (\d+) are not", grade.ways().splitlines()[0]).groups())
    for page in ("grading.md", "nbgrader.md"):
        text = (Path(grade.__file__).parent / page).read_text(encoding="utf-8")
        assert re.search(rf"{outside} of {outside + inside} exercises are functions and values", text), page
        assert re.search(rf"\b{inside} (are not|trains)", text), page
