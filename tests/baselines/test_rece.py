"""RECE: what it finds against a numerical optimum, and its rounds against least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from prompted import PRESERVING, context_of
from scipy.optimize import minimize
from torch import Tensor

from vdu_baselines.rece import RECE
from vdu_baselines.uce import UCE, Tokens, keys_and_values
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage

SETTINGS = {"erase": 2.0, "preserve": 0.05, "hold": 0.2}


def weights(model: DiffusionModel) -> dict[str, Tensor]:
    return {name: p.detach().double() for name, p in keys_and_values(model).items()}


def by_uce(base: TextToImage) -> tuple[dict[str, Tensor], Tokens]:
    method = UCE(**SETTINGS)
    context = context_of(base, method, prompts=PRESERVING)
    return weights(method.unlearn(base, context)), Tokens.of(base, context, method.settings)


@pytest.mark.parametrize("ridge", [1e-3, 3.0])
def test_what_brings_the_concept_back_is_the_optimum(tiny_text_to_image: TextToImage, ridge: float) -> None:
    edited, asked = by_uce(tiny_text_to_image)
    base, c = weights(tiny_text_to_image), asked.concept[:2]
    found = RECE(ridge=ridge, **SETTINGS).revived(edited, base, c)

    def misfit(flat: np.ndarray) -> tuple[float, np.ndarray]:
        tried = torch.from_numpy(flat).reshape(c.shape).requires_grad_(True)
        loss = ridge * tried.square().sum()
        for name, old in base.items():
            loss = loss + (tried @ edited[name].T - c @ old.T).square().sum()
        loss.backward()
        return float(loss.detach()), tried.grad.flatten().numpy()

    best = minimize(misfit, np.zeros(c.numel()), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "maxiter": 5000})
    assert misfit(found.flatten().numpy())[0] <= best.fun * (1 + 1e-9)
    if ridge > 1:
        np.testing.assert_allclose(found.flatten().numpy(), best.x, rtol=1e-2, atol=1e-3)
    assert not torch.allclose(found, c, atol=0.05)


def test_a_round_erases_what_was_found_from_where_the_last_left_the_weights(tiny_text_to_image: TextToImage) -> None:
    edited, asked = by_uce(tiny_text_to_image)
    base = weights(tiny_text_to_image)
    stacked = torch.cat([*edited.values(), 0.5**0.5 * torch.eye(32, dtype=torch.float64)])
    wanted = torch.cat([asked.concept @ old.T for old in base.values()], dim=1)
    wanted = torch.cat([wanted, torch.zeros(len(wanted), 32, dtype=torch.float64)], dim=1)
    again = torch.linalg.lstsq(stacked, wanted.T).solution.T

    method = RECE(rounds=1, ridge=0.5, **SETTINGS)
    after = weights(method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method, prompts=PRESERVING)))
    scale = [2.0**0.5, 0.05**0.5, 0.2**0.5]
    inputs = torch.cat([scale[0] * again, scale[1] * asked.kept, scale[2] * torch.eye(32, dtype=torch.float64)])
    for name, old in base.items():
        answers = [scale[0] * asked.meant @ old.T, scale[1] * asked.kept @ old.T, scale[2] * edited[name].T]
        expected = torch.linalg.lstsq(inputs, torch.cat(answers)).solution.T
        torch.testing.assert_close(after[name], expected, rtol=1e-4, atol=1e-5)


def test_without_rounds_it_is_uce_and_a_round_erases_what_was_found(tiny_text_to_image: TextToImage) -> None:
    edited, asked = by_uce(tiny_text_to_image)
    base = weights(tiny_text_to_image)
    misfit = []
    for rounds in (0, 1):
        method = RECE(rounds=rounds, ridge=0.5, **SETTINGS)
        after = weights(method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method, prompts=PRESERVING)))
        found = method.revived(edited, base, asked.concept)
        errors = [(found @ after[name].T - asked.meant @ old.T).square().sum() for name, old in base.items()]
        misfit.append(float(torch.stack(errors).sum()))
        if rounds == 0:
            assert all(torch.equal(after[name], weight) for name, weight in edited.items())
    assert misfit[1] < 0.5 * misfit[0]
    assert tiny_text_to_image.counter.forward == 0
