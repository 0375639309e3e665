"""The exercises of lesson 15: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests

from cnnlib.broken.causes import CAUSES

# --- broken projects --------------------------------------------------------------------------------------------------

RIGHT = {
    "wardrobe": 'load=lambda rng: broken.project("wardrobe").load(rng, header=None)',
    "toys": "optimizer=lambda: keras.optimizers.Adam(0.003)",
    "microscope": 'prepare=lambda pictures: np.nan_to_num(broken.project("microscope").prepare(pictures))',
    "catalogue": "network=lambda: broken.small_network((28, 28, 1), 10)",
    "studio": 'freeze=lambda model: ["c1", "c1_norm", "c3", "c3_norm"]',
    "sorter": 'freeze=lambda model: ["conv1"]',
    "forest": "split=lambda data, rng: splits.grouped_split([name[:9] for name in data.names], test=0.25)",
    "gate": 'prepare=lambda p: broken.project("gate").prepare(p) * (np.arange(32) < 27)[:, None, None]',
    "meadow": 'serve=lambda outputs_of, p: outputs_of(broken.project("meadow").prepare(p)).argmax(1)',
    "inspection": "augment=lambda x, y, rng: (lambda i: (x[i], y[i]))"
    "(rng.choice(len(y), 800, p=1 / (2 * np.bincount(y)[y])))",
}


def mended(name: str, step: str | None = None, cause: str | None = None) -> cell:
    """An answer that mends one project in some way."""
    step = RIGHT[name] if step is None else step
    return cell(f'mended = {{"{name}": ("{cause or CAUSES[name]}", broken.project("{name}").replace({step}))}}')


def both(first: str, second: str, before: str = "", **steps: str) -> cell:
    """Two projects mended, each by the step that is given or as it should be."""
    entries = [
        f'"{each}": ("{CAUSES[each].upper()}", broken.project("{each}").replace({steps.get(each, RIGHT[each])}))'
        for each in (first, second)
    ]
    return cell(f"{before}\nmended = {{{', '.join(entries)}}}")


ROLLED = "load=lambda rng: (lambda d: broken.Data(d.pictures, np.roll(d.labels, {by})))"
ROLLED += '(broken.project("wardrobe").load(rng))'
OWN_LOSS = "loss=lambda labels, outputs: keras.losses.sparse_categorical_crossentropy(labels, outputs)"
BY_LAST = "split=lambda data, rng: tuple(np.flatnonzero([(name[-5] == '3') == side for name in data.names]) "
BY_LAST += "for side in (False, True))"
NO_DIGITS = 'prepare=lambda p: broken.project("gate").prepare(np.where(p[..., :1] > 240, 128, p))'
FLIPPED = 'serve=lambda outputs_of, p: outputs_of(broken.project("meadow").prepare(p[..., ::-1])).argmax(1)'
HALVED = "serve=lambda outputs_of, p: outputs_of(p / 127.5 - 1).argmax(1)"
EVERYTHING = "serve=lambda outputs_of, p: np.ones(len(p), int)"

WRONG = {
    "15.1": [
        (cell("mended = 0.003"), "The answer is a dictionary"),
        (mended("wardrobe"), "'toys' is still to be mended"),
        (mended("wardrobe", cause="learning rate"), "with this very rate"),
        (mended("wardrobe", cause="leekage"), "none of the flowchart's"),
        (mended("wardrobe", ROLLED.format(by=-1)), "the one 2 below it"),
        (mended("wardrobe", ROLLED.format(by=5)), "not in one order"),
        (mended("wardrobe", "epochs=5"), "the one 1 below it"),
        (cell('mended = {"shop": 1}'), "has no project 'shop'"),
        (cell('mended = {"wardrobe": broken.project("wardrobe")}'), "two things are asked for"),
        (cell('mended = {"wardrobe": ("learning rate", broken.project("toys"))}'), "no mended wardrobe"),
        (
            cell('mended = {"wardrobe": ("labels do not belong to their pictures", broken.project("wardrobe"))}'),
            "no step was exchanged",
        ),
        (mended("toys", "optimizer=lambda: keras.optimizers.Adam(0.2)"), "compare the rate with weights"),
        (mended("toys", "optimizer=lambda: keras.optimizers.Adam(0.000003)"), "so small that little is learnt"),
        (mended("toys", "epochs=6"), "compare the rate with weights"),
        (mended("toys", cause="labels do not belong to their pictures"), "learnt by heart, right or wrong"),
        (mended("toys", "field=lambda rng: None"), "not yours to choose"),
    ],
    "15.2": [
        (mended("microscope", "optimizer=lambda: keras.optimizers.SGD(1e-6)"), "a picture of one grey"),
        (mended("microscope", "optimizer=lambda: keras.optimizers.SGD(0.05, clipnorm=1.0)"), "a picture of one grey"),
        (mended("microscope", cause="learning rate"), "at a rate of a millionth"),
        (
            mended(
                "microscope",
                "load=lambda rng: (lambda d, k: broken.Data(d.pictures[k], d.labels[k]))"
                "(*(lambda d: (d, d.pictures.mean((1, 2, 3)) > 60))(broken.project('microscope').load(rng)))",
            ),
            "thrown away many",
        ),
        (mended("microscope", "prepare=lambda p: np.nan_to_num(0 * p / 0.5)"), "come out with mean 0 and spread 1"),
        (mended("catalogue", "epochs=8"), "softmax belongs between scores and loss once"),
        (mended("catalogue", "optimizer=lambda: keras.optimizers.SGD(0.2, momentum=0.9)"), "the loss says"),
        (mended("catalogue", cause="underfitting"), "No larger network would lower it"),
        (
            mended("catalogue", f"network=lambda: broken.small_network((28, 28, 1), 10), {OWN_LOSS}"),
            "softmax belongs between",
        ),
    ],
    "15.3": [
        (mended("studio", "freeze=lambda model: ['c1_norm', 'c3_norm']"), "Now the convolutions of the backbone move"),
        (mended("studio", "freeze=lambda model: ['c1', 'c3', 'c1_norm']"), "c3_norm"),
        (mended("studio", "freeze=lambda model: [layer.name for layer in model.layers]"), "nothing learns at all"),
        (mended("studio", cause="overfitting"), "The *training* pictures are worse, too"),
        (mended("studio", "epochs=8"), "A normalisation has four arrays"),
        (mended("sorter", "freeze=lambda model: []"), "conv1 is on a chip, and has moved"),
        (mended("sorter", "freeze=lambda model: ['conv1', 'block1_conv1']"), "block1_conv1/kernel did not move"),
        (mended("sorter", "epochs=6"), "A piece of a name may stand in many names"),
        (mended("sorter", cause="underfitting"), "Count how much of it learns"),
    ],
    "15.4": [
        (mended("forest", "split=lambda data, rng: splits.random_split(len(data.labels), 0.4, 1)"), "have a sister"),
        (mended("forest", BY_LAST), "have a sister"),
        (mended("forest", cause="overfitting"), "validation hides it"),
        (
            mended("forest", "split=lambda data, rng: (np.arange(40, len(data.names)), np.arange(40))"),
            "One side is too small",
        ),
        (
            mended("forest", "load=lambda rng: (lambda d: broken.Data(d.pictures, d.labels))"
                   "(broken.project('forest').load(rng))"),
            "needs the names of the files",
        ),
        (mended("gate", NO_DIGITS), "It still looks at the corner"),
        (mended("gate", "epochs=8"), "It still looks at the corner"),
        (mended("gate", cause="leakage"), "No picture of the validation set has a sister"),
        (mended("gate", 'prepare=lambda p: 0 * broken.project("gate").prepare(p)'), "learnt too little"),
    ],
    "15.5": [
        (mended("meadow", HALVED), "Send one file through"),
        (mended("meadow", FLIPPED), "Send one file through"),
        (mended("meadow", "epochs=6"), "Send one file through"),
        (mended("meadow", cause="the inputs have changed"), "compare statistics"),
        (mended("inspection", EVERYTHING), "nobody needs the network"),
        (mended("inspection", "epochs=2"), "Make shirts weigh more"),
        (mended("inspection", cause="overfitting"), "Validation is as good as training"),
        (
            mended("inspection", "serve=lambda f, p: (np.arange(len(p)) % 2)"),
            "Too many dresses are taken out",
        ),
    ],
}  # fmt: skip


# --- functions --------------------------------------------------------------------------------------------------------


def ece(
    top: str = "probabilities.max(axis=1)",
    bin_of: str = "min(int(c * bins), bins - 1)",
    gap: str = "abs(np.mean(cs) - np.mean(rs))",
    weight: str = "len(cs)",
    result: str = "total / len(labels)",
    refusal: str = "bins < 1",
) -> cell:
    """An answer to 15.6 from its parts."""
    return cell(f"""
