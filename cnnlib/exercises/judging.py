"""A prediction against what came out: how a guess is read, when it is right, how surprising a miss is.

**Right** is what somebody who understood would have said, not what somebody who computed would have. People guess sizes
in ratios ("ten times as many"), so a number is right within a factor of 1.25 of the result: 8 to 12.5 where 10 comes
out, and as far off at 5 as at 20. A share in % between 0 and 100 has two ends, 99.9 % is as far from 99 % as 0.1 % is
from 1 %, so there the factor is one of odds, p / (100 - p): 50 % is right from 44 to 56, 90 % from 88 to 92, 10 % from
8 to 12. Half a point is added at both ends, as people answer in whole percents: nobody is infinitely wrong with 0 %
where 0.3 % comes out. Where neither fits (a difference that may be zero or negative, a small count that must be exact)
the question says ``within``: right is what differs by no more than that. Of choices one is right.

**Surprise** is the distance between guess and result in such tolerances: 1 is where right ends, and all questions have
one scale, so that the misses of a lesson can be ordered by it. Up to 3.1 (twice or half) a miss is *near*, up to 10.3
(ten times) *off*, beyond that *far off*. A wrong choice has no distance. Its surprise is 3.1: behind every number that
is off, before those that are near.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from .compare import as_numeric, plain

FACTOR = 1.25
NEAR, FAR = (math.log(times) / math.log(FACTOR) for times in (2, 10))  # in tolerances: 3.1 and 10.3
FARTHEST = 100.0  # of a guess that has no ratio to the result: another sign, or nothing where something is
_HALF_A_POINT = 0.5
_LARGEST = 1.7e308  # whole numbers beyond it have no float
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Question:
    """What is asked: a number, in a unit, or one of some choices.

    Args:
        text: the question.
        unit: of a number; ``"%"`` for a share.
        within: how far a right number may be from the result; if not given, a factor (see the module).
        choices: the answers that are offered; none where a number is asked.
    """

    text: str = ""
    unit: str = ""
    within: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How a guess compares with the result; ``surprise`` is at most 1 if it is right."""

    surprise: float
    says: str

    @property
    def right(self) -> bool:
        """Whether the guess counts as right."""
        return self.surprise <= 1


def read(question: Question, guess: Any) -> tuple[float | int | str | None, str]:
    """A guess as the learner wrote it: the answer and no complaint, or None and what is wrong with it."""
    if question.choices:
        said = text_of(guess).strip()
        found = [each for each in question.choices if each == said]
        found = found or [each for each in question.choices if each.casefold() == said.strip("\"'").casefold()]
        if found:
            return found[0], ""
        return None, f"{_quoted(guess)} is none of the choices: {', '.join(question.choices)}."
    number = number_of(guess) if not isinstance(guess, str) else _number_in(guess, question.unit)
    if number is None or not math.isfinite(number):
        return None, f"{_quoted(guess)} is no number; write digits, as in 12, 0.5 or 3e6."
    return number, ""


def _number_in(text: str, unit: str) -> float | int | None:
    """The number that a text says: with its unit, with commas or spaces between thousands, with a decimal comma."""
    text = text.strip().replace("\u2212", "-")
    text = text.removesuffix(unit).strip() if unit else text
    if re.fullmatch(r"[-+]?\d{1,3}([ ,_'\u202f\u2009]\d{3})+(\.\d+)?", text):
        text = re.sub(r"[ ,_'\u202f\u2009]", "", text)
    elif re.fullmatch(r"[-+]?\d+,\d+", text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) if re.fullmatch(r"[-+]?\d{1,15}", text) else float(text)


def number_of(value: Any) -> float | int | None:
    """The value as one Python number, tensors of every backend included; None if it is none."""
    if isinstance(value, (bool, str)) or value is None:
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**15 else float(min(max(value, -_LARGEST), _LARGEST))
    if isinstance(value, float):
        return value
    array = as_numeric(plain(value))
    if array is None or array.size != 1 or array.dtype.kind not in "iuf":
        return None
    return array.reshape(()).item()


