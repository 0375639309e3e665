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
# # 14 · From image file to answer
#
# **What stands between a file that somebody sends and an answer that a program can use?**
#
# When you have worked through this page you can
# - turn whatever is in a file into pixels, or refuse it with a reason, and bring boxes back to pixels of the file
# - give an answer with all that its reader needs: what, where, how sure, by which version, and "nothing"
# - choose an operating point from what mistakes cost
# - find out in which convention serving differs from training, and write the test that would have caught it
# - put two versions of a model side by side, and say where the time goes
#
# **Before this**: [11 Object detection](../notebooks/11_object_detection.ipynb),
# [12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · **Reading** 45 min · **Exercises** 60 min ·
# four parts, each of about 25 min
#
# [← 13 Many heads, one backbone](../notebooks/13_many_heads.ipynb) · [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="14")

# %%
import dataclasses
import io
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image

from cnnlib import claim, datasets, exercise, pipeline, plotting, segmentation, training
from cnnlib.claims import approx, measured
from cnnlib.results import Experiment

# %% [markdown]
# ## Part 1 · From the file to the network, and back
#
# **What can be in a file, and where do its pixels end up?**
#
# Here is the whole way in one call. A file goes in, and out comes a dictionary that can be stored as JSON.

# %%
photo = runtime.data_dir() / "photographs" / "coffee.webp"
detect = pipeline.ready("detect")
answer = detect(photo)
found = answer["results"]
plotting.boxes_on(
    [np.asarray(Image.open(photo))],
    [[each["box"] for each in found]],
    texts=[[f"{each['label']} {each['score']:.2f}" for each in found]],
    alt="A cup of coffee on a table, with a box around the cup, and one around the table.",
    size=3,
)

# %% [markdown]
# The network has done the least of it. It takes 300 by 300 by 3 numbers between -1 and 1, and gives 1,917 times 95
# others. All the rest is done by the **pipeline**, six stages that lead from a file to an answer:
#
# | stage | from | to |
# |---|---|---|
# | decode | bytes of a file | pixels, as they are meant to be seen |
# | resize | any size | the size of the input |
# | normalise | 0 to 255 | the range that the network was trained on |
# | forward | the input | logits, offsets of boxes |
# | select | thousands of candidates | those above a threshold, one for each thing |
# | back | pixels of the input | pixels of the file |
#
# ### What can be in a file
#
# Files come from phones, scanners, web forms and other programs. Here is one photograph of a cat as five of them.
#
# **Predict**: which of these can be answered? And which would be answered *wrongly* by a program that only calls
# `Image.open` and `np.asarray`?


# %%
def saved(image, kind="JPEG", **options):
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


picture = Image.fromarray(datasets.pets()[3].image)
exif = Image.Exif()
exif[0x0112] = 6  # "turn me by a quarter": how phones store what they took upright
files = {
    "turned by EXIF": saved(picture.transpose(Image.Transpose.ROTATE_90), exif=exif),
    "CMYK, for print": saved(picture.convert("CMYK")),
    "cut short": saved(picture)[:9000],
    "empty": b"",
    "an error page": b"<!DOCTYPE html><title>404</title>",
}
for name, data in files.items():
    try:
        print(f"{name:16} {pipeline.decode(data).size}  {', '.join(pipeline.decode(data).notes)}")
    except pipeline.ImageError as error:
        print(f"{name:16} {error.code}: {error}")

# %% [markdown]
# The first two have a defined meaning, and it is written down in the answer, under `notes`. The last three have none,
# and each gets an error with a *code*, which a program can act upon: ask for the upload again (`truncated`), or tell
# the user that this is no image.
#
# No code is ever a crash. In [docs/odd_images.md](../docs/odd_images.md) you find what 200 odd and damaged files got.
#
# Turned pictures are the trap: nothing fails.

# %%
upright = detect(files["turned by EXIF"])
lying = detect(np.asarray(Image.open(io.BytesIO(files["turned by EXIF"]))))
for name, said in (("as it is meant to be seen", upright), ("as it is stored", lying)):
    print(f"{name:26}", [found["label"] for found in said["results"]], said["image"]["width"], said["image"]["height"])
