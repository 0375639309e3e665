"""Drift: distances against SciPy and by hand, p-values and alarms that keep their rate, changes that are seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cnnlib import datasets, reliability
from cnnlib.reliability import drift


def test_the_stability_index_by_hand():
    reference = np.arange(100.0)
    assert reliability.population_stability_index(reference, reference, bins=4) == 0
    moved = np.concatenate([np.full(10, 0.0), np.full(20, 30.0), np.full(30, 60.0), np.full(40, 99.0)])
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    wanted = ((shares - 0.25) * np.log(shares / 0.25)).sum()
    assert reliability.population_stability_index(reference, moved, bins=4) == pytest.approx(wanted)
    assert np.isfinite(reliability.population_stability_index(reference, np.full(50, 1000.0)))


def test_the_stability_index_by_chance_is_what_the_docstring_says():
    rng = np.random.default_rng(0)
    drawn = [reliability.population_stability_index(rng.normal(size=400), rng.normal(size=100)) for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(9 * (1 / 400 + 1 / 100), rel=0.15)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 60))
def test_distances_equal_scipy_ties_included(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = np.round(rng.normal(size=n), 1), np.round(rng.normal(size=m), 1)
    result = reliability.ks_test(a, b)
    wanted = stats.ks_2samp(a, b)
    assert (result.distance, result.p_value) == (wanted.statistic, wanted.pvalue)
    assert drift._ks_distance(np.sort(a), b) == pytest.approx(wanted.statistic)


def test_mmd_by_hand():
    """Of all pairs one by one, without those of a vector with itself."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))

    def mean(first, second, same):
        pairs = [(i, j) for i in range(len(first)) for j in range(len(second)) if not (same and i == j)]
        return np.mean([np.exp(-((first[i] - second[j]) ** 2).sum() / (2 * 1.5**2)) for i, j in pairs])

    wanted = mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)
    assert reliability.mmd(a, b, width=1.5) == pytest.approx(wanted)
    assert reliability.mmd_test(a, b, width=1.5, permutations=10).distance == pytest.approx(wanted)
    assert reliability.mmd(a, b) == pytest.approx(reliability.mmd(b, a))


def test_p_values_of_mmd_keep_their_rate_without_a_change():
    """600 pairs of samples of one distribution: a tenth of the p-values is at most 0.1, within 3 standard errors."""
    rng = np.random.default_rng(1)
    p = np.array(
        [
            reliability.mmd_test(rng.normal(size=(15, 2)), rng.normal(size=(20, 2)), permutations=99, seed=i).p_value
            for i in range(600)
        ]
    )
    for level in (0.05, 0.1, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 600))


def test_mmd_sees_what_the_means_of_single_columns_do_not():
    """Both columns keep their distribution; only that they go together is new."""
    rng = np.random.default_rng(2)
    a = rng.normal(size=(150, 2))
    b = np.repeat(rng.normal(size=(150, 1)), 2, axis=1)
    assert reliability.mmd_test(a, b, permutations=200).p_value < 0.01
    assert min(reliability.ks_test(a[:, i], b[:, i]).p_value for i in (0, 1)) > 0.01


def test_equal_samples_have_no_small_p_value():
    same = np.zeros((10, 3))
    assert reliability.mmd_test(same, same, permutations=50).p_value == 1


def false_alarms(make, columns, seeds, windows, **options):
    """The share of windows without a change on which a monitor raises an alarm, and the number of windows."""
    raised = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        monitor = drift.Monitor(seed=seed, **options).fit(make(rng, 400, columns))
        raised += [monitor.check(make(rng, 40, columns)).alarm for _ in range(windows)]
    return np.mean(raised)


def independent(rng, count, columns):
    return {str(i): rng.normal(size=count) for i in range(columns)}


def together(rng, count, columns):
    common = rng.normal(size=count)
    return {str(i): common + 0.3 * rng.normal(size=count) for i in range(columns)}


@pytest.mark.parametrize("in_order", [False, True])
def test_distances_of_drawn_windows_equal_scipy_ties_included(in_order):
    values = np.random.default_rng(4).integers(0, 12, 60).astype(float)
    monitor = reliability.Monitor(9, 0.2, in_order=in_order, repeats=50, seed=7)
    found = monitor._distances_by_chance({"whole numbers": values, "halves": values / 2}, len(values))
    rng = np.random.default_rng(7)
    for row in found:
        if in_order:
            first = rng.integers(0, 60 - 9 + 1)
            drawn = np.arange(first, first + 9)
        else:
            drawn = rng.choice(60, 9, replace=False)
        wanted = stats.ks_2samp(values[drawn], np.delete(values, drawn)).statistic
        assert row == pytest.approx([wanted, wanted])


@pytest.mark.parametrize("make", [independent, together])
@pytest.mark.parametrize("columns", [1, 6])
def test_a_monitor_keeps_its_rate_of_false_alarms(make, columns):
    """40 references, 40 windows each.

    Over 200 other references with 50 windows each the rates were 0.046 to 0.048 by resampling (standard error 0.0025),
    0.045 to 0.048 by Bonferroni with independent columns and 0.026 with six that go together. Between
    references the share of 40 windows has a standard deviation of 0.035, so that the mean of 40 has an error of 0.006.
    """
    rate = false_alarms(make, columns, range(40), 40, window=40, false_alarm_rate=0.05, repeats=400)
    assert 0.025 <= rate <= 0.075
    cautious = false_alarms(make, columns, range(40), 40, window=40, false_alarm_rate=0.05, method="bonferroni")
    assert cautious <= 0.065
    if make is together and columns == 6:
        assert cautious < rate, "Bonferroni does not know that the columns go together"


