"""Arguments, odd results and hostile objects."""

import time

import numpy as np
import pytest
from engine_case import (
    CRASHED,
    RIGHT,
    WRONG,
    Failing,
    Liar,
    answer_of,
    doubled,
    sizes,
)

from cnnlib.exercises import (
    Case,
    CheckExercise,
    ValueExercise,
    as_array,
)


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
