from __future__ import annotations

import numpy as np
import pytest

from vdu_bench.bits import pack, unpack


@pytest.mark.parametrize("samples", [0, 1, 8, 9, 2000])
def test_what_was_packed_comes_back(samples: int) -> None:
    flags = np.random.default_rng(0).random(samples) < 0.3
    assert np.array_equal(unpack(pack(flags), samples), flags)


def test_the_first_is_the_highest_bit() -> None:
    assert pack(np.array([True, False, False, False, False, False, False, True, True])) == "8180"


@pytest.mark.parametrize(("text", "words"), [("", "0 bytes"), ("00", "1 bytes"), ("0000ff", "3 bytes"), ("zz", "hex")])
def test_another_number_of_bits_is_an_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        unpack(text, 9)
