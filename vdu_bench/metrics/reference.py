"""The real images that samples are held against: those that would be right answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task


@dataclass(frozen=True)
class Reference:
    """Real images that answer what samples were asked for, without the forgotten concept; each prompt counts alike.

    A prompt is answered by the images that show all it asks for and not the forgotten feature, and no other feature
    either where captions have a phrase for each of the data's: there, what a prompt does not name is not to be seen. An
    image may answer several prompts. Of an unconditional model all images without the concept answer the one question
    there is.

    Attributes:
        answers: by prompt, the positions of the images that answer it, int64, ascending; by "" without prompts.
        images: how many images there are to choose from.
        strict: whether images with other features than those asked for are left out.
        forget: the forgotten concept.
    """

    answers: dict[str, Tensor]
    images: int
    strict: bool
    forget: str

    @classmethod
    def of(cls, images: ImageSet, task: Task) -> Reference:
        """Those among `images` that answer the retain prompts of `task`."""
        kept, prompts = ~images.shows(task.forget), task.prompts
        if prompts is None:
            return cls({"": kept.nonzero().flatten()}, len(images), False, task.forget)
        strict = set(prompts.captions.phrases) == set(images.names)
        answers = {}
        for prompt, asked in prompts.retain.items():
            columns = torch.tensor([name in asked for name in images.names])
            right = (images.concepts == columns).all(1) if strict else images.concepts[:, columns].all(1)
            answers[prompt] = (right & kept).nonzero().flatten()
        return cls(answers, len(images), strict, task.forget)

    @property
    def missing(self) -> str:
        """Why there is nothing to compare with; empty where every prompt is answered."""
        for prompt, rows in self.answers.items():
            if len(rows) == 0:
                alone = " and no other feature" if self.strict else ""
                asked = f"answers {prompt!r} without {self.forget}{alone}" if prompt else f"lacks {self.forget}"
                return f"none of the {self.images} real images {asked}"
        return ""

    @property
    def rows(self) -> Tensor:
        """int64 ``[R]``, ascending: the positions of all images that answer a prompt."""
        return torch.cat(list(self.answers.values())).unique()

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """float64 ``[R]``, of the images at `rows`, summing to 1; None where all weigh the same.

        A prompt's weight is shared by the images that answer it: w_i is the mean over prompts of 1 / n of those that
        image i answers. Raises ValueError where a prompt has no answer.
        """
        if self.missing:
            raise ValueError(self.missing)
        if len(self.answers) == 1:
            return None
        of_all = torch.zeros(self.images, dtype=torch.float64)
        for rows in self.answers.values():
            of_all[rows] += 1 / (len(self.answers) * len(rows))
        return of_all[self.rows].numpy()

    @property
    def effective(self) -> float:
        """How many images of equal weight would give a mean of the same variance: 1 / sum w_i^2 (Kish 1965)."""
        weights = self.weights
        return float(len(self.rows)) if weights is None else float(1 / np.square(weights).sum())

    def description(self, which: str) -> str:
        """For the record: what these `which` (``training``) images are, and how many."""
        if list(self.answers) == [""]:
            return f"{len(self.rows)} {which} images that do not show {self.forget}"
        if self.missing:
            return self.missing
        alone = ", and no other feature" if self.strict else ""
        return (
            f"{len(self.rows)} {which} images that show what one of {len(self.answers)} retain prompts asks for and "
            f"not {self.forget}{alone}; each prompt weighs alike, as if there were {self.effective:.0f}"
        )

    def balanced(self, n: int, purpose: str) -> Tensor:
        """At most `n` different images, as many for each prompt: int64, image i answers prompt i modulo the prompts.

        That is how samples are asked for. What has no weights (neighbours, kernels) is held against these. The scarcest
        prompt decides how many there are for each; none where it has no answer.

        Args:
            n: how many at most.
            purpose: decides the draw, which is the same for all seeds.
        """
        scarcest_first = sorted(self.answers, key=lambda prompt: len(self.answers[prompt]))
        shuffled = {
            prompt: rows[torch.randperm(len(rows), generator=_generator(purpose, prompt))]
            for prompt, rows in self.answers.items()
        }
        each = min(-(-n // len(shuffled)), *(len(rows) for rows in shuffled.values()), n)
        while each > 0:
            free, taken = torch.ones(self.images, dtype=torch.bool), {}
            for prompt in scarcest_first:
                taken[prompt] = shuffled[prompt][free[shuffled[prompt]]][:each]
                free[taken[prompt]] = False
            if all(len(rows) == each for rows in taken.values()):
                return torch.stack([taken[prompt] for prompt in self.answers], dim=1).flatten()[:n]
            each -= 1
        return torch.zeros(0, dtype=torch.int64)


def asked(prompts: PromptSpec | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What a reference rests on beside images and the forgotten concept, as a key: empty without prompts."""
    return () if prompts is None else (*prompts.retain.items(), ("", tuple(sorted(prompts.captions.phrases))))


def _generator(purpose: str, prompt: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(0, "reference", purpose, prompt))
