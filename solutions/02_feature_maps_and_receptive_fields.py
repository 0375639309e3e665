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
# # 02 · Feature maps, pooling and receptive fields
#
# **What does a deep unit see, and what is thrown away on the way?**
#
# When you have worked through this page you can
# - follow the shape of an image through a network, row by row, and find the row where it goes wrong
# - compute max, average and global pooling by hand, forward and backward, and say what each of them throws away
# - measure whether a network minds when its input moves by a pixel, and say which layer is to blame
# - give the receptive field of any unit, and measure how much of it the unit uses
# - design a network that sees as far as its task needs, at a price you can pay
#
# **Before this**: [01 Convolution arithmetic](../notebooks/01_convolution_arithmetic.ipynb) · **Reading** 70 min ·
# **Exercises** 70 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 Maps and shapes | What does a network hold half way, and is it the network that you meant? | 25 |
# | 2 Pooling | What does pooling keep, and what does it throw away? | 25 |
# | 3 A move by one pixel | Does the network mind if the cat moves? | 30 |
# | 4 What a unit sees | Which pixels can reach a unit, and which of them does it use? | 30 |
# | 5 Seeing far | How far must a network see, and what does it cost? | 30 |
#
# [← 01 Convolution arithmetic](../notebooks/01_convolution_arithmetic.ipynb) · [Course map](../README.md) ·
# [03 Training from first principles →](../notebooks/03_training_from_first_principles.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="02")

# %%
import keras
import numpy as np
from keras import layers, ops
from PIL import Image

from cnnlib import arithmetic, claim, datasets, exercise, gradients, plotting, predict, reference, reveal, training
from cnnlib.claims import approx
from cnnlib.models import efficientnet_lite
from cnnlib.results import Experiment
from cnnlib.trace import effective_receptive_field, effective_size, trace

# %% [markdown]
# ## Part 1 · Maps and shapes
#
# **What does a network hold half way, and is it the network that you meant?**
#
# EfficientNet-Lite0 was trained on 1.3 million photographs. You met it in lesson 00, where it named a cat. Now stop
# it half way. A convolution rarely stands alone: an **activation function** behind it changes each number by itself.
# The most common one is the **ReLU**, $\max(x, 0)$: what is negative becomes 0. Lite0 also cuts off what is above 6.
#
# Here are six feature maps from each of five layers, from the first to the last, for the same photograph. Each is
# what one filter returns, one number for each place where its window stood, and behind its activation function.
#
# **Predict**: the maps get smaller on the way up. And what becomes of their numbers?

# %%
predict("02.a", "What share of the numbers in the last maps of the cat is zero?", unit="%")

# %% jupyter={"source_hidden": true}
network = efficientnet_lite.EfficientNetLite0(weights="imagenet")
pictures = datasets.photographs(size=224)  # ten of them; the cat is the first
batch = np.concatenate([efficientnet_lite.preprocess(picture) for picture in pictures.values()])
names = ["stem_relu6", *(f"block{n}_depthwise_relu6" for n in ("2b", "3b", "5c")), "head_relu6"]


def maps_of(network):
    part = keras.Model(network.input, [network.get_layer(name).output for name in names])
    return part.predict(batch, batch_size=5, verbose=0)


maps = maps_of(network)
cat = pictures["cat"]
plotting.feature_maps(
    {"photograph": cat.mean(axis=-1, keepdims=True), **{name: each[0] for name, each in zip(names, maps)}},
    alt="A cat and, below it, rows of its feature maps. The first show edges and fur in detail, "
    "later ones the eyes or the outline in coarse squares, and the last, of 7 by 7 squares, a few "
    "bright squares on black.",
)

# %%
zeros = np.array([(each == 0).mean(axis=(1, 2, 3)) for each in maps])  # (5 layers, 10 photographs)
reveal("02.a", 100 * zeros[-1, 0])
claim("the maps shrink from 112 to 56, 28, 14 and 7 pixels", [m.shape[1] for m in maps] == [112, 56, 28, 14, 7])
claim("their number grows from 32 to 1,280", (maps[0].shape[3], maps[-1].shape[3]) == (32, 1280))
claim("on all ten photographs each of the five has more zeros than the one before", (np.diff(zeros, axis=0) > 0).all())
claim("of the last numbers five in six or more are zero", zeros[-1].min() > 5 / 6)
keras.utils.set_random_seed(runtime.seed())
untrained = efficientnet_lite.EfficientNetLite0()
claim("with random weights only about half of them are", 0.4 < (maps_of(untrained)[-1] == 0).mean() < 0.6)

# %% [markdown]
# Three things happen at once. *Where* becomes coarse: 7 by 7 places are left. *What* becomes rich: 1,280 numbers
# describe each place. The numbers become **sparse**, mostly zero: at each place few filters speak. It is training that
# made them so. In the same network with random weights half of the last numbers are zero, as a coin would have it.
#
# This page follows the first of the three. Who makes the maps smaller, what is lost, and how much of the cat does
# one of those last 49 places see?
#
# ### The shape, row by row
#
# Before you build a network, write down its **shape table**: one row for each layer, height by width by channels.
# Mistakes of building show there. `trace` prints the table of a finished model, and more columns to which you will
# come.


# %%
def small_network(padding="same"):
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1")(image)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(32, 3, padding=padding, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(image, layers.Dense(10, name="scores")(x), name="small")


small = small_network()
rows = trace(small)
print(rows)
claim("32x32x3 becomes 8x8x32", rows["pool2"].output_shape == (8, 8, 32))
claim("that is 2,048 numbers", rows["flatten"].output_shape == (2048,))
claim("four fifths of its 25,578 weights sit there", 0.8 < rows["scores"].parameters / rows.total_parameters < 0.81)

# %% [markdown]
# ### One word, and it breaks
#
# Now write `"valid"` in place of one `"same"`, in the second convolution. `valid` pads nothing, so a 3x3 window loses
# one pixel at each side.
#
# **Predict**: does Keras raise an error? If not, what reaches the last layer in place of the 2,048 numbers?

# %%
predict("02.b", "How many numbers reach the last layer now? (0 if Keras raises an error)")

# %%
broken = small_network(padding="valid")
try:
    broken.set_weights(small.get_weights())
except ValueError:
    print("The weights of the first network do not fit the second.")

(numbers_left,) = trace(broken)["flatten"].output_shape
reveal("02.b", numbers_left, exact=True)
claim("one valid turns 2,048 numbers into 7x7x32 = 1,568", numbers_left == 7 * 7 * 32)

# %% [markdown]
# No error. The pooling halves 14 to 7, the dense layer adapts, and you have another network. You notice when its
# weights do not load, or never.
#
# ### Exercise 02.1 · Find the shape bug
#
# ●○○ · 10 min
#
# A colleague rebuilt the small network from memory, and the saved weights do not load. *Two* arguments are wrong.
# Find them with `trace`, and return the repaired network from `repaired`: the shapes, the weights and the scores of
# `small_network()`, layer by layer.


# %%
def from_memory():
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D(2, strides=1)(x)
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(10)(x))


def repaired() -> keras.Model:
    """The network of from_memory, with the shapes of small_network."""
    ### BEGIN SOLUTION
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(10)(x))
    ### END SOLUTION


# %%
exercise("02.1").check(repaired)

# %% [markdown]
# **So far**: on the way up a network trades *where* for *what*, and its numbers become sparse because of training.
# A wrong padding raises no error; the shape table shows it.
#
# ## Part 2 · Pooling
#
# **What does pooling keep, and what does it throw away?**
#
# **Pooling** slides a window over each channel, as a depthwise convolution does, and has no weights. **Max pooling**
# keeps the largest number under the window, **average pooling** the mean. Windows of 2x2 in steps of 2 do not
# overlap: three numbers of four go. Work out both by hand before you run the cell.
#
# In lesson 01 a layer handed its gradient back to its input. The cell also shows what pooling hands back if the
# gradient that arrives is 1 for each window: `input_gradient` computes what each pixel gets.

