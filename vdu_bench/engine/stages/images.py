"""What a probe draws from a model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.global_draws import seeded_globals
from vdu_bench.engine.grids import IMAGES
from vdu_bench.engine.handed_back import checked_images
from vdu_bench.engine.memory import release
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.usage import pipeline_code, usage
from vdu_bench.engine.weights import Weights, ready_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import Diverged
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.precision import arithmetic
from vdu_bench.probes.catalog import PROBES, check_attack
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe
from vdu_bench.registry import Entry
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.task import Task


def probes_of(shop: Workshop, task: Task) -> dict[str, Probe]:
    """The probes that a task's models are looked at by: the samples, those whose images a metric reads, and attacks.

    Attacks come last. Raises UserError for a probe that the task names and nobody knows, and as `check_attack`.
    """
    for name in task.probes or ():
        PROBES.entry(name)
    for name in task.attacks:
        check_attack(name, task.model.kind, task.name)
    read = (metric.probe for metric in METRICS.working().values() if metric.applies(task))
    names = {"samples", *read, *task.attacks} - {""}
    probes = {name: PROBES.get(name)(**task.probe_settings.get(name, {})) for name in sorted(names)}
    probes = dict(sorted(probes.items(), key=lambda item: item[1].attack))
    return {
        name: probe
        for name, probe in probes.items()
        if probe.applies(task) and ("pairs" not in probe.needs or shop.pairs(task) is not None)
    }


def images(shop: Workshop, task: Task, weights: Weights, name: str, probe: Probe, seed: int, label: str) -> Artifact:
    """The images that a probe draws from a model.

    Args:
        shop: where they are made.
        task: the model's.
        weights: the model.
        name: the probe's.
        probe: with its settings.
        seed: the sample seed.
        label: the cell's name.

    Raises:
        Diverged: a sample is not finite.
    """
    spec = {
        "probe": name,
        "settings": probe.settings.model_dump(mode="json"),
        "sampler": task.sampler.model_dump(mode="json"),
        "samples": task.samples,
        "seed": seed,
        **usage(task),
        "device": shop.device_kind,
    }
    if "pairs" in probe.needs and (pairs := shop.pairs(task)) is not None:
        spec["pairs"] = {"images": shop.pairs_digest(task, pairs), "strength": task.pair_strength}
    if {"forget_images", "retain_images", "held_out_images"} & set(probe.needs):
        spec |= {"data": shop.data_digest(task), "forget": task.forget}

    def make(folder: Path) -> Mapping[str, Any]:
        release(shop.device)
        model = ready_model(task, weights, shop.device)
        context = ProbeContext(task, model, name, probe.needs, seed, shop.splits(task))
        bar = shop.progress.bar(f"{label}: {name}", probe.images(context))
        with arithmetic(task.compute.autocast), bar as context.on_batch:
            started = time.perf_counter()
            with seeded_globals(shop.device, derive_seed(seed, "global", name)):
                drawn, reason = _drawn(probe, model, context)
            seconds = time.perf_counter() - started
        drawn = checked_images(drawn, model.image_shape, name)
        # A convolution may give its channels last, and a decoder hands that on.
        save_file({key: found.contiguous() for key, found in drawn.items()}, folder / IMAGES)
        why = {"reason": reason} if reason else {}
        return {"seconds": seconds, "dtype": model.precision, "ledger": context.ledger().model_dump(), **why}

    follow: list[str | Entry] = [PROBES.entry(name), "vdu_bench.probes.context", *pipeline_code(task)]
    code = code_digest(follow, alone=[__name__, "vdu_bench.engine.weights", "vdu_bench.engine.global_draws"])
    return shop.get(Stage("images", spec, make, weights.inputs, code))


def _drawn(probe: Probe, model: DiffusionModel, context: ProbeContext) -> tuple[Mapping[str, Tensor], str]:
    """What a probe draws. An attack that diverges tells nothing of the model itself: nothing then, with the reason."""
    try:
        return probe.draw(model, context), ""
    except Diverged as error:
        if not probe.attack:
            raise
        return {}, str(error)
