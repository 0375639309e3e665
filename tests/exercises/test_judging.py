"""How a guess is read and judged: right, near, off and far off, on one scale for numbers, shares and differences."""

import math

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnnlib.exercises.judging import FARTHEST, NEAR, Question, judge, number_of, read, shown, text_of

NUMBER, SHARE = Question("How many?"), Question("Which share?", unit="%")
slowly = settings(deadline=None)  # a busy machine takes its time
positive = st.floats(1e-6, 1e9)
percent = st.floats(0, 100)


@pytest.mark.parametrize(
    ("guess", "value", "right"),
    [(10, 10, True), (8, 10, True), (12.5, 10, True), (7.9, 10, False), (12.6, 10, False), (-8, -10, True),
     (0, 0, True)],
)  # fmt: skip
def test_a_number_is_right_within_a_factor(guess, value, right):
    assert judge(NUMBER, guess, value).right is right


@pytest.mark.parametrize(
    ("guess", "value", "right"),
    [(45, 50, True), (43, 50, False), (88.5, 90, True), (87, 90, False), (99, 99.9, False), (0, 0.1, True),
     (40, 0.3, False), (8.5, 10, True), (13, 10, False), (100, 100, True)],
)  # fmt: skip
def test_a_share_is_right_within_a_factor_of_its_odds(guess, value, right):
    assert judge(SHARE, guess, value).right is right


@pytest.mark.parametrize(
    ("guess", "value", "right"), [(0.3, 0.4, True), (0.29, 0.4, False), (-0.1, 0, True), (0.2, 0, False)]
)
def test_within_says_how_far_a_difference_may_be_off(guess, value, right):
    assert judge(Question("?", unit="points", within=0.1), guess, value).right is right


def test_a_count_that_must_be_exact():
    exact = Question("?", within=0)
    assert judge(exact, 9, 9).right
    assert not judge(exact, 8, 9).right
    assert judge(exact, 8, 9).says == "near, 1 too low"


@pytest.mark.parametrize(
    ("question", "guess", "value", "says"),
    [
        (SHARE, 40, 0.3, "far off, 40 points too high"),
        (SHARE, 1, 3, "off, 2 points too low"),
        (SHARE, 2, 4, "near, 2 points too low"),
        (NUMBER, 100, 1000, "off, 10 times too low"),
        (NUMBER, 100, 1100, "far off, 11 times too low"),
        (NUMBER, 300, 200, "near, 1.5 times too high"),
        (NUMBER, 5, 20, "off, 4 times too low"),
        (NUMBER, 1e-300, 1e300, "far off, too low"),
        (NUMBER, 1, -1, "far off, 2 too high"),
        (Question("?", unit="points", within=1), -2, 3, "off, 5 points too low"),
        (Question("?", unit="%"), 150, 300, "near, 2 times too low"),
    ],
)
def test_a_miss_says_how_far_and_on_which_side(question, guess, value, says):
    assert judge(question, guess, value).says == says


def test_of_choices_one_is_right():
    asked = Question("Which?", choices=("constant", "cosine"))
    assert judge(asked, "cosine", "cosine").right
    wrong = judge(asked, "constant", "cosine")
    assert (wrong.right, wrong.surprise, wrong.says) == (False, NEAR, "not what you predicted")


@pytest.mark.parametrize(
    ("question", "guess", "value"),
    [(NUMBER, 3, math.nan), (NUMBER, 3, math.inf), (NUMBER, 3, "cosine"), (NUMBER, 3, None), (NUMBER, "a", 3),
     (Question("?", choices=("a", "b")), 3, "a"), (Question("?", choices=("a", "b")), "a", 3)],
)  # fmt: skip
def test_what_cannot_be_compared_is_not_judged(question, guess, value):
    assert judge(question, guess, value) is None


@slowly
@given(positive, positive)
def test_twice_too_much_is_as_far_as_half(guess, value):
    assert judge(NUMBER, guess, value).surprise == pytest.approx(judge(NUMBER, value, guess).surprise)


