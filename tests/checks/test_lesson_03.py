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


def step(velocity: str = "momentum * velocity - rate * gradient", result: str = "weights + v, v") -> cell:
    """An answer to 03.2 from its two lines."""
    return cell(f"""
def momentum_step(weights, velocity, gradient, rate, momentum=0.9):
    v = {velocity}
    return {result}
""")


def schedule(
    climb: str = "peak * (step + 1) / warmup",
    part: str = "(step - warmup + 1) / (steps - warmup + 1)",
    fall: str = "peak / 2 * (1 + np.cos(np.pi * part))",
    outside: str = "not 0 <= step < steps",
    warm: str = "step < warmup",
) -> cell:
    """An answer to 03.4 from its parts."""
    return cell(f"""
def rate_at(step, peak, steps, warmup):
    if {outside}:
        raise ValueError("outside the run")
    if {warm}:
        return {climb}
    part = {part}
    return {fall}
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
        (step(result="weights + velocity, v"), "by the velocity of *before*"),
        (step("momentum * velocity + gradient", "weights - rate * v, v"), "the convention of PyTorch"),
        (step("momentum * velocity + rate * gradient", "weights - v, v"), "points uphill and is subtracted"),
        (step("momentum * velocity + rate * gradient"), "the weights walk uphill"),
        (step(result="weights - v, v"), "already points downhill"),
        (step("momentum * velocity - (1 - momentum) * rate * gradient"), "with shares that sum to 1"),
        (step("momentum * velocity - gradient"), "The learning rate does nothing in your velocity"),
        (step("velocity - momentum * rate * gradient"), "The momentum is on the wrong term"),
        (step("momentum * (velocity - rate * gradient)"), "The momentum shrinks the new gradient"),
        (step("rate * (momentum * velocity - gradient)"), "The rate shrinks the old velocity"),
        (step("velocity - rate * gradient"), "Nothing is ever forgotten"),
        (step("-rate * gradient"), "your velocity forgets what it was"),
        (step("velocity", "weights - rate * gradient, v"), "the velocity neither changes nor moves the weights"),
        (step(result="weights - rate * gradient, v"), "the weights move by the gradient alone"),
        (step(result="weights + momentum * v - rate * gradient, v"), "Nesterov's variant"),
        (step(result="weights + rate * v, v"), "The rate enters twice"),
        (step(result="momentum * weights + v, v"), "The momentum shrinks the weights"),
        (step("0.9 * velocity - rate * gradient"), "Your momentum is always 0.9"),
        (step("momentum * velocity + (1 - momentum) * gradient", "weights - rate * v, v"), "an average of gradients"),
        (step(result="weights + v - rate * gradient, v"), "The gradient moves the weights twice"),
        (step(result="v, weights + v"), "in the wrong order"),
        (step(result="weights + v"), "the velocity is missing"),
        (step(result="v"), "the weights are missing"),
        (step(result="np.add(weights, v, out=weights), v"), "it changes `weights` on the way"),
        (
            cell("""
def momentum_step(weights, velocity, gradient, rate, momentum=0.9):
    velocity *= momentum
    velocity -= rate * gradient
    weights += velocity
    return weights, velocity
"""),
            "it changes `weights` and `velocity` on the way",
        ),
        (step("np.multiply(velocity, momentum, out=velocity) - rate * gradient"), "write into the caller's own arrays"),
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
        (schedule(climb="peak * step / warmup"), "Your first step is taken at a rate of 0"),
        (schedule(climb="peak * (step + 1) / (warmup + 1)"), "Your warm-up does not reach the peak"),
        (schedule(climb="peak * (warmup - step) / warmup"), "begins at the peak and goes down"),
        (schedule(climb="peak * (step + 1) / steps"), "all $n$ steps for it"),
        (schedule(climb="peak"), "There is no warm-up"),
        (schedule(warm="False"), "the cosine alone"),
        (schedule(part="(step - warmup) / (steps - warmup)"), "begins at its top a second time"),
        (schedule(part="(step - warmup) / (steps - warmup + 1)"), "one step late"),
        (schedule(part="(step - warmup + 1) / (steps - warmup)"), "Your last step is taken at a rate of 0"),
        (schedule(part="(step + 1) / (steps + 1)"), "counts from the beginning of the run"),
        (schedule(part="step / steps"), "counts from the beginning of the run"),
        (schedule(part="(step - warmup + 1) / steps"), "Your cosine is too slow"),
        (schedule(fall="peak * (1 + np.cos(np.pi * part))"), "your rate is twice too high"),
        (schedule(fall="peak * np.cos(np.pi * part)"), "Your rate becomes negative"),
        (schedule(fall="peak * np.cos(np.pi / 2 * part)"), "a quarter of a wave"),
        (schedule(fall="peak / 2 * (1 + np.cos(part))"), "not to pi"),
        (schedule(fall="peak / 2 * (1 + np.cos(180 * part))"), "takes radians"),
        (schedule(fall="peak / 2 * (1 + np.cos(2 * np.pi * part))"), "a whole wave"),
        (schedule(fall="peak / 2 * (1 - np.cos(np.pi * part))"), "Your rate climbs after the warm-up"),
        (schedule(fall="peak * (1 - part)"), "a straight line down"),
        (schedule(fall="peak"), "stays at the peak"),
        (schedule(climb="peak * step + 1 / warmup"), "Brackets are missing in your warm-up"),
        (schedule(part="step - warmup + 1 / (steps - warmup + 1)"), "Came"),
        (
            schedule(fall="peak / 2 * (1 + np.cos(np.pi * step - warmup + 1 / (steps - warmup + 1)))"),
            "Brackets are missing in your cosine",
        ),
        (schedule(fall="peak / 2 * (1 + np.cos(np.pi) * part)"), "Your fraction stands beside the cosine"),
        (schedule(warm="step <= warmup"), "one step too long"),
        (
            cell("""
def rate_at(step, peak, steps, warmup):
    if not 0 <= step < steps:
        raise ValueError
    climb = peak * (step + 1) / warmup
    fall = peak / 2 * (1 + np.cos(np.pi * (step - warmup + 1) / (steps - warmup + 1)))
    return climb if step < warmup else fall
"""),
            "nothing can be divided by it",
        ),
        (schedule(outside="False"), "silently goes on"),
        (schedule(outside="not 0 <= step <= steps"), "You accept n as well"),
        (schedule(outside="step >= steps"), "accept negative ones"),
        (schedule(outside="step < 0"), "accept steps behind the end"),
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
        (needs(b="a higher rate"), "one large step has switched off"),
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
        step("np.multiply(velocity, momentum) - np.multiply(gradient, rate)", "[np.add(weights, v), v]"),
        cell("""
def momentum_step(weights, velocity, gradient, rate, momentum=0.9):
    velocity = velocity.copy()
    velocity *= momentum
    velocity -= rate * gradient
    return weights + velocity, velocity
"""),
    ],
    "03.3": [0.0003, 0.0004, 0.001, 0.002, np.float32(0.0006)],
    "03.4": [
        cell("""
import math

def rate_at(step, peak, steps, warmup):
    if step < 0 or step > steps - 1:
        raise ValueError
    since = step - (warmup - 1)
    if since <= 0:
        return peak + since * peak / warmup
    return peak * math.cos(math.pi * since / (steps - warmup + 1) / 2) ** 2
"""),
        cell("""
def rate_at(step, peak, steps, warmup):
    if step not in range(steps):
        raise ValueError
    climb = [peak * i / warmup for i in range(1, warmup + 1)]
    rest = steps - warmup + 1
    return (climb + [peak * (1 + np.cos(np.pi * i / rest)) / 2 for i in range(1, rest)])[step]
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
