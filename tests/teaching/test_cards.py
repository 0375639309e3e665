"""Cards for Anki and for print. What needs the extra `cards` is skipped without it."""

import json
import re
import sqlite3
import zipfile

import make_cards
import pytest
import typeset
from html_case import tags_of

from cnnlib.exercises import outline


@pytest.fixture(scope="module")
def found():
    return make_cards.cards()


@pytest.fixture
def extra():
    for module in ("genanki", "markdown_it", "latex2mathml.converter"):
        pytest.importorskip(module, reason="the extra `cards` is not installed: make cards")


def test_every_term_formula_and_question_has_a_card(found):
    glossary = (make_cards.ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    formulas = (make_cards.ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")
    count = {kind: sum(card.kind == kind for card in found) for kind in make_cards.KINDS}
    assert f"\n{count['term']} terms" in glossary
    assert f"\n{count['formula']} formulas" in formulas
    assert count["question"] == sum(len(outline.questions(n, path)) for n, path in outline.lessons().items())
    assert len({card.id for card in found}) == len(found)
    assert all(card.front.strip() and card.back.strip() and card.where for card in found)


def test_cards_of_one_lesson(found):
    assert make_cards.cards(["06"]) == [card for card in found if card.lesson == "06"]
    with pytest.raises(ValueError, match="There is no lesson 99; there are 00, 01"):
        make_cards.cards(["06", "99"])


def test_the_front_of_a_formula_does_not_show_it(found):
    for card in found:
        if card.kind == "formula":
            assert card.front.endswith("…?")
            assert card.back.startswith("$$")
            assert card.back.split("$$")[1] not in card.front


def test_cards_of_the_same_name_are_refused(monkeypatch):
    one = make_cards.Card("term x", "term", "00", "here", "a", "b")
    monkeypatch.setattr(make_cards, "_of", lambda page: [one])
    with pytest.raises(ValueError, match="more than one card is called term x"):
        make_cards.cards()


def test_without_the_extra_the_command_is_named(monkeypatch, capsys, tmp_path):
    def missing(module):
        raise ImportError(module)

    monkeypatch.setattr("importlib.import_module", missing)
    assert make_cards.main(["--lesson", "00", "--out", str(tmp_path / "cards")]) == 1
    assert "`make cards` has it" in capsys.readouterr().err
    assert not (tmp_path / "cards" / "course.apkg").exists()


def test_markdown_keeps_formulas_and_drops_links(extra):
    convert = typeset.markdown(typeset.for_anki)
    text = "**A** of $a_1 * b_2 * c < d$, see [the one](../x.ipynb#y) and `x*y*z`:\n\n$$\\sum_i x_i$$"
    assert convert(text) == (
        r"<p><strong>A</strong> of \(a_1 * b_2 * c &lt; d\), see the one and <code>x*y*z</code>:</p>"
        "\n<p>\\[\\sum_i x_i\\]</p>"
    )
    assert "<script" not in convert("<script>alert(1)</script>")


def test_the_deck_holds_each_card_once_in_a_deck_of_its_kind(found, extra, tmp_path):
    deck, _ = make_cards.write(found, tmp_path / "a")
    again, _ = make_cards.write(found[:50] + found[51:], tmp_path / "b")
    with zipfile.ZipFile(deck) as package:
        package.extract("collection.anki2", tmp_path)
    with sqlite3.connect(tmp_path / "collection.anki2") as database:
        notes = dict(database.execute("select guid, flds from notes"))
        decks = {one["name"] for one in json.loads(*database.execute("select decks from col").fetchone()).values()}
        tags = {tag for (tags,) in database.execute("select tags from notes") for tag in tags.split()}
        placed = database.execute("select count(distinct did) from cards where did != 1").fetchone()[0]
    assert len(notes) == len(found)
    assert {f"{make_cards.NAME}::{title}" for title in make_cards.KINDS.values()} <= decks
    assert placed == len(make_cards.KINDS)
    assert tags == {f"lesson-{card.lesson}" for card in found}
    with zipfile.ZipFile(again) as package:
        package.extract("collection.anki2", tmp_path)
    with sqlite3.connect(tmp_path / "collection.anki2") as database:
        fewer = dict(database.execute("select guid, flds from notes"))
    assert fewer.items() <= notes.items()
    assert len(fewer) == len(notes) - 1, "a card keeps its identity, whatever else is in the deck"


def test_the_page_has_every_card_and_every_formula_as_mathml(found, extra):
    text = make_cards.page(found)
    tags = tags_of(text)
    assert tags["article"] == len(found)
    formulas = sum(len(typeset.FORMULA.findall(card.front + "\n\n" + card.back)) for card in found)
    assert tags["math"] == formulas
    assert not re.search(r"\$\$|FORMULA\d", text)
    assert "\\frac" not in text
    assert text.count('display="block"') >= sum(card.kind == "formula" for card in found)


def test_files_of_somebody_else_are_left_alone(found, extra, tmp_path):
    written = make_cards.write(found[:3], tmp_path / "mine")
    assert make_cards.write(found[:3], tmp_path / "mine") == written, "its own files are written anew"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "course.apkg").write_text("a deck of my own")
    with pytest.raises(FileExistsError, match="of somebody else"):
        make_cards.write(found[:3], tmp_path / "theirs")
    assert (tmp_path / "theirs" / "course.apkg").read_text() == "a deck of my own"


def test_the_command_line(extra, capsys, tmp_path):
    assert make_cards.main(["--lesson", "06", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert re.match(r"\d+ cards \(\d+ terms, \d+ formulas, 4 explain it\)", said)
    assert (tmp_path / "course.apkg").stat().st_size > 10_000
