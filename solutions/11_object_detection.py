# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 · Object detection
#
# **What is in the picture, how many of them, and where?**
#
# When you have worked through this page you can
# - say how far two boxes agree, and read each of the formats in which boxes are written
# - explain how a convolutional network answers with any number of boxes: anchors, matching, offsets, two losses
# - train a single-stage detector, and turn its raw answers into a list by threshold and suppression
# - compute average precision as COCO does, and choose a threshold by what errors cost
# - tell by a calculation which objects are too small for a network, and mend it
#
# **Before this**: [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb),
# [09 Transfer learning](../notebooks/09_transfer_learning.ipynb) · **Reading** 55 min · **Exercises** 60 min
#
# [← 10 Seeing what a CNN sees](../notebooks/10_seeing_what_a_cnn_sees.ipynb) · [Course map](../README.md) ·
# [12 Semantic segmentation →](../notebooks/12_semantic_segmentation.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="11")

# %%
import keras
import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from cnnlib import claim, datasets, detection, exercise, models, plotting, training, transfer
from cnnlib.claims import approx, measured
from cnnlib.models import ssdlite
from cnnlib.results import Experiment

# %% [markdown]
# ## One word is not enough
#
# A classifier has one word for a picture. A **detector** answers with a list: for each object a class, a score and a
# **bounding box**, the smallest upright rectangle around it. The list may be empty.
#
# Here is one that comes with the course: SSDLite on MobileNetV2, trained on the 80 classes of COCO.
#
# **Predict**: five photographs. A cup on a table, a man at a tripod, a blurred clock, a model of the Space Shuttle, a
# pug. In which of them does it err?

# %%
coco = ssdlite.SSDLite(weights="coco")
names = ("coffee", "camera", "clock", "shuttle")
photographs = {name: datasets.photograph(name) for name in names} | {"pug": datasets.pets()[2].image}
found = {name: ssdlite.detect(image, network=coco) for name, image in photographs.items()}
plotting.boxes_on(
    list(photographs.values()),
    [[thing.box for thing in things] for things in found.values()],
    texts=[[f"{thing.name} {thing.score:.2f}" for thing in things] for things in found.values()],
    columns=5,
    size=1.45,
    alt="Boxes on a cup and its table, on a man, on a shuttle called toothbrush, on a pug; none on the clock.",
)

# %%
first = {name: things[0].name if things else "nothing" for name, things in found.items()}
claim(
    "the cup, the man and the dog are found",
    (first["coffee"], first["camera"], first["pug"]) == ("cup", "person", "dog"),
)
claim("the blurred clock is not found at all", first["clock"] == "nothing")
claim("the shuttle, which is none of the 80 classes, is a toothbrush", first["shuttle"] == "toothbrush")
claim("the tripod is not found either: COCO has no tripods", [thing.name for thing in found["camera"]] == ["person"])

# %% [markdown]
# It can miss an object, invent one, give it a wrong name, or draw its box badly. Each of these must be measured, so
# begin with the last one: how good is a box?
#
# ## A box, four numbers, and several ways to write them
#
# In this course a box is $(x_1, y_1, x_2, y_2)$ in pixels: left, top, right, bottom. Others write $(x, y, w, h)$ with a
# corner, or with the centre, or as fractions of the picture, or $y$ before $x$. Four numbers do not say which.

# %%
box = np.array([[46.0, 63, 257, 297]])  # the cat in a picture of 297 x 300
ways = {way: detection.convert(box, "xyxy", way, size=(297, 300))[0] for way in ("xywh", "center_xywh", "rel_xyxy")}
for way, numbers in ways.items():
    print(f"{way:12}", [round(float(number), 2) for number in numbers])
back = detection.convert([ways["rel_xyxy"]], "rel_xyxy", "xyxy", size=(297, 300))
claim("there and back, nothing is lost", np.allclose(back, box, atol=1e-3))

# %% [markdown]
# A wrong format often raises no error, and the boxes may even look *nearly* right. Draw some of them before you train.
#
# ## How far do two boxes agree?
#
# Divide what two boxes $A$ and $B$ share by what they cover together: **intersection over union** (IoU),
#
# $$\mathrm{IoU}(A, B) = \frac{|A \cap B|}{|A \cup B|} = \frac{|A \cap B|}{|A| + |B| - |A \cap B|}$$
#
# ($|A|$: area.) It is 1 for the same box and 0 for boxes that do not meet, whatever the size of the picture.
#
# **Predict**: a box, and the same box moved to the right by a third of its width. Their IoU?

# %%
box = np.array([[0.0, 0, 90, 60]])
for share in (0.1, 1 / 3, 0.5):
    print(
        f"moved by {share:.2f} of its width: IoU {detection.iou(box, box + [90 * share, 0, 90 * share, 0])[0, 0]:.2f}"
    )
claim("a third of the width leaves half", np.isclose(detection.iou(box, box + [30, 0, 30, 0])[0, 0], 0.5))
both = detection.iou(box, box + [16.5, 11, 16.5, 11])[0, 0]
claim("18 % in both directions do so, too", abs(both - 0.5) < 0.01)

# %% [markdown]
# An IoU of 0.5 is the usual bar for *found*. It is lower than it sounds.
#
# As a loss, IoU has a flaw: for two boxes that do not meet it is 0, however far apart they are, and its slope is 0.
# **GIoU** subtracts the share of the smallest box $C$ around both that neither covers (Rezatofighi and others 2019):
# $\mathrm{GIoU} = \mathrm{IoU} - |C \setminus (A \cup B)| / |C|$.

# %%
for gap in (10, 100, 1000):
    away = box + [90 + gap, 0, 90 + gap, 0]
    print(f"{gap:4} pixels apart: IoU {detection.iou(box, away)[0, 0]:.0f}, GIoU {detection.giou(box, away)[0, 0]:.2f}")
near, far = (detection.giou(box, box + [90 + gap, 0, 90 + gap, 0])[0, 0] for gap in (10, 1000))
claim("GIoU tells near from far, and lies above -1", 0 > near > far > -1)

# %% [markdown]
# ### Exercise 11.1 · IoU of all pairs
#
# Write the IoU of each box of `first`, shape (n, 4), with each of `second`, (m, 4), as a matrix (n, m). Both hold
# floats, and every box has an area. Raise a `ValueError` if a box of either has $x_2 < x_1$ or $y_2 < y_1$. No loop is
# needed.
#
# For example, (0, 0, 30, 20) with the same box moved by 10 to the right is 0.5.


