"""A pytest plugin: one run of a notebook tests the page as stored, its answers, and the memory that both take.

nbval makes a test of each code cell and compares what it puts out with what is stored. To a notebook that is built from
a lesson (``solutions/<the same name>.py``) this adds, in the same kernel and the same order:

- behind the check of an exercise, which has just said "not attempted": the answer is put in the place of the stub and
  the check is asked again; it must say right at once. From there on the page runs in the state in which a learner goes
  on, and its stored outputs must still be what the code produces;
- at the end: the kernel never took more than 2 GB.

Running each lesson twice, once with stubs and once with answers, took twice the time and found no more:

- A stub, or a check of a stub, that fails or says something else: the cell itself is still run first, and compared.
- An answer that is refused, or fails: run here, in the state of the page in which a learner gives it.
- A cell that needs an answer, which only a run without answers meets: `needs_of_answers` finds it in the source, by
  name, without running anything; and the build, which runs the stubs alone, refuses to store such a page.
- An answer that changes what later cells work with (a list, a model, a random number generator): the stored
  outputs come from a run without answers, so the page differs and the comparison fails.

tests/lessons/test_whole_lesson.py breaks a small lesson in each of these ways.
"""

import ast
import json
import os
import re
import signal
import symtable
import tempfile
import time
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from cnnlib.exercises.course import NUMBER, numbered

MEMORY = 2e9  # bytes


class AnswerRefused(Exception):
    """A check that refuses the lesson's own answer, or an answer that fails."""


class AnsweredExercise(pytest.Item):
    """The answers of one check of a lesson, and the check on them, run in the notebook's kernel."""

    def __init__(self, *, sources: list[str], check: str, ids: list[str], place: str, **kwargs):
        super().__init__(**kwargs)
        self.sources, self.check, self.ids, self.place = sources, check, ids, place
        self.stacks: Path | None = None  # where the kernel writes what its threads do, when it gets SIGUSR1
        self.add_marker("answers")

    def runtest(self) -> None:
        if self.parent.timed_out:
            pytest.fail("an earlier cell timed out")
        with tempfile.TemporaryDirectory(prefix="answers-", ignore_cleanup_errors=True) as folder:
            # The notebook's own progress must stay what a reader of the stored page has.
            progress = Path(folder) / "progress.json"
            self.stacks = Path(folder) / "stacks.txt"
            self.execute(_PUT_ASIDE.format(progress=str(progress), stacks=str(self.stacks)))
            try:
                for source in self.sources:
                    self.execute(source)
                said = self.execute(self.check)
            finally:
                if not self.parent.timed_out:  # else nothing answers any more, and the first error says why
                    self.execute(_PUT_BACK)
            solved = json.loads(progress.read_text(encoding="utf-8"))["exercises"] if progress.exists() else {}
        refused = [ident for ident in self.ids if not solved.get(ident, {}).get("solved")]
        if refused:
            raise AnswerRefused(f"{self.place}: the check of {', '.join(refused)} refuses the lesson's answer\n{said}")

    def execute(self, source: str) -> str:
        """Run source in the kernel and return what it shows; AnswerRefused if it fails."""
        kernel, shown, failed = self.parent.kernel, [], None
        wanted = kernel.execute_cell_input(source, allow_stdin=False)
        deadline = time.monotonic() + self.config.option.nbval_cell_timeout
        while True:
            if time.monotonic() > deadline or not kernel.is_alive():
                self.parent.timed_out = True
                why = self.what_it_does()
                kernel.interrupt()
                raise AnswerRefused(f"{self.place}: {why}")
            try:
                message = kernel.get_message("iopub", timeout=1)
            except Exception:  # queue.Empty: nothing was said within a second
                continue
            if message["parent_header"].get("msg_id") != wanted:
                continue
            content = message["content"]
            if message["msg_type"] == "error":
                failed = f"{content['ename']}: {content['evalue']}"
            elif message["msg_type"] in ("display_data", "execute_result"):
                shown.append(content["data"].get("text/plain", ""))
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        kernel.await_reply(wanted, timeout=10)
        if failed:
            raise AnswerRefused(f"{self.place}: the answer fails with {failed}")
        return "\n".join(shown)

    def what_it_does(self) -> str:
        """Why nothing more comes from the kernel: it died, or where each of its threads is."""
        kernel, seconds = self.parent.kernel, self.config.option.nbval_cell_timeout
        if not kernel.is_alive():
            return "the kernel died"
        said = f"the answer did not end in {seconds:.0f} s"
        if self.stacks is None or not hasattr(signal, "SIGUSR1"):
            return said
        os.kill(kernel.km.provisioner.pid, signal.SIGUSR1)
        time.sleep(1)
        stacks = self.stacks.read_text(encoding="utf-8", errors="replace") if self.stacks.exists() else ""
        return f"{said}; the kernel is at\n{stacks or '(it does not tell)'}"

    def repr_failure(self, excinfo) -> str:
        return str(excinfo.value)

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::{self.name}"