def calibration_error(probabilities, labels, bins=10):
    if {refusal}:
        raise ValueError("bins")
    groups = {{}}
    right = probabilities.argmax(axis=1) == labels
    for c, r in zip({top}, right):
        groups.setdefault({bin_of}, []).append((c, r))
    total, gaps = 0.0, []
    for number, pairs in groups.items():
        cs, rs = zip(*pairs)
        if number is None or number >= max(bins, 1):
            continue
        gaps.append({gap})
        total += {weight} * {gap}
    return {result}
""")


def cooled(
    candidates: str = "np.geomspace(0.1, 10, 1500)",
    scaled: str = "logits / t",
    chosen: str = "labels",
    best: str = "min",
    result: str = "float(found)",
) -> cell:
    """An answer to 15.7 from its parts."""
    return cell(f"""
def temperature(logits, labels):
    def cost(t):
        z = {scaled}
        z = z - z.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(len(p)), {chosen}] + 1e-300).mean()

    found = {best}({candidates}, key=cost)
    return {result}
""")


def step(direction: str = "np.sign(slope)", moved: str = "images + epsilon * way", result: str = "np.clip(x, 0, 1)"):
    """An answer to 15.8 from its parts."""
    return cell(f"""
def fgsm(gradient, images, labels, epsilon):
    slope = gradient(images, labels)
    way = {direction}
    x = {moved}
    return {result}
