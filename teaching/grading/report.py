"""What came of a class: two tables as CSV, and a page that says what to talk about."""

from __future__ import annotations

import base64
import csv
import html
import io
import itertools
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .jail import WARNING
from .submissions import files, is_progress, owner

OUTCOMES = ("RIGHT", "WRONG", "CRASHED", "NOT_ATTEMPTED")
WORDS = dict(zip(OUTCOMES, ("right", "not right yet", "stopped with an error", "not attempted")))
SIGNS = dict(zip(OUTCOMES, "✔✘⚠○"))
COLOURS = dict(zip(OUTCOMES, ("#009e73", "#d55e00", "#c0579b", "#b0b0b0")))
_EQUAL = 3  # answers that two learners have in common before it is said


@dataclass(frozen=True)
class Graded:
    """One notebook: what its unit said, or why there is nothing."""

    learner: str
    file: str
    value: dict[str, Any] | None
    error: str = ""


@dataclass
class Row:
    """One exercise of one learner: the better one, if it was handed in twice."""

    learner: str
    lesson: str
    exercise: str
    title: str
    file: str
    found: dict[str, Any]
    told: dict[str, Any]
    hidden: bool
    copies: int = 1

    @property
    def outcome(self) -> str:
        return self.found["outcome"]

    @property
    def counts(self) -> bool:
        return not self.hidden or self.found["way"] == "outside"

    @property
    def points(self) -> int:
        return int(self.counts and self.outcome == "RIGHT")

    @property
    def hints(self) -> int:
        return max(int(self.found["hints"]), _number(self.told.get("hints")))

    @property
    def attempts(self) -> int | str:
        return _number(self.told.get("attempts")) if self.told else ""

    @property
    def shown(self) -> bool:
        return bool(self.found["answer_shown"] or self.told.get("answer_shown"))


def _number(value: Any) -> int:
    return min(max(value, 0), 999) if isinstance(value, int) else 0


# --- what learners hand in beside notebooks ---------------------------------------------------------------------------


