"""What a probe finds of a model's denoising loss."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.grids import IMAGES
from vdu_bench.engine.memory import release
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.usage import pipeline_code, usage
from vdu_bench.engine.weights import Weights, ready_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import Diverged
from vdu_bench.models.precision import arithmetic
from vdu_bench.probes.catalog import PROBES
from vdu_bench.probes.loss_probe import LossContext, LossProbe
from vdu_bench.registry import Entry
from vdu_bench.tasks.task import Task

LOSSES = "losses.safetensors"


def losses(
    shop: Workshop,
    task: Task,
    weights: Weights,
    name: str,
    probe: LossProbe,
    seed: int,
    label: str,
    samples: Artifact | None = None,
) -> Artifact:
    """A model's losses, as a probe takes them; none, with the reason among the facts, where one is not finite.

    Args:
        shop: where they are taken.
        task: the model's.
        weights: the model.
        name: the probe's.
        probe: with its settings.
        seed: the sample seed.
        label: the cell's name.
        samples: what they are taken on, where that is what a model drew; None for real images.
    """
    spec = {
        "probe": name,
        "settings": probe.settings.model_dump(mode="json"),
        "seed": seed,
        **usage(task),
        "device": shop.device_kind,
    }
    inputs = dict(weights.inputs)
    if samples is not None:
        inputs["samples"] = samples
    else:
        spec |= {"data": shop.data_digest(task), "forget": task.forget}

    def make(folder: Path) -> Mapping[str, Any]:
        release(shop.device)
        model = ready_model(task, weights, shop.device)
        drawn = {} if samples is None else load_file(samples.folder / IMAGES)
        context = LossContext(task, model, name, probe.needs, seed, shop.splits(task), drawn=drawn)
        bar = shop.progress.bar(f"{label}: {name}", probe.images(context))
        with arithmetic(task.compute.autocast), bar as context.on_batch:
            started = time.perf_counter()
            found, reason = _taken(probe, model, context)
            seconds = time.perf_counter() - started
        save_file(dict(found), folder / LOSSES)
        why = {"reason": reason} if reason else {}
        return {"seconds": seconds, "ledger": context.ledger().model_dump(), **why}

    follow: list[str | Entry] = [PROBES.entry(name), "vdu_bench.probes.loss_probe", *pipeline_code(task)]
    code = code_digest(follow, alone=[__name__, "vdu_bench.engine.weights"])
    return shop.get(Stage("losses", spec, make, inputs, code))


def read_losses(artifact: Artifact) -> dict[str, Tensor]:
    """By what the images are called, float32 ``[N]``; empty where one was not finite."""
    return {name: values.clone() for name, values in load_file(artifact.folder / LOSSES).items()}


def _taken(probe: LossProbe, model: Any, context: LossContext) -> tuple[Mapping[str, Tensor], str]:
    try:
        return probe.draw(model, context), ""
    except Diverged as error:
        return {}, str(error)
