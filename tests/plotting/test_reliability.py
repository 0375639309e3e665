"""The figures of lesson 15 say what they show."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnnlib import plotting, reliability


def probabilities(seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(300, 4)) * 2
    return reliability.softmax(logits), rng.integers(0, 4, 300)


def test_a_reliability_diagram_has_its_points_and_counts(shown):
    p, y = probabilities()
    diagram = reliability.reliability_diagram(p, y, bins=10)
    plotting.reliability_diagrams({"before": diagram, "after": diagram}, floor={"after": 0.0312}, alt="Too sure.")
    ((figure, alt),) = shown
    assert alt == "Too sure."
    above, _, below, _ = figure.axes
    np.testing.assert_allclose(above.lines[1].get_xydata(), np.stack([diagram.confidence, diagram.accuracy], 1))
    assert [bar.get_height() for bar in below.patches] == diagram.count.tolist()
    assert [bar.get_x() for bar in below.patches] == diagram.edges[:, 0].tolist()
    assert above.texts[0].get_text() == f"ECE {diagram.error:.3f}"
    assert figure.axes[1].texts[0].get_text().endswith("by chance 0.031")


def test_operating_points_lie_on_both_curves(shown):
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.3
    scores = rng.normal(size=200) + truth
    roc, curve = reliability.roc_curve(truth, scores), reliability.precision_recall_curve(truth, scores)
    point = reliability.threshold_for_cost(truth, scores, 5, 1)
    plotting.operating_curves(roc, curve, points={"cheapest": point}, alt="One point.")
    left, right = shown[0][0].axes
    (x, y), (recall, precision) = left.lines[-1].get_xydata()[0], right.lines[-1].get_xydata()[0]
    assert (x, y) == pytest.approx((1 - point.outcomes.specificity, point.outcomes.recall))
    assert (recall, precision) == pytest.approx((point.outcomes.recall, point.outcomes.precision))
    place = np.flatnonzero(roc.thresholds == point.threshold)[0]
    assert (roc.false_alarm_rate[place], roc.recall[place]) == pytest.approx((x, y))
    assert (curve.recall[place], curve.precision[place]) == pytest.approx((recall, precision))
    assert left.get_title(loc="left") == f"ROC, area {roc.area:.3f}"


def test_corruptions_have_a_panel_each_and_a_band_over_seeds(shown):
    one, two = [0.9, 0.8, 0.7, 0.6, 0.5], [[0.9, 0.8, 0.7, 0.6, 0.5], [0.7, 0.6, 0.5, 0.4, 0.3]]
    accuracy = {kind: {"plain": one, "augmented": two} for kind in ("noise", "blur", "fog", "jpeg", "contrast")}
    plotting.corruption_curves(accuracy, clean={"plain": 0.95, "augmented": [0.96, 0.94]}, chance=0.1, alt="They fall.")
    figure = shown[0][0]
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in panels] == list(accuracy)
    plain, augmented, chance = panels[0].lines
    np.testing.assert_allclose(plain.get_xydata(), np.stack([range(6), [0.95, *one]], 1))
    np.testing.assert_allclose(augmented.get_ydata(), [0.95, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert chance.get_ydata()[0] == 0.1
    assert len(panels[0].collections) == 1


def test_drift_is_drawn_against_its_limit_and_alarms_are_marked(shown):
    verdicts = [
        SimpleNamespace(distances={"a": d, "b": 0.1}, limit={"a": 0.2, "b": 0.5}, alarm=d > 0.2)
        for d in (0.1, 0.1, 0.4)
    ]
    plotting.drift_over_time(verdicts, changed=2, alt="An alarm in the third window.")
    (ax,) = shown[0][0].axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.5, 0.5, 2])
    alarms = next(line for line in ax.lines if line.get_label() == "alarm")
    assert list(alarms.get_xdata()) == [3]
    plotting.drift_over_time(verdicts, columns=["b"], alt="Silent.")
    np.testing.assert_allclose(shown[1][0].axes[0].lines[0].get_ydata(), [0.2] * 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plotting.reliability_diagrams({}, alt="x"), "one or more"),
        (lambda: plotting.reliability_diagrams({"a": 1}, floor={"b": 1}, alt="x"), "the same"),
        (lambda: plotting.corruption_curves({}, alt="x"), "the same lines"),
        (lambda: plotting.corruption_curves({"fog": {"a": [1]}, "jpeg": {"b": [1]}}, alt="x"), "the same lines"),
        (lambda: plotting.drift_over_time([], alt="x"), "0 windows"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
