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
# # 08 · Data and augmentation
#
# **Can you believe the accuracy, and how do you get more out of the pictures that you have?**
#
# When you have worked through this page you can
# - split a data set so that its accuracy means something, and find near-duplicates that leak from train to test
# - find wrong labels with the help of a network, and say how many of them you found
# - train on classes of very different sizes, and read the result class by class
# - tell whether pictures reach a network in the size, the range and the order of channels that it expects
# - choose augmentations that keep the label, measure what they bring, and see whether they slow the training down
#
# **Before this**: [03 Training from first principles](../notebooks/03_training_from_first_principles.ipynb),
# [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb) · **Reading** 45 min ·
# **Exercises** 50 min
#
# [← 07 Efficient and modern blocks](../notebooks/07_efficient_and_modern_blocks.ipynb) · [Course map](../README.md) ·
# [09 Transfer learning →](../notebooks/09_transfer_learning.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="08")

# %%
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
from keras import layers, ops

from cnnlib import claim, datasets, exercise, plotting, splits, training
from cnnlib.claims import approx, measured
from cnnlib.models import efficientnet_lite
from cnnlib.results import Experiment

# %% [markdown]
# ## More than ninety per cent, and worth nothing
#
# A camera stands in a forest. When something moves it takes five pictures in a second: a *burst*. At the end of the
# year you have 2,000 pictures of 400 scenes, you put a quarter of them aside for testing, and you train.
#
# Here is such a data set: 400 pictures of CIFAR-10, five shots of each. Between shots the camera trembles by a pixel,
# the light changes and the sensor adds its noise.


# %%
def shot(picture, rng):
    """The same scene a moment later: moved by at most a pixel, brighter or darker, with a little noise."""
    top, left = rng.integers(0, 3, 2)
    moved = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")[top : top + 32, left : left + 32]
    return np.clip(moved * rng.uniform(0.8, 1.2) + rng.normal(0, 0.02, picture.shape), 0, 1).astype("float32")


cifar = datasets.cifar10()
rng = np.random.default_rng(runtime.seed())
scene = np.repeat(np.arange(400), 5)
shots = np.stack([shot(cifar.x_train[number], rng) for number in scene])
kinds = cifar.y_train[scene]
plotting.images(shots[15:25], columns=5, alt="Two bursts of five pictures, hardly to be told apart within a burst.")

# %% [markdown]
# The model is the plainest there is: the **nearest neighbour**. It keeps all training pictures and gives a new one the
# class of the picture that differs least, pixel by pixel. It learns nothing. It can only remember.
#
# The first split draws single pictures by chance. The second is a **grouped split**: it draws groups, here *scenes*,
# and all shots of a scene stay together.
#
# **Predict**: guessing among ten classes gives 10 %. What do the two splits give?


# %%
def nearest(x, y, new):
    """For each new picture the class of the nearest picture in x."""
    x, new = x.reshape(len(x), -1), new.reshape(len(new), -1)
    return y[((x**2).sum(axis=1) - 2 * new @ x.T).argmin(axis=1)]


def neighbour_accuracy(x, y, split):
    train, test = split
    return np.mean(nearest(x[train], y[train], x[test]) == y[test])


by_picture = neighbour_accuracy(shots, kinds, splits.random_split(len(shots), test=0.25))
by_scene = neighbour_accuracy(shots, kinds, splits.grouped_split(scene, test=0.25))
on_new = np.mean(nearest(shots, kinds, cifar.x_test) == cifar.y_test)
plotting.bars(
    {"single pictures": by_picture, "whole scenes": by_scene, "2,000 other pictures": on_new},
    xlabel="accuracy of the nearest neighbour, by what the test set was drawn from",
    limits=(0, 1.1),
    form=approx,
    alt=f"Test pictures drawn singly {approx(by_picture)}, by scene {approx(by_scene)}, new ones {approx(on_new)}.",
)
claim("a random split promises more than 90 %", by_picture > 0.9)
claim("the grouped split less than 32 %", by_scene < 0.32)
claim("pictures of other scenes agree with the grouped split, to 8 points", abs(on_new - by_scene) < 0.08)

# %% [markdown]
# The test set holds what the training set holds: **leakage**. A random split puts a sister of nearly every test picture
# into the training set, and memory alone finds her. Nothing in the code is wrong, no curve looks odd, and the number is
# worth nothing on the first day in another forest.
#
# The question to ask before any split: *what will be new when the model is used?* New scenes, patients, cameras,
# cities. That is the group.

# %% [markdown]
# ## When tomorrow differs from today
#
# The other thing that is new when a model is used is *time*. Suppose that the lens fogs up over a hundred days, a
# little each day, until black and white are nearly the same grey. If the model will be used on later days, the honest
# test set is the last days: a **split by time**.
#
# **Predict**: which split gives the lower number, random or by time?

# %%
fashion = datasets.fashion_mnist()
order = rng.permutation(2000)  # the bundled pictures stand in order of their classes
day = np.arange(2000) // 20
fog = 0.9 * day[:, None, None, None] / 100
foggy = ((1 - fog) * fashion.x_train[order] + fog * 0.5).astype("float32")
clothes = fashion.y_train[order]

# %%
by_chance = neighbour_accuracy(foggy, clothes, splits.random_split(2000))
by_time = neighbour_accuracy(foggy, clothes, splits.time_split(day))
measured("accuracy, split by chance", by_chance)
measured("accuracy, split by time", by_time)
claim("the last 20 days are at least 10 points harder than days drawn by chance", by_time < by_chance - 0.1)

# %% [markdown]
# The split by time gives the lower number, and the true one. A random split asks how well the model fills gaps
# *between* days that it knows. Nobody will ask it that.
#
# ### Exercise 08.1 · Grouped split
#
# Write the split yourself. `groups[i]` names the group of example `i`, in any order. Draw the `share` of the *groups*
# that goes to the test set, rounded up to whole groups, with `rng`; each group is equally likely. Return `(train,
# test)`, two arrays of indices. Raise a `ValueError` if no group would be left to train on.
#
# For example, `[7, 7, 3, 7, 5, 3]` with a share of 0.3 holds out one of the three groups: if it is 3, the result is
# `([0, 1, 3, 4], [2, 5])`.


