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
# # 03 · Training from first principles
#
# **How do weights come to be, and how do I know that it works?**
#
# When you have worked through this page you can
# - turn ten scores and a label into a loss, and the loss into a gradient that you have checked
# - train a convolutional network in NumPy, and get the same numbers from Keras
# - choose optimiser, learning rate, schedule and first weights by measuring them
# - tell within a minute whether a network can learn at all, and read its curves when it does
# - kill a training in the middle and resume it with nothing lost
#
# **Before this**: [01 Convolution arithmetic](../notebooks/01_convolution_arithmetic.ipynb) · **Reading** 80 min ·
# **Exercises** 60 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 A number for being wrong | How do ten scores and a label become a direction? | 20 |
# | 2 A network by hand | How does a whole network learn, and is my gradient right? | 30 |
# | 3 How large a step | Which learning rate, and what does a wrong one do? | 20 |
# | 4 One change at a time | Which of the well-known remedies earns its place? | 30 |
# | 5 Before the long run | Where do the weights start, and can this program learn? | 20 |
# | 6 While it runs | What do the curves say, when do I stop, and what survives a power cut? | 20 |
#
# [← 02 Feature maps and receptive fields](../notebooks/02_feature_maps_and_receptive_fields.ipynb) ·
# [Course map](../README.md) · [04 LeNet-5 →](../notebooks/04_lenet.ipynb)

# %%
from cnnlib import runtime

runtime.setup(lesson="03")

# %%
import tempfile

import ipywidgets
import keras
import numpy as np

from cnnlib import claim, datasets, exercise, gradients, plotting, predict, reference, reveal, training
from cnnlib.claims import measured
from cnnlib.results import Experiment

# %% jupyter={"source_hidden": true}
clothes = datasets.fashion_mnist(size=7000)
halved, labels = reference.avg_pool2d(clothes.x_train, 2), clothes.y_train
x_train, y_train, x_test, y_test = halved[:2000], labels[:2000], halved[2000:], labels[2000:]
x_val, y_val = reference.avg_pool2d(clothes.x_test[:1000], 2), clothes.y_test[:1000]
plotting.images(
    x_train[:10],
    titles=[clothes.class_names[label] for label in y_train[:10]],
    alt="Ten grey pictures of 14 by 14 pixels, one of each class, from T-shirt to ankle boot.",
)
claim("2,000 pictures to train on, 1,000 to choose by, 5,000 untouched", len(x_train) == 2 * len(x_val) == 2000)

# %% [markdown]
# ## Part 1 · A number for being wrong
#
# **How do ten scores and a label become a direction?**
#
# The pictures are Fashion-MNIST: clothes in ten classes. We halve them to 14 by 14 pixels, so that every training on
# this page takes seconds. 2,000 are the **training set**, the pictures that a network trains on. 1,000 are the
# **validation set**, pictures that it never trains on and by which we choose. 5,000 are the **test set**, which waits
# untouched until everything is chosen.
#
# ### Ten scores and one label
#
# For each picture a network returns ten numbers, one per class: its scores, also called **logits**. They can be
# anything. To improve them you need one number that says how bad they are. It takes two steps.
#
# **Softmax** turns scores $z_1 \dots z_C$ into probabilities, and the **cross-entropy** is the surprise at the true
# class $y$:
#
# $$p_c = \frac{e^{z_c}}{\sum_k e^{z_k}} \qquad\qquad L = -\ln p_y$$
#
# **Predict**: what does it cost to know nothing?

# %%
predict("03.a", "What is the loss of a network that knows nothing and gives each of ten classes the same score?")

# %%
scores = np.array([2.0, 1.0, 0.1])
probabilities = np.exp(scores) / np.exp(scores).sum()
claim("the probabilities are 0.659, 0.242 and 0.099", np.array_equal(probabilities.round(3), [0.659, 0.242, 0.099]))
claim("the loss is 0.417 if the first class is true", round(-np.log(probabilities[0]), 3) == 0.417)
claim("and 2.317 if the last one is", round(-np.log(probabilities[2]), 3) == 2.317)
reveal("03.a", -np.log(1 / 10), exact=True)
plotting.loss_of_probability({"guessing among ten": 0.1, "right and sure": 0.95, "wrong and sure": 0.01})

# %% [markdown]
# To be sure and wrong costs far more than to be sure and right gains. Remember $\ln 10 = 2.303$: a new network should
# start near it. If the first loss is 40, something is wrong before the training began.
#
# But the formula breaks: for the scores 1,000 and 0 it divides infinity by infinity, and in float32 a score of 89 is
# enough. What becomes of that is **NaN**,
# "not a number". The cure costs nothing: subtract the largest score from all of them first. It cancels in the fraction,
# and no exponent is above 0 any more.


# %%
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def cross_entropy(scores, labels):
    """Mean over the batch; scores (batch, classes), labels (batch,)."""
    return -np.log(softmax(scores)[np.arange(len(labels)), labels]).mean()


with np.errstate(all="ignore"):
    naive = np.exp([1000.0, 0.0]) / np.exp([1000.0, 0.0]).sum()
claim("for scores of 1,000 and 0 the formula gives NaN", np.isnan(naive[0]))
claim("the largest score subtracted, they give 1 and 0", np.array_equal(softmax(np.array([1000.0, 0.0])), [1, 0]))

# %% [markdown]
# ### Which way is down
#
# Training asks one question of every number in the network: if it grows a little, does the loss grow or fall, and how
# much? The answers together are the gradient. It starts at the scores. With $L = \ln \sum_k e^{z_k} - z_y$,
#
# $$\frac{\partial L}{\partial z_c} = p_c - [c = y]$$
#
# where $[c = y]$ is 1 for the true class and 0 for the others. Every wrong class is pushed down by the probability it
# took. The true class is pushed up by the probability it lacks, so that all together sum to 0.
#
# ### Exercise 03.1 · Gradient of the cross-entropy
#
# ●●○ · 10 min
#
# Write the gradient of the *mean* loss of a batch by its scores: `scores` has the shape (batch, classes), `labels`
# holds the number of the true class of each row. It must also work for scores of 1,000.
#
# For example, for `[[0.0, 0.0]]` and the label `[0]` it is `[[-0.5, 0.5]]`. For the same row twice, with the labels
# `[0, 0]`, it is `[[-0.25, 0.25], [-0.25, 0.25]]`.
#
# Stuck? Run `exercise("03.1").hint()` in a new cell, and again for the next hint.


