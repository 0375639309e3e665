"""What this course asks: one module a lesson, ``lesson_NN.py``, with its exercises as a list ``EXERCISES``.

Where one file would grow too long, a part stands in a module beside it, ``lesson_12_images.py``, that
``lesson_12.py`` imports.

Each exercise says how cases are drawn, what the reference is, which wrong models learners have in mind and what to say
to each, and its hints. What it is made of is :mod:`cnnlib.exercises`, the engine, which knows nothing of these. A
module is imported when one of its exercises is first asked for.
"""

from pathlib import Path

from cnnlib import runtime
from cnnlib.exercises import journal
from cnnlib.exercises.course import Course


def _lessons() -> Path:
    return runtime.root() / "solutions"


def _progress() -> Path | None:
    """``.cnnlib/progress.json`` in the checkout, or in the home where the checkout is someone else's.

    None while outputs are made to be stored.
    """
    if runtime.is_static():
        return None
    try:
        checkout = runtime.root()
    except FileNotFoundError:
        checkout = None
    return journal.own_file(checkout, ".cnnlib/progress.json")


COURSE = Course(checks=__name__, lessons=_lessons, progress=_progress, prefix="CNNLIB")
