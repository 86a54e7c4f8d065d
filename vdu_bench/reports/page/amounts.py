"""The data-constrained table as the page's data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vdu_bench.errors import UserError
from vdu_bench.records import Record
from vdu_bench.reports.by_data.cells import images_text, numbers
from vdu_bench.reports.by_data.notes import cells_caption, data_notes
from vdu_bench.reports.by_data.table import DataTable, data_tables
from vdu_bench.reports.comparable import by_data


def amounts_data(records: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """By variant, the table that it belongs to; none of a task that was run with one amount of data alone.

    Records of a task that cannot stand in one such table have, in its place, a ``why``.
    """
    found: dict[str, dict[str, Any]] = {}
    for setup, group in by_data(records):
        if len({(record.variant, record.regime) for record in group if record.role == "contestant"}) > 1:
            try:
                (table,) = data_tables(group)
                data = _table(table)
            except UserError as error:
                data = {"setup": setup, "why": str(error)}
            found |= dict.fromkeys((record.variant for record in group), data)
    return found


def _table(table: DataTable) -> dict[str, Any]:
    return {
        "setup": table.setup,
        "caption": cells_caption(table),
        "regimes": [[regime, len(amounts)] for regime, amounts in table.by_regime()],
        "amounts": [images_text(table, amount) for amount in table.amounts],
        "rows": [
            {
                "name": row.name,
                "method": row.base,
                "reference": row.role == "reference",
                "cells": [
                    {
                        "numbers": [
                            [one.value, one.spread, one.mark, int(one.bold)] for one in numbers(table, row, at)
                        ],
                        "place": [place.board.variant, place.row.method]
                        if (place := table.places.get((row, at)))
                        else None,
                        "why": table.why_not(row, at),
                    }
                    for at in table.amounts
                ],
            }
            for row in table.rows
        ],
        "notes": data_notes(table),
    }
