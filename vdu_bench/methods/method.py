"""The base classes of unlearning methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self, get_args

from pydantic import Field, model_validator
from torch import Tensor, nn

from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.regime import Need
from vdu_bench.methods.settings import Configured, check_words
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.selection import Weights, automatic, selected_parameters
from vdu_bench.models.specs import FitSpec, ModelKind
from vdu_bench.models.training.dropout import seeded_dropout
from vdu_bench.models.training.fitting import Backward, Fit
from vdu_bench.records import Role
from vdu_bench.seeds import derive_seed


class Method(Configured, ABC):
    """Takes a base model and gives one that has forgotten.

    A subclass says what it works on and what it needs in class attributes (as literals: listings read them without
    importing), what can be set in `Settings`, and in its docstring the formula and where it comes from.

    Args:
        settings: all of them, or, as keywords, those that differ from the defaults: ``VDU(gamma=0.3)``.

    Raises:
        UserError: a setting is unknown or out of range.
    """

    supports: ClassVar[tuple[ModelKind, ...]] = ("unconditional", "text_to_image")
    needs: ClassVar[tuple[Need, ...]] = ()
    role: ClassVar[Role] = "contestant"
    strength: ClassVar[str] = ""

    def __init_subclass__(cls, **more: Any) -> None:
        """Raises TypeError for kinds of models that are none."""
        super().__init_subclass__(**more)
        check_words(cls, "supports", get_args(ModelKind))

    @property
    def steps(self) -> int:
        """How often `unlearn` calls the context's ``on_step``: the length of a progress bar."""
        return 1

    def evaluations_vary(self, kind: ModelKind) -> bool:  # noqa: ARG002
        """Whether the seed decides how often the denoiser is evaluated on this kind of model.

        The regression gate holds evaluations to the exact count unless a method says so, with its settings as they are.
        """
        return False

    def prepare(self, model: DiffusionModel, context: UnlearningContext) -> None:
        """What is not to be timed as unlearning, such as making or reading the posterior; before `unlearn`."""

    @abstractmethod
    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:
        """A model that has forgotten; `model`, the context's base, stays as it is. Raises Diverged."""


class LossMethod(Method):
    """A method that is a loss and its settings, or gradients of its own; the shared loop does the rest."""

    class Settings(FitSpec):
        """The settings of the shared loop, with the suite's defaults."""

        steps: int = Field(100, gt=0, description="optimiser steps")
        learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")
        weights: Weights = Field(
            "auto",
            description="what is trained: all, cross_attention, self_attention, all_but_cross_attention, "
            "all_but_cross_attention_time_output (ESD-u's), layers_but_cross_attention, a pattern "
            "over the weights' names, or several; auto: all of an unconditional model, cross_attention of another",
        )

        @model_validator(mode="after")
        def _warm_before_the_end(self) -> Self:
            if self.warmup_steps >= self.steps:
                raise ValueError(f"a warm-up of {self.warmup_steps} steps takes more than these, {self.steps}")
            return self

    settings: Settings

    def __init_subclass__(cls, **more: Any) -> None:
        """Raises TypeError for settings without those of the shared loop."""
        super().__init_subclass__(**more)
        if not issubclass(cls.Settings, LossMethod.Settings):
            raise TypeError(
                f"{cls.__name__}.Settings derives not from LossMethod.Settings, which the shared loop reads"
            )

    strength: ClassVar[str] = "steps"
    """The setting, a number, by which it forgets more or less: what a sweep goes over unless told otherwise."""

    @property
    def steps(self) -> int:
        """The optimiser's steps."""
        return self.settings.steps

    def prepare(self, model: DiffusionModel, context: UnlearningContext) -> None:
        """Makes or reads the posterior over the selection, if the method needs one."""
        if "posterior" in self.needs:
            context.posterior(list(self.selection(model)))

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        """Before the first step, with the copy of the context's base that will be trained."""

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        """One step's loss, a scalar, from batches that the context hands out. `gradients` alone asks for it."""
        raise NotImplementedError(f"{type(self).__name__} says neither loss nor gradients")

    def gradients(self, model: DiffusionModel, context: UnlearningContext, backward: Backward) -> Tensor:
        """Leave one step's gradients in the parameters' ``.grad``; the loss, a scalar, that the step is known by.

        By default those of `loss`. A method that masks, rescales or combines gradients calls ``backward(loss)`` once or
        several times, and may read, change or clear every ``.grad`` between. All of them are None at first, and
        gradients add up. Under float16 they are multiplied by the loop's scale until this returns, which masks, ratios
        and sums of them do not notice.
        """
        loss = self.loss(model, context)
        backward(loss)
        return loss

    def selection(self, model: DiffusionModel) -> dict[str, nn.Parameter]:
        """The weights that the settings name, by name. Raises UserError where the model has none of them."""
        return selected_parameters(model.denoiser, automatic(self.settings.weights, model.prompted))

    def parameters(self, model: DiffusionModel) -> Iterable[nn.Parameter]:
        """What the optimiser moves: the selection, a part of it, or coordinates in its place."""
        return self.selection(model).values()

    def finish(self, model: DiffusionModel) -> None:
        """After the last step."""

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:
        trained = model.clone(self.selection(model))
        trained.denoiser.train()
        # What is not trained is neither copied nor gets a gradient: of a large network that is most of the memory.
        for parameter in self.selection(trained).values():
            parameter.requires_grad_(True)
        self.start(trained, context)
        parameters = list(self.parameters(trained))
        if {id(p) for p in parameters} & {id(p) for p in model.denoiser.parameters()}:
            raise ValueError(f"{type(self).__name__}.parameters gives weights that selection does not: the base's own")

        def gradients(step: int, backward: Backward) -> Tensor:
            with seeded_dropout(trained.denoiser, derive_seed(context.seed, "dropout", step)):
                return self.gradients(trained, context, backward)

        Fit(parameters, self.settings, trained.autocast).run(gradients, context.on_step)
        self.finish(trained)
        return trained.freeze()
