"""Whole cells of the baselines on the miniature tasks: from the base to the record, with everything small."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import expand
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.store import Store
from vdu_bench.records import Record, read_records
from vdu_bench.tasks.task import Task

LOOP: dict[str, Any] = {"steps": 2, "batch_size": 4}
AMNESIA: dict[str, Any] = {"replayed": 6, "fisher_samples": 2, "fisher_times": 3}
SETTINGS: dict[str, dict[str, Any]] = {
    "neggrad_plus": LOOP,
    "salun": {**LOOP, "mask_batches": 3},
    "perturb": {},
    "erasediff": LOOP,
    "siss": LOOP,
    "retrack": {**LOOP, "candidates": 20},
    "selective_amnesia": {**LOOP, **AMNESIA},
}


def records_of(task: Task, root: Path) -> dict[str, Record]:
    store, progress = Store(root / "store"), Progress(quiet=True)
    cells, _ = expand([task], list(SETTINGS), (0,), "full", {name: [own] for name, own in SETTINGS.items()}, "cpu")
    run_cells(cells, store, root / "out", progress, LocalExecutor(store, progress, False), False)
    return {record.method: record for record in read_records(root / "out")}


def test_every_cell_is_measured(tiny_task: Task, tiny_faces_task: Task, tmp_path: Path) -> None:
    for task, amnesia in (
        # Six samples of three steps; two of them with three times each; two steps of 4 and 4.
        (tiny_task, 6 * 3 + 2 * 3 + 2 * 8),
        # As many of the anchor, by a sampler that guides.
        (tiny_faces_task, None),
    ):
        found = records_of(task, tmp_path / task.name)
        assert set(SETTINGS) <= set(found)
        for name in SETTINGS:
            record = found[name]
            assert (record.status, record.reason) == ("ok", ""), name
            assert not math.isnan(record.metrics["fd_judge"].estimate.value)
        forward = {name: found[name].metrics["nfe_forward"].estimate.value for name in SETTINGS}
        relabelling = 3 if task is tiny_faces_task else 2
        assert forward["neggrad_plus"] == forward["erasediff"] == forward["retrack"] == 2 * 8
        assert forward["siss"] == 2 * 4
        assert forward["salun"] == 3 * 4 + 2 * relabelling * 4
        assert forward["perturb"] == 0
        assert amnesia is None or forward["selective_amnesia"] == amnesia
        ledgers = {name: found[name].ledger for name in SETTINGS}
        assert ledgers["perturb"].posterior
        assert ledgers["selective_amnesia"].retain_images == 0
        assert ledgers["selective_amnesia"].replayed == (6 if amnesia else 12)
        assert ledgers["retrack"].retain_images >= 20 or task is tiny_faces_task
