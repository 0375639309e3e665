"""An example of cases and tasks of your own for lesson 01. Copy the folder to a place that learners do not see.

`CASES` adds cases to an exercise of the lesson, judged by its own reference. `EXERCISES` are tasks of your own: under
an id of the lesson they take its place, under a new one they are added. `ASKS` says what a notebook has to define for
one that the lesson does not have; hand its text out on paper.
"""

from cnnlib.exercises import Case, FunctionExercise, Misconception


def _large(rng):
    """Sizes beyond those that the lesson draws."""
    for _ in range(5):
        size, kernel = int(rng.integers(500, 5000)), int(rng.integers(1, 40))
        yield Case((size, kernel), {"stride": int(rng.integers(1, 9)), "dilation": int(rng.integers(1, 6))})


CASES = {"01.1": _large}


def _lost(size, kernel, stride=1):
    """How many pixels at the end no window sees."""
    return (size - kernel) % stride


EXERCISES = [
    FunctionExercise(
        "01.91",
        "Pixels that nobody looks at",
        reference=_lost,
        cases=lambda rng: [Case((7, 3, 2)), *(Case((int(n), 3, 4)) for n in rng.integers(10, 99, 6))],
        misconceptions=(
            Misconception(lambda size, kernel, stride=1: size % stride, "The first window covers the whole kernel."),
        ),
    ),
]
ASKS = {"01.91": ["lost"]}
