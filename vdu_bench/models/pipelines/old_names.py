"""What diffusers called the weights of attention in 2022. Its own loaders translate them."""

from __future__ import annotations

from collections.abc import Container

OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""A layer's old name, and its present one."""


def present_name(name: str, known: Container[str]) -> str:
    """What the weight `name` is called among the `known` ones; `name` itself where it is not known by either."""
    layer, _, weight = name.rpartition(".")
    block, _, part = layer.rpartition(".")
    present = f"{block}.{OLD.get(part)}.{weight}"
    return present if name not in known and present in known else name
