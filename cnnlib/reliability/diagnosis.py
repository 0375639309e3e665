"""An executable flowchart: from symptoms to suspects, from each suspect to the check that decides, then to the fix.

You say what you have seen (`Symptoms`; leave out what you have not), and `diagnose` answers with causes. Each is
**suspected** (what you saw would follow from it, as from other causes) or **confirmed** (you have done its check, and
it came out so); a cause whose check came out otherwise is dropped. The order is that of the ladder of lesson 15: data,
tiny set, curves, predictions, use. Do the first check that is open, add what came out, and ask again.

One arrow of many flowcharts is missing here on purpose: "validation much worse than training: look for leakage".
Leakage puts into the validation set what training has seen, so it makes validation *better*. It is suspected where
validation is as good as training or better, and where use is much worse than both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

__all__ = ["CAUSES", "TROUBLESHOOTING", "Cause", "Diagnosis", "Finding", "Row", "Symptoms", "diagnose", "troubleshoot"]

STAGES = ("data", "tiny set", "curves", "predictions", "use")


@dataclass(frozen=True)
class Symptoms:
    """What was seen; None for what was not looked at. Shares and accuracies are from 0 to 1.

    Attributes:
        classes: how many there are.
        majority_share: of the validation set, the most frequent class: what a constant answer scores.
        wanted_accuracy: what would be good enough.
        train_loss, validation_loss: by epoch.
        train_accuracy, validation_accuracy: at the end, or by epoch.
        serving_accuracy: in use, on labelled cases.
        recall: of each class, on validation data.
        predicted_shares: of each class among the predictions.
        bad_inputs: training images with NaN, infinity or nothing in them.
        label_agreement: of labels checked by eye, the share that is right.
        augmented_agreement: of augmented images, the share to which a person gives the label that they carry.
        duplicates_across: the share of validation images with a near-duplicate in the training set.
        grouped_accuracy: validation accuracy with groups (patient, scene, day) kept apart.
        tiny_accuracy: on twenty training images, after training on these alone until nothing changes.
        output_is_probability: the network ends in a softmax or sigmoid.
        loss_wants_logits: the loss was made with ``from_logits=True``.
        rate, best_rate: the learning rate that is used, and that of a range test.
        trainable_share, intended_share: of the weights, what is trainable, and what was meant to be.
        frozen_moved: something in the layers meant to be frozen changed in training, moving statistics included.
        train_mode_accuracy: on training images as training computes it (``training=True``, its preprocessing).
        inference_accuracy: on the *same* training images as inference computes it.
        serving_input_difference: the largest difference of a value between the two preprocessings of one file.
        train_range, serving_range: lowest and highest value that goes into the network.
        drift_alarm: a monitor says that the inputs have changed.
        accuracy_without_cue: with the suspected cue (background, watermark, border) removed or replaced.
        small_recall, large_recall: of small and of large objects.
        calibration_error: expected calibration error on validation data.
    """

    classes: int | None = None
    majority_share: float | None = None
    wanted_accuracy: float | None = None
    train_loss: Sequence[float] | None = None
    validation_loss: Sequence[float] | None = None
    train_accuracy: float | Sequence[float] | None = None
    validation_accuracy: float | Sequence[float] | None = None
    serving_accuracy: float | None = None
    recall: Sequence[float] | None = None
    predicted_shares: Sequence[float] | None = None
    bad_inputs: int | None = None
    label_agreement: float | None = None
    augmented_agreement: float | None = None
    duplicates_across: float | None = None
    grouped_accuracy: float | None = None
    tiny_accuracy: float | None = None
    output_is_probability: bool | None = None
    loss_wants_logits: bool | None = None
    rate: float | None = None
    best_rate: float | None = None
    trainable_share: float | None = None
    intended_share: float | None = None
    frozen_moved: bool | None = None
    train_mode_accuracy: float | None = None
    inference_accuracy: float | None = None
    serving_input_difference: float | None = None
    train_range: tuple[float, float] | None = None
    serving_range: tuple[float, float] | None = None
    drift_alarm: bool | None = None
    accuracy_without_cue: float | None = None
    small_recall: float | None = None
    large_recall: float | None = None
    calibration_error: float | None = None

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None or not field.name.endswith(("accuracy", "share", "agreement", "recall", "across")):
                continue
            numbers = np.atleast_1d(np.asarray(value, "float64"))
            known = numbers[~np.isnan(numbers)]
            if not len(numbers) or known.size and (known.min() < 0 or known.max() > 1):
                raise ValueError(f"{field.name}={value}; expected shares from 0 to 1. Were percent given?")

    def last(self, name: str) -> float | None:
        """The last value of what may be a number or a course of numbers."""
        value = getattr(self, name)
        return None if value is None else float(np.atleast_1d(np.asarray(value, "float64"))[-1])

    @property
    def chance(self) -> float | None:
        """The strongest constant answer: the majority share, or one of so many classes."""
        if self.majority_share is not None:
            return self.majority_share
        return 1 / self.classes if self.classes else None

    def has(self, *names: str) -> bool:
        """Whether all of these were looked at."""
        return all(getattr(self, name) is not None for name in names)


class Outcome(NamedTuple):
    """Of a check: whether the cause is there, and what says so."""

    there: bool
    evidence: str


@dataclass(frozen=True)
class Cause:
    """One box of the flowchart.

    Attributes:
        name: of the cause.
        stage: of the ladder, one of `STAGES`.
        suspect: symptoms -> why it is suspected, or None.
        decide: symptoms -> what its check gave, or None if that was not done.
        check: what to do to know.
        fix: what to do about it.
    """

    name: str
    stage: str
    suspect: Callable[[Symptoms], str | None]
    decide: Callable[[Symptoms], Outcome | None]
    check: str
    fix: str


@dataclass(frozen=True)
class Finding:
    """A cause that fits what was seen: ``confirmed`` by its check, or suspected, with the reason for it."""

    cause: str
    stage: str
    confirmed: bool
    why: str
    check: str
    fix: str


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found: confirmed causes first, then suspects, each in the order of the ladder."""

    findings: tuple[Finding, ...]
    ruled_out: tuple[str, ...]

    @property
    def confirmed(self) -> tuple[str, ...]:
        """Names of the causes that their checks confirmed."""
        return tuple(finding.cause for finding in self.findings if finding.confirmed)

    @property
    def suspected(self) -> tuple[str, ...]:
        """Names of the causes that are suspected only."""
        return tuple(finding.cause for finding in self.findings if not finding.confirmed)

    @property
    def next_check(self) -> str | None:
        """What to do next: the fix of a confirmed cause comes first; else the first open check."""
        for finding in self.findings:
            return f"fix: {finding.fix}" if finding.confirmed else f"check: {finding.check}"
        return None

    def __str__(self) -> str:
        if not self.findings:
            return "Nothing that was seen points to a cause of this flowchart."
        lines = []
        for finding in self.findings:
            state = "confirmed" if finding.confirmed else "suspected"
            lines += [f"{finding.cause} ({state}: {finding.why})"]
            lines += [f"    fix: {finding.fix}" if finding.confirmed else f"    check: {finding.check}"]
        return "\n".join(lines)


