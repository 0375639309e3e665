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
# # 12 · Semantic segmentation
#
# **Which pixel belongs to what, and how do you get from there to a count?**
#
# When you have worked through this page you can
# - give every pixel a class, and say with IoU, Dice and a boundary score how well that went
# - build a U-Net from blocks, train it on one small micrograph, and show what its skip connections are for
# - tell what a loss changes about a rare class from what a threshold changes
# - predict which transposed convolutions draw a checkerboard, and go from a mask to a number of objects
# - segment an image that is larger than the network's input without seams, and photographs with DeepLab
#
# **Before this**: [02 Feature maps and receptive fields](../notebooks/02_feature_maps_and_receptive_fields.ipynb),
# [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb) · **Reading** 60 min ·
# **Exercises** 60 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 A class for every pixel | How do you say how good a mask is? | 20 |
# | 2 Down, and up again | How does a network see far and still answer for each pixel? | 30 |
# | 3 A rare class | What does a loss change about a class that hardly occurs? | 15 |
# | 4 The checkerboard | How do you double a map without drawing a grid? | 15 |
# | 5 Counts and tiles | How do you get from a mask to a number, and to a whole slide? | 30 |
# | 6 Photographs | What does a network that was trained on others' photographs make of yours? | 10 |
#
# [← 11 Object detection](../notebooks/11_object_detection.ipynb) · [Course map](../README.md) ·
# [13 Many heads, one backbone →](../notebooks/13_many_heads.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="12")

# %%
import keras
import numpy as np
from keras import layers, ops
from scipy import ndimage
from scipy.special import expit

from cnnlib import claim, datasets, exercise, models, plotting, predict, reliability, reveal, segmentation, training
from cnnlib.claims import approx, measured
from cnnlib.models import deeplab
from cnnlib.results import Experiment

# %% [markdown]
# ## Part 1 · A class for every pixel
#
# **How do you say how good a mask is?**
#
# These are nuclei of cells under a fluorescence microscope (Schmidt and others 2018). Somebody has drawn around each
# of them. That is slow work, so there is one micrograph, not ten thousand. The left part is for learning, the right
# part is held out.


# %%
def prepare(picture):
    """Dark to about 0, bright to about 1; the square root lifts the faint nuclei."""
    return np.sqrt(np.clip((picture - low) / (high - low), 0, None)).astype("float32")


image, nuclei = datasets.nuclei_image("train")
new_image, new_nuclei = datasets.nuclei_image("test")
low, high = np.percentile(image, [1, 99])
x, new = prepare(image), prepare(new_image)
plotting.label_maps(
    [x, x, new, new], [0 * nuclei, nuclei, 0 * new_nuclei, new_nuclei],
    titles=["to learn from", "as annotated", "held out", "as annotated"],
    alt="A wide and a narrow part of a micrograph: bright nuclei on black, and the same, each nucleus in a colour.",
)  # fmt: skip

# %% [markdown]
# The split goes by region, and 32 columns between the two belong to neither. Had you drawn pixels or small tiles by
# chance, halves of the same nucleus would be on both sides (lesson 08).
#
# ### Background and nucleus
#
# **Semantic segmentation** gives each pixel a class: here background, 0, and nucleus, 1. The answer is a **label
# map**, as large as the image, with the number of a class at each pixel. The network that makes it is a classifier
# with one change: it has scores not for the image but for each pixel, so its output is (n, height, width, classes).
#
# **Predict**: a model says *background* everywhere. Which share of the pixels is right?

# %%
predict("12.a", "Which share of the pixels of the held-out part has an empty answer right?", unit="%")

# %%
mask, new_mask = (nuclei > 0).astype("uint8"), (new_nuclei > 0).astype("uint8")
train_names, test_names = (set(np.unique(part)) - {0} for part in (nuclei, new_nuclei))
nothing = np.zeros_like(new_mask)
reveal("12.a", round(100 * segmentation.pixel_accuracy(new_mask, nothing, 2), 1), exact=True)
claim("89 nuclei, or parts of one, to learn from, and 35 held out", (len(train_names), len(test_names)) == (89, 35))
claim("no nucleus is in both", not train_names & test_names)

# %% [markdown]
# Accuracy is no use when one class is most of the image. So count, for each class, the pixels that are in the true
# mask and in the predicted one ($TP$), only in the predicted one ($FP$), and only in the true one ($FN$):
#
# $$\text{IoU} = \frac{TP}{TP + FP + FN} \qquad\qquad \text{Dice} = \frac{2\,TP}{2\,TP + FP + FN}$$
#
# IoU and the **Dice score** are 1 for a perfect mask and 0 for one that misses everything. They always agree on which
# of two masks is better, since one is a function of the other: $\text{Dice} = 2\,\text{IoU} / (1 + \text{IoU})$. The
# **mean IoU** averages the IoU over the classes.
#
# Neither looks at outlines: of a large object most pixels lie inside. The **boundary F-score** (Csurka, Larlus and
# Perronnin 2013) compares only the outlines: which share of the predicted outline lies within a pixel of the true one,
# and the other way round.
#
# Now a rival for the network. Otsu's threshold (1979), `segmentation.otsu`, parts bright from dark so that the two
# groups lie as far apart as they can. It has no weights, and it learns one number.


# %%
def scores(predicted):
    """Dice of the nuclei, and F-score of their outlines to one pixel, in the held-out part."""
    outline = segmentation.boundary_f_score(new_mask, predicted, tolerance=1)[1]
    return {"Dice": segmentation.dice(new_mask, predicted, 2)[1], "outline": outline}


bright = (new[..., 0] > segmentation.otsu(x)).astype("uint8")
by_threshold = scores(bright)
plotting.mistakes(
    new, new_mask, {"nothing": nothing, "threshold": bright},
    alt="The threshold draws bright nuclei too large and faint ones too small.",
)  # fmt: skip

# %%
accuracy, both = segmentation.pixel_accuracy(new_mask, bright, 2), segmentation.iou(new_mask, bright, 2)
claim("the threshold has 95 % of the pixels right", round(accuracy, 2) == 0.95)
claim("an IoU of 0.94 for the background and 0.78 for the nuclei", both.round(2).tolist() == [0.94, 0.78])
claim("a Dice of 0.87, which is 2 IoU / (1 + IoU)", np.isclose(by_threshold["Dice"], 2 * both[1] / (1 + both[1])))
measured("F-score of its outlines", by_threshold["outline"], digits=2)

