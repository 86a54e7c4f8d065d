"""Who works on which card; no card is needed for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import distributed
import pytest

from vdu_bench.engine.cards import check_jobs, device_of, devices_in, kind_in
from vdu_bench.engine.cells import Cell, request
from vdu_bench.engine.cluster import DaskExecutor, JobsExecutor, own_device
from vdu_bench.engine.device import resolve_device
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.tasks.task import Task


def test_workers_take_turns_so_that_small_cells_share_a_card() -> None:
    assert [device_of("cuda:0, cuda:1", worker) for worker in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert Counter(device_of("cuda:0,cuda:1,cuda:2", worker) for worker in range(8)) == {
        "cuda:0": 3,
        "cuda:1": 3,
        "cuda:2": 2,
    }
    assert {device_of("cuda:1", worker) for worker in range(3)} == {"cuda:1"}


def test_a_worker_s_number_is_dask_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(name=3))
    assert own_device("cuda:0,cuda:1") == "cuda:1"
    monkeypatch.setattr(distributed, "get_worker", lambda: pytest.fail("one device is everybody's"))
    assert own_device("cpu") == "cpu"


@pytest.mark.parametrize(
    ("text", "words"), [("cuda:0,", "a name is empty"), ("cuda:1,cuda:0,cuda:1", "names 'cuda:1' twice")]
)
def test_a_list_that_makes_no_sense_is_named(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        devices_in(text)


def test_more_devices_than_processes_are_an_error_before_any_is_started(tiny_task: Task, tmp_path: Path) -> None:
    cell = Cell(tiny_task, "vdu", {}, "full", 0, "cuda:0,cuda:1,cuda:2")
    with pytest.raises(UserError, match="names 3 devices, and --jobs 2 is fewer.*give --jobs 3 or more"):
        JobsExecutor(2, Store(tmp_path), Progress(quiet=True)).check([cell])
    check_jobs(cell.device, 3)
    with pytest.raises(UserError, match="--device takes one name with --dask"):
        DaskExecutor("tcp://nowhere:1", Store(tmp_path), Progress(quiet=True)).check([cell])
    with pytest.raises(UserError, match="several are for several processes; give --jobs, or name one"):
        resolve_device(cell.device)


def test_a_record_is_found_whichever_card_made_it(tiny_task: Task, tmp_path: Path) -> None:
    assert [kind_in(text) for text in ("auto", "cpu", "cuda", "cuda:1", "cuda:0,cuda:1")] == [
        "auto",
        "cpu",
        "cuda",
        "cuda",
        "cuda",
    ]
    cell, store = Cell(tiny_task, "vdu", {}, "full", 0, "cuda:0"), Store(tmp_path)
    assert request(cell, store) == request(replace(cell, device="cuda:0,cuda:1"), store)
    assert request(cell, store) != request(replace(cell, device="cpu"), store)
