"""The exercises of appendix A: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def kernel(text: str) -> cell:
    """An answer to A.1."""
    return cell(f"""
def dense_kernel(weight, shape):
    out, (channels, height, width) = len(weight), shape
    return {text}
""")


def kept(
    share: str = "momentum",
    variance: str = "batch.var(axis=(0, 2, 3), ddof=1)",
    start: str = "np.zeros(channels), np.ones(channels)",
    each: str = "batches",
) -> cell:
    """An answer to A.2 from its parts."""
    return cell(f"""
def running_statistics(batches, momentum):
    channels = batches[0].shape[1]
    mean, variance = {start}
    for batch in {each}:
        mean += {share} * (batch.mean(axis=(0, 2, 3)) - mean)
        variance += {share} * ({variance} - variance)
    return mean, variance
""")


def converted(
    pad: str = "layers.ZeroPadding2D(1),",
    conv: str = "strides=2, use_bias=False",
    norm: str = "momentum=0.9, epsilon=1e-5",
    leak: str = "layers.LeakyReLU(negative_slope=0.01)",
    middle: str = "norm, leak",
    pool: str = "layers.MaxPooling2D(3, strides=1, padding='same')",
    start: str = "keras.Input(shape),",
    result: str = "keras.Sequential(parts)",
) -> cell:
    """An answer to A.3 from its parts."""
    return cell(f"""
def down(shape, filters):
    norm, leak = layers.BatchNormalization({norm}), {leak}
    parts = [{start} {pad} layers.Conv2D(filters, 3, {conv}), {middle}, {pool}]
    return {result}
""")


def translated(
    half: str = "number / 2",
    coupled: str = "('SGD', 'Adam')",
    default: str = "0.01",
    before: str = "if optimizer not in ('SGD', 'Adam', 'AdamW'): raise ValueError(optimizer)",
) -> cell:
    """An answer to A.4 from its parts."""
    return cell(f"""
def decay(optimizer, arguments):
    {before}
    number = arguments.get("weight_decay", {default} if optimizer == "AdamW" else 0)
    if optimizer in {coupled}:
        return {{"l2": {half}, "weight_decay": 0}}
    return {{"l2": 0, "weight_decay": number}}
""")


def hunted(
    order: str = "[('epsilon', 7, 1), ('padding', 8, 1), ('ceil_mode', 9, 1)]",
    last: str = "'channels'",
    first: str = "pass",
) -> cell:
    """An answer to A.5: asks in this order, with (name, side, number of colours)."""
    return cell(f"""
def find_trap(original, ported):
    {first}
    for name, side, colours in {order}:
        images = np.random.default_rng(1).random((3, side, side, colours)).astype("float32")
        images = np.broadcast_to(images, (3, side, side, 3))
        if not np.allclose(original(images), ported(images), rtol=1e-3, atol=1e-3):
            return name
    return {last}
""")


WRONG = {
    "A.1": [
        (kernel("weight.T"), "channel by channel"),
        (kernel("weight.T.reshape(channels * height * width, out)"), "channel by channel"),
        (kernel("weight.reshape(out, height, width, channels).reshape(out, -1).T.copy()"), "channel by channel"),
        (
            kernel("weight.reshape(out, height, width, channels).transpose(0, 3, 1, 2).reshape(out, -1).T"),
            "not how they lie",
        ),
        (kernel("weight.reshape(out, *shape).transpose(3, 2, 1, 0).reshape(-1, out)"), "Width comes before height"),
        (
            kernel("weight.reshape(out, *shape).transpose(0, 2, 3, 1).reshape(out, -1)"),
            "a kernel of Keras is (in, out)",
        ),
        (kernel("weight.reshape(*shape, out).transpose(1, 2, 0, 3).reshape(-1, out)"), "the *outputs* come first"),
    ],
    "A.2": [
        (kept(share="(1 - momentum)"), "the share that stays"),
        (kept(variance="batch.var(axis=(0, 2, 3))"), "divided by n - 1"),
        (kept(start="np.zeros(channels), np.zeros(channels)"), "begins at 1"),
        (kept(variance="batch.std(axis=(0, 2, 3), ddof=1)"), "a running standard deviation"),
        (kept(variance="batch.var(axis=(2, 3), ddof=1).mean(axis=0)"), "not one for each image"),
        (kept(each="batches[-1:]"), "Only the last batch"),
        (
            cell("""
def running_statistics(batches, momentum):
    x = np.concatenate(batches)
    return x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
