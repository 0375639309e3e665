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
# **How does one network learn four answers at once, and what do the answers owe each other?**
#
# When you have worked through this page you can
# - build a network with four heads on one backbone, and state the shape of everything that passes between them
# - cut the features of a box out of a map without rounding, and read a keypoint from a heatmap to a fraction of a pixel
# - see the error signal that each head sends into the backbone, and weigh several losses by hand or by learning
# - tell which numbers fall when a head is switched off, and what the weights of the losses change
# - measure instances by mask AP, and merge them into one panoptic map
#
# **Before this**: [11 Object detection](../notebooks/11_object_detection.ipynb),
# [12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · **Reading** 60 min · **Exercises** 65 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 One backbone | What do four answers share, and what does sharing save? | 10 |
# | 2 A box cut out | How is a box cut out of a map without rounding? | 30 |
# | 3 Between the places | Does a map with a place every 4 pixels know a point to 4 pixels only? | 15 |
# | 4 Four losses | Who is heard in the backbone, and where? | 25 |
# | 5 One number for instances | How good are boxes with masks, and how good is each head by itself? | 15 |
# | 6 What the heads owe each other | What falls when a head is off, and what do the weights change? | 15 |
# | 7 Every pixel one answer | How do masks that overlap become one map? | 15 |
#
# [← 12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · [Course map](../README.md) ·
# [14 From image file to answer →](../notebooks/14_from_image_file_to_answer.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="13")

# %%
from itertools import combinations

import keras
import numpy as np
from keras import layers, ops
from scipy import ndimage

from cnnlib import claim, detection, exercise, gradients, models, plotting, predict, reveal, training
from cnnlib.claims import approx, measured
from cnnlib.detection.heads import LOSSES
from cnnlib.results import Experiment
from cnnlib.trace import trace

# %% [markdown]
# ## Part 1 · One backbone
#
# **What do four answers share, and what does sharing save?**
#
# A robot is to take clothes from a heap. It must know *what* lies there, *where*, *which pixels* belong to each piece,
# and *at which points* to grip it. Here are such pictures, drawn so that all of this is known exactly: items of
# Fashion-MNIST on photographs. The network will be tested on other items and other photographs.
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
    alt="Five scenes. Each item has a box with its kind, tinted pixels and triangles at its four outermost points.",
)

# %% [markdown]
# The triangles are **keypoints**: named points of an object. Here they are the outermost point at the top, right,
# bottom and left; on people they would be wrists and knees.
#
# Marking the pixels of each object by itself is **instance segmentation**. Lesson 12 gave a class to each pixel, and
# two shirts that touch were one patch of *top*. A box keeps them apart and is wrong about the pixels.
#
# **Predict**: what share of the pixels in a box does not belong to the item?

# %%
predict("13.a", "What share of the pixels in a box is not the item's, on average?", unit="%")

# %%
inside = [m.sum() / detection.area(b[None])[0] for s in range(len(test)) for b, m in zip(test.boxes[s], test.masks[s])]
reveal("13.a", 100 * (1 - np.mean(inside)))
claim("more than a quarter of the pixels in a box are not the item's", np.mean(inside) < 0.75)

# %% [markdown]
# ### One map for all
#
# Four networks could answer the four questions. But each of them would first have to find edges, then parts, then
# things. So that work is done once, by the backbone, and what answers a question is a small head on its last map.
#
# The backbone is a small ResNet with a feature pyramid, so that the map is fine *and* knows what is there. One place of
# it stands for 4 by 4 pixels: its stride is 4.


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
# ### Heads that answer at each place
#
# Three heads look at the whole map, each with one 3x3 and one 1x1 convolution. What they answer at a place is
#
# - the **class head** says for each kind whether the *centre* of an object of that kind lies here. An object is one
#   point of a map, so there are no anchors to match (Zhou, Wang and Krähenbühl 2019).
# - the **box head** says how many pixels it is from the middle of this place to the left, top, right and bottom side
#   of the box.
# - the **keypoint head** says for each of four points whether it lies here. A map that is high where a point is
#   likely to lie is a **heatmap**.
#
# Most places have no centre and no keypoint. So the last bias starts at a low score, as in lesson 11.
#
# What does sharing save? The cell counts multiplications at its end.
#
# **Predict**: three separate networks, each a backbone with one head, against one backbone with three heads?

# %%
predict("13.b", "How many times as often do three separate networks multiply?")


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
print({name: answer.shape[1:] for name, answer in answers.items()})

cost = {model.name: sum(row.macs for row in trace(model)) for model in (backbone, dense)}
saved = (3 * cost["backbone"] + cost["dense_heads"]) / (cost["backbone"] + cost["dense_heads"])
print({name: f"{macs / 1e6:.1f} million" for name, macs in cost.items()})
reveal("13.b", round(saved, 2), exact=True)
claim("three networks would multiply more than 1.8 times as often as one with three heads", saved > 1.8)

