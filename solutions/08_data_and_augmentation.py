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
# - tell what each remedy for a rare class brings by itself, beside one that costs nothing
# - tell whether pictures reach a network in the size, the range and the order of channels that it expects
# - choose augmentations that keep the label, and measure what they bring
#
# **Before this**: [03 Training from first principles](../notebooks/03_training_from_first_principles.ipynb),
# [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb) · **Reading** 58 min ·
# **Exercises** 76 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 Worth nothing | What does an accuracy of more than ninety per cent tell you? | 18 |
# | 2 Sisters | Which pictures stand on both sides, if nobody wrote it down? | 16 |
# | 3 Wrong labels | Which labels are wrong? | 6 |
# | 4 A rare class | What does each remedy bring, by itself? | 24 |
# | 5 The right numbers | Does the network get what it was trained on? | 14 |
# | 6 More pictures than you have | Which changes keep the label? | 26 |
# | 7 What it brings | What does moving and mirroring bring? | 8 |
# | 8 An audit | What is wrong with a collection that you do not know? | 22 |
#
# [← 07 Efficient and modern blocks](../notebooks/07_efficient_and_modern_blocks.ipynb) · [Course map](../README.md) ·
# [09 Transfer learning →](../notebooks/09_transfer_learning.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="08")

# %%
import keras
import numpy as np
from keras import layers, ops

from cnnlib import audit, claim, datasets, exercise, plotting, predict, reveal, splits, training
from cnnlib.claims import approx, measured
from cnnlib.models import efficientnet_lite
from cnnlib.results import Experiment

# %% [markdown]
# ## Part 1 · Worth nothing
#
# **What does an accuracy of more than ninety per cent tell you?**
#
# A camera stands in a forest. When something moves it takes five pictures in a second: a *burst*. At the end of the
# year you have 2,000 pictures of 400 scenes, you put a quarter of them aside for testing, and you train.
#
# Here is such a data set: 400 pictures of CIFAR-10, five shots of each. Between shots the camera trembles by a pixel,
# the light changes and the sensor adds its noise.


# %% jupyter={"source_hidden": true}
# What this page needs, and the bursts: one scene, five shots.
def shot(picture, rng):
    """The same scene a moment later: moved by at most a pixel, brighter or darker, with a little noise."""
    top, left = rng.integers(0, 3, 2)
    moved = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")[top : top + 32, left : left + 32]
    return np.clip(moved * rng.uniform(0.8, 1.2) + rng.normal(0, 0.02, picture.shape), 0, 1).astype("float32")


def nearest(x, y, new):
    """For each new picture the class of the nearest picture in x."""
    x, new = x.reshape(len(x), -1), new.reshape(len(new), -1)
    return y[((x**2).sum(axis=1) - 2 * new @ x.T).argmin(axis=1)]


def neighbour_accuracy(x, y, split):
    train, test = split
    return np.mean(nearest(x[train], y[train], x[test]) == y[test])


def restart(model, weights):
    """Back to these weights, with an optimizer that remembers nothing; nothing need be compiled again."""
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        if not variable.path.endswith("learning_rate"):
            variable.assign(np.zeros(variable.shape))


def probabilities(model, x, batch_size=500):
    return ops.convert_to_numpy(ops.softmax(model.predict(x, batch_size=batch_size, verbose=0)))


def pointing(x, y):
    """Sandals, sneakers and ankle boots, half of them mirrored, and whether they were."""
    shoes = x[np.isin(y, (5, 7, 9))]
    mirrored = rng.integers(0, 2, len(shoes))
    return np.where(mirrored[:, None, None, None] == 1, shoes[:, :, ::-1], shoes), mirrored


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
# **Predict**: guessing among ten classes gives 10 %. What does the split by single pictures give?

# %%
predict("08.a", "Which accuracy does the split by single pictures promise?", unit="%")

# %%
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
reveal("08.a", 100 * by_picture)
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
#
# ### When tomorrow differs from today
#
# The other thing that is new when a model is used is *time*. Suppose that the lens fogs up over a hundred days, a
# little each day, until black and white are nearly the same grey. If the model will be used on later days, the honest
# test set is the last days: a **split by time**.

