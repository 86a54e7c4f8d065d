"""The base class of probes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from torch import Tensor

from vdu_bench.data.splits import DataSplits
from vdu_bench.methods.settings import Configured, check_words
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.specs import ModelKind
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.needs import ProbeNeed
from vdu_bench.tasks.task import Task


class Probe(Configured, ABC):
    """Looks at a model: gives images that the judge then reads.

    A subclass says what it works on and what it needs in class attributes (as literals), what can be set in `Settings`,
    and in its docstring what it does and where it comes from.

    Args:
        settings: all of them, or, as keywords, those that differ from the defaults.

    Raises:
        UserError: a setting is unknown or out of range.
    """

    supports: ClassVar[tuple[ModelKind, ...]] = ("unconditional", "text_to_image")
    needs: ClassVar[tuple[ProbeNeed, ...]] = ()
    attack: ClassVar[bool] = False
    """Whether it tries to bring the concept back, and so is drawn where it is asked for alone (`Attack`)."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Raises TypeError for kinds of models and needs that are none."""
        super().__init_subclass__(**more)
        check_words(cls, "supports", get_args(ModelKind))
        check_words(cls, "needs", get_args(ProbeNeed))

    @classmethod
    def applies(cls, task: Task) -> bool:
        """Whether a task's models are looked at in this way: by their kind, unless a subclass knows more."""
        return task.model.kind in cls.supports

    def check(self, task: Task, splits: DataSplits) -> None:
        """Raise UserError where a task's data have not what it needs, before anything is made."""

    def images(self, context: ProbeContext) -> int:
        """How many images it will draw: the units of the progress bar."""
        return context.samples

    @abstractmethod
    def draw(self, model: DiffusionModel, context: ProbeContext) -> Mapping[str, Tensor]:
        """Images by what they are called, uint8 ``[N, C, H, W]`` (of a `LossProbe` losses); `model` stays as it is.

        The number of images is for the task and the settings alone to decide. Raises Diverged where the model's images
        are not finite.
        """
