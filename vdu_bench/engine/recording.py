"""From a cell's stages to its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.loss_taking import Sampled, Taken, take_losses
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.clip import load_clip
from vdu_bench.engine.stages.external import external
from vdu_bench.engine.stages.held_out import held_out
from vdu_bench.engine.stages.images import images, probes_of
from vdu_bench.engine.stages.judge import judge, load_judge, second_judge, weak_judge
from vdu_bench.engine.stages.posterior import known_by
from vdu_bench.engine.stages.readings import readings
from vdu_bench.engine.stages.real import load_real
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.stages.second import second_readings
from vdu_bench.engine.stages.unlearned import Unlearned, unlearned
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.weights import Weights
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import Diverged, one_line
from vdu_bench.methods.catalog import make_method
from vdu_bench.metrics.evidence import Evidence, Samples
from vdu_bench.metrics.inception import EXTRACTOR, Inception
from vdu_bench.metrics.measure import measure
from vdu_bench.probes.loss_probe import LossProbe
from vdu_bench.records import Ledger, Protocol, Record, Seeds, Timings
from vdu_bench.tasks.task import Task
from vdu_bench.variants import changed


def make_record(cell: Cell, shop: Workshop) -> Record:
    """Run what is missing of a cell, measure it, and write it down. A divergence is a result."""
    facts = _facts(cell, shop.device)
    task = cell.task
    whole = base(shop, task)
    done = _unlearned(cell, shop)
    rests_on = {"base": whole}
    if done.weights is not None and done.weights.whole.kind == "retrain":
        rests_on["retrain"] = done.weights.whole
    facts["stages"] = {kind: model.address for kind, model in rests_on.items()}
    if done.stage:
        facts["stages"]["unlearned"] = done.stage
    facts["digests"] = {kind: model.digest for kind, model in rests_on.items()}
    if cell.needs_posterior:
        facts["digests"]["posterior"] = known_by(shop, task)
    facts["ledger"], timings = done.ledger, done.timings
    if done.weights is None and not cell.of_real:
        return Record(**facts, timings=timings, status="diverged", reason=done.reason)
    told = [done.remark] if done.remark else []
    try:
        drawn = {} if done.weights is None else _drawn(shop, task, done.weights, cell.seed, cell.name)
    except Diverged as error:
        return Record(**facts, timings=timings, status="diverged", reason=str(error), warnings=told)
    # Last, since every method's cells ask for it: where several run at a time, one has made it by then.
    original = _drawn(shop, task, Weights(whole), cell.seed, f"{task.name}/original/seed{cell.seed}")
    gold = _gold(cell, shop) if cell.compared else {}
    peer = _peer(cell, shop, gold) if gold else None
    if gold:
        facts["digests"]["retrain"] = retrained(shop, task, cell.seed).digest
    if peer is not None and cell.needs_retrained:
        facts["digests"]["another_retrain"] = retrained(shop, task, cell.seed + 1).digest
    taken = Taken()
    if done.weights is not None:
        taken = take_losses(shop, task, cell.seed, Sampled(done.weights, drawn["samples"], cell.name), peer)
    real = held_out(shop, task) if cell.of_real else None
    if real is None:
        timings.sample_seconds = drawn["samples"].facts["seconds"]
    evidence = Evidence(
        task,
        shop.splits(task),
        load_judge(shop, task),
        _read(shop, task, original),
        _read(shop, task, drawn, taken.reasons) if real is None else real.samples,
        facts["ledger"],
        timings,
        cell.seed,
        load_clip(shop, task),
        None if task.inception is None else Inception.find(task.inception.file, shop.device),
        real=load_real(shop, task),
        second=second_readings(shop, task, original["samples"], drawn.get("samples", original["samples"])),
        held_out_rows=None if real is None else real.rows,
        retrained=_read(shop, task, gold) if gold else None,
        peer=None if peer is None else _read(shop, task, {"samples": peer.samples}),
        losses=taken.losses,
    )
    judges = {"judge": judge(shop, task), "second_judge": second_judge(shop, task)}
    facts["stages"] |= {kind: artifact.address for kind, artifact in judges.items() if artifact is not None}
    facts["stages"] |= {name: artifact.address for name, artifact in drawn.items()} | taken.stages
    facts["stages"] |= {} if real is None else real.stages
    for whose, theirs in (("original", original), ("retrain", gold)):
        facts["stages"] |= {f"{whose}_{name}": artifact.address for name, artifact in theirs.items()}
    facts["probes"] = {name: artifact.facts["ledger"] for name, artifact in drawn.items()} | taken.ledgers
    facts["probe_settings"] = _probe_settings(shop, task, facts["probes"])
    facts["forget_set"] = int(evidence.splits.train.shows(task.forget).sum())
    facts["protocol"] = _protocol(evidence, shop.data_digest(task), original["samples"].facts["dtype"])
    measured = measure(evidence)
    facts |= {name: getattr(measured, name) for name in ("metrics", "at_own_count", "outcomes", "matrices")}
    weak = weak_judge(task, evidence.judge)
    if evidence.second is not None:
        weak += weak_judge(task, evidence.second.judge, "second judge")
    reasons = evidence.after.reasons.items()
    diverged = [f"{cell.method}: {name} diverged, and says nothing of the model: {why}" for name, why in reasons]
    warnings = [*weak, *told, *diverged]
    return Record(**facts, timings=timings, status="ok", warnings=warnings)


def _unlearned(cell: Cell, shop: Workshop) -> Unlearned:
    """The model whose samples a cell is about; without weights where real images stand in the place of samples."""
    if cell.of_real:
        return Unlearned("", None, None, Timings(nfe_forward=None, nfe_backward=None))
    return unlearned(shop, cell) if cell.external is None else external(shop, cell, cell.external)


def _drawn(shop: Workshop, task: Task, weights: Weights, seed: int, label: str) -> dict[str, Artifact]:
    """By probe, the images that it drew. Raises Diverged."""
    return {
        name: images(shop, task, weights, name, probe, seed, label)
        for name, probe in probes_of(shop, task).items()
        if not isinstance(probe, LossProbe)
    }


def _gold(cell: Cell, shop: Workshop) -> dict[str, Artifact]:
    """By probe, what is drawn from the model that never knew the concept."""
    model = Weights(retrained(shop, cell.task, cell.seed))
    return _drawn(shop, cell.task, model, cell.seed, f"{cell.task.name}/retrain/seed{cell.seed}")


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
    drawn = images(shop, task, another, "samples", probes_of(shop, task)["samples"], cell.seed, label)
    return Sampled(another, drawn, label)


def _read(shop: Workshop, task: Task, drawn: dict[str, Artifact], more: Mapping[str, str] | None = None) -> Samples:
    """What probes drew, as the judge reads it, with why one drew nothing; `more` are reasons of probes of losses."""
    reasons = {name: artifact.facts["reason"] for name, artifact in drawn.items() if artifact.facts.get("reason")}
    read = {name: readings(shop, task, artifact) for name, artifact in drawn.items()}
    return Samples(read, {**reasons, **(more or {})})


def _probe_settings(shop: Workshop, task: Task, ran: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The settings of the probes that ran: two cells compare where these are the same."""
    found = {name: probe.settings.model_dump(mode="json") for name, probe in probes_of(shop, task).items()}
    if "pairs" in found:
        found["pairs"]["strength"] = task.pair_strength
    return {name: found[name] for name in ran if found[name]}


