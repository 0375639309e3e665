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
# # 15 · When it does not work
#
# **Your network runs without an error and the answers are wrong. Where do you look first, and when can you trust it?**
#
# When you have worked through this page you can
# - climb the ladder (data, tiny set, curves, predictions, profile), name the cause of a failure and mend it
# - say how far a confidence can be believed, and mend it with one number
# - measure what noise, weather, a new camera and an adversary do to a network, and what buys some of it back
# - set an alarm whose rate of false alarms you know, and review errors so that the next step follows from them
# - decide about split, metric, threshold, network and monitoring from the constraints of a project
#
# **Before this**: [08 Data and augmentation](../notebooks/08_data_and_augmentation.ipynb),
# [09 Transfer learning](../notebooks/09_transfer_learning.ipynb) · **Reading** 60 min · **Exercises** 90 min ·
# six parts, each of at most 30 min
#
# [← 14 From image file to answer](../notebooks/14_from_image_file_to_answer.ipynb) · [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="15")

# %%
import time

import keras
import numpy as np

from cnnlib import broken, claim, datasets, exercise, models, plotting, reliability, splits, training
from cnnlib.claims import approx, measured
from cnnlib.results import Experiment

# %% [markdown]
# ## Part 1 · The ladder (20 min)
#
# **Where do you look first?**
#
# A program with a mistake stops. A network with a mistake trains: the loss goes down a little, a number comes out, and
# you change the learning rate for a day. So look in an order that is the same every time, the cheap and the telling
# first. The **ladder** has five rungs:
#
# 1. *data*: look at what the network is fed, with its labels
# 2. *tiny set*: twenty examples must be learnt by heart
# 3. *curves*: loss and accuracy, in training and in validation
# 4. *predictions*: what it says, class by class, picture by picture
# 5. **profile**: a list of what takes the time of a program
#
# Here is a project to climb it with. A machine puts shoes in pairs, and must know which way each of them points. It
# loads, splits, prepares, augments, trains and serves, sixty lines in all. Each of these is a *step* that you can
# exchange.

# %%
shoes = broken.project("shoes")
shoes.code

# %% [markdown]
# First rung: do labels belong to their pictures?

# %%
data = shoes.load(shoes.generator(0))
plotting.images(
    data.pictures[:8], columns=8, titles=[shoes.classes[label] for label in data.labels[:8]],
    alt="Eight shoes, and each points the way that its label says.",
)  # fmt: skip
claim("nothing is wrong with these eight, and there are both kinds", set(data.labels[:8]) == {0, 1})

# %% [markdown]
# They do. Second rung: can it learn twenty pictures by heart? If it cannot, more epochs will not help.

# %%
by_heart = broken.tiny(shoes)
measured("right on the twenty pictures that it was trained on", by_heart)
claim("it learns nearly all twenty by heart", by_heart >= 0.9)

# %% [markdown]
# So network, loss and optimizer can learn. Third rung, the curves of the real training.

# %%
run = shoes.run()
plotting.histories(run.history, "accuracy", limits=(0, 1))
claim("after six epochs, training is right in less than 70 of 100", run.history["accuracy"][-1] < 0.7)

# %% [markdown]
# Left or right, a child can tell, and this network cannot, not even in training.
#
# **Predict**: what would you change first, the rate, the network, or the number of epochs?
#
# None of them yet. Fourth rung, predictions. Ask it something to which you know the answer: what does it say of a shoe,
# and what of the same shoe in a mirror?

# %%
x, y = run.sets["validation"]
answers, of_mirrored = (run.outputs_of(pictures).argmax(axis=1) for pictures in (x, x[:, :, ::-1]))
same = np.mean(answers == of_mirrored)
measured("share of the shoes that get the same answer in a mirror", same, digits=2)
claim("more than a third, where it should be none", same > 1 / 3)

# %% [markdown]
# As if somebody had taught it that a mirror makes no difference. So look again, but not at the files: at *what the
# network is fed*, behind the last step before it.

# %%
fed, labels = shoes.augment(x[:8].copy(), y[:8], np.random.default_rng(1))
plotting.images(
    np.clip(fed / 2 + 0.5, 0, 1), columns=8, titles=[shoes.classes[k] for k in labels],
    alt="Eight shoes as fed to the network; some point the other way than their label says.",
)  # fmt: skip
mirrored = np.array([np.abs(a - b).mean() > np.abs(a - b[:, ::-1]).mean() for a, b in zip(fed, x)])
claim("some of the eight are mirrored, some are not", 0 < mirrored.sum() < 8)
claim("and the labels are what they were before", np.array_equal(labels, y[:8]))

# %% [markdown]
# There it is. To mirror a cat leaves a cat. To mirror a left shoe makes a right one, and its label stays *left*: half
# of what the network is told is wrong. (Twenty it can learn all the same: it knows each shoe by sight, either way.)
#
# Mend it, run it again, and look at the number that counts. For these small projects the course knows the truth of
# what comes *in use*; in your own you will know it too late.

# %%
as_it_is = shoes.replace(augment=lambda x, y, rng: (x, y))
before, after = run.accuracies(), as_it_is.run().accuracies()
print({name: approx(value) for name, value in after.items()})
claim("in use, more than 90 of 100 are right now", after["field"] > 0.9)
claim("which are at least 20 more than before", after["field"] > before["field"] + 0.2)

# %% [markdown]
# The last rung is time. Before you buy a faster processor, see who waits for whom: the network for its pictures, or the
# pictures for the network?

# %% tags=["nbval-ignore-output"]
started = time.perf_counter()
shoes.augment(shoes.prepare(run.data.pictures), run.data.labels, np.random.default_rng(0))
prepared = time.perf_counter()
run.outputs_of(x)
measured("preparing and augmenting a picture", 1e6 * (prepared - started) / len(run.data.labels), "microseconds")
measured("the network, forward", 1e6 * (time.perf_counter() - prepared) / len(x), "microseconds a picture")

