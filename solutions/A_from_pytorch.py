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
# # A · From PyTorch and back
#
# **The document that you have is full of PyTorch. What do you write in Keras so that it computes the same numbers?**
#
# When you have worked through this page you can
# - read a PyTorch listing and write the same layer, block or training loop in Keras 3, and the other way round
# - move weights from one to the other, and prove that nothing was lost
# - name the ten conventions in which the two differ without an error, and say what each of them costs
#
# **Before this**: [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb) for parts 1 to 3,
# [10 Seeing what a CNN sees](../notebooks/10_seeing_what_a_cnn_sees.ipynb) for part 4 · **Reading** 60 min ·
# **Exercises** 40 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 | Which layer is the same under another name, and which is another under the same name? | 30 |
# | 2 | How does a network of PyTorch become one of Keras? | 20 |
# | 3 | Do both learn the same from the same data? | 30 |
# | 4 | What is frozen, and how do you look inside? | 20 |
#
# To look something up, take the [table of conventions](../docs/conventions.md). [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="A")

# %%
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from cnnlib import claim, exercise, explain, porting, transfer
from cnnlib.claims import approx, measured
from cnnlib.porting.numbers import numbers

# %% [markdown]
# ## How this page works
#
# A *listing* is PyTorch, as you find it in documents. Below it stands the same in Keras, in a cell. The listings
# really run, all of them at once, in a process of their own: TensorFlow and PyTorch in *one* process get along with
# some builds and not with others. Back come numbers, and `compare` holds your Keras layer against them:
#
# - the number of parameters, and how many of them are trainable
# - the output, for the same weights and the same input
# - the loss and the change of every weight in one step of training
#
# Both sides need the same weights and inputs. So in that process `torch.randn` draws numbers that NumPy draws as well,
# and `fill(model)` writes such numbers into all weights. Where PyTorch is not installed, the numbers come from a file,
# and the next cell says so.

# %% tags=["nbval-ignore-output"]
torch_side = porting.start()
print(torch_side.report())

# %% [markdown]
# ## Part 1 · Layer by layer
#
# **Which layer is the same under another name, and which is another under the same name?**
#
# ### 01 · A convolution layer
# PyTorch asks for the channels that come in; Keras finds out when it first sees an input. PyTorch puts channels first,
# (n, channels, height, width), Keras last, (n, height, width, channels).
#
# ```python
# model = nn.Conv2d(3, 16, kernel_size=3)
# x = torch.randn(2, 3, 32, 32)
# shape = model(x).shape  # 2, 16, 30, 30
# kernel_shape = model.weight.shape  # 16, 3, 3, 3
# ```

# %%
torch_side.compare("01", layers.Conv2D(16, 3))
print("PyTorch:", torch_side.values("01")["shape"], "kernel", torch_side.values("01")["kernel_shape"])

# %% [markdown]
# The shape that is printed is PyTorch's. The kernel lies differently, too: (out, in, height, width) there, (height,
# width, in, out) here. `porting.to_keras` turns it; exercise A.1 asks you for the hardest case.
#
# ### 02 · Padding that keeps the size
# ```python
# model = nn.Conv2d(3, 16, kernel_size=3, padding=1)
# x = torch.randn(2, 3, 16, 16)
# ```

# %%
torch_side.compare("02", layers.Conv2D(16, 3, padding="same"))

# %% [markdown]
# ### 03 · Stride
# **Predict**: `padding="same"` with a stride of 2 halves the size as well. Does it compute the same?
#
# ```python
# model = nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1)
# x = torch.randn(2, 3, 16, 16)
# ```

# %%
padded = keras.Sequential([layers.ZeroPadding2D(1), layers.Conv2D(16, 3, strides=2)])
torch_side.compare("03", padded)
same = layers.Conv2D(16, 3, strides=2, padding="same")
measured("with padding='same' the outputs are apart by", torch_side.apart("03", same), digits=2)
claim("the shape agrees, and the numbers do not", 0.3 < torch_side.apart("03", same) < np.inf)

# %% [markdown]
# **Trap 1, the padding of even strides.** With an even size, "same" has to add one row in all, and adds it *below*: a
# window starts at the first pixel. PyTorch adds one row on either side. All windows are one pixel off, and nothing
# fails. An odd size needs two rows, and both sides get one:

# %%
x = numbers(1, 17, 17, 3)
torch_side.fill("03", padded)  # one step has changed them
claim("for 17 pixels both are equal", np.abs(ops.convert_to_numpy(padded(x) - same(x))).max() < 1e-5)

# %% [markdown]
# ### 04 · Dilation
# ```python
# model = nn.Conv2d(3, 8, kernel_size=3, dilation=2, padding=2)
# x = torch.randn(2, 3, 12, 12)
# ```

# %%
torch_side.compare("04", layers.Conv2D(8, 3, dilation_rate=2, padding="same"))

# %% [markdown]
# ### 05 · Groups
# ```python
# model = nn.Conv2d(8, 16, kernel_size=3, groups=4)
# x = torch.randn(2, 8, 10, 10)
# ```

# %%
torch_side.compare("05", layers.Conv2D(16, 3, groups=4))

# %% [markdown]
# ### 06 · Depthwise separable
# PyTorch has no layer for it: a convolution with as many groups as channels, then one of 1x1. Keras has
# `DepthwiseConv2D`, and `SeparableConv2D` for both together with a single bias.
#
# ```python
# model = nn.Sequential(
#     nn.Conv2d(8, 8, kernel_size=3, padding=1, groups=8, bias=False),
#     nn.Conv2d(8, 16, kernel_size=1),
# )
# x = torch.randn(2, 8, 10, 10)
# ```

# %%
separable = [layers.DepthwiseConv2D(3, padding="same", use_bias=False), layers.Conv2D(16, 1)]
torch_side.compare("06", keras.Sequential(separable))

# %% [markdown]
# ### 07 · A linear layer at every pixel
# Channels last have a charm: `Dense` works on the last axis, so it *is* a convolution of 1x1.
#
# ```python
# model = nn.Conv2d(8, 4, kernel_size=1)
# x = torch.randn(2, 8, 6, 6)
# ```

# %%
torch_side.compare("07", layers.Dense(4))

# %% [markdown]
# ### 08 · Transposed convolution
# ```python
# model = nn.ConvTranspose2d(8, 4, kernel_size=2, stride=2)
# x = torch.randn(2, 8, 6, 6)
# ```

# %%
torch_side.compare("08", layers.Conv2DTranspose(4, 2, strides=2))

# %% [markdown]
# ### 09 · Max pooling
# Both drop the row that fills no window: 7 pixels become 3.
#
# ```python
# model = nn.MaxPool2d(2)
# x = torch.randn(2, 4, 7, 7)
# ```

# %%
torch_side.compare("09", layers.MaxPooling2D(2))

# %% [markdown]
# ### 10 · ceil_mode
# With `ceil_mode=True` the last window may reach over the edge. Keras has no such option. Is it `padding="same"`?
#
# ```python
# model = nn.MaxPool2d(3, stride=2, ceil_mode=True)
# x = torch.randn(2, 4, 8, 8)
# sizes = [model(torch.randn(1, 1, n, n)).shape[-1] for n in range(6, 12)]
# ```

