"""Samples of the frozen base: whose noise they are from, what they cost, and that no other draw moves."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import IMAGES, PROMPTS

from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.regime import Regime
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.seeds import derive_seed

SAMPLER = SamplerSpec(steps=3, guidance_scale=2.0, batch_size=2)


def nobody(*_: Any) -> Any:
    pytest.fail("nobody asked for it")


def unconditional(model: UnconditionalDDPM, regime: Regime = "full", seed: int = 4) -> UnlearningContext:
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    train = ImageSet.of_classes(images, torch.tensor([0, 0, 1, 1]), ["a", "b"])
    return UnlearningContext(model, train, "a", regime, (), seed, nobody, nobody, sampler=SAMPLER)


def prompted(model: TextToImage) -> UnlearningContext:
    return UnlearningContext(model, IMAGES, "hat", "full", (), 4, nobody, nobody, PROMPTS, sampler=SAMPLER)


def noise(n: int, shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(derive_seed(4, "replay")))


@pytest.mark.parametrize("regime", ["full", "forget_and_retain", "forget_only"])
def test_every_regime_allows_it_and_it_is_counted(tiny_model: UnconditionalDDPM, regime: Regime) -> None:
    context = unconditional(tiny_model, regime)
    first, second = context.replay(3), context.replay(2)
    expected = tiny_model.clone().sample(5, None, noise(5, (1, 8, 8)), SAMPLER)
    assert torch.equal(torch.cat([first.images, second.images]), expected)
    assert torch.equal(first.x0, tiny_model.encode(expected[:3]))
    assert (first.condition, first.captions) == (None, None)
    ledger = context.ledger()
    assert (ledger.replayed, ledger.images, ledger.prompts) == (5, 0, False)


def test_its_evaluations_are_the_method_s(tiny_model: UnconditionalDDPM) -> None:
    unconditional(tiny_model).replay(3)
    assert (tiny_model.counter.forward, tiny_model.counter.backward) == (3 * 3, 0)


def test_no_other_draw_moves(tiny_model: UnconditionalDDPM) -> None:
    plain, replaying = unconditional(tiny_model), unconditional(tiny_model)
    state = torch.get_rng_state()
    replaying.replay(2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(plain.timesteps(9), replaying.timesteps(9))


def test_a_text_to_image_model_makes_them_of_the_empty_prompt(tiny_text_to_image: TextToImage) -> None:
    got = prompted(tiny_text_to_image).replay(3)
    # No guidance, so no denoiser is asked twice.
    assert tiny_text_to_image.counter.forward == 3 * 3
    plain = SAMPLER.model_copy(update={"guidance_scale": 1.0})
    assert torch.equal(got.images, tiny_text_to_image.sample(3, [""] * 3, noise(3, (4, 8, 8)), plain))
    assert got.captions == [""] * 3
    assert torch.equal(got.condition, tiny_text_to_image.null_condition(3))
    assert got.x0.shape == (3, 4, 8, 8)


def test_or_of_prompts_with_the_task_s_guidance(tiny_text_to_image: TextToImage) -> None:
    asked = ["a person", "with bangs", "a portrait"]
    got = prompted(tiny_text_to_image).replay(3, asked)
    assert tiny_text_to_image.counter.forward == 2 * 3 * 3
    assert torch.equal(got.images, tiny_text_to_image.sample(3, asked, noise(3, (4, 8, 8)), SAMPLER))
    assert got.captions == asked
    assert torch.equal(got.condition, tiny_text_to_image.condition(asked))


def test_autograd_takes_them(tiny_model: UnconditionalDDPM) -> None:
    got = unconditional(tiny_model).replay(2)
    weight = torch.ones(1, requires_grad=True)
    (weight * got.x0 * got.images).sum().backward()
    assert float(weight.grad) == pytest.approx(float((got.x0 * got.images).sum()))


def test_what_cannot_be_asked_for(tiny_model: UnconditionalDDPM, tiny_text_to_image: TextToImage) -> None:
    with pytest.raises(ValueError, match="takes no prompts"):
        unconditional(tiny_model).replay(1, ["a person"])
    context = prompted(tiny_text_to_image)
    with pytest.raises(ValueError, match="2 images need as many prompts, not 1"):
        context.replay(2, ["a person"])
    with pytest.raises(UserError, match="tokens"):
        context.replay(1, [" ".join(["person"] * 99)])
    assert context.ledger().replayed == 0
