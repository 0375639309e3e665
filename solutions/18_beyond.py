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
# **Your data are no photographs, your answer is no class, or somebody says that convolutions are over. What now?**
#
# When you have worked through this page you can
# - take convolution to signals, text, volumes, graphs and fields of physics, and say what carries over
# - judge images that come out of a network, and name the cheap rival that it has to beat
# - sample from a diffusion network, and say what its samples are and are not
# - build attention, count what it costs, and compare it with convolution at equal size
# - pick a tool for a project from its facts, and say when a CNN is the wrong one
#
# **Before this**: [10 Seeing what a CNN sees](../notebooks/10_seeing_what_a_cnn_sees.ipynb),
# [12 Semantic segmentation](../notebooks/12_semantic_segmentation.ipynb) · **Reading** 80 min ·
# **Exercises** 70 min
#
# | part | question | minutes |
# |---|---|--:|
# | 1 Signals and text | What changes when there is only one axis? | 30 |
# | 2 Volumes, graphs and grids of numbers | And with three axes, with none, or with physics? | 30 |
# | 3 Networks that give images | What if the answer is a picture? | 30 |
# | 4 Attention against convolution | What does a transformer do better, and what does it cost? | 30 |
# | 5 Which tool | What do you take, and when is a CNN the wrong choice? | 30 |
#
# [← 17 More than one device](../notebooks/17_more_than_one_device.ipynb) · [Course map](../README.md)

# %%
from cnnlib import runtime

runtime.setup(lesson="18")

# %%
import keras
import numpy as np
from keras import ops
from scipy.ndimage import gaussian_filter

from cnnlib import arithmetic, claim, datasets, exercise, explain, models, plotting, results, segmentation, transfer
from cnnlib.beyond import diffusion, fields, graphs, restoration, signals, stored, study, text, tools, vit, volumes
from cnnlib.claims import approx, measured
from cnnlib.trace import trace

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
claim(
    "in every run the spectrogram beats the waveform, by 0.15 or more",
    (test["spectrogram"] - test["waveform"]).min() > 0.15,
)
claim("and so does a linear classifier on the mean spectrum", (test["linear"] - test["waveform"]).min() > 0.12)
measured(
    "the network on the spectrogram is better than the linear classifier by",
    (test["spectrogram"] - test["linear"]).mean(),
    digits=2,
)
claim("your run is above the waveform, too", live > test["waveform"].max())

# %% [markdown]
# With 400 pieces, what you know about sound is worth more than a network that has to find it out. (Each had 40 epochs;
# only the rate was chosen.) That is likely a matter of data: networks on waveforms are trained on hours of it. And most
# of what the spectrogram's network knows, the linear classifier knows: which voice it is can be told from its mean
# spectrum.
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
claim("most of her pieces get the right language", wrong.sum() < 0.45 * her.sum())
measured("of these the share that is given to her other language:", between, digits=2)
claim("more than a blind guess among the four wrong answers would give, 1/4", between > 0.35)

# %% [markdown]
# Mostly it does: most of her pieces get the right one of her two "voices". So what it hears is not only who speaks;
# language or recording give her away, and which of them was not tried. Of the mistakes more than a quarter go
# to her other language. That alone would not prove that the network hears *her*: another woman's voice is also nearer
# to hers than a man's.
#
# ### How long does it listen?
#
# A kernel of 3 taps is 0.4 ms of a waveform at 8,000 samples a second, and 64 ms of the spectrogram: two steps of 128
# samples and a window of 256. So ask of a network on a signal how many *seconds* it sees. The recurrence is that of
# lesson 02, with one axis.
#
# ### Exercise 18.1 · How long does it listen?
#
# `layers` has (kernel, stride, dilation) for each layer, none of them padded; `rate` is samples in a second. Return
# three numbers: the seconds that *one* output sees, where n samples last n / rate seconds; the seconds between two
# neighbouring outputs; and how many outputs there are for a sound of so many `samples`, 0 if it is too short for one.


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
# Magnetic resonance gives a **volume**: numbers at voxels, here of 2 mm. This one is the average of 152 heads (Fonov
# and others 2009). A `Conv3D` slides a kernel along three axes.

# %%
brain = volumes.brain()
plotting.images(
    {"from above": brain[:, :, 48].T[::-1], "from the side": brain[52].T[::-1], "from behind": brain[:, 56].T[::-1]},
    alt="Three cuts through a brain: folded grey matter around white matter; left and right look alike.",
    size=1.7,
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
# float32 of what a backward pass keeps: the volume itself and the output of every layer, each once.


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
# training part). Errors are given in decibels, PSNR (part 3): 3 more is half the squared error.

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

# %% jupyter={"source_hidden": true}
best, test = stored.chosen("grids_volumes")
model = volumes.trained(volumes.network("volume", runtime.seed()), train, 0.003, 100, runtime.seed())
found = volumes.denoised(model, noise["front"])
plotting.seeds_by_choice(
    test,
    xlabel="decibels in the test part",
    alt="Four rows of dots that overlap, around 25.5 dB: slices, with more filters, with neighbours, and the volume.",
)
print("rates:", best)
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
    size=1.7,
)

# %% [markdown]
# In the test part there is no order: the four differ by about as much as the runs of one of them. In the validation
# part, where rates were chosen, neighbours and volume were ahead of slices in every run, by 0.1 to 0.6 dB; in the front
# of the brain nothing was left of that. The linear kernels had more than 1 dB from the third axis. Nonlinear 2-D
# kernels may find most of it otherwise, or the 400 steps that each was trained are too few; neither was tried, and for
# slices the highest rate tried was the best. So try the cheaper ones first.
#
# ### A graph
#
# Now take the grid away. A **graph** has nodes and, for each, a list of neighbours: atoms and bonds, people and
# friendships, stations and rails. Its **adjacency matrix** has $A_{ij} = 1$ if node $i$ listens to node $j$. There is
# no left, right or third neighbour, and every node has another number of them. What can be computed all the same is a
# mean over the neighbours (Hamilton and others 2017):
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
# kinds of edges, "the one to the left" and so on, with a matrix each (Schlichtkrull and others 2018), and it is a 3x3
# layer to the last number, border included.
#
# What is bought by giving directions up: names of nodes do not matter. Give the nodes other numbers, and the output is
# the same with other numbers. A layer on a grid has no such freedom.