def text_of(value: Any) -> str:
    """A value as the text of a choice: ``9`` for a NumPy or a tensor's 9, ``True`` for a truth value of any kind."""
    if isinstance(value, (str, bool)):
        return str(value)
    number = number_of(value)
    if number is None:
        array = plain(value)
        if isinstance(array, np.ndarray) and array.size == 1:
            return str(array.reshape(()).item())
    return f"{number:g}" if isinstance(number, float) else str(value if number is None else number)


def judge(question: Question, guess: Any, value: Any) -> Verdict | None:
    """The verdict on a guess; None if the two cannot be compared, as with a result that is no finite number."""
    if question.choices:
        if not isinstance(guess, str) or not isinstance(value, str):
            return None
        return Verdict(0.0, "right") if guess == value else Verdict(NEAR, "not what you predicted")
    numbers = [each for each in (guess, value) if isinstance(each, (int, float)) and not isinstance(each, bool)]
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return None
    surprise = _surprise(question, guess, value)
    if surprise <= 1:
        return Verdict(surprise, "right")
    word = "near" if surprise <= NEAR else "off" if surprise <= FAR else "far off"
    return Verdict(surprise, f"{word}, {_how_far(question, guess, value)}")


def _surprise(question: Question, guess: float, value: float) -> float:
    """The distance in tolerances, at most `FARTHEST`."""
    if guess == value:
        return 0.0
    if question.within is not None:
        distance = abs(guess - value)
        if distance <= question.within * (1 + 1e-9):  # 0.3 is within 0.1 of 0.4
            return distance / question.within / (1 + 1e-9)
        if question.within:
            return min(max(distance / question.within, 1.001), FARTHEST)
        return max(_factors(guess, value), 1.001)
    if _is_share(question, guess, value):
        return _factors(_odds(guess), _odds(value))
    if _is_share(question, 100, value) and guess > 100:  # no less surprising than all of it
        return max(_factors(guess, value), _factors(_odds(100), _odds(value)))
    return _factors(guess, value)


def _is_share(question: Question, guess: float, value: float) -> bool:
    return question.unit == "%" and 0 <= guess <= 100 and 0 <= value <= 100


def _odds(percent: float) -> float:
    return (percent + _HALF_A_POINT) / (100 - percent + _HALF_A_POINT)


def _factors(guess: float, value: float) -> float:
    """How many factors of `FACTOR` lie between the two."""
    if guess == 0 or value == 0 or (guess > 0) != (value > 0):
        return FARTHEST
    away = abs(math.log(abs(guess)) - math.log(abs(value))) / math.log(FACTOR)
    return min(away / (1 + 1e-9), FARTHEST)  # 8 is within a factor of 1.25 of 10


def _how_far(question: Question, guess: float, value: float) -> str:
    """The distance in words: points of a share, times, or the difference where a ratio says nothing."""
    side = "too high" if guess > value else "too low"
    distance = shown(abs(guess - value), digits=2)
    if _is_share(question, guess, value):
        return f"{distance} point{'s' if distance != '1' else ''} {side}"
    if question.within is not None or guess * value <= 0:
        return f"{distance}{_unit(question.unit)} {side}"
    small, large = sorted((abs(guess), abs(value)))
    ratio = large / small
    side = "too high" if abs(guess) > abs(value) else "too low"
    return f"{shown(ratio, digits=2)} times {side}" if math.isfinite(ratio) else side


def answer_text(question: Question, answer: Any, measured: bool = False, exact: bool = False) -> str:
    """An answer with its unit: a guess as it was given; a result with three digits, behind ``≈`` if it is measured."""
    if isinstance(answer, str) or answer is None:
        return str(answer)
    number = shown(answer, digits=6 if exact else 3, padded=measured)
    return f"{'≈ ' if measured else ''}{number}{_unit(question.unit)}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def shown(value: float | int, digits: int, padded: bool = False) -> str:
    """A number with that many significant digits; digits before the decimal point are never rounded away."""
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**15 else f"{float(value):.{digits}g}"
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if abs(value) < 1e-4 or abs(value) >= 1e15:
        return f"{value:.{digits - 1}e}"
    if float(f"{abs(value):.{digits}g}") >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}" if padded else f"{value:.{digits}g}"


def _quoted(guess: Any) -> str:
    said = repr(guess)
    return said if len(said) <= 40 else f"{said[:37]}..."
