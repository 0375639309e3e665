"""The exercises of lesson 14: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def undo(
    sides: str = "height, width = size",
    longer: str = "max(height, width)",
    new: str = "round(height * side / longer), round(width * side / longer)",
    bars: str = "(side - new_width) // 2, (side - new_height) // 2",
    x: str = "(value - left) * width / new_width",
    y: str = "(value - top) * height / new_height",
    cut: str = "min(max(value, 0), limit)",
) -> cell:
    """An answer to 14.1 from its parts."""
    return cell(f"""
def undo_letterbox(box, size, side):
    {sides}
    longer = {longer}
    new_height, new_width = {new}
    left, top = {bars}
    found = []
    for i, value in enumerate(box):
        limit = width if i % 2 == 0 else height
        value = {x} if i % 2 == 0 else {y}
        found.append({cut})
    return tuple(found)
""")


NO_NAN = "if np.isnan(scores).any(): raise ValueError('NaN')"


def told(
    before: str = NO_NAN,
    order: str = "sorted(range(len(scores)), key=lambda i: -scores[i])",
    reached: str = "score >= threshold",
    found: str = "len(results) > 0",
    miss: str = "missed[0] if missed else None",
) -> cell:
    """An answer to 14.2 from its parts."""
    return cell(f"""
def report(scores, labels, threshold):
    {before}
    results, missed = [], []
    for i in {order}:
        score = float(scores[i])
        if {reached}:
            results.append((labels[i], score))
        else:
            missed.append((labels[i], score))
    return {{"found": {found}, "results": results, "nearest_miss": {miss}}}
""")


def runs(
    flat: str = "np.asarray(mask).T.ravel()",
    start: str = "[0]",
    last: str = "0",
    result: str = "lengths",
) -> cell:
    """An answer to 14.3 from its parts."""
    return cell(f"""
def lengths_of_runs(mask):
    lengths, last = {start}, {last}
    for value in {flat}:
        if value == last:
            lengths[-1] += 1
        else:
            lengths.append(1)
        last = value
    return {result}
""")


def chosen(
    candidates: str = "sorted(set(confidence.tolist())) + [float('inf')]",
    machine: str = "confidence >= threshold",
    cost: str = "wrong * (machine & ~right).sum() + look * (~machine).sum()",
    within: str = "(~machine).sum() <= capacity * len(confidence)",
    better: str = "cost < best[1]",
    result: str = "best",
) -> cell:
    """An answer to 14.4 from its parts."""
    return cell(f"""
def operating_point(confidence, right, wrong, look, capacity):
    best = None
    for threshold in {candidates}:
        machine = {machine}
        cost = float({cost})
        if {within} and (best is None or {better}):
            best = (float(threshold), cost)
    return {result}
""")


def compared(
    near: str = "abs(a - b) <= tolerance",
    number: str = "if len(ours) != len(theirs): return ['number']",
    label: str = "one['label'] != two['label']",
    each: str = "zip(ours, theirs)",
    names: str = "[name for name in ('label', 'score', 'box') if name in found]",
    sides: str = "all(near(a, b, pixels) for a, b in zip(one['box'], two['box']))",
    score: str = "score",
) -> cell:
    """An answer to 14.5 from its parts."""
    return cell(f"""
def what_differs(answer, golden, score=0.001, pixels=0.5):
    ours, theirs = answer["results"], golden["results"]
    {number}

    def near(a, b, tolerance):
        return {near}

    found = set()
    for one, two in {each}:
        if {label}:
            found.add("label")
        if not near(one["score"], two["score"], {score}):
            found.add("score")
        if not {sides}:
            found.add("box")
    return {names}
""")


def hunted(
    colour: str = "np.full((40, 40, 3), (200, 90, 30), np.uint8)",
    wide: str = "np.full((20, 40, 3), (200, 90, 30), np.uint8)",
    swapped: str = "same(served(colour), trained(colour[..., ::-1]))",
    by_range: str = "np.allclose(ratio, 1 / 255) or np.allclose(ratio, 255)",
    else_: str = "'kernel'",
) -> cell:
    """An answer to 14.6 from its parts."""
    return cell(f"""
def find_skew(trained, served):
    def same(a, b):
        return np.allclose(a, b, rtol=1e-3, atol=1e-3)

    colour, wide = {colour}, {wide}
    black, white = np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)
    if not same(served(colour), trained(colour)):
        if {swapped}:
            return "channel order"
        ratio = (served(white) - served(black)) / (trained(white) - trained(black))
        return "range" if {by_range} else "normalisation"
    if not same(served(wide), trained(wide)):
        return "padding"
    return {else_}
