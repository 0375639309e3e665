"""Measure every lesson on this machine and write the course map of the README.

    python tools/timings.py                       # measure all on the fast kind of processor, rewrite the table
    python tools/timings.py --kind slow           # the column of the slow kind
    ONEDNN_MAX_CPU_ISA=AVX2 python tools/timings.py --kind slow --share 0.6   # ... imitated on a fast one
    python tools/timings.py --lesson 02           # measure one; the other rows keep their numbers
    python tools/timings.py --backend jax         # measure and print only: the table is that of TensorFlow
    python tools/timings.py --table               # measure nothing; write the table anew

Seconds are wall clock from the start of a cold kernel to the end of the last cell, the answers filled in; memory is
the peak of the kernel and its children. They are kept in `data/timings.json` together with the processor's name and its
speed index, from which `runtime.setup` tells a learner what a lesson will take on another machine. Question and minutes
come from the lesson itself.

With `--share` a slower processor is imitated: the kernel and all that it starts are stopped and continued, so that they
work for this share of the time. The index is measured in the same way, and the table says so.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from _execute import run_lesson
from _lessons import ROOT, Lesson, choose, lessons

from cnnlib import speed

BEGIN, END = "<!-- timings:begin -->", "<!-- timings:end -->"
KINDS = ("fast", "slow")
HEAD = "| lesson | question | reading | exercises | fast | slow | memory |\n|---|---|--:|--:|--:|--:|--:|"
STORED = ROOT / "data" / "timings.json"
INDEX = "from cnnlib import runtime, speed; runtime.setup(); print(speed.measure(6))"


@dataclass(frozen=True)
class Cost:
    seconds: float
    megabytes: float


def measure(lesson: Lesson, backend: str = "tensorflow") -> Cost:
    """Run the answered lesson once in a cold kernel; RuntimeError if a cell fails."""
    run = run_lesson(lesson, backend=backend)
    if run.failures:
        raise RuntimeError(f"{lesson.name} on {backend}: {run.failures[0]}")
    return Cost(run.seconds, run.peak_megabytes)


@contextmanager
def slowed(share: float = 1.0, period: float = 0.04) -> Iterator[None]:
    """In this block, what this process has started works for a share of the time: stopped for the rest of each period.

    ValueError for a share that is not above 0 and at most 1; OSError where a system cannot stop a process (Windows).
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}: expected more than 0, and at most 1 (the whole time)")
    if share == 1:
        yield
        return
    if not hasattr(signal, "SIGSTOP"):
        raise OSError("this system cannot stop a process for a while: measure without --share")
    this, finish = psutil.Process(), threading.Event()

    def tell(family: list[psutil.Process], what: signal.Signals) -> None:
        for member in family:
            try:
                member.send_signal(what)
            except psutil.Error:  # ended in between
                continue

    def take_turns() -> None:
        while not finish.wait(period * share):
            family = this.children(recursive=True)
            tell(family, signal.SIGSTOP)
            finish.wait(period * (1 - share))
            tell(family, signal.SIGCONT)

    thread = threading.Thread(target=take_turns, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finish.set()
        thread.join()


def machine() -> dict:
    """This machine: processor, instructions, cores, speed index; no lessons yet."""
    done = subprocess.run([sys.executable, "-c", INDEX], cwd=ROOT, capture_output=True, text=True, check=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": speed.processor(),
        "instructions": speed.instructions(),
        "cores": cores,
        "index": round(float(done.stdout.split()[-1]), 2),
        "lessons": {},
    }


def merge(known: dict, kind: str, here: dict, measured: dict[str, Cost]) -> dict:
    """The content of data/timings.json with what was measured on this machine as that kind of processor.

    The column of one kind stems from one machine: measured on another, a column starts anew.
    """
    processors = dict(known.get("processors", {}))
    before = processors.get(kind, {})
    same = all(before.get(name) == here.get(name) for name in ("processor", "instructions", "cores", "share"))
    costs = dict(before.get("lessons", {})) if same else {}
    costs |= {
        name.partition("_")[0]: {"seconds": round(cost.seconds, 1), "megabytes": round(cost.megabytes)}
        for name, cost in measured.items()
    }
    # The index is measured beside the lessons: that of a run over all of them counts.
    index = here["index"] if not same or len(measured) == len(costs) else before["index"]
    processors[kind] = {**here, "index": index, "lessons": dict(sorted(costs.items()))}
    return {"processors": {name: processors[name] for name in KINDS if name in processors}}


def row(lesson: Lesson, timings: dict) -> str:
    """A line of the course map."""
    opening = lesson.opening()
    link = f"[{opening.number} {opening.title}](notebooks/{lesson.path.name})"
    exercises = f"{opening.exercises} min" if opening.exercises else "none"
    costs = [timings.get("processors", {}).get(kind, {}).get("lessons", {}).get(lesson.number) for kind in KINDS]
    seconds = [f"{cost['seconds']:.0f} s" if cost else "–" for cost in costs]
    memory = max((cost["megabytes"] for cost in costs if cost), default=None)
    last = f"{memory / 1000:.1f} GB" if memory else "–"
    return f"| {link} | {opening.question} | {opening.reading} min | {exercises} | {' | '.join(seconds)} | {last} |"


def legend(timings: dict) -> str:
    """What the columns were measured on."""
    said = []
    for kind, each in timings.get("processors", {}).items():
        name = " with ".join(filter(None, [each["processor"], each["instructions"]]))
        name += f", slowed to {each['share']:.0%} of its time" if "share" in each else ""
        said.append(f"*{kind}*: {name}, {each['cores']} cores, speed index {each['index']:.2f}")
    return f"Seconds of a whole lesson · {' · '.join(said)}." if said else ""


def replace_table(readme: str, table: str) -> str:
    """The README with `table` between the markers; ValueError if they are not there, once each and in order."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(END) < readme.index(BEGIN):
        raise ValueError(f"README.md must have {BEGIN} and, below it, {END}, once each")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def rewrite(readme: Path, found: list[Lesson], timings: dict) -> None:
    """Write the table from what is stored; a dash where nothing is."""
    rows = [row(lesson, timings) for lesson in found]
    said = legend(timings)
    text = "\n".join([HEAD, *rows, *(["", said] if said else [])])
    store(readme, replace_table(readme.read_text(encoding="utf-8"), text))


def store(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", action="append", help="number or name; may be given more than once")
    parser.add_argument("--kind", default="fast", choices=KINDS, help="the column that this machine stands for")
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--share", type=float, default=1.0, help="let lessons work for this share of the time only")
    parser.add_argument("--table", action="store_true", help="measure nothing; write the table from what is stored")
    options = parser.parse_args(arguments)
    measured: dict[str, Cost] = {}
    kept = options.backend == "tensorflow"
    try:
        timings = speed.load(STORED)
        if not options.table:
            chosen = choose(options.lesson)
            with slowed(options.share):
                here = machine() if kept else {}
            here |= {"share": options.share} if options.share < 1 else {}
            print(" · ".join([speed.processor(), speed.instructions(), f"index {here.get('index', '–')}"]), flush=True)
            known = timings
            for lesson in chosen:
                with slowed(options.share):
                    cost = measured[lesson.name] = measure(lesson, options.backend)
                print(f"{lesson.name}  {cost.seconds:.1f} s  {cost.megabytes:.0f} MB", flush=True)
                if kept:  # after each, so that what is interrupted is not lost
                    timings = merge(known, options.kind, here, measured)
                    store(STORED, json.dumps(timings, indent=1, ensure_ascii=False) + "\n")
        if kept:
            rewrite(ROOT / "README.md", lessons(), timings)
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
