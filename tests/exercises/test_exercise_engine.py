"""The exercise engine: outcomes and their rendering, comparison, misconceptions, safety, hints, progress, sources."""

import builtins
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from html.parser import HTMLParser
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlib.exercises import (
    Case,
    CheckExercise,
    FunctionExercise,
    Misconception,
    Outcome,
    ValueExercise,
    Wrong,
    as_array,
    catalogue,
    describe,
    difference,
    equal,
    exercise,
    journal,
    kinds,
    plain,
    progress,
    replay,
    sandbox,
    source,
)

NOT_ATTEMPTED, RIGHT, WRONG, CRASHED = Outcome


@pytest.fixture(autouse=True)
def _no_progress_of_the_machine(monkeypatch):
    monkeypatch.setenv("CNNLIB_PROGRESS", "off")
    monkeypatch.setenv("CNNLIB_CHECK_SEED", "7")
    monkeypatch.setattr(journal, "_memory", {})


# --- an exercise to test with ----------------------------------------------------------------------------------------


def output_size(size, kernel, stride=1, padding=0):
    if kernel > size + 2 * padding:
        raise ValueError(f"a kernel of {kernel} does not fit")
    return (size + 2 * padding - kernel) // stride + 1


def output_size_cases(rng):
    yield Case((5, 3))
    yield Case((8, 3), {"stride": 2}, about="a stride of 2")
    for _ in range(8):
        kernel, stride, padding = (int(n) for n in rng.integers(1, 6, size=3))
        yield Case((int(rng.integers(8, 30)), kernel), {"stride": stride, "padding": padding})
    yield Case((3, 9), raises=ValueError, about="a kernel wider than the input")


def without_padding(size, kernel, stride=1, padding=0):
    return (size - kernel) // stride + 1


def without_the_first(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride


def sizes(**more):
    settings = {
        "reference": output_size,
        "cases": output_size_cases,
        "misconceptions": (
            Misconception(without_padding, "Padding adds a border on each side."),
            Misconception(without_the_first, "The first window needs `no` step."),
        ),
        "hints": ("a nudge", "nearly all"),
        "time_limit": 0.3,
    }
    return FunctionExercise("01.2", "Output size", **(settings | more))


def doubled(**more):
    """An exercise on arrays: twice the array."""

    def cases(rng):
        for _ in range(4):
            yield Case((rng.normal(size=(3, 4, 5)),))

    return FunctionExercise(
        "01.3", "Twice", **({"reference": lambda x: 2 * x, "cases": cases, "time_limit": 0.3} | more)
    )


# --- the four outcomes -----------------------------------------------------------------------------------------------


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


def test_a_crash_names_the_learners_line_and_says_it_in_plain_words():
    def answer(size, kernel, stride=1, padding=0):
        room = size - kernel
        return room / (stride - stride)

    result = sizes().check(answer)
    assert result.outcome == CRASHED
    assert result.says == "Something is divided by zero."
    assert "ZeroDivisionError" in result.row("Error")
    assert "`return room / (stride - stride)`" in result.row("Your line")
    assert f"line {answer.__code__.co_firstlineno + 2} of " in result.row("Your line")
    for engine in ("sandbox", "kinds.py", "Traceback", "_guarded"):
        assert engine not in result.message
    assert repr(result).startswith("⚠ Stopped with an error · Exercise 01.2")


def test_a_crash_inside_a_library_names_the_learners_line():
    def answer(x):
        return np.reshape(x, (7, 7))

    result = doubled().check(answer)
    assert result.outcome == CRASHED
    assert "np.reshape(x, (7, 7))" in result.row("Your line")
    assert "cannot reshape array" in result.row("Error")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("return undefined_name", "does not know this name"),
        ("return [1][size]", "outside the list"),
        ("return {}[size]", "no such key"),
        ("return size.width", "has nothing of that name"),
        ("import no_such_module", "no such module"),
        # All arguments are given: with defaults left out, Python 3.13.0 itself recurses until memory is full.
        ("return answer(size, kernel, stride, padding)", "calls itself without an end"),
        ("return np.exp(size).foo", "has nothing of that name"),
        ("size = size + undefined; undefined = 1", "before it has a value"),
        ("return input('size?')", "cannot answer `input()`"),
        ("raise NotImplementedError('later') if size else ValueError", "still to be written"),
        ("return np.ones((10**6, 10**6))", "More memory"),
        ("return bytearray(10**15)", "More memory"),
    ],
)
def test_errors_in_plain_words(code, words):
    namespace = {"np": np}
    exec(f"def answer(size, kernel, stride=1, padding=0):\n    {code}", namespace)
    result = sizes().check(namespace["answer"])
    assert result.outcome == CRASHED
    assert words in result.says


@pytest.mark.parametrize("answer", [None, ...])
@pytest.mark.parametrize("make", [sizes, lambda: ValueExercise("01.1", "A value", expected=3)])
def test_no_answer_is_not_attempted(make, answer):
    result = make().check(answer)
    assert result.outcome == NOT_ATTEMPTED
    assert repr(result).startswith("○ Not attempted yet · Exercise 01.")
    assert "Write your answer" in result.message


@pytest.mark.parametrize(
    "body",
    ["...", "pass", '"""Doc."""', '"""Doc."""\n    ...', "return", "return None", "return ...",
     "# only a comment\n    ...",
     "raise NotImplementedError", "raise NotImplementedError()", 'raise NotImplementedError("later")'],
)  # fmt: skip
def test_an_empty_body_is_not_attempted(body):
    namespace = {}
    exec(f"def answer(size, kernel, stride=1, padding=0):\n    {body}", namespace)
    assert sizes().check(namespace["answer"]).outcome == NOT_ATTEMPTED


