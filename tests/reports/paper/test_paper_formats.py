"""The paper's table as text: every number where it belongs, and LaTeX that compiles."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from cells import cells
from latex import assert_balanced

from vdu_bench.errors import UserError
from vdu_bench.records import Record
from vdu_bench.reports.layouts import format_of
from vdu_bench.reports.paper.formats import render_paper
from vdu_bench.reports.paper.published import published_folder, read_published
from vdu_bench.reports.tables.leaderboard import leaderboards

SUITE = read_published(published_folder())
TASKS = {
    "mnist_1": ("mnist", "1"),
    "mnist_8": ("mnist", "8"),
    "cifar10_ship": ("cifar10", "ship"),
    "tinyimagenet_butcher_shop": ("tinyimagenet", "butcher shop"),
    "celeba_hats": ("celeba", "Wearing_Hat"),
    "celeba_bangs": ("celeba", "Bangs"),
    "celeba_eyeglasses": ("celeba", "Eyeglasses"),
}


@pytest.fixture(scope="module")
def full() -> list[Record]:
    """Class and feature tasks of four data sets, with a diverged cell, an external one and names that LaTeX minds."""
    records = []
    for task, (family, forget) in TASKS.items():
        for record in cells({"[odd]_%&|~": 0.3}, task=task):
            record.family, record.forget, record.protocol.scale = family, forget, "full"
            if family == "celeba":
                record.metrics["fid_inception"] = record.metrics.pop("fd_judge")
                record.metrics["fid_inception"].label = "fid_inception_10000"
            if record.method.startswith("[odd]"):
                record.role = "external"
            if record.cell_name == "cifar10_ship/esd/seed2":
                record.status, record.reason, record.metrics = "diverged", "NaN at step 7", {}
            records.append(record)
    return records


def markdown_rows(text: str) -> list[list[str]]:
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines]


def test_markdown_has_the_mean_and_its_interval_and_the_best_group_in_bold() -> None:
    records = cells({"vdu": 0.2, "esd": 0.5})
    header, _, *rows = markdown_rows(render_paper(records, "markdown", SUITE))
    assert header == ["method", "digits 1: PUL (%) ↑", "digits 1: fd_judge_2000 ↓"]
    (board,) = leaderboards(records)
    for row in board.rows:
        estimate = row.estimates["pul"]
        text = f"{estimate.value:.1f}" + (f" [{estimate.low:.1f}, {estimate.high:.1f}]" if estimate.high > 0 else "")
        (shown,) = [cells for cells in rows if cells[0] == row.method]
        assert shown[1] == (f"**{text}**" if row.method == "vdu" else text)


def test_of_one_seed_the_number_has_its_own_interval() -> None:
    records = cells(seeds=[0])
    (record,) = [record for record in records if record.method == "vdu"]
    record.metrics["pul"].estimate = record.metrics["pul"].estimate.model_copy(
        update={"value": 1812.0, "low": -1701.5, "high": 1855.25}
    )
    assert "1,812.0 [-1,701.5, 1,855.2]" in render_paper(records, "markdown", [])
    assert r"1{,}812.0\ [-1{,}701.5, 1{,}855.2]" in render_paper(records, "latex", [])


def test_markdown_sets_published_beside_measured(full: list[Record]) -> None:
    header, _, *rows = markdown_rows(render_paper(full, "markdown", SUITE))
    place = header.index("mnist 8: PUL (%) ↑")
    assert header[place + 1] == "mnist 8: PUL (%) ↑, published [1]"
    by_name = {row[0]: row for row in rows}
    assert by_name["as listed for the paper"][place : place + 3] == ["-", "68.96", "-"]
    assert by_name["vdu"][place + 1] == "-"
    assert by_name["esd"][header.index("cifar10 ship: PUL (%) ↑")] == "diverged"
    assert r"[odd]_%&\|~ (external)" in by_name
    assert len({len(row) for row in rows}) == 1


def test_csv_has_one_header_row_and_unrounded_numbers(full: list[Record]) -> None:
    frame = pd.read_csv(io.StringIO(render_paper(full, "csv", SUITE))).set_index("method")
    assert frame.columns.is_unique
    board = next(board for board in leaderboards(full) if board.task == "mnist_1")
    estimate = next(row for row in board.rows if row.method == "vdu").estimates["pul"]
    names = ["mnist_1/pul", "mnist_1/pul_low", "mnist_1/pul_high"]
    assert list(frame.loc["vdu", names]) == pytest.approx([estimate.value, estimate.low, estimate.high], rel=1e-12)
    assert dict(frame["mnist_1/pul_best"].dropna()) == {"vdu": "best"}
    assert not frame["mnist_1/destroyed"].any()
    assert frame.loc["esd", "cifar10_ship/status"] == "diverged"
    assert pd.isna(frame.loc["esd", "cifar10_ship/pul"])
    assert frame.loc["as listed for the paper", "mnist_1/pul (arXiv:2510.04058)"] == 75.06
    assert frame["mnist_1/pul (arXiv:2510.04058)"].count() == 1
    assert frame.loc["vdu", "mnist_1/seeds"] == "0 1 2"
    assert set(frame.scale) == {"full"}


def test_a_csv_of_two_scales_is_refused(full: list[Record]) -> None:
    with pytest.raises(UserError, match=r"several scales \(embedded, full\).*--scale"):
        render_paper([*full, *cells()], "csv", SUITE)
    for form in ("markdown", "latex"):
        text = render_paper([*full, *cells()], form, SUITE)
        assert text.index("Embedded scale") < text.index("Full scale")


@pytest.mark.parametrize("several", [False, True])
def test_latex_is_balanced(full: list[Record], several: bool) -> None:
    text = render_paper([*full, *cells()] if several else cells(), "latex", SUITE)
    assert_balanced(text)
    tables = re.findall(r"\\begin\{tabular\}\{@\{\}(l[r]+)@\{\}\}\n\\toprule(.*?)\\bottomrule", text, flags=re.DOTALL)
    assert len(tables) == text.count(r"\toprule") >= (4 if several else 1)
    for columns, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        for row in rows:
            spans = sum(int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert len(re.findall(r"(?<!\\)&", row)) + spans == len(columns) - 1, row
        assert all(int(last) <= len(columns) for last in re.findall(r"\\cmidrule\(lr\)\{\d+-(\d+)\}", body))
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels)) == text.count(r"\begin{table*}")


def test_latex_compiles_and_fits_the_page(full: list[Record], tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex")
    single = cells(seeds=[0], task="digits_8")
    for record in single:
        record.forget = "8"
    tables = render_paper([*full, *cells(), *single], "latex", SUITE)
    document = r"\documentclass[twocolumn]{article}\usepackage{booktabs}\begin{document}" + tables + r"\end{document}"
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000
    assert "Overfull" not in done.stdout
    assert "too large for page" not in done.stdout


@pytest.mark.parametrize(
    ("layout", "form", "published", "words"),
    [
        ("paper", "json", None, "--layout paper has no --format json; use terminal or markdown or latex or csv"),
        ("long", "latex", None, "--layout long has no --format latex; use csv or json"),
        ("long", None, Path("mine"), "--published goes with --layout paper"),
        ("papers", None, None, "did you mean 'paper'"),
    ],
)
def test_options_that_do_not_go_together(layout: str, form: str | None, published: Path | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        format_of(layout, form, published)


def test_each_layout_has_a_default() -> None:
    assert [format_of(layout, None, None) for layout in ("leaderboard", "paper", "long")] == [
        "terminal",
        "terminal",
        "csv",
    ]
