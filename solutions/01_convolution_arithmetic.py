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
# # 01 · Convolution arithmetic
#
# **What does one convolution layer compute, and what does it cost?**
#
# When you have worked through this page you can
# - say what a dense layer wastes on an image, and what a convolution layer assumes instead
# - compute what a convolution layer returns, by hand and from scratch in NumPy
# - give the size of its output for any kernel, stride, padding and dilation, and the pixels it never reads
# - count the weights and the multiply-accumulates of ordinary, 1x1, grouped, depthwise and transposed layers
# - derive the gradients of a kernel and of an input, and train a kernel
#
# **Before this**: [00 Start here](../notebooks/00_start_here.ipynb) · **Reading** 40 min · **Exercises** 75 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 A window that slides | What does a convolution layer compute? | 15 |
# | 2 Where the window stands | How large is the output, and what is never read? | 28 |
# | 3 What a layer costs | Where are the weights, and where is the work? | 28 |
# | 4 How a kernel learns | How does a loss reach a weight that is used everywhere? | 26 |
# | 5 Backwards | How does it reach the pixels? | 18 |
#
# [← 00 Start here](../notebooks/00_start_here.ipynb) · [Course map](../README.md) ·
# [02 Feature maps and receptive fields →](../notebooks/02_feature_maps_and_receptive_fields.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="01")

# %%
import keras
import numpy as np
from scipy import signal

from cnnlib import arithmetic, claim, datasets, exercise, gradients, plotting, predict, reference, reveal

# %% [markdown]
# ## Part 1 · A window that slides
#
# **What does a convolution layer compute?**
#
# A photograph of 224 by 224 pixels in three colours is a block of 150,528 numbers. In a **dense layer** every
# **unit**, one number of the output, reads all numbers of the input, and has a **weight** for each: a number that it
# is multiplied by.
#
# The first layer of ResNet makes 802,816 numbers of the photograph: 64 pictures of 112 by 112. It needs 9,472 numbers
# for that.
#
# **Predict**: how many would a dense layer need that returns as many?

# %%
predict("01.a", "How many billion weights does a dense layer have from 150,528 to 802,816 numbers?", unit="billion")

# %%
coffee = datasets.photograph("coffee", size=224) / 255.0
dense = arithmetic.dense_parameters(coffee.size, units=112 * 112 * 64)
conv = arithmetic.conv_parameters(kernel=7, in_channels=3, out_channels=64)
reveal("01.a", round(dense / 1e9), exact=True)
claim(f"{dense:,} weights against {conv:,}", (dense, conv) == (120_847_089_664, 9_472))

# %% [markdown]
# The bill is not the worst of it. Shuffle the pixels of every photograph in the same way: you can no longer tell a
# cup from a cat.
#
# What does a dense layer lose?

# %%
rng = np.random.default_rng(0)
order = rng.permutation(coffee.size)
shuffled = coffee.ravel()[order]
plotting.images(
    {"what you see": coffee, "the same numbers, shuffled": shuffled.reshape(coffee.shape)},
    alt="A cup of coffee on a red saucer, and the same 150,528 numbers shuffled: coloured noise.",
    size=2.3,
)

weights = rng.normal(size=(coffee.size, 8))
as_before = np.allclose(coffee.ravel() @ weights, shuffled @ weights[order])
claim("a dense layer whose weights are shuffled too answers exactly as before", as_before)

# %% [markdown]
# Nothing. To a dense layer both pictures are the same problem, so it must learn from examples what you know beforehand:
#
# - *locality*: pixels that belong together lie together;
# - *translation*: a cup is a cup wherever it stands.
#
# A **convolution layer** has locality and translation built in: each output looks through a small window, and all
# windows share one set of weights, the **kernel**. The rest of this page is about that one idea.
#
# Take an image of 5 by 5 zeros and ones, and a kernel of 3 by 3. Lay the kernel on the top left corner, multiply the
# nine pairs of numbers, add them up: that is the first output. Move one pixel to the right, and again.
#
# ```
# image      1 1 1 0 0     kernel   1 0 1
#            0 1 1 1 0              0 1 0
#            0 0 1 1 1              1 0 1
#            0 0 1 1 0
#            0 1 1 0 0
# ```
#
# As a formula, with image $x$, kernel $w$ of $K_h \times K_w$ numbers and output $y$:
#
# $$y_{i,j} = \sum_{u=0}^{K_h - 1} \sum_{v=0}^{K_w - 1} x_{i+u,\;j+v} \; w_{u,v}$$
#
# $i, j$ say where the window stands, $u, v$ run inside it. In code the formula is two loops around a sum.
#
# **Predict**: count the first output yourself.

# %%
predict("01.b", "What is the first output?", within=0)


# %%
def slide(image, kernel):
    kh, kw = kernel.shape
    output = np.zeros((image.shape[0] - kh + 1, image.shape[1] - kw + 1))
    for i in range(output.shape[0]):
        for j in range(output.shape[1]):
            output[i, j] = np.sum(image[i : i + kh, j : j + kw] * kernel)
    return output


image = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
kernel = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
plotting.sliding_window(image, kernel, stops=[(0, 0), (0, 1), (2, 2)])
reveal("01.b", slide(image, kernel)[0, 0], exact=True)
claim("a window of 3 stops 3 times on 5 pixels: the output is 3x3", slide(image, kernel).shape == (3, 3))

# %% [markdown]
# ### Where the name comes from
#
# Throw two dice. How likely is a sum of 7? Go through the ways: 1 and 6, 2 and 5, 3 and 4, … While the first die
# goes *up*, the second must go *down*. With the chances $f$ and $g$ of the two dice, the chance of a sum $n$ is
# their **convolution**:
#
# $$(f * g)(n) = \sum_m f(m) \, g(n - m) \qquad\text{and for continuous}\ f, g: \qquad
# (f * g)(t) = \int f(\tau) \, g(t - \tau) \, d\tau$$
#
# The minus sign is the **flip** of a convolution: one of the two functions is read backwards. In an image the flip runs
# along both axes: it turns the kernel by 180 degrees. `slide` has no flip. A convolution without the flip is properly
# called **cross-correlation**. The first kernel looks the same upside down and hides the difference. The next one does
# not.
#
# Which of the two is `keras.ops.conv`?


