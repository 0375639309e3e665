"""What wrong results alone suggest: a sign, an axis, a step too many."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

from . import compare


def suggestion(wrong: list[tuple[Any, Any]], every: list[tuple[Any, Any]], printed: str) -> str:
    """What wrong results alone suggest, from pairs of what came and what was expected: the wrong ones, and all."""
    came = [value for value, _ in wrong]
    if all(value is None for value in came):
        also = " It prints something: printing shows a value, returning hands it on." if printed else ""
        return f"The function returns nothing. Is a `return` missing?{also}"
    if all(isinstance(value, str) and not isinstance(expected, str) for value, expected in wrong):
        return "The function returns text. Is something turned into a string, or in quotes?"
    if all(_lost_fractions(value, expected) for value, expected in wrong):
        return (
            "Your result has lost its fractions: it holds whole numbers. An array made with the type of an argument, "
            "as `np.zeros_like` and `astype` make it, cuts them off where the argument holds whole numbers."
        )
    pairs = [(_numeric(value), _numeric(expected)) for value, expected in wrong]
    if any(value is None or expected is None for value, expected in pairs):
        return ""
    for text, holds in _SUGGESTIONS:
        if all(holds(value, expected) for value, expected in pairs):
            return text
    values = [_numeric(value) for value, _ in every]
    wanted = [_numeric(expected) for _, expected in every]
    if len(every) >= 4 and _all_equal(values) and not _all_equal(wanted):
        return "The function gives the same result in every case. Does it use its arguments?"
    return ""


def _numeric(value: Any) -> np.ndarray | None:
    """Plain data as an array of real numbers; None if it is none."""
    array = compare.as_numeric(value)
    return array if array is not None and array.dtype.kind in "iuf" else None


def _all_equal(values: list[np.ndarray | None]) -> bool:
    first = values[0]
    return first is not None and all(v is not None and _near(v, first) for v in values)


def _near(value: np.ndarray, expected: np.ndarray, rtol: float = 1e-5) -> bool:
    return value.shape == expected.shape and bool(np.allclose(value, expected, rtol=rtol, atol=1e-7, equal_nan=True))


def _moved_axes(value: np.ndarray, expected: np.ndarray) -> bool:
    if value.ndim != expected.ndim or value.ndim < 2 or sorted(value.shape) != sorted(expected.shape):
        return False
    if value.ndim > 4 or _near(value, expected):
        return False
    return any(_near(np.transpose(value, order), expected) for order in permutations(range(value.ndim)))


def _mirrored(value: np.ndarray, expected: np.ndarray) -> bool:
    if value.ndim < 1 or value.shape != expected.shape or value.size < 2:
        return False
    return any(_near(np.flip(value, axis), expected) for axis in range(value.ndim)) or _near(np.flip(value), expected)


def _lost_fractions(came: Any, wanted: Any) -> bool:
    """Whether this is the expected array, or one of several is, cut off or rounded to whole numbers."""
    value, expected = _numeric(came), _numeric(wanted)
    if value is None or expected is None:
        if not (isinstance(came, list) and isinstance(wanted, list) and len(came) == len(wanted)):
            return False
        lost = [_lost_fractions(*each) for each in zip(came, wanted)]
        return any(lost) and all(one or compare.equal(*each) for one, each in zip(lost, zip(came, wanted)))
    if value.ndim == 0 or value.shape != expected.shape or not (np.isfinite(value) & np.isfinite(expected)).all():
        return False
    whole = bool((value == np.floor(value)).all()) and not (expected == np.floor(expected)).all()
    return whole and bool((np.abs(value - expected) < 1).all())


_SUGGESTIONS: tuple[tuple[str, Callable[[np.ndarray, np.ndarray], bool]], ...] = (
    ("The result contains NaN: something is divided by zero, or a logarithm or root taken of a negative number.",
     lambda v, e: bool(np.isnan(v).any()) and not np.isnan(e).any()),
    ("The sign is the opposite one.", lambda v, e: _near(-v, e) and bool(np.any(e))),
    ("The result is one too large.", lambda v, e: e.shape == () and e.dtype.kind in "iu" and _near(v - 1, e)),
    ("The result is one too small.", lambda v, e: e.shape == () and e.dtype.kind in "iu" and _near(v + 1, e)),
    ("The values are right, but the axes are in another order.", _moved_axes),
    ("The values are right, but in reverse order along an axis.", _mirrored),
    ("The values are right, but there is an axis of length 1 too many or too few.",
     lambda v, e: v.shape != e.shape and v.size == e.size and _near(np.squeeze(v), np.squeeze(e))),
    ("The values are right, but the shape is not.",
     lambda v, e: v.shape != e.shape and v.size == e.size and _near(v.ravel(), e.ravel())),
    ("It is close. Is something rounded on the way, or computed with too few digits?",
     lambda v, e: _near(v, e, 0.01) and v.dtype.kind == "f" and e.dtype.kind == "f"),
)  # fmt: skip
