"""The base that a method is handed stays as it is: what it is measured against would be another model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel

if TYPE_CHECKING:
    from vdu_bench.methods.context import UnlearningContext
    from vdu_bench.methods.method import Method


@contextmanager
def unchanged(base: DiffusionModel, method: str) -> Iterator[None]:
    """Look at a base before and after what is done in it; a look reads each weight once.

    Args:
        base: whose weights stay as they are.
        method: whose name an error has.

    Raises:
        TypeError: a weight or buffer was written to, or has another norm.
    """
    before = _looks(base)
    yield
    after = _looks(base)
    if changed := [name for name, look in before.items() if after.get(name) != look]:
        raise TypeError(
            f"{method}: it changed its base in place, in {changed[0]}"
            + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")
            + ": let it work on a copy, model.clone(), and return that"
        )


def guard(method: Method, name: str) -> Method:
    """The method, whose `unlearn` is refused where it changes its base, as `unchanged`.

    On the object, and not where the engine calls it: that code is a part of the address of every unlearned model.
    """
    unlearn = method.unlearn

    def guarded(model: DiffusionModel, context: UnlearningContext) -> Any:
        with unchanged(model, name):
            return unlearn(model, context)

    setattr(method, "unlearn", guarded)  # noqa: B010 mypy refuses to assign to a method
    return method


def _looks(base: DiffusionModel) -> dict[str, tuple[int, str]]:
    """By name of a tensor, how often it was written to, and its norm, which tells of writing to its ``.data`` too."""
    tensors = {
        f"{part}.{name}": tensor
        for part, network in base.networks.items()
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]
    }
    with torch.no_grad():
        # Of one device, to be stacked.
        place = "cpu" if base.device.type == "meta" else base.device
        norms = [_norm(tensor).to(place) for tensor in tensors.values()]
        # Of a GPU read at once. As text, in which NaN is NaN.
        told = map(str, torch.stack(norms).tolist() if norms else [])
    return {name: (_version(tensor), norm) for (name, tensor), norm in zip(tensors.items(), told, strict=True)}


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _norm(tensor: Tensor) -> Tensor:
    if tensor.is_meta or not tensor.is_floating_point():
        return torch.zeros(())
    return torch.linalg.vector_norm(tensor).float()
