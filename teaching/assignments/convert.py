"""From a lesson to the source notebook of an nbgrader assignment: cells with nbgrader's metadata, points, hidden tests.

Nothing here needs nbgrader. What learners get is, cell by cell, the notebook that the course hands out: the answers are
cut by the course itself, before nbgrader sees the file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from _lessons import Lesson
from grading import unit
from nbformat import NotebookNode

from cnnlib.exercises import Exercise, exercises_of, source
from cnnlib.exercises.course import NUMBER

SCHEMA = 3  # of nbgrader's metadata
BEGIN, END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
DIFFICULTY = "difficulty"
_CHECK = re.compile(rf'exercise\("(?P<id>{NUMBER}\.\d+)"\)\.check\(.*\)')
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(\.\./[^)]*\)")
_GRADED = re.compile(rf"check-({NUMBER})-(\d+)")
_DOTS = re.compile(r"^([●○]{3}) · \d+ min", re.MULTILINE)

# The visible line stands in a text while the cell is graded, so that no check runs twice.
_HIDDEN = '''{begin}
import contextlib as _contextlib, sys as _sys
from cnnlib import exercise as _exercise
with _contextlib.redirect_stderr(_sys.stdout):  # nbgrader takes all points for a warning
    _outcome = {check}
display(_outcome)
assert _outcome, _outcome.message
_once = """
{end}
{visible}
{begin}
"""
{end}'''
_LATER = "# Exercise {id} is checked when it is graded."


@dataclass(frozen=True)
class Assignment:
    """A source notebook, and what its exercises are worth.

    Attributes:
        notebook: with nbgrader's metadata and the hidden tests.
        points: exercise -> points, in the order of the page.
    """

    notebook: NotebookNode
    points: dict[str, float]


def convert(
    lesson: Lesson,
    points: Mapping[str, float] | float | str = 1.0,
    hidden: bool = False,
    variants: Path | None = None,
) -> Assignment:
    """The source notebook of a lesson.

    Args:
        lesson: the lesson.
        points: of every exercise; or ``"difficulty"``, 1 to 3 by its dots; or a mapping, in which ``""`` stands for
            all that it does not name.
        hidden: an exercise whose check can be forged gets 0 points.
        variants: the instructor's folder of further cases and tasks (``lesson_NN.py``), or None.

    Raises:
        ValueError: points are no number from 0 on, or of an exercise that is not there; the lesson asks for a check
            in a form that cannot be converted; or it has no exercise.
    """
    own, _, asks = unit.variants(lesson.number, variants)
    known = {**exercises_of(lesson.number), **own}
    added = {id: each for id, each in own.items() if id not in exercises_of(lesson.number)}
    worth = _worth(lesson, list(known), points)
    if hidden:
        worth.update({id: 0.0 for id, each in known.items() if unit.way(each) == unit.INSIDE})
    book = lesson.notebook(answered=True)
    pending: list[NotebookNode] = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(r"\1", cell.source)
        elif source.has_answer(cell.source):
            cell.source = source.make_stub(cell.source)  # as in the notebooks that the course hands out
            pending.append(cell)
        elif source.checked_in(cell.source):
            id = _checked(cell.source, lesson)
            _mark_answers(pending, id)
            pending = []
            cell.source = tested(cell.source)
            cell.metadata["nbgrader"] = metadata(f"check-{_key(id)}", points=worth[id])
    if pending:
        raise ValueError(f"{lesson.name}: {len(pending)} cells with an answer have no check behind them")
    for id, each in added.items():
        book.cells += _own_cells(each, asks.get(id, []), worth[id], lesson)
    marked = [id for cell in book.cells if (id := checked_exercise(cell))]
    if not marked:
        raise ValueError(f"{lesson.name} has no exercise, so there is nothing to grade")
    nbformat.validate(book)
    return Assignment(book, {id: worth[id] for id in marked})


def metadata(grade_id: str, *, points: float | None = None) -> dict:
    """What nbgrader keeps of a cell, by schema 3: with points a check, without an answer."""
    graded = points is not None
    found = {"schema_version": SCHEMA, "grade_id": grade_id, "grade": graded, "locked": graded, "task": False}
    return {**found, "solution": not graded, **({"points": points} if graded else {})}


def checked_exercise(cell: NotebookNode) -> str:
    """The exercise that a cell is the check of, by its nbgrader metadata; empty if it is of none."""
    marked = cell.metadata.get("nbgrader")
    found = _GRADED.fullmatch(str(marked.get("grade_id"))) if isinstance(marked, dict) else None
    return f"{found[1]}.{found[2]}" if found else ""


def tested(visible: str) -> str:
    """The text of a check with its hidden tests; `released` takes them away."""
    if '"""' in visible or "\\" in visible:
        raise ValueError(f"a check with three quotes or a backslash cannot be converted: {visible!r}")
    return _HIDDEN.format(begin=BEGIN, end=END, check="_" + visible, visible=visible)


