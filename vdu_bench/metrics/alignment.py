"""Do images still match the prompts that did not ask for the forgotten? By CLIP; text-to-image models only."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from vdu_bench.judges.clip.scorer import ClipScorer
from vdu_bench.measured import Estimate
from vdu_bench.metrics.evidence import Evidence, Readings
from vdu_bench.metrics.metric import Measurement, Metric, unknown
from vdu_bench.stats.paired_change import paired_change

NO_CLIP = "the task names no CLIP model"


class _OfClip(Metric):
    """What the numbers by CLIP have in common."""

    def label(self, name: str, evidence: Evidence) -> str:
        return name if evidence.clip is None else f"{name}_{evidence.clip.name}"

    def compute(self, evidence: Evidence) -> Measurement:
        return unknown(NO_CLIP) if evidence.clip is None else Measurement(self.estimate(evidence, evidence.clip))

    @abstractmethod
    def estimate(self, evidence: Evidence, clip: ClipScorer) -> Estimate:
        """The estimate by `clip`."""


class ClipScore(_OfClip):
    """CLIP score: 100 times the cosine of image and prompt embeddings, of the retain prompts' images, not clamped.

    After Hessel et al. 2021 ("CLIPScore"), without its factor of 2.5. The label carries model, weights and precision;
    scores of different ones do not compare. The interval's unit is the prompt.
    """

    better = "higher"
    kinds = ("text_to_image",)
    scale = "signed"
    same_units = True
    tolerance = "0.5"  # not relative: what a model has lost is a small part of it
    of_real = "alike"

    def estimate(self, evidence: Evidence, clip: ClipScorer) -> Estimate:
        scores = _scores(evidence, clip, evidence.after.retain)
        level = paired_change(np.zeros_like(scores), scores, _clusters(evidence))
        return level.model_copy(update={"method": level.method.removeprefix("paired, ")})


class ClipChange(_OfClip):
    """Change of the CLIP score: against the original's image of the same prompt and noise, over the retain prompts.

    0 for the original itself; the interval is over prompts, each with the mean of its paired changes.
    """

    better = "higher"
    kinds = ("text_to_image",)
    scale = "signed"
    same_units = True
    tolerance = "0.5"  # not relative: it may be 0

    def estimate(self, evidence: Evidence, clip: ClipScorer) -> Estimate:
        before, after = (_scores(evidence, clip, side.retain) for side in (evidence.before, evidence.after))
        return paired_change(before, after, _clusters(evidence))


def _prompts(evidence: Evidence) -> list[str]:
    return evidence.prompts.cycled("retain", len(evidence.after.retain))


def _clusters(evidence: Evidence) -> NDArray[np.int64]:
    return np.unique(_prompts(evidence), return_inverse=True)[1].astype(np.int64)


def _scores(evidence: Evidence, clip: ClipScorer, readings: Readings) -> NDArray[np.float64]:
    # The original's are asked for by every cell of its seed; a task has one CLIP of a name.
    prompts = tuple(_prompts(evidence))
    return readings.memo.once(("scores", clip.name, prompts), lambda: clip.score(readings.images, prompts).numpy())
