"""A Gaussian posterior over weights, N(mu, diag(sigma^2)), and its estimate from weight snapshots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.errors import UserError


@dataclass(frozen=True)
class WeightPosterior:
    """Mean and standard deviation of each weight, by parameter name (shapes and device as the parameters')."""

    mean: dict[str, Tensor]
    std: dict[str, Tensor]

    def floored(self, quantile: float) -> WeightPosterior:
        """With every standard deviation raised to at least the given quantile (0..1) of all that are above 0.

        A handful of snapshots leaves many variances near zero, and 1 / sigma^2 would let those few weights
        decide the whole regularizer; of half-precision checkpoints some weights are the same in all. The floor is this
        project's choice; the paper's is not known to us.

        Raises:
            UserError: no weight has a deviation.
        """
        everything = torch.cat([std.flatten() for std in self.std.values()])
        everything = everything[everything > 0]
        if not everything.numel():
            raise UserError("the posterior's standard deviations are all 0: its checkpoints are one and the same")
        rank = max(1, math.ceil(quantile * everything.numel()))
        floor = everything.kthvalue(rank).values
        return WeightPosterior(self.mean, {name: std.clamp(min=floor) for name, std in self.std.items()})

    def only(self, names: Iterable[str]) -> WeightPosterior:
        """For the named weights alone, in their order. Raises UserError for a name that it does not have."""
        names = list(names)
        missing = [name for name in names if name not in self.std]
        if missing:
            raise UserError(f"the posterior does not cover {len(missing)} of the weights, such as {missing[0]}")
        return WeightPosterior({name: self.mean[name] for name in names}, {name: self.std[name] for name in names})

    def to(self, device: torch.device | str, dtype: torch.dtype) -> WeightPosterior:
        """On `device` in `dtype`."""
        return WeightPosterior(
            {name: value.to(device, dtype) for name, value in self.mean.items()},
            {name: value.to(device, dtype) for name, value in self.std.items()},
        )

    def save(self, file: Path) -> None:
        """Write one safetensors file: half precision for the mean; bfloat16, for its range, for the deviation."""
        tensors = {f"mean/{name}": value.half() for name, value in self.mean.items()}
        tensors |= {f"std/{name}": value.bfloat16() for name, value in self.std.items()}
        save_file(tensors, file)

    @classmethod
    def load(cls, file: Path) -> WeightPosterior:
        """Read what `save` wrote, as float32 on the CPU."""
        tensors = load_file(file)
        parts: dict[str, dict[str, Tensor]] = {"mean": {}, "std": {}}
        for key, value in tensors.items():
            part, name = key.split("/", 1)
            parts[part][name] = value.float()
        return cls(parts["mean"], parts["std"])


class MomentAccumulator:
    """Streamed mean and variance of named tensors (Welford 1962): holds two copies, however many are added."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: dict[str, Tensor] = {}
        self.squares: dict[str, Tensor] = {}

    def add(self, named: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> None:
        """Take one snapshot into account."""
        self.count += 1
        for name, value in dict(named).items():
            value = value.detach().double().cpu()
            if self.count == 1:
                self.mean[name] = value.clone()
                self.squares[name] = torch.zeros_like(value)
                continue
            delta = value - self.mean[name]
            self.mean[name] += delta / self.count
            self.squares[name] += delta * (value - self.mean[name])

    def posterior(self) -> WeightPosterior:
        """Mean and sample standard deviation (n - 1). Raises ValueError for fewer than two snapshots."""
        if self.count < 2:
            raise ValueError("a posterior needs at least two snapshots")
        std = {name: (s / (self.count - 1)).sqrt().float() for name, s in self.squares.items()}
        return WeightPosterior({name: m.float() for name, m in self.mean.items()}, std)

    def state(self) -> dict[str, Tensor]:
        """The moments, by name, to go on from."""
        return {f"mean.{n}": v for n, v in self.mean.items()} | {f"squares.{n}": v for n, v in self.squares.items()}

    def restore(self, count: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a `state` that was taken after `count` snapshots."""
        self.count = count
        self.mean = {k.removeprefix("mean."): v for k, v in tensors.items() if k.startswith("mean.")}
        self.squares = {k.removeprefix("squares."): v for k, v in tensors.items() if k.startswith("squares.")}
