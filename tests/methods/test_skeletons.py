"""Methods of the kinds that the literature has, a few lines each, through the contract alone: those with gradients.

Their papers are named for the kind; none of these is a port.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import context_of
from pydantic import Field
from torch import Tensor

from vdu_baselines.finetune import Finetune
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.pools import Batch
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.models.training.fitting import Backward

QUICK: dict[str, Any] = {"batch_size": 2, "steps": 3, "learning_rate": 1e-3}


def error(model: DiffusionModel, batch: Batch, context: UnlearningContext) -> Tensor:
    return denoising_loss(model, batch.x0, batch.condition, context.generator)


def norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([tensor.norm() for tensor in tensors]).norm()


def weights(model: DiffusionModel) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.denoiser.named_parameters()}


class Salient(LossMethod):
    """Ascent where the forget set's gradient is largest, and nowhere else (of SalUn's kind, Fan et al. 2024)."""

    needs = ("forget_images",)

    class Settings(LossMethod.Settings):
        share: float = Field(0.5, gt=0, le=1, description="share of the weights that move")

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        loss = error(model, context.forget.batch(self.settings.batch_size), context)
        slopes = [slope.abs() for slope in torch.autograd.grad(loss, list(self.parameters(model)))]
        threshold = torch.cat([slope.flatten() for slope in slopes]).quantile(1 - self.settings.share)
        self.masks = [slope >= threshold for slope in slopes]

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        return -error(model, context.forget.batch(self.settings.batch_size), context)

    def gradients(self, model: DiffusionModel, context: UnlearningContext, backward: Backward) -> Tensor:
        loss = super().gradients(model, context, backward)
        for parameter, mask in zip(self.parameters(model), self.masks, strict=True):
            parameter.grad.mul_(mask)
        return loss


class Rescaled(LossMethod):
    """Retained minus forgotten gradient, their norms in a set ratio (of SISS's kind, Alberti et al. 2025)."""

    needs = ("forget_images", "retain_images")

    class Settings(LossMethod.Settings):
        ratio: float = Field(0.5, gt=0, description="norm of the forget gradient over the retained one's")

    def gradients(self, model: DiffusionModel, context: UnlearningContext, backward: Backward) -> Tensor:
        parameters, found = list(self.parameters(model)), []
        for pool in (context.retain, context.forget):
            loss = error(model, pool.batch(self.settings.batch_size), context)
            backward(loss)
            found.append([parameter.grad for parameter in parameters])
            for parameter in parameters:
                parameter.grad = None
        kept, forgotten = found
        scale = self.settings.ratio * norm(kept) / norm(forgotten)
        for parameter, keep, forget in zip(parameters, kept, forgotten, strict=True):
            parameter.grad = keep - scale * forget
        self.last = kept, forgotten, [parameter.grad.clone() for parameter in parameters]
        return loss


class Bilevel(LossMethod):
    """Fine-tuning drawn to where a copy went that forgets for some steps (of EraseDiff's kind, Wu et al. 2024)."""

    needs = ("forget_images", "retain_images")

    class Settings(LossMethod.Settings):
        inner_steps: int = Field(2, ge=0, description="steps of the copy")
        pull: float = Field(0.1, ge=0, description="how hard the model is drawn to it")

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        copy = model.clone(self.selection(model))
        optimizer = torch.optim.SGD(self.selection(copy).values(), lr=0.1)
        for _ in range(self.settings.inner_steps):
            optimizer.zero_grad()
            (-error(copy, context.forget.batch(self.settings.batch_size), context)).backward()
            optimizer.step()
        pairs = zip(self.parameters(model), self.selection(copy).values(), strict=True)
        drawn = sum((p - q.detach()).square().sum() for p, q in pairs)
        return error(model, context.retain.batch(self.settings.batch_size), context) + self.settings.pull / 2 * drawn


@pytest.mark.parametrize("autocast", ["off", "float16"])
def test_a_method_that_masks_gradients(tiny_text_to_image: TextToImage, autocast: Any) -> None:
    base = tiny_text_to_image.computing(ComputeSpec(autocast=autocast))
    before, method = weights(base), Salient(share=0.25, **QUICK)
    after = dict(method.unlearn(base, context_of(base, method)).denoiser.named_parameters())
    chosen = method.selection(base)
    moved = {name: after[name] != before[name] for name in chosen}
    for mask, where in zip(method.masks, moved.values(), strict=True):
        assert not bool((where & ~mask).any()), "what is masked stays as it is, to the bit"
    share = sum(int(where.sum()) for where in moved.values()) / sum(where.numel() for where in moved.values())
    assert share == pytest.approx(0.25, abs=0.01)
    assert all(torch.equal(p, before[name]) for name, p in base.denoiser.named_parameters())


@pytest.mark.parametrize("autocast", ["off", "float16"])
@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_a_method_that_rescales_the_difference_of_two_gradients(
    tiny_text_to_image: TextToImage, autocast: Any, ratio: float
) -> None:
    base = tiny_text_to_image.computing(ComputeSpec(autocast=autocast))
    method = Rescaled(ratio=ratio, **{**QUICK, "steps": 1})
    context = context_of(base, method)
    after = method.unlearn(base, context)
    kept, forgotten, stepped = method.last
    away = [keep - step for keep, step in zip(kept, stepped, strict=True)]
    # Whatever the loop's scale, which both have.
    assert float(norm(away) / norm(kept)) == pytest.approx(ratio, rel=1e-4)
    cosine = sum((a * f).sum() for a, f in zip(away, forgotten, strict=True)) / (norm(away) * norm(forgotten))
    assert float(cosine) == pytest.approx(1, abs=1e-4)
    # Adam's first step goes by the sign.
    for name, step in zip(method.selection(base), stepped, strict=True):
        went = after.denoiser.get_parameter(name) - base.denoiser.get_parameter(name)
        sure = step.abs() > 1e-3 * step.abs().max()
        assert torch.equal(went[sure].sign(), -step[sure].sign())
    ledger = context.ledger()
    assert (ledger.forget_images, ledger.retain_images, base.counter.backward) == (2, 2, 4)


def test_a_method_with_an_inner_loop_on_a_copy(tiny_text_to_image: TextToImage) -> None:
    base = tiny_text_to_image
    before = weights(base)
    plain = Finetune(**QUICK)
    expected = weights(plain.unlearn(base, context_of(base, plain)))

    def unlearned(**more: Any) -> dict[str, Tensor]:
        method = Bilevel(**QUICK, **more)
        return weights(method.unlearn(base, context_of(base, method)))

    still = unlearned(inner_steps=0)
    assert all(torch.equal(still[name], expected[name]) for name in before), "a copy that stays draws nowhere"
    base.counter.forward = base.counter.backward = 0
    drawn = unlearned(inner_steps=2)
    assert any(not torch.equal(drawn[name], expected[name]) for name in before)
    # Three steps of two images: one of the model, two of the copy.
    assert (base.counter.forward, base.counter.backward) == (3 * 3 * 2, 3 * 3 * 2)
    assert all(torch.equal(p, before[name]) for name, p in base.denoiser.named_parameters())
    chosen = Bilevel(**QUICK).selection(base)
    assert {name for name in before if not torch.equal(drawn[name], before[name])} == set(chosen)
