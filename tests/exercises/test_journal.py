"""The file of progress."""

import json
import os
import re
import subprocess
import sys
import warnings

import pytest
from engine_case import (
    RIGHT,
    WRONG,
    output_size,
    sizes,
    without_padding,
    write_lesson,
)

from cnnlib.exercises import (
    journal,
    source,
)


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "progress.json"
    monkeypatch.setenv("CNNLIB_PROGRESS", str(path))
    monkeypatch.setattr(journal, "_warned", set())
    return path


def test_progress_is_kept(file):
    exercise = sizes()
    exercise.check(None)
    assert not file.exists(), "an exercise that was not attempted is no attempt"
    exercise.check(without_padding)
    exercise.hint()
    exercise.hint()
    assert journal.entries()["01.2"]["solved"] is None
    exercise.check(output_size)
    first = journal.entries()["01.2"]
    assert first["attempts"] == 2
    assert first["hints"] == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", first["solved"])
    exercise.check(without_padding)
    assert journal.entries()["01.2"]["solved"] == first["solved"], "once solved, solved"
    assert sorted(each.name for each in file.parent.iterdir()) == ["progress.json", "progress.lock"]


def test_the_reference_answer_is_noted(file, tmp_path, monkeypatch):
    write_lesson(tmp_path)
    monkeypatch.setattr(source, "lesson_file", lambda *args: tmp_path / "01_a_lesson.py")
    exercise = sizes()
    exercise.answer()
    exercise.check(output_size)
    entry = journal.entries()["01.2"]
    assert (entry["answer_shown"], entry["answer_first"]) == (True, True)


def test_what_others_wrote_into_the_file_is_kept(file):
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 9, "new": [1], "exercises": {"01.2": {"attempts": 4, "more": "x"}}}))
    sizes().check(without_padding)
    content = json.loads(file.read_text())
    assert content["new"] == [1]
    assert content["exercises"]["01.2"]["attempts"] == 5
    assert content["exercises"]["01.2"]["more"] == "x"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b'{"exercises": []}', b'{"exercises": {"01.2": 3}}', b"\xff\xfe", b"[" * 100_000,
     b'{"exercises": {"01.2": {"attempts": "many"}}}'],
)  # fmt: skip
def test_a_damaged_file_is_moved_aside_and_named(file, damage):
    file.parent.mkdir()
    file.write_bytes(damage)
    with pytest.warns(UserWarning, match=r"was damaged; it is now progress\.damaged-1\.json"):
        sizes().check(output_size)
    assert (file.parent / "progress.damaged-1.json").read_bytes() == damage
    assert journal.entries()["01.2"]["attempts"] == 1
    file.write_bytes(damage)
    with pytest.warns(UserWarning, match=r"progress\.damaged-2\.json"):
        journal.entries()


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_warned", set())
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("CNNLIB_PROGRESS", str(tmp_path / "a file" / "progress.json"))
    with pytest.warns(UserWarning, match="cannot be written"):
        assert sizes().check(without_padding).outcome == WRONG
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sizes().check(output_size).outcome == RIGHT
        assert journal.entries()["01.2"]["attempts"] == 2
        assert journal.entries()["01.2"]["solved"]


def test_several_kernels_write_at_once(file):
    code = (
        "import sys; from cnnlib.exercises import journal\n"
        "for n in range(15): journal.note_attempt('01.2', False); journal.note_attempt(sys.argv[1], True)"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, f"02.{n}"], env=os.environ) for n in range(3)]
    assert [run.wait(120) for run in runs] == [0] * 3
    entries = journal.entries()
    assert entries["01.2"]["attempts"] == 45
    assert all(entries[f"02.{n}"]["attempts"] == 15 for n in range(3))
    assert [each.name for each in file.parent.glob("*.part")] == []


def test_a_crash_while_writing_leaves_the_old_file(file, monkeypatch):
    journal.note_attempt("01.2", True)
    before = file.read_text()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        journal.note_attempt("01.2", True)
    assert file.read_text() == before
    assert not list(file.parent.glob("*.part"))


def test_nothing_is_kept_while_outputs_are_stored(monkeypatch, tmp_path):
    monkeypatch.delenv("CNNLIB_PROGRESS")
    monkeypatch.setenv("CNNLIB_STATIC", "1")
    assert journal.file() is None
    monkeypatch.delenv("CNNLIB_STATIC")
    assert journal.file().parts[-2:] == (".cnnlib", "progress.json")