# %%
numbers = np.array([[1, 3, 1, 2], [2, 4, 0, 1], [0, 1, 5, 1], [2, 1, 2, 2]], dtype="float32")
poolings = {"max pooling": ops.max_pool, "average pooling": ops.average_pool}
pooled = {}
for name, pool in poolings.items():
    pooled[name] = ops.convert_to_numpy(pool(numbers[None, :, :, None], 2, strides=2))[0, :, :, 0]
plotting.pooling_windows(numbers, pooled)

claim("max pooling returns 4, 2, 2, 5", pooled["max pooling"].ravel().tolist() == [4, 2, 2, 5])
claim("average pooling returns 2.5, 1, 1, 2.5", pooled["average pooling"].ravel().tolist() == [2.5, 1, 1, 2.5])

handed_back = {}
for name, pool in poolings.items():
    slope = gradients.input_gradient(lambda x, pool=pool: pool(x, 2, strides=2))
    handed_back[name] = slope(numbers[None, :, :, None])[0, :, :, 0]
    print(f"{name} hands back", handed_back[name].tolist())
claim("max pooling hands all of the gradient to the largest pixel", (handed_back["max pooling"] > 0).sum() == 4)
claim("average pooling a quarter to each", (handed_back["average pooling"] == 0.25).all())

# %% [markdown]
# The maximum says that *there is such an edge here*, and forgets where in the window. The mean says *how much of it*.
# Neither can tell a window from the same four numbers in another order: this is the first thing thrown away.
#
# Backward, if a pixel that is not the largest grows a little, the maximum stays as it is: its gradient is 0. So max
# pooling lets the filter below learn from one place of four, and average pooling from all four alike.
#
# ### What noise does to them
#
# On a camera's chip some pixels are stuck. Let 1 % of the pixels of ten grey photographs be stuck at white, then at
# black, then let all of them carry a little noise, and compare what each pooling returns with what it returned before.

# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(0)
grey = np.stack([picture.mean(axis=-1, keepdims=True) / 255 for picture in pictures.values()]).astype("float32")
stuck = rng.random(grey.shape) < 0.01
spoilt = {
    "1 % white": np.where(stuck, 1, grey),
    "1 % black": np.where(stuck, 0, grey),
    "noise of 0.1": grey + 0.1 * rng.normal(size=grey.shape),
}


def change(pool, image):
    """Of each photograph: root of the mean squared change of what `pool` returns, and the mean change."""
    moved = ops.convert_to_numpy(pool(image.astype("float32"), 2, strides=2) - pool(grey, 2, strides=2))
    return np.sqrt((moved**2).mean(axis=(1, 2, 3))), moved.mean(axis=(1, 2, 3))


changes = {kind: {name: change(pool, image) for name, pool in poolings.items()} for kind, image in spoilt.items()}
for kind, by_pooling in changes.items():
    print(f"{kind:>12}: ", *(f"{name} {np.mean(by_pooling[name][0]):.3f}  " for name in poolings))
ratio = {kind: each["max pooling"][0] / each["average pooling"][0] for kind, each in changes.items()}
white = ratio["1 % white"]
claim("white spikes move a maximum almost four times as far as a mean", white.min() > 3.5 and white.max() < 4)
claim("black ones less than a third as far", (ratio["1 % black"] < 1 / 3).all())
claim("and noise more than twice as far", (ratio["noise of 0.1"] > 2).all())
claim("and upwards: all of this on each photograph", all(changes["noise of 0.1"]["max pooling"][1] > 0.05))

# %% [markdown]
# A maximum passes every spike that is bright, at full height, and drops every one that is dark. An average dampens
# both, to a quarter. Noise lifts a maximum, since it is the luckiest of four.
#
# ### Exercise 02.2 · Pool by hand, and back
#
# ●○○ · 10 min
#
# By hand, for the grid below: the `largest` of each 2x2 window in steps of 2 and the `average` of each, as nested
# lists of two rows, and the `overall` result of a global average pooling, whose one window is the whole grid. Then the
# way back: the gradients 1, 2, 3 and 4 arrive, `[[1, 2], [3, 4]]`, one for each window. Of the *max* pooling, what does
# each pixel of the grid get? `back` has four rows of four.

# %%
grid = np.array([[3, 0, 2, 6], [1, 4, 2, 2], [0, 8, 5, 1], [2, 2, 3, 3]])
### BEGIN SOLUTION
largest = [[4, 6], [8, 5]]
average = [[2, 3], [3, 3]]
overall = 2.75
back = [[0, 0, 0, 2], [0, 1, 0, 0], [0, 3, 4, 0], [0, 0, 0, 0]]
### END SOLUTION

# %%
exercise("02.2").check({"largest": largest, "average": average, "overall": overall, "back": back})

# %% [markdown]
# ### Flatten, or average
#
# At the end of a network its **head** turns the last maps into **scores**, one number for each class. VGG-16 ends in
# 7x7x512 numbers. You can **flatten** the maps, write all their numbers into one long vector, and give each number
# its own weight for each class. The other way is **global average pooling** (GAP): average each map to one number
# first, and give each *map* one weight for each class.
#
# How many weights do 1,000 classes need, each way?

# %% jupyter={"source_hidden": true}
flat = arithmetic.dense_parameters(7 * 7 * 512, 1000, bias=False)
averaged = arithmetic.dense_parameters(512, 1000, bias=False)
claim("flattened: 25,088,000 weights", flat == 25_088_000)
claim("averaged: 512,000 weights", averaged == 512_000)
try:
    trace(small, input_shape=(48, 48, 3))
    fits = True
except ValueError:
    fits = False
claim("and a flattened head fits one image size only", not fits)

# %% [markdown]
# The flattened head learns 49 times what a cat's ear is worth, once for each place. The averaged head assumes that an
# ear is worth the same everywhere, and takes images of *any* size. It throws away where the ear was. A box around the
# cat (lesson 11) needs to know. Which of the two is more accurate, you see at the end of part 3.
#
# **So far**: max pooling keeps whether, average pooling how much, and both forget where. Backward, the largest pixel
# gets all of the gradient, or each its share.
#
# ## Part 3 · A move by one pixel
#
# **Does the network mind if the cat moves?**
#
# A convolution treats every place alike. So if the photograph moves by a pixel, its feature maps should move by a
# pixel too and otherwise stay as they are. That is **equivariance**. Do not believe it: measure. Cut two windows
# from one wide photograph, one a few pixels to the right of the other, run both, and list the columns of the maps
# that did more than move.
#
# **Predict**: five 3x3 layers without padding, then the same five with `same`. The two windows have 223 columns in
# common.

# %%
predict("02.c", "With `same`, how many of the 223 columns differ?")

# %%
wide_cat = (datasets.photograph("cat", size=(224, 256)) / 255).astype("float32")


