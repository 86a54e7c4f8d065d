"""What goes by one name has to be the same: two cells of a command, and a cell and the records of its row in a folder.

Nothing here imports torch, but to compare settings of a row that has records and is made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vdu_bench.engine.cells import Cell, of_posterior
from vdu_bench.engine.code import code_of_others
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.models.specs import LaplacePosterior, SnapshotPosterior
from vdu_bench.packed import PACKED
from vdu_bench.records import Record, read_record
from vdu_bench.spec import Spec, digest_of
from vdu_bench.tasks.task import ROUNDED, Task
from vdu_bench.unlike import apart, unlike
from vdu_bench.variants import changed

LONG = 120
"""Characters of a value that a message shows."""
_CALLED = {"images": "set of images", "base": "base"}

RestsOn = Mapping[str, str]
"""Digests of what a task rests on that is not made here: its ``images``, and a ``base`` from elsewhere."""


def check_names(cells: Sequence[Cell], out: Path, found: Mapping[str, Record], store: Store) -> None:
    """Refuse what would go by one name and is not the same, before anything is computed.

    A record that older code made, or another machine, is the same; one that was measured otherwise is not.

    Args:
        cells: what is asked for.
        out: the folder of the results.
        found: by cell name, the records that are there already.
        store: knows what the models and judges of earlier records were trained by, where it is theirs.

    Raises:
        UserError: two cells have one name, the records of a cell's row in `out` are of something else, or `out` is
            packed.
    """
    if (out / PACKED).is_file():
        raise UserError(f"{out / PACKED} holds all records of {out}, and none is written beside it: name another --out")
    names: dict[str, Cell] = {}
    cased: dict[str, Cell] = {}
    for cell in cells:
        if (other := names.setdefault(cell.name, cell)) is not cell:
            raise UserError(_twice(other, cell))
        if (other := cased.setdefault(cell.name.casefold(), cell)) is not cell:
            raise UserError(
                f"two cells would be called {other.name} and {cell.name}, which are one file where capitals do not "
                "count (macOS, Windows): run them apart, each with an --out or a --name of its own"
            )
    rows = {(out / "records" / f"{cell.name}.json").parent: cell for cell in cells}
    recipes = Recipes(store)
    for folder, cell in rows.items():
        # Its other seeds too: they are one row.
        for file in sorted(folder.glob("seed*.json")):
            record = read_record(file)
            _check_same(file, record, cell, found.get(cell.name), recipes)
            if record.cell_name not in names:
                _check_code(file, record, cell)


def _check_code(file: Path, record: Record, cell: Cell) -> None:
    """Refuse a seed that stays, and that other code of somebody's own method made than the seeds that are asked for."""
    there = record.environment.get("method_code")
    if there and cell.external is None and there != code_of_others(METHODS.entry(cell.method)):
        raise UserError(
            f"{file} was made by other code of {cell.method} than there is now, and the seeds of a row are averaged: "
            f"ask for seed {record.seeds.sample} too, or name another --out"
        )


def check_rests_on(cells: Sequence[Cell], out: Path, rests_on: Mapping[str, RestsOn]) -> None:
    """Refuse cells that rest on something else than the records of their variant that are there, whatever their rows.

    Args:
        cells: what is to be made.
        out: the folder of the results.
        rests_on: what their tasks rest on, by the tasks' digests.

    Raises:
        UserError: naming a file that rests on other images, or on another base.
    """
    variants = {(out / "records" / f"{cell.name}.json").parent.parent: cell for cell in cells}
    for folder, cell in variants.items():
        for file in sorted(folder.glob("*/seed*.json")):
            record = read_record(file)
            there = {
                "images": "" if record.protocol is None else record.protocol.data_fingerprint,
                "base": record.digests.get("base", ""),
            }
            for what, digest in rests_on[cell.task.digest()].items():
                if there[what] not in ("", digest):
                    raise UserError(
                        f"{file} was measured with another {_CALLED[what]} than {cell.task.name} has now: give the "
                        "task a name of its own, or name another --out"
                    )


