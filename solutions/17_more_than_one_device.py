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
# [← 16 Fast enough](../notebooks/16_fast_enough.ipynb) · [Course map](../README.md)

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
# You have a batch of 64 images and two devices. The oldest way to use two devices at once is **data parallelism**:
# each device has a copy of the whole network, each gets half of the batch, each computes a gradient, and the two
# gradients are averaged. Then both take the same step, so the copies stay equal.
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
# This is no luck. The loss of a batch $B$ is a mean over its images, so its gradient is a mean too, and a mean of
# means is the mean, if each counts by its number of images:
#
# $$g = \frac{1}{|B|}\sum_{i \in B} \nabla\ell_i = \sum_k \frac{|B_k|}{|B|}\; g_k, \qquad
# g_k = \frac{1}{|B_k|}\sum_{i \in B_k} \nabla\ell_i$$
#
# where $\ell_i$ is the loss of image $i$, and device $k$ has the part $B_k$ of the batch, its **shard**. What is left
# is rounding: sums in another order.
#
# ### Exercise 17.1 · Average the gradients
#
# The last batch of an epoch has 50 images, and four devices got 16, 16, 16 and 2 of them. Write the average for
# shards of any size.
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
# ### One layer does not play along
#
# The network above uses group normalisation. Put batch normalisation in its place, and do the same.
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
# Batch normalisation takes mean and variance over the *batch*, and a device sees only its shard. So the loss of an
# image depends on which others are on its device, and is no longer one term of a sum.
#
# That is an explanation. Can it be refuted? If the statistics of shards are the reason, and nothing else, then *one*
# device that normalises each half of its batch by itself must give the gradient of two, exactly.


# %%
class NormalizeHalves(layers.BatchNormalization):
    """Batch normalisation that takes its statistics over each half of the batch by itself."""

    def call(self, inputs, training=None):
        halves = ops.split(inputs, 2, axis=0)
        return ops.concatenate([super(NormalizeHalves, self).call(half, training=training) for half in halves])


imitation = gradients.model_value_and_grad(parallel.network(NormalizeHalves, seed=runtime.seed()), loss)
two = gradients.model_value_and_grad(parallel.network("batch", seed=runtime.seed()), loss)
averaged = parallel.average([gradient(two, shard) for shard in parallel.shards(64, 2)])
left = parallel.relative_difference(gradient(imitation, slice(0, 64)), averaged)
claim("one device with the statistics of halves gives the gradient of two devices", left < 1e-5)

# %% [markdown]
# So it is the statistics, and all of it. Is it bad? Compare with what two different batches of 64 differ by.

# %%
other = parallel.relative_difference(gradient(two, slice(64, 128)), gradient(two, slice(0, 64)))
measured("one batch on two devices and on one differ by", breaks["batch normalisation"][0], digits=2)
measured("two batches on one device differ by", other, digits=2)
claim("the noise of batches is greater", other > breaks["batch normalisation"][0])

# %% [markdown]
# With 32 images on each device one lives with it, and most do; what is lost is that a run can be compared with that
# of one device number by number. With 4 images on each, use a normalisation that does not look at other images, or
# let the devices average the statistics too (`synchronized=True`), at the price of talking in each such layer.
#
# ### The same in turns
#
# A batch that is too large for the memory of one device can be computed in parts, one after the other, and the
# gradients be averaged before the step: **gradient accumulation**. It is data parallelism with one device that plays
# all of them. Keras' optimizers do it; they step when the last part has come.

# %%
start = model.get_weights()
turns = keras.optimizers.SGD(0.1, gradient_accumulation_steps=4)
for shard in parallel.shards(64, 4):
    turns.apply(differentiate(x[shard], y[shard])[1], model.trainable_variables)
stepped = [after - before for after, before in zip(model.get_weights(), start)]
apart = parallel.relative_difference(stepped, [-0.1 * g for g in whole])
claim("four parts and one step are the step of the batch", apart < 1e-4)

