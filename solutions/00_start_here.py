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
# # 00 · Start here
#
# **How does this course work, and what can a network on your machine already see?**
#
# When you have worked through this page you can
# - run a cell, answer an exercise, ask for a hint and see your progress
# - say in which order and in which range the course keeps the numbers of an image
# - paste a report on your machine into a question or a bug report
#
# **Before this**: a little Python · **Reading** 3 min · **Exercises** 5 min
#
# [Course map](../README.md) · [01 Convolution arithmetic →](../notebooks/01_convolution_arithmetic.ipynb)
#
# To run a cell, click on it and press Shift+Enter. The first cell prints what this page runs on: the version of
# Keras, its **backend**, the library that does the arithmetic (TensorFlow, JAX or PyTorch), a budget that fits your
# machine, and the **seed**, the number that all random numbers follow from.

# %%
from cnnlib import runtime

runtime.setup(lesson="00")

# %%
import numpy as np

from cnnlib import claim, datasets, exercise, plotting, progress
from cnnlib.claims import measured
from cnnlib.models import efficientnet_lite

# %% [markdown]
# ## A network looks at a photograph
#
# EfficientNet-Lite0 comes with the course. It has learnt 1,000 words from the photographs of ImageNet, one for each
# class of things. One line asks it about a photograph.
#
# **Predict**: the photograph is called `coffee`. Which word will it choose?

# %%
coffee = datasets.photograph("coffee")
guesses = efficientnet_lite.classify(coffee, top=3)

plotting.images(coffee, alt="A cup of espresso on a red saucer, with a spoon, on a wooden table.")
for name, probability in guesses:
    measured(name, probability)
claim("its first guess is espresso", guesses[0][0] == "espresso")

# %% [markdown]
# That is how every page reads:
#
# - **Predict** asks you to commit yourself before you run the cell. From lesson 01 on a cell takes your guess, and says
#   how far off it was. A wrong one costs nothing.
# - ✔ marks a **claim**: the cell has checked that sentence here and now, and would have failed if it were false.
# - ≈ marks a measured number. On your machine it may differ a little.
#
# ## What an image is
#
# To a network an image is an array of numbers: at each pixel one for each **channel**, of which a grey picture has
# one and a colour photograph three. Several images that go through a network together are a **batch**. The axes of a
# batch have an order: number of images, height, width, channels, in short **NHWC**. Unless a page says otherwise the
# values are of type float32, from 0 (black) to 1 (white).
#
# Here is one picture of every kind that comes with the course: ten classes of clothes (Fashion-MNIST), ten classes of
# animals and vehicles (CIFAR-10), and ten photographs.

# %%
fashion = datasets.fashion_mnist(size=10)
cifar = datasets.cifar10(size=10)
photographs = datasets.photographs(size=224)

plotting.images(
    [*fashion.x_train, *cifar.x_train, *photographs.values()],
    columns=10,
    alt="Three rows of ten pictures: grey clothes of 28 by 28 pixels, coloured animals and "
    "vehicles of 32 by 32, and sharp photographs: a cat, a cup of coffee, a cameraman, a space "
    "shuttle, a clock blurred by motion, an astronaut, a rocket, coins, a retina, a brick wall.",
)

# %%
clothes, things = fashion.x_train, cifar.x_train
claim("ten grey pictures of 28 by 28 have the shape (10, 28, 28, 1)", clothes.shape == (10, 28, 28, 1))
claim("ten coloured ones of 32 by 32 have (10, 32, 32, 3)", things.shape == (10, 32, 32, 3))
claim("their values lie between 0 and 1", things.min() >= 0 and things.max() <= 1)

# %% [markdown]
# ### Exercise 00.1 · The shape of a batch
#
# You load 32 colour photographs, each 320 pixels wide and 240 pixels high. What is the shape of the batch? Write it as
# the claims above do: ten grey pictures of 28 by 28 pixels are `(10, 28, 28, 1)`.
#
# Replace the `...`, run the cell, then run the check below it. Get it wrong once on purpose, to hear what a check says.
# Stuck? `exercise("00.1").hint()` in a cell of your own (press B for a new one) gives a hint, and a stronger one each
# time. `exercise("00.1").answer()` shows an answer.

