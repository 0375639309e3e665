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
# - turn ten scores and a label into a loss, and the loss into a gradient
# - train a convolutional network in NumPy, and get the same numbers from Keras
# - choose optimiser, learning rate, schedule and first weights by measuring them
# - tell within a minute whether a network can learn at all, and read its curves when it does
# - kill a training in the middle and resume it with nothing lost
#
# **Before this**: [01 Convolution arithmetic](../notebooks/01_convolution_arithmetic.ipynb) · **Reading** 50 min ·
# **Exercises** 60 min
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

from cnnlib import claim, datasets, exercise, gradients, plotting, reference, training
from cnnlib.claims import approx, measured
from cnnlib.results import Experiment

# %% [markdown]
# ## Ten scores and one label
#
# The pictures are Fashion-MNIST: clothes in ten classes. We halve them to 14 by 14 pixels, so that every training on
# this page takes seconds.

# %%
clothes = datasets.fashion_mnist(size=2000)
x_train, x_rest = reference.avg_pool2d(clothes.x_train, 2), reference.avg_pool2d(clothes.x_test, 2)
y_train, y_rest = clothes.y_train, clothes.y_test
x_val, y_val, x_test, y_test = x_rest[:1000], y_rest[:1000], x_rest[1000:], y_rest[1000:]
plotting.images(
    x_train[:10],
    titles=[clothes.class_names[label] for label in y_train[:10]],
    alt="Ten grey pictures of 14 by 14 pixels, one of each class, from T-shirt to ankle boot.",
)
claim("2,000 pictures to train on, 1,000 to validate, 1,000 to test", len(x_train) == 2 * len(x_val) == 2 * len(x_test))

# %% [markdown]
# For each picture a network returns ten numbers, one per class: its scores, also called **logits**. They can be
# anything. To improve them you need one number that says how bad they are. It takes two steps.
#
# **Softmax** turns scores $z_1 \dots z_C$ into probabilities, and the **cross-entropy** is the surprise at the true
# class $y$:
#
# $$p_c = \frac{e^{z_c}}{\sum_k e^{z_k}} \qquad\qquad L = -\ln p_y$$
#
# Take three classes with the scores 2, 1 and 0.1.
#
# **Predict**: which probability does the first class get? And what is the loss of a network that knows nothing and
# gives each of ten classes the same score?

# %%
scores = np.array([2.0, 1.0, 0.1])
probabilities = np.exp(scores) / np.exp(scores).sum()
claim("the probabilities are 0.659, 0.242 and 0.099", np.array_equal(probabilities.round(3), [0.659, 0.242, 0.099]))
losses = -np.log(probabilities)
claim("the loss is 0.417 if the first class is true", round(losses[0], 3) == 0.417)
claim("and 2.317 if the last one is", round(losses[2], 3) == 2.317)
claim("guessing among ten classes costs ln 10 = 2.303", round(np.log(10), 3) == 2.303)
plotting.loss_of_probability({"guessing among ten": 0.1, "right and sure": 0.95, "wrong and sure": 0.01})

# %% [markdown]
# To be sure and wrong costs far more than to be sure and right gains. Remember 2.303: a new network should start near
# it. If the first loss is 40, something is wrong before the training began.
#
# **Predict**: what does the formula for softmax return for the scores 1,000 and 0?

# %%
with np.errstate(all="ignore"):
    naive = np.exp([1000.0, 0.0]) / np.exp([1000.0, 0.0]).sum()
    powers = np.exp(np.array([88, 89], "float32"))
claim("for scores of 1,000 and 0 the formula gives NaN", np.isnan(naive[0]))
claim("in float32 a score of 89 is enough to overflow", np.isfinite(powers[0]) and np.isinf(powers[1]))

# %% [markdown]
# **NaN**, "not a number", is what becomes of infinity divided by infinity. The cure costs nothing: subtract the
# largest score from all of them first. It cancels in the fraction, and no exponent is above 0 any more.


# %%
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def cross_entropy(scores, labels):
    """Mean over the batch; scores (batch, classes), labels (batch,)."""
    return -np.log(softmax(scores)[np.arange(len(labels)), labels]).mean()


claim("now 1,000 and 0 give 1 and 0", np.array_equal(softmax(np.array([1000.0, 0.0])), [1, 0]))
claim("and 2, 1, 0.1 give what they gave", np.allclose(softmax(scores), probabilities))

# %% [markdown]
# ## Which way is down
#
# Training asks one question of every number in the network: if it grows a little, does the loss grow or fall, and how
# much? The answers together are the gradient. It starts at the scores. With $L = \ln \sum_k e^{z_k} - z_y$,
#
# $$\frac{\partial L}{\partial z_c} = p_c - [c = y]$$
#
# where $[c = y]$ is 1 for the true class and 0 for the others. Every wrong class is pushed down by the probability it
# took. The true class is pushed up by the probability it lacks.
#
# **Predict**: what is the sum of these numbers over the classes?

# %%
rng = np.random.default_rng(runtime.seed())
example_scores, example_labels = rng.normal(size=(4, 10)), rng.integers(10, size=4)
slope = reference.numerical_gradient(lambda z: cross_entropy(z, example_labels), example_scores)
claim("moving each score a little gives a gradient that sums to 0 in every row", np.allclose(slope.sum(axis=1), 0))
claim("it is negative at the true class and nowhere else", np.array_equal(np.argwhere(slope < 0)[:, 1], example_labels))

