"""The tests that the exercises of every lesson must pass.

How to use it: a lesson's test file, ``tests/checks/test_lesson_01.py``, is two tables and one line::

    from exercise_harness import cell, standard_tests

    WRONG = {  # exercise -> at least three plausible wrong answers, each with a part of the message written for it
        "01.2": [
            (cell('''
                def output_size(size, kernel, stride=1, padding=0, dilation=1):
                    return (size - kernel) // stride + 1
             '''), "border on each side"),
            (lambda size, kernel, stride=1, padding=0, dilation=1: size // stride, "beside the first window"),
            ...
        ],
        "01.3": [(9_633_792, "one bias"), (1792.5, "whole number"), ("many", "should be a number")],
    }
    EQUIVALENT = {  # exercise -> at least one right answer written in another style
        "01.2": [cell('''
                def output_size(size, kernel, stride=1, padding=0, dilation=1):
                    ...
             ''')],
        "01.3": [9_633_856.0],
    }

    globals().update(standard_tests("01", WRONG, EQUIVALENT))

An answer is what the lesson's check is given: a function, a value, a model. ``cell("...")`` is one as a learner writes
it: source text in the place of the exercise's cell. It sees what the lesson has imported, and whatever earlier cells
define that it uses. If the check is given several things, ``.check(a, b)``, use ``cell`` or ``several(a, b)``.

What is tested for each exercise of ``cnnlib/checks/lesson_01.py``:

- the lesson announces and checks it, under the same title and in the same order;
- the reference answer between the markers in ``solutions/`` is right, for several draws of cases;
- the stub that is left of it is "not attempted";
- each answer in ``WRONG`` is rejected, for several draws, with the fragment in the result's message;
- each answer in ``EQUIVALENT`` is right, for several draws;
- each misconception given as a function or a value is itself rejected with its own message, and no message of a
  misconception is unmet by these tests;
- there are two hints or more, and none holds a line of the answer;
- answers that hang, sleep, exit, print without end, change their arguments, or are objects that fail when touched do
  no harm: the check ends in time, nothing is printed, and the reference answer is right afterwards.

A fragment is looked for in the message with and without its backticks. Every test runs with ``CNNLIB_PROGRESS=off``.
One test asks with the first draw, a second one with all further draws and says which of them failed. The further draws
and the attacks are marked slow: `make test` runs them, `make check` does not.
"""

import functools
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from cnnlib import runtime
from cnnlib.exercises import (
    CheckExercise,
    Exercise,
    FunctionExercise,
    Misconception,
    Outcome,
    Result,
    ValueExercise,
    exercises_of,
    limits,
    source,
)
from cnnlib.exercises.replay import lesson

SEEDS = (0, 1, 2)
TIME_LIMIT = 0.15  # seconds for an answer that is known to hang


class cell:
    """An answer as source text, in the place of the exercise's cell."""

    def __init__(self, text: str):
        self.text = textwrap.dedent(text).strip("\n")

    def __repr__(self) -> str:
        return f"cell({self.text!r})"


class several(tuple):
    """Several things that the check is given at once."""

    def __new__(cls, *answers: Any) -> "several":
        return super().__new__(cls, answers)


# --- asking the check ------------------------------------------------------------------------------------------------


def check(exercise: Exercise, answer: Any, seed: int = 0) -> Result:
    """Check an answer, a ``cell`` or ``several`` or a value, with the cases of that seed."""
    if isinstance(answer, cell):
        answer = several(*lesson(exercise.id.split(".")[0]).answers(exercise.id, answer.text))
    answers = answer if isinstance(answer, several) else (answer,)
    before = {name: os.environ.get(name) for name in ("CNNLIB_CHECK_SEED", "CNNLIB_PROGRESS")}
    os.environ.update(CNNLIB_CHECK_SEED=str(seed), CNNLIB_PROGRESS="off")
    try:
        return exercise.check(*answers)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def reference(exercise: Exercise) -> "several":
    """The reference answer of an exercise, as its check is given it."""
    return several(*lesson(exercise.id.split(".")[0]).reference(exercise.id))