# %% [markdown]
# It saves memory, and no time. With batch normalisation it breaks what two devices break.
#
# **So far**: a gradient is a mean over images, so devices can share it, each by its number of images. What looks at
# the whole batch, batch normalisation, is no longer what it was.
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
live = {norm: each.differences for norm, each in parallel.on_devices().items()}
stored = results.Experiment("parallel_devices").stored
for name in ("tensorflow", "jax", "torch"):
    ends = [approx(stored[name][norm][:, 0].mean(), 2) for norm in ("group", "batch")]
    print(f"{parallel.simulated.MEANS[name]:42} group {ends[0]}, batch {ends[1]}")
claim("here, with group normalisation, two devices take the step of one", live["group"][0] < 1e-4)
claim("with batch normalisation they do so under JAX only", (live["batch"][0] < 1e-3) == (here == "jax"))
claim("in each stored run too", all((stored[b]["batch"][:, 0] < 1e-3).all() == (b == "jax") for b in ("torch", "jax")))

# %% [markdown]
# The numbers are differences after one step, as a share of the step. TensorFlow and PyTorch run one *copy* of the
# program on each device, and only gradients are exchanged. JAX runs *one* program on arrays that happen to be
# divided: a mean over the batch is a mean over the batch, and the compiler sees to it that the devices talk.
#
# ### The ring
#
# How do you average an array over $n$ devices? Sending all to one device that adds up makes that one the bottleneck:
# $n$ times the bytes through one door. A **ring all-reduce** adds an array up over devices of which each talks to its
# right neighbour only. The array is cut into $n$ chunks. In $n-1$ steps each device passes on one chunk, and adds
# what comes from the left to its own; after them each has one chunk of the total. In $n-1$ further steps the totals
# go round.

# %%
held = parallel.ring_states(np.ones((4, 4), int))
plotting.ring_steps(
    held,
    alt="Seven tables of 4 devices and 4 chunks. At the start all hold 1. After three steps each device holds 4 for "
    "one chunk, after six steps for all.",
)
claim("after 2 (n - 1) = 6 steps every device has the sum of all", (held[-1] == 4).all())
claim("each sends 2 (n - 1) / n = 1.5 times the array", parallel.ring_bytes(1, 4) == 1.5)

# %% [markdown]
# The bytes that one device sends never reach twice the array, however many there are. That is why it scales.
#
# ### Exercise 17.2 · The ring, step by step
#
# `values` (n, n): row $d$ is what device $d$ holds, its n chunks, each of one number here. Return what all hold after
# `steps` steps of the ring, from 0 to 2 (n - 1). In step $s$, counted from 0, device $d$ sends the chunk of number
# $d - s$ modulo $n$ to device $d + 1$, and the last device to device 0. In the first n - 1 steps what comes is added
# to what is there, later it replaces it. The sender keeps what it sends.


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
# ### Two processes, one network
#
# Now for real, by hand: two worker processes on this machine, each with its own copy of a small network, and a ring
# over the machine's own network interface. The network is made of the NumPy functions of lessons 01 and 03, so that a
# worker starts at once and has one thread. [worker.py](../cnnlib/parallel/worker.py) and
# [ring.py](../cnnlib/parallel/ring.py) are short. Both workers take 20 steps with 256 images together; before that,
# one of them alone takes the same 20.

# %%
group = parallel.Group(workers=2).start()
alone = group.train(steps=20, workers=1)
together = group.train(steps=20)
one, other = together.weights
claim("both workers end with the same weights, bit for bit", one.tobytes() == other.tobytes())
claim("each sent 20 times the bytes of the formula", together.sent == 20 * parallel.ring_bytes(one.nbytes, 2))
apart = parallel.relative_difference(together.weights[:1], alone.weights)
measured("two workers and one end apart by, as a share of the weights,", apart)
claim("after 20 steps two workers are where one is, to a thousandth", apart < 1e-3)

