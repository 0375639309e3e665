"""Run a lesson once for each seed and keep what it records in data/results/.

    python tools/run_experiments.py --lesson 03                       # seeds 0 to 4
    python tools/run_experiments.py --lesson 03 --seeds 0 1 2 --backend jax --profile gpu
    python tools/run_experiments.py --lesson 03 --only 03_curves      # of several experiments this one

The lesson's own code, with its answers, is the experiment: what it gives to `cnnlib.results.Experiment.keep` is
collected, one file for each experiment, with the command, the date, the device and the versions. A rerun replaces the
file. A claim that is false in one run does not end the recording, since it may speak of all runs together: it is
printed, and `tools/check_claims.py` judges it.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from _execute import run_lesson
from _lessons import ROOT, Lesson, choose

RESULTS = ROOT / "data" / "results"
# Enough for what has no place in a lesson; a cell that hangs ends too.
TIMEOUT = 4 * 3600.0


def collect(lesson: Lesson, seed: int, backend: str, profile: str, only: Sequence[str] = ()) -> list[dict]:
    """Run the lesson with one seed; return the lines it recorded. RuntimeError if a cell fails but for a claim.

    With `only`, the experiments of these names are recorded, and the others run as in a lesson.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "recorded.jsonl"
        setting = {"backend": backend, "seed": seed, "profile": profile, "CNNLIB_RECORD_ONLY": " ".join(only)}
        run = run_lesson(lesson, timeout=TIMEOUT, keep_going=True, CNNLIB_RECORD=str(lines), **setting)
        for failure in run.failures:
            if failure.name != "ClaimFailed":
                raise RuntimeError(f"{lesson.name} with seed {seed} on {backend}: {failure}")
            print(f"{lesson.name} with seed {seed}, cell {failure.cell}: {failure.message.splitlines()[0]}", flush=True)
        if not lines.exists():
            return []
        return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]


def group(recorded: list[dict], lesson: str, command: str, day: str) -> dict[str, dict]:
    """The content of each experiment's file, from the recorded lines of all seeds.

    A seed that records an experiment more than once keeps one run of all its values. ValueError if two lines of a
    seed give the same value two contents, if lines stem from different settings, or if a seed lacks a value of another.
    """
    files: dict[str, dict] = {}
    for line in recorded:
        name = line["experiment"]
        head = {"experiment": name, "lesson": lesson, "command": command, "date": day, "setting": line["setting"]}
        file = files.setdefault(name, {**head, "runs": []})
        if file["setting"] != line["setting"]:
            raise ValueError(f"{name}: the runs stem from different settings: {file['setting']} and {line['setting']}")
        same = [run for run in file["runs"] if run["seed"] == line["seed"]]
        run = same[0] if same else {"seed": line["seed"]}
        twice = [key for key, value in line["values"].items() if run.get(key, value) != value]
        if twice:
            raise ValueError(f"{name}: seed {line['seed']} records {', '.join(twice)} twice, with different values")
        run.update(line["values"])
        if not same:
            file["runs"].append(run)
    for name, file in files.items():
        file["runs"].sort(key=lambda run: run["seed"])
        every = {key for run in file["runs"] for key in run}
        for run in file["runs"]:
            if missing := sorted(every - set(run)):
                raise ValueError(f"{name}: seed {run['seed']} did not record {', '.join(missing)}, other seeds did")
    return files


def write(files: dict[str, dict], folder: Path) -> list[Path]:
    """Write each experiment's file: one line for each run, so that a change shows as the lines that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in sorted(files.items()):
        head = json.dumps({key: value for key, value in content.items() if key != "runs"}, indent=1, ensure_ascii=False)
        runs = ",\n".join("  " + json.dumps(run, ensure_ascii=False) for run in content["runs"])
        text = f'{head[:-2]},\n "runs": [\n{runs}\n ]\n}}\n'
        path = folder / f"{name}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
        written.append(path)
    return written


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", required=True, help="number or name, as in 03")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="experiments, as in 03_curves; else all")
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--profile", default="cpu", choices=["smoke", "cpu", "gpu"])
    options = parser.parse_args(arguments)
    seeds = sorted(set(options.seeds))
    command = f"python tools/run_experiments.py --lesson {options.lesson} --seeds {' '.join(map(str, seeds))}"
    command += f" --backend {options.backend} --profile {options.profile}"
    command += f" --only {' '.join(options.only)}" if options.only else ""
    try:
        (lesson,) = choose([options.lesson])
        recorded = []
        for seed in seeds:
            recorded += collect(lesson, seed, options.backend, options.profile, options.only)
            print(f"{lesson.name}: seed {seed} done", flush=True)
        found = {line["experiment"] for line in recorded}
        if missing := sorted(set(options.only) - found):
            raise ValueError(f"{lesson.name} recorded no {', '.join(missing)}: it keeps no experiment of that name")
        written = write(group(recorded, lesson.name, command, date.today().isoformat()), RESULTS)
    except (ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in written:
        print(f"{path.relative_to(ROOT).as_posix()}  {path.stat().st_size / 1000:.1f} kB")
    if not written:
        print(f"{lesson.name} records nothing: no cell calls the keep of a cnnlib.results.Experiment")
    return 0


if __name__ == "__main__":
    sys.exit(main())
