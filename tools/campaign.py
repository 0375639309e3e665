"""Run what takes hours: claims, experiments, attacks on the checks, trainings of weights; on this machine or on many.

    python tools/campaign.py claims                          # every lesson, seeds 0 to 2, every installed backend
    python tools/campaign.py claims --lesson 03 --seeds 0 --backend jax --workers 2
    python tools/campaign.py claims --address tcp://10.0.0.5:8786
    python tools/campaign.py experiments --lesson 17 --seeds 0 1 2 --backend tensorflow
    python tools/campaign.py mutation --lesson 01 --lesson 02
    python tools/campaign.py weights --name lenet5_fashion_mnist --source PACKAGES --seeds 0 1 2
    python tools/campaign.py claims --table                  # run nothing, say what is missing

A unit is (lesson, backend, seed), and a process of its own. What is done is added to build/campaigns/KIND.jsonl as it
comes. A unit that fails or is killed runs again, three times at most in one start. A second start of the same state of
the sources goes on where the first stopped; `--fresh` begins anew. Exits with 1 if a unit is missing or a result bad.

By default the units run on this machine, as many at a time as cores and memory allow. With `--address` they run on the
workers of a Dask scheduler, each started in a checkout of the same state; CONTRIBUTING.md says how to start them by ssh
and on Kubernetes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from _lessons import ROOT, Lesson, choose

from cnnlib.parallel import Campaign, CampaignError

FOLDER = ROOT / "build" / "campaigns"
BACKENDS = ("tensorflow", "jax", "torch")
MEMORY = 2.5e9  # bytes of a unit: a lesson has 2 GB, and this process some


@dataclass(frozen=True)
class Unit:
    """What one process does. `lesson` is a number, or with `weights` the name of a network."""

    kind: str
    lesson: str
    backend: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.lesson} {self.backend} seed {self.seed}"

    def command(self, **more: Any) -> list[str]:
        return ["{python}", "tools/campaign.py", "--unit", json.dumps({**asdict(self), **more})]


# --- what a unit does -------------------------------------------------------------------------------------------------


class UnitError(RuntimeError):
    """A unit did not come to an end that says anything: it is to be run again."""


def _claims(unit: Unit, **_) -> dict[str, Any]:
    import check_claims

    (lesson,) = choose([unit.lesson])
    done = check_claims.run(lesson, unit.backend, unit.seed)
    dead = [failure for failure in done.failures if failure.name == "DeadKernel"]
    if dead:
        raise UnitError(str(dead[0]))
    return {
        "failures": [check_claims.sentence(failure) for failure in done.failures],
        "seconds": round(done.seconds, 1),
        "megabytes": round(done.peak_megabytes),
    }


def _experiments(unit: Unit, profile: str = "cpu", only: tuple[str, ...] = (), **_) -> dict[str, Any]:
    from run_experiments import collect

    (lesson,) = choose([unit.lesson])
    with contextlib.redirect_stdout(io.StringIO()) as said:
        lines = collect(lesson, unit.seed, unit.backend, profile, only)
    return {"lines": lines, "said": said.getvalue().splitlines()}


def _mutation(unit: Unit, **_) -> dict[str, Any]:
    return _tool("mutate.py", "--lesson", unit.lesson, "--backend", unit.backend)


def _weights(unit: Unit, source: str, **shorter: int | None) -> dict[str, Any]:
    out = FOLDER / "weights" / f"{unit.lesson}-{unit.seed}"
    words = [unit.lesson, "--source", source, "--seed", str(unit.seed), "--out", str(out)]
    for name, number in shorter.items():
        words += [f"--{name}", str(number)] if number else []
    found = _tool("train_weights.py", *words)
    if found["status"]:
        raise UnitError(" / ".join(found["last"][-3:]))
    return found


def _tool(*words: str) -> dict[str, Any]:
    """The status of a tool, and its last lines. A tool that was killed raises UnitError."""
    command = [sys.executable, str(ROOT / "tools" / words[0]), *words[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode < 0 or done.returncode > 2:
        raise UnitError(f"{words[0]} ended with status {done.returncode}: {done.stderr[-500:]}")
    return {"status": done.returncode, "last": (done.stdout or done.stderr).strip().splitlines()[-15:]}


KINDS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "claims": _claims,
    "experiments": _experiments,
    "mutation": _mutation,
    "weights": _weights,
}


def run_unit(text: str) -> int:
    """Do what a unit says; print the result as the last line."""
    given = json.loads(text)
    unit = Unit(*(given.pop(name) for name in ("kind", "lesson", "backend", "seed")))
    wanted = given.pop("state", None)
    if wanted and wanted != state():
        print(f"this checkout is at {state()}, the campaign at {wanted}: bring both to one state", file=sys.stderr)
        return 3
    try:
        value = KINDS[unit.kind](unit, **given)
    except UnitError as error:
        print(error, file=sys.stderr)
        return 3
    print("\n" + json.dumps(value, ensure_ascii=False))
    return 0


# --- the campaign -----------------------------------------------------------------------------------------------------


def state() -> str:
    """The commit of the checkout, and a fingerprint of what was changed since: results of two states are not mixed."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, errors="replace")
        return done.stdout if done.returncode == 0 else ""

    commit = git("rev-parse", "--short=12", "HEAD").strip() or "no repository"
    changed = git("diff", "HEAD", "--", "cnnlib", "solutions", "tools", "data", "tests")
    changed += git("ls-files", "--others", "--exclude-standard", "cnnlib", "solutions", "tools")
    return commit + (f"+{hashlib.sha256(changed.encode()).hexdigest()[:8]}" if changed else "")