@pytest.mark.parametrize(
    "body", ["return 0", "return size", "size + 1", "x = 1", "raise ValueError", "return kernel, None"]
)
def test_a_body_with_anything_in_it_is_an_attempt(body):
    namespace = {}
    exec(f"def answer(size, kernel, stride=1, padding=0):\n    {body}", namespace)
    assert sizes().check(namespace["answer"]).outcome in (WRONG, CRASHED)


def test_a_class_with_an_empty_method_is_not_attempted():
    class Block:
        def __init__(self):
            self.size = 3

        def call(self, x): ...

    check = CheckExercise("99.4", "A class", check=lambda answer, rng: None)
    result = check.check(Block)
    assert result.outcome == NOT_ATTEMPTED
    assert "`call`" in result.message


@pytest.mark.parametrize("answer", [{"a": ..., "b": ...}, [..., ...], (..., None)])
def test_collections_of_stubs_are_not_attempted(answer):
    assert ValueExercise("01.1", "Values", expected={"a": 1, "b": 2}).check(answer).outcome == NOT_ATTEMPTED


def test_a_half_filled_collection_says_how_much_is_left():
    result = ValueExercise("01.1", "Values", expected={"a": 1, "b": 2}).check({"a": 1, "b": ...})
    assert result.outcome == NOT_ATTEMPTED
    assert "1 of 2" in result.message


def test_several_answers_come_as_a_tuple():
    seen = []
    check = CheckExercise("01.4", "Two", check=lambda answer, rng: seen.append(answer))
    assert check.check(1, 2).outcome == RIGHT
    assert seen == [(1, 2)]
    assert check.check(1, ...).outcome == NOT_ATTEMPTED


def test_check_without_an_answer_is_an_error():
    with pytest.raises(TypeError, match="needs your answer"):
        sizes().check()


# --- answers of the wrong kind ---------------------------------------------------------------------------------------


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


class Liar:
    """Equal to everything, or failing at every look."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __bool__(self):
        return True

    def __repr__(self):
        return "3"

    def __abs__(self):
        return 0

    __sub__ = __rsub__ = __le__ = lambda self, other: 0


class Failing:
    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    def __repr__(self):
        raise RuntimeError("no repr")

    __hash__ = None


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


# --- comparison ------------------------------------------------------------------------------------------------------


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


# --- misconceptions --------------------------------------------------------------------------------------------------


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


# --- values and anything else ----------------------------------------------------------------------------------------


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


# --- mistakes of who writes an exercise ------------------------------------------------------------------------------


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


# --- safety ----------------------------------------------------------------------------------------------------------

LOOPS = {
    "a loop": """
        while True:
            pass
    """,
    "a sleep": "time.sleep(1e9)",
    "a lock": """
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
    """,
    "a regular expression": "re.match('(a+)+$', 'a' * 60 + 'b')",
    "a loop that catches all": """
        while True:
            try:
                pass
            except:
                pass
    """,
    "a loop that catches all and goes on": """
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue
    """,
    "nested handlers": """
        while True:
            try:
                try:
                    try:
                        for i in range(10**9):
                            i * i
                    except:
                        pass
                except:
                    pass
            except:
                pass
    """,
    "sleeps in handlers": """
        while True:
            try:
                while True:
                    try:
                        time.sleep(1)
                    except BaseException:
                        try:
                            time.sleep(0.1)
                        except BaseException:
                            pass
            except BaseException:
                pass
    """,
    "finally": """
        while True:
            try:
                x = 1
            finally:
                continue
    """,
    "a context manager": """
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(100)
    """,
    "recursion in a handler": """
        def again():
            try:
                while True:
                    pass
            except:
                again()
        again()
    """,
    "an answer after the interrupt": """
        try:
            while True:
                pass
        except BaseException:
            return 3
    """,
    "another error after the interrupt": """
        try:
            while True:
                pass
        except BaseException:
            raise ValueError("no")
    """,
    "an endless print": """
        while True:
            print("x" * 1000)
    """,
    "an endless list of prints to stderr": """
        while True:
            print("x" * 1000, file=sys.stderr)
    """,
    "an endless string": """
        text = "x"
        while True:
            text = text[1:] + "y"
    """,
    "a thread that is waited for": """
        def work():
            while True:
                time.sleep(0.01)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join()
    """,
}


def answer_of(body, **names):
    """A learner's function of any arguments with that body."""
    import contextlib

    namespace = {
        "np": np,
        "os": os,
        "sys": sys,
        "re": re,
        "time": time,
        "threading": threading,
        "contextlib": contextlib,
    }
    namespace |= {
        "warnings": warnings,
        "random": random,
        "keras": keras,
        "builtins": builtins,
        "signal": signal,
        **names,
    }
    text = "def answer(*args, **kwargs):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    exec(compile(text, "<a cell>", "exec"), namespace)
    return namespace["answer"]


@pytest.mark.parametrize("loop", list(LOOPS))
def test_what_does_not_end_is_stopped(loop, capsys):
    started = time.monotonic()
    result = sizes().check(answer_of(LOOPS[loop]))
    assert time.monotonic() - started < 5
    assert result.outcome == CRASHED
    assert "still running after 0.3 seconds and was stopped" in result.says
    assert len(repr(result)) < 5000
    assert sizes().check(output_size).outcome == RIGHT
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


