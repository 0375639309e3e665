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
# # 18 · Beyond
#
# **What is a convolution good for where there is no photograph?**
#
# When you have worked through this page you can
# - use 1-D convolutions on sound and on letters, and say how many seconds a network listens
# - compute what a network on a volume costs, and name what is cheaper
# - write a convolution on a graph, and say what it gives up
# - read the equation of a physical process from a kernel, and say when its steps blow up
#
# **Before this**: [01 Convolution arithmetic](../notebooks/01_convolution_arithmetic.ipynb),
# [02 Feature maps and receptive fields](../notebooks/02_feature_maps_and_receptive_fields.ipynb),
# [12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · **Reading** 30 min · **Exercises** 30 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 Signals and text | What changes when there is only one axis? | 30 |
# | 2 Volumes, graphs and grids of numbers | And with three axes, with none, or with physics? | 30 |
#
# [← 17 More than one device](../notebooks/17_more_than_one_device.ipynb) · [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="18")

# %%
import numpy as np
from keras import ops
from scipy.ndimage import gaussian_filter

from cnnlib import arithmetic, claim, exercise, plotting
from cnnlib.beyond import fields, graphs, signals, stored, text, volumes
from cnnlib.claims import approx, measured

# %% [markdown]
# ## Part 1 · Signals and text
#
# **What changes when there is only one axis?**
#
# A microphone gives one number after another, 8,000 in a second on a telephone line. Nothing of what you know about
# convolution needs a second axis: a kernel of $K$ taps slides along time, and `Conv1D` takes (batch, time, channels).
#
# Here are quarters of a second of five telephone voices, which read prompts such as "you entered". The task is to say
# which voice it is. 80 pieces of each are for training, 30 for validation, 60 for the test, and each is of another
# prompt. Under the waveform you see its **spectrogram**: how loud each frequency is in windows of 256 samples, a new
# window every 128.

# %%
pieces = {part: signals.voices(part) for part in ("train", "validation", "test")}
x, y = pieces["train"]
names = list(signals.VOICES)
shown = [0, 160, 320]  # the first English, French and Russian piece
plotting.sounds(
    x[shown],
    signals.spectrogram(x[shown]),
    [names[voice] for voice in y[shown]],
    rate=signals.RATE,
    alt="Three waveforms of a quarter of a second, and under each a spectrogram with dark bands at other heights.",
)
print({part: each.x.shape for part, each in pieces.items()})

# %% [markdown]
# A spectrogram looks like a picture and is computed by Fourier's transform. It is also a convolution layer whose
# kernels nobody learned: cosines and sines under a window, with a stride of 128. So give them to a convolution.

# %%
moving = ops.conv(x[:20, :, None], signals.fourier_kernels(256), strides=128)
real, imaginary = np.split(ops.convert_to_numpy(moving), 2, axis=-1)
by_layer = np.log(np.hypot(real, imaginary) + 1e-2)
by_fourier = signals.spectrogram(x[:20], bands=128)
claim(
    "a spectrogram is a convolution with a stride, a magnitude and a logarithm",
    np.allclose(by_layer, by_fourier, atol=0.02),
)

# %% [markdown]
# So there are two ways. Give the network the *waveform*, one channel, and let it find its own kernels. Or give it the
# *spectrogram*, 15 windows with 64 channels, and let it convolve along time. Both networks end in a mean over time.
#
# And there is a rival that costs nothing: the spectrogram's *mean* over time, 64 numbers, and a linear classifier. It
# knows how bright a voice sounds and nothing of what happens when.
#
# **Predict**: which of the three is best with 400 pieces, and by how much?

# %%
best, test = stored.chosen("grids_voices")
seen = dict(zip(pieces, signals.seen("spectrogram", *(each.x for each in pieces.values()))))
model = signals.network("spectrogram", seen["train"].shape[1:], seed=runtime.seed())
signals.trained(model, seen["train"], y, float(best["spectrogram"]), signals.EPOCHS)
guessed = signals.predictions(model, seen["test"])
live = float((guessed == pieces["test"].y).mean())
plotting.seeds_by_choice(
    test,
    {"spectrogram": live},
    xlabel="test accuracy",
    alt="Three rows: the waveform near 0.5, the linear classifier near 0.78, the spectrogram near 0.82.",
)
print("the rate of each, chosen on validation pieces:", best)

