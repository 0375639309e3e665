"""Memory groups of the kernel (cgroups): what the processes in one hold together cannot exceed its limit.

For machines without systemd, such as containers; with it, systemd makes these groups. Version 1 is the controller
`memory` in a hierarchy of its own, version 2 one hierarchy for all. A process that would exceed the limit is ended by
the kernel: the largest of the group, which is the kernel of a notebook and not the server. Source: the pages
admin-guide/cgroup-v1/memory and admin-guide/cgroup-v2 of the documentation of Linux.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

OURS = "course-hub"  # the group that holds one group for each learner
# Files of a group with its limit, and of memory and swap together (version 1) or of swap alone (version 2).
FILES = {1: ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"), 2: ("memory.max", "memory.swap.max")}
PATIENCE = 10.0  # seconds, until the kernel has ended all processes of a group


@dataclass(frozen=True)
class Groups:
    """Where groups can be made: the folder, and the version of the kernel's interface."""

    folder: Path
    version: int

    def make(self, name: str, limit: int) -> Path:
        """A group with a limit in bytes. A group that is there from before gets the new limit.

        Raises:
            OSError: the kernel refuses it.
        """
        group = self.folder / name
        group.mkdir(parents=True, exist_ok=True)
        memory, swap = (group / file for file in FILES[self.version])
        if self.version == 1 and swap.exists():
            swap.write_text("-1")  # memory alone may never be allowed more than both together
        memory.write_text(str(limit))
        if swap.exists():
            swap.write_text(str(limit if self.version == 1 else 0))
        return group


def find(mounts: str | None = None) -> tuple[Groups | None, str]:
    """Where this process may make memory groups; without such a place None, and the reason in words.

    Args:
        mounts: the text of /proc/mounts, if it is not that of this machine.
    """
    mounts = Path("/proc/mounts").read_text(encoding="utf-8") if mounts is None else mounts
    why = "this system has no memory groups (cgroups)"
    for line in mounts.splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup" and "memory" in options.split(","):
            version = 1
        elif kind == "cgroup2" and "memory" in _words(Path(place, "cgroup.controllers")):
            version = 2
        else:
            continue
        try:
            folder = Path(place, OURS)
            folder.mkdir(exist_ok=True)
            if version == 2:
                for each in (Path(place), folder):
                    if "memory" not in _words(each / "cgroup.subtree_control"):
                        (each / "cgroup.subtree_control").write_text("+memory")
            return Groups(folder, version), ""
        except OSError as error:
            why = f"no memory group can be made in {place} ({error.strerror})"
    return None, why


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:
        return []


def enter(group: Path) -> None:
    """Put this process, and all that it starts from now on, into a group."""
    (group / "cgroup.procs").write_text("0")


def close(group: Path) -> None:
    """End what still runs in a group, and remove it. One that is gone already is no mistake."""
    end = time.monotonic() + PATIENCE
    while group.is_dir() and time.monotonic() < end:
        for pid in _words(group / "cgroup.procs"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(OSError):  # busy as long as a process is in it
            group.rmdir()
            return
        time.sleep(0.05)
