"""The checks of lesson 08, data and augmentation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.checks.lesson_08_audit import AUDIT
from cnnlib.checks.lesson_08_pictures import MIRROR, MIXUP, STANDARDISE
from cnnlib.exercises.compare import Opaque, describe
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, Wrong, as_array


def _generator(rng: np.random.Generator) -> np.random.Generator:
    """A generator of its own for each call of the learner's function."""
    return np.random.default_rng(int(rng.integers(2**32)))


def _indices(came: object, name: str, count: int) -> np.ndarray:
    """The learner's indices as whole numbers in 0 ... count - 1."""
    if np.asarray(came).dtype == bool:
        raise Wrong(
            f"{name[:1].upper()}{name[1:]} is a truth value for each example.",
            came=came,
            likely="The positions are asked for: `np.flatnonzero` gives those where a condition holds.",
        )
    numbers = as_array(came, (None,), name) if np.size(came) else np.zeros(0, int)
    if numbers.dtype.kind == "f":
        raise Wrong(
            f"{name[:1].upper()}{name[1:]} holds floats.",
            came=came,
            expected="integers",
            likely="NumPy takes whole numbers as indices, and no floats: `images[train]` would stop with an error. "
            "`astype(int)` makes integers.",
        )
    if numbers.size and (numbers.min() < 0 or numbers.max() >= count):
        raise Wrong(
            f"{name[:1].upper()}{name[1:]} names example {int(numbers.max())}, and there are {count}, counted from 0.",
            likely="Hand back positions, not what stands there.",
        )
    return numbers.astype(np.int64)


def _refuses(call: Callable, tried: str, likely: str) -> None:
    """Wrong unless the call raises a ValueError."""
    try:
        came = call()
    except ValueError:
        return
    raise Wrong(
        "A bad argument is not refused.", tried=tried, came=describe(came), expected="a ValueError", likely=likely
    )


# 08.1 Grouped split ---------------------------------------------------------------------------------------------------


def _check_group_split(answer: Callable, rng: np.random.Generator) -> None:
    if not callable(answer):
        raise Wrong("The check needs the function itself, without parentheses behind its name.", came=describe(answer))
    for sizes, share in (((1,) * 8, 0.5), ((1,) * 12, 0.5), ((9, 1, 1, 1, 1, 1), 0.3), ((2, 5, 3, 4, 1, 7, 2), 0.25)):
        names = rng.choice(np.arange(20, 90), len(sizes), replace=False)
        groups = rng.permutation(np.repeat(names, sizes))
        for _ in range(4):
            _check_one_split(answer(groups.copy(), share, _generator(rng)), groups, share)
    _check_draws(answer, rng)
    for groups, share in ((np.array([4, 4, 4]), 0.2), (np.array([4, 9, 4]), 0.6), (np.array([4, 9, 4]), 1.5)):
        _refuses(
            lambda groups=groups, share=share: answer(groups, share, _generator(rng)),
            f"group_split({groups.tolist()}, {share}, rng)",
            "Rounded up, the share is all groups there are, or more. Nothing is left to train on.",
        )


