"""Errors in plain words, with the learner's line."""

import numpy as np
import pytest
from engine_case import (
    CRASHED,
    WRONG,
    doubled,
    output_size,
    sizes,
)


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
    for engine in ("sandbox", "function.py", "stopping.py", "Traceback", "guarded"):
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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("return np.zeros((2, 3)).sum(axis=2)", "no such axis"),
        ("return np.zeros(3)[0, 0]", "fewer axes than there are indices"),
        ("return np.zeros(3)[1.5]", "An index is a whole number"),
        ("return np.zeros(3)[np.ones(4, bool)]", "A mask picks from an array of its own shape"),
        ("return [].pop()", "The list is empty already"),
        ("from math import no_such_name", "The module has nothing of that name"),
        ("import dataclasses\n    return setattr(dataclasses.make_dataclass('A', 'x', frozen=True)(1), 'x', 2)",
         "cannot be changed"),
    ],
)  # fmt: skip
def test_an_error_is_explained_as_what_it_is(code, words):
    namespace = {"np": np}
    exec(f"def answer(size, kernel, stride=1, padding=0):\n    {code}", namespace)
    result = sizes().check(namespace["answer"])
    assert result.outcome == CRASHED
    assert words in result.says
    assert "outside the list" not in result.says


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("if kernel == 9:\n        return {}[0]", "Nothing in your function refuses this input: it goes on until a "
         "line fails by itself, with `KeyError`. The dictionary has no such key."),
        ("if kernel == 9:\n        return [1][kernel]", "with `IndexError`. An index lies outside"),
        ("if kernel == 9:\n        raise KeyError", "another kind of error than the one asked for: raise `ValueError`"),
        ("assert kernel < 9", "`assert` is for what cannot happen"),
    ],
)  # fmt: skip
def test_another_error_than_the_one_asked_for_is_explained(body, words, tmp_path):
    file = tmp_path / "learner.py"
    text = (
        f"def answer(size, kernel, stride=1, padding=0):\n    {body}\n    return right(size, kernel, stride, padding)"
    )
    file.write_text(text)
    namespace = {"right": output_size}
    exec(compile(text, str(file), "exec"), namespace)
    result = sizes().check(namespace["answer"])
    assert result.outcome == WRONG
    assert result.row("Expected") == "it raises `ValueError`"
    assert words in result.row("Likely")
