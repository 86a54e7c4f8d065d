"""What of a model's weights differs from its base's, under the names that diffusers gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel, component_of
from vdu_bench.models.specs import NOISE


@dataclass(frozen=True)
class Change:
    """The tensors of one network that differ, before and after.

    Attributes:
        network: that of the model.
        before, after: by name.
    """

    network: nn.Module
    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]


def changes(model: DiffusionModel, base: DiffusionModel, called: str) -> dict[str, Change]:
    """By component (``unet``), what differs; components that are the same are left out.

    Args:
        model: any, on the CPU.
        base: what it was made of, on the CPU.
        called: the model's name, for messages.

    Raises:
        UserError: nothing differs, or the model is of another make: its tensors alone would not be it.
    """
    schedules = [one.noise_scheduler.config for one in (model, base)]
    same_noise = all(schedules[0][key] == schedules[1][key] for key in NOISE)
    if type(model) is not type(base) or model.settings != base.settings or not same_noise:
        raise UserError(f"{called} is of another make than its base: export the whole of it, by --as pipeline")
    found = {}
    for attribute, network in model.networks.items():
        before, after = getattr(base, attribute).state_dict(), network.state_dict()
        if {name: t.shape for name, t in before.items()} != {name: t.shape for name, t in after.items()}:
            raise UserError(f"{called} is of another make than its base: export the whole of it, by --as pipeline")
        differing = [name for name, value in after.items() if not torch.equal(value, before[name])]
        if differing:
            own = Change(network, *({name: part[name] for name in differing} for part in (before, after)))
            found[component_of(attribute)] = own
    if not found:
        raise UserError(f"{called} is its base: not a weight is changed")
    return found


def state_dict(found: Mapping[str, Change]) -> dict[str, Tensor]:
    """The changed tensors as one state dict: a U-Net's alone under diffusers' own names, else with the component's."""
    plain = set(found) == {"unet"}
    return {
        name if plain else f"{component}.{name}": value.contiguous().clone()
        for component, change in found.items()
        for name, value in change.after.items()
    }