claim("decoded, it is a cat", [found["label"] for found in upright["results"]] == ["cat"])
claim("as an array of what is stored, it is none", "cat" not in [found["label"] for found in lying["results"]])

# %% [markdown]
# ### Three ways to fit a picture into a square
#
# Hardly any photograph has the shape of the input. There are three common policies.
#
# - *stretch*: each side by itself. Everything is seen, circles become ellipses.
# - **letterbox**: the picture as large as fits into the square, with its shape kept; the rest is filled with a
#   constant.
# - *shortest side and crop*: the shorter side becomes a little longer than the input, 256 for 224, and the middle is
#   cut out. Most ImageNet networks were tested in this way.
#
# **Predict**: of a photograph of 267 by 400, which share of the pixels does a network see under the third policy?

# %%
wide = np.asarray(picture)
policies = {
    "stretch": pipeline.Preprocessing(224),
    "letterbox": pipeline.Preprocessing(224, "letterbox"),
    "256, then 224": pipeline.Preprocessing(224, "shortest_side", shortest_side=256),
}
plotting.images(
    {name: policy(wide)[0] for name, policy in policies.items()},
    alt="A cat three times: squeezed; whole with grey bars above and below; the middle, with both sides cut off.",
)
claim("cropped, 51 % of the pixels are seen", round((267 * 224 / 256) ** 2 / (267 * 400), 2) == 0.51)

# %% [markdown]
# None is best. What counts is that the network is served what it was *trained* with.
#
# ### The way back
#
# The network speaks in pixels of its input. A point $x$ of the file lies at
#
# $$x' = s\,x + t$$
#
# in the input, with a factor $s$ and a shift $t$ for each axis, and the way back is $x = (x' - t) / s$. Coordinates are
# those of the plane: pixel 0 covers 0 to 1. So there are no halves to remember.

# %%
where = pipeline.place((267, 400), (224, 224), "letterbox")
box = np.array([[116, 15, 278, 171]], "float32")
claim("there and back, a box is where it was", np.abs(where.to_image(where.to_input(box)) - box).max() < 0.01)
claim("forget the shift, and it is 37 rows too low", where.shift == (0, 37))

# %% [markdown]
# ### Exercise 14.1 · Undo letterboxing
#
# A picture of `size` (height, width) was put into a square of `side` pixels: its longer side became `side`, its other
# side in proportion, *rounded to whole pixels* with `round`. What was left over stands half on either side; of an odd
# number the one pixel more stands right or below. A box (x1, y1, x2, y2) was found in pixels of the square. Return it
# in pixels of the picture, as four numbers, cut at the picture's border.
#
# The factors are those of the whole pixels: a width of 401 that became 150 has a factor of 150 / 401.
#
# For example, with `size` (100, 200) and `side` 50 the box (10, 20, 20, 40) is (40, 30, 80, 100).


# %%
def undo_letterbox(box, size, side):
    """A box in pixels of the square input, as (x1, y1, x2, y2) in pixels of the picture."""
    ### BEGIN SOLUTION
    height, width = size
    longer = max(height, width)
    new_height, new_width = round(height * side / longer), round(width * side / longer)
    left, top = (side - new_width) // 2, (side - new_height) // 2
    x = (np.array([box[0], box[2]]) - left) * width / new_width
    y = (np.array([box[1], box[3]]) - top) * height / new_height
    x, y = np.clip(x, 0, width), np.clip(y, 0, height)
    return x[0], y[0], x[1], y[1]
    ### END SOLUTION


# %%
exercise("14.1").check(undo_letterbox)

# %% [markdown]
# **So far**: decoding decides what a file means, and says so; what has no meaning gets a code, not a crash. A resize is
# one factor and one shift for each axis, and both must be undone.
#
# ## Part 2 · From numbers to an answer
#
# **What does the reader of an answer need, beside the label?**
#
# Ask the detector about a rocket. COCO has no rockets.

# %%
answer = detect(datasets.photograph("rocket"))
print("nearest miss:", answer["nearest_miss"]["label"], approx(answer["nearest_miss"]["score"], 2))
claim("nothing is found, and that is an answer", answer["found"] is False and answer["results"] == [])

