"""What a method works with: the data its regime allows, the posterior, and its own generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from vdu_bench.data.captions import Captions
from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import RegimeError
from vdu_bench.methods.concept import Concept
from vdu_bench.methods.draws import Draws
from vdu_bench.methods.pools import ImagePool
from vdu_bench.methods.regime import Need, Regime, forbidden_needs
from vdu_bench.models.counting import EvaluationCounter
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.models.training.base_model import TrainingLog
from vdu_bench.records import Ledger, Role
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.prompts import PromptSpec


@dataclass(frozen=True)
class Replay:
    """Samples of the frozen base.

    Attributes:
        images: uint8 ``[N, C, H, W]`` on the CPU.
        x0: the same as clean latents ``[N, *latent_shape]`` on the model's device.
        condition: the embedded prompts, on the model's device; None for an unconditional model.
        captions: the prompts they were asked for by, N of them; None for an unconditional model.
    """

    images: Tensor
    x0: Tensor
    condition: Tensor | None
    captions: list[str] | None


class UnlearningContext(Draws):
    """Hands a method what it declared and its regime allows, and keeps the ledger of it.

    Args:
        model: the base model, frozen; latents are encoded by it and lie on its device.
        train: the training images.
        forget: name of the concept to forget.
        regime: which data are allowed.
        needs: what the method declared.
        seed: the unlearn seed.
        posterior: gives the posterior over the base's weights of some names; asked once for the same names.
        retrain: gives the model that was trained without the forget set, and its training log.
        prompts: the task's, for a text-to-image model.
        forget_images: how many forget images may be drawn from; None for all.
        on_step: called with step and loss.
        sampler: what the base is replayed by; None for the defaults.
        role: the method's; no regime binds a reference row, and it alone may have the retrained model.
    """

    def __init__(
        self,
        model: DiffusionModel,
        train: ImageSet,
        forget: str,
        regime: Regime,
        needs: tuple[Need, ...],
        seed: int,
        posterior: Callable[[Sequence[str]], WeightPosterior],
        retrain: Callable[[], tuple[DiffusionModel, TrainingLog]],
        prompts: PromptSpec | None = None,
        forget_images: int | None = None,
        on_step: Callable[[int, float], None] | None = None,
        sampler: SamplerSpec | None = None,
        role: Role = "contestant",
    ) -> None:
        captions = None if prompts is None else Captions(prompts.given_captions, train.names)
        super().__init__(model, derive_seed(seed, "method"), captions)
        self.seed = seed
        self.on_step = on_step
        self.on_phase: Callable[[str, int], AbstractContextManager[Callable[[int], None]]] | None = None
        self.names = train.names
        """The K concepts that images are labelled with, in the order of a batch's `concepts`."""
        self.retraining: TrainingLog | None = None
        self._regime, self._needs, self._role = regime, needs, role
        self._posterior = cache(posterior)
        self._retrain = retrain
        self._retrained: DiffusionModel | None = None
        self._concept = None if prompts is None else Concept.of(prompts, self.generator)
        self._sampler = sampler or SamplerSpec()
        self._replaying = torch.Generator().manual_seed(derive_seed(seed, "replay"))
        self._replayed = 0
        self._used: set[Need] = set()
        shown = train.shows(forget)
        forget_set, retain_set = shown.nonzero().flatten(), (~shown).nonzero().flatten()
        if forget_images is not None:
            forget_set = _some(forget_set, forget_images, derive_seed(seed, "forget subset"))
        if regime == "forget_and_retain" and role != "reference":
            retain_set = _some(retain_set, len(forget_set), derive_seed(seed, "retain subset"))
        self._forget = ImagePool(model, train, forget_set, derive_seed(seed, "forget"), self._batches)
        self._retain = ImagePool(model, train, retain_set, derive_seed(seed, "retain"), self._batches)

    @property
    def base(self) -> DiffusionModel:
        """The base model, frozen and not to be changed: the copy that is trained shares what is not trained with it."""
        return self._model

    @property
    def concept(self) -> Concept:
        """The concept in prompts. Raises RegimeError, as `forget`, and ValueError for an unconditional model."""
        self._require("prompts")
        if self._concept is None:
            raise ValueError("an unconditional model has no prompts")
        return self._concept

    def posterior(self, names: Sequence[str]) -> WeightPosterior:
        """The posterior over the base's weights of these names, on the model's device and dtype.

        What it takes to make one is no part of a method's cost, since it is made once for all methods and seeds.

        Raises RegimeError, as above, and UserError for a weight that it does not cover.
        """
        self._require("posterior")
        counter, self._model.counter = self._model.counter, EvaluationCounter()
        try:
            posterior = self._posterior(tuple(names))
        finally:
            self._model.counter = counter
        return posterior.to(self._model.device, self._model.dtype)

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Tell whoever waits what goes on outside of the steps, such as the training of a copy.

        Args:
            name: what a bar of progress calls it.
            total: of how many units it is; the function that this gives takes how many more are done.
        """
        if self.on_phase is None:
            yield lambda _: None
            return
        with self.on_phase(name, total) as advance:
            yield advance

    def replay(self, n: int, prompts: Sequence[str] | None = None) -> Replay:
        """`n` new samples of the frozen base, by the task's sampler: no training image, so every regime allows them.

        Their initial noise is from a generator of their own, and the denoiser's evaluations count as the method's.

        Args:
            n: how many.
            prompts: what they are asked for by, `n` of them. None: an unconditional model's samples, or those that a
                text-to-image model makes of the empty prompt, without guidance.

        Raises:
            Diverged: a sample is not finite.
            ValueError: another number of prompts, or prompts for an unconditional model.
            UserError: a prompt that the model cannot take.
        """
        model, sampler = self._model, self._sampler
        if prompts is None and model.prompted:
            # Guidance leads from the empty prompt to itself, at twice the cost.
            prompts, sampler = [""] * n, sampler.model_copy(update={"guidance_scale": 1.0})
        noise = torch.randn(n, *model.latent_shape, generator=self._replaying)
        # A copy, since autograd takes no tensor that was made in inference mode.
        with self.phase("replay of the base", n) as advance:
            images = model.sample(n, prompts, noise, sampler, advance).clone()
        self._replayed += n
        captions = None if prompts is None else list(prompts)
        return Replay(images, model.encode(images), model.condition(captions), captions)

    def retrained(self) -> DiffusionModel:
        """The base's recipe on all retained images: the gold standard. RegimeError for all but reference rows."""
        self._require("retrained")
        self._retrained, self.retraining = self._retrain()
        return self._retrained

    def origin(self, model: DiffusionModel) -> Literal["base", "retrain", "own"]:
        """Whose weights a method handed back: those of `base`, of what `retrained` gave, or its own.

        A contestant's are its own in any case: what it has made of the base itself would otherwise be lost.
        """
        if self._role == "reference" and model is self._model:
            return "base"
        return "retrain" if model is self._retrained else "own"

    def ledger(self) -> Ledger:
        """What was handed out so far."""
        retrained_on = self.retraining.images if self.retraining is not None else 0
        return Ledger(
            forget_images=self._forget.distinct,
            retain_images=max(self._retain.distinct, retrained_on),
            posterior="posterior" in self._used,
            prompts="prompts" in self._used,
            replayed=self._replayed,
        )

    def _require(self, need: Need) -> None:
        if need not in self._needs:
            raise RegimeError(f"the method uses {need} without naming it in its needs {list(self._needs)}")
        if need == "retrained" and self._role != "reference":
            raise RegimeError("the retrained model is for reference rows alone, which contestants are measured against")
        if forbidden_needs(self._regime, [need], self._role):
            raise RegimeError(f"the regime {self._regime!r} does not allow {need}")
        self._used.add(need)


def _some(index: Tensor, n: int, seed: int) -> Tensor:
    return index[torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))[:n]]