# %%
pool = layers.MaxPooling2D(3, strides=2, padding="same")
torch_side.compare("10", pool)
ours = np.array([pool(np.zeros((1, n, n, 1))).shape[1] for n in range(6, 12)])
for n, theirs, own in zip(range(6, 12), torch_side.values("10")["sizes"], ours):
    print(f"{n:2} pixels: ceil_mode {theirs}, same {own}")
claim("every second size differs", (ours != torch_side.values("10")["sizes"]).tolist() == [False, True] * 3)

# %% [markdown]
# **Trap 2, ceil_mode.** For even sizes it is, for odd ones "same" gives a column more. SqueezeNet and the Single Shot
# Detector have `ceil_mode` in them. The sure way is to pad at the right with the lowest number, and pool "valid".
#
# ### 11 · Average pooling at the border
# ```python
# model = nn.AvgPool2d(3, stride=1, padding=1)
# x = torch.randn(2, 4, 6, 6)
# ones = model(torch.ones(1, 1, 6, 6))
# uncounted = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)(torch.ones(1, 1, 6, 6))
# ```

# %%
torch_side.compare("11", keras.Sequential([layers.ZeroPadding2D(1), layers.AveragePooling2D(3, 1)]))
corners = [float(torch_side.values("11")[name][0, 0, 0, 0]) for name in ("ones", "uncounted")]
ours = layers.AveragePooling2D(3, 1, padding="same")(np.ones((1, 6, 6, 1)))
claim("PyTorch counts the padding: the corner of ones is 4/9", abs(corners[0] - 4 / 9) < 1e-6)
claim("Keras does not, as count_include_pad=False", float(ours[0, 0, 0, 0]) == corners[1] == 1)

# %% [markdown]
# ### 12 · Global pooling
# ```python
# model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
# x = torch.randn(2, 8, 7, 5)
# ```

# %%
torch_side.compare("12", layers.GlobalAveragePooling2D())

# %% [markdown]
# ### 13 · Adaptive pooling
# You name the *output*. Bins overlap where the size is no multiple: of 7 pixels in 3 bins the first takes 0 to 2, the
# second 2 to 4.
#
# ```python
# model = nn.AdaptiveAvgPool2d(3)
# x = torch.randn(2, 4, 7, 7)
# ```

# %%
torch_side.compare("13", layers.AdaptiveAveragePooling2D(3))

# %% [markdown]
# ### 14 · Batch normalisation
# Two numbers, and a third that has no name.
#
# ```python
# model = nn.BatchNorm2d(8)  # eps=1e-5, momentum=0.1
# x = torch.randn(4, 8, 6, 6)
# learning = nn.BatchNorm2d(8)  # its statistics begin at 0 and 1
# learning(3 + 2 * x)  # in training mode, once
# mean, variance = learning.running_mean, learning.running_var
# ```

