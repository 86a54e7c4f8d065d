"""A VDU step against a plain fine-tuning step of the same batch, in turn in one process."""

from __future__ import annotations

import statistics
import time

import pytest

from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.posterior import load_posterior
from vdu_bench.engine.weights import ready_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.methods.catalog import make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.training.fitting import Fit
from vdu_bench.tasks.task import Task

STEPS = 15
BATCH = 128


class Stepper:
    """A method in the middle of its fit."""

    def __init__(self, name: str, task: Task, shop: Workshop) -> None:
        self.method = make_method(name, {"batch_size": BATCH})
        model = ready_model(task, base(shop, task), "cpu")
        self.context = UnlearningContext(
            model,
            shop.splits(task).train,
            task.forget,
            "full",
            self.method.needs,
            0,
            lambda names: load_posterior(shop, task, model, names),
            lambda: pytest.fail("nobody asked for it"),
        )
        self.model = model.clone()
        self.model.denoiser.requires_grad_(True).train()
        self.method.start(self.model, self.context)
        self.fit = Fit(self.method.parameters(self.model), self.method.settings)

    def step(self) -> float:
        """Seconds for one step."""
        started = time.perf_counter()
        self.fit.advance(lambda _, backward: self.method.gradients(self.model, self.context, backward))
        return time.perf_counter() - started


def test_vdu_step_over_finetuning_step(benchmark, task: Task, shop: Workshop) -> None:
    vdu, rival = Stepper("vdu", task, shop), Stepper("finetune", task, shop)
    for stepper in (vdu, rival):
        stepper.step()
    ratios = []

    def pair() -> None:
        # Steps in turn, so that a drift of the machine's speed falls on both.
        rival_seconds = rival.step()
        ratios.append(vdu.step() / rival_seconds)

    benchmark.pedantic(pair, rounds=STEPS)
    benchmark.extra_info["vdu step / finetune step, median"] = statistics.median(ratios)
    print(f"\na VDU step costs {statistics.median(ratios):.2f} fine-tuning steps (batch {BATCH}, {STEPS} pairs)")