""")


WRONG = {
    "14.1": [
        (
            cell("""
def undo_letterbox(box, size, side):
    height, width = size
    return box[0] * width / side, box[1] * height / side, box[2] * width / side, box[3] * height / side
"""),
            "undoes a stretch",
        ),
        (undo(bars="0, 0"), "The shift is missing"),
        (undo(bars="side - new_width, side - new_height"), "Half of it stands on either side"),
        (undo(bars="(side - new_width) / 2, (side - new_height) / 2"), "Bars are whole pixels"),
        (undo(bars="-((new_width - side) // 2), -((new_height - side) // 2)"), "so not before the picture"),
        (undo(x="value * width / new_width - left", y="value * height / new_height - top"), "in pixels of the *input*"),
        (undo(x="(value + left) * width / new_width", y="(value + top) * height / new_height"), "it is taken off"),
        (undo(x="value * new_width / width + left", y="value * new_height / height + top"), "*into* the square"),
        (undo(longer="min(height, width)"), "The *longer* side"),
        (undo(sides="width, height = size"), "`size` is (height, width)"),
        (undo(cut="value"), "not cut at its border"),
        (undo(new="height * side / longer, width * side / longer"), "has whole pixels"),
        (undo(new="int(height * side / longer), int(width * side / longer)"), "`round`, not `int`"),
        (undo(x="(value - left) * longer / side", y="(value - top) * longer / side"), "each for its own axis"),
    ],
    "14.2": [
        (told(before="pass"), "NaN goes through"),
        (told(reached="score > threshold"), "exactly the threshold counts"),
        (told(order="range(len(scores))"), "stand as they came"),
        (told(order="np.argsort(scores, kind='stable')"), "begin with the worst"),
        (told(order="np.argsort(scores, kind='stable')[::-1]"), "Of equal scores the later one"),
        (told(miss="missed[-1] if missed else None"), "the *best* of those below"),
        (told(miss="None"), "The nearest miss is missing"),
        (told(miss="missed[0] if missed and not results else None"), "where something was found, too"),
        (told(found="len(scores) > 0"), "not whether there were scores"),
        (told(found="True"), "and `found` is True"),
        (told(before="assert not np.isnan(max(scores)) or True\n    " + NO_NAN), "there is no maximum"),
    ],
    "14.3": [
        (runs(flat="np.asarray(mask).ravel()"), "You go along the rows"),
        (runs(result="lengths if lengths[0] or len(lengths) == 1 else lengths[1:]"), "must stand there"),
        (runs(last="1"), "begins with a run of ones"),
        (runs(result="lengths[1::2]"), "Zeros and ones take turns"),
        (
            cell("""
def lengths_of_runs(mask):
    lengths = []
    for column in np.asarray(mask).T:
        own, last = [0], 0
        for value in column:
            if value == last:
                own[-1] += 1
            else:
                own.append(1)
            last = value
        lengths += own
    return lengths
"""),
            "to the top of the next one",
        ),
        (runs(result="lengths[:-1]"), "The last run is missing"),
        (
            runs(result="[0, *np.cumsum(lengths)[:-1].tolist()] if lengths[0] else np.cumsum(lengths)[:-1].tolist()"),
            "not their lengths",
        ),
        (runs(flat="np.asarray(mask)[::-1].T.ravel()"), "from below"),
        (
            cell("""
def lengths_of_runs(mask):
    found = []
    for value in np.asarray(mask).T.ravel():
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([int(value), 1])
    return found
