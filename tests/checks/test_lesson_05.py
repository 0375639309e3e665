"""The exercises of lesson 05: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def count(
    layer: str = "(9 * channels + 1) * number",
    then: str = "channels = number",
    before: str = "",
    repeats: str = "range(repeat)",
    result: str = "counts",
    refusal: str = "len(blocks) != len(filters)",
) -> cell:
    """An answer to 05.1 from its parts."""
    return cell(f"""
def block_parameters(blocks, filters, channels=3):
    if {refusal}:
        raise ValueError("lengths differ")
    counts, image = [], channels
    for repeat, number in zip(blocks, filters):
        total = 0
        {before or "pass"}
        for n in {repeats}:
            total += {layer}
            {then}
        counts.append(total)
    return {result}
""")


def features(
    convolution: str = 'layers.Conv2D(number, 3, padding="same", activation="relu")(x)',
    pooling: str = "layers.MaxPooling2D(2)(x)",
    inside: str = "",
    shape: str = "input_shape",
    repeats: str = "repeat",
    result: str = "keras.Model(image, x)",
) -> cell:
    """An answer to 05.2 from its parts."""
    return cell(f"""
def vgg_features(blocks, filters, input_shape):
    x = image = keras.Input({shape})
    for repeat, number in zip(blocks, filters):
        for n in range({repeats}):
            x = {convolution}
            {inside or "pass"}
        x = {pooling}
    return {result}
""")


def replaced(
    number: str = "(k - 1) // 2",
    rest: str = "(3, b, b)",
    first: str = "(3, a, b)",
    condition: str = "sum(9 * i * o for _, i, o in stack) < k * k * a * b",
    add: str = "result += ",
    refusal: str = "k < 1 or k % 2 == 0",
) -> cell:
    """An answer to 05.3 from its parts."""
    return cell(f"""
def replace_large(convolutions):
    result = []
    for k, a, b in convolutions:
        if {refusal}:
            raise ValueError("even")
        number = {number}
        stack = ([{first}] + [{rest}] * (number - 1)) if number > 0 else []
        {add}(stack if stack and ({condition}) else [(k, a, b)])
    return result
""")


def kept(
    convolutions: str = "repeat * size * size * number",
    pooling: str = "size * size * number",
    halve: str = "size // 2",
    start: str = "0",
    result: str = "4 * batch * total",
    refusal: str = "size < 2 ** len(blocks)",
) -> cell:
    """An answer to 05.4 from its parts."""
    return cell(f"""
def activation_bytes(blocks, filters, size, batch=32):
    if {refusal}:
        raise ValueError("too small")
    total = {start}
    for repeat, number in zip(blocks, filters):
        total += {convolutions}
        size = {halve}
        total += {pooling}
    return {result}
""")


def flops(doubled: object = 4, halved: object = 0.25, dense_free: object = 0.8, middle: object = 65.95) -> dict:
    """An answer to 05.5 from its four values."""
    return {"doubled": doubled, "halved": halved, "dense_free": dense_free, "middle": middle}


def head(
    pooling: str = "layers.GlobalAveragePooling2D()(maps)",
    dense: str = "layers.Dense(classes)(x)",
    shape: str = "(None, None, channels)",
    result: str = "keras.Model(maps, x)",
) -> cell:
    """An answer to 05.6 from its layers."""
    return cell(f"""
def gap_head(channels, classes):
    maps = keras.Input({shape})
    x = {pooling}
    x = {dense}
    return {result}
