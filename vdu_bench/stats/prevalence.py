"""What a judge that errs says about the true rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import tail
from vdu_bench.stats._pairs import count_pairs
from vdu_bench.stats.pul import NO_HITS_BEFORE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JudgeErrors:
    """How often a judge was right about one class, in counts of held-out real images.

    Raises:
        ValueError: a count is negative, or there is no image with the class or none without it.
    """

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    def __post_init__(self) -> None:
        counts = (self.true_positives, self.false_negatives, self.false_positives, self.true_negatives)
        if min(counts) < 0:
            raise ValueError(f"counts of images are not negative: {counts}")
        if self.true_positives + self.false_negatives == 0 or self.false_positives + self.true_negatives == 0:
            raise ValueError("a judge's errors take held-out images both with and without the class")

    @property
    def sensitivity(self) -> float:
        """The share of images with the class that the judge recognises, 0..1."""
        return self.true_positives / (self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """The share of images without the class that the judge does not take for it, 0..1."""
        return self.true_negatives / (self.true_negatives + self.false_positives)


def from_confusion(confusion: NDArray[np.integer], positive: int) -> JudgeErrors:
    """The errors about one class out of a confusion matrix; all other rows together are the negatives.

    Args:
        confusion: int ``[K, K]`` or ``[K, K + 1]``, counts; rows are truth, columns the judge's answer in the same
            order. A last extra column counts the answer "none of the classes", which is a negative answer.
        positive: index of the class, 0..K-1.

    Raises:
        ValueError: the shape is another, K < 2, entries are not whole or are negative, `positive` is out of range, or
            a side has no images.
    """
    confusion = np.asarray(confusion)
    classes = len(confusion)
    if confusion.ndim != 2 or classes < 2 or confusion.shape[1] not in (classes, classes + 1):
        raise ValueError(f"a confusion matrix is [K, K] or [K, K + 1] with K >= 2, not {list(confusion.shape)}")
    if not np.issubdtype(confusion.dtype, np.integer) or confusion.min() < 0:
        raise ValueError("a confusion matrix holds counts: integers, none negative")
    if not 0 <= positive < classes:
        raise ValueError(f"class {positive} is not one of 0..{classes - 1}")
    images = confusion.sum(axis=1)
    true_positives = int(confusion[positive, positive])
    false_positives = int(confusion[:, positive].sum()) - true_positives
    return JudgeErrors(
        true_positives=true_positives,
        false_negatives=int(images[positive]) - true_positives,
        false_positives=false_positives,
        true_negatives=int(images.sum() - images[positive]) - false_positives,
    )


def rogan_gladen(rate: float, errors: JudgeErrors) -> float:
    """The true prevalence behind a judged rate, clipped to 0..1.

    ``(rate + specificity - 1) / (sensitivity + specificity - 1)``: Rogan & Gladen, "Estimating prevalence from the
    results of a screening test", American Journal of Epidemiology 107, 1978.

    Args:
        rate: the share of samples in which the judge sees the class, 0..1.
        errors: the judge's, on held-out real images.

    Returns:
        A share 0..1; NaN when sensitivity + specificity <= 1, i.e. when the judge tells nothing about the class.

    Raises:
        ValueError: `rate` is outside 0..1.
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a rate lies in 0..1, not {rate}")
    return float(_true_rate(rate, errors.sensitivity, errors.specificity))