# %%
fashion = datasets.fashion_mnist()
order = rng.permutation(2000)  # the bundled pictures stand in order of their classes
day = np.arange(2000) // 20
fog = 0.9 * day[:, None, None, None] / 100
foggy = ((1 - fog) * fashion.x_train[order] + fog * 0.5).astype("float32")
clothes = fashion.y_train[order]
by_chance = neighbour_accuracy(foggy, clothes, splits.random_split(2000))
by_time = neighbour_accuracy(foggy, clothes, splits.time_split(day))
measured("accuracy, split by chance", by_chance)
measured("accuracy, split by time", by_time)
claim("the last 20 days are at least 10 points harder than days drawn by chance", by_time < by_chance - 0.1)

# %% [markdown]
# A random split asks how well the model fills gaps *between* days that it knows. Nobody will ask it that. The split by
# time asks for days that come after, and both trained on equally many pictures.
#
# ### Exercise 08.1 · Grouped split
#
# ●●○ · 10 min
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
# **So far**: split by what will be new in use, by group or by time. Where a random split is asked for what it has seen,
# its number says nothing.
#
# ## Part 2 · Sisters
#
# **Which pictures stand on both sides, if nobody wrote it down?**
#
# Often no one wrote down which pictures belong together. They were collected from the web, where the same photograph
# stands twice, once brighter and once smaller. You need a fingerprint of a picture that such changes leave alone: a
# **perceptual hash**. One of the simplest is the difference hash: make the picture grey, shrink it to 8 rows of 9
# pixels, and write down for each pair of neighbours whether the right one is brighter. That makes 64 bits.
#
# **Predict**: of 64 bits, how many change when the cat is mirrored? And when it is shrunk to a third?

# %%
predict("08.b", "How many of the 64 bits change when the cat is mirrored?")

# %% jupyter={"source_hidden": true}
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
print(bits)
reveal("08.b", bits["mirrored"], exact=True)
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
found = splits.duplicate_groups(splits.near_duplicates(codes, 10), len(shots))
by_print = neighbour_accuracy(shots, kinds, splits.grouped_split(found, test=0.25))
measured("split by single pictures", by_picture)
measured("split by groups of near-duplicates", by_print)
claim("grouping by fingerprint takes away at least 20 points of the leak", by_print < by_picture - 0.2)
claim("but not all of it", by_print > by_scene + 0.1)

# %% [markdown]
# At 10 bits more than half of the pairs slip through. But a burst needs few pairs to hang together: a duplicate of a
# duplicate is in the same group. The split by these groups takes away a part of the leak.
#
# A fingerprint is a second-best. If anybody knows which pictures belong together, ask them.
#
# Now for real data. Among 10,000 pictures there are 50 million pairs, so even a rare accident happens: at 8 bits there
# are false alarms. Let the fingerprint make a short list, and compare the pixels of those few.

# %% jupyter={"source_hidden": true}
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
across = np.sum(doubles[:, 1] >= 8000)  # the last 2,000 are the test pictures
claim(
    "of 172 pairs within 8 bits, 12 differ by less than 10 % in their pixels", (len(pairs), len(doubles)) == (172, 12)
)
claim("3 of these have one picture in the training and one in the test set", across == 3)

# %% [markdown]
# In the whole of CIFAR-10, 3.3 % of the test pictures have a near-duplicate in the training set, and in
# CIFAR-100, 10 % (Barz and Denzler 2020). When the two authors replaced them by new pictures, the networks that they
# tried did worse.
#
# ### Exercise 08.2 · Throw out the doubles
#
# ●○○ · 8 min
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
# **So far**: a fingerprint makes a short list of near-duplicates, and the pixels decide. It takes away a part of a
# leak, not all of it.
#
# ## Part 3 · Wrong labels
#
# **Which labels are wrong?**
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


x, truth = fashion.x_train[:3000], fashion.y_train[:3000]
planted = rng.choice(3000, 150, replace=False)
given = truth.copy()
given[planted] = (truth[planted] + rng.integers(1, 10, 150)) % 10
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
# The rival that costs nothing: of the ten nearest pictures, how many have another label?
#
# **Predict**: how many of the network's 100 are planted errors? By chance it would be 5.

