"""Campaigns on 1, 2 and 4 workers: how much of the workers' time becomes results.

    python benchmarks/campaign.py               # on this machine, and by Dask if it is installed
    python benchmarks/campaign.py --quick       # few short units, to see that it runs

Each unit is a process that trains linear classifiers with one thread for some seconds. First the units run one after
the other without a campaign, and seconds and results are noted: with n workers a campaign can
be at most n times as fast. Efficiency is that time, over n times what the campaign took; more workers than cores take
turns, and are there to show that nothing breaks. Results that differ end it with exit status 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnlib.parallel import Campaign

ROOT = Path(__file__).resolve().parents[1]
WORKERS = (1, 2, 4)
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def units(quick: bool) -> dict[str, list[str]]:
    """Name -> command: runs of a sweep, alike in cost."""
    count, epochs = (4, 5) if quick else (8, 150)
    command = ["{python}", "-m", "cnnlib.parallel.trial", "--epochs", str(epochs), "--rate", "0.03", "--seed"]
    return {f"seed {seed}": [*command, str(seed)] for seed in range(count)}


def in_a_row(commands: dict[str, list[str]]) -> tuple[float, dict[str, object]]:
    """Seconds of all units one after the other, and their results."""
    begun, results = time.perf_counter(), {}
    for name, command in commands.items():
        words = [sys.executable if word == "{python}" else word for word in command]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        results[name] = json.loads(done.stdout.splitlines()[-1])
    return time.perf_counter() - begun, results


def campaign(commands: dict, workers: int, address: str | None = None) -> tuple[float, dict[str, object]]:
    """Seconds of a campaign, and its results."""
    with tempfile.TemporaryDirectory() as folder:
        work = Campaign(commands, Path(folder) / "ledger.jsonl", folder=ROOT)
        begun = time.perf_counter()
        work.run(workers, address)
        return time.perf_counter() - begun, {name: record["value"] for name, record in work.done.items()}


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """The address of a Dask scheduler with so many workers that are there."""
    from distributed import Client

    processes = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"

        def start(module: str, *words: str) -> None:
            command = [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard"]
            processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT))

        try:
            start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show", "--scheduler-file", str(file))
            while not (file.exists() and file.read_text().strip().endswith("}")):
                time.sleep(0.05)
            address = json.loads(file.read_text())["address"]
            for _ in range(workers):
                start("dask_worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", folder)
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=60)
            yield address
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few short units")
    options, _ = parser.parse_known_args(arguments)  # options of other benchmarks, as --threads, say nothing here
    os.environ.update(THREADS, PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))
    commands = units(options.quick)
    floor, expected = in_a_row(commands)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{len(commands)} units, one after the other in {floor:.1f} s = 1.00; {cores} cores")
    dask = importlib.util.find_spec("distributed") is not None
    for name in ("this machine", *(["Dask"] if dask else [])):
        for workers in WORKERS:
            if name == "Dask":
                with cluster(workers) as address:
                    seconds, results = campaign(commands, workers, address)
            else:
                seconds, results = campaign(commands, workers)
            if results != expected:
                print(f"{name}, {workers} workers: the results differ\n  {results}\n  {expected}")
                return 1
            usable = min(workers, cores)
            print(
                f"{floor / seconds:9.2f} times as fast, efficiency {floor / seconds / usable:.2f}"
                f"  {name}, {workers} worker{'s' * (workers > 1)}{'' if workers <= cores else ' (oversubscribed)'}"
            )
    if not dask:
        print('Dask is not installed: pip install -e ".[cluster]"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
