"""A small lesson for the tests of the tools: no Keras, so that it runs in a second, and all that a lesson must have."""

from pathlib import Path

from _lessons import Lesson

# Folders as they stand on machines of persons, put together so that the project itself names none.
SOMEBODYS = "/".join(["", "home", "someone"])
JANES = "/".join(["", "Users", "jane"])

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

"""

BODY = '''\
# %% [markdown]
# # 90 · Sums
#
# **What does a sum cost?**
#
# When you have worked through this page you can
# - add two numbers
# - say what a sum costs
# - draw it
#
# **Before this**: nothing · **Reading** 3 min · **Exercises** 5 min
#
# [Course map](../README.md)

# %%
from cnnlib import runtime
runtime.setup(lesson="90")

# %% [markdown]
# ## Two numbers
#
# Adding is the first thing that one learns, and the first thing that a machine was built for. It has a result and a
# cost. The result you know by heart. The cost is what this page is about.

# %%
total = 2 + 3
total

# %% tags=["nbval-ignore-output"]
import time

start = time.perf_counter()
sum(range(1000))
print(f"≈ {time.perf_counter() - start:.2g} s")

# %%
import base64
from IPython.display import display

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ALT = "one dark pixel, alone in the frame"
picture = f'<img alt="{ALT}" src="data:image/png;base64,{PIXEL}">'
display({"text/html": picture, "text/plain": f"Figure: {ALT}"}, raw=True)

# %%
print("✔ the sum is 5")

# %% [markdown]
# ### Exercise 90.1 · The larger one
#
# Write `larger(a, b)`, which returns the larger of two numbers. `larger(2, 3)` is 3.

# %%
def larger(a: float, b: float) -> float:
    """The larger one of a and b."""
    ### BEGIN SOLUTION
    return a if a > b else b
    ### END SOLUTION


# %%
larger(2, 3)

# %% [markdown]
# ### Exercise 90.2 · A number
#
# Set `answer` to the sum of 20 and 22.

# %%
### BEGIN SOLUTION
answer = 42
### END SOLUTION

# %%
answer

# %% [markdown]
# ## Recap
# - A sum has a result and a cost.
#
# ## Explain it
# What is a sum?
# <details><summary>Model answer</summary>
#
# What one gets by adding.
#
# </details>
#
# What does it cost?
# <details><summary>Model answer</summary>
#
# Less than one can measure.
#
# </details>
#
# ## What comes next
# Products.
#
# ## References
# - Euclid (about 300 BC). *Elements*.
'''


SETUP = 'from cnnlib import runtime\nruntime.setup(lesson="90")'


def sample(root: Path, *changes: tuple[str, str], body: str = BODY) -> Lesson:
    """Write the lesson into `root`, each of `changes` (old text, new text) applied."""
    for old, new in changes:
        assert old in body, f"the sample lesson does not hold {old!r}"
        body = body.replace(old, new)
    folder = root / "solutions"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "README.md").touch()  # the page links to it
    path = folder / "90_sums.py"
    path.write_text(HEADER + body, encoding="utf-8", newline="\n")
    return Lesson(path, root)
