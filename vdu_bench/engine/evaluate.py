"""Judging a model that somebody else unlearned, beside the records that a folder of results already holds.

Nothing here imports torch, so that an evaluation that is done answers at once.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from vdu_bench.data.catalog import data_stamp
from vdu_bench.engine.cells import Cell, External, models_stamp
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.names import LONG, differences
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import Outcome, run_cells
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.regime import Regime
from vdu_bench.models.files.external_files import ExternalFiles, find_external
from vdu_bench.plain_json import in_json
from vdu_bench.probes.catalog import check_probe_settings
from vdu_bench.record_files import run_files
from vdu_bench.records import Record, records_by_file
from vdu_bench.tasks.task import Task
from vdu_bench.unlike import unlike
from vdu_bench.variants import unfit

CALLED = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What a checkpoint may be called in a record: as a method is, or with dashes."""

UNTOLD = ("unet", "diffusion_pytorch_model", "pytorch_lora_weights", "pytorch_model", "model")
"""Names of files and folders that do not tell one checkpoint from another."""


def evaluation_cells(
    task: Task,
    checkpoint: str,
    seeds: Sequence[int],
    device: str,
    out: Path,
    name: str | None = None,
    seconds: float | None = None,
    data_dir: Path | None = None,
) -> list[Cell]:
    """A cell of the checkpoint for each seed, and one of the original for each seed that `out` has none of.

    Args:
        task: what it is judged by.
        checkpoint: a path or a hub id.
        seeds: sample seeds.
        device: as asked for.
        out: the folder of the results.
        name: what the checkpoint is called in them; made of its own name if not given.
        seconds: what its unlearning took, where that is known.
        data_dir: where data sets from outside the package lie.

    Raises:
        UserError: the checkpoint is not there or of another kind, its name cannot be used, or what it is measured by is
            not what the records of this task in `out` were measured by.
    """
    if name is not None:
        check_name(name)
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise UserError(f"--unlearning-seconds {seconds} is not a number of seconds")
    check_probe_settings(task)
    files = find_external(checkpoint, task.model.kind)
    name = name or _name_of(files)
    there = {record.cell_name: record for record in records_in(out).values()}
    external = _called_as(External(files, files.digest(), seconds), task, name, there.values())
    stamps = data_stamp(task.data, data_dir), models_stamp(task.elsewhere)
    cells = [Cell(task, name, {}, "full", seed, device, data_dir, *stamps, external) for seed in seeds]
    _check_beside(cells, there.values(), out)
    originals = {key: record for key, record in there.items() if key.startswith(f"{cells[0].variant}/original/")}
    # Nothing depends on the original's regime, but all seeds of a row share one.
    regime = cast(Regime, next((record.regime for record in originals.values()), "full"))
    framing = [Cell(task, "original", {}, regime, seed, device, data_dir, *stamps) for seed in seeds]
    missing = [cell for cell in framing if not _is_done(originals.get(cell.name), task)]
    return [*missing, *cells]


def evaluate_cells(
    cells: Sequence[Cell],
    store: Store,
    out: Path,
    progress: Progress,
    check: Callable[[Iterable[Record]], None],
    fresh: bool = False,
) -> Outcome:
    """The records of the cells, written beside those that are there. A record that does not compare is not written.

    Args:
        cells: as `evaluation_cells` gives them.
        store: where stages and finished records are kept.
        out: the folder of the results.
        progress: bars and lines.
        check: raises UserError for records that do not compare.
        fresh: make the cells again, even those that are done.

    Raises:
        UserError: as `run_cells`; the checkpoint cannot be read or does not fit; or as `check`.
    """
    names = {cell.name for cell in cells}
    beside = [record for record in records_in(out).values() if record.cell_name not in names]
    check(beside)

    def admit(record: Record) -> None:
        check([*beside, record])
        beside.append(record)

    return run_cells(cells, store, out, progress, LocalExecutor(store, progress, fresh), fresh, admit)


def records_in(out: Path) -> dict[Path, Record]:
    """The records of a folder of results, by file; empty where there are none. Raises UserError for a broken file."""
    return records_by_file(out) if run_files(out) else {}


def external_beside(
    records: Sequence[Record], out: Path, check: Callable[[Iterable[Record]], None], say: Callable[[str], None]
) -> list[Record]:
    """The records in `out` of models from elsewhere that stand in one table with `records`.

    Those that do not compare any more are named by `say`, and left out.

    Args:
        records: what a run gave.
        out: the folder of the results.
        check: raises UserError for records that do not compare.
        say: called with a line.
    """
    variants = {record.variant for record in records}
    kept: list[Record] = []
    for record in records_in(out).values():
        if record.role != "external" or record.variant not in variants:
            continue
        try:
            check([*records, *kept, record])
        except UserError as error:
            say(f"{record.cell_name} in {out} is left out of the tables: {error}")
        else:
            kept.append(record)
    return kept


def _is_done(record: Record | None, task: Task) -> bool:
    """Whether a record is there, and of all attacks that are asked for."""
    return record is not None and record.status != "failed" and set(task.attacks) <= set(record.probes)


def check_name(name: str) -> None:
    """Raise UserError for what no checkpoint can be called."""
    if not CALLED.fullmatch(name):
        raise UserError(f"--name {name!r}: use small letters, digits, - and _, and begin with a letter or digit")
    if why := unfit(name):
        raise UserError(f"--name {name!r}: {why}; give the checkpoint another one")
    if name in METHODS.entries():
        raise UserError(f"{name!r} is the name of a method of the suite; give the checkpoint another one by --name")


def _name_of(files: ExternalFiles) -> str:
    """The checkpoint's own name, made to fit, or that of the first folder above it which tells something."""
    # Made absolute first, so that a relative path has its folders' names; links are left as they are called.
    path = Path(os.path.abspath(files.source))
    for part in (path.stem if files.form == "file" and path.is_file() else path.name, *(p.name for p in path.parents)):
        name = re.sub(r"[^a-z0-9_-]+", "-", part.lower()).strip("-_")
        if name and name not in UNTOLD:
            check_name(name)
            return name
    raise UserError(f"the name of {files.source} cannot be used; give one by --name")


def _called_as(external: External, task: Task, name: str, there: Iterable[Record]) -> External:
    """The checkpoint by the name that the records of this row have for its content: a copy may be called otherwise."""
    known = [record.settings for record in there if (record.task, record.method) == (task.name, name)]
    called = next((own["checkpoint"] for own in known if own.get("sha256") == external.sha256), "")
    return replace(external, called=str(called))


def _check_beside(cells: Sequence[Cell], there: Iterable[Record], out: Path) -> None:
    """Refuse, before anything is computed, what could not stand in one table with the records that are there."""
    task, name, external = cells[0].task, cells[0].method, cells[0].external
    for record in there:
        if record.variant != cells[0].variant:
            continue
        if record.method == name and record.role != "external":
            raise UserError(f"{out} has records of a method {name!r}; give the checkpoint another name by --name")
        if record.method == name and external is not None and record.settings.get("sha256") != external.sha256:
            raise UserError(
                f"{out} has {record.cell_name}, of another checkpoint ({in_json(record.settings, LONG)}); give this "
                "one another name by --name"
            )
        for found in differences(record, task):
            one = unlike(*found, LONG)
            raise UserError(
                f"{record.cell_name} in {out} was measured with {one.name} {one.before}, and this would be with "
                f"{one.now}{one.more}: measure both alike, or name another --out"
            )