# %%
predict("08.c", "How many of the 100 most suspect labels are planted errors?")

# %%
doubt = believed.max(axis=1) - believed[np.arange(3000), given]
ranked = np.argsort(-doubt)
is_planted = np.isin(ranked, planted)
plotting.suspects(is_planted[:600], total=150)
reveal("08.c", is_planted[:100].sum())
claim("at least 40 of the 100 most suspect labels are planted errors", is_planted[:100].sum() >= 40)
claim("looking at 600, a fifth of all labels, finds more than 85 % of them", is_planted[:600].sum() > 0.85 * 150)

# %% jupyter={"source_hidden": true}
# The rival, and the most doubted of the labels that nobody touched.
near = x.reshape(3000, -1)
apart = (near**2).sum(axis=1) - 2 * near @ near.T
np.fill_diagonal(apart, np.inf)
unlike_given = np.mean(given[np.argpartition(apart, 10, axis=1)[:, :10]] != given[:, None], axis=1)
by_neighbours = np.isin(np.argsort(-unlike_given, kind="stable")[:100], planted).sum()
measured("planted errors among the 100 that most of the ten nearest pictures contradict", by_neighbours)
real = ranked[~is_planted][:8]
plotting.images(
    x[real],
    titles=[f"{fashion.class_names[given[n]]}? {fashion.class_names[believed[n].argmax()]}!" for n in real],
    columns=4,
    alt="Eight pieces of clothing, each with its label and what the network says. Some are hard to name for anybody.",
)

# %% [markdown]
# The search that learns nothing is the rival to beat: compare its number with the network's. Planted errors may be any
# class; real ones are likely to be the class next door, and harder to find.
#
# And the other suspects? Those labels were not touched: the first name is the label of Fashion-MNIST, the second what
# the network believes. Judge for yourself. Some cannot be decided at 28 pixels, and in some the network errs. So the
# list is not a verdict, it is an order in which to look: a fifth of the labels held more than 85 % of the planted
# errors. In the test sets of ten well-known data sets at least 3.3 % of the labels are wrong on average. A list like
# this one named the candidates, people decided, and about half of the candidates were wrong indeed (Northcutt and
# others 2021).
#
# **So far**: what has not seen a label may judge it. Its list is an order in which to look, and a part of it is false
# alarms.
#
# ## Part 4 · A rare class
#
# **What does each remedy bring, by itself?**
#
# In a factory one part in a hundred is broken. Take a milder case: 200 pictures of each class of clothing, but only 20
# shirts, the class that is the most like its neighbours.
#
# Three remedies change the training. **Class weights** multiply the loss of each picture by the rarity of its class.
# **Resampling** shows each class equally often, a shirt about nine times in each epoch. **Focal loss** (Lin and others
# 2017) multiplies the loss of a picture by $(1-p)^\gamma$, where $p$ is the probability of the true class: what is easy
# fades away. It knows nothing of rare classes.
#
# The fourth costs nothing. A network that hardly saw a shirt has a low score for shirts at the start. The **logit
# adjustment** takes $\tau \ln \pi_c$ off the score of class $c$, where $\pi_c$ is the share of the class in the
# training set (Menon and others 2021). It trains nothing anew.
#
# You train without a remedy and with class weights, for four epochs. The *accuracy* below is that of test pictures in
# the proportions of the training set: each class's recall, weighted by how frequent the class is.
#
# **Predict**: which share of the shirts does the network find?

# %%
predict("08.d", "Which share of the shirts does the network find?", unit="%")

# %% jupyter={"source_hidden": true}
chosen = np.concatenate([np.flatnonzero(fashion.y_train == c)[: 20 if c == 6 else 200] for c in range(10)])
x, y = fashion.x_train[chosen], fashion.y_train[chosen]
prior = np.bincount(y) / len(y)
weights = dict(enumerate(0.1 / prior))  # 1 if all classes were equally frequent
claim("a shirt is 10 times as rare as any other piece", np.isclose(weights[6], 10 * weights[0]))


