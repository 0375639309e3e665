"""What tools that measure the stored runs of a lesson have in common: a command line, and a file for each experiment.

A tool has experiments, functions of a seed that return a dictionary of values, and hands them to `main`.
"""

import argparse
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from run_experiments import group, write

from cnnlib import results, runtime


def stored(file: Path) -> list[dict]:
    """The recorded lines of a file; none if it is not there."""
    if not file.exists():
        return []
    content = results.load(file)
    return [
        {"experiment": content["experiment"], "seed": run["seed"], "setting": content["setting"], "values": values}
        for run in content["runs"]
        for values in [{key: value for key, value in run.items() if key != "seed"}]
    ]


def main(
    arguments: list[str] | None,
    doc: str,
    kind: str,
    lesson: str,
    experiments: Mapping[str, Callable[[int], dict]],
    folder: Path,
) -> int:
    """Run the experiments that are asked for, each for all seeds, and write ``kind_experiment.json`` after each seed.

    Seeds that are stored are left as they are, unless ``--again`` asks for all anew.

    Args:
        arguments: of the command line; None for those of the process.
        doc: what ``--help`` says.
        kind: of the tool ``measure_kind.py``; what the files' names begin with.
        lesson: name of the lesson that shows them.
        experiments: name -> function of a seed.
        folder: where the files are.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "experiments", nargs="*", metavar="EXPERIMENT", help=f"all, or some of {', '.join(experiments)}"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure anew what is stored already")
    options = parser.parse_args(arguments)
    if unknown := set(options.experiments) - set(experiments):
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose some of {', '.join(experiments)}")
    for name in options.experiments or experiments:
        experiment = f"{kind}_{name}"
        lines = [] if options.again else stored(folder / f"{experiment}.json")
        for seed in sorted(set(options.seeds) - {each["seed"] for each in lines}):
            runtime.setup(seed)
            lines.append(results.line(experiment, seed, experiments[name](seed)))
            seeds = " ".join(map(str, sorted(each["seed"] for each in lines)))
            command = f"python tools/measure_{kind}.py {name} --seeds {seeds}"
            for path in write(group(lines, lesson, command, date.today().isoformat()), folder):
                print(f"{path.name}  {path.stat().st_size / 1000:.1f} kB, seed {seed} done", flush=True)
    return 0