# %% [markdown]
# Sums in another order are rounded differently, and training magnifies what differs. So two runs with another number
# of workers agree well for some steps. Do not ask them to agree after some thousand.
#
# ### One of them is killed
#
# On one machine a failure is rare. With $n$ machines that each fail once in $T$ hours, something fails every $T/n$
# hours: of 1,000 machines with a failure in five years each, one goes down every two days. So a run saves itself, and
# whoever notices that one is gone starts it again and goes on from the last save.
#
# The next run saves every 5 steps. After step 12 worker 1 is killed, by the signal that no program can refuse (`kill
# -9`).
#
# **Predict**: which steps are computed twice? And by how much will the final weights differ from the undisturbed
# run's?

# %%
saves = Path(tempfile.mkdtemp())
disturbed = group.train(steps=20, save=5, kill=(1, 12), folder=saves)
print("\n".join(disturbed.log))
lost = parallel.relative_difference(disturbed.weights, together.weights)
claim("it goes on from step 10: two steps are computed twice", "go on from step 10" in disturbed.log)
claim("and ends where the undisturbed run ended, to rounding", lost < 1e-6)

# %% [markdown]
# What has to be in a save for that? The weights, of course. Leave out one other thing at a time, go on from the same
# save, and look how far the end is from the undisturbed run's, as a share of what the last ten steps change.

# %%
with np.load(saves / "save-00010.npz") as save:
    moved = parallel.relative_difference([together.weights[0]], [save["weights"]])
for what in ("momentum", "order"):
    forgetful = group.train(steps=20, resume=10, forget=[what], folder=saves)
    off = parallel.relative_difference(forgetful.weights, together.weights)
    measured(f"without the {what}: off by", off / moved, digits=2)
    claim(f"a save without the {what} is no save", off > 0.01 * moved)
group.close()

# %% [markdown]
# Nothing fails in such a run. It only is another one. So test it as here: kill, go on, compare weights with those of
# an undisturbed run. In a program of one process, `training.train_resumable` (lesson 03) does all of it.
#
# **So far**: gradients go round in a ring, and each device sends less than twice their bytes. A save holds weights,
# momentum, step and the place in the data; whether it is complete, a kill and a comparison tell.
#
# ## Part 3 · Does it pay?
#
# **How much faster, with which batch and which rate?**
#
# With $t_1$ the time on one device and $t_n$ on $n$, the **speed-up** is $t_1 / t_n$ and the **parallel efficiency**
# is $t_1 / (n\,t_n)$. Here are those of your two workers. Each has one thread, so on two free cores the speed-up
# comes near 2, and on busy ones it may be anything, below 1 included.

# %% tags=["nbval-ignore-output"]
speed_up = alone.seconds / together.seconds
print("a step of one worker and of two, in ms:", *(approx(1000 * run.seconds) for run in (alone, together)))
print("speed-up and efficiency:", approx(speed_up, 2), approx(speed_up / 2, 2))
measured("share of the exchange", np.median(together.exchanged) / together.seconds, digits=2)

# %% [markdown]
# What will a hundred give? **Amdahl's law** (1967): if the share $s$ of the work cannot be divided,
#
# $$S_n = \frac{1}{s + (1-s)/n} < \frac{1}{s}.$$
#
# **Gustafson's law** (1988) answers: with more devices nobody does the same work faster, one does *more* work in the
# same time. If each device brings a batch of its own, and spends the share $s$ of its time on what all have to wait
# for, then $n$ devices do
#
# $$S_n = s + (1-s)\,n$$
#
# times the work of one. Both are right, as there are two questions. **Strong scaling** asks for *the same batch,
# sooner*, **weak scaling** for *a larger batch in the same time*.

# %%
claim("with 5 % that cannot be divided 64 devices are 15 times as fast", 15 < parallel.amdahl(64, 0.05) < 16)
claim("and a million are not 20 times as fast", parallel.amdahl(10**6, 0.05) < 20)
claim("with a batch that grows 64 do 60 times the work", 60 < parallel.gustafson(64, 0.05) < 61)

