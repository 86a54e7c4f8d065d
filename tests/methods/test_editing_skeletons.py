"""A method of a kind that the literature has, in a few lines, through the contract alone: replay.

Its paper is named for the kind; it is no port.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import context_of
from pydantic import Field
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod, Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.models.training.base_model import denoising_loss


def weights(model: DiffusionModel) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.denoiser.named_parameters()}


class Amnesia(LossMethod):
    """Noise in place of the forget set, the base's own samples replayed, and weights held by what these need.

    Of Selective Amnesia's kind (Heng & Soh 2023); the Fisher information's diagonal is that of the replayed samples.
    """

    needs = ("forget_images",)

    class Settings(LossMethod.Settings):
        replayed: int = Field(4, gt=0, description="samples of the base")
        strength: float = Field(1.0, ge=0, description="how hard the weights are held")

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        parameters = list(self.parameters(model))
        self.kept = context.replay(self.settings.replayed)
        self.before = [p.detach().clone() for p in parameters]
        self.fisher = [torch.zeros_like(p) for p in parameters]
        for i in range(self.settings.replayed):
            slopes = torch.autograd.grad(self.remembered(model, context, slice(i, i + 1)), parameters)
            for total, slope in zip(self.fisher, slopes, strict=True):
                total += slope.square() / self.settings.replayed

    def remembered(self, model: DiffusionModel, context: UnlearningContext, part: slice) -> Tensor:
        condition = None if self.kept.condition is None else self.kept.condition[part]
        return denoising_loss(model, self.kept.x0[part], condition, context.generator)

    def moved(self, model: DiffusionModel) -> Tensor:
        terms = zip(self.parameters(model), self.before, self.fisher, strict=True)
        return torch.stack([(fisher * (p - q).square()).sum() for p, q, fisher in terms]).sum()

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(self.settings.batch_size)
        noise = context.noise_like(batch.x0)
        forgotten = denoising_loss(model, noise, batch.condition, context.generator)
        remembered = self.remembered(model, context, slice(None))
        return forgotten + remembered + self.settings.strength / 2 * self.moved(model)


def nobody(*_: Any) -> Any:
    pytest.fail("nobody asked for it")


def pixels(model: UnconditionalDDPM, method: Method) -> UnlearningContext:
    images = torch.randint(256, (6, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    train, sampler = ImageSet.of_classes(images, torch.arange(6) % 2, ["a", "b"]), SamplerSpec(steps=3)
    return UnlearningContext(model, train, "a", "forget_only", method.needs, 0, nobody, nobody, sampler=sampler)


def test_generative_replay_with_a_diagonal_fisher(tiny_model: UnconditionalDDPM) -> None:
    def unlearned(strength: float) -> tuple[float, UnlearningContext]:
        tiny_model.counter.forward = tiny_model.counter.backward = 0
        method = Amnesia(strength=strength, steps=5, batch_size=2, learning_rate=1e-2)
        context = pixels(tiny_model, method)
        after = method.unlearn(tiny_model, context)
        return float(method.moved(after)), context

    (free, context), (held, _) = unlearned(0.0), unlearned(1e4)
    assert 0 < held < 0.5 * free
    ledger = context.ledger()
    assert (ledger.replayed, ledger.retain_images) == (4, 0)
    assert 0 < ledger.forget_images <= 3
    # Four samples of three steps; the Fisher information of each; five steps of two forgotten and four replayed.
    assert tiny_model.counter.forward == 4 * 3 + 4 + 5 * (2 + 4)
    assert tiny_model.counter.backward == 4 + 5 * (2 + 4)


def test_replay_on_a_text_to_image_model(tiny_text_to_image: TextToImage) -> None:
    method = Amnesia(steps=2, batch_size=2, learning_rate=1e-3)
    before, context = weights(tiny_text_to_image), context_of(tiny_text_to_image, method)
    after = method.unlearn(tiny_text_to_image, context)
    moved = {name for name, p in weights(after).items() if not torch.equal(p, before[name])}
    assert moved == set(method.selection(tiny_text_to_image))
    assert method.kept.captions == [""] * 4
    assert context.ledger().replayed == 4
