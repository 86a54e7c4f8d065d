"""The table of a dry run: names give way to numbers."""

from __future__ import annotations

import io

from rich.console import Console

from vdu_bench.reports.plan import fold, print_plan

NAME = "digits_1-forget25+samples=1000/selective_amnesia+regime=forget_and_retain"


def test_numbers_are_whole_at_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80)
    print_plan([(NAME, "0-2", "0 of 3", "1,080,123", "12 min"), ("digits_1/vdu", "0", "1 of 1", "-", "-")], [], console)
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[2].split()[1:] == ["0-2", "0", "of", "3", "1,080,123", "12", "min"]
    assert all(len(line) <= 80 for line in lines)
    numbers = lines[0].index("seeds")
    assert "".join(line[:numbers].strip() for line in lines[2:4]) == NAME
    assert "evaluations" in lines[0]


def test_a_name_is_broken_where_its_parts_meet() -> None:
    assert fold(NAME, 100) == NAME
    assert fold(NAME, 40).split("\n") == [
        "digits_1-forget25+samples=1000/",
        "  selective_amnesia+",
        "  regime=forget_and_retain",
    ]
    assert fold("a" * 40, 20).replace("\n", "").replace(" ", "") == "a" * 40
    assert max(map(len, fold("a" * 40, 20).split("\n"))) == 20
