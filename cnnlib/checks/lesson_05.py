"""The checks of lesson 05, from AlexNet to VGG."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.compare import describe, times
from cnnlib.exercises.kinds import Case, CheckExercise, FunctionExercise, Misconception, ValueExercise, Wrong

# 05.1 Parameters per block --------------------------------------------------------------------------------------------


def block_parameters(blocks, filters, channels=3):
    """The reference answer."""
    if len(blocks) != len(filters):
        raise ValueError
    counts = []
    for repeats, count in zip(blocks, filters):
        total = 0
        for _ in range(repeats):
            total += (9 * channels + 1) * count
            channels = count
        counts.append(total)
    return counts


def _table(rng: np.random.Generator, longest: int = 5) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A random table: convolutions and filters of each block, neighbouring blocks with different filters."""
    length = int(rng.integers(2, longest + 1))
    blocks = tuple(int(n) for n in rng.integers(1, 5, size=length))
    return blocks, tuple(int(n) for n in rng.choice(np.arange(4, 96), size=length, replace=False))


def _block_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(((1,), (int(rng.integers(4, 90)),)), about="one convolution on an image of 3 channels")
    yield Case(((2,), (int(rng.integers(4, 90)),)), about="a block of two convolutions")
    yield Case(((1, 1), (8, int(rng.integers(16, 90)))), about="two blocks of one convolution")
    yield Case(((1, 2), (8, 16)), {"channels": int(rng.integers(4, 20))}, about="an image with other channels")
    yield Case(((2, 2, 3, 3, 3), (64, 128, 256, 512, 512)), about="VGG-16")
    for _ in range(8):
        yield Case(_table(rng), {"channels": int(rng.integers(1, 6))}, about="a table at random")
    yield Case(((), ()), about="no block")
    for blocks, filters in (((1, 2), (8,)), ((2,), (8, 16))):
        yield Case((blocks, filters), raises=ValueError, about="tuples of different lengths")


def _blocks(
    layer: Callable[[int, int, int], int] = lambda inputs, count, position: (9 * inputs + 1) * count,
    inputs: Callable[[int, int, int, int], int] = lambda before, count, position, image: count if position else before,
    collect: Callable[[list[int]], object] = list,
    check: bool = True,
) -> Callable:
    """The count with one of its parts exchanged."""

    def model(blocks, filters, channels=3):
        if check and len(blocks) != len(filters):
            raise ValueError
        before, counts = channels, []
        for repeats, count in zip(blocks, filters):
            counts.append(sum(layer(inputs(before, count, n, channels), count, n) for n in range(repeats)))
            before = count
        return collect(counts)

    return model


BLOCK_PARAMETERS = FunctionExercise(
    "05.1",
    "Parameters per block",
    reference=block_parameters,
    cases=_block_cases,
    misconceptions=(
        Misconception(
            _blocks(layer=lambda inputs, count, position: 9 * inputs * count),
            "The biases are missing: each filter has one.",
        ),
        Misconception(
            _blocks(layer=lambda inputs, count, position: 9 * inputs * count + (count if position == 0 else 0)),
            "You count the biases once for each block. Every convolution of the block has its own.",
        ),
        Misconception(
            _blocks(layer=lambda inputs, count, position: 9 * inputs * count + 1),
            "You count one bias for each convolution. Each of its *filters* has one.",
        ),
        Misconception(
            _blocks(inputs=lambda before, count, position, image: count),
            "Your first convolution of a block reads as many channels as it writes. What does the block before it, or "
            "the image, hand over?",
        ),
        Misconception(
            _blocks(inputs=lambda before, count, position, image: before),
            "Each of your convolutions reads what the block was given. The second one of a block reads what the first "
            "one wrote.",
        ),
        Misconception(
            _blocks(inputs=lambda before, count, position, image: count if position else image),
            "Each of your blocks starts from the image. It starts from the maps of the block before.",
        ),
        Misconception(
            _blocks(inputs=lambda before, count, position, image: image),
            "All of your convolutions read the channels of the image. Only the first one of the network does.",
        ),
        Misconception(
            _blocks(layer=lambda inputs, count, position: (3 * inputs + 1) * count),
            "A kernel of 3x3 has nine numbers for each channel that it reads, not three.",
        ),
        Misconception(
            _blocks(layer=lambda inputs, count, position: (9 * inputs + 1) * count if position == 0 else 0),
            "You count one convolution for each block, however many it has.",
        ),
        Misconception(
            _blocks(collect=lambda counts: [sum(counts[: n + 1]) for n in range(len(counts))]),
            "Your numbers grow from block to block because each includes those before it. Start each block at zero.",
        ),
        Misconception(_blocks(collect=sum), "That is the total. One number for each block is asked for."),
        Misconception(
            _blocks(check=False),
            "`zip` stops at the shorter of two tuples without a word. Raise a ValueError if their lengths differ.",
        ),
    ),
    hints=(
        "One convolution of 3x3 has (9 x channels in + 1) x filters parameters.",
        "Walk through the layers and keep the number of channels that the next one reads in a variable.",
        "That variable is the image's channels at first, and after each convolution the number of its filters.",
    ),
    remark="In VGG-16 the first block has 38,720 parameters and the last one 7,079,424.",
)


