"""How well an autoencoder holds pictures."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor


@torch.inference_mode()
def reconstruction_error(vae: AutoencoderKL, images: Tensor) -> float:
    """Mean squared error of decoded latents to uint8 images ``[N, C, H, W]``, both in [-1, 1]."""
    x = images / 127.5 - 1
    again = vae.decode(vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1)
    return float((again - x).square().mean())
