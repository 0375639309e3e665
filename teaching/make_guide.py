"""Make the instructor's guide: one page from the lessons, their checks, the times and `teaching/guide.toml`.

    python teaching/make_guide.py                  # build/guide/guide.html
    python teaching/make_guide.py --lesson 06      # of one lesson; may be given more than once

For each lesson: minutes by part, what to prepare, what to show, what goes wrong in class, questions to discuss with
answers; for each exercise its minutes, the typical mistakes with the message that learners get, and what to say: all of
it from the checks themselves. Before that two syllabuses, assessment, and what changed. The page has no script and can
be printed. It holds model answers to questions, but no answers of exercises.
"""

from __future__ import annotations

import argparse
import ast
import functools
import html
import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
for each in (ROOT / "teaching", ROOT):
    if str(each) not in sys.path:
        sys.path.insert(0, str(each))

import typeset  # noqa: E402

from cnnlib.exercises import exercises_of, outline, source  # noqa: E402

NOTES = ROOT / "teaching" / "guide.toml"
MADE = "<!-- instructor's guide, made by this course -->"
NAME = "Instructor's guide"
SHOWN = 5  # mistakes of an exercise that are not folded away
MOST_LINES = 8  # of a wrong answer that is shown


# --- what is known of a lesson and its exercises ---------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """A wrong idea: what learners are told, and the answer that gives it, where the check knows one."""

    message: str
    example: str = ""


@dataclass(frozen=True)
class Opening:
    """What the first cell of a lesson says."""

    question: str
    goals: tuple[str, ...]
    before: str
    parts: tuple[tuple[str, ...], ...]  # of the table: part, question, minutes