""")


def limit(allowed: str = "int(rate * len(d) + 1e-9)", order: str = "sorted(d, reverse=True)", result: str = "d[k]",
          refusal: str = "k < 1") -> cell:  # fmt: skip
    """An answer to 15.9 from its parts."""
    return cell(f"""
def alarm_limit(distances, rate):
    d = list(distances)
    k = {allowed}
    if {refusal}:
        raise ValueError("too few")
    d = {order}
    return float({result})
""")


WRONG |= {
    "15.6": [
        (ece(result="float(np.mean(gaps))"), "A bin counts as often as it has predictions"),
        (ece(result="sum(gaps) / bins"), "the empty ones included"),
        (ece(gap="(np.mean(cs) - np.mean(rs))"), "Take each without its sign"),
        (ece(gap="(np.mean(cs) - np.mean(rs))", result="abs(total) / len(labels)"), "*before* you add them"),
        (ece(gap="(np.mean(cs) - np.mean(rs)) ** 2"), "You square the gaps"),
        (ece(result="max(gaps)"), "You give the largest gap"),
        (ece(result="total"), "not divided by the number of predictions"),
        (ece(top="probabilities[np.arange(len(labels)), labels]"), "the class that the network *chose*"),
        (ece(bin_of="int(c * bins)"), "A confidence of exactly 1 falls into no bin"),
        (ece(bin_of="None if c <= 0.5 else min(int(c * bins), bins - 1)"), "may be below one half"),
        (ece(refusal="False", bin_of="min(int(c * max(bins, 1)), max(bins, 1) - 1)"), "should be refused"),
        (
            cell("""
def calibration_error(probabilities, labels, bins=10):
    if bins < 1:
        raise ValueError
    return abs(probabilities.max(1).mean() - (probabilities.argmax(1) == labels).mean())
