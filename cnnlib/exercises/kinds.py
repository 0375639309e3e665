"""The three kinds of exercises: a function to write, a value to find, and anything else that a check can examine.

A lesson's exercises stand in ``lesson_NN.py`` of the course's checks, as a list ``EXERCISES``::

    EXERCISES = [
        FunctionExercise(
            "01.2",
            "Fence posts",
            reference=posts,
            cases=post_cases,  # rng -> Case, Case, ...
            misconceptions=(
                Misconception(without_the_last, "A fence ends with a post as well."),
            ),
            hints=("How many posts does a fence of one panel have?", "..."),
        ),
    ]
"""

from .base import Case, Exercise, Misconception, Wrong
from .custom import CheckExercise, as_array
from .function import FunctionExercise
from .value import ValueExercise, misspells, says

__all__ = [
    "Case",
    "CheckExercise",
    "Exercise",
    "FunctionExercise",
    "Misconception",
    "ValueExercise",
    "Wrong",
    "as_array",
    "misspells",
    "says",
]