@pytest.mark.parametrize(
    "loop", ["a loop", "a loop that catches all", "nested handlers", "finally", "an endless print"]
)
def test_what_does_not_end_is_stopped_where_there_are_no_timer_signals(loop, monkeypatch):
    monkeypatch.setattr(sandbox, "_set_timer", None)
    before = signal.getsignal(signal.SIGINT)
    result = sizes().check(answer_of(LOOPS[loop]))
    assert result.outcome == CRASHED
    assert "and was stopped" in result.says
    assert signal.getsignal(signal.SIGINT) is before
    assert sizes().check(output_size).outcome == RIGHT


@pytest.mark.parametrize("loop", ["a loop", "nested handlers", "a sleep", "an endless print"])
def test_outside_the_main_thread_what_does_not_end_is_stopped_or_left_behind(loop, monkeypatch):
    monkeypatch.setattr(sandbox, "_GRACE", 0.3)
    results = []
    body = LOOPS[loop].replace("time.sleep(1e9)", "time.sleep(3)")
    thread = threading.Thread(target=lambda: results.append(sizes().check(answer_of(body))))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert results[0].outcome == CRASHED
    assert "still running after 0.3 seconds" in results[0].says
    if loop == "a sleep":
        assert "could not be stopped. Restart the kernel" in results[0].says
    assert sizes().check(output_size).outcome == RIGHT


def test_right_answers_outside_the_main_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(sizes().check(output_size)))
    thread.start()
    thread.join(20)
    assert results[0].outcome == RIGHT


def test_the_time_is_for_all_calls_together():
    started = time.monotonic()
    result = sizes().check(answer_of("time.sleep(0.1)\nreturn 3"))
    assert time.monotonic() - started < 2
    assert result.outcome in (WRONG, CRASHED)


def test_a_slow_reference_gives_the_learner_more_time():
    def slow(size, kernel, stride=1, padding=0):
        time.sleep(0.02)
        return output_size(size, kernel, stride, padding)

    def slower(size, kernel, stride=1, padding=0):
        time.sleep(0.05)
        return output_size(size, kernel, stride, padding)

    assert sizes(reference=slow, misconceptions=()).check(slower).outcome == RIGHT


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit()", "asks Python to exit"),
        ("sys.exit('bye')", "SystemExit: bye"),
        ("exit()", "asks Python to exit"),
        ("quit()", "asks Python to exit"),
        ("os._exit(1)", "asks Python to exit"),
        ("os.abort()", "asks Python to exit"),
        ("os.kill(os.getpid(), 9)", "not available during a check"),
        ("signal.raise_signal(signal.SIGTERM)", "not available during a check"),
        ("signal.setitimer(signal.ITIMER_REAL, 0)", "not available during a check"),
        ("signal.signal(signal.SIGALRM, signal.SIG_IGN)", "the time limit of a check uses this signal"),
        ("os.fork()", "not available during a check"),
        ("raise SystemExit", "asks Python to exit"),
        ("raise KeyboardInterrupt", "was interrupted"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class Odd(BaseException): pass\nraise Odd('hm')", "Odd: hm"),
        ("raise BaseException('all')", "BaseException: all"),
        ("breakpoint()", "a debugger cannot be opened"),
        ("return input()", "EOFError"),
        ("return sys.stdin.read(1)[0]", "IndexError"),
        ("class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad", "Bad"),
        ("class Slow(Exception):\n    def __str__(self): time.sleep(100)\nraise Slow", "Slow"),
        ("class Long(Exception):\n    def __str__(self): return 'x' * 10**7\nraise Long", "xxx …"),
        ("class Odd(Exception):\n    __str__ = lambda self: 3\nraise Odd", "Odd"),
        ("raise ValueError('\\ud800 \\x1b[31m <b>bold</b> `code`')", "<b>bold</b>"),
        ("raise ExceptionGroup('several', [ValueError('one')])", "several"),
        ("sys.setrecursionlimit(10**9)\nreturn answer(*args)", "calls itself without an end"),
        ("raise StopIteration", "StopIteration"),
        ("return ''.join('x' for _ in args)[5]", "IndexError"),
    ],
)
def test_what_ends_a_program_does_not_end_the_notebook(body, words):
    if "SIGALRM" in body and not hasattr(signal, "SIGALRM"):
        pytest.skip("no such signal here")
    result = sizes().check(answer_of(body))
    assert result.outcome == CRASHED
    assert words in result.message
    repr(result).encode("utf-8")
    result._repr_html_().encode("utf-8")
    assert "\x1b" not in repr(result)
    assert "<b>" not in result._repr_html_()
    assert sizes().check(output_size).outcome == RIGHT
    assert not sys.stdin.closed


def test_printing_is_kept_in_bounds(capsys):
    result = sizes(time_limit=5).check(
        answer_of("for _ in range(20_000):\n    print('a line')\nprint('x' * 10**7)\nsys.stderr.write('y' * 10**7)")
    )
    assert result.outcome == WRONG
    assert len(result.row("Printed")) < 1500
    assert result.row("Printed").count("a line") == 8
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


def test_the_output_of_the_learner_is_kept_from_a_right_answer(capsys):
    def answer(size, kernel, stride=1, padding=0):
        print("debugging")
        sys.stdout.close()
        sys.stdout.flush()
        return output_size(size, kernel, stride, padding)

    assert sizes().check(answer).outcome == RIGHT
    assert capsys.readouterr().out == ""
    print("still there")
    assert capsys.readouterr().out == "still there\n"


def test_changed_arguments_are_noted_and_do_no_harm():
    def answer(x):
        x *= 2
        return x

    result = doubled().check(answer)
    assert result.outcome == RIGHT
    assert "changes `x` in place" in result.message
    assert "Work on a copy" in result.message


