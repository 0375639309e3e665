"""The exercises of lesson 13: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def cut(
    steps: str = "(np.arange(cells) + 0.5) / cells",
    u: str = "np.clip(at / stride - 0.5, 0, size - 1)",
    low: str = "np.minimum(np.floor(u).astype(int), size - 2)",
    value: str = "lines[low] * (1 - share) + lines[low + 1] * share",
    box: str = "box",
    result: str = "along(across, x1, x2).transpose(1, 0, 2)",
) -> cell:
    """An answer to 13.1 from its parts."""
    return cell(f"""
def my_roi_align(features, box, stride, cells):
    x1, y1, x2, y2 = {box}

    def along(lines, start, end):
        size = len(lines)
        at = start + (end - start) * {steps}
        u = {u}
        low = {low}
        share = (u - low)[:, None, None]
        return {value}

    across = along(features, y1, y2).transpose(1, 0, 2)
    return {result}
""")


def contract(
    mask: str = "len(shape) == 3 and shape[0] % batch == 0 and shape[1] == shape[2]",
    dense: str = "len(shape) == 4 and shape[:3] == shapes['features'][:3]",
    box: str = "shape[3] == 4",
    stride: str = "height % shape[1] == 0 and width % shape[2] == 0 and height // shape[1] == width // shape[2]",
    pictures: str = "shape[0] == batch",
    others: str = "True",
    result: str = "found",
) -> cell:
    """An answer to 13.2 from its parts."""
    return cell(f"""
def broken(pictures, shapes):
    batch, height, width, _ = pictures
    found = []
    for name, shape in shapes.items():
        if name == "mask":
            good = {mask}
        elif name == "features":
            good = {pictures} and {stride}
        elif {others}:
            good = {dense}
            if good and name == "box":
                good = {box}
        else:
            good = True
        if not good:
            found.append(name)
    return {result}
""")


def peak(
    logs: str = "np.log",
    d: str = "(a - c) / (2 * (a - 2 * b + c))",
    border: str = "at == 0 or at == len(line) - 1",
    point: str = "((x + 0.5) * stride, (y + 0.5) * stride)",
) -> cell:
    """An answer to 13.3 from its parts."""
    return cell(f"""
def decode(heatmap, stride):
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)

    def moved(line, at):
        if {border}:
            return at
        a, b, c = {logs}(np.array([line[at - 1], line[at], line[(at + 1) % len(line)]]))
        return at + {d}

    x, y = moved(heatmap[row], column), moved(heatmap[:, column], row)
    return {point}
""")


def weights(
    length: str = "np.sqrt((signal.astype(float) ** 2).sum())",
    share: str = "1 / lengths",
    scale: str = "share.mean()",
    refusal: str = "(lengths == 0).any()",
) -> cell:
    """An answer to 13.4 from its parts."""
    return cell(f"""
def balance(signals):
    lengths = np.array([{length} for signal in signals])
    if {refusal}:
        raise ValueError("silent")
    with np.errstate(all="ignore"):
        share = {share}
        return share / {scale}
""")


def matched(
    order: str = "np.argsort(-scores)",
    overlap: str = "(mask & true).sum() / (mask | true).sum()",
    candidates: str = "free",
    enough: str = "best >= threshold",
    take: str = "free.remove(which)",
    result: str = "right",
) -> cell:
    """An answer to 13.5 from its parts."""
    return cell(f"""
def right_masks(masks, scores, truth, threshold=0.5):
    free = list(range(len(truth)))
    right = np.zeros(len(masks), dtype=bool)
    for i in {order}:
        mask, values = masks[i], {{}}
        for j in {candidates}:
            true = truth[j]
            values[j] = {overlap}
        if not values:
            continue
        which = max(values, key=values.get)
        best = values[which]
        if {enough}:
            right[i] = True
            {take}
    return {result}
""")


def owners(
    order: str = "np.argsort(-scores)",
    left: str = "masks[i] & (owner == 0)",
    enough: str = "left.sum() >= least * masks[i].sum()",
    write: str = "owner[left] = i + 1",
    before: str = "",
) -> cell:
    """An answer to 13.6 from its parts."""
    return cell(f"""
def panoptic(masks, scores, least=0.5):
    owner = np.zeros(masks.shape[1:], dtype=int)
    gone = np.zeros(masks.shape[1:], dtype=bool)
    for rank, i in enumerate({order}):
        left = {left}
        {before or "pass"}
        if {enough}:
            {write}
            gone |= masks[i]
    return owner