"""),
            "as if all predictions lay in one bin",
        ),
        (ece(result="None"), "Is a `return` missing?"),
    ],
    "15.7": [
        (cooled(result="1 / found"), "one over the temperature"),
        (cooled(scaled="logits * t"), "one over the temperature"),
        (cooled(best="max"), "where the network is surest"),
        (cooled(chosen="p.argmax(axis=1)"), "is that of the *true* class"),
        (cooled(candidates="np.linspace(1, 10, 2000)"), "Look below 1, too"),
        (cooled(candidates="np.geomspace(0.1, 2, 1000)"), "Look further up"),
        (cooled(candidates="np.linspace(0.1, 10, 21)"), "too far apart"),
        (cooled(result="logits.std()"), "The spread of the logits"),
        (cooled(result="None"), "Is a `return` missing?"),
    ],
    "15.8": [
        (step(moved="images - epsilon * way"), "You go down"),
        (step(direction="slope"), "Only the *sign*"),
        (
            step(direction="slope / np.sqrt((slope ** 2).sum(axis=(1, 2, 3), keepdims=True))"),
            "make the gradient of a picture one long",
        ),
        (step(direction="slope / np.abs(slope).max(axis=(1, 2, 3), keepdims=True)"), "the largest value"),
        (step(result="x"), "Some values have left 0 to 1"),
        (step(result="np.minimum(x, 1)"), "come below 0"),
        (step(result="np.maximum(x, 0)"), "come above 1"),
        (step(direction="np.where(slope > 0, 1, -1)"), "the sign is 0 as well"),
        (step(direction="np.where(slope >= 0, 1, -1)"), "stays where it is"),
        (step(moved="epsilon * way"), "the step alone"),
        (step(moved="images + np.clip(epsilon * way, 0, 1)", result="x"), "You clip the step"),
        (step(result="None"), "Is a `return` missing?"),
    ],
    "15.9": [
        (limit(result="d[0]"), "A share of them may"),
        (limit(result="d[k - 1]"), "not at it"),
        (limit(result="d[k + 1]"), "One window too many"),
        (limit(allowed="int(np.ceil(rate * len(d) - 1e-9))", refusal="rate * len(d) < 1 - 1e-9"), "You round up"),
        (limit(result="np.quantile(d, 1 - rate)"), "by a rule of its own"),
        (limit(result="np.mean(d) + 2 * np.std(d)"), "know nothing of the rate"),
        (limit(order="sorted(d)"), "from the smallest distance"),
        (limit(refusal="False"), "So few windows cannot tell"),
    ],
}

RIGHT_PLANS = {
    "defects": ("by time", "expected cost", "from cost", "EfficientNet-Lite0"),
    "medical": ("by group", "specificity at the recall", "from recall", "ResNet-50"),
    "driving": ("by group", "recall at the capacity", "from capacity", "Faster R-CNN"),
    "documents": ("by group", "whole fields right", "from capacity", "text recogniser"),
    "remote sensing": ("by group", "mean IoU", "highest F1", "DeepLabV3"),
    "moderation": ("by time", "recall at the capacity", "from capacity", "MobileNetV2"),
}


def plans(**changed: dict) -> cell:
    """Six plans with some decisions exchanged."""
    decisions = ("split", "metric", "threshold", "architecture", "monitoring")
    made = {
        name: {**dict(zip(decisions, (*plan, "input drift and labelled sample"))), **changed.get(name, {})}
        for name, plan in RIGHT_PLANS.items()
    }
    return cell(f"plans = {made!r}")


WRONG["15.10"] = [
    (plans(defects={"split": "random"}), "it changes: tools wear"),
    (plans(defects={"metric": "accuracy"}), "constant answer scores 99"),
    (plans(medical={"threshold": "0.5"}), "recall of 95% is asked for"),
    (plans(driving={"architecture": "SSDLite"}), "its finest map has one cell"),
    (plans(moderation={"architecture": "hosted API"}), "500 a day may be spent"),
    (plans(documents={"monitoring": "accuracy on labels"}), "isses never get a label"),
    (plans(medical={"split": "by patient"}), "cannot be 'by patient'"),
    (cell("plans = {'defects': {'split': 'by time'}}"), "does not decide about"),
    (cell("plans = {'defects': 'by time'}"), "The answer is a dictionary"),
    (cell(plans().text.replace("'moderation'", "'cloud'")), "'moderation' has no plan yet"),
]

EQUIVALENT = {
    "15.1": [
        both(
            "wardrobe",
            "toys",
            before="from cnnlib.broken import wardrobe as shop",
            wardrobe="load=lambda rng: (lambda p, t: broken.Data(p, np.array([shop.CLASSES.index(l[9:]) "
            "for l in t.split(chr(10))])))(*shop.delivered(rng))",
            toys="optimizer=lambda: keras.optimizers.SGD(0.05, momentum=0.9)",
        ),
    ],
    "15.2": [
        both(
            "microscope",
            "catalogue",
            microscope="prepare=lambda p: (p - p.mean((1, 2, 3), keepdims=True)) "
            "/ np.maximum(p.std((1, 2, 3), keepdims=True), 1)",
            catalogue=OWN_LOSS,
        ),
    ],
    "15.3": [
        both(
            "studio",
            "sorter",
            studio="freeze=lambda model: [layer.name for layer in model.layers[:-1]]",
            sorter="freeze=lambda model: [n for n in map(lambda l: l.name, model.layers) if n.startswith('conv')]",
        ),
    ],
    "15.4": [
        both(
            "forest",
            "gate",
            forest="load=lambda rng: (lambda d: broken.Data(d.pictures[::4], d.labels[::4], d.names[::4]))"
            '(broken.project("forest").load(rng))',
            gate="prepare=lambda p: np.where((np.indices((32, 32)) > [[[25]], [[18]]]).all(0)[..., None], 0.0, "
            "p / 127.5 - 1)",
        ),
    ],
    "15.5": [
        both(
            "meadow",
            "inspection",
            # the other way round: training learns what serving does
            meadow="prepare=lambda p: p / 255",
            inspection="loss=lambda y, z: keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, z, "
            "from_logits=True) * (1 + 14 * keras.ops.cast(keras.ops.reshape(y, (-1,)), 'float32'))) / 2",
        ),
    ],
    "15.6": [
        cell("""