# %%
def keras_conv(image, kernel):
    x = image.astype("float32")[None, :, :, None]  # (batch, height, width, channels)
    w = kernel.astype("float32")[:, :, None, None]  # (kh, kw, channels in, channels out)
    return keras.ops.convert_to_numpy(keras.ops.conv(x, w))[0, :, :, 0]


corner = np.array([[0, 1, 2], [0, 0, 3], [0, 0, 0]])
convolution = signal.convolve2d(image, corner, mode="valid")
correlation = signal.correlate2d(image, corner, mode="valid")
claim("keras.ops.conv is a cross-correlation", np.allclose(keras_conv(image, corner), correlation))
flipped = slide(image, np.flip(corner))
claim("convolution is cross-correlation with the flipped kernel", np.array_equal(flipped, convolution))

# %% [markdown]
# All deep-learning libraries leave the flip out and keep the name. It does no harm, because kernels are *learnt*:
# where one definition learns $w$, the other learns $w$ turned by 180 degrees and returns the same numbers. In part 4
# you train both and see. It matters when you type in a kernel from a book on image processing, and on the way back
# through a layer, where the flip turns up again.
#
# ### One matrix product instead of two loops
#
# Python loops are slow, and a GPU is made for matrix products. **im2col** ("image to columns") copies every window
# into a row of a matrix. One product with the kernel, written as a column, then gives all outputs at once. (How fast
# the three ways are on your machine stands at the end of part 5.)
#
# What does it cost in memory, for a photograph and windows of 7 by 7?


