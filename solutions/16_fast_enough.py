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
# # 16 · Fast enough: convolution on hardware
#
# **The network is right. How do you make it answer in time, and how do you know that it does?**
#
# When you have worked through this page you can
# - compute a convolution with fewer multiplications, and say why the clock may gain nothing
# - draw the roofline of your machine, and tell of each layer whether memory, arithmetic or the call is its limit
# - store a network in eight bits, by hand and with a converter, and find the layers that suffer
# - export a network, show that it still says the same, and time it so that the number can be believed
# - meet a latency budget by batch, resolution, width, precision and runtime
#
# **Before this**: [07 Efficient and modern blocks](../notebooks/07_efficient_and_modern_blocks.ipynb),
# [14 From image file to answer](../notebooks/14_from_image_file_to_answer.ipynb) · **Reading** 50 min ·
# **Exercises** 60 min · four parts, each of about 25 min
#
# [← 15 When it does not work](../notebooks/15_when_it_does_not_work.ipynb) · [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="16")

# %%
import tempfile
import warnings
from pathlib import Path

import keras
import ml_dtypes
import numpy as np
from keras import layers, ops

from cnnlib import claim, datasets, deploy, exercise, models, pipeline, plotting, reference
from cnnlib.claims import approx, measured
from cnnlib.results import Experiment
from cnnlib.trace import trace

# %% [markdown]
# All times on this page are those of *your* machine, or are marked as stored, and then they are those of one server
# processor. Expect others. Where nothing is claimed, nothing is promised.
#
# ## Part 1 · Fewer multiplications
#
# **There are ways to compute the same convolution with fewer multiplications. Are they faster?**
#
# In lesson 01 a convolution became one large matrix product: im2col copies each window into a row. A 3x3 kernel then
# needs nine multiplications for each output and pair of channels. Can it be done with fewer?
#
# Take four outputs at once, a square of 2x2. They depend on 4x4 pixels, a *tile* $d$, and on the kernel $g$.
# **Winograd convolution**, here $F(2{\times}2, 3{\times}3)$, computes the four outputs as
#
# $$Y = A^\top \left[ (G\, g\, G^\top) \odot (B^\top d\, B) \right] A$$
#
# where $\odot$ multiplies number by number, and the three matrices are these.

# %%
B_t, G, A_t = reference.WINOGRAD_PIXELS, reference.WINOGRAD_KERNEL, reference.WINOGRAD_OUTPUT
plotting.matrices(
    {"B transposed": B_t, "G": G, "A transposed": A_t},
    alt="Three matrices: B transposed, 4 by 4, and A transposed, 2 by 4, hold 0, 1 and -1; G, 4 by 3, also halves.",
)
claim("36 multiplications become 16: 2.25 times fewer", 4 * 9 / (4 * 4) == 2.25)

# %% [markdown]
# $B$ and $A$ hold 0, 1 and -1, so they only add. $G$ halves, but the kernel is the same for all tiles and images: it
# is transformed once, when the network is loaded. What is left are the 16 products of $\odot$.
#
# ### Exercise 16.1 · Winograd
#
# Compute one tile. From `tile` (4, 4) and `kernel` (3, 3) return a pair: the 16 products (4, 4) that stand in the
# brackets, and the output (2, 2), which is that of a convolution as networks compute it, without a flip. Use `B_t`,
# `G` and `A_t` from above.