# %%
def group_split(groups: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices for training and testing, no group on both sides; ValueError if there is nothing to train on."""
    ### BEGIN SOLUTION
    names = np.unique(groups)
    count = int(np.ceil(share * len(names)))
    if count >= len(names):
        raise ValueError(f"{count} of {len(names)} groups would be held out, and none is left to train on")
    is_test = np.isin(groups, rng.permutation(names)[:count])
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)
    ### END SOLUTION


# %%
exercise("08.1").check(group_split)

# %% [markdown]
# ## The sisters that nobody told you of
#
# Often no one wrote down which pictures belong together. They were collected from the web, where the same photograph
# stands twice, once brighter and once smaller. You need a fingerprint of a picture that such changes leave alone: a
# **perceptual hash**. One of the simplest is the difference hash: make the picture grey, shrink it to 8 rows of 9
# pixels, and write down for each pair of neighbours whether the right one is brighter. That makes 64 bits.
#
# **Predict**: of 64 bits, how many change when the cat is made brighter? When it is shrunk to a third? Mirrored?

# %%
cat, coffee = datasets.photograph("cat"), datasets.photograph("coffee")
variants = {
    "the photograph": cat,
    "brighter": np.clip(cat * 1.3, 0, 255).astype("uint8"),
    "a third of the size": cat[::3, ::3],
    "5 % cut off": cat[15:, 22:],
    "mirrored": cat[:, ::-1],
    "another": coffee,
}
prints = splits.perceptual_hash(list(variants.values()))
bits = {name: int(np.sum(code != prints[0])) for name, code in zip(variants, prints)}
plotting.fingerprints(variants, prints)
bits

# %%
claim("brighter or smaller: at most 3 of 64 bits", max(bits["brighter"], bits["a third of the size"]) <= 3)
claim("mirrored or another photograph: more than 20", min(bits["mirrored"], bits["another"]) > 20)

# %% [markdown]
# Two pictures that have nothing to do with each other differ in about 32 bits, as two rows of coin tosses would on
# average. So call two pictures whose fingerprints differ in few bits **near-duplicates**. In how few? We know the
# bursts, so we can measure it. **Precision** is the share of what is found that is right: of the pairs that it finds,
# how many are of one scene? Recall (lesson 04) here is: of all pairs of one scene, how many does it find? Five shots
# make ten pairs, so there are 4,000.

# %%
codes = splits.perceptual_hash(shots)
precision, recall = {}, {}
for limit in (4, 10, 16):
    pairs = splits.near_duplicates(codes, limit)
    true = scene[pairs[:, 0]] == scene[pairs[:, 1]]
    precision[limit], recall[limit] = true.mean(), true.sum() / 4000
    print(f"up to {limit:2} bits: precision {approx(precision[limit])}, recall {approx(recall[limit])}")
claim("up to 10 bits, at least 93 % of the pairs are true", precision[10] > 0.93)
claim("and between a third and a half of the true ones are found", 1 / 3 < recall[10] < 1 / 2)
claim("up to 16 bits, more than a quarter of the pairs are false", precision[16] < 0.75)

# %% [markdown]
# On pictures of 32 pixels a tremble of one pixel is a lot, so at 10 bits more than half of the pairs slip through. But
# a burst needs few pairs to hang together: a duplicate of a duplicate is in the same group. Join what hangs together
# and split by that.

# %%
found = splits.duplicate_groups(splits.near_duplicates(codes, 10), len(shots))
by_print = neighbour_accuracy(shots, kinds, splits.grouped_split(found, test=0.25))
measured("split by single pictures", by_picture)
measured("split by groups of near-duplicates", by_print)
measured("split by true scenes", by_scene)
claim("grouping by fingerprint takes away at least 20 points of the leak", by_print < by_picture - 0.2)
claim("but not all of it", by_print > by_scene + 0.1)

# %% [markdown]
# A fingerprint is a second-best. If anybody knows which pictures belong together, ask them.
#
# Now for real data. Among 10,000 pictures there are 50 million pairs, so even a rare accident happens: at 8 bits there
# are false alarms. Let the fingerprint make a short list, and compare the pixels of those few.
#
# **Predict**: are there still any among the 10,000 pictures bundled here?

# %%
whole = datasets.cifar10(dtype="uint8")
everything = np.concatenate([whole.x_train, whole.x_test])
pairs = splits.near_duplicates(splits.perceptual_hash(everything), 8)
first, second = (everything[pairs[:, side]].astype("float32") / 255 for side in (0, 1))
unlike = np.sqrt(((first - second) ** 2).mean(axis=(1, 2, 3)))
doubles = pairs[np.argsort(unlike)][: np.sum(unlike < 0.1)]
plotting.images(
    everything[doubles.T.ravel()],
    titles=["train" if number < 8000 else "test" for number in doubles.T.ravel()],
    columns=len(doubles),
    alt="Twelve pairs, one above the other: the same deer, horse, cat or car twice, with other colours or frames.",
)

# %%
across = np.sum(doubles[:, 1] >= 8000)  # the last 2,000 are the test pictures
claim(
    "of 172 pairs within 8 bits, 12 differ by less than 10 % in their pixels", (len(pairs), len(doubles)) == (172, 12)
)
claim("3 of these have one picture in the training and one in the test set", across == 3)

# %% [markdown]
# There are. In the whole of CIFAR-10, 3.3 % of the test pictures have a near-duplicate in the training set, and in
# CIFAR-100, 10 % (Barz and Denzler 2020). When the two authors replaced them by new pictures, the networks that they
# tried did worse.
#
# ### Exercise 08.2 · Throw out the doubles
#
# Write `keep`: walk through the fingerprints in their order, and keep a picture unless one that you have *kept* differs
# from it in at most `distance` bits. Return the indices that are kept, in order. Raise a `ValueError` if `distance` is
# negative.
#
# For example, with the four fingerprints 0000, 0001, 0011, 1111 and a distance of 1, the result is `[0, 2, 3]`: the
# second goes, since it is near the first, and the third stays, since the second was not kept.


# %%
def keep(hashes: np.ndarray, distance: int) -> list[int]:
    """Indices of the pictures to keep, from fingerprints (n, bits) of bool; ValueError for a negative distance."""
    ### BEGIN SOLUTION
    if distance < 0:
        raise ValueError(f"the distance must be 0 or more, got {distance}")
    kept = []
    for number, code in enumerate(hashes):
        if all(np.sum(code != hashes[other]) > distance for other in kept):
            kept.append(number)
    return kept
    ### END SOLUTION


# %%
exercise("08.2").check(keep)

# %% [markdown]
# ## Labels that are wrong
#
# Somebody sat there and named ten thousand pictures, and was tired now and then. Let us plant such errors: one label in
# twenty of 3,000 pictures becomes another class. Then we ask a network which labels it does not believe.
#
# It must not have trained on the label that it judges, or it knows it by heart (lesson 03). So there are two networks.
# Each trains on one half and judges the other.


# %%
def network(shape, classes=10, filters=(8, 16, 32)):
    """Three convolutions in steps of two pixels, each with batch normalisation, and scores."""
    x = image = keras.Input(shape)
    for count in filters:
        x = layers.Conv2D(count, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(x)))


def restart(model, weights):
    """Back to these weights, with an optimizer that remembers nothing; nothing need be compiled again."""
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        if not variable.path.endswith("learning_rate"):
            variable.assign(np.zeros(variable.shape))


def probabilities(model, x, batch_size=500):
    return ops.convert_to_numpy(ops.softmax(model.predict(x, batch_size=batch_size, verbose=0)))


x, truth = fashion.x_train[:3000], fashion.y_train[:3000]
planted = rng.choice(3000, 150, replace=False)
given = truth.copy()
given[planted] = (truth[planted] + rng.integers(1, 10, 150)) % 10

# %%
half = rng.permutation(3000) % 2
believed = np.zeros((3000, 10))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
judge = network((28, 28, 1))
start = judge.get_weights()
judge.compile(keras.optimizers.Adam(0.002), loss)
for side in (0, 1):
    restart(judge, start)
    training.fit(judge, x[half != side], given[half != side], epochs=6, batch_size=50, label=f"judge of half {side}")
    believed[half == side] = probabilities(judge, x[half == side])

# %% [markdown]
# A label is suspect if the network is sure of another class: **confident disagreement**. Its size is the highest
# probability, less that of the given label. Look at the 100 most suspect of the 3,000.
#
# **Predict**: how many of them are planted errors? By chance it would be 5.

# %%
doubt = believed.max(axis=1) - believed[np.arange(3000), given]
ranked = np.argsort(-doubt)
is_planted = np.isin(ranked, planted)
plotting.suspects(is_planted[:600], total=150)
measured("planted errors among the 100 most suspect labels", is_planted[:100].sum())
claim("at least 40 of the 100 most suspect labels are planted errors", is_planted[:100].sum() >= 40)
claim("looking at 600, a fifth of all labels, finds more than 85 % of them", is_planted[:600].sum() > 0.85 * 150)

# %% [markdown]
# And the other suspects? Those labels were not touched. Here are the most doubted of them. The first name is the label
# of Fashion-MNIST, the second what the network believes. Judge for yourself.

# %%
real = ranked[~is_planted][:8]
plotting.images(
    x[real],
    titles=[f"{fashion.class_names[given[n]]}? {fashion.class_names[believed[n].argmax()]}!" for n in real],
    columns=4,
    alt="Eight pieces of clothing, each with its label and what the network says. Some are hard to name for anybody.",
)

# %% [markdown]
# Some are wrong, some cannot be decided at 28 pixels, and in some the network errs. So the list is not a verdict, it is
# an order in which to look: a fifth of the labels holds nearly all of the errors. In the test sets of ten well-known
# data sets at least 3.3 % of the labels are wrong on average. A list like this one named the candidates, people
# decided, and about half of the candidates were wrong indeed (Northcutt and others 2021).
#
# ## A class that is rare
#
# In a factory one part in a hundred is broken. Take a milder case: 200 pictures of each class of clothing, but only 20
# shirts, the class that is the most like its neighbours.
#
# **Predict**: which share of the shirts does the network find? What is its accuracy?

# %%
chosen = np.concatenate([np.flatnonzero(fashion.y_train == c)[: 20 if c == 6 else 200] for c in range(10)])
x, y = fashion.x_train[chosen], fashion.y_train[chosen]
rarity = len(y) / (10 * np.bincount(y))  # 1 if all classes were equally frequent
claim("a shirt is 10 times as rare as any other piece", np.isclose(rarity[6], 10 * rarity[0]))


def recall_by_class(pictures, labels, epochs=4, **options):
    restart(judge, start)
    training.fit(judge, pictures, labels, epochs=epochs, batch_size=50, quiet=True, **options)
    right = probabilities(judge, fashion.x_test).argmax(axis=1) == fashion.y_test
    return [right[fashion.y_test == c].mean() for c in range(10)]


# %% [markdown]
# Three remedies. **Class weights** multiply the loss of each picture by the rarity of its class. **Resampling** shows
# each class equally often, a shirt about nine times in each epoch. **Focal loss** (Lin and others 2017) multiplies the
# loss of a picture by $(1-p)^\gamma$, where $p$ is the probability of the true class: what is easy fades away. It takes
# weights too, and gets them here. It is stored; you train the others.
#
# The accuracy below is that of test pictures in the proportions of the training set, with few shirts: each class's
# recall, weighted by how frequent the class is.

# %%
weights = dict(enumerate(rarity))
drawn = np.concatenate([rng.choice(np.flatnonzero(y == c), 182) for c in range(10)])
recalls = {
    "nothing": recall_by_class(x, y),
    "class weights": recall_by_class(x, y, class_weight=weights),
    "resampling": recall_by_class(x[drawn], y[drawn]),
}

# %% jupyter={"source_hidden": true}
# Three times as long, and focal loss, for the stored runs: `python tools/run_experiments.py --lesson 08` comes by here.
rare = Experiment("08_rare_class")
if rare.pick(stored=True, live=False):
    rare.keep(longer=recall_by_class(x, y, epochs=12, class_weight=weights)[6])
    focal = keras.losses.CategoricalFocalCrossentropy(alpha=rarity.tolist(), gamma=2.0, from_logits=True)
    judge.compile(keras.optimizers.Adam(0.002), focal)
    recalls["focal loss"] = recall_by_class(x, keras.utils.to_categorical(y, 10))

# %%
plotting.recall_table(recalls, fashion.class_names, rare=6)
shirts = {name: values[6] for name, values in recalls.items()}
accuracy = {name: np.dot(values, np.bincount(y) / len(y)) for name, values in recalls.items()}
rare.keep(shirts=shirts, accuracy=accuracy)
found, right = (rare.stored[name] for name in ("shirts", "accuracy"))
for name in found.columns():
    here = f", here {approx(shirts[name], 2)} with accuracy {approx(accuracy[name])}" if name in shirts else ""
    print(f"{name:13}: shirts found in stored runs {found[name].min():.2f} to {found[name].max():.2f}{here}")

# %%
claim(
    "without a remedy the accuracy is above 80 %, and not one shirt in six is found",
    accuracy["nothing"] > 0.8 and shirts["nothing"] < 1 / 6,
)
claim("each remedy finds at least 10 points more", min(list(shirts.values())[1:]) > shirts["nothing"] + 0.1)
claim("focal loss, too, in each stored run", (found["focal loss"] > found["nothing"] + 0.1).all())
claim("class weights lower the accuracy", accuracy["class weights"] < accuracy["nothing"])
claim("and focal loss does, in each stored run", (right["focal loss"] < right["nothing"]).all())

# %% [markdown]
# Accuracy hides a class that is lost, because it is hardly ever asked for. The recall of each class shows it. And the
# remedies are not free: what is gained in shirts is paid by the classes that look like them, some of whose pictures are
# now taken for shirts. Which of T-shirt, pullover and coat pays most changes from run to run. Which of the two errors
# is worse, no loss function knows.
#
# A warning that you will not find in the error messages: weights work only while there is a loss to weigh. The stored
# runs also trained with class weights three times as long. **Predict**: more shirts, or fewer?

# %%
shorter, longer = rare.stored["shirts"]["class weights"], rare.stored["longer"]
print("class weights,  4 epochs: share of the shirts found", ", ".join(f"{share:.2f}" for share in shorter))
print("class weights, 12 epochs: share of the shirts found", ", ".join(f"{share:.2f}" for share in longer))
claim("trained longer, the weights have lost a part of their effect, in each stored run", (longer < shorter).all())

# %% [markdown]
# By then the network knows nearly all its training pictures by heart. Ten times a loss of nearly nothing is nearly
# nothing (Byrd and Lipton 2019).
#
# ### Exercise 08.3 · A balanced sampler
#
# `rng.choice` with replacement, as above, leaves some pictures of a class out and takes others twice. Write a better
# sampler: indices of `per_class` examples of each class that occurs in `labels`. Within a class no example may be used
# twice before each has been used once, three times before each has been used twice, and so on. Draw with `rng` which
# ones are used more often, and return all indices in random order. Raise a `ValueError` if `per_class` is below 1.
#
# For example, with labels `[0, 0, 0, 1]` and `per_class=2`, the result may be `[3, 0, 3, 2]`.


# %%
def balanced(labels: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of per_class examples of each class, in random order; ValueError if per_class is below 1."""
    ### BEGIN SOLUTION
    if per_class < 1:
        raise ValueError(f"per_class must be 1 or more, got {per_class}")
    drawn = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rounds = -(-per_class // len(members))
        drawn.append(np.concatenate([rng.permutation(members) for _ in range(rounds)])[:per_class])
    return rng.permutation(np.concatenate(drawn))
    ### END SOLUTION


# %%
exercise("08.3").check(balanced)

# %% [markdown]
# ## Into a square
#
# Networks take squares, and photographs are none. There are three ways to make one: *squash* both sides to the size,
# *crop* the middle, or *pad* with black. `keras.layers.Resizing` does each. The shuttle below is taller than wide.
#
# **Predict**: which of the three gets the highest probability of a shuttle from EfficientNet-Lite0 (lesson 00)?

# %%
lite = efficientnet_lite.EfficientNetLite0(weights="imagenet")
shuttle = datasets.photograph("shuttle").astype("float32")
policies = {
    "squash": layers.Resizing(224, 224),
    "crop": layers.Resizing(224, 224, crop_to_aspect_ratio=True),
    "pad": layers.Resizing(224, 224, pad_to_aspect_ratio=True),
}
squares = np.stack([np.clip(ops.convert_to_numpy(policy(shuttle)), 0, 255) for policy in policies.values()])
beliefs = probabilities(lite, (squares - 127) / 128, batch_size=3)[:, 812]  # class 812 is "space shuttle"
plotting.images(
    [shuttle / 255, *(squares / 255)],
    titles=["220 x 162", *(f"{name}: {approx(p, 2)}" for name, p in zip(policies, beliefs))],
    alt="A space shuttle, tall; squashed to a square it is fat, cropped it has no tail, padded it has black bars. "
    "Above each square: the probability of a space shuttle.",
)
claim("squashed, it gets at least 5 times the probability of the crop", beliefs[0] > 5 * beliefs[1])

# %% [markdown]
# Here fat is better than cut off, and better than small. This is one picture, and another may have another winner: a
# crop costs what stands at the border, padding costs size, squashing costs shape. What counts is that the pictures in
# use are made square *in the same way* as those in training.
#
# ## The right numbers in the right order
#
# Lite0 was trained on values from -1 to 1, $(v - 127)/128$, with red first. A picture from another library comes with
# blue first (OpenCV), from 0 to 255, or from 0 to 1. No error is raised: numbers are numbers.
#
# **Predict**: rank these faults by the harm that they do.

# %%
subjects = {"cat": [281, 282, 285], "coffee": [967], "camera": [872]}
pixels = np.stack([datasets.photograph(name, size=224) for name in subjects]).astype("float32")
right = (pixels - 127) / 128
faults = {
    "as trained": right,
    "blue first": right[..., ::-1],
    "0 to 1": pixels / 255,
    "negative": -right,
    "0 to 255": pixels,
    "scaled twice": (right - 127) / 128,
    "reshaped": right.transpose(0, 3, 1, 2).reshape(right.shape),
}
fed = np.concatenate(list(faults.values()))
answers = np.split(probabilities(lite, fed, batch_size=3), len(faults))
table = np.array([[p[classes].sum() for p, classes in zip(answer, subjects.values())] for answer in answers])

# %%
plotting.input_faults(table, ways=list(faults), pictures=list(subjects))
claim("fed as trained, each true class has at least 85 %", table[0].min() > 0.85)
claim("blue first, 0 to 1, and even the negative keep 80 % or more", table[1:4].min() > 0.8)
claim("0 to 255, scaled twice and reshaped lose it: 15 % at most", table[4:].max() < 0.15)

# %% [markdown]
# The loud faults are not the dangerous ones: a network that is always wrong is found on the first day. Swapped channels
# cost these three photographs little, and nobody looks for a few points. So test it: feed one known picture through the
# *whole* path of the product, and compare its scores with those of the training code to four digits.
#
# ### Exercise 08.4 · A normalisation bug
#
# A colleague standardises the pictures, and the accuracy on 2,000 test pictures is fine. In the product, where
# pictures come one at a time, every answer is the same.


# %%
def colleague(train, test):
    train = (train - train.mean(axis=0)) / train.std(axis=0)
    test = (test - test.mean(axis=0)) / test.std(axis=0)
    return train, test


with np.errstate(invalid="ignore"):
    _, single = colleague(cifar.x_train[:500], cifar.x_test[:1])
claim("a single picture becomes nothing but NaN", np.isnan(single).all())

# %% [markdown]
# Write `standardise`: both arrays are (n, height, width, channels). The mean and the standard deviation of each
# *channel*, over all training pictures and all their pixels, serve for both. Take the standard deviation as `np.std`
# gives it. Where a channel of the training pictures has no spread at all, divide by 1. Return both arrays, the training
# pictures first.


# %%
def standardise(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays, shifted and scaled by the channel statistics of the training pictures."""
    ### BEGIN SOLUTION
    mean, spread = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    spread = np.where(spread == 0, 1, spread)
    return (train - mean) / spread, (test - mean) / spread
    ### END SOLUTION


# %%
exercise("08.4").check(standardise)

# %% [markdown]
# ## More pictures than you have
#
# A cat that is mirrored, moved or under another lamp is still a cat. Augmentation (lesson 04) changes each picture by
# chance each time it is shown, so that the network hardly ever sees the same pixels twice. Keras has layers for it.
# Each is drawn four times below, and the draw that changes the picture most is shown.

# %%
names = ["cat", "coffee", "rocket", "astronaut"]
four = np.stack([datasets.photograph(name, size=128) for name in names]).astype("float32") / 255
unit = {"value_range": (0, 1)}
gallery = {
    "RandomFlip": layers.RandomFlip("horizontal"),
    "RandomTranslation": layers.RandomTranslation(0.2, 0.2),
    "RandomZoom (a crop)": layers.RandomZoom((-0.5, -0.3)),
    "RandomColorJitter": layers.RandomColorJitter(**unit, brightness_factor=0.2, hue_factor=0.3),
    "RandomGaussianBlur": layers.RandomGaussianBlur(factor=1.0, kernel_size=9, sigma=1.0, **unit),
    "RandomErasing": layers.RandomErasing(factor=1.0, scale=(0.1, 0.2), fill_value=0.5, **unit),
    "RandAugment": layers.RandAugment(**unit, num_ops=2, factor=0.5),
}
tiles = {"the photograph": four[0]}
for name, layer in gallery.items():
    draws = ops.convert_to_numpy(layer(np.repeat(four[:1], 4, axis=0), training=True))
    draws = np.clip(draws, 0, 1)
    tiles[name] = draws[np.abs(draws - four[0]).mean(axis=(1, 2, 3)).argmax()]

# %% [markdown]
# Three more mix pictures, and their labels with them. **MixUp** (Zhang and others 2018) fades two pictures into each
# other, **CutMix** (Yun and others 2019) pastes a patch of one into the other, and **mosaic** (Bochkovskiy and others
# 2020), which Keras does not have, puts four together. For MixUp, with a share $\lambda$ of the first picture, drawn
# between 0 and 1 from a beta distribution,
#
# $$x = \lambda x_i + (1 - \lambda) x_j \qquad\qquad y = \lambda y_i + (1 - \lambda) y_j$$
#
# with $x_i$, $x_j$ the two pictures and $y_i$, $y_j$ their labels, 1 for the true class and 0 for the others. The other
# two mix the labels by area.


# %%
def mosaic(images, labels, rng):
    """Four pictures (4, h, w, 3), each giving the quarter around a random centre; labels mixed by area."""
    height, width = images.shape[1:3]
    row, column = (int(size * rng.uniform(0.25, 0.75)) for size in (height, width))
    top, bottom, left, right = slice(row), slice(row, None), slice(column), slice(column, None)
    canvas, label = np.empty_like(images[0]), 0
    for number, part in enumerate([(top, left), (top, right), (bottom, left), (bottom, right)]):
        canvas[part] = images[number][part]
        label = label + labels[number] * canvas[part][..., 0].size / (height * width)
    return canvas, label


batch = {"images": four, "labels": np.eye(4, dtype="float32")}
for name, layer in {"MixUp": layers.MixUp(alpha=2.0), "CutMix": layers.CutMix()}.items():
    mixed = {key: ops.convert_to_numpy(value) for key, value in layer(batch, training=True).items()}
    pick = mixed["labels"].max(axis=1).argmin()  # the one that is mixed most
    tiles[name] = np.clip(mixed["images"][pick], 0, 1)
    claim(f"{name}: the labels of each picture still add up to 1", np.allclose(mixed["labels"].sum(axis=1), 1))
tiles["mosaic"], label = mosaic(four, batch["labels"], rng)
claim("mosaic: so do the four shares", np.isclose(label.sum(), 1))

# %%
plotting.images(
    tiles,
    columns=4,
    alt="A cat; mirrored, moved, enlarged, in other colours, blurred, with a grey rectangle, changed by RandAugment; "
    "two photographs faded into each other, one pasted into another, four in a mosaic.",
)

# %% [markdown]
# ### Exercise 08.5 · MixUp from scratch
#
# Write MixUp for a batch, with the draws already made: picture `i` is mixed with picture `partner[i]`, and keeps the
# share `share[i]` of itself. Images are (n, height, width, channels), labels (n, classes), `partner` and `share` (n,).
# Return the mixed images and the mixed labels. A share may be 0 or 1. Raise a `ValueError` if one is below 0 or above
# 1.
#
# For example, a white picture of class 0 mixed with a black one of class 1 and a share of 0.75 is a light grey of 0.75,
# with the label `[0.75, 0.25]`.


# %%
def mixup(
    images: np.ndarray, labels: np.ndarray, partner: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mixed images and the mixed labels; ValueError for a share outside 0 ... 1."""
    ### BEGIN SOLUTION
    if share.min() < 0 or share.max() > 1:
        raise ValueError("a share must be between 0 and 1")
    of_image, of_label = share[:, None, None, None], share[:, None]
    mixed = of_image * images + (1 - of_image) * images[partner]
    return mixed, of_label * labels + (1 - of_label) * labels[partner]
    ### END SOLUTION


# %%
exercise("08.5").check(mixup)

# %% [markdown]
# ## When the label does not survive
#
# A mirrored cat is a cat. But look at a 6 on the display of a pocket calculator, and turn it by half a turn.

# %%
six = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 1], [1, 0, 1], [1, 1, 1]])
nine = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1]])
claim("half a turn makes the 6 a 9, pixel by pixel", (np.rot90(six, 2) == nine).all())