# %% [markdown]
# ### Exercise 12.1 · Mean IoU
#
# ●○○ · 10 min
#
# Write `mean_iou`. Both maps hold classes from 0 to `classes - 1`. Pixels whose *true* label is 255 count for nothing,
# whatever is predicted there. A class that occurs in neither map is left out of the mean. Raise a `ValueError` if the
# two maps differ in shape.
#
# For example, the true row `[0, 0, 1, 255]` and the predicted row `[0, 1, 1, 1]` give $1/2$ for both classes, so the
# mean is 0.5, also with `classes=3`.


# %%
def mean_iou(true: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """The mean IoU of the classes that occur; true label 255 is ignored; ValueError for two shapes."""
    ### BEGIN SOLUTION
    if true.shape != predicted.shape:
        raise ValueError(f"shapes {true.shape} and {predicted.shape}")
    counts = true != 255
    true, predicted = true[counts], predicted[counts]
    found = []
    for label in range(classes):
        union = np.sum((true == label) | (predicted == label))
        if union:
            found.append(np.sum((true == label) & (predicted == label)) / union)
    return float(np.mean(found))
    ### END SOLUTION


# %%
exercise("12.1").check(mean_iou)

# %% [markdown]
# **So far**: a label map says the class of each pixel. Accuracy is blind to a class that is rare; IoU and Dice are not,
# and neither sees outlines. A threshold without weights reaches a Dice of 0.87.
#
# ## Part 2 · Down, and up again
#
# **How does a network see far and still answer for each pixel?**
#
# To know that a pixel is nucleus and not dust, a network must see its surroundings. Lesson 02 showed the cheap way to
# see far: halve the map again and again. But then the answer is small, and the question was about each pixel. An
# **encoder** goes down, to ever smaller maps, and a **decoder** comes up again to full size.
#
# What goes down loses the exact place of every edge. **U-Net** (Ronneberger, Fischer and Brox 2015) hands the edges
# over: at each size the decoder gets the encoder's map of the same size beside its own, by **skip connections**.


# %%
def block(x, filters):
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x


def encoder(x, width, depth):
    """The maps of each size, the largest first, and the one at the bottom."""
    features = []
    for level in range(depth):
        features.append(block(x, width * 2**level))
        x = layers.MaxPooling2D(2)(features[-1])
    return features, block(x, width * 2**depth)


features, bottom = encoder(keras.Input((96, 96, 1)), width=8, depth=3)
shapes = [tuple(part.shape[1:]) for part in (*features, bottom)]
claim("at the bottom 12 x 12 places with 64 channels are left", shapes[-1] == (12, 12, 64))
claim("and the skips have 96, 48 and 24 pixels a side", [shape[0] for shape in shapes[:3]] == [96, 48, 24])

# %% [markdown]
# ### Exercise 12.2 · Build the decoder
#
# ●●○ · 10 min
#
# `features` are the encoder's maps, the largest first; `x` is what is at the bottom. At each level, from the smallest
# to the largest:
# 1. double `x` with `layers.UpSampling2D(2)`;
# 2. a 3x3 convolution with `padding="same"`, to as many channels as the encoder's map of that level has;
# 3. put the encoder's map and `x` together along the channels;
# 4. a `block` with as many filters as in step 2.
#
# Return the last `x`.


# %%
def decoder(features: list, x):
    """From the bottom x back to the size of features[0], with all skips."""
    ### BEGIN SOLUTION
    for skip in reversed(features):
        filters = skip.shape[-1]
        x = layers.UpSampling2D(2)(x)
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.Concatenate()([skip, x])
        x = block(x, filters)
    return x
    ### END SOLUTION


# %%
exercise("12.2").check(decoder)

# %% [markdown]
# The library has the same network as `segmentation.UNet`, with one output channel: the logit of *nucleus*. It has no
# dense layer, so it takes an image of any size.
#
# ### What to minimise
#
# For each pixel there is the cross-entropy of lesson 03, and its mean over the image. The **Dice loss** makes the score
# itself something with a gradient: take probabilities $p_i$ in the place of a mask (compare Milletari, Navab and Ahmadi
# 2016, who square the terms below the line), with the true labels $t_i$:
#
# $$L = 1 - \frac{2 \sum_i p_i t_i + s}{\sum_i p_i + \sum_i t_i + s}$$
#
# The small $s$ keeps it at 0 where there is nothing to find and nothing is found. The **Tversky loss** (Salehi,
# Erdogmus and Gholipour 2017) weighs the two kinds of mistakes, $\alpha$ for what is invented and $\beta$ for what is
# missed:
#
# $$L = 1 - \frac{TP + s}{TP + \alpha\,FP + \beta\,FN + s}$$
#
# with sums of probabilities for $TP$, $FP$, $FN$. With $\alpha = \beta = 1/2$ it is the Dice loss again, with $2s$ for
# $s$.
#
# ### Exercise 12.3 · Dice loss
#
# ●○○ · 10 min
#
# Write it for a batch of `labels` (n, height, width), 0 or 1, or 255 for pixels that do not count, and `logits` of the
# same shape. The sums run over all pixels of the batch that count, and $p_i = 1 / (1 + e^{-z_i})$ for a logit $z_i$.


# %%
def dice_loss(labels: np.ndarray, logits: np.ndarray, smooth: float = 1.0) -> float:
    """1 minus the Dice score of probabilities; labels 255 are left out."""
    ### BEGIN SOLUTION
    counts = labels != 255
    t, p = labels[counts], 1 / (1 + np.exp(-logits[counts]))
    return float(1 - (2 * np.sum(p * t) + smooth) / (np.sum(p) + np.sum(t) + smooth))
    ### END SOLUTION


# %%
exercise("12.3").check(dice_loss)

# %% [markdown]
# ### Train it
#
# The mask is drawn with a gap wherever two nuclei touch (`segmentation.separated`), so that the network learns to keep
# them apart. The loss is the sum of cross-entropy and Dice, a common choice; part 3 asks what such a choice is worth.
#
# There is one image, so augmentation has to make the batches: 400 squares of 96 pixels from random places, each turned
# or mirrored in one of eight ways, and darker or brighter by up to a quarter. Four of them are a batch. You train for
# one epoch, 100 steps; the stored runs had two. The rate, 0.003, is the same for all networks of this part.
#
# **Predict**: 135,000 weights, 89 nuclei. Which Dice does it reach on the held-out part? The threshold had 0.87.

# %%
predict("12.b", "Which Dice does the U-Net reach on the held-out part?")

# %%
unets = Experiment("12_unet")
epochs = unets.pick(stored=2, live=1)
rng = np.random.default_rng(runtime.seed())
crops, targets = segmentation.random_crops(x[None], segmentation.separated(nuclei)[None], 96, 400, rng)
crops *= rng.uniform(0.75, 1.25, (400, 1, 1, 1)).astype("float32")


def train(model, label, batch_size=4, **options):
    """100 steps an epoch; returns the logits of the held-out part."""
    rate = keras.optimizers.schedules.CosineDecay(0.003, 100 * epochs)
    loss = segmentation.SumOfLosses([segmentation.PixelCrossEntropy(), segmentation.DiceLoss()])
    model.compile(keras.optimizers.Adam(rate), loss)
    count = 100 * batch_size
    training.fit(model, crops[:count], targets[:count], epochs=epochs, batch_size=batch_size, label=label, **options)
    return ops.convert_to_numpy(model.predict_on_batch(new[None]))[0, ..., 0]


# %%
unet = segmentation.UNet((None, None, 1), depth=3, width=8, norm="batch")
claim("it has 135,177 weights", unet.count_params() == 135_177)
logits = train(unet, "U-Net")
found = (logits > 0).astype("uint8")
with_skips = scores(found)
reveal("12.b", with_skips["Dice"])
plotting.mistakes(
    new, new_mask, {"threshold": bright, "U-Net": found}, alt="The U-Net errs by a pixel at some rims, and hardly more."
)
claim("Dice is above 0.92", with_skips["Dice"] > 0.92)
claim("4 points or more above the threshold", with_skips["Dice"] > by_threshold["Dice"] + 0.04)
claim("the outlines gain at least 20 points", with_skips["outline"] > by_threshold["outline"] + 0.2)

# %% [markdown]
# One image is enough *here*. Likely it helps that each pixel is an example, that each turn and place makes a new one,
# and that the held-out part comes from the same dish under the same lamp. It says nothing about another microscope.
#
# ### Without the skips
#
# What are the skip connections for? Take them out, and change nothing else: not the rate either, which was tuned for
# neither. The bottom has 12 x 12 places for 96 x 96 pixels, and everything must pass through it. (The decoder then has
# fewer weights too, since it is given fewer channels.) This network was trained for the stored runs only.
#
# **Predict**: which suffers more without the skips, Dice or the outlines?

# %%
predict("12.c", "Which loses more points without the skips?", choices=["Dice", "outline"])


# %% jupyter={"source_hidden": true}
# This run, and four further networks for the stored runs: `python tools/run_experiments.py --lesson 12` comes by here.
def grid_of(model, doubling):
    """What repeats every two pixels: behind the last doubling, and in the logits."""
    inside = keras.Model(model.input, [model.get_layer(doubling).output, model.output])
    return [segmentation.checkerboard(ops.convert_to_numpy(part)) for part in inside.predict_on_batch(new[None])]


grid = {"resize": grid_of(unet, "up0_conv")}
unets.keep(**{f"U-Net {key}": value for key, value in with_skips.items()})

for name in unets.pick(stored=("no skips", "transposed", "batch", "group"), live=()):
    options = {"no skips": {"skips": False}, "transposed": {"decoder": "transposed"}, "group": {"norm": "group"}}
    model = segmentation.UNet((None, None, 1), 3, 8, **{"norm": "batch", **options.get(name, {})})
    whole = train(model, name, batch_size=1 if name in ("batch", "group") else 4)
    if name == "transposed":
        grid[name] = grid_of(model, "up0_transposed")
    else:
        unets.keep(**{f"{name} {key}": value for key, value in scores((whole > 0).astype("uint8")).items()})
    if name in ("batch", "group"):
        tiles = segmentation.predict_tiled(model.predict_on_batch, new, 96, 72, 32, 8, batch_size=4)[..., 0]
        unets.keep(**{f"{name} tiled": np.abs(tiles - whole).max()})
unets.keep(grid=grid)

# %% jupyter={"source_hidden": true}
runs = unets.stored
lost = {key: runs[f"U-Net {key}"] - runs[f"no skips {key}"] for key in with_skips}
reveal("12.c", max(lost, key=lambda key: lost[key].mean()))
measures = {"Dice": "Dice", "outline": "F-score of outlines"}
plotting.recipes(
    runs, unets.live, rows=("U-Net", "no skips"), measures=measures, xlabel="score, held-out part", limits=None
)
claim("in each stored run the outlines lose at least 2 points without skips", lost["outline"].min() > 0.02)
claim("on average at least twice what Dice loses", lost["outline"].mean() > 2 * lost["Dice"].mean())

# %% [markdown]
# What is nucleus and what is not, the bottom mostly knows without skips; where it ends, less so.
#
# **So far**: an encoder sees far, a decoder comes back to full size, and skips hand over the maps of each size. Without
# them the outlines lose more than Dice. Dice and Tversky losses are scores with a gradient.
#
# ## Part 3 · A rare class
#
# **What does a loss change about a class that hardly occurs?**
#
# Where two nuclei nearly touch lies a **seam**: the pixels that are near both. They decide whether you count one
# nucleus or two, and there are few of them. Four losses shall find them.
#
# The model is as small as can be, so that only the losses differ: ten numbers for each pixel, the brightness and
# smoothed versions of it, and one 1x1 convolution on top. That is eleven weights for 160,000 pixels. It cannot learn
# them by heart, so look at the pixels that it was trained on. What the seed changes is which squares of them it is
# shown.
#
# **Predict**: a pixel is marked where its probability is above one half. Which share of the seam does plain
# cross-entropy mark?

# %%
predict("12.d", "Which share of the seam does plain cross-entropy find, cut at one half?", unit="%")

# %% jupyter={"source_hidden": true}
# Seams, ten features of each pixel, and squares of both that depend on the seed.
rare = Experiment("12_rare")
seam = segmentation.seams(nuclei)
share = float(seam.mean())
smoothed = (ndimage.gaussian_filter, ndimage.gaussian_laplace, ndimage.gaussian_gradient_magnitude)
seen = np.stack([x[..., 0], *(filtered(x[..., 0], s) for s in (1, 2, 4) for filtered in smoothed)], axis=-1)
seen = ((seen - seen.mean(axis=(0, 1))) / seen.std(axis=(0, 1))).astype("float32")
squares, wanted = segmentation.random_crops(seen[None], seam[None], 96, 240, runtime.seed())


# %%
def seam_logits(loss):
    """Logits of a 1x1 convolution, trained with this loss from zero, on the same squares in the same order."""
    keras.utils.set_random_seed(runtime.seed())
    model = keras.Sequential([keras.Input((None, None, 10)), layers.Conv2D(1, 1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.3, 180)), loss)
    training.fit(model, squares, wanted, batch_size=4, epochs=3, quiet=True)
    kernel, bias = model.get_weights()
    return (seen @ kernel[0, 0] + bias)[..., 0]  # what a 1x1 convolution computes


losses = {
    "cross-entropy": segmentation.PixelCrossEntropy(),
    "weighted": segmentation.PixelCrossEntropy((share, 1 - share)),
    "Dice": segmentation.DiceLoss(),
    "Tversky 0.1, 0.9": segmentation.TverskyLoss(0.1, 0.9),
}
seam_scores = {name: seam_logits(loss) for name, loss in losses.items()}

# %%
marked = {name: z > 0 for name, z in seam_scores.items()}  # a logit above 0: a probability above one half
hits = {name: np.sum(each & (seam == 1)) for name, each in marked.items()}
points = {name: (hits[name] / seam.sum(), hits[name] / max(each.sum(), 1)) for name, each in marked.items()}
reveal("12.d", 100 * points["cross-entropy"][0])
claim("about one pixel in a hundred lies in a seam", 0.008 < share < 0.014)
claim(
    "cross-entropy finds less than a sixth, weighted more than 85 %",
    points["cross-entropy"][0] < 1 / 6 and points["weighted"][0] > 0.85,
)
claim("Dice finds a third to three quarters", 1 / 3 < points["Dice"][0] < 3 / 4)

# %% [markdown]
# Is cross-entropy lost on a rare class? That is how it looks, and it is how the table is often read. But one half is
# not a law. With features this weak hardly a pixel is more likely seam than not, so *nothing* is the right answer at
# one half. Lower the threshold until plain cross-entropy marks as much of the seam as another loss did, and compare.
#
# **Predict**: at the recall of Tversky, which has the higher precision?

# %%
predict("12.e", "Which has the higher precision?", choices=["cross-entropy", "equal within 3 points", "Tversky"])

# %% jupyter={"source_hidden": true}
curve = reliability.precision_recall_curve(seam.ravel(), seam_scores["cross-entropy"].ravel())
at = np.linspace(0.02, 1, 50)
rare.keep(
    points={name: list(point) for name, point in points.items()},
    curve=np.interp(at, curve.recall, curve.precision),
    equal={name: np.interp(recall, curve.recall, curve.precision) for name, (recall, _) in points.items()},
)
seeds = rare.all
for name, pairs in seeds["points"].columns(points).items():
    recall, precision = pairs.mean(axis=0)
    print(f"{name:17} finds {approx(recall, 2)} of the seam; {approx(precision, 2)} of what it marks is seam")
ahead = {name: seeds["points"][name][:, 1] - seeds["equal"][name] for name in points}
reveal(
    "12.e",
    ("cross-entropy", "equal within 3 points", "Tversky")[np.digitize(ahead["Tversky 0.1, 0.9"].mean(), (-0.03, 0.03))],
)
plotting.losses_on_curve(
    [(at, values) for values in seeds["curve"]],
    {name: seeds["points"][name] for name in points},
    curve="cross-entropy",
    alt="Precision falls with recall. The points of all four losses lie on the curves of plain cross-entropy.",
)
claim("in no seed is a loss 3 points off the curve", max(np.abs(each).max() for each in ahead.values()) < 0.03)

# %% [markdown]
# All four lie on one curve. Here the loss did not teach the model to find seams better: it chose a point between what
# is missed and what is invented, and moving the threshold of plain cross-entropy chooses any of them, after training
# and for nothing. (In use you choose it on validation data.)
#
# ### Three classes, and a real network
#
# Eleven weights are few. So give the U-Net three classes: background, the inside of a nucleus, and its rim, the
# outermost pixels. The rim is the rare class. The networks learn from columns 0 to 223; the rate of each loss, of
# 0.003, 0.01 and 0.03, was chosen by the mean IoU in columns 240 to 319 with one seed, and is 0.01 for all. You train
# the one with plain cross-entropy, and the stored runs have the others.
#
# **Predict**: each pixel gets the class with the largest probability. How much of the rim does it find?

# %%
predict("12.f", "How much of the rim does it find?", choices=["under 10 %", "10 to 60 %", "over 60 %"])

# %% jupyter={"source_hidden": true}
classes, new_classes = segmentation.rims(nuclei), segmentation.rims(new_nuclei)
rng = np.random.default_rng(runtime.seed())
pieces, their_classes = segmentation.random_crops(x[None, :, :224], classes[None, :, :224], 64, 600, rng)
pieces = pieces * rng.uniform(0.75, 1.25, (600, 1, 1, 1)).astype("float32")


def three_classes(loss):
    """Probabilities (height, width, 3) of the held-out part."""
    keras.utils.set_random_seed(runtime.seed())
    model = segmentation.UNet((None, None, 1), 3, depth=2, width=8, norm="batch")
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 150)), loss)
    training.fit(model, pieces, their_classes, batch_size=4, quiet=True)
    return ops.convert_to_numpy(ops.softmax(model.predict_on_batch(new[None])))[0]


