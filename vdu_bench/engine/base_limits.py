"""What a base cannot take, said before anything is trained: weights that it lacks, prompts that are too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import diffusers
import torch
from torch import nn

from vdu_bench.data.captions import words_of
from vdu_bench.engine.cells import Cell
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import make_method
from vdu_bench.models.pipelines.pipeline_files import CONFIG, check_pipeline, component_file
from vdu_bench.models.pipelines.prompt_tokens import check_lengths, tokens_of
from vdu_bench.models.pipelines.registry import pipelines_of
from vdu_bench.models.pipelines.word_tokenizer import word_tokenizer
from vdu_bench.models.selection import Weights, selected_parameters
from vdu_bench.models.specs import LatentRecipe
from vdu_bench.plain_json import parsed
from vdu_bench.probes.catalog import PROBES
from vdu_bench.spec import Spec
from vdu_bench.tasks.task import Task


def check_base(task: Task, cells: Sequence[Cell], place: Path | None) -> None:
    """Raise UserError for a prompt that a task's base is too short for, and for weights that it does not have and that
    a method's or an attack's setting names.

    Args:
        task: whose base it is.
        cells: the task's.
        place: the folder with the pipeline of a base from elsewhere; None of one that the task's recipe makes.
    """
    _check_prompts(task, place)
    # Of a method there may be several variants.
    asked = set(_asked(task, cells))
    if asked:
        denoiser = _outline(task, place)
        for setting, weights in sorted(asked, key=str):
            try:
                selected_parameters(denoiser, weights)
            except UserError as error:
                raise UserError(f"{task.name}: {setting}: {error}") from error


def _check_prompts(task: Task, place: Path | None) -> None:
    if task.prompts is None:
        return
    if place is not None:
        check_lengths(task.prompts.every, place, f"{task.name}: {task.base}")
    elif isinstance(task.recipe, LatentRecipe):
        most = task.recipe.text_encoder.max_tokens
        tokens_of(task.prompts.every, word_tokenizer(words_of(task.prompts.captions), most), most)


def _asked(task: Task, cells: Sequence[Cell]) -> Iterator[tuple[str, Weights]]:
    """The weights that methods and attacks name, by the setting that does; ``auto`` and ``all`` fit any network."""
    settings: list[tuple[str, Spec]] = [
        (f"probe_settings.{name}", PROBES.get(name)(**task.probe_settings.get(name, {})).settings)
        for name in task.attacks
    ]
    settings += [
        (cell.method, make_method(cell.method, dict(cell.overrides)).settings)
        for cell in cells
        if cell.external is None
    ]
    for name, own in settings:
        weights = getattr(own, "weights", "auto")
        if isinstance(weights, (str, tuple)) and weights not in ("auto", "all"):
            yield f"{name}.weights", weights


def _outline(task: Task, place: Path | None) -> nn.Module:
    """The base's denoiser without the numbers in its weights, which takes no memory."""
    if place is not None:
        facts = check_pipeline(place, task.base or place, task.model.kind)
        network = facts.network
        config = parsed(component_file(place, facts.components[0], CONFIG).read_bytes())
    else:
        assert task.recipe is not None  # a base is from elsewhere or has a recipe
        network, config = pipelines_of(task.model.kind)[0].network, dict(task.recipe.denoiser)
    with torch.device("meta"):
        outline: nn.Module = getattr(diffusers, network).from_config(config)
    return outline
