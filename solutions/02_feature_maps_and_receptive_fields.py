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
# - compute max, average and global pooling by hand, and say what each of them throws away
# - measure whether a network minds when its input moves by a pixel, and say which layer is to blame
# - give the receptive field of any unit, and design a network that sees as far as you need at a price you can pay
# - tell what a unit *could* see from what it responds to
#
# **Before this**: [01 Convolution arithmetic](../notebooks/01_convolution_arithmetic.ipynb) · **Reading** 40 min ·
# **Exercises** 50 min
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

from cnnlib import arithmetic, claim, datasets, exercise, plotting, reference, training
from cnnlib.claims import approx, measured
from cnnlib.models import efficientnet_lite
from cnnlib.results import Experiment
from cnnlib.trace import effective_receptive_field, effective_size, trace

# %% [markdown]
# ## Inside a network that knows cats
#
# EfficientNet-Lite0 was trained on 1.3 million photographs. You met it in lesson 00, where it named a cat. Now stop
# it half way. Here are six feature maps from each of five layers, from the first to the last, for the same
# photograph. Each is what one filter returns, one number for each place where its window stood.
#
# **Predict**: the maps get smaller. What else changes on the way up?

# %%
cat = datasets.photograph("cat", size=224)
network = efficientnet_lite.EfficientNetLite0(weights="imagenet")
names = ["stem_relu6", "block2b_add", "block3b_add", "block5c_add", "head_relu6"]
part = keras.Model(network.input, [network.get_layer(name).output for name in names])
outputs = part.predict(efficientnet_lite.preprocess(cat), verbose=0)
maps = {name: output[0] for name, output in zip(names, outputs)}

plotting.feature_maps(
    {"photograph": cat.mean(axis=-1, keepdims=True), **maps},
    alt="A cat and, below it, rows of its feature maps. The first show edges and fur in detail, "
    "later ones the eyes or the outline in coarse squares, and the last, of 7 by 7 squares, a few "
    "bright squares on black.",
)

# %%
first, *_, last = maps.values()
sizes = [each.shape[0] for each in maps.values()]
claim("the maps shrink from 112 to 56, 28, 14 and 7 pixels", sizes == [112, 56, 28, 14, 7])
claim("their number grows from 32 to 1,280", (first.shape[2], last.shape[2]) == (32, 1280))
claim("of the first maps less than half is zero", (first == 0).mean() < 0.5)
claim("of the last ones more than nine tenths is", (last == 0).mean() > 0.9)

# %% [markdown]
# Three things happen at once. *Where* becomes coarse: 7 by 7 places are left. *What* becomes rich: 1,280 numbers
# describe each place. The numbers become **sparse**, mostly zero: an early filter finds an edge nearly everywhere, a
# late one waits for its own motif and is silent for the rest of the picture.
#
# This page follows the first of the three. Who makes the maps smaller, what is lost, and how much of the cat does
# one of those last 49 places see?
#
# ## The shape, row by row
#
# Before you build a network, write down its **shape table**: one row for each layer, height by width by channels.
# Most mistakes show there. `trace` prints the table of a finished model, and more columns to which you will come.
# Each convolution below ends in an **activation function**, which changes each number by itself. It is the **ReLU**,
# $\max(x, 0)$: what is negative becomes 0.


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
trace(small)

# %%
rows = trace(small)
claim("32x32x3 becomes 8x8x32", rows["pool2"].output_shape == (8, 8, 32))
claim("that is 2,048 numbers", rows["flatten"].output_shape == (2048,))
claim("and these become ten scores", rows["scores"].output_shape == (10,))
share = rows["scores"].parameters / rows.total_parameters
claim("four fifths of its 25,578 weights sit in the last layer", round(share, 1) == 0.8)

# %% [markdown]
# The pattern scales. Two larger networks, as a function: a convolution for each number of filters, and a pooling
# behind the first two.
#
# **Predict**: 128x128x3 goes through 32, 64 and 128 filters, and 224x224x3 through 64, 128 and 256. What are the
# last shapes?


# %%
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

