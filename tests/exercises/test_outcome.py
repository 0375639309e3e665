"""The four outcomes, and how they look as text and as a card."""

import pytest
from engine_case import (
    NOT_ATTEMPTED,
    RIGHT,
    WRONG,
    output_size,
    seen,
    sizes,
    without_padding,
)

from cnnlib.exercises import (
    CheckExercise,
    ValueExercise,
)


def test_a_right_answer():
    result = sizes(remark="So ResNet pads by 3.").check(output_size)
    assert result.outcome == RIGHT == "RIGHT"
    assert result
    assert "all 11 cases" in result.message
    assert "So ResNet pads by 3." in result.message
    assert repr(result).startswith("✔ Right · Exercise 01.2 · Output size\n")


def test_a_wrong_answer_says_what_was_tried_what_came_and_what_was_expected():
    result = sizes().check(lambda size, kernel, stride=1, padding=0: size // stride)
    assert result.outcome == WRONG
    assert not result
    assert result.row("Tried") == "`output_size(5, 3)`"
    assert result.row("Came") == "`5`"
    assert result.row("Expected") == "`3`"
    assert "hint()" in result.message
    assert repr(result).startswith("✘ Not right yet · Exercise 01.2")
    assert result.args == (5, 3)
    assert result.kwargs == {}


def test_the_first_failing_case_is_shown_with_what_is_special_about_it():
    result = sizes().check(lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) / stride + 1)
    assert result.row("Tried") == "`output_size(8, 3, stride=2)` (a stride of 2)"
    assert (result.row("Came"), result.row("Expected")) == ("`3.5`", "`3`")
    assert result.args == (8, 3)
    assert result.kwargs == {"stride": 2}


def test_several_answers_come_as_a_tuple():
    seen = []
    check = CheckExercise("01.4", "Two", check=lambda answer, rng: seen.append(answer))
    assert check.check(1, 2).outcome == RIGHT
    assert seen == [(1, 2)]
    assert check.check(1, ...).outcome == NOT_ATTEMPTED


def test_check_without_an_answer_is_an_error():
    with pytest.raises(TypeError, match="needs your answer"):
        sizes().check()


def test_the_card_says_in_words_what_its_colour_says():
    exercise = sizes()
    for answer, words in (
        (output_size, "Right · Exercise 01.2"),
        (without_padding, "Not right yet · Exercise 01.2"),
        (None, "Not attempted yet · Exercise 01.2"),
        (lambda *a, **k: 1 / 0, "Stopped with an error · Exercise 01.2"),
    ):
        assert seen(exercise.check(answer)).startswith(words)


def test_text_and_card_say_the_same():
    result = sizes().check(without_padding)
    card, text = seen(result), repr(result)
    for name, value in result.rows:
        assert name in text
        assert name in card
        assert value.replace("`", "") in card
    assert "`" not in text
    assert "Padding adds a border on each side." in text


def test_html_of_the_learner_is_shown_not_run():
    result = sizes().check(lambda *a, **k: "<script>alert(1)</script> & `x`")
    assert "<script>" not in result._repr_html_()
    assert "<script>alert(1)</script>" in seen(result)


def test_an_odd_backtick_does_not_garble_the_card():
    result = ValueExercise("01.1", "x", expected="a").check("a ` b")
    assert "a ˋ b" in seen(result)


def test_long_lines_are_wrapped():
    result = sizes().check(lambda *a, **k: "word " * 100)
    assert max(map(len, repr(result).splitlines())) <= 120


def contrast(one, other):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    a, b = sorted((luminance(one), luminance(other)))
    return (b + 0.05) / (a + 0.05)


def test_the_colours_show_on_light_and_dark_pages():
    from cnnlib.exercises.outcome import _HINT, _LOOKS

    for look in (*_LOOKS.values(), _HINT):
        assert contrast(look.colour, "#ffffff") >= 3
        assert contrast(look.colour, "#111111") >= 3
    assert len({look.sign for look in _LOOKS.values()}) == 4
    assert len({look.word for look in _LOOKS.values()}) == 4