"""),
            "Only the lengths",
        ),
        (runs(result="lengths if len(lengths) % 2 else lengths + [0]"), "Nothing is added at the end"),
    ],
    "14.4": [
        (chosen(within="True"), "The capacity is not kept"),
        (
            chosen(within="(~machine).sum() < capacity * len(confidence)"),
            "Exactly the capacity is allowed",
        ),
        (
            chosen(within="machine.sum() <= capacity * len(confidence)"),
            "that a *person* looks at",
        ),
        (chosen(within="(~machine).sum() <= capacity"), "a *share* of all pictures"),
        (chosen(machine="confidence > threshold"), "is sorted by machine"),
        (chosen(machine="confidence < threshold"), "what it is *sure* of"),
        (chosen(cost="wrong * (machine & right).sum() + look * (~machine).sum()"), "Wrong ones cost"),
        (chosen(cost="wrong * (machine & ~right).sum()"), "A look costs, too"),
        (chosen(cost="wrong * (~right).sum() + look * (~machine).sum()"), "whatever the machine would have said"),
        (chosen(cost="look * (machine & ~right).sum() + wrong * (~machine).sum()"), "two prices have changed places"),
        (chosen(candidates="sorted(set(confidence.tolist()))"), "Infinity is a candidate"),
        (chosen(candidates="[*np.linspace(0, 1, 101), float('inf')]"), "not a grid"),
        (chosen(better="cost <= best[1]"), "take the *lower* threshold"),
        (chosen(better="cost > best[1]"), "the greatest cost"),
        (chosen(result="best and (best[0], best[1] / len(confidence))"), "The total cost"),
    ],
    "14.5": [
        (compared(near="not abs(a - b) > tolerance"), "NaN agrees with everything"),
        (compared(near="a - b <= tolerance"), "the absolute value"),
        (compared(near="a == b"), "Equal to the last digit"),
        (compared(number="pass"), "in silence"),
        (
            compared(
                number="found = {'number'} if len(ours) != len(theirs) else set()\n    extra = sorted(found)",
                names="extra + [name for name in ('label', 'score', 'box') if name in found]",
            ),
            "nothing else is compared",
        ),
        (
            cell("""
def what_differs(answer, golden, score=0.001, pixels=0.5):
    ours, theirs = answer["results"], golden["results"]
    if len(ours) != len(theirs):
        return ["number"]
    if not ours:
        return []
    pairs, names = list(zip(ours, theirs)), []
    if not any(one["label"] == two["label"] for one, two in pairs):
        names.append("label")
    if not any(abs(one["score"] - two["score"]) <= score for one, two in pairs):
        names.append("score")
    if not any(all(abs(a - b) <= pixels for a, b in zip(one["box"], two["box"])) for one, two in pairs):
        names.append("box")
    return names
"""),
            "One pair that agrees is not enough",
        ),
        (compared(sides="any(near(a, b, pixels) for a, b in zip(one['box'], two['box']))"), "all four of its sides"),
        (compared(sides="np.mean(np.abs(np.subtract(one['box'], two['box']))) <= pixels"), "hides the one that moved"),
        (compared(names="[name for name in ('label', 'score', 'box') if name in found][:1]"), "tell all"),
        (compared(names="[name for name in ('box', 'score', 'label') if name in found]"), "The order"),
        (
            compared(
                label="sorted(r['label'] for r in ours) != sorted(r['label'] for r in theirs)",
            ),
            "place by place",
        ),
        (compared(each="list(zip(ours, theirs))[:1]"), "Only the first result"),
        (compared(near="abs(a - b) <= (0.001 if tolerance == score else 0.5)"), "yours are always the same"),
        (
            compared(score="pixels", sides="all(near(a, b, score) for a, b in zip(one['box'], two['box']))"),
            "two tolerances have changed places",
        ),
        (compared(sides="all(near(a, b, score) for a, b in zip(one['box'], two['box']))"), "its own, in pixels"),
        (compared(score="pixels"), "A score has a tolerance"),
    ],
    "14.6": [
        (
            cell("""
def find_skew(trained, served):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    colour = np.full((40, 40, 3), (200, 90, 30), np.uint8)
    black, white = np.zeros_like(colour), np.full_like(colour, 255)
    same = lambda a, b: np.allclose(a, b, rtol=1e-3, atol=1e-3)
    if same(served(colour), trained(colour)):
        return "padding"
    if same(served(colour), trained(colour[..., ::-1])):
        return "channel order"
    ratio = (served(white) - served(black)) / (trained(white) - trained(black))
    flat = np.allclose(ratio, 255) or np.allclose(ratio, 1 / 255)
    return "range" if flat and same(served(black), trained(black)) else "normalisation"
