"""Claims and measured numbers."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib import claim
from cnnlib.claims import ClaimFailed, approx, measured


@pytest.mark.parametrize("condition", [True, np.True_, np.array(True)])
def test_a_true_claim_prints_its_sentence(condition, capsys):
    assert claim("two and two is 4", condition) is None
    assert capsys.readouterr().out == "✔ two and two is 4\n"


def test_a_tensor_that_holds_one_truth_value_is_a_condition(capsys):
    claim("one is less than two", keras.ops.less(keras.ops.convert_to_tensor(1.0), 2.0))
    with pytest.raises(ClaimFailed):
        claim("two is less than one", keras.ops.less(keras.ops.convert_to_tensor(2.0), 1.0))
    assert capsys.readouterr().out == "✔ one is less than two\n"


@pytest.mark.parametrize("condition", [False, np.False_, np.array(False)])
def test_a_false_claim_fails_with_its_sentence(condition, capsys):
    with pytest.raises(ClaimFailed, match="two and two is 5") as caught:
        claim("two and two is 5", condition)
    assert "defect" in str(caught.value)
    assert "another machine" in str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("condition", [1, 0, 0.3, None, "yes", "", len, np.int64(1), np.array(2.0), b"x"])
def test_what_is_no_truth_value_is_refused(condition):
    with pytest.raises(TypeError, match="needs True or False"):
        claim("a sentence", condition)


@pytest.mark.parametrize("condition", [np.array([True]), np.array([True, True]), [True, False], np.zeros((0,), bool)])
def test_an_array_of_conditions_is_refused(condition):
    with pytest.raises(ValueError, match=r"\.all\(\) or \.any\(\)"):
        claim("a sentence", condition)


def test_the_sentence_comes_first():
    with pytest.raises(TypeError, match="sentence first"):
        claim(True, "a sentence")
    with pytest.raises(ValueError, match="needs a sentence"):
        claim("  ", True)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.91349, 3, "≈ 0.913"),
        (0.9, 3, "≈ 0.900"),
        (0.00123456, 3, "≈ 0.00123"),
        (0.0000123456, 3, "≈ 1.23e-05"),
        (12.3456, 3, "≈ 12.3"),
        (99.96, 3, "≈ 100"),
        (123.456, 3, "≈ 123"),
        (12345.678, 3, "≈ 12,346"),
        (12345.678, 1, "≈ 12,346"),
        (-12.3456, 3, "≈ -12.3"),
        (0.0, 3, "≈ 0"),
        (7, 3, "≈ 7"),
        (1234567, 3, "≈ 1,234,567"),
        (math.nan, 3, "≈ nan"),
        (math.inf, 3, "≈ inf"),
        (np.float32(0.5), 2, "≈ 0.50"),
        (np.array([[2.5]]), 2, "≈ 2.5"),
        (np.int64(3), 2, "≈ 3"),
        (9.99999, 3, "≈ 10.0"),
    ],
)
def test_approx_shows_significant_digits(value, digits, text):
    assert approx(value, digits) == text


def test_approx_takes_tensors():
    assert approx(keras.ops.convert_to_tensor(0.25)) == "≈ 0.250"
    assert approx(keras.Variable(0.25)) == "≈ 0.250"


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(1, 6))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_approx_is_close_and_reads_back(value, digits):
    text = approx(value, digits).removeprefix("≈ ").replace(",", "")
    assert float(text) == pytest.approx(value, rel=0.5 * 10 ** (1 - digits) * 1.001, abs=1e-44)


@pytest.mark.parametrize("value", [True, np.True_, "0.9", None, [1.0, 2.0], np.zeros(2), np.array(["a"]), 1j])
def test_approx_refuses_what_is_not_one_number(value):
    with pytest.raises(TypeError, match="must be"):
        approx(value)


def test_approx_refuses_no_digits():
    with pytest.raises(ValueError, match="digits must be 1 or more"):
        approx(1.0, digits=0)


def test_measured_prints_label_number_and_unit(capsys):
    measured("accuracy", 0.91349)
    measured("time of a step", 0.01234, unit="s", digits=2)
    assert capsys.readouterr().out == "accuracy ≈ 0.913\ntime of a step ≈ 0.012 s\n"