# %%
def cross_entropy_gradient(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Gradient of the mean cross-entropy by the scores, in their shape."""
    ### BEGIN SOLUTION
    gradient = softmax(scores)
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient / len(labels)
    ### END SOLUTION


# %%
exercise("03.1").check(cross_entropy_gradient)

# %% [markdown]
# **So far**: softmax and cross-entropy make one number of ten scores and a label, and guessing among ten costs 2.303.
# The gradient by the scores is what the network believes minus what is true.
#
# ## Part 2 · A network by hand
#
# **How does a whole network learn, and is my gradient right?**
#
# Two convolution layers of 8 and 16 filters, each followed by ReLU ($\max(x, 0)$) and by max pooling, then one dense
# layer to ten scores. The layers are those of lesson 01 in plain NumPy, from `cnnlib.reference`. The **forward pass**
# computes the scores and keeps what each layer was given.


# %%
def random_weights(rng):
    """Kernel and bias of each layer, float32."""
    weights = []
    for shape in [(3, 3, 1, 8), (3, 3, 8, 16), (144, 10)]:
        spread = np.sqrt(2 / np.prod(shape[:-1]))  # why this spread: part 5
        weights += [rng.normal(0, spread, shape).astype("float32"), np.zeros(shape[-1], "float32")]
    return weights


def forward(weights, x):
    k1, b1, k2, b2, k3, b3 = weights
    a1 = reference.conv2d(x, k1, b1, padding="same")
    h1 = reference.max_pool2d(reference.relu(a1))
    a2 = reference.conv2d(h1, k2, b2, padding="same")
    h2 = reference.max_pool2d(reference.relu(a2))
    flat = h2.reshape(len(x), -1)
    return reference.dense(flat, k3, b3), (x, a1, h1, a2, h2, flat)


rng = np.random.default_rng(runtime.seed())
example_scores, example_labels = rng.normal(size=(4, 10)), rng.integers(10, size=4)
slope = reference.numerical_gradient(lambda z: cross_entropy(z, example_labels), example_scores)
start = random_weights(rng)
claim("by differences, the gradient of the scores sums to 0 in each row", np.allclose(slope.sum(axis=1), 0))
claim("the network has 2,698 weights", sum(weight.size for weight in start) == 2_698)

# %% [markdown]
# The **backward pass** walks the same path from the end to the start and computes the gradient. Each layer is handed
# the gradient by its output, and returns the gradient by its weights and by its input. That is the chain rule, and
# all there is to **backpropagation**.


# %%
def backward(weights, memory, d_scores):
    k1, b1, k2, b2, k3, b3 = weights
    x, a1, h1, a2, h2, flat = memory
    d, d_k3, d_b3 = reference.dense_backward(d_scores, flat, k3)
    d = reference.max_pool2d_backward(d.reshape(h2.shape), reference.relu(a2))
    d, d_k2, d_b2 = reference.conv2d_backward(reference.relu_backward(d, a2), h1, k2, padding="same")
    d = reference.max_pool2d_backward(d, reference.relu(a1))
    _, d_k1, d_b1 = reference.conv2d_backward(reference.relu_backward(d, a1), x, k1, padding="same")
    return [d_k1, d_b1, d_k2, d_b2, d_k3, d_b3]


def loss_and_gradient(weights, x, y):
    scores, memory = forward(weights, x)
    d_scores = reference.softmax_cross_entropy_grad(scores, y)
    return reference.cross_entropy(scores, y), backward(weights, memory, d_scores)


exact = [weight.astype("float64") for weight in start]
few, few_labels = x_train[:5].astype("float64"), y_train[:5]
judge = reference.numerical_gradient(lambda k: loss_and_gradient([k, *exact[1:]], few, few_labels)[0], exact[0])
apart = np.abs(loss_and_gradient(exact, few, few_labels)[1][0] - judge)
claim("of the first kernel's 72 slopes none is off by 0.1 % of the largest", apart.max() < 1e-3 * np.abs(judge).max())

# %% [markdown]
# How does the claim know? Do not trust seven lines of calculus. Move one number $w$ up and down by a little step $h$,
# and compare what the loss $L$ does with what the gradient says. A **gradient check** compares a gradient with central
# differences, which need no calculus:
#
# $$\frac{\partial L}{\partial w} \approx \frac{L(w + h) - L(w - h)}{2h}$$
#
# ### Exercise 03.2 · A judge of gradients
#
# ●●○ · 15 min
#
# Write a judge. `function(x)` returns one number, a loss. `gradient(x)` returns what somebody says is its gradient at
# `x`, an array of float64. Return `True` if it has the shape of `x` and no number in it is off by more than a
# thousandth of the largest slope that you measure. Otherwise return `False`.
#
# The check hands your judge right gradients and such with planted bugs: of dense, convolution, ReLU and pooling layers,
# for losses of a hundred billion, for slopes of a ten-billionth, and for a function on which `x` has no influence.
#
# For example, for `lambda x: (x**2).sum()` the gradient `lambda x: 2 * x` is right, and `lambda x: x` is not.


# %%
def gradient_is_right(function, gradient, x: np.ndarray) -> bool:
    """Whether gradient(x) is the slope of function at x, to a thousandth of the largest slope."""
    ### BEGIN SOLUTION
    claimed, measured_slope = np.asarray(gradient(x)), np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-5
        measured_slope[place] = (function(x + step) - function(x - step)) / 2e-5
    if claimed.shape != x.shape:
        return False
    return bool(np.abs(claimed - measured_slope).max() <= 1e-3 * np.abs(measured_slope).max())
    ### END SOLUTION


# %%
exercise("03.2").check(gradient_is_right)

# %% [markdown]
# ### Step by step downhill
#
# Now the training. Take a batch of 50 pictures, compute the gradient of their mean loss, and move every weight $w$ a
# little against its gradient $g$:
#
# $$w \leftarrow w - \eta\, g$$
#
# The **learning rate** $\eta$ says how far a weight moves for its gradient. One move of all weights is a **training
# step**, and one pass over all training pictures, batch by batch, an **epoch**. Because each batch is a small random
# sample, training in such steps is called **stochastic gradient descent** (SGD).
#
# **Predict**: 400 pictures, 2,698 weights, 10 epochs. What is that good for?

# %%
predict("03.b", "How many of 1,000 new pictures does the network then name correctly?")


# %%
def sgd(weights, rate, batches):
    """Weights after one step per batch, and the loss before each step."""
    losses = []
    for x, y in batches:
        loss, gradient = loss_and_gradient(weights, x, y)
        weights = [w - rate * g for w, g in zip(weights, gradient)]
        losses.append(loss)
    return weights, losses


batches = [(x_train[i : i + 50], y_train[i : i + 50]) for i in range(0, 400, 50)]
by_numpy, numpy_losses = sgd(start, 0.2, 10 * batches)
right = forward(by_numpy, x_val)[0].argmax(axis=1) == y_val
reveal("03.b", right.sum())
claim("in 80 steps the loss falls below half of where it started", np.mean(numpy_losses[-8:]) < numpy_losses[0] / 2)
claim("more than half of 1,000 new pictures are named correctly, where guessing names 100", right.mean() > 0.5)

# %% [markdown]
# No framework was involved.
#
# ### The same in Keras
#
# The same network in Keras takes ten lines, and nobody writes `backward`: Keras derives it. On TensorFlow it records
# the operations on a tape, on JAX it transforms the function, on PyTorch every result remembers where it came from.
# `gradients.model_value_and_grad` hides the difference. `from_logits=True` says that the network ends in scores, so
# that the loss applies softmax itself, in the safe way.
#
# Then comes the loop, written out, on the backend that you use. It starts from the weights of the NumPy network and
# sees the same batches. `model.fit` is this loop, compiled, with bookkeeping around it. `training.fit` calls it and
# adds a progress line, and an order of the pictures that is the same on every backend. Here the order stays as it is.


# %%
def small_cnn(activation="relu"):
    blocks = [keras.Input((14, 14, 1))]
    for filters in (8, 16):
        blocks.append(keras.layers.Conv2D(filters, 3, padding="same", activation=activation))
        blocks.append(keras.layers.MaxPooling2D())
    return keras.Sequential([*blocks, keras.layers.Flatten(), keras.layers.Dense(10)])


model = small_cnn()
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
value_and_gradient = gradients.model_value_and_grad(model, loss)

# %%
model.set_weights(start)
optimizer = keras.optimizers.SGD(learning_rate=0.2)
keras_losses = []
for x, y in 3 * batches:
    value, gradient = value_and_gradient(x, y)
    optimizer.apply(gradient, model.trainable_variables)
    keras_losses.append(value)
by_hand = model.get_weights()
apart = np.abs(np.array(keras_losses) - numpy_losses[:24])
measured("largest difference in all 24 steps", apart.max(), digits=1)
claim("for the first 8 steps the losses are those of NumPy to 1e-4", apart[:8].max() < 1e-4)

# %%
model.set_weights(start)
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.2), loss=loss)
training.fit(model, x_train[:400], y_train[:400], epochs=3, batch_size=50, shuffle=False)
differences = [np.abs(a - b).max() for a, b in zip(model.get_weights(), by_hand)]
claim("fit ends with the weights of the loop to 1e-3", max(differences) < 1e-3)

# %% [markdown]
# **So far**: training is a loop of batch, forward, loss, gradient, step, and gives the same numbers in NumPy and in
# Keras, up to the order in which float32 adds. A gradient that you wrote yourself is wrong until it has been checked.
#
# ## Part 3 · How large a step
#
# **Which learning rate, and what does a wrong one do?**
#
# The loss is a landscape over the weights, and nobody can draw 2,698 dimensions. But you can cut a slice. Here it goes
# through the training above in two directions: *along* the way that the weights took, and *across*, in the direction
# in which the slope changes fastest. **Power iteration** finds the direction of the fastest change: move a little, see
# how the gradient changes, go on in the direction of the change.


# %% jupyter={"source_hidden": true}
# The slice: two directions among 2,698, and the slope within it.
def as_vector(weights):
    return np.concatenate([np.ravel(w) for w in weights]).astype("float64")


def as_weights(vector):
    parts = np.split(vector.astype("float32"), np.cumsum([w.size for w in start])[:-1])
    return [part.reshape(w.shape) for part, w in zip(parts, start)]


def loss_and_slope(vector):
    """Loss of 100 pictures and its gradient, with all weights in one vector."""
    value, gradient = loss_and_gradient(as_weights(vector), x_train[:100], y_train[:100])
    return value, as_vector(gradient)


def change_of_slope(direction, size=0.01):
    apart = loss_and_slope(end + size * direction)[1] - loss_and_slope(end - size * direction)[1]
    return apart / (2 * size)


origin, end = as_vector(start), as_vector(by_numpy)
along = (end - origin) / np.linalg.norm(end - origin)
across = rng.normal(size=end.size)
for _ in range(12):  # power iteration
    across = change_of_slope(across / np.linalg.norm(across))
across -= (across @ along) * along
across /= np.linalg.norm(across)

curvature = {"along": along @ change_of_slope(along), "across": across @ change_of_slope(across)}
for name, value in curvature.items():
    measured(f"curvature {name} the valley", value, digits=2)
claim("the valley is more than 10 times as steep across as along", curvature["across"] > 10 * abs(curvature["along"]))


def jumps(rate, steps=8):
    """How far SGD jumps across the valley, from a place beside its floor."""
    position, moved = end + 0.03 * across, []
    for _ in range(steps):
        moved.append(rate * loss_and_slope(position)[1] @ across)
        position = position - moved[-1] * across
    return np.abs(moved)


limit = 2 / curvature["across"]
measured("the limit of the rate", limit, digits=2)
below, above = jumps(0.8 * limit), jumps(1.25 * limit)
claim("at 0.8 times the limit the jumps get shorter", below[-1] < below[0] / 2)
claim("at 1.25 times the limit they get longer", above[-1] > 2 * above[0])

# %% [markdown]
# **Momentum** (Polyak 1964) remembers: it adds up gradients in a **velocity** $v$, in which what points to and fro
# cancels, and what points along the valley builds up. In the convention of Keras, with velocity $v$, gradient $g$ and
# momentum $\mu$, usually 0.9:
#
# $$v \leftarrow \mu\, v - \eta\, g \qquad\qquad w \leftarrow w + v$$
#
# From here on all of this page trains with a momentum of 0.9 unless it says otherwise.
#
# ### Look for the rate
#
# A **range test** (Smith 2017) looks for a learning rate in one short run: train for 100 steps while the rate grows
# from far too small to far too large, and watch the loss.
#
# **Predict**: draw the curve before you run the cell.
#
# Where in the curve is a good rate? The usual advice is to take a *decade* below the minimum, a tenth of it. So the
# second cell tries nine rates. Each run has 80 steps, from the same weights, with the same batches.

# %%
model.set_weights(start)
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=["accuracy"])
test = training.range_test(model, x_train, y_train, lowest=1e-4, highest=10, batch_size=50)
plotting.range_test(test)
claim("the loss first hardly moves, then falls, then rises again", test.losses[-1] > 1.3 * test.smoothed.min())


# %% jupyter={"source_hidden": true}
# Nine runs, one under the slider; and the loss at the end (mean of the last 20 steps), beside four stored runs.
def restart(rate):
    """The first weights again, an optimizer without memory, and another rate."""
    model.set_weights(start)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
    model.optimizer.learning_rate = rate


def short_run(rate, steps=80):
    restart(rate)
    order = training.Batches(x_train, y_train, batch_size=50)
    return [float(model.train_on_batch(*order[step % 40])[0]) for step in range(steps)]


def active_after(steps, rate=1.0):
    """Share of the second layer's ReLUs that are above 0 after some steps, over 200 pictures."""
    short_run(rate, steps)
    return float(np.mean(forward(model.get_weights(), x_val[:200])[1][3] > 0))


rate_runs = {rate: short_run(rate) for rate in [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0]}
slider = ipywidgets.SelectionSlider(options=[(f"{rate:g}", rate) for rate in rate_runs], value=3e-2, description="rate")
plotting.explore(
    plotting.rate_explorer(rate_runs),
    alt="Loss over 80 steps for nine learning rates. Small rates crawl, large ones stay at guessing, others learn.",
    rate=slider,
)
ends = {rate: float(np.mean(losses[-20:])) for rate, losses in rate_runs.items()}
rates = Experiment("03_learning_rates")
rates.keep(ends={f"{rate:g}": end for rate, end in ends.items()})
tested = {"minimum": test.minimum, "a tenth of it": test.suggestion}
rates.keep(rates=tested, loss={name: np.mean(short_run(rate)[-20:]) for name, rate in tested.items()})
plotting.rate_summary(rates.live["ends"], rates.others["ends"])
best = min(ends, key=ends.get)
claim("the best rate lies between 0.003 and 0.1", 0.003 <= best <= 0.1)
claim("a rate of 0.0001 has hardly learned: its loss is above 1.9", ends[1e-4] > 1.9)
claim("a rate of 1 has not learned at all: it is no better than guessing", not ends[1.0] < 2.2)

# The advice of the range test, from five stored starts.
advised, there = rates.stored["rates"], rates.stored["loss"]
low, high = advised["a tenth of it"].min(), advised["a tenth of it"].max()
claim(f"the advised rate ran from {low:.2g} to {high:.2g}, a factor above 10", high > 10 * low)
claim("with it each of five starts learns: below 1.5, where guessing is 2.3", there["a tenth of it"].max() < 1.5)
claim("the minimum itself was better in three of five", (there["minimum"] < there["a tenth of it"]).sum() == 3)
claim("and in the other two it broke the network", (there["minimum"] > 2.2).sum() == 2)

# %% [markdown]
# Move the slider: grey are all runs, dark the one chosen. The range is wide: a factor of three does little harm, a
# factor of thirty ruins the run. So search in factors and not in per cent.
#
# And the advice of the range test is what it is: safe, noisy, and often too slow. It finds the decade in which to
# search. The rate itself is chosen by runs.
#
# ### A network that is dead and looks calm
#
# Look at the right end of the curve. There the loss is not infinite, it stands at 2.3. A ReLU whose input is negative
# for every picture gives 0 for each, passes no gradient back, and so never comes to life again. At the start a third to
# two thirds of what the second layer's ReLUs give is above 0. At a rate of 1 it gets less and less.
#
# **Predict**: does one large step switch them all off?

# %%
predict("03.c", "Which share of the second layer's values is above 0 after one step at a rate of 1?", unit="%")

# %%
active = {steps: active_after(steps) for steps in (0, 1, 12, 40)}
rates.keep(active={str(steps): share for steps, share in active.items()})
reveal("03.c", 100 * active[1])
shares = rates.stored["active"]
claim("after one step more than a fifth is above 0, in each of five stored runs", shares["1"].min() > 0.2)
claim("after 12 steps nothing is in two of them", (shares["12"] == 0).sum() == 2)
claim("after 40 steps nothing is in any", not shares["40"].any())

# %% [markdown]
# No single step did it: it takes several, and momentum goes on pushing. What is left to move is the last bias. The
# network is dead, and its loss looks calm.
#
# ### Exercise 03.3 · A learning rate from a range test
#
# ●○○ · 5 min
#
# A colleague's loss *sums* over the 50 pictures of a batch instead of averaging. The rates that you know do not
# apply. Read the curve below, and choose a `rate` for training the same network with momentum 0.9. The check trains
# it for you.

# %%
summed = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
colleague = small_cnn()
colleague.set_weights(start)
colleague.compile(keras.optimizers.SGD(0.01, momentum=0.9), summed)
found = training.range_test(colleague, x_train, y_train, lowest=1e-6, highest=0.1, batch_size=50)
plotting.range_test(found, advice=False)

### BEGIN SOLUTION
rate = 0.0005
### END SOLUTION

# %%
exercise("03.3").check(rate)

# %% [markdown]
# **So far**: the steepest direction limits the rate, at $2/\lambda$. A range test finds the decade, runs find the rate,
# and too high a rate leaves a network that is dead and calm.
#
# ## Part 4 · One change at a time
#
# **Which of the well-known remedies earns its place?**
#
# The baseline (lesson 04), with which each change is compared, is what you have: SGD with momentum, ReLU, the same rate
# in each step. Each of these changes one thing.
#
# **RMSProp** divides each weight's step by the root of its recent mean square gradient $s$, so that each weight has a
# step size of its own. With a share $\rho$ of the past, usually 0.9:
#
# $$s \leftarrow \rho\, s + (1 - \rho)\, g^2 \qquad\qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{s}}$$
#
# **Adam** (Kingma and Ba 2015) puts momentum and RMSProp together: the mean of a weight's recent gradients, divided by
# the root of their mean square. It follows that scale does not matter.
#
# **Predict**: does a huge gradient make a huge step?

# %%
predict("03.d", "A weight has a gradient of 1,000. How far does Adam's first step at a rate of 0.01 move it?")

# %%
for size in (0.001, 1000.0):
    weight = keras.Variable([1.0])
    keras.optimizers.Adam(learning_rate=0.01).apply([keras.ops.convert_to_tensor([size])], [weight])
    moved = 1 - float(keras.ops.convert_to_numpy(weight.value)[0])
    claim(f"a gradient of {size:g} moves the weight by 0.01, the learning rate", abs(moved - 0.01) < 1e-4)
reveal("03.d", round(moved, 4), exact=True)

# %% [markdown]
# On the slice of part 3 one can see them walk. Each gets the best of three rates a factor of two apart, by its loss
# after 20 steps.


# %% jupyter={"source_hidden": true}
# Keras's optimisers with the NumPy network's gradient, on the two numbers of the slice.
def descend(optimizer, steps=30):
    """Positions (steps + 1, 2) on the slice, and the loss at each."""
    position = keras.Variable([0.0, 0.6])
    path, values = [], []
    for _ in range(steps + 1):
        path.append(keras.ops.convert_to_numpy(position.value).copy())
        value, gradient = loss_and_slope(origin + path[-1][0] * along + path[-1][1] * across)
        values.append(value)
        slope = np.array([gradient @ along, gradient @ across], "float32")
        optimizer.apply([keras.ops.convert_to_tensor(slope)], [position])
    return np.array(path), values


def loss_at(vector):
    return reference.cross_entropy(forward(as_weights(vector), x_train[:100])[0], y_train[:100])


def best_of(make, rates):
    return min((descend(make(rate)) for rate in rates), key=lambda run: run[1][20])


walks = {
    "SGD": best_of(keras.optimizers.SGD, [0.1, 0.2, 0.4]),
    "momentum": best_of(lambda rate: keras.optimizers.SGD(rate, momentum=0.9), [0.05, 0.1, 0.2]),
    "Adam": best_of(keras.optimizers.Adam, [0.1, 0.2, 0.4]),
}
grid = np.linspace(-1, 7.5, 15), np.linspace(-1.2, 1.2, 11)
surface = [[loss_at(origin + a * along + b * across) for a in grid[0]] for b in grid[1]]
paths, path_losses = {n: w[0] for n, w in walks.items()}, {n: w[1] for n, w in walks.items()}
plotting.loss_surface(*grid, surface, paths, path_losses, "along the valley", "across")
after_20 = {name: values[20] for name, values in path_losses.items()}
claim("after 20 steps momentum is at least 0.2 lower than SGD", after_20["momentum"] < after_20["SGD"] - 0.2)
claim("and so is Adam", after_20["Adam"] < after_20["SGD"] - 0.2)

# %% [markdown]
# **Gradient clipping** shortens the gradient of all weights together where its length $\lVert g \rVert$ is above a
# bound $c$, and keeps its direction: $g \leftarrow g\, c / \lVert g \rVert$. One wild batch then cannot throw the
# network far.
#
# **Leaky ReLU** passes a negative input on as well, multiplied by a small slope, here 0.2, so that it always has a
# gradient. **SiLU** is $x$ times the logistic function of $x$: a ReLU with a round corner that dips a little below 0.
# (GELU, of lesson 07, looks nearly the same.)
#
# A **schedule** is a rule that gives the learning rate at each step. The usual one begins with a **warm-up** (Goyal and
# others 2017), in which the rate climbs in a straight line to its peak. The reason given is that first gradients are
# large and point anywhere. Then comes the **cosine decay** (Loshchilov and Hutter 2017), in which the rate falls to
# nothing along half a cosine. The reason given is that at a high rate the noise of small batches keeps the weights
# bouncing. With the peak $p$, $n$ steps of which $w$ warm up, and steps $s$ counted from 0, the learning rate is
#
# $$\eta_s = p\,\frac{s+1}{w} \quad (s < w) \qquad\qquad
# \eta_s = \frac{p}{2}\left(1 + \cos \pi\,\frac{s - w + 1}{n - w + 1}\right) \quad (s \ge w)$$
#
# ### Each at its own best
#
# At one and the same rate such a comparison is worth nothing: at a rate of 0.2 the baseline is far above its good
# range, and anything that lowers the rate wins. So each change is trained at three or four rates, a factor of two
# apart. The validation set picks the rate, and the test set prices the network trained at it, once. All of it was done
# with three seeds. You train two of the networks.
#
# **Predict**: how much does the usual schedule gain?

# %%
predict("03.e", "Test accuracy, warm-up and decay minus baseline, each at its best rate?", unit="points", within=1)


# %%
def trained(rate, warmup=None, activation="relu", optimizer=keras.optimizers.SGD, **options):
    """The network after 8 epochs from the first weights, and its share of right answers on the validation set."""
    network = small_cnn(activation)
    network.set_weights(start)
    schedule = rate if warmup is None else training.warmup_cosine(rate, steps=8 * 40, warmup=warmup)
    network.compile(optimizer(schedule, **options), loss, metrics=["accuracy"])
    training.fit(network, x_train, y_train, epochs=8, batch_size=50, quiet=True)
    return network, network.evaluate(x_val, y_val, batch_size=500, verbose=0)[1]


# %% jupyter={"source_hidden": true}
momentum = {"momentum": 0.9}
changes = {  # the one change, and the rates that were tried
    "baseline": (momentum, [0.02, 0.04, 0.08, 0.16]),
    "decay": ({**momentum, "warmup": 0}, [0.04, 0.08, 0.16, 0.32]),
    "warm-up and decay": ({**momentum, "warmup": 40}, [0.04, 0.08, 0.16, 0.32]),
    "no momentum": ({}, [0.16, 0.32, 0.64]),
    "clipping": ({**momentum, "global_clipnorm": 1.0}, [0.04, 0.08, 0.16]),
    "RMSProp": ({"optimizer": keras.optimizers.RMSprop}, [0.004, 0.008, 0.016]),
    "Adam": ({"optimizer": keras.optimizers.Adam}, [0.004, 0.008, 0.016]),
    "Leaky ReLU": ({**momentum, "activation": "leaky_relu"}, [0.02, 0.04, 0.08]),
    "SiLU": ({**momentum, "activation": "silu"}, [0.04, 0.08, 0.16]),
}


def chosen_on_validation(change, rates):
    """Validation accuracy at each rate, the best rate, and the test accuracy of the network trained at that one."""
    runs = {rate: trained(rate, **change) for rate in rates}
    best = max(runs, key=lambda rate: runs[rate][1])
    price = runs[best][0].evaluate(x_test, y_test, batch_size=500, verbose=0)[1]
    return {"validation": {f"{rate:g}": run[1] for rate, run in runs.items()}, "rate": best, "test": price}


cosine = training.warmup_cosine(peak=0.08, steps=8 * 40, warmup=40)
values = [float(cosine(step)) for step in range(8 * 40)]
plotting.schedules({"warm-up and decay": values, "baseline": [0.04] * len(values)})
claim("with a peak of 0.08 the first step is taken at 0.08 / 40 = 0.002", abs(values[0] - 0.002) < 1e-6)
claim("step 39 is the first at the peak", abs(values[39] - 0.08) < 1e-6 and max(values[:39]) < 0.08)

recipes = Experiment("03_recipes")
live = {name: (changes[name][0], [rate]) for name, rate in {"baseline": 0.04, "warm-up and decay": 0.08}.items()}
recipes.keep(**{name: chosen_on_validation(*each) for name, each in recipes.pick(stored=changes, live=live).items()})

# %%
priced = {name: 100 * recipes.stored[name]["test"] for name in changes}
gains = {name: test - priced["baseline"] for name, test in priced.items()}
reveal("03.e", gains["warm-up and decay"].mean())
for name, gain in gains.items():
    print(f"{name:18} {priced[name].mean():.1f} %  {gain.mean():+.1f} points, {gain.min():+.1f} to {gain.max():+.1f}")
sure = [name for name, gain in gains.items() if gain.min() > 0 or gain.max() < 0]
claim("of eight changes only clipping has the same sign with all three seeds: it loses", sure == ["clipping"])
high = {name: 100 * recipes.stored[name]["validation"]["0.16"] for name in ("baseline", "decay")}
claim("at 0.16, too high for the baseline, decay gains 3 to 13 points", (high["decay"] - high["baseline"]).min() > 3)
plotting.seed_spread({name: 100 * live["test"] for name, live in recipes.live.items()}, priced, "test accuracy, %")

# %% [markdown]
# An effect is what is larger than its spread over the seeds, and little here is. Warm-up and decay come out a point
# above the baseline on average, and below it with one seed of three. The baseline alone moves by nearly three points
# from seed to seed. (Where the best rate lies at the end of those tried, there may be more in it: for SiLU with all
# seeds, for RMSProp with two, for clipping and for no momentum with one.)
#
# What the falling rate does for sure is to forgive a peak that is too high, likely since on its way down it passes the
# rates that suit the network.
#
# **AdamW** (Loshchilov and Hutter 2019) is Adam with **weight decay**: each step also shrinks every weight by a fixed
# share, the learning rate times the decay. Penalising large weights in the loss instead sounds like the same thing,
# and is not: Adam would divide the penalty by its own size.
#
# ### Exercise 03.4 · Adam from scratch
#
# ●●● · 15 min
#
# Write a whole run of Adam. `weights` is a list of arrays. `gradients` has one entry a step, each a list with a
# gradient for each of the weights. Return the list of weights after all steps.
#
# - Adam keeps a mean of the gradients with a share of 0.9 of the past, and a mean of their squares with 0.999. Both
#   begin at 0. The step is the rate times the first, over the root of the second plus `1e-7`.
# - Means that begin at 0 are too small at first: after one step the mean of the gradients is 0.1 of what it should be.
#   Work out which share of a constant gradient has come in after $t$ steps, and divide by it, in both.
# - With a number `clip`, clip the gradient of *all weights together* to this length before anything else.
#
# For example, from the weight 1.0 with the gradients 2.0 and then 2.0, at a rate of 0.1, the weight is 0.8. With the
# gradients 2.0 and then -1.0 it is 0.8734.


# %%
def adam(weights: list, gradients: list, rate: float, clip: float | None = None) -> list:
    """The weights after one step of Adam for each entry of gradients."""
    ### BEGIN SOLUTION
    mean, square = [0 * w for w in weights], [0 * w for w in weights]
    for t, gradient in enumerate(gradients, start=1):
        if clip is not None:
            length = np.sqrt(sum((g**2).sum() for g in gradient))
            gradient = [g * min(1, clip / length) for g in gradient] if length else gradient
        mean = [0.9 * m + 0.1 * g for m, g in zip(mean, gradient)]
        square = [0.999 * s + 0.001 * g**2 for s, g in zip(square, gradient)]
        moves = [m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-7) for m, s in zip(mean, square)]
        weights = [w - rate * move for w, move in zip(weights, moves)]
    return weights
    ### END SOLUTION


