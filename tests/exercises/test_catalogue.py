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


def test_an_appendix_stands_behind_the_lessons(tmp_path, monkeypatch):
    for name in ("lesson_12.py", "lesson_A.py", "lesson_07.py", "lesson_7.py", "lesson_AB.py", "lesson_12_images.py"):
        number = name.removesuffix(".py").split("_")[1]
        more = [] if "images" in name else [f'FunctionExercise("{number}.1", "One")']
        (tmp_path / name).write_text(f"EXERCISES = [{', '.join(more)}]\n")
    monkeypatch.setattr(course.Course, "checks_folder", lambda self: tmp_path)
    assert list(catalogue.listed()) == ["07.1", "12.1", "A.1"]
    made = {"A.1": sizes()}
    monkeypatch.setattr(catalogue, "exercises_of", lambda lesson: made if lesson == "A" else {})
    assert exercise("A.1") is exercise(" a.01 ") is made["A.1"]


@pytest.mark.parametrize(
    ("name", "lesson", "checks"),
    [
        ("07_title.py", True, False),
        ("A_title.py", True, False),
        ("7_title.py", False, False),
        ("a_title.py", False, False),
        ("AB_title.py", False, False),
        ("lesson_07.py", False, True),
        ("lesson_A.py", False, True),
        ("lesson_A_more.py", False, True),
        ("lesson_AB.py", False, False),
        ("_07.py", False, False),
    ],
)
def test_what_belongs_to_a_lesson(tmp_path, name, lesson, checks):
    (tmp_path / name).touch()
    assert [path.name for path in course.numbered(tmp_path)] == [name] * lesson
    assert [path.name for path in course.numbered(tmp_path, before="lesson_")] == [name] * checks


def test_a_number_is_written_in_one_way():
    assert [course.number(text) for text in ("1", "01", "12", "a", "A")] == ["01", "01", "12", "A", "A"]


def test_the_list_agrees_with_the_lessons_checks():
    every = catalogue.listed()
    for lesson in {id.split(".")[0] for id in every}:
        listed = {id: title for id, title in every.items() if id.startswith(lesson)}
        assert listed == {id: each.title for id, each in catalogue.exercises_of(lesson).items()}
