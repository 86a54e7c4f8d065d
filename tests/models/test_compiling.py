"""All networks of a process are compiled, and not the first eight of them. By a backend that only counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo import config

from vdu_bench.models.compiling import KINDS, compile_network

NETWORKS = 12


class Network(nn.Module):
    """One class for all, whose function is compiled for each width anew."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).relu()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is compiled before, and no shape is taken for one that may change."""
    torch.compiler.reset()
    with config.patch(cache_size_limit=8, automatic_dynamic_shapes=False):
        yield
    torch.compiler.reset()


def compiled(start: Callable[[nn.Module, Any], None]) -> int:
    """For how many of the networks something is compiled."""
    widths: set[int] = set()

    def backend(graph: Any, inputs: Any) -> Any:
        widths.add(inputs[-1].shape[-1])
        return graph.forward

    for width in range(1, 1 + NETWORKS):
        network = Network(width)
        start(network, backend)
        network(torch.ones(2, width))
    return len(widths)


def test_every_network_of_a_process_is_compiled() -> None:
    assert compiled(lambda network, backend: compile_network(network, backend=backend)) == NETWORKS
    assert config.cache_size_limit == KINDS


def test_torch_alone_would_leave_out_all_after_the_eighth() -> None:
    assert compiled(lambda network, backend: network.compile(backend=backend)) == 8


def test_a_higher_limit_of_the_user_s_stays() -> None:
    config.cache_size_limit = 10 * KINDS
    compile_network(Network(1), backend="eager")
    assert config.cache_size_limit == 10 * KINDS


def test_a_graph_may_be_kept_by_one_of_two_networks_that_share_what_is_compiled() -> None:
    """What was compiled for a backward pass that keeps none would give its buffers away."""
    networks = [Network(3) for _ in range(2)]
    for network in networks:
        compile_network(network, backend="aot_eager_decomp_partition")
    x = torch.ones(2, 3)
    networks[0](x).square().sum().backward()
    output = networks[1](x)
    output.sum().backward(retain_graph=True)
    output.square().sum().backward()
    weight = networks[1].layer.weight
    assert weight.grad is not None
    found = weight.grad.clone()
    weight.grad = None
    plain = torch.nn.functional.linear(x, weight, networks[1].layer.bias).relu()
    (plain.sum() + plain.square().sum()).backward()
    torch.testing.assert_close(found, weight.grad)