# %%
claim("128x128x3 ends as 32x32x128", trace(towers[128])["conv3"].output_shape == (32, 32, 128))
claim("and its average as 128 numbers", trace(towers[128])["average"].output_shape == (128,))
claim("224x224x3 ends as 56x56x256", trace(towers[224])["conv3"].output_shape == (56, 56, 256))

# %% [markdown]
# ## One word, and it breaks
#
# Now write `"valid"` in place of one `"same"`. `valid` pads nothing, so a 3x3 window loses one pixel at each side.
#
# **Predict**: does Keras raise an error when you build the small network like this?

# %%
broken = small_network(padding="valid")
print(trace(broken))
try:
    broken.set_weights(small.get_weights())
except ValueError:
    print("\nThe weights of the first network do not fit the second.")

numbers_left = trace(broken)["flatten"].output_shape
claim("one valid turns 2,048 numbers into 7x7x32 = 1,568", numbers_left == (1568,))

# %% [markdown]
# It does not. The pooling halves 14 to 7, the dense layer adapts, and you have another network. You notice when its
# weights do not load, or never. A layer that joins two branches is less patient: it wants equal shapes.

# %%
image = keras.Input((32, 32, 16))
try:
    layers.Add()([image, layers.Conv2D(16, 3, padding="valid")(image)])
    refused = False
except ValueError as error:
    refused = True
    print(error)

claim("a sum of 32x32 and 30x30 is refused", refused)

# %% [markdown]
# ### Exercise 02.1 · Find the shape bug
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


# %%
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
# ## Pooling: one number for four
#
# **Pooling** slides a window over each channel, as a depthwise convolution does, and has no weights. **Max pooling**
# keeps the largest number under the window, **average pooling** the mean. Windows of 2x2 in steps of 2 do not
# overlap: three numbers of four go.
#
# **Predict**: work out both before you run the cell.

# %%
numbers = np.array([[1, 3, 1, 2], [2, 4, 0, 1], [0, 1, 5, 1], [2, 1, 2, 2]], dtype="float32")
batch = numbers[None, :, :, None]  # (batch, height, width, channels)
maxima = ops.convert_to_numpy(ops.max_pool(batch, 2, strides=2))[0, :, :, 0]
means = ops.convert_to_numpy(ops.average_pool(batch, 2, strides=2))[0, :, :, 0]
plotting.pooling_windows(numbers, {"max pooling": maxima, "average pooling": means})

claim("max pooling returns 4, 2, 2, 5", maxima.ravel().tolist() == [4, 2, 2, 5])
claim("average pooling returns 2.5, 1, 1, 2.5", means.ravel().tolist() == [2.5, 1, 1, 2.5])

# %% [markdown]
# The maximum says *there is such an edge here*, and forgets where in the window. The mean says *how much of it*.
# Neither can tell a window from the same four numbers in another order: this is the first thing thrown away.

# %%
rng = np.random.default_rng(0)
windows = numbers.reshape(2, 2, 2, 2).swapaxes(1, 2).reshape(4, 4)  # one row for each window
shuffled = rng.permuted(windows, axis=1)
claim("the numbers stand in another order", (shuffled != windows).any())
claim("the maxima are the same", (shuffled.max(axis=1) == maxima.ravel()).all())
claim("and so are the means", (shuffled.mean(axis=1) == means.ravel()).all())

# %% [markdown]
# ### Exercise 02.2 · Pool by hand
#
# By hand, for the grid below: the `largest` of each 2x2 window in steps of 2 and the `average` of each, as nested
# lists of two rows, and the `overall` result of a global average pooling, whose one window is the whole grid.

# %%
grid = np.array([[3, 0, 2, 6], [1, 4, 2, 2], [0, 8, 5, 1], [2, 2, 3, 3]])
### BEGIN SOLUTION
largest = [[4, 6], [8, 5]]
average = [[2, 3], [3, 3]]
overall = 2.75
### END SOLUTION

# %%
exercise("02.2").check({"largest": largest, "average": average, "overall": overall})

# %% [markdown]
# ## Flatten, or average
#
# At the end of a network its **head** turns the last maps into **scores**, one number for each class. VGG-16 ends in
# 7x7x512 numbers. You can **flatten** the maps, write all their numbers into one long vector, and give each number
# its own weight for each class. The other way is **global average pooling** (GAP): average each map to one number
# first, and give each *map* one weight for each class.
#
# **Predict**: how many weights do 1,000 classes need, each way?