# %% [markdown]
# ### Exercise 03.1 · Gradient of the cross-entropy
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
# ## A network by hand
#
# Two convolution layers of 8 and 16 filters, each followed by ReLU ($\max(x, 0)$) and by max pooling, then one dense
# layer to ten scores. The layers are those of lesson 01 in plain NumPy, from `cnnlib.reference`. The **forward pass**
# computes the scores and keeps what each layer was given.


# %%
def random_weights(rng):
    """Kernel and bias of each layer, float32."""
    weights = []
    for shape in [(3, 3, 1, 8), (3, 3, 8, 16), (144, 10)]:
        spread = np.sqrt(2 / np.prod(shape[:-1]))  # why this spread: further down
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


start = random_weights(rng)
claim("the network has 2,698 weights", sum(weight.size for weight in start) == 2_698)
claim("it turns 5 pictures into 5 rows of ten scores", forward(start, x_train[:5])[0].shape == (5, 10))

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


# %% [markdown]
# Do not trust seven lines of calculus. Take one weight of the first kernel, move it up and down by a little, and
# compare what the loss does with what the gradient says.

# %%
exact = [weight.astype("float64") for weight in start]
_, computed = loss_and_gradient(exact, x_train[:50], y_train[:50])
around = []
for step in (1e-6, -1e-6):
    exact[0][1, 1, 0, 3] += step
    around.append(loss_and_gradient(exact, x_train[:50], y_train[:50])[0])
    exact[0][1, 1, 0, 3] -= step
slope = (around[0] - around[1]) / 2e-6
claim("the gradient of the first layer is right to 1e-5", abs(slope - computed[0][1, 1, 0, 3]) < 1e-5)

# %% [markdown]
# Now the training. Take a batch of 50 pictures, compute the gradient of their mean loss, and move every weight $w$ a
# little against its gradient $g$:
#
# $$w \leftarrow w - \eta\, g$$
#
# The **learning rate** $\eta$ says how far a weight moves for its gradient. One move of all weights is a **training
# step**, and one pass over all training pictures, batch by batch, an **epoch**. Because each batch is a small random
# sample, training in such steps is called **stochastic gradient descent** (SGD).
#
# **Predict**: 400 pictures, 2,698 weights, 10 epochs. How many of 1,000 new pictures will it name correctly?


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
trained, numpy_losses = sgd(start, 0.2, 10 * batches)

# %%
right = np.mean(forward(trained, x_val)[0].argmax(axis=1) == y_val)
measured("loss of the first batch", numpy_losses[0])
measured("mean loss of the last epoch", np.mean(numpy_losses[-8:]))
measured("share of new pictures named correctly", right)
claim("in 80 steps the loss falls below half of where it started", np.mean(numpy_losses[-8:]) < numpy_losses[0] / 2)
claim("more than half of 1,000 new pictures are named correctly, where guessing names 100", right > 0.5)

# %% [markdown]
# No framework was involved. Everything else on this page is about doing the same thing faster, further and with fewer
# surprises.
#
# ## The same in Keras
#
# The same network in Keras takes ten lines, and nobody writes `backward`: Keras derives it. On TensorFlow it records
# the operations on a tape, on JAX it transforms the function, on PyTorch every result remembers where it came from.
# `gradients.model_value_and_grad` hides the difference. `from_logits=True` says that the network ends in scores, so
# that the loss applies softmax itself, in the safe way.


# %%
def small_cnn():
    blocks = [keras.Input((14, 14, 1))]
    for filters in (8, 16):
        blocks.append(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        blocks.append(keras.layers.MaxPooling2D())
    return keras.Sequential([*blocks, keras.layers.Flatten(), keras.layers.Dense(10)])


model = small_cnn()
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
value_and_gradient = gradients.model_value_and_grad(model, loss)

# %% [markdown]
# The loop, written out, on the backend that you use. It starts from the weights of the NumPy network and sees the same
# batches.
#
# **Predict**: after how many steps do the two losses differ in the fourth decimal?

# %%
model.set_weights(start)
optimizer = keras.optimizers.SGD(learning_rate=0.2)
keras_losses = []
for x, y in 3 * batches:
    value, gradient = value_and_gradient(x, y)
    optimizer.apply(gradient, model.trainable_variables)
    keras_losses.append(value)
by_hand = model.get_weights()

# %%
apart = np.abs(np.array(keras_losses) - numpy_losses[:24])
claim("for the first 8 steps the losses are those of NumPy to 1e-4", apart[:8].max() < 1e-4)
measured("largest difference in 24 steps", apart.max(), digits=1)
plotting.curves(
    {"NumPy": numpy_losses[:24], "Keras": keras_losses},
    xlabel="step",
    ylabel="loss",
    alt="Two curves that lie on each other: the losses of NumPy and of Keras over 24 steps.",
    height=2.6,
)

# %% [markdown]
# `model.fit` is this loop, compiled, with bookkeeping around it. `training.fit` calls it and adds the progress line
# that you see below, and an order of the pictures that is the same on every backend. Here the order stays as it is.

# %%
model.set_weights(start)
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.2), loss=loss)
training.fit(model, x_train[:400], y_train[:400], epochs=3, batch_size=50, shuffle=False)
differences = [np.abs(a - b).max() for a, b in zip(model.get_weights(), by_hand)]
claim("fit ends with the weights of the loop to 1e-3", max(differences) < 1e-3)

