"""The posterior's coordinates against torch's own parametrization, bit for bit, and against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils._python_dispatch import TorchDispatchMode

from vdu_bench.methods.whitening import Whitening, squared_norm
from vdu_bench.models.posterior.gaussian import WeightPosterior


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 4), nn.SiLU(), nn.Linear(4, 2))


def posterior_of(module: nn.Module) -> WeightPosterior:
    generator = torch.Generator().manual_seed(1)
    weights = {name: p.detach() for name, p in module.named_parameters()}
    mean = {name: p + 0.01 * torch.randn(p.shape, generator=generator) for name, p in weights.items()}
    return WeightPosterior(mean, {name: 0.1 + torch.rand(p.shape, generator=generator) for name, p in weights.items()})


class Plain(nn.Module):
    """mu + sigma z, one weight after the other."""

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, z: Tensor) -> Tensor:
        return self.mean + self.std * z

    def right_inverse(self, theta: Tensor) -> Tensor:
        return (theta - self.mean) / self.std


def test_coordinates_change_and_nothing_else() -> None:
    module = network()
    before, x = {name: p.detach().clone() for name, p in module.named_parameters()}, torch.ones(1, 3)
    output, posterior = module(x), posterior_of(module)
    whitening = Whitening(module, posterior)
    assert whitening.names == list(before)
    assert list(dict(module.named_parameters())) == list(before), "a checkpoint has the same names"
    whitening.place()
    torch.testing.assert_close(module(x), output)
    for z, (name, theta) in zip(whitening.z, before.items(), strict=True):
        torch.testing.assert_close(z.detach(), (theta - posterior.mean[name]) / posterior.std[name])


def test_values_and_gradients_are_those_of_a_parametrization_bit_for_bit() -> None:
    module, other = network(), network()
    posterior = posterior_of(module)
    whitening = Whitening(module, posterior)
    for name, _ in list(other.named_parameters()):
        owner, _, leaf = name.rpartition(".")
        parametrize.register_parametrization(
            other.get_submodule(owner), leaf, Plain(posterior.mean[name], posterior.std[name]), unsafe=True
        )
    theirs = [p for name, p in other.named_parameters() if name.endswith("original")]
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    whitening.place()
    (-0.3 * module(x).square().mean()).backward()
    whitening.pull()
    twins = whitening.twins()
    hold = 0.7 * squared_norm(twins) / 10
    hold.backward()
    whitening.take(twins)
    total = sum((z.square().sum() for z in theirs), torch.zeros(()))
    (-0.3 * other(x).square().mean() + 0.7 * total / 10).backward()
    assert len(theirs) == len(whitening.z) == 6
    for own, one, weight, name in zip(whitening.z, theirs, whitening.theta, whitening.names, strict=True):
        assert torch.equal(own, one)
        assert own.grad is not None
        assert one.grad is not None
        assert torch.equal(own.grad, one.grad), name
        assert weight.grad is None, "what is moved takes no memory"
    torch.testing.assert_close(hold, 0.7 * total / 10)


def test_a_weight_that_nothing_used_has_the_regularizer_s_gradient_alone() -> None:
    module = network()
    whitening = Whitening(module, posterior_of(module))
    whitening.pull()
    assert all(z.grad is None for z in whitening.z)
    (squared_norm(whitening.z) / 2).backward()
    assert all(torch.equal(z.grad, z) for z in whitening.z if z.grad is not None)
    whitening.theta[0].grad = torch.ones_like(whitening.theta[0])
    before, std = whitening.z[0].detach().clone(), whitening._std[0]
    whitening.pull()
    assert whitening.z[0].grad is not None
    assert torch.equal(whitening.z[0].grad, before + std)


class Counted(TorchDispatchMode):
    """How many operations are asked for: of many tensors at once, one."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.n += func.__name__ != "detach.default"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("layers", [2, 40])
def test_operations_beside_the_network_s_own_do_not_grow_with_its_layers(layers: int) -> None:
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(layers)))
    whitening = Whitening(module, posterior_of(module))
    for theta in whitening.theta:
        theta.grad = torch.ones_like(theta)
    with Counted() as counted:
        whitening.place()
        whitening.pull()
        twins = whitening.twins()
        (squared_norm(twins) / 2).backward()
        whitening.take(twins)
    assert all(z.grad is not None for z in whitening.z)
    assert counted.n < 20
