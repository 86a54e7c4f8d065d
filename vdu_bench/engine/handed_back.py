"""What somebody's method or probe hands back: refused, with words, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vdu_bench.models.diffusion import DiffusionModel


def checked_model(made: Any, method: str) -> DiffusionModel:
    """The model that a method gave, of which weights alone are kept.

    Args:
        made: what its ``unlearn`` returned.
        method: its name.

    Raises:
        TypeError: it is no model, or would be another one after it was written and read: it has hooks, a ``forward``
            or an attention processor of its own.
    """
    if not isinstance(made, DiffusionModel):
        raise TypeError(
            f"{method}: unlearn gave a {type(made).__name__}; it returns the DiffusionModel that has forgotten"
        )
    for part, network in made.networks.items():
        for name, module in network.named_modules():
            if what := _beside_weights(module):
                whose = ".".join(filter(None, (part, name)))
                raise TypeError(
                    f"{method}: {whose} has {what}, and of a model its weights alone are kept: fold what it does into "
                    "these"
                )
    return made


def check_weights(made: DiffusionModel, base: DiffusionModel, method: str) -> None:
    """Raise TypeError for weights that no network of the base's configuration has, as unmerged adapters are.

    And for weights of less than float32, which a model is kept and read in: its rounding would be the method's result.

    Args:
        made: as `checked_model` gives it.
        base: a model of the same make, which nothing was done to.
        method: its name.
    """
    theirs = base.networks
    for part, network in made.networks.items():
        if lesser := _lesser(network):
            name, dtype = lesser
            raise TypeError(
                f"{method}: the {part} has weights in {dtype}, such as {name}, and a model is kept in float32: give it "
                "back in that. A task's compute.autocast has it computed in half precision"
            )
        other = theirs.get(part)
        if other is None or _configuration(network) != _configuration(other):
            continue
        own, known = _shapes(network), _shapes(other)
        if changed := sorted(name for name in own.keys() | known.keys() if own.get(name) != known.get(name)):
            raise TypeError(
                f"{method}: the {part} has other weights than its configuration says, such as {changed[0]}: fold "
                "adapters into the base's"
            )


def checked_images(drawn: Any, shape: tuple[int, ...], probe: str) -> Mapping[str, Tensor]:
    """The images that a probe drew.

    Args:
        drawn: what its ``draw`` returned.
        shape: ``(C, H, W)`` of the model's images.
        probe: its name.

    Raises:
        TypeError: it is no mapping from names to uint8 ``[N, C, H, W]`` on the CPU.
    """
    wanted = f"images by name, uint8 [N, {', '.join(map(str, shape))}] on the CPU"
    if not isinstance(drawn, Mapping):
        raise TypeError(f"the probe {probe}: draw gave a {type(drawn).__name__}; it returns {wanted}")
    for name, images in drawn.items():
        if not isinstance(name, str) or not isinstance(images, Tensor):
            raise TypeError(f"the probe {probe}: draw gave {name!r} with a {type(images).__name__}, and not {wanted}")
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != shape or images.device.type != "cpu":
            found = f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)} on {images.device.type}"
            raise TypeError(f"the probe {probe}: {name!r} is {found}, and not {wanted}")
    return drawn


def _beside_weights(module: nn.Module) -> str:
    """What else than weights decides what a module gives; empty where nothing does."""
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    # transformers leaves its own wherever it was once asked for hidden states; they change nothing.
    if any(getattr(hook, "__module__", None) != "transformers.utils.output_capturing" for hook in hooks):
        return "a hook"
    if "forward" in vars(module):
        return "a forward of its own"
    processor = getattr(module, "processor", None)
    if processor is not None and not type(processor).__module__.startswith("diffusers."):
        return f"an attention processor of its own, {type(processor).__name__}"
    return ""


def _lesser(network: nn.Module) -> tuple[str, str] | None:
    """The first weight of less than float32, and its type."""
    for name, value in network.state_dict().items():
        if value.is_floating_point() and value.dtype.itemsize < torch.float32.itemsize:
            return name, str(value.dtype).removeprefix("torch.")
    return None


def _configuration(network: nn.Module) -> Any:
    """A network's class and configuration, as diffusers has it; transformers' has more in it, and does not count."""
    config = getattr(network, "config", None)
    return type(network), dict(config) if isinstance(config, Mapping) else None


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
