"""One check for each line of the rubric: of artefacts, not of code, and computing again what it can. Lesson 19."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cnnlib.capstone import data, judging, reading
from cnnlib.capstone.project import Project, ProjectError
from cnnlib.capstone.rubric import RUBRIC, Finding, Line, Verdict

__all__ = ["check"]

UNREADABLE = 0.05  # share of files that cannot be read
GIVEN_AWAY = (0.15, 0.05)  # above the largest class, for good and excellent
DOUBTFUL = 0.05
UNEVEN = 1.5  # how many times the rarest class the largest may have before accuracy misleads
CLOSE = 1e-6  # of numbers that are computed again from the same arrays
AGREES = 0.02  # of probabilities, served and in training
ORDER = {"open": 0, "pass": 1, "good": 2, "excellent": 3}


class _Judge:
    """Collects what holds and what does not, by grade."""

    def __init__(self, line: Line, before: Sequence[Finding]):
        self.line, self.failed = line, {"pass": [], "good": [], "excellent": []}
        self.before = {finding.line.name: finding for finding in before}

    def asks(self, grade: str, condition, otherwise: str) -> bool:
        """Whether it holds; if not, what is told."""
        if not condition:
            self.failed[grade].append(otherwise)
        return bool(condition)

    def finding(self) -> Finding:
        reached = "open"
        for grade in ("pass", "good", "excellent"):
            if self.failed[grade]:
                return Finding(self.line, reached, tuple(self.failed[grade]))
            reached = grade
        return Finding(self.line, reached)


def check(project: Project | str | Path, *stages: str) -> Verdict:
    """Grade the artefacts of some stages, or of all.

    Args:
        project: the project, whose settings are read anew, or its folder.
        stages: names of stages or of lines of the rubric; all if none is given.

    Raises:
        ValueError: there is no stage or line of that name.
    """
    known = {line.stage for line in RUBRIC} | {line.name for line in RUBRIC}
    unknown = [name for name in stages if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no stage and no line; there are {', '.join(sorted(known))}.")
    project = Project(project.folder if isinstance(project, Project) else project)
    lines = [line for line in RUBRIC if not stages or line.stage in stages or line.name in stages]
    found: list[Finding] = []
    for line in lines:
        found.append(_graded(project, line, found))
    return Verdict(found)


def _graded(project: Project, line: Line, before: Sequence[Finding] = ()) -> Finding:
    judge = _Judge(line, before)
    try:
        CHECKS[line.name](project, judge)
    except ProjectError as error:  # an artefact is missing or damaged
        return Finding(line, "open", (str(error),))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        return Finding(line, "open", (f"artefacts/{line.stage} does not hold what the stage writes ({said}).",))
    return judge.finding()


def _filled(project: Project, judge: _Judge, grade: str, *names: str) -> None:
    for name in names:
        judge.asks(grade, not project.is_open(name), f"project.toml: {name} is not filled in.")


# --- before training -------------------------------------------------------------------------------------------------


def question(project: Project, judge: _Judge) -> None:
    made = project.load("card")
    _filled(project, judge, "pass", "question", "cost.positive")
    project.positive(made["classes"], made["counts"])
    counts = made["counts"].values()
    uneven = max(counts) / min(counts)
    judge.asks(
        "pass",
        project["cost.metric"] != "accuracy" or uneven <= UNEVEN,
        f"cost.metric is accuracy, and the largest class has {uneven:.1f} times as many images as the rarest: always "
        f"saying the largest gives {max(counts) / sum(counts):.0%}. Take 'balanced accuracy'.",
    )
    _filled(project, judge, "good", "cost.why")
    _filled(project, judge, "excellent", "card.unfit")
    judge.asks("excellent", project["cost.prevalence"] > 0, "project.toml: cost.prevalence, the share in use, is 0.")


def card(project: Project, judge: _Judge) -> None:
    from cnnlib.capstone.folder import listed

    made = project.load("card")
    _filled(project, judge, "pass", "card.source", "card.licence")
    there = {file for files in listed(project.images, least=1).values() for file in files}
    told = {f["file"] for f in [*made["files"], *made["unreadable"]]} | set(made["left_out"])
    for names, what in ((there - told, "in the folder and not on the card"), (told - there, "on the card and gone")):
        judge.asks(
            "pass", not names, f"{len(names)} files are {what}, first {min(names, default='')}: run 'card' again."
        )
    changed = [
        f["file"]
        for f in made["files"]
        if f["file"] in there and hashlib.sha256((project.images / f["file"]).read_bytes()).hexdigest() != f["sha256"]
    ]
    judge.asks(
        "pass", not changed, f"{len(changed)} files are not what they were, first {changed[:1]}: run 'card' again."
    )
    moved = [f["file"] for f in made["files"] if f["file"] in there and not _in_folder(f)]
    judge.asks("pass", not moved, f"{len(moved)} files have another label than their folder, first {moved[:1]}.")
    bad, total = len(made["unreadable"]), len(made["files"]) + len(made["unreadable"])
    judge.asks(
        "pass",
        bad <= UNREADABLE * total,
        f"{bad} of {total} files cannot be read, more than {UNREADABLE:.0%}: mend the copy, or the rest is no sample.",
    )
    _filled(project, judge, "good", "card.collected")
    few = {name: count for name, count in made["counts"].items() if count < 50}
    judge.asks("good", not few, f"fewer than 50 images of {', '.join(f'{n} ({c})' for n, c in few.items())}.")
    flaws = len(project["card.flaws"])
    judge.asks("good", flaws >= 1, "card.flaws is empty: name what is wrong with the images, or missing among them.")
    judge.asks("excellent", flaws >= 3, f"card.flaws has {flaws} entries; every collection has three.")


def _in_folder(facts: dict) -> bool:
    import unicodedata

    return unicodedata.normalize("NFC", facts["file"].partition("/")[0]) == facts["label"]


def duplicates(project: Project, judge: _Judge) -> None:
    made, files = project.load("audit"), [f["file"] for f in project.load("card")["files"]]
    judge.asks("pass", made["files"] == files, "the audit is of other files than the card: run 'audit' again.")
    decided = data.decisions(project, project.load("card")["classes"])
    undecided = [two for one, two in made["across_classes"] if one not in decided and two not in decided]
    judge.asks(
        "pass",
        not undecided,
        f"{len(undecided)} pictures are in two classes, first {undecided[:1]}: decide in review.csv.",
    )
    if project.has("split"):
        leaks = _leaks(project, made)
        judge.asks(
            "pass",
            not leaks,
            f"{len(leaks)} pairs of duplicates lie in two parts, first {leaks[:1]}: what was learnt is tested. "
            f"Run 'split' "
            "again, which keeps duplicates together.",
        )
    largest = made["given_away"]["majority"]
    for grade, margin in zip(("good", "excellent"), GIVEN_AWAY):
        for what, value in made["given_away"].items():
            judge.asks(
                grade,
                value <= largest + margin,
                f"{what} alone gives {value:.0%}, always the largest class {largest:.0%}: a network may learn that.",
            )


def _leaks(project: Project, made: dict) -> list[tuple[str, str]]:
    """Pairs of duplicates in two parts, found anew: by the bytes of files, and by the small pictures of the audit."""
    part_of = {file: name for name, files in project.load("split")["parts"].items() for file in files}
    by_hash: dict[str, str] = {}
    pairs = []
    for facts in project.load("card")["files"]:
        if facts["file"] in part_of:
            first = by_hash.setdefault(facts["sha256"], facts["file"])
            pairs.append((first, facts["file"]))
    near = data.near_pairs(project.arrays("audit")["thumbs"])
    pairs += [(made["files"][i], made["files"][j]) for i, j in near]
    return [(a, b) for a, b in pairs if a in part_of and b in part_of and part_of[a] != part_of[b]]


def labels(project: Project, judge: _Judge) -> None:
    made, cards = project.load("audit"), project.load("card")
    decided = data.decisions(project, cards["classes"])
    asked = [s["file"] for s in made["suspects"]]
    undecided = [file for file in asked if file not in decided]
    judge.asks(
        "pass",
        not undecided,
        f"{len(undecided)} of {len(asked)} doubtful labels have no decision in review.csv, first "
        f"{undecided[:1]}. Look at "
        "each picture: keep, drop, or the class it should have.",
    )
    if project.has("split"):
        used = project.load("split")["labels"]
        wanted = {f["file"]: f["label"] for f in cards["files"]}
        wanted |= {file: what for file, what in decided.items() if what in cards["classes"]}
        odd = [file for file, label in used.items() if wanted.get(file) != label]
        judge.asks(
            "pass",
            not odd,
            f"{len(odd)} images are used with another label than their folder or your decision, first {odd[:1]}.",
        )
        dropped = [file for file, what in decided.items() if what == "drop" and file in used]
        judge.asks("excellent", not dropped, f"{len(dropped)} dropped images are still in use: run 'split' again.")
    judge.asks(
        "good",
        len(asked) <= DOUBTFUL * len(made["files"]),
        f"{len(asked)} of {len(made['files'])} labels are doubted by features that never saw them: are two classes "
        "mixed up, or do they look alike?",
    )


def split(project: Project, judge: _Judge) -> None:
    made, cards = project.load("split"), project.load("card")
    parts, groups = made["parts"], made["groups"]
    seen: dict[str, str] = {}
    twice = [file for name, files in parts.items() for file in files if seen.setdefault(file, name) != name]
    twice += [file for files in parts.values() for file in {f for f in files if files.count(f) > 1}]
    judge.asks("pass", not twice, f"{len(twice)} images are in two parts or twice in one, first {twice[:1]}.")
    home: dict[str, str] = {}
    torn = {groups[f] for name, files in parts.items() for f in files if home.setdefault(groups[f], name) != name}
    judge.asks("pass", not torn, f"{len(torn)} groups are torn apart between parts, first {sorted(torn)[:1]}.")
    decided = data.decisions(project, cards["classes"])
    kept = {f["file"] for f in cards["files"] if decided.get(f["file"]) != "drop"}
    missing, extra = kept - set(seen), set(seen) - {f["file"] for f in cards["files"]}
    judge.asks("pass", not missing, f"{len(missing)} images are in no part, first {sorted(missing)[:1]}.")
    judge.asks("pass", not extra, f"{len(extra)} images are not on the card, first {sorted(extra)[:1]}.")
    for name, files in parts.items():
        lacking = set(made["classes"]) - {made["labels"][file] for file in files}
        judge.asks("pass", not lacking, f"the {name} part has no {', '.join(sorted(lacking))}.")
    judge.asks(
        "good",
        len(parts["test"]) >= 100,
        f"{len(parts['test'])} test images: an accuracy of 90 % is ± "
        f"{1.96 * np.sqrt(0.09 / max(len(parts['test']), 1)):.0%}.",
    )
    least = min(sum(made["labels"][f] == name for f in parts["test"]) for name in made["classes"])
    judge.asks("excellent", least >= 20, f"{least} test images of the rarest class.")
    judge.asks(
        "excellent",
        made["together"] != "file",
        "split.together is 'file': if images of one place or one minute look alike, name what they share in "
        "their file "
        "names or folders.",
    )


# --- during training -------------------------------------------------------------------------------------------------


def baseline(project: Project, judge: _Judge) -> None:
    made, kept = project.load("baseline"), project.arrays("baseline")
    _, truth = data.part(project, "validation")
    rules = made["rules"]
    judge.asks(
        "pass", "always the largest class" in rules and len(rules) >= 2, "a constant and one other rule are needed."
    )
    same = len(kept["truth"]) == len(truth) and bool((kept["truth"] == truth).all())
    judge.asks(
        "pass", same, "the baseline was priced on other images or labels than the validation part: run it again."
    )
    again = data.score(kept["truth"], kept["validation"], made["metric"])
    judge.asks(
        "pass", abs(again - made["score"]) < CLOSE, f"its answers give {again:.3f}, and {made['score']:.3f} is told."
    )
    judge.asks(
        "pass", made["metric"] == project["cost.metric"], f"priced in {made['metric']}, not in the metric chosen."
    )
    learned = [facts for facts in rules.values() if "strengths" in facts]
    judge.asks("good", all(len(f["strengths"]) >= 2 for f in learned), "a rule was tried at one strength only.")
    judge.asks("excellent", len(learned) >= 2, "one rule only, beside the constant.")
    strongest = max(facts["score"] for facts in rules.values())
    judge.asks("excellent", made["score"] >= strongest - CLOSE, "the baseline is not the strongest of the rules.")


def wiring(project: Project, judge: _Judge) -> None:
    made = project.load("training")["wiring"]
    wanted = np.log(len(project.load("split")["classes"]))
    judge.asks(
        "pass",
        abs(made["first_loss"] - wanted) < 0.1 * wanted,
        f"the first loss is "
        f"{made['first_loss']:.2f}, log("
        f"classes) is {wanted:.2f}: look at the loss (logits or probabilities?), the head and the labels.",
    )
    judge.asks(
        "pass",
        made["tiny_last"] < 0.1 * made["tiny_first"],
        f"{made['tiny_n']} images are not learnt "
        f"by heart: the "
        f"loss goes from {made['tiny_first']:.2f} to {made['tiny_last']:.2f} only.",
    )
    chance, shuffled = made["chance"], made["shuffled"]
    n = project.load("training")["n"]
    judge.asks(
        "good",
        shuffled <= chance + 3 * np.sqrt(chance * (1 - chance) / n * len(project.load("split")["classes"])),
        f"with shuffled labels it still reaches {shuffled:.2f}, chance is {chance:.2f}: does the "
        f"validation part "
        "leak into training?",
    )
    right = project.load("training")["score"]
    judge.asks("excellent", right >= shuffled + 0.1, f"right labels give {right:.2f}, shuffled ones {shuffled:.2f}.")


def choice(project: Project, judge: _Judge) -> None:
    made, kept = project.load("training"), project.arrays("training")
    validation, truth = data.part(project, "validation")
    test, _ = data.part(project, "test")
    leaked, peeked = set(made["trained_on"]) & set(test), set(made["trained_on"]) & set(made["chosen_on"])
    judge.asks("pass", not leaked, f"{len(leaked)} test images were trained on, first {sorted(leaked)[:1]}.")
    judge.asks("pass", not peeked, f"{len(peeked)} images were trained on and chosen on, first {sorted(peeked)[:1]}.")
    judge.asks("pass", not set(made["chosen_on"]) & set(test), "the choice was made on test images.")
    judge.asks("pass", made["chosen_on"] == validation, "the choice was made on other images than the validation part.")
    judge.asks(
        "pass",
        set(made["trained_on"]) == set(data.part(project, "training")[0]),
        "trained on other images than the training part: run 'training' again.",
    )
    judge.asks("pass", made["classes"] == project.load("split")["classes"], "trained with another order of classes.")
    judge.asks(
        "pass",
        made["metric"] == project["cost.metric"],
        f"chosen by {made['metric']}, not by the metric of the project.",
    )
    if judge.asks(
        "pass", np.array_equal(kept["truth"], truth), "the stored labels are not those of the validation part."
    ):
        again = data.score(truth, kept["logits"].argmax(axis=1), made["metric"])
        judge.asks(
            "pass",
            abs(again - made["score"]) < CLOSE,
            f"the stored logits give {again:.3f}, and {made['score']:.3f} is told.",
        )
    rival = project.load("baseline")["score"]
    judge.asks(
        "pass",
        made["score"] > rival,
        f"{made['score']:.3f} does not beat the baseline, {rival:.3f}: the network is not worth its cost.",
    )
    found = made["candidates"]
    judge.asks("good", len(found) >= 2, "one candidate only: nothing was chosen.")
    judge.asks("good", all(len(c["rates"]) >= 2 for c in found), "a candidate was tried at one rate only.")
    judge.asks("good", len(made["seeds"]) >= 3, f"{len(made['seeds'])} seed(s): how much is luck cannot be told.")
    for each in found:
        rates = sorted(float(rate) for rate in each["rates"])
        judge.asks(
            "excellent",
            len(rates) < 3 or rates[0] < each["rate"] < rates[-1],
            f"{each['kind']}: the best rate, {each['rate']:g}, is at the edge of those tried.",
        )
    own = next(c for c in found if c["kind"] == made["chosen"])["scores"]
    judge.asks(
        "excellent",
        np.mean(own) - rival > max(own) - min(own),
        "the gain over the baseline is no larger than the spread over seeds.",
    )


# --- before deployment -----------------------------------------------------------------------------------------------


def calibration(project: Project, judge: _Judge) -> None:
    from cnnlib.reliability import fit_temperature

    made, kept = project.load("calibration"), project.arrays("training")
    try:
        wanted = fit_temperature(kept["logits"], kept["truth"])
    except ValueError:
        wanted = 1.0
    told = made["temperature"]
    judge.asks(
        "pass",
        abs(np.log(told / wanted)) < 0.02,
        f"the temperature is {told:.2f}, the validation part gives "
        f"{wanted:.2f}: confidences are {'too high' if told < wanted else 'too low'}.",
    )
    judge.asks("pass", made["fitted_on"] == "validation", f"fitted on {made['fitted_on']!r}; expected validation.")
    asked = project.arrays("test")
    now = judging.calibration_of(asked["logits"], asked["truth"], told)
    judge.asks(
        "good",
        now["ece"] <= max(0.08, now["floor"]),
        f"on the test part the calibration error is {now['ece']:.3f}; chance alone gives up to {now['floor']:.3f}.",
    )
    judge.asks(
        "excellent",
        now["ece"] <= now["floor"],
        f"on the test part the calibration error is {now['ece']:.3f}; chance alone gives up to {now['floor']:.3f}.",
    )


def threshold(project: Project, judge: _Judge) -> None:
    from cnnlib.reliability import threshold_for_cost

    made, kept, costs = project.load("threshold"), project.arrays("training"), judging.cost_settings(project)
    temperature = project.load("calibration")["temperature"]
    for name, value in costs.items():
        judge.asks("pass", made[name] == value, f"chosen for {name} = {made[name]}, the project says {value}.")
    scores = judging.positive_scores(project, kept["logits"], temperature)
    y = judging.is_positive(project, kept["truth"])
    wanted = threshold_for_cost(y, scores, **costs)
    own = judging.priced(y, scores >= made["threshold"], costs)
    if not judge.asks(
        "pass",
        own["cost"] <= wanted.cost + CLOSE,
        f"the threshold {made['threshold']:.3f} costs "
        f"{own['cost']:.3f} on the validation part, {wanted.threshold:.3f} costs {wanted.cost:.3f}."
        + _where_from(project, made, costs, temperature),
    ):
        return
    cheapest = min(own["constant"].values())
    judge.asks("pass", own["cost"] < cheapest, f"it costs {own['cost']:.3f}, and a constant decision {cheapest:.3f}.")
    judge.asks("pass", made["chosen_on"] == "validation", f"chosen on {made['chosen_on']!r}; expected validation.")
    asked = project.arrays("test")
    now = judging.judged(project, asked["logits"], asked["truth"], temperature, made["threshold"])
    cheapest = min(now["constant"].values())
    judge.asks(
        "good",
        now["cost"] < cheapest,
        f"on the test part it costs {now['cost']:.3f}, a constant decision {cheapest:.3f}.",
    )
    judge.asks(
        "excellent",
        now["cost_interval"][1] < cheapest,
        f"its cost on the test part may be up to "
        f"{now['cost_interval'][1]:.3f}, a constant decision costs {cheapest:.3f}.",
    )


def _where_from(project: Project, made: dict, costs: dict, temperature: float) -> str:
    """Whether a threshold is the best one of the test part."""
    from cnnlib.reliability import threshold_for_cost

    if not project.has("test"):
        return ""
    asked = project.arrays("test")
    y = judging.is_positive(project, asked["truth"])
    tuned = threshold_for_cost(y, judging.positive_scores(project, asked["logits"], temperature), **costs)
    if abs(tuned.threshold - made["threshold"]) < CLOSE:
        return " It is the cheapest one of the test part: then the test is no test any more."
    return ""


def explanation(project: Project, judge: _Judge) -> None:
    made, maps = project.load("explanation"), project.arrays("explanation")["maps"].astype("float32")
    trained = set(project.load("training")["trained_on"]) & set(made["files"])
    judge.asks("pass", len(made["files"]) == len(maps) >= 8, f"{len(maps)} maps; 8 or more are needed.")
    judge.asks("pass", not trained, f"{len(trained)} of the images were trained on.")
    varies = np.ptp(maps.reshape(len(maps), -1), axis=1) > 0
    judge.asks("pass", varies.mean() >= 0.75, f"{int((~varies).sum())} of {len(maps)} maps are the same everywhere.")
    agreement = made["agreement_with_shuffled"]
    judge.asks(
        "pass",
        agreement < 0.7,
        f"with shuffled weights the maps agree to {agreement:.2f}: they show the picture, not what was learnt.",
    )
    mean, low, _ = made["difference"]
    judge.asks("good", mean > 0, "hiding what the maps mark costs no more than hiding as much elsewhere.")
    _filled(project, judge, "good", "explanation.seen")
    judge.asks("excellent", low > 0, f"that difference may be {low:+.3f} by chance ({made['n']} images).")
    wrong = int(np.sum(project.arrays("training")["logits"].argmax(1) != project.arrays("training")["truth"]))
    judge.asks("excellent", len(made["mistakes"]) >= min(3, wrong), "the surest mistakes were not kept.")


def robustness(project: Project, judge: _Judge) -> None:
    made = project.load("robustness")
    rows = made["corruptions"]
    judge.asks(
        "pass", sum(len(row) >= 3 for row in rows.values()) >= 3, "three corruptions at three severities are needed."
    )
    judge.asks("pass", made["n"] >= 30, f"{made['n']} images: 30 or more are needed.")
    low, high = (f(v for row in rows.values() for v in row.values()) for f in (min, max))
    judge.asks("pass", 0 <= low <= high <= 1, "a score is no share.")
    judge.asks(
        "pass",
        len({v for row in rows.values() for v in row.values()}) > 1,
        "every corruption gives the same score: were the images corrupted at all?",
    )
    mildest = {kind: row[min(row, key=int)] for kind, row in rows.items()}
    worst = min(mildest, key=mildest.get)
    judge.asks(
        "good",
        mildest[worst] >= made["clean"] - 0.1,
        f"mild {worst} takes the score from "
        f"{made['clean']:.2f} to "
        f"{mildest[worst]:.2f}: train with it, or refuse such images.",
    )
    elsewhere = made["elsewhere"]
    asked = judge.asks(
        "excellent",
        elsewhere and elsewhere["n"] >= 20,
        "no images from elsewhere (setting `elsewhere`): how far it carries is not known.",
    )
    if asked:
        chance = 1 / len(elsewhere["recalls"])
        judge.asks(
            "excellent",
            elsewhere["score"] > chance,
            f"on {elsewhere['n']} images from elsewhere it reaches {elsewhere['score']:.2f}, chance is {chance:.2f}: "
            "it holds where it was made, and no further.",
        )


def test(project: Project, judge: _Judge) -> None:
    made, kept = project.load("test"), project.arrays("test")
    files, truth = data.part(project, "test")
    judge.asks("pass", made["files"] == files, "tested on other images than the test part.")
    judge.asks(
        "pass",
        not set(made["files"]) & set(project.load("training")["trained_on"]),
        "tested on images that were trained on.",
    )
    judge.asks(
        "pass",
        made["weights_sha256"] == project.load("training")["weights_sha256"],
        "tested with other weights than those that were chosen.",
    )
    if judge.asks("pass", np.array_equal(kept["truth"], truth), "the labels are not those of the test part."):
        now = judging.judged(project, kept["logits"], truth, made["temperature"], made["threshold"])
        for name in ("n", "accuracy", "balanced", "cost"):
            told = made.get(name)
            judge.asks(
                "pass",
                told is not None and abs(told - now[name]) < CLOSE,
                f"{name} is told as {told}, the stored logits give {now[name]:.4f}.",
            )
        judge.asks(
            "pass",
            np.allclose(made.get("interval", [0, 0]), now["interval"]),
            "the interval is not that of these numbers.",
        )
        judge.asks(
            "pass",
            all(made.get("recalls", {}).get(c, {}).get("n") == r["n"] for c, r in now["recalls"].items()),
            "the recall of a class is missing, or how many images it is from.",
        )
    for name, stage in (("temperature", "calibration"), ("threshold", "threshold")):
        judge.asks(
            "pass", abs(made[name] - project.load(stage)[name]) < CLOSE, f"tested with another {name} than chosen."
        )
    openings = json.loads(project.path(judging.OPENINGS).read_text(encoding="utf-8"))
    judge.asks(
        "good",
        len(openings) == 1,
        f"the test part was opened {len(openings)} times, for other weights "
        f"or another "
        "threshold: the number that is told is the last of several.",
    )
    rival = made["baseline"]
    judge.asks(
        "good",
        rival["difference"] > 0 and rival["p_value"] < 0.05,
        f"against the baseline "
        f"{rival['difference']:+.3f}"
        f" on the same images, p = {rival['p_value']:.2f}: it may be chance.",
    )
    low, high = made["interval"]
    judge.asks(
        "excellent", high - low <= 0.12, f"the accuracy lies between {low:.2f} and {high:.2f}: more test images."
    )


def serving(project: Project, judge: _Judge) -> None:
    from cnnlib import pipeline
    from cnnlib.capstone import service as stage

    made, trained = project.load("serving"), project.load("training")
    folder = project.path(stage.FOLDER)
    try:
        served = stage.loaded(folder)
    except (ValueError, OSError) as error:
        judge.asks("pass", False, f"the served folder does not load: {error}")
        return
    own = served.specification
    judge.asks(
        "pass",
        list(own.labels) == trained["classes"],
        f"the label map is {', '.join(own.labels)}; "
        f"trained with "
        f"{', '.join(trained['classes'])}: every name would be another's.",
    )
    judge.asks("pass", own.weights_sha256 == trained["weights_sha256"], "it serves other weights than those chosen.")
    judge.asks(
        "pass",
        own.preprocessing.version == trained["preprocessing_version"],
        f"images are prepared "
        f"otherwise than in "
        f"training: {_differs(own.preprocessing.as_dict(), trained['preprocessing'])}.",
    )
    temperature = project.load("calibration")["temperature"]
    judge.asks("pass", abs(own.calibration.temperature - temperature) < CLOSE, "it serves another temperature.")
    if set(own.labels) == set(trained["classes"]):
        apart = stage.largest_difference(project, served, stage.golden_files(project))
        judge.asks(
            "pass",
            apart <= AGREES,
            f"its probabilities differ by up to {apart:.2f} from those of training, on the same images.",
        )
    rule, chosen = json.loads((folder / stage.RULE).read_text(encoding="utf-8")), project.load("threshold")
    judge.asks(
        "pass",
        rule == {name: chosen[name] for name in ("positive", "threshold")},
        "rule.json is not the threshold that was chosen.",
    )
    golden = {file: str(project.images / file) for file in stage.golden_files(project)}
    wrong = pipeline.check_golden(served, golden, folder / stage.GOLDEN, score=0.01)
    judge.asks("good", not wrong, f"{len(wrong)} golden answers have changed.")
    p95, budget = made["milliseconds"]["p95"], project["serving.milliseconds"]
    judge.asks("good", p95 <= budget, f"p95 is {p95:.0f} ms, the budget {budget:g}.")
    answered = [name for name, code in made["refused"].items() if code == "answered"]
    judge.asks("excellent", made["refused"] and not answered, f"{', '.join(answered) or 'nothing'} was not refused.")


def _differs(one: dict, two: dict) -> str:
    return ", ".join(f"{k} {one.get(k)} in place of {two.get(k)}" for k in two if one.get(k) != two.get(k)) or "version"


# --- after deployment ------------------------------------------------------------------------------------------------


def watch(project: Project, judge: _Judge) -> None:
    made = project.load("watch")
    judge.asks("pass", made["reference"] == "validation", "the reference is no part that was held out of training.")
    judge.asks("pass", made["n"] == len(project.load("training")["chosen_on"]), "the reference is of other images.")
    rate, wanted, n = made["measured"], made["false_alarm_rate"], made["windows"]
    judge.asks("pass", wanted == project["watch.false_alarm_rate"], "the rate is not that of the project.")
    # Windows of one test part are not independent, and it is itself a draw: so the margin is wide.
    judge.asks(
        "pass",
        rate <= 5 * wanted + 0.1,
        f"false alarms on {rate:.0%} of {n} windows of the test part, "
        f"{wanted:.0%} "
        "are stated: do validation and test part come from the same world?",
    )
    judge.asks(
        "pass", {"least_labelled", "tolerated_loss"} <= set(made["policy"]), "no rule in numbers for going back."
    )
    _filled(project, judge, "pass", "watch.calls")
    count = sum(made["noticed"].values())
    judge.asks("good", count >= 1, "it notices none of the corruptions: a larger window, or other columns.")
    judge.asks("excellent", count >= 2, f"it notices {count} of {len(made['noticed'])} corruptions at severity 3.")


def report(project: Project, judge: _Judge) -> None:
    file = project.folder / reading.FILE
    if not file.is_file():
        raise ProjectError(f"{reading.FILE} is not there: run the stage 'report'.")
    seen, made = reading.read(file.read_text(encoding="utf-8")), project.load("test")
    judge.asks("pass", not seen.outside, f"it needs other files: {', '.join(seen.outside[:2])}.")
    wanted = {
        "test-n": made["n"],
        "accuracy": made["accuracy"],
        "accuracy-low": made["interval"][0],
        "accuracy-high": made["interval"][1],
        "cost": made["cost"],
        "version": project.load("training")["weights_sha256"][:8],
    }
    for name, value in wanted.items():
        told = seen.values.get(name)
        if judge.asks("pass", told is not None, f"the report does not say {name.replace('-', ' ')}."):
            same = told == value if isinstance(value, str) else abs(float(told) - value) < 1e-4
            judge.asks("pass", same, f"{name.replace('-', ' ')} is {told} in the report and {value} in the artefacts.")
    judge.asks("pass", not seen.without_alt, f"{seen.without_alt} pictures have no text.")
    judge.asks("pass", seen.lines >= len(RUBRIC), "the checklist is not in it.")
    judge.asks(
        "good", "flaws" in seen.sections and not project.is_open("card.flaws"), "it names no flaw of the images."
    )
    judge.asks(
        "good",
        "unfit" in seen.sections and not project.is_open("card.unfit"),
        "it does not say what not to use the model for.",
    )
    if not judge.failed["pass"]:  # the other lines take time, and matter for the best grade only
        others = [judge.before.get(line.name) or _graded(project, line) for line in RUBRIC if line.name != "report"]
        still = [finding.line.name for finding in others if finding.grade == "open"]
        judge.asks("excellent", not still, f"open: {', '.join(still)}.")


CHECKS: dict[str, Callable[[Project, _Judge], None]] = {
    function.__name__: function
    for function in (
        *(question, card, duplicates, labels, split, baseline, wiring, choice),
        *(calibration, threshold, explanation, robustness, test, serving, watch, report),
    )
}
