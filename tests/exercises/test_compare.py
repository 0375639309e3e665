"""Plain data: conversion, comparison, description; objects that lie."""

import math
import numbers
import re
from decimal import Decimal
from fractions import Fraction

import keras
import numpy as np
import pytest
from engine_case import (
    RIGHT,
    WRONG,
    Failing,
    Liar,
    doubled,
    output_size,
    sizes,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlib.exercises import (
    ValueExercise,
    describe,
    difference,
    equal,
    plain,
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: (n for n in [1]), "a generator"),
        (lambda: map(abs, [1]), "a map object"),
        (lambda: zip([1], [2]), "a zip object"),
        (lambda: len, "the function 'len' itself"),
        (lambda: int, "the class 'int'"),
        (lambda: object(), "an object object"),
        (lambda: np, "a module"),
        (lambda: "3", "'3'"),
        (lambda: [3], "[3]"),
        (lambda: (3, 4), "[3, 4]"),
        (lambda: math.nan, "NaN"),
        (lambda: -math.inf, "-infinity"),
        (lambda: 10**400, "a whole number of 401 digits"),
        (lambda: True, "True, a truth value, instead of a number"),
        (lambda: np.zeros((3, 3)), "an array of shape (3, 3)"),
        (lambda: np.zeros((100, 100)), "an array of shape (100, 100)"),
        (lambda: "x" * 10**6, "(1,000,000 characters)"),
        (lambda: list(range(10**6)), "an array of shape (1000000,)"),
        (lambda: {"a": 1}, "{'a': 1}"),
        (lambda: {1, 2}, "{1, 2}"),
        (lambda: keras.KerasTensor((1,)), "symbolic Keras tensor"),
        (lambda: Exception("no"), "an Exception object"),
    ],
)  # fmt: skip
def test_odd_results_are_described(value, words):
    result = sizes(time_limit=5).check(lambda size, kernel, stride=1, padding=0: value())
    assert result.outcome == WRONG
    assert words in result.message
    assert len(result.message) < 1200


def test_a_coroutine_is_described_and_closed(recwarn):
    async def answer(size, kernel, stride=1, padding=0):
        return 3

    result = sizes().check(answer)
    assert "a coroutine" in result.message
    assert not [w for w in recwarn if "never awaited" in str(w.message)]


class LyingArray(np.ndarray):
    def __eq__(self, other):
        return np.ones(self.shape, bool)

    def __sub__(self, other):
        return np.zeros(self.shape)

    __rsub__ = __sub__

    def __array_ufunc__(self, *args, **kwargs):
        return np.zeros(self.shape)


class LyingInt(int):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __index__(self):
        return 3

    __repr__ = __str__ = lambda self: "3"


class LyingFloat(float):
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __float__ = __abs__ = lambda self: 3.0
    __hash__ = None