# %% jupyter={"source_hidden": true}
rims = Experiment("12_rim")
shares = np.bincount(classes[:, :224].ravel()) / classes[:, :224].size
three_losses = {
    "cross-entropy": segmentation.PixelCrossEntropy(),
    "weighted": segmentation.PixelCrossEntropy(1 / shares),
    "Dice": segmentation.DiceLoss(),
}
names = rims.pick(stored=list(three_losses), live=["cross-entropy"])
p = {name: three_classes(three_losses[name]) for name in names}
rims.keep(matrix={name: segmentation.confusion_matrix(new_classes, each.argmax(-1), 3) for name, each in p.items()})
curve = reliability.precision_recall_curve((new_classes == 2).ravel(), p["cross-entropy"][..., 2].ravel())
rims.keep(curve=np.interp(at, curve.recall, curve.precision))
divided = (p["cross-entropy"] / shares).argmax(-1)
rims.keep(divided=segmentation.confusion_matrix(new_classes, divided, 3))
plotting.label_maps(
    [new] * 3,
    [new_classes, p["cross-entropy"].argmax(-1), divided],
    titles=["true", "cross-entropy", "divided by shares"],
    names=["background", "inside", "rim"],
    size=1.6,
    alt="True rims are thin lines. Cross-entropy draws none; divided by the shares of the classes, thick ones.",
)
matrices = {**rims.stored["matrix"].columns(), "divided by shares": rims.stored["divided"]}
table = {name: m.sum(axis=0) / m.sum(axis=0).sum(axis=1, keepdims=True) for name, m in matrices.items()}
plotting.heatmap(
    table["cross-entropy"], rows=["background", "inside", "rim"], columns=["background", "inside", "rim"],
    form="{:.2f}", ylabel="true", xlabel="answered by cross-entropy", limits=(0, 1), size=0.9,
    alt="Of the true rim, part is answered with background, part with inside, and nothing with rim.",
)  # fmt: skip
rim_of = {name: (m[:, 2, 2] / m[:, 2].sum(axis=1), m[:, 2, 2] / np.maximum(m[:, :, 2].sum(axis=1), 1))
          for name, m in matrices.items()}  # fmt: skip
