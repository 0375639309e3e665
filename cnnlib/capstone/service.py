"""The pipeline of lesson 14 with what belongs to it, and the watch over it. Lesson 19."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnlib.capstone.data import logits_of, part
from cnnlib.capstone.judging import network
from cnnlib.capstone.project import Artefact, Project
from cnnlib.reliability._arrays import softmax

__all__ = ["decide", "serving", "watch"]

FOLDER, GOLDEN, RULE = "served", "golden.json", "rule.json"
ASKED = 12  # validation images whose answers are stored
_LOADED: dict = {}  # sha256 of the files -> the last pipeline that was loaded


def serving(project: Project, rounds: int = 5) -> Artefact:
    """Stage 11: ``artefacts/served``, a folder that ``python -m cnnlib.pipeline --model`` takes (lesson 14).

    Beside model, specification and label map lie the rule for an alarm (``rule.json``, see `decide`) and the golden
    file. Then the pipeline that was saved is loaded again and asked about validation images: it must say what training
    saw.
    """
    from cnnlib import pipeline
    from cnnlib.pipeline import Calibration, Specification

    started = time.perf_counter()
    made, model = project.load("training"), network(project)
    temperature, chosen = project.load("calibration"), project.load("threshold")
    specification = Specification(
        name=_name(project["title"]),
        task="classify",
        labels=tuple(made["classes"]),
        preprocessing=project.preprocessing(),
        version=made["weights_sha256"][:8],
        top=len(made["classes"]),
        calibration=Calibration(temperature["temperature"], f"{temperature['n']} validation images"),
    )
    folder = project.path(FOLDER)
    pipeline.Pipeline(model, specification).save(folder)
    rule = {"positive": chosen["positive"], "threshold": chosen["threshold"]}
    (folder / RULE).write_text(json.dumps(rule, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")

    served = loaded(folder)
    files = golden_files(project)
    pipeline.record_golden(served, {file: str(project.images / file) for file in files}, folder / GOLDEN)
    latency = pipeline.measure_latency(served, [str(project.images / file) for file in files[:6]], rounds)
    times = np.sum([latency.seconds(stage) for stage in ("decode", "resize", "forward", "post-processing")], axis=0)
    odd = _odd(served)
    facts = {
        "files": files,
        "difference": largest_difference(project, served, files),
        "milliseconds": {f"p{q}": float(np.percentile(times, q) * 1000) for q in (50, 95, 99)},
        "timed": len(times),
        "budget": project["serving.milliseconds"],
        "preprocessing_version": specification.preprocessing.version,
        "refused": odd,
        "rule": rule,
        "bytes": (folder / "model.keras").stat().st_size,
    }
    says = f"served and training differ by {facts['difference']:.1e} at most on {len(files)} validation images\n"
    says += f"{facts['milliseconds']['p50']:.0f} ms an image (p50), {facts['milliseconds']['p95']:.0f} (p95), budget "
    says += f"{facts['budget']:g}; {facts['bytes'] / 1e6:.1f} MB"
    return project.save("serving", {"says": says, **facts}, started)


def loaded(folder: Path):
    """The pipeline that was saved in a folder. One whose files hold the same bytes is not loaded, nor traced, again.

    Raises:
        SpecificationError, OSError: as `pipeline.Pipeline.load`.
    """
    held = hashlib.sha256()
    for file in sorted(file for file in folder.iterdir() if file.is_file() and file.name not in (GOLDEN, RULE)):
        held.update(f"{file.name} {file.stat().st_size}\n".encode() + file.read_bytes())
    digest = held.hexdigest()
    if digest not in _LOADED:
        from cnnlib import pipeline

        fresh = pipeline.Pipeline.load(folder)
        _LOADED.clear()
        _LOADED[digest] = fresh
    return _LOADED[digest]


def golden_files(project: Project) -> list[str]:
    """The validation images whose answers are stored: spread over the part."""
    files, _ = part(project, "validation")
    return [files[i] for i in np.unique(np.linspace(0, len(files) - 1, ASKED).astype(int))]


def largest_difference(project: Project, served, files: list[str]) -> float:
    """Between the probabilities of a pipeline and those that training stored, of the same validation images."""
    chosen_on = project.load("training")["chosen_on"]
    kept = softmax(project.arrays("training")["logits"], project.load("calibration")["temperature"])
    classes = project.load("training")["classes"]
    worst = 0.0
    for file, answer in zip(files, served.answers([str(project.images / file) for file in files])):
        told = {result["label"]: result["score"] for result in answer["results"]}
        own = kept[chosen_on.index(file)]
        worst = max(worst, *(abs(told.get(name, 0.0) - own[c]) for c, name in enumerate(classes)))
    return float(worst)


def _odd(served) -> dict[str, str]:
    """What the pipeline makes of files that are no image: an error with a code, never an answer."""
    sources = {
        "an empty file": b"",
        "a page of text": b"<!DOCTYPE html><title>404</title>",
        "a cut file": b"\xff\xd8\xff\xe0",
    }
    answers = served.stream(sources.values(), batch_size=len(sources))
    return {name: answer.get("error", {}).get("code", "answered") for name, answer in zip(sources, answers)}


def _name(title: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in title.strip().lower()) or "project"


def decide(answer: Mapping, rule: Mapping | str | Path) -> bool:
    """Whether an answer of the served pipeline raises an alarm.

    Args:
        answer: as the pipeline gives it.
        rule: {"positive", "threshold"}, or the ``rule.json`` that `serving` wrote.

    Raises:
        ValueError: it is no answer; an image that could not be read is no reason to raise no alarm.
    """
    if "error" in answer:
        raise ValueError(f"no answer, so no decision: {answer['error']['message']} Send it to a person.")
    if isinstance(rule, (str, Path)):
        rule = json.loads(Path(rule).read_text(encoding="utf-8"))
    return sum(r["score"] for r in answer["results"] if r["label"] in rule["positive"]) >= rule["threshold"]


# --- the watch -------------------------------------------------------------------------------------------------------


def watch(project: Project, windows: int = 400) -> Artefact:
    """Stage 12: a monitor with a stated rate of false alarms, what it would notice, and when to go back (lesson 15).

    The reference are the validation images: their statistics and the network's confidence. The rate of false alarms is
    measured on windows of the test part, whose labels play no part in it; what is noticed, on corrupted ones.
    """
    from cnnlib.reliability import Monitor, Policy, corrupt, image_statistics

    started = time.perf_counter()
    model, temperature = network(project), project.load("calibration")["temperature"]
    reference, _ = part(project, "validation")
    window = min(project["watch.window"], len(reference) // 4)
    monitor = Monitor(window, project["watch.false_alarm_rate"], seed=project["seed"])
    pixels = project.pixels(reference)
    columns = _columns(pixels, project.arrays("training")["logits"], temperature, image_statistics)
    monitor.fit(columns)
    fresh, _ = part(project, "test")
    seen = project.pixels(fresh)
    others = _columns(seen, project.arrays("test")["logits"], temperature, image_statistics)
    rng = np.random.default_rng(0)
    drawn = [rng.choice(len(fresh), window, replace=window > len(fresh)) for _ in range(windows)]
    false_alarms = [monitor.check({name: v[i] for name, v in others.items()}).alarm for i in drawn]
    few = seen[drawn[0]]
    plain = np.clip((few * 128 + 127) / 255, 0, 1).astype("float32")
    noticed = {}
    for kind in ("noise", "blur", "exposure"):
        changed = ((corrupt(plain, kind, 3) * 255 - 127) / 128).astype("float32")
        logits = logits_of(model, changed)
        noticed[kind] = bool(monitor.check(_columns(changed, logits, temperature, image_statistics)).alarm)
    policy = Policy(project["watch.least_labelled"], project["watch.tolerated_loss"])
    facts = {
        "reference": "validation",
        "n": len(reference),
        "window": window,
        "false_alarm_rate": project["watch.false_alarm_rate"],
        "measured": float(np.mean(false_alarms)),
        "windows": windows,
        "noticed": noticed,
        "limit": monitor.limit,
        "policy": {k: getattr(policy, k) for k in ("least_labelled", "tolerated_loss", "least_agreement", "alarms")},
        "calls": project["watch.calls"],
        "back_to": project.load("training")["weights_sha256"][:8],
    }
    says = f"windows of {window}: false alarms on {facts['measured']:.1%} of windows of test images, stated "
    says += f"{facts['false_alarm_rate']:.1%}\nnotices at severity 3: "
    says += ", ".join(f"{kind} {'yes' if seen else 'no'}" for kind, seen in noticed.items())
    arrays = {f"reference_{name}": values for name, values in columns.items()}
    return project.save("watch", {"says": says, **facts}, started, **arrays)


def _columns(pixels: np.ndarray, logits: np.ndarray, temperature: float, statistics) -> dict[str, np.ndarray]:
    plain = np.clip((pixels * 128 + 127) / 255, 0, 1).astype("float32")
    return {**statistics(plain), "confidence": softmax(logits, temperature).max(axis=1)}
