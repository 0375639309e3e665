"""The exercises of lesson 04: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, check, says, standard_tests

from cnnlib.exercises import Outcome, exercises_of


def count(c3: object = 1_516, saved: object = 90_000, total: object = 44_426, widest: object = 35) -> dict:
    """An answer to 04.1 from its four values."""
    return {"c3": c3, "saved": saved, "total": total, "widest": widest}


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
    rate: str = "max(validation[name], key=lambda rate: np.mean(validation[name][rate]))",
    priced: str = "test[name][rate]",
    differences: str = "np.array(a) - np.array(b)",
    mean: str = "d.mean()",
    clear: str = "((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.max() - d.min()",
    refusal: str = "len(a) != len(b) or len(a) < 2",
) -> cell:
    """An answer to 04.3 from its parts."""
    return cell(f"""
def ablation(validation, test, variant, baseline):
    sides = []
    for name in (variant, baseline):
        rate = {rate}
        sides.append({priced})
    a, b = sides
    if {refusal}:
        raise ValueError("runs")
    d = {differences}
    return {mean}, {clear}
""")


def mixed(
    top: str = "matrix.diagonal()",
    bottom: str = "matrix.sum(axis=1)",
    result: str = "(shares * known)[shares > 0].sum()",
    size: str = "len(shares) != len(matrix)",
    total: str = "not np.isclose(shares.sum(), 1)",
    empty: str = "np.isnan(known[shares > 0]).any()",
) -> cell:
    """An answer to 04.4 from its parts."""
    return cell(f"""
def accuracy_with(matrix, shares):
    matrix, shares = np.asarray(matrix, float), np.asarray(shares, float)
    if {size} or {total}:
        raise ValueError("no mix")
    top, bottom = {top}, {bottom}
    with np.errstate(all="ignore"):
        known = top / bottom
    if {empty}:
        raise ValueError("nothing is known of a class")
    return {result}
""")


def shared(
    among: str = "labels == c",
    missed: str = "first != labels",
    counted: str = "second != labels",
    share: str = "counted[side].mean() if side.any() else np.nan",
    result: str = "wrong, right",
) -> cell:
    """An answer to 04.5 from its parts."""
    return cell(f"""
def shared_mistakes(labels, first, second, c):
    there, missed, counted = {among}, {missed}, {counted}
    share = lambda side: {share}
    wrong, right = share(there & missed), share(there & ~missed)
    return {result}
""")


def small(*body: str) -> cell:
    """An answer to 04.6 from its layers."""
    return cell(f"""
def my_network():
    return keras.Sequential([keras.Input((32, 32, 1)), {", ".join(body)}])
