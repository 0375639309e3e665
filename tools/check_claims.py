"""Run every lesson with its answers for several seeds on every installed backend, and say which claims do not hold.

    python tools/check_claims.py                                  # seeds 0, 1, 2; all backends; all lessons
    python tools/check_claims.py --lesson 03 --seeds 0 --backend jax

A claim on a training result must hold with a margin for all of them. Exits with 1 if anything failed.
"""

import argparse
import importlib.util
import sys

from _execute import Failure, Run, run_lesson
from _lessons import Lesson, choose

BACKENDS = ("tensorflow", "jax", "torch")
TIMEOUT = 900.0


def installed() -> list[str]:
    """The backends that can be imported here."""
    return [name for name in BACKENDS if importlib.util.find_spec(name)]


def run(lesson: Lesson, backend: str, seed: int) -> Run:
    """The answered lesson; cells after a failed one run too, so that all claims are tried."""
    return run_lesson(lesson, backend=backend, seed=seed, timeout=TIMEOUT, keep_going=True)


def sentence(failure: Failure) -> str:
    """A failure in one line: of a claim, the claim itself."""
    first = failure.message.splitlines()[0] if failure.message else ""
    return f"cell {failure.cell}: {first if failure.name == 'ClaimFailed' else f'{failure.name}: {first}'}"


def table(results: dict[tuple[str, str, int], Run]) -> str:
    """Lessons and backends in rows, seeds in columns; a dot, or how many cells failed."""
    seeds = sorted({seed for _, _, seed in results})
    rows = sorted({(name, backend) for name, backend, _ in results}, key=lambda row: (row[0], BACKENDS.index(row[1])))
    width = max(len(name) for name, _ in rows)
    head = f"{'lesson':<{width}}  {'backend':<10}  " + "  ".join(f"seed {seed}" for seed in seeds)
    lines = [head, "-" * len(head)]
    for name, backend in rows:
        marks = [_mark(results.get((name, backend, seed))) for seed in seeds]
        lines.append(f"{name:<{width}}  {backend:<10}  " + "  ".join(f"{mark:>6}" for mark in marks))
    return "\n".join(lines)


def _mark(run: Run | None) -> str:
    if run is None:
        return "-"
    return str(len(run.failures)) if run.failures else "✔"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", action="append", help="number or name; may be given more than once")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="may be given more than once")
    options = parser.parse_args(arguments)
    try:
        chosen = choose(options.lesson)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    results: dict[tuple[str, str, int], Run] = {}
    for lesson in chosen:
        for backend in options.backend or installed():
            for seed in options.seeds:
                done = results[lesson.name, backend, seed] = run(lesson, backend, seed)
                print(f"{lesson.name}  {backend}  seed {seed}  {done.seconds:.0f} s", flush=True)
                for failure in done.failures:
                    print(f"    {sentence(failure)}", flush=True)
    if results:
        print("\n" + table(results))
    return int(any(done.failures for done in results.values()))


if __name__ == "__main__":
    sys.exit(main())
