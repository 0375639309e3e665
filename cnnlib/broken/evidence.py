"""What is seen of a run, and the checks of the flowchart done on it: symptoms for `cnnlib.reliability.diagnose`.

`seen` is what every training shows. `checked` does the work of each check: it trains on twenty pictures, compares
weights, looks for doubles. What only a person can see (does this label belong to this picture?) it cannot do; in lesson
15 that person is you.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from cnnlib.broken.causes import CAUSES, by_eye, cause
from cnnlib.broken.steps import Project, Run, accuracy
from cnnlib.reliability import diagnose

NAMES = tuple(CAUSES)

__all__ = [
    *("ROWS", "by_scene", "checked", "confirms", "cross_entropy", "four_numbers", "probabilities", "seen"),
    *("served_as_validated", "tiny"),
]


def seen(run: Run, in_use: bool = True) -> dict[str, Any]:
    """Symptoms of a run that need no further work, by their names in `cnnlib.reliability.Symptoms`.

    Args:
        run: of a project.
        in_use: with ``serving_accuracy``, which nobody knows before the network is in use.
    """
    labels = run.sets["validation"][1]
    found = {
        "classes": len(run.project.classes),
        "majority_share": float(np.bincount(labels).max() / len(labels)),
        "train_loss": list(run.history["loss"]),
        "validation_loss": list(run.history["val_loss"]),
        "train_accuracy": list(run.history["accuracy"]),
        "validation_accuracy": list(run.history["val_accuracy"]),
    }
    if in_use:
        found["serving_accuracy"] = run.accuracies()["field"]
    return found


def checked(run: Run, seed: int = 0) -> dict[str, Any]:
    """What the checks of the flowchart give that a program can do: symptoms, by their names.

    Args:
        run: of a project.
        seed: of the twenty pictures.
    """
    (x, y), (new, new_labels) = run.sets["train"], run.sets["validation"]
    sizes = {weight.path: int(np.prod(weight.shape)) for weight in run.model.weights}
    fixed = {path for path in sizes if path.split("/")[0] in run.project.fixed}
    learns = [weight.path for weight in run.model.trainable_weights]
    should = [path for path in sizes if path not in fixed and "/moving_" not in path]
    moved = run.moved()
    outputs = run.outputs_of(new)
    with np.errstate(all="ignore"):
        spread = np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0).std(axis=(1, 2, 3))
    bad = ~np.isfinite(x).all(axis=(1, 2, 3)) | (spread == 0)
    served = run.serve(run.data.pictures[run.split[1]])
    return {
        "bad_inputs": int(bad.sum()),
        "tiny_accuracy": tiny(run.project, seed),
        "output_is_probability": _are_probabilities(outputs),
        "loss_wants_logits": _wants_logits(run.project),
        "trainable_share": sum(sizes[path] for path in learns) / sum(sizes.values()),
        "intended_share": sum(sizes[path] for path in should) / sum(sizes.values()),
        "frozen_moved": any(moved[path] > 0 for path in fixed),
        "train_mode_accuracy": _in_training(run, x, y),
        "inference_accuracy": accuracy(y, run.outputs_of(x)),
        "recall": [float(np.mean(outputs[new_labels == k].argmax(1) == k)) for k in np.unique(new_labels)],
        "duplicates_across": by_scene(run),
        "serving_input_difference": float(np.mean(served != np.nan_to_num(outputs).argmax(axis=1))),
    }


def _in_training(run: Run, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy with ``training=True``, in batches as in training; the moving statistics are put back."""
    before = run.model.get_weights()
    parts = range(0, len(x), run.project.batch_size)
    order = np.random.default_rng(run.seed).permutation(len(x))
    batches = [order[first : first + run.project.batch_size] for first in parts]
    right = [accuracy(y[b], ops.convert_to_numpy(run.model(x[b], training=True))) * len(b) for b in batches]
    run.model.set_weights(before)
    return float(np.sum(right) / len(x))


