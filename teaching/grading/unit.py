"""Grade one submission: its answers run in the sandbox, and are judged here, where the reference is."""

from __future__ import annotations

import ast
import base64
import builtins
import copy
import hashlib
import importlib.util
import inspect
import os
import pickle
import sys
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnnlib.exercises import CheckExercise, Exercise, FunctionExercise, compare, exercises_of, source
from cnnlib.exercises import course as courses
from cnnlib.exercises import sandbox as engine
from cnnlib.exercises.stopping import TimeLimit

from . import submissions, wire
from .jail import Ended, Jail, Limits, Place

OUTSIDE, INSIDE = "outside", "inside"
_KINDS = {  # errors that a learner's function may raise, by the names that come from the sandbox
    f"builtins.{name}": kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}


@dataclass(frozen=True)
class Rules:
    """How a folder is graded.

    Attributes:
        secret: what the draws of the cases come of.
        draws: how often each answer is tried.
        hidden: marks that count: only what is judged outside of the sandbox.
        fence: with bubblewrap.
        variants: the instructor's folder, or None.
    """

    secret: str
    draws: int = 1
    hidden: bool = False
    fence: bool = True
    variants: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def seed(self, id: str, draw: int) -> int:
        return int(hashlib.sha256(f"{self.secret} {id} {draw}".encode()).hexdigest()[:15], 16)


# --- a function in the sandbox ----------------------------------------------------------------------------------------


class Misplaced(RuntimeError):
    """Something of an exercise cannot be handed into the sandbox, so it cannot be judged outside of it."""


def packed(args: tuple, kwargs: dict) -> str:
    """Arguments as they go into the sandbox.

    Raises:
        Misplaced: they cannot be packed, or only with the course's checks, which hold the answers.
    """
    try:
        data = pickle.dumps((args, kwargs))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Misplaced(str(error)) from None
    if courses.current().checks.encode() in data:
        raise Misplaced("an argument belongs to the checks")
    return base64.b64encode(data).decode()


def way(exercise: Exercise) -> str:
    """Where an exercise is judged: a check that handles objects of the learner's must run where they are."""
    if isinstance(exercise, CheckExercise):
        return INSIDE
    if isinstance(exercise, FunctionExercise):
        try:
            for case in exercise.cases(np.random.default_rng(0)):
                packed(case.args, dict(case.kwargs))
        except Misplaced:
            return INSIDE
    return OUTSIDE


class Remote:
    """A function of the learner's, called in the sandbox. What comes back is plain data or an error of a known kind."""

    def __init__(self, jail: Jail, number: int, about: dict[str, Any], limits: Limits):
        self.jail, self.number, self.limits = jail, number, limits
        self.limit = 5.0
        self.kinds = dict(_KINDS)
        self.__name__ = name if (name := str(about.get("name"))).isidentifier() else "answer"
        signature = _signature(about.get("signature"))
        if signature is not None:
            self.__signature__ = signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        attempt = self.attempt(args, kwargs)
        if attempt.error is not None:
            raise attempt.error
        return attempt.value

    def attempt(self, args: tuple, kwargs: dict) -> engine.Attempt:
        """One call. Arguments that the function changes are changed here as well."""
        sent = packed(args, kwargs)
        try:
            reply = self.jail.ask(self.limits.call, do="call", answer=self.number, arguments=sent, limit=self.limit)
            if "failed" in reply:
                raise Ended(f"the call failed: {reply['failed']}")
            if "error" in reply:
                return self._failed(reply)
            for where, value in reply.get("changed", []):
                _change(args, kwargs, where, wire.decode(value, compare.Opaque))
            return engine.Attempt(wire.decode(reply["value"], compare.Opaque))
        except (wire.WireError, KeyError, TypeError, ValueError) as error:
            message = f"what it returned is no data: {error}"
            return engine.Attempt(error=TypeError(message), message=message)

    def _failed(self, reply: dict[str, Any]) -> engine.Attempt:
        names = [str(name) for name in reply["error"]][:50]
        kind = next((self.kinds[name] for name in names if name in self.kinds), RuntimeError)
        try:
            error = kind.__new__(kind, str(reply.get("text", ""))[:2000])
        except TypeError:
            error = RuntimeError(kind.__name__)
        line = reply.get("line")
        if isinstance(line, list) and len(line) == 3:
            line = engine.Line(str(line[0])[:100], int(line[1]), str(line[2])[:200])
        else:
            line = None
        stopped = reply.get("stopped")
        stopped = stopped if stopped in engine.STOPPED else ""
        return engine.Attempt(
            error=TimeLimit() if stopped else error,
            line=line,
            message=str(reply.get("text", ""))[:2000],
            stopped=stopped,
        )