def columns_that_differ(network, shift, stride=1):
    here = ops.convert_to_numpy(network(wide_cat[None, :, :224]))[0]
    there = ops.convert_to_numpy(network(wide_cat[None, :, shift : 224 + shift]))[0]
    moved = here[:, shift // stride :]
    difference = np.abs(moved - there[:, : moved.shape[1]]).max(axis=(0, 2))
    return np.flatnonzero(difference > 1e-4)


def stack_of(count, **arguments):
    return keras.Sequential([layers.Conv2D(8, 3, activation="relu", **arguments) for _ in range(count)])


claim("without padding nothing differs", len(columns_that_differ(stack_of(5, padding="valid"), shift=1)) == 0)
differ = columns_that_differ(stack_of(5, padding="same"), shift=1).tolist()
reveal("02.c", len(differ), exact=True)
claim("five layers of zeros spoil five columns at either end", differ == [*range(5), *range(218, 223)])

# %% [markdown]
# The zeros outside the picture are the one thing that does not move with it. Each `same` layer carries the news of
# the border one pixel further in.
#
# Next, the stride. A layer with stride 2 takes every second place. Which ones, the even or the odd, is decided by the
# frame of the picture and not by the cat. Pooling in steps of 2 has the same fault, and in one dimension you can see
# it with bare eyes: a row of stripes, and the same row one pixel later, each behind max pooling with window 2 and
# stride 2.

# %%
strided = stack_of(1, padding="valid", strides=2)
by_two, by_one = (columns_that_differ(strided, shift=shift, stride=2) for shift in (2, 1))
claim("move the cat by 2 pixels: the maps move by exactly 1", len(by_two) == 0)
claim("move it by 1 pixel: all 111 columns change", len(by_one) == 111)

stripes = np.array([[0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 0, 0, 1, 1, 0]], dtype="float32")
before, after = ops.convert_to_numpy(ops.max_pool(stripes[:, :, None], 2, strides=2))[:, :, 0].tolist()
print("stripes        ", stripes[0], "->", before, "\none pixel later", stripes[1], "->", after)
claim("the stripes come out as 0, 1, 0, 1, and one pixel later as 1, 1, 1, 1", (before, after) == ([0, 1] * 2, [1] * 4))

# %% [markdown]
# Moving by 1 would have to move the maps by *half* a place, and there is no half place. A detail finer than the new
# grid turns into something else, depending on where the grid happens to lie. This is **aliasing**, known from wagon
# wheels in films that turn backwards. The cure is as old: *blur before you subsample*. Zhang (2019) split max pooling
# in two, a maximum at every place and then every second place, and put a small blur between them: **blur pooling**.
# The blur here is two averages of two, one after the other, which weigh three neighbours 1, 2, 1.
#
# Measure it on ten photographs: edge maps, as in lesson 01, halved in four ways. After a move by one pixel we expect at
# each place the mean of the two neighbours that it now lies between. How far off is what comes?
#
# And what of it reaches the answer? Slide the window over the photograph of the cat, 32 steps of one pixel, and ask
# Lite0 each time. (`softmax`, which lesson 03 explains, turns its scores into probabilities.)

# %%
sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype="float32")
edge_kernels = np.stack([sobel, -sobel, sobel.T, -sobel.T], axis=-1)[:, :, None, :]


def blur_pool(x):
    x = ops.max_pool(x, 2, strides=1)
    return ops.average_pool(ops.average_pool(x, 2, strides=1), 2, strides=2)


def error_after_one_pixel(halve, picture):
    grey = (picture.mean(axis=-1, keepdims=True) / 255).astype("float32")
    windows = np.stack([grey[:, :224], grey[:, 1:225]])
    here, there = ops.convert_to_numpy(halve(ops.relu(ops.conv(windows, edge_kernels))))
    expected = (here[:, :-1] + here[:, 1:]) / 2
    return 100 * np.linalg.norm(there[:, :-1] - expected) / np.linalg.norm(expected)


halvings = {
    "every second place (stride)": lambda x: x[:, ::2, ::2],
    "max pooling": lambda x: ops.max_pool(x, 2, strides=2),
    "average pooling": lambda x: ops.average_pool(x, 2, strides=2),
    "blur pooling": blur_pool,
}


# %% jupyter={"source_hidden": true}
wide = datasets.photographs(size=(224, 256)).values()
errors = {name: np.array([error_after_one_pixel(halve, each) for each in wide]) for name, halve in halvings.items()}
plotting.bars(
    {name: error.mean() for name, error in errors.items()},
    alt="Mean error of the edge maps of ten photographs after a move by one pixel, in percent: "
    + ", ".join(f"{name} {approx(error.mean(), 2)}" for name, error in errors.items()),
    xlabel="error after a move by one pixel, in % of the maps",
    form="{:.0f} %",
)
stride, largest_of, mean_of, blurred = errors.values()
claim("on each photograph a bare stride is off the most", (stride > np.maximum(largest_of, mean_of)).all())
claim("and blur pooling the least, at most two thirds as much as max pooling", (blurred < 2 / 3 * largest_of).all())

wide_photo = datasets.photograph("cat", size=256)[16:240]
windows = [efficientnet_lite.preprocess(wide_photo[:, step : step + 224]) for step in range(33)]
scores = network.predict(np.concatenate(windows), batch_size=3, verbose=0)
percent = 100 * ops.convert_to_numpy(ops.softmax(scores))  # (33 windows, 1,000 classes)
winners = sorted(set(percent.argmax(axis=1).tolist()))
class_names = datasets.imagenet_classes()
lowest, highest = percent[:, winners[0]].min(), percent[:, winners[0]].max()
plotting.curves(
    {class_names[winner]: percent[:, winner] for winner in winners},
    x=range(33),
    xlabel="pixels that the window has moved",
    ylabel="probability, in %",
    alt="Probabilities of the leading classes for a cat, while the window moves by 0 to 32 pixels. "
    f"They jump from one pixel to the next, the first between {approx(lowest, 2)} and "
    f"{approx(highest, 2)} percent.",
)
jumps = np.abs(np.diff(percent[:, winners], axis=0))
claim("one pixel can change the probability by more than 4 points", jumps.max() > 4)
claim("while the window moves, two breeds of cat take turns", len(winners) == 2)

# %% [markdown]
# Blurring repairs part of the damage, not all of it. You would hardly see a difference between two neighbouring windows
# of the cat, and yet the network's answer changes near a tie. In a video this is a label that flickers. A score for it
# is easy to compute.
#
# ### Exercise 02.3 · Shift consistency
#
# ●●○ · 15 min
#
# Write the share of images for which a network gives the same class for two windows of the same image: the one that
# leaves out the last `shift` rows and columns, and the one that leaves out the first. `predict` takes images (n, h,
# w, c) and returns scores (n, classes). Raise a `ValueError` if `shift` is below 1 or leaves no pixel.
#
# For example, 3 images of 4 with the same class give 0.75.


# %%
def shift_consistency(predict, images: np.ndarray, shift: int) -> float:
    """Share of images (n, h, w, c) whose class survives a diagonal move by `shift` pixels."""
    ### BEGIN SOLUTION
    height, width = images.shape[1:3]
    if not 1 <= shift < min(height, width):
        raise ValueError(f"shift must be from 1 to {min(height, width) - 1}, got {shift}")
    here = np.argmax(predict(images[:, :-shift, :-shift]), axis=-1)
    there = np.argmax(predict(images[:, shift:, shift:]), axis=-1)
    return float(np.mean(here == there))
    ### END SOLUTION


# %%
exercise("02.3").check(shift_consistency)

# %% [markdown]
# ### Train them
#
# A convolution with stride 2 halves the map without any pooling, and computes only the quarter of the places that it
# keeps. Many networks since 2015 do that. So why pool? Train the alternatives side by side on CIFAR-10, its pictures
# reduced to 16 by 16 pixels so that it takes seconds. Three have the same weights, and the halving is the only
# difference. A stride computes less, so a fourth network spends what it saves on a third more filters. A fifth is the
# one with max pooling and a *flattened* head, of which a rule says that it *overfits* more (lesson 03), that is, is
# worse on new pictures than on those it was trained on.
#
# (What a loss, a learning rate, an epoch and validation data are is told in lesson 03. All that counts here: each
# network was trained at two learning rates, and the one that was better on validation data was measured once on test
# data. These are stored runs of three seeds.)
#
# **Predict**: averaged or flattened, which head is more accurate on new pictures after training on 6,000?

# %%
predict("02.d", "Which head is more accurate on new pictures?", choices=["averaged", "flattened"])


# %%
def with_stride(filters, x):
    return layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)


def with_max_pooling(filters, x):
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return layers.MaxPooling2D(2)(x)


