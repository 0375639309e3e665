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
# # 09 · Transfer learning
#
# **You have twenty pictures of each class. What can a network that has seen a million others do for you?**
#
# When you have worked through this page you can
# - cut a network into backbone and head, freeze what should stay, and count what learns
# - cache features, so that a head trains in seconds, and say when you may
# - fine-tune in stages without destroying what you were given, and find out why a fine-tune went wrong
# - feed a network the numbers it was trained on, and notice conventions that nobody wrote down
# - choose between training from scratch, frozen features, fine-tuning and a hosted API
#
# **Before this**: [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb),
# [08 Data and augmentation](../notebooks/08_data_and_augmentation.ipynb) · **Reading** 45 min · **Exercises** 45 min
#
# [← 08 Data and augmentation](../notebooks/08_data_and_augmentation.ipynb) · [Course map](../README.md) ·
# [10 Seeing what a CNN sees →](../notebooks/10_seeing_what_a_cnn_sees.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="09")

# %%
import keras
import numpy as np
from keras import layers

from cnnlib import claim, datasets, exercise, plotting, training, transfer
from cnnlib.claims import measured
from cnnlib.models import common, efficientnet_lite, mobilenet
from cnnlib.results import Experiment

# %% [markdown]
# ## Twenty pictures of each
#
# Ten kinds of things, twenty pictures of each: 200 pictures of CIFAR-10, drawn by chance, and 500 others to test on.
# Another 600 are set aside for validation: where a rate or a number of epochs had to be chosen for this page, it was
# chosen on them. No choice was made on the test pictures.

# %%
names = ("09_traps", "09_images_per_class", "09_choice", "09_heads", "09_blocks")
traps, sizes, choice, heads, blocks = map(Experiment, names)
cifar = datasets.cifar10(test_size=1000, dtype="uint8")
order = (10 * np.random.default_rng(runtime.seed()).permutation(800)[:, None] + np.arange(10)).ravel()  # in class turns
train, validation = order[: sizes.pick(stored=1000, live=200)], order[1000:1600]
pictures, labels = cifar.x_train[train], cifar.y_train[train]
new, truth = cifar.x_test[500:], cifar.y_test[500:]
print(f"{len(labels[:200])} to train on, {len(validation)} to choose on, {len(truth)} to test on")
claim("no picture is both to train and to choose on", not set(train) & set(validation))
claim("20 of each class to train on", np.all(np.bincount(labels[:200]) == 20))

# %% [markdown]
# The small network of lesson 08, three convolutions and a dense layer, learns them from scratch, from random weights.
# `transfer.baseline` trains it for 200 steps.

# %%
scratch = transfer.baseline(pictures[:200], labels[:200], new, truth)
measured("from scratch, 200 pictures: accuracy on 500 others", scratch)

# %% [markdown]
# **Transfer learning** begins with a **pretrained** network, one that has learnt another task before. Take
# EfficientNet-Lite0 (lesson 07), which has learnt to tell 1,000 classes of ImageNet apart. Cut off the layer that
# names these classes. A network without its head is a **backbone**: it turns a picture into features, here 1,280
# numbers. Put a head on it, one dense layer for our ten classes (behind a dropout, in training). Nothing in the
# backbone may change: its weights are **frozen**. Only the head learns.
#
# The pictures of CIFAR-10 have 32 pixels a side and Lite0 was made for 224, so we enlarge the pictures to 80: more
# costs time, and the edges that the first layers look for need some room.

# %%
SIDE = 80
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
images, unseen = (efficientnet_lite.preprocess(x, size=SIDE) for x in (pictures, new))
backbone = efficientnet_lite.EfficientNetLite0("imagenet", (SIDE, SIDE, 3), include_top=False, pooling="avg")
transfer.freeze(backbone)
model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), backbone, layers.Dense(10, name="scores")])
counts = transfer.report(model)
counts

# %%
claim("12,810 of 3.4 million weights learn: 1,280 x 10 and ten biases", counts.trainable == 1280 * 10 + 10)
claim("that is less than 0.4 %", counts.trainable < 0.004 * counts.total)

# %% [markdown]
# ## Once, not in every epoch
#
# A frozen backbone makes the same 1,280 numbers of the same picture in every epoch. So run it once, keep the numbers,
# and train the head on those: **cached features**. `transfer.CachedFeatures` does it, as batches that `fit` takes.
#
# **Predict**: a training step through the whole network, or one on cached features: how many times faster?


# %%
def features_of(network, x):
    return network.predict(x, batch_size=25, verbose=0)


def make_head():
    return keras.Sequential([keras.Input((1280,)), layers.Dropout(0.2), layers.Dense(10, name="scores")], name="head")


cached = transfer.CachedFeatures(backbone, images, labels, batch_size=10, at_once=25)
features, unseen_features = cached.features, features_of(backbone, unseen)

# %%
CHOSEN = {"in stages": 0.001, "by depth": 0.001}  # rates; how they were chosen, see below
head = make_head()
untrained = head.get_weights()


