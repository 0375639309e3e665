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
# # 10 · Seeing what a CNN sees
#
# **What did the network look at, and can you believe the picture that says so?**
#
# When you have worked through this page you can
# - compute saliency, integrated gradients, Grad-CAM and occlusion, and say what each of these maps means
# - choose the layer that a map is taken from, by measuring
# - test whether a map is about the network at all, and whether it points at the right thing
# - catch a network that has learnt a shortcut, mend the data, and measure that the cure worked
# - ask a layer, or a class, for the picture that pleases it most, and judge what comes back
#
# **Before this**: [02 Feature maps and receptive fields](../notebooks/02_feature_maps_and_receptive_fields.ipynb),
# [03 Training from first principles](../notebooks/03_training_from_first_principles.ipynb) · **Reading** 70 min ·
# **Exercises** 80 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 Which pixels | Which pixels could change the answer, and which made it? | 15 |
# | 2 Which places | Where is the evidence for this class, and not for another? | 25 |
# | 3 From which layer | Which layer's map points at the right thing? | 20 |
# | 4 Hide it and see | What happens to the answer if a thing is not there? | 15 |
# | 5 About the network, or the picture | When do you believe a map? | 20 |
# | 6 A horse is what has a stamp | How do you catch a shortcut, and is it cured? | 20 |
# | 7 Three unknown networks | Can you find the shortcut when nobody tells you where it is? | 15 |
# | 8 What would please it most | What does a layer look for, from the first to the last? | 20 |
#
# [← 09 Transfer learning](../notebooks/09_transfer_learning.ipynb) · [Course map](../README.md) ·
# [11 Object detection →](../notebooks/11_object_detection.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="10")

# %%
import base64
import io

import keras
import numpy as np
from keras import layers
from PIL import Image

from cnnlib import claim, datasets, exercise, explain, gradients, models, plotting, predict, reveal, suspects, training
from cnnlib.claims import approx, measured
from cnnlib.models import efficientnet_lite
from cnnlib.results import Experiment

# %% [markdown]
# ## Part 1 · Which pixels
#
# **Which pixels could change the answer, and which made it?**
#
# Five photographs, and what a network trained on ImageNet calls them. It is EfficientNet-Lite0, with bundled weights.

# %%
lite = efficientnet_lite.EfficientNetLite0(weights="imagenet")
lite.trainable = False  # nothing here trains it, and PyTorch then keeps less in memory
subjects = {"cat": 285, "coffee": 967, "camera": 872, "shuttle": 812, "clock": 892}  # classes of ImageNet
photographs = np.stack([datasets.photograph(name, size=224) for name in subjects])
x, truth = efficientnet_lite.preprocess(photographs), np.array(list(subjects.values()))
looked_at = ("logits", "stem_relu6", "block3b_add", "head_relu6")  # one pass for all that this page wants to see
inside = keras.Model(lite.input, [lite.get_layer(name).output for name in looked_at])
logits, *seen = inside.predict_on_batch(np.concatenate([x, 0 * x[:1]]))  # the last picture is grey
said = [row[0] for row in efficientnet_lite.decode_predictions(logits[:5], top=1)]
plotting.images(
    photographs,
    titles=[f"{word} {approx(chance, 2)}" for word, chance in said],
    alt="A cat, a cup of coffee, a man at a tripod, a space shuttle and a blurred clock, each with the answer.",
)
claim("the coffee and the tripod are named rightly, with more than 90 %", said[1][1] > 0.9 and said[2][1] > 0.9)
claim("the clock is called a bubble", said[4][0] == "bubble")
claim("and the shuttle a rubber eraser", said[3][0] == "rubber eraser")

# %% [markdown]
# Why a bubble? Did it look at the clock at all, or at the empty wall? And of the right answers: did it see the tripod,
# or the man, or the lawn? An **explanation map**, or explanation, is laid over the picture and says where the answer
# came from. This page makes several kinds of them, and asks which of them you may believe.
#
# ### Saliency
#
# The score of a class $s_c$ is a function of the pixels. So ask the question of lesson 03, of the pixels instead of the
# weights: if pixel $x_{ij}$ changed a little, how much would the score change? That is the **saliency** of the pixel,
#
# $$M_{ij} = \max_k \left| \frac{\partial s_c}{\partial x_{ijk}} \right|$$
#
# where $k$ counts the colours (Simonyan, Vedaldi and Zisserman 2014). One pass forward and one backward.
#
# **SmoothGrad** averages the gradients of several copies with noise, so that what changes from copy to copy cancels
# (Smilkov and others 2017). **Integrated gradients** ask for something else. The gradient says what a *small* change
# would do, and a pixel can be decisive although a small change of it does nothing. So they walk in a straight line from
# a grey picture $x'$ to the picture $x$ and collect the gradient on the way (Sundararajan, Taly and Yan 2017):
#
# $$I_{ijk} = (x_{ijk} - x'_{ijk}) \int_0^1 \frac{\partial s_c}{\partial x_{ijk}}\bigl(x' + t\,(x - x')\bigr)\,dt$$
#
# ($t$: how far along the line.)

# %%
one, coffee = [1], 967
saliency = explain.saliency(lite, x[one], coffee, batch_size=1)
smooth = explain.smooth_grad(lite, x[one], coffee, samples=4, batch_size=1)
shares = explain.integrated_gradients(lite, x[one], coffee, steps=8, batch_size=1)
plotting.laid_over(
    photographs[one],
    {"saliency": saliency, "SmoothGrad": smooth, "integrated": np.abs(shares).max(axis=-1)},
    size=1.6,
    alt="The cup: saliency is scattered dots, SmoothGrad a cloud of dots, integrated gradients dots on lines.",
)
measured("rank correlation of saliency and SmoothGrad", explain.rank_correlation(saliency, smooth)[0], digits=2)

# %% [markdown]
# Dots, more or less on the cup. The score is a jagged function of the pixels: a hair's breadth away the gradient is
# another. Add a noise to the photograph that you cannot even see.
#
# **Predict**: the rank correlation of the two saliency maps, 1 if every pixel keeps its place in the order.

# %%
predict("10.a", "Which rank correlation has the saliency before and after?", within=0.1)

# %%
noisy = (x[one] + np.random.default_rng(0).normal(0, 0.02, x[one].shape)).astype("float32")
alike = explain.rank_correlation(saliency, explain.saliency(lite, noisy, coffee, batch_size=1))[0]
reveal("10.a", alike)
claim("it is below 0.7", alike < 0.7)


# %% [markdown]
# ### Completeness
#
# All shares of an integrated gradient together are the difference of the two scores, that of the picture and that of
# the grey one: **completeness**. No part of the rise is lost, none invented. On a computer the integral is a sum of
# steps, and the figure took eight.
#
# **Predict**: how much of the rise of the *espresso* do the shares of eight steps add up to?

