"""What torchrun told a process, and what is no word of its."""

from __future__ import annotations

import pytest
from commands import cli

from vdu_bench.errors import UserError
from vdu_bench.launch import launched, local_rank, rank

ASKED = {"WORLD_SIZE": launched, "RANK": rank, "LOCAL_RANK": local_rank}


@pytest.mark.parametrize("name", ASKED)
def test_a_variable_that_is_no_number_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    assert ASKED[name]() == (name == "WORLD_SIZE")
    monkeypatch.setenv(name, "3")
    assert ASKED[name]() == 3
    for wrong in ("", "two", "-1", "1.0"):
        monkeypatch.setenv(name, wrong)
        with pytest.raises(UserError, match=f"the variable {name} is '{wrong}', and torchrun sets it to a number"):
            ASKED[name]()


def test_the_command_says_it_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WORLD_SIZE", "")
    cli("run", "--task", "digits_1", "--methods", "original", code=2)
    assert capsys.readouterr().err.startswith("vdu-bench: the variable WORLD_SIZE is ''")
