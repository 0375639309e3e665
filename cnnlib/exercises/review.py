"""What to look at again, spaced: exercises, questions to explain, and predictions that were off.

Drawn are lessons that the learner has begun. What was answered wrong, needed hints or the reference answer comes back
after a day, what was known after 3, 7, 21, 60 days: each success one step further, each failure back to the first.
(That spacing helps to remember is well supported: Cepeda and others 2006. The steps are a convention.)

Answers are the learner's own word: nobody else sees them.
"""

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import journal, outline, table

STEPS = (1, 3, 7, 21, 60)  # days until something comes back: after a failure, and after 1, 2, ... successes in a row


@dataclass(frozen=True)
class Card:
    """Something to look at again.

    ``id`` is that of the exercise, the prediction or the question; ``back`` what to compare with (empty for an
    exercise: its check says it); ``wrong`` whether it went wrong before; ``due`` the day from which on it is drawn.
    """

    id: str
    front: str
    back: str
    wrong: bool
    due: datetime.date


def cards() -> list[Card]:
    """All cards of the lessons that were begun, in the order of the course."""
    progress = table.progress()
    reviews = journal.events(kind="reviews")
    today = _today()
    files = outline.lessons()
    found: list[Card] = []
    for number, rows in progress.lessons().items():
        known = progress.predictions.get(number)
        if not (any(row.attempts or row.solved for row in rows) or (known and known.committed)):
            continue
        for row in rows:
            if not row.attempts and not row.solved:
                continue
            wrong = not row.solved or row.attempts > 2 or row.hints > 0 or row.answer_first
            since = _day(row.solved) or today - datetime.timedelta(days=STEPS[0])
            front = f"Exercise {row.id} · {row.title}: solve it again from an empty cell, without looking."
            found.append(_card(row.id, front, "", wrong, since, reviews))
        for made in known.misses if known else []:
            found.append(_card(made.id, made.question, str(made.value), True, today, reviews, at_once=True))
        for asked in outline.questions(number, files[number]) if number in files else []:
            found.append(_card(asked.id, asked.question, asked.answer, False, today, reviews, at_once=True))
    return found


def due(most: int = 10, lesson: str | None = None) -> list[Card]:
    """What is due today: what went wrong first, then what waits longest; ties in an order that changes by the day."""
    today = _today()
    order = random.Random(today.toordinal())
    drawn = [card for card in cards() if card.due <= today and lesson in (None, _lesson_of(card.id))]
    order.shuffle(drawn)
    return sorted(drawn, key=lambda card: (not card.wrong, card.due))[:most]


def note(card: Card, knew: bool) -> None:
    """Keep whether it was known."""
    journal.note_event(card.id, lambda happened: {"knew": bool(knew)}, kind="reviews")


def ask(drawn: list[Card], hear: Callable[[str], str] = input, say: Callable[[str], Any] = print) -> int:
    """Go through cards in a terminal; how many were answered. An empty line shows the answer, ``q`` stops."""
    for number, card in enumerate(drawn):
        say(f"\n{number + 1} of {len(drawn)} · {card.id}\n{card.front}")
        if card.back and _heard(hear, "[Enter shows the answer, q stops] ") == "q":
            return number
        if card.back:
            say(card.back)
        said = ""
        while said not in ("y", "n", "q"):
            said = _heard(hear, "Did you know it? [y, n, q] " if card.back else "Could you do it? [y, n, q] ")
        if said == "q":
            return number
        note(card, said == "y")
    return len(drawn)


def _heard(hear: Callable[[str], str], prompt: str) -> str:
    """The first letter of what was typed; ``q`` where the input ends."""
    try:
        return hear(prompt).strip().lower()[:1]
    except EOFError:
        return "q"


def _card(
    id: str,
    front: str,
    back: str,
    wrong: bool,
    since: datetime.date,
    reviews: dict[str, list[dict[str, Any]]],
    at_once: bool = False,
) -> Card:
    """A card whose last look was ``since``, if it was not reviewed yet; ``at_once``: then it is due now."""
    happened = reviews.get(id, [])
    days = 0 if at_once else STEPS[0] if wrong else STEPS[2]
    if happened:
        since = _day(str(happened[-1].get("at", ""))) or since
        row = 0
        for event in reversed(happened):
            if not event.get("knew"):
                break
            row += 1
        wrong = row == 0
        days = STEPS[min(row, len(STEPS) - 1)]
    return Card(id, front, back, wrong, since + datetime.timedelta(days=days))


def _day(text: str) -> datetime.date | None:
    """The day here of a date, or of a time of any zone."""
    try:
        if len(text) == 10:
            return datetime.date.fromisoformat(text)
        return datetime.datetime.fromisoformat(text).astimezone().date()
    except ValueError:
        return None


def _today() -> datetime.date:
    return datetime.date.today()


def _lesson_of(id: str) -> str:
    return id.replace(" ", ".").split(".")[0]
