"""What the judge says of the images that a probe drew. The images themselves stay on disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.grids import IMAGES
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.judge import judge, load_judge
from vdu_bench.engine.stages.real import junk_detector, real
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.workshop import Workshop
from vdu_bench.metrics.evidence import Readings
from vdu_bench.tasks.task import Task

READINGS = "readings.safetensors"


def readings(shop: Workshop, task: Task, images: Artifact) -> dict[str, Readings]:
    """A probe's images as the task's judge reads them, by what they are called."""

    def make(folder: Path) -> Mapping[str, Any]:
        reader, detector = load_judge(shop, task), junk_detector(shop, task)
        tensors: dict[str, Tensor] = {}
        for name in _names(images):
            shown, features = reader.read(_images(images, name))
            tensors |= {f"{name}/shown": shown, f"{name}/features": features, f"{name}/junk": detector.flags(features)}
        save_file(tensors, folder / READINGS)
        return {}

    inputs = {"images": images, "judge": judge(shop, task), "real": real(shop, task)}
    code = code_digest(["vdu_bench.judges.classifier.judge", "vdu_bench.judges.classifier.junk"], alone=[__name__])
    artifact = shop.get(Stage("readings", {"device": shop.device_kind}, make, inputs, code))
    read = load_file(artifact.folder / READINGS)

    def reading(name: str) -> Readings:
        # Copied, so that nothing holds the file.
        shown, features, junk = (read[f"{name}/{what}"].clone() for what in ("shown", "features", "junk"))
        memo = shop.memo(f"{artifact.address}/{name}")
        return Readings(shown, features, junk, partial(_images, images, name), memo)

    return {name: reading(name) for name in _names(images)}


def _names(images: Artifact) -> list[str]:
    with safe_open(images.folder / IMAGES, framework="pt") as archive:
        return sorted(archive.keys())


def _images(images: Artifact, name: str) -> Tensor:
    with safe_open(images.folder / IMAGES, framework="pt") as archive:
        found: Tensor = archive.get_tensor(name)
    return found