# %%
def iou_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU (n, m) of boxes (n, 4) with boxes (m, 4); ValueError if a box ends before it begins."""
    ### BEGIN SOLUTION
    for boxes in (first, second):
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise ValueError("a box ends before it begins: are these (x, y, width, height)?")
    start = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.maximum(end - start, 0).prod(axis=-1)
    one, other = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (first, second))
    return shared / (one[:, None] + other[None] - shared)
    ### END SOLUTION


# %%
exercise("11.1").check(iou_matrix)

# %% [markdown]
# ## Scenes whose boxes are exact
#
# To train a detector we need pictures with boxes. Here they are drawn: one or two articles of Fashion-MNIST in a colour
# of their own on a part of a photograph. What is drawn for the test comes from test pictures, on other photographs.
#
# T-shirts, pullovers, coats and shirts cannot always be told apart at this size, not even by people. Here they are one
# class, *top*. That leaves seven. (In a trial listed in the README of Fashion-MNIST, which its authors did not check,
# people had 83.5 % of the ten classes right.)

# %%
by_length = Experiment("11_scenes")
scenes = detection.small_scenes(by_length.pick(stored=6000, live=320))
held = detection.small_scenes(300, split="test")
kinds = scenes.class_names
plotting.boxes_on(
    scenes.images[:10],
    [[]] * 10,
    truth=scenes.boxes[:10],
    titles=[", ".join(kinds[label] for label in labels) for labels in scenes.labels[:10]],
    columns=5,
    size=1.4,
    alt="Ten small scenes: tinted shirts, shoes and bags on parts of photographs, each with a tight box.",
)
claim("nothing lies outside its scene", all((own >= 0).all() and (own <= 48).all() for own in scenes.boxes))

# %% [markdown]
# ## How can a convolution answer with a list?
#
# A scene has one object or two; a network has a fixed number of outputs. The way out: ask many fixed questions at once.
# At every place of a feature map lie a few boxes of set sizes and shapes, the **anchors**. For each anchor the network
# answers twice: *what* is in it, and *how* to move it onto the object. Most answers are *nothing*.
#
# Below are two maps: one of stride 4 (12 by 12 places) with small anchors, one of stride 8 (6 by 6) with large ones. At
# each place there are four anchors: two sizes, each once wide and once high.

# %%
levels = [(12, 12), (6, 6)]
shape = {"scales": (1, 1.41), "ratios": (0.6, 1.6)}
anchors = detection.anchor_grid((48, 48), levels, sides=(20, 40), **shape)
counts = [rows * columns * 4 for rows, columns in levels]
claim("there are 720 anchors: 576 and 144", (len(anchors), counts) == (720, [576, 144]))

# %% [markdown]
# Which anchor answers for which object? Compare all anchors with all objects. An IoU of 0.5 or more: the anchor answers
# for that object. Below 0.4: *background*. In between it is *ignored*, since either answer would be half wrong. And
# each object gets the anchor that fits it best, however badly, so that none is forgotten. (The two limits are those of
# RetinaNet, Lin and others 2017; the last rule is that of Ren and others 2015.)
#
# **Predict**: of 720 anchors, how many answer for an object of a scene, on average?

# %%
pair = next(i for i, labels in enumerate(scenes.labels) if len(labels) == 2)
plotting.anchors(
    scenes.images[pair],
    anchors,
    scenes.boxes[pair],
    detection.match(anchors, scenes.boxes[pair]),
    columns=counts,
    alt="A scene twice, with its places as dots: few anchors, around the two objects, answer for one of them.",
)
matches = np.stack([detection.match(anchors, own) for own in scenes.boxes[:320]])
measured("anchors that answer for an object, of 720", (matches >= 0).sum(axis=1).mean(), digits=2)
measured("anchors that are ignored", (matches == -2).sum(axis=1).mean(), digits=2)
claim("more than 85 of 100 anchors are background", np.mean(matches == -1) > 0.85)
objects = np.array([len(own) for own in scenes.boxes[:320]])
claim("no object is forgotten", all(len(set(row[row >= 0])) == n for row, n in zip(matches, objects)))

# %% [markdown]
# ### Exercise 11.2 · Assign anchors
#
# Given `overlap`, the IoU of each anchor with each object, shape (anchors, objects), return one whole number for each
# anchor: the index of its object, -1 for background, -2 for ignored.
# - The object with the greatest IoU, if that IoU is *at least* `positive`.
# - -1 if the greatest IoU is *below* `negative`; -2 in between.
# - Then every object takes the anchor that fits it best. If several objects want the same anchor, the one that fits it
#   best has it.
#
# Without objects all is background. No two IoUs of a column are equal.
#
# For example, with thresholds 0.5 and 0.4 the rows (0.7, 0.1), (0.45, 0.2), (0.3, 0.35), (0.05, 0.6), (0, 0) give
# `[0, -2, -1, 1, -1]`.


# %%
def assign(overlap: np.ndarray, positive: float, negative: float) -> np.ndarray:
    """For each anchor the index of its object, -1 (background) or -2 (ignored), from IoUs (anchors, objects)."""
    ### BEGIN SOLUTION
    anchors, objects = overlap.shape
    if objects == 0:
        return np.full(anchors, -1)
    best, value = overlap.argmax(axis=1), overlap.max(axis=1)
    found = np.where(value >= positive, best, np.where(value < negative, -1, -2))
    for k in np.argsort(overlap.max(axis=0)):  # the best fit is written last
        found[overlap[:, k].argmax()] = k
    return found
    ### END SOLUTION


# %%
exercise("11.2").check(assign)

# %% [markdown]
# ## How to move an anchor
#
# An anchor with centre $(x_a, y_a)$, width $w_a$ and height $h_a$ becomes the box $(x, y, w, h)$ by four numbers:
#
# $$t_x = \frac{x - x_a}{w_a} \qquad t_y = \frac{y - y_a}{h_a} \qquad t_w = \log\frac{w}{w_a}
# \qquad t_h = \log\frac{h}{h_a}$$
#
# They are divided by 0.1, 0.1, 0.2, 0.2, so that they are about as large as the other outputs. The network learns
# these. They do not depend on where the anchor lies nor on how large it is, so one convolution can give them
# everywhere.

# %%
anchor, target = np.float32([[10, 10, 30, 40]]), np.float32([[12, 8, 36, 44]])
deltas = detection.encode(anchor, target)
print("four numbers:", [round(float(number), 2) for number in deltas[0]])
claim("decoding gives the box again", np.allclose(detection.decode(anchor, deltas), target, atol=1e-3))
elsewhere = detection.encode(3 * anchor + 50, 3 * target + 50)
claim("elsewhere, and three times as large, they are the same", np.allclose(elsewhere, deltas, atol=1e-4))

# %% [markdown]
# ## Two losses, and a flood of nothing
#
# The loss of the four numbers is **smooth L1**, a parabola near 0 and a straight line further out, so that one object
# that is far off does not drown the others (Girshick 2015). Only anchors with an object have it.
#
# For the class: seven answers between 0 and 1 at each anchor, one for each class, all 0 for background. That is 5,040
# answers for one scene, and some 20 of them should be 1. Suppose that the network already does well: it gives the
# background 5 %, and what is there 30 %. Which of the two makes up the loss?
#
# Focal loss (lesson 08) multiplies the cross-entropy by $(1 - p_t)^\gamma$, where $p_t$ is the probability of what is
# true (Lin and others 2017): what is easy hardly counts any more. The paper, and the detector below, also weigh ones by
# $\alpha = 0.25$ and zeros by 0.75; `None` here leaves that out.


# %%
def share_of_background(gamma):
    """The share of the loss that 5,020 answers on background have, beside 20 on objects."""
    nothing = detection.focal_loss(
        np.zeros(5020, "float32"), np.full(5020, np.log(0.05 / 0.95), "float32"), gamma, None
    )
    things = detection.focal_loss(np.ones(20, "float32"), np.full(20, np.log(0.3 / 0.7), "float32"), gamma, None)
    return float(keras.ops.sum(nothing) / (keras.ops.sum(nothing) + keras.ops.sum(things)))


shares = {gamma: share_of_background(gamma) for gamma in (0, 1, 2)}
for gamma, share in shares.items():
    print(f"gamma {gamma}: {share:.0%} of the loss comes from the background")
claim("under cross-entropy more than nine tenths of the loss are about nothing", shares[0] > 0.9)
claim("under focal loss with gamma 2, less than a tenth", shares[2] < 0.1)

# %% [markdown]
# ## The detector
#
# Deep maps know *what* is there and hardly *where*; shallow maps know where and hardly what. A **feature pyramid**
# hands the deep maps down to the shallow ones: enlarge, add to the finer map, smooth (Lin and others 2017). On each of
# its maps stands the same small head: a convolution, then one for the four numbers and one for the classes.

# %%
backbone = models.ResNet(18, (48, 48, 3), width=0.5)  # its second half and its classifier are left out
detector = detection.Detector(backbone, 7, strides=(4, 8), channels=48, size=5, **shape)
for name in ("stage1_2_relu", "stage2_2_relu", "pyramid0_smooth", "pyramid1_smooth", "level0", "level1"):
    print(f"{name:16}", detector.model.get_layer(name).output.shape[1:])
claim("its anchors are those from above", np.allclose(detector.anchors, anchors))
claim("for each it answers with 4 numbers and 7 classes", detector.model.output_shape == (None, 720, 11))
claim("it has 270,000 parameters at most", detector.model.count_params() <= 270_000)

# %% [markdown]
# At the start every class has 1 % at every anchor: the bias of the last layer is set so. Otherwise the first step would
# be spent on 5,020 answers of one half.
#
# The network begins from nothing here, since scenes cost nothing. Real boxes are dear, and then one begins with a
# pretrained one (lesson 09), as you will below.
#
# Train it for 80 steps of 16 scenes: 320 scenes, four times. The stored runs did the same, and went on, from the same
# first weights, to 375 and to 1,125 steps, which is 6,000 scenes once and three times. Each length has a learning rate
# that falls to 0 at its own end.
#
# **Predict**: in how many of ten test scenes does a box with a score of 0.4 or more fit, after 80 steps?


# %%
def to_unit(images):
    return images.astype("float32") / 255


start, by_steps = detector.model.get_weights(), {}


def learn(steps, passes):
    """Train anew for so many steps, and look at the test scenes; the loss of each pass."""
    detector.model.set_weights(start)
    rate = training.warmup_cosine(3e-3, steps, steps // 10)
    detector.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4))
    x = to_unit(scenes.images[: 16 * steps // passes])
    y = detector.targets(scenes.boxes[: len(x)], scenes.labels[: len(x)])
    history = training.fit(detector.model, x, y, epochs=passes, batch_size=16, label=f"{steps} steps")
    by_steps[steps] = detector.predict(to_unit(held.images), score_threshold=0.01)
    return history.history["loss"]


losses = learn(80, passes=4)

# %% jupyter={"source_hidden": true}
# The longer runs, stored only: `python tools/run_experiments.py --lesson 11` comes by here.
for steps, passes in by_length.pick(stored={375: 1, 1125: 3}, live={}).items():
    learn(steps, passes)


# %%
def at_least(score, found):
    """Of each scene only the detections with this score or a higher one."""
    return [detection.Detections(*(part[seen.scores >= score] for part in seen)) for seen in found]


def fitting(found):
    """Share of the test scenes in which some box has an IoU above 0.5 with an object."""
    best = [detection.iou(seen.boxes, own).max(initial=0) for seen, own in zip(found, held.boxes)]
    return np.mean(np.array(best) > 0.5)


early = fitting(at_least(0.4, by_steps[80]))
measured("after 80 steps a box fits in a share of", early, "of the test scenes", digits=2)
claim("in the last pass the loss is lower by a quarter or more than in the first", losses[-1] < 0.75 * losses[0])

# %% [markdown]
# It has begun to find things. The weights that 1,125 steps make come with the course (`tools/train_detector.py` made
# them, once). From here on the page looks at those.

# %%
datasets.load_weights(detector.model, "scenes_resnet18")
new = to_unit(held.images)
answers = detector.predict(new, score_threshold=0.01)
sure = at_least(0.4, answers)
plotting.boxes_on(
    held.images[:10],
    [seen.boxes for seen in sure[:10]],
    texts=[[kinds[label] for label in seen.labels] for seen in sure[:10]],
    truth=held.boxes[:10],
    columns=5,
    size=1.4,
    alt="Ten test scenes: most objects have a box that fits (true boxes dashed), some a wrong name.",
)
claim("in 3 of 4 scenes a box fits with an IoU above 0.5", fitting(sure) > 0.75)
claim("that is a tenth of the scenes more than after 80 steps, or more", fitting(sure) > early + 0.1)

# %% [markdown]
# ## From 720 answers to a list
#
# What you saw was already cleaned. Here is what the network says, before that: all boxes with a score of 0.05 or more.
#
# **Predict**: how many boxes for a scene with one or two objects?

# %%
raw = detector.predict(new[:100], score_threshold=0.05, iou_threshold=1.0, max_boxes=720)
clean = at_least(0.05, answers[:100])
before, after = (np.mean([len(seen.boxes) for seen in part]) for part in (raw, clean))
measured("boxes in a scene, as they come", before, digits=2)
measured("after suppression", after, digits=2)
claim("at least half of the boxes say again what another one says", after < before / 2)

# %% [markdown]
# Two things come together. A score of 0.05 is nearly nothing, and focal loss does not push easy answers down to 0; a
# higher threshold removes those. The anchors around an object all report it, and **non-maximum suppression** (NMS)
# keeps one of them: take the box with the best score, drop all boxes that overlap it by more than a threshold, go on
# with the best of the rest. It is done within each class: a shirt does not suppress the bag in front of it.
#
# Try the two thresholds, and what happens if all classes are thrown together.

# %%
crowded = int(np.argmax([len(seen.boxes) * (len(own) == 2) for seen, own in zip(raw, held.boxes)]))
draw, alt = plotting.suppression_explorer(held.images[crowded], *raw[crowded], kinds)
plotting.explore(draw, alt, least_score=(0.05, 0.95, 0.05, 0.3), most_overlap=(0.05, 0.95, 0.05, 0.5), by_class=True)

# %%
picked = raw[crowded]
kept = {limit: len(detection.nms(picked.boxes, picked.scores, limit)) for limit in (0.3, 0.5, 0.9)}
apart = len(detection.batched_nms(picked.boxes, picked.scores, picked.labels, 0.5))
claim("the higher the overlap that is allowed, the more boxes stay", kept[0.3] <= kept[0.5] <= kept[0.9])
claim("within each class at least as many stay as with all classes thrown together", apart >= kept[0.5])

# %% [markdown]
# NMS has to choose between two faults. Two things that really overlap by more than the threshold become one. With a
# higher threshold, one thing becomes two. **Soft-NMS** lowers the score of a box that overlaps a better one, and drops
# nothing (Bodla and others 2017). Two cats, one behind the other, and a double report of the first:

# %%
cats = np.array([[0, 0, 100, 80], [30, 0, 130, 80], [2, 1, 101, 82]], "float32")
cat_scores = np.array([0.9, 0.8, 0.7], "float32")
print("IoU with the first:", [round(float(overlap), 2) for overlap in detection.iou(cats[:1], cats)[0]])
print("greedy keeps:", detection.nms(cats, cat_scores, 0.5).tolist())
order, softened = detection.soft_nms(cats, cat_scores)
print("soft:", {int(i): round(float(score), 2) for i, score in zip(order, softened)})
claim("greedy NMS at 0.5 loses the second cat", detection.nms(cats, cat_scores, 0.5).tolist() == [0])
claim("soft NMS ranks it before the double report", order.tolist() == [0, 1, 2] and softened[1] > 2 * softened[2])

# %% [markdown]
# ### Exercise 11.3 · Non-maximum suppression
#
# Write greedy NMS. Return the indices of the boxes that stay, best score first. A box goes if its IoU with a box that
# *was kept* is *more than* `threshold`. All scores are different. You may use `detection.iou`.
#
# For example, three boxes in a row, each of which has an IoU of 0.6 with the next and 0.33 with the one after, with the
# scores 0.9, 0.8, 0.6 and a threshold of 0.5, give `[0, 2]`: the second goes, and what has gone drops nothing.


# %%
def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Indices of the boxes (n, 4) that greedy NMS keeps, best score first."""
    ### BEGIN SOLUTION
    kept = []
    for i in np.argsort(-scores).tolist():
        if detection.iou(boxes[[i]], boxes[kept]).max(initial=0) <= threshold:
            kept.append(i)
    return kept
    ### END SOLUTION


