"""Whether what comes in is still what the network was made for. Lesson 15.

A distribution is compared with that of reference data, by numbers that need no labels: statistics of the images, the
network's confidences, its embeddings.

=============================  ====================================================================================
`population_stability_index`   how far the shares of ten bins have moved; for one number per image
`ks_test`                      the largest distance between two distribution functions, and how likely by chance
`mmd`, `mmd_test`              the same question for vectors, as embeddings; how likely, by permutation
`image_statistics`             brightness, contrast, sharpness and colours of each image
`Monitor`                      fitted on reference data; raises an alarm on a window at a stated rate of false alarms
=============================  ====================================================================================

An alarm says that the inputs have changed, not that the answers are worse; and no alarm does not say that they are
right. Only labels do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cnnlib.reliability._arrays import as_images, as_scores

__all__ = [
    *("Monitor", "TestResult", "Verdict", "image_statistics", "ks_test", "mmd", "mmd_test"),
    "population_stability_index",
]


@dataclass(frozen=True)
class TestResult:
    """A distance, and how often chance alone gives one as large (the p-value)."""

    __test__ = False  # it is no test of pytest's

    distance: float
    p_value: float


# --- one number per image --------------------------------------------------------------------------------------------


def population_stability_index(reference, current, bins: int = 10) -> float:
    """The population stability index: sum of (b - a) ln(b / a) over bins, a and b the shares of either sample.

    The bins hold equal shares of the reference. Where a sample leaves a bin empty, half an example is put there, lest
    the index be infinite. Custom calls below 0.1 stable and above 0.25 changed (Siddiqi 2006), but by chance alone its
    mean is near (bins - 1) (1 / n + 1 / m), for samples of n and m: with windows of 50 that is 0.2. Use `Monitor`, or
    at least that number, before you call anything changed.

    Args:
        reference, current: one number per image, (n,) and (m,).
        bins: how many; values that repeat may leave fewer.

    Raises:
        ValueError: a sample is empty or has NaN, or bins is below 2.
    """
    reference, current = _sample(reference, "reference"), _sample(current, "current")
    if bins < 2:
        raise ValueError(f"bins={bins}; expected 2 or more.")
    edges = np.unique(np.quantile(reference, np.arange(1, bins) / bins))
    return _stability(_counts(reference, edges), _counts(current, edges))


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def _stability(reference: np.ndarray, current: np.ndarray) -> float:
    shares = [np.maximum(counts, 0.5) for counts in (reference, current)]
    a, b = (counts / counts.sum() for counts in shares)
    return float((b - a) @ np.log(b / a))


def ks_test(reference, current) -> TestResult:
    """The two-sample test of Kolmogorov and Smirnov, as SciPy has it.

    Args:
        reference, current: one number per image, (n,) and (m,).

    Returns:
        The largest distance between the two distribution functions, 0 ... 1, and its p-value, which supposes that the
        images are independent. Frames of one video are not: see `Monitor`, ``in_order``.

    Raises:
        ValueError: a sample is empty or has NaN.
    """
    from scipy import stats

    result = stats.ks_2samp(_sample(reference, "reference"), _sample(current, "current"))
    return TestResult(float(result.statistic), float(result.pvalue))


def _sample(values, what: str) -> np.ndarray:
    array = as_scores(values, what=what)
    if not len(array):
        raise ValueError(f"{what} is empty.")
    return array


# --- vectors ---------------------------------------------------------------------------------------------------------


def mmd(reference, current, width: float | None = None) -> float:
    """The squared maximum mean discrepancy of two samples of vectors, without bias (Gretton et al. 2012).

    With the Gaussian kernel ``exp(-|a - b|^2 / (2 width^2))``: 0 for equal distributions, on average, so that it may
    come out below 0.

    Args:
        reference, current: (n, features) and (m, features), two vectors or more each.
        width: of the kernel; the median distance between all vectors if not given.

    Raises:
        ValueError: the shapes do not fit, or the width is not positive.
    """
    vectors, n = _vectors(reference, current)
    return _discrepancy(_kernel(vectors, width), np.arange(len(vectors)) < n)


def mmd_test(
    reference, current, width: float | None = None, permutations: int = 500, seed: int = 0, limit: int = 2000
) -> TestResult:
    """The squared maximum mean discrepancy, and how often a random division of the same vectors has one as large.

    Args:
        reference, current, width: as `mmd`.
        permutations: how many divisions are drawn. The p-value is at least 1 / (permutations + 1), and a test that
            rejects below alpha is wrong in at most the share alpha of all cases without a change.
        seed: of the divisions.
        limit: the kernel has (n + m)^2 numbers; beyond this many vectors it is refused.

    Raises:
        ValueError: as `mmd`, or there are too many vectors, or no permutation.
    """
    vectors, n = _vectors(reference, current)
    if permutations < 1:
        raise ValueError(f"permutations={permutations}; expected 1 or more.")
    if len(vectors) > limit:
        raise ValueError(
            f"{len(vectors)} vectors need a kernel of {len(vectors) ** 2 / 1e6:.0f} million numbers; give at most "
            f"{limit} (a random part of the reference will do), or a higher limit."
        )
    kernel = _kernel(vectors, width)
    first = np.arange(len(vectors)) < n
    distance = _discrepancy(kernel, first)
    rng = np.random.default_rng(seed)
    drawn = np.array([_discrepancy(kernel, rng.permutation(first)) for _ in range(permutations)])
    # Equal divisions can differ by rounding, and must count as equal.
    extreme = int((drawn >= distance - 1e-12).sum())
    return TestResult(distance, (1 + extreme) / (1 + permutations))


def _vectors(reference, current) -> tuple[np.ndarray, int]:
    pair = [np.asarray(sample, "float64") for sample in (reference, current)]
    shapes = [sample.shape for sample in pair]
    if any(sample.ndim != 2 or len(sample) < 2 for sample in pair) or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"reference {shapes[0]} and current {shapes[1]}: expected (n, features) and (m, features), with two "
            "vectors or more each. One number per image needs an axis: values[:, None]."
        )
    vectors = np.concatenate(pair)
    if not np.isfinite(vectors).all():
        raise ValueError("the vectors hold NaN or infinity.")
    return vectors, len(pair[0])


def _kernel(vectors: np.ndarray, width: float | None) -> np.ndarray:
    norms = (vectors**2).sum(axis=1)
    squares = np.maximum(norms[:, None] + norms - 2 * vectors @ vectors.T, 0)
    if width is None:
        width = np.sqrt(np.median(squares[np.triu_indices(len(vectors), 1)])) or 1.0
    if not width > 0:
        raise ValueError(f"width={width}; expected a positive distance.")
    return np.exp(-squares / (2 * width**2))


def _discrepancy(kernel: np.ndarray, first: np.ndarray) -> float:
    """Without bias: no vector is compared with itself (all have 1 on the diagonal)."""
    a, b = first.astype("float64"), (~first).astype("float64")
    n, m = a.sum(), b.sum()
    to_a, to_b = kernel @ a, kernel @ b
    return float((a @ to_a - n) / (n * (n - 1)) + (b @ to_b - m) / (m * (m - 1)) - 2 * (a @ to_b) / (n * m))


# --- statistics of images --------------------------------------------------------------------------------------------


def image_statistics(images) -> dict[str, np.ndarray]:
    """What can be said of each image without a network: name -> one number per image, (n,).

    "brightness" is the mean and "contrast" the standard deviation of the grey values; "sharpness" the mean distance of
    neighbouring pixels; of colour images also "red" and "blue", the means less that of all channels, and "saturation",
    the mean distance between the highest and the lowest channel.

    Args:
        images: (n, height, width, 1 or 3), float32 in [0, 1].

    Raises:
        ValueError: they are not.
    """
    images = as_images(images)
    grey = images.mean(axis=-1)
    steps = [np.abs(np.diff(grey, axis=axis)) for axis in (1, 2)]
    sharpness = [step.mean(axis=(1, 2)) if step.size else np.zeros(len(images)) for step in steps]
    statistics = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "sharpness": np.mean(sharpness, axis=0),
    }
    if images.shape[-1] == 3:
        means = images.mean(axis=(1, 2))
        statistics["red"] = means[:, 0] - means.mean(axis=1)
        statistics["blue"] = means[:, 2] - means.mean(axis=1)
        statistics["saturation"] = np.ptp(images, axis=-1).mean(axis=(1, 2))
    return {name: np.asarray(values, "float64") for name, values in statistics.items()}


# --- a monitor -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a monitor says of one window.

    Attributes:
        alarm: whether anything has moved farther than chance allows at the stated rate.
        distances: of each column, the Kolmogorov-Smirnov distance from the reference.
        limit: of the same columns: a distance above it is an alarm.
        reasons: the columns above their limit, the farthest above first.
    """

    alarm: bool
    distances: dict[str, float]
    limit: dict[str, float]
    reasons: tuple[str, ...] = ()