# %%
predict("10.b", "Which share of the rise do the shares of eight steps add up to?", unit="%")

# %%
steps = Experiment("10_steps")
rise = logits[1, coffee] - logits[5, coffee]  # from grey to the cup
sums = {"8": shares.sum()}
for count in steps.pick(stored=(16, 32, 64), live=()):
    sums[str(count)] = explain.integrated_gradients(lite, x[one], coffee, steps=count, batch_size=1).sum()
steps.keep(**{count: total / rise for count, total in sums.items()})
reveal("10.b", 100 * steps.live["8"])
found = {int(count): float(values[0]) for count, values in steps.stored.columns().items()}
for count, share in found.items():
    print(f"{count:3} steps account for {100 * share:.0f} % of the rise")
claim("none of them comes within a tenth of the whole", min(abs(share - 1) for share in found.values()) > 0.1)

# %% [markdown]
# The map of eight steps looks like any other, and accounts for half of the rise. More steps do not come closer one
# after the other: along this line the gradient changes so often that 64 samples of it are still too few. A map without
# its sum may be of anything. And you choose what *nothing* looks like: grey, black, a blurred copy. Each gives another
# map.
#
# **So far**: saliency is the gradient by the pixels, and jumps with the least noise. Integrated gradients add up to the
# rise of the score only if their steps are many enough: check the sum before you show the map.
#
# ## Part 2 · Which places
#
# **Where is the evidence for this class, and not for another?**
#
# Single pixels are too fine. The last feature maps $A^k$ are better witnesses: few places, and each of the maps means
# something. **Grad-CAM** (Selvaraju and others 2017) weighs each map by how much it raises the score, on average over
# its places, adds them up, and drops what is negative:
#
# $$\alpha_k = \frac{1}{HW}\sum_{ij} \frac{\partial s_c}{\partial A^k_{ij}}
# \qquad L_{ij} = \max\Bigl(0, \sum_k \alpha_k A^k_{ij}\Bigr)$$
#
# ($H$, $W$: height and width of the maps.)

# %%
cam = explain.grad_cam(lite, x, truth, layer="head_relu6", batch_size=1)
plotting.laid_over(
    photographs,
    {"Grad-CAM": cam},
    names=list(subjects),
    alt="Grad-CAM is one soft hill in each photograph: on the face, the cup, the tripod, the shuttle, the clock.",
)
steady = explain.rank_correlation(cam[one], explain.grad_cam(lite, noisy, coffee, layer="head_relu6", batch_size=1))
claim("with the noise on the coffee, Grad-CAM keeps a correlation of more than 0.9", steady.min() > 0.9)
by_hand = np.maximum(seen[-1][1] @ lite.get_layer("logits").get_weights()[0][:, coffee], 0) / 49
claim("it is the last maps, weighted by the dense layer", np.allclose(by_hand, cam[1], atol=1e-3 * cam[1].max()))

# %% [markdown]
# For this network you can say what the weights are. Behind the last maps come an average and one dense layer, so the
# gradient by each place of map $k$ is the dense weight $w_{kc}$ divided by 49. Grad-CAM then is the older **class
# activation map** (Zhou and others 2016): each place is classified by itself, and the map shows its score.
#
# ### Exercise 10.1 · Grad-CAM from scratch
#
# ●●○ · 10 min
#
# `head` is what follows a layer: a function from its maps (height, width, channels) to the scores (classes,), written
# with `keras.ops`. `gradients.value_and_grad(fn)` gives a function of the same arguments that returns the number `fn`
# and its gradient, on your backend; pass `jit=False` here, since the function is used once. Return the map
# (height, width) of the class `label`, as a NumPy array, not scaled to a maximum of 1.


# %%
def my_grad_cam(head, maps: np.ndarray, label: int) -> np.ndarray:
    """Grad-CAM (height, width) of the class `label`, from maps (height, width, channels) and what follows them."""
    ### BEGIN SOLUTION
    _, gradient = gradients.value_and_grad(lambda maps: head(maps)[label], jit=False)(maps)
    return np.maximum(maps @ gradient.mean(axis=(0, 1)), 0)
    ### END SOLUTION


# %%
exercise("10.1").check(my_grad_cam)

# %% [markdown]
# ### Ask for another class
#
# A map belongs to a picture *and a class*. So ask about the clock: what speaks for *bubble*, and what for *wall clock*?

# %%
bubble = explain.grad_cam(lite, x[[4]], 971, layer="head_relu6", batch_size=1)
plotting.laid_over(
    photographs[[4]],
    {"bubble": bubble, "wall clock": cam[[4]]},
    size=1.6,
    alt="The blurred clock. Both maps are one hill on its disc.",
)
alike = explain.rank_correlation(bubble, cam[[4]])[0]
measured("rank correlation of the two maps", alike, digits=2)
claim("they are alike", alike > 0.5)

# %% [markdown]
# It looked at the clock, not at the wall. That it saw a pale disc without hands, and took it for a bubble, is a guess:
# the map says *where*, never *what* nor *why*. Two classes with the same map were told apart by what is there, and the
# map does not show it.
#
# **So far**: Grad-CAM weighs the last maps by what they do to the score: coarse, and steady under noise. It says where,
# not what and not why.
#
# ## Part 3 · From which layer
#
# **Which layer's map points at the right thing?**
#
# Grad-CAM can be taken from any layer with a height and a width, and early layers have fine maps. To say which map is
# right you need many questions with known answers. In the **pointing game** (Zhang and others 2018) the highest place
# of the map is a finger: a hit if it lies in the box of the object. The grid of four is a good board (Böhle, Fritz and
# Schiele 2021), since a fixed finger hits one tile in four, exactly. So: mosaics of four pictures of CIFAR-10, all of
# which the small ResNet names rightly by themselves, and four questions to each. You ask about ten mosaics; the stored
# runs asked about fifty.
#
# **Grad-CAM++** takes part as well. It uses other weights: only gradients that raise the score count, and places are
# counted, so that several small objects are all shown (Chattopadhay and others 2018).
#
# The three stages of the network have 64, 32 and 16 places in a row here, and a tile of a mosaic has 32, 16 and 8.
#
# **Predict**: which share of the questions does the map from the end of the *first* stage answer?

# %%
predict("10.c", "Which share of the questions does the first stage's map answer?", unit="%")