def diagnose(symptoms: Symptoms | None = None, **seen) -> Diagnosis:
    """Causes that fit what was seen.

    Args:
        symptoms: what was seen; or give its attributes by name: ``diagnose(train_accuracy=0.99, ...)``.

    Raises:
        TypeError: a symptom of another name, or nothing was given.
        ValueError: a share outside 0 to 1.
    """
    if symptoms is not None and (seen or not isinstance(symptoms, Symptoms)):
        raise TypeError(f"expected Symptoms, or symptoms by name, not both; got {type(symptoms).__name__}, {seen}.")
    known = {field.name for field in fields(Symptoms)}
    if unknown := set(seen) - known:
        raise TypeError(f"unknown symptoms {sorted(unknown)}; expected some of: {', '.join(sorted(known))}.")
    symptoms = symptoms or Symptoms(**seen)
    findings, ruled_out = [], []
    for cause in CAUSES:
        outcome, reason = cause.decide(symptoms), cause.suspect(symptoms)
        if outcome is not None and not outcome.there:
            ruled_out.append(cause.name)
        elif outcome is not None or reason:
            why = outcome.evidence if outcome is not None else reason
            findings.append(Finding(cause.name, cause.stage, outcome is not None, why, cause.check, cause.fix))
    order = {cause.name: number for number, cause in enumerate(CAUSES)}
    findings.sort(key=lambda finding: (not finding.confirmed, order[finding.cause]))
    return Diagnosis(tuple(findings), tuple(ruled_out))


# --- what the curves say: the questions of the flowchart -------------------------------------------------------------

GAP = 0.1 - 1e-9  # of accuracies, from which on training and validation are called far apart; 1.0 and 0.9 are
NEAR_CHANCE = 0.05


