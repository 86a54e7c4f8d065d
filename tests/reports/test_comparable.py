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