def at_a_time() -> int:
    """How many units this machine runs at once: as many as it has cores, if memory allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import psutil
    except ImportError:
        return cores
    return max(1, min(cores, int(psutil.virtual_memory().available // MEMORY)))


def units_of(options: argparse.Namespace) -> list[Unit]:
    """The units of a campaign, in the order in which they are run. ValueError for a lesson that is not there."""
    if options.kind == "weights":
        return [Unit("weights", name, "torch", seed) for name in options.name for seed in options.seeds]
    lessons: list[Lesson] = choose(options.lesson)
    backends = options.backend or (["tensorflow"] if options.kind == "experiments" else installed())
    seeds = [0] if options.kind == "mutation" else options.seeds
    return [Unit(options.kind, x.number, backend, seed) for x in lessons for backend in backends for seed in seeds]


def installed() -> list[str]:
    """The backends that can be imported here; workers of a cluster are to have the same."""
    import importlib.util

    return [name for name in BACKENDS if importlib.util.find_spec(name)]


def table(units: list[Unit], campaign: Campaign) -> str:
    """Lessons and backends in rows, seeds in columns: ✔, how many claims failed, ✘ failed, · missing."""
    done, failed = campaign.done, campaign.failed
    seeds = sorted({unit.seed for unit in units})
    rows = list(dict.fromkeys((unit.lesson, unit.backend) for unit in units))
    known = {(unit.lesson, unit.backend, unit.seed): unit for unit in units}
    width = max(len(lesson) for lesson, _ in rows)
    head = f"{'':<{width}}  {'backend':<10}  " + "  ".join(f"seed {seed}" for seed in seeds)
    lines = [head, "-" * len(head)]

    def mark(unit: Unit | None) -> str:
        if unit is None:
            return "-"
        if unit.name in done:
            return _mark(done[unit.name]["value"])
        return "✘" if unit.name in failed else "·"

    for lesson, backend in rows:
        marks = [f"{mark(known.get((lesson, backend, seed))):>6}" for seed in seeds]
        lines.append(f"{lesson:<{width}}  {backend:<10}  " + "  ".join(marks))
    lines.append(f"{len(done)} of {len(units)} done" + (f", {len(failed)} failed (✘)" if failed else ""))
    return "\n".join(lines)


def _mark(value: dict[str, Any]) -> str:
    return "✔" if not _bad(value) else str(len(value.get("failures", ())) or "✘")


def _bad(value: dict[str, Any]) -> bool:
    return bool(value.get("failures") or value.get("status"))


def tell(record: dict[str, Any]) -> None:
    """One line for each result, as it comes; below it what failed in it."""
    what = {"done": "", "again": "  is run again: ", "failed": "  FAILED: "}[record["status"]]
    print(f"{record['unit']}  {record['seconds']:.0f} s{what}{record.get('error', '')}", flush=True)
    value = record.get("value", {})
    for line in value.get("failures", ()) if "failures" in value else value.get("last", ())[-3:]:
        print(f"    {line}", flush=True)


def keep_experiments(units: list[Unit], campaign: Campaign, options: argparse.Namespace) -> list[Path]:
    """Write data/results/ of the lessons all of whose seeds are there. ValueError if runs do not fit together."""
    from run_experiments import RESULTS, group, write

    written = []
    for lesson in dict.fromkeys(unit.lesson for unit in units):
        own = [unit for unit in units if unit.lesson == lesson]
        if any(unit.name not in campaign.done for unit in own):
            continue
        seeds = " ".join(str(unit.seed) for unit in own)
        command = f"python tools/campaign.py experiments --lesson {lesson} --seeds {seeds} --backend {own[0].backend}"
        command += f" --profile {options.profile}" + (f" --only {' '.join(options.only)}" if options.only else "")
        lines = [line for unit in own for line in campaign.done[unit.name]["value"]["lines"]]
        written += write(group(lines, choose([lesson])[0].name, command, date.today().isoformat()), RESULTS)
    return written


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--unit"]:
        return run_unit(arguments[1])
    options = _parser().parse_args(arguments)
    if options.kind == "weights" and not options.name:
        print("which networks? --name lenet5_fashion_mnist, several times for several", file=sys.stderr)
        return 1
    if options.kind == "weights" and not options.source:
        print("where are the packages with the images? --source FOLDER, as of tools/prepare_data.py", file=sys.stderr)
        return 1
    if options.kind == "experiments" and len(options.backend or [0]) > 1:
        print("experiments are kept of one backend: give one --backend", file=sys.stderr)
        return 1
    try:
        units = units_of(options)
        more: dict[str, Any] = {}
        if options.kind == "experiments":
            more = {"profile": options.profile, "only": options.only}
        elif options.kind == "weights":
            more = {"source": str(options.source.resolve()), "epochs": options.epochs, "images": options.images}
        path = options.ledger or FOLDER / f"{options.kind}.jsonl"
        if options.fresh and path.exists():
            path.replace(path.with_suffix(".before.jsonl"))
        now = state()
        commands = {unit.name: unit.command(state=now, **more) for unit in units}
        campaign = Campaign(commands, path, now, attempts=options.attempts, timeout=options.timeout, folder=ROOT)
        if not options.table:
            ready = len(units) - len(campaign.missing)
            if ready:
                print(f"{ready} of {len(units)} units are done already ({path.name}; --fresh begins anew)", flush=True)
            campaign.run(options.workers or at_a_time(), options.address, tell)
        print("\n" + table(units, campaign))
        if options.kind == "experiments" and not options.table:
            for file in keep_experiments(units, campaign, options):
                print(file.relative_to(ROOT).as_posix())
    except (CampaignError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return int(bool(campaign.missing) or any(_bad(record["value"]) for record in campaign.done.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--lesson", action="append", help="number or name; may be given more than once")
    parser.add_argument("--name", action="append", help="of weights: a network of tools/train_weights.py")
    parser.add_argument("--source", type=Path, metavar="PACKAGES", help="of weights: folder of the packages of images")
    parser.add_argument("--epochs", type=int, help="of weights: instead of those of the recipe")
    parser.add_argument("--images", type=int, help="of weights: train on the first images only")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="may be given more than once")
    parser.add_argument("--profile", default="cpu", choices=["smoke", "cpu", "gpu"], help="of experiments")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of experiments: these, as in 03_curves")
    parser.add_argument(
        "--workers", type=int, help="units at a time on this machine; as many as cores and memory allow"
    )
    parser.add_argument("--address", help="of a Dask scheduler: its workers run the units")
    parser.add_argument("--attempts", type=int, default=3, help="of a unit that fails, in one start")
    parser.add_argument("--timeout", type=float, default=6 * 3600.0, help="seconds for one attempt")
    parser.add_argument("--fresh", action="store_true", help="begin anew; the ledger before is kept beside it")
    parser.add_argument("--table", action="store_true", help="run nothing, say what is done and what is missing")
    parser.add_argument("--ledger", type=Path, help="another file than build/campaigns/KIND.jsonl")
    return parser


if __name__ == "__main__":
    sys.exit(main())
