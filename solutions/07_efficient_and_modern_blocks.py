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
# # 07 · Efficient and modern blocks
#
# **How do you get more accuracy out of fewer multiplications, and does it save any time?**
#
# When you have worked through this page you can
# - draw the blocks of Inception, DenseNet, MobileNetV2, EfficientNet and ConvNeXt, and count what each one saves
# - build squeeze-and-excitation, and say what it adds
# - scale a network by one number, and compare the rule with the published B0 to B7
# - measure latency, and explain why fewer multiplications can take longer
# - choose a family for a job from what the job allows
#
# **Before this**: [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb) ·
# **Reading** 35 min · **Exercises** 45 min
#
# [← 06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb) · [Course map](../README.md) ·
# [08 Data and augmentation →](../notebooks/08_data_and_augmentation.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="07")

# %%
import math
import time

import keras
import numpy as np
from keras import layers

from cnnlib import arithmetic, claim, datasets, exercise, models, plotting, training
from cnnlib.claims import approx, measured
from cnnlib.results import Experiment
from cnnlib.trace import trace

# %% [markdown]
# ## A race between two networks
#
# Here are two networks for CIFAR-10. `heavy` is a small VGG. `light` is a MobileNetV2, made for telephones.

# %%
heavy = models.SmallVGG()
light = models.MobileNetV2((32, 32, 3), num_classes=10, width=0.25, small_images=True)
millions = {model.name: trace(model).total_macs / 1e6 for model in (heavy, light)}
claim("the small VGG needs 38.6 million multiply-accumulates", round(millions["small_vgg"], 1) == 38.6)
claim("MobileNetV2 needs a quarter of that", millions["mobilenetv2"] < millions["small_vgg"] / 4)

# %% [markdown]
# **Predict**: which one answers sooner for one image, and by what factor?
#
# The time from question to answer is the **latency**. To measure it, call the network once beforehand, since the first
# call compiles. Then call it many times and take the shortest time: whatever else the machine does can only add to it.


# %%
def milliseconds(model, images, repeats=15):
    model.predict_on_batch(images)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.predict_on_batch(images)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


cifar = datasets.cifar10(size=runtime.pick(smoke=200, cpu=None, gpu=None))

# %% tags=["nbval-ignore-output"]
latency = {model.name: milliseconds(model, cifar.x_test[:1]) for model in (heavy, light)}
for name, value in latency.items():
    measured(name, value, "ms")
measured("MobileNetV2 takes", latency["mobilenetv2"] / latency["small_vgg"], "× the time of the VGG")
claim("a quarter of the work takes more than a third of the time", latency["mobilenetv2"] > latency["small_vgg"] / 3)

# %% [markdown]
# A quarter of the work does not take a quarter of the time. Where this page was made, and on most processors without
# a kernel made for such layers, the network with less work is even the slower one; the factor above is that of your
# machine. So what did all these clever blocks buy? This page goes through them one by one, each with what it saves, and
# then comes back to the clock.
#
# ## 1x1 first: pay less for the same window
#
# A 3x3 convolution multiplies every channel in with every channel out, nine times. Shrink the channels *before* it,
# with a 1x1 convolution, and both factors fall. This is the bottleneck of lesson 06.
#
# **Predict**: 256 channels meet a 3x3 with 256 filters. Now squeeze them to 64 by a 1x1 first, and let the 3x3 have
# 64 filters. How many weights are left?

# %%
direct = arithmetic.conv_parameters(3, 256, 256, bias=False)
squeeze = arithmetic.conv_parameters(1, 256, 64, bias=False)
window = arithmetic.conv_parameters(3, 64, 64, bias=False)
claim("the direct 3x3 has 589,824 weights", direct == 589_824)
claim("the 1x1 and the narrow 3x3 have 53,248 together", squeeze + window == 53_248)
claim("a second 1x1, back to 256, makes it 69,632: still under an eighth", squeeze + window + squeeze == 69_632)

# %% [markdown]
# With the 1x1 at its end this is the block of ResNet-50 (lesson 06). The price: all 256 channels must pass through 64
# numbers at each pixel.
#
# ## Inception: all windows at once
#
# Which kernel is best here, 1x1, 3x3 or 5x5? GoogLeNet (2014) does not choose. An **Inception block** runs windows of
# several sizes side by side, adds a pooling, and puts the results beside each other. Bottlenecks make it affordable.
# This is its first block, with the widths of the paper.

# %%
one, three, five, pool = models.inception.TABLE["3a"]
image = keras.Input((28, 28, 192), name="maps")
block = trace(keras.Model(image, models.inception_block(image, one, three, five, pool, name="3a")))
block.only("Conv2D", "MaxPooling2D", "Concatenate")

# %%
direct = [(1, one), (3, three[1]), (5, five[1]), (1, pool)]
naive = sum(arithmetic.conv_macs((28, 28), kernel, 192, filters) for kernel, filters in direct)
claim("64 + 128 + 32 + 32 channels come out", block["3a_concat"].output_shape == (28, 28, 256))
claim("it takes 128 million multiply-accumulates", round(block.total_macs / 1e6) == 128)
claim("without the two reducing 1x1 it would take 2.4 times as many", round(naive / block.total_macs, 1) == 2.4)

