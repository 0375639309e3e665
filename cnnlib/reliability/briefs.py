"""Six production briefs: five decisions each, and a function that says which constraint a choice breaks. Lesson 15.

A brief is a few facts about where a network will work. `review` takes your decisions (split, metric, threshold,
architecture, monitoring; the choices are in `OPTIONS`) and gives back objections, each with the fact that it breaks and
the reason. No objection does not mean that the plan is good: it means that none of these facts speaks against it.

The briefs are invented, and so are their numbers; operations and sizes of the networks are not (lessons 07 and 11-13).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["ARCHITECTURES", "BRIEFS", "OPTIONS", "Architecture", "Brief", "Objection", "review"]


class Architecture(NamedTuple):
    """What a network answers, and what it takes: billions of multiply-accumulates an image, megabytes of weights.

    ``side`` is the longer side of its input in pixels, and ``stride`` that of its finest map that answers, for networks
    that find objects.
    """

    task: str
    gmacs: float
    megabytes: float
    side: int = 224
    stride: int = 32
    hosted: bool = False


# float32 weights. Faster R-CNN with ResNet-50 and a feature pyramid as in torchvision; the text recogniser is the CRNN
# of Shi, Bai, Yao (2015), a line of text at a time. The others are those of the course: U-Net with four levels of 64 to
# 1,024 channels at 256 pixels, DeepLabV3 on MobileNetV2 at stride 8.
ARCHITECTURES: dict[str, Architecture] = {
    "MobileNetV2": Architecture("classification", 0.3, 14),
    "EfficientNet-Lite0": Architecture("classification", 0.4, 19),
    "ResNet-50": Architecture("classification", 4.1, 102),
    "SSDLite": Architecture("detection", 0.8, 18, side=320, stride=16),
    "Faster R-CNN": Architecture("detection", 134, 167, side=1333, stride=4),
    "U-Net": Architecture("segmentation", 65, 138, side=256, stride=1),
    "DeepLabV3": Architecture("segmentation", 8.8, 8.5, side=513, stride=8),
    "text recogniser": Architecture("text", 0.7, 33),
    "hosted API": Architecture("any", 0, 0, hosted=True),
}

OPTIONS: dict[str, dict[str, str]] = {
    "split": {
        "random": "single images, by chance",
        "by group": "what belongs together stays together",
        "by time": "the latest are the test",
    },
    "metric": {
        "accuracy": "the share of right answers",
        "AUROC": "the area under the ROC curve",
        "expected cost": "the mean cost of misses and false alarms",
        "recall at the capacity": "what is found within the alarms that can be handled, objects by size",
        "specificity at the recall": "the share of healthy that is left alone, at the recall that is asked for",
        "mean IoU": "overlap of regions, the mean over classes",
        "whole fields right": "fields read without a mistake, of those that no person checks",
    },
    "threshold": {
        "0.5": "what is more likely than not",
        "highest F1": "the best harmonic mean of precision and recall on validation data",
        "from cost": "the cheapest one",
        "from capacity": "as many as can be looked at",
        "from recall": "the highest that still finds the share asked for",
    },
    "architecture": {
        name: f"{a.gmacs:g} billion operations, {a.megabytes:g} MB" if not a.hosted else "images are sent away"
        for name, a in ARCHITECTURES.items()
    },
    "monitoring": {
        "none": "wait for complaints",
        "accuracy on labels": "the accuracy of the last week, as labels come in",
        "confidence drift": "the mean confidence by day",
        "input drift": "statistics of images and embeddings by window",
        "input drift and labelled sample": "the same, and a random sample that people label",
    },
}


@dataclass(frozen=True)
class Brief:
    """Where a network will work.

    Attributes:
        name, story: what it is about.
        task: "classification", "detection", "segmentation" or "text".
        positive_share: of the images (of the pixels, in segmentation) what is looked for; of fields of text, those that
            are read wrong without help.
        group: what several images share and new images will not ("patient"); None if nothing.
        changes: why later images differ from earlier ones; None if they do not.
        miss, false_alarm: what each costs, in one unit; None if nobody can say.
        recall: that must be reached; None if none is set.
        capacity: the share of images that people can look at; None if it does not matter.
        offline: there is no network where it runs.
        private: why images may not leave; None if they may.
        max_gmacs, max_megabytes: what the device has room for.
        image_side, object_side: pixels of an image, and of the smallest object that counts; None in classification.
        images_a_day, budget_a_day: images, and what may be spent on them a day; None if it does not matter.
        labels_after: days until it is known what was right; None if it never is.
        labels_of_flagged: only what the network flags is ever looked at.
    """

    name: str
    story: str
    task: str
    positive_share: float
    group: str | None = None
    changes: str | None = None
    miss: float | None = None
    false_alarm: float | None = None
    recall: float | None = None
    capacity: float | None = None
    offline: bool = False
    private: str | None = None
    max_gmacs: float = float("inf")
    max_megabytes: float = float("inf")
    image_side: int | None = None
    object_side: int | None = None
    images_a_day: int | None = None
    budget_a_day: float | None = None
    labels_after: int | None = None
    labels_of_flagged: bool = False


class Objection(NamedTuple):
    """A choice that breaks a constraint of the brief, and why."""

    decision: str
    choice: str
    constraint: str
    why: str


BRIEFS: dict[str, Brief] = {
    brief.name: brief
    for brief in (
        Brief(
            "defects",
            "A camera above a conveyor belt. A small computer beside it, without a network, pushes broken parts off.",
            "classification",
            positive_share=0.01,
            changes="tools wear, lamps age",
            miss=200,
            false_alarm=5,
            offline=True,
            max_gmacs=0.5,
            max_megabytes=20,
            labels_after=1,
            labels_of_flagged=True,
        ),
        Brief(
            "medical",
            "Pictures of skin, several of each patient. Who is flagged sees a doctor this week; the others wait.",
            "classification",
            positive_share=0.03,
            group="patient",
            recall=0.95,
            private="the clinic may not send pictures of patients away",
            max_gmacs=10,
            max_megabytes=200,
            labels_after=14,
            labels_of_flagged=True,
        ),
        Brief(
            "driving",
            "A front camera of 1,920 pixels warns of people on the road; people far away are 24 pixels high.",
            "detection",
            positive_share=0.02,
            group="drive",
            capacity=0.001,
            offline=True,
            max_gmacs=200,
            max_megabytes=500,
            image_side=1920,
            object_side=24,
        ),
        Brief(
            "documents",
            "Amounts and dates are read from invoices. What the network is unsure of goes to three clerks.",
            "text",
            positive_share=0.1,
            group="layout of a supplier",
            capacity=0.1,
            private="invoices may not leave the company",
            max_gmacs=20,
            max_megabytes=500,
            labels_after=1,
            labels_of_flagged=True,
        ),
        Brief(
            "remote sensing",
            "Flooded land is marked on aerial images of places that nobody has mapped before. Area counts, both ways.",
            "segmentation",
            positive_share=0.05,
            group="place",
            miss=1,
            false_alarm=1,
            max_gmacs=500,
            max_megabytes=2000,
            image_side=2048,
            object_side=32,
        ),
        Brief(
            "moderation",
            "Five million uploads a day to a cloud service; 2,000 can be looked at. Those who upload adapt.",
            "classification",
            positive_share=0.001,
            changes="whoever is blocked tries something else next week",
            capacity=0.0004,
            max_gmacs=10,
            max_megabytes=500,
            images_a_day=5_000_000,
            budget_a_day=500,
            labels_after=1,
            labels_of_flagged=True,
        ),
    )
}
API_PRICE = 0.001  # of a hosted service, for an image, in the unit of the budget


def review(brief: Brief | str, **choices: str) -> list[Objection]:
    """What speaks against these choices; [] if nothing does.

    Args:
        brief: a brief, or its name in `BRIEFS`.
        **choices: some or all of the decisions: ``split="random", metric="accuracy"``; see `OPTIONS`.

    Raises:
        ValueError: an unknown brief, decision or choice, or none at all.
    """
    if isinstance(brief, str):
        if brief not in BRIEFS:
            raise ValueError(f"unknown brief {brief!r}; expected one of {', '.join(map(repr, BRIEFS))}.")
        brief = BRIEFS[brief]
    if not choices:
        raise ValueError(f"nothing to review: choose {', '.join(OPTIONS)}.")
    objections = []
    for decision, choice in choices.items():
        if decision not in OPTIONS:
            raise ValueError(f"unknown decision {decision!r}; expected some of {', '.join(OPTIONS)}.")
        if choice not in OPTIONS[decision]:
            known = ", ".join(map(repr, OPTIONS[decision]))
            raise ValueError(f"{decision}={choice!r}; expected one of {known}.")
        found = _RULES[decision](brief, choice)
        objections += [Objection(decision, choice, constraint, why) for constraint, why in found]
    return objections


# --- the rules: (brief, choice) -> what it breaks, and why -----------------------------------------------------------


def _split(brief: Brief, choice: str):
    if brief.group and choice != "by group":
        yield (
            f"the group is a {brief.group}",
            f"images of one {brief.group} would stand on both sides, and the test would ask what training has seen",
        )
    if brief.changes and choice != "by time":
        yield (
            f"it changes: {brief.changes}",
            "the test would ask about days between those of training, and use is about later ones",
        )


def _metric(brief: Brief, choice: str):
    constant = max(brief.positive_share, 1 - brief.positive_share)
    if choice == "accuracy" and brief.task == "text":
        yield "amounts and dates are read", "nine of ten characters right is a wrong amount: only whole fields count"
    elif choice == "accuracy":
        yield (
            f"{brief.positive_share:.1%} of it is what is looked for",
            f"the constant answer scores {constant:.1%}, so that the number moves with everything but what counts",
        )
    if choice == "AUROC" and (brief.recall or brief.capacity or brief.miss):
        yield (
            "it will run at one threshold",
            "the area averages over thresholds that nobody will use, and with rare positives it hides false alarms",
        )
    fitting = {
        "detection": {"recall at the capacity"},
        "segmentation": {"mean IoU"},
        "text": {"whole fields right"},
    }.get(brief.task, {"expected cost", "recall at the capacity", "specificity at the recall", "AUROC", "accuracy"})
    if choice not in fitting | {"accuracy", "AUROC"}:
        yield f"the task is {brief.task}", f"{choice!r} does not measure what is wanted there"
    if choice == "expected cost" and brief.miss is None:
        yield "nobody can say what a miss costs", "the number would rest on a guess; a recall or a capacity is given"
    if choice == "recall at the capacity" and brief.capacity is None:
        yield "no capacity is given", "recall at which number of alarms?"
    if choice == "specificity at the recall" and brief.recall is None:
        yield "no recall is asked for", "specificity at which recall?"


def _threshold(brief: Brief, choice: str):
    if brief.recall is not None and choice != "from recall":
        yield f"recall of {brief.recall:.0%} is asked for", f"{choice!r} may miss more than that"
    if brief.recall is None and choice == "from recall":
        yield "no recall is asked for", "the number would be a guess, and others pay for it"
    if brief.capacity is not None and choice != "from capacity":
        yield f"{brief.capacity:.2%} can be handled", f"{choice!r} does not know how many alarms that makes"
    if brief.capacity is None and choice == "from capacity":
        yield "no capacity is given", "the number would be a guess"
    if brief.miss is None and choice == "from cost":
        yield "nobody can say what a miss costs", "the number would rest on a guess"
    if brief.miss is not None and brief.miss != brief.false_alarm and choice in ("0.5", "highest F1"):
        yield (
            f"a miss costs {brief.miss:g}, a false alarm {brief.false_alarm:g}",
            f"{choice!r} takes both for equal or knows neither; with calibrated probabilities the cheapest threshold "
            f"is {brief.false_alarm / (brief.miss + brief.false_alarm):.2g}",
        )


def _architecture(brief: Brief, choice: str):
    network = ARCHITECTURES[choice]
    if network.task not in ("any", brief.task):
        yield f"the task is {brief.task}", f"{choice} gives an answer of {network.task}"
    if network.hosted and brief.offline:
        yield "there is no network", "a hosted service cannot be reached"
    if network.hosted and brief.private:
        yield brief.private, "a hosted service sees every image"
    if network.hosted and brief.budget_a_day is not None and brief.images_a_day * API_PRICE > brief.budget_a_day:
        yield (
            f"{brief.budget_a_day:g} a day may be spent",
            f"{brief.images_a_day:,} images cost {brief.images_a_day * API_PRICE:,.0f} at {API_PRICE:g} each",
        )
    if network.gmacs > brief.max_gmacs:
        yield (
            f"{brief.max_gmacs:g} billion operations an image",
            f"{choice} takes {network.gmacs:g} billion",
        )
    if network.megabytes > brief.max_megabytes:
        yield f"{brief.max_megabytes:g} MB of room", f"the weights of {choice} take {network.megabytes:g} MB"
    if brief.task == network.task == "detection":
        seen = brief.object_side * min(1, network.side / brief.image_side)
        if seen < network.stride:
            yield (
                f"objects of {brief.object_side} of {brief.image_side} pixels count",
                f"{choice} sees them as {seen:.0f} pixels, and its finest map has one cell for every {network.stride}",
            )


def _monitoring(brief: Brief, choice: str):
    if choice == "none":
        yield "somebody relies on it", "the first to notice a failure would be the one it harms"
    if choice == "accuracy on labels":
        if brief.labels_after is None:
            yield "nobody will ever know the right answer", "there will be no labels to compute it from"
        elif brief.labels_of_flagged:
            yield (
                "only what is flagged is looked at",
                "misses never get a label, so that recall could fall to 0 unseen; a random sample must be labelled too",
            )
        elif brief.labels_after > 7:
            yield f"labels come after {brief.labels_after} days", "so long a failure would go on"
    if choice == "confidence drift":
        yield (
            "inputs can change",
            "a network may be as sure of itself on inputs that it has never seen, and less sure on harmless ones",
        )
    if choice == "input drift" and (brief.labels_of_flagged or brief.changes):
        yield (
            "what is flagged changes with what is there" if brief.changes else "only what is flagged is looked at",
            "inputs may look alike while the answers become wrong: a random sample must be labelled",
        )


_RULES: dict[str, Callable] = {
    "split": _split,
    "metric": _metric,
    "threshold": _threshold,
    "architecture": _architecture,
    "monitoring": _monitoring,
}