# %%
exercise("03.4").check(adam)

# %% [markdown]
# **So far**: compare at each side's own best rate, chosen on validation, over seeds, or the comparison is about the
# rate. Here no change beat a constant rate, well chosen, by more than its spread, and a falling rate
# forgave one that was too high.
#
# ## Part 5 · Before the long run
#
# **Where do the weights start, and can this program learn?**
#
# All of this began at random weights. How random? Take ten convolution layers, one behind the other. A layer sums
# over $n$ inputs, 9 pixels times 16 channels, and ReLU throws half of it away. For what comes out to be as large as
# what went in, the weights need a variance of $2/n$: **He initialisation** (He and others 2015).
#
# **Predict**: what do ten layers make of weights that are twice as large?

# %%
predict("03.f", "Double all kernels of the ten layers: by which factor does what leaves the tenth grow?")

# %% jupyter={"source_hidden": true}
# Ten layers with the spread that He asks for, with half of it, with twice as much; and a network of equal filters.
blocks = [keras.Input((14, 14, 1))]
for number in range(1, 11):
    blocks.append(keras.layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer="he_normal"))
    if number in (2, 4):
        blocks.append(keras.layers.MaxPooling2D())
deep = keras.Sequential([*blocks, keras.layers.Flatten(), keras.layers.Dense(10)])
he_start = deep.get_weights()
convolutions = [layer.name for layer in deep.layers if isinstance(layer, keras.layers.Conv2D)]