class LyingText(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class LyingList(list):
    def __eq__(self, other):
        return True

    def __len__(self):
        return 2

    def __iter__(self):
        return iter([1, 2])


LIES = (Liar, Failing, lambda: LyingInt(4), lambda: LyingFloat(4.0), lambda: np.ones(3).view(LyingArray))


@pytest.mark.parametrize("value", LIES)
def test_objects_that_lie_are_not_believed(value):
    result = sizes().check(lambda size, kernel, stride=1, padding=0: value())
    assert result.outcome == WRONG


def test_subclasses_that_lie_are_not_believed():
    assert not equal(LyingText("a"), "b")
    assert not equal(LyingList([3, 4, 5]), [1, 2])
    assert not equal(np.full(3, 5.0).view(LyingArray), np.ones(3))
    assert equal(LyingInt(4), 4)
    assert equal(np.ones(3).view(LyingArray), np.ones(3))


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (3, 3), (3.0, 3), (3, 3.0), (np.int8(3), 3), (np.float32(3), 3), (np.array(3), 3), (3, np.array(3)),
        ((1, 2), [1, 2]), (np.array([1, 2]), (1, 2)), ([1, 2], np.array([1, 2])),
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
        ([np.array([1, 2]), np.array([3, 4])], [[1, 2], [3, 4]]), (range(3), [0, 1, 2]), ([np.float32(1)], [1.0]),
        (0.1 + 0.2, 0.3), (np.float32(0.1), 0.1), (np.float16(0.5), 0.5), (1e20 + 1e14, 1e20), (0.999999999, 1.0),
        (math.nan, math.nan),
        (math.inf, math.inf), (1 + 2j, 1 + 2j), ("same", "same"), (None, None), (True, np.True_),
        (np.True_, True), (1, True),
        ({"a": 1, "b": [2.0]}, {"b": np.array([2]), "a": 1.0}), ({1, 2}, {2, 1}), ([2, 1], {1, 2}), ([], []),
        ([], np.zeros(0)),
        (np.zeros((0, 3)), np.zeros((0, 3))), (5, np.int64(5)), (2.0000000001, 2), (10**30, 10**30),
        (np.array([1, 2], dtype=object), [1, 2]), (np.array(["a", "b"]), ["a", "b"]), ({"a": 1}.values(), [1]),
        (b"x", b"x"), (np.array([np.nan, 1]), [np.nan, 1]), ((1, "a", None), [1, "a", None]),
    ],
)  # fmt: skip
def test_equal(came, expected):
    assert equal(came, expected)


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (3, 4), (3.001, 3), (9_633_792, 9_633_856), (9_633_792.0, 9_633_856), (True, 1), (False, 0), ("3", 3),
        (3, "3"),
        ([3], 3), (3, [3]), (np.array([3]), 3), ([1, 2], [1, 2, 3]), ([1, 2, 3], [1, 2]), ([[1, 2]], [1, 2]),
        ([1, [2]], [1, 2]),
        (np.zeros((3, 1)), np.zeros(3)), (np.zeros((2, 3)), np.zeros((3, 2))), (0.3001, 0.3), (math.nan, 3.0),
        (3.0, math.nan),
        (-math.inf, math.inf), ({"a": 1}, {"b": 1}), ({"a": 1}, {"a": 1, "b": 2}), ({"a": 1, "b": 2}, {"a": 1}),
        ([("a", 1)], {"a": 1}),
        ({1, 2}, {1, 2, 3}), (None, 0), (0, None), (None, []), ("same", "valid"), (10**30 + 1, 10**30),
        (2 + 1j, 2), ([True, True], np.array([1, 1])),
        (np.array([True, False]), np.array([1, 0])), (lambda: 3, 3), ("", None), ("a", ["a"]),
        ([1, 2, 4.0], [1, 2, 3]), (2, True), (b"x", "x"),
        ([1, "a"], [1, "b"]), (np.array(["a"]), np.array([1.0])),
    ],
)  # fmt: skip
def test_not_equal(came, expected):
    assert not equal(came, expected)


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=4, max_side=5), elements=st.floats(-1e6, 1e6)))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_an_array_equals_itself_in_every_dress(array):
    for dressed in (array, array.tolist(), np.asfortranarray(array), list(array), tuple(array), array + 1e-9):
        assert equal(dressed, array)
        assert equal(array, array.tolist())
    assert equal(keras.ops.convert_to_tensor(array.astype("float32")), array, rtol=1e-6)


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=5), elements=st.floats(-1e3, 1e3)), st.data())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_single_changed_value_is_found_and_located(array, data):
    where = tuple(data.draw(st.integers(0, side - 1)) for side in array.shape)
    changed = array.copy()
    changed[where] += 0.1
    said = difference(plain(changed), array)
    assert "[" + ", ".join(map(str, where)) + "]" in said
    assert f"1 of {array.size} values differ" in said


def test_keras_tensors_and_variables_of_this_backend_are_arrays():
    assert equal(keras.ops.ones((2, 3)), np.ones((2, 3)))
    assert equal(keras.Variable(np.arange(3.0)), [0, 1, 2])
    assert equal([keras.ops.ones(2), 3], [[1, 1], 3])
    assert equal(keras.ops.cast(keras.ops.ones(2), "bfloat16"), [1, 1])


class ForeignTensor:
    """As a PyTorch tensor that requires a gradient looks while Keras runs on another backend."""

    __module__ = "torch"

    def __init__(self, values, attached=True):
        self.values, self.attached = values, attached

    def detach(self):
        return ForeignTensor(self.values, attached=False)

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        if self.attached:
            raise RuntimeError("call detach() first")
        return np.array(self.values)


def test_tensors_of_another_backend_are_arrays_too():
    assert equal(ForeignTensor([[1.0, 2.0]]), [[1, 2]])
    assert not equal(ForeignTensor([[1.0, 2.0]]), [[1, 3]])


def test_large_arrays_are_described_by_shape_and_first_difference():
    result = doubled().check(lambda x: np.where(np.arange(5) == 2, 0, 2 * x))
    assert result.outcome == WRONG
    assert re.fullmatch(r"`Twice\(<3×4×5 array>\)`|`.*\(<3×4×5 array>\)`", result.row("Tried"))
    assert "an array of shape (3, 4, 5), float64, from" in result.row("Came")
    assert re.search(r"0\.0 instead of -?\d\S* at \[0, 0, 2\]; 12 of 60 values differ", result.row("Difference"))
    assert len(result.message) < 800


