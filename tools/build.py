"""Build the notebooks of learners from the sources of the lessons.

    python tools/build.py                    # every lesson: solutions/NN_name.py -> notebooks/NN_name.ipynb
    python tools/build.py --lesson 01        # one
    python tools/build.py --check            # say which notebook is out of step with its source; nothing is executed
    python tools/build.py --text             # where only text changed: put it into the notebook, keep its outputs
    python tools/build.py --solutions        # answered, executed notebooks in build/solutions/

Answers are cut out and stubs left; the notebook runs in a cold kernel on TensorFlow in the cpu profile, with the
network blocked, and is stored with its outputs. Nothing in it depends on the machine or the day but measured times.
"""

import argparse
import difflib
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from _checks import STORED
from _execute import Run, run_lesson
from _lessons import ROOT, SLIDES, Lesson, choose, is_hidden, kept_metadata, lessons
from nbformat import NotebookNode

TIMEOUT = 300.0  # seconds for one cell


class Refused(Exception):
    """A notebook that must not be stored; the message says why."""


def run(lesson: Lesson, answered: bool = False, timeout: float = TIMEOUT) -> Run:
    """Execute a lesson in the one setting in which its outputs are stored and compared."""
    return run_lesson(lesson, answered, backend="tensorflow", profile="cpu", timeout=timeout)


def failure(lesson: Lesson, run: Run) -> str:
    """The first failure of a run: lesson, line of the source, cell, error."""
    first = run.failures[0]
    line = lesson.line(first.cell, first.line)
    place = f"{lesson.source.relative_to(lesson.root).as_posix()}:{line}" if line else lesson.name
    source = run.notebook.cells[first.cell - 1].source.splitlines()
    shown = source[first.line - 1].strip() if first.line and first.line <= len(source) else source[0] if source else ""
    return f"{place}: {first}\n    {shown}"


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Take out of an executed notebook what differs from run to run; merge what streams wrote in pieces."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata = kept_metadata(cell)
        merged: list[NotebookNode] = []
        for output in cell.outputs:
            output.pop("transient", None)
            last = merged[-1] if merged else None
            if last and output.output_type == "stream" == last.output_type and output.name == last.name:
                last.text += output.text
            else:
                merged.append(output)
        cell.outputs = merged
    notebook.metadata = {name: notebook.metadata[name] for name in ("kernelspec", "language_info")}
    notebook.metadata["language_info"] = {"name": "python"}
    return nbformat.from_dict(notebook)


def build(lesson: Lesson, answered: bool = False, timeout: float = TIMEOUT) -> tuple[Path, Run]:
    """Execute a lesson and store it; Refused if a cell fails or the result is unfit to be stored."""
    done = run(lesson, answered, timeout)
    if done.failures:
        raise Refused(failure(lesson, done))
    notebook = normalise(done.notebook)
    if complaints := [complaint for check in STORED for complaint in check(notebook)]:
        raise Refused(f"{lesson.name} is not stored:\n" + "\n".join(f"    {line}" for line in complaints))
    path = lesson.root / "build" / "solutions" / lesson.path.name if answered else lesson.path
    if answered:
        lead_back(notebook)
    keep_work(path, notebook, lesson.root / ".cnnlib" / "replaced")
    write(notebook, path)
    return path, done


def retext(lesson: Lesson) -> Path:
    """Put the text of a lesson into its stored notebook and keep the outputs, as a whole build would store them.

    Refused unless the notebook is as it was built and holds the same code cells, in the same order and with the same
    tags, those of slides left aside: their outputs would not be those of this lesson. Code in the text is not changed
    either, since it may run (the listings of appendix A).
    """
    name = lesson.path.relative_to(lesson.root).as_posix()
    whole = f"build it whole: python tools/build.py --lesson {lesson.number}"
    try:
        old = nbformat.read(lesson.path, as_version=4)
    except FileNotFoundError:
        raise Refused(f"{name} is missing: {whole}") from None
    except Exception as error:  # nbformat raises what the JSON makes it raise
        raise Refused(f"{name} cannot be read ({type(error).__name__}: {error}): {whole}") from None
    new = lesson.notebook()
    if old.metadata != new.metadata:
        raise Refused(f"{name} was saved by somebody since it was built, so its outputs may be theirs: {whole}")
    kept = [(position, cell) for position, cell in enumerate(old.cells, 1) if cell.cell_type == "code"]
    code = [(position, cell) for position, cell in enumerate(new.cells, 1) if cell.cell_type == "code"]
    for (number, there), (position, cell) in zip(kept, code, strict=False):
        if (there.source, _runs(there)) != (cell.source, _runs(cell)):
            place = f"{lesson.source.relative_to(lesson.root).as_posix()}:{lesson.line(position)}"
            raise Refused(
                f"{name}: cell {number} is not the code cell of {place}, so its output may be another; {whole}"
            )
    if len(kept) != len(code):
        raise Refused(f"{name} has {len(kept)} code cells, its source {len(code)}; {whole}")
    if _fenced(old) != _fenced(new):
        raise Refused(f"{name}: code that stands in the text has changed, and it may be run; {whole}")
    for (_, there), (_, cell) in zip(kept, code, strict=True):
        cell.outputs, cell.execution_count = there.outputs, there.execution_count
    if complaints := [complaint for check in STORED for complaint in check(new)]:
        raise Refused(f"{lesson.name} is not stored:\n" + "\n".join(f"    {line}" for line in complaints))
    write(new, lesson.path)
    return lesson.path


def _runs(cell: NotebookNode) -> dict:
    """The metadata of a cell without the tags that only say what of it is on a slide."""
    tags = [tag for tag in cell.metadata.get("tags", ()) if tag not in SLIDES]
    return {**{name: value for name, value in cell.metadata.items() if name != "tags"}, "tags": tags}


