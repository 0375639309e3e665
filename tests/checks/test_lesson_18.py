"""The exercises 18.5 to 18.9: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, exercises_of, standard_tests

from cnnlib.exercises import source
from cnnlib.exercises.replay import lesson


def decibels(
    start: str = "a, b = np.asarray(images, float), np.asarray(originals, float)",
    error: str = "((a - b) ** 2).reshape(len(a), -1).mean(1)",
    each: str = "10 * np.log10(peak ** 2 / error)",
    limit: str = "np.minimum(each, most)",
    result: str = "each, float(np.mean(each))",
) -> cell:
    """An answer to 18.5 from its parts."""
    return cell(f"""
def decibels(images, originals, peak, most=60.0):
    {start}
    error = {error}
    with np.errstate(all="ignore"):
        each = {each}
        each = {limit}
        return {result}
""")


def step(
    picture: str = "(noisy - (1 - share) ** 0.5 * noise) / share ** 0.5",
    clip: str = "np.clip(picture, -1, 1)",
    noise: str = "(noisy - share ** 0.5 * picture) / (1 - share) ** 0.5",
    state: str = "next_share ** 0.5 * picture + (1 - next_share) ** 0.5 * noise",
) -> cell:
    """An answer to 18.6 from its parts."""
    return cell(f"""
def step(noisy, noise, share, next_share):
    picture = {picture}
    picture = {clip}
    noise = {noise}
    return picture, {state}
""")


def together(
    refuse: str = "height % patch or width % patch or patches.shape[1] != rows * columns "
    "or patches.shape[2] % patch ** 2",
    cut: str = "patches.reshape(n, rows, columns, patch, patch, channels)",
    order: str = "0, 1, 3, 2, 4, 5",
    result: str = "n",
) -> cell:
    """An answer to 18.7 from its parts."""
    return cell(f"""
def put_together(patches, patch, height, width):
    n = len(patches)
    rows, columns, channels = height // patch, width // patch, patches.shape[2] // patch ** 2
    if {refuse}:
        raise ValueError("these do not fit")
    cut = {cut}
    return np.transpose(cut, ({order})).reshape({result}, height, width, channels)
""")


def attend(
    split: str = "(x @ w).reshape(n, heads, -1).transpose(1, 0, 2)",
    scale: str = "q.shape[-1] ** 0.5",
    hide: str = "scores = np.where(mask, scores, -np.inf)",
    shift: str = "scores.max(-1, keepdims=True)",
    axis: str = "-1",
    after: str = "pass",
    join: str = "z.transpose(1, 0, 2).reshape(n, -1)",
    out: str = "z @ wo",
) -> cell:
    """An answer to 18.8 from its parts."""
    return cell(f"""
def attend(x, wq, wk, wv, wo, heads, mask=None):
    n = len(x)
    q, k, v = [{split} for w in (wq, wk, wv)]
    scores = q @ k.transpose(0, 2, 1) / ({scale})
    if mask is not None:
        {hide}
    with np.errstate(all="ignore"):
        e = np.exp(scores - {shift})
        weights = e / e.sum({axis}, keepdims=True)
    if mask is not None:
        {after}
    z = weights @ v
    z = {join}
    return {out}
