"""Errors in plain words: what went wrong, and in which of the learner's lines."""

import os
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np

from .lines import Line
from .outcome import code
from .sandbox import Attempt, Sandbox

# Kind of error, a part of its text that must be there, in words. The first that fits is said.
_IN_WORDS: tuple[tuple[type[BaseException], str, str], ...] = (
    (ZeroDivisionError, "", "Something is divided by zero."),
    (FloatingPointError, "", "A computation gave NaN or infinity."),
    (RecursionError, "", "The function calls itself without an end."),
    (UnboundLocalError, "", "A variable is used before it has a value in this function."),
    (NameError, "", "Python does not know this name here. Is it misspelt, or defined only inside another function?"),
    (
        np.exceptions.AxisError,
        "",
        "The array has no such axis. An array of two dimensions has the axes 0 and 1, or -2 and -1; is an axis too few "
        "here, or one too many asked for?",
    ),
    (IndexError, "too many indices", "The array has fewer axes than there are indices."),
    (IndexError, "valid indices", "An index is a whole number. Does a division with `/` make it a float?"),
    (IndexError, "must be of integer", "An index is a whole number. Does a division with `/` make it a float?"),
    (IndexError, "boolean index", "A mask picks from an array of its own shape, and this one has another."),
    (IndexError, "shape mismatch", "Arrays that are indices together need shapes that fit each other."),
    (IndexError, "pop from", "The list is empty already."),
    (IndexError, "", "An index lies outside the list or array. Indices start at 0 and end at the length minus 1."),
    (KeyError, "", "The dictionary has no such key."),
    (FrozenInstanceError, "", "The object cannot be changed. Make a new one, for example with `dataclasses.replace`."),
    (AttributeError, "", "The object has nothing of that name. Is it of the type that you think it is?"),
    (ModuleNotFoundError, "", "There is no such module in this environment."),
    (ImportError, "", "The module has nothing of that name."),
    (MemoryError, "", "More memory was asked for than there is. Is a shape far too large?"),
    (OverflowError, "", "A number became too large."),
    (EOFError, "", "A check cannot answer `input()`: the function gets all that it needs as arguments."),
    (SystemExit, "", "The code asks Python to exit. A function hands its result back with `return`."),
    (KeyboardInterrupt, "", "The check was interrupted."),
    (GeneratorExit, "", "The code raised GeneratorExit."),
    (NotImplementedError, "", "A part is still to be written."),
)


def in_words(error: BaseException | None, message: str) -> str:
    """What an error means, for a learner; empty if its own text has to do."""
    return next((words for kind, part, words in _IN_WORDS if isinstance(error, kind) and part in message), "")


def explain(attempt: Attempt, sandbox: Sandbox) -> tuple[str, list[tuple[str, str]]]:
    """An error for a learner: a sentence, and rows for the error's own text and the learner's line."""
    where = [("Your line", line_text(attempt.line))] if attempt.line else []
    if attempt.stopped:
        return _stopped(attempt, sandbox), where
    return in_words(attempt.error, attempt.message), [("Error", code(error_text(attempt))), *where]


def _stopped(attempt: Attempt, sandbox: Sandbox) -> str:
    """Why the learner's code was stopped."""
    limits = sandbox.limits
    if attempt.stopped == "time":
        return f"Your code was still running after {limits.call:.3g} seconds and was stopped. Does a loop never end?"
    if attempt.stopped == "waiting":
        return (
            f"Your code was still running after {limits.waiting:.3g} seconds, hardly working in them, and was stopped. "
            "Does it sleep, or wait for something that never comes?"
        )
    if attempt.stopped == "left behind":
        return (
            f"Your code was still running after {limits.call:.3g} seconds and could not be stopped. Restart the kernel "
            "before you go on."
        )
    if attempt.stopped == "together":
        return (
            f"Your code is slow: its first {sandbox.calls} calls took {sandbox.worked:.3g} seconds of work together, "
            "and it was stopped. Is something computed again and again that once would do for?"
        )
    if attempt.stopped == "own work":
        return (
            f"The check was still at work with your answer after {limits.own_work:.3g} seconds and was stopped. Is "
            "what you built far larger than the exercise needs?"
        )
    return f"Your code took more than {sandbox.memory / 1024**3:.2g} GB of memory and was stopped."


def refused_otherwise(attempt: Attempt, wanted: type[BaseException] | tuple[type[BaseException], ...]) -> str:
    """What to say to a function that had to refuse bad input with one kind of error and ended with another."""
    if not attempt.failed or attempt.stopped:
        return ""
    name = type.__dict__["__name__"].__get__(type(attempt.error))
    asked = names(wanted)
    text = attempt.line.text if attempt.line is not None else ""
    if re.search(r"\bassert\b", text):
        return (
            f"`assert` is for what cannot happen. What a caller may get wrong is tested with `if`: raise {asked} there."
        )
    if re.search(r"\braise\b", text):
        return f"You refuse the input, with another kind of error than the one asked for: raise {asked} here."
    words = in_words(attempt.error, attempt.message)
    return (
        f"Nothing in your function refuses this input: it goes on until a line fails by itself, with {code(name)}. "
        f"{words + ' ' if words else ''}Test the arguments before they are used, and raise {asked} with a sentence of "
        "your own."
    )


def error_text(attempt: Attempt) -> str:
    """The error's kind and its own text, within bounds."""
    name = type.__dict__["__name__"].__get__(type(attempt.error)).lstrip("_")
    text = attempt.message.strip()
    text = text if len(text) <= 400 else text[:400] + " …"
    return f"{name}: {text}" if text else name


def line_text(line: Line) -> str:
    """Where a line of the learner's stands, and what it says."""
    in_file = f" of {Path(line.file).name}" if os.path.isfile(line.file) else " of its cell"
    scope = f"in {code(line.function)}, " if line.function.isidentifier() else ""
    return f"{scope}line {line.number}{in_file}" + (f": {code(line.text)}" if line.text else "")


def at(line: Line | None) -> str:
    """The same in parentheses, behind something else."""
    return f" ({line_text(line)})" if line else ""


def names(kinds: type[BaseException] | tuple[type[BaseException], ...]) -> str:
    """Kinds of errors, as code."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(code(kind.__name__) for kind in kinds)


def printed(sandbox: Sandbox) -> list[tuple[str, str]]:
    """A row with what the learner's code printed, if it did."""
    text = sandbox.output.text().strip("\n")
    if not text:
        return []
    lines = text.splitlines()
    shown = [line[:200] for line in lines[:8]]
    more = len(lines) > len(shown) or any(len(line) > 200 for line in lines[:8])
    return [("Printed", code("\n".join(shown) + (" …" if more and not shown[-1].endswith("…") else "")))]


def notes(sandbox: Sandbox) -> list[str]:
    """What the learner's code left behind."""
    if not sandbox.left_behind:
        return []
    many = "a thread" if sandbox.left_behind == 1 else f"{sandbox.left_behind} threads"
    return [f"Your code left {many} running; restarting the kernel ends that."]
