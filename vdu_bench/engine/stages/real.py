"""The judge's features of the real images: read once for a family, whatever is compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.judge import judge, load_judge
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.workshop import Workshop
from vdu_bench.judges.classifier.junk import JunkDetector
from vdu_bench.metrics.evidence import RealReadings
from vdu_bench.tasks.task import Task

FEATURES = "features.safetensors"


def real(shop: Workshop, task: Task) -> Artifact:
    """The features of the training and the held-out images."""

    def make(folder: Path) -> Mapping[str, Any]:
        reader, splits = load_judge(shop, task), shop.splits(task)
        parts = {"train": splits.train, "held_out": splits.held_out}
        save_file({name: reader.read(part.images)[1] for name, part in parts.items()}, folder / FEATURES)
        return {}

    spec = {"family": task.family, "data": shop.data_digest(task), "device": shop.device_kind}
    code = code_digest(["vdu_bench.judges.classifier.judge"], alone=[__name__])
    return shop.get(Stage("real", spec, make, {"judge": judge(shop, task)}, code))


def load_real(shop: Workshop, task: Task) -> RealReadings:
    """The features, in memory."""
    artifact = real(shop, task)

    def load() -> RealReadings:
        # Copied, since what is mapped from a file lies at odd addresses, and a matrix product may sum differently then.
        found = {name: values.clone() for name, values in load_file(artifact.folder / FEATURES).items()}
        return RealReadings(found["train"], found["held_out"])

    return shop.held("real", artifact.address, load)


def junk_detector(shop: Workshop, task: Task) -> JunkDetector:
    """The junk detector, calibrated on the real images."""
    key = real(shop, task).address

    def calibrate() -> JunkDetector:
        features = load_real(shop, task)
        return JunkDetector(features.train, features.held_out)

    return shop.held("detector", key, calibrate)
