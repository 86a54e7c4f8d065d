"""What a run is expected to take, against made-up records and the shipped models' own training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.estimate import Described, Estimate, Guess, duration, estimate
from vdu_bench.engine.few_samples import INCEPTION, too_few
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.tasks.loading import find_task, with_overrides

SETTINGS = {"steps": 10, "batch_size": 4}


def described(_: Cell) -> Described:
    return SETTINGS, 10, 4


def cell(method: str, seed: int = 0) -> Cell:
    return Cell(find_task("digits_1"), method, {}, "full", seed, "cpu")


def record(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "task": "digits_1",
        "family": "digits",
        "method": "esd",
        "settings": settings,
        "timings": {"nfe_forward": 120, "nfe_backward": 60, "sample_seconds": 20.0},
        "probes": {"samples": {"forward": 40000}, "redraw": {"forward": 4000}},
        "protocol": {"samples": 2000, "sampler": find_task("digits_1").sampler.model_dump(mode="json")},
    }


def test_counts_and_rates_are_those_of_a_record(tmp_path: Path) -> None:
    store = Store(tmp_path, shipped_artifacts())
    plan = estimate([cell("esd"), cell("original")], [record(SETTINGS)], store, described)
    assert plan.shared == {}
    esd, original = plan.cells.values()
    assert (esd.forward, original.forward) == (120 + 44000, 44000)
    assert esd.seconds == pytest.approx((120 + 2 * 60 + 44000) * 20 / 40000)
    half = estimate([cell("esd")], [record({"steps": 5, "batch_size": 4})], store, described)
    assert next(iter(half.cells.values())).forward == 240 + 44000
    assert "in proportion" in half.sources[0]


def test_attacks_are_counted_as_records_tell_of_them(tmp_path: Path) -> None:
    store = Store(tmp_path, shipped_artifacts())
    attacked = record(SETTINGS)
    attacked["probes"] |= {"relearn": {"forward": 7000, "backward": 500}, "resample": {"forward": 900}}
    task = find_task("digits_1")

    def under(*attacks: str, **changes: Any) -> Estimate:
        changed = with_overrides(task, {"attacks": list(attacks), **changes})
        return estimate([Cell(changed, "esd", {}, "full", 0, "cpu")], [record(SETTINGS), attacked], store, described)

    (guess,) = under("relearn").cells.values()
    assert guess.forward == 120 + 44000 + 7000
    assert guess.seconds == pytest.approx((120 + 44000 + 7000 + 2 * (60 + 500)) * 20 / 40000)
    # None of them where none are asked for, though a record has some.
    assert next(iter(under().cells.values())).forward == 120 + 44000
    some = under("resample", "membership")
    assert next(iter(some.cells.values())).forward == 120 + 44000 + 900
    assert (some.uncounted, under("relearn").uncounted) == (("membership",), ())
    assert under("relearn", probe_settings={"relearn": {"looks": [3]}}).uncounted == ("relearn",)


def test_without_records_the_rate_is_that_of_the_base_s_training(tmp_path: Path) -> None:
    shipped = Store(tmp_path, shipped_artifacts())
    plan = estimate([cell("vdu")], [], shipped, described)
    assert next(iter(plan.cells.values())).forward == 40 + 40000
    assert 0 < plan.seconds < 600
    assert "base's training" in plan.sources[-1]
    bare = estimate([cell("retrain")], [], Store(tmp_path), described)
    assert math.isnan(bare.seconds)
    assert [guess.forward for guess in bare.shared.values()] == [3000 * 128, 3000 * 128]


def test_every_base_and_retrained_model_that_is_missing_is_named_by_its_train_seed(tmp_path: Path) -> None:
    task = find_task("digits_1")
    bases = [with_overrides(task, {"model": {"training": {"seed": seed}}}) for seed in (0, 4, 5)]
    cells = [Cell(base, "retrain", {}, "full", 0, "cpu") for base in bases]
    plan = estimate(cells, [], Store(tmp_path, shipped_artifacts()), described)
    assert list(plan.shared) == [
        "digits: base model, train seed 4",
        "digits: retrain model without 1, train seed 4",
        "digits: base model, train seed 5",
        "digits: retrain model without 1, train seed 5",
    ]


def test_a_base_for_other_data_is_not_there_though_its_recipe_is(tmp_path: Path) -> None:
    task = with_overrides(find_task("digits_1"), {"data": {"source": "mnist"}})
    plan = estimate([Cell(task, "esd", {}, "full", 0, "cpu")], [], Store(tmp_path, shipped_artifacts()), described)
    assert list(plan.shared) == ["digits: base model, train seed 0"]
    assert estimate([cell("esd")], [], Store(tmp_path, shipped_artifacts()), described).shared == {}


def test_what_is_left_follows_what_was_seen() -> None:
    plan = Estimate({"a": Guess(1, 10.0), "b": Guess(1, 30.0)}, {}, at_once=2)
    assert plan.seconds == 20
    assert plan.left(["a"], 5.0) == 15
    unknown = Estimate({"a": Guess(1, math.nan), "b": Guess(1, math.nan), "c": Guess(1, math.nan)}, {})
    assert unknown.left(["a"], 5.0) == 10
    assert [duration(seconds) for seconds in (40, 240, 9000, math.nan)] == ["40 s", "4 min", "2.5 h", ""]


def test_too_few_samples_are_told_before_anything_runs() -> None:
    from vdu_bench.metrics.inception import FEATURES

    assert INCEPTION == FEATURES
    task = find_task("digits_1")
    assert too_few([task]) == []
    (line,) = too_few([with_overrides(task, {"samples": 64})])
    assert "64 samples are too few" in line
    assert too_few([with_overrides(task, {"samples": 65})]) == []
