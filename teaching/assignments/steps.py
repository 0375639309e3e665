"""The steps that nbgrader takes for this course when it grades: mend, run in the sandbox, judge outside of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from grading import submissions, unit
from grading.jail import Limits, Place
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Bool, Float, Unicode
from traitlets.config import Config

from cnnlib.exercises import course

from . import mend
from .convert import checked_exercise

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENTS = "assignments.json"


def asked_of(folder: str, resources: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The source notebook of what is graded, and how its assignment is graded.

    Raises:
        FileNotFoundError: the assignment does not come from this course's converter.
    """
    told = resources["nbgrader"]
    path = Path(folder) / "source" / told["assignment"] / f"{told['notebook']}.ipynb"
    settings = json.loads((Path(folder) / ASSIGNMENTS).read_text(encoding="utf-8")).get(told["assignment"])
    if settings is None or not path.is_file():
        raise FileNotFoundError(
            f"{path} was not made by teaching/make_assignment.py, or was moved; what is expected of a submission is "
            "not known without it"
        )
    return path, settings


class Mend(NbGraderPreprocessor):
    """Put back what a learner deleted, copied or renamed; before nbgrader's own steps, which stop at some of it."""

    folder = Unicode(help="of the nbgrader course").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        path, _ = asked_of(self.folder, resources)
        for said in mend.mend(nb, nbformat.read(path, 4)):
            self.log.warning("%s: %s", resources["nbgrader"]["student"], said)
        return nb, resources


class Run(Execute):
    """nbgrader's own step, with sockets in a folder of its own; the grading goes on if the kernel ends."""

    fence = Bool(True, help="in the sandbox").tag(config=True)
    _late = 0  # cells in a row that did not come to their end

    def on_cell_executed(self, **kwargs: Any) -> None:
        super().on_cell_executed(**kwargs)
        reply = kwargs["execute_reply"]["content"]
        self._late = self._late + 1 if reply.get("ename") == "CellTimeoutError" else 0
        if self._late == 2:
            raise RuntimeError("a cell could not be interrupted; what stands behind it was not run")

    def preprocess(self, nb: NotebookNode, resources: Any = None, km: Any = None) -> tuple[NotebookNode, dict]:
        self._late = 0
        place = Path(tempfile.mkdtemp(prefix="kernel-"))
        if self.fence:
            manager = {"transport": "ipc", "ip": str(place / "k"), "connection_file": str(place / "connection.json")}
            self.update_config(Config({"KernelManager": manager}))
        try:
            return super().preprocess(nb, resources, km)
        except (DeadKernelError, CellTimeoutError, TimeoutError, RuntimeError) as error:
            self.log.error("%s: the notebook did not come to its end: %s", resources["nbgrader"]["student"], error)
            return nb, resources
        finally:
            shutil.rmtree(place, ignore_errors=True)


class Judge(NbGraderPreprocessor):
    """Decide outside of the kernel what can be decided there; for the rest, believe no silence."""

    folder = Unicode(help="of the nbgrader course").tag(config=True)
    fence = Bool(True, help="in the sandbox").tag(config=True)
    seconds = Float(Limits.all, help="that the answers of one notebook may take, by the clock").tag(config=True)
    memory = Float(4.0, help="GB that one notebook may take").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        path, settings = asked_of(self.folder, resources)
        checks = {id: cell for cell in nb.cells if cell.cell_type == "code" and (id := checked_exercise(cell))}
        if not checks:
            return nb, resources
        lesson = next(iter(checks)).partition(".")[0]
        rules = unit.Rules(
            secret=(Path(self.folder) / "secret").read_text(encoding="utf-8").strip(),
            draws=3,
            hidden=bool(settings.get("hidden")),
            fence=self.fence,
            variants=Path(settings["variants"]) if settings.get("variants") else None,
            limits=Limits(all=self.seconds, memory=int(self.memory * 1024**3)),
        )
        asked = {id: each for id, (each, _) in unit.exercises(lesson, rules).items()}
        outside = {id for id in checks if id in asked and unit.way(asked[id]) == unit.OUTSIDE}
        rows = self._judged(nb, lesson, outside, rules, resources["nbgrader"]["student"]) if outside else {}
        for id, cell in checks.items():
            if id in rows:
                mend.decide(cell, rows[id], id, asked[id].title)
            else:
                mend.settle(cell, mend.says_right(cell, id))
        return nb, resources

    def _judged(self, nb: NotebookNode, lesson: str, ids: set[str], rules: unit.Rules, learner: str) -> dict[str, dict]:
        known = [path.name.partition("_")[0] for path in course.numbered(course.current().lessons_folder())]
        with tempfile.TemporaryDirectory(prefix="judged-") as folder:
            path = Path(folder) / "submitted.ipynb"
            path.write_text(json.dumps(mend.as_learners_see(nb)), encoding="utf-8")
            try:
                submission = submissions.read(learner, path, known)
            except submissions.NotReadable as error:
                return {id: {"outcome": "CRASHED", "says": f"This notebook cannot be judged: {error}"} for id in ids}
        submission.lesson = lesson
        submission.checks = mend.positions(nb)
        return unit.grade(submission, Place(ROOT), rules, only=ids)["exercises"]