# %% [markdown]
# Whether an augmentation keeps the label depends on the *question*, not on the picture. Nearly all shoes of
# Fashion-MNIST point to the left. Mirror half of them, and ask a network which way a shoe points: two classes, and an
# easy task.
#
# **Predict**: it trains once without and once with `RandomFlip`. What are the two accuracies?


# %%
def pointing(x, y):
    """Sandals, sneakers and ankle boots, half of them mirrored, and whether they were."""
    shoes = x[np.isin(y, (5, 7, 9))]
    mirrored = rng.integers(0, 2, len(shoes))
    return np.where(mirrored[:, None, None, None] == 1, shoes[:, :, ::-1], shoes), mirrored


train, test = pointing(fashion.x_train[:2000], fashion.y_train[:2000]), pointing(fashion.x_test, fashion.y_test)
flip = layers.RandomFlip("horizontal")
compass = network((28, 28, 1), classes=2)
compass.compile(keras.optimizers.Adam(0.002), loss, metrics=["accuracy"])
start, ways = compass.get_weights(), {}
for name in ("as they are", "RandomFlip"):
    restart(compass, start)
    for epoch in range(5):  # in each of them the flips are drawn anew
        shoes = train[0] if name == "as they are" else ops.convert_to_numpy(flip(train[0], training=True))
        training.fit(compass, shoes, train[1], batch_size=50, seed=epoch, quiet=True)
    ways[name] = compass.evaluate(*test, batch_size=500, verbose=0)[1]
    measured(f"{name:11}: share of shoes whose direction is named rightly", ways[name])
