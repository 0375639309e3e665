"""A new model beside the old one: does it answer otherwise, is it better, and when to go back. Lesson 15.

In **shadow** a new model answers the same inputs as the old one, and only the old one is heard. `compare` says how
often they agree, which needs no labels, and, on the part that has labels, how their accuracy differs: paired, because
both saw the same images. A `Policy` turns that into a decision, before the switch and after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Comparison", "Decision", "Policy", "compare"]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images. What needs labels is None without them.

    Attributes:
        count: images.
        agreement: the share of images on which both give the same answer.
        labelled: images with a label; all that follows is about these.
        old_accuracy, new_accuracy: shares that are right.
        difference: new less old accuracy.
        interval: of the difference, by the bootstrap over images: (lower, upper).
        only_old, only_new: images that only this model has right.
        p_value: of the exact test of McNemar (1947): how often, were both equally good, the images on which only one is
            right would be divided as unevenly.
    """

    count: int
    agreement: float
    labelled: int = 0
    old_accuracy: float | None = None
    new_accuracy: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    only_old: int | None = None
    only_new: int | None = None
    p_value: float | None = None


def compare(old, new, labels=None, confidence: float = 0.95, repeats: int = 2000, seed: int = 0) -> Comparison:
    """Compare the answers of two models on the same images.

    Args:
        old, new: the answers, class numbers (n,) each.
        labels: class numbers (n,); -1 where there is none yet. None if nobody has labelled any.
        confidence: of the bootstrap interval (percentiles; Efron 1979).
        repeats: draws of the bootstrap.
        seed: of the draws.

    Raises:
        ValueError: the shapes differ, scores were given instead of answers, or a number is out of range.
    """
    old, new = _answers(old, "old"), _answers(new, "new")
    if old.shape != new.shape:
        raise ValueError(f"{len(old)} old answers and {len(new)} new ones: both models must answer the same images.")
    if not 0 < confidence < 1 or repeats < 1:
        raise ValueError(f"confidence={confidence}, repeats={repeats}; expected a share below 1, and 1 or more.")
    agreement = float(np.mean(old == new))
    if labels is None:
        return Comparison(len(old), agreement)
    labels = _answers(labels, "labels")
    if labels.shape != old.shape:
        raise ValueError(f"{len(labels)} labels for {len(old)} images; write -1 where there is none.")
    known = labels >= 0
    if not known.any():
        return Comparison(len(old), agreement)
    from scipy import stats

    old_right, new_right = (old == labels)[known], (new == labels)[known]
    only_old, only_new = int(np.sum(old_right & ~new_right)), int(np.sum(new_right & ~old_right))
    count = int(known.sum())
    # Of the difference only three counts matter, so a draw of images is a draw of these.
    shares = np.array([only_old, only_new, count - only_old - only_new]) / count
    draws = np.random.default_rng(seed).multinomial(count, shares, size=repeats)
    tail = (1 - confidence) / 2
    lower, upper = np.quantile((draws[:, 1] - draws[:, 0]) / count, [tail, 1 - tail])
    discordant = only_old + only_new
    return Comparison(
        count=len(old),
        agreement=agreement,
        labelled=count,
        old_accuracy=float(old_right.mean()),
        new_accuracy=float(new_right.mean()),
        difference=(only_new - only_old) / count,
        interval=(float(lower), float(upper)),
        only_old=only_old,
        only_new=only_new,
        p_value=float(stats.binomtest(only_old, discordant).pvalue) if discordant else 1.0,
    )


