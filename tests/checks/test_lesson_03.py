"""The exercises of lesson 03: wrong answers as learners write them, and right ones in other styles."""

import numpy as np
from exercise_harness import cell, lesson, standard_tests


def gradient(
    exponentials: str = "np.exp(scores - scores.max(axis=1, keepdims=True))",
    total: str = "e.sum(axis=1, keepdims=True)",
    subtract: str = "g[np.arange(len(labels)), labels] -= 1",
    result: str = "g / len(labels)",
) -> cell:
    """An answer to 03.1 from its parts."""
    return cell(f"""
def cross_entropy_gradient(scores, labels):
    e = {exponentials}
    g = e / {total}
    {subtract}
    return {result}
""")


def judge(
    slope: str = "(function(x + h) - function(x - h)) / 2e-5",
    step: str = "1e-5",
    verdict: str = "np.abs(claimed - slopes).max() <= 1e-3 * np.abs(slopes).max()",
    shapes: str = "claimed.shape == x.shape",
) -> cell:
    """An answer to 03.2 from its parts."""
    return cell(f"""
def gradient_is_right(function, gradient, x):
    claimed = gradient(x)
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        h = np.zeros(x.shape)
        h[place] = {step}
        slopes[place] = {slope}
    return {shapes} and bool({verdict})
""")


def own_adam(
    before: str = "m, s = [0 * w for w in weights], [0 * w for w in weights]",
    clip: str = "gradient = [g * min(1, clip / max(length, 1e-12)) for g in gradient]",
    length: str = "np.sqrt(sum((g**2).sum() for g in gradient))",
    mean: str = "0.9 * m[k] + 0.1 * g",
    square: str = "0.999 * s[k] + 0.001 * g**2",
    corrected: str = "m[k] / (1 - 0.9**t), s[k] / (1 - 0.999**t)",
    move: str = "a / (np.sqrt(b) + 1e-7)",
    inside: str = "pass",
    result: str = "new",
) -> cell:
    """An answer to 03.4 from its parts."""
    return cell(f"""
def adam(weights, gradients, rate, clip=None):
    {before}
    new = list(weights)
    for t, gradient in enumerate(gradients, 1):
        {inside}
        if clip is not None:
            length = {length}
            {clip}
        for k, g in enumerate(gradient):
            m[k] = {mean}
            s[k] = {square}
            a, b = {corrected}
            new[k] = new[k] - rate * {move}
    return {result}
""")


def epoch(
    before: str = "order = rng.permutation(len(x))",
    count: str = "len(x)",
    chosen: str = "order[i : i + 10]",
    images: str = "x[chosen]",
    labels: str = "y[chosen]",
    update: str = "weights = [w - rate * g for w, g in zip(weights, gradient)]",
    result: str = "return weights",
) -> cell:
    """An answer to 03.5 from its parts."""
    return cell(f"""
def epoch(weights, x, y, rate, rng):
    {before}
    for i in range(0, {count}, 10):
        chosen = {chosen}
        _, gradient = loss_and_gradient(weights, {images}, {labels})
        {update}
    {result}
""")


def needs(a: str = "more data", b: str = "a lower rate", c: str = "a higher rate", d: str = "nothing") -> dict:
    return {"A": a, "B": b, "C": c, "D": d}


