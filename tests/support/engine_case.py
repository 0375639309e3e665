"""Exercises to test the engine with, a learner's function of any text, a lesson, and a card's text."""

import builtins
import contextlib
import os
import random
import re
import signal
import sys
import textwrap
import threading
import time
import warnings
from html.parser import HTMLParser

import keras
import numpy as np

from cnnlib.exercises import (
    Case,
    FunctionExercise,
    Misconception,
    Outcome,
)

NOT_ATTEMPTED, RIGHT, WRONG, CRASHED = Outcome


def output_size(size, kernel, stride=1, padding=0):
    if kernel > size + 2 * padding:
        raise ValueError(f"a kernel of {kernel} does not fit")
    return (size + 2 * padding - kernel) // stride + 1


def output_size_cases(rng):
    yield Case((5, 3))
    yield Case((8, 3), {"stride": 2}, about="a stride of 2")
    for _ in range(8):
        kernel, stride, padding = (int(n) for n in rng.integers(1, 6, size=3))
        yield Case((int(rng.integers(8, 30)), kernel), {"stride": stride, "padding": padding})
    yield Case((3, 9), raises=ValueError, about="a kernel wider than the input")


def without_padding(size, kernel, stride=1, padding=0):
    return (size - kernel) // stride + 1


def without_the_first(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride


def sizes(**more):
    settings = {
        "reference": output_size,
        "cases": output_size_cases,
        "misconceptions": (
            Misconception(without_padding, "Padding adds a border on each side."),
            Misconception(without_the_first, "The first window needs `no` step."),
        ),
        "hints": ("a nudge", "nearly all"),
        "time_limit": 0.3,
    }
    return FunctionExercise("01.2", "Output size", **(settings | more))


def doubled(**more):
    """An exercise on arrays: twice the array."""

    def cases(rng):
        for _ in range(4):
            yield Case((rng.normal(size=(3, 4, 5)),))

    return FunctionExercise(
        "01.3", "Twice", **({"reference": lambda x: 2 * x, "cases": cases, "time_limit": 0.3} | more)
    )


def answer_of(body, **names):
    """A learner's function of any arguments with that body."""

    namespace = {
        "np": np,
        "os": os,
        "sys": sys,
        "re": re,
        "time": time,
        "threading": threading,
        "contextlib": contextlib,
    }
    namespace |= {
        "warnings": warnings,
        "random": random,
        "keras": keras,
        "builtins": builtins,
        "signal": signal,
        **names,
    }
    text = "def answer(*args, **kwargs):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    exec(compile(text, "<a cell>", "exec"), namespace)
    return namespace["answer"]


class Liar:
    """Equal to everything, or failing at every look."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __bool__(self):
        return True

    def __repr__(self):
        return "3"

    def __abs__(self):
        return 0

    __sub__ = __rsub__ = __le__ = lambda self, other: 0


class Failing:
    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    def __repr__(self):
        raise RuntimeError("no repr")

    __hash__ = None


class _Tags(HTMLParser):
    void = {"br"}

    def __init__(self):
        super().__init__()
        self.open, self.text, self.styles, self.hidden = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        if tag not in self.void:
            self.open.append((tag, dict(attrs)))
        self.styles.append(dict(attrs).get("style", ""))
        assert not {name for name, _ in attrs} - {"style", "role", "aria-hidden", "scope"}

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if not any(attrs.get("aria-hidden") for _, attrs in self.open):
            self.text.append(data)


def seen(result):
    """A card's text without the signs that only decorate, checked to be well-formed."""
    tags = _Tags()
    tags.feed(result._repr_html_())
    assert not tags.open
    for style in tags.styles:
        assert not re.search(r"(?<!-)\bcolor\s*:", style), "the text's colour belongs to the notebook's theme"
    return " ".join("".join(tags.text).split())


LESSON = '''# ---
# jupyter: {}
# ---

# %% [markdown]
# # 01 · A lesson
#
# Text.

# %%
from cnnlib import runtime
runtime.setup()

# %%
import math

import numpy as np

# %%
helper = math.sqrt
BASE = helper(4)

# %% tags=["nbval-ignore-output", "x"]
unused = 1 / 0 if False else 3

# %% [markdown]
# ### Exercise 01.2 · Output size


# %%
def output_size(size, kernel):
    """The size."""
    ### BEGIN SOLUTION
    room = size - kernel

    return room + BASE - 1
    ### END SOLUTION


# %%
exercise("01.2").check(output_size)

# %% [markdown]
# ### Exercise 01.3 · Values

# %%
### BEGIN SOLUTION
first, second = 3, [4]
### END SOLUTION

# %%
exercise('01.3').check(first, second)
'''


def write_lesson(folder):
    path = folder / "01_a_lesson.py"
    path.write_text(LESSON)
    return path