def with_blur_pooling(filters, x):
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, strides=1, padding="same")(x)
    x = layers.AveragePooling2D(2, strides=1, padding="same")(x)
    return layers.AveragePooling2D(2)(x)


def cifar_network(convolve_and_halve, filters=(16, 32, 64), side=None):
    """With a `side` a flattened head for images of this size, without one an averaged head."""
    image = keras.Input((side, side, 3))
    x = layers.Rescaling(4.0, offset=-2.0)(image)
    for count in filters[:2]:
        x = convolve_and_halve(count, x)
    x = layers.Conv2D(filters[2], 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x) if side else layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10)(x))


# %% jupyter={"source_hidden": true}
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fitted(build, rate, x, y, epochs):
    """One network, trained with a rate that falls to zero; the seed decides its first weights and the order of data."""
    keras.utils.set_random_seed(runtime.seed())
    network = build()
    falling = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(x) // 64))
    network.compile(keras.optimizers.Adam(falling), loss, metrics=["accuracy"])
    training.fit(network, x, y, epochs=epochs, batch_size=64, quiet=True)
    return network


def classes_of(network, x):
    return ops.convert_to_numpy(network(x, training=False)).argmax(axis=-1)


def accuracy_of(network, x, y):
    return 100 * float(np.mean(classes_of(network, x) == y))


def best_of(rates, build, x, y, x_validation, y_validation, epochs):
    """Of networks trained at several rates, the one that is best on validation data."""
    networks = [fitted(build, rate, x, y, epochs) for rate in rates]
    return max(networks, key=lambda network: accuracy_of(network, x_validation, y_validation))


def cifar_best(build, count=6000, epochs=6):
    data = x_train[:count], y_train[:count], x_validation, y_validation
    return best_of((0.004, 0.012), build, *data, epochs=epochs)


builders = {
    "stride": lambda: cifar_network(with_stride),
    "stride, wider": lambda: cifar_network(with_stride, filters=(21, 42, 84)),
    "max pooling": lambda: cifar_network(with_max_pooling),
    "blur pooling": lambda: cifar_network(with_blur_pooling),
}
tables = {kind: trace(build(), input_shape=(16, 16, 3)) for kind, build in builders.items()}
millions = [round(table.total_macs / 1e6, 1) for table in tables.values()]
claim("three of them have 24,234 weights", [t.total_parameters for t in tables.values()].count(24_234) == 3)
claim("the stride costs 0.4 M multiply-accumulates, the others 0.7 M", millions == [0.4, 0.7, 0.7, 0.7])

heads, halving = Experiment("02_heads"), Experiment("02_halving")
if heads.pick(stored=True, live=False) or halving.pick(stored=True, live=False):  # only the recording needs them
    cifar = datasets.cifar10()
    x_all, x_test = (reference.avg_pool2d(images, 2) for images in (cifar.x_train, cifar.x_test))
    x_train, x_validation = x_all[:6000], x_all[6000:]
    y_train, y_validation = cifar.y_train[:6000], cifar.y_train[6000:]

# The recording of the stored runs: accuracy, and the same class after a move by one pixel.
if halving.pick(stored=True, live=False):
    here, there = x_test[:, :15, :15], x_test[:, 1:, 1:]
    accuracy, steady = {}, {}
    for kind, build in builders.items():
        trained = cifar_best(build)
        accuracy[kind] = accuracy_of(trained, x_test, cifar.y_test)
        steady[kind] = accuracy_of(trained, here, classes_of(trained, there))
    halving.keep(accuracy=accuracy, steady=steady)

# The recording of the stored runs: heads by training pictures.
if heads.pick(stored=True, live=False):
    seen, unseen = {}, {}
    for name, side in (("flattened", 16), ("averaged", None)):
        seen[name], unseen[name] = {}, {}
        for count, epochs in ((1000, 24), (6000, 6)):
            trained = cifar_best(lambda side=side: cifar_network(with_max_pooling, side=side), count, epochs)
            seen[name][str(count)] = accuracy_of(trained, x_train[:count], y_train[:count])
            unseen[name][str(count)] = accuracy_of(trained, x_test, cifar.y_test)
    heads.keep(seen=seen, unseen=unseen)

runs = halving.stored
mean = {kind: (runs["accuracy"][kind].mean(), runs["steady"][kind].mean()) for kind in builders}
plotting.live_among_stored(
    {
        "accuracy on new pictures, in %": (runs["accuracy"], {}),
        "same class after a move by one pixel, in %": (runs["steady"], {}),
    },
    alt="Accuracy and steadiness of four networks in percent, mean of three stored runs. "
    + " ".join(f"{kind}: {right:.0f} and {same:.0f}." for kind, (right, same) in mean.items()),
)
more = runs["accuracy"]["max pooling"] - runs["accuracy"]["stride"]
claim("max pooling is more accurate than a stride with one seed, less with another", more.min() < -1 and more.max() > 1)
steady = runs["steady"].columns()
strides = np.maximum(steady["stride"], steady["stride, wider"])
claim(
    "with each seed max pooling is steadier than both strides, by 2 points or more",
    (steady["max pooling"] - strides > 2).all(),
)
claim("and blur pooling steadier than that, by 7 or more", (steady["blur pooling"] - steady["max pooling"] > 7).all())

rows = [
    {f"{head}, {n} pictures": run["unseen"][head][n] for n in ("1000", "6000") for head in run["unseen"]}
    for run in heads.stored
]
falls = [
    {name: run["seen"][name.split(",")[0]][name.split()[1]] - right for name, right in row.items()}
    for run, row in zip(heads.stored, rows)
]
plotting.live_among_stored(
    {"accuracy on new pictures, in %": (rows, {}), "points more on training pictures": (falls, {})},
    alt="Two heads after training on 1,000 and on 6,000 pictures, three stored runs each. With 1,000 both are right "
    "about 41 percent of new pictures, with 6,000 the flattened head about 53, the averaged one 46. On training "
    "pictures the flattened head is far better than on new ones, the averaged one a little.",
)
averaged, flattened = (
    {n: np.array([row[f"{head}, {n} pictures"] for row in rows]) for n in ("1000", "6000")}
    for head in ("averaged", "flattened")
)
reveal("02.d", "flattened" if flattened["6000"].mean() > averaged["6000"].mean() else "averaged")
claim(
    "with 6,000 pictures the flattened head is more accurate, by 5 to 9 points",
    ((flattened["6000"] - averaged["6000"] > 5) & (flattened["6000"] - averaged["6000"] < 9)).all(),
)
claim("with 1,000 there is no difference to speak of", (np.abs(flattened["1000"] - averaged["1000"]) < 1).all())
gap = {
    head: np.array([[fall[f"{head}, {n} pictures"] for n in ("1000", "6000")] for fall in falls])
    for head in ("averaged", "flattened")
}
claim(
    "it falls off at least 2.5 times as much from known pictures to new ones",
    (gap["flattened"] > 2.5 * gap["averaged"]).all(),
)

# %% [markdown]
# In accuracy the plain stride and max pooling take turns: from seed to seed max pooling is two points above or two
# below. It is ahead of the wider stride and of blur pooling with each of the three seeds, by about a point, which is
# less than one stride differs from another with another seed. In steadiness the order is clear: the strides, then max
# pooling, then blur pooling. The last two differ in the blur alone, so it is the blur that steadies. The price is
# work: the pooled networks compute all the places that a stride skips, and spending that work on more filters did not
# make a stride steadier than max pooling.
#
# The rule about heads is right and misleads. The flattened head does overfit more, and with 6,000 pictures it is still
# the more accurate one. What overfits more need not be worse. (Both had the same number of epochs, which need not be
# the best one for each.)
#
# **So far**: zero padding, strides and pooling break equivariance, and blurring before subsampling repairs part of
# it. How a network halves decided its steadiness more than its accuracy. A head that overfits more may still be the
# better one.
#
# ## Part 4 · What a unit sees
#
# **Which pixels can reach a unit, and which of them does it use?**
#
# Take one unit and ask which pixels can reach it: those are its **receptive field**. A unit of a 3x3 layer sees 3
# pixels (along one axis, which is all we need). A unit of the next layer reads three of those.
#
# **Predict**: how many pixels does a unit see through three layers of 3?