# %% [markdown]
# ### Exercise 17.3 · Efficiency
#
# You measured the same job on several numbers of devices: `seconds` is a dictionary of number and time, and has 1.
# For each *other* number return speed-up, efficiency and the serial share that Amdahl's law gives for this
# measurement, the law solved for $s$: a dictionary of number and a tuple of three.


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
# If the share grows with $n$, then it is not a part of the program that cannot be divided. Something is *added* with
# each device: talk.
#
# ### Where one more stops paying
#
# A step on $n$ devices costs the computing, divided, and the ring:
#
# $$t_n = \frac{c}{n} + \frac{2(n-1)}{n}\,\frac{b}{w} + 2(n-1)\,l$$
#
# with $c$ seconds of computing for the batch, $b$ bytes of gradient, $w$ bytes a second over one link and $l$ seconds
# until the first byte arrives. Take ResNet-50, and suppose that one device computes a batch of 256 in 0.64 s.
#
# **Predict**: on how many devices does this batch run at half efficiency, at 1, 10 and 100 gigabits a second?

# %%
rows = trace(keras.applications.ResNet50(weights=None))
weights, macs = rows.total_parameters, rows.total_macs
devices = np.arange(1, 129)
links = {"1 Gbit/s": 1.25e8, "10 Gbit/s": 1.25e9, "100 Gbit/s": 1.25e10}
steps = {name: parallel.step_seconds(devices, 0.64, 4 * weights, w, latency=2e-5) for name, w in links.items()}
plotting.curves(
    {name: 0.64 / (devices * seconds) for name, seconds in steps.items()},
    devices,
    xlabel="devices",
    ylabel="efficiency",
    logx=True,
    alt="Efficiency over 1 to 128 devices for three links: it falls from 1, at once for the slowest.",
)
pays = {name: parallel.worth_it(seconds) for name, seconds in steps.items()}
print(f"{weights:,} weights, {4 * weights / 1e6:.0f} MB of gradient; at half efficiency: {pays}")
claim("at 1 gigabit a second two devices are slower than one", steps["1 Gbit/s"][1] > 0.64)
claim("at 10 it pays up to 4, at 100 up to 36", (pays["10 Gbit/s"], pays["100 Gbit/s"]) == (4, 36))

# %% [markdown]
# A model of four numbers, and each of them can be looked up or measured before anything is bought. What moves the
# limit: more computing for each byte (a larger batch on each device, or convolutions rather than dense layers), fewer
# bytes (gradients in 16 bits halve $b$), and exchange *while* the backward pass still computes, which frameworks do:
# the gradients of the last layers are known first.
#
# ### A batch that grows
#
# The cheapest of these is the larger batch. 32 images on each of 16 devices are a batch of 512. Is that the same
# training? It takes a sixteenth of the steps for an epoch. The **linear scaling rule** (Goyal and others 2017): with
# a batch $k$ times as large take a rate $k$ times as large, because $k$ small steps in about the same direction are
# one long one. In the beginning directions change from step to step, so the rate climbs for some epochs: warm-up
# (lesson 03).
#
# A small network was trained on 4,000 pictures of clothes for ten epochs, with batches of 32 to 2,000 and for each of
# them with five or six rates, for three seeds. You run two more: batches of 500 with the rate that is best for 32,
# and with sixteen times that.
#
# **Predict**: is the best rate of 500 sixteen times that of 32? And of 2,000 sixty times?

# %%
rates = results.Experiment("parallel_batches").stored
valid = {batch: line.columns() for batch, line in rates["constant"]["validation"].columns().items()}
best = {batch: max(line, key=lambda rate: line[rate].mean()) for batch, line in valid.items()}
sweep = parallel.Sweep(runtime.seed())
live = {rate: sweep.train(500, rate)["validation"] for rate in (0.1, 1.6)}
plotting.rates_by_batch(
    valid,
    {"500": live},
    alt="Four lines over the learning rate. Batches of 32 and of 125 come to 0.79, each at a rate of its own; 500 to "
    "0.67 at a rate of 0.2, and falls to a tenth at 1.6; 2,000 stays below 0.3.",
)
print("the best rate of each batch, on validation images:", best)

