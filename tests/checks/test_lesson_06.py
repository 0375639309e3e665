"""The exercises of lesson 06: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def forward(
    axes: str = "tuple(range(x.ndim - 1))",
    mean: str = "x.mean(axis=axes)",
    variance: str = "x.var(axis=axes)",
    result: str = "gamma * (x - mean) / np.sqrt(variance + epsilon) + beta",
    refusal: str = "(mean is None) != (variance is None)",
) -> cell:
    """An answer to 06.1 from its parts."""
    return cell(f"""
def batch_norm(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
    if {refusal}:
        raise ValueError("half a statistic")
    axes = {axes}
    if mean is None:
        mean = {mean}
        variance = {variance}
    return {result}
""")


def backward(
    by_x: str = "gamma / deviation * (upstream - upstream.mean(axis=axes) - n * (upstream * n).mean(axis=axes))",
    by_gamma: str = "(upstream * n).sum(axis=axes)",
    by_beta: str = "upstream.sum(axis=axes)",
    axes: str = "tuple(range(x.ndim - 1))",
    deviation: str = "np.sqrt(x.var(axis=axes) + epsilon)",
    result: str = "by_x, by_gamma, by_beta",
) -> cell:
    """An answer to 06.2 from its parts."""
    return cell(f"""
def batch_norm_backward(upstream, x, gamma, epsilon=1e-3):
    axes = {axes}
    deviation = {deviation}
    n = (x - x.mean(axis=axes)) / deviation
    by_x = {by_x}
    by_gamma = {by_gamma}
    by_beta = {by_beta}
    return {result}
""")


def folded(
    scale: str = "gamma / np.sqrt(variance + epsilon)",
    kernel: str = "kernel * scale",
    bias: str = "beta + (bias - mean) * scale",
    without: str = "bias = np.zeros_like(beta) if bias is None else bias",
) -> cell:
    """An answer to 06.3 from its parts."""
    return cell(f"""
def fold(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3):
    scale = {scale}
    {without}
    return {kernel}, {bias}
""")


def block(
    first: str = "filters, 3, strides=2, padding='same', use_bias=False",
    second: str = "filters, 3, padding='same', use_bias=False",
    between: str = "layers.ReLU()(y)",
    side: str = "layers.BatchNormalization()(layers.Conv2D(filters, 1, strides=2, use_bias=False)(x))",
    result: str = "layers.ReLU()(layers.Add()([y, s]))",
    norm: str = "layers.BatchNormalization()(y)",
) -> cell:
    """An answer to 06.4 from its parts."""
    return cell(f"""
def halving_block(x, filters):
    y = layers.Conv2D({first})(x)
    y = layers.BatchNormalization()(y)
    y = {between}
    y = layers.Conv2D({second})(y)
    y = {norm}
    s = {side}
    return {result}
""")


def depth(
    result: str = "per_block[kind] * sum(blocks) + 2", refusal: str = "kind not in per_block or min(blocks) < 1"
) -> cell:
    """An answer to 06.5 from its parts."""
    return cell(f"""
def depth_of(kind, blocks):
    per_block = {{"basic": 2, "bottleneck": 3}}
    if {refusal}:
        raise ValueError("no such network")
    return {result}
""")


def moved(last: str = '["gamma2"]', first: str = "[]") -> cell:
    """An answer to 06.6."""
    return cell(f"moved_if_last_is_zero = {last}\nmoved_if_first_is_zero = {first}")


EVERY = '["conv1", "gamma1", "conv2", "gamma2"]'
ONCE = "layers.Conv2D(filters, 1, strides=2, use_bias=False)(x)"

WRONG = {
    "06.1": [
        *(
            (
                forward(
                    result="(gamma * (x - mean) / np.sqrt(variance + epsilon) + beta).astype(np.asarray("
                    + name
                    + ").dtype)"
                ),
                "has lost its fractions",
            )
            for name in ("x", "gamma")
        ),
        (forward(axes="0"), "over the batch alone"),
        (forward(axes="None"), "one mean for everything"),
        (
            cell("""
def batch_norm(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
    if (mean is None) != (variance is None):
        raise ValueError("half a statistic")
    if mean is None:
        if len(x) == 1:
            return gamma * x + beta
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
"""),
            "Its pixels have a mean and a variance, too",
        ),
        (forward(mean="x.mean(axis=-1, keepdims=True)", variance="x.var(axis=-1, keepdims=True)"), "over the channels"),
        (forward(variance="x.var(axis=axes, ddof=1)"), "the count less one"),
        (forward(result="gamma * (x - mean) / (np.sqrt(variance) + epsilon) + beta"), "under the root"),
        (forward(result="gamma * (x - mean) / (variance + epsilon) + beta"), "divide by the variance"),
        (forward(result="(x - mean) / np.sqrt(variance + epsilon)"), "stop at the normalised values"),
        (forward(result="gamma * ((x - mean) / np.sqrt(variance + epsilon) + beta)"), "multiplies your beta too"),
        (forward(result="beta * (x - mean) / np.sqrt(variance + epsilon) + gamma"), "changed places"),
        (
            cell("""
def batch_norm(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
    axes = tuple(range(x.ndim - 1))
    if mean is None or variance is None:
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
"""),
            "raise a `ValueError`",
        ),
        (
            cell("""
def batch_norm(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes) if mean is None else mean
    variance = x.var(axis=axes) if variance is None else variance
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
"""),
            "fill in the statistic that is missing",
        ),
        (
            cell("""
def batch_norm(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
    if (mean is None) != (variance is None):
        raise ValueError("half a statistic")
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
"""),
            "even when others are given",
        ),
    ],
    "06.2": [
        (backward(by_x="gamma * upstream / deviation"), "mean and variance as constants"),
        (backward(by_x="gamma / deviation * (upstream - upstream.mean(axis=axes))"), "keep the variance fixed"),
        (
            backward(by_x="gamma / deviation * (upstream - n * (upstream * n).mean(axis=axes))"),
            "keep the mean fixed",
        ),
        (
            backward(
                by_x="gamma / deviation * (upstream - upstream.sum(axis=axes) - n * (upstream * n).sum(axis=axes))"
            ),
            "subtract *means*",
        ),
        (
            backward(
                by_x="gamma / deviation * (upstream - upstream.mean(axis=axes) + n * (upstream * n).mean(axis=axes))"
            ),
            "wrong sign",
        ),
        (
            backward(by_x="(upstream - upstream.mean(axis=axes) - n * (upstream * n).mean(axis=axes)) / deviation"),
            "does not know gamma",
        ),
        (backward(by_gamma="(upstream * x).sum(axis=axes)"), "multiplies the *normalised* x"),
        (backward(by_gamma="(upstream * n).mean(axis=axes)"), "gradient by gamma is a mean"),
        (
            backward(by_gamma="(upstream * n).mean(axis=axes)", by_beta="upstream.mean(axis=axes)"),
            "by gamma and beta are means",
        ),
        (backward(result="by_x, by_beta, by_gamma"), "changed places"),
        (backward(axes="0"), "over the batch alone"),
        (backward(deviation="np.sqrt(x.var(axis=axes))"), "does not change with epsilon"),
    ],
    "06.3": [
        (folded(bias="beta - mean * scale"), "own bias is lost"),
        (folded(kernel="(kernel * scale).astype(kernel.dtype)"), "has lost its fractions"),
        (folded(bias="(beta + (bias - mean) * scale).astype(beta.dtype)"), "has lost its fractions"),
        (folded(bias="bias + beta - mean * scale"), "as it is"),
        (folded(bias="beta + (bias + mean) * scale"), "wrong sign"),
        (folded(bias="beta + bias - mean"), "without scaling it"),
        (folded(bias="bias * scale + beta"), "mean does not occur"),
        (folded(bias="beta - (bias - mean) * scale"), "what the convolution adds is scaled and"),
        (
            cell("""
def fold(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3):
    scale = gamma / np.sqrt(variance + epsilon)
    return kernel * scale, None if bias is None else beta + (bias - mean) * scale
"""),
            "gets one by folding",
        ),
        (folded(bias="(bias - mean) * scale"), "Beta does not occur"),
        (folded(bias="(beta + bias - mean) * scale"), "scale beta too"),
        (folded(scale="gamma / (variance + epsilon)"), "divide by the variance"),
        (folded(scale="gamma / np.sqrt(variance)"), "does not change with epsilon"),
        (folded(scale="1 / np.sqrt(variance + epsilon)"), "Gamma does not occur"),
        (folded(kernel="kernel"), "has not changed"),
    ],
    "06.4": [
        *(
            (block(**{name: arguments}), "give the convolutions no `activation`")
            for name, arguments in (
                ("first", "filters, 3, strides=2, padding='same', use_bias=False, activation='relu'"),
                ("second", "filters, 3, padding='same', use_bias=False, activation='tanh'"),
                (
                    "side",
                    "layers.BatchNormalization()(layers.Conv2D(filters, 1, 2, use_bias=False, activation='relu')(x))",
                ),
            )
        ),
        (
            block(
                first="filters, 3, padding='same', use_bias=False",
                side="layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(x))",
            ),
            "another shape",
        ),
        (
            block(first="filters, 3, strides=2, use_bias=False", second="filters, 3, use_bias=False"),
            "has no padding",
        ),
        (
            block(
                side="layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)"
                "(layers.AveragePooling2D(2)(x)))"
            ),
            "halves by its own stride",
        ),
        (block(first="filters, 3, strides=2, padding='same'"), "have a bias"),
        (block(side=ONCE), "2 normalisations, and three"),
        (block(result="layers.Add()([y, s])"), "no ReLU behind the sum"),
        (block(result="layers.Add()([layers.ReLU()(y), s])"), "before the sum"),
        (block(result="layers.Add()([layers.ReLU()(y), layers.ReLU()(s)])"), "and not to their sum"),
        (block(between="y"), "no ReLU between"),
        (block(result="layers.ReLU()(layers.Add()([y, layers.ReLU()(s)]))"), "a ReLU of its own"),
        (block(result="layers.ReLU()(layers.Multiply()([y, s]))"), "multiplied"),
        (block(result="layers.ReLU()(layers.Average()([y, s]))"), "averaged"),
        (block(result="layers.ReLU()(layers.Subtract()([y, s]))"), "subtracted"),
        (
            block(
                first="filters, 3, padding='same', use_bias=False",
                second="filters, 3, strides=2, padding='same', use_bias=False",
            ),
            "has a stride of 2",
        ),
        (
            block(side="layers.BatchNormalization()(layers.Conv2D(filters, 3, strides=2, padding='same')(x))"),
            "other convolutions",
        ),
        (block(result="layers.ReLU()(y)"), "built and not added"),
        (block(second="2 * filters, 3, padding='same'", side="x", result="y"), "another shape"),
        (
            cell("""
def halving_block(x, filters):
    y = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(layers.ReLU()(y))
    y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    s = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides=2, use_bias=False)(x))
    return layers.ReLU()(y + s)
"""),
            "stands behind ReLU",
        ),
        (
            cell("""
def halving_block(x, filters):
    y = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
    layers.ReLU()(y)
"""),
            "Is a `return` missing",
        ),
        (block(result="layers.ReLU(max_value=6)(layers.Add()([y, s]))"), "cuts off all that is above 6"),
        (block(between="layers.Activation('relu6')(y)"), "cuts off all that is above 6"),
        (
            block(between="keras.ops.relu6(y)", result="layers.Activation('relu6')(layers.Add()([y, s]))"),
            "cuts off all that is above 6",
        ),
        (block(norm="layers.BatchNormalization(scale=False)(y)"), "lack gamma or beta"),
        (block(norm="layers.BatchNormalization(center=False, scale=False)(y)"), "lack gamma or beta"),
        (
            block(side="layers.Conv2D(filters, 1, strides=2, use_bias=False)(layers.BatchNormalization()(x))"),
            "comes right behind",
        ),
        (
            cell("""
def halving_block(x, filters):
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(y)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    s = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides=2, use_bias=False)(x))
    return layers.ReLU()(y + s)
