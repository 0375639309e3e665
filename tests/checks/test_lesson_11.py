"""The exercises of lesson 11: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def matrix(
    refusal: str = "(boxes[:, 2:] < boxes[:, :2]).any()",
    looked_at: str = "(first, second)",
    shared: str = "np.maximum(end - start, 0).prod(axis=-1)",
    side: str = "boxes[:, 2:] - boxes[:, :2]",
    union: str = "a[:, None] + b[None] - shared",
    result: str = "shared / union",
) -> cell:
    """An answer to 11.1 from its parts."""
    return cell(f"""
def iou_matrix(first, second):
    for boxes in {looked_at}:
        if {refusal}:
            raise ValueError("no box")
    start = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = {shared}
    a, b = [({side}).prod(axis=-1) for boxes in (first, second)]
    union = {union}
    return {result}
""")


def assigned(
    high: str = "value >= positive",
    low: str = "value < negative",
    names: str = "-1, -2",
    objects: str = "np.argsort(overlap.max(axis=0))",
    own: str = "found[overlap[:, k].argmax()] = k",
    best: str = "overlap.argmax(axis=1)",
    result: str = "found",
    empty: str = "overlap.shape[1] == 0",
) -> cell:
    """An answer to 11.2 from its parts."""
    background, between = names.split(", ")
    return cell(f"""
def assign(overlap, positive, negative):
    if {empty}:
        return np.full(len(overlap), {background})
    best, value = {best}, overlap.max(axis=1)
    found = np.where({high}, best, np.where({low}, {background}, {between}))
    for k in {objects}:
        {own}
    return {result}
""")


def nms(
    order: str = "np.argsort(-scores)",
    against: str = "kept",
    near: str = "overlap > threshold",
    result: str = "kept",
) -> cell:
    """An answer to 11.3 from its parts."""
    return cell(f"""
def suppress(boxes, scores, threshold):
    kept, seen = [], []
    for i in {order}:
        overlap = detection.iou(boxes[[i]], boxes[np.array({against}, int)])
        if not ({near}).any():
            kept.append(int(i))
        seen.append(int(i))
    return {result}
""")


def average(
    order: str = "np.argsort(-scores)",
    precision: str = "hits / np.arange(1, len(hits) + 1)",
    recall: str = "hits / positives",
    levels: str = "np.linspace(0, 1, 101)",
    height: str = "precision[recall >= level].max(initial=0)",
    result: str = "np.mean(heights)",
) -> cell:
    """An answer to 11.4 from its parts."""
    return cell(f"""
def area_under(scores, correct, positives):
    hits = np.cumsum(correct[{order}])
    precision = {precision}
    recall = {recall}
    heights = [{height} for level in {levels}]
    return {result}
""")


def threshold(
    candidates: str = "[np.inf, *sorted(scores, reverse=True)]",
    accepted: str = "scores >= t",
    missed: str = "positives - correct[taken].sum()",
    cost: str = "miss * missed + alarm * alarms",
    better: str = "cost < lowest",
    result: str = "best",
) -> cell:
    """An answer to 11.5 from its parts."""
    return cell(f"""
def cheapest(scores, correct, positives, miss, alarm):
    best, lowest = None, np.inf
    for t in {candidates}:
        taken = {accepted}
        missed, alarms = {missed}, (~correct[taken]).sum()
        cost = {cost}
        if {better}:
            best, lowest = t, cost
    return {result}
""")


def decoded(
    t: str = "offsets * np.array([0.1, 0.1, 0.2, 0.2])",
    middle: str = "(anchors[:, :2] + anchors[:, 2:]) / 2 + t[:, :2] * sides",
    grown: str = "sides * np.exp(t[:, 2:])",
    boxes: str = "np.concatenate([middle - grown / 2, middle + grown / 2], axis=1)",
    result: str = "np.clip(boxes, 0, [width, height, width, height])",
) -> cell:
    """An answer to 11.6 from its parts."""
    return cell(f"""
def to_boxes(anchors, offsets, size):
    height, width = size
    t = {t}
    sides = anchors[:, 2:] - anchors[:, :2]
    grown = {grown}
    middle = {middle}
    boxes = {boxes}
    return {result}