level = ("under 10 %", "10 to 60 %", "over 60 %")
reveal(
    "12.f",
    level[np.digitize(rims.all["matrix"]["cross-entropy"][:, 2, 2].mean() / np.sum(new_classes == 2), (0.1, 0.6))],
)
for name, (recall, precision) in rim_of.items():
    print(f"{name:17} rim: recall {recall.mean():.2f}, precision {precision.mean():.2f}, mean of {len(recall)} seeds")
equal = {
    name: [np.interp(r, at, values) for r, values in zip(rim_of[name][0], rims.stored["curve"])] for name in rim_of
}
ahead = {name: rim_of[name][1] - equal[name] for name in ("weighted", "Dice", "divided by shares")}
for name, each in ahead.items():
    print(f"{name:17} above the curve of cross-entropy at its recall: {(100 * each).round(1).tolist()} points")
claim(
    "plain cross-entropy finds less than a tenth of the rim, and Dice more than a half, in each stored run",
    rim_of["cross-entropy"][0].max() < 0.1 and rim_of["Dice"][0].min() > 0.5,
)
claim("divided by the shares, it finds more than 70 %", rim_of["divided by shares"][0].min() > 0.7)
claim(
    "at equal recall no way is 3 points above the curve of cross-entropy, on average",
    max(each.mean() for each in ahead.values()) < 0.03,
)

