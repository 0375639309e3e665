"""Whether a confidence of 80 % is right in 80 of 100 cases, and how to mend it. Lesson 15.

The confidence of a prediction is the probability that the network gives the class it chose. A network is calibrated if
among the predictions of each confidence just that share is right. `ReliabilityDiagram` draws the two side by side in
bins; the expected calibration error (ECE) is the mean distance between them (Naeini, Cooper, Hauskrecht 2015; Guo et
al. 2017, "On calibration of modern neural networks").

The ECE of a finite sample is biased upwards: even a network that is calibrated perfectly has one above 0, since chance
moves each bin. `calibration_floor` says how far, by drawing labels from the probabilities themselves; the squared error
can be freed of the bias (`squared_calibration_error`; Kumar, Liang, Ma 2019).

=============================  ====================================================================================
`reliability_diagram`          confidence and accuracy in bins of equal width or equal mass
`expected_calibration_error`   their mean distance
`squared_calibration_error`    their mean squared distance, with or without the bias
`calibration_floor`            the ECE that chance alone gives
`brier_score`                  mean squared distance from the one-hot label
`negative_log_likelihood`      mean of -log p of the true class
`fit_temperature`              the one number to divide logits by, from validation data
=============================  ====================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnlib.reliability._arrays import as_labels, as_logits, as_probabilities, softmax

__all__ = [
    *("ReliabilityDiagram", "brier_score", "calibration_floor", "expected_calibration_error", "fit_temperature"),
    *("negative_log_likelihood", "reliability_diagram", "softmax", "squared_calibration_error"),
]

STRATEGIES = ("width", "mass")


@dataclass(frozen=True)
class ReliabilityDiagram:
    """Confidence and accuracy in bins, those without an example left out.

    Attributes:
        confidence: mean confidence of each bin, (bins,).
        accuracy: share of each bin that is right, (bins,).
        count: examples in each bin, (bins,).
        edges: lower and upper end of each bin, (bins, 2).
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    edges: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Confidence less accuracy of each bin: above 0 the network promises too much."""
        return self.confidence - self.accuracy

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of ``|gap|``, weighted by the number of examples."""
        return float(np.abs(self.gap) @ self.count / self.count.sum())


def reliability_diagram(probabilities, labels, bins: int = 15, strategy: str = "width") -> ReliabilityDiagram:
    """Sort predictions by confidence into bins; give confidence and accuracy of each.

    Args:
        probabilities: (n, classes).
        labels: class numbers (n,).
        bins: how many. Those without an example are left out.
        strategy: "width" for bins of equal width between 0 and 1; "mass" for bins with as many examples each, to one.

    Raises:
        ValueError: logits instead of probabilities, labels that do not fit, an unknown strategy, less than one bin, or
            more bins than examples with "mass".
    """
    confidence, right = _confidence_and_right(probabilities, labels)
    return _diagram(confidence, _bin_edges(confidence, bins, strategy), right)


def expected_calibration_error(probabilities, labels, bins: int = 15, strategy: str = "width") -> float:
    """The mean distance between confidence and accuracy, over bins weighted by their examples: ECE, 0 ... 1.

    Arguments and errors as `reliability_diagram`. It is biased upwards; compare it with `calibration_floor`.
    """
    return reliability_diagram(probabilities, labels, bins, strategy).error


def squared_calibration_error(
    probabilities, labels, bins: int = 15, strategy: str = "mass", debias: bool = True
) -> float:
    """The mean *squared* distance between confidence and accuracy, over bins weighted by their examples.

    With ``debias`` the share that chance alone has in it is taken away: in a bin of n examples of which the share a is
    right, a (1 - a) / (n - 1) (Kumar, Liang, Ma 2019, "Verified uncertainty calibration"). For a calibrated network its
    mean over samples is then near 0, so that a single one may be below 0. Bins of one example tell nothing about
    chance and are left out.

    Arguments and errors as `reliability_diagram`.
    """
    diagram = reliability_diagram(probabilities, labels, bins, strategy)
    squares = diagram.gap**2
    if not debias:
        return float(squares @ diagram.count / diagram.count.sum())
    several = diagram.count > 1
    if not several.any():
        raise ValueError("every bin holds one example, so that nothing can be said about chance: take fewer bins.")
    accuracy, count = diagram.accuracy[several], diagram.count[several]
    squares = squares[several] - accuracy * (1 - accuracy) / (count - 1)
    return float(squares @ count / count.sum())


