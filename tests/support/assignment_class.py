"""A class that hands in an assignment of lesson 01 to nbgrader: honest, careless and hostile.

    python tests/support/assignment_class.py COURSE NAME [NAME ...]      # NAME: of CLASS; all if none is named

COURSE has the released assignment; its submissions are written to COURSE/submitted/.
"""

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for each in (ROOT / "tools", ROOT / "teaching", ROOT):
    if str(each) not in sys.path:
        sys.path.insert(0, str(each))

import nbformat  # noqa: E402
from _lessons import choose  # noqa: E402
from nbformat import NotebookNode  # noqa: E402

from cnnlib.exercises import replay, source  # noqa: E402

LOST = "def lost(size, kernel, stride=1):\n    return (size - kernel) % stride"
PATCH = """
import cnnlib.exercises.base as base
import cnnlib.exercises.outcome as outcome
from cnnlib.exercises import compare
outcome.Result.__bool__ = lambda self: True
base.Exercise.check = lambda self, *answers: outcome.Result(self.id, self.title, outcome.Outcome.RIGHT)
"""
SNOOP = """
import glob, json, os, socket, sqlite3
found = {}
def tries(name, do):
    try:
        found[name] = repr(do())[:200]
    except BaseException as error:
        found[name] = "refused: " + type(error).__name__
COURSE = %r
tries("source", lambda: open(COURSE + "/source/lesson01/01_convolution_arithmetic.ipynb").read()[:20])
tries("other", lambda: open(COURSE + "/submitted/ada/lesson01/01_convolution_arithmetic.ipynb").read()[:20])
tries("graded", lambda: open(COURSE + "/autograded/ada/lesson01/01_convolution_arithmetic.ipynb").read()[:20])
tries("secret", lambda: open(COURSE + "/secret").read())
tries("variants", lambda: open(%r).read()[:20])
book = COURSE + "/gradebook.db"
tries("gradebook", lambda: sqlite3.connect(book).execute("update grade set manual_score = 99").rowcount)
tries("network", lambda: socket.create_connection(("127.0.0.1", %d), 3))
tries("network out", lambda: socket.create_connection(("192.0.2.1", 80), 3))
tries("write", lambda: open("/course/cnnlib/x.py", "w"))
tries("passwords", lambda: open("/etc/passwd").read()[:20])
os.symlink(COURSE + "/gradebook.db", "01_convolution_arithmetic.ipynb")
found["environment"] = sorted(os.environ)
print("LOOT " + json.dumps(found))
"""


class Hand:
    """One submission in the making: the released notebook, and ways to change it."""

    def __init__(self, released: NotebookNode, course: Path, variants: str = "", port: int = 9):
        self.book = copy.deepcopy(released)
        self.course, self.variants, self.port = course, variants, port
        (lesson,) = choose(["01"])
        self.answers = {each.id: each.source for each in lesson.notebook(answered=True).cells}

    def cell(self, grade_id: str) -> NotebookNode:
        return next(each for each in self.book.cells if each.metadata.get("nbgrader", {}).get("grade_id") == grade_id)

    def answer(self, *but: str) -> None:
        """Fill in all answers, but those of some exercises, by number."""
        for cell in self.book.cells:
            id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if id.startswith("answer") and id.split("-")[2] not in but:
                cell.source = LOST if id == "answer-01-91" else source.without_markers(self.answers[cell.id])

    def put(self, number: str, text: str) -> None:
        self.cell(f"answer-01-{number}").source = text

    def before(self, number: str, text: str) -> None:
        place = self.book.cells.index(self.cell(f"answer-01-{number}"))
        self.book.cells.insert(place, nbformat.v4.new_code_cell(text))

    def shorten(self) -> None:
        """Leave out the cells that no answer needs, so that a notebook runs in seconds."""
        cells = [source.Cell("code", each.source, 0) for each in self.book.cells if each.cell_type == "code"]
        texts = [source.without_markers(each) for each in self.answers.values() if source.has_answer(each)]
        checks = [each.source for each in cells if source.checked_in(each.source)]
        needed = {cells[each].source for each in replay.needed_cells("\n".join(texts + checks), cells, set())}
        needed |= {each.source for each in cells if "import " in each.source}
        kept = [each for each in self.book.cells if each.source in needed or "nbgrader" in each.metadata]
        self.book.cells = kept

    def drop(self, grade_id: str) -> None:
        self.book.cells.remove(self.cell(grade_id))


