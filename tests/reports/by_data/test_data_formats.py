"""The table of data as text: every number where it belongs, 80 columns are enough, and LaTeX that compiles."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from amounts import by_amount
from latex import assert_balanced
from rich.console import Console

from vdu_bench.records import Record
from vdu_bench.reports.by_data.table import DataTable, data_tables
from vdu_bench.reports.by_data.terminal import print_data
from vdu_bench.reports.layouts import format_of, render_table

REGIMES = ("forget_only", "forget_and_retain", "full")


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """With a name that LaTeX minds, and a cell that diverged."""
    found = by_amount((1, 5, 25, None), REGIMES)
    for record in found:
        if record.method == "esd":
            record.method = "[odd]_%&|~"
            if (record.forget_images, record.regime, record.seeds.sample) == (25, "full", 1):
                record.status, record.reason, record.metrics = "diverged", "NaN at step 7", {}
    return found


@pytest.fixture(scope="module")
def table(records: list[Record]) -> DataTable:
    (one,) = data_tables(records)
    return one


def value(table: DataTable, name: str, regime: str, images: int | None, metric: int = 0) -> float:
    (place,) = [
        place
        for (row, amount), place in table.places.items()
        if (row.name, amount.regime, amount.forget_images) == (name, regime, images)
    ]
    return place.estimate(table.metrics[metric]).value


def test_markdown_has_a_part_for_each_regime_and_both_numbers_in_a_cell(
    records: list[Record], table: DataTable
) -> None:
    text = render_table(records, "data", "markdown")
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line] for line in lines]
    heads = [row for row in rows if row[0] == "method"]
    images = ("1 image", "5 images", "25 images", "all (132)")
    assert heads == [["method", *(f"{regime}<br>{some}" for some in images)] for regime in REGIMES]
    vdu = [row for row in rows if row[0] == "vdu"]
    assert len(vdu) == 3
    for regime, row in zip(REGIMES, vdu, strict=True):
        for some, cell in zip((1, 5, 25, None), row[1:], strict=True):
            for metric, shown in enumerate(cell.split("<br>")):
                digits = re.search(r"[\d.]+", shown)
                assert digits is not None
                assert float(digits[0]) == pytest.approx(value(table, "vdu", regime, some, metric), abs=0.051)
    assert next(row[1:] for row in rows if row[0] == "finetune") == [""] * 4
    # A posterior that was tried in one regime has no row in the others.
    assert [row[1:4] for row in rows if row[0] == "vdu, 2 snapshots"] == [["-"] * 3]
    assert any(row[0] == r"[odd]_%&\|~" and row[3] == "diverged" for row in rows)
    assert "In each cell PUL (%) ↑, under it fd_judge_2000 ↓." in text
    assert "\n- empty, cannot run: needs retain_images, which forget_only forbids (finetune)\n" in text


def test_few_columns_stand_beside_each_other() -> None:
    text = render_table(by_amount((5,), REGIMES, ()), "data", "markdown")
    (head,) = [line for line in text.splitlines() if line.startswith("| method")]
    assert [cell.strip() for cell in head.split("|")[2:-1]] == [f"{regime}<br>5 images" for regime in REGIMES]


def test_csv_has_a_row_for_each_method_and_amount(records: list[Record], table: DataTable) -> None:
    text = render_table(records, "data", "csv")
    frame = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert len(frame) == len(table.rows) * len(table.amounts)
    one = frame[(frame.method == "vdu") & (frame.snapshots == "") & (frame.regime == "full")]
    assert list(one.forget_images) == ["1", "5", "25", ""]
    for _, found in one.iterrows():
        images = int(found.forget_images) if found.forget_images else None
        assert float(found.pul) == pytest.approx(value(table, "vdu", "full", images), rel=1e-12)
        assert float(found.pul_low) < float(found.pul) < float(found.pul_high)
    (lost,) = frame[(frame.method == "[odd]_%&|~") & (frame.status == "diverged")].to_dict("records")
    assert (lost["forget_images"], lost["pul"], lost["run"]) == ("25", "", "yes")
    runs = frame[frame.method == "finetune"].groupby("regime").run.unique()
    assert list(runs["forget_only"]) == ["needs retain_images, which forget_only forbids"]
    assert list(runs["full"]) == ["yes"]
    assert set(frame[frame.snapshots == "2"].run) == {"yes", "no"}
    assert set(frame[frame.destroyed == "True"].forget_images) == {"1", "5"}
    assert "settings_from" not in frame
    assert "settings_from" in render_table(records, "data", "csv", settings=True)


def test_latex_is_balanced_and_every_row_has_all_columns(records: list[Record]) -> None:
    text = render_table([*records, *other_task()], "data", "latex")
    assert_balanced(text)
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels)) == text.count(r"\begin{table*}")
    plain = re.sub(r"\\begin\{tabular\}\[t\].*?\\end\{tabular\}", "cell", text)
    bodies = re.findall(r"\\begin\{tabular\}\{@\{\}(l[r]+)@\{\}\}\n\\toprule(.*?)\\bottomrule", plain, flags=re.DOTALL)
    assert len(bodies) == text.count(r"\toprule") >= 4
    for columns, body in bodies:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        for row in rows:
            spans = sum(int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert len(re.findall(r"(?<!\\)&", row)) + spans == len(columns) - 1, row
    assert r"{}[odd]\_\%\&\textbar{}\textasciitilde{} &" in text
    assert r"$\otimes$ gradient\_ascent has destroyed the model" in text


def other_task() -> list[Record]:
    found = by_amount(limits=(5, None), snapshots=())
    for record in found:
        record.task, record.forget = "digits_8", "8"
    return found


def test_latex_compiles_and_fits_the_page(records: list[Record], tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex")
    tables = render_table([*records, *other_task()], "data", "latex")
    document = r"\documentclass[twocolumn]{article}\usepackage{booktabs}\begin{document}" + tables + r"\end{document}"
    (tmp_path / "data.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "data.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "too large for page" not in done.stdout


@pytest.mark.parametrize(("width", "beside"), [(80, False), (120, True)])
def test_the_terminal_cuts_nothing_at_80_columns(table: DataTable, width: int, beside: bool) -> None:
    stream = io.StringIO()
    print_data([table], Console(file=stream, width=width))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    titles = [line for line in lines if re.match(r"(PUL|fd_judge).*, (forget_only|forget_and_retain|full)$", line)]
    assert len(titles) == 6
    # Each of the six in one piece, with all four columns.
    heads = [line for line in lines if line.startswith("method")]
    assert [" ".join(line.split()) for line in heads] == ["method 1 image 5 images 25 images all (132)"] * 6
    (first, *_) = [index for index, line in enumerate(lines) if line.startswith("vdu ")]
    assert bool(re.search(r"\d\.\d \[", lines[first])) is beside
    assert bool(re.match(r" +\[", lines[first + 1])) is not beside


def test_it_is_a_layout_with_a_default() -> None:
    assert format_of("data", None, None) == "terminal"
