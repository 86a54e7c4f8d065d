"""One command: reuse what is done, make what is missing, keep going when a cell fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.estimate import UNKNOWN, Estimate, duration
from vdu_bench.engine.executors import Executor
from vdu_bench.engine.names import check_names, check_rests_on
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.stages.record import find_record
from vdu_bench.engine.store import Store
from vdu_bench.files import require_place, require_writable, write_atomically
from vdu_bench.records import Record
from vdu_bench.writing import writing_to


@dataclass
class Outcome:
    """What a run gave.

    Attributes:
        records: one for each cell, in the order of the cells.
        reused: names of the cells whose records were there already.
        failed: names of the cells that broke off with an error.
    """

    records: list[Record]
    reused: list[str]
    failed: list[str]


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    out: Path,
    progress: Progress,
    executor: Executor,
    fresh: bool = False,
    admit: Callable[[Record], None] = lambda _: None,
    expected: Callable[[Sequence[Cell]], Estimate] | None = None,
) -> Outcome:
    """The records of all cells, written to ``OUT/records/VARIANT/METHOD/seedN.json`` as they come.

    Args:
        cells: what is asked for.
        store: where stages and finished records are kept.
        out: the folder of the results.
        progress: lines.
        executor: where cells run.
        fresh: make the records again, even those that are done.
        admit: called with each record before it is written; raises UserError for one that may not be.
        expected: what missing cells are expected to take, for lines on how long the whole will.

    Raises:
        UserError: a setting, the device, the data, the store or `out` cannot be used, or a name stands for two things
            (`check_names`), and no record was written then; or as `admit`.
    """
    with closing(executor):
        found = finished(cells, store, fresh)
        missing = [cell for cell in cells if cell.name not in found]
        check_names(cells, out, found, store)
        require_place(out, "--out")
        if missing:
            require_place(store.root, "--store")
            check_rests_on(missing, out, executor.check(missing))
            require_writable(store.root, "--store")
        require_writable(out, "--out")
        for record in found.values():
            admit(record)
            write_record(record, out)
        plan = (
            expected(missing)
            if missing and expected is not None
            else Estimate({cell.name: UNKNOWN for cell in missing}, {})
        )
        if missing:
            about = duration(plan.seconds)
            progress.say(f"{len(missing)} of {len(cells)} cells to run" + f", about {about}" * bool(about))
        made: dict[str, Record] = {}
        started = time.monotonic()
        for cell, record in executor.run(missing) if missing else ():
            admit(record)
            write_record(record, out)
            made[cell.name] = record
            line = record.status if record.status == "ok" else f"{record.status}: {record.reason}"
            elapsed = time.monotonic() - started
            left = duration(plan.left(made, elapsed)) if len(made) < len(missing) else ""
            when = f"at {elapsed:.0f} s" + f", about {left} left" * bool(left)
            progress.say(f"[{len(made)}/{len(missing)}] {cell.name}: {line} ({when})")
    if found:
        progress.say(f"reused {len(found)} of {len(cells)} cells that were done already (--fresh makes them again)")
    records = {**found, **made}
    return Outcome(
        [records[cell.name] for cell in cells],
        [cell.name for cell in cells if cell.name in found],
        [name for name, record in made.items() if record.status == "failed"],
    )


def finished(cells: Sequence[Cell], store: Store, fresh: bool = False) -> dict[str, Record]:
    """By cell name, the records that are there already; none of them where all are made `fresh`."""
    return {} if fresh else {cell.name: record for cell in cells if (record := find_record(cell, store)) is not None}


def record_path(record: Record, out: Path) -> Path:
    """``OUT/records/VARIANT/METHOD/seedN.json``; both names say what was changed of the task or the method."""
    return out / "records" / f"{record.cell_name}.json"


def write_record(record: Record, out: Path) -> None:
    """Write one record as a whole; an equal file is left alone. Raises UserError where `out` takes no more."""
    file = record_path(record, out)
    text = record.to_json()
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return
    with writing_to(out, "--out"):
        write_atomically(file, text.encode())