def test_changed_lists_and_keywords_are_noted():
    def cases(rng):
        yield Case(([3, 1, 2],), {"more": {"a": [1]}, "rest": (np.zeros(2),)})

    def answer(values, more, rest):
        values.sort()
        more["a"].append(2)
        rest[0][0] = 1
        return values[0]

    result = doubled(reference=lambda values, more, rest: min(values), cases=cases).check(answer)
    assert result.outcome == RIGHT
    assert "changes `values`, `more`, `rest` in place" in result.message


def test_unchanged_arguments_are_not_noted():
    assert "in place" not in doubled().check(lambda x: x + x).message


def test_changed_arguments_do_not_change_what_is_expected():
    def answer(x):
        x[...] = 1
        return x * 2

    result = doubled().check(answer)
    assert result.outcome == WRONG
    assert not np.all(result.args[0] == 1)


CHANGES = {
    "the random state": "np.random.seed(3)\nrandom.seed(3)",
    "error handling": "np.seterr(all='raise')",
    "warnings": "warnings.simplefilter('error')\nwarnings.warn('hm') if False else None",
    "printing": "np.set_printoptions(precision=1)",
    "the recursion limit": "sys.setrecursionlimit(5000)",
    "the folder": "os.chdir('/')",
    "the environment": "os.environ['CNNLIB_X'] = '1'\nos.environ.pop('PATH', None)",
    "the path": "sys.path.clear()",
    "numpy's functions": "np.allclose = np.array_equal = np.abs = np.isnan = np.asarray = lambda *a, **k: True",
    "numpy's modules": "np.linalg.norm = np.random.default_rng = lambda *a, **k: 0",
    "built-in functions": "builtins.len = builtins.isinstance = builtins.print = builtins.abs = lambda *a, **k: 0",
    "deleted functions": "del builtins.sorted, np.sum, time.time",
    "the engine": "import cnnlib.exercises.compare as c, cnnlib.exercises.kinds as k\n"
    "c.difference = k.difference = c._differ = c._close = c.plain = lambda *a, **k: None",
    "the sandbox": "import cnnlib.exercises.sandbox as s\n"
    "s.Sandbox.call = s.Sandbox.run\ns._guarded = s.learners_line = None",
    "keras": "keras.config.set_floatx('float64')\nkeras.config.set_image_data_format('channels_first')\n"
    "keras.config.set_epsilon(1)\nkeras.config.set_dtype_policy('float16')\nkeras.ops.sum = None",
    "loaded modules": "sys.modules.pop('numpy')\nsys.modules['json'] = None",
    "the streams": "sys.stdout = sys.stderr = sys.stdin = None",
    "the trace function": "sys.settrace(lambda *a: None)",
}


