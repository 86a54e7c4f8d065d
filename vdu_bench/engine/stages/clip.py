"""Who compares images with prompts: the task's own CLIP, or one that others trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vdu_bench.data.captions import Captions, words_of
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.workshop import Workshop
from vdu_bench.judges.clip.check import check_captions
from vdu_bench.judges.clip.in_domain import InDomainClip
from vdu_bench.judges.clip.pretrained import load_pretrained
from vdu_bench.judges.clip.scorer import ClipScorer
from vdu_bench.judges.clip.specs import ClipRecipe, PretrainedClip
from vdu_bench.judges.clip.training import train_clip
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.task import Task


def clip(shop: Workshop, task: Task) -> Artifact | None:
    """The task's own CLIP, trained and checked on held-out images; None where it names no recipe of one."""
    recipe, prompts = task.clip, task.prompts
    if not isinstance(recipe, ClipRecipe) or prompts is None:
        return None
    words = prompts.captions
    spec = {
        "family": task.family,
        "recipe": recipe.model_dump(mode="json"),
        "data": shop.data_digest(task),
        "captions": words.model_dump(mode="json"),
    }
    label = f"{task.family}: CLIP"

    def make(folder: Path) -> Mapping[str, Any]:
        splits = shop.splits(task)
        captions = Captions(words, splits.train.names).drawn
        with shop.progress.steps(label, recipe.training.steps) as on_step:
            scorer = train_clip(recipe, splits.train, captions, words_of(words), shop.device, on_step)
        scorer.save(folder)
        generator = torch.Generator().manual_seed(derive_seed(recipe.seed, "check"))
        check = check_captions(scorer, splits.held_out, captions, generator)
        return {"held_out": asdict(check), "environment": describe_environment(shop.device)}

    code = code_digest(["vdu_bench.judges.clip.training", "vdu_bench.judges.clip.check"], alone=[__name__])
    return shop.get(Stage("clip", spec, make, code=code, label=label))


def load_clip(shop: Workshop, task: Task) -> ClipScorer | None:
    """Who compares images with prompts; None where the task names nobody."""
    named = task.clip
    if isinstance(named, PretrainedClip):
        return shop.held("clip", named.model_dump_json(), lambda: load_pretrained(named, shop.device))
    artifact = clip(shop, task)
    if artifact is None:
        return None
    return shop.held("clip", artifact.address, lambda: InDomainClip.load(artifact.folder, shop.device))
