"""Calibration: against scikit-learn, by hand, and on samples whose calibration is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from sklearn import metrics
from sklearn.calibration import calibration_curve

from cnnlib import reliability


def draw(count=400, classes=5, seed=0, temperature=1.0):
    """Logits, and labels drawn from softmax(logits / temperature): calibrated at that temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, classes)) * 2
    chances = reliability.softmax(logits, temperature)
    labels = (chances.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return logits, np.minimum(labels, classes - 1)


def test_a_diagram_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.45, 0.55], [0.4, 0.6]])
    diagram = reliability.reliability_diagram(probabilities, [0, 1, 1, 1], bins=2)
    assert diagram.count.tolist() == [4], "two-class confidence is never below a half"
    assert diagram.confidence == pytest.approx([0.7125])
    assert diagram.accuracy.tolist() == [0.75]
    assert diagram.error == pytest.approx(0.0375)
    four = reliability.reliability_diagram(probabilities, [0, 1, 1, 1], bins=4)
    assert four.count.tolist() == [2, 2]
    assert four.edges.tolist() == [[0.5, 0.75], [0.75, 1.0]]
    assert four.gap == pytest.approx([0.575 - 1, 0.85 - 0.5])
    assert four.error == pytest.approx(0.5 * 0.425 + 0.5 * 0.35)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    diagram = reliability.reliability_diagram([[0.5, 0.5], [0.75, 0.25], [0.3, 0.7]], [0, 0, 1], bins=4)
    assert diagram.edges.tolist() == [[0.25, 0.5], [0.5, 0.75]]
    assert diagram.count.tolist() == [1, 2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 20), st.sampled_from(["width", "mass"]))
def test_diagrams_equal_scikit_learn(seed, classes, bins, strategy):
    logits, labels = draw(150, classes, seed)
    probabilities = reliability.softmax(logits)
    diagram = reliability.reliability_diagram(probabilities, labels, bins, strategy)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracy, mean = calibration_curve(
        right, confidence, n_bins=bins, strategy={"width": "uniform", "mass": "quantile"}[strategy]
    )
    np.testing.assert_allclose(diagram.accuracy, accuracy, atol=1e-12)
    np.testing.assert_allclose(diagram.confidence, mean, atol=1e-12)
    assert diagram.count.sum() == 150


def test_bins_of_equal_mass_hold_as_many_to_one():
    logits, labels = draw(200)
    count = reliability.reliability_diagram(reliability.softmax(logits), labels, 15, "mass").count
    assert count.max() - count.min() <= 1


def test_scores_equal_scikit_learn():
    logits, labels = draw(300, 4)
    probabilities = reliability.softmax(logits)
    assert reliability.negative_log_likelihood(probabilities, labels) == pytest.approx(
        metrics.log_loss(labels, probabilities), abs=1e-12
    )
    one_hot = np.eye(4)[labels]
    assert reliability.brier_score(probabilities, labels) == pytest.approx(
        sum(metrics.brier_score_loss(one_hot[:, c], probabilities[:, c]) for c in range(4)), abs=1e-12
    )
    assert reliability.negative_log_likelihood([[1.0, 0.0]], [1]) == np.inf


def test_the_error_of_a_calibrated_network_is_chance_and_the_floor_says_how_much():
    """Over many samples of a calibrated network: ECE well above 0, the floor as large, the debiased square near 0."""
    plain, floors, squares, debiased = [], [], [], []
    for seed in range(60):
        logits, labels = draw(300, 5, seed)
        probabilities = reliability.softmax(logits)
        plain.append(reliability.expected_calibration_error(probabilities, labels))
        floors.append(reliability.calibration_floor(probabilities, repeats=40, seed=seed).mean())
        squares.append(reliability.squared_calibration_error(probabilities, labels, debias=False))
        debiased.append(reliability.squared_calibration_error(probabilities, labels))
    assert np.mean(plain) > 0.03
    assert np.mean(plain) == pytest.approx(np.mean(floors), abs=0.004)
    assert np.mean(squares) > 0.005
    assert abs(np.mean(debiased)) < 3 * np.std(debiased) / np.sqrt(60)


