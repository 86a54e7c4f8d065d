"""Making, ahead of any run, what a task's methods share."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recipes import RecipeStages
from vdu_bench.engine.store import Artifact, Store
from vdu_bench.engine.team_store import TeamStore
from vdu_bench.models.processes import team_on
from vdu_bench.tasks.task import Task


def prepare_tasks(
    tasks: Sequence[Task],
    store: Store,
    device: str,
    progress: Progress,
    rebuild: bool,
    export: Path | None,
    data_dir: Path | None = None,
) -> dict[str, Artifact]:
    """What each task's methods share, by ``FAMILY/NAME``; copied to ``EXPORT/FAMILY/NAME`` if asked.

    All processes that were launched train together. Empty for all but the first of them.
    """
    with team_on(device) as team:
        if team.size > 1:
            store = TeamStore(store, team)
        artifacts = _prepared(tasks, RecipeStages(store, device, progress, rebuild, data_dir, team))
    if not team.is_first:
        return {}
    if export is not None:
        for name, artifact in artifacts.items():
            target = export / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(artifact.folder, target)
            progress.say(f"{name}: copied to {target}")
    return artifacts


def _prepared(tasks: Sequence[Task], stages: RecipeStages) -> dict[str, Artifact]:
    artifacts: dict[str, Artifact] = {}
    for task in tasks:
        artifacts[f"{task.family}/judge"] = stages.judge(task)
        artifacts[f"{task.family}/base"] = stages.base(task)
        if task.recipe is not None:
            artifacts[f"{task.family}/retrain_{task.forget}"] = stages.retrain(task)
        if (clip := stages.clip(task)) is not None:
            artifacts[f"{task.family}/clip"] = clip
    return artifacts
