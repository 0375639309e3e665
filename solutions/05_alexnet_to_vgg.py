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
# # 05 · From AlexNet to VGG
#
# **What made networks deep, and what does depth cost?**
#
# When you have worked through this page you can
# - say which four ideas carried AlexNet, and what became of each
# - read a VGG from one line of a table, build it, and count its parameters block by block
# - replace a large kernel by small ones where that pays, and say what the extra ReLU buys
# - tell where a network keeps its weights, its memory and its work: three different places
# - judge dropout and augmentation by their curves, and know when it is too early to judge
#
# **Before this**: [04 LeNet-5](../notebooks/04_lenet.ipynb) · **Reading** 40 min · **Exercises** 50 min
#
# [← 04 LeNet-5](../notebooks/04_lenet.ipynb) · [Course map](../README.md) ·
# [06 Batch normalisation and ResNet →](../notebooks/06_batch_norm_and_resnet.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="05")

# %%
import gc

import keras
import numpy as np
from keras import layers

from cnnlib import arithmetic, claim, datasets, exercise, plotting, reference, training
from cnnlib.claims import approx, measured
from cnnlib.models import alexnet, common, vgg
from cnnlib.results import Experiment
from cnnlib.trace import trace

# %% [markdown]
# ## Six years of one contest
#
# ImageNet's contest gives a program 1.2 million photographs to learn from, each with one of 1,000 labels. Then the
# program names five labels for each of at least 100,000 new ones. The **top-5 error** is the share of photographs whose
# true label is not among the five that were named. In 2010 and 2011 the winners described images by **features**,
# numbers computed from the pixels by rules that people had designed, and one layer learned: a linear classifier on top.
#
# **Predict**: LeNet-5 had 5 layers with weights in 1998. How many had the winners of 2012 and of 2015?

# %%
contest = {
    "2010 NEC-UIUC": (28.2, 1),
    "2011 XRCE": (25.8, 1),
    "2012 AlexNet": (16.4, 8),
    "2013 Clarifai": (11.7, 8),
    "2014 VGG": (7.3, 19),
    "2014 GoogLeNet": (6.7, 22),
    "2015 ResNet": (3.57, 152),
}
plotting.bar_panels(
    contest,
    {"top-5 error on the test set, in %": "{:.3g}", "layers that learn": "{}"},
    alt="Top-5 error and depth of entries to the ImageNet contest. 28.2 and 25.8 percent with one layer that learns, "
    "then AlexNet 16.4 with 8 layers, Clarifai 11.7 with 8, VGG 7.3 with 19, GoogLeNet 6.7 with 22 and ResNet 3.57 "
    "with 152.",
    marked=("2010 NEC-UIUC", "2011 XRCE"),
)

# %%
errors, depths = zip(*contest.values())
claim("2012: the error falls from 26 % to 16 %", (round(errors[1]), round(errors[2])) == (26, 16))
claim("no entry here is shallower than the one above it", list(depths) == sorted(depths))
claim("and in three years the rest of the error fell to less than a quarter", errors[-1] < errors[2] / 4)

# %% [markdown]
# The errors are those of Russakovsky et al. (2015) and, for 2015, of He et al. (2016). Most entries average several
# networks. The depth is that of the deepest one, as its authors count, poolings left out. This page goes from 8 to
# 19. What it took to go from 22 to 152 is the subject of lesson 06.
#
# ## AlexNet: what was new in 2012
#
# Five convolutions, three dense layers. It is LeNet's plan, a thousand times larger.
#
# **Predict**: which three of the eight layers hold 96 % of the weights?

# %%
with common.without_drawing():  # we count weights here and do not need random ones
    alex = trace(alexnet.AlexNet(variant="2012"))
alex.only("Conv2D", "MaxPooling2D", "Dense")

# %%
dense = sum(row.parameters for row in alex.only("Dense"))
claim("AlexNet has 60,965,224 parameters, the 60 million of its paper", alex.total_parameters == 60_965_224)
claim("its three dense layers hold 96 % of them", round(100 * dense / alex.total_parameters) == 96)
claim("that is a thousand times LeNet-5 with its 61,706", 900 < alex.total_parameters / 61_706 < 1000)

# %% [markdown]
# So many weights had been thought impossible to train. Four ideas made it possible, and a fifth did not
# last.
#
# *ReLU instead of tanh.* Going backward, a gradient is multiplied by the slope of each activation it passes. Where
# tanh is given 2, its slope is 0.07. (The weights multiply the gradient, too. Here only the slopes count.)
#
# **Predict**: what is left of a gradient behind seven such layers? And behind seven ReLUs?

# %%
slope = 1 - np.tanh(2.0) ** 2
claim("the slope of tanh at 2 is 0.07", round(slope, 2) == 0.07)
claim("behind seven of them less than a hundred-millionth is left", slope**7 < 1e-8)
claim("the slope of a ReLU at 2 is 1, and stays 1 behind seven of them", np.sign(max(2.0, 0)) ** 7 == 1)

