"""Dropout by a seed, or none: it draws from torch's global generator, which nothing here is to depend on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def seeded_dropout(network: nn.Module, seed: int) -> Iterator[None]:
    """Let a network's dropout, where it has any, draw by `seed`; the global generators are set aside and given back."""
    if not _has_dropout(network):
        yield
        return
    device = next(network.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def without_dropout(network: nn.Module) -> Iterator[None]:
    """The network as it samples, for what is measured of it before it is trained; then as it was.

    One that has no dropout is left as it is: the last bits of gradients depend on the mode.
    """
    if not _has_dropout(network):
        yield
        return
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _has_dropout(network: nn.Module) -> bool:
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in network.modules())