# %%
def winograd_tile(tile: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 16 products (4, 4) and the output (2, 2) of one tile."""
    ### BEGIN SOLUTION
    products = (G @ kernel @ G.T) * (B_t @ tile @ B_t.T)
    return products, A_t @ products @ A_t.T
    ### END SOLUTION


# %%
exercise("16.1").check(winograd_tile)

# %% [markdown]
# With many channels, $\odot$ becomes 16 matrix products, one for each place in the tile. The third way goes by the
# convolution theorem: transform images and kernels by the **fast Fourier transform** (FFT), multiply them frequency by
# frequency, transform back. `cnnlib.reference` has all three in NumPy, from scratch. Are they the same function?

# %%
rng = np.random.default_rng(runtime.seed())
x = rng.normal(size=(1, 32, 32, 64)).astype("float32")
w = (rng.normal(size=(3, 3, 64, 64)) / 24).astype("float32")
exact = reference.conv2d(x.astype("float64"), w.astype("float64"), padding="same")
ways = {"im2col": reference.conv2d, "Winograd": reference.conv2d_winograd, "FFT": reference.conv2d_fft}
for name, way in ways.items():
    error = np.abs(way(x, w, padding="same") - exact).max()
    print(f"{name:9} largest error {approx(error, 2)}")
    claim(f"{name} is right to 1e-4 in float32", error < 1e-4)

# %% [markdown]
# All are right. Winograd's sums of pixels are a little larger than the pixels, so it rounds a little more coarsely;
# with larger tiles, $F(4{\times}4, 3{\times}3)$ and beyond, that error grows fast, and in float16 it becomes serious.
#
# **Predict**: 2.25 times fewer multiplications. How much faster is Winograd here than im2col? (The shortest of several
# times is shown: what else the machine does can only add to it.)

# %% tags=["nbval-ignore-output"]
tiles, kernels = rng.random((16, 256, 64), "float32"), reference.winograd_kernel(w).reshape(16, 64, 64)
calls = {
    "im2col": lambda: reference.conv2d(x, w, padding="same"),
    "Winograd": lambda: reference.conv2d_winograd(x, w, padding="same", transformed=kernels.reshape(4, 4, 64, 64)),
    "its 16 products alone": lambda: tiles @ kernels,
}
repeat = runtime.pick(smoke=2, cpu=6, gpu=30)
took = deploy.compare(calls, repetitions=repeat)
for name, timing in took.items():
    measured(name, timing.shortest / took["im2col"].shortest, "× the time of im2col")

# %% [markdown]
# Look at the products alone: on a quiet machine they take less than half of the time, as they should. The whole gains
# far less than that, or nothing. The rest goes into additions: 32 for each tile and channel on the way in, 24 on the
# way out. That is few, beside the products. But each addition in NumPy reads two numbers and writes one: it is a walk
# through memory with next to nothing to do on the way. Libraries of convolution kernels keep a tile in registers while
# they add, and gain something from Winograd, where channels are many and maps are large. They measure first and
# choose.
#
# FFT has another bargain. Its cost hardly depends on the kernel's size $k$, while im2col pays $k^2$. So for some $k$
# it must win. Count operations first: a real FFT of $n$ numbers takes about $2.5\, n \log_2 n$.


# %%
def operations(kernel, size=32, channels=16):
    """Of im2col and of FFT, for one image of size x size, as many channels out as in."""
    direct = 2 * size**2 * kernel**2 * channels**2
    area = (size + kernel - 1) ** 2
    transforms = (channels + channels + channels**2) * 2.5 * area * np.log2(area)  # images in, out, and the kernels
    return direct, transforms + 8 * area / 2 * channels**2  # half of the spectrum, eight operations a complex product


sizes = (1, 3, 5, 7, 9, 11, 15, 21, 31)
predicted = [fft / direct for direct, fft in map(operations, sizes)]
first = next(size for size, ratio in zip(sizes, predicted) if ratio < 1)
claim("by operations, FFT wins from a kernel of 5 on", first == 5)

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
ratio = []
for size in sizes:
    a = rng.normal(size=(1, 32 + size - 1, 32 + size - 1, 16)).astype("float32")
    b = rng.normal(size=(size, size, 16, 16)).astype("float32")
    took = deploy.compare({"fft": reference.conv2d_fft, "im2col": reference.conv2d}, a, b, repetitions=3, warm_up=1)
    ratio.append(took["fft"].shortest / took["im2col"].shortest)
plotting.curves(
    {"counted": predicted, "measured here": ratio},
    sizes,
    xlabel="size of the kernel",
    ylabel="FFT / im2col",
    logy=True,
    markers=True,
    alt=f"FFT over im2col falls with the kernel; at 3 it is {approx(ratio[1])}, at 31 {approx(ratio[-1])}.",
)
measured("the first kernel for which FFT is faster here:", next((s for s, r in zip(sizes, ratio) if r < 1), 0))

# %% [markdown]
# Mostly the crossing comes later than counted: one operation is not like the other. A matrix product is the best that
# a processor knows, and a Fourier transform walks through memory. What networks use, 3x3, lies on the left of it.
#
# **So far**: Winograd saves 2.25 of the multiplications and FFT all that depends on the kernel, and both are right.
# What they save is cheap, what they add is walks through memory, so a count of multiplications does not tell the time.
#
# ## Part 2 · The roofline
#
# **What is the limit: arithmetic, memory, or the number of calls?**
#
# A processor does so many operations a second at most, its **peak performance**. From memory a processor fetches so
# many bytes a second, its **bandwidth**. Both can be measured: the best matrix product, and the best walk through
# arrays larger than its caches.

# %% tags=["nbval-ignore-output"]
roof = deploy.machine(runtime.pick(smoke=0.2, cpu=0.6, gpu=1.5))
measured("peak", roof.peak / 1e9, "G operations/s")
measured("bandwidth", roof.bandwidth / 1e9, "GB/s")
measured("ridge", roof.ridge, "operations per byte")

# %% [markdown]
# A layer that does $I$ operations with each byte that it moves, its arithmetic intensity (lesson 07), cannot do more
# than
#
# $$\min(\text{peak},\ \text{bandwidth} \cdot I)$$
#
# operations a second (Williams and others 2009). Drawn over the intensity $I$, the limit is a slope and then a flat
# top: a **roofline**. Left of the **ridge point**, where slope and top meet, the layer waits for memory and a better
# multiplier is of no use. In lesson 07 you counted intensity in multiply-accumulates for each number. Here it is in
# operations, two for each of them, and in bytes.
#
# ### Exercise 16.2 · Arithmetic intensity
#
# A convolution with stride 1 and padding "same", without a bias, on `batch` images of `height` x `width` pixels. It
# reads its input and its weights once and writes its output once; each number takes `bytes_each` bytes. Return its
# operations for each byte.
#
# For example, a 3x3 from 64 to 64 channels at 56 x 56 does 131.9.


# %%
def intensity(height, width, kernel, channels_in, channels_out, groups=1, batch=1, bytes_each=4) -> float:
    """Operations (two for a multiply-accumulate) for each byte moved."""
    ### BEGIN SOLUTION
    weights = kernel**2 * channels_in // groups * channels_out
    places = batch * height * width
    moved = bytes_each * (places * (channels_in + channels_out) + weights)
    return 2 * places * weights / moved
    ### END SOLUTION


# %%
exercise("16.2").check(intensity)

# %% [markdown]
# Now put layers of real networks under your roof: the 3x3 of a ResNet at 56 x 56, and the three layers of an inverted
# residual of MobileNetV2.
#
# **Predict**: which of them come close to the roof, and which lie left of the ridge?


# %%
def single(layer, channels):
    image = keras.Input((56, 56, channels))
    return keras.Model(image, layer(image))


shape = {"padding": "same", "use_bias": False}
singles = {
    "3x3, 64 to 64": single(layers.Conv2D(64, 3, **shape), 64),
    "1x1, 24 to 144": single(layers.Conv2D(144, 1, **shape), 24),
    "depthwise 3x3, 144": single(layers.DepthwiseConv2D(3, **shape), 144),
    "1x1, 144 to 24": single(layers.Conv2D(24, 1, **shape), 144),
}
costs = {name: next(iter(deploy.intensities(trace(model)).values())) for name, model in singles.items()}
for name, cost in costs.items():
    print(
        f"{name:19} {cost.operations / 1e6:6.1f} M operations, {cost.moved / 1e6:4.2f} MB, {cost.intensity:.1f} a byte"
    )
claim("the 3x3 does 132 operations with each byte", round(costs["3x3, 64 to 64"].intensity) == 132)
claim("the depthwise 3x3 does 2.2, sixty times less", round(costs["depthwise 3x3, 144"].intensity, 1) == 2.2)

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
points = {}
for name, model in singles.items():
    run, images = deploy.load(model), ops.convert_to_tensor(np.ones((1, *model.input_shape[1:]), "float32"))
    took = deploy.latency(run, images, repetitions=3 * repeat)
    points[name] = (costs[name].intensity, costs[name].operations / (took.shortest / 1000))
    measured(f"{name}: share of its roof", points[name][1] / roof.roof(points[name][0]))
plotting.roofline(
    roof,
    points,
    alt="A roof that rises to the ridge and is flat behind it. The 3x3 lies far to the right, the depthwise layer far "
    "to the left, the two 1x1 between them.",
)

# %% [markdown]
# The slope explains the paradox of lesson 07. A depthwise layer has so little to do with each byte that even at its
# roof it does a small part of the peak. A point *above* the slope is no mistake: likely its maps fit into a cache,
# which is faster than the memory that you measured. A point far *below* the roof has another limit: threads that wait
# for each other, lanes that stay empty because channels are few, or the call itself.
#
# ### Exercise 16.3 · Fewer, and slower
#
# A colleague has replaced three layers by others with *fewer multiplications*, and each got *slower*. Her machine: a
# peak of 100 G operations/s, a bandwidth of 10 GB/s, and 20 µs for each call of a layer. For each new design she noted
# operations, bytes and calls, and measured milliseconds.
#
# What is the limit of each? `"memory"`: it could not be faster, with that many bytes. `"calls"`: with that many calls.
# `"arithmetic"`: neither explains the time, so the operations are done at a rate far below the peak.

# %%
notes = {
    "tiles": {"M operations": 22, "MB": 9.2, "calls": 2, "ms measured": 0.97},
    "split": {"M operations": 4, "MB": 0.6, "calls": 40, "ms measured": 0.93},
    "sparse": {"M operations": 40, "MB": 0.8, "calls": 1, "ms measured": 4.1},
}
for name, note in notes.items():
    print(f"{name:7} {', '.join(f'{value:g} {unit}' for unit, value in note.items())}")

# %%
### BEGIN SOLUTION
tiles = "memory"
split = "calls"
sparse = "arithmetic"
### END SOLUTION

# %%
exercise("16.3").check({"tiles": tiles, "split": split, "sparse": sparse})

# %% [markdown]
# ### Which number lies beside which?
#
# Memory is one long row. NHWC (lesson 00), channels last, puts the channels of a pixel side by side; **NCHW** puts
# whole maps one behind the other. Processors fetch 64 bytes at a time, so what is computed together should lie
# together.
#
# **Predict**: a 3x3 from 64 to 64 channels, with the same weights in both orders. Which is faster here, and by how
# much? The first cell looks at the bytes, the second at the clock.

# %%
last = np.zeros((2, 56, 56, 64), "float32")  # NHWC, two images
first = np.zeros((2, 64, 56, 56), "float32")  # NCHW
print("bytes from channel to channel:", last.strides[3], first.strides[1], " from pixel to pixel:", last.strides[2], 4)
as_rows = last.reshape(-1, 64), np.moveaxis(first, 1, -1).reshape(-1, 64)
claim("NHWC is a matrix of pixels by channels as it lies: a 1x1 is one product", np.shares_memory(as_rows[0], last))
claim("NCHW must be copied to become one", not np.shares_memory(as_rows[1], first))


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
def convolution(order, maps):
    image = keras.Input(maps)
    return keras.Model(image, layers.Conv2D(32, 3, padding="same", use_bias=False, data_format=order)(image))


orders = {"channels_last": (28, 28, 32), "channels_first": (32, 28, 28)}
runs = {order: deploy.load(convolution(order, maps)) for order, maps in orders.items()}
runs["channels_first"].inside.set_weights(runs["channels_last"].inside.get_weights())
maps = rng.normal(size=(1, 28, 28, 32)).astype("float32")
given = {"channels_last": maps, "channels_first": np.ascontiguousarray(np.moveaxis(maps, 3, 1))}
took = deploy.compare({order: lambda order=order: runs[order](given[order]) for order in orders}, repetitions=repeat)
measured("NCHW takes", took["channels_first"].p50 / took["channels_last"].p50, "× the time of NHWC here")
apart = np.abs(np.moveaxis(runs["channels_first"](given["channels_first"]), 1, 3) - runs["channels_last"](maps)).max()
claim("both say the same, to 1e-4", apart < 1e-4)

# %% [markdown]
# Neither is best. TensorFlow prefers NHWC on processors; PyTorch's convolutions take NCHW, and Keras hands them NHWC as
# a view with another order in memory; cuDNN takes both; libraries and compilers repack into blocks of 8 or 16 channels
# of their own. What costs time is to change the layout between layers, or an order that a library has no fast routine
# for. On a processor without AVX-512, TensorFlow's oneDNN has none for this NCHW and takes its reference loop: a
# hundred times slower. `ONEDNN_VERBOSE=1`, set before the start, lists the routine of each call; that one is `ref:any`.
# If a profile shows *transpose* or *reorder*, two parts of your program disagree.
#
# ### A batch shares the weights
#
# Maps grow with the batch, weights do not. So a dense layer, or a late layer of many channels and few pixels, gets
# more operations out of each byte.

# %% tags=["nbval-ignore-output"]
image = keras.Input((1280,))
dense = trace(keras.Model(image, layers.Dense(1000, use_bias=False, name="dense")(image)))
by_batch = {batch: deploy.intensities(dense, batch)["dense"].intensity for batch in (1, 8, 32)}
claim("one image: half an operation for each byte", round(by_batch[1], 1) == 0.5)
claim("32 images: 15 operations", round(by_batch[32]) == 15)

cifar = datasets.cifar10(test_size=runtime.pick(smoke=60, cpu=600, gpu=600))
resnet = models.CifarResNet(20, weights="cifar10")
compiled = deploy.load(resnet)
for batch in (1, 8, 32):
    took = deploy.latency(compiled, cifar.x_test[:batch], repetitions=repeat)
    measured(f"ResNet-20, batch of {batch:2}: ms an image", took.p50 / batch)

# %% [markdown]
# A batch costs something, too. Whoever came first waits until it is full, and until all of it is computed.
#
# ### Fewer walks: fusion
#
# A batch normalisation behind a convolution is a walk through the map for two operations a number. In inference it is
# a factor and a shift for each channel, and both can be folded (lesson 06) into the convolution, forever.
#
# ### Exercise 16.4 · Fold a normalisation
#
# In inference the normalisation computes
#
# $$z = \gamma \, \frac{y - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta$$
#
# of what the convolution gives, $y = x * w + b$, channel by channel. Return the kernel and the bias of one convolution
# that does both. `kernel` is (k, k, in, out), all others are (out,), and `epsilon` is a number. Arguments stay as they
# are.


# %%
def fold(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the convolution with its normalisation."""
    ### BEGIN SOLUTION
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, beta + (bias - mean) * factor
    ### END SOLUTION


# %%
exercise("16.4").check(fold)

# %% [markdown]
# `deploy.fold_batch_norm` does it for a network. A **compiled call** of a network may fuse layers, and so save walks,
# by itself; an **eager call**, where Python asks for one layer after the other, never does.

# %% tags=["nbval-ignore-output"]
folded = deploy.fold_batch_norm(resnet)
fast = deploy.load(folded)
claim("19 of 75 layers are gone", (len(resnet.layers), len(folded.layers)) == (75, 56))
claim("and it says the same, to 1e-4", deploy.parity(fast, compiled, cifar.x_test[:100]).holds)
runs_of = {"eager": (deploy.load(resnet, "eager"), deploy.load(folded, "eager")), "compiled": (compiled, fast)}
for way, runs in runs_of.items():
    took = deploy.compare(dict(zip(("as trained", "folded"), runs)), cifar.x_test[:1], repetitions=repeat)
    measured(f"{way}: folded takes", took["folded"].p50 / took["as trained"].p50, "× the time")

# %% [markdown]
# ### What surrounds the network
#
# `model.predict` is made for many batches: it builds a data pipeline, loops, reports. For one small image all of that
# is overhead.
#
# **Predict**: one image through ResNet-20. By which factor is the slowest of these four slower than the fastest?

# %% tags=["nbval-ignore-output"]
runs = {"compiled": compiled} | {way: deploy.load(resnet, way) for way in ("predict_on_batch", "eager", "predict")}
took = deploy.compare(runs, cifar.x_test[:1], repetitions=repeat)
told = {name: timing.p50 for name, timing in took.items()}
plotting.bars(told, alt=f"One bar for each of {', '.join(told)}.", xlabel="milliseconds for one image", form="{:.2f}")
measured("slowest / fastest", max(t.p50 for t in took.values()) / min(t.p50 for t in took.values()))

# %% [markdown]
# The same network, the same numbers. Before you change a network, look at how it is called. (Keras on PyTorch compiles
# nothing, so there the first and the third are the same.)
#
# **So far**: a layer's roof is the least of peak and bandwidth times intensity; few channels, many calls and Python
# keep it below. Batches share weights, folding saves walks, and a compiled call saves what surrounds the network.
#
# ## Part 3 · Fewer bits, fewer weights
#
# **What can be left out of a number, or of a network, before it shows?**
#
# A float32 has 24 significant bits. **float16** has 11 significant bits, and nothing above 65,504. **bfloat16** has 8
# significant bits, and the range of float32. Halving the bytes doubles the intensity; whether arithmetic is faster
# too depends on the processor: GPUs and some processors have units for it, others convert each number to float32 and
# back.
#
# To *store* weights in short numbers is one thing: the next cell rounds them. To *compute* in them is another: Keras
# has the policies `mixed_float16` and `mixed_bfloat16`, where layers compute in 16 bits and weights stay in 32. That
# is the cell behind it.

# %%
kinds = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
judged, labels = cifar.x_test[:300], cifar.y_test[:300]
accuracy, exact_weights = {}, resnet.get_weights()
for name, kind in kinds.items():
    resnet.set_weights([np.asarray(each, kind).astype("float32") for each in exact_weights])
    accuracy[name] = np.mean(compiled.predict(judged).argmax(-1) == labels)
    print(f"{name:9} step behind 1: {float(ml_dtypes.finfo(kind).eps):.1e}, accuracy {approx(accuracy[name])}")
resnet.set_weights(exact_weights)
claim("weights in half the bytes cost less than 2 points", min(accuracy.values()) > accuracy["float32"] - 0.02)

# %% tags=["nbval-ignore-output"]
keras.config.set_dtype_policy("mixed_bfloat16")
short = models.CifarResNet(20, weights="cifar10")
keras.config.set_dtype_policy("float32")
run = deploy.load(short)
if lacking := deploy.missing_kernel(run, judged[:8]):
    print("This processor does not compute convolutions in bfloat16:", lacking)
else:
    took = deploy.compare({"float32": compiled, "bfloat16": run}, judged[:8], repetitions=repeat)
    measured("bfloat16 takes", took["bfloat16"].p50 / took["float32"].p50, "× the time of float32 here")
    same = np.mean(run.predict(judged[:100], 8).argmax(-1) == compiled.predict(judged[:100], 8).argmax(-1))
    claim("computed in bfloat16, 95 of 100 images keep their class", same >= 0.95)

# %% [markdown]
# ### Eight bits, by hand
#
# An int8 is a whole number from -128 to 127. **Quantisation** stores real numbers as whole numbers of few bits, by a
# scale $s$ and a **zero point** $z$ on which all agree:
#
# $$q = \operatorname{clip}\left(\operatorname{round}(x / s) + z,\ -128,\ 127\right) \qquad \hat x = s\,(q - z)$$
#
# The scale spreads the range of the values over 255 steps. The zero point is the whole number that means 0: it must be
# met exactly, because padding and ReLU produce so many of them.
#
# ### Exercise 16.5 · Quantise a tensor
#
# Return the triple `(q, scale, zero_point)`. The range goes from the lowest value to the highest, widened where
# necessary so that 0 lies in it. The lowest end becomes -128, the highest 127: `scale` is the range over 255 steps,
# and `zero_point` is `round(-128 - low / scale)`. `q` is an int8 array of the shape of `x`. If all values are 0, take
# a scale of 1. Raise a `ValueError` if a value is NaN or infinite.


# %%
def quantise(x: np.ndarray) -> tuple[np.ndarray, float, int]:
    """int8 of the shape of x, the scale, and the zero point; ValueError for values that are not finite."""
    ### BEGIN SOLUTION
    if not np.isfinite(x).all():
        raise ValueError("x holds NaN or infinity")
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / 255 or 1.0
    zero_point = round(-128 - low / scale)
    q = np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)
    return q, scale, zero_point
    ### END SOLUTION


