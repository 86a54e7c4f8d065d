"""A pipeline of one's own and what is unlearned in it, for tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import vdu_bench


def state_of(pipeline: Any) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": value.clone()
        for part, network in pipeline.components.items()
        if isinstance(network, nn.Module)
        for name, value in network.state_dict().items()
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def unlearned(pipeline: Any, method: Any, forget: Any = None, **more: Any) -> Any:
    return vdu_bench.unlearn(pipeline, method, forget, quiet=True, **more)
