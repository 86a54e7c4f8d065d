"""What the second judge sees in the samples that were asked for what is to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.grids import IMAGES
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.judge import load_second_judge, second_judge
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.workshop import Workshop
from vdu_bench.metrics.evidence import SecondReadings
from vdu_bench.tasks.task import Task

SHOWN = "shown.safetensors"


def second_readings(shop: Workshop, task: Task, before: Artifact, after: Artifact) -> SecondReadings | None:
    """The samples of the original and of the method as the second judge reads them; None where there is none.

    Args:
        shop: where they are read.
        task: whose second judge it is.
        before, after: what the probe ``samples`` drew from either.
    """
    reader = load_second_judge(shop, task)
    return None if reader is None else SecondReadings(reader, _shown(shop, task, before), _shown(shop, task, after))


def _shown(shop: Workshop, task: Task, images: Artifact) -> Tensor:
    """bool ``[N, K]``."""
    made = second_judge(shop, task)
    assert made is not None  # there is a reader

    def make(folder: Path) -> Mapping[str, Any]:
        reader = load_second_judge(shop, task)
        assert reader is not None
        with safe_open(images.folder / IMAGES, framework="pt") as archive:
            shown, _ = reader.read(archive.get_tensor("forget"))
        save_file({"shown": shown}, folder / SHOWN)
        return {}

    code = code_digest(["vdu_bench.judges.classifier.judge"], alone=[__name__])
    inputs = {"images": images, "second_judge": made}
    artifact = shop.get(Stage("second_readings", {"device": shop.device_kind}, make, inputs, code))
    return load_file(artifact.folder / SHOWN)["shown"].clone()
