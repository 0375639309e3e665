"""Build the web site of the course from the stored notebooks, the pages of docs/ and the docstrings of cnnlib.

    python teaching/build_site.py                                       # into build/site
    python teaching/build_site.py --address https://github.com/me/course
    python teaching/build_site.py --lesson 01 --out ../site             # explorers of this lesson only

Needs the extra `site`; `make site` makes an environment with it. No notebook is run, but the explorers of the lessons
are drawn, once for each state of their lesson and of cnnlib. `teaching/site.md` says more.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for each in (ROOT / "teaching", ROOT / "tools", ROOT):
    if str(each) not in sys.path:
        sys.path.insert(0, str(each))

import folders  # noqa: E402
from website import check, explorers, pages  # noqa: E402

STAMP = ".course-site"  # in a folder that this script made, and may make anew
NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme", "mathjax")
# The modules that figures of explorers are made with.
FROM = ("arithmetic", "datasets", "detection", "models", "plotting", "segmentation", "trace", "training")
_ADDRESS = re.compile(r"https://[\w.-]+(?::\d+)?/[\w.-]+/[\w.-]+")


class SiteError(ValueError):
    """The site cannot be built as asked; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        build(options)
    except (SiteError, pages.PageError, OSError) as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def build(options: argparse.Namespace) -> None:
    """All of it, from the arguments of the command line."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SiteError(f"{', '.join(missing)} is missing here. `make site` makes an environment that has all of it.")
    address = checked(options.address, "the address of the repository (ADDRESS)", _ADDRESS)
    hub = checked(options.hub, "the address of the JupyterHub (HUB)", re.compile(r"https?://\S+"))
    begun = time.monotonic()
    out, work = options.out.resolve(), options.work.resolve()
    for folder in (out, work / "pages"):
        folders.make_empty(folder, STAMP, "the site")
    made = pages.write(ROOT, work / "pages", lambda lesson: drawn(lesson, work / "explorers"), address, options.branch)
    mathjax(work / "pages" / "_static" / "mathjax")
    settings = {"SITE_ADDRESS": address, "SITE_HUB": hub, "SITE_BRANCH": options.branch}
    settings |= {"SITE_STATIC": str(work / "pages" / "_static"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = ["-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "-c", str(ROOT / "teaching" / "website")]
    command += ["-d", str(work / "doctrees"), str(work / "pages"), str(out)]
    folders.make_empty(work / "doctrees", STAMP, "the site")
    if subprocess.run([sys.executable, *command], env=os.environ | settings, cwd=ROOT).returncode:
        raise SiteError("Sphinx complains above; the site is not finished")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):  # what is downloaded is the notebook itself
        shutil.copy(path, out / "_sources" / "notebooks" / path.name)
    (out / ".nojekyll").touch()  # GitHub Pages leaves folders out that begin with _ otherwise
    faults = check.faults(out)
    if faults:
        raise SiteError(f"{len(faults)} faults:\n" + "\n".join(faults[:40]))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{len(made)} pages, {size / 1e6:.0f} MB, {time.monotonic() - begun:.0f} s: {out / 'index.html'}")


def checked(value: str, what: str, form: re.Pattern) -> str:
    """An address without a slash at its end; it may be empty.

    Raises:
        SiteError: it is none.
    """
    value = (value or "").strip().removesuffix("/").removesuffix(".git")
    if value and not form.fullmatch(value):
        raise SiteError(f"{what} is {value!r}; expected something like https://github.com/name/course")
    return value


def drawn(lesson: str, store: Path) -> list[dict]:
    """The explorers of a lesson, drawn now or before.

    Raises:
        SiteError: they cannot be drawn.
    """
    if lesson not in _with_explorers():
        return []
    folder = store / f"{lesson}-{fingerprint(lesson)}"
    told = folder / "explorers.json"
    if not told.exists():
        print(f"drawing the explorers of lesson {lesson}: some minutes, once", flush=True)
        command = [sys.executable, str(ROOT / "teaching" / "website" / "explorers.py"), lesson, str(folder)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
        if done.returncode:
            end = done.stderr.decode(errors="replace").strip()[-2000:]
            raise SiteError(f"the explorers of lesson {lesson} could not be drawn:\n{end}")
        for old in store.glob(f"{lesson}-*"):
            if old != folder:
                shutil.rmtree(old)
    return [{**each, "folder": str(folder)} for each in json.loads(told.read_text(encoding="utf-8"))]


@functools.cache
def _with_explorers() -> list[str]:
    return explorers.lessons_with_explorers()


def fingerprint(lesson: str) -> str:
    """What the frames of a lesson's explorers depend on: the lesson, the package and the way they are drawn."""
    digest = hashlib.sha256()
    package = ROOT / "cnnlib"
    files = [*(ROOT / "solutions").glob(f"{lesson}_*.py"), Path(explorers.__file__)]
    files += [path for name in FROM for path in (package / name).rglob("*.py")]
    files += [path for path in package.glob("*.py") if path.stem in FROM]
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def mathjax(target: Path) -> None:
    """MathJax and its fonts beside the pages, from the package `django-static-mathjax`."""
    origin = Path(importlib.util.find_spec("mathjax").submodule_search_locations[0]) / "static" / "mathjax"
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    shutil.copytree(origin / "es5" / fonts, target / fonts)
    shutil.copy(origin / "es5" / "tex-chtml.js", target)
    shutil.copy(origin / "LICENSE", target)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", help="new, empty, or of an earlier call")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "site-work", help="what lies between")
    parser.add_argument("--address", default=os.environ.get("ADDRESS", ""), help="of the repository, https://...")
    parser.add_argument("--hub", default=os.environ.get("HUB", ""), help="of a JupyterHub with nbgitpuller")
    parser.add_argument("--branch", default="main", help="of the repository (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
