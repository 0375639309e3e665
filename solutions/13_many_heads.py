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
# # 13 · Many heads, one backbone
#
# **How does one network answer what, where, which pixels and which points at once, and what do the answers owe each
# other?**
#
# When you have worked through this page you can
# - build a network with four heads on one backbone, and state the shape of everything that passes between them
# - cut the features of a box out of a map without rounding, and read a keypoint from a heatmap to a fraction of a pixel
# - see the error signal that each head sends into the backbone, and balance several losses by hand or by learning
# - tell which numbers fall when a head is switched off, and why
# - measure instances by mask AP, and merge them into one panoptic map
#
# **Before this**: [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb), and the lessons on
# detection and segmentation · **Reading** 45 min · **Exercises** 60 min
#
# [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup()

# %%
import keras
import numpy as np
from keras import layers, ops

from cnnlib import claim, detection, exercise, gradients, models, plotting, results, training
from cnnlib.claims import approx, measured
from cnnlib.detection.heads import LOSSES
from cnnlib.trace import trace

# %% [markdown]
# ## Four questions about one picture
#
# A robot is to take clothes from a heap. It must know *what* lies there, *where*, *which pixels* belong to each piece,
# and *at which points* to grip it. Here are such pictures, drawn so that all of this is known exactly: items of
# Fashion-MNIST on photographs. What the network will be tested on has other items and other photographs.
#
# Ten classes are more than this page needs. We ask for five kinds.

# %%
KINDS = ("top", "trousers", "dress", "shoe", "bag")
kind_of = np.array([0, 1, 0, 2, 0, 3, 0, 3, 4, 3])  # of each class of Fashion-MNIST
setting = {"size": 64, "scale": (0.4, 0.7), "objects": (1, 3), "occlusion": (0.0, 0.1)}
train = detection.render(runtime.pick(smoke=64, cpu=1600, gpu=4000), **setting)
test = detection.render(runtime.pick(smoke=64, cpu=256, gpu=256), split="test", **setting)
plotting.instances(
    test.images[:5],
    [
        {"boxes": b, "masks": m, "points": p[..., :2], "names": [KINDS[k] for k in kind_of[labels]]}
        for b, m, p, labels in zip(test.boxes[:5], test.masks, test.keypoints, test.labels)
    ],
    alt="Five scenes. Each item has a box with its kind, tinted pixels and four dots at its outermost points.",
)

# %% [markdown]
# The dots are **keypoints**: named points of an object. Here they are the outermost point at the top, right, bottom
# and left; on people they would be wrists and knees.
#
# Marking the pixels of each object by itself is **instance segmentation**. Lesson 12 gave a class to each pixel, and
# two shirts that touch were one patch of *top*. A box keeps them apart and is wrong about the pixels.
#
# **Predict**: what share of the pixels in a box does not belong to the item?

# %%
inside = [m.sum() / detection.area(b[None])[0] for s in range(len(test)) for b, m in zip(test.boxes[s], test.masks[s])]
measured("share of a box that is not the item, on average", 1 - np.mean(inside), digits=2)
claim("more than a quarter of the pixels in a box are not the item's", np.mean(inside) < 0.75)

# %% [markdown]
# ## One backbone
#
# Four networks could answer the four questions. But each of them would first have to find edges, then parts, then
# things. So that work is done once, by the **backbone**, and what answers a question is a small **head** on its last
# map.
#
# The backbone is a small ResNet with a feature pyramid, so that the map is fine *and* knows what is there. One place of
# it stands for 4 by 4 pixels: its **stride** is 4.


# %%
def make_backbone(size=64, channels=36):
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = models.common.conv_norm_act(x, 18, 3, stride=2, name="stem")
    stages = [x := models.residual_block(x, filters, stride=2, name=f"stage{filters}") for filters in (24, 48, 72)]
    finest = detection.feature_pyramid(stages, channels)[0]
    return keras.Model(image, layers.ReLU(name="shared")(finest), name="backbone")


backbone = make_backbone()
backbone.output.shape[1:]

# %% [markdown]
# ## Heads that answer at each place
#
# Three heads look at the whole map, each with one 3x3 and one 1x1 convolution. What they answer at a place is
#
# - **class head**: for each kind, whether the *centre* of such an object lies here. An object is one point of a map,
#   so there are no anchors to match (Zhou, Wang and Krähenbühl 2019).
# - **box head**: how many pixels it is from the middle of this place to the left, top, right and bottom side of the
#   box.
# - **keypoint head**: for each of four points, whether it lies here. Such a map is a **heatmap**.
#
# Most places have no centre and no keypoint. So the last bias starts at a low score, as in lesson 11.