# %% [markdown]
# **So far**: look in a fixed order, and let each look rule something out. What the network is fed is not what lies in
# the files, and a question with a known answer tells more than a loss.
#
# ## Part 2 · Six projects that do not learn as they should (30 min)
#
# **What does each mistake look like from outside?**
#
# Ten more projects, one mistake in each. All of them run to the end. Here is what you would see: accuracy during
# training, in validation, in use, and on twenty pictures that it was to learn by heart, as means over the stored runs.
#
# **Predict**: which of the ten would you have shipped?

# %% jupyter={"source_hidden": true}
# For the stored runs all projects are run, and two more that show rows of the table at the end.
projects = Experiment("15_projects")
shown = {name: broken.project(name) for name in broken.NAMES}
shown["jumping"] = as_it_is.replace(optimizer=lambda: keras.optimizers.SGD(3.0), epochs=8)
shown["noisy"] = as_it_is.replace(augment=lambda x, y, rng: (x + rng.normal(0, 3, x.shape).astype("float32"), y))
for name, project in projects.pick(stored=shown, live={}).items():
    done = project.run()
    projects.keep(**{name: {**broken.seen(done), **broken.checked(done), "in use": done.accuracies()["field"]}})
stored = projects.stored

# %%
seen = broken.four_numbers(stored)
plotting.heatmap(
    list(seen.values()), rows=list(seen), columns=["training", "validation", "in use", "twenty by heart"],
    form="{:.2f}", limits=(0, 1), size=0.7,
    alt="; ".join(f"{name}: {', '.join(f'{value:.2f}' for value in values)}" for name, values in seen.items()),
)  # fmt: skip
good = [name for name, shares in seen.items() if shares[1] > 0.6 and name != "shoes"]
claim("at least five of the ten look good in validation, with more than 60 of 100 right", len(good) >= 5)

# %% [markdown]
# You may look at anything: the code below (click to open it), `project.load`, `run.sets`, `run.history`, `run.model`,
# `run.moved()`, `broken.tiny(project)`. And there is a flowchart, `reliability.diagnose`: it takes what you have seen
# and says what it suspects, and which check would decide. It works like this:

# %%
by_eye = np.mean(~mirrored)  # of eight augmented shoes, the share that points where its label says
found = reliability.diagnose(**broken.seen(run), tiny_accuracy=by_heart, augmented_agreement=by_eye)
print(found.confirmed, found.next_check, sep="\n")
claim("told what your eyes saw, it confirms the cause", "augmentation changes the label" in found.confirmed)

# %%
broken.read(*broken.NAMES[1:])

# %% [markdown]
# In each of the next five exercises you mend two projects that look alike from outside. The answer is a dictionary:
#
# ```python
# mended = {"name": (cause, broken.project("name").replace(step=...))}
# ```
#
# with a cause in the words of the flowchart (`reliability.diagnosis.CAUSES`). Do one, check it, do the other. The check
# trains your project on pictures that you have not seen, and judges what comes out.
#
# ### Exercise 15.1 · At chance
#
# `wardrobe` sorts ten kinds of clothes, `toys` three kinds of toys. In validation both do no better than a guess.
# Which rung tells them apart?

# %%
wardrobe, toys = broken.project("wardrobe"), broken.project("toys")
### BEGIN SOLUTION
mended = {
    "wardrobe": (
        "labels do not belong to their pictures",
        wardrobe.replace(load=lambda rng: wardrobe.load(rng, header=None)),  # the list has no heading
    ),
    "toys": ("learning rate", toys.replace(optimizer=lambda: keras.optimizers.Adam(0.003))),
}
### END SOLUTION

# %%
exercise("15.1").check(mended)

# %% [markdown]
# The same flat curve, and two causes that have nothing to do with each other. A second number parted them.
#
# ### Exercise 15.2 · The loss looks wrong
#
# `microscope` asks whether the middle of a square is a nucleus. Its loss is NaN from the first epoch on. `catalogue`
# knows clothes fairly well, and its loss stays high, even on twenty pictures that it has all right.

# %%
microscope, catalogue = broken.project("microscope"), broken.project("catalogue")
### BEGIN SOLUTION
mended = {
    "microscope": (
        "a bad picture",
        microscope.replace(prepare=lambda pictures: np.nan_to_num(microscope.prepare(pictures))),
    ),
    "catalogue": (
        "the loss expects another output",
        catalogue.replace(network=lambda: broken.small_network((28, 28, 1), 10)),  # logits, as the loss wants them
    ),
}
### END SOLUTION

# %%
exercise("15.2").check(mended)

# %% [markdown]
# ### Exercise 15.3 · Frozen, or not
#
# Both projects have layers that must stay as they are. In `studio` the head on a frozen backbone learns well, and the
# same training pictures are worse in inference. `sorter` learns, and not as well as it should.

# %%
studio, sorter = broken.project("studio"), broken.project("sorter")
### BEGIN SOLUTION
mended = {
    "studio": (
        "frozen layers move",
        studio.replace(freeze=lambda model: [layer.name for layer in model.layers if layer.name != "head"]),
    ),
    "sorter": ("more is frozen than was meant, or less", sorter.replace(freeze=lambda model: ["conv1"])),
}
### END SOLUTION

# %%
exercise("15.3").check(mended)

# %% [markdown]
# **So far**: at chance, too high, worse in inference, not good enough. All of these show in training already, and one
# more number tells which cause it is: on twenty pictures, in inference, or of weights that moved.
#
# ## Part 3 · Four projects with good numbers (25 min)
#
# **Training is fine, validation is fine. Is it fine?**
#
# ### Exercise 15.4 · Too good
#
# `forest` names animals in front of a camera. `gate` tells ships from lorries. Both do well in validation, and both
# fail in use.
#
# Beware of a rule that you may have read: *validation much worse than training, so look for leakage*. Leakage (lesson
# 08) puts into the validation set what training has seen. It makes validation *better*. Look for it where a number is
# too good.

