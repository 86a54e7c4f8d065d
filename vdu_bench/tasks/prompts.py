"""What a task file says about prompts. Plain data, without torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from vdu_bench.data.specs import CaptionSpec
from vdu_bench.spec import Spec

Prompt = Annotated[str, Field(min_length=1)]


class PromptSpec(Spec):
    """What a text-to-image model is asked for, and how images are described to it.

    Each set of prompts is gone through in turn until there are as many as images. Methods see `given`, `anchor` and
    `preserve`; the judged sets, `forget` and `retain`, are kept from them.
    """

    later: ClassVar[tuple[str, ...]] = ("preserve",)

    captions: CaptionSpec = Field(description="the words for what real images show")
    forget: tuple[Prompt, ...] = Field(min_length=1, description="ask for the feature that is to be forgotten")
    retain: dict[Prompt, tuple[str, ...]] = Field(
        min_length=1, description="ask for other features, or for none; for each prompt the features that it asks for"
    )
    concept: tuple[Prompt, ...] = Field(
        (), description="what methods are given: ask for the feature alone, in its phrasings; none: the forget prompts"
    )
    anchor: Prompt = Field(description="what editing methods make of a forget prompt: the same without the feature")
    preserve: tuple[Prompt, ...] = Field((), description="what methods are told to keep; none of the judged prompts")

    def cycled(self, which: str, n: int) -> list[str]:
        """`n` prompts of one set, ``forget`` or ``retain``, each as often as the others, or once more."""
        prompts = list(self.forget if which == "forget" else self.retain)
        return [prompts[i % len(prompts)] for i in range(n)]

    @property
    def given(self) -> tuple[Prompt, ...]:
        """The prompts that methods know the concept by. The forget prompts judge whether it goes beyond these."""
        return self.concept or self.forget

    @property
    def every(self) -> list[Prompt]:
        """All that a model is asked for."""
        return [*self.forget, *self.concept, *self.retain, self.anchor, *self.preserve]

    @model_validator(mode="after")
    def _forget_is_not_retained(self) -> PromptSpec:
        for name, prompts in (("forget", self.forget), ("concept", self.concept)):
            if both := set(prompts) & set(self.retain):
                raise ValueError(f"{sorted(both)[0]!r} is both a {name} and a retain prompt")
        for name, others in (("forget", self.forget), ("concept", self.concept), ("retain", self.retain)):
            if shared := set(self.preserve) & set(others):
                raise ValueError(f"{sorted(shared)[0]!r} is both a preserve and a {name} prompt")
        return self
