"""How far a method's samples are from those of a model that never knew the concept."""

from __future__ import annotations

import torch
from torch import Tensor

from vdu_bench.metrics.evidence import Evidence, Samples
from vdu_bench.metrics.frechet import feature_statistics, frechet_distance
from vdu_bench.metrics.kernel import TOO_FEW, kernel_distance
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.task import Task

NO_PEER = "there is no model, or no other one, that was trained without the concept to compare with"
NO_RECIPE = "the base is from elsewhere, and there is no recipe to train one like it without the concept"


class GapFrechet(Metric):
    """Frechet distance between the samples and a retrained model's from the same noise, in the judge's features.

    Of all samples of either, a text-to-image model's of both sets of prompts. The row ``retrain`` is the floor: the
    distance to another training of the same recipe; the row ``original`` is what there is to lose. Not a distance from
    real images: a model may be as far from these as the retrained one, and elsewhere.
    """

    better = "lower"
    group = "forgetting"
    rank = 20
    scale = "positive"

    @classmethod
    def applies(cls, task: Task) -> bool:
        return bool(task.attacks)

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


class GapKernel(Metric):
    """Kernel distance between the samples and a retrained model's, as `kid` has it from real images.

    Of the samples that `gap_fd` takes. Without bias by their number: 0 for equal distributions, and so below 0 at
    times.
    """

    better = "lower"
    group = "forgetting"
    rank = 21
    tolerance = "0.01"  # not relative: it may be 0

    @classmethod
    def applies(cls, task: Task) -> bool:
        return bool(task.attacks)

    def compute(self, evidence: Evidence) -> Measurement:
        if evidence.peer is None:
            return unknown(_why(evidence.task))
        own, theirs = _features(evidence.after), _features(evidence.peer)
        if min(len(own), len(theirs)) < 2:
            return unknown(TOO_FEW, len(own))
        value = kernel_distance(own, theirs, derive_seed(evidence.seed, "metric", "gap_kid"))
        return Measurement(without_interval(value, len(own), "its spread comes from seeds"))


def _why(task: Task) -> str:
    """Why there is nothing to compare with."""
    return NO_PEER if task.compared else NO_RECIPE


def _features(samples: Samples) -> Tensor:
    """float32 ``[N, F]`` of all samples, in the order of their names."""
    return torch.cat([readings.features for _, readings in sorted(samples.of("samples").items())])
