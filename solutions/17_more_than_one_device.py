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
# # 17 · More than one device
#
# **A training takes a week. You get a second device. What do you gain, and what can go wrong?**
#
# When you have worked through this page you can
# - divide a batch among devices and get the gradient of one, and say what breaks the equality
# - bring a training back after a worker was killed, and prove that nothing was lost
# - predict from two numbers how many devices still pay
# - scale batch and learning rate together, and see where that ends
# - say what does not fit on a device, what a run costs, and what is missing of a hundred
#
# **Before this**: [03 Training from first principles](../notebooks/03_training_from_first_principles.ipynb),
# [06 Batch normalisation and ResNet](../notebooks/06_batch_norm_and_resnet.ipynb) · **Reading** 50 min ·
# **Exercises** 60 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 One step | Do several devices compute what one computes? | 25 |
# | 2 Workers | Who adds up the gradients, and what if one of them dies? | 30 |
# | 3 Does it pay? | How much faster, with which batch and which rate? | 30 |
# | 4 Too large, too many, too dear | What does not fit, what is missing, what does it cost? | 25 |
#
# [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="17")

# %%
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from cnnlib import claim, exercise, gradients, parallel, plotting, results
from cnnlib.claims import approx, measured
from cnnlib.trace import trace

# %% [markdown]
# ## Part 1 · One step
#
# **Do several devices compute what one computes?**
#
# You have a batch of 64 images and two devices. The oldest way to use both is **data parallelism**: each device has
# a copy of the whole network, each gets half of the batch, each computes a gradient, and the two gradients are averaged.
# Then both take the same step, so the copies stay equal.
#
# Nothing of this needs two devices. Play both of them, one after the other.

# %%
x, y = parallel.images(1024)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model = parallel.network("group", seed=runtime.seed())
differentiate = gradients.model_value_and_grad(model, loss)


def gradient(compute, shard):
    """The gradient of the mean loss over some images, as a list of arrays."""
    return [ops.convert_to_numpy(g) for g in compute(x[shard], y[shard])[1]]


whole = gradient(differentiate, slice(0, 64))
halves = [gradient(differentiate, shard) for shard in parallel.shards(64, 2)]
apart = parallel.relative_difference(parallel.average(halves), whole)
measured("difference, as a share of the gradient's length:", apart)
claim("two devices give the gradient of one, to a hundred-thousandth", apart < 1e-5)

# %% [markdown]
# This is no luck. The loss of a batch $B$ is a mean over its images, so its gradient is a mean too, and a mean of means
# is the mean, if each counts by its number of images:
#
# $$g = \frac{1}{|B|}\sum_{i \in B} \nabla\ell_i = \sum_k \frac{|B_k|}{|B|}\; g_k, \qquad
# g_k = \frac{1}{|B_k|}\sum_{i \in B_k} \nabla\ell_i$$
#
# where $\ell_i$ is the loss of image $i$, and device $k$ has the **shard** $B_k$. What is left is rounding: sums in
# another order.
#
# ### Exercise 17.1 · Average the gradients
#
# The last batch of an epoch has 50 images, and four devices got 16, 16, 16 and 2 of them. Write the average for shards
# of any size.
#
# `parts` has for each device a list of arrays, one for each weight: the gradient of the *mean* loss over its own
# images. `images` has the number of images of each. A device may have had none: the mean over nothing is NaN, and its
# arrays hold just that. Return a list of arrays.


# %%
def average_gradients(parts: list[list[np.ndarray]], images: list[int]) -> list[np.ndarray]:
    """The gradient of the mean loss over all images, one array for each weight."""
    ### BEGIN SOLUTION
    total = sum(images)
    used = [(n / total, arrays) for n, arrays in zip(images, parts) if n > 0]
    return [sum(share * arrays[k] for share, arrays in used) for k in range(len(parts[0]))]
    ### END SOLUTION


# %%
exercise("17.1").check(average_gradients)

# %% [markdown]
# ## One layer does not play along
#
# The network above uses group normalisation. Put **batch normalisation** in its place, and do the same.
#
# **Predict**: how far apart are the gradients of one device and of two now, as a share of their length: 0, some
# millionths, some hundredths, or more?


# %%
def broken_by(norm, devices):
    """How far the averaged gradient of some devices is from that of one."""
    compute = gradients.model_value_and_grad(parallel.network(norm, seed=runtime.seed()), loss)
    parts = [gradient(compute, shard) for shard in parallel.shards(64, devices)]
    return parallel.relative_difference(parallel.average(parts), gradient(compute, slice(0, 64)))


