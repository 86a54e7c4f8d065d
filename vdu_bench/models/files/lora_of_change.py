"""A LoRA that makes a model of its base, where the change of every weight is of low rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

from vdu_bench.errors import UserError
from vdu_bench.models.files.changed_tensors import Change

ROUNDING = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class Factors:
    """A weight's change as a product.

    Attributes:
        up: ``[out, r]``.
        down: ``[r, in]``, a convolution's kernel among `in`.
    """

    up: Tensor
    down: Tensor

    @property
    def rank(self) -> int:
        """r."""
        return self.up.shape[1]


def factors(before: Tensor, after: Tensor) -> Factors:
    """The product of least rank that makes `after` of `before`, both ``[out, ...]``, but for what float32 rounds away.

    By the singular value decomposition of the change in float64 (Eckart & Young 1936): as many values are kept as it
    takes to leave a remainder of no larger Frobenius norm than eps times that of `after`.
    """
    change = (after.double() - before.double()).flatten(1)
    u, s, v = torch.linalg.svd(change, full_matrices=False)
    # What is left out by keeping none, one, two ... of the values.
    left = torch.cat([s.square().flip(0).cumsum(0).flip(0).sqrt(), s.new_zeros(1)])
    rank = int((left > ROUNDING * float(after.double().norm())).sum())
    root = s[:rank].sqrt()
    return Factors(u[:, :rank] * root, root[:, None] * v[:rank])


def write_lora(changes: Mapping[str, Change], folder: Path, called: str) -> tuple[Path, int]:
    """Write ``pytorch_lora_weights.safetensors``, which diffusers' ``load_lora_weights`` reads; the file, and the rank.

    All of its pairs have the largest rank, those of less with zeros, so that whoever reads it applies it at scale 1.

    Args:
        changes: by component.
        folder: where to.
        called: the model's name, for messages.

    Raises:
        UserError: something else than the weights of the U-Net's linear layers and convolutions is changed, or the LoRA
            would not be smaller than the change itself; the ranks are named.
    """
    if others := sorted(set(changes) - {"unet"}):
        raise UserError(f"{called} is no LoRA: its {', '.join(others)} is changed, too; use --as changed")
    change = changes["unet"]
    found: dict[str, Factors] = {}
    for name, after in change.after.items():
        layer, _, what = name.rpartition(".")
        if what != "weight" or not isinstance(change.network.get_submodule(layer), nn.Linear | nn.Conv2d):
            raise UserError(
                f"{called} is no LoRA: {name} is changed, and a LoRA has weights of linear layers and convolutions "
                "alone; use --as changed"
            )
        found[layer] = factors(change.before[name], after)
    rank = max((pair.rank for pair in found.values()), default=0)
    numbers = sum(rank * (pair.up.shape[0] + pair.down.shape[1]) for pair in found.values())
    if numbers >= sum(after.numel() for after in change.after.values()):
        raise UserError(f"{called} is no LoRA: its change is of ranks {_ranks(found)}; use --as changed")
    layers: dict[str, Tensor] = {}
    for layer, pair in found.items():
        up, down = (torch.nn.functional.pad(part, pad) for part, pad in _padded(pair, rank))
        kernel = change.after[f"{layer}.weight"].shape[2:]
        layers[f"{layer}.lora_A.weight"] = down.float().reshape(rank, -1, *kernel).contiguous()
        layers[f"{layer}.lora_B.weight"] = up.float().reshape(-1, rank, *(1 for _ in kernel)).contiguous()
    told = {"r": rank, "lora_alpha": rank, "target_modules": sorted(found)}
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers, unet_lora_adapter_metadata=told)
    return folder / "pytorch_lora_weights.safetensors", rank


def _padded(pair: Factors, rank: int) -> tuple[tuple[Tensor, tuple[int, ...]], tuple[Tensor, tuple[int, ...]]]:
    lacking = rank - pair.rank
    return (pair.up, (0, lacking)), (pair.down, (0, 0, 0, lacking))


def _ranks(found: Mapping[str, Factors]) -> str:
    shown = sorted(found.items(), key=lambda item: -item[1].rank)[:3]
    words = [f"{pair.rank} of {min(pair.up.shape[0], pair.down.shape[1])} ({name})" for name, pair in shown]
    return ", ".join(words) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
