"""The exercises of lesson 04: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, check, says, standard_tests

from cnnlib.exercises import Outcome, exercises_of


def count(width: object = 4, parameters: object = 30_840, total: object = 44_426, macs: object = 153_600) -> dict:
    """An answer to 04.1 from its four values."""
    return {"width": width, "parameters": parameters, "total": total, "macs": macs}


def builder(
    conv: str = "layers.Conv2D(*numbers, activation=activation)(z)",
    pool: str = "layers.AveragePooling2D(*numbers)(z)",
    flatten: str = "z = layers.Flatten()(z) if len(z.shape) > 2 else z",
    dense: str = "layers.Dense(*numbers, activation=activation)(z)",
    activation: str = '"tanh" if number < len(table) else None',
    otherwise: str = 'raise ValueError("unknown row")',
    result: str = "return keras.Model(image, z)",
) -> cell:
    """An answer to 04.2 from its parts."""
    return cell(f"""
def network_of(table, input_shape):
    z = image = keras.Input(input_shape)
    for number, (kind, *numbers) in enumerate(table, start=1):
        activation = {activation}
        if kind == "conv":
            z = {conv}
        elif kind == "pool":
            z = {pool}
        elif kind == "dense":
            {flatten}
            z = {dense}
        else:
            {otherwise}
    {result}
""")


def compared(
    differences: str = "np.array(runs[variant]) - np.array(runs[baseline])",
    mean: str = "d.mean()",
    clear: str = "((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.max() - d.min()",
    refusal: str = "len(runs[variant]) != len(runs[baseline]) or len(runs[variant]) < 2",
) -> cell:
    """An answer to 04.3 from its parts."""
    return cell(f"""
def ablation(runs, variant, baseline):
    if {refusal}:
        raise ValueError("runs")
    d = {differences}
    return {mean}, {clear}
""")


def recalled(
    top: str = "matrix.diagonal()",
    bottom: str = "matrix.sum(axis=1)",
    result: str = "top / bottom",
    refusal: str = "matrix.shape[0] != matrix.shape[1]",
) -> cell:
    """An answer to 04.4 from its parts."""
    return cell(f"""
def recall(matrix):
    matrix = np.asarray(matrix, float)
    if {refusal}:
        raise ValueError("not square")
    top, bottom = {top}, {bottom}
    with np.errstate(all="ignore"):
        return {result}
""")


def explained(**changed: bool) -> dict:
    """An answer to 04.5."""
    return {"scarce": False, "unlucky": False, "network": False, "alike": True, **changed}


def small(*body: str) -> cell:
    """An answer to 04.6 from its layers."""
    return cell(f"""
def my_network():
    return keras.Sequential([keras.Input((32, 32, 1)), {", ".join(body)}])