claim("without the flip the network is right on at least 95 %", ways["as they are"] > 0.95)
claim("with it, it guesses", 0.3 < ways["RandomFlip"] < 0.7)

# %% [markdown]
# The flip throws away exactly what was asked for. No error was raised, and on another task the same layer helps.
#
# ### Exercise 08.6 · Which augmentation is wrong here?
#
# For each task name the one augmentation that can change the label, or hide what it depends on: `"flip"` (left to
# right), `"rotation"` (by any angle), `"colour"` (other hues), `"blur"` or `"crop"` (a part of the picture). All others
# keep it.
#
# - `letters`: is it a b or a d?
# - `tomatoes`: is it ripe?
# - `digits`: is it a 6 or a 9, printed?
# - `coins`: how many lie on the table?
# - `focus`: is the photograph sharp?

# %%
### BEGIN SOLUTION
wrong = {"letters": "flip", "tomatoes": "colour", "digits": "rotation", "coins": "crop", "focus": "blur"}
### END SOLUTION

# %%
exercise("08.6").check(wrong)

# %% [markdown]
# ## What it brings
#
# Now measure. The same network on 500 pictures of CIFAR-10, with the same number of steps, once as they are and once
# moved by up to four pixels and mirrored by chance, much as ResNet was trained on CIFAR-10 (He and others 2016). NumPy
# is quick enough for that. You train on the augmented pictures, for six of fifteen epochs. The others are stored: as
# they are, and with 100 and with 2,000 pictures.