def told_by_learners(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Learner and exercise -> attempts, hints, answer shown, as the files of progress say. No mark comes of it."""
    found = {}
    paths = [*files(folder), *((owner(p.relative_to(folder).parts), p) for p in folder.rglob(".cnnlib/progress.json"))]
    for learner, path in paths:
        if not is_progress(path) or path.stat().st_size > 2_000_000:
            continue
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))["exercises"]
            found.update({(learner, str(id)): entry for id, entry in entries.items() if isinstance(entry, dict)})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return found


# --- tables -----------------------------------------------------------------------------------------------------------


def rows(graded: list[Graded], titles: dict[str, dict[str, str]], told: dict, hidden: bool) -> list[Row]:
    """One row for each learner and exercise of the lessons that they handed in."""
    best: dict[tuple[str, str], Row] = {}
    for each in graded:
        for id, found in (each.value or {}).get("exercises", {}).items():
            lesson = id.split(".")[0]
            row = Row(each.learner, lesson, id, titles.get(lesson, {}).get(id, ""), each.file, found,
                      told.get((each.learner, id), {}), hidden)  # fmt: skip
            before = best.get((each.learner, id))
            if before is not None:
                row.copies = before.copies + 1
                better = OUTCOMES.index(row.outcome) < OUTCOMES.index(before.outcome)
                before.copies = row.copies
                row = row if better else before
            best[each.learner, id] = row
    return sorted(best.values(), key=lambda row: (row.learner, row.lesson, int(row.exercise.split(".")[1])))


def equal_pairs(table: list[Row]) -> list[tuple[str, str, str, list[str]]]:
    """Lesson and pairs of learners with several equal answers that are not the course's own; the exercises."""
    by_shape: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in table:
        if row.found["shape"] and not row.found["as_reference"] and row.outcome != "NOT_ATTEMPTED":
            by_shape[row.exercise, row.found["shape"]].add(row.learner)
    pairs: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for (exercise, _), learners in by_shape.items():
        for one, other in itertools.combinations(sorted(learners), 2):
            pairs[exercise.split(".")[0], one, other].append(exercise)
    return [(*key, exercises) for key, exercises in sorted(pairs.items()) if len(exercises) >= _EQUAL]


def misconceptions(table: list[Row]) -> list[tuple[str, str, list[str]]]:
    """Exercise, what is said to the wrong idea, and who has it; the most common first."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in table:
        if row.found["likely"] and row.outcome in ("WRONG", "CRASHED"):
            found[row.exercise, row.found["likely"]].append(row.learner)
    order = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(exercise, said, learners) for (exercise, said), learners in order]


def monday(table: list[Row], most: int = 5) -> list[tuple[str, str, int, int, int]]:
    """The exercises to talk about: id, title, who has it right, who tried, of how many; the fewest right first.

    What nobody tried comes last: it may not have been set.
    """
    by: dict[str, list[Row]] = defaultdict(list)
    for row in table:
        by[row.exercise].append(row)
    found = []
    for id, group in by.items():
        right = sum(row.outcome == "RIGHT" for row in group)
        tried = sum(row.outcome != "NOT_ATTEMPTED" for row in group)
        if right < len(group):
            found.append((id, group[0].title, right, tried, len(group)))
    return sorted(found, key=lambda each: (each[3] == 0, each[2] / each[4], -each[3]))[:most]


def _safe(value: Any) -> Any:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _csv(path: Path, head: list[str], lines: list[list[Any]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8-sig") as out:  # with the mark by which spreadsheets know UTF-8
        csv.writer(out).writerows([head, *([_safe(value) for value in line] for line in lines)])
    return path


# --- all of it --------------------------------------------------------------------------------------------------------


def write(
    out: Path,
    graded: list[Graded],
    refused: list[tuple[str, str, str]],
    titles: dict[str, dict[str, str]],
    told: dict[tuple[str, str], dict[str, Any]],
    hidden: bool,
    fence: bool,
) -> list[Path]:
    """marks.csv (learner by lesson), exercises.csv (everything), report.html."""
    table = rows(graded, titles, told, hidden)
    lessons = sorted({row.lesson for row in table})
    learners = sorted({each.learner for each in graded} | {learner for learner, _, _ in refused})
    points: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in table:
        if row.counts:
            points[row.learner, row.lesson].append(row.points)
    marks = [
        [learner, *("" if (learner, n) not in points else sum(points[learner, n]) for n in lessons),
         sum(sum(points[learner, n]) for n in lessons)]
        for learner in learners
    ]  # fmt: skip
    asked = {
        n: sum(row.counts for row in table if row.lesson == n and row.learner == _first(table, n)) for n in lessons
    }
    head = ["learner", *(f"{n} (of {asked[n]})" for n in lessons), "points"]
    details = [
        [row.learner, row.lesson, row.exercise, row.title, row.points if row.counts else "", row.outcome.lower(),
         row.attempts, row.hints, "yes" if row.shown else "", "yes" if row.found["as_reference"] else "",
         "yes" if row.found["check_missing"] else "", row.found["likely"], row.found["says"], row.found["way"],
         row.file, row.copies]
        for row in table
    ]  # fmt: skip
    names = ["learner", "lesson", "exercise", "title", "points", "outcome", "attempts told", "hints", "answer shown",
             "as the reference", "check removed", "misconception", "what the check says", "judged", "file",
             "times handed in"]  # fmt: skip
    page = out / "report.html"
    page.write_text(_page(table, graded, refused, marks, head, hidden, fence), encoding="utf-8")
    return [_csv(out / "marks.csv", head, marks), _csv(out / "exercises.csv", names, details), page]


def _first(table: list[Row], lesson: str) -> str:
    return next(row.learner for row in table if row.lesson == lesson)


# --- the page ---------------------------------------------------------------------------------------------------------

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em;
  color: #222; background: #fff }
table { border-collapse: collapse; margin: .5em 0 1.5em }
caption { text-align: left; font-weight: 600; padding: .3em 0 }
th, td { border: 1px solid #ccc; padding: .25em .6em; text-align: left; vertical-align: top }
thead th { background: #f2f2f2 }
td.n { text-align: center }
.warn { border-left: 5px solid #d55e00; padding: .5em 1em; background: #fff3ec }
.wide { overflow-x: auto }
img { max-width: 100%; height: auto }
details { margin: .4em 0 }
code { background: #f2f2f2; padding: 0 .2em }
.RIGHT { background: #dff3ec } .WRONG { background: #fbe5d9 } .CRASHED { background: #f6e3ef }
.NOT_ATTEMPTED { color: #595959 }
"""


def _page(
    table: list[Row],
    graded: list[Graded],
    refused: list[tuple[str, str, str]],
    marks: list[list[Any]],
    head: list[str],
    hidden: bool,
    fence: bool,
) -> str:
    say = html.escape
    learners = sorted({row.learner for row in table})
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>What the class knows</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><h1>What the class knows</h1>",
    ]
    if not fence:
        parts.append(f'<p class="warn">{say(WARNING.format(why="or was switched off"))}</p>')
    mode = (
        "Marks that count: three secret draws of cases. Exercises marked ◇, whose check needs the learner's own "
        "objects, give no points."
        if hidden
        else "Practice marks: a learner who wants to can forge those of exercises marked ◇. For marks that count use "
        "--hidden."
    )
    parts.append(f"<p>{len(learners)} learners, {len(graded)} notebooks. {say(mode)}</p>")
    if not table:
        parts.append("<p>Nothing could be graded.</p>")
    else:
        parts += _monday_part(table) + _misconception_part(table) + _pictures(table, marks)
        parts += [_table("Points", head, marks)]
        parts += _matrix(table)
    parts += _look_at(table, graded, refused)
    return "\n".join([*parts, "</body></html>"])


