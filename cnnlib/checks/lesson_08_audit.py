"""The check of 08.7: what is wrong with a collection that nobody has looked at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnlib import audit
from cnnlib.exercises.compare import describe
from cnnlib.exercises.kinds import CheckExercise, Wrong, as_array

ENOUGH, MOST = 10, 20  # of the twelve wrong labels; labels that somebody will look at
_KEYS = ("faulty", "leaked", "wrong")


def _numbers(came: object, name: str, count: int) -> set[int]:
    """The learner's list as a set of whole numbers in 0 ... count - 1."""
    if np.asarray(came).dtype == bool:
        raise Wrong(
            f"`{name}` is a truth value for each picture.",
            likely="The numbers of the pictures are asked for: `np.flatnonzero` gives those where a condition holds.",
        )
    values = as_array(came, (None,), f"`{name}`") if np.size(came) else np.zeros(0)
    if (values != np.round(values)).any():
        raise Wrong(f"`{name}` holds numbers that are not whole.", came=describe(came))
    if values.size and (values.min() < 0 or values.max() >= count):
        raise Wrong(
            f"`{name}` names picture {int(values.max())}, and there are {count}, counted from 0.",
            likely="`leaked` are numbers of test pictures, the other two of training pictures.",
        )
    return set(values.astype(int).tolist())


def _check_audit(find: Callable, rng: np.random.Generator) -> None:
    if not callable(find):
        raise Wrong("The check needs the function itself, without parentheses behind its name.", came=describe(find))
    given = audit.collection()
    answer = find(given.x_train, given.y_train, given.x_test)
    if answer is None:
        raise Wrong("`find` returns nothing. Is a `return` missing?")
    if not isinstance(answer, dict) or set(answer) != set(_KEYS):
        raise Wrong("The result should be three lists by name: faulty, leaked, wrong.", came=describe(answer))
    sizes = {"faulty": audit.TRAIN, "leaked": audit.TEST, "wrong": audit.TRAIN}
    found = {name: _numbers(answer[name], name, sizes[name]) for name in _KEYS}
    truth = audit.faults()
    _check_ranges(found["faulty"], set(truth.dark.tolist()))
    _check_leak(found["leaked"], truth)
    _check_labels(found["wrong"], truth)


def _check_ranges(found: set[int], dark: set[int]) -> None:
    if not found:
        raise Wrong(
            "You found no picture out of range.",
            likely="A range has two ends. Look at the largest value of each picture, and at the smallest of those.",
        )
    if found == dark:
        return
    if found == set(range(audit.TRAIN)) - dark:
        raise Wrong(
            "Those of `faulty` are the pictures that are as they should be.", likely="The others are asked for."
        )
    likely = "Sort the largest values of all pictures: they fall into two heaps far apart."
    if found > dark:
        raise Wrong(f"{len(found - dark)} of the {len(found)} pictures of `faulty` are in order.", likely=likely)
    missed = len(dark - found)
    raise Wrong(f"{missed} pictures out of range are not in `faulty`.", came=f"{len(found)} numbers", likely=likely)


def _check_leak(found: set[int], truth: audit.Faults) -> None:
    leaked = set(truth.leaked.tolist())
    if found == leaked:
        return
    if not found:
        raise Wrong(
            "You found no leaked picture.",
            likely="No two are equal pixel by pixel: the copies are brighter or darker. Compare them without that.",
        )
    false, missed = len(found - leaked), len(leaked - found)
    in_dark = {int(n) for n, twin in zip(truth.leaked, truth.twins) if twin in truth.dark}
    if not false and leaked - found <= in_dark:
        raise Wrong(
            f"{missed} leaked pictures are missing: their twins are among the faulty training pictures.",
            likely="Mend the range first, then compare.",
        )
    if missed == 0:
        raise Wrong(
            f"All leaked pictures are there, and {false} more that are only alike.",
            likely="Two boots can have the same fingerprint. Let it make a short list, then compare the pixels, both "
            "pictures brought to the same brightness.",
        )
    raise Wrong(
        f"{missed} leaked pictures are missing, and {false} of `leaked` are none.",
        likely="Compare pictures that are brought to the same brightness: divide each by its mean or its length.",
    )


def _check_labels(found: set[int], truth: audit.Faults) -> None:
    wrong = set(truth.wrong.tolist())
    right = len(found & wrong)
    if len(found) > MOST:
        raise Wrong(
            f"`wrong` has {len(found)} pictures, and {right} of the 12 wrong labels.",
            expected=f"{MOST} pictures at most",
            likely="Keep those that are most in doubt. Judge a label by several neighbours, not by one, and by "
            "pictures whose range is mended.",
        )
    if right >= ENOUGH:
        return
    if found and len(found & set(truth.leaked.tolist())) == len(found):
        raise Wrong(
            "Those of `wrong` are the leaked test pictures.", likely="Labels of *training* pictures are asked for."
        )
    if right and wrong - found <= set(truth.dark.tolist()):
        raise Wrong(
            f"{12 - right} wrong labels are missing: those of pictures whose range is wrong.",
            likely="Mend the range first, then ask which labels the neighbours do not believe.",
        )
    raise Wrong(
        f"`wrong` has {right} of the 12 wrong labels.",
        expected=f"{ENOUGH} or more, in a list of {MOST} at most",
        likely="A picture must not judge its own label: leave it out of its neighbours, or train on the other half. "
        "Then take those whose label the judges do not share.",
    )


AUDIT = CheckExercise(
    "08.7",
    "The audit",
    check=_check_audit,
    hints=(
        "Look at each of the three with one number for each picture: its largest value, how alike it is to the most "
        "alike picture of the other set, how many of its neighbours share its label.",
        "First the range. Divide or multiply the faulty ones by what went wrong, in a copy, and go on with that.",
        "For doubles take the mean off each picture, and divide by its length. The product of two such rows is 1 if "
        "they show the same, however bright, and clearly less if they do not.",
        "For the labels: the same products among the training pictures, without a picture's own. Let the five most "
        "alike vote.",
    ),
    remark="A leak of a sixth of the test set hardly moved the accuracy here, since the task is easy. It is found by "
    "looking, not by the accuracy.",
)
