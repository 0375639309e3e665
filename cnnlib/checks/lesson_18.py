"""The checks of lesson 18, beyond: images out, patches, attention, and the choice of a tool; grids are beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from cnnlib.checks import lesson_18_grids
from cnnlib.exercises.compare import describe
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, Wrong

# 18.5 Decibels --------------------------------------------------------------------------------------------------------


def decibels(images, originals, peak, most=60.0):
    """The reference answer."""
    return _decibels(images, originals, peak, most)


def _decibels(
    images,
    originals,
    peak,
    most=60.0,
    kind: type = np.float64,
    error: Callable = lambda d: np.square(d).reshape(len(d), -1).mean(1),
    ratio: Callable = lambda error, peak: 10 * np.log10(peak**2 / error),
    at_most: Callable = np.minimum,
    all_of: Callable = lambda each, errors, peak, most: each.mean(),
):
    images, originals = (np.asarray(array) for array in (images, originals))
    if kind is not None:
        images, originals = images.astype(kind), originals.astype(kind)
    with np.errstate(all="ignore"):
        errors = error(images - originals)
        each = at_most(ratio(errors, peak), most)
        return each, float(all_of(each, errors, peak, most))


def _decibel_cases(rng: np.random.Generator) -> Iterator[Case]:
    one = np.zeros((1, 2, 2, 1))
    yield Case((one + 0.1, one, 1.0), about="off by a tenth everywhere: 20 dB")
    yield Case((np.stack([one[0] + 0.1, one[0] + 0.01]), np.zeros((2, 2, 2, 1)), 1.0), about="20 dB and 40 dB")
    yield Case((one, one, 1.0), about="equal to its original")
    low, high = np.full((1, 2, 2, 3), 10, np.uint8), np.full((1, 2, 2, 3), 20, np.uint8)
    yield Case((low, high, 255), about="whole numbers of 8 bits")
    dark = rng.uniform(0, 0.3, (3, 4, 5, 1))
    damaged = np.clip(dark + rng.normal(0, 0.05, dark.shape) * np.array([1, 3, 0.5])[:, None, None, None], 0, 1)
    yield Case((damaged, dark, 1.0), about="dark pictures")
    yield Case((np.concatenate([dark[:1], damaged[1:]]), dark, 1.0), about="one of three is equal to its original")
    yield Case((damaged, dark, 1.0, 25.0), about="at most 25 dB")
    originals = rng.integers(0, 256, (2, 6, 4, 3)).astype(np.uint8)
    moved = np.clip(originals.astype(int) + rng.integers(-40, 41, originals.shape), 0, 255).astype(np.uint8)
    yield Case((moved, originals, 255), about="random pictures of 8 bits")


def _decibels_with(**change) -> Callable:
    return lambda images, originals, peak, most=60.0: _decibels(images, originals, peak, most, **change)


def _from_peak(peak: Callable) -> Callable:
    return lambda images, originals, given, most=60.0: _decibels(images, originals, peak(images, originals), most)


def _pooled(each, errors, peak, most):
    return np.minimum(10 * np.log10(peak**2 / errors.mean()), most)


DECIBELS = FunctionExercise(
    "18.5",
    "Decibels",
    reference=decibels,
    cases=_decibel_cases,
    misconceptions=(
        Misconception(
            _decibels_with(kind=None),
            "Pictures of 8 bits were subtracted as they are: 10 - 20 is 246 there. Make them floats first.",
        ),
        Misconception(
            _from_peak(lambda images, originals: float(np.max(originals))),
            "The peak is what a pixel *can* have, not the brightest one of these pictures: use `peak`.",
        ),
        Misconception(
            _from_peak(lambda images, originals: float(np.max(images))),
            "The peak is what a pixel *can* have, not the brightest one of what came out: use `peak`.",
        ),
        Misconception(_from_peak(lambda images, originals: 1.0), "`peak` is not used: with 8 bits it is 255."),
        Misconception(
            _decibels_with(all_of=_pooled),
            "For the set you take the decibels of the mean error. One bad picture then decides alone: take the mean of "
            "the pictures' decibels.",
        ),
        Misconception(
            _decibels_with(at_most=lambda each, most: each),
            "A picture that equals its original is infinite here, and so is the mean: count it as `most`.",
        ),
        Misconception(
            _decibels_with(at_most=lambda each, most: np.where(np.isinf(each), most, each)),
            "`most` holds for each picture, not only for those that are infinite.",
        ),
        Misconception(
            _decibels_with(
                at_most=lambda each, most: each,
                all_of=lambda each, errors, peak, most: min(each.mean(), most),
            ),
            "`most` is applied to the mean; apply it to each picture first.",
        ),
        Misconception(
            _decibels_with(
                all_of=lambda each, errors, peak, most: each[errors > 0].mean() if (errors > 0).any() else most
            ),
            "Pictures that equal their originals are left out of the mean. They count, as `most`.",
        ),
        Misconception(
            _decibels_with(ratio=lambda error, peak: 20 * np.log10(peak**2 / error)),
            "That is twice as many: 10 log10 of the squares, or 20 log10 of peak over the *root* of the error.",
        ),
        Misconception(
            _decibels_with(ratio=lambda error, peak: 10 * np.log(peak**2 / error)),
            "`np.log` is the natural logarithm; a decibel is a tenth of a `log10`.",
        ),
        Misconception(
            _decibels_with(ratio=lambda error, peak: 10 * np.log10(peak / error)), "The peak is squared, as the error."
        ),
        Misconception(
            _decibels_with(ratio=lambda error, peak: 10 * np.log10(error / peak**2)),
            "The ratio is upside down: a smaller error has *more* decibels.",
        ),
        Misconception(
            _decibels_with(error=lambda d: np.abs(d).reshape(len(d), -1).mean(1) ** 2),
            "That is the square of the mean absolute error; asked is the mean of the squares.",
        ),
        Misconception(
            _decibels_with(error=lambda d: np.square(d).reshape(len(d), -1).sum(1)),
            "The squares are added; their mean is asked for, lest a large picture have fewer decibels.",
        ),
    ),
    hints=(
        "Subtract as floats. One mean of squares for each picture: over all axes but the first.",
        "10 times the base-10 logarithm of peak squared over that mean. A division by zero gives infinity, with a "
        "warning that `np.errstate(divide='ignore')` keeps away.",
        "`np.minimum(..., most)` first, the mean over pictures then.",
    ),
    remark="restoration.psnr gives the first of the two, without a limit.",
)


# 18.6 One step towards a picture --------------------------------------------------------------------------------------


def step(noisy, noise, share, next_share):
    """The reference answer."""
    return _stepped(noisy, noise, share, next_share)


def _noise_left(noisy, picture, noise, share):
    return (noisy - np.sqrt(share) * picture) / np.sqrt(1 - share)


def _stepped(
    noisy,
    noise,
    share,
    next_share,
    guess: Callable = lambda x, e, s: (x - np.sqrt(1 - s) * e) / np.sqrt(s),
    clip: Callable = lambda picture: np.clip(picture, -1, 1),
    left: Callable = _noise_left,
    mix: Callable = lambda picture, e, s: np.sqrt(s) * picture + np.sqrt(1 - s) * e,
):
    picture = clip(guess(np.asarray(noisy), np.asarray(noise), share))
    return picture, mix(picture, left(np.asarray(noisy), picture, np.asarray(noise), share), next_share)


def _step_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([[0.5]]), np.array([[0.0]]), 0.25, 0.25), about="no noise: the picture is 1")
    yield Case((np.array([[0.5, -0.1]]), np.array([[0.5, 0.0]]), 0.64, 1.0), about="the last step")
    for share, lower in ((0.5, 0.7), (0.9, 0.95)):
        picture = rng.uniform(-0.9, 0.9, (2, 3))
        noise = rng.normal(size=picture.shape)
        noisy = np.sqrt(share) * picture + np.sqrt(1 - share) * noise
        yield Case((np.round(noisy, 3), np.round(noise * 0.9, 3), share, lower), about="a step")
    yield Case((np.array([[1.5, -2.0, 0.1]]), np.array([[0.2, -0.3, 0.4]]), 0.09, 0.36), about="the guess is clipped")
    noisy, noise = rng.normal(size=(2, 4, 3)).round(2)
    yield Case((noisy * 2, noise, 0.04, 0.2), about="much noise, and a clipped guess")


def _step_with(**change) -> Callable:
    return lambda noisy, noise, share, next_share: _stepped(noisy, noise, share, next_share, **change)


STEP = FunctionExercise(
    "18.6",
    "One step towards a picture",
    reference=step,
    cases=_step_cases,
    misconceptions=(
        Misconception(
            _step_with(guess=lambda x, e, s: (x - (1 - s) * e) / s, left=lambda x, p, e, s: (x - s * p) / (1 - s)),
            "The shares are variances. What is multiplied is their square roots.",
        ),
        Misconception(
            _step_with(guess=lambda x, e, s: x - np.sqrt(1 - s) * e),
            "With the noise taken off, sqrt(share) times the picture is left: divide by it.",
        ),
        Misconception(
            _step_with(guess=lambda x, e, s: x - e),
            "The noise has the weight sqrt(1 - share), and the picture one too.",
        ),
        Misconception(
            _step_with(guess=lambda x, e, s: (x - np.sqrt(s) * e) / np.sqrt(1 - s)),
            "`share` is that of the picture; you take it for that of the noise.",
        ),
        Misconception(_step_with(clip=lambda p: p), "The guess has values that no picture has: clip it to -1 to 1."),
        Misconception(_step_with(clip=lambda p: np.clip(p, 0, 1)), "Pictures are in -1 to 1 here, not in 0 to 1."),
        Misconception(
            _step_with(left=lambda x, p, e, s: e),
            "Once the guess is clipped, picture and noise no longer add up to `noisy`: work out the noise anew.",
        ),
        Misconception(
            _step_with(clip=lambda p: p, mix=lambda p, e, s: np.clip(np.sqrt(s) * p + np.sqrt(1 - s) * e, -1, 1)),
            "What is clipped is the guess of the picture, not the noisy state.",
        ),
        Misconception(
            _step_with(mix=lambda p, e, s: np.sqrt(1 - s) * p + np.sqrt(s) * e),
            "`next_share` is that of the picture; you give it to the noise.",
        ),
        Misconception(
            _step_with(mix=lambda p, e, s: s * p + (1 - s) * e), "The next state is mixed with square roots as well."
        ),
        Misconception(
            _step_with(mix=lambda p, e, s: p), "That is the guess once more. The state has the noise of `next_share`."
        ),
    ),
    hints=(
        "Write down how `noisy` is made of picture and noise, and solve for the picture.",
        "Clip the picture. Solve the same equation for the noise, with the clipped picture.",
        "The next state is the same mixture, with `next_share`.",
    ),
    remark="diffusion.denoising_step gives the second of the two; sample() does it some 25 times.",
)


# 18.7 Put the patches together ----------------------------------------------------------------------------------------


def put_together(patches, patch, height, width):
    """The reference answer."""
    return _together(patches, patch, height, width)


def _together(
    patches,
    patch,
    height,
    width,
    cut: Callable = lambda p, rows, columns, side, c: p.reshape(-1, rows, columns, side, side, c),
    order: tuple[int, ...] = (0, 1, 3, 2, 4, 5),
    grid: Callable = lambda patch, height, width: (height // patch, width // patch),
    refuses: bool = True,
):
    patches = np.asarray(patches)
    rows, columns = grid(patch, height, width)
    fits = height % patch == 0 and width % patch == 0 and patches.shape[1] == rows * columns
    if refuses and not (fits and patches.shape[2] % patch**2 == 0):
        raise ValueError(f"{patches.shape} do not make up {height} x {width}")
    channels = patches.shape[2] // patch**2
    return cut(patches, rows, columns, patch, channels).transpose(order).reshape(-1, height, width, channels)


def _cut(images: np.ndarray, patch: int) -> np.ndarray:
    n, height, width, channels = images.shape
    rows, columns = height // patch, width // patch
    parts = images.reshape(n, rows, patch, columns, patch, channels).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, rows * columns, -1)


def _patch_cases(rng: np.random.Generator) -> Iterator[Case]:
    for n, height, width, channels, patch in (
        (1, 4, 4, 1, 2),
        (1, 2, 6, 1, 2),
        (2, 6, 4, 3, 2),
        (3, 3, 9, 2, 3),
        (1, 5, 4, 1, 1),
        (2, 4, 4, 3, 4),
    ):
        images = 0.5 + rng.permutation(n * height * width * channels).reshape(n, height, width, channels)
        about = f"{n} of {height} x {width} pixels, {channels} channels"
        yield Case((_cut(images, patch), patch, height, width), about=about)
    yield Case((np.zeros((2, 8, 4)), 2, 4, 4), raises=ValueError, about="eight patches for four places")
    yield Case((np.zeros((1, 2, 8)), 2, 4, 4), raises=ValueError, about="two patches for four places")
    yield Case((np.zeros((1, 1, 48)), 4, 6, 4), raises=ValueError, about="6 rows in patches of 4")
    yield Case((np.zeros((1, 1, 48)), 4, 4, 6), raises=ValueError, about="6 columns in patches of 4")
    yield Case((np.zeros((5, 4, 4)), 2, 5, 4), raises=ValueError, about="5 pixels in patches of 2")
    yield Case((np.zeros((4, 4, 6)), 2, 4, 4), raises=ValueError, about="6 numbers in a patch of 2 x 2")


def _together_with(**change) -> Callable:
    return lambda patches, patch, height, width: _together(patches, patch, height, width, **change)


PATCHES = FunctionExercise(
    "18.7",
    "Put the patches together",
    reference=put_together,
    cases=_patch_cases,
    misconceptions=(
        Misconception(
            _together_with(order=(0, 1, 2, 3, 4, 5)),
            "A reshape alone lays the numbers of a patch out in one row of the image. Exchange two axes first.",
        ),
        Misconception(
            _together_with(order=(0, 2, 3, 1, 4, 5)),
            "The patches come in the wrong order: they are numbered row by row.",
        ),
        Misconception(
            _together_with(order=(0, 1, 4, 2, 3, 5)),
            "Inside of a patch rows and columns are exchanged: its pixels come row by row.",
        ),
        Misconception(
            _together_with(cut=lambda p, rows, columns, side, c: p.reshape(-1, columns, rows, side, side, c)),
            "Rows and columns of the grid are exchanged, which does not show with square images.",
        ),
        Misconception(
            _together_with(
                cut=lambda p, rows, columns, side, c: np.moveaxis(p.reshape(-1, rows, columns, c, side, side), 3, 5)
            ),
            "A pixel's channels stand together, last: yours are taken for whole planes.",
        ),
        Misconception(
            _together_with(refuses=False),
            "What does not fit has to be a ValueError. With -1 for the images NumPy makes other images of it.",
        ),
    ),
    hints=(
        "`patchify` reshapes, exchanges two axes, reshapes. Go the same way backwards.",
        "After the first reshape there are six axes: image, row of patches, column of patches, row, column, channel.",
        "Which of the six make up the height of the image? They have to stand side by side, in this order.",
    ),
    remark="vit.unpatchify does it. With a patch of 2 it is the pixel shuffle that enlarged photographs in part 3.",
)


# 18.8 Attention -------------------------------------------------------------------------------------------------------


def attend(x, wq, wk, wv, wo, heads, mask=None):
    """The reference answer."""
    return _attended(x, wq, wk, wv, wo, heads, mask)


def _softmax(scores, axis=-1):
    e = np.exp(scores - scores.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _masked(scores, mask):
    return scores if mask is None else np.where(mask, scores, -np.inf)


def _split(y, heads):
    return y.reshape(len(y), heads, -1).swapaxes(0, 1)


def _attended(
    x,
    wq,
    wk,
    wv,
    wo,
    heads,
    mask=None,
    scale: Callable = lambda d, heads: np.sqrt(d / heads),
    split: Callable = _split,
    hide: Callable = _masked,
    softmax: Callable = _softmax,
    after: Callable = lambda weights, mask: weights,
    join: Callable = lambda z, n: z.swapaxes(0, 1).reshape(n, -1),
    out: Callable = lambda z, wo: z @ wo,
):
    x = np.asarray(x)
    q, k, v = (split(x @ w, heads) for w in (wq, wk, wv))
    scores = q @ k.swapaxes(1, 2) / scale(x.shape[1], heads)
    weights = after(softmax(hide(scores, mask)), mask)
    return out(join(weights @ v, len(x)), wo)


def _attention_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(n: int, d: int, spread: float = 1.0) -> tuple:
        return tuple(np.round(rng.normal(0, spread, shape), 2) for shape in ((n, d), *((d, d),) * 4))

    one = np.eye(2)
    yield Case((np.array([[1.0, 0.0], [0.0, 1.0]]), one, one, one, one, 1), about="two places, one head")
    yield Case((*draw(3, 2), 1), about="one head, random weights")
    yield Case((*draw(4, 6), 2), about="two heads")
    yield Case((*draw(3, 6), 3), about="three heads")
    below = np.tril(np.ones((4, 4), bool))
    yield Case((*draw(4, 4), 1, below), about="one head, nobody looks ahead")
    mask = rng.random((5, 5)) < 0.5
    mask |= np.eye(5, dtype=bool)
    yield Case((*draw(5, 6), 2, mask), about="two heads, a random mask")
    yield Case((*draw(3, 4, 30.0), 2), about="large scores")


def _attend_with(**change) -> Callable:
    return lambda x, wq, wk, wv, wo, heads, mask=None: _attended(x, wq, wk, wv, wo, heads, mask, **change)


def _zeroed(weights, mask):
    return weights if mask is None else weights * mask


def _overflowing(scores):
    with np.errstate(all="ignore"):
        e = np.exp(scores)
        return e / e.sum(-1, keepdims=True)


ATTENTION = FunctionExercise(
    "18.8",
    "Attention",
    reference=attend,
    cases=_attention_cases,
    rtol=1e-4,
    misconceptions=(
        Misconception(
            _attend_with(scale=lambda d, heads: np.sqrt(d)),
            "The scores of a head are divided by the root of *its* width, d / heads.",
        ),
        Misconception(_attend_with(scale=lambda d, heads: 1.0), "The scores are not divided by the root of the width."),
        Misconception(
            _attend_with(scale=lambda d, heads: d / heads), "The scores are divided by the width, not by its root."
        ),
        Misconception(
            _attend_with(softmax=lambda scores: _softmax(scores, -2)),
            "The weights of each *query*, of a row, sum to 1. Yours do so down the columns.",
        ),
        Misconception(
            _attend_with(softmax=_overflowing),
            "Large scores overflow: e to the 1,000 is infinite. Take the row's largest score off first.",
        ),
        Misconception(
            _attend_with(hide=lambda scores, mask: scores), "The mask is not used: some look where they may not."
        ),
        Misconception(
            _attend_with(hide=lambda scores, mask: scores, after=_zeroed),
            "Weights are hidden after the softmax, so a row no longer sums to 1. Hide the scores before it.",
        ),
        Misconception(
            _attend_with(hide=lambda scores, mask: scores if mask is None else scores * mask),
            "A score of 0 is no hidden one: e to the 0 is 1. It has to be minus infinity.",
        ),
        Misconception(
            _attend_with(hide=lambda scores, mask: scores if mask is None else np.where(mask, -np.inf, scores)),
            "The mask says where a place *may* look. Yours hides just these.",
        ),
        Misconception(
            _attend_with(
                hide=lambda scores, mask: scores if mask is None else np.where(np.transpose(mask), scores, -np.inf)
            ),
            "Row and column of the mask are exchanged: a row says where one place looks.",
        ),
        Misconception(
            _attend_with(
                split=lambda y, heads: np.moveaxis(y.reshape(len(y), -1, heads), 2, 0),
            ),
            "A head has columns that stand side by side: the first d / heads for the first one.",
        ),
        Misconception(
            _attend_with(split=lambda y, heads: y.reshape(heads, len(y), -1)),
            "A reshape to (heads, n, ...) mixes the places. Reshape to (n, heads, ...), then exchange axes.",
        ),
        Misconception(
            _attend_with(join=lambda z, n: z.reshape(n, -1)),
            "The heads come back as (heads, n, ...). Exchange the axes before you put them side by side.",
        ),
        Misconception(_attend_with(out=lambda z, wo: z), "The last product, with `wo`, is missing."),
    ),
    hints=(
        "First with one head: scores = q k^T / sqrt(d), softmax over each row, times v, times wo.",
        "A head is a slice of columns of q, k and v. A loop over heads is fine; put what they give side by side.",
        "The mask: `np.where(mask, scores, -np.inf)` before the softmax; take each row's maximum off before `np.exp`.",
    ),
    remark="keras.layers.MultiHeadAttention does it, with a bias in each of the four products.",
)


# 18.9 Pick the tool ---------------------------------------------------------------------------------------------------


def _check_tools(answer: object, rng: np.random.Generator) -> None:
    from cnnlib.beyond.tools import PROJECTS, TOOLS, review

    if not isinstance(answer, Mapping):
        raise Wrong("The answer is a dictionary: project -> tool.", came=describe(answer))
    unknown = [name for name in answer if name not in PROJECTS]
    if unknown:
        raise Wrong(f"There is no project {unknown[0]!r}.", expected=", ".join(map(repr, PROJECTS)))
    for name in PROJECTS:
        tool = answer.get(name)
        if tool in (None, ...):
            raise Wrong(f"The project {name!r} has no tool yet.")
        if not isinstance(tool, str) or tool not in TOOLS:
            raise Wrong(f"For {name!r}, {describe(tool)} is no tool.", expected=f"one of {', '.join(map(repr, TOOLS))}")
        objections = review(name, tool)
        if objections:
            first = objections[0]
            more = f" ({len(objections) - 1} more)" if len(objections) > 1 else ""
            raise Wrong(
                f"In {name!r}, {tool!r} breaks a fact{more}: {first.constraint}.",
                likely=f"{first.why[:1].upper()}{first.why[1:]}.",
            )


TOOL = CheckExercise(
    "18.9",
    "Pick the tool",
    check=_check_tools,
    hints=(
        "First the question that rules out most: what goes in (places or columns), and what has to come out?",
        "Then the labels. Fewer than some hundreds of each class: whose pictures could the first weights have seen?",
        "Then what there is room for, and who is harmed if the picture that comes out is invented.",
    ),
    remark="No tool here is the best in general, and each is right somewhere.",
)


EXERCISES = [*lesson_18_grids.EXERCISES, DECIBELS, STEP, PATCHES, ATTENTION, TOOL]