# %%
def head(features, outputs, name, start):
    """One answer of `outputs` numbers at each place, which starts at about `start` everywhere."""
    x = layers.Conv2D(36, 3, padding="same", activation="relu", name=f"{name}_3x3")(features)
    return layers.Conv2D(outputs, 1, bias_initializer=keras.initializers.Constant(start), name=f"{name}_1x1")(x)


shared = keras.Input(backbone.output.shape[1:], name="features")
answers = {
    "class": head(shared, len(KINDS), "class", start=-4),
    "box": layers.Rescaling(4.0, name="pixels")(head(shared, 4, "box", start=4)),  # in strides, then in pixels
    "keypoint": head(shared, 4, "keypoint", start=-3),
}
dense = keras.Model(shared, answers, name="dense_heads")
{name: answer.shape[1:] for name, answer in answers.items()}

# %% [markdown]
# What does sharing save? Count multiplications.
#
# **Predict**: three separate networks, each a backbone with one head, against one backbone with three heads?

# %%
cost = {model.name: sum(row.macs for row in trace(model)) for model in (backbone, dense)}
saved = (3 * cost["backbone"] + cost["dense_heads"]) / (cost["backbone"] + cost["dense_heads"])
print({name: f"{macs / 1e6:.1f} million" for name, macs in cost.items()}, f"separate: {saved:.2f} times as many")
claim("three networks would multiply more than 1.8 times as often as one with three heads", saved > 1.8)

# %% [markdown]
# ## A head that answers for each box
#
# Which pixels? Asked at each place, the answer would need a whole mask at each place. So the mask head is asked only
# where there is an object: a box, true or found, is cut out of the shared map at a fixed size, and a few layers say for
# each of 16 by 16 cells of the *box* whether it is the object. That is the idea of Mask R-CNN (He and others 2017).
# A box to be cut out is a **region of interest**, RoI.
#
# How is a box cut out of a map? Its sides lie anywhere; the map has a place every 4 pixels. The first answer was to
# round (**RoI pooling**, Girshick 2015). Try both on a map whose value at each place *is* the place's middle in pixels:
# then what is cut out should be the middles of the cells of the box.
#
# **Predict**: the box moves to the right by one pixel at a time. How do the values move?

# %%
middles = (np.arange(16, dtype="float32") + 0.5) * 4
ramp = np.broadcast_to(middles[:, None], (1, 16, 16, 1)).copy()  # value: x of the place's middle, in pixels
moving = np.array([[10.0 + s, 20, 42 + s, 52] for s in range(9)], "float32")
true_middles = moving[:, :1] + 32 * (np.arange(4) + 0.5) / 4
aligned = ops.convert_to_numpy(detection.roi_align(ramp, moving, np.zeros(9, "int32"), 4, 1 / 4))[:, 0, :, 0]
rounded_boxes = np.round(moving / 4) * 4
rounded = ops.convert_to_numpy(detection.roi_align(ramp, rounded_boxes, np.zeros(9, "int32"), 4, 1 / 4))[:, 0, :, 0]
plotting.curves(
    {"RoI align": aligned[:, 0], "rounded": rounded[:, 0], "where the cell is": true_middles[:, 0]},
    x=moving[:, 0],
    xlabel="left side of the box, pixels",
    ylabel="what the first cell reads, pixels",
    markers=True,
    height=2.6,
    alt="RoI align lies on the line of true positions; rounded, the value stands still and then jumps by four pixels.",
)

# %%
claim("RoI align reads every cell where it is, to 0.001 pixels", np.abs(aligned - true_middles).max() < 1e-3)
claim("rounded, a cell is read up to 2 pixels off", np.abs(rounded - true_middles).max() == 2)

