"""What a method is told of the concept that it is to make a text-to-image model forget."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from vdu_bench.tasks.prompts import PromptSpec


@dataclass(frozen=True)
class Concept:
    """Prompts for methods, all of the half of subjects that is given. Those that judge a model are of the other.

    Attributes:
        prompts: ask for the concept.
        anchor: what editing methods make of these: the same without the concept.
        preserve: ask for what is to be kept; empty where the task names none.
    """

    prompts: tuple[str, ...]
    anchor: str
    preserve: tuple[str, ...]
    _generator: torch.Generator = field(repr=False, compare=False)

    @classmethod
    def of(cls, prompts: PromptSpec, generator: torch.Generator) -> Concept:
        """What a task lets methods know of its prompts; `generator` is the method's own."""
        return cls(prompts.concept, prompts.anchor, prompts.preserve, generator)

    def draws(self, n: int) -> list[str]:
        """`n` of the concept's prompts, each drawn at random by the method's own generator."""
        places = torch.randint(len(self.prompts), (n,), generator=self._generator)
        return [self.prompts[place] for place in places.tolist()]