"""),
            "comes right behind",
        ),
    ],
    "06.5": [
        (depth("per_block[kind] * sum(blocks)"), "count the blocks alone"),
        (depth("per_block[kind] * sum(blocks) + 1"), "one short"),
        (depth("per_block[kind] * sum(blocks) + 3"), "one too many"),
        (
            depth("per_block[kind] * sum(blocks) + 2 + len(blocks) - (kind == 'basic')"),
            "one for each stage that has one",
        ),
        (depth("per_block[kind] * sum(blocks) + 2 + len(blocks)"), "count the projections"),
        (depth("2 * sum(blocks) + 2"), "How many kernels has a bottleneck"),
        (depth("3 * sum(blocks) + 2"), "How many kernels has a basic"),
        (depth("per_block[kind] * len(blocks) + 2"), "one block in each stage"),
        (depth(refusal="kind not in per_block"), "without blocks"),
        (depth("per_block.get(kind, 3) * sum(blocks) + 2", refusal="min(blocks) < 1"), "any other raise"),
    ],
    "06.6": [
        (moved(last=EVERY), "which is 0: change conv2"),
        (moved(last='["gamma1", "gamma2"]'), "passes through gamma2"),
        (moved(last="[]"), "nothing moves"),
        (moved(first='["gamma1"]', last="[]"), "changed places"),
        (moved(first='["gamma1"]'), "through the ReLU behind it"),
        (moved(first='["conv2", "gamma1"]'), "products with its *input*"),
        (moved(first='["conv2", "gamma2"]'), "What does conv2 return"),
        (moved(first='["conv1"]'), "change conv1 a little"),
        (moved(last='["norm2"]'), "a list of names"),
        (moved(last='"gamma2"'), "a list of names"),
    ],
}

EQUIVALENT = {
    "06.1": [
        forward(axes="tuple(i for i in range(np.ndim(x)) if i != x.ndim - 1)"),
        cell("""
