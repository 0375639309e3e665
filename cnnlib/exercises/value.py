"""An exercise whose answer is a value to find."""

import numbers
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import errors
from .base import Exercise, Misconception, Wrong, holds
from .compare import Opaque, describe, difference, plain
from .outcome import Outcome, Result, code
from .sandbox import Sandbox


@dataclass(eq=False, repr=False)
class ValueExercise(Exercise):
    """A value to find: a number, a text, an option, a list or a dictionary of them.

    Upper and lower case, and spaces around a text, make no difference.

    Args:
        expected: the right value, or a function without arguments that computes it.
        misconceptions: wrong values that learners give, or functions that recognise one, each with what to say to it.
        rtol, atol: tolerance for numbers that are not whole; generous, since learners round.
        compare: ``compare(came, expected)`` instead: True, False, or raise :class:`Wrong`.
    """

    expected: Any = field(kw_only=True)
    misconceptions: tuple[Misconception, ...] = field(default=(), kw_only=True)
    rtol: float = field(default=5e-3, kw_only=True)
    atol: float = field(default=1e-9, kw_only=True)
    compare: Callable[[Any, Any], bool] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.misconceptions = tuple(self.misconceptions)

    def _check(self, answer: Any, rng: np.random.Generator) -> Result:
        written = plain(self.expected() if callable(self.expected) else self.expected)
        expected = _folded(written)
        with Sandbox(self.time_limit) as sandbox:
            attempt = sandbox.run(lambda: plain(answer))
            if attempt.failed:
                return self._crashed(attempt, sandbox)
            came = attempt.value
            judged = sandbox.run(lambda: self._judge(came, expected), at_least=1.0, own_work=True)
        if isinstance(judged.error, Wrong):
            return self._result(Outcome.WRONG, judged.error.message, judged.error.rows(), notes=errors.notes(sandbox))
        if judged.failed:
            return self._crashed(judged, sandbox)
        if judged.value:
            return self._result(Outcome.RIGHT, notes=errors.notes(sandbox))
        rows = [("Came", came.what if isinstance(came, Opaque) else code(describe(came)))]
        likely = self._likely(came) or _kind_mismatch(came, expected)
        rows += [("Likely", likely)] if likely else []
        return self._result(
            Outcome.WRONG, _right_entries(came, written, self._equal), rows, notes=errors.notes(sandbox)
        )

    def _judge(self, came: Any, expected: Any) -> bool:
        if self.compare is not None:
            return bool(self.compare(came, expected))
        return self._equal(came, expected)

    def _equal(self, came: Any, expected: Any) -> bool:
        return difference(_folded(came), expected, self.rtol, self.atol) is None

    def _likely(self, came: Any) -> str:
        if isinstance(came, Opaque):
            return ""
        for misconception in self.misconceptions:
            if callable(misconception.wrong):
                found = holds(misconception.wrong, came)
            else:
                found = self._equal(came, _folded(plain(misconception.wrong)))
            if found:
                return misconception.message
        return ""


def _folded(value: Any) -> Any:
    """Plain data with its texts in lower case, without spaces around them."""
    if isinstance(value, str):
        return value.strip().casefold()
    if isinstance(value, list):
        return [_folded(item) for item in value]
    if isinstance(value, dict):
        return {_folded(key): _folded(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return frozenset(_folded(item) for item in value)
    return value


def says(key: str, *options: str) -> Callable[[Any], bool]:
    """For a misconception of a :class:`ValueExercise` whose answer is a dictionary of words: tells a wrong word.

    Args:
        key: the entry that is looked at.
        options: the words that come of the wrong idea. As in the comparison, upper and lower case make no difference.
    """
    words = {_folded(option) for option in options}
    return lambda came: _folded(came)[_folded(key)] in words


def misspells(*options: str) -> Callable[[Any], bool]:
    """As :func:`says`: tells an answer with a word that is none of the options, in whichever entry it stands."""
    words = {_folded(option) for option in options}
    return lambda came: any(value not in words for value in _folded(came).values())


def _kind(value: Any) -> str:
    if isinstance(value, bool) or isinstance(value, np.ndarray) and value.shape == () and value.dtype == bool:
        return "a truth value, `True` or `False`"
    if isinstance(value, numbers.Number) or isinstance(value, np.ndarray) and value.shape == ():
        return "a number"
    if isinstance(value, str):
        return "a text, in quotes"
    if isinstance(value, dict):
        return f"a dictionary with {len(value)} entries"
    if isinstance(value, frozenset):
        return "a set"
    if isinstance(value, (list, np.ndarray)):
        return f"a list or an array of {len(value)} values"
    return ""


def _kind_mismatch(came: Any, expected: Any) -> str:
    wanted = _kind(expected)
    return f"The answer should be {wanted}." if wanted and _kind(came) != wanted else ""


def _right_entries(came: Any, expected: Any, equal: Callable[[Any, Any], bool]) -> str:
    """For an answer of several entries, how many are right and which is not; keys are shown as they were written."""
    if isinstance(came, dict) and isinstance(expected, dict):
        given, wanted = ({_folded(key): (key, value) for key, value in entries.items()} for entries in (came, expected))
        if set(given) != set(wanted):
            odd = [key for key in given if key not in wanted] or [key for key in wanted if key not in given]
            key, _ = given.get(odd[0]) or wanted[odd[0]]
            return f"The keys are not those of the exercise: see {code(repr(key))}."
        names = [given[key][0] for key in wanted if not equal(given[key][1], _folded(wanted[key][1]))]
        return f"{len(wanted) - len(names)} of {len(wanted)} entries are right; look at {code(repr(names[0]))}."
    flat = isinstance(came, (list, np.ndarray)) and isinstance(expected, list) and np.ndim(came) > 0
    if flat and len(came) == len(expected):
        wrong = [number for number in range(len(expected)) if not equal(came[number], _folded(expected[number]))]
        right = len(expected) - len(wrong)
        return f"{right} of {len(expected)} entries are right; look at entry {wrong[0]}, counted from 0."
    return ""