def train_head(rate, count=200):
    """The head's weights after 600 steps on the cached features of the first pictures."""
    head.set_weights(untrained)
    head.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    training.fit(head, features[:count], labels[:count], passes=6000 // count, batch_size=10, quiet=True)
    return head.get_weights()


trained_head = train_head(CHOSEN["in stages"])
frozen = head.evaluate(unseen_features, truth, batch_size=500, verbose=0)[1]

# %%
measured("from scratch   : accuracy", scratch)
measured("frozen backbone: accuracy", frozen)
claim("the frozen features are at least 25 points ahead", frozen > scratch + 0.25)
augmented = Experiment("08_augmentation").stored["augmented 2000 test"]
claim("and ahead of 2,000 augmented pictures from scratch (stored runs of lesson 08)", frozen > augmented.max() + 0.05)

# %% [markdown]
# Lite0 has never seen a picture of CIFAR-10, but more than a million of animals, vehicles and other things.
#
# And what did the cache save? A step through the frozen network computes its forward pass and then that of the head;
# on cached features, only the head's.

# %% tags=["nbval-ignore-output"]
spare = make_head()
spare.compile(keras.optimizers.Adam(0.001), loss)
x, y = images[:25], labels[:25]
speed = {
    "through the frozen network": transfer.per_second(lambda: spare.train_on_batch(backbone.predict_on_batch(x), y)),
    "on cached features": transfer.per_second(lambda: spare.train_on_batch(features[:25], y)),
}
for name, value in speed.items():
    measured(f"{name:26}: steps of 25 pictures a second", value)

# %%
ratio = speed["on cached features"] / speed["through the frozen network"]
claim("cached, a step is at least 5 times faster", ratio > 5)

# %% [markdown]
# The price: what is cached does not change. There is no augmentation (lesson 08), unless you cache several versions of
# each picture. And nothing in front of the cache can learn.
#
# ### Exercise 09.1 · Freeze all but the head, and count
#
# Write `only_head`: in a model whose *last layer* is the head, let that layer learn and freeze every other one, however
# it was before. Return how many weights learn now: count the single numbers, not the arrays.
#
# For example, with a backbone and a last `Dense(10)` on 1,280 features, the result is 12,810.


# %%
def only_head(model: keras.Model) -> int:
    """Freeze all layers of the model but its last; the number of weights that learn."""
    ### BEGIN SOLUTION
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.layers[-1].trainable = True
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    ### END SOLUTION


# %%
exercise("09.1").check(only_head)

# %% [markdown]
# ## The numbers that it was trained on
#
# Lite0 was trained on $(v - 127)/128$, from -1 to 1, red first. Other networks want other numbers: the mean of
# ImageNet's colours taken off and the rest divided by their spread (PyTorch's model zoo), or blue first and only the
# means taken off (the first VGG). In lesson 08 a wrong range cost a photograph its name. What does it cost here?
#
# There are two ways to be wrong. Either all pictures are fed wrongly, in training and in use. Or the head is trained
# on right features, and somebody else writes the product. To have many heads in no time, we take a **linear probe**:
# the head by ridge regression (least squares with a penalty on large weights), a formula instead of steps.
#
# **Predict**: which of the two ways costs more? Which fault costs most?

# %%
pixels, unseen_pixels = (x * 128 + 127 for x in (images[:200], unseen[:300]))
faults = {
    "as trained": lambda v: (v - 127) / 128,
    "blue first": lambda v: ((v - 127) / 128)[..., ::-1],
    "mean, spread": mobilenet.torch_preprocess,
    "0 to 1": lambda v: v / 255,
    "0 to 255": lambda v: v,
}


def probed(known, unknown):
    """Accuracy on 300 new pictures of a linear probe that has learnt 200."""
    return transfer.probe(known, labels[:200], unknown, truth[:300])


def two_ways(feed):
    """Accuracy with this input in training and in use, and with this input in use only."""
    known, unknown = features_of(backbone, feed(pixels)), features_of(backbone, feed(unseen_pixels))
    return probed(known, unknown), probed(features[:200], unknown)


# %% [markdown]
# You try one of the faults; all of them are stored.

# %%
tried = traps.pick(stored=tuple(faults), live=("0 to 1",))
both, in_use = np.transpose([two_ways(faults[name]) for name in tried])
measured("0 to 1, in training and in use: accuracy", both[-1])
measured("0 to 1, in use only           : accuracy", in_use[-1])

# %% jupyter={"source_hidden": true}
if traps.pick(stored=True, live=False):
    traps.keep(both=both, in_use=in_use)

# %%
throughout, only_in_use = traps.stored["both"], traps.stored["in_use"]  # a row for each run, in order of the faults
plotting.faults(dict(zip(faults, zip(throughout.mean(axis=0), only_in_use.mean(axis=0)))))
costs, costs_in_use = throughout[:, :1] - throughout, throughout[:, :1] - only_in_use
claim("in each stored run 0 to 255 costs at least 10 points even if the head was trained so", costs[:, 4].min() > 0.1)
claim("0 to 255 in use only leaves less than half of the accuracy", (only_in_use[:, 4] < 0.5 * throughout[:, 0]).all())
claim("0 to 1 in use only costs at least 4 points", costs_in_use[:, 3].min() > 0.04)

# %% [markdown]
# If all pictures are wrong alike, the head makes the best of it, and a few points are gone that nobody misses. Only 0
# to 255 is too far off for that. If they are wrong in use only, the test on your desk says nothing about it.
#
# ### Exercise 09.2 · Preprocess correctly
#
# Write `prepare` for pixels of shape (n, height, width, 3), red first, from 0 to 255, floats or uint8:
#
# - `"lite"`: $(v - 127)/128$
# - `"torch"`: divide by 255, take off `MEAN`, divide by `SPREAD`, channel by channel
# - `"caffe"`: blue first, and take off `BLUE_GREEN_RED`; the range stays
#
# Raise a `ValueError` for any other convention, and for pixels whose greatest value is 1 or less: they have been
# divided already.

# %%
MEAN, SPREAD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
BLUE_GREEN_RED = np.array([103.939, 116.779, 123.68])


# %%
def prepare(pixels: np.ndarray, convention: str) -> np.ndarray:
    """Pixels of 0 to 255 as a network of this convention wants them; ValueError if they are divided already."""
    ### BEGIN SOLUTION
    if pixels.max() <= 1:
        raise ValueError(f"pixels from 0 to 255 are expected, the greatest is {pixels.max()}")
    if convention == "lite":
        return (pixels - 127.0) / 128
    if convention == "torch":
        return (pixels / 255 - MEAN) / SPREAD
    if convention == "caffe":
        return pixels[..., ::-1] - BLUE_GREEN_RED
    raise ValueError(f"there is no convention {convention!r}")
    ### END SOLUTION


# %%
exercise("09.2").check(prepare)

# %% [markdown]
# ## Conventions that nobody wrote down
#
# Weights are numbers in a certain order. The network around them is yours to build. Here is MobileNetV2 (Sandler and
# others 2018) from `keras.applications`, and for it weights from a package for tracking people, made with PyTorch
# (its card is in `data/weights`). With a network connection you would write `weights="imagenet"` and get those that
# belong to it: one argument, and the same code. We have no connection, and the weights of the package fit: every
# tensor finds its place.

# %%
with common.without_drawing():  # no random weights, which are replaced at once: on JAX it saves seconds
    other = keras.applications.MobileNetV2((SIDE, SIDE, 3), include_top=False, pooling="avg", weights=None)
datasets.load_weights(other, "mobilenetv2_imagenet")
claim("MobileNetV2 has 2,257,984 weights without its top, and all are set", other.count_params() == 2_257_984)

# %% [markdown]
# No error. We even know the preprocessing, mean and spread. Two things no file of weights tells. PyTorch adds
# $\epsilon = 10^{-5}$ to the variance in its batch normalisations, `keras.applications` adds $10^{-3}$ here. And under
# a stride of 2 PyTorch pads an even picture on the *top and left*, Keras on the *bottom and right* (lesson 01).
# `mobilenet.with_torch_conventions` copies the network with these two changed, and no weight touched.
#
# **Predict**: how many points of accuracy is it worth? These runs are stored.


# %%
def as_the_weights_were_made():
    """Accuracy of the probe on features of the network as Keras builds it, and with PyTorch's conventions."""
    mended = mobilenet.with_torch_conventions(other)
    known, unknown = mobilenet.torch_preprocess(pixels), mobilenet.torch_preprocess(unseen_pixels)
    by_name = {"keras.applications": other, "as trained": mended}
    return {name: probed(features_of(net, known), features_of(net, unknown)) for name, net in by_name.items()}


# %% jupyter={"source_hidden": true}
# For the stored runs only: `python tools/run_experiments.py --lesson 09` comes by here.
if traps.pick(stored=True, live=False):
    traps.keep(probes=as_the_weights_were_made())

# %%
probes = traps.stored["probes"]
for name, accuracy in probes.columns().items():
    print(f"{name:18}: accuracy of the probe in the stored runs", ", ".join(f"{value:.3f}" for value in accuracy))
gain = probes["as trained"] - probes["keras.applications"]
claim("in each stored run the right conventions gain at least 8 points", gain.min() > 0.08)

# %% [markdown]
# That so much is lost is no accident of this small test: at 160 pixels, with 1,000 pictures, the same two networks
# reach 65.4 % and 82.4 % (the card). A wrong convention looks like a mediocre network. To find it, compare with the
# original layer by layer, on one picture, until the first difference.
#
# ## Fine-tuning, and how to ruin it
#
# The features were made for ImageNet. Could they be made for us? **Fine-tuning** lets a part of the backbone learn,
# too. Which part? The first layers see edges, which all pictures have. The last ones are the most specific (measured
# below). So keep the first blocks frozen, and cache where the frozen part ends: not features but *maps*. What
# works at one resolution is a stage (lesson 02).

# %%
trunk, tail = transfer.split(backbone, "block4c_add")
maps, unseen_maps = features_of(trunk, images), features_of(trunk, unseen)
pretrained = tail.get_weights()
tail_share = tail.count_params() / backbone.count_params()
print(f"cached for each picture: {maps.shape[1:]}; behind the cut: {len(transfer.stages(tail))} stages")
claim("behind the cut lie more than 90 % of the weights", tail_share > 0.9)

# %% [markdown]
# How fast should they learn? What lies deep was right from the start, the head was not. So each depth gets a rate of
# its own: **discriminative rates** (Howard and Ruder 2018). `transfer.ByDepth` is an optimizer made of several, each
# for the layers whose names begin so; `""` is for the rest. Here: the head (its layer is called `scores`), then what
# follows block 5, then block 5.
#
# A rate of 0 is one more way to freeze. It saves no work, but nothing need be compiled again, so that one model can try
# all recipes of this page. (What `transfer.unfreeze` changes counts from the next `compile` on. On TensorFlow `fit`
# goes on with what was trainable when it was compiled, without a word; on JAX and PyTorch it refuses.)

# %%
learner = keras.Sequential([keras.Input(tail.input_shape[1:]), tail, head])
DEPTHS = ("scores", "", "block5")


def compile_anew(normalisations=False):
    """Both stages may learn; their batch normalisations only if asked (more about them below)."""
    transfer.unfreeze(tail, last=2, normalisations=normalisations)
    learner.compile(transfer.ByDepth({depth: keras.optimizers.Adam() for depth in DEPTHS}), loss)


def fine_tuned(weights, phases, count=200, on=(unseen_maps, truth)):
    """Accuracy after phases of (epochs, rates of the three depths), from these weights of the head."""
    tail.set_weights(pretrained)
    head.set_weights(weights)
    for epochs, *rates in phases:
        learner.optimizer.restart(dict(zip(DEPTHS, rates)))
        training.fit(learner, maps[:count], labels[:count], epochs=epochs, batch_size=25, quiet=True)
    found = head.predict(features_of(tail, on[0]), batch_size=500, verbose=0)
    return float(np.mean(found.argmax(axis=1) == on[1]))


# %% [markdown]
# Begin with what everybody tries first: a fresh head, everything behind the cut unfrozen, and one rate of 0.01 for
# all, at which the head alone learnt well.
#
# **Predict**: better or worse than the frozen features? These runs are stored.

# %%
hasty, untouched = (traps.stored["ways"][name] for name in ("all at once, rate 0.01", "frozen features"))
print("frozen                : accuracy", ", ".join(f"{value:.3f}" for value in untouched))
print("all at once, rate 0.01: accuracy", ", ".join(f"{value:.3f}" for value in hasty))
claim("all at once at that rate is at least 15 points worse than not touching anything", max(hasty - untouched) < -0.15)

# %% [markdown]
# Was it the rate, or the head? Adam moves each weight by about its rate, however small the gradient (lesson 03). And
# what a fresh head sends back says nothing about the task yet. Change one at a time: a fresh head or the trained one,
# six epochs with one of four rates for all, on the validation pictures. In a third row a fresh head learns at its own
# rate of 0.01, whatever the rate of the rest. These runs are stored.
#
# **Predict**: does a trained head save the features at a rate of 0.001?

# %% jupyter={"source_hidden": true}
# Three heads at four rates, on the validation pictures: `python tools/run_experiments.py --lesson 09` comes by here.
RATES = (0.01, 0.001, 0.0003, 0.0001)
starts = {"fresh head": untrained, "trained head": trained_head, "fresh head, at its own rate of 0.01": untrained}
for name, weights in heads.pick(stored=starts, live={}).items():
    x = efficientnet_lite.preprocess(cifar.x_train[validation], size=SIDE)
    held_out = features_of(trunk, x), cifar.y_train[validation]
    of_head = {rate: 0.01 if "own" in name else rate for rate in RATES}
    found = {f"{rate:g}": fine_tuned(weights, [(6, of_head[rate], rate, rate)], on=held_out) for rate in RATES}
    untouched_there = fine_tuned(trained_head, [], on=held_out)
    heads.keep(**{name: found, "frozen": untouched_there})

# %%
behind = {
    name: np.array([heads.stored[name][f"{rate:g}"] - heads.stored["frozen"] for rate in RATES]) for name in starts
}
plotting.heatmap(
    [values.mean(axis=1) for values in behind.values()],
    rows=["fresh head", "trained head", "fresh head at 0.01"],
    columns=[f"{rate:g}" for rate in RATES],
    xlabel="rate of the rest",
    title="Accuracy gained",
    size=1.2,
    form="{:+.2f}",
    cmap="RdBu",
    limits=(-0.6, 0.6),
    alt="Three heads, four rates: at 0.01 each row loses about half, at 0.001 less, at the two small rates hardly any.",
)
fresh, ready, own_rate = behind.values()
claim(
    "at 0.01 at least 45 points are lost with each head, in each run",
    max(each[0].max() for each in behind.values()) < -0.45,
)
claim(
    "at 0.001 a trained head loses in each run as well, 10 points or more on the mean",
    ready[1].max() < 0 > ready[1].mean() + 0.1,
)
claim("at 0.0003 a fresh head is within 5 points of frozen features in each run", np.abs(fresh[2]).max() < 0.05)
claim("behind a fresh head at 0.01, features that learn at 0.0001 lose at most 1 point", own_rate[3].min() > -0.01)

# %% [markdown]
# The rate does the damage. At 0.01 no head saves anything; at 0.001 a trained head loses too, less than a fresh one in
# two of three runs. At 0.0003 and below a fresh head does no harm. But a fresh head itself wants a high rate: at 0.0001
# for all, some points are missing after six epochs, and at its own rate they are not. So give each depth the rate that
# it needs. There are two ways:
#
# - in stages, by **progressive unfreezing** (*gradual* in Howard and Ruder 2018): first the head alone, until it is
#   sensible; then the last stage with it; then the one before; each time at a tenth of the rate;
# - by depth, with discriminative rates from the start: what lies deeper learns at a tenth.
#
# In stages, the first *phase* is the head on cached features, at a *peak* rate; the second phase trains at a tenth of
# it, the third at a hundredth. By depth, we go on from the trained head, all depths at once: at the peak, a tenth, a
# hundredth.

# %%
each = traps.pick(stored=3, live=2)  # epochs of a phase
recipes = {
    "in stages": lambda peak: [(each, peak / 10, peak / 10, 0), (each, peak / 100, peak / 100, peak / 100)],
    "by depth": lambda peak: [(2 * each, peak, peak / 10, peak / 100)],
}

# %% [markdown]
# Which peak? That is a choice, and it must not be made on the test pictures: the best of four numbers looks better than
# it is. Each recipe was tried at two peaks on the 600 validation pictures, for three seeds, and the best peak on
# average was taken. These runs are stored.

# %% jupyter={"source_hidden": true}
# Each recipe at each peak, on the validation pictures: `python tools/run_experiments.py --lesson 09` comes by here.
for name, recipe in choice.pick(stored=recipes, live={}).items():
    compile_anew()
    x = efficientnet_lite.preprocess(cifar.x_train[validation], size=SIDE)
    held_out = features_of(trunk, x), cifar.y_train[validation]
    tried = {f"{peak:g}": fine_tuned(train_head(peak), recipe(peak), on=held_out) for peak in (0.001, 0.01)}
    choice.keep(**{name: tried})

# %%
means = plotting.choices(choice.stored, CHOSEN)
for name, peak in CHOSEN.items():
    claim(f"{name}: no peak is better than {peak} on average", means[name][f"{peak:g}"] == max(means[name].values()))

# %% [markdown]
# Now on the test pictures, with the peaks that were chosen: you fine-tune in stages, with two epochs in each phase
# where the stored runs had three, and rates by depth are stored.
#
# **Predict**: which of the two recipes gains more over frozen features, and how much?

# %%
peak = CHOSEN["in stages"]
compile_anew()
tuned = fine_tuned(trained_head, recipes["in stages"](peak))
measured("frozen              : accuracy", frozen)
measured("fine-tuned in stages: accuracy", tuned)
error = np.sqrt(frozen * (1 - frozen) / len(truth))
measured("standard error of an accuracy on 500 pictures", error)
claim("in stages nothing is lost but for chance: at most 4 points below the frozen features", tuned > frozen - 0.04)
claim("and at least 15 points are kept that the hasty ones lost", tuned > hasty.max() + 0.15)
ways = {"frozen features": frozen, "fine-tuned in stages": tuned}

# %% jupyter={"source_hidden": true}
# What is trained for the stored runs only: `python tools/run_experiments.py --lesson 09` comes by here.
if traps.pick(stored=True, live=False):
    ways["fine-tuned by depth"] = fine_tuned(trained_head, recipes["by depth"](CHOSEN["by depth"]))
    compile_anew(normalisations=True)  # more about them below
    ways["normalisations learning"] = fine_tuned(trained_head, recipes["in stages"](peak))
    compile_anew()
    ways["all at once, rate 0.01"] = fine_tuned(untrained, [(3, 0.01, 0.01, 0.01)])

# %%
stored = traps.stored["ways"]
for name in ("fine-tuned in stages", "fine-tuned by depth"):
    gain = stored[name] - stored["frozen features"]
    print(f"{name} is ahead of frozen features, mean of the stored runs, by {gain.mean():.3f}")
    claim("it neither gains nor loses more than 5 points with 20 pictures a class", abs(gain.mean()) < 0.05)
kept = np.minimum(stored["fine-tuned in stages"], stored["fine-tuned by depth"]) - stored["all at once, rate 0.01"]
claim("in each stored run both keep at least 15 points that the hasty one lost", kept.min() > 0.15)

# %% [markdown]
# What came out is no leap. With twenty pictures a class, both recipes do what the frozen features do, give or take the
# chance in 500 pictures. Rates by depth are not better for being finer. Look at 100 pictures a class before you decide
# about fine-tuning (below).

# %% [markdown]
# ### Exercise 09.3 · A schedule of unfreezing
#
# Write `schedule`: the phases for a backbone of `stages` stages and `epochs` epochs in all, as a list of
# `(unfrozen, epochs, rate)`. The first phase trains the head alone (`unfrozen` 0) at `peak`. Each further one unfreezes
# one stage more, at a tenth of the rate before, and the last phase trains all stages. Divide the epochs as evenly as
# possible; if some are left over, the earlier phases get one more each. Raise a `ValueError` if a phase would have
# none.
#
# For example, `schedule(2, 8, 0.01)` is `[(0, 3, 0.01), (1, 3, 0.001), (2, 2, 0.0001)]`.


# %%
def schedule(stages: int, epochs: int, peak: float) -> list[tuple[int, int, float]]:
    """(unfrozen stages, epochs, rate) of each phase; ValueError if there are fewer epochs than phases."""
    ### BEGIN SOLUTION
    phases = stages + 1
    if epochs < phases:
        raise ValueError(f"{epochs} epochs for {phases} phases")
    each, left = divmod(epochs, phases)
    return [(number, each + (number < left), peak / 10**number) for number in range(phases)]
    ### END SOLUTION


# %%
exercise("09.3").check(schedule)

# %% [markdown]
# ### Exercise 09.4 · What does the cache save?
#
# Count the multiply-accumulates of a fine-tune. A backbone has stages with `costs` (for one picture, one forward pass,
# from the image on); the last `unfrozen` of them learn, the head is free. Each of `epochs` epochs shows `count`
# pictures. A stage that learns costs three times its forward pass (lesson 08), a frozen stage once. Frozen stages are
# all in front of those that learn.
#
# Write `saving`: the cost without a cache divided by the cost with one, where the frozen stages run once on each
# picture, and never again. Raise a `ValueError` if `unfrozen` is below 0 or more than there are stages.
#
# For example, two stages of cost 30 and 10, the last one unfrozen, 5 epochs. Without a cache a picture costs
# 30 + 3 · 10 = 60 in each epoch, 5 · 60 = 300 in all; with it 30 + 5 · (3 · 10) = 180. The result is 300 / 180.


# %%
def saving(costs: list[float], unfrozen: int, epochs: int, count: int) -> float:
    """How many times more a fine-tune without a cache computes; ValueError if unfrozen is not 0 ... len(costs)."""
    ### BEGIN SOLUTION
    if not 0 <= unfrozen <= len(costs):
        raise ValueError(f"{unfrozen} of {len(costs)} stages cannot learn")
    cut = len(costs) - unfrozen
    frozen, learning = count * sum(costs[:cut]), 3 * count * sum(costs[cut:])
    with_cache = frozen + epochs * learning
    return epochs * (frozen + learning) / with_cache
    ### END SOLUTION


# %%
exercise("09.4").check(saving)

# %% [markdown]
# ## The normalisations: two traps behind one flag
#
# A batch normalisation lives twice (lesson 06). In training it uses mean and variance of the *batch*, and moves its
# running statistics towards them. In use it takes the running statistics. In a network that learns, you want both. In
# a network that was given to you, the running statistics sum up a million pictures, and your batches have 25.
#
# So in `transfer.unfreeze` the normalisations stay frozen, and a frozen one works as in inference, always. The first
# trap is to unfreeze them with the rest: `layer.trainable = True` for every layer, as most recipes have it.
#
# **Predict**: the same recipe in stages, with the same batches of 25, but with learning normalisations. What do they
# cost? These runs are stored.

# %%
lost = stored["fine-tuned in stages"] - stored["normalisations learning"]
print("what learning normalisations cost in the stored runs:", ", ".join(f"{cost:.3f}" for cost in lost))
claim("never 10 points, and in one run more than in another", lost.max() < 0.1 and np.ptp(lost) > 0.01)

# %% [markdown]
# While it trains, each batch is normalised by itself; in inference, by running statistics, which keep a share of
# themselves, their momentum, at each step and take the rest from the batch.

# %%
momentum = tail.get_layer("block5a_depthwise_bn").momentum
steps = 6 * 200 // 25  # six epochs, as in the stored runs
claim(f"after {steps} steps, 62 % of the running statistics are ImageNet's", round(momentum**steps, 2) == 0.62)

# %% [markdown]
# So the network that was trained is not quite the network that is used. How much that costs depends on how far the
# batches are from what ImageNet was: at these small rates, with batches of 25, little, and in one run more than in
# another. A trap that does not always shut is found late.
#
# The second trap needs no training at all. Somebody calls the finished model with `training=True`, or leaves PyTorch's
# network in `train()` mode. (`predict` and `evaluate` of Keras set the flag themselves; a call does not.) Frozen
# normalisations are immune; after the first trap they are not frozen. Take the given weights with the head on frozen
# features, and batches of ten pictures, once in random order and once sorted by class.
#
# **Predict**: is the order of the *test* pictures of any importance?


# %%
def in_training_mode(order):
    """Accuracy of the tail called with training=True, ten pictures at a time in this order."""
    tail.set_weights(pretrained)
    batches = [tail(unseen_maps[part], training=True) for part in np.split(order, len(order) // 10)]
    pooled = np.concatenate([keras.ops.convert_to_numpy(batch) for batch in batches])
    return np.mean(head.predict(pooled, batch_size=250, verbose=0).argmax(axis=1) == truth[order])


head.set_weights(trained_head)
transfer.unfreeze(tail, last=2, normalisations=True)
some = traps.pick(stored=250, live=100)
flags = {"random order": in_training_mode(np.arange(some))}
flags["sorted by class"] = in_training_mode(np.argsort(truth[:some], kind="stable"))
right_mode = np.mean(head.predict(unseen_features[:some], batch_size=250, verbose=0).argmax(axis=1) == truth[:some])
ways |= {"training=True, in use": flags["random order"], "training=True, sorted": flags["sorted by class"]}
for order, value in flags.items():
    measured(f"training=True, {order:15}: accuracy", value)
measured("training=False                : accuracy", right_mode)

# %%
moved = max(np.abs(after - before).max() for after, before in zip(tail.get_weights(), pretrained))
claim("training=True in inference costs at least 5 points", flags["random order"] < right_mode - 0.05)
claim("sorted by class, at least 20", flags["sorted by class"] < right_mode - 0.2)
claim("and looking at pictures in training mode has changed the network: its running statistics moved", moved > 0.1)

# %% [markdown]
# In this mode the answer for a picture depends on the pictures beside it. Sorted by class, the batch has one thing in
# common, and the normalisation takes off just what it has in common.
#
# ### Exercise 09.5 · Diagnose a broken fine-tune
#
# Five people fine-tune the same network. For each name the most likely cause: `"rate"` (too high for pretrained
# weights), `"normalisation"` (batch statistics), `"preprocessing"`, `"compile"` (not compiled again after a change of
# `trainable`) or `"cache"` (a cache in front of what changes). Each is the answer once. Make `causes` a dictionary,
# with one of these words for each name.
#
# - `anna`: training loss falls nicely; evaluated on the *same training pictures* the accuracy is far lower; with
#   batches of 64 instead of 4 the gap gets smaller.
# - `ben`: with the head alone 70 %; then he unfreezes all and goes on with the same optimizer; after 20 steps 12 %.
# - `chen`: on TensorFlow; after unfreezing, the loss goes on as before, and no weight of the backbone moves.
# - `dora`: 78 % in the notebook, 55 % in the product; the same file gives other scores there, in batches and alone.
# - `emil`: he adds random flips and crops, and the training curve does not change by a digit.

# %%
### BEGIN SOLUTION
causes = {"anna": "normalisation", "ben": "rate", "chen": "compile", "dora": "preprocessing", "emil": "cache"}
### END SOLUTION

# %%
exercise("09.5").check(causes)

# %% [markdown]
# ## How many pictures?
#
# Now the whole comparison: 5, 20 and 100 pictures a class, from scratch, frozen, and fine-tuned in three stages. This
# run has done the one in the middle; all three sizes are stored for three seeds.

# %%
scores = {"from scratch 200 test": scratch, "frozen 200 test": frozen, "fine-tuned 200 test": tuned}
sizes.keep(**scores)

# %% jupyter={"source_hidden": true}
# The other two sizes: `python tools/run_experiments.py --lesson 09` comes by here.
for size in sizes.pick(stored=(50, 1000), live=()):
    compile_anew()  # with frozen normalisations again
    weights = train_head(peak, size)
    sizes.keep(**{f"frozen {size} test": head.evaluate(unseen_features, truth, batch_size=500, verbose=0)[1]})
    sizes.keep(**{f"fine-tuned {size} test": fine_tuned(weights, recipes["in stages"](peak), size)})
    sizes.keep(**{f"from scratch {size} test": transfer.baseline(pictures[:size], labels[:size], new, truth)})

# %%
runs = sizes.stored
plotting.learning_curves(runs, sizes.live, sizes=(50, 200, 1000), recipes=("from scratch", "frozen", "fine-tuned"))


def stored_gain(first, second, size):
    """What the first way is ahead of the second, in each stored run."""
    return runs[f"{first} {size} test"] - runs[f"{second} {size} test"]


claim(
    "in each stored run, at each size, frozen features are at least 25 points ahead of training from scratch",
    min(stored_gain("frozen", "from scratch", size).min() for size in (50, 200, 1000)) > 0.25,
)
claim("with 100 a class, fine-tuning gains at least 2 points", stored_gain("fine-tuned", "frozen", 1000).min() > 0.02)
claim("with 5 a class, 3 points or less on average", stored_gain("fine-tuned", "frozen", 50).mean() < 0.03)

# %% [markdown]
# Read it from right to left. Training from scratch with 100 pictures a class is behind frozen features with 5.
# Fine-tuning adds 1 to 2 points with 5 or 20 pictures a class, hardly more than chance, and 3 to 4 with 100: the many
# weights behind the cut need pictures to be decided by.

# %%
claim(
    "5 a class, frozen, beat 100 a class from scratch in each stored run",
    (runs["frozen 50 test"] - runs["from scratch 1000 test"]).min() > 0,
)

# %% [markdown]
# ## Far from ImageNet
#
# CIFAR-10 shows animals and vehicles, as ImageNet does. Fashion-MNIST (lesson 04) shows grey clothes, cut out, on
# black. The same number of pictures, and the two quick ways: a linear probe on frozen features, and the small network.
#
# And one more question. Are the features of the last layer the right ones to take? Probe behind each block: from the
# stem, which sees edges, to the 1,280 numbers that name the classes of ImageNet.
#
# **Predict**: are the frozen features ahead on clothes? And which block is the best, on CIFAR-10 and on clothes? These
# runs are stored.

# %% jupyter={"source_hidden": true}
# For the stored runs: `python tools/run_experiments.py --lesson 09` comes by here.
ENDS = ("stem_relu6", "block1a_project_bn", "block2b_add", "block3b_add", "block4c_add")
ENDS += ("block5c_add", "block6d_add", "block7a_project_bn", "head_relu6")
PARTS = {"train": slice(200), "validation": slice(200, 500), "test": slice(500, 800)}


def by_block(x, y):
    """Accuracy on 300 validation and 300 test pictures of a probe behind each block that has learnt 200 pictures.

    The penalty of each probe is the one of four that is best on the validation pictures.
    """
    pool = layers.GlobalAveragePooling2D()
    taps = keras.Model(backbone.input, [pool(backbone.get_layer(name).output) for name in ENDS])
    found = {"validation": [], "test": []}
    for maps_there in taps.predict(efficientnet_lite.preprocess(x, size=SIDE), batch_size=25, verbose=0):
        known = maps_there[PARTS["train"]], y[PARTS["train"]]
        tried = [
            [transfer.probe(*known, maps_there[PARTS[part]], y[PARTS[part]], strength) for part in found]
            for strength in (10, 100, 1000, 10_000)
        ]
        for part, accuracy in zip(found, max(tried)):
            found[part].append(accuracy)
    return found


def small_network(x, y):
    """Test accuracy of the small network, for the number of steps, of three, that is best in validation."""
    first, *rest = (PARTS[part] for part in ("train", "validation", "test"))
    tried = []
    for steps in (100, 200, 600):
        tried.append([transfer.baseline(x[first], y[first], x[part], y[part], steps) for part in rest])
    return max(tried)[1]


if blocks.pick(stored=True, live=False):
    tail.set_weights(pretrained)  # it is a part of the backbone
    fashion = datasets.fashion_mnist(size=500, test_size=300, dtype="uint8")
    grey = np.concatenate([fashion.x_train, fashion.x_test])
    clothes = np.concatenate([fashion.y_train, fashion.y_test])
    several = np.concatenate([pictures[:200], cifar.x_train[validation[:300]], new[:300]])
    named = np.concatenate([labels[:200], cifar.y_train[validation[:300]], truth[:300]])
    blocks.keep(near=by_block(several, named), far=by_block(np.repeat(grey, 3, axis=-1), clothes))
    blocks.keep(small={"near": small_network(several, named), "far": small_network(grey, clothes)})
traps.keep(ways=ways)

# %%
near, far, small = (blocks.stored[name] for name in ("near", "far", "small"))
plotting.curves(
    {"CIFAR-10": near["test"].mean(axis=0), "Fashion-MNIST": far["test"].mean(axis=0)},
    x=range(len(ENDS)),
    bands={"CIFAR-10": (near["test"].min(axis=0), near["test"].max(axis=0))},
    xlabel="block behind which the probe reads: 0 is the stem, 8 the last layer",
    ylabel="accuracy on 300 test pictures",
    markers=True,
    alt="CIFAR-10 rises from block to block up to the seventh, Fashion-MNIST to the fifth or sixth; then it falls.",
)
best_far = far["validation"].mean(axis=0).argmax()
lead = {"near, last layer": near["test"][:, -1] - small["near"], "far, last layer": far["test"][:, -1] - small["far"]}
lead["far, chosen block"] = far["test"][:, best_far] - small["far"]
for name, values in lead.items():
    print(f"{name:17}: ahead of the small network by", ", ".join(f"{value:+.3f}" for value in values))
claim("near ImageNet the last layer is at least 25 points ahead in each run", lead["near, last layer"].min() > 0.25)
claim("far from it the last layer is behind in each run", lead["far, last layer"].max() < 0)
claim("the block that is best in validation is the fifth", best_far == 5)
claim(
    "it is level with the small network: at most 3 points apart in each run",
    np.abs(lead["far, chosen block"]).max() < 0.03,
)
claim("and at least 4 points ahead of the last layer", (far["test"][:, 5] - far["test"][:, -1]).min() > 0.04)
claim("near ImageNet, block 5 is 6 points or more behind it", (near["test"][:, -1] - near["test"][:, 5]).min() > 0.06)

# %% [markdown]
# Far from ImageNet the lead is gone. The last layer is 3 to 6 points behind the small network, which was given the best
# of three numbers of steps. A good part of that is the layer: behind block 5, chosen on validation pictures, the same
# backbone is level. So the last blocks are the most specific (Yosinski and others 2014 found it on ImageNet itself),
# and what lies deep in the middle is worth something on clothes as well. (The number
# of features, 112 there and 1,280 in the last layer, does not explain it: on CIFAR-10 the same probes rise far beyond
# block 5, and the last layer loses 0 to 2 points. One set of 800 pieces of clothing: the runs differ only in the small
# network.)
#
# A pretrained network is no magic. Far from what it knows, try an earlier block, and always train the small one, too.
# It takes seconds.

# %%
plotting.ways(traps.stored["ways"], ways, reference="frozen features", xlabel="accuracy, 20 pictures a class")

# %% [markdown]
# ## What to do
#
# Textbooks put it into four scenarios: few or many pictures, similar to ImageNet or not. There are two more questions.
# Does somebody run a model that knows your classes already (a **hosted API**), and may your pictures leave the house?
# `transfer.strategy` answers for all of it, with reasons. Read it in `cnnlib/transfer.py`; it is short.

# %%
for similar in (True, False):
    print("similar to ImageNet" if similar else "different from ImageNet")
    for images_per_class in (0, 5, 20, 100, 1000, 10_000):
        print(f"{images_per_class:7,} a class: {transfer.strategy(images_per_class, similar).choice}")

# %%
print(transfer.strategy(0, similar=True, classes_known=True))
print(transfer.strategy(0, similar=True, classes_known=True, may_leave=False))
print(transfer.strategy(0, similar=True, classes_known=True, deadline_ms=40))

# %% [markdown]
# In the first table the rows of 5 and 100 are what the stored runs found; with 20, frozen and fine-tuned differ by no
# more than chance. The second table and all rows beyond 100 are rules of thumb: on Fashion-MNIST, with 20 a class, the
# small network was level with the best block. In one case such rules were tested widely: for detection on COCO,
# networks that were trained from scratch, and for longer, came out as good as pretrained ones (He, Girshick and Dollár
# 2019). So pretraining is no law. It saves pictures and time.
#
# A hosted API costs no training and no machine. It costs a fee and a network round trip for each picture, it changes
# without asking you, and it has the classes that it has. Measure it on your own pictures, as any other model.

# %%
advised = {5: "frozen", 20: "fine-tuned", 100: "fine-tuned"}
for images_per_class, recipe in advised.items():
    mean = {way: runs[f"{way} {10 * images_per_class} test"].mean() for way in ("from scratch", "frozen", "fine-tuned")}
    claim(
        f"{images_per_class:3} a class: what is advised is on average within a standard error of the best of the three",
        mean[recipe] > max(mean.values()) - error,
    )

# %% [markdown]
# ### Exercise 09.6 · Four cases
#
# Choose for each: `"frozen"`, `"fine-tune"`, `"scratch"` or `"hosted"`. Each is the answer once. Make `choices` a
# dictionary, with one of these words for each case.
#
# - `mushrooms`: 8 photographs of each of 12 kinds; an answer today.
# - `satellite`: 13 spectral bands, 40,000 labelled tiles of each of 10 classes.
# - `parts`: photographs of machine parts, 300 of each of 25 kinds, two days of work, on the factory's own computer.
# - `archive`: 3,000 holiday photographs, to be sorted into beach, mountain, city, food; no label, no secret, no hurry.

# %%
### BEGIN SOLUTION
choices = {"mushrooms": "frozen", "satellite": "scratch", "parts": "fine-tune", "archive": "hosted"}
### END SOLUTION

# %%
exercise("09.6").check(choices)

# %% [markdown]
# ## Recap
#
# - A backbone turns pictures into features, a head names the classes. Frozen features with 5 pictures a class beat
#   training from scratch with 100.
# - What is frozen can be cached: features for a head, maps where the frozen part ends.
# - Fine-tune at small rates: it is the rate that destroys what you were given, with a fresh head or a trained one. The
#   head wants a higher rate than what lies below it: first the head, then stage by stage, or a rate for each depth.
# - Keep the normalisations frozen, and never use a model in training mode: its answer would depend on the batch.
# - Preprocessing, epsilon and padding belong to the weights, and no file of weights tells them. Weights that fit may
#   still be 10 points short, or more.
# - Near ImageNet a pretrained network saves pictures. Far from it, read an earlier block, and compare with a small
#   network of your own.
#
# ## Explain it
#
# **You fine-tune a network, the training accuracy is 99 %, and on the same pictures `evaluate` says 60 %. Why?**
#
# <details><summary>Model answer</summary>
#
# In training the normalisations use the statistics of the batch, in evaluation the running ones, which are a mixture of
# the old data and few small batches. Freeze them (they then use their running statistics in training, too), or train
# longer with larger batches and a smaller momentum. Dropout works in the other direction: it makes training look worse.
#
# </details>
#
# **Why do we train the head before we unfreeze anything?**
#
# <details><summary>Model answer</summary>
#
# Because the two want different rates. A fresh head has all to learn and takes a high rate; the features are good
# already and are destroyed by it, whatever head sends the gradients: at 0.01 the trained head lost as much as the fresh
# one, and at 0.0003 neither lost anything. A rate for each depth from the start does as well here.
#
# </details>
#
# **When may you cache features, and when not?**
#
# <details><summary>Model answer</summary>
#
# When everything in front of the cache is fixed: weights, normalisations in inference mode, and the pictures
# themselves. Augmentation changes the pictures, so either cache several versions of each or do without the cache. If
# the last stages learn, cache the maps in front of them. When preprocessing or weights change, throw the cache away.
#
# </details>
#
# **Your pretrained network is 10 points worse than its paper says. Where do you look?**
#
# <details><summary>Model answer</summary>
#
# Range and order of channels; the way of resizing and cropping; padding under strides and the epsilon of the
# normalisations; the order of the classes; training mode. Feed one picture to the original and to yours, compare layer
# by layer, and look at the first difference.
#
# </details>
#
# ## What comes next
#
# The network is yours now. But does it look at the mushroom, or at the moss around it? The next lesson looks inside.
#
# [10 Seeing what a CNN sees](../notebooks/10_seeing_what_a_cnn_sees.ipynb) · [Course map](../README.md)
#
# ## References
#
# - K. He, R. Girshick and P. Dollár (2019). Rethinking ImageNet pre-training. *ICCV*.
# - J. Howard and S. Ruder (2018). Universal language model fine-tuning for text classification. *ACL*.
# - M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen (2018). MobileNetV2: inverted residuals and linear
#   bottlenecks. *CVPR*.
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson (2014). How transferable are features in deep neural networks?
#   *NeurIPS*.