# %% [markdown]
# Two pixels do not matter to the question *what is it*, and they ruin a mask. **RoI align** rounds nothing: it divides
# the box into cells, takes points inside each cell, and interpolates the map at each point between the four nearest
# places. Four points a cell are common, here they would give the same: the map is a ramp.
#
# Where do places lie? Place $j$ of a map with stride $s$ covers the pixels from $sj$ to $s(j+1)$. So its middle is at
# $s(j + \tfrac{1}{2})$, and a point at pixel $x$ lies at $u = x / s - \tfrac{1}{2}$, counted in places from the middle
# of the first. Between the places $\lfloor u \rfloor$ and $\lfloor u \rfloor + 1$ the shares are $1 - (u - \lfloor u
# \rfloor)$ and $u - \lfloor u \rfloor$. The half is easily forgotten.
#
# ### Exercise 13.1 · RoI align
#
# Cut one box (x1, y1, x2, y2), in pixels, out of `features` (height, width, channels) with this `stride`, into `cells`
# by `cells`, with *one* point in the middle of each cell. Points beyond the middle of the first or last place read that
# place: `np.clip` $u$ first. Return (cells, cells, channels), rows first.


# %%
def my_roi_align(features: np.ndarray, box, stride: int, cells: int) -> np.ndarray:
    """The features (cells, cells, channels) of a box in pixels, interpolated at the middle of each cell."""
    ### BEGIN SOLUTION
    x1, y1, x2, y2 = box
    steps = (np.arange(cells) + 0.5) / cells

    def shares(start, end, size):
        u = np.clip((start + (end - start) * steps) / stride - 0.5, 0, size - 1)
        return np.maximum(1 - np.abs(u[:, None] - np.arange(size)), 0)

    down, across = shares(y1, y2, features.shape[0]), shares(x1, x2, features.shape[1])
    return np.einsum("rh,cw,hwk->rck", down, across, features)
    ### END SOLUTION


# %%
exercise("13.1").check(my_roi_align)

# %% [markdown]
# The mask head cuts 8 by 8 cells out, looks at them with a 3x3 convolution, doubles them, and gives a logit for each of
# 16 by 16. It takes any number of boxes, so the boxes of all pictures of a batch are put into one axis.

# %%
rois = keras.Input((None, 4), name="rois")
x = detection.RoIAlign(cells=8, stride=4, name="cut_out")(shared, rois)
x = layers.Conv2D(36, 3, padding="same", activation="relu", name="mask_3x3")(x)
x = layers.Conv2DTranspose(24, 2, strides=2, activation="relu", name="mask_up")(x)
mask_head = keras.Model([shared, rois], layers.Reshape((16, 16))(layers.Conv2D(1, 1, name="mask_1x1")(x)), name="mask")
[tuple(tensor.shape) for tensor in (*mask_head.inputs, mask_head.output)]

# %% [markdown]
# The four heads know nothing of each other. They agree with the backbone on one thing: the map, (batch, height / 4,
# width / 4, 36). Keep to that contract, and each side can be exchanged.
#
# ### Exercise 13.2 · The contract of the heads
#
# Write down the contract for any setting: pictures of `height` by `width`, with maps of this `stride` and `channels`,
# for `classes` classes and `points` keypoints, with `boxes` boxes in each picture and masks of `side` by `side`. Return
# a dictionary of the shapes of `"features"`, `"class"`, `"box"`, `"keypoint"` and `"mask"`, the batch axis included:
# it is the number of pictures `batch`, but for the mask head. Raise a `ValueError` if the stride does not divide height
# and width.


