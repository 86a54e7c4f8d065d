"""Whether a recipe's arguments are those of its networks, before anything is trained by it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel
from transformers import CLIPTextConfig

from vdu_bench.errors import UserError, did_you_mean, in_short
from vdu_bench.models.pipelines.schedule import check_unlabelled
from vdu_bench.models.specs import LatentRecipe, ModelRecipe

OF_THE_TOKENIZER = ("vocab_size", "max_position_embeddings", "bos_token_id", "eos_token_id", "pad_token_id")
"""What a text encoder's configuration has from elsewhere in the recipe."""


def check_recipe(recipe: ModelRecipe, name: str) -> None:
    """Raise UserError, naming the key, for arguments that a network does not take, or that cannot be trained well.

    Args:
        recipe: a model's.
        name: the task's, for messages.
    """
    check_unlabelled(recipe.denoiser, f"{name}: model.denoiser")
    _check_target(recipe.noise_scheduler, f"{name}: model.noise_scheduler")
    if isinstance(recipe, LatentRecipe):
        _check(UNet2DConditionModel, recipe.denoiser, f"{name}: model.denoiser")
        _check(AutoencoderKL, recipe.autoencoder.network, f"{name}: model.autoencoder.network")
        known = set(CLIPTextConfig().to_dict()) - set(OF_THE_TOKENIZER)
        _check_names(recipe.text_encoder.network, known, f"{name}: model.text_encoder.network")
    else:
        _check(UNet2DModel, recipe.denoiser, f"{name}: model.denoiser")


def _check_target(schedule: Mapping[str, Any], key: str) -> None:
    """Raise UserError for what a loss in epsilon cannot train.

    Of an x0-network that loss has a weight of signal^2 / sigma^2, so that the first times decide everything; and where
    the last time has no signal, it has a weight of 0 there for a v-network, and none for the others.
    """
    if schedule.get("prediction_type") == "sample":
        raise UserError(f"{key}.prediction_type: sample cannot be trained, since losses are of the noise; take epsilon")
    if schedule.get("rescale_betas_zero_snr"):
        raise UserError(
            f"{key}.rescale_betas_zero_snr cannot be trained, since losses are of the noise, and tell a network "
            "nothing at a time without signal; leave it out"
        )


def check_images(recipe: ModelRecipe, shape: Sequence[int], name: str) -> None:
    """Raise UserError, naming the keys, for images of another shape than a recipe's network makes.

    Args:
        recipe: a model's.
        shape: ``[C, H, W]`` of the data's images.
        name: the task's, for messages.
    """
    size, keys = recipe.denoiser["sample_size"], "model.denoiser.sample_size and in_channels"
    height, width = (size, size) if isinstance(size, int) else size
    channels = _argument(UNet2DModel, recipe.denoiser, "in_channels")
    if isinstance(recipe, LatentRecipe):
        network, keys = recipe.autoencoder.network, "model.denoiser.sample_size and model.autoencoder.network"
        shrunk = 2 ** (len(_argument(AutoencoderKL, network, "block_out_channels")) - 1)
        height, width, channels = height * shrunk, width * shrunk, _argument(AutoencoderKL, network, "in_channels")
    if tuple(shape) != (channels, height, width):
        raise UserError(
            f"{name}: its data have images {list(shape)}, and its network makes {[channels, height, width]} (channels, "
            f"height, width): {keys} decide that"
        )


def _argument(network: Any, arguments: Mapping[str, Any], name: str) -> Any:
    return arguments.get(name, inspect.signature(network.__init__).parameters[name].default)


def _check(network: Any, arguments: Mapping[str, Any], where: str) -> None:
    _check_names(arguments, set(inspect.signature(network.__init__).parameters) - {"self"}, where)
    size = arguments.get("sample_size")
    if network is not AutoencoderKL and not size:
        raise UserError(f"{where}.sample_size: it is {size}, and the height and width of the latents are needed")
    try:
        # Without weights, which would take time and memory.
        with torch.device("meta"):
            network(**arguments)
    # Whatever the library makes of values that do not go together.
    except Exception as error:
        raise UserError(f"{where}: these arguments make no {network.__name__} ({in_short(error)})") from error


def _check_names(arguments: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in arguments:
        if name not in known:
            raise UserError(f"{where}: there is no argument {name!r}{did_you_mean(name, known)}")