""")


NORM, RELU, POOL = "layers.BatchNormalization(momentum=0.9)", "layers.ReLU()", "layers.MaxPooling2D(2)"

WRONG = {
    "04.1": [
        (count(5, 48_120, 61_706, 240_000), "fits only 24 times into 28"),
        (count(width=5), "fits only 24 times into 28"),
        (count(width=6), "between the two poolings"),
        (count(parameters=123_000), "C5 behind C3"),
        (count(total=43_576), "ten scores at the end"),
        (count(macs=345_600), "which C3 *reads*"),
        (count(width=7), "A convolution without padding takes 4"),
        (count(width=8), "That is C3"),
        (count(parameters=48_120), "where S4 is 5x5x16"),
        (count(parameters=30_720), "120 biases are missing"),
        (count(parameters=2_040), "reads every *place*"),
        (count(parameters=30_736), "16 biases?"),
        (count(total=61_706), "Which layer is smaller now?"),
        (count(total=44_190), "236 in all"),
        (count(total=44_470), "Here a pooling has none"),
        (count(macs=2_400), "one place of C3"),
        (count(macs=9_600), "That is one filter"),
        (count(macs=25_600), "reads all six maps"),
        (count(macs=240_000), "where its maps are 10 wide"),
        (count(macs=154_624), "added, not multiplied"),
        (count(macs=38_400), "the places of S4"),
        (count(width="four"), "3 of 4 entries are right; look at `'width'`"),
    ],
    "04.2": [
        (builder(conv="layers.Conv2D(numbers[1], numbers[0], activation=activation)(z)"), "have changed places"),
        (builder(conv="layers.Conv2D(numbers[0], 5, activation=activation)(z)"), "third entry of the row"),
        (
            builder(conv='layers.Conv2D(*numbers, padding="same", activation=activation)(z)'),
            "reads more numbers than the table leaves",
        ),
        (builder(pool="layers.AveragePooling2D(2)(z)"), "does a pooling move"),
        (builder(pool="layers.AveragePooling2D(*numbers, strides=1)(z)"), "does a pooling move"),
        (builder(flatten="z = layers.GlobalAveragePooling2D()(z) if len(z.shape) > 2 else z"), "and does not average"),
        (builder(conv="layers.Conv2D(*numbers, use_bias=False, activation=activation)(z)"), "kernel and one bias"),
        (
            builder(
                conv="layers.Conv2D(*numbers, use_bias=False, activation=activation)(z)",
                dense="layers.Dense(*numbers, use_bias=False, activation=activation)(z)",
            ),
            "There are no biases",
        ),
        (builder(activation='"tanh"'), "The last row has a tanh"),
        (builder(activation='"tanh" if number < len(table) else "softmax"'), "The last row has a softmax"),
        (builder(activation='"relu" if number < len(table) else None'), "That is ReLU"),
        (builder(activation="None"), "There is no activation"),
        (builder(pool="layers.MaxPooling2D(*numbers)(z)"), "Your poolings take the maximum"),
        (builder(dense="layers.Dense(*numbers)(z)"), "The dense layers have no tanh"),
        (builder(conv="layers.Conv2D(*numbers)(z)"), "The convolutions have no tanh"),
        (builder(activation='"sigmoid" if number < len(table) else None'), "Check the activation of each row"),
        (builder(activation='"tanh" if (kind, *numbers) != table[-1] else None'), "Tell it by its place"),
        (
            builder(conv='layers.Conv2D(*numbers, activation="tanh")(z)'),
            "it has a tanh. The last row has none, whatever its kind",
        ),
        (builder(pool='layers.AveragePooling2D(*numbers, padding="same")(z)'), "number"),
        (
            builder(result="z = layers.Flatten()(z) if len(z.shape) > 2 else z\n    return keras.Model(image, z)"),
            "maps, as they are",
        ),
        (builder(otherwise="pass"), "An unknown kind of row passes"),
        (builder(result="keras.Model(image, z)"), "Is a `return` missing?"),
        (builder(result="return z"), "should return a Keras model"),
        (
            cell(
                "def network_of(table, input_shape):\n    image = keras.Input((32, 32, 1))\n"
                "    return keras.Model(image, layers.Flatten()(image))"
            ),
            "The input has another shape",
        ),
        ([1], "needs the function"),
        (
            cell(
                "def network_of(table, input_shape):\n    return keras.Sequential([layers.Flatten(), layers.Dense(10)])"
            ),
            "Begin with `keras.Input(input_shape)`",
        ),
    ],
    "04.3": [
        (compared(differences="np.array(runs[baseline]) - np.array(runs[variant])"), "the other way round"),
        (
            compared(differences="np.sort(runs[variant]) - np.sort(runs[baseline])"),
            "You sort before you compare",
        ),
        (
            compared(
                differences="np.array(runs[variant]) - np.array(runs[baseline])[: len(runs[variant])]",
                refusal="len(runs[variant]) > len(runs[baseline]) or len(runs[variant]) < 2",
            ),
            "Two runs against three cannot be paired either",
        ),
        (compared(mean="np.median(d)"), "the median"),
        (compared(mean="d.sum()"), "the sum of the differences"),
        (compared(mean="abs(d.mean())"), "A loss must stay negative"),
        (compared(mean="d.max()"), "an eager author"),
        (compared(clear="(d > 0).all() or (d < 0).all()"), "larger than the spread"),
        (compared(clear="(d > 0).all() and d.mean() > d.max() - d.min()"), "A loss can be clear"),
        (
            compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) >= d.max() - d.min()"),
            "It must be larger",
        ),
        (
            compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.std()"),
            "standard deviation",
        ),
        (
            compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.std(ddof=1)"),
            "standard deviation",
        ),
        (
            compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > np.ptp(runs[variant])"),
            "one side's accuracies",
        ),
        (
            compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > np.ptp(runs[baseline])"),
            "one side's accuracies",
        ),
        (compared(clear="d.mean() > 0"), "Could the next seed turn it round?"),
        (compared(refusal="len(runs[variant]) != len(runs[baseline])"), "One seed has no spread"),
        (
            compared(
                differences="np.array([a - b for a, b in zip(runs[variant], runs[baseline])])",
                refusal="len(runs[variant]) < 2 or len(runs[baseline]) < 2",
            ),
            "cannot be paired",
        ),
    ],
    "04.4": [
        (recalled(bottom="matrix.sum(axis=0)"), "the **precision**"),
        (recalled(result="(top / bottom).mean()"), "the mean over the classes"),
        (recalled(bottom="matrix.sum()"), "the number of all pictures"),
        (recalled(bottom="matrix.sum(axis=1) - matrix.diagonal()"), "those that are missed"),
        (recalled(top="matrix.max(axis=1)"), "large or not"),
        (recalled(top="matrix.sum(axis=1) - matrix.diagonal()"), "that is *missed*"),
        (recalled(result="np.nan_to_num(top / bottom)"), "gets 0, as if all had been missed"),
        (recalled(result="np.where(bottom > 0, top / np.maximum(bottom, 1), 1.0)"), "as if all had been found"),
        (
            recalled(
                refusal="False",
                top="matrix[range(min(matrix.shape)), range(min(matrix.shape))]",
                bottom="matrix.sum(axis=1)[: min(matrix.shape)]",
            ),
            "has lost a class",
        ),
        (
            recalled(refusal="matrix.shape[0] < matrix.shape[1]", bottom="matrix.sum(axis=1)[: matrix.shape[1]]"),
            "more rows than columns",
        ),
        (recalled(refusal="matrix.shape[0] > matrix.shape[1]"), "more columns than rows"),
    ],
    "04.5": [
        (explained(scarce=True), "fewer than the others"),
        (explained(unlucky=True), "had learned the training shirts well"),
        (explained(network=True), "no network at all"),
        (explained(alike=False), "have in common"),
        ({name: str(value) for name, value in explained().items()}, "without quotes"),
        ({name: "yes" if value else "no" for name, value in explained().items()}, "without quotes"),
        ({"scarce": False}, "The keys are not those"),
    ],
    "04.6": [
        (
            cell("from cnnlib.models.lenet import LeNet5\n\ndef my_network():\n    return LeNet5()"),
            "over the budget",
        ),
        (small("layers.Flatten()", "layers.Dense(20)", "layers.Dense(10)"), "over the budget"),
        (small("layers.Conv2D(8, 3)", "layers.Dense(10)"), "A map is left over"),
        (small("layers.Flatten()", "layers.Dense(5)"), "10 scores"),
        (small("layers.AveragePooling2D(2)", "layers.Flatten()", "layers.Dense(10, activation='softmax')"), "softmax"),
        (small("layers.AveragePooling2D(2)", "layers.Flatten()", "layers.Dense(10)"), "It has no convolution"),
        (
            small(
                "layers.Conv2D(6, 5, activation='tanh')",
                "layers.AveragePooling2D(4)",
                "layers.Flatten()",
                "layers.Dense(10)",
            ),
            "one change gained in every run",
        ),
        (
            small(f"layers.Conv2D(2, 5, strides=4), {NORM}, {RELU}, {POOL}", "layers.Flatten()", "layers.Dense(10)"),
            "More than half of the budget is left",
        ),
        (cell("def my_network():\n    keras.Sequential([keras.Input((32, 32, 1)), layers.Flatten()])"), "`return`"),
        (cell("def my_network():\n    return 'small'"), "should return a Keras model"),
        (
            cell(
                "network = keras.Sequential([keras.Input((32, 32, 1)), layers.Conv2D(2, 5), layers.Flatten(), "
                "layers.Dense(10)])\ndef my_network():\n    return network"
            ),
            "a new network each time",
        ),
        (
            cell(
                "stack = [layers.Conv2D(2, 5), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(10)]\n"
                "def my_network():\n    return keras.Sequential([keras.Input((32, 32, 1)), *stack])"
            ),
            "The layers are made outside the function",
        ),
        (
            cell(
                "def my_network():\n    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), "
                "layers.Dense(7)])"
            ),
            "does not take pictures of 32x32x1",
        ),
    ],
}

EQUIVALENT = {
    "04.1": [count(4.0, 30_840.0, 44_426.0, 153_600.0)],
    "04.2": [
        cell("""
