"""The solution run: every lesson with its answers, in a cold kernel, the network blocked.

All cells run, all claims hold, every check finds the lesson's own answer right at the first attempt, and memory stays
under 2 GB. What each lesson took goes to build/timings.json; seconds are not asserted, since machines differ.
"""

import json
import os

import pytest
from _execute import run_lesson
from _lessons import ROOT, lessons

LESSONS = lessons()
MEMORY = 2e9  # bytes
HANGS = 600  # seconds for one cell


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_a_lesson_runs_with_its_answers(lesson):
    backend = os.environ["KERAS_BACKEND"]
    run = run_lesson(lesson, backend=backend, profile=os.environ["CNNLIB_PROFILE"], timeout=HANGS)
    assert [f"{lesson.source.name}:{lesson.line(f.cell, f.line)}: {f}" for f in run.failures] == []
    keep(lesson.name, backend, run.seconds, run.peak_megabytes)
    assert run.peak_bytes < MEMORY, f"{run.peak_megabytes:.0f} MB of memory; the budget is {MEMORY / 1e6:.0f} MB"


def keep(lesson: str, backend: str, seconds: float, megabytes: float) -> None:
    """Note what a lesson took in build/timings.json, beside what is known of the others."""
    path = ROOT / "build" / "timings.json"
    path.parent.mkdir(exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known.setdefault(lesson, {})[backend] = {"seconds": round(seconds, 1), "megabytes": round(megabytes)}
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{lesson} on {backend}: {seconds:.1f} s, {megabytes:.0f} MB")
