"""All report files of a set of records, written only when they would change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vdu_bench import __version__
from vdu_bench.files import write_atomically
from vdu_bench.plain_json import parsed
from vdu_bench.records import Record
from vdu_bench.reports.comparable import by_data, by_setup, check_sweep

# pandas and matplotlib cost seconds to import: they wait until something has to be written.
if TYPE_CHECKING:
    from vdu_bench.reports.frontier import Frontier
    from vdu_bench.reports.tables.leaderboard import Leaderboard
    from vdu_bench.sample_grid import SampleGrid

    Samples = Mapping[str, SampleGrid]

STAMP = "reports.json"
"""The file that says which inputs the reports beside it were made from."""


def write_reports(
    records: Iterable[Record], out: Path, samples: Samples | None = None, *, samples_digest: str = ""
) -> list[Path]:
    """Write leaderboards (Markdown, CSV, LaTeX), tidy rows and plots, unless `out` already holds these very ones.

    Files of an earlier call that this one has no cause to write, such as sample grids when it was given no samples,
    stay as they are. `STAMP` is written last, so that a call that was cut off is done again.

    Args:
        records: of any number of tasks.
        out: the folder; made where it is missing.
        samples: by variant, what is shown of its methods' samples.
        samples_digest: identifies `samples`, such as a hash of the hashes of their stages; empty for no samples.

    Returns:
        The files written, without the stamp; none when all was up to date.

    Raises:
        UserError: when records of one task do not compare.
        OSError: when `out` cannot be written.
    """
    records = list(records)
    if up_to_date(records, out, samples_digest=samples_digest):
        return []
    from vdu_bench.reports.tables.frames import render_long
    from vdu_bench.reports.tables.leaderboard import leaderboards
    from vdu_bench.reports.tables.render import to_csv, to_latex, to_markdown

    boards = leaderboards(records)
    texts = {
        "leaderboard.md": to_markdown(boards),
        "leaderboard.csv": to_csv(boards),
        "leaderboard.tex": to_latex(boards),
        "long.csv": render_long(records, "csv"),
    }
    written = [write_atomically(out / name, text.encode()) for name, text in texts.items()]
    written += write_plots(boards, out / "plots", samples)
    written += write_courses(records, out / "plots")
    stamp = {
        "inputs": _digest(records, samples_digest),
        "files": {file.relative_to(out).as_posix(): _sha256(file.read_bytes()) for file in written},
    }
    write_atomically(out / STAMP, (json.dumps(stamp, indent=1) + "\n").encode())
    return written


def write_plots(boards: Iterable[Leaderboard], out: Path, samples: Samples | None = None) -> list[Path]:
    """Write ``VARIANT_tradeoff`` and ``VARIANT_metrics`` as .png and .pdf each.

    ``VARIANT_attacks`` where models were attacked, and ``VARIANT_samples`` with samples.

    Of several boards also ``tasks_METRIC``, METRIC being the forgetting axis that they share.

    Args:
        boards: all boards that are to share colours and markers.
        out: the folder; made where it is missing.
        samples: as in `write_reports`.

    Returns:
        The files written.
    """
    from vdu_bench.reports.method_style import method_styles
    from vdu_bench.reports.plots.bars import draw_bars
    from vdu_bench.reports.plots.grid import sample_grid
    from vdu_bench.reports.plots.heatmap import across_tasks, draw_heatmap
    from vdu_bench.reports.plots.tradeoff import draw_tradeoff
    from vdu_bench.reports.tables.text import DESTROYED, method_text

    boards = list(boards)
    styles = method_styles(row.method for board in boards for row in board.rows)
    written: list[Path] = []
    for board in boards:
        written += draw_tradeoff(board, styles, out / f"{board.variant}_tradeoff")
        written += draw_bars(board, styles, out / f"{board.variant}_metrics")
        written += draw_bars(board, styles, out / f"{board.variant}_attacks", of_attacks=True)
        grid = (samples or {}).get(board.variant)
        if grid is not None:
            labels = {
                row.method: method_text(row) + f" {DESTROYED}" * (row.method in board.destroyed) for row in board.rows
            }
            title = f"{board.variant}: forgetting {board.forget}; the same noise in each column"
            written += sample_grid(grid, labels, styles, out / f"{board.variant}_samples", title, board.forget)
    if (column := across_tasks(boards)) is not None:
        written += draw_heatmap(boards, column, styles, out / f"tasks_{column.name}")
    return written


def write_sweeps(records: Iterable[Record], out: Path) -> list[Path]:
    """Write ``TASK_forget_images`` as .png and .pdf for each task whose records differ in their forget images.

    Args:
        records: of any number of tasks.
        out: the folder; made where it is missing.

    Returns:
        The files written; none where no task was run with two numbers of forget images.

    Raises:
        UserError: variants of such a task differ in more than that.
    """
    from vdu_bench.reports.method_style import method_styles
    from vdu_bench.reports.plots.sweep import draw_sweep
    from vdu_bench.reports.tables.leaderboard import leaderboards

    records = list(records)
    styles = method_styles(record.row for record in records)
    written: list[Path] = []
    for setup, group in by_setup(records):
        if len({record.variant for record in group}) > 1:
            check_sweep(group)
            written += draw_sweep(leaderboards(group), styles, out / f"{setup}_forget_images")
    return written


def write_data(records: Iterable[Record], out: Path) -> list[Path]:
    """Write ``TASK_data`` as .png and .pdf for each task of which methods were run with several amounts of data.

    Args:
        records: of any number of tasks.
        out: the folder; made where it is missing.

    Returns:
        The files written; none where no task was run with two regimes, numbers of forget images or of snapshots.

    Raises:
        UserError: records of such a task differ in more than that.
    """
    from vdu_bench.reports.by_data.table import data_tables
    from vdu_bench.reports.plots.data import draw_data

    written: list[Path] = []
    for setup, group in by_data(records):
        if len({(record.variant, record.regime) for record in group if record.role == "contestant"}) > 1:
            (table,) = data_tables(group)
            written += draw_data(table, out / f"{setup}_data")
    return written


def write_courses(records: Iterable[Record], out: Path) -> list[Path]:
    """Write ``VARIANT_METRIC_curve`` as .png and .pdf for each metric whose matrices go over an attacker's effort.

    Args:
        records: of any number of tasks.
        out: the folder; made where it is missing.

    Returns:
        The files written; none where no model was put under such an attack.
    """
    from vdu_bench.reports.courses import all_courses
    from vdu_bench.reports.plots.courses import draw_courses

    return [
        file
        for courses in all_courses(records)
        for file in draw_courses(courses, out / f"{courses.variant}_{courses.metric}_curve")
    ]


def write_frontier(frontier: Frontier, out: Path) -> list[Path]:
    """Write ``VARIANT_sweep_SETTING`` as .png, .pdf and .csv; without the setting where methods differ in it.

    Args:
        frontier: of one variant of a task.
        out: the folder; made where it is missing.

    Returns:
        The files written.
    """
    from vdu_bench.reports.frontier import frontier_csv
    from vdu_bench.reports.plots.frontier import draw_frontier

    settings = {curve.setting for curve in frontier.curves}
    name = "_".join([frontier.board.variant, "sweep", *(settings if len(settings) == 1 else [])])
    table = write_atomically(out / f"{name}.csv", frontier_csv(frontier).encode())
    return [*draw_frontier(frontier, out / name), table]


def up_to_date(records: Iterable[Record], out: Path, *, samples_digest: str = "") -> bool:
    """Whether `out` holds, undamaged, the reports that `write_reports` would write. Takes about a millisecond a record.

    Args:
        records: as in `write_reports`.
        out: the folder, which need not exist.
        samples_digest: as in `write_reports`.
    """
    try:
        stamp = parsed((out / STAMP).read_bytes())
        if stamp["inputs"] != _digest(records, samples_digest):
            return False
        return all(_sha256((out / name).read_bytes()) == digest for name, digest in stamp["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # no stamp, not a stamp, or a file is gone: the mend is the same, to write them again


def _digest(records: Iterable[Record], samples_digest: str) -> str:
    texts = sorted((record.cell_name, record.to_json()) for record in records)
    return _sha256(json.dumps([__version__, samples_digest, texts]).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