# %% [markdown]
# *Nothing found* is the most frequent answer of many machines, and the one that is tested least. Beside it stands
# what came nearest: a *boat* with a low score tells the reader that the network was not blind, and not far from an
# answer.
#
# What must never look like nothing is a broken network. Its scores are NaN, and `NaN >= 0.5` is false: a filter by a
# threshold drops them all, without a word.
#
# ### Exercise 14.2 · Handle nothing
#
# Given scores (k,) and labels, of which there may be none at all, return a dictionary:
#
# - `"results"`: pairs (label, score), best first, of the scores that are at least the threshold
# - `"found"`: whether there are any
# - `"nearest_miss"`: the best pair below the threshold, or None
#
# Of equal scores the earlier one comes first. If a score is NaN, raise a `ValueError`.


# %%
def report(scores: np.ndarray, labels: list[str], threshold: float) -> dict:
    """What was found, best first, whether it is anything, and what came nearest; ValueError for NaN."""
    ### BEGIN SOLUTION
    if np.isnan(scores).any():
        raise ValueError("a score is NaN: the network is broken, and that is not the same as nothing")
    pairs = [(labels[i], float(scores[i])) for i in np.argsort(-np.asarray(scores), kind="stable")]
    results = [pair for pair in pairs if pair[1] >= threshold]
    missed = [pair for pair in pairs if pair[1] < threshold]
    return {"found": bool(results), "results": results, "nearest_miss": missed[0] if missed else None}
    ### END SOLUTION


# %%
exercise("14.2").check(report)

# %% [markdown]
# ### Which network said this?
#
# An answer outlives the program that gave it. Months later somebody asks why a part was rejected. So each answer names
# what made it. A **sha256** is a fingerprint of the bytes of a file: other weights have another one. The version of the
# preprocessing is such a fingerprint, too, of all its settings: nobody has to remember to raise it.
#
# The label map has one for a reason. A network says *class 17*; a list makes it *cat*. If someone adds a class in the
# middle of that list, every answer behind it is wrong, and no error is raised anywhere. Unless fingerprints are
# compared:

# %%
for part in ("model", "preprocessing", "software"):
    for name, value in answer[part].items():
        print(f"{part:14} {name:15} {value[:32]}")
labels = list(detect.specification.labels)
labels.insert(10, "rocket")
try:
    dataclasses.replace(detect.specification, labels=tuple(labels))
except pipeline.SpecificationError as error:
    print(error)
    claim("a stale label map is refused", "label map is stale" in str(error))

# %% [markdown]
# ### Masks are long
#
# A mask has as many numbers as the picture has pixels. But most neighbours are alike, so store the lengths of the
# *runs*: **run-length encoding** (RLE). COCO reads a mask column by column, from the top of the left column on, and
# begins with the zeros, even if there are none. So a mask (2, 3)
#
# $$\begin{pmatrix} 1 & 0 & 0 \\ 1 & 1 & 0 \end{pmatrix}$$
#
# has the columns 1 1, 0 1, 0 0 and the run lengths 0, 2, 1, 1, 2: no zero, two ones, one zero, one one, two zeros.
#
# **Predict**: by which factor is a pet's mask shorter as text, with a byte for each pixel before?

# %%
mask = datasets.pets()[0].mask == 1
rle = segmentation.rle_encode(mask)
print(f"{mask.size:,} pixels, {len(rle['counts']):,} characters")
claim("as text it is more than 50 times shorter", mask.size > 50 * len(rle["counts"]))
claim("and nothing is lost", (segmentation.rle_decode(rle) == mask).all())

# %% [markdown]
# ### Exercise 14.3 · Run lengths
#
# Return the run lengths of a mask (height, width) of zeros and ones as a list of whole numbers, in COCO's order.


# %%
def lengths_of_runs(mask: np.ndarray) -> list[int]:
    """Lengths of the runs down the columns, of zeros and ones in turn, zeros first."""
    ### BEGIN SOLUTION
    lengths, last = [0], 0
    for value in np.asarray(mask).T.ravel():
        if value == last:
            lengths[-1] += 1
        else:
            lengths.append(1)
            last = value
    return lengths
    ### END SOLUTION