# %% [markdown]
# The same again, with a network that has thousands of weights. At the largest probability plain cross-entropy has no
# rim at all. Cut at the recall of Dice, it is as precise as Dice to within what the seed changes; the weighted loss
# gains nothing on it either. Dividing its probabilities by the shares of the classes, before you take the largest,
# costs nothing and finds most of the rim too. So read a rare class by its curve, or in a confusion matrix by its own
# row, before you blame the loss.
#
# That holds for two models on one micrograph. With other data and longer training it has to be measured again.
#
# **So far**: on a rare class, the losses of this part chose other points at one threshold. Cut at equal recall, plain
# cross-entropy was on average as precise as they, to 3 points.
#
# ## Part 4 · The checkerboard
#
# **How do you double a map without drawing a grid?**
#
# There are two ways to double a map. A **resize-convolution** repeats each pixel and then convolves, as above. The
# other is the transposed convolution of lesson 01: each pixel of the input lays a window onto the output, weighed by
# its value, in steps of the stride, and where windows overlap they add up.
#
# Move the sliders. Orange are the windows, and below them stands how many lie on each pixel.

# %%
plotting.explore(
    plotting.taps,
    alt=lambda kernel, stride: f"Windows of {kernel} in steps of {stride}: the number on each pixel, as squares.",
    kernel=(1, 7, 1, 3),
    stride=(1, 4, 1, 2),
)
side = segmentation.overlap_counts(8, 3, 2)[4:-4]
claim("windows of 3 in steps of 2: 1, 2 or 4 on a pixel of the plane", set(np.outer(side, side).ravel()) == {1, 2, 4})

# %% [markdown]
# With a window of 3 and a stride of 2, pixels get one and two windows in turn. In the plane the windows on a pixel
# are then 1, 2 or 4, in a pattern that repeats every two pixels: a **checkerboard**.
#
# ### Exercise 12.4 · Checkerboard predictor
#
# ●●○ · 10 min
#
# Write `evenness`: far from the edges, the least number of windows on a pixel *in the plane*, divided by the largest. 1
# means no checkerboard, and 0 that some pixels get nothing. Raise a `ValueError` if `kernel` or `stride` is below 1.
#
# For example, a kernel of 3 and a stride of 2 give $1/4$.


# %%
def evenness(kernel: int, stride: int) -> float:
    """Fewest windows on a pixel over most windows on a pixel, in the plane; ValueError below 1."""
    ### BEGIN SOLUTION
    if kernel < 1 or stride < 1:
        raise ValueError(f"kernel {kernel}, stride {stride}")
    fewest, most = kernel // stride, -(-kernel // stride)
    return (fewest / most) ** 2
    ### END SOLUTION


# %%
exercise("12.4").check(evenness)

# %% [markdown]
# Can training not even it out? There are weights that would. `segmentation.checkerboard` measures which share of what
# varies in a map repeats every two pixels. Here it is for trained networks: behind the last layer that doubles, and in
# the logits, two convolutions later.
#
# **Predict**: in a network with the transposed layer, is more than a twentieth of what varies in its *logits* the grid?

# %%
predict("12.g", "Is more than a twentieth of what varies in the logits the grid?", choices=["yes", "no"])

# %%
grids = runs["grid"].columns(("resize", "transposed"))
for name, each in grids.items():
    print(f"{name:10}: behind the layer {each[:, 0].round(3).tolist()}, in the logits {each[:, 1].round(3).tolist()}")
reveal("12.g", bool(grids["transposed"][:, 1].mean() > 0.05))
claim("transposed, more than a tenth behind the layer, in each stored run", grids["transposed"][:, 0].min() > 0.1)
claim("resized, less than a fiftieth", unets.all["grid"]["resize"][:, 0].max() < 0.02)

# %% [markdown]
# Nearly: a third and more of what varies behind the layer is the grid, and about a hundredth or less of the logits. The
# convolutions in between had to take it out, and may leave some of it. In a mask, where a threshold follows, that does
# little harm. In a picture that people look at, generated or enlarged, it is the first thing that they see (Odena,
# Dumoulin and Olah 2016). A kernel that is a multiple of the stride evens the counts. Resizing first left hardly any,
# at a price: nine taps for each pixel of the output, where a window of 3 in steps of 2 has nine for four pixels.
#
# **So far**: a transposed convolution whose kernel is no multiple of its stride lays unequal numbers of windows on
# pixels. Training takes most of the grid out of the logits.
#
# ## Part 5 · Counts and tiles
#
# **How do you get from a mask to a number, and to a whole slide?**
#
# The biologist did not ask for pixels. She asked: how many nuclei? A **connected component** is a set of pixels of the
# mask that you can walk through from neighbour to neighbour without leaving it.
#
# **Predict**: how many components has the *true* mask, with 35 nuclei?