""")


NORM, RELU, POOL = "layers.BatchNormalization(momentum=0.9)", "layers.ReLU()", "layers.MaxPooling2D(2)"

WRONG = {
    "04.1": [
        (count(c3=2_416, saved=0), "reads all six maps"),
        (count(c3=1_500), "biases are missing"),
        (count(c3=1_560), "Each *filter* has one"),
        (count(c3=328), "one filter of each kind"),
        (count(c3=416), "one for each map that it reads"),
        (count(saved=150_000), "what is left"),
        (count(saved=900), "what one place saves"),
        (count(saved=22_500), "the places of S4"),
        (count(saved=176_400), "which C3 *reads*"),
        (count(saved=3_600), "25 products"),
        (count(saved=0), "never multiplied"),
        (count(total=43_576), "ten scores at the end"),
        (count(total=61_706), "Which layer is smaller now?"),
        (count(total=44_190), "236 in all"),
        (count(total=44_470), "Here a pooling has none"),
        (count(total=43_526), "with the paper's C3"),
        (count(total=82_826), "an S4 of 6x6"),
        (count(total=107_786), "A convolution without padding takes 4"),
        (count(total=15_626), "reads every *place*"),
        (count(widest=32), "the picture of the table"),
        (count(widest=33), "lost in S2"),
        (count(widest=34), "Can S2 lose one as well?"),
        (count(widest=36), "S4 is 6 pixels wide"),
        (count(widest=28), "S4 is 4 pixels wide"),
        (count(widest="many"), "3 of 4 entries are right; look at `'widest'`"),
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
        (compared(rate="max(test[name], key=lambda rate: np.mean(test[name][rate]))"), "prices its own choice"),
        (compared(priced="validation[name][rate]"), "compare validation accuracies"),
        (
            compared(rate="max(validation[baseline], key=lambda rate: np.mean(validation[baseline][rate]))"),
            "best for the baseline",
        ),
        (
            compared(rate="max(validation[variant], key=lambda rate: np.mean(validation[variant][rate]))"),
            "best for the variant",
        ),
        (
            compared(
                rate="list(validation[name])",
                priced="[max((validation[name][r][i], test[name][r][i]) for r in rate)[1] "
                "for i in range(len(test[name][rate[0]]))]",
            ),
            "a rate for each seed",
        ),
        (compared(rate="max(validation[name], key=lambda rate: max(validation[name][rate]))"), "best single run"),
        (compared(rate="max(validation[name], key=lambda rate: np.median(validation[name][rate]))"), "best median"),
        (compared(rate="max(validation[name], key=lambda rate: min(validation[name][rate]))"), "worst run is best"),
        (compared(rate="min(validation[name], key=lambda rate: np.mean(validation[name][rate]))"), "*lowest* accuracy"),
        (compared(rate="list(validation[name])[0]"), "the first rate"),
        (compared(rate="max(validation[name])"), "the largest rate"),
        (compared(priced="np.mean(list(test[name].values()), axis=0)"), "average over all rates"),
        (compared(differences="np.array(b) - np.array(a)"), "the other way round"),
        (compared(differences="np.sort(a) - np.sort(b)"), "You sort before you compare"),
        (
            compared(differences="np.array(a) - np.array(b)[: len(a)]", refusal="len(a) > len(b) or len(a) < 2"),
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
        (compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.std()"), "standard deviation"),
        (compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > d.std(ddof=1)"), "standard deviation"),
        (compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > np.ptp(a)"), "one side's accuracies"),
        (compared(clear="((d > 0).all() or (d < 0).all()) and abs(d.mean()) > np.ptp(b)"), "one side's accuracies"),
        (compared(clear="d.mean() > 0"), "Could the next seed turn it round?"),
        (compared(refusal="len(a) != len(b)"), "One seed has no spread"),
        (
            compared(differences="np.array([x - y for x, y in zip(a, b)])", refusal="len(a) < 2 or len(b) < 2"),
            "cannot be paired",
        ),
    ],
    "04.4": [
        (mixed(bottom="matrix.sum(axis=0)"), "These count the *answers*"),
        (mixed(result="matrix.trace() / matrix.sum()"), "in the mix of the matrix"),
        (mixed(result="np.nanmean(known)"), "the mean recall"),
        (
            mixed(result="(shares * matrix.diagonal()).sum() / (shares * matrix.sum(axis=1)).sum()"),
            "You weight the *counts*",
        ),
        (mixed(result="(shares * matrix.diagonal()).sum() / matrix.sum()"), "first divided by its own"),
        (mixed(result="(shares * np.nan_to_num(known)).mean()"), "add up to 1 already"),
        (mixed(result="(shares * known).sum()"), "0 times NaN is NaN"),
        (mixed(empty="np.isnan(known).any()"), "even if its share is 0"),
        (mixed(empty="False", result="(shares * np.nan_to_num(known)).sum()"), "as if all of it were missed"),
        (mixed(empty="False"), "Nothing is known of a class"),
        (mixed(total="False"), "less than 1"),
        (mixed(total="shares.sum() > 1.000001"), "less than 1"),
        (mixed(total="shares.sum() < 0.999999"), "more than 1"),
        (mixed(total="sum(shares.tolist()) != 1"), "is not exactly 1"),
        (
            cell(
                "def accuracy_with(matrix, shares):\n"
                "    if abs(sum(shares) - 1) > 1e-6 or any(s and not sum(r) for s, r in zip(shares, matrix)):\n"
                "        raise ValueError\n"
                "    return sum(s * r[c] / sum(r) for c, (s, r) in enumerate(zip(shares, matrix)) if s)"
            ),
            "one share for each class",
        ),
        (
            mixed(
                size="len(shares) < len(matrix)",
                result="sum(s * k for s, k in zip(shares, known) if s)",
                empty="any(s and np.isnan(k) for s, k in zip(shares, known))",
            ),
            "More shares than classes",
        ),
        (
            mixed(
                size="len(shares) > len(matrix)",
                result="sum(s * k for s, k in zip(shares, known) if s)",
                empty="any(s and np.isnan(k) for s, k in zip(shares, known))",
            ),
            "one share for each class",
        ),
    ],
    "04.5": [
        (shared(among="labels == labels"), "stay within class c"),
        (shared(among="first == c"), "*called* c"),
        (shared(missed="second != labels", counted="first != labels"), "changed the two classifiers"),
        (shared(counted="(second != labels) & (second == first)"), "the *same* wrong answer"),
        (shared(counted="second == first"), "where the two give the same answer"),
        (shared(share="(counted & side).sum() / there.sum() if side.any() else np.nan"), "all pictures of the class"),
        (shared(share="(counted & side).mean() if side.any() else np.nan"), "divide by all pictures"),
        (shared(share="float((counted & side).sum()) if side.any() else np.nan"), "Those are counts"),
        (shared(counted="second == labels"), "the second *finds*"),
        (shared(result="right, wrong"), "in the wrong order"),
        (shared(share="counted[side].mean() if side.any() else 0.0"), "Nothing was there: NaN"),
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
    "04.1": [count(1_516.0, 90_000.0, 44_426.0, 35.0)],
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
def ablation(validation, test, variant, baseline):
    def at_best(name):
        rates = list(validation[name])
        means = [sum(validation[name][rate]) / len(validation[name][rate]) for rate in rates]
        return test[name][rates[means.index(max(means))]]

    a, b = at_best(variant), at_best(baseline)
    if not len(a) == len(b) >= 2:
        raise ValueError("cannot be paired")
    gains = [float(x - y) for x, y in zip(a, b)]
    low, high, mean = min(gains), max(gains), sum(gains) / len(gains)
    return [mean, low * high > 0 and abs(mean) > high - low]
"""),
    ],
    "04.4": [
        cell("""
def accuracy_with(matrix, shares):
    if len(matrix) != len(shares) or abs(sum(shares) - 1) > 1e-9:
        raise ValueError("one share for each class, 1 together")
    whole = 0
    for c, (row, share) in enumerate(zip(matrix, shares)):
        if share == 0:
            continue
        if sum(row) == 0:
            raise ValueError(f"nothing is known of class {c}")
        whole += share * row[c] / sum(row)
    return whole
"""),
        mixed(),
    ],
    "04.5": [
        cell("""
def shared_mistakes(labels, first, second, c):
    sides = {True: [], False: []}
    for label, a, b in zip(labels, first, second):
        if label == c:
            sides[bool(a == label)].append(bool(b != label))
    return tuple(sum(side) / len(side) if side else float("nan") for side in (sides[False], sides[True]))
"""),
        shared(),
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

globals().update(standard_tests("04", WRONG, EQUIVALENT, trains=("04.6",)))


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
