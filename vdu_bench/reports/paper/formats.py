"""The paper's table as Markdown and CSV, and any of its formats by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.measured import Estimate
from vdu_bench.records import Record
from vdu_bench.reports.csv_text import csv_text
from vdu_bench.reports.paper.cells import measured, published, row_title
from vdu_bench.reports.paper.latex import to_latex
from vdu_bench.reports.paper.published import Publication
from vdu_bench.reports.paper.table import PaperClass, PaperTable, paper_tables
from vdu_bench.reports.tables.render import markdown_line, markdown_list, markdown_table
from vdu_bench.reports.tables.text import Cell, best_text, header, settings_lines


def render_paper(
    records: Iterable[Record], form: str, publications: Sequence[Publication], settings: bool = False
) -> str:
    """The paper's tables of the records, as one text that ends with a newline.

    Args:
        records: of any number of tasks and scales.
        form: ``markdown``, ``csv`` or ``latex``.
        publications: the numbers to set beside the measured ones.
        settings: whether each row's settings are shown, and where they are from.

    Raises:
        UserError: as `paper_tables` and `to_csv`, and for an unknown format.
    """
    writers = {"markdown": to_markdown, "latex": to_latex}
    if form not in (*writers, "csv"):
        raise UserError(f"unknown table format {form!r}{did_you_mean(form, (*writers, 'csv'))}")
    tables = paper_tables(records, publications, settings)
    return to_csv(tables, settings) if form == "csv" else writers[form](tables)


def to_markdown(tables: Iterable[PaperTable]) -> str:
    """A section for each scale: caption, table and notes. What goes together is named in every column's header."""
    parts = []
    for table in tables:
        rows = [method for section in table.sections for method in section]
        shown = {"method": [Cell(row_title(table, method)) for method in rows]}
        for group in table.data_sets:
            for found in group.classes:
                place = f"{group.family} {found.title}:"
                for column in found.columns:
                    cells = [measured(found, column, method) for method in rows]
                    shown[f"{place} {header(column.column)}"] = cells
                    for source in column.published:
                        cells = [published(column, source, method) for method in rows]
                        shown[f"{place} {header(column.column)}, published [{source.marker}]"] = cells
        parts += [
            markdown_line(f"## {table.scale.capitalize() or 'Unknown'} scale"),
            markdown_line(table.caption),
            markdown_table(pd.DataFrame(shown)),
        ]
        if table.notes:
            parts.append(markdown_list(table.notes))
    return "\n\n".join(parts) + "\n"


def to_csv(tables: Sequence[PaperTable], settings: bool = False) -> str:
    """A row for each method, numbers unrounded, one header row: the table of a single scale.

    For each variant of a task its ``seeds``, ``status`` and ``destroyed`` (beyond the quality limit), on demand its
    ``settings`` and ``settings_from``, and for each metric, under its full name, the value, ``_low``, ``_high``,
    ``_best`` (as `best_text`) and a column for each publication.

    Raises:
        UserError: for tables of several scales, which one file would mix.
    """
    if len(tables) > 1:
        names = ", ".join(table.scale or "unknown" for table in tables)
        raise UserError(
            f"the records are of several scales ({names}), and one CSV holds one table: name one by --scale"
        )
    (table,) = tables
    rows = []
    for method in (method for section in table.sections for method in section):
        numbers: dict[str, Any] = {"scale": table.scale, "method": method, "role": table.role(method)}
        for found in (found for group in table.data_sets for found in group.classes):
            numbers |= _csv_numbers(found, method, settings)
        rows.append(numbers)
    return csv_text(pd.DataFrame(rows))


def _csv_numbers(found: PaperClass, method: str, settings: bool) -> dict[str, Any]:
    row, place = found.row(method), found.board.variant
    numbers: dict[str, Any] = {
        f"{place}/seeds": " ".join(map(str, row.seeds)) if row else "",
        f"{place}/status": row.status if row else "",
        f"{place}/destroyed": method in found.board.destroyed,
    }
    if settings:
        numbers[f"{place}/settings"] = " ".join(settings_lines(row)) if row else ""
        numbers[f"{place}/settings_from"] = row.settings_from if row else ""
    for column in found.columns:
        estimate = (row.estimates.get(column.column.name) if row else None) or Estimate()
        name = f"{place}/{column.column.label}"
        numbers |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        numbers[f"{name}_best"] = best_text(found.board, method, column.column.name)
        for source in column.published:
            number = source.numbers.get(method)
            numbers[f"{name} ({source.paper})"] = number.value if number else math.nan
    return numbers