class Memory(pytest.Item):
    """What the kernel of a whole lesson and its children took at most, watched from the first cell on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.watch = None

    def begin(self) -> None:
        """Watch from now on; the kernel of the notebook must be there."""
        from _execute import _Memory

        if self.watch is None:
            self.watch = _Memory(self.parent.kernel.km.provisioner.pid)
            self.watch.start()

    def runtest(self) -> None:
        self.begin()
        self.watch.finish.set()
        self.watch.sample()
        peak = self.watch.peak
        assert peak < MEMORY, f"{peak / 1e6:.0f} MB of memory; the budget is {MEMORY / 1e6:.0f} MB"

    def repr_failure(self, excinfo) -> str:
        return str(excinfo.value)

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::{self.name}"


_PUT_ASIDE = """
import os as _os
_progress_of_the_page = {{name: _os.environ.get(name) for name in ("CNNLIB_PROGRESS",)}}
_os.environ["CNNLIB_PROGRESS"] = {progress!r}
# Keras numbers the layers that are given no name; a table of the page must show the numbers that it has stored.
import sys as _sys
_counted = getattr(_sys.modules.get("keras.src.backend.common.global_state"), "GLOBAL_STATE_TRACKER", None)
_counted = getattr(_counted, "object_name_uids", None)
_numbers_of_the_page = None if _counted is None else dict(_counted)
# An answer that does not end: the test asks where each thread is.
import faulthandler as _faulthandler
import signal as _signal
_stacks = open({stacks!r}, "w")
if hasattr(_faulthandler, "register"):
    _faulthandler.register(_signal.SIGUSR1, file=_stacks, all_threads=True)
"""
_PUT_BACK = """
if hasattr(_faulthandler, "register"):
    _faulthandler.unregister(_signal.SIGUSR1)
_stacks.close()
if _numbers_of_the_page is not None:
    _counted.clear()
    _counted.update(_numbers_of_the_page)
for _name, _value in _progress_of_the_page.items():
    _os.environ.pop(_name, None) if _value is None else _os.environ.update({_name: _value})
