"""Searches side by side: one method after another in this process, or several methods at a time in several.

The trials of one method always follow each other, since each is asked for by what the ones before it gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vdu_bench.engine.cards import check_jobs, device_of
from vdu_bench.engine.cells import ALL, check_all_alone
from vdu_bench.engine.cluster import local_cluster, own_device
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.remote_progress import RemoteProgress, following
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.methods.regime import forbidden_needs
from vdu_bench.tasks.task import Task
from vdu_bench.tuning.files import journal_file, write_found
from vdu_bench.tuning.space import search_space, tunable
from vdu_bench.tuning.trials import Broken, Trials
from vdu_bench.tuning.tune import Found, tune
from vdu_bench.writing import writing_to


@dataclass(frozen=True)
class Search:
    """A method to be tuned on a task."""

    task: Task
    method: str
    count: int
    """How many trials."""
    device: str
    data_dir: Path | None
    out: Path

    @property
    def name(self) -> str:
        """As in messages."""
        return f"{self.task.name}/{self.method}"

    def run(self, executor: LocalExecutor, store: Store, progress: Progress) -> Found:
        """Search, and write what is found. Raises as `tune`, and UserError where `out` takes no more."""
        trials = Trials(self.task, self.method, store, executor, self.device, self.data_dir)
        with writing_to(self.out, "--out"):
            found = tune(trials, self.count, journal_file(self.out, self.task.name, self.method), progress)
            write_found(found, self.out)
        return found


def methods_to_tune(task: Task, names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Those of the methods that can be tuned on a task; ``all`` stands for all of these, and
    `say` then tells of each other one that runs on the task's kind of model.

    Raises:
        UserError: a method is unknown, a reference or not for the task's kind of model, or declares no search.
    """
    check_all_alone(names)
    facts = {name: method_facts(name) for name in (METHODS.entries() if list(names) == [ALL] else names)}
    kind = task.model.kind
    if list(names) == [ALL]:
        able = [name for name, one in facts.items() if one.role == "contestant" and kind in one.supports]
        found = tunable(able)
        for name in able:
            if name not in found:
                say(f"{task.name}: {name} is left out: its Settings declare no search")
        return found
    for name, one in facts.items():
        if one.role != "contestant" or forbidden_needs("full", one.needs, one.role):
            raise UserError(f"{name} cannot be tuned: it is a row of reference")
        if kind not in one.supports:
            raise UserError(
                f"{name} cannot be tuned on {task.name}: it works on {' and '.join(one.supports)} models only"
            )
        search_space(name)
    return list(names)


def run_searches(
    searches: Sequence[Search], jobs: int, store: Store, progress: Progress, plugins: Sequence[Path]
) -> Iterator[tuple[Search, Found | Broken]]:
    """Each search with what it found, or why it broke off; as they come.

    Args:
        searches: what is to be searched for, on one device and with one folder of data.
        jobs: how many at a time, each in a process of its own where it is more than one.
        store: where stages and finished records are kept.
        progress: bars and lines.
        plugins: plug-in files.

    Raises:
        UserError: as `tune`, and for fewer processes than devices.
    """
    if searches:
        check_jobs(searches[0].device, jobs)
    if jobs == 1 or len(searches) == 1:
        executor = LocalExecutor(store, progress)
        for search in searches:
            try:
                # One process works on one device, however many are named for it.
                yield search, replace(search, device=device_of(search.device, 0)).run(executor, store, progress)
            except Broken as error:
                yield search, error
        return
    from distributed import KilledWorker, as_completed

    root, files = store.root.resolve(), tuple(file.resolve() for file in plugins)
    with local_cluster(min(jobs, len(searches)), progress) as client, following(client, progress):
        futures = {client.submit(_search_there, one, root, files, pure=False): one for one in searches}
        for future in as_completed(futures):
            search = futures[future]
            try:
                yield search, future.result()
            except KilledWorker as error:
                raise UserError(
                    f"the processes that tuned {search.name} died, as they do when memory is short; use fewer --jobs"
                ) from error


_KEPT: dict[Any, tuple[Store, LocalExecutor]] = {}
"""On a worker: what its next search goes on with."""


def _search_there(search: Search, root: Path, plugins: tuple[Path, ...]) -> Found | Broken:
    from vdu_bench.engine.plugins import load_plugin

    progress = RemoteProgress()
    if root not in _KEPT:
        for file in plugins:
            load_plugin(file)
        store = Store(root, shipped_artifacts(), progress.say)
        _KEPT[root] = store, LocalExecutor(store, progress)
    store, executor = _KEPT[root]
    search = replace(search, device=own_device(search.device))
    try:
        return search.run(executor, store, progress)
    except Broken as error:
        return error