# %%
torch_side.compare("14", layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
left = torch_side.values("14")
once, default = layers.BatchNormalization(momentum=0.9, epsilon=1e-5), layers.BatchNormalization()
for layer in (once, default):
    layer(3 + 2 * porting.channels_last(numbers(4, 8, 6, 6)), training=True)
mean, default_mean = (ops.convert_to_numpy(layer.moving_mean) for layer in (once, default))
claim("0.9 of Keras is 0.1 of PyTorch", np.allclose(mean, left["mean"], rtol=1e-4))
moved = default_mean / left["mean"]
claim("at its default, 0.99, Keras moves a tenth as far", np.allclose(moved, 0.1, rtol=1e-3))

# %% [markdown]
# **Trap 3, momentum.** Keras says which share of the old value *stays*, PyTorch which share of the new one *comes*. Who
# copies 0.1 over gets statistics of little more than the last batch; who keeps the default needs ten times as many.
#
# The third number is the variance. PyTorch divides by $n - 1$ for what it *keeps* (and by $n$ for what it normalises
# with), where $n$ is images times height times width. Keras divides by $n$ both times.

# %%
kept = (ops.convert_to_numpy(once.moving_variance) - 0.9) / (left["variance"] - 0.9)
claim("n is 144 here, and the kept variance is 143/144 of PyTorch's", np.allclose(kept, 143 / 144, rtol=1e-4))
narrow = 1e-4  # the variance of a channel that hardly ever moves
shrunk = np.sqrt((narrow + 1e-5) / (narrow + 1e-3))
claim("with the epsilon of Keras, 1e-3, such a channel comes out 0.32 times as large", round(shrunk, 2) == 0.32)

# %% [markdown]
# **Trap 4, epsilon.** The defaults are 1e-5 and 1e-3. Where a channel's variance is about 1, nobody notices. Trained
# networks have channels with 1e-4, and then a ported network is "slightly worse".
#
# ### 15 · Layer normalisation and activations
# Defaults again: of `LayerNormalization` (1e-5 there, 1e-3 here), of the slope of Leaky ReLU (0.01 and 0.3). GELU is
# the exact one in both.
#
# ```python
# model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.LeakyReLU(), nn.Linear(8, 8), nn.GELU())
# x = torch.randn(5, 6)
# ```

# %%
norm, leak = layers.LayerNormalization(epsilon=1e-5), layers.LeakyReLU(negative_slope=0.01)
torch_side.compare("15", keras.Sequential([layers.Dense(8), norm, leak, layers.Dense(8, activation="gelu")]))
defaults = keras.Sequential(
    [layers.Dense(8), layers.LayerNormalization(), layers.LeakyReLU(), layers.Dense(8, activation="gelu")]
)
claim("at the defaults of Keras it is another function", torch_side.apart("15", defaults) > 0.02)

# %% [markdown]
# ### 16 · Dropout
# Both enlarge what remains, so that inference needs no factor. Whole channels: `Dropout2d`, `SpatialDropout2D`.
#
# ```python
# drop = nn.Dropout(0.75)
# in_training = drop(torch.ones(1000)).unique()
# in_evaluation = drop.eval()(torch.ones(1000)).unique()
# ```

# %%
drop, left = layers.Dropout(0.75, seed=1), torch_side.values("16")
for mode, name in ((True, "in_training"), (False, "in_evaluation")):
    ours = np.unique(ops.convert_to_numpy(drop(np.ones(1000, "float32"), training=mode)))
    claim(f"{name}: {ours.tolist()}", np.allclose(ours, left[name]))

# %% [markdown]
# ### 17 · Enlarging a map
# ```python
# model = nn.Upsample(scale_factor=2, mode="bilinear")
# x = torch.randn(2, 3, 5, 5)
# ramp = torch.tensor([[[[0.0, 1.0, 2.0, 3.0]]]])
# pixels = F.interpolate(ramp, size=(1, 8), mode="bilinear")[0, 0, 0]
# corners = F.interpolate(ramp, size=(1, 8), mode="bilinear", align_corners=True)[0, 0, 0]
# smaller = F.interpolate(torch.randn(1, 1, 9, 9), size=(3, 3), mode="bilinear")
# smoothed = F.interpolate(torch.randn(1, 1, 9, 9), size=(3, 3), mode="bilinear", antialias=True)
# ```

# %%
torch_side.compare("17", layers.UpSampling2D(2, interpolation="bilinear"))
left = torch_side.values("17")
print("pixels ", np.round(left["pixels"], 2), "\ncorners", np.round(left["corners"], 2))
ramp = np.arange(4.0).reshape(1, 1, 4, 1)
resized = ops.convert_to_numpy(ops.image.resize(ramp, (1, 8), "bilinear", data_format="channels_last"))[0, 0, :, 0]
claim("Keras resizes pixels as areas: align_corners=False", np.allclose(resized, left["pixels"], atol=1e-6))
apart = np.abs(resized - left["corners"]).max()
claim("with align_corners=True the same ramp differs by up to 0.18", round(apart, 2) == 0.18)

# %%
small = ops.image.resize(numbers(1, 1, 9, 9)[0, 0, :, :, None], (3, 3), "bilinear", data_format="channels_last")
small = ops.convert_to_numpy(small)[None, None, :, :, 0]
claim("smaller, both skip pixels unless told to smooth", np.allclose(small, left["smaller"], atol=1e-5))
claim("with antialias=True the numbers are others", np.abs(left["smaller"] - left["smoothed"]).max() > 0.3)

# %% [markdown]
# **Trap 5, the bilinear resize.** Three conventions have one name: corners aligned or not, smoothed or not when
# it gets smaller. Pillow smooths, PyTorch and Keras do not unless told to. A network that was trained on one and is
# served the other is a case of lesson 14.
#
# ### 18 · Flatten, and a linear layer
# Flattened, a map of PyTorch comes channel by channel, one of Keras pixel by pixel.
#
# ```python
# model = nn.Sequential(nn.Flatten(), nn.Linear(4 * 3 * 3, 5))
# x = torch.randn(2, 4, 3, 3)
# ```

# %%
head = keras.Sequential([layers.Flatten(), layers.Dense(5, name="scores")])
measured("with the kernel only transposed, the outputs are apart by", torch_side.apart("18", head), digits=2)
claim("that is no rounding", torch_side.apart("18", head) > 0.3)
torch_side.compare("18", head, flattened={"scores": (4, 3, 3)})

# %% [markdown]
# **Trap 6, the order of channels.** All shapes fit, the number of parameters too, and the answers are noise. There are
# two ways out: put the rows of the kernel in another order, once (that is what `flattened` asks for), or turn the map
# before it is flattened, at every call (listing 19).
#
# ### Exercise A.1 · Permute the weights
#
# A linear layer of PyTorch stands behind a flattened map. Given its weight (out, channels x height x width) and the
# shape of that map, (channels, height, width), return the kernel (height x width x channels, out) of a `Dense` layer
# that computes the same behind a map (height, width, channels).


# %%
def dense_kernel(weight: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The kernel of a Keras Dense layer from the weight of a PyTorch linear layer behind a flattened map."""
    ### BEGIN SOLUTION
    return weight.reshape(-1, *shape).transpose(2, 3, 1, 0).reshape(-1, len(weight))
    ### END SOLUTION


# %%
exercise("A.1").check(dense_kernel)

# %% [markdown]
# ### Exercise A.2 · What PyTorch keeps
#
# A `BatchNorm2d` has a running mean of 0 and a running variance of 1 for each channel. It is shown `batches` in
# training mode, each (n, channels, height, width). Return its running mean and running variance after them, each
# (channels,). `momentum` is PyTorch's.


# %%
def running_statistics(batches: list[np.ndarray], momentum: float) -> tuple[np.ndarray, np.ndarray]:
    """Running mean and running variance that PyTorch keeps after these batches."""
    ### BEGIN SOLUTION
    channels = batches[0].shape[1]
    mean, variance = np.zeros(channels), np.ones(channels)
    for batch in batches:
        mean = (1 - momentum) * mean + momentum * batch.mean(axis=(0, 2, 3))
        variance = (1 - momentum) * variance + momentum * batch.var(axis=(0, 2, 3), ddof=1)
    return mean, variance
    ### END SOLUTION


# %%
exercise("A.2").check(running_statistics)

# %% [markdown]
# **So far**: most layers are the same under another name. Padding with strides, windows at the edge, defaults of
# normalisation, resizing and flattening are not.
#
# ## Part 2 · Whole networks
#
# **How does a network of PyTorch become one of Keras?**
#
# Layers are paired in their order, or by name: `body.0` of PyTorch is `body_0` of Keras. Names are safer where a
# network has branches.
#
# ### 19 · LeNet
# ```python
# model = nn.Sequential(
#     nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
#     nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
#     nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
# )
# x = torch.randn(2, 1, 28, 28)
# ```

# %%
lenet = keras.Sequential(
    [
        *(layers.Conv2D(6, 5, padding="same", activation="tanh"), layers.AveragePooling2D(2)),
        *(layers.Conv2D(16, 5, activation="tanh"), layers.AveragePooling2D(2)),
        *(layers.Permute((3, 1, 2)), layers.Flatten()),  # in the order of PyTorch: no kernel need be permuted
        *(layers.Dense(120, activation="tanh"), layers.Dense(84, activation="tanh"), layers.Dense(10)),
    ]
)
torch_side.compare("19", lenet)

# %% [markdown]
# ### 20 · A VGG block
# ```python
# def vgg_block(convolutions, inputs, outputs):
#     layers = []
#     for _ in range(convolutions):
#         layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
#         inputs = outputs
#     return nn.Sequential(*layers, nn.MaxPool2d(2))
#
# model = vgg_block(2, 3, 8)
# x = torch.randn(2, 3, 12, 12)
# ```


# %%
def vgg_block(convolutions, filters):
    conv = [layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(convolutions)]
    return keras.Sequential([*conv, layers.MaxPooling2D(2)])


torch_side.compare("20", vgg_block(2, 8))

# %% [markdown]
# ### 21 · A network from a table
# ```python
# def features(table, inputs=3):
#     layers = []
#     for entry in table:
#         if entry == "M":
#             layers.append(nn.MaxPool2d(2))
#         else:
#             layers += [nn.Conv2d(inputs, entry, 3, padding=1, bias=False), nn.BatchNorm2d(entry), nn.ReLU()]
#             inputs = entry
#     return nn.Sequential(*layers)
#
# model = nn.Sequential(features([8, "M", 16, "M"]), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
# x = torch.randn(4, 3, 16, 16)
# ```


# %%
def norm():
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def features(table):
    for entry in table:
        if entry == "M":
            yield layers.MaxPooling2D(2)
        else:
            yield from (layers.Conv2D(entry, 3, padding="same", use_bias=False), norm(), layers.ReLU())


head = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
torch_side.compare("21", keras.Sequential([*features([8, "M", 16, "M"]), *head]))

# %% [markdown]
# ### 22 · A residual block
# PyTorch writes a class, with the layers in `__init__` and the way through them in `forward`. In Keras the functional
# style says both at once.
#
# ```python
# class Residual(nn.Module):
#     def __init__(self, channels):
#         super().__init__()
#         self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
#         self.bn1 = nn.BatchNorm2d(channels)
#         self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
#         self.bn2 = nn.BatchNorm2d(channels)
#
#     def forward(self, x):
#         y = F.relu(self.bn1(self.conv1(x)))
#         return F.relu(x + self.bn2(self.conv2(y)))
#
# model = Residual(8)
# x = torch.randn(2, 8, 8, 8)
# ```


# %%
def conv(filters, kernel, name, stride=1):
    """A convolution with PyTorch's padding, half a kernel on each side, and without a bias."""
    pad = layers.ZeroPadding2D(kernel // 2)
    rest = layers.Conv2D(filters, kernel, strides=stride, use_bias=False, name=name)
    return lambda x: rest(pad(x) if kernel > 1 else x)


def bn(name):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


x = keras.Input((8, 8, 8))
y = ops.relu(bn("bn1")(conv(8, 3, "conv1")(x)))
y = ops.relu(x + bn("bn2")(conv(8, 3, "conv2")(y)))
torch_side.compare("22", keras.Model(x, y))

# %% [markdown]
# ### 23 · With a projection
# Where the stride is 2, the shortcut needs one as well.
#
# ```python
# class Projected(nn.Module):
#     def __init__(self, inputs, outputs, stride):
#         super().__init__()
#         self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
#         self.bn1 = nn.BatchNorm2d(outputs)
#         self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
#         self.bn2 = nn.BatchNorm2d(outputs)
#         self.downsample = nn.Sequential(
#             nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
#         )
#
#     def forward(self, x):
#         y = F.relu(self.bn1(self.conv1(x)))
#         return F.relu(self.downsample(x) + self.bn2(self.conv2(y)))
#
# model = Projected(8, 16, stride=2)
# x = torch.randn(4, 8, 8, 8)
# ```

# %%
x = keras.Input((8, 8, 8))
y = ops.relu(bn("bn1")(conv(16, 3, "conv1", stride=2)(x)))
y = bn("bn2")(conv(16, 3, "conv2")(y))
shortcut = bn("downsample_1")(conv(16, 1, "downsample_0", stride=2)(x))
torch_side.compare("23", keras.Model(x, ops.relu(shortcut + y)))

# %% [markdown]
# ### 24 · A bottleneck
# ```python
# class Bottleneck(nn.Module):
#     def __init__(self, channels, narrow):
#         super().__init__()
#         self.conv1 = nn.Conv2d(channels, narrow, 1, bias=False)
#         self.bn1 = nn.BatchNorm2d(narrow)
#         self.conv2 = nn.Conv2d(narrow, narrow, 3, padding=1, bias=False)
#         self.bn2 = nn.BatchNorm2d(narrow)
#         self.conv3 = nn.Conv2d(narrow, channels, 1, bias=False)
#         self.bn3 = nn.BatchNorm2d(channels)
#
#     def forward(self, x):
#         y = F.relu(self.bn1(self.conv1(x)))
#         y = F.relu(self.bn2(self.conv2(y)))
#         return F.relu(x + self.bn3(self.conv3(y)))
#
# model = Bottleneck(16, 4)
# x = torch.randn(4, 16, 6, 6)
# ```

# %%
x = keras.Input((6, 6, 16))
y = ops.relu(bn("bn1")(conv(4, 1, "conv1")(x)))
y = ops.relu(bn("bn2")(conv(4, 3, "conv2")(y)))
y = bn("bn3")(conv(16, 1, "conv3")(y))
torch_side.compare("24", keras.Model(x, ops.relu(x + y)))

# %% [markdown]
# ### 25 · A block of MobileNet
# ```python
# def separable(inputs, outputs, stride):
#     return nn.Sequential(
#         nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
#         nn.BatchNorm2d(inputs), nn.ReLU6(),
#         nn.Conv2d(inputs, outputs, 1, bias=False),
#         nn.BatchNorm2d(outputs), nn.ReLU6(),
#     )
#
# model = separable(8, 16, stride=2)
# x = torch.randn(4, 8, 8, 8)
# ```

# %%
depthwise = [layers.ZeroPadding2D(1), layers.DepthwiseConv2D(3, strides=2, use_bias=False)]
pointwise = [layers.Conv2D(16, 1, use_bias=False)]
ends = [[norm(), layers.ReLU(max_value=6)] for _ in range(2)]
torch_side.compare("25", keras.Sequential([*depthwise, *ends[0], *pointwise, *ends[1]]))

# %% [markdown]
# ### 26 · Squeeze and excite
# ```python
# class Excite(nn.Module):
#     def __init__(self, channels, narrow):
#         super().__init__()
#         self.down = nn.Linear(channels, narrow)
#         self.up = nn.Linear(narrow, channels)
#
#     def forward(self, x):
#         s = x.mean((2, 3))
#         s = torch.sigmoid(self.up(F.relu(self.down(s))))
#         return x * s[:, :, None, None]
#
# model = Excite(8, 2)
# x = torch.randn(2, 8, 6, 6)
# ```

# %%
x = keras.Input((6, 6, 8))
s = layers.GlobalAveragePooling2D(keepdims=True)(x)
s = layers.Dense(8, activation="sigmoid", name="up")(layers.Dense(2, activation="relu", name="down")(s))
torch_side.compare("26", keras.Model(x, x * s))

# %% [markdown]
# ### 27 · A step of a U-Net
# Maps are joined along the channels: axis 1 there, the last one here. Copy `dim=1` as `axis=1`, and you have maps of
# twice the height.
#
# ```python
# class Step(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.down = nn.Conv2d(4, 8, 3, padding=1)
#         self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
#         self.fuse = nn.Conv2d(8, 4, 3, padding=1)
#
#     def forward(self, x):
#         y = self.up(F.relu(self.down(F.max_pool2d(x, 2))))
#         return self.fuse(torch.cat([x, y], dim=1))
#
# model = Step()
# x = torch.randn(2, 4, 8, 8)
# ```

# %%
x = keras.Input((8, 8, 4))
y = layers.Conv2D(8, 3, padding="same", activation="relu", name="down")(layers.MaxPooling2D(2)(x))
y = layers.Conv2DTranspose(4, 2, strides=2, name="up")(y)
y = layers.Conv2D(4, 3, padding="same", name="fuse")(layers.Concatenate()([x, y]))
torch_side.compare("27", keras.Model(x, y))

# %% [markdown]
# ### Exercise A.3 · Convert a listing
#
# Here is a block from a document. Write it in Keras, as a function that takes the shape of an input, (height, width,
# channels), and returns a `keras.Model`. The check gives your layers PyTorch's weights, in their order, for inputs of
# even and odd sizes.
#
# ```python
# class Down(nn.Sequential):
#     def __init__(self, inputs, outputs):
#         super().__init__(
#             nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1, bias=False),
#             nn.BatchNorm2d(outputs),
#             nn.LeakyReLU(),
#             nn.MaxPool2d(3, stride=1, padding=1),
#         )
# ```
#
# In inference its normalisation uses what it has kept; in training, your layer must keep as much of the old statistics
# as PyTorch's.


# %%
def down(shape: tuple[int, int, int], filters: int) -> keras.Model:
    """The block Down of the listing for inputs (height, width, channels)."""
    ### BEGIN SOLUTION
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.ZeroPadding2D(1),
            layers.Conv2D(filters, 3, strides=2, use_bias=False),
            layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
            layers.LeakyReLU(negative_slope=0.01),
            layers.MaxPooling2D(3, strides=1, padding="same"),
        ]
    )
    ### END SOLUTION


# %%
exercise("A.3").check(down)

# %% [markdown]
# **So far**: a class becomes a functional model, `dim=1` becomes the last axis, and every padding of a strided layer is
# written out. Equal names pair layers for certain.
#
# ## Part 3 · Training
#
# **Do both learn the same from the same data?**
#
# ### 28 · Initial values
# ```python
# layer = nn.Conv2d(64, 64, kernel_size=3)
# spread = layer.weight.std()
# largest = layer.weight.abs().max()
# bias = layer.bias.abs().max()
# kaiming = nn.init.kaiming_normal_(torch.empty(64, 64, 3, 3), nonlinearity="relu").std()
# ```


# %%
def spread(**options):
    layer = layers.Conv2D(64, 3, **options)
    layer.build((None, 8, 8, 64))
    return float(ops.std(layer.kernel)), float(ops.max(ops.abs(layer.bias)))


left = torch_side.values("28")
starts = {"spread": keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"), "kaiming": "he_normal"}
print("PyTorch", approx(left["spread"], 2), " Keras", approx(spread()[0], 2))
ratio = {each: spread(kernel_initializer=start)[0] / left[each] for each, start in starts.items()}
claim("at its default, Keras begins 1.7 times as wide", abs(spread()[0] / left["spread"] - 3**0.5) < 0.05)
claim("VarianceScaling(1/3, fan_in, uniform) is PyTorch's", abs(ratio["spread"] - 1) < 0.03)
claim("he_normal is kaiming_normal_", abs(ratio["kaiming"] - 1) < 0.03)
claim("biases begin at 0 in Keras, and not in PyTorch", spread()[1] == 0 < left["bias"])

# %% [markdown]
# **Trap 7, initial values.** The defaults are Glorot's here and, for historical reasons, a uniform one of variance
# $1 / (3 \, \text{fan-in})$ there. A recipe that was tuned for one start may need another rate with the other.
#
# ### 29 · The loss
# ```python
# logits, labels = 3 * torch.randn(6, 4), torch.arange(6) % 4
# loss = nn.CrossEntropyLoss()(logits, labels)
# smoothed = nn.CrossEntropyLoss(label_smoothing=0.1)(logits, labels)
# ```

# %%
logits, labels = 3 * numbers(6, 4), np.arange(6) % 4
from_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
left = torch_side.values("29")
claim("from logits: equal", np.isclose(float(from_logits(labels, logits)), left["loss"], rtol=1e-5))
smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
ours = float(smooth(np.eye(4)[labels], logits))
claim("smoothed labels: equal", np.isclose(ours, left["smoothed"], rtol=1e-5))
softmax = ops.convert_to_numpy(ops.softmax(logits))
twice = float(from_logits(labels, softmax))
measured("a softmax in the model, and a loss from logits", twice)
measured("without it", left["loss"])
claim("a softmax too many is no error, only another loss", abs(twice - left["loss"]) > 0.1)

# %% [markdown]
# Networks of PyTorch end in logits, and `CrossEntropyLoss` has the softmax in it. In Keras you say which it is.
#
# ### 30 · A step by hand
# ```python
# net = fill(nn.Linear(8, 4))
# x, labels = torch.randn(12, 8), torch.arange(12) % 4
# optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
# losses = []
# for _ in range(4):
#     optimizer.zero_grad()
#     loss = F.cross_entropy(net(x), labels)
#     loss.backward()
#     optimizer.step()
#     losses.append(loss.item())
# ```


# %%
def linear(optimizer, **options):
    """A linear layer with the listing's weights, ready to train."""
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, **options)])
    model.compile(optimizer=optimizer, loss=from_logits)
    return torch_side.fill("30", model, "net")


