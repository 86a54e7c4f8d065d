"""What a record says twice has to agree: changed by hand in one place, it is refused wherever records are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cells import cells, result, write

from vdu_bench.bits import counted, pack
from vdu_bench.contradictions import contradictions
from vdu_bench.errors import UserError
from vdu_bench.measured import Outcomes
from vdu_bench.packed import PACKED
from vdu_bench.packed import pack as packed_file
from vdu_bench.records import Record, read_records

Plain = dict[str, Any]


@pytest.mark.parametrize("n", [1, 7, 8, 9, 2000])
def test_flags_are_counted_as_they_were_set(n: int) -> None:
    flags = np.random.default_rng(n).random(n) < 0.3
    assert counted(pack(flags), n) == flags.sum()
    # What is beyond the last flag is no flag.
    assert counted("ff" * -(-n // 8), n) == n


def _estimate(plain: Plain, metric: str) -> Plain:
    estimate: Plain = plain["metrics"][metric]["estimate"]
    return estimate


def _flip(plain: Plain) -> None:
    bits = bytearray.fromhex(plain["outcomes"]["forget"]["bits"])
    bits[3] ^= 0x10
    plain["outcomes"]["forget"]["bits"] = bits.hex()


def _another_count(plain: Plain) -> None:
    plain["ledger"]["forget_images"] = 1


def _another_interval(plain: Plain) -> None:
    _estimate(plain, "fd_judge").update(low=99.0, high=101.0)


CHANGES: list[tuple[Callable[[Plain], object], str]] = [
    (_flip, "but the outcomes of its samples give"),
    (lambda plain: _estimate(plain, "pul").update(value=99.0), "pul is 99, but the outcomes of its samples give"),
    (lambda plain: _estimate(plain, "pul").update(total=4000), "but the outcomes of its samples give"),
    (lambda plain: _estimate(plain, "pul").update(n=1999), "pul rests on 1999 samples, but there are outcomes of 2000"),
    (lambda plain: _estimate(plain, "junk_rate").update(value=-5.0), "scale 'share' goes from 0 to 100"),
    (lambda plain: _estimate(plain, "fd_judge").update(value=-1.0), "scale 'positive' goes from 0 to inf"),
    (_another_interval, "outside of its own interval, 99 to 101"),
    (_another_count, "training_images is 132, but what was counted or timed is 1$"),
    (lambda plain: plain["timings"].update(nfe_forward=1), "nfe_forward is 5120, but what was counted or timed is 1$"),
]


def _whole() -> Plain:
    """A record whose PUL tells its total."""
    records = {record.method: record for record in cells(seeds=[0])}
    record, original = records["esd"], records["original"]
    record.metrics["pul"].estimate.total = original.outcomes["forget"].count
    record.metrics["pul"].estimate.n = 2000
    plain: Plain = json.loads(record.to_json())
    return plain


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_record_that_was_changed_in_one_place_is_refused(
    tmp_path: Path, change: Callable[[Plain], object], words: str, packed: bool
) -> None:
    plain = _whole()

    def reads() -> list[Record]:
        if packed:
            (tmp_path / PACKED).write_bytes(packed_file([json.dumps(plain)]))
        else:
            write([Record.model_validate(plain)], tmp_path)
        return read_records(tmp_path)

    assert len(reads()) == 1
    change(plain)
    said = words.removesuffix("$") + ";" * words.endswith("$")
    with pytest.raises(UserError, match="digits_1/esd/seed0, contradicts itself: ") as caught:
        reads()
    assert said in str(caught.value)
    assert "run the cell again" in str(caught.value)


def test_what_is_not_known_contradicts_nothing() -> None:
    found = result("pul", 75.0)
    hits = Outcomes.of(np.arange(20) < 5)
    assert not list(contradictions({"pul": found}, {}, {"pul": None}))
    # Without the original's count nobody can say what the ratio should be.
    assert not list(contradictions({"pul": found}, {"pul": hits}, {"pul": float("nan")}))
    found.estimate.total = 20
    assert not list(contradictions({"pul": found}, {"forget": hits}, {}))
    found.estimate.total = 10
    assert list(contradictions({"pul": found}, {"forget": hits}, {})) == [
        "pul is 75, but the outcomes of its samples give 50"
    ]
    found.estimate.value, found.estimate.reason = float("nan"), "nothing to forget"
    assert not list(contradictions({"pul": found}, {"forget": hits}, {}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"regime": "forget_only"}, "the regime is forget_only, but 7 retained images were drawn"),
        ({"forget_images": 5}, "it could draw from 5 forget images, but drew 125"),
    ],
)
def test_more_than_the_regime_and_the_task_allow_is_a_contradiction_of_a_contestant_alone(
    tmp_path: Path, change: Plain, words: str
) -> None:
    plain = _whole()
    plain["ledger"].update(forget_images=125, retain_images=7)
    write([Record.model_validate(plain)], tmp_path / "whole")
    assert len(read_records(tmp_path / "whole")) == 1
    write([Record.model_validate(plain | change)], tmp_path / "changed")
    with pytest.raises(UserError, match=words):
        read_records(tmp_path / "changed")
    write([Record.model_validate(plain | change | {"role": "reference"})], tmp_path / "reference")
    assert len(read_records(tmp_path / "reference")) == 1


def test_two_lines_of_a_packed_file_with_one_cell_are_refused_unless_they_are_equal(tmp_path: Path) -> None:
    one, other = _whole(), _whole()
    (tmp_path / PACKED).write_bytes(packed_file([json.dumps(one), json.dumps(other)]))
    assert len(read_records(tmp_path)) == 1
    _estimate(other, "fd_judge")["value"] = 1.0
    (tmp_path / PACKED).write_bytes(packed_file([json.dumps(one), json.dumps(other)]))
    with pytest.raises(UserError, match=r"line 2 is a second record of digits_1/esd/seed0: keep one of the two"):
        read_records(tmp_path)


def test_an_infinite_number_is_none() -> None:
    assert list(contradictions({"kid": result("kid", float("inf"))}, {}, {})) == ["kid is inf"]
