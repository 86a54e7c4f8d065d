"""Inversion: is there any word at all that the frozen model answers with the concept?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from vdu_bench.data.splits import DataSplits
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.word_vectors import word_deviation, word_vectors
from vdu_bench.models.specs import FitSpec
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.models.training.batches import epoch_indices
from vdu_bench.models.training.fitting import Fit, gradients_of
from vdu_bench.models.upload import upload
from vdu_bench.probes.attack import Attack, check_enough, count_of, look_name, rising
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.soft_words import embedded
from vdu_bench.seeds import derive_seed
from vdu_bench.spec import PositiveInt, Spec
from vdu_bench.tasks.task import Task


class Inversion(Attack):
    """Learns an embedding of the concept: one, from a few training images, the model frozen; and asks with it.

    min_v E || eps - eps_theta(x_t, t, c(v)) ||^2 (textual inversion, Gal et al. 2023; as an attack on erased models
    after Pham et al. 2024, "Circumventing concept erasure methods"). c(v) are the judged subjects, "SUBJECT with WORD",
    in which v stands for the last token of the concept's plain phrase. v begins as that token's own embedding. It is
    looked at after some steps, by the same prompts.
    """

    supports = ("text_to_image",)
    needs = ("forget_images",)
    attack = True

    class Settings(Spec):
        """What the attacker has, and how it learns.

        The defaults are those that told models apart on ``faces_eyeglasses``, 24 images a look: where the word's
        embedding is exchanged for another word's, they bring back 100 and 96 % after 30 and 100 steps, and of the
        retrained model nothing; at four times the rate it is 83 and 100 %.
        """

        given: PositiveInt = Field(25, description="how many images the attacker has")
        looks: tuple[PositiveInt, ...] = Field(
            (30, 100), min_length=1, description="after how many steps the embedding is asked with; the last ends it"
        )
        batch_size: PositiveInt = Field(12, description="images a step")
        learning_rate: float = Field(
            0.1, gt=0, description="Adam's, in deviations of the text encoder's own embeddings: these differ in scale"
        )
        samples: Annotated[int, Field(gt=0)] | None = Field(None, description="images a look; 100 unless given")

        @field_validator("looks")
        @classmethod
        def _rise(cls, looks: tuple[int, ...]) -> tuple[int, ...]:
            return rising(looks)

    settings: Settings

    def check(self, task: Task, splits: DataSplits) -> None:
        there = int(splits.train.shows(task.forget).sum())
        check_enough(task, "inversion", self.settings.given, there, f"show {task.forget!r}", "given")

    def images(self, context: ProbeContext) -> int:
        return len(self.settings.looks) * count_of(self.settings.samples, context)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        asked = cast(TextToImage, model)
        prompts = context.plain_requests
        token = asked.tokens(prompts)[0][-1]
        first, scale = word_vectors(asked, torch.tensor([token]))[0], word_deviation(asked)
        # Moved in deviations from where it began, so that one rate does for encoders of any scale.
        shift = nn.Parameter(torch.zeros_like(first))
        n, looks = count_of(self.settings.samples, context), {}
        noise = context.noise(n, "attack")
        loss = self._loss(asked, context, prompts, token, lambda: first + scale * shift)
        spec = FitSpec(steps=self.settings.looks[-1], learning_rate=self.settings.learning_rate)
        fit = Fit([shift], spec, asked.autocast)
        for look in self.settings.looks:
            while fit.step < look:
                fit.advance(gradients_of(loss))
            fit.read()
            with embedded(asked, token, (first + scale * shift).detach()):
                asked_for = [prompts[i % len(prompts)] for i in range(n)]
                drawn = asked.sample(n, asked_for, noise, context.sampler, context.on_batch)
            looks[look_name(f"{self.settings.given} images", look)] = drawn
        return looks

    def _loss(
        self,
        model: TextToImage,
        context: ProbeContext,
        prompts: list[str],
        token: int,
        vector: Callable[[], Tensor],
    ) -> Callable[[int], Tensor]:
        images = context.forget.take(torch.arange(self.settings.given)).x0
        size = self.settings.batch_size

        def loss(step: int) -> Tensor:
            rows = upload(epoch_indices(len(images), step * size, size, derive_seed(context.seed, "order")), images)
            asked = [prompts[(step * size + i) % len(prompts)] for i in range(size)]
            with embedded(model, token, vector()):
                condition = model.condition(asked)
            generator = torch.Generator().manual_seed(derive_seed(context.seed, "step", step))
            return denoising_loss(model, images[rows], condition, generator)

        return loss
