"""The sandbox: a process that sees Python, the course without its answers, an empty folder, and no network.

Bubblewrap makes it (Linux; `apt install bubblewrap`). Nothing of the machine is there but what `command` names. Time,
memory and the number of processes are watched from outside; whoever goes beyond is ended with all that it started.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from . import wire

INSIDE = Path(__file__).parent
WARNING = (
    "NO SANDBOX: bubblewrap does not work here ({why}), so submissions run with your rights. They can read other "
    "learners' work, the marks and the answers, and use the network."
)
_PROCESSES = 64
_DISK = 512 * 1024**2
_kill = os.kill  # the engine's own sandbox replaces it while it is open


@dataclass(frozen=True)
class Place:
    """What of the course a submission may see.

    Args:
        root: the folder of the course.
        shown: what of it is there, as paths within it.
        key: what is hidden of that: empty folders stand in the place of the answers.
        engine: the name of the package of exercises.
        empty: folders that are there, and empty.
        prelude: Python code that runs before the learner's.
    """

    root: Path
    shown: tuple[str, ...] = ("cnnlib", "data")
    key: tuple[str, ...] = ("cnnlib/checks", "solutions")
    engine: str = "cnnlib.exercises"
    prelude: str = "from cnnlib import runtime; runtime.setup()"
    more: tuple[str, ...] = field(default=())  # folders outside that are there, read-only


@dataclass(frozen=True)
class Limits:
    """Of one submission: seconds by the clock for its cells, for one call, and for all; bytes of memory."""

    cells: float = 300.0
    call: float = 60.0
    all: float = 1200.0
    memory: int = 4 * 1024**3


class Ended(RuntimeError):
    """The process in the sandbox is gone; the message says why."""


@functools.cache
def works() -> str:
    """Why bubblewrap does not work here; empty if it does."""
    found = shutil.which("bwrap")
    if found is None:
        return "it is not installed"
    # Without --disable-userns, which older releases lack, all else holds as well.
    done = subprocess.run([*_fence(found), "/bin/true"], capture_output=True, text=True, timeout=60)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]


def _fence(bwrap: str) -> list[str]:
    words = [bwrap, "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    words += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"]
    words += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    for name in ("lib", "lib64", "lib32", "bin", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for path in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/alternatives", "/etc/fonts"):
        words += ["--ro-bind-try", path, path]
    return [*words, "--size", str(_DISK), "--tmpfs", "/tmp"]


def command(
    place: Place,
    with_key: bool,
    program: Sequence[str] = (sys.executable, "/grading/child.py"),
    more: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> list[str]:
    """The words that start a process inside: bubblewrap, what it shows, and the program.

    Args:
        place: what of the course is there.
        with_key: the answers are there as well.
        program: what runs, by its path inside.
        more: further words to bubblewrap: what else is there.
        settings: environment variables beside those of `environment`.
    """
    words = _fence(shutil.which("bwrap") or "bwrap")
    prefixes = dict.fromkeys(str(Path(each)) for each in (sys.base_prefix, sys.prefix, *place.more))
    for prefix in prefixes:
        if not Path(prefix).is_relative_to("/usr") or prefix.startswith("/usr/local"):
            words += ["--ro-bind", prefix, prefix]
    packages = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    own = {Path(each).parts[0] for each in place.shown}
    for folder in packages:  # a copy of the course that is installed among the libraries has its answers, too
        words += [word for name in own if (folder / name).is_dir() for word in ("--tmpfs", str(folder / name))]
    for name in place.shown:
        words += ["--ro-bind", str(place.root / name), f"/course/{name}"]
    for name in place.key:
        if with_key and (place.root / name).exists():
            words += ["--ro-bind", str(place.root / name), f"/course/{name}"]
        elif (place.root / name).exists():
            words += ["--size", "4096", "--tmpfs", f"/course/{name}"]
    for name in ("child.py", "wire.py"):
        words += ["--ro-bind", str(INSIDE / name), f"/grading/{name}"]
    words += [*more, "--remount-ro", "/"]
    for name, value in environment("/course", "/grading", **(settings or {})).items():
        words += ["--setenv", name, value]
    return [*words, "--chdir", "/tmp", *program]


def environment(course: str, inside: str, **more: str) -> dict[str, str]:
    """All that the process has of an environment."""
    return {
        "PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{course}:{inside}", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "CNNLIB_OFFLINE": "1", "CNNLIB_STATIC": "1",
        "CNNLIB_PROGRESS": "off", "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "tensorflow"), **more,
    }  # fmt: skip


class Jail:
    """One process in the sandbox, started when it is first asked, and what it may take.

    Args:
        place: what it sees of the course.
        limits: of time and memory.
        with_key: the answers lie in it as well: what it says of an answer can be forged.
        fence: with bubblewrap; without it the process has the rights of whoever grades.
        settings: environment variables beside those of `environment`.
    """

    def __init__(
        self,
        place: Place,
        limits: Limits,
        with_key: bool = False,
        fence: bool = True,
        settings: Mapping[str, str] | None = None,
    ):
        self.place, self.limits, self.with_key, self.fence = place, limits, with_key, fence
        self.settings = dict(settings or {})
        self.why = ""  # it was ended
        self.asked = 0  # so many things
        self.peak = 0
        self._process: subprocess.Popen | None = None
        self._folder: str | None = None

    def __enter__(self) -> Jail:
        self._begun = time.monotonic()
        if self.fence:
            words = command(self.place, self.with_key, settings=self.settings)
            env, cwd = {"PATH": "/usr/bin:/bin"}, "/"
        else:
            self._folder = cwd = tempfile.mkdtemp(prefix="submission-")
            words = [sys.executable, str(INSIDE / "child.py")]
            env = environment(str(self.place.root), str(INSIDE), HOME=cwd, **self.settings)
        self._process = subprocess.Popen(
            words, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=_lower(self.limits),
        )  # fmt: skip
        os.set_blocking(self._process.stdin.fileno(), False)
        self._held = b""
        self._begin_to_watch()
        return self

    def _begin_to_watch(self) -> None:
        self._finish = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def ask(self, seconds: float, **asked: Any) -> dict[str, Any]:
        """Hand over one JSON object, wait for one.

        Raises:
            Ended: the process is gone, or did not answer in time, or with something else.
        """
        if self.why:
            raise Ended(self.why)
        end = min(time.monotonic() + seconds, self._begun + self.limits.all)
        number, self.asked = self.asked, self.asked + 1
        try:
            self._send(json.dumps(asked).encode() + b"\n", end)
            reply = json.loads(self._receive(end))
            if not isinstance(reply, dict):
                raise ValueError
            if reply.pop("number", None) == number:
                return reply
            self.end("it answered another question than the one asked, as a process does that has copied itself")
        except TimeoutError:
            self.end(f"it did not come to an end in {seconds:.0f} s")
        except (OSError, EOFError):
            self._process_ended()
        except (ValueError, RecursionError):
            self.end("it sent what is no answer")
        raise Ended(self.why)

    def _send(self, data: bytes, end: float) -> None:
        pipe, view = self._process.stdin.fileno(), memoryview(data)
        while view:
            _, ready, _ = select.select([], [pipe], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            view = view[os.write(pipe, view) :]

    def _receive(self, end: float) -> bytes:
        pipe, parts = self._process.stdout.fileno(), [self._held]
        size = len(self._held)
        while b"\n" not in parts[-1]:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(pipe, 1 << 20)
            if not part:
                raise EOFError
            parts.append(part)
            size += len(part)
            if size > wire.MOST_BYTES:
                raise ValueError
        line, _, self._held = b"".join(parts).partition(b"\n")
        return line

    def _process_ended(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self.end("it ended by itself")

    def _watch(self) -> None:
        while not self._finish.wait(0.1):
            try:
                top = psutil.Process(self._process.pid)
                family = [top, *top.children(recursive=True)]
            except psutil.Error:
                return
            memory = 0
            for each in family:
                with contextlib.suppress(psutil.Error):
                    memory += each.memory_info().rss
            self.peak = max(self.peak, memory)
            if memory > self.limits.memory:
                return self.end(f"it took more than {self.limits.memory / 1024**3:.1f} GB of memory")
            if len(family) > _PROCESSES:
                return self.end(f"it started more than {_PROCESSES} processes")

    def end(self, why: str) -> None:
        """End the process and all that it started; the first reason is kept."""
        self.why = self.why or why
        if self._process is None:
            return
        family = []
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self._process.pid).children(recursive=True)
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL) if not self.fence else _kill(self._process.pid, signal.SIGKILL)
        for each in family:
            with contextlib.suppress(psutil.Error, OSError):
                _kill(each.pid, signal.SIGKILL)

    def __exit__(self, *error: object) -> None:
        self._finish.set()
        self.end("it was done")
        self._process.wait()
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):  # a kernel is reached without
            with contextlib.suppress(OSError):
                pipe.close()
        self._watcher.join(5)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _lower(limits: Limits) -> Any:
    """What the process may take at most, by the system; memory of addresses is generous, since libraries reserve it."""

    def lower() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_DISK, _DISK))
        most = limits.memory + 24 * 1024**3
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        seconds = int(limits.all * 2) + 10
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    return lower
