"""The exercises of lesson 10: wrong answers as learners write them, and right ones in other styles."""

import numpy as np
from exercise_harness import cell, standard_tests


def cam(
    score: str = "head(maps)[label]",
    weights: str = "gradient.mean(axis=(0, 1))",
    result: str = "np.maximum((maps * weights).sum(axis=-1), 0)",
) -> cell:
    """An answer to 10.1 from its parts."""
    return cell(f"""
def my_grad_cam(head, maps, label):
    value, gradient = gradients.value_and_grad(lambda maps: {score}, jit=False)(maps)
    weights = {weights}
    return {result}
""")


def chooser(
    fine: str = "apart * places / width >= 2",
    points: str = "share > chance + 2 * (chance * (1 - chance) / n) ** 0.5",
    best: str = "max(will_do, key=lambda each: (each[0], each[1]))[2]",
    none: str = "None",
) -> cell:
    """An answer to 10.2 from its parts."""
    return cell(f"""
def choose_layer(layers, width, apart, chance):
    will_do = []
    for number, (name, places, hits, n) in enumerate(layers):
        share = hits / n
        if {fine} and {points}:
            will_do.append((share, number, name, places, hits))
    return {best} if will_do else {none}
""")


def hide(
    refusal: str = "window > min(height, width) or stride < 1",
    copy: str = "image.copy()",
    tops: str = "range(0, height - window + 1, stride)",
    lefts: str = "range(0, width - window + 1, stride)",
    square: str = "hidden[top : top + window, left : left + window] = fill",
    fall: str = "whole - probability(hidden)",
    result: str = "falls",
) -> cell:
    """An answer to 10.3 from its parts."""
    return cell(f"""
def occlude(probability, image, window, stride, fill=0.0):
    height, width = image.shape[:2]
    if {refusal}:
        raise ValueError("window or stride")
    whole = probability(image)
    tops, lefts = {tops}, {lefts}
    falls = np.zeros((len(tops), len(lefts)))
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            hidden = {copy}
            {square}
            falls[row, column] = {fall}
    return {result}
""")


def hide_by_pixel(found: str = "total / np.maximum(times, 1)", shape: str = "image.shape[:2]") -> cell:
    """An answer to 10.3 with a number for each pixel instead of one for each square."""
    return cell(f"""
def occlude(probability, image, window, stride, fill=0.0):
    height, width = image.shape[:2]
    if window > min(height, width) or stride < 1:
        raise ValueError("window or stride")
    whole = probability(image)
    total, times, last = np.zeros({shape}), np.zeros({shape}), np.zeros({shape})
    for top in range(0, height - window + 1, stride):
        for left in range(0, width - window + 1, stride):
            square = slice(top, top + window), slice(left, left + window)
            hidden = image.copy()
            hidden[square] = fill
            last[square] = whole - probability(hidden)
            total[square] += last[square]
            times[square] += 1
    return {found}
""")


def pointer(
    refusal: str = "len(maps) != len(boxes) or len(maps) != len(labels)",
    place: str = "found.argmax()",
    inside: str = "x1 <= column < x2 and y1 <= row < y2",
    flat: str = "found.max() == found.min()",
    result: str = "np.mean([hits[labels == name].mean() for name in np.unique(labels)])",
) -> cell:
    """An answer to 10.4 from its parts."""
    return cell(f"""
def hit_rate(maps, boxes, labels):
    if {refusal}:
        raise ValueError("lengths")
    hits = np.zeros(len(labels))
    for number, (found, (x1, y1, x2, y2), label) in enumerate(zip(maps, boxes, labels)):
        row, column = np.unravel_index({place}, found.shape)
        hits[number] = 0 if {flat} else {inside}
    return {result}
""")


def spot(
    refusal: str = "not len(maps)",
    kept: str = "maps[maps.any(axis=(1, 2))]",
    shares: str = "maps / maps.sum(axis=(1, 2), keepdims=True)",
    mean: str = "shares.mean(axis=0)",
    result: str = "row, column, mean[row, column] * mean.size",
) -> cell:
    """An answer to 10.5 from its parts."""
    return cell(f"""
def hot_spot(maps):
    maps = {kept}
    if {refusal}:
        raise ValueError("all 0")
    with np.errstate(all="ignore"):
        shares = {shares}
    mean = {mean}
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    return {result}
""")


