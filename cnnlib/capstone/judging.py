"""Before deployment: how sure, from which score on, why, under what, and then the test, once. Lesson 19."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence

import numpy as np

from cnnlib.capstone.data import BATCH, logits_of, part, score
from cnnlib.capstone.project import Artefact, Project, ProjectError, weights_of
from cnnlib.reliability import calibration as measures
from cnnlib.reliability import decisions
from cnnlib.reliability._arrays import softmax

__all__ = ["calibration", "explanation", "interval", "network", "robustness", "test", "threshold"]

BINS = 10
# Where maps are taken, the first that is there. The last maps of the backbone have 3 by 3 places at 96 pixels: hiding
# what they marked cost no more than hiding a random place. Those of block 5 have 6 by 6: of three layers they did best
# on 24 validation pictures of the example of photographs, so that its figure is one of a choice. On crowns, which had
# no say, nothing is shown (0.25 against 0.22).
LAYERS = ("block5c_add", "relu3")
HIDDEN = 0.2  # share of a picture that is hidden, where its map is highest and elsewhere
CORRUPTIONS = {"noise": (1, 3, 5), "blur": (1, 3, 5), "jpeg": (1, 3, 5), "exposure": (1, 3, 5)}
OPENINGS = "test_openings.json"


def network(project: Project):
    """The chosen model, as the stage of training left it.

    Raises:
        ProjectError: the file is missing, or holds other weights than the stage of training wrote down.
    """
    file, made = project.artefacts / "model.keras", project.load("training")
    if not file.is_file():
        raise ProjectError("artefacts/model.keras is not there: run the stage 'training' again.")
    model = _loaded(str(file), file.stat().st_mtime_ns)
    if weights_of(model) != made["weights_sha256"]:
        raise ProjectError("artefacts/model.keras has other weights than training.json says: run 'training' again.")
    return model


@functools.lru_cache(maxsize=1)
def _loaded(file: str, changed: int):
    """The model of a file as it was at a time: one stage after the other asks for the same."""
    import keras

    import cnnlib.models.common  # noqa: F401  registers the layers that it is made of

    return keras.saving.load_model(file, compile=False)


def interval(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share: where the true one lies, in 95 of 100 such samples.

    Raises:
        ValueError: there is no example, or more are right than there are.
    """
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} of {n}: expected at least one example, and no more right ones than examples.")
    share = right / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def positive_scores(project: Project, logits: np.ndarray, temperature: float) -> np.ndarray:
    """The probability that one of the classes that must not be missed is there, (n,)."""
    made = project.load("split")
    named = project.positive(made["classes"], made["counts"]["training"])
    columns = [made["classes"].index(name) for name in named]
    return softmax(logits, temperature)[:, columns].sum(axis=1)


def is_positive(project: Project, y: np.ndarray) -> np.ndarray:
    """Which labels are among the classes that must not be missed, bool (n,)."""
    made = project.load("split")
    named = project.positive(made["classes"], made["counts"]["training"])
    return np.isin(y, [made["classes"].index(name) for name in named])


# --- calibration -----------------------------------------------------------------------------------------------------


def calibration(project: Project) -> Artefact:
    """Stage 6: the temperature that makes confidences true, from the validation part (lesson 15)."""
    started = time.perf_counter()
    kept = project.arrays("training")
    logits, truth = kept["logits"], kept["truth"]
    try:
        temperature, note = measures.fit_temperature(logits, truth), ""
    except ValueError as error:  # all right: the data cannot say more
        temperature, note = 1.0, str(error)
    facts = {"temperature": temperature, "fitted_on": "validation", "n": len(truth), "note": note}
    for name, value in (("before", 1.0), ("after", temperature)):
        facts[name] = calibration_of(logits, truth, value)
    says = f"temperature {temperature:.2f} from {len(truth)} validation images: calibration error "
    says += f"{facts['before']['ece']:.3f}, then {facts['after']['ece']:.3f}; chance alone gives up to "
    says += f"{facts['after']['floor']:.3f}"
    return project.save("calibration", {"says": says + (f"\n{note}" if note else ""), **facts}, started)


