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
# # 06 · Batch normalisation and ResNet
#
# **Why does a network get worse when you make it deeper, and what put an end to it?**
#
# When you have worked through this page you can
# - compute batch normalisation by hand, forwards and backwards, and say where each of its numbers comes from
# - say what it buys, by measurement, and what is known of the reason
# - recognise the two ways in which it goes wrong: statistics that lag behind, and batches that are too small
# - measure degradation, and tell it from overfitting
# - build residual blocks, and count the layers and weights of any ResNet from its table
#
# **Before this**: [05 From AlexNet to VGG](../notebooks/05_alexnet_to_vgg.ipynb) · **Reading** 55 min ·
# **Exercises** 55 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 Four numbers | What does batch normalisation compute? | 18 |
# | 2 What it buys | Does it help, and does anybody know why? | 23 |
# | 3 What it costs | When is it free, and when does it fail? | 21 |
# | 4 Deeper | Why do deep networks get worse, and what does a shortcut change? | 14 |
# | 5 A family | How are five networks made from one table? | 21 |
# | 6 Start shallow | How does a deep network begin, and how far does it get? | 13 |
#
# [← 05 From AlexNet to VGG](../notebooks/05_alexnet_to_vgg.ipynb) · [Course map](../README.md) ·
# [07 Efficient and modern blocks →](../notebooks/07_efficient_and_modern_blocks.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="06")

# %%
import gc

import keras
import numpy as np
from keras import layers, ops

from cnnlib import claim, datasets, exercise, gradients, models, plotting, predict, reference, reveal, training
from cnnlib.claims import approx, measured
from cnnlib.models import resnet
from cnnlib.results import Experiment
from cnnlib.trace import trace

# %% [markdown]
# ## Part 1 · Four numbers
#
# **What does batch normalisation compute?**
#
# VGG has up to 19 layers, and its authors started the deep ones from a shallow one that they had trained before. Two
# ideas of 2015 brought a hundred layers and more within reach. The first takes one line.
#
# Take one channel, and say that in a batch of four it has the values 2, 4, 4 and 6. Subtract their mean and divide by
# their standard deviation. They become -1.41, 0, 0 and 1.41.
#
# **Predict**: the channel grows tenfold. What becomes of its largest value?

# %%
predict("06.a", "20, 40, 40 and 60, less their mean, over their standard deviation: what becomes of the 60?")

# %%
numbers = np.array([2.0, 4.0, 4.0, 6.0])
normalised = (numbers - numbers.mean()) / numbers.std()
claim("they become -1.41, 0, 0 and 1.41", np.array_equal(normalised.round(2), [-1.41, 0, 0, 1.41]))
tenfold = (10 * numbers - (10 * numbers).mean()) / (10 * numbers).std()
claim("ten times as large, they become the same", np.allclose(tenfold, normalised))
reveal("06.a", tenfold[-1])

# %% [markdown]
# That is the idea. However the layers before it stretch and shift a channel, the layer behind it sees
# numbers of mean 0 and variance 1. What that is good for is the question of part 2.
#
# **Batch normalisation** (Ioffe and Szegedy 2015) gives each channel mean 0 and variance 1, over all pixels of all
# images of the batch. Then it gives back the freedom that it took, with two weights for each channel that are learnt:
#
# $$y = \gamma\,\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta$$
#
# $\mu$ and $\sigma^2$ are the mean and the variance of the channel, $\gamma$ and $\beta$ the learnt scale and shift,
# and $\varepsilon$ is a small number against division by zero, 0.001 in Keras. Compare with the layer of Keras, on
# pictures of CIFAR-10 that we halve to 16 by 16 pixels for this page.

# %%
cifar = datasets.cifar10(size=2000)
x_train, y_train = reference.avg_pool2d(cifar.x_train, 2), cifar.y_train
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
batch = x_train[:32]

layer = layers.BatchNormalization()  # gamma starts at 1, beta at 0
by_keras = ops.convert_to_numpy(layer(batch, training=True))
mean, variance = batch.mean(axis=(0, 1, 2)), batch.var(axis=(0, 1, 2))
by_hand = (batch - mean) / np.sqrt(variance + 0.001)
claim("one mean and one variance for each of three channels", mean.shape == variance.shape == (3,))
claim("by hand and by Keras agree to 1e-4", np.abs(by_hand - by_keras).max() < 1e-4)

# %% [markdown]
# ### Exercise 06.1 · The forward pass
#
# ●○○ · 8 min
#
# Write batch normalisation for arrays of any rank whose last axis holds the channels. With `mean` and `variance`
# given it uses these, otherwise those of the batch, where the variance divides by the count, as `np.var` does. Only
# one of the two given is a mistake: raise a `ValueError`.
#
# For example, for the channel above, as `x` of shape (4, 1), with $\gamma = 3$, $\beta = 1$ and $\varepsilon = 0$, it
# returns -3.24, 1, 1 and 5.24. With mean 0 and variance 4 given instead, it returns 4, 7, 7 and 10.


# %%
def batch_norm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray | None = None,
    variance: np.ndarray | None = None,
    epsilon: float = 1e-3,
) -> np.ndarray:
    """Normalised x (..., channels); gamma, beta, mean, variance: (channels,). ValueError for half a statistic."""
    ### BEGIN SOLUTION
    if (mean is None) != (variance is None):
        raise ValueError("give both mean and variance, or neither")
    if mean is None:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    ### END SOLUTION


# %%
exercise("06.1").check(batch_norm)

# %% [markdown]
# ### In other company
#
# No layer before this one let two images of a batch know of each other. This one does.
#
# Put the same picture once among the 31 brightest pictures and once among the 31 darkest, and see what becomes of it.

# %%
by_brightness = x_train[np.argsort(x_train.mean(axis=(1, 2, 3)))]
picture = x_train[:1]
among = {"dark": by_brightness[:31], "bright": by_brightness[-31:]}


def came_out(training):
    """The mean of what becomes of the picture, in each company."""
    outputs = [layer(np.concatenate([picture, others]), training=training) for others in among.values()]
    return [float(ops.convert_to_numpy(output)[0].mean()) for output in outputs]


for_training = came_out(training=True)
claim("in training it depends on the company, by more than one standard deviation", np.ptp(for_training) > 1)
claim("at inference it does not", np.ptp(came_out(training=False)) < 1e-5)

