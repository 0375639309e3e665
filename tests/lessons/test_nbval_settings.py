"""How notebooks are compared: what tests/nbval_sanitize.cfg replaces, and what conftest.py switches."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "tests" / "nbval_sanitize.cfg"


def sanitised(text: str) -> str:
    for pattern, replacement in get_sanitize_patterns(SETTINGS.read_text(encoding="ascii")):
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("loss ≈ 0.913", "loss ≈ 0.87"),
        ("loss ≈ -0.0913", "loss ≈ 1.3"),
        ("difference ≈ 3.1e-07", "difference ≈ 0"),
        ("sum ≈ 1,234", "sum ≈ 12,345"),
        ("in ≈ 31.2 ms", "in ≈ 1.1 s"),
        ("memory ≈ 812 MB", "memory ≈ 1.1 GB"),
        ("took ≈ 3.2 s, then went on", "took ≈ 12 s, then went on"),
        ("loss ≈ nan", "loss ≈ inf"),
        ("accuracy ≈ 91 %", "accuracy ≈ 89.5 %"),
        ("speed ≈ 3.1×", "speed ≈ 12×"),
        ("gain ≈ 0.31 ± 0.02", "gain ≈ 0.3 ± 0.1"),
        ("| ≈ 0.31  | ≈ 12 |", "| ≈ 0.3 |   ≈ 7.25 |"),
        ("Keras 3.15.1 · tensorflow · cpu profile · seed 0", "Keras 3.16.0rc1 · tensorflow · cpu profile · seed 0"),
        ("Figure: the loss falls from ≈ 2.3 to ≈ 0.31.", "Figure: the loss falls from ≈ 2.29 to ≈ 0.4."),
        ("<td>≈ 0.31</td>", "<td>≈ 0.4</td>"),
    ],
)
def test_measured_numbers_are_not_compared(stored, new):
    assert sanitised(stored) == sanitised(new)


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("loss 0.913", "loss 0.87"),
        ("loss ≈ 0.913 after 10 epochs", "loss ≈ 0.913 after 20 epochs"),
        ("a ≈ 1, b ≈ 2", "a ≈ 1, c ≈ 2"),
        ("weights 1,792, loss ≈ 1", "weights 1,793, loss ≈ 1"),
        ("≈ 3 steps", "≈ 3 stops"),
        ("≈ 3 2", "≈ 3 4"),
        ("Keras 3.15.1 · tensorflow · cpu profile · seed 0", "Keras 3.15.1 · tensorflow · gpu profile · seed 0"),
        ("Keras 3.15.1 · tensorflow · cpu profile · seed 0", "Keras 3.15.1 · jax · cpu profile · seed 0"),
        ("✔ the loss is about the same", "✔ the loss is the same"),
    ],
)
def test_everything_else_is(stored, new):
    assert sanitised(stored) != sanitised(new)


# --- one small project, as this one is set up -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the settings of this one and a notebook, whose stored outputs are right."""
    root = tmp_path_factory.mktemp("project")
    (root / "tests" / "support").mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml", "tests/support/whole_lesson.py"):
        shutil.copy(ROOT / name, root / name)
    (root / "tools").mkdir()
    shutil.copy(SETTINGS, root / "tests")
    (root / "tests" / "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
    (root / "notebooks").mkdir()
    shown = "import os\nsorted(name for name in os.environ if name.startswith('CNNLIB'))"
    names = "['CNNLIB_OFFLINE', 'CNNLIB_PROFILE', 'CNNLIB_PROGRESS', 'CNNLIB_STATIC']"
    cells = [
        new_code_cell(shown, outputs=[new_output("execute_result", data={"text/plain": names}, execution_count=1)]),
        new_code_cell("print('time ≈', 1 / 3, 's')", outputs=[new_output("stream", text="time ≈ 7.5 s\n")]),
        new_code_cell("2 + 3", outputs=[new_output("execute_result", data={"text/plain": "5"}, execution_count=3)]),
    ]
    for count, cell in enumerate(cells, start=1):
        cell.execution_count = count
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / "one.ipynb")
    return root


def run(project: Path, *arguments: str, folder: str = ".", **settings: str) -> subprocess.CompletedProcess:
    names = ("CNNLIB_", "KERAS_BACKEND", "IPYTHONDIR", "PYTEST_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=project / folder, env={**env, **settings}, capture_output=True, text=True, encoding="utf-8"
    )


def changed(project: Path, tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the project with text of its notebook replaced."""
    copy = tmp_path / "project"
    shutil.copytree(project, copy)
    path = copy / "notebooks" / "one.ipynb"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return copy


WRONG_OUTPUT = ('"5"', '"6"')


@pytest.mark.slow
def test_one_run_takes_tests_and_notebooks(project):
    done = run(project)
    assert "4 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_on_tensorflow_outputs_are_compared_wherever_pytest_is_called(project, tmp_path):
    done = run(changed(project, tmp_path, WRONG_OUTPUT), "../notebooks", folder="tests")
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "Cell outputs differ" in done.stdout


@pytest.mark.slow
def test_on_another_backend_cells_must_run_and_outputs_may_differ(project, tmp_path):
    failing = ("print('time", "1 / 0\\nprint('time")
    done = run(changed(project, tmp_path, WRONG_OUTPUT, failing), "notebooks", KERAS_BACKEND="jax")
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "ZeroDivisionError" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{"CNNLIB_PROFILE": "smoke"}, {"CNNLIB_SEED": "3"}], ids=str)
def test_with_another_profile_or_seed_too(project, tmp_path, setting):
    done = run(changed(project, tmp_path, WRONG_OUTPUT), "notebooks", **setting)
    assert "3 passed" in done.stdout, done.stdout