@dataclass(frozen=True)
class Decision:
    """What to do now, and why: "promote", "wait", "reject", "keep", "roll back" or "investigate"."""

    action: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Rules that are written down before the numbers are seen.

    Args:
        least_labelled: with fewer labelled images nothing is decided on accuracy.
        tolerated_loss: of accuracy. A new model is promoted if the whole interval of the difference lies above minus
            this, and rejected or rolled back if the whole interval lies below it.
        least_agreement: where old and new agree less, people look at the images they disagree on before anything else.
        alarms, of_windows: so many alarms of a drift monitor among the last so many windows are taken seriously; single
            ones happen by chance.

    Raises:
        ValueError: a number is out of range.
    """

    least_labelled: int = 200
    tolerated_loss: float = 0.01
    least_agreement: float = 0.8
    alarms: int = 2
    of_windows: int = 3

    def __post_init__(self):
        if self.least_labelled < 1 or not 0 <= self.tolerated_loss < 1 or not 0 <= self.least_agreement <= 1:
            raise ValueError(f"{self}: expected 1 or more images, and shares from 0 to 1.")
        if not 1 <= self.alarms <= self.of_windows:
            raise ValueError(f"{self.alarms} alarms of {self.of_windows} windows; expected 1 to all of them.")

    def before(self, comparison: Comparison) -> Decision:
        """In shadow: "promote", "reject", "wait" for more labels, or "investigate" the disagreements."""
        if comparison.agreement < self.least_agreement:
            return Decision(
                "investigate",
                (f"the models agree on {comparison.agreement:.1%}, less than {self.least_agreement:.0%}",),
            )
        if comparison.labelled < self.least_labelled:
            return Decision("wait", (f"{comparison.labelled} labelled images; {self.least_labelled} were asked for",))
        lower, upper = comparison.interval
        if upper < -self.tolerated_loss:
            return Decision("reject", (f"{self._interval(comparison)}: all of it below {-self.tolerated_loss:+.1%}",))
        if lower > -self.tolerated_loss:
            return Decision("promote", (f"{self._interval(comparison)}: all of it above {-self.tolerated_loss:+.1%}",))
        return Decision("wait", (f"{self._interval(comparison)}: {-self.tolerated_loss:+.1%} lies in it",))

    def after(self, comparison: Comparison, alarms=()) -> Decision:
        """In use, with the old model now in the shadow: "roll back", "investigate" or "keep".

        Going back helps against a new *model* that is worse. It does not help against new *inputs*: those reach the old
        model too. So labels decide on a roll-back, and alarms of a drift monitor call for people.

        Args:
            comparison: of the answers since the switch; old is still the old model.
            alarms: of the windows since the switch, in their order, booleans.
        """
        reasons = []
        if comparison.labelled >= self.least_labelled and comparison.interval[1] < -self.tolerated_loss:
            reasons.append(f"{self._interval(comparison)}: all of it below {-self.tolerated_loss:+.1%}")
            return Decision("roll back", tuple(reasons))
        recent = [bool(alarm) for alarm in list(alarms)[-self.of_windows :]]
        if sum(recent) >= self.alarms:
            reasons.append(
                f"{sum(recent)} alarms in the last {len(recent)} windows: the inputs have changed, for both models. "
                "Look at them, and have some labelled"
            )
        if comparison.agreement < self.least_agreement:
            reasons.append(f"the models agree on {comparison.agreement:.1%}, less than {self.least_agreement:.0%}")
        if reasons:
            return Decision("investigate", tuple(reasons))
        return Decision("keep", ("no sign of a loss, and no more alarms than chance gives",))

    @staticmethod
    def _interval(comparison: Comparison) -> str:
        lower, upper = comparison.interval
        return f"new less old accuracy {comparison.difference:+.1%} ({lower:+.1%} to {upper:+.1%})"


def _answers(values, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        hint = " These look like scores: take .argmax(axis=1)." if array.ndim == 2 else ""
        raise ValueError(f"{what} of shape {array.shape}; expected class numbers (n,).{hint}")
    whole = array.astype("int64")
    if array.dtype.kind not in "iubf" or (array != whole).any():
        raise ValueError(f"{what} are {array.dtype}; expected whole class numbers. Probabilities are no answers yet.")
    return whole