def world():
    """What a learner's code must not change for others."""
    return {
        "random": (random.getstate(), repr(np.random.get_state())),  # noqa: NPY002
        "settings": (np.geterr(), repr(np.get_printoptions()), sys.getrecursionlimit(), os.getcwd(), list(sys.path)),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "environment": {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"},
        "functions": [dict(vars(each)) for each in (np, np.linalg, np.random, time, keras.ops)],
        "builtins": {key: value for key, value in vars(builtins).items() if key != "_"},
        "engine": [dict(vars(each)) for each in (sandbox, kinds)],
        "keras": (keras.config.floatx(), keras.config.image_data_format(), keras.config.epsilon()),
        "policy": keras.config.dtype_policy().name,
        "modules": {name: sys.modules[name] for name in ("numpy", "json", "keras")},
        "streams": (sys.stdout, sys.stderr, sys.stdin, sys.gettrace(), sys.unraisablehook, sys.breakpointhook),
        "signals": [signal.getsignal(getattr(signal, name, signal.SIGINT)) for name in ("SIGALRM", "SIGINT")],
        "exits": (os._exit, os.kill, os.abort, builtins.input, signal.signal, threading.excepthook),
    }


@pytest.mark.parametrize("change", list(CHANGES))
def test_the_world_is_put_back(change):
    wrong = answer_of(CHANGES[change] + "\nreturn 0")
    before = world()
    first = sizes(time_limit=2).check(wrong)
    after = world()
    for name, value in before.items():
        assert after[name] == value, name
    assert first.outcome in (WRONG, CRASHED)
    assert sizes().check(output_size).outcome == RIGHT
    assert sizes().check(without_padding).outcome == WRONG


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals here")
def test_a_timer_of_somebody_else_goes_on():
    rings = []
    before = signal.signal(signal.SIGALRM, lambda *args: rings.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        sizes().check(output_size)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        time.sleep(0.6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rings == [1]


def test_threads_are_ended():
    body = "threading.Thread(target=work, daemon=True).start()\nreturn 0"

    def work():
        while True:
            time.sleep(0.005)

    before = threading.active_count()
    result = sizes().check(answer_of(body, work=work))
    assert result.outcome == WRONG
    time.sleep(0.2)
    assert threading.active_count() == before


def test_threads_that_cannot_be_ended_are_noted():
    body = """
        def work():
            time.sleep(2)
        if not done:
            threading.Thread(target=work, daemon=True).start()
        done.append(1)
        return 0
    """
    result = sizes().check(answer_of(body, done=[]))
    assert "left a thread running" in result.message


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(sandbox, "_affordable", lambda memory: 200 * 1024**2)
    result = sizes(time_limit=20).check(answer_of("kept = []\nwhile True:\n    kept.append(bytearray(10**6))"))
    assert result.outcome == CRASHED
    assert "0.2 GB of memory and was stopped" in result.says
    assert sizes().check(output_size).outcome == RIGHT


def test_finalizers_do_no_harm():
    body = """
        class Stubborn:
            def __del__(self):
                while True:
                    pass
        kept = Stubborn()
        raise ValueError("with a local object")
    """
    result = sizes().check(answer_of(body))
    assert result.outcome == CRASHED


@pytest.mark.parametrize(
    "value",
    [
        "class Slow:\n    def __array__(self, *a, **k):\n        time.sleep(100)\nreturn Slow()",
        "class Slow(type):\n    def __instancecheck__(self, x):\n        time.sleep(100)\n"
        "class X(metaclass=Slow): pass\nreturn X()",
        "class Slow(list):\n    def __iter__(self):\n        time.sleep(100)\nreturn Slow([1])",
        "class Slow:\n    @property\n    def __class__(self):\n        time.sleep(100)\nreturn Slow()",
        "x = []\nx.append(x)\nreturn x",
        "return [[0] * 10**4] * 10**4",
        "x = {}\nx['x'] = x\nreturn x",
        "return np.broadcast_to(np.zeros(1), (10**6, 10**6))",
    ],
)
def test_results_that_are_slow_to_look_at(value):
    started = time.monotonic()
    result = sizes().check(answer_of(value))
    assert result.outcome in (WRONG, CRASHED)
    assert time.monotonic() - started < 5
    assert len(result.message) < 2000


def test_hostile_objects_as_answers():
    class Slow:
        def __getattr__(self, name):
            time.sleep(100)

        def __call__(self):
            return 3

        __repr__ = __eq__ = lambda self, *other: time.sleep(100)
        __hash__ = None

    class Signed:
        @property
        def __signature__(self):
            time.sleep(100)

        def __call__(self, *args, **kwargs):
            return 3

    started = time.monotonic()
    for answer in (Slow(), Signed(), Failing(), Liar()):
        assert sizes().check(answer).outcome in (WRONG, CRASHED)
        assert ValueExercise("01.1", "x", expected=3, time_limit=0.3).check(answer).outcome in (WRONG, CRASHED)
        check = CheckExercise("01.4", "x", check=lambda a, rng: as_array(a, (3,)) and None, time_limit=0.3)
        assert check.check(answer).outcome in (WRONG, CRASHED)
    assert time.monotonic() - started < 10


# --- rendering -------------------------------------------------------------------------------------------------------


class _Tags(HTMLParser):
    void = {"br"}

    def __init__(self):
        super().__init__()
        self.open, self.text, self.styles, self.hidden = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        if tag not in self.void:
            self.open.append((tag, dict(attrs)))
        self.styles.append(dict(attrs).get("style", ""))
        assert not {name for name, _ in attrs} - {"style", "role", "aria-hidden", "scope"}

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if not any(attrs.get("aria-hidden") for _, attrs in self.open):
            self.text.append(data)


def seen(result):
    """A card's text without the signs that only decorate, checked to be well-formed."""
    tags = _Tags()
    tags.feed(result._repr_html_())
    assert not tags.open
    for style in tags.styles:
        assert not re.search(r"(?<!-)\bcolor\s*:", style), "the text's colour belongs to the notebook's theme"
    return " ".join("".join(tags.text).split())


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


# --- hints and answers -----------------------------------------------------------------------------------------------


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


def test_exercises_are_found_by_id(monkeypatch):
    made = {"01.1": sizes(), "01.2": doubled()}
    monkeypatch.setattr(catalogue, "exercises_of", lambda lesson: made)
    monkeypatch.setattr(catalogue, "_FOLDER", Path(__file__).parent)
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
    monkeypatch.setattr(catalogue, "_FOLDER", tmp_path)
    assert catalogue.listed() == {"07.1": "One", "07.2": "Two", "07.10": "Ten"}


def test_the_list_agrees_with_the_lessons_checks():
    for lesson in {id.split(".")[0] for id in catalogue.listed()}:
        listed = {id: title for id, title in catalogue.listed().items() if id.startswith(lesson)}
        assert listed == {id: each.title for id, each in catalogue.exercises_of(lesson).items()}


def test_an_answer_shows_itself():
    assert repr(sizes()) == "Exercise 01.2 · Output size: .check(your answer), .hint(), .answer()"


# --- progress --------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "progress.json"
    monkeypatch.setenv("CNNLIB_PROGRESS", str(path))
    monkeypatch.setattr(journal, "_warned", set())
    return path


def test_progress_is_kept(file):
    exercise = sizes()
    exercise.check(None)
    assert not file.exists(), "an exercise that was not attempted is no attempt"
    exercise.check(without_padding)
    exercise.hint()
    exercise.hint()
    assert journal.entries()["01.2"]["solved"] is None
    exercise.check(output_size)
    first = journal.entries()["01.2"]
    assert first["attempts"] == 2
    assert first["hints"] == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", first["solved"])
    exercise.check(without_padding)
    assert journal.entries()["01.2"]["solved"] == first["solved"], "once solved, solved"
    assert sorted(each.name for each in file.parent.iterdir()) == ["progress.json", "progress.lock"]


def test_the_reference_answer_is_noted(file, tmp_path, monkeypatch):
    write_lesson(tmp_path)
    monkeypatch.setattr(source, "lesson_file", lambda *args: tmp_path / "01_a_lesson.py")
    exercise = sizes()
    exercise.answer()
    exercise.check(output_size)
    entry = journal.entries()["01.2"]
    assert (entry["answer_shown"], entry["answer_first"]) == (True, True)


def test_what_others_wrote_into_the_file_is_kept(file):
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 9, "new": [1], "exercises": {"01.2": {"attempts": 4, "more": "x"}}}))
    sizes().check(without_padding)
    content = json.loads(file.read_text())
    assert content["new"] == [1]
    assert content["exercises"]["01.2"]["attempts"] == 5
    assert content["exercises"]["01.2"]["more"] == "x"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b'{"exercises": []}', b'{"exercises": {"01.2": 3}}', b"\xff\xfe", b"[" * 100_000,
     b'{"exercises": {"01.2": {"attempts": "many"}}}'],
)  # fmt: skip
def test_a_damaged_file_is_moved_aside_and_named(file, damage):
    file.parent.mkdir()
    file.write_bytes(damage)
    with pytest.warns(UserWarning, match=r"was damaged; it is now progress\.damaged-1\.json"):
        sizes().check(output_size)
    assert (file.parent / "progress.damaged-1.json").read_bytes() == damage
    assert journal.entries()["01.2"]["attempts"] == 1
    file.write_bytes(damage)
    with pytest.warns(UserWarning, match=r"progress\.damaged-2\.json"):
        journal.entries()


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_warned", set())
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("CNNLIB_PROGRESS", str(tmp_path / "a file" / "progress.json"))
    with pytest.warns(UserWarning, match="cannot be written"):
        assert sizes().check(without_padding).outcome == WRONG
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sizes().check(output_size).outcome == RIGHT
        assert journal.entries()["01.2"]["attempts"] == 2
        assert journal.entries()["01.2"]["solved"]