# %% [markdown]
# In training this is a noise that one puts up with. At inference, an answer must not depend on who else
# asks. So the layer keeps **running statistics**, averages over many batches: after each training batch, with the
# momentum $m$ and the batch's mean $\mu$,
#
# $$r \leftarrow m\,r + (1 - m)\,\mu$$
#
# and likewise for the variance. The mean starts at 0 and the variance at 1. At inference, they stand in for $\mu$ and
# $\sigma^2$. These are the *non-trainable* weights of the summary: no gradient reaches them.
#
# **Predict**: Keras has $m = 0.99$. After 10 batches, how much of the running mean stems from data?

# %%
predict("06.b", "What share of the running mean stems from data after 10 batches?", unit="%")

# %%
layer = layers.BatchNormalization()
running = np.zeros(3)
for start in range(0, 320, 32):
    layer(x_train[start : start + 32], training=True)
    running = 0.99 * running + 0.01 * x_train[start : start + 32].mean(axis=(0, 1, 2))

claim("by hand and by Keras agree to 1e-5", np.abs(running - ops.convert_to_numpy(layer.moving_mean)).max() < 1e-5)
share = 1 - 0.99**10
reveal("06.b", 100 * share)
lag = running / x_train[:320].mean(axis=(0, 1, 2))
claim("so the running mean is near a tenth of what it should be", np.abs(lag - share).max() < 0.01)
claim("99 % of it is data after 44 batches at momentum 0.9", 1 - 0.9**44 > 0.99 > 1 - 0.9**43)
claim("and after 459 at 0.99", 1 - 0.99**459 > 0.99 > 1 - 0.99**458)

# %% [markdown]
# Here is a bug report that you will meet: *it learns well, and evaluation says it guesses*. Training uses the
# statistics of the batch, evaluation the running ones, and after a short run these still describe the initial 0 and 1.
# For short runs take a momentum of 0.9, as `cnnlib.models` does. Beware of names: PyTorch calls 0.1 what Keras calls
# 0.9, since there the momentum is the share of the new batch.
#
# **So far**: batch normalisation gives each channel mean 0 and variance 1 over the batch, then a learnt scale and
# shift. At inference running statistics take the batch's place, and they lag.
#
# ## Part 2 · What it buys
#
# **Does it help, and does anybody know why?**
#
# On the way forward the scale of the weights no longer counts. On the way back the mean and the variance count too:
# they are made of the values that they normalise. Nudge one value of a channel, and all of its outputs move.
#
# Two things follow without any calculus. Add the same number to a whole channel: nothing comes out different, so the
# gradient by $x$ sums to 0. Stretch the channel around its mean: nothing changes either, if $\varepsilon$ is 0. So the
# gradient is at right angles to the normalised values, too.
#
# ### Exercise 06.2 · The way back
#
# ●●● · 15 min
#
# `upstream` is the gradient of the loss by each output, in the shape of `x`. Return the gradients by `x`, by $\gamma$
# and by $\beta$, in training, for arrays of any rank whose last axis holds the channels. Derive them; a numerical slope
# tells you whether you are right.
#
# For example, for the channel 2, 4, 4, 6 with $\gamma = 1$, $\varepsilon = 0$ and the upstream gradient 1, 0, 0, 0,
# they are 0.177, -0.177, -0.177, 0.177; then -1.41; then 1.


