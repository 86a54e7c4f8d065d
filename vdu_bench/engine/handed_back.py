"""What somebody's method or probe hands back: refused, with words, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vdu_bench.models.diffusion import DiffusionModel


def checked_model(made: Any, base: DiffusionModel, method: str) -> DiffusionModel:
    """The model that a method gave, of which weights alone are kept.

    Args:
        made: what its ``unlearn`` returned.
        base: a model of the same make, which nothing was done to.
        method: its name.

    Raises:
        TypeError: it is no model, or would be another one after it was written and read: it has hooks, a ``forward``
            or an attention processor of its own, or weights under other names.
    """
    if not isinstance(made, DiffusionModel):
        raise TypeError(
            f"{method}: unlearn gave a {type(made).__name__}; it returns the DiffusionModel that has forgotten"
        )
    theirs = _networks(base)
    for part, network in _networks(made).items():
        for name, module in network.named_modules():
            if what := _beside_weights(module):
                whose = ".".join(filter(None, (part, name)))
                raise TypeError(
                    f"{method}: {whose} has {what}, and of a model its weights alone are kept: fold what it does into "
                    "these"
                )
        other = theirs.get(part)
        if other is None or _config(network) != _config(other):
            continue
        own, known = _shapes(network), _shapes(other)
        if changed := sorted(name for name in own.keys() | known.keys() if own.get(name) != known.get(name)):
            raise TypeError(
                f"{method}: the {part} has other weights than its configuration says, such as {changed[0]}: fold "
                "adapters into the base's"
            )
    return made


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


def _networks(model: DiffusionModel) -> dict[str, nn.Module]:
    return {name: value for name, value in vars(model).items() if isinstance(value, nn.Module)}


def _beside_weights(module: nn.Module) -> str:
    """What else than weights decides what a module gives; empty where nothing does."""
    if module._forward_hooks or module._forward_pre_hooks:
        return "a hook"
    if "forward" in vars(module):
        return "a forward of its own"
    processor = getattr(module, "processor", None)
    if processor is not None and not type(processor).__module__.startswith("diffusers."):
        return f"an attention processor of its own, {type(processor).__name__}"
    return ""


def _config(network: nn.Module) -> Any:
    return type(network), dict(getattr(network, "config", None) or {}) if _is_plain(network) else None


def _is_plain(network: nn.Module) -> bool:
    """Whether its configuration is a mapping, as diffusers' are; transformers' say more than their networks' make."""
    return isinstance(getattr(network, "config", None), Mapping)


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