def _change(args: tuple, kwargs: dict, where: Any, value: Any) -> None:
    target = args[where] if isinstance(where, int) else kwargs[str(where)]
    if isinstance(target, list):
        target[:] = list(value)
    elif isinstance(target, dict):
        target.clear()
        target.update(value)
    elif target.shape == value.shape:
        target[...] = value


def _signature(told: Any) -> inspect.Signature | None:
    try:
        return inspect.Signature([
            inspect.Parameter(str(name), inspect._ParameterKind(int(kind)), default=None if has else inspect._empty)
            for name, kind, has in told
        ])  # fmt: skip
    except (TypeError, ValueError):
        return None


def _reach_into_the_sandbox() -> None:
    """The engine's own sandbox hands calls of a `Remote` on, and takes the attempt as it came."""
    call = engine.Sandbox.call
    if getattr(call, "reaches", False):
        return

    def reaching(self: engine.Sandbox, function: Any, *args: Any, **kwargs: Any) -> engine.Attempt:
        if type(function) is not Remote:
            return call(self, function, *args, **kwargs)
        self.calls += 1
        function.limit = self.limits.call
        attempt = function.attempt(args, kwargs)
        return engine.Attempt(compare.plain(attempt.value)) if attempt.error is None else attempt

    reaching.reaches = True
    engine.Sandbox.call = reaching


# --- variants ---------------------------------------------------------------------------------------------------------