""")


BOXES = (
    "(lambda a, b: (a & b).sum() / (a | b).sum())(*(np.outer(m.any(1).cumsum() * m[::-1].any(1).cumsum()[::-1] > 0, "
    "m.any(0).cumsum() * m[:, ::-1].any(0).cumsum()[::-1] > 0) for m in (mask, true)))"
)

WRONG = {
    "13.1": [
        (cut(u="np.clip(at / stride, 0, size - 1)"), "half a stride inside"),
        (cut(low="np.clip(np.floor(u + 0.5).astype(int), 0, size - 1)", value="lines[low]"), "the nearest place"),
        (cut(box="[stride * np.round(side / stride) for side in box]"), "You round the box"),
        (cut(steps="np.linspace(0, 1, cells)"), "from one side of the box to the other"),
        (cut(steps="np.arange(cells) / cells"), "left and upper sides"),
        (cut(result="along(across, x1, x2)"), "Rows and columns have changed places"),
        (cut(box="(box[1], box[0], box[3], box[2])", result="along(across, x1, x2)"), "x counts columns"),
        (cut(u="np.clip(at - 0.5, 0, size - 1)"), "The box is in pixels"),
        (cut(low="np.clip(np.round(u).astype(int), 0, size - 1)", value="lines[low]"), "the nearest place"),
        (cut(low="np.floor(u).astype(int)"), "yet the index must exist"),
        (cut(u="at / stride - 0.5", low="np.floor(u).astype(int)"), "an index of -1 reads the other side"),
        (
            cut(
                u="at / stride - 0.5",
                low="np.floor(u).astype(int)",
                value="lines[low % size] * (1 - share) + lines[(low + 1) % size] * share",
            ),
            "an index of -1 reads the other side",
        ),
        (
            cut(u="at / stride - 0.5", low="np.clip(np.floor(u).astype(int), 0, size - 2)"),
            "shares below 0 or above 1",
        ),
        (cut(u="np.clip(at / stride, 0, size - 1) - 0.5"), "Only boxes that reach beyond the map"),
        (cut(value="lines[low] * share + lines[low + 1] * (1 - share)"), "the nearer place has the larger one"),
        (cut(result="along(across, x1, x2).transpose(1, 0, 2).astype(features.dtype)"), "has lost its fractions"),
        (
            cut(result="along(across, x1, x2).transpose(1, 0, 2).astype(np.asarray(box).dtype)"),
            "has lost its fractions",
        ),
        (cut(low="np.floor(u).astype(int)", value="lines[low]"), "the place below the point"),
        (cut(box="(box[0], box[1], box[0] + box[2], box[1] + box[3])"), "two corners"),
        (cut(box="(box[1], box[0], box[3], box[2])"), "x counts columns"),
        (cut(u="np.clip((at - 0.5) / stride, 0, size - 1)"), "half a *place*"),
        (cut(result="None"), "Is a `return` missing?"),
    ],
    "13.2": [
        (contract(mask="len(shape) == 4 and shape[0] == batch"), "no axis of its own"),
        (contract(mask="shape[0] % batch == 0 and shape[1] == shape[2]"), "do not count the axes of the masks"),
        (contract(mask="len(shape) == 3 and shape[0] == batch and shape[1] == shape[2]"), "once for each *box*"),
        (contract(mask="len(shape) == 3 and shape[1] == shape[2]"), "equally many boxes"),
        (contract(mask="len(shape) == 3 and shape[0] % batch == 0"), "a *square*"),
        (contract(mask="True"), "let every mask pass"),
        (contract(others="name in ('class', 'box', 'keypoint')"), "of another name"),
        (contract(box="True"), "four numbers at each place"),
        (contract(box="shape[3] % 4 == 0"), "whatever the class is"),
        (contract(dense="len(shape) == 4 and shape[1:3] == shapes['features'][1:3]"), "as many pictures as the map"),
        (contract(dense="shape[:3] == shapes['features'][:3]"), "they have an axis"),
        (contract(dense="shape == shapes['features']"), "its own affair"),
        (contract(stride="height % shape[1] == 0 and width % shape[2] == 0"), "*one* number"),
        (contract(stride="height // shape[1] == width // shape[2]"), "a whole number of pixels"),
        (contract(stride="height / shape[1] == width / shape[2]"), "a whole number of pixels"),
        (contract(stride="True"), "the stride of the map"),
        (contract(pictures="True"), "has as many of them"),
        (contract(result="[name for name in shapes if name not in found]"), "those that *break* it"),
        (contract(result="sorted(found)"), "in the order"),
        (contract(result="found[:1]"), "stop at the first"),
        (contract(result="not found"), "a list, `[]`"),
        (contract(result="None"), "Is a `return` missing?"),
        (
            contract(
                dense="len(shape) == 4 and shape[:3] == (batch, height // 4, width // 4)",
                stride="shape[1:3] == (height // 4, width // 4)",
            ),
            "You expect a stride of 4",
        ),
        (contract(result="list(shapes) if 'features' in found else found"), "still keeps its side"),
    ],
    "13.3": [
        (peak(d="0"), "middle of the brightest place"),
        (peak(point="np.array([(x + 0.5) * stride, (y + 0.5) * stride], dtype=heatmap.dtype)"), "lost its fractions"),
        (peak(d="0.25 * np.sign(c - a)"), "a quarter of a place"),
        (peak(logs=""), "*logarithms*"),
        (peak(point="((y + 0.5) * stride, (x + 0.5) * stride)"), "x counts columns"),
        (peak(d="(c - a) / (2 * (a - 2 * b + c))"), "away from the brighter neighbour"),
        (peak(d="(a - c) / (a - 2 * b + c)"), "Look at the denominator"),
        (peak(point="(x * stride, y * stride)"), "Where is its middle?"),
        (peak(point="(x * stride + 0.5, y * stride + 0.5)"), "you add half a pixel"),
        (peak(point="(x + 0.5, y + 0.5)"), "asked for in pixels"),
        (peak(border="False"), "no neighbour on one side"),
        (
            peak(border="row in (0, heatmap.shape[0] - 1) or column in (0, heatmap.shape[1] - 1)"),
            "only x stays; y still moves",
        ),
        (
            cell("""