# %%
steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
kernel = rng.normal(size=(3, 3, 3, 4)).astype("float32")
shifts = [graphs.shift(height, width, *step) for step in steps]
by_kinds = graphs.relational_convolution(shifts, nodes, list(kernel.reshape(9, 3, 4)))
by_layer = ops.convert_to_numpy(ops.conv(maps, kernel, padding="same")).reshape(-1, 4)
claim("nine kinds of edges are any 3x3 layer", np.allclose(by_kinds, by_layer, atol=1e-4))
order = rng.permutation(len(nodes))
renamed = graphs.graph_convolution(graph[order][:, order], nodes[order], own, near)
claim("renaming nodes renames the output", np.allclose(renamed, by_graph.reshape(-1, 4)[order], atol=1e-4))
shuffled = ops.convert_to_numpy(ops.conv(nodes[order].reshape(maps.shape), kernel, padding="same")).reshape(-1, 4)
claim("shuffled pixels through a 3x3 layer give another result", not np.allclose(shuffled, by_layer[order], atol=0.1))
mirrored = graphs.graph_convolution(graph, maps[:, :, ::-1].reshape(-1, 3), own, near).reshape(by_graph.shape)
claim(
    "and its output is mirrored with its input: left and right are alike to it",
    np.allclose(mirrored, by_graph[:, ::-1], atol=1e-4),
)

# %% [markdown]
# ### Exercise 18.3 · A convolution without a grid
#
# The smallest form has one matrix (near to Kipf and Welling 2017): each node takes the mean over itself and those it
# listens to, and the mean goes through `weights`. `adjacency` (n, n) has zeros and ones, and row i says to whom node i
# listens; it need not be symmetric, some nodes may listen to nobody, and some have a 1 on the diagonal already. Each
# node counts itself exactly once. `x` is (n, channels), `weights` (channels, filters).


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
# the height $u$ changes by *diffusion*,
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
    size=2.2,
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
off = {name: float(np.abs(kernel - true).max()) for name, kernel in learned.items()}
claim("rough land gives the law, to a thousandth", off["rough land"] < 1e-3)
claim("both predict their next century to two centimetres", max(ahead.values()) < 0.02)
claim("and yet weights from smooth land are off a hundred times as far", off["smooth land"] > 100 * off["rough land"])
exact = fields.fitted_kernel(surveys["smooth land"], fields.advanced(surveys["smooth land"], true))
claim("without the 5 cm smooth land gives the law, too", np.abs(exact - true).max() < 1e-6)
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

# %% jupyter={"source_hidden": true}
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
# The whole reach is 21 points. Nine do for a tenth of a metre, because the outer weights are tiny. (The kernel was
# fitted and judged on the same land.)
#
# ### Exercise 18.4 · Which equation is it?
#
# You found a kernel in somebody's trained layer. It maps a field to the field `dt` seconds later; rows are `dy` metres
# apart and go south, columns `dx` and go east. Suppose that the field is smooth, develop it in Taylor's series about
# the middle, and compare with
#
# $$u(t + \Delta t) = u + \Delta t \left( - r\,u - v_y u_y - v_x u_x + D_y u_{yy} + D_x u_{xx} \right)$$
#
# Return $r$, the pair $(v_y, v_x)$ and the pair $(D_y, D_x)$. As in Keras, `kernel[0, 0]` is the weight of the
# neighbour to the north-west. The kernel is square, with an odd side, not always 3. What the equation has no place for,
# the mixed term and higher ones, is left out.


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
# ## Part 3 · Networks that give images
#
# **What if the answer is a picture?**
#
# Lesson 12 gave a class to each pixel. Give it a *value* instead, with the squared error as the loss, and the same
# networks remove noise, sharpen, colour or enlarge. The decibels of part 2 come first: how good is a picture?
#
# **PSNR**, the peak signal-to-noise ratio, is the mean squared error on a scale that people like:
#
# $$\mathrm{PSNR} = 10 \log_{10} \frac{P^2}{\mathrm{MSE}}\ \text{dB}$$
#
# with the peak $P$, the greatest value that a pixel *can* have. Half the error, as a root of the mean square, is 6 dB
# more. Three traps are in this one line. The exercise has all of them.
#
# ### Exercise 18.5 · Decibels
#
# `images` and `originals` are (n, height, width, channels): floats, or whole numbers of 8 bits. Return two things: the
# PSNR of each image, an array (n,), of which none counts more than `most` decibels, and the PSNR of the set, the mean
# over its images.


