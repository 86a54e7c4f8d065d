"""Cells that are not run: what a method's settings give is planted, and so its best settings are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cells import PROTOCOL, result

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.names import RestsOn
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Store
from vdu_bench.records import Ledger, Record, Seeds, Status, Timings
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task
from vdu_bench.tuning.trials import Trials
from vdu_bench.tuning.tune import Found, tune

BEST_RATE = 1e-4
MOST_STEPS = 100
"""Beyond it the distance is larger than the original's."""


def record(
    task: Task, method: str, seed: int, values: dict[str, float], status: Status = "ok", taken: int = 0
) -> Record:
    """A cell's, with the task's own limits."""
    return Record(
        task=task.name,
        forget=task.forget,
        method=method,
        role="reference" if method == "original" else "contestant",
        regime="full",
        settings={},
        seeds=Seeds(train=0, unlearn=seed, sample=seed),
        protocol=PROTOCOL.model_copy(update={"limits": task.limits}),
        ledger=Ledger(),
        timings=Timings(nfe_forward=taken),
        environment={},
        stages={},
        status=status,
        reason="" if status == "ok" else "the loss is not finite",
        metrics={name: result(name, value) for name, value in values.items()} if status == "ok" else {},
    )


def planted(cell: Cell) -> Record:
    """Most is forgotten at `BEST_RATE`, and the more the more steps; but the distance grows with the steps, too."""
    values = {"pul_strict": 0.0, "fd_judge": 20.0, "junk_rate": 3.0}
    if cell.method == "original":
        return record(cell.task, cell.method, cell.seed, values)
    rate, steps = cell.overrides["learning_rate"], cell.overrides["steps"]
    if rate > 2e-3:
        return record(cell.task, cell.method, cell.seed, {}, "diverged", taken=steps)
    values["pul_strict"] = 100 - 20 * abs(math.log10(rate / BEST_RATE)) - 10 * abs(math.log10(steps / MOST_STEPS))
    values["fd_judge"] = 20.0 * steps / MOST_STEPS
    return record(cell.task, cell.method, cell.seed, values, taken=steps * 8)


@dataclass
class PlantedExecutor:
    """Gives planted records, and remembers of which cells."""

    give: Callable[[Cell], Record] = planted
    stop_after: float = math.inf
    """Stopped, as by Ctrl-C, when so many contestants' cells were run."""
    cells: list[Cell] = field(default_factory=list)

    def check(self, cells: Sequence[Cell]) -> dict[str, RestsOn]:
        """All can be run; they rest on nothing."""
        return {cell.task.digest(): {} for cell in cells}

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Record]]:
        for cell in cells:
            if cell.method != "original":
                if len(self.cells) >= self.stop_after:
                    raise KeyboardInterrupt
                self.cells.append(cell)
            yield cell, self.give(cell)


def search(
    task: Task, root: Path, executor: PlantedExecutor, count: int = 20, method: str = "finetune", **tuning: object
) -> Found:
    """A whole search with its journal in `root`; keywords are the task's numbers of it."""
    changed = with_overrides(task, {"tuning": tuning}) if tuning else task
    store = Store(root / "store", say=lambda _: None)
    trials = Trials(changed, method, store, executor, "cpu")
    return tune(trials, count, root / f"{method}.journal", Progress(quiet=True))
