"""How far a score moved, image by image, where several images answer one prompt."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import TAIL

Floats = NDArray[np.float64]


def paired_change(before: Floats, after: Floats, clusters: NDArray[np.integer]) -> Estimate:
    """The mean change of a score, with a t interval clustered by prompt.

    With the changes ``d_i = after_i - before_i`` of n images, their mean ``m``, and G prompts, the standard error is

        se^2 = G / (G - 1) * sum_g ( sum_{i in g} (d_i - m) )^2 / n^2

    and the interval ``m +- t(G - 1) * se`` (Liang & Zeger, "Longitudinal data analysis using generalized linear
    models", Biometrika 73, 1986; the correction for few clusters and the degrees of freedom after Cameron & Miller, "A
    practitioner's guide to cluster-robust inference", Journal of Human Resources 50, 2015). A prompt's images move
    together, so that more of them say little about other prompts, which the interval speaks of as well. Where every
    prompt has as many images as the others it is Student's interval of the prompts' mean changes, and where every image
    has its own prompt that of the images'.

    Args:
        before: float ``[n]``; element i belongs to the same prompt and the same initial noise as element i of `after`.
        after: float ``[n]``.
        clusters: int ``[n]``, which prompt each belongs to; any numbers, in any order.

    Returns:
        The change in the score's own unit, n images; without an interval where there is a single prompt.

    Raises:
        ValueError: the arrays are not one-dimensional, of one length and at least 1, a score is not finite, or
            `clusters` are not int.
    """
    before, after = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if before.ndim != 1 or len(before) == 0 or not before.shape == after.shape == clusters.shape:
        raise ValueError(
            "scores before and after and their prompts are arrays [n] of one length, "
            f"not {[list(array.shape) for array in (before, after, clusters)]}"
        )
    if not np.issubdtype(clusters.dtype, np.integer):
        raise ValueError(f"prompts are given by whole numbers, not {clusters.dtype}")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("a score is not finite")
    change = after - before
    mean, n = float(change.mean()), len(change)
    _, cluster = np.unique(clusters, return_inverse=True)
    sums = np.bincount(cluster, weights=change - mean)
    prompts = len(sums)
    if prompts == 1:
        return Estimate(value=mean, n=n, method="no interval from a single prompt")
    error = math.sqrt(prompts / (prompts - 1) * float(np.square(sums).sum())) / n
    margin = float(t.isf(TAIL, prompts - 1)) * error
    return Estimate(value=mean, low=mean - margin, high=mean + margin, n=n, method=f"paired, t over {prompts} prompts")