# %%
exercise("11.3").check(suppress)

# %% [markdown]
# ## How good is it?
#
# Go through the detections of one class in all scenes, best score first. A detection is *right* if it has an IoU of at
# least 0.5 with an object of its class that no better detection has taken. A second report of the same object is wrong.


# %%
def judge(answers, truth, label, least=0.5):
    """Of one class: the scores of all detections, whether each is right, and how many objects there are."""
    scores, right, positives = [], [], 0
    for seen, scene in zip(answers, truth):
        mine = seen.labels == label  # best score first, as `predict` gives them
        overlap = detection.iou(seen.boxes[mine], scene["boxes"][scene["labels"] == label])
        for row in overlap:
            right.append(row.max(initial=0) >= least)
            if right[-1]:
                overlap[:, row.argmax()] = 0  # this object is taken
        scores.extend(seen.scores[mine])
        positives += overlap.shape[1]
    return np.array(scores), np.array(right, bool), positives


# %% [markdown]
# If all detections down to some score are accepted: precision is the share of them that is right, recall the share of
# the objects that is found (lesson 08). Each score gives a point. Going down, recall rises and precision falls, with
# teeth.
#
# **Average precision** (AP) is the area under the curve of precision over recall. COCO fills the dips first: the
# height at recall $r$ is the best precision at any recall of $r$ or more. Then it takes the mean of 101 heights, at
# $r = 0, 0.01, \ldots, 1$.