@dataclass
class Monitor:
    """Compares windows of numbers with those of reference data, and raises an alarm at a stated rate of false alarms.

    Any numbers per image will do: those of `image_statistics`, the network's confidence, the components of an
    embedding. Each column is compared by its Kolmogorov-Smirnov distance. Many columns have many occasions for a false
    alarm; the rate is that of the whole window, whichever column raises it. It is a mean over references: the own rate
    of a single monitor lies near it, the nearer the more reference images there are.

    Args:
        window: images in a window.
        false_alarm_rate: the share of windows without any change on which it may raise an alarm.
        method: "resampling" (the default): windows drawn from the reference, each compared with what is left of it,
            show what chance does to all columns together. "bonferroni": each of k columns gets the share 1/k of the
            rate, by the p-value of the test. It supposes independent images, and is cautious where columns go together.
        in_order: the windows drawn in fitting are stretches of the reference in its order. Say True where images follow
            each other as in a video: then a window varies far more than as many independent images, and a limit that
            does not know it raises false alarms all day. For "resampling" only.
        repeats: windows drawn in fitting, for "resampling".
        seed: of the draws.

    Raises:
        ValueError: a number is out of range, or the method unknown.
    """

    window: int = 100
    false_alarm_rate: float = 0.01
    method: str = "resampling"
    in_order: bool = False
    repeats: int = 2000
    seed: int = 0
    limit: dict[str, float] = field(default_factory=dict, init=False)
    _reference: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        if self.window < 2 or self.repeats < 1:
            raise ValueError(f"window={self.window}, repeats={self.repeats}; expected 2 or more, and 1 or more.")
        if not 0 < self.false_alarm_rate < 1:
            raise ValueError(f"false_alarm_rate={self.false_alarm_rate}; expected a share of windows, as 0.01.")
        if self.method not in ("resampling", "bonferroni"):
            raise ValueError(f"method={self.method!r}; expected 'resampling' or 'bonferroni'.")
        if self.method == "resampling" and self.repeats * self.false_alarm_rate < 10:
            raise ValueError(
                f"{self.repeats} windows cannot tell a rate of {self.false_alarm_rate}: expected at least "
                f"{int(np.ceil(10 / self.false_alarm_rate))} repeats, so that ten lie beyond the limit."
            )
        if self.in_order and self.method == "bonferroni":
            raise ValueError("in_order=True asks for windows drawn in order, and method='bonferroni' draws none.")

    def fit(self, columns: Mapping[str, np.ndarray]) -> Monitor:
        """Learn what is normal.

        Args:
            columns: name -> one number per reference image, (n,): images from where the model will be used, which it
                was not trained on. At least four windows of them; with ``in_order`` at least ten, in their order.

        Returns:
            The monitor itself.

        Raises:
            ValueError: there are no columns, they differ in length, hold NaN, or are too short.
        """
        columns = _columns(columns)
        count = len(next(iter(columns.values())))
        least = (10 if self.in_order else 4) * self.window if self.method == "resampling" else self.window
        if count < least:
            raise ValueError(
                f"{count} reference images for windows of {self.window}: expected {least} or more, or the monitor "
                "takes the luck of the reference for the rule."
            )
        self._reference = {name: np.sort(values) for name, values in columns.items()}
        if self.method == "bonferroni":
            level = self.false_alarm_rate / len(columns)
            self.limit = dict.fromkeys(columns, _ks_limit(count, self.window, level))
            return self
        drawn = self._distances_by_chance(columns, count)
        # One common number of standard deviations for all columns, so that none uses up the rate of the others.
        middle, spread = drawn.mean(axis=0), np.maximum(drawn.std(axis=0), 1e-12)
        worst = np.sort(((drawn - middle) / spread).max(axis=1))
        allowed = int(np.floor(self.false_alarm_rate * (self.repeats + 1)))
        limit = np.maximum(middle + worst[self.repeats - allowed] * spread, 1e-12)  # of a column that is constant
        self.limit = dict(zip(columns, map(float, limit)))
        return self

    def _distances_by_chance(self, columns: dict[str, np.ndarray], count: int) -> np.ndarray:
        """Of windows drawn from the reference, the distance from what is left of it: (repeats, columns)."""
        rng = np.random.default_rng(self.seed)
        inside = np.zeros((self.repeats, count), bool)
        for row in inside:
            if self.in_order:
                first = rng.integers(0, count - self.window + 1)
                row[first : first + self.window] = True
            else:
                row[rng.choice(count, self.window, replace=False)] = True
        drawn = np.zeros((self.repeats, len(columns)))
        for column, values in enumerate(columns.values()):
            order = np.argsort(values, kind="stable")
            ends = np.append(np.flatnonzero(np.diff(values[order])), count - 1)  # of each run of equal values
            taken = np.cumsum(inside[:, order], axis=1)[:, ends]
            apart = np.abs(taken / self.window - (ends + 1 - taken) / (count - self.window))
            drawn[:, column] = apart.max(axis=1)
        return drawn

    def check(self, columns: Mapping[str, np.ndarray]) -> Verdict:
        """Judge one window.

        Args:
            columns: the same columns as in `fit`, (window,) each.

        Raises:
            RuntimeError: the monitor is not fitted.
            ValueError: other columns, or another length.
        """
        if not self.limit:
            raise RuntimeError("the monitor knows no reference yet: call fit(columns) first.")
        columns = _columns(columns)
        if set(columns) != set(self.limit):
            raise ValueError(f"columns {sorted(columns)}; the monitor was fitted on {sorted(self.limit)}.")
        lengths = {len(values) for values in columns.values()}
        if lengths != {self.window}:
            raise ValueError(f"a window of {lengths.pop()} images; the limits are for {self.window}.")
        distances = {name: _ks_distance(self._reference[name], columns[name]) for name in self.limit}
        over = {name: distances[name] / self.limit[name] for name in self.limit if distances[name] > self.limit[name]}
        return Verdict(bool(over), distances, dict(self.limit), tuple(sorted(over, key=over.get, reverse=True)))

    def check_all(self, columns: Mapping[str, np.ndarray]) -> list[Verdict]:
        """Judge one window after the other; a rest that fills no window waits for more."""
        columns = _columns(columns)
        count = len(next(iter(columns.values()))) // self.window
        cut = [slice(i * self.window, (i + 1) * self.window) for i in range(count)]
        return [self.check({name: values[part] for name, values in columns.items()}) for part in cut]


def _columns(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns: expected a dict of name and numbers, got {type(columns).__name__}.")
    columns = {name: _sample(values, f"column {name!r}") for name, values in columns.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if not columns or len(set(lengths.values())) > 1:
        raise ValueError(f"columns have {lengths or 'no entries'}; expected one number per image in each.")
    return columns


def _ks_distance(reference: np.ndarray, current: np.ndarray) -> float:
    """Of a sorted reference and a sample: the largest distance of the two distribution functions."""
    current = np.sort(current)
    both = np.concatenate([reference, current])
    ours = np.searchsorted(reference, both, side="right") / len(reference)
    theirs = np.searchsorted(current, both, side="right") / len(current)
    return float(np.abs(ours - theirs).max())


def _ks_limit(reference: int, window: int, level: float) -> float:
    """The distance whose p-value is ``level``, as `scipy.stats.ks_2samp` computes it with ``method="asymp"``."""
    from scipy import stats

    return float(stats.kstwo.isf(level, np.round(reference * window / (reference + window))))
