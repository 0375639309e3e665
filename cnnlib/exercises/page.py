"""Progress as a page of its own: a map of lessons, parts, exercises and predictions, in one file without a script."""

import html
from pathlib import Path

from . import outline
from .predictions import Prediction
from .table import Progress, Row, progress

_MADE = "<!-- progress, made by this course -->"
_STATES = {
    "solved": ("✔", "solved"),
    "tried": ("✘", "tried, not solved yet"),
    "not yet": ("○", "not yet"),
    "right": ("◆", "prediction that was right"),
    "off": ("◇", "prediction that was off"),
    "waiting": ("◈", "prediction without a result yet"),
    "open": ("·", "no prediction yet"),
}
_STYLE = """
:root { color-scheme: light dark; --line: #8888; --good: #1a7f37; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --good: #57c477; --bad: #ff9d94; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h2 { margin: 2rem 0 .3rem; font-size: 1.15rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--line); }
th[scope=row] { font-weight: normal; }
@media (prefers-color-scheme: dark) { a { color: #9ecbff; } }
ul { margin: 0; padding: 0; list-style: none; }
.map { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .2rem 1.5rem; }
.map li { border-top: 1px solid var(--line); padding: .25rem 0; }
.marks { letter-spacing: .15em; display: block; }
.solved, .right { color: var(--good); } .tried, .off { color: var(--bad); }
"""


def write_page(path: str | Path, title: str = "Progress") -> Path:
    """Write the page of progress to a file, and give back its path.

    Raises:
        FileExistsError: there is a file of that name that was not made here.
    """
    path = Path(path)
    if path.exists() and _MADE not in path.read_text(encoding="utf-8", errors="replace")[:500]:
        raise FileExistsError(f"{path} is there and is not a page of progress: name another file")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(progress(), title), encoding="utf-8")
    return path


def text_of(table: Progress, title: str = "Progress") -> str:
    """The page as HTML."""
    name = html.escape(title)
    lessons = [_Lesson(table, number) for number in table.lessons()]
    legend = ", ".join(f"{sign} {text}" for sign, text in _STATES.values())
    lines = [f"{table.solved} of {len(table.rows)} exercises solved", *table.predicted_lines()]
    return "\n".join(
        [
            f'<!doctype html>{_MADE}\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>',
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>',
            f"<main><h1>{name}</h1>",
            *(f"<p>{html.escape(line)}</p>" for line in lines),
            '<nav aria-label="Lessons"><ul class="map">',
            *(lesson.line for lesson in lessons),
            f"</ul></nav><p>{legend}</p>",
            *(lesson.section for lesson in lessons),
            "</main></body></html>\n",
        ]
    )


class _Lesson:
    """One lesson of the page."""

    def __init__(self, table: Progress, number: str) -> None:
        files = outline.lessons()
        self.number, self.title = number, table.titles.get(number, "")
        self.rows: dict[str, Row] = {row.id: row for row in table.lessons()[number]}
        known = table.predictions.get(number)
        self.made: dict[str, Prediction] = {each.id: each for each in known.committed} if known else {}
        self.parts = outline.parts(files[number]) if number in files else []
        told = {id for part in self.parts for id in part.exercises}
        if more := tuple(id for id in self.rows if id not in told):
            self.parts.append(outline.Part("", more, ()))

    @property
    def line(self) -> str:
        """In the map at the top: a link, and one mark for each exercise and prediction."""
        marks = "".join(
            _mark(state)
            for part in self.parts
            for state in [*map(self._state, part.exercises), *map(self._predicted, part.predictions)]
        )
        done = sum(row.state == "solved" for row in self.rows.values())
        text = f"{self.number} {html.escape(self.title)}: {done} of {len(self.rows)}"
        return (
            f'<li><a href="#lesson-{self.number}">{text}</a> <span class="marks" aria-hidden="true">{marks}</span></li>'
        )

    @property
    def section(self) -> str:
        """A table with one row for each part."""
        head = "".join(f'<th scope="col">{name}</th>' for name in ("Part", "Exercises", "Predictions"))
        rows = "\n".join(self._row(part) for part in self.parts if part.exercises or part.predictions)
        return (
            f'<section id="lesson-{self.number}"><h2>{self.number} · {html.escape(self.title)}</h2>\n'
            f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></section>"
        )

    def _row(self, part: outline.Part) -> str:
        exercises = [
            f"<li>{_mark(self._state(id))} {id} {html.escape(self.rows[id].title)}{_told(self.rows[id].remark)}</li>"
            for id in part.exercises
            if id in self.rows
        ]
        predictions = [f"<li>{_mark(self._predicted(id))} {id}{self._said(id)}</li>" for id in part.predictions]
        name = html.escape(part.title or "the whole lesson")
        cells = "".join(f"<td><ul>{''.join(items)}</ul></td>" for items in (exercises, predictions))
        return f'<tr><th scope="row">{name}</th>{cells}</tr>'

    def _state(self, id: str) -> str:
        return self.rows[id].state if id in self.rows else "not yet"

    def _predicted(self, id: str) -> str:
        made = self.made.get(id)
        if made is None:
            return "open"
        return "waiting" if made.verdict is None else "right" if made.verdict.right else "off"

    def _said(self, id: str) -> str:
        made = self.made.get(id)
        if made is None:
            return ""
        came = f", it was {made.value}" if made.value is not None else ""
        return f" {html.escape(made.question)}" + _told(f"you predicted {made.guess}{came}")


def _mark(state: str) -> str:
    sign, text = _STATES[state]
    kind = state.replace(" ", "-")
    return f'<span class="{kind}" role="img" aria-label="{text}">{sign}</span>'


def _told(text: str) -> str:
    return f" <small>({html.escape(text)})</small>" if text else ""
