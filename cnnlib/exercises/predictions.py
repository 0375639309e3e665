"""Predictions that the learner commits to before a result, and reveals that say how far off they were.

In a lesson, in a cell of its own under the text that asks, and in the cell that computes the result::

    predict("03.a", "What share of the units is still active after 12 steps?", unit="%")
    predict("03.b", "Which schedule ends lower?", choices=["constant", "cosine"])

    reveal("03.a", 100 * active)
    reveal("03.b", "cosine" if cosine < constant else "constant")

Where widgets can be had (JupyterLab with ipywidgets), ``predict`` shows a field or a row of buttons. Elsewhere, and
where ``<prefix>_STATIC=1`` asks for outputs that can be stored, it says in one line how to commit without them: the
guess is written behind the question, ``predict("03.a", "…", 40, unit="%")``. Nobody has to: ``reveal`` then says what
came out and nothing else.

**What counts.** The first guess, if no reveal came before it. Another one later, or one after the result was shown, is
kept and does not count. When a guess is right, and what makes a miss surprising, is argued in :mod:`.judging`.

**What is kept.** Guesses and reveals are events in the file of progress (:mod:`.journal`): they outlast the kernel, and
several notebooks may be open. To predict anew, delete the file, as for exercises. In static mode the file is neither
read nor written.

**What stops a lesson.** Only mistakes of its author: an id that is none, no question, choices that are none, a result
that cannot be an answer. Whatever the learner writes gets a message.

**What is stored.** A number stands behind ``≈``, so that stored outputs can be compared though it differs from machine
to machine; ``exact=True`` leaves the sign out, for what is counted or computed and the same everywhere. A choice has no
sign: like any sentence of a lesson it has to come out the same on every machine.
"""

import re
from dataclasses import dataclass
from typing import Any

from . import course, journal, prompt
from .judging import Question, Verdict, answer_text, judge, number_of, read, text_of
from .world import running_shell

_ID = re.compile(rf"(?P<lesson>{course.NUMBER})\.[a-z]")

_questions: dict[str, Question] = {}  # of the cells that ran in this Python


def predict(
    id: str,
    question: str,
    guess: Any = None,
    *,
    unit: str = "",
    choices: list[Any] | tuple[Any, ...] | None = None,
    within: float | None = None,
) -> None:
    """Ask for a prediction. The learner may commit to one, and may as well go on.

    Args:
        id: lesson and letter, ``"03.a"``.
        question: what is asked; one sentence.
        guess: the learner's, written into the cell; not needed where there is a widget.
        unit: of the number that is asked for, ``"%"`` for a share.
        choices: the answers to choose from, two or more; without them a number is asked for.
        within: how far off a right number may be. If it is not given, right is what lies within a factor of 1.25 (of a
            share in %, a factor of 1.25 in odds).

    Raises:
        TypeError, ValueError: the call is not well formed, a mistake of the lesson's author. Never because of a guess.
    """
    _check_id(id)
    asked = _question(question, unit, choices, within)
    _questions[id] = asked
    if guess is not None and guess is not Ellipsis:
        print(f"{id} · {_commit(id, asked, guess)[1]}")
        return
    state = _state(id)
    if state.guess is not None:
        print(f"{id} · You predicted {_guess_text(asked, state.guess)}.")
        return
    shell = running_shell()
    if _is_static() or getattr(shell, "kernel", None) is None or not prompt.is_possible():
        print(_how_to_commit(id, asked))
        return
    note = "The result was shown already: a guess is kept, and does not count." if state.revealed else ""
    prompt.show(id, asked, lambda said: _commit(id, asked, said), note, _how_to_commit(id, asked))


def reveal(id: str, value: Any, *, exact: bool = False) -> None:
    """Say what came out, and how far off the prediction was; without a prediction, what came out.

    Args:
        id: of the prediction.
        value: the computed result: a number, or a NumPy scalar or tensor that holds one; of choices one, or True or
            False for ``"yes"`` or ``"no"``.
        exact: whether a number is the same on every machine, so that it is shown, and compared, without ``≈``.

    Raises:
        TypeError, ValueError: the id is none, or the result cannot be an answer: a mistake of the lesson's author.
    """
    _check_id(id)
    asked = _questions.get(id) or _question_of(_first_guess(_happened(id)))
    result = _result(id, asked, value)
    came = answer_text(asked, result, measured=not exact and not isinstance(result, str), exact=exact)
    state = _state(id)
    if state.guess is not None:
        verdict = judge(asked, state.guess, result)
        told = f"You predicted {_guess_text(asked, state.guess)}. It is {came}"
        print(f"{id} · {told}{f': {verdict.says}' if verdict else ''}.")
    elif state.late is not None:
        print(f"{id} · It is {came}. Your {_guess_text(asked, state.late)} came after the result and does not count.")
    else:
        print(f"{id} · It is {came}.")
    _note_reveal(id, result)


def _check_id(id: Any) -> None:
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError(f'a prediction is named by lesson and letter, as in "03.a"; {id!r} was given')


def _question(text: Any, unit: str, choices: Any, within: Any) -> Question:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"predict needs a question; {text!r} was given")
    if choices is None:
        if within is not None and not (isinstance(within, (int, float)) and within >= 0):
            raise ValueError(f"within={within!r}: a number that is not negative says how far off a right guess may be")
        return Question(text.strip(), unit, within)
    if unit or within is not None:
        raise ValueError("one of several choices has no unit, and nothing is within them: give choices alone")
    if isinstance(choices, str) or len(choices) < 2:
        raise ValueError(f"choices={choices!r}: a list of two or more is needed")
    texts = tuple(text_of(each) for each in choices)
    if len({each.casefold() for each in texts}) < len(texts) or not all(texts):
        raise ValueError(f"choices={choices!r}: each must be another text, and none empty")
    return Question(text.strip(), choices=texts)