# %%
def unroll(image, kernel_shape):
    """Every window of the image as one row: (windows, taps)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel_shape)
    return windows.reshape(-1, kernel_shape[0] * kernel_shape[1])


def slide_fast(image, kernel):
    output = unroll(image, kernel.shape) @ kernel.ravel()
    return output.reshape(image.shape[0] - kernel.shape[0] + 1, -1)


plotting.window_matrix(image, kernel)
claim("the product gives the same 9 outputs", (slide_fast(image, kernel) == slide(image, kernel)).all())
grey = coffee.mean(axis=-1)
copies = unroll(grey, (7, 7)).size / grey.size
claim("the matrix of windows is 46 times as large as the photograph", round(copies) == 46)

# %% [markdown]
# ### Many channels: a filter is a cube
#
# A photograph has three channels. A **filter** has one kernel for each channel of its input, a **slice**: together
# they are a cube of $K_h \times K_w \times C_\text{in}$ numbers. Each slice slides over its channel, and the results
# are *added*. What one filter returns is one **feature map**, with one number for each place where its window stood,
# whatever the number of channels. This filter takes red for it, and green and blue against it.
#
# A layer has many filters and stacks their feature maps. All its numbers form one array. Keras orders it
# $(K_h, K_w, C_\text{in}, C_\text{out})$, PyTorch $(C_\text{out}, C_\text{in}, K_h, K_w)$.
#
# Weights of the shape (16, 3, 3, 3) arrive from PyTorch. `reshape(3, 3, 3, 16)` gives the shape that Keras wants. Does
# it give the right layer?

# %%
redness = np.zeros((3, 3, 3))  # (kh, kw, channels in)
redness[:, :, 0] = 1 / 9
redness[:, :, 1:] = -1 / 18
responses = np.stack([slide_fast(coffee[:, :, c], redness[:, :, c]) for c in range(3)], axis=-1)
plotting.channel_sum(coffee, redness, responses, responses.sum(axis=-1))
claim("a grey image gives 0", abs(np.sum(redness * 0.6)) < 1e-12)

# %%
torch_weights = rng.normal(size=(16, 3, 3, 3))  # (Cout, Cin, kh, kw)
window = coffee[:3, :3]
wanted = np.sum(window.transpose(2, 0, 1) * torch_weights[5])  # what filter 5 answers to it
moved = torch_weights.transpose(2, 3, 1, 0)
poured = torch_weights.reshape(3, 3, 3, 16)
claim("moving the axes keeps the filters", np.isclose(np.sum(window * moved[:, :, :, 5]), wanted))
claim("reshape scrambles them", not np.isclose(np.sum(window * poured[:, :, :, 5]), wanted))

# %% [markdown]
# No error, no warning, and a network that guesses. A shape that fits proves little: check one number by hand, as
# here.
#
# **So far**: a convolution layer slides one small kernel over all places and adds up over the channels, without the
# flip that its name has. It needs thousands of weights where a dense layer needs billions.
#
# ## Part 2 · Where the window stands
#
# **How large is the output, and what is never read?**
#
# The **stride** $S$ is the number of pixels between two stops. A window of 3 that moves in steps of 2 over 7 pixels
# stops three times: at 0, 2 and 4. Over 8 pixels it *also* stops three times. The eighth pixel is never read.
#
# **Padding** adds $P$ pixels at each end of the input, usually zeros. With a **dilation** of $D$ the taps of the kernel
# stand $D$ pixels apart, so that $K$ taps span $D(K-1) + 1$ pixels. The number of stops is
#
# $$O = \left\lfloor \frac{W + 2P - D(K-1) - 1}{S} \right\rfloor + 1$$
#
# $W$ is the size of the input, $K$ that of the kernel, and $\lfloor\;\rfloor$ the *floor*: round down. It is the
# floor that drops pixels, and nothing warns you. ResNet begins with a window of 7 and pads by 3 for this reason.
#
# Below are knobs to turn. Look for settings that lose many pixels. What do stride 2 and dilation 2 do together?
#
# **Predict**: of 224 pixels in a row, how many are lost to that window with stride 2 and no padding?

# %%
predict("01.c", "How many of the 224 pixels of a row are never read?", within=0)

# %%
plotting.coverage(224, kernel=7, stride=2)
reveal("01.c", 224 - arithmetic.covered(224, kernel=7, stride=2), exact=True)
claim("with padding 3 it reads them all", arithmetic.covered(224, 7, stride=2, padding=3) == 224)
claim("7 and 8 pixels give the same 3 outputs", [arithmetic.output_size(n, 3, stride=2) for n in (7, 8)] == [3, 3])

thumbnail = grey.reshape(14, 16, 14, 16).mean(axis=(1, 3))  # 14 x 14 pixels, each the mean of 16 x 16
plotting.layer_explorer(thumbnail)
half = arithmetic.covered(14, kernel=3, stride=2, dilation=2)
claim("with stride 2 and dilation 2, half of the 14 are never read", half == 7)

# %% [markdown]
# ### Exercise 01.1 · Output size
#
# ●●○ · 10 min
#
# The floor makes different inputs equal: 7 and 8 pixels both give 3 outputs. Turn the formula round. Given the number
# of `outputs` and the layer, return the smallest and the largest input size that gives it, `(smallest, largest)`. An
# input has at least one pixel. Raise a `ValueError` if `outputs` is smaller than 1, or if no input gives as few.
#
# For example, `input_sizes(3, 3, stride=2)` is `(7, 8)`, and `input_sizes(1, 1, padding=1)` does not exist: one pixel
# with padding 1 has three outputs already.
#
# Stuck? Run `exercise("01.1").hint()` in a new cell, and again for the next hint.


# %%
def input_sizes(outputs: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> tuple[int, int]:
    """(smallest, largest) input size with that many outputs; ValueError if there is none."""
    ### BEGIN SOLUTION
    smallest = (outputs - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding
    largest = smallest + stride - 1
    if outputs < 1 or largest < 1:
        raise ValueError(f"no input has {outputs} outputs")
    return max(smallest, 1), largest
    ### END SOLUTION


# %%
exercise("01.1").check(input_sizes)

# %% [markdown]
# ### What `same` and `valid` mean
#
# Keras offers padding by name. `"valid"` adds nothing. `"same"` adds as many zeros as it takes for
# $O = \lceil W / S \rceil$ outputs ($\lceil\;\rceil$ rounds up), in all
#
# $$P_\text{total} = \max\big((O - 1)\,S + D(K-1) + 1 - W,\; 0\big)$$
#
# and shares them between both ends. If the total is odd, the extra zero goes to the *end*.
#
# **Predict**: a 3-wide window moves over 224 pixels with stride 2. PyTorch code pads one pixel on each side, Keras has
# `"same"`. Both return 112 numbers. Are they the same numbers?

# %%
predict("01.d", "Are they the same numbers?", choices=["yes", "no"])

# %%
w, x = rng.normal(size=(3, 3, 3, 1)), coffee[None]
same = keras.ops.conv(x.astype("float32"), w.astype("float32"), strides=2, padding="same")
same = keras.ops.convert_to_numpy(same)
both_sides = reference.conv2d(x, w, stride=2, padding=1)
reveal("01.d", np.allclose(same, both_sides, atol=1e-4))
every_stop = reference.conv2d(x, w, stride=1, padding=1)
claim("padding on both sides stops at the even places", np.allclose(both_sides, every_stop[:, 0::2, 0::2]))
claim("Keras's 'same' stops at the odd ones", np.allclose(same, every_stop[:, 1::2, 1::2], atol=1e-4))

# %% [markdown]
# The same shape, and every window one pixel further on. Weights that were trained with one convention and run with
# the other lose **accuracy**, the share of right answers, layer by layer, and no error tells you. Implementations of
# ResNet and MobileNet in Keras therefore pad explicitly before a strided layer.
#
# An even kernel has the same trouble without a stride: it has no middle pixel. With `"same"` each layer of 2x2 moves
# the picture by half a pixel to the top left. This is why kernels are odd.
#
# ### Exercise 01.2 · The padding of same
#
# ●●○ · 10 min
#
# Return the zeros `(before, after)` that `"same"` adds along one axis. The window may be even, strided or dilated,
# and it can be so small that no zeros are needed. Raise a `ValueError` if an argument is smaller than 1.
#
# For example, `same_padding(224, 3, stride=2)` is `(0, 1)`.


# %%
def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis for padding="same"; ValueError if an argument is smaller than 1."""
    ### BEGIN SOLUTION
    if min(size, kernel, stride, dilation) < 1:
        raise ValueError("size, kernel, stride and dilation must all be at least 1")
    outputs = (size + stride - 1) // stride
    total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2
    ### END SOLUTION


# %%
exercise("01.2").check(same_padding)

# %% [markdown]
# ### What happens at the border
#
# Without padding, a 3x3 window reads the pixels of the border less often than the others. The pixel in the corner lies
# in the window of *one* place, the middle of a side in three, an inner pixel in nine. So what lies at the border counts
# for less, and for less again with every layer.
#
# Padding gives it more windows, and makes pixels up for that. **Zero padding** paints the border black, **reflect
# padding** mirrors the picture, **replicate padding** repeats its last pixel. Each leaves its mark. What does an
# average over 3x3 make of the corner of an all-white image?

# %%
reads = signal.convolve2d(np.ones((7, 7)), np.ones((3, 3)))  # each of 7 x 7 windows hands a 1 to its nine pixels
claim("corner, side and inside are read 1, 3 and 9 times", (reads[0, 0], reads[0, 4], reads[4, 4]) == (1, 3, 9))
nine, modes = np.full((3, 3), 1 / 9), {"zero": "constant", "reflect": "reflect", "replicate": "edge"}  # NumPy's names
corners = {mode: slide(np.pad(np.ones((9, 9)), 1, mode=name), nine)[0, 0] for mode, name in modes.items()}
claim("with zeros the corner of a white image drops to 4/9", np.isclose(corners["zero"], 4 / 9))
claim("reflect and replicate keep it white", corners["reflect"] > 0.999 < corners["replicate"])