def test_several_kernels_write_at_once(file):
    code = (
        "import sys; from cnnlib.exercises import journal\n"
        "for n in range(15): journal.note_attempt('01.2', False); journal.note_attempt(sys.argv[1], True)"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, f"02.{n}"], env=os.environ) for n in range(3)]
    assert [run.wait(120) for run in runs] == [0] * 3
    entries = journal.entries()
    assert entries["01.2"]["attempts"] == 45
    assert all(entries[f"02.{n}"]["attempts"] == 15 for n in range(3))
    assert [each.name for each in file.parent.glob("*.part")] == []


def test_a_crash_while_writing_leaves_the_old_file(file, monkeypatch):
    journal.note_attempt("01.2", True)
    before = file.read_text()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        journal.note_attempt("01.2", True)
    assert file.read_text() == before
    assert not list(file.parent.glob("*.part"))


def test_nothing_is_kept_while_outputs_are_stored(monkeypatch, tmp_path):
    monkeypatch.delenv("CNNLIB_PROGRESS")
    monkeypatch.setenv("CNNLIB_STATIC", "1")
    assert journal.file() is None
    monkeypatch.delenv("CNNLIB_STATIC")
    assert journal.file().parts[-2:] == (".cnnlib", "progress.json")


def test_the_table_of_progress(file, monkeypatch):
    monkeypatch.setattr(catalogue, "listed", lambda: {"01.1": "One", "01.2": "Two <&>", "02.1": "Three"})
    journal.note_attempt("01.1", True)
    journal.note_attempt("01.2", False)
    journal.note_hint("01.2", 2)
    table = progress()
    assert [row.state for row in table.rows] == ["solved", "tried", "not yet"]
    text = repr(table)
    assert text.startswith("1 of 3 exercises solved")
    assert "✔ 01.1" in text
    assert "1 attempt, 2 hints" in text
    card = seen(table)
    assert "1 of 3 exercises solved" in card
    assert "Two <&>" in card
    assert "tried" in card


def test_progress_in_a_terminal(file):
    journal.note_attempt("01.1", True)
    run = subprocess.run([sys.executable, "-m", "cnnlib.exercises"], capture_output=True, encoding="utf-8", timeout=120)
    assert run.returncode == 0, run.stderr
    assert "exercises" in run.stdout
    assert run.stderr == ""


# --- lessons as text -------------------------------------------------------------------------------------------------

LESSON = '''# ---
# jupyter: {}
# ---

# %% [markdown]
# # 01 · A lesson
#
# Text.

# %%
from cnnlib import runtime
runtime.setup()

# %%
import math

import numpy as np

# %%
helper = math.sqrt
BASE = helper(4)

# %% tags=["nbval-ignore-output", "x"]
unused = 1 / 0 if False else 3

# %% [markdown]
# ### Exercise 01.2 · Output size


# %%
def output_size(size, kernel):
    """The size."""
    ### BEGIN SOLUTION
    room = size - kernel

    return room + BASE - 1
    ### END SOLUTION


# %%
exercise("01.2").check(output_size)

# %% [markdown]
# ### Exercise 01.3 · Values

# %%
### BEGIN SOLUTION
first, second = 3, [4]
### END SOLUTION

# %%
exercise('01.3').check(first, second)
'''


def write_lesson(folder):
    path = folder / "01_a_lesson.py"
    path.write_text(LESSON)
    return path


def test_cells(tmp_path):
    found = source.cells(write_lesson(tmp_path))
    assert [each.kind for each in found] == [
        "markdown", "code", "code", "code", "code", "markdown", "code", "code", "markdown", "code", "code",
    ]  # fmt: skip
    assert found[0].source == "# 01 · A lesson\n\nText."
    assert found[1].source == "from cnnlib import runtime\nruntime.setup()"
    assert found[4].tags == ("nbval-ignore-output", "x")
    assert all(LESSON.splitlines()[each.line - 2].startswith("# %%") for each in found)


