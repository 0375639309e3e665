"""The exercises of lesson 07: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def counts(
    ordinary: str = "kernel * kernel * channels_in * channels_out * places",
    depthwise: str = "kernel * kernel * channels_in * places",
    pointwise: str = "channels_in * channels_out * places",
    places: str = "height * width",
    refusal: str = "min(kernel, channels_in, channels_out, height, width) < 1",
) -> cell:
    """An answer to 07.1 from its parts."""
    return cell(f"""
def separable_counts(kernel, channels_in, channels_out, height, width):
    if {refusal}:
        raise ValueError("below 1")
    places = {places}
    return {ordinary}, {depthwise}, {pointwise}
""")


_COUNTED = """
def separable_counts(kernel, channels_in, channels_out, height, width):
    if min(kernel, channels_in, channels_out, height, width) < 1:
        raise ValueError("below 1")
    places = height * width
    depthwise, pointwise = kernel**2 * channels_in * places, channels_in * channels_out * places
    ordinary = kernel**2 * pointwise
    return {}
"""


def gate(
    squeeze: str = "layers.GlobalAveragePooling2D(keepdims=True)(x)",
    units: str = "max(1, channels // ratio)",
    hidden: str = 'activation="relu"',
    excite: str = 'layers.Dense(channels, activation="sigmoid")(scale)',
    result: str = "layers.Multiply()([x, scale])",
    ratio: str = "ratio=16",
) -> cell:
    """An answer to 07.2 from its parts."""
    return cell(f"""
def squeeze_excite(x, {ratio}):
    channels = x.shape[-1]
    scale = {squeeze}
    scale = layers.Dense({units}, {hidden})(scale)
    scale = {excite}
    return {result}
""")


def scaling(
    depth: str = "math.ceil(repeats * 1.2**phi)",
    width: str = "max(8, 8 * round(channels * 1.1**phi / 8))",
    size: str = "round(resolution * 1.15**phi)",
    refusal: str = "phi < 0",
) -> cell:
    """An answer to 07.3 from its parts."""
    return cell(f"""
def scale(stages, resolution, phi):
    if {refusal}:
        raise ValueError("negative")
    return [({width}, {depth}) for channels, repeats in stages], {size}
