"""The checks of lesson 04: where a network is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 04.4 Another mix of classes ------------------------------------------------------------------------------------------


def _mix(
    known: Callable = lambda m: m.diagonal() / m.sum(axis=1),
    combined: Callable = lambda r, s, m: (r * s)[s > 0].sum(),
    refuse_sum: Callable = lambda s: abs(s.sum() - 1) > 1e-6,
    refuse_length: Callable = lambda m, s: len(s) != len(m),
    refuse_empty: Callable = lambda r, s: np.isnan(r[s > 0]).any(),
) -> Callable:
    """The accuracy with one of its parts exchanged."""

    def model(matrix, shares):
        m, s = np.asarray(matrix, float), np.asarray(shares, float)
        if refuse_length(m, s) or refuse_sum(s):
            raise ValueError
        with np.errstate(all="ignore"):
            r = known(m)[: len(s)]
            s = s[: len(r)]
            if refuse_empty(r, s):
                raise ValueError
            return float(combined(r, s, m))

    return model


def accuracy_with(matrix, shares):
    """The reference answer."""
    return _mix()(matrix, shares)


def _mix_cases(rng: np.random.Generator) -> Iterator[Case]:
    def shares(size: int) -> np.ndarray:
        drawn = rng.integers(1, 9, size).astype(float)
        return drawn / drawn.sum()

    yield Case(([[8, 2], [3, 1]], [0.5, 0.5]), about="the example")
    yield Case(([[8, 2], [3, 1]], [0.9, 0.1]), about="the other example")
    yield Case((np.array([[5, 0, 0], [1, 2, 1], [0, 9, 1]]), np.array([0.7, 0.2, 0.1])), about="three classes")
    for size in (2, 4, 10):
        matrix = rng.integers(0, 20, (size, size)) + np.diag(rng.integers(5, 60, size))
        yield Case((matrix, shares(size)), about=f"{size} classes")
    matrix = rng.integers(1, 9, (4, 4))
    matrix[:, 1] = 0
    yield Case((matrix, shares(4)), about="a class that is never answered")
    yield Case((rng.integers(1, 9, (3, 3)), [0.0, 1.0, 0.0]), about="one class alone")
    matrix = rng.integers(1, 9, (4, 4))
    matrix[2] = 0
    yield Case((matrix, [0.5, 0.25, 0.0, 0.25]), about="a class without pictures, of which none come")
    yield Case(
        (matrix, [0.25, 0.25, 0.25, 0.25]), raises=ValueError, about="a class without pictures, of which some come"
    )
    matrix = rng.integers(1, 9, (3, 3))
    yield Case((matrix, [0.25, 0.25, 0.25]), raises=ValueError, about="shares that add up to 0.75")
    yield Case((matrix, [0.5, 0.25, 0.5]), raises=ValueError, about="shares that add up to 1.25")
    yield Case((matrix, [0.5, 0.5]), raises=ValueError, about="two shares for three classes")
    yield Case((matrix, [0.25, 0.25, 0.25, 0.25]), raises=ValueError, about="four shares for three classes")


RECALL = FunctionExercise(
    "04.4",
    "Another mix of classes",
    reference=accuracy_with,
    cases=_mix_cases,
    misconceptions=[
        Misconception(
            _mix(known=lambda m: m.diagonal() / m.sum(axis=0)),
            "You divide by the sums of the columns. These count the *answers*. What stays the same in another mix is "
            "how many of the pictures of a class are found.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: m.trace() / m.sum()),
            "That is the accuracy in the mix of the matrix. The shares say another one.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: np.nanmean(r)),
            "That is the mean recall, right if all classes are equally frequent. The shares say how frequent they are.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (s * m.diagonal()).sum() / (s * m.sum(axis=1)).sum()),
            "You weight the *counts*. A class with many pictures in the matrix then counts twice: by its pictures, and "
            "by its share.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (s * m.diagonal()).sum() / m.sum()),
            "You divide by all pictures of the matrix. Each class is first divided by its own.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (np.nan_to_num(r) * s).mean()),
            "You divide by the number of classes at the end. The shares add up to 1 already.",
        ),
        Misconception(
            _mix(combined=lambda r, s, m: (r * s).sum()),
            "A class that never comes needs no recall. Here it has none, NaN, and 0 times NaN is NaN.",
        ),
        Misconception(
            _mix(refuse_empty=lambda r, s: np.isnan(r).any()),
            "A class without pictures is refused even if its share is 0. Nobody asks about it then.",
        ),
        Misconception(
            _mix(refuse_empty=lambda r, s: False, combined=lambda r, s, m: (np.nan_to_num(r) * s).sum()),
            "A class without pictures counts as if all of it were missed. Nothing is known of it: where its share is "
            "not 0, raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_empty=lambda r, s: False),
            "Nothing is known of a class without pictures. Where its share is not 0, raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_sum=lambda s: s.sum() > 1 + 1e-6),
            "Shares that add up to less than 1 leave some of the pictures out. Raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_sum=lambda s: s.sum() < 1 - 1e-6),
            "Shares that add up to more than 1 are no mix either. Raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_sum=lambda s: sum(s.tolist()) != 1),
            "In a computer 0.7 + 0.2 + 0.1 is not exactly 1. Allow for rounding: `np.isclose`, or a small tolerance.",
        ),
        Misconception(
            _mix(refuse_length=lambda m, s: len(s) < len(m)),
            "More shares than classes are a mistake as well. Raise a ValueError.",
        ),
        Misconception(
            _mix(refuse_length=lambda m, s: len(s) > len(m)),
            "There must be one share for each class. Raise a ValueError; `zip` leaves the rest out silently.",
        ),
    ],
    hints=(
        "Of 100 pictures in the new mix, how many are of class 0? How many of these are found?",
        "The recalls are `matrix.diagonal() / matrix.sum(axis=1)`. Which classes do you need?",
        "Look at the classes whose share is not 0: `needed = shares > 0`. Each of them must have pictures.",
    ),
    remark="With equal shares it is the mean recall, which is also called balanced accuracy.",
)


# 04.5 Explain a confusion ---------------------------------------------------------------------------------------------


def _shared(
    among: Callable = lambda labels, first, second, c: labels == c,
    condition: Callable = lambda labels, first: first != labels,
    counted: Callable = lambda labels, first, second: second != labels,
    share: Callable = lambda counted, chosen, among: counted[chosen].mean() if chosen.any() else np.nan,
    result: Callable = lambda wrong, right: (wrong, right),
) -> Callable:
    """The two shares with one of their parts exchanged."""

    def model(labels, first, second, c):
        y, a, b = (np.asarray(each) for each in (labels, first, second))
        there = among(y, a, b, c)
        wrong, misses = condition(y, a), counted(y, a, b)
        with np.errstate(all="ignore"):
            return result(*(float(share(misses, there & each, there)) for each in (wrong, ~wrong)))

    return model


def shared_mistakes(labels, first, second, c):
    """The reference answer."""
    return _shared()(labels, first, second, c)


def _swapped(labels, first, second, c):
    return _shared()(labels, second, first, c)


def _shared_cases(rng: np.random.Generator) -> Iterator[Case]:
    labels, first, second = [6, 6, 6, 6, 6, 2], [6, 2, 0, 6, 6, 6], [6, 0, 0, 2, 6, 2]
    yield Case((np.array(labels), np.array(first), np.array(second), 6), about="the example")
    for count, classes in ((40, 3), (60, 4), (200, 10)):
        # Of class 1 there is enough of each kind: missed by one, by both, by both with the same answer, by none.
        labels = np.concatenate([np.full(12, 1), rng.integers(0, classes, count)])
        first, second = (
            np.where(rng.random(len(labels)) < 0.6, labels, rng.integers(0, classes, len(labels))) for _ in "ab"
        )
        first[:12] = [0, 0, 0, 2, 2, 1, 1, 1, 1, 1, 1, 1]
        second[:12] = [0, 2, 1, 2, 0, 0, 2, 1, 1, 1, 1, 1]
        order = rng.permutation(len(labels))
        yield Case((labels[order], first[order], second[order], 1), about=f"{classes} classes")
    labels = np.array([0, 0, 0, 1, 1, 2])
    yield Case(
        (labels, np.array([0, 0, 0, 0, 1, 2]), np.array([0, 1, 0, 2, 1, 1]), 0), about="a class that the first knows"
    )
    yield Case(
        (labels, np.array([1, 2, 1, 1, 1, 2]), np.array([0, 1, 0, 1, 0, 2]), 0), about="a class that it never finds"
    )


EXPLAIN = FunctionExercise(
    "04.5",
    "Explain a confusion",
    reference=shared_mistakes,
    cases=_shared_cases,
    misconceptions=[
        Misconception(
            _shared(among=lambda labels, first, second, c: np.ones(len(labels), bool)),
            "You count the pictures of all classes. A class that is hard for both would then pass for hard pictures: "
            "stay within class c.",
        ),
        Misconception(
            _shared(among=lambda labels, first, second, c: first == c),
            "You take the pictures that are *called* c. The class of a picture is its label.",
        ),
        Misconception(
            _swapped,
            "You have changed the two classifiers. What is split is what the *first* misses and finds; what is counted "
            "is what the second misses.",
        ),
        Misconception(
            _shared(counted=lambda labels, first, second: (second != labels) & (second == first)),
            "You count only pictures for which both give the *same* wrong answer. Missed is missed, whatever is said.",
        ),
        Misconception(
            _shared(counted=lambda labels, first, second: second == first),
            "You count where the two give the same answer. What is asked is whether the second is wrong.",
        ),
        Misconception(
            _shared(
                share=lambda counted, chosen, among: (counted & chosen).sum() / among.sum() if chosen.any() else np.nan
            ),
            "You divide by all pictures of the class. Each share is one of the pictures on its own side of the split.",
        ),
        Misconception(
            _shared(
                share=lambda counted, chosen, among: (counted & chosen).sum() / len(among) if chosen.any() else np.nan
            ),
            "You divide by all pictures. Each share is one of the pictures on its own side of the split.",
        ),
        Misconception(
            _shared(share=lambda counted, chosen, among: float(counted[chosen].sum()) if chosen.any() else np.nan),
            "Those are counts. Divide each by the number of pictures on its side.",
        ),
        Misconception(
            _shared(counted=lambda labels, first, second: second == labels),
            "Those are the shares that the second *finds*. What it misses is asked for.",
        ),
        Misconception(
            _shared(result=lambda wrong, right: (right, wrong)),
            "The two are in the wrong order: first among the pictures that the first classifier misses.",
        ),
        Misconception(
            _shared(share=lambda counted, chosen, among: counted[chosen].mean() if chosen.any() else 0.0),
            "A side without pictures gets 0, as if the second had found them all. Nothing was there: NaN.",
        ),
    ],
    hints=(
        "Cut all three arrays down to the pictures of class c first.",
        "`missed = first != labels` splits them in two. On each side: how often is `second != labels`?",
        "The mean of an array of True and False is a share. The mean of an empty one is a warning and NaN: ask for its "
        "length first.",
    ),
    remark="Statisticians call this conditioning. Without the class held fixed, two classifiers that share no single "
    "mistake by more than chance look alike as soon as both find the same class hard.",
)