def batch_norm(x, gamma, beta, mean=None, variance=None, epsilon=1e-3):
    if mean is None and variance is None:
        flat = x.reshape(-1, x.shape[-1])
        mean = flat.sum(axis=0) / len(flat)
        variance = ((flat - mean) ** 2).sum(axis=0) / len(flat)
    elif mean is None or variance is None:
        raise ValueError("one is missing")
    scale = gamma / (variance + epsilon) ** 0.5
    return x * scale + (beta - mean * scale)
"""),
    ],
    "06.2": [
        cell("""
def batch_norm_backward(upstream, x, gamma, epsilon=1e-3):
    u, flat = (np.asarray(each, float).reshape(-1, x.shape[-1]) for each in (upstream, x))
    count, centred = len(flat), flat - flat.mean(0)
    inverse = (centred**2).mean(0) + epsilon
    inverse = inverse**-0.5
    by_normalised = u * gamma
    by_variance = (by_normalised * centred).sum(0) * -0.5 * inverse**3
    by_mean = -(by_normalised * inverse).sum(0)
    by_x = by_normalised * inverse + by_variance * 2 * centred / count + by_mean / count
    return [by_x.reshape(x.shape), (u * centred * inverse).sum(0), u.sum(0)]
"""),
    ],
    "06.3": [
        cell("""