def tiny(project: Project, seed: int = 0, count: int = 20, epochs: int = 60) -> float:
    """Accuracy on ``count`` pictures of training, after a run on these alone: the second rung of the ladder.

    Args:
        project: whose steps are run, all but the split.
        seed: which pictures.
        count: how many; each epoch is one step.
        epochs: how long.
    """

    def few(data, rng):
        chosen = rng.permutation(np.asarray(project.split(data, rng)[0]))[:count]
        return chosen, chosen

    run = project.replace(split=few, epochs=epochs).run(seed)
    x, y = run.sets["train"]
    return accuracy(y, run.outputs_of(x))


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Probabilities of what a network says: as they are, if they are some, else by a softmax."""
    if _are_probabilities(outputs):
        return outputs
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def cross_entropy(labels: np.ndarray, outputs: np.ndarray) -> float:
    """Minus the mean logarithm of the probability of the true class, in nats, of logits or of probabilities."""
    true = probabilities(np.asarray(outputs, "float64"))[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(true, 1e-7))))


def _are_probabilities(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def _wants_logits(project: Project) -> bool:
    """Whether the loss turns its input into probabilities itself: of logits with a common offset it is the same."""
    logits = np.array([[2.0, -1.0, *[0.5] * (len(project.classes) - 2)]], "float32")
    both = [
        float(np.mean(ops.convert_to_numpy(project.loss(np.array([0]), ops.convert_to_tensor(z)))))
        for z in (logits, logits + 3)
    ]
    return bool(np.isclose(*both, atol=1e-4))


def by_scene(run: Run) -> float:
    """Of the validation pictures, the share with a sister in training: a file ``camera_scene_number`` of its scene.

    0 where files are not named like that.
    """
    if len(run.data.names) != len(run.data.labels) or "_" not in str(run.data.names[0]):
        return 0.0
    scenes = np.array([name.rpartition("_")[0] for name in run.data.names])
    train, validation = (scenes[part] for part in run.split)
    return float(np.isin(validation, train).mean())


def served_as_validated(run: Run) -> float:
    """Of the validation pictures, the share that gets in use the answer that it got in validation."""
    validated = run.outputs_of(run.sets["validation"][0]).argmax(axis=1)
    return float(np.mean(run.serve(run.data.pictures[run.split[1]]) == validated))


# --- stored runs ------------------------------------------------------------------------------------------------------


def four_numbers(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Of each project its accuracy in training, in validation, in use, and on twenty pictures: means over the runs.

    Args:
        runs: stored ones, each name -> symptoms, with "in use" among them.
    """
    keys = ("train_accuracy", "validation_accuracy", "in use", "tiny_accuracy")
    return {name: [float(np.mean([_last(run, name, key) for run in runs])) for key in keys] for name in NAMES}


def confirms(run: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the flowchart, given all checks of a stored run, confirms the true cause of each project."""
    found = {}
    for name in NAMES:
        symptoms = {key: value for key, value in run[name].items() if key != "in use"}
        found[name] = cause(name) in diagnose(**symptoms, **by_eye(name)).confirmed
    return found


def _last(run: Mapping[str, Any], name: str, key: str) -> float:
    return float(np.ravel(run[name][key])[-1])


# The rows of `cnnlib.reliability.TROUBLESHOOTING`, in their order: where each shows, and how one sees it in a run.
ROWS: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("toys", lambda run: min(run["toys"]["train_loss"]) > 0.95 * np.log(3)),  # what knowing nothing costs
    ("microscope", lambda run: not np.isfinite(_last(run, "microscope", "train_loss"))),
    ("shoes at a rate of 3", lambda run: max(np.diff(run["jumping"]["train_loss"])) > 0.1),
    (
        "studio",
        lambda run: _last(run, "studio", "train_accuracy") > _last(run, "studio", "validation_accuracy") + 0.05,
    ),
    (
        "catalogue",
        lambda run: max(_last(run, "catalogue", key) for key in ("train_accuracy", "validation_accuracy")) < 0.85,
    ),
    ("shoes in noise", lambda run: _last(run, "noisy", "validation_accuracy") > _last(run, "noisy", "train_accuracy")),
    (
        "wardrobe",
        lambda run: _last(run, "wardrobe", "validation_accuracy") < 0.2 < _last(run, "wardrobe", "inference_accuracy"),
    ),
    (
        "inspection",
        lambda run: _last(run, "inspection", "validation_accuracy") > 0.85 and min(run["inspection"]["recall"]) < 0.4,
    ),
    ("gate", lambda run: _last(run, "gate", "validation_accuracy") > _last(run, "gate", "in use") + 0.3),
)