def test_the_shapes_are_compared_first():
    result = doubled().check(lambda x: x[0])
    assert "the shape (4, 5) instead of (3, 4, 5)" in result.row("Difference")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"), (0.1, "0.1"), (1 / 3, "0.3333333"), (2.0, "2.0"), ("a", "'a'"), ([1, 2.5], "[1, 2.5]"),
        (np.float32(0.1), "0.1"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"), (np.arange(3.0), "[0.0, 1.0, 2.0]"),
        (np.zeros((2, 5, 5)), "an array of shape (2, 5, 5), float64, from 0.0 to 0.0"),
        (np.full(20, np.nan), "an array of shape (20,), float64, no finite value"),
        (list(range(20)), "a list of shape (20,), int64, from 0 to 19"), (..., "..."), (None, "None"),
        ({"a": 1.0}, "{'a': 1.0}"),
        (["a"] * 20, None), (1e-12, "1e-12"), (12345678.9, "1.234568e+07"),
        (keras.Sequential, "the class 'Sequential'"),
    ],
)  # fmt: skip
def test_describe(value, text):
    said = describe(value)
    assert len(said) < 300
    if text:
        assert said == text


class LyingFraction(Fraction):
    def __eq__(self, other):
        return True

    __hash__ = Fraction.__hash__
    numerator = denominator = property(lambda self: 1)


class Symbol(numbers.Rational):
    """A number of a library of its own."""

    numerator, denominator = 1, 4

    def _no(self, *others):
        raise NotImplementedError

    __abs__ = __add__ = __ceil__ = __eq__ = __floor__ = __floordiv__ = __le__ = __lt__ = __mod__ = __mul__ = _no
    __neg__ = __pos__ = __pow__ = __radd__ = __rfloordiv__ = __rmod__ = __rmul__ = __round__ = __rpow__ = _no
    __rtruediv__ = __truediv__ = __trunc__ = _no
    __hash__ = None


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (Fraction(1, 3), 1 / 3), (Fraction(6, 2), 3), (1 / 3, Fraction(1, 3)), ([Fraction(1, 2), 1], [0.5, 1]),
        (Fraction(10**30 + 1), 10**30 + 1), (Decimal("0.25"), 0.25), (Decimal(3), 3), (Decimal("NaN"), math.nan),
        (np.array([Fraction(1, 2)]), [0.5]), (Symbol(), 0.25), (np.complex64(2), 2), (np.float16(0.5), Fraction(1, 2)),
        ({"a": Fraction(1, 2)}, {"a": 0.5}), (Decimal("1e400"), math.inf),
    ],
)  # fmt: skip
def test_numbers_of_all_kinds_are_numbers(came, expected):
    assert equal(came, expected)


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (Fraction(1, 3), 0.3334), (Fraction(7, 2), 3), (Fraction(10**30 + 1), 10**30), (Decimal("0.2501"), 0.25),
        (Decimal("sNaN"), 1), (Fraction(10**400), 1.0), (LyingFraction(2, 3), 1), (Symbol(), 0.5), (1j, 1),
        (Fraction(1), "1"),
    ],
)  # fmt: skip
def test_numbers_of_all_kinds_that_differ(came, expected):
    assert not equal(came, expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 3), "Fraction(1, 3)"), (Decimal("0.25"), "Decimal('0.25')"), (Symbol(), "Fraction(1, 4)"),
        ([Fraction(1, 2), 2], "[Fraction(1, 2), 2]"), (np.complex128(1 + 2j), "(1+2j)"),
        (LyingFraction(2, 3), "Fraction(2, 3)"),
    ],
)  # fmt: skip
def test_numbers_of_all_kinds_print_as_what_they_are(value, text):
    assert describe(value) == text


def test_a_fraction_of_a_number_is_a_number_to_every_check():
    assert sizes().check(lambda *args, **kwargs: Fraction(output_size(*args, **kwargs))).outcome == RIGHT
    half = ValueExercise("01.1", "A half", expected=0.5)
    assert half.check(Fraction(1, 2)).outcome == RIGHT
    result = half.check(Fraction(1, 3))
    assert result.outcome == WRONG
    assert result.row("Came") == "`Fraction(1, 3)`"
    assert "should be a number" not in result.message
    wrong = sizes(misconceptions=()).check(lambda *args, **kwargs: Fraction(output_size(*args, **kwargs) + 1))
    assert "one too large" in wrong.row("Likely")