# %%
predict("02.e", "How many pixels does a unit see through three layers of 3?", unit="pixels")

# %%
plotting.receptive_stack([3, 3, 3])
field = arithmetic.receptive_field([3, 3, 3])
reveal("02.e", field.size, exact=True)
three, one = (n * arithmetic.conv_parameters(k, 64, 64, bias=False) for n, k in ((3, 3), (1, 7)))
claim("with 27/49 of the weights of one layer of 7", three / one == 27 / 49)
plotting.stack_explorer()

# %% [markdown]
# Neighbouring windows overlap, so each layer of 3 adds 2. With a stride they overlap less. The **jump** $j$ is how
# many pixels lie between two neighbouring units. It starts at 1, and every stride multiplies it. A layer with kernel
# $k$, stride $s$ and dilation $d$ takes a field of $r$ pixels to
#
# $$r \leftarrow r + d\,(k - 1)\, j \qquad\text{and then}\qquad j \leftarrow j \cdot s$$
#
# because its $k$ taps stand $d\,j$ pixels apart. Pooling counts like a convolution. The centre $c$ of the first unit
# starts at 0 and moves by $\left(\tfrac{d (k-1)}{2} - p\right) j$, where $p$ is the padding in front. Unit $n$ then
# looks at $r$ pixels around $c + n j$: with three numbers you find any unit's window.
#
# Move the sliders of the figure above. What makes a field grow fastest?
#
# ### VGG-16, in full
#
# Thirteen convolutions of 3x3 and five poolings of 2x2. The three dense layers behind them are left out, to spare your
# memory: you counted them in lesson 01. The last three columns are what a unit *sees*, its *jump*, and the *start*,
# the position of the first unit's centre.

# %% jupyter={"source_hidden": true}
vgg = trace(keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3)))
print(vgg)
last = vgg["block5_pool"]
claim("a unit of the last pooling sees 212 of the 224 pixels", last.receptive_field == 212)
claim("the first is centred on 15.5, the next 32 further on", (last.start, last.jump) == (15.5, 32))
dense = [(7 * 7 * 512, 4096), (4096, 4096), (4096, 1000)]
parameters = vgg.total_parameters + sum(arithmetic.dense_parameters(*layer) for layer in dense)
macs = vgg.total_macs + sum(inputs * units for inputs, units in dense)
claim("with its head VGG-16 has 138,357,544 parameters", parameters == 138_357_544)
claim("and takes 15.5 G multiply-accumulates", round(macs / 1e9, 1) == 15.5)
plotting.unit_explorer(vgg, cat, [f"block{n}_pool" for n in range(1, 6)], start="block3_pool")

# %% [markdown]
# Only the dense layers see the whole image. Move a unit over the cat and see its window. At the border part of the
# window hangs over the edge, and what hangs over sees zeros.
#
# ### What it sees, and what it uses
#
# The receptive field is what a unit *could* see. How much does each pixel count? Differentiate the unit with respect
# to the image. The size of the gradient of a unit at each pixel of the image is its **effective receptive field**
# (Luo et al., 2016).
#
# Begin with nothing learnt: layers of 3 whose weights are all 1. The gradient then counts the paths from a pixel to
# the unit. From the border of the field there is one. From its middle there are many.

# %%
x = image = keras.Input((41, 41, 1))
for n in range(1, 17):
    x = layers.Conv2D(1, 3, padding="same", kernel_initializer="ones", name=f"layer{n}")(x)
plain = keras.Model(image, x)
ones = np.ones((1, 41, 41, 1), dtype="float32")
profiles = {n: effective_receptive_field(plain, f"layer{n}", ones)[20] for n in (1, 4, 16)}
offsets = np.arange(41) - 20
gaussian = np.exp(-(offsets**2) / (2 * 16 * 2 / 3))  # 16 layers, each of variance 2/3
narrow, wide = (np.sqrt((p * offsets**2).sum() / p.sum()) for p in (profiles[4], profiles[16]))
claim("behind 16 layers it is Gaussian, to 2 % of its peak", np.abs(profiles[16] - gaussian).max() < 0.02)
claim("from 4 layers to 16 its standard deviation doubles", np.isclose(wide / narrow, 2, atol=0.01))

# %% [markdown]
# The theoretical field grows like the number of layers $n$, here from 9 pixels to 33. This one grows like $\sqrt n$, as
# the spread of a random walk does. But no network has weights that are all 1. Does it hold for random weights, and with
# ReLUs between the layers? Stored runs with three seeds measured the standard deviation of the response behind 2 to 32
# layers.

# %% jupyter={"source_hidden": true}
plotting.curves(
    {"1 layer": profiles[1], "4 layers": profiles[4], "16 layers": profiles[16], "Gaussian": gaussian},
    x=offsets,
    xlabel="pixels from the centre",
    ylabel="response, largest = 1",
    alt="Response of a unit to the pixels of one row, all weights 1: a box of 3 pixels behind 1 layer, a bell of 9 "
    "behind 4, and behind 16 layers a bell that a Gaussian covers.",
)

growth = Experiment("02_effective")
around = np.arange(65) - 32


def bell(depth, activation):
    """Of `depth` layers of 3 with random weights: spread of the response in pixels, and its distance to a Gaussian."""
    keras.utils.set_random_seed(runtime.seed())
    x = image = keras.Input((65, 65, 3))
    for _ in range(depth):
        x = layers.Conv2D(16, 3, padding="same", activation=activation, kernel_initializer="he_normal")(x)
    response = effective_receptive_field(keras.Model(image, x), seed=runtime.seed()).sum(axis=0)
    width = np.sqrt((response * around**2).sum() / response.sum())
    gaussian = np.exp(-(around**2) / (2 * width**2))
    return float(width), float(np.abs(response / response.max() - gaussian).max())


depths = growth.pick(stored=(2, 4, 8, 16, 32), live=(8,))
widths, misfits = {}, {}
for activation in ("linear", "relu"):
    found = [bell(depth, activation) for depth in depths]
    widths[activation], misfits[activation] = (list(each) for each in zip(*found))
growth.keep(widths=widths, misfits=misfits)

depths, runs = np.array([2, 4, 8, 16, 32]), growth.stored
random_linear, random_relu = (runs["widths"][kind] for kind in ("linear", "relu"))  # (seeds, depths)
plotting.curves(
    {
        "half the theoretical field": depths,
        "random weights": random_linear.mean(axis=0),
        "random weights and ReLU": random_relu.mean(axis=0),
        "all weights 1": np.sqrt(2 / 3 * depths),
    },
    x=depths,
    xlabel="layers of 3",
    ylabel="pixels",
    logx=True,
    logy=True,
    markers=True,
    alt="Spread of the response against the number of layers, on logarithmic axes. Half the theoretical field rises "
    "from 2 to 32 pixels. The three other lines lie close together and rise half as steeply, from 1 to 5 or 6.",
)

spreads = {"linear": random_linear, "relu": random_relu}
claim(
    "from 8 layers to 32 the spread doubles, with and without ReLU",
    all((np.abs(s[:, 4] / s[:, 2] - 2) < 0.2).all() for s in spreads.values()),
)
misfit = {kind: runs["misfits"][kind][:, 2:] for kind in spreads}
claim(
    "with ReLU a single unit is a bell to 17 % of its peak, without to 30 %",
    misfit["relu"].max() < 0.17 and misfit["linear"].max() < 0.30,
)