# %%
predict("12.h", "How many connected components has the true mask?", within=0)

# %%
in_truth = segmentation.connected_components(new_mask, smallest=20)
reveal("12.h", int(in_truth.max()), exact=True)
parts = segmentation.connected_components(found, smallest=20)
split = segmentation.split_touching(found, smallest=20)
plotting.label_maps(
    [new] * 3, [new_nuclei, parts, split], titles=["annotated", "components", "split"], size=1.6,
    alt="Touching nuclei have one colour among the components, and several when split.",
)  # fmt: skip
count = [segmentation.count_error(new_nuclei, objects) for objects in (parts, split)]
quality = [segmentation.average_precision(new_nuclei, objects) for objects in (parts, split)]
print(
    "error of the count:",
    *(approx(each) for each in count),
    "average precision:",
    *(approx(each, 2) for each in quality),
)
claim("the components are fewer than 35", count[0] < 0)
claim("split, the count is off by 8 at most", abs(count[1]) <= 8)
claim("and the average precision gains 5 points or more", quality[1] > quality[0] + 0.05)

# %% [markdown]
# Nuclei that touch are one component. So split what is round: deep inside a nucleus the distance to the background has
# a peak, and `split_touching` grows a region around each peak until the regions meet, a **watershed**. The average
# precision of a segmentation counts a nucleus as found if its region has an IoU of more than one half with it: hits,
# divided by hits, misses and inventions together (the score of the 2018 Data Science Bowl at one threshold, Caicedo
# and others 2019).
#
# One mask, one Dice, and two counts: a bridge of two pixels costs nothing in Dice and a whole nucleus in the count, and
# where one nucleus has a dent, splitting makes two of it. What is joined and what is invented cancel in a count, so it
# can be right by accident. The average precision asks nucleus by nucleus. Measure what you need.
#
# ### Exercise 12.5 · From mask to count
#
# ●○○ · 5 min
#
# Write `count_objects`: the number of connected components of a `mask` (height, width) with at least `smallest` pixels.
# Neighbours are the four pixels that share an *edge*. `scipy.ndimage` is at hand, but a list of pixels still to visit
# will do. Raise a `ValueError` if `smallest` is below 1.


# %%
def count_objects(mask: np.ndarray, smallest: int) -> int:
    """Connected parts of at least `smallest` pixels, neighbours by edges; ValueError below 1."""
    ### BEGIN SOLUTION
    if smallest < 1:
        raise ValueError(f"smallest={smallest}")
    names, _ = ndimage.label(mask)
    sizes = np.bincount(names.ravel())[1:]
    return int(np.sum(sizes >= smallest))
    ### END SOLUTION


# %%
exercise("12.5").check(count_objects)

# %% [markdown]
# ### An image larger than the network
#
# A slide of tissue has 100,000 x 80,000 pixels. One map with 8 channels of it, in float32, takes 256 GB. So cut it into
# tiles, predict each, and put the answers together.

# %%
claim("100,000 x 80,000 pixels, 8 channels, 4 bytes: 256 GB", 100_000 * 80_000 * 8 * 4 == 256e9)
off = {}
for name, (overlap, margin) in {"edge to edge": (0, 0), "overlapping": (72, 32)}.items():
    way = {"tile": 96, "overlap": overlap, "margin": margin, "multiple": 8, "batch_size": 4}
    z = segmentation.predict_tiled(unet.predict_on_batch, new, **way)[..., 0]
    off[name] = np.abs(expit(z) - expit(logits))  # from the probabilities of the whole image
plotting.images(
    off, size=1.4, value_range=(0, 0.3),
    alt="How far the probabilities are from those of the whole image: edge to edge at many outlines, else nowhere.",
)  # fmt: skip
claim("edge to edge, some probability is wrong by more than 0.2", off["edge to edge"].max() > 0.2)
claim("with overlap and a margin, none by more than 0.05", off["overlapping"].max() < 0.05)

# %% [markdown]
# Why? At the edge of a tile the convolutions see zeros, where the whole image has pixels. The error reaches inwards by
# half the width of the receptive field at most; in the picture it shows at outlines. So let tiles overlap, and keep of
# each only what lies far enough from its edge: the **overlap-tile strategy** of the U-Net paper. (Tiles begin at
# multiples of 8, so that three poolings cut them as they cut the whole.) Only where the tile ends because the *image*
# ends, nothing better is to be had.
#
# ### Exercise 12.6 · Tile and stitch
#
# ●●● · 15 min
#
# `predict` takes a square of exactly `tile` x `tile` pixels and returns as many values. Its answers are right where at
# least `margin` pixels lie between a pixel and the tile's edge, and also at an edge of the tile that is an edge of the
# image. Return the answer for the whole `image` (height, width), with no wrong value in it. Both sides of the image are
# at least `tile`, and need not be multiples of anything. Raise a `ValueError` if the margins leave nothing of a tile.


# %%
def stitch(predict, image: np.ndarray, tile: int, margin: int) -> np.ndarray:
    """What predict would give for the whole image, from tiles; ValueError if 2 * margin >= tile."""
    ### BEGIN SOLUTION
    step = tile - 2 * margin
    if step < 1:
        raise ValueError(f"a tile of {tile} has nothing left between margins of {margin}")
    starts = [[*range(0, side - tile, step), side - tile] for side in image.shape]
    result = np.zeros(image.shape)
    for top in starts[0]:
        for left in starts[1]:
            answer = predict(image[top : top + tile, left : left + tile])
            # Rows and columns of the margin behind are overwritten by the next tile.
            y, x = (margin if start else 0 for start in (top, left))
            result[top + y : top + tile, left + x : left + tile] = answer[y:, x:]
    return result
    ### END SOLUTION


# %%
exercise("12.6").check(stitch)

