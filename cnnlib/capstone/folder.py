"""Class folders of images, whatever is in them: which files count, which do not, and why. Lesson 19."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

__all__ = ["LEAST", "FolderError", "Found", "listed", "looked_at", "sampled"]

LEAST = 16  # images of a class; a training, a validation and a test part of fewer would mean nothing
JUNK = {"thumbs.db", "desktop.ini", "__macosx", "readme", "readme.md", "readme.txt", "license", "license.txt"}
# What a file of an image may be called; one without a suffix is opened, too. Sounds, texts, drawings are no images.
IMAGES = {
    *(
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".jp2",
    ),
    *(".avif", ".tga", ".ico", ".mpo", ""),
}


class FolderError(ValueError):
    """The folder cannot be made a project. The message says what was found, what is expected and what to do."""


class Found(dict):
    """Files by class, in the order of their names: class -> paths below the folder, with forward slashes.

    ``ignored`` is a list of {"file", "why"} for what is not looked at.
    """

    ignored: list[dict]


def listed(folder: str | Path, least: int = LEAST) -> Found:
    """The files of each class folder. Nothing is opened yet.

    A class is a folder; what lies deeper inside belongs to it. Hidden files, files of the system and what is no image
    by its suffix are left aside. Names may be of any script: they are compared in the composed form of Unicode (NFC).

    Raises:
        FolderError: there is no such folder, no class, only one, or a class with fewer than ``least`` files; or two
            class folders whose names look the same.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FolderError(f"{folder.name}: there is no such folder. Is `images` in project.toml right?")
    if not folder.is_dir():
        raise FolderError(f"{folder.name} is a file; expected a folder with one folder of images for each class.")
    found, ignored = Found(), []
    inside = sorted(folder.iterdir(), key=lambda path: _composed(path.name))
    for path in inside:
        if _is_junk(path.name):
            ignored.append({"file": _composed(path.name), "why": "of the system"})
        elif not path.is_dir():
            ignored.append({"file": _composed(path.name), "why": "lies outside the class folders"})
        else:
            _take(path, folder, found, ignored)
    found.ignored = ignored
    _refuse(folder, found, inside, least)
    return found


def _take(path: Path, folder: Path, found: Found, ignored: list[dict]) -> None:
    name = _composed(path.name)
    if name in found or name.casefold() in {other.casefold() for other in found}:
        raise FolderError(
            f"two class folders look alike: {name!r}. Some systems take them for one, or write an accent as one "
            f"sign or "
            "as two. Put their images into one folder, or rename one of them."
        )
    files = []
    for file in sorted(path.rglob("*"), key=lambda file: _composed(file.as_posix())):
        if file.is_dir():
            continue
        parts = file.relative_to(path).parts
        inner = file.relative_to(folder).as_posix()
        if any(map(_is_junk, parts)):
            ignored.append({"file": inner, "why": "of the system"})
        elif file.suffix.lower() not in IMAGES:
            ignored.append({"file": inner, "why": f"{file.suffix.lower()} is no image that is read here"})
        else:
            files.append(inner)
    if files:
        found[name] = files
    else:
        ignored.append({"file": f"{name}/", "why": "no image in it"})


def _refuse(folder: Path, found: Found, inside: list[Path], least: int) -> None:
    if not found:
        loose = [path for path in inside if path.is_file() and not _is_junk(path.name)]
        hint = "" if not loose else f" {len(loose)} files lie loose in it: sort them into one folder for each class."
        raise FolderError(f"{folder.name}: no class folder with images.{hint or ' It is empty.'}")
    if len(found) == 1:
        raise FolderError(
            f"{folder.name}: one class, {next(iter(found))!r}. A classifier tells at least two apart: add a "
            f"folder with "
            "what else the camera will see, such as 'other'."
        )
    few = {name: len(files) for name, files in found.items() if len(files) < least}
    if few:
        told = ", ".join(f"{name!r} has {count}" for name, count in few.items())
        raise FolderError(
            f"{folder.name}: too few images: {told}; expected at least {least} of each class, and 50 to learn "
            f"something "
            "from the test. Collect more, or put rare classes together."
        )


def sampled(found: Mapping[str, list[str]], most: int, seed: int) -> tuple[dict[str, list[str]], list[str]]:
    """At most ``most`` files in all, every class in its share but never below `LEAST`; and the names left out.

    Raises:
        FolderError: ``most`` is too small for so many classes.
    """
    total = sum(map(len, found.values()))
    if total <= most:
        return {name: list(files) for name, files in found.items()}, []
    if most < LEAST * len(found):
        raise FolderError(f"most = {most} with {len(found)} classes: expected {LEAST * len(found)} or more.")
    rng = np.random.default_rng(seed)
    kept, left = {}, []
    for name, files in found.items():
        count = min(len(files), max(LEAST, int(len(files) * most / total)))
        chosen = set(rng.choice(len(files), count, replace=False).tolist())
        kept[name] = [file for i, file in enumerate(files) if i in chosen]
        left += [file for i, file in enumerate(files) if i not in chosen]
    return kept, left


def looked_at(folder: str | Path, files: Mapping[str, Iterable[str]]) -> tuple[list[dict], list[dict]]:
    """Open every file: facts of those that are images, and the reason of those that are not.

    Returns:
        (images, unreadable): {"file", "label", "width", "height", "format", "bytes", "sha256", "notes"}, and {"file",
        "label", "code", "message"}.
    """
    from cnnlib.pipeline.decoding import ImageError, decode

    folder, images, unreadable = Path(folder), [], []
    for label, names in files.items():
        for name in names:
            try:
                data = (folder / name).read_bytes()
                picture = decode(data)
            except ImageError as error:
                unreadable.append({"file": name, "label": label, "code": error.code, "message": str(error)})
                continue
            except OSError as error:
                unreadable.append({"file": name, "label": label, "code": "unreadable", "message": str(error.strerror)})
                continue
            height, width = picture.size
            facts = {"file": name, "label": label, "width": width, "height": height, "format": picture.format}
            facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "notes": list(picture.notes)}
            images.append(facts)
    return images, unreadable


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _is_junk(name: str) -> bool:
    return name.startswith((".", "~$")) or name.lower() in JUNK