profiles, first_losses = {}, {}
for name, factor in {"He": 1.0, "half of He": 0.5, "twice He": 2.0}.items():
    deep.set_weights([weight * factor if weight.ndim == 4 else weight for weight in he_start])
    profiles[name] = training.activation_statistics(deep, x_train[:64], layers=convolutions)
    first_losses[name] = float(loss(y_train[:64], deep(x_train[:64])))
plotting.activation_profile(profiles)
last = {name: layers[-1].std for name, layers in profiles.items()}
reveal("03.f", last["twice He"] / last["He"])
claim("He asks for the root of 2/144 = 0.118", round(np.sqrt(2 / 144), 3) == 0.118)
claim("Keras draws it to within 5 %", abs(he_start[2].std() / np.sqrt(2 / 144) - 1) < 0.05)
claim("with He the tenth layer is within a factor of 20 of the first", 0.05 < last["He"] / profiles["He"][0].std < 20)
claim("with twice He the first loss is above 20", first_losses["twice He"] > 20)
claim("with half of He it is that of guessing", abs(first_losses["half of He"] - np.log(10)) < 0.02)
equal = [np.full_like(weight, 0.05) if weight.ndim > 1 else weight for weight in start]
after, _ = sgd(equal, 0.1, batches)
claim("eight equal filters are still equal after an epoch", np.ptp(after[0], axis=-1).max() < 1e-5)
claim("and have moved", np.abs(after[0] - equal[0]).max() > 1e-3)