x, labels = numbers(12, 8), np.arange(12) % 4
model = linear(keras.optimizers.SGD(0.1, momentum=0.9))
losses = [float(model.train_on_batch(x, labels)) for _ in range(4)]
claim("four steps with momentum: the same losses", np.allclose(losses, torch_side.values("30")["losses"], rtol=1e-4))

# %% [markdown]
# `zero_grad`, `backward`, `step`: that is `train_on_batch`. Gradients of PyTorch *add up* until `zero_grad` is called,
# which is how one sums over several batches. Keras has `gradient_accumulation_steps` for that.
#
# ### 31 · Weight decay
# **Predict**: `Adam(weight_decay=0.1)` stands in both. Is it the same?
#
# ```python
# def trained(make):
#     net = fill(nn.Linear(8, 4))
#     optimizer = make(net.parameters())
#     x, labels = torch.randn(12, 8), torch.arange(12) % 4
#     for _ in range(5):
#         optimizer.zero_grad()
#         F.cross_entropy(net(x), labels).backward()
#         optimizer.step()
#     return net.weight
#
# sgd = trained(lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, weight_decay=0.1))
# adam = trained(lambda weights: torch.optim.Adam(weights, lr=0.1, weight_decay=0.1))
# adamw = trained(lambda weights: torch.optim.AdamW(weights, lr=0.1, weight_decay=0.1))
# ```


