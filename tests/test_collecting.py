"""The collector is off within, and afterwards as it was, whatever happened."""

from __future__ import annotations

import gc

import pytest

from vdu_bench.collecting import uncollected


def test_off_within_and_on_again_after_an_error() -> None:
    def failing() -> None:
        with uncollected():
            assert not gc.isenabled()
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        failing()
    assert gc.isenabled()


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
