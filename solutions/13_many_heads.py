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
# - see the error signal that each head sends into the backbone, and balance several losses by hand or by learning
# - tell which numbers fall when a head is switched off, and why
# - measure instances by mask AP, and merge them into one panoptic map
#
# **Before this**: [11 Object detection](../notebooks/11_object_detection.ipynb),
# [12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · **Reading** 45 min · **Exercises** 60 min
#
# [← 12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="13")

# %%
import keras
import numpy as np
from keras import layers, ops

from cnnlib import claim, detection, exercise, gradients, models, plotting, training
from cnnlib.claims import approx, measured
from cnnlib.detection.heads import LOSSES
from cnnlib.results import Experiment
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
inside = [m.sum() / detection.area(b[None])[0] for s in range(len(test)) for b, m in zip(test.boxes[s], test.masks[s])]
measured("share of a box that is not the item, on average", 1 - np.mean(inside), digits=2)
claim("more than a quarter of the pixels in a box are not the item's", np.mean(inside) < 0.75)

# %% [markdown]
# ## One backbone
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
# ## Heads that answer at each place
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
# Which pixels? Asked at each place, the answer would need a whole mask at each place. So the **mask head** is asked
# only where there is an object: a box, true or found, is cut out of the shared map at a fixed size, and a few layers
# say for each of 16 by 16 cells of the *box* whether it is the object. That is the idea of Mask R-CNN (He and others
# 2017). A box to be cut out of a map is a **region of interest** (RoI).
#
# How is a box cut out of a map? Its sides lie anywhere; the map has a place every 4 pixels. An early answer, **RoI
# pooling** (Girshick 2015), was to round the sides of the box to whole places of the map. Try both on a map whose value
# at each place *is* the place's middle in pixels: then what is cut out should be the middles of the cells of the box.
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
# \rfloor)$ and $u - \lfloor u \rfloor$. At the last place $\lfloor u \rfloor + 1$ lies beyond the map: its share is 0
# there, so hold the index inside. The half is easily forgotten.
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
# of a heatmap is **sub-pixel decoding**. What is left is what the network does not know.
#
# ### Exercise 13.3 · Decode a heatmap
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
        "class": targets["class"][:3].max(-1),
        "box: counted": targets["box"][:3, ..., 4],
        "keypoint": targets["keypoint"][:3].max(-1),
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
# with the loss $L_k$ and the **loss weight** $w_k$ of head $k$. (A **nat** is the unit of a cross-entropy with natural
# logarithms. Beside a centre, where the Gaussian is high, a wrong answer of the class head costs less: times
# $(1 - \text{target})^4$.) Four quantities in four units are added up here. Nothing but $w_k$ says how many pixels are
# worth how many nats.
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
# The class head is the loudest, closely followed by the box head; masks and keypoints are some hundred times quieter.
# That is no order of importance. One sums over places, one counts pixels, the others take a mean over many cells or
# places. With equal weights the backbone would hear of classes and boxes, and nearly nothing of the other two.
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
# Balanced at the start is not balanced at the end, so such weights are a first guess. (GradNorm, Chen and others 2018,
# balances again while it trains.) Here is ours, in round numbers: a
# pixel is worth a tenth of a nat, and the keypoints count twenty times. Whether it is a good one, we shall see.
#
# Training is as ever, with a model that returns several answers and adds up several losses. The mask head is given the
# true boxes, shaken, so that it does not wait for the box head to learn. You train for three epochs; the stored runs
# had six.

# %%
chosen = {"class": 1.0, "box": 0.1, "mask": 1.0, "keypoint": 20.0}
guessed = {name: chosen[name] * length for name, length in at_start.items()}
print({name: approx(length, 2) for name, length in guessed.items()})
claim("with this guess the class head is the loudest at first", max(guessed, key=guessed.get) == "class")
claim("by a factor of 3 or more", guessed["class"] > 3 * max(guessed[name] for name in ("box", "mask", "keypoint")))