def decode(heatmap, stride):
    row, column = heatmap.sum(axis=1).argmax(), heatmap.sum(axis=0).argmax()

    def moved(line, at):
        if at in (0, len(line) - 1):
            return at
        a, b, c = np.log(line[at - 1 : at + 2])
        return at + (a - c) / (2 * (a - 2 * b + c))

    return (moved(heatmap[row], column) + 0.5) * stride, (moved(heatmap[:, column], row) + 0.5) * stride
"""),
            "sums of rows or columns",
        ),
        (
            cell("""
def decode(heatmap, stride):
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)

    def moved(line, at):
        if at in (0, len(line) - 1):
            return at
        a, b, c = np.log(line[at - 1 : at + 2])
        return at + (a - c) / (2 * (a - 2 * b + c))

    x, y = moved(heatmap.sum(axis=0), column), moved(heatmap.sum(axis=1), row)
    return (x + 0.5) * stride, (y + 0.5) * stride
"""),
            "sums of rows or columns",
        ),
        (
            cell("""
def decode(heatmap, stride):
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    height, width = heatmap.shape
    logs = np.pad(np.log(heatmap), 1, mode="edge")
    x, y = float(column), float(row)
    if 0 < column < height - 1:
        a, b, c = logs[row + 1, column : column + 3]
        x += (a - c) / (2 * (a - 2 * b + c))
    if 0 < row < width - 1:
        a, b, c = logs[row : row + 3, column + 1]
        y += (a - c) / (2 * (a - 2 * b + c))
    return (x + 0.5) * stride, (y + 0.5) * stride
"""),
            "compared with the height",
        ),
    ],
    "13.4": [
        (weights(share="lengths"), "the other way round"),
        (
            cell("""
def balance(signals):
    result = np.zeros(len(signals), dtype=signals[0].dtype)
    lengths = np.array([np.sqrt((signal.astype(float) ** 2).sum()) for signal in signals])
    if (lengths == 0).any():
        raise ValueError("silent")
    result[:] = 1 / lengths / (1 / lengths).mean()
    return result