# %% [markdown]
# **So far**: heads that answer at each place hang on one map, which is computed once. Of three networks with a head
# each, nearly half the multiplications are saved.
#
# ## Part 2 · A box cut out
#
# **How is a box cut out of a map without rounding?**
#
# Which pixels? Asked at each place, the answer would need a whole mask at each place. So the **mask head** is asked
# only where there is an object: a box, true or found, is cut out of the shared map at a fixed size, and a few layers
# say for each of 16 by 16 cells of the *box* whether it is the object. That is the idea of Mask R-CNN (He and others
# 2017). A box to be cut out of a map is a **region of interest** (RoI).
#
# How is a box cut out of a map? Its sides lie anywhere; the map has a place every 4 pixels. An early answer, **RoI
# pooling** (Girshick 2015), was to round the sides of the box to whole places of the map. Try both on a map whose value
# at each place *is* the place's middle in pixels: then what is cut out should be the middles of the cells of the box.
# The box moves to the right by one pixel at a time. Do the values?

# %% jupyter={"source_hidden": true}
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
claim("RoI align reads every cell where it is, to 0.001 pixels", np.abs(aligned - true_middles).max() < 1e-3)
claim("rounded, a cell is read up to 2 pixels off", np.abs(rounded - true_middles).max() == 2)

# %% [markdown]
# Two pixels are little beside a shirt, and much at its rim, where a mask is decided. **RoI align** rounds nothing: it
# divides the box into cells, takes points inside each cell, and interpolates the map at each point between the four
# nearest places. Four points a cell are common; here they would give the same, since the map is a ramp.
#
# Where do places lie? Place $j$ of a map with stride $s$ covers the pixels from $sj$ to $s(j+1)$. So its middle is at
# $s(j + \tfrac{1}{2})$, and a point at pixel $x$ lies at $u = x / s - \tfrac{1}{2}$, counted in places from the middle
# of the first. Between the places $\lfloor u \rfloor$ and $\lfloor u \rfloor + 1$ the shares are $1 - (u - \lfloor u
# \rfloor)$ and $u - \lfloor u \rfloor$. At the last place $\lfloor u \rfloor + 1$ lies beyond the map: its share is 0
# there, so hold the index inside. The half is easily forgotten.
#
# ### Exercise 13.1 · RoI align
#
# ●●● · 15 min
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
# width / 4, 36). Whoever keeps to that contract can be exchanged for another.
#
# ### Exercise 13.2 · Who breaks the contract?
#
# ●●○ · 10 min
#
# Somebody has rebuilt a network with heads, and it fails. Write the check that finds the culprit. You are given the
# shape of the `pictures`, (batch, height, width, 3), and by name the `shapes` of the map and of what each head
# returned. Return the names of those that break the contract, in the order of `shapes`:
#
# - `"features"` is the map of these pictures: its stride is a whole number, the same down and across.
# - `"mask"` is a square for each box, and all pictures have equally many boxes, at least one.
# - Any other head, of whatever name, answers with some numbers at each place of the map that is there, right or wrong;
#   the `"box"` head with four.
#
# For example, with pictures (2, 64, 64, 3) and features (2, 16, 16, 36), class scores of (2, 8, 8, 5) break the
# contract, and masks of (6, 16, 16) keep it.