def variants(lesson: str, folder: Path | None) -> tuple[dict[str, Exercise], dict[str, Callable], dict[str, list[str]]]:
    """The instructor's own of a lesson: exercises, further cases, and what is asked for by name."""
    path = folder / f"lesson_{lesson}.py" if folder else None
    if path is None or not path.is_file():
        return {}, {}, {}
    spec = importlib.util.spec_from_file_location(f"variants_{lesson}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    own = {each.id: each for each in getattr(module, "EXERCISES", [])}
    return own, dict(getattr(module, "CASES", {})), {k: list(v) for k, v in getattr(module, "ASKS", {}).items()}


def exercises(lesson: str, rules: Rules) -> dict[str, tuple[Exercise, list[str]]]:
    """Exercise -> what judges it, and the expressions that it is given."""
    own, cases, asks = variants(lesson, rules.variants)
    path = source.lesson_file(f"{lesson}.1")
    found = {}
    for id, each in {**exercises_of(lesson), **own}.items():
        if id in cases:
            if not isinstance(each, FunctionExercise):
                raise ValueError(f"variants of lesson {lesson}: {id} is no function, so it has no further cases")
            each = copy.copy(each)
            each.cases = _together(each.cases, cases[id])
        found[id] = (each, asks[id] if id in asks else source.checked_expressions(id, path))
    return found


def _together(one: Callable, other: Callable) -> Callable:
    return lambda rng: [*one(rng), *other(rng)]


# --- grading ----------------------------------------------------------------------------------------------------------


def grade(
    submission: submissions.Submission, place: Place, rules: Rules, only: Container[str] | None = None
) -> dict[str, Any]:
    """What the unit says: for each exercise of the lesson, or only some, its outcome, and what the sandbox took."""
    _reach_into_the_sandbox()
    os.environ[courses.current().variable("PROGRESS")] = "off"
    path = source.lesson_file(f"{submission.lesson}.1")
    asked = exercises(submission.lesson, rules)
    rows, sandbox = {}, _Sandboxes(place, rules)
    with sandbox:
        for id, (exercise, names) in asked.items():
            if only is not None and id not in only:
                continue
            rows[id] = _row(submission, exercise, names, path, list(asked), rules, sandbox)
    return {"lesson": submission.lesson, "exercises": rows, "peak": sandbox.peak, "fence": rules.fence}


class _Sandboxes:
    """The process in which answers run; a new one after one has ended."""

    def __init__(self, place: Place, rules: Rules):
        self.place, self.rules = place, rules
        self.peak = 0
        self._open: dict[bool, Jail] = {}
        self._used: list[Jail] = []

    def __enter__(self) -> _Sandboxes:
        return self

    def begin(self) -> None:
        """Another exercise begins: what is open has run answers of earlier ones."""
        self._used = list(self._open.values())

    def ended_one_that_was_used(self) -> bool:
        """Whether a process has ended that earlier answers ran in as well: it may be they who ended it."""
        return any(jail.why for jail in self._used)

    def get(self, with_key: bool) -> Jail:
        jail = self._open.get(with_key)
        if jail is None or jail.why:
            self._close(with_key)
            settings = {courses.current().variable("PROGRESS"): "off"}
            jail = Jail(self.place, self.rules.limits, with_key, self.rules.fence, settings)
            self._open[with_key] = jail.__enter__()
        return jail

    def _close(self, with_key: bool) -> None:
        jail = self._open.pop(with_key, None)
        if jail is not None:
            jail.__exit__()
            self.peak = max(self.peak, jail.peak)

    def __exit__(self, *error: object) -> None:
        for with_key in list(self._open):
            self._close(with_key)


def _row(
    submission: submissions.Submission,
    exercise: Exercise,
    names: list[str],
    path: Path,
    order: list[str],
    rules: Rules,
    sandboxes: _Sandboxes,
) -> dict[str, Any]:
    id, where = exercise.id, way(exercise)
    cells = submissions.chosen(submission, id, names, path, order)
    row = {
        "way": where,
        "hints": submission.hints.get(id, 0),
        "answer_shown": id in submission.shown,
        "check_missing": id not in submission.checks,
        "shape": hashlib.sha256(submissions.shape_of(cells).encode()).hexdigest()[:16] if cells else "",
        "as_reference": bool(cells) and _as_reference(id, path, cells),
    }
    if cells is None:
        return {**row, "outcome": "NOT_ATTEMPTED", "says": "", "likely": ""}
    sandboxes.begin()
    judged = _judged(exercise, names, cells, rules, sandboxes)
    if judged["outcome"] != "RIGHT" and sandboxes.ended_one_that_was_used():
        sandboxes.begin()
        judged = _judged(exercise, names, cells, rules, sandboxes)  # by itself, in a process of its own
    return {**row, **judged}


def _judged(
    exercise: Exercise, names: list[str], cells: list[str], rules: Rules, sandboxes: _Sandboxes
) -> dict[str, Any]:
    try:
        if way(exercise) == INSIDE:
            return _inside(exercise, names, cells, rules, sandboxes)
        for draw in range(rules.draws):
            judged = _outside(exercise, names, cells, rules, draw, sandboxes)
            if judged["outcome"] != "RIGHT":
                break
        return judged
    except Ended as error:
        return {"outcome": "CRASHED", "says": f"Stopped in the sandbox: {error}.", "likely": ""}


def _run(jail: Jail, cells: list[str], place: Place, rules: Rules) -> list:
    reply = jail.ask(rules.limits.cells, do="run", cells=cells, engine=place.engine, prelude=place.prelude)
    if "failed" in reply:
        raise Ended(str(reply["failed"])[:300])
    return reply.get("errors") or []


def _outside(
    exercise: Exercise, names: list[str], cells: list[str], rules: Rules, draw: int, sandboxes: _Sandboxes
) -> dict[str, Any]:
    jail = sandboxes.get(with_key=False)
    errors = _run(jail, cells, sandboxes.place, rules)
    reply = jail.ask(rules.limits.cells, do="answers", expressions=names, id=exercise.id)
    if "answers" not in reply:
        why = str(errors[-1][1] if errors else reply.get("missing") or reply.get("failed"))[:300]
        return {"outcome": "CRASHED", "says": f"The cells of the answer stopped with an error: {why}", "likely": ""}
    if reply.get("stub") is True:
        return {"outcome": "NOT_ATTEMPTED", "says": "", "likely": ""}
    try:
        given = [
            Remote(jail, number, about, rules.limits)
            if about["callable"] is True
            else wire.decode(about["value"], compare.Opaque)
            for number, about in enumerate(reply["answers"])
        ]
    except (wire.WireError, KeyError, TypeError) as error:
        return {"outcome": "CRASHED", "says": f"The answer is no data: {error}", "likely": ""}
    if len(given) != len(names):
        return {"outcome": "CRASHED", "says": "The answer is not what was asked for.", "likely": ""}
    kinds = _raised(exercise, rules, draw)
    for each in given:
        if isinstance(each, Remote):
            each.kinds.update(kinds)
    os.environ[courses.current().variable("CHECK_SEED")] = str(rules.seed(exercise.id, draw))
    result = exercise.check(*given)
    return {"outcome": result.outcome.value, "says": _says(result), "likely": result.row("Likely")}


def _says(result: Any) -> str:
    """What a result says, without what it notes for the learner at the end."""
    rows = [f"{name}: {text}" for name, text in result.rows if name != "Likely"]
    return "\n".join([result.says, *rows]).strip()[:1500]


def _raised(exercise: Exercise, rules: Rules, draw: int) -> dict[str, type]:
    """The kinds of errors that the exercise asks for, by name, beside Python's own."""
    if not isinstance(exercise, FunctionExercise):
        return {}
    found = {}
    for case in exercise.cases(np.random.default_rng(rules.seed(exercise.id, draw))):
        kinds = case.raises if isinstance(case.raises, tuple) else (case.raises,)
        found.update({f"{kind.__module__}.{kind.__qualname__}": kind for kind in kinds if kind is not None})
    return found


def _inside(
    exercise: Exercise, names: list[str], cells: list[str], rules: Rules, sandboxes: _Sandboxes
) -> dict[str, Any]:
    jail = sandboxes.get(with_key=True)
    errors = _run(jail, cells, sandboxes.place, rules)
    settings = {courses.current().variable("CHECK_SEED"): str(rules.seed(exercise.id, 0))}
    reply = jail.ask(rules.limits.cells, do="check", id=exercise.id, expressions=names, settings=settings)
    outcome, rows = reply.get("outcome"), reply.get("rows")
    if outcome not in ("NOT_ATTEMPTED", "RIGHT", "WRONG", "CRASHED") or not isinstance(rows, list):
        why = str(errors[-1][1] if errors else reply.get("failed"))[:300]
        return {"outcome": "CRASHED", "says": f"The cells of the answer stopped with an error: {why}", "likely": ""}
    rows = [(str(row[0]), str(row[1])) for row in rows if isinstance(row, list) and len(row) == 2]
    says = "\n".join([str(reply.get("says", "")), *(f"{name}: {text}" for name, text in rows if name != "Likely")])
    return {"outcome": outcome, "says": says.strip()[:1500], "likely": dict(rows).get("Likely", "")[:1000]}


def _as_reference(id: str, path: Path, cells: list[str]) -> bool:
    """Whether the answer is the reference answer, but for layout and comments. A short one may well be by chance."""
    try:
        wanted = {ast.dump(ast.parse(source.without_markers(each.source))) for each in source.answer_cells(id, path)}
        return wanted <= {ast.dump(ast.parse(text)) for text in cells}
    except (OSError, ValueError, SyntaxError, RecursionError):
        return False


__all__ = ["INSIDE", "OUTSIDE", "Misplaced", "Remote", "Rules", "exercises", "grade", "way"]
