"""Run the finished capstone projects of solutions/ from their settings, each in a cold process; store their reports.

    python tools/run_capstones.py                      # both
    python tools/run_capstones.py crowns --folder /tmp # and keep the project with its images and artefacts there

A project is made anew with its bundled images; settings, decisions and stages are those of ``solutions/capstone_NAME``.
Stored are ``report.html`` and ``summary.json``: what the test said, what was tried, and the seconds of each stage.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("crowns", "photographs")
OWN = ("project.toml", "stages.py", "review.csv")
CODE = "import json, sys; from cnnlib import capstone; print('SECONDS', json.dumps(capstone.run(sys.argv[1])))"


def make(name: str, home: Path) -> Path:
    """A project of this name with its images, as it was finished."""
    from cnnlib.capstone.bundled import write_images

    source, folder = ROOT / "solutions" / f"capstone_{name}", home / name
    folder.mkdir(parents=True)
    for file in OWN:
        if (source / file).is_file():
            shutil.copy(source / file, folder / file)
    write_images(name, folder)
    return folder


def run(folder: Path) -> dict:
    """All stages in a process of its own: seconds of each, and of the whole from a cold start, also of processors."""
    started, before = time.perf_counter(), os.times()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(folder)], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    print(done.stdout)
    stages = json.loads(done.stdout.rpartition("SECONDS ")[2])
    after = os.times()
    busy = after.children_user - before.children_user + after.children_system - before.children_system
    whole = {"all": round(time.perf_counter() - started, 1), "of processors": round(busy, 1)}
    return {**whole, "stages": {k: round(v, 1) for k, v in stages.items()}}


def store(name: str, folder: Path, seconds: dict) -> None:
    """The report, the decisions, and a summary beside the settings."""
    from cnnlib import capstone, runtime

    project, target = capstone.Project(folder), ROOT / "solutions" / f"capstone_{name}"
    test, training = project.load("test"), project.load("training")
    kept = ("n", "accuracy", "interval", "balanced", "recalls", "cost", "cost_interval", "constant", "baseline")
    summary = {key: test[key] for key in (*kept, "calibration", "openings")}
    summary["tried"] = {c["kind"]: {k: c[k] for k in ("rate", "scores")} for c in training["candidates"]}
    summary |= {"chosen": training["chosen"], "validation": training["n"], "metric": training["metric"]}
    summary["elsewhere"] = project.load("robustness")["elsewhere"]
    summary["grades"] = {finding.line.name: finding.grade for finding in capstone.check(project)}
    summary["seconds"], summary["backend"] = seconds, runtime.backend()
    summary["made_by"] = f"python tools/run_capstones.py {name}"
    for file in ("report.html", "review.csv"):
        shutil.copy(folder / file, target / file)
    text = json.dumps(summary, indent=1, ensure_ascii=False)
    (target / "summary.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, choices=[*NAMES, []], help="which; both if none is given")
    parser.add_argument("--folder", type=Path, help="where the projects are made and kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.names:
            folder = make(name, options.folder or Path(temporary))
            store(name, folder, run(folder))
            print(capstone_line(name))


def capstone_line(name: str) -> str:
    told = json.loads((ROOT / "solutions" / f"capstone_{name}" / "summary.json").read_text(encoding="utf-8"))
    seconds = told["seconds"]["of processors"]
    return f"{name}: {told['accuracy']:.3f} on {told['n']} test images, {seconds:.0f} s of processors"


if __name__ == "__main__":
    main()