# %% [markdown]
# Keras layers know zeros only. For reflection pad first, with `keras.ops.pad(x, ..., mode="reflect")`. It has no
# replicate padding; where the input is prepared in NumPy, `np.pad(x, ..., mode="edge")` does it.
#
# A network can read its position off that dark border, and trained ones do (Islam and others, 2020). A mirror
# invents objects that are not there, and repeated pixels become streaks. No mode is right; zeros are the habit.
#
# **So far**: the floor drops pixels, `"same"` pads unevenly where the total is odd, and a border is read less often or
# made up. No error tells of any of these.
#
# ## Part 3 · What a layer costs
#
# **Where are the weights, and where is the work?**
#
# Each of the $C_\text{out}$ filters has $K_h K_w C_\text{in}$ weights and one **bias**, a number that is added to
# each of its outputs. All of these numbers, which training can change, are the **parameters** of the layer:
#
# $$\text{parameters} = (K_h K_w C_\text{in} + 1)\, C_\text{out} \qquad\qquad
# \text{MACs} = O_h O_w \cdot K_h K_w C_\text{in} C_\text{out}$$
#
# A **multiply-accumulate** (MAC) is one product added to a sum; counted as floating-point operations, **FLOPs**, it
# is two. Every output pixel of every filter needs $K_h K_w C_\text{in}$ of them; biases are left out. So a photograph
# that is twice as wide and twice as high costs four times the work, and not one parameter more.
#
# VGG-16 shows how far the two part company: thirteen 3x3 layers, halving the image four times on the way and once more
# at the end, then three dense layers.
#
# **Predict**: which share of its parameters do the three dense layers hold?

# %%
predict("01.e", "Which share of the parameters of VGG-16 lies in its dense layers?", unit="%")

# %% jupyter={"source_hidden": true}
layers, size, channels = [], 224, 3
for block, (filters, repeats) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], start=1):
    for n in range(1, repeats + 1):
        macs = arithmetic.conv_macs((size, size), 3, channels, filters)
        layers.append((f"conv {block}-{n}", arithmetic.conv_parameters(3, channels, filters), macs))
        channels = filters
    size //= 2
for n, (inputs, units) in enumerate([(7 * 7 * 512, 4096), (4096, 4096), (4096, 1000)], start=1):
    layers.append((f"dense {n}", arithmetic.dense_parameters(inputs, units), inputs * units))
plotting.cost_bars(layers, title="VGG-16")

parameters, macs = (sum(layer[part] for layer in layers) for part in (1, 2))
reveal("01.e", round(100 * sum(layer[1] for layer in layers[13:]) / parameters), exact=True)
conv_share = sum(layer[2] for layer in layers[:13]) / macs
claim("VGG-16 has 138,357,544 parameters", parameters == 138_357_544)
claim("and needs 15.5 billion multiply-accumulates for one photograph", round(macs / 1e9, 1) == 15.5)
claim("its convolutions do 99 % of the work", round(100 * conv_share) == 99)

# %% [markdown]
# To make the file smaller, cut the dense layers. To make it faster, cut the convolutions. Later networks did both.
#
# ### Exercise 01.3 · Parameters and multiply-accumulates
#
# ●○○ · 5 min
#
# Count both for one layer on one image. `input_shape` is (height, width, channels), `kernel_size` is (height,
# width), and `stride` and `padding` hold for both axes. A layer without a bias has fewer parameters. Raise a
# `ValueError` if the kernel does not fit into the padded input. `arithmetic.output_size` is yours to use.
#
# For example, `conv_cost((224, 224, 3), 64, (3, 3), padding=1)` is `(1792, 86704128)`.


# %%
def conv_cost(
    input_shape: tuple[int, int, int],
    filters: int,
    kernel_size: tuple[int, int],
    stride: int = 1,
    padding: int = 0,
    bias: bool = True,
) -> tuple[int, int]:
    """(parameters, multiply-accumulates) of one convolution layer; ValueError if the kernel does not fit."""
    ### BEGIN SOLUTION
    height, width, channels = input_shape
    kernel_height, kernel_width = kernel_size
    weights = kernel_height * kernel_width * channels * filters
    output_height = arithmetic.output_size(height, kernel_height, stride, padding)
    output_width = arithmetic.output_size(width, kernel_width, stride, padding)
    parameters = weights + filters if bias else weights
    return parameters, output_height * output_width * weights
    ### END SOLUTION


# %%
exercise("01.3").check(conv_cost)

# %% [markdown]
# ### Exercise 01.4 · A convolution layer from scratch
#
# ●●○ · 15 min
#
# Put the pieces together, with loops or without: `x` is (height, width, channels in), `w` is (kh, kw, channels in,
# channels out), `b` is (channels out,) or `None`. Pad with `padding` zeros on every side, move in steps of `stride`,
# and return (height out, width out, channels out), as Keras does. Raise a `ValueError` if `x` and `w` disagree about
# the channels, or if the kernel does not fit into the padded image.
#
# For example, `conv2d(image[:, :, None], kernel[:, :, None, None])[0, 0]` is `[4.]` for the 5x5 image above.


# %%
def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    stride: int = 1,
    padding: int = 0,
) -> np.ndarray:
    """Convolution layer on one image; ValueError if the channels disagree or the kernel does not fit."""
    ### BEGIN SOLUTION
    kh, kw, in_channels, out_channels = w.shape
    if x.shape[2] != in_channels:
        raise ValueError(f"x has {x.shape[2]} channels, w expects {in_channels}")
    height = arithmetic.output_size(x.shape[0], kh, stride, padding)
    width = arithmetic.output_size(x.shape[1], kw, stride, padding)
    padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    y = np.zeros((height, width, out_channels))
    for i in range(height):
        for j in range(width):
            window = padded[i * stride : i * stride + kh, j * stride : j * stride + kw]
            y[i, j] = np.tensordot(window, w, axes=3)  # over height, width and channels
    return y if b is None else y + b
    ### END SOLUTION


