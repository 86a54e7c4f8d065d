"""The table of data as Markdown and CSV, and any of its formats by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.measured import Estimate
from vdu_bench.records import Record
from vdu_bench.reports.by_data.cells import best_text, images_text, numbers
from vdu_bench.reports.by_data.latex import to_latex
from vdu_bench.reports.by_data.notes import cells_caption, data_caption, data_notes
from vdu_bench.reports.by_data.parts import parts
from vdu_bench.reports.by_data.table import Amount, DataRow, DataTable, data_tables
from vdu_bench.reports.csv_text import csv_text
from vdu_bench.reports.tables.render import (
    BREAK,
    markdown_cell,
    markdown_line,
    markdown_list,
    markdown_rows,
    markdown_text,
)
from vdu_bench.reports.tables.text import settings_lines

_WIDTH, _GAP = 120, 4
"""Characters, and blanks between columns, that stand beside each other on a page of a repository."""


def render_data(records: Iterable[Record], form: str, settings: bool = False, regimes: Sequence[str] = ()) -> str:
    """The tables of data of the records, as one text that ends with a newline.

    Args:
        records: of any number of tasks.
        form: ``markdown``, ``csv`` or ``latex``.
        settings: whether each row's settings are shown, and where they are from.
        regimes: as `data_tables`.

    Raises:
        UserError: as `data_tables`, and for an unknown format.
    """
    writers = {"markdown": to_markdown, "csv": to_csv, "latex": to_latex}
    if form not in writers:
        raise UserError(f"unknown table format {form!r}{did_you_mean(form, writers)}")
    return writers[form](data_tables(records, regimes), settings)


def to_markdown(tables: Iterable[DataTable], settings: bool = False) -> str:
    """A section for each task: caption, the table, in parts where it is too wide, and notes."""
    texts: list[str] = []
    for table in tables:
        head = (f"## {table.setup}, by how much data", f"{data_caption(table)} {cells_caption(table)}")
        texts += map(markdown_line, head)
        texts += [_part(table, amounts) for amounts in parts(table, _WIDTH, lambda cell: len(cell.plain), _GAP)]
        texts.append(markdown_list(data_notes(table, settings)))
    return "\n\n".join(texts) + "\n"


def _part(table: DataTable, amounts: list[Amount]) -> str:
    rows = table.rows_in(amounts)
    shown = {"method": [markdown_text(row.name) for row in rows]}
    for amount in amounts:
        title = f"{amount.regime}{BREAK}{images_text(table, amount)}"
        shown[title] = [BREAK.join(map(markdown_cell, numbers(table, row, amount))) for row in rows]
    return markdown_rows(pd.DataFrame(shown))


def to_csv(tables: Iterable[DataTable], settings: bool = False) -> str:
    """A row for each task, method and amount of data; numbers unrounded.

    `forget_images` is empty for all of them, `snapshots` where their number was not changed. `run` is ``yes``, ``no``,
    or why it cannot be; a reference row stands in every column's regime, and is bound by none. Of each metric, under
    its name in the records, there are the value, ``_low``, ``_high`` and ``_best`` (as `best_text`).
    """
    rows = [
        _csv_row(table, row, amount, settings) for table in tables for row in table.rows for amount in table.amounts
    ]
    frame = pd.DataFrame(rows).astype({"forget_images": "Int64", "snapshots": "Int64"})
    return csv_text(frame)


def _csv_row(table: DataTable, row: DataRow, amount: Amount, settings: bool) -> dict[str, Any]:
    place = table.places.get((row, amount))
    found: dict[str, Any] = {
        "task": table.setup,
        "scale": next((board.scale for board in table.boards if board.scale), ""),
        "method": row.base,
        "role": row.role,
        "snapshots": row.snapshots,
        "regime": amount.regime,
        "forget_images": amount.forget_images,
        "run": "yes" if place else table.why_not(row, amount) or "no",
        "seeds": " ".join(map(str, place.row.seeds)) if place else "",
        "status": place.row.status if place else "",
        "destroyed": place.destroyed if place else "",
    }
    for metric in table.metrics:
        estimate = place.estimate(metric) if place else Estimate()
        found |= {
            metric.name: estimate.value,
            f"{metric.name}_low": estimate.low,
            f"{metric.name}_high": estimate.high,
            f"{metric.name}_best": best_text(table, row, amount, metric),
        }
    if settings:
        found["settings"] = " ".join(settings_lines(place.row)) if place else ""
        found["settings_from"] = place.row.settings_from if place else ""
    return found
