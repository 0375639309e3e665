"""The learner's progress: one file of this machine, never sent anywhere.

The file is the one that the course names, or what ``<prefix>_PROGRESS`` names; there ``off`` keeps nothing.

Every change is read, merged and written under a lock and put in place in one step, so several notebooks can be open at
once and a crash leaves the old file. A damaged file is moved aside and named. A folder that cannot be written is said
once, and progress lasts until the kernel ends.
"""

import contextlib
import datetime
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .course import current

VERSION = 1
_LOCK_SECONDS = 5.0

_memory: dict[str, dict[str, Any]] = {}  # what could not be written, or is not to be
_events: dict[str, list[dict[str, Any]]] = {}  # the same of predictions ...
_reviews: dict[str, list[dict[str, Any]]] = {}  # ... and of what was drawn for review
_warned: set[str] = set()


def file() -> Path | None:
    """Where progress is kept; None if it is not."""
    course = current()
    named = course.setting("PROGRESS")
    if named.lower() == "off":
        return None
    try:
        found = Path(named).expanduser() if named else course.progress_file()
    except RuntimeError:  # from pathlib, for a user who is not known
        name = course.variable("PROGRESS")
        what = f"{name}={named}: there is no such user" if named else "this user has no home folder"
        _warn_once(
            f"progress cannot be written ({what}). Checks work as before; progress is kept until Python ends. "
            f"{name} names another file."
        )
        return None
    return _followed(found) if found is not None else None


def own_file(folder: Path | None, name: str) -> Path:
    """The file of that name that is this user's: in a folder that several people may share, or in their home.

    Args:
        folder: of the course, None if it was not found.
        name: within the folder, and within the home.

    Raises:
        RuntimeError: the file would be in the home, and this user has none.
    """
    home = Path("~", name)
    if folder is None:
        return home.expanduser()
    return folder / name if _is_mine(folder, folder / name) else home.expanduser()


def _is_mine(folder: Path, inside: Path) -> bool:
    """Whether the file in the folder is this user's.

    Who owns the file, or the folder as long as there is no file, tells. An administrator (and the only user of a
    container) may take a folder of someone else, but not their file. Windows does not tell: there a folder outside the
    home counts as shared, unless progress is kept in it already.
    """
    if not hasattr(os, "geteuid"):
        return inside.exists() or Path.home() in folder.parents
    user = os.geteuid()
    try:
        return inside.stat().st_uid == user
    except OSError:
        return user in (0, folder.stat().st_uid)


def _followed(path: Path) -> Path:
    """What the file is a link to, so that the link stays where the file is replaced; the file itself if it is none."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def entries() -> dict[str, dict[str, Any]]:
    """What is known of each exercise: ``attempts``, ``hints``, ``answer_shown``, ``solved`` (a date or None)."""
    path = file()
    kept = _read(path)["exercises"] if path is not None else {}
    return _merged(kept, _memory)


def note_attempt(exercise_id: str, right: bool) -> None:
    """Count an attempt, and keep the date of the first right one."""

    def change(entry: dict[str, Any]) -> None:
        entry["attempts"] += 1
        if right and not entry["solved"]:
            entry["solved"] = datetime.date.today().isoformat()

    _update(exercise_id, change)


def note_hint(exercise_id: str, number: int) -> None:
    """Keep how many hints were seen."""

    def change(entry: dict[str, Any]) -> None:
        entry["hints"] = max(entry["hints"], number)

    _update(exercise_id, change)


def note_answer(exercise_id: str) -> None:
    """Keep that the reference answer was seen, and whether that was before the exercise was solved."""

    def change(entry: dict[str, Any]) -> None:
        entry["answer_shown"] = True
        entry["answer_first"] = entry.get("answer_first", not entry["solved"])

    _update(exercise_id, change)


def events(kept: bool = True, kind: str = "predictions") -> dict[str, list[dict[str, Any]]]:
    """What happened to each prediction, in order: ``{"event": "guess", ...}`` and ``{"event": "reveal", ...}``.

    Args:
        kept: whether to look into the file; without it, only what this Python noted in memory counts.
        kind: "predictions", or "reviews": then ``{"knew": True, ...}`` for each time that a question was answered.
    """
    path = file() if kept else None
    found = dict(_read(path).get(kind, {})) if path is not None else {}
    for key, more in _in_memory()[kind].items():
        found[key] = _in_order([*found.get(key, []), *more])
    return found


def _in_order(happened: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(happened, key=lambda event: str(event.get("at", "")))


def note_event(
    id: str,
    make: Callable[[list[dict[str, Any]]], dict[str, Any] | None],
    kept: bool = True,
    kind: str = "predictions",
) -> None:
    """Add an event to a prediction, or to what was reviewed.

    Args:
        id: of the prediction, or of the exercise or question.
        make: given the events so far, the new one, or None if there is nothing to add. Called while no other kernel
            can write, so that of two guesses at once one is the first.
        kept: whether to write it to the file; otherwise it lasts until Python ends.
        kind: as for :func:`events`.
    """

    def change(content: dict[str, Any]) -> None:
        known = content.setdefault(kind, {}).setdefault(id, [])
        in_memory = _in_memory()[kind].get(id)
        if known is in_memory:
            so_far = events(kept, kind)[id]
        else:
            so_far = _in_order([*known, *(in_memory or [])])
        event = make(so_far)
        if event is not None:
            now = datetime.datetime.now(datetime.UTC)
            known.append({**event, "at": now.isoformat(timespec="microseconds")})

    _change(change, file() if kept else None)


def _in_memory() -> dict[str, dict[str, Any]]:
    return {"exercises": _memory, "predictions": _events, "reviews": _reviews}


def _blank() -> dict[str, Any]:
    return {"attempts": 0, "hints": 0, "answer_shown": False, "solved": None}


def _update(exercise_id: str, change: Callable[[dict[str, Any]], None]) -> None:
    _change(lambda content: change(content["exercises"].setdefault(exercise_id, _blank())), file())


def _change(change: Callable[[dict[str, Any]], None], path: Path | None) -> None:
    """Change what is known: the content of the file, or what is in memory where there is none to write to."""
    if path is None:
        change(_in_memory())
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            content = _read(path, to_change=True)
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(f"{path} is write-protected")
            change(content)
            _write(path, content)
    except OSError as error:
        change(_in_memory())
        _warn_once(
            f"progress cannot be written to {path} ({error.strerror or error}). Checks work as before; progress is "
            f"kept until Python ends. {current().variable('PROGRESS')} names another file."
        )


def _merged(kept: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Two records as one: counts add up, dates keep the first."""
    result = {key: dict(entry) for key, entry in kept.items()}
    for key, entry in more.items():
        known = result.setdefault(key, _blank())
        known["attempts"] += entry["attempts"]
        known["hints"] = max(known["hints"], entry["hints"])
        known["answer_shown"] = known["answer_shown"] or entry["answer_shown"]
        dates = [date for date in (known["solved"], entry["solved"]) if date]
        known["solved"] = min(dates) if dates else None
    return result