# %%
### BEGIN SOLUTION
batch_shape = (32, 240, 320, 3)
### END SOLUTION

# %%
exercise("00.1").check(batch_shape)

# %% [markdown]
# ## Ten photographs, one word
#
# Order is half of a convention. The other half is the range. This network was trained on pixels from 0 to 255, squeezed
# to about −1 … 1 by $(x - 127) / 128$, where $x$ is a pixel's value. Above, `classify` did that for you. Now you do it:
# once with pixels from 0 to 255, and once with pixels from 0 to 1, as the course keeps them.
#
# **Predict**: what happens in the second case? An error, somewhat worse guesses, or something else?

# %%
model = efficientnet_lite.EfficientNetLite0(weights="imagenet")
pixels = np.stack(list(photographs.values()))


def first_words(x):
    logits = model.predict((x - 127.0) / 128.0, batch_size=5, verbose=0)
    guesses = efficientnet_lite.decode_predictions(logits, top=1)
    return [word for [(word, probability)] in guesses]  # one guess for each photograph


up_to_255, up_to_1 = first_words(pixels), first_words(pixels / 255)

# %% [markdown]
# Above each photograph stand two words: the one for pixels from 0 to 255, and below it the one for pixels from 0 to 1.

# %%
plotting.images(
    pixels,
    titles=[f"{one}\n{other}" for one, other in zip(up_to_255, up_to_1)],
    columns=5,
    alt="Ten photographs, each under two words. The upper word differs from photo to photo, such "
    "as espresso for the cup of coffee. The lower word is nematode for all of them.",
)
claim("pixels from 0 to 255: at least nine different words", len(set(up_to_255)) >= 9)
claim("pixels from 0 to 1: all ten photographs are a nematode", set(up_to_1) == {"nematode"})

# %% [markdown]
# A nematode is a worm. No error, no warning: the shape is right and the type is right. But look at what is left of the
# difference between black and white:

# %%
black, white = (np.array([0, 1]) - 127) / 128
claim("black becomes −0.992, white −0.984", np.allclose([black, white], [-0.992, -0.984], atol=5e-4))

# %% [markdown]
# Black and white used to be 1.992 apart, and now are 0.008. Likely all ten are much the same to the network: a black
# rectangle.
#
# The upper words deserve a second look too. Some are wrong, and not by accident: the network cannot say "I do not
# know".

# %%
facts = {name: datasets.photograph_facts(name) for name in photographs}
unknown = [name for name in photographs if not facts[name]["imagenet"]]
claim("for 5 of the 10 photographs it knows no word, and it chooses one all the same", len(unknown) == 5)
unknown

# %% [markdown]
# ### Exercise 00.2 · An image from elsewhere
#
# PyTorch keeps channels first, and files hold whole numbers from 0 to 255. Write `to_convention`, which takes one such
# image and returns it as this course keeps it: height, width, channels, as `float32` with values from 0 to 1.
#
# An image of shape `(3, 2, 4)` whose values are all 255 becomes one of shape `(2, 4, 3)` full of ones. An array that
# does not have three axes is no image: raise a `ValueError`.


# %%
def to_convention(image: np.ndarray) -> np.ndarray:
    """(channels, height, width), whole numbers 0..255 -> (height, width, channels), float32 in [0, 1]."""
    ### BEGIN SOLUTION
    if image.ndim != 3:
        raise ValueError(f"an image has 3 axes, this array has {image.ndim}")
    return np.moveaxis(image, 0, -1).astype("float32") / 255
    ### END SOLUTION


# %%
exercise("00.2").check(to_convention)

# %% [markdown]
# ## A cat in sixteen pieces
#
# One puzzle to take along. Cut a photograph into sixteen tiles and shuffle them.
#
# **Predict**: does the network still find a cat in the pieces of a cat? And coffee in the pieces of a cup of coffee?