def fold(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3):
    deviation = np.sqrt(variance + epsilon)
    new = np.stack([kernel[..., c] * gamma[c] / deviation[c] for c in range(kernel.shape[-1])], axis=-1)
    shift = beta - gamma * mean / deviation
    if bias is not None:
        shift = shift + gamma * bias / deviation
    return new, shift
"""),
    ],
    "06.4": [
        block(result="keras.ops.relu(s + y)"),
        cell("""
def halving_block(x, filters):
    return models.residual_block(x, filters, 2, name="mine")
"""),
        cell("""
def halving_block(x, filters):
    shortcut = layers.Conv2D(filters, 1, strides=2, use_bias=False)(x)
    shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    body = keras.Sequential([
        layers.ZeroPadding2D(((0, 1), (0, 1))),
        layers.Conv2D(filters, (3, 3), strides=(2, 2), use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
    ])
    return layers.Activation("relu")(layers.add([body(x), shortcut]))
"""),
    ],
    "06.5": [
        cell("""
def depth_of(kind, blocks):
    if kind == "basic":
        layers_of_a_block = 2
    elif kind == "bottleneck":
        layers_of_a_block = 3
    else:
        raise ValueError(kind)
    count = 1
    for number in blocks:
        if number < 1:
            raise ValueError(number)
        count += layers_of_a_block * number
    return count + 1
"""),
    ],
    "06.6": [moved(last='("gamma2",)', first="()"), moved(last='{"Gamma2"}')],
}

globals().update(standard_tests("06", WRONG, EQUIVALENT))
