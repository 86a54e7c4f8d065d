"""What the benchmarks share: the digits' base model and the machine they ran on."""

from __future__ import annotations

import os
import platform

import pytest
import torch

from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.engine.workshop import Workshop
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.task import Task


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full-size", action="store_true", help="Stable Diffusion 1.x at its full size: minutes, 11 GB")


def pytest_benchmark_update_machine_info(machine_info: dict) -> None:
    """Every figure is stated with the hardware it was measured on."""
    machine_info["torch"] = torch.__version__
    machine_info["torch_threads"] = torch.get_num_threads()
    machine_info["cores"] = os.cpu_count()
    machine_info["system"] = platform.platform()


@pytest.fixture(scope="session")
def task() -> Task:
    """The first embedded task."""
    return find_task("digits_1")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The shipped models."""
    return Workshop(Store(tmp_path_factory.mktemp("store"), shipped_artifacts()), "cpu", Progress(quiet=True))