def differences(record: Record, task: Task) -> Iterator[tuple[str, Any, Any]]:
    """Where a record was measured otherwise than a task would be, as far as that is known before a run.

    Each comes as its name, the record's value, and the task's.
    """
    pairs: dict[str, tuple[Any, Any]] = {"forget": (record.forget, task.forget)}
    if record.family:
        pairs["family"] = record.family, task.family
    if (protocol := record.protocol) is not None:
        pairs["protocol"] = protocol.version, task.protocol
        pairs["scale"] = protocol.scale, task.scale
        pairs["samples"] = protocol.samples, task.samples
        pairs["sampler"] = _sampler(protocol.sampler), _sampler(task.sampler.model_dump(mode="json"))
        asked = {} if task.prompts is None else task.prompts.model_dump(mode="json")
        pairs["prompts"] = protocol.prompts, asked
        pairs["inception"] = protocol.inception != "", task.inception is not None
        if protocol.limits:
            pairs["quality"] = protocol.limits, task.limits
        pairs["compute.autocast"] = _half(protocol.dtype), _half(task.compute.autocast)
    if "pairs" in record.probe_settings and "strength" in (pairs_drawn := record.probe_settings["pairs"]):
        pairs["pair_strength"] = pairs_drawn["strength"], task.pair_strength
    # As a record holds them: from Python a tuple may be given.
    settings = json.loads(json.dumps(task.probe_settings, default=str))
    for probe, given in settings.items():
        known = record.probe_settings.get(probe, {})
        pairs |= {f"probe_settings.{probe}.{name}": (known[name], given[name]) for name in given.keys() & known.keys()}
    for name, (there, here) in pairs.items():
        if there != here:
            yield name, there, here


class Recipes:
    """The recipes that records' models and judges were trained by, as a store has them; each is read once.

    Args:
        store: where they may lie. Recipes that it does not have are taken to be the same.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[tuple[str, str], Mapping[str, Any] | None] = {}

    def differences(self, record: Record, task: Task) -> Iterator[tuple[str, Any, Any]]:
        """The keys of the task by which its base or judges would be trained otherwise than the record's were.

        Each comes with the record's value and the task's.
        """
        wanted: tuple[tuple[str, str, Spec | None], ...] = (
            ("base", "model", task.recipe),
            ("judge", "judge", task.judge),
            ("second_judge", "second_judge", task.second_judge),
        )
        for kind, key, recipe in wanted:
            there = self._recipe(kind, record.stages[kind]) if kind in record.stages else None
            if recipe is not None and there is not None:
                before, own = _filled(there, recipe), recipe.model_dump(mode="json")
                now = changed(before, own)
                for name, value in changed(own, before).items():
                    yield f"{key}.{name}", value, now.get(name)

    def other_posterior(self, record: Record, task: Task) -> bool:
        """Whether a record's method was given another posterior than the task says, as far as that is known."""
        known, posterior = record.digests.get("posterior"), task.posterior_source
        if known is None:
            return False
        if not isinstance(posterior, SnapshotPosterior):
            return known != digest_of(of_posterior(posterior))
        if known == digest_of(of_posterior(LaplacePosterior(source="laplace"))):
            return True
        # Another machine's snapshots are the same, and not known here.
        own = posterior.model_dump(mode="json", exclude={"source"})
        every, alike = (self._store.digests({"posterior": said}, task.family) for said in ({}, own))
        return known in every and known not in alike

    def _recipe(self, kind: str, address: str) -> Mapping[str, Any] | None:
        if (kind, address) not in self._read:
            spec = self._store.spec_at(kind, address)
            recipe = None if spec is None else spec.get("recipe")
            self._read[kind, address] = recipe if isinstance(recipe, Mapping) else None
        return self._read[kind, address]


