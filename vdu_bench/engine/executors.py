"""Where cells run, and the plainest place: this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from vdu_bench.engine.cells import Cell, tasks_of
from vdu_bench.engine.names import RestsOn
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Store
from vdu_bench.records import Record

if TYPE_CHECKING:
    from vdu_bench.engine.worker import Worker


class Executor(Protocol):
    """Runs cells somewhere."""

    def check_devices(self, cells: Sequence[Cell]) -> None:
        """Raise UserError for devices that it does not take, before anything is started; a part of `check`."""

    def check(self, cells: Sequence[Cell]) -> Mapping[str, RestsOn]:
        """Raise UserError for cells that cannot be run, before anything is written.

        Returns what their tasks rest on, by the tasks' digests.
        """

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Record]]:
        """Each cell with its record, as they come."""

    def close(self) -> None:
        """Let go of what `check` opened, also where `run` never came. What is closed may be closed again."""


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

    def check_devices(self, cells: Sequence[Cell]) -> None:
        """Nothing: the device is looked for with the rest."""

    def check(self, cells: Sequence[Cell]) -> Mapping[str, RestsOn]:
        self._worker = self._hired(cells)
        return self._worker.check_data(cells)

    def to_fetch(self, cells: Sequence[Cell]) -> list[str]:
        """What `run` would have to fetch first, a sentence each; raises as `check`, and fetches and makes nothing."""
        return self._hired(cells).to_fetch(tasks_of(cells))

    def _hired(self, cells: Sequence[Cell]) -> Worker:
        self._progress.say("loading torch and diffusers...")
        from vdu_bench.engine.worker import Worker, check_settings

        check_settings(cells)
        return Worker(cells[0].device, cells[0].data_dir, self._store, self._progress, self._fresh)

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Record]]:
        if self._worker is None:
            self.check(cells)
        assert self._worker is not None
        self._worker.prepare(cells)
        for cell in cells:
            yield cell, self._worker.record(cell)

    def close(self) -> None:
        """Nothing: a next run in this process finds its models where they are."""
