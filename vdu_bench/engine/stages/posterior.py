"""The posterior over the base's weights, from wherever the task has it: snapshots, checkpoints, or Laplace's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import parameters_to_vector

from vdu_bench.engine.cells import of_posterior
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.base import base, pipeline_of
from vdu_bench.engine.stages.retrained import autoencoder_of_base
from vdu_bench.engine.stages.trained import POSTERIOR, posterior_stage, recipe_spec, run_training
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.usage import pipeline_code, told
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.posterior.checkpoints import checkpoint_posterior
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.posterior.laplace import laplace_posterior
from vdu_bench.models.specs import CheckpointPosterior, LaplacePosterior, SnapshotPosterior
from vdu_bench.spec import digest_of
from vdu_bench.tasks.task import Task

CODE = (
    "vdu_bench.models.posterior.checkpoints",
    "vdu_bench.models.posterior.gaussian",
    "vdu_bench.models.posterior.laplace",
)
"""What makes or reads a posterior."""

SAME_END = 1e-3
"""How far a training that is run once more may end from the base, in parts of the base's norm: the last bits of half
precision differ by a fortieth of that between two machines, and another training by a thousand times as much."""


def load_posterior(shop: Workshop, task: Task, model: DiffusionModel, names: Sequence[str]) -> WeightPosterior:
    """The posterior over some of the base's weights. Raises UserError for a weight that it does not cover."""
    posterior = task.posterior_source
    if isinstance(posterior, CheckpointPosterior):
        parameters = dict(model.denoiser.named_parameters())
        return checkpoint_posterior(posterior.checkpoints, {name: parameters[name] for name in names})
    if isinstance(posterior, LaplacePosterior):
        return _laplace(shop, task, model, posterior, names)
    return WeightPosterior.load(_of_snapshots(shop, task, posterior).folder / POSTERIOR).only(names)


def snapshot_posterior(shop: Workshop, task: Task) -> Artifact | None:
    """The posterior from the snapshots of the base's training; None where the task has it from elsewhere."""
    posterior = task.posterior_source
    return _of_snapshots(shop, task, posterior) if isinstance(posterior, SnapshotPosterior) else None


def known_by(shop: Workshop, task: Task) -> str:
    """What records tell posteriors apart by: the digest of the snapshots', else a sha256 of what the task says."""
    snapshots = snapshot_posterior(shop, task)
    return digest_of(of_posterior(task.posterior_source)) if snapshots is None else snapshots.digest


def _of_snapshots(shop: Workshop, task: Task, posterior: SnapshotPosterior) -> Artifact:
    """Left by the base's training; where that kept another number, the base is trained once more, for the posterior."""
    shipped = base(shop, task)
    recipe = task.recipe
    assert recipe is not None  # a Task with snapshots of a base from elsewhere is not valid
    spec = recipe_spec(shop, task, recipe)

    def make(folder: Path) -> Mapping[str, Any]:
        n = posterior.snapshots
        shop.progress.say(f"{task.family}: the base's training left no posterior of {n} snapshots: it is run once more")
        label = f"{task.family}: base model once more"
        images, vae = shop.splits(task).train, autoencoder_of_base(shop, task)
        model, found, _ = run_training(shop, task, recipe, images, vae, workspace, label, [posterior])
        if posterior not in found:
            raise UserError(f"{task.name}: {recipe.training.steps} training steps are too few for a posterior")
        _check_same_end(task, model.rounded_to(getattr(torch, recipe.stored_dtype)), pipeline_of(shipped))
        found[posterior].save(folder / POSTERIOR)
        return {"environment": describe_environment(shop.device)}

    stage = posterior_stage(task, spec, posterior, make)
    workspace = shop.store.workspace(stage.kind, stage.spec)
    artifact = shop.get(stage)
    shop.store.forget_workspace(stage.kind, stage.spec)
    return artifact


def _check_same_end(task: Task, model: DiffusionModel, pipeline: Path) -> None:
    """Raise UserError where a training that was run once more ended elsewhere: its snapshots are another model's."""
    shipped = load_model(pipeline, task.model.kind)
    ends = [parameters_to_vector(one.denoiser.parameters()).detach().float().cpu() for one in (model, shipped)]
    apart = float((ends[0] - ends[1]).norm() / ends[1].norm())
    if not apart <= SAME_END:
        raise UserError(
            f"{task.name}: the base's training, run once more on this machine, ended {100 * apart:.2g} % away from "
            "the base: its snapshots are another model's. Another base, trained here, leaves posteriors of its own: "
            "--set task.model.training.seed=1"
        )


def _laplace(
    shop: Workshop, task: Task, model: DiffusionModel, posterior: LaplacePosterior, names: Sequence[str]
) -> WeightPosterior:
    label = f"{task.family}: laplace posterior"
    spec = {
        "spec": posterior.model_dump(mode="json"),
        "sampler": task.sampler.model_dump(mode="json"),
        "names": list(names),
        **told(task),
        "device": shop.device_kind,
    }

    def make(folder: Path) -> Mapping[str, Any]:
        prompts = None if task.prompts is None else task.prompts.cycled("kept", posterior.samples)
        with shop.progress.bar(label, posterior.samples) as advance:
            laplace_posterior(model, names, posterior, task.sampler, prompts, advance).save(folder / POSTERIOR)
        return {}

    code = code_digest([*CODE, *pipeline_code(task)], alone=[__name__])
    artifact = shop.get(Stage("laplace", spec, make, {"base": base(shop, task)}, code, label))
    return WeightPosterior.load(artifact.folder / POSTERIOR)
