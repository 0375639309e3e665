"""Every target of the Makefile in a folder with a space and an umlaut, with and without an active environment.

The targets run in a skeleton of the course whose environment is a stand-in: its Python writes down how it was called.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import environment
import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = re.findall(r"[a-z]+", re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.M)[1])
CALLED = """#!/bin/sh
printf '%s|' "$PYTHONPATH$VIRTUAL_ENV" "$@" >> "$CALLS"
echo >> "$CALLS"
# uv makes an environment where it is told to.
for last; do :; done
if [ "$1" = venv ]; then mkdir -p "$last/bin" && cp "$0" "$last/bin/python"; fi
"""

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="make is for Linux and macOS"),
    pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here"),
]


def script(path: Path, text: str = CALLED) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def stamped(course: Path, env: Path, kind: str = "backends") -> None:
    """Make `env` look like an up-to-date environment of the course that lies in `course`."""
    code = f"import environment; print({kind!r}, environment.fingerprint({kind!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=course / "tools", capture_output=True, text=True, check=True
    )
    script(env / "bin" / "python")
    (env / environment.STAMP).write_text(done.stdout.strip())


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A skeleton of the course with a learner's notebook in it."""
    path = tmp_path / "My Documents" / "Kurs für Anfänger (it's 5 $)"
    for name in ("Makefile", "pyproject.toml", "tools/environment.py", *environment.LOCKS.values()):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, path / name)
    for name in ("cnnlib", "tests", "benchmarks", "solutions", "notebooks/.ipynb_checkpoints"):
        (path / name).mkdir(parents=True)
    (path / "benchmarks" / "one.py").write_text("")
    for name in ("notebooks/mine.ipynb", "notebooks/.ipynb_checkpoints/mine-checkpoint.ipynb"):
        (path / name).write_text("my answers")
    stamped(path, path / ".venv")
    stamped(path, path / "build" / "site-env", "site")
    stamped(path, path / "build" / "hub-env", "hub")
    stamped(path, path / "build" / "nbgrader-env", "nbgrader")
    script(tmp_path / "tools of mine" / "uv")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools of mine'}{os.pathsep}{os.environ['PATH']}")
    for name in (
        "VENV",
        "PYTHON",
        "LESSON",
        "ARGS",
        "MAKEFLAGS",
        "MAKEOVERRIDES",
        "VIRTUAL_ENV",
        "PYTHONPATH",
        "BACKEND",
    ):
        monkeypatch.delenv(name, raising=False)
    return path


