"""The exercises of lesson 12: wrong answers as learners write them, and right ones in other styles."""

import numpy as np
import pytest
from exercise_harness import cell, standard_tests

from cnnlib import segmentation
from cnnlib.checks import lesson_12, lesson_12_images


def overlap(
    score: str = "both / union",
    union: str = "np.sum((true == label) | (predicted == label))",
    absent: str = "continue",
    counts: str = "true != 255",
    classes: str = "range(classes)",
    refusal: str = "true.shape != predicted.shape",
    result: str = "np.mean(found)",
) -> cell:
    """An answer to 12.1 from its parts."""
    return cell(f"""
def mean_iou(true, predicted, classes):
    if {refusal}:
        raise ValueError("shapes")
    counts = {counts}
    true, predicted = true[counts], predicted[counts]
    found = []
    for label in {classes}:
        both = np.sum((true == label) & (predicted == label))
        union = {union}
        if not union:
            {absent}
        else:
            found.append({score})
    return {result}
""")


def up(
    order: str = "reversed(features)",
    first: str = "layers.UpSampling2D(2)(x)",
    second: str = 'layers.Conv2D(filters, 3, padding="same")(x)',
    third: str = "layers.Concatenate()([skip, x])",
    fourth: str = "block(x, filters)",
    filters: str = "skip.shape[-1]",
    result: str = "x",
) -> cell:
    """An answer to 12.2 from its parts."""
    return cell(f"""
def decoder(features, x):
    for skip in {order}:
        filters = {filters}
        x = {first}
        x = {second}
        x = {third}
        x = {fourth}
    return {result}
""")


def loss(
    p: str = "1 / (1 + np.exp(-logits[counts]))",
    counts: str = "labels != 255",
    t: str = "labels[counts]",
    score: str = "(2 * np.sum(p * t) + smooth) / (np.sum(p) + np.sum(t) + smooth)",
    result: str = "1 - score",
) -> cell:
    """An answer to 12.3 from its parts."""
    return cell(f"""
def dice_loss(labels, logits, smooth=1.0):
    counts = {counts}
    p = {p}
    t = {t}
    score = {score}
    return {result}
""")


def even(result: str, refusal: str = "kernel < 1 or stride < 1") -> cell:
    """An answer to 12.4 from its parts."""
    return cell(f"""
def evenness(kernel, stride):
    if {refusal}:
        raise ValueError("below 1")
    return {result}
""")


def walk(
    near: str = "((1, 0), (-1, 0), (0, 1), (0, -1))",
    inside: str = "0 <= y < height and 0 <= x < width and left[y, x]",
    keep: str = "size >= smallest",
    refusal: str = "smallest < 1",
    start: str = "np.argwhere(mask)",
) -> cell:
    """An answer to 12.5 without SciPy, from its parts."""
    return cell(f"""
def count_objects(mask, smallest):
    if {refusal}:
        raise ValueError("smallest")
    left, found = np.array(mask) > 0, 0
    height, width = left.shape
    for y, x in {start}:
        size, visit = 0, [(y, x)] if left[y, x] else []
        left[y, x] = False
        while visit:
            row, column = visit.pop()
            size += 1
            for i, j in {near}:
                y, x = row + i, column + j
                if {inside}:
                    y, x = y % height, x % width
                    left[y, x] = False
                    visit.append((y, x))
        if size and {keep}:
            found += 1
    return found
""")


def tiles(
    starts: str = "sorted({*range(0, side - tile, step), side - tile})",
    step: str = "tile - 2 * margin",
    before: str = "margin if start > 0 else 0",
    after: str = "margin if start + tile < side else 0",
    put: str = "result[rows, columns] = answer[cut_rows, cut_columns]",
    refusal: str = "2 * margin >= tile",
    result: str = "result",
    array: str = "np.zeros(image.shape)",
) -> cell:
    """An answer to 12.6 that cuts each tile on both sides, from its parts."""
    return cell(f"""
def stitch(predict, image, tile, margin):
    if {refusal}:
        raise ValueError("margins")
    step = {step}

    def places(side):
        found = []
        for start in {starts}:
            before, after = {before}, {after}
            found.append((start, slice(start + before, start + tile - after), slice(before, tile - after)))
        return found

    result, times = {array}, np.zeros(image.shape)
    for top, rows, cut_rows in places(image.shape[0]):
        for left, columns, cut_columns in places(image.shape[1]):
            answer = predict(image[top : top + tile, left : left + tile])
            {put}
            times[top : top + tile, left : left + tile] += 1
    return {result}
""")


