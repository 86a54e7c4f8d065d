"""Making records in one process. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from vdu_bench.engine.base_limits import check_base
from vdu_bench.engine.cells import Cell, tasks_of
from vdu_bench.engine.device import set_device
from vdu_bench.engine.environment import git_state
from vdu_bench.engine.failures import forget_failure, tell_failure
from vdu_bench.engine.memory import check_memory, release
from vdu_bench.engine.names import RestsOn
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recording import failed_record, make_record
from vdu_bench.engine.stages.base import base, pipeline_of
from vdu_bench.engine.stages.clip import clip
from vdu_bench.engine.stages.external import external
from vdu_bench.engine.stages.images import probes_of
from vdu_bench.engine.stages.judge import fetch_weights, judge, second_judge
from vdu_bench.engine.stages.posterior import snapshot_posterior
from vdu_bench.engine.stages.record import keep_record
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.store import Store
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import NoRoom, NotFetched
from vdu_bench.fetching import nothing_fetched
from vdu_bench.judges.clip.pretrained import find_weights
from vdu_bench.judges.clip.specs import PretrainedClip
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.metrics.inception import Inception
from vdu_bench.models.pipelines.finding import find_pipeline
from vdu_bench.models.training.recipes import check_images, check_recipe
from vdu_bench.probes.catalog import PROBES
from vdu_bench.records import Record
from vdu_bench.tasks.task import Task


def check_settings(cells: Iterable[Cell]) -> None:
    """Raise UserError for the first setting that a method does not take, or a probe, whether it is run or not; and as
    `check_base`, for bases that recipes make."""
    cells = list(cells)
    for task in tasks_of(cells):
        for name, settings in task.probe_settings.items():
            PROBES.get(name)(**settings)
        for name in {*task.method_settings, *task.settings_from}:
            METHODS.entry(name)
    for cell in cells:
        if cell.external is None:
            make_method(cell.method, dict(cell.overrides))
    for task in tasks_of(cells):
        if task.recipe is not None:
            check_base(task, _of(task, cells), None)


def _of(task: Task, cells: Iterable[Cell]) -> list[Cell]:
    digest = task.digest()
    return [cell for cell in cells if cell.task.digest() == digest]


OF_CELLS = ("unlearned", "external", "images", "losses", "readings", "second_readings")
"""Kinds of stages that --fresh makes again; the others are shared by many."""


class Worker:
    """Makes records with what its cells share loaded once.

    Args:
        device: as asked for. Raises UserError for one that is not there.
        data_dir: the folder with the data sets' own folders, where there is one.
        store: where stages are kept.
        progress: bars and lines.
        fresh: make the stages of cells once more, even what is there.
        run: what the run is called among the workers that share it; what one of them made afresh is not made by the
            others. Empty where there is one alone.
    """

    def __init__(
        self, device: str, data_dir: Path | None, store: Store, progress: Progress, fresh: bool, run: str = ""
    ) -> None:
        again = OF_CELLS if fresh else ()
        git_state()  # now, since what is committed from here on is not what runs
        self._shop = Workshop(store, set_device(device), progress, data_dir, again, run=run)

    def check_data(self, cells: Sequence[Cell]) -> dict[str, RestsOn]:
        """Raise UserError for a task whose data, base from elsewhere or probes are not there or not what it needs.

        Returns what the tasks rest on, by their digests.
        """
        rests_on: dict[str, RestsOn] = {}
        for task in tasks_of(cells):
            for check in self._checks(task):
                check()
            known = {"images": self._shop.data_digest(task)}
            if task.recipe is None:
                whole = base(self._shop, task)
                check_base(task, _of(task, cells), pipeline_of(whole))
                known["base"] = whole.digest
            rests_on[task.digest()] = known
        return rests_on

    def to_fetch(self, tasks: Sequence[Task]) -> list[str]:
        """What a run would have to fetch first, a sentence each. Fetches nothing and makes no stage; raises as
        `check_data` for what is there and is wrong."""
        found: dict[str, None] = {}
        with nothing_fetched():
            for task in tasks:
                for check in self._checks(task):
                    try:
                        check()
                    except NotFetched as gap:
                        found[str(gap)] = None
        return list(found)

    def _checks(self, task: Task) -> Iterator[Callable[[], object]]:
        yield lambda: self._check_images(task)
        if task.recipe is not None:
            check_recipe(task.recipe, task.name)
        if (inception := task.inception) is not None:
            yield lambda: Inception.find(inception.file, self._shop.device)
        if isinstance(named := task.clip, PretrainedClip):
            yield lambda: find_weights(named)
        yield lambda: fetch_weights(self._shop, task, "judge")
        yield lambda: fetch_weights(self._shop, task, "second_judge")
        if (source := task.base) is not None:
            yield lambda: find_pipeline(source, task.model.kind)

    def _check_images(self, task: Task) -> None:
        splits = self._shop.splits(task)
        shape = splits.train.images.shape[1:]
        check_memory(task, shape)
        if task.recipe is not None:
            check_images(task.recipe, shape, task.name)
        for probe in probes_of(self._shop, task).values():
            probe.check(task, splits)

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Find or make what cells share, so that a record's request names what the record was made of.

        Raises UserError for a model from elsewhere that cannot be judged by its task.
        """
        shop = self._shop
        for cell in cells:
            if cell.external is not None:
                # First, so that a wrong one is refused before anything is trained to judge it.
                external(shop, cell, cell.external)
        with_posterior = {cell.task.name for cell in cells if cell.needs_posterior}
        for task in tasks_of(cells):
            judge(shop, task)
            second_judge(shop, task)
            base(shop, task)
            if task.name in with_posterior:
                snapshot_posterior(shop, task)
            clip(shop, task)
        for cell in cells:
            if cell.needs_retrained or cell.compared:
                retrained(shop, cell.task, cell.seed)

    def record(self, cell: Cell) -> Record:
        """The cell's record; one that broke off with an error says so, and is not kept for reuse."""
        record = self._recorded(cell)
        if record.status == "failed":
            # Here, where the error's traceback holds the cell's models no more.
            release(self._shop.device)
        return record

    def _recorded(self, cell: Cell) -> Record:
        try:
            record = make_record(cell, self._shop)
        except NoRoom:
            # No cell after it would fare better.
            raise
        except (Exception, SystemExit) as error:
            # One method's bug, or its exit, must not cost the other cells.
            tell_failure(cell.name, error, self._shop.store, self._shop.progress.say)
            return failed_record(cell, self._shop.device, error)
        forget_failure(cell.name, self._shop.store)
        keep_record(cell, record, self._shop.store)
        return record
