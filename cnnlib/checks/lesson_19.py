"""The checks of lesson 19, the capstone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 19.1 Find the leak ---------------------------------------------------------------------------------------------------


def leaks(parts, pairs):
    """The reference answer."""
    home = _homes(parts)
    return [(a, b) for a, b in pairs if a in home and b in home and home[a] != home[b]]


def _homes(parts) -> dict:
    return {file: name for name, files in parts.items() for file in files}


def _with_dropped(parts, pairs):
    home = _homes(parts)
    return [(a, b) for a, b in pairs if home.get(a) != home.get(b)]


def _together(parts, pairs):
    home = _homes(parts)
    return [(a, b) for a, b in pairs if a in home and b in home and home[a] == home[b]]


def _training_and_test(parts, pairs):
    train, test = set(parts.get("training", ())), set(parts.get("test", ()))
    return [(a, b) for a, b in pairs if (a in train and b in test) or (a in test and b in train)]


def _in_one_direction(parts, pairs):
    train = set(parts.get("training", ()))
    home = _homes(parts)
    return [(a, b) for a, b in pairs if a in train and b in home and b not in train]


def _as_files(parts, pairs):
    return sorted({file for pair in leaks(parts, pairs) for file in pair})


def _only_how_many(parts, pairs):
    return len(leaks(parts, pairs))


def _once_each(parts, pairs):
    return sorted(set(leaks(parts, pairs)))


def _turned(parts, pairs):
    return [(b, a) for a, b in leaks(parts, pairs)]


def _leak_cases(rng: np.random.Generator) -> Iterator[Case]:
    parts = {"training": ["a", "b", "c"], "validation": ["d", "e"], "test": ["f", "g"]}
    yield Case((parts, [("a", "f"), ("a", "b"), ("d", "g")]), about="the example")
    yield Case((parts, [("g", "b"), ("f", "c")]), about="the test image comes first")
    yield Case((parts, [("e", "c"), ("b", "d")]), about="training and validation")
    yield Case((parts, [("a", "x"), ("x", "f"), ("x", "y"), ("c", "g")]), about="an image that was dropped")
    yield Case((parts, []), about="no duplicates")
    yield Case((parts, [("a", "c"), ("d", "e")]), about="duplicates that were kept together")
    yield Case((parts, [("g", "a"), ("b", "f"), ("d", "a"), ("g", "a")]), about="a pair that is listed twice")
    for _ in range(3):
        names = [f"{place:02}.png" for place in range(20)]
        where = rng.integers(0, 4, 20)  # 3: in no part
        drawn = {name: [f for f, w in zip(names, where) if w == k] for k, name in enumerate(parts)}
        found = [tuple(rng.choice(names, 2, replace=False).tolist()) for _ in range(12)]
        yield Case((drawn, found), about="random parts")


LEAKS = FunctionExercise(
    "19.1",
    "Find the leak",
    reference=leaks,
    cases=_leak_cases,
    misconceptions=(
        Misconception(
            _with_dropped, "An image that is in no part was dropped: nothing is learnt of it and nothing tested."
        ),
        Misconception(_together, "Those are the pairs that lie in the *same* part, where they do no harm."),
        Misconception(_in_one_direction, "A pair has no order: the first one may be the test image, too."),
        Misconception(
            _training_and_test,
            "Training and test are not all: what is chosen on validation images that were trained on is chosen "
            "wrongly, "
            "and validation and test must not share images either.",
        ),
        Misconception(_as_files, "Return the pairs, not their files: a file alone does not say what it repeats."),
        Misconception(_only_how_many, "Return the pairs themselves, not how many there are."),
        Misconception(_once_each, "The pairs stand in the order they were given in, and each as often."),
        Misconception(_turned, "Each pair stays as it was given."),
    ),
    hints=(
        "For each file you need to know its part. Which structure answers that in one step?",
        "A dictionary from file to part, made by a loop over `parts.items()` and over the files of each.",
        "With it: keep a pair if both files have a part, and these parts are two.",
    ),
    remark="The check of line 3 does the same, with pairs that it finds anew.",
)


# 19.2 Where the true accuracy lies ------------------------------------------------------------------------------------

Z = 1.96


def interval(right, n):
    """The reference answer."""
    return _wilson(right, n)


def _wilson(right, n, z=Z, refuse=True, squared=True, scaled=True, centred=True):
    if refuse and (n < 1 or not 0 <= right <= n):
        raise ValueError
    share = right / n
    middle = share + z**2 / (2 * n) if centred else share
    half = z * np.sqrt(share * (1 - share) / n + (z**2 / (4 * n**2) if squared else 0))
    whole = 1 + z**2 / n if scaled else 1
    return (middle - half) / whole, (middle + half) / whole


def _wald(right, n):
    return _wilson(right, n, squared=False, scaled=False, centred=False)


def _half_width(right, n):
    low, high = _wilson(right, n)
    return low, (high - low) / 2


def _percent(right, n):
    low, high = _wilson(right, n)
    return 100 * low, 100 * high


def _turned_round(right, n):
    low, high = _wilson(right, n)
    return high, low


def _of_the_wrong(right, n):
    low, high = _wilson(right, n)
    return 1 - high, 1 - low


def _never_refuses(right, n):
    if n < 1:
        return 0.0, 1.0
    return _wilson(min(max(right, 0), n), n)


def _interval_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((81, 100), about="the example")
    yield Case((10, 10), about="all right")
    yield Case((0, 25), about="none right")
    yield Case((1, 1), about="one image")
    yield Case((1710, 2000), about="many images")
    for _ in range(3):
        n = int(rng.integers(15, 400))
        yield Case((int(rng.integers(n // 2, n)), n), about="random counts")
    yield Case((0, 0), raises=ValueError, about="no image at all")
    yield Case((11, 10), raises=ValueError, about="more right than there are")
    yield Case((-1, 10), raises=ValueError, about="a negative count")


INTERVAL = FunctionExercise(
    "19.2",
    "Where the true accuracy lies",
    reference=interval,
    cases=_interval_cases,
    misconceptions=(
        Misconception(
            _wald,
            "That is p ± 1.96 sqrt(p (1 - p) / n). With 10 of 10 right its width is 0, as if ten images proved "
            "everything.",
        ),
        Misconception(
            lambda right, n: _wilson(right, n, scaled=False),
            "The division of both ends by 1 + z² / n is missing.",
        ),
        Misconception(
            lambda right, n: _wilson(right, n, centred=False),
            "The middle is not p: z² / (2 n) is added, which draws it towards one half.",
        ),
        Misconception(
            lambda right, n: _wilson(right, n, squared=False),
            "Under the root z² / (4 n²) is missing. Without it the width is too small near 0 and 1.",
        ),
        Misconception(lambda right, n: _wilson(right, n, z=1.0), "That is z = 1, for 68 %. For 95 % take 1.96."),
        Misconception(lambda right, n: _wilson(right, n, z=1.645), "That is z = 1.645, for 90 %. For 95 % take 1.96."),
        Misconception(_half_width, "Return both ends, not an end and a half width."),
        Misconception(_percent, "Return shares from 0 to 1, not per cent."),
        Misconception(_turned_round, "The lower end comes first."),
        Misconception(_of_the_wrong, "That is the interval of the error rate. Asked is that of the accuracy."),
        Misconception(
            _never_refuses,
            "Counts that cannot be are answered. Raise a `ValueError` for no images, and for counts outside 0 to n.",
        ),
    ),
    hints=(
        "Begin with p = right / n, and compute the middle and the half width one after the other.",
        "The middle is p plus z squared over 2 n. Under the root stand two terms: p (1 - p) / n and z squared over 4 n "
        "squared. Both the middle and the half width are divided by 1 plus z squared over n.",
        "Test the counts first: no picture, less than none right, or more than there are, is a `ValueError`.",
    ),
    remark="`cnnlib.capstone.judging.interval` is this function; every share in the report stands with it.",
)

EXERCISES = [LEAKS, INTERVAL]