# %% [markdown]
# Each layer multiplies, so depth turns a factor of 2 into $2^{10}$. With twice He the network is sure and wrong before
# it has seen anything, with half of He all pictures look alike to the last layer. Normalisation and shortcuts, the
# subject of lesson 06, make a deep network less dependent on its first weights.
#
# All equal is no start at all. If all filters of a layer are equal, they get equal gradients and stay equal: you would
# train one filter sixteen times.
#
# ### A handful by heart
#
# Before you train on everything, train on twenty pictures until the network knows them by heart. It takes seconds. A
# program that cannot do it has a fault, and no amount of data or time will cure that. Here is the test twice, the
# second time with labels that are shuffled, so that they mean nothing.

# %%
model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
model.set_weights(start)
tests = {
    "true labels": training.overfit_tiny(model, x_train, y_train, n=20, steps=80),
    "shuffled labels": training.overfit_tiny(model, x_train, rng.permutation(y_train), n=20, steps=80),
}
plotting.tiny_fits(tests)
claim("the network learns 20 pictures by heart", tests["true labels"].passed)
claim("and labels that mean nothing, too", tests["shuffled labels"].passed)
floor = cross_entropy(softmax(np.array([[1000.0] + [0.0] * 9])), [0])  # all probability on the true class
claim("with softmax twice the loss never falls below ln(e + 9) - 1 = 1.461", np.isclose(floor, np.log(np.e + 9) - 1))

