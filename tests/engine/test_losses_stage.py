"""Losses are found again on another card of the machine, and are taken in the task's own arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import vdu_bench.engine.stages.losses as stage
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.store import Store
from vdu_bench.engine.weights import Weights
from vdu_bench.engine.workshop import Workshop
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.probes.likelihood import Likelihood
from vdu_bench.tasks.task import Task


def asked_for(task: Task, root: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stage that a workshop on `device` would look for."""
    whole = base(Workshop(Store(root), "cpu", Progress(quiet=True)), task)
    shop, found = Workshop(Store(root), device, Progress(quiet=True)), list[Stage]()
    monkeypatch.setattr(shop, "get", found.append)
    stage.losses(shop, task, Weights(whole), "likelihood", Likelihood(), 0, "a cell")
    return found[0]


def test_cards_of_one_machine_share_losses(tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, cpu = (asked_for(tiny_task, tmp_path, name, monkeypatch) for name in ("cuda", "cuda:1", "cpu"))
    assert first.address == second.address != cpu.address


def test_losses_are_taken_in_the_task_s_arithmetic(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, flags = tiny_task.model_copy(update={"compute": ComputeSpec(autocast="tf32")}), []

    def taken(*_: Any) -> tuple[dict[str, torch.Tensor], str]:
        flags.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
        return {}, ""

    monkeypatch.setattr(stage, "_taken", taken)
    asked_for(task, tmp_path, "cpu", monkeypatch).make(tmp_path)
    assert flags == [(True, True)]
    assert not torch.backends.cuda.matmul.allow_tf32
