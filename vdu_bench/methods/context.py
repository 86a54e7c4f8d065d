"""What a method works with: the data its regime allows, the posterior, and its own generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vdu_bench.data.captions import Captions
from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import RegimeError
from vdu_bench.methods.regime import Need, Regime, forbidden_needs
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.training.base_model import TrainingLog
from vdu_bench.models.training.batches import epoch_indices
from vdu_bench.records import Ledger
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.prompts import PromptSpec


@dataclass(frozen=True)
class Batch:
    """Clean latents ``[N, *latent_shape]`` on the model's device, and the embedded captions that go with them."""

    x0: Tensor
    condition: Tensor | None


class ImagePool:
    """Images that are drawn in epochs, each in an order of its own, with a note of which were ever drawn."""

    def __init__(self, images: ImageSet, seed: int) -> None:
        self._images, self._seed = images, seed
        self._drawn = torch.zeros(len(images), dtype=torch.bool)
        self._position = 0

    def __len__(self) -> int:
        return len(self._images)

    @property
    def distinct(self) -> int:
        """How many different images were drawn so far."""
        return int(self._drawn.sum())

    def draw(self, n: int) -> ImageSet:
        """The next `n` images."""
        index = epoch_indices(len(self._images), self._position, n, self._seed)
        self._position += n
        self._drawn[index] = True
        return self._images.subset(index)


class UnlearningContext:
    """Hands a method what it declared and its regime allows, and keeps the ledger of it.

    Args:
        model: the base model, frozen; latents are encoded by it and lie on its device.
        train: the training images.
        forget: name of the concept to forget.
        regime: which data are allowed.
        needs: what the method declared.
        seed: the unlearn seed.
        posterior: gives the posterior over the base's weights of some names.
        retrain: gives the model that was trained without the forget set, and its training log.
        prompts: the task's, for a text-to-image model.
        forget_images: how many forget images may be drawn from; None for all.
        on_step: called with step and loss.
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
    ) -> None:
        self.seed = seed
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "method"))
        """A CPU generator for the method's own draws; move what it gives to the model's device."""
        self.on_step = on_step
        self.retraining: TrainingLog | None = None
        self._model, self._regime, self._needs = model, regime, needs
        self._posterior, self._retrain = posterior, retrain
        self._prompts = prompts
        self._captions = None if prompts is None else Captions(prompts.captions, train.names)
        self._used: set[Need] = set()
        shown = train.shows(forget)
        forget_set, retain_set = train.subset(shown), train.subset(~shown)
        if forget_images is not None:
            forget_set = _subset(forget_set, forget_images, derive_seed(seed, "forget subset"))
        if regime == "forget_and_retain":
            retain_set = _subset(retain_set, len(forget_set), derive_seed(seed, "retain subset"))
        self._forget = ImagePool(forget_set, derive_seed(seed, "forget"))
        self._retain = ImagePool(retain_set, derive_seed(seed, "retain"))

    @property
    def base(self) -> DiffusionModel:
        """The base model, frozen and not to be changed: the copy that is trained shares what is not trained with it."""
        return self._model

    def forget_batch(self, n: int) -> Batch:
        """The next `n` images of the forget set. Raises RegimeError where they are not declared or not allowed."""
        self._require("forget_images")
        return self._batch(self._forget, n)

    def retain_batch(self, n: int) -> Batch:
        """The next `n` retained images. Raises RegimeError where they are not declared or not allowed."""
        self._require("retain_images")
        return self._batch(self._retain, n)

    def prompts(self) -> PromptSpec:
        """The task's prompts. Raises RegimeError, as above, and ValueError for an unconditional model."""
        self._require("prompts")
        if self._prompts is None:
            raise ValueError("an unconditional model has no prompts")
        return self._prompts

    def concept_prompts(self, n: int) -> list[str]:
        """`n` draws from the prompts that methods know the concept by. Raises as `prompts`."""
        given = self.prompts().given
        return [given[place] for place in torch.randint(len(given), (n,), generator=self.generator).tolist()]

    def posterior(self, names: Sequence[str]) -> WeightPosterior:
        """The posterior over the base's weights of these names, on the model's device and dtype.

        Raises RegimeError, as above, and UserError for a weight that it does not cover.
        """
        self._require("posterior")
        return self._posterior(names).to(self._model.device, self._model.dtype)

    def retrained(self) -> DiffusionModel:
        """The base's recipe on all retained images: the gold standard. Raises RegimeError, as above."""
        self._require("retain_images")
        model, self.retraining = self._retrain()
        return model

    def noise_like(self, x0: Tensor) -> Tensor:
        """Standard normal, shaped and placed as `x0`."""
        return torch.randn(x0.shape, generator=self.generator).to(x0)

    def timesteps(self, n: int) -> Tensor:
        """Uniform training times, int64 ``[n]``, on the model's device."""
        t = torch.randint(self._model.train_timesteps, (n,), generator=self.generator)
        return t.to(self._model.device)

    def ledger(self) -> Ledger:
        """What was handed out so far."""
        retrained_on = self.retraining.images if self.retraining is not None else 0
        return Ledger(
            forget_images=self._forget.distinct,
            retain_images=max(self._retain.distinct, retrained_on),
            posterior="posterior" in self._used,
            prompts="prompts" in self._used,
        )

    def _batch(self, pool: ImagePool, n: int) -> Batch:
        drawn = pool.draw(n)
        captions = None if self._captions is None else self._captions.drawn(drawn.concepts, self.generator)
        return Batch(self._model.encode(drawn.images), self._model.condition(captions))

    def _require(self, need: Need) -> None:
        if need not in self._needs:
            raise RegimeError(f"the method uses {need} without naming it in its needs {list(self._needs)}")
        if forbidden_needs(self._regime, [need]):
            raise RegimeError(f"the regime {self._regime!r} does not allow {need}")
        self._used.add(need)


def _subset(images: ImageSet, n: int, seed: int) -> ImageSet:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images.subset(order[:n])