def _monday_part(table: list[Row]) -> list[str]:
    ideas = misconceptions(table)
    lines = []
    for id, title, right, tried, count in monday(table):
        said = next((f"{len(who)}× {text}" for exercise, text, who in ideas if exercise == id), "")
        lines.append([f"{id} · {title}", f"{right} of {count}", f"{tried}", said])
    head = ["Exercise", "Right", "Tried", "The most common wrong idea"]
    return ["<h2>To talk about</h2>", _table("The exercises with the fewest right answers", head, lines)]


def _misconception_part(table: list[Row]) -> list[str]:
    lines = [[exercise, len(who), said, "; ".join(who)] for exercise, said, who in misconceptions(table)]
    parts = ["<h2>Wrong ideas</h2>"]
    if not lines:
        return [*parts, "<p>The checks recognised none.</p>"]
    head = ["Exercise", "Learners", "What the check says to it", "Who"]
    common, rare = [line for line in lines if line[1] > 1], [line for line in lines if line[1] == 1]
    if common:
        parts.append(_table("Of several learners", head, common))
    if rare:
        parts.append(f"<details><summary>Of one learner ({len(rare)})</summary>{_table('', head, rare)}</details>")
    return parts


def _matrix(table: list[Row]) -> list[str]:
    parts = ["<h2>Who has what</h2>", "<p>" + ", ".join(f"{SIGNS[o]} {WORDS[o]}" for o in OUTCOMES)]
    parts[-1] += "; h with hints, a after the answer was shown; ◇ judged where the learner's code runs.</p>"
    for lesson in sorted({row.lesson for row in table}):
        own = [row for row in table if row.lesson == lesson]
        ids = sorted({row.exercise for row in own}, key=lambda id: int(id.split(".")[1]))
        inside = {row.exercise for row in own if row.found["way"] != "outside"}
        cells = {(row.learner, row.exercise): row for row in own}
        head = "".join(f'<th scope="col">{id}{" ◇" if id in inside else ""}</th>' for id in ids)
        body = []
        for learner in sorted({row.learner for row in own}):
            line = [f'<th scope="row"><bdi>{html.escape(learner)}</bdi></th>']
            for id in ids:
                row = cells.get((learner, id))
                if row is None:
                    line.append("<td></td>")
                    continue
                marks = SIGNS[row.outcome] + (" h" if row.hints else "") + (" a" if row.shown else "")
                said = html.escape(f"{id}: {WORDS[row.outcome]}. {row.found['likely'] or row.found['says']}"[:400])
                line.append(f'<td class="n {row.outcome}" title="{said}">{marks}</td>')
            body.append(f"<tr>{''.join(line)}</tr>")
        parts.append(
            f'<div class="wide"><table><caption>Lesson {lesson}</caption><thead><tr><th scope="col">Learner</th>{head}'
            f"</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        )
    return parts


def _look_at(table: list[Row], graded: list[Graded], refused: list[tuple[str, str, str]]) -> list[str]:
    parts = ["<h2>To look at yourself</h2>"]
    failed = [[each.learner, each.file, each.error] for each in graded if each.value is None]
    if failed:
        parts.append(_table("Notebooks that could not be graded", ["Learner", "File", "Why"], failed))
    stopped = [[r.learner, r.exercise, r.found["says"]] for r in table if r.found["says"].startswith("Stopped in the")]
    if stopped:
        parts.append(_table("Answers that the sandbox ended", ["Learner", "Exercise", "Why"], stopped))
    pairs = [[one, other, lesson, ", ".join(ids)] for lesson, one, other, ids in equal_pairs(table)]
    if pairs:
        caption = "Equal answers, but for layout and comments (short ones can be equal by chance: no proof)"
        parts.append(_table(caption, ["One", "Other", "Lesson", "Exercises"], pairs))
    copied: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in table:
        if row.found["as_reference"]:
            copied[row.learner, row.lesson].append(row.exercise)
    lines = [[learner, lesson, ", ".join(ids)] for (learner, lesson), ids in copied.items() if len(ids) >= _EQUAL]
    if lines:
        parts.append(_table("Answers equal to the course's own", ["Learner", "Lesson", "Exercises"], lines))
    if refused:
        parts.append(_table("Files that were not graded", ["Learner", "File", "Why"], [list(each) for each in refused]))
    return parts if len(parts) > 1 else []


def _table(caption: str, head: list[str], lines: list[list[Any]]) -> str:
    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td><bdi>{_marked(str(value))}</bdi></td>" for value in line) + "</tr>" for line in lines
    )
    said = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{said}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def _marked(text: str) -> str:
    """HTML of a text with `code` between backticks, as the checks write it."""
    parts = html.escape(text).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