# %%
exercise("16.5").check(quantise)

# %% [markdown]
# Two errors are in it. Within the range values are *rounded*, by half a scale at most. Beyond it they are *clipped*.
# A wide range has coarse steps, a narrow one clips. **Per-tensor quantisation** has one scale for a whole kernel,
# which must fit its widest channel; **per-channel quantisation** has one for each output channel, which fits each.
# Where does that matter most? Here are the kernels of a MobileNetV2, with the normalisation folded in.
#
# Weights are known. The range of activations must be seen: run a hundred training images through the network, and
# note what comes. That is **range calibration**, or calibration for short. Is the full range the best one? That is the
# second cell.

# %%
thin = {"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.5, "small_images": True}
mobile = deploy.fold_batch_norm(models.MobileNetV2(weights="cifar10", **thin))
lost = {"Conv2D": [], "DepthwiseConv2D": []}
for layer in mobile.layers:
    if type(layer).__name__ in lost:
        kernel = layer.get_weights()[0]
        axis = 2 if "Depthwise" in type(layer).__name__ else 3
        both = [deploy.quantisation_errors(kernel, deploy.scheme(kernel, axis=a, symmetric=True)) for a in (None, axis)]
        lost[type(layer).__name__].append(both[0]["both"] / both[1]["both"])
for name, ratios in lost.items():
    print(f"{name:15} per tensor loses {np.median(ratios):.1f} times as much as per channel (median of {len(ratios)})")
claim("per channel is better for every kernel", min(map(min, lost.values())) > 1)
claim("depthwise kernels gain most", np.median(lost["DepthwiseConv2D"]) > np.median(lost["Conv2D"]))

# %% jupyter={"source_hidden": true}
inner = keras.Model(resnet.input, resnet.get_layer("stage2_1_a_relu").output)
values = deploy.load(inner).predict(cifar.x_train[:100])
shares = [1, 0.9999, 0.999, 0.998, 0.995, 0.99]
errors = [deploy.quantisation_errors(values, deploy.scheme(values, share=share)) for share in shares]
plotting.curves(
    {name: [error[name] for error in errors] for name in ("rounding", "clipping", "both")},
    [100 * (1 - share) for share in shares],
    xlabel="values that lie beyond the range, in %",
    ylabel="error, root mean square",
    markers=True,
    alt="With more values beyond the range the rounding error falls slowly and the clipping error rises fast.",
)
claim("rounding falls when the range is narrowed", errors[-1]["rounding"] < errors[0]["rounding"])
claim("and yet the full range is best here", min(error["both"] for error in errors) == errors[0]["both"])

# %% [markdown]
# A depthwise channel has nine weights of its own and nothing that keeps it in line with its neighbours.
#
# With 255 steps rounding is cheap, and to cut off the strongest responses is not. With fewer bits, or with one wild
# outlier among the calibration images, a little clipping pays.
#
# ### A whole network
#
# `deploy.Int8` rounds the weights of each layer and its inputs, on any backend, in float32. So you see what eight bits
# cost in accuracy, but not what they save in time.
#
# **Predict**: how many points does ResNet-20 lose?
#
# First live, then with a converter: the stored runs have all 2,000 bundled test images, draws of the calibration
# images, and a depthwise network beside the residual one, as files of **LiteRT** (the former TensorFlow Lite). Then
# the same by your own machine: TensorFlow writes LiteRT files, with nothing more to install; on other backends
# the third cell says so.

# %%
calibration = cifar.x_train[np.random.default_rng(runtime.seed()).choice(8000, 100, replace=False)]
scores = {"float32": np.mean(compiled.predict(judged).argmax(-1) == labels)}
for name, per_channel in (("int8, per channel", True), ("int8, per tensor", False)):
    small = deploy.Int8(resnet, calibration, per_channel)
    scores[name] = np.mean(small.predict(judged).argmax(-1) == labels)
for name, score in scores.items():
    measured(f"{name:18}", score)
claim("eight bits cost less than 3 points", min(scores.values()) > scores["float32"] - 0.03)

# %% jupyter={"source_hidden": true}
eight = Experiment("deploy_int8").stored
for name in ("ResNet-20", "MobileNetV2"):
    for precision in deploy.PRECISIONS:
        runs, size = eight[name][precision]["accuracy"], eight[0][name][precision]["kB"]
        print(f"{name:12} {precision:13} accuracy {', '.join(f'{run:.4f}' for run in runs)}  {size:5.0f} kB")
loss = [eight[name]["float32"]["accuracy"] - eight[name]["int8"]["accuracy"] for name in ("ResNet-20", "MobileNetV2")]
claim("int8 costs less than one point, of each network and in each run", np.max(loss) < 0.01)

# %% tags=["nbval-ignore-output"]
folder = Path(tempfile.mkdtemp())
if runtime.backend() == "tensorflow":
    plain = deploy.export(resnet, folder / "plain.tflite")
    tiny = deploy.export(resnet, folder / "int8.tflite", precision="int8", calibration=calibration)
    runs = {file.precision: deploy.load(file.path, threads=1) for file in (plain, tiny)}
    runs["two threads"] = deploy.load(plain.path, threads=2)
    took = deploy.compare(runs, judged[:1], repetitions=3 * repeat)
    for name in ("int8", "two threads"):
        measured(f"{name}: takes", took[name].p50 / took["float32"].p50, "× the time of float32 on one thread")
    print(f"{plain}\n{tiny}\n{deploy.parity(runs['int8'], compiled, judged)}")
    claim("int8 has less than a third of the bytes", tiny.bytes < plain.bytes / 3)
    claim("float32 says the same as Keras, to 1e-4", deploy.parity(runs["float32"], compiled, judged).holds)
else:
    print("LiteRT files are written by TensorFlow: KERAS_BACKEND=tensorflow")

# %% jupyter={"source_hidden": true}
own = models.CifarResNet(20, weights="cifar10")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    own.quantize("int8")
done = [layer.name for layer in own.layers if getattr(layer, "quantization_mode", None) == "int8"]
convolutions = [layer for layer in own.layers if isinstance(layer, layers.Conv2D)]
claim(
    "of the 19 convolutions and the dense layer, the dense one is int8 now",
    (done, len(convolutions)) == (["logits"], 19),
)
claim("it warned of convolutions", any("Conv2D" in str(warning.message) for warning in said))

# %% [markdown]
# The logits are far beyond 1e-4 apart, and the classes are almost all the same: parity is for exports that promise to
# change nothing. For int8, ask for accuracy. Two threads seldom halve the time of one small image: each layer is
# divided anew, and all wait for the last. For many images, one thread for each is often better.
#
# Keras can quantise by itself, too: `model.quantize("int8")`, the last cell. It is made for language models, which are
# dense. For a convolutional network it does next to nothing, and warnings are all that it says.
#
# ### Which layers suffer?
#
# One layer at a time in int8, all others exact: how far do the logits move, as a share of their spread?

# %% jupyter={"source_hidden": true}
sensitive = Experiment("deploy_sensitivity").stored
panels = {name: sensitive[name]["layers"].columns() for name in ("ResNet-20", "MobileNetV2")}
depthwise = [name for name, kind in sensitive[0]["MobileNetV2"]["types"].items() if kind == "DepthwiseConv2D"]
plotting.by_layer(
    panels,
    marked={"depthwise layers": depthwise},
    ylabel="logits move by, of their spread",
    alt="Bars, one for each layer of ResNet-20 and of MobileNetV2, whose depthwise layers are marked.",
)
moved = {name: [sensitive[name][way].mean() for way in ("all", "all, per tensor")] for name in panels}
for name, (channel, tensor) in moved.items():
    print(f"{name:12} all layers together: {channel:.3f} with a scale for each channel, {tensor:.3f} for each tensor")
claim("one scale for a tensor moves both networks more", all(tensor > channel for channel, tensor in moved.values()))
highest = {max(run["MobileNetV2"]["layers"].items(), key=lambda item: item[1])[0] for run in sensitive}
claim("of MobileNetV2 the first depthwise layer moves most, in each run", highest == {"block1_1_depthwise_dw"})

# %% [markdown]
# Depthwise networks are said to suffer more in int8. With a scale for each channel this one does not; its first
# depthwise layer stands out, as one would expect. If one layer stands out too far, leave it in float32: the others
# keep what they save. If the accuracy is still too low, **quantisation-aware training** goes on with the rounding in
# the forward pass, so that the weights settle where rounding does no harm.
#
# ### Fewer weights
#
# **Pruning** takes weights out of a network: it sets the smallest weights to zero (*unstructured*), or removes whole
# channels (*structured*).
#
# **Predict**: with four of five weights zero, how much of the time does an ordinary library save? Channels that are
# gone cost accuracy at once: how much of it comes back when training goes on? (The second cell, stored: one epoch on
# 3,000 images, and as a control the whole network with the same epoch.)

# %%
vgg = models.SmallVGG(weights="cifar10")
pruned = {
    "as trained": vgg,
    "half the weights 0": deploy.without_weights(vgg, 0.5),
    "four fifths 0": deploy.without_weights(vgg, 0.8),
    "a quarter of the channels gone": deploy.without_channels(vgg, 0.25),
}
kept = {name: trace(model).total_macs / 1e6 for name, model in pruned.items()}
right = {name: np.mean(deploy.load(model).predict(judged).argmax(-1) == labels) for name, model in pruned.items()}
for name, model in pruned.items():
    zipped = deploy.zipped_bytes(model) / 1000
    print(f"{name:31} {kept[name]:5.1f} M MACs, {approx(zipped)} kB compressed, accuracy {approx(right[name])}")
claim("zeros are multiplied like all other numbers", kept["four fifths 0"] == kept["as trained"])
claim("half of the weights can go for less than 3 points", right["half the weights 0"] > right["as trained"] - 0.03)

# %% jupyter={"source_hidden": true}
cut = Experiment("deploy_pruning").stored
for name in ("as it was", "four fifths of the weights", "half of the channels"):
    before, after, macs = cut[name]["before"], cut[name]["after"], cut[0][name]["MACs"] / 1e6
    print(f"{name:27} {before.mean():.3f} before, {after.mean():.3f} after the epoch, {macs:.1f} M MACs")
behind = {name: cut["as it was"]["after"] - cut[name]["after"] for name in cut[0] if name.startswith(("four", "half"))}
claim("four fifths of the weights are then within 6 points", (behind["four fifths of the weights"] < 0.06).all())
claim("half of the channels are not within 20", (behind["half of the channels"] > 0.2).all())
claim("but they leave a quarter of the work", cut[0]["half of the channels"]["MACs"] < 0.26 * 38.6e6)

# %% [markdown]
# Zeros shrink the compressed file and nothing else, unless a library or a chip skips them; many skip two of four.
# Channels that are gone save work everywhere.
#
# ### A teacher
#
# **Distillation** (Hinton and others 2015) trains a small network, the **student**, on the *probabilities* of a large
# one: a lorry that is a little like a car says more than its label. A temperature $T$ (lesson 15) makes them softer:
# the logits of both are divided by it, before the softmax and in the loss.
#
# But soft targets help by themselves, so there are two rivals: labels, and **smoothed labels**, which give a tenth to
# all classes alike. Stored: a VGG of a quarter of the width, 2,500 images, and the small VGG as the teacher. Each way
# has the rate and the temperature that were best for *it* on 1,000 other images. All three share images, order and
# first weights, and the 2,000 test images judge once.
#
# **Predict**: how many points does the teacher give?

# %% jupyter={"source_hidden": true}
taught = Experiment("deploy_distillation").stored
right, settings = taught["accuracy"], taught[0]["settings"]
for arm in ("labels", "smoothed labels", "teacher"):
    rate, soft = settings[arm]["rate"], settings[arm]["softness"]
    chosen = f"rate {rate:g}" + ("" if soft is None else f", {'temperature' if arm == 'teacher' else 'share'} {soft:g}")
    print(f"{arm:16} {', '.join(f'{run:.3f}' for run in right[arm])}  {chosen}")
for rival in ("labels", "smoothed labels"):
    gain = 100 * (right["teacher"] - right[rival])
    verdict = "more" if abs(gain.mean()) > np.ptp(gain) else "no more"
    print(f"the teacher over {rival:16} {gain.mean():+.1f} points ({gain.min():+.1f} to {gain.max():+.1f}), ", end="")
    print(f"{verdict} than its spread")
print(f"the teacher itself {taught['teacher'].mean():.3f}, with {taught['weights']['teacher'][0]:,} weights")
claim("the student has fewer than a tenth of the teacher's weights", (taught["weights"]["student"] < 28_874).all())

# %% [markdown]
# A gain that is no more than its spread is none. (For all three the higher of the two rates tried was the better one,
# so each may have more in it.) What remains of the teacher's gain over smoothed labels is what its
# probabilities say about *this* image. (The teacher has learnt from 50,000 images, the student's 2,500 among them.)
#
# **So far**: int8 is a scale and a zero point, best per channel, with a range from calibration; it costs these
# networks under a point and saves two thirds of the bytes. Zeros save storage, channels save work.
#
# ## Part 4 · In service
#
# **How long does an answer take, where does the time go, and what can you choose?**
#
# The same weights run in many programs. **ONNX** is a format that many read, ONNX Runtime runs it; OpenVINO is made by
# Intel for its processors; LiteRT is small and runs on telephones. They fuse layers when they load the file and need
# no Python. Whichever you take, compare it with Keras first: 1e-4 of a logit is what float32 allows here.
#
# Beside LiteRT they are extras, `python -m pip install -e ".[deploy]"`. Then `deploy.export` takes `.onnx` and `.xml`,
# `deploy.load` runs them, and `python benchmarks/deploy.py` sets them side by side on your machine. One warning for
# int8: on processors without instructions for it (VNNI) unsigned activations with signed weights saturate, and
# accuracy falls; so `deploy.export` makes both signed.
#
# The first cell runs ONNX where it is installed. The second one is stored: all runtimes on one server processor with
# one thread, as shares of the time of the compiled Keras model on TensorFlow (processor time, in turns, one run). Their
# outputs were compared first. **Predict**: which is fastest for one image, and which for 32?

# %% tags=["nbval-ignore-output"]
try:
    onnx = deploy.export(resnet, folder / "resnet.onnx")
    run = deploy.load(onnx.path)
    print(onnx, deploy.parity(run, compiled, judged), deploy.latency(run, judged[:1]), sep="\n")
    print(deploy.onnx_profile(onnx.path, judged[:8]))
except (deploy.MissingPackage, NotImplementedError) as reason:
    print(f"ONNX is left out: {reason}")

# %% jupyter={"source_hidden": true}
(run,) = Experiment("deploy_runtimes").stored
networks = run["networks"]
print(", ".join(f"{name} {version}" for name, version in run["versions"].items()))
for batch in ("batch 1", "batch 32"):
    print(f"\n{batch:25}" + "".join(f"{name:>20}" for name in networks))
    for way in networks["resnet20"][batch]:
        shares = [own[batch][way]["processor"] for own in networks.values()]
        print(f"{way:25}" + "".join(f"{share:20.2f}" for share in shares))
apart = {w: max(own["agreement"][w][0] for own in networks.values()) for w in networks["resnet20"]["batch 1"]}
claim("in float32 all say what Keras says, to 1e-4", max(a for w, a in apart.items() if "int8" not in w) < 1e-4)

# %% [markdown]
# Which one is best depends on the network, the batch and the precision, so measure yours: the table is of one machine
# and of these versions.
#
# ### Say it in percentiles
#
# **Predict**: of 100 calls, 98 take 10 ms, and two take 500 ms. What is the mean, and who meets it?

# %%
calls = np.array([10.0] * 98 + [500.0] * 2)
p50, p95, p99 = np.percentile(calls, [50, 95, 99])
print(f"mean {calls.mean():.1f}, p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms")
claim("the mean is 19.8 ms, and no call takes that long", calls.mean() == 19.8 and 19.8 not in calls)
claim("p99 tells of the slow ones, p50 and p95 do not", (p50, p95, p99) == (10, 10, 500))

# %% [markdown]
# So a promise is a percentile. To measure one: call a few times first, since the first calls plan, compile and fill
# caches. Take a hundred calls at least for p99. If one call is not much longer than a step of the clock, time many
# together. Look also at **processor time**, the time that a processor worked for this program, beside the clock: far
# less of it means that the call waited, or that other programs took turns.
#
# The first call of a network that was just loaded is another matter: it plans, and where there is a compiler,
# compiles. So is a new process, which loads libraries before it can load a network. The first cell has a loaded network
# and a first call, the second, stored, whole processes.

# %% tags=["nbval-ignore-output"]
took = deploy.latency(compiled, judged[:1], repetitions=runtime.pick(smoke=5, cpu=100, gpu=200))
print(took)
measured("smallest step of the clock", 1000 * took.resolution, "µs")
measured("first call, after all that ran before, over p50", took.first / took.p50)
files = [folder / "plain.tflite"] if runtime.backend() == "tensorflow" else []
for source in (models.CifarResNet(20, weights="cifar10"), *files):
    run = deploy.load(source)
    took = deploy.latency(run, judged[:1], repetitions=repeat)
    measured(f"{run.name}: the first call takes", took.first / took.p50, "× the time of later ones")

# %% jupyter={"source_hidden": true}
starts = Experiment("deploy_startup").stored
steps = ("library", "network", "first call", "a later call")
print(f"{'milliseconds':20}" + "".join(f"{step:>14}" for step in steps))
spent = {}
for name in starts.columns():
    spent[name] = [float(np.median(starts[name]["processor"][step])) for step in steps]
    print(f"{name:20}" + "".join(f"{milliseconds:14.1f}" for milliseconds in spent[name]))

# %% [markdown]
# ResNet-20 in new processes, one thread, processor time, medians of three. If your program is started for each
# picture, the first two columns are where to look first.
#
# ### Layer by layer
#
# A profile (lesson 15) says where the time goes. `deploy.layer_profile` times each layer of a Keras model on any
# backend; `deploy.onnx_profile` asks ONNX Runtime, after its fusion. To look costs time, so believe shares more than
# sums.

# %% tags=["nbval-ignore-output"]
profile = deploy.layer_profile(resnet, judged[:8], repetitions=runtime.pick(smoke=1, cpu=2, gpu=10))
print(profile)
claim("every layer but the input has its time", len(profile) == len(resnet.layers) - 1)

# %% [markdown]
# ### Exercise 16.6 · Read a profile
#
# `profile` is a list of triples (name, type, milliseconds). If all layers of type `kind` took a `factor`-th of their
# time, how many times faster would the whole network be? `factor` may be infinite: they cost nothing any more. Raise a
# `ValueError` if no layer is of that type.
#
# For example, if 6 of 10 ms are convolutions, a factor of 3 for them makes the whole 10 / 6 = 1.67 times faster.


# %%
def speed_up(profile: list[tuple[str, str, float]], kind: str, factor: float) -> float:
    """How many times faster the whole is if all layers of one type are `factor` times faster."""
    ### BEGIN SOLUTION
    chosen = sum(milliseconds for _, type_, milliseconds in profile if type_ == kind)
    if not any(type_ == kind for _, type_, _ in profile):
        raise ValueError(f"no layer is of type {kind!r}")
    total = sum(milliseconds for _, _, milliseconds in profile)
    return total / (total - chosen + chosen / factor)
    ### END SOLUTION


# %%
exercise("16.6").check(speed_up)

# %% [markdown]
# ### When a runtime does not know a layer
#
# A runtime has a list of operators. What is not on it is refused, or computed by a slower part: on a telephone with a
# neural chip (NPU) or a signal processor (DSP), by its ordinary processor, with a copy there and back. The program
# *falls back*, and nobody tells you. Two real cases in LiteRT:

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
image = keras.Input((32, 32, 3))
maps = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
ends = {
    "bicubic": keras.Model(image, ops.image.resize(maps, (48, 48), interpolation="bicubic")),
    "layer norm": keras.Model(image, layers.Conv2D(8, 3)(layers.LayerNormalization()(maps))),
}
if runtime.backend() == "tensorflow":
    try:
        deploy.load(deploy.export(ends["bicubic"], folder / "bicubic.tflite").path)
    except deploy.UnsupportedOperator as error:
        print(error)
    for precision in ("float32", "int8"):
        file = deploy.export(ends["layer norm"], folder / "norm.tflite", precision=precision, calibration=calibration)
        run = deploy.load(file.path)
        pieces = deploy.operators(run)["DELEGATE"]
        print(f"layer norm, {precision}: {pieces} pieces, {approx(1000 * deploy.latency(run, judged[:1]).p50)} µs")

# %% [markdown]
# The export of the first raised no error: only loading did. The second runs, but in int8 the normalisation is an
# island of float32: numbers are converted on the way in and on the way out, and the network falls into pieces. Such an
# int8 network can be *slower* than float32. So look at the operators of a file before you believe in its precision,
# and choose layers that your target has.
#
# ### The detector, by stage
#
# And the network may not be where the time goes. The detector of lesson 11, from the bytes of a file to boxes:

# %% tags=["nbval-ignore-output"]
detect = pipeline.ready("detect")
photos = [runtime.data_dir() / "photographs" / f"{name}.webp" for name in ("coffee", "cat", "rocket")]
print(pipeline.measure_latency(detect, photos, runtime.pick(smoke=1, cpu=2, gpu=10)))

# %% [markdown]
# ### Power and heat
#
# A telephone may do for ten seconds what it cannot do for a minute: it gets warm and lowers its clock, which is
# called **throttling**. So measure for as long as it will run. Fetching a number from memory costs a hundred times
# the energy of multiplying it (Horowitz 2014), so what has a high intensity saves the battery, too, and int8 moves a
# quarter of the bytes. A chip that finishes early and sleeps often needs less than one that works slowly.
#
# ### Within the budget
#
# Now all levers together. Stored: three networks, a VGG of half the width, and the VGG at 24 pixels, in two
# precisions, in LiteRT on one thread (processor time). Accuracy is on the 2,000 test images. (Weights were trained at
# 32 pixels; 24 would gain from training.)

# %% jupyter={"source_hidden": true}
options = Experiment("deploy_choices").stored
each = zip(*(run["options"] for run in options))  # of each option its runs
one = [dict(runs[0], p95=float(np.median([run["p95"] for run in runs]))) for runs in each if runs[0]["batch"] == 1]
best, frontier = 0.0, []
for option in sorted(one, key=lambda option: option["p95"]):
    if option["accuracy"] > best:
        best = option["accuracy"]
        frontier.append(option)
        told = f"{option['network']}, {option['pixels']} pixels, {option['precision']}"
        print(f"p95 {option['p95']:6.2f} ms  accuracy {option['accuracy']:.3f}  {option['kB']:6.0f} kB  {told}")
claim("those that nothing beats are fewer than half of all", len(frontier) < len(one) / 2)

# %% [markdown]
# Each line is the most accurate within its time; all others are slower and no better. Only such a table answers "which
# network", for your machine, your data, and the time that you have.
#
# ### Exercise 16.7 · Meet a latency budget
#
# Pictures arrive evenly, `rate` each second. An option is a dictionary with "name", "accuracy", "batch" and "p95", the
# milliseconds of one *batch*. The first picture of a batch waits until the last one has arrived, and then for the
# batch. Return the name of the most accurate option
#
# - whose wait, `1000 * (batch - 1) / rate + p95`, is at most `budget` milliseconds,
# - and which keeps up: it computes a batch in no more time than the next one needs to arrive, `1000 * batch / rate`.
#
# Of equal accuracies take the one with the shorter wait. If nothing fits, return None.


# %%
def choose(options: list[dict], rate: float, budget: float) -> str | None:
    """The name of the most accurate option that meets the budget and keeps up, or None."""
    ### BEGIN SOLUTION
    fitting = []
    for option in options:
        wait = 1000 * (option["batch"] - 1) / rate + option["p95"]
        if wait <= budget and option["p95"] <= 1000 * option["batch"] / rate:
            fitting.append((-option["accuracy"], wait, option["name"]))
    return min(fitting)[2] if fitting else None
    ### END SOLUTION


# %%
exercise("16.7").check(choose)

# %% [markdown]
# **So far**: exports are compared first and timed in percentiles; a profile, a list of operators and the stages of the
# pipeline say where time goes. A budget is met by a table of what nothing beats.
#
# ## Recap
#
# - Winograd needs 16 products for 36, FFT almost none of the kernel's size; what they add is walks through memory.
# - A layer does at most min(peak, bandwidth times intensity). Depthwise layers lie left of the ridge.
# - Batches raise intensity and add waiting. Folding and compiling take away walks and calls.
# - $q = \operatorname{round}(x/s) + z$. Per channel for weights, calibration for activations, accuracy as the judge.
# - Zeros save storage, channels save work. A teacher's probabilities are softer targets; compare with smoothed labels.
# - Export, compare, warm up, and tell p50, p95, p99 with the processor time beside.
# - Unknown operators are refused or fall back in silence. Look.
#
# ## Explain it
#
# **A colleague replaces all 3x3 convolutions by depthwise separable ones, saves 85 % of the multiplications, and the
# server gets no faster. Why, and what do you measure?**
#
# <details><summary>Model answer</summary>
#
# The depthwise part has an intensity of about two operations per byte, left of the ridge of any processor: it waits
# for memory. There are also twice as many layers, so twice the calls, and normalisations between them. Measure peak
# and bandwidth, put each layer under the roof, and profile: if the depthwise layers lie on the slope, only moving less
# helps (fusion, int8, a smaller map); if all layers lie far below the roof, it is calls or threads.
#
# </details>
#
# **Your int8 network has the accuracy of the float32 one on the test set, and is slower on the telephone. What
# happened?**
#
# <details><summary>Model answer</summary>
#
# Most likely parts of it are not computed in int8, or not where you think. An operator that the accelerator does not
# have splits the network; each piece costs a copy and a conversion. List the operators and the pieces, replace the one
# that splits, and time again, warm, for as long as it will run. Or the telephone's float16 unit is simply better than
# its int8 one.
#
# </details>
#
# **Why is p99 of 50 measurements not to be believed?**
#
# <details><summary>Model answer</summary>
#
# One in a hundred cannot be seen in fifty: it would be the slowest of them or a number between the two slowest. With a
# hundred it rests on one call, so it takes several hundred for a p99 that comes out alike twice.
#
# </details>
#
# **When is a larger batch worse?**
#
# <details><summary>Model answer</summary>
#
# When someone waits. The first picture waits until the batch is full and computed. If pictures arrive slowly the
# filling alone breaks the budget. It is also worse once intensity is beyond the ridge already, or when maps no longer
# fit into the cache: then it gains nothing and costs memory.
#
# </details>
#
# ## What comes next
#
# One machine is as fast as it can be. Next, several of them, and what they owe each other.
# [17 More than one device](../notebooks/17_more_than_one_device.ipynb) · [Course map](../README.md)
#
# ## References
#
# - S. Han, J. Pool, J. Tran and W. Dally (2015). Learning both weights and connections for efficient neural networks.
#   *NeurIPS*.
# - G. Hinton, O. Vinyals and J. Dean (2015). Distilling the knowledge in a neural network. *arXiv*.
# - M. Horowitz (2014). Computing's energy problem (and what we can do about it). *ISSCC*.
# - B. Jacob, S. Kligys, B. Chen and others (2018). Quantization and training of neural networks for efficient
#   integer-arithmetic-only inference. *CVPR*.
# - A. Lavin and S. Gray (2016). Fast algorithms for convolutional neural networks. *CVPR*.
# - H. Li, A. Kadav, I. Durdanovic, H. Samet and H. P. Graf (2017). Pruning filters for efficient ConvNets. *ICLR*.
# - M. Mathieu, M. Henaff and Y. LeCun (2014). Fast training of convolutional networks through FFTs. *ICLR*.
# - S. Williams, A. Waterman and D. Patterson (2009). Roofline: an insightful visual performance model for multicore
#   architectures. *Communications of the ACM*.