""")


WRONG = {
    "11.1": [
        (matrix(shared="(end - start).prod(axis=-1)"), "hold them at 0 first"),
        (matrix(shared="np.maximum((end - start).prod(axis=-1), 0)"), "Hold each *side* at 0"),
        (matrix(shared="np.abs(end - start).prod(axis=-1)"), "makes an overlap out of a gap"),
        (matrix(union="a[:, None] + b[None]"), "count the shared part twice"),
        (matrix(union="np.minimum(a[:, None], b[None])"), "You divide by the smaller box"),
        (matrix(union="a[:, None]"), "by the area of the first box"),
        (matrix(union="b[None]"), "by the area of the second box"),
        (
            matrix(side="boxes[:, 2:] - boxes[:, :2] + 1", shared="np.maximum(end - start + 1, 0).prod(axis=-1)"),
            "longer by 1 than it should be",
        ),
        (matrix(result="(shared / union).T"), "have changed places"),
        (
            cell("""
                def iou_matrix(first, second):
                    for boxes in (first, second):
                        if (boxes[:, 2:] < boxes[:, :2]).any():
                            raise ValueError("no box")
                    n = min(len(first), len(second))
                    return detection.iou(first, second)[np.arange(n), np.arange(n)]
            """),
            "with its counterpart only",
        ),
        (matrix(refusal="False"), "Raise a ValueError"),
        (matrix(refusal="(boxes[:, 2] < boxes[:, 0]).any()"), "You look at x only"),
        (matrix(looked_at="(first,)"), "one of the two sets only"),
        (3, "needs the function itself"),
        (matrix(refusal="((boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1])).all()"), "One box that is none"),
        (matrix(refusal="(boxes[:, 2:] < boxes[:, :2]).all()"), "every side of every box"),
        (matrix(refusal="(boxes[:, 2:] < boxes[:, :2]).all(axis=1).any()"), "only if both of its sides"),
        (matrix(refusal="((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) < 0).any()"), "has a positive area"),
        (
            cell("""
def iou_matrix(first, second):
    first, second = first.astype(int), second.astype(int)
    for boxes in (first, second):
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise ValueError("no box")
    side = np.minimum(first[:, None, 2:], second[:, 2:]) - np.maximum(first[:, None, :2], second[:, :2])
    shared = np.maximum(side, 0).prod(axis=-1)
    a, b = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (first, second)]
    with np.errstate(all="ignore"):
        return shared / (a[:, None] + b - shared)
"""),
            "what stands behind the point",
        ),
    ],
    "11.2": [
        (assigned(objects="[]"), "is forgotten"),
        (assigned(objects="range(overlap.shape[1])"), "the last one gets it"),
        (assigned(objects="np.argsort(-overlap.max(axis=0))"), "the one that fits it worst gets it"),
        (assigned(names="-1, -1"), "half shows an object"),
        (assigned(names="-2, -1"), "-1 and -2 have changed places"),
        (assigned(high="value > positive"), "*at least*"),
        (assigned(low="value <= negative"), "*below*"),
        (
            assigned(high="value > positive", low="value <= negative"),
            "exactly `positive` is enough, and one of exactly `negative`",
        ),
        (
            cell("""
def assign(overlap, positive, negative):
    found = np.full(len(overlap), -1)
    if overlap.shape[1]:
        value = overlap.max(axis=1)
        found = np.where(value >= positive, overlap.argmax(axis=1), np.where(value < negative, -1, -2))
    left = overlap.copy()
    for _ in range(overlap.shape[1]):
        anchor, k = np.unravel_index(left.argmax(), left.shape)
        found[anchor] = k
        left[anchor], left[:, k] = -1, -1
    return found
"""),
            "takes the next best with you",
        ),
        *(
            (
                assigned(
                    objects=objects,
                    own="i = overlap[:, k].argmax(); found[i] = k; overlap = np.where(np.arange(len(overlap)) == i, "
                    "-1, overlap.T).T",
                ),
                "takes the next best with you",
            )
            for objects in ("np.argsort(-overlap.max(axis=0))", "range(overlap.shape[1])")
        ),
        (assigned(best="(overlap >= positive).argmax(axis=1)"), "the first object that it overlaps enough"),
        (assigned(high="value > 2", low="value < 2"), "has one anchor only"),
        (assigned(result="overlap >= positive"), "A matrix came back"),
        (assigned(own="found[k] = k"), "Expected"),
        (assigned(objects="np.argsort(overlap.sum(axis=0))"), "the greatest *sum* of IoUs"),
        (
            assigned(objects="[k for k in np.argsort(overlap.max(axis=0)) if overlap[:, k].max() < positive]"),
            "*Every* object does",
        ),
        (
            assigned(objects="[k for k in np.argsort(overlap.max(axis=0)) if k not in found]"),
            "*Every* object does",
        ),
        (
            assigned(own="found[overlap[:, k].argmax()] = found[overlap[:, k].argmax()] if k in found else k"),
            "*Every* object does",
        ),
    ],
    "11.3": [
        (nms(order="range(len(scores))"), "in the order in which they stand"),
        (nms(order="np.argsort(scores)"), "begins with the *smallest* score"),
        (nms(near="overlap >= threshold"), "*more than*"),
        (nms(near="overlap < threshold"), "keep what overlaps much"),
        (nms(against="seen"), "A box that was dropped drops others"),
        (nms(result="np.array(kept, dtype=scores.dtype)"), "The indices are floats"),
        (
            cell("""
