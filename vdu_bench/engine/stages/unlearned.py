"""A cell's model as its method made it, with what that took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vdu_bench.engine.cells import Cell, of_posterior
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.global_draws import seeded_globals
from vdu_bench.engine.handed_back import check_weights, checked_model
from vdu_bench.engine.memory import PeakMemory, release, standing
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages import posterior
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.stages.trained import training_log
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.usage import pipeline_code, told
from vdu_bench.engine.weights import Weights, read_model, ready_model, save_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import Diverged
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.counting import EvaluationCounter
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.precision import arithmetic
from vdu_bench.models.training.base_model import TrainingLog
from vdu_bench.records import Ledger, Timings
from vdu_bench.registry import Entry
from vdu_bench.seeds import derive_seed


@dataclass(frozen=True)
class Unlearned:
    """A cell's model, and what is known of its making.

    Attributes:
        stage: the address of the stage that made or read it.
        weights: where it lies; None where the method diverged.
        ledger: what the method saw; None, not known, of a model from elsewhere.
        timings: what it took.
        reason: why the method diverged.
        remark: what of a model from elsewhere was put onto the base, where it is no network of its own; or that a
            method changed nothing.
    """

    stage: str
    weights: Weights | None
    ledger: Ledger | None
    timings: Timings
    reason: str = ""
    remark: str = ""


def unlearned(shop: Workshop, cell: Cell) -> Unlearned:
    """The model of a cell's method, found or made."""
    task, method, whole = cell.task, make_method(cell.method, dict(cell.overrides)), base(shop, cell.task)
    spec = {
        "method": cell.method,
        "data": shop.data_digest(task),
        "settings": method.settings.model_dump(mode="json"),
        "regime": cell.regime,
        "sampler": task.sampler.model_dump(mode="json"),  # what a method replays the base by
        "seed": cell.seed,
        "forget": task.forget,
        "forget_images": task.forget_images,
        **told(task),
        "device": shop.device_kind,
    }
    inputs = {"base": whole}
    follow: list[str | Entry] = [METHODS.entry(cell.method), "vdu_bench.methods.context", *pipeline_code(task)]
    if "posterior" in method.needs:
        spec |= of_posterior(task.posterior_source)
        follow += posterior.CODE
        if (snapshots := posterior.snapshot_posterior(shop, task)) is not None:
            inputs["posterior"] = snapshots
    if "retrained" in method.needs:
        inputs["retrain"] = retrained(shop, task, cell.seed)
    code = code_digest(follow, alone=[__name__, "vdu_bench.engine.weights", "vdu_bench.engine.global_draws"])
    stage = Stage("unlearned", spec, lambda folder: _unlearn(shop, cell, method, whole, folder), inputs, code)
    outcome = shop.get(stage)
    facts = outcome.facts
    ledger, timings = Ledger(**facts["ledger"]), Timings(**facts["timings"])
    same = method.role == "contestant" and facts["stored"] == "base"
    remark = f"{cell.method}: it changed nothing: all of its weights are the base's" if same else ""
    return Unlearned(outcome.address, _weights(outcome, inputs), ledger, timings, facts["reason"], remark)


def _weights(outcome: Artifact, inputs: Mapping[str, Artifact]) -> Weights | None:
    stored = outcome.facts["stored"]
    if stored == "none":
        return None
    return Weights(inputs["retrain"]) if stored == "retrain" else Weights.of(stored, outcome, inputs["base"])


def _unlearn(shop: Workshop, cell: Cell, method: Method, whole: Artifact, folder: Path) -> Mapping[str, Any]:
    with arithmetic(cell.task.compute.autocast):
        return _computed(shop, cell, method, whole, folder)


def _computed(shop: Workshop, cell: Cell, method: Method, whole: Artifact, folder: Path) -> Mapping[str, Any]:
    task = cell.task
    release(shop.device)
    before = standing(shop.device)
    model = ready_model(task, whole, shop.device)
    model.counter = EvaluationCounter()

    def the_retrained() -> tuple[DiffusionModel, TrainingLog]:
        artifact = retrained(shop, task, cell.seed)
        return ready_model(task, artifact, shop.device), training_log(artifact)

    context = UnlearningContext(
        model,
        shop.splits(task).train,
        task.forget,
        cell.regime,
        method.needs,
        cell.seed,
        lambda names: posterior.load_posterior(shop, task, model, names),
        the_retrained,
        task.prompts,
        None if task.forget_images == "all" else task.forget_images,
        sampler=task.sampler,
        role=method.role,
    )
    seed = derive_seed(cell.seed, "global", cell.method)
    with seeded_globals(shop.device, derive_seed(seed, "prepare")):
        method.prepare(model, context)
    made, reason = None, None
    phases, peak = shop.progress.phases(cell.name, "unlearning", method.steps), PeakMemory(shop.device, before)
    with phases as bar, peak as memory, seeded_globals(shop.device, seed):
        context.on_step, context.on_phase = bar.step, bar.phase
        started = time.perf_counter()
        try:
            made = method.unlearn(model, context)
        except Diverged as error:
            reason = str(error)
        if shop.device.startswith("cuda"):
            torch.cuda.synchronize(shop.device)
        seconds = time.perf_counter() - started
    timings = Timings(
        unlearn_seconds=seconds,
        nfe_forward=model.counter.forward,
        nfe_backward=model.counter.backward,
        unlearn_peak_mib=memory.mib,
    )
    if reason is not None:
        return {"status": "diverged", "reason": reason, "stored": "none", **_costs(context, timings)}
    made = checked_model(made, cell.method)
    stored: str = context.origin(made)
    if stored == "own":
        # Not against the base in memory, which a method may have changed.
        untouched = read_model(task, whole)
        check_weights(made, untouched, cell.method)
        stored = save_model(made, untouched, folder)
    elif stored == "base":
        timings = Timings(unlearn_seconds=0.0)
    elif (log := context.retraining) is not None:
        timings = Timings(unlearn_seconds=log.seconds, nfe_forward=log.forward, nfe_backward=log.backward)
    return {"status": "ok", "reason": "", "stored": stored, **_costs(context, timings)}


def _costs(context: UnlearningContext, timings: Timings) -> dict[str, Any]:
    return {"ledger": context.ledger().model_dump(), "timings": timings.model_dump(mode="json")}
