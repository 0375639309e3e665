"""Run every lesson with its answers for several seeds on every installed backend, and say which claims do not hold.

    python tools/check_claims.py                                  # seeds 0, 1, 2; all backends; all lessons
    python tools/check_claims.py --lesson 03 --seeds 0 --backend jax --workers 1
    python tools/check_claims.py --address tcp://10.0.0.5:8786     # on a cluster

A claim on a training result must hold with a margin for all of them. Exits with 1 if anything failed. It is the
campaign `claims` of tools/campaign.py: results are kept as they come, and a second start goes on where the first
stopped.
"""

import sys

from _execute import Failure, Run, run_lesson
from _lessons import Lesson

TIMEOUT = 900.0


def run(lesson: Lesson, backend: str, seed: int) -> Run:
    """The answered lesson; cells after a failed one run too, so that all claims are tried."""
    return run_lesson(lesson, backend=backend, seed=seed, timeout=TIMEOUT, keep_going=True)


def sentence(failure: Failure) -> str:
    """A failure in one line: of a claim, the claim itself."""
    first = failure.message.splitlines()[0] if failure.message else ""
    return f"cell {failure.cell}: {first if failure.name == 'ClaimFailed' else f'{failure.name}: {first}'}"


def main(arguments: list[str] | None = None) -> int:
    """The campaign "claims" with these arguments; see tools/campaign.py."""
    import campaign

    return campaign.main(["claims", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
