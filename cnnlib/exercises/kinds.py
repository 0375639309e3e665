"""The three kinds of exercises: a function to write, a value to find, and anything else that a check can examine.

A lesson's exercises stand in ``lesson_NN.py`` beside this file, as a list ``EXERCISES``::

    EXERCISES = [
        FunctionExercise(
            "01.2",
            "Output size",
            reference=arithmetic.output_size,
            cases=output_size_cases,  # rng -> Case, Case, ...
            misconceptions=(
                Misconception(without_padding, "Padding adds `2 * padding` pixels, a border on each side."),
            ),
            hints=("How many steps fit into what is left beside the first window?", "..."),
        ),
    ]

Never does a result show the answer: it shows what the answer gives for the one case that was tried.
"""

import ast
import dis
import inspect
import os
import re
import secrets
import textwrap
import time
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnnlib.exercises import journal, source
from cnnlib.exercises.compare import Opaque, describe, difference, plain
from cnnlib.exercises.outcome import Answer, Hint, Outcome, Result, code
from cnnlib.exercises.sandbox import Attempt, Line, Sandbox, copied

_SLOWER = 20  # a learner's function may take this many times what the reference takes


class Wrong(Exception):
    """Raised by the check of a :class:`CheckExercise`: the answer is wrong.

    Args:
        message: what is wrong, in a sentence.
        tried, came, expected: a value, or a text that describes it.
        likely: the likely misconception.
    """

    def __init__(
        self, message: str = "", *, tried: Any = None, came: Any = None, expected: Any = None, likely: str = ""
    ):
        super().__init__(message)
        self.message = message
        self.tried, self.came, self.expected, self.likely = tried, came, expected, likely

    def rows(self) -> tuple[tuple[str, str], ...]:
        """What a result shows of it."""
        shown = [("Tried", self.tried), ("Came", self.came), ("Expected", self.expected)]
        rows = [(name, value if isinstance(value, str) else code(describe(value))) for name, value in shown]
        rows = [row for row, (_, value) in zip(rows, shown, strict=True) if value is not None]
        return (*rows, ("Likely", self.likely)) if self.likely else tuple(rows)