def says(result: Result, fragment: str) -> bool:
    """Whether a fragment stands in a result's message, with or without backticks."""
    return fragment in result.message or fragment.replace("`", "") in result.message.replace("`", "")


# --- the tests -------------------------------------------------------------------------------------------------------


def draws(seeds: Iterable[int]) -> list[Any]:
    """The seeds as values of a test, the first alone and the others together: `make check` asks with the first."""
    first, *others = seeds
    values = [pytest.param((first,), id="first")]
    return values + ([pytest.param(tuple(others), id="further", marks=pytest.mark.slow)] if others else [])


def no_faults(faults: Iterable[str]) -> None:
    """Fail with what was said of the draws that failed; nothing is said of the others."""
    said = [fault for fault in faults if fault]
    assert not said, f"{len(said)} draws failed\n" + "\n".join(said)


def _fault(result: Result, seed: int, wanted: tuple[Outcome, ...], fragment: str = "") -> str:
    """What is wrong with what a check says to an answer with that draw; empty if nothing is."""
    if result.outcome not in wanted:
        return f"seed {seed}: {' or '.join(wanted)} was expected\n{result}"
    return "" if says(result, fragment) else f"seed {seed}: {fragment!r} is not in\n{result}"


REJECTED, ACCEPTED = (Outcome.WRONG, Outcome.CRASHED), (Outcome.RIGHT,)