WRONG = {
    "03.1": [
        (gradient(result="g"), "gradient of the *sum* over the batch"),
        (gradient(result="(g / len(scores)).astype(scores.dtype)"), "has lost its fractions"),
        (gradient(result="g / scores.size"), "a mean over the rows alone"),
        (gradient(result="g / scores.shape[1]"), "You divide by the number of classes"),
        (gradient(result="-g / len(labels)"), "the direction in which the loss *falls*"),
        (
            gradient("np.exp(scores - scores.max(axis=0))", "e.sum(axis=0)"),
            "Your softmax runs down the columns",
        ),
        (gradient("np.exp(scores - scores.max())", "e.sum()"), "All your probabilities together sum to 1"),
        (gradient("np.exp(scores)"), "What can be subtracted from a row of scores"),
        (gradient("np.exp(scores - scores.max())"), "the largest score of the whole batch"),
        (gradient(subtract="pass"), "This is the softmax alone"),
        (gradient(result="g * np.eye(g.shape[1])[labels] / len(labels)"), "Only the true class has a gradient"),
        (
            gradient(subtract="pass", result="-np.eye(g.shape[1])[labels] / g / len(labels)"),
            "the derivative by the *probability*",
        ),
        (gradient("scores.copy()", "1"), "compare the scores themselves"),
        (gradient(subtract="g -= 1"), "You subtract 1 from every class"),
        (gradient(subtract="g[:, labels] -= 1"), "picks these columns in *every* row"),
        (gradient(subtract="g -= labels[:, None]"), "You subtract the *number* of the class"),
        (
            gradient(subtract="pass", result="-np.log(g[np.arange(len(labels)), labels]).mean()"),
            "This is the loss itself",
        ),
        (
            cell("def cross_entropy_gradient(scores, labels):\n    return cross_entropy(scores, labels)\n"),
            "is its gradient",
        ),
        (gradient(result="(g / len(labels)).sum()"), "This is one number, as the loss is"),
        (gradient(result="g[np.arange(len(labels)), labels] / len(labels)"), "one number for each picture"),
        (gradient(subtract="pass", result="-np.log(g[np.arange(len(labels)), labels])"), "one number for each picture"),
        (gradient(result="g.mean(axis=0)"), "You average the rows into one"),
        (gradient("np.exp(np.float32(scores))"), "What can be subtracted from a row of scores"),
        (
            gradient(subtract="p = g.copy(); g[np.arange(len(labels)), labels] -= 1", result="p * g / len(labels)"),
            "the softmax enters twice",
        ),
        (
            cell("def cross_entropy_gradient(scores, labels):\n    reference.softmax(scores)\n"),
            "Is a `return` missing?",
        ),
        (gradient(subtract="g[labels] -= 1"), "picks whole *rows*"),
        (
            gradient(subtract="pass", result="np.where(np.eye(g.shape[1])[labels] > 0, 1 - g, g) / len(g)"),
            "The true class has the opposite sign",
        ),
        (gradient(subtract="g[np.arange(len(labels)), labels] += 1"), "Came"),
    ],
    "03.2": [
        (judge(verdict="np.abs(claimed - slopes).max() <= 1e-6"), "Your bound is a fixed number"),
        (judge(verdict="np.abs(claimed - slopes).max() < 1e-4"), "Your bound is a fixed number"),
        (judge(verdict="np.allclose(claimed, slopes, rtol=1e-3)"), "`np.allclose` has a second bound"),
        (judge(verdict="np.allclose(claimed, slopes)"), "`np.allclose` has a second bound"),
        (
            judge(verdict="(np.abs(claimed - slopes) / np.abs(slopes)).max() <= 1e-3"),
            "Where a slope is 0, as behind a ReLU that is off",
        ),
        (
            judge(verdict="np.abs(claimed - slopes).mean() <= 1e-3 * np.abs(slopes).max()"),
            "One wrong number among many hides in a mean",
        ),
        (judge(verdict="abs(claimed.sum() - slopes.sum()) <= 1e-3 * np.abs(slopes).max()"), "You compare sums"),
        (
            judge(verdict="abs(np.linalg.norm(claimed) - np.linalg.norm(slopes)) <= 1e-3 * np.linalg.norm(slopes)"),
            "You compare lengths",
        ),
        (
            judge(verdict="np.abs(np.abs(claimed) - np.abs(slopes)).max() <= 1e-3 * np.abs(slopes).max()"),
            "does not see the sign",
        ),
        (judge(verdict="(claimed - slopes).max() <= 1e-3 * np.abs(slopes).max()"), "Take the absolute value"),
        (judge(verdict="np.abs(claimed - slopes).max() < 1e-3 * np.abs(slopes).max()"), "not *below* 0"),
        (judge(verdict="np.abs(claimed - slopes).max() / np.abs(slopes).max() <= 1e-3"), "is not *below* 0"),
        (judge(verdict="np.abs(claimed - slopes).flat[0] <= 1e-3 * np.abs(slopes).max()"), "the first number alone"),
        (
            judge(verdict="(claimed * slopes).sum() > 0.999 * np.linalg.norm(claimed) * np.linalg.norm(slopes)"),
            "You compare directions",
        ),
        (judge(shapes="True"), "NumPy broadcasts"),
        (judge("(function(x + h) - function(x)) / 1e-5"), "more exact than ahead minus *here*"),
        (judge("(function(x + h) - function(x - h)) / 2e-3", "1e-3"), "bends within your step"),
        (judge("(function(x + h) - function(x - h)) / 2e-2", "1e-2"), "bends within your step"),
        (judge("(function(x + h) - function(x - h)) / 2e-10", "1e-10"), "lost in rounding"),
        (judge("(function(x + h) - function(x - h)) / 1e-5"), "are *two* steps"),
        (judge("(function(x + h) - function(x)) / 2e-5"), "is *one* step"),
        (judge(verdict="True", shapes="True"), "lets everything pass"),
        (cell("def gradient_is_right(function, gradient, x):\n    return False\n"), "lets nothing pass"),
        (
            cell("""
def gradient_is_right(function, gradient, x):
    return np.abs(gradient(x) - reference.numerical_gradient(function, x)).max()
"""),
            "The judge answers `True` or `False`",
        ),
    ],
    "03.3": [
        (0.03, "the network breaks"),
        (0.1, "usual for a loss that is averaged"),
        (0.005, "the training is on the edge"),
        (0.004, "near the minimum of the curve"),
        (0.2 / 50, "if you divided one for the mean by 50"),
        (1e-5, "too slowly"),
        (1e-4, "stay a decade below the minimum"),
        (0.002 / 50, "a rate from *this* curve is one for the sum already"),
        (-0.0005, "a positive number"),
        (-3, "10 to the power of -3 is 0.001"),
        (0, "a positive number"),
        ("0.0005", "without quotes"),
        ([0.0005, 0.001], "one number"),
        (float("nan"), "a positive number"),
    ],
    "03.4": [
        (own_adam(corrected="m[k], s[k]"), "Nothing is divided by the share that has come in"),
        (own_adam(corrected="m[k] / (1 - 0.9**t), s[k]"), "and not that of their squares"),
        (own_adam(corrected="m[k], s[k] / (1 - 0.999**t)"), "and not that of the gradients"),
        (own_adam(corrected="m[k] / (1 - 0.9), s[k] / (1 - 0.999)"), "the share after *one* step"),
        (own_adam(corrected="m[k] / (1 - 0.9 * t), s[k] / (1 - 0.999 * t)"), "a power of $t$"),
        (own_adam(corrected="m[k] * (1 - 0.9**t), s[k] * (1 - 0.999**t)"), "You multiply by the share"),
        (own_adam(corrected="m[k] / 0.9**t, s[k] / 0.999**t"), "Divide by what has come in"),
        (own_adam(inside="t += 1"), "one ahead"),
        (own_adam(corrected="m[k] / (1 - 0.999**t), s[k] / (1 - 0.9**t)"), "exchanged in your corrections"),
        (
            own_adam(
                mean="0.999 * m[k] + 0.001 * g",
                square="0.9 * s[k] + 0.1 * g**2",
                corrected="m[k] / (1 - 0.999**t), s[k] / (1 - 0.9**t)",
            ),
            "The two shares are exchanged",
        ),
        (
            own_adam(square="0.9 * s[k] + 0.1 * g**2", corrected="m[k] / (1 - 0.9**t), s[k] / (1 - 0.9**t)"),
            "keeps 0.999 of the past",
        ),
        (own_adam(mean="0.9 * m[k] + g", square="0.999 * s[k] + g**2"), "enters in full"),
        (own_adam(square="0.999 * s[k] + 0.001 * g"), "one of their *squares*"),
        (own_adam(square="0.999 * s[k] + 0.001 * m[k] ** 2"), "You square the mean"),
        (own_adam(square="0.999 * s[k] + 0.001 * (g**2).sum()"), "Each weight has a mean of its own"),
        (own_adam(move="a / (b + 1e-7)"), "Divide by its *root*"),
        (own_adam(move="a / np.sqrt(b + 1e-7)"), "under your root"),
        (own_adam(move="a / np.sqrt(np.where(b > 0, b, 1))"), "is missing"),
        (own_adam(move="g / (np.sqrt(b) + 1e-7)"), "as in RMSProp"),
        (own_adam(move="a"), "Nothing is divided by the root"),
        (own_adam(move="-a / (np.sqrt(b) + 1e-7)"), "walk uphill"),
        (
            own_adam(corrected="m[k] / (1 - 0.9**t), s[k]", move="a * np.sqrt(1 - 0.999**t) / (np.sqrt(b) + 1e-7)"),
            "You put the corrections into the rate",
        ),
        (own_adam(inside="m, s = [0 * w for w in weights], [0 * w for w in weights]"), "start them before the loop"),
        (own_adam(clip="pass"), "`clip` does nothing"),
        (own_adam(clip="gradient = [np.clip(g, -clip, clip) for g in gradient]"), "another direction"),
        (
            own_adam(clip="gradient = [g * min(1, clip / max(np.linalg.norm(g), 1e-12)) for g in gradient]"),
            "You shorten each array by itself",
        ),
        (own_adam(clip="gradient = [g * clip / length for g in gradient]"), "One that is shorter stays"),
        (own_adam(length="sum((g**2).sum() for g in gradient)"), "The length is the *root*"),
        (own_adam(clip="gradient = [g * min(1, 1 / max(length, 1e-12)) for g in gradient]"), "shortened to 1"),
        (own_adam(result="new[0]"), "Return the list of all weights"),
        (own_adam(inside="gradient[0] *= 1.0 + 1e-9"), "changes `gradients` on the way"),
        (
            cell("""
def adam(weights, gradients, rate, clip=None):
    m, s = [0 * w for w in weights], [0 * w for w in weights]
    for t, gradient in enumerate(gradients, 1):
        if clip is not None:
            length = np.sqrt(sum((g**2).sum() for g in gradient))
            gradient = [g * min(1, clip / max(length, 1e-12)) for g in gradient]
        for k, g in enumerate(gradient):
            m[k] = 0.9 * m[k] + 0.1 * g
            s[k] = 0.999 * s[k] + 0.001 * g**2
            weights[k] -= rate * m[k] / (1 - 0.9**t) / (np.sqrt(s[k] / (1 - 0.999**t)) + 1e-7)
    return weights
"""),
            "changes `weights` on the way",
        ),
    ],
    "03.5": [
        (
            epoch(
                "x, y = x[rng.permutation(len(x))], y[rng.permutation(len(y))]",
                images="x[i : i + 10]",
                labels="y[i : i + 10]",
                chosen="i",
            ),
            "Are they still a pair?",
        ),
        (epoch(labels="y[i : i + 10]"), "Are they still a pair?"),
        (epoch(images="x[i : i + 10]"), "Are they still a pair?"),
        (epoch("order = np.arange(len(x))"), "the same in every epoch"),
        (
            epoch(
                "starts = rng.permutation(np.arange(0, len(x), 10))",
                count="len(starts) * 10",
                chosen="slice(starts[i // 10], starts[i // 10] + 10)",
            ),
            "the same ten pictures always come together",
        ),
        (epoch("order = np.roll(np.arange(len(x)), rng.integers(len(x)))"), "turns the order round"),
        (epoch("order = np.roll(np.arange(len(x))[::-1], -rng.integers(len(x)))"), "turns the order round"),
        (epoch("order = np.random.default_rng(0).permutation(len(x))"), "starts its own generator"),
        (epoch("order = np.random.permutation(len(x))"), "does not come from `rng`"),
        (epoch("order = rng.integers(len(x), size=len(x))"), "not from every picture once"),
        (epoch(update="weights = [w + rate * g for w, g in zip(weights, gradient)]"), "walk uphill"),
        (epoch(update="new = [w - rate * g for w, g in zip(weights, gradient)]"), "those that went in"),
        (epoch(result="pass"), "Is `return weights` missing?"),
        (epoch(count="len(x) - 9"), "The last batch is dropped"),
        (epoch(count="len(x) - 1"), "The last batch is dropped"),
        (epoch(chosen="order"), "every step takes all pictures"),
        (epoch(chosen="order[i : i + 5]"), "every picture once"),
        (epoch(result="    return weights"), "every picture once"),
        (
            epoch(update="for w, g in zip(weights, gradient):\n            w -= rate * g"),
            "changes the weights that it is given",
        ),
        (
            epoch(update="for k in range(6):\n            weights[k] = weights[k] - rate * gradient[k]"),
            "`weights[k] = ...` work on the caller's own arrays and list",
        ),
        (
            epoch("rng.shuffle(x)", chosen="i", images="x[i : i + 10]", labels="y[i : i + 10]"),
            "changes the pictures or labels",
        ),
        (
            epoch(update="weights = [w - rate * g / 10 for w, g in zip(weights, gradient)]"),
            "is divided by the number of pictures already",
        ),
        (epoch(update="weights = [w - rate * g * 10 for w, g in zip(weights, gradient)]"), "ten times too long"),
        (
            epoch(update="weights = [w - rate * g / len(x) for w, g in zip(weights, gradient)]"),
            "The loss of a batch is a *mean*",
        ),
        (epoch(update="weights = [w - g for w, g in zip(weights, gradient)]"), "The learning rate does nothing"),
        (epoch(update="weights = [w - rate * rate * g for w, g in zip(weights, gradient)]"), "enters twice"),
        (epoch(update="weights = gradient"), "What comes back are the gradients"),
        (epoch(update="weights = [w - rate * g.mean() for w, g in zip(weights, gradient)]"), "do not move along"),
        (epoch(result="return weights, _"), "`epoch` keeps it to itself"),
        (epoch(result="return _, weights"), "`epoch` keeps it to itself"),
        (epoch(result="return _"), "the list of six weights"),
        (
            cell("""
def epoch(weights, x, y, rate, rng):
    order = rng.permutation(len(x))
    total = [0 * w for w in weights]
    for i in range(0, len(x), 10):
        _, gradient = loss_and_gradient(weights, x[order[i : i + 10]], y[order[i : i + 10]])
        total = [t + g for t, g in zip(total, gradient)]
    return [w - rate * t / (len(x) // 10) for w, t in zip(weights, total)]
"""),
            "the number of steps is not",
        ),
        (epoch(before="order = rng.permutation(len(x)) // 2 * 2"), "not from every picture once"),
        (3, "the function `epoch` itself"),
        (epoch(result="return weights[0]"), "the list of six weights"),
    ],
    "03.6": [
        (needs(a="nothing"), "A is at 100 %"),
        (needs(a="a lower rate"), "It fails on what it is not shown"),
        (needs(b="a higher rate"), "a few large steps have switched off"),
        (needs(b="more data"), "which guessing does too"),
        (needs(c="more data"), "both curves lie on each other"),
        (needs(c="nothing"), "still climbing"),
        (needs(c="a lower rate"), "climbs slowly and smoothly"),
        (needs(d="more data"), "its two curves stay close"),
        (needs(b="lower rate"), "Answer in these words"),
        ({"A": "more data"}, "one entry for each letter"),
        (["more data", "a lower rate", "a higher rate", "nothing"], "a dictionary with 4 entries"),
    ],
}
EQUIVALENT = {
    "03.1": [
        cell("""
def cross_entropy_gradient(scores, labels):
    return (reference.softmax(scores) - np.eye(scores.shape[1])[labels]) / scores.shape[0]
"""),
        cell("""
def cross_entropy_gradient(scores, labels):
    rows = []
    for row, label in zip(scores, labels):
        e = [np.exp(z - max(row)) for z in row]
        rows.append([(v / sum(e) - (c == label)) / len(scores) for c, v in enumerate(e)])
    return rows
"""),
        cell("""
def cross_entropy_gradient(scores, labels):
    scores = keras.ops.convert_to_tensor(scores, "float32")
    hot = keras.ops.one_hot(labels, scores.shape[1])
    return (keras.ops.softmax(scores) - hot) / len(labels)
"""),
    ],
    "03.2": [
        judge(),
        judge("(function(x + h) - function(x - h)) / 2e-6", "1e-6"),
        cell("""
def gradient_is_right(function, gradient, x):
    said, seen = gradient(x), reference.numerical_gradient(function, x)
    return np.shape(said) == np.shape(seen) and np.allclose(said, seen, rtol=0, atol=1e-3 * np.abs(seen).max())
"""),
        cell("""
def gradient_is_right(function, gradient, x):
    said = gradient(x)
    if said.shape != x.shape:
        return False
    seen = []
    for i in range(x.size):
        up, down = x.flatten(), x.flatten()
        up[i] += 1e-4
        down[i] -= 1e-4
        seen.append((function(up.reshape(x.shape)) - function(down.reshape(x.shape))) / 2e-4)
    largest = max(abs(s) for s in seen)
    return all(abs(a - b) <= largest / 1000 for a, b in zip(said.ravel(), seen))
"""),
    ],
    "03.3": [0.0003, 0.0004, 0.001, 0.002, np.float32(0.0006)],
    "03.4": [
        own_adam(),
        cell("""
def adam(weights, gradients, rate, clip=None):
    weights = [w.copy() for w in weights]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    left_first = left_second = 1.0
    for step in gradients:
        norm = np.linalg.norm(np.concatenate([g.ravel() for g in step]))
        factor = clip / norm if clip and norm > clip else 1.0
        left_first *= 0.9
        left_second *= 0.999
        for w, g, a, b in zip(weights, step, first, second):
            a += 0.1 * (factor * g - a)
            b += 0.001 * ((factor * g) ** 2 - b)
            w -= rate * (a / (1 - left_first)) / ((b / (1 - left_second)) ** 0.5 + 1e-7)
    return weights
"""),
    ],
    "03.5": [
        cell("""
def epoch(weights, x, y, rate, rng):
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    for i in range(0, len(x), 10):
        _, gradient = loss_and_gradient(weights, x[i : i + 10], y[i : i + 10])
        weights = [w - rate * g for w, g in zip(weights, gradient)]
    return weights
"""),
        cell("""
def epoch(weights, x, y, rate, rng):
    order = list(range(len(y)))
    rng.shuffle(order)
    while order:
        batch, order = order[:10], order[10:]
        gradient = loss_and_gradient(weights, x[batch], y[batch])[1]
        weights = [w - rate * gradient[k] for k, w in enumerate(weights)]
    return weights
"""),
    ],
    "03.6": [needs(), {"a": "More data", "b": "a lower rate ", "C": "A higher rate", "D": "Nothing"}],
}

