"""One command: reuse what is done, make what is missing, keep going when a cell fails."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vdu_bench.engine.cells import Cell, request
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.records import Record, read_record

RECORD = "record.json"


@dataclass
class Outcome:
    """What a run gave.

    Attributes:
        records: one for each cell, in the order of the cells.
        reused: names of the cells whose records were there already.
        failed: names of the cells that broke off with an error.
    """

    records: list[Record] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def run_cells(cells: Sequence[Cell], store: Store, out: Path, progress: Progress, fresh: bool = False) -> Outcome:
    """The records of all cells, written to ``OUT/records/TASK/METHOD/seedN.json`` as they come.

    Raises:
        UserError: a setting, the device, or `out` cannot be used; nothing was written then.
    """
    found = {} if fresh else {cell.name: record for cell in cells if (record := find_record(cell, store)) is not None}
    missing = [cell for cell in cells if cell.name not in found]
    worker = _Worker(missing, store, progress, fresh) if missing else None
    _require_writable(out)
    if worker is not None:
        worker.prepare()
    outcome = Outcome()
    for position, cell in enumerate(cells, 1):
        if cell.name in found:
            record = found[cell.name]
            outcome.reused.append(cell.name)
        else:
            assert worker is not None
            started = time.monotonic()
            record = worker.record(cell)
            line = record.status if record.status == "ok" else f"{record.status}: {record.reason}"
            progress.say(f"[{position}/{len(cells)}] {cell.name}: {line} ({time.monotonic() - started:.0f} s)")
        if record.status == "failed":
            outcome.failed.append(cell.name)
        outcome.records.append(record)
        write_record(record, out)
    if outcome.reused:
        progress.say(
            f"reused {len(outcome.reused)} of {len(cells)} cells that were done already (--fresh makes them again)"
        )
    return outcome


class _Worker:
    """Makes records; imports torch when it is made, and checks every setting before anything runs."""

    def __init__(self, cells: Sequence[Cell], store: Store, progress: Progress, fresh: bool) -> None:
        progress.say("loading torch and diffusers...")
        from vdu_bench.engine.device import resolve_device
        from vdu_bench.engine.recipes import RecipeStages
        from vdu_bench.engine.stages import CellStages
        from vdu_bench.methods.catalog import make_method

        self._device = resolve_device(cells[0].device)
        for cell in cells:
            make_method(cell.method, dict(cell.overrides))
        self._recipes = RecipeStages(store, self._device, progress, data_dir=cells[0].data_dir)
        self._tasks = {cell.task.name: cell.task for cell in cells}
        for task in self._tasks.values():
            self._recipes.splits(task)
        self._store = store
        self._stages = CellStages(store, self._recipes, self._device, progress, fresh)

    def prepare(self) -> None:
        """Find or make what the cells share, so that a record's request names what the record was made of."""
        for task in self._tasks.values():
            self._recipes.judge(task)
            self._recipes.base(task)
            self._recipes.retrain(task)

    def record(self, cell: Cell) -> Record:
        from vdu_bench.engine.recording import failed_record, make_record

        try:
            record = make_record(cell, self._stages, self._device)
        except Exception as error:
            # One method's bug must not cost the other cells; the record says what happened, and is not kept for reuse.
            return failed_record(cell, self._device, error)
        keep_record(cell, record, self._store)
        return record


def find_record(cell: Cell, store: Store) -> Record | None:
    """The finished record of a cell, if the store has it."""
    artifact = store.find("record", request(cell, store))
    return read_record(artifact.folder / RECORD) if artifact is not None else None


def keep_record(cell: Cell, record: Record, store: Store) -> None:
    """Put a finished record where `find_record` finds it."""

    def make(folder: Path) -> dict[str, str]:
        (folder / RECORD).write_text(record.to_json())
        return {}

    store.build("record", request(cell, store), make, rebuild=True)


def record_path(record: Record, out: Path) -> Path:
    """``OUT/records/TASK/METHOD/seedN.json``."""
    return out / "records" / record.task / record.method / f"seed{record.seeds.sample}.json"


def write_record(record: Record, out: Path) -> None:
    """Write one record as a whole; an equal file is left alone."""
    file = record_path(record, out)
    text = record.to_json()
    if file.exists() and file.read_text() == text:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, file)


def _require_writable(out: Path) -> None:
    probe = out / f".write-test-{os.getpid()}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write to --out {out}: {error.strerror}") from error
