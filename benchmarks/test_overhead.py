"""What the suite adds to a run's bare denoiser work, both timed in one process."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler

from vdu_bench.engine.cells import expand
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recording import make_record
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.judge import judge
from vdu_bench.engine.store import Store
from vdu_bench.engine.weights import ready_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.methods.vdu import SCALE_BATCHES
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.sampling import initial_noise
from vdu_bench.records import Record
from vdu_bench.tasks.task import Task


def bare_sampling(model: UnconditionalDDPM, task: Task, evaluations: int) -> None:
    """diffusers' own loop in the same batches, until the denoiser was evaluated so often."""
    noise = initial_noise(evaluations // task.sampler.steps, model.latent_shape, 0)
    with torch.inference_mode():
        for x in noise.split(task.sampler.batch_size):
            scheduler = DPMSolverMultistepScheduler.from_config(
                model.noise_scheduler.config, algorithm_type="dpmsolver++"
            )
            scheduler.set_timesteps(task.sampler.steps)
            for t in scheduler.timesteps:
                x = scheduler.step(model.denoiser(x, t).sample, t, x).prev_sample


def bare_training(model: UnconditionalDDPM, steps: int, batch: int) -> None:
    """As many forward and backward passes as VDU makes, and Adam steps, on one batch."""
    denoiser = model.clone().denoiser.requires_grad_(True).train()
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=1e-5)
    x = initial_noise(batch, model.latent_shape, 0)
    t = torch.arange(batch) * 7
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        denoiser(x, t).sample.square().mean().backward()
        optimizer.step()


def probing(record: Record) -> int:
    """How often the probes of a cell evaluate the denoiser."""
    return sum(int(ledger["forward"]) for ledger in record.probes.values())


def test_overhead_of_a_whole_run(benchmark, task: Task, tmp_path: Path) -> None:
    """`original` and `vdu` from shipped models to records, against as many evaluations and steps bare."""
    progress = Progress(quiet=True)
    shared = Workshop(Store(tmp_path / "shared", shipped_artifacts()), "cpu", progress)
    cells = [cell for cell in expand([task], ["vdu"], [0], "full", {}, "cpu")[0] if cell.method in ("original", "vdu")]
    model = ready_model(task, base(shared, task), "cpu")
    judge(shared, task)
    bare_sampling(model, task, 250 * task.sampler.steps)
    measured = []

    def both() -> None:
        store = Store(tmp_path / f"store{len(measured)}", shipped_artifacts())
        shop = Workshop(store, "cpu", progress)
        shop.splits(task)
        started = time.perf_counter()
        records = [make_record(cell, shop) for cell in cells]
        whole = time.perf_counter() - started
        settings = records[-1].settings
        started = time.perf_counter()
        for record in records:
            bare_sampling(model, task, probing(record))
        bare_training(model, SCALE_BATCHES + settings["steps"], settings["batch_size"])
        measured.append((whole, time.perf_counter() - started))

    benchmark.pedantic(both, rounds=3)
    ratios = sorted(whole / bare for whole, bare in measured)
    benchmark.extra_info["whole / bare, median"] = ratios[len(ratios) // 2]
    print(f"\na whole run takes {ratios[len(ratios) // 2]:.3f} times its bare denoiser work (3 pairs, {ratios})")