def _nan(s: Symptoms) -> str | None:
    for name in ("train_loss", "validation_loss"):
        values = getattr(s, name)
        if values is not None and not np.isfinite(np.asarray(values, "float64")).all():
            return f"the {name.replace('_', ' ')} is not finite from epoch {_first_bad(values)} on"
    return None


def _first_bad(values: Sequence[float]) -> int:
    return int(np.flatnonzero(~np.isfinite(np.asarray(values, "float64")))[0]) + 1


def _flat(s: Symptoms) -> str | None:
    """The training loss has not fallen by a twentieth, or training accuracy is that of a constant answer."""
    if _nan(s):
        return None
    if s.train_loss is not None and len(s.train_loss) > 1 and min(s.train_loss) > 0.95 * s.train_loss[0]:
        return f"the training loss went from {s.train_loss[0]:.3g} to {s.train_loss[-1]:.3g} only"
    accuracy = s.last("train_accuracy")
    if accuracy is not None and s.chance is not None and accuracy < s.chance + NEAR_CHANCE:
        return f"training accuracy {accuracy:.2f} is near {s.chance:.2f}, that of a constant answer"
    return None


def _jumping(s: Symptoms) -> str | None:
    if _nan(s) or s.train_loss is None or len(s.train_loss) < 4:
        return None
    steps = np.diff(np.asarray(s.train_loss, "float64"))
    if (steps > 0).mean() >= 1 / 3 and np.abs(steps).max() > 0.1 * abs(s.train_loss[0]):
        return f"the training loss rose in {(steps > 0).sum()} of {len(steps)} epochs"
    return None


def _gap(s: Symptoms) -> str | None:
    """Validation is much worse than training."""
    train, validation = s.last("train_accuracy"), s.last("validation_accuracy")
    if train is None or validation is None or train - validation < GAP:
        return None
    return f"training accuracy {train:.2f}, validation {validation:.2f}"


def _too_good(s: Symptoms) -> str | None:
    """Validation is as good as training, or better."""
    train, validation = s.last("train_accuracy"), s.last("validation_accuracy")
    if train is None or validation is None or validation < train + 0.02:
        return None
    return f"validation accuracy {validation:.2f} is above that of training, {train:.2f}"


def _both_poor(s: Symptoms) -> str | None:
    train, validation = s.last("train_accuracy"), s.last("validation_accuracy")
    if train is None or validation is None or s.wanted_accuracy is None or _gap(s) or _flat(s):
        return None
    if train < s.wanted_accuracy:
        return f"training accuracy {train:.2f} and validation {validation:.2f}, {s.wanted_accuracy:.2f} wanted"
    return None


def _worse_in_use(s: Symptoms) -> str | None:
    validation = s.last("validation_accuracy")
    if validation is None or s.serving_accuracy is None or validation - s.serving_accuracy < 0.05:
        return None
    return f"validation accuracy {validation:.2f}, in use {s.serving_accuracy:.2f}"


def _memorised_only(s: Symptoms) -> str | None:
    """Twenty images can be learned, and yet validation is that of a constant answer."""
    validation = s.last("validation_accuracy")
    if validation is None or s.chance is None or validation > s.chance + NEAR_CHANCE:
        return None
    if s.tiny_accuracy is not None and s.tiny_accuracy < 0.95:
        return None
    return f"validation accuracy {validation:.2f} is near {s.chance:.2f}, that of a constant answer"


def _tiny_failed(s: Symptoms) -> str | None:
    if s.tiny_accuracy is None or s.tiny_accuracy >= 0.95:
        return None
    return f"twenty images were not learned by heart: accuracy {s.tiny_accuracy:.2f}"


def _one_answer(s: Symptoms) -> str | None:
    if s.predicted_shares is None or max(s.predicted_shares) < 0.95:
        return None
    return f"{max(s.predicted_shares):.0%} of the predictions are one class"


def _any(*questions: Callable[[Symptoms], str | None]) -> Callable[[Symptoms], str | None]:
    """The first of the reasons that holds."""
    return lambda s: next((reason for question in questions if (reason := question(s))), None)


def _never(s: Symptoms) -> None:
    return None


# --- what the checks say ---------------------------------------------------------------------------------------------


def _below(name: str, limit: float, text: str) -> Callable[[Symptoms], Outcome | None]:
    def decide(s: Symptoms) -> Outcome | None:
        value = getattr(s, name)
        return None if value is None else Outcome(value < limit, text.format(value))

    return decide


