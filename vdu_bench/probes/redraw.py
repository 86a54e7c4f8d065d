"""Real images of the concept, redrawn: does it go when the model is handed a picture that shows it?"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe
from vdu_bench.spec import PositiveInt, Spec


class Redraw(Probe):
    """Redrawn images of the concept: held-out ones, noised part of the way and denoised (SDEdit, Meng et al. 2022).

    Each is redrawn from several noises, which lie side by side: row = image * noises + noise. A text-to-image model is
    asked by the image's plain caption, which names the concept, under the first of the judged subjects. The images are
    the first of the held-out ones that show the concept, in the data's order. Data without any give no images.
    """

    supports = ("unconditional", "text_to_image")
    needs = ("held_out_images",)

    class Settings(Spec):
        """How many images, how many noises each, and how far."""

        noises: PositiveInt = Field(8, description="noises that each image is redrawn from")
        strength: float = Field(0.5, gt=0, le=1, description="which part of the sampler's way it is noised back")
        images: PositiveInt = Field(50, description="at most so many held-out images of the concept")

    settings: Settings

    def images(self, context: ProbeContext) -> int:
        return self._count(context) * self.settings.noises

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        count = self._count(context)
        if not count:
            return {}
        return {"redraw": redrawn(model, context, count, self.settings.noises, self.settings.strength)}

    def _count(self, context: ProbeContext) -> int:
        return min(self.settings.images, len(context.held_out))


def redrawn(model: DiffusionModel, context: ProbeContext, count: int, noises: int, strength: float) -> Tensor:
    """The first `count` held-out images of the concept, each from several noises, uint8 ``[count * noises, C, H, W]``.

    `strength` is the part of the sampler's way that they are noised back. Raises Diverged for a latent not finite.
    """
    chosen = context.held_out.images(torch.arange(count))
    images, concepts = (values.repeat_interleave(noises, 0) for values in (chosen.images, chosen.concepts))
    noise, prompts = context.noise(len(images), "redraw"), context.plainly(concepts)
    return model.redraw(images, prompts, noise, context.sampler, strength, context.on_batch)
