"""Cells that failed: a check must not judge the function of an older cell in the place of one that could not run.

In a notebook a cell with a mistake leaves all names as they were. The engine therefore listens to the end of each cell
and remembers, for each name that a failed cell would have defined and did not, what it was and why.
"""

import ast
import contextlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .outcome import code

_MISSING = object()


@dataclass(frozen=True)
class Failed:
    """A cell that failed before it defined a name: what to say, and the value that the name has kept."""

    says: str
    rows: tuple[tuple[str, str], ...]
    kept: Any = _MISSING


_failed: dict[str, Failed] = {}  # by the name that was not defined
_listening: list[Any] = []  # to these shells
_running: list[str] = []  # the text of the cell that runs now


def listen() -> None:
    """Remember from now on which cells fail, if this runs in a notebook or in IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or any(each is shell for each in _listening):
        return
    with contextlib.suppress(Exception):
        shell.events.register("pre_run_cell", _begun)
        shell.events.register("post_run_cell", lambda result: _ended(shell, result))
        _listening.append(shell)


def failed_since(answers: Iterable[Any], exercise_id: str) -> Failed | None:
    """The failed cell that should have defined one of the answers of a check anew; None if there is none."""
    if not _failed:
        return None
    answers = list(answers)
    asked = _names_asked(_running[-1], exercise_id) if _running else []
    if len(asked) != len(answers):
        asked = [getattr(answer, "__name__", None) for answer in answers]
    for name, answer in zip(asked, answers):
        found = _failed.get(name) if isinstance(name, str) else None
        if found is not None and found.kept is answer:
            return found
    return None


def _names_asked(text: str, exercise_id: str) -> list[str | None]:
    """The names that the check of an exercise is given in a cell; None for what is no name."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "check":
            owner = node.func.value
            asked = owner.args[0] if isinstance(owner, ast.Call) and owner.args else None
            if not isinstance(asked, ast.Constant) or str(asked.value).strip() != exercise_id:
                continue
            return [each.id if isinstance(each, ast.Name) else None for each in node.args]
    return []


# --- listening -------------------------------------------------------------------------------------------------------


def _begun(info: Any) -> None:
    _running[:] = [str(getattr(info, "raw_cell", "") or "")]


def _ended(shell: Any, result: Any) -> None:
    """Note what a cell has defined, and what it has not."""
    with contextlib.suppress(Exception):  # whatever goes wrong here, the notebook goes on
        _note(shell, result)


def _note(shell: Any, result: Any) -> None:
    raw = str(result.info.raw_cell or "")
    error = result.error_before_exec or result.error_in_exec
    defined = _definitions(shell.transform_cell(raw) if error is None or result.error_before_exec is None else raw)
    if error is None:
        for name in defined:
            _failed.pop(name, None)
        return
    line = None if result.error_before_exec is not None else _failing_line(error, shell.transform_cell(raw))
    for name, end in defined.items():
        if line is not None and end < line:
            _failed.pop(name, None)
        else:
            _failed[name] = _failure(name, error, raw, line, shell.user_ns.get(name, _MISSING))


def _definitions(text: str) -> dict[str, int]:
    """The names that a cell binds at its top level -> the last line of the first statement that does."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return _guessed_definitions(text)
    found: dict[str, int] = {}
    for statement in tree.body:
        for name in _bound(statement):
            found.setdefault(name, statement.end_lineno or statement.lineno)
    return found


def _bound(statement: ast.AST) -> Iterable[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    if isinstance(statement, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return
    if isinstance(statement, ast.Name) and isinstance(statement.ctx, ast.Store):
        yield statement.id
    for node in ast.iter_child_nodes(statement):
        yield from _bound(node)


_DEFINITION = re.compile(
    r"^(?:(?:async\s+)?def|class)\s+([^\W\d]\w*)"  # def f, class A
    r"|^([^\W\d]\w*)\s*(?::[^=\n]+)?=(?!=)",  # a = ..., a: int = ...
    re.MULTILINE,
)


def _guessed_definitions(text: str) -> dict[str, int]:
    """As :func:`_definitions`, of a cell that is not valid Python: lines that begin like a definition."""
    return {match[1] or match[2]: 0 for match in _DEFINITION.finditer(text)}


def _failing_line(error: BaseException, text: str) -> int | None:
    """The line of the cell's top level that failed; None if that cannot be told."""
    count = len(text.splitlines())
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "<module>" and trace.tb_lineno <= count:
            return trace.tb_lineno
        trace = trace.tb_next
    return None


def _failure(name: str, error: BaseException, raw: str, line: int | None, kept: Any) -> Failed:
    number = error.lineno if isinstance(error, SyntaxError) and line is None else line
    lines = raw.splitlines()
    text = lines[number - 1].strip() if number is not None and 0 < number <= len(lines) else ""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    rows = [("Error", code(f"{type(error).__name__}: {said}" if said else type(error).__name__))]
    if number is not None:
        rows.append(("Your line", f"line {number} of its cell" + (f": {code(text)}" if text else "")))
    says = (
        f"The cell that should have defined {code(name)} last stopped with an error, so {code(name)} is still the one "
        "from before, and is not checked. Mend that cell, run it, then run this one."
    )
    return Failed(says, tuple(rows), kept)