""")


def briefs(phone: str = "MobileNetV2", factory: str = "ResNet-50", archive: str = "ConvNeXt-T") -> dict[str, str]:
    """An answer to 07.5 from its choices."""
    return {"phone": phone, "factory": factory, "archive": archive}


WRONG = {
    "07.1": [
        (counts(places="1"), "These are weights"),
        (counts(places="height * height"), "You take the height twice"),
        (counts(depthwise="kernel**2 * channels_out * places"), "on the channels that come *in*"),
        (counts(depthwise="kernel**2 * channels_in * channels_out * places"), "Your depthwise part mixes channels"),
        (counts(depthwise="kernel**2 * places"), "works on one channel"),
        (counts(pointwise="kernel**2 * channels_in * channels_out * places"), "it looks at one place"),
        (counts(pointwise="channels_out * places"), "reads *all* channels in"),
        (
            counts("kernel * channels_in * channels_out * places", "kernel * channels_in * places"),
            "K times K taps",
        ),
        (
            counts(pointwise="(kernel**2 * channels_in + channels_in * channels_out) * places"),
            "is the sum of both parts",
        ),
        (cell(_COUNTED.format("ordinary, depthwise + pointwise")), "You add the two parts up"),
        (cell(_COUNTED.format("ordinary, pointwise, depthwise")), "have changed places"),
        (cell(_COUNTED.format("2 * ordinary, 2 * depthwise, 2 * pointwise")), "One MAC is a multiplication"),
        (
            counts(
                depthwise="(kernel**2 + 1) * channels_in * places",
                pointwise="(channels_in + 1) * channels_out * places",
            ),
            "You count the biases",
        ),
        (counts(places="(height - kernel + 1) * (width - kernel + 1)"), "the kernel's border off once more"),
        (counts(refusal="False"), "Raise a ValueError"),
        (counts(refusal="min(kernel, channels_in, channels_out) < 1"), "Raise a ValueError"),
        (counts(refusal="kernel * channels_in * channels_out * height * width < 1"), "multiply to something positive"),
        (
            counts(refusal="min(kernel, channels_in, channels_out, height * width) < 1"),
            "multiply to something positive",
        ),
    ],
    "07.2": [
        (gate(excite='layers.Dense(channels, activation="softmax")(scale)'), "as those of a softmax do"),
        (gate(excite="layers.Dense(channels)(scale)"), "has no activation"),
        (gate(excite='layers.Dense(channels, activation="relu")(scale)'), "which has no upper end"),
        (gate(excite='layers.Dense(channels, activation="tanh")(scale)'), "ends in a tanh"),
        (gate(hidden="activation=None"), "two linear layers in a row are one"),
        (gate(hidden='activation="sigmoid"'), "A ReLU is asked for there"),
        (gate(squeeze="layers.GlobalMaxPooling2D(keepdims=True)(x)"), "each channel's largest value"),
        (gate(squeeze="x"), "Nothing is averaged"),
        (gate(result="layers.Add()([x, scale])"), "You *add* the numbers"),
        (gate(result="layers.Add()([x, layers.Multiply()([x, scale])])"), "You add x once more"),
        (gate(result="layers.Multiply()([scale, scale, x])"), "the values are not"),
        (gate(result="scale"), "These are the numbers for the channels"),
        (gate(hidden='activation="relu", use_bias=False'), "both with biases"),
        (
            gate(
                hidden='activation="relu", use_bias=False',
                excite='layers.Dense(channels, activation="sigmoid", use_bias=False)(scale)',
            ),
            "The biases are missing",
        ),
        (gate(units="-(-channels // ratio)"), "`channels // ratio` rounds down"),
        (gate(units="max(1, round(channels / ratio))"), "`channels // ratio` rounds down"),
        (gate(squeeze="layers.GlobalAveragePooling2D()(x)", result="x * scale"), "axes of length 1"),
        (gate(units="ratio"), "by how much the channels *shrink*"),
        (gate(units="channels"), "as many units as there are channels"),
        (gate(units="max(1, channels // 16)"), "weights"),
        (gate(ratio="ratio=4"), "16 if it is not given"),
        (
            cell('def squeeze_excite(x, ratio=16):\n    return layers.Dense(x.shape[-1], activation="sigmoid")(x) * x'),
            "There is one dense layer",
        ),
        (
            cell("def squeeze_excite(x, ratio=16):\n    return x * layers.GlobalAveragePooling2D(keepdims=True)(x)"),
            "Nothing is learnt here",
        ),
        (cell("def squeeze_excite(x, ratio=16):\n    layers.Dense(8)(x)"), "Is a `return` missing?"),
        (cell("def squeeze_excite(x, ratio=16):\n    return layers.Dense(8)"), "should return a symbolic tensor"),
        (3, "Hand over the function itself"),
        (gate(units="max(4, channels // ratio)"), "is 0. One is left"),
        (gate(units="max(40, channels // ratio)"), "Only 0 is replaced"),
        (gate(hidden='activation="relu6"'), "A ReLU6 cuts off"),
    ],
    "07.3": [
        (
            scaling(
                "math.ceil(repeats * 1.2 * phi)",
                "max(8, 8 * round(channels * 1.1 * phi / 8))",
                "round(resolution * 1.15 * phi)",
            ),
            "It is an exponent",
        ),
        (scaling(depth="round(repeats * 1.2**phi)"), "You round the repeats to the nearest"),
        (scaling(depth="int(repeats * 1.2**phi)"), "You round the repeats down"),
        (scaling(width="max(8, int(channels * 1.1**phi) // 8 * 8)"), "You round the channels down"),
        (scaling(width="max(8, math.ceil(channels * 1.1**phi / 8) * 8)"), "You round the channels up"),
        (scaling(width="round(channels * 1.1**phi)"), "no multiples of 8"),
        (scaling(width="8 * round(channels * 1.1**phi / 8)"), "Keep at least 8"),
        (
            scaling("math.ceil(repeats * 1.1**phi)", "max(8, 8 * round(channels * 1.2**phi / 8))"),
            "1.2 belongs to the depth",
        ),
        (scaling(width="max(8, 8 * round(channels * 1.1 ** (2 * phi) / 8))"), "square the factor of the width"),
        (scaling(size="round(resolution * 1.15 ** (2 * phi))"), "square the factor of the resolution"),
        (scaling(size="resolution"), "The resolution does not grow"),
        (scaling(size="int(resolution * 1.15**phi)"), "You round the resolution down"),
        (scaling(size="math.ceil(resolution * 1.15**phi)"), "You round the resolution up"),
        (scaling(size="resolution * 1.15**phi"), "a whole number of pixels"),
        (scaling(size="8 * round(resolution * 1.15**phi / 8)"), "for the channels alone"),
        (scaling(width="models.common.scaled(channels, 1.1**phi, 8)"), "more than a tenth"),
        (scaling(width="max(8, 8 * round(round(channels * 1.1**phi) / 8))"), "You round the channels twice"),
        (
            scaling(depth="max(8, 8 * round(channels * 1.1**phi / 8))", width="math.ceil(repeats * 1.2**phi)"),
            "the repeats come first",
        ),
        (scaling(refusal="False"), "would shrink the network"),
        (scaling(depth="int(repeats * 1.2**phi) + 1 if phi else repeats"), "round down and add 1"),
        (scaling(depth="math.floor(repeats * 1.2**phi) + 1"), "round down and add 1"),
    ],
    "07.4": [
        (["thin", "middle", "broad"], "This is the order of the MACs"),
        (["middle", "broad", "thin"], "Did the first call of a network"),
        (["middle", "thin", "broad"], "is not the fastest"),
        (["thin", "broad", "middle"], "What does a layer cost beside its MACs?"),
        (["broad", "thin", "middle"], "Count the layers of the other two"),
        (["broad", "middle"], "the three names, each once"),
        ("broad", "the three names, each once"),
    ],
    "07.5": [
        (briefs(phone="EfficientNet-B0"), "fewer than 4 million weights"),
        (briefs(phone="LeNet-5"), "has no accuracy on ImageNet"),
        (briefs(phone="ConvNeXt-T"), "accuracy is not all"),
        (briefs(factory="EfficientNet-B4"), "which the brief rules out"),
        (briefs(factory="ConvNeXt-T"), "which the brief rules out"),
        (briefs(factory="VGG-16"), "look at its MACs again"),
        (briefs(factory="AlexNet"), "is more accurate"),
        (briefs(archive="EfficientNet-B4"), "how many pixels was it made for?"),
        (briefs(archive="EfficientNet-B7"), "more than 5 G MACs"),
        (briefs(archive="ResNet-50"), "a more accurate one fits as well"),
        (briefs(archive="DenseNet-40"), "whether it has an accuracy"),
        (briefs(archive="VGG-16"), "compare its MACs"),
        (briefs(factory="DenseNet-40"), "made for small images"),
        (briefs(phone="B0"), "not in the table"),
        (briefs(factory="ResNet50"), "not in the table"),
        (briefs(archive="a large one"), "look at `'archive'`"),
    ],
}

EQUIVALENT = {
    "07.1": [
        cell("""
