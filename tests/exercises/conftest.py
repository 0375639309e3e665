"""What the tests of the engine share."""

import pytest

from cnnlib.exercises import journal


@pytest.fixture(autouse=True)
def _no_progress_of_the_machine(monkeypatch):
    monkeypatch.setenv("CNNLIB_PROGRESS", "off")
    monkeypatch.setenv("CNNLIB_CHECK_SEED", "7")
    monkeypatch.setattr(journal, "_memory", {})
    monkeypatch.setattr(journal, "_events", {})
    monkeypatch.setattr(journal, "_reviews", {})


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file of progress that is not there yet."""
    path = tmp_path / "deep" / "progress.json"
    monkeypatch.setenv("CNNLIB_PROGRESS", str(path))
    monkeypatch.setattr(journal, "_warned", set())
    return path
