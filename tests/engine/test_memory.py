"""Memory of a card, by torch's own calls, which are watched: there need be no GPU."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import vdu_bench.engine.stages.unlearned as stage
import vdu_bench.engine.worker as worker
from vdu_bench.collecting import uncollected
from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.memory import PeakMemory, release, standing
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Store
from vdu_bench.engine.workshop import Workshop
from vdu_bench.tasks.task import Task

MIB = 2**20


def test_what_nobody_holds_is_given_back_on_a_card_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("collected"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("emptied"))
    release("cpu")
    assert not done
    release("cuda:1")
    assert done == ["collected", "emptied"]


def test_a_card_s_peak_is_without_what_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"now": 300 * MIB, "most": 900 * MIB}
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: held["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: held["most"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: held.update(most=held["now"]))
    before = standing("cuda:0")
    held["now"] += 50 * MIB  # a model is made ready
    with PeakMemory("cuda:0", before) as ours, PeakMemory("cuda:0") as whole:
        held["most"] = 700 * MIB
    assert (ours.mib, whole.mib) == (400, 700)


def test_a_cpu_s_peak_is_the_process_s() -> None:
    assert standing("cpu") == 0
    with PeakMemory("cpu", standing("cpu")) as memory:
        pass
    assert memory.mib > 1


def test_a_cell_s_memory_is_counted_from_before_its_model_is_there(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, order = _cell(tiny_task), []
    shop = Workshop(Store(tmp_path), "cpu", Progress(quiet=True))
    for name in ("release", "standing", "ready_model", "PeakMemory"):
        monkeypatch.setattr(stage, name, _noted(getattr(stage, name), name, order))
    stage.unlearned(shop, cell)
    assert order == ["release", "standing", "ready_model", "PeakMemory"]


def test_a_broken_cell_s_model_is_gone_when_its_memory_is_given_back(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model:
        pass

    models: list[weakref.ref[Model]] = []
    there: list[bool] = []

    def breaking(*_: Any) -> None:
        model = Model()
        models.append(weakref.ref(model))
        raise RuntimeError("out of memory")

    monkeypatch.setattr(worker, "make_record", breaking)
    monkeypatch.setattr(worker, "release", lambda _: there.append(models[0]() is not None))
    one = worker.Worker("cpu", None, Store(tmp_path), Progress(quiet=True), False)
    with uncollected():
        assert one.record(_cell(tiny_task)).status == "failed"
    assert there == [False]


def _cell(task: Task) -> Cell:
    return expand([task], ["finetune"], (0,), "full", {"finetune": [{"steps": 1}]}, "cpu")[0][-1]


def _noted(real: Callable[..., Any], name: str, order: list[str]) -> Callable[..., Any]:
    def noted(*arguments: Any) -> Any:
        order.append(name)
        return real(*arguments)

    return noted
