"""Kernel distance: how far samples are from real images, without the bias of a few of them."""

from __future__ import annotations

from statistics import fmean

from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval
from vdu_bench.seeds import derive_seed

TOO_FEW = "a kernel distance needs two images on each side"
SUBSETS = 10
LARGEST = 1000


class KernelDistance(Metric):
    """Kernel distance (KID) of the samples to real training images without the concept, in the judge's features.

    The unbiased squared maximum mean discrepancy under the kernel (x'y / s + 1)^3 (Binkowski et al. 2018), by torch-
    fidelity: the mean over 10 pairs of random subsets, of 1,000 images or of as many as there are. There s is the
    number of features, which suits Inception's, of about unit size; a judge's may be of any, so here it is the mean of
    the real images' x'x, so that the unit of the features does not matter. 0 for equal distributions, whatever the
    number of samples, and so below 0 at times. Of a text-to-image model the samples are those of the retain prompts,
    and the real images, as many for each prompt, those that would be right answers.
    """

    better = "lower"
    rank = 7
    scale = "signed"
    tolerance = "0.01"  # not relative: it may be 0
    of_real = "alike"

    def label(self, name: str, evidence: Evidence) -> str:  # noqa: ARG002
        return f"{name}_judge"  # no extractor's numbers compare with another's, and KID alone is read as Inception's

    def compute(self, evidence: Evidence) -> Measurement:
        if evidence.reference.missing:
            return unknown(evidence.reference.missing)
        found, real = evidence.after.retain.features, evidence.balanced_reference
        if min(len(found), len(real)) < 2:
            return unknown(TOO_FEW, len(found))
        if not real.any():
            return unknown("the features of all real images are zero, which leaves the kernel no scale", len(found))
        value = kernel_distance(found, real, derive_seed(evidence.seed, "metric", "kid"))
        return Measurement(without_interval(value, len(found), "its spread comes from seeds"))


def kernel_distance(found: Tensor, other: Tensor, seed: int) -> float:
    """The unbiased kernel distance of features, float ``[N, F]`` and ``[M, F]``, at least two of each, as above.

    s is the mean of x'x over `other`. Pairs of subsets are drawn by `seed`.
    """
    size = min(len(found), len(other), LARGEST)
    found, other = found.double(), other.double()
    measured = kid_features_to_metric(
        found,
        other,
        kid_kernel_poly_gamma=1 / float(other.square().sum(1).mean()),
        # Where no subset leaves an image out, all are the same.
        kid_subsets=1 if size == len(found) == len(other) else SUBSETS,
        kid_subset_size=size,
        rng_seed=seed % 2**32,
        verbose=False,
    )
    return float(measured[KEY_METRIC_KID_MEAN])


def kernel_distance_of_turns(found: Tensor, other: Tensor, prompts: int) -> float:
    """The unbiased kernel distance between images that were asked for by some prompts in turn.

    The same kernel and scale as `kernel_distance`, of all images: with equal weights for the prompts p and q,

        mean_pq [k(x_p, x'_q) + k(y_p, y'_q) - 2 k(x_p, y_q)],

    each the mean over all pairs of two images. With as many images for each prompt, pairs within a set are of one
    prompt less often than pairs across; taken as if they were independent, equal distributions seem nearer than that.

    Args:
        found: features, float ``[N, F]``; image i is of prompt i modulo `prompts`. At least two of each.
        other: the same of the other side, ``[M, F]``.
        prompts: how many there are.
    """
    found, other = found.double(), other.double()
    scale = other.square().sum(1).mean()

    def mean(a: Tensor, b: Tensor, alike: bool) -> float:
        kernel = (a @ b.T / scale + 1) ** 3
        means = []
        for p in range(prompts):
            for q in range(prompts):
                block = kernel[p::prompts, q::prompts]
                if alike and p == q:
                    n = len(block)
                    means.append(float((block.sum() - block.trace()) / (n * (n - 1))))
                else:
                    means.append(float(block.mean()))
        return fmean(means)

    return mean(found, found, True) + mean(other, other, True) - 2 * mean(found, other, False)
