"""Run a notebook in a cold kernel of this very Python, and measure what it takes.

Used by the build, the timings, the experiments, the claims and the tests, so that all of them mean the same by
"the lesson runs": nothing of the caller's settings reaches the kernel, the network is blocked, and progress is kept
in a file that is thrown away.
"""

import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import ipykernel.kernelspec
import psutil
from _lessons import Lesson
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

CHECK = re.compile(r"""exercise\(\s*["']([^"']+)["']\s*\)\s*\.check\(""")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# Ours, but for the place of the data; and what would change how figures are drawn or which backend runs.
FORGOTTEN = re.compile(r"CNNLIB_(?!DATA$)|MPLBACKEND$|KERAS_BACKEND$|PYTHONHASHSEED$")


@dataclass(frozen=True)
class Failure:
    """A cell that failed: its number in the notebook (from 1), the line in it if known, and the error."""

    cell: int
    line: int | None
    name: str
    message: str

    def __str__(self) -> str:
        place = f"cell {self.cell}" + (f", line {self.line}" if self.line else "")
        return f"{place}: {self.name}: {self.message}"


@dataclass
class Run:
    """A notebook after its run: outputs inside, wall seconds with kernel start, peak memory, failures."""

    notebook: NotebookNode
    seconds: float = 0.0
    peak_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def peak_megabytes(self) -> float:
        return self.peak_bytes / 1e6


class _ThisPython(KernelSpecManager):
    """Knows one kernel: the Python that runs this, whatever kernels are installed on the machine."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())


class _Client(NotebookClient):
    def create_kernel_manager(self) -> AsyncKernelManager:
        self.km = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_ThisPython())
        return self.km


def in_memory(family: list[psutil.Process]) -> int:
    """Bytes of memory that processes take together, shared pages counted once."""
    if len(family) == 1:
        return family[0].memory_info().rss
    try:
        found = [(member.memory_full_info().uss, member.memory_info().rss) for member in family]
    except psutil.AccessDenied:  # the system does not tell what is shared
        return sum(member.memory_info().rss for member in family)
    return sum(own for own, _ in found) + max(rss - own for own, rss in found)


class _Memory(threading.Thread):
    """Samples the memory of a process and its children until told to finish; `peak` is in bytes.

    Pages that several of them share, such as TensorFlow's library, lie in memory once: what each has to itself is
    added up, and the most that one of them shares is counted once.
    """

    def __init__(self, pid: int, every: float = 0.1):
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.every = every
        self.peak = 0
        self.finish = threading.Event()

    def run(self) -> None:
        while not self.finish.wait(self.every):
            self.sample()

    def sample(self) -> None:
        try:
            family = [self.process, *self.process.children(recursive=True)]
            self.peak = max(self.peak, in_memory(family), self.high_water())
        except psutil.Error:  # one of them ended in between; the next sample counts
            return

    def high_water(self) -> int:
        """What the system itself recorded for the kernel, where it does: a sample can miss a short peak."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return getattr(self.process.memory_info(), "peak_wset", 0)
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        return int(found.group(1)) * 1024 if found else 0


def environment(
    folder: Path, backend: str = "tensorflow", seed: int | None = None, profile: str = "cpu", **more: str
) -> dict[str, str]:
    """The environment variables of a lesson's kernel; `folder` (temporary) takes what the kernel writes.

    The lesson sees no setting of the caller but where the data is, so that its outputs are the same for all.
    """
    kept = {name: value for name, value in os.environ.items() if not FORGOTTEN.match(name)}
    settings = {
        "CNNLIB_OFFLINE": "1",
        "CNNLIB_STATIC": "1",
        "CNNLIB_PROFILE": profile,
        "CNNLIB_PROGRESS": str(folder / "progress.json"),
        "IPYTHONDIR": str(folder / "ipython"),
        "KERAS_BACKEND": backend,
        "PYTHONHASHSEED": "0",
    }
    if seed is not None:
        settings["CNNLIB_SEED"] = str(seed)
    return {**kept, **settings, **more}


@contextmanager
def kernel_environment(**settings) -> Iterator[dict[str, str]]:
    """`environment` with a folder that is removed afterwards."""
    # On Windows the kernel may hold a file open for a moment after it is gone.
    with tempfile.TemporaryDirectory(prefix="lesson-", ignore_cleanup_errors=True) as folder:
        yield environment(Path(folder), **settings)


