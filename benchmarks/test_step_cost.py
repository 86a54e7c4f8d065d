"""A VDU step against a plain fine-tuning step of the same batch, in turn in one process."""

from __future__ import annotations

import statistics

import pytest
from gpu_run.stepping import Stepper

from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.posterior import load_posterior
from vdu_bench.engine.weights import ready_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.methods.catalog import make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.tasks.task import Task

STEPS = 15
BATCH = 128


def stepper(name: str, task: Task, shop: Workshop) -> Stepper:
    """The method on the shipped digits."""
    method = make_method(name, {"batch_size": BATCH})
    assert isinstance(method, LossMethod)
    model = ready_model(task, base(shop, task), "cpu")
    context = UnlearningContext(
        model,
        shop.splits(task).train,
        task.forget,
        "full",
        method.needs,
        0,
        lambda names: load_posterior(shop, task, model, names),
        lambda: pytest.fail("nobody asked for it"),
    )
    return Stepper(method, context)


def test_vdu_step_over_finetuning_step(benchmark, task: Task, shop: Workshop) -> None:
    vdu, rival = stepper("vdu", task, shop), stepper("finetune", task, shop)
    for one in (vdu, rival):
        one.step()
    ratios = []

    def pair() -> None:
        # Steps in turn, so that a drift of the machine's speed falls on both.
        rival_seconds = rival.step()
        ratios.append(vdu.step() / rival_seconds)

    benchmark.pedantic(pair, rounds=STEPS)
    benchmark.extra_info["vdu step / finetune step, median"] = statistics.median(ratios)
    print(f"\na VDU step costs {statistics.median(ratios):.2f} fine-tuning steps (batch {BATCH}, {STEPS} pairs)")
