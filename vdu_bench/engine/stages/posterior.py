"""The posterior over the base's weights, from wherever the task has it: snapshots, checkpoints, or Laplace's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import models_stamp
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.base import POSTERIOR, base
from vdu_bench.engine.usage import pipeline_code, usage
from vdu_bench.engine.workshop import Workshop
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.checkpoints import checkpoint_posterior
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.posterior.laplace import laplace_posterior
from vdu_bench.models.specs import CheckpointPosterior, LaplacePosterior
from vdu_bench.tasks.task import Task

CODE = (
    "vdu_bench.models.posterior.checkpoints",
    "vdu_bench.models.posterior.gaussian",
    "vdu_bench.models.posterior.laplace",
)
"""What makes or reads a posterior."""


def load_posterior(shop: Workshop, task: Task, model: DiffusionModel, names: Sequence[str]) -> WeightPosterior:
    """The posterior over some of the base's weights. Raises UserError for a weight that it does not cover."""
    posterior = task.posterior_source
    if isinstance(posterior, CheckpointPosterior):
        parameters = dict(model.denoiser.named_parameters())
        return checkpoint_posterior(posterior.checkpoints, {name: parameters[name] for name in names})
    if isinstance(posterior, LaplacePosterior):
        return _laplace(shop, task, model, posterior, names)
    return WeightPosterior.load(base(shop, task).folder / POSTERIOR).only(names)


def of_posterior(task: Task) -> dict[str, Any]:
    """What decides the posterior beside the base and the prompts; nothing for the snapshots of its own training."""
    posterior = task.posterior_source
    if isinstance(posterior, CheckpointPosterior):
        stamp = models_stamp(posterior.checkpoints)
        return {"posterior": posterior.model_dump(mode="json"), "checkpoints": stamp}
    if isinstance(posterior, LaplacePosterior):
        return {"posterior": posterior.model_dump(mode="json")}
    return {}


def _laplace(
    shop: Workshop, task: Task, model: DiffusionModel, posterior: LaplacePosterior, names: Sequence[str]
) -> WeightPosterior:
    label = f"{task.family}: laplace posterior"
    spec = {
        "spec": posterior.model_dump(mode="json"),
        "sampler": task.sampler.model_dump(mode="json"),
        "names": list(names),
        **usage(task),
        "device": shop.device,
    }

    def make(folder: Path) -> Mapping[str, Any]:
        prompts = None if task.prompts is None else task.prompts.cycled("retain", posterior.samples)
        with shop.progress.bar(label, posterior.samples) as advance:
            laplace_posterior(model, names, posterior, task.sampler, prompts, advance).save(folder / POSTERIOR)
        return {}

    code = code_digest([*CODE, *pipeline_code(task)], alone=[__name__])
    artifact = shop.get(Stage("posterior", spec, make, {"base": base(shop, task)}, code, label))
    return WeightPosterior.load(artifact.folder / POSTERIOR)
