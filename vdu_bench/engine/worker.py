"""Making records in one process. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vdu_bench.engine.cells import Cell, tasks_of
from vdu_bench.engine.device import resolve_device
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recipes import RecipeStages
from vdu_bench.engine.recording import failed_record, keep_record, make_record
from vdu_bench.engine.stages import CellStages
from vdu_bench.engine.store import Store
from vdu_bench.methods.catalog import make_method
from vdu_bench.metrics.inception import Inception
from vdu_bench.records import Record
from vdu_bench.tasks.task import Task


def check_settings(cells: Iterable[Cell]) -> None:
    """Raise UserError for the first setting that a method does not take."""
    for cell in cells:
        if cell.external is None:
            make_method(cell.method, dict(cell.overrides))


class Worker:
    """Makes records with what its cells share loaded once.

    Args:
        device: as asked for. Raises UserError for one that is not there.
        data_dir: the folder with the data sets' own folders, where there is one.
        store: where stages are kept.
        progress: bars and lines.
        fresh: make the stages of cells once more, even what is there.
    """

    def __init__(self, device: str, data_dir: Path | None, store: Store, progress: Progress, fresh: bool) -> None:
        self._device, self._store = resolve_device(device), store
        self._recipes = RecipeStages(store, self._device, progress, data_dir=data_dir)
        self._stages = CellStages(store, self._recipes, self._device, progress, fresh)

    def check_data(self, tasks: Sequence[Task]) -> None:
        """Raise UserError for a task whose data, or whose base from elsewhere, are not there or not what it needs."""
        for task in tasks:
            self._recipes.splits(task)
            if task.inception is not None:
                Inception.find(task.inception.file, self._device)
            if task.recipe is None:
                self._recipes.base(task)

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Find or make what cells share, so that a record's request names what the record was made of.

        Raises UserError for a model from elsewhere that cannot be judged by its task.
        """
        for cell in cells:
            if cell.external is not None:
                # First, so that a wrong one is refused before anything is trained to judge it.
                self._stages.external(cell, cell.external)
        retrained = {cell.task.name for cell in cells if cell.may_retrain}
        for task in tasks_of(cells):
            self._recipes.judge(task)
            self._recipes.base(task)
            self._recipes.check_prompt_lengths(task)
            if task.recipe is not None and task.name in retrained:
                self._recipes.retrain(task)
            self._recipes.clip(task)

    def record(self, cell: Cell) -> Record:
        """The cell's record; one that broke off with an error says so, and is not kept for reuse."""
        try:
            record = make_record(cell, self._stages, self._device)
        except Exception as error:
            # One method's bug must not cost the other cells.
            return failed_record(cell, self._device, error)
        keep_record(cell, record, self._store)
        return record