# %%
flat = arithmetic.dense_parameters(7 * 7 * 512, 1000, bias=False)
pooled = arithmetic.dense_parameters(512, 1000, bias=False)
claim("flattened: 25,088,000 weights", flat == 25_088_000)
claim("averaged: 512,000 weights", pooled == 512_000)
claim("that is one weight where there were 49, one for each place", flat == 49 * pooled)

# %% [markdown]
# The flattened head learns 49 times what a cat's ear is worth, once for each place. The averaged head assumes that an
# ear is worth the same everywhere, and so gets along with one weight, with less overfitting (lesson 03), and with
# images of *any* size. It throws away where the ear was. For a class label that is welcome. For a box around the cat
# (lesson 11) it is not.

# %%
try:
    trace(small, input_shape=(48, 48, 3))
    fits = True
except ValueError:
    fits = False
claim("a flattened head fits one image size only", not fits)
wide = trace(towers[128], input_shape=(96, 200, 3))
claim("an averaged head takes 96x200 as it is", wide["average"].output_shape == (128,))

# %% [markdown]
# ## Does the network mind if the cat moves?
#
# A convolution treats every place alike. So if the photograph moves by a pixel, its feature maps should move by a
# pixel too and otherwise stay as they are. That is **equivariance**. Do not believe it: measure. Cut two windows
# from one wide photograph, one a few pixels to the right of the other, run both, and list the columns of the maps
# that did more than move.
#
# **Predict**: five 3x3 layers without padding, then the same five with `same`. How many of the 224 columns differ?

# %%
wide_cat = (datasets.photograph("cat", size=(224, 256)) / 255).astype("float32")


def columns_that_differ(network, shift, stride=1):
    here = ops.convert_to_numpy(network(wide_cat[None, :, :224]))[0]
    there = ops.convert_to_numpy(network(wide_cat[None, :, shift : 224 + shift]))[0]
    moved = here[:, shift // stride :]
    difference = np.abs(moved - there[:, : moved.shape[1]]).max(axis=(0, 2))
    return np.flatnonzero(difference > 1e-4)


def stack_of(count, **arguments):
    convs = [layers.Conv2D(8, 3, activation="relu", **arguments) for _ in range(count)]
    return keras.Sequential(convs)


# %%
spoilt = columns_that_differ(stack_of(5, padding="valid"), shift=1)
claim("without padding nothing differs", len(spoilt) == 0)
spoilt = columns_that_differ(stack_of(5, padding="same"), shift=1).tolist()
ends = [*range(5), *range(218, 223)]  # of the 223 columns that both windows have in common
claim("five layers of zeros spoil five columns at either end", spoilt == ends)

# %% [markdown]
# The zeros outside the picture are the one thing that does not move with it. Each `same` layer carries the news of
# the border one pixel further in.
#
# Next, the stride. A layer with stride 2 takes every second place. Which ones, the even or the odd, is decided by the
# frame of the picture and not by the cat.

# %%
strided = stack_of(1, padding="valid", strides=2)
by_two = columns_that_differ(strided, shift=2, stride=2)
by_one = columns_that_differ(strided, shift=1, stride=2)
claim("move the cat by 2 pixels: the maps move by exactly 1", len(by_two) == 0)
claim("move it by 1 pixel: all 111 columns change", len(by_one) == 111)

# %% [markdown]
# Moving by 1 would have to move the maps by *half* a place, and there is no half place. Pooling in steps of 2 has
# the same fault. In one dimension you can see it with bare eyes. Here is a row of stripes, and the same row one
# pixel later.
#
# **Predict**: max pooling, window 2, stride 2. What do the two rows become?

# %%
stripes = np.array([0, 0, 1, 1, 0, 0, 1, 1, 0, 0], dtype="float32")


def max_pool(row, stride):
    return ops.convert_to_numpy(ops.max_pool(row[None, :, None], 2, strides=stride))[0, :, 0]


before, after = max_pool(stripes[:8], 2), max_pool(stripes[1:9], 2)
print("stripes          ", stripes[:8], "->", before)
print("one pixel later  ", stripes[1:9], "->", after)
claim("the stripes come out as 0, 1, 0, 1", before.tolist() == [0, 1, 0, 1])
claim("one pixel later they are gone: 1, 1, 1, 1", after.tolist() == [1, 1, 1, 1])

# %% [markdown]
# A detail finer than the new grid turns into something else, depending on where the grid happens to lie. This is
# **aliasing**, known from wagon wheels in films that turn backwards. The cure is as old: *blur before you subsample*.
# Zhang (2019) split max pooling in two, a maximum at every place and then every second place, and put a small blur
# between them: **blur pooling**. The blur here is two averages of two, one after the other, which weigh three
# neighbours 1, 2, 1.
#
# Measure it on the photograph: edge maps, as in lesson 01, halved in four ways.

# %%
sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype="float32")
edge_kernels = np.stack([sobel, -sobel, sobel.T, -sobel.T], axis=-1)[:, :, None, :]


