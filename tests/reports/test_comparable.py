"""What may not stand in one row is refused with the keys that differ, and no others."""

from __future__ import annotations

import pytest
from cells import cells

from vdu_bench.errors import UserError
from vdu_bench.reports.comparable import check_comparable


def test_of_settings_the_keys_that_differ_are_named() -> None:
    records = cells()
    for record in records:
        gamma = 0.3 if record.cell_name == "digits_1/vdu/seed1" else 0.1
        record.settings = {"steps": 40, "weights": "all", "nested": {"gamma": gamma, "same": 1}}
    with pytest.raises(UserError) as caught:
        check_comparable(records)
    said = str(caught.value)
    assert said.startswith("digits_1/vdu: settings of the records differ")
    assert '{"nested.gamma": 0.1} in digits_1/vdu/seed0, digits_1/vdu/seed2' in said
    assert '{"nested.gamma": 0.3} in digits_1/vdu/seed1' in said
    assert "steps" not in said
    assert "same" not in said


def test_how_many_images_are_drawn_at_once_is_no_part_of_it_unless_noise_is_drawn_for_a_batch() -> None:
    records = cells()
    assert records[0].protocol is not None
    records[0].protocol.sampler["batch_size"] = 8
    check_comparable(records)
    for record in records:
        assert record.protocol is not None
        record.protocol.sampler["eta"] = 0.5
    with pytest.raises(UserError, match=r'sampler of the records differ.*\{"batch_size": 8\} in'):
        check_comparable(records)


def test_the_arithmetic_is() -> None:
    records = cells()
    assert records[0].protocol is not None
    records[0].protocol.dtype = "tf32"
    with pytest.raises(UserError, match='dtype of the records differ.*"tf32" in'):
        check_comparable(records)


def test_of_the_protocol_too() -> None:
    records = cells()
    assert records[0].protocol is not None
    records[0].protocol.sampler["steps"] = 50
    with pytest.raises(UserError, match=r'sampler of the records differ.*\{"steps": 50\} in') as caught:
        check_comparable(records)
    assert "dpmsolver" not in str(caught.value)


def test_one_table_is_of_one_base_and_for_each_seed_of_one_retrained_model() -> None:
    records = cells()
    for record in records:
        record.digests = {"base": "aa", "retrain": f"gold{record.seeds.sample}"}
    check_comparable(records)
    records[1].digests["retrain"] = "another"
    with pytest.raises(UserError, match='the retrained model of seed 0 of the records differ.*"another" in'):
        check_comparable(records)
    del records[1].digests["retrain"]
    records[-1].digests["base"] = "bb"
    with pytest.raises(UserError, match='the base model of the records differ.*"bb" in'):
        check_comparable(records)


def test_a_row_is_of_one_posterior() -> None:
    records = cells()
    rows = [record for record in records if record.row == records[0].row]
    assert len(rows) > 1
    rows[0].digests |= {"posterior": "of 10 snapshots"}
    check_comparable(records)
    rows[1].digests |= {"posterior": "of 3 snapshots"}
    with pytest.raises(UserError, match='the posterior of the records differ.*"of 3 snapshots" in'):
        check_comparable(records)


def test_what_a_probe_was_set_to_is_compared_where_it_ran() -> None:
    records = cells()
    records[0].probe_settings = {"relearn": {"looks": [10, 40], "given": [5]}}
    records[1].probe_settings = {"resample": {"steps": [50]}}
    check_comparable(records)
    records[2].probe_settings = {"relearn": {"looks": [10, 80], "given": [5]}}
    with pytest.raises(UserError, match=r'the settings of relearn of the records differ.*\{"looks": \[10, 40\]\} in'):
        check_comparable(records)


def test_a_record_that_does_not_tell_its_base_is_not_put_beside_those_that_do() -> None:
    records = cells()
    one = next(record for record in records if record.cell_name == "digits_1/vdu/seed1")
    one.digests = {}
    with pytest.raises(UserError, match="digits_1: no digest of the base model in digits_1/vdu/seed1, while other"):
        check_comparable(records)
    # Of a model from elsewhere it is not known, and of the records of the first schema none tells it.
    one.role = "external"
    check_comparable(records)
    for record in records:
        record.digests = {}
    check_comparable(records)