def _bad_inputs(s: Symptoms) -> Outcome | None:
    if s.bad_inputs is None:
        return None
    return Outcome(s.bad_inputs > 0, f"{s.bad_inputs} training images hold NaN, infinity or nothing")


def _leakage(s: Symptoms) -> Outcome | None:
    validation = s.last("validation_accuracy")
    evidence = []
    if s.duplicates_across is not None:
        evidence.append(
            Outcome(s.duplicates_across > 0.01, f"{s.duplicates_across:.1%} of the validation images are near-doubles")
        )
    if s.grouped_accuracy is not None and validation is not None:
        lost = validation - s.grouped_accuracy
        evidence.append(Outcome(lost > 0.05, f"accuracy falls by {lost:.2f} with groups kept apart"))
    return next((outcome for outcome in evidence if outcome.there), evidence[0] if evidence else None)


def _loss_and_output(s: Symptoms) -> Outcome | None:
    if not s.has("output_is_probability", "loss_wants_logits"):
        return None
    output = "probabilities" if s.output_is_probability else "logits"
    loss = "logits" if s.loss_wants_logits else "probabilities"
    return Outcome(output != loss, f"the network gives {output}, the loss wants {loss}")


def _rate(s: Symptoms) -> Outcome | None:
    if not s.has("rate", "best_rate"):
        return None
    ratio = s.rate / s.best_rate
    return Outcome(not 0.1 <= ratio <= 10, f"the learning rate is {ratio:.2g} times that of the range test")


def _wrong_share(s: Symptoms) -> Outcome | None:
    if not s.has("trainable_share", "intended_share"):
        return None
    off = abs(s.trainable_share - s.intended_share)
    return Outcome(off > 0.01, f"{s.trainable_share:.0%} of the weights are trainable, {s.intended_share:.0%} meant")


def _frozen(s: Symptoms) -> Outcome | None:
    if s.frozen_moved is None:
        return None
    return Outcome(bool(s.frozen_moved), "weights or moving statistics of frozen layers changed")


def _mode(s: Symptoms) -> Outcome | None:
    if not s.has("train_mode_accuracy", "inference_accuracy"):
        return None
    lost = s.train_mode_accuracy - s.inference_accuracy
    return Outcome(
        lost > 0.05,
        f"training images: {s.train_mode_accuracy:.2f} as in training, {s.inference_accuracy:.2f} in inference",
    )


def _overfit(s: Symptoms) -> Outcome | None:
    """Training images are right in inference too, so that the loss lies in what is new."""
    validation = s.last("validation_accuracy")
    if s.inference_accuracy is None or validation is None:
        return None
    lost = s.inference_accuracy - validation
    return Outcome(lost >= GAP, f"in inference training images {s.inference_accuracy:.2f}, validation {validation:.2f}")


def _regularised(s: Symptoms) -> Outcome | None:
    """Validation is better only because training is measured with dropout and augmentation on."""
    train, validation = s.last("train_accuracy"), s.last("validation_accuracy")
    if s.inference_accuracy is None or validation is None or train is None:
        return None
    return Outcome(
        s.inference_accuracy >= validation - 0.02 and validation > train,
        f"the training images in inference: {s.inference_accuracy:.2f}, above validation {validation:.2f}",
    )


def _hidden_class(s: Symptoms) -> Outcome | None:
    if s.recall is None:
        return None
    values = np.asarray(s.recall, "float64")
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    worst = float(values.min())
    return Outcome(
        worst < 0.5 * float(np.median(values)) or worst < 0.2,
        f"recall of the worst class {worst:.2f}, median {float(np.median(values)):.2f}",
    )


def _shortcut(s: Symptoms) -> Outcome | None:
    validation = s.last("validation_accuracy")
    if s.accuracy_without_cue is None or validation is None:
        return None
    lost = validation - s.accuracy_without_cue
    return Outcome(lost > GAP, f"without the cue accuracy falls from {validation:.2f} to {s.accuracy_without_cue:.2f}")


def _skew(s: Symptoms) -> Outcome | None:
    evidence = []
    if s.serving_input_difference is not None:
        evidence.append(
            Outcome(s.serving_input_difference > 0.02, f"one file, two inputs: {s.serving_input_difference:.3g} apart")
        )
    if s.has("train_range", "serving_range"):
        (low, high), (other_low, other_high) = s.train_range, s.serving_range
        width = max(high - low, 1e-12)
        off = max(abs(low - other_low), abs(high - other_high)) / width
        evidence.append(Outcome(off > 0.25, f"inputs of {s.train_range} in training, {s.serving_range} in serving"))
    return next((outcome for outcome in evidence if outcome.there), evidence[0] if evidence else None)