def attack(
    start: str = "image.copy()",
    steps: str = "10",
    step: str = "most / 4 * np.sign(gradient(found, label))",
    clip: str = "np.clip(np.clip(found, image - most, image + most), low, high)",
    result: str = "found",
) -> cell:
    """An answer to 10.7 from its parts."""
    return cell(f"""
def fool(gradient, image, label, most=0.05, low=-127 / 128, high=1.0):
    found = {start}
    for _ in range({steps}):
        found = found + {step}
        found = {clip}
    return {result}
""")


WRONG = {
    "10.1": [
        (cam(result="(maps * weights).sum(axis=-1)"), "Some places are below zero"),
        (cam(result="np.abs(maps @ weights)"), "absolute values"),
        (cam(result="(found := np.maximum(maps @ weights, 0)) / found.max()"), "scale the map to a maximum of 1"),
        (cam(result="(found := np.maximum(maps @ weights, 0)) / (found.max() + 1e-8)"), "scale the map to a maximum"),
        (
            cam(result="((found := np.maximum(maps @ weights, 0)) - found.min()) / (found.max() - found.min())"),
            "scale the map to a maximum of 1",
        ),
        (cam(weights="gradient"), "has *one* weight"),
        (cam(weights="gradient.sum(axis=(0, 1))"), "Their mean is asked for"),
        (cam(weights="gradient.max(axis=(0, 1))"), "the largest gradient"),
        (cam(weights="np.maximum(gradient, 0).mean(axis=(0, 1))"), "once, at the end"),
        (cam(weights="np.maximum(gradient.mean(axis=(0, 1)), 0)"), "with a negative weight counts"),
        (cam(result="np.maximum(maps * weights, 0).sum(axis=-1)"), "map by map"),
        (cam(result="np.maximum((maps * weights).mean(axis=-1), 0)"), "the mean over the maps"),
        (cam(result="np.maximum(gradient.mean(axis=-1), 0)"), "the gradient alone"),
        (cam(result="maps.sum(axis=-1)"), "whatever class is asked for"),
        (cam(score="keras.ops.max(head(maps))"), "the class with the highest score"),
        (cam(score="keras.ops.sum(head(maps))"), "the sum of all scores"),
        (cam(score="keras.ops.softmax(head(maps))[label]"), "not the probability"),
        (cam(score="head(maps)"), "must return one number"),
        ("my_grad_cam", "needs the function itself"),
    ],
    "10.2": [
        (chooser(fine="True"), "too coarse"),
        (chooser(points="True"), "no better than a guess"),
        (chooser(points="share > chance"), "by luck perhaps"),
        (chooser(points="share >= chance + 2 * (chance * (1 - chance) / n) ** 0.5"), "not *more* than two"),
        (chooser(points="share > chance + (chance * (1 - chance) / n) ** 0.5"), "Two are asked for"),
        (chooser(points="share > chance + 2 * (share * (1 - share) / n) ** 0.5"), "that of a *guess*"),
        (chooser(points="share > chance + 2 * chance * (1 - chance) / n"), "The root is missing"),
        (chooser(points="share > chance + 2 * (chance * (1 - chance)) ** 0.5"), "number of questions"),
        (chooser(fine="apart * places / width > 2"), "one lies between"),
        (chooser(fine="apart * places / width >= 1"), "there is one hill"),
        (chooser(best="max(will_do, key=lambda each: each[3])[2]"), "the finest map"),
        (chooser(best="will_do[-1][2]"), "the last layer that will do"),
        (chooser(best="max(will_do, key=lambda each: each[0])[2]"), "nearest to the scores"),
        (chooser(best="max(will_do, key=lambda each: each[4])[2]"), "different numbers of questions"),
        (chooser(none="layers[-1][0]"), "No layer will do"),
        (chooser(none="''"), "not an empty text"),
        ("choose_layer", "needs the function itself"),
    ],
    "10.3": [
        (hide(fall="probability(hidden)"), "what is left"),
        (hide(fall="probability(hidden) - whole"), "The sign"),
        (hide(fall="abs(whole - probability(hidden))"), "absolute values"),
        (hide(result="falls.astype(image.dtype)"), "has lost its fractions"),
        (hide(fall="1 - probability(hidden) / whole"), "divide by the probability"),
        (hide(copy="image"), "a fresh copy"),
        (hide(tops="range(0, height - window, stride)", lefts="range(0, width - window, stride)"), "The last place"),
        (hide(tops="range(0, height, stride)", lefts="range(0, width, stride)"), "over the border"),
        (hide(tops="range(0, height - window + 1, window)", lefts="range(0, width - window + 1, window)"), "`stride`"),
        (hide(square="hidden[top : top + window, left : left + window] = 0"), "filled with 0"),
        (hide(square="hidden[top : top + window, left : left + window] = image.mean()"), "the mean of the image"),
        (
            hide(
                copy="np.full_like(image, fill)",
                square="hidden[top : top + window, left : left + window] = "
                "image[top : top + window, left : left + window]",
            ),
            "everything *but*",
        ),
        (hide(result="falls.T"), "changed places"),
        (hide(refusal="stride < 1"), "larger than the image"),
        (hide(refusal="window > max(height, width) or stride < 1"), "larger than the image"),
        (hide(refusal="window > height or stride < 1"), "larger than the image"),
        (hide(refusal="window > min(height, width)"), "would never arrive"),
        (hide(refusal="False"), "Compare window and stride with the image first"),
        (hide_by_pixel(), "the size of the image"),
        (hide_by_pixel("last"), "the size of the image"),
        (hide_by_pixel("total / times"), "the size of the image"),
        (hide_by_pixel(shape="image.shape"), "the size of the image"),
        (
            cell("""
def occlude(probability, image, window, stride, fill=0.0):
    height, width = image.shape[:2]
    if window > min(height, width) or stride < 1:
        raise ValueError("window or stride")
    whole, before = probability(image), image.copy()
    tops, lefts = range(0, height - window + 1, stride), range(0, width - window + 1, stride)
    falls = np.zeros((len(tops), len(lefts)))
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            image[...] = before
            image[top : top + window, left : left + window] = fill
            falls[row, column] = whole - probability(image)
    return falls
"""),
            "The caller's image is not as it was",
        ),
    ],
    "10.4": [
        (pointer(result="hits.mean()"), "the share of each class first"),
        (pointer(result="hits.sum()"), "counts the hits"),
        (
            pointer(result="np.mean([hits[labels == n].mean() for n in np.unique(labels)]).astype(maps.dtype)"),
            "has the type of the maps",
        ),
        (pointer(inside="x1 <= row < x2 and y1 <= column < y2"), "x goes with the columns"),
        (pointer(inside="x1 <= column <= x2 and y1 <= row <= y2"), "no longer inside"),
        (pointer(inside="x1 <= column <= x2 and y1 <= row < y2"), "Column x2 is no longer inside"),
        (pointer(inside="x1 <= column < x2 and y1 <= row <= y2"), "Row y2 is no longer inside"),
        (
            pointer(
                result="np.mean([hits[labels == n].mean() if n in labels else 0 for n in range(labels.max() + 1)])"
            ),
            "Take those that occur",
        ),
        (pointer(inside="x1 < column < x2 and y1 < row < y2"), "are inside, too"),
        (pointer(inside="x1 <= column < x1 + x2 and y1 <= row < y1 + y2"), "not a width and a height"),
        (pointer(flat="False"), "Count a miss"),
        (pointer(flat="not found.any()"), "Count a miss"),
        (pointer(place="abs(found).argmax()"), "absolute value"),
        (pointer(place="found.argmin()"), "the lowest place"),
        (pointer(refusal="False"), "equally many"),
        (pointer(refusal="len(maps) != len(boxes)"), "ValueError"),
        (pointer(flat="np.allclose(found, found[0, 0])"), "Maps of very small values"),
        (pointer(flat="found.max() == found.min() == 0"), "points nowhere"),
        (
            cell("""
def hit_rate(maps, boxes, labels):
    if not len(maps) == len(boxes) == len(labels):
        raise ValueError("lengths")
    hits = {label: [] for label in labels}
    for found, (x1, y1, x2, y2), label in zip(maps, boxes, labels):
        if found.max() > found.min():
            row, column = np.unravel_index(found.argmax(), found.shape)
            hits[label].append(x1 <= column < x2 and y1 <= row < y2)
    return np.mean([np.mean(each) for each in hits.values() if each] or [0])
"""),
            "is left out with you",
        ),
    ],
    "10.5": [
        (spot(shares="maps / maps.sum()"), "outvotes"),
        (spot(shares="maps"), "outvotes"),
        (spot(shares="maps", result="row, column, mean.max() / mean.mean()"), "outvotes"),
        (
            spot(kept="maps", refusal="not maps.any()", shares="maps", result="row, column, mean.max() / mean.mean()"),
            "loud",
        ),
        (spot(shares="maps / maps.max(axis=(1, 2), keepdims=True)"), "by its highest value"),
        (
            spot(
                shares="maps / maps.max(axis=(1, 2), keepdims=True)",
                result="row, column, mean.max() / mean.mean()",
            ),
            "by its highest value",
        ),
        (
            spot(
                refusal="not maps.any()",
                kept="maps",
                shares="maps / np.maximum(maps.sum(axis=(1, 2), keepdims=True), 1e-12)",
            ),
            "pull it down",
        ),
        (spot(refusal="not maps.any()", kept="maps"), "becomes NaN"),
        (spot(mean="shares.max(axis=0)"), "One single picture decides"),
        (spot(result="row, column, mean.max() / mean.min()"), "lowest place"),
        (spot(result="row, column, mean.max()"), "the share at that place"),
        (spot(result="column, row, mean.max() * mean.size"), "changed places"),
        (spot(refusal="False"), "agree on nothing"),
        (
            cell("""
def hot_spot(maps):
    maps = maps[maps.any(axis=(1, 2))]
    if not len(maps):
        return 0, 0, 0.0
    mean = (maps / maps.sum(axis=(1, 2), keepdims=True)).mean(axis=0)
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    return row, column, mean.max() * mean.size
"""),
            "agree on nothing",
        ),
    ],
    "10.6": [
        ({"network": "a", "row": 2, "column": 6}, "is honest"),
        ({"network": "C", "row": 3, "column": 3}, "Compare the three networks"),
        ({"network": "b", "row": 3, "column": 6}, "next to the mark"),
        ({"network": "b", "row": 6, "column": 2}, "changed places"),
        ({"network": "b", "row": 3, "column": 4}, "In the middle stand the animals"),
        ({"network": "b", "row": 7, "column": 0}, "Cover each of the 64"),
        ({"network": "b", "row": 11, "column": 24}, "is not yet a square"),
        ({"network": "b", "row": 2.5, "column": 6}, "whole numbers"),
        ({"network": "b", "row": "two", "column": 6}, "whole numbers"),
        ({"network": "d", "row": 2, "column": 6}, "are called"),
        ({"network": "b", "place": (2, 6)}, "lacks 'row', 'column'"),
        (("b", 2, 6), "a dictionary"),
    ],
    "10.7": [
        (attack(step="-most / 4 * np.sign(gradient(found, label))"), "you climb"),
        (attack(step="0.0001 * np.sign(gradient(found, label))"), "too short"),
        (attack(step="0.00001 * gradient(found, label)"), "too short"),
        (attack(clip="np.clip(found, low, high)"), "clip to the given image"),
        (
            attack(clip="np.clip(found, image - most, image + most)", step="np.sign(gradient(found, label))"),
            "no photograph",
        ),
        (attack(steps="40"), "ten is the most"),
        (attack(start="image", step="0 * image"), "is the given one"),
        (attack(result="found[None]"), "of the same shape"),
        (attack(result="None"), "Return"),
        (attack(step="most / 4 * np.sign(gradient(found, 0))"), "another class"),
        (attack(step="most / 4 * np.sign(gradient(found[None], label))"), "takes one image"),
        (
            attack(steps="1", step="most * np.sign(gradient(found, label)) * (np.arange(64)[:, None, None] < 20)"),
            "is not there yet",
        ),
        (attack(result="found * np.nan"), "NaN"),
        (
            cell("""
def fool(gradient, image, label, most=0.05, low=-127 / 128, high=1.0):
    start = image.copy()
    for _ in range(10):
        image += most / 4 * np.sign(gradient(image, label))
        np.clip(image, np.maximum(start - most, low), np.minimum(start + most, high), out=image)
    return image
"""),
            "Work on a copy",
        ),
        (
            attack(step="most / 4 * np.sign(gradient(found, label)) * (np.arange(64)[:, None, None] < 3)"),
            "use what `most` allows",
        ),
        ("fool", "needs the function itself"),
    ],
}

