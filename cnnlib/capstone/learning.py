"""The stage of training: is it wired right, which of several ways is best, and by how much. Lesson 19.

Everything is chosen on the validation part, each candidate at the best of its own rates, over the same seeds. Frozen
parts run once and their outputs are kept, so that a whole comparison takes a minute on two cores.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from cnnlib import training as course
from cnnlib import transfer
from cnnlib.capstone.data import logits_of, part, score
from cnnlib.capstone.networks import CUT, head_network, small_network, whole_model
from cnnlib.capstone.project import Artefact, Project, ProjectError, weights_of

__all__ = ["KINDS", "Candidate", "training"]

KINDS = ("frozen features", "last blocks", "from scratch")
TINY, TINY_STEPS = 16, 60


@dataclass(frozen=True)
class Candidate:
    """One way to train, tried at several rates over several seeds.

    Args:
        kind: "frozen features": the backbone as it is, a head on top. "last blocks": block 7 and what
            follows learn with the head, at a tenth of its rate, normalisations frozen; it starts from the trained head.
            "from scratch": a small network of its own.
        rates: peak learning rates of Adam; the best of them counts.
        epochs: passes through the training part.
        batch: images in a step.

    Raises:
        ValueError: the kind is unknown, or a number has no meaning.
    """

    kind: str
    rates: Sequence[float] = (1e-3, 3e-3, 1e-2)
    epochs: int = 20
    batch: int = 32

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r}: choose one of {', '.join(map(repr, KINDS))}.")
        if not self.rates or min(self.rates) <= 0 or self.epochs < 1 or self.batch < 2:
            raise ValueError(f"{self}: expected rates above 0, 1 epoch or more, and batches of 2 or more.")


class _Data:
    """Pixels, labels and cached outputs of the training and the validation part."""

    def __init__(self, project: Project):
        self.files, self.y = {}, {}
        for name in ("training", "validation"):
            self.files[name], self.y[name] = part(project, name)
        where = {file: i for i, file in enumerate(project.load("audit")["files"])}
        features = project.arrays("audit")["features"].astype("float32")
        self.features = {name: features[[where[f] for f in files]] for name, files in self.files.items()}
        self.classes = len(project.load("split")["classes"])
        self.pixels: dict[str, np.ndarray] = {}
        self.maps: dict[str, np.ndarray] = {}
        self._project = project

    def images(self, name: str) -> np.ndarray:
        if name not in self.pixels:
            self.pixels[name] = self._project.pixels(self.files[name])
        return self.pixels[name]


class _Learner:
    """A compiled model that is trained many times: from the same start, at other rates and seeds."""

    def __init__(self, model: keras.Model, parts: dict[str, float]):
        self.model, self.parts = model, parts
        self.optimizers = {name: keras.optimizers.Adam() for name in parts}
        optimizer = transfer.ByDepth(self.optimizers)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self.start = model.get_weights()
        self.fresh = [v for v in model.weights if "scores" in v.path]

    def run(self, x, y, rate: float, candidate: Candidate, seed: int, head=None) -> keras.Model:
        """Train anew: what is pretrained from its weights, all else drawn by the seed."""
        self.model.set_weights(self.start)
        _draw(self.model if "scratch" in self.model.name else None, self.fresh, seed)
        if head is not None:
            for variable, value in zip(self.fresh, head):
                variable.assign(value)
        self.model.optimizer.restart(dict.fromkeys(self.parts, rate))
        keras.utils.set_random_seed(seed)
        # Batch by batch: what `fit` spends on the start of an epoch is five times what so few batches take.
        batches = course.Batches(x, y, min(candidate.batch, len(x)), seed)
        for epoch in range(candidate.epochs):
            self._fall(rate, epoch, candidate)
            batches.seek(epoch)
            for number in range(len(batches)):
                self.model.train_on_batch(*batches[number])
        return self.model

    def _fall(self, rate: float, epoch: int, candidate: Candidate) -> None:
        """In the second third of the epochs the rate is a third, in the last a ninth."""
        for name, optimizer in self.optimizers.items():
            optimizer.learning_rate = rate * self.parts[name] / 3 ** (3 * epoch // candidate.epochs)


def _draw(model: keras.Model | None, fresh: list, seed: int) -> None:
    """New values for a head, or for the whole of a small network."""
    rng = np.random.default_rng([seed, 7])
    for variable in fresh if model is None else model.trainable_variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            spread = np.sqrt((1.0 if "scores" in variable.path else 2.0) / np.prod(shape[:-1]))
            variable.assign(rng.normal(0, spread, shape).astype("float32"))
        elif "bias" in variable.path:
            variable.assign(np.zeros(shape, "float32"))


def training(
    project: Project,
    candidates: Sequence[Candidate] = (Candidate("frozen features"),),
    seeds: Sequence[int] = (0, 1, 2),
) -> Artefact:
    """Stage 5: the wiring first, then every candidate at each of its rates over the seeds, then the choice.

    The choice is the candidate with the best mean on the validation part, each at its best rate; of those whose mean
    is within the spread over seeds of the best, the one that learns the fewest weights. The model that is kept is the
    run of the first seed, not the luckiest one.

    Raises:
        ProjectError: there is no candidate, or two of one kind, or no seed.
    """
    started = time.perf_counter()
    kinds = [candidate.kind for candidate in candidates]
    if not candidates or len(set(kinds)) < len(kinds) or not seeds or len(set(seeds)) < len(seeds):
        raise ProjectError(f"candidates {kinds}, seeds {list(seeds)}: expected one or more, each only once.")
    data, metric, size = _Data(project), project["cost.metric"], project["network.size"]
    y, truth = data.y["training"], data.y["validation"]
    head = _Learner(head_network(data.classes), {"scores": 1.0})
    wiring = _wiring(head, data, metric)
    heads: dict[int, list] = {}
    results, kept = [], {}
    for candidate in sorted(candidates, key=lambda c: KINDS.index(c.kind)):
        learner, inputs = _prepared(candidate, data, head, size)
        table = {rate: [] for rate in candidate.rates}
        weights: dict[float, list] = {}
        for rate in candidate.rates:
            for seed in seeds:
                start = _trained_head(head, data, seeds, heads, seed) if candidate.kind == "last blocks" else None
                model = learner.run(inputs["training"], y, rate, candidate, seed, start)
                logits = logits_of(model, inputs["validation"])
                table[rate].append(score(truth, logits.argmax(axis=1), metric))
                if seed == seeds[0]:
                    weights[rate] = model.get_weights()
        best = max(candidate.rates, key=lambda rate: (np.mean(table[rate]), -rate))
        if candidate.kind == "frozen features":
            heads["rate"], heads["candidate"] = best, candidate
        learnt = sum(int(np.prod(v.shape)) for v in learner.model.trainable_variables)
        tried = {f"{rate:g}": list(map(float, values)) for rate, values in table.items()}
        results.append(
            {"kind": candidate.kind, "rates": tried, "rate": float(best), "scores": tried[f"{best:g}"]}
            | {"learnt": learnt, "epochs": candidate.epochs, "batch": candidate.batch}
        )
        kept[candidate.kind] = weights[best]
        data.maps.clear()
    chosen = _choice(results)
    model = _assembled(chosen, kept[chosen], data.classes, size)
    logits = logits_of(model, data.images("validation"))
    model.save(project.path("model.keras"))
    facts = {
        "wiring": wiring,
        "metric": metric,
        "n": len(truth),
        "seeds": list(map(int, seeds)),
        "candidates": results,
        "chosen": chosen,
        "score": score(truth, logits.argmax(axis=1), metric),
        "preprocessing": project.preprocessing().as_dict(),
        "preprocessing_version": project.preprocessing().version,
        "classes": project.load("split")["classes"],
        "trained_on": data.files["training"],
        "chosen_on": data.files["validation"],
        "weights_sha256": weights_of(model),
        "parameters": int(model.count_params()),
    }
    says = [f"{metric} on {len(truth)} validation images, mean and range over {len(seeds)} seeds"]
    for found in results:
        low, high, mean = min(found["scores"]), max(found["scores"]), np.mean(found["scores"])
        says.append(f"{found['kind']:16} {mean:.3f} ({low:.3f} to {high:.3f}) at its best rate, {found['rate']:g}")
    says.append(
        f"chosen: {chosen}; wiring: loss {wiring['first_loss']:.2f} at the start, log(classes) is "
        f"{wiring['log_classes']:.2f}; labels shuffled: {wiring['shuffled']:.2f}"
    )
    arrays = {"logits": logits, "truth": truth}
    return project.save("training", {"says": "\n".join(says), **facts}, started, **arrays)


def _prepared(candidate: Candidate, data: _Data, head: _Learner, size: int):
    """A learner of this kind, and its inputs: features, cached maps, or pixels."""
    if candidate.kind == "frozen features":
        return head, data.features
    if candidate.kind == "from scratch":
        inputs = {name: data.images(name) for name in ("training", "validation")}
        return _Learner(small_network(size, data.classes), {"": 1.0}), inputs
    trunk, tail = transfer.split(whole_model(size, data.classes), CUT)
    for layer in tail.layers:
        layer.trainable = not isinstance(layer, transfer.NORMALISATIONS)
    for name in ("training", "validation"):
        data.maps[name] = trunk.predict(data.images(name), batch_size=64, verbose=0)
    return _Learner(tail, {"scores": 1.0, "": 0.1}), data.maps


def _trained_head(head: _Learner, data: _Data, seeds, heads: dict, seed: int) -> list:
    """The head that frozen features gave with this seed: fine-tuning starts there."""
    if seed not in heads:
        candidate = heads.get("candidate", Candidate("frozen features"))
        rate = heads.get("rate", candidate.rates[len(candidate.rates) // 2])
        model = head.run(data.features["training"], data.y["training"], rate, candidate, seed)
        heads[seed] = [keras.ops.convert_to_numpy(v.value) for v in model.weights if "scores" in v.path]
    return heads[seed]


def _wiring(head: _Learner, data: _Data, metric: str) -> dict:
    """Loss at the start, a tiny set learnt by heart, and the control: with shuffled labels nothing is to be learnt."""
    x, y, truth = data.features["training"], data.y["training"], data.y["validation"]
    every, rate = Candidate("frozen features"), 3e-3
    for variable in head.fresh:
        variable.assign(np.zeros(tuple(variable.shape), "float32"))
    first = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, logits_of(head.model, x)))
    head.model.optimizer.restart({"scores": 1e-2})
    count = min(TINY, len(x))
    tiny = course.overfit_tiny(head.model, x, y, n=count, steps=TINY_STEPS, seed=0)
    shuffled = np.random.default_rng(0).permutation(y)
    head.run(x, shuffled, rate, every, 0)
    said = logits_of(head.model, data.features["validation"]).argmax(axis=1)
    return {
        "first_loss": first,
        "log_classes": float(np.log(data.classes)),
        "tiny_first": float(tiny.losses[0]),
        "tiny_last": float(tiny.losses[-1]),
        "tiny_n": count,
        "shuffled": score(truth, said, metric),
        "chance": 1 / data.classes,
    }


def _choice(results: list[dict]) -> str:
    """The best mean; within the spread of the best, the fewest weights to learn, pretrained before new."""
    best = max(results, key=lambda r: np.mean(r["scores"]))
    spread = max(best["scores"]) - min(best["scores"])
    near = [r for r in results if np.mean(r["scores"]) >= np.mean(best["scores"]) - spread]
    return min(near, key=lambda r: (KINDS.index(r["kind"]), r["learnt"]))["kind"]


def _assembled(kind: str, weights: list, classes: int, size: int) -> keras.Model:
    """The model from images to logits, with the weights that were kept."""
    if kind == "from scratch":
        model = small_network(size, classes)
        model.set_weights(weights)
        return model
    model = whole_model(size, classes)
    if kind == "frozen features":
        model.get_layer("scores").set_weights(weights)
    else:
        transfer.split(model, CUT)[1].set_weights(weights)
    return model