# %%
def contract(
    batch: int, height: int, width: int, stride: int, channels: int, classes: int, points: int, boxes: int, side: int
) -> dict[str, tuple[int, ...]]:
    """The shape of the shared map and of what each head gives; ValueError if the stride does not fit."""
    ### BEGIN SOLUTION
    if height % stride or width % stride:
        raise ValueError(f"a stride of {stride} does not divide {height}x{width}")
    place = (batch, height // stride, width // stride)
    return {
        "features": (*place, channels),
        "class": (*place, classes),
        "box": (*place, 4),
        "keypoint": (*place, points),
        "mask": (batch * boxes, side, side),
    }
    ### END SOLUTION


# %%
exercise("13.2").check(contract)

# %% [markdown]
# ## Between the places
#
# A heatmap has a place every 4 pixels. Is a keypoint then known to 4 pixels only? Suppose that the network has learnt
# its lesson perfectly, and gives a Gaussian around the point, of one place's width. Draw 500 of them around points that
# you know, and take the middle of the brightest place.
#
# **Predict**: how far off is it on average, in pixels? And can it be better than that?

# %%
rng = np.random.default_rng(runtime.seed())
points = rng.uniform(12, 52, (500, 2))
heatmaps = detection.draw_heatmaps(points, (16, 16), sigma=1.0, stride=4)
noisy = heatmaps + rng.normal(0, 0.02, heatmaps.shape)
off = {}
for method in ("argmax", "quarter", "parabola"):
    for name, maps in (("", heatmaps), (", noisy", noisy)):
        found = detection.decode_heatmaps(maps, stride=4, method=method)[0]
        off[method + name] = np.hypot(*(found - points).T).mean()
plotting.bars(
    off,
    form=approx,
    xlabel="mean distance from the true point, pixels",
    alt=f"Mean distance in pixels: {', '.join(f'{name} {approx(value)}' for name, value in off.items())}.",
)

# %%
claim("the middle of the brightest place is 1.4 to 1.7 pixels off", 1.4 < off["argmax"] < 1.7)
claim("the parabola is exact: off by less than 0.001 pixels", off["parabola"] < 1e-3)
claim("with a little noise, by less than a tenth of what the brightest place is", off["parabola, noisy"] < 0.16)

# %% [markdown]
# The neighbours know more. If the left one is brighter than the right one, the point lies left of the middle. A step of
# a **quarter** of a place to that side was the first such rule (Newell, Yang and Deng 2016). And the logarithm of a
# Gaussian is a *parabola*, whose top three values give exactly. With $a$, $b$ and $c$ the logarithms left of the
# brightest place, at it and right of it, the top is beside its middle by
#
# $$d = \frac{a - c}{2\,(a - 2b + c)}$$
#
# places, and the same again from top to bottom (compare Zhang and others 2020). This is **sub-pixel decoding**. What is
# left is what the network does not know.
#
# ### Exercise 13.3 · Decode a heatmap
#
# For one heatmap (height, width) with values above 0, return the point (x, y) in pixels: the brightest place, moved by
# $d$ in each direction. At the border of the map a neighbour is missing: do not move in that direction. The middle of
# place 0 is at half a stride.
#
# For example, a map with the rows 1 2 1, 1 4 2 and 1 1 1 and a stride of 2 has its top at (10/3, 8/3).


# %%
def decode(heatmap: np.ndarray, stride: int) -> tuple[float, float]:
    """The point (x, y) in pixels at which a heatmap (height, width) is highest, to a fraction of a place."""
    ### BEGIN SOLUTION
    row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)

    def top(line, at):
        if at in (0, len(line) - 1):
            return at
        a, b, c = np.log(line[at - 1 : at + 2])
        bend = a - 2 * b + c
        return at + ((a - c) / (2 * bend) if bend < 0 else 0)

    return (top(heatmap[row], column) + 0.5) * stride, (top(heatmap[:, column], row) + 0.5) * stride
    ### END SOLUTION


# %%
exercise("13.3").check(decode)

# %% [markdown]
# ## What each head has to learn
#
# From the truth of a scene, `head_targets` draws what each head should have said. For the class head and the keypoint
# head these are Gaussians; for the box head four numbers around each centre; for the mask head the share of each cell
# of a box that is the object's, which is nothing but RoI align of the true mask. The boxes are shaken by a tenth of
# their size, since the boxes that the network will find are not exact either.

# %%
targets = detection.head_targets(train, kind_of, stride=4, places=3, side=16)
plotting.laid_over(
    train.images[:3],
    {
        "class: centres": targets["class"][:3].max(-1),
        "box: places that count": targets["box"][:3, ..., 4],
        "keypoint: all four": targets["keypoint"][:3].max(-1),
    },
    alt="Three scenes: a blob at the centre of each item, a square of 3 by 3 places there, and four blobs on its rim.",
)
{name: array.shape for name, array in targets.items()}

# %% [markdown]
# And the losses:
#
# | head | loss | unit |
# |---|---|---|
# | class | focal loss of each place, the sum divided by the number of objects | nats an object |
# | box | absolute error of a side, its mean over places that count | pixels |
# | mask | binary cross-entropy, its mean over the cells | nats a cell |
# | keypoint | binary cross-entropy, its mean over the places | nats a place |
#
# A network has one set of weights, so it needs one number to go down:
#
# $$L = \sum_k w_k L_k$$
#
# with the loss $L_k$ and the **loss weight** $w_k$ of head $k$. Four quantities in three units are added up here.
# Nothing but $w_k$ says how many pixels are worth how many nats.
#
# ## The error signal of each head
#
# What does a head tell the backbone? The gradient of its loss by the shared map: for each place, in which direction its
# features should go. That is the **error signal** of the head. Put all weights but one to 0 and look at what arrives
# from a single head, in the untrained network, for 16 scenes.
#
# **Predict**: all weights are 1. Which head is the loudest, which the quietest, and by what factor?