def _fenced(notebook: NotebookNode) -> list[str]:
    """The blocks of code in the text."""
    return [
        block
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for block in re.findall(r"^```.*?^```", cell.source, re.MULTILINE | re.DOTALL)
    ]


def lead_back(notebook: NotebookNode) -> None:
    """Mend the links of a page that lies one folder deeper than its source."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](../../")


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook whole or not at all, with the same bytes on every system."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def keep_work(path: Path, notebook: NotebookNode, folder: Path) -> Path | None:
    """Copy what somebody did in the notebook that is about to be replaced; return the copy, None if there is nothing.

    A notebook that was built holds bare metadata; JupyterLab and other programs add theirs when they save it. No
    command deletes the folder of the copies.
    """
    try:
        old = nbformat.read(path, as_version=4)
        if old.metadata.get("language_info") == {"name": "python"} or sources(old) == sources(notebook):
            return None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        pass  # not a notebook that can be read: all the more a reason to keep it
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while (copy := folder / f"{path.stem}-{number}{path.suffix}").exists():
        number += 1
    shutil.copy2(path, copy)
    where = f"{folder.parent.name}/{folder.name}/{copy.name}"
    print(f"{path.name} was saved by somebody since it was built; what it held is now in {where}")
    return copy


def sources(notebook: NotebookNode) -> list[tuple[str, str, tuple[str, ...]]]:
    """What a notebook's cells are, without what they put out: kind, text, tags; "collapsed" among the tags."""

    def marks(cell: NotebookNode) -> tuple[str, ...]:
        return (*cell.metadata.get("tags", []), *(["collapsed"] if is_hidden(cell) else []))

    return [(cell.cell_type, cell.source, marks(cell)) for cell in notebook.cells]


def out_of_step(lesson: Lesson) -> str | None:
    """How the stored notebook differs from its source, in a few lines; None if it does not."""
    name = lesson.path.relative_to(lesson.root).as_posix()
    mend = f"python tools/build.py --lesson {lesson.number}"
    if not lesson.path.exists():
        return f"{name} is missing: {mend}"
    try:
        found = sources(nbformat.read(lesson.path, as_version=4))
    except Exception as error:  # nbformat raises what the JSON makes it raise
        return f"{name} cannot be read ({type(error).__name__}: {error}): {mend}"
    expected = sources(lesson.notebook())
    if found == expected:
        return None
    pairs = enumerate(zip(found, expected), start=1)
    number = next((n for n, (a, b) in pairs if a != b), min(len(found), len(expected)) + 1)
    there = found[number - 1] if number <= len(found) else ("", "", ())
    wanted = expected[number - 1] if number <= len(expected) else ("", "", ())
    lines = list(
        difflib.unified_diff(_text(there), _text(wanted), name, f"{lesson.source.name}, built", lineterm="", n=1)
    )
    place = f"{lesson.source.relative_to(lesson.root).as_posix()}:{lesson.line(min(number, len(expected)))}"
    return "\n".join([f"{name} is out of step from cell {number} on ({place}): {mend}", *lines[:20]])


def _text(cell: tuple[str, str, tuple[str, ...]]) -> list[str]:
    kind, source, tags = cell
    return [f"[{' '.join((kind, *tags))}]", *source.splitlines()] if kind else []


def orphans(root: Path = ROOT) -> list[str]:
    """Notebooks without a source."""
    names = {lesson.path.name for lesson in lessons(root)}
    extra = sorted(path for path in (root / "notebooks").glob("*.ipynb") if path.name not in names)
    return [f"notebooks/{path.name} has no source: write solutions/{path.stem}.py or delete it" for path in extra]


def check(chosen: list[Lesson], root: Path = ROOT) -> list[str]:
    """All that `--check` complains about."""
    return [complaint for complaint in map(out_of_step, chosen) if complaint] + orphans(root)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", action="append", help="number or name, as in 01; may be given more than once")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare the sources of cells; execute nothing")
    mode.add_argument("--text", action="store_true", help="put changed text into stored notebooks; execute nothing")
    mode.add_argument("--solutions", action="store_true", help="answered, executed notebooks in build/solutions/")
    options = parser.parse_args(arguments)
    try:
        chosen = choose(options.lesson, root)
        if options.check:
            complaints = check(chosen, root)
            print("\n\n".join(complaints) or f"{len(chosen)} notebooks are in step with their sources")
            return 1 if complaints else 0
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.text:
        return sum(not report_text(lesson) for lesson in chosen) and 1
    return sum(not report(lesson, options.solutions) for lesson in chosen) and 1


def report_text(lesson: Lesson) -> bool:
    """Renew the text of one notebook and say what came of it; whether it is in step."""
    if lesson.path.exists() and out_of_step(lesson) is None:
        return True
    try:
        path = retext(lesson)
    except (Refused, ValueError) as error:
        print(f"FAILED  {error}", file=sys.stderr, flush=True)
        return False
    print(f"{path.relative_to(lesson.root).as_posix()}  new text, outputs kept", flush=True)
    return True


def report(lesson: Lesson, answered: bool) -> bool:
    """Build one lesson and say what came of it; whether it was stored."""
    try:
        path, done = build(lesson, answered)
    except (Refused, ValueError) as error:
        print(f"FAILED  {error}", file=sys.stderr, flush=True)
        return False
    name = path.relative_to(lesson.root).as_posix()
    size = path.stat().st_size / 1000
    print(f"{name}  {done.seconds:.1f} s  {done.peak_megabytes:.0f} MB of memory  {size:.0f} kB", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