# %%
warmed = rates["warm-up"]["validation"]["500"]
claim("four times the batch at four times the rate is as good", valid["125"]["0.4"].mean() > valid["32"]["0.1"].mean())
claim("sixteen times the batch at sixteen times the rate learns nothing, in no run", valid["500"]["1.6"].max() < 0.2)
claim("with a warm-up of one epoch neither", warmed["1.6"].max() < 0.2)
claim("your run says so, too", live[1.6] < live[0.1] - 0.2)

# %% [markdown]
# The linear rule carries from 32 to 125, and no further here: the best rate of 500 is twice that of 32, not sixteen
# times. Goyal and others carried it from 256 to 8,192, on a million images; how far it goes depends on the data and
# the network. (The warm-up tried here lasts an epoch, eight steps of 500. A longer one may do better.)
#
# And even at its own best rate a batch of 500 loses. Is it the large batch, or the few steps? Ten epochs have 1,250
# steps of 32, and 80 of 500. The control: batches of 500 for as many *steps* as batches of 125 had.

# %%
priced = {batch: rates["constant"]["test"][batch][best[batch]].mean() for batch in valid}
print("test accuracy at the rate chosen by validation:", {batch: round(float(x), 2) for batch, x in priced.items()})
longer = results.Experiment("parallel_longer").stored["0.2"]
claim("of the same ten epochs 500 makes less than 125, by more than 0.08", priced["125"] - priced["500"] > 0.08)
claim("with as many steps it makes as much, in each run", longer.min() > valid["125"][best["125"]].mean())

# %% [markdown]
# It was the steps. So a larger batch is no gift: for the same number of steps it needs four times the images. It pays
# as long as fewer steps are enough, and many devices make up for the rest.
#
# ### Exercise 17.4 · Batch, steps and rate
#
# A job runs on some `devices`. Each computes `each` images at a time, and accumulates `turns` of them before a step.
# The training set has `images`; the last step of an epoch may see fewer. `base_rate` was good for batches of
# `base_batch`. For `warmup` epochs the rate climbs in equal parts from `base_rate` to that of the linear rule; the
# first step after the warm-up is the first to have it. Return three numbers: images in a step, steps in an epoch, and
# the rate at `step`, counted from 0.