def make(course: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = ["make", *arguments]
    if not any(each.startswith("PYTHON=") for each in arguments):
        command.append(f"PYTHON={sys.executable}")
    return subprocess.run(command, cwd=course, capture_output=True, text=True, timeout=60)


def calls() -> list[list[str]]:
    path = Path(os.environ["CALLS"])
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [line.split("|")[:-1] for line in lines]


def untouched(course: Path) -> bool:
    return all(path.read_text() == "my answers" for path in course.rglob("mine*.ipynb")) and (
        len(list(course.rglob("mine*.ipynb"))) == 2
    )


@pytest.mark.parametrize("active", [False, True], ids=["alone", "in an active environment"])
@pytest.mark.parametrize("target", [each for each in TARGETS if each not in ("clean", "distclean")])
def test_every_target_works_in_a_folder_with_a_space(course, monkeypatch, tmp_path, target, active):
    if active:
        theirs = tmp_path / "their environment"
        script(theirs / "bin" / "python", "#!/bin/sh\nexit 3\n")
        monkeypatch.setenv("VIRTUAL_ENV", str(theirs))
        monkeypatch.setenv("PATH", f"{theirs / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("PYTHONPATH", "elsewhere")
    done = make(course, target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not found" not in done.stderr
    called = calls()
    assert called or target in ("help", "env", "backends", "siteenv", "hubenv", "nbgraderenv"), (
        "the environment's Python was not called"
    )
    if target not in ("lock", "oldest"):
        assert all(call[0] == "" for call in called), "another environment reached this one"
    assert untouched(course)


def test_the_lesson_and_more_arguments_arrive(course):
    assert make(course, "build", "LESSON=07", "ARGS=--check -x").returncode == 0
    assert [call[1:] for call in calls()[-3:]] == [
        ["tools/build.py", "--lesson", "07", "--check", "-x"],
        ["tools/reference_pages.py", "--check"],
        ["tools/experiments_page.py", "--check"],
    ]


def test_a_build_renews_the_pages_that_are_made_of_lessons_and_results(course):
    assert make(course, "build", "ARGS=--text").returncode == 0
    assert [call[1:] for call in calls()[-3:]] == [
        ["tools/build.py", "--text"],
        ["tools/reference_pages.py"],
        ["tools/experiments_page.py"],
    ]
    for target, tool in (("glossary", "reference_pages"), ("experiments", "experiments_page")):
        assert make(course, target, "ARGS=--check").returncode == 0
        assert calls()[-1][1:] == [f"tools/{tool}.py", "--check"]


def test_tests_run_in_parallel_and_a_lesson_can_be_chosen(course):
    assert make(course, "test", "LESSON=07", "ARGS=-n 0 -x").returncode == 0
    assert calls()[-1][1:] == ["-m", "pytest", "-n", "auto", "--lesson", "07", "-n", "0", "-x"]
    assert make(course, "test").returncode == 0
    assert calls()[-1][1:] == ["-m", "pytest", "-n", "auto"]


def test_the_quick_check_is_lint_and_tests_without_notebooks(course):
    assert make(course, "check").returncode == 0
    assert [call[2:] for call in calls()] == [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["pytest", "-n", "auto", "-m", "not slow", "tests"],
    ]


@pytest.mark.parametrize("where", ["environment", "argument"])
def test_an_empty_venv_is_an_unset_one(course, monkeypatch, where):
    if where == "environment":
        monkeypatch.setenv("VENV", "")
    for target in ("env", "progress"):
        done = make(course, target, *(["VENV="] if where == "argument" else []))
        assert done.returncode == 0, done.stdout + done.stderr
    assert calls()
    assert untouched(course)


@pytest.mark.parametrize("name", ["another env", "relative env"])
def test_venv_names_another_folder(course, tmp_path, name):
    named = tmp_path / name if name == "another env" else Path(name)
    stamped(course, course / named)
    shutil.rmtree(course / ".venv")
    assert make(course, "progress", f"VENV={named}").returncode == 0
    assert calls()
    assert not (course / ".venv").exists()


def test_clean_leaves_what_the_learner_made(course):
    for name in ("build/a b/x", "dist/x", "cnnlib/deep er/__pycache__/x.pyc", "notebooks/__pycache__/x.pyc"):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("")
    done = make(course, "clean")
    assert done.returncode == 0, done.stderr
    assert not [name for name in ("build", "dist") if (course / name).exists()]
    assert not list(course.rglob("__pycache__/x.pyc"))
    assert (course / ".venv" / environment.STAMP).exists()
    assert untouched(course)


def test_distclean_takes_the_environment(course):
    done = make(course, "distclean")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (course / ".venv").exists()
    assert untouched(course)


@pytest.mark.parametrize("named", [".", "notebooks", "..", "somebody's"])
def test_distclean_and_set_up_leave_every_other_folder(course, named):
    (course / "somebody's" / "lib").mkdir(parents=True)
    (course / "somebody's" / "pyvenv.cfg").write_text("mine")
    for target in ("distclean", "env", "test"):
        done = make(course, target, f"VENV={named}")
        assert done.returncode != 0
        assert "environment: " in done.stderr
    assert (course / "somebody's" / "pyvenv.cfg").read_text() == "mine"
    assert (course / "pyproject.toml").exists()
    assert untouched(course)
    assert not calls()