def test_answers_and_stubs(tmp_path):
    path = write_lesson(tmp_path)
    assert source.answer_source("01.2", path).endswith("    room = size - kernel\n\n    return room + BASE - 1")
    assert source.stub_source("01.2", path) == 'def output_size(size, kernel):\n    """The size."""\n    ...'
    assert source.stub_source("01.3", path) == "first = ...\nsecond = ..."
    assert source.checked_expressions("01.2", path) == ["output_size"]
    assert source.checked_expressions("01.3", path) == ["first", "second"]
    assert source.checked_ids(path) == ["01.2", "01.3"]
    assert source.titles(path) == {"01.2": "Output size", "01.3": "Values"}
    with pytest.raises(source.MarkerError, match="no cell asks for"):
        source.answer_source("01.9", path)
    with pytest.raises(FileNotFoundError, match="no file 77_"):
        source.lesson_file("77.1", tmp_path)


STUBS = {
    "a function": ("def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION", "def f(x):\n    ..."),
    "code around it": (
        "def f(x):\n    y = 1\n    ### BEGIN SOLUTION\n    z = y\n    ### END SOLUTION\n    return z",
        "def f(x):\n    y = 1\n    ...\n    return z",
    ),
    "a method": (
        "class A:\n    def f(self):\n        ### BEGIN SOLUTION\n        return 1\n"
        "        ### END SOLUTION\n\n    b = 1",
        "class A:\n    def f(self):\n        ...\n\n    b = 1",
    ),
    "a class's attribute": (
        "class A:\n    ### BEGIN SOLUTION\n    size = 3\n    ### END SOLUTION",
        "class A:\n    size = ...",
    ),
    "assignments": (
        "### BEGIN SOLUTION\na = b = 1\nc: int = 2\n### END SOLUTION\nprint(a)",
        "a = ...\nb = ...\nc = ...\nprint(a)",
    ),
    "tuples": ("### BEGIN SOLUTION\na, (b, *c) = 1, (2, 3)\na = 2\n### END SOLUTION", "a = ...\nb = ...\nc = ..."),
    "attributes and keys": (
        "### BEGIN SOLUTION\nx.rate = 1\nd['a'] = 2\nd['b'][0] = 3\n### END SOLUTION",
        "x.rate = ...\nd['a'] = ...\nd['b'][0] = ...",
    ),
    "blocks": (
        "### BEGIN SOLUTION\nfor i in range(3):\n    a = i\nif a:\n    b = 1\nelse:\n    c = 1\n"
        "with x as y:\n    d = 1\n### END SOLUTION",
        "a = ...\nb = ...\nc = ...\nd = ...",
    ),
    "no name": ("### BEGIN SOLUTION\nprint(1)\n### END SOLUTION", "..."),
    "two answers": (
        "a = 1\n### BEGIN SOLUTION\nb = 1\n### END SOLUTION\nc = 1\n### BEGIN SOLUTION\nd = 1\n### END SOLUTION",
        "a = 1\nb = ...\nc = 1\nd = ...",
    ),
    "a block in a function": (
        "def f(x):\n    if x:\n        ### BEGIN SOLUTION\n        return 1\n        ### END SOLUTION\n    return 2",
        "def f(x):\n    if x:\n        ...\n    return 2",
    ),
    "a block in the module": (
        "if True:\n    ### BEGIN SOLUTION\n    a = 1\n    ### END SOLUTION",
        "if True:\n    a = ...",
    ),
    "a function inside an answer": (
        "def f(x):\n    ### BEGIN SOLUTION\n    def g(y):\n        return y\n\n    return g(x)\n    ### END SOLUTION",
        "def f(x):\n    ...",
    ),
    "comments behind the code": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    # why\n\n    ### END SOLUTION\n\n\ny = 1",
        "def f(x):\n    ...\n\n\ny = 1",
    ),
    "markers in a string": ('x = """\n### BEGIN SOLUTION\n"""', 'x = """\n### BEGIN SOLUTION\n"""'),
    "no markers": ("x = 1\n\n", "x = 1\n\n"),
    "a text over several lines": (
        'def f(x):\n    ### BEGIN SOLUTION\n    text = """a\nb"""\n    return text\n    ### END SOLUTION',
        "def f(x):\n    ...",
    ),
}


@pytest.mark.parametrize("name", list(STUBS))
def test_stubs(name):
    text, stub = STUBS[name]
    assert source.make_stub(text) == stub


@pytest.mark.parametrize("name", [name for name in STUBS if "marker" not in name])
def test_a_stub_keeps_nothing_of_the_answer_and_a_solution_everything(name):
    text, _ = STUBS[name]
    without = source.without_markers(text)
    assert [line for line in text.splitlines() if "SOLUTION" not in line] == without.splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("### BEGIN SOLUTION\na = 1", "without '### END SOLUTION'"),
        ("a = 1\n### END SOLUTION", "line 2: '### END SOLUTION' without"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\na = 1\n### END SOLUTION", "line 2: '### BEGIN SOLUTION' inside"),
        ("a = 1 ### BEGIN SOLUTION\n### END SOLUTION", "on a line of its own"),
        ("### BEGIN SOLUTION\n\n### END SOLUTION", "nothing stands between"),
        ("### BEGIN SOLUTION\n# hm\n### END SOLUTION", "nothing stands between"),
        ("### BEGIN SOLUTION\ndef f(x):\n    return x\n### END SOLUTION", "the answer defines 'f'"),
        ("### BEGIN SOLUTION\nclass A:\n    pass\n### END SOLUTION", "the answer defines 'A'"),
        ("a = (\n### BEGIN SOLUTION\n1\n### END SOLUTION\n)", "not whole statements"),
        ("if a:\n    b = 1\n### BEGIN SOLUTION\nelse:\n    c = 1\n### END SOLUTION", "not whole statements"),
        ("if a:\n    b = 1\n### BEGIN SOLUTION\n    c = 1\n### END SOLUTION", "differently from the answer"),
        ("def f(x):\n    ### BEGIN SOLUTION\n    return x\n### END SOLUTION", "indented differently"),
        ("def f(x)\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION", "not valid Python"),
        ("if x:\n    ### BEGIN SOLUTION\n    a = 1\n    ### END SOLUTION\n  b = 2", "not valid Python"),
        ("x = [1,\n### BEGIN SOLUTION\n2]\n### END SOLUTION", "not whole statements"),
    ],
)
def test_markers_that_make_no_stub(text, message):
    with pytest.raises(source.MarkerError, match=re.escape(message)):
        source.make_stub(text)