def _check_one_split(came: object, groups: np.ndarray, share: float) -> None:
    tried = f"group_split({groups.tolist()}, {share}, rng)"
    if came is None:
        raise Wrong("`group_split` returns nothing. Is a `return` missing?")
    if not isinstance(came, (tuple, list)) or len(came) != 2:
        raise Wrong("The result should be a pair, (train, test).", tried=tried, came=describe(came))
    train, test = (_indices(side, name, len(groups)) for side, name in zip(came, ("train", "test")))
    both = np.sort(np.concatenate([train, test]))
    if len(set(train.tolist()) & set(test.tolist())):
        raise Wrong("An example is in both sets.", tried=tried, came=describe(came))
    if not np.array_equal(both, np.arange(len(groups))):
        raise Wrong(
            "Each example should be in one of the two sets, once.",
            tried=tried,
            came=f"{len(both)} indices for {len(groups)} examples",
            likely="Return positions of examples, and all of them: those of a held-out group go to the test set, all "
            "others to the training set.",
        )
    in_train, in_test = set(groups[train].tolist()), set(groups[test].tolist())
    if in_train & in_test:
        raise Wrong(
            f"Group {min(in_train & in_test)} is on both sides.",
            tried=tried,
            came=describe(came),
            likely="You draw examples. Draw among the *names* of the groups, then see which examples bear one of them.",
        )
    expected = math.ceil(share * len(in_train | in_test))
    if len(in_test) == expected:
        return
    if len(in_train) == expected:
        likely = "Training and test set have changed places."
    elif len(set(groups.tolist())) == len(groups):
        likely = (
            "Draw exactly that many groups, each at most once: not with replacement, nor by tossing for each. And "
            "rounding up changes nothing where the share is a whole number of groups already."
        )
    elif len(in_test) == int(share * len(in_train | in_test)) or len(in_test) == round(share * len(in_train | in_test)):
        likely = "The number of groups is rounded up."
    else:
        likely = "The share is one of the *groups*, however many examples each of them has."
    raise Wrong(
        "Another number of groups should be held out.",
        tried=tried,
        came=f"{len(in_test)} of {len(in_train | in_test)} groups",
        expected=f"{expected} groups",
        likely=likely,
    )


def _check_draws(answer: Callable, rng: np.random.Generator) -> None:
    groups = np.array([3, 1, 2, 0, 3, 1, 4])
    seeds = rng.integers(2**32, size=60)

    def held_out() -> list[frozenset]:
        tests = (answer(groups.copy(), 0.2, np.random.default_rng(seed))[1] for seed in seeds)
        return [frozenset(groups[_indices(test, "test", len(groups))].tolist()) for test in tests]

    drawn = held_out()
    if len(set(drawn)) == 1:
        raise Wrong(
            f"The same group is held out each time, {set(drawn[0])}, whatever `rng` is.",
            likely="Draw the groups with `rng`. The first or the last ones may differ from the others.",
        )
    if len(set(drawn)) < 5:
        raise Wrong("In 60 draws some group is never held out. Each should have the same chance.")
    if drawn != held_out():
        raise Wrong("Twice the same `rng`, and two results.", likely="All draws should come from `rng`.")
    groups = np.array([8] * 16 + [2, 5, 6, 9])
    often = sum(8 in names for names in held_out())
    if often > 29:  # 12 of 60 are expected, and over 29 comes once in ten million checks; by size it is 48
        raise Wrong(
            f"A group of 16 examples beside four groups of one is held out {often} times of 60.",
            expected="about 12 times of 60, as each of the five groups",
            likely="You draw an example and take its group, so a large group comes more often. Draw among the names "
            "of the groups, each once.",
        )


GROUPED_SPLIT = CheckExercise(
    "08.1",
    "Grouped split",
    check=_check_group_split,
    hints=(
        "First find out which groups there are, each once. What is drawn are those.",
        "`np.unique` gives the names, `rng.permutation` shuffles them, and `np.isin` tells which examples bear one of "
        "the names that were drawn.",
        "`np.ceil` rounds up and returns a float, which cannot cut a list: make it an integer. And compare the count "
        "with the number of names before you draw.",
    ),
    remark="scikit-learn has it as GroupShuffleSplit, this course as splits.grouped_split.",
)


# 08.2 Throw out the doubles -------------------------------------------------------------------------------------------


def keep(hashes, distance):
    """The reference answer."""
    return _kept(hashes, distance)


def _kept(
    hashes,
    distance,
    near: Callable[[int, float], bool] = lambda bits, limit: bits <= limit,
    against: Callable[[list[int], int], list[int]] = lambda kept, number: kept,
    unlike: Callable[[np.ndarray, np.ndarray], float] = lambda a, b: np.sum(a != b),
    refuse: bool = True,
) -> list[int]:
    """The walk with one of its parts exchanged."""
    if refuse and distance < 0:
        raise ValueError
    kept: list[int] = []
    for number, code in enumerate(hashes):
        if not any(near(unlike(code, hashes[other]), distance) for other in against(kept, number)):
            kept.append(number)
    return kept