def separable_counts(kernel, channels_in, channels_out, height, width):
    if any(n <= 0 for n in (kernel, channels_in, channels_out, height, width)):
        raise ValueError("no layer")
    return [
        arithmetic.conv_macs((height, width), kernel, channels_in, channels_out),
        arithmetic.conv_macs((height, width), kernel, channels_in, channels_in, groups=channels_in),
        arithmetic.conv_macs((height, width), 1, channels_in, channels_out),
    ]
"""),
    ],
    "07.2": [
        cell("""
def squeeze_excite(x, ratio=16):
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D()(x)
    scale = layers.Reshape((1, 1, channels))(scale)
    scale = layers.ReLU()(layers.Conv2D(max(channels // ratio, 1), 1)(scale))
    return x * layers.Activation("sigmoid")(layers.Conv2D(channels, 1)(scale))
"""),
        cell("""
def squeeze_excite(x, ratio=16):
    mean = keras.ops.mean(x, axis=(1, 2), keepdims=True)
    excite = layers.Dense(x.shape[-1], activation="sigmoid")
    return excite(layers.Dense(max(1, x.shape[-1] // ratio), activation="relu")(mean)) * x
"""),
        cell("""
def squeeze_excite(x, ratio=16):
    return models.squeeze_excite(x, max(1, x.shape[-1] // ratio), "se")
"""),
    ],
    "07.3": [
        cell("""
def scale(stages, resolution, phi):
    depth, width, size = (base**phi for base in (1.2, 1.1, 1.15))
    if phi < 0:
        raise ValueError("shrinks")
    result = []
    for channels, repeats in stages:
        channels = int(np.rint(channels * width / 8)) * 8
        result.append([max(channels, 8), int(np.ceil(repeats * depth))])
    return result, int(np.rint(resolution * size))
"""),
        scaling(),
    ],
    "07.4": [("Broad", "middle ", "thin"), cell('order = ["broad"] + ["middle", "thin"]')],
    "07.5": [
        briefs("mobilenetv2", "resnet-50", "convnext-t"),
    ],
}

globals().update(standard_tests("07", WRONG, EQUIVALENT))
