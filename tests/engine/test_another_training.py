"""Real models whose forgetting is known: a training on the same images forgot nothing, one without the digit did."""

from __future__ import annotations

import pytest

from vdu_bench.engine.evaluate import evaluate_cells, evaluation_cells
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.engine.weights import MODEL
from vdu_bench.measured import Estimate
from vdu_bench.records import Record, read_records
from vdu_bench.reports.comparable import check_comparable
from vdu_bench.tasks.loading import find_task, with_overrides


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """By row, the models that never saw an 8 judged on the 1: their first training is the original."""
    root = tmp_path_factory.mktemp("another_training")
    folders = {folder.name: folder / MODEL for folder in shipped_artifacts().values()}
    task = with_overrides(
        find_task("digits_1"),
        {"base": str(folders["retrain_8"]), "samples": 600, "probe_settings": {"redraw": {"images": 4}}},
    )
    progress = Progress(quiet=True)
    for name in ("retrain_8_seed1", "retrain_8_seed2", "retrain_1"):
        cells = evaluation_cells(task, str(folders[name]), (0,), "cpu", root / "out", name=name)
        assert evaluate_cells(cells, Store(root / "store"), root / "out", progress, check_comparable).failed == []
    return {record.row: record for record in read_records(root / "out")}


def strict(record: Record) -> Estimate:
    return record.metrics["pul_strict"].estimate


@pytest.mark.parametrize("row", ["retrain_8_seed1", "retrain_8_seed2"])
def test_another_training_on_the_same_images_forgot_nothing(judged: dict[str, Record], row: str) -> None:
    # Its weights are altogether others, and the same noise gives other digits.
    estimate = strict(judged[row])
    assert estimate.low < 0 < estimate.high
    assert estimate.high - estimate.low < 60
    assert abs(estimate.value) < 25


def test_one_without_the_digit_forgot_it(judged: dict[str, Record]) -> None:
    assert strict(judged["retrain_1"]).low > 70