# %%
def total(features, rois, weights, targets):
    """The weighted sum of the four losses, as a function of the shared map."""
    said = {**dense(features), "mask": mask_head([features, rois])}
    return ops.sum(weights * ops.stack([loss(targets, said[name]) for name, loss in LOSSES.items()]))


pull = gradients.value_and_grad(total)
few = {name: array[:16] for name, array in targets.items()}


def error_signals(weights):
    """The gradient by the shared map that each head sends, alone, in 16 scenes: name -> (16, 16, 16, channels)."""
    features = backbone.predict(train.images[:16], batch_size=16, verbose=0)
    alone = weights * np.eye(len(LOSSES), dtype="float32")
    return {name: pull(features, few["rois"], row, few)[1] for name, row in zip(LOSSES, alone)}


# %%
ones = np.ones(4, "float32")
at_start = {name: float(np.linalg.norm(signal)) for name, signal in error_signals(ones).items()}
plotting.bars(
    at_start,
    log=True,
    form=approx,
    xlabel="length of the error signal, all weights 1, untrained",
    alt=f"Error signals: {', '.join(f'{name} {approx(value, 2)}' for name, value in at_start.items())}.",
)

# %%
claim("the keypoint head is the quietest", min(at_start, key=at_start.get) == "keypoint")
claim("the box head is more than 20 times as loud", at_start["box"] > 20 * at_start["keypoint"])

# %% [markdown]
# Neither head is more important. One counts pixels, the other takes a mean over places most of which are empty. With
# equal weights the backbone would mostly learn about sides of boxes.
#
# ### Exercise 13.4 · Balance the losses
#
# Given the error signals of several heads, arrays of the same shape, find weights with which all signals have the same
# length (the root of the sum of squares), and whose mean is 1. A head that is silent, whose signal is 0 everywhere,
# cannot be balanced: raise a `ValueError`.
#
# For example, signals of length 1 and 3 get the weights 1.5 and 0.5.


# %%
def balance(signals: list[np.ndarray]) -> np.ndarray:
    """Loss weights (heads,) with mean 1 that make all error signals equally long; ValueError if one is silent."""
    ### BEGIN SOLUTION
    lengths = np.array([np.sqrt(np.sum(np.square(signal, dtype=float))) for signal in signals])
    if (lengths == 0).any():
        raise ValueError(f"a head is silent: the lengths are {lengths}")
    return (1 / lengths) / np.mean(1 / lengths)
    ### END SOLUTION


# %%
exercise("13.4").check(balance)

# %% [markdown]
# ## All at once
#
# Balanced at the start is not balanced at the end, so such weights are a first guess. These were found by trying, in
# round numbers: a pixel is worth a tenth of a nat, and the keypoints count twenty times.

