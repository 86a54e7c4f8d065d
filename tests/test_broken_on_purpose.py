"""The gate on a real task catches a sign that was flipped in VDU's loss.

That it passes the tree as it is, is a step of its own in CI: a run of ``digits_1`` and ``vdu-bench check``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import cli
from torch import Tensor

from vdu_bench.engine.cells import expand
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.methods.vdu import VDU
from vdu_bench.records import read_records
from vdu_bench.tasks.loading import find_task

REFERENCE = Path(__file__).parents[1] / "results" / "reference"


def unlearn_ones(root: Path) -> float:
    """VDU on ``digits_1``, with the reference's first seed, into ``root/out``; its PUL."""
    store, progress = Store(root / "store", shipped_artifacts()), Progress(quiet=True)
    cells, _ = expand([find_task("digits_1")], ["vdu"], (0,), "full", {}, "cpu")
    cells = [cell for cell in cells if cell.method == "vdu"]
    run_cells(cells, store, root / "out", progress, LocalExecutor(store, progress))
    (record,) = read_records(root / "out")
    return record.metrics["pul"].estimate.value


def check(root: Path, code: int) -> None:
    cli("check", "--reference", REFERENCE, "--records", root / "out", "--allow-missing", code=code)


def test_a_flipped_sign_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plasticity = VDU._plasticity

    def flipped(self: VDU, *arguments: object) -> Tensor:
        return -plasticity(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(VDU, "_plasticity", flipped)
    assert unlearn_ones(tmp_path / "flipped") < 0, "it learned the ones even better"
    check(tmp_path / "flipped", code=1)
    said = capsys.readouterr().out
    assert "vdu" in said
    assert "pul" in said