@dataclass(frozen=True)
class Case:
    """One call of the learner's function.

    Args:
        args, kwargs: its arguments.
        raises: the exception that it must raise, or several of which one will do; None if it must return.
        about: what is special about the case, as it follows "Tried": ``"a stride of 2"``.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    raises: type[BaseException] | tuple[type[BaseException], ...] | None = None
    about: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.args, tuple):
            raise TypeError(f"the args of a case are a tuple; {type(self.args).__name__} was given: write args=(x,)")


@dataclass(frozen=True)
class Misconception:
    """A wrong idea and what to say to it.

    Args:
        wrong: in a :class:`FunctionExercise` a function that is wrong in this way, called as the learner's; in a
            :class:`ValueExercise` the wrong value, or a function of the learner's value that tells it.
        message: what the learner may have overlooked; not the answer.
        predicate: in a :class:`FunctionExercise`, ``wrong(came, expected, case)`` tells whether one wrong result comes
            of this idea; it must do so for all wrong results.
    """

    wrong: Any
    message: str
    predicate: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.message, str) or not self.message.strip():
            raise ValueError("a misconception needs a message to the learner")


@dataclass(eq=False, repr=False)
class Exercise:
    """What the three kinds share: hints, the reference answer, the record of progress.

    Args:
        id: lesson and number, ``"01.2"``.
        title: as in the lesson's heading.
        hints: from a nudge to nearly the answer.
        time_limit: seconds that the learner's code may take in one check.
        remark: shown when the answer is right: what follows from it.
    """

    id: str
    title: str
    hints: tuple[str, ...] = field(default=(), kw_only=True)
    time_limit: float = field(default=5.0, kw_only=True)
    remark: str = field(default="", kw_only=True)
    _shown: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d\d\.\d+", self.id):
            raise ValueError(f"an exercise's id is like '01.2'; {self.id!r} was given")
        if isinstance(self.hints, str) or not all(isinstance(hint, str) for hint in self.hints):
            raise TypeError(f"exercise {self.id}: hints is a tuple of texts")
        self.hints = tuple(self.hints)

    def __repr__(self) -> str:
        return f"Exercise {self.id} · {self.title}: .check(your answer), .hint(), .answer()"

    def check(self, *answers: Any) -> Result:
        """Check an answer. Draws new cases each time; ``CNNLIB_CHECK_SEED`` fixes them."""
        if not answers:
            raise TypeError(f'exercise("{self.id}").check(…) needs your answer between its parentheses')
        answer = answers[0] if len(answers) == 1 else tuple(answers)
        missing = _not_attempted(answer, self.id)
        if missing:
            return self._result(Outcome.NOT_ATTEMPTED, missing)
        result = self._check(answer, _generator())
        journal.note_attempt(self.id, result.outcome == Outcome.RIGHT)
        return result

    def hint(self) -> Hint:
        """The next hint; after the last one, the last again."""
        if not self.hints:
            return Hint(self.id, self.title, 0, 0, "This exercise has no hints.", self._after_hints())
        self._shown = min(self._shown + 1, len(self.hints))
        journal.note_hint(self.id, self._shown)
        left = len(self.hints) - self._shown
        then = f"{left} more: run this cell again." if left else f"This was the last hint. {self._after_hints()}"
        return Hint(self.id, self.title, self._shown, len(self.hints), self.hints[self._shown - 1], then)

    def answer(self) -> Answer:
        """The reference answer, from ``solutions/``."""
        shown = Answer(self.id, self.title, source.answer_source(self.id))
        journal.note_answer(self.id)
        return shown

    def _after_hints(self) -> str:
        return f'`exercise("{self.id}").answer()` shows the reference answer.'

    def _check(self, answer: Any, rng: np.random.Generator) -> Result:
        raise NotImplementedError

    def _result(self, outcome: Outcome, says: str = "", rows: Iterable[tuple[str, str]] = (), **more: Any) -> Result:
        notes = list(more.pop("notes", ()))
        if outcome == Outcome.RIGHT and self.remark:
            notes.append(self.remark)
        elif outcome in (Outcome.WRONG, Outcome.CRASHED):
            more_hints = self._shown < len(self.hints)
            notes.append(f'`exercise("{self.id}").hint()` gives a hint.' if more_hints else self._after_hints())
        return Result(self.id, self.title, outcome, says, tuple(rows), tuple(notes), **more)

    def _crashed(
        self, attempt: Attempt, sandbox: Sandbox, rows: Iterable[tuple[str, str]] = (), likely: str = "", **more: Any
    ) -> Result:
        says, explained = _explain(attempt, sandbox)
        rows = [*rows, *explained, *([("Likely", likely)] if likely else []), *_printed(sandbox)]
        return self._result(Outcome.CRASHED, says, rows, notes=_notes(sandbox), **more)


# --- a function ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reaction:
    """What a function did in one case: plain data, or the error that it raised."""

    value: Any = None
    error: BaseException | None = None


@dataclass(eq=False, repr=False)
class FunctionExercise(Exercise):
    """A function to write.

    Args:
        reference: a right answer.
        cases: ``rng -> Case, Case, ...``; the first ones should be the simplest, since the first that fails is shown.
        misconceptions: wrong answers that learners give, as functions, each with what to say to it.
        rtol, atol: tolerance for numbers that are not whole.
        compare: ``compare(came, expected)`` instead of a comparison within the tolerance: True, False, or raise
            :class:`Wrong`. Both are plain data: tensors are arrays, tuples are lists.
    """

    reference: Callable[..., Any] = field(kw_only=True)
    cases: Callable[[np.random.Generator], Iterable[Case]] = field(kw_only=True)
    misconceptions: tuple[Misconception, ...] = field(default=(), kw_only=True)
    rtol: float = field(default=1e-5, kw_only=True)
    atol: float = field(default=1e-6, kw_only=True)
    compare: Callable[[Any, Any], bool] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.misconceptions = tuple(self.misconceptions)

    def _check(self, answer: Any, rng: np.random.Generator) -> Result:
        if not callable(answer):
            return self._not_a_function(answer)
        cases = list(self.cases(rng))
        started = time.monotonic()
        expected = [self._expected(case) for case in cases]
        limit = max(self.time_limit, _SLOWER * (time.monotonic() - started))
        with Sandbox(limit) as sandbox:
            unfit = sandbox.run(lambda: self._unfit(answer, cases)).value
            attempts, changed = self._try(answer, cases, sandbox) if not unfit else ([], [])
            faults = [self._fault(*each, sandbox) for each in zip(attempts, expected, cases)]
        if unfit:
            return self._result(Outcome.WRONG, unfit)
        first = next((number for number, fault in enumerate(faults) if fault), None)
        notes = [*_changed_notes(changed), *_notes(sandbox)]
        if first is None:
            return self._result(Outcome.RIGHT, f"It is right in all {len(cases)} cases that were tried.", notes=notes)
        case, attempt = cases[first], attempts[first]
        rows = [("Tried", code(self._call(answer, case)) + (f" ({case.about})" if case.about else ""))]
        call = {"args": copied(case.args), "kwargs": copied(dict(case.kwargs))}
        likely = self._likely(cases, attempts, expected, faults, first, sandbox)
        if attempt.failed and (case.raises is None or attempt.stopped):
            return self._crashed(attempt, sandbox, rows, likely, **call)
        rows += faults[first] + ([("Likely", likely)] if likely else []) + _printed(sandbox)
        return self._result(Outcome.WRONG, "", rows, notes=notes, **call)

    def _not_a_function(self, answer: Any) -> Result:
        with Sandbox(self.time_limit) as sandbox:
            what = sandbox.run(lambda: describe(answer)).value
        return self._result(
            Outcome.WRONG,
            f"The check needs the function itself, and was given {what or 'something else'}.",
            [("Likely", "The function was called. Hand over its name, without parentheses behind it.")],
        )

    def _expected(self, case: Case) -> _Reaction:
        """What the reference does; an error of the exercise itself if that is not what the case says."""
        reaction = _react(self.reference, case)
        if case.raises is None and reaction.error is not None:
            raise RuntimeError(
                f"exercise {self.id} is broken: its reference raises {reaction.error!r} for {case}"
            ) from reaction.error
        if case.raises is not None and not isinstance(reaction.error, case.raises):
            raise RuntimeError(f"exercise {self.id} is broken: its reference does not raise {case.raises} for {case}")
        return reaction

    def _unfit(self, answer: Callable[..., Any], cases: list[Case]) -> str:
        """Why the function cannot even be called as it will be; empty if it can."""
        try:
            signature = inspect.signature(answer)
        except (TypeError, ValueError):
            return ""
        for case in cases:
            try:
                signature.bind(*case.args, **case.kwargs)
            except TypeError as error:
                return (
                    f"Your function takes {code(str(signature))}, and is called as {code(self._call(answer, case))}: "
                    f"{error}. Keep the def line as the exercise gives it."
                )
        return ""

    def _try(self, answer: Callable[..., Any], cases: list[Case], sandbox: Sandbox) -> tuple[list[Attempt], list[str]]:
        """Call the learner's function in every case, on copies; also which of its arguments it changes."""
        attempts: list[Attempt] = []
        changed: list[str] = []
        names = _parameter_names(self.reference, max((len(case.args) for case in cases), default=0))
        for case in cases:
            args, kwargs = copied(case.args), copied(dict(case.kwargs))
            attempts.append(sandbox.call(answer, *args, **kwargs))
            given = [*zip(names, args, case.args), *((name, kwargs[name], case.kwargs[name]) for name in case.kwargs)]
            given = [each for each in given if isinstance(each[2], (np.ndarray, list, tuple, dict, set))]
            for name, after, before in given:
                if name not in changed and sandbox.run(lambda: _was_changed(after, before), at_least=1.0).value:  # noqa: B023
                    changed.append(name)
            if attempts[-1].stopped:
                break
        return attempts, changed

    def _fault(self, attempt: Attempt, expected: _Reaction, case: Case, sandbox: Sandbox) -> list[tuple[str, str]]:
        """The rows that say what is wrong in one case; empty if nothing is."""
        if case.raises is not None:
            if isinstance(attempt.error, case.raises) and not attempt.stopped:
                return []
            came = f"it returned {code(describe(attempt.value))}"
            if attempt.failed:
                came = f"it raised {code(_error_text(attempt))}{_at(attempt.line)}"
            return [("Came", came), ("Expected", f"it raises {_names(case.raises)}")]
        if attempt.failed:
            return [("Error", _error_text(attempt))]
        if self.compare is not None:
            return self._compared(attempt, expected, sandbox)
        said = difference(attempt.value, expected.value, self.rtol, self.atol)
        return _difference_rows(attempt.value, expected.value, said) if said else []

    def _compared(self, attempt: Attempt, expected: _Reaction, sandbox: Sandbox) -> list[tuple[str, str]]:
        judged = sandbox.run(lambda: self.compare(attempt.value, expected.value), at_least=1.0)
        if isinstance(judged.error, Wrong):
            shown = judged.error.rows()
            return ([("Wrong", judged.error.message)] if judged.error.message else []) + list(shown)
        if not judged.failed and bool(judged.value):
            return []
        return _difference_rows(attempt.value, expected.value, "")

    def _likely(
        self,
        cases: list[Case],
        attempts: list[Attempt],
        expected: list[_Reaction],
        faults: list[list[tuple[str, str]]],
        first: int,
        sandbox: Sandbox,
    ) -> str:
        """The misconception that explains the first fault and most others; else what the results themselves suggest."""
        best, score = "", 0
        for misconception in self.misconceptions:
            explained = self._explained(misconception, cases, attempts, expected, faults)
            if first in explained and len(explained) > score:
                best, score = misconception.message, len(explained)
        if best:
            return best
        wrong = [number for number, fault in enumerate(faults) if fault and cases[number].raises is None]
        if cases[first].raises is not None or any(attempts[number].failed for number in wrong):
            return ""
        every = [(attempts[n].value, expected[n].value) for n in range(len(attempts)) if cases[n].raises is None]
        return suggestion([(attempts[n].value, expected[n].value) for n in wrong], every, sandbox.output.text())

    def _explained(
        self,
        misconception: Misconception,
        cases: list[Case],
        attempts: list[Attempt],
        expected: list[_Reaction],
        faults: list[list[tuple[str, str]]],
    ) -> set[int]:
        """The cases in which the wrong idea gives a wrong result, if the learner's are equal in all of them."""
        explained = set()
        for number, attempt in enumerate(attempts):
            if cases[number].raises is not None and not faults[number]:
                continue  # whoever refuses bad input may still have the wrong idea of good input
            if misconception.predicate:
                if faults[number] and not attempt.failed and cases[number].raises is None:
                    if not _holds(misconception.wrong, attempt.value, expected[number].value, cases[number]):
                        return set()
                    explained.add(number)
                continue
            wrong = _react(misconception.wrong, cases[number])
            if self._same(wrong, expected[number]):
                continue
            if not self._same(wrong, _Reaction(attempt.value, attempt.error)):
                return set()
            explained.add(number)
        return explained

    def _same(self, one: _Reaction, other: _Reaction) -> bool:
        if one.error is not None or other.error is not None:
            return one.error is not None and other.error is not None and _related(one.error, other.error)
        return difference(other.value, one.value, self.rtol, self.atol) is None

    def _call(self, answer: Any, case: Case) -> str:
        """The call as a learner would write it, with large arguments in words."""
        name = answer.__name__ if isinstance(answer, types.FunctionType) else ""
        name = name if name.isidentifier() else getattr(self.reference, "__name__", "your_function")
        parts = [_argument(value) for value in case.args]
        parts += [f"{key}={_argument(value)}" for key, value in case.kwargs.items()]
        return f"{name}({', '.join(parts)})"