# %%
judged = {label: judge(answers, held.truth, label) for label in range(7)}
curves = {kinds[label]: detection.precision_recall(*judged[label]) for label in range(7)}
average = {name: detection.average_precision(*curve) for name, curve in curves.items()}
shown = ("trousers", "bag", "dress")
plotting.precision_recall(
    {name: curves[name] for name in shown},
    average,
    alt=f"Precision over recall: {', '.join(f'{name} has AP {approx(average[name], 2)}' for name in shown)}.",
)
claim("trousers, which look like nothing else, are ahead of dresses", average["trousers"] > average["dress"])

# %% [markdown]
# ### Exercise 11.4 · Average precision
#
# Write it yourself, for one class: `scores` and `correct` are arrays, one entry for each detection, in any order;
# `positives` is the number of objects. Without detections it is 0. All scores are different.
#
# For example, three objects and three detections with the scores 0.9, 0.8, 0.7, of which the second is wrong: the
# recall is 1/3, 1/3, 2/3 and the precision 1, 1/2, 2/3. So 34 heights are 1, 33 are 2/3, 34 are 0, and the AP is 0.554.


# %%
def area_under(scores: np.ndarray, correct: np.ndarray, positives: int) -> float:
    """Average precision as COCO defines it."""
    ### BEGIN SOLUTION
    hits = np.cumsum(correct[np.argsort(-scores)])
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / positives
    return np.mean([precision[recall >= level].max(initial=0) for level in np.linspace(0, 1, 101)])
    ### END SOLUTION


# %%
exercise("11.4").check(area_under)

# %% [markdown]
# ## One number, or twelve
#
# The mean of AP over the classes is **mAP**. With 0.5 as the bar it is called AP50. COCO also raises the bar, from 0.5
# to 0.95 in ten steps, and calls the mean of these *AP*. So a box must fit well to count ten times. Beside them stand
# the AP of small, medium and large objects and the recall: twelve numbers in all.
#
# **Predict**: the detector saw 6,000 scenes three times. Its AP50? And its AP over all ten bars?


# %%
def judged_by_coco(found):
    """COCO's numbers of detections in the test scenes."""
    return detection.coco_evaluation(held.truth, [seen._asdict() for seen in found], 7)


whole = judged_by_coco(answers)
for name in ("ap50", "ap75", "ap"):
    measured(f"{name:4}", getattr(whole, name))
claim(
    "our seven curves have the mean that COCO's evaluation finds",
    abs(np.mean(list(average.values())) - whole.ap50) < 1e-6,
)
claim("AP50 on scenes with new items and new backgrounds is at least 0.6", whole.ap50 >= 0.6)
claim("the higher the bar, the lower", whole.ap50 > whole.ap75 > 0 and whole.ap50 > whole.ap)

# %% [markdown]
# And what did the shorter trainings come to? The stored runs made all three lengths, with three seeds, and so their own
# weights; this run made the shortest.

