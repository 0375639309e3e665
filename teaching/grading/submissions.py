"""A folder of what learners handed in: which file is whose, which lesson it is, and which of its cells hold an answer.

Everything here only reads text. Nothing of a submission is executed, and no name in it is trusted.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnlib.exercises import replay, source
from cnnlib.exercises.course import NUMBER

MOST_BYTES = 40 * 1024**2
MOST_SOURCE = 1_000_000  # characters of all code cells
_ASKED = re.compile(rf"""exercise\(\s*["']\s*({NUMBER}\.\d+)\s*["']\s*\)\s*\.(check|hint|answer)\(""")
_HEADING = re.compile(rf"^#+\s*Exercise\s+({NUMBER}\.\d+)", re.MULTILINE)
_HINT = re.compile(rf"Hint\W.{{0,60}}?(\d+) of \d+ · Exercise ({NUMBER}\.\d+)", re.DOTALL)
_SHOWN = re.compile(rf"Reference answer\W.{{0,20}}?[Ee]xercise ({NUMBER}\.\d+)", re.DOTALL)


class NotReadable(ValueError):
    """A file is no notebook that can be graded; the message says why."""


@dataclass
class Submission:
    """One notebook of one learner.

    Attributes:
        learner: as the folder, or else the file, is called.
        path: of the file.
        lesson: its number.
        cells: the text of its code cells.
        checks: exercise -> the cell (from 0) in which it is checked first.
        hints: exercise -> hints that the notebook shows or asks for.
        shown: exercises whose reference answer the notebook shows or asks for.
    """

    learner: str
    path: Path
    lesson: str
    cells: list[str]
    checks: dict[str, int] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)


# --- files ------------------------------------------------------------------------------------------------------------


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Learner and path of each file: the first folder names the learner; where there is none, the file does."""
    found = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part == "__MACOSX" for part in parts[:-1]) or parts[-1].startswith("."):
            continue
        if path.is_symlink() or any(parent.is_symlink() for parent in _between(path, folder)) or path.is_file():
            found.append((owner(parts), path))
    yield from sorted(found, key=lambda each: (each[0], each[1].as_posix()))


def is_progress(path: Path) -> bool:
    """Whether a file is the course's record of progress."""
    return path.suffix == ".json" and path.name.startswith("progress") and not path.is_symlink()


def _between(path: Path, folder: Path) -> Iterator[Path]:
    for parent in path.parents:
        if parent == folder:
            return
        yield parent


def owner(parts: tuple[str, ...]) -> str:
    """Whose a file is, by its path: the first folder, else the name of the file."""
    name = parts[0] if len(parts) > 1 else Path(parts[0]).stem
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    return "".join(letter if letter.isprintable() else "�" for letter in name).strip() or "(no name)"


def read(learner: str, path: Path, lessons: Iterable[str]) -> Submission:
    """A notebook, whatever it is called.

    Raises:
        NotReadable: it is none, too large, a link, or of no lesson.
    """
    if path.is_symlink():
        raise NotReadable("a link to another file: not followed")
    if path.stat().st_size > MOST_BYTES:
        raise NotReadable(f"{path.stat().st_size / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f}: not read")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
        cells = [
            (each.get("cell_type"), _text(each.get("source", "")), each.get("outputs")) for each in content["cells"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotReadable("not a notebook (no JSON with cells)") from None
    code = [text for kind, text, _ in cells if kind == "code"]
    if sum(map(len, code)) > MOST_SOURCE:
        raise NotReadable(f"more than {MOST_SOURCE:,} characters of code")
    lesson = _lesson([text for _, text, _ in cells], path, set(lessons))
    found = Submission(learner, path, lesson, [_without_magics(text) for text in code])
    for number, text in enumerate(code):
        for id, asked in _ASKED.findall(text):
            if asked == "check":
                found.checks.setdefault(id, number)
            elif asked == "hint":
                found.hints[id] = max(found.hints.get(id, 0), 1)
            else:
                found.shown.add(id)
    for _, _, outputs in cells:
        said = json.dumps(outputs, ensure_ascii=False)[:200_000] if outputs else ""
        for count, id in _HINT.findall(said):
            found.hints[id] = max(found.hints.get(id, 0), min(int(count[:2]), 9))
        found.shown.update(_SHOWN.findall(said))
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "".join(map(str, value))


def _lesson(texts: list[str], path: Path, lessons: set[str]) -> str:
    """The lesson that most of its exercises belong to; else the one in its heading; else the one in its name."""
    counted: dict[str, int] = {}
    for text in texts:
        for id in {each[0] for each in _ASKED.findall(text)} | set(_HEADING.findall(text)):
            counted[id.split(".")[0]] = counted.get(id.split(".")[0], 0) + 1
    if not counted and texts:
        heading = re.match(rf"#\s+({NUMBER})\s+·", texts[0])
        name = re.search(rf"(?<![0-9A-Za-z])({NUMBER})_[a-z]", path.name)
        for match in (heading, name):
            if match and match[1] in lessons:
                counted.setdefault(match[1], 1)
    known = {number: count for number, count in counted.items() if number in lessons}
    if not known:
        raise NotReadable("a notebook with no exercise of this course")
    return max(known, key=known.get)


def _without_magics(text: str) -> str:
    """The cell as Python: lines for IPython alone are left out, the rest keeps its numbers."""
    if text.lstrip().startswith("%%"):
        first, _, rest = text.lstrip().partition("\n")
        return "\n" + rest if re.match(r"%%(time|timeit|capture)\b", first) else ""
    try:
        ast.parse(text)
        return text
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "\n".join("" if re.match(r"\s*[%!?]|.*\?\s*$", line) else line for line in text.splitlines())


# --- cells of an answer -----------------------------------------------------------------------------------------------


def chosen(submission: Submission, id: str, names: list[str], lesson: Path, order: list[str]) -> list[str] | None:
    """The cells to run before an answer can be asked for: imports, and what it needs; None if there is none.

    Args:
        submission: the notebook.
        id: of the exercise.
        names: the expressions that the check is given.
        lesson: the lesson's source.
        order: the lesson's exercises, in order.
    """
    cells = [each if _parses(each) else "" for each in submission.cells]
    end = _end(submission, id, order)
    handed_out = {
        source.make_stub(each.source).strip(): source.has_answer(each.source)
        for each in source.cells(lesson)
        if each.kind == "code"
    }
    wanted = _names(names)
    own = [text.strip() not in handed_out for text in cells]
    # A stub that was left beside the answer is not the answer.
    answered = {name for text, mine in zip(cells[:end], own) if mine for name in _bound(text) | _touches(text)}
    if not answered & wanted and _stubs(id, lesson) <= {text.strip() for text in cells}:
        return None
    earlier = [
        "" if handed_out.get(text.strip()) and _bound(text) & wanted <= answered and _bound(text) & wanted else text
        for text in cells[:end]
    ]
    found = _needed("\n".join(names), earlier)
    if not found:
        return None
    changed = True
    while changed:  # cells of the learner's own that change what was found
        changed = False
        bound = {name for number in found for name in _bound(earlier[number])} | wanted
        for number in range(min(found), end):
            if number not in found and own[number] and _touches(earlier[number]) & bound:
                found |= {number} | _needed(earlier[number], earlier[:number])
                changed = True
    return [_imports(cells), *(earlier[number] for number in sorted(found))]


def _stubs(id: str, lesson: Path) -> set[str]:
    """The cells of an answer as they were handed out; empty for an exercise that the lesson does not have."""
    try:
        return {source.make_stub(each.source).strip() for each in source.answer_cells(id, lesson)}
    except source.MarkerError:
        return {"an exercise of the instructor's own"}


def _end(submission: Submission, id: str, order: list[str]) -> int:
    """The first cell that is behind the answer: after its check, or at the next exercise's if its own is gone."""
    if id in submission.checks:
        end = submission.checks[id] + 1
        others = set(submission.checks.values())
        while end < len(submission.cells) and end not in others and _again(submission.cells[end], submission, id):
            end += 1
        return end
    later = order[order.index(id) + 1 :] if id in order else []
    return min((submission.checks[each] for each in later if each in submission.checks), default=len(submission.cells))


def _again(text: str, submission: Submission, id: str) -> bool:
    """Whether a cell behind a check is an answer that was written there."""
    checked = submission.cells[submission.checks[id]]
    return bool(_bound(text) & replay._used(checked)) if _parses(text) and _parses(checked) else False


def _needed(text: str, earlier: list[str]) -> set[int]:
    return replay.needed_cells(text, [source.Cell("code", each, 0) for each in earlier], set())


def _names(expressions: list[str]) -> set[str]:
    nodes = (node for each in expressions for node in ast.walk(ast.parse(each)))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _bound(text: str) -> frozenset[str]:
    return replay._bound(text)


def _parses(text: str) -> bool:
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        compile(text, "<cell>", "exec", ast.PyCF_ONLY_AST)
        replay._used(text)
        return True
    return False


def _touches(text: str) -> set[str]:
    """The names whose values a cell changes without binding them: x[0] = 1, x.a = 1, x += 1, x.append(1)."""
    found = set()
    for node in ast.parse(text).body:
        targets = getattr(node, "targets", []) if not isinstance(node, ast.AugAssign) else [node.target]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            targets = [node.value.func] if isinstance(node.value.func, ast.Attribute) else []
        for target in targets:
            base = target
            while isinstance(base, (ast.Subscript, ast.Attribute)):
                base = base.value
            if isinstance(base, ast.Name) and base is not target or isinstance(node, ast.AugAssign):
                found.add(getattr(base, "id", ""))
    return found


def _imports(cells: list[str]) -> str:
    nodes = (node for text in cells for node in ast.parse(text).body)
    return "\n".join(ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)))


def shape_of(cells: list[str] | None) -> str:
    """What is equal for two answers that differ in layout and comments only; empty if there is none."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        return "\n".join(ast.dump(ast.parse(text)) for text in cells[1:]) if cells else ""
    return ""
