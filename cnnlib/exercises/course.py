"""Which course the engine serves: where its checks and its lessons are, and where progress is kept.

A course is told once, where its checks are::

    # my_course/checks/__init__.py
    from pathlib import Path
    from cnnlib.exercises import Course, use

    COURSE = use(Course(checks=__name__, lessons=Path(__file__).parents[2] / "lessons", prefix="MY_COURSE"))

A course that none was told is looked for beside the engine: the package that the engine lies in may have a module
``checks`` with a ``COURSE`` in it. Without either, exercises that are made by hand work as well; only finding them by
id needs a course, and their progress lasts until Python ends.
"""

import importlib
import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Place = Path | str | Callable[[], Path | None] | None

NUMBER = r"(?:\d\d|[A-Z])"  # of a lesson: two digits; of an appendix, one capital letter


def number(text: str) -> str:
    """What somebody calls a lesson as its number is written: ``"1"`` is ``"01"``, ``"a"`` is ``"A"``."""
    return text.zfill(2) if text.isdigit() else text.upper()


def numbered(folder: Path, before: str = "") -> list[Path]:
    """The Python files of a folder that belong to a lesson, ``01_name.py``, in order; appendices, ``A_name.py``, last.

    Args:
        folder: where they lie.
        before: what stands before the number: ``"lesson_"`` for the modules of checks.
    """
    named = re.compile(rf"{before}{NUMBER}(_.*)?\.py" if before else rf"{NUMBER}_.*\.py")
    return sorted(path for path in folder.glob(f"{before}*.py") if named.fullmatch(path.name))


@dataclass(frozen=True)
class Course:
    """What the engine has to know of a course.

    Args:
        checks: the package with the modules ``lesson_NN``, each with a list ``EXERCISES``.
        lessons: the folder with the lessons' sources, ``NN_name.py``, or a function that finds it. Without it there
            are no reference answers to show.
        progress: the file of the learner's progress, or a function that finds it. Without it, or where the function
            gives None, progress lasts until Python ends.
        prefix: of the environment variables: ``<prefix>_PROGRESS`` names another file of progress (``off`` keeps
            nothing), ``<prefix>_CHECK_SEED`` fixes the cases that are drawn.
        packages: the course's own packages, whose lines are never the learner's and whose functions are put back if
            the learner's code replaces them; if not given, the one that ``checks`` lies in.
    """

    checks: str = ""
    lessons: Place = None
    progress: Place = None
    prefix: str = "EXERCISES"
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.packages, str) or not all(isinstance(each, str) for each in self.packages):
            raise TypeError(f"the packages of a course are a tuple of names; {self.packages!r} was given")
        if not self.packages and self.checks:
            object.__setattr__(self, "packages", (self.checks.split(".")[0],))

    def variable(self, name: str) -> str:
        """The environment variable of that name: ``"PROGRESS"`` is ``<prefix>_PROGRESS``."""
        return f"{self.prefix}_{name}"

    def setting(self, name: str) -> str:
        """The value of the environment variable of that name; empty if it is not set."""
        return os.environ.get(self.variable(name), "").strip()

    def checks_folder(self) -> Path:
        """Where the modules of the checks lie.

        Raises:
            LookupError: there is no course, or no such package.
        """
        if not self.checks:
            raise LookupError(
                "no course was told, so there are no exercises to find by id. Import the course's package first; "
                "whoever writes one tells it with use(Course(checks=..., lessons=...))"
            )
        found = importlib.util.find_spec(self.checks)
        if found is None or not found.submodule_search_locations:
            raise LookupError(f"the course keeps its checks in {self.checks!r}, and there is no such package")
        return Path(next(iter(found.submodule_search_locations)))

    def lessons_folder(self) -> Path:
        """Where the lessons' sources lie.

        Raises:
            FileNotFoundError: the course names no folder, or cannot find it.
        """
        found = _place(self.lessons)
        if found is None:
            raise FileNotFoundError("the course names no folder of lessons, so there are no reference answers")
        return found

    def progress_file(self) -> Path | None:
        """The file of progress if no environment variable names another; None if none is kept."""
        return _place(self.progress)

    def folders(self) -> tuple[str, ...]:
        """Where the course's own packages lie, of those that can be found."""
        found: list[str] = []
        for name in self.packages:
            try:
                spec = importlib.util.find_spec(name)
            except (ImportError, ValueError):
                continue
            found += (spec.submodule_search_locations or []) if spec is not None else []
        return tuple(dict.fromkeys(form for each in found for form in (str(each), str(Path(each).resolve()))))


def _place(place: Place) -> Path | None:
    found = place() if callable(place) else place
    return Path(found) if found is not None else None


_told: list[Course] = []


def use(course: Course) -> Course:
    """Serve this course from now on; gives it back."""
    if not isinstance(course, Course):
        raise TypeError(f"a Course is needed; {type(course).__name__} was given")
    _told[:] = [course]
    return course


def current() -> Course:
    """The course that was told, or the one of the package that the engine lies in, or one without exercises."""
    if not _told:
        around = __package__.rpartition(".")[0]
        if not around or importlib.util.find_spec(f"{around}.checks") is None:
            return Course()
        course = getattr(importlib.import_module(f"{around}.checks"), "COURSE", None)
        use(course if isinstance(course, Course) else Course())
    return _told[0]