def recall_by_class(scores, labels, shift=0.0):
    right = (scores - shift * np.log(prior)).argmax(axis=1) == labels
    return np.array([right[labels == c].mean() for c in range(10)])


def measures(scores, labels, shift=0.0):
    """Share of the shirts found, mean recall of all classes, accuracy in the proportions of the training set."""
    recall = recall_by_class(scores, labels, shift)
    return {"shirts": recall[6], "mean recall": recall.mean(), "accuracy": recall @ prior}


# %%
def scores_after(**options):
    restart(judge, start)
    training.fit(judge, x, y, epochs=4, batch_size=50, quiet=True, **options)
    return judge.predict(fashion.x_test, batch_size=500, verbose=0)


plain, weighted = scores_after(), scores_after(class_weight=weights)
recalls = {
    "nothing": recall_by_class(plain, fashion.y_test),
    "class weights": recall_by_class(weighted, fashion.y_test),
    "nothing, shifted": recall_by_class(plain, fashion.y_test, shift=1),
}
plotting.recall_table(recalls, fashion.class_names, rare=6)
shirts = {name: values[6] for name, values in recalls.items()}
accuracy = {name: values @ prior for name, values in recalls.items()}
reveal("08.d", 100 * shirts["nothing"])
claim(
    "without a remedy the accuracy is above 80 %, and not one shirt in six is found",
    accuracy["nothing"] > 0.8 and shirts["nothing"] < 1 / 6,
)
claim("class weights find at least 10 points more", shirts["class weights"] > shirts["nothing"] + 0.1)
claim("so does the shift", shirts["nothing, shifted"] > shirts["nothing"] + 0.1)

# %% [markdown]
# Accuracy hides a class that is lost, because it is hardly ever asked for. The recall of each class shows it.
#
# Which remedy is the best? Whoever always says *shirt* finds them all, so shirts alone decide nothing: take the mean
# recall of the ten classes. And give each remedy the setting that is best for it, by the mean recall on 2,000
# validation pictures: of two rates, 4, 8 or 12 epochs, $\gamma$ of 1 or 3, and $\tau$ from 0 to 2. That is stored,
# for three seeds. Class weights and focal loss are crossed, so that each is also seen without the other.
#
# **Predict**: which of the two finds more shirts by itself?

# %%
predict("08.e", "Which finds more shirts?", choices=["focal loss alone", "nothing, its scores shifted"])

# %% jupyter={"source_hidden": true}
# For the stored runs only: `python tools/run_experiments.py --lesson 08` comes by here. Each way of training gets the
# setting that is best for it on the validation pictures, with shifted scores and without; it is then tested once.
RIVALS = {"nothing": (0,), "class weights": (0,), "resampling": (0,), "focal loss": (1, 3), "both": (1, 3)}
rare = Experiment("08_rare_class")
if rare.pick(stored=True, live=False):
    keras.utils.set_random_seed(runtime.seed())
    finder = network((28, 28, 1))
    begin = finder.get_weights()
    draw = np.random.default_rng(runtime.seed())  # of its own: nothing above changes the stored runs
    evenly = np.concatenate([draw.choice(np.flatnonzero(y == c), 182) for c in range(10)])
    ones, outcomes = dict.fromkeys(range(10), 1.0), {name: [] for name in RIVALS}
    validation, known = fashion.x_train[8000:], fashion.y_train[8000:]
    for gamma in (0, 1, 3):  # with 0 the focal loss is the cross-entropy
        focal = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=gamma, from_logits=True)
        finder.compile(keras.optimizers.Adam(0.001), focal)
        for name in (name for name, gammas in RIVALS.items() if gamma in gammas):
            shown = evenly if name == "resampling" else np.arange(len(y))
            by_class = weights if name in ("class weights", "both") else ones
            for rate in (0.001, 0.003):
                restart(finder, begin)
                finder.optimizer.learning_rate = rate
                for epochs in (4, 8, 12):
                    targets, more = keras.utils.to_categorical(y[shown], 10), {"class_weight": by_class, "quiet": True}
                    training.fit(
                        finder, x[shown], targets, epochs=4, seed=100 * runtime.seed() + epochs, batch_size=50, **more
                    )
                    pair = [finder.predict(p, batch_size=500, verbose=0) for p in (validation, fashion.x_test)]
                    outcomes[name].append(({"rate": rate, "epochs": epochs, "gamma": gamma}, *pair))
    for kind, shifts in {"as trained": (0,), "shifted": (0, 0.5, 1, 1.5, 2)}.items():
        best = {}
        for name, runs in outcomes.items():
            tried = [(measures(v, known, t)["mean recall"], t, i) for t in shifts for i, (_, v, _) in enumerate(runs)]
            _, shift, which = max(tried)
            setting, _, scores = runs[which]
            best[name] = {**measures(scores, fashion.y_test, shift), "shift": shift, **setting}
        rare.keep(**{kind: best})
    longer = {
        str(setting["epochs"]): measures(scores, known)["shirts"]
        for setting, scores, _ in outcomes["class weights"]
        if setting["rate"] == 0.003
    }
    rare.keep(longer=longer)

