"""What a method works with where there is no task: images, words and a posterior that a user hands over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor

from vdu_bench.api.own_images import OwnImages
from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import UserError
from vdu_bench.methods.concept import Concept
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.methods.regime import Need
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import SamplerSpec

FORGET = "forget"

ASKED = {
    "forget_images": "images of what is to be forgotten: forget=FOLDER, a list of images or a tensor",
    "retain_images": "images of what is to be kept: retain=FOLDER, a list of images or a tensor",
    "posterior": "a posterior over the weights: posterior=FOLDER of checkpoints, a list of them, a WeightPosterior, or "
    "'laplace' for one at the pipeline's own samples",
    "prompts": "prompts that ask for what is to be forgotten: prompts='a photo of ...'",
}
"""What `vdu_bench.unlearn` has to be given, by what a method needs."""


@dataclass(frozen=True)
class Words:
    """What a text-to-image model is told.

    Attributes:
        prompts: ask for what is to be forgotten; empty where nobody said.
        anchor: what is to be made of them instead.
        preserve: ask for what is to be kept.
        forget_captions: for each forget image the captions that may stand for it.
        retain_captions: for each retained image its own.
    """

    prompts: tuple[str, ...] = ()
    anchor: str = ""
    preserve: tuple[str, ...] = ()
    forget_captions: tuple[tuple[str, ...], ...] = ()
    retain_captions: tuple[tuple[str, ...], ...] = ()


class OwnContext(UnlearningContext):
    """Hands a method what a user gave; what it asks for beyond that is an error that says what to pass.

    Args:
        model: the base, frozen.
        method: who asks.
        forget: images of what is to be forgotten; None where there are none.
        retain: other images.
        words: for a text-to-image model; None for another.
        posterior: gives the posterior over the weights of some names; None where there is none.
        seed: the unlearn seed.
        sampler: what the base is replayed by.
    """

    def __init__(
        self,
        model: DiffusionModel,
        method: Method,
        forget: OwnImages | None,
        retain: OwnImages | None,
        words: Words | None,
        posterior: Callable[[Sequence[str]], WeightPosterior] | None,
        seed: int,
        sampler: SamplerSpec,
    ) -> None:
        self._who = type(method).__name__
        self._given: dict[Need, bool] = {
            "forget_images": forget is not None,
            "retain_images": retain is not None,
            "posterior": posterior is not None,
            "prompts": words is None or bool(words.prompts),
        }
        super().__init__(
            model,
            _image_set(model, forget, retain, words),
            FORGET,
            "full",
            method.needs,
            seed,
            posterior or _none,
            _none,
            sampler=sampler,
            role=method.role,
        )
        if words is not None:
            self._concept = Concept(words.prompts, words.anchor, words.preserve, self.generator)
            self._batches.captions = _OwnCaptions(self.names)

    def _require(self, need: Need) -> None:
        super()._require(need)
        if not self._given[need]:
            raise UserError(f"{self._who} needs {ASKED[need]}")


class _OwnCaptions:
    """Captions that are an image's own, and not a task's; of several one is drawn.

    Args:
        names: `FORGET`, then the captions.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def drawn(self, concepts: Tensor, generator: torch.Generator) -> list[str]:
        return [self._one_of(row.nonzero().flatten().tolist(), generator) for row in concepts[:, 1:]]

    def _one_of(self, places: list[int], generator: torch.Generator) -> str:
        drawn = places[int(torch.randint(len(places), (1,), generator=generator))]
        return self._names[1 + drawn]


def _image_set(
    model: DiffusionModel, forget: OwnImages | None, retain: OwnImages | None, words: Words | None
) -> ImageSet:
    """All images. The first concept says which are to be forgotten; each other one is a caption that stands for it."""
    sets = [part.images for part in (forget, retain) if part is not None]
    images = torch.cat([torch.zeros(0, *model.image_shape, dtype=torch.uint8), *sets])
    shown = torch.arange(len(images)) < (0 if forget is None else len(forget.images))
    told = [] if words is None else [*words.forget_captions, *words.retain_captions]
    captions = list(dict.fromkeys(caption for own in told for caption in own))
    columns = {caption: 1 + place for place, caption in enumerate(captions)}
    concepts = torch.zeros(len(images), 1 + len(captions), dtype=torch.bool)
    concepts[:, 0] = shown
    for row, own in enumerate(told):
        concepts[row, [columns[caption] for caption in own]] = True
    return ImageSet(images, concepts, (FORGET, *captions))


def _none(*_: object) -> NoReturn:
    raise AssertionError("what was not given is refused before it is asked for")