# %%
def plan(each, devices, turns, images, base_batch, base_rate, warmup, step) -> tuple[int, int, float]:
    """Images in a step, steps in an epoch, and the learning rate at a step."""
    ### BEGIN SOLUTION
    batch = each * devices * turns
    steps = -(-images // batch)
    factor, length = batch / base_batch, warmup * steps
    if step < length:
        factor = 1 + (factor - 1) * step / length
    return batch, steps, base_rate * factor
    ### END SOLUTION


# %%
exercise("17.4").check(plan)

# %% [markdown]
# **So far**: strong scaling ends where talk costs as much as computing, and that can be predicted. A larger batch
# moves the limit; the rate goes with it for a while, and then steps are what is missing.
#
# ## Part 4 · Too large, too many, too dear
#
# **What does not fit, what is missing, what does it cost?**
#
# In data parallelism each device has the whole network. What is that, in bytes? For each weight: the weight, its
# gradient, and what the optimizer keeps. With Adam in float32 these are 4 + 4 + 8 bytes. And the outputs of all
# layers, which the backward pass needs, for each image.

# %%
outputs = sum(np.prod(row.output_shape) for row in rows)
small = parallel.memory(weights, activations=64 * 4 * outputs)
for part, size in vars(small).items():
    print(f"{part:12} {size / 1e9:5.2f} GB")
claim("activations of 64 images take more than ten times what the weights take", small.activations > 10 * small.weights)

# %% [markdown]
# A convolutional network that does not fit is too large by its *activations*: fewer images, accumulation, or a
# smaller resolution mend it. (Frameworks free some outputs early, so this is an upper bound.) Large transformers are
# too large by their *weights*. ViT-22B (Dehghani and others 2023) has 21.7 billion of them; with a 16-bit copy to
# compute with and Adam's float32 numbers that is 16 bytes each.
#
# Do all devices have to keep all of it? Each needs all weights to compute, but not all the time, and an optimizer's
# state only for the weights that it updates. **Sharded optimizers** (ZeRO, Rajbhandari and others 2020) divide, in
# stages: 1 the optimizer's state, 2 the gradients too, 3 the weights too, which are then sent for when their layer's
# turn comes.
#
# **Predict**: devices have 80 GB. Which stages fit on 16 of them?

# %%
vit = 21.7e9
stages = {f"stage {stage}": parallel.memory(vit, 16, stage, "mixed") for stage in range(4)}
plotting.memory_bars(
    {name: {part: getattr(held, part) / 1e9 for part in list(vars(held))[:3]} for name, held in stages.items()},
    limit=80,
    xlabel="GB on each of 16 devices",
    alt="Four bars: 347 GB without sharding, 103 GB with the optimizer sharded, 62 GB with gradients too, 22 GB with "
    "all; a line at 80 GB.",
)
claim("stages 2 and 3 fit on 16", [held.total < 80e9 for held in stages.values()] == [False, False, True, True])
claim("stage 1 fits on no number of devices", parallel.memory(vit, 10**6, 1, "mixed").total > 80e9)
four, five = (parallel.memory(vit, n, 3, "mixed").total for n in (4, 5))
claim("stage 3 fits on 5 already, before activations", five < 80e9 < four)

# %% [markdown]
# ### Dividing the network
#
# The other way to use many devices is **model parallelism**: a layer or a stretch of layers lives on one device only.
# Divide a layer by its outputs, and each device computes some channels of all images:

# %%
rng = np.random.default_rng(runtime.seed())
inputs, kernel = rng.normal(size=(64, 256)), rng.normal(size=(256, 512))
parts = [inputs @ part for part in np.split(kernel, 2, axis=1)]
claim("two halves of a kernel give two halves of the output", np.allclose(np.concatenate(parts, 1), inputs @ kernel))

# %% [markdown]
# Then *activations* are exchanged in every layer, forwards and backwards, so one does it inside of one machine, with
# fast links. (In Keras it is `keras.distribution.ModelParallel`, under JAX: a `LayoutMap` says by which axis each
# kernel is divided. Its keys must match a variable's whole path, as in `.*dense.*kernel`.)
#
# Divide the network by depth, and you have **pipeline parallelism**: device 1 computes the first layers, device 2 the
# next. Little is sent, but a device waits until its predecessor is done. So cut the batch into parts that follow each
# other. With $m$ parts and $p$ devices the share $(p-1)/(m+p-1)$ of their time is idle, the **pipeline bubble**.

# %%
claim("a pipeline of 4 devices without parts is idle for 3/4 of the time", parallel.pipeline_bubble(4, 1) == 0.75)
claim("with 16 parts for 16 %", round(parallel.pipeline_bubble(4, 16), 2) == 0.16)

# %% [markdown]
# ### Many runs at once
#
# Most of what many devices do in practice is none of this. It is many *small* runs: seeds, rates, folds. They need no
# exchange, so efficiency is near 1. What they need is bookkeeping. A run fails, a machine goes down, someone presses
# Ctrl-C, and on Monday nobody knows which of 240 are missing.
#
# A **campaign** is a list of units, each a command with one result, and a **ledger**: a file to which each result is
# added as it comes, one line of JSON. Here are six units, linear classifiers with three rates and two seeds. One of
# them kills itself in the middle of its first attempt, and after three results the whole campaign goes down.

# %%
folder = Path(tempfile.mkdtemp())
trial = ["{python}", "-m", "cnnlib.parallel.trial"]
units = {f"rate {r}, seed {s}": [*trial, "--rate", r, "--seed", s] for r in (0.001, 0.03, 1) for s in (0, 1)}
units["rate 0.03, seed 0"] += ["--die-once", folder / "died"]
first = parallel.Campaign(units, folder / "ledger.jsonl")
missing = first.run(workers=2, limit=3)
claim("after three results the campaign is down, and three units are missing", len(missing) == 3)

# %%
second = parallel.Campaign(units, folder / "ledger.jsonl")
claim("a second start knows what is missing, and runs only that", second.missing == missing and second.run(2) == [])
lines = second.ledger.read()
claim("six units, six lines: nothing lost, nothing twice", sorted(r["unit"] for r in lines) == sorted(units))
claim("one unit had been killed, and ran again", (folder / "died").exists())
scores = {rate: [r["value"]["accuracy"] for r in lines if f"rate {rate}," in r["unit"]] for rate in (0.001, 0.03, 1)}
claim("both seeds prefer 0.03 to 0.001", min(scores[0.03]) > max(scores[0.001]))

# %% [markdown]
# With an address, `run(address="tcp://machine:8786")`, the same units run on a cluster, by an existing scheduler:
# Dask (`python -m pip install distributed`; Ray does it too, and is six times as large). Its workers know
# the address and nothing else. If one is killed, the scheduler gives its unit to another. This project checks its own
# sentences in that way, three seeds on three backends for each lesson: `python tools/campaign.py claims`.
#
# What a cluster adds: a queue that many people share (Slurm, Kubernetes), machines that are alike, a fast network, a
# file system that all see. What a cloud adds: machines for an hour, prices, and machines at a third of the price that
# are taken away at two minutes' notice, which is fine for whoever can be killed.
#
# ### Exercise 17.5 · What is missing?
#
# `lines` are the lines of a ledger as texts, in order. Each is JSON with a `"unit"` and a `"status"`, `"done"` or
# `"failed"`. Return the names of those `units` that are to be run, in the order of `units`:
#
# - a unit is done if *any* of its lines says so, whatever came before or after
# - a unit with `attempts` failures or more, and not done, is given up: it is not to be run
# - lines of units that are not among `units` do not matter
# - the machine may have died while it wrote: a *last* line that is no JSON is no line. Any *other* line that is no
#   JSON is a `ValueError`


# %%
def to_run(units: list[str], lines: list[str], attempts: int) -> list[str]:
    """Names of the units that a second start has to run."""
    ### BEGIN SOLUTION
    records = []
    for number, line in enumerate(lines):
        try:
            records.append(json.loads(line))
        except ValueError:
            if number < len(lines) - 1:
                raise
    told = [(record["unit"], record["status"]) for record in records]
    return [u for u in units if (u, "done") not in told and told.count((u, "failed")) < attempts]
    ### END SOLUTION


# %%
exercise("17.5").check(to_run)

# %% [markdown]
# ### The bill
#
# A multiply-accumulate is two floating-point operations, FLOPs. The backward pass computes two products for each one
# of the forward pass, with respect to the weights and to the inputs. So a training takes
#
# $$3 \times 2 \times \text{MACs} \times \text{images} \times \text{epochs}$$
#
# FLOPs. A data sheet says how many operations a device does in a second at best; of these a training reaches the
# share that is called **utilisation**: 0.3 to 0.5 if all goes well, and less if it waits for data.

# %%
flops = parallel.training_flops(macs, examples=1_281_167, epochs=90)
hours, price = parallel.cost(flops, peak=312e12, utilisation=0.35, price=2.0)
print(f"{flops:.2g} FLOPs, {hours:.1f} hours, {price:.0f} in a currency in which a device costs 2 an hour")
eight = parallel.cost(flops, peak=312e12, utilisation=0.30, price=2.0, devices=8)
claim(
    "eight devices at a lower utilisation are seven times as fast, and dearer",
    hours / eight[0] < 7 and eight[1] > price,
)

# %% [markdown]
# ### Exercise 17.6 · The bill
#
# `macs` for one image in the forward pass, `images` in the training set, `epochs`, `devices` with `peak` FLOP/s each,
# of which the share `utilisation` is reached, and the `price` of one device for an hour. Before the run that counts
# there are `tries`, each cut short after a tenth of the epochs. Return the hours by the clock and the price of all
# runs together.


# %%
def bill(macs, images, epochs, peak, utilisation, devices, price, tries=0) -> tuple[float, float]:
    """Hours by the clock and price of a training and the tries before it."""
    ### BEGIN SOLUTION
    flops = 3 * 2 * macs * images * epochs * (1 + tries / 10)
    hours = flops / (peak * utilisation * devices) / 3600
    return hours, hours * devices * price
    ### END SOLUTION


# %%
exercise("17.6").check(bill)

# %% [markdown]
# **So far**: what is kept for each weight can be divided among devices, and arithmetic says what fits. Many runs need
# a ledger more than a network. A run has a price before it starts.
#
# ## Recap
#
# - The gradient of a batch is the mean of those of its shards, each by its number of images. Batch normalisation
#   looks at its shard, so with it the mean is another one.
# - A backend learns how many devices there are before it starts.
# - A ring all-reduce sends less than twice the array from each device, however many there are.
# - A save holds weights, momentum, step and place in the data. Kill a run to find out what it lacks.
# - Speed-up, efficiency, serial share: measure two numbers of devices before you pay for a hundred.
# - A larger batch wants a larger rate, up to a point. Then there are too few steps.
# - Sharding divides what is kept for each weight; model parallelism divides the network, and sends activations.
# - Many runs: units, a ledger, and a second start that goes on.
#
# ## Explain it
#
# **Two devices train your network, and validation accuracy is a little lower than on one, with all settings the same.
# What are the first three things you look at?**
#
# <details><summary>Model answer</summary>
#
# Is the *batch* the same, or the batch of each device? Twice the batch at the same rate takes half the steps. Are
# there layers that look at the batch, as batch normalisation? And does each device see other images, or do both see
# the same ones, because both shuffle with the same seed and nobody divides? To find out compare the gradient of the
# first step with that of one device, with and without batch normalisation.
#
# </details>
#
# **Efficiency is 0.9 on 2 devices and 0.5 on 8. Is it Amdahl's serial share?**
#
# <details><summary>Model answer</summary>
#
# Solve the law for the share: 0.11 from the first, 0.14 from the second. A part that cannot be divided would give the
# same share twice. It grows, so something is added with each device: the exchange, or waiting for the slowest.
# Measure the share of the exchange in a step, and whether it gets better with a larger batch on each device.
#
# </details>
#
# **Somebody offers you machines at a third of the price that may be taken away at any time. What do you have to know
# before you accept?**
#
# <details><summary>Model answer</summary>
#
# How often that happens, how long a save and a start take, and whether a killed run comes back equal. With a save
# every $m$ minutes, half of $m$ is lost on average each time, and the start besides. If a machine goes every three
# hours and a start takes ten minutes, the loss is below a tenth, and the offer is good. Prove the way back first, by
# a kill.
#
# </details>
#
# ## What comes next
#
# You have all the parts: data, networks, heads, a pipeline, doubts, speed, many devices. The capstone puts them
# together, in a project of your own.
# [19 Capstone](../notebooks/19_capstone.ipynb) · [Course map](../README.md)
#
# ## References
#
# - G. M. Amdahl (1967). Validity of the single processor approach to achieving large scale computing capabilities.
#   *AFIPS*.
# - M. Dehghani and others (2023). Scaling vision transformers to 22 billion parameters. *ICML*.
# - P. Goyal, P. Dollár, R. Girshick and others (2017). Accurate, large minibatch SGD: training ImageNet in 1 hour.
# - J. L. Gustafson (1988). Reevaluating Amdahl's law. *Communications of the ACM* 31.
# - Y. Huang, Y. Cheng, A. Bapna and others (2019). GPipe: efficient training of giant neural networks. *NeurIPS*.
# - A. H. Karp and H. P. Flatt (1990). Measuring parallel processor performance. *Communications of the ACM* 33.
# - P. Patarasuk and X. Yuan (2009). Bandwidth optimal all-reduce algorithms for clusters of workstations. *JPDC* 69.
# - S. Rajbhandari, J. Rasley, O. Ruwase and Y. He (2020). ZeRO: memory optimizations toward training trillion
#   parameter models. *SC*.