def pul_corrected(
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    errors: JudgeErrors,
    rng: np.random.Generator,
    draws: int = 4000,
    level: float = 0.95,
) -> Estimate:
    """PUL in percent of the true rates: both judged rates are corrected by Rogan-Gladen, then put into the ratio.

    The interval is equal-tailed over draws from two independent posteriors: the four cells of the paired table
    (Dirichlet), and the judge's sensitivity and specificity (Beta, Jeffreys' prior). The Dirichlet's prior is 1/2 on
    the two discordant cells and 0 on the others, so that either judged rate has Jeffreys' prior too. (In simulations
    with a judge that is always right, 1/4 or 1/2 on each cell covered as little as 85 % of the time, this prior no
    less than 92 %.) The interval is stretched to contain the estimate, which draws need not reach at the clipped end.

    What it assumes: the judge errs on generated images as on real ones, and what it wrongly takes for the forget
    class comes from the other classes in the held-out images' proportions, before and after alike.

    Args:
        before: bool ``[n]``, whether the judge sees the forget class in the original's sample.
        after: bool ``[n]``, the same for the unlearned model's sample from the same initial noise.
        errors: the judge's, about the forget class, on held-out real images.
        rng: source of the draws.
        draws: how many.
        level: confidence level, strictly between 0 and 1.

    Returns:
        An estimate in percent, at most 100, with n pairs. NaN with a reason when the corrected rate before is not
        positive or the judge is uninformative. A value without an interval, and `method` saying why, when the draws
        do not keep the rate before away from 0: the ratio is then unbounded below.

    Raises:
        ValueError: not two bool arrays of one length, no pairs, draws < 1, or the level is outside (0, 1).
    """
    side = tail(level)
    pairs = count_pairs(before, after)
    if draws < 1:
        raise ValueError(f"an interval takes at least one draw, not {draws}")
    if pairs.before == 0:
        return Estimate(n=pairs.n, reason=NO_HITS_BEFORE)
    if errors.sensitivity + errors.specificity <= 1.0:
        return Estimate(n=pairs.n, reason="the judge does no better than chance (sensitivity + specificity <= 1)")
    rate_before, rate_after = (rogan_gladen(hits / pairs.n, errors) for hits in (pairs.before, pairs.after))
    if rate_before <= 0.0:
        return Estimate(n=pairs.n, reason="the judge's false positives account for all it saw before")
    value = 100.0 * (1.0 - rate_after / rate_before)

    counts = np.array([pairs.both, pairs.only_before, pairs.only_after, pairs.neither])
    # Normalised gamma draws are Dirichlet draws, and unlike rng.dirichlet they take a parameter of 0 everywhere.
    cells = rng.standard_gamma(counts + np.array([0.0, 0.5, 0.5, 0.0]), size=(draws, 4))
    cells /= cells.sum(axis=1, keepdims=True)
    sensitivity = rng.beta(errors.true_positives + 0.5, errors.false_negatives + 0.5, size=draws)
    specificity = rng.beta(errors.true_negatives + 0.5, errors.false_positives + 0.5, size=draws)
    drawn_before = _true_rate(cells[:, 0] + cells[:, 1], sensitivity, specificity)
    drawn_after = _true_rate(cells[:, 0] + cells[:, 2], sensitivity, specificity)
    defined = drawn_before > 0.0
    drawn = np.full(draws, -np.inf)
    drawn[defined] = 100.0 * (1.0 - drawn_after[defined] / drawn_before[defined])
    # Interpolation between order statistics would make NaN out of -inf.
    low, high = np.quantile(drawn, [side, 1.0 - side], method="inverted_cdf")
    if not np.isfinite(low):
        return Estimate(value=value, n=pairs.n, method="none: the corrected rate before is not distinct from 0")
    return Estimate(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        n=pairs.n,
        method=f"posterior of cells and confusion matrix, {draws} draws",
    )


def _true_rate(rate: ArrayLike, sensitivity: ArrayLike, specificity: ArrayLike) -> Floats:
    """Rogan-Gladen, elementwise; NaN where the judge is uninformative."""
    rate, sensitivity, specificity = (np.asarray(share, dtype=np.float64) for share in (rate, sensitivity, specificity))
    informedness = sensitivity + specificity - 1.0
    informedness = np.where(informedness > 0.0, informedness, np.nan)
    return np.clip((rate + specificity - 1.0) / informedness, 0.0, 1.0)