# %%
exercise("01.4").check(conv2d)

# %% [markdown]
# ### Cheaper relatives
#
# An ordinary layer feeds every input channel to every output channel, through a slice of its own. There are three
# ways to save.
#
# - A **1x1 convolution** looks at one pixel: it mixes channels and sees no neighbours.
# - A **grouped convolution** splits the channels into groups that do not see each other.
# - A **depthwise convolution** has a group for every channel: it sees neighbours and mixes nothing.
#
# Depthwise for the neighbours, then 1x1 for the channels: together a **depthwise separable convolution**, the block
# that MobileNet is made of.
#
# **Predict**: 128 channels in and out, 3x3. What share of an ordinary layer's weights does the separable one need?

# %%
predict("01.f", "What share of the weights of an ordinary 3x3 layer?", unit="%")

# %%
kinds = {
    "3x3": keras.layers.Conv2D(128, 3, padding="same"),
    "1x1": keras.layers.Conv2D(128, 1),
    "3x3 in 4 groups": keras.layers.Conv2D(128, 3, padding="same", groups=4),
    "3x3 depthwise": keras.layers.DepthwiseConv2D(3, padding="same"),
    "depthwise, then 1x1": keras.layers.SeparableConv2D(128, 3, padding="same"),
    "3x3 transposed, stride 2": keras.layers.Conv2DTranspose(128, 3, strides=2, padding="same"),
}
weights = {}
for name, layer in kinds.items():
    layer.build((None, 56, 56, 128))
    weights[name] = layer.count_params() - 128  # without the 128 biases
    print(f"{name:24} {weights[name]:>9,} weights {56 * 56 * weights[name] / 1e6:8.1f} M MACs on 56x56 pixels")
plotting.channel_wiring({"ordinary": 1, "4 groups": 4, "depthwise": 8}, channels=8)
ratio = weights["depthwise, then 1x1"] / weights["3x3"]
reveal("01.f", round(100 * ratio, 1), exact=True)
claim("that is 1 / channels out + 1 / taps", np.isclose(ratio, 1 / 128 + 1 / 9))

# %% [markdown]
# About a ninth of the weights, and of the work too, since each weight is used once at every pixel. MobileNet runs on
# telephones because of that ratio. The last kind in the table, *transposed*, waits until part 5.
#
# **So far**: parameters depend on kernel and channels, work on the image as well. Grouped, depthwise and 1x1 layers
# leave out what an ordinary layer connects.
#
# ## Part 4 · How a kernel learns
#
# **How does a loss reach a weight that is used everywhere?**
#
# So far you knew the kernel and computed the picture. Training is the other way round: examples of input and output
# are given, and the kernel is wanted. For one layer without a bias this is a problem you can solve today. Each pixel
# of the output is one linear equation, and the weights are the unknowns.
#
# ### Exercise 01.5 · Find the kernel
#
# ●●○ · 10 min
#
# Given an `image` and the `output` that some kernel made of it (stride 1, no padding, no flip), return the kernel.
# Its size follows from theirs, and may differ between the axes. Raise a `ValueError` if the output is larger than
# the image, or has fewer pixels than the kernel has weights: then many kernels fit.
#
# For example, `find_kernel(image, slide(image, kernel))` gives back `kernel`. `unroll` may help.


# %%
def find_kernel(image: np.ndarray, output: np.ndarray) -> np.ndarray:
    """The kernel (kh, kw) with slide(image, kernel) == output; ValueError if it cannot be found."""
    ### BEGIN SOLUTION
    kernel_shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(kernel_shape) < 1:
        raise ValueError("the output is larger than the image")
    if output.size < kernel_shape[0] * kernel_shape[1]:
        raise ValueError("there are fewer equations than weights")
    weights, *_ = np.linalg.lstsq(unroll(image, kernel_shape), output.ravel())
    return weights.reshape(kernel_shape)
    ### END SOLUTION


# %%
exercise("01.5").check(find_kernel)

# %% [markdown]
# ### Downhill
#
# A network has many layers and no such equations. Training goes downhill instead: it asks how the **loss** $L$, a
# number that says how wrong the output is, changes with each weight, the **gradient**, and takes a small step against
# that. Let $g_{i,j} = \partial L / \partial y_{i,j}$ say how the loss changes with each output.
#
# One weight $w_{u,v}$ is used at *every* position. At position $(i, j)$ it multiplies $x_{i+u,\,j+v}$. By the chain
# rule its gradient is a sum over positions:
#
# $$\frac{\partial L}{\partial w_{u,v}} = \sum_{i} \sum_{j} g_{i,j} \; x_{i+u,\;j+v}$$
#
# Compare with the formula of the layer. This is a cross-correlation again: $g$ slides over the image.
#
# A check that does not use the formula: ask the automatic differentiation of the backend. It is done on the photograph,
# where the sum has 49,284 terms, for a layer that is to become the Sobel kernel, which answers to vertical edges.

# %%
target = slide(image, corner)  # what the layer should return
g = slide(image, kernel) - target  # dL/dy for L = half the sum of squared differences
plotting.sliding_window(image, g, stops=[(0, 0), (0, 1), (2, 2)], names=("dL/dy", "image", "dL/dw"))

# %%
sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
pixels = grey.astype("float32")[None, :, :, None]
wanted = keras.ops.convert_to_tensor(keras_conv(grey, sobel)[None, :, :, None])


def loss(w):
    return keras.ops.sum((keras.ops.conv(pixels, w) - wanted) ** 2) / 2


start = rng.normal(size=(3, 3)).astype("float32")
_, automatic = gradients.value_and_grad(loss)(start[:, :, None, None])
by_hand = slide_fast(grey, slide_fast(grey, start) - slide_fast(grey, sobel))
error = np.abs(automatic[:, :, 0, 0] - by_hand).max() / np.abs(by_hand).max()
claim("the sum over positions equals automatic differentiation to 1e-4", error < 1e-4)