# %% [markdown]
# In the paper a small network with ReLU reached 25 % training error on CIFAR-10 six times faster than with tanh.
#
# *Augmentation.* A cat moved by a few pixels is still a cat, and so is its mirror image. AlexNet kept its photographs
# at 256x256 and trained on windows of 224x224, cut at random, half of them mirrored. Keras has layers that do the
# like to small images, in training only. Here is one CIFAR-10 picture, eight times.

# %%
cifar = datasets.cifar10()
flip, move = layers.RandomFlip("horizontal"), layers.RandomTranslation(0.1, 0.1, fill_mode="reflect")
augment = keras.Sequential([keras.Input((32, 32, 3)), flip, move])
frog = cifar.x_train[cifar.y_train == cifar.class_names.index("frog")][1]
views = keras.ops.convert_to_numpy(augment(np.stack([frog] * 8), training=True))
plotting.images(
    views.clip(0, 1), columns=8, alt="One picture of a frog eight times, moved by up to 3 pixels, some mirrored."
)

# %%
claim("AlexNet's windows and mirrors make 2,048 views of a photograph", (256 - 224) ** 2 * 2 == 2048)
claim("outside training the layers change nothing", np.allclose(augment(frog[None], training=False), frog))

# %% [markdown]
# The views are no 2,048 photographs: they are nearly the same picture. But no pixel stays where it was, so that the
# dense layers cannot learn photographs by heart, pixel by pixel.
#
# *Dropout.* In training, **dropout** sets each unit of a layer to zero with a certain chance, anew for each
# photograph: in the first two dense layers of AlexNet, one half. No unit can rely on one other unit being there. At
# **inference**, when a trained network only answers, all units work. So that a sum keeps its size on average, Keras
# doubles in training what is left; AlexNet halved at inference, which comes to the same.
#
# **Predict**: 10,000 units all say 1. What is their mean behind dropout of 0.5, and which values occur?

# %%
dropout = layers.Dropout(0.5)
ones = np.ones((1, 10_000), dtype="float32")
dropped = keras.ops.convert_to_numpy(dropout(ones, training=True))
claim("in training a unit says 0 or 2", set(np.unique(dropped)) == {0.0, 2.0})
claim("the mean is still 1, to within 5 %", abs(dropped.mean() - 1) < 0.05)
claim("at inference every unit says 1", np.array_equal(dropout(ones, training=False), ones))

# %% [markdown]
# *Two graphics cards.* A step of training costs about three times the forward pass. The paper goes about 90 times
# through 1.2 million photographs. Suppose a laptop does 50 billion multiply-accumulates a second.
#
# **Predict**: hours, days or months?

# %%
work = 3 * alex.total_macs * 1.2e6 * 90
days = work / 50e9 / 86_400
claim("one forward pass takes 0.72 G multiply-accumulates", round(alex.total_macs / 1e9, 2) == 0.72)
claim("the laptop would train AlexNet for 54 days", round(days) == 54)
claim("the paper's two cards took 5 to 6 days: ten times as fast", 9 < days / 5.5 < 11)

# %% [markdown]
# A card of 2012 held 3 GB, too little for AlexNet and a batch of images. So the channels were split in two groups, one
# per card, which met only at some of the layers. That is what is left in the table above: `conv2` has 256 filters that
# each read half of the 96 channels. Grouped convolutions came back for other reasons (lesson 07).
#
# **Local response normalisation**, the fifth idea, divided each unit by the strength of its neighbours in other
# channels. VGG's authors tried it: 10.5 % top-5 error with it, 10.4 % without, and more time and memory. It soon fell
# out of use, and `cnnlib` leaves it out.
#
# ## VGG: one kernel, one table
#
# AlexNet's kernels are 11, 5 and 3 wide, and each of its sizes was tuned by hand. Simonyan and Zisserman fixed
# everything: 3x3 convolutions that keep the size, 2x2 poolings that halve it, filters that double. What remains is a
# number of convolutions for each of five blocks, and that is the whole table.

# %%
for depth, blocks in vgg.BLOCKS.items():
    print(f"VGG-{depth}: {blocks} convolutions of {vgg.FILTERS} filters, then 4096, 4096 and 1000 dense units")

claim(
    "the name counts the layers with weights: convolutions and three dense ones",
    all(sum(blocks) + 3 == depth for depth, blocks in vgg.BLOCKS.items()),
)

# %% [markdown]
# **Predict**: VGG-19 has twice the convolutions of VGG-11. By how much does the number of parameters grow?

# %%
networks = {}
with common.without_drawing():
    for depth in vgg.BLOCKS:
        networks[depth] = trace(vgg.VGG(depth))
        gc.collect()  # half a gigabyte of zeros: let go of it before the next one
