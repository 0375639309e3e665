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
# # 04 · LeNet-5
#
# **What does each part of a convolutional network contribute, and how do you find out?**
#
# When you have worked through this page you can
# - derive every shape and every number of parameters of a network before you build it
# - build a network from the table in its paper
# - change one thing at a time, over several seeds, and say which of the changes did something
# - compare with a baseline that has the same number of parameters
# - read a confusion matrix, and look at the mistakes that are behind it
#
# **Before this**: [03 Training from first principles](../notebooks/03_training_from_first_principles.ipynb) ·
# **Reading** 35 min · **Exercises** 50 min
#
# [← 03 Training from first principles](../notebooks/03_training_from_first_principles.ipynb) ·
# [Course map](../README.md) · [05 From AlexNet to VGG →](../notebooks/05_alexnet_to_vgg.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="04")

# %%
import keras
import numpy as np
from keras import layers

from cnnlib import arithmetic, claim, datasets, exercise, plotting, training
from cnnlib.claims import approx, measured
from cnnlib.models.lenet import LeNet5
from cnnlib.results import Experiment
from cnnlib.trace import trace

# %% [markdown]
# ## A network that read cheques
#
# In 1998 LeNet-5 read the amounts on several million cheques a day. It has seven layers with weights or windows, and
# every idea in it is one that you know: convolution, pooling, dense layers, gradient descent. That makes it the
# best network to take apart.
#
# It takes 32 by 32 pixels. The pictures of Fashion-MNIST have 28, and get a black border of two. Of the 10,000
# training pictures, 2,000 are kept back for validation: every choice on this page is made on them. The test pictures
# are for the very end.


# %%
def pictures(name="fashion_mnist"):
    """Pictures (n, 32, 32, 1) in [0, 1] and their labels: 10,000 to learn from, 2,000 for the very end."""
    if name == "mnist":  # the digits of 1998, downloaded once
        (x, y), (x_end, y_end) = keras.datasets.mnist.load_data()
        x, x_end = x[:10_000, :, :, None] / 255, x_end[:2000, :, :, None] / 255
        y, y_end = y[:10_000], y_end[:2000]
    else:
        x, y, x_end, y_end, _ = datasets.fashion_mnist()
    border = ((0, 0), (2, 2), (2, 2), (0, 0))
    return np.pad(x, border).astype("float32"), y, np.pad(x_end, border).astype("float32"), y_end


x, y, x_test, y_test = pictures()
x_train, y_train, x_val, y_val = x[:8000], y[:8000], x[8000:], y[8000:]
names = [name.split("/")[0] for name in datasets.FASHION_MNIST_CLASSES]
plotting.images(
    x_train[:10],
    titles=names,
    columns=10,
    alt="One grey picture of each class, from T-shirt to ankle boot, each in a black border.",
)
claim("8,000 pictures to train on, 2,000 to validate", (len(x_train), len(x_val)) == (8000, 2000))
claim("each class has 200 of the 2,000", set(np.bincount(y_val)) == {200})

# %% [markdown]
# ## Every number before the first line
#
# The paper describes the network in a few lines. C is a convolution, S a pooling ("subsampling"), F a dense layer:
#
# | layer | what it is | height x width x channels |
# |---|---|---|
# | input | a grey picture | 32x32x1 |
# | C1 | 6 filters of 5x5, no padding, tanh | 28x28x6 |
# | S2 | average of 2x2 | 14x14x6 |
# | C3 | 16 filters of 5x5, no padding, tanh | ? |
# | S4 | average of 2x2 | ? |
# | C5 | 120 units that read all of S4, tanh | 120 |
# | F6 | 84 units, tanh | 84 |
# | output | 10 scores | 10 |
#
# A window of 5 fits 28 times into 32 pixels. Each of the six filters has 25 weights and a bias: $6 \cdot (25 + 1) =
# 156$ parameters. A filter of C3 reads a 5x5 window in all six maps of S2.
#
# **Predict**: fill in the question marks, and count the parameters of each row. Which row has the most?