EQUIVALENT = {
    "10.1": [
        cell("""
def my_grad_cam(head, maps, label):
    def score(maps):
        return keras.ops.take(head(maps), label)

    height, width, channels = maps.shape
    _, gradient = gradients.value_and_grad(score, jit=False)(maps)
    found = np.zeros((height, width))
    for k in range(channels):
        found += gradient[:, :, k].mean() * maps[:, :, k]
    found[found < 0] = 0
    return found
"""),
    ],
    "10.2": [
        cell("""
def choose_layer(layers, width, apart, chance):
    chosen, most = None, chance
    for name, places, hits, questions in reversed(layers):
        sure = (hits / questions - chance) / np.sqrt(chance * (1 - chance) / questions) > 2
        if sure and width / places * 2 <= apart and hits / questions > most:
            chosen, most = name, hits / questions
    return chosen
"""),
    ],
    "10.3": [
        cell("""
def occlude(probability, image, window, stride, fill=0.0):
    if stride <= 0 or any(window > side for side in image.shape[:2]):
        raise ValueError("no square fits")
    rows, columns = ((side - window) // stride + 1 for side in image.shape[:2])
    falls = [[None] * columns for _ in range(rows)]
    for row in range(rows):
        for column in range(columns):
            mask = np.zeros(image.shape, bool)
            mask[row * stride : row * stride + window, column * stride : column * stride + window] = True
            falls[row][column] = probability(image) - probability(np.where(mask, np.float32(fill), image))
    return falls
"""),
        cell("""
def occlude(probability, image, window, stride, fill=0.0):
    rows, columns = (1 + (side - window) // stride if stride > 0 else 0 for side in image.shape[:2])
    if min(rows, columns) < 1:
        raise ValueError("window or stride")
    work, whole = image.copy(), probability(image)
    falls = np.empty((rows, columns))
    for row, column in np.ndindex(rows, columns):
        work[...] = image
        work[row * stride :, column * stride :][:window, :window] = fill
        falls[row, column] = whole - probability(work)
    return falls
"""),
    ],
    "10.4": [
        cell("""
def hit_rate(maps, boxes, labels):
    if len({len(maps), len(boxes), len(labels)}) > 1:
        raise ValueError("not equally many")
    n, height, width = maps.shape
    flat = maps.reshape(n, -1)
    y, x = np.divmod(flat.argmax(axis=1), width)
    x1, y1, x2, y2 = np.transpose(boxes)
    hit = (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2) & (np.ptp(flat, axis=1) > 0)
    return sum(hit[labels == k].sum() / (labels == k).sum() for k in set(labels)) / len(set(labels))
"""),
    ],
    "10.5": [
        cell("""
def hot_spot(maps):
    total, count = np.zeros(maps.shape[1:]), 0
    for found in maps:
        if found.sum() > 0:
            total, count = total + found / found.sum(), count + 1
    if count == 0:
        raise ValueError("nothing to see")
    mean = total / count
    row, column = np.argwhere(mean == mean.max())[0]
    return [row, column, mean[row, column] / (1 / mean.size)]
"""),
    ],
    "10.6": [{"Network": " B", "row": np.int64(2), "column": 6.0}],
    "10.7": [
        cell("""
def fool(gradient, image, label, most=0.05, low=-127 / 128, high=1.0):
    change, velocity = np.zeros_like(image), np.zeros_like(image)
    for _ in range(9):
        g = gradient(image + change, label)
        velocity = 0.5 * velocity + g / np.abs(g).mean()
        change = np.clip(change + most / 3 * np.sign(velocity), -most, most)
        change = np.clip(image + change, low, high) - image
    return image + change
"""),
    ],
}

globals().update(standard_tests("10", WRONG, EQUIVALENT))
