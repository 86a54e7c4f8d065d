"""After a run: the report files, and the leaderboard on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from vdu_bench.records import Record
from vdu_bench.reports.report import up_to_date, write_reports
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.terminal import print_leaderboards

if TYPE_CHECKING:
    from vdu_bench.reports.report import Samples


def publish(
    records: Sequence[Record],
    out: Path,
    samples: Callable[[], Samples],
    samples_digest: str,
    say: Callable[[str], None],
    task: str | None = None,
) -> None:
    """Write what is not up to date, and print the leaderboard.

    Args:
        records: of the run, or all that are in its folder.
        out: the folder of the reports.
        samples: gives the images for the sample grids; not called when all is up to date.
        samples_digest: identifies them.
        say: called with a line about the files.
        task: whose leaderboard is printed; None: every task's.
    """
    if not up_to_date(records, out, samples_digest=samples_digest):
        say("writing tables and plots...")
        write_reports(records, out, samples(), samples_digest=samples_digest)
    print_leaderboard([record for record in records if task in (None, record.task)])
    say(f"records, tables and plots are in {out}/")


def print_leaderboard(records: Iterable[Record], settings: bool = False) -> None:
    """The leaderboard of each task, to standard output; with each row's settings, or without."""
    print_leaderboards(leaderboards(list(records)), Console(), settings)


def print_data_table(records: Iterable[Record], settings: bool = False) -> None:
    """What methods do with how much data, of each task, to standard output; with each row's settings, or without."""
    from vdu_bench.reports.by_data.table import data_tables
    from vdu_bench.reports.by_data.terminal import print_data

    print_data(data_tables(list(records)), Console(), settings)
