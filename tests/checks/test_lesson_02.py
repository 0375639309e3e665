"""The exercises of lesson 02: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def network(
    conv1: str = '16, 3, padding="same"',
    pool1: str = "layers.MaxPooling2D(2)(x)",
    conv2: str = '32, 3, padding="same"',
    pool2: str = "layers.MaxPooling2D(2)(x)",
    flatten: str = "layers.Flatten()(x)",
    units: int = 10,
) -> cell:
    """An answer to 02.1 from its layers."""
    return cell(f"""
def repaired():
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D({conv1}, activation="relu")(image)
    x = {pool1}
    x = layers.Conv2D({conv2}, activation="relu")(x)
    x = {pool2}
    x = {flatten}
    return keras.Model(image, layers.Dense({units})(x))
""")


BACK = "[[0, 0, 0, 2], [0, 1, 0, 0], [0, 3, 4, 0], [0, 0, 0, 0]]"


def pooled(
    largest: str = "[[4, 6], [8, 5]]", average: str = "[[2, 3], [3, 3]]", overall: str = "2.75", back: str = BACK
) -> cell:
    """An answer to 02.2 from its four values."""
    return cell(f"""
grid = np.array([[3, 0, 2, 6], [1, 4, 2, 2], [0, 8, 5, 1], [2, 2, 3, 3]])
largest = {largest}
average = {average}
overall = {overall}
back = {back}
""")


def consistency(
    here: str = "images[:, :-shift, :-shift]",
    there: str = "images[:, shift:, shift:]",
    result: str = "np.mean(predict(here).argmax(-1) == predict(there).argmax(-1))",
    refusal: str = "shift < 1 or shift >= min(images.shape[1:3])",
) -> cell:
    """An answer to 02.3 from its parts."""
    return cell(f"""
def shift_consistency(predict, images, shift):
    if {refusal}:
        raise ValueError("shift")
    here, there = {here}, {there}
    return {result}
""")


def response(
    weights: str = "np.zeros((1, *output_shape))",
    place: str = "unit[0, output_shape[0] // 2, output_shape[1] // 2] = 1",
    strength: str = "np.abs(slopes).sum(axis=-1).mean(axis=0)",
    result: str = "strength / max(strength.max(), 1e-300)",
) -> cell:
    """An answer to 02.4 from its parts."""
    return cell(f"""
def effective_field(gradient, output_shape, images):
    unit = {weights}
    {place}
    slopes = gradient(images, unit)
    strength = {strength}
    return {result}
""")


def depth(
    start: str = "1, 1, 0",
    condition: str = "size < pixels",
    step: str = "dilation * (kernel - 1)",
    growth: str = "growth",
    refusal: str = "min(pixels, kernel, growth) < 1 or kernel == 1 < pixels",
) -> cell:
    """An answer to 02.6 from its parts."""
    return cell(f"""
def layers_to_see(pixels, kernel=3, growth=1):
    if {refusal}:
        raise ValueError("never")
    size, dilation, count = {start}
    while {condition} and count < 10_000:
        size += {step}
        dilation *= {growth}
        count += 1
    return count
""")


def by_logarithm(quotient: str) -> cell:
    """An answer to 02.6 in one formula, in floating point."""
    return cell(f"""
