"""What is read of a folder of submissions, without running any of it."""

import json

import pytest
from grading import submissions
from grading_case import RIGHT, STUBS, notebook

ORDER = ["07.1", "07.2", "07.3", "07.4"]


def cells(submission, fences, id, *names):
    return submissions.chosen(submission, id, list(names), fences / "lessons" / "07_fences.py", ORDER)


def book(*texts, **more):
    return json.dumps({"cells": [{"cell_type": "code", "source": text, **more} for text in texts]})


@pytest.mark.parametrize(
    ("path", "learner"),
    [
        ("ada/07_fences.ipynb", "ada"),
        ("Đặng Thị Hoa/a b/c/d/x.ipynb", "Đặng Thị Hoa"),
        ("محمد علي/07.ipynb", "محمد علي"),
        ("<b>bob</b>/07.ipynb", "<b>bob<"),
        ("ada_lovelace.ipynb", "ada_lovelace"),
        ("Jose\u0301/x.ipynb", "José"),
    ],
)
def test_a_learner_is_the_first_folder_or_else_the_file(tmp_path, path, learner):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(notebook())
    assert list(submissions.files(tmp_path)) == [(learner, file)]


def test_checkpoints_and_what_archives_leave_are_no_submissions(tmp_path):
    for name in ("ada/.ipynb_checkpoints/07.ipynb", "__MACOSX/ada/07.ipynb", "ada/.DS_Store"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(notebook())
    assert list(submissions.files(tmp_path)) == []


@pytest.mark.parametrize("name", ["07_fences.ipynb", "final (2).ipynb", "notes.txt", "01_convolution.ipynb"])
def test_the_exercises_tell_the_lesson_whatever_the_file_is_called(hand_in, name):
    assert hand_in(notebook(), name=name).lesson == "07"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "not a notebook"),
        ("[" * 100_000, "not a notebook"),
        ('{"cells": [3]}', "not a notebook"),
        (book("x = 1"), "no exercise of this course"),
        (book('exercise("99.1").check(x)'), "no exercise of this course"),
        (book('exercise("07.1").check(x)\n' + "#" * 1_000_001), "characters of code"),
    ],
)
def test_what_is_no_notebook_of_the_course_is_refused(hand_in, text, why):
    with pytest.raises(submissions.NotReadable, match=why):
        hand_in(text, name="x.ipynb")


def test_a_link_is_not_followed(tmp_path, hand_in):
    target = hand_in(notebook(), learner="bob").path
    link = tmp_path / "handed in" / "mallory" / "07.ipynb"
    link.parent.mkdir()
    link.symlink_to(target)
    folder = link.parent.with_name("eve")
    folder.symlink_to(target.parent)
    found = dict(submissions.files(tmp_path / "handed in"))
    assert found["mallory"] == link
    for path in (found["mallory"], found["eve"]):
        with pytest.raises(submissions.NotReadable, match="link"):
            submissions.read("mallory", path, ["07"])


def test_hints_and_answers_are_read_from_cells_and_from_what_the_notebook_shows(hand_in):
    hint = {"output_type": "display_data", "data": {"text/plain": "→ Hint · 2 of 3 · Exercise 07.1 · Fence posts"}}
    shown = {"output_type": "display_data", "data": {"text/markdown": "**Reference answer** · Exercise 07.2 · x"}}
    text = json.dumps({
        "cells": [
            {"cell_type": "code", "source": 'exercise("07.1").check(posts)', "outputs": [hint, shown]},
            {"cell_type": "code", "source": 'exercise("07.3").hint()\nexercise("07.4").answer()'},
        ]
    })  # fmt: skip
    found = hand_in(text)
    assert found.hints == {"07.1": 2, "07.3": 1}
    assert found.shown == {"07.2", "07.4"}


# --- the cells of an answer -------------------------------------------------------------------------------------------


def test_an_answer_is_its_cell_and_what_it_uses(fences, hand_in):
    found = hand_in(notebook(more=["one = 1", "unused = 1 / 0"], posts="def posts(panels):\n    return panels + one"))
    assert cells(found, fences, "07.1", "posts") == [
        "import numpy as np", "one = 1", "def posts(panels):\n    return panels + one"
    ]  # fmt: skip


def test_a_stub_that_nobody_touched_is_no_answer(fences, hand_in):
    assert cells(hand_in(notebook(**STUBS)), fences, "07.1", "posts") is None
    assert cells(hand_in(notebook(**STUBS)), fences, "07.3", "nails") is None


def test_a_stub_beside_the_answer_is_passed_over(fences, hand_in):
    before = hand_in(notebook(more=[RIGHT["posts"]], posts=STUBS["posts"]))
    assert cells(before, fences, "07.1", "posts")[1:] == [RIGHT["posts"]]


def test_an_answer_below_its_check_is_found(fences, hand_in):
    text = book(STUBS["posts"], 'exercise("07.1").check(posts)', RIGHT["posts"], 'exercise("07.2").check(heights)')
    assert cells(hand_in(text), fences, "07.1", "posts")[1:] == [RIGHT["posts"]]


def test_where_the_check_is_gone_the_answer_ends_at_the_next_one(fences, hand_in):
    text = book(RIGHT["posts"], 'exercise("07.2").check(heights)', "posts = 3")
    assert cells(hand_in(text), fences, "07.1", "posts")[1:] == [RIGHT["posts"]]


def test_cells_that_change_an_answer_in_place_belong_to_it(fences, hand_in):
    text = book("nails = {}", "nails['a'] = 3", "nails.update(b=4)", "print(nails)", 'exercise("07.3").check(nails)')
    assert cells(hand_in(text), fences, "07.3", "nails")[1:] == ["nails = {}", "nails['a'] = 3", "nails.update(b=4)"]


def test_magics_and_broken_cells_do_not_stop_the_rest(fences, hand_in):
    text = book("%matplotlib inline\n!pip install x\nnails = 144", "def broken(:", 'exercise("07.3").check(nails)')
    assert cells(hand_in(text), fences, "07.3", "nails")[1:] == ["\n\nnails = 144"]