# --- pictures ---------------------------------------------------------------------------------------------------------


def _pictures(table: list[Row], marks: list[list[Any]]) -> list[str]:
    return ["<h2>Pictures</h2>", _image(*outcomes_figure(table)), _image(*points_figure([line[-1] for line in marks]))]


def outcomes_figure(table: list[Row]) -> tuple[Figure, str]:
    """How many learners have each exercise right, wrong, ...; and the same in words."""
    ids = sorted({row.exercise for row in table}, key=lambda id: (id.split(".")[0], int(id.split(".")[1])))
    counts = {id: {o: sum(r.exercise == id and r.outcome == o for r in table) for o in OUTCOMES} for id in ids}
    figure = Figure(figsize=(8, 0.9 + 0.3 * len(ids)), layout="constrained")
    axes = figure.subplots()
    left = dict.fromkeys(ids, 0)
    for outcome in OUTCOMES:
        widths = [counts[id][outcome] for id in ids]
        bars = axes.barh(ids, widths, left=[left[id] for id in ids], color=COLOURS[outcome], label=WORDS[outcome],
                         edgecolor="white")  # fmt: skip
        axes.bar_label(bars, [str(n) if n else "" for n in widths], label_type="center", fontsize=8)
        for id in ids:
            left[id] += counts[id][outcome]
    axes.invert_yaxis()
    axes.set_xlabel("learners")
    axes.set_ylabel("exercise")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    said = "; ".join(f"{id} {counts[id]['RIGHT']} right of {sum(counts[id].values())}" for id in ids)
    return figure, f"Bars of how each exercise ended: {said}."


def points_figure(points: list[int]) -> tuple[Figure, str]:
    """How many learners have how many points; and the same in words."""
    figure = Figure(figsize=(8, 2.4), layout="constrained")
    axes = figure.subplots()
    top = max(points, default=0)
    counts = [points.count(n) for n in range(top + 1)]
    axes.bar(range(top + 1), counts, color="#0072b2", edgecolor="white")
    axes.set_xlabel("points")
    axes.set_ylabel("learners")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    said = ", ".join(f"{count} with {n}" for n, count in enumerate(counts) if count)
    return figure, f"How many learners have how many points: {said}."


def _image(figure: Figure, alt: str) -> str:
    FigureCanvasAgg(figure)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=130)
    text = base64.b64encode(data.getvalue()).decode()
    return f'<p><img alt="{html.escape(alt)}" src="data:image/png;base64,{text}"></p>'
