"""What a metric may look at: samples before and after, as the judge reads them, and what the unlearning cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vdu_bench.data.splits import DataSplits
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.metrics.memo import Memo
from vdu_bench.metrics.reference import Reference, asked
from vdu_bench.records import Ledger, Timings
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task

if TYPE_CHECKING:
    from vdu_bench.judges.clip.scorer import ClipScorer
    from vdu_bench.metrics.inception import Inception


@dataclass(frozen=True)
class Readings:
    """What the judge says of images. They themselves are not held in memory.

    Attributes:
        shown: bool ``[N, K]``, which concepts the judge sees.
        features: float32 ``[N, F]``.
        junk: bool ``[N]``, off the data manifold.
        read_images: gives the images, uint8 ``[N, C, H, W]``.
        memo: what metrics work out of these images.
    """

    shown: Tensor
    features: Tensor
    junk: Tensor
    read_images: Callable[[], Tensor]
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.shown)

    def first(self, n: int) -> Readings:
        """Those of the first `n` images."""
        return Readings(self.shown[:n], self.features[:n], self.junk[:n], lambda: self.images[:n])

    @property
    def images(self) -> Tensor:
        """uint8 ``[N, C, H, W]``, read each time it is asked for."""
        return self.read_images()

    @property
    def labels(self) -> Tensor:
        """Class positions, int64 ``[N]``, -1 for none; for data with classes."""
        return torch.where(self.shown.any(1), self.shown.long().argmax(1), -1)


@dataclass(frozen=True)
class RealReadings:
    """The real images in the judge's features: read once for all cells of tasks that share data and judge.

    Attributes:
        train: of the training images, float32 ``[R, F]``, in their order.
        held_out: of the held-out images, float32 ``[H, F]``.
        memo: what metrics work out of them.
    """

    train: Tensor
    held_out: Tensor
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @classmethod
    def take(cls, splits: DataSplits, judge: Judge) -> RealReadings:
        """Let the judge read them."""
        return cls(judge.read(splits.train.images)[1], judge.read(splits.held_out.images)[1])


Losses = dict[str, Tensor]
"""Denoising losses, float32 ``[N]`` on the CPU, by what they are of."""


@dataclass(frozen=True)
class Samples:
    """What probes drew from one model, as the judge reads it.

    All of it is from initial noise that the methods of a task share.

    Attributes:
        by_probe: by probe, what it drew by its name.
        reasons: by probe, why it drew nothing, where it diverged.
    """

    by_probe: Mapping[str, Mapping[str, Readings]]
    reasons: Mapping[str, str] = field(default_factory=dict)

    def of(self, probe: str) -> Mapping[str, Readings]:
        """What a probe drew, by name; empty where the task is not probed so."""
        return self.by_probe.get(probe, {})

    def why_none(self, probe: str, otherwise: str) -> str:
        """Why a probe gave nothing: that it diverged, if it did."""
        reason = self.reasons.get(probe)
        return otherwise if reason is None else f"{probe} diverged: {reason}"

    @property
    def forget(self) -> Readings:
        """The samples of the forget prompts; of an unconditional model simply all samples."""
        return self.of("samples")["forget"]

    @property
    def retain(self) -> Readings:
        """The samples of the retain prompts; for an unconditional model and for real images, all that there are."""
        samples = self.of("samples")
        return samples["retain" if "retain" in samples else "forget"]

    @property
    def pairs(self) -> Readings | None:
        """Counterfactual pairs that show the feature, redrawn under their captions; None where there are none."""
        return self.of("pairs").get("pairs")

    @property
    def junk(self) -> Tensor:
        """bool ``[M]``: which of all samples are off the data manifold, pairs apart."""
        return self.forget.junk if self.retain is self.forget else torch.cat([self.forget.junk, self.retain.junk])


@dataclass(frozen=True)
class SecondReadings:
    """What a judge of another family sees in the samples of the forget prompts.

    Attributes:
        judge: who it is.
        before, after: bool ``[N, K]``, which concepts it sees in the original's samples and in the method's.
    """

    judge: Judge
    before: Tensor
    after: Tensor


@dataclass(frozen=True)
class Evidence:
    """All that there is to measure of one cell.

    Attributes:
        task: the task.
        splits: the real images.
        judge: who reads the samples.
        before, after: the original's samples and the method's, from the same initial noise. Of the row of real images
            these stand in the place of a method's samples: of a text-to-image task in that of the retain prompts'.
        ledger, timings: what the method saw and cost; no ledger of a model that was unlearned elsewhere.
        seed: the sample seed; resampling draws derive from it.
        clip: who compares images with prompts, where the task names one.
        inception: what an FID is taken in, where the task asks for one.
        real: the real images in the judge's features.
        second: what the second judge sees, where the task has one.
        held_out_rows: of the row of real images, int64 ``[N]``, the samples' positions among the held-out images; None
            of all others.
        retrained: what the model that never knew the concept gives from the same noise, where it is compared with.
        peer: the samples of that model; of its own row those of another training, where there is one.
        losses: by probe, the denoising losses that it took (`vdu_bench.probes.loss_probe`).
    """

    task: Task
    splits: DataSplits
    judge: Judge
    before: Samples
    after: Samples
    ledger: Ledger | None
    timings: Timings
    seed: int
    clip: ClipScorer | None = None
    inception: Inception | None = None
    real: RealReadings = field(kw_only=True)
    second: SecondReadings | None = field(default=None, kw_only=True)
    held_out_rows: Tensor | None = None
    retrained: Samples | None = field(default=None, kw_only=True)
    peer: Samples | None = field(default=None, kw_only=True)
    losses: Mapping[str, Losses] = field(default_factory=dict, kw_only=True)
    forget_index: int = field(init=False)

    def __post_init__(self) -> None:
        if self.held_out_rows is None:
            if len(self.before.forget) != len(self.after.forget):
                raise ValueError("there must be as many samples after as before, from the same noise")
        elif not len(self.held_out_rows) == len(self.after.retain) <= len(self.before.retain):
            raise ValueError("there must be a reading of each real image, and no more of them than samples")
        object.__setattr__(self, "forget_index", self.judge.names.index(self.task.forget))

    @property
    def hits_before(self) -> NDArray[np.bool_]:
        """bool ``[N]``: which of the original's samples show what is to be forgotten, where it could be asked for."""
        return self.before.forget.shown[:, self.forget_index].numpy()

    @property
    def hits_after(self) -> NDArray[np.bool_]:
        """bool ``[N]``: which of the method's samples show what is to be forgotten, where it could be asked for."""
        return self.after.forget.shown[:, self.forget_index].numpy()

    @property
    def of_original(self) -> Evidence:
        """The same, of the original's own samples."""
        return replace(self, after=self.before, held_out_rows=None)

    def original_at(self, n: int) -> Evidence:
        """The same, of the original's first `n` samples: of a text-to-image model, for each set of prompts."""
        first = {name: readings.first(n) for name, readings in self.before.of("samples").items()}
        side = Samples({"samples": first})
        return replace(self, before=side, after=side, held_out_rows=None)

    @property
    def reference_key(self) -> tuple[Hashable, ...]:
        """A key that tells the reference of one task from those of others with the same images."""
        return self.task.forget, asked(self.task.prompts), self.task.samples

    @property
    def reference(self) -> Reference:
        """The training images that would be right answers to what was asked, found once for all cells."""
        return self.real.memo.once(
            ("reference", self.reference_key), lambda: Reference.of(self.splits.train, self.task)
        )

    @property
    def balanced_reference(self) -> Tensor:
        """float32 ``[R, F]``: features of at most as many of them as a cell has samples, as many for each prompt.

        The task's own number of samples decides it, so that all rows of a table are held against the same images.
        """
        return self.real.memo.once(
            ("balanced reference", self.reference_key),
            lambda: self.real.train[self.reference.balanced(self.task.samples, "training")],
        )

    @property
    def retained(self) -> list[int]:
        """Positions of all concepts but the forgotten one."""
        return [k for k in range(len(self.judge.names)) if k != self.forget_index]

    @property
    def prompts(self) -> PromptSpec:
        """The task's prompts. Raises ValueError for an unconditional model."""
        if self.task.prompts is None:
            raise ValueError("an unconditional model has no prompts")
        return self.task.prompts

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator for a metric's own resampling."""
        return np.random.default_rng(derive_seed(self.seed, "metric", purpose))