def standard_tests(
    number: str,
    wrong: dict[str, list[tuple[Any, str]]],
    equivalent: dict[str, list[Any]],
    seeds: tuple[int, ...] = SEEDS,
    only: tuple[str, ...] = (),
    trains: tuple[str, ...] = (),
) -> dict[str, Callable[..., None]]:
    """The tests of one lesson's exercises, by name; see the text of this module.

    Args:
        number: of the lesson, ``"01"``.
        wrong: for each exercise at least three pairs of a wrong answer and a part of the message it must get.
        equivalent: for each exercise at least one right answer in another style.
        seeds: the draws of cases that each answer is checked with.
        only: where the tests of a lesson lie in several files, the exercises of this one.
        trains: exercises whose check trains networks, seconds each: it is asked with two draws, of the reference three.
    """
    if "keras" not in sys.modules:
        runtime.setup()
    exercises = {id: each for id, each in exercises_of(number).items() if not only or id in only}
    ids = list(exercises)
    wrong_answers = [(id, n) for id in ids for n in range(len(wrong.get(id, [])))]
    right_answers = [(id, n) for id in ids for n in range(len(equivalent.get(id, [])))]
    models = [(id, n) for id, each in exercises.items() for n in _models(each)]

    def some(id: str, seeds: tuple[int, ...], most: int = 2) -> tuple[int, ...]:
        """Of the draws those that are asked for."""
        return tuple(seed for seed in seeds if id not in trains or seed < most)

    @functools.cache
    def asked(id: str, n: int, seed: int) -> Result:
        """What the check says to a wrong answer; two tests look at it, and some answers train a network."""
        return check(exercises[id], wrong[id][n][0], seed)

    def test_the_lesson_announces_and_checks_its_exercises() -> None:
        path = lesson(number).path
        announced = {id: title for id, title in source.titles(path).items() if not only or id in only}
        assert announced == {id: each.title for id, each in exercises.items()}
        assert list(announced) == ids, "announced in another order"
        assert [id for id in source.checked_ids(path) if id in announced] == ids, "checked in another order"
        assert set(wrong) == set(ids), "WRONG is not about these exercises"
        assert set(equivalent) == set(ids), "EQUIVALENT is not about these exercises"

    @pytest.mark.parametrize("seeds", draws(range(5)))
    @pytest.mark.parametrize("id", ids)
    def test_the_reference_answer_is_right(id: str, seeds: tuple[int, ...]) -> None:
        def fault(seed: int) -> str:
            result = check(exercises[id], reference(exercises[id]), seed)
            changed = f"seed {seed}: it changes its arguments\n{result}" if "in place" in result.message else ""
            return _fault(result, seed, ACCEPTED) or changed

        no_faults(map(fault, some(id, seeds, most=3)))

    @pytest.mark.parametrize("id", ids)
    def test_the_stub_is_not_attempted(id: str) -> None:
        result = check(exercises[id], several(*lesson(number).stub(id)))
        assert result.outcome == Outcome.NOT_ATTEMPTED, result

    @pytest.mark.parametrize("id", ids)
    def test_there_are_enough_answers_to_test_with(id: str) -> None:
        assert len(wrong.get(id, [])) >= 3, "three plausible wrong answers are asked for"
        assert len(equivalent.get(id, [])) >= 1, "a right answer in another style is asked for"
        assert all(fragment.strip() for _, fragment in wrong[id])

    @pytest.mark.parametrize("seeds", draws(seeds))
    @pytest.mark.parametrize(("id", "n"), wrong_answers)
    def test_a_wrong_answer_is_rejected_with_its_message(id: str, n: int, seeds: tuple[int, ...]) -> None:
        _, fragment = wrong[id][n]
        no_faults(_fault(asked(id, n, seed), seed, REJECTED, fragment) for seed in some(id, seeds))

    @pytest.mark.parametrize("seeds", draws(seeds))
    @pytest.mark.parametrize(("id", "n"), right_answers)
    def test_an_equivalent_answer_is_accepted(id: str, n: int, seeds: tuple[int, ...]) -> None:
        no_faults(_fault(check(exercises[id], equivalent[id][n], seed), seed, ACCEPTED) for seed in some(id, seeds))

    @pytest.mark.parametrize("seeds", draws(seeds))
    @pytest.mark.parametrize(("id", "n"), models)
    def test_a_misconception_is_rejected_with_its_own_message(id: str, n: int, seeds: tuple[int, ...]) -> None:
        wrong_idea, message = exercises[id].misconceptions[n].wrong, exercises[id].misconceptions[n].message
        no_faults(_fault(check(exercises[id], wrong_idea, seed), seed, REJECTED, message) for seed in some(id, seeds))

    @pytest.mark.parametrize("id", ids)
    def test_every_misconception_is_met(id: str) -> None:
        met = {n for i, n in models if i == id}
        for number in range(len(wrong.get(id, []))):
            result = asked(id, number, 0)
            met |= {n for n, each in enumerate(_misconceptions(exercises[id])) if says(result, each.message)}
        unmet = [each.message for n, each in enumerate(_misconceptions(exercises[id])) if n not in met]
        assert not unmet, "no wrong answer of the tests gets these messages"

    @pytest.mark.parametrize("id", ids)
    def test_hints_are_graded_and_do_not_hold_the_answer(id: str) -> None:
        hints = exercises[id].hints
        assert len(hints) >= 2, "at least two hints are asked for"
        stub = source.stub_source(id, lesson(number).path)
        answer = source.answer_source(id, lesson(number).path)
        lines = {line.strip() for line in answer.splitlines()} - {line.strip() for line in stub.splitlines()}
        for hint in hints:
            held = [line for line in lines if len(line) > 24 and line in hint]
            assert not held, f"a hint holds a line of the answer: {held[0]}"

    @pytest.mark.slow
    @pytest.mark.parametrize("id", ids)
    def test_a_hostile_answer_does_no_harm(id: str, monkeypatch, capsys) -> None:
        right = reference(exercises[id])  # once: some cells of answers take seconds
        for attack in ATTACKS:
            harmless(exercises[id], attack, monkeypatch, capsys, right)
        again = check(exercises[id], reference(exercises[id]))
        assert again.outcome == Outcome.RIGHT, f"after attacks\n{again}"

    tests = dict(locals())
    return {name: value for name, value in tests.items() if name.startswith("test_")}


def _misconceptions(exercise: Exercise) -> tuple[Misconception, ...]:
    return getattr(exercise, "misconceptions", ())