# %% [markdown]
# **So far**: a mask is not a count. Touching objects must be split, and a count may be right by accident. Tiles overlap
# by at least twice as far as the error reaches in from an edge.
#
# ## Part 6 · Photographs
#
# **What does a network that was trained on others' photographs make of yours?**
#
# Photographs have objects of all sizes, and need a network that knows the world. **DeepLab** (Chen and others 2017)
# takes a classifier, here MobileNetV2 (Sandler and others 2018), and replaces its last strides by dilation: the map
# stays at an eighth of the image, and the windows spread instead. Its name for dilated is **atrous**, from the French
# *à trous*, with holes.
#
# On top sits **atrous spatial pyramid pooling** (ASPP): the same map seen through 3x3 windows of several rates, and
# through the mean of the whole image, side by side.
#
# The bundled DeepLab is the small form for phones: that mean and a 1x1 branch, no atrous ones, and atrous convolutions
# in the backbone. It was trained on PASCAL VOC: 20 classes and background.
#
# **Predict**: as which class does it see a space shuttle? There is none for it.

# %%
predict("12.i", "As which class does it see most of the shuttle?", choices=["aeroplane", "bottle", "train"])

# %%
network = models.DeepLabV3(weights="voc")
photographs = {name: datasets.photograph(name) for name in ("cat", "astronaut", "coffee", "shuttle")}
maps_of = {name: deeplab.segment(photograph, network) for name, photograph in photographs.items()}
plotting.label_maps(
    list(photographs.values()), list(maps_of.values()), names=datasets.VOC_CLASSES, size=1.75,
    alt="A cat and an astronaut, well outlined; coffee and its table, all dining table; a shuttle as a bottle.",
)  # fmt: skip
shares_of = {name: np.bincount(labels.ravel(), minlength=21) / labels.size for name, labels in maps_of.items()}
reveal("12.i", datasets.VOC_CLASSES[1 + int(np.argmax(shares_of["shuttle"][1:]))])
voc = {name: number for number, name in enumerate(datasets.VOC_CLASSES)}
claim("cup and table are dining table", shares_of["coffee"][voc["dining table"]] > 0.8)

# %% [markdown]
# Each pixel must get one of 21 classes. What it has never learnt, it calls by the name of what is most like it.
#
# Now with true masks: five photographs of cats and dogs from the Oxford-IIIT Pet set (Parkhi and others 2012). Pixels
# along the outline are labelled 255, since the annotators did not decide there.
#
# **Predict**: the mean IoU over the classes that occur?

# %%
predict("12.j", "What is the mean IoU over the classes that occur?")

# %%
pets = datasets.pets()
answers = [deeplab.segment(pet.image, network) for pet in pets]
truths = [np.where(pet.mask == 1, voc[pet.species], pet.mask) for pet in pets]
plotting.label_maps(
    [pet.image for pet in pets], answers, names=datasets.VOC_CLASSES, size=1.4,
    alt="Four cats and a pug, well outlined. On one photograph the ground has further classes.",
)  # fmt: skip
true, answered = (np.concatenate([labels.ravel() for labels in which]) for which in (truths, answers))
by_class = segmentation.iou(true, answered, 21)
print({datasets.VOC_CLASSES[number]: round(float(by_class[number]), 2) for number in np.flatnonzero(by_class >= 0)})
reveal("12.j", segmentation.mean_iou(true, answered, 21))
claim("cats and dogs have an IoU of more than 0.9", min(by_class[voc["cat"]], by_class[voc["dog"]]) > 0.9)
claim("the mean over all classes that occur is below 0.6", segmentation.mean_iou(true, answered, 21) < 0.6)
claim("since two classes occur in the answers only, with an IoU of 0", np.sum(by_class == 0) == 2)

# %% [markdown]
# A class that is invented once, on a few thousand pixels, weighs as much as all cats. And not each is invented: these
# masks know the animal and nothing else, so that a true sofa would count as a mistake too. Read the classes before you
# believe a mean.
#
# ### More: dilation, a batch of one, and wide rates
#
# <details><summary>What these weights do with strides in the place of dilation; batch and group normalisation with one
# square at a time; where the taps of a wide window lie.</summary>
#
# *Dilation.* Dilation has no weights, so the same weights fit a network with strides in the place of dilation. Its map
# has a 16th or a 32nd of the image's side instead of an eighth, and it computes less. Test both on the photographs as
# they are, and with every third pixel only, in the middle of a grey ground of the old size.
#
# Nobody trained the coarse one, so this says what dilation does to *these* weights, not which network is the better one
# once each is trained. Close up it hardly matters: an animal that fills 400 pixels spans a dozen places even then. At a
# third of the size it spans four, and there the coarse map loses. (Both lose; why, these pictures do not tell.)
#
# *A batch of one.* Segmentation needs large images, and often memory for one of them only. Batch normalisation then
# takes its mean and spread from a single image; group normalisation (lesson 06) never looks at others. Trained with one
# square at a time, 200 steps at one rate for both, batch normalisation is *not* behind. *One image* is not *one value*:
# one square of 96 has 9,216 values a channel at the top and 144 at the bottom. So a batch of one large image is no
# reason by itself to leave batch normalisation.
#
# Group normalisation has a price of its own: its mean is over the image, so a pixel's answer depends on how large a
# piece you show. In tiles, even with overlap, its logits are wrong by more than 1, where those of batch normalisation,
# which uses stored statistics, are wrong by less than 0.3.
#
# *Wide rates.* Rates of 6, 12 and 18 make a 3x3 window span 13, 25 and 37 places, with the same weights. On a map of 65
# x 65 places, a window of a large rate has most of its nine taps outside, on zeros: at a rate of 60 less than one and a
# half are left, and the 3x3 window has become 1x1. The paper gives this as the reason for the branch with the mean of
# the image.
#
# </details>


# %% jupyter={"source_hidden": true}
def on_grey(pixels, grey):
    """Every third pixel, in the middle of a square as large as all of them."""
    side, pixels = max(pixels.shape[:2]), pixels[::3, ::3]
    canvas = np.full((side, side, *pixels.shape[2:]), grey, "uint8")
    top, left = (side - pixels.shape[0]) // 2, (side - pixels.shape[1]) // 2
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return canvas


def mean_animal_iou(answers, masks):
    """The mean over the photographs of the IoU of the animal."""
    animals = [(labels == voc[pet.species]).astype(int) for labels, pet in zip(answers, pets)]
    return np.mean([segmentation.iou(mask, animal, 2)[1] for mask, animal in zip(masks, animals)])