counts = [2, 4, 16]
breaks = {f"{norm} normalisation": [broken_by(norm, n) for n in counts] for norm in ("group", "batch")}
plotting.curves(
    breaks,
    counts,
    xlabel="devices that share 64 images",
    ylabel="difference / length",
    logy=True,
    markers=True,
    alt="Two lines over 2, 4 and 16 devices: group normalisation stays below a millionth or so, batch normalisation is "
    "four and more powers of ten above it and rises.",
)
claim("with group normalisation any number of devices agrees with one", max(breaks["group normalisation"]) < 1e-5)
claim("with batch normalisation two devices are off by more than 2 %", breaks["batch normalisation"][0] > 0.02)
claim("and sixteen by more than two", breaks["batch normalisation"][2] > 1.5 * breaks["batch normalisation"][0])

# %% [markdown]
# Batch normalisation takes mean and variance over the *batch*, and a device sees only its shard. So the loss of an image
# depends on which others are on its device, and is no longer one term of a sum.
#
# That is an explanation. Can it be refuted? If the statistics of shards are the reason, and nothing else, then *one*
# device that normalises each half of its batch by itself must give the gradient of two, exactly.


# %%
@keras.saving.register_keras_serializable("lesson_17")
class NormalizeHalves(layers.BatchNormalization):
    """Batch normalisation that takes its statistics over each half of the batch by itself."""

    def call(self, inputs, training=None):
        halves = ops.split(inputs, 2, axis=0)
        return ops.concatenate([super(NormalizeHalves, self).call(half, training=training) for half in halves])


alone = gradients.model_value_and_grad(parallel.network(NormalizeHalves, seed=runtime.seed()), loss)
two = gradients.model_value_and_grad(parallel.network("batch", seed=runtime.seed()), loss)
averaged = parallel.average([gradient(two, shard) for shard in parallel.shards(64, 2)])
left = parallel.relative_difference(gradient(alone, slice(0, 64)), averaged)
claim("one device with the statistics of halves gives the gradient of two devices", left < 1e-5)

# %% [markdown]
# So it is the statistics, and all of it. Is it bad? Compare with what two different batches of 64 differ by.

# %%
other = parallel.relative_difference(gradient(two, slice(64, 128)), gradient(two, slice(0, 64)))
measured("one batch on two devices and on one differ by", breaks["batch normalisation"][0], digits=2)
measured("two batches on one device differ by", other, digits=2)
claim("the noise of batches is greater", other > breaks["batch normalisation"][0])

# %% [markdown]
# With 32 images on each device one lives with it, and most do; what is lost is that a run can be compared with that of
# one device number by number. With 4 images on each, use a normalisation that does not look at other images, or let the
# devices average the statistics too (`synchronized=True`), at the price of talking in each such layer.
#
# ## The same in turns
#
# A batch that is too large for the memory of one device can be computed in parts, one after the other, and the gradients
# be averaged before the step: **gradient accumulation**. It is data parallelism with one device that plays all of them.
# Keras' optimizers do it; they step when the last part has come.

# %%
start = model.get_weights()
turns = keras.optimizers.SGD(0.1, gradient_accumulation_steps=4)
for shard in parallel.shards(64, 4):
    turns.apply(differentiate(x[shard], y[shard])[1], model.trainable_variables)
stepped = [after - before for after, before in zip(model.get_weights(), start)]
expected = [-0.1 * g for g in whole]
model.set_weights(start)
claim("four parts and one step are the step of the batch", parallel.relative_difference(stepped, expected) < 1e-4)

# %% [markdown]
# It saves memory, and no time. With batch normalisation it breaks what two devices break.
#
# **So far**: a gradient is a mean over images, so devices can share it, each by its number of images. What looks at the
# whole batch, batch normalisation, is no longer what it was.
#
# ## Part 2 · Workers
#
# **Who adds up the gradients, and what if one of them dies?**
#
# Each backend has means of its own to divide a batch. To try them you need no second device: a backend can be told to
# *simulate* some. But only before it starts, by environment variables, and yours has started. So the next cell starts
# other processes, which train three steps on one simulated device, and on two.
#
# | backend | means | how devices are made |
# |---|---|---|
# | TensorFlow | `tf.distribute.MirroredStrategy` | logical CPUs, before the first operation |
# | JAX | `keras.distribution.DataParallel` | `XLA_FLAGS=--xla_force_host_platform_device_count=2` |
# | PyTorch | `DistributedDataParallel` with gloo | two processes |
#
# **Predict**: two of the three break with batch normalisation, as you did above. One does not. Which?

