"""Make cards to learn with from the lessons: terms, formulas and the questions under *Explain it*.

    python teaching/make_cards.py                  # build/cards: course.apkg for Anki, cards.html to print
    python teaching/make_cards.py --lesson 06      # of one lesson; may be given more than once

Needs the extra `cards`, a part of `dev`. Nothing is written twice: a card says what the lesson says. A card
stays the same card when its text changes: a deck that is imported again renews it, and keeps what Anki knows of it.
"""

from __future__ import annotations

import argparse
import html
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for each in (ROOT / "teaching", ROOT / "tools", ROOT):
    if str(each) not in sys.path:
        sys.path.insert(0, str(each))

import typeset  # noqa: E402
from _terms import Page, formulas_of, pages, settings, terms_of  # noqa: E402

from cnnlib.exercises import outline  # noqa: E402

KINDS = {"term": "Terms", "formula": "Formulas", "question": "Explain it"}
DECK = 1_702_350_811  # Anki tells decks and models apart by such numbers: never change them
MODEL = 1_702_350_812
NAME = "Convolutional networks"
MADE = "<!-- cards, made by this course -->"


@dataclass(frozen=True)
class Card:
    """One card; its texts are the lesson's markdown.

    Attributes:
        id: what it is the same card by, when a text changes.
        kind: a key of ``KINDS``.
        lesson: number of the lesson.
        where: title of the lesson, or the section it stands in.
    """

    id: str
    kind: str
    lesson: str
    where: str
    front: str
    back: str


def cards(lessons: Iterable[str] | None = None) -> list[Card]:
    """All cards in the order of the lessons.

    Raises:
        ValueError: there is no such lesson, or two cards would be the same.
    """
    chosen = list(lessons or ())
    known = pages()
    if missing := [number for number in chosen if number not in [page.number for page in known]]:
        raise ValueError(
            f"There is no lesson {', '.join(missing)}; there are {', '.join(page.number for page in known)}."
        )
    found = [card for page in known if page.number in (chosen or [page.number]) for card in _of(page)]
    ids = [card.id for card in found]
    if double := sorted({id for id in ids if ids.count(id) > 1}):
        raise ValueError(f"more than one card is called {', '.join(double)}: each needs a name of its own")
    return found


def _of(page: Page) -> list[Card]:
    found = [
        Card(f"term {term.id}", "term", page.number, page.title, f"What is **{term.name}**?", term.definition)
        for term in {term.id: term for term in reversed(terms_of(page, settings()))}.values()
    ]
    found.reverse()
    seen: dict[str, int] = {}
    for formula in formulas_of(page):
        heading = formula.place.heading
        seen[heading] = seen.get(heading, 0) + 1
        front = f"{formula.before or heading} …?"
        if formula.before.rstrip().endswith((":", ",")):
            front = f"{formula.before.rstrip()[:-1]} …?"
        back = f"{formula.text}\n\n{formula.after}".strip()
        name = f"formula {page.number} {heading} {seen[heading]}"
        found.append(Card(name, "formula", page.number, heading, front, back))
    for asked in outline.questions(page.number, outline.lessons()[page.number]):
        found.append(Card(f"question {asked.id}", "question", page.number, page.title, asked.question, asked.answer))
    return found


# --- what is written -------------------------------------------------------------------------------------------------

STYLE = """
.card { font-family: system-ui, sans-serif; font-size: 20px; text-align: left; max-width: 40rem; margin: 0 auto; }
.where { font-size: 14px; opacity: .7; }
"""
ANSWER = '{{FrontSide}}<hr id="answer">{{Answer}}<p class="where">{{Lesson}}</p>'


def write_anki(found: list[Card], path: Path) -> None:
    """Write a package for Anki: a deck with one deck below it for each kind, and a tag for each lesson."""
    genanki = typeset.needed("genanki")
    convert = typeset.markdown(typeset.for_anki)
    model = genanki.Model(
        MODEL,
        NAME,
        fields=[{"name": "Question"}, {"name": "Answer"}, {"name": "Lesson"}],
        templates=[{"name": "Card", "qfmt": "{{Question}}", "afmt": ANSWER}],
        css=STYLE,
    )
    decks = {
        kind: genanki.Deck(DECK + number, f"{NAME}::{title}") for number, (kind, title) in enumerate(KINDS.items(), 10)
    }
    for card in found:
        fields = [convert(card.front), convert(card.back), html.escape(f"{card.lesson} · {card.where}")]
        note = genanki.Note(model, fields, guid=genanki.guid_for(NAME, card.id), tags=[f"lesson-{card.lesson}"])
        decks[card.kind].add_note(note)
    genanki.Package([deck for deck in decks.values() if deck.notes]).write_to_file(str(path))


PAGE_STYLE = """
body { font: 10.5pt/1.4 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
section { break-before: page; } section:first-of-type { break-before: auto; }
article { display: grid; grid-template-columns: 1fr 1.7fr; gap: 1.2rem; border-top: 1px solid #999; padding: .4rem 0;
  break-inside: avoid; }
article > * { min-width: 0; overflow-wrap: anywhere; }
article p { margin: 0 0 .3rem; } article pre { white-space: pre-wrap; }
math { font-size: 1.1em; } small { opacity: .7; }
@media print { body { padding: 0; max-width: none; } }
@page { margin: 15mm; }
"""


def page(found: list[Card]) -> str:
    """A page to print, question on the left and answer on the right: fold it, or cover one half."""
    convert = typeset.markdown(typeset.for_print)
    parts = []
    for kind, title in KINDS.items():
        rows = [_article(card, convert) for card in found if card.kind == kind]
        if rows:
            parts.append(f"<section><h2>{title}: {len(rows)}</h2>\n" + "\n".join(rows) + "\n</section>")
    return (
        f'<!doctype html>{MADE}\n<html lang="en"><head><meta charset="utf-8"><title>{NAME}: cards</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{PAGE_STYLE}</style></head>'
        f"<body><main><h1>{NAME}: cards</h1>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _article(card: Card, convert: Callable[[str], str]) -> str:
    where = html.escape(f"{card.lesson} · {card.where}")
    return (
        f'<article id="{html.escape(card.id.replace(" ", "-"))}"><div>{convert(card.front)}<small>{where}</small></div>'
        f"<div>{convert(card.back)}</div></article>"
    )


def write(found: list[Card], folder: Path) -> list[Path]:
    """Write both to a folder.

    Raises:
        FileExistsError: one of the files is there and was not made here.
    """
    deck, sheet = folder / "course.apkg", folder / "cards.html"
    if deck.exists() != sheet.exists() or (sheet.exists() and MADE not in sheet.read_text("utf-8", "replace")[:200]):
        raise FileExistsError(
            f"{folder} holds {deck.name} or {sheet.name} of somebody else: name another folder, --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    text = page(found)
    write_anki(found, deck)
    sheet.write_text(text, encoding="utf-8")
    return [deck, sheet]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--lesson", action="append", metavar="NN", help="of this lesson only; may be given more than once"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "cards", help="a folder (build/cards)")
    given = parser.parse_args(arguments)
    try:
        found = cards(given.lesson)
        written = write(found, given.out)
    except (ValueError, OSError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    counts = ", ".join(f"{sum(card.kind == kind for card in found)} {name.lower()}" for kind, name in KINDS.items())
    print(f"{len(found)} cards ({counts})", *written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