def _react(function: Callable[..., Any], case: Case) -> _Reaction:
    """Call a function that is trusted, on copies of the arguments."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return _Reaction(plain(function(*copied(case.args), **copied(dict(case.kwargs)))))
        except Exception as error:
            return _Reaction(error=error)


def _holds(predicate: Callable[..., Any], *values: Any) -> bool:
    try:
        return bool(predicate(*values))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError):
        return False  # it is about another kind of value


def _related(one: BaseException, other: BaseException) -> bool:
    return isinstance(one, type(other)) or isinstance(other, type(one))


def _parameter_names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    return (names + [f"argument {number + 1}" for number in range(len(names), count)])[:count]


def _was_changed(after: Any, before: Any) -> bool:
    if isinstance(before, np.ndarray):
        same_kind = isinstance(after, np.ndarray) and after.shape == before.shape and after.dtype == before.dtype
        return not same_kind or not np.array_equal(after, before, equal_nan=before.dtype.kind in "fc")
    return difference(plain(after), before, 0.0, 0.0) is not None


def _changed_notes(changed: list[str]) -> list[str]:
    if not changed:
        return []
    names = ", ".join(code(name) for name in changed)
    return [
        f"Your function changes {names} in place. The check handed it copies; in a program the caller's own data would "
        "change. Work on a copy, such as `x.copy()`."
    ]


def _argument(value: Any) -> str:
    if isinstance(value, np.ndarray) and (value.size > 9 or value.ndim > 2):
        return f"<{'×'.join(map(str, value.shape))} array>"
    if callable(value):
        return str(getattr(value, "__name__", "<function>"))
    return describe(value, 60)


def _difference_rows(came: Any, expected: Any, said: str) -> list[tuple[str, str]]:
    rows = [("Came", code(describe(came))), ("Expected", code(describe(expected)))]
    if isinstance(came, Opaque):
        rows[0] = ("Came", came.what)
    if said and not said.startswith(f"{describe(came)} instead of"):
        rows.append(("Difference", said))
    return rows


def suggestion(wrong: list[tuple[Any, Any]], every: list[tuple[Any, Any]], printed: str) -> str:
    """What wrong results alone suggest, from pairs of what came and what was expected: the wrong ones, and all."""
    came = [value for value, _ in wrong]
    if all(value is None for value in came):
        also = " It prints something: printing shows a value, returning hands it on." if printed else ""
        return f"The function returns nothing. Is a `return` missing?{also}"
    if all(isinstance(value, str) and not isinstance(expected, str) for value, expected in wrong):
        return "The function returns text. Is something turned into a string, or in quotes?"
    pairs = [(_numeric(value), _numeric(expected)) for value, expected in wrong]
    if any(value is None or expected is None for value, expected in pairs):
        return ""
    for text, holds in _SUGGESTIONS:
        if all(holds(value, expected) for value, expected in pairs):
            return text
    values = [_numeric(value) for value, _ in every]
    wanted = [_numeric(expected) for _, expected in every]
    if len(every) >= 4 and _all_equal(values) and not _all_equal(wanted):
        return "The function gives the same result in every case. Does it use its arguments?"
    return ""


def _numeric(value: Any) -> np.ndarray | None:
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "iuf" else None


def _all_equal(values: list[np.ndarray | None]) -> bool:
    first = values[0]
    return first is not None and all(v is not None and _near(v, first) for v in values)


def _near(value: np.ndarray, expected: np.ndarray, rtol: float = 1e-5) -> bool:
    return value.shape == expected.shape and bool(np.allclose(value, expected, rtol=rtol, atol=1e-7, equal_nan=True))


def _moved_axes(value: np.ndarray, expected: np.ndarray) -> bool:
    if value.ndim != expected.ndim or value.ndim < 2 or sorted(value.shape) != sorted(expected.shape):
        return False
    if value.ndim > 4 or _near(value, expected):
        return False
    from itertools import permutations

    return any(_near(np.transpose(value, order), expected) for order in permutations(range(value.ndim)))


def _mirrored(value: np.ndarray, expected: np.ndarray) -> bool:
    if value.ndim < 1 or value.shape != expected.shape or value.size < 2:
        return False
    return any(_near(np.flip(value, axis), expected) for axis in range(value.ndim)) or _near(np.flip(value), expected)


_SUGGESTIONS: tuple[tuple[str, Callable[[np.ndarray, np.ndarray], bool]], ...] = (
    ("The result contains NaN: something is divided by zero, or a logarithm or root taken of a negative number.",
     lambda v, e: bool(np.isnan(v).any()) and not np.isnan(e).any()),
    ("The sign is the opposite one.", lambda v, e: _near(-v, e) and bool(np.any(e))),
    ("The result is one too large.", lambda v, e: e.shape == () and _near(v - 1, e)),
    ("The result is one too small.", lambda v, e: e.shape == () and _near(v + 1, e)),
    ("The values are right, but the axes are in another order.", _moved_axes),
    ("The values are right, but in reverse order along an axis.", _mirrored),
    ("The values are right, but there is an axis of length 1 too many or too few.",
     lambda v, e: v.shape != e.shape and v.size == e.size and _near(np.squeeze(v), np.squeeze(e))),
    ("The values are right, but the shape is not.",
     lambda v, e: v.shape != e.shape and v.size == e.size and _near(v.ravel(), e.ravel())),
    ("It is close. Is something rounded on the way, or computed with too few digits?",
     lambda v, e: _near(v, e, 0.01) and v.dtype.kind == "f" and e.dtype.kind == "f"),
)  # fmt: skip


# --- a value ---------------------------------------------------------------------------------------------------------


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
            judged = sandbox.run(lambda: self._judge(came, expected), at_least=1.0)
        if isinstance(judged.error, Wrong):
            return self._result(Outcome.WRONG, judged.error.message, judged.error.rows(), notes=_notes(sandbox))
        if judged.failed:
            return self._crashed(judged, sandbox)
        if judged.value:
            return self._result(Outcome.RIGHT, notes=_notes(sandbox))
        rows = [("Came", came.what if isinstance(came, Opaque) else code(describe(came)))]
        likely = self._likely(came) or _kind_mismatch(came, expected)
        rows += [("Likely", likely)] if likely else []
        return self._result(Outcome.WRONG, _right_entries(came, written, self._equal), rows, notes=_notes(sandbox))

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
                holds = _holds(misconception.wrong, came)
            else:
                holds = self._equal(came, _folded(plain(misconception.wrong)))
            if holds:
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
    if isinstance(value, (int, float, complex)) or isinstance(value, np.ndarray) and value.shape == ():
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


# --- anything else ---------------------------------------------------------------------------------------------------


class CheckExercise(Exercise):
    """Anything else: a model, a kernel, several functions.

    Args:
        check: ``check(answer, rng)`` returns nothing if the answer is right and raises :class:`Wrong` if it is not. It
            runs within the time limit. It may call the learner's code: an error in there is reported with the
            learner's line. It uses public attributes only, and hands the learner's code copies of its own data. If
            ``.check(a, b)`` is given several things, the answer is a tuple.
    """

    def __init__(
        self,
        id: str,
        title: str,
        *,
        check: Callable[[Any, np.random.Generator], None],
        hints: tuple[str, ...] = (),
        time_limit: float = 20.0,
        remark: str = "",
    ):
        super().__init__(id, title, hints=hints, time_limit=time_limit, remark=remark)
        self._examine = check

    def _check(self, answer: Any, rng: np.random.Generator) -> Result:
        with Sandbox(self.time_limit) as sandbox:
            attempt = sandbox.run(lambda: self._examine(copied(answer), rng), besides=self._examine)
            error = attempt.error
            what = sandbox.run(lambda: describe(answer), at_least=1.0).value if attempt.failed else ""
        notes = _notes(sandbox)
        if isinstance(error, Wrong):
            return self._result(Outcome.WRONG, error.message, [*error.rows(), *_printed(sandbox)], notes=notes)
        if attempt.failed and (attempt.line is not None or attempt.stopped or not isinstance(error, Exception)):
            return self._crashed(attempt, sandbox)
        if attempt.failed:
            says = f"The check cannot work with your answer: {what or 'something of an unknown kind'}."
            rows = [("Error", code(_error_text(attempt))), *_printed(sandbox)]
            return self._result(Outcome.WRONG, says, rows, notes=notes)
        if attempt.value is not None:
            raise RuntimeError(f"exercise {self.id} is broken: its check returned something instead of raising Wrong")
        return self._result(Outcome.RIGHT, notes=notes)


def as_array(answer: Any, shape: tuple[int | None, ...] | None = None, name: str = "the answer") -> np.ndarray:
    """The learner's answer as an array of numbers, for the check of a :class:`CheckExercise`.

    Args:
        answer: an array, a tensor of any backend, or nested lists.
        shape: the shape it must have; None stands for any length.
        name: what it is called in the message.

    Raises:
        Wrong: it is no array of numbers, has another shape, or holds NaN or infinity.
    """
    value = plain(answer)
    array = _numeric(value) if not isinstance(value, Opaque) else None
    if array is None:
        raise Wrong(f"{name[:1].upper()}{name[1:]} should be an array of numbers.", came=describe(value))
    if shape is not None:
        fits = len(shape) == array.ndim and all(n is None or n == m for n, m in zip(shape, array.shape))
        if not fits:
            wanted = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
            raise Wrong(f"The shape of {name} is not right.", came=str(array.shape), expected=wanted)
    if not np.isfinite(array).all():
        raise Wrong(f"{name[:1].upper()}{name[1:]} holds NaN or infinity.", came=describe(value))
    return array


# --- not attempted ---------------------------------------------------------------------------------------------------

_ASK = "Write your answer in the cell above, run that cell, then run this one."
_NOTHING = frozenset({"RESUME", "NOP", "RETURN_VALUE", "RETURN_CONST", "LOAD_CONST", "MAKE_CELL", "COPY_FREE_VARS"})


def _not_attempted(answer: Any, exercise_id: str) -> str:
    """What to say if the answer is still the stub; empty if it is not."""
    if answer is None or answer is Ellipsis or isinstance(answer, types.FunctionType) and _is_empty(answer):
        return _ASK
    if type(answer) in (tuple, list, dict):
        items = list(answer.values()) if type(answer) is dict else list(answer)
        missing = sum(item is Ellipsis or item is None and type(answer) is tuple for item in items)
        missing += sum(isinstance(item, types.FunctionType) and _is_empty(item) for item in items)
        if missing and missing == len(items):
            return _ASK
        return f"{missing} of {len(items)} answers are still to be written." if missing else ""
    if isinstance(answer, types.FunctionType):
        return _ASK if _equals_stub(answer, exercise_id) else ""
    if isinstance(answer, type):
        methods = {name: value for name, value in vars(answer).items() if isinstance(value, types.FunctionType)}
        left = _stub_functions(exercise_id)
        empty = [name for name, method in methods.items() if _is_empty(method) and (left is None or name in left)]
        return f"{_ASK} The body of {code(empty[0])} is still empty." if empty else ""
    return ""


def _is_empty(function: types.FunctionType) -> bool:
    """Whether a body is no more than a docstring, ``...``, ``pass``, ``return`` or ``raise NotImplementedError``."""
    try:
        steps = list(dis.get_instructions(function.__code__))
    except (TypeError, ValueError):
        return False
    if all(s.opname in _NOTHING and (s.argval in (None, ...) if "CONST" in s.opname else True) for s in steps):
        return True
    names = [s.argval for s in steps if s.opname.startswith(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FAST", "LOAD_ATTR"))]
    return names == ["NotImplementedError"] and any(s.opname == "RAISE_VARARGS" for s in steps)


def _equals_stub(function: types.FunctionType, exercise_id: str) -> bool:
    """Whether the learner's function, with code of the exercise's own around the ``...``, is as it was handed out."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    mine = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)
    if mine is None or not any(_is_ellipsis(node) for node in ast.walk(mine)):
        return False
    stubs = _stub_functions(exercise_id) or {}
    return mine.name in stubs and _body(mine) == _body(stubs[mine.name])


