"""Where cells run: in this process, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vdu_bench.engine.cells import Cell, tasks_of
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.records import Record

if TYPE_CHECKING:
    from vdu_bench.engine.worker import Worker


class Executor(Protocol):
    """Runs cells somewhere."""

    def check(self, cells: Sequence[Cell]) -> None:
        """Raise UserError for cells that cannot be run, before anything is written."""

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Record]]:
        """Each cell with its record, as they come."""


class LocalExecutor:
    """One cell after another, in this process.

    Args:
        store: where stages are kept.
        progress: bars and lines.
        fresh: make the stages of cells once more, even what is there.
    """

    def __init__(self, store: Store, progress: Progress, fresh: bool = False) -> None:
        self._store, self._progress, self._fresh = store, progress, fresh
        self._worker: Worker | None = None

    def check(self, cells: Sequence[Cell]) -> None:
        self._progress.say("loading torch and diffusers...")
        from vdu_bench.engine.worker import Worker, check_settings

        check_settings(cells)
        self._worker = Worker(cells[0].device, cells[0].data_dir, self._store, self._progress, self._fresh)
        self._worker.check_data(tasks_of(cells))

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Record]]:
        if self._worker is None:
            self.check(cells)
        assert self._worker is not None
        self._worker.prepare(cells)
        for cell in cells:
            yield cell, self._worker.record(cell)


class DaskExecutor:
    """As many cells at a time as a Dask cluster has workers; all of them must see the store's folder.

    Args:
        scheduler: the address of its scheduler (``tcp://host:8786``), or a scheduler file.
        store: where stages are kept, on a file system that the workers share.
        progress: lines; bars are the workers' own.
        fresh: make the stages of cells once more, even what is there.
        plugins: plug-in files, on that file system too.
    """

    def __init__(
        self, scheduler: str, store: Store, progress: Progress, fresh: bool = False, plugins: Sequence[Path] = ()
    ) -> None:
        self._scheduler, self._progress, self._fresh = scheduler, progress, fresh
        self._root, self._plugins = store.root.resolve(), tuple(file.resolve() for file in plugins)

    def check(self, cells: Sequence[Cell]) -> None:
        from vdu_bench.engine.worker import check_settings

        check_settings(cells)
        self._connect().close()

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Record]]:
        from distributed import as_completed

        with self._connect() as client:
            place = (cells[0].device, cells[0].data_dir, self._root, self._fresh, self._plugins)
            self._progress.say(f"{len(client.scheduler_info()['workers'])} Dask workers")
            # One after the other: tasks of a family share what is prepared.
            for task in tasks_of(cells):
                of_task = [cell for cell in cells if cell.task.name == task.name]
                client.submit(_prepare_there, of_task, *place, pure=False).result()
            futures = {client.submit(_record_there, cell, *place, pure=False): cell for cell in cells}
            for future in as_completed(futures):
                yield futures[future], Record.model_validate_json(future.result())

    def _connect(self):  # type: ignore[no-untyped-def]  # distributed is an extra
        try:
            from distributed import Client
        except ImportError as error:
            raise UserError("--dask needs Dask's distributed: pip install 'vdu-bench[cluster]'") from error
        where = {"scheduler_file": self._scheduler} if Path(self._scheduler).is_file() else {"address": self._scheduler}
        try:
            return Client(**where, timeout=10)
        except (OSError, ValueError) as error:
            raise UserError(f"no Dask scheduler answers at {self._scheduler}") from error


@lru_cache(maxsize=1)
def _worker_there(device: str, data_dir: Path | None, root: Path, fresh: bool, plugins: tuple[Path, ...]) -> Worker:
    """Runs on a cluster's worker, which keeps it for the next cell."""
    from vdu_bench.engine.plugins import load_plugin
    from vdu_bench.engine.worker import Worker

    for file in plugins:
        load_plugin(file)
    progress = Progress(quiet=True)
    return Worker(device, data_dir, Store(root, shipped_artifacts(), progress.say), progress, fresh)


def _prepare_there(cells: Sequence[Cell], *place: Any) -> None:
    _worker_there(*place).prepare(cells)


def _record_there(cell: Cell, *place: Any) -> str:
    return _worker_there(*place).record(cell).to_json()