@slowly
@given(percent, percent)
def test_a_share_and_what_is_left_of_it_are_judged_alike(guess, value):
    one, other = judge(SHARE, guess, value), judge(SHARE, 100 - guess, 100 - value)
    assert one.surprise == pytest.approx(other.surprise, rel=1e-6, abs=1e-6)


@slowly
@example(SHARE, 0.5, 199.9, 202.0)  # just below and just above the whole
@given(st.sampled_from([NUMBER, SHARE, Question("?", within=2.0)]), positive, st.floats(1, 1e3), st.floats(1, 1e3))
def test_farther_is_never_less_surprising(question, value, first, second):
    near, far = sorted((first, second))
    assert judge(question, value * near, value).surprise <= judge(question, value * far, value).surprise + 1e-9


@slowly
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False),
       st.sampled_from(["", "%", "s"]), st.none() | st.floats(0, 1e6))  # fmt: skip
def test_any_two_numbers_have_a_verdict(guess, value, unit, within):
    verdict = judge(Question("?", unit=unit, within=within), guess, value)
    assert 0 <= verdict.surprise <= FARTHEST
    assert verdict.right == (verdict.says == "right")


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "number"),
    [("40", 40), (" 40 % ", 40), ("40%", 40), ("1,000", 1000), ("1 000 000", 1_000_000), ("0,3", 0.3), ("-2.5", -2.5),
     ("\u22123", -3), ("3e6", 3e6), (".5", 0.5), (7, 7), (np.float32(0.5), 0.5), ("1_000", 1000),
     (10**400, 1.7e308)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(said, number):
    assert read(SHARE, said) == (number, "")


@pytest.mark.parametrize(
    "said",
    ["forty", "", "4 or 5", "nan", "inf", "1e999", "1,00,0", True, None, [1, 2], np.zeros(2), math.nan, dict],
)
def test_what_is_no_number_is_said(said):
    number, complaint = read(SHARE, said)
    assert number is None
    assert "is no number; write digits" in complaint
    assert len(complaint) < 120


@slowly
@given(st.text() | st.binary() | st.floats() | st.integers() | st.lists(st.integers()) | st.none() | st.booleans())
def test_whatever_a_learner_writes_is_read_or_answered(said):
    for question in (NUMBER, SHARE, Question("?", choices=("one", "two"))):
        answer, complaint = read(question, said)
        assert (answer is None) == bool(complaint)


@slowly
@given(st.integers(-(10**14), 10**14))
def test_a_number_that_was_shown_is_read_as_itself(number):
    assert read(NUMBER, shown(number, digits=6)) == (number, "")


@pytest.mark.parametrize(("said", "choice"), [("cosine", "cosine"), ("Cosine ", "cosine"), ('"cosine"', "cosine")])
def test_a_choice_may_be_written_carelessly(said, choice):
    assert read(Question("?", choices=("constant", "cosine")), said) == (choice, "")


def test_what_is_no_choice_is_told_the_choices():
    answer, complaint = read(Question("?", choices=("constant", "cosine")), "step")
    assert answer is None
    assert complaint == "'step' is none of the choices: constant, cosine."


def test_values_of_every_kind():
    tensor = keras.ops.convert_to_tensor
    assert [number_of(each) for each in (3, np.int64(3), np.array([3]), tensor(3), tensor([[3]]))] == [3] * 5
    assert isinstance(number_of(np.int64(3)), int)
    assert number_of(tensor(0.5)) == 0.5
    assert [number_of(each) for each in ("3", True, np.bool_(True), None, np.zeros(2))] == [None] * 5
    assert [text_of(each) for each in (3, np.int64(3), tensor(3), 0.5, np.float32(0.1), "3")] == ["3"] * 3 + [
        "0.5", "0.1", "3"
    ]  # fmt: skip
    assert [text_of(each) for each in (True, np.bool_(True), tensor(True))] == ["True"] * 3


def test_as_many_digits_as_one_reads():
    assert [shown(each, 3) for each in (1234567, 1234.6, 12.345, 0.3, 0.0, 1e-7, math.nan)] == [
        "1,234,567", "1,235", "12.3", "0.3", "0", "1.00e-07", "nan"
    ]  # fmt: skip
    assert shown(0.3, 3, padded=True) == "0.300"
