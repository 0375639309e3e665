"""Before training: data card, audit, split, and the baseline that a network has to beat. Lesson 19."""

from __future__ import annotations

import csv
import logging
import time
from collections import Counter, defaultdict

import numpy as np

from cnnlib import splits
from cnnlib.capstone.folder import listed, looked_at, sampled
from cnnlib.capstone.project import REVIEW, Artefact, Project, ProjectError

__all__ = ["audit", "baseline", "card", "ridge", "score", "split"]

# Several models are asked in turn, so that TensorFlow compiles as many functions, and warns of it.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())

BATCH = 64
THUMB = 16  # pixels of the small pictures in which near-duplicates are compared
BITS, LIKE, APART = 6, 0.97, 0.06  # of near-duplicates: bits that may differ, least correlation, largest rms distance
DOUBT = 0.9  # of a label: how much more probable another class must be
SHOWN = 60  # doubtful labels that are asked about
FLAT = 2 / 255  # a picture whose grey values vary less shows nothing
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)  # of the penalty of a ridge regression
DECISIONS = ("keep", "drop")


# --- card ------------------------------------------------------------------------------------------------------------


def card(project: Project) -> Artefact:
    """Stage 1: what is in the folder, every file accounted for, beside what only you can know (``[card]``).

    Raises:
        FolderError: the folder cannot be made a project; see `cnnlib.capstone.folder`.
    """
    started = time.perf_counter()
    found = listed(project.images)
    kept, left = sampled(found, project["most"], project["seed"])
    images, unreadable = looked_at(project.images, kept)
    counts = dict(sorted(Counter(image["label"] for image in images).items()))
    from cnnlib.capstone.folder import LEAST, FolderError

    few = [name for name in kept if counts.get(name, 0) < LEAST]
    if few:
        first = next(item for item in unreadable if item["label"] == few[0])
        raise FolderError(
            f"{few[0]!r}: {counts.get(few[0], 0)} of {len(kept[few[0]])} files can be read, and {LEAST} are "
            f"needed. The "
            f"first that cannot: {first['message']}"
        )
    sides = np.array([(image["width"], image["height"]) for image in images])
    says = [f"{len(images)} images of {len(counts)} classes: {', '.join(f'{n} {c}' for n, c in counts.items())}"]
    says.append(f"sides from {sides.min()} to {sides.max()} pixels, {len({tuple(s) for s in sides.tolist()})} sizes")
    if unreadable:
        says.append(f"{len(unreadable)} cannot be read, first: {unreadable[0]['message']}")
    if found.ignored:
        says.append(f"{len(found.ignored)} other files are left aside, first: {found.ignored[0]['file']}")
    if left:
        says.append(f"{len(left)} left out by `most = {project['most']}`, by chance")
    facts = {"classes": sorted(counts), "counts": counts, "files": images, "unreadable": unreadable}
    facts |= {"ignored": found.ignored, "left_out": left, "sides": [int(sides.min()), int(sides.max())]}
    return project.save("card", {"says": "\n".join(says), **facts}, started)


# --- audit -----------------------------------------------------------------------------------------------------------