# %%
c1 = arithmetic.output_size(32, kernel=5)
s2 = arithmetic.output_size(c1, kernel=2, stride=2)
c3 = arithmetic.output_size(s2, kernel=5)
s4 = arithmetic.output_size(c3, kernel=2, stride=2)
claim("the maps are 28, 14, 10 and 5 pixels wide", [c1, s2, c3, s4] == [28, 14, 10, 5])
counts = {
    "C1": 6 * (5 * 5 * 1 + 1),
    "C3": 16 * (5 * 5 * 6 + 1),
    "C5": 120 * (5 * 5 * 16 + 1),
    "F6": 84 * (120 + 1),
    "output": 10 * (84 + 1),
}
plotting.bars(
    counts,
    form="{:,.0f}",
    xlabel="parameters",
    alt="Parameters of each layer as bars: C1 156, C3 2,416, C5 48,120, F6 10,164 and the output 850.",
)

# %%
claim("together they are 61,706", sum(counts.values()) == 61_706)
claim("C5 alone has 78 % of them", round(counts["C5"] / 61_706, 2) == 0.78)
macs = 28**2 * 6 * 25 + 10**2 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10
claim("one picture takes 416,520 multiply-accumulates", macs == 416_520)
claim("the two convolutions do 86 % of them", round((28**2 * 6 * 25 + 10**2 * 16 * 150) / macs, 2) == 0.86)

# %% [markdown]
# Parameters sit in the dense layers, work sits in the convolutions. You will see the same in AlexNet and
# VGG (lesson 05).
#
# The paper itself counts 60,000. Its C3 does not connect every filter with every map, to save work and to make the
# filters differ: 1,516 parameters. Its poolings have a trainable scale and offset for each map: 12 and 32. And its
# output compares with ten fixed pictures of digits and learns nothing.

# %%
paper = 156 + 12 + 1516 + 32 + 48_120 + 10_164
claim("counted like this the sum is 60,000, the number in the paper", paper == 60_000)

# %% [markdown]
# What is called LeNet-5 today is the table above, without these three. Now write it down. `activation`,
# `pooling` and `norm` are there for later.


# %%
def lenet(activation="tanh", pooling=layers.AveragePooling2D, norm=False):
    def activated(z):
        z = layers.BatchNormalization(momentum=0.9)(z) if norm else z
        return layers.Activation(activation)(z)

    image = keras.Input((32, 32, 1))
    z = image
    for filters in (6, 16):
        z = pooling(2)(activated(layers.Conv2D(filters, 5)(z)))
    z = layers.Flatten()(z)
    for units in (120, 84):
        z = activated(layers.Dense(units)(z))
    return keras.Model(image, layers.Dense(10)(z))


trace(lenet()).only("Conv2D", "AveragePooling2D", "Flatten", "Dense")

# %%
built = trace(lenet())
claim("the built network has the same counts", [r.parameters for r in built if r.parameters] == list(counts.values()))
claim("and the same work", built.total_macs == 416_520)
claim(
    "a unit of S2 sees 6 of the 32 pixels, and one of S4 16",
    [r.receptive_field for r in built if r.type == "AveragePooling2D"] == [6, 16],
)

# %% [markdown]
# ### Exercise 04.1 · Count by hand
#
# Many tutorials feed the 28 pixels of the picture to LeNet-5 without a border, and change nothing else. By hand: the
# `width` of S4 in pixels, the `parameters` of C5 and of the whole network (`total`), and the multiply-accumulates of
# C3 (`macs`).

# %%
### BEGIN SOLUTION
width = 4
parameters = 120 * (4 * 4 * 16 + 1)
total = 156 + 2416 + parameters + 10_164 + 850
macs = 8 * 8 * 16 * (5 * 5 * 6)
### END SOLUTION

# %%
exercise("04.1").check({"width": width, "parameters": parameters, "total": total, "macs": macs})

# %% [markdown]
# ### Exercise 04.2 · Build from the table
#
# Papers give tables, not code. Write a function that builds any network of this kind from its table. A row is
# `("conv", filters, kernel)`, `("pool", window)` or `("dense", units)`. Convolutions have no padding. Poolings
# average windows that do not overlap. Flatten before the first dense row. Every convolution and every dense layer is
# followed by tanh, except the last row, be it dense or not: its scores are left as they are. Raise a `ValueError` for a
# kind of row that you do not know.
#
# For example, these are LeNet-1, of 1990, with 3,246 parameters at 28x28x1, and LeNet-5:

# %%
LENET_1 = [("conv", 4, 5), ("pool", 2), ("conv", 12, 5), ("pool", 2), ("dense", 10)]
LENET_5 = [("conv", 6, 5), ("pool", 2), ("conv", 16, 5), ("pool", 2), ("dense", 120), ("dense", 84), ("dense", 10)]


