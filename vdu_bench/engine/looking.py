"""What a cell's metrics see: images and losses of its model, of the original, and of the model that never knew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vdu_bench.blame import blaming
from vdu_bench.engine.cells import Cell
from vdu_bench.engine.loss_taking import Sampled, Taken, take_losses
from vdu_bench.engine.stages.clip import load_clip
from vdu_bench.engine.stages.held_out import HeldOut, held_out
from vdu_bench.engine.stages.images import images, probes_of
from vdu_bench.engine.stages.judge import load_judge
from vdu_bench.engine.stages.readings import readings
from vdu_bench.engine.stages.real import load_real
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.stages.second import second_readings
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.weights import Weights
from vdu_bench.engine.workshop import Workshop
from vdu_bench.metrics.evidence import Evidence, Samples
from vdu_bench.metrics.inception import Inception
from vdu_bench.probes.loss_probe import LossProbe
from vdu_bench.records import Ledger, Timings
from vdu_bench.tasks.task import Task


@dataclass(frozen=True)
class Looks:
    """What probes took of the models of a cell.

    Attributes:
        own: by probe, the images of the cell's model; none where it has no model.
        original: those of the base.
        gold: those of the retrained model; none where a cell is not compared with it.
        peer: the model that the cell's is held against.
        taken: denoising losses.
        real: held-out images in the place of a model's.
    """

    own: dict[str, Artifact]
    original: dict[str, Artifact]
    gold: dict[str, Artifact]
    peer: Sampled | None
    taken: Taken
    real: HeldOut | None

    @property
    def stages(self) -> dict[str, str]:
        """By name, the addresses of the stages that keep them."""
        found = {name: artifact.address for name, artifact in self.own.items()} | self.taken.stages
        found |= {} if self.real is None else self.real.stages
        for whose, theirs in (("original", self.original), ("retrain", self.gold)):
            found |= {f"{whose}_{name}": artifact.address for name, artifact in theirs.items()}
        return found

    @property
    def ledgers(self) -> dict[str, dict[str, int]]:
        """By probe, what it took to look at the cell's model."""
        return {name: artifact.facts["ledger"] for name, artifact in self.own.items()} | self.taken.ledgers


def look(cell: Cell, shop: Workshop, whole: Artifact, weights: Weights | None, own: dict[str, Artifact]) -> Looks:
    """All that is compared with a cell's own images.

    Args:
        cell: whose model it is.
        shop: where stages are found or made.
        whole: the base.
        weights: the cell's model, if it has one.
        own: what probes drew from it (`drawn`).
    """
    task = cell.task
    # After the cell's own, since every method's cells ask for it: where several run at a time, one has made it by then.
    original = drawn(shop, task, Weights(whole), cell.seed, f"{task.name}/original/seed{cell.seed}")
    gold = _gold(cell, shop) if cell.compared else {}
    peer = _peer(cell, shop, gold) if gold else None
    taken = Taken()
    if weights is not None:
        taken = take_losses(shop, task, cell.seed, Sampled(weights, own["samples"], cell.name), peer)
    return Looks(own, original, gold, peer, taken, held_out(shop, task) if cell.of_real else None)


def evidence_of(cell: Cell, shop: Workshop, ledger: Ledger | None, timings: Timings, looks: Looks) -> Evidence:
    """What the metrics are given."""
    task, samples = cell.task, looks.original["samples"]
    real = looks.real
    return Evidence(
        task,
        shop.splits(task),
        load_judge(shop, task),
        _read(shop, task, looks.original),
        _read(shop, task, looks.own, looks.taken.reasons) if real is None else real.samples,
        ledger,
        timings,
        cell.seed,
        load_clip(shop, task),
        None if task.inception is None else Inception.find(task.inception.file, shop.device),
        real=load_real(shop, task),
        second=second_readings(shop, task, samples, looks.own.get("samples", samples)),
        held_out_rows=None if real is None else real.rows,
        retrained=_read(shop, task, looks.gold) if looks.gold else None,
        peer=None if looks.peer is None else _read(shop, task, {"samples": looks.peer.samples}),
        losses=looks.taken.losses,
    )


def drawn(shop: Workshop, task: Task, weights: Weights, seed: int, label: str) -> dict[str, Artifact]:
    """By probe, the images that it drew. Raises Diverged, and names a probe that breaks off with an error."""
    found = {}
    for name, probe in probes_of(shop, task).items():
        if not isinstance(probe, LossProbe):
            with blaming("probe", name):
                found[name] = images(shop, task, weights, name, probe, seed, label)
    return found


def _gold(cell: Cell, shop: Workshop) -> dict[str, Artifact]:
    """By probe, what is drawn from the model that never knew the concept."""
    model = Weights(retrained(shop, cell.task, cell.seed))
    return drawn(shop, cell.task, model, cell.seed, f"{cell.task.name}/retrain/seed{cell.seed}")


def _peer(cell: Cell, shop: Workshop, gold: dict[str, Artifact]) -> Sampled | None:
    """What a cell's model is held against: the retrained model, or in that model's own row another training."""
    task = cell.task
    if not cell.needs_retrained:
        label = f"{task.name}/retrain/seed{cell.seed}"
        return Sampled(Weights(retrained(shop, task, cell.seed)), gold["samples"], label)
    if task.retrain_seeds == 1:
        return None
    another = Weights(retrained(shop, task, cell.seed + 1))
    label = f"{task.name}/another training/seed{cell.seed}"
    samples = images(shop, task, another, "samples", probes_of(shop, task)["samples"], cell.seed, label)
    return Sampled(another, samples, label)


def _read(shop: Workshop, task: Task, found: dict[str, Artifact], more: Mapping[str, str] | None = None) -> Samples:
    """What probes drew, as the judge reads it, with why one drew nothing; `more` are reasons of probes of losses."""
    reasons = {name: artifact.facts["reason"] for name, artifact in found.items() if artifact.facts.get("reason")}
    read = {name: readings(shop, task, artifact) for name, artifact in found.items()}
    return Samples(read, {**reasons, **(more or {})})