# %%
here = runtime.backend()
live = {norm: parallel.on_devices(norm).differences for norm in ("group", "batch")}
stored = results.Experiment("parallel_devices").stored
for name in ("tensorflow", "jax", "torch"):
    ends = [approx(stored[name][norm][:, 0].mean(), 2) for norm in ("group", "batch")]
    print(f"{parallel.simulated.MEANS[name]:42} group {ends[0]}, batch {ends[1]}")
print("\nthis run:", *(f"{norm} {approx(live[norm][0], 2)}" for norm in live))
claim("with group normalisation two devices take the step of one", live["group"][0] < 1e-4)
claim("with batch normalisation they do so under JAX only", (live["batch"][0] < 1e-3) == (here == "jax"))
claim("in each stored run too", all((stored[b]["batch"][:, 0] < 1e-3).all() == (b == "jax") for b in ("torch", "jax")))

# %% [markdown]
# The numbers are differences after one step, as a share of the step. TensorFlow and PyTorch run one *copy* of the
# program on each device, and only gradients are exchanged. JAX runs *one* program on arrays that happen to be divided: a
# mean over the batch is a mean over the batch, and the compiler sees to it that the devices talk.
#
# ## The ring
#
# How do you average an array over $n$ devices? Sending all to one device that adds up makes that one the bottleneck: $n$
# times the bytes through one door. In a **ring all-reduce** each device talks to its right neighbour only. The array is
# cut into $n$ chunks. In $n-1$ steps each device passes on one chunk, and adds what comes from the left to its own;
# after them each has one chunk of the total. In $n-1$ further steps the totals go round.

# %%
n = 4
held = [np.ones((n, n), int)]
for step in range(2 * (n - 1)):
    now = held[-1].copy()
    for device in range(n):
        chunk = (device - step) % n
        came = held[-1][device, chunk]
        right = (device + 1) % n
        now[right, chunk] = came + (now[right, chunk] if step < n - 1 else 0)
    held.append(now)
plotting.ring_steps(
    held,
    alt="Seven tables of 4 devices and 4 chunks. At the start all hold 1. After three steps each device holds 4 for one "
    "chunk, after six steps for all.",
)
claim("after 2 (n - 1) = 6 steps every device has the sum of all", (held[-1] == n).all())
claim("each sends 2 (n - 1) / n = 1.5 times the array", parallel.ring_bytes(1, 4) == 1.5)

# %% [markdown]
# The bytes that one device sends never reach twice the array, however many there are. That is why it scales.
#
# ### Exercise 17.2 · The ring, step by step
#
# `values` (n, n): row $d$ is what device $d$ holds, its n chunks, each of one number here. Return what all hold after
# `steps` steps of the ring, from 0 to 2 (n - 1). In step $s$, counted from 0, device $d$ sends chunk $(d - s) \bmod n$
# to device $d + 1$, and the last to device 0; all send at the same time. In the first n - 1 steps what comes is added,
# later it replaces.


# %%
def ring_after(values: np.ndarray, steps: int) -> np.ndarray:
    """What the devices hold after some steps of a ring all-reduce, (n, n)."""
    ### BEGIN SOLUTION
    n = len(values)
    for step in range(steps):
        before, values = values, values.copy()
        for device in range(n):
            chunk, right = (device - step) % n, (device + 1) % n
            kept = before[right, chunk] if step < n - 1 else 0
            values[right, chunk] = kept + before[device, chunk]
    return values
    ### END SOLUTION


# %%
exercise("17.2").check(ring_after)

# %% [markdown]
# ## Two processes, one network
#
# Now for real, by hand: two worker processes on this machine, each with its own copy of the network, and a ring over the
# machine's own network interface. [worker.py](../cnnlib/parallel/worker.py) and [ring.py](../cnnlib/parallel/ring.py)
# are short. Both workers take 20 steps with 64 images together; before that, one of them alone takes the same 20.