# %% [markdown]
# ### Exercise 01.6 · The gradient of a kernel
#
# ●●○ · 10 min
#
# Now for a whole layer. `x` is (height, width, channels in), `dy` is $\partial L / \partial y$ with shape (height
# out, width out, channels out), and the layer had the given stride and no padding. Return $\partial L / \partial w$
# with shape (kh, kw, channels in, channels out). Raise a `ValueError` if `dy` does not have the size of this layer's
# output.
#
# For example, `kernel_gradient(image[:, :, None], g[:, :, None], (3, 3))[0, 0]` is `[[-1.]]`, as above.


# %%
def kernel_gradient(x: np.ndarray, dy: np.ndarray, kernel_size: tuple[int, int], stride: int = 1) -> np.ndarray:
    """dL/dw (kh, kw, channels in, channels out); ValueError if dy is not of the layer's output size."""
    ### BEGIN SOLUTION
    kh, kw = kernel_size
    height = arithmetic.output_size(x.shape[0], kh, stride)
    width = arithmetic.output_size(x.shape[1], kw, stride)
    if dy.shape[:2] != (height, width):
        raise ValueError(f"the layer returns {height}x{width}, dy is {dy.shape[0]}x{dy.shape[1]}")
    dw = np.zeros((kh, kw, x.shape[2], dy.shape[2]))
    for i in range(height):
        for j in range(width):
            window = x[i * stride : i * stride + kh, j * stride : j * stride + kw]
            dw += window[:, :, :, None] * dy[i, j]
    return dw
    ### END SOLUTION


# %%
exercise("01.6").check(kernel_gradient)

# %% [markdown]
# ### The flip, settled
#
# Now the promise from the beginning. Two layers learn to turn one photograph into its Sobel picture, by going
# downhill 2,000 times. One is defined as deep learning does it, the other with the flip.
#
# **Predict**: which one learns faster?

# %%
predict("01.g", "Which learns faster?", choices=["without the flip", "with the flip", "neither"])

# %% jupyter={"source_hidden": true}
patch = grey[30:94, 40:104] - grey[30:94, 40:104].mean()  # part of the rim
edges = slide_fast(patch, sobel)


def learn(flipped, steps=2000, rate=5.0):
    learnt, losses = np.zeros((3, 3)), []
    for _ in range(steps):
        used = np.flip(learnt) if flipped else learnt
        difference = slide_fast(patch, used) - edges
        gradient = slide_fast(patch, difference) / difference.size
        learnt = learnt - rate * (np.flip(gradient) if flipped else gradient)
        losses.append(np.mean(difference**2) / 2)
    return learnt, np.array(losses)


plain, plain_losses = learn(flipped=False)
turned, turned_losses = learn(flipped=True)
plotting.matrices(
    {"wanted": sobel, "learnt without the flip": plain, "learnt with the flip": turned},
    alt="The Sobel kernel, the kernel learnt without the flip, which equals it, and the one learnt "
    "with the flip, which is the same turned by 180 degrees.",
    digits=1,
)

ahead = plain_losses - turned_losses
equal = np.allclose(plain_losses, turned_losses)
reveal("01.g", "neither" if equal else "with the flip" if ahead.mean() > 0 else "without the flip")
claim("without the flip the Sobel kernel comes out", np.abs(plain - sobel).max() < 0.1)
claim("with the flip it comes out turned by 180 degrees", np.allclose(turned, np.flip(plain)))

# %% [markdown]
# Twins. A network never notices which definition its library uses. And nobody told the loop about edges: one example
# and the gradient were enough to find the Sobel kernel.
#
# **So far**: a weight that is used at every place has a gradient that is a sum over all places, and that is a
# cross-correlation again. Going downhill along it finds the kernel.
#
# ## Part 5 · Backwards
#
# **How does a loss reach the pixels?**
#
# A layer deep in a network must also pass the gradient on to its *input*. Forward, a window gathers nine pixels into
# one output. Backward, each output hands its gradient to the nine pixels it came from, in proportion to the weights:
# it stamps the kernel onto them. Where stamps overlap they add up.
#
# The way back through a convolution has a name of its own, **transposed convolution**: each number lays the kernel,
# times itself, onto the output, and where these overlap they add up. A convolution is linear, so it is a matrix $C$
# that maps the 25 pixels to 9 outputs. The gradient of the input is $C^{\mathsf T} g$: the same matrix, transposed.
#
# Is there and back, a convolution and then its transpose, the image again?

# %%
few = np.array([[1, 2], [3, 4]])
plotting.stamps(few, kernel, stride=2)
middle = reference.conv2d_transpose(few[None, :, :, None], kernel[:, :, None, None], stride=2)[0, 2, 2, 0]
claim("four stamps meet in the middle: 1 + 2 + 3 + 4 = 10", middle == 10)

# %%
one_pixel_each = np.eye(25).reshape(25, 5, 5)
matrix = np.stack([slide(pixel, corner).ravel() for pixel in one_pixel_each], axis=-1)  # (9, 25)
back = keras.ops.conv_transpose(g.astype("float32")[None, :, :, None], corner.astype("float32")[:, :, None, None])
back = keras.ops.convert_to_numpy(back)[0, :, :, 0]
claim("a transposed convolution is the transposed matrix", np.allclose(matrix.T @ g.ravel(), back.ravel()))
claim("and the convolution of mathematics, flip and all", np.allclose(signal.convolve2d(g, corner), back))
there_and_back = matrix.T @ slide(image, corner).ravel()
claim("there and back restores the shape, not the image", not np.allclose(there_and_back, image.ravel()))