"""


def lesson_of(notebook: Path):
    """The lesson that a notebook is built from; None if it is built from none."""
    source = notebook.parents[1] / "solutions" / f"{notebook.stem}.py"
    if notebook.parent.name != "notebooks" or not source.is_file():
        return None
    from _lessons import Lesson

    return Lesson(source, source.parents[1])


def with_answers(items: list[pytest.Item]) -> list[pytest.Item]:
    """The items in their order, the tests of answers behind the checks they belong to, memory behind each notebook."""
    result: list[pytest.Item] = []
    pending: dict[Path, dict] = {}
    cells = [item for item in items if isinstance(item, IPyNbCell)]
    last = {item.parent: item for item in cells}
    numbers: dict[IPyNbFile, int] = {}
    for item in cells:
        numbers[item.parent] = numbers.get(item.parent, 0) + 1
    for item in items:
        result.append(item)
        if not isinstance(item, IPyNbCell) or (lesson := lesson_of(item.path)) is None:
            continue
        if item.path not in pending:
            pending[item.path] = answers_of(lesson)
        whole = numbers[item.parent] == sum(1 for cell in item.parent.nb.cells if cell.cell_type == "code")
        if whole and item.cell_num in pending[item.path]:
            result.append(
                AnsweredExercise.from_parent(
                    item.parent, name=f"answer {item.cell_num}", **pending[item.path][item.cell_num]
                )
            )
        if whole and item is last[item.parent]:
            result.append(Memory.from_parent(item.parent, name="memory"))
            item.parent.memory = result[-1]
    return result


def answers_of(lesson) -> dict[int, dict]:
    """What to run behind which code cell (counted from 0): sources of answers, the check, its exercises."""
    from _execute import CHECK

    answered = [cell for cell in lesson.notebook(answered=True).cells if cell.cell_type == "code"]
    stubs = [cell for cell in lesson.notebook().cells if cell.cell_type == "code"]
    found, waiting = {}, []
    for number, (answer, stub) in enumerate(zip(answered, stubs)):
        if answer.source != stub.source:
            waiting.append(answer.source)
            last = number
        if ids := CHECK.findall(stub.source):
            place = f"{lesson.source.name}, code cell {number}"
            found[number] = {"sources": waiting, "check": stub.source, "ids": ids, "place": place}
            waiting = []
    if waiting:
        raise pytest.UsageError(f"{lesson.source.name}, code cell {last}: an answer has no check behind it")
    return found


def needs_of_answers(lesson) -> list[str]:
    """Names that only an answer gives a meaning and that a later cell, other than a check, looks up.

    A stub assigns ``name = ...`` or leaves a function that returns nothing, and what else an answer defines or imports
    is not there at all: a cell that uses it would show nonsense, or fail, for a learner who goes on reading.
    """
    from _execute import CHECK

    answered = [cell for cell in lesson.notebook(answered=True).cells if cell.cell_type == "code"]
    stubs = [cell for cell in lesson.notebook().cells if cell.cell_type == "code"]
    open_names: dict[str, int] = {}
    complaints = []
    for number, (answer, stub) in enumerate(zip(answered, stubs)):
        if answer.source != stub.source:
            given, left = _definitions(answer.source), _definitions(stub.source)
            open_names.update({name: number for name in given | left if given.get(name) != left.get(name)})
        elif not CHECK.search(stub.source):
            for statement in ast.parse(stub.source).body:
                for name in sorted(_looked_up(statement) & set(open_names)):
                    complaints.append(
                        f"code cell {number} uses {name}, which the answer in cell {open_names[name]} defines"
                    )
                for name in _bound(statement):
                    open_names.pop(name, None)
    return complaints


def _definitions(source: str) -> dict[str, str]:
    """The names that a cell defines, each with the statements that do it."""
    found: dict[str, str] = {}
    for statement in ast.parse(source).body:
        for name in _bound(statement):
            found[name] = found.get(name, "") + ast.dump(statement)
    return found


def _table(statement: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(statement), "cell", "exec")


def _bound(statement: ast.stmt) -> set[str]:
    """The names of the page that a statement binds: by assignment, definition, import, loop, or ``global``."""

    def bound(table: symtable.SymbolTable, top: bool) -> set[str]:
        names = {s.get_name() for s in table.get_symbols() if (s.is_assigned() or s.is_imported())}
        names = {name for name in names if top or table.lookup(name).is_global()}
        return names.union(*(bound(child, False) for child in table.get_children()))

    return bound(_table(statement), True)


def _looked_up(statement: ast.stmt) -> set[str]:
    """The names of the page that a statement looks up, within functions and comprehensions too."""

    def looked_up(table: symtable.SymbolTable, top: bool) -> set[str]:
        names = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
        return names.union(*(looked_up(child, False) for child in table.get_children()))

    stored = [node.target for node in ast.walk(statement) if isinstance(node, ast.AugAssign)]
    return looked_up(_table(statement), True) | {target.id for target in stored if isinstance(target, ast.Name)}


def _number(path: Path) -> str:
    """The number of the lesson in the name of a source or a notebook."""
    return path.stem.partition("_")[0]


def concerns(item: pytest.Item, number: str) -> bool:
    """Whether a test is about the lesson of that number: by its file, or by a lesson or exercise among its values."""
    if re.fullmatch(rf"({number}_\w+\.ipynb|test_lesson_{number}\.py)", item.path.name):
        return True
    values = item.callspec.params.values() if hasattr(item, "callspec") else []
    return any(
        getattr(value, "number", None) == number
        or (isinstance(value, str) and re.fullmatch(rf"{number}([_.]\S+)?", value) is not None)
        for value in values
    )


def of_another_lesson(path: Path, number: str) -> bool:
    """Whether a file holds nothing but tests of another lesson."""
    found = re.fullmatch(rf"({NUMBER})_\w+\.ipynb|test_lesson_({NUMBER})\.py", path.name)
    return found is not None and number not in found.groups()


# --- pytest ----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lesson", metavar="NN", help="only what concerns this lesson, such as 07")


LONG = {"test_mutation.py"}  # files of minutes; of several workers, one would be left alone with it at the end


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --lesson, the files of other lessons need not even be read."""
    number = config.option.lesson
    return True if number and of_another_lesson(collection_path, number) else None


