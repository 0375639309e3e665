"""The cheap checks before a commit find what they say."""

import check_files
import nbformat
import pytest

GOOD = {
    "a.py": "x = 1\n",
    "b.md": "two blanks at the end mean a new line  \nmore\n",
    "c.json": "{}\n",
    "d.toml": "[a]\n",
    "e.ipynb": nbformat.writes(nbformat.v4.new_notebook()) + "\n",
    "data/f.txt": "as it came \r\n\n",
    "g.png": "\x00",
}
BAD = [
    ("a.py", "x = (\n", "cannot be read"),
    ("a.py", "x = 1 \n", "blanks"),
    ("a.py", "x = 1", "newline"),
    ("a.py", "x = 1\n\n", "newline"),
    ("a.py", "<<<<<<< HEAD\n", "merge"),
    ("b.md", "one\r\ntwo\r\n", "Windows"),
    ("c.json", "{,}\n", "cannot be read"),
    ("d.toml", "[a\n", "cannot be read"),
    ("e.ipynb", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}\n', "cannot be read"),
    ("e.ipynb", "{\n", "cannot be read"),
    ("big.png", "x" * 1_000_001, "MB"),
]


def found(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return list(check_files.complaints(path, folder))


@pytest.mark.parametrize("name", GOOD)
def test_a_sound_file_passes(tmp_path, name):
    assert found(tmp_path, name, GOOD[name]) == []


@pytest.mark.parametrize(("name", "text", "complaint"), BAD)
def test_an_unsound_file_is_named(tmp_path, name, text, complaint):
    assert any(complaint in each for each in found(tmp_path, name, text))


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "a.py").write_bytes(b"\xff\n")
    assert "UTF-8" in next(check_files.complaints(tmp_path / "a.py", tmp_path))