def _no_survivor(hashes, distance):
    """Both pictures of a pair go."""
    if distance < 0:
        raise ValueError
    unlike = (np.asarray(hashes)[:, None] != np.asarray(hashes)[None]).sum(axis=-1)
    np.fill_diagonal(unlike, distance + 1)
    return [number for number, row in enumerate(unlike) if not (row <= distance).any()]


def _unlike_one(hashes, distance):
    """A picture stays if it is unlike any one of those kept."""
    if distance < 0:
        raise ValueError
    kept: list[int] = []
    for number, code in enumerate(hashes):
        if not kept or any(np.sum(code != hashes[other]) > distance for other in kept):
            kept.append(number)
    return kept


def _last_stays(hashes, distance):
    count = len(hashes)
    return sorted(count - 1 - number for number in _kept(np.asarray(hashes)[::-1], distance))


def _is_mask(came: object, expected: object, case: Case) -> bool:
    return not isinstance(came, Opaque) and np.asarray(came).dtype == bool and np.size(came) == len(case.args[0])


def _are_codes(came: object, expected: object, case: Case) -> bool:
    return not isinstance(came, Opaque) and np.ndim(came) == 2 and np.shape(came)[1] == case.args[0].shape[1]


def _by_groups(hashes, distance):
    """One of each group of pictures that hang together by pairs."""
    if distance < 0:
        raise ValueError
    first = list(range(len(hashes)))
    for number, code in enumerate(hashes):
        for other in range(number):
            if np.sum(code != hashes[other]) <= distance:
                old, new = max(first[number], first[other]), min(first[number], first[other])
                first = [new if name == old else name for name in first]
    return sorted(set(first))


def _first_always(hashes, distance):
    """Begins with picture 0 as kept, whether it is there or not."""
    return _kept(hashes, distance) or [0]


def _the_removed(hashes, distance):
    kept = set(_kept(hashes, distance))
    return [number for number in range(len(hashes)) if number not in kept]


def _hash_cases(rng: np.random.Generator) -> Iterator[Case]:
    example = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]], dtype=bool)
    yield Case((example, 1), about="the example of the exercise")
    yield Case((example, 0), about="a distance of 0")
    twins = np.repeat(rng.random((3, 32)) < 0.5, (1, 3, 2), axis=0)
    yield Case((twins[rng.permutation(6)], 0), about="pictures that are there several times")
    chain = np.tril(np.ones((9, 8), dtype=bool), -1)
    yield Case((chain, 2), about="a chain, each picture one bit from the next")
    yield Case((chain[:1], 3), about="one picture")
    for distance in (1, 3, 5, 6, 8):
        centres = rng.random((4, 16)) < 0.5
        codes = centres[rng.integers(0, 4, 14)] ^ (rng.random((14, 16)) < 0.12)
        yield Case((codes, distance), about=f"14 pictures of 4 scenes, distance {distance}")
    yield Case((np.zeros((0, 8), dtype=bool), 2), about="no pictures")
    yield Case((example, -1), raises=ValueError, about="a negative distance")