def _drifted(s: Symptoms) -> Outcome | None:
    if s.drift_alarm is None:
        return None
    return Outcome(bool(s.drift_alarm), "the monitor says that the inputs have changed")


def _small(s: Symptoms) -> Outcome | None:
    if not s.has("small_recall", "large_recall"):
        return None
    return Outcome(
        s.small_recall < 0.5 * s.large_recall, f"recall of small {s.small_recall:.2f}, large {s.large_recall:.2f}"
    )


def _overconfident(s: Symptoms) -> Outcome | None:
    if s.calibration_error is None:
        return None
    return Outcome(s.calibration_error > 0.05, f"expected calibration error {s.calibration_error:.3f}")


def _accuracy_is_the_majority(s: Symptoms) -> str | None:
    validation = s.last("validation_accuracy")
    if validation is None or s.majority_share is None or validation > s.majority_share + NEAR_CHANCE:
        return None
    return f"accuracy {validation:.2f} where a constant answer scores {s.majority_share:.2f}"


CAUSES: tuple[Cause, ...] = (
    Cause(
        "a bad picture",
        "data",
        _nan,
        _bad_inputs,
        "count the training images that hold NaN or infinity or have no spread, after preprocessing",
        "drop or mend them, and let the loader refuse the next one by name",
    ),
    Cause(
        "labels do not belong to their pictures",
        "data",
        _memorised_only,
        _below("label_agreement", 0.9, "{:.0%} of the labels checked by eye are right"),
        "look at fifty training images with their labels, as they come out of the input pipeline",
        "shuffle and sort images and labels together; join them by name, not by position",
    ),
    Cause(
        "augmentation changes the label",
        "data",
        _any(_gap, _both_poor, _memorised_only),
        _below("augmented_agreement", 0.95, "a person agrees with {:.0%} of the labels of augmented images"),
        "look at fifty augmented images, and write down which label you would give",
        "leave out what changes the meaning (6 and 9, left and right), or change the label with it",
    ),
    Cause(
        "leakage",
        "data",
        _any(_too_good, _worse_in_use),
        _leakage,
        "look for near-duplicates of validation images in the training set; split by group and measure again",
        "split by what will be new in use (patient, scene, day), and quote the number of that split",
    ),
    Cause(
        "the loss expects another output",
        "tiny set",
        _any(_tiny_failed, _flat, _both_poor),
        _loss_and_output,
        "compare the last activation with from_logits of the loss",
        "give logits to from_logits=True, or probabilities to from_logits=False",
    ),
    Cause(
        "learning rate",
        "tiny set",
        _any(_tiny_failed, _nan, _flat, _jumping),
        _rate,
        "range test from 1e-6 to 1 (training.range_test)",
        "take the rate of the range test; warm up, or clip gradients, if it starts with a jump",
    ),
    Cause(
        "more is frozen than was meant, or less",
        "tiny set",
        _any(_tiny_failed, _both_poor),
        _wrong_share,
        "print the trainable weights by layer, and their share of all",
        "freeze by stage or by layer object, not by a piece of a name that other layers share",
    ),
    Cause(
        "frozen layers move",
        "curves",
        _gap,
        _frozen,
        "compare all weights of the frozen layers, moving statistics included, before and after an epoch",
        "set trainable=False on the layers before compiling, and call the backbone with training=False",
    ),
    Cause(
        "training and inference compute differently",
        "curves",
        _gap,
        _mode,
        "score the same training images as training does, and as inference does",
        "one preprocessing function for both; for batch normalisation more steps, a lower momentum or larger batches",
    ),
    Cause(
        "overfitting",
        "curves",
        _gap,
        _overfit,
        "score the training images in inference; draw the learning curve over the number of images",
        "more images, augmentation that keeps the label, weight decay, a pretrained backbone, an earlier end",
    ),
    Cause(
        "underfitting",
        "curves",
        _both_poor,
        _never,
        "train longer, and a wider network, without regularisation: does training accuracy rise?",
        "a larger or pretrained network, more epochs, less regularisation, larger images",
    ),
    Cause(
        "dropout and augmentation lower the training score",
        "curves",
        _too_good,
        _regularised,
        "score the training images in inference, without augmentation",
        "nothing to mend: compare training and validation both in inference",
    ),
    Cause(
        "a class hidden by accuracy",
        "predictions",
        _any(_accuracy_is_the_majority, _one_answer),
        _hidden_class,
        "look at the recall of each class, and at the accuracy of a constant answer",
        "judge by recall of each class or by cost; weight or resample; choose the threshold from the cost",
    ),
    Cause(
        "a shortcut",
        "predictions",
        _worse_in_use,
        _shortcut,
        "remove the suspected cue (border, background, watermark) and measure again; look at the maps of lesson 10",
        "collect or make images in which the cue does not go with the class; crop it away in training and in use",
    ),
    Cause(
        "small objects are lost",
        "predictions",
        _never,
        _small,
        "recall by size, against the stride of the feature map that answers",
        "larger inputs, tiles, or a finer level of the pyramid; they cost what they cost",
    ),
    Cause(
        "sure of itself and wrong",
        "predictions",
        _never,
        _overconfident,
        "reliability diagram and expected calibration error on validation data",
        "a temperature fitted on validation data; it does not repair a shift of the inputs",
    ),
    Cause(
        "serving prepares images otherwise",
        "use",
        _worse_in_use,
        _skew,
        "send one file through both preprocessings and subtract (a golden-file test)",
        "one function for both, stored beside the weights with its version",
    ),
    Cause(
        "the inputs have changed",
        "use",
        _worse_in_use,
        _drifted,
        "compare image statistics and confidences with those of reference data (drift.Monitor)",
        "look at the new images, label some, retrain; rolling back does not help, the old model sees them too",
    ),
)


