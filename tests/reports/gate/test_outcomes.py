from __future__ import annotations

import numpy as np
import pytest
from cells import cells

from vdu_bench.engine.recording import pack
from vdu_bench.errors import UserError
from vdu_bench.reports.gate.outcomes import outcomes


@pytest.mark.parametrize("samples", [1, 8, 9, 2000])
def test_what_was_packed_comes_back(samples: int) -> None:
    record = cells(seeds=[0])[0]
    flags = np.random.default_rng(0).random(samples) < 0.3
    record.protocol.samples = samples
    record.outcomes["forget"] = pack(flags)
    assert np.array_equal(outcomes(record, "forget"), flags)


def test_none_where_there_are_none() -> None:
    assert outcomes(cells(seeds=[0])[0], "other") is None


@pytest.mark.parametrize("text", ["", "00", "zz" * 250])
def test_another_number_of_bits_is_an_error(text: str) -> None:
    record = cells(seeds=[0])[0]
    record.outcomes["forget"] = text
    with pytest.raises(UserError, match=r"digits_1/original/seed0: outcomes\.forget"):
        outcomes(record, "forget")
