"""The kernel `grading`: IPython in the sandbox of the grader, for `nbgrader autograde`.

    python kernel.py CONNECTION_FILE [--seconds S] [--memory GB]

The notebook runs where it sees Python, the course with its checks, a copy of what the learner handed in, and no
network, no other submission, no gradebook. It is reached by sockets in the folder of the connection file, which nothing
else uses.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "teaching"), str(ROOT)]

from grading import jail  # noqa: E402
from grading.jail import Jail, Limits, Place  # noqa: E402

NAME = "grading"
# A copy that may be written to: a link among the files of a learner must lead nowhere when nbgrader writes its results.
_START = (
    "mkdir /tmp/work && cd /submitted && find . -type d -exec mkdir -p /tmp/work/{} ';' && "
    "find . -type f -size -65536k ! -name '*.ipynb' -exec cp {} /tmp/work/{} ';'; cd /tmp/work && exec \"$@\""
)


class KernelJail(Jail):
    """A kernel in the sandbox instead of the grader's own program.

    Args:
        place: what it sees of the course.
        limits: `all` seconds by the clock for the notebook, and memory.
        connection: the connection file, in a folder of its own.
        submitted: the folder of what the learner handed in.
    """

    def __init__(self, place: Place, limits: Limits, connection: Path, submitted: Path):
        super().__init__(place, limits, with_key=True)
        self.connection, self.submitted = connection, submitted

    def words(self) -> list[str]:
        """What is started: bubblewrap and the kernel."""
        folder = str(self.connection.parent)
        more = ["--bind", folder, folder, "--ro-bind", str(self.submitted), "/submitted"]
        kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", str(self.connection)]
        settings = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "NBGRADER_EXECUTION": "autograde"}
        return jail.command(self.place, True, ["/bin/sh", "-c", _START, "sh", *kernel], more, settings)

    def __enter__(self) -> KernelJail:
        self._begun = time.monotonic()
        self._process = subprocess.Popen(
            self.words(), cwd="/", env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=jail._lower(self.limits),
        )  # fmt: skip
        self._begin_to_watch()
        return self

    def wait(self) -> str:
        """Wait for the end of the kernel; why it was ended, empty if it ended by itself."""
        try:
            self._process.wait(self.limits.all)
        except subprocess.TimeoutExpired:
            self.end(f"the notebook took more than {self.limits.all:.0f} s")
        return self.why


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("connection", type=Path)
    parser.add_argument("--seconds", type=float, default=Limits.all)
    parser.add_argument("--memory", type=float, default=4.0, help="GB")
    options = parser.parse_args()
    why = jail.works()
    if why:
        print(f"the kernel '{NAME}' needs bubblewrap, and it does not work here: {why}", file=sys.stderr)
        return 1
    limits = Limits(all=options.seconds, memory=int(options.memory * 1024**3))
    with KernelJail(Place(ROOT), limits, options.connection.resolve(), Path(os.getcwd())) as kernel:
        why = kernel.wait()
    if why:
        print(f"kernel ended: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
