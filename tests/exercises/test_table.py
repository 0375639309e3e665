"""The table of progress."""

import subprocess
import sys

from engine_case import (
    seen,
)

from cnnlib.exercises import (
    catalogue,
    journal,
    progress,
)


def test_the_table_of_progress(file, monkeypatch):
    monkeypatch.setattr(catalogue, "listed", lambda: {"01.1": "One", "01.2": "Two <&>", "02.1": "Three"})
    journal.note_attempt("01.1", True)
    journal.note_attempt("01.2", False)
    journal.note_hint("01.2", 2)
    table = progress()
    assert [row.state for row in table.rows] == ["solved", "tried", "not yet"]
    text = repr(table)
    assert text.startswith("1 of 3 exercises solved")
    assert "✔ 01.1" in text
    assert "1 attempt, 2 hints" in text
    card = seen(table)
    assert "1 of 3 exercises solved" in card
    assert "Two <&>" in card
    assert "tried" in card


def test_progress_in_a_terminal(file):
    journal.note_attempt("01.1", True)
    run = subprocess.run([sys.executable, "-m", "cnnlib.exercises"], capture_output=True, encoding="utf-8", timeout=120)
    assert run.returncode == 0, run.stderr
    assert "exercises" in run.stdout
    assert run.stderr == ""
