"""The flowchart: each cause from its symptoms, refuted by its check, and leakage only where it can be."""

import numpy as np
import pytest

from cnnlib import reliability
from cnnlib.reliability import diagnosis

FALLING = [2.3, 1.5, 1.0, 0.7, 0.5]
GAP = {"train_accuracy": 0.99, "validation_accuracy": 0.6, "classes": 10}
# cause -> symptoms that suspect it, and the result of its check that confirms it, and one that rules it out
CASES = {
    "a bad picture": ({"train_loss": [2.3, np.nan]}, {"bad_inputs": 1}, {"bad_inputs": 0}),
    "labels do not belong to their pictures": (
        {"train_accuracy": 0.8, "validation_accuracy": 0.11, "classes": 10, "tiny_accuracy": 1.0},
        {"label_agreement": 0.12},
        {"label_agreement": 0.98},
    ),
    "augmentation changes the label": (GAP, {"augmented_agreement": 0.8}, {"augmented_agreement": 1.0}),
    "leakage": (
        {"train_accuracy": 0.9, "validation_accuracy": 0.95},
        {"duplicates_across": 0.4},
        {"duplicates_across": 0.0},
    ),
    "the loss expects another output": (
        {"tiny_accuracy": 0.6},
        {"output_is_probability": True, "loss_wants_logits": True},
        {"output_is_probability": False, "loss_wants_logits": True},
    ),
    "learning rate": ({"train_loss": [2.3, 2.3, 2.3]}, {"rate": 10, "best_rate": 0.1}, {"rate": 0.1, "best_rate": 0.1}),
    "more is frozen than was meant, or less": (
        {"train_accuracy": 0.6, "validation_accuracy": 0.58, "wanted_accuracy": 0.9},
        {"trainable_share": 0.58, "intended_share": 1.0},
        {"trainable_share": 1.0, "intended_share": 1.0},
    ),
    "frozen layers move": (GAP, {"frozen_moved": True}, {"frozen_moved": False}),
    "training and inference compute differently": (
        GAP,
        {"train_mode_accuracy": 0.99, "inference_accuracy": 0.61},
        {"train_mode_accuracy": 0.99, "inference_accuracy": 0.99},
    ),
    "overfitting": (GAP, {"inference_accuracy": 0.99}, {"inference_accuracy": 0.62}),
    "underfitting": ({"train_accuracy": 0.6, "validation_accuracy": 0.58, "wanted_accuracy": 0.9}, None, None),
    "dropout and augmentation lower the training score": (
        {"train_accuracy": 0.9, "validation_accuracy": 0.95},
        {"inference_accuracy": 0.97},
        {"inference_accuracy": 0.9},
    ),
    "a class hidden by accuracy": (
        {"validation_accuracy": 0.95, "majority_share": 0.95},
        {"recall": [1.0, 0.0]},
        {"recall": [0.95, 0.9]},
    ),
    "a shortcut": (
        {"validation_accuracy": 0.95, "serving_accuracy": 0.6},
        {"accuracy_without_cue": 0.5},
        {"accuracy_without_cue": 0.94},
    ),
    "small objects are lost": (
        None,
        {"small_recall": 0.1, "large_recall": 0.9},
        {"small_recall": 0.85, "large_recall": 0.9},
    ),
    "sure of itself and wrong": (None, {"calibration_error": 0.2}, {"calibration_error": 0.02}),
    "serving prepares images otherwise": (
        {"validation_accuracy": 0.95, "serving_accuracy": 0.6},
        {"train_range": (0, 1), "serving_range": (0, 255)},
        {"train_range": (0, 1), "serving_range": (0.02, 0.98)},
    ),
    "the inputs have changed": (
        {"validation_accuracy": 0.95, "serving_accuracy": 0.6},
        {"drift_alarm": True},
        {"drift_alarm": False},
    ),
}


def test_every_cause_has_its_case():
    assert list(CASES) == [cause.name for cause in diagnosis.CAUSES]
    assert {cause.stage for cause in diagnosis.CAUSES} == set(diagnosis.STAGES)
    stages = [diagnosis.STAGES.index(cause.stage) for cause in diagnosis.CAUSES]
    assert stages == sorted(stages), "the order of the ladder"


@pytest.mark.parametrize("name", CASES)
def test_a_cause_is_suspected_confirmed_and_ruled_out(name):
    seen, found, refuted = CASES[name]
    if seen is not None:
        assert name in reliability.diagnose(**seen).suspected
    if found is not None:
        result = reliability.diagnose(**(seen or {}), **found)
        assert result.confirmed[0] == name
        assert name not in result.suspected
        assert result.next_check.startswith("fix: ")
    if refuted is not None:
        result = reliability.diagnose(**(seen or {}), **refuted)
        assert name in result.ruled_out
        assert name not in result.confirmed + result.suspected


