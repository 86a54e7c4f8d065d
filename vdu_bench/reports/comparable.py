"""Which records may stand in one table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from vdu_bench.errors import UserError
from vdu_bench.records import Protocol, Record


def by_task(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """The records of each task, tasks by name, records by method and sample seed."""
    ordered = sorted(records, key=lambda record: (record.task, record.method, record.seeds.sample))
    return [(task, list(group)) for task, group in groupby(ordered, key=lambda record: record.task)]


def check_comparable(records: Iterable[Record]) -> None:
    """Refuse what would put unlike numbers side by side, or average them.

    Within a task every protocol field must agree (scale, protocol version, sample count, sampler, judge, ...; a cell
    that failed before it was measured has none, and is let through), and so must a metric's label, unit and direction.
    Within a method of a task settings and regime must agree, and a seed may come once.

    Raises:
        UserError: naming the field and the records.
    """
    for task, group in by_task(records):
        measured = [(record, record.protocol) for record in group if record.protocol is not None]
        for field in Protocol.model_fields:
            _agree(task, field, [(record, getattr(protocol, field)) for record, protocol in measured])
        for metric in sorted({name for record in group for name in record.metrics}):
            results = [(record, record.metrics[metric]) for record in group if metric in record.metrics]
            for field in ("label", "unit", "better"):
                _agree(task, f"{metric}'s {field}", [(record, getattr(result, field)) for record, result in results])
        for method, iterator in groupby(group, key=lambda record: record.method):
            rows = list(iterator)
            _agree(f"{task}/{method}", "settings", [(record, record.settings) for record in rows])
            _agree(f"{task}/{method}", "regime", [(record, record.regime) for record in rows])
            seeds = [record.seeds.sample for record in rows]
            if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
                raise UserError(f"more than one record of {task}/{method}/seed{twice[0]}: keep one of them")


def _agree(where: str, what: str, values: Iterable[tuple[Record, Any]]) -> None:
    cells: dict[str, list[str]] = {}
    for record, value in values:
        cells.setdefault(json.dumps(value, sort_keys=True, default=str), []).append(record.cell_name)
    if len(cells) > 1:
        sides = "; ".join(f"{_shortened(text, 60)} in {_listing(names)}" for text, names in cells.items())
        raise UserError(f"{where}: {what} of the records differ, and one table cannot hold both: {sides}")


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
