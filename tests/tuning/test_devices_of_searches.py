"""Of several devices each search has one, and no device is without a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.tasks.task import Task
from vdu_bench.tuning.jobs import Search, run_searches
from vdu_bench.tuning.trials import Broken


def run_on(task: Task, root: Path, device: str, jobs: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that searches run on, in this process."""
    used: list[str] = []

    def run(search: Search, *_: object) -> None:
        used.append(search.device)
        raise Broken("planted")

    monkeypatch.setattr(Search, "run", run)
    search = Search(task, "finetune", 1, device, None, root)
    found = list(run_searches([search], jobs, Store(root), Progress(quiet=True), []))
    assert [one for one, _ in found] == [search]
    return used


def test_a_single_search_takes_the_first_device(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_on(tiny_task, tmp_path, "cuda:0, cuda:1", 2, monkeypatch) == ["cuda:0"]
    assert run_on(tiny_task, tmp_path, "cpu", 4, monkeypatch) == ["cpu"]


def test_more_devices_than_processes_are_refused_as_they_are_by_run(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="names 2 devices, and --jobs 1 is fewer"):
        run_on(tiny_task, tmp_path, "cuda:0,cuda:1", 1, monkeypatch)