# %%
def network_of(table: list[tuple], input_shape: tuple[int, int, int]) -> keras.Model:
    """The network of a table, from images of `input_shape` to scores."""
    ### BEGIN SOLUTION
    z = image = keras.Input(input_shape)
    for number, (kind, size, *kernel) in enumerate(table, start=1):
        activation = "tanh" if number < len(table) else None
        if kind == "conv":
            z = layers.Conv2D(size, *kernel, activation=activation)(z)
        elif kind == "pool":
            z = layers.AveragePooling2D(size)(z)
        elif kind == "dense":
            z = layers.Flatten()(z) if len(z.shape) > 2 else z
            z = layers.Dense(size, activation=activation)(z)
        else:
            raise ValueError(f"unknown kind of row {kind!r}")
    return keras.Model(image, z)
    ### END SOLUTION


# %%
exercise("04.2").check(network_of)

# %% [markdown]
# ## As in 1998
#
# Gradient descent, one rate for all weights. (The authors scaled it by an estimate of the curvature; nobody does
# now.) The rate begins at 0.2, the best of 0.1, 0.2 and 0.4 on the validation pictures, and ends at nothing, along
# half a cosine. Three passes over 8,000 pictures are far less than one would give it, and enough to compare.


# %%
EPOCHS = runtime.pick(smoke=1, cpu=3, gpu=3)
STEPS = EPOCHS * 125
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def sgd():
    return keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.2, STEPS))


def adam():
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, STEPS))


def train(network, optimizer, label, batches=training.Batches):
    network.compile(optimizer, loss, metrics=["accuracy"])
    training.fit(network, batches(x_train, y_train, batch_size=64), epochs=EPOCHS, label=label)
    return network


def answers(network, images):
    return network.predict(images, batch_size=500, verbose=0).argmax(axis=-1)


def accuracy(network, images=x_val, labels=y_val):
    """In percent."""
    return 100 * np.mean(answers(network, images) == labels)


networks = {"1998": train(lenet(), sgd(), "1998")}
measured("accuracy on the validation pictures", accuracy(networks["1998"]), "%")
claim("more than 70 % are right, where guessing gives 10", accuracy(networks["1998"]) > 70)

# %% [markdown]
# ## One change at a time
#
# Since 1998 five things have changed in how one would build and train this network:
#
# 1. Adam in place of plain gradient descent;
# 2. ReLU, $\max(0, z)$, in place of tanh, whose slope is nearly zero for large inputs;
# 3. max pooling in place of the average;
# 4. batch normalisation (lesson 06) before each activation function, which brings every map to mean 0 and spread 1;
# 5. **augmentation**: each time a picture is shown in training, it is changed a little by chance. Here each batch is
#    moved by up to two pixels, and half of its pictures are mirrored.
#
# Make all five at once and the accuracy rises, and you know nothing about any of them. Make one at a time, each on top
# of those before it, train with the same pictures and the same number of steps, and the difference of two
# neighbours belongs to one change.
#
# **Predict**: which of the five gains the most? Does one of them *lose*?
#
# Here you train one of the five, with the first four changes made. The others are in stored runs of the same cell.


# %%
rng = np.random.default_rng(runtime.seed())


class Moved(training.Batches):
    """Batches, each moved by up to two pixels, half of the pictures mirrored."""

    def __getitem__(self, index):
        images, labels = super().__getitem__(index)
        images = np.roll(images, rng.integers(-2, 3, size=2), axis=(1, 2))
        mirrored = rng.random(len(images)) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
        return images, labels


modern = {"activation": "relu", "pooling": layers.MaxPooling2D, "norm": True}
changes = {
    "+ Adam": ({}, training.Batches),
    "+ ReLU": ({"activation": "relu"}, training.Batches),
    "+ max pooling": ({"activation": "relu", "pooling": layers.MaxPooling2D}, training.Batches),
    "+ batch norm": (modern, training.Batches),
    "+ augmentation": (modern, Moved),
}
study = Experiment("04_ablation")
for name in study.pick(stored=changes, live=["+ batch norm"]):
    parts, batches = changes[name]
    networks[name] = train(lenet(**parts), adam(), name, batches)