# %% [markdown]
# ## DenseNet: throw nothing away
#
# ResNet *adds* a layer's result to what came before. DenseNet *keeps both*, side by side. Each layer of DenseNet
# reads all maps so far and contributes a few new ones, as many as its **growth rate** says. Thin layers are enough,
# the authors argue, since what an earlier layer has found need not be computed again (Huang and others 2017).
#
# **Predict**: twelve layers with a growth of 12, behind 16 channels. How many channels come out?

# %%
x = image = keras.Input((32, 32, 16), name="maps")
for number in range(1, 13):
    x = models.dense_layer(x, growth=12, name=f"layer{number}")
dense = trace(keras.Model(image, x))
kept = [row.output_shape[-1] for row in dense.only("Concatenate")]
claim("16 + 12 x 12 = 160 channels come out", kept[-1] == 160)
claim("each layer computes only 12 of them", {row.output_shape[-1] for row in dense.only("Conv2D")} == {12})
claim("but 1,128 are written on the way, for 144 that are new", sum(kept) == 1128)

# %% [markdown]
# That last number is the price. A concatenation copies, so what is written grows with the square of the depth. DenseNet
# has few weights and few multiplications, and moves a lot of memory. Keep this in mind for the race.
#
# ## Depthwise separable: neighbours first, then channels
#
# You met it in lesson 01: a depthwise 3x3 looks at neighbours, channel by channel, and a 1x1 mixes the channels. In
# place of $k^2 C_\text{in} C_\text{out}$ products at each pixel there are $k^2 C_\text{in} + C_\text{in} C_\text{out}$:
#
# $$\frac{k^2 C_\text{in} + C_\text{in} C_\text{out}}{k^2 C_\text{in} C_\text{out}}
# = \frac{1}{C_\text{out}} + \frac{1}{k^2}$$
#
# with $k$ the kernel's size, $C_\text{in}$ and $C_\text{out}$ the channels. For 3x3 and 256 channels out that is 0.115,
# a ninth and a little. MobileNet (2017) is made of this.
#
# ### Exercise 07.1 · Separable counts
#
# Write the saving. For a layer of `kernel` x `kernel` from `channels_in` to `channels_out` channels, whose output has
# `height` x `width` places, return three whole numbers: the MACs of an ordinary convolution, those of the depthwise
# part, and those of the 1x1 part. Raise a `ValueError` if any argument is below 1.
#
# For example, `separable_counts(3, 64, 128, 10, 20)` is `(14745600, 115200, 1638400)`.


# %%
def separable_counts(kernel: int, channels_in: int, channels_out: int, height: int, width: int) -> tuple[int, int, int]:
    """MACs of (ordinary convolution, depthwise part, 1x1 part); ValueError for an argument below 1."""
    ### BEGIN SOLUTION
    if min(kernel, channels_in, channels_out, height, width) < 1:
        raise ValueError("kernel, channels, height and width must be at least 1")
    places = height * width
    depthwise = kernel**2 * channels_in * places
    pointwise = channels_in * channels_out * places
    return kernel**2 * channels_in * channels_out * places, depthwise, pointwise
    ### END SOLUTION


# %%
exercise("07.1").check(separable_counts)

# %% [markdown]
# ## MobileNetV2: the bottleneck inside out
#
# ResNet's block goes wide, narrow, wide. Once the 3x3 is depthwise it costs next to nothing, however wide it is. So
# MobileNetV2 turns the block round, narrow, *wide*, narrow: the **inverted residual**. The shortcut joins the narrow
# ends, and only they have to be kept in memory between blocks.

# %%
image = keras.Input((56, 56, 24), name="narrow")
inverted = trace(keras.Model(image, models.inverted_residual(image, 24, expansion=6, stride=1, name="block")))
inverted.only("Conv2D", "DepthwiseConv2D", "Add")

# %%
widths = [row.output_shape[-1] for row in inverted.only("Conv2D", "DepthwiseConv2D")]
claim("24 channels become 144, stay 144, and become 24 again", widths == [144, 144, 24])
share = inverted["block_depthwise_dw"].macs / inverted.total_macs
claim("the depthwise 3x3 takes less than a sixth of the work", share < 1 / 6)

# %% [markdown]
# One detail is new. The last 1x1 of the block has *no* activation function behind it: a **linear bottleneck**. Why? A
# ReLU sets about half of its inputs to zero. Where there are many channels, the others still tell what was there. Where
# there are few, it is lost.
#
# Try it. Take points with two features, spread them over $n$ channels by random weights, apply a ReLU. A point can
# still be recovered if two channels or more are above zero.
#
# **Predict**: for $n$ = 2, 4 and 12, how many points are lost?

# %%
rng = np.random.default_rng(0)
points = rng.normal(size=(20_000, 2))
lost = {}
for n in (2, 4, 12):
    channels = np.einsum("pf,pfn->pn", points, rng.normal(size=(20_000, 2, n)))
    lost[n] = np.mean((channels > 0).sum(axis=1) < 2)
plotting.bars(
    {f"{n} channels": 100 * share for n, share in lost.items()},
    alt="Share of points that a ReLU makes unrecoverable: "
    + ", ".join(f"{approx(100 * share, 2)} percent with {n} channels" for n, share in lost.items()),
    xlabel="points lost behind a ReLU, in %",
    form="{:.1f} %",
)