def ada(hand: Hand) -> None:
    """All right."""
    hand.answer()


def bob(hand: Hand) -> None:
    """Untouched."""


def carol(hand: Hand) -> None:
    """01.1 is wrong, 01.7 raises; the check of 01.3 is gone, and cell and check of 01.5."""
    hand.answer("1", "7")
    hand.put("1", "def input_sizes(*args, **kwargs):\n    return []")
    hand.put("7", "def input_gradient(*args, **kwargs):\n    return 1 / 0")
    for gone in ("check-01-3", "answer-01-5", "check-01-5"):
        hand.drop(gone)


def dora(hand: Hand) -> None:
    """Marks altered: a check renamed, another emptied and worth 1000, one twice; 01.4 is wrong."""
    hand.answer("4")
    hand.put("4", "def conv2d(*args, **kwargs):\n    return 0")
    hand.cell("check-01-4").source = "True"
    hand.cell("check-01-4").metadata["nbgrader"]["points"] = 1000
    hand.cell("check-01-2").metadata["nbgrader"]["grade_id"] = "check-01-99"
    twice = copy.deepcopy(hand.cell("check-01-6"))
    hand.book.cells.insert(1, twice)


def emil(hand: Hand) -> None:
    """All right, with warnings and prints wherever they may stand."""
    hand.answer()
    noise = "\nimport sys, warnings\nprint('0')\nprint('trouble', file=sys.stderr)\nwarnings.warn('old')\n"
    cell = hand.cell("answer-01-1")
    cell.source += noise
    name = "input_sizes"
    cell.source += f"_quiet = {name}\ndef {name}(*args, **kwargs):\n    print('called', file=sys.stderr)\n"
    cell.source += "    return _quiet(*args, **kwargs)\n"


def mallory(hand: Hand) -> None:
    """Patches the result of the check; answers nothing."""
    hand.before("1", PATCH)
    for number in "1234567":
        hand.cell(f"answer-01-{number}").source += "\n" + "pass"


def steve(hand: Hand) -> None:
    """Takes the public answers from the package when graded."""
    for number in "1234567":
        cell = hand.cell(f"answer-01-{number}")
        cell.source += f'\nfrom cnnlib import exercise as _e\nexec(_e("01.{number}").answer().source)'


def oscar(hand: Hand) -> None:
    """Looks around; 01.1 is right."""
    hand.answer(*"234567", "91")
    hand.before("1", SNOOP % (str(hand.course), hand.variants, hand.port))


def lars(hand: Hand) -> None:
    """A loop without an end in the middle; all answers are right."""
    hand.answer()
    hand.before("4", "while True:\n    pass")


def lena(hand: Hand) -> None:
    """A loop without an end in the middle, of the kind that cannot be interrupted; all answers are right."""
    hand.answer()
    hand.before("4", "while True:\n    try:\n        while True: pass\n    except BaseException: pass")


def kurt(hand: Hand) -> None:
    """Kills the kernel in the middle; all answers are right."""
    hand.answer()
    hand.before("3", "import os\nos.kill(os.getpid(), 9)")


def nora(hand: Hand) -> None:
    """01.1 is right for what the lesson draws, and wrong for the variant's large sizes."""
    hand.answer()
    cell = hand.cell("answer-01-1")
    cell.source += "\n_small = input_sizes\ndef input_sizes(size, *args, **kwargs):\n"
    cell.source += "    return _small(size, *args, **kwargs) if size < 400 else []\n"


CLASS: dict[str, Callable[[Hand], None]] = {
    each.__name__: each for each in (ada, bob, carol, dora, emil, mallory, steve, oscar, lars, lena, kurt, nora)
}


def hand_in(course: Path, names: list[str], variants: str = "", port: int = 9) -> None:
    """Write the submissions of some learners."""
    released = nbformat.read(course / "release/lesson01/01_convolution_arithmetic.ipynb", 4)
    for name in names:
        hand = Hand(released, course, variants, port)
        hand.shorten()
        CLASS[name](hand)
        path = course / "submitted" / name / "lesson01" / "01_convolution_arithmetic.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(hand.book), encoding="utf-8")


if __name__ == "__main__":
    hand_in(Path(sys.argv[1]).resolve(), sys.argv[2:] or list(CLASS))
