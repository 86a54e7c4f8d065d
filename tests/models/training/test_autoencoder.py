from __future__ import annotations

from pathlib import Path

import pytest
import torch
from autoencoding import reconstruction_error
from diffusers import AutoencoderKL

from vdu_bench.data.sources.faces import load_faces
from vdu_bench.errors import Diverged
from vdu_bench.models.specs import AutoencoderRecipe, FitSpec, LatentRecipe
from vdu_bench.models.training import resuming
from vdu_bench.models.training.autoencoder import train_autoencoder

IMAGES = load_faces().train.images[:200]


class Killed(Exception):
    """Stands for a kill at a step."""


@pytest.fixture
def recipe(tiny_latent_recipe: LatentRecipe) -> AutoencoderRecipe:
    return tiny_latent_recipe.autoencoder


def lasting(recipe: AutoencoderRecipe, steps: int) -> AutoencoderRecipe:
    """The recipe with another number of steps."""
    return recipe.model_copy(update={"training": FitSpec(steps=steps, batch_size=16, learning_rate=0.01)})


def trained(
    recipe: AutoencoderRecipe, checkpoints: Path | None = None, kill_at: int | None = None, seed: int = 0
) -> AutoencoderKL:
    def on_step(step: int, _loss: float) -> None:
        if step == kill_at:
            raise Killed

    return train_autoencoder(recipe, IMAGES, seed, torch.float16, "cpu", checkpoints, on_step)


def weights(vae: AutoencoderKL) -> list[torch.Tensor]:
    return list(vae.state_dict().values())


def equal(one: AutoencoderKL, other: AutoencoderKL) -> bool:
    return one.config == other.config and all(map(torch.equal, weights(one), weights(other)))


def encoded(vae: AutoencoderKL) -> torch.Tensor:
    with torch.no_grad():
        return vae.encode(IMAGES.float() / 127.5 - 1).latent_dist.mean


def test_it_learns(recipe: AutoencoderRecipe) -> None:
    errors = [reconstruction_error(trained(lasting(recipe, steps)), IMAGES) for steps in (1, 50)]
    assert errors[1] < 0.4 * errors[0]


def test_latents_are_scaled_to_a_deviation_of_one(recipe: AutoencoderRecipe) -> None:
    vae = trained(lasting(recipe, 20))
    factor = vae.config["scaling_factor"]
    assert float((factor * encoded(vae)).std()) == pytest.approx(1, rel=1e-4)
    assert factor != pytest.approx(1, rel=0.05)


def test_the_loss_is_the_squared_error_and_the_weighted_divergence(recipe: AutoencoderRecipe) -> None:
    """The first step's loss, with nothing but the weights and the draws known."""
    training = FitSpec(steps=1, batch_size=len(IMAGES), learning_rate=1e-12)
    losses: list[float] = []
    for kl_weight in (0.0, 0.5):
        one = recipe.model_copy(update={"training": training, "kl_weight": kl_weight})
        vae = train_autoencoder(one, IMAGES, 0, torch.float32, on_step=lambda _, loss: losses.append(loss))
    # A learning rate of next to nothing leaves the weights where they were, and the batch is all images.
    with torch.no_grad():
        latents = vae.encode(IMAGES.float() / 127.5 - 1).latent_dist
    divergence = 0.5 * (latents.mean.square() + latents.var - 1 - latents.logvar).sum((1, 2, 3)).mean()
    assert losses[1] - losses[0] == pytest.approx(0.5 * float(divergence), rel=1e-4)
    generator = torch.Generator().manual_seed(0)
    draws = [latents.mean + latents.std * torch.randn(latents.mean.shape, generator=generator) for _ in range(20)]
    with torch.no_grad():
        errors = [float((vae.decode(z).sample - (IMAGES.float() / 127.5 - 1)).square().mean()) for z in draws]
    assert min(errors) * 0.99 < losses[0] < max(errors) * 1.01


def test_it_is_the_seed_s_alone(recipe: AutoencoderRecipe) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = trained(recipe)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert equal(one, trained(recipe))
    assert not equal(one, trained(recipe, seed=1))


@pytest.mark.parametrize("kill_at", [0, 4, 7])
def test_resumes_bit_for_bit_after_a_kill(
    recipe: AutoencoderRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    monkeypatch.setattr(resuming, "CHECKPOINT_SECONDS", 0.0)
    whole = trained(recipe)
    with pytest.raises(Killed):
        trained(recipe, tmp_path, kill_at)
    steps: list[int] = []
    again = train_autoencoder(recipe, IMAGES, 0, torch.float16, "cpu", tmp_path, lambda step, _: steps.append(step))
    assert steps == list(range(kill_at + 1, recipe.training.steps))
    assert equal(whole, again)


def test_it_is_frozen_and_rounded_to_what_is_stored(recipe: AutoencoderRecipe) -> None:
    vae = trained(recipe)
    assert not vae.training
    for parameter in vae.parameters():
        assert not parameter.requires_grad
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, parameter.half().float())


def test_a_training_that_explodes_diverges(recipe: AutoencoderRecipe) -> None:
    wild = recipe.model_copy(update={"training": FitSpec(steps=5, batch_size=4, learning_rate=1e30)})
    with pytest.raises(Diverged):
        train_autoencoder(wild, IMAGES, 0, torch.float32)
