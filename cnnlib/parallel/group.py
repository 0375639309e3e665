"""Worker processes that train one network together, watched by the process that started them (lesson 17)."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnnlib import runtime

# One thread for each worker: what one of them leaves idle, another could not use anyway if all are equal.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
PATIENCE = 30.0  # seconds for the others to notice that one is gone


class WorkerError(RuntimeError):
    """A worker does not start, or dies again and again; the message has its last words."""


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a process that a lesson starts: the same backend, and offline if this process is."""
    from cnnlib.network import blocked

    env = {**os.environ, "KERAS_BACKEND": runtime.backend(), "PYTHONPATH": _own_path(), "CNNLIB_STATIC": "1", **more}
    env["CNNLIB_PROGRESS"] = "off"
    if blocked():
        env["CNNLIB_OFFLINE"] = "1"
    return env


def _own_path() -> str:
    """Where this package is, before whatever the environment names: the kernel's folder is not the checkout."""
    here = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))


@dataclass
class Training:
    """What a group's training gave.

    Attributes:
        weights: for each worker all trainable weights at the end, (n,).
        losses: of each step the mean over the workers' shards, (steps,).
        computed, exchanged: seconds of each step, of the slowest worker, (steps,).
        sent: bytes that the first worker sent.
        log: what happened, in order, as text.
    """

    weights: list[np.ndarray]
    losses: np.ndarray
    computed: np.ndarray
    exchanged: np.ndarray
    sent: int
    log: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Of a step: the median over the steps of computing and exchanging."""
        return float(np.median(self.computed + self.exchanged))


class Group:
    """Processes that train a small convolutional network together, each with one thread and NumPy alone.

    They start when the group is entered, and end when it is left::

        with Group(2) as group:
            alone = group.train(20, workers=1)
            together = group.train(20)

    Args:
        workers: how many processes.
        batch: examples of a step, all workers together.
        seed: of weights and batches; that of `runtime.setup` if not given.
        restarts: how often a dead worker is replaced, all of them together.
    """

    def __init__(self, workers: int = 2, batch: int = 256, seed: int | None = None, restarts: int = 3):
        if workers < 1 or batch < workers:
            raise ValueError(f"{workers} workers and a batch of {batch}: expected 1 worker or more, an example each.")
        self.workers, self.batch, self.restarts = workers, batch, restarts
        self.seed = runtime.seed() if seed is None else seed
        self._key = secrets.token_hex(16)
        self._events: queue.Queue = queue.Queue()
        self._members: list[_Process] = []
        self._folder = tempfile.TemporaryDirectory(prefix="group-", ignore_cleanup_errors=True)

    def __enter__(self) -> Group:
        return self.start()

    def __exit__(self, *_) -> None:
        self.close()

    def start(self) -> Group:
        """Start the workers, which takes some seconds; `close` ends them.

        Raises:
            WorkerError: one does not start.
        """
        self._members = [self._start(rank) for rank in range(self.workers)]
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End all workers, whatever they do, and throw the saves of no named folder away."""
        for member in self._members:
            member.end()
        self._members = []
        self._folder.cleanup()

    @property
    def processes(self) -> list[int]:
        """The process of each worker."""
        return [member.process.pid for member in self._members]

    def train(
        self,
        steps: int,
        workers: int | None = None,
        save: int = 0,
        kill: tuple[int, int] | None = None,
        resume: int | None = None,
        forget: Sequence[str] = (),
        folder: str | Path | None = None,
    ) -> Training:
        """Train from the first weights, or from a save, on the same batches whatever the number of workers.

        Args:
            steps: of the whole run.
            workers: how many take part; all if not given. The others wait.
            save: the first worker saves weights, momentum and step after so many steps each; 0 for never.
            kill: a pair (rank, step): that worker is killed, as by ``kill -9``, after that step.
            resume: the step of the save to go on from.
            forget: of a save leave out "momentum", or "order": the place in the data.
            folder: where saves are; one that is thrown away with the group if not given.

        Raises:
            WorkerError: a worker died more often than `restarts` allows.
            ValueError: numbers that do not fit.
        """
        if not self._members:
            raise WorkerError("the group has no workers: start it first, as in `with Group(2) as group:`")
        workers = self.workers if workers is None else workers
        if not 1 <= workers <= self.workers or steps < 1:
            raise ValueError(f"{steps} steps with {workers} workers: expected 1 step or more, 1 to {self.workers}.")
        if kill and not (0 <= kill[0] < workers and 1 <= kill[1] <= steps):
            raise ValueError(f"kill={kill}: expected a rank below {workers} and a step of 1 to {steps}.")
        folder = Path(folder or tempfile.mkdtemp(dir=self._folder.name))
        folder.mkdir(parents=True, exist_ok=True)
        job = {"steps": steps, "workers": workers, "save": save, "folder": str(folder), "forget": list(forget)}
        return _Run(self, job, kill).until_done(resume)

    def _start(self, rank: int) -> _Process:
        return _Process(rank, {"seed": self.seed, "batch": self.batch}, self._key, self._events)

    def _replace(self, rank: int) -> None:
        if self.restarts < 1:
            raise WorkerError(f"worker {rank} died, and no restart is left. Its last words: {self._last(rank)}")
        self.restarts -= 1
        self._members[rank].end()
        self._members[rank] = self._start(rank)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        while not all(member.port for member in self._members):
            member, event = self._events.get(timeout=300)
            if member not in self._members:
                continue  # of one that was replaced
            if event["event"] == "ready":
                member.port, member.seconds = event["port"], event["seconds"]
            elif event["event"] == "gone":
                raise WorkerError(f"worker {member.rank} does not start. Its last words: {self._last(member.rank)}")

    def _last(self, rank: int) -> str:
        return self._members[rank].last_words() or "none"


