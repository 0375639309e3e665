"""Exercises: checks that say what went wrong, graded hints, reference answers, local progress.

In a lesson::

    exercise("01.2").check(output_size)
    exercise("01.2").hint()
    exercise("01.2").answer()
    progress()

The checks of a lesson stand in ``lesson_NN.py`` in this folder and are imported when first asked for. What a check
can be made of: :class:`FunctionExercise`, :class:`ValueExercise`, :class:`CheckExercise`, with :class:`Case`,
:class:`Misconception`, :class:`Wrong` and :func:`as_array`.
"""

from cnnlib.exercises.catalogue import exercise, exercises_of, listed
from cnnlib.exercises.compare import describe, difference, equal, plain
from cnnlib.exercises.kinds import (
    Case,
    CheckExercise,
    Exercise,
    FunctionExercise,
    Misconception,
    ValueExercise,
    Wrong,
    as_array,
)
from cnnlib.exercises.outcome import Answer, Hint, Outcome, Result
from cnnlib.exercises.table import Progress, progress

__all__ = [
    "Answer",
    "Case",
    "CheckExercise",
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
    "progress",
]