# %% [markdown]
# What is missing is a **baseline**, the simplest rival that a network has to beat: what does one get without any
# convolution? A fair one has as many parameters and the same training. Two hidden layers of 73 and 59 units on the
# 784 pixels inside the border come out slightly larger, with ReLU and batch normalisation as above.


# %%
def dense_network():
    image = keras.Input((32, 32, 1))
    z = layers.Flatten()(layers.Cropping2D(2)(image))
    for units in (73, 59):
        z = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(layers.Dense(units)(z)))
    return keras.Model(image, layers.Dense(10)(z))


networks["dense"] = train(dense_network(), adam(), "dense")
sizes = {name: network.count_params() for name, network in networks.items()}
claim("the dense network has 62,799 parameters", sizes["dense"] == 62_799)
claim("the modern LeNet-5 has 62,610", sizes["+ batch norm"] == 62_610)

# %% [markdown]
# One run is no result: lesson 03 showed how much a seed alone decides. The grey dots are the same code with seeds 0,
# 1 and 2.

# %%
measured_accuracy = {name: accuracy(network) for name, network in networks.items()}
moved = {name: accuracy(network, np.roll(x_val, 2, axis=2)) for name, network in networks.items()}
study.keep(accuracy=measured_accuracy, moved=moved)
runs = study.stored
plotting.seed_spread(measured_accuracy, runs["accuracy"].columns(), xlabel="accuracy on the validation pictures, in %")


# %%
def gain(name, before, of="accuracy"):
    """Points gained by each stored run, smallest first."""
    return np.sort(runs[of][name] - runs[of][before])


print("points gained, in each run       validation     moved by two pixels")
order = ["1998", *changes]
for before, name in zip(order, order[1:]):
    columns = ["  ".join(f"{value:+5.1f}" for value in gain(name, before, of)) for of in ("accuracy", "moved")]
    print(f"{name:18}", *columns, sep="      ")

# %%
claim(
    "the first four changes together gain more than 2 points",
    measured_accuracy["+ batch norm"] > measured_accuracy["1998"] + 2,
)
claim("ReLU alone gains nothing in any stored run", max(gain("+ ReLU", "+ Adam")) < 0.5)
claim("batch normalisation gains in every one", min(gain("+ batch norm", "+ max pooling")) > 0)
claim("augmentation loses in every one", max(gain("+ augmentation", "+ batch norm")) < 0)

# %% [markdown]
# *Batch normalisation gains the most*, in each run. And there are two surprises. *ReLU gains nothing.* It is known for
# gradients that survive many layers, and LeNet-5 has five with weights. Whether that is the reason, no run here tests:
# a rate tuned for ReLU might help it, too. An **ablation**, a run with one part changed or left out, tells you what a
# part does *in this network, with this training*.
#
# *Augmentation loses.* It is a medicine against overfitting, and after three epochs there is little of that: compare
# the accuracy on training pictures, printed behind *+ batch norm*, with the one in the figure. So far the pictures have
# only become harder. But did we ask the right question? Look at the second column: the same validation pictures, moved
# by two pixels.

# %%
claim(
    "when they are moved, augmentation gains more than 4 points, in every stored run",
    min(gain("+ augmentation", "+ batch norm", "moved")) > 4,
)
claim("and ReLU too", min(gain("+ ReLU", "+ Adam", "moved")) > 4)

# %% [markdown]
# You would hardly notice two pixels. (Augmentation has an advantage here: it trained on just such moves.)
# Now compare with the dense network, which has no less of anything but convolution.
#
# **Predict**: on the centred pictures it is close behind. How far behind is it when they are moved?

# %%
behind = measured_accuracy["+ batch norm"] - measured_accuracy["dense"]
behind_moved = moved["+ batch norm"] - moved["dense"]
measured("the dense network is behind by", behind, "points")
measured("and when the pictures are moved, by", behind_moved, "points")
claim("by more than half a point, in every stored run too", min(behind, *gain("+ batch norm", "dense")) > 0.5)
claim("moved, by more than 10", min(behind_moved, *gain("+ batch norm", "dense", "moved")) > 10)