def calibration_of(logits: np.ndarray, truth: np.ndarray, temperature: float) -> dict[str, float]:
    """Expected calibration error, what chance alone gives (95 of 100), and the negative log-likelihood."""
    p = softmax(logits, temperature)
    return {
        "ece": measures.expected_calibration_error(p, truth, BINS),
        "floor": float(np.quantile(measures.calibration_floor(p, BINS, repeats=400), 0.95)),
        "nll": measures.negative_log_likelihood(
            np.clip(p, 1e-12, 1) / np.clip(p, 1e-12, 1).sum(1, keepdims=True), truth
        ),
    }


# --- threshold -------------------------------------------------------------------------------------------------------


def threshold(project: Project) -> Artefact:
    """Stage 7: from which score on an alarm is raised, from what mistakes cost, on the validation part (lesson 15)."""
    started = time.perf_counter()
    kept, made = project.arrays("training"), project.load("split")
    scores = positive_scores(project, kept["logits"], project.load("calibration")["temperature"])
    y, costs = is_positive(project, kept["truth"]), cost_settings(project)
    point = decisions.threshold_for_cost(y, scores, **costs)
    facts = {
        "positive": project.positive(made["classes"], made["counts"]["training"]),
        **costs,
        "threshold": point.threshold,
        "chosen_on": "validation",
        "n": len(y),
        "positives": int(y.sum()),
        **priced(y, scores >= point.threshold, costs),
    }
    says = (
        f"alarm from {point.threshold:.3f} on for {' or '.join(facts['positive'])}: cost {facts['cost']:.3f} an image; "
    )
    says += ", ".join(f"{what} {value:.3f}" for what, value in facts["constant"].items())
    says += f"\nrecall {facts['recall']:.2f}, precision {facts['precision']:.2f} on {len(y)} validation images"
    return project.save("threshold", {"says": says, **facts}, started)


def cost_settings(project: Project) -> dict:
    """What a miss and a false alarm cost, and the share of positives where it is used (None: as in the images)."""
    return {
        "miss": project["cost.miss"],
        "false_alarm": project["cost.false_alarm"],
        "prevalence": project["cost.prevalence"] or None,
    }


def priced(y: np.ndarray, flagged: np.ndarray, costs: Mapping) -> dict:
    """What decisions cost an image, what the two constant ones cost, and the four outcomes."""
    found = decisions.outcomes(y, flagged)
    share = costs["prevalence"] or float(np.mean(y))
    cost = costs["miss"] * share * (1 - found.recall) + costs["false_alarm"] * (1 - share) * (1 - found.specificity)
    return {
        "cost": float(cost),
        "constant": {
            "never an alarm": costs["miss"] * share,
            "always an alarm": costs["false_alarm"] * (1 - share),
        },
        "recall": found.recall,
        "specificity": found.specificity,
        "precision": float(found.precision_at(share)) if found.flagged else 0.0,
        "outcomes": {k: getattr(found, k) for k in ("found", "missed", "false_alarms", "dismissed")},
    }


# --- explanation -----------------------------------------------------------------------------------------------------