"""),
            "weights all batches alike",
        ),
    ],
    "A.3": [
        (converted(pad="", conv="strides=2, use_bias=False, padding='same'"), '"same" pads below'),
        (converted(norm="momentum=0.9"), "The epsilon is that of Keras"),
        (converted(leak="layers.LeakyReLU()"), "The slope is that of Keras"),
        (converted(leak="layers.ReLU()"), "Negative numbers become 0"),
        (converted(middle="leak, norm"), "before the normalisation"),
        (
            converted(pool="layers.ZeroPadding2D(1), layers.MaxPooling2D(3, strides=1)"),
            "zeros win against negative numbers",
        ),
        (converted(conv="strides=2"), "bias=False"),
        (converted(norm="momentum=0.1, epsilon=1e-5"), "0.1 is PyTorch's number"),
        (converted(norm="epsilon=1e-5"), "0.99 is the default of Keras"),
        (converted(pad=""), "has another shape"),
        (converted(pool="layers.MaxPooling2D(3, strides=2, padding='same')"), "has another shape"),
        (converted(start=""), "does not know its input yet"),
        (converted(middle="leak"), "no batch normalisation"),
        (converted(result="parts"), "should return a keras.Model"),
        (converted(conv="strides=2, use_bias=False, groups=1), layers.Conv2D(filters, 1"), "one convolution"),
        (
            converted(middle="norm, leak, layers.Dense(filters)"),
            "do not fit into your layers",
        ),
    ],
    "A.4": [
        (translated(half="number"), "half the number"),
        (translated(half="2 * number"), "the wrong way round"),
        (translated(coupled="()"), "That is AdamW, not SGD or Adam"),
        (translated(coupled="('SGD',)"), "Adam of PyTorch adds its decay"),
        (translated(coupled="('SGD', 'Adam', 'AdamW')"), "AdamW decays the weight itself"),
        (translated(default="0"), "if nothing is said"),
        (translated(before="pass"), "should get a ValueError"),
    ],
    "A.5": [
        (hunted(first="return 'padding'"), "the same answer for every pair"),
        (hunted(first="return 'channels'"), "the same answer for every pair"),
        (hunted(first="return 'stride'"), "none of the four names"),
        (hunted(order="[('padding', 8, 1), ('ceil_mode', 9, 1), ('epsilon', 7, 1)]"), "shows in *every* image"),
        (
            hunted(order="[('epsilon', 7, 3), ('padding', 8, 1), ('ceil_mode', 9, 1)]"),
            "cannot be told apart in a grey image",
        ),
        (hunted(order="[('epsilon', 7, 1), ('padding', 7, 1), ('ceil_mode', 9, 1)]"), "for an *even* side only"),
        (hunted(order="[('epsilon', 7, 1), ('padding', 8, 1), ('ceil_mode', 11, 1)]"), "has 5 places"),
    ],
}

EQUIVALENT = {
    "A.1": [
        kernel("np.moveaxis(weight.T.reshape(channels, height, width, out), 0, 2).reshape(-1, out)"),
        kernel(
            "weight[:, [c * height * width + i * width + j for i in range(height) for j in range(width)"
            " for c in range(channels)]].T"
        ),
    ],
    "A.2": [
        kept(),
        cell("""
def running_statistics(batches, momentum):
    kept = np.stack([np.zeros(batches[0].shape[1]), np.ones(batches[0].shape[1])])
    for batch in batches:
        values = batch.transpose(1, 0, 2, 3).reshape(batch.shape[1], -1)
        n = values.shape[1]
        new = np.stack([values.mean(1), values.var(1) * n / (n - 1)])
        kept = (1 - momentum) * kept + momentum * new
    return list(kept)
"""),
    ],
    "A.3": [
        converted(),
        cell("""
def down(shape, filters):
    x = keras.Input(shape)
    y = layers.ZeroPadding2D(1)(x)
    y = layers.Conv2D(filters, kernel_size=(3, 3), strides=(2, 2), use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(y)
    y = keras.ops.leaky_relu(y, 0.01)
    y = keras.ops.max_pool(y, 3, strides=1, padding="same")
    return keras.Model(x, y)
"""),
    ],
    "A.4": [
        translated(),
        cell("""
def decay(optimizer, arguments):
    default = {"SGD": 0, "Adam": 0, "AdamW": 0.01}
    if optimizer not in default:
        raise ValueError("unknown")
    number = arguments.get("weight_decay", default[optimizer])
    pair = (0, number) if optimizer.endswith("W") else (number * 0.5, 0)
    return dict(zip(["l2", "weight_decay"], pair))
"""),
    ],
    "A.5": [
        hunted(),
        hunted(order="[('epsilon', 15, 1), ('padding', 12, 1), ('ceil_mode', 5, 1), ('channels', 7, 3)]", last="None"),
    ],
}

globals().update(standard_tests("A", WRONG, EQUIVALENT))
