"""Cells on the workers of a Dask cluster: one that is there, or one that is made on this machine for the run."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vdu_bench.engine.cards import check_jobs, device_of, devices_in
from vdu_bench.engine.cells import Cell
from vdu_bench.engine.names import RestsOn
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.remote_progress import RemoteProgress, following
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError, in_short
from vdu_bench.records import Record

if TYPE_CHECKING:
    from distributed import Client

    from vdu_bench.engine.worker import Worker


class ClusterExecutor(ABC):
    """As many cells at a time as there are workers; all of them must see the store's folder.

    Args:
        store: where stages are kept, on a file system that the workers share.
        progress: lines and bars, the workers' own among them.
        fresh: make the stages of cells once more, even what is there.
        plugins: plug-in files, on that file system too.
    """

    def __init__(self, store: Store, progress: Progress, fresh: bool = False, plugins: Sequence[Path] = ()) -> None:
        self._progress, self._fresh = progress, fresh
        # A cluster's workers outlive a run, and what they hold of it must not decide the next one.
        self._run = uuid4().hex
        self._root, self._plugins = store.root.resolve(), tuple(file.resolve() for file in plugins)
        self._open = ExitStack()
        self._client: Client | None = None
        self._ready: list[Any] = []

    def check(self, cells: Sequence[Cell]) -> Mapping[str, RestsOn]:
        """Raise UserError for cells that cannot be run, or where there are no workers; these are kept for `run`.

        Returns as `Executor.check`.
        """
        self.check_devices(cells)
        try:
            self._client = self._open.enter_context(self._connected())
            self._open.enter_context(following(self._client, self._progress))
            threads = dict(self._client.nthreads())
            if busy := [name for name, count in threads.items() if count > 1]:
                raise UserError(
                    f"the Dask worker {busy[0]} has {threads[busy[0]]} threads, and would run as many cells at a time "
                    "in one process, which share its arithmetic and its card: start workers with --nthreads 1"
                )
            workers = list(threads)
            self._progress.say(f"{len(workers)} Dask workers")
            place = self._place(cells)
            # All at once: loading torch takes each of them as long as a small cell.
            self._ready = [self._client.submit(_warm_up, *place, workers=[one], pure=False) for one in workers]
            checked = self._client.submit(_check_there, cells, *place, pure=False)
            return dict(self._result(checked, "checked the data"))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._open.close()
        self._client = None

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Record]]:
        """Each cell with its record, as they come. Raises UserError where a worker dies."""
        from distributed import as_completed

        if self._client is None:
            self.check(cells)
        assert self._client is not None
        with self._open:
            place = self._place(cells)
            families: dict[str, list[Cell]] = {}
            for cell in cells:
                families.setdefault(cell.task.family, []).append(cell)
            # One worker a family, whose tasks share what is prepared.
            preparing = {
                name: self._client.submit(_prepare_there, of_family, *place, pure=False)
                for name, of_family in families.items()
            }
            for name, future in preparing.items():
                self._result(future, f"prepared {name}")
            # The shortest come last, so that the workers end together. The retrained model's row, for which nothing is
            # unlearned, is one of them.
            queue = sorted(cells, key=lambda cell: cell.needs_retrained)
            futures = {self._client.submit(_record_there, cell, *place, pure=False): cell for cell in queue}
            with self._progress.bar("cells", len(cells)) as advance:
                for future in as_completed(futures):
                    cell = futures[future]
                    record = Record.model_validate_json(self._result(future, f"ran {cell.name}"))
                    advance(1)
                    yield cell, record
        self._client = None

    def _result(self, future: Any, did: str) -> Any:
        """What a worker gave. Raises UserError where those that tried died."""
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise UserError(
                f"the workers that {did} died, as they do when memory is short; use fewer of them"
            ) from error

    def _place(self, cells: Sequence[Cell]) -> tuple[Any, ...]:
        return cells[0].device, cells[0].data_dir, self._root, self._fresh, self._plugins, self._run

    @abstractmethod
    def check_devices(self, cells: Sequence[Cell]) -> None:
        """Raise UserError for devices that it does not take, before anything is started."""

    @abstractmethod
    @contextmanager
    def _connected(self) -> Iterator[Client]:
        """A client of the cluster. Raises UserError where there is none."""


class DaskExecutor(ClusterExecutor):
    """On a Dask cluster that is there.

    Args:
        scheduler: the address of its scheduler (``tcp://host:8786``), or a scheduler file.
        store, progress, fresh, plugins: as of `ClusterExecutor`.
    """

    def __init__(
        self, scheduler: str, store: Store, progress: Progress, fresh: bool = False, plugins: Sequence[Path] = ()
    ) -> None:
        super().__init__(store, progress, fresh, plugins)
        self._scheduler = scheduler

    def check_devices(self, cells: Sequence[Cell]) -> None:
        if len(devices_in(cells[0].device)) > 1:
            raise UserError("--device takes one name with --dask: a cluster's workers have their cards already")

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        from distributed import Client

        where = {"scheduler_file": self._scheduler} if Path(self._scheduler).is_file() else {"address": self._scheduler}
        try:
            client = Client(**where, timeout=10)
        except (OSError, ValueError) as error:
            raise UserError(f"no Dask scheduler answers at {self._scheduler}") from error
        with client:
            yield client


class JobsExecutor(ClusterExecutor):
    """On processes of this machine, one thread each unless OMP_NUM_THREADS says otherwise.

    They take turns with the devices that cells name, so that several share a card where there are more of them.

    Args:
        jobs: how many.
        store, progress, fresh, plugins: as of `ClusterExecutor`.
    """

    def __init__(
        self, jobs: int, store: Store, progress: Progress, fresh: bool = False, plugins: Sequence[Path] = ()
    ) -> None:
        super().__init__(store, progress, fresh, plugins)
        self._jobs = jobs

    def check_devices(self, cells: Sequence[Cell]) -> None:
        check_jobs(cells[0].device, self._jobs)

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        with local_cluster(self._jobs, self._progress) as client:
            yield client


@contextmanager
def local_cluster(jobs: int, progress: Progress) -> Iterator[Client]:
    """A client of so many processes of this machine, one thread each unless OMP_NUM_THREADS says otherwise.

    A scheduler runs whatever code it is sent. So they talk under TLS with a key that is made for this run and kept in
    memory alone: other users of the machine reach their ports as well.

    Raises UserError where they do not start.
    """
    progress.say(f"starting {jobs} worker processes...")
    from distributed import Client, LocalCluster
    from distributed.security import Security

    # What a worker that is stopped by Ctrl-C logs of its end helps nobody.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        with _deaf_to_interrupts(), _plain_processes():
            try:
                cluster = LocalCluster(
                    n_workers=jobs,
                    threads_per_worker=1,
                    # Memory is for the operating system to share out: a worker that is restarted loses its cell.
                    memory_limit=0,
                    security=Security.temporary(),
                    # Its server of web pages is started all the same, at 8787 by default; no two runs get this port.
                    scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                    silence_logs=logging.CRITICAL,
                    local_directory=scratch,
                )
            except (OSError, RuntimeError) as error:
                raise UserError(
                    f"the {jobs} worker processes do not start ({in_short(_root_of(error))}), as where /dev/shm or "
                    "the folder for temporary files takes no files; without --jobs none is needed"
                ) from error
            stack.enter_context(cluster)
        client = stack.enter_context(Client(cluster))
        client.run_on_scheduler(_close_scheduler_pages)
        client.run(_close_worker_pages)
        yield client


# Dask gives them the scheduler or the worker by these names.
def _close_scheduler_pages(dask_scheduler: Any) -> None:
    dask_scheduler.http_server.stop()


def _close_worker_pages(dask_worker: Any) -> None:
    dask_worker.http_server.stop()


def _root_of(error: BaseException) -> BaseException:
    """What an error came from in the first place: Dask's own says no more than that it failed."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


@contextmanager
def _plain_processes() -> Iterator[None]:
    """Workers that take none of Dask's own settings for processes but that of their threads.

    Its limit for malloc's trimming has torch ask the system for each tensor's memory anew, which doubles the time of a
    small network; and its profiler looks at the stack a hundred times a second.
    """
    import dask

    environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    with dask.config.set(
        {"distributed.nanny.pre-spawn-environ": environment, "distributed.worker.profile.enabled": False}
    ):
        yield


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile inherit it: a terminal's Ctrl-C is for the one that started them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@lru_cache(maxsize=1)
def _worker_there(
    device: str, data_dir: Path | None, root: Path, fresh: bool, plugins: tuple[Path, ...], run: str
) -> Worker:
    """Runs on a cluster's worker, which keeps it for the next cell of the same run."""
    from vdu_bench.engine.plugins import load_plugin
    from vdu_bench.engine.worker import Worker

    for file in plugins:
        load_plugin(file)
    progress = RemoteProgress()
    return Worker(own_device(device), data_dir, Store(root, shipped_artifacts(), progress.say), progress, fresh, run)


def own_device(device: str) -> str:
    """Of several devices, that of this worker: those of one machine are numbered from 0."""
    if len(devices_in(device)) == 1:
        return device
    from distributed import get_worker

    return device_of(device, int(get_worker().name))


def _warm_up(*place: Any) -> None:
    _worker_there(*place)


def _check_there(cells: Sequence[Cell], *place: Any) -> dict[str, RestsOn]:
    worker = _worker_there(*place)
    from vdu_bench.engine.worker import check_settings

    check_settings(cells)
    return worker.check_data(cells)


def _prepare_there(cells: Sequence[Cell], *place: Any) -> None:
    _worker_there(*place).prepare(cells)


def _record_there(cell: Cell, *place: Any) -> str:
    return _worker_there(*place).record(cell).to_json()