""")


RELU = 'layers.Conv2D(number, 3, padding="same")(x)'

WRONG = {
    "05.1": [
        (count(layer="9 * channels * number"), "The biases are missing"),
        (count(layer="9 * channels * number + (number if n == 0 else 0)"), "once for each block"),
        (count(layer="9 * channels * number + 1"), "Each of its *filters* has one"),
        (count(before="channels = number"), "reads as many channels as it writes"),
        (count(then="after = number", before="channels = after if counts else channels"), "what the block was given"),
        (count(before="channels = image"), "Each of your blocks starts from the image"),
        (count(then="pass"), "All of your convolutions read the channels of the image"),
        (count(layer="(3 * channels + 1) * number"), "has nine numbers for each channel"),
        (count(repeats="range(1)"), "one convolution for each block, however many"),
        (count(result="[sum(counts[:n + 1]) for n in range(len(counts))]"), "grow from block to block"),
        (count(result="sum(counts)"), "That is the total"),
        (count(refusal="False"), "`zip` stops at the shorter"),
        (count(layer="(25 * channels + 1) * number"), "Came"),
    ],
    "05.2": [
        (features(RELU), "a network without ReLUs"),
        (features(pooling="layers.AveragePooling2D(2)(x)"), "Your pooling averages"),
        (features(RELU, pooling="layers.MaxPooling2D(2)(layers.ReLU()(x))"), "the last convolution of each block only"),
        (
            features(
                'layers.Conv2D(number, 3, strides=2 if n == repeat - 1 else 1, padding="same", activation="relu")(x)',
                pooling="x",
            ),
            "without a look at its neighbours",
        ),
        (features(inside="x = layers.MaxPooling2D(2)(x)", pooling="x"), "It is too small"),
        (features('layers.Conv2D(number, 3, activation="relu")(x)'), 'A convolution with `padding="same"` keeps'),
        (features(pooling="x"), "It is too large"),
        (features(pooling='layers.MaxPooling2D(2, padding="same")(x)'), "drops an odd last row or column"),
        (features('layers.ReLU(6)(layers.Conv2D(number, 3, padding="same")(x))'), "that is ReLU6"),
        (features('layers.Conv2D(number, 3, padding="same", activation="relu6")(x)'), "that is ReLU6"),
        (features('layers.Conv2D(number, 3, padding="same", activation="leaky_relu")(x)'), "Look at the order"),
        (features(pooling="layers.MaxPooling2D(2)(x) if number != filters[-1] else x"), "the last one too"),
        (features(repeats="1"), "Repeat it `blocks` times"),
        (features('layers.Conv2D(repeat, 3, padding="same", activation="relu")(x)', repeats="number"), "`blocks` says"),
        (
            features('layers.Conv2D(number, 3 if n else 5, padding="same", activation="relu")(x)'),
            "The kernel is 3 wide and 3 high",
        ),
        (
            features('layers.Conv2D(number, 3, padding="same", activation="relu", use_bias=False)(x)'),
            "each filter has a bias",
        ),
        (features(shape="(32, 32, 3)"), "is that of the input"),
        (features(inside="x = layers.BatchNormalization()(x)"), "no head, no normalisation"),
        (features(result="keras.Model(image, layers.GlobalAveragePooling2D()(x))"), "A head comes later"),
        (
            cell("def vgg_features(blocks, filters, input_shape):\n    keras.Sequential([keras.Input(input_shape)])"),
            "Is a `return` missing?",
        ),
        (
            cell("def vgg_features(blocks, filters, input_shape):\n    return [layers.Conv2D(n, 3) for n in filters]"),
            "should return a Keras model",
        ),
        (
            features(
                'layers.Conv2D(number + (n > 0), 3, padding="same", activation="relu")(x)',
            ),
            "A block has as many convolutions as",
        ),
        (3, "needs the function"),
        (
            cell(
                "def vgg_features(blocks, filters, input_shape):\n"
                "    return keras.Sequential([layers.Conv2D(n, 3, padding='same') for n in filters])"
            ),
            "Begin with `keras.Input(input_shape)`",
        ),
        (features(RELU, inside="x = layers.Activation('tanh')(x)"), "Look at the order, at the activations"),
        (
            features(
                "layers.Conv2D(number, 3, padding='same', "
                "activation=None if number == filters[-1] and n == repeat - 1 else 'relu')(x)"
            ),
            "The last convolution of the network has no ReLU",
        ),
    ],
    "05.3": [
        (replaced(condition="True"), "although the stack has as many weights"),
        (replaced(condition="k > 3"), "although the stack has as many weights"),
        (replaced(condition="9 * number < k * k"), "Count both *with* their channels"),
        (
            replaced(condition="sum(9 * i * o for _, i, o in stack) <= k * k * a * b"),
            "exactly as many weights",
        ),
        (replaced(number="k // 3 if k > 3 else 1"), "does not see as far"),
        (replaced(number="k // 2 + 1 if k > 3 else 1"), "sees 2 pixels more"),
        (replaced(rest="(3, a, b)"), "do not fit on each other"),
        (replaced(first="(3, a, a)", rest="(3, a, a)"), "never writes the channels out"),
        (
            cell("""
