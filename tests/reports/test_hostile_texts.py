"""Texts in somebody else's records: no formula of a spreadsheet, no HTML in Markdown, no line of their own."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from cells import cells

from vdu_bench.records import Record
from vdu_bench.reports.csv_text import csv_text, guarded
from vdu_bench.reports.layouts import render_table
from vdu_bench.reports.screen import screen
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.render import markdown_line, markdown_text, to_markdown
from vdu_bench.reports.tables.terminal import print_leaderboards

FORMULA = "=cmd|' /C calc'!A0"
COMMAND = "fine\n::error::merged\r\n::set-env name=a::b"


def hostile(text: str) -> list[Record]:
    """Records with a text wherever one stands that is printed as it is."""
    records = cells(seeds=[0])
    for record in records:
        assert record.protocol is not None
        record.protocol.scale, record.regime = text, text
        record.warnings = [text]
    records[-1].status, records[-1].reason, records[-1].metrics = "failed", text, {}
    records[-1].method_changes = {text: 1}
    return records


@pytest.mark.parametrize("layout", ["leaderboard", "long"])
def test_no_text_is_a_formula(layout: str) -> None:
    text = render_table(hostile(FORMULA), layout, "csv")  # type: ignore[arg-type]
    found = [value for row in csv.reader(io.StringIO(text)) for value in row]
    assert f"'{FORMULA}" in found
    assert not [value for value in found if value.startswith("=")]


def test_numbers_and_common_texts_stay_as_they_are() -> None:
    for value in ("-0.5", "+1e-3", "vdu[gamma=0.3]", "-", "", -1.5, None):
        assert guarded(value) is value
    assert [guarded(text) for text in ("@SUM(A1)", "+1+1", "-2+3", "\t=1")] == [
        "'@SUM(A1)",
        "'+1+1",
        "'-2+3",
        "'\t=1",
    ]
    frame = pd.DataFrame({"=a": ["=1", None], "b": [-1.5, float("nan")], "c": [True, False]})
    assert csv_text(frame) == "'=a,b,c\n'=1,-1.5,True\n,,False\n"


def test_markdown_has_no_html_of_a_record_s() -> None:
    text = "<script>alert(1)</script>\n\n# title & <!-- x --> &lt;"
    assert markdown_line(text) == "&lt;script>alert(1)&lt;/script> # title & &lt;!-- x --> &amp;lt;"
    assert markdown_text("a | b") == r"a \| b"
    assert markdown_line("2 < 3, A & B, a<br>b") == "2 < 3, A & B, a<br>b"
    whole = to_markdown(leaderboards(hostile(text)))
    assert "alert(1)" in whole
    assert "<script" not in whole
    assert not [line for line in whole.splitlines() if line.startswith("# ")]


def test_no_text_begins_a_line_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    # At a width that is asked for lines are folded, wherever that may be.
    monkeypatch.delenv("COLUMNS", raising=False)
    boards, file = leaderboards(hostile(COMMAND)), io.StringIO()
    print_leaderboards(boards, screen(file))
    shown = file.getvalue() + to_markdown(boards)
    assert "::error::merged" in shown
    assert not [line for line in shown.splitlines() if line.lstrip().startswith("::")]