# %%
claim("with 2 channels three quarters are lost", abs(lost[2] - 3 / 4) < 0.02)
claim("with 4 channels five of sixteen", abs(lost[4] - 5 / 16) < 0.02)
claim("with 12, six times the features, under one in a hundred", lost[12] < 0.01)

# %% [markdown]
# So put the ReLU where it is wide, and none where it is narrow.
#
# ## Squeeze-and-excitation: which channels matter here?
#
# A convolution mixes its channels in the same way for every image. **Squeeze-and-excitation** (SE) lets the image have
# a say in how much each channel counts. *Squeeze*: average each channel over the whole map. *Excite*: two small dense
# layers turn these averages into one number between 0 and 1 for each channel. Then every channel is multiplied by its
# number. A picture of the sea can turn down the channels that answer to fur.
#
# With $C$ channels and a ratio $r$ it adds two matrices, $C \times C/r$ and $C/r \times C$, used once for each image
# and not once for each pixel.
#
# **Predict**: add it to all 16 blocks of ResNet-50, with a ratio of 16. How many weights, and how many MACs?

# %%
blocks = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3  # channels that leave the blocks of ResNet-50
added = sum(2 * channels * channels // 16 for channels in blocks)
claim("it adds 2.5 million weights, a tenth of ResNet-50", round(added / 1e6, 1) == 2.5)
claim("and as many MACs, less than a thousandth of its 4.09 G", added < 4.09e9 / 1000)

# %% [markdown]
# Hu and others won the last ImageNet challenge (2017) with it. EfficientNet has one in each block.
#
# ### Exercise 07.2 · Build squeeze-and-excitation
#
# Write it with Keras layers. `x` is a symbolic tensor (height, width, channels). Return a tensor of the same shape: `x`
# times one number per channel, which comes from the channel's mean, a dense layer of `channels // ratio` units with a
# ReLU, and a dense layer of `channels` units with a sigmoid. Both layers have biases. At least one unit is left when
# the ratio is larger than the number of channels.


# %%
def squeeze_excite(x: keras.KerasTensor, ratio: int = 16) -> keras.KerasTensor:
    """x (height, width, channels) with each channel weighted by a number in 0 ... 1 that depends on the image."""
    ### BEGIN SOLUTION
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
    scale = layers.Dense(max(1, channels // ratio), activation="relu")(scale)
    scale = layers.Dense(channels, activation="sigmoid")(scale)
    return layers.Multiply()([x, scale])
    ### END SOLUTION


# %%
exercise("07.2").check(squeeze_excite)

# %% [markdown]
# ## EfficientNet: one number makes it larger
#
# You have a good small network, and twice the budget. Make it *deeper* (more layers), *wider* (more channels), or
# give it *larger images*? A factor of 2 in depth doubles the MACs. A factor of 2 in width makes them four times as
# many, since both sides of each layer grow, and so does a factor of 2 in resolution.
#
# Tan and Le (2019) found that one alone soon stops helping, and that all three together help more. The rule of
# **compound scaling** takes one number $\varphi$ and multiplies
#
# $$\text{depth by } \alpha^\varphi \qquad \text{width by } \beta^\varphi \qquad \text{resolution by } \gamma^\varphi$$
#
# with $\alpha = 1.2$, $\beta = 1.1$, $\gamma = 1.15$, found by a small search. The MACs grow by
# $(\alpha \beta^2 \gamma^2)^\varphi$.

# %%
alpha, beta, gamma = 1.2, 1.1, 1.15
growth = alpha * beta**2 * gamma**2
claim("one step of the rule costs 1.92 times the MACs, about 2", round(growth, 2) == 1.92)

# %% [markdown]
# The network that is scaled, B0, was not drawn by a person. In **neural architecture search** (NAS) a program proposes
# networks from a menu of blocks (kernel 3 or 5, expansion 3 or 6, how many, how wide), each is trained for a short
# while, and a score that rewards accuracy and punishes MACs steers the next proposals. What came out is a table of
# seven rows: inverted residuals with SE. Here it is, and a function that counts its weights for any width and depth.

# %%
models.efficientnet.TABLE  # expansion, channels, repeats, stride, kernel


# %%
def efficientnet_weights(width, depth, classes=1000):
    def channels(count):
        return models.common.scaled(count, width, 8)  # a multiple of 8

    before = channels(32)
    total = 3 * 3 * 3 * before + 2 * before  # the first convolution; each normalisation has 2 per channel
    for expansion, after, repeats, _, kernel in models.efficientnet.TABLE:
        after = channels(after)
        for _ in range(math.ceil(repeats * depth)):
            wide, squeezed = expansion * before, max(1, before // 4)
            total += before * wide + 2 * wide if expansion > 1 else 0
            total += kernel**2 * wide + 2 * wide
            total += wide * squeezed + squeezed + squeezed * wide + wide
            total += wide * after + 2 * after
            before = after
    last = channels(1280)
    return total + before * last + 2 * last + last * classes + classes


# %%
def trainable(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_variables)


with models.common.without_drawing():  # zeros for weights: they are only counted
    b0 = models.EfficientNet("B0")
claim("the function agrees with the network: 5,288,548", efficientnet_weights(1, 1) == trainable(b0) == 5_288_548)

# %% [markdown]
# Now the whole family. Top-1 accuracy on ImageNet is as published, the factors and pixels are the authors', and the
# weights follow from the table. The last three columns ask: which $\varphi$ does the published factor correspond to?

# %%
top1 = {"B0": 77.1, "B1": 79.1, "B2": 80.1, "B3": 81.6, "B4": 82.9, "B5": 83.6, "B6": 84.0, "B7": 84.3}
million_weights, phi = {}, {}
for name, (width, depth, resolution, _) in models.efficientnet.VARIANTS.items():
    million_weights[name] = efficientnet_weights(width, depth) / 1e6
    factors = {alpha: depth, beta: width, gamma: resolution / 224}
    phi[name] = [math.log(factor) / math.log(base) for base, factor in factors.items()]
    print(
        f"{name}  width {width}  depth {depth}  {resolution} pixels  {million_weights[name]:4.1f} M  {top1[name]} %"
        "   phi by depth {:3.1f}, width {:3.1f}, resolution {:3.1f}".format(*phi[name])
    )

# %%
plotting.curves(
    {"EfficientNet": list(top1.values())},
    x=list(million_weights.values()),
    xlabel="weights, in millions",
    ylabel="top-1 on ImageNet, in %",
    alt="Published top-1 accuracy of EfficientNet B0 to B7 over their weights. It climbs from 77.1 percent at 5.3 "
    "million to 82.9 at 19 million, and flattens to 84.3 at 66 million.",
    markers=True,
)

# %%
ends = (round(million_weights["B0"], 1), round(million_weights["B7"]))
claim("from 5.3 to 66 million weights, from 77.1 to 84.3 percent", ends == (5.3, 66))
halves = (million_weights["B4"] - million_weights["B0"], million_weights["B7"] - million_weights["B4"])
claim(
    "the first 14 million weights buy 5.8 points", round(halves[0]) == 14 and round(top1["B4"] - top1["B0"], 1) == 5.8
)
claim("the next 47 million buy 1.4", round(halves[1]) == 47 and round(top1["B7"] - top1["B4"], 1) == 1.4)
claim("for B7 the three phi lie between 6 and 7.5", all(6 < value < 7.5 for value in phi["B7"]))

# %% [markdown]
# By the rule all three columns would agree. They do not: B1 is no wider than B0, and B7 has gone 6 steps in depth and 7
# in width. It is a guide and no law of nature. The other lesson of the curve: from network to network, each further
# point costs more weights than the one before.
#
# ### Exercise 07.3 · Scale a network by phi
#
# Write the rule. `stages` is a list of (channels, repeats). Return a pair: the scaled list, and the scaled resolution.
# Repeats are multiplied by $1.2^\varphi$ and rounded *up*, channels by $1.1^\varphi$ and rounded to the nearest
# multiple of 8 (at least 8), the resolution by $1.15^\varphi$ and rounded to the nearest whole number. `phi` need not
# be whole, and 0 changes nothing. Raise a `ValueError` for a negative `phi`.
#
# For example, `scale([(16, 1), (48, 2)], 224, phi=1)` is `([(16, 2), (56, 3)], 258)`.


# %%
def scale(stages: list[tuple[int, int]], resolution: int, phi: float) -> tuple[list[tuple[int, int]], int]:
    """([(channels, repeats), ...], resolution) of a network scaled by phi; ValueError if phi is negative."""
    ### BEGIN SOLUTION
    if phi < 0:
        raise ValueError(f"phi must be 0 or more, got {phi}")
    scaled = []
    for channels, repeats in stages:
        multiple = max(8, int(channels * 1.1**phi / 8 + 0.5) * 8)
        scaled.append((multiple, math.ceil(repeats * 1.2**phi)))
    return scaled, round(resolution * 1.15**phi)
    ### END SOLUTION


# %%
exercise("07.3").check(scale)

# %% [markdown]
# ## ConvNeXt: a ConvNet that learnt from transformers
#
# By 2021 transformers led on ImageNet. A **transformer** is a network that cuts the image into patches and lets every
# patch look at others, which is called **attention**. Liu and others (2022) took a ResNet-50 and changed one thing at a
# time towards a transformer, without its attention. Much of the gap was not the architecture: training ResNet-50 by the
# newer recipe alone brought it from 76.1 to 78.8 %. The rest, up to 82.0 %, came from the first layer, the number of
# blocks in each stage, the layers that shrink the maps between the stages, and the block. Here is the block.


# %%
image = keras.Input((56, 56, 96), name="maps")
modern = trace(keras.Model(image, models.convnext_block(image, "block")))
modern

# %% [markdown]
# - *7x7 depthwise*: a large window is cheap when no channels are mixed.
# - *An inverted bottleneck*: 96 channels, 384, 96. As in MobileNetV2, but with the depthwise layer at the narrow end.
#   The two `Dense` layers work on the channels of each pixel: they are its 1x1 convolutions.
# - **LayerNorm** in place of batch normalisation, once in each block. It normalises each pixel over its channels, so it
#   does the same in training and inference, and for any batch.
# - **GELU** in place of ReLU, once in each block. It is $x$ times the probability that a normal random number is below
#   $x$: a ReLU with a round corner. It is part of the layer `block_expand`.
# - **LayerScale** before the shortcut: one learnt factor for each channel. It begins near 0, so that at first the block
#   passes on what came in.

# %%
plotting.block_widths(
    {
        "ResNet-50": [("maps", 256), ("1x1", 64), ("3x3", 64), ("1x1", 256)],
        "MobileNetV2": [("maps", 24), ("1x1", 144), ("3x3 depthwise", 144), ("1x1", 24)],
        "ConvNeXt": [("maps", 96), ("7x7 depthwise", 96), ("1x1", 384), ("1x1", 96)],
    }
)
depthwise = modern["block_depthwise"]
widths = [modern[f"block_{name}"].output_shape[-1] for name in ("depthwise", "expand", "project")]
claim("ConvNeXt's block has 96, 384 and 96 channels", widths == [96, 384, 96])
claim("the window of 7 costs 6 percent of the block", round(100 * depthwise.macs / modern.total_macs) == 6)
claim("an ordinary 7x7 would cost 96 times as much", arithmetic.conv_macs((56, 56), 7, 96, 96) == 96 * depthwise.macs)
claim("the block sees 7 pixels, as three 3x3 do", modern["block_add"].receptive_field == 7)

# %% [markdown]
# ## Eight families, ten million MACs
#
# Back to the race, with every family at the start. To be fair each gets about the same work: 8 to 13 million MACs for
# an image of 32x32.

# %%
small = (32, 32, 3)
networks = {
    "LeNet-5": models.LeNet5(small, 10, variant="modern", width=5),
    "VGG": models.SmallVGG(small, filters=(16, 32, 64)),
    "ResNet": models.CifarResNet(8),
    "Inception": models.SmallInception(small, width=0.1875),
    "DenseNet": models.DenseNet(13, small, growth=8),
    "MobileNetV2": light,
    "EfficientNet-B0": models.EfficientNet("B0", small, 10),
    "ConvNeXt": models.ConvNeXt("small_images", small, 10, width=0.5),
}
traces = {name: trace(model) for name, model in networks.items()}
macs = {name: traced.total_macs / 1e6 for name, traced in traces.items()}
weights = {name: traced.total_parameters for name, traced in traces.items()}
memory = {name: 4 * sum(math.prod(row.output_shape) for row in traces[name]) / 1e6 for name in traces}
for name in networks:
    print(f"{name:16} {macs[name]:5.1f} M MACs {weights[name]:>9,} weights {memory[name]:5.2f} MB of maps")
claim("all need 8 to 13 million MACs", all(8 < value < 13 for value in macs.values()))
claim("MobileNetV2 keeps eight times the maps of VGG", memory["MobileNetV2"] > 8 * memory["VGG"])

# %% [markdown]
# `memory` is what all layers return for one image, at 4 bytes a number: about what training has to keep for the
# backward pass. It is counted, not measured, since every backend reuses memory in its own way.
#
# **Predict**: equal work. Are they equally fast? Are they equally accurate?
#
# Time them for one image, and two of them for 64 at once. How many images are done in a second is the **throughput**.

# %% tags=["nbval-ignore-output"]
one_image = {name: milliseconds(model, cifar.x_test[:1]) for name, model in networks.items()}
batch = {name: milliseconds(networks[name], cifar.x_test[:64], repeats=5) for name in ("ResNet", "MobileNetV2")}
for name in networks:
    print(f"{name:16} one image {approx(one_image[name], 2)} ms")
for name, value in batch.items():
    measured(f"{name}, throughput with 64 at once", 64_000 / value, "images a second")
measured("for one image the slowest takes", max(one_image.values()) / min(one_image.values()), "× the fastest's time")
claim("MobileNetV2 needs fewer MACs than ResNet", macs["MobileNetV2"] < macs["ResNet"])
for number, times in {"one image": one_image, "64 images": batch}.items():
    measured(f"but for {number} it takes", times["MobileNetV2"] / times["ResNet"], "× ResNet's time")

# %% [markdown]
# Now the accuracy. One pass over 8,000 images of CIFAR-10, 250 steps, one recipe for all, tuned for none. These runs
# are stored, from this same cell with three seeds. You train the VGG, on 4,800 images, in 150 steps.

# %%
families = Experiment("07_families")
names, count = families.pick(stored=(list(networks), 8000), live=(["VGG"], 4800))
steps = math.ceil(count / 32)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
accuracy = {}
for name in names:
    model, rate = networks[name], training.warmup_cosine(0.003, steps, warmup=steps // 10)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    training.fit(model, cifar.x_train[:count], cifar.y_train[:count], batch_size=32, label=name)
    classes = model.predict(cifar.x_test, batch_size=500, verbose=0).argmax(axis=-1)
    accuracy[name] = 100 * np.mean(classes == cifar.y_test)
families.keep(accuracy=accuracy)

# %% [markdown]
# In the figure a marker stands at the mean of the stored runs, with a line from the worst to the best, and its area
# grows with the number of weights. Cheap is left.

# %%
runs = families.stored["accuracy"].columns()
plotting.cost_scatter(
    runs,
    {
        "M MACs": macs,
        "one image, in ms": one_image,
        "MB of maps": memory,
    },
    weights=weights,
    live={"VGG": accuracy["VGG"]},
    alt="Accuracy of eight families after 250 steps over three costs. In the first panel all stand in one column, at 8 "
    "to 13 million MACs. In the other two, time and memory, they lie far apart. "
    + " ".join(f"{name}: {approx(np.mean(runs[name]), 2)} percent, {approx(one_image[name], 2)} ms." for name in runs),
)

# %%
thin = [name for name, traced in traces.items() if any(row.type == "DepthwiseConv2D" for row in traced)]
best = max(max(runs[name]) for name in thin)
others = [min(runs[name]) for name in networks if name not in thin]
claim("three families have depthwise layers", thin == ["MobileNetV2", "EfficientNet-B0", "ConvNeXt"])
claim("the other five are 5 points above them, each in its worst run", min(others) > best + 5)
claim("the VGG that you have trained is above all three after 150", accuracy["VGG"] > best + 2)
last = list(traces["EfficientNet-B0"].only("Conv2D"))[-1]
claim("the last layers of EfficientNet-B0 see a map of one pixel", last.output_shape[:2] == (1, 1))

# %% [markdown]
# Equal work is neither equal time nor equal accuracy. For about the same multiplications the depthwise families know
# less after 250 steps. This shows what learns fast under one recipe, and not what is best in the end: on ImageNet,
# after many passes, EfficientNet-B0 and ConvNeXt-T are ahead, as the table below shows. Why they are slow to learn
# here, this run does not tell. Nor were they all made for this size: EfficientNet-B0, made for 224 pixels, ends here in
# a map of one.
#
# Three of the families come with weights that were trained longer, in several passes over all 50,000 images, with more
# channels or layers than here. Their accuracy on the 10,000 official test images:

# %%
for name in ("small_vgg_cifar10", "resnet20_cifar10", "mobilenetv2_cifar10"):
    card = datasets.weights_card(name)
    measured(f"{name}, {card['parameters']:,} weights, {card['epochs']} passes, accuracy", 100 * card["accuracy"], "%")

# %% [markdown]
# Look at the passes before you compare. MobileNetV2 has made only a few, since on a CPU each took it several times as
# long as the other two. What it would reach with as many, these numbers do not tell.
#
# ## Why fewer multiplications can take longer
#
# A processor multiplies faster than it fetches. What counts is how many multiplications a layer does with each number
# that it moves: the **arithmetic intensity** (Williams and others 2009), here MACs divided by the numbers read and
# written.
#
# **Predict**: 64 channels at 32x32. How many MACs for each number moved, for an ordinary 3x3, for a 1x1, and for a
# depthwise 3x3?


# %%
def intensity(kernel, channels, size, groups=1):
    moved = 2 * size * size * channels  # the maps, in and out
    moved += arithmetic.conv_parameters(kernel, channels, channels, bias=False, groups=groups)
    return arithmetic.conv_macs((size, size), kernel, channels, channels, groups=groups) / moved


intensities = {
    "ordinary 3x3": intensity(3, 64, 32),
    "1x1": intensity(1, 64, 32),
    "depthwise 3x3": intensity(3, 64, 32, groups=64),
}
plotting.bars(
    intensities,
    alt="MACs for each number moved: 225 for an ordinary 3x3 with 64 channels, 31 for a 1x1, 4.5 for a depthwise 3x3.",
    xlabel="MACs for each number moved",
    form="{:.3g}",
)

# %%
calls = {name: len(traces[name]) - 1 for name in ("VGG", "MobileNetV2")}  # one row is the input
claim("an ordinary 3x3 makes 225 MACs of each number", round(intensities["ordinary 3x3"]) == 225)
claim("a depthwise 3x3 makes 4.5: fifty times fewer", round(intensities["depthwise 3x3"], 1) == 4.5)
claim("and MobileNetV2 has six times the layers of VGG", calls["MobileNetV2"] > 5.5 * calls["VGG"])

# %% [markdown]
# So there are two traps.
#
# - *Thin layers wait for memory.* Depthwise layers, normalisations, activations and concatenations move many numbers
#   and compute little with each.
# - *Every layer costs a call.* The smaller the image, the less there is to compute in each call, and the more the
#   number of calls counts. The next exercise shows how much.
#
# How deep you fall depends on the machine, the library and the size (Ma and others 2018). On a telephone whose library
# has a good depthwise kernel, the order may be another. MACs are a fact about a network, latency is a fact about a
# network *on a machine*: measure it there.
#
# ### Exercise 07.4 · Predict, then measure
#
# Three networks for images of 16x16 with 3 channels. Write down your order first, the fastest for *one* image in
# front. Then measure with `milliseconds`, and give the measured `order`, a list of the three names.


# %%
def chain(kind, count, filters):
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(filters, 3, padding="same")(image)
    for _ in range(count):
        x = kind(filters, 3, padding="same", activation="relu")(x)
    return keras.Model(image, x)


contestants = {
    "thin": chain(layers.SeparableConv2D, count=120, filters=2),
    "broad": chain(layers.Conv2D, count=1, filters=48),
    "middle": chain(layers.SeparableConv2D, count=24, filters=8),
}
for name, model in contestants.items():
    print(f"{name:7} {trace(model).total_macs:>10,} MACs")

# %%
### BEGIN SOLUTION
order = ["broad", "middle", "thin"]
### END SOLUTION

# %%
exercise("07.4").check(order)

# %% [markdown]
# ## The families in one table
#
# From LeNet to ConvNeXt, each built at the size that its authors trained, and counted. Top-1 accuracy is on ImageNet,
# from one look at each image: of torchvision's weights for AlexNet, VGG-16 and ResNet-50, as published for the others.
# The larger EfficientNets have their weights from the function above and their MACs from the paper. VGG-16 is built
# without its three dense layers. They hold 124 of its 138 million weights, half a gigabyte, and are reckoned.
#
# Read the accuracies with care: each network was trained by the recipe of its own time. ResNet-50, with 76.1 % in the
# table, has 78.8 % by the recipe of ConvNeXt. So not all of a gap is the architecture.

# %%
builders = {  # year, top-1 in %, how to build it
    "LeNet-5": (1998, None, models.LeNet5),
    "AlexNet": (2012, 56.5, models.AlexNet),
    "VGG-16": (2014, 71.6, lambda: features(models.VGG(16, head="gap"), "gap")),
    "ResNet-50": (2015, 76.1, lambda: models.ResNet(50)),
    "DenseNet-40": (2016, None, models.DenseNet),
    "MobileNetV2": (2018, 72.0, models.MobileNetV2),
    "EfficientNet-B0": (2019, 77.1, lambda: b0),
    "ConvNeXt-T": (2022, 82.1, models.ConvNeXt),
}
left_out = {"VGG-16": [(7 * 7 * 512, 4096), (4096, 4096), (4096, 1000)]}


def features(model, name):
    return keras.Model(model.input, model.get_layer(name).output)


# %%
table = {}
for name, (year, top, build) in builders.items():
    with models.common.without_drawing():
        model = build()
    traced, dense = trace(model), left_out.get(name, [])
    weights_of_dense = sum(arithmetic.dense_parameters(*sizes) for sizes in dense)
    table[name] = {
        "year": year,
        "pixels": model.input_shape[1],
        "millions": (trainable(model) + weights_of_dense) / 1e6,
        "macs": (traced.total_macs + sum(math.prod(sizes) for sizes in dense)) / 1e9,
        "top1": top,
        "depthwise": any(row.type == "DepthwiseConv2D" for row in traced),
    }
    del model, traced
    keras.utils.clear_session()  # gives the memory back

# %%
published_macs = {"B1": 0.70, "B2": 1.0, "B3": 1.8, "B4": 4.2, "B5": 9.9, "B6": 19, "B7": 37}  # in G, from the paper
for name, giga in published_macs.items():
    pixels = models.efficientnet.VARIANTS[name][2]
    entry = {"year": 2019, "pixels": pixels, "millions": million_weights[name], "macs": giga}
    table[f"EfficientNet-{name}"] = entry | {"top1": top1[name], "depthwise": True}

for name, row in sorted(table.items(), key=lambda item: item[1]["year"]):
    top = f"{row['top1']} %" if row["top1"] else "-"
    size = f"{row['millions']:7.2f} M weights {1000 * row['macs']:>8,.1f} M MACs"
    print(f"{row['year']}  {name:16} {row['pixels']:>4} pixels {size}  {top}")

# %%
found = {name: round(row["millions"], 2) for name, row in table.items()}
claim("LeNet-5 has 0.06 M weights, VGG-16 138.36 M", (found["LeNet-5"], found["VGG-16"]) == (0.06, 138.36))
claim("ResNet-50 has 25.56 M, MobileNetV2 3.50 M", (found["ResNet-50"], found["MobileNetV2"]) == (25.56, 3.50))
claim(
    "EfficientNet-B0 has 5.29 M, ConvNeXt-T 28.59 M", (found["EfficientNet-B0"], found["ConvNeXt-T"]) == (5.29, 28.59)
)
ratio = table["ConvNeXt-T"]["macs"] / table["VGG-16"]["macs"]
gain = table["ConvNeXt-T"]["top1"] - table["VGG-16"]["top1"]
claim("ConvNeXt-T: less than a third of VGG-16's work, 10.5 points more", ratio < 1 / 3 and round(gain, 1) == 10.5)

# %% [markdown]
# ## A guide that runs
#
# "Which network should I take?" has no answer before you say what the job allows. This function takes the limits and
# returns the most accurate family within them. A weight takes 4 bytes.


# %%
def guide(megabytes=math.inf, giga_macs=math.inf, pixels=math.inf, depthwise_is_fast=True):
    fitting = {
        name: row["top1"]
        for name, row in table.items()
        if row["top1"]
        and 4 * row["millions"] <= megabytes
        and row["macs"] <= giga_macs
        and row["pixels"] <= pixels
        and (depthwise_is_fast or not row["depthwise"])
    }
    return max(fitting, key=fitting.get, default=None)


# %%
claim("with no limits at all it is the largest, B7", guide() == "EfficientNet-B7")
claim("with 25 MB for the weights it is B0", guide(megabytes=25) == "EfficientNet-B0")
claim("with images of 224 pixels and 1 G MACs also B0", guide(giga_macs=1, pixels=224) == "EfficientNet-B0")
claim("with 10 MB nothing in this table fits", guide(megabytes=10) is None)

# %% [markdown]
# What it does not know is as important: the licence, whether weights exist for a problem like yours (lesson 09), and
# your clock. Let it make a list, and measure what is on it.
#
# ### Exercise 07.5 · Three briefs
#
# Choose from the table for each of these, the most accurate network that fulfils *everything* the brief says.
#
# - `phone`: names plants without a network connection. The weights are part of the app and may add at most 15 MB,
#   stored as float32. The telephone has a fast library for depthwise layers.
# - `factory`: a camera over a belt, with an accelerator card bought years ago. Depthwise layers run at a tenth of its
#   speed, which rules them out. At most 5 G MACs for each picture. Memory is no concern.
# - `archive`: 20 million scans of 224x224 pixels, to be enlarged under no circumstances, on a rented GPU. At most 5 G
#   MACs for each, to pay the bill.
#
# Write the names as they stand in the table.

# %%
### BEGIN SOLUTION
phone = "MobileNetV2"
factory = "ResNet-50"
archive = "ConvNeXt-T"
### END SOLUTION

# %%
exercise("07.5").check({"phone": phone, "factory": factory, "archive": archive})

# %% [markdown]
# ## Recap
#
# - A 1x1 before the 3x3 leaves 53,248 of 589,824 weights. Inception puts such branches side by side, DenseNet keeps
#   all maps and pays in memory.
# - Depthwise separable: $1/C_\text{out} + 1/k^2$ of the work. The inverted residual is wide where the layer is
#   depthwise, narrow at the shortcut, and has no ReLU at its narrow end.
# - Squeeze-and-excitation weighs channels by the image, for a tenth more weights and almost no MACs.
# - Compound scaling: $\alpha \beta^2 \gamma^2 \approx 2$. Returns fall: B0 to B4 buys 5.8 points, B4 to B7 1.4.
# - ConvNeXt: 7x7 depthwise, LayerNorm, GELU, inverted bottleneck, and a newer training recipe.
# - Equal MACs are not equal time. Count layers and numbers moved, and measure on the machine that will do the job.
#
# ## Explain it
#
# **A network with a quarter of the FLOPs is slower on your server. Give two reasons, and say how you would find out.**
#
# <details><summary>Model answer</summary>
#
# First, arithmetic intensity: depthwise layers, normalisations and concatenations do few operations for each number
# moved, so the memory is the limit and not the arithmetic units. Second, overhead: every layer is a call, and a
# network of many thin layers makes many calls, which dominate for one small image. To find out, time each layer with
# a profiler, and vary the batch size: if a batch of ten takes hardly longer than one image, it was overhead. If it
# takes ten times as long while the arithmetic units idle, it is memory.
#
# </details>
#
# **Why has the inverted residual no activation at its end?**
#
# <details><summary>Model answer</summary>
#
# Its end is narrow. A ReLU sets about half of the values to zero. In a wide layer the same information is spread over
# other channels and survives. In a narrow one it is lost for good, and the shortcut would carry the loss through the
# whole stage. The activations stand in the wide part, and the narrow ends stay linear.
#
# </details>
#
# **You may double the compute of a network. Where do you put it?**
#
# <details><summary>Model answer</summary>
#
# A little into each of depth, width and resolution, since each alone saturates. MACs grow linearly with depth and with
# the square of width and of resolution, so one step of EfficientNet's rule takes 1.2, 1.1 and 1.15, which costs 1.92.
# It is a starting point: check that the images have the extra resolution, that the memory suffices (it grows with the
# square of the resolution too), and that data or training are not the real limit.
#
# </details>
#
# ## What comes next
#
# You know the networks. In [lesson 08](../notebooks/08_data_and_augmentation.ipynb) you turn to what they are fed:
# splits that do not leak, labels that are wrong, and images that are made from images.
#
# ## References
#
# - J. Hu, L. Shen and G. Sun (2018). Squeeze-and-excitation networks. *CVPR*.
# - A. Howard and others (2017). MobileNets: efficient convolutional neural networks for mobile vision applications.
#   *arXiv*.
# - G. Huang, Z. Liu, L. van der Maaten and K. Weinberger (2017). Densely connected convolutional networks. *CVPR*.
# - A. Krizhevsky, I. Sutskever and G. Hinton (2012). ImageNet classification with deep convolutional neural networks.
#   *NeurIPS*.
# - K. He, X. Zhang, S. Ren and J. Sun (2016). Deep residual learning for image recognition. *CVPR*.
# - Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell and S. Xie (2022). A ConvNet for the 2020s. *CVPR*.
# - N. Ma, X. Zhang, H.-T. Zheng and J. Sun (2018). ShuffleNet V2: practical guidelines for efficient CNN architecture
#   design. *ECCV*.
# - M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen (2018). MobileNetV2: inverted residuals and linear
#   bottlenecks. *CVPR*.
# - K. Simonyan and A. Zisserman (2015). Very deep convolutional networks for large-scale image recognition. *ICLR*.
# - C. Szegedy and others (2015). Going deeper with convolutions. *CVPR*.
# - M. Tan and Q. Le (2019). EfficientNet: rethinking model scaling for convolutional neural networks. *ICML*
#   (table 2, accuracies as in the revised version of 2020, arXiv:1905.11946v5).
# - TorchVision maintainers (2016). TorchVision: PyTorch's computer vision library. *GitHub*.
# - S. Williams, A. Waterman and D. Patterson (2009). Roofline: an insightful visual performance model for multicore
#   architectures. *Communications of the ACM*.