# %% [markdown]
# On pictures that are all centred a dense network is a strong opponent. With its batch normalisation it
# is even ahead of every LeNet-5 without: look at the figure again. Each unit may learn what *this* pixel means. Move
# the picture, and every pixel means something else. A filter does not mind where its edge is.
#
# ### Exercise 04.3 · Ablate
#
# Write down what you did with your eyes. `runs` holds, for each variant, its accuracies with seeds 0, 1, 2, in the same
# order. Compare a variant with a baseline seed by seed, since both had the same pictures in the same order. Return the
# mean difference, and whether it is *clear*: all seeds agree on its sign, and its size, whatever the sign, is larger
# than the spread of the differences (the largest minus the smallest). Raise a `ValueError` if the two have not the same
# number of runs, or fewer than two.
#
# For example, with `{"with": [84, 86, 88], "without": [82, 85, 85]}` the call `ablation(runs, "with", "without")` gives
# `(2.0, False)`: the differences are 2, 1 and 3, their mean is 2, and so is their spread.


# %%
def ablation(runs: dict[str, list[float]], variant: str, baseline: str) -> tuple[float, bool]:
    """Mean difference of a variant from a baseline, and whether it is clear."""
    ### BEGIN SOLUTION
    if len(runs[variant]) != len(runs[baseline]) or len(runs[variant]) < 2:
        raise ValueError("both need the same number of runs, at least two")
    differences = np.subtract(runs[variant], runs[baseline])
    spread = differences.max() - differences.min()
    agree = (differences > 0).all() or (differences < 0).all()
    return float(differences.mean()), bool(agree and abs(differences.mean()) > spread)
    ### END SOLUTION


# %%
exercise("04.3").check(ablation)

# %% [markdown]
# ## Where it is wrong
#
# One number hides which classes fail. A **confusion matrix** has a row for each true class and a column for each
# answer. The diagonal is what is right. Here is the modern network, without augmentation, on 200 validation
# pictures of each class.
#
# **Predict**: which two classes are confused most?

# %%
said = answers(networks["+ batch norm"], x_val)
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_val, said), 1)
recall_here = confusion.diagonal() / confusion.sum(axis=1)
plotting.heatmap(
    confusion,
    rows=names,
    columns=names,
    xlabel="answer",
    ylabel="true class",
    form="{:.0f}",
    alt="Confusion matrix of ten classes, dark along the diagonal. Most of what lies beside it is where T-shirt, "
    f"pullover, dress, coat and shirt meet: {approx(recall_here[6], 2)} of the shirts are right.",
)

# %%
claim(
    "the share of right answers is the accuracy",
    np.isclose(100 * confusion.trace() / 2000, accuracy(networks["+ batch norm"])),
)
mistakes = confusion.sum() - confusion.trace()
with_shirt = confusion[6].sum() + confusion[:, 6].sum() - 2 * confusion[6, 6]
claim("of all mistakes more than 40 % have a shirt on one side", with_shirt / mistakes > 0.4)
upper = [names.index(name) for name in ("T-shirt", "Pullover", "Dress", "Coat", "Shirt")]
lost = confusion[6].sum() - confusion[6, 6]
claim(
    "of the shirts that are missed, more than four fifths are taken for another upper garment",
    confusion[6, upper].sum() - confusion[6, 6] > 0.8 * lost,
)

# %% [markdown]
# Two pairs stand out beside the diagonal: T-shirt with shirt, and pullover with coat. Which of them leads
# depends on the run. The **recall** of a class is the share of its pictures that are found: the diagonal, divided by
# the sum of the row.
#
# ### Exercise 04.4 · Recall of each class
#
# Write the recall of each class, from a confusion matrix with a row for each true class, given as an array or as a list
# of rows. A class without pictures has no recall: return NaN for it. Raise a `ValueError` if the matrix is not square.
#
# For example, `recall([[8, 2], [3, 1]])` is `[0.8, 0.25]`.


# %%
def recall(matrix: np.ndarray) -> np.ndarray:
    """Recall of each class (n,) from a confusion matrix (n, n), true classes in rows."""
    ### BEGIN SOLUTION
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a confusion matrix is square, got {matrix.shape}")
    found, there = matrix.diagonal(), matrix.sum(axis=1)
    return np.divide(found, there, out=np.full(len(matrix), np.nan), where=there > 0)
    ### END SOLUTION


# %%
exercise("04.4").check(recall)

# %% [markdown]
# ## Look at the mistakes
#
# Numbers say how many. Pictures say why. These are the worst: wrong, and the surest of it.