def network_of(table, input_shape):
    made, flat = [keras.Input(input_shape)], False
    for row in table:
        if row[0] not in {"conv", "pool", "dense"}:
            raise ValueError(row)
        if row[0] == "pool":
            made += [layers.AveragePooling2D((row[1], row[1]), strides=row[1])]
            continue
        if row[0] == "dense" and not flat:
            made, flat = made + [layers.Flatten()], True
        conv = row[0] == "conv"
        made += [layers.Conv2D(row[1], (row[2], row[2])) if conv else layers.Dense(units=row[1])]
        if row is not table[-1]:
            made += [layers.Activation("tanh")]
    return keras.Sequential(made)
"""),
    ],
    "04.3": [
        cell("""
def ablation(runs, variant, baseline):
    a, b = runs[variant], runs[baseline]
    if not len(a) == len(b) >= 2:
        raise ValueError("cannot be paired")
    gains = [float(x - y) for x, y in zip(a, b)]
    low, high, mean = min(gains), max(gains), sum(gains) / len(gains)
    return [mean, low * high > 0 and abs(mean) > high - low]
"""),
    ],
    "04.4": [
        cell("""
def recall(matrix):
    if any(len(row) != len(matrix) for row in matrix):
        raise ValueError("not square")
    return [row[c] / sum(row) if sum(row) else float("nan") for c, row in enumerate(matrix)]