DEDUPE = FunctionExercise(
    "08.2",
    "Throw out the doubles",
    reference=keep,
    cases=_hash_cases,
    misconceptions=(
        Misconception(_first_always, "Where there are no pictures, picture 0 is kept all the same."),
        Misconception(
            lambda hashes, distance: _kept(hashes, distance, near=lambda bits, limit: bits < limit),
            "A picture that differs in exactly `distance` bits is a double too: *at most*.",
        ),
        Misconception(
            lambda hashes, distance: _kept(hashes, distance, against=lambda kept, number: list(range(number))),
            "You compare with all earlier pictures. One that was thrown out no longer counts: compare with those that "
            "were kept.",
        ),
        Misconception(
            lambda hashes, distance: _kept(hashes, distance, against=lambda kept, number: kept[-1:]),
            "You compare with the last one kept only. Doubles may stand anywhere before.",
        ),
        Misconception(
            lambda hashes, distance: _kept(
                hashes, distance, against=lambda kept, number: [number - 1] if number else []
            ),
            "You compare with the picture before only. Doubles may stand anywhere before.",
        ),
        Misconception(
            lambda hashes, distance: _kept(hashes, distance, against=lambda kept, number: kept[:1]),
            "You compare with the first picture only. A double of any one that was kept goes.",
        ),
        Misconception(
            _unlike_one,
            "You keep a picture that differs from *one* of those kept. It should differ from all of them.",
        ),
        Misconception(
            _by_groups,
            "You keep one of each chain of doubles. A picture near one that was thrown out, and near none that was "
            "kept, stays.",
        ),
        Misconception(
            _are_codes, "Those are fingerprints. The *indices* of the pictures that stay are asked for.", predicate=True
        ),
        Misconception(_no_survivor, "Of two doubles you throw out both. The first one should stay."),
        Misconception(_last_stays, "Of two doubles you keep the later one. Walk in their order: the first one stays."),
        Misconception(
            lambda hashes, distance: _kept(hashes, distance, unlike=lambda a, b: float(np.mean(a != b))),
            "You compare the share of the bits that differ, which is never above 1. Count them.",
        ),
        Misconception(
            lambda hashes, distance: _kept(hashes, distance, unlike=lambda a, b: abs(int(np.sum(a)) - int(np.sum(b)))),
            "Two fingerprints may have equally many bits set, and in other places. Count the places where they differ.",
        ),
        Misconception(
            _is_mask,
            "That is a truth value for each picture. The *indices* of those kept are asked for.",
            predicate=True,
        ),
        Misconception(_the_removed, "Those are the ones that go. The ones that stay are asked for."),
        Misconception(
            lambda hashes, distance: _kept(hashes, distance, refuse=False),
            "No two fingerprints differ in less than 0 bits. Raise a ValueError for a negative distance.",
        ),
    ),
    hints=(
        "Begin with an empty list of those that are kept, and look at one picture after the other.",
        "`np.sum(a != b)` counts the bits in which two fingerprints differ.",
        "A picture is kept if it differs in more than `distance` bits from *all* that have been kept so far.",
    ),
)


# 08.3 A balanced sampler ----------------------------------------------------------------------------------------------


def _check_balanced(answer: Callable, rng: np.random.Generator) -> None:
    if not callable(answer):
        raise Wrong("The check needs the function itself, without parentheses behind its name.", came=describe(answer))
    for sizes in ((4, 4), (9, 3, 1), (30, 2, 7)):
        names = rng.choice(np.arange(50, 90), len(sizes), replace=False)
        labels = rng.permutation(np.repeat(names, sizes))
        for per_class in (1, 3, 7):
            _check_one_draw(answer(labels.copy(), per_class, _generator(rng)), labels, per_class)
    labels = rng.permutation(np.repeat(np.arange(8), 5))
    for _ in range(3):  # six of five: one example of each class comes twice
        _check_one_draw(answer(labels.copy(), 6, _generator(rng)), labels, 6)
    _check_chances(answer, rng)
    for per_class in (0, -2):
        _refuses(
            lambda per_class=per_class: answer(np.array([0, 1, 1]), per_class, _generator(rng)),
            f"balanced([0, 1, 1], {per_class}, rng)",
            "Fewer than one example of each class is nothing to train on. Raise a ValueError.",
        )


