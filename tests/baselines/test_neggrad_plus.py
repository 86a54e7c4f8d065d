"""NegGrad+ against gradients that are made by hand."""

from __future__ import annotations

import torch
from prompted import context_of

from vdu_baselines.neggrad_plus import NegGradPlus
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.training.base_model import denoising_loss


def test_its_gradient_is_alpha_times_the_retained_one_less_the_forgotten_one(tiny_text_to_image: TextToImage) -> None:
    method = NegGradPlus(alpha=2.5, batch_size=3, weights="conv_in.*")
    model = tiny_text_to_image.clone()
    parameters = list(method.selection(model).values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    method.gradients(model, context_of(tiny_text_to_image, method), lambda loss, **_: loss.backward())

    context = context_of(tiny_text_to_image, method)
    forget, retain = context.forget.batch(3), context.retain.batch(3)
    slopes = [
        torch.autograd.grad(denoising_loss(model, batch.x0, batch.condition, context.generator), parameters)
        for batch in (retain, forget)
    ]
    for parameter, kept, forgotten in zip(parameters, *slopes, strict=True):
        torch.testing.assert_close(parameter.grad, 2.5 * kept - forgotten, rtol=1e-4, atol=1e-7)