# %% [markdown]
# It passes, since learning by heart needs no meaning (Zhang and others 2017). So the test finds faults in the
# *machine*: in the gradient, the loss, the last layer, the rate. Faults in the *data* it does not find.
#
# A fault that it does find: softmax twice, once as the last layer and once inside the loss. What goes into the second
# softmax lies between 0 and 1, and the true class can be ahead by 1 at the most.
# A loss that creeps down and stands still near 1.46 for ten classes: look for a second softmax. TensorFlow notices and
# warns, the other backends do not.
#
# ### Exercise 03.5 · The bug that stops learning
#
# ●●○ · 10 min
#
# The function below is one epoch of SGD as in `sgd` above, but with a fresh order of the pictures each time. It runs
# without an error. It also learns nothing.
#
# Find the bug and write `epoch` without it. Everything else stays: batches of 10, a fresh random order from `rng` at
# each call, every picture once, new weights returned and the old ones left as they were.


# %%
def broken_epoch(weights, x, y, rate, rng):
    x, y = x[rng.permutation(len(x))], y[rng.permutation(len(y))]
    for i in range(0, len(x), 10):
        _, gradient = loss_and_gradient(weights, x[i : i + 10], y[i : i + 10])
        weights = [w - rate * g for w, g in zip(weights, gradient)]
    return weights


