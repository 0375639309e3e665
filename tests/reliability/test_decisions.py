"""Decisions: every rate and curve as scikit-learn has it; thresholds against an exhaustive search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from cnnlib import reliability


def cases(seed, count=80, levels=12):
    """Answers and scores with ties, both kinds present."""
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < 0.3
    truth[:2] = (True, False)
    return truth, np.round(rng.normal(size=count) + truth, 1) if levels else rng.normal(size=count)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_confusion_and_class_scores_equal_scikit_learn(seed, classes):
    rng = np.random.default_rng(seed)
    y_true, y_pred = rng.integers(0, classes, (2, 50))
    matrix = reliability.confusion(y_true, y_pred, classes)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(y_true, y_pred, labels=range(classes)))
    scores = reliability.class_scores(matrix)
    wanted = metrics.precision_recall_fscore_support(y_true, y_pred, labels=range(classes), zero_division=np.nan)
    for ours, theirs in zip((scores.precision, scores.recall, scores.f1, scores.support), wanted):
        np.testing.assert_allclose(ours, theirs)
    for c in range(classes):
        others = metrics.recall_score(y_true == c, y_pred == c, pos_label=False, zero_division=np.nan)
        np.testing.assert_allclose(scores.specificity[c], others)
    there = np.unique(y_true)
    assert scores.balanced_accuracy == pytest.approx(scores.recall[there].mean())


def test_outcomes_by_hand():
    result = reliability.outcomes([1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 1, 1, 0, 0, 0, 0])
    assert (result.found, result.missed, result.false_alarms, result.dismissed) == (2, 1, 1, 4)
    assert result.recall == result.sensitivity == result.precision == pytest.approx(2 / 3)
    assert result.specificity == 4 / 5
    assert result.f1 == pytest.approx(2 / 3)
    assert (result.accuracy, result.flagged, result.count) == (6 / 8, 3, 8)
    assert result.cost(miss=10, false_alarm=1) == 11 / 8
    assert result.precision_at(3 / 8) == pytest.approx(result.precision)
    assert result.precision_at(0.01) == pytest.approx(0.01 * 2 / 3 / (0.01 * 2 / 3 + 0.99 * 0.2))


def test_nothing_of_nothing_is_nan():
    result = reliability.outcomes([0, 0], [0, 0])
    assert np.isnan([result.recall, result.precision, result.f1]).all()
    assert result.specificity == 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_curves_equal_scikit_learn(seed, ties):
    truth, scores = cases(seed, levels=12 if ties else 0)
    roc = reliability.roc_curve(truth, scores)
    rate, recall, thresholds = metrics.roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc.false_alarm_rate, rate)
    np.testing.assert_allclose(roc.recall, recall)
    np.testing.assert_allclose(roc.thresholds, thresholds)
    assert roc.area == pytest.approx(metrics.roc_auc_score(truth, scores))
    curve = reliability.precision_recall_curve(truth, scores)
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    np.testing.assert_allclose(curve.precision, precision[::-1])
    np.testing.assert_allclose(curve.recall, recall[::-1])
    assert curve.area == pytest.approx(metrics.average_precision_score(truth, scores))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(0.1, 50))
def test_no_threshold_is_cheaper(seed, miss, false_alarm):
    truth, scores = cases(seed)
    point = reliability.threshold_for_cost(truth, scores, miss, false_alarm)
    candidates = [np.inf, *np.unique(scores), -np.inf]
    costs = [reliability.outcomes(truth, scores >= t).cost(miss, false_alarm) for t in candidates]
    assert point.cost == pytest.approx(min(costs))
    assert point.cost == pytest.approx(point.outcomes.cost(miss, false_alarm))
    assert point.outcomes == reliability.outcomes(truth, point.flags(scores))
    cheapest = [t for t, cost in zip(candidates, costs) if cost <= min(costs) * (1 + 1e-9)]
    assert point.threshold == max(cheapest), "of equally cheap ones that which flags least"


def test_another_prevalence_moves_the_threshold():
    truth, scores = cases(3, 2000, 0)
    common = reliability.threshold_for_cost(truth, scores, 10, 1)
    rare = reliability.threshold_for_cost(truth, scores, 10, 1, prevalence=0.01)
    assert rare.threshold > common.threshold
    same = reliability.threshold_for_cost(truth, scores, 10, 1, prevalence=truth.mean())
    assert same.threshold == common.threshold
    weights = np.where(truth, 0.01 / truth.mean(), 0.99 / (1 - truth.mean()))
    wrong = np.where(truth, 10 * ~rare.flags(scores), rare.flags(scores))
    assert rare.cost == pytest.approx((weights * wrong).mean())


def test_calibrated_probabilities_have_the_threshold_of_the_costs():
    rng = np.random.default_rng(0)
    chance = rng.random(200_000)
    point = reliability.threshold_for_cost(rng.random(200_000) < chance, chance, miss=9, false_alarm=1)
    assert point.threshold == pytest.approx(0.1, abs=0.02)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 90))
def test_a_capacity_is_kept_and_used(seed, capacity):
    truth, scores = cases(seed)
    point = reliability.threshold_for_capacity(truth, scores, capacity)
    assert point.outcomes.flagged <= capacity
    lower = scores[scores < point.threshold]
    if len(lower):
        assert (scores >= lower.max()).sum() > capacity, "one step lower would be too many"
    if capacity <= 80:
        share = reliability.threshold_for_capacity(truth, scores, capacity / 80)
        assert share.threshold == point.threshold


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1))
def test_a_recall_is_reached_with_the_fewest_alarms(seed, recall):
    truth, scores = cases(seed)
    point = reliability.threshold_for_recall(truth, scores, recall)
    assert point.outcomes.recall >= recall - 1e-9
    higher = scores[scores > point.threshold]
    if len(higher):
        assert reliability.outcomes(truth, scores >= higher.min()).recall < recall


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, s: reliability.roc_curve(t, s[:-1]), "one for each example"),
        (lambda t, s: reliability.roc_curve(t * 2, s), "expected 0 and 1"),
        (lambda t, s: reliability.roc_curve(np.zeros(80), s), "all 80 examples are negative"),
        (lambda t, s: reliability.precision_recall_curve(np.ones(80), s), "all 80 examples are positive"),
        (lambda t, s: reliability.roc_curve(t, s * np.nan), "80 of 80 are NaN"),
        (lambda t, s: reliability.roc_curve(t, np.stack([s, s], 1)), "take a column"),
        (lambda t, s: reliability.threshold_for_cost(t, s, 0, 1), "two positive costs"),
        (lambda t, s: reliability.threshold_for_cost(t, s, 1, 1, prevalence=1.0), "between 0 and 1"),
        (lambda t, s: reliability.threshold_for_capacity(t, s, 1.5), "give an int"),
        (lambda t, s: reliability.threshold_for_capacity(t, s, -1), "number of examples"),
        (lambda t, s: reliability.threshold_for_recall(t, s, 0), "above 0"),
        (lambda t, s: reliability.outcomes(t, s), "expected 0 and 1"),
        (lambda t, s: reliability.outcomes(t, t[:-1]), "as many of each"),
        (lambda t, s: reliability.outcomes(t[:, None], t), r"\(n,\)"),
        (lambda t, s: reliability.outcomes(t, t).precision_at(2), "0 to 1"),
        (lambda t, s: reliability.class_scores(np.ones((2, 3))), "square"),
        (lambda t, s: reliability.class_scores(-np.eye(2)), "counts"),
        (lambda t, s: reliability.confusion([0, 1], np.eye(2), 2), "argmax"),
    ],
)
def test_what_has_no_meaning_is_refused(call, message):
    truth, scores = cases(0)
    with pytest.raises(ValueError, match=message):
        call(truth.astype(int), scores)
