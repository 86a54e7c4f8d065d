"""The denoising losses of a cell: its model's on real images, and both models' on each other's samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from vdu_bench.blame import blaming
from vdu_bench.engine.stages.images import probes_of
from vdu_bench.engine.stages.losses import losses, read_losses
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.weights import Weights
from vdu_bench.engine.workshop import Workshop
from vdu_bench.metrics.evidence import Losses
from vdu_bench.probes.loss_probe import LossProbe
from vdu_bench.tasks.task import Task


@dataclass(frozen=True)
class Sampled:
    """A model with what it drew.

    Attributes:
        weights: the model.
        samples: what the probe ``samples`` drew from it.
        label: what its cell is called.
    """

    weights: Weights
    samples: Artifact
    label: str


@dataclass
class Taken:
    """The losses of a cell, by probe.

    Attributes:
        losses: by what they are of; of a model on samples ``MODEL on WHOSE/NAME``.
        stages: by a name of its own, the address of the stage that keeps them.
        ledgers: what they took.
        reasons: why there are none.
    """

    losses: dict[str, Losses] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    ledgers: dict[str, dict[str, int]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def take_losses(shop: Workshop, task: Task, seed: int, own: Sampled, peer: Sampled | None) -> Taken:
    """All that the task's probes of losses find; those on samples only where there is a model to compare with.

    Args:
        shop: where they are taken.
        task: whose probes they are.
        seed: the sample seed.
        own: the cell's model.
        peer: the retrained model, or of its own cell another training.
    """
    taken = Taken()
    for name, probe in probes_of(shop, task).items():
        if isinstance(probe, LossProbe):
            with blaming("probe", name):
                _take(taken, name, probe, shop, task, seed, own, peer)
    return taken


def _take(
    taken: Taken, name: str, probe: LossProbe, shop: Workshop, task: Task, seed: int, own: Sampled, peer: Sampled | None
) -> None:
    """Put what one of them finds into `taken`; the rest as `take_losses`."""
    if not probe.of_samples:
        _note(taken, name, {"": losses(shop, task, own.weights, name, probe, seed, own.label)})
    elif peer is not None:
        sides = {"own": own, "peer": peer}
        _note(
            taken,
            name,
            {
                f"{who} on {whose}": losses(shop, task, model.weights, name, probe, seed, own.label, drew.samples)
                for who, model in sides.items()
                for whose, drew in sides.items()
            },
        )


def _note(taken: Taken, name: str, found: Mapping[str, Artifact]) -> None:
    ledger: Counter[str] = Counter()
    taken.losses[name] = {}
    for which, artifact in found.items():
        taken.stages["_".join([name, *which.split()])] = artifact.address
        ledger.update(artifact.facts["ledger"])
        if reason := artifact.facts.get("reason", ""):
            taken.reasons[name] = reason
        for key, values in read_losses(artifact).items():
            taken.losses[name][f"{which}/{key}".strip("/")] = values
    # Of one that is not finite the others say nothing.
    if name in taken.reasons:
        del taken.losses[name]
    taken.ledgers[name] = dict(ledger)