# %%
def trained(optimizer, **options):
    """The kernel after five steps, as PyTorch has it."""
    model = linear(optimizer, **options)
    for _ in range(5):
        model.train_on_batch(x, labels)
    return ops.convert_to_numpy(model.layers[-1].kernel).T


def off(kernel, name):
    return float(np.abs(kernel - torch_side.values("31")[name]).max())


l2 = {"kernel_regularizer": keras.regularizers.L2(0.05), "bias_regularizer": keras.regularizers.L2(0.05)}
adam = keras.optimizers.Adam(0.1, epsilon=1e-8, weight_decay=0.1)
sgd = keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1)
plain = keras.optimizers.SGD(0.1, momentum=0.9)
claim("SGD there is L2 of half the number here", off(trained(plain, **l2), "sgd") < 1e-4)
claim("SGD(weight_decay) here is another one", off(trained(sgd), "sgd") > 0.01)
kernel = trained(adam)
claim("Adam(weight_decay) here is AdamW there", off(kernel, "adamw") < 1e-4)
measured("and from Adam(weight_decay) there, weights are off by up to", off(kernel, "adam"), digits=2)
claim("which is more than 0.05", off(kernel, "adam") > 0.05)

# %% [markdown]
# **Trap 8, weight decay.** In PyTorch `weight_decay` of SGD and Adam is *added to the gradient*: the penalty
# $\tfrac{\lambda}{2} \lVert w \rVert^2$, hence half the number in `L2`. In AdamW it *shrinks the weight* beside the
# step (Loshchilov and Hutter 2019), and so it does in every optimizer of Keras. Both decay biases and normalisations,
# too, unless told otherwise: `exclude_from_weight_decay`, or parameter groups.
#
# ### 32 · A data loader
# ```python
# from torch.utils.data import DataLoader, TensorDataset
#
# images, labels = torch.randn(10, 1, 8, 8), torch.arange(10)
# loader = DataLoader(TensorDataset(images, labels), batch_size=4)
# sizes = [len(batch) for batch, _ in loader]
# last = [label for _, batch in loader for label in batch.tolist()]
# ```