class _Process:
    """One worker: its process, and a thread that puts its events into the common queue."""

    def __init__(self, rank: int, setting: dict, key: str, events: queue.Queue):
        self.rank, self.port, self.seconds = rank, 0, 0.0
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115
        env = child_environment(**ONE_THREAD, CNNLIB_GROUP_KEY=key)
        command = [sys.executable, "-m", "cnnlib.parallel.worker"]
        self.process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._noise, text=True
        )
        threading.Thread(target=self._listen, args=(events,), daemon=True).start()
        self.tell(setting)

    def _listen(self, events: queue.Queue) -> None:
        for line in self.process.stdout:
            try:
                events.put((self, json.loads(line)))
            except ValueError:  # a line that was cut short
                break
        events.put((self, {"event": "gone"}))

    def tell(self, job: dict) -> None:
        with contextlib.suppress(OSError):  # it may be gone, which its event says too
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()

    def last_words(self) -> str:
        self._noise.seek(0)
        lines = self._noise.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._noise):
            with contextlib.suppress(OSError):
                stream.close()


class _Run:
    """One training of a group: from the first job to the last worker that is done."""

    def __init__(self, group: Group, job: dict, kill: tuple[int, int] | None):
        self.group, self.job, self.kill = group, job, kill
        self.members = group._members[: job["workers"]]
        self.log: list[str] = []
        self.steps: dict[int, dict[int, dict]] = {}  # step -> rank -> event
        self.sent = 0

    def until_done(self, resume: int | None) -> Training:
        while not self._attempt(resume):
            resume = self._newest_save()
            self.log.append(f"go on from step {resume or 0}")
        folder = Path(self.job["folder"])
        weights = []
        for rank in range(self.job["workers"]):
            with np.load(folder / f"weights-{rank}.npz") as file:
                weights.append(file["weights"])
        numbers = sorted(self.steps)
        events = [list(self.steps[number].values()) for number in numbers]

        def table(name: str, combine) -> np.ndarray:
            return np.array([combine([event[name] for event in each]) for each in events])

        return Training(
            weights,
            table("loss", np.mean),
            table("computed", max),
            table("exchanged", max),
            self.sent,
            self.log,
        )

    def _attempt(self, resume: int | None) -> bool:
        """Run the job once; whether it came to its end. A worker that dies is replaced, and the others break off."""
        group, workers = self.group, self.job["workers"]
        self.members = group._members[:workers]
        for rank, member in enumerate(self.members):
            hold = self.kill[1] if self.kill and self.kill[0] == rank else 0
            right = self.members[(rank + 1) % workers].port
            member.tell({**self.job, "rank": rank, "right": right, "resume": resume, "hold": hold})
        waiting, dead, broken = set(range(workers)), set(), set()
        while waiting:
            try:
                member, event = group._events.get(timeout=PATIENCE if dead else 600)
            except queue.Empty:  # they wait for one that is dead
                for rank in waiting:
                    self.members[rank].process.kill()
                continue
            if member not in self.members:
                continue
            kind, rank = event["event"], member.rank
            if kind == "step":
                self.steps.setdefault(event["step"], {})[rank] = event
                if (rank, event["step"]) == self.kill:
                    self.log.append(f"worker {rank} is killed after step {event['step']}")
                    self.kill = None
                    member.process.kill()
            elif kind in ("gone", "broken", "done"):
                {"gone": dead, "broken": broken, "done": set()}[kind].add(rank)
                self.sent = event["sent"] if kind == "done" and rank == 0 else self.sent
                waiting.discard(rank)
        self.log += [f"worker {rank} has lost its neighbour" for rank in sorted(broken)]
        for rank in sorted(dead):
            group._replace(rank)
            self.log.append(f"a new worker {rank} has started")
        if broken and not dead:
            raise WorkerError(f"workers {sorted(broken)} have lost each other, and none is dead")
        return not dead

    def _newest_save(self) -> int | None:
        saves = sorted(Path(self.job["folder"]).glob("save-*.npz"))
        return int(saves[-1].stem[5:]) if saves else None
