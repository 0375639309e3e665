"""What a class needs: memory, processor and disk for 10, 50 and 500 learners at once.

    python teaching/server/plan.py                # a table
    python teaching/server/plan.py 25 --memory 4G
    python teaching/server/plan.py --page         # into teaching/server.md; `make timings` does so, too

Lessons are as measured by `make timings` (data/timings.json); the sizes of hub, proxy and servers were measured by
`make hubtest`, which prints them.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "teaching" / "server.md"
MARKS = ("<!-- plan:begin -->", "<!-- plan:end -->")
CLASSES = (10, 50, 500)
LIMIT = "3G"
# Megabytes of memory that processes hold for themselves, and their share of what they hold in common (PSS).
HUB, SERVER = 190, 130  # hub, proxy and culler together; the server of one learner without a notebook
# Gigabytes of disk: the environment with the course, and the home of a learner.
SHARED, HOME = 3.0, 0.5
SESSION = 90 * 60  # seconds
RUNS = 2  # how often a learner runs each cell of a lesson in a session
PEAK = 4  # all press the same cell at the same moment: how much more than on average is asked for
NODE_CORES, NODE_MEMORY = 16, 64  # a machine of a cluster, in cores and gigabytes
SYSTEM = 2  # gigabytes that the system of a machine keeps


@dataclass(frozen=True)
class Need:
    """What one class needs. Memory and disk are in gigabytes of 10**9 bytes."""

    learners: int
    idle: float  # all are logged in, no notebook runs
    typical: float  # all have a lesson of the usual size open
    heaviest: float  # all have the heaviest lesson open
    limit: float  # all use what they are allowed to
    cores: int  # for a session without long waits
    minutes: float  # the usual lesson run from top to bottom, by all at once, on so many cores
    disk: float
    nodes: int  # machines of NODE_CORES and NODE_MEMORY, with the heaviest lesson


def lessons(timings: Path = ROOT / "data" / "timings.json") -> tuple[list[float], list[float]]:
    """Megabytes and processor seconds of each lesson, where it took most."""
    processors = json.loads(timings.read_text(encoding="utf-8"))["processors"].values()
    names = sorted({name for each in processors for name in each["lessons"]})
    runs = {name: [(p["lessons"][name], p["cores"]) for p in processors if name in p["lessons"]] for name in names}
    memory = [max(run["megabytes"] for run, _ in runs[name]) for name in names]
    # At most all cores were busy for all of the time.
    seconds = [max(run["seconds"] * cores for run, cores in runs[name]) for name in names]
    return memory, seconds


def need(learners: int, limit: int, memory: list[float], seconds: list[float]) -> Need:
    """What a class needs.

    Args:
        learners: who work at the same time.
        limit: of a learner's server, in bytes.
        memory: megabytes of each lesson.
        seconds: processor seconds of each lesson.

    Raises:
        ValueError: there are no learners.
    """
    if learners < 1:
        raise ValueError(f"a class has at least one learner, not {learners}")

    def total(each: float) -> float:
        return (HUB + learners * (SERVER + each)) / 1000

    usual = statistics.median(seconds)
    cores = max(2, math.ceil(PEAK * learners * RUNS * usual / SESSION))
    heaviest = total(max(memory))
    fit = int((NODE_MEMORY - SYSTEM) * 1000 // (SERVER + max(memory)))
    return Need(
        learners,
        total(0),
        total(statistics.median(memory)),
        heaviest,
        HUB / 1000 + learners * limit / 1e9,
        cores,
        learners * usual / cores / 60,
        SHARED + learners * HOME,
        max(math.ceil(learners / fit), math.ceil(cores / NODE_CORES)),
    )


def table(needs: list[Need]) -> str:
    """As Markdown."""
    rows = [
        "| learners at once | logged in | usual lesson | heaviest lesson | all at their limit | cores | disk | nodes |"
    ]
    rows.append("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for each in needs:
        sizes = (each.idle, each.typical, each.heaviest, each.limit)
        cells = [str(each.learners), *(f"{size:.0f} GB" for size in sizes)]
        cells += [str(each.cores), f"{each.disk:.0f} GB", str(each.nodes)]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def size(text: str) -> int:
    """Bytes of a size as JupyterHub writes it: "3G" is 3 * 1024**3.

    Raises:
        ValueError: it is no such size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT])", text.strip(), re.IGNORECASE)
    if not found or not float(found[1]):
        raise ValueError(f"{text!r} is no size of memory. Write a number and K, M, G or T: 3G, 2500M")
    return int(float(found[1]) * 1024 ** (1 + "KMGT".index(found[2].upper())))


def section(learners: list[int], limit: int) -> str:
    """The table of these classes, and what its numbers rest on, as Markdown.

    Raises:
        ValueError: a class has no learners.
    """
    memory, seconds = lessons()
    needs = [need(each, limit, memory, seconds) for each in learners]
    return (
        f"{table(needs)}\n\n"
        f"Memory: {HUB} MB for hub, proxy and culler, {SERVER} MB for each server, {statistics.median(memory):.0f} MB "
        f"for the usual lesson, {max(memory):.0f} MB\nfor the heaviest. Cores: a lesson takes "
        f"{statistics.median(seconds):.0f} s of one core, each cell runs {RUNS} times in {SESSION // 60} minutes, and "
        f"{PEAK} times the average is there for when\nall run the same cell; the whole lesson run by all at once takes "
        f"{max(each.minutes for each in needs):.0f} minutes. Disk: {SHARED:.0f} GB once, {HOME} GB for each learner.\n"
        f"Nodes: machines of {NODE_CORES} cores and {NODE_MEMORY} GB that hold the heaviest lesson of all."
    )


def renew(page: Path, text: str) -> None:
    """Put the section between its marks in a page.

    Raises:
        ValueError: the page has not both marks, in their order.
    """
    whole = page.read_text(encoding="utf-8")
    before, begin, rest = whole.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (begin and end):
        raise ValueError(f"{page} must hold {MARKS[0]} and, below it, {MARKS[1]}")
    new = f"{before}{begin}\n{text}\n{end}{after}"
    if new != whole:
        page.write_text(new, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("learners", nargs="*", type=int, default=list(CLASSES), help="who work at the same time")
    parser.add_argument("--memory", default=LIMIT, help=f"limit of each server ({LIMIT})")
    parser.add_argument("--page", action="store_true", help="renew the table of teaching/server.md")
    options = parser.parse_args(arguments)
    try:
        if options.page:
            renew(PAGE, section(list(CLASSES), size(LIMIT)))
        else:
            print(section(options.learners, size(options.memory)))
    except ValueError as error:
        print(f"plan: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
