"""Checks of their own."""

import keras
import numpy as np
import pytest
from engine_case import (
    CRASHED,
    RIGHT,
    WRONG,
)

from cnnlib.exercises import (
    CheckExercise,
    Wrong,
    as_array,
    describe,
)


def kernel_check(answer, rng):
    kernel = as_array(answer, (3, 3), "the kernel")
    if abs(kernel.sum() - 1) > 1e-6:
        raise Wrong(
            "The brightness changes.", tried="a white image", came=kernel.sum(), expected=1, likely="Divide by 9."
        )


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (np.full((3, 3), 1 / 9), RIGHT, ""),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], RIGHT, ""),
        (np.ones((3, 3)), WRONG, "Came: `9.0`"),
        (np.ones((3, 3)), WRONG, "Likely: Divide by 9."),
        (np.ones(3), WRONG, "Expected: (3, 3)"),
        ("blur", WRONG, "should be an array of numbers"),
        ([[1, 2], [3]], WRONG, "should be an array of numbers"),
        (np.full((3, 3), np.nan), WRONG, "NaN"),
        (lambda x: x, WRONG, "should be an array of numbers"),
    ],
)
def test_a_check_of_its_own(answer, outcome, words):
    result = CheckExercise("01.4", "A kernel", check=kernel_check).check(answer)
    assert result.outcome == outcome
    assert words in result.message


def test_shapes_may_have_open_lengths():
    assert as_array(np.zeros((2, 5)), (2, None)).shape == (2, 5)
    with pytest.raises(Wrong, match="shape") as caught:
        as_array(np.zeros((2, 5)), (3, None))
    assert caught.value.expected == "(3, any)"


def test_an_error_of_the_learners_function_inside_a_check():
    def answer(x):
        return x["no"]

    result = CheckExercise("01.4", "A function", check=lambda f, rng: f({})).check(answer)
    assert result.outcome == CRASHED
    assert '`return x["no"]`' in result.row("Your line")


def test_a_check_that_cannot_work_with_the_answer():
    result = CheckExercise("01.4", "A model", check=lambda model, rng: model.count_params()).check([1, 2])
    assert result.outcome == WRONG
    assert "cannot work with your answer: [1, 2]" in result.message
    assert "no attribute 'count_params'" in result.message


def test_a_check_on_a_model():
    def check(model, rng):
        if not isinstance(model, keras.Model):
            raise Wrong("A Keras model is asked for.", came=describe(model))
        if model.count_params() != 448:
            raise Wrong(tried="model.count_params()", came=model.count_params(), expected=448)

    exercise = CheckExercise("01.4", "A model", check=check)
    right = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3)])
    wrong = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3, use_bias=False)])
    assert exercise.check(right).outcome == RIGHT
    assert "Came: `432`" in exercise.check(wrong).message
    assert "Came: the class 'Conv2D'" in exercise.check(keras.layers.Conv2D).message
