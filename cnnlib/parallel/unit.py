"""Run a command that ends when the process that asked for it ends: ``python -m cnnlib.parallel.unit COMMAND ...``.

Whoever starts this keeps its standard input open. If that process is killed, the system closes the pipe, and the
command goes too, with all that it started: nobody is left who computes for nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    if not command:
        print("usage: python -m cnnlib.parallel.unit COMMAND ...", file=sys.stderr)
        return 2
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=os.name == "posix")

    def end() -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()

    def watch() -> None:
        while os.read(0, 1024):
            pass
        end()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