def _protocol(evidence: Evidence, fingerprint: str, dtype: str) -> Protocol:
    """How a cell is measured."""
    task, judge = evidence.task, evidence.judge
    second = None if evidence.second is None else evidence.second.judge
    return Protocol(
        version=task.protocol,
        scale=task.scale,
        sampler=task.sampler.model_dump(mode="json"),
        samples=task.samples,
        dtype=dtype,
        extractor=judge.name,
        extractor_digest=judge.digest(),
        reference=evidence.reference.description("training"),
        judge=judge.name,
        judge_digest=judge.digest(),
        confusion=judge.confusion.tolist(),
        classes=list(judge.names),
        second_judge="" if second is None else second.name,
        second_judge_digest="" if second is None else second.digest(),
        second_confusion=[] if second is None else second.confusion.tolist(),
        data_fingerprint=fingerprint,
        prompts={} if task.prompts is None else task.prompts.model_dump(mode="json"),
        clip="" if evidence.clip is None else evidence.clip.name,
        clip_digest="" if evidence.clip is None else evidence.clip.digest(),
        inception="" if evidence.inception is None else EXTRACTOR,
        inception_digest="" if evidence.inception is None else evidence.inception.digest(),
        limits=task.limits,
        pairs=0 if evidence.before.pairs is None else len(evidence.before.pairs),
    )


def failed_record(cell: Cell, device: str, error: BaseException) -> Record:
    """The record of a cell that broke off with an error."""
    return Record(**_facts(cell, device), timings=Timings(), status="failed", reason=one_line(error))


def _facts(cell: Cell, device: str) -> dict[str, Any]:
    recipe = cell.recipe
    unlearn = cell.seed if cell.external is None else None
    return {
        "task": cell.task.name,
        "family": cell.task.family,
        "forget": cell.task.forget,
        "forget_images": None if cell.task.forget_images == "all" else cell.task.forget_images,
        "method": cell.method,
        "task_changes": cell.task.changes,
        "method_changes": dict(cell.changes),
        "settings_from": cell.settings_from,
        "tuning_cost": cell.tuning_cost,
        "called": cell.called,
        **_who(cell),
        "seeds": Seeds(train=0 if recipe is None else recipe.training.seed, unlearn=unlearn, sample=cell.seed),
        "protocol": None,
        "environment": describe_environment(device),
        "stages": {},
        "metrics": {},
    }


def _who(cell: Cell) -> dict[str, Any]:
    """Who unlearned a cell's model, and by what."""
    if cell.external is not None:
        return {"role": "external", "regime": "unknown", "settings": cell.external.settings, "ledger": None}
    method = make_method(cell.method, dict(cell.overrides))
    return {
        "role": method.role,
        "regime": cell.regime,
        "settings": method.settings.model_dump(mode="json"),
        "settings_changed": changed({}, method.settings.model_dump(mode="json", exclude_defaults=True)),
        "ledger": Ledger(),
        "evaluations_vary": method.evaluations_vary(cell.task.model.kind),
    }
