"""What a lesson is made of, read from its source: parts, exercises, predictions, questions to explain.

A part is a heading ``## Part 2 · Title``. A question to explain is a paragraph in bold under ``## Explain it``, with
its model answer behind it, between ``<details><summary>…</summary>`` and ``</details>``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from . import course, source

_PART = re.compile(r"^##\s+(Part\s+\d+\s+·\s+.+?)\s*$", re.MULTILINE)
_SECTION = re.compile(r"^##\s+(.+?)\s*$", re.MULTILINE)
_QUESTION = re.compile(
    r"^\*\*(?P<question>[^*]+)\*\*\s*\n+<details>\s*<summary>[^<]*</summary>\s*\n(?P<answer>.*?)\n\s*</details>",
    re.MULTILINE | re.DOTALL,
)
_PREDICTION = re.compile(rf"""^predict\(\s*["']({course.NUMBER}\.[a-z])["']""", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """One part of a lesson, or all of it where it has no parts (then without a title), with the ids of what it asks."""

    title: str
    exercises: tuple[str, ...]
    predictions: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question that wants an explanation in words; ``id`` is ``"03 · 2"``, the second one of lesson 03."""

    id: str
    question: str
    answer: str


def lessons() -> dict[str, Path]:
    """The lessons by number, ``"03"``, in order: those of the course's folder that have one."""
    folder = course.current().lessons_folder()
    found = {path.name.split("_")[0]: path for path in sorted(Path(folder).glob("*_*.py"))}
    return {number: path for number, path in found.items() if re.fullmatch(course.NUMBER, number)}


def title(path: Path) -> str:
    """What the first line says, ``# 03 · Title``; empty if it does not."""
    cells = source.cells(path)
    heading = cells[0].source.splitlines()[0] if cells and cells[0].source else ""
    return heading.split("·", 1)[1].strip() if heading.startswith("# ") and "·" in heading else ""


def parts(path: Path) -> list[Part]:
    """The parts of a lesson in order; what stands before the first belongs to it."""
    found: list[tuple[str, list[str], list[str]]] = [("", [], [])]
    for cell in source.cells(path):
        if cell.kind == "markdown":
            for heading in _PART.findall(cell.source):
                if found[-1][0]:
                    found.append((heading, [], []))
                else:
                    found[-1] = (heading, *found[-1][1:])
        else:
            found[-1][1].extend(source.checked_in(cell.source))
            found[-1][2].extend(_PREDICTION.findall(cell.source))
    return [Part(title, tuple(exercises), tuple(predictions)) for title, exercises, predictions in found]


def predictions(path: Path) -> list[str]:
    """The ids of the predictions that a lesson asks for, in order."""
    return [id for part in parts(path) for id in part.predictions]


def questions(number: str, path: Path) -> list[Question]:
    """The questions under ``## Explain it`` with their model answers, in order."""
    found: list[Question] = []
    for cell in source.cells(path):
        sections = _SECTION.findall(cell.source) if cell.kind == "markdown" else []
        if "Explain it" not in sections:
            continue
        text = cell.source[cell.source.index("## Explain it") :]
        found += [
            Question(f"{number} · {len(found) + n}", " ".join(match["question"].split()), match["answer"].strip())
            for n, match in enumerate(_QUESTION.finditer(text), 1)
        ]
    return found