# %%
scores = networks["+ batch norm"].predict(x_val, batch_size=500, verbose=0)
chance = keras.ops.convert_to_numpy(keras.ops.softmax(scores)).max(axis=1)
wrong = np.flatnonzero(said != y_val)
worst = wrong[chance[wrong].argsort()[::-1][:12]]
plotting.images(
    x_val[worst],
    titles=[f"{names[y_val[i]]}, said {names[said[i]]}" for i in worst],
    columns=6,
    alt="The twelve most certain mistakes, each with its label and the wrong answer: clothes whose outline could be "
    "either.",
)
claim("it gave each of these twelve wrong answers a probability above 0.8", chance[worst].min() > 0.8)

# %% [markdown]
# Some of them you would have got wrong, some labels look wrong, and some are plain failures. Only the last kind can be
# trained away. For one class, find out which kind it is.
#
# ### Exercise 04.5 · Explain a confusion
#
# Shirts are the hardest class. Why? Four explanations:
#
# - `"scarce"`: the network has seen fewer shirts than other things.
# - `"unlucky"`: it has learned the training shirts well, and those of the validation set happen to be odd.
# - `"network"`: it is a weakness of LeNet-5; another way to classify has its trouble elsewhere.
# - `"alike"`: at 28 pixels shirts look like other garments, whoever looks.
#
# Here is the evidence: how many training pictures each class has, the recall on the *training* pictures, and the recall
# of a classifier without any network, which answers with the label of the training picture that has the most similar
# pixels. For each explanation say whether the evidence speaks for it: write a dictionary from the four names to `True`
# or `False`, without quotes.


# %%
def nearest_label(images):
    """The label of the nearest training picture."""
    known, new = x_train.reshape(len(x_train), -1), images.reshape(len(images), -1)
    distance = (known**2).sum(axis=1) - 2 * new @ known.T
    return y_train[distance.argmin(axis=1)]


def share_right(labels, said):
    return {name: np.mean(said[labels == c] == c) for c, name in enumerate(names)}


seen = np.bincount(y_train)
in_training = share_right(y_train, answers(networks["+ batch norm"], x_train))
neighbour = share_right(y_val, nearest_label(x_val))
print(f"{'':11}  pictures  recall in training    recall of the nearest neighbour")
for c, name in enumerate(names):
    print(f"{name:11}  {seen[c]}      {approx(in_training[name], 2)}    {approx(neighbour[name], 2)}")

# %%
### BEGIN SOLUTION
explanations = {"scarce": False, "unlucky": False, "network": False, "alike": True}
### END SOLUTION

# %%
exercise("04.5").check(explanations)

# %% [markdown]
# ## What the full recipe reaches
#
# Three epochs on 8,000 pictures are a sketch. Nearly the same network was trained on all 60,000 by a full recipe, for
# 25 epochs, and its weights come with the course. It normalises the convolutions alone, and has dropout (lesson 05)
# before the last layer. Every choice is made, so now, once, the 2,000 test pictures.
#
# **Predict**: how much do 60,000 pictures and more epochs add?

# %%
shipped = LeNet5(variant="modern", input_shape=(28, 28, 1), weights="fashion_mnist")
card = datasets.weights_card("lenet5_fashion_mnist")
here = accuracy(networks["+ batch norm"], x_test, y_test)
full = accuracy(shipped, x_test[:, 2:-2, 2:-2], y_test)
measured("the network of this page, 2,000 test pictures", here, "%")
measured("the shipped one, the same pictures", full, "%")
measured("the shipped one, on its card, all 10,000 test pictures", 100 * card["accuracy"], "%")

# %%
error = 100 * np.sqrt(card["accuracy"] * (1 - card["accuracy"]) / 2000)
claim(
    "the shipped network reaches its card to within three standard errors",
    abs(full - 100 * card["accuracy"]) < 3 * error,
)
claim("it is more than 1 point better than ours", full > here + 1)
claim("with 61,772 parameters: it normalises the convolutions alone", shipped.count_params() == 61_772)