# %%
class Batches(keras.utils.PyDataset):
    """Batches of images and labels, in their order; drawn by as many workers as you ask for."""

    def __init__(self, images, labels, batch_size, **options):
        super().__init__(**options)
        self.images, self.labels, self.size = images, labels, batch_size

    def __len__(self):
        return -(-len(self.images) // self.size)

    def __getitem__(self, i):
        here = slice(i * self.size, (i + 1) * self.size)
        return self.images[here], self.labels[here]


batches = Batches(porting.channels_last(numbers(10, 1, 8, 8)), np.arange(10), 4)
sizes = [len(batches[i][0]) for i in range(len(batches))]
print("sizes of the batches:", sizes)
claim("the last, smaller batch is kept in both", sizes == torch_side.values("32")["sizes"].tolist())

# %% [markdown]
# `shuffle=True` belongs to the loader there, and to `fit` here, where it is on unless you turn it off (a `PyDataset` is
# shuffled by whole batches). Keras takes the loaders of PyTorch as they are: `fit(loader)`, on every backend.
#
# ### 33 · A full loop, with a schedule
# ```python
# from torch.utils.data import DataLoader, TensorDataset
#
# net = fill(nn.Sequential(
#     nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
# ))
# images, labels = torch.randn(24, 1, 8, 8), torch.arange(24) % 3
# loader = DataLoader(TensorDataset(images, labels), batch_size=8)
# optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
# schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
# history = []
# for epoch in range(4):
#     net.train()
#     total = 0.0
#     for x, y in loader:
#         optimizer.zero_grad()
#         loss = F.cross_entropy(net(x), y)
#         loss.backward()
#         optimizer.step()
#         total += loss.item() * len(x)
#     schedule.step()
#     history.append(total / len(images))
# weight = net[0].weight
# ```

# %%
net = keras.Sequential(
    [
        *(keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu", name="conv")),
        *(layers.GlobalAveragePooling2D(), layers.Dense(3)),
    ]
)
torch_side.fill("33", net, "net")
net.compile(optimizer=keras.optimizers.SGD(0.5), loss=from_logits)
steps = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 * 0.1 ** (epoch // 2))
images, labels = porting.channels_last(numbers(24, 1, 8, 8)), np.arange(24) % 3
history = net.fit(images, labels, batch_size=8, epochs=4, shuffle=False, callbacks=[steps], verbose=0).history["loss"]
left = torch_side.values("33")
print("loss by epoch:", approx(history[0], 5), "...", approx(history[-1], 5))
claim("four epochs: the losses agree", np.allclose(history, left["history"], rtol=1e-4))
weight = porting.from_keras(net)["conv"]["weight"]
claim("and every weight of the convolution", np.allclose(weight, left["weight"], atol=1e-5))

# %% [markdown]
# Fifteen lines there are two here, and both leave the same weights. What you give up is what you could have changed in
# these fifteen lines; `train_step` of a model gives it back.
#
# ### 34 · Rates by the step
# ```python
# def rates(make, steps=10):
#     optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
#     schedule = make(optimizer)
#     found = []
#     for _ in range(steps):
#         found.append(optimizer.param_groups[0]["lr"])
#         optimizer.step()
#         schedule.step()
#     return found
#
# cosine = rates(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10))
# exponential = rates(lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9))
# ```

# %%
schedules = {
    "cosine": keras.optimizers.schedules.CosineDecay(0.1, decay_steps=10),
    "exponential": keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.9),
}
for name, schedule in schedules.items():
    ours = [float(schedule(step)) for step in range(10)]
    claim(f"{name}: the same ten rates", np.allclose(ours, torch_side.values("34")[name], atol=1e-7))

# %% [markdown]
# The curve is the same; the *clock* is not. Schedules of PyTorch count how often you call `step`, most often once an
# epoch. Those of Keras count batches. `T_max=10` for ten epochs of 50 batches is `decay_steps=500`.
#
# ### 35 · Evaluation
# ```python
# net = fill(nn.Sequential(
#     nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
# ))
# images, labels = torch.randn(10, 1, 8, 8), torch.arange(10) % 3
# net.eval()
# with torch.no_grad():
#     logits = net(images)
#     accuracy = (logits.argmax(1) == labels).float().mean()
#     loss = F.cross_entropy(logits, labels)
#     by_batch = [F.cross_entropy(net(images[i:i + 4]), labels[i:i + 4]) for i in (0, 4, 8)]
# before = net[1].running_mean.clone()
# net.train()
# with torch.no_grad():
#     forgotten = net(images)
# after = net[1].running_mean
# ```

# %%
net = keras.Sequential(
    [
        *(keras.Input((8, 8, 1)), layers.Conv2D(4, 3), norm(), layers.ReLU()),
        *(layers.GlobalAveragePooling2D(), layers.Dense(3)),
    ]
)
torch_side.fill("35", net, "net")
net.compile(loss=from_logits, metrics=["accuracy"])
images, labels, left = porting.channels_last(numbers(10, 1, 8, 8)), np.arange(10) % 3, torch_side.values("35")
loss, accuracy = net.evaluate(images, labels, batch_size=4, verbose=0)
claim("evaluate: loss and accuracy agree", np.allclose([loss, accuracy], [left["loss"], left["accuracy"]], rtol=1e-4))
measured("the mean of the three batches' losses is off by", abs(np.mean(left["by_batch"]) - left["loss"]), digits=2)
measured("without eval(), logits are off by up to", np.abs(left["forgotten"] - left["logits"]).max(), digits=2)
claim("that is more than 0.1", np.abs(left["forgotten"] - left["logits"]).max() > 0.1)
claim("and statistics moved, although no gradient was asked for", np.abs(left["after"] - left["before"]).max() > 0.01)

# %% [markdown]
# **Trap 9, `eval()`.** `no_grad` saves memory and changes no number. `eval()` changes what normalisation and dropout
# do. Without it an image's answer depends on its neighbours in the batch, and each evaluation *trains* the statistics.
# In Keras `evaluate` and `predict` see to it, and a call of yours says `training=False`.
#
# A mean of batch means counts the last, smaller batch too much. `evaluate` weights by images.
#
# ### 36 · Save and load
# ```python
# import io
#
# net = fill(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2)))
# file = io.BytesIO()
# torch.save(net.state_dict(), file)
# file.seek(0)
# other = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
# other.load_state_dict(torch.load(file, weights_only=True))
# x = torch.randn(2, 1, 4, 4)
# answers = net.eval()(x) == other.eval()(x)
# entries = len(net.state_dict())
# ```


# %%
def small():
    parts = [layers.Conv2D(4, 3, name="conv"), bn("norm"), layers.Flatten(), layers.Dense(2, name="scores")]
    return keras.Sequential([keras.Input((4, 4, 1)), *parts])


net, other = small(), small()
torch_side.fill("36", net, "net", flattened={"scores": (4, 2, 2)})
with tempfile.TemporaryDirectory() as folder:
    net.save_weights(Path(folder) / "net.weights.h5")
    other.load_weights(Path(folder) / "net.weights.h5")
x = porting.channels_last(numbers(2, 1, 4, 4))
claim("saved and loaded, PyTorch answers the same", bool(torch_side.values("36")["answers"].all()))
claim("and so does Keras", bool(ops.all(net(x) == other(x))))
print("entries:", int(torch_side.values("36")["entries"]), "there,", len(net.weights), "here")

# %% [markdown]
# The one entry more is `num_batches_tracked`, a count that only matters for `momentum=None`. Beside weights Keras saves
# the *architecture* as well, `model.save("net.keras")`; a state dictionary needs the code of the class.
#
# ### Exercise A.4 · Decay by another name
#
# Given the name of an optimizer of PyTorch and its arguments, say how to write its decay in Keras, as a dictionary:
#
# - `"l2"`: the number that goes into `keras.regularizers.L2` for every weight, or 0
# - `"weight_decay"`: the number that goes into the `weight_decay` of the optimizer of Keras, or 0
#
# The optimizer is `"SGD"`, `"Adam"` or `"AdamW"`; `arguments` may lack `weight_decay`, and then PyTorch's default
# counts: 0, and 0.01 for AdamW. Anything else gets a `ValueError`.


# %%
def decay(optimizer: str, arguments: dict) -> dict:
    """How the weight decay of a PyTorch optimizer is written in Keras."""
    ### BEGIN SOLUTION
    if optimizer not in ("SGD", "Adam", "AdamW"):
        raise ValueError(f"{optimizer!r} is not known; expected SGD, Adam or AdamW")
    number = arguments.get("weight_decay", 0.01 if optimizer == "AdamW" else 0)
    if optimizer == "AdamW":
        return {"l2": 0, "weight_decay": number}
    return {"l2": number / 2, "weight_decay": 0}
    ### END SOLUTION


# %%
exercise("A.4").check(decay)

# %% [markdown]
# **So far**: from the same weights and batches, both arrive at the same weights, if loss, decay, schedule and mode are
# translated and not copied.
#
# ## Part 4 · Transfer, and a look inside
#
# **What is frozen, and how do you look inside?**
#
# ### 37 · Freezing
# **Predict**: no parameter of the first two layers has a gradient. Do their statistics stand still?
#
# ```python
# net = fill(nn.Sequential(
#     nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
# ))
# for parameter in net[:2].parameters():
#     parameter.requires_grad = False
# trainable = sum(p.numel() for p in net.parameters() if p.requires_grad)
# images, labels = torch.randn(8, 3, 8, 8), torch.arange(8) % 2
# kernel, mean = net[0].weight.clone(), net[1].running_mean.clone()
# optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
# net.train()
# F.cross_entropy(net(images), labels).backward()
# optimizer.step()
# kernel_moved = (net[0].weight - kernel).abs().max()
# mean_moved = (net[1].running_mean - mean).abs().max()
# head = net[5].weight
# ```

# %%
net = keras.Sequential(
    [
        *(keras.Input((8, 8, 3)), layers.Conv2D(8, 3, trainable=False), norm(), layers.ReLU()),
        *(layers.GlobalAveragePooling2D(), layers.Dense(2, name="head")),
    ]
)
net.layers[1].trainable = False
torch_side.fill("37", net, "net")
net.compile(optimizer=keras.optimizers.SGD(0.1), loss=from_logits)
images, labels, left = porting.channels_last(numbers(8, 3, 8, 8)), np.arange(8) % 2, torch_side.values("37")
mean = ops.convert_to_numpy(net.layers[1].moving_mean).copy()
net.train_on_batch(images, labels)
count = sum(int(np.prod(variable.shape)) for variable in net.trainable_variables)
claim("18 trainable parameters are left in both", count == left["trainable"] == 18)
claim("PyTorch: the kernel stands still, the statistics move", left["kernel_moved"] == 0 < left["mean_moved"])
still = np.array_equal(mean, ops.convert_to_numpy(net.layers[1].moving_mean))
claim("Keras: the statistics stand still, too", still)
head = porting.from_keras(net)["head"]["weight"]
claim("so even the heads differ after one step", np.abs(head - left["head"]).max() > 1e-3)

# %% [markdown]
# **Trap 10, `requires_grad` and statistics.** In PyTorch "has no gradient" and "is in inference mode" are two things.
# A backbone without gradients that is in training mode goes on learning statistics, from your few images. In Keras
# `trainable = False` does both for a normalisation. In PyTorch you write `net[1].eval()`, and write it again after
# every `net.train()`.
#
# ### 38 · Fine-tuning at two rates
# ```python
# net = nn.Sequential()
# net.add_module("backbone", nn.Conv2d(1, 4, 3))
# net.add_module("pool", nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
# net.add_module("head", nn.Linear(4, 3))
# fill(net)
# optimizer = torch.optim.SGD([
#     {"params": net.backbone.parameters(), "lr": 0.01},
#     {"params": net.head.parameters(), "lr": 0.5},
# ], lr=0.1)
# images, labels = torch.randn(24, 1, 8, 8), torch.arange(24) % 3
# for _ in range(3):
#     optimizer.zero_grad()
#     F.cross_entropy(net(images), labels).backward()
#     optimizer.step()
# backbone, head = net.backbone.weight, net.head.weight
# ```

# %%
net = keras.Sequential(
    [
        *(keras.Input((8, 8, 1)), layers.Conv2D(4, 3, name="backbone"), layers.ReLU()),
        *(layers.GlobalAveragePooling2D(), layers.Dense(3, name="head")),
    ]
)
torch_side.fill("38", net, "net")
rates = {"backbone": keras.optimizers.SGD(0.01), "head": keras.optimizers.SGD(0.5)}
net.compile(optimizer=transfer.ByDepth(rates), loss=from_logits)
images, labels = porting.channels_last(numbers(24, 1, 8, 8)), np.arange(24) % 3
for _ in range(3):
    net.train_on_batch(images, labels)
for name, entries in porting.from_keras(net).items():
    same = np.allclose(entries["weight"], torch_side.values("38")[name], atol=1e-5)
    claim(f"{name}: the same weights after three steps", same)

# %% [markdown]
# Keras has one rate for an optimizer; `transfer.ByDepth` of lesson 09 holds several optimizers.
#
# ### 39 · A hook for feature maps
# ```python
# net = fill(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3), nn.ReLU()))
# kept = {}
# handle = net[3].register_forward_hook(lambda module, inputs, output: kept.update(conv=output.detach()))
# x = torch.randn(2, 3, 12, 12)
# net.eval()(x)
# handle.remove()
# maps = kept["conv"]
# ```

# %%
x = keras.Input((12, 12, 3))
first = layers.MaxPooling2D(2)(layers.Conv2D(8, 3, activation="relu")(x))
second = layers.Conv2D(4, 3, name="conv")(first)
net = torch_side.fill("39", keras.Model(x, ops.relu(second)), "net")
tap = keras.Model(net.input, net.get_layer("conv").output)
maps = porting.channels_first(tap(porting.channels_last(numbers(2, 3, 12, 12))))
claim("the same maps", np.allclose(maps, torch_side.values("39")["maps"], atol=1e-5))

# %% [markdown]
# A functional model knows its tensors, so that a second model on the same layers ends at any of them. No hook is left
# behind when an error comes in between.
#
# ### 40 · Grad-CAM
# ```python
# net = fill(nn.Sequential(
#     nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
# ))
# net.eval()
# x = torch.randn(2, 1, 8, 8)
# maps = net[:2](x)
# maps.retain_grad()
# net[2:](maps)[:, 1].sum().backward()
# weights = maps.grad.mean((2, 3), keepdim=True)
# cam = F.relu((weights * maps).sum(1)).detach()
# ```

# %%
x = keras.Input((8, 8, 1))
maps = layers.ReLU(name="maps")(layers.Conv2D(6, 3, padding="same")(x))
net = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(maps)))
torch_side.fill("40", net, "net")
images = porting.channels_last(numbers(2, 1, 8, 8))
cam = explain.grad_cam(net, images, classes=[1, 1], layer="maps", from_logits=True)
claim("the same heatmap", np.allclose(cam, torch_side.values("40")["cam"], atol=1e-6))
claim("and it is none of zeros", cam.max() > 0)

