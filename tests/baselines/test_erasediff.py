"""EraseDiff against gradients that are made by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import context_of
from torch import Tensor

from vdu_baselines.erasediff import EraseDiff
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.training.base_model import denoising_loss


def by_hand(model: DiffusionModel, base: TextToImage, method: EraseDiff) -> tuple[Tensor, ...]:
    """Both losses, and both gradients in one vector each."""
    context, parameters = context_of(base, method), list(method.selection(model).values())
    retain = context.retain.batch(3)
    kept = denoising_loss(model, retain.x0, retain.condition, context.generator)
    forget = context.forget.batch(3)
    t, noise = context.timesteps(3), context.noise_like(forget.x0)
    uniform = torch.rand(forget.x0.shape, generator=context.generator)
    assert 0 <= float(uniform.min()) < 0.05 < 0.95 < float(uniform.max()) < 1
    erased = (uniform - model.predict_noise(model.add_noise(forget.x0, noise, t), t, forget.condition)).square().mean()
    slopes = [torch.cat([s.flatten() for s in torch.autograd.grad(loss, parameters)]) for loss in (kept, erased)]
    elements = forget.x0[0].numel() if method.settings.reduction == "sum" else 1
    found = (kept.detach(), erased.detach(), *slopes)
    return tuple(elements * one for one in found)


@pytest.mark.parametrize(
    ("settings", "dynamic"),
    [
        ({"weight": 0.7}, False),
        ({"eta": 0.3}, True),
        ({"eta": 0.0}, True),
        ({"eta": 5.0}, True),
        ({"weight": 0.7, "reduction": "sum"}, False),
    ],
)
def test_its_gradient_is_the_retained_one_and_lambda_times_the_erasing_one(
    tiny_text_to_image: TextToImage, settings: dict[str, Any], dynamic: bool
) -> None:
    method = EraseDiff(balance="dynamic" if dynamic else "fixed", batch_size=3, weights="conv_in.*", **settings)
    model = tiny_text_to_image.clone()
    parameters = list(method.selection(model).values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    kept, erased, held, erasing = by_hand(model, tiny_text_to_image, method)
    loss = method.gradients(model, context_of(tiny_text_to_image, method), lambda loss, **_: loss.backward())
    found = torch.cat([parameter.grad.flatten() for parameter in parameters])

    weight = settings.get("weight")
    if weight is None:
        # The least lambda at which the step goes down the erasing loss by eta of its own gradient's descent.
        weight = max(0.0, float(settings["eta"] - held @ erasing / (erasing @ erasing)))
        assert float(found @ erasing / (erasing @ erasing)) >= settings["eta"] - 1e-4
        assert weight == 0 or float(found @ erasing / (erasing @ erasing)) == pytest.approx(settings["eta"], abs=1e-4)
    torch.testing.assert_close(found, held + weight * erasing, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(loss.detach(), kept + weight * erased, rtol=1e-4, atol=1e-6)


def test_a_gradient_that_overflows_under_its_scale_leaves_a_loss_that_is_told() -> None:
    """The optimiser skips the step for its gradients, and tries it again under a smaller scale."""
    method = EraseDiff(balance="dynamic")
    found = method._weight([torch.tensor([torch.inf])], [torch.tensor([torch.inf])])
    assert float(found) == 0


def test_published_settings() -> None:
    assert EraseDiff(preset="published").settings.weight == 0.1
    assert EraseDiff(preset="published").settings.ema_decay == 0.99
    stable = EraseDiff(preset="published_sd").settings
    assert (stable.batch_size, stable.weights) == (16, "all_but_cross_attention_time_output")