"""),
            "taken for padding",
        ),
        (hunted(wide="np.full((40, 40, 3), (200, 90, 30), np.uint8)"), "taken for the kernel"),
        (hunted(colour="np.full((20, 40, 3), (200, 90, 30), np.uint8)"), "Begin with a square picture"),
        (hunted(swapped="False"), "red and blue exchanged"),
        (
            hunted(colour="np.full((40, 40, 3), 127, np.uint8)", wide="np.full((20, 40, 3), 127, np.uint8)"),
            "ask with a colour",
        ),
        (hunted(by_range="True"), "shrinks to a 255th"),
        (hunted(by_range="False"), "255 is a large factor"),
        (hunted(by_range="np.allclose(ratio, 1 / 255)"), "It may be training"),
        (hunted(by_range="same(served(black), trained(black))"), "Look at the step to white"),
        (cell("def find_skew(trained, served):\n    return 'channel order'"), "the same answer for every pair"),
        (cell("def find_skew(trained, served):\n    return 'range'"), "the same answer for every pair"),
        (cell("def find_skew(trained, served):\n    return 'kernel'"), "the same answer for every pair"),
        (cell("def find_skew(trained, served):\n    return 'padding'"), "the same answer for every pair"),
        (cell("def find_skew(trained, served):\n    return 'normalisation'"), "the same answer for every pair"),
    ],
}

EQUIVALENT = {
    "14.1": [
        undo(),
        cell("""
def undo_letterbox(box, size, side):
    sizes = np.array(size[::-1], dtype=float)
    new = np.round(sizes * (side / sizes.max()))
    corners = (np.reshape(box, (2, 2)) - (side - new) // 2) / (new / sizes)
    return np.clip(corners, 0, sizes).ravel().tolist()
"""),
    ],
    "14.2": [
        told(),
        cell("""
def report(scores, labels, threshold):
    pairs = list(zip(labels, map(float, scores)))
    if any(score != score for _, score in pairs):
        raise ValueError("NaN")
    pairs.sort(key=lambda pair: pair[1], reverse=True)
    results = [pair for pair in pairs if pair[1] >= threshold]
    return dict(found=results != [], results=results, nearest_miss=next(iter(pairs[len(results):]), None))
"""),
    ],
    "14.3": [
        runs(),
        cell("""
def lengths_of_runs(mask):
    from itertools import groupby
    groups = [(bool(value), len(list(group))) for value, group in groupby(np.asarray(mask).ravel(order="F"))]
    return ([0] if groups[0][0] else []) + [length for _, length in groups]
"""),
        cell("""
def lengths_of_runs(mask):
    flat = np.concatenate([[0], np.asarray(mask, int).T.ravel(), [2]])
    return np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat))]))
"""),
    ],
    "14.4": [
        chosen(),
        cell("""
def operating_point(confidence, right, wrong, look, capacity):
    table = []
    for threshold in {*confidence.tolist(), np.inf}:
        looked = sum(c < threshold for c in confidence)
        errors = sum(c >= threshold and not hit for c, hit in zip(confidence, right))
        if looked / len(confidence) <= capacity + 1e-12:
            table.append((wrong * errors + look * looked, threshold))
    cost, threshold = min(table)
    return threshold, cost
"""),
    ],
    "14.5": [
        compared(),
        cell("""
def what_differs(answer, golden, score=0.001, pixels=0.5):
    ours, theirs = (each["results"] for each in (answer, golden))
    if len(ours) - len(theirs):
        return ["number"]
    if not ours:
        return []
    apart = {
        "label": np.array([a["label"] != b["label"] for a, b in zip(ours, theirs)]),
        "score": ~(np.abs([a["score"] - b["score"] for a, b in zip(ours, theirs)]) <= score),
        "box": ~(np.abs([np.subtract(a["box"], b["box"]) for a, b in zip(ours, theirs)]) <= pixels),
    }
    return [name for name in apart if apart[name].any()]
"""),
    ],
    "14.6": [
        hunted(),
        cell("""
def find_skew(trained, served):
    def plain(value, height=30, width=30):
        return np.broadcast_to(np.array(value, np.uint8), (height, width, 3)).copy()

    def values(function, value):
        return function(plain(value)).mean(axis=(0, 1))

    close = {"rtol": 1e-3, "atol": 1e-3}
    own, other = [(values(f, 0), values(f, 255), values(f, (255, 0, 0))) for f in (trained, served)]
    if not np.allclose(own[0], other[0], **close):
        return "normalisation"
    if not np.allclose(own[1], other[1], **close):
        ratio = np.abs(np.log((other[1] - other[0]) / (own[1] - own[0])))
        return "range" if np.allclose(ratio, np.log(255), rtol=1e-3) else "normalisation"
    if not np.allclose(own[2], other[2], **close):
        return "channel order"
    bars = plain((200, 90, 30), 15, 30)
    return "kernel" if np.allclose(trained(bars), served(bars), **close) else "padding"
"""),
    ],
}

globals().update(standard_tests("14", WRONG, EQUIVALENT))
