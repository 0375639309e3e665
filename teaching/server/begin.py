"""Start the server of one learner: hand out the notebooks, then become jupyterhub-singleuser.

    python begin.py [arguments of jupyterhub-singleuser]

The hub starts it under the account of the learner, so it can touch only what is theirs. Notebooks are copied to
``~/course/notebooks``; what they link to is linked beside them and read from the shared checkout. A notebook that is
there is never overwritten: when the course has a newer version, that is put beside it, and ``~/course/NEW_VERSIONS.md``
says so. Who deletes or renames a notebook gets it anew at the next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from datetime import date
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
FOLDER = "course"  # in the home of the learner
RECORD = ".handed-out.json"  # in that folder: the checksum of each notebook as it was last handed out
NEWS = "NEW_VERSIONS.md"
LINKED = ("README.md", "docs", "data", "cnnlib", "solutions/capstone_*")  # what notebooks link to
# A path of a socket has at most 107 characters; the sockets of a kernel are named kernel-<36 characters>-ipc-5.
LONGEST = 107 - len("/kernel--ipc-5") - 36


def hand_out(course: Path, folder: Path, today: date | None = None) -> list[str]:
    """Copy the notebooks of a course into a learner's folder; nothing that is there is overwritten.

    Args:
        course: the checkout.
        folder: of the learner; it is made if it is missing, and then nobody else can look into it.
        today: the day that names a newer version; the day of the call if it is not given.

    Returns:
        What the learner should know: one line for each newer version that was put beside an older one.

    Raises:
        OSError: the folder cannot be written; what could not be written completely is not left there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "notebooks").mkdir(mode=0o700, exist_ok=True)
    _link(course, folder)
    record, news = _read(folder / RECORD), []
    before = dict(record)
    try:
        for source in sorted((course / "notebooks").glob("*.ipynb")):
            content = source.read_bytes()
            checksum = hashlib.sha256(content).hexdigest()
            target = folder / "notebooks" / source.name
            if not os.path.lexists(target):
                _write(target, content)
            elif record.get(source.name) != checksum and _checksum(target) != checksum:
                beside = _beside(target, content, today or date.today())
                news.append(f"`{source.name}` has a newer version: `{beside.name}`. Yours was left as it is.")
            record[source.name] = checksum
    finally:
        if record != before:
            _replace(folder / RECORD, json.dumps(record, indent=1) + "\n")
    if news:
        with (folder / NEWS).open("a", encoding="utf-8") as file:
            file.write("".join(f"- {today or date.today()}: {line}\n" for line in news))
    return news


def _link(course: Path, folder: Path) -> None:
    """Link what notebooks refer to. A link that leads nowhere is renewed: the course has moved."""
    for pattern in LINKED:
        for source in sorted(course.glob(pattern)):
            link = folder / source.relative_to(course)
            if link.is_symlink() and not link.exists():
                link.unlink()
            if not os.path.lexists(link):
                link.parent.mkdir(mode=0o700, exist_ok=True)
                link.symlink_to(source)


def _write(target: Path, content: bytes) -> None:
    """Write a file that is not there yet, completely or not at all."""
    with target.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            target.unlink()
            raise


def _beside(target: Path, content: bytes, day: date) -> Path:
    """Write a newer version beside a notebook, under a name that is free; if it lies there already, leave it."""
    number = 1
    while True:
        more = f"-{number}" if number > 1 else ""
        path = target.with_name(f"{target.stem}.{day}{more}.ipynb")
        if not os.path.lexists(path):
            _write(path, content)
            return path
        if _checksum(path) == hashlib.sha256(content).hexdigest():
            return path
        number += 1


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _read(path: Path) -> dict[str, str]:
    """What was handed out before. Without it every notebook that differs gets the course's version beside it, once."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def arguments(runtime: str) -> list[str]:
    """What JupyterLab is told: kernels are reached by sockets that only their owner may open.

    A kernel at a port of this machine sends its outputs to everybody on it who listens there. Where the folder of the
    sockets has too long a name for them, it stays at ports.
    """
    return ["--KernelManager.transport=ipc"] if len(os.fsencode(runtime)) <= LONGEST else []


def main() -> None:
    os.umask(0o077)  # what a learner writes is theirs alone
    folder = Path.home() / FOLDER
    try:
        for line in hand_out(COURSE, folder):
            print(f"class server: {line}", flush=True)
    except OSError as error:
        print(f"class server: not all notebooks could be handed out to {folder}: {error}", file=sys.stderr, flush=True)
    if folder.is_dir():
        os.environ["JUPYTERHUB_ROOT_DIR"] = str(folder)
    with contextlib.suppress(OSError):  # a home that is full is told by JupyterLab
        os.chdir(folder)
    from jupyter_core.paths import jupyter_runtime_dir

    server = Path(sys.executable).with_name("jupyterhub-singleuser")
    os.execv(server, [str(server), *arguments(jupyter_runtime_dir()), *sys.argv[1:]])


if __name__ == "__main__":
    main()