weights, shuffler = start, np.random.default_rng(0)
for _ in range(40):
    weights = broken_epoch(weights, x_train[:20], y_train[:20], 0.1, shuffler)
broken_loss = loss_and_gradient(weights, x_train[:20], y_train[:20])[0]
claim("the tiny set is not learned", broken_loss > 1.0)


# %%
def epoch(weights: list, x: np.ndarray, y: np.ndarray, rate: float, rng: np.random.Generator) -> list:
    """The weights after one epoch of SGD in random order, in batches of 10."""
    ### BEGIN SOLUTION
    order = rng.permutation(len(x))
    for i in range(0, len(x), 10):
        batch = order[i : i + 10]
        _, gradient = loss_and_gradient(weights, x[batch], y[batch])
        weights = [w - rate * g for w, g in zip(weights, gradient)]
    return weights
    ### END SOLUTION


# %%
exercise("03.5").check(epoch)

# %% [markdown]
# **So far**: He's spread keeps a stack of ReLU layers in range, and a factor of two is a factor of a thousand after ten
# layers. Twenty pictures by heart find the faults of a program in seconds, and not those of the data.
#
# ## Part 6 · While it runs
#
# **What do the curves say, when do I stop, and what survives a power cut?**
#
# A training tells you what it needs, if you draw two curves: the loss on the training set and the loss on the
# validation set. Here are four runs of the same network. You train the one that overfits. The other three are drawn
# from the first of five stored runs.


# %% jupyter={"source_hidden": true}
def fresh():
    """The network and its optimizer as they are before the first step."""
    network = small_cnn()
    network.set_weights(start)
    network.compile(keras.optimizers.Adam(0.003), loss)
    return network