def opening(path: Path) -> Opening:
    """The opening of a lesson."""
    text = source.cells(path)[0].source
    question = re.search(r"^\*\*(.+?\?)\*\*\s*$", text, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    before = re.search(r"^\*\*Before this\*\*.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return Opening(
        " ".join(question[1].split()) if question else "",
        tuple(line[2:] for line in text.splitlines() if line.startswith("- ")),
        " ".join(before[0].split()) if before else "",
        tuple(tuple(row) for row in rows[2:] if len(row) == 3),
    )


def expected(path: Path) -> dict[str, str]:
    """What the lesson says below the heading of each exercise, ``●●○ · 10 min``; none in a lesson that does not."""
    found = {}
    for cell in source.cells(path):
        for match in re.finditer(r"^### Exercise (\S+) · .*\n+(?P<line>[●○]+ · \d+ min)", cell.source, re.MULTILINE):
            found[match[1]] = match["line"]
    return found


def mistakes(exercise: Any) -> list[Mistake]:
    """The wrong ideas that an exercise knows, in the order in which it looks for them."""
    known = [Mistake(each.message, _example(each.wrong)) for each in getattr(exercise, "misconceptions", ())]
    for function in _checking(exercise):
        known += [Mistake(message) for message in _messages(function)]
    first: dict[str, Mistake] = {}
    for each in known:
        first.setdefault(each.message, each)
    return list(first.values())


def _checking(exercise: Any) -> Iterator[Callable[..., Any]]:
    """The functions of the course that judge an answer to this exercise."""
    for name in ("_examine", "compare"):
        function = getattr(exercise, name, None)
        function = getattr(function, "func", function)  # of a partial
        if inspect.isfunction(function) and ".checks." in function.__module__:
            yield function


def _example(wrong: Any) -> str:
    """A wrong answer as text: the body of a function, or a value; empty where it is neither, or too long."""
    if not callable(wrong):
        return repr(wrong) if len(repr(wrong)) < 200 else ""
    if "<" in getattr(wrong, "__qualname__", "<lambda>"):  # its text alone does not say what it does
        return ""
    try:
        text = textwrap.dedent(inspect.getsource(wrong)).strip()
    except (OSError, TypeError):
        return ""
    return text if text.startswith("def ") and text.count("\n") < MOST_LINES else ""


@functools.cache
def _functions(module: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(Path(sys.modules[module].__file__ or "").read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _messages(function: Callable[..., Any]) -> list[str]:
    """The messages of all ``Wrong(...)`` in a function and in those of its module that it calls."""
    known = _functions(function.__module__)
    waiting, seen, found = [function.__name__], set(), []
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in known:
            continue
        seen.add(name)
        for node in ast.walk(known[name]):
            if isinstance(node, ast.Name) and node.id in known:
                waiting.append(node.id)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Wrong" and node.args:
                found += [text for text in _texts(node.args[0]) if len(text) > 15]
    return found


def _texts(node: ast.expr) -> list[str]:
    """What an expression may say; what is filled in is an ellipsis."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(each.value if isinstance(each, ast.Constant) else "…" for each in node.values)]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [a + b for a in _texts(node.left) or ["…"] for b in _texts(node.right) or ["…"]]
    return []


# --- the page --------------------------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem; }
body { color: #111; background: #fff; }
h2 { border-top: 2px solid #666; padding-top: .6rem; margin-top: 2.5rem; } h3 { margin: 1.6rem 0 .3rem; }
h4 { margin: 1.2rem 0 .2rem; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-top: 1px solid #bbb; }
td:last-child, th:last-child { padding-right: 0; } td p, li p { margin: .2rem 0; }
dt { font-weight: 600; margin-top: .5rem; } dd { margin: 0 0 .3rem 1.2rem; }
pre { background: #f4f4f4; padding: .4rem .6rem; overflow-x: auto; font-size: .85rem; margin: .3rem 0; }
nav ol { columns: 2; padding-left: 0; list-style: none; } .time { color: #444; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } }
@media print { h2 { break-before: page; } li { break-inside: avoid; } }
@page { margin: 16mm; }
"""


class Guide:
    """The text of the guide.

    Args:
        lessons: numbers; empty for all.

    Raises:
        ValueError: there is no such lesson, or `guide.toml` lacks something.
    """

    def __init__(self, lessons: list[str] | None = None) -> None:
        self.files = outline.lessons()
        if missing := [number for number in lessons or () if number not in self.files]:
            raise ValueError(f"There is no lesson {', '.join(missing)}; there are {', '.join(self.files)}.")
        self.numbers = lessons or list(self.files)
        self.notes = tomllib.loads(NOTES.read_text(encoding="utf-8"))
        for number in self.files:
            lacking = {"prepare", "demo", "watch", "ask"} - set(self.notes["lessons"].get(number, {}))
            if lacking:
                raise ValueError(f"{NOTES.name}: [lessons.{number}] lacks {', '.join(sorted(lacking))}")
        convert = typeset.markdown(typeset.for_print)
        self._md: Callable[[str], str] = lambda text: re.sub(r"^<p>(.*)</p>$", r"\1", convert(text)) if text else ""

    def page(self) -> str:
        """All of it as HTML."""
        whole = len(self.numbers) == len(self.files)
        front = [self._use(), *map(self._syllabus, self.notes["syllabus"]), self._assessment(), self._changes()]
        items = "".join(
            f'<li><a href="#lesson-{number}">{number} {html.escape(outline.title(self.files[number]))}</a></li>'
            for number in self.numbers
        )
        return "\n".join(
            [
                f'<!doctype html>{MADE}\n<html lang="en"><head><meta charset="utf-8"><title>{NAME}</title>',
                f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>',
                f'<body><main><h1>{NAME}</h1><nav aria-label="Lessons"><ol>{items}</ol></nav>',
                *(front if whole else ()),
                *map(self._lesson, self.numbers),
                "</main></body></html>\n",
            ]
        )

    def _use(self) -> str:
        rows = [[number, self._md(outline.title(path)), _minutes(opening(path))] for number, path in self.files.items()]
        total = sum(sum(map(int, re.findall(r"\d+", row[2]))) for row in rows) / 60
        count = sum(len(exercises_of(number)) for number in self.files)
        return (
            f"<h2>The course in numbers</h2><p>{len(self.files)} lessons, {count} exercises, about {total:.0f} hours "
            "for one learner, reading and exercises. Everything runs on a laptop without a network; machines are set "
            "up by <code>make lab</code>, submissions are graded by <code>make grade</code>. Minutes are those of "
            "somebody who works alone and is not stuck: plan more for a first class.</p>"
            + self._table(["", "Lesson", "Reading + exercises, min"], rows)
        )

    def _syllabus(self, plan: dict[str, Any]) -> str:
        rows = []
        for week, (title, numbers, more) in enumerate(plan["weeks"], 1):
            links = ", ".join(f'<a href="#lesson-{number}">{number}</a>' for number in numbers)
            rows.append([str(week), html.escape(title), links, html.escape(more)])
        table = self._table(["Week", "Topic", "Lessons", "Besides"], rows)
        return f"<h2>{html.escape(plan['name'])}</h2><p>{html.escape(plan['text'])}</p>{table}"

    def _assessment(self) -> str:
        rubric = self.notes["rubric"]
        rows = [[html.escape(cell) for cell in row] for row in rubric["criteria"]]
        table = self._table(["", "0 points", "1 point", "2 points"], rows)
        return f"<h2>Assessment</h2><p>{self._md(rubric['text'].strip())}</p>{table}"

    def _changes(self) -> str:
        text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        newest = re.split(r"^## ", text, flags=re.MULTILINE)[1]
        name, _, body = newest.partition("\n")
        convert = typeset.markdown(typeset.for_print)
        return f"<h2>What changed: {html.escape(name.strip())}</h2>{convert(body.replace('### ', '#### '))}"

    def _lesson(self, number: str) -> str:
        path, notes = self.files[number], self.notes["lessons"][number]
        begins = opening(path)
        parts = [[self._md(cell) for cell in row] for row in begins.parts]
        asked = [(question, answer) for question, answer in notes["ask"]]
        asked += [(each.question, each.answer) for each in outline.questions(number, path)]
        goals = "".join(f"<li>{self._md(goal)}</li>" for goal in begins.goals)
        exercises = exercises_of(number)
        said = expected(path)
        return "\n".join(
            [
                f'<section id="lesson-{number}"><h2>{number} · {html.escape(outline.title(path))}</h2>',
                f"<p><strong>{self._md(begins.question)}</strong></p><p>{self._md(begins.before)}{self._seconds(number)}</p>",
                f"<p>Afterwards learners can</p><ul>{goals}</ul>" if goals else "",
                self._table(["Part", "Question", "Minutes"], parts) if parts else "",
                "<h3>In class</h3><dl>",
                *(
                    f"<dt>{name}</dt><dd>{self._md(notes[key])}</dd>"
                    for name, key in (("Prepare", "prepare"), ("Show", "demo"), ("Watch for", "watch"))
                ),
                "</dl><h3>To discuss</h3><dl>",
                *(f"<dt>{self._md(question)}</dt><dd>{self._md(answer)}</dd>" for question, answer in asked),
                "</dl><h3>Exercises</h3>",
                *(self._exercise(exercise, said.get(id, "")) for id, exercise in exercises.items()),
                "</section>",
            ]
        )

    def _exercise(self, exercise: Any, expect: str) -> str:
        items = []
        for each in mistakes(exercise):
            example = f"<pre>{html.escape(each.example)}</pre>" if each.example else ""
            items.append(f"<li>{self._md(each.message)}{example}</li>")
        first, rest = items[:SHOWN], items[SHOWN:]
        told = f"<p>What the check says to typical mistakes:</p><ul>{''.join(first)}</ul>" if first else ""
        if rest:
            told += f"<details><summary>{len(rest)} more that it knows</summary><ul>{''.join(rest)}</ul></details>"
        hints = "".join(f"<li>{self._md(hint)}</li>" for hint in exercise.hints)
        return (
            f"<h4>{exercise.id} · {html.escape(exercise.title)}"
            + (f' <span class="time">{expect}</span>' if expect else "")
            + "</h4>"
            + told
            + (f"<p>What to say, a little more each time:</p><ol>{hints}</ol>" if hints else "")
            + (f"<p>What follows from it: {self._md(exercise.remark)}</p>" if exercise.remark else "")
        )

    def _seconds(self, number: str) -> str:
        processors = json.loads((ROOT / "data" / "timings.json").read_text(encoding="utf-8"))["processors"]
        taken = [
            f"{processors[kind]['lessons'][number]['seconds']:.0f} s on a {kind} processor"
            for kind in ("fast", "slow")
            if number in processors.get(kind, {}).get("lessons", {})
        ]
        return f" · To run: {', '.join(taken)}" if taken else ""

    def _table(self, head: list[str], rows: list[list[str]]) -> str:
        top = "".join(f'<th scope="col">{name}</th>' for name in head)
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _minutes(begins: Opening) -> str:
    """``"40 + 75"``: reading and exercises."""
    found = [re.search(rf"\*\*{name}\*\* (\d+) min", begins.before) for name in ("Reading", "Exercises")]
    return " + ".join(match[1] for match in found if match)


def write(text: str, path: Path) -> Path:
    """Write the page.

    Raises:
        FileExistsError: a file of that name is there that was not made here.
    """
    if path.exists() and MADE not in path.read_text("utf-8", "replace")[:200]:
        raise FileExistsError(f"{path} is there and is not an instructor's guide: name another folder, --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", action="append", metavar="NN", help="of this lesson; may be given more than once")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "guide", help="a folder (build/guide)")
    given = parser.parse_args(arguments)
    try:
        print(write(Guide(given.lesson).page(), given.out / "guide.html"))
    except (ValueError, OSError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