coarse = models.DeepLabV3(output_stride=32, input_shape=(None, None, 3))
coarse.set_weights(network.get_weights())
large, masks = [pet.image for pet in pets], [pet.mask for pet in pets]
small, small_masks = [on_grey(image, 128) for image in large], [on_grey(mask, 0) for mask in masks]
animals = {
    (8, False): mean_animal_iou(answers, masks),
    (8, True): mean_animal_iou([deeplab.segment(image, network) for image in small], small_masks),
    (32, False): mean_animal_iou([deeplab.segment(image, coarse) for image in large], masks),
    (32, True): mean_animal_iou([deeplab.segment(image, coarse) for image in small], small_masks),
}
plotting.heatmap(
    np.reshape(list(animals.values()), (2, 2)), rows=["an eighth", "a 32nd"], columns=["as is", "small"],
    form="{:.2f}", limits=(0, 1), size=0.9,
    alt="IoU of the animals: "
    + "; ".join(f"stride {s}{', small' * t} {approx(v, 2)}" for (s, t), v in animals.items()),
)  # fmt: skip
claim("close up, the coarse map is as good, to 3 points", abs(animals[32, False] - animals[8, False]) < 0.03)
claim("small, it loses more than 10 points", animals[32, True] < animals[8, True] - 0.1)
for seed, batch, group in zip(runs["seed"], runs["batch Dice"], runs["group Dice"]):
    print(f"seed {seed}: Dice with batch normalisation {batch:.3f}, with group normalisation {group:.3f}")
claim(
    "in no stored run is batch normalisation more than a point behind",
    (runs["batch Dice"] > runs["group Dice"] - 0.01).all(),
)
claim("one square has 9,216 values a channel at the top and 144 at the bottom", (96**2, 12**2) == (9216, 144))
claim(
    "in each stored run, in tiles, a logit with group normalisation is wrong by more than 1",
    min(runs["group tiled"]) > 1,
)
claim("with batch normalisation by less than 0.3", max(runs["batch tiled"]) < 0.3)
claim(
    "rates of 6, 12 and 18 make 3 taps span 13, 25 and 37 places",
    [1 + 2 * rate for rate in (6, 12, 18)] == [13, 25, 37],
)
places, rates = np.arange(65), np.arange(1, 65)
along = [np.mean([(places + step >= 0) & (places + step < 65) for step in (-rate, 0, rate)]) for rate in rates]
taps_inside = 9 * np.square(along)
plotting.curves({"taps on the map": taps_inside}, x=rates, xlabel="rate", ylabel="of nine taps", height=2.4,
                alt="From nine taps at a rate of 1 down to one at a rate of 64.")  # fmt: skip
claim("at a rate of 60 less than one and a half of nine taps lie on the map", taps_inside[59] < 1.5)

# %% [markdown]
# **So far**: a network that must answer with one of 21 classes gives each pixel the name of what is most like it. A
# class that it invents once weighs as much as all cats in the mean IoU.
#
# ## Recap
#
# - Segmentation classifies each pixel. Accuracy is blind to rare classes; IoU and Dice are not, and neither sees
#   outlines or counts. Measure what you need.
# - An encoder sees far, a decoder comes back to full size, skips hand over the maps of each size:
#   without them the outlines lose more than Dice.
# - Plain cross-entropy, cut at one half, is silent on a rare class. Weights, Dice and Tversky chose other points on
#   its curve, or near it; so does a threshold, for nothing.
# - A transposed convolution whose kernel is no multiple of its stride draws a checkerboard.
# - A mask is not a count: touching objects must be split, and a count may be right by accident.
# - Two neighbouring tiles must overlap by at least twice as far as the error reaches in from an edge.
# - DeepLab keeps the map fine by dilation. A class that it never learnt gets the name of what is most like it.
#
# ## Explain it
#
# **Your mask has a Dice of 0.95, and the counts are wrong by a fifth. How can that be, and what do you do?**
#
# <details><summary>Model answer</summary>
#
# Objects that touch are joined by a few pixels, which Dice hardly feels. Train with a gap between touching objects, or
# with weights on the seams, or split by distance and watershed afterwards. Choose among these by a score of objects
# (average precision, error of the count), not of pixels.
#
# </details>
#
# **When do you take Dice loss, when cross-entropy, when both?**
#
# <details><summary>Model answer</summary>
#
# First draw the precision-recall curve of cross-entropy and choose a threshold for the recall that you need: here the
# other losses lay on that curve, or near it. Where the mask must be right at one half, or where nobody will choose a
# threshold, Dice or weights move the cut while training, and Tversky to the side of the mistake that costs less.
# Whether a loss gains more than that on your data, the curves of both tell, over seeds.
#
# </details>
#
# **Why does U-Net concatenate where ResNet adds?**
#
# <details><summary>Model answer</summary>
#
# ResNet adds a correction to the same features. U-Net brings two kinds together: fine ones that know where, and coarse
# ones that know what. A convolution on both side by side can weigh them against each other; a sum has mixed them
# before it could.
#
# </details>
#
# ## What comes next
#
# A label map does not know where one object ends and the next begins; you had to split it. Lesson 13 gives one backbone
# many heads, among them one that draws a mask for each object.
# [13 Many heads, one backbone](../notebooks/13_many_heads.ipynb) · [Course map](../README.md)
#
# ## References
#
# - J. C. Caicedo and others (2019). Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl.
#   *Nature Methods*.
# - L.-C. Chen, G. Papandreou, F. Schroff and H. Adam (2017). Rethinking atrous convolution for semantic image
#   segmentation. *arXiv*.
# - G. Csurka, D. Larlus and F. Perronnin (2013). What is a good evaluation measure for semantic segmentation? *BMVC*.
# - F. Milletari, N. Navab and S.-A. Ahmadi (2016). V-Net: fully convolutional neural networks for volumetric medical
#   image segmentation. *3DV*.
# - A. Odena, V. Dumoulin and C. Olah (2016). Deconvolution and checkerboard artifacts. *Distill*.
# - N. Otsu (1979). A threshold selection method from gray-level histograms. *IEEE Transactions on Systems, Man, and
#   Cybernetics*.
# - O. M. Parkhi, A. Vedaldi, A. Zisserman and C. V. Jawahar (2012). Cats and dogs. *CVPR*.
# - O. Ronneberger, P. Fischer and T. Brox (2015). U-Net: convolutional networks for biomedical image segmentation.
#   *MICCAI*.
# - S. S. M. Salehi, D. Erdogmus and A. Gholipour (2017). Tversky loss function for image segmentation using 3D fully
#   convolutional deep networks. *MLMI*.
# - M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen (2018). MobileNetV2: inverted residuals and linear
#   bottlenecks. *CVPR*.
# - U. Schmidt, M. Weigert, C. Broaddus and G. Myers (2018). Cell detection with star-convex polygons. *MICCAI*.