def _read(path: Path, to_change: bool = False) -> dict[str, Any]:
    """The content of the file; empty if there is none. A damaged file is moved aside.

    Raises:
        OSError: the file is there, cannot be read, and was to be changed: it must not be replaced by an empty one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return _empty()
    except UnicodeDecodeError:
        return _set_aside(path)
    except OSError as error:
        if to_change:
            raise
        _warn_once(f"progress in {path} cannot be read ({error.strerror or error})")
        return _empty()
    try:
        content = json.loads(text)
        exercises = content["exercises"]
        for entry in exercises.values():
            for name, value in _blank().items():
                entry.setdefault(name, value)
            int(entry["attempts"]), int(entry["hints"])
        for kind in ("predictions", "reviews"):  # older files have none
            for happened in content.get(kind, {}).values():
                if not isinstance(happened, list) or not all(isinstance(each, dict) for each in happened):
                    raise TypeError(f"of the {kind} one is no list of events")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _set_aside(path)
    return content


def _empty() -> dict[str, Any]:
    return {"version": VERSION, "exercises": {}}


def _set_aside(path: Path) -> dict[str, Any]:
    """Rename a damaged file and say so."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    try:
        os.replace(path, aside)
    except OSError as error:
        _warn_once(f"the progress file {path} is damaged and cannot be moved ({error.strerror or error})")
    else:
        warnings.warn(
            f"the progress file {path} was damaged; it is now {aside.name} in the same folder, and a new one is begun",
            UserWarning,
            stacklevel=2,
        )
    return _empty()


def _write(path: Path, content: dict[str, Any]) -> None:
    """Put the new content in place in one step."""
    handle, name = tempfile.mkstemp(prefix=path.stem, suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            json.dump(content, out, indent=1, sort_keys=True, ensure_ascii=False)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())
        _replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _replace(name: str, path: Path) -> None:
    """``os.replace``, patient with Windows, which refuses while another process has the file open."""
    for wait in (0.01, 0.05, 0.2, 0.5):
        try:
            os.replace(name, path)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(wait)
    os.replace(name, path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock beside the file; go on without it where the file system has no locks."""
    with open(path.with_suffix(".lock"), "a+b") as handle:
        held = _acquire(handle.fileno())
        try:
            yield
        finally:
            if held:
                _release(handle.fileno())


def _acquire(descriptor: int) -> bool:
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            if os.name == "nt":
                import msvcrt

                os.lseek(descriptor, 0, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except (BlockingIOError, PermissionError):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        except OSError:
            return False


def _release(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _warn_once(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        warnings.warn(text, UserWarning, stacklevel=2)
