"""Briefs: each has a plan that nothing speaks against, no plan fits all, and objections name fact and reason."""

import itertools

import pytest

from cnnlib import reliability
from cnnlib.reliability import briefs

# One plan for each brief without an objection.
PLANS = {
    "defects": ("by time", "expected cost", "from cost", "MobileNetV2", "input drift and labelled sample"),
    "medical": (
        "by group",
        "specificity at the recall",
        "from recall",
        "ResNet-50",
        "input drift and labelled sample",
    ),
    "driving": ("by group", "recall at the capacity", "from capacity", "Faster R-CNN", "input drift"),
    "documents": (
        "by group",
        "whole fields right",
        "from capacity",
        "text recogniser",
        "input drift and labelled sample",
    ),
    "remote sensing": ("by group", "mean IoU", "from cost", "U-Net", "input drift"),
    "moderation": (
        "by time",
        "recall at the capacity",
        "from capacity",
        "EfficientNet-Lite0",
        "input drift and labelled sample",
    ),
}


@pytest.mark.parametrize("name", reliability.BRIEFS)
def test_each_brief_has_a_plan_that_nothing_speaks_against(name):
    assert reliability.review(name, **dict(zip(reliability.OPTIONS, PLANS[name]))) == []


@pytest.mark.parametrize("name", reliability.BRIEFS)
@pytest.mark.parametrize("decision", reliability.OPTIONS)
def test_each_decision_can_be_wrong_and_right(name, decision):
    fits = [not reliability.review(name, **{decision: choice}) for choice in reliability.OPTIONS[decision]]
    assert 1 <= sum(fits) < len(fits)


def test_no_plan_fits_two_briefs_of_which_the_facts_differ():
    for one, other in itertools.permutations(PLANS, 2):
        assert reliability.review(other, **dict(zip(reliability.OPTIONS, PLANS[one]))), (one, other)


@pytest.mark.parametrize(
    ("brief", "choice", "constraint", "why"),
    [
        ("defects", {"metric": "accuracy"}, "1.0% of it", "the constant answer scores 99.0%"),
        ("defects", {"threshold": "0.5"}, "a miss costs 200", "the cheapest threshold is 0.024"),
        ("defects", {"architecture": "ResNet-50"}, "0.5 billion operations", "takes 4.1 billion"),
        ("defects", {"architecture": "hosted API"}, "no network", "cannot be reached"),
        ("defects", {"split": "random"}, "tools wear", "days between those of training"),
        ("medical", {"split": "random"}, "the group is a patient", "both sides"),
        ("medical", {"threshold": "highest F1"}, "recall of 95%", "may miss more"),
        ("medical", {"architecture": "hosted API"}, "pictures of patients", "sees every image"),
        ("medical", {"monitoring": "accuracy on labels"}, "only what is flagged", "recall could fall to 0"),
        ("driving", {"architecture": "SSDLite"}, "24 of 1920 pixels", "sees them as 4 pixels"),
        ("driving", {"monitoring": "accuracy on labels"}, "nobody will ever know", "no labels"),
        ("documents", {"metric": "accuracy"}, "amounts and dates", "only whole fields count"),
        ("remote sensing", {"architecture": "ResNet-50"}, "the task is segmentation", "an answer of classification"),
        ("moderation", {"architecture": "hosted API"}, "500 a day", "cost 5,000"),
        ("moderation", {"metric": "AUROC"}, "one threshold", "hides false alarms"),
        ("moderation", {"monitoring": "confidence drift"}, "inputs can change", "as sure of itself"),
    ],
)
def test_objections_name_the_fact_and_the_reason(brief, choice, constraint, why):
    found = reliability.review(brief, **choice)
    assert any(constraint in objection.constraint and why in objection.why for objection in found), found
    assert all((objection.decision, objection.choice) in choice.items() for objection in found)


def test_equal_costs_allow_a_half():
    assert reliability.review("remote sensing", threshold="0.5") == []


def test_a_brief_of_one_s_own_is_reviewed():
    own = briefs.Brief(
        "birds", "A camera in a tree.", "classification", 0.5, group="nest", offline=True, miss=1, false_alarm=1
    )
    assert [o.constraint for o in reliability.review(own, split="by time", architecture="hosted API")] == [
        "the group is a nest",
        "there is no network",
    ]


@pytest.mark.parametrize(
    ("brief", "choices", "message"),
    [
        ("space", {"split": "random"}, "unknown brief 'space'"),
        ("medical", {}, "nothing to review"),
        ("medical", {"colour": "red"}, "unknown decision 'colour'"),
        ("medical", {"split": "by luck"}, "'by group'"),
    ],
)
def test_what_has_no_meaning_is_refused(brief, choices, message):
    with pytest.raises(ValueError, match=message):
        reliability.review(brief, **choices)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNet-Lite0", "ResNet-50", "SSDLite", "DeepLabV3", "U-Net"])
def test_operations_and_sizes_are_those_of_the_built_networks(name):
    """Operations within a tenth, megabytes of float32 weights within a tenth."""
    from cnnlib import models, segmentation, trace

    network = {
        "MobileNetV2": lambda: models.MobileNetV2(),
        "EfficientNet-Lite0": lambda: models.EfficientNetLite0(),
        "ResNet-50": lambda: models.ResNet(50),
        "SSDLite": lambda: models.SSDLite(),
        "DeepLabV3": lambda: models.DeepLabV3(),
        "U-Net": lambda: segmentation.UNet((256, 256, 3), 2, depth=4, width=64),
    }[name]()
    wanted = briefs.ARCHITECTURES[name]
    result = trace.trace(network)
    assert result.total_macs / 1e9 == pytest.approx(wanted.gmacs, rel=0.1)
    assert 4 * network.count_params() / 1e6 == pytest.approx(wanted.megabytes, rel=0.1)
