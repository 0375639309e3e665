"""An exercise whose answer is a function to write."""

import inspect
import types
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import errors, limits
from .base import Case, Exercise, Misconception, Wrong, holds
from .compare import Opaque, describe, difference, plain
from .outcome import Outcome, Result, code
from .sandbox import Attempt, Sandbox, copied
from .stopping import Stopwatch
from .suggest import suggestion

_MUTABLE = (np.ndarray, list, tuple, dict, set)


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
        result_type: the type of the array that comes back, as NumPy names it ("float32"); of a function with several
            results one for each, None for any. It is looked at last, when all values are right.
        about_type: what to say where the type is another.
        leaves_arguments: whether an answer is wrong that changes the arrays and lists it is given, even if what it
            returns is right. Otherwise that is a remark beside the result.
    """

    reference: Callable[..., Any] = field(kw_only=True)
    cases: Callable[[np.random.Generator], Iterable[Case]] = field(kw_only=True)
    misconceptions: tuple[Misconception, ...] = field(default=(), kw_only=True)
    rtol: float = field(default=1e-5, kw_only=True)
    atol: float = field(default=1e-6, kw_only=True)
    compare: Callable[[Any, Any], bool] | None = field(default=None, kw_only=True)
    result_type: str | tuple[str | None, ...] | None = field(default=None, kw_only=True)
    about_type: str = field(default="", kw_only=True)
    leaves_arguments: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.misconceptions = tuple(self.misconceptions)

    def _check(self, answer: Any, rng: np.random.Generator) -> Result:
        if not callable(answer):
            return self._not_a_function(answer)
        cases = list(self.cases(rng))
        clock = Stopwatch()
        expected, seconds = [], []
        for case in cases:
            expected.append(self._expected(case))
            seconds.append(clock.lap()[0])
        limit = max(self.time_limit, limits.SLOWER * max(seconds, default=0.0))
        with Sandbox(limit, together=limits.SLOWER * sum(seconds)) as sandbox:
            unfit = sandbox.run(lambda: self._unfit(answer, cases)).value
            attempts, changed = self._try(answer, cases, sandbox) if not unfit else ([], [])
            faults = [self._fault(*each, sandbox) for each in zip(attempts, expected, cases)]
        if unfit:
            return self._result(Outcome.WRONG, unfit)
        first = next((number for number, fault in enumerate(faults) if fault), None)
        notes = [*_changed_notes(changed), *errors.notes(sandbox)]
        if first is None:
            other = self._other_type(cases, attempts)
            if other:
                return self._result(Outcome.WRONG, "All values are right, but not their type.", other, notes=notes)
            if self.leaves_arguments and changed:
                return self._changes_arguments(changed)
            return self._result(Outcome.RIGHT, f"It is right in all {len(cases)} cases that were tried.", notes=notes)
        case, attempt = cases[first], attempts[first]
        rows = [("Tried", code(self._call(answer, case)) + (f" ({case.about})" if case.about else ""))]
        call = {"args": copied(case.args), "kwargs": copied(dict(case.kwargs))}
        likely = self._likely(cases, attempts, expected, faults, first, sandbox)
        if attempt.failed and (case.raises is None or attempt.stopped):
            return self._crashed(attempt, sandbox, rows, likely, **call)
        rows += faults[first] + ([("Likely", likely)] if likely else []) + errors.printed(sandbox)
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
        handed: list[tuple[str, Any, Any]] = []  # the name of an argument, what was handed over, and what it was before
        names = _parameter_names(self.reference, max((len(case.args) for case in cases), default=0))
        for case in cases:
            args, kwargs = copied(case.args), copied(dict(case.kwargs))
            attempts.append(sandbox.call(answer, *args, **kwargs))
            if attempts[-1].stopped:
                break
            given = [*zip(names, args, case.args), *((name, kwargs[name], case.kwargs[name]) for name in case.kwargs)]
            handed += [each for each in given if isinstance(each[2], _MUTABLE)]
        found = sandbox.run(lambda: [name for name, *both in handed if _was_changed(*both)], at_least=1.0)
        changed = list(dict.fromkeys(found.value or []))
        return attempts, changed

    def _fault(self, attempt: Attempt, expected: _Reaction, case: Case, sandbox: Sandbox) -> list[tuple[str, str]]:
        """The rows that say what is wrong in one case; empty if nothing is."""
        if case.raises is not None:
            if isinstance(attempt.error, case.raises) and not attempt.stopped:
                return []
            came = f"it returned {code(describe(attempt.value))}"
            if attempt.failed:
                came = f"it raised {code(errors.error_text(attempt))}{errors.at(attempt.line)}"
            return [("Came", came), ("Expected", f"it raises {errors.names(case.raises)}")]
        if attempt.failed:
            return [("Error", errors.error_text(attempt))]
        if self.compare is not None:
            return self._compared(attempt, expected, sandbox)
        said = difference(attempt.value, expected.value, self.rtol, self.atol)
        return _difference_rows(attempt.value, expected.value, said) if said else []

    def _other_type(self, cases: list[Case], attempts: list[Attempt]) -> list[tuple[str, str]]:
        """The rows that say which result has another type than it should; empty if all are as they should be."""
        if self.result_type is None:
            return []
        several = isinstance(self.result_type, tuple)
        for case, attempt in zip(cases, attempts):
            if case.raises is not None:
                continue
            values = list(attempt.value) if several else [attempt.value]
            for number, (value, wanted) in enumerate(zip(values, self.result_type if several else [self.result_type])):
                if wanted is None or getattr(value, "dtype", None) == np.dtype(wanted):
                    continue
                which = f"result {number + 1} is " if several else ""
                came = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else describe(value, 60)
                came = "a list" if isinstance(value, list) else came
                rows = [("Came", which + came), ("Expected", f"{which}an array of {np.dtype(wanted)}")]
                return rows + ([("Likely", self.about_type)] if self.about_type else [])
        return []

    def _changes_arguments(self, changed: list[str]) -> Result:
        names = " and ".join(code(name) for name in changed)
        likely = (
            "`x -= ...` and `x[k] = ...` write into the caller's own arrays and lists, which the caller may still "
            "need. `x - ...` and a new list make new ones."
        )
        says = f"What it returns is right, but it changes {names} on the way."
        return self._result(Outcome.WRONG, says, [("Likely", likely)])

    def _compared(self, attempt: Attempt, expected: _Reaction, sandbox: Sandbox) -> list[tuple[str, str]]:
        compare = self.compare
        judged = sandbox.run(lambda: compare(attempt.value, expected.value), at_least=1.0, own_work=True)
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
            explained = self._explained(misconception, cases, attempts, expected, faults, first)
            if len(explained) > score:
                best, score = misconception.message, len(explained)
        if best:
            return best
        wrong = [number for number, fault in enumerate(faults) if fault and cases[number].raises is None]
        if cases[first].raises is not None:
            return errors.refused_otherwise(attempts[first], cases[first].raises)
        if any(attempts[number].failed for number in wrong):
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
        first: int,
    ) -> set[int]:
        """The cases in which the wrong idea gives a wrong result, if the learner's are equal in all of them.

        Empty if the first fault is not among them; it is asked about first, since most ideas end there.
        """
        explained = set()
        for number in (first, *(number for number in range(len(attempts)) if number != first)):
            attempt = attempts[number]
            if number != first and first not in explained:
                return set()
            if cases[number].raises is not None and not faults[number]:
                continue  # whoever refuses bad input may still have the wrong idea of good input
            if misconception.predicate:
                if faults[number] and not attempt.failed and cases[number].raises is None:
                    if not holds(misconception.wrong, attempt.value, expected[number].value, cases[number]):
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
