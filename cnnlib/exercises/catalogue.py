"""Which exercises there are: found by id, and listed without importing the lessons they belong to."""

import ast
import functools
import importlib
import re
from pathlib import Path

from . import course as _course
from .kinds import Exercise

_KINDS = ("FunctionExercise", "ValueExercise", "CheckExercise")


def exercise(id: str) -> Exercise:
    """The exercise of that id, such as ``"01.2"``: its ``.check(answer)``, ``.hint()`` and ``.answer()``.

    Raises:
        TypeError: the id is not a text.
        ValueError: there is no such exercise; the message lists those there are.
        LookupError: no course was told.
    """
    if not isinstance(id, str):
        raise TypeError(f'an exercise is named by a text, exercise("01.2"); {id!r} was given')
    folder = _course.current().checks_folder()
    match = re.fullmatch(r"\s*(\d\d?|[A-Za-z])\.(\d+)\s*", id)
    if match:
        lesson, number = _course.number(match[1]), str(int(match[2]))
        if (folder / f"lesson_{lesson}.py").is_file():
            found = exercises_of(lesson).get(f"{lesson}.{number}")
            if found is not None:
                return found
    known = listed()
    near = [key for key in known if match and key.startswith(_course.number(match[1]))] or list(known)
    raise ValueError(f"there is no exercise {id!r}; there are: {', '.join(near) or 'none'}")


def exercises_of(lesson: str) -> dict[str, Exercise]:
    """The exercises of one lesson, ``"01"``, by id; imports its checks.

    Raises:
        ValueError: the list of the lesson is not well formed.
    """
    return _exercises_of(_course.current().checks, lesson)


@functools.cache
def _exercises_of(checks: str, lesson: str) -> dict[str, Exercise]:
    module = importlib.import_module(f"{checks}.lesson_{lesson}")
    found: dict[str, Exercise] = {}
    for each in module.EXERCISES:
        if each.id in found or not each.id.startswith(f"{lesson}."):
            raise ValueError(f"lesson_{lesson}.py: exercise {each.id} is there twice, or belongs to another lesson")
        found[each.id] = each
    return found


def listed() -> dict[str, str]:
    """All exercises, id to title, in order; read from the source of the lessons' checks, which are not imported."""
    found: dict[str, str] = {}
    for path in _course.numbered(_course.current().checks_folder(), before="lesson_"):
        found |= _listed_in(path, path.stat().st_mtime_ns)
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


@functools.cache
def _listed_in(path: Path, changed: int) -> dict[str, str]:
    """The exercises of a file as it was at that time of its last change, id to title."""
    found: dict[str, str] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = {*_KINDS, *_own_kinds(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in kinds:
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            given.update(zip(("id", "title"), node.args))
            texts = [given.get(name) for name in ("id", "title")]
            if all(isinstance(text, ast.Constant) for text in texts):
                found[texts[0].value] = texts[1].value
    return found


def _own_kinds(tree: ast.Module) -> set[str]:
    """The classes that a lesson derives from a kind of exercise, and its functions that are annotated to return one."""
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    derived = {
        each.name for each in classes if any(isinstance(base, ast.Name) and base.id in _KINDS for base in each.bases)
    }
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return derived | {each.name for each in functions if getattr(each.returns, "id", None) in _KINDS}


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _order(id: str) -> tuple[str, int]:
    """Lessons by number, appendices behind them."""
    lesson, number = id.split(".")
    return lesson, int(number)