def padded(mode: str) -> cell:
    """An answer to 12.6 that puts a margin around the image."""
    return cell(f"""
def stitch(predict, image, tile, margin):
    if 2 * margin >= tile:
        raise ValueError("margins")
    step, (height, width) = tile - 2 * margin, image.shape
    larger = np.pad(image, ((margin, margin + step), (margin, margin + step)), mode="{mode}")
    result = np.zeros((height + step, width + step))
    for top in range(0, height, step):
        for left in range(0, width, step):
            answer = predict(larger[top : top + tile, left : left + tile])
            result[top : top + step, left : left + step] = answer[margin : margin + step, margin : margin + step]
    return result[:height, :width]
""")


WRONG = {
    "12.1": [
        (overlap(absent="found.append(0)"), "counts as 0 with you"),
        (overlap(absent="found.append(1)"), "counts as 1 with you"),
        (overlap(counts="np.ones(true.shape, bool)"), "Take them out of both maps first"),
        (overlap(score="2 * both / (union + both)"), "That is Dice"),
        (overlap(score="both / max(np.sum(true == label), 1)"), "by the true pixels only"),
        (overlap(score="both / max(np.sum(predicted == label), 1)"), "by the predicted pixels only"),
        (overlap(union="np.sum(true == label) + np.sum(predicted == label)"), "The union has each pixel once"),
        (overlap(result="np.mean(true == predicted)"), "hides small classes"),
        (overlap(classes="range(1, classes)", result="np.mean(found or [0])"), "You leave out class 0"),
        (overlap(classes="np.unique(true)"), "only predicted is left out"),
        *(
            (
                cell(f"""
def mean_iou(true, predicted, classes):
    if true.shape != predicted.shape:
        raise ValueError("shapes")
    here = [c for c in range(classes) if (true == c).any() or (predicted == c).any()]
    counts = true != 255
    true, predicted = true[counts], predicted[counts]
    pairs = [(np.sum((true == c) & (predicted == c)), np.sum((true == c) | (predicted == c))) for c in here]
    return np.mean([{score} for a, b in pairs])
"""),
                "before you leave out the ignored pixels",
            )
            for score in ("a / max(b, 1)", "a / b if b else 1.0", "a / b")
        ),
        (overlap(refusal="True is False", result="0.0"), "Expected"),
        (overlap(refusal="true.size != predicted.size"), "two shapes"),
        (
            cell("""
def mean_iou(true, predicted, classes):
    if true.shape != predicted.shape:
        raise ValueError("shapes")
    true = np.where(true == 255, 0, true)
    pairs = [(np.sum((true == c) & (predicted == c)), np.sum((true == c) | (predicted == c))) for c in range(classes)]
    return np.mean([a / b for a, b in pairs if b])
"""),
            "You take 255 as background",
        ),
        (
            cell("""
def mean_iou(true, predicted, classes):
    if true.shape != predicted.shape:
        raise ValueError("shapes")
    counts = true != 255
    true, predicted = true[counts], predicted[counts]
    hits = np.sum(true == predicted)
    return hits / (2 * len(true) - hits)
"""),
            "add up the intersections",
        ),
        (
            cell("""
def mean_iou(true, predicted, classes):
    if true.shape != predicted.shape:
        return 0.0
    counts = true != 255
    true, predicted = true[counts], predicted[counts]
    pairs = [(np.sum((true == c) & (predicted == c)), np.sum((true == c) | (predicted == c))) for c in range(classes)]
    return np.mean([a / b for a, b in pairs if b])
"""),
            "Two maps of different shapes",
        ),
        (
            cell("""
def mean_iou(true, predicted, classes):
    if true.shape != predicted.shape:
        raise ValueError("shapes")
    counts = true != 255
    pairs = classes * true[counts] + predicted[counts]
    table = np.bincount(pairs, minlength=classes**2)[: classes**2].reshape(classes, classes)
    both = np.diag(table)
    union = table.sum(axis=0) + table.sum(axis=1) - both
    return np.mean(both[union > 0] / union[union > 0])
"""),
            "Make `int` of them",
        ),
        (overlap(refusal="len(true) != len(predicted)"), "`len` is the number of rows"),
        (overlap(refusal="true.size != predicted.size"), "as many pixels and another shape"),
    ],
    "12.2": [
        (up(order="features"), "Begin with the smallest map"),
        (up(order="features", third="layers.concatenate([skip, x])"), "Begin with the smallest map"),
        (up(first="x"), "Step 1 comes before step 3"),
        (up(third="layers.Concatenate(axis=5)([skip, x])"), "Error"),
        (up(third="layers.Add()([skip, x])"), "is added to `x`"),
        (
            up(second='layers.Conv2D(filters, 3, padding="same", activation="tanh")(x)'),
            "a layer with the activation 'tanh'",
        ),
        (up(third="x"), "does not depend on `features[0]`"),
        (up(third="layers.Concatenate()([x, x])"), "does not depend on `features[0]`"),
        (up(third="layers.Concatenate()([skip, skip])"), "does not depend on `x`"),
        (up(fourth="x"), "another shape"),
        (up(fourth='layers.Conv2D(filters, 3, padding="same")(x)'), "fewer convolutions"),
        (up(fourth="block(block(x, filters), filters)"), "more convolutions"),
        (up(second="x"), "convolutions than the four steps make"),
        (up(second='layers.Conv2D(filters, 1, padding="same")(x)'), "other convolutions"),
        (up(second='layers.Conv2D(2 * filters, 3, padding="same")(x)'), "other convolutions"),
        (
            up(first="x", second='layers.Conv2DTranspose(filters, 3, strides=2, padding="same")(x)'),
            "transposed convolution",
        ),
        (
            up(first='layers.Conv2D(filters, 3, padding="same")(x)', second="layers.UpSampling2D(2)(x)"),
            "others than expected",
        ),
        (up(filters="8 + skip.shape[-1]"), "another shape"),
        (up(result="None"), "Is a `return` missing?"),
        (up(result="features"), "should return a Keras tensor"),
        ("decoder", "should be a function"),
        (
            up(
                fourth="layers.Conv2D(filters, 3, padding='same', activation='relu')("
                "layers.Conv2D(filters, 3, padding='same', activation='relu')(x))"
            ),
            "Step 4 is not a `block`",
        ),
        (
            up(fourth="layers.Conv2D(filters, 3, padding='same')(layers.Conv2D(filters, 3, padding='same')(x))"),
            "Step 4 is not a `block`",
        ),
        (up(first="layers.UpSampling2D(2, interpolation='bilinear')(x)"), "which repeats each value"),
        (
            up(second="layers.BatchNormalization()(layers.Conv2D(filters, 3, padding='same')(x))"),
            "no normalisation belongs to it",
        ),
    ],
    "12.3": [
        (loss(p="logits[counts]"), "Make probabilities"),
        (loss(result="np.asarray(1 - score).astype(logits.dtype)"), "has the type of the logits"),
        (loss(p="(logits[counts] > 0) * 1.0"), "has no gradient"),
        (loss(counts="labels < 999"), "as if 255 were a label"),
        (
            loss(p="1 / (1 + np.exp(-logits))", t="np.where(labels == 255, 0, labels)"),
            "count as background with you",
        ),
        (loss(result="score"), "That is the score itself"),
        (
            loss(score="2 * np.sum(p * t) / (np.sum(p) + np.sum(t) + smooth)"),
            "missing above the line",
        ),
        (
            loss(score="(2 * np.sum(p * t) + smooth) / (np.sum(p) + np.sum(t))"),
            "missing below the line",
        ),
        (loss(score="2 * np.sum(p * t) / (np.sum(p) + np.sum(t))"), "The smooth term is missing."),
        (
            loss(score="(np.sum(p * t) + smooth) / (np.sum(p) + np.sum(t) + smooth)"),
            "counts twice above the line",
        ),
        (
            loss(score="(np.sum(p * t) + smooth) / (np.sum(p) + np.sum(t) - np.sum(p * t) + smooth)"),
            "made from IoU",
        ),
        (
            loss(score="(2 * np.sum(p * t) + smooth) / (np.sum(p**2) + np.sum(t) + smooth)"),
            "You square the terms",
        ),
        (
            cell("""
def dice_loss(labels, logits, smooth=1.0):
    p, found = 1 / (1 + np.exp(-logits)), []
    for t, q in zip(labels, p):
        counts = t != 255
        t, q = t[counts], q[counts]
        found.append(1 - (2 * (t * q).sum() + smooth) / (t.sum() + q.sum() + smooth))
    return np.mean(found)
"""),
            "You average over the images",
        ),
    ],
    "12.4": [
        (even("(kernel // stride) / -(-kernel // stride)"), "In the plane the numbers"),
        (even("(-(-kernel // stride) / max(kernel // stride, 1)) ** 2"), "other way round"),
        (even("float(kernel % stride == 0)"), "How strong is it?"),
        (even("((kernel % stride or stride) / stride) ** 2"), "The remainder says"),
        (even("((kernel // stride) / (kernel // stride + 1)) ** 2"), "no pixel gets one window more"),
        (even("(max(kernel // stride, 1) / -(-kernel // stride)) ** 2"), "leaves pixels without any window"),
        (even("(1 / -(-kernel // stride)) ** 2"), "at the *edge* of the output"),
        (
            even(
                "(kernel // stride / -(-kernel // stride)) ** 2 if kernel > 0 < stride else 0.0",
                refusal="kernel is None",
            ),
            "below 1 has no meaning",
        ),
    ],
    "12.5": [
        (walk(near="[(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]"), "Neighbours share an *edge*"),
        (walk(keep="size > smallest"), "*at least*"),
        (walk(keep="True"), "What is `smallest` for?"),
        (walk(keep="size < smallest"), "too small"),
        (walk(inside="left[y % height, x % width]"), "neighbours go round the image"),
        (
            walk(
                inside="0 < y < height - 1 and 0 < x < width - 1 and left[y, x]",
                start="np.argwhere(mask[1:-1, 1:-1]) + 1",
            ),
            "at the edge of the image belong",
        ),
        (walk(near="((0, 1), (0, -1))"), "runs in rows"),
        (walk(refusal="False"), "Raise a ValueError below 1"),
        (
            cell("""
def count_objects(mask, smallest):
    if smallest < 1:
        raise ValueError("smallest")
    return int(np.sum(mask) // smallest)
"""),
            "You divide pixels by a size",
        ),
        (
            cell("""
def count_objects(mask, smallest):
    if smallest < 1:
        raise ValueError("smallest")
    names, _ = ndimage.label(mask)
    _, sizes = np.unique(names, return_counts=True)
    return int((sizes >= smallest).sum())
"""),
            "The background is counted",
        ),
        (walk(near="((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1))"), "Neighbours share an *edge*"),
        (
            cell("""
def count_objects(mask, smallest):
    if smallest < 1:
        raise ValueError("smallest")
    names, _ = ndimage.label(ndimage.binary_fill_holes(mask))
    return int(np.sum(np.bincount(names.ravel())[1:] >= smallest))
"""),
            "holes are not filled",
        ),
        (
            cell("""
def count_objects(mask, smallest):
    if smallest < 1:
        raise ValueError("smallest")
    names, sizes = {}, []
    for y, x in zip(*np.nonzero(mask)):
        name = names.get((y - 1, x), names.get((y, x - 1)))
        if name is None:
            name = len(sizes)
            sizes.append(0)
        names[y, x] = name
        sizes[name] += 1
    return sum(size >= smallest for size in sizes)
"""),
            "joined where they meet",
        ),
        (
            cell("""
def count_objects(mask, smallest):
    if smallest < 1:
        raise ValueError("smallest")
    names, _ = ndimage.label(mask)
    return sum(names[place].size >= smallest for place in ndimage.find_objects(names))
"""),
            "the rectangle around a part",
        ),
    ],
    "12.6": [
        (tiles(array="np.zeros_like(image)"), "has the type of the image"),
        (tiles(step="tile", before="0", after="0"), "edge to edge"),
        (tiles(step="max(tile - margin, 1)", after="0"), "An overlap of one margin is not enough"),
        (tiles(before="0", after="0"), "written over right ones"),
        (tiles(before="margin"), "upper and left edge"),
        (tiles(after="margin"), "lower and right edge"),
        (tiles(starts="range(0, side - tile + 1, step)", before="margin if start else 0", after="0"), "One more tile"),
        (
            tiles(put="result[top : top + tile, left : left + tile] += answer", result="result / np.maximum(times, 1)"),
            "You average where tiles overlap",
        ),
        (tiles(before="margin", after="margin"), "At the edges of the image nothing is left"),
        *((padded(mode), "you made up pixels") for mode in ("constant", "reflect", "symmetric", "edge")),
        (
            cell("""
def stitch(predict, image, tile, margin):
    step = tile - 2 * margin
    if step < 1:
        raise ValueError("margins")
    height, width = image.shape
    more = np.pad(image, ((0, (tile - height) % step), (0, (tile - width) % step)))
    result = np.zeros(more.shape)
    for top in range(0, more.shape[0] - tile + 1, step):
        for left in range(0, more.shape[1] - tile + 1, step):
            y, x = margin if top else 0, margin if left else 0
            answer = predict(more[top : top + tile, left : left + tile])
            result[top + y : top + tile, left + x : left + tile] = answer[y:, x:]
    return result[:height, :width]
"""),
            "you made up pixels",
        ),
        (cell("def stitch(predict, image, tile, margin):\n    return predict(image)"), "takes one size only"),
        (tiles(refusal="margin >= tile"), "it raises ValueError"),
        (
            cell("""
def stitch(predict, image, tile, margin):
    step = tile - 2 * margin
    if step < 1:
        return image * 0.0
    starts = [[*range(0, side - tile, step), side - tile] for side in image.shape]
    result = np.zeros(image.shape)
    for top in starts[0]:
        for left in starts[1]:
            y, x = margin * (top > 0), margin * (left > 0)
            answer = predict(image[top : top + tile, left : left + tile])
            result[top + y : top + tile, left + x : left + tile] = answer[y:, x:]
    return result
"""),
            "Between margins that meet",
        ),
        (
            cell("""
def stitch(predict, image, tile, margin):
    step = tile - 2 * margin
    if step < 1:
        raise ValueError("margins")
    starts = [sorted({*range(0, side - tile, step), side - tile}) for side in image.shape]
    result = np.full(image.shape, -np.inf)
    for top in starts[0]:
        for left in starts[1]:
            place = np.s_[top : top + tile, left : left + tile]
            result[place] = np.maximum(result[place], predict(image[place]))
    return result
"""),
            "A wrong value may be either",
        ),
    ],
}