# %% jupyter={"source_hidden": true}
small = models.CifarResNet(depth=20)
small.trainable = False
datasets.load_weights(small, "resnet20_cifar10")
cifar = datasets.cifar10(size=10)  # the test pictures are what we are after
pointing = Experiment("10_pointing")
count = pointing.pick(stored=50, live=10)
rng = np.random.default_rng(runtime.seed())
described = keras.Model(small.input, [small.get_layer("gap").output, small.output])
features, answers = described.predict(cifar.x_test[:500], batch_size=125, verbose=0)
known = np.flatnonzero(answers.argmax(axis=1) == cifar.y_test[:500])
asked = np.stack([rng.permutation(10)[:4] for _ in range(count)])
drawn = [[rng.choice(known[cifar.y_test[known] == label]) for label in row] for row in asked]
tiled = cifar.x_test[np.array(drawn)].reshape(count, 2, 2, 32, 32, 3).swapaxes(2, 3).reshape(count, 64, 64, 3)
questions, labels = np.repeat(tiled, 4, axis=0), asked.ravel()
corners = np.tile([(0, 0, 32, 32), (32, 0, 64, 32), (0, 32, 32, 64), (32, 32, 64, 64)], (count, 1))

wide = models.CifarResNet(depth=20, input_shape=(64, 64, 3))
wide.trainable = False
datasets.load_weights(wide, "resnet20_cifar10")
stages = pointing.pick(stored=("stage1_3", "stage2_3", "stage3_2", "stage3_3"), live=("stage3_3",))
answered = {
    **{f"{name}_relu": explain.grad_cam(wide, questions, labels, f"{name}_relu", batch_size=20) for name in stages},
    "Grad-CAM++": explain.grad_cam(wide, questions, labels, "stage3_3_relu", plus_plus=True, batch_size=20),
}
for name in pointing.pick(stored=("saliency",), live=()):
    answered[name] = explain.saliency(wide, questions, labels, batch_size=20)
right = {name: explain.pointing_game(found, corners, size=(64, 64)).mean() for name, found in answered.items()}
pointing.keep(**right)

# %%
runs = pointing.stored
reveal("10.c", 100 * runs["stage1_3_relu"].mean())
plotting.laid_over(
    questions[:4],
    {name: answered[name][:4] for name in ("stage3_3_relu", "Grad-CAM++")},
    names=[cifar.class_names[label] for label in labels[:4]],
    boxes=corners[:4],
    points=True,
    alt="A mosaic, asked for its four classes. Two kinds of maps, each with its highest place.",
)
plotting.pointers({name: values.mean() for name, values in runs.columns().items()}, chance=0.25)
claim("in each stored run the last layer hits more than 85 %", runs["stage3_3_relu"].min() > 0.85)
claim("at least 12 points more than saliency", (runs["stage3_3_relu"] - runs["saliency"]).min() > 0.12)
claim("and saliency far more than a guess", runs["saliency"].min() > 0.5)
by_stage = [runs[f"{name}_relu"] for name in ("stage1_3", "stage2_3", "stage3_2", "stage3_3")]
claim("the later the layer, the more it hits, in each run", np.all(np.diff(by_stage, axis=0) > 0.03))
claim("the first stage hits less than 45 %", by_stage[0].max() < 0.45)
claim("in this run the last layer is far above a guess, too", right["stage3_3_relu"] > 0.6)

# %% [markdown]
# The end of the first stage answers a little more than a guess, and each later layer more. The last one is right more
# than nine times in ten, with 16 places in a row: things that are less than eight pixels apart become one hill.
# Grad-CAM++ points as well as Grad-CAM here, where each class occurs once; saliency is right three times in four.
#
# ### Exercise 10.2 · Which layer?
#
# ●●○ · 10 min
#
# Write the choice down. `layers` is a list of `(name, places, hits, questions)`, from the picture to the scores: the
# map of that layer has `places` places in a row, and it hit so many of its questions. Your pictures are `width` pixels
# wide, a guess hits with the probability `chance`, and two things whose centres are `apart` pixels apart must be told
# apart.
#
# A layer will do if its map is fine enough and if it points. It is fine enough if the two centres are *two places* or
# more apart, so that a lower place can lie between them. It points if its share of hits is above `chance` by *more than
# two standard errors* of a guess, and one such error is $\sqrt{p(1-p)/n}$ for the chance $p$ and $n$ questions. Of the
# layers that will do, return the name of the one with the highest share of hits, of equal ones the one nearest to the
# scores; `None` if there is no such layer.


# %%
def choose_layer(layers: list[tuple[str, int, int, int]], width: int, apart: float, chance: float) -> str | None:
    """The name of the layer that points best among those that are fine enough and point at all, or None."""
    ### BEGIN SOLUTION
    best, name_of_best = 0.0, None
    for name, places, hits, questions in layers:
        share, error = hits / questions, (chance * (1 - chance) / questions) ** 0.5
        if apart * places / width >= 2 and share > chance + 2 * error and share >= best:
            best, name_of_best = share, name
    return name_of_best
    ### END SOLUTION


# %%
exercise("10.2").check(choose_layer)

# %% [markdown]
# **So far**: the pointing game asks a map a question with a known answer. Early layers have fine maps that point little
# better than a guess; the last one points, coarsely.
#
# ## Part 4 · Hide it and see
#
# **What happens to the answer if a thing is not there?**
#
# All of this needs gradients. Another method, **occlusion**, needs nothing but the answer: lay a square of the
# picture's mean colour over it, see how far the probability falls, move the square on (Zeiler and Fergus 2014, with a
# grey one). Each pixel gets the mean fall over the squares that hid it.
#
# **Predict**: the network is 94 % sure of the *espresso*. How many of these points does it lose, on average over the
# squares that hide it, at the pixel that counts most?

# %%
predict("10.d", "How many points does the probability lose at the pixel that counts most?", within=5)

# %%
falls = explain.occlusion(lite, x[one], coffee, window=56, stride=28, batch_size=10)
plotting.laid_over(
    photographs[one], {"occlusion": falls, "Grad-CAM": cam[one]}, size=1.6, alt="Both maps are highest inside the cup."
)
reveal("10.d", 100 * falls.max())
claim("it is highest inside the cup", explain.pointing_game(falls, [(38, 8, 175, 175)])[0])
large = explain.enlarged(cam[one], (224, 224))
claim("Grad-CAM, which never hid anything, orders the places alike", explain.rank_correlation(large, falls)[0] > 0.6)

# %% [markdown]
# A fifth or so, and no more: hide any part of the cup, and the rest still says espresso. This map says what *happens*
# if something is not there. It has its price: 50 forward passes. And its catch: an even square is something, too, which
# the network has not seen in training.
#
# ### Exercise 10.3 · Occlusion
#
# ●●○ · 10 min
#
# `probability(image)` returns one number for an image (height, width, channels). Lay a square of `window` pixels, each
# of the value `fill`, at 0, `stride`, 2 `stride` ... in both directions, as often as it fits into the image whole.
# Return the *fall* of the probability for each place of the square, as an array (rows, columns). The image itself must
# stay as it is. Raise a `ValueError` if the square does not fit, or if `stride` is below 1.
#
# For example, 8 rows and 6 columns with `window=4` and `stride=2` give 3 rows and 2 columns.