# %%
def decibels(images: np.ndarray, originals: np.ndarray, peak: float, most: float = 60.0) -> tuple[np.ndarray, float]:
    """PSNR of each image, at most `most`, and their mean."""
    ### BEGIN SOLUTION
    difference = np.asarray(images, float) - np.asarray(originals, float)
    error = np.mean(difference**2, axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        each = np.minimum(10 * np.log10(peak**2 / error), most)
    return each, float(each.mean())
    ### END SOLUTION


# %%
exercise("18.5").check(decibels)

# %% [markdown]
# PSNR knows single pixels only. **SSIM**, structural similarity (Wang and others 2004), compares means, variances and
# covariances in small windows; 1 is equality. Two ways to damage a photograph by the same error show the difference.
#
# **Predict**: which of the two would you rather look at, and does one of the two numbers agree with you?

# %%
photograph = restoration.luma(datasets.photograph("cat", 200))[None, ..., None]
brighter = np.clip(photograph + 0.06, 0, 1)
spread = np.sqrt(np.mean((brighter - photograph) ** 2))
grainy = photograph + np.random.default_rng(runtime.seed()).normal(0, spread, photograph.shape)
damaged = {"brighter": brighter, "grainy": np.clip(grainy, 0, 1)}
scores = {name: [f(x, photograph)[0] for f in (restoration.psnr, restoration.ssim)] for name, x in damaged.items()}
plotting.images(
    {"original": photograph[0]}
    | {
        f"{name}: {approx(scores[name][0], 3)} dB, SSIM {approx(scores[name][1], 2)}": x[0]
        for name, x in damaged.items()
    },
    size=1.7,
    alt="A cat three times: the original, a little brighter, and with grain all over.",
)
claim("both are within 0.3 dB", abs(scores["brighter"][0] - scores["grainy"][0]) < 0.3)
claim("SSIM sets them 0.2 apart", scores["brighter"][1] > scores["grainy"][1] + 0.2)

# %% [markdown]
# Neither is what people see. Both are what can be computed, and so both are reported.
#
# ### Take the noise off
#
# Pictures of clothes, with normal noise of standard deviation 0.25. Before any network: what costs nothing? A Gaussian
# filter, a median, a bilateral filter, which averages over neighbours that are *alike*. And one that learns: the first
# principal components of clean pictures. Keep some, drop the others, and what most noise consists of is gone. Each
# gets the setting that is best on validation pictures.

# %%
data = datasets.fashion_mnist(8500, test_size=1000)
clean, held, test = data.x_train[:8000], data.x_train[8000:], data.x_test
noisy_held, noisy = (restoration.noisy(x, seed=runtime.seed() + k) for k, x in ((101, held), (102, test)))
components = restoration.Components(clean)
methods = restoration.FILTERS | {"components": (components, (8, 16, 32, 64, 96, 128, 192))}
restored = {"noisy": noisy}
for name, (method, settings) in methods.items():
    best = restoration.best_setting(method, settings, noisy_held, held)
    restored[f"{name} {best:g}"] = method(noisy, best)
decibel = {name: restoration.psnr(x, test).mean() for name, x in restored.items()}
print("\n".join(f"{name:14} {approx(value)} dB" for name, value in decibel.items()))
rival = max(decibel.values())
claim("the best of them gains more than 3 dB", rival > decibel["noisy"] + 3)

# %% [markdown]
# That is the rival. A small network next: four convolutions that estimate the *noise*, which is then subtracted (Zhang
# and others 2017). It trains for a few seconds.
#
# **Predict**: by how many decibels does it beat the best of the others?

# %%
keras.utils.set_random_seed(runtime.seed())
network = restoration.denoiser()
restoration.fit(network, restoration.noisy(clean, seed=runtime.seed()), clean, steps=150, seed=runtime.seed())
restored["network"] = np.clip(study.outputs(network, noisy), 0, 1)
decibel["network"] = restoration.psnr(restored["network"], test).mean()
measured("the network, dB", decibel["network"])
shown = [name for name in restored if not name.startswith(("Gaussian", "median"))]
plotting.images(
    {"original": np.hstack(test[:5])} | {name: np.hstack(restored[name][:5]) for name in shown},
    columns=1,
    size=4.5,
    alt="Five pieces of clothing: clean, noisy, behind the bilateral filter, which blurs, of components, which lose "
    "the print, and behind the network, which keeps it and leaves some grain.",
)
claim("the network gains another half decibel at least", decibel["network"] > rival + 0.5)

# %% [markdown]
# It beats them, by about a decibel. A table that shows the network beside the noisy picture only would have said more
# than four.
#
# ### Through a narrow place
#
# An **autoencoder** is trained to give back its input, through a layer of few numbers, the *code*. What it cannot
# put into the code is lost; so it has to find out what pictures have in common. With linear layers and a squared error
# the best there is are the principal components again (Baldi and Hornik 1989). So the cheap rival has the same number
# of components as the code has numbers: 32.

# %%
keras.utils.set_random_seed(runtime.seed())
auto = restoration.autoencoder(code=32)
restoration.fit(auto, clean, clean, steps=120, seed=runtime.seed())
code = {
    "autoencoder": restoration.psnr(np.clip(study.outputs(auto, test), 0, 1), test).mean(),
    "components": restoration.psnr(components(test, 32), test).mean(),
}
print({name: approx(value) for name, value in code.items()})
claim("after 120 steps it is behind 32 components", code["autoencoder"] < code["components"] - 0.5)

# %% [markdown]
# That is no argument against autoencoders, which have hardly begun to learn here. It is one for the rival: it costs one
# decomposition of a matrix, and without it 15 dB would have looked like something.
#
# ### Enlarge
#
# **Super-resolution** makes two by two pixels of each. The rival is in every image program: bicubic interpolation. The
# network computes only what is to be *added* to it: three convolutions on the small picture, of which the last has four
# channels, laid out as two by two pixels (**pixel shuffle**, Shi and others 2016). It learns from seven photographs of
# the course, and is judged on three others.

# %%
photographs = {name: restoration.luma(datasets.photograph(name)) for name in datasets.photograph_names()}
tests = ("camera", "rocket", "cat")
added, scores = study.enlarging("shuffle", photographs, tests, runtime.seed(), steps=200)
for name, (p, s) in scores.items():
    print(f"{name:7} bicubic {p[0]:.2f} dB, SSIM {s[0]:.3f}; network {approx(p[1], 4)} dB, SSIM {approx(s[1], 3)}")
gained = np.mean([p[1] - p[0] for p, _ in scores.values()])
claim("on photographs that it has not seen the network gains 0.4 dB on average", gained > 0.4)
where = np.s_[90:170, 150:230]
cubic = restoration.bicubic(restoration.shrunk(photographs["camera"]))
plotting.images(
    {
        "original": photographs["camera"][where],
        "bicubic": cubic[where],
        "network": np.clip(cubic + added["camera"], 0, 1)[where],
    },
    size=1.7,
    alt="The head of the man at the camera: the original, blurred by bicubic enlargement, and sharper by the network.",
)

# %% [markdown]
# The network has learned what edges of photographs look like. It has not learned what was in *this* photograph: what
# the small picture does not hold is guessed. With squared errors the guess is a mean, and a mean is smooth.
#
# Lesson 12 warned of another end: a transposed convolution with a kernel of 3 in steps of 2, under which pixels get
# one, two and four windows in turn. In a mask it did little harm. Here there is no convolution behind it that could
# take the grid out.

# %%
ends = {"shuffle": added, "transposed": study.enlarging("transposed", photographs, tests, runtime.seed(), steps=200)[0]}
grid = {end: np.mean([segmentation.checkerboard(x) for x in each.values()]) for end, each in ends.items()}
missing = [x - restoration.bicubic(restoration.shrunk(x)) for name, x in photographs.items() if name in tests]
truth = np.mean([segmentation.checkerboard(x) for x in missing])
print(
    "share that repeats every two pixels:", {end: approx(x, 2) for end, x in grid.items()}, "in truth", approx(truth, 2)
)
claim("what a trained network adds repeats more than twice as much as the truth", min(grid.values()) > 2 * truth)

# %% [markdown]
# Both ends leave a grid, the pixel shuffle as well: its four channels have four kernels, and nothing makes these agree.
# It is faint here. Look for it wherever a network doubles a map last.
#
# ### From noise alone
#
# A **generative** network makes pictures that nobody has given it. A **diffusion network** (Ho and others 2020) needs
# nothing but a denoiser. Mix a picture $x_0$ with normal noise $\varepsilon$, so that the picture has the share $a$ of
# the variance:
#
# $$x = \sqrt{a}\; x_0 + \sqrt{1-a}\;\varepsilon$$
#
# and train a network to find $\varepsilon$ in $x$, at every level from $a = 1$, a picture, to $a \approx 0$, nothing
# but noise. To sample begin with noise. Let the network guess the noise, work out the picture that this leaves, and go
# to a *little* less noise. Repeat. (This step is that of Song and others 2021.)

# %%
shares = diffusion.schedule()
levels = [0, 40, 80, 120, 160, 200]
noise = np.random.default_rng(runtime.seed()).normal(size=(28, 28, 1))
plotting.images(
    {f"a = {shares[k]:.2g}": diffusion.noised(data.x_train[9] * 2 - 1, shares[k], noise) for k in levels},
    value_range=(-2, 2),
    alt="An ankle boot in six levels of noise: clear at first, lost at the end.",
)
claim("at the last level the picture has a ten-thousandth of the variance", shares[-1] < 1.1e-4)

# %% [markdown]
# ### Exercise 18.6 · One step towards a picture
#
# `noisy` has the share `share` of a picture with values in -1 to 1, and `noise` is what a network takes for the noise
# in it. Return two arrays: the picture that this leaves, clipped to -1 to 1, and the next state, with the share
# `next_share` of this picture. Its noise is what, with the *clipped* picture, makes up `noisy`. `share` is below 1.


# %%
def step(noisy: np.ndarray, noise: np.ndarray, share: float, next_share: float) -> tuple[np.ndarray, np.ndarray]:
    """The guess of the picture, and the state with a little less noise."""
    ### BEGIN SOLUTION
    picture = np.clip((noisy - np.sqrt(1 - share) * noise) / np.sqrt(share), -1, 1)
    left = (noisy - np.sqrt(share) * picture) / np.sqrt(1 - share)
    return picture, np.sqrt(next_share) * picture + np.sqrt(1 - next_share) * left
    ### END SOLUTION


# %%
exercise("18.6").check(step)

# %% [markdown]
# The course ships a small network of this kind, a U-Net (lesson 12) that is also told the level and the class. It
# learned from the 10,000 pictures of clothes. Each row below is one state of ten samples, one of each class.

# %%
generator = diffusion.bundled()
drawn, states = diffusion.sample(generator, np.tile(np.arange(10), 10), steps=25, seed=runtime.seed(), keep=(0, 10, 20))
plotting.images(
    {f"{10 * k} steps": np.hstack((state[:10] + 1) / 2) for k, state in enumerate(states)}
    | {"25 steps": np.hstack(drawn[:10])},
    columns=1,
    size=4.2,
    value_range=(0, 1),
    alt="Four rows of ten pictures, from noise to textures of cloth in odd shapes.",
)

# %% [markdown]
# ### Are they any good?
#
# For pictures that nobody has drawn before there is no original, and so no PSNR. Take three numbers. Does LeNet-5
# (lesson 04) see the class that was asked for? How much do pictures of one class vary, compared with real ones? And how
# far is the nearest training picture, in the median of twenty: are they copies for the most part?
#
# The cheapest rival for a picture of a dress is the mean of all dresses.
#
# **Predict**: does LeNet-5 recognise more of the samples, or more of the ten mean pictures?

# %% jupyter={"source_hidden": true}
lenet = models.LeNet5((28, 28, 1), variant="modern", weights="fashion_mnist")
labels = np.tile(np.arange(10), 10)
means = np.stack([data.x_train[data.y_train == k].mean(0) for k in range(10)])
half_way = diffusion.sample(generator, labels, 20, runtime.seed(), begin=means[labels], level=140)
shown = {
    "from noise": (drawn, labels),
    "mean pictures": (means[labels], labels),
    "from the mean": (half_way, labels),
    "test pictures": (test[:100], data.y_test[:100]),
}
quality = {name: diffusion.quality(*pair, lenet, data.x_train) for name, pair in shown.items()}
for name, each in quality.items():
    print(f"{name:14} recognised ≈ {each[0]:.2f}, variety ≈ {each[1]:.2f}, nearest ≈ {each[2]:.2f}")
noise, mean, between, real = quality.values()
claim("of the samples from noise not half are recognised, and more of the mean pictures", noise[0] < min(0.5, mean[0]))
claim("mean pictures have no variety at all", mean[1] < 1e-6)

# %% [markdown]
# So this generator fails, and the picture above says at what: cloth has the right texture, and lies in the wrong place.
# That is decided in the first steps, where there is hardly any picture. A small network that sees a part of the
# picture at a time, trained for two minutes, is a poor judge of the whole. That is likely the reason. It can be
# circumvented: begin with the *mean picture*, and so much noise that a fifth of the variance is picture (Meng and
# others 2022 do so with sketches). These are the rows "from the mean".

# %%
plotting.images(
    {"from noise": np.hstack(drawn[:10]), "from the mean": np.hstack(half_way[:10]), "mean": np.hstack(means)},
    columns=1,
    size=4.2,
    alt="Three rows of ten pictures: patches of cloth in odd shapes, clothes with some faults, and blurred means.",
)
claim("begun with the mean, 20 points more are recognised", between[0] > noise[0] + 0.2)
claim("they vary less than test pictures do, and a third as much at least", real[1] / 3 < between[1] < real[1])
claim(
    "half of those looked up are no copies: their median distance is more than half of that of test pictures",
    between[2] > 0.5 * real[2],
)

# %% [markdown]
# No one number would have told. By "recognised" a constant beats the samples from noise, and by "variety" these beat
# real pictures. Published work uses the Fréchet distance of features, FID (Heusel and others 2017), which takes both
# into account, and needs ten thousands of samples.
#
# Large networks, trained for weeks, draw what passes for a photograph, from noise alone. What else is used: a **GAN**
# (Goodfellow and others 2014) trains a second network to tell samples from pictures, samples in *one* step, and is
# known to leave kinds of pictures out. In large systems diffusion runs in the code of an autoencoder (Rombach and
# others 2022), and words take the place of the class. Where details are *relied* on, remember what a generator does: it
# draws what is likely.
#
# **So far**: PSNR and SSIM judge what has an original, and the rival is a filter with its best setting. A denoiser,
# asked again and again, becomes a generator.
#
# ## Part 4 · Attention against convolution
#
# **What does a transformer do better, and what does it cost?**
#
# A convolution looks at neighbours, with the same weights everywhere. **Self-attention** (Vaswani and others 2017) lets
# each place decide, from what is there, which other places to look at. A **vision transformer**, ViT (Dosovitskiy and
# others 2020), cuts an image into patches, makes a row of numbers of each, and does little else than attention and
# dense layers.


# %%
def patchify(images, patch):
    """Images (n, height, width, channels) as patches (n, rows * columns, patch * patch * channels)."""
    n, height, width, channels = images.shape
    cut = images.reshape(n, height // patch, patch, width // patch, patch, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(n, -1, patch * patch * channels)


cifar = datasets.cifar10(500)
patches = patchify(cifar.x_test[:4], 4)
claim("an image of 32 pixels is 64 patches of 4 x 4 pixels, 48 numbers each", patches.shape == (4, 64, 48))
kernel, bias = (np.random.default_rng(0).normal(size=shape).astype("float32") for shape in ((4, 4, 3, 8), (8,)))
convolved = ops.convert_to_numpy(ops.conv(cifar.x_test[:4], kernel, strides=4, padding="valid") + bias)
embedded = patches @ kernel.reshape(48, 8) + bias
claim(
    "patches and a dense layer are a convolution with stride 4",
    np.allclose(embedded, convolved.reshape(4, 64, 8), atol=1e-4),
)

# %% [markdown]
# A transformer, too, begins with a convolution.
#
# ### Exercise 18.7 · Put the patches together
#
# Write the inverse: from (n, patches, numbers of a patch) back to images (n, height, width, channels). What does not
# fit, sides that are no multiple of `patch` or patches of another number or size, is a `ValueError`.


# %%
def put_together(patches: np.ndarray, patch: int, height: int, width: int) -> np.ndarray:
    """The images (n, height, width, channels) that these patches were cut from."""
    ### BEGIN SOLUTION
    n, count, numbers = patches.shape
    rows, columns = height // patch, width // patch
    if height % patch or width % patch or count != rows * columns or numbers % patch**2:
        raise ValueError(f"{patches.shape} are no patches of {patch} pixels of {height} x {width}")
    cut = patches.reshape(n, rows, columns, patch, patch, -1)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(n, height, width, -1)
    ### END SOLUTION


# %%
exercise("18.7").check(put_together)

# %% [markdown]
# ### Attention
#
# Each patch $i$ has a row of numbers $x_i$, and three products of it: a *query* $q_i$, what it looks for, a *key*
# $k_i$, what it offers, and a *value* $v_i$, what it gives. It looks at all patches $j$ by how well keys fit its
# query, and takes the weighted mean of their values:
#
# $$w_{ij} = \mathrm{softmax}_j\left(\frac{q_i \cdot k_j}{\sqrt{d}}\right), \qquad z_i = \sum_j w_{ij}\, v_j$$
#
# with $d$ the width of the queries. **Attention heads** do this side by side, each in columns of its own, and a last
# product mixes what they found. With a *mask* some pairs are forbidden: their weight is 0, and the others sum to 1.
#
# ### Exercise 18.8 · Attention
#
# `x` is (n, d); `wq`, `wk`, `wv` and `wo` are (d, d). Head 0 has the first d / heads columns of queries, keys and
# values, head 1 the next; the width in the formula is that of one head. `mask` is (n, n), true where the place of the
# row may look at that of the column; each may look somewhere. Scores can be large.


# %%
def attend(x, wq, wk, wv, wo, heads: int, mask=None) -> np.ndarray:
    """Attention of some heads among the n places of x, (n, d)."""
    ### BEGIN SOLUTION
    parts = []
    for columns in np.split(np.arange(x.shape[1]), heads):
        q, k, v = (x @ w[:, columns] for w in (wq, wk, wv))
        scores = q @ k.T / np.sqrt(len(columns))
        if mask is not None:
            scores = np.where(mask, scores, -np.inf)
        weights = np.exp(scores - scores.max(1, keepdims=True))
        parts.append(weights / weights.sum(1, keepdims=True) @ v)
    return np.concatenate(parts, 1) @ wo
    ### END SOLUTION


# %%
exercise("18.8").check(attend)

# %% [markdown]
# Is it what Keras has? Take the weights of its layer, compute by hand, and compare.

# %%
layer = keras.layers.MultiHeadAttention(num_heads=3, key_dim=16)
x = np.random.default_rng(runtime.seed()).normal(size=(1, 64, 48)).astype("float32")
theirs = ops.convert_to_numpy(layer(x, x))
wq, bq, wk, bk, wv, bv, wo, bo = layer.get_weights()  # (48, 3, 16) three times, then (3, 16, 48)
q, k, v = (np.einsum("npd,dhe->nhpe", x, w) + b[:, None] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
z, weights = vit.attention(q, k, v)
ours = np.einsum("nhpe,hed->npd", z, wo) + bo
claim("attention by hand is Keras' layer", np.abs(ours - theirs).max() < 1e-4)
claim("each row of weights sums to 1", np.allclose(weights.sum(-1), 1))

# %% [markdown]
# ### Where am I?
#
# In the formula no place has a number. Put the patches in another order, and the same rows come out, in that order.
# So a transformer is told: each place has a **positional code**, learned with the rest, which is added to its patch.
#
# **Predict**: two untrained networks see pictures whose 64 patches are thrown together. One has codes. What happens to
# the scores of each?

# %%
order = np.random.default_rng(runtime.seed()).permutation(64)
pictures = study.colours(cifar.x_test[:8])
mixed = vit.unpatchify(vit.patchify(pictures, 4)[:, order], 4, 32, 32)
changes = {}
for positions in (False, True):
    keras.utils.set_random_seed(runtime.seed())
    model = vit.vit(positions=positions)
    changes[positions] = np.abs(study.outputs(model, pictures) - study.outputs(model, mixed)).max()
claim("without codes nothing changes but rounding", changes[False] < 1e-4)
claim("with codes the scores change", changes[True] > 10 * changes[False] and changes[True] > 1e-3)

# %% [markdown]
# Without codes the network sees a bag of patches. A convolution needs no code: near and far is built into it. That is
# its assumption, its **inductive bias**, and the next question is what it is worth.
#
# ### At equal size
#
# A CNN of four convolutions and a ViT of three blocks, of as many parameters, learn CIFAR-10 from 500, 2,000 and 8,000
# pictures. All take 250 steps of 64 pictures, shifted and mirrored, with Adam. The highest learning rate of each was
# the best of four on validation pictures, tried with 2,000 pictures and for one seed only. Three seeds.
#
# **Predict**: which wins with 500 pictures, which with 8,000, and does the distance shrink?

# %% jupyter={"source_hidden": true}
networks = {name: make() for name, make in study.NETWORKS.items()}
for name, model in networks.items():
    print(f"{name}: {model.count_params():,} parameters, {trace(model).total_macs / 1e6:.1f} million multiplications")
sizes = [network.count_params() for network in networks.values()]
claim("they are of one size, to a tenth", 0.9 < sizes[0] / sizes[1] < 1.1)
compared = results.Experiment("beyond_efficiency").stored
accuracy = {name: np.stack([compared[name][str(n)]["network"] for n in study.SIZES]) for name in networks}
plotting.curves(
    {name: runs.mean(1) for name, runs in accuracy.items()},
    study.SIZES,
    bands={name: (runs.min(1), runs.max(1)) for name, runs in accuracy.items()},
    xlabel="training pictures",
    ylabel="test accuracy",
    logx=True,
    markers=True,
    alt="Two lines over the number of pictures, the CNN about 0.1 above the ViT everywhere.",
)
gap = accuracy["CNN"] - accuracy["ViT"]
for size, each in zip(study.SIZES, gap):
    print(f"{size:5} pictures: the CNN is ahead by {each.mean():.3f}, from {each.min():.3f} to {each.max():.3f}")
claim("the CNN wins with every number of pictures, for every seed", gap.min() > 0)
claim("with 500 pictures it is ahead of the ViT with 8,000, too", accuracy["CNN"][0].min() > accuracy["ViT"][2].max())
longer = datasets.weights_card("vit_cifar10")["test_accuracy"]
claim("but a ViT with 600 steps and not 250 gains 0.05", longer > accuracy["ViT"][2].max() + 0.05)

# %% [markdown]
# What has been measured: of two small networks, which learns more in the same few steps. The CNN does, by about 0.1,
# and the distance does not shrink: from 2,000 pictures to 8,000 the ViT gains nothing in 250 steps, so pictures are not
# what it lacks there. What has not: how it ends. With 8,000 pictures 250 steps are two epochs, and the last claim shows
# that the ViT is not done (it is one run, without a counterpart of the CNN). Nor *why*: the two differ in more than
# their assumption.
#
# ### What it costs
#
# For each pair of places attention multiplies. With $s \times s$ places of $d$ numbers it takes
#
# $$4 s^2 d^2 + 2 s^4 d$$
#
# multiplications, the first for queries, keys, values and the last product, the second for scores and means. A
# convolution of 3 x 3 takes $9 s^2 d^2$: in proportion to the pixels, and not to their square.

# %% jupyter={"source_hidden": true}
keras.utils.set_random_seed(0)
inputs = keras.Input((64, 48))
counted = trace(keras.Model(inputs, keras.layers.MultiHeadAttention(3, 16)(inputs, inputs))).total_macs
claim("the formula counts what the tool of lesson 05 counts", counted == vit.attention_macs(8, 48))
sides = np.array([4, 8, 16, 32, 64, 128])
plotting.curves(
    {
        "attention": [vit.attention_macs(s, 48) for s in sides],
        "convolution": [vit.convolution_macs(s, 48) for s in sides],
    },
    sides,
    xlabel="places along a side",
    ylabel="multiplications",
    logx=True,
    logy=True,
    markers=True,
    alt="Two lines: attention begins below the convolution, crosses it near 11 places, and rises twice as steeply.",
)
cheaper = [s for s in range(1, 200) if vit.attention_macs(s, 48) <= vit.convolution_macs(s, 48)]
claim("up to 10 places a side attention is the cheaper one", max(cheaper) == 10)
claim(
    "at 128 it takes more than 70 times as many", 70 < vit.attention_macs(128, 48) / vit.convolution_macs(128, 48) < 80
)

# %% tags=["nbval-ignore-output"]
for side in (16, 32):
    first, second = (approx(1000 / transfer.per_second(step, 0.3), 2) for step in study.steps_of_both(side, 48))
    print(f"{side} x {side} places: convolution {first} ms, attention {second} ms")

# %% [markdown]
# For this reason ViTs take patches of 16 pixels. What needs fine maps needs other means: **Swin** (Liu and others
# 2021) lets patches look at those in a window only, and moves the windows from layer to layer, so that cost grows with
# the pixels again. *Hybrids* begin with convolutions and end with attention (CoAtNet, Dai and others 2021).
#
# ### Where does it look?
#
# The weights of attention can be drawn, and often are, as an explanation. Lesson 10 has a test for that (Adebayo and
# others 2018): does the map change if the network forgets what it has learned? A ViT like the one above, trained a
# little longer, comes with the course. **Rollout** (Abnar and Zuidema 2020) multiplies the weights of its three blocks:
# what each patch of the end has seen of each patch of the image. Its mean over patches is one map for each picture.

# %% jupyter={"source_hidden": true}
learned = vit.vit()
datasets.load_weights(learned, "vit_cifar10")
pictures, shown = study.colours(cifar.x_test[:40]), cifar.x_test[:40]


def seen(model):
    """Mean rollout of each picture, (n, 8, 8)."""
    return vit.rollout(vit.attention_maps(model, pictures)).mean(1).reshape(-1, 8, 8)


contrast = vit.patchify(shown.mean(-1, keepdims=True), 4).std(-1).reshape(-1, 8, 8)
forgotten = {seed: seen(vit.shuffled(learned, seed)) for seed in range(3)}
maps = seen(learned)
plotting.laid_over(
    shown[:5],
    {"as learned": maps[:5], "shuffled": forgotten[0][:5], "contrast": contrast[:5]},
    alt="Five small pictures with three maps each: of the trained network, of the shuffled one, and of local contrast.",
)
kept = {
    name: float(explain.rank_correlation(maps, x).mean()) for name, x in (*forgotten.items(), ("contrast", contrast))
}
print({name: approx(x, 2) for name, x in kept.items()})
claim("shuffled, the map keeps less than 0.5 of its order", max(kept[seed] for seed in range(3)) < 0.5)

# %% [markdown]
# The map depends on what was learned, so it passes, not by much: local contrast, which knows no network, has as much in
# common with it as the shuffled ones. To pass says little, as in lesson 10: it does not say that these patches are the
# *reason* for the answer. (For the dispute see Jain and Wallace 2019, and Wiegreffe and Pinter 2019.)
#
# **So far**: attention looks everywhere, knows no places, and pays for each pair. At equal size, with few pictures and
# steps, a CNN is ahead.
#
# ## Part 5 · Which tool
#
# **What do you take, and when is a CNN the wrong choice?**
#
# ### When neighbours mean nothing
#
# A convolution assumes that neighbouring inputs belong together. Break just that: put the pixels of all pictures into
# one other order, the same for all. Nothing is lost, each picture can be restored. A CNN and a network of two dense
# layers learned 2,000 pictures of clothes, of 14 pixels a side, as they are and so mixed, for three seeds, each time
# with the rate of three that was best on validation pictures.
#
# **Predict**: what happens to each of the two?

# %% jupyter={"source_hidden": true}
runs = results.Experiment("beyond_permuted").stored
table = {}
for name in ("CNN", "dense"):
    for arranged in ("as they are", "permuted"):
        valid, priced = (runs[name][arranged][part].columns() for part in ("validation", "test"))
        table[name, arranged] = priced[max(valid, key=lambda rate: valid[rate].mean())]
        print(f"{name:5} {arranged:11} {table[name, arranged].mean():.3f}")
lost = {name: table[name, "as they are"] - table[name, "permuted"] for name in ("CNN", "dense")}
claim("mixed pixels cost the CNN less than 0.02", lost["CNN"].mean() < 0.02)
claim("and the dense network too", abs(lost["dense"]).max() < 0.02)

# %% [markdown]
# The saying is that a CNN is lost without neighbours. Here it is not. That does not refute the assumption; it says that
# this CNN has nothing from it *here*, likely because clothes lie in the same place in each picture; at 14 pixels a
# network that sees each pixel by itself does as well. (For the CNN the highest rate tried was the best one, so it may
# have more to give.) If you expect a CNN to be ahead because the inputs are pictures, mix the pixels and train again.
# What is lost is what neighbourhood was worth.
#
# A table is an input whose columns have no order at all. There boosted trees are hard to beat (Grinsztajn and others
# 2022). So ask before you take a CNN: if I exchanged two inputs, would it be another input to a person, too?
#
# ### Without labels
#
# Labels are dear, pictures are not. **Self-supervision** makes up a task whose answer is known: which parts were hidden
# (MAE, He and others 2022), which two pictures are parts of one (SimCLR, Chen and others 2020), or how a picture was
# turned (Gidaris and others 2018). Then a linear classifier on the features shows what they are worth.
#
# The CNN above learned from 8,000 pictures without a label by how many quarters each was turned. A linear classifier
# then had 500 labels. Beside it: features of random weights, and those that were learned with labels, from the same
# 500 pictures and from all 8,000.
#
# **Predict**: put the four in order.

# %% jupyter={"source_hidden": true}
pretext, cnn = results.Experiment("beyond_pretext").stored, compared["CNN"]
ways = {
    "random weights": pretext["random"],
    "turned, no labels": pretext["turned"],
    "500 labels": cnn["500"]["probe"],
    "8,000 labels": cnn["8000"]["probe"],
}
for name, values in ways.items():
    print(f"{name:18} {values.mean():.3f}, from {values.min():.3f} to {values.max():.3f}")
order = list(ways.values())
claim("8,000 labels are worth more than 500, on average", order[3].mean() > order[2].mean())
claim("500 labels are worth more than 8,000 turned pictures, for each seed", (order[2] > order[1]).all())

# %% [markdown]
# So this task, for this network and in 250 steps, is not clearly worth more than random weights: in one of three runs
# it was worth nothing. (Its rate was the one that was best with labels.) The published gains come from larger networks
# and far longer training. Measure with your own.
#
# ### Classes that were never shown
#
# **Zero-shot** classifiers are given a class in words. CLIP (Radford and others 2021) learned from 400 million pictures
# with captions which words go with which picture; a class is a sentence. Before that, classes were described by
# **attributes** (Lampert and others 2009). That is small enough for a cell. Eight classes of clothes are
# known; a linear model learns seven attributes from them. Dress and sneaker it has never seen. It is told that a dress
# covers the upper body and the legs, and that a sneaker is a shoe without open toes or a high shaft.
#
# **Predict**: how many of their pictures does it tell from each other, and how many if all ten classes are allowed?

# %%
print(", ".join(study.ATTRIBUTES), "\nsneaker:", study.OF_CLASSES[7])
attributes, unseen = study.OF_CLASSES, [3, 7]
known = ~np.isin(data.y_train, unseen)
x, new = (each.reshape(len(each), -1) for each in (data.x_train[known], test))
one, y = np.ones((len(x), 1)), attributes[data.y_train[known]]
x, new = np.hstack([x, one]), np.hstack([new, np.ones((len(new), 1))])
told = new @ np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ y)
distance = np.square(told[:, None] - attributes).sum(-1)
asked = np.isin(data.y_test, unseen)
between = (distance[asked][:, unseen].argmin(1) == [unseen.index(k) for k in data.y_test[asked]]).mean()
among = (distance[asked].argmin(1) == data.y_test[asked]).mean()
print(f"between the two {between:.3f}, among all ten {among:.3f}")
claim("told to choose between the two, it is right in more than four of five cases", between > 0.8)
claim("with all ten to choose from, in fewer than one of five", among < 0.2)

# %% [markdown]
# Both numbers are of the same model and the same pictures. That seen classes win over unseen ones is known of larger
# models, too (Xian and others 2019). Whoever reads "zero-shot accuracy" should ask among which
# classes, and whether the classes were really never shown: of what stands on the web, a large model has seen most.
#
# ### What is said, and what is known
#
# - *A transformer needs 14 million images.* In its paper ViT beat a ResNet after ImageNet-21k, 14 million, or JFT, 300
#   million, and lost on 1.3 million. Soon after, **DeiT** (Touvron and others 2021) trained a ViT on the 1.3 million
#   alone, with stronger augmentation and a CNN as a teacher. It was the recipe, in large part.
# - *Convolutions are over.* ConvNeXt (Liu and others 2022; lesson 07) took over the recipes, and is on a par with Swin.
#   Trained at the same scale, CNNs and ViTs came out alike (Smith and others 2023).
# - *Hybrids win.* Some did, in the papers that proposed them. With which budget for which rival?
# - *A CNN is how the brain sees.* Hubel and Wiesel inspired it. That features of CNNs predict cells of the visual
#   cortex better than older models is measured (Yamins and others 2014); that it *is* one is not: it reads textures
#   where people read shapes (Geirhos and others 2019).
#
# ### How it came about
#
# | year | what | source |
# |---|---|---|
# | 1959, 1962 | cells in the cat's visual cortex answer to edges in small fields | Hubel and Wiesel |
# | 1980 | Neocognitron: layers of such cells in turn, learning without labels | Fukushima |
# | 1989, 1998 | trained by backpropagation on postal codes; LeNet-5 | LeCun and others |
# | 2012 | AlexNet: ImageNet, two GPUs, ReLU, dropout | Krizhevsky, Sutskever and Hinton |
# | 2015 | ResNet: 152 layers | He and others |
# | 2020 | ViT | Dosovitskiy and others |
# | 2022 | ConvNeXt | Liu and others |
#
# ### Exercise 18.9 · Pick the tool
#
# `tools.PROJECTS` has seven projects, `tools.TOOLS` eight tools. Make `choice` a dictionary: name of the project ->
# name of the tool. Count as broken: weights from photographs where pictures are like none on the web (wafers, sonar,
# tomography); fewer than about 500 labels of each class for random weights, 20 for pretrained ones, 50 after
# self-supervision, which also wants many pictures without labels; more than half a billion operations on a battery or a
# boat (a MobileNetV2 has 0.3, a ResNet-50 4, a ViT-B 18). The check names the fact that a choice breaks;
# `tools.review("churn", "pretrained CNN")` does so, too.

# %%
for name, project in tools.PROJECTS.items():
    print(f"{name:11} {project.story}")
print("\n".join(f"{name:23} {tool.about}" for name, tool in tools.TOOLS.items()))
claim("two facts speak against a pretrained CNN for a table", len(tools.review("churn", "pretrained CNN")) == 2)

# %%
### BEGIN SOLUTION
choice = {
    "churn": "boosted trees",
    "orchard": "pretrained CNN",
    "wafers": "self-supervised CNN",
    "archive": "image-text model",
    "sonar": "CNN from random weights",
    "tomography": "trained restoration",
    "stage sets": "diffusion",
}
### END SOLUTION

# %%
exercise("18.9").check(choice)

# %% [markdown]
# **So far**: ask what goes in, what has to come out, how many labels there are, what there is room for, and who is
# harmed by an invention. The network follows.
#
# ## Recap
#
# - Convolution is for inputs whose neighbours belong together: along one axis, in a plane, in a volume, along the edges
#   of a graph. Where they do not, it has nothing to gain from that. Mix the inputs and train again: what is lost is
#   what neighbourhood was worth.
# - What is known of a signal, a spectrum or counts of groups, can beat what little data teach. A law is learned only as
#   far as the data show it.
# - A picture that comes out is judged against its original, beside a filter with its best setting.
# - Squared errors give means, and means are smooth. A generator draws what is likely, which is another thing.
# - A denoiser that is asked at every level of noise samples pictures. No one number says how good they are.
# - Attention weighs all places by what is in them. It needs codes of places, and pays for each pair.
# - With few pictures and few steps, at equal size, a CNN is ahead. With many, recipes count for more than the kind of
#   layer.
# - Labels can be replaced in part, by words. A made-up task may do it, too; the small one here did not.
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
# **A colleague shows noisy pictures beside those of her network: 13 dB and 19 dB. What do you ask?**
#
# <details><summary>Model answer</summary>
#
# What does a median filter with its best window have, on the same pictures? And principal components? Was the setting
# chosen on other pictures than these? Is the peak the same, and is the mean that of decibels or of errors? Six decibels
# sound like much, and most of them may be had without a network.
#
# </details>
#
# **Why is a generator that passes for perfect still no good for enlarging the number plate of a car?**
#
# <details><summary>Model answer</summary>
#
# The small picture fits many plates. The generator draws one of those that are likely, sharp and plausible, and which
# of them is up to its noise. What is sharp then is not what was there. Squared error would at least have shown, by its
# blur, that nothing is known.
#
# </details>
#
# **Your manager has read that transformers have replaced CNNs. You have 3,000 labelled pictures of welds. What do you
# say?**
#
# <details><summary>Model answer</summary>
#
# From random weights, with few steps and at equal size, a CNN was ahead on CIFAR-10; that is no measurement on welds.
# With weights from other pictures either may win, so the question is which weights fit pictures of welds, and what the
# device has room for. Try both on one validation set, each with a rate of its own, three seeds, beside a linear model
# on frozen features. That takes a day, and then you know.
#
# </details>
#
# ## What comes next
#
# You have seen where convolution carries you, and where it ends. The capstone is a project of your own, from the data
# to the service. [19 Capstone](../notebooks/19_capstone.ipynb) · [Course map](../README.md)
#
# ## References
#
# - S. Abnar and W. Zuidema (2020). Quantifying attention flow in transformers. *ACL*.
# - J. Adebayo, J. Gilmer, M. Muelly and others (2018). Sanity checks for saliency maps. *NeurIPS*.
# - P. Baldi and K. Hornik (1989). Neural networks and principal component analysis. *Neural Networks* 2.
# - T. Chen, S. Kornblith, M. Norouzi and G. Hinton (2020). A simple framework for contrastive learning of visual
#   representations. *ICML*.
# - Z. Dai, H. Liu, Q. V. Le and M. Tan (2021). CoAtNet: marrying convolution and attention for all data sizes.
#   *NeurIPS*.
# - A. Dosovitskiy, L. Beyer, A. Kolesnikov and others (2020; *ICLR* 2021). An image is worth 16x16 words: transformers
#   for image recognition at scale.
# - V. S. Fonov, A. C. Evans, R. C. McKinstry, C. R. Almli and D. L. Collins (2009). Unbiased nonlinear average
#   age-appropriate brain templates from birth to adulthood. *NeuroImage* 47.
# - K. Fukushima (1980). Neocognitron. *Biological Cybernetics* 36.
# - R. Geirhos, P. Rubisch, C. Michaelis and others (2019). ImageNet-trained CNNs are biased towards texture. *ICLR*.
# - S. Gidaris, P. Singh and N. Komodakis (2018). Unsupervised representation learning by predicting image rotations.
#   *ICLR*.
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza and others (2014). Generative adversarial nets. *NeurIPS*.
# - L. Grinsztajn, E. Oyallon and G. Varoquaux (2022). Why do tree-based models still outperform deep learning on
#   typical tabular data? *NeurIPS*.
# - W. L. Hamilton, R. Ying and J. Leskovec (2017). Inductive representation learning on large graphs. *NeurIPS*.
# - K. He, X. Chen, S. Xie and others (2022). Masked autoencoders are scalable vision learners. *CVPR*.
# - K. He, X. Zhang, S. Ren and J. Sun (2015; *CVPR* 2016). Deep residual learning for image recognition.
# - M. Heusel, H. Ramsauer, T. Unterthiner and others (2017). GANs trained by a two time-scale update rule converge to a
#   local Nash equilibrium. *NeurIPS*.
# - J. Ho, A. Jain and P. Abbeel (2020). Denoising diffusion probabilistic models. *NeurIPS*.
# - D. H. Hubel and T. N. Wiesel (1959). Receptive fields of single neurones in the cat's striate cortex. *Journal of
#   Physiology* 148; (1962). Receptive fields, binocular interaction and functional architecture in the cat's visual
#   cortex. *Journal of Physiology* 160.
# - S. Jain and B. C. Wallace (2019). Attention is not explanation. *NAACL*. S. Wiegreffe and Y. Pinter (2019).
#   Attention is not not explanation. *EMNLP*.
# - T. N. Kipf and M. Welling (2017). Semi-supervised classification with graph convolutional networks. *ICLR*.
# - A. Krizhevsky, I. Sutskever and G. E. Hinton (2012). ImageNet classification with deep convolutional neural
#   networks. *NeurIPS*.
# - C. H. Lampert, H. Nickisch and S. Harmeling (2009). Learning to detect unseen object classes by between-class
#   attribute transfer. *CVPR*.
# - Y. LeCun, B. Boser, J. S. Denker and others (1989). Backpropagation applied to handwritten zip code recognition.
#   *Neural Computation* 1. Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998). Gradient-based learning applied to
#   document recognition. *Proceedings of the IEEE* 86.
# - Z. Liu, Y. Lin, Y. Cao and others (2021). Swin transformer. *ICCV*. Z. Liu, H. Mao, C.-Y. Wu and others (2022). A
#   ConvNet for the 2020s. *CVPR*.
# - C. Meng, Y. He, Y. Song and others (2022). SDEdit: guided image synthesis and editing with stochastic differential
#   equations. *ICLR*.
# - A. van den Oord and others (2016). WaveNet: a generative model for raw audio.
# - A. Radford, J. W. Kim, C. Hallacy and others (2021). Learning transferable visual models from natural language
#   supervision. *ICML*.
# - R. Rombach, A. Blattmann, D. Lorenz and others (2022). High-resolution image synthesis with latent diffusion models.
#   *CVPR*.
# - M. Schlichtkrull, T. N. Kipf and others (2018). Modeling relational data with graph convolutional networks. *ESWC*.
# - W. Shi, J. Caballero, F. Huszár and others (2016). Real-time single image and video super-resolution using an
#   efficient sub-pixel convolutional neural network. *CVPR*.
# - S. L. Smith, A. Brock, L. Berrada and S. De (2023). ConvNets match vision transformers at scale.
# - J. Song, C. Meng and S. Ermon (2021). Denoising diffusion implicit models. *ICLR*.
# - H. Touvron, M. Cord, M. Douze and others (2021). Training data-efficient image transformers & distillation through
#   attention. *ICML*.
# - A. Vaswani, N. Shazeer, N. Parmar and others (2017). Attention is all you need. *NeurIPS*.
# - Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli (2004). Image quality assessment: from error visibility to
#   structural similarity. *IEEE Transactions on Image Processing* 13.
# - Y. Xian, C. H. Lampert, B. Schiele and Z. Akata (2019). Zero-shot learning: a comprehensive evaluation of the good,
#   the bad and the ugly. *IEEE Transactions on Pattern Analysis and Machine Intelligence* 41.
# - D. L. K. Yamins, H. Hong, C. F. Cadieu and others (2014). Performance-optimized hierarchical models predict neural
#   responses in higher visual cortex. *PNAS* 111.
# - K. Zhang, W. Zuo, Y. Chen and others (2017). Beyond a Gaussian denoiser. *IEEE Transactions on Image Processing* 26.
