"""From a cell's stages to its record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.code import code_of_others
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.looking import Looks, drawn, evidence_of, look
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.external import external
from vdu_bench.engine.stages.images import probes_of
from vdu_bench.engine.stages.judge import judge, second_judge, weak_judge
from vdu_bench.engine.stages.posterior import known_by
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.stages.unlearned import Unlearned, unlearned
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.unseen import check_ledger, uncounted
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import Diverged, one_line
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.inception import EXTRACTOR
from vdu_bench.metrics.measure import measure
from vdu_bench.records import Ledger, Protocol, Record, Seeds, Timings
from vdu_bench.tasks.task import Task
from vdu_bench.variants import changed


def make_record(cell: Cell, shop: Workshop) -> Record:
    """Run what is missing of a cell, measure it, and write it down. A divergence is a result."""
    whole, done = base(shop, cell.task), _unlearned(cell, shop)
    facts = _facts(cell, shop.device) | _made_of(cell, shop, whole, done)
    told = [done.remark] if done.remark else _uncounted(cell, done)
    own: dict[str, Artifact] = {}
    if done.weights is None and not cell.of_real:
        return Record(**facts, timings=done.timings, status="diverged", reason=done.reason)
    try:
        if done.weights is not None:
            own = drawn(shop, cell.task, done.weights, cell.seed, cell.name)
            done.timings.sample_seconds = own["samples"].facts["seconds"]
    except Diverged as error:
        return Record(**facts, timings=done.timings, status="diverged", reason=str(error), warnings=told)
    looks = look(cell, shop, whole, done.weights, own)
    evidence = evidence_of(cell, shop, done.ledger, done.timings, looks)
    judges = {"judge": judge(shop, cell.task), "second_judge": second_judge(shop, cell.task)}
    facts["stages"] |= {kind: artifact.address for kind, artifact in judges.items() if artifact is not None}
    facts["stages"] |= looks.stages
    facts["digests"] |= _never_knew(cell, shop, looks)
    facts["probes"] = looks.ledgers
    facts["probe_settings"] = _probe_settings(shop, cell.task, looks.ledgers)
    facts["forget_set"] = int(evidence.splits.train.shows(cell.task.forget).sum())
    facts["protocol"] = _protocol(evidence, shop.data_digest(cell.task), looks.original["samples"].facts["dtype"])
    measured = measure(evidence)
    facts |= {name: getattr(measured, name) for name in ("metrics", "at_own_count", "outcomes", "matrices")}
    warnings = _warnings(cell, evidence, told)
    return Record(**facts, timings=done.timings, status="ok", warnings=warnings)


def _unlearned(cell: Cell, shop: Workshop) -> Unlearned:
    """The model whose samples a cell is about; without weights where real images stand in the place of samples."""
    if cell.of_real:
        return Unlearned("", None, None, Timings(nfe_forward=None, nfe_backward=None))
    return unlearned(shop, cell) if cell.external is None else external(shop, cell, cell.external)


def _uncounted(cell: Cell, done: Unlearned) -> list[str]:
    """Signs that a method used more than what is counted. Raises RegimeError where it took what it may not have."""
    if cell.external is not None or cell.of_real or done.ledger is None:
        return []
    method = make_method(cell.method, dict(cell.overrides))
    check_ledger(cell.method, method, cell.regime, done.ledger)
    if method.role == "reference" or done.weights is None:
        return []
    return uncounted(cell.method, done.ledger, done.timings)


def _made_of(cell: Cell, shop: Workshop, whole: Artifact, done: Unlearned) -> dict[str, Any]:
    """The addresses and digests of the models that a cell rests on, and what its method saw."""
    rests_on = {"base": whole}
    if done.weights is not None and done.weights.whole.kind == "retrain":
        rests_on["retrain"] = done.weights.whole
    stages = {kind: model.address for kind, model in rests_on.items()}
    digests = {kind: model.digest for kind, model in rests_on.items()}
    if done.stage:
        stages["unlearned"] = done.stage
    if cell.needs_posterior:
        digests["posterior"] = known_by(shop, cell.task)
    return {"stages": stages, "digests": digests, "ledger": done.ledger}


def _never_knew(cell: Cell, shop: Workshop, looks: Looks) -> dict[str, str]:
    """The digests of the models without the concept that a cell is held against."""
    found = {"retrain": retrained(shop, cell.task, cell.seed).digest} if looks.gold else {}
    if looks.peer is not None and cell.needs_retrained:
        found["another_retrain"] = retrained(shop, cell.task, cell.seed + 1).digest
    return found


def _warnings(cell: Cell, evidence: Evidence, told: list[str]) -> list[str]:
    """Of weak judges, of the model, and of attacks that diverged."""
    weak = weak_judge(cell.task, evidence.judge)
    if evidence.second is not None:
        weak += weak_judge(cell.task, evidence.second.judge, "second judge")
    reasons = evidence.after.reasons.items()
    return [
        *weak,
        *told,
        *(f"{cell.method}: {name} diverged, and says nothing of the model: {why}" for name, why in reasons),
    ]


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
        "environment": describe_environment(device) | _own_code(cell),
        "stages": {},
        "metrics": {},
    }


def _own_code(cell: Cell) -> dict[str, str]:
    """``method_code``: the digest of a method's code, where it is none of the suite's."""
    code = code_of_others(METHODS.entry(cell.method)) if cell.external is None else ""
    return {"method_code": code} if code else {}


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
