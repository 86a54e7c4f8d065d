"""How a task uses its model: what decides a stage beside all else. Needs no torch."""

from __future__ import annotations

from typing import Any

from vdu_bench.models.pipelines.registry import pipelines_of
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.tasks.task import Task


def usage(task: Task) -> dict[str, Any]:
    """How a task asks its model and computes it; empty for a task without prompts that computes plainly."""
    compute = {"compute": task.compute.model_dump(mode="json")}
    if task.prompts is None:
        return {} if task.compute == ComputeSpec() else compute
    return {"prompts": task.prompts.model_dump(mode="json"), **compute}


def pipeline_code(task: Task) -> list[str]:
    """The modules that read and run a task's models: pipelines are found by their names, which no import tells of."""
    own = [facts.target.partition(":")[0] for facts in pipelines_of(task.model.kind)]
    return ["vdu_bench.models.pipelines.loading", *own]