# %%
def moved_and_mirrored(batch, rng):
    """Each picture moved by up to 4 pixels in each direction, and mirrored half of the time."""
    padded = np.pad(batch, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    corners = rng.integers(0, 9, (len(batch), 2))
    moved = np.stack([image[top : top + 32, left : left + 32] for image, (top, left) in zip(padded, corners)])
    mirrored = rng.random(len(batch)) < 0.5
    moved[mirrored] = moved[mirrored, :, ::-1]
    return moved


class Augmented(training.Batches):
    """Batches whose pictures are drawn anew each time they are asked for."""

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return moved_and_mirrored(x, rng), y


# %% [markdown]
# **Predict**: with and without augmentation, which accuracy is higher on the *training* pictures, and which on the test
# pictures?

# %%
gain = Experiment("08_augmentation")
sizes, epochs = gain.pick(stored=((100, 500, 2000), 15), live=((500,), 6))
learner = network((32, 32, 3), filters=(16, 32, 64))
rate = training.warmup_cosine(peak=0.003, steps=40 * epochs, warmup=2 * epochs)
learner.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
start = learner.get_weights()


def learn(name, batches, size):
    """Train on the first pictures, an epoch being 2,000: each of 500 comes four times. Keep both accuracies."""
    again = np.arange(2000) % size
    x, y = cifar.x_train[again], cifar.y_train[again]
    restart(learner, start)
    training.fit(learner, batches(x, y, 50), epochs=epochs, shuffle=False, label=f"{size:4}, {name:11}")
    for part, pictures in {"train": (x[:size], y[:size]), "test": (cifar.x_test, cifar.y_test)}.items():
        gain.keep(**{f"{name} {size} {part}": learner.evaluate(*pictures, batch_size=500, verbose=0)[1]})


for size in sizes:
    learn("augmented", Augmented, size)

# %% jupyter={"source_hidden": true}
# The pictures as they are, for the stored runs only: `python tools/run_experiments.py --lesson 08` comes by here.
for size in gain.pick(stored=sizes, live=()):
    learn("as they are", training.Batches, size)

# %%
runs = gain.stored
plotting.learning_curves(runs, gain.live, sizes=(100, 500, 2000), recipes=("as they are", "augmented"))
points = {n: 100 * (runs[f"augmented {n} test"] - runs[f"as they are {n} test"]) for n in (100, 500, 2000)}
for size, values in points.items():
    print(f"{size:5} pictures: {values.min():4.1f} to {values.max():4.1f} points gained by augmentation")
claim("in each stored run, at each size, augmentation gains at least 3 points", min(map(min, points.values())) > 3)

# %%
ahead = runs["augmented 500 test"] - runs["as they are 2000 test"]
claim("in no stored run is 500 augmented more than 2 points behind 2,000 as they are", ahead.min() > -0.02)
claim("as they are, 500 pictures are learnt by heart: 99 % or more", runs["as they are 500 train"].min() > 0.99)
claim("augmented, they are not: below 95 %", runs["augmented 500 train"].max() < 0.95)
claim("nor in this run", gain.live["augmented 500 train"] < 0.95)
claim(
    "which is ahead on the test pictures", gain.live["augmented 500 test"] > runs["as they are 500 test"].mean() + 0.01
)

# %% [markdown]
# As they are, the pictures are learnt by heart, and from then on the network has nothing more to learn from them. Moved
# and mirrored, 500 remain new for longer. With 100, even the augmented ones are known by heart in the end, and the test
# pictures gain all the same.
#
# Read the figure from left to right, too: 500 augmented pictures did about as well as 2,000 that were not. Moving and
# mirroring was worth 1,500 photographs that somebody would have had to take and name.
#
# It is not free. After as many steps the augmented run still has a training loss well above that of the other. So
# compare at the end of the schedule, and give augmentation a schedule that is long enough.
#
# ## Which of the two is the limit?
#
# Pictures must be read, decoded, changed and handed over before the network can learn from them. That is the **input
# pipeline**. Measure both sides in images a second: what the input pipeline delivers, and what the training step
# consumes.
#
# **Predict**: rank them. Reading and decoding a photograph, a batch moved and mirrored with NumPy, a batch moved,
# mirrored and recoloured by layers of Keras, and the training step of the small network above.


# %%
def images_per_second(work, images, seconds=0.5):
    """How many images `work`, which handles `images` of them, gets through in a second."""
    work()  # the first call compiles
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        work()
        calls += 1
    return images * calls / (time.perf_counter() - started)


# %% tags=["nbval-ignore-output"]
x, y = cifar.x_train[:50], cifar.y_train[:50]
jitter = keras.Sequential([gallery[name] for name in ("RandomFlip", "RandomTranslation", "RandomColorJitter")])
pipeline = {
    "move, mirror (NumPy)": images_per_second(lambda: moved_and_mirrored(x, rng), 50),
    "move, mirror, recolour (Keras)": images_per_second(lambda: ops.convert_to_numpy(jitter(x, training=True)), 50),
    "read, decode a photograph": images_per_second(lambda: datasets.photograph("cat", size=224), 1, seconds=1),
}
network_side = {
    "training step, small network": images_per_second(lambda: learner.train_on_batch(x, y), 50),
    "Lite0 forward, 224 pixels": images_per_second(lambda: probabilities(lite, fed[:3]), 3),
}
plotting.throughput(pipeline, network_side)

# %%
numpy_speed, layer_speed, photographs = pipeline.values()
step, forward = network_side.values()
claim(
    "moved and mirrored by NumPy, pictures come faster than the step takes them: the network is the limit",
    numpy_speed > step,
)
claim("recoloured by layers, they come slower: the pipeline is the limit", layer_speed < step)

# %% [markdown]
# *The slower of the two decides, and nothing else*, as long as both work at the same time. With these layers in the
# input pipeline a network of half the size would not train a second faster.
#
# For photographs, the same two numbers. A step computes about three times what a forward pass does, since the gradients
# of inputs and of weights each cost as much again. So on this CPU Lite0 trains at a third of the rate above, and one
# core that decodes is enough for it. On a device a hundred times as fast it is not.

# %%
claim("on a CPU Lite0 would train slower than one core decodes", forward / 3 < photographs)
claim("a device 100 times as fast would wait for the photographs", photographs < 100 * forward / 3)

# %% [markdown]
# Do they work at the same time? If the step waits for the batch and the batch for the step, their times add up.
# **Prefetching** draws the next batch while the network learns from this one. Suppose that the pictures lie on a disk
# far away, and a batch takes as long as a training step to arrive.
#
# **Predict**: how much faster is it with prefetching?


# %%
def from_afar():
    time.sleep(50 / step)  # waiting needs no processor
    return x, y


def prefetched(load):
    """What `load` gives, again and again, each drawn by a thread while the one before is in use."""
    with ThreadPoolExecutor(1) as worker:
        upcoming = worker.submit(load)
        while True:
            ready, upcoming = upcoming.result(), worker.submit(load)
            yield ready


# %% tags=["nbval-ignore-output"]
batches = prefetched(from_afar)
waiting = images_per_second(lambda: learner.train_on_batch(*from_afar()), 50, seconds=1)
ahead = images_per_second(lambda: learner.train_on_batch(*next(batches)), 50, seconds=1)
batches.close()
measured("one after the other", waiting, "images a second")
measured("prefetched         ", ahead, "images a second")
measured("gain               ", ahead / waiting, "times")

# %% [markdown]
# If both took exactly as long, twice as fast would be perfect. The times vary from call to call, so what you measure
# may lie a little on either side. In Keras, `keras.utils.PyDataset(workers=4)` draws with four threads, and `tf.data`
# and PyTorch's `DataLoader`, which `fit` takes as well, have their own. When a GPU is at 30 %, measure both sides
# before you buy another one. Then decode less (store pictures at the size that you train at), decode on more cores, or
# move the augmentation into the model, where it runs on the device.

# %% [markdown]
# ## Recap
#
# - Split by what will be new in use: by group, by time. A random split of bursts promised more than 90 % where 20 %
#   were true.
# - A perceptual hash finds near-duplicates, not all of them. CIFAR-10 has some between training and test set.
# - Let a network that has not seen them judge the labels. Its list is an order in which to look.
# - Accuracy hides rare classes. Look at the recall of each, and choose who pays. Weights fade once all is learnt by
#   heart.
# - The input of a network is part of the network: size, range, order of channels. Most faults raise no error, and the
#   mild ones are easily overlooked.
# - Augmentation keeps the label or it is wrong, and the task decides. It helps where pictures are learnt by heart.
# - Images a second on both sides tell which one is the limit. Prefetching makes it the slower one, not the sum.
#
# ## Explain it
#
# **Your model has 97 % on the test set and 70 % in the hospital next door. Name three causes, and how to tell them
# apart.**
#
# <details><summary>Model answer</summary>
#
# Leakage: several pictures of one patient on both sides of the split. Split by patient and see whether the 97 % fall. A
# shift: another scanner, another population. Test on a held-out hospital, and compare the statistics of the pictures.
# An input fault: other range, size or order of channels in the product. Feed one known file through both paths and
# compare the scores.
#
# </details>
#
# **1 % of the parts are broken, and your classifier has 99 % accuracy. What do you ask?**
#
# <details><summary>Model answer</summary>
#
# Whether it finds any: a classifier that always says *whole* has 99 % as well. Ask for recall and precision of the
# broken class, and for what a missed part and a false alarm cost. Then choose weights or a threshold by these costs.
# And keep the test set at the true proportions, whatever is resampled in training.
#
# </details>
#
# **Where in the input pipeline do you normalise, split, deduplicate and augment, and in what order?**
#
# <details><summary>Model answer</summary>
#
# Deduplicate first, or join doubles to groups. Then split by group or time. Compute the statistics for the
# normalisation on the training part alone, and apply them to all parts. Augment only training pictures, on the fly,
# anew in each epoch. Augmented before the split, copies of a picture land on both sides.
#
# </details>
#
# **With augmentation the training accuracy fell from 100 % to 80 %. Is something broken?**
#
# <details><summary>Model answer</summary>
#
# No. The task became harder: the network sees pictures that it has not seen before. What counts is the accuracy on
# pictures that are not augmented and not trained on. If that fell too, the augmentation is too strong, changes labels,
# or the run is too short for it.
#
# </details>
#
# ## What comes next
#
# Part C begins with the strongest remedy for few pictures: a network that has already learnt from a million others.
# [09 Transfer learning](../notebooks/09_transfer_learning.ipynb) · [Course map](../README.md)
#
# ## References
#
# - B. Barz and J. Denzler (2020). Do we train on test data? Purging CIFAR of near-duplicates. *Journal of Imaging*.
# - A. Bochkovskiy, C.-Y. Wang and H.-Y. M. Liao (2020). YOLOv4: optimal speed and accuracy of object
#   detection. *arXiv*.
# - J. Byrd and Z. C. Lipton (2019). What is the effect of importance weighting in deep learning? *ICML*.
# - E. D. Cubuk, B. Zoph, J. Shlens and Q. V. Le (2020). RandAugment: practical automated data augmentation with a
#   reduced search space. *CVPR workshops*.
# - K. He, X. Zhang, S. Ren and J. Sun (2016). Deep residual learning for image recognition. *CVPR*.
# - T.-Y. Lin, P. Goyal, R. Girshick, K. He and P. Dollár (2017). Focal loss for dense object detection. *ICCV*.
# - C. G. Northcutt, A. Athalye and J. Mueller (2021). Pervasive label errors in test sets destabilize machine learning
#   benchmarks. *NeurIPS datasets and benchmarks*.
# - S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe and Y. Yoo (2019). CutMix: regularization strategy to train strong
#   classifiers with localizable features. *ICCV*.
# - H. Zhang, M. Cisse, Y. N. Dauphin and D. Lopez-Paz (2018). mixup: beyond empirical risk minimization. *ICLR*.
# - Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang (2020). Random erasing data augmentation. *AAAI*.