globals().update(standard_tests("03", WRONG, EQUIVALENT))


def test_the_figure_and_the_check_of_03_6_agree():
    from cnnlib.checks import lesson_03
    from cnnlib.plotting import optimisation

    remedy = {
        "overfitting": "more data",
        "rate too high": "a lower rate",
        "underfitting": "a higher rate",
        "healthy": "nothing",
    }
    drawn = {letter: remedy[name] for letter, name in optimisation._LETTERS.items()}
    assert drawn == lesson_03.CURVES.expected


def test_the_figure_of_03_3_leaves_the_reading_to_the_reader(monkeypatch):
    from cnnlib.plotting import core, optimisation
    from cnnlib.training import RangeTest

    rates = np.geomspace(1e-6, 0.1, 100)
    found = RangeTest(rates, 2.3 - np.exp(-(np.log10(rates / 0.004) ** 2)))
    shown = []
    monkeypatch.setattr(core, "show", lambda fig, alt: shown.append((len(fig.axes[0].lines), alt)))
    for advice in (True, False):
        optimisation.range_test(found, advice)
    (lines, told), (lines_alone, told_alone) = shown
    assert lines == lines_alone + 2
    assert "decade below" in told
    assert f"{found.suggestion:.2g}" in told
    assert not any(word in told_alone for word in ("decade", "minimum", f"{found.suggestion:.2g}"))
    assert "at 0.005" in told_alone
    text = lesson("03").path.read_text(encoding="utf-8").split("### Exercise 03.3")[1][:1500]
    assert "plotting.range_test(found, advice=False)" in text
