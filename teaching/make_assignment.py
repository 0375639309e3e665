"""Make an assignment of nbgrader from a lesson: its source notebook, with points and hidden tests.

    python teaching/make_assignment.py 01 COURSE                          # COURSE/source/lesson01/
    python teaching/make_assignment.py 01 COURSE --points 2 --points 01.4=5
    python teaching/make_assignment.py 01 COURSE --points difficulty      # 1 to 3, by the dots
    python teaching/make_assignment.py 01 COURSE --hidden --variants MINE # marks that count
    python teaching/make_assignment.py 01 02 COURSE --name week1          # two lessons in one assignment

COURSE is the folder of an nbgrader course; it is made if it is not there, with its configuration. What is there already
is kept: a notebook that you changed is replaced only with --force, and then lies in COURSE/replaced/.
`teaching/nbgrader.md` has the way from here to the marks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for each in (ROOT / "teaching", ROOT / "tools", ROOT):
    if str(each) not in sys.path:
        sys.path.insert(0, str(each))

import nbformat  # noqa: E402
from _lessons import choose  # noqa: E402
from assignments import convert  # noqa: E402

CONFIG = """# nbgrader's configuration for this course, made by teaching/make_assignment.py. Yours from now on.
import sys

sys.path[:0] = {paths!r}
from assignments.settings import configure

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "cnn"
configure(
    c,
    folder={folder!r},
    cell_seconds=300,  # that one cell may run, by the clock
    seconds=1200,  # that a whole notebook may run, and its answers once more outside of it
    memory=4,  # GB that a notebook may take
)
"""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        make(options)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make(options: argparse.Namespace) -> None:
    """Write the source notebooks, and what the course folder lacks.

    Raises:
        ValueError: what was asked for cannot be had; the message says why.
    """
    folder = options.folder.resolve()
    if str(options.folder) in ("", "."):
        raise ValueError("Which folder is the nbgrader course? It is made if it is not there: FOLDER=../course-2027")
    refuse_what_submissions_see(folder)
    variants = options.variants.resolve() if options.variants else None
    if variants and not list(variants.glob("lesson_*.py")):
        raise ValueError(f"{variants} holds no lesson_NN.py; teaching/variants_example is a folder of variants")
    if variants:
        refuse_what_submissions_see(variants)
    lessons = choose(options.lessons)
    if options.name and not re.fullmatch(r"[A-Za-z0-9_-]+", options.name):
        raise ValueError(f"--name {options.name}: letters, numbers, _ and - are expected")
    points = convert.read_points(options.points)
    unknown = {id for id in points if id and id != convert.DIFFICULTY} if isinstance(points, dict) else set()
    unknown = {id for id in unknown if id.partition(".")[0] not in {each.number for each in lessons}}
    if unknown:
        raise ValueError(f"--points {min(unknown)}=…: no lesson that is converted has this exercise")
    made = []
    for lesson in lessons:  # all of them, before anything is written
        assignment = convert.convert(lesson, points, options.hidden, variants)
        name = options.name or f"lesson{lesson.number}"
        made.append((name, folder / "source" / name / f"{lesson.name}.ipynb", assignment))
    settings = {"hidden": options.hidden, "variants": str(variants) if variants else None}
    kept = read_settings(folder)
    for name, path, assignment in made:
        write(path, nbformat.writes(assignment.notebook) + "\n", folder, options.force)
        kept[name] = settings
        left = [id for id, worth in assignment.points.items() if worth == 0]
        print(f"{path}: {len(assignment.points)} exercises, {sum(assignment.points.values()):g} points")
        if left:
            print(f"  without points: {', '.join(left)}")
    private(folder / "assignments.json", json.dumps(kept, indent=1) + "\n")
    if not (folder / "secret").exists():
        private(folder / "secret", secrets.token_hex(16) + "\n")
    config = folder / "nbgrader_config.py"
    if not config.exists():
        text = CONFIG.format(paths=[str(ROOT / "teaching"), str(ROOT / "tools"), str(ROOT)], folder=str(folder))
        config.write_text(text, encoding="utf-8")
    elif "assignments.settings" not in config.read_text(encoding="utf-8"):
        print(
            f"{config} is yours and was left as it is. Grading needs what teaching/make_assignment.py would have "
            "written into it: without, a wrong answer can get points. See 'Traps' in teaching/nbgrader.md."
        )


def refuse_what_submissions_see(folder: Path) -> None:
    """ValueError if a folder lies where every submission can read."""
    seen = [ROOT / name for name in ("cnnlib", "data", "solutions")]
    seen += [Path(sys.prefix), Path(sys.base_prefix), Path("/usr")]
    for place in dict.fromkeys(each.resolve() for each in seen):
        if folder.is_relative_to(place) or place.is_relative_to(folder) and place.is_relative_to(ROOT / "cnnlib"):
            raise ValueError(f"{folder} lies in {place}, which submissions can read. Choose a folder elsewhere.")


def read_settings(folder: Path) -> dict[str, dict]:
    """How the assignments of a course folder are graded; empty for a new one."""
    path = folder / "assignments.json"
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    except ValueError:
        pass
    raise ValueError(f"{path} is not what this program wrote. Move it away, and make your assignments once more.")


def write(path: Path, text: str, folder: Path, force: bool) -> None:
    """Write a source notebook; one that differs is kept, or moved to `replaced/` first.

    Raises:
        ValueError: there is a different one.
    """
    if path.exists():
        if path.read_text(encoding="utf-8") == text:
            return
        if not force:
            raise ValueError(
                f"{path} is there and differs: you changed it, or the lesson, or asked for other points. With --force "
                "it is replaced, and the old one kept in replaced/."
            )
        when = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        old = folder / "replaced" / f"{path.parent.name}-{path.stem}-{when}.ipynb"
        old.parent.mkdir(parents=True, exist_ok=True)
        path.rename(old)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="+", help="numbers of lessons: 01, A")
    parser.add_argument("folder", type=Path, help="of the nbgrader course")
    parser.add_argument("--points", action="append", default=[], help="2, difficulty, or 01.3=4; may be given again")
    parser.add_argument("--hidden", action="store_true", help="no points where a check can be forged (grading.md)")
    parser.add_argument("--variants", type=Path, help="a folder of your own cases and exercises, lesson_NN.py")
    parser.add_argument("--name", help="of the assignment, for all lessons together; lesson01 if not given")
    parser.add_argument("--force", action="store_true", help="replace a source notebook that is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