# %%
group = parallel.Group(workers=2)
group.start()
alone = group.train(steps=20, workers=1)
together = group.train(steps=20)
bits = [weights.tobytes() for weights in together.weights]
claim("both workers end with the same weights, bit for bit", bits[0] == bits[1])
size = together.weights[0].nbytes
claim("each sent 20 times the bytes of the formula", together.sent == 20 * parallel.ring_bytes(size, 2))
claim("at first the loss is that of one worker", abs(together.losses[0] - alone.losses[0]) < 1e-5)
measured("after 20 steps the losses differ by", abs(together.losses[-1] - alone.losses[-1]))

# %% [markdown]
# Rounding differs between one worker and two, and training magnifies it: in a later step by a thousand times and more.
# Do not ask two runs with another order of sums to agree after a thousand steps.
#
# ## One of them is killed
#
# On one machine a failure is rare. With $n$ machines that each fail once in $T$ hours, something fails every $T/n$ hours:
# of 1,000 machines with a failure in five years each, one goes down every two days. So a run saves itself, and whoever
# notices that one is gone starts it again and goes on from the last save.
#
# The next run saves every 5 steps. After step 12 worker 1 is killed, by the signal that no program can refuse (`kill -9`).
#
# **Predict**: which steps are computed twice? And by how much will the final weights differ from the undisturbed run's?

# %%
saves = Path(tempfile.mkdtemp())
disturbed = group.train(steps=20, save=5, kill=(1, 12), folder=saves)
print("\n".join(disturbed.log))
lost = parallel.relative_difference(disturbed.weights, together.weights)
claim("it goes on from step 10: two steps are computed twice", "go on from step 10" in disturbed.log)
claim("and ends where the undisturbed run ended, to rounding", lost < 1e-6)

# %% [markdown]
# What has to be in a save for that? The weights, of course. Leave out one other thing at a time, go on from the same save,
# and look how far the end is from the undisturbed run's, as a share of what the last ten steps change.

# %%
with np.load(saves / "save-00010.npz") as save:
    moved = parallel.relative_difference([together.weights[0]], [save["weights"]])
for what in ("momentum", "order"):
    forgetful = group.train(steps=20, resume=10, forget=[what], folder=saves)
    off = parallel.relative_difference(forgetful.weights, together.weights)
    measured(f"without the {what}: off by", off / moved, digits=2)
    claim(f"a save without the {what} is no save", off > 0.05 * moved)
group.close()

# %% [markdown]
# Nothing fails in such a run. It only is another one. So test it as here: kill, go on, compare weights with those of an
# undisturbed run. In a program of one process, `training.train_resumable` (lesson 03) does all of it.
#
# **So far**: gradients go round in a ring, and each device sends less than twice their bytes. A save holds weights,
# momentum, step and the place in the data; whether it is complete, a kill and a comparison tell.
#
# ## Part 3 · Does it pay?
#
# **How much faster, with which batch and which rate?**
#
# With $t_1$ the time on one device and $t_n$ on $n$, the **speed-up** is $t_1 / t_n$ and the **efficiency** is
# $t_1 / (n\,t_n)$. Here are those of your two workers: a worker has one thread, so with two cores or more that are free
# one expects 1.6 to 1.9, and with busy ones anything.

# %% tags=["nbval-ignore-output"]
speed_up = alone.seconds / together.seconds
measured("a step of one worker takes", 1000 * alone.seconds, "ms")
measured("a step of two takes", 1000 * together.seconds, "ms")
measured("speed-up", speed_up, digits=2)
measured("efficiency", speed_up / 2, digits=2)
measured("share of the exchange", np.median(together.exchanged) / together.seconds, digits=2)

# %% [markdown]
# What will a hundred give? **Amdahl's law** (1967): if the share $s$ of the work cannot be divided,
#
# $$S_n = \frac{1}{s + (1-s)/n} < \frac{1}{s}.$$
#
# **Gustafson** (1988) answers: with more devices nobody does the same work faster, one does *more* work in the same
# time. If each device brings a batch of its own, and spends the share $s$ of its time on what all have to wait for, then
# $n$ devices do
#
# $$S_n = s + (1-s)\,n$$
#
# times the work of one. Both are right. They answer different questions: *the same batch, sooner* (**strong scaling**),
# or *a larger batch in the same time* (**weak scaling**).

# %%
claim("5 % that cannot be divided: 64 devices are 15 times as fast, and no number 20", 15 < parallel.amdahl(64, 0.05) < 16)
claim("with a batch that grows they do 60 times the work", 60 < parallel.gustafson(64, 0.05) < 61)

