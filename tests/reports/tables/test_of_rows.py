"""What is the same in all rows is said once; what differs has a column."""

from __future__ import annotations

import pytest

from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.of_rows import of_rows
from vdu_bench.reports.tables.render import render


def test_all_the_same_is_one_sentence(make_records) -> None:
    board = leaderboards(make_records(tasks=("digits_1",)))[0]
    told = of_rows(board)
    assert told.columns == {}
    assert told.shared == "all rows: regime full, seeds 0-2, status ok"


def test_what_differs_is_a_column(make_records, make_record) -> None:
    board = leaderboards([*make_records(tasks=("digits_1",)), make_record("boom", status="diverged")])[0]
    told = of_rows(board)
    names = [row.method for row in board.rows]
    assert told.shared == "all rows: regime full"
    assert {name: texts[names.index("boom")] for name, texts in told.columns.items()} == {
        "seeds": "0",
        "status": "diverged",
    }
    assert {text for at, text in enumerate(told.columns["status"]) if names[at] != "boom"} == {"ok"}


@pytest.mark.parametrize(("form", "start"), [("markdown", "- "), ("latex", "")])
def test_files_say_it_once_and_need_no_table_for_it(make_records, form: str, start: str) -> None:
    text = render(make_records(tasks=("digits_1",)), form, metrics=["pul"])
    assert f"{start}all rows: regime full, seeds 0-2, status ok" in text
    assert text.count("vdu") == 1
    assert "status" not in text.replace("status ok", "")