def _filled(there: Mapping[str, Any], like: Spec) -> Mapping[str, Any]:
    """A recipe that older code wrote down, filled in with today's defaults.

    Where it cannot be read today (a key of it is gone, or it is of another kind), it is `like` with the old values of
    the keys that both have.
    """
    try:
        return type(like).model_validate(there).model_dump(mode="json")
    except ValidationError:
        own = like.model_dump(mode="json")
        return own | {name: value for name, value in there.items() if name in own}


def _twice(one: Cell, other: Cell) -> str:
    if _changes(one) == _changes(other):
        return f"two tasks are called {one.task.name}: give one of them another `name:`, which its records go by"
    left, right = apart(_changes(one), _changes(other))
    return (
        f"two cells would be called {one.name}, one of {left} and one of {right}: run them apart, each with an --out "
        "or a --name of its own"
    )


def _check_same(file: Path, there: Record, cell: Cell, made: Record | None, recipes: Recipes) -> None:
    mend = "name another --out" + (", or another --name" if cell.called else "")
    if (there.task_changes, there.method_changes) != (cell.task.changes, dict(cell.changes)):
        before, now = apart(there.task_changes | there.method_changes, _changes(cell))
        raise UserError(f"{file} is of {before}, and this run of {now}: {mend}")
    for found in differences(there, cell.task):
        one = unlike(*found, LONG)
        raise UserError(
            f"{file} was measured with {one.name} {one.before}, and this run would be with {one.now}{one.more}: give "
            f"the task a name of its own, or {mend}"
        )
    for found in recipes.differences(there, cell.task):
        one = unlike(*found, LONG)
        raise UserError(
            f"{file} rests on a model trained with {one.name}={one.before}, and this run would be with "
            f"{one.now}{one.more}: give the task a name of its own, or {mend}"
        )
    if cell.needs_posterior and recipes.other_posterior(there, cell.task):
        raise UserError(
            f"{file} rests on another posterior than {cell.task.name} has now ({cell.task.posterior_source.source}): "
            f"give the task a name of its own, or {mend}"
        )
    if (cell.external is None) != (there.role != "external"):
        of = "a checkpoint from elsewhere", "a method"
        was, is_now = of if cell.external is None else of[::-1]
        raise UserError(f"{file} is of {was}, and this run of {is_now} that is called alike: {mend}")
    if cell.external is None:
        for name, before, now in _settings(there, cell, made):
            one = unlike(f"{cell.method}.{name}", before, now, LONG)
            raise UserError(
                f"{file} was made with {one.name}={one.before}, and this run would be with {one.now}{one.more}: give "
                f"the task a name of its own, or {mend}"
            )


def _settings(there: Record, cell: Cell, found: Record | None) -> Iterator[tuple[str, Any, Any]]:
    """The settings that differ and that somebody gave, on either side: no other default of older code."""
    if found is not None:
        settings, given = found.settings, found.settings_changed
    else:
        from vdu_bench.methods.catalog import make_method

        own = make_method(cell.method, dict(cell.overrides)).settings
        settings = own.model_dump(mode="json")
        given = changed({}, own.model_dump(mode="json", exclude_defaults=True))
    before, now = changed({}, there.settings), changed({}, settings)
    for name in sorted((there.settings_changed.keys() | given.keys()) & before.keys() & now.keys()):
        if before[name] != now[name]:
            yield name, before[name], now[name]


def _half(precision: str) -> str:
    """The precision of 16 bits, or else float32. Whether TF32 is computed in is known on a device alone."""
    return precision if precision in ("bfloat16", "float16") else "float32"


def _sampler(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide the images. The batch size is one where there is fresh noise, which is a batch's."""
    unlike: set[str] = set() if settings.get("eta") else ROUNDED["sampler"]
    return {name: value for name, value in settings.items() if name not in unlike}


def _changes(cell: Cell) -> dict[str, Any]:
    return cell.task.changes | dict(cell.changes)
