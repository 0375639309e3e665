"""Sentences that check themselves, and numbers that vary from machine to machine.

Every sentence of a lesson that can be checked stands beside a :func:`claim`; every printed number that depends on
training, on float noise or on time is printed by :func:`measured` or :func:`approx`, behind the sign "≈", so that the
stored output of a notebook can be compared with that of another machine.
"""

import math
import numbers
from typing import Any

import numpy as np


class ClaimFailed(AssertionError):
    """A sentence of the course is false in this run."""


def claim(text: str, condition: Any) -> None:
    """Print ``text`` with a tick if ``condition`` holds, and fail otherwise.

    Args:
        text: a full sentence, with the number it is about.
        condition: ``True`` or ``False``: a Python or NumPy truth value, or a tensor that holds a single one.

    Raises:
        ClaimFailed: the condition is false.
        TypeError: the condition is not a truth value.
        ValueError: the condition is an array of several truth values, or the text is empty.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"claim() takes the sentence first and the condition second; the sentence is {type(text).__name__}"
        )
    if not text.strip():
        raise ValueError("claim() needs a sentence; an empty text was given")
    if not _truth(condition, text):
        raise ClaimFailed(
            f"✘ {text}\n\n"
            "This sentence is false in this run. If you have not changed the cells above it, the course has a defect,\n"
            "or the number is another machine's: please report the lesson, the cell, and what runtime.report() prints."
        )
    print(f"✔ {text}")


def _truth(condition: Any, text: str) -> bool:
    """The condition as a Python truth value; errors for everything that is not clearly one."""
    if isinstance(condition, (bool, np.bool_)):
        return bool(condition)
    if condition is None or isinstance(condition, (str, bytes, numbers.Number)) or callable(condition):
        raise TypeError(
            f"claim({text!r}, …) needs True or False; it was given {condition!r}. Is a comparison or a call missing?"
        )
    values = _as_array(condition)
    if values.shape != ():
        raise ValueError(
            f"claim({text!r}, …) needs one truth value; it was given an array of shape {values.shape}. "
            "Add .all() or .any() to say which is meant."
        )
    if values.dtype != bool:
        raise TypeError(f"claim({text!r}, …) needs True or False; it was given {condition!r}. Is a comparison missing?")
    return bool(values)


def measured(label: str, value: Any, unit: str = "", digits: int = 3) -> None:
    """Print a measured number: ``label ≈ 0.913 s``.

    Args:
        label: what was measured.
        value: a number, or an array or tensor that holds a single one.
        unit: printed behind the number.
        digits: how many significant digits are shown.
    """
    print(f"{label} {approx(value, digits)}{' ' + unit if unit else ''}")


def approx(value: Any, digits: int = 3) -> str:
    """A measured number as text, ``≈ 0.913``, for an f-string, a table cell or an alternative text.

    Args:
        value: a number, or an array or tensor that holds a single one.
        digits: how many significant digits are shown; the digits before the decimal point are never rounded away.

    Raises:
        TypeError: the value is not one number.
        ValueError: ``digits`` is not positive.
    """
    if digits < 1:
        raise ValueError(f"digits must be 1 or more; {digits} was given")
    return f"≈ {_number_text(_number(value), digits)}"


def _number(value: Any) -> float | int:
    """The value as one Python number."""
    if isinstance(value, (bool, np.bool_, str)) or value is None:
        raise TypeError(f"a measured value must be a number; {value!r} was given")
    if isinstance(value, numbers.Real):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    values = _as_array(value)
    if values.size != 1 or values.dtype.kind not in "iuf":
        raise TypeError(
            f"a measured value must be one number; an array of shape {values.shape} and type {values.dtype} was given"
        )
    return values.reshape(()).item()


def _as_array(value: Any) -> np.ndarray:
    """A NumPy array of anything, tensors of the three backends included."""
    if type(value).__module__.split(".")[0] in ("torch", "jax", "jaxlib", "tensorflow", "keras"):
        from keras import ops

        return np.asarray(ops.convert_to_numpy(value))
    return np.asarray(value)


def _number_text(value: float | int, digits: int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    if float(f"{abs(value):.{digits}g}") >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}"
