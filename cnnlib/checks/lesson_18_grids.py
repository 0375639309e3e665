"""Of the checks of lesson 18 those on signals, volumes, graphs and fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 18.1 How long does it listen? ----------------------------------------------------------------------------------------


def listens(layers, rate, samples):
    """The reference answer."""
    return _listens(layers, rate, samples)


def _listens(
    layers,
    rate,
    samples,
    reach: Callable = lambda kernel, dilation: dilation * (kernel - 1),
    add: Callable = lambda field, reach, jump, stride: field + reach * jump,
    leap: Callable = lambda jump, stride: jump * stride,
    unit: Callable = lambda number, rate: number / rate,
    count: Callable = lambda samples, field, jump: (samples - field) // jump + 1 if samples >= field else 0,
    first: int = 1,
):
    field, jump = first, 1
    for kernel, stride, dilation in layers:
        field, jump = add(field, reach(kernel, dilation), jump, stride), leap(jump, stride)
    return unit(field, rate), unit(jump, rate), count(samples, field, jump)


def _listen_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(([(3, 1, 1)], 100, 10), about="one kernel of 3")
    yield Case(([(256, 128, 1)], 8000, 2048), about="the windows of a spectrogram")
    yield Case(([(3, 2, 1), (3, 2, 1)], 100, 20), about="two layers with stride 2")
    yield Case(([(3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)], 16000, 100), about="dilations that double")
    yield Case(([(16, 4, 1), (8, 4, 1), (8, 4, 1)], 8000, 2048), about="the network on the waveform")
    yield Case(([(4, 3, 1), (3, 2, 3), (2, 1, 5)], 50, 60), about="strides and dilations")
    yield Case(([(5, 2, 1), (5, 2, 1)], 100, 12), about="a sound that is too short")
    yield Case(([(5, 2, 1), (5, 2, 1)], 100, 6), about="a sound that is far too short")
    yield Case(([(5, 2, 1), (5, 2, 1)], 100, 13), about="a sound that is just long enough")
    yield Case(([], 100, 7), about="no layer")
    for _ in range(2):
        layers = [(int(rng.integers(2, 6)), int(rng.integers(1, 4)), int(rng.integers(1, 4))) for _ in range(3)]
        yield Case((layers, int(rng.choice([50, 250, 8000])), int(rng.integers(150, 400))), about="random layers")


def _listens_with(**change) -> Callable:
    return lambda layers, rate, samples: _listens(layers, rate, samples, **change)


def _floor(samples, field, jump):
    return (samples - field) // jump + 1


LISTENS = FunctionExercise(
    "18.1",
    "How long does it listen?",
    reference=listens,
    cases=_listen_cases,
    misconceptions=(
        Misconception(
            _listens_with(reach=lambda kernel, dilation: kernel - 1),
            "The dilation is not used: a kernel of k taps with dilation d reaches over d (k - 1) + 1 samples.",
        ),
        Misconception(
            _listens_with(reach=lambda kernel, dilation: dilation * kernel - 1),
            "Between k taps there are k - 1 gaps: a dilated kernel spans d (k - 1) + 1 samples, not d k.",
        ),
        Misconception(
            _listens_with(reach=lambda kernel, dilation: dilation * kernel, first=0),
            "Kernels are added up whole. The first tap of a kernel is there already: each layer *adds* d (k - 1).",
        ),
        Misconception(
            _listens_with(add=lambda field, reach, jump, stride: field + reach),
            "Strides are not used for the field. A tap of a later layer is as many samples away from the next as the "
            "strides before it multiply to.",
        ),
        Misconception(
            _listens_with(add=lambda field, reach, jump, stride: field + reach * jump * stride),
            "A layer's own stride moves the *next* layer's taps apart, not its own.",
        ),
        Misconception(
            _listens_with(leap=lambda jump, stride: stride),
            "Strides multiply through the layers; only the last one is in your step.",
        ),
        Misconception(_listens_with(leap=lambda jump, stride: jump + stride - 1), "Strides multiply; yours are added."),
        Misconception(_listens_with(unit=lambda number, rate: number), "These are samples. Divide by the rate."),
        Misconception(
            _listens_with(unit=lambda number, rate: number * rate),
            "A second has `rate` samples, so n samples last n / rate seconds.",
        ),
        Misconception(
            _listens_with(unit=lambda number, rate: 1000 * number / rate), "These are milliseconds; seconds are asked."
        ),
        Misconception(
            _listens_with(count=lambda samples, field, jump: samples // jump),
            "Without padding an output needs its whole field: the first is there when `field` samples are.",
        ),
        Misconception(
            _listens_with(count=lambda samples, field, jump: math.ceil(samples / jump)),
            'That is the number with padding "same". Without padding an output needs its whole field.',
        ),
        Misconception(
            _listens_with(count=lambda samples, field, jump: max(0, (samples - field) // jump)),
            "One is missing: the field stands once before it moves.",
        ),
        Misconception(
            _listens_with(count=lambda samples, field, jump: max(1, _floor(samples, field, jump))),
            "A sound that is shorter than the field gives no output: 0.",
        ),
        Misconception(
            _listens_with(count=_floor), "A sound that is shorter than the field gives no output: 0, and none below it."
        ),
        Misconception(
            _listens_with(count=lambda samples, field, jump: max(0, (samples - field) / jump + 1)),
            "Outputs are whole numbers: round down.",
        ),
    ),
    hints=(
        "First in samples. One output of the last layer: which of its inputs does it see, and how far apart are they?",
        "Keep two numbers: the field, which begins with 1, and the step between neighbouring outputs, which begins "
        "with 1. What does a layer do to each?",
        "A layer adds dilation x (kernel - 1) x step to the field, and then multiplies the step by its stride.",
    ),
    remark="arithmetic.receptive_field(layers) gives field and step in samples.",
)


# 18.2 The price of depth ----------------------------------------------------------------------------------------------


def stack(shape, layers):
    """The reference answer."""
    return _stack(shape, layers)


def _stack(
    shape,
    layers,
    size: Callable = lambda n, stride: math.ceil(n / stride),
    taps: Callable = math.prod,
    bias: int = 1,
    places: Callable = lambda before, after: math.prod(after),
    per_place: Callable = lambda taps, channels, filters: taps * channels * filters,
    channels_next: Callable = lambda channels, filters: filters,
    kept: Callable = sum,
    strides: Callable = lambda strides: strides,
):
    *sides, channels = shape
    parameters = macs = 0
    numbers = [math.prod(shape)]
    for kernel, stride, filters in layers:
        before, sides = sides, [size(n, s) for n, s in zip(sides, strides(stride))]
        parameters += (taps(kernel) * channels + bias) * filters
        macs += places(before, sides) * per_place(taps(kernel), channels, filters)
        channels = channels_next(channels, filters)
        numbers.append(math.prod(sides) * filters)
    return (*sides, channels), parameters, macs, 4 * kept(numbers)


def _stack_cases(rng: np.random.Generator) -> Iterator[Case]:
    one, cube = (1, 1, 1), (3, 3, 3)
    yield Case(((4, 6, 6, 1), [(cube, one, 2)]), about="one layer")
    yield Case(((99, 117, 95, 1), [(cube, one, 16), (cube, one, 16), (cube, one, 1)]), about="the brain")
    yield Case(((99, 117, 95, 1), [((1, 3, 3), one, 16), ((1, 3, 3), one, 1)]), about="kernels on slices")
    yield Case(((16, 32, 32, 3), [(cube, (2, 2, 2), 8), (cube, (2, 2, 2), 16)]), about="strides")
    yield Case(((15, 33, 20, 2), [(cube, (2, 2, 2), 4)]), about="sides that the stride does not divide")
    yield Case(((16, 112, 112, 3), [((3, 7, 7), (1, 2, 2), 64), ((3, 1, 1), one, 32)]), about="a film: time is axis 0")
    yield Case(((5, 5, 5, 7), []), about="no layer")
    for _ in range(2):
        shape = tuple(int(n) for n in rng.integers(7, 30, 3)) + (int(rng.integers(2, 5)),)
        layers = []
        for _ in range(2):
            kernel = tuple(int(n) for n in rng.choice([1, 3, 5], 3))
            strides = tuple(int(n) for n in rng.choice([1, 2, 3], 3))
            layers.append((kernel, strides, int(rng.integers(5, 12))))
        yield Case((shape, layers), about="random layers")


def _stack_with(**change) -> Callable:
    return lambda shape, layers: _stack(shape, layers, **change)


STACK = FunctionExercise(
    "18.2",
    "The price of depth",
    reference=stack,
    cases=_stack_cases,
    misconceptions=(
        Misconception(
            _stack_with(size=lambda n, stride: n // stride),
            'Padding "same" rounds *up*: 15 voxels with stride 2 give 8.',
        ),
        Misconception(
            _stack_with(strides=lambda strides: (1, *strides[1:])), "The stride along the first axis is left out."
        ),
        Misconception(_stack_with(strides=lambda strides: (1, 1, 1)), "The strides are left out."),
        Misconception(
            _stack_with(taps=lambda kernel: math.prod(kernel[1:])),
            "The kernel's depth is left out: a 3x3x3 kernel has 27 weights for each channel, not 9.",
        ),
        Misconception(_stack_with(taps=sum), "The taps of a kernel multiply: 3x3x3 is 27."),
        Misconception(_stack_with(bias=0), "Each filter has a bias, which is a parameter."),
        Misconception(
            _stack_with(places=lambda before, after: math.prod(before)),
            "Multiplications are counted at the places of the *output*; strides make them fewer.",
        ),
        Misconception(
            _stack_with(per_place=lambda taps, channels, filters: (taps * channels + 1) * filters),
            "A bias is added, not multiplied: it is no multiply-accumulate.",
        ),
        Misconception(
            _stack_with(per_place=lambda taps, channels, filters: taps * filters),
            "At each place a filter multiplies all *channels* of its input.",
        ),
        Misconception(
            _stack_with(channels_next=lambda channels, filters: channels),
            "The channels of the next layer's input are this layer's filters.",
        ),
        Misconception(
            _stack_with(kept=lambda numbers: sum(numbers[1:])),
            "The input is missing: the backward pass of the first kernel needs it.",
        ),
        Misconception(
            _stack_with(kept=lambda numbers: sum(numbers) + sum(numbers[1:-1])),
            "A map between two layers is the output of one and the input of the next: it is kept once.",
        ),
        Misconception(
            _stack_with(kept=max), "That is the largest array. The backward pass needs all of them: add them up."
        ),
        Misconception(_stack_with(kept=lambda numbers: numbers[-1]), "That is the last array only."),
        Misconception(
            _stack_with(kept=lambda numbers: sum(numbers) / 4), "These are numbers. Each takes 4 bytes in float32."
        ),
    ),
    hints=(
        "A layer has (taps x input channels + 1) x filters parameters. How many taps has a kernel (kd, kh, kw)?",
        "Multiplications: the voxels of the output, times the weights without the biases.",
        "Walk through the layers with the three sides and the channels; add up parameters, multiplications, and the "
        "size of each output. The first array kept is the input.",
    ),
    remark="arithmetic.conv_parameters((3, 3, 3), 16, 16) and arithmetic.conv_macs(sides, (3, 3, 3), 16, 16).",
)


# 18.3 A convolution without a grid ------------------------------------------------------------------------------------


def graph_mean(adjacency, x, weights):
    """The reference answer."""
    return _graph_mean(adjacency, x, weights)


def _with_loops(adjacency):
    return np.maximum(adjacency, np.eye(len(adjacency)))


def _over(sums, count):
    return sums / np.where(count == 0, 1, count)


def _graph_mean(
    adjacency,
    x,
    weights,
    edges: Callable = _with_loops,
    mean: Callable = lambda edges, x: _over(edges @ x, edges.sum(1, keepdims=True)),
    last: Callable = lambda means, weights: means @ weights,
):
    return last(mean(edges(np.asarray(adjacency, float)), np.asarray(x, float)), np.asarray(weights, float))


def _both_sides(edges, x):
    root = np.sqrt(edges.sum(1, keepdims=True))
    return edges @ (x / root) / root


def _divided_by_neighbours(adjacency, x, weights):
    edges = _with_loops(adjacency)
    others = (edges - np.eye(len(edges))).sum(1, keepdims=True)
    return _over(edges @ x, others) @ weights


def _graph_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(*shape):
        return np.round(rng.normal(size=shape), 2)

    path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    yield Case((path, np.array([[1], [2], [6]]), np.eye(1)), about="three nodes in a row")
    yield Case((np.zeros((2, 2), int), np.array([[1.0], [2.0]]), np.eye(1)), about="two nodes without an edge")
    yield Case((np.array([[0, 1], [0, 0]]), np.array([[1.0], [5.0]]), np.eye(1)), about="node 0 listens to node 1")
    yield Case((np.array([[1, 1], [1, 0]]), np.array([[1.0], [4.0]]), np.eye(1)), about="a loop on node 0")
    yield Case((path, draw(3, 2), draw(2, 4)), about="channels and filters")
    for _ in range(2):
        n = int(rng.integers(5, 8))
        adjacency = (rng.random((n, n)) < 0.35).astype(int)
        adjacency[1] = 0
        adjacency[2, 2] = adjacency[0, 2] = 1
        adjacency[2, 0] = adjacency[0, 0] = 0
        yield Case((adjacency, draw(n, 3), draw(3, 2)), about="edges of one direction, a loop, a node that hears none")


def _graph_with(**change) -> Callable:
    return lambda adjacency, x, weights: _graph_mean(adjacency, x, weights, **change)


GRAPH = FunctionExercise(
    "18.3",
    "A convolution without a grid",
    reference=graph_mean,
    cases=_graph_cases,
    misconceptions=(
        Misconception(
            _graph_with(edges=lambda a: a * (1 - np.eye(len(a)))),
            "The node itself is missing from its mean.",
        ),
        Misconception(
            _graph_with(edges=lambda a: a),
            "The node itself is missing from its mean, unless it happens to have a loop.",
        ),
        Misconception(
            _graph_with(edges=lambda a: a + np.eye(len(a))),
            "A node with a loop is counted twice. Each counts itself once.",
        ),
        Misconception(
            _graph_with(edges=lambda a: _with_loops(a).T),
            "You follow edges the wrong way: row i says to whom node i *listens*.",
        ),
        Misconception(
            _graph_with(edges=lambda a: np.maximum(_with_loops(a), a.T)),
            "You made the edges go both ways. Row i alone says to whom node i listens.",
        ),
        Misconception(_graph_with(mean=lambda e, x: e @ x), "That is a sum; a node with many edges is louder in it."),
        Misconception(
            _divided_by_neighbours, "The sum has the node itself, and the number you divide by has not: count it too."
        ),
        Misconception(
            _graph_with(mean=lambda e, x: e @ x / len(x)),
            "The mean is over those that a node listens to, not over all.",
        ),
        Misconception(
            _graph_with(mean=lambda e, x: e / e.sum(0) @ x),
            "Each row is to be divided by its own sum; yours is divided by the sums of columns.",
        ),
        Misconception(
            _graph_with(mean=_both_sides),
            "That is the normalisation of Kipf and Welling, by the roots of both nodes' numbers. Take a plain mean.",
        ),
        Misconception(_graph_with(last=lambda means, weights: means), "The weights are not used."),
    ),
    hints=(
        "On paper: three nodes in a row with 1, 2 and 6. The middle one has itself and both others: 3.",
        "Make the diagonal 1, whatever was there. Then every node has at least one to listen to.",
        "`edges @ x` is the sum for each node, and `edges.sum(1, keepdims=True)` the number.",
    ),
    remark="With node i = row * width + column this is a 3x3 kernel of ninths, inside of the picture.",
)


# 18.4 Which equation is it? -------------------------------------------------------------------------------------------


def equation(kernel, dt, dy, dx):
    """The reference answer."""
    return _equation(kernel, dt, dy, dx)


def _middle(size: int) -> np.ndarray:
    return np.arange(size) - size // 2


def _equation(
    kernel,
    dt,
    dy,
    dx,
    places: Callable = _middle,
    decay: Callable = lambda total, dt: (1 - total) / dt,
    speed: Callable = lambda first, distance, dt: -first * distance / dt,
    spread: Callable = lambda second, first, distance, dt: second * distance**2 / (2 * dt),
    lines: Callable = lambda kernel: (kernel.sum(1), kernel.sum(0)),
    distances: Callable = lambda dy, dx: (dy, dx),
    order: Callable = lambda pair: pair,
):
    kernel = np.asarray(kernel, float)
    speeds, spreads = [], []
    for line, distance in zip(lines(kernel), distances(dy, dx)):
        j = places(len(line))
        first, second = (line * j).sum(), (line * j**2).sum()
        speeds.append(speed(first, distance, dt))
        spreads.append(spread(second, first, distance, dt))
    return decay(kernel.sum(), dt), order(tuple(speeds)), order(tuple(spreads))


def _equation_cases(rng: np.random.Generator) -> Iterator[Case]:
    def step(dt, dy, dx, spread, velocity=(0.0, 0.0), decay=0.0):
        kernel = np.zeros((3, 3))
        for axis, (distance, speed) in enumerate(zip((dy, dx), velocity)):
            line = spread * dt / distance**2 * np.array([1, -2, 1]) - speed * dt / (2 * distance) * np.array([-1, 0, 1])
            kernel[(slice(None), 1) if axis == 0 else 1] += line
        kernel[1, 1] += 1 - decay * dt
        return kernel

    nothing = np.zeros((3, 3))
    nothing[1, 1] = 1
    yield Case((nothing, 1.0, 1.0, 1.0), about="nothing happens")
    yield Case((0.5 * nothing, 2.0, 1.0, 1.0), about="half is gone after two seconds")
    yield Case((step(0.5, 1, 1, 0.25), 0.5, 1.0, 1.0), about="diffusion")
    yield Case((step(0.5, 1, 1, 0.0, (0.0, 0.4)), 0.5, 1.0, 1.0), about="a flow to the right")
    yield Case((step(10.0, 90.0, 70.0, 20.0), 10.0, 90.0, 70.0), about="cells that are not square")
    yield Case((step(10.0, 90.0, 70.0, 15.0, (0.5, -1.5), 0.01), 10.0, 90.0, 70.0), about="all of it")
    for size in (3, 5):
        kernel = np.round(rng.normal(size=(size, size)) * 0.1, 3)
        kernel[size // 2, size // 2] += 1
        dt, dy, dx = (float(np.round(rng.uniform(0.5, 3), 1)) for _ in range(3))
        yield Case((kernel, dt, dy, dx + 0.25), about=f"any {size}x{size} kernel")


def _equation_with(**change) -> Callable:
    return lambda kernel, dt, dy, dx: _equation(kernel, dt, dy, dx, **change)


EQUATION = FunctionExercise(
    "18.4",
    "Which equation is it?",
    reference=equation,
    cases=_equation_cases,
    misconceptions=(
        Misconception(
            _equation_with(decay=lambda total, dt: 1 - total), "The decay is a rate: divide by the length of the step."
        ),
        Misconception(
            _equation_with(decay=lambda total, dt: (total - 1) / dt),
            "The sign of the decay: a kernel whose weights add up to less than 1 loses something, and r is positive.",
        ),
        Misconception(
            _equation_with(decay=lambda total, dt: total / dt), "What stays, 1, is no decay: r dt = 1 - sum."
        ),
        Misconception(
            _equation_with(speed=lambda first, distance, dt: first * distance / dt),
            "The sign of the velocity: a layer that takes from the *left* neighbour moves things to the *right*.",
        ),
        Misconception(
            _equation_with(speed=lambda first, distance, dt: -first / dt),
            "A velocity is in metres a second: the moment counts cells, so multiply by their size.",
        ),
        Misconception(
            _equation_with(speed=lambda first, distance, dt: -first * distance), "The velocity: divide by dt."
        ),
        Misconception(
            _equation_with(speed=lambda first, distance, dt: -first * distance / (2 * dt)),
            "The first-order term of Taylor's series has no half.",
        ),
        Misconception(
            _equation_with(spread=lambda second, first, distance, dt: second * distance**2 / dt),
            "The second-order term of Taylor's series has a half.",
        ),
        Misconception(
            _equation_with(spread=lambda second, first, distance, dt: second * distance / (2 * dt)),
            "The second-order term has the *square* of the distance.",
        ),
        Misconception(
            _equation_with(spread=lambda second, first, distance, dt: second / (2 * dt)),
            "A diffusivity is in square metres a second: multiply by the square of the cell's side.",
        ),
        Misconception(
            _equation_with(spread=lambda second, first, distance, dt: (second - first**2) * distance**2 / (2 * dt)),
            "The square of the mean is taken off, as for a variance. Taylor's series has the plain second moment.",
        ),
        Misconception(
            _equation_with(spread=lambda second, first, distance, dt: second * distance**2 / 2),
            "The diffusivity: divide by dt.",
        ),
        Misconception(
            _equation_with(places=np.arange), "Places count from the *middle* of the kernel: -1, 0, 1, not 0, 1, 2."
        ),
        Misconception(
            _equation_with(distances=lambda dy, dx: (dx, dy)), "Rows are dy apart, columns dx; yours are exchanged."
        ),
        Misconception(
            _equation_with(order=lambda pair: pair[::-1]), "The pairs are (y, x): down the rows first, then along them."
        ),
        Misconception(
            _equation_with(lines=lambda k: (k[:, len(k) // 2], k[len(k) // 2])),
            "Only the middle row and column are used. Taylor's series has all weights; corners count for both axes.",
        ),
    ),
    hints=(
        "Write u at the neighbour i rows down and j columns to the right as Taylor's series about the middle, and "
        "multiply by the kernel's weight there. What stands before u, before u_x, before u_xx?",
        "Before u: the sum of all weights, which is 1 - r dt. Before u_x: that of weight times j dx, that is -v_x dt.",
        "Before u_xx: half of the sum of weight times (j dx)², which is D_x dt. The same for y, with i and dy.",
    ),
    remark="fields.step_kernel goes the other way: from the equation to the kernel.",
)

EXERCISES = [LISTENS, STACK, GRAPH, EQUATION]