# %%
heads = Experiment("13_heads")
epochs = heads.pick(stored=6, live=runtime.pick(smoke=1, cpu=3, gpu=6))
batches = detection.SceneBatches(train.images, targets, batch_size=16)
scene, boxes = keras.Input((64, 64, 3), name="images"), keras.Input((3, 4), name="rois")
features = backbone(scene)
said = {**dense(features), "mask": mask_head([features, boxes])}
network = keras.Model({"images": scene, "rois": boxes}, said)
task = detection.MultiTask(network, LOSSES)
steps = epochs * len(batches)
task.compile(keras.optimizers.Adam(training.warmup_cosine(peak=0.003, steps=steps, warmup=steps // 8)))


# %%
def learn(weights, label, uncertainty=False):
    """Train from the same start with these loss weights; the history."""
    task.restart()
    task.weigh(weights, uncertainty)
    return training.fit(task, batches, epochs=epochs, shuffle=False, label=label).history


history = learn(chosen, "all heads")

# %% [markdown]
# ## Where each head is heard
#
# Look at the error signals of the trained network once more, now *where* they arrive. In these pictures bright means
# that the features of this place should change.
#
# **Predict**: the box loss counts 3 by 3 places around each centre. From how many places does the box head ask for a
# change? And the mask head?

# %%
signals = error_signals(np.array(list(chosen.values()), "float32"))
loudness = {name: np.linalg.norm(signal, axis=-1) for name, signal in signals.items()}
plotting.laid_over(
    train.images[:3],
    {name: maps[:3] for name, maps in loudness.items()},
    alt="Three scenes and the error signals of four heads: class and box at the centres, mask inside the boxes, "
    "keypoints along the outlines.",
)

# %%
silent = {name: float(np.mean(maps == 0)) for name, maps in loudness.items()}
for name, share in silent.items():
    measured(f"{name:8} head: share of places that hear nothing", share, digits=2)
claim("the box head is silent at two places of three or more", silent["box"] > 2 / 3)
claim("the mask head at one of three or more", silent["mask"] > 1 / 3)
claim("the class and the keypoint head hardly anywhere", max(silent["class"], silent["keypoint"]) < 0.05)

# %% [markdown]
# The first convolution of the box head sees one place further than the 3 by 3 that count. The mask head reads inside
# the boxes and nowhere else. So the four heads teach the same map in different places, and most of the ground is tilled
# by the class and the keypoint head alone.
#
# Do they agree where they meet? The cosine of two signals says so: 1 if they pull in the same direction, 0 if neither
# helps nor disturbs the other, below 0 if what helps the one harms the other.

# %%
flat = np.stack([signal.ravel() / np.linalg.norm(signal) for signal in signals.values()])
cosines = flat @ flat.T
plotting.heatmap(
    cosines,
    rows=list(LOSSES),
    columns=list(LOSSES),
    form="{:.2f}",
    limits=(-1, 1),
    alt="Cosines of the error signals of each pair of heads: ones on the diagonal, near zero elsewhere.",
)
claim("no two heads agree or disagree by more than a cosine of 0.5", np.abs(cosines - np.eye(4)).max() < 0.5)

# %% [markdown]
# They disturb each other little, partly because they speak at different places, partly because 36 channels leave room.
# In this step, what one head asks for hardly touches the others. Over a whole training they may still crowd each
# other; that is measured below. A cosine clearly below 0 would be a warning: then a bigger backbone helps, or one of
# its own for the odd task.
#
# ## From maps to objects
#
# At inference nobody tells the boxes. Take the peaks of the class maps, places that none of their eight neighbours
# exceeds. At each peak read the sides: that is a box with a kind and a score. Cut the box out of the same map and ask
# for its mask. At last look for the keypoints in the box: the heatmaps hold the points of *all* objects, and the box
# says which are whose.


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


# %% [markdown]
# Two kinds may have a peak on one thing: a dress, or is it a top? For the figure, non-maximum suppression over all
# kinds keeps the better one (lesson 11), and what scores less than 0.3 is left out.

# %%
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
# ## One number for instances: mask AP
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
# In the library, the same is done for all kinds, scenes and thresholds.
#
# **Predict**: which curve lies higher, and where do both come to 0?


# %%
truth = [{**one, "labels": kind_of[one["labels"]]} for one in test.truth]


def ap(found, what):
    """AP of "box" or "mask", as COCO has it."""
    return detection.coco_evaluation(truth, found, len(KINDS), masks=what == "mask")


thresholds = np.linspace(0.5, 0.95, 10)
curves = {f"{what} AP": ap(found, what).precision[..., 0].mean(axis=(1, 2)) for what in ("box", "mask")}
plotting.curves(
    curves,
    x=thresholds,
    xlabel="IoU from which a found object is right",
    ylabel="AP, mean of the kinds",
    markers=True,
    height=2.6,
    alt="Box AP and mask AP fall from the left, at an IoU of 0.5, to nearly zero at 0.95.",
)
claim(
    "both fall by more than half from a threshold of 0.5 to one of 0.8", all(c[6] < c[0] / 2 for c in curves.values())
)
box_curve, mask_curve = curves.values()
claim("at 0.5 the two differ by less than 0.06", abs(box_curve[0] - mask_curve[0]) < 0.06)
claim("from 0.75 to 0.85 masks are ahead of boxes", (mask_curve[5:8] > box_curve[5:8]).all())

# %% [markdown]
# At 0.5 both are alike; from 0.75 on the masks are ahead. At 0.5 the question is whether the thing was found. From
# 0.75 on it is how exactly, and one place of the map, 4 pixels, is much in a box of 35.
#
# AP judges all heads at once: a wrong kind, a bad box or a bad mask, and the object is wrong. To see a single head,
# give it the truth for all that others would tell it. Then the class head is judged at the true centres, the box head
# too, the mask head in the true boxes, and the keypoint head as well: the share of points found within 4 pixels.
# (Compare the masks with one that fills its box: its IoU is the item's share of the box, as at the top of this page.)


# %%
def judge():
    """Each head by itself, with the truth in place of the others, and box AP and mask AP of all together."""
    features, maps, found = find(test.images)
    heat, masks = sigmoid(maps["keypoint"]), masks_in(features, test.boxes)
    scores = detection.head_scores(test, kind_of, maps["class"], maps["box"], heat, masks)
    return scores | {f"{what} AP": ap(found, what).ap for what in ("box", "mask")}


scores = judge()
for name, value in scores.items():
    measured(f"{name:8}", value, digits=2)
claim("the kind is right at more than 70 % of the true centres", scores["class"] > 0.7)
claim(
    "a mask in a true box is better than one that fills the box, by 0.03 or more",
    scores["mask"] > np.mean(inside) + 0.03,
)
claim("mask AP is above 0.15 after half of the training", scores["mask AP"] > 0.15)

# %% [markdown]
# ## Each head switched off
#
# Now switch the heads off in training, one at a time: the weight of its loss is 0, all else is the same. These runs are
# stored, for three seeds, beside longer ones of all four together.
#
# **Predict** for each of the four: which of the six numbers fall?

# %%
heads.keep(**{f"all heads {name}": value for name, value in scores.items()})
heads.keep(**{f"all heads {name} loss": history[f"{name}_loss"][-1] for name in LOSSES})

# %% jupyter={"source_hidden": true}
# The other ways to weigh the losses: `python tools/run_experiments.py --lesson 13` comes by here.
others = {f"no {name}": {**chosen, name: 0.0} for name in LOSSES} | {"all weights 1": {}, "learnt weights": {}}
for name, weights in heads.pick(stored=others, live={}).items():
    history = learn(weights, name, uncertainty=name == "learnt weights")
    heads.keep(**{f"{name} {score}": value for score, value in judge().items()})
    heads.keep(**{f"{name} {head} loss": history[f"{head}_loss"][-1] for head in LOSSES})
    heads.keep(**{f"{name} {head} weight": weight for head, weight in task.task_weights.items()})

# %%
runs = heads.stored
plotting.score_table(runs, ("all heads", *(f"no {name}" for name in LOSSES)), tuple(scores), scores)
claim("all heads together: mask AP is above 0.25 in each stored run", runs["all heads mask AP"].min() > 0.25)


# %%
def change(name, score):
    """How much a score rises when `name` is trained instead of all heads: one number for each stored run."""
    return runs[f"{name} {score}"] - runs[f"all heads {score}"]


own = {name: change(f"no {name}", name).max() for name in LOSSES}
rest = min(change(f"no {name}", other).min() for name in LOSSES for other in LOSSES if other != name)
claim("a head that is off loses: class 0.6 or more, keypoint 0.4", own["class"] < -0.6 and own["keypoint"] < -0.4)
claim("box 0.15, mask 0.05", own["box"] < -0.15 and own["mask"] < -0.05)
claim("by itself, no other head loses more than 0.03 in any stored run", rest > -0.03)

# %% [markdown]
# By themselves, the heads do not need each other: each still learns what it is asked. What falls is what they do
# together, the last two columns.

# %%
lost = {f"{name} {what}": change(f"no {name}", f"{what} AP") for name in LOSSES for what in ("box", "mask")}
claim("without classes, both AP fall by more than 0.2", max(lost["class box"].max(), lost["class mask"].max()) < -0.2)
claim("without boxes, box AP falls by more than 0.15, and mask AP by less", lost["box box"].max() < -0.15)
claim("in each of the runs", (lost["box mask"] > lost["box box"]).all())
claim("without masks, mask AP falls by more than 0.1", lost["mask mask"].max() < -0.1)
claim("and box AP changes by less than 0.03", np.abs(lost["mask box"]).max() < 0.03)
claim("without keypoints, both do", np.abs([lost["keypoint box"], lost["keypoint mask"]]).max() < 0.03)

# %% [markdown]
# This is the order in which the answers are used. The class head finds the objects: without it, nothing. The box head
# says what is cut out. Switched off, it stays near its bias, 16 pixels to each side, around centres that are right, and
# the mask head still finds much of the item in there. The keypoints are asked last, and nobody depends on them.
#
# And do the heads help each other? **Multi-task learning** hopes for it: what one task teaches the backbone serves
# the others.
#
# **Predict**: in which direction do the other three numbers go when the class head is off?

# %%
gains = {name: change("no class", name) for name in ("box", "mask", "keypoint")}
for name, gain in gains.items():
    print(f"{name:8} without the class head: {', '.join(f'{value:+.3f}' for value in gain)}")
claim("without the class head the three others are better in each stored run", min(map(min, gains.values())) > 0)

# %% [markdown]
# Up, if only a little. The class head is the loudest, and in this short training it seems to take something from the
# others: they share 36 channels and 600 steps. Sharing halves the multiplications, that is certain. Whether it also
# makes a head *better* is a question to measure, with your heads and your data.
#
# ## How much is a pixel worth?
#
# Our weights were a guess. To try others takes many runs, and another backbone may want others again. Kendall, Gal and
# Cipolla (2018) let the network learn them. Take each loss as that of a measurement with noise, and let $s_k$ be the
# logarithm of how strong that noise is, a weight like any other. Up to constant factors the negative logarithm of the
# likelihood then is
#
# $$L = \sum_k \left( e^{-s_k} L_k + s_k \right)$$
#
# A loss that stays large is taken for a noisy one: $s_k$ grows, and its weight $e^{-s_k}$ falls. The second term is the
# price, or all weights would go to 0.
#
# **Predict**: where does $s_k$ come to rest, if the loss is $L_k = 4$? What is the weight then?

# %%
s = np.linspace(-5, 5, 10001)
at_rest = {loss: s[np.argmin(np.exp(-s) * loss + s)] for loss in (4.0, 1.0, 0.1)}
print({loss: f"s = {value:.2f}, weight {np.exp(-value):.2f}" for loss, value in at_rest.items()})
claim(
    "a loss comes to rest with a weight of one over the loss",
    all(abs(np.exp(-v) * k - 1) < 0.01 for k, v in at_rest.items()),
)

# %% [markdown]
# So each weighted loss comes to 1, whatever its unit. Measure boxes in millimetres instead of pixels, and nothing
# changes, once $s_k$ has followed. That is the whole trick, and its limit: it makes the losses equally large, not
# equally important. What a missed keypoint costs *you* it cannot know.

# %%
for head in LOSSES:
    weight = runs[f"learnt weights {head} weight"].mean()
    print(f"{head:8} weight 1, guessed {chosen[head]:4.1f}, learnt {weight:.2f}")
products = np.array([runs[f"learnt weights {k} weight"] * runs[f"learnt weights {k} loss"] for k in LOSSES])
claim("at the end, each weight times its loss lies between 0.5 and 1.05", 0.5 < products.min() < products.max() < 1.05)

# %% [markdown]
# The losses still fall while the weights learn, so the weights lag behind, that of the class head most. Now all three
# ways: our guess, 1 each, and learnt.
#
# **Predict**: which heads are better with all weights 1 than with our guess, which are worse?

# %%
plotting.score_table(runs, ("all heads", "all weights 1", "learnt weights"), tuple(scores), scores)
plain = {name: change("all weights 1", name) for name in ("box", "keypoint")}
claim("all weights 1: boxes better by 0.02 or more in each stored run", plain["box"].min() > 0.02)
claim("and keypoints worse by 0.03 or more", plain["keypoint"].max() < -0.03)
claim("learnt weights: mask AP better than our guess by 0.01 or more", change("learnt weights", "mask AP").min() > 0.01)

# %% [markdown]
# With equal weights the loud box head is served and the quiet keypoint head pays: the error signals said so before the
# training began. Our guess had it the other way round, too little for boxes and masks. The network, asked, found
# weights in between for boxes and keypoints, and gave more to classes and masks than either of us: somewhat better
# masks than with our guess, in a single run.
#
# ## Every pixel one answer
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
# ## Recap
#
# - A backbone is computed once for all heads; here that halves the multiplications. They agree on the shape of the map
#   and on nothing else.
# - RoI align cuts a box out of a map without rounding. Places have their values in their middles: mind the half.
# - A heatmap knows a point to a fraction of a place, if its neighbours are asked.
# - Losses in different units are added up, so the weights decide who is heard. Look at the error signals, not at the
#   losses.
# - A head that is off harms those that use its answer, and hardly the others. Whether tasks help or hinder each other
#   in the backbone, measure.
# - Learnt weights make each loss equally large. They do not know what matters to you.
# - Mask AP is AP with the IoU of masks. It judges all heads at once; to find the weak one, give it the truth.
#
# ## Explain it
#
# **Your detector gets a mask head, and box AP falls. Name two causes, and how to tell them apart.**
#
# <details><summary>Model answer</summary>
#
# The mask loss is too loud: its error signal drowns the others in the backbone. Compare the lengths of the signals, and
# lower its weight; box AP should come back. Or the two tasks disagree: the cosine of their signals is clearly below 0,
# and a smaller weight trades one for the other. Then give the backbone more channels, or the heads more layers of their
# own.
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