"""),
        recalled(),
    ],
    "04.5": [
        cell('explanations = {"alike": True, "scarce": 0 == 1, "network": np.bool_(False), "unlucky": False}'),
    ],
    "04.6": [
        cell("""
def my_network():
    image = keras.Input((32, 32, 1))
    z = image
    for filters, kernel in ((10, 5), (24, 3)):
        z = layers.Conv2D(filters, kernel)(z)
        z = layers.MaxPooling2D(2)(layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(z)))
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(z)))
"""),
    ],
}

globals().update(standard_tests("04", WRONG, EQUIVALENT))


def test_weights_of_an_earlier_training_are_noticed():
    """A network that knows the pictures before its short training has been trained already."""
    import keras

    from cnnlib.checks import lesson_04

    def build() -> keras.Model:
        make = [keras.layers.Flatten(), keras.layers.Dense(10)]
        return keras.Sequential([keras.Input((32, 32, 1)), keras.layers.AveragePooling2D(2), *make])

    taught = build()
    assert lesson_04._short_training(taught) > lesson_04.KNOWS

    def my_network() -> keras.Model:
        network = build()
        network.set_weights(taught.get_weights())
        return network

    result = check(exercises_of("04")["04.6"], my_network)
    assert result.outcome == Outcome.WRONG
    assert says(result, "trained before the check trains it"), result