# %%
def batch_norm_backward(
    upstream: np.ndarray, x: np.ndarray, gamma: np.ndarray, epsilon: float = 1e-3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients by x (..., channels), by gamma and by beta, both (channels,), of batch normalisation in training."""
    ### BEGIN SOLUTION
    axes = tuple(range(x.ndim - 1))
    deviation = np.sqrt(x.var(axis=axes) + epsilon)
    normalised = (x - x.mean(axis=axes)) / deviation
    by_gamma, by_beta = (upstream * normalised).sum(axis=axes), upstream.sum(axis=axes)
    moved = upstream.mean(axis=axes) + normalised * (upstream * normalised).mean(axis=axes)
    return gamma / deviation * (upstream - moved), by_gamma, by_beta
    ### END SOLUTION


# %%
exercise("06.2").check(batch_norm_backward)

# %% [markdown]
# ### What the scale of the weights does
#
# Take a plain network of 8 layers, seven of them with 3x3 kernels, and double all of these kernels.
#
# **Predict**: with batch normalisation behind each. How many times as long does the gradient of the first kernel
# become?

# %%
predict("06.c", "The gradient of the first kernel, over what it was before the kernels were doubled?")


# %% jupyter={"source_hidden": true}
def scores_and_gradient(norm, factor):
    """Standard deviation of the scores, and length of the gradient by the first kernel, at the start."""
    keras.utils.set_random_seed(runtime.seed())
    model = models.CifarResNet(8, input_shape=(16, 16, 3), width=0.5, residual=False, norm=norm)
    model.set_weights([each * factor if each.ndim == 4 else each for each in model.get_weights()])
    scores = ops.convert_to_numpy(model(x_train[:32] - 0.5, training=True))
    _, gradient = gradients.model_value_and_grad(model, loss, jit=False)(x_train[:32] - 0.5, y_train[:32])
    return np.array([scores.std(), np.linalg.norm(gradients.by_layer(model, gradient)["stem_conv"]["kernel"])])


# %%
without, normed = (scores_and_gradient(norm, 2) / scores_and_gradient(norm, 1) for norm in (None, "batch"))
measured("without normalisation the scores grow by a factor", without[0], digits=3)
measured("with it", normed[0], digits=3)
claim("without: 2 to the power of 7", abs(without[0] / 2**7 - 1) < 0.01)
claim("with: they stay, within 5 %", abs(normed[0] - 1) < 0.05)
reveal("06.c", normed[1])
claim("the gradient halves, within 10 %", abs(normed[1] - 0.5) < 0.05)

# %% [markdown]
# Without normalisation an initialisation that is off by a factor of 2 is off by 128 behind seven layers. With it the
# answer stays. And the gradient halves: a step of the same rate changes weights of twice the size by half as much, a
# quarter of what it was in proportion. Each step stands at right angles to the weights and makes them
# longer, so that too large a rate tames itself.
#
# That much is arithmetic. Ioffe and Szegedy report what it is worth: their Inception reached the same accuracy on
# ImageNet with normalisation in a fourteenth of the steps, at higher rates. No run on this page repeats that.
#
# ### The reason
#
# Ioffe and Szegedy call the reason **internal covariate shift**, the change of a layer's inputs while the layers before
# it learn. A layer that has to follow a moving target learns slowly, they say, and normalisation holds the target
# still.
#
# Santurkar and others (2018) put that to the test. They add noise *behind* the normalisation, with another mean and
# variance at each step: the inputs shift more than without any normalisation, and the network still trains about as
# well. What they find changed is the loss along the gradient: it is smoother, so a long step is a safer one. This
# refutes the first reason as they measured it, and makes the second likely. Neither is tested here.
#
# Conv, norm, ReLU is the usual order, and the one on this page. Behind ReLU, the normalisation hands on both signs.
# Which order learns better no run here tests.
#
# **So far**: the gradient of batch normalisation knows neither a shift nor a stretch of its channel. Behind it the
# scale of the weights no longer matters, and larger weights take smaller steps.

# %% [markdown]
# ## Part 3 · What it costs
#
# **When is it free, and when does it fail?**
#
# A convolution adds a bias to each channel. Behind it stands a batch normalisation.
#
# Add 5 to that bias, and see what changes behind the normalisation.

# %%
keras.utils.set_random_seed(0)
convolution = layers.Conv2D(8, 3)
before = ops.convert_to_numpy(layers.BatchNormalization()(convolution(batch), training=True))
convolution.bias.assign(np.full(8, 5.0, "float32"))
after = ops.convert_to_numpy(layers.BatchNormalization()(convolution(batch), training=True))
claim("nothing, up to 1e-3", np.abs(after - before).max() < 1e-3)

# %% [markdown]
# The mean takes away what the bias adds, and $\beta$ does its work. So write `use_bias=False` before each batch
# normalisation. It is no error to forget it: you pay for numbers that never learn, as you can see
# at the end of the page in a famous network.
#
# ### At inference it costs nothing
#
# At inference $\mu$, $\sigma^2$, $\gamma$ and $\beta$ are constants. The layer multiplies each channel by one number
# and adds another, and the convolution before it can do both with its own weights. Before a network is deployed, its
# normalisations are **folded** into the convolutions before them: they vanish, and its answers stay.
#
# ### Exercise 06.3 · Fold it away
#
# ●●○ · 9 min
#
# Return the kernel and the bias of one convolution that does what a convolution followed by a batch normalisation does
# at inference. Kernels are (height, width, channels in, channels out). `bias` is None for a convolution without one.
#
# For example, a 1x1 kernel of the value 2 without a bias, with $\gamma = 3$, $\beta = 1$, mean 4, variance 4 and
# $\varepsilon = 0$, becomes the kernel 3 with the bias -5.


# %%
def fold(
    kernel: np.ndarray,
    bias: np.ndarray | None,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float = 1e-3,
) -> tuple[np.ndarray, np.ndarray]:
    """(kernel, bias) of the folded convolution; gamma, beta, mean and variance: (channels out,)."""
    ### BEGIN SOLUTION
    scale = gamma / np.sqrt(variance + epsilon)
    bias = 0 if bias is None else bias
    return kernel * scale, beta + (bias - mean) * scale
    ### END SOLUTION


# %%
exercise("06.3").check(fold)

# %% [markdown]
# ### When the batch is small
#
# The mean of a batch is an estimate. A detector (lesson 11) or a 3D network may have room for 2 images on a GPU.
#
# **Predict**: how many times as noisy as the mean of 32 images is the mean of 2?

# %%
predict("06.d", "The noise of the mean of 2 images, over that of 32?")

# %%
rng = np.random.default_rng(runtime.seed())
sizes = [2, 4, 8, 16, 32, 64]
brightness = x_train.mean(axis=(1, 2, 3))
noise = [brightness[rng.integers(len(brightness), size=(4000, size))].mean(axis=1).std() for size in sizes]
for size, deviation in zip(sizes, noise):
    measured(f"batches of {size:2}: the brightness of a batch varies by", deviation, digits=2)
claim("16 times the images, a quarter of the noise, within 10 %", abs(noise[0] / noise[4] - 4) < 0.4)
reveal("06.d", noise[0] / noise[4])

# %% [markdown]
# **Group normalisation** (Wu and He 2018) asks one image alone: it takes mean and variance over all pixels and a
# *group* of its channels. No batch, no running statistics, and no difference between training and use.
#
# Four layers share the formula and differ in what they average over, for maps of (batch, height, width, channels):
#
# | layer | one mean for | averages over |
# |---|---|---|
# | batch | each channel | batch, height, width |
# | layer | each image | height, width, channels |
# | instance | each image and channel | height, width |
# | group | each image and group of channels | height, width, the channels of the group |
#
# So group normalisation with one group is layer normalisation, and with as many groups as channels it is instance
# normalisation, which takes the contrast out of each map. (ConvNeXt, lesson 07, averages over the channels of each
# place alone.)
#
# The test of small batches: a small network on Fashion-MNIST, with one or the other, for batches of 2 up to 64. All see
# the same 1,024 pictures twice, and the learning rate is proportional to the batch. Here you train the two with batches
# of 32. The other sizes are from stored runs.

# %% jupyter={"source_hidden": true}
clothes = datasets.fashion_mnist(size=1024)
x_small, x_new = reference.avg_pool2d(clothes.x_train, 2), reference.avg_pool2d(clothes.x_test, 2)


def small_network(normalisation):
    parts = [keras.Input((14, 14, 1))]
    for filters in (16, 32, 64):
        convolution = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)
        parts += [convolution, normalisation(), layers.ReLU()]
    return keras.Sequential([*parts, layers.GlobalAveragePooling2D(), layers.Dense(10)])


kinds = {
    "batch normalisation": lambda: layers.BatchNormalization(momentum=0.9),
    "group normalisation": lambda: layers.GroupNormalization(groups=4),
}


def accuracy_with(normalisation, size):
    """Share of right answers, in %, while training through the second epoch, and on 2,000 new pictures."""
    keras.utils.set_random_seed(runtime.seed())
    model = small_network(normalisation)
    optimizer = keras.optimizers.SGD(0.1 * size / 32, momentum=0.9)
    model.compile(optimizer, loss, metrics=["accuracy"])
    history = training.fit(model, x_small, clothes.y_train, epochs=2, batch_size=size, quiet=True)
    new = model.evaluate(x_new, clothes.y_test, batch_size=250, verbose=0)[1]
    return 100 * history.history["accuracy"][-1], 100 * new


# %% jupyter={"source_hidden": true}
small = Experiment("06_batch_sizes")
tried = small.pick(stored=sizes, live=[32])
reached = {name: [accuracy_with(kind, size) for size in tried] for name, kind in kinds.items()}
learnt, new = ({name: [pair[i] for pair in pairs] for name, pairs in reached.items()} for i in (0, 1))
small.keep(learnt=learnt, new=new)

plotting.live_over_stored(
    small.live,
    small.stored,
    x=sizes,
    live_x=tried,
    titles={"learnt": "training pictures", "new": "new pictures"},
    xlabel="images in a batch",
    ylabel="right, in %",
    logx=True,
    alt="Accuracy over batch size. On training pictures group normalisation leads by 10 points with 2 images in a "
    "batch, is level with 4, and falls behind from 8 on. On new pictures the two are level with 2 images, and batch "
    "normalisation leads from 4 on.",
)

# %%
runs = small.stored  # for each kind (runs, sizes)
gain = runs["learnt"]["batch normalisation"] - runs["learnt"]["group normalisation"]
measured("batches of 2: batch normalisation learns more by", gain[:, 0].mean(), "points", digits=2)
measured("batches of 32: batch normalisation learns more by", gain[:, sizes.index(32)].mean(), "points", digits=2)
claim("with 2 images in a batch group normalisation learns more, in each stored run", max(gain[:, 0]) < 0)
claim("with 32 batch normalisation does", min(gain[:, sizes.index(32)]) > 0)
here = tried.index(32)
claim("and in yours", learnt["batch normalisation"][here] > learnt["group normalisation"][here])
by_batch, by_group = (runs["new"][name][:, 0] - runs["learnt"][name][:, 0] for name in kinds)  # points, batches of 2
claim("batch normalisation, stored runs: 5 points more of the *new* pictures", min(by_batch) > 5)
claim("group normalisation: less than 5", max(by_group) < 5)

# %% [markdown]
# Larger batches leave fewer steps for the same pictures, and group normalisation falls from left to right. These runs
# are short: they do not say which is better in the end. Wu and He trained to the end, with batches of 32 on ImageNet:
# group normalisation is wrong on 24.1 % of new pictures and batch normalisation on 23.6 %. So it is comparable, not
# equal.
#
# Batch normalisation has fewer steps as well, and still learns more with 8 images than with 2: cleaner
# statistics are the likely reason. With pairs its lead is gone. There it does better on *new* pictures than on those it
# trains on. A likely reason: it is tested with running statistics, gathered from many pairs, and trained with those of
# a single one.
#
# This network has three normalisations. ResNet-50 has 53. For batches of 2 Wu and He report that its error on ImageNet
# is 10.6 points lower with group normalisation. With a handful of images on a device, take it, or freeze the running
# statistics of a pretrained network (lesson 09), as detectors do (lesson 11).
#
# **So far**: at inference the layer folds away. Its statistics are noisy for small batches, and group normalisation
# asks one image alone.

# %% [markdown]
# ## Part 4 · Deeper
#
# **Why do deep networks get worse, and what does a shortcut change?**
#
# Normalised, a signal passes through any number of layers. So build deep. A **plain network** here is a stack of 3x3
# layers in three stages of 8, 16 and 32 filters, each with its batch normalisation. All of them see the same 2,000
# pictures equally often, at one rate, 0.003 with Adam; others were not tried.
# A network of 44 layers is long to wait for, so the curves come from three
# stored runs, one for each seed.
#
# **Predict**: 8, 20 and 44 layers. Which of them knows most of its *training* pictures in the end?

# %%
predict("06.e", "Which knows most of its training pictures?", choices=["8 layers", "20 layers", "44 layers"])


# %%
def accuracy_by_epoch(depth, residual, epochs):
    """Share of training pictures named correctly in each epoch, in %."""
    keras.utils.set_random_seed(runtime.seed())
    model = models.CifarResNet(depth, input_shape=(16, 16, 3), width=0.5, residual=residual)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    name = f"{'residual' if residual else 'plain'}, {depth} layers"
    history = training.fit(model, x_train - 0.5, y_train, epochs=epochs, batch_size=50, label=name)
    return [100 * accuracy for accuracy in history.history["accuracy"]]


depth = Experiment("06_depth")

# %% jupyter={"source_hidden": true}
# The plain networks are trained for the stored runs only.
plain = {n: accuracy_by_epoch(int(n), False, epochs=5) for n in depth.pick(stored=("8", "20", "44"), live=())}
depth.keep(plain=plain)

stored = depth.stored
plotting.live_over_stored(
    depth.live,
    stored,
    label="{} layers",
    xlabel="epoch",
    ylabel="training pictures right, in %",
    alt="Training accuracy of plain networks over five epochs. The one of 8 layers is the best throughout, the one of "
    "20 lies well below it, and the one of 44 hardly learns.",
)

# %%
ends = {n: stored["plain"][n][:, -1] for n in ("8", "20", "44")}
claim("in every stored run 20 layers know at least 10 points less than 8", min(ends["8"] - ends["20"]) > 10)
claim("and 44 layers at least 15 points less than 20", min(ends["20"] - ends["44"]) > 15)
reveal("06.e", f"{max(ends, key=lambda n: ends[n].mean())} layers")

copying = np.zeros((3, 3, 8, 8), "float32")
copying[1, 1] = np.eye(8)  # the pixel in the middle, each channel to itself
shallow = reference.relu(reference.conv2d(batch, rng.normal(size=(3, 3, 3, 8)), padding="same"))
deeper = shallow
for _ in range(20):
    deeper = reference.relu(reference.conv2d(deeper, copying, padding="same"))
claim("with 20 layers more the maps are the same", np.allclose(deeper, shallow))

# %% [markdown]
# A deeper network that knows its *training* pictures less well than a shallower one: this is **degradation**. It is
# not overfitting: an overfitted network knows its training pictures by heart, and these know *fewer* of them. Nor is
# it a lack of capacity. Take any shallow network, and insert a layer that copies its input.
# Its kernel is 1 in the middle, and ReLU does not disturb what is positive already.
#
# So for each shallow network there is a deep one that is as good. It exists, and gradient descent did not find it.
# To copy, 576 weights of each layer would have to come to exactly these values. Is there a layer that copies when it
# knows *nothing*?
#
# ### Add what is missing
#
# He, Zhang, Ren and Sun (2016) let the layers compute only what is to be *added* to their input:
#
# $$y = \mathrm{ReLU}\,(x + F(x))$$
#
# $F$, the **body** of the block, is two convolutions with their normalisations and a ReLU between them. The path of $x$
# around the body is the **shortcut**, and both together are a **residual block**. To copy, $F$ need only be 0. The
# shortcut has no weights and costs one addition.
#
# The same depths, the same pictures, the same steps: train the one of 20 layers for three
# epochs. The stored runs have all, for five.

# %%
layer_counts, epochs = depth.pick(stored=(("8", "20", "44"), 5), live=(("20",), 3))
residual = {n: accuracy_by_epoch(int(n), True, epochs) for n in layer_counts}
depth.keep(residual=residual)

stored = depth.stored
plotting.live_over_stored(
    depth.live,
    stored,
    label="{} layers",
    xlabel="epoch",
    ylabel="training pictures right, in %",
    alt="Training accuracy over five epochs. Left, the plain networks fan out downwards with depth. Right, the "
    "residual ones of 8, 20 and 44 layers lie close together, as high as the best plain one, and 20 layers highest.",
)
gain = residual["20"][2] - max(stored["plain"]["20"][:, 2])
measured(
    "20 layers, after three epochs: with shortcuts you are ahead of the best plain one by", gain, "points", digits=2
)
claim("with shortcuts 20 layers know at least 5 points more after three epochs", gain > 5)

# %% jupyter={"source_hidden": true}
tops = {n: stored["residual"][n][:, -1] for n in ends}
for n, values in tops.items():
    measured(f"stored runs, {n} layers: plain", np.mean(ends[n]), "%", digits=2)
    measured(f"stored runs, {n} layers: residual", np.mean(values), "%", digits=2)
claim("in every stored run 20 residual layers know more than 8", min(tops["20"] - tops["8"]) > 0)
claim("44 know as much as 8, within a point, or more", min(tops["44"] - tops["8"]) > -1)
claim("and in every stored run less than 20: more depth did hurt", max(tops["44"] - tops["20"]) < 0)
claim("and more than twice as much as 44 plain ones", min(tops["44"] / ends["44"]) > 2)

# %% [markdown]
# The degradation is nearly gone. Not all of it: *adding depth never hurts* is a saying, and this page refutes it.
# Without shortcuts each step deeper knows less, with them 44 layers know a little less than 20 in each stored run.
# Five epochs are no end. The authors trained to the end, on ImageNet, and counted the errors on new
# pictures: plain, 34 layers are wrong more often than 18 (28.5 % against 27.9 %), residual, less often (25.0 % against
# 27.9 %).
#
# Where did the plain network lose its way? Look at the very first gradient, before any step, layer by layer.
#
# **Predict**: 44 plain layers, with normalisation. How does the gradient of the first layers compare with the last?

# %%
predict("06.f", "The gradient of the first layers is", choices=["smaller", "equal", "larger"])


# %%
def gradient_by_layer(residual, depth=44):
    """Length of the loss's gradient by each 3x3 kernel, from the first layer to the last, at the start."""
    keras.utils.set_random_seed(runtime.seed())
    model = models.CifarResNet(depth, input_shape=(16, 16, 3), width=0.5, residual=residual)
    _, gradient = gradients.model_value_and_grad(model, loss, jit=False)(x_train[:16] - 0.5, y_train[:16])
    by_layer = gradients.by_layer(model, gradient)
    return [np.linalg.norm(parts["kernel"]) for name, parts in by_layer.items() if name.endswith("_conv")]


lengths = {"plain": gradient_by_layer(False), "residual": gradient_by_layer(True)}
growth = {kind: np.mean(values[:3]) / np.mean(values[-3:]) for kind, values in lengths.items()}

# %% jupyter={"source_hidden": true}
plotting.curves(
    lengths,
    xlabel="layer, from the image on",
    ylabel="length of the gradient",
    logy=True,
    height=2.8,
    alt="Length of the gradient over 43 layers, on a logarithmic axis. From the first layers to the last it falls "
    f"steadily by a factor {approx(growth['plain'], 2)} if plain, and by {approx(growth['residual'], 2)} if residual.",
)
ratio = growth["plain"]
reveal("06.f", "larger" if ratio > 1.25 else "smaller" if ratio < 0.8 else "equal")
for kind, ratio in growth.items():
    measured(f"{kind}: gradient of the first three layers over that of the last three", ratio, digits=2)
claim("43 layers deep, each has a gradient", all(len(values) == 43 for values in lengths.values()))
claim("plain, the first layers have more than 50 times the gradient of the last", growth["plain"] > 50)
claim("with shortcuts, less than a fifth of that ratio", growth["residual"] < growth["plain"] / 5)

# %% [markdown]
# You may have expected it to vanish. With normalisation it *explodes* towards the image: the factor of each layer is a
# little above 1, and forty of them multiply. Yang and others (2019) show that the normalisation itself is the cause,
# whatever the first weights. So *gradients never vanish* is half a truth: beside the first layers' gradient, that of
# the last is less than a fiftieth. With a shortcut the derivative of a block is
#
# $$\frac{\partial}{\partial x}\,\big(x + F(x)\big) = 1 + F'(x)$$
#
# The 1 is a way for the gradient on which no weight multiplies it. The ReLU behind the sum passes it on or stops it. He
# and others (2016b) move it: in **pre-activation**, normalisation and ReLU stand before each convolution, and nothing
# stands behind the sum. Then the way is free from end to end. With 1,001 layers on CIFAR-10 they report 4.9 % errors
# in place of 7.6 %, and with 110 layers 6.4 in place of 6.6: at usual depths the order hardly counts. Whether uneven
# gradients are all that ails the plain network, no run here tests.
#
# **So far**: plain networks degrade with depth, on the pictures they train on. A shortcut makes copying the default,
# and gives the gradient a way on which no weight multiplies it.

# %% [markdown]
# ## Part 5 · A family
#
# **How are five networks made from one table?**
#
# The block above is the *basic* one: two 3x3 layers. Wide networks use the **bottleneck**: a 1x1 layer that reduces
# 256 channels to 64, a 3x3 layer on these, and a 1x1 layer that restores the 256.


# %% jupyter={"source_hidden": true}
def block(kind, filters):
    x = keras.Input((14, 14, 256))
    return keras.Model(x, models.residual_block(x, filters, name="block", kind=kind))


basic, bottleneck = trace(block("basic", 256)), trace(block("bottleneck", 64))

kernels = [sum(row.parameters for row in rows if row.type == "Conv2D") for rows in (basic.rows, bottleneck.rows)]
claim("both return 14x14x256", basic.rows[-1].output_shape == bottleneck.rows[-1].output_shape == (14, 14, 256))
claim("the kernels of the basic block hold 1,179,648 weights", kernels[0] == 1_179_648)
claim("those of the bottleneck 69,632, a seventeenth", kernels[1] == 69_632)
bottleneck

# %% [markdown]
# And where the resolution is halved and the channels double? There $x$ and $F(x)$ have different shapes and cannot be
# added. A **projection shortcut** passes $x$ through a 1x1 convolution of stride 2 with its own normalisation. An
# **identity shortcut** takes every second pixel and fills the missing channels with zeros, without any weight.
#
# ### Exercise 06.4 · A block that halves
#
# ●●○ · 10 min
#
# Write the residual block with a projection shortcut that halves height and width: from a Keras tensor `x`
# (batch, height, width, channels) to (batch, height / 2, width / 2, filters). The body is a 3x3 convolution of stride
# 2, a batch normalisation, ReLU, a 3x3 convolution and a batch normalisation. The shortcut is a 1x1 convolution of
# stride 2 and a batch normalisation. Then the sum, then ReLU. No convolution has a bias.


# %%
def halving_block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """relu(shortcut(x) + body(x)), half as high and wide, with `filters` channels."""
    ### BEGIN SOLUTION
    y = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU()(y)
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    shortcut = layers.Conv2D(filters, 1, strides=2, use_bias=False)(x)
    shortcut = layers.BatchNormalization()(shortcut)
    return layers.ReLU()(layers.Add()([shortcut, y]))
    ### END SOLUTION


# %%
exercise("06.4").check(halving_block)

# %% [markdown]
# ### One table, five networks
#
# A ResNet is a stem (a 7x7 convolution with 64 filters and a max pooling), four stages of blocks and a dense layer on
# the averaged maps. The whole family is this table: the kind of block, and how many in each stage.
#
# Count the weights from it in plain Python: kernels, a $\gamma$ and a $\beta$ for each channel, and the head. The first
# block of a stage has a projection where the number of channels changes.


# %% jupyter={"source_hidden": true}
def number_of_weights(model):
    """Trainable weights."""
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


with models.common.without_drawing():  # only to count: no random numbers
    identity = {n: number_of_weights(models.CifarResNet(n, shortcut="identity")) for n in (20, 32, 56)}
    projection = number_of_weights(models.CifarResNet(20, shortcut="projection"))

claim("ResNet-20 has 269,722 weights with identity shortcuts", identity[20] == 269_722)
claim("ResNet-32 has 464,154 and ResNet-56 853,018", (identity[32], identity[56]) == (464_154, 853_018))
claim("two projections cost 2,752 more", projection - identity[20] == 2_752)


def trainable_weights(kind, blocks, classes=1000):
    total, channels = 7 * 7 * 3 * 64 + 2 * 64, 64
    for filters, count in zip(resnet.FILTERS, blocks):
        for _ in range(count):
            if kind == "basic":
                kernels = [(3, channels, filters), (3, filters, filters)]
            else:
                kernels = [(1, channels, filters), (3, filters, filters), (1, filters, 4 * filters)]
            wide = kernels[-1][2]
            if wide != channels:
                kernels.append((1, channels, wide))
            total += sum(size**2 * before * after + 2 * after for size, before, after in kernels)
            channels = wide
    return total + (channels + 1) * classes


weights = {depth: trainable_weights(*row) for depth, row in resnet.IMAGENET.items()}
claim("ResNet-18 has 11,689,512 and ResNet-34 21,797,672", (weights[18], weights[34]) == (11_689_512, 21_797_672))
claim("ResNet-50 has 25,557,032", weights[50] == 25_557_032)
claim("ResNet-101 has 44,549,160 and ResNet-152 60,192,808", (weights[101], weights[152]) == (44_549_160, 60_192_808))
resnet.IMAGENET

# %% [markdown]
# These are the numbers that torchvision states for its networks. ResNet-50 is deeper than ResNet-34 by half, and only a
# sixth heavier: that is the bottleneck.
#
# ### Exercise 06.5 · Why is it called 50?
#
# ●○○ · 5 min
#
# The name counts the layers with kernels on the longest way from image to scores: convolutions and the dense layer.
# Shortcuts, normalisations and poolings do not count. Write it for any table row. Raise a `ValueError` for another kind
# than `"basic"` and `"bottleneck"`, and for a stage without blocks.
#
# For example, `depth_of("basic", (2, 2, 2, 2))` is 18.


# %%
def depth_of(kind: str, blocks: tuple[int, ...]) -> int:
    """Layers of a ResNet whose stages have that many blocks; ValueError for an unknown kind or an empty stage."""
    ### BEGIN SOLUTION
    per_block = {"basic": 2, "bottleneck": 3}
    if kind not in per_block or min(blocks) < 1:
        raise ValueError(f"no ResNet has {blocks} blocks of kind {kind!r}")
    return 1 + per_block[kind] * sum(blocks) + 1
    ### END SOLUTION


# %%
exercise("06.5").check(depth_of)

# %% [markdown]
# **So far**: a residual block adds to what comes in. A ResNet is a table row of blocks, basic or bottleneck, with a
# projection or zeros where the shape changes.
#
# ## Part 6 · Start shallow
#
# **How does a deep network begin, and how far does it get?**
#
# Each block *adds* to the stream. If body and stream have variance 1 each and have nothing to do with each other, the
# sum has variance 2, after two blocks 3, and so on. The last $\gamma$ of each body decides how much it adds, and
# normally starts at 1. What if it started at 0?


# %% jupyter={"source_hidden": true}
def spread_by_block(zero_init):
    """Standard deviation of the stream behind the stem and behind each block of a ResNet-56."""
    keras.utils.set_random_seed(runtime.seed())
    model = models.CifarResNet(56, input_shape=(16, 16, 3), width=0.5, zero_init=zero_init)
    names = ["stem_relu"] + [layer.name for layer in model.layers if layer.name.endswith("_add")]
    stream = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return [ops.convert_to_numpy(output).std() for output in stream(x_train[:32] - 0.5, training=True)]


spreads = {"gamma starts at 1": spread_by_block(False), "last gamma starts at 0": spread_by_block(True)}

plotting.curves(
    spreads,
    x=range(28),
    xlabel="block",
    ylabel="standard deviation",
    height=3.0,
    alt="Standard deviation of the stream over 27 blocks. With gamma 1 it grows within each stage; with the last gamma "
    "at 0 it stays as it is, but for the steps where channels of zeros are added.",
)
first_stage = {name: values[9] / values[1] for name, values in spreads.items()}
measured("from the first to the ninth block it grows by", first_stage["gamma starts at 1"], digits=2)
claim("with gamma 1 the stream grows by more than two fifths within a stage", first_stage["gamma starts at 1"] > 1.4)
claim("with the last gamma at 0 it does not change", abs(first_stage["last gamma starts at 0"] - 1) < 1e-3)

# %% [markdown]
# With the last $\gamma$ at 0, all 27 blocks copy. The network starts as its stem and its head,
# and each block joins in as its $\gamma$ grows. Goyal and others (2017) start their ResNet-50 like this to train it
# with batches of 8,192.
#
# ### Exercise 06.6 · Why the last one?
#
# ●●○ · 8 min
#
# A block is $\mathrm{ReLU}(x + F(x))$, and $F$ is `conv1`, `norm1`, ReLU, `conv2`, `norm2`. Both $\beta$ start at 0.
# With *either* $\gamma$ at 0, $F(x)$ is 0 at the start. So why the last? Ask which weights the *first* step of
# gradient descent moves. Give two lists of names from `conv1`, `gamma1`, `conv2` and `gamma2` (forget the betas):
# those that have a gradient other than 0 if only `gamma2` starts at 0, and those if only `gamma1` does. Think first.
# Then measure if you like, with `gradients.by_layer`. (The derivative of ReLU at 0 counts as 0.)

# %%
### BEGIN SOLUTION
moved_if_last_is_zero = ["gamma2"]
moved_if_first_is_zero = []
### END SOLUTION

# %%
exercise("06.6").check({"last": moved_if_last_is_zero, "first": moved_if_first_is_zero})

# %% [markdown]
# ### The full recipe
#
# The networks on this page saw 2,000 small pictures. This course ships a ResNet-20 that was trained on all 50,000 at
# full size. Its card says how, and what it reached on the 10,000 official test images. Check it on the 2,000 of them
# that are bundled.

# %%
card = datasets.weights_card("resnet20_cifar10")
trained = models.CifarResNet(20, weights="cifar10")
right = trained.predict(cifar.x_test, batch_size=250, verbose=0).argmax(axis=-1) == cifar.y_test
measured("the card: right on 10,000 test images", 100 * card["accuracy"], "%")
sampling_error = np.sqrt(card["accuracy"] * (1 - card["accuracy"]) / 2000)
claim("the two agree within three standard errors", abs(right.mean() - card["accuracy"]) < 3 * sampling_error)

# %% [markdown]
# **So far**: with the last $\gamma$ at 0 a deep network starts as a shallow one. The shipped ResNet-20 is as accurate
# on 2,000 pictures as its card says.
#
# ### More: 26,560 biases, layers that sit out, a block less
#
# <details><summary>For those who want more: three cells on famous networks</summary>
#
# `keras.applications.ResNet50` reports 25,583,592 trainable weights, 26,560 more than the published network. They are
# biases in front of normalisations, which do nothing.
#
# **Stochastic depth** (Huang and others 2016) leaves out the body of a block at random while training: in the paper for
# a whole batch, today mostly for each image anew. Keras has it: dropout with one decision for each image. What remains
# is scaled up, so that the mean stays right and nothing need change at inference. The rate grows linearly with depth,
# up to 0.5 at the last block: then 40.25 of 54 blocks of a ResNet-110 are present on average, and a quarter of the work
# is saved. The authors found the result *better*.
#
# A trained residual network loses less by a missing block than you may think. The last cell takes the blocks of the
# shipped ResNet-20 out, one at a time: set the last $\gamma$ and $\beta$ of its body to 0. In a VGG, Veit and others
# (2016) found, a missing layer leaves no more than chance. They see less a chain than a committee of paths: nine blocks
# make $2^9 = 512$ ways through the network, and half of them remain when one block is gone. No run here tests that
# picture.
#
# </details>

# %% jupyter={"source_hidden": true}
with models.common.without_drawing():  # only to count: no random numbers
    famous = keras.applications.ResNet50(weights=None)
convolutions = [layer for layer in famous.layers if isinstance(layer, layers.Conv2D)]
biases, trainable = sum(layer.filters for layer in convolutions), number_of_weights(famous)
del famous, convolutions
gc.collect()  # a hundred megabytes of zeros: let go of them
claim("Keras has 25,583,592 trainable weights", trainable == 25_583_592)
claim("it has 26,560 biases in front of normalisations, which do nothing", biases == 26_560)
claim("without them it is the published network", trainable - biases == weights[50])

drop = layers.Dropout(0.5, noise_shape=(None, 1, 1, 1), seed=runtime.seed())
bodies = ops.convert_to_numpy(drop(np.ones((1000, 2, 2, 3), "float32"), training=True))
claim("an image's body is there or absent as a whole", np.ptp(bodies.reshape(1000, -1), axis=1).max() == 0)
claim("and doubled where it is there", set(bodies.ravel().tolist()) == {0, 2})
claim("half of the bodies are absent, within 6 %", abs((bodies[:, 0, 0, 0] == 0).mean() - 0.5) < 0.06)
claim("at inference nothing is absent", float(ops.min(drop(np.ones((8, 2, 2, 3)), training=False))) == 1)
present = sum(1 - 0.5 * block / 54 for block in range(1, 55))
claim("40.25 of 54 blocks are present on average", round(present, 6) == 40.25)


def right_without(block, count=250):
    """Share of `count` test images, in %, that are named correctly when one block only copies."""
    norm = trained.get_layer(f"{block}_b_norm")
    kept = norm.get_weights()
    norm.set_weights([np.zeros_like(kept[0]), np.zeros_like(kept[1]), *kept[2:]])
    answers = trained.predict(cifar.x_test[:count], batch_size=250, verbose=0).argmax(axis=-1)
    norm.set_weights(kept)
    return 100 * (answers == cifar.y_test[:count]).mean()


blocks = [f"stage{stage}_{number}" for stage in (1, 2, 3) for number in (1, 2, 3)]
without = {block: right_without(block) for block in blocks}

plotting.bars(
    {"none": 100 * right[:250].mean(), **without},
    xlabel="right without this block, in %",
    form=lambda value: approx(value, 2),
    colours={"none": plotting.COLOURS["muted"], **dict.fromkeys(blocks, plotting.COLOURS["input"])},
    alt="Accuracy of the trained ResNet-20 with one block taken out: "
    + ", ".join(f"{block} {approx(value, 2)} %" for block, value in without.items()),
)
claim("the most dispensable block costs less than 15 points", max(without.values()) > 100 * right[:250].mean() - 15)
claim("most of the nine can go, and half of the answers stay right", np.median(list(without.values())) > 50)

# %% [markdown]
# ## Recap
#
# - Batch normalisation gives each channel mean 0 and variance 1 over the batch, then a learnt scale and shift. At
#   inference running statistics take the batch's place, and they lag: 459 batches at momentum 0.99.
# - A bias before it does nothing. At inference it folds into the convolution before it.
# - Behind it the scale of the weights does not matter. Why it helps training is disputed.
# - Its statistics are noisy for small batches. Group normalisation asks one image alone.
# - Plain networks degrade with depth: they know fewer *training* pictures, although a solution that copies exists.
# - A shortcut makes copying the default, and gives the gradient a way on which no weight multiplies it.
# - A ResNet is a table row: blocks per stage, basic or bottleneck. ResNet-50 has 25,557,032 trainable weights.
# - With the last $\gamma$ at 0 a deep network starts as a shallow one.
#
# ## Explain it
#
# **A model is 94 % accurate in training mode and 11 % in inference mode, on the same images. What do you look at?**
#
# <details><summary>Model answer</summary>
#
# The running statistics of batch normalisation. Training mode uses those of the batch and inference mode the running
# ones. They are wrong after few steps with a momentum near 1, if the batches are not random samples (sorted by class,
# say), if the inputs are prepared in another way, or if they were left out when the weights were saved. Compare the
# running mean of the first layer with the mean of its input. To mend it, lower the momentum or pass some hundred
# training batches through the network in training mode without changing weights.
#
# </details>
#
# **Is degradation the vanishing gradient under another name?**
#
# <details><summary>Model answer</summary>
#
# No. With batch normalisation the gradients of a plain deep network do not vanish. On this page they even grow towards
# the image. And it is not overfitting, as the training error is higher too. A deeper plain network can represent the
# shallow solution by copying layers, but gradient descent does not find it. The gradients of its layers
# differ by orders of magnitude, which may be a part of the reason. Shortcuts make copying the easy case, and give the
# gradient a way around every body.
#
# </details>
#
# **Why has a bottleneck block an expansion of four, and what does it buy?**
#
# <details><summary>Model answer</summary>
#
# The expensive 3x3 layer works on a quarter of the channels, so it costs a sixteenth. Two 1x1 layers reduce and
# restore. At 256 channels that is 69,632 weights in place of 1,179,648, so the same budget pays for more depth and
# wider streams: ResNet-50 has a sixth more weights than ResNet-34, with 16 layers more and four times the channels.
# The price is memory traffic: wide maps are read and written for little arithmetic, so fewer MACs do not always mean
# less time (lesson 07).
#
# </details>
#
# **You fine-tune a detector (lessons 09 and 11) with 2 images on each GPU. What do you do about its normalisation?**
#
# <details><summary>Model answer</summary>
#
# Do not use statistics of 2 images. Either freeze the pretrained running statistics, so that the layer is a fixed scale
# and shift, or compute statistics over all GPUs together (synchronised batch normalisation), or take a network with
# group normalisation. Frozen is the usual choice for short fine-tuning, the other two when training from scratch.
#
# </details>
#
# ## What comes next
#
# Depth hurts far less. What remains is the bill. [Lesson 07](../notebooks/07_efficient_and_modern_blocks.ipynb)
# takes the convolution apart, counts what each part costs, and then measures, which is not the same.
#
# ## References
#
# - P. Goyal and others (2017). Accurate, large minibatch SGD: training ImageNet in 1 hour. *arXiv*.
# - K. He, X. Zhang, S. Ren and J. Sun (2016). Deep residual learning for image recognition. *CVPR*.
# - K. He, X. Zhang, S. Ren and J. Sun (2016b). Identity mappings in deep residual networks. *ECCV*.
# - G. Huang, Y. Sun, Z. Liu, D. Sedra and K. Weinberger (2016). Deep networks with stochastic depth. *ECCV*.
# - S. Ioffe and C. Szegedy (2015). Batch normalization: accelerating deep network training by reducing internal
#   covariate shift. *ICML*.
# - S. Santurkar, D. Tsipras, A. Ilyas and A. Madry (2018). How does batch normalization help optimization? *NeurIPS*.
# - A. Veit, M. Wilber and S. Belongie (2016). Residual networks behave like ensembles of relatively shallow networks.
#   *NeurIPS*.
# - Y. Wu and K. He (2018). Group normalization. *ECCV*.
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein and S. Schoenholz (2019). A mean field theory of batch
#   normalization. *ICLR*.
