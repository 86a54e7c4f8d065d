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
    # What it is called, and since when something counts as changed, decides no number and is no part of the request.
    own = {"task_changes": cell.task.changes, "method_changes": dict(cell.changes), "called": cell.called}
    return read_record(artifact.folder / RECORD).model_copy(update=own)


def keep_record(cell: Cell, record: Record, store: Store) -> None:
    """Put a finished record where the same request finds it."""

    def make(folder: Path) -> dict[str, str]:
        (folder / RECORD).write_text(record.to_json())
        return {}

    store.build("record", request(cell, store), make, rebuild=True)
