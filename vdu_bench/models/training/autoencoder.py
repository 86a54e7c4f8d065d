"""Training the autoencoder of a latent model from its recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from vdu_bench.models.specs import AutoencoderRecipe
from vdu_bench.models.training.batches import epoch_indices, step_generator
from vdu_bench.models.training.fitting import Fit
from vdu_bench.models.training.processes import ALONE, Team
from vdu_bench.models.training.resuming import fit_resumably
from vdu_bench.models.upload import upload
from vdu_bench.seeds import derive_seed

BATCH = 500


def train_autoencoder(
    recipe: AutoencoderRecipe,
    images: Tensor,
    seed: int,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    checkpoints: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
    team: Team = ALONE,
) -> AutoencoderKL:
    """An autoencoder that was fitted to `images`, in evaluation mode, its scaling factor measured on them.

    The loss is the pixels' mean squared error (images in [-1, 1]) plus the recipe's weight times the divergence of the
    latents' posterior from a standard normal, summed over a latent and averaged over images (Kingma & Welling 2014,
    eq. 10; Rombach et al. 2022, appendix G). There is no adversarial loss: at sixteen pixels nothing is too fine for
    a squared error.

    Args:
        recipe: network and training.
        images: uint8 ``[N, C, H, W]``.
        seed: initial weights, batches, draws of latents.
        dtype: what the finished weights are rounded to, so that latents are those of the weights as they are stored.
        device: where it is trained, and stays.
        checkpoints: a folder to keep the running state in; a state found there is gone on from.
        on_step: called with the step and its loss.
        team: the processes that train it; each works on the whole batch, which is small.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite.
    """
    seed = derive_seed(seed, "autoencoder")
    # torch's initialisers take no generator, so the global one is set aside and given back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "init"))
        vae = AutoencoderKL(**recipe.network).to(device).train()
    size, images = recipe.training.batch_size, images.to(device)

    def loss(step: int) -> Tensor:
        x = _pixels(images[upload(epoch_indices(len(images), step * size, size, seed), images)], vae)
        latents = vae.encode(x).latent_dist
        # Drawn on the CPU and moved, so that every device sees the same draws.
        noise = upload(torch.randn(latents.mean.shape, generator=step_generator(seed, step)), x)
        error = torch.nn.functional.mse_loss(vae.decode(latents.mean + latents.std * noise).sample, x)
        return error + recipe.kl_weight * latents.kl().mean()

    fit_resumably(Fit(vae.parameters(), recipe.training, team=team), loss, checkpoints, on_step)
    # Module.to, since diffusers' own warns of layers to be kept in float32 even where there are none.
    torch.nn.Module.to(torch.nn.Module.to(vae, dtype), torch.float32)
    vae.requires_grad_(False).eval()
    vae.register_to_config(scaling_factor=1 / float(_latents(vae, images).std()))
    return vae


@torch.inference_mode()
def _latents(vae: AutoencoderKL, images: Tensor) -> Tensor:
    return torch.cat([vae.encode(_pixels(part, vae)).latent_dist.mode() for part in images.split(BATCH)])


def _pixels(images: Tensor, vae: AutoencoderKL) -> Tensor:
    return images.to(vae.device).to(vae.dtype) / 127.5 - 1
