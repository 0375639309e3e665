"""A course of fences beside this one: what its tests write into a folder, and how Python forgets it."""

import importlib
import sys
from pathlib import Path

POSTS = '''# %% [markdown]
# ### Exercise 07.1 · Fence posts

# %%
def posts(panels):
    """Posts of a fence."""
    ### BEGIN SOLUTION
    if panels < 0:
        raise ValueError(panels)
    return panels + 1
    ### END SOLUTION

# %%
exercise("07.1").check(posts)
'''


def write(root: Path, checks: str, lesson_checks: str, lesson: str) -> None:
    """The package ``fences`` with its checks, and the folder of its one lesson, below `root`."""
    folder = root / "fences" / "checks"
    folder.mkdir(parents=True)
    (root / "lessons").mkdir()
    (folder.parent / "__init__.py").write_text("")
    (folder / "__init__.py").write_text(checks)
    (folder / "lesson_07.py").write_text(lesson_checks)
    (root / "lessons" / "07_fences.py").write_text(lesson, encoding="utf-8")


def tell(root: Path, monkeypatch) -> object:
    """Import the course, as if no other had been told to the engine before; what it is."""
    from cnnlib.exercises import course

    forget()
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(course, "_told", [])
    return importlib.import_module("fences.checks").COURSE


def forget() -> None:
    """Whoever imports it next imports it anew, and its exercises are not those that are known of lesson 07."""
    from cnnlib.exercises import catalogue

    catalogue._exercises_of.cache_clear()
    for name in [each for each in sys.modules if each.split(".")[0] == "fences"]:
        del sys.modules[name]
