"""Of the checks of lesson 14 those of part 3: comparing with a golden file, and finding the skew."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 14.5 Compare with a golden file --------------------------------------------------------------------------------------


def what_differs(answer, golden, score=0.001, pixels=0.5):
    """The reference answer."""
    return _differs(answer, golden, score, pixels)


def _near(one: float, two: float, tolerance: float) -> bool:
    return abs(one - two) <= tolerance


def _differs(
    answer,
    golden,
    score=0.001,
    pixels=0.5,
    near: Callable = _near,
    some: Callable = all,
    number: bool = True,
    sides: Callable = lambda near_sides: all(near_sides),
    stop: bool = False,
    order: tuple[str, ...] = ("label", "score", "box"),
    scale: Callable = lambda score, pixels: (score, pixels),
) -> list[str]:
    """The comparison with one of its parts exchanged."""
    ours, theirs = answer["results"], golden["results"]
    if number and len(ours) != len(theirs):
        return ["number"]
    score, pixels = scale(score, pixels)
    pairs = list(zip(ours, theirs))
    same = {
        "label": some(one["label"] == two["label"] for one, two in pairs),
        "score": some(near(one["score"], two["score"], score) for one, two in pairs),
        "box": some(sides([near(a, b, pixels) for a, b in zip(one["box"], two["box"])]) for one, two in pairs),
    }
    found = [name for name in order if not same[name]] if pairs or some is all else []
    return found[:1] if stop else found


def _nan_is_near(one: float, two: float, tolerance: float) -> bool:
    return not abs(one - two) > tolerance


def _signed(one: float, two: float, tolerance: float) -> bool:
    return one - two <= tolerance


def _set_of_labels(answer, golden, score=0.001, pixels=0.5):
    found = _differs(answer, golden, score, pixels)
    if found == ["number"]:
        return found
    labels = [sorted(result["label"] for result in each["results"]) for each in (answer, golden)]
    return [name for name in found if name != "label" or labels[0] != labels[1]]


def _first_only(answer, golden, score=0.001, pixels=0.5):
    if len(answer["results"]) != len(golden["results"]):
        return ["number"]
    return _differs({"results": answer["results"][:1]}, {"results": golden["results"][:1]}, score, pixels)


def _goes_on(answer, golden, score=0.001, pixels=0.5):
    found = _differs(answer, golden, score, pixels)
    return ["number", *_differs(answer, golden, score, pixels, number=False)] if found == ["number"] else found


def _defaults(answer, golden, score=0.001, pixels=0.5):
    return _differs(answer, golden)


def _mean_side(answer, golden, score=0.001, pixels=0.5):
    found = _differs(answer, golden, score, pixels)
    if "box" in found:
        pairs = zip(answer["results"], golden["results"])
        apart = [np.mean(np.abs(np.subtract(one["box"], two["box"]))) for one, two in pairs]
        if all(value <= pixels for value in apart):
            found.remove("box")
    return found


def _result(rng: np.random.Generator) -> dict:
    corner = rng.uniform(0, 100, 2)
    box = [float(v) for v in np.round([*corner, *(corner + rng.uniform(20, 60, 2))], 1)]
    return {
        "label": str(rng.choice(["cup", "cat", "table"])),
        "score": float(np.round(rng.uniform(0.5, 0.99), 3)),
        "box": box,
    }


def _changed(result: dict, **changes) -> dict:
    box = list(result["box"])
    for name, by in changes.items():
        if name.startswith("side"):
            box[int(name[4:])] = round(box[int(name[4:])] + by, 4)
    new = {"label": result["label"], "score": result["score"], "box": box}
    if "score" in changes:
        new["score"] = result["score"] + changes["score"]
    if "label" in changes:
        new["label"] = changes["label"]
    return new


def _golden_cases(rng: np.random.Generator) -> Iterator[Case]:
    def pair(*changes: dict, **options) -> tuple:
        stored = [_result(rng) for _ in changes]
        ours = [_changed(result, **change) for result, change in zip(stored, changes)]
        return ({"results": ours}, {"results": stored}, *options.values())

    nan = float("nan")
    yield Case(pair({}, {}), about="nothing differs")
    yield Case(({"results": []}, {"results": []}), about="nothing was found, then as now")
    yield Case(({"results": []}, {"results": [_result(rng)]}), about="nothing is found any more")
    two = [_result(rng), _result(rng)]
    more = [_changed(two[0], label="boat", score=-0.3), two[1], _result(rng)]
    yield Case(({"results": more}, {"results": two}), about="one more is found, and others differ")
    yield Case(pair({"label": "boat"}, {}), about="the first label differs")
    yield Case(pair({}, {"label": "boat"}), about="the second label differs")
    one, other = _result(rng), _result(rng)
    one["label"], other["label"] = "cup", "cat"
    exchanged = [_changed(one, label="cat"), _changed(other, label="cup")]
    yield Case(({"results": exchanged}, {"results": [one, other]}), about="two labels have changed places")
    yield Case(pair({"score": 0.01}), about="a score is greater by 0.01")
    yield Case(pair({}, {"score": -0.01}), about="a score is less by 0.01")
    yield Case(pair({"score": 0.0004}, {"score": -0.0004}), about="scores move by 0.0004")
    for side in range(4):
        yield Case(pair({f"side{side}": 2.0 if side % 2 else -2.0}), about=f"side {side} of a box moves by 2 pixels")
    yield Case(pair({"side2": 0.8}), about="one side moves by 0.8 pixels")
    yield Case(pair({"side0": 0.3, "side3": -0.3}), about="sides move by 0.3 pixels")
    yield Case(pair({"label": "boat", "score": -0.2, "side1": 9.0}), about="all three differ")
    yield Case(pair({"score": 0.01, "side1": 2.0}, {}, score=0.05, pixels=5.0), about="wide tolerances")
    yield Case(pair({"score": 0.0005, "side1": 0.2}, score=1e-4, pixels=0.1), about="narrow tolerances")
    broken = _result(rng)
    yield Case(({"results": [broken | {"score": nan}]}, {"results": [broken]}), about="a score is NaN")
    box = [*broken["box"][:3], nan]
    yield Case(({"results": [broken | {"box": box}]}, {"results": [broken]}), about="a side is NaN")


def _differs_with(**change) -> Callable:
    return lambda answer, golden, score=0.001, pixels=0.5: _differs(answer, golden, score, pixels, **change)


WHAT_DIFFERS = FunctionExercise(
    "14.5",
    "Compare with a golden file",
    reference=what_differs,
    cases=_golden_cases,
    misconceptions=(
        Misconception(
            _differs_with(near=_nan_is_near),
            "NaN agrees with everything: `nan > tolerance` is false. Ask whether two values are *near*, and take the "
            "opposite.",
        ),
        Misconception(_differs_with(near=_signed), "Less is a difference, too: take the absolute value."),
        Misconception(
            _differs_with(near=lambda one, two, tolerance: one == two),
            "Equal to the last digit is too much: backends round differently. What are the tolerances for?",
        ),
        Misconception(
            _differs_with(number=False), "With different numbers of results, `zip` drops what is left over in silence."
        ),
        Misconception(_goes_on, "With different numbers of results nothing else is compared."),
        Misconception(
            _differs_with(some=any), "One pair that agrees is not enough: *all* of them must, or it differs."
        ),
        Misconception(_differs_with(sides=any), "A box agrees if all four of its sides do."),
        Misconception(_mean_side, "Each side by itself: a mean over the four hides the one that moved."),
        Misconception(_differs_with(stop=True), "More than one thing may differ: tell all."),
        Misconception(_differs_with(order=("box", "score", "label")), "The order: label, score, box."),
        Misconception(_set_of_labels, "Labels are compared place by place: two that change places differ."),
        Misconception(_first_only, "Only the first result is compared."),
        Misconception(_defaults, "The tolerances are arguments, and yours are always the same."),
        Misconception(
            _differs_with(scale=lambda score, pixels: (pixels, score)), "The two tolerances have changed places."
        ),
        Misconception(
            _differs_with(scale=lambda score, pixels: (score, score)), "A box has a tolerance of its own, in pixels."
        ),
        Misconception(
            _differs_with(scale=lambda score, pixels: (pixels, pixels)), "A score has a tolerance of its own."
        ),
    ),
    hints=(
        "First the numbers of results. Then go through pairs with `zip`, which is safe once both are equally long.",
        "For each of the three ask whether *all* pairs agree; what does not agree is told.",
        "`abs(a - b) <= tolerance` is false for NaN, so `not all(...)` finds it; `any(abs(a - b) > tolerance)` does "
        "not.",
    ),
    remark="pipeline.differences does this for whole answers, masks included.",
)


# 14.6 Find the skew ---------------------------------------------------------------------------------------------------


class Preparation:
    """A picture to an input by a letterbox: what training or serving does, with all its conventions."""

    def __init__(
        self,
        side: int,
        mean,
        spread,
        fill: float = 127.5,
        kernel: str = "bilinear",
        bgr: bool = False,
        units: float = 1.0,
        name: str = "trained",
    ):
        self.side, self.mean, self.spread = side, np.array(mean, float), np.array(spread, float)
        self.fill, self.kernel, self.bgr, self.units, self.__name__ = fill, kernel, bgr, units, name

    def __repr__(self) -> str:
        return self.__name__

    def changed(self, **changes) -> Preparation:
        settings = {name: getattr(self, name) for name in ("side", "mean", "spread", "fill", "kernel", "bgr", "units")}
        return Preparation(**(settings | changes), name="served")

    def __call__(self, picture) -> np.ndarray:
        picture = np.asarray(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or 0 in picture.shape:
            raise ValueError(
                f"a picture is uint8 (height, width, 3) with at least one pixel; yours is {picture.dtype} "
                f"{picture.shape}"
            )
        height, width = picture.shape[:2]
        factor = self.side / max(height, width)
        new = max(1, round(height * factor)), max(1, round(width * factor))
        small = Image.fromarray(picture).resize(new[::-1], Image.Resampling[self.kernel.upper()])
        top, left = (self.side - new[0]) // 2, (self.side - new[1]) // 2
        square = np.full((self.side, self.side, 3), self.fill)
        square[top : top + new[0], left : left + new[1]] = np.asarray(small)
        square = square[..., ::-1] if self.bgr else square
        return (square * self.units - self.mean) / self.spread


def find_skew(trained, served):
    """The reference answer."""
    return _found(trained, served)


def _differ(trained, served, picture, other=None) -> bool:
    expected = trained(picture if other is None else other)
    return bool(np.abs(served(picture) - expected).max() > 1e-3 * max(1, np.abs(expected).max()))


def _plain(height: int, width: int, colour=(200, 90, 30)) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def _found(trained, served, colour: tuple = (200, 90, 30), size: tuple[int, int] = (48, 48)) -> str:
    picture = _plain(*size, colour)
    if _differ(trained, served, picture):
        if not _differ(trained, served, picture, other=picture[..., ::-1]):
            return "channel order"
        black, white = np.zeros_like(picture), np.full_like(picture, 255)
        ratio = (served(white) - served(black)) / (trained(white) - trained(black))
        return "range" if np.allclose(np.abs(np.log(ratio)), np.log(255), rtol=1e-3) else "normalisation"
    return "padding" if _differ(trained, served, _plain(24, 48, colour)) else "kernel"


def _skew_cases(rng: np.random.Generator) -> Iterator[Case]:
    def trained() -> Preparation:
        side = int(rng.integers(10, 25))
        mean = [110 + 25 * i + rng.uniform(-5, 5) for i in rng.permutation(3)]
        spread = [50 + 10 * i + rng.uniform(-2, 2) for i in rng.permutation(3)]
        # The fill is what a mean picture has, so that a bar is near 0 after all.
        return Preparation(side, np.round(mean, 1), np.round(spread, 1), fill=float(rng.choice([0, 114, 127.5])))

    for turn in range(3):
        own = trained()
        other_fill = float(rng.choice([value for value in (0, 64, 127.5, 255) if abs(value - own.fill) > 30]))
        kernel = ("nearest", "lanczos", "bicubic")[turn]
        mean_only = own.changed(mean=np.round(own.mean + rng.uniform(4, 15) * rng.choice([-1, 1], 3), 1))
        spread_only = own.changed(spread=np.round(own.spread * rng.uniform(1.05, 1.3, 3), 1))
        half = own.changed(mean=np.full(3, 127.5), spread=np.full(3, 127.5))
        normalised = (mean_only, spread_only, half)[turn]
        scaled = own.changed(units=1 / 255)
        before, after = (scaled, own.changed()) if turn == 1 else (own, scaled)
        yield Case((own, own.changed(bgr=True)), about="channel order")
        yield Case((before, after), about="range")
        yield Case((own, own.changed(kernel=kernel)), about=f"kernel: {kernel}")
        yield Case((own, own.changed(fill=other_fill)), about=f"padding: {other_fill:g} in place of {own.fill:g}")
        yield Case((own, normalised), about="normalisation: " + ("the mean", "the spread", "both")[turn])
    # Close to a division by 255, and not one: the spread is as large as that, and black stays where it was.
    own = Preparation(16, (0.0, 0.0, 0.0), (1.0, 1.1, 0.9))
    yield Case(
        (own, own.changed(spread=np.array([255.0, 200.0, 230.0]))), about="normalisation: a spread of 255 and less"
    )


def _always(name: str) -> Callable:
    return lambda trained, served: name


def _not_exchanged(trained, served):
    found = _found(trained, served)
    return "normalisation" if found == "channel order" else found


def _grey_only(trained, served):
    """All probes are grey: the order of channels cannot be seen."""
    found = _found(trained, served)
    return "kernel" if found == "channel order" else found


def _bars_everywhere(trained, served):
    """A wide picture from the start."""
    found = _found(trained, served)
    return "normalisation" if found == "padding" else found


def _no_detail(trained, served):
    found = _found(trained, served)
    return "padding" if found == "kernel" else found


def _no_bars(trained, served):
    found = _found(trained, served)
    return "kernel" if found == "padding" else found


def _all_colour_is_range(trained, served):
    found = _found(trained, served)
    return "range" if found == "normalisation" else found


def _all_colour_is_normalisation(trained, served):
    found = _found(trained, served)
    return "normalisation" if found == "range" else found


def _one_way(trained, served):
    """Only serving is taken to divide by 255."""
    if _found(trained, served) != "range":
        return _found(trained, served)
    white, black = _plain(48, 48, (255,) * 3), _plain(48, 48, (0,) * 3)
    smaller = np.ptp(np.stack([served(white), served(black)])) < np.ptp(np.stack([trained(white), trained(black)]))
    return "range" if smaller else "normalisation"


def _mean_alone(trained, served):
    """Takes every change that leaves black where it was for one of range."""
    found = _found(trained, served)
    if found == "normalisation" and not _differ(trained, served, _plain(48, 48, (0,) * 3)):
        return "range"
    return found


FIND_SKEW = FunctionExercise(
    "14.6",
    "Find the skew",
    reference=find_skew,
    cases=_skew_cases,
    misconceptions=(
        Misconception(
            _no_detail,
            "A changed kernel is taken for padding. A picture of one colour has no detail: kernels cannot change it. "
            "Does yours have any?",
        ),
        Misconception(
            _no_bars,
            "Changed padding is taken for the kernel. Only a picture that is not square has bars: ask with one of one "
            "colour.",
        ),
        Misconception(
            _bars_everywhere,
            "Changed padding is taken for the normalisation. Begin with a square picture: it has no bars.",
        ),
        Misconception(
            _grey_only,
            "A changed channel order is not seen at all. Grey has the same value in all channels: ask with a colour.",
        ),
        Misconception(
            _not_exchanged,
            "Changed channel order is taken for the normalisation. Ask whether `served` gives for a colour what "
            "`trained` gives for the same colour with red and blue exchanged.",
        ),
        Misconception(
            _all_colour_is_range,
            "Another mean or spread is taken for the range. Divided by 255, black stays what it was, and the step from "
            "black to white shrinks to a 255th.",
        ),
        Misconception(
            _all_colour_is_normalisation,
            "The range is taken for the normalisation. Compare the step from black to white: 255 is a large factor.",
        ),
        Misconception(_one_way, "It may be training that divides by 255: the step may also be 255 times as large."),
        Misconception(
            _mean_alone,
            "Where black stays what it was, the spread alone may have changed. Look at the step to white as well, in "
            "each channel.",
        ),
        *(
            Misconception(_always(name), "That is the same answer for every pair. Ask the two functions.")
            for name in ("channel order", "range", "kernel", "padding", "normalisation")
        ),
    ),
    hints=(
        "First ask with a square picture of one colour. If the two agree on it, neither colours nor numbers have "
        "changed: it is the padding or the kernel.",
        "If they agree, a wide picture of one colour tells padding from kernel. If not, compare `served(colour)` with "
        "`trained(colour[..., ::-1])` for the channel order.",
        "Range or normalisation: `(served(white) - served(black)) / (trained(white) - trained(black))` is 1/255 or "
        "255 in all channels for the range.",
    ),
    remark="The five are a hundred times cheaper to find by probes than by accuracy, and need no labels.",
)