# %%
exercise("14.3").check(lengths_of_runs)

# %% [markdown]
# ### How sure?
#
# A run of ones says *cat* of every pixel in it, as surely on the tip of an ear as in the middle. Three numbers say
# more. With the probabilities $p_1 \ge p_2 \ge \dots$ of $K$ classes
#
# | | formula | low when |
# |---|---|---|
# | *probability* | $p_1$ | no class stands out |
# | *margin* | $p_1 - p_2$ | two classes compete |
# | **entropy** | $-\sum_k p_k \log p_k \,/ \log K$ | one class has it all (high: anything may be true) |
#
# Is $p_1 = 0.9$ right nine times in ten? Only if the network is calibrated (lesson 15), and most are not: they are
# too sure. A temperature $T$ (lesson 15) mends much of that: logits are divided by it before the softmax. It is
# fitted on data that are neither training nor test data, and it is stored in the specification; `calibrated` in an
# answer says whether that was done.

# %%
logits = np.array([[6.0, 1.0, 0.0], [3.0, 2.8, 0.0], [1.0, 0.9, 0.8]])
p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
entropy = -(p * np.log(p)).sum(1) / np.log(3)
for row, own, doubt in zip(logits, p, entropy):
    print(f"{row}: probability {own[0]:.2f}, margin {own[0] - own[1]:.2f}, entropy {doubt:.2f}")

# %% [markdown]
# ### What to do with an unsure answer
#
# A machine sorts things by what the network says. If it is unsure, a person can look. Where is the line? That depends
# on what a wrong box costs and what a look costs, not on the network alone. A threshold with its consequences is
# called an **operating point**. Choose it on validation data: on test data it would be fitted to what is to judge it.
#
# ### Exercise 14.4 · An operating point
#
# For each of n validation pictures you know how sure the network was, `confidence` (n,), and whether it was `right`
# (n,) bool. Pictures for which it was *at least* as sure as the threshold are sorted by machine, and each of them that
# is wrong costs `wrong`. Each of the others costs `look`, and a person is always right. At most the share `capacity` of
# all pictures can be looked at.
#
# Return the pair (threshold, total cost) with the least cost that the capacity allows. Candidates are the values of
# `confidence` themselves, and infinity (`np.inf`), where a person looks at everything. Of equal costs take the lower
# threshold.


# %%
def operating_point(confidence: np.ndarray, right: np.ndarray, wrong: float, look: float, capacity: float):
    """The pair (threshold, cost) of least cost, where at most the share `capacity` of the pictures is looked at."""
    ### BEGIN SOLUTION
    best = None
    for threshold in [*np.unique(confidence), np.inf]:
        by_machine = confidence >= threshold
        looked = np.sum(~by_machine)
        cost = wrong * np.sum(by_machine & ~right) + look * looked
        if looked <= capacity * len(confidence) and (best is None or cost < best[1]):
            best = (float(threshold), float(cost))
    return best
    ### END SOLUTION


# %%
exercise("14.4").check(operating_point)

# %% [markdown]
# **So far**: an answer says what, where, how sure, by which weights and which preprocessing; *nothing* is one, NaN is
# none. A threshold follows from costs and capacity, and is chosen on validation data.
#
# ## Part 3 · The hunt
#
# **Training and serving prepare pictures differently, and no error is raised. How do you notice?**
#
# A sorting machine is to tell ten kinds of things apart. Its camera takes wide and tall photographs; the network, small
# so that you can train it here, takes 16 by 16 pixels. Everything about the input stands in one object.

# %%
data = datasets.cifar10(runtime.pick(smoke=500, cpu=4000, gpu=4000), dtype="uint8")


def photographs(images):
    """A part of each picture, 3:4 or 4:3 in turn, as from a camera that is held both ways."""
    return [image[4:28] if i % 2 else image[:, 4:28] for i, image in enumerate(images)]


mean, spread = (getattr(data.x_train, what)((0, 1, 2)).tolist() for what in ("mean", "std"))
own = pipeline.Preprocessing(16, "letterbox", fill=127.5, mean=mean, spread=spread)
specification = pipeline.Specification("sorter", "classify", data.class_names, own, top=3)
x_train, new = specification.preprocess(photographs(data.x_train)), photographs(data.x_test)

