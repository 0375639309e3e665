"""A new project, and running its stages. Lesson 19.

A project is two files. ``project.toml`` holds decisions in words and numbers; ``stages.py`` is a script in percent
format, which JupyterLab opens as a notebook: one cell a stage. It is no notebook file, because that would keep state
between cells (the commonest reason why a result cannot be had again) and would not show in a difference what was
changed; and not one script a stage, because thirteen files that call one function each hide how they belong together.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["STAGES", "new", "run", "stages_of"]

STAGES = (
    *(
        "card",
        "audit",
        "split",
        "baseline",
        "training",
        "calibration",
        "threshold",
        "explanation",
        "robustness",
        "test",
    ),
    *("serving", "watch", "report"),
)
SCRIPT = "stages.py"


def new(folder: str | Path, images: str | Path | None = None) -> Path:
    """Make a project folder with ``project.toml`` and ``stages.py``.

    Args:
        folder: is made; it may be there, but not hold a project.
        images: bundled images to begin with, a name of `cnnlib.capstone.IMAGES`; or the path of a folder of your own,
            which stays where it is. None: put your class folders into ``images/`` yourself.

    Raises:
        FileExistsError: there is a project already.
        ValueError: there are no such images.
    """
    from cnnlib.capstone.bundled import IMAGES, write_images

    folder, here = Path(folder), Path(__file__).parent
    for name in ("project.toml", SCRIPT):
        if (folder / name).exists():
            raise FileExistsError(f"{folder.name}/{name} is there already; nothing was written.")
    settings = (here / "project.toml").read_text(encoding="utf-8")
    if images is not None and str(images) not in IMAGES:
        own = Path(images).resolve()
        if not own.is_dir():
            raise ValueError(f"{images}: neither a folder nor one of {', '.join(IMAGES)}.")
        settings = settings.replace('images = "images" ', f'images = "{own.as_posix()}" ')
    folder.mkdir(parents=True, exist_ok=True)
    if images is None:
        (folder / "images").mkdir(exist_ok=True)
    elif str(images) in IMAGES:
        write_images(str(images), folder)
    (folder / "project.toml").write_text(settings, encoding="utf-8", newline="\n")
    (folder / SCRIPT).write_text((here / "stages.txt").read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
    return folder


def stages_of(text: str) -> tuple[list[str], dict[str, str]]:
    """The set-up cells of ``stages.py``, and the code of each stage by name."""
    before, stages, name, lines = [], {}, None, []

    def close() -> None:
        if name == "":
            before.append("\n".join(lines))
        elif name is not None:
            stages[name] = "\n".join(lines)

    for number, line in enumerate(text.splitlines()):
        start = re.match(r"# %%\s*(.*)$", line)
        if start:
            close()
            title = start.group(1).strip()
            stage = re.match(r"stage: *(\w+)", title)
            name = None if title.startswith("[markdown]") else stage.group(1) if stage else ""
            lines = [""] * (number + 1)  # so that an error names the line of the file
        else:
            lines.append(line)
    close()
    return before, stages


def run(
    folder: str | Path = ".", only: Iterable[str] = (), start: str | None = None, quiet: bool = False
) -> dict[str, float]:
    """Run the cells of ``stages.py``, one stage after the other, and check each.

    Args:
        folder: of the project.
        only: these stages; all if none is given.
        start: the first stage to run; those before it stay as they are.
        quiet: print nothing.

    Returns:
        The seconds that each stage took.

    Raises:
        ValueError: there is no such stage in ``stages.py``.
    """
    from cnnlib.capstone.project import Project

    project = Project(folder)
    file = project.folder / SCRIPT
    if not file.is_file():
        raise ValueError(f"{SCRIPT} is not beside project.toml. `python -m cnnlib.capstone new FOLDER` makes one.")
    before, stages = stages_of(file.read_text(encoding="utf-8"))
    only = list(only)
    unknown = [name for name in [*only, *([start] if start else [])] if name not in stages]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no stage of {SCRIPT}; there are {', '.join(stages)}.")
    names = list(stages)
    chosen = [n for n in names if (not only or n in only) and (not start or names.index(n) >= names.index(start))]
    namespace, seconds, where = {"__name__": "__main__", "__file__": str(file)}, {}, os.getcwd()
    os.chdir(project.folder)
    try:
        for text in before:
            exec(compile(text, str(file), "exec"), namespace)
        for name in chosen:
            began = time.perf_counter()
            exec(compile(stages[name], str(file), "exec"), namespace)
            seconds[name] = time.perf_counter() - began
            if not quiet:
                print(f"{name} · {seconds[name]:.1f} s")
                if project.has(name):
                    print(_indented(str(project.load(name))))
    finally:
        os.chdir(where)
    return seconds


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
