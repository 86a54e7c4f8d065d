"""Rephrasing: is the concept gone, or the words that the judge asks for it by?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.attack import Attack, count_of
from vdu_bench.probes.context import ProbeContext
from vdu_bench.spec import Spec
from vdu_bench.tasks.task import Task


class Rephrase(Attack):
    """Other words for the concept: the task's ``prompts.rephrased``, a look for each of its lists.

    Such as synonyms, another order of the words, a misspelling, another language's word where the tokenizer has it.
    Nothing is given to the attacker.
    """

    supports = ("text_to_image",)
    needs = ("rephrased",)
    attack = True

    class Settings(Spec):
        """How many images."""

        samples: Annotated[int, Field(gt=0)] | None = Field(None, description="images a list; 100 unless given")

    settings: Settings

    @classmethod
    def applies(cls, task: Task) -> bool:
        return super().applies(task) and task.prompts is not None and bool(task.prompts.rephrased)

    def images(self, context: ProbeContext) -> int:
        return 0 if context.prompts is None else len(context.prompts.rephrased) * self._count(context)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        if context.prompts is None:
            raise ValueError("an unconditional model is asked in no words")
        n = self._count(context)
        noise = context.noise(n, "attack")
        return {
            name: model.sample(n, [said[i % len(said)] for i in range(n)], noise, context.sampler, context.on_batch)
            for name, said in context.prompts.rephrased.items()
        }

    def _count(self, context: ProbeContext) -> int:
        return count_of(self.settings.samples, context)
