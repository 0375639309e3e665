"""The instructor's guide."""

import re

import make_guide
import pytest
from html_case import tags_of

from cnnlib.exercises import Misconception, ValueExercise, exercises_of, outline

LESSON = """# %% [markdown]
# # 07 · Small things
#
# **What is small,
# and why?**
#
# When you have worked through this page you can
# - say what is small
# - say why
#
# **Before this**: [06 Large things](../notebooks/06_large.ipynb) ·
# **Reading** 10 min · **Exercises** 20 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 One | Which? | 30 |
#
# [Course map](../README.md)

# %% [markdown]
# ### Exercise 07.1 · Small
#
# ●●○ · 20 min
#
# Do it.
"""


def wrong_by_one(x):
    """One too many."""
    return x + 1


def test_what_a_lesson_says_of_itself(tmp_path):
    path = tmp_path / "07_small.py"
    path.write_text(LESSON, encoding="utf-8")
    begins = make_guide.opening(path)
    assert begins.question == "What is small, and why?"
    assert begins.goals == ("say what is small", "say why")
    assert begins.parts == (("1 One", "Which?", "30"),)
    assert begins.before.endswith("**Reading** 10 min · **Exercises** 20 min")
    assert make_guide.expected(path) == {"07.1": "●●○ · 20 min"}


def test_wrong_ideas_come_with_the_answer_that_has_them():
    exercise = ValueExercise(
        "07.1",
        "Small",
        expected=3,
        misconceptions=(
            Misconception(4, "Too large."),
            Misconception(lambda came: came < 0, "Less than nothing."),
            Misconception(wrong_by_one, "One too many."),
            Misconception(5, "Too large."),
        ),
    )
    assert make_guide.mistakes(exercise) == [
        make_guide.Mistake("Too large.", "4"),
        make_guide.Mistake("Less than nothing."),
        make_guide.Mistake("One too many.", 'def wrong_by_one(x):\n    """One too many."""\n    return x + 1'),
    ]


def test_messages_are_found_in_checks_and_in_what_they_call():
    (build,) = [each for each in exercises_of("04").values() if each.title == "Build from the table"]
    said = [each.message for each in make_guide.mistakes(build)]
    assert len(said) >= 5
    assert all(len(each) > 15 for each in said)
    assert len(set(said)) == len(said)


def test_every_exercise_has_mistakes_and_something_to_say():
    few = {}
    for number in outline.lessons():
        for id, exercise in exercises_of(number).items():
            assert exercise.hints, id
            if len(make_guide.mistakes(exercise)) < 3:
                few[id] = make_guide.mistakes(exercise)
    assert few == {}


def test_the_guide_of_all_lessons():
    text = make_guide.Guide().page()
    tags = tags_of(text)
    assert (tags["h1"], tags["main"], tags["section"]) == (1, 1, len(outline.lessons()))
    assert tags["h4"] >= sum(len(exercises_of(number)) for number in outline.lessons())
    assert "<script" not in text
    for name in ("Six weeks", "Fourteen weeks", "Assessment", "What changed: Unreleased"):
        assert f"<h2>{name}" in text
    anchors = set(re.findall(r'id="(lesson-\w+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= anchors
    assert anchors == {f"lesson-{number}" for number in outline.lessons()}
    assert not re.search(r"\$\$|FORMULA\d|(?<!\d)\*\*", re.sub(r"<(pre|code)>.*?</\1>", "", text, flags=re.DOTALL))


def test_no_answer_of_an_exercise_is_in_it():
    from cnnlib.exercises import source

    text = re.sub(r"\s+", "", make_guide.Guide(["01", "03"]).page())
    for number in ("01", "03"):
        for id in exercises_of(number):
            answer = source.answer_source(id)
            marked = [line.strip() for line in answer.splitlines() if len(line.strip()) > 45]
            shown = [line for line in marked if re.sub(r"\s+", "", line) in text]
            assert len(shown) <= len(marked) // 2, id


def test_syllabuses_name_lessons_that_are_there_and_the_rubric_is_whole():
    notes = make_guide.Guide(["00"]).notes
    assert [len(plan["weeks"]) for plan in notes["syllabus"]] == [6, 14]
    for plan in notes["syllabus"]:
        for _, numbers, _ in plan["weeks"]:
            assert set(numbers) <= set(outline.lessons())
    assert all(len(row) == 4 for row in notes["rubric"]["criteria"])
    assert set(notes["lessons"]) == set(outline.lessons())


def test_a_lesson_without_notes_is_named(tmp_path, monkeypatch):
    file = tmp_path / "guide.toml"
    text = make_guide.NOTES.read_text(encoding="utf-8").replace("demo = ", "shown = ", 1)
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(make_guide, "NOTES", file)
    with pytest.raises(ValueError, match=r"guide.toml: \[lessons.00\] lacks demo"):
        make_guide.Guide()


def test_the_command_line(tmp_path, capsys):
    assert make_guide.main(["--lesson", "06", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "guide.html").read_text(encoding="utf-8")
    assert 'id="lesson-06"' in text
    assert "Fourteen weeks" not in text
    assert make_guide.main(["--lesson", "06", "--out", str(tmp_path)]) == 0, "its own page is written anew"
    assert make_guide.main(["--lesson", "77", "--out", str(tmp_path)]) == 1
    assert "There is no lesson 77" in capsys.readouterr().err
    (tmp_path / "guide.html").write_text("mine")
    assert make_guide.main(["--lesson", "06", "--out", str(tmp_path)]) == 1
    assert (tmp_path / "guide.html").read_text() == "mine"