# %% jupyter={"source_hidden": true}
numbers = [judged_by_coco(found) for found in by_steps.values()]
by_length.keep(scores={"AP50": [each.ap50 for each in numbers], "AP": [each.ap for each in numbers]})
plotting.live_over_stored(
    by_length.live,
    by_length.stored,
    x=(80, 375, 1125),
    logx=True,
    titles={"scores": "300 test scenes"},
    xlabel="steps of 16 scenes",
    ylabel="average precision",
    alt="AP50 and AP over the number of steps, on a logarithmic axis: both rise from 80 to 375 and further to 1,125.",
)
lenient, strict = (by_length.stored["scores"][name] for name in ("AP50", "AP"))  # (runs, lengths)
gains = np.diff(lenient, axis=1)
claim("in each stored run each longer training has the higher AP50, by 0.05 or more", gains.min() > 0.05)
claim("750 more steps gain less than the 295 before them", (gains[:, 1] < gains[:, 0]).all())
grown = [(scores[:, 2] / scores[:, 1]) for scores in (lenient, strict)]
claim("with them AP grows by more than a quarter, AP50 by less", grown[0].max() < 1.25 < grown[1].min())
claim("this run of 80 steps is at least 0.05 behind all of 375", numbers[0].ap50 < lenient[:, 1].min() - 0.05)

# %% [markdown]
# The first steps are the cheapest. To *find* things is learnt early. What a longer training goes on to improve is how
# well the boxes fit, and that is what AP asks for beside AP50.
#
# Small choices move such a number by points: which detection takes which object, what happens to a second report, how
# dips are filled. So papers use one program, pycocotools. Ours must give the same. Forty scenes, and detections that
# are their true boxes disturbed by chance; what pycocotools says of them is stored.

# %%
wobble = np.random.default_rng(0)
forty = detection.render(40, 96, objects=(2, 4), seed=0).truth
guesses = []
for scene in forty:
    again = np.repeat(scene["boxes"], 3, axis=0)
    again = again + wobble.normal(0, 0.08, again.shape) * np.tile(again[:, 2:] - again[:, :2], 2)
    again[:, 2:] = np.maximum(again[:, 2:], again[:, :2] + 1)
    named = np.where(wobble.random(len(again)) < 0.8, np.repeat(scene["labels"], 3), wobble.integers(0, 10, len(again)))
    guesses.append({"boxes": again, "labels": named, "scores": wobble.random(len(again))})
ours = detection.coco_evaluation(forty, guesses, 10).stats

# %%
pycocotools = [0.44381641, 0.75322956, 0.45458865, 0.46736654, 0.46050713, -1]
pycocotools += [0.53767499, 0.69032734, 0.69032734, 0.6919884, 0.6712963, -1]  # -1: no object is large
claim("all twelve agree to a millionth", np.abs(ours - pycocotools).max() < 1e-6)

# %% [markdown]
# ## Where to cut
#
# AP judges the whole order of scores. At inference you must cut somewhere, and that depends on what errors cost. Each
# missed object costs $c_m$, each false alarm $c_f$; at a threshold $t$ the whole bill is $c_m \cdot \text{missed}(t) +
# c_f \cdot \text{alarms}(t)$.
#
# **Predict**: a miss is ten times as dear as an alarm. Is the best threshold above or below 0.5?

# %%
everything = [np.concatenate(part) for part in zip(*((scores, right) for scores, right, _ in judged.values()))]
scores, right, positives = *everything, sum(count for _, _, count in judged.values())
steps = np.linspace(0.02, 0.98, 97)
alarms = np.array([(~right[scores >= t]).sum() for t in steps])
missed = np.array([positives - right[scores >= t].sum() for t in steps])
bills = {
    f"a miss costs {m}, an alarm {f}": (m * missed + f * alarms) / positives for m, f in ((10, 1), (1, 1), (1, 10))
}
lowest = {name: steps[np.argmin(bill)] for name, bill in bills.items()}
plotting.curves(
    bills,
    steps,
    xlabel="threshold",
    ylabel="cost per object",
    logy=True,
    alt=f"Cost over the threshold. Lowest at {', '.join(f'{approx(t, 2)} if {name}' for name, t in lowest.items())}.",
)
dear_miss, same, dear_alarm = lowest.values()
claim("the dearer a miss, the lower the threshold", dear_miss < same < dear_alarm)
claim("if a miss costs ten alarms, it lies below 0.45", dear_miss < 0.45)

# %% [markdown]
# The score is not a probability that you could compare with costs (lesson 15 mends that). So measure the bill, on
# scenes that were not trained on.
#
# ### Exercise 11.5 · The threshold for a cost
#
# Find the cheapest threshold. A detection is accepted if its score is *at least* the threshold. `miss` is what each
# object costs that no accepted detection found, `alarm` what each accepted detection costs that is wrong. Try each of
# the scores, and infinity, which accepts nothing. Of thresholds that cost the same return the highest.
#
# For example, scores 0.9, 0.7, 0.5, 0.3, of which the third is wrong, and four objects: if a miss costs 10 and an alarm
# 1, it is 0.3; the other way round, 0.7.


# %%
def cheapest(scores: np.ndarray, correct: np.ndarray, positives: int, miss: float, alarm: float) -> float:
    """The threshold with the lowest cost, one of the scores or infinity."""
    ### BEGIN SOLUTION
    bill = {}
    for threshold in sorted([*scores, np.inf], reverse=True):
        accepted = correct[scores >= threshold]
        bill[threshold] = miss * (positives - accepted.sum()) + alarm * (~accepted).sum()
    return min(bill, key=bill.get)  # of equals the first, which is the highest
    ### END SOLUTION


# %%
exercise("11.5").check(cheapest)

# %% [markdown]
# ## Real boxes: tree crowns from the air
#
# Now a task that somebody has. Aerial photographs of forests in Yellowstone and, for the last test, in Florida, in
# which people drew a box around each crown (they come with DeepForest, Weinstein and others 2020). There are 197
# crowns to train on.
#
# How should they be split? An aerial photograph is cut into tiles before anything else. Draw tiles by chance, and a
# test tile has its neighbours, often the same tree, in the training set (lesson 08). So the split is by *area*: one
# part of the photograph to train on, another 64 pixels beside it; then another photograph; then another forest.

# %%
tiles = {area: datasets.tree_crowns(area, size=128) for area in datasets.TREE_AREAS}
plotting.boxes_on(
    [part.images[k] for part in tiles.values() for k in (4, 6)],
    [[]] * 8,
    truth=[part.boxes[k] for part in tiles.values() for k in (4, 6)],
    titles=[f"{area}, {len(part.boxes[k])} crowns" for area, part in tiles.items() for k in (4, 6)],
    columns=4,
    size=1.7,
    alt="Tiles of 128 pixels of four areas with boxes on crowns, crowded and dark, light and bare.",
)
trees = {area: len(datasets.tree_crowns(area, size=None).boxes[0]) for area in tiles}
claim("there are 197 crowns to train on, and 67, 72 and 61 to test", list(trees.values()) == [197, 67, 72, 61])

# %% [markdown]
# With so few, do not begin from nothing. The detector of the scenes has never seen a tree, but its pyramid and its head
# know how to find things and draw boxes. Hand over every layer that fits: all but the one that names seven classes.

