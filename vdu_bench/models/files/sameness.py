"""Whether a checkpoint is anything else than the base, and made of numbers: one that was read past its weights would be
judged as a success or a failure of unlearning, and is neither."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.specs import NOISE


def unchanged(model: DiffusionModel, base: DiffusionModel) -> str:
    """In words, that a model is the base; empty where it is not.

    Args:
        model: any, on the CPU.
        base: as it lies on disk, on the CPU.
    """
    if model.settings != base.settings:
        return ""
    if any(model.noise_scheduler.config[key] != base.noise_scheduler.config[key] for key in NOISE):
        return ""
    exact, rounded = True, {torch.float16: True, torch.bfloat16: True}
    for own, other in _pairs(model, base):
        if other is None or own.shape != other.shape:
            return ""
        if torch.equal(own, other):
            continue
        exact = False
        for dtype in rounded:
            rounded[dtype] = rounded[dtype] and torch.equal(own, other.to(dtype).to(own.dtype))
        if not any(rounded.values()):
            return ""
    if exact:
        return "it changes nothing: all of its weights are the base's"
    dtype = next(dtype for dtype, equal in rounded.items() if equal)
    return f"it changes nothing: its weights are the base's, rounded to {str(dtype).removeprefix('torch.')}"


def not_finite(model: DiffusionModel) -> str:
    """In words, that weights of a model are no numbers: such a file is damaged, and no method diverged. Else empty."""
    tensors = [item for network in model.networks.values() for item in network.state_dict().items()]
    broken = [key for key, value in tensors if value.is_floating_point() and not bool(torch.isfinite(value).all())]
    return f"{len(broken)} of its {len(tensors)} tensors hold NaN or infinity, such as {broken[0]}" if broken else ""


def _pairs(model: DiffusionModel, base: DiffusionModel) -> Iterator[tuple[Tensor, Tensor | None]]:
    for name, network in model.networks.items():
        other = getattr(base, name).state_dict()
        for key, value in network.state_dict().items():
            yield value, other.get(key)
