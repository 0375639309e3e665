"""Make slides of the lessons: pages of reveal.js with figures, predictions, exercises and notes for the speaker.

    python teaching/make_slides.py                    # all lessons, into build/slides
    python teaching/make_slides.py --lesson 06        # of one lesson; may be given more than once
    python teaching/make_slides.py --pdf              # and each lesson as a PDF, by Chromium
    python teaching/make_slides.py --pdf --notes      # the notes of each slide on a page behind it

From the stored notebooks, which are built from `solutions/`; nothing is run. Needs the extra `site`; `make slides`
makes an environment with it. Neither building nor showing needs a network. `teaching/slides.md` says more.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for each in (ROOT / "teaching", ROOT / "tools", ROOT):
    if str(each) not in sys.path:
        sys.path.insert(0, str(each))

import build  # noqa: E402
import build_site  # noqa: E402
import folders  # noqa: E402
import make_guide  # noqa: E402
from _lessons import Lesson, choose  # noqa: E402
from slides import blocks, cut, notes, page  # noqa: E402
from website import pages  # noqa: E402

STAMP = ".course-slides"  # in a folder that this script made, and may make anew
NEEDED = {
    "sphinx_revealjs": "reveal.js",
    "mathjax": "MathJax",
    "markdown_it": "Markdown",
    "pygments": "colours of code",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 300  # seconds for one PDF, on a busy machine


class SlidesError(ValueError):
    """The slides cannot be made as asked; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        make(options)
    except (SlidesError, blocks.MarkError, pages.PageError, ValueError, OSError) as error:
        print(f"slides: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def make(options: argparse.Namespace) -> None:
    """All of it, from the arguments of the command line."""
    missing = [what for module, what in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise SlidesError(
            f"{', '.join(missing)} is missing here. `make slides` makes an environment that has all of it."
        )
    if options.notes and not options.pdf:
        raise SlidesError("--notes is for a PDF: give --pdf as well. On the screen, key s opens the notes.")
    if options.pdf and browser() is None:
        raise SlidesError(f"a PDF is printed by Chromium, and none of {', '.join(BROWSERS)} is on the path")
    begun = time.monotonic()
    lessons = choose(options.lesson)
    out = options.out.resolve()
    folders.make_empty(out, STAMP, "the slides")
    assets(out / page.TOP)
    decks = []
    for lesson in lessons:
        slides = slides_of(lesson)
        title = slides[0].title
        file = out / f"{lesson.name}.html"
        file.write_text(page.page(title, slides, out / page.TOP / "figures"), encoding="utf-8", newline="\n")
        decks.append((title, file.name, len(slides)))
    (out / "index.html").write_text(page.contents(decks), encoding="utf-8", newline="\n")
    if options.pdf:
        for _, name, _ in decks:
            print(printed(out / name, options.notes).relative_to(out), flush=True)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    count = sum(count for *_, count in decks)
    spent = time.monotonic() - begun
    lessons = "1 lesson" if len(decks) == 1 else f"{len(decks)} lessons"
    print(f"{lessons}, {count} slides, {size / 1e6:.0f} MB, {spent:.0f} s: {out / 'index.html'}")


def slides_of(lesson: Lesson) -> list[cut.Slide]:
    """The slides of a lesson, from its stored notebook.

    Raises:
        SlidesError: the notebook is not what its source builds.
        slides.blocks.MarkError: a mark means nothing.
        website.pages.PageError: an answer stands in the notebook.
    """
    if stale := build.out_of_step(lesson):
        raise SlidesError(f"slides show stored outputs, and they are not those of the source.\n{stale}")
    notebook = json.loads(lesson.path.read_text(encoding="utf-8"))
    cells = pages.learner_notebook(notebook, lesson.path.name)["cells"]
    guide = tomllib.loads(make_guide.NOTES.read_text(encoding="utf-8"))
    if lesson.number not in guide["lessons"]:
        raise SlidesError(
            f"{make_guide.NOTES.name} has nothing of lesson {lesson.number}: write [lessons.{lesson.number}]"
        )
    code = {n: blocks.shown_code("".join(c["source"])) for n, c in enumerate(cells, 1) if c["cell_type"] == "code"}
    code = {number: text for number, text in code.items() if text}
    broken = dict(zip(code, blocks.broken_to(list(code.values()))))
    told = notes.told(lesson.number, lesson.source, guide, ROOT)
    slides = cut.Cutter(lesson.number, cells, told, make_guide.expected(lesson.source), broken).slides()
    return slides + cut.discussed(notes.asked(lesson.number, lesson.source, guide))


def assets(folder: Path) -> None:
    """reveal.js with its notes and fonts, MathJax, and the course's own style and scripts, into a folder."""
    origin = Path(importlib.util.find_spec("sphinx_revealjs").submodule_search_locations[0]) / "_static" / "revealjs"
    (folder / "reveal").mkdir(parents=True)
    for name in ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "LICENSE"):
        shutil.copy(origin / name, folder / "reveal")
    fonts = origin / "dist" / "theme" / "fonts" / "source-sans-pro"
    (folder / "fonts").mkdir()
    for path in sorted(fonts.iterdir()):
        if path.suffix in (".css", ".woff", ".ttf", ".eot") or path.name == "LICENSE":
            shutil.copy(path, folder / "fonts")
    build_site.mathjax(folder / "mathjax")
    for path in sorted((ROOT / "teaching" / "slides" / "static").iterdir()):
        shutil.copy(path, folder)
    (folder / "code.css").write_text(page.code_style(), encoding="utf-8", newline="\n")


def browser() -> str | None:
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def printed(path: Path, with_notes: bool) -> Path:
    """The slides of a page as a PDF beside it, one slide a page.

    Raises:
        SlidesError: Chromium printed nothing.
    """
    target = path.with_suffix(".pdf")
    address = path.as_uri() + "?print-pdf" + ("&showNotes=separate-page" if with_notes else "")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser(), "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        command += ["--allow-file-access-from-files", f"--user-data-dir={profile}", "--virtual-time-budget=120000"]
        command += ["--no-pdf-header-footer", f"--print-to-pdf={target}", address]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # it cannot be had as root
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise SlidesError(f"{path.name}: Chromium printed nothing within {PATIENCE} s") from None
    if not target.exists():
        raise SlidesError(f"{path.name}: Chromium printed nothing:\n{done.stderr[-1500:]}")
    return target


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", action="append", metavar="NN", help="of this lesson; may be given more than once")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "slides", help="new, empty, or of an earlier call")
    parser.add_argument("--pdf", action="store_true", help="also print each lesson, one slide a page")
    parser.add_argument("--notes", action="store_true", help="in the PDF, the notes of a slide on a page behind it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
