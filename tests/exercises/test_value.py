"""Values to find."""

import numpy as np
import pytest
from engine_case import (
    RIGHT,
    WRONG,
)

from cnnlib.exercises import (
    Misconception,
    ValueExercise,
    kinds,
)


@pytest.mark.parametrize(
    ("expected", "answer", "outcome"),
    [
        (0.115, 0.115, RIGHT), (0.115, 0.1151, RIGHT), (0.115, 0.12, WRONG), (lambda: 0.115, 0.115, RIGHT),
        (1792, 1792.0, RIGHT),
        (1792, 1791, WRONG), (1792, 1793, WRONG), (50_176_000, 50_176_001, WRONG), ("same", " Same ", RIGHT),
        ("same", "valid", WRONG),
        ("same", ["same"], WRONG), ([3, 5], (3, 5), RIGHT), ([3, 5], np.array([3, 5]), RIGHT),
        ([3, 5], [5, 3], WRONG),
        ({"a": "same"}, {"a": "SAME"}, RIGHT), (True, True, RIGHT), (True, False, WRONG), (True, 1, RIGHT),
        (3, True, WRONG),
        (np.zeros((2, 2)), [[0, 0], [0, 0]], RIGHT), (0.0, 0.0, RIGHT), (0.0, 0.01, WRONG), (3, "3", WRONG),
        (3, len, WRONG),
        ({"b", "a"}, {"A", "b"}, RIGHT), (-1.5, 1.5, WRONG),
    ],
)  # fmt: skip
def test_values(expected, answer, outcome):
    result = ValueExercise("01.1", "A value", expected=expected).check(answer)
    assert result.outcome == outcome
    assert "Expected" not in dict(result.rows)


def test_a_wrong_value_does_not_give_the_right_one_away():
    result = ValueExercise("01.1", "A value", expected=4711).check(4712)
    assert "4711" not in repr(result) + result._repr_html_()
    assert result.row("Came") == "`4712`"
    result = ValueExercise("01.1", "Values", expected={"a": 4711, "b": 1}).check({"a": 4712, "b": 1})
    assert "4711" not in repr(result) + result._repr_html_()
    assert "1 of 2 entries are right; look at `'a'`" in result.message
    result = ValueExercise("01.1", "Values", expected=[1, 4711]).check([1, 4712])
    assert "4711" not in repr(result)
    assert "entry 1" in result.message


def test_keys_are_shown_as_they_were_written():
    exercise = ValueExercise("01.1", "Values", expected={"A": "More", "B two": 1})
    assert exercise.check({"a": "more ", "b TWO": 1}).outcome == RIGHT
    assert "1 of 2 entries are right; look at `'A'`." in exercise.check({"A": "less", "B two": 1}).message
    assert "1 of 2 entries are right; look at `'a'`." in exercise.check({"a": "less", "B two": 1}).message
    assert "see `'C'`." in exercise.check({"A": "more", "C": 1}).message
    assert "see `'B two'`." in exercise.check({"A": "more"}).message


def test_misconceptions_of_words():
    misconceptions = (
        Misconception(kinds.misspells("one", "two", "three"), "spelling"),
        Misconception(kinds.says("Ann", "two", "Three"), "not that one"),
    )
    exercise = ValueExercise("01.1", "Words", expected={"Ann": "one", "ben": "two"}, misconceptions=misconceptions)
    assert exercise.check({"ann": " One", "Ben": "TWO"}).outcome == RIGHT
    assert exercise.check({"ann": "three ", "BEN": "two"}).row("Likely") == "not that one"
    assert exercise.check({"Ann": "Two", "ben": "two"}).row("Likely") == "not that one"
    for other in ("on", "", 1):
        assert exercise.check({"Ann": other, "ben": "two"}).row("Likely") == "spelling"
        assert exercise.check({"Ann": "two", "ben": other}).row("Likely") == "spelling"
    for odd in ("one", ["one", "two"], {"ben": "one"}, {"Ann": ["one"], "ben": "two"}, 1):
        result = exercise.check(odd)
        assert result.outcome == WRONG
        assert "spelling" not in result.message


def test_misconceptions_of_values():
    misconceptions = (
        Misconception(11.5, "a share, not per cent"),
        Misconception(lambda value: value > 1, "below 1"),
        Misconception("all", "a number is asked for"),
    )
    exercise = ValueExercise("01.1", "A value", expected=0.115, misconceptions=misconceptions)
    assert exercise.check(11.5).row("Likely") == "a share, not per cent"
    assert exercise.check(2).row("Likely") == "below 1"
    assert exercise.check("ALL ").row("Likely") == "a number is asked for"
    assert exercise.check([1]).row("Likely") == "The answer should be a number."
    assert exercise.check("x").row("Likely") == "The answer should be a number."