def blur_pool(x):
    x = ops.max_pool(x, 2, strides=1)
    return ops.average_pool(ops.average_pool(x, 2, strides=1), 2, strides=2)


halvings = {
    "every second place (stride)": lambda x: x[:, ::2, ::2],
    "max pooling": lambda x: ops.max_pool(x, 2, strides=2),
    "average pooling": lambda x: ops.average_pool(x, 2, strides=2),
    "blur pooling": blur_pool,
}

# %% [markdown]
# After a move by one pixel we expect at each place the mean of the two neighbours that it now lies between. How far
# off is what comes?
#
# **Predict**: which of the four is off the most, and by how much?


# %%
def error_after_one_pixel(halve):
    grey = wide_cat.mean(axis=-1, keepdims=True)
    windows = np.stack([grey[:, :224], grey[:, 1:225]])
    here, there = ops.convert_to_numpy(halve(ops.relu(ops.conv(windows, edge_kernels))))
    expected = (here[:, :-1] + here[:, 1:]) / 2
    return np.linalg.norm(there[:, :-1] - expected) / np.linalg.norm(expected)


errors = {name: error_after_one_pixel(halve) for name, halve in halvings.items()}
plotting.bars(
    {name: 100 * error for name, error in errors.items()},
    alt="Error of edge maps after a move by one pixel, in percent: "
    + ", ".join(f"{name} {approx(100 * error, 2)}" for name, error in errors.items()),
    xlabel="error after a move by one pixel, in % of the maps",
    form="{:.0f} %",
)

# %%
claim("a bare stride is off by half", round(errors["every second place (stride)"], 1) == 0.5)
claim("max pooling by a third", round(3 * errors["max pooling"]) == 1)
claim("blur pooling by less than half of that", errors["blur pooling"] < errors["max pooling"] / 2)

# %% [markdown]
# Part of the damage is repaired, not all of it. What of it reaches the answer? Slide the window over the photograph,
# 32 steps of one pixel, and ask Lite0 each time. (`softmax`, which lesson 03 explains, turns its scores into
# probabilities.)
#
# **Predict**: how much does its probability change from one pixel to the next?

# %%
wide_photo = datasets.photograph("cat", size=256)[16:240]
windows = [wide_photo[:, step : step + 224] for step in range(33)]
batch = np.concatenate([efficientnet_lite.preprocess(window) for window in windows])
scores = network.predict(batch, batch_size=3, verbose=0)
percent = 100 * ops.convert_to_numpy(ops.softmax(scores))  # (33 windows, 1,000 classes)

# %%
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
# Nobody sees a difference between two of these windows. The network has five strides of 2, and near a tie its answer
# changes. In a video this is a label that flickers. A score for it is easy to compute.
#
# ### Exercise 02.3 · Shift consistency
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
# ## Pooling or stride? Train both
#
# A convolution with stride 2 halves the map without any pooling, and computes only the quarter of the places that
# it keeps. Many networks since 2015 do that. So why pool? Train the alternatives side by side on CIFAR-10, its pictures
# reduced to 16 by 16 pixels so that it takes seconds: the same filters, the same number of weights, and the halving as
# the only difference. The inputs are left open in height and width, and the head averages, so that the networks take
# windows of any size.


