"""What `nbgrader_config.py` of a course folder asks for: the steps of this course, and the kernel in the sandbox."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from grading import jail

from . import kernel

ROOT = Path(__file__).resolve().parents[2]


def configure(
    c: Any,
    folder: str | Path,
    cell_seconds: float = 300.0,
    seconds: float = 1200.0,
    memory: float = 4.0,
    sandbox: bool = True,
) -> None:
    """Set up nbgrader for a course folder; called from its `nbgrader_config.py`.

    Args:
        c: nbgrader's configuration.
        folder: of the nbgrader course, with `source/` in it.
        cell_seconds: that one cell may run, by the clock.
        seconds: that a notebook may run in the kernel, and its answers in the judge, by the clock.
        memory: GB that a notebook may take.
        sandbox: False runs submissions with your own rights.
    """
    from nbgrader.preprocessors import (
        AssignLatePenalties,
        CheckCellMetadata,
        ClearHiddenTests,
        ClearMarkScheme,
        ClearOutput,
        ComputeChecksums,
        DeduplicateIds,
        IgnorePattern,
        IncludeHeaderFooter,
        LimitOutput,
        LockCells,
        OverwriteCells,
        OverwriteKernelspec,
        SaveAutoGrades,
        SaveCells,
    )  # fmt: skip

    # The steps are named, not imported: they bring Keras, which only `autograde` needs.
    folder = Path(folder).resolve()
    # nbgrader starts the program alembic by its name, when it makes a gradebook.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    c.CourseDirectory.root = str(folder)
    # Without ClearSolutions, which would put an error in the place of each stub: the course has cut the answers itself.
    c.GenerateAssignment.preprocessors = [
        IncludeHeaderFooter, LockCells, ClearOutput, CheckCellMetadata, ComputeChecksums, SaveCells, ClearHiddenTests,
        ClearMarkScheme, ComputeChecksums, CheckCellMetadata,
    ]  # fmt: skip
    c.Autograde.sanitize_preprocessors = [
        ClearOutput, "assignments.steps.Mend", DeduplicateIds, OverwriteKernelspec, OverwriteCells, CheckCellMetadata,
    ]  # fmt: skip
    c.Autograde.autograde_preprocessors = [
        "assignments.steps.Run", IgnorePattern, "assignments.steps.Judge", LimitOutput, SaveAutoGrades,
        AssignLatePenalties, CheckCellMetadata,
    ]  # fmt: skip
    c.Mend.folder = c.Judge.folder = str(folder)
    c.Judge.seconds, c.Judge.memory = seconds, memory
    c.Run.timeout = int(cell_seconds)
    c.Run.startup_timeout = 300  # the sandbox on a busy machine
    c.Run.fence = c.Judge.fence = fence = sandbox and not jail.works()
    if fence:
        write_kernel(folder, seconds, memory)
        here = str(folder / "jupyter")
        known = os.environ.get("JUPYTER_PATH", "")
        if here not in known.split(os.pathsep):
            os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [here, known]))
        c.Run.kernel_name = kernel.NAME
        return
    if "autograde" in sys.argv or any("autograde" in word for word in sys.argv[:1]):
        why = jail.works() if sandbox else "sandbox=False stands in nbgrader_config.py"
        if any(each.get("hidden") for each in assignments(folder).values()):
            raise SystemExit(
                f"An assignment of {folder} was made with --hidden, and the sandbox does not work: {why}. Without it "
                "an answer can be read, and a mark forged. Linux: apt install bubblewrap."
            )
        print(jail.WARNING.format(why=why), file=sys.stderr)


def assignments(folder: Path) -> dict[str, dict]:
    """How each assignment is graded, as `make_assignment.py` wrote it; empty if there is none yet."""
    path = folder / "assignments.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_kernel(folder: Path, seconds: float, memory: float) -> Path:
    """The description of the kernel `grading`, below the course folder, so that nothing is installed elsewhere."""
    path = folder / "jupyter" / "kernels" / kernel.NAME / "kernel.json"
    words = [sys.executable, kernel.__file__, "{connection_file}", "--seconds", str(seconds), "--memory", str(memory)]
    # An interrupt is a message: a signal would end the sandbox.
    text = json.dumps(
        {"argv": words, "display_name": "grading (sandbox)", "language": "python", "interrupt_mode": "message"},
        indent=1,
    )
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path
