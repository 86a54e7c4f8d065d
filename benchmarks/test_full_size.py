"""Stable Diffusion 1.x at its full size with random weights, each use in a process of its own: seconds and peak memory.

Asked for with ``--full-size``, since it takes minutes, 4 GB of disk and up to 11 GB of memory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
LIMIT_MIB = 20 * 1024
USES: dict[str, list[str]] = {
    "life": [],
    "vdu-checkpointing": ["--gradient-checkpointing"],
    "esd": [],
    "esd-checkpointing": ["--gradient-checkpointing"],
    # Slow where the processor has no bfloat16 of its own.
    "vdu-bfloat16": ["--autocast", "bfloat16"],
}


def process(script: str, *arguments: str | Path) -> str:
    """What a script of this folder prints."""
    command = [sys.executable, HERE / script, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="module")
def pipelines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The pipeline and the second U-Net, for images of 256x256."""
    if not request.config.getoption("--full-size"):
        pytest.skip("takes minutes: ask for it with --full-size")
    folder = tmp_path_factory.mktemp("full_size")
    process("stable_diffusion.py", "--out", folder, "--image-size", "256")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("use", USES)
def test_two_steps_of_a_full_size_network(benchmark, pipelines: Path, use: str) -> None:
    found: dict[str, Any] = {}

    def run() -> None:
        output = process("full_size.py", use.partition("-")[0], "--pipelines", pipelines, *USES[use])
        found.update(json.loads(output.splitlines()[-1]))

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(found)
    taken = "; ".join(
        f"{part} {cost['seconds']:.0f} s, {cost['peak MiB']:.0f}" for part, cost in found["parts"].items()
    )
    print(f"\n{use}, MiB: {taken}; the whole process {found['peak MiB']:.0f}")
    assert found["peak MiB"] < LIMIT_MIB