def explanation(project: Project, count: int = 16, shown: int = 6) -> Artefact:
    """Stage 8: where the evidence lies (Grad-CAM), and whether the maps say anything (lesson 10).

    Two controls, on validation images that the network gets right, and is not quite sure of: the maps of the same
    network with shuffled weights, and the probability that is lost when the highest fifth of a map is hidden, against a
    fifth of the picture at a random place. Also kept: the surest mistakes, to be looked at.
    """
    from cnnlib import explain

    started = time.perf_counter()
    kept, model = project.arrays("training"), network(project)
    files, truth = part(project, "validation")
    p = softmax(kept["logits"], project.load("calibration")["temperature"])
    said, sure = p.argmax(axis=1), p.max(axis=1)
    right = np.flatnonzero(said == truth)
    chosen = _spread_over_classes(right[np.argsort(sure[right])], truth, count)
    wrong = np.flatnonzero(said != truth)
    wrong = wrong[np.argsort(-sure[wrong])][:shown]
    pixels = project.pixels([files[i] for i in chosen])
    layer = next(name for name in LAYERS if name in {layer.name for layer in model.layers})
    maps = explain.grad_cam(model, pixels, said[chosen], layer, batch_size=len(chosen))
    with explain.shuffled(model):
        control = explain.grad_cam(model, pixels, said[chosen], layer, batch_size=len(chosen))
    agreement = explain.rank_correlation(maps, control)
    lost = _lost_by_hiding(model, pixels, maps, said[chosen])
    difference = lost["highest"] - lost["random"]
    low, high = _bootstrap_mean(difference)
    facts = {
        "files": [files[i] for i in chosen],
        "labels": [int(y) for y in truth[chosen]],
        "layer": layer,
        "agreement_with_shuffled": float(np.median(np.abs(agreement))),
        "lost": {name: float(values.mean()) for name, values in lost.items()},
        "difference": [float(difference.mean()), low, high],
        "n": len(chosen),
        "mistakes": [
            {"file": files[i], "label": int(truth[i]), "said": int(said[i]), "sure": float(sure[i])} for i in wrong
        ],
    }
    says = f"{len(chosen)} maps of {facts['layer']}; with shuffled weights they agree to "
    says += f"{facts['agreement_with_shuffled']:.2f} (rank correlation)\nhiding the highest fifth costs "
    says += f"{facts['lost']['highest']:.3f} of the probability, a random fifth {facts['lost']['random']:.3f}"
    arrays = {
        "maps": maps.astype("float16"),
        "pictures": _pictures(pixels),
        "mistakes": _pictures(project.pixels([files[i] for i in wrong]))
        if len(wrong)
        else np.zeros((0, 1, 1, 3), "u1"),
    }
    return project.save("explanation", {"says": says, **facts}, started, **arrays)


def _spread_over_classes(order: np.ndarray, truth: np.ndarray, count: int) -> np.ndarray:
    """Up to ``count`` places, of each class in turn, in the given order."""
    by_class = [[i for i in order if truth[i] == c] for c in np.unique(truth[order])]
    rows = [list(row) for row in zip(*(c + [-1] * (count - len(c)) if len(c) < count else c for c in by_class))]
    return np.array([i for row in rows for i in row if i >= 0][:count], int)