"""),
            "has lost its fractions",
        ),
        (weights(scale="share.sum()"), "add up to 1"),
        (weights(scale="share.max()"), "largest weight is 1"),
        (weights(scale="share[0]"), "first weight is 1"),
        (weights(scale="1"), "have no scale"),
        (weights(share="lengths.mean() / lengths", scale="1"), "the mean length by each length"),
        (weights(length="(signal.astype(float) ** 2).sum()"), "The length is its root"),
        (weights(share="1 / np.sqrt(lengths)"), "the root twice"),
        (weights(length="np.abs(signal).sum()"), "add up absolute values"),
        (weights(length="np.abs(signal).max()"), "the largest number of each signal"),
        (weights(length="signal.std()"), "takes the mean off"),
        (weights(refusal="False"), "raise a ValueError"),
        (weights(length="np.linalg.norm(signal, 2)"), "With `ord=2` the norm of a matrix"),
        (weights(refusal="np.any([signal.sum() == 0 for signal in signals])"), "add up to 0 are not silent"),
        (weights(refusal="np.isclose(lengths, 0).any()"), "A quiet head is refused"),
    ],
    "13.5": [
        (matched(take="pass"), "counts once"),
        (matched(order="range(len(masks))"), "as they come"),
        (matched(order="np.argsort(scores)"), "begin with the worst score"),
        (matched(result="right[np.argsort(-scores)]"), "in the order of the scores"),
        (matched(enough="best > threshold"), "*at least*"),
        (matched(overlap=BOXES), "the boxes around the masks"),
        (
            matched(candidates="range(len(truth))", enough="best >= threshold and which in free"),
            "another one that is free",
        ),
        (
            cell("""
def right_masks(masks, scores, truth, threshold=0.5):
    free, right = list(range(len(truth))), np.zeros(len(masks), dtype=bool)
    for i in np.argsort(-scores):
        for j in free:
            if (masks[i] & truth[j]).sum() / (masks[i] | truth[j]).sum() >= threshold:
                right[i] = True
                free.remove(j)
                break
    return right
"""),
            "the *first* free mask",
        ),
        (
            cell("""
def right_masks(masks, scores, truth, threshold=0.5):
    free, right = list(range(len(truth))), np.zeros(len(masks), dtype=bool)
    for i in np.argsort(-scores):
        if free:
            values = [(masks[i] & truth[j]).sum() / (masks[i] | truth[j]).sum() for j in free]
            right[i] = max(values) >= threshold
            free.pop(int(np.argmax(values)))
    return right
"""),
            "takes a true mask away all the same",
        ),
        (
            cell("""
def right_masks(masks, scores, truth, threshold=0.5):
    right = np.zeros(len(masks), dtype=bool)
    for true in truth:
        values = [0 if done else (mask & true).sum() / (mask | true).sum() for mask, done in zip(masks, right)]
        if max(values) >= threshold:
            right[int(np.argmax(values))] = True
    return right
"""),
            "With you the true masks choose",
        ),
        (matched(enough="best >= 0.5"), "whatever the `threshold` is"),
        (matched(overlap="(mask & true).sum() / mask.sum()"), "pixels of the found mask"),
        (matched(overlap="(mask & true).sum() / true.sum()"), "pixels of the true mask"),
        (matched(overlap="2 * (mask & true).sum() / (mask.sum() + true.sum())"), "Dice coefficient"),
        (matched(overlap="(mask == true).mean()"), "pixels that agree"),
        (
            cell("""
def right_masks(masks, scores, truth, threshold=0.5):
    free, right = set(range(len(truth))), [False] * len(masks)
    for i in np.argsort(-scores):
        which = None
        for j in sorted(free):
            if (masks[i] & truth[j]).sum() >= threshold * (masks[i] | truth[j]).sum():
                which = j
        if which is not None:
            right[i] = True
            free.remove(which)
    return right
"""),
            "takes the *last* free mask",
        ),
    ],
    "13.6": [
        (owners(enough="left.sum() >= 0.5 * masks[i].sum()"), "whatever `least` is"),
        (owners(write="owner[left] = owner.max() + 1"), "the order in which they get their pixels"),
        (owners(before="if left.sum() < least * masks[i].sum():\n            break"), "all ends at the first mask"),
        (owners(order="range(len(masks))"), "as they come"),
        (owners(order="np.argsort(scores)"), "begin with the worst score"),
        (owners(write="owner[masks[i]] = i + 1"), "paints over"),
        (owners(write="owner[masks[i]] = i + 1", enough="True"), "paints over"),
        (owners(enough="True"), "should be dropped"),
        (owners(enough="left.sum() > least * masks[i].sum()"), "exactly the share"),
        (owners(left="masks[i] & ~gone", before="gone |= masks[i]"), "was dropped owns nothing"),
        (owners(write="owner[left] = rank + 1"), "by rank"),
        (owners(left="masks[i] & ~gone", write="owner[left] = i"), "mask 0 cannot have it"),
        (
            cell("""
