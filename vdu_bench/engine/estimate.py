"""What a command would take: the denoiser's evaluations, and the time at rates that were measured. Without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.store import MANIFEST, Store
from vdu_bench.errors import UserError
from vdu_bench.packed import PACKED, unpack
from vdu_bench.plain_json import parsed
from vdu_bench.probes.catalog import attacks_for
from vdu_bench.record_files import run_files
from vdu_bench.tasks.cost import drawn, trained
from vdu_bench.tasks.task import Task

NEWEST = 200
"""Records of the store that are looked at."""
BACKWARD = 2
"""Forward evaluations that a backward one takes as long as, about: it computes two products where the other has one."""

Described = tuple[Mapping[str, Any], int, int]
"""All settings of a cell's method as plain JSON, its steps, and the images of a step."""

Known = Mapping[str, Any]
"""A record as plain JSON."""


@dataclass(frozen=True)
class Guess:
    """What one cell is expected to take.

    Attributes:
        forward: the denoiser's forward evaluations, one for each image: unlearning, and drawing samples.
        seconds: of both; NaN where no rate was measured. Reading and measuring the images comes on top.
    """

    forward: int
    seconds: float


UNKNOWN = Guess(0, math.nan)


@dataclass
class Estimate:
    """What a command is expected to take.

    Attributes:
        cells: by cell name, of those that are missing.
        shared: by what is trained first, its forward evaluations and seconds.
        sources: where rates and counts are from, a phrase each.
        at_once: how many cells run at a time.
        uncounted: attacks that come on top of it, since no record tells what they take.
    """

    cells: dict[str, Guess]
    shared: dict[str, Guess]
    sources: list[str] = field(default_factory=list)
    at_once: int = 1
    uncounted: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Of all; NaN where something of it is not known."""
        cells = sum(guess.seconds for guess in self.cells.values())
        return cells / self.at_once + sum(guess.seconds for guess in self.shared.values())

    def left(self, done: Iterable[str], elapsed: float) -> float:
        """Seconds that remain after `elapsed` seconds, scaled by how far the estimate was off so far."""
        names = set(done)
        behind = [guess.seconds for name, guess in self.cells.items() if name in names]
        ahead = [guess.seconds for name, guess in self.cells.items() if name not in names]
        if not behind or not sum(behind) > 0 or not math.isfinite(sum(ahead)):
            return elapsed / len(names) * len(ahead) if names else math.nan
        return sum(ahead) * elapsed / sum(behind)


def duration(seconds: float) -> str:
    """Such as ``40 s``, ``4 min`` or ``2.5 h``; empty for NaN."""
    if math.isnan(seconds):
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def known_records(folders: Iterable[Path], store: Store) -> list[Known]:
    """The finished records of folders of results, and the newest of the store; what cannot be read is left out."""
    files = [file for folder in folders for file in run_files(folder)]
    own = [(file.stat().st_mtime, file) for file in (store.root / "record").glob("*/record.json")]
    files += [file for _, file in sorted(own, reverse=True)[:NEWEST]]
    found: list[Known] = []
    for file in files:
        with suppress(OSError, ValueError, UserError):
            for plain in unpack(file) if file.name == PACKED else [parsed(file.read_bytes())]:
                if isinstance(plain, dict) and plain.get("status") == "ok" and plain.get("probes"):
                    found.append(plain)
    return found


def estimate(
    missing: Sequence[Cell],
    records: Sequence[Known],
    store: Store,
    described: Callable[[Cell], Described],
    at_once: int = 1,
) -> Estimate:
    """What the missing cells are expected to take.

    Counts are those of a record of the same task and method with the same settings. Without such a record they are
    what another record of the method took, in proportion to the images of all steps; without that, a forward and a
    backward evaluation for each of these images. Rates are those of the family's records, else of the training of its
    base, as its manifest tells.

    Args:
        missing: those that have no record yet.
        records: as `known_records` gives them.
        store: where models are looked for.
        described: tells of a cell's method.
        at_once: how many cells run at a time.
    """
    rates = {family: _rate(family, records, store) for family in {cell.task.family for cell in missing}}
    found, told = {}, []
    uncounted: dict[str, None] = {}
    for cell in missing:
        forward, backward, how = _unlearning(cell, records, described)
        if not cell.of_real:
            forward += _drawing(cell, records)
            more, unknown = _attacking(cell, records)
            forward, backward = forward + more[0], backward + more[1]
            uncounted |= dict.fromkeys(unknown)
        rate, source = rates[cell.task.family]
        units = forward + BACKWARD * backward
        found[cell.name] = Guess(forward, units * rate if units else 0.0)
        told += [how, source]
    shared = {}
    for name, family, count in _trainings(missing, store):
        shared[name] = Guess(count, count * (1 + BACKWARD) * rates[family][0])
    sources = [source for source in dict.fromkeys(told) if source]
    return Estimate(found, shared, sources, at_once, tuple(uncounted))


def _rate(family: str, records: Sequence[Known], store: Store) -> tuple[float, str]:
    """Seconds for a forward evaluation, and where that is from; NaN where nobody measured one."""
    seconds = units = 0.0
    number = 0
    for record in records:
        times, samples = record["timings"], record["probes"].get("samples")
        if record.get("family") == family and samples and times.get("sample_seconds") and samples.get("forward"):
            seconds += times["sample_seconds"]
            units += samples["forward"]
            number += 1
    if units:
        return seconds / units, f"{family}: rate of {number} record{'s' * (number > 1)}"
    log = _training_log(family, store)
    if log is not None:
        units = log["forward"] + BACKWARD * log["backward"]
        return log["seconds"] / units, f"{family}: rate of its base's training, perhaps on another machine"
    return math.nan, f"{family}: no rate was measured yet, so the time is not known"


def _training_log(family: str, store: Store) -> Mapping[str, Any] | None:
    for folder in store.folders("base"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            manifest = parsed((folder / MANIFEST).read_bytes())
            log = manifest["facts"]["training"]
            if (manifest["kind"], manifest["spec"]["family"]) == ("base", family) and log["seconds"] > 0:
                return dict(log)
    return None


def _unlearning(cell: Cell, records: Sequence[Known], described: Callable[[Cell], Described]) -> tuple[int, int, str]:
    """Forward and backward evaluations, and where that is from; nothing is counted where nothing is unlearned."""
    if cell.external is not None or cell.of_real or cell.needs_retrained or cell.method == "original":
        return 0, 0, ""
    own = [one for one in records if one["method"] == cell.method and one["timings"].get("nfe_forward") is not None]
    settings, number, images = described(cell)
    same = [one for one in own if one["task"] == cell.task.name and settings.items() >= one["settings"].items()]
    if same:
        times = same[0]["timings"]
        return times["nfe_forward"], times["nfe_backward"], f"{cell.method}: counted in a record of the same settings"
    base = number * images
    alike = [one for one in own if one.get("family") == cell.task.family] or own
    for one in alike:
        then, times = one["settings"], one["timings"]
        if (before := then.get("steps", 0) * then.get("batch_size", 0)) and base:
            forward, backward = (round(base * times[f"nfe_{way}"] / before) for way in ("forward", "backward"))
            return forward, backward, f"{cell.method}: in proportion to a record of other settings"
    return base, base, f"{cell.method}: one forward and one backward a step and image, perhaps more"


def _drawing(cell: Cell, records: Sequence[Known]) -> int:
    """Forward evaluations for what all probes but attacks draw; for the samples alone where no record tells of them."""
    attacks = attacks_for(cell.task.model.kind)
    for one in records:
        if _measured_alike(cell, one):
            return sum(ledger["forward"] for name, ledger in one["probes"].items() if name not in attacks)
    return drawn(cell.task)


def _attacking(cell: Cell, records: Sequence[Known]) -> tuple[tuple[int, int], list[str]]:
    """Forward and backward evaluations of the attacks on its model, and the attacks that no record tells of."""
    ledgers: dict[str, Mapping[str, int]] = {}
    for one in (one for one in records if _measured_alike(cell, one)):
        ledgers = {**one["probes"], **ledgers}
    known = [ledgers[name] for name in cell.task.attacks if name in ledgers]
    taken = sum(ledger["forward"] for ledger in known), sum(ledger.get("backward", 0) for ledger in known)
    return taken, [name for name in cell.task.attacks if name not in ledgers]


def _measured_alike(cell: Cell, record: Known) -> bool:
    """Whether a record's probes drew as many images of the same task, as a cell's will."""
    task, protocol = cell.task, record.get("protocol") or {}
    given = [
        {name: value for name, value in changes.items() if name.startswith("probe_settings.")}
        for changes in (task.changes, record.get("task_changes") or {})
    ]
    sampler = task.sampler.model_dump(mode="json")
    there = record["task"], protocol.get("samples"), protocol.get("sampler")
    return there == (task.name, task.samples, sampler) and given[0] == given[1]


def _other_data(task: Task) -> bool:
    """Whether a command has the models of a task trained on something else than its family's data."""
    return any(f"{name}.".startswith(("data.", "prompts.captions.")) for name in task.changes)


def _trainings(missing: Sequence[Cell], store: Store) -> list[tuple[str, str, int]]:
    """What has to be trained before any cell: its name, family and evaluations; judges, which are small, are left out.

    A base counts as there where the store has one of its family and recipe, unless a command changed the data.
    """
    found: dict[str, tuple[str, str, int]] = {}
    for cell in missing:
        recipe, task = cell.task.recipe, cell.task
        if recipe is None:
            continue
        count = trained(recipe)
        again = task.retrain_recipe(cell.seed) if cell.needs_retrained else None
        plain: dict[str, Any] = {"recipe": recipe.model_dump(mode="json")}
        wanted = [("base", plain, f"base model, train seed {recipe.training.seed}")]
        if again is not None:
            without = {"recipe": again.model_dump(mode="json"), "without": task.forget}
            name = f"retrain model without {task.forget}, train seed {again.training.seed}"
            wanted.append(("retrain", without, name))
        for kind, spec, name in wanted:
            if _other_data(task) or not store.digests({kind: spec}, task.family):
                found[json.dumps([task.family, kind, spec])] = (f"{task.family}: {name}", task.family, count)
    return list(found.values())