# %% [markdown]
# Networks that draw pictures or label every pixel use it forwards, to make maps *larger*: with stride $S$ the stamps
# are laid $S$ pixels apart, and $W$ stamps of $K$ pixels reach over $(W - 1) S + K$ pixels. PyTorch cuts $P$ pixels off
# both ends. But 7 *and* 8 pixels become 3 under a window of 3 with stride 2, so the way back is ambiguous. **Output
# padding** $A$, fewer than $S$ pixels added at the end, says which size is meant:
#
# $$O = (W - 1)\,S - 2P + K + A$$
#
# In Keras `"same"` gives $W S$ pixels, and `"valid"` keeps all that the stamps reach. Where the kernel is shorter than
# the stride there are gaps between them, and Keras counts the gap behind the last one too.
#
# **Predict**: four pixels, a kernel of 2, stride 3, `"valid"`. The stamps reach over 11 pixels. How many does Keras
# return?

# %%
predict("01.h", "How many pixels does Keras return?", within=0)

# %%
sizes = {}
for kernel_size, stride in ((3, 2), (2, 3)):
    layer = keras.layers.Conv2DTranspose(1, kernel_size, strides=stride, padding="valid")
    sizes[kernel_size, stride] = layer.compute_output_shape((1, 4, 4, 1))[1]
claim("a kernel of 3 with stride 2 makes 4 pixels 9: (4 - 1) * 2 + 3", sizes[3, 2] == 9)
reveal("01.h", sizes[2, 3], exact=True)
claim("W * S, where K is smaller than S", sizes[2, 3] == 4 * 3)

# %% [markdown]
# Two things to remember for later. Each *input* pixel lays one stamp, so the multiply-accumulates count input
# pixels. And where stamps overlap, sums pile up, as in the middle of the picture above: lesson 12 meets this as a
# checkerboard.
#
# ### Exercise 01.7 · The gradient of an input
#
# ●●● · 15 min
#
# The way back through a whole layer. `dy` is $\partial L / \partial y$ with shape (height out, width out, channels
# out), `w` is (kh, kw, channels in, channels out), `size` is the (height, width) of the input, and the layer had the
# given stride and no padding. Return $\partial L / \partial x$ with shape (height, width, channels in). Raise a
# `ValueError` if `dy` does not have the size of this layer's output. A pixel that no window read has no influence on
# the loss.
#
# For example, `input_gradient(g[:, :, None], corner[:, :, None, None], (5, 5))[:, :, 0]` is `back`, as above.


# %%
def input_gradient(dy: np.ndarray, w: np.ndarray, size: tuple[int, int], stride: int = 1) -> np.ndarray:
    """dL/dx (height, width, channels in); ValueError if dy is not of the layer's output size."""
    ### BEGIN SOLUTION
    kh, kw, in_channels, _ = w.shape
    height = arithmetic.output_size(size[0], kh, stride)
    width = arithmetic.output_size(size[1], kw, stride)
    if dy.shape[:2] != (height, width):
        raise ValueError(f"the layer returns {height}x{width}, dy is {dy.shape[0]}x{dy.shape[1]}")
    dx = np.zeros((size[0], size[1], in_channels))
    for i in range(height):
        for j in range(width):
            stamp = w @ dy[i, j]  # (kh, kw, channels in), summed over the filters
            dx[i * stride : i * stride + kh, j * stride : j * stride + kw] += stamp
    return dx
    ### END SOLUTION


# %%
exercise("01.7").check(input_gradient)

# %% [markdown]
# **So far**: what a window gathered, the gradient stamps back: the input's gradient is a transposed convolution. It
# restores the shape and not the image.
#
# ### More: time, kernels made by hand, drift, dilation
#
# <details><summary>Four asides. Their code is collapsed; run it if you like.</summary>
#
# *Time.* The loops, the product and Keras agree on a photograph and a window of 7x7. The times below are those of your
# machine.
#
# *Kernels made by hand.* Before kernels were learnt they were designed. Averaging neighbours blurs. Subtracting the
# left neighbours from the right ones answers to vertical edges: that is the Sobel kernel for $x$, and its transpose
# is the one for $y$. The rim of the cup is a ring. Sobel x sees its left and its right, with opposite signs, and is
# blind at its top and bottom. Trained networks find such kernels by themselves: the first layer of AlexNet is full of
# edges and colour spots.
#
# *Drift.* A dot in the middle of 33 rows, averaged eight times over 2x2 pixels with `"same"`, ends up in row 12 and not
# in row 16: half a pixel a layer. Kernels of 3x3 leave it where it is.
#
# *Dilation.* A kernel of $k$ taps with dilation $d$ spans $k + (k - 1)(d - 1)$ pixels, its **effective kernel**, at the
# same cost, since the holes weigh nothing. Three such layers with dilations 2, 2, 2 and with 1, 2, 3 cost the same, and
# both reach 13 by 13 = 169 pixels. With equal dilations an output reads the crossings of a grid and nothing between
# them: **gridding**. The neighbouring output reads another grid, and the two never hear of each other. Networks for
# segmentation (lesson 12), where dilation is at home, mix their rates for this reason (Wang and others, 2018).
#
# </details>

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
import time

from cnnlib.claims import measured

blur = np.full((7, 7), 1 / 49)
methods = {"loops": slide, "im2col and one product": slide_fast, "keras.ops.conv": keras_conv}
for name, method in methods.items():
    start = time.perf_counter()
    method(grey, blur)
    measured(name, 1000 * (time.perf_counter() - start), "ms")

# %% jupyter={"source_hidden": true}
results = [method(grey, blur) for method in methods.values()]
claim("all three agree to 1e-5", all(np.abs(result - results[0]).max() < 1e-5 for result in results))

kernels = {"blur": np.full((5, 5), 1 / 25), "Sobel x": sobel, "Sobel y": sobel.T}
kernels["sharpen"] = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
kernels["emboss"] = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
plotting.filter_gallery(grey, kernels, {name: slide_fast(grey, weights) for name, weights in kernels.items()})
even = np.full((9, 9), 0.6)
claim("where the weights sum to 1 an even grey stays", np.allclose(slide(even, kernels["blur"]), 0.6))
claim("where they sum to 0 it disappears", np.allclose(slide(even, sobel), 0))

