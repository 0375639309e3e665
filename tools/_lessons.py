"""The lessons as files: which there are, what their opening says, and the notebook that a source stands for.

A lesson is one file `solutions/NN_name.py` (jupytext percent format). Everything else is made from it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from cnnlib.exercises import source as answers
from cnnlib.exercises.course import NUMBER, number, numbered

ROOT = Path(__file__).resolve().parents[1]
# Tags that say what of a cell is on a slide (teaching/slides.md); they change nothing else.
SLIDES = ("slide-skip", "slide-code", "slide-no-code")
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class Lesson:
    """One lesson: its source, and the folder `root` that holds `solutions/` and `notebooks/`."""

    source: Path
    root: Path = ROOT

    @property
    def name(self) -> str:
        """`01_convolution_arithmetic`."""
        return self.source.stem

    @property
    def number(self) -> str:
        """`01`, or `A` of an appendix."""
        return self.name.partition("_")[0]

    @property
    def path(self) -> Path:
        """Where the learner's notebook is stored."""
        return self.root / "notebooks" / f"{self.name}.ipynb"

    def text(self) -> str:
        return self.source.read_text(encoding="utf-8")

    def notebook(self, answered: bool = False) -> NotebookNode:
        """The lesson as a notebook that was not executed: as learners get it, or with its answers.

        ValueError if a cell has metadata of Jupyter beside `source_hidden`.
        """
        raw = jupytext.reads(self.text(), fmt="py:percent")
        cells = []
        for position, cell in enumerate(raw.cells, start=1):
            text = cell.source
            if "jupyter" in cell.metadata and not is_hidden(cell):
                raise ValueError(
                    f"{self.name}, cell {position}: its metadata is jupyter={dict(cell.metadata.jupyter)}; a lesson "
                    'can collapse a cell, with jupyter={"source_hidden": true}, and nothing else'
                )
            if cell.cell_type == "code":
                make = nbformat.v4.new_code_cell
                text = text if answered else answers.make_stub(text)
            else:
                make = nbformat.v4.new_markdown_cell
            cells.append(make(text, id=f"{self.number}-{position:03d}", metadata=kept_metadata(cell)))
        metadata = {"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}}
        return nbformat.v4.new_notebook(cells=cells, metadata=metadata)

    def opening(self) -> "Opening":
        """What the first cell says; ValueError if it does not say it in the agreed form."""
        cells = jupytext.reads(self.text(), fmt="py:percent").cells
        if not cells or cells[0].cell_type != "markdown":
            raise ValueError(f"{self.name}: the first cell must be markdown: title, question, and what follows")
        return read_opening(cells[0].source, self.name)

    def line(self, cell: int, line: int | None = None) -> int | None:
        """The line of the source at which cell number `cell` (from 1), or its `line`-th line, stands; None if unknown.

        Behind a cut answer the count of lines differs from the notebook's, so `line` is exact only before it.
        """
        found = answers.cells(self.source)
        return found[cell - 1].line + (line or 1) - 1 if 1 <= cell <= len(found) else None


def is_hidden(cell: NotebookNode) -> bool:
    """Whether JupyterLab shows this cell collapsed: `# %% jupyter={"source_hidden": true}` in the source."""
    return cell.metadata.get("jupyter") == {"source_hidden": True}


def kept_metadata(cell: NotebookNode) -> dict:
    """Of a cell's metadata what a notebook keeps: tags, and that the cell is collapsed."""
    kept = {"tags": list(cell.metadata.tags)} if cell.metadata.get("tags") else {}
    return {**kept, "jupyter": {"source_hidden": True}} if is_hidden(cell) else kept


@dataclass(frozen=True)
class Opening:
    """The first cell of a lesson, taken apart; minutes of reading and of exercises."""

    number: str
    title: str
    question: str
    objectives: tuple[str, ...]
    reading: int
    exercises: int


def read_opening(text: str, name: str = "the lesson") -> Opening:
    """Take a lesson's first cell apart; ValueError naming what is missing."""

    def find(pattern: str, what: str) -> tuple[str, ...]:
        match = re.search(pattern, text, re.MULTILINE)
        if not match:
            raise ValueError(f"{name}: the first cell has no {what}")
        return match.groups()

    number, title = find(rf"\A# ({NUMBER}) · (\S.*)$", "title of the form '# 01 · Convolution arithmetic'")
    (question,) = find(r"^\*\*(\S.*\?)\*\*$", "question in bold that ends in a question mark")
    find(r"^When you have worked through this page you can$", "line 'When you have worked through this page you can'")
    objectives = tuple(re.findall(r"^- (\S.*)$", text, re.MULTILINE))
    if not objectives:
        raise ValueError(f"{name}: the first cell has no objectives (a list under 'you can')")
    find(r"(\*\*Before this\*\*)", "'**Before this**'")
    (reading,) = find(r"\*\*Reading\*\* (\d+) min\b", "'**Reading** 35 min'")
    (exercises,) = find(r"\*\*Exercises\*\* (\d+) min\b", "'**Exercises** 40 min'")
    return Opening(number, title, question, objectives, int(reading), int(exercises))


def lessons(root: Path = ROOT) -> list[Lesson]:
    """All lessons in order, appendices last."""
    return [Lesson(path, root) for path in numbered(root / "solutions")]


def choose(wanted: list[str] | None, root: Path = ROOT) -> list[Lesson]:
    """The lessons named by number ('01', '1', 'A') or by name, all if none is named; ValueError if one is not there."""
    found = lessons(root)
    if not wanted:
        return found
    chosen = []
    for word in wanted:
        key = number(word) if len(word) <= 2 else Path(word).stem
        match = [lesson for lesson in found if key in (lesson.number, lesson.name)]
        if not match:
            raise ValueError(f"there is no lesson {word!r}; there are: {', '.join(x.name for x in found) or 'none'}")
        chosen += match
    return chosen
