"""The run of a whole notebook (tests/support/whole_lesson.py) finds what two runs, with stubs and with answers, found.

A small lesson is sound, and broken in each way that one of the two runs was there for.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import whole_lesson
from _execute import execute, kernel_environment
from _lessons import Lesson, lessons
from sample_lesson import HEADER

ROOT = Path(__file__).resolve().parents[2]
LESSONS = lessons()

# The exercises of the small lesson, with the real engine.
MARKS = """
from cnnlib.exercises.kinds import Case, FunctionExercise, ValueExercise

ALL = {
    "90.1": FunctionExercise(
        "90.1", "The larger one", reference=max, cases=lambda rng: [Case((2, 3)), Case((3, 2))], hints=("Compare.",)
    ),
    "90.2": ValueExercise("90.2", "A number", expected=42, hints=("Add.",)),
}
exercise = ALL.get
numbers = [3, 1, 2]
"""

LESSON = """
# %%
from marks import exercise, numbers

# %%
def larger(a, b):
    ### BEGIN SOLUTION
    return a if a > b else b
    ### END SOLUTION

# %%
exercise("90.1").check(larger)

# %%
### BEGIN SOLUTION
answer = 20 + 22
### END SOLUTION

# %%
exercise("90.2").check(answer)

# %%
print(numbers)
"""


def write(root: Path, name: str, *changes: tuple[str, str], text: str = LESSON) -> Lesson:
    """The small lesson under that name, each of `changes` (old text, new text) applied."""
    for old, new in changes:
        assert old in text, f"the lesson does not hold {old!r}"
        text = text.replace(old, new)
    path = root / "solutions" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + text.lstrip(), encoding="utf-8")
    return Lesson(path, root)


# What is broken: changes of the source, changes of the stored page, the one test that must fail, what it must say.
BROKEN = {
    "91_stub_fails": (
        [('# %%\nexercise("90.1").check(larger)', '\nlarger(2, 3) + 1\n\n# %%\nexercise("90.1").check(larger)')],
        [],
        "Cell 1",
        "unsupported operand type(s)",
    ),
    "92_answer_refused": (
        [("return a if a > b else b", "return a")],
        [],
        "answer 2",
        "92_answer_refused.py, code cell 2: the check of 90.1 refuses the lesson's answer",
    ),
    "93_answer_fails": (
        [("answer = 20 + 22", "answer = 42 / 0")],
        [],
        "answer 4",
        "the answer fails with ZeroDivisionError",
    ),
    "94_answer_changes_the_page": (
        [("answer = 20 + 22", "answer = 42\nnumbers.sort()")],
        [],
        "Cell 5",
        "Cell outputs differ",
    ),
    "95_output_differs": ([], [("[3, 1, 2]", "[3, 1, 4]")], "Cell 5", "Cell outputs differ"),
    "96_check_says_something_else": (
        [],
        [("90.1 · The larger one", "90.1 · The larger two")],
        "Cell 2",
        "Cell outputs differ",
    ),
    "97_memory": (
        [("print(numbers)", 'much = b"x" * 600_000_000\ndel much\nprint(numbers)')],
        [],
        "memory",
        "MB of memory; the budget is 500 MB",
    ),
}
TESTS = [*(f"Cell {n}" for n in range(6)), "answer 2", "answer 4", "memory"]


def set_up(root: Path) -> None:
    """An empty project, tested as this one is, but for the budget of memory."""
    for name in ("conftest.py", "pyproject.toml", "tests/nbval_sanitize.cfg", "tools/_lessons.py", "tools/_execute.py"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    plugin = (ROOT / "tests" / "support" / "whole_lesson.py").read_text(encoding="utf-8")
    assert "MEMORY = 2e9" in plugin
    (root / "tests" / "support").mkdir()
    (root / "tests" / "support" / "whole_lesson.py").write_text(plugin.replace("MEMORY = 2e9", "MEMORY = 5e8"))
    (root / "notebooks").mkdir()
    (root / "notebooks" / "marks.py").write_text(MARKS, encoding="utf-8")


def run_pytest(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    names = ("CNNLIB_", "KERAS_BACKEND", "IPYTHONDIR", "PYTEST_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *arguments, "notebooks"]
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Sound and broken lessons in a project set up as this one, tested in one run of two workers: what came out."""
    root = tmp_path_factory.mktemp("project")
    set_up(root)
    sound = write(root, "90_sound")
    page = sound.notebook()
    with kernel_environment() as env:
        assert execute(page, root / "notebooks", env).failures == []
    nbformat.write(page, sound.path)
    for name, (changes, stored, *_) in BROKEN.items():
        lesson = write(root, name, *changes)
        notebook = lesson.notebook()
        for cell, known in zip(notebook.cells, page.cells):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = known.outputs, known.execution_count
        text = nbformat.writes(notebook)
        for old, new in stored:
            assert old in text, f"the page does not hold {old!r}"
            text = text.replace(old, new)
        lesson.path.write_text(text, encoding="utf-8")

    done = run_pytest(root, "-n", "2")
    found = re.findall(r"^(PASSED|FAILED|ERROR) notebooks/(\w+)\.ipynb::([\w ]+?)(?: - .*)?$", done.stdout, re.M)
    by_lesson: dict[str, dict[str, str]] = {}
    for outcome, name, test in found:
        by_lesson.setdefault(name, {})[test] = outcome
    return SimpleNamespace(lessons=by_lesson, text=done.stdout + done.stderr, code=done.returncode)


@pytest.mark.slow
def test_a_sound_lesson_passes_with_its_answers(outcomes):
    assert outcomes.lessons.get("90_sound") == dict.fromkeys(TESTS, "PASSED"), outcomes.text


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_where_it_is(outcomes, name):
    *_, where, message = BROKEN[name]
    assert outcomes.lessons.get(name) == {**dict.fromkeys(TESTS, "PASSED"), where: "FAILED"}, outcomes.text
    assert message in outcomes.text


