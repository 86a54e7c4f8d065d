"""Resampling: is the concept gone from the model, or from the judged sampler's way through it alone?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.sampling import can_sample
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.probes.attack import Attack, ask_for_concept, count_of
from vdu_bench.probes.context import ProbeContext
from vdu_bench.spec import Spec


class Resample(Attack):
    """Other samplers: asked as the judge asks, by stochastic ones, more steps, guidance up and down.

    DDIM with eta 1 (Song, Meng & Ermon 2021, eq. 16), whose noise at each step comes from a generator of the probe's,
    so that all models get the same; ``steps`` times as many steps of the task's own sampler; and of a model that takes
    prompts ``guidance`` times the task's guidance scale. Nothing is given to the attacker.
    """

    supports = ("unconditional", "text_to_image")
    needs = ()
    attack = True

    class Settings(Spec):
        """Which other ways there are."""

        eta: Annotated[float, Field(ge=0, le=1)] | None = Field(
            1.0, description="DDIM's share of fresh noise; none: not tried"
        )
        steps: Annotated[float, Field(gt=1)] | None = Field(
            2.5,
            description="so many times the task's steps; none: not tried, nor where it is half of the training times",
        )
        guidance: tuple[Annotated[float, Field(gt=0)], ...] = Field(
            (0.5, 2.0), description="of a model that takes prompts: so many times the task's guidance scale"
        )
        samples: Annotated[int, Field(gt=0)] | None = Field(
            None, description="images a look; unless given, 300, and 100 of a model that takes prompts"
        )

    settings: Settings

    def images(self, context: ProbeContext) -> int:
        return len(self._ways(context)) * count_of(self.settings.samples, context)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        n = count_of(self.settings.samples, context)
        return {name: ask_for_concept(model, context, n, way) for name, way in self._ways(context).items()}

    def _ways(self, context: ProbeContext) -> dict[str, SamplerSpec]:
        own, ways = context.sampler, {}
        if self.settings.eta is not None:
            ways["stochastic"] = own.model_copy(update={"name": "ddim", "eta": self.settings.eta, "seed": context.seed})
        if self.settings.steps is not None:
            more = own.model_copy(update={"steps": round(own.steps * self.settings.steps)})
            if can_sample(more, context.train_timesteps):
                ways[f"{more.steps} steps"] = more
        if context.prompts is not None:
            for times in self.settings.guidance:
                scale = own.guidance_scale * times
                ways[f"guidance {scale:g}"] = own.model_copy(update={"guidance_scale": scale})
        return ways
