"""Phase 3: what two steps of each method take of Stable Diffusion at full size, beside what docs/memory.md computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vdu_bench.engine.memory import PeakMemory, release
from vdu_bench.methods.catalog import METHODS, make_method, method_facts
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.precision import arithmetic
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.task import Task

from .course import Course
from .models import context_of, random_model
from .sizes import Sizes

TABLE = Path(__file__).parents[2] / "docs" / "memory.md"
COLUMN = "bfloat16, checkpointing"
CARD_GIB = 24.0
CONTEXT_GIB = 0.6
"""What the driver and the process's own context take of a card, beside torch: an assumption."""
STEPS = 2
FEWER: dict[str, dict[str, Any]] = {
    "selective_amnesia": {"replayed": 8, "fisher_samples": 2, "fisher_times": 2},
    "concept_ablation": {"images": 8},
    "salun": {"mask_batches": 1},
}
"""Settings that take time and no memory: how many samples are replayed, over how many batches a mask is summed."""


def run_memory(course: Course, sizes: Sizes, device: str, store: Path) -> None:
    """Each method on one network that is made once, since that takes longer than two steps."""
    task = find_task(sizes.latent_task)
    facts = METHODS.each(method_facts).values()
    names = sizes.memory or tuple(
        one.name for one in facts if one.role == "contestant" and task.model.kind in one.supports
    )
    # The suite's own first: time may be short.
    names = tuple(sorted(names, key=lambda name: (not name.startswith("vdu"), name)))
    made: list[DiffusionModel] = []

    def model() -> DiffusionModel:
        if not made:
            made.append(random_model(task, device, sizes.full_pipeline, store).computing(task.compute).freeze())
        return made[0]

    for name in names:

        def work(name: str = name) -> dict[str, Any]:
            return _taken(name, model(), task, sizes.full_pipeline)

        course.part(name, 8.0, work)


def _taken(name: str, model: DiffusionModel, task: Task, full: bool) -> dict[str, Any]:
    settings = {**task.method_settings.get(name, {}), **FEWER.get(name, {})}
    if "steps" in METHODS.get(name).Settings.model_fields:
        settings["steps"] = STEPS
    method = make_method(name, settings)
    sampler = task.sampler.model_copy(update={"steps": 2})
    context = context_of(model, task, method, sampler, 64)
    release(model.device)
    batch = getattr(method.settings, "batch_size", 1)
    found: dict[str, Any] = {"settings": settings, "batch": batch, "out_of_memory": False}
    with arithmetic(task.compute.autocast), PeakMemory(model.device) as peak:
        try:
            method.unlearn(model, context)
        except torch.cuda.OutOfMemoryError:
            found["out_of_memory"] = True
    found["peak_gib"] = peak.mib / 1024
    if full and (expected := computed_gib(name, batch)) is not None:
        found |= {"computed_gib": expected, "peak_over_computed": found["peak_gib"] / expected}
    if model.device.type == "cuda":
        reserved = torch.cuda.max_memory_reserved(model.device) / 2**30
        fits = not found["out_of_memory"] and reserved + CONTEXT_GIB <= CARD_GIB
        found |= {"reserved_gib": reserved, f"{CARD_GIB:.0f}_gb_hold_it": fits}
    return found


def computed_gib(method: str, batch: int, weights: str = "cross_attention") -> float | None:
    """What the table says of a step with so many images; None where it does not have the method."""
    header: list[str] = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:2] == ["method", "weights"]:
            header = cells
        elif header and cells[:2] == [method, weights]:
            first, each = map(float, cells[header.index(COLUMN)].split("+"))
            return first + (batch - 1) * each
    return None