# %%
claim(
    "in every run the spectrogram beats the waveform, by 0.15 or more",
    (test["spectrogram"] - test["waveform"]).min() > 0.15,
)
claim("and so does a line through the mean spectrum", (test["linear"] - test["waveform"]).min() > 0.12)
measured(
    "the network on the spectrogram is better than the line by", (test["spectrogram"] - test["linear"]).mean(), digits=2
)
claim("your run is above the waveform, too", live > test["waveform"].max())

# %% [markdown]
# With 400 pieces, what you know about sound is worth more than a network that has to find it out. That is likely a
# matter of data: networks on waveforms are trained on hours of it. And most of what the spectrogram's network knows, a
# line knows: which voice it is can be told from its mean spectrum.
#
# One more thing. The five voices are four people: the same woman speaks English and Spanish.
#
# **Predict**: does the network take her for two?

# %%
truth = pieces["test"].y
her = np.isin(truth, [0, 1])
wrong = her & (guessed != truth)
between = float(np.isin(guessed[wrong], [0, 1]).mean())
measured("pieces of hers that get the wrong language:", wrong.sum())
measured("of these the share that is given to her other language:", between, digits=2)
claim("more than a blind guess among the four wrong answers would give, 1/4", between > 0.35)

# %% [markdown]
# ### How long does it listen?
#
# A kernel of 3 taps is 0.4 ms of a waveform at 8,000 samples a second, and 46 ms of the spectrogram: two steps of
# 128 samples and a window of 256. So ask of a network on a signal how many *seconds* it sees. The recurrence is that of
# lesson 02, with one axis.
#
# ### Exercise 18.1 · How long does it listen?
#
# `layers` has (kernel, stride, dilation) for each layer, none of them padded; `rate` is samples in a second. Return
# three numbers: the seconds that *one* output sees, where n samples last n / rate seconds; the seconds between two
# neighbouring outputs; and how many outputs there are for a sound of so many `samples`.


# %%
def listens(layers: list[tuple[int, int, int]], rate: float, samples: int) -> tuple[float, float, int]:
    """Seconds that an output sees, seconds between two outputs, number of outputs."""
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field += dilation * (kernel - 1) * step
        step *= stride
    outputs = (samples - field) // step + 1 if samples >= field else 0
    return field / rate, step / rate, outputs
    ### END SOLUTION


# %%
exercise("18.1").check(listens)

# %% [markdown]
# To see far, strides throw outputs away, and dilations do not: kernels of 2 with dilations 1, 2, 4, ... double the
# field with each layer and keep every output. Networks that *generate* sound, sample by sample, are built so (WaveNet,
# van den Oord and others 2016).

# %%
doubling = [(2, 1, 2**i) for i in range(10)]
claim("ten layers of two taps see 1,024 samples", arithmetic.receptive_field(doubling).size == 1024)
claim("without dilation they see 11", arithmetic.receptive_field([(2, 1)] * 10).size == 11)

# %% [markdown]
# ### Letters
#
# A text is a signal as well: one position after another, and 27 channels, of which one is 1 (a to z and the space). A
# filter of three letters is then a detector of groups of three. Here are 32 letters in each of sixteen languages, from
# the Universal Declaration of Human Rights without accents. Training, validation and test are different articles.

# %%
letters = {part: text.snippets(part) for part in ("train", "validation", "test")}
for language in (1, 4, 5, 15):
    row = np.flatnonzero(letters["test"].y == language)[0]
    print(f"{letters['test'].languages[language]:8} {text.decoded(letters['test'].x[row])}")

# %% [markdown]
# **Predict**: one in sixteen is right by chance. What does a filter of a *single* letter reach, what one of five?

# %%
best, reached = stored.chosen("grids_letters")
test = {f"filters of {size}": values for size, values in reached.items()}
model = text.network(3, seed=runtime.seed())
signals.trained(model, letters["train"].x, letters["train"].y, float(best["3"]), text.EPOCHS)
live = signals.accuracy(model, letters["test"].x, letters["test"].y)
plotting.seeds_by_choice(
    test,
    {"filters of 3": live},
    xlabel="test accuracy",
    alt="Three rows: filters of one letter reach about half, filters of three and of five nearly nine tenths.",
)
claim("three letters are better than one by more than 0.25", (test["filters of 3"] - test["filters of 1"]).min() > 0.25)

