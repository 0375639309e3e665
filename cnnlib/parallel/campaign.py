"""Many commands on many processors: what fails or is killed runs again, and a second start goes on (lesson 17).

A *unit* is a command whose last printed line is JSON. A campaign runs each until it has come to its end once, and adds
one line to a file, its *ledger*, for each that has. By default the units run on this machine, by processes and nothing
else. With an address they run on a cluster, by Dask: workers need a checkout of the same state, and to know the
address. Work is handed out by the scheduler, and only this process writes the ledger, each unit once.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

PYTHON = "{python}"  # in a command: the Python of whoever runs it
INSTALL = 'python -m pip install "distributed>=2025.1"'


class CampaignError(RuntimeError):
    """A campaign cannot begin or go on; the message says what to do."""


# --- the ledger -------------------------------------------------------------------------------------------------------


class Ledger:
    """A file with one JSON object a line, to which one process at a time adds whole lines.

    A line is on the disk before the next unit counts. If the machine dies while one is written, its torn end is no
    line: it is taken away when the ledger is next opened for writing, and its unit is missing.

    Args:
        path: of the file; made with its folder if it is not there.
        stamp: what the results belong to, as a commit. A ledger of another stamp is refused.
    """

    def __init__(self, path: str | Path, stamp: str = ""):
        self.path, self.stamp = Path(path), stamp
        self._file: int | None = None
        self._lock = None

    def read(self) -> list[dict[str, Any]]:
        """All whole lines, the head left out.

        Raises:
            CampaignError: it belongs to another stamp, or a line in its middle is no JSON.
        """
        text = self.path.read_bytes() if self.path.exists() else b""
        lines = text[: text.rfind(b"\n") + 1].decode("utf-8").splitlines()
        try:
            records = [json.loads(line) for line in lines]
        except ValueError as error:
            raise CampaignError(f"{self.path.name} is damaged ({error}). Move it away, and start again.") from None
        if records and records[0].get("stamp") != self.stamp:
            raise CampaignError(
                f"{self.path.name} holds results of {records[0].get('stamp')!r}, this is {self.stamp!r}: they would be "
                "mixed. Start afresh (--fresh), or go back to that state."
            )
        return records[1:]

    def __enter__(self) -> Ledger:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path.with_name(self.path.name + ".lock"))
        try:
            self.read()  # refuses what does not fit before anything is changed
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            text = self.path.read_bytes()
            os.ftruncate(self._file, text.rfind(b"\n") + 1)
            os.lseek(self._file, 0, os.SEEK_END)
            if b"\n" not in text:
                self.add({"stamp": self.stamp, "begun": time.strftime("%Y-%m-%d %H:%M:%S")})
        except BaseException:
            self.__exit__()
            raise
        return self

    def add(self, record: Mapping[str, Any]) -> None:
        """Write one line, and wait until the disk has it."""
        line = json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n"
        written = os.write(self._file, line)
        if written != len(line):
            raise CampaignError(
                f"{self.path.name}: only {written} of {len(line)} bytes were written. Is the disk full?"
            )
        os.fsync(self._file)

    def __exit__(self, *_) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None
        if self._lock is not None:
            self._lock.close()  # the system lets the lock go, also of a process that was killed


def _locked(path: Path):
    """The open file that holds the lock; CampaignError if another process has it."""
    file = open(path, "a+b")  # noqa: SIM115
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise CampaignError(
            f"another process is running this campaign (it holds {path.name}). Wait for it, or end it first."
        ) from None
    return file


# --- the campaign -----------------------------------------------------------------------------------------------------


class Campaign:
    """Units, and the ledger of those that are done.

    Args:
        units: name -> command, a list of words. ``"{python}"`` stands for the Python of whoever runs it.
        ledger: the file of results.
        stamp: what the results belong to; see `Ledger`.
        attempts: how often a unit is tried in one start before it counts as failed; the next start tries it again.
        timeout: seconds for one attempt; None for as long as it takes.
        folder: where the commands run; on a cluster, the folder in which the worker was started.
    """

    def __init__(
        self,
        units: Mapping[str, Sequence[str]],
        ledger: str | Path,
        stamp: str = "",
        attempts: int = 3,
        timeout: float | None = None,
        folder: str | Path | None = None,
    ):
        if not units or attempts < 1:
            raise ValueError(f"{len(units)} units and {attempts} attempts: expected one of each or more.")
        self.units = {name: list(map(str, command)) for name, command in units.items()}
        self.ledger = Ledger(ledger, stamp)
        self.attempts, self.timeout, self.folder = attempts, timeout, folder

    @property
    def done(self) -> dict[str, dict[str, Any]]:
        """Name -> record of the units that have come to their end."""
        records = self.ledger.read()
        return {r["unit"]: r for r in records if r["status"] == "done" and r["unit"] in self.units}

    @property
    def failed(self) -> dict[str, dict[str, Any]]:
        """Name -> last record of the units that failed and are not done."""
        done = self.done
        records = self.ledger.read()
        return {r["unit"]: r for r in records if r["unit"] in self.units and r["unit"] not in done}

    @property
    def missing(self) -> list[str]:
        """Names of the units that are to be run, in order."""
        done = self.done
        return [name for name in self.units if name not in done]

    def run(
        self,
        workers: int | None = None,
        address: str | None = None,
        tell: Callable[[dict[str, Any]], None] = lambda record: None,
        limit: int | None = None,
    ) -> list[str]:
        """Run what is missing; return what is missing afterwards.

        Args:
            workers: how many units run at a time on this machine; as many as it has cores if not given.
            address: of a Dask scheduler, ``"tcp://host:8786"``; then its workers do the work.
            tell: called with each record as it is written.
            limit: stop after so many records, as if this process had ended.

        Raises:
            CampaignError: another process runs this campaign, Dask is not installed, or the scheduler is gone.
        """
        with self.ledger:
            names = self.missing
            if not names:
                return []
            runner = _Cluster(address) if address else _Here(workers or os.cpu_count() or 1, self.folder)
            try:
                self._run(names, runner, tell, limit)
            finally:
                runner.close()
        return self.missing

    def _run(self, names: Iterable[str], runner, tell: Callable, limit: int | None) -> None:
        tries = dict.fromkeys(names, 1)
        written = 0
        for name in tries:
            runner.submit(name, self.units[name], self.timeout)
        for name, record in runner.results():
            if record["status"] != "done" and tries[name] < self.attempts:
                tell({"unit": name, **record, "status": "again", "attempt": tries[name]})
                tries[name] += 1
                runner.submit(name, self.units[name], self.timeout)
                continue
            record = {"unit": name, "attempt": tries[name], **record}
            self.ledger.add(record)
            tell(record)
            written += 1
            if limit is not None and written >= limit:
                return

    def table(self) -> str:
        """One line for each unit that is not done, and how many are."""
        done, failed, missing = self.done, self.failed, self.missing
        lines = [f"{len(done)} of {len(self.units)} units are done, {len(missing)} are missing"]
        lines += [f"  {name}: {failed[name]['error'] if name in failed else 'not run yet'}" for name in missing]
        return "\n".join(lines)


# --- one unit, wherever it runs ---------------------------------------------------------------------------------------


def execute(command: Sequence[str], timeout: float | None, folder: str | None, keep: Callable | None = None) -> dict:
    """Run a command to its end; a record with what its last line says, or with how it failed.

    It runs inside ``cnnlib.parallel.unit``, so that it ends with the process that calls this.
    """
    words = [sys.executable if word == PYTHON else word for word in command]
    where = f"{platform.node()}, process {os.getpid()}"
    begun = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnlib.parallel.unit", *words],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if keep:
        keep(process)
    try:
        # The pipe of its standard input stays open until it ends: communicate would close it.
        said, noise = [], []
        readers = [
            threading.Thread(target=lambda: said.append(process.stdout.read()), daemon=True),
            threading.Thread(target=lambda: noise.append(process.stderr.read()), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            status = process.wait(timeout)
            error = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            error = f"ran for more than {timeout:g} s"
            process.stdin.close()  # its command goes with it
            process.wait()
        for reader in readers:
            reader.join()
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
    record = {"seconds": round(time.time() - begun, 2), "where": where}
    if not error:
        try:
            return {"status": "done", "value": json.loads(said[0].strip().splitlines()[-1]), **record}
        except (IndexError, ValueError):
            error = "its last line is no JSON"
    last = " / ".join(noise[0].strip().splitlines()[-3:])
    return {"status": "failed", "error": f"{error}. Its last words: {last or 'none'}", **record}


class _Here:
    """Processes of this machine, so many at a time."""

    def __init__(self, workers: int, folder: str | Path | None):
        self._pool = ThreadPoolExecutor(workers)
        self._folder = str(folder or _checkout())
        self._running: set[subprocess.Popen] = set()
        self._futures: dict = {}
        self._ended = False

    def submit(self, name: str, command: Sequence[str], timeout: float | None) -> None:
        self._futures[self._pool.submit(self._execute, command, timeout)] = name

    def _execute(self, command: Sequence[str], timeout: float | None) -> dict:
        if self._ended:
            return {"status": "failed", "error": "the campaign has ended"}
        return execute(command, timeout, self._folder, self._running.add)

    def results(self):
        while self._futures:
            ready, _ = wait(self._futures, return_when=FIRST_COMPLETED)
            for future in ready:
                yield self._futures.pop(future), future.result()

    def close(self) -> None:
        self._ended = True
        for process in list(self._running):
            if process.poll() is None:
                with contextlib.suppress(OSError):
                    process.stdin.close()  # the end of its command, and of itself
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Cluster:
    """Workers of a Dask scheduler. A unit whose worker dies is given to another by the scheduler."""

    def __init__(self, address: str):
        try:
            import cloudpickle
            from distributed import Client
        except ImportError as error:
            raise CampaignError(f"a campaign on a cluster needs Dask, which is not installed: {INSTALL}") from error
        try:
            self._client = Client(address, set_as_default=False, timeout="20s")
        except (OSError, ValueError) as error:
            raise CampaignError(
                f"no scheduler answers at {address!r} ({error}). Is it running (dask scheduler), and its port open?"
            ) from None
        cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers need the checkout, not this module
        self._futures: dict = {}
        self._again: list = []
        self._count = 0

    def submit(self, name: str, command: Sequence[str], timeout: float | None) -> None:
        self._count += 1
        key = f"{name} #{self._count}-{os.getpid()}-{time.time():.0f}"
        future = self._client.submit(execute, command, timeout, None, key=key, pure=False)
        self._futures[future] = name
        self._again.append(future)

    def results(self):
        from distributed import CancelledError, KilledWorker, as_completed

        finished = as_completed(loop=self._client.loop)
        while True:
            for future in self._again:
                finished.add(future)
            self._again.clear()
            if not self._futures:
                return
            future = next(finished)
            name = self._futures.pop(future)
            try:
                record = future.result()
            except KilledWorker as error:
                record = {"status": "failed", "error": f"its workers died: {error}"}
            except (CancelledError, OSError) as error:
                raise CampaignError(f"the scheduler is gone ({error}). Start it and the campaign again.") from None
            except Exception as error:  # of the worker's own set-up: no checkout, another Python
                record = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
            yield name, record

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.cancel(list(self._futures))
        self._client.close()


def _checkout() -> Path:
    return Path(__file__).resolve().parents[2]
