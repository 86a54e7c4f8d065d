"""Evidence of a text-to-image task whose samples the judge reads as planted."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.faces import NAMES
from vdu_bench.data.splits import DataSplits
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.networks import make_network
from vdu_bench.metrics.evidence import Evidence, Readings, RealReadings, Samples
from vdu_bench.records import Ledger, Timings
from vdu_bench.tasks.task import Task


def shown(*images: str) -> Tensor:
    """bool ``[N, K]`` from the features of each image, such as ``"hat beard"``."""
    return torch.tensor([[name in image.split() for name in NAMES] for image in images])


def readings(concepts: Tensor, images: Tensor | None = None, junk: int = 0) -> Readings:
    """Images that show `concepts`, the first few of them junk."""
    n = len(concepts)
    if images is None:
        images = torch.zeros(n, 3, 2, 2, dtype=torch.uint8)
    return Readings(concepts, torch.zeros(n, 4), torch.arange(n) < junk, lambda: images)


def sampled(forget: Readings, retain: Readings, pairs: Readings | None = None) -> Samples:
    """One model's samples; of an unconditional one `retain` is `forget`."""
    samples = {"forget": forget} if retain is forget else {"forget": forget, "retain": retain}
    return Samples({"samples": samples, **({} if pairs is None else {"pairs": {"pairs": pairs}})})


def evidence(
    task: Task, before: Samples, after: Samples, pairs: CounterfactualPairs | None = None, **more: Any
) -> Evidence:
    """As a cell leaves it. The real images are two, with and without what is to be forgotten."""
    real = ImageSet(torch.zeros(2, 3, 2, 2, dtype=torch.uint8), shown(task.forget, ""), NAMES)
    judge = Judge(
        "planted", make_network(task.judge, (3, 2, 2), 6), NAMES, task.judge, (3, 2, 2), False, torch.zeros(5, 4)
    )
    splits = DataSplits(real, real, pairs={} if pairs is None else {pairs.attribute: pairs})
    nothing = RealReadings(torch.zeros(2, 4), torch.zeros(2, 4))
    return Evidence(task, splits, judge, before, after, Ledger(), Timings(sample_seconds=2.0), 0, real=nothing, **more)