# %%
forest, gate = broken.project("forest"), broken.project("gate")
### BEGIN SOLUTION
mended = {
    "forest": (
        "leakage",
        forest.replace(split=lambda data, rng: splits.grouped_split([name[:9] for name in data.names], test=0.25)),
    ),
    "gate": (
        "a shortcut",  # a strip at the bottom is made the same for all
        gate.replace(prepare=lambda pictures: gate.prepare(pictures) * (np.arange(32) < 27)[:, None, None]),
    ),
}
### END SOLUTION

# %%
exercise("15.4").check(mended)

# %% [markdown]
# ### Exercise 15.5 · Good numbers, poor results
#
# `meadow` is good in validation and guesses in use. `inspection` is right in 95 of 100 cases, in validation *and* in
# use, and its users want their money back.

# %%
meadow, inspection = broken.project("meadow"), broken.project("inspection")
### BEGIN SOLUTION
mended = {
    "meadow": (
        "serving prepares images otherwise",
        meadow.replace(serve=lambda outputs_of, pictures: outputs_of(meadow.prepare(pictures)).argmax(axis=1)),
    ),
    "inspection": (
        "a class hidden by accuracy",  # shirts are drawn as often as dresses
        inspection.replace(
            augment=lambda x, y, rng: (lambda i: (x[i], y[i]))(rng.choice(len(y), 800, p=1 / (2 * np.bincount(y)[y])))
        ),
    ),
}
### END SOLUTION

# %%
exercise("15.5").check(mended)

# %% [markdown]
# ### Looking back
#
# Read on when you have mended all ten. One black square is enough for a loss of NaN: 0 divided by 0, once in an epoch,
# and every weight is gone. A softmax of a softmax is never sure: of ten classes the best has a share of $e / (e + 9)$.
# And a name is a bad handle: in a ResNet as PyTorch names its layers, `conv1` is the stem *and* the first convolution
# of every block. (Ours ends in `_a_conv`.)

# %%
floor = -np.log(np.e / (np.e + 9))
measured("the lowest loss of a softmax of a softmax", floor)
claim("catalogue ends above it, in each stored run", min(r["catalogue"]["train_loss"][-1] for r in stored) > floor)
with models.common.without_drawing():
    backbone = models.ResNet(18)
sizes = {layer.name: layer.count_params() for layer in backbone.layers if layer.name != "logits"}
first = sum(size for name, size in sizes.items() if name.endswith("_a_conv") or name == "stem_conv")
claim("the name conv1 holds 42 % of the backbone of ResNet-18", round(first / sum(sizes.values()), 2) == 0.42)

# %% [markdown]
# **So far**: good numbers answer the question that they were computed for. Ask the one that use will ask: new scenes,
# no mark in the corner, the camera's own way, each class by itself.
#
# ## Part 4 · Can you believe the confidence? (25 min)
#
# **It says 99 %. Is it right in 99 of 100 cases?**
#
# The **confidence** of an answer is the probability that the network gives the class it chose. A network is
# **calibrated** if, of all answers with a confidence of 80 %, 80 of 100 are right. Nobody forces it to be. Here is one
# that has learnt 800 pictures by heart.

# %%
clothes = datasets.fashion_mnist(size=800, dtype="float32")
eager = broken.small_network((28, 28, 1), 10)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
eager.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
history = training.fit(eager, clothes.x_train, clothes.y_train, epochs=15, batch_size=100).history
claim("in training it is right on more than 95 of 100", history["accuracy"][-1] > 0.95)
logits, truth = broken.answers(eager, clothes.x_test), clothes.y_test
fit, judge = slice(0, 1000), slice(1000, 2000)

# %% [markdown]
# Sort the answers by confidence into bins, and look in each bin at which share is right: a **reliability diagram**.
#
# **Predict**: on which side of the diagonal will it lie, on new pictures?

# %%
sure = reliability.softmax(logits)
diagram = reliability.reliability_diagram(sure[judge], truth[judge], bins=10)
by_chance = reliability.calibration_floor(sure[judge], bins=10).mean()
plotting.reliability_diagrams(
    {"as trained": diagram}, floor={"as trained": by_chance},
    alt=f"Below the diagonal: it promises more than it keeps, by {approx(diagram.error, 2)} on average.",
)  # fmt: skip
claim(
    "it is surer than it may be, by more than 5 points",
    sure[judge].max(1).mean() > np.mean(sure[judge].argmax(1) == truth[judge]) + 0.05,
)
claim("three times as far off as chance alone would put a calibrated network", diagram.error > 3 * by_chance)

# %% [markdown]
# The number in the title is the **expected calibration error** (ECE) of Naeini, Cooper and Hauskrecht (2015): the
# distance between confidence and accuracy in each bin, averaged over the answers,
#
# $$\text{ECE} = \sum_b \frac{n_b}{n} \left| \text{accuracy}_b - \text{confidence}_b \right|$$
#
# with $n_b$ of the $n$ answers in bin $b$. Even a calibrated network has some, since each bin is a small sample.
#
# ### Exercise 15.6 · Expected calibration error
#
# Write it, with `bins` of equal width between 0 and 1. Empty bins count for nothing, and a confidence of exactly 1
# belongs to the last bin. Raise a `ValueError` if there is less than one bin.
#
# For example, of two answers with confidences of 0.9 and 0.7, only the first is right. With ten bins the gaps are 0.1
# and 0.7, so the ECE is 0.4.


# %%
def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """The ECE of probabilities (n, classes) and labels (n,); ValueError below one bin."""
    ### BEGIN SOLUTION
    if bins < 1:
        raise ValueError(f"bins={bins}")
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for place in np.unique(places):
        chosen = places == place
        total += chosen.sum() * abs(confidence[chosen].mean() - right[chosen].mean())
    return float(total / len(labels))
    ### END SOLUTION