# %% [markdown]
# ### 41 · The gradient at the image
# ```python
# net = fill(nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)))
# images = torch.randn(2, 1, 8, 8).requires_grad_()
# net.eval()(images)[:, 2].sum().backward()
# gradient = images.grad
# ```

# %%
x = keras.Input((8, 8, 1))
maps = layers.Conv2D(6, 3, activation="relu")(x)
net = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(maps)))
torch_side.fill("41", net, "net")
gradient = explain.image_gradient(net, images, classes=[2, 2], from_logits=True)
gradient = porting.channels_first(gradient)
claim("the same gradient", np.allclose(gradient, torch_side.values("41")["gradient"], atol=1e-6))

# %% [markdown]
# ### And back
#
# `porting.from_keras` gives weights in the layout of PyTorch. There and back, nothing is lost:

# %%
again = small()
state = {
    f"{layer}.{entry}": array
    for layer, entries in porting.from_keras(other).items()
    for entry, array in entries.items()
}
porting.to_keras(again, state)
x = numbers(3, 4, 4, 1)
claim("there and back: the same answers to the last bit", bool(ops.all(again(x) == other(x))))
print(*(f"{name} {array.shape}" for name, array in state.items()), sep="\n")

# %% [markdown]
# ### Exercise A.5 · Find the trap
#
# You get two functions. Each takes images (n, side, side, 3), float32, and gives scores (n, 4): `original` is a network
# of PyTorch, `ported` the same in Keras. Both are a convolution of 3x3 with stride 2, a batch normalisation, a max
# pooling of 2 with `ceil_mode`, a global average and a linear layer. They take any side from 5 on. The port has one
# thing wrong. Say which:
#
# - `"channels"`: it takes blue for red
# - `"padding"`: its convolution pads as "same"
# - `"ceil_mode"`: its pooling drops what fills no window
# - `"epsilon"`: its normalisation has another epsilon
#
# Which images show which of them? You choose the sides and the colours.