# %% [markdown]
# From 8 layers on the root holds: four times the layers, twice the spread, with and without ReLU. So the deeper a
# network with random weights, the smaller the *share* of its field that it uses. The bell holds less well. One unit
# of a random network is a ragged bell, and only weights that are all 1 make it smooth.
#
#
# And what does training do to it? Take the unit in the middle of a block of Lite0, once with random weights and once
# with the trained ones, on ten photographs.
#
# **Predict**: does training make the effective field of `block4c_add` larger or smaller?

# %%
predict("02.f", "Does training make its effective field larger or smaller?", choices=["larger", "smaller"])

# %% jupyter={"source_hidden": true}
lite_fields = Experiment("02_lite_fields")
blocks = lite_fields.pick(stored=("block3b_add", "block4c_add", "block5c_add"), live=("block4c_add",))
photographs = batch[:: lite_fields.pick(stored=1, live=4)]
responses = {}
for block in blocks:
    for name, each in (("random weights", untrained), ("trained", network)):
        responses[block, name] = effective_receptive_field(each, block, photographs)
sides = {
    block: {name: effective_size(responses[block, name]) for name in ("random weights", "trained")} for block in blocks
}
lite_fields.keep(sides=sides)

lite, side = trace(network), sides["block4c_add"]
plotting.effective_fields(
    {name: responses["block4c_add", name] for name in side},
    box=lite.seen("block4c_add"),
    alt="How strongly one unit responds to each pixel, and a dashed square of the 147 pixels that it "
    "can see. With random weights a wide soft spot, as large as a square of "
    f"{approx(side['random weights'], 2)} pixels; trained, a small one of {approx(side['trained'], 2)}.",
)

stored = lite_fields.stored["sides"]
for block in stored[0]:
    random, trained = (stored[block][name].mean() for name in ("random weights", "trained"))
    print(
        f"{block}: sees {lite[block].receptive_field} pixels, random {approx(random, 3)}, trained {approx(trained, 3)}"
    )

ratios = np.array([stored[block]["trained"] / stored[block]["random weights"] for block in stored[0]])
claim("in each block, against each of three random draws, training has more than halved it", ratios.max() < 0.5)
claim("and so it is here", side["trained"] < 0.6 * side["random weights"])
reveal("02.f", "smaller" if side["trained"] < side["random weights"] else "larger")

# %% [markdown]
# Here training *narrows* the view, to less than half, in three blocks of Lite0. Luo et al. saw the opposite in the
# networks that they trained. Both are measurements: the effective field is a fact about one set of weights, so
# measure it for yours. In part 5 you see it go either way.
#
# ### Exercise 02.4 · Measure an effective field
#
# ●●● · 15 min
#
# Write the measurement yourself. `gradient(images, weights)` returns the gradient of `sum(weights * output)` of a
# network, in the shape (n, height, width, channels) of the images, as `gradients.input_gradient` does. `weights` has
# the shape of the output, or lengths of 1 where it counts all alike. `output_shape` is (rows, columns, channels).
#
# Ask the unit at row `rows // 2` and column `columns // 2`; its value is the sum over its channels. Return a map
# (height, width): for each pixel the absolute gradient, summed over the channels of the image, as the mean over all
# images, and scaled so that the largest is 1. A unit that responds to nothing has a map of zeros.
#
# For example, `gradients.input_gradient(plain)` for images of ones, behind 16 layers of ones, gives the bell above.


# %%
def effective_field(gradient, output_shape: tuple[int, int, int], images: np.ndarray) -> np.ndarray:
    """Map (height, width) of how strongly the unit in the middle responds to each pixel; its largest value is 1."""
    ### BEGIN SOLUTION
    unit = np.zeros((1, *output_shape), dtype="float32")
    unit[0, output_shape[0] // 2, output_shape[1] // 2] = 1
    strength = np.abs(gradient(images, unit)).sum(axis=-1).mean(axis=0)
    largest = strength.max()
    return strength / largest if largest > 0 else strength
    ### END SOLUTION


# %%
exercise("02.4").check(effective_field)

# %% [markdown]
# **So far**: $r \leftarrow r + d (k-1) j$, then $j \leftarrow j s$, gives what a unit can see. Gradients show what it
# uses: less, and training changes it.
#
# ## Part 5 · Seeing far
#
# **How far must a network see, and what does it cost?**
#
# Make a task in which only distance counts. Each picture is grey noise with two dots: side by side, or one above the
# other, always the same number of pixels apart. What leaves the picture on one side comes back on the other, so
# that no border gives a hint.
#
# Two networks, each of three layers of 3x3, with the same 1,266 weights. One has dilation 1 everywhere, the other
# dilations 1, 2 and 4. The maximum over all places decides. Each learns from 800 pictures in which the dots are 9
# pixels apart, at the better of two learning rates, and is asked about 1,000 new ones.
#
# **Predict**: how often is the one right that sees 7 pixels?

# %%
predict("02.g", "How often is the network with a field of 7 right about dots 9 apart?", unit="%")


# %%
SIDE = 32


def pairs_of_dots(count, distance, rng):
    """Pictures with two dots, in one row (label 1) or in one column (label 0)."""
    images = rng.normal(0, 0.1, (count, SIDE, SIDE)).astype("float32")
    labels, number = rng.integers(0, 2, count), np.arange(count)
    row, column = rng.integers(0, SIDE, (2, count))
    images[number, row, column] += 1
    images[number, (row + distance * (1 - labels)) % SIDE, (column + distance * labels) % SIDE] += 1
    return images[..., None], labels


def dot_network(dilations):
    x = image = keras.Input((None, None, 1))
    for dilation in dilations:
        x = layers.Conv2D(8, 3, dilation_rate=dilation, activation="relu")(x)
    return keras.Model(image, layers.Dense(2)(layers.GlobalMaxPooling2D()(x)))


fields = {7: (1, 1, 1), 15: (1, 2, 4)}
for field, dilations in fields.items():
    table = trace(dot_network(dilations), input_shape=(32, 32, 1))
    claim(f"dilations {dilations} see {field} pixels", table[-3].receptive_field == field)
    claim("with 1,266 weights", table.total_parameters == 1_266)


# %% jupyter={"source_hidden": true}
def train_on_dots(field, distance):
    """The better of two rates, on 800 pictures; and 1,000 new ones, each padded with its own other side."""
    rng = np.random.default_rng(runtime.seed())
    margin, data = field // 2, []
    for count in (800, 400, 1000):
        x, y = pairs_of_dots(count, distance, rng)
        data += [np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="wrap"), y]
    return best_of((0.003, 0.01), lambda: dot_network(fields[field]), *data[:4], epochs=3), *data[4:]


def spread(network, x):
    """Standard deviation of the response of the unit in the middle, along one axis, in pixels."""
    response = effective_receptive_field(network, network.layers[-3].name, x[:100]).sum(axis=0)
    offsets = np.arange(len(response)) - len(response) // 2
    return float(np.sqrt((response * offsets**2).sum() / response.sum()))


starved = Experiment("02_starved")
distances = starved.pick(stored={7: (3, 6, 7, 9, 14), 15: (3, 9, 14, 15)}, live={7: (9,), 15: (9,)})
right, spreads = {}, {}
for field in fields:
    right[str(field)] = {}
    for distance in distances[field]:
        trained, x, y = train_on_dots(field, distance)
        right[str(field)][str(distance)] = accuracy_of(trained, x, y)
        if field == 15:
            spreads[str(distance)] = spread(trained, x)
keras.utils.set_random_seed(runtime.seed())
spreads["before training"] = spread(dot_network(fields[15]), x)
starved.keep(right=right, spreads=spreads)