def suppress(boxes, scores, threshold):
    kept = []
    for i in np.argsort(-scores):
        if not kept or detection.iou(boxes[[i]], boxes[kept]).sum() <= threshold:
            kept.append(int(i))
    return kept
"""),
            "You add up the IoUs",
        ),
        (nms(against="kept[-1:]"), "the last kept box only"),
        (nms(against="kept[:1]"), "the best box only"),
        (nms(result="sorted(kept)"), "in the wrong order"),
        (nms(result="[i for i in np.argsort(-scores).tolist() if i not in kept]"), "the ones that go"),
        (nms(result="np.isin(np.arange(len(scores)), kept)"), "a truth value for each box"),
        (nms(result="boxes[np.array(kept, int)]"), "the boxes themselves"),
        (
            cell("""
def suppress(boxes, scores, threshold):
    kept = []
    for i in np.argsort(-scores).tolist():
        if detection.iou(boxes[[i]], boxes[kept]).max() <= threshold:
            kept.append(i)
    return kept
"""),
            "the maximum of nothing is an error",
        ),
    ],
    "11.4": [
        (average(order="np.arange(len(scores))"), "Sort them, best score first"),
        (average(order="np.argsort(scores)"), "begins with the *smallest* score"),
        (average(recall="hits / max(1, correct.sum())"), "Those that nobody found count"),
        (average(recall="hits / max(1, len(hits))"), "Divide by the number of objects"),
        (average(precision="hits / max(1, len(hits))"), "a share of k"),
        (
            average(height="(precision[recall >= level][0] if (recall >= level).any() else 0)"),
            "where the recall is first reached",
        ),
        (
            average(height="(precision[recall >= level].min() if (recall >= level).any() else 0)"),
            "the worst precision",
        ),
        (average(result="np.sum(np.diff(recall, prepend=0) * precision)"), "the jagged curve itself"),
        (average(levels="np.linspace(0, 1, 11)"), "Those are eleven heights"),
        (average(levels="np.linspace(0, 1, 100)"), "there are 101"),
        (average(result="np.sum(heights)"), "added up"),
        (average(height="precision[recall >= level].max()"), "the maximum of nothing is an error"),
        (average(height="max(precision[recall >= level])"), "the maximum of nothing is an error"),
    ],
    "11.5": [
        (threshold(cost="alarm * missed + miss * alarms"), "have changed places"),
        (threshold(accepted="scores > t"), "exactly the threshold is accepted"),
        (threshold(candidates="sorted(scores, reverse=True)"), "To accept nothing is a choice"),
        (threshold(better="cost <= lowest"), "the higher one is asked for"),
        (threshold(cost="missed + alarms"), "The costs make no difference"),
        (threshold(accepted="scores <= t"), "scores *less* than the threshold"),
        (threshold(result="float(lowest)"), "The threshold is asked for"),
        (threshold(missed="positives - taken.sum()"), "Only the correct ones are"),
    ],
    "11.6": [
        (decoded(t="offsets"), "The way back multiplies"),
        (decoded(t="offsets / np.array([0.1, 0.1, 0.2, 0.2])"), "divided once more"),
        (decoded(t="offsets * 0.1"), "in units of 0.2"),
        (decoded(t="offsets * np.array([0.2, 0.2, 0.1, 0.1])"), "The units have changed places"),
        (decoded(grown="sides * t[:, 2:]"), "What undoes a logarithm"),
        (decoded(grown="sides * (1 + t[:, 2:])"), "a share of itself"),
        (decoded(grown="sides"), "The sides stay those of the anchor"),
        (decoded(middle="anchors[:, :2] + t[:, :2] * sides"), "You start at the upper left corner"),
        (
            decoded(
                middle="anchors[:, :2] + t[:, :2] * sides",
                boxes="np.concatenate([middle, middle + grown], axis=1)",
            ),
            "let the box grow from there",
        ),
        (decoded(boxes="np.concatenate([middle, middle + grown], axis=1)"), "begins at the new centre"),
        (decoded(boxes="np.concatenate([middle - grown, middle + grown], axis=1)"), "twice as large"),
        (decoded(middle="(anchors[:, :2] + anchors[:, 2:]) / 2 + t[:, :2] * grown"), "shares of the *new* sides"),
        (decoded(middle="(anchors[:, :2] + anchors[:, 2:]) / 2 + t[:, :2]"), "moves by pixels"),
        (
            decoded(middle="(anchors[:, :2] + anchors[:, 2:]) / 2 + t[:, :2] * sides[:, ::-1]"),
            "sideways by shares of the height",
        ),
        (decoded(result="boxes"), "is not cut"),
        (decoded(result="np.clip(boxes, 0, [height, width, height, width])"), "The borders have changed places"),
        (decoded(result="np.maximum(boxes, 0)"), "cut on the left and above"),
        (decoded(result="np.minimum(boxes, [width, height, width, height])"), "cut on the right and below"),
        (
            decoded(
                middle="np.clip((anchors[:, :2] + anchors[:, 2:]) / 2 + t[:, :2] * sides, 0, [width, height])",
                result="boxes",
            ),
            "It is the *box* that is cut",
        ),
        (decoded(boxes="np.concatenate([middle, grown], axis=1)", result="boxes"), "These are centre and sides"),
    ],
}
EQUIVALENT = {
    "11.1": [
        cell("""
            def iou_matrix(first, second):
                result = np.zeros((len(first), len(second)))
                for box in [*first, *second]:
                    assert_box(box)
                for i, (a, b, c, d) in enumerate(first.tolist()):
                    for j, (e, f, g, h) in enumerate(second.tolist()):
                        wide, high = max(0, min(c, g) - max(a, e)), max(0, min(d, h) - max(b, f))
                        both = wide * high
                        result[i, j] = both / ((c - a) * (d - b) + (g - e) * (h - f) - both)
                return result.tolist()

            def assert_box(box):
                if box[0] > box[2] or box[1] > box[3]:
                    raise ValueError("no box")
        """),
    ],
    "11.2": [
        cell("""
            def assign(overlap, positive, negative):
                answers = []
                for row in overlap:
                    if len(row) == 0 or max(row) < negative:
                        answers.append(-1)
                    elif max(row) >= positive:
                        answers.append(int(np.argmax(row)))
                    else:
                        answers.append(-2)
                claims = {}
                for k in range(overlap.shape[1]):
                    anchor = int(np.argmax(overlap[:, k]))
                    if anchor not in claims or overlap[anchor, k] > overlap[anchor, claims[anchor]]:
                        claims[anchor] = k
                for anchor, k in claims.items():
                    answers[anchor] = k
                return answers
        """),
    ],
    "11.3": [
        cell("""
            def suppress(boxes, scores, threshold):
                order = np.argsort(scores)[::-1]
                kept = []
                while len(order):
                    best, rest = order[0], order[1:]
                    kept.append(best)
                    order = rest[detection.iou(boxes[[best]], boxes[rest])[0] <= threshold] if len(rest) else rest
                return np.array(kept, int)
        """),
        cell("""
