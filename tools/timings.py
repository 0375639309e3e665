"""Measure every lesson and write the course map of the README.

    python tools/timings.py                       # measure all, rewrite the table
    python tools/timings.py --lesson 02           # measure one; the other rows keep their numbers
    python tools/timings.py --backend jax         # measure and print only: the table is that of TensorFlow

Seconds are wall clock from the start of a cold kernel to the end of the last cell, the answers filled in; memory is
the peak of the kernel and its children. Question and minutes come from the lesson itself.
"""

import argparse
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from _execute import run_lesson
from _lessons import ROOT, Lesson, choose, lessons

BEGIN, END = "<!-- timings:begin -->", "<!-- timings:end -->"
HEAD = "| lesson | question | reading | exercises | seconds | memory |\n|---|---|--:|--:|--:|--:|"


@dataclass(frozen=True)
class Cost:
    seconds: float
    megabytes: float

    def cells(self) -> str:
        return f"{self.seconds:.0f} s | {self.megabytes / 1000:.1f} GB"


def measure(lesson: Lesson, backend: str = "tensorflow") -> Cost:
    """Run the answered lesson once in a cold kernel; RuntimeError if a cell fails."""
    run = run_lesson(lesson, backend=backend)
    if run.failures:
        raise RuntimeError(f"{lesson.name} on {backend}: {run.failures[0]}")
    return Cost(run.seconds, run.peak_megabytes)


def row(lesson: Lesson, cost: str) -> str:
    """A line of the course map; `cost` holds its last two cells."""
    opening = lesson.opening()
    link = f"[{opening.number} {opening.title}](notebooks/{lesson.path.name})"
    exercises = f"{opening.exercises} min" if opening.exercises else "none"
    return f"| {link} | {opening.question} | {opening.reading} min | {exercises} | {cost} |"


def stored(readme: str) -> dict[str, str]:
    """The last two cells of each row that the table has: name of the lesson to text."""
    _, _, table = readme.partition(BEGIN)
    rows = re.findall(r"\(notebooks/(\w+)\.ipynb\).*\| ([^|\n]+ \| [^|\n]+) \|$", table.partition(END)[0], re.MULTILINE)
    return dict(rows)


def replace_table(readme: str, table: str) -> str:
    """The README with `table` between the markers; ValueError if they are not there, once each and in order."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(END) < readme.index(BEGIN):
        raise ValueError(f"README.md must have {BEGIN} and, below it, {END}, once each")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def rewrite(readme: Path, found: list[Lesson], measured: dict[str, Cost]) -> None:
    """Write the table: measured costs, else those that stand there already, else a dash."""
    text = readme.read_text(encoding="utf-8")
    costs = {**stored(text), **{name: cost.cells() for name, cost in measured.items()}}
    rows = [row(lesson, costs.get(lesson.name, "– | –")) for lesson in found]
    new = replace_table(text, "\n".join([HEAD, *rows]))
    temporary = readme.with_suffix(".tmp")
    temporary.write_text(new, encoding="utf-8", newline="\n")
    os.replace(temporary, readme)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", action="append", help="number or name; may be given more than once")
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    options = parser.parse_args(arguments)
    measured: dict[str, Cost] = {}
    try:
        for lesson in choose(options.lesson):
            cost = measured[lesson.name] = measure(lesson, options.backend)
            print(f"{lesson.name}  {cost.seconds:.1f} s  {cost.megabytes:.0f} MB", flush=True)
        if options.backend == "tensorflow":
            rewrite(ROOT / "README.md", lessons(), measured)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