def _lost_by_hiding(model, pixels: np.ndarray, maps: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
    """The probability lost by grey over the highest places of the map, and over as many at a random place."""
    from cnnlib import explain

    size, n = pixels.shape[1:3], len(pixels)
    large = explain.enlarged(maps, size)
    rng = np.random.default_rng(0)
    grey = pixels.mean(axis=(1, 2), keepdims=True)
    base = softmax(logits_of(model, pixels))[np.arange(n), classes]
    lost = {"highest": [], "random": []}
    masks = {"highest": [], "random": []}
    for places in large:
        masks["highest"].append(places >= np.quantile(places, 1 - HIDDEN))
        # the same shape of hole, moved to another place, so that only the place differs
        down, across = rng.integers(size[0] // 4, 3 * size[0] // 4), rng.integers(size[1] // 4, 3 * size[1] // 4)
        masks["random"].append(np.roll(masks["highest"][-1], (down, across), (0, 1)))
    for name, mask in masks.items():
        hidden = np.where(np.stack(mask)[..., None], grey, pixels).astype("float32")
        after = softmax(logits_of(model, hidden))[np.arange(n), classes]
        lost[name] = base - after
    return lost


def _bootstrap_mean(values: np.ndarray, level: float = 0.9, draws: int = 2000) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    means = rng.choice(values, (draws, len(values))).mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _pictures(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.round(pixels * 128 + 127), 0, 255).astype("uint8")


# --- robustness ------------------------------------------------------------------------------------------------------


def robustness(project: Project, corruptions: Mapping[str, Sequence[int]] | None = None, count: int = 80) -> Artefact:
    """Stage 9: the validation images under noise, blur, JPEG and exposure (lesson 15), and images from elsewhere.

    The test part stays closed. Of ``elsewhere``, if there is one, all that can be read is asked: it is no choice that
    is made on it.
    """
    from cnnlib.reliability import corrupt

    started = time.perf_counter()
    model, metric = network(project), project["cost.metric"]
    files, truth = part(project, "validation")
    chosen = np.sort(np.random.default_rng(0).permutation(len(files))[:count])
    pixels, truth = project.pixels([files[i] for i in chosen]), truth[chosen]
    plain = np.clip((pixels * 128 + 127) / 255, 0, 1).astype("float32")

    def asked(images: np.ndarray) -> float:
        said = logits_of(model, (images * 255 - 127) / 128).argmax(axis=1)
        return score(truth, said, metric)

    table = {
        kind: {str(severity): asked(corrupt(plain, kind, severity)) for severity in severities}
        for kind, severities in (corruptions or CORRUPTIONS).items()
    }
    facts = {"metric": metric, "n": len(chosen), "clean": asked(plain), "corruptions": table}
    facts["baseline"] = project.load("baseline")["score"]
    facts["elsewhere"] = _elsewhere(project, model, metric)
    says = [f"{metric} on {len(chosen)} validation images: {facts['clean']:.3f} as they are"]
    says += [f"{kind:10} {'  '.join(f'{k}: {v:.3f}' for k, v in row.items())}" for kind, row in table.items()]
    if facts["elsewhere"]:
        says.append(f"elsewhere: {facts['elsewhere']['score']:.3f} on {facts['elsewhere']['n']} images")
    return project.save("robustness", {"says": "\n".join(says), **facts}, started)


def _elsewhere(project: Project, model, metric: str) -> dict | None:
    """The same classes from another place or time, where there are any."""
    if not project["elsewhere"]:
        return None
    from cnnlib.capstone.folder import listed, looked_at, sampled

    folder, classes = project.folder / project["elsewhere"], project.load("split")["classes"]
    found = {name: files for name, files in listed(folder, least=1).items() if name in classes}
    if not found:
        raise ProjectError(f"{project['elsewhere']}: no class folder in it is one of {', '.join(classes)}.")
    images, _ = looked_at(folder, sampled(found, 24 * len(classes) if project["most"] < 100 else 400, 0)[0])
    files, y = [f["file"] for f in images], np.array([classes.index(f["label"]) for f in images])
    said = logits_of(model, project.pixels(files, folder)).argmax(axis=1)
    return {
        "n": len(files),
        "score": score(y, said, metric),
        "recalls": {c: float(np.mean(said[y == i] == i)) for i, c in enumerate(classes) if np.any(y == i)},
    }


# --- test ------------------------------------------------------------------------------------------------------------


def test(project: Project) -> Artefact:
    """Stage 10: the price of what was chosen, on the test part, once. Every opening is written down.

    With each number come how many images it is from and where it may lie: Wilson's interval for the accuracy, the
    bootstrap for the rest.
    """
    from cnnlib.reliability import compare

    started = time.perf_counter()
    model, metric = network(project), project["cost.metric"]
    files, truth = part(project, "test")
    temperature, chosen = project.load("calibration")["temperature"], project.load("threshold")
    openings = _opened(project, weights_of(model), chosen["threshold"])
    logits = predicted(model, project, files)
    facts = judged(project, logits, truth, temperature, chosen["threshold"])
    cheap = project.arrays("baseline")["test"]
    paired = compare(cheap, logits.argmax(axis=1), truth)
    facts |= {
        "files": files,
        "metric": metric,
        "temperature": temperature,
        "threshold": chosen["threshold"],
        "weights_sha256": weights_of(model),
        "openings": openings,
        "baseline": {
            "name": project.load("baseline")["best"],
            "accuracy": paired.old_accuracy,
            "score": score(truth, cheap, metric),
            "difference": paired.difference,
            "interval": list(paired.interval),
            "p_value": paired.p_value,
        },
    }
    low, high = facts["interval"]
    says = [
        f"{len(files)} test images: accuracy {facts['accuracy']:.3f} ({low:.3f} to {high:.3f}), "
        f"balanced {facts['balanced']:.3f}; baseline {facts['baseline']['accuracy']:.3f}"
    ]
    recalls = facts["recalls"].items()
    says.append("recall: " + ", ".join(f"{c} {r['right']}/{r['n']}" for c, r in recalls))
    says.append(
        f"cost {facts['cost']:.3f} an image ({facts['cost_interval'][0]:.3f} to "
        f"{facts['cost_interval'][1]:.3f}); "
        + ", ".join(f"{what} {value:.3f}" for what, value in facts["constant"].items())
    )
    says.append(
        f"calibration error {facts['calibration']['ece']:.3f}, by chance up to "
        f"{facts['calibration']['floor']:.3f}"
        f"; opened {len(openings)} time{'s' if len(openings) > 1 else ''}"
    )
    return project.save("test", {"says": "\n".join(says), **facts}, started, logits=logits, truth=truth)


def predicted(model, project: Project, files: list[str]) -> np.ndarray:
    """Logits of image files, (n, classes), 64 at a time."""
    found = [logits_of(model, project.pixels(files[start : start + BATCH])) for start in range(0, len(files), BATCH)]
    return np.concatenate(found)


def judged(project: Project, logits: np.ndarray, truth: np.ndarray, temperature: float, limit: float) -> dict:
    """Everything that is said of logits on labelled images, and that a check can compute again."""
    classes, said = project.load("split")["classes"], logits.argmax(axis=1)
    right = int(np.sum(said == truth))
    scores, y, costs = (
        positive_scores(project, logits, temperature),
        is_positive(project, truth),
        cost_settings(project),
    )
    rng, costs_drawn = np.random.default_rng(0), []
    share = costs["prevalence"] or float(np.mean(y))  # the share is held fixed: each kind is drawn by itself
    flagged = scores >= limit
    for _ in range(500):
        missed = rng.choice(~flagged[y], int(y.sum())).mean()
        alarmed = rng.choice(flagged[~y], int((~y).sum())).mean()
        costs_drawn.append(costs["miss"] * share * missed + costs["false_alarm"] * (1 - share) * alarmed)
    return {
        "n": len(truth),
        "accuracy": right / len(truth),
        "interval": list(interval(right, len(truth))),
        "balanced": score(truth, said, "balanced accuracy"),
        "recalls": {
            name: {
                "right": int(np.sum(said[truth == c] == c)),
                "n": int(np.sum(truth == c)),
                "interval": list(interval(int(np.sum(said[truth == c] == c)), int(np.sum(truth == c)))),
            }
            for c, name in enumerate(classes)
        },
        "confusion": decisions.confusion(truth, said, len(classes)).tolist(),
        **priced(y, flagged, costs),
        "cost_interval": [float(v) for v in np.quantile(costs_drawn, [0.025, 0.975])],
        "calibration": calibration_of(logits, truth, temperature),
    }


def _opened(project: Project, weights: str, limit: float) -> list[dict]:
    """The list of what the test part was opened for, with this time added unless nothing has changed."""
    import json

    file = project.path(OPENINGS)
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    now = {"weights": weights[:12], "threshold": round(float(limit), 6)}
    if not before or before[-1] != now:
        before.append(now)
    file.write_text(json.dumps(before, indent=1) + "\n", encoding="utf-8", newline="\n")
    return before