import math
def layers_to_see(pixels, kernel=3, growth=1):
    if min(pixels, kernel, growth) < 1 or kernel == 1 < pixels:
        raise ValueError("never")
    if kernel == 1:
        return 0
    if growth == 1:
        return -(-(pixels - 1) // (kernel - 1))
    a = 1 + (pixels - 1) * (growth - 1) / (kernel - 1)
    return math.ceil({quotient})
""")


WRONG = {
    "02.1": [
        (
            network(pool1="layers.MaxPooling2D(2, strides=1)(x)", conv2="32, 3"),
            "By how many pixels does the window of this pooling move?",
        ),
        (network(pool1="layers.MaxPooling2D(2, strides=1)(x)"), "By how many pixels does the window"),
        (network(conv2="32, 3"), "What does a convolution of Keras pad"),
        (network(pool2="layers.MaxPooling2D(3)(x)"), "Windows of 2 in steps of 2 halve a map"),
        (network(conv2='32, 5, padding="same"'), "Padding hides the kernel's size"),
        (network(conv1='8, 3, padding="same"'), "The first convolution was right as it stood"),
        (network(flatten="layers.GlobalAveragePooling2D()(x)"), "and not their means"),
        (network(units=12), "There are ten classes"),
        (network(pool2="layers.AveragePooling2D(2)(x)"), "an activation, or the kind of pooling"),
        (
            network(pool1='layers.MaxPooling2D(2)(layers.Activation("tanh")(x))'),
            "an activation, or the kind of pooling",
        ),
        (network(pool1="layers.MaxPooling2D(2)(layers.Conv2D(16, 1)(x))"), "Layer 2 is another one"),
        (network(flatten="layers.Flatten()(layers.ZeroPadding2D(0)(x))"), "Layer 5 is another one"),
        (network(pool1="layers.BatchNormalization()(layers.MaxPooling2D(2)(x))"), "none is too many"),
        (network(conv2="32, 3"), "The map that it reads is right"),
        (
            cell("def repaired():\n    keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten()])"),
            "Is a `return` missing?",
        ),
        (cell("def repaired():\n    return [layers.Flatten(), layers.Dense(10)]"), "should return a Keras model"),
        (
            cell(
                "def repaired():\n    image = keras.Input((32, 32, 3))\n"
                "    x = layers.Conv2D(16, 3, padding='same')(image)\n"
                "    x = layers.Conv2D(32, 3, padding='same')(layers.MaxPooling2D(2)(x))\n"
                "    x = layers.Dense(10)(layers.Flatten()(layers.MaxPooling2D(2)(x)))\n"
                "    return keras.Model(image, layers.Dense(10)(x))"
            ),
            "No layer is missing, and none is too many",
        ),
        (
            cell(
                "def repaired():\n    image = keras.Input((28, 28, 3))\n"
                "    return keras.Model(image, layers.Flatten()(image))"
            ),
            "should take 32x32x3",
        ),
    ],
    "02.2": [
        (pooled(largest="[[4, 4, 6], [8, 8, 5], [8, 8, 5]]"), "Your windows move by one pixel"),
        (pooled(largest="[[4, 8], [6, 5]]"), "Rows and columns have changed places"),
        (pooled(average="[[8, 12], [12, 12]]"), "These are the sums"),
        (pooled(average="[[4, 6], [6, 6]]"), "holds four numbers"),
        (pooled(average="[[2, 2, 3], [3.25, 4.75, 2.5], [3, 4.5, 3]]"), "In steps of 2 they do not overlap"),
        (pooled(overall="8"), "a global *max* pooling"),
        (pooled(overall="44"), "That is the sum"),
        (pooled(overall="3"), "rounded too far"),
        (pooled(largest="[4, 6, 8, 5]"), "The numbers are right, in another form"),
        (pooled(average="[[[[2], [3]], [[3], [3]]]]"), "The numbers are right, in another form"),
        (pooled(overall="'2.75'"), "look at `'overall'`"),
        (pooled(overall="5.75"), "the mean of the four maxima"),
        (pooled(overall="11"), "How many numbers does the one window hold?"),
        (pooled(back="np.kron([[1, 2], [3, 4]], np.ones((2, 2))) / 4"), "what average pooling hands back"),
        (pooled(back="np.kron([[1, 2], [3, 4]], np.ones((2, 2)))"), "Every pixel of a window has its whole gradient"),
        (pooled(back="[[0, 0, 0, 6], [0, 4, 0, 0], [0, 8, 5, 0], [0, 0, 0, 0]]"), "You hand back the maxima"),
        (pooled(back=f"grid * np.array({BACK})"), "You multiply by the pixel"),
        (pooled(back=f"np.sign({BACK})"), "You have found the pixels"),
        (pooled(back="[[0, 0, 0, 3], [0, 1, 0, 0], [0, 2, 4, 0], [0, 0, 0, 0]]"), "2 and 3 have changed places"),
        (pooled(back="[[1, 2], [3, 4]]"), "four rows of four"),
        (pooled(back="[[0, 0, 0, 2], [0, 1, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0]]"), "look at `'back'`"),
        (pooled(largest="[[3, 6], [8, 5]]"), "3 of 4 entries are right; look at `'largest'`"),
    ],
    "02.3": [
        (consistency(result="np.mean(predict(here).argmax(-1) != predict(there).argmax(-1))"), "class *changes*"),
        (consistency(result="np.sum(predict(here).argmax(-1) == predict(there).argmax(-1))"), "between 0 and 1"),
        (consistency(result="np.mean(predict(here) == predict(there))"), "You compare scores"),
        (consistency(result="np.mean(predict(here).max(-1) == predict(there).max(-1))"), "You compare scores"),
        (consistency(there="images[:, shift:, :-shift]"), "moved down and not to the side"),
        (consistency(there="images[:, :-shift, shift:]"), "moved to the side and not down"),
        (consistency(here="images"), "Both windows should have the same size"),
        (consistency(here="images", there="np.roll(images, (shift, shift), (1, 2))"), "no camera takes"),
        (consistency(here="images", there="np.roll(images, (-shift, -shift), (1, 2))"), "no camera takes"),
        (consistency(here="images[:, :-1, :-1]", there="images[:, 1:, 1:]"), "one pixel apart, whatever"),
        (consistency(refusal="shift < 1"), "leaves no window"),
        (consistency(refusal="shift >= min(images.shape[1:3])"), "is no move"),
        (
            consistency(refusal="shift < 1 or shift >= max(images.shape[1:3])"),
            "smaller than its height *and* its width",
        ),
        (consistency(result="np.mean(predict(here).argmax(0) == predict(there).argmax(0))"), "Came"),
    ],
    "02.4": [
        (response(strength="slopes.sum(axis=-1).mean(axis=0)"), "Your gradients keep their sign"),
        (response(strength="np.abs(slopes.sum(axis=-1).mean(axis=0))"), "You take the size after adding up"),
        (response(strength="np.abs(slopes.mean(axis=(0, -1)))"), "You take the size after adding up"),
        (response(strength="np.abs(slopes.mean(axis=0)).sum(axis=-1)"), "after the mean over images"),
        (response(strength="np.abs(slopes.sum(axis=-1)).mean(axis=0)"), "You add the channels before"),
        (response(weights="np.ones((1, *output_shape))"), "the gradient of *all* units together"),
        (response(weights="1.0", place="pass"), "the gradient of *all* units together"),
        (response(place="unit[0, output_shape[0] // 2] = 1"), "in a whole row of units"),
        (response(place="unit[0, output_shape[0] // 2, output_shape[1] // 2, 0] = 1"), "one channel only"),
        (response(place="unit[0, 0, 0] = 1"), "the unit in the corner"),
        (response(place="unit[0, (output_shape[0] - 1) // 2, (output_shape[1] - 1) // 2] = 1"), "before the middle"),
        (response(strength="np.abs(slopes).max(axis=-1).mean(axis=0)"), "You keep the strongest channel"),
        (response(strength="np.abs(slopes).sum(axis=-1).max(axis=0)"), "You keep the image with the strongest"),
        (response(strength="np.abs(slopes[0]).sum(axis=-1)"), "You look at the first image only"),
        (response(strength="(slopes ** 2).sum(axis=-1).mean(axis=0)"), "You square the gradients"),
        (response(strength="np.linalg.norm(slopes, axis=-1).mean(axis=0)"), "You take the length over the channels"),
        (response(result="strength"), "right but for its scale"),
        (response(result="strength / max(strength.sum(), 1e-300)"), "to a sum of 1"),
        (
            response(result="(strength - strength.min()) / max(np.ptp(strength), 1e-300)"),
            "You subtract the smallest value too",
        ),
        (response(result="strength / strength.max()"), "Yours divides 0 by 0"),
        (response(strength="np.abs(slopes).sum(axis=-1)"), "Came"),
        (response(weights="np.zeros(output_shape)", place="unit[0, 0] = 1"), "do not fit the output"),
    ],
    "02.5": [
        ([(3, 1)] * 15, "D is free of charge"),
        ([(3, 1), (3, 2), (3, 4), (3, 8)], "adds the most for what it costs"),
        ([(31, 1)], "The stack is too expensive"),
        ([(3, 15)], "The field has holes"),
        ([(3, 1), (3, 2), (3, 4)], "does not see far enough"),
        ([(2, 2), (2, 4), (2, 8), (2, 16), (2, 2)], "The field has holes"),
        ([(3, 1), (3, 14)], "as the layers before it have filled the gaps"),
        ([(3, 1, 1), (3, 1, 2)], "The stride is 1 everywhere"),
        ([3, 3, 3], "list of pairs"),
        ([(3, 0.5)], "list of pairs"),
        ([(3, 0)], "at least 1"),
        ([], "no layer"),
        ([(2, 5000)], "far more than the task needs"),
    ],
    "02.6": [
        (
            cell("""
def layers_to_see(pixels, kernel=3, growth=1):
    if min(pixels, kernel, growth) < 1 or kernel == 1 < pixels:
        raise ValueError
    if growth == 1:
        return (pixels - 1) // max(kernel - 1, 1)
    size, dilation, count = 1, 1, 0
    while size < pixels:
        size, dilation, count = size + dilation * (kernel - 1), dilation * growth, count + 1
    return count
"""),
            "You round down",
        ),
        (depth(start="0, 1, 0"), "one pixel off"),
        (depth(condition="size <= pixels"), "one pixel off"),
        (depth(step="dilation * kernel"), "K taps have K - 1 gaps"),
        (depth(growth="1"), "does not change with `growth`"),
        (depth(start="1, growth, 0"), "The first has dilation 1"),
        (depth(step="dilation * 2"), "does not change with `kernel`"),
        (depth(refusal="min(pixels, kernel, growth) < 1"), "sees no neighbours"),
        (cell("def layers_to_see(pixels, kernel=3, growth=1):\n    return (pixels - 1) // 2"), "Came"),
        *(
            (by_logarithm(quotient), fragment)
            for quotient, fragment in (
                ("math.log(a, growth)", "a logarithm is rounded"),
                ("np.log(a) / np.log(growth)", "a logarithm is rounded"),
                ("math.log2(a) / math.log2(growth)", "a field that is met exactly"),
            )
        ),
    ],
}

EQUIVALENT = {
    "02.1": [
        cell("""
def repaired():
    return keras.Sequential([
        keras.Input((32, 32, 3)),
        layers.Conv2D(16, (3, 3), padding="same"), layers.ReLU(), layers.MaxPooling2D((2, 2), strides=2),
        layers.Conv2D(32, (3, 3), padding="same"), layers.ReLU(), layers.MaxPooling2D((2, 2), strides=2),
        layers.Reshape((2048,)), layers.Dropout(0.1), layers.Dense(10),
    ])
"""),
        network(pool1='layers.MaxPooling2D(2, strides=2, padding="same")(x)'),
        cell("""
def repaired():
    return keras.Sequential([
        layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(10),
    ])
"""),
    ],
    "02.2": [
        pooled("np.array([[4, 6], [8, 5]])", "((2.0, 3.0), (3.0, 3.0))", "44 / 16"),
        pooled(overall="[[2.75]]"),
        pooled(overall="np.array([2.75])"),
        pooled("grid.reshape(2, 2, 2, 2).max(axis=(1, 3))", "grid.reshape(2, 2, 2, 2).mean((1, 3))", "grid.mean()"),
        pooled(back=f"np.array({BACK}, dtype=float)"),
    ],
    "02.3": [
        cell("""
def shift_consistency(predict, images, shift):
    n, h, w, c = images.shape
    if shift <= 0 or h - shift <= 0 or w - shift <= 0:
        raise ValueError("no such window")
    windows = [images[:, start : h - shift + start, start : w - shift + start] for start in (0, shift)]
    first, second = (np.asarray(predict(window)).argmax(axis=1) for window in windows)
    return sum(int(a == b) for a, b in zip(first, second)) / n
"""),
    ],
    "02.4": [
        cell("""
def effective_field(gradient, output_shape, images):
    rows, columns, channels = output_shape
    unit = np.zeros((len(images), rows, columns, channels), dtype="float32")
    unit[:, rows // 2, columns // 2, :] = 1
    field = np.mean(np.abs(gradient(images, unit)), axis=(0, -1))
    return field / field.max() if field.any() else field
"""),
        cell("""
def effective_field(gradient, output_shape, images):
    rows, columns, _ = output_shape
    unit = np.zeros((1, rows, columns, 1))
    unit[0, rows // 2, columns // 2, 0] = 1
    total = sum(np.abs(gradient(image[None], unit))[0].sum(-1) for image in images)
    top = total.max()
    return (total if top == 0 else total / top).tolist()
"""),
    ],
    "02.5": [
        [(2, 1), (2, 2), (2, 4), (2, 8), (2, 16)],
        [[2, 16], [2, 8], [2, 4], [2, 2], [2, 1]],
        ((3, 1), (3, 3), (2, 9), (2, 18)),
        cell("design = np.array([(2, 1), (3, 2), (2, 6), (2, 12), (2, 8)])"),
    ],
    "02.6": [
        cell("""
def layers_to_see(pixels, kernel=3, growth=1):
    if pixels < 1 or kernel < 1 or growth < 1:
        raise ValueError("below 1")
    if pixels == 1:
        return 0
    if kernel == 1:
        raise ValueError("sees no neighbour")
    count = 0
    while 1 + (kernel - 1) * sum(growth**n for n in range(count)) < pixels:
        count += 1
    return count
"""),
    ],
}

globals().update(standard_tests("02", WRONG, EQUIVALENT))