# %%
for kind in ("as trained", "shifted"):
    for name in RIVALS:
        best = rare.stored[kind][name]
        said = (f"{what} {100 * best[what].mean():4.1f}" for what in ("shirts", "mean recall", "accuracy"))
        print(f"{name:13} {kind:10} · {', '.join(said)} %")
alone, shifted = rare.stored["as trained"], rare.stored["shifted"]["nothing"]
found = {"focal loss alone": alone["focal loss"]["shirts"], "nothing, its scores shifted": shifted["shirts"]}
reveal("08.e", max(found, key=lambda name: found[name].mean()))
more = {name: 100 * (alone[name]["shirts"] - alone["nothing"]["shirts"]) for name in RIVALS}
claim("focal loss: within 5 points of nothing in each run", np.abs(more["focal loss"]).max() < 5)
claim("class weights: at least 4 points more in each run", more["class weights"].min() > 4)
claim("the shift: at least 20", (shifted["shirts"] - alone["nothing"]["shirts"]).min() > 0.2)
ahead = {name: rare.stored["shifted"][name]["mean recall"].mean() for name in RIVALS}
claim("shifted, no remedy is half a point ahead on the mean", max(ahead.values()) - ahead["nothing"] < 0.005)

# %% [markdown]
# Class weights find 4 to 19 points more shirts. Focal loss by itself finds nothing: 2 points more in two runs, 4 or 5
# fewer in the third. By itself, the shift of a network that was trained as if nothing were rare finds the most: 21 to
# 36 points, and its mean recall is higher than without the shift in each run. Shifted as well, no way of training is
# ahead of it by more than a quarter of a point on the mean. (Runs differ by a point or two.)
#
# So a remedy has to beat the shift, not the untouched network. What is gained in shirts is paid by classes that look
# like them. Which error is worse, no loss function knows. (One rarity, one small network; the higher of the two rates
# was the best in 29 of 30 choices, and a higher one was not tried. Focal loss was made for another need, lesson 11.)
#
# Weights fade: at the higher rate, class weights found 24 to 36 % of the validation shirts after four epochs and 14 to
# 16 % after twelve. Likely, since the shirts are known by heart by then, and ten times a loss of nearly nothing is
# nearly nothing (Byrd and Lipton 2019).
#
# ### Exercise 08.3 · A balanced sampler
#
# ●●○ · 12 min
#
# `rng.choice` with replacement leaves some pictures of a class out and takes others twice. Write a better
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
# **So far**: weights, resampling and a shift of the scores move errors from the rare class to its neighbours. The mean
# recall says whether more than that was gained.
#
# ## Part 5 · The right numbers
#
# **Does the network get what it was trained on?**
#
# Networks take squares, and photographs are none. There are three ways to make one: *squash* both sides to the size,
# *crop* the middle, or *pad* with black. `keras.layers.Resizing` does each. The shuttle below is taller than wide.