def audit(project: Project) -> Artefact:
    """Stage 2: duplicates, doubtful labels, flat pictures, and what gives a class away that is no content.

    Runs the pretrained backbone over all images, once: its features are kept for the stages after it. Writes
    ``review.csv`` with what you have to decide; what you decided before stays.
    """
    started = time.perf_counter()
    files = project.load("card")["files"]
    names, labels = [f["file"] for f in files], [f["label"] for f in files]
    classes = sorted(set(labels))
    y = np.array([classes.index(label) for label in labels])
    features, thumbs = _seen(project, files)
    pairs = near_pairs(thumbs)
    exact = _exact(files)
    doubt, says = _doubts(features, y)
    suspects = [int(i) for i in np.argsort(-doubt) if doubt[i] >= DOUBT]
    grey = thumbs.mean(axis=(1, 2, 3))
    flat = [names[i] for i in np.flatnonzero(thumbs.mean(-1).std(axis=(1, 2)) < FLAT)]
    given_away = _given_away(files, y, grey)
    facts = {
        "duplicates": [[names[i], names[j]] for i, j in pairs],
        "exact": [[names[i], names[j]] for i, j in exact],
        "across_classes": [[names[i], names[j]] for i, j in {*map(tuple, pairs.tolist()), *exact} if y[i] != y[j]],
        "suspects": [
            {"file": names[i], "label": labels[i], "looks_like": classes[says[i]], "doubt": round(float(doubt[i]), 3)}
            for i in suspects
        ],
        "flat": flat,
        "given_away": given_away,
        "agreement": float(np.mean(says == y)),
        "files": names,
    }
    _write_review(project, facts)
    told = [
        f"{len(pairs)} pairs of near-duplicates, {len(exact)} of them the same bytes, "
        f"{len(facts['across_classes'])} with two labels",
        f"{len(suspects)} doubtful labels, {len(flat)} flat pictures; {REVIEW} asks for your decision on "
        f"{len(_asked(facts))} files",
        "without looking at the content, "
        + ", ".join(f"{what} alone gives {value:.0%}" for what, value in given_away.items() if what != "majority")
        + f" (always the largest class: {given_away['majority']:.0%})",
    ]
    arrays = {"features": features.astype("float16"), "thumbs": thumbs}
    return project.save("audit", {"says": "\n".join(told), **facts}, started, **arrays)


def _seen(project: Project, files: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 1280) of the pretrained backbone, and small pictures (n, 16, 16, 3), uint8."""
    from PIL import Image

    from cnnlib.capstone.networks import backbone

    network = backbone(project["network.size"])
    features, thumbs = [], []
    for start in range(0, len(files), 64):
        pixels = project.pixels([f["file"] for f in files[start : start + 64]])
        features.append(logits_of(network, pixels))
        seen = np.clip(pixels * 128 + 127, 0, 255).astype("uint8")
        thumbs += [np.asarray(Image.fromarray(image).resize((THUMB, THUMB), Image.Resampling.BOX)) for image in seen]
    return np.concatenate(features).astype("float32"), np.stack(thumbs)


def _filled(batch: np.ndarray, count: int) -> np.ndarray:
    """The batch with zeros behind it: of one shape, so that nothing is compiled twice."""
    missing = count - len(batch)
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing > 0 else batch


def logits_of(model, pixels: np.ndarray) -> np.ndarray:
    """What a model says of prepared images (n, ...), in batches of one shape, so that nothing is compiled twice."""
    parts = [_filled(pixels[start : start + BATCH], BATCH) for start in range(0, len(pixels), BATCH)]
    found = [np.asarray(model.predict_on_batch(part)) for part in parts]
    return np.concatenate(found)[: len(pixels)].astype("float32")


def near_pairs(thumbs: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of small pictures (n, 16, 16, 3) that show the same: first by fingerprint, then by their pixels.

    The fingerprint of a picture with little in it, as of one cell on black, says little: so a pair must also be alike
    pixel by pixel.
    """
    pairs = splits.near_duplicates(splits.perceptual_hash(thumbs), distance=BITS)
    flat = thumbs.reshape(len(thumbs), -1).astype("float32") / 255
    if not len(pairs):
        return pairs
    apart = np.sqrt(((flat[pairs[:, 0]] - flat[pairs[:, 1]]) ** 2).mean(axis=1))
    centred = flat - flat.mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6
    like = (centred[pairs[:, 0]] * centred[pairs[:, 1]]).sum(axis=1)
    return pairs[(apart <= APART) & (like >= LIKE)]


def _exact(files: list[dict]) -> list[tuple[int, int]]:
    places = defaultdict(list)
    for place, file in enumerate(files):
        places[file["sha256"]].append(place)
    return [(same[0], other) for same in places.values() for other in same[1:]]