def test_the_bias_falls_with_the_sample_and_the_debiased_error_keeps_the_true_one():
    """A network three times too sure: the debiased square of small samples agrees with a sample of 200,000."""
    logits, labels = draw(200_000, 5, 1, temperature=3.0)
    truth = reliability.squared_calibration_error(reliability.softmax(logits), labels)
    debiased, plain = [], []
    for seed in range(100):
        few, given = draw(100, 5, 100 + seed, temperature=3.0)
        probabilities = reliability.softmax(few)
        debiased.append(reliability.squared_calibration_error(probabilities, given))
        plain.append(reliability.squared_calibration_error(probabilities, given, debias=False))
    assert abs(np.mean(debiased) - truth) < 3 * np.std(debiased) / 10
    assert np.mean(plain) > truth + 5 * np.std(plain) / 10


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_is_found(temperature):
    logits, labels = draw(20_000, 5, 2, temperature)
    assert reliability.fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_the_temperature_minimises_the_loss_as_scipy_says(seed, scale):
    logits, labels = draw(120, 4, seed)
    logits = logits * scale
    found = reliability.fit_temperature(logits, labels)

    def loss(log_t):
        return reliability.negative_log_likelihood(reliability.softmax(logits, np.exp(log_t)), labels)

    best = optimize.minimize_scalar(loss, bracket=(np.log(found) - 1, np.log(found) + 1))
    assert loss(np.log(found)) <= best.fun + 1e-9


def test_a_temperature_changes_no_answer_and_lowers_the_error_of_a_network_too_sure():
    logits, labels = draw(5000, 5, 3, temperature=2.0)
    half = np.arange(5000) < 2500
    found = reliability.fit_temperature(logits[half], labels[half])
    before, after = reliability.softmax(logits[~half]), reliability.softmax(logits[~half], found)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    errors = [reliability.expected_calibration_error(p, labels[~half]) for p in (before, after)]
    assert errors[0] > 0.1 > 0.03 > errors[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: reliability.fit_temperature(reliability.softmax(x), y), "these are probabilities"),
        (lambda x, y: reliability.expected_calibration_error(x, y), "Are these logits"),
        (lambda x, y: reliability.expected_calibration_error(reliability.softmax(x), np.eye(5)[y]), "one-hot"),
        (lambda x, y: reliability.brier_score(reliability.softmax(x), y + 1), "expected 0 to 4"),
        (lambda x, y: reliability.brier_score(reliability.softmax(x), y[:-1]), "one class number for each"),
        (lambda x, y: reliability.brier_score(reliability.softmax(x), y + 0.5), "whole numbers"),
        (lambda x, y: reliability.reliability_diagram(reliability.softmax(x), y, strategy="size"), "'width', 'mass'"),
        (lambda x, y: reliability.reliability_diagram(reliability.softmax(x), y, bins=0), "1 or more"),
        (lambda x, y: reliability.reliability_diagram(reliability.softmax(x), y, 900, "mass"), "as many examples"),
        (lambda x, y: reliability.fit_temperature(x, x.argmax(axis=1)), "training images"),
        (lambda x, y: reliability.fit_temperature(x, x.argmin(axis=1)), "belong together"),
        (lambda x, y: reliability.fit_temperature(np.ones_like(x), y), "equal"),
        (lambda x, y: reliability.fit_temperature(x * np.nan, y), "NaN"),
        (lambda x, y: reliability.softmax(x, 0), "positive number"),
        (lambda x, y: reliability.negative_log_likelihood(reliability.softmax(x)[:, 0], y), r"\[1 - p, p\]"),
        (lambda x, y: reliability.squared_calibration_error(reliability.softmax(x)[:2], y[:2], 2), "fewer bins"),
        (lambda x, y: reliability.calibration_floor(reliability.softmax(x), repeats=0), "1 or more"),
    ],
)
def test_what_has_no_meaning_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(*draw())