# %% [markdown]
# A filter of one letter, with the maximum over positions behind it, knows which letters occur. Groups have more to
# say: *sch*, *ij*, *nny*.
#
# The rival that costs nothing: count all groups of three in the training text of each language, and add up logarithms
# (**naive Bayes**). There is no training, only a table.

# %%
parts = [letters[part] for part in ("validation", "test")]
scores = {n: text.naive_bayes(letters["train"].x, letters["train"].y, n) for n in (1, 2, 3)}
counted = {n: [float((says(part.x) == part.y).mean()) for part in parts] for n, says in scores.items()}
chosen = max(counted, key=lambda n: counted[n][0])
print(f"counting groups of {chosen} letters: {counted[chosen][1]:.3f} of the test pieces are right")
claim("counting is better than every network here, in every run", counted[chosen][1] > max(map(max, test.values())))

# %% [markdown]
# A network with 64 filters chooses 64 groups, or mixtures of them; the table has 19,683. With this little text and a
# task this local, the table wins. What it cannot do is mix: letters that are *like* each other, groups with a gap, a
# second layer over the first. Try what is cheap first, then you know what a network has to beat.
#
# **So far**: with one axis all stays as it was, and what a network sees is counted in seconds or letters. What is known
# of the signal, a spectrum or groups of letters, can be worth more than what little data can teach.
#
# ## Part 2 · Volumes, graphs and grids of numbers
#
# **And with three axes, with none, or with physics?**
#
# Magnetic resonance gives a **volume**: numbers at voxels, here of 2 mm. This one is the average of 152 heads. A
# `Conv3D` slides a kernel along three axes.

# %%
brain = volumes.brain()
plotting.images(
    {"from above": brain[:, :, 48].T[::-1], "from the side": brain[52].T[::-1], "from behind": brain[:, 56].T[::-1]},
    alt="Three cuts through a brain: folded grey matter around white matter; left and right look alike.",
)
print(f"{brain.shape}: {brain.size:,} voxels")

# %% [markdown]
# You want to train on a part of it and test on another. Left for training, right for the test, with a gap between?
#
# **Predict**: what is wrong with that split?

# %%
claim("the right half is the mirror image of the left, voxel by voxel", np.array_equal(brain, brain[::-1]))

# %% [markdown]
# This average was made symmetric. So the test would ask for what was learned, mirrored, and a kernel that is mirrored
# too would know it by heart. A real head is nearly symmetric, and the same warning holds. The split here goes from back
# to front: the back for training, a stretch for validation, the front for the test, 16 mm of neither between them.
#
# ### What the third axis costs
#
# The task: noise is added, a tenth of the range, and is to be taken off again. So the truth is known at each voxel.
# Three layers of 16, 16 and 1 filters; kernels are 3x3x3, or 1x3x3, which is a 2-D convolution of every slice.

# %%
pairs = [(1, 16), (16, 16), (16, 1)]
for name, kernel in (("slices", (1, 3, 3)), ("volume", (3, 3, 3))):
    macs = sum(arithmetic.conv_macs(brain.shape, kernel, *pair) for pair in pairs)
    weights = volumes.network(name).count_params()
    print(f"{name}: {weights:6,} parameters, {macs / 1e9:.2f} thousand million multiplications")