dot = {size: np.pad(np.ones((1, 1, 1, 1)), ((0, 0), (16, 16), (16, 16), (0, 0))) for size in (2, 3)}
for size in dot:
    for _ in range(8):
        dot[size] = reference.conv2d(dot[size], np.full((size, size, 1, 1), 1 / size**2), padding="same")
rows = np.arange(33)[:, None]
centres = [np.sum(rows * spot[0, :, :, 0]) / np.sum(spot) for spot in dot.values()]
claim("2x2 layers move the dot from row 16 to row 12, 3x3 layers do not", np.allclose(centres, [12, 16]))

plotting.dilation_taps(kernel=3, dilations=(1, 2, 3))


def paths(dilations):
    """From each input pixel, the number of ways to one output through layers of 3x3 taps."""
    counts = np.ones((1, 1))
    for dilation in dilations:
        taps = np.zeros((2 * dilation + 1, 2 * dilation + 1))
        taps[::dilation, ::dilation] = 1
        counts = signal.convolve2d(counts, taps)  # mode "full": each path goes on through every tap
    return counts


plotting.gridding({"dilations 2, 2, 2": paths([2, 2, 2]), "dilations 1, 2, 3": paths([1, 2, 3])})
claim("dilations 2, 2, 2 read 49 of 169 pixels", np.count_nonzero(paths([2, 2, 2])) == 49)
claim("dilations 1, 2, 3 read all 169", np.count_nonzero(paths([1, 2, 3])) == 169)

# %% [markdown]
# ## Recap
#
# - A dense layer knows no neighbours. A convolution layer looks through a small window (locality) and uses the same
#   weights everywhere (translation): 9,472 numbers where a dense layer needs 121 billion.
# - A filter is a cube over all input channels, its slices are summed, and each filter gives one feature map. Keras
#   holds $(K_h, K_w, C_\text{in}, C_\text{out})$. What it computes is cross-correlation; since kernels are learnt,
#   the missing flip is harmless.
# - $O = \lfloor (W + 2P - D(K-1) - 1) / S \rfloor + 1$. The floor drops pixels silently. `"same"` pads unevenly
#   where the total is odd, as it can be with a stride or an even kernel.
# - Parameters $(K_h K_w C_\text{in} + 1) C_\text{out}$ do not depend on the image, multiply-accumulates do.
#   Depthwise and 1x1 layers divide the work: a ratio of $1/C_\text{out} + 1/K^2$.
# - The gradient of a kernel is a sum over positions. The gradient of the input is a transposed convolution.
#
# ## Explain it
#
# **Why does a convolution layer need so few weights, and what does it give up for that?**
#
# <details><summary>Model answer</summary>
#
# Every output reads only a small window, and all windows share one kernel, so the number of weights depends on the
# kernel and the channels, not on the image. It assumes that what matters is local and that a pattern means the same
# everywhere. Where that is false, as in a table whose columns can be in any order, or where the absolute position
# matters, the assumption costs accuracy. One layer also cannot relate distant pixels; that takes depth, stride or
# dilation.
#
# </details>
#
# **A colleague ports weights from PyTorch to Keras. All shapes fit, and accuracy falls from 76 % to 0.1 %. After a
# first fix it is 71 %. What was wrong, both times?**
#
# <details><summary>Model answer</summary>
#
# At 0.1 %, chance for 1,000 classes, the arrays were reshaped and not transposed: (Cout, Cin, kh, kw) must have its
# axes moved to (kh, kw, Cin, Cout). The rest is a convention that changes no shape, most likely the padding of
# strided layers: one pixel on each side in PyTorch, at the end only with `"same"` in Keras. Explicit padding and
# `"valid"` repair it. Preprocessing and the epsilon of batch normalisation (lesson 06) are the next suspects.
#
# </details>
#
# **You may halve either the width and height of the image or the number of channels in every layer. Which saves more
# parameters, and which more work?**
#
# <details><summary>Model answer</summary>
#
# Halving the image leaves the parameters of all convolutions as they are and divides their work by four. Halving the
# channels of every layer divides both by about four, because input and output channels are both halved; only the
# first layer, whose input keeps three channels, is divided by two. A dense layer on a flattened map shrinks with the
# image too.
#
# </details>
#
# **What is a transposed convolution, and why is it not a deconvolution?**
#
# <details><summary>Model answer</summary>
#
# A convolution is multiplication by a matrix $C$. The transposed convolution multiplies by $C^{\mathsf T}$, which is
# how the gradient reaches the input: each value stamps the kernel, and overlaps add. It restores the shape, not the
# values; a deconvolution would have to invert $C$, which in general has no inverse.
#
# </details>
#
# ## What comes next
#
# One layer of 3x3 sees 3 pixels. How does a network come to see a cup? Lesson 02 stacks layers, follows a photograph
# through them, and measures what a deep unit sees:
# [02 Feature maps and receptive fields](../notebooks/02_feature_maps_and_receptive_fields.ipynb).
#
# ## References
#
# - V. Dumoulin and F. Visin (2016), *A guide to convolution arithmetic for deep learning*.
# - K. Chellapilla, S. Puri and P. Simard (2006), *High performance convolutional neural networks for document
#   processing* (im2col).
# - A. Krizhevsky, I. Sutskever and G. Hinton (2012), *ImageNet classification with deep convolutional neural
#   networks*.
# - K. Simonyan and A. Zisserman (2015), *Very deep convolutional networks for large-scale image recognition* (VGG).
# - K. He, X. Zhang, S. Ren and J. Sun (2016), *Deep residual learning for image recognition* (ResNet).
# - A. Odena, V. Dumoulin and C. Olah (2016), *Deconvolution and checkerboard artifacts*.
# - A. Howard and others (2017), *MobileNets: efficient convolutional neural networks for mobile vision
#   applications*.
# - P. Wang and others (2018), *Understanding convolution for semantic segmentation* (gridding).
# - M. A. Islam, S. Jia and N. Bruce (2020), *How much position information do convolutional neural networks encode?*