""")


RIGHT = {
    "churn": "boosted trees",
    "orchard": "pretrained CNN",
    "wafers": "self-supervised CNN",
    "archive": "image-text model",
    "sonar": "CNN from random weights",
    "tomography": "trained restoration",
    "stage sets": "diffusion",
}


def choose(**other: object) -> cell:
    """An answer to 18.9 that differs from the right one."""
    return cell(f"choice = {RIGHT | {name.replace('_', ' '): tool for name, tool in other.items()}!r}")


WRONG = {
    "18.5": [
        (decibels(start="a, b = images, originals"), "10 - 20 is 246"),
        (decibels(each="10 * np.log10(b.max() ** 2 / error)"), "not the brightest one of these pictures"),
        (decibels(each="10 * np.log10(a.max() ** 2 / error)"), "not the brightest one of what came out"),
        (decibels(each="10 * np.log10(1 / error)"), "with 8 bits it is 255"),
        (
            decibels(result="each, float(min(most, 10 * np.log10(peak ** 2 / np.mean(error))))"),
            "the decibels of the mean error",
        ),
        (decibels(limit="each"), "so is the mean: count it as"),
        (decibels(limit="np.where(error == 0, most, each)"), "not only for those that are infinite"),
        (decibels(limit="each", result="each, min(most, float(np.mean(each)))"), "apply it to each picture first"),
        (
            decibels(result="each, float(np.mean(each[error > 0])) if (error > 0).any() else most"),
            "left out of the mean",
        ),
        (decibels(each="20 * np.log10(peak ** 2 / error)"), "twice as many"),
        (decibels(each="10 * np.log(peak ** 2 / error)"), "natural logarithm"),
        (decibels(each="10 * np.log10(peak / error)"), "The peak is squared"),
        (decibels(each="10 * np.log10(error / peak ** 2)"), "upside down"),
        (decibels(error="abs(a - b).reshape(len(a), -1).mean(1) ** 2"), "mean absolute error"),
        (decibels(error="((a - b) ** 2).reshape(len(a), -1).sum(1)"), "their mean is asked for"),
    ],
    "18.6": [
        (
            step(
                picture="(noisy - (1 - share) * noise) / share",
                noise="(noisy - share * picture) / (1 - share)",
            ),
            "their square roots",
        ),
        (step(picture="noisy - (1 - share) ** 0.5 * noise"), "divide by it"),
        (step(picture="noisy - noise"), "the picture one too"),
        (step(picture="(noisy - share ** 0.5 * noise) / (1 - share) ** 0.5"), "that of the noise"),
        (step(clip="picture"), "no picture has"),
        (step(clip="np.clip(picture, 0, 1)"), "not in 0 to 1"),
        (step(noise="noise"), "work out the noise anew"),
        (
            step(
                clip="picture",
                state="np.clip(next_share ** 0.5 * picture + (1 - next_share) ** 0.5 * noise, -1, 1)",
            ),
            "not the noisy state",
        ),
        (step(state="(1 - next_share) ** 0.5 * picture + next_share ** 0.5 * noise"), "give it to the noise"),
        (step(state="next_share * picture + (1 - next_share) * noise"), "with square roots as well"),
        (step(state="picture"), "the guess once more"),
    ],
    "18.7": [
        (together(order="0, 1, 2, 3, 4, 5"), "A reshape alone"),
        (together(order="0, 2, 3, 1, 4, 5"), "in the wrong order"),
        (together(order="0, 1, 4, 2, 3, 5"), "rows and columns are exchanged"),
        (together(cut="patches.reshape(n, columns, rows, patch, patch, channels)"), "does not show with square"),
        (
            together(cut="patches.reshape(n, rows, columns, channels, patch, patch).transpose(0, 1, 2, 4, 5, 3)"),
            "taken for whole planes",
        ),
        (
            together(
                refuse="False",
                cut="patches.reshape(-1, rows, columns, patch, patch, channels)",
                result="-1",
            ),
            "What does not fit",
        ),
    ],
    "18.8": [
        (attend(scale="x.shape[1] ** 0.5"), "*its* width"),
        (attend(scale="1"), "are not divided"),
        (attend(scale="q.shape[-1]"), "not by its root"),
        (attend(shift="scores.max(1, keepdims=True)", axis="1"), "down the columns"),
        (attend(shift="0"), "overflow"),
        (attend(hide="pass"), "The mask is not used"),
        (attend(hide="pass", after="weights = weights * mask"), "hidden after the softmax"),
        (attend(hide="scores = scores * mask"), "A score of 0 is no hidden one"),
        (attend(hide="scores = np.where(mask, -np.inf, scores)"), "hides just these"),
        (attend(hide="scores = np.where(mask.T, scores, -np.inf)"), "Row and column of the mask"),
        (attend(split="(x @ w).reshape(n, -1, heads).transpose(2, 0, 1)"), "stand side by side"),
        (attend(split="(x @ w).reshape(heads, n, -1)"), "mixes the places"),
        (attend(join="z.reshape(n, -1)"), "Exchange the axes before"),
        (attend(out="z"), "is missing"),
    ],
    "18.9": [
        (choose(churn="pretrained CNN"), "columns have none"),
        (choose(orchard="pretrained ViT"), "0.5 billion operations"),
        (choose(orchard="CNN from random weights"), "60 labels of each class"),
        (choose(wafers="pretrained CNN"), "carries over least here"),
        (choose(archive="pretrained CNN"), "by name only"),
        (choose(sonar="boosted trees"), "moves by a pixel"),
        (choose(sonar="self-supervised CNN"), "no further pictures"),
        (choose(tomography="diffusion"), "draws what is likely"),
        (choose(stage_sets="trained restoration"), "gives their mean"),
        (choose(tomography="pretrained CNN"), "a picture is asked for"),
        (choose(sonar="a CNN"), "is no tool"),
        (choose(lottery="diffusion"), "There is no project"),
        (choose(archive=None), "has no tool yet"),
        (cell("choice = ['boosted trees']"), "The answer is a dictionary"),
    ],
}

EQUIVALENT = {
    "18.5": [
        decibels(),
        cell("""
