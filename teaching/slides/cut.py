"""What of a lesson becomes a slide: the rules, and the marks that correct them.

A slide has a title, a few parts that fit on it, and notes with the text of the page that it leaves out. Rules:

- The opening, each part with its question, each recap, each exercise and each question to discuss is a slide.
- **Predict** is a slide, and what came out another.
- A figure, a formula, a table, a list, short code and what a cell printed or checked are shown.
- Of prose the sentence that defines a term is shown, the first sentence before and the first after what is shown; a
  section that has nothing else gets the first sentence of each paragraph. All of it is in the notes.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import blocks
from .blocks import Block, opening_of, sentences

LINES = 12.5  # of text at full size that a slide holds below its title
MOST_CODE = 14  # lines of code that are shown unasked
MOST_OUTPUT = 12  # lines that a cell printed
WIDEST = 108  # letters of a printed line
LEFT_OUT = (
    "What comes next",
    "References",
    "Explain it",
    "More:",
)  # sections; what is to be explained comes back below
_ANSWER = re.compile(r"^((?:\d\d|[A-Z])\.[a-z]) · It is (?P<what>.+?)\.?$")
_GUESS = re.compile(r"^(?:\d\d|[A-Z])\.[a-z] · No prediction yet")


@dataclass(frozen=True)
class Part:
    """Something on a slide: ``kind`` is text, lead, ask, choices, answer, list, table, formula, code, printed, claims,
    figure or rows (a table that a cell printed, as HTML); ``text`` is Markdown, code, or HTML of figure and rows."""

    kind: str
    text: str


@dataclass
class Slide:
    """``kind`` is plain, title, part, predict, answer, exercise, recap or discuss; ``notes`` are Markdown."""

    kind: str
    title: str
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    above: str = ""  # the part of the lesson that it belongs to

    @property
    def lines(self) -> float:
        return sum(map(cost, self.parts)) + (1 if len(self.title) > 55 else 0)


# --- how much room something takes -----------------------------------------------------------------------------------


def cost(part: Part) -> float:
    """Lines of text at full size that a part takes."""
    text = part.text
    if part.kind == "figure":
        return 8.5
    if part.kind == "code":
        return 0.8 * sum(max(1, math.ceil(len(line) / 92)) for line in text.splitlines()) + 0.6
    if part.kind == "printed":
        return 0.8 * len(text.splitlines()) + 0.6
    if part.kind == "answer":
        return 2.6
    if part.kind == "table":
        return 1.25 * sum(_row_lines(row) for row in text.splitlines() if not re.match(r"^\|[-:| ]+\|?$", row))
    if part.kind == "rows":
        return 1.3 * text.count("<tr") + 0.8
    if part.kind == "formula":
        shown = re.findall(r"\$\$.+?\$\$", text, re.DOTALL)
        rest = re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL).strip()
        return sum(2.4 + 1.2 * each.count(r"\\ ") + 1.2 * each.count("\\\\\n") for each in shown) + _wrapped(rest, 80)
    if part.kind == "tasks":
        return sum(_wrapped(line, 80) for line in text.split("<br>")) + 0.4
    if part.kind in ("list", "claims", "choices"):
        return sum(_wrapped(item, 78) + 0.3 for item in items(text))
    return _wrapped(text, 66 if part.kind == "ask" else 80) + 0.5


def _wrapped(text: str, columns: int) -> float:
    plain = re.sub(r"\]\([^)]*\)|[*`\[]", "", text)
    return math.ceil(len(plain) / columns) if plain.strip() else 0


def _row_lines(row: str) -> int:
    cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
    return max(1, math.ceil(sum(len(re.sub(r"\$[^$]*\$", "xxxxx", cell)) + 3 for cell in cells) / 92))


def items(text: str) -> list[str]:
    """The items of a list with what stands before it; what is indented belongs to the item above."""
    found: list[str] = []
    for line in text.splitlines():
        if re.match(r"- |\d+\. ", line) or not found:
            found.append(line)
        else:
            found[-1] += "\n" + line
    return found


def pieces(part: Part, room: float = LINES) -> list[Part]:
    """A list, a table or rows that are too long for one slide, as several; anything else as it is."""
    if cost(part) <= room or part.kind not in ("list", "claims", "table", "rows"):
        return [part]
    head: list[str] = []
    if part.kind in ("list", "claims"):
        units, glue = items(part.text), "\n"
    elif part.kind == "table":
        rows = part.text.splitlines()
        head, units, glue = rows[:2], rows[2:], "\n"
    else:
        rows = re.findall(r"<tr.*?</tr>", part.text, re.DOTALL)
        head, units, glue = rows[:1], rows[1:], ""
    count = math.ceil(cost(part) / room)
    size = math.ceil(len(units) / count)
    texts = [glue.join([*head, *units[at : at + size]]) for at in range(0, len(units), size)]
    if part.kind == "rows":
        texts = [f"<table>{text}</table>" for text in texts]
    return [replace(part, text=text) for text in texts]


# --- the rules -------------------------------------------------------------------------------------------------------


class Cutter:
    """Cuts one lesson.

    Args:
        number: of the lesson.
        cells: of its stored notebook, as dictionaries.
        told: what the speaker is told: of ``"title"``, of the title of a part, of the id of an exercise (Markdown).
        expect: of exercises, ``"●●○ · 10 min"``.
        broken: the code that may be shown, cell -> code with lines that fit.
    """

    def __init__(
        self,
        number: str,
        cells: Sequence[Mapping[str, Any]],
        told: Mapping[str, list[str]],
        expect: Mapping[str, str],
        broken: Mapping[int, str],
    ) -> None:
        self.number, self.cells, self.told, self.expect, self.broken = number, cells, told, expect, broken
        self.done: list[Slide] = []
        self.open: Slide | None = None
        self.above = self.heading = ""
        self.waiting: list[str] = []  # prose that no slide has yet
        self.shown: set[str] = set()  # paragraphs of which something stands on a slide
        self.fresh = False  # whether the section has no slide yet
        self.concludes = False  # whether the next prose says what follows from what was shown
        self.exercise = ""  # whose text is being read
        self.tasks: list[list[str]] = []  # exercises that no slide names yet: id, title, text ...
        self.left_out = 0  # level of the heading whose section is left out
        self.asked: dict[str, str] = {}
        self.aside: list[str] = []  # what the notes say of the cell at hand

    def slides(self) -> list[Slide]:
        for number, cell in enumerate(self.cells, start=1):
            tags = set(cell["metadata"].get("tags", ()))
            if unknown := {tag for tag in tags if tag.startswith("slide")} - set(blocks.TAGS):
                raise blocks.MarkError(
                    f"lesson {self.number}, cell {number}: the tag {', '.join(sorted(unknown))} means nothing; there "
                    f"are {', '.join(blocks.TAGS)}"
                )
            if "slide-skip" in tags:
                continue
            text = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                for block in blocks.blocks(text, f"lesson {self.number}, cell {number}"):
                    self._text(block, number)
            elif not self.left_out:
                self._code(number, cell, text, tags)
        self._end_section()
        self._exercises()
        return self.done

    # --- text

    def _text(self, block: Block, number: int) -> None:
        if block.kind == "heading":
            self._heading(block, number)
            return
        if self.left_out or "skip" in block.marks or block.kind == "folded":
            return
        if number == 1 and self.heading == "" and self._opening(block):
            return
        if "new" in block.marks:
            self._close()
        if "notes" in block.marks:
            self.waiting.append(block.text)
        elif "show" in block.marks:
            self._add(Part(block.kind if block.kind in ("list", "table", "formula") else "text", block.text))
        elif self.exercise:
            self._task(block)
        else:
            getattr(self, f"_{block.kind}", self._prose)(block)

    def _heading(self, block: Block, number: int) -> None:
        if self.left_out and block.level > self.left_out:
            return
        self._end_section()
        self.exercise, self.left_out = "", 0
        if "skip" in block.marks or block.title.startswith(LEFT_OUT):
            self.left_out = block.level
            return
        title = block.title
        if block.level == 1:
            self.done.append(Slide("title", title, notes=list(self.told.get("title", ()))))
            self.open = self.done[-1]
            return
        if match := re.match(rf"Exercise ({self.number}\.\d+) · (.+)", title):
            self.exercise = match[1]
            self.tasks.append([match[1], match[2]])
            return
        if block.level == 2:
            self._exercises()
        self.heading, self.fresh = title, True
        if block.level == 2:
            self.above = "" if title == "Recap" else title
            if title.startswith("Part "):
                self._begin("part", title, [], self.told.get(title, ()))
                self.fresh = False
            elif title == "Recap":
                self._begin("recap", title, [], ["The lesson in a few lines: ask for each before you show it."])
                self.fresh = False

    def _opening(self, block: Block) -> bool:
        """What stands below the title of the lesson: its question, goals and plan; whether the block was that."""
        if block.kind == "question":
            self.done[0].parts.append(Part("ask", block.text.strip("*")))
        elif block.kind == "list":
            goals = [item for item in items(block.text) if item.startswith("- ")]
            self._begin("plain", "When you have worked through it you can", [], ["The goals of the lesson."])
            self.open.parts.append(Part("list", "\n".join(goals)))
        elif block.kind == "table":
            self._begin("plain", "The way", [], ["Minutes are those of somebody who reads and solves alone."])
            self._add(Part("table", block.text))
        elif block.text.startswith(("**Before this**", "[")):
            pass
        else:
            return False
        return True

    def _question(self, block: Block) -> None:
        if self.open is not None and self.open.kind == "part" and not self.open.parts:
            self.open.parts.append(Part("ask", block.text.strip("*")))
            self._close()
            self.fresh = True
            self.heading = re.sub(r"^Part \d+ · ", "", self.above)
        else:
            self._add(Part("ask", block.text.strip("*")))

    def _so_far(self, block: Block) -> None:
        self._end_section()
        text = block.text.removeprefix("**So far**:").strip()
        said = "\n".join(f"- {each[:1].upper()}{each[1:]}" for each in sentences(text))
        self._begin("recap", "So far", [], ["Two lines that close the part: let somebody say them first."])
        self._add(Part("list", said))
        self._exercises()

    def _predict(self, block: Block) -> None:
        question = block.text.removeprefix("**Predict**").lstrip(": ").strip()
        parts, notes = [], []
        # A slide that only tells what the question is about becomes the slide of the question.
        told = self.open is not None and self.open.kind == "plain" and self.open.lines <= 6
        if told and all(part.kind in ("text", "lead") for part in self.open.parts):
            parts, notes = self.open.parts, self.open.notes
            self.done.remove(self.open)
        context = self._context(420 - sum(len(part.text) for part in parts))
        parts += [Part("text", context)] if context else []
        notes += ["**Ask**: everybody commits to an answer, by hand or on paper, before the next slide.", *self.waiting]
        self.waiting = []
        parts.append(Part("ask", question[:1].upper() + question[1:]))
        self._begin("predict", self.heading or self.above, parts, notes)
        self.fresh = self.concludes = False

    def _context(self, most: int = 420) -> str:
        """The prose right before a question, as much as fits."""
        found: list[str] = []
        unseen = [text for text in self.waiting if text not in self.shown]
        for text in reversed(unseen):
            if sum(map(len, found)) + len(text) > most:
                break
            found.insert(0, text)
        return "\n\n".join(found) or (opening_of(unseen[-1], max(most, 0)) if unseen else "")

    def _formula(self, block: Block) -> None:
        before = sentences(self.waiting[-1])[-1] if self.waiting else ""
        if before and len(before) < 220 and not self._stands(before):
            self._add(Part("text", before))
        self._add(Part("formula", block.text))
        self.concludes = True

    def _term(self, block: Block) -> None:
        found = sentences(block.text)
        shown = []
        for at, sentence in enumerate(found):
            if "**" in sentence:
                if at and re.match(r"(That|This|These|So|It|They|Its)\b", sentence) and found[at - 1] not in shown:
                    shown.append(found[at - 1])
                shown.append(sentence)
        self._add(Part("text", " ".join(shown)))
        if len(shown) < len(found):
            self.waiting.append(block.text)
            self.shown.add(block.text)
        self.concludes = False

    def _list(self, block: Block) -> None:
        self._add(Part("list", block.text))

    def _table(self, block: Block) -> None:
        self._add(Part("table", block.text))
        self.concludes = True

    def _fence(self, block: Block) -> None:
        body = "\n".join(block.text.splitlines()[1:-1])
        if len(body.splitlines()) <= MOST_CODE:
            self._add(Part("code", body))
        else:
            self.concludes = False

    def _prose(self, block: Block) -> None:
        if self.concludes and self.open is not None:
            symbols = block.text.startswith("$") and len(block.text) < 320
            said = block.text if symbols else opening_of(block.text)
            part = Part("text", said)
            if said and self.open.lines + cost(part) <= LINES:
                self.open.parts.append(part)
                self.shown.add(block.text)
        self.concludes = False
        self.waiting.append(block.text)

    def _task(self, block: Block) -> None:
        """The text of an exercise: its first sentences stand on the slide, all of it in the notes."""
        if block.kind != "expect":
            self.tasks[-1].append(block.text)

    def _exercises(self) -> None:
        """The slide that names the exercises since the last one."""
        tasks, self.tasks = self.tasks, []
        for id, title, *texts in tasks:
            expected = self.expect.get(id, "")
            said = opening_of(texts[0], 200, 60) if texts else ""
            item = f"- **{id} {title}**" + (f" · {expected}" if expected else "") + (f"<br>{said}" if said else "")
            part = Part("tasks", item)
            if self.open is None or self.open.kind not in ("exercise", "recap") or self.open.lines + cost(part) > LINES:
                self._begin("exercise", "Exercises" if len(tasks) > 1 else "Exercise", [])
            self.open.parts.append(part)
            self.open.notes += [f"**Exercise {id} {title}**", *self.told.get(id, ()), *texts]
        self._close()

    # --- code

    def _code(self, number: int, cell: Mapping[str, Any], source: str, tags: set[str]) -> None:
        if re.search(r"^runtime\.setup\(", source, re.MULTILINE):
            return
        if call := blocks.call_of(source, "predict"):
            self._choices(call)
            return
        parts = list(self._outputs(number, cell))
        if self.exercise:
            if re.search(r"^exercise\(", source, re.MULTILINE):
                self._end_section()
                self.exercise, self.heading, self.fresh = "", re.sub(r"^Part \d+ · ", "", self.above), True
                return
            parts = [part for part in parts if part.kind == "figure"]
            if not parts:
                return
        code = self.broken.get(number, "")
        hidden = bool(cell["metadata"].get("jupyter")) or any(part.kind == "figure" for part in parts)
        short = 0 < len(code.splitlines()) <= MOST_CODE and not hidden and not self.exercise
        listing = Part("code", code)
        room = LINES - 2 - sum(map(cost, parts))
        if "slide-code" in tags or (short and "slide-no-code" not in tags and cost(listing) <= room):
            at = 1 if parts and parts[0].kind == "answer" else 0
            parts.insert(at, listing)
        elif code and parts:
            self.aside.append(f"The code is in cell {number} of the page.")
        if parts:
            self._together(parts)
            self.concludes = parts != [listing]
            self.open.notes += self.aside
        self.aside = []

    def _together(self, parts: list[Part]) -> None:
        """What a cell shows, on one slide where one holds it."""
        if self.open is not None and self.open.lines + sum(map(cost, parts)) > LINES:
            self._close()
        for part in parts:
            self._add(part)

    def _choices(self, call: ast.Call) -> None:
        values = {each.arg: each.value for each in call.keywords}
        question = next((a.value for a in call.args[1:] if isinstance(a, ast.Constant)), "")
        self.asked[ast.literal_eval(call.args[0])] = str(question)
        if self.open is None or self.open.kind != "predict":
            self._begin("predict", self.heading or self.above, [Part("ask", str(question))], self.waiting)
            self.waiting = []
        if "choices" in values:
            try:
                given = [str(each) for each in ast.literal_eval(values["choices"])]
            except ValueError:
                given = []
            asks = [part.text for part in self.open.parts if part.kind == "ask"]
            if given and not all(any(each in ask for ask in asks) for each in given):
                self.open.parts.append(Part("choices", "\n".join(f"- {each}" for each in given)))
        self._close()

    def _outputs(self, number: int, cell: Mapping[str, Any]) -> Iterator[Part]:
        """What a cell put out: the answer to a prediction first, then all else in its order."""
        claims: list[str] = []
        printed: list[str] = []
        figures: list[Part] = []
        answers: list[Part] = []
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            markup = "".join(data.get("text/html", ""))
            if output["output_type"] == "stream":
                for line in "".join(output["text"]).splitlines():
                    if line.startswith("✔ "):
                        claims.append(f"- {line[2:]}")
                    elif match := _ANSWER.match(line):
                        question = self.asked.get(match[1], "")
                        answers.append(Part("answer", f"{question}\n{match['what']}"))
                    elif not _GUESS.match(line):
                        printed.append(line)
            elif "<img" in markup:
                figures.append(Part("figure", markup))
            elif "<details" in markup or 'role="status"' in markup:
                continue
            elif "<table" in markup:
                figures.append(Part("rows", "".join(re.findall(r"<table.*?</table>", markup, re.DOTALL))))
            elif "text/plain" in data and not markup:
                printed += "".join(data["text/plain"]).splitlines()
        printed = printed if any(line.strip() for line in printed) else []
        yield from answers
        yield from figures
        room = LINES - 2 - sum(map(cost, [*answers, *figures[:1]]))
        ticked = Part("claims", "\n".join(claims))
        text = Part("printed", "\n".join(printed))
        if printed:
            fits = len(printed) <= MOST_OUTPUT and max(map(len, printed)) <= WIDEST and cost(text) <= room
            if fits:
                room -= cost(text)
                yield text
            elif not claims and not figures and not answers:
                self.aside.append(f"What cell {number} of the page prints is too long for a slide.")
        if claims and cost(ticked) > room:
            held = [claim for n, claim in enumerate(claims) if cost(Part("claims", "\n".join(claims[: n + 1]))) <= room]
            if rest := claims[len(held) :]:
                self.aside.append("Checked, too:\n\n" + "\n".join(rest))
            ticked = Part("claims", "\n".join(held))
        if ticked.text:
            yield ticked

    # --- slides

    def _begin(self, kind: str, title: str, parts: list[Part], notes: Sequence[str] = ()) -> Slide:
        self._close()
        self.open = Slide(kind, title, list(parts), list(notes), self.above if title != self.above else "")
        self.done.append(self.open)
        return self.open

    def _add(self, part: Part) -> None:
        """Put something on the open slide, or on a new one, after the first sentence before it, if it does not fit."""
        for piece in pieces(part):
            full = self.open is None or self.open.kind in ("predict", "title", "part") or self.exercise
            two = self.open is not None and piece.kind == "figure" and any(p.kind == "figure" for p in self.open.parts)
            if full or two or self.open.lines + cost(piece) > LINES:
                self._begin("plain", self.heading or self.above, [])
                lead = self._lead()
                if lead and lead not in part.text and cost(Part("lead", lead)) + cost(piece) <= LINES:
                    self.open.parts.append(Part("lead", lead))
            self.open.parts.append(piece)
            if piece.kind == "answer":
                self.open.kind = "answer"
            self.open.notes += self.waiting
            self.waiting = []
            self.fresh = False

    def _lead(self) -> str:
        unseen = [text for text in self.waiting if text not in self.shown]
        if not unseen:
            return ""
        self.shown.add(unseen[0])
        return opening_of(unseen[0])

    def _stands(self, sentence: str) -> bool:
        """Whether the open slide shows this sentence."""
        return self.open is not None and any(sentence in " ".join(part.text.split()) for part in self.open.parts)

    def _close(self) -> None:
        self.open = None

    def _end_section(self) -> None:
        """Prose that is left goes to a slide of its own if its section has none, else to the notes of the last."""
        if self.waiting and self.fresh:
            said = [f"- {each}" for text in self.waiting if (each := opening_of(text, 200, 40))]
            if said:
                slide = self._begin("plain", self.heading or self.above, [], self.waiting)
                slide.parts += pieces(Part("list", "\n".join(said[:6])))[:1]
        elif self.waiting and self.done:
            self.done[-1].notes += self.waiting
        self.waiting, self.fresh, self.concludes = [], False, False
        self._close()


def discussed(asked: Sequence[tuple[str, str]], each: int = 3) -> list[Slide]:
    """Slides of questions to discuss; answers are in the notes."""
    found: list[Slide] = []
    for question, answer in asked:
        part = Part("list", "- " + " ".join(question.split()))
        last = found[-1] if found else None
        if last is None or len(last.parts) == each or last.lines + cost(part) > LINES:
            found.append(last := Slide("discuss", "To discuss"))
        last.parts.append(part)
        last.notes.append(f"**{' '.join(question.split())}** {answer}")
    return found