def released(text: str) -> str:
    """What nbgrader leaves of a cell for learners: the text without its hidden tests."""
    kept, inside = [], False
    for line in text.split("\n"):
        if "BEGIN HIDDEN TESTS" in line or "END HIDDEN TESTS" in line:
            inside = "BEGIN" in line
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def read_points(words: Sequence[str]) -> dict[str, float] | str:
    """What `--points` was given: ``2``, ``difficulty``, ``01.3=4``, each alone or behind the first two.

    Raises:
        ValueError: a word is none of these.
    """
    found: dict[str, float] = {}
    by_difficulty = False
    for word in (part for each in words for part in each.split(",") if part):
        id, sign, number = word.rpartition("=")
        if word == DIFFICULTY:
            by_difficulty = True
            continue
        try:
            found[id.strip() if sign else ""] = float(number)
        except ValueError:
            raise ValueError(
                f"--points {word}: expected a number for all (2), an exercise and a number (01.3=4), or 'difficulty'"
            ) from None
    if by_difficulty:
        return DIFFICULTY if not found else {**found, DIFFICULTY: 1.0}
    return found


def _worth(lesson: Lesson, ids: list[str], points: Mapping[str, float] | float | str) -> dict[str, float]:
    given = {"": points} if isinstance(points, (int, float)) else points
    given = {DIFFICULTY: 1.0} if given == DIFFICULTY else dict(given)
    by_difficulty = given.pop(DIFFICULTY, None) is not None
    level = _difficulty(lesson) if by_difficulty else {}
    every = given.pop("", 1.0)
    mine = {id: value for id, value in given.items() if id.partition(".")[0] == lesson.number}
    unknown = sorted(set(mine) - set(ids))
    if unknown:
        raise ValueError(f"points for {unknown[0]}: lesson {lesson.number} has the exercises {', '.join(ids)}")
    found = {id: float(mine.get(id, level.get(id, every))) for id in ids}
    for id, value in found.items():
        if not 0 <= value < 1e6:
            raise ValueError(f"{value} points for exercise {id}: expected a number from 0 on")
    return found


def _difficulty(lesson: Lesson) -> dict[str, float]:
    """Exercise -> 1 to 3, by the dots below its heading; those without are left out."""
    text = "\n\n".join(each.source for each in source.cells(lesson.source) if each.kind == "markdown")
    found = {}
    for id in source.titles(lesson.source):
        said = _DOTS.search(text.partition(f"Exercise {id} · ")[2].partition("\n### ")[0])
        if said:
            found[id] = float(said[1].count("●"))
    return found


def _checked(text: str, lesson: Lesson) -> str:
    match = _CHECK.fullmatch(text.strip())
    if match is None or len(ast.parse(text).body) != 1:
        raise ValueError(f"{lesson.name}: a check is expected to be a cell of one line; this is {text!r}")
    return match["id"]


def _mark_answers(cells: list[NotebookNode], id: str) -> None:
    if not cells:
        raise ValueError(f"exercise {id} has no cell with an answer before its check")
    for count, cell in enumerate(cells, start=1):
        cell.metadata["nbgrader"] = metadata(f"answer-{_key(id)}" + (f"-{count}" if count > 1 else ""))


def _key(id: str) -> str:
    return id.replace(".", "-")  # nbgrader takes no dots


def _own_cells(exercise: Exercise, names: list[str], points: float, lesson: Lesson) -> list[NotebookNode]:
    """The cells of a task of the instructor's own: its text is handed out elsewhere, its check stays here."""
    id = exercise.id
    if not names:
        raise ValueError(f"exercise {id} is your own, and ASKS does not say which names a notebook has to define")
    text = f"### Exercise {id} · {exercise.title}\n\nThe task is handed out with the assignment. Define "
    text += ", ".join(f"`{name}`" for name in names) + " in the cell below."
    failing = f'{_LATER.format(id=id)}\n{BEGIN}\nraise AssertionError("exercise {id} was not judged")\n{END}'
    make = nbformat.v4.new_code_cell
    cells = [
        nbformat.v4.new_markdown_cell(text),
        make("\n".join(f"{name} = ..." for name in names), metadata={"nbgrader": metadata(f"answer-{_key(id)}")}),
        make(failing, metadata={"nbgrader": metadata(f"check-{_key(id)}", points=points)}),
    ]
    for count, cell in enumerate(cells):
        cell.id = f"{lesson.number}-own-{id.partition('.')[2]}-{count}"
    return cells