def decibels(images, originals, peak, most=60.0):
    values = []
    for one, other in zip(images, originals):
        root = np.sqrt(np.square(one.astype("float64") - other).mean())
        values.append(most if root == 0 else min(most, 20 * np.log10(peak / root)))
    return np.array(values), sum(values) / len(values)
"""),
    ],
    "18.6": [
        step(),
        cell("""
def step(noisy, noise, share, next_share):
    signal, rest = np.sqrt([share, 1 - share])
    guess = np.maximum(-1, np.minimum(1, (noisy - rest * noise) / signal))
    ratio = np.sqrt((1 - next_share) / (1 - share))
    return guess, ratio * noisy + (np.sqrt(next_share) - ratio * signal) * guess
"""),
    ],
    "18.7": [
        together(),
        cell("""
def put_together(patches, patch, height, width):
    n, count, numbers = patches.shape
    down, across = divmod(height, patch), divmod(width, patch)
    if down[1] or across[1] or down[0] * across[0] != count or numbers % (patch * patch):
        raise ValueError(f"{count} patches of {numbers} numbers")
    images = np.zeros((n, height, width, numbers // patch ** 2), patches.dtype)
    for place in range(count):
        top, left = patch * (place // across[0]), patch * (place % across[0])
        images[:, top : top + patch, left : left + patch] = patches[:, place].reshape(n, patch, patch, -1)
    return images
"""),
    ],
    "18.8": [
        attend(),
        attend(hide="scores = scores + np.where(mask, 0.0, -1e9)"),
        cell("""
def attend(x, wq, wk, wv, wo, heads, mask=None):
    d = x.shape[1] // heads
    total = 0
    for h in range(heads):
        part = slice(h * d, (h + 1) * d)
        scores = (x @ wq[:, part]) @ (x @ wk[:, part]).T / np.sqrt(d)
        rows = []
        for i, row in enumerate(scores):
            may = np.ones(len(x), bool) if mask is None else mask[i]
            e = np.zeros(len(x))
            e[may] = np.exp(row[may] - row[may].max())
            rows.append(e / e.sum())
        total = total + np.array(rows) @ (x @ wv[:, part]) @ wo[part]
    return total
"""),
    ],
    "18.9": [
        choose(),
        cell(f"choice = dict({list(RIGHT.items())!r})"),
    ],
}

globals().update(standard_tests("18", WRONG, EQUIVALENT, only=tuple(WRONG)))


def test_the_exercises_before_are_in_the_file_beside():
    """The rest of the lesson, 18.1 to 18.4, is in test_lesson_18_grids.py."""
    path = lesson("18").path
    before = ["18.1", "18.2", "18.3", "18.4"]
    assert list(source.titles(path)) == source.checked_ids(path) == list(exercises_of("18")) == [*before, *WRONG]
