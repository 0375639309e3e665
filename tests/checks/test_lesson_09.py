"""The exercises of lesson 09: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def counted(
    others: str = "layer.trainable = False",
    over: str = "model.layers[:-1]",
    head: str = "model.layers[-1].trainable = True",
    result: str = "sum(int(np.prod(w.shape)) for w in model.trainable_weights)",
) -> cell:
    """An answer to 09.1 from its parts."""
    return cell(f"""
def only_head(model):
    before = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    for layer in {over}:
        {others}
    {head}
    return {result}
""")


def prepared(
    lite: str = "(pixels - 127.0) / 128",
    torch: str = "(pixels / 255 - MEAN) / SPREAD",
    caffe: str = "pixels[..., ::-1] - BLUE_GREEN_RED",
    refusal: str = "pixels.max() <= 1",
    otherwise: str = "raise ValueError(convention)",
) -> cell:
    """An answer to 09.2 from its parts."""
    return cell(f"""
def prepare(pixels, convention):
    if {refusal}:
        raise ValueError("divided already")
    if convention == "lite":
        return {lite}
    if convention == "torch":
        return {torch}
    if convention == "caffe":
        return {caffe}
    {otherwise}
""")


def planned(
    phases: str = "stages + 1",
    unfrozen: str = "n",
    extra: str = "(n < left)",
    rate: str = "peak / 10**n",
    refusal: str = "epochs < phases",
) -> cell:
    """An answer to 09.3 from its parts."""
    return cell(f"""
def schedule(stages, epochs, peak):
    phases = {phases}
    if {refusal}:
        raise ValueError("epochs")
    each, left = divmod(epochs, max(phases, 1))
    return [({unfrozen}, each + {extra}, {rate}) for n in range(phases)]
""")


def saved(
    cut: str = "len(costs) - unfrozen",
    still: str = "sum(costs[:cut])",
    learning: str = "3 * sum(costs[cut:])",
    without: str = "epochs * (still + learning)",
    cached: str = "still + epochs * learning",
    result: str = "without / cached",
    refusal: str = "not 0 <= unfrozen <= len(costs)",
) -> cell:
    """An answer to 09.4 from its parts."""
    return cell(f"""
def saving(costs, unfrozen, epochs, count):
    if {refusal}:
        raise ValueError("unfrozen")
    cut = {cut}
    still, learning = {still}, {learning}
    without, cached = {without}, {cached}
    return {result}
""")


CAUSES = {"anna": "normalisation", "ben": "rate", "chen": "compile", "dora": "preprocessing", "emil": "cache"}
CHOICES = {"mushrooms": "frozen", "satellite": "scratch", "parts": "fine-tune", "archive": "hosted"}

WRONG = {
    "09.1": [
        (counted(head="model.trainable = False"), "Nothing learns now"),
        (counted(head="pass"), "Nothing learns now"),
        (counted(over="model.layers[:1]"), "Something beside the last layer"),
        (counted(over="model.layers[:2]"), "Something beside the last layer"),
        (counted(head="model.trainable = True"), "and not behind"),
        (
            counted(others="layer.trainable = not isinstance(layer, keras.layers.Conv2D)"),
            "Something beside the last layer",
        ),
        (counted(over="model.layers[-1:]", head="model.layers[1].trainable = True"), "does not learn"),
        (counted(result="len(model.trainable_weights)"), "the number of arrays"),
        (counted(result="model.count_params()"), "the number of all weights"),
        (counted(result="before"), "Freeze first, then count"),
        (
            counted(result="sum(int(np.prod(w.shape)) for w in model.non_trainable_weights)"),
            "Those are the frozen ones",
        ),
        (counted(result="int(np.prod(model.trainable_weights[0].shape))"), "and the count is not"),
        (counted(result="model.trainable_weights"), "should be one number"),
        (counted(result="None"), "Is a `return` missing?"),
        (3, "needs the function itself"),
        (counted(result="model.layers[-1].count_params()"), "counts all weights of the head"),
    ],
    "09.2": [
        (prepared(lite="pixels / 255"), "It wants -1 to 1"),
        (prepared(lite="pixels / 127.5 - 1"), "the centre is 127"),
        (prepared(lite="(pixels - 127) / 128"), "in which 100 - 127 is 229"),
        (prepared(torch="pixels / 255 - MEAN / SPREAD"), "brackets"),
        (prepared(torch="(pixels - MEAN) / SPREAD"), "not divided by 255"),
        (prepared(torch="(pixels / 255 - MEAN) * SPREAD"), "the spread divides"),
        (prepared(torch="(pixels / 255 - MEAN) / SPREAD**2"), "standard deviation already"),
        (prepared(torch="(pixels[..., ::-1] / 255 - MEAN) / SPREAD"), "stay in their order"),
        (prepared(caffe="pixels - BLUE_GREEN_RED"), "blue comes first"),
        (prepared(caffe="(pixels - BLUE_GREEN_RED)[..., ::-1]"), "mean of blue off red"),
        (prepared(caffe="(pixels[..., ::-1] - BLUE_GREEN_RED) / 255"), "the range stays"),
        (prepared(caffe="pixels[:, :, ::-1] - BLUE_GREEN_RED"), "you mirror the picture"),
        (prepared(refusal="False"), "Values from 0 to 1 are divided already"),
        (prepared(refusal="pixels.max() < 1"), "exactly 1"),
        (prepared(refusal="pixels.max() < 20"), "A dark picture is refused"),
        (prepared(otherwise="return pixels"), "unknown convention"),
        (prepared(otherwise="return pixels[..., ::-1] - BLUE_GREEN_RED"), "unknown convention"),
        (prepared(otherwise="return None"), "unknown convention"),
        (prepared(refusal="pixels.dtype != np.uint8 and pixels.max() <= 1"), "Only floats are refused"),
        (prepared(refusal="any(one.max() <= 1 for one in pixels)"), "A black picture among others"),
        (prepared(refusal="pixels[0].max() <= 1"), "the first picture only"),
        (prepared(refusal="(pixels.max(axis=(0, 1, 2)) <= 1).any()"), "without green or blue"),
        (prepared(refusal="int(pixels.max()) <= 1"), "1.5 is refused"),
    ],
    "09.3": [
        (planned(phases="stages", refusal="False"), "One phase is missing"),
        (planned(phases="stages"), "One phase is missing"),
        (planned(phases="stages", rate="peak"), "One phase is missing"),
        (
            cell("""
