"""The flowchart on the small projects: from what is seen to suspects, and from checks to the one cause."""

import keras
import numpy as np
import pytest

from cnnlib import broken, reliability
from cnnlib.broken import evidence
from cnnlib.reliability import diagnosis
from cnnlib.results import Experiment

RUNS = list(Experiment("15_projects").stored)
SEEN = ("classes", "majority_share", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


def symptoms(run: dict, name: str, *keys: str) -> dict:
    known = {key: value for key, value in run[name].items() if key != "in use"}
    return {key: known[key] for key in keys} if keys else {**known, **broken.by_eye(name)}


def test_all_seeds_are_stored_with_all_projects():
    assert [run["seed"] for run in RUNS] == [0, 1, 2]
    assert all(set(broken.NAMES) <= set(run) for run in RUNS)


def test_each_project_has_a_cause_of_its_own_from_the_flowchart():
    causes = [broken.cause(name) for name in broken.NAMES]
    assert len(set(causes)) == len(causes) == 11
    assert set(causes) <= {cause.name for cause in diagnosis.CAUSES}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"seed {run['seed']}")
@pytest.mark.parametrize("name", broken.NAMES)
def test_given_its_checks_the_flowchart_confirms_the_true_cause(name, run):
    found = reliability.diagnose(**symptoms(run, name))
    assert broken.cause(name) in found.confirmed, found


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"seed {run['seed']}")
@pytest.mark.parametrize("name", broken.NAMES)
def test_it_suspects_the_cause_before_any_check(name, run):
    first = symptoms(run, name, *SEEN, "serving_accuracy", "tiny_accuracy")
    found = reliability.diagnose(**first, wanted_accuracy=0.9)
    assert broken.cause(name) in found.suspected, found


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"seed {run['seed']}")
def test_leakage_is_not_suspected_where_validation_is_worse_than_training(run):
    for name in broken.NAMES:
        seen = symptoms(run, name, "train_accuracy", "validation_accuracy")
        if seen["validation_accuracy"][-1] < seen["train_accuracy"][-1]:
            assert "leakage" not in reliability.diagnose(**seen).suspected


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"seed {run['seed']}")
def test_leakage_makes_validation_better(run):
    """The forest's own picture: far above what is kept in use, and no double anywhere else."""
    leaky = symptoms(run, "forest")
    assert leaky["validation_accuracy"][-1] > leaky["serving_accuracy"] + 0.15
    assert leaky["duplicates_across"] > 0.9
    assert all(symptoms(run, name)["duplicates_across"] == 0 for name in broken.NAMES if name != "forest")


def test_a_live_run_gives_the_same_kind_of_symptoms():
    run = broken.project("inspection").run(0)
    found = {**broken.seen(run), **broken.checked(run)}
    assert set(found) | {"in use"} == set(RUNS[0]["inspection"])
    assert "serving_accuracy" not in broken.seen(run, in_use=False)
    assert min(found["recall"]) < 0.4
    assert found["tiny_accuracy"] >= 0.95
    assert found["loss_wants_logits"]
    assert not found["output_is_probability"]
    assert found["trainable_share"] == found["intended_share"]
    assert found["serving_input_difference"] == 0
    weights = run.model.get_weights()
    broken.checked(run)
    assert all(np.array_equal(a, b) for a, b in zip(weights, run.model.get_weights())), "a check changed the network"


def test_cross_entropy_of_logits_and_of_their_probabilities_agree():
    logits = np.random.default_rng(0).normal(size=(50, 4)) * 3
    labels = np.arange(50) % 4
    expected = float(keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)))
    assert evidence.cross_entropy(labels, logits) == pytest.approx(expected, rel=1e-5)
    assert evidence.cross_entropy(labels, evidence.probabilities(logits)) == pytest.approx(expected, rel=1e-5)
    assert np.allclose(evidence.probabilities(logits).sum(1), 1)
