"""What the speaker is told: minutes, what to ask, the common mistakes; from lessons, checks and `guide.toml`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import make_guide

from cnnlib.exercises import exercises_of, outline

MISTAKES = 3  # of an exercise that are told


def told(number: str, path: Path, guide: dict[str, Any], root: Path) -> dict[str, list[str]]:
    """Notes in Markdown, of ``"title"``, of the title of each part, of the id of each exercise.

    Raises:
        KeyError: `guide.toml` has nothing of the lesson.
    """
    given = guide["lessons"][number]
    begins = make_guide.opening(path)
    notes = {
        "title": [
            " ".join(part for part in (begins.before, _seconds(number, root)) if part),
            f"**Prepare**: {given['prepare']}",
            f"**Show**: {given['demo']}",
            f"**The common trouble**: {given['watch']}",
        ]
    }
    minutes = {name: spent for name, _, spent in begins.parts}
    said = make_guide.expected(path)
    for part in outline.parts(path):
        name = part.title.replace("Part ", "", 1).replace(" · ", " ", 1)
        lines = [f"**Minutes**: {minutes[name]}, for somebody who reads and solves alone."] if name in minutes else []
        if part.exercises:
            lines.append(
                "**Exercises**: " + ", ".join(f"{id} ({said.get(id, 'no time given')})" for id in part.exercises)
            )
        if part.predictions:
            lines.append(f"**Ask**: {len(part.predictions)} predictions; nobody sees what came out before they commit.")
        notes[part.title] = lines
    for id, exercise in exercises_of(number).items():
        notes[id] = _exercise(exercise, said.get(id, ""))
    return notes


def _exercise(exercise: Any, expect: str) -> list[str]:
    lines = [f"**Minutes**: {expect}"] if expect else []
    mistakes = [each.message for each in make_guide.mistakes(exercise)][:MISTAKES]
    if mistakes:
        lines.append("**Common mistakes**, and what the check says to each:")
        lines.append("\n".join(f"- {_line(each)}" for each in mistakes))
    if exercise.hints:
        lines.append("**Say**, a little more each time:")
        lines.append("\n".join(f"{n}. {_line(each)}" for n, each in enumerate(exercise.hints, 1)))
    if exercise.remark:
        lines.append(f"**What follows from it**: {_line(exercise.remark)}")
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())


def asked(number: str, path: Path, guide: dict[str, Any]) -> list[tuple[str, str]]:
    """Questions to discuss, each with its answer: those of the guide, then those of the lesson."""
    found = [(question, answer) for question, answer in guide["lessons"][number]["ask"]]
    return found + [(each.question, each.answer) for each in outline.questions(number, path)]


def _seconds(number: str, root: Path) -> str:
    processors = json.loads((root / "data" / "timings.json").read_text(encoding="utf-8"))["processors"]
    lessons = processors.get("slow", {}).get("lessons", {})
    return f"· The page runs in {lessons[number]['seconds']:.0f} s on a slow processor." if number in lessons else ""