examples, labels = pairs_of_dots(4, distance=9, rng=np.random.default_rng(1))
plotting.images(
    examples[..., 0],
    [("one above the other", "side by side")[label] for label in labels],
    alt="Four pictures of grey noise with two white dots, 9 pixels apart, in one row or in one column.",
    value_range="shared",
)
reveal("02.g", right["7"]["9"])
results = starved.stored["right"]
plotting.live_among_stored(
    {
        "right about new pictures, in %": (
            [{f"sees {field}, dots {d} apart": run[field][d] for field in run for d in run[field]} for run in results],
            {f"sees {field}, dots 9 apart": right[field]["9"] for field in right},
        )
    },
    alt="How often two networks are right, three stored runs each. Always where the dots are well inside the field, "
    "half of the time where they do not fit into it, and between the two where they stand at its two ends.",
)
inside = np.concatenate([results["7"]["3"], results["15"]["3"], results["15"]["9"]])
just = np.concatenate([results["7"]["6"], results["15"]["14"]])
outside = np.concatenate([results["7"][d] for d in ("7", "9", "14")] + [results["15"]["15"]])
claim("dots well inside the field are no trouble: more than 99 % right", inside.min() > 99)
claim("dots too far apart for it leave a network guessing, within 5 points", np.abs(outside - 50).max() < 5)
claim("where both just fit, at the two ends of the field, half of the six runs guess as well", (just < 60).sum() == 3)
claim("so it is here: a field of 7 guesses, one of 15 does not", right["7"]["9"] < 60 and right["15"]["9"] > 90)
spread_of = starved.stored["spreads"]
change = {distance: spread_of[distance] - spread_of["before training"] for distance in ("3", "9")}
claim("with each seed dots 3 apart narrow the response", (change["3"] < -0.05).all())
claim("and dots 9 apart widen it", (change["9"] > 0.05).all())

# %% [markdown]
# Depth, weights, work and pictures are the same, and dots that are 3 pixels apart are no trouble to the smaller
# field. So it is the field that starves it. No training helps against that: the two dots never meet in one unit.
#
# Look also at dots that just fit, 6 apart in a field of 7 and 14 apart in one of 15. Three of six runs have not found
# them in the time that was ample for the others. What is at the rim of a field is in it, and hard to
# learn, likely because few paths lead there.
#
# What does training do to the effective field here? Behind dots 3 apart the unit's response is a little narrower than
# before training, behind dots 9 apart a little wider. (Dots 14 apart, which one of the three runs did not learn,
# moved it either way.) So training need not narrow the view. The task has a say.
#
# ### Seeing far without paying
#
# Dilation spreads the taps of a kernel and costs nothing. Double it from layer to layer and the field doubles too,
# where plain layers add 2 each.

# %%
doubling = [(3, 1, 2**n) for n in range(4)]
plotting.receptive_stack(doubling)
claim("dilations 1, 2, 4, 8 see 31 pixels", arithmetic.receptive_field(doubling).size == 31)
claim("fifteen plain layers see as far", arithmetic.receptive_field([3] * 15).size == 31)
deeper = [arithmetic.receptive_field([(3, 1, 2**n) for n in range(depth)]).size for depth in (5, 6, 7)]
claim("each further layer doubles the field: 63, 127, 255", deeper == [63, 127, 255])

# %% [markdown]
# Four layers cost what four layers cost, and the map keeps its resolution: segmentation (lesson 12) lives on this.
# But do not take the doubling too far. A single layer with dilation 15 also spans 31 pixels, and *reads* three of them.
#
# ### Exercise 02.5 · A stack that sees 31 pixels
#
# ●●○ · 10 min
#
# Four layers of 3x3 with 16 channels in and 16 out have 9,216 weights. Do better. Design a stack of square layers, 16
# channels in and out, stride 1: `design` is a list of (kernel, dilation), first layer first. One unit on top must
# read *each* of 31 neighbouring pixels or more, and all layers together may have at most *7,000* weights, biases
# apart.
#
# For example, `[(5, 1), (3, 2)]` reads 9 neighbouring pixels with 8,704 weights: too many weights for too few pixels.

# %%
### BEGIN SOLUTION
design = [(2, 1), (2, 2), (2, 4), (2, 8), (2, 16)]
### END SOLUTION

# %%
exercise("02.5").check(design)

# %% [markdown]
# ### Exercise 02.6 · How deep must it be?
#
# ●●○ · 10 min
#
# Write the smallest number of layers, all with the same `kernel` and stride 1, through which a unit sees at least
# `pixels` pixels. The first layer has dilation 1, and each layer's dilation is `growth` times that of the layer
# before: 1 for plain layers, 2 for doubling. One pixel needs no layer. Raise a `ValueError` if an argument is below 1,
# or if no number of layers is enough.
#
# For example, `layers_to_see(31)` is 15 and `layers_to_see(31, growth=2)` is 4.


# %%
def layers_to_see(pixels: int, kernel: int = 3, growth: int = 1) -> int:
    """Smallest number of layers that see `pixels` pixels; ValueError if there is none."""
    ### BEGIN SOLUTION
    if min(pixels, kernel, growth) < 1 or (kernel == 1 and pixels > 1):
        raise ValueError(f"no stack of kernel {kernel} and growth {growth} sees {pixels} pixels")
    size, dilation, count = 1, 1, 0
    while size < pixels:
        size += dilation * (kernel - 1)
        dilation *= growth
        count += 1
    return count
    ### END SOLUTION


# %%
exercise("02.6").check(layers_to_see)

# %% [markdown]
# **So far**: a network cannot tell apart what differs only beyond its field, however well it is trained. Dilation
# reaches that far without a further weight.
#
# ### More: two networks by their shapes, and do deeper maps mind less?
#
# <details><summary>What the three cells below show</summary>
#
# *Shapes.* The pattern of the small network scales up. 128x128x3 goes through 32, 64 and 128 filters with a pooling
# behind the first two and ends in an averaged head; 224x224x3 goes through 64, 128 and 256. Write down the last shapes
# before you read the tables.
#
# *ResNet-50.* In a network with branches each path has a field of its own, and where paths join, the larger one
# counts. `trace` walks every path. Below are the layers that change something; `resnet` itself has all 177.
#
# You will read 3.86 G multiply-accumulates for ResNet-50, and also 4.1 G. A later variant has as many: it moves the
# stride of each **stage**, the blocks that work at one resolution, from its first 1x1 to the 3x3 behind it. Both are
# called ResNet-50: ask which one before you compare.
#
# *Moved, turned, magnified.* It is often said that the deeper a layer, the less it minds where things are. Move ten
# photographs by 8 pixels, turn them by 10 degrees, and magnify them by a tenth. How far do the maps change, as a
# share of the distance to the maps of *another* photograph? Without that comparison, layers of different sizes and
# sparsity cannot be compared.
#
# On none of the photographs does the change fall from layer to layer. It first grows, from the first layer to the
# second, since fine edges miss each other. From there it falls, and even the last maps move a quarter of the way to
# another photograph or more. So a network becomes less sensitive with depth, but not from the start, and not
# insensitive.
#
# </details>


# %% jupyter={"source_hidden": true}
def tower(size, filters):
    x = image = keras.Input((size, size, 3), name="image")
    for number, count in enumerate(filters, start=1):
        x = layers.Conv2D(count, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        if number < 3:
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    average = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, average, name=f"tower{size}")


towers = {128: tower(128, filters=(32, 64, 128)), 224: tower(224, filters=(64, 128, 256))}
for model in towers.values():
    print(trace(model), end="\n\n")
claim("128x128x3 ends as 32x32x128", trace(towers[128])["conv3"].output_shape == (32, 32, 128))
claim("and its average as 128 numbers", trace(towers[128])["average"].output_shape == (128,))
claim("224x224x3 ends as 56x56x256", trace(towers[224])["conv3"].output_shape == (56, 56, 256))
wide_tower = trace(towers[128], input_shape=(96, 200, 3))
claim("an averaged head takes 96x200 as it is", wide_tower["average"].output_shape == (128,))

