"""Training in the posterior's own coordinates."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import parametrize

from vdu_bench.models.posterior.gaussian import WeightPosterior


class Whitened(nn.Module):
    """theta = mu + sigma * z, as a torch parametrization: the optimiser sees z, the network sees theta."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, z: Tensor) -> Tensor:
        """theta from z."""
        return self.mean + self.std * z

    def right_inverse(self, theta: Tensor) -> Tensor:
        """z from theta."""
        return (theta - self.mean) / self.std


def whiten(module: nn.Module, posterior: WeightPosterior) -> list[nn.Parameter]:
    """Give every parameter that the posterior names its whitened coordinates; these, in the module's order.

    The module's function does not change. `unwhiten` undoes it.
    """
    coordinates = []
    for name, _ in list(module.named_parameters()):
        if name not in posterior.std:
            continue
        owner_name, _, leaf = name.rpartition(".")
        owner = module.get_submodule(owner_name)
        transform = Whitened(posterior.mean[name], posterior.std[name])
        # unsafe: the checks would run the transform on every tensor once more.
        parametrize.register_parametrization(owner, leaf, transform, unsafe=True)
        coordinates.append(owner.parametrizations[leaf].original)  # type: ignore[union-attr, index]
    return coordinates


def unwhiten(module: nn.Module) -> None:
    """Plain parameters again, with the values that the coordinates stand for."""
    for owner in list(module.modules()):
        if parametrize.is_parametrized(owner):
            for leaf in list(owner.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(owner, leaf, leave_parametrized=True)