def _doubts(features: np.ndarray, y: np.ndarray, folds: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """How much more probable than its label another class is (n,), and which: by probes that never saw the image."""
    rng = np.random.default_rng(0)
    fold = np.empty(len(y), int)
    for c in np.unique(y):  # every class in every fold
        of_class = rng.permutation(np.flatnonzero(y == c))
        fold[of_class] = np.arange(len(of_class)) % folds
    scores = np.zeros((len(y), y.max() + 1))
    for k in range(folds):
        fit, seen = fold != k, fold == k
        scores[seen] = ridge(features[fit], y[fit], 300.0, y.max() + 1)(features[seen])
    powers = np.exp(4 * (scores - scores.max(axis=1, keepdims=True)))  # one-hot regressions as rough probabilities
    p = powers / powers.sum(axis=1, keepdims=True)
    own = p[np.arange(len(y)), y]
    p[np.arange(len(y)), y] = 0
    return p.max(axis=1) - own, np.where(p.max(axis=1) > own, p.argmax(axis=1), y)


def ridge(x: np.ndarray, y: np.ndarray, strength: float, classes: int):
    """A linear classifier in one step (ridge regression of -1 and 1, classes weighted alike): features -> scores."""
    x, weight = np.asarray(x, "float64"), (1 / np.bincount(y, minlength=classes).clip(1))[y]
    weight = weight / weight.mean()
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    known = (x - mean) / spread
    targets = 2.0 * np.eye(classes)[y] - 1
    offset = (weight[:, None] * targets).sum(axis=0) / weight.sum()
    # (K + s / w) a = t: the weighted solution with as many equations as examples.
    solved = np.linalg.solve(known @ known.T + np.diag(strength / weight), targets - offset)
    matrix = known.T @ solved
    return lambda new: ((np.asarray(new, "float64") - mean) / spread) @ matrix + offset


def _given_away(files: list[dict], y: np.ndarray, grey: np.ndarray) -> dict[str, float]:
    """Accuracy of guessing the class by what is no content: size, kind of file, brightness (of halves, crosswise)."""
    largest = np.bincount(y).max() / len(y)
    decile = np.searchsorted(np.quantile(grey, np.linspace(0.1, 0.9, 9)), grey)
    keys = {
        "the size": [f"{f['width']}x{f['height']}" for f in files],
        "the kind of file": [f["format"] for f in files],
        "the brightness": decile.tolist(),
    }
    return {"majority": float(largest), **{what: _guessed(values, y) for what, values in keys.items()}}


def _guessed(values: list, y: np.ndarray) -> float:
    """Each half is guessed by the commonest class of the same value in the other half."""
    half = np.random.default_rng(0).permutation(len(y)) % 2
    right = 0
    for side in (0, 1):
        common = np.bincount(y[half != side]).argmax()
        table = defaultdict(Counter)
        for value, label in zip(np.array(values)[half != side].tolist(), y[half != side].tolist()):
            table[value][label] += 1
        for value, label in zip(np.array(values)[half == side].tolist(), y[half == side].tolist()):
            guess = table[value].most_common(1)[0][0] if value in table else common
            right += guess == label
    return right / len(y)


# --- review ----------------------------------------------------------------------------------------------------------


def _asked(facts: dict) -> dict[str, str]:
    """File -> why you are asked about it."""
    asked = {s["file"]: f"labelled {s['label']}, looks like {s['looks_like']}" for s in facts["suspects"][:SHOWN]}
    asked |= dict.fromkeys(facts["flat"], "flat: hardly anything to see")
    for one, two in facts["across_classes"]:
        asked[two] = f"the same picture as {one}, in another class"
    return asked


def _write_review(project: Project, facts: dict) -> None:
    """Rows for what is asked, behind the rows that are there."""
    decided = {row["file"]: row for row in review_rows(project)}
    rows = [*decided.values()]
    rows += [{"file": f, "why": why, "decision": ""} for f, why in _asked(facts).items() if f not in decided]
    with (project.folder / REVIEW).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["file", "why", "decision"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def review_rows(project: Project) -> list[dict]:
    """The rows of ``review.csv``: {"file", "why", "decision"}; none if there is no such file.

    Raises:
        ProjectError: a column is missing.
    """
    path = project.folder / REVIEW
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"file", "decision"} <= set(rows[0]):
        raise ProjectError(f"{REVIEW} has the columns {', '.join(map(str, rows[0]))}; expected file, why, decision.")
    return [{"file": r["file"], "why": r.get("why") or "", "decision": (r["decision"] or "").strip()} for r in rows]


def decisions(project: Project, classes: list[str]) -> dict[str, str]:
    """File -> "keep", "drop", or the class that it is to have; only where something was decided.

    Raises:
        ProjectError: a decision is none of these.
    """
    made = {row["file"]: row["decision"] for row in review_rows(project) if row["decision"]}
    odd = {file: what for file, what in made.items() if what not in DECISIONS and what not in classes}
    if odd:
        file, what = next(iter(odd.items()))
        raise ProjectError(f"{REVIEW}: {file}: {what!r}; expected keep, drop, or one of {', '.join(classes)}.")
    return made


# --- split -----------------------------------------------------------------------------------------------------------


def split(project: Project) -> Artefact:
    """Stage 3: training, validation and test part. What belongs together stays together, duplicates always.

    Of 50 ways to divide the groups by chance the one is taken in which classes are shared out most evenly. Outcomes
    play no part in it.

    Raises:
        ProjectError: there are too few groups, or a part would lack a class.
    """
    started = time.perf_counter()
    files, classes = project.load("card")["files"], project.load("card")["classes"]
    made = decisions(project, classes)
    kept = [f for f in files if made.get(f["file"]) != "drop"]
    names = [f["file"] for f in kept]
    labels = [made[f["file"]] if made.get(f["file"]) in classes else f["label"] for f in kept]
    groups = _groups(project, names)
    y = np.array([classes.index(label) for label in labels])
    number = np.unique(groups, return_inverse=True)[1]
    if len(np.unique(number)) < 8:
        raise ProjectError(
            f"split.together = {project['split.together']!r} makes {len(np.unique(number))} groups; at least 8 are "
            "needed. Is one group all there is of a class, or are all images near-duplicates?"
        )
    best = _most_even(project, number, y, len(classes))
    if best is None:
        raise ProjectError(
            "none of 50 draws has every class in every part: a class has too few groups. Collect it in more "
            "places, or "
            "at more times; `split.together` says what counts as one."
        )
    train, validation, test = best
    parts = {"training": train, "validation": validation, "test": test}
    facts = {
        "classes": classes,
        "parts": {part: [names[i] for i in where] for part, where in parts.items()},
        "labels": dict(zip(names, labels)),
        "groups": dict(zip(names, groups.tolist())),
        "counts": {part: dict(Counter(labels[i] for i in where)) for part, where in parts.items()},
        "together": project["split.together"],
        "decided": dict(Counter("drop" if v == "drop" else "keep" if v == "keep" else "label" for v in made.values())),
    }
    told = [f"{part:10} {len(where):4}: {dict(sorted(facts['counts'][part].items()))}" for part, where in parts.items()]
    told.append(f"{len(set(groups))} groups, by {project['split.together']} and by duplicates")
    return project.save("split", {"says": "\n".join(told), **facts}, started)


def _groups(project: Project, names: list[str]) -> np.ndarray:
    """For each file the name of its group: by the rule of the settings, joined where there are duplicates."""
    rule = project["split.together"]
    keys = {
        "file": lambda name: name,
        "folder": lambda name: name.partition("/")[2].rpartition("/")[0] or name,
        "prefix": lambda name: name.rpartition("/")[2].rpartition("_")[0] or name.rpartition("/")[2],
    }[rule]
    first: dict[str, int] = {}
    pairs = []
    for place, name in enumerate(names):
        key = keys(name)
        if key in first:
            pairs.append((first[key], place))
        else:
            first[key] = place
    at = {name: place for place, name in enumerate(names)}
    found = project.load("audit")
    pairs += [(at[a], at[b]) for a, b in [*found["duplicates"], *found["exact"]] if a in at and b in at]
    grouped = splits.duplicate_groups(np.array(pairs, "int64").reshape(-1, 2), len(names))
    return np.array([names[place] for place in grouped])


def _most_even(project: Project, groups: np.ndarray, y: np.ndarray, classes: int, draws: int = 50):
    """(training, validation, test) as indices: the draw whose shares of classes differ least from those wanted."""
    shares = project["split.validation"], project["split.test"]
    whole = np.bincount(y, minlength=classes)
    best, least = None, np.inf
    for draw in range(draws):
        seed = 1000 * project["seed"] + draw
        rest, test = splits.grouped_split(groups, shares[1], seed)
        inner, inner_validation = splits.grouped_split(groups[rest], shares[0] / (1 - shares[1]), seed)
        train, validation = rest[inner], rest[inner_validation]
        off = 0.0
        for where, share in ((validation, shares[0]), (test, shares[1])):
            off = max(off, float(np.abs(np.bincount(y[where], minlength=classes) / whole - share).max()))
        complete = all(len(np.unique(y[where])) == classes for where in (train, validation, test))
        if complete and off < least:
            best, least = (train, validation, test), off
    return best


def part(project: Project, which: str) -> tuple[list[str], np.ndarray]:
    """Files and class numbers of "training", "validation" or "test"."""
    made = project.load("split")
    files = made["parts"][which]
    return files, np.array([made["classes"].index(made["labels"][file]) for file in files])


# --- baseline --------------------------------------------------------------------------------------------------------


def score(y: np.ndarray, predicted: np.ndarray, metric: str) -> float:
    """Accuracy, or the mean of the recalls of the classes that occur."""
    y, predicted = np.asarray(y), np.asarray(predicted)
    if metric == "accuracy":
        return float(np.mean(y == predicted))
    return float(np.mean([np.mean(predicted[y == c] == c) for c in np.unique(y)]))


def cheap_features(thumbs: np.ndarray) -> dict[str, np.ndarray]:
    """What can be had of small pictures (n, 16, 16, 3), uint8, without a network."""
    small = thumbs.astype("float32") / 255
    four = small.reshape(len(small), 4, 4, 4, 4, 3).mean(axis=(2, 4)).reshape(len(small), -1)
    mean, spread = small.mean(axis=(1, 2)), small.std(axis=(1, 2))
    edges = np.stack([np.abs(np.diff(small, axis=axis)).mean(axis=(1, 2, 3)) for axis in (1, 2)], axis=1)
    histogram = np.stack([np.histogram(image.mean(-1), 8, (0, 1))[0] / THUMB**2 for image in small])
    return {"colour and contrast": np.concatenate([mean, spread, edges, histogram], axis=1), "16 patches": four}


def baseline(project: Project) -> Artefact:
    """Stage 4: the strongest of what costs nothing: always the largest class, and linear rules on colours and patches.

    Each gets its own best strength, on the validation part. The one that is best there is the baseline from now on.
    """
    started = time.perf_counter()
    metric, where = project["cost.metric"], {name: i for i, name in enumerate(project.load("audit")["files"])}
    thumbs = project.arrays("audit")["thumbs"]
    (train, y), (validation, truth), (test, _) = (part(project, name) for name in ("training", "validation", "test"))
    classes = project.load("split")["classes"]
    at = {name: [where[file] for file in files] for name, files in (("t", train), ("v", validation), ("x", test))}
    largest = np.bincount(y).argmax()
    found = {"always the largest class": {"score": score(truth, np.full(len(truth), largest), metric)}}
    answers = {"always the largest class": (np.full(len(truth), largest), np.full(len(test), largest))}
    for name, features in cheap_features(thumbs).items():
        tried = {}
        for strength in STRENGTHS:
            rule = ridge(features[at["t"]], y, strength, len(classes))
            said = [rule(features[at[side]]).argmax(axis=1) for side in ("v", "x")]
            tried[strength] = score(truth, said[0], metric)
            if tried[strength] >= max(tried.values()):
                answers[name] = said
        found[name] = {"score": max(tried.values()), "strengths": {str(k): v for k, v in tried.items()}}
    best = max(found, key=lambda name: found[name]["score"])
    lines = [f"{name:26} {facts['score']:.3f}" for name, facts in found.items()]
    says = "\n".join([f"{metric} on {len(truth)} validation images", *lines, f"to beat: {best}"])
    facts = {"metric": metric, "n": len(truth), "rules": found, "best": best, "score": found[best]["score"]}
    arrays = {"validation": answers[best][0], "test": answers[best][1], "truth": truth}
    return project.save("baseline", {"says": says, **facts}, started, **arrays)
