"""The checks of 08.4 to 08.6: what reaches a network, and what augmentation does to pictures and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 08.4 A normalisation bug ---------------------------------------------------------------------------------------------


def standardise(train, test):
    """The reference answer."""
    return _standardised(train, test)


def _standardised(
    train,
    test,
    axes: tuple[int, ...] = (0, 1, 2),
    of_test: Callable = lambda train, test: train,
    of_train: Callable = lambda train, test: train,
    spread: Callable = np.std,
    flat: Callable = lambda spread: np.where(spread == 0, 1, spread),
    shift: bool = True,
):
    """Standardisation with one of its parts exchanged."""
    results = []
    with np.errstate(all="ignore"):
        for pictures, source in ((train, of_train(train, test)), (test, of_test(train, test))):
            mean = source.mean(axis=axes, keepdims=True) if shift else 0
            results.append((pictures - mean) / flat(spread(source, axis=axes, keepdims=True)))
    return tuple(results)


def _both(train, test):
    return np.concatenate([train, test])


def _smallest_and_largest(train, test):
    low, high = train.min(axis=(0, 1, 2)), train.max(axis=(0, 1, 2))
    return tuple((pictures - low) / np.where(high == low, 1, high - low) for pictures in (train, test))


def _per_image(train, test):
    return _standardised(train, test, axes=(1, 2), of_test=lambda train, test: test)


def _picture_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(count: int, height: int, width: int, channels: int) -> np.ndarray:
        scale, shift = rng.uniform(0.05, 3, channels), rng.uniform(-1, 2, channels)
        gradient = np.linspace(0.5, 1.5, height)[:, None, None]
        return rng.normal(0, 1, (count, height, width, channels)) * scale * gradient + shift

    yield Case((draw(6, 4, 5, 3), draw(4, 4, 5, 3) + 1), about="colour pictures; those of the test are brighter")
    yield Case((draw(8, 3, 3, 1), draw(5, 3, 3, 1)), about="grey pictures")
    yield Case((draw(5, 4, 4, 3), draw(1, 4, 4, 3)), about="a single test picture")
    flat = draw(5, 3, 4, 3)
    flat[..., 1] = 0.25
    yield Case((flat, draw(3, 3, 4, 3)), about="a channel that is 0.25 in all training pictures")
    whole = [rng.integers(0, 256, (count, 4, 3, 3)).astype("uint8") for count in (5, 2)]
    yield Case(tuple(whole), about="pictures of whole numbers, 0 to 255")


STANDARDISE = FunctionExercise(
    "08.4",
    "A normalisation bug",
    reference=standardise,
    cases=_picture_cases,
    rtol=1e-4,
    misconceptions=(
        Misconception(
            lambda train, test: _standardised(train, test, of_test=lambda train, test: test),
            "The test pictures are still scaled by statistics of their own, which the product does not have. Use those "
            "of the training pictures.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, axes=(0,), of_test=lambda train, test: test),
            "The test pictures are still scaled by statistics of their own, which the product does not have. And each "
            "pixel has its own: one number for each channel is asked for.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, axes=(0,)),
            "You take a mean for each pixel. One for each channel is asked for, over all pictures *and* all pixels: "
            "three axes go.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, of_train=_both, of_test=_both),
            "You take the statistics of both sets together. The test pictures must not decide how anything is "
            "scaled: that leaks.",
        ),
        Misconception(
            _per_image, "You take a mean for each picture, so that a dark one and a bright one become alike."
        ),
        Misconception(
            lambda train, test: _standardised(train, test, axes=(0, 1, 2, 3)),
            "You take one mean for all channels together. Each channel has its own.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, spread=np.var),
            "You divide by the variance. The standard deviation is its root.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, shift=False), "You divide, but you do not take off the mean."
        ),
        Misconception(
            lambda train, test: tuple(
                result.astype(pictures.dtype) for result, pictures in zip(_standardised(train, test), (train, test))
            ),
            "Your results have the type of the pictures: where these are whole numbers, the fractions are cut off.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, flat=lambda spread: spread),
            "A channel without any spread makes a division by 0. Divide by 1 there.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, flat=lambda spread: spread + 1),
            "You add 1 to every standard deviation. Only one that is 0 is replaced by 1.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, spread=lambda *args, **axes: np.std(*args, **axes, ddof=1)),
            "You divide by the number of values less one. `np.std` as it stands divides by their number.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, flat=lambda spread: spread + 1e-7),
            "You add a small number to every standard deviation. Where it is 0, that is nearly a division by 0: test "
            "pictures that differ there become huge. Divide by 1 there.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test, flat=lambda spread: np.maximum(spread, 1)),
            "You divide by 1 wherever the standard deviation is below 1. Only one that is 0 is replaced.",
        ),
        Misconception(
            _smallest_and_largest,
            "You scale by the smallest and the largest value. The mean and the standard deviation are asked for.",
        ),
        Misconception(
            lambda train, test: (_standardised(train, test)[0], test),
            "The test pictures come back as they went in. Did you leave them out, or take the statistics of training "
            "pictures that were standardised already?",
        ),
        Misconception(
            lambda train, test: _standardised(train, test)[::-1],
            "The two have changed places: the training pictures come first.",
        ),
        Misconception(
            lambda train, test: _standardised(train, test)[0],
            "Only one array came back. Return both, the training pictures first.",
        ),
    ),
    hints=(
        "Which of the two arrays may decide about mean and spread?",
        "An array of shape (n, height, width, channels) has three axes over which to average, and one that stays.",
        "`np.where(condition, a, b)` takes a where the condition holds and b elsewhere.",
    ),
    remark="Keras has it as layers.Normalization, whose adapt() must see the training pictures only.",
)


# 08.5 MixUp -----------------------------------------------------------------------------------------------------------


def mixup(images, labels, partner, share):
    """The reference answer."""
    return _mixed(images, labels, partner, share)


def _mixed(
    images,
    labels,
    partner,
    share,
    of_image: Callable = lambda share: share,
    of_label: Callable = lambda share: share,
    with_labels: Callable = lambda labels, partner: labels[partner],
    with_images: Callable = lambda images, partner: images[partner],
    lowest: float = 0.0,
    highest: float = 1.0,
):
    """MixUp with one of its parts exchanged."""
    share = np.asarray(share)
    if share.min() < lowest or share.max() > highest:
        raise ValueError
    for_images, for_labels = of_image(share)[:, None, None, None], of_label(share)[:, None]
    return (
        for_images * images + (1 - for_images) * with_images(images, partner),
        for_labels * labels + (1 - for_labels) * with_labels(labels, partner),
    )


def _summed(images, labels, partner, share):
    if np.min(share) < 0 or np.max(share) > 1:
        raise ValueError
    return images + images[partner], labels + labels[partner]


def _the_same_share(images, labels, partner, share):
    if np.min(share) < 0 or np.max(share) > 1:
        raise ValueError
    summed = images + images[partner], labels + labels[partner]
    return share[:, None, None, None] * summed[0], share[:, None] * summed[1]


def _cut(images, labels, partner, share):
    """CutMix: the upper rows stay."""
    if np.min(share) < 0 or np.max(share) > 1:
        raise ValueError
    mixed = images.copy()
    for number, (other, part) in enumerate(zip(partner, share)):
        mixed[number, int(round(part * images.shape[1])) :] = images[other, int(round(part * images.shape[1])) :]
    return mixed, share[:, None] * labels + (1 - share[:, None]) * labels[partner]


def _mixup_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(count: int, height: int, width: int, channels: int, classes: int, share: object = None) -> Case:
        images = rng.random((count, height, width, channels)).astype("float32")
        labels = np.eye(classes, dtype="float32")[rng.permutation(max(count, classes))[:count] % classes]
        share = rng.uniform(0.05, 0.45, count) if share is None else np.asarray(share, dtype=float)
        return (images, labels, np.roll(np.arange(count), -1), share)

    white = np.stack([np.ones((2, 2, 1)), np.zeros((2, 2, 1))])
    yield Case((white, np.eye(2), np.array([1, 0]), np.array([0.75, 0.75])), about="white and black, a share of 0.75")
    yield Case(draw(5, 3, 4, 3, 4), about="five colour pictures")
    yield Case(draw(4, 4, 4, 4, 4), about="as many pictures as rows, columns and channels")
    yield Case(draw(3, 2, 2, 1, 3, [0.0, 0.5, 1.0]), about="shares of 0, one half and 1")
    images, labels, _, share = draw(6, 3, 3, 3, 5)
    yield Case((images, labels, rng.permutation(6), share), about="partners in any order")
    whole = images > 0.5
    yield Case(
        (255 * whole.astype(int), labels.astype(int), rng.permutation(6), share),
        about="pictures and labels of whole numbers",
    )
    for bad in (-0.1, 1.2):
        yield Case(draw(3, 2, 2, 1, 2, [0.5, bad, 0.2]), raises=ValueError, about=f"a share of {bad}")


MIXUP = FunctionExercise(
    "08.5",
    "MixUp from scratch",
    reference=mixup,
    cases=_mixup_cases,
    misconceptions=(
        Misconception(
            lambda images, labels, partner, share: _mixed(
                images, labels, partner, share, with_labels=lambda labels, partner: labels
            ),
            "The images are mixed and the labels are not. What is a quarter dog should be called so.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(
                images, labels, partner, share, of_image=lambda s: 1 - s, of_label=lambda s: 1 - s
            ),
            "The shares have changed places: picture `i` keeps `share[i]` of *itself*.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(images, labels, partner, share, of_label=lambda s: 1 - s),
            "Image and label are mixed with opposite shares.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(
                images,
                labels,
                partner,
                share,
                of_image=lambda s: np.full_like(s, s[0]),
                of_label=lambda s: np.full_like(s, s[0]),
            ),
            "The first share is used for the whole batch. Each picture has its own.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(
                images,
                labels,
                partner,
                share,
                with_images=lambda images, partner: images[::-1],
                with_labels=lambda labels, partner: labels[::-1],
            ),
            "The batch is mixed with itself in reverse. The partner of picture `i` is picture `partner[i]`.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(
                images, labels, partner, share, of_label=lambda s: np.round(s)
            ),
            "The label goes to the larger share as a whole. It should be divided as the picture is.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(
                images, labels, partner, share, of_label=lambda s: 1.0 * (s >= 0.5)
            ),
            "The label goes to the larger share as a whole. It should be divided as the picture is.",
        ),
        Misconception(_summed, "The two are added up. A mixture has shares that add up to 1."),
        Misconception(_cut, "That is CutMix, a part of one picture and the rest of another. MixUp fades the two."),
        Misconception(
            lambda images, labels, partner, share: _mixed(
                images, labels, partner, share, of_image=lambda s: 0 * s + 0.5, of_label=lambda s: 0 * s + 0.5
            ),
            "Each gives one half, whatever `share` is. Picture `i` keeps `share[i]` of itself.",
        ),
        Misconception(
            _the_same_share,
            "Both pictures get the same share. What is left for the partner, if the two add up to 1?",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(images, labels, partner, share)[0],
            "Only the images came back. Return the labels as well.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(images, labels, partner, np.clip(share, 0, 1)),
            "You bring a share that is too small or too large into 0 ... 1. Raise a ValueError for it.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(images, labels, partner, share, lowest=-np.inf),
            "A share below 0 is no share. Raise a ValueError for it.",
        ),
        Misconception(
            lambda images, labels, partner, share: _mixed(images, labels, partner, share, highest=np.inf),
            "A share above 1 is no share. Raise a ValueError for it.",
        ),
    ),
    hints=(
        "`images[partner]` is the batch of the partners, in the right order.",
        "The shares have shape (n,), the images four axes. `share[:, None]` adds one axis of length 1; how many do the "
        "images need?",
        "The label is mixed by the same formula, with one added axis.",
    ),
)


# 08.6 Mirror the label too --------------------------------------------------------------------------------------------


def mirror(images, labels, partner, chosen):
    """The reference answer."""
    return _mirrored(images, labels, partner, chosen)


def _mirrored(
    images,
    labels,
    partner,
    chosen,
    turned: Callable = lambda chosen, new: chosen & (new >= 0),
    flip: Callable = lambda images: images[:, :, ::-1],
    named: Callable = lambda turned, new, labels: np.where(turned, new, labels),
):
    """The mirror with one of its parts exchanged."""
    new = np.asarray(partner)[labels]
    which = turned(np.asarray(chosen), new)
    return np.where(which[:, None, None, None], flip(images), images), named(which, new, labels)


def _mirror_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(labels, partner, chosen, shape=(3, 4, 1), about: str = "") -> Case:
        images = rng.random((len(labels), *shape)).astype("float32")
        return Case((images, np.array(labels), np.array(partner), np.array(chosen, dtype=bool)), about=about)

    yield draw([0, 0, 2], [1, 0, -1], [1, 0, 1], about="two arrows to the left and a stop sign")
    yield draw([0, 1, 0, 1], [1, 0], [1, 1, 1, 0], (4, 4, 3), about="arrows to the left and to the right")
    yield draw([2, 2, 0], [1, 0, -1], [1, 1, 1], about="stop signs, all of them chosen")
    yield draw([0, 2, 1], [0, -1, 2], [1, 1, 1], about="classes that are their own mirror")
    # a class with a partner that has none itself: p is a mirrored q in one typeface, where q has no class of its own
    yield draw([0, 1, 2, 3], [1, 2, 0, -1], [1, 1, 1, 1], about="classes in a ring")
    for number in range(3):
        partner = rng.permutation(6)
        partner[rng.integers(6)] = -1
        yield draw(rng.integers(0, 6, 12), partner, rng.random(12) < 0.6, (4, 5, 3), about=f"twelve pictures, {number}")
    yield draw([0, 1], [1, 0], [0, 0], about="none chosen")


MIRROR = FunctionExercise(
    "08.6",
    "Mirror the label too",
    reference=mirror,
    cases=_mirror_cases,
    misconceptions=(
        Misconception(
            lambda *a: _mirrored(*a, named=lambda turned, new, labels: labels),
            "The pictures are mirrored and the labels are not. A mirrored arrow to the left is one to the right.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, turned=lambda chosen, new: chosen),
            "A picture whose mirrored one has no class is mirrored and gets the label -1. Leave it as it is.",
        ),
        Misconception(
            lambda *a: _mirrored(
                *a,
                turned=lambda chosen, new: chosen,
                named=lambda turned, new, labels: np.where(turned & (new >= 0), new, labels),
            ),
            "A picture whose mirrored one has no class is mirrored, and keeps its label. Leave the picture as it is.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, turned=lambda chosen, new: new >= 0),
            "You mirror every picture that has a mirrored class. Only those that are `chosen` change.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, turned=lambda chosen, new: chosen | True),
            "You mirror every picture. Only those that are `chosen`, and have a mirrored class, change.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, named=lambda turned, new, labels: np.where(new >= 0, new, labels)),
            "Labels change where the picture does not. Only a picture that is mirrored gets another label.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, named=lambda turned, new, labels: new),
            "All labels are exchanged. Only a picture that is mirrored gets another label.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, flip=lambda images: images[:, ::-1]),
            "You turn the pictures upside down: axis 1 is the height. Left to right is axis 2.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, flip=lambda images: images[:, ::-1, ::-1]),
            "You turn the pictures by half a turn. Left to right is axis 2 alone.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, flip=lambda images: images[..., ::-1]),
            "You reverse the channels. Left to right is axis 2.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, flip=lambda images: images),
            "Only the labels change. The pictures that get a new label are to be mirrored.",
        ),
        Misconception(
            lambda *a: _mirrored(*a, turned=lambda chosen, new: chosen & (new > 0)),
            "Class 0 is a class, too: you leave a picture alone whose mirrored one is of class 0. None is -1.",
        ),
        Misconception(
            lambda images, labels, partner, chosen: _mirrored(
                images, labels, partner, chosen, turned=lambda chosen, new: chosen & (new >= 0) & (new != labels)
            ),
            "You leave a picture alone that keeps its class. Mirror it: it is a new picture of the same class.",
        ),
        Misconception(
            lambda *a: _mirrored(*a)[0],
            "Only the images came back. Return the labels as well.",
        ),
    ),
    hints=(
        "`partner[labels]` is the class of each mirrored picture. Which pictures are mirrored, then?",
        "Write down one array of truth values for both: whether picture `i` is mirrored. Use it for the images and for "
        "the labels.",
        "`np.where(condition, a, b)` needs a condition that fits: `[:, None, None, None]` gives it the three other "
        "axes of the images.",
    ),
    remark="Keypoints and boxes have the same need: a mirrored left eye is a right eye, and its x is counted from the "
    "other side.",
)