def _stub_functions(exercise_id: str) -> dict[str, ast.FunctionDef] | None:
    """The functions and methods that the lesson leaves to write; None if the lesson's source is not there."""
    try:
        tree = ast.parse(source.stub_source(exercise_id))
    except (OSError, ValueError):
        return None
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {node.name: node for node in functions if any(_is_ellipsis(inner) for inner in ast.walk(node))}


def _is_ellipsis(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is Ellipsis


def _body(function: ast.FunctionDef) -> list[str]:
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return [ast.dump(node) for node in body]


# --- errors in plain words -------------------------------------------------------------------------------------------

_IN_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ZeroDivisionError, "Something is divided by zero."),
    (FloatingPointError, "A computation gave NaN or infinity."),
    (RecursionError, "The function calls itself without an end."),
    (UnboundLocalError, "A variable is used before it has a value in this function."),
    (NameError, "Python does not know this name here. Is it misspelt, or defined only inside another function?"),
    (IndexError, "An index lies outside the list or array. Indices start at 0 and end at the length minus 1."),
    (KeyError, "The dictionary has no such key."),
    (AttributeError, "The object has nothing of that name. Is it of the type that you think it is?"),
    (ModuleNotFoundError, "There is no such module in this environment."),
    (MemoryError, "More memory was asked for than there is. Is a shape far too large?"),
    (OverflowError, "A number became too large."),
    (EOFError, "A check cannot answer `input()`: the function gets all that it needs as arguments."),
    (SystemExit, "The code asks Python to exit. A function hands its result back with `return`."),
    (KeyboardInterrupt, "The check was interrupted."),
    (GeneratorExit, "The code raised GeneratorExit."),
    (NotImplementedError, "A part is still to be written."),
)