# %%
exercise("15.6").check(calibration_error)

# %% [markdown]
# One number mends most of it. Divide all logits by one number $T$, the **temperature**, before the softmax (Guo and
# others 2017). Above 1 it makes the network less sure, below 1 surer; the order of the classes stays, and with it every
# answer. Which $T$? The one with the smallest negative log-likelihood on *validation* data, $-\frac{1}{n} \sum_i \log
# p_i$ with the probability $p_i$ of the true class of picture $i$.
#
# ### Exercise 15.7 · Temperature
#
# Find it, between 0.1 and 10, to a hundredth of itself.


# %%
def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature for logits (n, classes), given the true labels (n,)."""

    ### BEGIN SOLUTION
    def loss(t):
        z = logits / t
        z = z - z.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(labels)), labels])

    candidates = np.geomspace(0.1, 10, 1001)
    return float(candidates[np.argmin([loss(t) for t in candidates])])
    ### END SOLUTION


# %%
exercise("15.7").check(temperature)

# %%
warm = reliability.fit_temperature(logits[fit], truth[fit])
cooled = reliability.softmax(logits, warm)
after = reliability.reliability_diagram(cooled[judge], truth[judge], bins=10)
plotting.reliability_diagrams(
    {"as trained": diagram, f"temperature {approx(warm, 2)}": after},
    alt=f"As trained off by {approx(diagram.error, 2)}, with the temperature by {approx(after.error, 2)}.",
)  # fmt: skip
claim("the temperature is above 1.3", warm > 1.3)
claim("the error falls to less than half", after.error < diagram.error / 2)
claim("and not one answer has changed", np.array_equal(cooled.argmax(1), sure.argmax(1)))

# %% [markdown]
# Are the networks that come with this course calibrated? One half of 2,000 test pictures gave the temperature,
# the other half judged; five divisions are stored.
#
# **Predict**: what temperature comes out if you fit it on *training* pictures?

# %%
calibration = Experiment("reliability_calibration").stored
for name in ("ResNet-20", "small VGG", "MobileNetV2"):
    runs = calibration[name]
    print(f"{name:12} T {runs['temperature'].mean():.2f}   ECE {runs['before']['ece'].mean():.3f}, after "
          f"{runs['after']['ece'].mean():.3f}, by chance {runs['after']['ece by chance'].mean():.3f}   "
          f"T of training pictures {runs['temperature of training images'].mean():.2f}")  # fmt: skip
resnet = calibration["ResNet-20"]
claim("ResNet-20 is a little too sure: a temperature above 1.1 in each division", resnet["temperature"].min() > 1.1)
claim("on training pictures it comes out below 1, for all three", all(
    calibration[name]["temperature of training images"].max() < 1 for name in ("ResNet-20", "small VGG", "MobileNetV2")
))  # fmt: skip
claim("which makes the error of ResNet-20 worse in each division", (
    resnet["after, of training images"]["ece"] > resnet["before"]["ece"]
).all())  # fmt: skip

# %% [markdown]
# On pictures that it has seen, a network is right more often than it thinks: that temperature answers another question.
# And what is left after the right one is about what chance alone gives, so that no better method can be told from it
# here.
#
# **So far**: a confidence is a claim that can be tested. One number mends it, fitted on validation data, and good for
# data like these. On other data nobody has promised anything.
#
# ## Part 5 · Another world (30 min)
#
# **What is left of the accuracy when the pictures change, and what buys it back?**
#
# Cameras have noise, lenses blur, fog comes up, a format loses detail. Hendrycks and Dietterich (2019) made a test of
# what cameras, weather and formats do to pictures: **corruptions**, each at five severities. Here are eight, and two
# networks that are right on the same share of clean pictures (stored: three seeds, 250 pictures each).
#
# **Predict**: will they lose the same?

# %%
networks = ("ResNet-20", "small VGG")
under = Experiment("reliability_corruptions").stored
plotting.corruption_curves(
    {kind: {name: under[name][kind]["accuracy"] for name in networks} for kind in reliability.CORRUPTIONS},
    clean={name: under[name]["clean"]["accuracy"] for name in networks}, chance=0.1,
    alt="Eight panels. Accuracy falls with severity to about a quarter in noise and fog; in blur the two part.",
)  # fmt: skip
resnet, vgg = (under[name] for name in networks)
claim("clean, they are within 2 points", abs(resnet["clean"]["accuracy"] - vgg["clean"]["accuracy"]).max() < 0.02)
at_worst = {kind: resnet[kind]["accuracy"][:, 4] for kind in reliability.CORRUPTIONS}
claim("noise and fog leave ResNet-20 less than a third", max(at_worst["noise"].max(), at_worst["fog"].max()) < 1 / 3)
claim("in blur VGG keeps 10 points more, in each run", (vgg["blur"]["accuracy"][:, 4] > at_worst["blur"] + 0.1).all())

# %% [markdown]
# A number on clean pictures does not tell them apart; on blurred ones they are two different networks. And the
# temperature? It was fitted on clean pictures, and goes on promising.

# %%
off = {kind: resnet[kind]["ece with temperature"][:, 4] for kind in ("noise", "blur", "fog")}
off["clean"] = resnet["clean"]["ece with temperature"]
print("ECE with the temperature:", {kind: f"{error.mean():.2f}" for kind, error in off.items()})
claim("in noise the ECE is above 0.2 in each run, temperature or not", off["noise"].min() > 0.2)

# %% [markdown]
# What buys it back? A small network, trained in five ways (stored, three seeds): without and with mirroring and shifts,
# with noise besides, with other light besides, and on pictures of 16 pixels in the place of 32. Each had twelve epochs
# at most, the best of them chosen on validation pictures. That compares them at an equal price, not each at its own
# best: a way that has more to learn may want more of them.
#
# **Predict**: does training with noise help in fog? And who loses more in noise, large pictures or small ones?

# %%
trained = Experiment("reliability_trainings").stored
ways = ("none", "flip and shift", "and noise", "and light", "flip and shift, 16 pixels")
kinds = ("noise", "blur", "fog", "contrast")
worst = {way: {kind: trained[way]["corrupted"][kind][:, 4] for kind in kinds} for way in ways}
worst = {way: {"clean": trained[way]["clean"], **found} for way, found in worst.items()}
plotting.heatmap(
    [[worst[way][kind].mean() for kind in ("clean", *kinds)] for way in ways], rows=ways, columns=["clean", *kinds],
    form="{:.2f}", limits=(0, 0.7), size=0.85, title="accuracy at severity 5",
    alt="; ".join(f"{way}: {', '.join(f'{v.mean():.2f}' for v in found.values())}" for way, found in worst.items()),
)  # fmt: skip

# %%
plain, noise, light, small_ones = (worst[way] for way in ways[1:])
claim("noise in training gains 10 points in noise, in each run", (noise["noise"] > plain["noise"] + 0.1).all())
claim("and nothing in fog: less than 3 points", (noise["fog"] < plain["fog"] + 0.03).all())
claim("other light gains 5 points in contrast, in each run", (light["contrast"] > plain["contrast"] + 0.05).all())
claim("and costs more than 5 on clean pictures at this price", (light["clean"] < plain["clean"] - 0.05).all())
claim("pictures of 16 pixels gain 10 points in noise", (small_ones["noise"] > plain["noise"] + 0.1).all())

# %% [markdown]
# You get what you train for, at a price. And the cheapest cure for noise was to throw pixels away, likely because the
# mean of four has half the noise. What it costs on clean pictures stands in the first column.
#
# ### The worst change of all
#
# Noise is drawn by chance. An adversary does not draw. She has the network, computes by how much the loss changes with
# each value of the picture, and moves *every* value by the same small $\varepsilon$ in the direction that hurts: the
# **fast gradient sign method** (FGSM) of Goodfellow, Shlens and Szegedy (2015).
#
# $$x' = \text{clip}\left(x + \varepsilon \, \text{sign}(\nabla_x L)\right)$$
#
# ### Exercise 15.8 · The worst small step
#
# Write it. `gradient(images, labels)` returns how the loss changes with each value. What comes out must be a picture
# again, with values from 0 to 1.


# %%
def fgsm(gradient, images: np.ndarray, labels: np.ndarray, epsilon: float) -> np.ndarray:
    """Images (n, height, width, channels) in [0, 1], each value moved by epsilon where that raises the loss."""
    ### BEGIN SOLUTION
    return np.clip(images + epsilon * np.sign(gradient(images, labels)), 0, 1)
    ### END SOLUTION


# %%
exercise("15.8").check(fgsm)

# %% [markdown]
# Try it on LeNet-5, which is right on 92 of 100 clothes: 8 of 255 grey levels, which one hardly sees. The control is a
# change of the same size in directions that chance chose.
#
# **Predict**: what is left of the 92? (Below, four of those that it loses: the true names above, its new ones below.)

# %%
lenet = models.LeNet5((28, 28, 1), variant="modern", weights="fashion_mnist")
attack = reliability.Attack(lenet, batch_size=200)
target, names = clothes.x_test[:200], clothes.y_test[:200]
moved, random = attack.fgsm(target, names, 8 / 255), attack.random(target, 8 / 255)
left = {kind: np.mean(broken.answers(lenet, x).argmax(1) == names) for kind, x in
        {"as they are": target, "random": random, "FGSM": moved}.items()}  # fmt: skip
fooled = np.flatnonzero(
    (broken.answers(lenet, target).argmax(1) == names) & (broken.answers(lenet, moved).argmax(1) != names)
)[:4]
plotting.images(
    [*target[fooled], *moved[fooled]], columns=4, size=0.95,
    titles=[clothes.class_names[k] for k in (*names[fooled], *broken.answers(lenet, moved[fooled]).argmax(1))],
    alt="Four pictures, and below them the same with a faint grain; the names that the network gives have changed.",
)  # fmt: skip
print({kind: approx(value, 2) for kind, value in left.items()})
claim("random: not 3 points are lost", left["random"] > left["as they are"] - 0.03)
claim("FGSM: more than 25", left["FGSM"] < left["as they are"] - 0.25)

# %%
attacked = Experiment("reliability_attacks").stored["ResNet-20"]
print({kind: np.mean(values, axis=0).round(2).tolist() for kind, values in attacked.columns().items()})
claim(
    "PGD, ten small steps, does at least as much harm as one", (attacked["PGD"] <= attacked["FGSM"][:, :2] + 0.02).all()
)
claim("made on another network it does less", (attacked["FGSM of the other"] > attacked["FGSM"]).mean() > 0.9)

# %% [markdown]
# What this shows: near pictures that the network has right there are others that it has wrong, and whoever holds the
# weights finds them. What it does not show: that such pictures come up by chance (see the control), or that a network
# that withstands this attack withstands the next. It matters where somebody gains by fooling you.
#
# ### Small things, and the price of seeing them
#
# In lesson 11 a detector lost a pug of 70 pixels, and found it again in an enlarged part. So cut the picture into
# overlapping parts, look at each, and join the answers. Five animals, at five sizes, on a grey ground of 300 pixels
# (computed once): found in the whole picture, in 2 by 2 parts, in 3 by 3.

# %% jupyter={"source_hidden": true}
# For the stored run only.
small = Experiment("15_small")
sides, cuts = (150, 100, 70, 50, 35), (1, 2, 3)


def looked_for(cut):
    """Share of the five animals found with a score of 0.5 at each size, and other things found for each picture."""
    from PIL import Image

    from cnnlib.models import ssdlite

    network, side = models.SSDLite(weights="coco"), 300 if cut == 1 else {2: 180, 3: 130}[cut]
    starts = np.linspace(0, 300 - side, cut).astype(int)
    found, others = np.zeros(len(sides)), 0
    for pet in datasets.pets():
        for number, size in enumerate(sides):
            tiny = Image.fromarray(pet.image)
            tiny.thumbnail((size, size), Image.Resampling.BOX)
            canvas = Image.new("RGB", (300, 300), (128, 128, 128))
            canvas.paste(tiny, ((300 - tiny.width) // 2, (300 - tiny.height) // 2))
            parts = [canvas.crop((x, y, x + side, y + side)).resize((300, 300)) for y in starts for x in starts]
            named = [thing.name for part in parts for thing in ssdlite.detect(np.asarray(part), network=network)]
            found[number] += pet.species in named
            others += sum(name != pet.species for name in named)
    return [*found / 5, others / 25]


for cut in small.pick(stored=cuts if runtime.seed() == 0 else (), live=()):  # nothing in it depends on the seed
    small.keep(**{f"{cut} x {cut}": looked_for(cut)})

# %%
shares = small.stored[0]
plotting.curves(
    {f"{cut} x {cut} parts": shares[f"{cut} x {cut}"][:5] for cut in cuts}, x=sides, markers=True, height=2.6,
    xlabel="longer side of the animal, in pixels", ylabel="share found",
    alt="Share found over the size; more parts find smaller animals.",
)  # fmt: skip
print({name: f"{values[5]:.2f} wrong names a picture" for name, values in shares.items() if name != "seed"})
claim(
    "of animals of 50 pixels the whole picture finds none or one, 3 x 3 parts more",
    shares["1 x 1"][3] < shares["3 x 3"][3],
)

# %% [markdown]
# The pixels were there, and the price is nine looks instead of one, plus what each look invents. That is the bargain
# with small things, whether you pay it in parts, in a larger input or in a finer stride.
#
# ### Hard negatives
#
# A detector of clothes will meet walls, coins and hair. Train the detector with clothes and 800 random windows of
# photographs, let it loose on the rest, and collect what it takes for clothes: **hard negatives**. Train again with
# the 400 hardest of them. The control gets 400 more random ones.

# %% jupyter={"source_hidden": true}
# For the stored runs only.
mining = Experiment("15_hard_negatives")


def windows(half):
    """Grey windows (n, 28, 28, 1) of the left (0) or right (1) halves of nine photographs."""
    found = []
    for name in ("coffee", "camera", "clock", "rocket", "coins", "brick", "cat", "astronaut", "retina"):
        grey = datasets.photograph(name).mean(axis=-1).astype("float32") / 255
        middle = grey.shape[1] // 2
        side = grey[:, middle:] if half else grey[:, :middle]
        found.append(np.lib.stride_tricks.sliding_window_view(side, (28, 28))[::9, ::9].reshape(-1, 28, 28, 1))
    return np.concatenate(found)


def mined(seed):
    """False alarms with random negatives, with hard ones besides, with more random ones: means of three networks."""
    rng = np.random.default_rng(seed)
    known, new, wear = windows(0), windows(1), datasets.fashion_mnist(size=2000, test_size=500)
    known = known[rng.permutation(len(known))]
    items = wear.x_train[rng.permutation(2000)[:800]]
    positives = np.where(items > 0.12, items, known[-800:])
    held = np.where(wear.x_test > 0.12, wear.x_test, new[rng.choice(len(new), 500)])
    net = broken.small_network((28, 28, 1), 2)
    net.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.05, 160), momentum=0.9), loss)
    starts = [broken.small_network((28, 28, 1), 2).get_weights() for _ in range(3)]
    first, rest = known[:800], known[800:-800]

    def score(pictures):
        return np.subtract(*broken.answers(net, pictures).T[::-1])

    def trained_with(negatives):
        """Share of new windows that are taken for clothes where 95 % of the clothes are found; scores of the rest."""
        x, y = np.concatenate([positives, negatives]), np.repeat([1, 0], [len(positives), len(negatives)])
        alarms, scores = [], 0
        for start in starts:
            net.set_weights(start)
            for variable in net.optimizer.variables:
                if not variable.path.endswith("learning_rate"):
                    variable.assign(np.zeros(variable.shape))
            training.fit(net, x, y, epochs=8, batch_size=100, quiet=True)
            alarms.append(np.mean(score(new) >= np.quantile(score(held), 0.05)))
            scores = scores + score(rest)
        return float(np.mean(alarms)), scores

    before, scores = trained_with(first)
    hardest = rest[np.argsort(-scores)[:400]]
    after, control = (trained_with(np.concatenate([first, more]))[0] for more in (hardest, rest[:400]))
    return {"first": before, "hard": after, "random": control}


for _ in mining.pick(stored=(1,), live=()):
    mining.keep(**mined(runtime.seed()))

# %%
hard = mining.stored
for name in ("first", "hard", "random"):
    print(f"{name:7} false alarms in 1,000 windows, by seed: {', '.join(f'{1000 * v:.0f}' for v in hard[name])}")
claim(
    "with hard negatives fewer than with as many random ones, in each stored run", (hard["hard"] < hard["random"]).all()
)

# %% [markdown]
# **So far**: a change that you can name can be trained for, and little else is promised. Measure on the data that will
# come; where they are not to be had, on corruptions, by size, and on what the network itself gets wrong.
#
# ## Part 6 · In use (30 min)
#
# **How do you notice, and what do you do then?**
#
# Nobody tells you the truth in use, at least not at once. What you have are the pictures and the confidences. So keep
# numbers of both from data like those that the network was tested on, the *reference*, and compare each window of,
# say, 100 new pictures with them. The distance here is that of Kolmogorov and Smirnov: the largest gap between the two
# distribution functions of a number. How large may it be? Even windows *without* any change have some distance.
#
# ### Exercise 15.9 · The limit of an alarm
#
# `distances` are those of windows without a change. Return the smallest of these distances that is exceeded by no more
# than a share of `rate` of them: an alarm is a distance *above* the limit. Raise a `ValueError` if not even one of the
# windows may be above it: they are too few to tell such a rate.
#
# For example, with distances of 0.1, 0.3, 0.2, 0.5 and 0.4 and a rate of 0.2 the limit is 0.4.


# %%
def alarm_limit(distances: np.ndarray, rate: float) -> float:
    """The limit above which at most this share of the distances lies; ValueError for too few of them."""
    ### BEGIN SOLUTION
    allowed = int(rate * len(distances) + 1e-9)
    if allowed < 1:
        raise ValueError(f"{len(distances)} windows cannot tell a rate of {rate}")
    return float(np.sort(distances)[::-1][allowed])
    ### END SOLUTION


# %%
exercise("15.9").check(alarm_limit)

# %% [markdown]
# `reliability.Monitor` does this for several numbers at once, so that the rate is that of the window as a whole. Its
# reference is 1,000 test pictures of clothes. Then come 1,000 others: five windows as they are, and five from a new
# camera that takes them half a stop brighter.
#
# **Predict**: how much accuracy does that cost? And what if the pictures come upside down?


# %%
def numbers(pictures):
    confidence = reliability.softmax(broken.answers(lenet, pictures)).max(axis=1)
    return {**reliability.image_statistics(pictures), "confidence": confidence}


x_ref, x_new, y_new = clothes.x_test[:1000], clothes.x_test[1000:], truth[1000:]
monitor = reliability.Monitor(window=100, false_alarm_rate=0.01, repeats=1000).fit(numbers(x_ref))
brighter = reliability.corrupt(x_new, "exposure", 1)
verdicts = monitor.check_all(numbers(np.concatenate([x_new[:500], brighter[500:]])))
plotting.drift_over_time(verdicts, changed=5, alt="Below the limit for five windows, far above it after the change.")

# %%
turned = x_new[:, ::-1]
inputs = {"as they are": x_new, "brighter": brighter, "upside down": turned}
right = {}
for name, pictures in inputs.items():
    alarms = [verdict for verdict in monitor.check_all(numbers(pictures)) if verdict.alarm]
    reasons = sorted({reason for verdict in alarms for reason in verdict.reasons[:1]})
    right[name] = np.mean(broken.answers(lenet, pictures).argmax(1) == y_new)
    print(f"{name:12} accuracy {approx(right[name], 2)}, {len(alarms)} of 10 windows raise an alarm {reasons or ''}")
claim(
    "the camera is noticed in each of five windows, and no window before it",
    [v.alarm for v in verdicts] == [False] * 5 + [True] * 5,
)
claim("which costs less than 4 points of accuracy", right["brighter"] > right["as they are"] - 0.04)
upside = monitor.check_all(numbers(turned))
claim(
    "upside down costs more than 50, and only the confidence moves",
    right["upside down"] < right["as they are"] - 0.5 and all(v.reasons == ("confidence",) for v in upside),
)

# %% [markdown]
# The brighter camera did hardly any harm, and rang every time. Upside down did much, and no statistic of the pictures
# knew of it. An alarm says that something has *changed*. Whether that does harm, only labels tell: draw a random
# sample and have it labelled, before and after. (And if the inputs have changed, going back to the old model does not
# help. It sees them, too.)
#
# ### Fifty errors
#
# A number says how often. What to do next, the errors say themselves, if somebody looks at them. Here are the first 50
# errors of ResNet-20 on the test pictures of CIFAR-10. One person has sorted them into causes; sort them yourself
# before you read on.

# %%
review = {
    "of two near kinds": [21, 43, 63, 95, 135, 155, 225, 244, 263, 275, 349, 383, 393, 449, 455, 485, 585, 615, 655],
    "unusual view": [12, 54, 142, 144, 208, 213, 230, 300, 323, 343, 354, 362, 410, 475],
    "small, hidden or dark": [92, 124, 224, 234, 276, 376, 420, 453, 458, 622],
    "ground of another class": [270, 312, 398, 512],
    "rare kind": [2, 589, 610],
}
order = [number for numbers_of in review.values() for number in numbers_of]
cifar = datasets.cifar10(size=10, test_size=700)
errors, correct = cifar.x_test[order], cifar.y_test[order]
said = broken.answers(models.CifarResNet(20, weights="cifar10"), errors).argmax(1)
plotting.images(
    errors, columns=10, size=0.68, titles=[cifar.class_names[a].replace("automobile", "car") for a in said],
    alt="Fifty small pictures, each with the wrong name that the network gave it.",
)  # fmt: skip

# %%
print({cause: len(numbers_of) for cause, numbers_of in review.items()})
claim("50 pictures were looked at", len(order) == len(set(order)) == 50)
claim("the network is wrong on at least 48 of them here, too", np.mean(said != correct) >= 0.96)
animals = {3, 5}
pair = np.mean([{a, b} == animals for a, b in zip(said, correct)])
measured("share in which a cat and a dog are confused", pair, digits=2)

# %% [markdown]
# More than a third are two near kinds, most of them cats and dogs; more than a quarter an unusual view. That is a
# plan: pictures of cats and dogs in more poses, or larger ones, may mend a third of the errors at best; the whole row
# *rare kind* would mend three. Without the review you would have added layers.
#
# ### Nine symptoms
#
# The table of `reliability.TROUBLESHOOTING` has nine rows. None of them is hearsay: here is a run for each.

# %%
for (project, _), row in zip(broken.ROWS, reliability.TROUBLESHOOTING):
    print(f"{row.symptom:45} {project:22} {row.check.partition(':')[0][:70]}")
claim("each symptom shows in each stored run", all(shows(run) for _, shows in broken.ROWS for run in stored))

# %% [markdown]
# And the flowchart? Tell it all that was seen and all that the checks gave, for each project. (What takes a person, as
# whether labels belong to their pictures, was put in by hand.)

# %%
confirmed = {name: [broken.confirms(run)[name] for run in stored] for name in broken.NAMES}
print({name: sum(each) for name, each in confirmed.items()}, f"of {len(stored)} stored runs")
claim("it confirms the true cause of all eleven, in each stored run", all(map(all, confirmed.values())))
below = reliability.diagnose(train_accuracy=0.99, validation_accuracy=0.6)
claim("validation far below training is no sign of leakage for it", "leakage" not in below.suspected)

# %% [markdown]
# ### Before you begin: six briefs
#
# Most failures were decided before the first line of code: what was held out, what was measured, where the threshold
# lay, what was watched. Here are six projects and what can be chosen.

# %%
for name, brief in reliability.BRIEFS.items():
    print(f"{name}: {brief.story}")
for decision, options in reliability.OPTIONS.items():
    print(f"{decision}: {', '.join(options)}")
objections = reliability.review("defects", split="random", metric="accuracy")
claim("a random split and accuracy break two constraints of the first", len(objections) == 2)
print("; ".join(objection.constraint for objection in objections))

# %% [markdown]
# ### Exercise 15.10 · Six briefs
#
# Decide for each. Make `plans` a dictionary: name of the brief -> a dictionary of its five decisions, such as
# `{"split": "random", "metric": "accuracy", ...}`. `reliability.BRIEFS["medical"]` shows all that is known of one. The
# check names the constraint that a choice breaks. Do one, check it, go on.

# %%
### BEGIN SOLUTION
plans = {
    "defects": {
        "split": "by time", "metric": "expected cost", "threshold": "from cost",
        "architecture": "MobileNetV2", "monitoring": "input drift and labelled sample",
    },
    "medical": {
        "split": "by group", "metric": "specificity at the recall", "threshold": "from recall",
        "architecture": "EfficientNet-Lite0", "monitoring": "input drift and labelled sample",
    },
    "driving": {
        "split": "by group", "metric": "recall at the capacity", "threshold": "from capacity",
        "architecture": "Faster R-CNN", "monitoring": "input drift and labelled sample",
    },
    "documents": {
        "split": "by group", "metric": "whole fields right", "threshold": "from capacity",
        "architecture": "text recogniser", "monitoring": "input drift and labelled sample",
    },
    "remote sensing": {
        "split": "by group", "metric": "mean IoU", "threshold": "from cost",
        "architecture": "U-Net", "monitoring": "input drift and labelled sample",
    },
    "moderation": {
        "split": "by time", "metric": "recall at the capacity", "threshold": "from capacity",
        "architecture": "ResNet-50", "monitoring": "input drift and labelled sample",
    },
}  # fmt: skip
### END SOLUTION

# %%
exercise("15.10").check(plans)

# %% [markdown]
# **So far**: an alarm of a known rate, a random sample with labels, fifty errors looked at, and decisions that follow
# from constraints. None of it is a network, and without it no network is of use for long.
#
# ## Recap
#
# - Climb the ladder from below: data as fed, twenty pictures by heart, curves, predictions, time. Switch steps off.
# - Leakage makes validation better. What is too good is as suspect as what is too bad.
# - One function prepares pictures, in training and in use. Frozen means that nothing moves, statistics included.
# - A confidence is calibrated by one number from validation data, for data like these.
# - A network withstands what it was trained for. Chance is one thing, an adversary another.
# - An alarm says that something has changed; labels say whether it does harm; errors say what to do.
#
# ## Explain it
#
# **Training accuracy 99 %, validation 98 %, in use 60 %. What do you suspect, and what do you look at first?**
#
# <details><summary>Model answer</summary>
#
# Use is worse than validation, so they differ in something. Send one file through both preprocessings and subtract: a
# minute's work. Then look for near-duplicates across the split and split by what is new in use (scene, patient, day).
# Then remove a suspected cue, and measure again. Then compare the statistics of the inputs. Overfitting is no
# suspect as long as validation is as good as training: unless validation is not what it claims to be.
#
# </details>
#
# **Why does the tiny set pass when labels are shuffled, and fail when the rate is too high?**
#
# <details><summary>Model answer</summary>
#
# Twenty pictures with any labels can be learnt by heart: there is something to tell each of them by. Whether labels
# mean something shows only on new pictures. A rate that is too high prevents learning of anything, right or wrong.
#
# </details>
#
# **Your network is calibrated on the test set. May the doctor rely on "97 %" for this one patient?**
#
# <details><summary>Model answer</summary>
#
# Of all answers with 97 %, 97 of 100 were right, on data like the test set. It says nothing about a group of patients
# by itself (compute it for each), nothing about another scanner, and nothing about one patient beyond that share.
#
# </details>
#
# ## What comes next
#
# It works, and you know when to believe it. Now it must be fast enough, and small enough for where it runs.
# [16 Fast enough](../notebooks/16_fast_enough.ipynb) · [Course map](../README.md)
#
# ## References
#
# - I. J. Goodfellow, J. Shlens and C. Szegedy (2015). Explaining and harnessing adversarial examples. *ICLR*.
# - C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017). On calibration of modern neural networks. *ICML*.
# - D. Hendrycks and T. Dietterich (2019). Benchmarking neural network robustness to common corruptions and
#   perturbations. *ICLR*.
# - A. Madry, A. Makelov, L. Schmidt, D. Tsipras and A. Vladu (2018). Towards deep learning models resistant to
#   adversarial attacks. *ICLR*.
# - M. P. Naeini, G. F. Cooper and M. Hauskrecht (2015). Obtaining well calibrated probabilities using Bayesian
#   binning. *AAAI*.
