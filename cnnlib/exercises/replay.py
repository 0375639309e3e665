"""What an answer sees of its lesson: run an answer in the place of the exercise's cell, without the rest of the lesson.

For the tests of the checks, and for tools that try many answers.
"""

import ast
import builtins
import functools
import linecache
import symtable
from pathlib import Path
from typing import Any

from . import course, source


class Lesson:
    """The source of a lesson, and what an answer of its exercises sees of it.

    Args:
        number: of the lesson, ``"01"``.
        path: of its source, if that is not the one in the course's folder.
    """

    def __init__(self, number: str, path: Path | None = None):
        self.number = number
        self.path = path or source.lesson_file(f"{number}.1")
        self.cells = [each for each in source.cells(self.path) if each.kind == "code"]

    def imports(self) -> str:
        """All top-level imports of the lesson."""
        nodes = [node for each in self.cells for node in ast.parse(each.source).body]
        return "\n".join(ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)))

    @functools.cached_property
    def imported(self) -> dict[str, Any]:
        """The names that the imports of the lesson define."""
        namespace: dict[str, Any] = {"__name__": "__main__"}
        run(self.imports(), namespace, f"<imports of lesson {self.number}>")
        return namespace

    @functools.cache  # noqa: B019 (lessons live as long as the program)
    def before(self, exercise_id: str) -> dict[str, Any]:
        """The names that the exercise's cell sees: imports, and what it uses of earlier cells."""
        namespace = dict(self.imported)
        answer = source.answer_source(exercise_id, self.path)
        expressions = "\n".join(source.checked_expressions(exercise_id, self.path))
        first = source.answer_cells(exercise_id, self.path)[0].line
        earlier = [each for each in self.cells if each.line < first]
        for needed in sorted(needed_cells(f"{answer}\n{expressions}", earlier, set(namespace))):
            text = source.without_markers(earlier[needed].source)
            run(text, namespace, f"<lesson {self.number}, line {earlier[needed].line}>")
        return namespace

    def answers(self, exercise_id: str, text: str) -> tuple[Any, ...]:
        """What the check is given after a cell with that text was run; errors are those of the text."""
        namespace = dict(self.before(exercise_id))
        run(text, namespace, f"<answer {exercise_id}>")
        return tuple(eval(each, namespace) for each in source.checked_expressions(exercise_id, self.path))

    def reference(self, exercise_id: str) -> tuple[Any, ...]:
        """What the check is given with the reference answer."""
        return self.answers(exercise_id, source.answer_source(exercise_id, self.path))

    def stub(self, exercise_id: str) -> tuple[Any, ...]:
        """What the check is given before the exercise is answered."""
        return self.answers(exercise_id, source.stub_source(exercise_id, self.path))


def run(text: str, namespace: dict[str, Any], name: str) -> None:
    """Execute source text as a notebook does: its lines can be shown in messages."""
    linecache.cache[name] = (len(text), None, [line + "\n" for line in text.splitlines()], name)
    exec(compile(text, name, "exec"), namespace)


def needed_cells(text: str, earlier: list[source.Cell], known: set[str]) -> set[int]:
    """Which earlier cells define what a text uses, directly or through one another."""
    found: set[int] = set()
    wanted = _used(text) - known - set(dir(builtins)) - _bound(text)
    queue = [(name, len(earlier)) for name in wanted]
    while queue:
        name, end = queue.pop()
        position = next((i for i in range(end - 1, -1, -1) if name in _bound(earlier[i].source)), None)
        if position is None or position in found:
            continue
        found.add(position)
        more = _looked_up_from_outside(earlier[position].source) - known - set(dir(builtins))
        queue += [(other, position) for other in more]
    return found


@functools.cache
def _used(text: str) -> frozenset[str]:
    """The global names that a text looks up."""
    names: set[str] = set()
    tables = [symtable.symtable(text, "<cell>", "exec")]
    while tables:
        table = tables.pop()
        top = table.get_type() == "module"
        names |= {each.get_name() for each in table.get_symbols() if each.is_referenced() and (top or each.is_global())}
        tables += table.get_children()
    return frozenset(names)


@functools.cache
def _looked_up_from_outside(text: str) -> frozenset[str]:
    """The global names that a cell looks up before it gives them a value itself: another cell has to define them."""
    found: set[str] = set()
    bound: set[str] = set()

    def look_up(*nodes: ast.AST | None) -> None:
        for node in nodes:
            if node is not None:
                found.update(_used(ast.unparse(node)) - bound)

    def bind(node: ast.AST | None) -> None:
        if node is not None:
            bound.update(each.id for each in ast.walk(node) if isinstance(each, ast.Name))

    def follow(statements: list[ast.stmt]) -> None:
        for each in statements:
            if isinstance(each, (ast.For, ast.AsyncFor)):
                look_up(each.iter)
                bind(each.target)
            elif isinstance(each, (ast.With, ast.AsyncWith)):
                for item in each.items:
                    look_up(item.context_expr)
                    bind(item.optional_vars)
            elif isinstance(each, (ast.If, ast.While)):
                look_up(each.test)
            elif not isinstance(each, ast.Try):
                look_up(each, each.target if isinstance(each, ast.AugAssign) else None)
                bound.update(_bound(ast.unparse(each)))
                continue
            look_up(*(handler.type for handler in getattr(each, "handlers", [])))
            for part in ("body", "handlers", "orelse", "finalbody"):
                inner = getattr(each, part, [])
                follow([line for one in inner for line in (one.body if part == "handlers" else [one])])

    follow(ast.parse(text).body)
    return frozenset(found)


@functools.cache
def _bound(text: str) -> frozenset[str]:
    """The names that a cell defines at its top level."""
    names: set[str] = set()
    queue: list[ast.AST] = list(ast.parse(text).body)
    while queue:
        node = queue.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        queue += list(ast.iter_child_nodes(node))
    return frozenset(names)


def lesson(number: str) -> Lesson:
    """The lesson of that number, read once."""
    return _lesson(course.current(), number)


@functools.cache
def _lesson(of: course.Course, number: str) -> Lesson:
    return Lesson(number)
