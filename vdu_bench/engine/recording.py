"""From a cell's stages to its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import RECORD, Cell, request
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.recipes import weak_judge
from vdu_bench.engine.stages import CellStages
from vdu_bench.engine.store import Store
from vdu_bench.errors import Diverged, one_line
from vdu_bench.methods.catalog import make_method
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.inception import EXTRACTOR, Inception
from vdu_bench.metrics.measure import measure
from vdu_bench.records import Ledger, Protocol, Record, Seeds, Timings


def make_record(cell: Cell, stages: CellStages, device: str) -> Record:
    """Run what is missing of a cell, measure it, and write it down. A divergence is a result."""
    facts = _facts(cell, device)
    recipes, task = stages.recipes, cell.task
    unlearned = stages.unlearned(cell)
    rests_on = {"base": recipes.base(task)}
    if unlearned.weights is not None and unlearned.weights.kind == "retrain":
        rests_on["retrain"] = unlearned.weights
    facts["stages"] = {**{kind: model.hash for kind, model in rests_on.items()}, "unlearned": unlearned.stage}
    facts["digests"] = {kind: model.digest for kind, model in rests_on.items()}
    facts["ledger"], timings = unlearned.ledger, unlearned.timings
    if unlearned.weights is None:
        return Record(**facts, timings=timings, status="diverged", reason=unlearned.reason)
    before = stages.samples(task, recipes.base(task), cell.seed, f"{task.name}/original/seed{cell.seed}")
    try:
        after = stages.samples(task, unlearned.weights, cell.seed, cell.name)
    except Diverged as error:
        return Record(**facts, timings=timings, status="diverged", reason=str(error))
    timings.sample_seconds = after.facts["seconds"]
    judge = recipes.load_judge(task)
    evidence = Evidence(
        task,
        recipes.splits(task),
        judge,
        stages.readings(task, before),
        stages.readings(task, after),
        facts["ledger"],
        timings,
        cell.seed,
        recipes.load_clip(task),
        None if task.inception is None else Inception.find(task.inception.file, device),
        real=stages.real(task),
    )
    facts["stages"] |= {"judge": recipes.judge(task).hash, "samples": after.hash, "original_samples": before.hash}
    train = evidence.splits.train
    facts["forget_set"] = int(train.shows(task.forget).sum())
    facts["protocol"] = Protocol(
        version=task.protocol,
        scale=task.scale,
        sampler=task.sampler.model_dump(mode="json"),
        samples=task.samples,
        dtype=after.facts["dtype"],
        extractor=judge.name,
        extractor_digest=judge.digest(),
        reference=f"{int((~train.shows(task.forget)).sum())} training images that do not show {task.forget}",
        judge=judge.name,
        judge_digest=judge.digest(),
        confusion=judge.confusion.tolist(),
        classes=list(judge.names),
        data_fingerprint=recipes.fingerprint(task),
        prompts={} if task.prompts is None else task.prompts.model_dump(mode="json"),
        clip="" if evidence.clip is None else evidence.clip.name,
        clip_digest="" if evidence.clip is None else evidence.clip.digest(),
        inception="" if evidence.inception is None else EXTRACTOR,
        inception_digest="" if evidence.inception is None else evidence.inception.digest(),
        pairs=0 if evidence.after.pairs is None else len(evidence.after.pairs),
    )
    measured = measure(evidence)
    facts |= {"metrics": measured.metrics, "outcomes": measured.outcomes, "matrices": measured.matrices}
    warnings = [line for line in (weak_judge(task, judge.accuracy), unlearned.remark) if line]
    return Record(**facts, timings=timings, status="ok", warnings=warnings)


def keep_record(cell: Cell, record: Record, store: Store) -> None:
    """Put a finished record where the same request finds it."""

    def make(folder: Path) -> dict[str, str]:
        (folder / RECORD).write_text(record.to_json())
        return {}

    store.build("record", request(cell, store), make, rebuild=True)


def failed_record(cell: Cell, device: str, error: Exception) -> Record:
    """The record of a cell that broke off with an error."""
    return Record(**_facts(cell, device), timings=Timings(), status="failed", reason=one_line(error))


def _facts(cell: Cell, device: str) -> dict[str, Any]:
    recipe = cell.task.recipe
    unlearn = cell.seed if cell.external is None else None
    return {
        "task": cell.task.name,
        "family": cell.task.family,
        "forget": cell.task.forget,
        "forget_images": None if cell.task.forget_images == "all" else cell.task.forget_images,
        "method": cell.method,
        "task_changes": cell.task.changes,
        "method_changes": dict(cell.changes),
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
    settings = method.settings.model_dump(mode="json")
    return {"role": method.role, "regime": cell.regime, "settings": settings, "ledger": Ledger()}
