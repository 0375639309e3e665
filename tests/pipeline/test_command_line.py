"""python -m cnnlib.pipeline: files and folders, bad ones among them, exit codes, what is written."""

import json
import os
import subprocess
import sys

import jsonschema
import numpy as np
import odd_images
import pytest
from PIL import Image

from cnnlib.pipeline import __main__ as command
from cnnlib.pipeline import answer_schema


@pytest.fixture
def saved(classify, tmp_path):
    classify.save(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def folder(tmp_path):
    """Five images, one of them in a folder below, with the name of another; two bad files; a text."""
    place = tmp_path / "images"
    (place / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "c.webp", "d.gif", "more/a.png"):
        odd_images.picture(rng, 30, 40).save(place / name)
    (place / "empty.jpg").write_bytes(b"")
    (place / "page.png").write_bytes(odd_images.PAGE)
    (place / "notes.txt").write_text("no image")
    return place


def test_a_folder_with_bad_files(saved, folder, tmp_path, capsys):
    arguments = [
        str(folder),
        "--model",
        saved,
        "--json",
        str(tmp_path / "out.json"),
        "--overlay",
        str(tmp_path / "drawn"),
    ]
    assert command.main(arguments) == 1
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 7
    assert "2 of 7 files have no answer" in output.err
    assert "empty.jpg: empty: " in output.err
    assert "page.png: not_an_image: " in output.err
    answers = json.loads((tmp_path / "out.json").read_text())
    for answer in answers:
        jsonschema.validate(answer, answer_schema())
    assert [answer["image"]["name"] for answer in answers] == [
        *("a.png", "b.jpg", "c.webp", "d.gif", "empty.jpg", "a.png", "page.png"),
    ]
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["a-2.png", "a.png", "b.png", "c.png", "d.png"]


def test_all_is_well(saved, folder, tmp_path, capsys):
    target = tmp_path / "drawn.png"
    arguments = [str(folder / "a.png"), "--model", saved, "--json", "-", "--overlay", str(target), "--latency"]
    assert command.main(arguments) == 0
    output = capsys.readouterr()
    (answer,) = json.loads(output.out)
    assert answer["found"]
    assert Image.open(target).size == (40, 30)
    assert "p95" in output.err


def test_a_threshold_of_one_s_own(saved, folder, capsys):
    assert command.main([str(folder / "a.png"), "--model", saved, "--threshold", "0.99"]) == 0
    assert capsys.readouterr().out.strip() == "a.png: nothing found"


def test_quiet(saved, folder, capsys):
    assert command.main([str(folder / "a.png"), "--model", saved, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_nothing_can_be_done(saved, folder, tmp_path, capsys):
    (tmp_path / "nothing").mkdir()
    assert command.main([str(tmp_path / "nothing"), "--model", saved]) == 2
    assert command.main([str(folder), "--model", "none"]) == 2
    assert "there is no pipeline 'none'" in capsys.readouterr().err
    assert command.main([str(folder), "--model", saved, "--batch", "0"]) == 2
    assert command.main([str(folder), "--model", saved, "--threshold", "7"]) == 2
    with pytest.raises(SystemExit):
        command.main([])
    with pytest.raises(SystemExit, match="need a folder"):
        command.main([str(folder), "--model", saved, "--overlay", str(tmp_path / "one.png")])


def test_a_file_that_is_not_there_does_not_stop_the_others(saved, folder, tmp_path, capsys):
    arguments = [
        str(folder / "none.png"),
        str(folder / "a.png"),
        "--model",
        saved,
        "--json",
        str(tmp_path / "out.json"),
    ]
    assert command.main(arguments) == 1
    assert "none.png: missing" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "out.json").read_text())) == 2


def test_the_bar_moves_where_there_is_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = command._Progress(3, quiet=False)
    for _ in range(3):
        bar.step()
    bar.close()
    assert "3/3" in capsys.readouterr().err
    quiet = command._Progress(3, quiet=True)
    quiet.step()
    quiet.close()
    assert capsys.readouterr().err == ""


def test_as_a_program(saved, folder, tmp_path):
    """In a process of its own, as a user starts it: nothing but the answers on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "cnnlib.pipeline", str(folder), "--model", saved, "--json", "-"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert len(json.loads(done.stdout)) == 7
    assert done.stderr.strip().startswith("2 of 7 files have no answer")