# %% [markdown]
# ## A valley in 2,698 dimensions
#
# The loss is a landscape over the weights, and nobody can draw 2,698 dimensions. But you can cut a slice. Here it goes
# through the training above in two directions: *along* the way that the weights took, and *across*, in the direction
# in which the slope changes fastest. **Power iteration** finds the direction of the fastest change: move a little, see
# how the gradient changes, go on in the direction of the change.


# %%
def as_vector(weights):
    return np.concatenate([np.ravel(w) for w in weights]).astype("float64")


def as_weights(vector):
    parts = np.split(vector.astype("float32"), np.cumsum([w.size for w in start])[:-1])
    return [part.reshape(w.shape) for part, w in zip(parts, start)]


def loss_at(vector):
    """Loss of 100 pictures, with all weights in one vector."""
    return reference.cross_entropy(forward(as_weights(vector), x_train[:100])[0], y_train[:100])


def slope_at(vector):
    return as_vector(loss_and_gradient(as_weights(vector), x_train[:100], y_train[:100])[1])


# %%
origin, end = as_vector(start), as_vector(trained)
along = (end - origin) / np.linalg.norm(end - origin)


def change_of_slope(direction, size=0.01):
    return (slope_at(end + size * direction) - slope_at(end - size * direction)) / (2 * size)


across = rng.normal(size=end.size)
for _ in range(12):
    across = change_of_slope(across / np.linalg.norm(across))
across -= (across @ along) * along
across /= np.linalg.norm(across)

# %%
curvature = {"along": along @ change_of_slope(along), "across": across @ change_of_slope(across)}
for name, value in curvature.items():
    measured(f"curvature {name} the valley", value, digits=2)
claim("the valley is more than 10 times as steep across as along", curvature["across"] > 10 * abs(curvature["along"]))

# %% [markdown]
# A long valley with steep walls, and every real network has many of them. In a direction of curvature $\lambda$ each
# step of SGD multiplies the distance from the floor by $1 - \eta\lambda$. Below $\eta = 2/\lambda$ it jumps from wall
# to wall and comes down. Above, each jump is longer than the last. So the steepest direction limits the rate, and
# the flat ones have to live with it.


# %%
def jumps(rate, steps=8):
    """How far SGD jumps across the valley, from a place beside its floor."""
    position, moved = end + 0.03 * across, []
    for _ in range(steps):
        moved.append(rate * slope_at(position) @ across)
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
# **Adam** (Kingma and Ba 2015) gives each weight a step size of its own: the mean of its recent gradients divided by
# the root of their mean square. It follows that scale does not matter.
#
# **Predict**: a weight has a gradient of 0.001, another one of 1,000. How far does the first step of Adam move each?

# %%
for size in (0.001, 1.0, 1000.0):
    weight = keras.Variable([1.0])
    keras.optimizers.Adam(learning_rate=0.01).apply([keras.ops.convert_to_tensor([size])], [weight])
    moved = 1 - float(keras.ops.convert_to_numpy(weight.value)[0])
    claim(f"a gradient of {size:g} moves the weight by 0.01, the learning rate", abs(moved - 0.01) < 1e-4)

# %% [markdown]
# Now let them run on the slice, with the optimisers of Keras and the gradient of the NumPy network. The position has
# two numbers, along and across.


# %%
def descend(optimizer, steps=40):
    """Positions (steps + 1, 2) on the slice, and the loss at each."""
    position = keras.Variable([0.0, 0.6])
    path, values = [], []
    for _ in range(steps + 1):
        path.append(keras.ops.convert_to_numpy(position.value).copy())
        place = origin + path[-1][0] * along + path[-1][1] * across
        value, gradient = loss_and_gradient(as_weights(place), x_train[:100], y_train[:100])
        values.append(value)
        slope = np.array([as_vector(gradient) @ along, as_vector(gradient) @ across], "float32")
        optimizer.apply([keras.ops.convert_to_tensor(slope)], [position])
    return np.array(path), values


optimizers = {
    "SGD": keras.optimizers.SGD(0.1),
    "momentum": keras.optimizers.SGD(0.1, momentum=0.9),
    "Adam": keras.optimizers.Adam(0.2),
}
runs = {name: descend(optimizer) for name, optimizer in optimizers.items()}

# %%
grid = np.linspace(-1, 7.5, 15), np.linspace(-1.2, 1.2, 11)
surface = [[loss_at(origin + a * along + b * across) for a in grid[0]] for b in grid[1]]
paths, path_losses = {n: r[0] for n, r in runs.items()}, {n: r[1] for n, r in runs.items()}
plotting.loss_surface(*grid, surface, paths, path_losses, "along the valley", "across")
ends = {name: values[-1] for name, values in path_losses.items()}
claim("at the same rate momentum ends at least 0.2 lower than SGD", ends["momentum"] < ends["SGD"] - 0.2)
claim("Adam ends at least 0.2 lower than SGD, too", ends["Adam"] < ends["SGD"] - 0.2)