# %%
def in_pieces(photo, size=56):
    corners = [(top, left) for top in range(0, 224, size) for left in range(0, 224, size)]
    tiles = [photo[top : top + size, left : left + size] for top, left in corners]
    order = np.random.default_rng(0).permutation(16)
    rows = [np.hstack([tiles[i] for i in order[start : start + 4]]) for start in (0, 4, 8, 12)]
    return np.vstack(rows)


pieces = {name: in_pieces(photographs[name]) for name in ("cat", "coffee")}
plotting.images(pieces, alt="A cat and a cup of coffee, each cut into sixteen square tiles and shuffled.")

# %%
names = datasets.imagenet_classes()


def found(name, image):
    words = [names[number] for number in facts[name]["imagenet"]]  # three kinds of cats, one kind of coffee
    return sum(p for word, p in efficientnet_lite.classify(image) if word in words)


for name in pieces:
    measured(f"{name}: whole", found(name, photographs[name]), digits=2)
    measured(f"{name}: in pieces", found(name, pieces[name]), digits=2)
claim("the pieces of the cat are still a cat, above 0.8", found("cat", pieces["cat"]) > 0.8)
claim("the pieces of the coffee are not: below 0.5", found("coffee", pieces["coffee"]) < 0.5)

# %% [markdown]
# A tile of fur is still fur. A tile of a cup is an edge and some red. That may be the reason, but two photographs, each
# shuffled once, are a puzzle and no answer. How far a single number deep inside a network sees is the subject of lesson
# 02; how to test what a network looks at, that of lesson 10.
#
# ## Your machine, your progress
#
# Something looks odd? In the menu `Kernel`, choose `Restart Kernel and Run All Cells`. If that does not help, paste
# this report into your question. It holds no name and no folder of yours.

# %% tags=["nbval-ignore-output"]
runtime.report()

# %% [markdown]
# Progress is kept in one file on this machine and is sent nowhere. `progress()` shows all lessons.

# %%
progress("00")

# %% [markdown]
# ## Recap
#
# - Shift+Enter runs a cell. **Predict** first, then run.
# - ✔ is a checked claim, ≈ a measured number, `...` an answer of yours that is still to come.
# - Images are NHWC, float32, from 0 to 1, unless a page says otherwise.
# - A wrong range raises no error. It turns every photograph into a nematode.
#
# ## Explain it
#
# **A model does well in the notebook and badly in the product, on the same photographs. What do you check first?**
#
# <details><summary>Model answer</summary>
#
# What the network is fed: the order of axes and of colours, the range and the type of the values, the way the image is
# resized. All of these can be wrong without an error, because the shapes still fit. Take one photograph, save the array
# that enters the network in both places, and compare the two: shape, type, minimum, maximum, then the values. (Lesson
# 14 makes a test of it.)
#
# </details>
#
# **Why does this network answer "lampshade" to the picture of a retina, instead of "unknown"?**
#
# <details><summary>Model answer</summary>
#
# Its last layer divides all probability among 1,000 words, and none of them is "something else". The probabilities sum
# to one whatever it is shown. A small highest probability is a hint, no more: a network can be sure and wrong (lesson
# 15).
#
# </details>
#
# ## What comes next
#
# [01 Convolution arithmetic](../notebooks/01_convolution_arithmetic.ipynb): what one layer of such a network computes,
# by hand and in code, and what it costs.
#
# ## References
#
# - Deng, Dong, Socher, Li, Li, Fei-Fei (2009). *ImageNet: A large-scale hierarchical image database.*
# - Tan, Le (2019). *EfficientNet: Rethinking model scaling for convolutional neural networks.*
# - Brendel, Bethge (2019). *Approximating CNNs with bag-of-local-features models works surprisingly well on ImageNet.*
# - Xiao, Rasul, Vollgraf (2017). *Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms.*
# - Krizhevsky (2009). *Learning multiple layers of features from tiny images.*
