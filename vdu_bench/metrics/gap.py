"""How far a method's samples are from those of a model that never knew the concept."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vdu_bench.metrics.evidence import Evidence, Losses, Samples
from vdu_bench.metrics.frechet import feature_statistics, frechet_distance
from vdu_bench.metrics.kernel import TOO_FEW, kernel_distance_of_turns
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval
from vdu_bench.stats.mean import mean_with_t_interval
from vdu_bench.tasks.task import Task

NO_PEER = "there is no model, or no other one, that was trained without the concept to compare with"
TOO_FEW_APART = "a kernel distance without pairs from one noise takes four images of each prompt"
NO_LOSSES = "no losses were taken"
SIDES = ("own", "peer")
NO_RECIPE = "the base is from elsewhere, and there is no recipe to train one like it without the concept"


class _Gap(Metric):
    """Measured where models are put under attack. Without a recipe for the base there is no number, but a reason."""

    better = "lower"
    group = "robustness"

    @classmethod
    def applies(cls, task: Task) -> bool:
        return bool(task.attacks)


class GapFrechet(_Gap):
    """Frechet distance to retrain: between the samples and a retrained model's, same noise, in the judge's features.

    Of all samples of either, a text-to-image model's of both sets of prompts. The row ``retrain`` is the floor: the
    distance to another training of the same recipe; the row ``original`` is what there is to lose. Not a distance from
    real images: a model may be as far from these as the retrained one, and elsewhere.
    """

    rank = 90
    scale = "positive"

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(_features(evidence.after))}"

    def compute(self, evidence: Evidence) -> Measurement:
        if evidence.peer is None:
            return unknown(_why(evidence.task))
        own, theirs = _features(evidence.after), _features(evidence.peer)
        samples, features = own.shape
        if samples <= features:
            return unknown(f"{samples} samples do not fix a covariance of {features} features", samples)
        value = frechet_distance(feature_statistics(own), feature_statistics(theirs))
        return Measurement(without_interval(value, samples, "its spread comes from seeds"))


class GapKernel(_Gap):
    """Kernel distance to retrain: between the samples and a retrained model's, as `kid` has it from real images.

    Of the samples that `gap_fd` takes. Two models draw alike from one noise, and a pair from one noise would make them
    nearer than their distributions are: so the samples of every other noise are held against the retrained model's of
    the noises between, and the other way round. A text-to-image model is asked by several prompts in turn: there it is
    every other turn through all of them, and each prompt weighs alike (`kernel_distance_of_turns`). The number is the
    mean of both ways, and of the sets of prompts where there are two. Its mean is 0 for equal distributions, whatever
    the number of samples, and so it is below 0 at times.
    """

    rank = 91
    tolerance = "0.01"  # not relative: it may be 0

    def compute(self, evidence: Evidence) -> Measurement:
        if evidence.peer is None:
            return unknown(_why(evidence.task))
        sides = [samples.of("samples") for samples in (evidence.after, evidence.peer)]
        samples, values = sum(map(len, sides[0].values())), []
        for name in sorted(sides[0]):
            mine, other = (side[name].features for side in sides)
            prompts = 1 if evidence.task.prompts is None else len(getattr(evidence.task.prompts, name))
            if len(mine) < 4 * prompts:
                return unknown(f"{TOO_FEW_APART}, and there are {len(mine)} of {prompts}", samples)
            odd = torch.arange(len(mine)) // prompts % 2 == 1
            values += [kernel_distance_of_turns(mine[half], other[~half], prompts) for half in (~odd, odd)]
        return Measurement(without_interval(fmean(values), samples, "its spread comes from seeds"))


class GapLikelihood(_Gap):
    """Likelihood gap to retrain: how much worse each model denoises the other's samples than its own, both ways.

    With L_m(x) the denoising loss of model m on x (`vdu_bench.probes.loss_probe`), M the method's model and R the
    retrained one, 100 times

        1/2 E_{x ~ M} [L_R(x) - L_M(x)] + 1/2 E_{x ~ R} [L_M(x) - L_R(x)].

    The loss stands for a bound on -log p, so that it is half of Jeffreys' divergence but for the weights of the times
    (after FADE, which compares likelihoods both ways: Cho et al. 2025, arXiv 2510.12981). Around 0 for equal models.
    Each is held against the other's samples from the same initial noise, and all four losses of an image are over the
    same times and noise; of a text-to-image model both sets of prompts count. The interval is over initial noises.
    """

    probe = "likelihood"
    rank = 92
    tolerance = "0.1"  # not relative: it may be 0

    @classmethod
    def applies(cls, task: Task) -> bool:
        return super().applies(task) and task.looked_at_by(cls.probe)

    def compute(self, evidence: Evidence) -> Measurement:
        if evidence.peer is None:
            return unknown(_why(evidence.task))
        found = evidence.losses.get(self.probe)
        if found is None:
            return unknown(evidence.after.why_none(self.probe, NO_LOSSES))
        both = [_over_prompts(found, f"peer on {whose}") - _over_prompts(found, f"own on {whose}") for whose in SIDES]
        own, peers = both
        each = 100 * (own - peers) / 2
        if len(each) < 2:
            return unknown(TOO_FEW, len(each))
        return Measurement(mean_with_t_interval(each))


def _over_prompts(losses: Losses, which: str) -> NDArray[np.float64]:
    """float64 ``[N]``: by initial noise, one model's losses on one's samples, over the sets of prompts."""
    found = [values.double().numpy() for name, values in losses.items() if name.partition("/")[0] == which]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def _why(task: Task) -> str:
    """Why there is nothing to compare with."""
    return NO_PEER if task.compared else NO_RECIPE


def _features(samples: Samples) -> Tensor:
    """float32 ``[N, F]`` of all samples, in the order of their names."""
    return torch.cat([readings.features for _, readings in sorted(samples.of("samples").items())])