# %%
epochs = runtime.pick(smoke=1, cpu=3, gpu=8)
chosen = {"class": 1.0, "box": 0.1, "mask": 1.0, "keypoint": 20.0}
batches = detection.SceneBatches(train.images, targets, batch_size=16)
scene, boxes = keras.Input((64, 64, 3), name="images"), keras.Input((3, 4), name="rois")
features = backbone(scene)
said = {**dense(features), "mask": mask_head([features, boxes])}
network = keras.Model({"images": scene, "rois": boxes}, said)
task = detection.MultiTask(network, LOSSES)
steps = epochs * len(batches)
task.compile(keras.optimizers.Adam(training.warmup_cosine(peak=0.003, steps=steps, warmup=steps // 8)))


def learn(weights, label, uncertainty=False):
    """Train from the same start with these loss weights; the history."""
    task.restart()
    task.weigh(weights, uncertainty)
    return training.fit(task, batches, epochs=epochs, shuffle=False, label=label).history


# %%
history = learn(chosen, "all heads")

# %% [markdown]
# ## From maps to objects
#
# In use nobody tells the boxes. Take the peaks of the class maps, places that none of their eight neighbours exceeds.
# At each peak read the sides: that is a box with a kind and a score. Cut the box out of the same map and ask for its
# mask. At last look for the keypoints in the box: the heatmaps hold the points of *all* objects, and the box says which
# are whose.


# %%
def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def masks_in(features, boxes):
    """What the mask head says about up to six boxes of each picture: probabilities (n, 6, 16, 16)."""
    logits = mask_head.predict([features, detection.pad_rois(boxes, 6, 64)], batch_size=64, verbose=0)
    return sigmoid(logits).reshape(len(features), 6, 16, 16)


def find(images):
    """The shared map, what the dense heads say, and for each picture the objects that all heads find."""
    features = backbone.predict(images, batch_size=64, verbose=0)
    maps = dense.predict(features, batch_size=64, verbose=0)
    found = detection.find_objects(maps["class"], maps["box"], stride=4, most=6)
    masks, heat = masks_in(features, [one["boxes"] for one in found]), sigmoid(maps["keypoint"])
    for one, mask, heatmap in zip(found, masks, heat):
        one["masks"] = detection.paste_masks(mask[: len(one["boxes"])], one["boxes"], (64, 64))
        one["points"] = detection.points_in_boxes(heatmap, one["boxes"], stride=4)
    return features, maps, found


# %%
features, maps, found = find(test.images)


def shown(one, least=0.3):
    """What scores at least 0.3, as the figure takes it."""
    sure = one["scores"] >= least
    names = [f"{KINDS[k]} {score:.2f}" for k, score in zip(one["labels"], one["scores"])]
    kept = {name: one[name][sure] for name in ("boxes", "masks", "points")}
    return {**kept, "names": [name for name, is_sure in zip(names, sure) if is_sure]}


plotting.instances(
    test.images[:5],
    [shown(one) for one in found[:5]],
    alt="The five test scenes again, with the boxes, masks and points that the network found in them.",
)

# %% [markdown]
# ## One number for instances: mask AP

# %%
truth = [{**one, "labels": kind_of[one["labels"]]} for one in test.truth]


def judge():
    """Each head by itself, with the truth in place of the others, and box AP and mask AP of all together."""
    features, maps, found = find(test.images)
    heat, masks = sigmoid(maps["keypoint"]), masks_in(features, test.boxes)
    scores = detection.head_scores(test, kind_of, maps["class"], maps["box"], heat, masks)
    for what in ("box", "mask"):
        scores[f"{what} AP"] = detection.coco_evaluation(truth, found, len(KINDS), masks=what == "mask").ap
    return scores


# %%
scores = judge()
scores

# %% [markdown]
# ## Each head switched off

# %%
runs_off = {f"no {name}": {**chosen, name: 0.0} for name in LOSSES}
recorded = {f"all heads {name}": value for name, value in scores.items()}
recorded |= {f"all heads {name} loss": history[f"{name}_loss"][-1] for name in LOSSES}
signals = error_signals(np.array(list(chosen.values()), "float32"))

# %%
for name, weights in {**runs_off, "all weights 1": {}, "learnt weights": {}}.items() if results.recording() else ():
    history = learn(weights, name, uncertainty=name == "learnt weights")
    recorded |= {f"{name} {score}": value for score, value in judge().items()}
    recorded |= {f"{name} {head} loss": history[f"{head}_loss"][-1] for head in LOSSES}
    recorded |= {f"{name} {head} weight": weight for head, weight in task.task_weights.items()}

# %%
results.record("13_heads", **recorded)
stored = results.stored("13_heads") or [recorded]


# %% [markdown]
# TODO AP
# ### Exercise 13.5 · Right or wrong, mask by mask
# %%
def right_masks(masks: np.ndarray, scores: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Which found masks (n, height, width) of one class in one picture are right, (n,) bool."""
    ### BEGIN SOLUTION
    free, right = list(range(len(truth))), np.zeros(len(masks), dtype=bool)
    for i in np.argsort(-scores):
        overlaps = [(masks[i] & truth[j]).sum() / (masks[i] | truth[j]).sum() for j in free]
        if overlaps and max(overlaps) >= threshold:
            right[i] = True
            free.pop(int(np.argmax(overlaps)))
    return right
    ### END SOLUTION


# %%
exercise("13.5").check(right_masks)


# %% [markdown]
# ### Exercise 13.6 · One owner for each pixel
# %%
def panoptic(masks: np.ndarray, scores: np.ndarray, least: float = 0.5) -> np.ndarray:
    """For each pixel (height, width) the number of the mask that owns it, counted from 1, or 0."""
    ### BEGIN SOLUTION
    owner = np.zeros(masks.shape[1:], dtype=int)
    for i in np.argsort(-scores):
        left = masks[i] & (owner == 0)
        if left.sum() >= least * masks[i].sum():
            owner[left] = i + 1
    return owner
    ### END SOLUTION


# %%
exercise("13.6").check(panoptic)
