"""What a notebook of a learner has to have before nbgrader grades it, and what its check cells say in the end.

nbgrader stops with an error, or gives all points, where a cell was deleted, copied or renamed, or where a check said
nothing. So the cells are put back as they were handed out, and a check without evidence that it is right is wrong.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from cnnlib.exercises.outcome import Outcome, Result

from .convert import checked_exercise, released

_GONE = "# This cell was missing from what was handed in."


def mend(book: NotebookNode, handed_out: NotebookNode) -> list[str]:
    """Give the cells of a submission the marks that they were handed out with; what was mended, in words.

    A copy of a cell, a cell with a mark that nobody gave, and marks that were altered: all are put right. A missing
    check comes back behind the cell that it followed; a missing answer as an empty cell, so that one that the learner
    wrote elsewhere stands.

    Args:
        book: what was handed in; it is changed.
        handed_out: the source notebook.
    """
    said = []
    wanted = {each.metadata.nbgrader.grade_id: each for each in handed_out.cells if _id(each)}
    seen: dict[str, NotebookNode] = {}
    for cell in reversed(book.cells):  # of copies the last one counts, as in nbgrader
        id = _id(cell)
        marked = cell.metadata.pop("nbgrader", None)
        if id in wanted and id not in seen:
            cell.metadata["nbgrader"] = copy.deepcopy(wanted[id].metadata.nbgrader)
            _same_kind(cell, wanted[id])
            seen[id] = cell
        elif marked:
            said.append(f"a cell with the mark {id or 'of no name'!r} that was not handed out, or twice")
    before: NotebookNode | None = None
    for id, original in wanted.items():
        if id not in seen:
            said.append(f"cell {id} was missing")
            again = copy.deepcopy(original)
            if original.metadata.nbgrader.get("solution"):
                again.source = _GONE
            place = _position(book, before) + 1 if before is not None else 0
            book.cells.insert(place, again)
            seen[id] = again
        before = seen[id]
    _unique_ids(book)
    return said


def _id(cell: NotebookNode) -> str:
    marked = cell.metadata.get("nbgrader")
    id = marked.get("grade_id") if isinstance(marked, dict) else None
    return id if isinstance(id, str) else ""


def _same_kind(cell: NotebookNode, original: NotebookNode) -> None:
    if cell.cell_type == original.cell_type:
        return
    cell.cell_type = original.cell_type
    if original.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def _position(book: NotebookNode, cell: NotebookNode) -> int:
    return next(number for number, each in enumerate(book.cells) if each is cell)


def _unique_ids(book: NotebookNode) -> None:
    taken: set[str] = set()
    for cell in book.cells:
        if book.get("nbformat_minor", 5) < 5:  # notebooks of an older form have none
            cell.pop("id", None)
        elif cell.get("id") in taken:
            cell.id = new_code_cell().id
        taken.add(cell.get("id"))


# --- what is handed to the grader, and what comes of it ---------------------------------------------------------------


def as_learners_see(book: NotebookNode) -> NotebookNode:
    """A copy without hidden tests, which the grader would take for code of the learner's."""
    plain = copy.deepcopy(book)
    for cell in plain.cells:
        if cell.cell_type == "code" and _id(cell):
            cell.source = released(cell.source)
    return plain


def positions(book: NotebookNode) -> dict[str, int]:
    """Exercise -> its check among the cells of code, from 0: the marked one, whatever copies of it stand elsewhere."""
    code = [each for each in book.cells if each.cell_type == "code"]
    return {id: number for number, each in enumerate(code) if (id := checked_exercise(each))}


def says_right(cell: NotebookNode, id: str) -> bool:
    """Whether a check cell ran to its end in the kernel, and its result says that the answer is right."""
    if any(each.output_type == "error" for each in cell.outputs):
        return False
    shown = [each.get("data", {}).get("text/plain", "") for each in cell.outputs if each.output_type == "display_data"]
    return any(re.match(rf"✔ Right · Exercise {re.escape(id)} ", "".join(text)) for text in shown)


def settle(cell: NotebookNode, right: bool, why: str = "") -> None:
    """Make nbgrader give all points of a check cell, or none; what the kernel printed stays.

    A warning would cost the points, and a number as the last result would be taken for points.
    """
    kept = [each for each in cell.outputs if each.output_type in ("stream", "display_data")]
    for each in kept:
        if each.output_type == "stream":
            each.name = "stdout"
    failed = [each for each in cell.outputs if each.output_type == "error"]
    cell.outputs = kept if right else kept + (failed or [_error(why or "The check did not come to its end.")])


def decide(cell: NotebookNode, row: dict[str, Any], id: str, title: str) -> None:
    """Put the grader's result into a check cell, in the place of what the kernel says."""
    outcome = Outcome(row["outcome"])
    rows = (("Likely", row["likely"]),) if row.get("likely") else ()
    result = Result(id, title, outcome, row.get("says", ""), rows)
    data = {"text/plain": repr(result), "text/html": result._repr_html_()}
    cell.outputs = [new_output("display_data", data)]
    if outcome != Outcome.RIGHT:
        cell.outputs.append(_error(result.message or "Not attempted yet."))


def _error(message: str) -> NotebookNode:
    return new_output("error", ename="AssertionError", evalue=message, traceback=[f"AssertionError: {message}"])
