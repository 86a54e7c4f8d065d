"""The leaderboard in every format."""

from __future__ import annotations

import io
import json
import re

import pandas as pd
import pytest
from latex import assert_balanced
from rich.console import Console

from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.render import render
from vdu_bench.reports.tables.terminal import print_leaderboards


@pytest.fixture
def records(make_records, make_record):
    return [*make_records(), make_record("a_b%c&d|e", role="external"), make_record("boom", status="diverged")]


def test_markdown(records):
    text = render(records, "markdown")
    assert text.count("## ") == 2
    assert r"a_b%c&d\|e (external)" in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for table in tables:
        # Every line has as many cells as the header.
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert re.search(r"\| vdu ◇ +\| +\d+\.\d \[\d+\.\d, \d+\.\d\] \|", tables[0])
    assert re.search(r"\| gradient_ascent ◇ +\| +\*\*\d+\.\d \[\d+\.\d, \d+\.\d\]\*\* \|", tables[0])
    assert re.search(r"\| boom +\| +diverged \|", tables[0])
    assert "- boom, seed 0: diverged: the loss is not finite at step 7" in text


def test_csv_is_numeric(records):
    frame = pd.read_csv(io.StringIO(render(records, "csv"))).set_index(["task", "method"])
    boards = {board.task: board for board in leaderboards(records)}
    assert len(frame) == sum(len(board.rows) for board in boards.values())
    row = next(row for row in boards["digits_1"].rows if row.method == "vdu")
    found = frame.loc[("digits_1", "vdu")]
    assert (found.pul, found.pul_low, found.pul_high) == pytest.approx(
        (row.estimates["pul"].value, row.estimates["pul"].low, row.estimates["pul"].high), rel=1e-12
    )
    assert found.seeds == "0 1 2"
    assert frame.loc[("digits_1", "boom")].status == "diverged"
    assert pd.isna(frame.loc[("digits_1", "boom")].pul)


def test_json_holds_all_of_the_board(records):
    (board, _) = json.loads(render(records, "json"))
    assert board["task"] == "digits_1"
    assert board["protocol"]["samples"] == 2000
    rows = {row["method"]: row for row in board["rows"]}
    assert rows["vdu"]["estimates"]["pul"]["method"].endswith("over 3 seeds, scatter pooled over rows")
    assert rows["boom"]["estimates"]["pul"]["value"] is None
    assert rows["boom"]["by_seed"]["pul"] == [None]
    assert sum(rows["vdu"]["by_seed"]["pul"]) / 3 == pytest.approx(rows["vdu"]["estimates"]["pul"]["value"])
    assert {column["name"] for column in board["columns"]} == set(rows["vdu"]["estimates"])


def test_latex_is_balanced_and_escaped(records):
    text = render(records, "latex")
    assert r"a\_b\%c\&d\textbar{}e (external)" in text
    assert_balanced(text)
    tables = 4 + text.count(", continued.")
    assert text.count(r"\begin{table*}") == text.count(r"\toprule") == text.count(r"\bottomrule") == tables
    # Nothing special is left bare outside labels, and no arrow in Unicode.
    body = re.sub(r"\\label\{[^}]*\}|\\.", "", text)
    assert not re.search(r"[_%#~^↑↓]", body)
    for table in re.findall(r"\\toprule(.*?)\\bottomrule", text, flags=re.DOTALL):
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


def test_latex_is_no_wider_than_a_page(make_records):
    """Twenty further metrics are too many to stand beside each other."""
    records = make_records()
    for record in records:
        for index in range(20):
            record.metrics[f"further_{index}"] = record.metrics["class_shift"].model_copy(
                update={"label": f"further_{index}", "headline": False}
            )
    text = render(records, "latex", settings=True)
    tables = re.findall(r"\\toprule(.*?)\\bottomrule", text, flags=re.DOTALL)
    widths = []
    for table in tables:
        rows = [re.split(r"(?<!\\)&", line) for line in table.splitlines() if line.endswith(r"\\")]
        columns = zip(*(map(plain_lines, row) for row in rows), strict=True)
        widths.append(sum(max(len(line) for lines in column for line in lines) + 2 for column in columns))
    assert max(widths) <= 120
    assert text.count(", further metrics, continued.") >= 4
    assert len(set(re.findall(r"\\label\{(.*?)\}", text))) == len(tables)


def plain_lines(cell: str) -> list[str]:
    """What a cell shows, line by line; small print by as many characters as it is wide."""
    cell = re.sub(r"\\(begin\{tabular\}\[.\]\{@\{\}r@\{\}\}|end\{tabular\})", "", cell.strip().removesuffix(r"\\"))
    cell = re.sub(r"\$\^?\\(uparrow|downarrow|dagger|diamond|otimes)\$", "^", cell)
    cell = re.sub(r"\\textbf\{(.*?)\}", r"\1", cell)
    lines = [re.sub(r"\\(?=[_%])|[{}]", "", line).strip() for line in cell.split(r"\\")]
    small = r"\scriptsize "
    return [line.removeprefix(small)[: -(len(line) - len(small)) // 8] if small in line else line for line in lines]


@pytest.mark.parametrize("form", ["markdown", "latex", "json", "csv"])
def test_a_task_where_nothing_was_measured(make_record, form):
    text = render([make_record(status="failed")], form)
    assert "failed" in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_terminal_tables_fit(records, width):
    lines = terminal(records, width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    for method in ("original", "gradient_ascent", "boom"):
        assert any(line.startswith(method) for line in lines)
    assert sum("diverged" in line for line in lines) >= 2


def test_the_main_terminal_table_stays_whole(make_records):
    text = terminal(make_records(("digits_1",)), 110)
    first = text.split("gradient_ascent")[0]
    # Last column of the main table, in the first header.
    assert "training" in first
    assert len(re.findall("^method ", text, flags=re.MULTILINE)) == 2


def test_names_are_not_read_as_markup(make_record):
    assert "[red]x[/red]" in terminal([make_record("[red]x[/red]")], 120)


def terminal(records, width):
    stream = io.StringIO()
    print_leaderboards(leaderboards(records), Console(file=stream, width=width))
    return stream.getvalue()