# %%
def convolve_and_halve(kind, filters, x):
    if kind == "stride":
        return layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    if kind == "max pooling":
        return layers.MaxPooling2D(2)(x)
    x = layers.MaxPooling2D(2, strides=1, padding="same")(x)
    x = layers.AveragePooling2D(2, strides=1, padding="same")(x)
    return layers.AveragePooling2D(2)(x)


def cifar_network(kind):
    image = keras.Input((None, None, 3))
    x = layers.Rescaling(4.0, offset=-2.0)(image)
    for filters in (16, 32):
        x = convolve_and_halve(kind, filters, x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


kinds = ("stride", "max pooling", "blur pooling")
networks = {kind: cifar_network(kind) for kind in kinds}
costs = {kind: trace(networks[kind], input_shape=(16, 16, 3)).total_macs for kind in kinds}
weights = {model.count_params() for model in networks.values()}
claim("all three have 24,234 weights", weights == {24_234})
millions = [round(cost / 1e6, 1) for cost in costs.values()]
claim("the stride costs 0.4 M multiply-accumulates, pooling 0.7 M", millions == [0.4, 0.7, 0.7])

# %% [markdown]
# **Predict**: which one is the most accurate? Which one is the steadiest when the image moves by one pixel? (What the
# code calls loss, Adam and epochs is the subject of lesson 03. All that counts here: it is the same for all.)
#
# Here you train the two that differ most. Stored runs with other seeds have all three.

# %%
halving = Experiment("02_halving")
cifar = datasets.cifar10()
x_train, x_test = (reference.avg_pool2d(images, 2) for images in (cifar.x_train, cifar.x_test))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
epochs = runtime.pick(smoke=1, cpu=6, gpu=20)
for kind in halving.pick(stored=kinds, live=("stride", "blur pooling")):
    networks[kind].compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    training.fit(networks[kind], x_train, cifar.y_train, epochs=epochs, batch_size=128, label=kind)

# %%
here, there = x_test[:, :15, :15], x_test[:, 1:, 1:]


def class_of(model, images):
    return model.predict(images, batch_size=500, verbose=0).argmax(axis=-1)


accuracy, steady = {}, {}
for kind in halving.pick(stored=kinds, live=("stride", "blur pooling")):
    accuracy[kind] = 100 * np.mean(class_of(networks[kind], x_test) == cifar.y_test)
    steady[kind] = 100 * np.mean(class_of(networks[kind], here) == class_of(networks[kind], there))
halving.keep(accuracy=accuracy, steady=steady)

# %%
runs = halving.stored
plotting.live_among_stored(
    {
        "test accuracy, in %": (runs["accuracy"], accuracy),
        "same class after a move by one pixel, in %": (runs["steady"], steady),
    },
    alt="Accuracy and steadiness of three networks in percent, this run among stored ones. "
    + " ".join(f"{k}: {approx(accuracy[k], 2)} and {approx(steady[k], 2)}." for k in accuracy),
)

# %%
gain = steady["blur pooling"] - steady["stride"]
claim("blur pooling is steadier than a stride, by more than 4 points", gain > 4)
most_accurate = {max(run, key=run.get) for run in runs["accuracy"]}
claim("which one is the most accurate depends on the seed", len(most_accurate) > 1)
steadiest = {max(run, key=run.get) for run in runs["steady"]}
claim("in every stored run blur pooling is the steadiest", steadiest == {"blur pooling"})

# %% [markdown]
# Accuracy does not decide between them: the dots overlap. Steadiness does. Max pooling alone gains little over the
# stride, for its window is no wider than its step. The blur decides, as it did on the edge maps. The price is work: the
# pooled networks compute all the places that the strided one skips.
#
# ## How far a unit sees
#
# Now turn the question round. Take one unit and ask which pixels can reach it: those are its **receptive field**. A
# unit of a 3x3 layer sees 3 pixels (along one axis, which is all we need). A unit of the next layer reads three of
# those.
#
# **Predict**: how many pixels does a unit see through three layers of 3? It is not 9.

# %%
plotting.receptive_stack([3, 3, 3])
claim("three layers of 3 see 7 pixels", arithmetic.receptive_field([3, 3, 3]).size == 7)
three, one = (n * arithmetic.conv_parameters(k, 64, 64, bias=False) for n, k in ((3, 3), (1, 7)))
claim("with 27/49 of the weights of one layer of 7", three / one == 27 / 49)

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
# Move the sliders. What makes a field grow fastest?

# %%
plotting.stack_explorer()

# %%
field = jump = 1
for kernel, stride, dilation in [(3, 2, 1)] * 3:
    field, jump = field + dilation * (kernel - 1) * jump, jump * stride
claim("three layers of 3 with stride 2 see 15 pixels, in jumps of 8", (field, jump) == (15, 8))

# %% [markdown]
# ### Exercise 02.4 · The receptive field of a stack
#
# Write the recurrence for any stack. `stack` is a list of (kernel, stride, dilation), first layer first. Return the
# pair (size, jump) of the last layer. An empty stack sees one pixel, in jumps of one. Raise a `ValueError` if a number
# is below 1.
#
# For example, `field_of([(3, 2, 1), (3, 2, 1), (3, 2, 1)])` is `(15, 8)`.


# %%
def field_of(stack: list[tuple[int, int, int]]) -> tuple[int, int]:
    """(size, jump) in pixels of the last layer of a stack; ValueError for a number below 1."""
    ### BEGIN SOLUTION
    size, jump = 1, 1
    for kernel, stride, dilation in stack:
        if min(kernel, stride, dilation) < 1:
            raise ValueError(f"a number below 1 in {(kernel, stride, dilation)}")
        size += dilation * (kernel - 1) * jump
        jump *= stride
    return size, jump
    ### END SOLUTION


# %%
exercise("02.4").check(field_of)

# %% [markdown]
# ## VGG-16, in full
#
# Thirteen convolutions of 3x3 and five poolings of 2x2. The three dense layers behind them are left out, to spare your
# memory: you counted them in lesson 01. Read the last three columns: what a unit *sees*, its *jump*, and the *start*,
# the position of the first unit's centre.
#
# **Predict**: the image has 224 pixels. Does a unit of the last pooling see all of it?

# %%
vgg = trace(keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3)))
vgg