# %% jupyter={"source_hidden": true}
lite = efficientnet_lite.EfficientNetLite0(weights="imagenet")
shuttle = datasets.photograph("shuttle").astype("float32")
policies = {
    "squash": layers.Resizing(224, 224),
    "crop": layers.Resizing(224, 224, crop_to_aspect_ratio=True),
    "pad": layers.Resizing(224, 224, pad_to_aspect_ratio=True),
}
squares = [np.clip(ops.convert_to_numpy(policy(shuttle)), 0, 255) for policy in policies.values()]
squares = np.stack(squares)
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
# ### In the right order
#
# Lite0 was trained on values from -1 to 1, $(v - 127)/128$, with red first. A picture from another library comes with
# blue first (OpenCV), from 0 to 255, or from 0 to 1. No error is raised: numbers are numbers.
#
# Six faults: blue first; from 0 to 1; the negative; from 0 to 255; scaled twice; and the axes *reshaped* from (3,
# height, width) where they should have been transposed.

# %% jupyter={"source_hidden": true}
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
# ●●○ · 8 min
#
# A colleague standardises the pictures, and the accuracy on 2,000 test pictures is fine. In the product, where
# pictures come one at a time, every answer is the same: a single picture becomes nothing but NaN.
#
# ```python
# def colleague(train, test):
#     train = (train - train.mean(axis=0)) / train.std(axis=0)
#     test = (test - test.mean(axis=0)) / test.std(axis=0)
#     return train, test
# ```
#
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
# **So far**: size, range and order of the channels are part of a network. The mild faults are the ones that stay.
#
# ## Part 6 · More pictures than you have
#
# **Which changes keep the label?**
#
# A cat that is mirrored, moved or under another lamp is still a cat. Augmentation (lesson 04) changes each picture by
# chance each time it is shown, so that the network hardly ever sees the same pixels twice. Keras has layers for it.
# Each is drawn four times below, and the draw that changes the picture most is shown.
#
# Three more mix pictures, and their labels with them. **MixUp** (Zhang and others 2018) fades two pictures into each
# other, **CutMix** (Yun and others 2019) pastes a patch of one into the other, and **mosaic** (Bochkovskiy and others
# 2020), which Keras does not have, puts four together. For MixUp, with a share $\lambda$ of the first picture, drawn
# between 0 and 1 from a beta distribution,
#
# $$x = \lambda x_i + (1 - \lambda) x_j \qquad\qquad y = \lambda y_i + (1 - \lambda) y_j$$
#
# with $x_i$, $x_j$ the two pictures and $y_i$, $y_j$ their labels, 1 for the true class and 0 for the others. The other
# two mix the labels by area.

# %% jupyter={"source_hidden": true}
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
plotting.images(
    tiles,
    columns=4,
    alt="A cat; mirrored, moved, enlarged, in other colours, blurred, with a grey rectangle, changed by RandAugment; "
    "two photographs faded into each other, one pasted into another, four in a mosaic.",
)

# %% [markdown]
# ### Exercise 08.5 · MixUp from scratch
#
# ●●○ · 8 min
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
# ### When the label does not survive
#
# A mirrored cat is a cat. But look at a 6 on the display of a pocket calculator, and turn it by half a turn. It is a 9.
#
# Whether an augmentation keeps the label depends on the *question*, not on the picture. Nearly all shoes of
# Fashion-MNIST point to the left. Mirror half of them, and ask a network which way a shoe points: two classes, and an
# easy task.
#
# **Predict**: it trains once without and once with `RandomFlip`. What is the accuracy with it?

# %%
predict("08.f", "Trained with RandomFlip, of how many shoes is the direction named rightly?", unit="%")

# %%
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
reveal("08.f", 100 * ways["RandomFlip"])
claim("without the flip the network is right on at least 95 %", ways["as they are"] > 0.95)
claim("with it, it guesses", 0.3 < ways["RandomFlip"] < 0.7)