# 05.2 Build a VGG from its table --------------------------------------------------------------------------------------


def _check_features(answer: object, rng: np.random.Generator) -> None:
    if not callable(answer) or hasattr(answer, "trainable_weights"):
        raise Wrong("The check needs the function `vgg_features` itself.", came=describe(answer))
    _check_built(answer, (1, 2), (8, 16), (32, 32, 3), rng)
    blocks, filters = _table(rng, longest=3)
    blocks, filters = (*blocks[:2], 1), (*(n // 4 + 2 for n in filters[:2]), 5)
    _check_built(answer, blocks, filters, (16, 24, int(rng.integers(1, 5))), rng)
    _check_built(answer, (1, 1), (4, 6), (15, 22, 3), rng)


def _check_built(build: Callable, blocks: tuple, filters: tuple, shape: tuple, rng: np.random.Generator) -> None:
    import keras

    from cnnlib.trace import trace

    tried = f"`vgg_features({blocks}, {filters}, {shape})`"
    model = build(blocks, filters, shape)
    if model is None:
        raise Wrong("`vgg_features` returns nothing. Is a `return` missing?", tried=tried)
    if not isinstance(model, keras.Model):
        raise Wrong("`vgg_features` should return a Keras model.", tried=tried, came=describe(model))
    if not model.built:
        raise Wrong(
            "The network has no weights yet, since it does not know the shape of its images.",
            tried=tried,
            likely="Its layers come without an input. Begin with `keras.Input(input_shape)`.",
        )
    rows = list(trace(model))
    if rows[0].output_shape != shape:
        raise Wrong(
            "The network takes images of another shape than was asked for.",
            tried=tried,
            came=times(rows[0].output_shape),
            expected=times(shape),
            likely="The third argument, `input_shape`, is that of the input.",
        )
    convolutions = [row for row in rows if row.type == "Conv2D"]
    expected = [count for repeats, count in zip(blocks, filters) for _ in range(repeats)]
    came = [row.output_shape[-1] for row in convolutions]
    if came != expected:
        raise Wrong(
            "The convolutions are not those of the table.",
            tried=tried,
            came=f"filters {came}",
            expected=f"{expected}",
            likely=_about_filters(came, blocks, filters),
        )
    counts = [(9 * before + 1) * count for before, count in zip([shape[-1], *expected], expected)]
    for row, count in zip(convolutions, counts):
        if row.parameters != count:
            raise Wrong(
                f"The convolution `{row.name}` has another number of parameters than a 3x3 with bias.",
                tried=tried,
                came=f"{row.parameters:,}",
                expected=f"{count:,}",
                likely="The kernel is 3 wide and 3 high, each filter has a bias, and it reads all channels of the "
                "layer before.",
            )
    if model.count_params() != sum(counts):
        raise Wrong(
            "There are parameters in other layers than the convolutions.",
            tried=tried,
            came=f"{model.count_params():,} in all",
            expected=f"{sum(counts):,}",
            likely="The convolutional part ends with the pooling of its last block: no head, no normalisation.",
        )
    _check_outputs(model, blocks, filters, shape, tried, rng)


def _about_filters(came: list[int], blocks: tuple, filters: tuple) -> str:
    if came == list(filters):
        return "Each block has one convolution, however many the table says. Repeat it `blocks` times."
    if len(came) == sum(filters):
        return "`blocks` says how many convolutions there are, `filters` how many filters each of them has."
    return "A block has as many convolutions as `blocks` says, all of them with as many filters as `filters` says."


def _check_outputs(model, blocks: tuple, filters: tuple, shape: tuple, tried: str, rng: np.random.Generator) -> None:
    """Compare what the network returns with what it should, on random weights and a random image."""
    from keras import ops

    weights = [(rng.normal(size=np.shape(w)) / np.sqrt(np.prod(np.shape(w)[:-1]) or 1)) for w in model.get_weights()]
    weights = [weight.astype("float32") for weight in weights]
    model.set_weights(weights)
    image = rng.normal(0, 40, size=shape).astype("float32")  # so large that a ReLU with a ceiling shows it
    came = np.asarray(ops.convert_to_numpy(model(image[None], training=False)))[0]
    right = _forward(image, weights, blocks)
    if came.shape != right.shape:
        raise Wrong(
            "The maps have another shape.",
            tried=tried,
            came=times(came.shape),
            expected=times(right.shape),
            likely=_about_shape(came.shape, right.shape, shape, blocks),
        )
    close = 1e-3 * np.abs(right).max()
    if np.allclose(came, right, rtol=1e-3, atol=close):
        return
    ideas = (
        ({"ceiling": 6.0}, "Your activation cuts off at 6: that is ReLU6. A ReLU has no ceiling."),
        ({"activate": False}, "It returns what a network without ReLUs would return."),
        ({"pool": "average"}, "Your pooling averages. VGG takes the largest number under the window."),
        ({"pool": "stride"}, "Every second place is kept, without a look at its neighbours. A pooling takes the "
         "largest of four."),
        ({"every": False}, "A ReLU follows the last convolution of each block only. Each convolution needs its own."),
        ({"last": True}, "The last convolution of the network has no ReLU. Each convolution needs its own."),
    )  # fmt: skip
    likely = "The layers have the right shapes. Look at the order, at the activations, and at the kind of pooling."
    for change, message in ideas:
        if np.allclose(came, _forward(image, weights, blocks, **change), rtol=1e-3, atol=close):
            likely = message
    raise Wrong(
        "The shapes are right. But with given weights and a given image the maps have other values.",
        tried=tried,
        came=f"mean {came.mean():.4g}, smallest {came.min():.4g}",
        expected=f"mean {right.mean():.4g}, smallest {right.min():.4g}",
        likely=likely,
    )


def _forward(x, weights, blocks, activate=True, pool="max", every=True, last=False, ceiling=np.inf):
    """What the network should return, in NumPy; or what it returns with one thing changed."""
    from cnnlib import reference

    x, layers, done = x[None], iter(zip(weights[::2], weights[1::2])), 0
    for repeats in blocks:
        for n in range(repeats):
            kernel, bias = next(layers)
            done += 1
            stride = 2 if pool == "stride" and n == repeats - 1 else 1
            x = reference.conv2d(x, kernel, bias, stride=stride, padding="same")
            if activate and (every or n == repeats - 1) and not (last and done == sum(blocks)):
                x = np.minimum(reference.relu(x), ceiling)
        if pool == "max":
            x = reference.max_pool2d(x, 2)
        elif pool == "average":
            x = reference.avg_pool2d(x, 2)
    return x[0]


def _about_shape(came: tuple[int, ...], right: tuple[int, ...], shape: tuple[int, ...], blocks: tuple) -> str:
    if len(came) != len(right):
        return "The output are maps, height x width x channels. A head comes later."
    up = tuple(-(-n // 2 ** len(blocks)) for n in shape[:2])
    if came[:2] == up != right[:2]:
        return "Your poolings pad an odd size and so round up. A pooling drops an odd last row or column."
    if came[0] == 2 * right[0]:
        return "It is twice as large. One pooling follows each block, the last one too."
    if came[0] > right[0]:
        return "It is too large. One 2x2 pooling follows each block and halves the maps."
    return (
        'It is too small. A convolution with `padding="same"` keeps the size, and there is one pooling for each block, '
        "not for each convolution."
    )


FEATURES = CheckExercise(
    "05.2",
    "Build a VGG from its table",
    check=_check_features,
    hints=(
        "Two loops: over the blocks, and within each over its convolutions. The pooling stands in the outer one.",
        "`zip(blocks, filters)` gives both numbers of each block.",
        "Which argument of `layers.Conv2D` keeps the size, and which adds the ReLU?",
    ),
    remark="With `(2, 2, 3, 3, 3)` and `(64, 128, 256, 512, 512)` this is VGG-16 up to its dense layers.",
)


# 05.3 Replace large kernels -------------------------------------------------------------------------------------------


def replace_large(convolutions):
    """The reference answer."""
    return _replaced()(convolutions)


def _fewer(stack: list[tuple[int, int, int]], kernel: int, inputs: int, outputs: int) -> bool:
    return sum(9 * a * b for _, a, b in stack) < kernel**2 * inputs * outputs


def _replaced(
    count: Callable[[int], int] = lambda kernel: (kernel - 1) // 2,
    channels: Callable[[int, int, int], tuple] = lambda n, inputs, outputs: (inputs if n == 0 else outputs, outputs),
    pays: Callable = _fewer,
    refuse: Callable[[int], bool] = lambda kernel: kernel < 1 or kernel % 2 == 0,
    nested: bool = False,
    widen: str = "first",
    keep_empty: bool = True,
) -> Callable:
    """The replacement with one of its parts exchanged."""

    def model(convolutions):
        result = []
        for kernel, inputs, outputs in convolutions:
            if refuse(kernel):
                raise ValueError
            stack = [(3, *channels(n, inputs, outputs)) for n in range(count(kernel))]
            if widen == "last":
                stack = [(3, inputs, outputs if n == len(stack) - 1 else inputs) for n in range(len(stack))]
            new = (
                stack
                if (stack or not keep_empty) and pays(stack, kernel, inputs, outputs)
                else [(kernel, inputs, outputs)]
            )
            result += [new] if nested else new
        return result

    return model


def _kernel_cases(rng: np.random.Generator) -> Iterator[Case]:
    def channels() -> int:
        return int(rng.integers(16, 200))

    same = channels()
    yield Case(([(5, same, same)],), about="a 5x5 with as many channels in as out")
    yield Case(([(7, same, same)],), about="a 7x7 with as many channels in as out")
    yield Case(([(3, 8, 16), (1, 16, 10)],), about="layers of 3x3 and 1x1")
    yield Case(([(7, 64, 80)],), about="a 7x7 with more channels out than in")
    yield Case(([(5, 96, 32)],), about="a 5x5 with fewer channels out than in")
    yield Case(([(11, 3, 96), (5, 96, 256)],), about="the first two layers of AlexNet, on one card")
    yield Case(([(7, 3, 64)],), about="the first layer of ResNet")
    yield Case(([(5, 9, 16)],), about="a 5x5 whose stack has as many weights")
    yield Case(([(5, 9, 15)],), about="a 5x5 whose stack has a few weights less")
    yield Case(([],), about="no layer")
    for _ in range(12):
        layers = [(int(rng.choice([1, 3, 5, 7, 9])), channels(), channels()) for _ in range(int(rng.integers(1, 5)))]
        yield Case((layers,), about="layers at random")
    for kernel in (4, 2, 0, -1):
        yield Case(([(3, 8, 8), (kernel, 8, 8)],), raises=ValueError, about=f"a kernel of {kernel}")


REPLACE = FunctionExercise(
    "05.3",
    "Replace large kernels",
    reference=replace_large,
    cases=_kernel_cases,
    misconceptions=(
        Misconception(
            _replaced(pays=lambda stack, kernel, inputs, outputs: kernel > 3),
            "You replace the layer although the stack has as many weights as it or more. Count both *with* their "
            "channels: where few come in, the second 3x3 is the expensive one.",
        ),
        Misconception(
            _replaced(pays=lambda stack, kernel, inputs, outputs: sum(9 * a * b for _, a, b in stack)
                      <= kernel**2 * inputs * outputs and kernel > 3),
            "Here the stack has exactly as many weights as the layer. Only *fewer* is a reason to replace it.",
        ),
        Misconception(
            _replaced(count=lambda kernel: kernel // 3 if kernel > 3 else 1),
            "The stack does not see as far as the layer. Each 3x3 adds 2 pixels to the one at the start: how many are "
            "needed for 5, for 7, for 9?",
        ),
        Misconception(
            _replaced(count=lambda kernel: kernel // 2 + 1 if kernel > 3 else 1),
            "Your stack sees 2 pixels more than the layer.",
        ),
        Misconception(
            _replaced(channels=lambda n, inputs, outputs: (inputs, outputs)),
            "Your layers do not fit on each other: each of them reads the channels in. The second one reads what the "
            "first one wrote.",
        ),
        Misconception(
            _replaced(channels=lambda n, inputs, outputs: (inputs, inputs)),
            "Your stack never writes the channels out, so that the next layer does not fit.",
        ),
        Misconception(
            _replaced(channels=lambda n, inputs, outputs: (inputs, outputs), widen="last"),
            "Your stack becomes as wide as the channels out only at its end. *All* of its convolutions write them.",
        ),
        Misconception(
            _replaced(pays=lambda stack, kernel, inputs, outputs: _fewer(stack, kernel, inputs, outputs)
                      and inputs == outputs),
            "You replace a layer only if as many channels come in as go out. Where they differ, count the weights.",
        ),
        Misconception(
            _replaced(keep_empty=False),
            "A layer of 1x1 is lost. Its stack has no layer at all, so there is nothing to replace it by.",
        ),
        Misconception(_replaced(nested=True), "You return a list of lists. The layers stand in one list."),
        Misconception(
            _replaced(refuse=lambda kernel: kernel < 1),
            "No stack of 3x3 sees an even number of pixels. Raise a ValueError for an even kernel.",
        ),
        Misconception(
            _replaced(refuse=lambda kernel: kernel % 2 == 0),
            "A kernel below 1 has no weights at all. Raise a ValueError for it, even if it is odd.",
        ),
        Misconception(
            _replaced(refuse=lambda kernel: False),
            "Your lists are right for kernels that exist. Raise a ValueError for one that is even or below 1.",
        ),
    ),
    hints=(
        "n layers of 3x3 see 2n + 1 pixels. How many see as far as a kernel of k?",
        "Write the stack down first, with its channels, and then count its weights: 9 x in x out for each layer.",
        "The first layer of the stack is (3, in, out), the others are (3, out, out).",
    ),
    remark="AlexNet's 11x11 stays, and so does ResNet's 7x7: they read 3 channels.",
)  # fmt: skip


# 05.4 Memory of the activations ---------------------------------------------------------------------------------------


def activation_bytes(blocks, filters, size, batch=32):
    """The reference answer."""
    return _kept()(blocks, filters, size, batch)


def _kept(
    numbers: Callable[[int, int, int, int], int] = lambda repeats, count, size, half: (
        repeats * size * size * count + half * half * count
    ),
    halve: Callable[[int], int] = lambda size: size // 2,
    total: Callable[[int, int], float] = lambda count, batch: 4 * batch * count,
    image: int = 0,
    check: bool = True,
) -> Callable:
    """The count with one of its parts exchanged."""

    def model(blocks, filters, size, batch=32):
        if check and size < 2 ** len(blocks):
            raise ValueError
        count = image * size * size
        for repeats, filter_count in zip(blocks, filters):
            half = halve(size)
            count += numbers(repeats, filter_count, size, half)
            size = half
        return total(count, batch)

    return model


def _memory_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(((1, 1), (8, 16)), {"size": 4, "batch": 1}, about="the example")
    yield Case(((1,), (int(rng.integers(2, 40)),), 8, 1), about="one convolution and one pooling")
    yield Case(((3,), (int(rng.integers(2, 40)),), 8, 1), about="three convolutions and one pooling")
    yield Case(((2, 2, 3, 3, 3), (64, 128, 256, 512, 512), 224), about="VGG-16 and a batch of 32")
    yield Case(((1, 2), (4, 8), 15, 2), about="an odd size, which a pooling rounds down")
    for _ in range(10):
        blocks, filters = _table(rng)
        size = int(rng.integers(2 ** len(blocks), 300))
        yield Case((blocks, filters, size, int(rng.integers(1, 65))), about="a table at random")
    yield Case(((1, 1, 1), (4, 4, 4), 8, 1), about="an image of which one pixel is left")
    for size in (7, 1, 0):
        yield Case(((1, 1, 1), (4, 4, 4), size, 1), raises=ValueError, about=f"{size} pixels and three poolings")


MEMORY = FunctionExercise(
    "05.4",
    "Memory of the activations",
    reference=activation_bytes,
    cases=_memory_cases,
    misconceptions=(
        Misconception(
            _kept(numbers=lambda repeats, count, size, half: repeats * size * size * count),
            "The poolings are missing: what they return is kept too.",
        ),
        Misconception(
            _kept(numbers=lambda repeats, count, size, half: size * size * count + half * half * count),
            "You count one convolution for each block, however many it has.",
        ),
        Misconception(
            _kept(numbers=lambda repeats, count, size, half: repeats * (size * size + half * half) * count),
            "You count a pooling for each convolution. There is one for each block.",
        ),
        Misconception(
            _kept(numbers=lambda repeats, count, size, half: (repeats + 1) * size * size * count),
            "Your poolings return maps as large as those they are given. Halve the size first.",
        ),
        Misconception(
            _kept(halve=lambda size: size),
            "Your maps never get smaller. Each pooling halves height and width.",
        ),
        Misconception(
            _kept(halve=lambda size: -(-size // 2)),
            "You round up. A 2x2 pooling leaves out an odd last row and column.",
        ),
        Misconception(
            _kept(halve=lambda size: size / 2, total=lambda count, batch: round(4 * batch * count)),
            "There are no half pixels: a pooling leaves out an odd last row and column.",
        ),
        Misconception(
            _kept(total=lambda count, batch: 4 * count),
            "That is the memory for one image. A batch keeps the activations of all of its images.",
        ),
        Misconception(
            _kept(total=lambda count, batch: batch * count),
            "That is how many numbers there are. Each of them takes 4 bytes.",
        ),
        Misconception(
            _kept(total=lambda count, batch: 4 * batch * count / 1e6), "That is megabytes. Return bytes."
        ),
        Misconception(
            _kept(total=lambda count, batch: 4 * batch * count / 2**20), "That is mebibytes. Return bytes."
        ),
        Misconception(_kept(image=3), "You count the image itself too. It is no activation: nothing computed it."),
        Misconception(
            _kept(check=False),
            "Nothing is left of the image behind one of the poolings, be it the last one. Raise a ValueError.",
        ),
    ),
    hints=(
        "A convolution that keeps the size returns size x size x filters numbers for one image.",
        "Go through the blocks. Add the convolutions, halve the size, add the pooling.",
        "At the end: how many images, and how many bytes for a number?",
    ),
    remark="For VGG-16 it is 1.93 GB, and nearly half of it belongs to the first block.",
)  # fmt: skip


# 05.5 Where do the FLOPs go? ------------------------------------------------------------------------------------------


def _entry(name: str, *wrong: float) -> Callable[[dict], bool]:
    """Recognises wrong values of one entry."""

    def recognised(came: dict) -> bool:
        value = float(np.asarray(came[name], dtype=float))
        return any(np.isclose(value, each, rtol=5e-3) for each in wrong)

    return recognised


FLOPS = ValueExercise(
    "05.5",
    "Where do the FLOPs go?",
    expected={"doubled": 4, "halved": 0.25, "dense_free": 0.79918, "middle": 65.952},
    misconceptions=(
        Misconception(
            _entry("doubled", 2), "`doubled`: twice as high *and* twice as wide. How many places does a filter visit?"
        ),
        Misconception(_entry("doubled", 1), "`doubled`: the *weights* do not change with the image. The work does."),
        Misconception(
            _entry("doubled", 16), "`doubled`: the channels stay as they are. Only the places become more."
        ),
        Misconception(
            _entry("halved", 0.5, 2),
            "`halved`: half the filters, and each of them reads the maps of a layer that has half the filters too.",
        ),
        Misconception(_entry("halved", 4, 25), "`halved`: which fraction is *left*, as a number below 1?"),
        Misconception(
            _entry("halved", 0.0625), "`halved`: only two of the four factors are halved, the channels in and out."
        ),
        Misconception(_entry("halved", 0.75), "`halved`: that is the fraction which is saved. Which one is left?"),
        Misconception(
            _entry("halved", 0.125),
            "`halved`: height and width stay as they were. Only the channels in and out are halved.",
        ),
        Misconception(
            _entry("dense_free", 89.36, 89),
            "`dense_free`: the dense layers hold that many of the *parameters*. Each weight is used once, where a "
            "weight of a convolution is used at every place.",
        ),
        Misconception(
            lambda came: came["dense_free"] in (1, 0.79), "`dense_free`: that is rounded too far. Two digits, please."
        ),
        Misconception(_entry("dense_free", 0.0079918), "`dense_free`: that is a fraction. In percent, please."),
        Misconception(_entry("dense_free", 99.2), "`dense_free`: that is what is left. How much is saved?"),
        Misconception(
            _entry("middle", 59.8), "`middle`: that is VGG-16. The blocks of VGG-19 have more convolutions."
        ),
        Misconception(_entry("middle", 0.65952), "`middle`: that is a fraction. In percent, please."),
        Misconception(_entry("middle", 32.976), "`middle`: that is one of the two blocks. Both are asked for."),
    ),
    hints=(
        "The MACs of a convolution are places x 9 x channels in x channels out. Which of the four factors changes?",
        '`networks[16].only("Dense")` gives the rows of the dense layers, and each row has its `macs`.',
        "`networks[19].total_macs` is the whole. Add up the rows whose names begin with block3 or block4.",
    ),
    remark="To make a VGG faster, look at the middle blocks, at the image's size and at the filters. The dense layers "
    "weigh much and cost little.",
)  # fmt: skip


# 05.6 A head without hidden layers ------------------------------------------------------------------------------------


def _check_head(answer: object, rng: np.random.Generator) -> None:
    if not callable(answer) or hasattr(answer, "trainable_weights"):
        raise Wrong("The check needs the function `gap_head` itself.", came=describe(answer))
    channels, classes = int(rng.integers(5, 12)), int(rng.integers(3, 8))
    if classes == channels:
        classes += 1
    tried = f"`gap_head({channels}, {classes})`"
    model = _head(answer, channels, classes, tried)
    maps = rng.normal(size=(3, 4, 6, channels)).astype("float32")
    came = _scores(model, maps, tried)
    if came.shape[-1:] == (classes,) and came.size == classes:
        raise Wrong(
            "Three images should get three rows of logits.",
            tried=f"{tried} on a batch of 3 maps",
            came=times(came.shape),
            expected=f"3x{classes}",
            likely="You average over the images of the batch as well. Each image keeps its own mean: only height and "
            "width, axes 1 and 2, are averaged.",
        )
    if came.shape != (3, classes):
        raise Wrong(
            "Each image should get one logit for each class.",
            tried=f"{tried} on a batch of 3 maps",
            came=times(came.shape),
            expected=f"3x{classes}",
            likely="Average over the places first, then connect the means to the classes."
            if came.ndim > 2
            else "The second argument is the number of classes.",
        )
    _check_mean(model, maps, came, tried)
    _check_linear(model, maps, tried)
    if np.allclose(came, came[:1], rtol=1e-4, atol=1e-4):
        raise Wrong(
            "Three different images get the same logits.",
            tried=f"{tried} on a batch of 3 maps",
            likely="You average over the images of the batch as well, or the maps take no part. Each image keeps its "
            "own mean.",
        )
    one = _scores(model, maps[:1], tried)
    if one.shape == (1, classes) and not np.allclose(one, came[:1], rtol=1e-3, atol=1e-3):
        raise Wrong(
            "An image gets other logits when other images stand beside it in the batch.",
            tried=f"{tried} on a batch of 3 maps, and on the first of them alone",
            likely="Something is averaged or normalised over the batch. Each image keeps its own mean.",
        )
    other = _scores(model, rng.normal(size=(1, 7, 2, channels)).astype("float32"), tried)
    if other.shape != (1, classes):
        raise Wrong("Maps of 7x2 give another shape.", tried=tried, came=times(other.shape), expected=f"1x{classes}")
    expected = (channels + 1) * classes
    if model.count_params() != expected:
        raise Wrong(
            "The head has another number of parameters than one dense layer with bias.",
            tried=tried,
            came=f"{model.count_params():,}",
            expected=f"{expected:,}",
            likely="There is no hidden layer, and each class has one weight for each channel and one bias.",
        )
    _check_scale(model, maps, came, tried)


def _check_scale(model, maps: np.ndarray, came: np.ndarray, tried: str) -> None:
    """With one matrix and one bias the logits are known: a sum, or a sum over a fixed number, gives others."""
    matrix = next((w for w in model.get_weights() if w.ndim > 1), None)
    bias = next((w for w in model.get_weights() if w.ndim == 1), None)
    if matrix is None or bias is None:
        return
    sums = maps.sum(axis=(1, 2)) @ matrix.reshape(maps.shape[-1], -1)
    places = maps.shape[1] * maps.shape[2]
    if np.allclose(came, sums / places + bias, rtol=1e-3, atol=1e-3):
        return
    divisor = float((sums * sums).sum() / (sums * (came - bias)).sum())
    summed = abs(divisor - 1) < 1e-2
    raise Wrong(
        "The logits are not those of the mean of each map.",
        tried=f"{tried} on maps of {maps.shape[1]}x{maps.shape[2]}",
        came=f"the sum of each map{'' if summed else f', divided by {divisor:.3g}'}",
        expected=f"the sum divided by {places}, the number of places",
        likely="A sum grows with the size of the maps. A mean does not."
        if summed
        else "The number of places is another for maps of another size: count them, or let a layer average.",
    )


def _head(answer: Callable, channels: int, classes: int, tried: str):
    import keras

    model = answer(channels, classes)
    if model is None:
        raise Wrong("`gap_head` returns nothing. Is a `return` missing?", tried=tried)
    if not isinstance(model, keras.Model):
        raise Wrong("`gap_head` should return a Keras model.", tried=tried, came=describe(model))
    if not model.built:
        raise Wrong(
            "The head has no weights yet, since it does not know how many channels it reads.",
            tried=tried,
            likely="Its layers come without an input. Begin with `keras.Input`, and leave height and width open.",
        )
    shape = tuple(model.input_shape[1:])
    if shape != (None, None, channels):
        raise Wrong(
            "The head should take maps of any height and width.",
            tried=tried,
            came=f"an input of {shape}",
            expected=f"{(None, None, channels)}",
            likely="Leave height and width open with None. A layer that Keras then refuses needs a fixed size.",
        )
    weights = [np.random.default_rng(n).normal(size=np.shape(w)) for n, w in enumerate(model.get_weights())]
    model.set_weights([weight.astype("float32") for weight in weights])
    return model


def _scores(model, maps: np.ndarray, tried: str) -> np.ndarray:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(model(maps, training=False)))


def _check_mean(model, maps: np.ndarray, came: np.ndarray, tried: str) -> None:
    """A head that averages cannot tell maps from their mean, spread over all places."""
    means = np.broadcast_to(maps.mean(axis=(1, 2), keepdims=True), maps.shape)
    if np.allclose(came, _scores(model, np.ascontiguousarray(means), tried), rtol=1e-3, atol=1e-3):
        return
    largest = np.broadcast_to(maps.max(axis=(1, 2), keepdims=True), maps.shape)
    took_largest = np.allclose(came, _scores(model, np.ascontiguousarray(largest), tried), rtol=1e-3, atol=1e-3)
    raise Wrong(
        "Maps, and maps that have the mean of each channel at every place, should get the same logits.",
        tried=tried,
        came="other logits",
        likely="Your pooling takes the largest number of each map. Take the mean."
        if took_largest
        else "Average each channel over all places before anything that is not linear.",
    )


def _check_linear(model, maps: np.ndarray, tried: str) -> None:
    """Logits without hidden layer and softmax double what they add to the bias if the maps double."""
    nothing, once, twice = (_scores(model, factor * maps, tried) for factor in (0.0, 1.0, 2.0))
    if np.allclose(twice - nothing, 2 * (once - nothing), rtol=1e-3, atol=1e-3):
        return
    sums = np.allclose(once.sum(axis=-1), 1, atol=1e-3)
    squashed = bool((once >= 0).all() and (once <= 1).all())
    raise Wrong(
        "Twice the maps should give twice the logits, biases apart.",
        tried=tried,
        came="the logits of each image sum to 1" if sums else "they do not grow in proportion",
        likely="That is a softmax. Logits come without one: the loss takes care of it (`from_logits=True`)."
        if sums
        else "That looks like a sigmoid. Logits come without an activation."
        if squashed
        else "There is an activation, or a hidden layer with one. One dense layer without an activation is asked for.",
    )


HEAD = CheckExercise(
    "05.6",
    "A head without hidden layers",
    check=_check_head,
    hints=(
        "The input is `keras.Input((None, None, channels))`.",
        "`layers.GlobalAveragePooling2D` turns maps into one mean for each channel.",
        "One `layers.Dense` follows, without an activation.",
    ),
    remark="The same weights, applied at each place before the average, give a map of scores for each class: lesson 10 "
    "looks at these maps.",
)


EXERCISES = [BLOCK_PARAMETERS, FEATURES, REPLACE, MEMORY, FLOPS, HEAD]
