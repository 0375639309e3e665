"""What the kinds of exercises share: hints, the reference answer, the record of progress, and how a check ends.

Never does a result show the answer: it shows what the answer gives for the one case that was tried.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import cells, errors, journal, source, stubs
from .compare import describe
from .course import NUMBER, current
from .outcome import Answer, Hint, Outcome, Result, code
from .sandbox import Attempt, Sandbox


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
        time_limit: seconds of work that the learner's code may take in one call; :mod:`.limits` has the rest.
        remark: shown when the answer is right: what follows from it.
    """

    id: str
    title: str
    hints: tuple[str, ...] = field(default=(), kw_only=True)
    time_limit: float = field(default=5.0, kw_only=True)
    remark: str = field(default="", kw_only=True)
    _shown: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(rf"{NUMBER}\.\d+", self.id):
            raise ValueError(f"an exercise's id is like '01.2', or 'A.2' in an appendix; {self.id!r} was given")
        if isinstance(self.hints, str) or not all(isinstance(hint, str) for hint in self.hints):
            raise TypeError(f"exercise {self.id}: hints is a tuple of texts")
        self.hints = tuple(self.hints)

    def __repr__(self) -> str:
        return f"Exercise {self.id} · {self.title}: .check(your answer), .hint(), .answer()"

    def check(self, *answers: Any) -> Result:
        """Check an answer. Draws new cases each time; the course's variable ``<prefix>_CHECK_SEED`` fixes them."""
        if not answers:
            raise TypeError(f'exercise("{self.id}").check(…) needs your answer between its parentheses')
        answer = answers[0] if len(answers) == 1 else tuple(answers)
        failed = cells.failed_since(answers, self.id)
        if failed is not None:
            return self._result(Outcome.CRASHED, failed.says, failed.rows)
        missing = stubs.not_attempted(answer, self.id)
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
        """The reference answer, from the lesson's source."""
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
        says, explained = errors.explain(attempt, sandbox)
        rows = [*rows, *explained, *([("Likely", likely)] if likely else []), *errors.printed(sandbox)]
        return self._result(Outcome.CRASHED, says, rows, notes=errors.notes(sandbox), **more)


def holds(predicate: Callable[..., Any], *values: Any) -> bool:
    """Whether a predicate holds of values that may be of another kind than it is about."""
    try:
        return bool(predicate(*values))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError):
        return False  # it is about another kind of value


def _generator() -> np.random.Generator:
    """New cases in each check, unless the course's ``CHECK_SEED`` fixes them."""
    text = current().setting("CHECK_SEED")
    if not text:
        return np.random.default_rng(secrets.randbits(64))
    if not text.isdigit():
        raise ValueError(f"{current().variable('CHECK_SEED')} must be a whole number, not {text!r}")
    return np.random.default_rng(int(text))