def _explain(attempt: Attempt, sandbox: Sandbox) -> tuple[str, list[tuple[str, str]]]:
    """An error for a learner: a sentence, and rows for the error's own text and the learner's line."""
    where = [("Your line", _line_text(attempt.line))] if attempt.line else []
    if attempt.stopped in ("time", "left behind"):
        says = f"Your code was still running after {sandbox.seconds:.3g} seconds "
        if attempt.stopped == "left behind":
            says += "and could not be stopped. Restart the kernel before you go on."
        else:
            says += "and was stopped. Does a loop never end?"
        return says, where
    if attempt.stopped == "memory":
        says = f"Your code took more than {sandbox.memory / 1024**3:.2g} GB of memory and was stopped."
        return says, where
    words = next((text for kind, text in _IN_WORDS if isinstance(attempt.error, kind)), "")
    return words, [("Error", code(_error_text(attempt))), *where]


def _error_text(attempt: Attempt) -> str:
    name = type.__dict__["__name__"].__get__(type(attempt.error)).lstrip("_")
    text = attempt.message.strip()
    text = text if len(text) <= 400 else text[:400] + " …"
    return f"{name}: {text}" if text else name


def _line_text(line: Line) -> str:
    in_file = f" of {Path(line.file).name}" if os.path.isfile(line.file) else " of its cell"
    scope = f"in {code(line.function)}, " if line.function.isidentifier() else ""
    return f"{scope}line {line.number}{in_file}" + (f": {code(line.text)}" if line.text else "")


