"""What all exercises share: mistakes of who writes one, hints, the reference answer."""

import pytest
from engine_case import (
    output_size,
    seen,
    sizes,
    without_padding,
    write_lesson,
)

from cnnlib.exercises import (
    Case,
    CheckExercise,
    Misconception,
    ValueExercise,
    source,
)


def test_mistakes_in_an_exercise_are_errors_and_no_verdicts():
    broken = sizes(cases=lambda rng: [Case((3, 9))])
    with pytest.raises(RuntimeError, match="is broken: its reference raises"):
        broken.check(without_padding)
    broken = sizes(cases=lambda rng: [Case((5, 3), raises=ValueError)])
    with pytest.raises(RuntimeError, match="does not raise"):
        broken.check(without_padding)
    broken = CheckExercise("01.4", "x", check=lambda answer, rng: False)
    with pytest.raises(RuntimeError, match="instead of raising Wrong"):
        broken.check(1)
    with pytest.raises(ValueError, match="id is like"):
        ValueExercise("1.2", "x", expected=3)
    with pytest.raises(TypeError, match="hints is a tuple"):
        ValueExercise("01.2", "x", expected=3, hints="one")
    with pytest.raises(TypeError, match=r"write args=\(x,\)"):
        Case(3)
    with pytest.raises(ValueError, match="needs a message"):
        Misconception(3, " ")


def test_cases_are_drawn_afresh_and_can_be_fixed(monkeypatch):
    drawn = []

    def cases(rng):
        drawn.append(int(rng.integers(10**9)))
        yield Case((5, 3))

    for _ in range(2):
        sizes(cases=cases).check(output_size)
    assert drawn[0] == drawn[1]
    monkeypatch.delenv("CNNLIB_CHECK_SEED")
    for _ in range(4):
        sizes(cases=cases).check(output_size)
    assert len(set(drawn)) == 5
    monkeypatch.setenv("CNNLIB_CHECK_SEED", "x")
    with pytest.raises(ValueError, match="CNNLIB_CHECK_SEED"):
        sizes().check(output_size)


def test_hints_come_one_by_one():
    exercise = sizes()
    first, second, third = exercise.hint(), exercise.hint(), exercise.hint()
    assert (first.number, second.number, third.number) == (1, 2, 2)
    assert "a nudge" in repr(first)
    assert "1 more" in repr(first)
    assert "nearly all" in repr(second)
    assert "last hint" in repr(second)
    assert 'exercise("01.2").answer()' in repr(second)
    assert seen(first).startswith("Hint · 1 of 2 · Exercise 01.2 · Output size a nudge")
    assert sizes(hints=()).hint().count == 0


def test_the_answer_is_cut_from_the_lesson(tmp_path, monkeypatch):
    write_lesson(tmp_path)
    monkeypatch.setattr(source, "lesson_file", lambda *args: tmp_path / "01_a_lesson.py")
    answer = sizes().answer()
    assert answer.source.startswith('def output_size(size, kernel):\n    """The size."""\n    room = size - kernel\n')
    assert "SOLUTION" not in repr(answer)
    assert "```python\ndef output_size" in answer._repr_markdown_()
    assert repr(answer).startswith("Reference answer of exercise 01.2 · Output size\n\ndef output_size")


def test_an_answer_shows_itself():
    assert repr(sizes()) == "Exercise 01.2 · Output size: .check(your answer), .hint(), .answer()"
