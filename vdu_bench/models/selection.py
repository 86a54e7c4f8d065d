"""Which of a denoiser's weights are trained: selections with a name, and patterns over the weights' own names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

from diffusers.models.attention_processor import Attention
from pydantic import AfterValidator
from torch import nn

from vdu_bench.errors import UserError, did_you_mean

Selection = Literal[
    "all",
    "cross_attention",
    "self_attention",
    "all_but_cross_attention",
    "all_but_cross_attention_time_output",
    "layers_but_cross_attention",
]

PROJECTIONS = ("to_q", "to_k", "to_v", "to_out")

TIME_AND_OUTPUT = ("time_embedding.", "conv_norm_out.", "conv_out.")
"""diffusers' names of what the code of ESD's paper calls ``time_embed`` and ``out``."""


def _checked(weights: str | tuple[str, ...]) -> str | tuple[str, ...]:
    words = ("auto", *get_args(Selection)) if isinstance(weights, str) else get_args(Selection)
    if not weights:
        raise ValueError("no weights are named")
    for name in [weights] if isinstance(weights, str) else weights:
        if name not in words and not _is_pattern(name):
            hint = did_you_mean(name, words)
            raise ValueError(f"no selection of weights {name!r}{hint}, or a pattern over weights' names, as in *.attn*")
    return weights


Weights = Annotated[str | tuple[str, ...], AfterValidator(_checked)]
"""``auto``, a `Selection`, a pattern, or several of the latter two. A misspelt word is refused where it is read."""


def automatic(weights: Weights, prompted: bool) -> Weights:
    """What ``auto`` stands for: all of an unconditional model, ``cross_attention`` of one that takes prompts."""
    if weights != "auto":
        return weights
    return "cross_attention" if prompted else "all"


def selected_parameters(denoiser: nn.Module, weights: str | Sequence[str]) -> dict[str, nn.Parameter]:
    """The parameters that selections or patterns name, in the denoiser's order.

    ``cross_attention`` and ``self_attention`` are the weights and biases of the query, key, value and output
    projections of every attention layer over the condition, or over the image itself; the norms around them belong to
    neither. In Stable Diffusion's U-Net the former are all that stands under ``attn2``, the weights that ESD-x trains
    (Gandikota et al. 2023), and the latter all under ``attn1``. A `UNet2DModel` has self-attention alone.

    ``all_but_cross_attention`` is the rest of the network. ESD-u trains less of it, in two versions:
    ``all_but_cross_attention_time_output``, as the paper's code has it, leaves out the time embedding (the blocks' own
    projections of it stay) and the output's norm and convolution; ``layers_but_cross_attention``, as the authors'
    newest release has it, is all convolutions and linear layers, these among them, and no norm.

    Anything with a ``*``, ``?``, ``[`` or a dot in it is a pattern over the parameters' whole names, as a shell's over
    a file's (`fnmatch.fnmatchcase`; a star goes over dots): ``*attn2.to_[kv].weight`` is what UCE and TIME edit.

    Raises:
        UserError: a selection is unknown, the denoiser has no such weights, or a pattern fits none.
    """
    parameters = dict(denoiser.named_parameters())
    chosen: set[str] = set()
    for name in [weights] if isinstance(weights, str) else weights:
        chosen |= _fitting(name, parameters) if _is_pattern(name) else _named(denoiser, name, parameters)
    return {key: parameter for key, parameter in parameters.items() if key in chosen}


def _is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[.")


def _fitting(pattern: str, parameters: dict[str, nn.Parameter]) -> set[str]:
    found = {key for key in parameters if fnmatchcase(key, pattern)}
    if not found:
        close = difflib.get_close_matches(pattern, parameters, n=3, cutoff=0.5) or list(parameters)[:3]
        raise UserError(f"no weight's name fits {pattern!r}; there are {len(parameters)}, such as {', '.join(close)}")
    return found


def _named(denoiser: nn.Module, name: str, parameters: dict[str, nn.Parameter]) -> set[str]:
    if name not in get_args(Selection):
        raise UserError(f"no selection of weights {name!r}{did_you_mean(name, get_args(Selection))}")
    if name == "all":
        return set(parameters)
    if "but_cross_attention" in name:
        rest = set(parameters) - _named(denoiser, "cross_attention", parameters)
        if name == "layers_but_cross_attention":
            return rest & _of_layers(denoiser)
        return {key for key in rest if name == "all_but_cross_attention" or not key.startswith(TIME_AND_OUTPUT)}
    prefixes = tuple(
        f"{path}.{projection}."
        for path, module in denoiser.named_modules()
        if isinstance(module, Attention) and module.is_cross_attention == (name == "cross_attention")
        for projection in PROJECTIONS
    )
    selected = {key for key in parameters if key.startswith(prefixes)}
    if not selected:
        raise UserError(f"a {type(denoiser).__name__} of this configuration has no {name.replace('_', '-')} to train")
    return selected


def _of_layers(denoiser: nn.Module) -> set[str]:
    """The weights and biases of linear layers and convolutions: all but norms, and embeddings in tables."""
    return {
        f"{path}.{key}"
        for path, module in denoiser.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        for key, _ in module.named_parameters(recurse=False)
    }