def walk(rng, count, columns):
    """Numbers that follow each other, as in a video: each near the one before."""
    noise = rng.normal(size=(count, columns))
    for i in range(1, count):
        noise[i] = 0.95 * noise[i - 1] + np.sqrt(1 - 0.95**2) * noise[i]
    return {str(i): noise[:, i] for i in range(columns)}


def test_windows_in_order_need_limits_from_windows_in_order():
    settings = {"window": 40, "false_alarm_rate": 0.05, "repeats": 400}
    drawn, ordered = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        reference = walk(rng, 4000, 2)
        later = walk(rng, 2000, 2)
        for result, in_order in ((drawn, False), (ordered, True)):
            monitor = drift.Monitor(seed=seed, in_order=in_order, **settings).fit(reference)
            result += [verdict.alarm for verdict in monitor.check_all(later)]
    assert np.mean(drawn) > 0.5, "as if independent, most windows raise an alarm"
    assert np.mean(ordered) <= 0.1


def test_a_column_that_never_varies_may_not_begin_to():
    monitor = drift.Monitor(window=20).fit({"grey": np.zeros(200), "size": np.full(200, 32.0)})
    assert not monitor.check({"grey": np.zeros(20), "size": np.full(20, 32.0)}).alarm
    verdict = monitor.check({"grey": np.zeros(20), "size": np.full(20, 33.0)})
    assert verdict.alarm
    assert verdict.reasons == ("size",)


def test_a_monitor_sees_another_camera_and_names_what_changed():
    images = datasets.cifar10(size=1000, test_size=10).x_train[np.random.default_rng(0).permutation(1000)]
    monitor = drift.Monitor(window=100).fit(reliability.image_statistics(images[:800]))
    same = monitor.check(reliability.image_statistics(images[800:900]))
    assert not same.alarm
    assert same.reasons == ()
    for kind, reason in (("exposure", "brightness"), ("blur", "sharpness"), ("contrast", "contrast")):
        changed = monitor.check(reliability.image_statistics(reliability.corrupt(images[900:], kind, 4)))
        assert changed.alarm
        assert reason in changed.reasons
        assert changed.distances[reason] > changed.limit[reason]


def test_statistics_of_images_by_hand():
    images = np.zeros((2, 2, 2, 3), "float32")
    images[0, :, 0] = (1, 0.5, 0)
    found = reliability.image_statistics(images)
    assert {name: values[1] for name, values in found.items()} == dict.fromkeys(found, 0)
    first = {name: values[0] for name, values in found.items()}
    assert first == pytest.approx(
        {
            "brightness": 0.25,
            "contrast": 0.25,
            "sharpness": 0.25,
            "red": 0.25,
            "blue": -0.25,
            "saturation": 0.5,
        }
    )
    assert set(reliability.image_statistics(images[..., :1])) == {"brightness", "contrast", "sharpness"}
    assert reliability.image_statistics(images[:, :1, :1])["sharpness"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, x: drift.Monitor(window=1), ValueError, "window=1"),
        (lambda m, x: drift.Monitor(false_alarm_rate=0), ValueError, "share of windows"),
        (lambda m, x: drift.Monitor(false_alarm_rate=0.001), ValueError, "at least 10000 repeats"),
        (lambda m, x: drift.Monitor(method="chi2"), ValueError, "'bonferroni'"),
        (lambda m, x: drift.Monitor(method="bonferroni", in_order=True), ValueError, "draws none"),
        (lambda m, x: m.check(x), RuntimeError, "call fit"),
        (lambda m, x: m.fit(x[:50]), TypeError, "dict"),
        (lambda m, x: m.fit({"a": x[:50]}), ValueError, "expected 80 or more"),
        (lambda m, x: m.fit({"a": x, "b": x[:-1]}), ValueError, "one number per image in each"),
        (lambda m, x: m.fit({}), ValueError, "no entries"),
        (lambda m, x: m.fit({"a": x * np.nan}), ValueError, "'a': 100 of 100 are NaN"),
        (lambda m, x: m.fit({"a": x}).check({"b": x[:20]}), ValueError, r"fitted on \['a'\]"),
        (lambda m, x: m.fit({"a": x}).check({"a": x[:19]}), ValueError, "a window of 19"),
        (lambda m, x: reliability.mmd(x, x), ValueError, r"values\[:, None\]"),
        (lambda m, x: reliability.mmd(x[:, None], x[:, None], width=-1), ValueError, "positive"),
        (lambda m, x: reliability.mmd_test(x[:, None], x[:, None], limit=100), ValueError, "random part"),
        (lambda m, x: reliability.mmd_test(x[:, None], x[:, None], permutations=0), ValueError, "1 or more"),
        (lambda m, x: reliability.mmd(x[:, None] * np.inf, x[:, None]), ValueError, "infinity"),
        (lambda m, x: reliability.ks_test([], x), ValueError, "reference is empty"),
        (lambda m, x: reliability.ks_test(x, []), ValueError, "current is empty"),
        (lambda m, x: reliability.population_stability_index(x, x, bins=1), ValueError, "2 or more"),
    ],
)
def test_what_has_no_meaning_is_refused(call, error, message):
    monitor = drift.Monitor(window=20, false_alarm_rate=0.1, repeats=100)
    with pytest.raises(error, match=message):
        call(monitor if "check(x)" not in message else drift.Monitor(), np.random.default_rng(0).normal(size=100))
