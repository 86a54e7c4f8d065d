"""Phase 2: images a second in training and sampling, beside diffusers' own loops, and what a method's step costs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vdu_bench.engine.memory import release
from vdu_bench.methods.catalog import make_method
from vdu_bench.methods.method import LossMethod
from vdu_bench.models.compiling import compile_network
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import SamplerSpec, TrainingRecipe
from vdu_bench.models.training.base_model import train
from vdu_bench.models.training.shown import WHOLE, TrainingData
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.task import Task

from .course import Course
from .loops import PlainTraining, plain_sampling
from .models import context_of, random_model
from .sizes import Sizes
from .stepping import Stepper
from .timing import arithmetic_of, autocast_of, seconds_of

SAMPLING_FLOOR = 0.95
"""Of diffusers' images a second, at equal steps: what is asked for."""
STEP_CEILING = 1.15
"""Fine-tuning steps that a step of VDU may cost."""
WARM_UP = 3
"""Steps that are not timed: they choose kernels and fill the allocator."""
RECIPE = TrainingRecipe(
    steps=1, learning_rate=1e-4, optimizer="adamw", schedule="cosine", clip_norm=1.0, ema_decay=0.999
)
"""How a pipeline is trained here, whose task says nothing of that."""


class OneBatch(TrainingData):
    """The same latents and captions at every step, on the device, so that loops alone are compared."""

    def __init__(self, x0: Tensor, condition: Tensor | None) -> None:
        self._x0, self._condition = x0, condition

    def __len__(self) -> int:
        return len(self._x0)

    def batch(
        self,
        index: Tensor,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        part: slice = WHOLE,
    ) -> tuple[Tensor, Tensor | None]:
        return self._x0[part], None if self._condition is None else self._condition[part]


@dataclass(frozen=True)
class Case:
    """A network and the way it is computed with."""

    task: Task
    batch: int
    sampled: int
    steps: int
    precision: str
    compiled: bool


def run_rates(course: Course, sizes: Sizes, device: str, store: Path) -> None:
    """Rates of each network in each precision; then the same compiled, which takes minutes to begin with."""
    first, first_batch = sizes.networks[0][:2]

    def step_cost() -> dict[str, Any]:
        return _step_cost(find_task(first), first_batch, sizes, device, store)

    course.part("a step of vdu", 10.0, step_cost)
    for compiled in sizes.compiled:
        # Every network in one precision, before any in the next: time may be short.
        for precision in sizes.precisions:
            for name, batch, sampled, steps in sizes.networks:
                case = Case(find_task(name), batch, sampled, steps, precision, compiled)
                label = f"{name}, {precision}{', compiled' * compiled}"
                expected = (60.0 if compiled else 8.0) * (2 if case.task.prompts else 1)

                def work(case: Case = case) -> dict[str, Any]:
                    return _rates(case, sizes, device, store)

                course.part(label, expected, work)


def _rates(case: Case, sizes: Sizes, device: str, store: Path) -> dict[str, Any]:
    if case.compiled:
        # What was compiled for earlier parts counts against torch's limits, and holds their models.
        torch.compiler.reset()
    release(device)
    model = random_model(case.task, device, sizes.full_pipeline, store)
    model.autocast = autocast_of(case.precision)
    if case.compiled:
        # In place, so that both loops call the compiled network.
        compile_network(model.denoiser)
    with arithmetic_of(case.precision):
        found = {"sampling": _sampling(model, case)}
        try:
            found["training"] = _training(model, case, sizes.repeats)
        except torch.cuda.OutOfMemoryError:
            # Of Stable Diffusion both loops hold all weights with their moments and averages at a time.
            found["training"] = {"out_of_memory": True}
        return found


def _sampling(model: DiffusionModel, case: Case) -> dict[str, Any]:
    model.freeze()
    task, n = case.task, case.sampled
    sampler = SamplerSpec(steps=case.steps, guidance_scale=task.sampler.guidance_scale, batch_size=n)
    prompts = None if task.prompts is None else task.prompts.cycled("forget", n)
    noise = initial_noise(n, model.latent_shape, 0)

    def ours() -> None:
        model.sample(n, prompts, noise, sampler)

    def theirs() -> None:
        plain_sampling(model, n, prompts, sampler, case.precision)

    found = _in_turn(ours, theirs, n, model.device, 2)
    holds = found["ratio"] >= SAMPLING_FLOOR
    return {**found, "steps": case.steps, "batch": n, "asked": SAMPLING_FLOOR, "holds": holds}


def _training(model: DiffusionModel, case: Case, steps: int) -> dict[str, Any]:
    recipe = RECIPE if case.task.recipe is None else case.task.recipe.training
    recipe = recipe.model_copy(update={"batch_size": case.batch, "steps": steps, "warmup_steps": 0})
    x0 = initial_noise(case.batch, model.latent_shape, 1).to(model.device)
    captions = None if case.task.prompts is None else case.task.prompts.cycled("forget", case.batch)
    condition = model.condition(captions)
    model.denoiser.requires_grad_(True)
    plain = PlainTraining(model, recipe, case.precision, x0, condition)
    warm = recipe.model_copy(update={"steps": WARM_UP})
    train(model, OneBatch(x0, condition), warm)
    plain.run(WARM_UP)
    model.denoiser.train()
    ours = seconds_of(lambda: train(model, OneBatch(x0, condition), recipe), model.device)
    model.denoiser.train()
    theirs = seconds_of(lambda: plain.run(steps), model.device)
    images = case.batch * steps
    return {
        "ours_images_per_second": images / ours,
        "diffusers_images_per_second": images / theirs,
        "ratio": theirs / ours,
        "batch": case.batch,
        "steps": steps,
    }


def _in_turn(ours: Any, theirs: Any, n: int, device: torch.device, pairs: int) -> dict[str, Any]:
    """Both a few times in turn, so that a drift of the machine's speed falls on both; a first pair is not timed."""
    times: list[tuple[float, float]] = []
    for _ in range(pairs + 1):
        times.append((seconds_of(ours, device), seconds_of(theirs, device)))
    own, other = (statistics.median(one[side] for one in times[1:]) for side in (0, 1))
    return {"ours_images_per_second": n / own, "diffusers_images_per_second": n / other, "ratio": other / own}


def _step_cost(task: Task, batch: int, sizes: Sizes, device: str, store: Path) -> dict[str, Any]:
    release(device)
    model = random_model(task, device, sizes.full_pipeline, store).freeze()
    vdu, rival = (_stepper(name, model, task, batch) for name in ("vdu", "finetune"))
    for _ in range(WARM_UP):
        vdu.step()
        rival.step()
    pairs = [(vdu.step(), rival.step()) for _ in range(sizes.repeats)]
    ratio = statistics.median(one / other for one, other in pairs)
    seconds = [statistics.median(side) for side in zip(*pairs, strict=True)]
    return {
        "vdu_seconds": seconds[0],
        "finetune_seconds": seconds[1],
        "ratio": ratio,
        "batch": batch,
        "asked": STEP_CEILING,
        "holds": ratio <= STEP_CEILING,
    }


def _stepper(name: str, model: DiffusionModel, task: Task, batch: int) -> Stepper:
    method = make_method(name, {"batch_size": batch})
    assert isinstance(method, LossMethod)
    return Stepper(method, context_of(model, task, method, task.sampler, 4 * batch))