class PowerCut(keras.callbacks.Callback):
    """Fails in the middle of the third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch == 2 and batch == 5:
            raise KeyboardInterrupt


def distance(a, b):
    """The largest difference between the weights of two networks."""
    return max(np.abs(u - v).max() for u, v in zip(a.get_weights(), b.get_weights()))


model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=["accuracy"])


def full_run(rate, pictures=2000, batch_size=50, epochs=12, label="", callbacks=()):
    restart(rate)
    x, y = x_train[:pictures], y_train[:pictures]
    options = {"validation_data": (x_val, y_val), "validation_batch_size": 500, "callbacks": callbacks}
    history = training.fit(model, x, y, epochs=epochs, batch_size=batch_size, label=f"{label:12}", **options)
    return {name: [float(value) for value in values] for name, values in history.history.items()}


recipe_of = {
    "healthy": {"rate": 0.03},
    "underfitting": {"rate": 0.0002},
    "overfitting": {"rate": 0.03, "pictures": 100, "batch_size": 20, "epochs": 60},
    "rate too high": {"rate": 0.8},
}
four = Experiment("03_curves")
for name in four.pick(stored=recipe_of, live=["overfitting"]):
    four.keep(**{name: full_run(**recipe_of[name], label=name)})
loss_of, val_of = (
    {name: four.stored[name][key] for name in recipe_of} for key in ("loss", "val_loss")
)  # (runs, epochs)

curves = {name: four.live.get(name, four.stored[0][name]) for name in recipe_of}
plotting.histories(curves, limits=(0, 3))
healthy, high = (np.maximum(loss_of[name][:, -1], val_of[name][:, -1]) for name in ("healthy", "rate too high"))
claim("healthy: both losses fall below 0.9, in each stored run", healthy.max() < 0.9)
gap = np.abs(loss_of["underfitting"] - val_of["underfitting"])[:, -1]
claim("underfitting: both stay above 1.2, and close", val_of["underfitting"].min() > 1.2 and gap.max() < 0.3)
claim("rate too high: no better than guessing", not (high < 2.2).any())
low, last = min(curves["overfitting"]["val_loss"]), curves["overfitting"]["val_loss"][-1]
claim("overfitting, in your run: training below 0.05", curves["overfitting"]["loss"][-1] < 0.05)
claim("while validation rises again by at least 0.2", last > low + 0.2)

# %% [markdown]
# | you see | it means | what to try |
# |---|---|---|
# | both fall, and flatten together | healthy | stop, or lower the rate for the last stretch |
# | both high and still falling, no gap | **underfitting** | a higher rate, more epochs, a larger network |
# | training goes to 0, validation turns up | **overfitting** | more data, augmentation (lesson 04), stop earlier |
# | flat at ln of the number of classes, or jumps up | **divergence** | a lower rate, warm-up, clipping |
# | NaN | an overflow, or the logarithm of 0 | see below the table |
#
# Where a NaN comes from, part 1 shows: an overflow, or the logarithm of a probability below $10^{-45}$, which is 0 in
# float32. `from_logits=True` never computes that probability. When you meet a NaN: look at the first loss, halve the
# rate, check the pictures for NaN and for values that nobody scaled, and let `keras.callbacks.TerminateOnNaN` stop the
# run, since it will not recover.
#
# ### Exercise 03.6 · Read four curves
#
# ●○○ · 5 min
#
# Four other runs, drawn as accuracy, the share of pictures named correctly. What does each need: `"more data"`, `"a
# higher rate"`, `"a lower rate"` or `"nothing"`? Make `needs` a dictionary with one of them for each letter, in the
# form `{"A": "…", "B": "…", "C": "…", "D": "…"}`.

# %%
plotting.unlabelled_curves(four.stored)

### BEGIN SOLUTION
needs = {"A": "more data", "B": "a lower rate", "C": "a higher rate", "D": "nothing"}
### END SOLUTION

# %%
exercise("03.6").check(needs)

# %% [markdown]
# ### Stop while it is good
#
# The run that overfits was best long before its end. **Early stopping** watches the validation loss, stops when it has
# not improved for a while, the **patience**, and goes back to the best weights.

# %%
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10, restore_best_weights=True)
stopped = full_run(0.03, pictures=100, batch_size=20, epochs=60, label="early stop", callbacks=[stop])
at_best = model.evaluate(x_val, y_val, batch_size=500, verbose=0)[0]
measured("validation loss at the weights that are kept", at_best)
claim("the weights that are kept have the best validation loss", abs(at_best - min(stopped["val_loss"])) < 1e-3)
claim("at least 0.2 lower than at the end of the long run", at_best < last - 0.2)

# %% [markdown]
# Note what you have done: you *chose* with the validation set, so its loss now flatters. What the network is worth,
# only the test set can say, once.
#
# ### Seeds, and what they do not fix
#
# A seed starts a random generator. `runtime.setup()` sets that of Python, NumPy and the backend, and the order of the
# pictures in `training.fit` depends on the seed and the number of the epoch alone. In part 4 one recipe
# moved by nearly three points of test accuracy from seed to seed, more than any change gained.
#
# A seed does not fix
#
# - another backend, device or number of threads: sums are taken in another order, and the last bits differ;
# - another version of a library;
# - the order of the batches in plain `model.fit`: with a fixed seed it is the *same in every epoch* on TensorFlow, and
#   another one on each backend, which is why `training.fit` draws its own;
# - luck: the best of several seeds is not what the recipe gives.
#
# ### Killed in the middle
#
# A training runs for hours, and the machine goes down. What does it take to go on as if nothing had happened? The
# weights are the smaller part. Adam holds two more numbers for every weight. The step count drives the schedule. The
# order of the pictures must go on where it stopped.
#
# Below, a run is killed in its third epoch. `training.train_resumable` then finds what was saved after the second one,
# by `keras.callbacks.BackupAndRestore` and a few files beside it, and goes on from there. A third network gets the
# saved weights alone. (A `.keras` file, written with `model.save`, holds the optimizer as well. It does not hold the
# order of the data, the state of dropout, of lesson 05, or the epoch.)

# %%
folder = tempfile.TemporaryDirectory()
data = {"x": x_train[:500], "y": y_train[:500], "epochs": 4, "batch_size": 50}
whole = fresh()
training.train_resumable(whole, **data, directory=f"{folder.name}/whole", label="uninterrupted")
try:
    training.train_resumable(fresh(), **data, directory=f"{folder.name}/cut", callbacks=[PowerCut()])
except KeyboardInterrupt:
    print("killed in the third epoch")
resumed = fresh()
training.train_resumable(resumed, **data, directory=f"{folder.name}/cut", label="resumed")
claim("the resumed run ends at the same weights to 1e-6", distance(whole, resumed) <= 1e-6)

half_way = fresh()
training.train_resumable(half_way, **{**data, "epochs": 2}, directory=f"{folder.name}/half", label="two epochs")
forgetful = fresh()  # a new Adam
forgetful.set_weights(half_way.get_weights())
training.fit(forgetful, data["x"], data["y"], epochs=4, initial_epoch=2, batch_size=50, label="weights only")
claim("without Adam's memory they are more than 0.001 apart", distance(whole, forgetful) > 1e-3)
folder.cleanup()

# %% [markdown]
# **So far**: two curves say what a run needs, and the best weights may be long past when it ends. To resume you need
# weights, optimizer, random states and the order of the data, all of the same epoch.
#
# ## Recap
#
# - Softmax and cross-entropy turn scores into a loss. Its gradient by the scores is $p - [c = y]$, divided by the size
#   of the batch. Guessing among ten classes costs 2.303.
# - Training is a loop: batch, forward, loss, gradient, step. In NumPy and in Keras it gives the same numbers. A
#   gradient written by hand is checked by central differences.
# - The steepest direction limits the learning rate, at $2/\lambda$. Momentum and Adam go faster along the flat ones.
# - A range test finds the decade of the rate, safely and often too low. Runs find the rate.
# - Compare recipes each at its own best rate, chosen on validation, over seeds. Here no change beat a constant rate,
#   well chosen, by more than its spread. A falling rate forgave one that was too high.
# - Weights that are twice too large are a thousand times too large after ten layers. He keeps them in range.
# - First learn twenty pictures by heart. Then read two curves: a gap is overfitting, two high curves are underfitting,
#   guessing or NaN is a rate, a scale or a logarithm.
# - A seed fixes a run on one machine, not a result. Show several.
# - To resume you need weights, optimizer, random states, the order of the data, and all of them from the same epoch.
#
# ## Explain it
#
# **The first loss of your network with 1,000 classes is 6.9. Is that good? And if it is 60?**
#
# <details><summary>Model answer</summary>
#
# 6.9 is $\ln 1000$: the network gives all classes about the same probability, which is what a new one should do. At 60
# it is sure and wrong before it has seen anything. The scores are far too large, because the pictures are not scaled
# (0 to 255) or the first weights are too big, and the first steps will be spent on undoing that, if they do not break
# the network.
#
# </details>
#
# **Why does momentum help in a narrow valley, and why can it not be replaced by a higher rate?**
#
# <details><summary>Model answer</summary>
#
# The rate is limited by the steepest direction: beyond $2/\lambda$ the jumps from wall to wall grow. Along the floor
# the slope is small, so at that rate progress is slow. The velocity adds up gradients: to and fro across the valley
# cancels, along it builds up, with 0.9 to about ten times the single step. The effective rate is raised along the floor
# alone.
#
# </details>
#
# **Training loss 0.01, validation accuracy 70 %. A colleague wants a larger network. What do you say?**
#
# <details><summary>Model answer</summary>
#
# The network already fits all it is shown, so capacity is not what is missing. It is overfitting: more data,
# augmentation, weight decay or earlier stopping come first, and a look at whether training and validation pictures
# come from the same source. A larger network helps when the *training* loss is too high.
#
# </details>
#
# **You resume a run from its saved weights, and the loss jumps up for an epoch. Why?**
#
# <details><summary>Model answer</summary>
#
# Only the weights were kept. The optimizer starts with empty averages, so the first steps of Adam are as long as the
# learning rate allows, and the schedule starts at step 0, with its warm-up and its peak. Save the optimizer state and
# the step count too, and the random states and data order if the run is to be the same.
#
# </details>
#
# ## What comes next
#
# You can build a layer, follow what a stack of them sees, and train it. The next part of the course takes the networks
# that made history, one idea at a time, beginning with [LeNet-5](../notebooks/04_lenet.ipynb), whose 61,706 weights you
# will count by hand.
#
# ## References
#
# - B. T. Polyak (1964), *Some methods of speeding up the convergence of iteration methods* (momentum).
# - K. He, X. Zhang, S. Ren and J. Sun (2015), *Delving deep into rectifiers* (initialisation).
# - T. Tieleman and G. Hinton (2012), *Lecture 6.5: RMSProp*, Coursera.
# - A. Maas, A. Hannun and A. Ng (2013), *Rectifier nonlinearities improve neural network acoustic models* (Leaky ReLU).
# - R. Pascanu, T. Mikolov and Y. Bengio (2013), *On the difficulty of training recurrent neural networks* (clipping).
# - D. Kingma and J. Ba (2015), *Adam: a method for stochastic optimization*.
# - L. N. Smith (2017), *Cyclical learning rates for training neural networks* (range test).
# - S. Elfwing, E. Uchibe and K. Doya (2018), *Sigmoid-weighted linear units* (SiLU).
# - P. Goyal and others (2017), *Accurate, large minibatch SGD: training ImageNet in 1 hour* (warm-up).
# - I. Loshchilov and F. Hutter (2017), *SGDR: stochastic gradient descent with warm restarts* (cosine).
# - C. Zhang and others (2017), *Understanding deep learning requires rethinking generalization*.
# - H. Xiao, K. Rasul and R. Vollgraf (2017), *Fashion-MNIST*.
# - H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein (2018), *Visualizing the loss landscape of neural nets*.
# - I. Loshchilov and F. Hutter (2019), *Decoupled weight decay regularization* (AdamW).
