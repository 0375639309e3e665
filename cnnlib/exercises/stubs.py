"""Whether an answer is still the stub that the learner was given."""

import ast
import dis
import inspect
import textwrap
import types
from typing import Any

from . import source
from .outcome import code

_ASK = "Write your answer in the cell above, run that cell, then run this one."
_NOTHING = frozenset({"RESUME", "NOP", "RETURN_VALUE", "RETURN_CONST", "LOAD_CONST", "MAKE_CELL", "COPY_FREE_VARS"})


def not_attempted(answer: Any, exercise_id: str) -> str:
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
