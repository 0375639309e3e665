"""What is asked again, and when."""

import datetime

import pytest

from cnnlib.exercises import __main__ as command
from cnnlib.exercises import catalogue, journal, outline, predict, reveal, review

DAY = datetime.timedelta(days=1)


@pytest.fixture
def course(tmp_path, monkeypatch, file):
    """Two lessons of two exercises each; the first has a question."""
    path = tmp_path / "03_small.py"
    path.write_text(
        "# %% [markdown]\n# # 03 · Small\n#\n# ## Explain it\n#\n# **Why?**\n#\n"
        "# <details><summary>Model answer</summary>\n#\n# Because.\n#\n# </details>\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(outline, "lessons", lambda: {"03": path})
    listed = {"03.1": "One", "03.2": "Two", "04.1": "Three", "04.2": "Four"}
    monkeypatch.setattr(catalogue, "listed", lambda: listed)


@pytest.fixture
def on(monkeypatch):
    """Sets the day that it is."""
    start = datetime.date.today()

    def go(days):
        monkeypatch.setattr(review, "_today", lambda: start + days * DAY)
        return [card.id for card in review.due()]

    return go


def test_nothing_is_asked_of_lessons_that_were_not_begun(course, on, capsys):
    assert on(0) == []
    assert command.main(["review"]) == 0
    assert "no lesson was begun yet" in capsys.readouterr().out


def test_what_went_wrong_comes_back_soon_and_what_went_well_late(course, on):
    journal.note_attempt("03.1", True)
    journal.note_attempt("03.2", False)
    assert on(0) == ["03.2", "03 · 1"], "the question was never asked; 04 was not begun"
    assert sorted(on(7)) == ["03 · 1", "03.1", "03.2"]
    assert "03.1" not in on(6)


@pytest.mark.parametrize("how", ["hint", "answer", "attempts"])
def test_help_counts_as_not_known(course, on, how):
    if how == "hint":
        journal.note_hint("03.1", 1)
    elif how == "answer":
        journal.note_answer("03.1")
    else:
        journal.note_attempt("03.1", False)
        journal.note_attempt("03.1", False)
    journal.note_attempt("03.1", True)
    assert on(0) == ["03 · 1"]
    assert on(1)[0] == "03.1"


def test_a_prediction_that_was_off_is_asked_again(course, on):
    predict("03.a", "How many?", 12)
    reveal("03.a", 30)
    predict("03.b", "And now?", 12)
    reveal("03.b", 12)
    assert on(0) == ["03.a", "03 · 1"]
    assert review.due()[0].back == "30"


def test_each_success_is_a_step_further_and_a_failure_goes_back(course, on, monkeypatch):
    journal.note_attempt("03.2", False)
    (card,) = [each for each in review.due() if each.id == "03.2"]
    for knew, days in [(True, 3), (True, 7), (True, 21), (True, 60), (True, 60), (False, 1), (True, 3)]:
        review.note(card, knew)
        assert "03.2" not in on(days - 1)
        assert "03.2" in on(days)


def test_those_that_wait_longest_come_first_and_no_more_than_asked_for(course, on):
    for id in ("03.1", "03.2", "04.1"):
        journal.note_attempt(id, False)
    assert len(on(0)) == 4
    assert [card.wrong for card in review.due()] == [True, True, True, False]
    assert len(review.due(2)) == 2
    assert [card.id for card in review.due(lesson="04")] == ["04.1"]
    assert sorted(card.id for card in review.due(lesson="03")) == ["03 · 1", "03.1", "03.2"]


def test_cards_are_asked_in_a_terminal(course, on):
    journal.note_attempt("03.1", False)
    typed = iter(["maybe", "n", "", "yes"])
    said = []
    assert review.ask(review.due(), lambda prompt: next(typed), said.append) == 2
    assert "Exercise 03.1 · One: solve it again" in said[0]
    assert "Why?" in said[1]
    assert said[2] == "Because."
    assert [event["knew"] for event in journal.events(kind="reviews")["03.1"]] == [False]
    assert [event["knew"] for event in journal.events(kind="reviews")["03 · 1"]] == [True]
    assert on(0) == []


@pytest.mark.parametrize("typed", [[], ["q"], ["n", "q"], ["n", "", "q"]])
def test_one_can_stop_at_any_place(course, on, typed):
    journal.note_attempt("03.1", False)
    words = iter(typed)

    def hear(prompt):
        try:
            return next(words)
        except StopIteration:
            raise EOFError from None

    assert review.ask(review.due(), hear, lambda text: None) == typed.count("n")
    assert len(journal.events(kind="reviews")) == typed.count("n")


def test_the_command_line_lists_what_is_due(course, on, capsys):
    journal.note_attempt("03.1", False)
    assert command.main(["review", "--list"]) == 0
    assert capsys.readouterr().out.split()[0] == "03.1"
    for card in review.due():
        review.note(card, True)
    assert command.main(["review", "--list", "--lesson", "03"]) == 0
    assert "Nothing is due before" in capsys.readouterr().out


def test_predictions_are_untouched_by_reviews(course):
    journal.note_attempt("03.1", False)
    review.note(review.due()[0], True)
    assert journal.events() == {}
    assert journal.entries()["03.1"]["attempts"] == 1
