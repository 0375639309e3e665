"""Shadow: counts by hand, the test against statsmodels' definition, and what the policy does in every case."""

import numpy as np
import pytest
from scipy import stats

from cnnlib import reliability
from cnnlib.reliability import shadow


def answers(both, only_old, only_new, neither):
    """Labels, old and new answers with these counts."""
    labels = np.ones(both + only_old + only_new + neither, int)
    old = np.repeat([1, 1, 0, 0], [both, only_old, only_new, neither])
    new = np.repeat([1, 0, 1, 2], [both, only_old, only_new, neither])
    return labels, old, new


def test_counts_by_hand():
    labels, old, new = answers(80, 4, 12, 4)
    found = reliability.compare(old, new, labels)
    assert (found.count, found.labelled) == (100, 100)
    assert found.agreement == 0.8, "two wrong answers may differ too"
    assert (found.old_accuracy, found.new_accuracy, found.difference) == (0.84, 0.92, 0.08)
    assert (found.only_old, found.only_new) == (4, 12)
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(4, 16, 0.5))
    assert found.interval[0] < 0.08 < found.interval[1]


def test_the_interval_is_that_of_the_paired_differences():
    """A bootstrap of the images themselves, and the normal approximation, agree with it."""
    labels, old, new = answers(800, 40, 70, 90)
    found = reliability.compare(old, new, labels, repeats=20_000)
    each = (new == labels).astype(float) - (old == labels)
    wanted = each.mean() + np.array([-1.96, 1.96]) * each.std() / np.sqrt(1000)
    np.testing.assert_allclose(found.interval, wanted, atol=0.002)
    rng = np.random.default_rng(1)
    drawn = each[rng.integers(0, 1000, (4000, 1000))].mean(axis=1)
    np.testing.assert_allclose(found.interval, np.quantile(drawn, [0.025, 0.975]), atol=0.002)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = []
    for seed in range(400):
        counts = rng.multinomial(300, [0.7, 0.06, 0.1, 0.14])
        labels, old, new = answers(*counts)
        low, high = reliability.compare(old, new, labels, repeats=400, seed=seed).interval
        inside.append(low <= 0.04 <= high)
    assert 0.91 <= np.mean(inside) <= 0.98


def test_labels_may_be_few_or_none():
    labels, old, new = answers(80, 4, 12, 4)
    labels[::2] = -1
    found = reliability.compare(old, new, labels)
    assert (found.count, found.labelled) == (100, 50)
    for without in (reliability.compare(old, new), reliability.compare(old, new, np.full(100, -1))):
        assert without.agreement == 0.8
        assert without.labelled == 0
        assert without.difference is None
    same = reliability.compare(old, old, labels)
    assert (same.difference, same.p_value, same.interval) == (0, 1, (0, 0))


POLICY = reliability.Policy(least_labelled=200, tolerated_loss=0.01, least_agreement=0.8, alarms=2, of_windows=3)


@pytest.mark.parametrize(
    ("counts", "before", "after"),
    [
        ((900, 0, 60, 40), "promote", "keep"),
        ((900, 60, 0, 40), "reject", "roll back"),
        ((900, 30, 30, 40), "wait", "keep"),  # the interval is too wide to tell
        ((90, 0, 5, 5), "wait", "keep"),  # too few labels
        ((600, 200, 200, 0), "investigate", "investigate"),  # they agree too little
        ((990, 0, 0, 10), "promote", "keep"),
    ],
)
def test_the_policy(counts, before, after):
    labels, old, new = answers(*counts)
    comparison = reliability.compare(old, new, labels)
    for decision, action in ((POLICY.before(comparison), before), (POLICY.after(comparison), after)):
        assert decision.action == action
        assert decision.reasons


def test_the_reason_quotes_difference_and_interval_in_percent():
    labels, old, new = answers(900, 0, 60, 40)
    comparison = reliability.compare(old, new, labels)
    lower, upper = (f"{each:+.1%}" for each in comparison.interval)
    (reason,) = POLICY.before(comparison).reasons
    assert f"{comparison.difference:+.1%} ({lower} to {upper})" in reason


def test_alarms_call_for_people_and_not_for_the_old_model():
    labels, old, new = answers(990, 0, 0, 10)
    comparison = reliability.compare(old, new, labels)
    assert POLICY.after(comparison, [True, False, False]).action == "keep"
    decision = POLICY.after(comparison, [False, False, True, False, True])
    assert decision.action == "investigate"
    assert "for both models" in decision.reasons[0]
    worse = reliability.compare(new=np.where(np.arange(1000) < 100, 0, new), old=old, labels=labels)
    assert POLICY.after(worse, [True, True, True]).action == "roll back", "labels come first"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reliability.compare([0, 1], [0]), "the same images"),
        (lambda: reliability.compare(np.eye(2), [0, 1]), "argmax"),
        (lambda: reliability.compare([0.5, 0.1], [0, 1]), "no answers yet"),
        (lambda: reliability.compare([], []), "class numbers"),
        (lambda: reliability.compare([0], [0], [0, 1]), "write -1"),
        (lambda: reliability.compare([0], [0], confidence=95), "below 1"),
        (lambda: shadow.Policy(alarms=4, of_windows=3), "4 alarms of 3"),
        (lambda: shadow.Policy(alarms=0, of_windows=3), "0 alarms of 3"),
        (lambda: shadow.Policy(tolerated_loss=5), "shares"),
    ],
)
def test_what_has_no_meaning_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
