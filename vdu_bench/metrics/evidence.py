"""What a metric may look at: samples before and after, as the judge reads them, and what the unlearning cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vdu_bench.data.image_set import DataSplits
from vdu_bench.judges.judge import Judge
from vdu_bench.judges.junk import JunkDetector
from vdu_bench.records import Ledger, Timings
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.task import Task


@dataclass(frozen=True)
class Readings:
    """Images with what the judge says of them.

    Attributes:
        images: uint8 ``[N, C, H, W]``.
        labels: int64 ``[N]``, class positions, -1 for none of the classes.
        features: float32 ``[N, F]``.
        junk: bool ``[N]``, off the data manifold.
    """

    images: Tensor
    labels: Tensor
    features: Tensor
    junk: Tensor

    @classmethod
    def take(cls, images: Tensor, judge: Judge, detector: JunkDetector) -> Readings:
        """Let the judge read `images`."""
        labels, features = judge.read(images)
        return cls(images, labels, features, detector.flags(features))


@dataclass(frozen=True)
class Evidence:
    """All that there is to measure of one cell.

    Attributes:
        task: the task.
        splits: the real images.
        judge: who reads the samples.
        before, after: the original's samples and the method's, from the same initial noise.
        ledger, timings: what the method saw and cost.
        seed: the sample seed; resampling draws derive from it.
    """

    task: Task
    splits: DataSplits
    judge: Judge
    before: Readings
    after: Readings
    ledger: Ledger
    timings: Timings
    seed: int
    forget_index: int = field(init=False)

    def __post_init__(self) -> None:
        if len(self.before.images) != len(self.after.images):
            raise ValueError("there must be as many samples after as before, from the same noise")
        object.__setattr__(self, "forget_index", self.judge.names.index(self.task.forget))

    @property
    def hits_before(self) -> NDArray[np.bool_]:
        """bool ``[N]``: which of the original's samples show the forget class."""
        return (self.before.labels == self.forget_index).numpy()

    @property
    def hits_after(self) -> NDArray[np.bool_]:
        """bool ``[N]``: which of the method's samples show the forget class."""
        return (self.after.labels == self.forget_index).numpy()

    @property
    def retained(self) -> list[int]:
        """Positions of all classes but the forgotten one."""
        return [k for k in range(len(self.judge.names)) if k != self.forget_index]

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator for a metric's own resampling."""
        return np.random.default_rng(derive_seed(self.seed, "metric", purpose))