# %%
x = inputs = keras.Input(own.input_shape)
for filters in (16, 32):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.MaxPooling2D(2)(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
x = layers.GlobalAveragePooling2D()(layers.Conv2D(64, 3, padding="same", activation="relu")(x))
model = keras.Model(inputs, layers.Dense(10, name="logits")(x), name="sorter")


def learn(x, y, epochs):
    """Train the network on, with a rate that rises and falls once."""
    rate = training.warmup_cosine(peak=0.005, steps=epochs * len(x) // 64, warmup=5)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training.fit(model, x, y, epochs=epochs, batch_size=64)


learn(x_train, data.y_train, epochs=runtime.pick(smoke=1, cpu=5, gpu=5))

# %% [markdown]
# For serving, another team writes the preparation once more, in another language, from the description. Here are five
# such pipelines, each with *one* convention changed.
#
# | changed | in training | in serving |
# |---|---|---|
# | channel order | red, green, blue | blue, green, red, as OpenCV reads files |
# | range | 0 to 255, then mean and spread | divided by 255 first, the same mean and spread |
# | kernel | bilinear, every pixel counts | nearest: one of four pixels counts |
# | padding | the bars are grey | the bars are black |
# | normalisation | mean and spread of these pictures | those of ImageNet |
#
# In the figure each input is stretched from its lowest to its highest value. A wrong order, range or padding is seen,
# if anybody looks at inputs; the last one is not.
#
# **Predict**: put the five in the order of what they cost.

# %%
imagenet = {"mean": [123.7, 116.3, 103.5], "spread": [58.4, 57.1, 57.4]}
skews = {
    "channel order": dataclasses.replace(own, channels="bgr"),
    "range": dataclasses.replace(own, mean=[255 * m for m in own.mean], spread=[255 * s for s in own.spread]),
    "kernel": dataclasses.replace(own, kernel="nearest"),
    "padding": dataclasses.replace(own, fill=0),
    "normalisation": dataclasses.replace(own, **imagenet),
}
shown = {name: each(np.asarray(new[3]))[0] for name, each in ({"as trained": own} | skews).items()}
plotting.images(
    shown,
    value_range="each",
    alt="A small picture six times: as trained, blue for red, one colour all over, rougher, black bars, as trained.",
)


# %%
def right(preprocessing):
    """Which test pictures the network classifies right if they are prepared like this, (n,) bool."""
    return model.predict(preprocessing(new), batch_size=500, verbose=0).argmax(-1) == data.y_test


as_trained = right(own)
served = {name: right(skewed) for name, skewed in skews.items()}
accuracy = {"as trained": float(as_trained.mean())} | {name: float(hits.mean()) for name, hits in served.items()}
hunt = Experiment("14_skew")
hunt.keep(accuracy=accuracy)
plotting.ways(hunt.stored["accuracy"], accuracy, reference="as trained")
measured("accuracy as trained", accuracy["as trained"])

# %% [markdown]
# How sure are these costs? The same pictures were prepared in two ways, so the differences are *paired*: most
# pictures are right both times or wrong both times. A **bootstrap** asks chance: draw 2,000 of the 2,000 pictures
# with replacement, a thousand times, and see how the mean difference varies.

# %%
draws = np.random.default_rng(runtime.seed()).integers(0, len(as_trained), (1000, len(as_trained)))
for name, hits in served.items():
    difference = as_trained.astype(float) - hits
    low, high = np.percentile(difference[draws].mean(1), [2.5, 97.5])
    print(f"{name:14} costs {approx(difference.mean(), 2)}, 95 % between {approx(low, 2)} and {approx(high, 2)}")
cost = {name: hunt.all["accuracy"]["as trained"] - hunt.all["accuracy"][name] for name in skews}
claim("range costs more than 0.2 in every run", cost["range"].min() > 0.2)
claim("channel order and padding more than 0.05", min(cost["channel order"].min(), cost["padding"].min()) > 0.05)
claim("the kernel costs more than 0.01", cost["kernel"].min() > 0.01)
claim("the normalisation less than 0.03, either way", np.abs(cost["normalisation"]).max() < 0.03)

# %% [markdown]
# One of them ruins the network, two hurt, one hides in what one would call a bad day, and ImageNet's statistics cost
# next to nothing: they are close to ours. Accuracy on 2,000 pictures cannot find that one. Is it harmless, then? Today.
# It is a difference that nobody chose, and the next one comes on top.
#
# ### A test that needs no labels
#
# Do not ask *how often* serving is right. Ask whether it says *the same*: store the answers to a few pictures when all
# is well, as a **golden file**, and compare ever after.

# %%
folder = Path(tempfile.mkdtemp())
sorter = pipeline.Pipeline(model, specification)
golden = {f"photograph {i}": new[i] for i in range(3)}
pipeline.record_golden(sorter, golden, folder / "golden.json")
for name, skewed in skews.items():
    other = pipeline.Pipeline(model, dataclasses.replace(specification, preprocessing=skewed))
    caught = pipeline.check_golden(other, golden, folder / "golden.json", versions=False)
    claim(f"{name}: three photographs find it", len(caught) > 0)
claim("as trained, nothing differs", pipeline.check_golden(sorter, golden, folder / "golden.json") == {})

# %% [markdown]
# Three pictures without labels find what 2,000 with labels could not. A score is a fine instrument: it moves with every
# pixel. How far may it move? Backends round differently, by some 1e-6 here; a skew moves it by 1e-2 and more. Any
# tolerance between is good. (We have left the versions out of the comparison. With them, the first thing that differs
# would be the fingerprint of the preprocessing.)
#
# A golden file does not know what is right. Recorded in a wrong state, it keeps that state. So look at the answers
# before you trust them, and choose pictures that can tell: wide and tall ones, with colours, with fine detail.
#
# ### Exercise 14.5 · Compare with a golden file
#
# Two answers have a list `"results"`, each result a dictionary with `"label"`, `"score"` and `"box"` (four numbers).
# Say what differs, as a list of names in this order:
#
# - `"number"` if they have different numbers of results; then nothing else is compared
# - `"label"` if any two results at the same place have different labels
# - `"score"` if any two scores are more than `score` apart
# - `"box"` if any two sides are more than `pixels` apart
#
# A score or side that is NaN differs from everything. For answers that agree, return an empty list.


# %%
def what_differs(answer: dict, golden: dict, score: float = 0.001, pixels: float = 0.5) -> list[str]:
    """Names of what differs between an answer and the stored one: "number", "label", "score", "box"."""
    ### BEGIN SOLUTION
    if len(answer["results"]) != len(golden["results"]):
        return ["number"]
    pairs = list(zip(answer["results"], golden["results"]))
    same = {
        "label": all(one["label"] == two["label"] for one, two in pairs),
        "score": all(abs(one["score"] - two["score"]) <= score for one, two in pairs),
        "box": all(abs(a - b) <= pixels for one, two in pairs for a, b in zip(one["box"], two["box"])),
    }
    return [name for name, agrees in same.items() if not agrees]
    ### END SOLUTION


# %%
exercise("14.5").check(what_differs)

# %% [markdown]
# ### Which one is it?
#
# A golden file says *that* something differs. To find out *what*, ask with pictures of which you know what should
# come. A picture of one colour has no detail, so no kernel can change it. A square one has no bars. Black and white
# tell the mean and the spread.
#
# ### Exercise 14.6 · Find the skew
#
# You get two functions, `trained` and `served`. Each takes one picture, uint8 (height, width, 3), and gives the input,
# float (side, side, 3), by a letterbox to a square and `(value - mean) / spread`. They differ in one convention. Say
# which: `"channel order"`, `"range"` (one of them divides values by 255 first, with the same mean and spread),
# `"kernel"`, `"padding"` or `"normalisation"` (another mean, another spread, or both). The side is 24 or less; the size
# of your pictures is for you to choose. The check hands you functions that you have not seen.


# %%
def find_skew(trained, served) -> str:
    """The convention in which two preparations differ."""

    ### BEGIN SOLUTION
    def differ(picture, other=None):
        expected = trained(picture if other is None else other)
        return np.abs(served(picture) - expected).max() > 1e-3 * max(1, np.abs(expected).max())

    colour = np.full((48, 48, 3), (200, 90, 30), np.uint8)
    if differ(colour):
        if not differ(colour, other=colour[..., ::-1]):
            return "channel order"
        black, white = np.zeros_like(colour), np.full_like(colour, 255)
        ratio = (served(white) - served(black)) / (trained(white) - trained(black))
        return "range" if np.allclose(np.abs(np.log(ratio)), np.log(255), rtol=1e-3) else "normalisation"
    return "padding" if differ(np.full((24, 48, 3), (200, 90, 30), np.uint8)) else "kernel"
    ### END SOLUTION


# %%
exercise("14.6").check(find_skew)

# %% [markdown]
# **So far**: a skew raises no error and costs anything from nothing to everything. A golden file finds it without
# labels; pictures made for the purpose tell which convention it is.
#
# ## Part 4 · In service
#
# **A new version is better. For whom?**
#
# The weights and all that belongs to them are saved side by side: `sorter.save(folder)` writes `model.keras`,
# `specification.json` and `labels.txt`. Then more photographs come in, and the network is trained on with them.
#
# **Predict**: the new version is right on more pictures. On how many of those that the old one had right is it wrong?

# %%
sorter.save(folder / "version-1")
more = datasets.cifar10(runtime.pick(smoke=600, cpu=8000, gpu=8000), dtype="uint8")
learn(specification.preprocess(photographs(more.x_train)), more.y_train, epochs=runtime.pick(smoke=1, cpu=2, gpu=2))
try:
    pipeline.Pipeline(model, sorter.specification)
except pipeline.SpecificationError as error:
    claim("the old specification refuses the new weights", "trained on since" in str(error))

# %%
new_right = right(own)
worse = np.mean(~new_right & as_trained)
measured("version 2 is right more often by", new_right.mean() - as_trained.mean())
measured("was right, is wrong", worse)
claim("version 2 is better by more than 0.01", new_right.mean() > as_trained.mean() + 0.01)
claim("and yet it is newly wrong on more than 2 % of the pictures", worse > 0.02)

# %% [markdown]
# Temperature, threshold and golden file belong to the old weights. So a new specification is written, with a new
# version.
#
# The gain is the difference of two larger numbers. Whoever had built a rule around a picture that used to work calls
# the new version broken, and is right. Pictures that an old version had right and a new one has wrong, **negative
# flips** (Yan and others 2021), are listed, and looked at, before a version goes out.
#
# A safe way to change: keep both versions running for a while, answer with the old one, and compare: the new one is a
# **shadow** of the old. Lesson 15 does that, with an alarm.
#
# ### Where the time goes
#
# Users wait for the slowest pictures, not for the mean. So latency is stated by **percentiles**: p95 is the time that
# 95 of 100 pictures stay below.
#
# **Predict**: which of the four stages takes longest for the small sorter? And for the detector, with its 4.5 million
# parameters?

# %% tags=["nbval-ignore-output"]
version_2 = pipeline.Pipeline(model, dataclasses.replace(specification, version="2"))
photos = [saved(Image.fromarray(image).resize((400, 300))) for image in new[1:17:2]]
for each in (version_2, detect):
    print(each, pipeline.measure_latency(each, photos, runtime.pick(smoke=1, cpu=3, gpu=10)), sep="\n")

# %% [markdown]
# Where it goes depends on the network, the files and the machine. Before you make a network faster, look whether it is
# the network that takes the time, and whether p95 is far from the median.
#
# A camera does not wait until a folder is complete. `stream` takes files one at a time, decodes the next ones while the
# network computes, and goes on after a bad one:

# %%
arriving = [photos[0], b"", photos[1], photos[2][:500], photos[3]]
answers = list(version_2.stream(arriving, batch_size=2))
claim("five files, three answers, two records of why not", sum("error" in answer for answer in answers) == 2)

# %% [markdown]
# The same on a command line, for folders:
#
# ```
# python -m cnnlib.pipeline FOLDER --task detect --json out.json --overlay drawn
# ```
#
# ### Who reads the answer?
#
# The same dictionary, three readers.
#
# - An *inspection tool* shows the box on the part, the score and the threshold. What must not happen: a defect passes
#   because the camera was blind. So "passed" comes with the nearest miss, and the picture is kept.
# - A *medical viewer* shows an outline and its doubt, sizes in mm, the version of the model. What must not happen: a
#   score is read as a probability, or *nothing found* as *healthy*. So it says what was looked for, and by what.
# - A *sorting machine* needs one label in time. What must not happen: an answer that comes late, or NaN taken for
#   *no*. So there is a third answer, "to a person".

# %%
part = detect(datasets.photograph("rocket"))
verdict = "rejected" if part["found"] else f"passed; nearest miss: {part['nearest_miss']['label']}"
print(f"inspection: {verdict}, threshold {part['threshold']}, {part['model']['name']} {part['model']['version']}")
print(f"viewer: {segmentation.rle_area(rle) * 0.2**2:.0f} mm² at 0.2 mm a pixel, calibrated: {part['calibrated']}")
doubt = [version_2(photo)["uncertainty"]["margin"] < 0.2 for photo in photos]
measured("sorter: share of photographs that go to a person", np.mean(doubt), digits=2)

# %% [markdown]
# **So far**: a better version is worse for someone; list for whom. Latency is stated by stage and percentile, and an
# answer is made for its reader.
#
# ## Recap
#
# - A pipeline decodes, resizes, normalises, computes, selects, and brings the result back to pixels of the file.
# - A file that has no meaning gets a code. A file that has one gets it in one place, and notes say which.
# - A resize is a factor and a shift for each axis. Undo both, and cut at the border.
# - Nothing found is an answer. NaN is not. An answer names its weights, its label map and its preprocessing.
# - An operating point follows from costs and capacity, on validation data.
# - Training and serving share one object, or they differ. A golden file finds the difference without labels.
# - Put versions side by side picture by picture: a gain is the difference of two larger numbers.
#
# ## Explain it
#
# **A detector is fine on your desk and finds half as much in the field, on pictures from phones. What do you ask for
# first?**
#
# <details><summary>Model answer</summary>
#
# For three files as they arrive, not screenshots of them, and for the answers with their notes and versions. Look for
# the EXIF orientation, the size before any resize, the colour order. Then prepare them by the code of training and by
# that of serving, and compare numbers. Only if these agree is it a matter of the network: other light, other distances.
#
# </details>
#
# **Your golden-file test fails after an update of a library. The largest difference of a score is 0.004. What now?**
#
# <details><summary>Model answer</summary>
#
# Find out which stage moved: compare the inputs first, then the logits. If the inputs differ, a decoder or a resize has
# changed, and training must follow or the old behaviour be pinned. If only logits differ, in the last digits, it is
# rounding; 0.004 is too much for that. Widen the tolerance only when you know what it lets through.
#
# </details>
#
# **Why is the mean latency a bad promise?**
#
# <details><summary>Model answer</summary>
#
# A few slow pictures, large files or a busy machine, move it little and annoy every user who gets one. Who sends 100
# pictures a day meets p99 once a day. And a mean of all stages hides which one to mend.
#
# </details>
#
# **When is a stretch better than a letterbox?**
#
# <details><summary>Model answer</summary>
#
# When the network was trained so. Otherwise, when all pictures have the same shape: then nothing is distorted
# differently in two pictures, and no pixels of the input go to bars.
#
# </details>
#
# ## What comes next
#
# The pipeline runs, and the answers are wrong. The next lesson finds out why: data, labels, shift, attacks, drift.
# [15 When it does not work](../notebooks/15_when_it_does_not_work.ipynb) · [Course map](../README.md)
#
# ## References
#
# - C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017). On calibration of modern neural networks. *ICML*.
# - T.-Y. Lin, M. Maire, S. Belongie and others (2014). Microsoft COCO: common objects in context. *ECCV*.
# - D. Sculley, G. Holt, D. Golovin and others (2015). Hidden technical debt in machine learning systems. *NeurIPS*.
# - S. Yan, Y. Xiong, K. Kundu and others (2021). Positive-congruent training: towards regression-free model updates.
#   *CVPR*.
