"""The committed sweep over the number of forget images: whole, and no method saw more than it was allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdu_bench.records import Record, read_records

RESULTS = Path(__file__).parent.parent / "results" / "forget_images"
NUMBERS = {"digits_1": (1, 5, 25, None), "mnist_1_small": (10, 100, 1000, None)}
"""None: all of them."""
CONTESTANTS = {"digits_1": {"vdu", "esd", "gradient_ascent"}, "mnist_1_small": {"vdu"}}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return read_records(RESULTS)


def test_it_is_whole(records: list[Record]) -> None:
    found = {(record.task, record.forget_images, record.method, record.seeds.sample) for record in records}
    assert found == {
        (task, number, method, seed)
        for task, numbers in NUMBERS.items()
        for number in numbers
        for method in {"original", "retrain"} | CONTESTANTS[task]
        for seed in (0, 1, 2)
    }
    assert {record.status for record in records} == {"ok"}
    assert not any(record.environment["git_dirty"] for record in records)


def test_no_method_drew_more_images_than_there_were(records: list[Record]) -> None:
    limited = [r for r in records if r.method in CONTESTANTS[r.task] and r.forget_images is not None]
    for record in limited:
        assert record.ledger is not None
        assert record.forget_images is not None
        assert 0 < record.ledger.forget_images <= record.forget_images
        assert record.ledger.retain_images == 0


@pytest.mark.parametrize("task", NUMBERS)
def test_it_is_drawn(task: str) -> None:
    assert (RESULTS / "plots" / f"{task}_forget_images.png").is_file()
