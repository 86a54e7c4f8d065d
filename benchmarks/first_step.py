"""How far Adam's first step goes, in parts of the learning rate: 1 where gradients are large beside its epsilon.

    python benchmarks/first_step.py [--task digits_1,faces_eyeglasses] [--methods vdu,vdu_contrast] [--seeds 0-2]

On the CPU, with the bases that ship. A mean over seeds, of the weights that a gradient reaches.
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import torch
from tabulate import tabulate
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from vdu_bench.api.place import store_at
from vdu_bench.cli.options import names_in, seeds_in
from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.stages.unlearned import unlearned
from vdu_bench.engine.workshop import Workshop
from vdu_bench.tasks.loading import find_task


class FirstStep:
    """Watches the next optimiser, whoever makes it, until it has made one step."""

    def __init__(self) -> None:
        self.moved = self.gradients = torch.empty(0)
        self._before: list[torch.Tensor] = []
        self._hooks = [register_optimizer_step_pre_hook(self._begin), register_optimizer_step_post_hook(self._end)]

    def _begin(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        reached = [p for p in optimizer.param_groups[0]["params"] if p.grad is not None]
        self._before = [p.detach().clone() for p in reached]
        self.gradients = torch.cat([p.grad.detach().flatten() for p in reached])

    def _end(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        group = optimizer.param_groups[0]
        reached = [p for p in group["params"] if p.grad is not None]
        steps = [(p.detach() - old).flatten() for p, old in zip(reached, self._before, strict=True)]
        self.moved = torch.cat(steps).abs() / group["lr"]
        for hook in self._hooks:
            hook.remove()


def first_step(cell: Cell) -> tuple[float, float, float]:
    """The mean step in parts of the rate, the share of gradients below 1e-8, and the median gradient."""
    watched = FirstStep()
    with tempfile.TemporaryDirectory() as folder:
        unlearned(Workshop(store_at(folder), "cpu", Progress(quiet=True)), cell)
    sizes = watched.gradients.abs()
    return float(watched.moved.mean()), float((sizes < 1e-8).float().mean()), float(sizes.median())


def main() -> None:
    """Print a table, a row for each task and method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits_1,faces_eyeglasses")
    parser.add_argument("--methods", default="vdu,vdu_contrast")
    parser.add_argument("--seeds", default="0-2")
    given = parser.parse_args()
    methods, rows = names_in(given.methods, "--methods"), []
    for task in names_in(given.task, "--task"):
        one_step = {name: [{"steps": 1}] for name in methods}
        cells, _ = expand([find_task(task)], methods, seeds_in(given.seeds), "full", one_step, "cpu")
        for name in methods:
            found = torch.tensor([first_step(cell) for cell in cells if cell.method == name])
            step, below, median = found.mean(0).tolist()
            rows.append([task, name, f"{step:.2f}", f"{100 * below:.0f} %", f"{median:.1e}"])
    print(tabulate(rows, ["task", "method", "step / rate", "gradients below 1e-8", "median"], tablefmt="pipe"))


if __name__ == "__main__":
    main()