def replace_large(convolutions):
    result = []
    for k, a, b in convolutions:
        if k < 1 or k % 2 == 0:
            raise ValueError(k)
        stack = [(3, a, a)] * (k // 2 - 1) + [(3, a, b)]
        fewer = sum(9 * i * o for _, i, o in stack) < k * k * a * b
        result += stack if k > 1 and fewer else [(k, a, b)]
    return result
"""),
            "only at its end",
        ),
        (replaced(condition="a == b and 9 * number < k * k"), "only if as many channels come in"),
        (
            cell("""
def replace_large(convolutions):
    result = []
    for k, a, b in convolutions:
        if k < 1 or k % 2 == 0:
            raise ValueError(k)
        stack = [(3, b if n else a, b) for n in range(k // 2)]
        result += stack if sum(9 * i * o for _, i, o in stack) < k * k * a * b else [(k, a, b)]
    return result
"""),
            "1x1 is lost",
        ),
        (replaced(add="result.append"), "a list of lists"),
        (replaced(refusal="k < 1"), "sees an even number of pixels"),
        (replaced(refusal="k % 2 == 0"), "has no weights at all"),
        (replaced(refusal="False"), "for one that is even or below 1"),
        (cell("def replace_large(convolutions):\n    return [(3, a, b) for _, a, b in convolutions]"), "Came"),
    ],
    "05.4": [
        (kept(pooling="0"), "The poolings are missing"),
        (kept(convolutions="size * size * number"), "one convolution for each block, however many"),
        (kept(pooling="repeat * size * size * number"), "a pooling for each convolution"),
        (kept(convolutions="(repeat + 1) * size * size * number", pooling="0"), "as large as those they are given"),
        (kept(halve="size"), "never get smaller"),
        (kept(halve="-(-size // 2)"), "You round up"),
        (kept(halve="size / 2"), "no half pixels"),
        (kept(result="4 * total"), "the memory for one image"),
        (kept(result="batch * total"), "how many numbers there are"),
        (kept(result="4 * batch * total / 1e6"), "That is megabytes"),
        (kept(result="4 * batch * total / 2**20"), "That is mebibytes"),
        (kept(start="3 * size * size"), "the image itself"),
        (kept(refusal="0 in [size >> n for n in range(len(blocks))]"), "be it the last one"),
        (kept(refusal="False"), "Nothing is left of the image"),
        (kept(convolutions="repeat * size * number"), "Came"),
    ],
    "05.5": [
        (flops(doubled=2), "twice as high *and* twice as wide"),
        (flops(doubled=1), "the *weights* do not change"),
        (flops(doubled=16), "Only the places become more"),
        (flops(halved=0.5), "that has half the filters too"),
        (flops(halved=4), "which fraction is *left*"),
        (flops(halved=0.0625), "only two of the four factors"),
        (flops(dense_free=1), "rounded too far"),
        (flops(dense_free=0.79), "rounded too far"),
        (flops(halved=0.75), "the fraction which is saved"),
        (flops(halved=0.125), "Only the channels in and out"),
        (flops(dense_free=89.4), "hold that many of the *parameters*"),
        (flops(dense_free=0.008), "`dense_free`: that is a fraction"),
        (flops(dense_free=99.2), "that is what is left"),
        (flops(middle=59.8), "that is VGG-16"),
        (flops(middle=0.66), "`middle`: that is a fraction"),
        (flops(middle=33.0), "one of the two blocks"),
        (flops(doubled=3), "3 of 4 entries are right; look at `'doubled'`"),
    ],
    "05.6": [
        (head(pooling="layers.GlobalMaxPooling2D()(maps)"), "takes the largest number"),
        (head(dense='layers.Dense(classes, activation="softmax")(x)'), "That is a softmax"),
        (head(dense='layers.Dense(classes, activation="sigmoid")(x)'), "looks like a sigmoid"),
        (head(dense='layers.Dense(classes, activation="relu")(x)'), "There is an activation"),
        (head(dense='layers.Dense(classes)(layers.Dense(64, activation="relu")(x))'), "or a hidden layer"),
        (head(dense="layers.Dense(classes)(layers.Dense(64)(x))"), "There is no hidden layer"),
        (head(dense="layers.Dense(classes, use_bias=False)(x)"), "one weight for each channel and one bias"),
        (head(pooling="layers.Flatten()(maps)", shape="(7, 7, channels)"), "Leave height and width open"),
        (head(pooling="maps"), "Average over the places first"),
        (head(dense="layers.Dense(channels)(x)"), "is the number of classes"),
        (head(pooling="keras.ops.sum(maps, axis=(1, 2))"), "A sum grows with the size of the maps"),
        (head(pooling="keras.ops.sum(maps, axis=(1, 2)) / 49"), "divided by 49"),
        (head(pooling="keras.ops.mean(maps, axis=(0, 1, 2), keepdims=True)"), "over the images of the batch as well"),
        (head(pooling="keras.ops.mean(maps, axis=(0, 1, 2), keepdims=True)[0, 0]"), "images of the batch as well"),
        (
            head(pooling="keras.ops.mean(maps * 0 + keras.ops.mean(maps, axis=(0, 1, 2)), axis=(1, 2))"),
            "over the images of the batch as well",
        ),
        (
            head(
                pooling="keras.ops.mean(maps, axis=(1, 2)) - keras.ops.mean(maps, axis=(0, 1, 2), keepdims=True)[0, 0]"
            ),
            "normalised over the batch",
        ),
        (
            head(pooling="layers.GlobalAveragePooling2D()(layers.ReLU()(maps))"),
            "before anything that is not linear",
        ),
        (cell("def gap_head(channels, classes):\n    layers.Dense(classes)"), "Is a `return` missing?"),
        (cell("def gap_head(channels, classes):\n    return layers.Dense(classes)"), "should return a Keras model"),
        ("a head", "needs the function"),
        (
            cell(
                "def gap_head(channels, classes):\n"
                "    return keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(classes)])"
            ),
            "leave height and width open",
        ),
    ],
}

EQUIVALENT = {
    "05.1": [
        cell("""
def block_parameters(blocks, filters, channels=3):
    if len(blocks) - len(filters):
        raise ValueError("one number of filters for each block")
    inputs = [channels, *filters]
    return tuple(
        arithmetic.conv_parameters(3, a, b) + (n - 1) * arithmetic.conv_parameters(3, b, b)
        for n, a, b in zip(blocks, inputs, filters)
    )
"""),
        cell("""
def block_parameters(blocks, filters, channels=3):
    if len(blocks) != len(filters):
        raise ValueError
    widths = [channels] + [f for n, f in zip(blocks, filters) for _ in range(n)]
    costs = [(a * 9 + 1) * b for a, b in zip(widths, widths[1:])]
    ends = np.cumsum([0, *blocks])
    return [sum(costs[i:j]) for i, j in zip(ends, ends[1:])]
"""),
    ],
    "05.2": [
        cell("""
def vgg_features(blocks, filters, input_shape):
    model = keras.Sequential([keras.Input(input_shape)])
    for index in range(len(blocks)):
        for _ in range(blocks[index]):
            model.add(layers.ZeroPadding2D(1))
            model.add(layers.Conv2D(filters[index], (3, 3)))
            model.add(layers.ReLU())
        model.add(layers.MaxPooling2D(pool_size=(2, 2), strides=2))
    return model
"""),
        features(RELU, inside="x = keras.ops.relu(x)"),
    ],
    "05.3": [
        cell("""
def replace_large(convolutions):
    def one(k, a, b):
        if k <= 0 or not k % 2:
            raise ValueError(k)
        n = k // 2
        if n and 9 * a * b + 9 * b * b * (n - 1) < k ** 2 * a * b:
            return [[3, a if i == 0 else b, b] for i in range(n)]
        return [[k, a, b]]
    return [layer for each in convolutions for layer in one(*each)]
"""),
    ],
    "05.4": [
        cell("""
def activation_bytes(blocks, filters, size, batch=32):
    sides = [size >> n for n in range(len(blocks) + 1)]
    if sides[-1] == 0:
        raise ValueError("nothing left")
    per_image = sum(f * (n * a**2 + b**2) for n, f, a, b in zip(blocks, filters, sides, sides[1:]))
    return float(per_image * batch * 4)
"""),
    ],
    "05.5": [flops(4.0, 0.25, 0.799, 66), flops(4, 0.2500001, 0.79918, 65.952)],
    "05.6": [
        head(pooling="keras.ops.mean(maps, axis=(1, 2))"),
        head(pooling="keras.ops.mean(keras.ops.mean(maps, axis=1), axis=1)"),
        cell("""
def gap_head(channels, classes):
    maps = keras.Input((None, None, channels))
    scores = layers.Conv2D(classes, 1)(maps)
    return keras.Model(maps, layers.GlobalAveragePooling2D()(scores))
"""),
        cell("""
def gap_head(channels, classes):
    return keras.Sequential([
        keras.Input((None, None, channels)), layers.GlobalAveragePooling2D(), layers.Dropout(0.5),
        layers.Dense(classes, activation="linear"),
    ])
"""),
    ],
}

globals().update(standard_tests("05", WRONG, EQUIVALENT))