def test_the_stub_with_code_around_it_is_not_attempted(tmp_path, monkeypatch):
    path = tmp_path / "01_a_lesson.py"
    path.write_text(
        LESSON.replace("    ### BEGIN SOLUTION\n    room", "    extra = 1\n    ### BEGIN SOLUTION\n    room", 1)
    )
    monkeypatch.setattr(source, "lesson_file", lambda *args: path)
    stub = source.stub_source("01.2")
    assert "extra = 1\n    ..." in stub
    file = tmp_path / "learner.py"
    for text, outcome in ((stub, NOT_ATTEMPTED), (stub.replace("...", "return extra"), WRONG)):
        file.write_text(text)
        namespace = {}
        exec(compile(text, str(file), "exec"), namespace)
        import linecache

        linecache.checkcache()
        cases = lambda rng: [Case((5, 3))]  # noqa: E731
        assert sizes(cases=cases).check(namespace["output_size"]).outcome == outcome


def test_the_cells_that_an_answer_uses_are_found(tmp_path):
    earlier = [each for each in source.cells(write_lesson(tmp_path)) if each.kind == "code"][:4]
    answer = source.answer_source("01.2", tmp_path / "01_a_lesson.py")
    assert replay.needed_cells(answer, earlier, {"math", "np"}) == {2}
    assert replay.needed_cells("x = unused + BASE", earlier, {"math"}) == {2, 3}
    assert replay.needed_cells("def f(size):\n    BASE = 1\n    return len(size) + BASE", earlier, set()) == set()
    assert replay.needed_cells("def f():\n    return [BASE for BASE in range(3)]", earlier, set()) == set()
    assert replay.needed_cells("def f():\n    return lambda x: x + BASE", earlier, {"math"}) == {2}


def test_an_answer_runs_in_the_place_of_its_cell(tmp_path):
    lesson = replay.Lesson("01", write_lesson(tmp_path))
    (output_size,) = lesson.reference("01.2")
    assert output_size(5, 3) == 3
    (stub,) = lesson.stub("01.2")
    assert stub(5, 3) is None
    assert lesson.answers("01.3", "first = 1\nsecond = first + 1") == (1, 2)
    assert lesson.reference("01.3") == (3, [4])
    assert "unused" not in lesson.before("01.2")


# --- in a kernel -----------------------------------------------------------------------------------------------------

CELLS = [
    """
    from cnnlib.exercises import Case, FunctionExercise
    twice = FunctionExercise("01.9", "Twice", reference=lambda x: 2 * x, cases=lambda rng: [Case((3,))], time_limit=0.5)
    def show(result):
        print(result.outcome, "|", result.message)
    """,
    """
    def answer(x):
        y = x
        return y / 0
    """,
    "show(twice.check(answer))",
    "def leaving(x):\n    exit()",
    "show(twice.check(leaving))",
    "def asking(x):\n    return input('?')",
    "show(twice.check(asking))",
    "def endless(x):\n    while True:\n        display(x)",
    "show(twice.check(endless))",
    "twice.check(lambda x: x + x)",
    "class Box:\n    def inside(self):\n        return 1\ndef objects(x):\n    return Box()",
    "show(twice.check(objects))",
]


@pytest.fixture(scope="module")
def kernel_outputs(tmp_path_factory):
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(textwrap.dedent(text).strip()) for text in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    environment = {**os.environ, "CNNLIB_PROGRESS": "off"}
    NotebookClient(notebook, timeout=120).execute(env=environment)
    return [cell.outputs for cell in notebook.cells]


def kernel_text(kernel_outputs, number):
    return "".join(each.get("text", "") for each in kernel_outputs[number])


def test_in_a_kernel_the_line_of_the_cell_is_shown(kernel_outputs):
    said = kernel_text(kernel_outputs, 2)
    assert said.startswith("CRASHED | Something is divided by zero.")
    assert "in `answer`, line 3 of its cell: `return y / 0`" in said
    assert "ipykernel" not in said


def test_in_a_kernel_exit_does_not_exit(kernel_outputs):
    assert kernel_text(kernel_outputs, 4).startswith("CRASHED | The code asks Python to exit.")


def test_in_a_kernel_input_does_not_wait(kernel_outputs):
    assert "cannot answer `input()`" in kernel_text(kernel_outputs, 6)


def test_in_a_kernel_endless_displays_are_stopped_and_not_shown(kernel_outputs):
    assert kernel_text(kernel_outputs, 8).startswith("CRASHED | Your code was still running after 0.5 seconds")
    assert len(kernel_outputs[8]) == 1


def test_in_a_kernel_the_result_is_text_and_a_card(kernel_outputs):
    (output,) = kernel_outputs[9]
    assert set(output["data"]) == {"text/plain", "text/html"}
    assert output["data"]["text/plain"].startswith("✔ Right · Exercise 01.9 · Twice")


def test_in_a_kernel_objects_are_described(kernel_outputs):
    assert "a Box object" in kernel_text(kernel_outputs, 11)
