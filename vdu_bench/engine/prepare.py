"""Making, ahead of any run, what a task's methods share."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import exported
from vdu_bench.engine.stage import LASTING
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.clip import clip
from vdu_bench.engine.stages.judge import judge, second_judge
from vdu_bench.engine.stages.posterior import snapshot_posterior
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.store import MANIFEST, Artifact, Store, read_artifact
from vdu_bench.engine.team_store import TeamStore
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import UserError
from vdu_bench.files import require_writable
from vdu_bench.launch import rank
from vdu_bench.models.training.processes import team_on
from vdu_bench.models.training.recipes import check_recipe
from vdu_bench.tasks.task import Task
from vdu_bench.writing import replacing_folder, writing_to


def import_prepared(folder: Path, store: Store) -> list[Artifact]:
    """Copy into the store what was exported elsewhere (``FOLDER/FAMILY/NAME``).

    Raises UserError, and copies nothing, where there is nothing of it, or something damaged or of another kind.
    """
    found = []
    for place in exported(folder):
        artifact, damage = read_artifact(place)
        if artifact is None:
            raise UserError(f"--import {place}: {damage}")
        # A kind is a folder's name in the store, and this one comes from somebody else.
        if (kind := artifact.manifest["kind"]) not in LASTING:
            raise UserError(f"--import {place}: it is a {kind!r}, not one of {', '.join(LASTING)}")
        found.append(artifact)
    if not found:
        raise UserError(f"--import {folder}: there is no FAMILY/NAME/{MANIFEST} in it, as prepare --export writes it")
    return [store.take_in(artifact) for artifact in found]


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

    Raises:
        UserError: a recipe cannot be used, `export` cannot be written, or two tasks would be exported under one name,
            which is said before anything is trained.
    """
    if export is not None:
        _check_names(tasks)
    if export is not None and rank() == 0:
        require_writable(export, "--export")
    for task in tasks:
        if task.recipe is not None:
            check_recipe(task.recipe, task.name)
    with team_on(device) as team:
        if team.size > 1:
            store = TeamStore(store, team)
        artifacts = _prepared(tasks, Workshop(store, device, progress, data_dir, LASTING if rebuild else (), team))
    if not team.is_first:
        return {}
    if export is not None:
        for name, artifact in artifacts.items():
            target = export / name
            with writing_to(export, "--export"), replacing_folder(target) as place:
                shutil.copytree(artifact.folder, place, dirs_exist_ok=True)
            progress.say(f"{name}: copied to {target}")
    return artifacts


SHARED = ("data", "model", "base", "posterior", "judge", "second_judge", "clip")
"""The keys of tasks that decide what they share with their family."""


def _check_names(tasks: Sequence[Task]) -> None:
    """Raise UserError for two tasks of a family whose models would lie in one place and are not the same."""
    of_family: dict[str, Task] = {}
    for task in tasks:
        other = of_family.setdefault(task.family, task)
        one, two = (_shared(each) for each in (other, task))
        if unlike := [key for key in one if one[key] != two[key]]:
            raise UserError(
                f"{other.name} and {task.name} are both of the family {task.family}, and have not the same "
                f"{', '.join(unlike)}: give one of them another `family:`, or export each into a folder of its own"
            )


def _shared(task: Task) -> dict[str, Any]:
    keys = task.model_dump(mode="json", include=set(SHARED))
    return keys if task.prompts is None else keys | {"prompts.captions": task.prompts.captions.model_dump(mode="json")}


def _prepared(tasks: Sequence[Task], shop: Workshop) -> dict[str, Artifact]:
    artifacts: dict[str, Artifact] = {}
    for task in tasks:
        artifacts[f"{task.family}/judge"] = judge(shop, task)
        if (second := second_judge(shop, task)) is not None:
            artifacts[f"{task.family}/second_judge"] = second
        artifacts[f"{task.family}/base"] = base(shop, task)
        if (snapshots := snapshot_posterior(shop, task)) is not None:
            artifacts[f"{task.family}/posterior"] = snapshots
        for seed in range(task.retrain_seeds if task.recipe is not None else 0):
            model = retrained(shop, task, seed)
            again = f"_seed{model.manifest['spec']['recipe']['training']['seed']}" if seed else ""
            artifacts[f"{task.family}/retrain_{task.forget}{again}"] = model
        if (scorer := clip(shop, task)) is not None:
            artifacts[f"{task.family}/clip"] = scorer
    return artifacts
