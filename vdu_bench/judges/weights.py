"""Which weights a network has."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def digest_of_weights(network: nn.Module) -> str:
    """sha256 over the names and bytes of a network's state, in the names' order; the same on every device."""
    sha = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        sha.update(name.encode())
        # By bytes, since numpy has no bfloat16.
        sha.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
