"""The table of progress, for a notebook and for a terminal."""

import html
from dataclasses import dataclass

from . import catalogue, journal, outline, predictions
from .predictions import Prediction


@dataclass(frozen=True)
class Row:
    """One exercise: its state in a word, and what is known of it."""

    id: str
    title: str
    state: str  # "solved", "tried" or "not yet"
    attempts: int
    hints: int
    solved: str  # a date, or empty
    answer_first: bool

    @property
    def remark(self) -> str:
        """What is known of it, in words; empty if nothing is."""
        parts = []
        if self.solved:
            parts.append(f"on {self.solved}")
        if self.attempts:
            parts.append(f"{self.attempts} attempt{'s' if self.attempts > 1 else ''}")
        if self.hints:
            parts.append(f"{self.hints} hint{'s' if self.hints > 1 else ''}")
        if self.answer_first:
            parts.append("reference answer seen first")
        return ", ".join(parts)


@dataclass(frozen=True)
class Predicted:
    """The predictions of one lesson: how many it asks for, and those that the learner committed to in time."""

    asked: int
    committed: list[Prediction]

    @property
    def judged(self) -> list[Prediction]:
        """Those whose result was shown."""
        return [each for each in self.committed if each.verdict is not None]

    @property
    def right(self) -> int:
        """How many of them were right."""
        return sum(each.verdict.right for each in self.judged if each.verdict)

    @property
    def misses(self) -> list[Prediction]:
        """Those that were not, the most surprising first."""
        missed = [each for each in self.judged if each.verdict and not each.verdict.right]
        return sorted(missed, key=lambda each: -each.verdict.surprise if each.verdict else 0.0)

    def __str__(self) -> str:
        waiting = len(self.committed) - len(self.judged)
        wait = f", {waiting} without a result yet" if waiting else ""
        return f"{len(self.committed)} of {max(self.asked, len(self.committed))} committed, {self.right} right{wait}"


_SIGNS = {"solved": "✔", "tried": "✘", "not yet": "○"}


class Progress:
    """Progress over the lessons, or in one of them; prints as a table."""

    def __init__(self, lesson: str | None = None) -> None:
        known = journal.entries()
        listed = catalogue.listed()
        if lesson is not None:
            numbers = sorted({id.split(".")[0] for id in listed})
            if lesson not in numbers:
                raise ValueError(f"there are no exercises of a lesson {lesson!r}; lessons: {', '.join(numbers)}")
            listed = {id: title for id, title in listed.items() if id.split(".")[0] == lesson}
        self.rows: list[Row] = []
        for id, title in listed.items():
            entry = known.get(id, {})
            solved = entry.get("solved") or ""
            state = "solved" if solved else "tried" if entry.get("attempts") else "not yet"
            first = bool(entry.get("answer_first", False))
            self.rows.append(Row(id, title, state, entry.get("attempts", 0), entry.get("hints", 0), solved, first))
        self._most = 3 if lesson is not None else 1  # misses that are shown of a lesson
        #: the predictions of each lesson that asks for some
        self.predictions: dict[str, Predicted] = {}
        made = predictions.committed()
        files = outline.lessons()
        #: the titles of the lessons that are there
        self.titles = {number: outline.title(path) for number, path in files.items()}
        for number in self.lessons():
            own = [each for each in made if each.id.split(".")[0] == number]
            asked = len(outline.predictions(files[number])) if number in files else 0
            if asked or own:
                self.predictions[number] = Predicted(asked, own)

    @property
    def solved(self) -> int:
        """How many exercises are solved."""
        return sum(row.state == "solved" for row in self.rows)

    def lessons(self) -> dict[str, list[Row]]:
        """The exercises by lesson, ``"01"``."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.id.split(".")[0], []).append(row)
        return found

    def __repr__(self) -> str:
        if not self.rows:
            return "There are no exercises yet."
        lines = [f"{self.solved} of {len(self.rows)} exercises solved", *self.predicted_lines()]
        width = max(len(row.title) for row in self.rows)
        for lesson, rows in self.lessons().items():
            done = sum(row.state == "solved" for row in rows)
            lines += ["", f"{lesson}  {self.titles.get(lesson, '')}  {done} of {len(rows)}".replace("    ", "  ")]
            lines += [f"  {_SIGNS[row.state]} {row.id:<6}{row.title:<{width}}  {row.remark}".rstrip() for row in rows]
            if lesson in self.predictions:
                lines.append(f"    predictions: {self.predictions[lesson]}")
                lines += [f"      {_miss(each)}" for each in self.predictions[lesson].misses[: self._most]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self.rows:
            return "<p>There are no exercises yet.</p>"
        parts = [f"<p><strong>{self.solved} of {len(self.rows)} exercises solved</strong></p>"]
        parts += [f"<p>{html.escape(line)}</p>" for line in self.predicted_lines()]
        cell = 'style="text-align:left;padding:.15em 1em .15em 0"'
        for lesson, rows in self.lessons().items():
            done = sum(row.state == "solved" for row in rows)
            title = html.escape(f"{lesson} {self.titles.get(lesson, '')}".strip())
            parts.append(f'<table><caption style="text-align:left">{title}: {done} of {len(rows)}</caption>')
            parts.append(
                "<thead><tr>" + "".join(f'<th scope="col" {cell}>{name}</th>' for name in _HEAD) + "</tr></thead>"
            )
            parts.append("<tbody>")
            for row in rows:
                state = f'<span aria-hidden="true">{_SIGNS[row.state]}</span> {row.state}'
                values = [row.id, html.escape(row.title), state, html.escape(row.remark)]
                parts.append("<tr>" + "".join(f"<td {cell}>{value}</td>" for value in values) + "</tr>")
            parts.append("</tbody></table>")
            if lesson in self.predictions:
                parts.append(f"<p>Predictions: {html.escape(str(self.predictions[lesson]))}</p>")
                missed = [html.escape(_miss(each)) for each in self.predictions[lesson].misses[: self._most]]
                parts.append("".join(["<ul>", *(f"<li>{each}</li>" for each in missed), "</ul>"]) if missed else "")
        return "\n".join(filter(None, parts))

    def predicted_lines(self) -> list[str]:
        """The line about all predictions; none where there are none."""
        if not self.predictions:
            return []
        each = self.predictions.values()
        made = [prediction for lesson in each for prediction in lesson.committed]
        return [f"Predictions: {Predicted(sum(lesson.asked for lesson in each), made)}"]


_HEAD = ("Exercise", "Title", "State", "Details")


def progress(lesson: str | None = None) -> Progress:
    """How far you are: a table over all lessons, or over one, ``progress("00")``. It is kept on this machine only."""
    return Progress(lesson)


def _miss(prediction: Prediction) -> str:
    """A prediction that was not right, in a line."""
    said = prediction.verdict.says if prediction.verdict else ""
    return f"{prediction.id} {prediction.question} You predicted {prediction.guess}, it was {prediction.value}: {said}"