@pytest.mark.slow
def test_a_run_that_found_something_says_so_to_the_shell(outcomes):
    assert outcomes.code == 1
    assert f"{len(BROKEN)} failed, " in outcomes.text.strip().splitlines()[-1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_an_answer_that_does_not_end_tells_where_it_is(tmp_path):
    set_up(tmp_path)
    lesson = write(tmp_path, "90_endless", ("answer = 20 + 22", "answer = 42\nwhile answer:\n    pass"))
    nbformat.write(lesson.notebook(), lesson.path)
    done = run_pytest(tmp_path, "-n", "0", "--nbval-lax", "--nbval-cell-timeout", "15")
    assert "90_endless.py, code cell 4: the answer did not end in 15 s; the kernel is at" in done.stdout
    assert re.search(r"ipykernel_\w+/\w+.py\", line [23] in <module>", done.stdout), done.stdout


def test_an_answer_without_a_check_is_an_error(tmp_path):
    lesson = write(tmp_path, "90_sums", ('exercise("90.2").check(answer)', "pass"))
    with pytest.raises(pytest.UsageError, match="90_sums.py, code cell 3: an answer has no check behind it"):
        whole_lesson.answers_of(lesson)


# --- no later cell needs an answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_no_cell_needs_an_answer(lesson):
    assert whole_lesson.needs_of_answers(lesson) == []


def last_cell(text: str) -> tuple[str, str]:
    return "print(numbers)", textwrap.dedent(text).strip()


def solution(text: str) -> tuple[str, str]:
    return "answer = 20 + 22", text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ([last_cell("larger(2, 3)")], "larger"),
        ([last_cell("answer + 1")], "answer"),
        ([last_cell("def half():\n    return answer / 2")], "answer"),
        ([last_cell("halves = [each / answer for each in numbers]")], "answer"),
        ([last_cell("print(f'{answer} is it')")], "answer"),
        ([last_cell("answer += 1")], "answer"),
        ([last_cell("answer = answer + 1")], "answer"),
        ([last_cell("answer.x = 1")], "answer"),
        ([last_cell("def f(answer):\n    return answer\n\nprint(answer)")], "answer"),
        ([last_cell("print(answer)\nanswer = 1")], "answer"),
        ([solution("import math\nanswer = 42"), last_cell("math.pi")], "math"),
        ([solution("step = 2\nanswer = 40 + step"), last_cell("step")], "step"),
        ([solution("answer = 42\nfor step in numbers:\n    pass"), last_cell("step")], "step"),
    ],
)
def test_a_cell_that_needs_an_answer_is_found(tmp_path, changes, name):
    (complaint,) = whole_lesson.needs_of_answers(write(tmp_path, "90_sums", *changes))
    cell = 1 if name == "larger" else 3
    assert complaint == f"code cell 5 uses {name}, which the answer in cell {cell} defines"


@pytest.mark.parametrize(
    "changes",
    [
        [last_cell("answer = 1\nprint(answer)")],
        [last_cell("def f(answer):\n    return answer")],
        [last_cell("[answer for answer in numbers]")],
        [last_cell("numbers.answer = 1")],
        [last_cell("dict(answer=1)")],
        [last_cell("def f():\n    answer = 1\n    return answer")],
        [("# %%\n### BEGIN", "# %%\nstep = 2\n### BEGIN"), last_cell("step")],
    ],
)
def test_a_cell_that_needs_none_is_left_alone(tmp_path, changes):
    assert whole_lesson.needs_of_answers(write(tmp_path, "90_sums", *changes)) == []


# --- what is run, and in which order ----------------------------------------------------------------------------------


def test_a_lesson_is_chosen_with_all_that_concerns_it():
    def item(path: str, **values):
        more = {"callspec": SimpleNamespace(params=values)} if values else {}
        return SimpleNamespace(path=Path(path), **more)

    seven = SimpleNamespace(number="07")
    mine = [
        item("notebooks/07_efficient.ipynb"),
        item("tests/checks/test_lesson_07.py", id="x"),
        item("tests/lessons/test_notebooks.py", lesson=seven),
        item("tests/test_results.py", lesson="07_efficient"),
        item("tests/exercises/test_one.py", id="07.2"),
        item("tests/test_results.py", number="07"),
    ]
    others = [
        item("notebooks/08_data.ipynb"),
        item("tests/checks/test_lesson_08.py", id="x"),
        item("tests/lessons/test_notebooks.py", lesson=SimpleNamespace(number="08")),
        item("tests/test_runtime.py"),
        item("tests/test_runtime.py", text="0.07", size=7),
    ]
    assert [whole_lesson.concerns(each, "07") for each in mine] == [True] * len(mine)
    assert [whole_lesson.concerns(each, "07") for each in others] == [False] * len(others)
    ignored = [whole_lesson.of_another_lesson(each.path, "07") for each in mine + others]
    assert ignored == [False] * len(mine) + [True, True, False, False, False]


def test_an_unknown_lesson_is_an_error():
    command = [sys.executable, "-m", "pytest", "--lesson", "77", "--collect-only", "tests/lessons"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no lesson '77'; there are: 00, 01" in done.stderr


def test_the_number_of_workers_fits_cores_and_memory(monkeypatch):
    import psutil

    def workers(cores: int, gigabytes: float) -> int:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=gigabytes * 1e9))
        return whole_lesson.pytest_xdist_auto_num_workers()

    assert [workers(2, 12), workers(4, 7), workers(1, 64), workers(4, 1), workers(64, 512)] == [2, 2, 1, 1, 8]