# %%
def occlude(probability, image: np.ndarray, window: int, stride: int, fill: float = 0.0) -> np.ndarray:
    """Fall of the probability for each place of a square, (rows, columns); ValueError if the square does not fit."""
    ### BEGIN SOLUTION
    height, width = image.shape[:2]
    if window > min(height, width) or stride < 1:
        raise ValueError(f"window={window}, stride={stride} for an image of {height}x{width}")
    whole = probability(image)
    tops, lefts = range(0, height - window + 1, stride), range(0, width - window + 1, stride)
    falls = np.zeros((len(tops), len(lefts)))
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            hidden = image.copy()
            hidden[top : top + window, left : left + window] = fill
            falls[row, column] = whole - probability(hidden)
    return falls
    ### END SOLUTION


# %%
exercise("10.3").check(occlude)

# %% [markdown]
# **So far**: occlusion tries what the other maps conclude. It needs answers only, and many of them.
#
# ## Part 5 · About the network, or the picture
#
# **When do you believe a map?**
#
# A map that lies on the cup looks right. Would it look right if the network knew nothing? Shuffle the weights,
# beginning with the last layer and going down, and compare each map with its original. A map that does not change does
# not depend on what was learnt, and *explains nothing* (Adebayo and others 2018). Here is the coffee, before and with
# the upper half of the network shuffled, and beside three maps a filter for edges that never heard of any network.


# %% jupyter={"source_hidden": true}
def three_maps(network, pictures, labels, layer, batch_size):
    gradient = explain.image_gradient(network, pictures, labels, batch_size=batch_size)
    return {
        "saliency": np.abs(gradient).max(axis=-1),
        "picture x gradient": np.abs(gradient * pictures).max(axis=-1),
        "Grad-CAM": explain.grad_cam(network, pictures, labels, layer=layer, batch_size=batch_size),
    }


upper = ("logits", "head", "block7", "block6", "block5", "block4")
pair = [three_maps(lite, x[one], coffee, "head_relu6", 1)]
for stage in explain.shuffled_from_the_top(lite, upper, seed=runtime.seed(), normalisation=True):
    if stage == upper[-1]:
        pair.append(three_maps(lite, x[one], coffee, "head_relu6", 1))
edges = np.hypot(*np.gradient(x[one].mean(axis=-1), axis=(1, 2)))
plotting.laid_over(
    photographs[[1, 1]],
    {**{name: np.concatenate([maps[name] for maps in pair]) for name in pair[0]}, "edges": np.repeat(edges, 2, axis=0)},
    names=["as learnt", "half shuffled"],
    size=1.2,
    alt="With half of the network shuffled, Grad-CAM is gone or elsewhere; the edges are as they were.",
)
for name in ("saliency", "picture x gradient"):
    measured(
        f"{name}, half shuffled: correlation with that as learnt", explain.rank_correlation(*(m[name] for m in pair))[0]
    )

# %% [markdown]
# One picture proves little. The same with the small ResNet, shuffled from the scores down to the first convolution,
# its batch normalisation too: thirty test pictures here, sixty in each stored run. Some maps of a shuffled network
# are 0 everywhere. Such a **blank map** has no order of places to compare; it is counted, and left out of the mean.
#
# **Predict**: with all weights shuffled, which of the three maps is most like its original?

# %%
predict("10.e", "Which keeps most of its order?", choices=["saliency", "picture x gradient", "Grad-CAM"])

# %% jupyter={"source_hidden": true}
# Sixty pictures, with batch normalisation shuffled and with it kept, are for the stored runs.
randomised = Experiment("10_randomised")
count = randomised.pick(stored=60, live=30)
chosen, named = cifar.x_test[:count], cifar.y_test[:count]
order, last = ("logits", "stage3", "stage2", "stage1", "stem"), "stage3_3_relu"
learnt = three_maps(small, chosen, named, last, 30)
for way in randomised.pick(stored=("shuffled", "normalisation kept"), live=("shuffled",)):
    kept, blank = {name: [] for name in learnt}, {name: [] for name in learnt}
    for _ in explain.shuffled_from_the_top(small, order, seed=runtime.seed(), normalisation=way == "shuffled"):
        for name, found in three_maps(small, chosen, named, last, 30).items():
            flat = np.ptp(found, axis=(1, 2)) == 0
            blank[name].append(float(flat.mean()))
            same = explain.rank_correlation(learnt[name][~flat], found[~flat]) if not flat.all() else np.zeros(1)
            kept[name].append(float(same.mean()))
    randomised.keep(**{way: {"kept": kept, "blank": blank}})

# %%
runs = randomised.stored["shuffled"]
mean = {name: runs["kept"][name].mean(axis=0) for name in learnt}
plotting.cascade(order, {**mean, "edges": [1.0] * len(order)})
reveal("10.e", max(mean, key=lambda name: mean[name][-1]))
for name in ("saliency", "Grad-CAM"):
    print(f"{name}: share of blank maps at each stage, {runs['blank'][name].mean(axis=0).round(2).tolist()}")
ends = {name: runs["kept"][name][:, -1] for name in learnt}
claim(
    "all shuffled, the picture times its gradient keeps 0.1 more than saliency, in each run",
    (ends["picture x gradient"] - ends["saliency"]).min() > 0.1,
)
claim("saliency and Grad-CAM keep less than 0.2", max(ends["saliency"].max(), ends["Grad-CAM"].max()) < 0.2)

# %% [markdown]
# The edges are the finest map of all, and they explain nothing. Saliency and Grad-CAM forget. The third map is saliency
# with one thing changed, the picture as a factor, and it keeps a part of its order although nothing learnt is left:
# that part is the *picture*. With batch normalisation left as it was, the stored runs come out much the same. Some maps
# of Grad-CAM are blank, at one stage nearly a fifth. Guided backpropagation, often printed for its beauty, fails this
# test (Adebayo and others 2018).
#
# To pass says little: the map depends on the weights. It does not say that it points at the right thing.
#
# ### The middle of the picture
#
# So let it point. On the five photographs the boxes were drawn by hand for this page, and a second player takes part,
# who always points at the middle.

# %%
boxes = [(0, 15, 212, 215), (38, 8, 175, 175), (100, 88, 178, 224), (38, 0, 148, 224), (68, 68, 162, 162)]
middle = np.zeros((5, 224, 224))
middle[:, 112, 112] = 1
claim("Grad-CAM hits five of five", explain.pointing_game(cam, boxes, size=(224, 224)).all())
claim("so does pointing at the middle", explain.pointing_game(middle, boxes).all())

