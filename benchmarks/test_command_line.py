"""Whole commands, from the interpreter's start: help, listings, a run that is done, and a first run's memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

RUN = ["run", "--task", "digits_1", "--methods", "vdu,esd", "--quiet"]


def command(*arguments: str | Path) -> None:
    """One whole process."""
    subprocess.run([sys.executable, "-m", "vdu_bench", *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list", "methods"], ["list", "tasks"]], ids=" ".join)
def test_start_up(benchmark, arguments: list[str]) -> None:
    benchmark.pedantic(command, args=arguments, rounds=7, warmup_rounds=1)


def test_first_run_then_again(benchmark, tmp_path: Path) -> None:
    """The timed rounds are the run that is done; the first one is reported beside them."""
    import time

    places = ["--store", tmp_path / "store", "--out", tmp_path / "out"]
    started = time.perf_counter()
    command(*RUN, *places)
    benchmark.extra_info["first run, seconds"] = time.perf_counter() - started
    benchmark.extra_info["first run, peak MiB"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    benchmark.pedantic(command, args=[*RUN, *places], rounds=3)
    print("\n" + "; ".join(f"{key}: {value:.0f}" for key, value in benchmark.extra_info.items()))
