"""The judge: trained and calibrated on the task's real images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.workshop import Workshop
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.training import train_judge
from vdu_bench.tasks.task import Task


def judge(shop: Workshop, task: Task) -> Artifact:
    """The judge, trained and calibrated; a weak one is said once."""
    spec = {"family": task.family, "recipe": task.judge.model_dump(mode="json"), "data": shop.data_digest(task)}
    label = f"{task.family}: judge"

    def make(folder: Path) -> Mapping[str, Any]:
        with shop.progress.steps(label, task.judge.training.steps) as on_step:
            made = train_judge(f"{task.family}_judge", task.judge, shop.splits(task), shop.device, on_step)
        made.save(folder)
        return {"accuracy": made.accuracy, "environment": describe_environment(shop.device)}

    code = code_digest(["vdu_bench.judges.classifier.training"], alone=[__name__])
    stage = Stage("judge", spec, make, code=code, label=label)
    known = shop.known(stage)
    artifact = shop.get(stage)
    if not known and (warning := weak_judge(task, artifact.facts["accuracy"])):
        shop.progress.say(f"{task.name}: warning: {warning}")
    return artifact


def load_judge(shop: Workshop, task: Task) -> Judge:
    """The judge, on the device."""
    artifact = judge(shop, task)

    def load() -> Judge:
        loaded = Judge.load(artifact.folder)
        loaded.network.to(shop.device)
        return loaded

    return shop.held("judge", artifact.address, load)


def weak_judge(task: Task, accuracy: float) -> str:
    """A sentence where a judge's accuracy on held-out images is below what its task asks for, else empty."""
    if task.judge_accuracy is None or accuracy >= task.judge_accuracy:
        return ""
    return (
        f"the judge names {accuracy:.2%} of the held-out images rightly, and the task asks for "
        f"{task.judge_accuracy:.2%}: numbers that rest on it are not to be trusted"
    )