# %%
head = [(7 * 7 * 512, 4096), (4096, 4096), (4096, 1000)]
parameters = vgg.total_parameters + sum(arithmetic.dense_parameters(*layer) for layer in head)
macs = vgg.total_macs + sum(inputs * units for inputs, units in head)
claim("with its head VGG-16 has 138,357,544 parameters", parameters == 138_357_544)
claim("and takes 15.5 G multiply-accumulates", round(macs / 1e9, 1) == 15.5)
last = vgg["block5_pool"]
claim("a unit of its last pooling sees 212 of the 224 pixels", last.receptive_field == 212)
claim("the first is centred on 15.5, the next 32 further on", (last.start, last.jump) == (15.5, 32))

# %% [markdown]
# Not quite: only the dense layers see the whole image. Move a unit over the cat and see its window. At the border
# part of the window hangs over the edge, and what hangs over sees zeros.

# %%
pools = [f"block{n}_pool" for n in range(1, 6)]
plotting.unit_explorer(vgg, cat, pools, start="block3_pool")
claim("a unit of the third pooling sees 44 pixels", vgg["block3_pool"].receptive_field == 44)

# %% [markdown]
# ## ResNet-50, with its branches
#
# In a network with branches each path has a field of its own, and where paths join, the larger one counts. `trace`
# walks every path. Below are the layers that change something; `resnet` itself has all 177.

# %%
resnet = trace(keras.applications.ResNet50(weights=None))
resnet.only("Conv2D", "MaxPooling2D", "Add", "GlobalAveragePooling2D", "Dense")

# %%
plotting.architecture(resnet)
claim("a unit at its top could see 483 pixels", resnet["conv5_block3_out"].receptive_field == 483)
paths = [resnet[name].receptive_field for name in resnet["conv2_block1_add"].inputs]
claim("its first sum joins a path that sees 11 pixels and one that sees 19", paths == [11, 19])
claim("and therefore sees 19", resnet["conv2_block1_add"].receptive_field == 19)
giga = resnet.total_macs / 1e9
claim("it takes 3.86 G multiply-accumulates, a quarter of VGG-16", round(giga, 2) == 3.86)