for depth, network in networks.items():
    print(f"VGG-{depth}: {network.total_parameters:,} parameters, {network.total_macs / 1e9:.1f} G MACs")

# %%
parameters = {depth: network.total_parameters for depth, network in networks.items()}
claim("VGG-16 has 138,357,544 parameters", parameters[16] == 138_357_544)
claim("123.6 M of them are dense", sum(row.parameters for row in networks[16].only("Dense")) == 123_642_856)
claim("VGG-19 has only 8 % more than VGG-11", round(100 * parameters[19] / parameters[11]) == 108)
claim("but takes 2.6 times the work", round(networks[19].total_macs / networks[11].total_macs, 1) == 2.6)

# %% [markdown]
# The paper's top-5 errors at one image size are 10.4 % for 11 layers, 9.9 % for 13, 8.8 % for 16 and 9.0 % for 19.
# Depth helped, and then it stopped. Keep that in mind for lesson 06.
#
# ### Exercise 05.1 · Parameters per block
#
# Count the parameters of each block of a network like VGG: `blocks` has the number of 3x3 convolutions in each block,
# `filters` how many filters each of them has, and the image has `channels`. Every convolution has a bias. Return a
# list with one number per block. Raise a `ValueError` if `blocks` and `filters` differ in length.
#
# For example, `block_parameters((1, 2), (8, 16))` is `[224, 3488]`.


# %%
def block_parameters(blocks: tuple[int, ...], filters: tuple[int, ...], channels: int = 3) -> list[int]:
    """Parameters of each block of 3x3 convolutions with bias; ValueError if the tuples differ in length."""
    ### BEGIN SOLUTION
    if len(blocks) != len(filters):
        raise ValueError(f"{len(blocks)} blocks but {len(filters)} numbers of filters")
    counts = []
    for repeats, count in zip(blocks, filters):
        total = 0
        for _ in range(repeats):
            total += (9 * channels + 1) * count
            channels = count
        counts.append(total)
    return counts
    ### END SOLUTION


# %%
exercise("05.1").check(block_parameters)

# %% [markdown]
# ### Exercise 05.2 · Build a VGG from its table
#
# Return a Keras model of the convolutional part of such a network: in each block its 3x3 convolutions, each of which
# keeps the size and is followed by a ReLU, and then a 2x2 max pooling, which drops an odd last row or column. There is
# no head: the output are the last maps.
#
# For example, `vgg_features((1, 2), (8, 16), (32, 32, 3))` returns 8x8x16 numbers.


