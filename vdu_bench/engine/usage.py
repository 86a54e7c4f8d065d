"""How a task uses its model: what decides a stage beside all else. Needs no torch."""

from __future__ import annotations

from typing import Any

from vdu_bench.models.pipelines.registry import pipelines_of
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.tasks.task import Task


def usage(task: Task) -> dict[str, Any]:
    """How a task asks its model and computes it; empty for a task without prompts that computes plainly."""
    return _with_compute(task, {} if task.prompts is None else {"prompts": task.prompts.model_dump(mode="json")})


def told(task: Task) -> dict[str, Any]:
    """As `usage`, but of the prompts those alone that methods are told: judged prompts decide nothing of a model."""
    return _with_compute(task, {} if task.prompts is None else {"told": task.prompts.told})


def _with_compute(task: Task, prompts: dict[str, Any]) -> dict[str, Any]:
    if not prompts and task.compute == ComputeSpec():
        return {}
    return {**prompts, "compute": task.compute.model_dump(mode="json")}


def pipeline_code(task: Task) -> list[str]:
    """The modules that read and run a task's models: pipelines are found by their names, which no import tells of."""
    own = dict.fromkeys(facts.target.partition(":")[0] for facts in pipelines_of(task.model.kind))
    return ["vdu_bench.models.pipelines.loading", *own]