# %% [markdown]
# **AdamW** (Loshchilov and Hutter 2019) is Adam with **weight decay**: each step also shrinks every weight by a fixed
# share, the learning rate times the decay. Penalising large weights in the loss instead sounds like the same thing,
# and is not: Adam would divide the penalty by its own size.

# %%
weight = keras.Variable([1.0])
decaying = keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.5)
for _ in range(3):
    decaying.apply([keras.ops.zeros((1,))], [weight])
left = float(keras.ops.convert_to_numpy(weight.value)[0])
claim("without any gradient, three steps of AdamW shrink a weight of 1 to 0.95 cubed", abs(left - 0.95**3) < 1e-5)

# %% [markdown]
# ### Exercise 03.2 · One step with momentum
#
# Write one step of SGD with momentum in the convention above. It returns the new weights and the new velocity, and
# leaves its arguments as they are.
#
# For example, from the weight 1.0 and the velocity 0.5, with the gradient 2.0, a rate of 0.1 and a momentum of 0.9, the
# new velocity is 0.25 and the new weight 1.25.


# %%
def momentum_step(
    weights: np.ndarray, velocity: np.ndarray, gradient: np.ndarray, rate: float, momentum: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    """New weights and new velocity, in the shape of the old ones."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity - rate * gradient
    return weights + velocity, velocity
    ### END SOLUTION


# %%
exercise("03.2").check(momentum_step)

# %% [markdown]
# ## How large a step
#
# The learning rate is the one number that you must get right. A **range test** (Smith 2017) finds a good learning
# rate in a minute: train for 100 steps while the rate grows from far too small to far too large, and watch the loss.
#
# **Predict**: draw the curve before you run the cell.

# %%
model.set_weights(start)
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=["accuracy"])
test = training.range_test(model, x_train, y_train, lowest=1e-4, highest=10, batch_size=50)
plotting.range_test(test)
claim("the loss first hardly moves, then falls, then rises again", test.losses[-1] > 1.3 * test.smoothed.min())
claim("the test leaves the network as it was", all(np.array_equal(a, b) for a, b in zip(model.get_weights(), start)))

# %% [markdown]
# Three zones: nothing happens, it learns, it breaks. The minimum is no good choice, because beyond it lies the edge,
# and the test spends one step only at each rate. A rule that works: take a *decade* below the minimum, a tenth.
#
# Does it hold? Try all rates. Each run has 80 steps, from the same weights, with the same batches.


# %%
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


rate_runs = {rate: short_run(rate) for rate in [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0]}

# %% [markdown]
# Move the slider. Grey are all runs, dark the one chosen.

# %%
slider = ipywidgets.SelectionSlider(options=[(f"{rate:g}", rate) for rate in rate_runs], value=3e-2, description="rate")
plotting.explore(
    plotting.rate_explorer(rate_runs),
    alt="Loss over 80 steps for nine learning rates. Small rates crawl, large ones stay at guessing, others learn.",
    rate=slider,
)

# %%
ends = {rate: float(np.mean(losses[-20:])) for rate, losses in rate_runs.items()}
rates = Experiment("03_learning_rates")
rates.keep(ends={f"{rate:g}": end for rate, end in ends.items()})
plotting.rate_summary(rates.live["ends"], rates.others["ends"])

best = min(ends, key=ends.get)
claim("the best rate lies between 0.003 and 0.1", 0.003 <= best <= 0.1)
claim("a rate of 0.0001 has hardly learned: its loss is above 1.9", ends[1e-4] > 1.9)
claim("a rate of 1 has not learned at all: it is no better than guessing", not ends[1.0] < 2.2)
advised = np.mean(short_run(test.suggestion)[-20:])
measured("loss at the end with the rate that the test suggests", advised)
claim("the suggested rate learns: its loss ends below 1.5, where guessing is 2.3", advised < 1.5)

# %% [markdown]
# The valley is wide: a factor of three does little harm, a factor of thirty ruins the run. So search in decades and
# not in per cent. And look at the right end. There the loss is not infinite, it stands at 2.3: one large step has
# switched all ReLUs off for every picture, no gradient flows any more, and only the last bias still moves. The network
# is dead, and it looks calm.
#
# ### Exercise 03.3 · A learning rate from a range test
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

# %%
### BEGIN SOLUTION
rate = 0.0005
### END SOLUTION

# %%
exercise("03.3").check(rate)

# %% [markdown]
# ## A rate that changes
#
# Early on, a large step gets you far, but the very first gradients are large and point anywhere. Late, the noise of
# the small batches keeps the weights bouncing from wall to wall, the higher the rate the higher up. The rate
# therefore starts low and climbs, the **warm-up** (Goyal and others 2017), and then comes down to nothing along half
# a cosine, the **cosine decay** (Loshchilov and Hutter 2017). A rule that gives the learning rate at each step is a
# **schedule**. With the peak $p$, $n$ steps of which $w$ warm up, and steps $s$ counted from 0:
#
# $$\eta_s = p\,\frac{s+1}{w} \quad (s < w) \qquad\qquad
# \eta_s = \frac{p}{2}\left(1 + \cos \pi\,\frac{s - w + 1}{n - w + 1}\right) \quad (s \ge w)$$

# %%
steps = 8 * 40  # 8 epochs of 40 batches
cosine = training.warmup_cosine(peak=0.2, steps=steps, warmup=40)
values = [float(cosine(step)) for step in range(steps)]
plotting.schedules({"warm-up and cosine": values, "constant": [0.2] * steps})
claim("the first step is taken at 0.2 / 40 = 0.005", abs(values[0] - 0.005) < 1e-6)
claim("step 39 is the first at the peak of 0.2", abs(values[39] - 0.2) < 1e-6 and max(values[:39]) < 0.2)

# %% [markdown]
# **Predict**: both runs peak at a rate of 0.2, which is high. Which has the lower loss after one epoch, and which
# after eight?

# %%
histories = {}
for name, rate_or_schedule in {"constant": 0.2, "cosine": cosine}.items():
    model.set_weights(start)
    model.compile(keras.optimizers.SGD(rate_or_schedule, momentum=0.9), loss, metrics=["accuracy"])
    options = {"validation_data": (x_val, y_val), "validation_batch_size": 500, "label": f"{name:8}"}
    history = training.fit(model, x_train, y_train, epochs=8, batch_size=50, **options)
    histories[name] = history.history
cosine_weights = model.get_weights()

# %%
plotting.histories(histories, limits=(0, 2.5))
final = {name: history["loss"][-1] for name, history in histories.items()}
claim("with the cosine the loss ends at least 0.1 lower", final["cosine"] < final["constant"] - 0.1)

# %% [markdown]
# The same steps, the same peak, and no other difference. Nearly every published recipe ends on a falling rate.
#
# ### Exercise 03.4 · The rate at a step
#
# Write the schedule above as a function. A step outside $0 \dots n-1$ is no step of the run: raise a `ValueError`. With
# a warm-up of 0 steps the second formula holds from step 0 on.
#
# For example, with a peak of 1.0, 10 steps and a warm-up of 2, step 0 is taken at 0.5, step 1 at 1.0, and step 5 at
# 0.5868.


# %%
def rate_at(step: int, peak: float, steps: int, warmup: int) -> float:
    """Learning rate of one step, counted from 0; ValueError outside the run."""
    ### BEGIN SOLUTION
    if not 0 <= step < steps:
        raise ValueError(f"step {step} is outside 0 ... {steps - 1}")
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak / 2 * (1 + np.cos(np.pi * (step - warmup + 1) / (steps - warmup + 1)))
    ### END SOLUTION


# %%
exercise("03.4").check(rate_at)

# %% [markdown]
# ## Where to start
#
# All of this began at random weights. How random? Take ten convolution layers, one behind the other. A layer sums
# over $n$ inputs, 9 pixels times 16 channels, and ReLU throws half of it away. For what comes out to be as large as
# what went in, the weights need a variance of $2/n$: **He initialisation** (He and others 2015).

# %%
blocks = [keras.Input((14, 14, 1))]
for number in range(1, 11):
    blocks.append(keras.layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer="he_normal"))
    if number in (2, 4):
        blocks.append(keras.layers.MaxPooling2D())
deep = keras.Sequential([*blocks, keras.layers.Flatten(), keras.layers.Dense(10)])
he_start = deep.get_weights()
convolutions = [layer.name for layer in deep.layers if isinstance(layer, keras.layers.Conv2D)]

measured("spread of the weights of the second layer", he_start[2].std())
claim("He asks for the root of 2/144 = 0.118", round(np.sqrt(2 / 144), 3) == 0.118)
claim("Keras draws it to within 5 %", abs(he_start[2].std() / np.sqrt(2 / 144) - 1) < 0.05)

# %% [markdown]
# **Predict**: halve all weights. How much smaller is what leaves the tenth layer? And if you double them?


# %%
def scaled(factor):
    """The weights of the deep network with its kernels made larger or smaller."""
    return [weight * factor if weight.ndim == 4 else weight for weight in he_start]


profiles = {}
for name, factor in {"He": 1.0, "half of He": 0.5, "twice He": 2.0}.items():
    deep.set_weights(scaled(factor))
    profiles[name] = training.activation_statistics(deep, x_train[:64], layers=convolutions)
plotting.activation_profile(profiles)

last = {name: layers[-1].std for name, layers in profiles.items()}
claim("half the weights: 1,024 times smaller after ten layers", abs(last["He"] / last["half of He"] / 1024 - 1) < 0.01)
claim("twice the weights: 1,024 times larger", abs(last["twice He"] / last["He"] / 1024 - 1) < 0.01)
claim("with He the tenth layer is within a factor of 20 of the first", 0.05 < last["He"] / profiles["He"][0].std < 20)

# %% [markdown]
# Each layer multiplies, so depth turns a factor of 2 into $2^{10}$. Gradients run through the same layers backwards
# and suffer the same. What does that do to training?

# %%
deep.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
first_losses, last_losses = {}, {}
order = training.Batches(x_train, y_train, batch_size=50)
for name, factor in {"He": 1.0, "half of He": 0.5, "twice He": 2.0}.items():
    deep.set_weights(scaled(factor))
    for variable in deep.optimizer.variables[2:]:  # the first two are step count and learning rate
        variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
    values = [float(deep.train_on_batch(*order[step % 40])) for step in range(80)]
    first_losses[name], last_losses[name] = values[0], np.mean(values[-10:])
    measured(f"{name:10}: first loss", first_losses[name], f"· after 80 steps {approx(last_losses[name])}")

claim("with half of He nothing happens in 80 steps", abs(last_losses["half of He"] - np.log(10)) < 0.02)
claim("with He the loss falls below 1.6", last_losses["He"] < 1.6)
claim("with twice He the first loss is above 20", first_losses["twice He"] > 20)
claim("and the network breaks: guessing, or NaN", not last_losses["twice He"] < 1.9)

# %% [markdown]
# He keeps a deep stack alive at its first step. Normalisation layers and shortcuts, the subject of lesson 06, keep it
# alive for all the others.
#
# Zero is not a start at all. If all filters of a layer are equal, they get equal gradients and stay equal: you would
# train one filter sixteen times.

# %%
equal = [np.full_like(weight, 0.05) if weight.ndim > 1 else weight for weight in start]
after, _ = sgd(equal, 0.1, batches)
claim("eight equal filters are still equal after an epoch", np.ptp(after[0], axis=-1).max() < 1e-5)
claim("and have moved", np.abs(after[0] - equal[0]).max() > 1e-3)

# %% [markdown]
# ## The first test: a handful by heart
#
# Before you train on everything, train on twenty pictures until the network knows them by heart. It takes seconds. A
# program that cannot do it has a fault, and no amount of data, time or tuning will cure that.
#
# **Predict**: will a network whose labels are shuffled, so that they mean nothing, pass?

# %%
model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
model.set_weights(start)
tests = {
    "true labels": training.overfit_tiny(model, x_train, y_train, n=20, steps=80),
    "shuffled labels": training.overfit_tiny(model, x_train, rng.permutation(y_train), n=20, steps=80),
}
plotting.tiny_fits(tests)
claim("the network learns 20 pictures by heart", tests["true labels"].passed)
claim("and 20 pictures with labels that mean nothing, too", tests["shuffled labels"].passed)

# %% [markdown]
# It passes, since learning by heart needs no meaning (Zhang and others 2017). So the test finds faults in the
# *machine*: in the gradient, the loss, the last layer, the rate. Faults in the *data* it does not find.
#
# A fault that it does find: softmax twice, once as the last layer and once inside the loss. What goes into the second
# softmax lies between 0 and 1, and the true class can be ahead by 1 at the most.
#
# **Predict**: how low can the loss get?

# %%
floor = cross_entropy(softmax(np.array([[1000.0] + [0.0] * 9])), [0])  # all probability on the true class
claim("with softmax twice the loss never falls below 1.461, however sure the network is", round(floor, 3) == 1.461)
claim("that is ln(e + 9) - 1", np.isclose(floor, np.log(np.e + 9) - 1))

# %% [markdown]
# A loss that creeps down and stands still near 1.46 for ten classes: look for a second softmax. TensorFlow notices and
# warns, the other backends do not.
#
# ### Exercise 03.5 · The bug that stops learning
#
# The function below is one epoch of SGD as in `sgd` above, but with a fresh order of the pictures each time. It runs
# without an error. It also learns nothing.


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
measured("loss on 20 pictures after 40 epochs", broken_loss)
claim("the tiny set is not learned", broken_loss > 1.0)

# %% [markdown]
# Find the bug and write `epoch` without it. Everything else stays: batches of 10, a fresh random order from `rng` at
# each call, every picture once, new weights returned and the old ones left as they were.


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
# ## Reading curves
#
# A training tells you what it needs, if you draw two curves: the loss on the **training set**, the pictures that it
# trains on, and the loss on the **validation set**, pictures that it never trains on. Here are four runs of the same
# network. You train the one that overfits. The other three are drawn from the first of five stored runs.


# %%
def full_run(rate, pictures=2000, batch_size=50, epochs=12, label="", callbacks=()):
    restart(rate)
    x, y = x_train[:pictures], y_train[:pictures]
    options = {"validation_data": (x_val, y_val), "validation_batch_size": 500, "callbacks": callbacks}
    history = training.fit(model, x, y, epochs=epochs, batch_size=batch_size, label=f"{label:12}", **options)
    return {name: [float(value) for value in values] for name, values in history.history.items()}


recipes = {
    "healthy": {"rate": 0.03},
    "underfitting": {"rate": 0.0002},
    "overfitting": {"rate": 0.03, "pictures": 100, "batch_size": 20, "epochs": 60},
    "rate too high": {"rate": 0.8},
}
four = Experiment("03_curves")
for name in four.pick(stored=recipes, live=["overfitting"]):
    four.keep(**{name: full_run(**recipes[name], label=name)})

# %%
curves = {name: four.live.get(name, four.stored[0][name]) for name in recipes}
plotting.histories(curves, limits=(0, 3))
loss_of, val_of = ({name: four.stored[name][key] for name in recipes} for key in ("loss", "val_loss"))  # (runs, epochs)
ends = {name: np.maximum(loss_of[name][:, -1], val_of[name][:, -1]) for name in recipes}
claim("healthy: both losses fall below 0.9, in each stored run", ends["healthy"].max() < 0.9)
gap = np.abs(loss_of["underfitting"] - val_of["underfitting"])[:, -1]
claim("underfitting: both stay above 1.2, and close", val_of["underfitting"].min() > 1.2 and gap.max() < 0.3)
claim("rate too high: no better than guessing", not (ends["rate too high"] < 2.2).any())
low, last = min(curves["overfitting"]["val_loss"]), curves["overfitting"]["val_loss"][-1]
claim("overfitting, in your run: training below 0.05", curves["overfitting"]["loss"][-1] < 0.05)
claim("while validation rises again by at least 0.2", last > low + 0.2)

# %% [markdown]
# | you see | it means | what helps |
# |---|---|---|
# | both fall, and flatten together | healthy | stop, or lower the rate for the last stretch |
# | both high and still falling, no gap | **underfitting** | a higher rate, more epochs, a larger network |
# | training goes to 0, validation turns up | **overfitting** | more data, augmentation (lesson 04), stop earlier |
# | flat at ln of the number of classes, or jumps up | **divergence** | a lower rate, warm-up |
# | NaN | an overflow, or the logarithm of 0 | see below |
#
# NaN is not a matter of luck. It has a first cause, and spreads from there to every weight in a single step. A common
# one is a loss put together by hand, as below.
#
# **Predict**: on pictures with values from 0 to 255, what do the two losses give?


# %%
def naive_loss(labels, scores):
    return -keras.ops.log(keras.ops.take_along_axis(keras.ops.softmax(scores), labels[:, None], axis=1))


restart(0.01)
x, y = 255 * x_train[:50], y_train[:50]
safe, _ = gradients.model_value_and_grad(model, loss, jit=False)(x, y)
naive, slopes = gradients.model_value_and_grad(model, naive_loss, jit=False)(x, y)
measured("the loss of Keras, from scores", safe)
claim("Keras stays finite", np.isfinite(safe))
claim("softmax and logarithm one after the other do not", not np.isfinite(naive))
claim("and their gradient holds NaN", any(np.isnan(keras.ops.convert_to_numpy(s)).any() for s in slopes))

# %% [markdown]
# A probability below $10^{-45}$ is 0 in float32, and the logarithm of 0 is minus infinity. `from_logits=True` never
# computes the probability. When you meet a NaN: look at the first loss, halve the rate, check the pictures for NaN and
# for values that nobody scaled, and let `keras.callbacks.TerminateOnNaN` stop the run, since it will not recover.
#
# ### Exercise 03.6 · Read four curves
#
# Four other runs, drawn as accuracy, the share of pictures named correctly. What does each need: `"more data"`, `"a
# higher rate"`, `"a lower rate"` or `"nothing"`? Make `needs` a dictionary with one of them for each letter, in the
# form `{"A": "…", "B": "…", "C": "…", "D": "…"}`.

# %%
plotting.unlabelled_curves(four.stored)

# %%
### BEGIN SOLUTION
needs = {"A": "more data", "B": "a lower rate", "C": "a higher rate", "D": "nothing"}
### END SOLUTION

# %%
exercise("03.6").check(needs)

# %% [markdown]
# ## Stop while it is good
#
# The third run was best long before its end. **Early stopping** watches the validation loss, stops when it has not
# improved for a while, the **patience**, and goes back to the best weights.

# %%
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10, restore_best_weights=True)
stopped = full_run(0.03, pictures=100, batch_size=20, epochs=60, label="early stop", callbacks=[stop])
at_best = model.evaluate(x_val, y_val, batch_size=500, verbose=0)[0]
measured("epochs run", len(stopped["loss"]))
measured("validation loss at the weights that are kept", at_best)
measured("validation loss after 60 epochs", last)
claim("it stops before the 60 epochs are over", len(stopped["loss"]) < 60)
claim("the weights that are kept have the best validation loss", abs(at_best - min(stopped["val_loss"])) < 1e-3)
claim("at least 0.2 lower than at the end of the long run", at_best < last - 0.2)

# %% [markdown]
# Note what you have done: you *chose* with the validation set, so its loss now flatters. A third set therefore, the
# **test set**, waits untouched until everything is chosen.
#
# ## Seeds, and what they do not fix
#
# A seed starts a random generator. `runtime.setup()` sets that of Python, NumPy and the backend, and the order of the
# pictures in `training.fit` depends on the seed and the number of the epoch alone.

# %%
first, second = short_run(0.03, steps=40), short_run(0.03, steps=40)
claim("the same seed gives the same losses on the same machine", np.allclose(first, second, atol=1e-3))
order = training.Batches(np.arange(8), np.arange(8), seed=0)
claim("seed 0, epoch 0 begins with pictures 2, 4 and 3 on every machine", list(order.order(0)[:3]) == [2, 4, 3])
claim("epoch 1 has another order", list(order.order(1)) != list(order.order(0)))

# %% [markdown]
# **Predict**: two recipes, the constant rate of 0.2 and the cosine from above, and five runs of each, every one with
# its own seed. Four of them were stored, the fifth is yours. Do the accuracies of the one recipe overlap with those of
# the other?

# %%
seeds = Experiment("03_seeds")
seeds.keep(**{name: history["val_accuracy"][-1] for name, history in histories.items()})
plotting.seed_spread(seeds.live, seeds.others.columns(), xlabel="validation accuracy after 8 epochs")
for name, values in seeds.all.columns().items():
    measured(f"{name:8}: mean of {len(values)} runs", np.mean(values), f"· spread {approx(np.std(values), 2)}")
claim("on average the cosine is better", seeds.all["cosine"].mean() > seeds.all["constant"].mean())

# %% [markdown]
# A single run of each would prove nothing, because the spread of one recipe is as large as many a gain that papers
# report. Run a few seeds, show all of them, and compare like with like. A seed does not fix
#
# - another backend, device or number of threads: sums are taken in another order, and the last bits differ;
# - another version of a library;
# - the order of the batches in plain `model.fit`: with a fixed seed it is the *same in every epoch* on TensorFlow, and
#   another one on each backend, which is why `training.fit` draws its own;
# - luck: the best of five seeds is not what the recipe gives.
#
# The recipe is chosen. Now the test set may speak, once.

# %%
model.set_weights(cosine_weights)
_, test_accuracy = model.evaluate(x_test, y_test, batch_size=500, verbose=0)
measured("validation accuracy of the recipe with the cosine", seeds.live["cosine"])
measured("its test accuracy", test_accuracy)
claim("on pictures that nobody chose by, it is within 6 points", abs(test_accuracy - seeds.live["cosine"]) < 0.06)

# %% [markdown]
# ## Killed in the middle
#
# A training runs for hours, and the machine goes down. What does it take to go on as if nothing had happened? The
# weights are the smaller part. Adam holds two more numbers for every weight. The step count drives the schedule. The
# order of the pictures must go on where it stopped.


# %%
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


# %%
folder = tempfile.TemporaryDirectory()
data = {"x": x_train[:500], "y": y_train[:500], "epochs": 4, "batch_size": 50}
whole = fresh()
training.train_resumable(whole, **data, directory=f"{folder.name}/whole", label="uninterrupted")

try:
    training.train_resumable(fresh(), **data, directory=f"{folder.name}/cut", callbacks=[PowerCut()])
except KeyboardInterrupt:
    print("killed in the third epoch")

# %% [markdown]
# A new process would start with a new network. `training.train_resumable` finds what was saved after the second epoch,
# by `keras.callbacks.BackupAndRestore` and a few files beside it, and goes on from there.
#
# **Predict**: how far are its final weights from those of the uninterrupted run? And if only the weights are kept, and
# Adam starts anew?

# %%
resumed = fresh()
history = training.train_resumable(resumed, **data, directory=f"{folder.name}/cut", label="resumed")


def distance(a, b):
    return max(np.abs(u - v).max() for u, v in zip(a.get_weights(), b.get_weights()))


claim("its history holds all four epochs", len(history.history["loss"]) == 4)
claim("the resumed run ends at the same weights to 1e-6", distance(whole, resumed) <= 1e-6)

# %%
half_way = fresh()
training.train_resumable(half_way, **{**data, "epochs": 2}, directory=f"{folder.name}/half", label="two epochs")
forgetful = fresh()  # a new Adam
forgetful.set_weights(half_way.get_weights())
training.fit(forgetful, data["x"], data["y"], epochs=4, initial_epoch=2, batch_size=50, label="weights only")
measured("largest difference with the optimizer's memory lost", distance(whole, forgetful), digits=1)
claim("that is more than a thousand times the difference with it", distance(whole, forgetful) > 1e-3)

# %% [markdown]
# A `.keras` file, written with `model.save`, holds the optimizer as well. It does not hold the order of the data, the
# state of dropout (lesson 05), or the epoch.

# %%
whole.save(f"{folder.name}/whole.keras")
loaded = keras.models.load_model(f"{folder.name}/whole.keras")
claim("the loaded network has the same weights", distance(whole, loaded) == 0)
claim("and its optimizer knows that it took 40 steps", int(loaded.optimizer.iterations) == 40)
folder.cleanup()

# %% [markdown]
# ## Recap
#
# - Softmax and cross-entropy turn scores into a loss. Its gradient by the scores is $p - [c = y]$, divided by the size
#   of the batch. Guessing among ten classes costs 2.303.
# - Training is a loop: batch, forward, loss, gradient, step. In NumPy and in Keras it gives the same numbers.
# - The steepest direction limits the learning rate, at $2/\lambda$. Momentum and Adam go faster along the flat ones.
# - Find the rate by a range test and search in decades. Start low, end at nothing.
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
# the slope is small, so at that rate progress is slow. The velocity averages gradients: to and fro across the valley
# cancels, along it adds up, with 0.9 to about ten times the single step. The effective rate is raised along the floor
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
# - D. Kingma and J. Ba (2015), *Adam: a method for stochastic optimization*.
# - L. N. Smith (2017), *Cyclical learning rates for training neural networks* (range test).
# - P. Goyal and others (2017), *Accurate, large minibatch SGD: training ImageNet in 1 hour* (warm-up).
# - I. Loshchilov and F. Hutter (2017), *SGDR: stochastic gradient descent with warm restarts* (cosine).
# - C. Zhang and others (2017), *Understanding deep learning requires rethinking generalization*.
# - H. Xiao, K. Rasul and R. Vollgraf (2017), *Fashion-MNIST*.
# - H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein (2018), *Visualizing the loss landscape of neural nets*.
# - I. Loshchilov and F. Hutter (2019), *Decoupled weight decay regularization* (AdamW).
