"""Lessons as text: their cells, the reference answer of an exercise, and the stub that is left of it.

A lesson is one file ``NN_name.py`` in jupytext's percent format, in the course's folder of lessons. An answer stands
between two comments of their own lines, ``### BEGIN SOLUTION`` and ``### END SOLUTION``; the next cell asks for its
check with ``exercise("NN.n").check(name)``. Whoever builds notebooks from it uses :func:`make_stub`,
``exercise(...).answer()`` shows :func:`answer_source`, and the tests of the checks work from the same functions, so
that the three cannot differ.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import course
from .course import NUMBER

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"

_CELL = re.compile(r"^# %%(?P<rest>.*)$")
_TAGS = re.compile(r"tags=(\[[^\]]*\])")
_CHECK = re.compile(rf"""exercise\(\s*["'](?P<id>{NUMBER}\.\d+)["']\s*\)\.check\(""")


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson: ``kind`` is ``code`` or ``markdown``, ``line`` its first line in the file, from 1."""

    kind: str
    source: str
    line: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """The lines of one answer inside a cell: those of its two markers, from 0, and their indentation."""

    begin: int
    end: int
    indent: str


class MarkerError(ValueError):
    """The markers of an answer are unbalanced, misplaced, or hold something of which no stub can be made."""


# --- cells -----------------------------------------------------------------------------------------------------------


def cells(path: str | Path) -> list[Cell]:
    """The cells of a lesson in order; markdown without its comment signs.

    Raises:
        FileNotFoundError: there is no such lesson.
    """
    return parse_cells(Path(path).read_text(encoding="utf-8"))


def parse_cells(text: str) -> list[Cell]:
    """As :func:`cells`, from the text of a lesson."""
    found = []
    heads: list[tuple[int, str]] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _CELL.match(line)
        if match:
            heads.append((number, match["rest"]))
    for position, (number, rest) in enumerate(heads):
        end = heads[position + 1][0] if position + 1 < len(heads) else len(lines)
        body = "\n".join(lines[number + 1 : end]).strip("\n")
        kind = "markdown" if "[markdown]" in rest else "code"
        if kind == "markdown":
            body = "\n".join(_uncommented(line) for line in body.splitlines())
        tags = _TAGS.search(rest)
        found.append(Cell(kind, body, number + 2, tuple(ast.literal_eval(tags[1])) if tags else ()))
    return found


def _uncommented(line: str) -> str:
    if line.startswith("# "):
        return line[2:]
    return line[1:] if line.startswith("#") else line


# --- answers ---------------------------------------------------------------------------------------------------------


def lesson_file(exercise_id: str, folder: str | Path | None = None) -> Path:
    """The source of the lesson that an exercise such as ``"01.2"`` belongs to.

    Raises:
        FileNotFoundError: the checkout has no such lesson.
    """
    folder = course.current().lessons_folder() if folder is None else folder
    number = exercise_id.split(".")[0]
    found = sorted(Path(folder).glob(f"{number}_*.py"))
    if not found:
        raise FileNotFoundError(
            f"no file {number}_*.py in {Path(folder).name}/, so exercise {exercise_id} has no reference answer here. "
            "The folder is part of the course's checkout; was it moved or deleted?"
        )
    return found[0]


def answer_cells(exercise_id: str, path: str | Path | None = None) -> list[Cell]:
    """The cells that hold the answer: those with markers between the check before this one and this one's.

    Raises:
        FileNotFoundError: the checkout has no such lesson.
        MarkerError: the lesson does not check this exercise, or nothing is marked as its answer.
    """
    path = lesson_file(exercise_id) if path is None else Path(path)
    marked: list[Cell] = []
    for cell in cells(path):
        if cell.kind != "code":
            continue
        if has_answer(cell.source):
            marked.append(cell)
        asked = [match["id"] for match in _CHECK.finditer(cell.source)]
        if exercise_id in asked:
            if not marked:
                raise MarkerError(f"{path.name}: no cell before the check of exercise {exercise_id} has '{BEGIN}'")
            return marked
        if asked:
            marked = []
    raise MarkerError(f'{path.name}: no cell asks for exercise("{exercise_id}").check(…)')


def answer_source(exercise_id: str, path: str | Path | None = None) -> str:
    """The reference answer as a learner would write it: the whole cell, without the markers.

    Raises:
        FileNotFoundError, MarkerError: as :func:`answer_cells`.
    """
    return "\n\n\n".join(without_markers(cell.source) for cell in answer_cells(exercise_id, path))


def stub_source(exercise_id: str, path: str | Path | None = None) -> str:
    """What a learner finds in the place of the answer.

    Raises:
        FileNotFoundError, MarkerError: as :func:`answer_cells`.
    """
    return "\n\n\n".join(make_stub(cell.source) for cell in answer_cells(exercise_id, path))


def checked_expressions(exercise_id: str, path: str | Path | None = None) -> list[str]:
    """What the lesson hands to the check: ``["output_size"]`` for ``exercise("01.2").check(output_size)``.

    Raises:
        FileNotFoundError: the checkout has no such lesson.
        MarkerError: the lesson does not check this exercise.
    """
    path = lesson_file(exercise_id) if path is None else Path(path)
    for cell in cells(path):
        if cell.kind != "code" or exercise_id not in [match["id"] for match in _CHECK.finditer(cell.source)]:
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and _is_check_of(node, exercise_id):
                return [ast.unparse(argument) for argument in node.args]
    raise MarkerError(f'{path.name}: no cell asks for exercise("{exercise_id}").check(…)')


def _is_check_of(node: ast.Call, exercise_id: str) -> bool:
    check = node.func
    if not (isinstance(check, ast.Attribute) and check.attr == "check" and isinstance(check.value, ast.Call)):
        return False
    asked = check.value.args
    return bool(asked) and isinstance(asked[0], ast.Constant) and asked[0].value == exercise_id


def checked_ids(path: str | Path) -> list[str]:
    """The exercises that a lesson checks, in order."""
    return [id for cell in cells(path) if cell.kind == "code" for id in checked_in(cell.source)]


def checked_in(cell_source: str) -> list[str]:
    """The exercises that a cell of code checks, in order."""
    return [match["id"] for match in _CHECK.finditer(cell_source)]


def titles(path: str | Path) -> dict[str, str]:
    """The exercises that a lesson announces, ``### Exercise 01.2 · Title``, in order: id to title."""
    heading = re.compile(rf"^###\s+Exercise\s+({NUMBER}\.\d+)\s+·\s+(.+?)\s*$", re.MULTILINE)
    return {
        match[1]: match[2] for cell in cells(path) if cell.kind == "markdown" for match in heading.finditer(cell.source)
    }


# --- markers and stubs -----------------------------------------------------------------------------------------------


def has_answer(cell_source: str) -> bool:
    """Whether a cell has a marker of an answer."""
    return any(line.strip() in (BEGIN, END) for line in cell_source.splitlines())


def blocks(cell_source: str) -> list[Block]:
    """The answers of a cell, by the lines of their markers.

    Raises:
        MarkerError: a marker without its partner, one inside another, or one that shares its line with code.
    """
    found: list[Block] = []
    opened: tuple[int, str] | None = None
    for number, indent, text, alone in _marker_comments(cell_source):
        if not alone:
            raise MarkerError(f"line {number + 1}: '{text}' must stand on a line of its own")
        if text == BEGIN:
            if opened:
                raise MarkerError(f"line {number + 1}: '{BEGIN}' inside the answer that begins on line {opened[0] + 1}")
            opened = (number, indent)
        elif not opened:
            raise MarkerError(f"line {number + 1}: '{END}' without '{BEGIN}'")
        else:
            if indent != opened[1]:
                raise MarkerError(f"line {number + 1}: '{END}' is indented differently from its '{BEGIN}'")
            found.append(Block(opened[0], number, indent))
            opened = None
    if opened:
        raise MarkerError(f"line {opened[0] + 1}: '{BEGIN}' without '{END}'")
    return found


def _marker_comments(cell_source: str) -> Iterator[tuple[int, str, str, bool]]:
    """Line, indentation, text, and whether it stands alone, of each marker; text inside strings is no marker."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(cell_source).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError) as error:
        raise MarkerError(f"the cell is not valid Python: {error}") from None
    for token in tokens:
        text = token.string.rstrip()
        if token.type == tokenize.COMMENT and text in (BEGIN, END):
            before = token.line[: token.start[1]]
            yield token.start[0] - 1, before, text, not before.strip()


def without_markers(cell_source: str) -> str:
    """The cell with its answer, without the lines of the markers."""
    marks = {line for block in blocks(cell_source) for line in (block.begin, block.end)}
    return "\n".join(line for number, line in enumerate(cell_source.splitlines()) if number not in marks)


def make_stub(cell_source: str) -> str:
    """The cell as a learner gets it; a cell without markers comes back as it is.

    In the body of a function or method the answer becomes ``...``. Elsewhere each name (or ``name.attribute``, or
    ``name[key]``) that the answer assigns becomes ``name = ...``, so that the notebook runs before it is answered.

    Raises:
        MarkerError: unbalanced markers, an answer without code, one that starts or ends within a statement, or one
            outside a function that defines a function or a class (their ``def`` lines belong outside the markers).
    """
    found = blocks(cell_source)
    if not found:
        return cell_source
    lines = cell_source.splitlines()
    tree = _parse(cell_source, "the cell is not valid Python")
    for block in reversed(found):
        lines[block.begin : block.end + 1] = _stub_lines(tree, block, lines)
    stub = "\n".join(lines)
    _parse(stub, "the stub that is left without the answer is not valid Python")
    return stub


def _parse(text: str, complaint: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise MarkerError(f"{complaint}: {error}") from None


def _stub_lines(tree: ast.Module, block: Block, lines: list[str]) -> list[str]:
    statements = _statements(tree, block)
    covered = {line for each in statements for line in range(each.lineno - 1, each.end_lineno)}
    loose = [line for line in range(block.begin + 1, block.end) if _is_code(lines[line]) and line not in covered]
    if loose:
        raise MarkerError(f"line {loose[0] + 1}: what stands between the markers is not whole statements")
    if not statements:
        raise MarkerError(f"line {block.begin + 1}: nothing stands between the markers")
    if any(each.col_offset != len(block.indent) for each in statements):
        raise MarkerError(f"line {block.begin + 1}: the markers are indented differently from the answer")
    if _inside_function(tree, block):
        return [f"{block.indent}..."]
    targets = list(dict.fromkeys(target for each in statements for target in _assigned(each, block)))
    return [f"{block.indent}{target} = ..." for target in targets] or [f"{block.indent}..."]


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _statements(tree: ast.Module, block: Block) -> list[ast.stmt]:
    """The statements that lie between the markers, without those inside them, in order."""
    inside = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and block.begin < node.lineno - 1 and node.end_lineno - 1 < block.end
    ]
    nested = {inner for node in inside for inner in ast.walk(node) if inner is not node}
    return sorted((node for node in inside if node not in nested), key=lambda node: node.lineno)


def _inside_function(tree: ast.Module, block: Block) -> bool:
    """Whether the innermost scope around the block is a function (and not the module or a class)."""
    inside, start = False, -1
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        # Comments are not in the tree, so the end of a body is its last statement, maybe before the END marker.
        around = node.lineno - 1 < block.begin < node.end_lineno - 1
        if around and node.lineno > start and node.col_offset < len(block.indent):
            inside, start = not isinstance(node, ast.ClassDef), node.lineno
    return inside


def _assigned(statement: ast.stmt, block: Block) -> Iterator[str]:
    """What a statement assigns, as source text; temporary names of loops and ``with`` are left out."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        raise MarkerError(
            f"line {block.begin + 1}: the answer defines {statement.name!r}. "
            "Put the markers inside its body: the def line and the docstring stay for the learner."
        )
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _targets(target)
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        yield from _targets(statement.target)
    for field in ("body", "orelse", "finalbody"):
        for inner in getattr(statement, field, []):
            yield from _assigned(inner, block)


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _targets(element)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value)
    else:
        yield ast.unparse(target)