# %% [markdown]
# The architecture is nearly the same; most of this must be pictures and patience, though no run here
# takes them apart. So compare two networks only when both had the same data and the same training. If you are online,
# one argument, `pictures("mnist")`, brings back the digits of 1998. With all 60,000 of them the authors came to
# 99.05 %.
#
# ### Exercise 04.6 · Beat it with a fifth
#
# The 1998 network has 61,706 parameters, and most of them sit in C5. Design a better one with at most *12,341*, a
# fifth, as `count_params()` counts: a function without arguments that returns a new network, 32x32x1 in and 10 scores
# out. The check trains it exactly as `short_training` does below, five epochs on 2,000 pictures, and wants it to be
# right on at least *81 %* of 1,000 other training pictures. Try it with `short_training(my_network)` as often as you
# like.


# %%
def short_training(build):
    """Accuracy in percent after 200 steps of Adam on 2,000 pictures."""
    keras.utils.set_random_seed(0)
    network = build()
    network.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, 200)), loss)
    training.fit(network, x_train[:2000], y_train[:2000], epochs=5, batch_size=50, seed=0, label=build.__name__)
    return accuracy(network, x_train[2000:3000], y_train[2000:3000])


reached = short_training(lenet)
measured("the 1998 network, after the short training", reached, "%")
claim("the budget is a fifth of its parameters", 61_706 // 5 == 12_341)


# %%
def my_network() -> keras.Model:
    """A network of at most 12,341 parameters, from 32x32x1 to 10 scores."""
    ### BEGIN SOLUTION
    return keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(12, 5),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(24, 3),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    ### END SOLUTION


# %%
exercise("04.6").check(my_network)

# %% [markdown]
# ## Recap
#
# - Shapes and counts follow from the table, before any code: LeNet-5 has 61,706 parameters and takes 416,520
#   multiply-accumulates for a picture. The parameters sit in the dense layers, the work in the convolutions.
# - Change one thing at a time, keep everything else the same, and repeat with several seeds. A gain that is no larger
#   than its spread is no finding.
# - What a part does depends on the network: here ReLU gains nothing.
# - What you measure decides what wins: augmentation costs accuracy on centred pictures and pays on moved ones.
# - A baseline of the same size and the same training tells what the architecture is worth.
# - A confusion matrix and the pictures behind it say which mistakes can be trained away.
#
# ## Explain it
#
# **Why does LeNet-5 need so few parameters in its convolutions?**
#
# <details><summary>Model answer</summary>
#
# A filter is shared by all places: the same 25 weights (and a bias) are used 784 times in C1. A dense layer from the
# same 1,024 pixels to the same 4,704 numbers would have its own weight for each pair, 4.8 million. Sharing assumes that
# an edge is worth the same everywhere, and a small window assumes that neighbours belong together. For pictures both
# hold; where they do not, as in a table of customers, nothing is gained.
#
# </details>
#
# **A colleague reports: "With our new activation function accuracy rose from 91.2 to 91.5 %." What do you ask?**
#
# <details><summary>Model answer</summary>
#
# How many seeds, and how far apart are they? On how many pictures: with 10,000 of them chance alone moves 91 % by 0.3
# points (one standard error, lesson 05). Was anything else changed, such as the learning rate or the number of epochs,
# and did the old one get as much tuning as the new one? Was the choice made on the test set?
#
# </details>
#
# **Accuracy is 90 %, and the recall of one class of ten is 60 %. Is that a contradiction, and does it matter?**
#
# <details><summary>Model answer</summary>
#
# No: if the other nine are at 93 %, the mean is 90. Whether it matters depends on what a miss costs. Look at the row of
# that class in the confusion matrix and at its pictures: are its labels right, does it overlap with another class, has
# it fewer examples? If a person cannot tell the two apart either, better pictures or merged classes help more than a
# larger network.
#
# </details>
#
# ## What comes next
#
# Fourteen years later AlexNet was LeNet-5 with a thousand times the parameters, colour, ReLU, dropout and two graphics
# cards. Lesson 05 goes from there to VGG.
#
# ## References
#
# - Y. LeCun and others (1990), *Handwritten digit recognition with a back-propagation network* (LeNet-1).
# - Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998), *Gradient-based learning applied to document recognition*.
# - X. Glorot, A. Bordes and Y. Bengio (2011), *Deep sparse rectifier neural networks*.
# - S. Ioffe and C. Szegedy (2015), *Batch normalization: accelerating deep network training*.
# - D. Kingma and J. Ba (2015), *Adam: a method for stochastic optimization*.
# - H. Xiao, K. Rasul and R. Vollgraf (2017), *Fashion-MNIST: a novel image dataset for benchmarking machine learning
#   algorithms*.