def _result(id: str, asked: Question, value: Any) -> Any:
    """The computed value as an answer: a number, or the text of a choice."""
    if asked.choices:
        said = text_of(value)
        if said in ("True", "False") and said not in asked.choices:
            said = "yes" if said == "True" else "no"
        if said not in asked.choices:
            raise ValueError(f"reveal({id!r}, ...): {said!r} is none of the choices {', '.join(asked.choices)}")
        return said
    number = number_of(value)
    if number is not None:
        return number
    if id in _questions:
        raise TypeError(f"reveal({id!r}, ...): a number was asked for; the result is {value!r}")
    return text_of(value)  # the cell that asks did not run in this Python, so that what it asks for is not known


def _guess_text(asked: Question, guess: Any) -> str:
    return answer_text(asked, guess, exact=True)


def _how_to_commit(id: str, asked: Question) -> str:
    if asked.choices:
        *most, last = [f'"{each}"' for each in asked.choices]
        what, more = f"{', '.join(most)} or {last}", ", ..."
    else:
        what, more = f"your number{f' in {asked.unit}' if asked.unit else ''}", ", ..." if asked.unit else ""
    return f'{id} · No prediction yet: write {what} behind the question, predict("{id}", "...", HERE{more}).'


# --- what happened ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _State:
    """Of one prediction: the guess that counts, the last one that does not, and whether the result was shown."""

    guess: Any = None
    late: Any = None
    revealed: bool = False


def _is_static() -> bool:
    return course.current().setting("STATIC").lower() in ("1", "true", "yes", "on")


def _happened(id: str) -> list[dict[str, Any]]:
    return journal.events(kept=not _is_static()).get(id, [])


def _state(id: str) -> _State:
    return _state_of(_happened(id))


def _first_guess(happened: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((event for event in happened if event.get("event") == "guess" and "guess" in event), None)


def _state_of(happened: list[dict[str, Any]]) -> _State:
    revealed = any(event.get("event") == "reveal" for event in happened)
    first = _first_guess(happened)
    if first is None:
        return _State(revealed=revealed)
    before = happened[: next(n for n, event in enumerate(happened) if event is first)]
    if any(event.get("event") == "reveal" for event in before):
        last = [event for event in happened if event.get("event") == "guess" and "guess" in event][-1]
        return _State(late=last["guess"], revealed=True)
    return _State(guess=first["guess"], revealed=revealed)


def _commit(id: str, asked: Question, said: Any) -> tuple[bool, str]:
    """Keep a guess. Whether it was understood, and what to say of it."""
    guess, complaint = read(asked, said)
    if complaint:
        return False, f"{complaint} Nothing was kept."
    event = {"event": "guess", "guess": guess, "question": asked.text}
    event |= {"choices": list(asked.choices)} if asked.choices else {"unit": asked.unit, "within": asked.within}

    def make(happened: list[dict[str, Any]]) -> dict[str, Any] | None:
        before = [each["guess"] for each in happened if each.get("event") == "guess" and "guess" in each]
        return None if before and before[-1] == guess else event

    journal.note_event(id, make, kept=not _is_static())
    state = _state(id)
    if state.guess is None:
        text = f"{_guess_text(asked, guess)}, after the result was shown: kept, and not counted."
    elif state.guess == guess:
        text = f"You predicted {_guess_text(asked, guess)}."
    else:
        text = f"Your first guess counts: {_guess_text(asked, state.guess)}."
    return True, text


def _note_reveal(id: str, result: Any) -> None:
    """Keep that a result was shown: once, and once more after each new guess."""
    value = result if isinstance(result, str) or result - result == 0 else None  # NaN and infinity are not in JSON

    def make(happened: list[dict[str, Any]]) -> dict[str, Any] | None:
        return {"event": "reveal", "value": value} if not happened or happened[-1].get("event") != "reveal" else None

    journal.note_event(id, make, kept=not _is_static())


# --- for the table of progress ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prediction:
    """A prediction that counts: what was asked and guessed, what came out (None before), and the verdict."""

    id: str
    question: str
    guess: str
    value: str | None
    verdict: Verdict | None


def committed() -> list[Prediction]:
    """The predictions that count, in order of their ids."""
    found = []
    for id, happened in sorted(journal.events(kept=not _is_static()).items()):
        state = _state_of(happened)
        if state.guess is None:
            continue
        first = _first_guess(happened)
        asked = _question_of(first)
        shown = [event for event in happened if event.get("event") == "reveal"][:1]  # the first is after the guess
        value = shown[0].get("value") if shown else None
        verdict = judge(asked, state.guess, value) if value is not None else None
        text = answer_text(asked, value) if value is not None else None
        found.append(Prediction(id, asked.text, _guess_text(asked, state.guess), text, verdict))
    return found


def _question_of(event: dict[str, Any] | None) -> Question:
    """What was asked, as the event of the guess keeps it."""
    if event is None:
        return Question()
    return Question(
        str(event.get("question", "")),
        str(event.get("unit", "")),
        event.get("within"),
        tuple(map(str, event.get("choices", ()))),
    )