kept = 4 * brain.size * (1 + 16 + 16 + 1)
print(f"both keep {kept / 1e6:.0f} MB of activations for the backward pass of one volume")
claim("that is as much as 248 colour images of 224 pixels", kept // (4 * 3 * 224**2) == 248)

# %% [markdown]
# A third axis makes weights and multiplications three times as many. The activations are what hurts: they are those of
# a hundred slices at once. So volumes are trained in cubes, as in lesson 12 with tiles.
#
# ### Exercise 18.2 · The price of depth
#
# `shape` is (depth, height, width, channels) of one volume. `layers` has for each layer a kernel and strides, of three
# numbers each, and the number of filters. Padding is "same", and each filter has a bias. Return four things: the shape
# of the output, the parameters, the multiply-accumulates of the forward pass (biases do not count), and the bytes in
# float32 of what a backward pass keeps: the input and the output of every layer.


# %%
def stack(shape: tuple, layers: list[tuple]) -> tuple[tuple, int, int, int]:
    """Shape of the output, parameters, multiply-accumulates, bytes kept."""
    ### BEGIN SOLUTION
    *sides, channels = shape
    parameters, macs, numbers = 0, 0, np.prod(shape)
    for kernel, strides, filters in layers:
        sides = [-(-n // stride) for n, stride in zip(sides, strides)]
        weights = np.prod(kernel) * channels * filters
        parameters += weights + filters
        macs += np.prod(sides) * weights
        channels = filters
        numbers += np.prod(sides) * filters
    return (*sides, channels), parameters, macs, 4 * numbers
    ### END SOLUTION


# %%
exercise("18.2").check(stack)

# %% [markdown]
# ### Is it worth that?
#
# Noise differs from slice to slice, and the brain hardly does: a neighbour above knows something of a voxel. First
# without a network. The best *linear* kernel for this noise is the solution of one equation (least squares on the
# training part).

# %%
train, valid, front = (volumes.region(brain, part) for part in ("train", "validation", "test"))
noise = {name: volumes.noisy(part, 100 + runtime.seed()) for name, part in (("train", train), ("front", front))}
linear = {}
for shape in ((1, 3, 3), (3, 3, 3)):
    kernel = volumes.best_kernel(noise["train"], train, shape)
    linear["x".join(map(str, shape))] = volumes.psnr(front, volumes.filtered(noise["front"], kernel))
print("decibels in the test part:", {name: round(value, 1) for name, value in linear.items()})
claim("one linear kernel gains more than 1 dB from the third axis", linear["3x3x3"] - linear["1x3x3"] > 1)

# %% [markdown]
# Now networks, each at the rate that is best for it on the validation part. Between slices and the volume stand two
# that are fair to the slices: with 28 filters, which cost as many multiplications as the volume's network; and with
# *neighbours*, where the first layer alone has 3x3x3 kernels, and so each slice comes with the two beside it.
#
# **Predict**: the order of the four.

# %%
best, test = stored.chosen("grids_volumes")
model = volumes.trained(volumes.network("volume", runtime.seed()), train, 0.003, 100, runtime.seed())
found = volumes.denoised(model, noise["front"])
plotting.seeds_by_choice(
    test,
    xlabel="decibels in the test part",
    alt="Four rows of dots that overlap, around 25.5 dB: slices, with more filters, with neighbours, and the volume.",
)
print("rates:", best)

# %%
lowest = min(min(values) for values in test.values())
claim("every network beats the best linear kernel of 3x3x3, in every run", lowest > linear["3x3x3"] + 0.1)
means = [values.mean() for values in test.values()]
claim("the means of the four lie within 0.6 dB of each other", max(means) - min(means) < 0.6)
gained = volumes.psnr(front, found) - volumes.psnr(front, noise["front"])
claim("a hundred steps of your own network take more than 2.5 dB of noise away", gained > 2.5)
plotting.images(
    {"noisy": noise["front"][:, 6].T[::-1], "your network": found[:, 6].T[::-1], "truth": front[:, 6].T[::-1]},
    value_range=(0, 1),
    alt="A cut through the front of the brain, with noise, after the network, and as it was; the middle one is smooth.",
)

# %% [markdown]
# There is no order: the four differ by about as much as the runs of one of them. The linear kernels said that the
# third axis is worth more than 1 dB, and the network on the volume, which costs three times as much, got nothing more
# out of it here. Nonlinear 2-D kernels may have found most of it otherwise, or 400 steps are too few for three times
# the weights; which of the two was not tried. So try the cheaper ones first, and choose on what was held back.
#
# ### A graph
#
# Now take the grid away. A **graph** has nodes and, for each, a list of neighbours: atoms and bonds, people and
# friendships, stations and rails. Its **adjacency matrix** has $A_{ij} = 1$ if node $i$ listens to node $j$. There
# is no left, right or third neighbour, and every node has another number of them. What can be computed all the same
# is a mean over the neighbours:
#
# $$y_i = W_0\,x_i + W_1 \frac{1}{|N(i)|} \sum_{j \in N(i)} x_j$$
#
# with $N(i)$ the neighbours of node $i$, and two matrices instead of nine.
#
# A grid of pixels is a graph. So compare with the layer that you know.

# %%
rng = np.random.default_rng(runtime.seed())
height, width = 9, 12
maps = rng.normal(size=(1, height, width, 3)).astype("float32")
nodes, graph = maps.reshape(-1, 3), graphs.grid(height, width)
own, near = rng.normal(size=(2, 3, 4)).astype("float32")
by_graph = graphs.graph_convolution(graph, nodes, own, near).reshape(height, width, 4)
kernel = np.broadcast_to(near / 8, (3, 3, 3, 4)).copy()
kernel[1, 1] = own
by_layer = ops.convert_to_numpy(ops.conv(maps, kernel, padding="same"))[0]
inner = np.s_[1:-1, 1:-1]
claim(
    "inside, a graph convolution is a 3x3 layer with equal weights around",
    np.allclose(by_graph[inner], by_layer[inner], atol=1e-4),
)
claim("at the border it is not: there are fewer neighbours", not np.allclose(by_graph, by_layer, atol=1e-2))

# %% [markdown]
# So a 3x3 layer is more than a graph convolution: it has a weight of its own for each *direction*. Give the graph nine
# kinds of edges, "the one to the left" and so on, with a matrix each, and it is a 3x3 layer to the last number, border
# included.

# %%
steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
kernel = rng.normal(size=(3, 3, 3, 4)).astype("float32")
shifts = [graphs.shift(height, width, *step) for step in steps]
by_kinds = graphs.relational_convolution(shifts, nodes, list(kernel.reshape(9, 3, 4)))
by_layer = ops.convert_to_numpy(ops.conv(maps, kernel, padding="same")).reshape(-1, 4)
claim("nine kinds of edges are any 3x3 layer", np.allclose(by_kinds, by_layer, atol=1e-4))

# %% [markdown]
# What is bought by giving directions up: names of nodes do not matter. Give the nodes other numbers, and the output is
# the same with other numbers. A layer on a grid has no such freedom.

# %%
order = rng.permutation(len(nodes))
renamed = graphs.graph_convolution(graph[order][:, order], nodes[order], own, near)
claim("renaming nodes renames the output", np.allclose(renamed, by_graph.reshape(-1, 4)[order], atol=1e-4))
shuffled = ops.convert_to_numpy(ops.conv(nodes[order].reshape(maps.shape), kernel, padding="same")).reshape(-1, 4)
claim("shuffled pixels through a 3x3 layer give another result", not np.allclose(shuffled, by_layer[order], atol=0.1))
mirrored = graphs.graph_convolution(graph, maps[:, :, ::-1].reshape(-1, 3), own, near).reshape(by_graph.shape)
claim("and no weights let it tell left from right", np.allclose(mirrored, by_graph[:, ::-1], atol=1e-4))

# %% [markdown]
# ### Exercise 18.3 · A convolution without a grid
#
# The smallest form has one matrix: each node takes the mean over itself and those it listens to, and the mean goes
# through `weights`. `adjacency` (n, n) has zeros and ones, and row i says to whom node i listens; it need not be
# symmetric, some nodes may listen to nobody, and some have a 1 on the diagonal already. Each node counts itself exactly
# once. `x` is (n, channels), `weights` (channels, filters).


# %%
def graph_mean(adjacency: np.ndarray, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over each node and its neighbours, through the weights: (n, filters)."""
    ### BEGIN SOLUTION
    edges = np.maximum(adjacency, np.eye(len(x)))
    means = edges @ x / edges.sum(axis=1, keepdims=True)
    return means @ weights
    ### END SOLUTION


# %%
exercise("18.3").check(graph_mean)

# %% [markdown]
# ### A grid of physics
#
# Hills wear down: soil creeps from where the ground is higher than around to where it is lower. In the simplest model
# the height $u$ changes by **diffusion**,
#
# $$\frac{\partial u}{\partial t} = D \left( \frac{\partial^2 u}{\partial x^2} + \frac{\partial^2 u}{\partial y^2}
# \right),$$
#
# with $D$ the diffusivity, in square metres a year. On a grid, one step of $\Delta t$ years becomes: each point takes
# a bit of its four neighbours. That *is* a 3x3 convolution, with a kernel that nobody had to learn. Take hills in
# Tennessee, a point every 74 m to the east and every 93 m to the south, and steps of 100 years. ($D = 10$ is a thousand
# times what soil does; it saves waiting.)

# %%
hills, dy, dx = fields.terrain(slice(0, 120), slice(0, 120))
true = fields.step_kernel(100, dy, dx, diffusivity=10)
later = fields.advanced(hills, true, 30)
plotting.images(
    {"now": hills, "after 3,000 years": later},
    value_range="shared",
    alt="Two maps of heights; in the second one valleys and ridges are blurred.",
)
claim("east and west weigh more than north and south, because they are nearer", true[1, 0] > 1.5 * true[0, 1])

# %% [markdown]
# How long may a step be? A step multiplies each wave on the grid by a factor, and if that is below -1 for the
# shortest one, it grows with every step, with its sign changing. The bound (von Neumann's) is
#
# $$\Delta t \le \frac{1}{2 D \left(1/\Delta x^2 + 1/\Delta y^2\right)}.$$

# %%
limit = fields.longest_step(dy, dx, 10)
print(f"the longest step: {limit:.0f} years")
for share in (0.98, 1.02):
    stepped = fields.advanced(hills, fields.step_kernel(share * limit, dy, dx, 10), 400)
    print(f"{share:.2f} of it, after 400 steps: heights from {approx(stepped.min())} to {approx(stepped.max())} m")
claim("2 % above the bound the heights explode", np.abs(stepped).max() > 10 * hills.max())

# %% [markdown]
# ### Learn the law
#
# Now you do not know the kernel. You have two surveys, 100 years apart, the second with an error of 5 cm, and one
# convolution layer. Its best weights are the solution of least squares. Once the land is as it is; once the same land
# is smooth, as if all its small forms had been taken off.
#
# **Predict**: from which of the two is the law learned better? And which one is predicted better, a step ahead?


# %%
surveys = {"rough land": hills, "smooth land": gaussian_filter(hills, 8)}
learned, ahead = {"the law": true}, {}
for name, before in surveys.items():
    after = fields.advanced(before, true)
    learned[name] = fields.fitted_kernel(before, after + 0.05 * rng.normal(size=after.shape))
    ahead[name] = float(np.sqrt(np.mean((fields.advanced(before, learned[name]) - after)[1:-1, 1:-1] ** 2)))
plotting.kernels(
    learned, alt="Three kernels: the law and that of rough land are alike, that of smooth land is another."
)
print("error a step ahead:", {name: approx(1000 * error, 2) + " mm" for name, error in ahead.items()})

# %%
off = {name: float(np.abs(kernel - true).max()) for name, kernel in learned.items()}
claim("rough land gives the law, to a thousandth", off["rough land"] < 1e-3)
claim("both predict their next century to two centimetres", max(ahead.values()) < 0.02)
claim("and yet weights from smooth land are off a hundred times as far", off["smooth land"] > 100 * off["rough land"])
used = {name: fields.advanced(hills, learned[name]) - fields.advanced(hills, true) for name in surveys}
claim("on rough land they err by more than half a metre", np.abs(used["smooth land"]).max() > 0.5)
claim("where those of rough land err by less than a decimetre", np.abs(used["rough land"]).max() < 0.1)

# %% [markdown]
# A small error says that a kernel does well *on such land*. On a smooth field all nine neighbours say nearly the same,
# so many kernels give the same prediction, and the noise chooses among them. What a learned solver has never seen,
# here short waves, it does not know. Look at the range of frequencies of your data before you trust it elsewhere.
#
# A network may also take *longer* steps than the bound allows: it only has to see far enough. Ten steps in one
# reach ten points far. How large must the kernel be?

# %%
ten = fields.advanced(hills, true, 10)
sizes = [3, 5, 7, 9]
inner = np.s_[10:-10, 10:-10]
errors = [
    np.sqrt(np.mean((fields.advanced(hills, fields.fitted_kernel(hills, ten, n)) - ten)[inner] ** 2)) for n in sizes
]
still = float(np.sqrt(np.mean((hills - ten)[inner] ** 2)))
plotting.curves(
    {"one kernel for ten steps": errors, "no change at all": [still] * 4},
    sizes,
    xlabel="side of the kernel",
    ylabel="error, m",
    logy=True,
    markers=True,
    alt="The error falls from 12 m at 3 to a tenth of a metre at 9; no change at all is off by 14 m.",
)
claim("a 3x3 kernel cannot make ten steps in one: it is off by metres", errors[0] > 3)
claim(
    "each ring around it helps, and nine points are enough for a third of a metre",
    errors == sorted(errors)[::-1] and errors[3] < 0.35,
)

# %% [markdown]
# ### Exercise 18.4 · Which equation is it?
#
# You found a kernel in somebody's trained layer. It maps a field to the field `dt` seconds later; rows are `dy` metres
# apart and go south, columns `dx` and go east. Suppose that the field is smooth, develop it in Taylor's series about
# the middle, and compare with
#
# $$u(t + \Delta t) = u + \Delta t \left( - r\,u - v_y u_y - v_x u_x + D_y u_{yy} + D_x u_{xx} \right)$$
#
# Return $r$, the pair $(v_y, v_x)$ and the pair $(D_y, D_x)$. As in Keras, `kernel[0, 0]` is the weight of the
# neighbour to the north-west. The kernel is square, with an odd side, not always 3.


# %%
def equation(kernel: np.ndarray, dt: float, dy: float, dx: float) -> tuple:
    """Decay r, velocity (v_y, v_x), diffusivity (D_y, D_x)."""
    ### BEGIN SOLUTION
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * np.array([dy, dx])[:, None, None]
    decay = (1 - kernel.sum()) / dt
    velocity = -(kernel * y).sum() / dt, -(kernel * x).sum() / dt
    diffusivity = (kernel * y**2).sum() / (2 * dt), (kernel * x**2).sum() / (2 * dt)
    return decay, velocity, diffusivity
    ### END SOLUTION


# %%
exercise("18.4").check(equation)

# %% [markdown]
# **So far**: a third axis makes the work three times as much, and whether it pays has to be measured. A graph has no
# directions, and a 3x3 layer is a graph with nine kinds of edges. A time step is a convolution, with a law in its
# weights; it is learned only as far as the data show it.
#
# ## Recap
#
# - A convolution needs neighbours and weights that are shared. One axis, three axes, a graph, a field: each has both.
# - Ask of a signal's network how many seconds it sees.
# - Try what is known and what costs nothing first: a mean spectrum, a table of counts, a linear kernel.
# - A split must not have the same thing on both sides, nor its mirror image.
# - A graph convolution gives up directions, and gains that names do not matter.
# - The moments of a kernel are an equation. A small error a step ahead does not say that it is the right one.
#
# ## Explain it
#
# **A network tells voices apart with an accuracy of 0.99. You have prompts of ten people, each recorded at home. What
# has it learned?**
#
# <details><summary>Model answer</summary>
#
# Perhaps the rooms and the microphones. Each voice has one, so nothing in these data separates them. A test with the
# same people on other microphones would. Here the split was by prompt, not by recording session: it cannot tell either.
#
# </details>
#
# **Would you take a `Conv3D` for a film of 64 frames in which you look for a gesture?**
#
# <details><summary>Model answer</summary>
#
# Begin with a 2-D network for each frame and a mean or a 1-D convolution over time, which costs a third and can start
# from weights that know photographs. Where motion itself is the sign, kernels along time pay. Compare at the same cost.
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
# - V. S. Fonov, A. C. Evans, R. C. McKinstry, C. R. Almli and D. L. Collins (2009). Unbiased nonlinear average
#   age-appropriate brain templates from birth to adulthood. *NeuroImage* 47.
# - W. L. Hamilton, R. Ying and J. Leskovec (2017). Inductive representation learning on large graphs. *NeurIPS*.
# - T. N. Kipf and M. Welling (2017). Semi-supervised classification with graph convolutional networks. *ICLR*.
# - A. van den Oord and others (2016). WaveNet: a generative model for raw audio.
# - M. Schlichtkrull, T. N. Kipf and others (2018). Modeling relational data with graph convolutional networks. *ESWC*.