def test_validation_much_worse_than_training_is_never_called_leakage():
    for validation in np.linspace(0, 0.9, 10):
        result = reliability.diagnose(train_accuracy=1.0, validation_accuracy=validation, classes=10)
        assert "leakage" not in result.suspected
        assert "overfitting" in result.suspected
    assert "leakage" in reliability.diagnose(train_accuracy=0.9, validation_accuracy=0.96).suspected
    assert "leakage" in reliability.diagnose(validation_accuracy=0.96, serving_accuracy=0.6).suspected


def test_one_check_parts_overfitting_from_two_ways_of_computing():
    """A frozen backbone whose batch normalisation moves looks like overfitting; its own training images tell."""
    seen = {**GAP, "train_mode_accuracy": 0.99}
    both = {"overfitting", "training and inference compute differently"}
    assert both <= set(reliability.diagnose(**seen).suspected)
    assert reliability.diagnose(**seen, inference_accuracy=0.98).confirmed == ("overfitting",)
    assert reliability.diagnose(**seen, inference_accuracy=0.6).confirmed == (
        "training and inference compute differently",
    )


def test_all_is_well():
    result = reliability.diagnose(
        train_loss=FALLING, train_accuracy=0.93, validation_accuracy=0.92, wanted_accuracy=0.9, classes=10
    )
    assert result.findings == ()
    assert result.next_check is None
    assert "Nothing" in str(result)


def test_a_diagnosis_reads_as_suspect_check_fix():
    text = str(reliability.diagnose(**GAP, frozen_moved=True))
    assert text.startswith("frozen layers move (confirmed: weights or moving statistics")
    assert "overfitting (suspected: training accuracy 0.99, validation 0.60)" in text
    assert "    check: score the training images in inference" in text
    open_check = reliability.diagnose(**GAP).next_check
    assert open_check.startswith("check: ")


def test_courses_of_numbers_are_read_at_their_end():
    result = reliability.diagnose(train_accuracy=[0.2, 0.5, 0.99], validation_accuracy=[0.2, 0.4, 0.6])
    assert "overfitting" in result.suspected


def test_the_table_has_nine_rows_whose_causes_are_boxes_of_the_flowchart():
    assert len(reliability.TROUBLESHOOTING) == 9
    assert {cause for row in reliability.TROUBLESHOOTING for cause in row.causes} <= set(CASES)
    assert [row.symptom for row in reliability.troubleshoot("leakage")] == [
        "validation is better than training",
        "good on test data, poor in use",
    ]
    with pytest.raises(ValueError, match="unknown cause 'gremlins'"):
        reliability.troubleshoot("gremlins")


SEEN = {
    "the loss does not fall": {"train_loss": [2.3, 2.3, 2.29]},
    "the loss becomes NaN": {"train_loss": [2.3, np.nan]},
    "the loss jumps up and down": {"train_loss": [2.3, 1.0, 2.2, 0.9, 2.0]},
    "training is good, validation much worse": GAP,
    "training and validation are both poor": {
        "train_accuracy": 0.6,
        "validation_accuracy": 0.58,
        "wanted_accuracy": 0.9,
    },
    "validation is better than training": {"train_accuracy": 0.9, "validation_accuracy": 0.95},
    "validation never leaves chance, training does": {
        "train_accuracy": 0.8,
        "validation_accuracy": 0.11,
        "classes": 10,
    },
    "accuracy is high, a class is never found": {"validation_accuracy": 0.95, "majority_share": 0.95},
    "good on test data, poor in use": {"validation_accuracy": 0.95, "serving_accuracy": 0.6},
}


@pytest.mark.parametrize("row", diagnosis.TROUBLESHOOTING, ids=lambda row: row.symptom)
def test_table_and_flowchart_agree(row):
    """What the table names as causes of a symptom, the flowchart suspects when it sees the symptom."""
    suspected = set(reliability.diagnose(**SEEN[row.symptom]).suspected)
    missing = (
        set(row.causes) - suspected - {"more is frozen than was meant, or less", "the loss expects another output"}
    )
    assert not missing


@pytest.mark.parametrize(
    ("seen", "error", "message"),
    [
        ({"train_acuracy": 0.5}, TypeError, "unknown symptoms"),
        ({"train_accuracy": 99}, ValueError, "Were percent given"),
        ({"recall": [0.5, 1.2]}, ValueError, "shares from 0 to 1"),
        ({"symptoms": "NaN"}, TypeError, "expected Symptoms"),
        ({"symptoms": diagnosis.Symptoms(), "classes": 2}, TypeError, "not both"),
    ],
)
def test_what_has_no_meaning_is_refused(seen, error, message):
    with pytest.raises(error, match=message):
        reliability.diagnose(**seen)