EQUIVALENT = {
    "12.1": [
        overlap(),
        cell("""
def mean_iou(true, predicted, classes):
    if np.shape(true) != np.shape(predicted):
        raise ValueError("shapes")
    counts = true != 255
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (true[counts], predicted[counts]), 1)
    hits, whole = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    return (hits[whole > 0] / whole[whole > 0]).mean()
"""),
    ],
    "12.2": [
        up(third="layers.Concatenate()([x, skip])"),
        cell("""
def decoder(features, x):
    if not features:
        return x
    *larger, skip = features
    count = int(skip.shape[-1])
    x = layers.Conv2D(count, (3, 3), padding="same", activation="relu")(layers.UpSampling2D(size=(2, 2))(x))
    return decoder(larger, block(layers.concatenate([skip, x], axis=-1), count))
"""),
    ],
    "12.3": [
        cell("""
def dice_loss(labels, logits, smooth=1.0):
    weight = (labels != 255).astype(float)
    t = (labels == 1).astype(float)
    p = weight * (0.5 + 0.5 * np.tanh(logits / 2))
    wrong = (p * (weight - t) + t * (1 - p)).sum()
    return wrong / (p.sum() + t.sum() + smooth) if wrong else 0.0
"""),
    ],
    "12.4": [
        cell("""
def evenness(kernel, stride):
    if min(kernel, stride) < 1:
        raise ValueError("below 1")
    line = np.zeros(40 * stride + kernel)
    for step in range(40):
        line[step * stride : step * stride + kernel] += 1
    middle = line[20 * stride : 21 * stride]
    return middle.min() ** 2 / middle.max() ** 2
"""),
    ],
    "12.5": [walk()],
    "12.6": [tiles()],
}

