"""Exercises found by id, and listed."""

from pathlib import Path

import pytest
from engine_case import (
    doubled,
    sizes,
)

from cnnlib.exercises import (
    catalogue,
    course,
    exercise,
)


def test_exercises_are_found_by_id(monkeypatch):
    made = {"01.1": sizes(), "01.2": doubled()}
    monkeypatch.setattr(catalogue, "exercises_of", lambda lesson: made)
    monkeypatch.setattr(course.Course, "checks_folder", lambda self: Path(__file__).parent)
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    assert exercise("01.1") is made["01.1"]
    assert exercise(" 1.2 ") is made["01.2"]
    with pytest.raises(TypeError, match="named by a text"):
        exercise(1.2)


@pytest.mark.parametrize("id", ["99.1", "x", "", "01", "01.999", "1.2.3"])
def test_an_unknown_id_gets_a_list(id):
    known = list(catalogue.listed())
    with pytest.raises(ValueError, match="there is no exercise") as caught:
        exercise(id)
    assert any(each in str(caught.value) for each in known)


def test_exercises_are_listed_without_importing_them(tmp_path, monkeypatch):
    (tmp_path / "lesson_07.py").write_text(
        "raise ImportError\n"
        'EXERCISES = [FunctionExercise("07.10", "Ten", x=1), ValueExercise(id="07.2", title="Two"),\n'
        'kinds.CheckExercise("07.1", title="One")]\n'
    )
    monkeypatch.setattr(course.Course, "checks_folder", lambda self: tmp_path)
    assert catalogue.listed() == {"07.1": "One", "07.2": "Two", "07.10": "Ten"}


def test_the_list_agrees_with_the_lessons_checks():
    for lesson in {id.split(".")[0] for id in catalogue.listed()}:
        listed = {id: title for id, title in catalogue.listed().items() if id.startswith(lesson)}
        assert listed == {id: each.title for id, each in catalogue.exercises_of(lesson).items()}