# %%
def find_trap(original, ported) -> str:
    """What the port got wrong: "channels", "padding", "ceil_mode" or "epsilon"."""

    ### BEGIN SOLUTION
    def differ(side):
        grey = np.random.default_rng(0).random((4, side, side, 1)).astype("float32")
        images = np.broadcast_to(grey, (4, side, side, 3))
        expected = original(images)
        return np.abs(ported(images) - expected).max() > 1e-4 * np.abs(expected).max()

    if differ(7):
        return "epsilon"
    if differ(8):
        return "padding"
    return "ceil_mode" if differ(9) else "channels"
    ### END SOLUTION


# %%
exercise("A.5").check(find_trap)

# %% [markdown]
# **So far**: no gradient is not the same as inference. A functional model is its own hook, and Grad-CAM is Grad-CAM.
#
# ## Recap
#
# - Channels first and last: axes of images, of kernels, of `cat`, and the order behind a flatten.
# - A strided layer has its padding written out. "same" is PyTorch's only for odd sizes.
# - Momentum 0.1 is 0.9, epsilon 1e-5 is not 1e-3, and PyTorch keeps the variance divided by $n - 1$.
# - `ceil_mode`, `count_include_pad`, `align_corners`, `antialias`: one word each, other numbers at the border.
# - Losses take logits there. Weight decay of SGD and Adam is L2 of half the number; AdamW's is that of Keras.
# - `eval()`, `no_grad` and `requires_grad` are three things. `trainable = False` and `training=False` are two.
# - A port is done when outputs *and a training step* agree with the original, on even and on odd sizes.
#
# ## Explain it
#
# **A ported classifier reaches 74.1 % instead of 76.1 %. Every shape is right. Where do you look?**
#
# <details><summary>Model answer</summary>
#
# Not at the accuracy: compare outputs for one image, layer by layer, from the first on. The first layer that differs
# names the trap. The usual ones in that size: the padding of strided layers, epsilon, the resize of the images, red and
# blue. Had the order behind a flatten been wrong, the accuracy would be that of guessing.
#
# </details>
#
# **Why is a training step compared, and not only the output?**
#
# <details><summary>Model answer</summary>
#
# Momentum, trainable weights, weight decay and statistics do not show in an output. A network can be ported perfectly
# and yet be trained on as another one.
#
# </details>
#
# **Your colleague freezes a backbone by `requires_grad = False` and trains a head on 40 images. The validation loss
# jumps between epochs. What happens?**
#
# <details><summary>Model answer</summary>
#
# `net.train()` also puts the frozen normalisations in training mode: they normalise with a batch, and their statistics
# drift towards 40 images. Put them in `eval()` after each `net.train()`.
#
# </details>
#
# ## What comes next
#
# The [table of conventions](../docs/conventions.md) has all of this on one page, and JAX with Flax beside it. Each line
# that can be tested is tested.
#
# [Course map](../README.md)
#
# ## References
#
# - F. Chollet and others (2015 on). *Keras*. keras.io/api.
# - K. He, X. Zhang, S. Ren and J. Sun (2015). Delving deep into rectifiers. *ICCV*. (Initial values.)
# - I. Loshchilov and F. Hutter (2019). Decoupled weight decay regularization. *ICLR*.
# - A. Paszke, S. Gross, F. Massa and others (2019). PyTorch: an imperative style, high-performance deep learning
#   library. *NeurIPS*.
# - R. R. Selvaraju, M. Cogswell, A. Das and others (2017). Grad-CAM. *ICCV*.