resnet = trace(keras.applications.ResNet50(weights=None))
print(resnet.only("Conv2D", "MaxPooling2D", "Add", "GlobalAveragePooling2D", "Dense"))
plotting.architecture(resnet)
claim("a unit at its top could see 483 pixels", resnet["conv5_block3_out"].receptive_field == 483)
paths = [resnet[name].receptive_field for name in resnet["conv2_block1_add"].inputs]
claim("its first sum joins a path that sees 11 pixels and one that sees 19", paths == [11, 19])
claim("and therefore sees 19", resnet["conv2_block1_add"].receptive_field == 19)
giga = resnet.total_macs / 1e9
claim("it takes 3.86 G multiply-accumulates, a quarter of VGG-16", round(giga, 2) == 3.86)


# %% jupyter={"source_hidden": true}
def altered(change):
    """The maps of all photographs, changed at a size of 256 and then cut to the middle 224 pixels."""
    larger = [change(Image.fromarray(picture)) for picture in datasets.photographs(size=256).values()]
    cut = [np.asarray(picture.crop((16, 16, 240, 240))) for picture in larger]
    return part_of_lite.predict(np.concatenate([efficientnet_lite.preprocess(each) for each in cut]), verbose=0)


def distance(maps, others):
    return np.linalg.norm((maps - others).reshape(len(maps), -1), axis=1)


part_of_lite = keras.Model(network.input, [network.get_layer(name).output for name in names])
unchanged = altered(lambda picture: picture)
typical = [np.mean([distance(m, np.roll(m, k, axis=0)) for k in range(1, 10)], axis=0) for m in unchanged]
changes_of_pictures = {
    "moved by 8 pixels": lambda picture: picture.transform((256, 256), Image.Transform.AFFINE, (1, 0, 8, 0, 1, 0)),
    "turned by 10 degrees": lambda picture: picture.rotate(10, Image.Resampling.BICUBIC),
    "magnified by a tenth": lambda picture: picture.resize((256, 256), Image.Resampling.BICUBIC, (12, 12, 244, 244)),
}
sensitivity = {
    name: np.array([distance(m, other) / far for m, other, far in zip(unchanged, altered(change), typical)])
    for name, change in changes_of_pictures.items()
}  # (5 layers, 10 photographs)
plotting.curves(
    {name: 100 * values.mean(axis=1) for name, values in sensitivity.items()},
    xlabel="layer, of the five shown at the beginning",
    ylabel="change, in % of the\ndistance to another photograph",
    markers=True,
    alt="Change of the maps of five layers, from early to late, in percent of the distance to another photograph: "
    + "; ".join(f"{n} {', '.join(f'{approx(v, 2)}' for v in 100 * s.mean(axis=1))}" for n, s in sensitivity.items()),
)
every = np.stack([*sensitivity.values()])  # (3 changes, 5 layers, 10 photographs)
claim(
    "on no photograph does a change fall from each layer to the next",
    not (np.diff(every, axis=1) < 0).all(axis=1).any(),
)
means = every.mean(axis=2)
claim("on average it grows from the first of the layers to the second", (means[:, 1] > means[:, 0]).all())
claim("and falls from there to the last", (np.diff(means[:, 1:], axis=1) < 0).all())
claim("where it still is a quarter of the distance to another photograph", means[:, -1].min() > 0.25)

# %% [markdown]
# ## Recap
#
# - A network trades *where* for *what*: Lite0 turns 224x224 places with 3 numbers into 7x7 places with 1,280, about
#   nine tenths of them zero.
# - Write the shape table first. A wrong padding often raises no error; it makes another network.
# - Max pooling keeps whether, average pooling how much, and both forget where. Backward, the largest pixel gets all
#   of the gradient, or each pixel its share. A flattened head overfits more than an averaged one, and may still be
#   the more accurate.
# - Convolution is equivariant until padding, stride or pooling break it. Blurring before subsampling repairs part of
#   it, and makes a trained network steadier.
# - $r \leftarrow r + d (k-1) j$, then $j \leftarrow j s$. Strides and growing dilations make the field grow
#   exponentially, plain layers only linearly. VGG-16 sees 212 pixels, ResNet-50 483.
# - The effective receptive field says what a unit uses. With random weights it grows like $\sqrt n$. Training may
#   narrow it or widen it. What lies beyond the theoretical field cannot be learnt, and what lies at its rim hardly.
#
# ## Explain it
#
# **Why do networks use three 3x3 layers in place of one 7x7, and when is the 7x7 better?**
#
# <details><summary>Model answer</summary>
#
# Three layers of 3x3 see the same 7 pixels with 27 in place of 49 weights for each pair of channels, and have three
# activation functions in place of one. They also do 27/49 of the multiply-accumulates at the same resolution, but keep
# three maps in memory for training in place of one. A 7x7 is the better candidate where it is cheap (the first layer
# has three input channels, or the layer is depthwise), or where resolution falls at the same time.
#
# </details>
#
# **A detector (lesson 11) finds large trucks and misses small boats. Its last map has a jump of 32 and a receptive
# field of 483 pixels. Which of the two numbers explains the boats?**
#
# <details><summary>Model answer</summary>
#
# The jump. A boat of 10 pixels falls between the centres of units that are 32 pixels apart, several boats share one
# unit, and five halvings have thrown away where they were. The receptive field is large enough for anything in the
# image. Use a map with a smaller jump, such as that of an earlier stage joined with later ones (a feature pyramid,
# lesson 11), or feed larger images. A larger receptive field adds nothing that a boat of 10 pixels lacks.
#
# </details>
#
# **Is a convolutional network translation invariant?**
#
# <details><summary>Model answer</summary>
#
# No. A convolution without padding and stride is translation *equivariant*: its maps move with the input. Global
# pooling of such maps would be invariant, as far as nothing leaves the picture. Zero padding marks the border, and
# stride or pooling by s leaves equivariance only for moves by multiples of s, because of aliasing. Lite0 has five
# such halvings, and its answer changes with a move of one pixel. Blurring before subsampling makes a network steadier
# without making it invariant.
#
# </details>
#
# **A unit has a receptive field of 200 pixels. Can it recognise an object of 200 pixels?**
#
# <details><summary>Model answer</summary>
#
# That is not certain. 200 is what can reach it at all: what is larger it cannot judge, whatever it learns. Within it,
# what stands at the rim is hard to learn, as the dots at the two ends of the field showed. And training decides how
# much is used: the units of Lite0 respond to less than half as wide a region as with random weights. Plan for a
# theoretical field well beyond the object, and measure the effective one by gradients on the trained network.
#
# </details>
#
# ## What comes next
#
# You can now say what a network *could* compute, what it costs and what it sees. In
# [lesson 03](../notebooks/03_training_from_first_principles.ipynb) the weights learn: loss, gradient, step, and how to
# know that it works.
#
# ## References
#
# - A. Araujo, W. Norris and J. Sim (2019). Computing receptive fields of convolutional neural networks. *Distill*.
# - K. He, X. Zhang, S. Ren and J. Sun (2016). Deep residual learning for image recognition. *CVPR*.
# - M. Lin, Q. Chen and S. Yan (2014). Network in network. *ICLR*.
# - W. Luo, Y. Li, R. Urtasun and R. Zemel (2016). Understanding the effective receptive field in deep convolutional
#   neural networks. *NeurIPS*.
# - K. Simonyan and A. Zisserman (2015). Very deep convolutional networks for large-scale image recognition. *ICLR*.
# - J. T. Springenberg, A. Dosovitskiy, T. Brox and M. Riedmiller (2015). Striving for simplicity: the all
#   convolutional net. *ICLR workshop*.
# - F. Yu and V. Koltun (2016). Multi-scale context aggregation by dilated convolutions. *ICLR*.
# - R. Zhang (2019). Making convolutional networks shift-invariant again. *ICML*.