# %%
def vgg_features(blocks: tuple[int, ...], filters: tuple[int, ...], input_shape: tuple[int, int, int]) -> keras.Model:
    """Blocks of 3x3 convolutions with ReLU, each block followed by 2x2 max pooling."""
    ### BEGIN SOLUTION
    x = image = keras.Input(input_shape)
    for repeats, count in zip(blocks, filters):
        for _ in range(repeats):
            x = layers.Conv2D(count, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    return keras.Model(image, x)
    ### END SOLUTION


# %%
exercise("05.2").check(vgg_features)

# %% [markdown]
# ## Why 3x3
#
# Two layers of 3x3 see 5x5 pixels, three see 7x7, as you know from lesson 02. With $C$ channels in and out a layer of
# $k \times k$ has $k^2 C^2$ weights, biases apart. The stack that sees as far needs $(k-1)/2$ layers of $9 C^2$.
#
# **Predict**: at which kernel does the stack become cheaper, and by how much for 5, 7 and 11?

# %%
sizes = (3, 5, 7, 9, 11)
single = {k: arithmetic.conv_parameters(k, 64, 64, bias=False) // 64**2 for k in sizes}
stack = {k: (k - 1) // 2 * 9 for k in sizes}
plotting.bar_panels(
    {f"{k}x{k}": (single[k], stack[k], 100 - 100 * stack[k] / single[k]) for k in sizes},
    {"one layer, weights / C²": "{}", "stack of 3x3, weights / C²": "{}", "saved, in %": "{:.0f}"},
    alt="Weights of one k by k layer and of the stack of 3 by 3 layers that sees as far, divided by C squared: 9 and 9 "
    "for k = 3, 25 and 18 for 5, 49 and 27 for 7, 81 and 36 for 9, 121 and 45 for 11. Saved: 0, 28, 45, 56, 63 %.",
    longest={"one layer, weights / C²": 150, "stack of 3x3, weights / C²": 150},
)

# %%
claim("5x5: 25 C² against 18 C²", (single[5], stack[5]) == (25, 18))
claim("7x7: 49 C² against 27 C²", (single[7], stack[7]) == (49, 27))
claim("two 3x3 see 5 pixels, three see 7", [arithmetic.receptive_field([3] * n).size for n in (2, 3)] == [5, 7])

# %% [markdown]
# The multiply-accumulates fall by the same factor, as long as the size stays. So the stack is cheaper, and there must
# be something that it cannot do. Without a ReLU in between it computes *less*: two kernels of 9 numbers one after the
# other are one kernel of 25, and most kernels of 25 cannot be had that way. The merged kernel is the convolution of
# the two.

# %%
rng = np.random.default_rng(runtime.seed())
first, second = rng.normal(size=(2, 3, 3))
merged = reference.cross_correlate2d(np.pad(first, 2), second[::-1, ::-1])
grey = datasets.photograph("cat", size=64).mean(axis=-1) / 255
one_by_one = reference.cross_correlate2d(reference.cross_correlate2d(grey, first), second)
claim("two 3x3 kernels without a ReLU between them are one 5x5 kernel", merged.shape == (5, 5))
claim("the results are the same", np.allclose(one_by_one, reference.cross_correlate2d(grey, merged)))

# %% [markdown]
# The ReLU makes up for it. Look for a line, bright on grey or dark on grey. A filter that answers to the bright line
# with $+a$ answers to the dark one with $-a$, and a single ReLU keeps one of the two.
#
# **Predict**: can two layers find both?

# %%
grey, bright = np.zeros((9, 9, 1)), np.zeros((9, 9, 1))
bright[:, 4] = 1
line = np.array([[-1, 2, -1]] * 3) / 3
finds_line = np.stack([line, -line], axis=-1)[:, :, None]  # one input channel, two filters
adds_both = np.ones((3, 3, 2, 1)) / 9


def two_layers(image, between=reference.relu):
    maps = between(reference.conv2d(image[None], finds_line))
    return reference.relu(reference.conv2d(maps, adds_both)).max()


answers = [two_layers(image) for image in (grey, bright, -bright)]
claim("two layers answer 0 to grey, more to the bright line and to the dark one", min(answers[1:]) > answers[0] == 0)
claim("and as much to the one as to the other", np.isclose(answers[1], answers[2]))
claim("without the ReLU between them they find neither", two_layers(bright, between=lambda x: x) < 1e-9)

# %% [markdown]
# For two filters to work side by side, what each of them has found must be kept from cancelling the other. That is
# what each extra ReLU buys: another *or* on top of an *and*. VGG's paper put it to the test. A network of five 5x5
# layers in place of the pairs of 3x3 had a top-1 error that was 7 % higher.
#
# The price is memory: training keeps two or three maps where there was one. And the rule has an exception.
#
# **Predict**: AlexNet begins with 96 filters of 11x11 on 3 channels. What would the stack of five 3x3 layers cost
# there?

# %%
one_layer = arithmetic.conv_parameters(11, 3, 96, bias=False)
five_layers = arithmetic.conv_parameters(3, 3, 96, bias=False) + 4 * arithmetic.conv_parameters(3, 96, 96, bias=False)
claim("the 11x11 layer has 34,848 weights", one_layer == 34_848)
claim("the stack has 334,368, nearly ten times as many", five_layers == 334_368)

# %% [markdown]
# A large kernel is cheap where it has few channels to read. ResNet, too, begins with a kernel of 7x7 on 3
# channels.
#
# ### Exercise 05.3 · Replace large kernels
#
# `convolutions` is a list of (kernel, channels in, channels out), first layer first. Replace each layer whose stack of
# 3x3 has *fewer* weights, biases apart, by that stack. The stack sees as far as the layer, its first convolution reads
# the channels in, and all of its convolutions write the channels out. Keep every other layer as it is. Return the new
# list. Raise a `ValueError` for an even kernel or one below 1.
#
# For example, `replace_large([(5, 64, 64), (1, 64, 10)])` is `[(3, 64, 64), (3, 64, 64), (1, 64, 10)]`.


# %%
def replace_large(convolutions: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The same receptive field with 3x3 kernels wherever that saves weights; ValueError for an even kernel."""
    ### BEGIN SOLUTION
    replaced = []
    for kernel, inputs, outputs in convolutions:
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"a kernel is odd and at least 1, got {kernel}")
        count = (kernel - 1) // 2
        stack = [(3, inputs, outputs)] + [(3, outputs, outputs)] * (count - 1)
        saves = sum(9 * a * b for _, a, b in stack) < kernel**2 * inputs * outputs
        replaced += stack if count and saves else [(kernel, inputs, outputs)]
    return replaced
    ### END SOLUTION


# %%
exercise("05.3").check(replace_large)

# %% [markdown]
# ## Weights, memory, work: three different places
#
# Training keeps the **activations**, what every layer returned, because the backward pass needs them. Add up, for
# each block of VGG-16, its parameters, the numbers that its convolutions and its pooling return for one image, and
# its multiply-accumulates (MACs).
#
# **Predict**: which block is the largest in each of the three?


# %%
def sums(network, *starts):
    """Parameters in M, activations in M and MACs in G of the rows whose names start so."""
    rows = [row for row in network.only("Conv2D", "MaxPooling2D", "Dense") if row.name.startswith(starts)]
    kept = sum(np.prod(row.output_shape) for row in rows)
    return sum(row.parameters for row in rows) / 1e6, kept / 1e6, sum(row.macs for row in rows) / 1e9


costs = {f"block {n}": sums(networks[16], f"block{n}") for n in range(1, 6)}
costs["dense layers"] = sums(networks[16], "fc", "logits")
plotting.bar_panels(
    costs,
    {"parameters, in M": "{:.2f}", "activations, in M": "{:.2f}", "MACs, in G": "{:.2f}"},
    alt="VGG-16 in three panels. Parameters: the dense layers hold 123.6 M, block 1 0.04 M. Activations: block 1 "
    "holds 7.2 M of 15.1 M, the dense layers next to nothing. MACs: blocks 3 and 4 do 4.6 G each, block 5 1.4 G.",
)

# %%
weights, kept, macs = np.array(list(costs.values())).T
claim("the dense layers hold 89 % of the parameters", round(100 * weights[5] / weights.sum()) == 89)
claim("block 1 holds 48 % of the activations", round(100 * kept[0] / kept.sum()) == 48)
claim("blocks 3 and 4 do 60 % of the work", round(100 * macs[2:4].sum() / macs.sum()) == 60)
claim("and the same work each, to the last digit", macs[2] == macs[3])

# %% [markdown]
# The last line is no accident. A pooling leaves a quarter of the places, then the filters double, and a convolution
# with twice the channels in and out costs four times as much at each place: $\frac14 \cdot 2 \cdot 2 = 1$. Networks
# since then keep to it: *halve the size, double the filters*, and each stage costs the same.
#
# ### Exercise 05.4 · Memory of the activations
#
# How many bytes does training keep of the activations of such a network, for a batch? Count what the convolutions and
# the 2x2 poolings behind each block return, as float32 of 4 bytes. The images are `size` x `size`, a pooling rounds
# down, and the image itself does not count. Raise a `ValueError` if nothing is left of the image.
#
# For example, `activation_bytes((1, 1), (8, 16), size=4, batch=1)` is `960`: 4·4·8 + 2·2·8 + 2·2·16 + 1·1·16
# numbers. For VGG-16 at 224 pixels and a batch of 32 it is 1.93 GB.


# %%
def activation_bytes(blocks: tuple[int, ...], filters: tuple[int, ...], size: int, batch: int = 32) -> int:
    """Bytes of the float32 outputs of all convolutions and poolings; ValueError if an image is too small."""
    ### BEGIN SOLUTION
    numbers = 0
    for repeats, count in zip(blocks, filters):
        numbers += repeats * size * size * count
        size //= 2
        numbers += size * size * count
    if size < 1:
        raise ValueError("the image is too small for so many poolings")
    return 4 * batch * numbers
    ### END SOLUTION


# %%
exercise("05.4").check(activation_bytes)

# %% [markdown]
# That is without the gradients, which have the same shapes. VGG was trained on four cards of 6 GB for two to three
# weeks. If your training runs out of memory, the cure is a smaller batch or a smaller image. Fewer dense units would
# not have helped: their activations are next to nothing.
#
# ### Exercise 05.5 · Where do the FLOPs go?
#
# Four questions about VGG, each answered by a number. Two digits are enough. `networks` holds the traces, and
# reasoning is faster for some.
#
# - `doubled`: images of 448x448 in place of 224x224. By which factor do the MACs of block 3 grow?
# - `halved`: half the filters in every convolution of the network. Which fraction of its MACs does block 3 keep?
# - `dense_free`: the dense layers of VGG-16 become infinitely fast. How many *percent* of the network's MACs are saved?
# - `middle`: how many percent of VGG-19's MACs do blocks 3 and 4 do together?

# %%
### BEGIN SOLUTION
doubled = 4
halved = 1 / 4
dense_free = 100 * sum(row.macs for row in networks[16].only("Dense")) / networks[16].total_macs
middle = 100 * sum(sums(networks[19], "block3", "block4")[2:]) * 1e9 / networks[19].total_macs
### END SOLUTION

# %%
exercise("05.5").check({"doubled": doubled, "halved": halved, "dense_free": dense_free, "middle": middle})

# %% [markdown]
# ## Off with the head
#
# Nine tenths of the weights sit in layers that do 1 % of the work. Do they earn their place? Network in Network and
# GoogLeNet answered no, and nearly all networks since have followed them: average each of the last maps to one number
# (global average pooling, GAP, from lesson 02), and connect these numbers to the classes.
#
# **Predict**: how many of the 138 million parameters are left?

# %%
with common.without_drawing():
    light = trace(vgg.VGG(16, head="gap"))
claim("15,227,688 parameters are left, 11 %", light.total_parameters == 15_227_688)
claim("the work is the same to 1 %", light.total_macs / networks[16].total_macs > 0.99)
megabytes = [round(4 * count / 1e6) for count in (parameters[16], light.total_parameters)]
claim("as float32 the file shrinks from 553 to 61 MB", megabytes == [553, 61])

# %% [markdown]
# ### Exercise 05.6 · A head without hidden layers
#
# Return such a head as a Keras model of its own: it takes maps of any height and width with `channels` channels,
# averages each, and returns `classes` logits from one dense layer with bias. No softmax.
#
# For example, `gap_head(512, 1000)` has 513,000 parameters.


# %%
def gap_head(channels: int, classes: int) -> keras.Model:
    """Maps (height, width, channels), of any height and width -> logits (classes,)."""
    ### BEGIN SOLUTION
    maps = keras.Input((None, None, channels))
    x = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(maps, layers.Dense(classes)(x))
    ### END SOLUTION


# %%
exercise("05.6").check(gap_head)

# %% [markdown]
# ## Off with the pooling
#
# Springenberg et al. (2015) asked whether pooling is needed, either. In an **all-convolutional network** a convolution
# of stride 2 does the halving. There are two ways: let the last convolution of each block move in steps of 2, or keep
# all of them and put another one, of stride 2, in the place of each pooling. Count the first way on small networks for
# CIFAR-10.
#
# **Predict**: a strided convolution computes a quarter of the places. Does the whole network cost a quarter?

# %%
pooled = trace(vgg.SmallVGG(downsampling="pool"))
strided = trace(vgg.SmallVGG(downsampling="stride"))
ways = {"max pooling": pooled, "stride 2": strided}
plotting.bar_panels(
    {
        name: (network.total_parameters / 1e3, sums(network, "block")[1] * 1e3, network.total_macs / 1e6)
        for name, network in ways.items()
    },
    {"parameters, in k": "{:.0f}", "activations, in k": "{:.0f}", "MACs, in M": "{:.1f}"},
    alt="A small VGG with max pooling and with stride 2: 290 k parameters each, 129 k against 72 k activations, "
    "38.6 M against 17.4 M MACs.",
)

# %%
claim("the parameters are the same", pooled.total_parameters == strided.total_parameters == 289_642)
claim("stride 2 takes 45 % of the work", round(100 * strided.total_macs / pooled.total_macs) == 45)
fields = [strided["block3_2_relu"].receptive_field, pooled["block3_pool"].receptive_field]
claim("and sees less far: 29 pixels against 36", fields == [29, 36])

# %% [markdown]
# Lesson 02 has such a pair, in stored runs: which one was more accurate depended on the seed. In the paper, with
# larger networks, the strided one lost half a percent against pooling (10.2 % error against 9.7 % on CIFAR-10), and the
# one with *additional* convolutions won it back (9.1 %). That one has more weights than both, so it does not show that
# pooling does harm. ResNet halves by stride. VGG-like networks keep to pooling.
#
# ## Train one
#
# VGG-16 would take your laptop years, so take its idea: the first three blocks of VGG-11 with an eighth of its filters
# and a GAP head, on 8,000 pictures of CIFAR-10. It has batch normalisation, which lesson 04 missed the most when it was
# left out, and which is the subject of lesson 06. VGG's authors did not have it yet: they trained the 11 layers first
# and started the deeper networks from some of these weights.
#
# It is trained in two ways: *plain*, and with dropout and augmentation. Both are AlexNet's means against overfitting.
# (That changes two things at once: the pair can say what both cost together, and not which of them.) As in lesson 04
# each batch is moved and mirrored with NumPy, which is quick on every backend.


# %%
rng = np.random.default_rng(runtime.seed())


class Moved(training.Batches):
    """Batches, each moved by up to three pixels, half of the images mirrored."""

    def __getitem__(self, index):
        images, labels = super().__getitem__(index)
        images = np.roll(images, rng.integers(-3, 4, size=2), axis=(1, 2))
        mirrored = rng.random(len(images)) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
        return images, labels


shape = {"blocks": (1, 1, 2), "filters": (8, 16, 32)}
small = trace(vgg.SmallVGG(**shape))
claim("it has 15,874 parameters", small.total_parameters == 15_874)
claim("and takes 1.4 M multiply-accumulates", round(small.total_macs / 1e6, 1) == 1.4)

# %% [markdown]
# **Predict**: after five epochs, which of the two has the better accuracy on the test images? You train the plain one.
# Stored runs of this cell with other seeds have both.

# %%
epochs = runtime.pick(smoke=1, cpu=5, gpu=25)
steps = epochs * len(cifar.x_train) // 64
ways = {"plain": (0.0, training.Batches), "dropout and augmentation": (0.1, Moved)}
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
test = (cifar.x_test, cifar.y_test)
short = Experiment("05_regularisation")
live = {}
for name in short.pick(stored=ways, live=["plain"]):
    dropout, batches = ways[name]
    network = vgg.SmallVGG(**shape, dropout=dropout)
    rate = training.warmup_cosine(0.003, steps, steps // 10)
    network.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    shown = batches(cifar.x_train, cifar.y_train, batch_size=64)
    history = training.fit(network, shown, epochs=epochs, validation_data=test, label=name).history
    live[name] = {"train": 100 * np.array(history["accuracy"]), "validation": 100 * np.array(history["val_accuracy"])}

# %% [markdown]
# Five epochs are what a laptop has time for. The thin lines are the stored runs, with seeds 0, 1 and 2.

# %%
short.keep(runs=live)
runs = short.stored["runs"]
plotting.epochs_among_stored(
    {name: (runs[name], live.get(name, {})) for name in ways},
    alt="Accuracy over the epochs for a small VGG, plain and with dropout and augmentation; this run over "
    "stored ones. "
    + " ".join(
        f"{name}: after this run {approx(run['train'][-1], 2)} % on training images and "
        f"{approx(run['validation'][-1], 2)} % on test images."
        for name, run in live.items()
    ),
)

# %%
last = {name: {role: runs[name][role][:, -1] for role in ("train", "validation")} for name in ways}  # one for each run
lead = last["plain"]["validation"] - last["dropout and augmentation"]["validation"]
gaps = {name: run["train"] - run["validation"] for name, run in last.items()}
measured("plain: lead on the test images, mean of the stored runs", lead.mean(), "points", digits=2)
for name, gap in gaps.items():
    measured(f"{name}: training images ahead of test images by", gap.mean(), "points", digits=2)
claim("the plain network is ahead on the test images, by more than 2 points in each stored run", min(lead) > 2)
ahead = live["plain"]["validation"][-1] - max(last["dropout and augmentation"]["validation"])
claim("yours is ahead of all stored ones with dropout and augmentation, too, by more than 2 points", ahead > 2)
claim("but with them the gap is smaller in each stored run", all(gaps["dropout and augmentation"] < gaps["plain"]))

# %% [markdown]
# Dropout and augmentation do what they are for: they close the gap. Part of it closes by the way of
# measuring, since the accuracy on training images is taken on moved images, with units dropped. After five epochs there
# is not much of a gap yet, so what you see is their price: on its own training images, too, the network gets fewer
# right. AlexNet's authors write that dropout about doubled the number of steps they needed, and that without it their
# network overfitted substantially. So say after how many epochs you compare, and compare at the length that you will
# use.
#
# On the way a test curve may stumble while the training curve climbs. That is not overfitting, which does not go away.
# A likely cause is batch normalisation. At inference it uses averages over past batches, which lag behind while the
# weights move fast, and catch up when the learning rate falls toward the end. Lesson 06 measures this lag.
#
# ## What the full recipe reaches
#
# A network of the same family, with six convolutions in place of four and four times the filters, was trained on the
# complete training set by `tools/train_weights.py`. The weights come with the course, and a **model card** beside them
# tells how they were made and which share $p$ of the 10,000 official test images they get right. Do not believe the
# card either: you have 2,000 of these images. A sample of $n$ says $p$ to within a **standard error** of
# $\sqrt{p\,(1 - p) / n}$, and seldom errs by three of them.

# %%
card = datasets.weights_card("small_vgg_cifar10")
full = vgg.SmallVGG(weights="cifar10")
predicted = full.predict(cifar.x_test, batch_size=250, verbose=0).argmax(axis=-1)
accuracy = np.mean(predicted == cifar.y_test)
standard_error = np.sqrt(card["accuracy"] * (1 - card["accuracy"]) / len(predicted))
reached = {"plain, your run": live["plain"]["validation"][-1], "full recipe": 100 * accuracy}
plotting.bars(
    reached,
    alt="Accuracy on 2,000 test images, in percent: "
    + ", ".join(f"{name} {approx(value, 2)}" for name, value in reached.items()),
    xlabel="accuracy on the test images, in %",
    form="{:.0f} %",
    limits=(0, 100),
)

# %%
measured("accuracy of the full recipe on these 2,000 images", 100 * accuracy, "%")
measured("its card says", 100 * card["accuracy"], "%")
measured("epochs", card["epochs"])
claim("the two agree to three standard errors", abs(accuracy - card["accuracy"]) < 3 * standard_error)
ratio = full.count_params() / small.total_parameters
claim("it has 18 times the parameters of the network above", round(ratio) == 18)

# %% [markdown]
# Three things differ at once, the data, the size and the length of the training, so this comparison does not say which
# of them matters most. Learning curves do, and lesson 08 draws them. The command on the card repeats the training.
#
# ## Recap
#
# - AlexNet (2012): ReLU for the gradient, augmentation and dropout against overfitting, two graphics cards for the
#   work. 26 % to 16 % top-5 error with 60,965,224 parameters. Its local response normalisation is gone.
# - VGG (2014): only 3x3, one table. 11 to 19 layers, 132.9 M to 143.7 M parameters. Depth helped up to 16.
# - A stack of 3x3 costs $9(k-1)/2$ in place of $k^2$ per pair of channels: 18 for 25, 27 for 49. Its ReLUs do what no
#   single kernel can. It does not pay where few channels come in.
# - Weights sit in the dense layers (89 %), memory in the first block (48 %), work in blocks 3 and 4 (60 %). Halve the
#   size, double the filters, and a convolution costs the same.
# - Global average pooling leaves 15.2 M of 138 M parameters. Stride can replace pooling at less than half the work.
# - Whether dropout and augmentation pay depends on how long you train. Say how long before you compare.
#
# ## Explain it
#
# **Why does VGG use 3x3 kernels everywhere?**
#
# <details><summary>Model answer</summary>
#
# Two of them see 5x5 and three see 7x7, with 18 and 27 in place of 25 and 49 weights for each pair of channels, the
# same saving in multiply-accumulates, and a ReLU after each. Without these ReLUs the stack would only be a restricted
# large kernel. The price is more activations to keep in training. Where a layer reads few channels, as the first one
# does, a large kernel is cheaper than the stack, because the later layers of the stack read all of its filters.
#
# </details>
#
# **You must run VGG-16 on a device with 100 MB of storage, and twice as fast. What do you change?**
#
# <details><summary>Model answer</summary>
#
# These are two problems. Storage: 89 % of the 553 MB are dense layers, so global average pooling leaves 61 MB, and the
# speed stays as it is, because dense layers do 1 % of the work. Speed: the convolutions of the middle blocks do most of
# it. Images of 160 pixels halve it ($(160/224)^2 = 0.51$), and so do 0.7 times the filters ($0.7^2 = 0.49$), which also
# halves the weights. Either way the network must be trained again, or at least fine-tuned (lesson 09).
#
# </details>
#
# **Training runs out of memory on the first step, although the model has only 15 million parameters. Why, and what
# helps?**
#
# <details><summary>Model answer</summary>
#
# The weights are 60 MB, with gradients and two moments of Adam 240 MB. The activations of a VGG-16 are another 60 MB,
# but for *each image*: 1.9 GB for a batch of 32, and their gradients come on top. Nearly half of it belongs to the
# first block with its 224x224 maps. A smaller batch, smaller images, an earlier stride, numbers of 16 bits, or
# recomputing activations in the backward pass help. Fewer dense units do not.
#
# </details>
#
# **After five epochs dropout made your network worse. Do you leave it out?**
#
# <details><summary>Model answer</summary>
#
# That cannot be said yet. Dropout and augmentation make each step harder, so training is slower, and they act against
# overfitting, which comes late. Look at the gap between training and test accuracy. If there is none, the network
# underfits: train longer or take a larger one, and regularise less. If the gap grows while the test accuracy stands
# still, regularisation is what is missing. Compare at the length of training that you will use.
#
# </details>
#
# ## What comes next
#
# From 8 layers to 19 the error halved. With 19 it stopped falling, and deeper plain networks got *worse*, even on the
# images that they were trained on. [Lesson 06](../notebooks/06_batch_norm_and_resnet.ipynb) shows why, and what two
# ideas did about it: batch normalisation, and a shortcut around each block.
#
# ## References
#
# - K. He, X. Zhang, S. Ren and J. Sun (2016). Deep residual learning for image recognition. *CVPR*.
# - A. Krizhevsky, I. Sutskever and G. Hinton (2012). ImageNet classification with deep convolutional neural networks.
#   *NeurIPS*.
# - M. Lin, Q. Chen and S. Yan (2014). Network in network. *ICLR*.
# - O. Russakovsky et al. (2015). ImageNet large scale visual recognition challenge. *International Journal of Computer
#   Vision*.
# - K. Simonyan and A. Zisserman (2015). Very deep convolutional networks for large-scale image recognition. *ICLR*.
# - J. T. Springenberg, A. Dosovitskiy, T. Brox and M. Riedmiller (2015). Striving for simplicity: the all
#   convolutional net. *ICLR workshop*.
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov (2014). Dropout: a simple way to prevent
#   neural networks from overfitting. *Journal of Machine Learning Research*.
# - C. Szegedy et al. (2015). Going deeper with convolutions. *CVPR*.
# - M. Zeiler and R. Fergus (2014). Visualizing and understanding convolutional networks. *ECCV*.
