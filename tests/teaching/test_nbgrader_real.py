"""An assignment handed in, graded, sent back and exported with the real nbgrader: `make nbgradertest`, some minutes."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import make_assignment
import nbformat
import pytest
from assignment_class import CLASS, hand_in
from grading import jail

pytest.importorskip("nbgrader", reason="make nbgradertest installs nbgrader")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(jail.works()), reason=f"bubblewrap: {jail.works()}"),
]

VARIANTS = make_assignment.ROOT / "teaching" / "variants_example"
NAME = "01_convolution_arithmetic"
# Of 8 points: the seven exercises of the lesson, and one of the instructor's own.
EXPECTED = {
    "ada": 8, "bob": 0, "carol": 5, "dora": 7, "emil": 8, "mallory": 0, "steve": 0, "oscar": 1, "lars": 8, "lena": 8,
    "kurt": 8, "nora": 7,
}  # fmt: skip


def nbgrader(course, *words):
    begun = time.monotonic()
    program = str(Path(sys.executable).parent / "nbgrader")
    done = subprocess.run([program, *words], cwd=course, capture_output=True, text=True, timeout=3000)
    said = done.stdout + done.stderr
    print(f"nbgrader {' '.join(words)}: {time.monotonic() - begun:.0f} s by the clock")
    assert done.returncode == 0, said[-6000:]
    return said


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nbgrader") / "course"
    words = ["01", str(folder), "--points", "1", "--variants", str(VARIANTS)]
    assert make_assignment.main(words) == 0
    config = folder / "nbgrader_config.py"
    config.write_text(config.read_text().replace("cell_seconds=300", "cell_seconds=120"))
    nbgrader(folder, "generate_assignment", "lesson01")
    return folder


@pytest.fixture(scope="module")
def graded(course):
    chosen = os.environ.get("LEARNERS", "").split() or list(CLASS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        hand_in(course, chosen, str(VARIANTS / "lesson_01.py"), server.getsockname()[1])
        said = nbgrader(course, "autograde", "lesson01")
    nbgrader(course, "generate_feedback", "lesson01")
    nbgrader(course, "export", "--to", "grades.csv")
    with open(course / "grades.csv", encoding="utf-8") as file:
        marks = {row["student_id"]: row for row in csv.DictReader(file)}
    print({name: row["score"] for name, row in marks.items()})
    return {"chosen": chosen, "marks": marks, "said": said}


def test_the_release_is_what_the_course_hands_out(course):
    (lesson,) = make_assignment.choose(["01"])
    released = nbformat.read(course / "release" / "lesson01" / f"{NAME}.ipynb", 4)
    plain = [cell.source for cell in lesson.notebook().cells if cell.cell_type == "code"]
    got = [cell.source for cell in released.cells if cell.cell_type == "code"]
    assert got[: len(plain)] == plain
    assert got[len(plain) :] == ["lost = ...", "# Exercise 01.91 is checked when it is graded."]
    assert "HIDDEN" not in json.dumps(released)


def test_marks(graded):
    marks = graded["marks"]
    assert {name: float(marks[name]["score"]) for name in graded["chosen"]} == {
        name: EXPECTED[name] for name in graded["chosen"]
    }
    assert {float(row["max_score"]) for row in marks.values()} == {8.0}


def test_no_submission_sees_anything_or_changes_a_mark(course, graded):
    book = nbformat.read(course / "autograded" / "oscar" / "lesson01" / f"{NAME}.ipynb", 4)
    said = [output.text for cell in book.cells for output in cell.get("outputs", []) if output.output_type == "stream"]
    (loot,) = [text for text in said if text.startswith("LOOT ")]
    found = json.loads(loot[5:])
    tried = {"source", "other", "graded", "secret", "variants", "gradebook", "network", "network out", "write"}
    assert tried <= set(found)
    assert {name: found[name] for name in tried if not str(found[name]).startswith("refused")} == {}
    assert not {"HOME_OF", "JUPYTER_PATH", "USER", "SSH_AUTH_SOCK"} & set(found["environment"])
    assert (course / "gradebook.db").read_bytes()[:6] == b"SQLite"


def test_learners_get_feedback(course, graded):
    for name in graded["chosen"]:
        (page,) = (course / "feedback" / name / "lesson01").glob("*.html")
        assert "check-01-1" in page.read_text(encoding="utf-8")