def _check_one_draw(came: object, labels: np.ndarray, per_class: int) -> None:
    tried = f"balanced({labels.tolist()}, {per_class}, rng)"
    if came is None:
        raise Wrong("`balanced` returns nothing. Is a `return` missing?")
    chosen = _indices(came, "the result", len(labels))
    names, sizes = np.unique(labels, return_counts=True)
    for name, size in zip(names, sizes):
        uses = np.bincount(chosen[labels[chosen] == name], minlength=len(labels))[labels == name]
        if uses.sum() != per_class:
            likely = ""
            if uses.sum() == min(size, per_class):
                likely = "A class with fewer examples than that must use some of them again."
            elif len(chosen) == per_class:
                likely = "`per_class` is how many of *each* class, not of all together."
            raise Wrong(
                f"Class {name} has another number of examples.",
                tried=tried,
                came=f"{uses.sum()}",
                expected=f"{per_class}",
                likely=likely,
            )
        if uses.max() - uses.min() > 1:
            raise Wrong(
                f"Of class {name} one example is used {uses.max()} times while another is used {uses.min()} times.",
                tried=tried,
                came=describe(came),
                likely="Drawing with replacement does this, or filling up with the same example. Go through the whole "
                "class, then through it again.",
            )


def _check_chances(answer: Callable, rng: np.random.Generator) -> None:
    labels = np.array([0] * 6 + [1] * 4)
    draws = [_indices(answer(labels.copy(), 6, _generator(rng)), "the result", 10) for _ in range(30)]
    kinds = np.array([labels[draw] for draw in draws])
    if all((np.sort(kind) == kind).all() or (np.sort(kind)[::-1] == kind).all() for kind in kinds):
        raise Wrong(
            "The classes come one after the other.",
            came=describe(kinds[0]),
            likely="Shuffle the whole result: a batch of one class alone teaches nothing.",
        )
    if len({tuple(kind) for kind in kinds}) < 5:
        raise Wrong(
            "The classes always follow each other in the same order.",
            came=describe(kinds[0]),
            likely="Shuffle the whole result with `rng`.",
        )
    extra = {tuple(np.flatnonzero(np.bincount(draw, minlength=10)[6:] == 2)) for draw in draws}
    if len(extra) < 3:
        raise Wrong(
            "Of a class of 4 examples, with 6 asked for, the same two are used twice each time.",
            likely="Draw with `rng` which ones are used again.",
        )
    few = {tuple(np.sort(answer(labels.copy(), 2, _generator(rng)))) for _ in range(20)}
    if len(few) < 4:
        raise Wrong(
            "Of a large class, with 2 asked for, the same ones are used each time.",
            likely="Shuffle the members of a class before you take some of them.",
        )
    _check_order(answer, rng)
    seed = int(rng.integers(2**32))
    first, second = (np.asarray(answer(labels.copy(), 6, np.random.default_rng(seed))) for _ in range(2))
    if not np.array_equal(first, second):
        raise Wrong("Twice the same `rng`, and two results.", likely="All draws should come from `rng`.")


def _check_order(answer: Callable, rng: np.random.Generator) -> None:
    """Wrong if the rounds stay one behind the other; in a random order each of these never fails 40 times in a row."""
    labels = np.array([0, 0, 1, 1])
    draws = [_indices(answer(labels.copy(), 8, _generator(rng)), "the result", 4) for _ in range(40)]
    firsts = [draw[labels[draw] == 0][:2] for draw in draws]
    if all(len(set(first.tolist())) == 2 for first in firsts) or all(labels[d[0]] != labels[d[1]] for d in draws):
        raise Wrong(
            "The rounds stay one behind the other: an example, or a class, never comes again before all others had "
            "their turn.",
            tried="balanced([0, 0, 1, 1], 8, rng), 40 times",
            came=describe(draws[0]),
            likely="Each round is shuffled by itself. Shuffle the whole result once, at the end.",
        )


BALANCED = CheckExercise(
    "08.3",
    "A balanced sampler",
    check=_check_balanced,
    hints=(
        "Treat one class after the other, and shuffle everything at the end. `np.flatnonzero(labels == c)` gives the "
        "members of class c.",
        "How many times must you go through a class of 4 members to draw 6 of them? Each time through is a new "
        "shuffle of all its members.",
        "Put the shuffles of a class one behind the other and cut after `per_class`.",
    ),
)


EXERCISES = [GROUPED_SPLIT, DEDUPE, BALANCED, STANDARDISE, MIXUP, MIRROR, AUDIT]
