"""The row of real images: held-out ones in the place of a model's samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.grids import IMAGES
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.readings import readings
from vdu_bench.engine.stages.real import junk_detector, load_real
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.workshop import Workshop
from vdu_bench.metrics.evidence import Readings, Samples
from vdu_bench.metrics.reference import Reference
from vdu_bench.tasks.task import Task


@dataclass(frozen=True)
class HeldOut:
    """Held-out images as samples.

    Attributes:
        rows: their positions among the held-out images, int64 ``[N]``; none where a retain prompt has no answer.
        samples: how the judge reads them; what is junk, by thresholds that others of the held-out images give.
        stages: by name, the address of the stage that keeps them.
    """

    rows: Tensor
    samples: Samples
    stages: dict[str, str]


def held_out(shop: Workshop, task: Task) -> HeldOut:
    """At most as many as a cell has samples, as many for each retain prompt; the same for all seeds."""
    rows = Reference.of(shop.splits(task).held_out, task).balanced(task.samples, "held out")
    name = "forget" if task.prompts is None else "retain"
    if len(rows) == 0:
        features, none = load_real(shop, task).held_out[:0], shop.splits(task).held_out.subset(rows)
        nothing = Readings(none.concepts, features, torch.zeros(0, dtype=torch.bool), lambda: none.images)
        return HeldOut(rows, Samples({"samples": {name: nothing}}), {})
    artifact, junk = _images(shop, task, name, rows), junk_detector(shop, task).held_out_flags[rows]
    read = {key: replace(found, junk=junk) for key, found in readings(shop, task, artifact).items()}
    return HeldOut(rows, Samples({"samples": read}), {"samples": artifact.address})


def _images(shop: Workshop, task: Task, name: str, rows: Tensor) -> Artifact:
    """The images, kept as a probe's are."""

    def make(folder: Path) -> Mapping[str, Any]:
        save_file({name: shop.splits(task).held_out.images[rows].contiguous()}, folder / IMAGES)
        return {}

    spec = {"held_out": rows.tolist(), "name": name, "data": shop.data_digest(task)}
    return shop.get(Stage("images", spec, make, code=code_digest([], alone=[__name__])))