def suppress(boxes, scores, threshold):
    left, kept = sorted(range(len(scores)), key=lambda i: scores[i], reverse=True), []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while left:
        best = left.pop(0)
        kept.append(best)
        stay = []
        for i in left:
            width, height = np.maximum(np.minimum(boxes[i, 2:], boxes[best, 2:]) - np.maximum(*boxes[[i, best], :2]), 0)
            shared = float(width * height)
            if shared / (float(areas[i]) + float(areas[best]) - shared) <= threshold:
                stay.append(i)
        left = stay
    return np.array(kept)
"""),
    ],
    "11.4": [
        cell("""
            def area_under(scores, correct, positives):
                if not len(scores):
                    return 0.0
                hits, total = 0, []
                for count, i in enumerate(np.argsort(scores)[::-1], 1):
                    hits += int(correct[i])
                    total.append((hits / positives, hits / count))
                area = 0
                for level in range(101):
                    area += max([p for r, p in total if r >= level / 100], default=0)
                return area / 101
        """),
    ],
    "11.5": [
        cell("""
            def cheapest(scores, correct, positives, miss, alarm):
                tried = [*scores.tolist(), float("inf")]
                bills = []
                for t in tried:
                    hit = sum(1 for s, c in zip(scores, correct) if s >= t and c)
                    false = sum(1 for s, c in zip(scores, correct) if s >= t and not c)
                    bills.append(miss * (positives - hit) + alarm * false)
                return max(t for t, bill in zip(tried, bills) if bill == min(bills))
        """),
    ],
    "11.6": [
        cell("""
            def to_boxes(anchors, offsets, size):
                return detection.clip(detection.decode(anchors, offsets), size)
        """),
        cell("""
            def to_boxes(anchors, offsets, size):
                answers = []
                for (x1, y1, x2, y2), (a, b, c, d) in zip(anchors.tolist(), offsets.tolist()):
                    w, h = x2 - x1, y2 - y1
                    x, y = x1 + w / 2 + 0.1 * a * w, y1 + h / 2 + 0.1 * b * h
                    w, h = w * np.e ** (c / 5), h * np.e ** (d / 5)
                    corners = x - w / 2, y - h / 2, x + w / 2, y + h / 2
                    answers.append([min(max(v, 0), size[1 - k % 2]) for k, v in enumerate(corners)])
                return np.array(answers).reshape(-1, 4)
        """),
    ],
}

globals().update(standard_tests("11", WRONG, EQUIVALENT))
