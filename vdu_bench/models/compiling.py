"""torch.compile of a network, for as many kinds of calls as a process makes of it."""

from __future__ import annotations

from typing import Any

from torch import nn

KINDS = 256
"""For how many combinations of network, shape, precision and way to take gradients a function is compiled. torch's own
limit is 8; calls beyond it run uncompiled, and nothing but a line in a log tells of it."""


def compile_network(network: nn.Module, **options: Any) -> None:
    """Have a network's calls compiled from here on, in place: its weights keep their names.

    Args:
        network: any.
        options: as `torch.compile` takes them.
    """
    from torch._dynamo import config  # a second's import, for those who compile
    from torch._functorch import config as autograd

    # The name that torch 2.4 knows it by, and later ones too.
    config.cache_size_limit = max(config.cache_size_limit, KINDS)
    # Networks alike share what is compiled, and a backward pass that was compiled for one which keeps no graph would
    # give its buffers away to the next one, which may have to keep it.
    if hasattr(autograd, "donated_buffer"):  # since torch 2.5
        autograd.donated_buffer = False
    network.compile(**options)
