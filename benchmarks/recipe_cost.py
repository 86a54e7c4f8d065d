"""What a task's recipe needs of a card, computed; and, with --steps, its rate on a device, measured.

    python benchmarks/recipe_cost.py [--task mnist_1] [--models 3] [--teraflops 20] [--step-ms 40]
    python benchmarks/recipe_cost.py --steps 300 --device cpu [--data-dir DIR] [--compile | --cuda-graphs]

Floating-point operations are counted on meta tensors, a product and a sum apart. What a card reaches of its peak is an
assumption, and so is how fast a step can be begun: a small network keeps a large card waiting for the next kernel.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import UNet2DModel
from tabulate import tabulate
from torch.utils.flop_counter import FlopCounterMode

from vdu_bench.data.catalog import load_data
from vdu_bench.data.image_set import ImageSet
from vdu_bench.engine.device import set_device
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.precision import arithmetic
from vdu_bench.models.specs import ComputeSpec, ModelRecipe
from vdu_bench.models.training.base_model import train
from vdu_bench.models.training.shown import Pixels
from vdu_bench.tasks.cost import trained
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.task import Task

WARM_UP = 3
"""Steps that are not timed: they choose kernels, and compile where that is asked for."""
FORWARD_UNITS = 3
"""Forward evaluations that a training evaluation takes as many operations as: one, and two for the gradients."""
TERAFLOPS = 20.0
"""Operations a second, in 1e12, that a card is assumed to reach with these small convolutions in bfloat16: 2 % of the
989e12 that the data sheet of an H100 SXM states for dense bfloat16."""
STEP_MS = 70.0
"""Least milliseconds for a step of one process, whatever the card: a step begins thousands of small kernels, one after
the other. It is what a step took on an H200; 26 where kernels are recorded (docs/gpu.md)."""


class Cost(NamedTuple):
    """What a recipe takes.

    Attributes:
        weights: of the network.
        forward: operations of one forward evaluation of one image.
        evaluations: images that one training shows, each evaluated forward and backward.
        operations: of all the models' trainings.
        at_rate: seconds for all of them at the assumed rate.
        at_steps: seconds of a training at the assumed least time of a step; models train side by side.
    """

    weights: int
    forward: int
    evaluations: int
    operations: float
    at_rate: float
    at_steps: float

    @property
    def seconds(self) -> float:
        """The longer of the two: what is expected for all models, side by side on one card."""
        return max(self.at_rate, self.at_steps)


def cost_of(recipe: ModelRecipe, models: int, teraflops: float = TERAFLOPS, step_ms: float = STEP_MS) -> Cost:
    """What so many trainings of an unconditional recipe take."""
    with torch.device("meta"):
        network = UNet2DModel(**recipe.denoiser)
        size = network.config["sample_size"]
        x = torch.empty(1, network.config["in_channels"], size, size)
        with FlopCounterMode(display=False) as counter:
            network(x, torch.tensor([1]))
    forward = counter.get_total_flops()
    evaluations = trained(recipe)
    operations = float(models * FORWARD_UNITS * evaluations * forward)
    weights = sum(parameter.numel() for parameter in network.parameters())
    at_steps = recipe.training.steps * step_ms / 1000
    return Cost(weights, forward, evaluations, operations, operations / (teraflops * 1e12), at_steps)


def table(cost: Cost, models: int, teraflops: float = TERAFLOPS, step_ms: float = STEP_MS) -> str:
    """The arithmetic in Markdown."""
    rows = [
        ["weights", f"{cost.weights:,}"],
        ["operations of a forward evaluation of one image", f"{cost.forward / 1e9:.2f}e9"],
        ["evaluations of a training, forward and backward each", f"{cost.evaluations:,}"],
        [f"operations of {models} trainings", f"{cost.operations / 1e15:.1f}e15"],
        [f"hours at {teraflops:g}e12 operations a second", f"{cost.at_rate / 3600:.2f}"],
        [f"hours at {step_ms:g} ms a step, the models side by side", f"{cost.at_steps / 3600:.2f}"],
    ]
    return tabulate(rows, ["what", "how much"], "github", disable_numparse=True)


def rate(
    task: Task, steps: int, device: str, data_dir: Path | None, compute: ComputeSpec | None = None
) -> dict[str, float | int | str]:
    """Train the task's network for some steps of its own recipe; images a second, and the mean loss at both ends.

    On noise for images where no folder of data is given: the rate is the same, the loss means nothing.
    """
    recipe = task.recipe
    assert recipe is not None
    model = UnconditionalDDPM.from_recipe(recipe).to(device)
    spec = recipe.training
    compute = (compute or ComputeSpec()).model_copy(update={"autocast": spec.autocast})
    model.computing(compute, training=True)
    if data_dir is None:
        noise = torch.randint(256, (1000, *model.latent_shape), generator=torch.Generator().manual_seed(0))
        images = ImageSet.of_classes(noise.to(torch.uint8), torch.arange(1000) % 2, ("a", "b"))
    else:
        images = load_data(task.data, data_dir).train
    spec = spec.model_copy(update={"steps": steps, "warmup_steps": min(spec.warmup_steps, steps // 10)})
    first = spec.model_copy(update={"steps": min(WARM_UP, steps), "warmup_steps": 0, "learning_rate": 1e-8})
    with arithmetic(spec.autocast):
        began = time.monotonic()
        train(model, Pixels(model, images), first)
        warm_up = time.monotonic() - began
        _, log = train(model, Pixels(model, images), spec)
    return {
        "task": task.name,
        "device": device,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "steps": steps,
        "batch": spec.batch_size,
        "compute": compute.model_dump(exclude_defaults=True),
        "warm_up_seconds": warm_up,
        "seconds": log.seconds,
        "images_per_second": log.forward / log.seconds,
        "first_loss": log.losses[0],
        "last_loss": log.losses[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="mnist_1", help="a task whose base is trained here, without prompts")
    parser.add_argument("--models", type=int, default=3, help="base and retrained models")
    parser.add_argument("--teraflops", type=float, default=TERAFLOPS)
    parser.add_argument("--step-ms", type=float, default=STEP_MS)
    parser.add_argument("--steps", type=int, help="measure: train for so many steps")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data-dir", type=Path, help="train on the task's own images")
    parser.add_argument("--compile", action="store_true", help="the network by torch.compile")
    parser.add_argument("--cuda-graphs", action="store_true", help="that, and its kernels recorded")
    given = parser.parse_args()
    task = find_task(given.task)
    if task.recipe is None or task.prompts is not None:
        parser.error(f"--task {given.task}: it has no recipe of an unconditional model")
    cost = cost_of(task.recipe, given.models, given.teraflops, given.step_ms)
    print(table(cost, given.models, given.teraflops, given.step_ms))
    if given.steps:
        compute = ComputeSpec(compile=given.compile or given.cuda_graphs, cuda_graphs=given.cuda_graphs)
        found = rate(task, given.steps, set_device(given.device), given.data_dir, compute)
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