def pytest_configure(config: pytest.Config) -> None:
    number = config.option.lesson
    if number and not list((config.rootpath / "solutions").glob(f"{number}_*.py")):
        known = ", ".join(_number(path) for path in numbered(config.rootpath / "solutions"))
        raise pytest.UsageError(f"there is no lesson {number!r}; there are: {known or 'none'}")
    config.addinivalue_line("markers", "answers: the answers of a lesson, run behind their checks")
    config.addinivalue_line(
        "markers", "slow: takes seconds, or asks again with other cases; `make check` leaves it out"
    )
    if getattr(config.option, "dist", "no") in ("load", "worksteal"):  # they would spread the cells of a notebook
        config.option.dist = "loadfile"
    config.option.loadscopereorder = False  # the order below counts, not the number of tests in a file


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Notebooks first, the longest first, then the longest file: the last to finish is then a short one."""
    items[:] = with_answers(items)
    if number := config.option.lesson:
        others = [item for item in items if not concerns(item, number)]
        items[:] = [item for item in items if concerns(item, number)]
        config.hook.pytest_deselected(items=others)
    seconds = _seconds()
    order = {item.path: (0, -seconds.get(_number(item.path), 0.0)) for item in items if isinstance(item, IPyNbCell)}
    items.sort(key=lambda item: order.get(item.path, (1 + (item.path.name not in LONG), 0.0)))


def pytest_runtest_call(item: pytest.Item) -> None:
    """Memory is watched from the first cell of a notebook that is run as a whole."""
    memory = getattr(item.parent, "memory", None)
    if isinstance(item, IPyNbCell) and memory is not None and item.parent.kernel is not None:
        memory.begin()


def _seconds() -> dict[str, float]:
    """What each lesson took when it was last measured."""
    try:
        path = Path(__file__).resolve().parents[2] / "data" / "timings.json"
        kinds = json.loads(path.read_text(encoding="utf-8"))["processors"]
        return {number: cost["seconds"] for number, cost in kinds["fast"]["lessons"].items()}
    except (OSError, ValueError, KeyError):
        return {}


def pytest_xdist_auto_num_workers() -> int:
    """As many workers as cores, but no more than fit the memory: a lesson takes up to 2 GB."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = int(psutil.virtual_memory().available // 3e9)
    return max(1, min(cores, room, 8))