globals().update(standard_tests("12", WRONG, EQUIVALENT))


# The references against what they are defined by ---------------------------------------------------------------------


def test_stitched_is_what_the_network_gives_for_the_whole_image():
    cases = [case for case in lesson_12_images._stitch_cases(np.random.default_rng(0)) if case.raises is None]
    for case in cases:
        predict, image, *_ = case.args
        np.testing.assert_allclose(lesson_12_images.stitch(*case.args), predict.whole(image), err_msg=case.about)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (4, 2), (5, 2), (5, 3), (2, 3), (7, 4)])
def test_evenness_is_that_of_the_counted_taps(kernel, stride):
    inside = segmentation.overlap_counts(20, kernel, stride)[3 * kernel * stride : -3 * kernel * stride or None]
    inside = inside if len(inside) else segmentation.overlap_counts(200, kernel, stride)[100:-100]
    plane = np.outer(inside, inside)
    assert lesson_12.evenness(kernel, stride) == pytest.approx(plane.min() / plane.max())


def test_the_other_references_agree_with_the_library():
    rng = np.random.default_rng(1)
    for case in lesson_12._iou_cases(rng):
        if case.raises is None:
            true, predicted, classes = case.args
            assert lesson_12.mean_iou(*case.args) == pytest.approx(segmentation.mean_iou(true, predicted, classes))
    for case in lesson_12._dice_cases(rng):
        labels, logits, smooth = (*case.args, 1.0)[:3]
        theirs = segmentation.DiceLoss(smooth / 2)(labels, logits[..., None].astype("float32"))
        assert lesson_12.dice_loss(labels, logits, smooth) == pytest.approx(float(theirs), abs=1e-5)
    for case in lesson_12_images._object_cases(rng):
        if case.raises is None:
            mask, smallest = case.args
            assert lesson_12_images.count_objects(mask, smallest) == segmentation.connected_components(
                mask, smallest=smallest
            ).max(initial=0)
