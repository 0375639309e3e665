"""Functions to write: answers of the wrong kind, misconceptions, what the results alone suggest."""

import numpy as np
import pytest
from engine_case import (
    CRASHED,
    RIGHT,
    WRONG,
    doubled,
    output_size,
    sizes,
    without_padding,
)

from cnnlib.exercises import (
    Case,
    Misconception,
    ValueExercise,
    Wrong,
)


@pytest.mark.parametrize("answer", [3, "output_size", [1], np.zeros(3), {"a": 1}, object()])
def test_a_result_in_place_of_the_function(answer):
    result = sizes().check(answer)
    assert result.outcome == WRONG
    assert "the function itself" in result.message
    assert "without parentheses" in result.message


def test_a_wrong_signature():
    result = sizes().check(lambda size: size + 1)
    assert result.outcome == WRONG
    assert "Your function takes `(size)`" in result.message
    assert "Keep the def line" in result.message


def test_a_keyword_under_another_name():
    result = sizes().check(lambda size, kernel, strides=1, padding=0: size)
    assert result.outcome == WRONG
    assert "unexpected keyword argument 'stride'" in result.message


def test_a_forgotten_return():
    def answer(size, kernel, stride=1, padding=0):
        result = size - kernel + 1
        print(result)

    result = sizes().check(answer)
    assert result.outcome == WRONG
    assert "Is a `return` missing?" in result.row("Likely")
    assert "printing shows a value" in result.row("Likely")
    assert result.row("Printed").startswith("`3\n6")


def test_the_misconception_is_found_by_what_the_answer_gives():
    result = sizes().check(without_padding)
    assert result.row("Likely") == "Padding adds a border on each side."


def test_a_misconception_is_found_in_an_answer_written_in_another_way():
    def answer(size, kernel, stride=1, padding=0):
        if kernel > size + 2 * padding:
            raise ValueError("too wide")
        places = 0
        start = 0
        while start + kernel <= size:
            places, start = places + 1, start + stride
        return places

    assert sizes().check(answer).row("Likely") == "Padding adds a border on each side."


def test_no_misconception_is_shown_that_explains_only_a_part():
    def answer(size, kernel, stride=1, padding=0):
        if kernel > size + 2 * padding:
            raise ValueError
        return (size - kernel) // stride + (1 if padding < 3 else 2)

    assert "Padding adds" not in sizes().check(answer).message


def test_the_first_step_beats_the_general_suggestion():
    def answer(size, kernel, stride=1, padding=0):
        return (size + 2 * padding - kernel) // stride

    assert sizes().check(answer).row("Likely") == "The first window needs `no` step."


def test_the_misconception_that_explains_most_is_shown():
    ties = (
        Misconception(lambda x: np.where(x > 1, 0, 2 * x), "only where x > 1"),
        Misconception(lambda x: np.zeros_like(x), "always"),
    )

    def cases(rng):
        for value in (0.5, 2.0, 3.0):
            yield Case((np.array([value]),))

    result = doubled(misconceptions=ties, cases=cases).check(lambda x: 0 * x)
    assert result.row("Likely") == "always"


def test_a_misconception_may_crash_as_the_learner_does():
    wrong = Misconception(lambda size, kernel, stride=1, padding=0: [][0], "an index")
    result = sizes(misconceptions=(wrong,)).check(lambda size, kernel, stride=1, padding=0: [0][size])
    assert result.outcome == CRASHED
    assert result.row("Likely") == "an index"


def test_a_misconception_as_a_predicate():
    wrong = Misconception(lambda came, expected, case: came > expected, "too many", predicate=True)
    assert sizes(misconceptions=(wrong,)).check(lambda *a, **k: 1000).row("Likely") == "too many"
    assert sizes(misconceptions=(wrong,)).check(lambda *a, **k: -1000).row("Likely") != "too many"


def test_a_predicate_that_divides_by_zero_does_not_hold():
    wrong = Misconception(lambda came, expected, case: expected / came == 2, "half", predicate=True)
    with_zero = sizes(misconceptions=(wrong,)).check(lambda *a, **k: 0)
    assert with_zero.outcome == WRONG
    assert "half" not in with_zero.message

    misconceptions = (Misconception(lambda came: 6 / came == 3, "half"), Misconception(0, "none"))
    value = ValueExercise("01.1", "A value", expected=3, misconceptions=misconceptions)
    assert value.check(2).row("Likely") == "half"
    assert value.check(0).row("Likely") == "none"


def test_bad_input_must_be_refused():
    result = sizes().check(lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) // stride + 1)
    assert result.outcome == WRONG
    assert result.row("Tried") == "`output_size(3, 9)` (a kernel wider than the input)"
    assert result.row("Came") == "it returned `-5`"
    assert result.row("Expected") == "it raises `ValueError`"


