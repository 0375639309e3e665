"""What a check, a hint and a reference answer look like, as text and as a card in a notebook.

The card takes its text colour from the notebook's theme and says everything in words: colour and sign repeat what the
word says. Styles stand in the elements themselves, because notebooks that are not trusted drop style sheets.
"""

import enum
import html
import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

_BOX = "border-left:5px solid {colour};padding:.45em .9em;margin:.4em 0;max-width:56em;background:{tint}"
_LIST = "display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15em 1em;margin:.45em 0 0"
_TERM = "font-weight:600;margin:0"
_ITEM = "margin:0;overflow-wrap:anywhere"
_CODE = "background:none;padding:0;white-space:pre-wrap"


class Outcome(enum.StrEnum):
    """The four ways in which a check ends."""

    NOT_ATTEMPTED = "NOT_ATTEMPTED"
    RIGHT = "RIGHT"
    WRONG = "WRONG"
    CRASHED = "CRASHED"


@dataclass(frozen=True)
class _Look:
    sign: str
    word: str
    colour: str  # at least 3:1 against both a white and a black page
    tint: str


_LOOKS = {
    Outcome.NOT_ATTEMPTED: _Look("○", "Not attempted yet", "#7f7f7f", "rgba(127,127,127,.08)"),
    Outcome.RIGHT: _Look("✔", "Right", "#009e73", "rgba(0,158,115,.09)"),
    Outcome.WRONG: _Look("✘", "Not right yet", "#d55e00", "rgba(213,94,0,.08)"),
    Outcome.CRASHED: _Look("⚠", "Stopped with an error", "#c0579b", "rgba(192,87,155,.09)"),
}
_HINT = _Look("→", "Hint", "#3b82c4", "rgba(59,130,196,.09)")


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a check. Text between backticks is code.

    ``args`` and ``kwargs`` are those of the call that went wrong, for trying it again:
    ``result = exercise("01.4").check(f)``, then ``f(*result.args, **result.kwargs)``.
    """

    exercise: str
    title: str
    outcome: Outcome
    says: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    args: tuple[Any, ...] = field(default=(), repr=False)
    kwargs: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def message(self) -> str:
        """All that the result says, as text."""
        lines = [self.says] if self.says else []
        lines += [f"{name}: {text}" for name, text in self.rows]
        return _clean("\n".join([*lines, *self.notes]))

    def row(self, name: str) -> str:
        """One row of the result, such as ``"Expected"``; empty if it has none of that name."""
        return dict(self.rows).get(name, "")

    def __bool__(self) -> bool:
        return self.outcome == Outcome.RIGHT

    def __repr__(self) -> str:
        look = _LOOKS[self.outcome]
        return _text(look, f"Exercise {self.exercise} · {self.title}", self.says, self.rows, self.notes)

    def _repr_html_(self) -> str:
        look = _LOOKS[self.outcome]
        return _card(look, f"Exercise {self.exercise} · {self.title}", self.says, self.rows, self.notes)


@dataclass(frozen=True, eq=False)
class Hint:
    """One graded hint."""

    exercise: str
    title: str
    number: int
    count: int
    text: str
    then: str

    def _heading(self) -> str:
        return f"{self.number} of {self.count} · Exercise {self.exercise} · {self.title}"

    def __repr__(self) -> str:
        return _text(_HINT, self._heading(), self.text, (), (self.then,))

    def _repr_html_(self) -> str:
        return _card(_HINT, self._heading(), self.text, (), (self.then,))


@dataclass(frozen=True, eq=False)
class Answer:
    """The reference answer of an exercise."""

    exercise: str
    title: str
    source: str

    def __repr__(self) -> str:
        return f"Reference answer of exercise {self.exercise} · {self.title}\n\n{self.source}"

    def _repr_markdown_(self) -> str:
        fence = "`" * (3 + max((len(run) for run in re.findall(r"`{3,}", self.source)), default=0))
        heading = f"**Reference answer** · Exercise {self.exercise} · {self.title}"
        return f"{heading}\n\n{fence}python\n{self.source}\n{fence}\n"


# --- rendering -------------------------------------------------------------------------------------------------------


def _text(look: _Look, heading: str, says: str, rows: tuple[tuple[str, str], ...], notes: tuple[str, ...]) -> str:
    lines = [f"{look.sign} {look.word} · {heading}"]
    if says:
        lines += textwrap.wrap(_unmarked(says), 110, initial_indent="  ", subsequent_indent="  ")
    width = max((len(name) for name, _ in rows), default=0) + 2
    for name, text in rows:
        for number, line in enumerate(_unmarked(text).splitlines() or [""]):
            first = f"  {name if number == 0 else '':<{width}}"
            wrapped = textwrap.wrap(line, 110 - width, drop_whitespace=False, replace_whitespace=False) or [""]
            lines += [first + wrapped[0].rstrip(), *(" " * (width + 2) + more.strip() for more in wrapped[1:])]
    for note in notes:
        lines += textwrap.wrap(_unmarked(note), 110, initial_indent="  ", subsequent_indent="  ")
    return _clean("\n".join(line.rstrip() for line in lines))


def _card(look: _Look, heading: str, says: str, rows: tuple[tuple[str, str], ...], notes: tuple[str, ...]) -> str:
    parts = [
        f'<div role="status" style="{_BOX.format(colour=look.colour, tint=look.tint)}">',
        f'<p style="margin:0"><strong><span aria-hidden="true">{look.sign}</span> {look.word}</strong>'
        f" · {html.escape(heading)}</p>",
    ]
    if says:
        parts.append(f'<p style="margin:.35em 0 0">{_marked(says)}</p>')
    if rows:
        parts.append(f'<dl style="{_LIST}">')
        for name, text in rows:
            parts.append(f'<dt style="{_TERM}">{html.escape(name)}</dt><dd style="{_ITEM}">{_marked(text)}</dd>')
        parts.append("</dl>")
    parts += [f'<p style="margin:.35em 0 0">{_marked(note)}</p>' for note in notes]
    return _clean("\n".join([*parts, "</div>"]))


def code(text: str) -> str:
    """Text that is shown as code, whatever it holds."""
    return "`" + text.replace("`", "ˋ") + "`"


def _marked(text: str) -> str:
    """HTML of a text with `code` between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner
        return html.escape(text).replace("\n", "<br>")
    marked = [
        f'<code style="{_CODE}">{html.escape(part)}</code>' if number % 2 else html.escape(part).replace("\n", "<br>")
        for number, part in enumerate(parts)
    ]
    return "".join(marked)


def _unmarked(text: str) -> str:
    return text.replace("`", "")


def _clean(text: str) -> str:
    """Without what a learner's text may hold and a notebook cannot: control characters, lone surrogates."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character in "\n\t" or character.isprintable() else "�" for character in text)