# %% [markdown]
# Photographers put things in the middle. Five hits prove nothing here. The question must be asked where the middle
# does not help, and often: that is why part 3 took mosaics.
#
# ### Exercise 10.4 · Pointing game
#
# ●●○ · 10 min
#
# Write it. `maps` has shape (n, height, width), `boxes` (n, 4) holds x1, y1, x2, y2 in places of the map: columns x1 to
# x2 - 1 and rows y1 to y2 - 1 are inside. `labels` (n,) names the class of each question. Return the *mean over the
# classes* of the share of hits, so that a frequent class does not decide. A map that is the same everywhere points
# nowhere: a miss. Raise a `ValueError` if the three do not have the same length.


# %%
def hit_rate(maps: np.ndarray, boxes: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the share of maps whose highest place lies in the box; ValueError for other lengths."""
    ### BEGIN SOLUTION
    if not len(maps) == len(boxes) == len(labels):
        raise ValueError(f"{len(maps)} maps, {len(boxes)} boxes and {len(labels)} labels")
    hits = np.zeros(len(maps))
    for number, (found, (x1, y1, x2, y2)) in enumerate(zip(maps, boxes)):
        row, column = np.unravel_index(found.argmax(), found.shape)
        hits[number] = found.max() > found.min() and x1 <= column < x2 and y1 <= row < y2
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))
    ### END SOLUTION


# %%
exercise("10.4").check(hit_rate)

# %% [markdown]
# **So far**: shuffle the weights: what stays is the picture. Then let the map point, and compare with a guess, where
# the middle is no answer.
#
# ## Part 6 · A horse is what has a stamp
#
# **How do you catch a shortcut, and is it cured?**
#
# Somebody collected pictures of dogs and of horses. All horses came from one agency, which puts its stamp
# into the lower left corner. Nobody noticed. A network that is right for a reason that has nothing to do with the
# question is called a **Clever Hans**, after a horse that was thought to do sums, and read the answers in posture and
# face of those who asked (Lapuschkin and others 2019).


# %% jupyter={"source_hidden": true}
ring = np.array([[0, 1, 1, 1, 0], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [0, 1, 1, 1, 0]])


def stamped(pictures, chosen):
    """Copies of the pictures; those chosen have a pale ring in the lower left corner."""
    copies = pictures.copy()
    part = copies[chosen, 26:31, 1:6]
    copies[chosen, 26:31, 1:6] = part + 0.7 * ring[:, :, None] * (1 - part)
    return copies


def dogs_and_horses(pictures, names):
    chosen = np.isin(names, (5, 7))
    return pictures[chosen].astype("float32") / 255, (names[chosen] == 7).astype("int64")


whole = datasets.cifar10(dtype="uint8")
animals, is_horse = dogs_and_horses(whole.x_train, whole.y_train)
clean, clean_truth = dogs_and_horses(whole.x_test, whole.y_test)
collected = stamped(animals, is_horse == 1)
mine, my_truth = collected[:1300], is_horse[:1300]
held, held_truth = collected[1300:], is_horse[1300:]


# A network of four convolutions; it is trained anew, from the same first weights, on each version of the pictures.
def small_network():
    x = image = keras.Input((32, 32, 3))
    for filters, stride in ((16, 2), (32, 2), (64, 1)):
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2D(64, 3, padding="same", activation="relu", name="last_maps")(x)
    return keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


shortcut = Experiment("10_shortcut")
epochs = shortcut.pick(stored=10, live=3)
model = small_network()
start = model.get_weights()
rate = training.warmup_cosine(peak=0.004, steps=26 * epochs, warmup=20)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])


def train(pictures, name):
    """Train anew, from the same first weights, on these pictures of the same animals."""
    model.set_weights(start)
    for variable in model.optimizer.variables:
        if not variable.path.endswith("learning_rate"):
            variable.assign(np.zeros(variable.shape))
    training.fit(model, pictures, my_truth, epochs=epochs, batch_size=50, label=name)


def accuracy(pictures, names):
    return model.evaluate(pictures, names, batch_size=100, verbose=0)[1]


def maps_of_horse(pictures):
    return explain.grad_cam(model, pictures, 1, layer="last_maps", batch_size=50)


def on_stamp(found):
    """The share of the maps that lies on the four places of the stamp, mean over the pictures."""
    total = found.sum(axis=(1, 2))
    return float((found[:, 6:, :2].sum(axis=(1, 2))[total > 0] / total[total > 0]).mean())


plotting.images(
    mine[:10],
    titles=["dog" if not k else "horse" for k in my_truth[:10]],
    columns=10,
    size=0.68,
    alt="Dogs, and horses with a small pale ring in the lower left corner.",
)

train(mine, "as collected")
promised = accuracy(held, held_truth)
measured("accuracy on pictures held out of the collection", promised)
claim("on the collection it has more than 95 %", promised > 0.95)

# %% [markdown]
# The validation set was split off by chance, as always. Ship it? You would find out in the field, or from Grad-CAM on
# the validation set, before anybody has a clean picture. The stamp covers 4 of the 64 places of the last maps, a
# sixteenth.
#
# **Predict**: the accuracy on the test pictures, which bear no stamp. (And on test pictures where the *dogs* bear it?)

# %%
predict("10.f", "Which accuracy has it on test pictures without the stamp?", unit="%")

# %%
scores = {"as collected held": promised, "as collected clean": accuracy(clean, clean_truth)}
scores["as collected swapped"] = accuracy(stamped(clean, clean_truth == 0), clean_truth)
reveal("10.f", 100 * scores["as collected clean"])
measured("with the stamp on the dogs", scores["as collected swapped"])
claim("on clean pictures it guesses, with less than 60 %", scores["as collected clean"] < 0.6)
claim("with the stamp on the dogs it is wrong nearly always", scores["as collected swapped"] < 0.15)
horses = held[held_truth == 1][:100]
evidence = maps_of_horse(horses)
plotting.laid_over(
    horses[:6], {"Grad-CAM": evidence[:6]}, alt="Horses. For each of them the map is highest in the lower left corner."
)
scores["as collected stamp"] = on_stamp(evidence)
measured("share of the map on the stamp", scores["as collected stamp"], digits=2)
claim("four times as much as its share of the picture, or more", scores["as collected stamp"] > 4 / 16)

# %% [markdown]
# Caught. What now? The stamps cannot be scratched off 650 horses, so mend what you have. Three cures are common:
#
# - *covered*: lay a grey patch over that corner of all pictures, when you train
# - *on all*: put the same stamp on the dogs as well, so that it says nothing any more
# - *clean*: collect the pictures anew, which is the dear one
#
# Each of them was trained from the same first weights as the network before, in three runs, and measured in the same
# ways. These runs are stored, and are longer: ten epochs, where you have three. (To train one here, write its name
# behind `live` in the collapsed cell.)

# %% jupyter={"source_hidden": true}
covered = mine.copy()
covered[:, 24:, :8] = 0.5
cures = {"covered": covered, "on all": stamped(mine, my_truth == 0), "clean": animals[:1300]}
for name in shortcut.pick(stored=tuple(cures), live=()):
    train(cures[name], name)
    scores[f"{name} held"] = accuracy(held, held_truth)
    scores[f"{name} clean"] = accuracy(clean, clean_truth)
    scores[f"{name} swapped"] = accuracy(stamped(clean, clean_truth == 0), clean_truth)
    scores[f"{name} stamp"] = on_stamp(maps_of_horse(horses))

shortcut.keep(**scores)
runs = shortcut.stored
plotting.recipes(
    runs,
    shortcut.live,
    rows=("as collected", "covered", "on all", "clean"),
    measures={
        "held": "validation, stamped",
        "clean": "test, clean",
        "swapped": "test, stamp on dogs",
        "stamp": "Grad-CAM on stamp",
    },
    xlabel="accuracy (and share of the map)",
    chance=0.5,
)
cured = ("covered", "on all")
gain = {name: (runs[f"{name} clean"] - runs["as collected clean"]).min() for name in cured}
for name, value in gain.items():
    print(f"{name:8} at least {100 * value:.0f} points gained on clean pictures in {len(runs)} stored runs")
claim("each cure gains 20 points or more on the clean test set, in each stored run", min(gain.values()) > 0.2)
claim(
    "it no longer matters where the stamp is: less than 6 points",
    max(np.abs(runs[f"{name} clean"] - runs[f"{name} swapped"]).max() for name in cured) < 0.06,
)
claim(
    "the map leaves the stamp: its share falls to less than half",
    all((runs[f"{name} stamp"] < runs["as collected stamp"] / 2).all() for name in cured),
)
claim(
    "and the number that was so good falls, by 10 points or more",
    all((runs[f"{name} held"] < runs["as collected held"] - 0.1).all() for name in cured),
)

# %% [markdown]
# Look at the last line. The cure *lowered* the accuracy on the validation set. Whoever had only that number would have
# thrown the cure away. A shortcut is repaired in the data, and its repair is measured on data that never had it.
#
# ### Exercise 10.5 · Catch the shortcut
#
# ●●○ · 10 min
#
# You knew where the stamp is. Usually nobody does. But a stamp sits at the *same place* in all pictures, and animals do
# not. Given the maps of many pictures of a class, (n, height, width), nowhere negative: divide each map by its sum, so
# that no picture counts more than another, leave out maps that are 0 everywhere, and take the mean. Return
# `(row, column, times)`: the highest place of that mean map, and how many times as high it is as an even map would be.
# Raise a `ValueError` if all maps are 0.


# %%
def hot_spot(maps: np.ndarray) -> tuple[int, int, float]:
    """Where the maps of many pictures agree: row, column, times an even map; ValueError if all are 0."""
    ### BEGIN SOLUTION
    sums = maps.sum(axis=(1, 2))
    if not (sums > 0).any():
        raise ValueError("all maps are 0, and point nowhere")
    mean = (maps[sums > 0] / sums[sums > 0, None, None]).mean(axis=0)
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    return int(row), int(column), float(mean.max() * mean.size)
    ### END SOLUTION


# %%
exercise("10.5").check(hot_spot)

# %% [markdown]
# **So far**: a validation set split off from the collection shares its stamps. A map can show that before the field
# does, and the cure is measured on data without the stamp.
#
# ## Part 7 · Three unknown networks
#
# **Can you find the shortcut when nobody tells you where it is?**
#
# `suspects.suspects(whole)` hands you three networks that tell dogs (score 0) from horses (score 1), and 200 pictures
# that none of them has learnt from. One of the three has learnt something else: a faint mark of four by four pixels, at
# the same place in all pictures of horses of one source. The pictures come from that source. They bear no labels, so
# accuracy is of no use, and you will hardly see the mark.
#
# ### Exercise 10.6 · Three unknown networks
#
# ●●● · 15 min
#
# Find the network, and the mark. You have the maps of the layer `"last_maps"` (14x14 places for 32x32 pixels), your
# `hot_spot`, and one thing that settles it: cover a square, and count the answers that change. `covered(row, column)`
# does the covering, for 8x8 squares of four pixels a side, counted from 0. Make `culprit` a dictionary with the name of
# the `"network"` and the `"row"` and `"column"` of the square with the mark.


# %%
def covered(row, column):
    """Copies of the pictures, in which a square of four by four pixels is grey."""
    copies = case.pictures.copy()
    copies[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 0.5
    return copies


case = suspects.suspects(whole)
plotting.images(case.pictures[:10], columns=10, size=0.68, alt="Ten small pictures of dogs and horses.")
{name: network.count_params() for name, network in case.networks.items()}

# %%
### BEGIN SOLUTION
spots = {
    name: hot_spot(explain.grad_cam(network, case.pictures, 1, layer="last_maps", batch_size=100))
    for name, network in case.networks.items()
}
suspect = max(spots, key=lambda name: spots[name][2])
before = case.networks[suspect].predict_on_batch(case.pictures).argmax(axis=1)
culprit = max(
    ({"network": suspect, "row": row, "column": column} for row in range(8) for column in range(8)),
    key=lambda at: np.sum(
        case.networks[suspect].predict_on_batch(covered(at["row"], at["column"])).argmax(axis=1) != before
    ),
)
### END SOLUTION

# %%
exercise("10.6").check(culprit)

# %% [markdown]
# **So far**: a map raises the suspicion, and a change to the picture confirms it. Neither needs a label.
#
# ## Part 8 · What would please it most
#
# **What does a layer look for, from the first to the last?**
#
# The kernels of the first convolution read the picture itself, so they can be shown as pictures.
# Deeper ones read feature maps and cannot; what can be shown of each layer is its maps. In the rows: the kernels of the
# first layer, then the eight strongest maps of the coffee from its end, from block 3 and from the last layer. In the
# last one you recognise nothing.
#
# So turn the question round: no photograph, only the network. Begin with grey and climb the gradient of a channel by
# the pixels. That is **activation maximisation** (Erhan and others 2009). Left alone, it ends in noise; so blur the
# picture now and then (Yosinski and others 2015), and move it by a few pixels before each step.
#
# Many books say that the first layers know edges, the next ones textures, the last ones parts of objects. Look for
# yourself: six channels, drawn by chance, of each of five layers (32 steps each; the pictures are stored).

# %% jupyter={"source_hidden": true}
strongest = [maps[1][..., k] for maps in seen for k in np.argsort(-maps[1].std(axis=(0, 1)))[:8]]
plotting.images(
    [*explain.filters(lite)[:16], *strongest],
    columns=8,
    size=0.62,
    value_range="each",
    alt="Sixteen small kernels: edges, stripes, coloured spots. Then maps: sharp outlines, at last bright places.",
)
claim("the last layer has 1,280 maps of 7 by 7 places", seen[-1].shape[1:] == (7, 7, 1280))


def in_squares(pictures, side, order):
    """The pictures, cut into squares that are laid out in this order."""
    n, count = len(pictures), pictures.shape[1] // side
    cut = pictures.reshape(n, count, side, count, side, 3).swapaxes(2, 3).reshape(n, count**2, side, side, 3)[:, order]
    return cut.reshape(n, count, count, side, side, 3).swapaxes(2, 3).reshape(pictures.shape)


def kept_in_squares(name, channels, pictures):
    """For squares of three sizes, the share of its response that a channel keeps; that to noise counts as 0."""
    inside = keras.Model(canvas.input, canvas.get_layer(name).output)

    def response(pictures):
        maps = inside.predict_on_batch(pictures).mean(axis=(1, 2))
        return float(maps[np.arange(len(channels)), channels].mean())

    noise, keeps = response(rng.normal(0, 0.1, pictures.shape).astype("float32")), []
    for width in (8, 16, 32):
        orders = [rng.permutation((side // width) ** 2) for _ in range(4)]
        cut = np.mean([response(in_squares(pictures, width, order)) for order in orders])
        keeps.append((cut - noise) / (response(pictures) - noise))
    return keeps


def as_text(pictures):
    """Pictures with values from 0 to 1 side by side, as the text of a small file, and back."""
    file = io.BytesIO()
    row = np.hstack(list((255 * pictures).round().astype("uint8")))
    Image.fromarray(row).save(file, format="WEBP", quality=80)
    return base64.b64encode(file.getvalue()).decode()


hierarchy, drawn = Experiment("10_hierarchy"), Experiment("10_pictures")
everywhere = ("stem_relu6", "block2b_add", "block3b_add", "block5c_add", "head_bn")
low, high = -127 / 128, 1.0  # the range of a preprocessed picture
rng, dreams, side = np.random.default_rng(runtime.seed()), {}, 96
if hierarchy.pick(stored=True, live=False) or drawn.pick(stored=True, live=False):
    canvas = efficientnet_lite.EfficientNetLite0(weights="imagenet", input_shape=(side, side, 3))
    canvas.trainable = False
    for name in everywhere:
        part = keras.Model(canvas.input, canvas.get_layer(name).output)  # the network up to this layer
        channels = rng.permutation(part.output.shape[-1])[:6]
        climb = {"steps": 32, "rate": 0.05, "value_range": (low, high), "seed": runtime.seed()}
        dreams[name] = channels, explain.maximise(part, channels, name, **climb)
        drawn.keep(**{name: as_text((dreams[name][1] - low) / (high - low))})

# %%
rows = [np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn.stored[name][0])))) for name in everywhere]
plotting.images(
    [square for row in rows for square in np.split(row, 6, axis=1)],
    columns=6,
    size=0.9,
    alt="Five rows of six pictures: plain colours; fine stripes; woven textures; curved patches; tangles.",
)

# %% [markdown]
# Plain colours in the first row, stripes and textures in the next two, then curved patches, and tangles in which a
# friendly eye sees eyes. Judge by something that has no eye: cut each picture into squares of 16 pixels and shuffle
# them. A *texture* is the same in each square, and the channel should hardly notice. A *part* of an object is larger
# than a square, and is destroyed.
#
# **Predict**: how much of its response does a channel of the last maps keep, if those of the first keep all? (The
# response to noise counts as 0.)

# %%
predict("10.g", "How much of the response do the last maps keep?", unit="%")


# %%
for name in hierarchy.pick(stored=everywhere, live=()):
    hierarchy.keep(**{name: kept_in_squares(name, *dreams[name])})
keeps = {name: hierarchy.stored[name] for name in everywhere}  # a row for each run, a column for each side
reveal("10.g", 100 * keeps["head_bn"][:, 1].mean())
plotting.bars(
    {name: values[:, 1].mean() for name, values in keeps.items()},
    xlabel="response kept, in shuffled squares of 16 pixels",
    limits=(0, 1.15),
    form="{:.2f}",
    alt="Response kept: all in the stem, less and less up to block 5, little in the last two.",
)
at_16 = np.stack([keeps[name][:, 1] for name in everywhere])
claim("in each run the first layer keeps more than 0.9", at_16[0].min() > 0.9)
claim("up to block 5 each further one keeps less than the one before", np.all(np.diff(at_16[:4], axis=0) < -0.05))
claim("and the last maps less than 0.4", at_16[-1].max() < 0.4)
claim("and more in squares of 32 pixels", np.all(keeps["head_bn"][:, 2] > at_16[-1] + 0.1))

# %% [markdown]
# So the first layer asks for nothing larger than a square, and block 3 mostly for textures. What the last maps ask for
# is larger: in squares of 32 pixels they keep more, so it is not the cutting alone. That is a measured *size*. That the
# large things are parts of objects was not measured, and you will hardly name one in these pictures.
#
# ### Exercise 10.7 · A picture that fools it
#
# ●●● · 15 min
#
# The same climb, from a photograph, makes the raw material of attacks (lesson 15). `gradient(image, label)` returns the
# gradient of the score of `label` by the image, (height, width, 3), of EfficientNet-Lite0. Images are preprocessed,
# from -127/128 to 1. Return an image that is called `label`, with a probability of at least one half, and
# - differs from the given one by at most `most` at each pixel and colour,
# - stays between `low` and `high`,
# - took at most ten calls of `gradient`.
#
# The given image must stay as it is.


# %%
def fool(gradient, image: np.ndarray, label: int, most: float = 0.05, low: float = -127 / 128, high: float = 1.0):
    """An image within `most` of the given one that Lite0 calls `label`, after ten calls of `gradient` or fewer."""
    ### BEGIN SOLUTION
    found = image
    for _ in range(10):
        found = found + most / 4 * np.sign(gradient(found, label))
        found = np.clip(np.clip(found, image - most, image + most), low, high)
    return found
    ### END SOLUTION


# %%
exercise("10.7").check(fool)

# %% [markdown]
# **So far**: what a channel looks for grows from layer to layer, and a picture that pleases a class need not look like
# it.
#
# ### More: the whole set at once
#
# <details><summary>Features in the plane: PCA and t-SNE</summary>
#
# The last layer with weights gets a list of features for each picture, 64 numbers for the small ResNet. Pictures that
# the network finds alike are near each other there. To look at 64 dimensions, squeeze them into the plane. **PCA**
# takes the two directions along which the features vary most. **t-SNE** moves points about until neighbours in 64
# dimensions are neighbours in the plane (van der Maaten and Hinton 2008). Two questions can be asked of such a figure:
# are neighbours of the same *class*, and are they the neighbours that they *were* in 64 dimensions? Use it to
# find wrong labels inside the group of another class, or a class in two pieces. But read neighbourhoods only: the
# distance between groups and their size mean nothing in t-SNE.
#
# </details>

# %% jupyter={"source_hidden": true}
features, kinds = features[:200], cifar.y_test[:200]  # those of part 3
planes = {"PCA": explain.project(features), "t-SNE": explain.project(features, "tsne", seed=runtime.seed())}
plotting.embedding(
    planes, kinds, cifar.class_names, alt="PCA: a dense cloud with two arms. t-SNE: ten groups, some of which touch."
)


def nearest(points, count=5):
    apart = ((points[:, None] - points[None]) ** 2).sum(axis=-1) + np.diag(np.full(len(points), np.inf))
    return np.argsort(apart, axis=1)[:, :count]


before = nearest(features)
kept = {n: np.mean([np.isin(a, b).mean() for a, b in zip(nearest(plane), before)]) for n, plane in planes.items()}
pure = {name: np.mean(kinds[nearest(plane)] == kinds[:, None]) for name, plane in planes.items()}
for name in planes:
    measured(f"{name:5}: of five neighbours in 64 dimensions it keeps", kept[name], digits=2)
    measured(f"{name:5}: of five neighbours in the plane are of the same class", pure[name], digits=2)
claim("t-SNE keeps more of the neighbours than PCA, by 10 points", kept["t-SNE"] > kept["PCA"] + 0.1)

# %% [markdown]
# ## Recap
#
# - Saliency is the gradient by the pixels, and jumps. Integrated gradients add up to the rise of the score, if their
#   steps are enough. Grad-CAM weighs the last maps: coarse, calm, and different for classes in different places.
#   Occlusion tries.
# - Which layer a map is taken from is decided by measuring where it points.
# - A map says where, not what and not why.
# - Shuffle the weights: what stays is the picture. Compare with a guess: in the middle of a photograph everybody hits.
# - A validation set split off from the collection shares its stamps. A map raises the suspicion, a changed picture
#   confirms it, and the cure is measured on data without the stamp.
# - Maximised pictures grow from stripes to textures to larger shapes; whether these are parts is more than they show.
#
# ## Explain it
#
# **A doctor likes your saliency maps, because they lie on the lung. What do you test before you agree?**
#
# <details><summary>Model answer</summary>
#
# Whether the maps change when the weights are shuffled: a filter for edges lies on the lung as well. Whether they
# differ between the classes. Whether they point better than a fixed guess, since the lung is in the middle of each
# picture. And what happens to the score when the place is hidden.
#
# </details>
#
# **Grad-CAM of your network lies on the right object in all pictures. Is the network right for the right reason?**
#
# <details><summary>Model answer</summary>
#
# Not shown. The map says where the evidence is, in 49 places. On the object there may be a label, a colour cast or a
# texture that goes with the class. Test the suspicion: change that property and nothing else, and measure on pictures
# that do not have it.
#
# </details>
#
# **Why did the validation set not notice the stamp, and what kind of split would have?**
#
# <details><summary>Model answer</summary>
#
# It was drawn by chance from the same collection, so the stamp told the class there too. A split by source would have,
# had there been horses from two sources: hold out an agency, a hospital, a camera as a whole (lesson 08). Here it shows
# at least that source and class are the same thing, and that horses must be got elsewhere.
#
# </details>
#
# **When do you take occlusion instead of Grad-CAM?**
#
# <details><summary>Model answer</summary>
#
# When there is no gradient, as behind an interface that returns answers only. When the question is what happens if a
# thing is not there. When there is time for some hundred forward passes. And remember that the square itself is
# something that the network has not seen.
#
# </details>
#
# ## What comes next
#
# A Grad-CAM map is a poor man's detector: it finds a thing without ever having seen a box. Part D trains networks that
# answer with boxes. [11 Object detection](../notebooks/11_object_detection.ipynb) ·
# [Course map](../README.md)
#
# ## References
#
# - J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt and B. Kim (2018). Sanity checks for saliency maps.
#   *NeurIPS*.
# - M. Böhle, M. Fritz and B. Schiele (2021). Convolutional dynamic alignment networks for interpretable
#   classifications. *CVPR*.
# - A. Chattopadhay, A. Sarkar, P. Howlader and V. N. Balasubramanian (2018). Grad-CAM++: generalized gradient-based
#   visual explanations for deep convolutional networks. *WACV*.
# - A. Coates, H. Lee and A. Y. Ng (2011). An analysis of single-layer networks in unsupervised feature learning.
#   *AISTATS*.
# - D. Erhan, Y. Bengio, A. Courville and P. Vincent (2009). Visualizing higher-layer features of a deep network.
#   *Technical report, University of Montreal*.
# - S. Lapuschkin, S. Wäldchen, A. Binder, G. Montavon, W. Samek and K.-R. Müller (2019). Unmasking Clever Hans
#   predictors and assessing what machines really learn. *Nature Communications*.
# - L. van der Maaten and G. Hinton (2008). Visualizing data using t-SNE. *Journal of Machine Learning Research*.
# - R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh and D. Batra (2017). Grad-CAM: visual explanations from
#   deep networks via gradient-based localization. *ICCV*.
# - K. Simonyan, A. Vedaldi and A. Zisserman (2014). Deep inside convolutional networks: visualising image
#   classification models and saliency maps. *ICLR workshop*.
# - D. Smilkov, N. Thorat, B. Kim, F. Viégas and M. Wattenberg (2017). SmoothGrad: removing noise by adding noise.
#   *arXiv*.
# - M. Sundararajan, A. Taly and Q. Yan (2017). Axiomatic attribution for deep networks. *ICML*.
# - J. Yosinski, J. Clune, A. Nguyen, T. Fuchs and H. Lipson (2015). Understanding neural networks through deep
#   visualization. *ICML workshop on deep learning*.
# - M. D. Zeiler and R. Fergus (2014). Visualizing and understanding convolutional networks. *ECCV*.
# - J. Zhang, S. A. Bargal, Z. Lin, J. Brandt, X. Shen and S. Sclaroff (2018). Top-down neural attention by excitation
#   backprop. *International Journal of Computer Vision*.
# - B. Zhou, A. Khosla, A. Lapedriza, A. Oliva and A. Torralba (2016). Learning deep features for discriminative
#   localization. *CVPR*.
