"""Which of a denoiser's weights are trained: selections with a name."""

from __future__ import annotations

from typing import Literal, get_args

from diffusers.models.attention_processor import Attention
from torch import nn

from vdu_bench.errors import UserError, did_you_mean

Selection = Literal["all", "cross_attention", "self_attention", "all_but_cross_attention"]

PROJECTIONS = ("to_q", "to_k", "to_v", "to_out")


def selected_parameters(denoiser: nn.Module, name: Selection) -> dict[str, nn.Parameter]:
    """The parameters of a selection by name, in the denoiser's order.

    ``cross_attention`` and ``self_attention`` are the weights and biases of the query, key, value and output
    projections of every attention layer over the condition, or over the image itself; the norms around them belong to
    neither. In Stable Diffusion's U-Net the former are all that stands under ``attn2``, the weights that ESD-x trains
    (Gandikota et al. 2023), and the latter all under ``attn1``; ``all_but_cross_attention`` are those that ESD-u
    trains. A `UNet2DModel` has self-attention alone.

    Raises:
        UserError: the selection is unknown, or the denoiser has no such weights.
    """
    if name not in get_args(Selection):
        raise UserError(f"no selection of weights {name!r}{did_you_mean(name, get_args(Selection))}")
    parameters = dict(denoiser.named_parameters())
    if name == "all":
        return parameters
    if name == "all_but_cross_attention":
        left_out = selected_parameters(denoiser, "cross_attention")
        return {key: parameter for key, parameter in parameters.items() if key not in left_out}
    prefixes = tuple(
        f"{path}.{projection}."
        for path, module in denoiser.named_modules()
        if isinstance(module, Attention) and module.is_cross_attention == (name == "cross_attention")
        for projection in PROJECTIONS
    )
    selected = {key: parameter for key, parameter in parameters.items() if key.startswith(prefixes)}
    if not selected:
        raise UserError(f"a {type(denoiser).__name__} of this configuration has no {name.replace('_', '-')} to train")
    return selected