# %% [markdown]
# ### Exercise 17.3 · Efficiency
#
# You measured the same job on several numbers of devices: `seconds` is a dictionary of number and time, and has 1. For
# each *other* number return speed-up, efficiency and the serial share that Amdahl's law gives for this measurement, the
# law solved for $s$: a dictionary of number and a tuple of three.


# %%
def scaling(seconds: dict[int, float]) -> dict[int, tuple[float, float, float]]:
    """For each number of devices but 1: speed-up, efficiency, serial share."""
    ### BEGIN SOLUTION
    found = {}
    for n, time in seconds.items():
        if n > 1:
            speed_up = seconds[1] / time
            found[n] = speed_up, speed_up / n, (1 / speed_up - 1 / n) / (1 - 1 / n)
    return found
    ### END SOLUTION


# %%
exercise("17.3").check(scaling)

# %% [markdown]
# If the share grows with $n$, then it is not a part of the program that cannot be divided. Something is *added* with each
# device: talk.
#
# ## Where one more stops paying
#
# A step on $n$ devices costs the computing, divided, and the ring:
#
# $$t_n = \frac{c}{n} + \frac{2(n-1)}{n}\,\frac{b}{w} + 2(n-1)\,l$$
#
# with $c$ seconds of computing for the batch, $b$ bytes of gradient, $w$ bytes a second over one link and $l$ seconds
# until the first byte arrives. Take ResNet-50, a batch of 256 images that one device computes in 0.64 s.
#
# **Predict**: on how many devices does this batch run at half efficiency, at 1, 10 and 100 gigabits a second?

# %%
resnet50 = keras.applications.ResNet50(weights=None)
weights = resnet50.count_params()
devices = np.arange(1, 129)
links = {"1 Gbit/s": 1.25e8, "10 Gbit/s": 1.25e9, "100 Gbit/s": 1.25e10}
steps = {name: parallel.step_seconds(devices, 0.64, 4 * weights, w, latency=2e-5) for name, w in links.items()}
plotting.curves(
    {name: 0.64 / (devices * seconds) for name, seconds in steps.items()},
    devices,
    xlabel="devices",
    ylabel="efficiency",
    logx=True,
    alt="Efficiency over 1 to 128 devices for three links: it falls from 1, at once for the slowest, late for the fastest.",
)
pays = {name: parallel.worth_it(seconds) for name, seconds in steps.items()}
print(f"{weights:,} weights, {4 * weights / 1e6:.0f} MB of gradient; at half efficiency: {pays}")
claim("at 1 gigabit a second two devices are slower than one", steps["1 Gbit/s"][1] > 0.64)
claim("at 10 it pays up to 4, at 100 up to 37", (pays["10 Gbit/s"], pays["100 Gbit/s"]) == (4, 37))

# %% [markdown]
# A model of four numbers, and each of them can be looked up or measured before anything is bought. What moves the limit:
# more computing for each byte (a larger batch on each device, or convolutions rather than dense layers), fewer bytes
# (gradients in 16 bits halve $b$), and exchange *while* the backward pass still computes, which frameworks do: the
# gradients of the last layers are known first.
#
# ## A batch that grows
#
# The cheapest of these is the larger batch. 32 images on each of 16 devices are a batch of 512. Is that the same training?
# It takes a sixteenth of the steps for an epoch. The **linear rule** (Goyal and others 2017): with a batch $k$ times as
# large take a rate $k$ times as large, because $k$ small steps in about the same direction are one long one. In the
# beginning directions change from step to step, so the rate climbs for some epochs: **warm-up**.
#
# The small network of this page was trained on 4,000 images for five epochs, with batches of 32 to 2,000 and for each of
# them with five or six rates, for three seeds. You run two more: a batch of 500 with the rate that is best for 32, and with
# the rate of the linear rule.
#
# **Predict**: is the best rate of 500 sixteen times that of 32? And of 2,000 sixty times?

# %%
sweep = results.Experiment("parallel_batches").stored
valid = sweep["constant"]["validation"]
mean = {batch: {rate: valid[batch][rate].mean() for rate in sweep[0]["constant"]["validation"][batch]} for batch in sweep[0]["constant"]["validation"]}
best = {batch: max(of_rate, key=of_rate.get) for batch, of_rate in mean.items()}
best