def schedule(stages, epochs, peak):
    if epochs < stages:
        raise ValueError("epochs")
    return [(n, epochs // stages + (n < epochs % stages), peak / 10**n) for n in range(stages)]
"""),
            "One phase is missing",
        ),
        (
            cell("""
def schedule(stages, epochs, peak):
    each, left = epochs // stages, epochs % stages
    if each == 0:
        raise ValueError("epochs")
    return [(n, each + (n < left), peak / 10**n) for n in range(stages)]
"""),
            "One phase is missing",
        ),
        (planned(phases="stages", unfrozen="n + 1", refusal="False"), "nothing is unfrozen in it"),
        (planned(phases="stages", unfrozen="n + 1"), "nothing is unfrozen in it"),
        (planned(unfrozen="stages - n"), "Unfreezing goes the other way"),
        (planned(unfrozen="stages"), "All stages learn from the first phase on"),
        (planned(extra="(n >= phases - left)"), "not to the later ones"),
        (planned(extra="(left if n == 0 else 0)"), "Give one to each"),
        (planned(extra="0"), "Some epochs are lost"),
        (planned(rate="peak / max(1, 10 * n)"), "divided by 10, 20, 30"),
        (planned(rate="peak"), "stays the same"),
        (planned(rate="peak / 10 ** (n + 1)"), "trains at `peak`"),
        (planned(rate="peak * 10**n"), "The rate grows"),
        (planned(refusal="False"), "no phase"),
    ],
    "09.4": [
        (saved(learning="sum(costs[cut:])"), "three times its forward pass"),
        (saved(learning="2 * sum(costs[cut:])"), "two gradients"),
        (saved(without="epochs * (3 * still + learning)"), "only run forward"),
        (saved(still="sum(costs[cut:])", learning="3 * sum(costs[:cut])"), "You have it reversed"),
        (saved(cached="epochs * learning", result="without / cached if cached else float('inf')"), "are not free"),
        (saved(cached="still / count + epochs * learning"), "not once in all"),
        (saved(cut="unfrozen"), "You freeze the first `unfrozen` stages"),
        (saved(still="sum(costs[unfrozen:])", learning="3 * sum(costs[:unfrozen])"), "counts from the end"),
        (
            saved(still="sum(costs[:-unfrozen])", learning="3 * sum(costs[-unfrozen:])"),
            "`costs[-0:]` is the whole list",
        ),
        (
            saved(refusal="False", still="sum(costs) - sum(costs[-unfrozen:])", learning="3 * sum(costs[-unfrozen:])"),
            "`costs[-0:]` is the whole list",
        ),
        (saved(result="cached / without"), "the other way round"),
        (saved(result="(without - cached) * count"), "How many *times* more"),
        (
            saved(refusal="False", cut="min(max(len(costs) - unfrozen, 0), len(costs))"),
            "no more stages to unfreeze",
        ),
    ],
    "09.5": [
        ({**CAUSES, "anna": "preprocessing"}, "depends on the size of the batch"),
        ({**CAUSES, "ben": "normalisation"}, "large enough to do that so quickly"),
        ({**CAUSES, "ben": "compile"}, "They move too far"),
        ({**CAUSES, "chen": "rate"}, "Who told `fit`"),
        ({**CAUSES, "dora": "normalisation"}, "for a picture alone, too"),
        ({**CAUSES, "dora": "cache"}, "lies between file and network"),
        ({**CAUSES, "emil": "preprocessing"}, "What stands between"),
        ({**CAUSES, "anna": "normalization"}, "compare the spelling"),
        ({**CAUSES, "anna": "Preprocessing "}, "depends on the size of the batch"),
        ({**CAUSES, "ben": 0.01}, "compare the spelling"),
        (
            dict(zip(("Anna", "Ben", "Chen", "Dora", "Emil"), {**CAUSES, "emil": "RATE"}.values())),
            "What stands between",
        ),
        ({"anna": "normalisation"}, "The keys are not those"),
    ],
    "09.6": [
        ({**CHOICES, "mushrooms": "fine-tune"}, "too little to go by"),
        ({**CHOICES, "mushrooms": "hosted"}, "with labels of their own"),
        ({**CHOICES, "satellite": "fine-tune"}, "How many channels"),
        ({**CHOICES, "parts": "hosted"}, "the factory's own"),
        ({**CHOICES, "parts": "frozen"}, "gain most from"),
        ({**CHOICES, "archive": "frozen"}, "no label to train on"),
        ({**CHOICES, "parts": "finetune"}, "compare the spelling"),
        ({**CHOICES, "parts": "Hosted"}, "the factory's own"),
        ({"mushrooms": "frozen"}, "The keys are not those"),
    ],
}

EQUIVALENT = {
    "09.1": [
        cell("""
def only_head(model):
    head = model.layers[-1]
    for layer in model.layers:
        layer.trainable = layer is head
    return sum(int(np.prod(w.shape)) for w in head.trainable_variables)
"""),
        cell("""
def only_head(model):
    model.trainable = True
    for layer in model.layers[:-1]:
        layer.trainable = False
    return sum(keras.ops.size(w) for w in model.trainable_weights)
"""),
        cell("""
def only_head(model):
    head = model.layers[-1]
    for layer in model.layers:
        layer.trainable = layer is head
    return keras.ops.sum(keras.ops.convert_to_tensor([float(np.prod(w.shape)) for w in head.trainable_weights]))
"""),
    ],
    "09.2": [
        cell("""
def prepare(pixels, convention):
    v = np.asarray(pixels, dtype="float64")
    if not (v > 1).any():
        raise ValueError("these were divided already")
    match convention:
        case "lite":
            return v / 128 - 127 / 128
        case "torch":
            return np.stack([(v[..., c] / 255 - MEAN[c]) / SPREAD[c] for c in range(3)], axis=-1)
        case "caffe":
            return np.flip(v, axis=-1) - BLUE_GREEN_RED
    raise ValueError("unknown convention")
"""),
    ],
    "09.3": [
        cell("""
def schedule(stages, epochs, peak):
    parts = np.array_split(np.arange(epochs), stages + 1)
    if any(len(part) == 0 for part in parts):
        raise ValueError("a phase without epochs")
    return [[n, len(part), peak * 0.1**n] for n, part in enumerate(parts)]
"""),
    ],
    "09.4": [
        cell("""
def saving(costs, unfrozen, epochs, count):
    if unfrozen < 0 or unfrozen > len(costs):
        raise ValueError("no such number of stages")
    frozen = np.arange(len(costs)) < len(costs) - unfrozen
    a = sum(epochs * count * cost * (1 if still else 3) for cost, still in zip(costs, frozen))
    b = sum(count * cost * (1 if still else 3 * epochs) for cost, still in zip(costs, frozen))
    return a / b
"""),
    ],
    "09.5": [{name: cause.upper() for name, cause in CAUSES.items()}],
    "09.6": [{name: choice.capitalize() for name, choice in CHOICES.items()}],
}

globals().update(standard_tests("09", WRONG, EQUIVALENT))
