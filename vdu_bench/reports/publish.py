"""After a run: the report files, and the leaderboard on the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vdu_bench.records import Record
from vdu_bench.reports.report import up_to_date, write_reports
from vdu_bench.reports.screen import screen
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.terminal import print_headlines, print_leaderboards
from vdu_bench.reports.tables.views import viewed

if TYPE_CHECKING:
    from vdu_bench.reports.report import Samples


def publish(
    records: Sequence[Record],
    out: Path,
    samples: Callable[[], Samples],
    samples_digest: str,
    say: Callable[[str], None],
    task: str | None = None,
    everything: bool = False,
) -> None:
    """Write what is not up to date, and print the leaderboard.

    Args:
        records: of the run, or all that are in its folder.
        out: the folder of the reports.
        samples: gives the images for the sample grids; not called when all is up to date.
        samples_digest: identifies them.
        say: called with a line about the files.
        task: whose leaderboard is printed; None: every task's.
        everything: print all columns, and not the most important ones alone.
    """
    if not up_to_date(records, out, samples_digest=samples_digest):
        say("writing tables and plots...")
        write_reports(records, out, samples(), samples_digest=samples_digest)
    boards = leaderboards([record for record in records if task in (None, record.task)])
    if everything:
        print_leaderboards(boards, screen())
    else:
        print_headlines(
            boards, screen(), f"--all here, vdu-bench table {shlex.quote(str(out))}, or {out / 'leaderboard.md'}"
        )
    say(f"records, tables and plots are in {out}/")


def print_leaderboard(
    records: Iterable[Record], settings: bool = False, metrics: Sequence[str] = (), sort: str | None = None
) -> None:
    """The leaderboard of each task, to standard output; with each row's settings, or without.

    Args:
        records: of any number of tasks.
        settings: whether each row's settings are shown.
        metrics: those that are shown alone; all if there is none.
        sort: the metric that rows are sorted by.
    """
    print_leaderboards(viewed(leaderboards(list(records)), metrics, sort), screen(), settings)


def print_data_table(records: Iterable[Record], settings: bool = False, regimes: Sequence[str] = ()) -> None:
    """What methods do with how much data, of each task, to standard output; with each row's settings, or without.

    Under some `regimes` alone, where any are named."""
    from vdu_bench.reports.by_data.table import data_tables
    from vdu_bench.reports.by_data.terminal import print_data

    print_data(data_tables(records, regimes), screen(), settings)


def print_paper_table(records: Iterable[Record], published: Path | None = None, settings: bool = False) -> None:
    """The paper's table of each scale, to standard output, beside the numbers in `published`, or the suite's own."""
    from vdu_bench.reports.paper.published import published_folder, read_published
    from vdu_bench.reports.paper.table import paper_tables
    from vdu_bench.reports.paper.terminal import print_paper

    print_paper(paper_tables(records, read_published(published or published_folder()), settings), screen())