def _at(line: Line | None) -> str:
    return f" ({_line_text(line)})" if line else ""


def _names(kinds: type[BaseException] | tuple[type[BaseException], ...]) -> str:
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(code(kind.__name__) for kind in kinds)


def _printed(sandbox: Sandbox) -> list[tuple[str, str]]:
    text = sandbox.output.text().strip("\n")
    if not text:
        return []
    lines = text.splitlines()
    shown = [line[:200] for line in lines[:8]]
    more = len(lines) > len(shown) or any(len(line) > 200 for line in lines[:8])
    return [("Printed", code("\n".join(shown) + (" …" if more and not shown[-1].endswith("…") else "")))]


def _notes(sandbox: Sandbox) -> list[str]:
    if not sandbox.left_behind:
        return []
    many = "a thread" if sandbox.left_behind == 1 else f"{sandbox.left_behind} threads"
    return [f"Your code left {many} running; restarting the kernel ends that."]


def _generator() -> np.random.Generator:
    """New cases in each check, unless ``CNNLIB_CHECK_SEED`` fixes them."""
    text = os.environ.get("CNNLIB_CHECK_SEED", "")
    if not text:
        return np.random.default_rng(secrets.randbits(64))
    if not text.isdigit():
        raise ValueError(f"CNNLIB_CHECK_SEED must be a whole number, not {text!r}")
    return np.random.default_rng(int(text))