# %% [markdown]
# You will also read 4.1 G for ResNet-50. A later variant has as many: it moves the stride of each **stage**, the
# blocks that work at one resolution, from its first 1x1 to the 3x3 behind it. Both are called ResNet-50: ask which
# one before you compare.
#
# ## Seeing far without paying
#
# Dilation spreads the taps of a kernel and costs nothing. Double it from layer to layer and the field doubles too,
# where plain layers add 2 each.
#
# **Predict**: how far do four layers of 3 with dilation 1, 2, 4 and 8 see? And how many plain layers see as far?

# %%
doubling = [(3, 1, 2**n) for n in range(4)]
plotting.receptive_stack(doubling)
claim("dilations 1, 2, 4, 8 see 31 pixels", arithmetic.receptive_field(doubling).size == 31)
claim("fifteen plain layers see as far", arithmetic.receptive_field([3] * 15).size == 31)
seven = [(3, 1, 2**n) for n in range(7)]
deeper = [arithmetic.receptive_field(seven[:depth]).size for depth in (5, 6, 7)]
claim("each further layer doubles the field: 63, 127, 255", deeper == [63, 127, 255])

# %% [markdown]
# Four layers cost what four layers cost, and the map keeps its resolution: segmentation (lesson 12) lives on this.
# But do not take the doubling too far. A single layer with dilation 15 also spans 31 pixels, and *reads* three of them.
#
# ### Exercise 02.5 · A stack that sees 31 pixels
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
# ## What it sees, and what it looks at
#
# The receptive field is what a unit *could* see. How much does each pixel count? Differentiate the unit with respect
# to the image. The size of the gradient of a unit at each pixel of the image is its **effective receptive field**
# (Luo et al., 2016).
#
# Begin with nothing learnt: layers of 3 whose weights are all 1. The gradient then counts the paths from a pixel to
# the unit. From the border of the field there is one. From its middle there are many.
#
# **Predict**: what shape does the gradient have, from one border of the field to the other?

# %%
image = keras.Input((41, 41, 1))
x = image
for n in range(1, 17):
    x = layers.Conv2D(1, 3, padding="same", kernel_initializer="ones", name=f"layer{n}")(x)
plain = keras.Model(image, x)

ones = np.ones((1, 41, 41, 1), dtype="float32")
profiles = {n: effective_receptive_field(plain, f"layer{n}", ones)[20] for n in (1, 4, 16)}
offsets = np.arange(41) - 20
gaussian = np.exp(-(offsets**2) / (2 * 16 * 2 / 3))  # 16 layers, each of variance 2/3
plotting.curves(
    {
        "1 layer": profiles[1],
        "4 layers": profiles[4],
        "16 layers": profiles[16],
        "Gaussian": gaussian,
    },
    x=offsets,
    xlabel="pixels from the centre",
    ylabel="response, largest = 1",
    alt="Response of a unit to the pixels of one row: a box of 3 pixels behind 1 layer, a bell of 9 "
    "behind 4, and behind 16 layers a bell that a Gaussian covers.",
)

# %%
difference = np.abs(profiles[16] - gaussian).max()
claim("behind 16 layers the profile is Gaussian, to 2 % of its peak", difference < 0.02)
theoretical = [arithmetic.receptive_field([3] * n).size for n in (4, 16)]
claim("from 4 layers to 16 the field grows from 9 pixels to 33", theoretical == [9, 33])
narrow, wide = (np.sqrt((p * offsets**2).sum() / p.sum()) for p in (profiles[4], profiles[16]))
claim("the standard deviation of the bell only doubles", np.isclose(wide / narrow, 2, atol=0.01))

# %% [markdown]
# The theoretical field grows like the number of layers $n$. The effective one grows like $\sqrt n$, as the spread of a
# random walk does: the deeper the network, the smaller the *share* of its field that it uses.
#
# And what does training do to it? Take the unit in the middle of `block4c_add` of Lite0, on three photographs, once
# with random weights and once with the trained ones.
#
# **Predict**: does training make the effective field larger or smaller?

