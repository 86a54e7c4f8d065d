"""Trials as ordinary cells of the engine, with what a search needs to know of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.executors import Executor
from vdu_bench.engine.stages.record import find_record
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.settings import checked_settings
from vdu_bench.models.specs import FitSpec
from vdu_bench.nested import merged
from vdu_bench.records import Record
from vdu_bench.tasks.task import Task
from vdu_bench.tuning.judging import Judged, judge, objective_of, refused


class Broken(Exception):
    """A cell broke off with an error. What is done is kept, and the search goes on from there once that is mended."""


@dataclass
class Trials:
    """Runs settings of one method on a task.

    Attributes:
        task: the user's task: trials run on what it is `Task.for_tuning`.
        method: its name.
        store: where stages and finished records are kept.
        executor: where cells run.
        device: as asked for.
        data_dir: where data sets from outside the package lie.
    """

    task: Task
    method: str
    store: Store
    executor: Executor
    device: str
    data_dir: Path | None = None
    _tuned_on: Task = field(init=False)
    _originals: dict[int, Record] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._tuned_on = self.task.for_tuning()

    def original(self, seed: int) -> Record:
        """The original's record. Raises UserError where the task's objective cannot be searched for."""
        if seed not in self._originals:
            cell = self._cell("original", {}, seed)
            self._originals[seed] = self._record(cell)
            objective_of(self._originals[seed], self.task.tuning)
        return self._originals[seed]

    def run(self, settings: Mapping[str, Any], seed: int, called: str) -> Judged:
        """What settings give with a seed.

        Those that are known to take more evaluations than they may are not run. Raises Broken, and UserError as
        `judge`.
        """
        tuning = self.task.tuning
        least = self.least_evaluations(settings)
        if least > tuning.most_evaluations:
            return refused(least, tuning)
        original = self.original(seed)
        return judge(self._record(self._cell(self.method, settings, seed, called)), original, tuning)

    def least_evaluations(self, settings: Mapping[str, Any]) -> int:
        """What is known beforehand: a method of the shared loop evaluates each step's batch once or more."""
        given = merged(self.task.method_settings.get(self.method, {}), settings)
        chosen = checked_settings(self.method, METHODS.get(self.method).Settings, given)
        return chosen.steps * chosen.batch_size if isinstance(chosen, FitSpec) else 0

    def _cell(self, method: str, settings: Mapping[str, Any], seed: int, called: str = "") -> Cell:
        variants = {method: [dict(settings)]} if settings else {}
        made, _ = expand([self._tuned_on], [method], [seed], "full", variants, self.device, self.data_dir, called)
        return next(cell for cell in made if cell.method == method)

    def _record(self, cell: Cell) -> Record:
        record = find_record(cell, self.store)
        if record is None:
            ((_, record),) = self.executor.run([cell])
        if record.status == "failed":
            raise Broken(f"{cell.name} failed: {record.reason}")
        if cell.method == "original" and record.status != "ok":
            raise UserError(f"{self.task.name} cannot be tuned on: the original itself diverged: {record.reason}")
        return record