# %%
def broken(pictures: tuple[int, ...], shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """The names of the shapes that do not keep to the contract, in the order of `shapes`."""
    ### BEGIN SOLUTION
    batch, height, width, _ = pictures
    places = shapes["features"][:3]

    def keeps(name, shape):
        if name == "mask":
            return len(shape) == 3 and shape[0] % batch == 0 and shape[1] == shape[2]
        if len(shape) != 4 or shape[:3] != places:
            return False
        if name == "features":
            _, rows, columns = places
            whole = height % rows == 0 and width % columns == 0
            return places[0] == batch and whole and height // rows == width // columns
        return name != "box" or shape[3] == 4

    return [name for name, shape in shapes.items() if not keeps(name, shape)]
    ### END SOLUTION


# %%
exercise("13.2").check(broken)

# %% [markdown]
# **So far**: RoI align reads a map between its places, so that a box is cut out where it is. A map and its heads agree
# on shapes, and that can be checked before anything is trained.
#
# ## Part 3 · Between the places
#
# **Does a map with a place every 4 pixels know a point to 4 pixels only?**
#
# Suppose that the network has learnt its lesson perfectly, and gives a Gaussian around the keypoint, of one place's
# width. Draw 500 of them around points that you know, and take the middle of the brightest place.
#
# **Predict**: how far off is it on average, in pixels? And can it be better than that?

# %%
predict("13.c", "How far off is the middle of the brightest place, on average, in pixels?", unit="pixels")

# %% jupyter={"source_hidden": true}
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
reveal("13.c", off["argmax"])
claim("the middle of the brightest place is 1.4 to 1.7 pixels off", 1.4 < off["argmax"] < 1.7)
claim("the parabola is exact: off by less than 0.001 pixels", off["parabola"] < 1e-3)
claim("with a little noise, by less than an eighth of that", off["parabola, noisy"] < off["argmax, noisy"] / 8)

# %% [markdown]
# The neighbours know more. If the left one is brighter than the right one, the point lies left of the middle. A step of
# a *quarter* of a place to that side is a simple rule (Newell, Yang and Deng 2016). And the logarithm of a Gaussian is
# a *parabola*, whose top three values give exactly. With $a$, $b$ and $c$ the logarithms left of the brightest place,
# at it and right of it, the top is beside its middle by
#
# $$d = \frac{a - c}{2\,(a - 2b + c)}$$
#
# places, and the same again from top to bottom (compare Zhang and others 2020). To read a keypoint between the places
# of a heatmap is **sub-pixel decoding**. It is exact here because the map *is* a Gaussian; with a little noise it is
# not, and a trained network is further from one still.
#
# ### Exercise 13.3 · Decode a heatmap
#
# ●●○ · 10 min
#
# For one heatmap (height, width) with values above 0, return the point (x, y) in pixels: the brightest place, moved by
# $d$ in each direction. It is brighter than its neighbours. At the border of the map a neighbour is missing: do not
# move in that direction. The middle of place 0 is at half a stride.
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
        return at + (a - c) / (2 * (a - 2 * b + c))

    return (top(heatmap[row], column) + 0.5) * stride, (top(heatmap[:, column], row) + 0.5) * stride
    ### END SOLUTION


# %%
exercise("13.3").check(decode)

# %% [markdown]
# **So far**: a heatmap knows a point to a fraction of a place, if its neighbours are asked. Of a perfect Gaussian the
# parabola of the logarithms finds the top exactly.
#
# ## Part 4 · Four losses
#
# **Who is heard in the backbone, and where?**
#
# From the truth of a scene, `head_targets` draws what each head should have said. For the class head and the keypoint
# head these are Gaussians; for the box head four numbers around each centre; for the mask head the share of each cell
# of a box that is the object's, which is nothing but RoI align of the true mask. The boxes are shaken by a tenth of
# their size, since the boxes that the network will find are not exact either.

# %% jupyter={"source_hidden": true}
targets = detection.head_targets(train, kind_of, stride=4, places=3, side=16)
plotting.laid_over(
    train.images[:3],
    {
        "class": targets["class"][:3].max(-1),
        "box: counted": targets["box"][:3, ..., 4],
        "keypoint": targets["keypoint"][:3].max(-1),
    },
    alt="Three scenes: a blob at the centre of each item, a square of 3 by 3 places there, and four blobs on its rim.",
)
asked = targets["box"][..., 4].sum(axis=(1, 2))
claim("the box loss counts at most 9 places for an object", (asked <= 9 * targets["there"].sum(axis=1)).all())

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
# with the loss $L_k$ and the **loss weight** $w_k$ of head $k$. (A **nat** is the unit of a cross-entropy with natural
# logarithms. Beside a centre, where the Gaussian is high, a wrong answer of the class head costs less: times
# $(1 - \text{target})^4$.) Four quantities in four units are added up here. Nothing but $w_k$ says how many pixels are
# worth how many nats.
#
# ### The error signal of each head
#
# What does a head tell the backbone? The gradient of its loss by the shared map: for each place, in which direction its
# features should go. That is the **error signal** of the head. Put all weights but one to 0 and look at what arrives
# from a single head, in the untrained network, for 16 scenes.
#
# **Predict**: all weights are 1. By what factor is the longest of the four error signals longer than the shortest?

# %%
predict("13.d", "How many times as long as the shortest is the longest of the four error signals?", within=2)


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
reveal("13.d", max(at_start.values()) / min(at_start.values()))
claim("the keypoint head is the quietest", min(at_start, key=at_start.get) == "keypoint")
claim("the box head is more than 20 times as loud", at_start["box"] > 20 * at_start["keypoint"])

# %% [markdown]
# Classes and boxes are loud; masks and keypoints are some hundred times quieter. That is no order of importance. One
# loss is a sum over places, one counts pixels, the others are means over many cells or places. With equal weights the
# gradient of the first steps is that of classes and boxes, and hardly anything else.
#
# ### Exercise 13.4 · Balance the losses
#
# ●●○ · 10 min
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
# ### All at once
#
# Balanced at the start is not balanced at the end, so such weights are a first guess. (GradNorm, Chen and others 2018,
# balances again while it trains.) Here is another, in round numbers: a pixel is worth a tenth of a nat, and the
# keypoints count twenty times. Part 6 has others beside it.
#
# The model returns several answers and adds up several losses. The mask head is given the true boxes, shaken, so that
# it does not wait for the box head to learn. You train for three epochs.

# %%
heads, fixed = Experiment("13_heads"), Experiment("13_fixed")
twice = heads.pick(stored=True, live=fixed.pick(stored=True, live=False))  # the stored runs are twice as long
epochs = 6 if twice else runtime.pick(smoke=1, cpu=3, gpu=6)
batches = detection.SceneBatches(train.images, targets, batch_size=16)
scene, boxes = keras.Input((64, 64, 3), name="images"), keras.Input((3, 4), name="rois")
features = backbone(scene)
said = {**dense(features), "mask": mask_head([features, boxes])}
network = keras.Model({"images": scene, "rois": boxes}, said)
task = detection.MultiTask(network, LOSSES)
steps = epochs * len(batches)


def at_rate(rate):
    """A new optimiser, whose rate climbs to this and comes down along half a cosine."""
    task.compile(keras.optimizers.Adam(training.warmup_cosine(peak=rate, steps=steps, warmup=steps // 8)))


def learn(weights, label, uncertainty=False):
    """Train from the same start with these loss weights; the history."""
    task.restart()
    task.weigh(weights, uncertainty)
    return training.fit(task, batches, epochs=epochs, shuffle=False, label=label).history


# %%
chosen = {"class": 1.0, "box": 0.1, "mask": 1.0, "keypoint": 20.0}
guessed = {name: chosen[name] * length for name, length in at_start.items()}
print({name: approx(length, 2) for name, length in guessed.items()})
claim("with this guess the class head is the loudest at first", max(guessed, key=guessed.get) == "class")
claim("by a factor of 3 or more", guessed["class"] > 3 * max(guessed[name] for name in ("box", "mask", "keypoint")))
at_rate(0.003)
history = learn(chosen, "all heads")

# %% [markdown]
# ### Where each head is heard
#
# Look at the error signals of the trained network once more, now *where* they arrive. In these pictures bright means
# that the features of this place should change. The first convolution of the class head and of the box head sees one
# place to each side, so draw a square of 5 by 5 places around each centre: the 3 by 3 that the box loss counts, and one
# more.
#
# **Predict**: these squares hold less than a quarter of the places. What share of the class head's signal arrives in
# them? (Add up the lengths at all places. The class head answers at every place, so none of them is silent.)

# %%
predict("13.e", "What share of the class head's error signal arrives in the squares?", unit="%")

# %%
signals = error_signals(np.array(list(chosen.values()), "float32"))
loudness = {name: np.linalg.norm(signal, axis=-1) for name, signal in signals.items()}
squares = ndimage.maximum_filter(few["box"][..., 4], size=(1, 3, 3)) > 0
shares = {name: float(length[squares].sum() / length.sum()) for name, length in loudness.items()}
plotting.laid_over(
    train.images[:3],
    {name: maps[:3] for name, maps in loudness.items()},
    alt="Three scenes and the error signals of four heads: class and box in squares around the centres, mask inside "
    "the boxes, keypoints in wide patches over the items and beside them.",
)
reveal("13.e", 100 * shares["class"])
print("in the squares:", {name: f"{approx(100 * share, 2)} %" for name, share in shares.items()})
outside = {name: float(length[~squares].sum()) for name, length in loudness.items()}
measured(
    "share of the keypoint head in all that arrives outside", outside["keypoint"] / sum(outside.values()), digits=2
)
claim("the squares are less than a quarter of the places", squares.mean() < 0.25)
claim("the class head sends three quarters or more of its signal into them", shares["class"] > 0.75)
claim("the box head all of it, the keypoint head less than half", shares["box"] == 1 and shares["keypoint"] < 0.5)
claim("outside them, most that arrives is from the keypoint head", outside["keypoint"] > 0.5 * sum(outside.values()))

# %% [markdown]
# To ask where a signal is *not exactly zero* would tell another story: the class head answers at every place, so no
# place hears nothing from it. But nearly everything it says, it says around the centres. So with these weights most
# places of the map learn from the keypoint head, and classes and boxes meet in the same few.
#
# Do the heads agree where they meet? The cosine of two signals is 1 if they pull in the same direction, below 0 if what
# helps the one harms the other. The last value of each pair needs a control: directions without any relation, drawn at
# random, as long at each place as those of the second head.

# %% jupyter={"source_hidden": true}
rng, pairs = np.random.default_rng(runtime.seed()), list(combinations(LOSSES, 2))


def cosine(one, other):
    return float(np.sum(one * other) / np.sqrt(np.sum(one * one) * np.sum(other * other)))


cosines = {}
for first, second in pairs:
    one, other = signals[first][squares], signals[second][squares]
    drawn = rng.normal(size=other.shape) * np.linalg.norm(other, axis=-1, keepdims=True)
    cosines[f"{first}, {second}"] = cosine(signals[first], signals[second]), cosine(one, other), cosine(one, drawn)
for pair, (everywhere, met, by_chance) in cosines.items():
    print(f"{pair:15} {approx(everywhere, 2)}, in the squares {approx(met, 2)}, random {approx(by_chance, 2)}")
claim("no two heads agree or disagree by more than a cosine of 0.3", np.abs(list(cosines.values())).max() < 0.3)

# %% [markdown]
# All are near 0, in the squares too, where all four speak. So it is not that they speak at different places. Nor is it
# harmony: two random directions in 36 channels are nearly at right angles as well. At the end of this training the
# heads want neither the same of the map nor the opposite. What that does to their scores only scores can tell (part 6).
#
# **So far**: the losses have different units, and their weights decide who is heard. Most of the signal of classes and
# boxes arrives in small squares around the centres; the keypoints speak everywhere.
#
# ## Part 5 · One number for instances
#
# **How good are boxes with masks, and how good is each head by itself?**
#
# At inference nobody tells the boxes. Take the peaks of the class maps, places that none of their eight neighbours
# exceeds. At each peak read the sides: that is a box with a kind and a score. Cut the box out of the same map and ask
# for its mask. At last look for the keypoints in the box: the heatmaps hold the points of *all* objects, and the box
# says which are whose.
#
# Two kinds may have a peak on one thing: a dress, or is it a top? For the figure, non-maximum suppression over all
# kinds keeps the better one (lesson 11), and what scores less than 0.3 is left out.


# %% jupyter={"source_hidden": true}
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


features, maps, found = find(test.images)


def best_of(one):
    """What scores at least 0.3, one object for each thing, as the figure takes it."""
    kept = detection.nms(one["boxes"], one["scores"], iou_threshold=0.5, score_threshold=0.3)
    names = [f"{KINDS[one['labels'][k]]} {one['scores'][k]:.2f}" for k in kept]
    return {"names": names, **{name: one[name][kept] for name in ("boxes", "masks", "points")}}


best = [best_of(one) for one in found]
plotting.instances(
    test.images[:5],
    best[:5],
    alt="The five test scenes again, with the boxes, masks and points that the network found in them.",
)
measured("objects shown for each object there is", sum(len(b["names"]) for b in best) / sum(map(len, test.labels)))

# %% [markdown]
# ### Mask AP
#
# How good is that? In lesson 11 a found box was right if it overlapped a true box of its class, with an IoU of at least
# a threshold, and no better one had taken that. For instances only the overlap changes: the IoU of two *masks* is the
# number of pixels that both own, divided by the number that at least one owns. All else stays: sort by score, follow
# precision and recall down the list, take the area under the curve. The mean of this AP over the kinds and over ten
# thresholds of the IoU of masks, 0.5 to 0.95, is **mask AP**.
#
# Beware of the name. `segmentation.average_precision` of lesson 12 is the score of the Data Science Bowl: pairs divided
# by pairs, missed and invented. It has no scores and no curve. Here `detection.average_precision` is meant.
#
# ### Exercise 13.5 · Right or wrong, mask by mask
#
# ●●○ · 10 min
#
# For one class in one picture, say of each found mask whether it is right. The mask with the best score chooses first.
# Each takes, of the true masks that are still free, the one with the greatest IoU, if that is at least the threshold,
# and is right; a true mask that is taken is no longer free. Return n truth values, in the order of the masks as given.
# No mask is empty.
#
# For example, of two masks that both cover the only item well, the one with the better score is right.


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
# In the library, the same is done for all kinds, scenes and thresholds. AP judges several heads at once: of a wrong
# kind, or with a bad mask, the object is wrong. To see a single head, give it the truth for all that others would tell
# it. Then the class head is judged at the true centres, the box head too, the mask head in the true boxes, and the
# keypoint head as well: the share of points found within 4 pixels. (Compare the masks with one that fills its box: its
# IoU is the item's share of the box, as at the top of this page.)


# %%
def ap(scenes, found, what):
    """AP of "box" or "mask", as COCO has it."""
    truth = [{**one, "labels": kind_of[one["labels"]]} for one in scenes.truth]
    return detection.coco_evaluation(truth, found, len(KINDS), masks=what == "mask").ap


def judge(scenes):
    """Each head by itself, with the truth in place of the others, and box AP and mask AP of all together."""
    features, maps, found = find(scenes.images)
    heat, masks = sigmoid(maps["keypoint"]), masks_in(features, scenes.boxes)
    scores = detection.head_scores(scenes, kind_of, maps["class"], maps["box"], heat, masks)
    return scores | {f"{what} AP": ap(scenes, found, what) for what in ("box", "mask")}


scores = judge(test)
for name, value in scores.items():
    measured(f"{name:8}", value, digits=2)
claim("the kind is right at more than 70 % of the true centres", scores["class"] > 0.7)
claim("a mask in a true box beats one that fills the box by 0.03 or more", scores["mask"] > np.mean(inside) + 0.03)
claim("mask AP is above 0.15 after three epochs", scores["mask AP"] > 0.15)

# %% [markdown]
# **So far**: mask AP is AP with the IoU of masks, and no head can be seen in it by itself. With the truth in place of
# what the others would say, each head has a score of its own.
#
# ## Part 6 · What the heads owe each other
#
# **What falls when a head is off, and what do the weights change?**
#
# Switch the heads off in training, one at a time: the weight of its loss is 0, all else is the same. These runs are
# stored, for three seeds and twice as long, six epochs.
#
# **Predict**: all heads together reach a mask AP of 0.41. Now the box head is off: the boxes have the wrong size,
# around centres that are right. What share of mask AP is left?

# %%
predict("13.f", "What share of mask AP is left without the box head?", unit="%")

# %% jupyter={"source_hidden": true}
# The other ways to train: `python tools/run_experiments.py --lesson 13` comes by here.
heads.keep(**{f"all heads {name}": value for name, value in scores.items()})
heads.keep(**{f"all heads {name} loss": history[f"{name}_loss"][-1] for name in LOSSES})
others = {f"no {name}": {**chosen, name: 0.0} for name in LOSSES} | {"all weights 1": {}, "learnt weights": {}}
for name, weights in heads.pick(stored=others, live={}).items():
    history = learn(weights, name, uncertainty=name == "learnt weights")
    heads.keep(**{f"{name} {score}": value for score, value in judge(test).items()})
    heads.keep(**{f"{name} {head} loss": history[f"{head}_loss"][-1] for head in LOSSES})
    heads.keep(**{f"{name} {head} weight": weight for head, weight in task.task_weights.items()})

# The weights that each run had learnt in the end, from the first step on, with the sum of the guess.
for run in fixed.pick(stored=[run for run in heads.stored if run["seed"] == runtime.seed()], live=[]):
    weights = {name: run[f"learnt weights {name} weight"] for name in LOSSES}
    total_weight = sum(chosen.values()) / sum(weights.values())
    history = learn({name: weight * total_weight for name, weight in weights.items()}, "learnt shares, fixed")
    fixed.keep(**judge(test))
    fixed.keep(**{f"{name} loss": history[f"{name}_loss"][-1] for name in LOSSES})
    fixed.keep(**{f"{name} weight": weight for name, weight in task.task_weights.items()})

# %% jupyter={"source_hidden": true}
runs = heads.stored
plotting.score_table(runs, ("all heads", *(f"no {name}" for name in LOSSES)), tuple(scores), scores)
reveal("13.f", 100 * float(runs["no box mask AP"].mean() / runs["all heads mask AP"].mean()))


def change(name, score):
    """How much a score rises when `name` is trained instead of all heads: one number for each stored run."""
    return runs[f"{name} {score}"] - runs[f"all heads {score}"]


own = {name: change(f"no {name}", name).max() for name in LOSSES}
rest = min(change(f"no {name}", other).min() for name in LOSSES for other in LOSSES if other != name)
lost = {f"{name} {what}": change(f"no {name}", f"{what} AP") for name in LOSSES for what in ("box", "mask")}
claim("all heads together: mask AP is 0.41 on average", round(runs["all heads mask AP"].mean(), 2) == 0.41)
claim("a head that is off loses: class 0.6 or more, keypoint 0.4", own["class"] < -0.6 and own["keypoint"] < -0.4)
claim("box 0.15, mask 0.05", own["box"] < -0.15 and own["mask"] < -0.05)
claim("by itself, no other head loses more than 0.03 in any stored run", rest > -0.03)
claim("without classes, both AP fall by more than 0.2", max(lost["class box"].max(), lost["class mask"].max()) < -0.2)
claim("without boxes, box AP falls by more than 0.15", lost["box box"].max() < -0.15)
claim("and mask AP by less, in each run", (lost["box mask"] > lost["box box"]).all())
claim("without masks, mask AP falls by more than 0.1", lost["mask mask"].max() < -0.1)
claim("and box AP changes by less than 0.03", np.abs(lost["mask box"]).max() < 0.03)
claim("without keypoints, both do", np.abs([lost["keypoint box"], lost["keypoint mask"]]).max() < 0.03)

# %% [markdown]
# By themselves, the heads do not need each other: each still learns what it is asked. What falls is what they do
# together, the last two columns, and there the order shows in which the answers are used. The class head finds the
# objects: without it, nothing. The box head says what is cut out; without it, the mask head still finds much of the
# item in what is. The keypoints are asked last, and nobody depends on them.
#
# ### Do they help each other?
#
# **Multi-task learning** is to train one network for several tasks at once, in the hope that what one task teaches the
# backbone serves the others. Look at the row *no class* once more: there the other three scores are higher, if
# anything.

# %%
gains = {name: change("no class", name) for name in ("box", "mask", "keypoint")}
for name, gain in gains.items():
    print(f"{name:8} without the class head: {', '.join(f'{value:+.3f}' for value in gain)}")
claim("without the class head the three others are better in each stored run", min(map(min, gains.values())) > 0)

# %% [markdown]
# By 0.005 to 0.03. Do not read too much into it. It is one comparison, at one rate for both sides, 0.003, which was
# chosen for neither. And two things changed at once: the class head has left the backbone, and the three others have
# the whole gradient to themselves, which other weights might have given them as well. That sharing halves the
# multiplications is certain; whether it makes a head better or worse is a question to measure, with your heads and your
# data, and with the best weights and rate for each side.
#
# ### How much is a pixel worth?
#
# Our weights were a guess. Kendall, Gal and Cipolla (2018) let the network learn them. Take each loss as that of a
# measurement with noise, and let $s_k$ be the logarithm of how strong that noise is, a weight like any other. Up to
# constant factors the loss $L$, the negative logarithm of the likelihood, then is
#
# $$L = \sum_k \left( e^{-s_k} L_k + s_k \right)$$
#
# A loss $L_k$ that stays large is taken for a noisy one: $s_k$ grows, and its weight $e^{-s_k}$ falls. The second term
# is the price, or all weights would go to 0. The sum is lowest where $e^{-s_k} = 1 / L_k$: each weighted loss comes to
# 1, whatever its unit. Measure boxes in millimetres instead of pixels, and once $s_k$ has followed, nothing changes.
# That is the trick, and its limit: it makes the losses equally large, not equally important.
#
# Before you compare weights, mind the optimiser. Take two of them, and a loss that is a hundred times as large.

# %%
gradient = signals["box"][:, 4:12, 4:12]


def step(optimizer, times):
    """How far one step goes from 0, if the gradient is this many times as long."""
    place = keras.Variable(np.zeros_like(gradient))
    optimizer.apply([ops.convert_to_tensor(times * gradient)], [place])
    return float(np.linalg.norm(ops.convert_to_numpy(place)))


longer = {
    make.__name__: step(make(0.01), 100) / step(make(0.01), 1) for make in (keras.optimizers.Adam, keras.optimizers.SGD)
}
print("all losses times 100 make the step longer by a factor of", {name: approx(v, 2) for name, v in longer.items()})
claim("with SGD 100 times, with Adam less than 1.5 times as long", longer["SGD"] > 99 and longer["Adam"] < 1.5)

# %% [markdown]
# Adam divides the step by how long the gradients have been, so it ignores the scale of the whole, but for the small
# number that keeps it from dividing by 0. What counts is each weight's *share* of their sum. Our guess gave the
# keypoints 20 of 22.1, which is 90 %; with all weights 1 it is 25 %.
#
# **Predict**: what share does the network give them, at the end of the training?

# %%
predict("13.g", "What share of the sum of the weights do the keypoints get where weights are learnt?", unit="%")


# %%
def shares_of(weights):
    """What share of the sum each loss has: name -> per cent."""
    return {name: 100 * weights[name] / sum(weights.values()) for name in LOSSES}


guessed, even = shares_of(chosen), shares_of(dict.fromkeys(LOSSES, 1.0))
learnt = shares_of({name: runs[f"learnt weights {name} weight"] for name in LOSSES})
for name in LOSSES:
    print(f"{name:8} guessed {guessed[name]:4.1f} %, equal {even[name]:.0f} %, learnt {learnt[name].mean():4.1f} %")
reveal("13.g", float(learnt["keypoint"].mean()))
sums = sum(runs[f"learnt weights {name} weight"] for name in LOSSES)
claim("the sum of the learnt weights begins at 4 and ends above 17", sums.min() > 17)
low, high = ({k: pick(guessed[k], even[k]) for k in LOSSES} for pick in (min, max))
between = all((low[k] < learnt[k]).all() and (learnt[k] < high[k]).all() for k in LOSSES)
claim("learnt shares lie between the guessed and the equal ones, for all four heads, in each run", between)
products = np.array([runs[f"learnt weights {k} weight"] * runs[f"learnt weights {k} loss"] for k in LOSSES])
claim("at the end, each weight times its loss lies between 0.5 and 1.05", 0.5 < products.min() < products.max() < 1.05)

# %%
both = [run | {f"shares fixed {name}": one[name] for name in scores} for run, one in zip(runs, fixed.stored)]
plotting.score_table(both, ("all heads", "all weights 1", "learnt weights", "shares fixed"), tuple(scores), scores)
plain = {name: change("all weights 1", name) for name in ("box", "keypoint")}
claim("all weights 1: boxes better by 0.02 or more in each stored run", plain["box"].min() > 0.02)
claim("and keypoints worse by 0.03 or more", plain["keypoint"].max() < -0.03)
claim("learnt weights: mask AP better than our guess by 0.01 or more", change("learnt weights", "mask AP").min() > 0.01)
held = {name: fixed.stored[name] - runs[f"learnt weights {name}"] for name in ("box", "keypoint", "mask AP")}
claim("fixed: keypoints worse than learnt by 0.02 or more", held["keypoint"].max() < -0.02)
claim("boxes by 0.01 or more, and mask AP worse as well", held["box"].max() < -0.01 and held["mask AP"].max() < 0)
claim("mask AP not better than our guess in every run", (fixed.stored["mask AP"] - runs["all heads mask AP"]).min() < 0)

# %% [markdown]
# As plain numbers the learnt weights of classes and masks lie above both others; to Adam that says nothing. The row
# *all heads* has our guess. With equal weights boxes gain and keypoints pay. Learnt weights give better masks than our
# guess. Because of their shares? The last row is the control: the shares that each run came to, from the first step on,
# with the sum of our guess. The gain in masks is not there in every run, and boxes and keypoints are worse than with
# learnt weights. So it is not the shares of the end. What else there is, these runs do not part: the shares moved, and
# the sum grew from 4 to more than 17. A sum that grows is *not* nothing to Adam, which divides by gradients of the
# past, when they were smaller: it acts like a higher rate. And all rows had the rate 0.003, which was chosen for none
# of them.
#
# **So far**: a head that is off harms those that use its answer, and hardly the others. To Adam weights are shares, and
# they move quality from one head to another; what learnt ones gain, their last shares do not explain.
#
# ## Part 7 · Every pixel one answer
#
# **How do masks that overlap become one map?**
#
# Masks of instances may overlap, and they leave the background out. **Panoptic segmentation** (Kirillov and others
# 2019) gives every pixel two answers: its class, and *which one* if it is countable. Countable classes such as shirts
# are **thing classes**; sky and grass, which have no number, are **stuff classes**. A network for it has one more
# head on the backbone, the per-pixel classes of lesson 12, and a rule that merges the two: things with a low score
# are dropped, the others come first, by their scores, and stuff takes what is left.
#
# To measure it, match true and found segments of a class whose IoU exceeds 0.5. Then the **panoptic quality** of the
# class, whose mean over the classes is the result, is
#
# $$PQ = \frac{\text{sum of the IoU of all pairs}}{\text{pairs} + (\text{missed} + \text{invented}) / 2}$$
#
# It needs no scores, since every pixel has been given away.
#
# ### Exercise 13.6 · One owner for each pixel
#
# ●●○ · 10 min
#
# Write the rule for things. Go through the masks, best score first. A mask gets those of its pixels that nobody owns
# yet. But if that is less than the share `least` of the mask, it is a double: it gets nothing, and its pixels stay free
# for the next. Return a map of whole numbers (height, width): 0 where nobody owns the pixel, `i + 1` for `masks[i]`. No
# mask is empty.
#
# For example, of two masks of 8 pixels that share 2, the one with the lower score gets 6. If they share 5, it gets
# none.


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

# %% [markdown]
# **So far**: instances may overlap, a panoptic map may not. A rule gives each pixel to one owner, the best score first.
#
# ## Recap
#
# - A backbone is computed once for all heads; here that halves the multiplications. They agree on the shape of the map
#   and on nothing else.
# - RoI align cuts a box out of a map without rounding. Places have their values in their middles: mind the half.
# - A heatmap knows a point to a fraction of a place, if its neighbours are asked.
# - Losses in different units are added up, so the weights decide who is heard. Look at the error signals, not at the
#   losses: how long they are, and where they arrive. To Adam only the shares of the weights count.
# - A head that is off harms those that use its answer, and hardly the others. Whether tasks help or hinder each other
#   in the backbone, measure, with each side at its best.
# - Learnt weights make each loss equally large. They do not know what matters to you.
# - Mask AP is AP with the IoU of masks. It judges several heads at once; to see one of them, give it the truth.
#
# ## Explain it
#
# **Your detector gets a mask head, and box AP falls. Name two causes, and how to tell them apart.**
#
# <details><summary>Model answer</summary>
#
# First, is it a fall? Compare three seeds, and give each side the rate that is best for it. Then: the mask loss may be
# too loud, so that its error signal drowns the others in the backbone. Compare the lengths of the signals, and lower
# its weight; if that is the cause, box AP comes back and mask AP hardly suffers. Or the two tasks disagree: then the
# cosine of their signals is clearly below 0, and a smaller weight only trades one for the other. Try more channels in
# the backbone, or more layers for each head.
#
# </details>
#
# **Mask AP is much lower than box AP. Where do you look?**
#
# <details><summary>Model answer</summary>
#
# Judge the mask head in true boxes. If it is good there, the boxes are shaky, and masks are cut off at their sides:
# train the mask head on shaken boxes, or cut out a little more. If it is bad there too, look for a half pixel lost in
# RoI align or in pasting, then at the resolution of map and mask, then at the loss.
#
# </details>
#
# **Why does the mask head train on true boxes, and what can go wrong with that?**
#
# <details><summary>Model answer</summary>
#
# At first the box head finds nothing worth cutting out, and what it finds changes all the time. True boxes give the
# mask head something to learn from the first step on. But at inference it meets other boxes than it has seen, worse
# ones. So shake the true boxes as much as the found ones are wrong, or go over to found ones later in the training.
#
# </details>
#
# **A colleague adds a depth head, in metres, with weight 1. What do you ask?**
#
# <details><summary>Model answer</summary>
#
# Why metres? In millimetres the same loss is a thousand times as loud. Ask for the length of its error signal beside
# those of the others, and for the scores of the other heads before and after.
#
# </details>
#
# ## What comes next
#
# A network that answers is half of a product. The next lesson builds all that stands around it, from an image file to
# an answer that a program can use.
# [14 From image file to answer](../notebooks/14_from_image_file_to_answer.ipynb) · [Course map](../README.md)
#
# ## References
#
# - Z. Chen, V. Badrinarayanan, C.-Y. Lee and A. Rabinovich (2018). GradNorm: gradient normalization for adaptive loss
#   balancing in deep multitask networks. *ICML*.
# - R. Girshick (2015). Fast R-CNN. *ICCV*.
# - K. He, G. Gkioxari, P. Dollár and R. Girshick (2017). Mask R-CNN. *ICCV*.
# - A. Kendall, Y. Gal and R. Cipolla (2018). Multi-task learning using uncertainty to weigh losses for scene geometry
#   and semantics. *CVPR*.
# - A. Kirillov, K. He, R. Girshick, C. Rother and P. Dollár (2019). Panoptic segmentation. *CVPR*.
# - A. Newell, K. Yang and J. Deng (2016). Stacked hourglass networks for human pose estimation. *ECCV*.
# - F. Zhang, X. Zhu, H. Dai, M. Ye and C. Zhu (2020). Distribution-aware coordinate representation for human pose
#   estimation. *CVPR*.
# - X. Zhou, D. Wang and P. Krähenbühl (2019). Objects as points. *arXiv*.