def panoptic(masks, scores, least=0.5):
    owner = np.zeros(masks.shape[1:], dtype=int)
    for i in np.argsort(-scores):
        shared = [(masks[i] & (owner == j)).sum() / masks[i].sum() for j in range(1, len(masks) + 1)]
        if max(shared) <= 1 - least:
            owner[masks[i] & (owner == 0)] = i + 1
    return owner
"""),
            "with one owner at a time",
        ),
    ],
}

EQUIVALENT = {
    "13.1": [
        cell("""
def my_roi_align(features, box, stride, cells):
    height, width, channels = features.shape
    result = np.zeros((cells, cells, channels))
    for r in range(cells):
        for c in range(cells):
            x = (box[0] + (c + 0.5) * (box[2] - box[0]) / cells) / stride - 0.5
            y = (box[1] + (r + 0.5) * (box[3] - box[1]) / cells) / stride - 0.5
            x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            left, top = int(x), int(y)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            a, b = x - left, y - top
            upper = (1 - a) * features[top, left] + a * features[top, right]
            result[r, c] = (1 - b) * upper + b * ((1 - a) * features[bottom, left] + a * features[bottom, right])
    return result
"""),
        cut(),
    ],
    "13.2": [
        contract(),
        cell("""
def broken(pictures, shapes):
    n, rows, columns = shapes["features"][:3]

    def keeps(name):
        shape = list(shapes[name])
        if name == "features":
            stride = pictures[1] / rows
            return n == pictures[0] and stride.is_integer() and [rows * stride, columns * stride] == list(pictures[1:3])
        if name == "mask":
            count, *square = shape
            return len(square) == 2 and square[0] == square[1] and not count % pictures[0]
        return shape[:-1] == [n, rows, columns] and (shape[-1] == 4 or name != "box")

    return tuple(name for name in shapes if not keeps(name))
"""),
    ],
    "13.3": [
        cell("""
def decode(heatmap, stride):
    logs = np.log(heatmap)
    y, x = np.argwhere(heatmap == heatmap.max())[0].astype(float)
    i, j = int(y), int(x)
    if 0 < j < heatmap.shape[1] - 1:
        x += 0.5 * (logs[i, j + 1] - logs[i, j - 1]) / (2 * logs[i, j] - logs[i, j - 1] - logs[i, j + 1])
    if 0 < i < heatmap.shape[0] - 1:
        y += 0.5 * (logs[i + 1, j] - logs[i - 1, j]) / (2 * logs[i, j] - logs[i - 1, j] - logs[i + 1, j])
    return np.array([x + 0.5, y + 0.5]) * stride
"""),
    ],
    "13.4": [
        cell("""
def balance(signals):
    lengths = [float(np.linalg.norm(np.ravel(signal))) for signal in signals]
    if min(lengths) <= 0:
        raise ValueError("silent")
    harmonic = len(lengths) / sum(1 / each for each in lengths)
    return [harmonic / each for each in lengths]
"""),
        cell("""
def balance(signals):
    lengths = [float(np.linalg.norm(np.ravel(signal))) for signal in signals]
    if not all(lengths):
        raise ValueError("silent")
    harmonic = len(lengths) / sum(1 / length for length in lengths)
    return [harmonic / length for length in lengths]
"""),
    ],
    "13.5": [
        cell("""
def right_masks(masks, scores, truth, threshold=0.5):
    right = [False] * len(masks)
    if not len(truth):
        return right
    a, b = masks.reshape(len(masks), -1).astype(int), truth.reshape(len(truth), -1).astype(int)
    shared = a @ b.T
    iou = shared / (a.sum(1)[:, None] + b.sum(1) - shared)
    for i in sorted(range(len(masks)), key=lambda i: -scores[i]):
        j = iou[i].argmax()
        if iou[i, j] >= threshold:
            right[i] = True
            iou[:, j] = -1
    return right
"""),
        matched(),
    ],
    "13.6": [
        cell("""
def panoptic(masks, scores, least=0.5):
    owner = np.zeros(masks[0].shape)
    for score, i in sorted(zip(scores, range(len(masks))), reverse=True):
        left = np.logical_and(masks[i], owner == 0)
        if np.count_nonzero(left) / np.count_nonzero(masks[i]) < least:
            continue
        owner = np.where(left, i + 1, owner)
    return owner
"""),
        owners(),
    ],
}

globals().update(standard_tests("13", WRONG, EQUIVALENT))
