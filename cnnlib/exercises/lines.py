"""Which lines are the learner's: neither the engine's, nor the course's, nor a library's."""

import functools
import linecache
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from . import course

_FOLDER = Path(__file__).parent
_LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(_FOLDER.resolve()), str(_FOLDER)}
)


@dataclass(frozen=True)
class Line:
    """A line of the learner's code: the function it stands in, its number in the cell, its text (maybe empty)."""

    function: str
    number: int
    text: str
    file: str = ""


def learners_line(trace: Any, besides: CodeType | None = None) -> Line | None:
    """The innermost line of a traceback that the learner wrote; None if it only passes through libraries.

    The lines of ``besides`` are not the learner's.
    """
    found = None
    steps = 0
    while trace is not None and steps < 100_000:
        code = trace.tb_frame.f_code
        if code is not besides and is_learners(code.co_filename):
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            found = Line(code.co_name, trace.tb_lineno, text, code.co_filename)
        trace = trace.tb_next
        steps += 1
    return found


def runs_learners_code(frame: FrameType | None, besides: CodeType | None = None, until: CodeType | None = None) -> bool:
    """Whether a frame, or one that called it, is the learner's; those that called ``until`` are not looked at."""
    while frame is not None and frame.f_code is not until:
        if frame.f_code is not besides and is_learners(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def is_learners(file: str) -> bool:
    """Whether a file (or a cell) is neither of this package, nor of the course, nor of a library."""
    return _is_learners(file, _not_learners(course.current()))


def files_of_learners() -> Callable[[str], bool]:
    """:func:`is_learners` for the course in use now, as one call that runs nothing but methods of strings: for places
    where an error may be raised at any moment."""
    others = _not_learners(course.current())
    return lambda file: _is_learners(file, others)


def _is_learners(file: str, others: tuple[str, ...]) -> bool:
    return not (file.startswith("<frozen") or "<__array_function__" in file or file.startswith(others))


@functools.lru_cache(maxsize=8)
def _not_learners(of: course.Course) -> tuple[str, ...]:
    return (*_LIBRARIES, *of.folders())
