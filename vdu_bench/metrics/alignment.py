"""Do images still match the prompts that did not ask for the forgotten? By CLIP; text-to-image models only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vdu_bench.metrics.evidence import Evidence, Readings
from vdu_bench.metrics.metric import Metric
from vdu_bench.records import Estimate
from vdu_bench.stats.paired_change import paired_change

NO_CLIP = "the task names no CLIP model"


class ClipScore(Metric):
    """CLIP score of the retain prompts' images: 100 times the cosine of image and prompt embeddings, not clamped.

    After Hessel et al. 2021 ("CLIPScore"), without its factor of 2.5. The label carries model, weights and precision;
    scores of different ones do not compare. The interval's unit is the prompt.
    """

    better = "higher"
    kinds = ("text_to_image",)

    def label(self, name: str, evidence: Evidence) -> str:
        return _label(name, evidence)

    def compute(self, evidence: Evidence) -> Estimate:
        if evidence.clip is None:
            return Estimate(reason=NO_CLIP)
        scores = _scores(evidence, evidence.after.retain)
        level = paired_change(np.zeros_like(scores), scores, _clusters(evidence))
        return level.model_copy(update={"method": level.method.removeprefix("paired, ")})


class ClipChange(Metric):
    """Change of the CLIP score against the original's image of the same prompt and noise, over the retain prompts.

    0 for the original itself; the interval is over prompts, each with the mean of its paired changes.
    """

    better = "higher"
    kinds = ("text_to_image",)

    def label(self, name: str, evidence: Evidence) -> str:
        return _label(name, evidence)

    def compute(self, evidence: Evidence) -> Estimate:
        if evidence.clip is None:
            return Estimate(reason=NO_CLIP)
        before, after = (_scores(evidence, side.retain) for side in (evidence.before, evidence.after))
        return paired_change(before, after, _clusters(evidence))


def _label(name: str, evidence: Evidence) -> str:
    return name if evidence.clip is None else f"{name}_{evidence.clip.name}"


def _prompts(evidence: Evidence) -> list[str]:
    return evidence.prompts.cycled("retain", len(evidence.after.retain.images))


def _clusters(evidence: Evidence) -> NDArray[np.int64]:
    return np.unique(_prompts(evidence), return_inverse=True)[1].astype(np.int64)


def _scores(evidence: Evidence, readings: Readings) -> NDArray[np.float64]:
    assert evidence.clip is not None  # asked before
    return evidence.clip.score(readings.images, _prompts(evidence)).numpy()
