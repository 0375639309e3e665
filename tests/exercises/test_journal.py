"""The file of progress: what is kept, links stay links, a wrong name stops nothing, everyone has one of their own."""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine_case import RIGHT, WRONG, output_size, sizes, without_padding, write_lesson

from cnnlib import runtime
from cnnlib.exercises import journal, source

ME = os.geteuid() if hasattr(os, "geteuid") else 0
links = pytest.mark.skipif(os.name == "nt", reason="links need a right of their own on Windows")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(journal, "_memory", {})
    monkeypatch.setattr(journal, "_warned", set())


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A checkout outside the home folder; `user(uid)` says who is at work."""
    checkout, home = tmp_path / "course", tmp_path / "home"
    checkout.mkdir()
    home.mkdir()
    monkeypatch.delenv("CNNLIB_PROGRESS")
    monkeypatch.delenv("CNNLIB_STATIC", raising=False)
    monkeypatch.setattr(runtime, "root", lambda: checkout)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))

    def user(uid):
        monkeypatch.setattr(os, "geteuid", lambda: uid, raising=False)

    return SimpleNamespace(
        inside=checkout / ".cnnlib" / "progress.json", at_home=home / ".cnnlib" / "progress.json", user=user
    )


# --- what is kept -----------------------------------------------------------------------------------------------------


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


# --- links ------------------------------------------------------------------------------------------------------------


@links
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to where no file is yet"])
def test_a_link_stays_a_link(tmp_path, monkeypatch, there):
    target, link = tmp_path / "cloud" / "mine.json", tmp_path / "progress.json"
    if there:
        target.parent.mkdir()
        target.write_text(json.dumps({"exercises": {"01.2": {"attempts": 3}}}))
    link.symlink_to(target)
    monkeypatch.setenv("CNNLIB_PROGRESS", str(link))
    journal.note_attempt("01.2", True)
    assert link.is_symlink()
    assert json.loads(target.read_text())["exercises"]["01.2"]["attempts"] == 3 * there + 1
    assert journal.entries()["01.2"]["solved"]


@links
def test_a_damaged_file_behind_a_link_is_moved_aside_beside_itself(tmp_path, monkeypatch):
    target, link = tmp_path / "mine.json", tmp_path / "progress.json"
    target.write_text("{")
    link.symlink_to(target)
    monkeypatch.setenv("CNNLIB_PROGRESS", str(link))
    with pytest.warns(UserWarning, match="damaged"):
        journal.note_attempt("01.2", True)
    assert link.is_symlink()
    assert (tmp_path / "mine.damaged-1.json").read_text() == "{"


@links
def test_a_link_to_itself_stops_nothing(tmp_path, monkeypatch):
    link = tmp_path / "progress.json"
    link.symlink_to(link)
    monkeypatch.setenv("CNNLIB_PROGRESS", str(link))
    with pytest.warns(UserWarning, match="cannot be"):
        journal.note_attempt("01.2", True)
    assert journal.entries()["01.2"]["attempts"] == 1
    assert link.is_symlink()


def test_a_file_that_cannot_be_read_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    path.write_text(json.dumps({"exercises": {"01.1": {"attempts": 3}}}))
    before = path.read_text()
    monkeypatch.setenv("CNNLIB_PROGRESS", str(path))

    def fails(self, **arguments):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_text", fails)
        with pytest.warns(UserWarning, match="Input/output error"):
            journal.note_attempt("01.2", True)
    assert path.read_text() == before
    assert journal.entries()["01.2"]["attempts"] == 1, "kept until the kernel ends"


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows takes any name for a user's")
def test_a_user_who_does_not_exist_is_said_once_and_stops_nothing(monkeypatch):
    monkeypatch.setenv("CNNLIB_PROGRESS", "~nosuchuser/p.json")
    with pytest.warns(
        UserWarning, match=r"CNNLIB_PROGRESS=~nosuchuser/p\.json: there is no such user.*CNNLIB_PROGRESS"
    ):
        journal.note_attempt("01.2", False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        journal.note_attempt("01.2", True)
        assert journal.entries()["01.2"]["attempts"] == 2


def test_a_user_without_a_home_keeps_progress_in_memory(shared, monkeypatch):
    def nobody(self):
        raise RuntimeError("Could not determine home directory.")

    shared.user(ME + 1)
    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.warns(UserWarning, match="no home folder"):
        journal.note_attempt("01.2", True)
    assert journal.entries()["01.2"]["solved"]


# --- several people ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell who owns a file")
def test_everyone_has_progress_of_their_own_in_a_shared_checkout(shared):
    journal.note_attempt("01.1", True)
    assert shared.inside.exists()
    shared.user(ME + 1)
    assert journal.entries() == {}, "what the owner did is not mine"
    journal.note_attempt("01.2", False)
    assert shared.at_home.exists()
    assert list(journal.entries()) == ["01.2"]
    shared.user(ME)
    assert list(journal.entries()) == ["01.1"]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell who owns a file")
def test_who_comes_first_to_a_checkout_of_someone_else_leaves_nothing_in_it(shared):
    shared.user(ME + 1)
    journal.note_attempt("01.2", True)
    assert not shared.inside.parent.exists()
    assert shared.at_home.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell who owns a file")
def test_an_administrator_keeps_progress_in_the_checkout_but_not_in_a_learner_s_file(shared, monkeypatch):
    owner = Path.stat

    def stat(self, **arguments):
        found = owner(self, **arguments)
        return SimpleNamespace(st_uid=1234, st_mode=found.st_mode)

    monkeypatch.setattr(Path, "stat", stat)
    shared.user(0)
    assert journal.file() == shared.inside
    shared.inside.parent.mkdir()
    shared.inside.write_text("{}")
    assert journal.file() == shared.at_home


@pytest.mark.parametrize("place", ["elsewhere", "in the home", "with progress"])
def test_on_windows_the_place_of_the_checkout_tells(shared, monkeypatch, place):
    monkeypatch.delattr(os, "geteuid", raising=False)
    if place == "in the home":
        inside = shared.at_home.parents[1] / "course"
        inside.mkdir()
        monkeypatch.setattr(runtime, "root", lambda: inside)
        assert journal.file() == inside / ".cnnlib" / "progress.json"
    elif place == "with progress":
        shared.inside.parent.mkdir()
        shared.inside.write_text("{}")
        assert journal.file() == shared.inside
    else:
        assert journal.file() == shared.at_home
