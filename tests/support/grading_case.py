"""A small course to grade with, and the texts of notebooks that are handed in for it."""

import json

import small_course

ENGINE = """
try:
    from cnnlib.exercises import {names}
except ImportError:
    from asked import {names}
"""
CHECKS = (
    ENGINE.format(names="Course, use")
    + """
from pathlib import Path

HERE = Path(__file__).parents[2]
COURSE = use(Course(checks=__name__, lessons=HERE / "lessons", prefix="FENCES"))
"""
)
LESSON_CHECKS = (
    ENGINE.format(names="Case, CheckExercise, FunctionExercise, Misconception, ValueExercise, Wrong")
    + """
import numpy as np

def posts(panels):
    if panels < 0:
        raise ValueError("a fence of less than nothing")
    return panels + 1

def heights(boards):
    return np.sort(boards)

def gate(answer, rng):
    if answer.width() != 2:
        raise Wrong("A gate is two boards wide.", likely="You count the gap.")

EXERCISES = [
    FunctionExercise(
        "07.1",
        "Fence posts",
        reference=posts,
        cases=lambda rng: [Case((0,)), Case((3,)), Case((int(rng.integers(4, 99)),)), Case((-1,), raises=ValueError)],
        misconceptions=(Misconception(lambda panels: panels, "A fence ends with a post as well."),),
        hints=("Draw a fence of one panel.", "Count its ends."),
        time_limit=0.5,
    ),
    FunctionExercise(
        "07.2", "Heights", reference=heights, cases=lambda rng: [Case((rng.normal(size=5),)), Case((np.zeros(0),))]
    ),
    ValueExercise(
        "07.3", "Nails", expected=144, misconceptions=(Misconception(12, "A gross is a dozen of dozens."),)
    ),
    CheckExercise("07.4", "A gate", check=gate),
]
"""
)
LESSON = (
    """# %% [markdown]
# # 07 · Fences

# %%
import numpy as np

"""
    + small_course.POSTS
    + """
# %% [markdown]
# ### Exercise 07.2 · Heights

# %%
def heights(boards):
    ### BEGIN SOLUTION
    return np.sort(boards)
    ### END SOLUTION

# %%
exercise("07.2").check(heights)

# %% [markdown]
# ### Exercise 07.3 · Nails

# %%
### BEGIN SOLUTION
nails = 12 * 12
### END SOLUTION

# %%
exercise("07.3").check(nails)

# %% [markdown]
# ### Exercise 07.4 · A gate

# %%
class Gate:
    def width(self):
        ### BEGIN SOLUTION
        return 2
        ### END SOLUTION

gate = Gate()

# %%
exercise("07.4").check(gate)
"""
)


RIGHT = {
    "posts": "def posts(panels):\n    if panels < 0:\n        raise ValueError\n    return panels + 1",
    "heights": "def heights(boards):\n    return np.array(sorted(boards))",
    "nails": "nails = 144",
    "gate": "class Gate:\n    def width(self):\n        return 2\n\ngate = Gate()",
}
STUBS = {
    "posts": 'def posts(panels):\n    """Posts of a fence."""\n    ...',
    "heights": "def heights(boards):\n    ...",
    "nails": "nails = ...",
    "gate": "class Gate:\n    def width(self):\n        ...\n\ngate = Gate()",
}


def notebook(more=(), **answers):
    """The text of a notebook: right answers, others by name, and further cells at its beginning."""
    answers = {**RIGHT, **answers}
    texts = ["import numpy as np", *more]
    for number, (name, text) in enumerate(answers.items(), start=1):
        texts += [text, f'exercise("07.{number}").check({name})']
    cells = [{"cell_type": "markdown", "source": "# 07 · Fences"}]
    cells += [{"cell_type": "code", "source": text, "outputs": []} for text in texts if text is not None]
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5})
