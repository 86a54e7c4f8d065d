"""Finished records, kept where the same request finds them. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from vdu_bench.engine.cells import Cell, request
from vdu_bench.engine.store import Store
from vdu_bench.records import Record, read_record

RECORD = "record.json"


def find_record(cell: Cell, store: Store) -> Record | None:
    """The finished record of a cell, if the store has it."""
    artifact = store.find("record", request(cell, store))
    if artifact is None:
        return None
    # These decide no number, and so they are no part of the request: what a row is called, what counts as changed, and
    # how its settings were found.
    own = {
        "task_changes": cell.task.changes,
        "method_changes": dict(cell.changes),
        "settings_from": cell.settings_from,
        "tuning_cost": cell.tuning_cost,
        "called": cell.called,
    }
    return read_record(artifact.folder / RECORD).model_copy(update=own)


def keep_record(cell: Cell, record: Record, store: Store) -> None:
    """Put a finished record where the same request finds it."""

    def make(folder: Path) -> dict[str, str]:
        (folder / RECORD).write_text(record.to_json(), encoding="utf-8")
        return {}

    store.build("record", request(cell, store), make, rebuild=True)