def test_bad_input_must_be_refused_with_the_right_error():
    def answer(size, kernel, stride=1, padding=0):
        if kernel > size + 2 * padding:
            raise AssertionError("too wide")
        return output_size(size, kernel, stride, padding)

    result = sizes().check(answer)
    assert result.outcome == WRONG
    assert "it raised `AssertionError: too wide`" in result.row("Came")
    assert "in `answer`" in result.row("Came")


def test_a_subclass_of_the_error_will_do():
    class TooWide(ValueError):
        pass

    def answer(size, kernel, stride=1, padding=0):
        if kernel > size + 2 * padding:
            raise TooWide
        return output_size(size, kernel, stride, padding)

    assert sizes().check(answer).outcome == RIGHT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: -2 * x, "sign is the opposite"),
        (lambda x: 2 * x.transpose(1, 0, 2), "axes are in another order"),
        (lambda x: 2 * x[:, ::-1], "in reverse order"),
        (lambda x: 2 * x[None], "an axis of length 1"),
        (lambda x: (2 * x).ravel(), "the shape is not"),
        (lambda x: np.sqrt(x * 0 - 1), "contains NaN"),
        (lambda x: np.round(2 * x + 5, 2) - 5 + 1e-4, "It is close"),
        (lambda x: np.ones((3, 4, 5)), "the same result in every case"),
        (lambda x: "array", "returns text"),
    ],
)
def test_what_the_results_alone_suggest(answer, words):
    def cases(rng):
        for _ in range(4):
            yield Case((rng.uniform(3, 4, size=(3, 4, 5)),))

    result = doubled(cases=cases).check(answer)
    assert result.outcome == WRONG
    assert words in result.row("Likely")


@pytest.mark.parametrize(("off", "words"), [(1, "one too large"), (-1, "one too small")])
def test_off_by_one_is_named(off, words):
    result = sizes(misconceptions=()).check(lambda *args, **kwargs: output_size(*args, **kwargs) + off)
    assert words in result.row("Likely")


def test_a_comparison_of_its_own():
    def longer(came, expected):
        if not isinstance(came, list):
            raise Wrong("A list is needed.", came=came, expected="a list", likely="A loop gives numbers one by one.")
        return len(came) >= len(expected)

    exercise = doubled(compare=longer, reference=lambda x: [1, 2])
    assert exercise.check(lambda x: [5, 6, 7]).outcome == RIGHT
    assert exercise.check(lambda x: [5]).outcome == WRONG
    result = exercise.check(lambda x: 5)
    assert (result.row("Wrong"), result.row("Came"), result.row("Expected")) == ("A list is needed.", "`5`", "a list")
    assert result.row("Likely") == "A loop gives numbers one by one."


def test_the_type_of_the_result_is_looked_at_when_all_values_are_right():
    exercise = doubled(result_type="float32", about_type="Half the memory.", rtol=1e-4)
    assert exercise.check(lambda x: (2 * x).astype("float32")).outcome == RIGHT
    result = exercise.check(lambda x: 2 * x)
    assert result.outcome == WRONG
    assert "All values are right, but not their type." in result.message
    assert [result.row(name) for name in ("Came", "Expected", "Likely")] == [
        "an array of float64",
        "an array of float32",
        "Half the memory.",
    ]
    assert exercise.check(lambda x: (2 * x).tolist()).row("Came") == "a list"
    assert "their type" not in exercise.check(lambda x: (3 * x).astype("float32")).message  # the values come first


def test_each_of_several_results_has_a_type_of_its_own_or_any():
    exercise = doubled(reference=lambda x: (np.sign(x), 2.0), result_type=("int8", None))
    assert exercise.check(lambda x: (np.sign(x).astype("int8"), 2)).outcome == RIGHT
    assert exercise.check(lambda x: [np.sign(x).astype("int8"), np.float32(2)]).outcome == RIGHT
    result = exercise.check(lambda x: (np.sign(x), 2.0))
    assert (result.row("Came"), result.row("Expected")) == (
        "result 1 is an array of float64",
        "result 1 is an array of int8",
    )


def test_an_answer_that_changes_its_arguments_may_be_wrong_for_that():
    def answer(x):
        x *= 2
        return x

    assert doubled().check(answer).outcome == RIGHT  # with a remark
    result = doubled(leaves_arguments=True).check(answer)
    assert result.outcome == WRONG
    assert "What it returns is right, but it changes `x` on the way." in result.message
    assert "write into the caller's own arrays" in result.row("Likely")
    assert doubled(leaves_arguments=True).check(lambda x: 2 * x).outcome == RIGHT