# %%
finder = detection.crown_detector(weights=None)  # the same detector for 128 pixels and one class
left = transfer.hand_over(detector.model, finder.model)
claim("only the layer of the classes does not fit", left == ["head_classes"])

# %% [markdown]
# To show what a split by tile would promise, cut the training area into tiles that overlap, as is often done to have
# more of them, and put a fifth aside by chance. On the others the detector trains for two passes. These runs are
# stored: three seeds, which draw other tiles, in another order.
#
# **Predict**: AP50 on tiles put aside by chance, on the area beside, on the other photograph, in the other forest?


# %%
def short_recipe():
    """AP50 after two passes over overlapping tiles: on those put aside by chance, and on each other area."""
    every = datasets.tree_crowns("train", size=128, step=32)
    aside = np.random.default_rng(runtime.seed()).random(len(every.images)) < 0.2
    learn, unseen = np.flatnonzero(~aside), np.flatnonzero(aside)
    steps = 2 * -(-len(learn) // 8)
    finder.compile(keras.optimizers.AdamW(training.warmup_cosine(2e-3, steps, steps // 10), weight_decay=1e-4))
    boxes = [every.boxes[i] for i in learn]
    y = finder.targets(boxes, [np.zeros(len(own), int) for own in boxes])
    training.fit(finder.model, to_unit(every.images[learn]), y, epochs=2, batch_size=8, label="crowns")
    by_chance = detection.judged(finder, every.images[unseen], [every.boxes[i] for i in unseen]).ap50
    return {"by chance": by_chance} | {area: ap50(finder, area) for area in ("area", "image", "site")}


def ap50(detector, area):
    return detection.judged(detector, tiles[area].images, tiles[area].boxes).ap50


# %% jupyter={"source_hidden": true}
# For the stored runs only: `python tools/run_experiments.py --lesson 11` comes by here.
crowns = Experiment("11_crowns")
if crowns.pick(stored=True, live=False):
    crowns.keep(ap50=short_recipe())

# %% jupyter={"source_hidden": true}
short = crowns.stored["ap50"]
plotting.seed_spread(
    {},
    {
        "tiles put aside by chance": short["by chance"],
        "the area beside": short["area"],
        "another photograph": short["image"],
        "another forest": short["site"],
    },
    xlabel="AP50 of the fine-tuned detector",
)
gap = short["by chance"] - short["area"]
elsewhere = np.maximum(short["image"], short["site"])
claim("in each stored run the split by tile promises at least 0.1 more than the area beside holds", gap.min() > 0.1)
claim("in the area beside, AP50 is at least 0.3", short["area"].min() > 0.3)
claim("in another photograph and in another forest it is at least 0.1 lower", (elsewhere < short["area"] - 0.1).all())

# %% [markdown]
# A short training on one photograph has taught it that photograph. What helps? The same trees, but never
# the same twice: parts of every size, turned, mirrored, in every light, twenty times as many of them (lesson 08). The
# weights of that recipe come with the course, and you measure those.
#
# **Predict**: where does it gain, and does it lose anywhere?

# %%
datasets.load_weights(finder.model, "crowns_resnet18")
full = {area: ap50(finder, area) for area in ("area", "image", "site")}
for area, value in full.items():
    runs = short[area]
    print(f"{area:6} short recipe {runs.min():.2f} to {runs.max():.2f}, full recipe {approx(value, 2)}")
card = datasets.weights_card("crowns_resnet18")
claim("these are the numbers of its card", all(abs(card["ap50"][k] - v) < 0.01 for k, v in full.items()))
claim("in the other photograph it is 0.15 or more ahead of each short run", full["image"] > short["image"].max() + 0.15)
claim("in the area beside, each short run is ahead", short["area"].min() > full["area"])

# %%
shown = [(area, k) for k in (1, 2, 4, 6) for area in ("area", "image", "site")]
pictures = np.stack([tiles[area].images[k] for area, k in shown])
plotting.boxes_on(
    pictures,
    [seen.boxes for seen in finder.predict(to_unit(pictures), score_threshold=0.4, batch_size=8)],
    truth=[tiles[area].boxes[k] for area, k in shown],
    titles=[area for area, _ in shown],
    columns=6,
    size=1.16,
    alt="Twelve tiles, found boxes solid, drawn ones dashed: most found boxes lie on a crown, many crowns have none.",
)

# %% [markdown]
# It no longer leans on the light and the green of one photograph. That costs something where both are the same, and
# pays where they are not. In the other forest neither is of much use: the crowns themselves look otherwise there, and
# no turning or recolouring makes one kind of the other. That takes boxes from there.
#
# Look at where they disagree. Is the box wrong, or the person who drew it? Where crowns meet, another person would draw
# other boxes.
#
# ## What a coarse stride cannot see
#
# Back to the detector of COCO, and to the pug. Paste it onto a grey picture of 300 pixels, smaller and smaller.
#
# **Predict**: at which size is it lost?


# %%
def pasted(image, side, size=300):
    """The image with its longer side at `side` pixels, in the middle of a grey picture."""
    small = Image.fromarray(image)
    small.thumbnail((side, side), Image.Resampling.BOX)
    canvas = Image.new("RGB", (size, size), (128, 128, 128))
    canvas.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return np.asarray(canvas)


pug = photographs["pug"]
sides = (300, 200, 150, 100, 70, 50)
views = [pasted(pug, side) for side in sides]
seen = [ssdlite.detect(view, threshold=0.1, network=coco) for view in views]
dog = [max([thing.score for thing in things if thing.name == "dog"], default=0.0) for things in seen]
plotting.boxes_on(
    views,
    [[thing.box for thing in things if thing.score >= 0.5] for things in seen],
    titles=[f"{side} px: {score:.2f}" for side, score in zip(sides, dog)],
    columns=6,
    size=1.16,
    alt="The pug at six sizes: found down to 100 pixels, lost at 70 and 50.",
)

# %%
claim("at 150 pixels it is found with more than 0.9", dog[2] > 0.9)
claim("at 70 it is lost: below 0.2", dog[4] < 0.2)
inner = Image.fromarray(views[4][100:200, 100:200]).resize((300, 300), Image.Resampling.BILINEAR)
again = ssdlite.detect(np.asarray(inner), network=coco)
claim("cut out and enlarged, the same 70 pixels are a dog again", [thing.name for thing in again] == ["dog"])

# %% [markdown]
# The pixels were all there. Why could the network not use them? Its finest map has a stride of 16, its smallest anchor
# 30 pixels. Forget the network and look at the anchors alone: squares of just the right size, one at every place of a
# map. How often does the best of them reach an IoU of 0.5 with an object that lies anywhere?


# %%
def covered(side, stride, size=256):
    """Share of squares, placed by chance, that some anchor of the same side overlaps with an IoU of 0.5 or more."""
    grid = detection.anchor_grid((size, size), [(size // stride, size // stride)], [side])
    corner = np.random.default_rng(0).uniform(32, size - 32 - side, (400, 2))
    return np.mean(detection.iou(np.concatenate([corner, corner + side], axis=1), grid).max(axis=1) >= 0.5)


wide = np.array([6, 9, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96])
reach = {f"stride {stride}": [covered(side, stride) for side in wide] for stride in (4, 8, 16, 32)}
plotting.curves(
    reach,
    wide,
    xlabel="side of the object, in pixels",
    ylabel="share with a fitting anchor",
    markers=True,
    alt="Share of objects with a fitting anchor, over their side: each stride needs objects about 2.7 times as wide.",
)
at = dict(zip(wide.tolist(), zip(*reach.values())))
claim("of objects of 24 pixels, stride 32 covers less than half", at[24][3] < 0.5)
claim("stride 4 and stride 8 cover all of them", at[24][0] == at[24][1] == 1)
claim(
    "of objects of 12 pixels, stride 8 covers less than 3 in 4, and stride 4 all", at[12][1] < 0.75 and at[12][0] == 1
)

# %% [markdown]
# ### Exercise 11.6 · Which stride sees it?
#
# Take the worst place that an object can have: in the middle between four anchors, half a stride away from each in both
# directions. The object and the anchors are squares of `side` pixels. Return the coarsest of the `strides` at which the
# IoU is still at least `least`. Raise a `ValueError` if there is none.
#
# For example, an object of 24 pixels at a stride of 8 is moved by 4 in both directions: the two share 20 by 20 pixels,
# and their IoU is 400 / (2 · 576 - 400), which is 0.53.


# %%
def coarsest(side: float, strides: list[int], least: float = 0.5) -> int:
    """The coarsest stride at which an anchor of the same side overlaps every object; ValueError if there is none."""
    ### BEGIN SOLUTION
    able = []
    for stride in strides:
        shared = max(side - stride / 2, 0) ** 2
        if shared / (2 * side**2 - shared) >= least:
            able.append(stride)
    if not able:
        raise ValueError(f"no stride is fine enough for an object of {side} pixels")
    return max(able)
    ### END SOLUTION


# %%
exercise("11.6").check(coarsest)

# %% [markdown]
# Anchors that fit badly can still be moved; the network has to learn how. So train it. Scenes of 64 pixels with two to
# four items of 8 to 32 pixels, and four detectors: one map each, of stride 4, 8, 16 or 32, with *the same* anchors of
# 10, 16 and 26 pixels at each place. The deeper the map, the more layers and parameters the network has. Of the items
# in new scenes, how many are found, by size? These runs are stored.
#
# **Predict**: what share of the largest items does stride 16 find, what share of the smallest? And stride 4?

# %%
edges = (8, 12, 16, 20, 26, 33)


def found_by_size(answers, truth):
    """Share of the objects that some detection overlaps with an IoU of 0.5 or more, for each interval of sizes."""
    long = np.concatenate([(scene["boxes"][:, 2:] - scene["boxes"][:, :2]).max(axis=1) for scene in truth])
    best = [detection.iou(scene["boxes"], seen.boxes).max(axis=1, initial=0) for seen, scene in zip(answers, truth)]
    hit = np.concatenate(best) >= 0.5
    return [hit[(long >= low) & (long < high)].mean() for low, high in zip(edges, edges[1:])]


def train_with(stride, tiny, test):
    """Recall by size of a detector on one map of that stride."""
    backbone = models.ResNet(18, (64, 64, 3), width=0.25)
    net = detection.Detector(backbone, 1, (stride,), channels=32, size=16 / stride, scales=(0.6, 1, 1.6), ratios=(1,))
    y = net.targets(tiny.boxes, [np.zeros_like(labels) for labels in tiny.labels])
    net.compile(keras.optimizers.AdamW(training.warmup_cosine(3e-3, 750, 75), weight_decay=1e-4))
    training.fit(net.model, to_unit(tiny.images), y, epochs=4, batch_size=16, quiet=True)
    return found_by_size(net.predict(to_unit(test.images), score_threshold=0.05, max_boxes=8), test.truth)


# %% jupyter={"source_hidden": true}
# For the stored runs only: `python tools/run_experiments.py --lesson 11` comes by here.
strides = Experiment("11_strides")
if strides.pick(stored=True, live=False):
    few = {"size": 64, "objects": (2, 4), "scale": (0.13, 0.5), "occlusion": (0, 0.1)}
    tiny, test = detection.render(3000, **few), detection.render(200, split="test", **few)
    strides.keep(**{f"stride {stride}": train_with(stride, tiny, test) for stride in (4, 8, 16, 32)})

# %%
runs = strides.stored.columns()
plotting.by_size(strides.stored, edges, ylabel="share found")
small, large = ({name: values[:, k] for name, values in runs.items()} for k in (0, -1))

# %%
claim("of items of 8 to 12 pixels, stride 4 finds more than 6 in 10, in each stored run", small["stride 4"].min() > 0.6)
claim(
    "stride 16 fewer than 4 in 10, stride 32 fewer than 2",
    small["stride 16"].max() < 0.4 and small["stride 32"].max() < 0.2,
)
claim(
    "of items of 26 pixels and more, stride 4, 8 and 16 find more than 6 in 10",
    min(large[f"stride {stride}"].min() for stride in (4, 8, 16)) > 0.6,
)

# %% [markdown]
# Stride 16 is behind at every size, by some 0.2 for the largest and by more than 0.4 for the smallest: even 26 pixels
# are less than two of its places wide. This is the failure and its remedy. Small things need a fine stride, or which
# is the same, a larger picture or a picture in parts: the pug was found again when its part was enlarged. Each has
# its price, since half the stride is four times as many places. And the pyramid is there because the fine map alone
# would not know what it sees.
#
# ## Other ways to answer with a list
#
# Our detector asks once, at every place: a **single-stage detector** with anchors (SSD, RetinaNet). Three more
# families, as shapes. For $a$ anchors, $k$ classes, and features with $c$ channels:
#
# | family | what it asks | what comes out | who removes doubles |
# |---|---|---|---|
# | RetinaNet | at each anchor: what, and where exactly | $(a, 4 + k)$ | NMS |
# | Faster R-CNN, first stage | at each anchor: anything at all | $(a, 4 + 1)$, the best are proposals | NMS |
# | Faster R-CNN, second stage | of the features inside each proposal: what | $(\text{proposals}, 4k + k + 1)$ | NMS |
# | YOLO, first version | at each of $S \times S$ cells: $B$ boxes and one class | $(S, S, 5B + k)$ | NMS |
# | DETR | each of $N$ slots: which object is yours, or none | $(N, 4 + k + 1)$ | the loss |
#
# The **two-stage detector** looks twice (Ren and others 2015): first for **region proposals**, boxes in which there may
# be anything at all, then into each of these for its class. Its second look needs features of one size from boxes of
# any size. RoI align (lesson 13) divides each box into a grid and interpolates (He and others 2017). Lesson 13 builds
# it.

# %%
fine = keras.Model(detector.model.input, detector.model.get_layer("pyramid0_smooth").output)(new[:1])
proposals = answers[0].boxes[:3]
cut = detection.roi_align(fine, proposals, np.zeros(len(proposals), int), output_size=7, spatial_scale=1 / 4)
print("features", tuple(fine.shape), "and", len(proposals), "proposals give", tuple(cut.shape))
claim("each proposal, large or small, becomes 7 x 7 places", tuple(cut.shape)[1:] == (7, 7, 48))

# %% [markdown]
# **YOLO** divides the picture into cells, and the cell that holds the centre of an object is responsible for it (Redmon
# and others 2016). There were no anchors and one class for a cell, so two small things in one cell were one too many.
# Later versions took over anchors and pyramids.
#
# **DETR** gives each answer to *at most one* object: in training, slots and objects are paired so that the sum of the
# costs is lowest, and a slot without a partner must say *none* (Carion and others 2020). A double is then punished, so
# that none is left to remove. The pairing, on boxes that our detector gave before NMS:

# %%
yolo, ours = 6 * 6 * (2 * 5 + 7), detector.model.output_shape[1] * detector.model.output_shape[2]
claim(
    "with 6 x 6 cells and 2 boxes each, YOLO would answer with 612 numbers, where ours has 7,920",
    (yolo, ours) == (612, 7920),
)
slots, objects = raw[crowded].boxes[:8], held.boxes[crowded]
slot, partner = linear_sum_assignment(1 - detection.iou(slots, objects))
print(f"{len(slots)} slots, {len(objects)} objects: {len(slot)} pairs, all other slots must say none")
claim("each object has one slot, and no slot has two", sorted(partner.tolist()) == list(range(len(objects))))

# %% [markdown]
# Which one to take? Begin with a single stage whose strides and anchors fit your objects; both can be computed before
# anything is trained. Try a second stage if names or boxes need a closer look, and measure what it costs. Try a
# detector without NMS if your objects overlap; the first DETR was weak on small ones.
#
# ## Recap
#
# - A detector answers with a list of boxes, classes and scores. Say in which format the boxes are, and draw some.
# - IoU is shared area over covered area. 0.5 is the usual bar, and is lower than it sounds.
# - Anchors turn *any number* into a fixed number of questions. Matching decides who answers; most answer *nothing*, and
#   focal loss keeps them from drowning the rest.
# - NMS keeps the best of those that overlap. It must choose between losing neighbours and keeping doubles.
# - AP is the area under precision over recall, with dips filled, at 101 heights. mAP averages classes, COCO bars too.
# - The threshold follows from what errors cost, measured on pictures that were not trained on.
# - Split pictures from the air by area. A good number in the same photograph says little about the next one.
# - An object needs a stride of a third of its side. Else enlarge the picture, cut it into parts, or add a finer map.
#
# ## Explain it
#
# **Your detector has an AP50 of 0.9 and an AP75 of 0.2. What is wrong, and where do you look?**
#
# <details><summary>Model answer</summary>
#
# It finds things and draws their boxes badly. Look at boxes beside the true ones. All off by the same amount: a format,
# a resize or half a stride. Off at random: the box loss counts too little, the anchors do not fit, the training was
# short. Or the true boxes themselves are sloppy, and then 0.2 is what two people would agree on.
#
# </details>
#
# **Why not train with all anchors, background and object, under plain cross-entropy?**
#
# <details><summary>Model answer</summary>
#
# Most anchors are background, and easy. Each costs little, but there are hundreds for each object, so their sum makes
# up nearly the whole loss, and the gradient says *more of nothing*. Focal loss makes easy ones count less. Older ways:
# train on a few of the background anchors only, the hardest ones (SSD), or a first stage that throws most of
# them away (Faster R-CNN).
#
# </details>
#
# **A box of apples: forty in each picture, half hidden by others. NMS at 0.5 reports 25. What do you try?**
#
# <details><summary>Model answer</summary>
#
# See first whether they are missing before NMS (then it is recall: anchors, stride, training) or after it. If after: a
# higher threshold, soft-NMS, or boxes of the visible part, which overlap less. If doubles then appear, train on
# pictures with such crowds, or take a detector without NMS.
#
# </details>
#
# **A drone flies twice as high as before. What happens to your detector, and what is the cheapest remedy?**
#
# <details><summary>Model answer</summary>
#
# Everything is half as wide. Objects that were three strides wide now have one and a half, and are lost; a network has
# not learnt what they look like at this size either. Enlarge the pictures by two, or cut them into four parts and
# enlarge each. That costs four times the computation. Later, train with pictures of both heights.
#
# </details>
#
# ## What comes next
#
# A box holds an object and a good deal of what is around it. The next step is to say for each *pixel* what it belongs
# to. [12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · [Course map](../README.md)
#
# ## References
#
# - N. Bodla, B. Singh, R. Chellappa and L. S. Davis (2017). Soft-NMS: improving object detection with one line of code.
#   *ICCV*.
# - N. Carion, F. Massa, G. Synnaeve, N. Usunier, A. Kirillov and S. Zagoruyko (2020). End-to-end object detection with
#   transformers. *ECCV*.
# - R. Girshick (2015). Fast R-CNN. *ICCV*.
# - K. He, G. Gkioxari, P. Dollár and R. Girshick (2017). Mask R-CNN. *ICCV*.
# - T.-Y. Lin, M. Maire, S. Belongie and others (2014). Microsoft COCO: common objects in context. *ECCV*.
# - T.-Y. Lin, P. Dollár, R. Girshick, K. He, B. Hariharan and S. Belongie (2017). Feature pyramid networks for object
#   detection. *CVPR*.
# - T.-Y. Lin, P. Goyal, R. Girshick, K. He and P. Dollár (2017). Focal loss for dense object detection. *ICCV*.
# - W. Liu, D. Anguelov, D. Erhan, C. Szegedy, S. Reed, C.-Y. Fu and A. C. Berg (2016). SSD: single shot multibox
#   detector. *ECCV*.
# - J. Redmon, S. Divvala, R. Girshick and A. Farhadi (2016). You only look once: unified, real-time object detection.
#   *CVPR*.
# - S. Ren, K. He, R. Girshick and J. Sun (2015). Faster R-CNN: towards real-time object detection with region proposal
#   networks. *NeurIPS*.
# - H. Rezatofighi, N. Tsoi, J. Gwak, A. Sadeghian, I. Reid and S. Savarese (2019). Generalized intersection over union:
#   a metric and a loss for bounding box regression. *CVPR*.
# - B. G. Weinstein, S. Marconi, M. Aubry-Kientz, G. Vincent, H. Senyondo and E. P. White (2020). DeepForest: a Python
#   package for RGB deep learning tree crown delineation. *Methods in Ecology and Evolution*.
# - H. Xiao, K. Rasul and R. Vollgraf (2017). Fashion-MNIST: a novel image dataset for benchmarking machine learning
#   algorithms. *arXiv*.