def calibration_floor(
    probabilities, bins: int = 15, strategy: str = "width", repeats: int = 200, seed: int = 0
) -> np.ndarray:
    """The ECE that a perfectly calibrated network with just these probabilities has by chance, (repeats,).

    Whether a prediction is right is drawn anew with its confidence as the probability, ``repeats`` times (consistency
    resampling: Broecker and Smith 2007). The mean is what chance contributes; an ECE within the range of these numbers
    is no evidence against calibration.

    Args:
        probabilities: (n, classes).
        bins, strategy: as for the ECE it is compared with.
        repeats: how often.
        seed: of the draws.

    Raises:
        ValueError: as `reliability_diagram`.
    """
    confidence = as_probabilities(probabilities).max(axis=1)
    if repeats < 1:
        raise ValueError(f"repeats={repeats}; expected 1 or more.")
    edges = _bin_edges(confidence, bins, strategy)
    place = _places(confidence, edges)
    rng = np.random.default_rng(seed)
    errors = np.zeros(repeats)
    for number in range(repeats):
        right = rng.random(len(confidence)) < confidence
        errors[number] = np.abs(np.bincount(place, confidence - right, len(edges) - 1)).sum() / len(confidence)
    return errors


def brier_score(probabilities, labels) -> float:
    """The mean squared distance of the probabilities from the one-hot label, summed over classes: 0 ... 2.

    The definition of Brier (1950). For two classes it is twice what is often given for the probability of "yes" alone,
    as by scikit-learn with ``scale_by_half=True``.
    """
    probabilities = as_probabilities(probabilities)
    labels = as_labels(labels, *probabilities.shape)
    return float(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean())


def negative_log_likelihood(probabilities, labels) -> float:
    """The mean of -log p, where p is the probability of the true class, in nats: the cross-entropy loss of lesson 03.

    A true class of probability 0 makes it infinite, which is what the definition says.
    """
    probabilities = as_probabilities(probabilities)
    labels = as_labels(labels, *probabilities.shape)
    with np.errstate(divide="ignore"):
        return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits, labels) -> float:
    """The temperature T for which softmax(logits / T) has the lowest negative log-likelihood (Guo et al. 2017).

    Above 1 it makes a network less sure, below 1 surer; the class that is chosen never changes. **Fit it on validation
    data**: on the images that the network was trained on it is right too often, and the temperature comes out too low;
    on test data the calibration that you then report is no test. Use the result as ``softmax(logits, temperature)``.

    Args:
        logits: (n, classes), the scores before the softmax.
        labels: class numbers (n,).

    Raises:
        ValueError: probabilities instead of logits, labels that do not fit, logits that are all alike, or every
            prediction right (or none): then the best temperature is 0 (or infinite), and the data cannot say more.
    """
    from scipy import optimize

    logits = as_logits(logits)
    labels = as_labels(labels, *logits.shape)
    centred = logits - logits.mean(axis=1, keepdims=True)
    if not np.abs(centred).max() > 0:
        raise ValueError("all logits of each example are equal: no temperature changes anything.")
    true = centred[np.arange(len(labels)), labels]
    # In b = 1 / T the loss is convex, so that its slope has one sign change at most: mean logit under softmax - true.
    if (true >= centred.max(axis=1)).all():
        raise ValueError(
            f"all {len(labels)} predictions are right, so that the best temperature is 0. Are these training images? "
            "Fit on validation images, some of which the network gets wrong."
        )

    def slope(log_b: float) -> float:
        return float(((softmax(centred * np.exp(log_b)) * centred).sum(axis=1) - true).mean())

    if slope(-50.0) >= 0:
        raise ValueError(
            "the logits say less about the labels than equal chances do, so that the best temperature is infinite. "
            "Do labels and logits belong together (order of the classes, shuffled examples)?"
        )
    low, high = -1.0, 1.0
    while slope(low) >= 0:
        low *= 2
    while slope(high) <= 0:
        high *= 2
    return float(np.exp(-optimize.brentq(slope, low, high, xtol=1e-12)))


def _confidence_and_right(probabilities, labels) -> tuple[np.ndarray, np.ndarray]:
    probabilities = as_probabilities(probabilities)
    labels = as_labels(labels, *probabilities.shape)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _bin_edges(confidence: np.ndarray, bins: int, strategy: str) -> np.ndarray:
    if bins < 1:
        raise ValueError(f"bins={bins}; expected 1 or more.")
    if strategy == "width":
        return np.linspace(0, 1, bins + 1)
    if strategy != "mass":
        raise ValueError(f"strategy={strategy!r}; expected one of {', '.join(map(repr, STRATEGIES))}.")
    if bins > len(confidence):
        raise ValueError(f"{bins} bins of equal mass need as many examples; there are {len(confidence)}.")
    inner = np.quantile(confidence, np.arange(1, bins) / bins)
    return np.concatenate([[0], inner, [1]])


def _places(confidence: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each: lower < confidence <= upper; equal confidences always share a bin."""
    return np.searchsorted(edges[1:-1], confidence, side="left")


def _diagram(confidence: np.ndarray, edges: np.ndarray, right: np.ndarray) -> ReliabilityDiagram:
    place, bins = _places(confidence, edges), len(edges) - 1
    count = np.bincount(place, minlength=bins)
    there = count > 0
    mean = [np.bincount(place, values, bins)[there] / count[there] for values in (confidence, right)]
    ends = np.stack([edges[:-1], edges[1:]], axis=1)
    return ReliabilityDiagram(mean[0], mean[1], count[there], ends[there])