def execute(
    notebook: NotebookNode, cwd: Path, env: Mapping[str, str], timeout: float = 600, keep_going: bool = False
) -> Run:
    """Execute `notebook` (its outputs are filled in) with `cwd` as the folder and `timeout` seconds for each cell.

    Never raises for what a lesson does: failed cells, cells that hang and kernels that die are in `failures`.
    With `keep_going` the cells after a failed one run too.
    """
    start = time.perf_counter()
    run = Run(notebook)
    memory: list[_Memory] = []
    current = 0
    extra = []

    def watch(**_) -> None:
        memory.append(_Memory(client.km.provisioner.pid))
        memory[0].start()

    def begin(cell_index: int, **_) -> None:
        nonlocal current
        current = cell_index + 1

    def end(**_) -> None:
        memory[0].sample()
        run.seconds = time.perf_counter() - start

    client = _Client(
        notebook,
        timeout=timeout,
        allow_errors=keep_going,
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(cwd)}},
        on_notebook_start=watch,
        on_cell_execute=begin,
        on_cell_executed=end,
    )
    try:
        with tempfile.TemporaryFile() as noise:
            try:
                client.execute(env=dict(env), stderr=noise)
            except RuntimeError as error:  # while it ran, or before it was ready
                extra.append(Failure(max(current, 1), None, "DeadKernel", f"{error}. {_last_words(noise)}"))
    except CellExecutionError:
        pass  # the error stands in the cell's outputs
    except CellTimeoutError:
        extra.append(Failure(current, None, "Timeout", f"the cell ran for more than {timeout:g} s"))
    finally:
        for thread in memory:
            thread.finish.set()
            run.peak_bytes = thread.peak
        # nbclient takes an interrupt for itself and only stops the kernel; whoever pressed Ctrl-C means all of it.
        if getattr(client, "_async_cleanup_kernel_future", None):
            raise KeyboardInterrupt
    found = [failure for failure in failures(notebook) if failure.cell not in {last.cell for last in extra}]
    run.failures = [*found, *extra]
    return run


def _last_words(noise) -> str:
    """What a dead kernel wrote to its error stream, without the notices of every start."""
    noise.seek(0)
    lines = [line for line in noise.read().decode(errors="replace").splitlines() if "WARNING |" not in line]
    said = " / ".join(line.strip() for line in lines[-3:])
    return f"Its last words: {said}" if said else "It said nothing; the usual cause is a machine out of memory"


def run_lesson(
    lesson: Lesson,
    answered: bool = True,
    backend: str = "tensorflow",
    seed: int | None = None,
    profile: str = "cpu",
    timeout: float = 600,
    keep_going: bool = False,
    **more: str,
) -> Run:
    """Execute a lesson in a cold kernel; `more` are environment variables.

    With its answers (else with stubs), every check must find them right at once: one that does not is a failure.
    """
    folder = lesson.source.parent if answered else lesson.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with kernel_environment(backend=backend, seed=seed, profile=profile, **more) as env:
        run = execute(lesson.notebook(answered), folder, env, timeout, keep_going)
        if answered and (keep_going or not run.failures):
            run.failures += _not_right(run.notebook, Path(env["CNNLIB_PROGRESS"]))
    return run


def _not_right(notebook: NotebookNode, progress: Path) -> list[Failure]:
    """The checks of an answered lesson that did not come out right, by the progress that its kernel kept."""
    kept = json.loads(progress.read_text(encoding="utf-8"))["exercises"] if progress.exists() else {}
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        for ident in CHECK.findall(cell.source) if cell.cell_type == "code" else []:
            if not kept.get(ident, {}).get("solved"):
                said = " ".join(output.data.get("text/plain", "") for output in cell.outputs if "data" in output)
                message = f"the check of exercise {ident} refuses the lesson's own answer: {said}"
                found.append(Failure(number, None, "WrongAnswer", message))
    return found


def failures(notebook: NotebookNode) -> list[Failure]:
    """What went wrong, read from the error outputs of a notebook."""
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                message = ANSI.sub("", output.evalue).strip()
                found.append(Failure(number, _line(cell, output.traceback), output.ename, message))
    return found


def _line(cell: NotebookNode, traceback: list[str]) -> int | None:
    """The line of the cell in which the error arose: the last frame that lies in this cell."""
    text = ANSI.sub("", "\n".join(traceback))
    frames = re.findall(r"(?:Cell )?In ?\[(\d+)\](?:, |:)line (\d+)", text)
    lines = [int(line) for count, line in frames if int(count) == cell.get("execution_count")]
    return lines[-1] if lines else None
