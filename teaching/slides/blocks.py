"""A lesson's text and code taken apart into what slides are made of.

Marks of the source: a comment of its own lines in a text cell, ``<!-- slide: show -->``, is about the block below it;
a tag of a cell, ``slide-skip``, about the whole cell.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 84  # of code on a slide
# What a mark says of the block below it.
MARKS = {
    "skip": "left out, with its notes; before a heading: its whole section",
    "show": "shown in full",
    "notes": "in the notes only",
    "new": "begins a new slide",
}
# What a tag says of its cell.
TAGS = {
    "slide-skip": "left out",
    "slide-code": "its code is shown, whatever its length",
    "slide-no-code": "its code is not shown",
}
# Calls that say what came out; on a slide stands what they said.
SAYS = {"claim", "reveal", "measured", "print", "predict", "exercise"}

_MARK = re.compile(r"^<!--\s*slide:\s*(\S+)\s*-->$")
_LIST = re.compile(r"^(?:- |\d+\. )", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z0-9`$*\"'(])")


class MarkError(ValueError):
    """A mark in a lesson that means nothing; the message says where and which there are."""


@dataclass(frozen=True)
class Block:
    """A piece of a text cell: ``kind`` is one of heading, fence, folded, table, formula, list, predict, so_far,
    question, expect, term or prose; ``marks`` are those that stand before it."""

    kind: str
    text: str
    marks: frozenset[str] = frozenset()

    @property
    def level(self) -> int:
        """Of a heading."""
        return len(self.text) - len(self.text.lstrip("#"))

    @property
    def title(self) -> str:
        """Of a heading, without its signs."""
        return self.text.lstrip("#").strip()


def blocks(text: str, place: str = "a text cell") -> list[Block]:
    """The blocks of a text cell, in order.

    Raises:
        MarkError: a mark is none of `MARKS`, or nothing stands below it.
    """
    found: list[Block] = []
    marks: set[str] = set()
    for piece in _pieces(text):
        if match := _MARK.match(piece):
            if match[1] not in MARKS:
                raise MarkError(f"{place}: the mark {piece!r} means nothing; there are {', '.join(MARKS)}")
            marks.add(match[1])
            continue
        found.append(Block(_kind(piece), piece, frozenset(marks)))
        marks.clear()
    if marks:
        raise MarkError(f"{place}: below the mark 'slide: {', '.join(sorted(marks))}' stands nothing")
    return found


def _pieces(text: str) -> Iterator[str]:
    """What blank lines divide; a block of code and what is folded stay whole, a heading stands alone."""
    held: list[str] = []
    until = ""  # what ends a piece in which blank lines do not count
    for line in text.splitlines():
        if until:
            held.append(line)
            if line.strip().startswith(until):
                until = ""
                yield "\n".join(held)
                held = []
            continue
        opens = "```" if line.startswith("```") else "</details>" if line.startswith("<details") else ""
        alone = bool(_MARK.match(line.strip()) or re.match(r"#{1,6} ", line))
        if held and (opens or alone or not line.strip()):
            yield "\n".join(held)
            held = []
        if opens and not (opens == "</details>" and "</details>" in line):
            held, until = [line], opens
        elif alone:
            yield line.strip()
        elif line.strip():
            held.append(line)
    if held:
        yield "\n".join(held)


def _kind(piece: str) -> str:
    first = piece.splitlines()[0]
    if re.match(r"#{1,6} ", piece):
        return "heading"
    if piece.startswith("```"):
        return "fence"
    if piece.startswith("<details"):
        return "folded"
    if first.startswith("|"):
        return "table"
    if re.search(r"^\$\$", piece, re.MULTILINE):
        return "formula"
    if piece.startswith("**Predict**"):
        return "predict"
    if piece.startswith("**So far**"):
        return "so_far"
    if re.fullmatch(r"\*\*[^*]+\?\*\*", piece, re.DOTALL):
        return "question"
    if re.match(r"[●○]{3} · ", piece):
        return "expect"
    if _LIST.search(piece):
        return "list"
    return "term" if re.search(r"\*\*[^*]+\*\*", piece) else "prose"


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph; a full stop inside a formula or code ends none."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\x00{len(kept) - 1}\x01"

    hidden = re.sub(r"\$[^$]+\$|`[^`]+`|\([^()]*\)", keep, " ".join(text.split()))
    hidden = re.sub(r"(?<=[.!?:]) (?=\x00)", "\x02 ", hidden)  # a sentence may begin with a formula
    cut = [part for piece in _SENTENCE.split(hidden) for part in re.split(r"\x02 ", piece)]

    def back(part: str) -> str:
        while "\x00" in part:
            part = re.sub(r"\x00(\d+)\x01", lambda match: kept[int(match[1])], part)
        return part.replace("\x02", "").strip()

    return [sentence for part in cut if (sentence := back(part))]


def opening_of(text: str, most: int = 170, least: int = 45) -> str:
    """The first sentence of a paragraph, and more while it is short; empty if the first is longer than `most`."""
    said = ""
    for sentence in sentences(text):
        longer = f"{said} {sentence}".strip()
        if len(longer) > most:
            break
        said = longer
        if len(said) >= least and not said.endswith(":"):
            break
    return said


# --- code ------------------------------------------------------------------------------------------------------------


def shown_code(source: str) -> str:
    """The code of a cell without what only says what came out, and without imports; empty where nothing is left.

    Claims are left out because their sentences stand on the slide as outputs, ticked.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic command
        return ""
    lines = source.splitlines()
    kept: list[str] = []
    end = 0
    for node in tree.body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        between = [line for line in lines[end : first - 1] if line.strip()]
        end = node.end_lineno or node.lineno
        if isinstance(node, ast.Import | ast.ImportFrom) or _only_says(node):
            continue
        kept += [*between, *lines[first - 1 : end]]
    return "\n".join(kept)


def _only_says(node: ast.stmt) -> bool:
    if isinstance(node, ast.For):
        return all(_only_says(each) for each in node.body)
    if not isinstance(node, ast.Expr):
        return False
    call = node.value
    if not isinstance(call, ast.Call):
        return isinstance(call, ast.Name | ast.Constant)
    name = ast.unparse(call.func)
    return name in SAYS or name == "runtime.setup" or name.startswith("exercise(")


def call_of(source: str, name: str) -> ast.Call | None:
    """The first call of `name` at the top of a cell."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in tree.body:
        value = getattr(node, "value", None)
        if isinstance(value, ast.Call) and ast.unparse(value.func) == name:
            return value
    return None


def broken_to(snippets: Sequence[str], columns: int = COLUMNS) -> list[str]:
    """Code with its lines broken so that they fit on a slide, by ruff; as it was where ruff is not there."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", f"--line-length={columns}", "."]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"c{number}.py" for number in range(len(snippets))]
        for path, text in zip(files, snippets):
            path.write_text(text + "\n", encoding="utf-8")
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
        return [re.sub(r"\n{3,}", "\n\n", path.read_text(encoding="utf-8").strip()) for path in files]