# --- the table -------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A row of the table: what is seen, causes from likely to rare, the first check, the fix."""

    symptom: str
    causes: tuple[str, ...]
    check: str
    fix: str


TROUBLESHOOTING: tuple[Row, ...] = (
    Row(
        "the loss does not fall",
        ("learning rate", "the loss expects another output", "more is frozen than was meant, or less"),
        "train on twenty images until nothing changes: are they learned by heart?",
        "if not, it is the network, the loss or the rate; if yes, go on to the data",
    ),
    Row(
        "the loss becomes NaN",
        ("a bad picture", "learning rate"),
        "does every image have only finite values? If so, lower the rate tenfold and start again",
        "drop the image by name, or take the rate of a range test; clip gradients",
    ),
    Row(
        "the loss jumps up and down",
        ("learning rate",),
        "range test, and the same rate with batches four times as large",
        "a lower rate, warm-up, larger batches",
    ),
    Row(
        "training is good, validation much worse",
        (
            "overfitting",
            "training and inference compute differently",
            "frozen layers move",
            "augmentation changes the label",
        ),
        "score the training images in inference: good means overfitting, poor means that the two compute differently",
        "more images, augmentation, decay, a pretrained backbone; or one preprocessing for both. Not: leakage",
    ),
    Row(
        "training and validation are both poor",
        ("underfitting", "the loss expects another output", "more is frozen than was meant, or less"),
        "does a larger network, trained longer and without regularisation, get better in training?",
        "capacity, epochs, pretrained weights, larger images",
    ),
    Row(
        "validation is better than training",
        ("dropout and augmentation lower the training score", "leakage"),
        "score the training images in inference; look for near-duplicates across the split",
        "compare both in inference; split by group",
    ),
    Row(
        "validation never leaves chance, training does",
        ("labels do not belong to their pictures", "augmentation changes the label"),
        "look at fifty images with their labels, as they come out of the input pipeline",
        "shuffle images and labels together; augment only in ways that keep the label",
    ),
    Row(
        "accuracy is high, a class is never found",
        ("a class hidden by accuracy",),
        "recall of each class, beside the score of a constant answer",
        "another metric, class weights or resampling, a threshold from the cost",
    ),
    Row(
        "good on test data, poor in use",
        ("serving prepares images otherwise", "the inputs have changed", "leakage", "a shortcut"),
        "send one file through both preprocessings; then the monitor; then a split by group; then remove the cue",
        "one preprocessing function; new labels; an honest split; data without the shortcut",
    ),
)


def troubleshoot(cause: str | None = None) -> list[Row]:
    """The rows of the table in which a cause stands, or all.

    Raises:
        ValueError: there is no such cause.
    """
    if cause is None:
        return list(TROUBLESHOOTING)
    names = [c.name for c in CAUSES]
    if cause not in names:
        raise ValueError(f"unknown cause {cause!r}; expected one of: {'; '.join(names)}.")
    return [row for row in TROUBLESHOOTING if cause in row.causes]
