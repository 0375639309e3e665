"""Runs inside the sandbox: executes a learner's cells and calls their functions. Knows no answer.

It reads one JSON object a line and answers each with one. Whatever the learner's code does to this process can spoil
only the data that it sends: who judges them sits outside.
"""

from __future__ import annotations

import ast
import base64
import json
import linecache
import os
import pickle
import sys
from typing import Any

import wire


def main() -> None:
    inlet = os.fdopen(os.dup(0), "r", encoding="utf-8")
    outlet = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    worker = Worker()
    for number, line in enumerate(inlet):
        asked = json.loads(line)
        try:
            reply = getattr(worker, "do_" + asked.pop("do"))(**asked)
        except BaseException as error:
            reply = {"failed": f"{type(error).__name__}: {error}"[:500]}
        # Each copy of this process counts what it was asked itself, so the grader notices that there are several.
        data = memoryview(json.dumps({**reply, "number": number}).encode() + b"\n")
        while data:
            data = data[os.write(outlet, data) :]


class Worker:
    """What the grader can ask for."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self.answers: list[Any] = []

    def do_run(self, cells: list[str], engine: str, prelude: str = "") -> dict[str, Any]:
        """Execute cells in a new namespace, statement by statement as a notebook does."""
        sys.modules["__main__"].__dict__.pop("__file__", None)
        exec(prelude, {"__name__": "__prelude__"})
        self.engine = __import__(f"{engine}.sandbox", fromlist=["Sandbox"])
        self.compare = __import__(f"{engine}.compare", fromlist=["plain"])
        self.stubs = __import__(f"{engine}.stubs", fromlist=["not_attempted"])
        self.exercise = __import__(f"{engine}.catalogue", fromlist=["exercise"]).exercise
        self.namespace = {"__name__": "__main__", "display": lambda *values: None}
        errors = []
        for number, text in enumerate(cells):
            name = f"<cell {number}>"
            linecache.cache[name] = (len(text), None, [line + "\n" for line in text.splitlines()], name)
            try:
                for statement in ast.parse(text).body:
                    exec(compile(ast.Module([statement], []), name, "exec"), self.namespace)
            except BaseException as error:
                errors.append([number, f"{type(error).__name__}: {error}"[:500]])
        return {"errors": errors}

    def do_answers(self, expressions: list[str], id: str) -> dict[str, Any]:
        """What the expressions are: functions to call, or data."""
        self.answers, found = [], []
        for expression in expressions:
            try:
                value = eval(expression, self.namespace)
            except Exception as error:
                return {"missing": f"{type(error).__name__}: {error}"[:500]}
            self.answers.append(value)
            encoded = wire.encode(value, self.compare.Opaque, self.compare.plain)
            found.append({"callable": callable(value), "value": encoded, "name": str(getattr(value, "__name__", ""))})
            if callable(value):
                found[-1]["signature"] = _signature(value)
        asked = self.answers[0] if len(self.answers) == 1 else tuple(self.answers)
        return {"answers": found, "stub": bool(self.stubs.not_attempted(asked, id))}

    def do_call(self, answer: int, arguments: str, limit: float) -> dict[str, Any]:
        """Call a function of the learner's; its arguments come from the grader, who is trusted."""
        args, kwargs = pickle.loads(base64.b64decode(arguments))
        before = _mutable(pickle.loads(base64.b64decode(arguments)))
        function = self.answers[answer]
        with self.engine.Sandbox(limit) as sandbox:
            attempt = sandbox.run(lambda: self._data(function(*args, **kwargs)))
        printed = sandbox.output.text()[:2000]
        if attempt.failed:
            kind, line = type(attempt.error), attempt.line
            return {
                "error": [f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__],
                "text": attempt.message,
                "stopped": attempt.stopped,
                "line": [line.function, line.number, line.text] if line is not None else None,
                "printed": printed,
            }
        after = _mutable((args, kwargs))
        changed = [[where, self._data(value)] for where, value in after.items() if not _same(value, before[where])]
        return {"value": attempt.value, "changed": changed, "seconds": attempt.seconds, "printed": printed}

    def do_check(self, id: str, expressions: list[str], settings: dict[str, str]) -> dict[str, Any]:
        """The course's own check, where it lies in the sandbox as well: what it says can be forged."""
        os.environ.update(settings)
        answers = [eval(expression, self.namespace) for expression in expressions]
        result = self.exercise(id).check(*answers)
        rows = [[str(name), str(text)] for name, text in result.rows]
        return {"outcome": str(result.outcome.value), "says": str(result.says), "rows": rows}

    def _data(self, value: Any) -> Any:
        return wire.encode(value, self.compare.Opaque, self.compare.plain)


def _signature(function: Any) -> Any:
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[each.name, int(each.kind), each.default is not each.empty] for each in parameters]


def _mutable(given: tuple[tuple, dict]) -> dict[Any, Any]:
    args, kwargs = given
    import numpy

    found = {**dict(enumerate(args)), **kwargs}
    return {where: value for where, value in found.items() if isinstance(value, (numpy.ndarray, list, dict))}


def _same(one: Any, other: Any) -> bool:
    import numpy

    if isinstance(one, numpy.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    try:
        return bool(one == other)
    except Exception:
        return pickle.dumps(one) == pickle.dumps(other)


if __name__ == "__main__":
    main()
