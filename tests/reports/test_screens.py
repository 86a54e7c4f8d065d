"""What is printed at common widths: every line fits, no word is torn, and what is piped is not folded."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cells import cells
from rich.console import Console

from vdu_bench.data.catalog import SOURCES
from vdu_bench.measured import NOT_REACHED, Estimate, MetricResult
from vdu_bench.methods.catalog import METHODS
from vdu_bench.metrics.catalog import METRICS, metric_facts
from vdu_bench.probes.catalog import PROBES
from vdu_bench.records import Record, read_records
from vdu_bench.registry import OURS
from vdu_bench.reports import ever_run
from vdu_bench.reports.layouts import FORMATS, robustness_metrics
from vdu_bench.reports.lines import cut, print_lines
from vdu_bench.reports.listings import listing
from vdu_bench.reports.paper.published import published_folder, read_published
from vdu_bench.reports.paper.table import paper_tables
from vdu_bench.reports.paper.terminal import print_paper
from vdu_bench.reports.screen import UNFOLDED, screen
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.terminal import print_headlines, print_leaderboards
from vdu_bench.reports.tables.views import HEADLINES, UNATTACKED, headlines, sorted_by, viewed, with_metrics

RESULTS = Path(__file__).parents[2] / "results"
WIDTHS = (80, 100, 140)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return read_records(RESULTS / "reference")


Printer = Callable[[list[Record], Console], None]
SCREENS: dict[str, Printer] = {
    "run": lambda records, console: print_headlines(leaderboards(records), console, "--all, or results/leaderboard.md"),
    "table": lambda records, console: print_leaderboards(leaderboards(records), console),
    "paper": lambda records, console: print_paper(paper_tables(records, read_published(published_folder())), console),
    **{
        kind: lambda _, console, kind=kind: print_lines(kind, listing(kind), console)  # type: ignore[misc]
        for kind in ("tasks", "methods", "probes", "metrics", "sources")
    },
}


def shown(screen: str, records: list[Record], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    SCREENS[screen](records, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCREENS)
def test_lines_fit_and_no_word_is_torn(name: str, width: int, records: list[Record]) -> None:
    text = shown(name, records, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    # A title that is cut loses the character behind its last word, and has an ellipsis there.
    whole, kept = (
        {word.strip(",;:.") for word in one.replace("…", " ").split() if set(word) != {"─"}}
        for one in (shown(name, records, UNFOLDED), text)
    )
    assert kept <= whole, kept - whole


@pytest.mark.parametrize("kind", ["tasks", "methods", "probes", "metrics"])
def test_a_listing_is_a_line_for_each_name(kind: str, records: list[Record]) -> None:
    lines = shown(kind, records, 80).splitlines()
    names = [row["name"] for row in listing(kind)]
    assert [line.split()[0] for line in lines[1 : len(names) + 1]] == names
    assert lines[len(names) + 1] == ""


REGISTRIES = {"methods": METHODS, "probes": PROBES, "metrics": METRICS, "sources": SOURCES}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_titles_are_there_and_tell_names_apart_at_80_columns(kind: str, records: list[Record]) -> None:
    text = shown(kind, records, 80)
    place = text.splitlines()[0].index("title")
    found = {line.split()[0]: line[place:] for line in text.splitlines()[1:] if line and line[0] != " "}
    # Other tests may have left plug-ins of theirs, which need not say what they are.
    entries = REGISTRIES[kind].entries().values()
    titles = [found[one.name].strip() for one in entries if one.target.startswith(OURS)]
    assert len(titles) > 5
    assert all(titles)
    assert len(set(titles)) == len(titles), sorted(titles)


@pytest.mark.parametrize("name", ["run", "table", "paper"])
def test_the_best_is_marked_by_what_can_be_seen(name: str, records: list[Record]) -> None:
    piped = shown(name, records, 100)
    assert re.search(r"\d\*", piped)
    assert "*: a column's best contestant" in piped
    assert "bold: " not in piped.lower()
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    SCREENS[name](records, console)
    assert isinstance(console.file, io.StringIO)
    coloured = console.file.getvalue()
    assert "bold: a column's best contestant" in coloured.lower()
    assert "*" not in coloured


def test_what_was_ever_run_is_what_has_records() -> None:
    found = read_records(RESULTS / "reference", RESULTS / "mnist_small")
    assert {one.task for one in found} == ever_run.TASKS
    assert {one.method for one in found} == ever_run.METHODS


def test_a_pipe_folds_nothing_unless_columns_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert screen(io.StringIO()).width == UNFOLDED
    monkeypatch.setenv("COLUMNS", "100")
    assert screen(io.StringIO()).width == 100


def test_a_cut_title_ends_with_a_word() -> None:
    assert cut("one two three", 20) == "one two three"
    assert cut("one two, and three", 8) == "one two"
    assert cut("one two three", 9) == "one two…"
    assert cut("overlong", 4) == ""


def test_a_run_ends_with_five_columns_of_all_groups(records: list[Record]) -> None:
    (board,) = leaderboards([record for record in records if record.task == "digits_1"])
    view = headlines(board)
    assert len(view.columns) == HEADLINES
    assert {column.group for column in view.columns} == {column.group for column in board.main_columns}
    assert len(view.columns) + len(view.hidden) == len(board.columns)
    text = shown("run", [record for record in records if record.task == "digits_1"], 80)
    assert "Warning: ⊗ esd has destroyed the model" in text
    assert f"{len(view.hidden)} more columns" in text


def test_metrics_and_order_are_chosen(records: list[Record]) -> None:
    boards = leaderboards([record for record in records if record.task == "digits_1"])
    (board,) = with_metrics(sorted_by(boards, "fd_judge"), ["junk_rate", "pul"])
    assert [column.name for column in board.columns] == ["junk_rate", "pul"]
    assert board.destroyed == boards[0].destroyed
    rows = [row for row in board.rows if row.role != "reference" and row.method not in board.destroyed]
    distances = [row.estimates["fd_judge"].value for row in rows]
    assert distances == sorted(distances)
    assert board.rows[-1].method in board.destroyed
    assert [row.role for row in board.rows[:3]] == ["reference"] * 3


def test_a_table_of_attacks_says_of_which_task_there_was_none(records: list[Record]) -> None:
    some = [record.model_copy() for record in records if record.family == "digits"]
    for record in some:
        if record.task == "digits_8":
            record.metrics = {name: one for name, one in record.metrics.items() if one.group != "robustness"}
    boards = viewed(leaderboards(some), robustness_metrics(some))
    unattacked = {board.variant for board in boards if UNATTACKED in board.notes}
    assert unattacked == {"digits_8"}
    assert not [board for board in viewed(boards, ["pul_strict"]) if board.notes.count(UNATTACKED) > 1]


def test_the_paper_s_notes_are_about_its_own_columns(records: list[Record]) -> None:
    notes = " ".join(note for table in paper_tables(records, []) for note in table.notes)
    assert "fd_judge_450" in notes
    assert "recall" not in notes
    assert "steps to half" not in notes


def test_the_paper_s_table_is_one_in_a_terminal() -> None:
    assert FORMATS["paper"][0] == "terminal"


def test_a_model_that_held_out_against_an_attack_is_the_best() -> None:
    records = cells(seeds=(0,))
    facts = metric_facts("relearn_to_half").model_dump() | {"label": "relearn_to_half"}
    steps = {
        "vdu": Estimate(reason=f"{NOT_REACHED} in 40 steps"),
        "esd": Estimate(value=10),
        "original": Estimate(value=0),
    }
    for record in records:
        if record.row in steps:
            record.metrics["relearn_to_half"] = MetricResult(**facts, estimate=steps[record.row])
    (board,) = sorted_by(leaderboards(records), "relearn_to_half")
    assert [row.method for row in board.rows if row.role == "contestant"] == ["vdu", "esd"]


def test_an_attack_s_column_takes_the_place_of_neither_axis(records: list[Record]) -> None:
    found = [record.model_copy(deep=True) for record in records if record.task == "digits_1"]
    for record in found:
        # As with prompts, where another metric of quality stands before the distance.
        junk = record.metrics["junk_rate"]
        record.metrics["retain_accuracy"] = junk.model_copy(update={"rank": 1, "label": "retain_accuracy"})
    (board,) = leaderboards(found)
    names = [column.name for column in headlines(board).columns]
    assert names == ["pul_strict", "retain_accuracy", "fd_judge", "relearn_leak", "nfe_forward"]