def calibration_error(probabilities, labels, bins=10):
    if bins <= 0:
        raise ValueError("at least one bin")
    c = np.sort(probabilities, axis=-1)[:, -1]
    hit = (np.argmax(probabilities, -1) == labels).astype(float)
    where = np.digitize(c, np.linspace(0, 1, bins + 1)[1:-1])
    return sum(abs((c - hit)[where == b].sum()) for b in range(bins)) / c.size
"""),
    ],
    "15.7": [
        cell("""
def temperature(logits, labels):
    from scipy import optimize, special

    def cost(log_t):
        return -special.log_softmax(logits * np.exp(-log_t), axis=1)[range(len(labels)), labels].sum()

    return np.exp(optimize.minimize_scalar(cost, bounds=(-2.3, 2.3), method="bounded").x)
"""),
    ],
    "15.8": [
        cell("""
def fgsm(gradient, images, labels, epsilon):
    g = gradient(images, labels)
    up, down = np.minimum(images + epsilon, 1), np.maximum(images - epsilon, 0)
    return np.select([g > 0, g < 0], [up, down], images)
"""),
    ],
    "15.9": [
        cell("""
def alarm_limit(distances, rate):
    n = len(distances)
    good = [d for d in distances if np.count_nonzero(distances > d) <= rate * n + 1e-9]
    if rate * n + 1e-9 < 1:
        raise ValueError(n)
    return min(good)
"""),
    ],
    "15.10": [plans()],
}

globals().update(standard_tests("15", WRONG, EQUIVALENT, trains=("15.1", "15.2", "15.3", "15.4", "15.5")))
