"""Exercises: checks that say what went wrong, graded hints, reference answers, predictions, local progress.

A library of its own: it knows no course, and needs NumPy alone. (Tensors of Keras and of its backends, IPython and
Matplotlib are met where they are loaded.)

In a lesson::

    exercise("01.2").check(posts)
    exercise("01.2").hint()
    exercise("01.2").answer()
    predict("01.a", "How many?")  # and below it reveal("01.a", count): see :mod:`.predictions`
    progress()

To use it for a course:

1. A package of checks, with a module ``lesson_NN.py`` for each lesson and in it a list ``EXERCISES`` of
   :class:`FunctionExercise`, :class:`ValueExercise` and :class:`CheckExercise`, made with :class:`Case`,
   :class:`Misconception`, :class:`Wrong` and :func:`as_array`. A module is imported when one of its exercises is first
   asked for.
2. A folder of lessons, ``NN_name.py`` in jupytext's percent format, in which an answer stands between
   ``### BEGIN SOLUTION`` and ``### END SOLUTION`` and the next cell asks for its check: :mod:`.source` has the rules,
   makes stubs of answers, and finds reference answers.
3. A :class:`Course` that names both, told once with :func:`use`: see :mod:`.course`. Its ``progress`` is the file of
   the learner's progress, its ``prefix`` that of the environment variables ``<prefix>_PROGRESS``,
   ``<prefix>_CHECK_SEED`` and ``<prefix>_STATIC`` (outputs are made to be stored: text in the place of widgets).
4. Tests, with :mod:`.replay`, which runs answers in the place of their cells: the reference is right, the stub is not
   attempted, wrong answers are rejected with their messages.

Limits of time and how they are counted stand in :mod:`.limits` and :mod:`.stopping`; what the learner's code cannot do
to the notebook, in :mod:`.sandbox`.
"""

from . import cells
from .catalogue import exercise, exercises_of, listed
from .compare import describe, difference, equal, plain
from .course import Course, use
from .kinds import (
    Case,
    CheckExercise,
    Exercise,
    FunctionExercise,
    Misconception,
    ValueExercise,
    Wrong,
    as_array,
)
from .outcome import Answer, Hint, Outcome, Result
from .predictions import predict, reveal
from .table import Progress, progress

__all__ = [
    "Answer",
    "Case",
    "CheckExercise",
    "Course",
    "Exercise",
    "FunctionExercise",
    "Hint",
    "Misconception",
    "Outcome",
    "Progress",
    "Result",
    "ValueExercise",
    "Wrong",
    "as_array",
    "describe",
    "difference",
    "equal",
    "exercise",
    "exercises_of",
    "listed",
    "plain",
    "predict",
    "progress",
    "reveal",
    "use",
]

cells.listen()