# %%
photographs = [datasets.photograph(name, size=224) for name in ("cat", "coffee", "astronaut")]
batch = np.concatenate([efficientnet_lite.preprocess(photograph) for photograph in photographs])
untrained = efficientnet_lite.EfficientNetLite0()
fields = {
    "random weights": effective_receptive_field(untrained, "block4c_add", batch),
    "trained": effective_receptive_field(network, "block4c_add", batch),
}
lite = trace(network)
sides = {name: effective_size(response) for name, response in fields.items()}
plotting.effective_fields(
    fields,
    box=lite.seen("block4c_add"),
    alt="How strongly one unit responds to each pixel, and a dashed square of the 147 pixels that it "
    "can see. With random weights a wide soft spot, as large as a square of "
    f"{approx(sides['random weights'], 2)} pixels; trained, a small one of {approx(sides['trained'], 2)}.",
)

# %%
for name, side in sides.items():
    measured(f"{name}: side of the effective field", side, "pixels", digits=2)
claim("the unit can see 147 pixels", lite["block4c_add"].receptive_field == 147)
claim("what it responds to is smaller, random or trained", max(sides.values()) < 0.9 * 147)
ratio = sides["trained"] / sides["random weights"]
claim("training has made it smaller still, by more than a third", ratio < 2 / 3)

# %% [markdown]
# Here training *narrows* the view. Luo et al. saw the opposite in the networks that they trained. Both are
# measurements: the effective field is a fact about one set of weights, so measure it for yours. What holds for all of
# them is that it is smaller than the theoretical one and strongest at its centre. An object that fills the theoretical
# field of a unit is not thereby seen by it.
#
# ## Recap
#
# - A network trades *where* for *what*: Lite0 turns 224x224 places with 3 numbers into 7x7 places with 1,280, nine
#   tenths of them zero.
# - Write the shape table first. A wrong padding often raises no error; it makes another network.
# - Max pooling keeps whether, average pooling how much, and both forget where. Averaging each map in place of
#   flattening saves 24.6 million of VGG's weights per 1,000 classes, and takes images of any size.
# - Convolution is equivariant until padding, stride or pooling break it. Blurring before subsampling repairs part.
# - $r \leftarrow r + d (k-1) j$, then $j \leftarrow j s$. Strides and growing dilations make the field grow
#   exponentially, plain layers only linearly. VGG-16 sees 212 pixels, ResNet-50 483.
# - The effective receptive field is near Gaussian, grows like $\sqrt n$, and is smaller than the theoretical one.
#
# ## Explain it
#
# **Why do networks use three 3x3 layers in place of one 7x7, and when is the 7x7 better?**
#
# <details><summary>Model answer</summary>
#
# Three layers of 3x3 see the same 7 pixels with 27 in place of 49 weights for each pair of channels, and have three
# non-linearities in place of one. They also do 27/49 of the multiply-accumulates at the same resolution, but keep
# three maps in memory for training in place of one. A 7x7 is better where it is cheap (the first layer has three
# input channels, or the layer is depthwise), where resolution falls at the same time, or where fewer and larger
# operations suit the hardware.
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
# lesson 11), or feed larger images. A larger receptive field would not help.
#
# </details>
#
# **Is a convolutional network translation invariant?**
#
# <details><summary>Model answer</summary>
#
# No. A convolution without padding and stride is translation *equivariant*: its maps move with the input. Global
# pooling of such maps would be invariant. Zero padding marks the border, and stride or pooling by s leaves
# equivariance only for moves by multiples of s, because of aliasing. Real networks have five such halvings, and their
# answers change with moves of one pixel. Blurring before subsampling, and training on shifted images, make them
# steadier without making them invariant.
#
# </details>
#
# **A unit has a receptive field of 200 pixels. Can it recognise an object of 200 pixels?**
#
# <details><summary>Model answer</summary>
#
# That is not certain. 200 is what can reach it at all. How much each pixel counts falls off like a Gaussian from the
# centre, so the outer pixels have little influence: the effective field may be a third of that. For context, plan for
# a theoretical field well beyond the object, and measure the effective one by gradients on the trained network.
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