# %% [markdown]
# The flip throws away exactly what was asked for. No error was raised, and on another task the same layer helps. Ask
# which property of the picture the answer depends on: colour for a ripe tomato, sharpness for a test of focus, all of
# the picture for a count of coins. What touches that property is no augmentation.
#
# Unless the label is changed with it. A mirrored arrow to the left is an arrow to the right, and a new picture of it.
#
# ### Exercise 08.6 · Mirror the label too
#
# ●●○ · 10 min
#
# Write `mirror`. Images are (n, height, width, channels), labels (n,), whole numbers. `partner[c]` is the class that a
# picture of class `c` has when it is mirrored left to right: `c` itself where nothing changes, another class, or -1
# where the mirrored picture is of no class at all (a stop sign). Mirror picture `i`, and change its label, if
# `chosen[i]` and its mirrored picture has a class; leave all others as they are. Return both, and leave the arguments
# alone.
#
# For example, with the classes left, right and stop, `partner` is `[1, 0, -1]`. Of two arrows to the left and a stop
# sign with `chosen` `[True, False, True]`, only the first is mirrored, and the labels are `[1, 0, 2]`.


# %%
def mirror(
    images: np.ndarray, labels: np.ndarray, partner: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The images, some of them mirrored left to right, and the labels that they have then."""
    ### BEGIN SOLUTION
    turned = chosen & (partner[labels] >= 0)
    mirrored = np.where(turned[:, None, None, None], images[:, :, ::-1], images)
    return mirrored, np.where(turned, partner[labels], labels)
    ### END SOLUTION


# %%
exercise("08.6").check(mirror)

# %% [markdown]
# **So far**: whether a change keeps the label depends on the question. Where it changes the label in a known way,
# change the label, too.
#
# ## Part 7 · What it brings
#
# **What does moving and mirroring bring?**
#
# Now measure. The same network on 500 pictures of CIFAR-10, with the same number of steps, once as they are and once
# moved by up to four pixels and mirrored by chance, much as ResNet was trained on CIFAR-10 (He and others 2016). NumPy
# is quick enough for that. You train on the augmented pictures, for six of fifteen epochs. The others are stored: as
# they are, and with 100 and with 2,000 pictures. Rate, epochs and the four pixels are the same for all, and not chosen
# for either side. MixUp, CutMix and RandAugment were drawn above and are not measured here.
#
# **Predict**: with 500 pictures, how many points does augmentation gain on the test pictures?

# %%
predict("08.g", "How many points does augmentation gain with 500 pictures?", unit="points", within=3)


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
for size in gain.pick(stored=sizes, live=()):
    learn("as they are", training.Batches, size)

# %%
runs = gain.stored
plotting.learning_curves(runs, gain.live, sizes=(100, 500, 2000), recipes=("as they are", "augmented"))
points = {n: 100 * (runs[f"augmented {n} test"] - runs[f"as they are {n} test"]) for n in (100, 500, 2000)}
for size, values in points.items():
    print(f"{size:5} pictures: {values.min():4.1f} to {values.max():4.1f} points gained by augmentation")
reveal("08.g", points[500].mean())
claim("in each stored run, at each size, augmentation gains at least 3 points", min(map(min, points.values())) > 3)
claim("as they are, 500 pictures are learnt by heart: 99 % or more", runs["as they are 500 train"].min() > 0.99)
claim("with 100, the augmented ones are as well", runs["augmented 100 train"].min() > 0.99)
claim("augmented, 500 are not: below 95 %", runs["augmented 500 train"].max() < 0.95)
claim(
    "in this run they are ahead on the test pictures",
    gain.live["augmented 500 test"] > runs["as they are 500 test"].mean() + 0.01,
)

# %% [markdown]
# As they are, 500 pictures are learnt by heart; moved and mirrored, they are not. That this is *why* the test pictures
# gain, the runs do not show: with 100, even the augmented ones are known by heart in the end, and the test pictures
# gain all the same.
#
# Nor do they show the best that either side can do. Other strengths and longer schedules belong to your own validation
# pictures.
#
# **So far**: here, moving and mirroring gained at each of three sizes, in each of three runs. Strength and schedule
# were the same for all.
#
# ## Part 8 · An audit
#
# **What is wrong with a collection that you do not know?**
#
# Somebody hands you 300 training and 90 test pictures of trousers, bags and ankle boots, and says that all is well. It
# is not: the collection has one fault of each of three kinds that this page had.

# %%
x_train, y_train, x_test, y_test = audit.collection()
plotting.images(
    x_train[:10],
    titles=[audit.CLASSES[label] for label in y_train[:10]],
    columns=10,
    alt="Ten small pictures of trousers, bags and boots, one or two of them black.",
)
measured("accuracy of the nearest neighbour on the test pictures", np.mean(nearest(x_train, y_train, x_test) == y_test))

# %% [markdown]
# ### Exercise 08.7 · The audit
#
# ●●● · 20 min
#
# Look around in cells of your own first. Then write `find`, which returns three lists of numbers by name:
#
# - `faulty`: the training pictures whose values are not from 0 to 1, as all others are.
# - `leaked`: the *test* pictures that show the very picture that a training picture shows, perhaps brighter or darker.
# - `wrong`: the training pictures whose label you would have somebody look at. At least ten of the twelve wrong ones
#   should be among them, and at most twenty in all: somebody has to look at each.
#
# In which order do you look?


# %%
def find(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers of the pictures with a fault: `{"faulty": ..., "leaked": ..., "wrong": ...}`."""
    ### BEGIN SOLUTION
    faulty = np.flatnonzero(x_train.max(axis=(1, 2, 3)) < 0.1)  # divided by 255 twice
    mended = x_train.copy()
    mended[faulty] *= 255

    def shapes(pictures):  # without brightness and contrast: each picture a row of mean 0 and length 1
        rows = pictures.reshape(len(pictures), -1)
        rows = rows - rows.mean(axis=1, keepdims=True)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    leaked = np.flatnonzero((shapes(x_test) @ shapes(mended).T).max(axis=1) > 0.999)
    alike = shapes(mended) @ shapes(mended).T - 2 * np.eye(len(mended))
    votes = [np.bincount(y_train[row], minlength=3).argmax() for row in np.argsort(-alike, axis=1)[:, :5]]
    return {"faulty": faulty, "leaked": leaked, "wrong": np.flatnonzero(votes != y_train)}
    ### END SOLUTION


# %%
exercise("08.7").check(find)

# %% [markdown]
# **So far**: look at ranges first, since what is out of range is compared wrongly; then at doubles; then at labels.
#
# ### More: is the input pipeline the limit?
#
# <details><summary>Images a second on both sides, and prefetching</summary>
#
# Pictures must be read, decoded, changed and handed over before the network can learn from them. That is the **input
# pipeline**. Measure both sides in images a second: what the input pipeline delivers, and what the training step
# consumes. The slower of the two decides, as long as both work at the same time.
#
# If the step waits for the batch and the batch for the step, their times add up. **Prefetching** draws the next batch
# while the network learns from this one. In Keras, `keras.utils.PyDataset(workers=4)` draws with four threads, and
# `tf.data` and PyTorch's `DataLoader`, which `fit` takes as well, have their own.
#
# A training step computes about three times what a forward pass does, since the gradients of inputs and of weights
# each cost as much again.
#
# When a GPU is at 30 %, measure both sides before you buy another one. Then decode less (store pictures at the size
# that you train at), decode on more cores, or move the augmentation into the model, where it runs on the device.
#
# </details>
#
# ## Recap
#
# - Split by what will be new in use: by group, by time. A random split of bursts promised more than 90 % where 20 %
#   were true.
# - A perceptual hash finds near-duplicates, not all of them. CIFAR-10 has some between training and test set.
# - Let a network that has not seen them judge the labels. Its list is an order in which to look.
# - Accuracy hides rare classes. Look at the recall of each, choose who pays, and shift the scores before you train
#   anything: focal loss by itself brought nothing here, and no remedy was clearly ahead of the shift.
# - The input of a network is part of the network: size, range, order of channels. Most faults raise no error, and the
#   mild ones are easily overlooked.
# - Augmentation keeps the label or it is wrong, and the task decides. Moving and mirroring gained at three sizes; its
#   strength was not chosen.
# - In an audit, ranges come first, then doubles, then labels.
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
# - A. K. Menon, S. Jayasumana, A. S. Rawat, H. Jain, A. Veit and S. Kumar (2021). Long-tail learning via logit
#   adjustment. *ICLR*.
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