def _models(exercise: Exercise) -> Iterator[int]:
    """The misconceptions that can be handed in as an answer."""
    for number, each in enumerate(_misconceptions(exercise)):
        if isinstance(exercise, FunctionExercise) and not each.predicate:
            yield number
        if isinstance(exercise, ValueExercise) and not callable(each.wrong):
            yield number


# --- hostile answers -------------------------------------------------------------------------------------------------


def _hang() -> None:
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def _sleep() -> None:
    time.sleep(1e9)


def _exit() -> None:
    try:
        sys.exit(3)
    finally:
        os._exit(3)


def _print() -> None:
    while True:
        print("x" * 10_000)
        print("y" * 10_000, file=sys.stderr)


def _interrupt() -> None:
    raise KeyboardInterrupt


ATTACKS: dict[str, Callable[[], None]] = {
    "hangs": _hang,
    "sleeps": _sleep,
    "exits": _exit,
    "prints": _print,
    "interrupts": _interrupt,
    "changes its arguments": lambda: None,
}


class _Touchy:
    """An object that attacks whoever looks at it."""

    def __init__(self, attack: Callable[[], None]):
        object.__setattr__(self, "attack", attack)

    def __getattr__(self, name: str) -> Any:
        object.__getattribute__(self, "attack")()
        raise AttributeError(name)

    def _touched(self, *args: Any, **kwargs: Any) -> Any:
        object.__getattribute__(self, "attack")()
        raise TypeError("not to be touched")

    __eq__ = __len__ = __iter__ = __getitem__ = __array__ = __float__ = __repr__ = __str__ = __bool__ = _touched
    __hash__ = None


def harmless(
    exercise: Exercise, attack: str, monkeypatch: Any, capsys: Any, right: tuple[Any, ...] | None = None
) -> None:
    """Check an answer that attacks; `right` is what the lesson's own answer hands over, if it is known."""
    right = reference(exercise) if right is None else right
    act = ATTACKS[attack]
    answers = []
    for each in right:
        hostile = _hostile_function(act, each) if callable(each) and not hasattr(each, "layers") else _Touchy(act)
        answers.append(hostile)
    if attack == "changes its arguments" and not any(callable(each) for each in answers):
        return
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    capsys.readouterr()
    started = time.process_time(), time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(exercise, "time_limit", TIME_LIMIT)
        patch.setattr(limits, "SLOWER", 1)
        patch.setattr(limits, "WAITING", 2)
        result = check(exercise, several(*answers))
    worked, waited = time.process_time() - started[0], time.monotonic() - started[1]
    printed = capsys.readouterr()
    if attack != "changes its arguments":
        assert result.outcome in REJECTED, f"{attack}: {result}"
    assert len(repr(result)) < 6000, attack
    assert len(result._repr_html_()) < 12_000, attack
    # By the clock a busy machine takes several times as long.
    assert worked < 10, f"{attack}: the check did not end in time"
    assert waited < 60, f"{attack}: the check did not end in time"
    assert not printed.out, f"{attack}: what the answer printed came through"
    assert not printed.err, f"{attack}: what the answer printed came through"
    assert np.array_equal(state, np.random.get_state()[1]), f"{attack}: the random state has changed"  # noqa: NPY002


def _hostile_function(act: Callable[[], None], right: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same signature that attacks, or that spoils all its arguments before it answers."""

    @functools.wraps(right)
    def hostile(*args: Any, **kwargs: Any) -> Any:
        act()
        result = right(*args, **kwargs) if act is ATTACKS["changes its arguments"] else None
        for value in (*args, *kwargs.values()):
            _spoil(value)
        return result

    return hostile


def _spoil(value: Any) -> None:
    if isinstance(value, np.ndarray):
        value[...] = 0
    elif isinstance(value, (list, dict, set)):
        value.clear()


__all__ = ["CheckExercise", "cell", "check", "harmless", "lesson", "reference", "says", "several", "standard_tests"]
