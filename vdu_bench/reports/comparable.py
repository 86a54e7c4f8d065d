"""Which records may stand in one table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from vdu_bench.errors import UserError
from vdu_bench.records import Protocol, Record
from vdu_bench.unlike import excerpts
from vdu_bench.variants import changed, variant_name

SNAPSHOTS = "posterior.snapshots"
"""What a command changes of a task for a posterior of more or fewer snapshots."""

Groups = list[tuple[str, list[Record]]]


def by_variant(records: Iterable[Record]) -> Groups:
    """The records of each task's each variant, in their `Record.order`."""
    ordered = sorted(records, key=lambda record: record.order)
    return [(variant, list(group)) for variant, group in groupby(ordered, key=lambda record: record.variant)]


def by_setup(records: Iterable[Record]) -> Groups:
    """The records of each task, and of each other thing that was made of it, with any number of forget images."""
    return _grouped(records, lambda record: record.setup)


def by_data(records: Iterable[Record]) -> Groups:
    """As `by_setup`, with any number of the posterior's snapshots too: what differs in how much data there are."""
    return _grouped(
        records,
        lambda record: variant_name(
            record.task, None, {name: value for name, value in record.task_changes.items() if name != SNAPSHOTS}
        ),
    )


def _grouped(records: Iterable[Record], name: Callable[[Record], str]) -> Groups:
    ordered = sorted(records, key=lambda record: (name(record), record.order))
    return [(found, list(group)) for found, group in groupby(ordered, key=name)]


def compared(protocol: Protocol, field: str) -> Any:
    """What of a protocol's field must be alike in two records.

    All of it, but for the sampler's batch size: the other images of a batch decide the last bits of an image alone.
    With fresh noise in each step the batch size counts too, since that noise is drawn for a whole batch.
    """
    value = getattr(protocol, field)
    if field != "sampler" or value.get("eta"):
        return value
    return {name: setting for name, setting in value.items() if name != "batch_size"}


def check_comparable(records: Iterable[Record]) -> None:
    """Refuse what would put unlike numbers side by side, or average them.

    All must be of one protocol. Within a variant of a task there must also agree: the other fields of the protocol
    (scale, sample count, sampler, judge, ...); the base, which all must tell or none, and, seed by seed, the retrained
    model, by the digests of their files; the settings of each probe; each metric's label, unit and direction. A cell
    that failed before it was measured has no protocol, and is let through. Within a method of a variant, settings,
    regime, posterior and, of somebody's own method, its code must agree, and each seed may come once.

    Raises:
        UserError: naming the field and the records.
    """
    records = list(records)
    protocol_of(records)
    for variant, group in by_variant(records):
        _check_alike(variant, group)
        names = Counter(record.cell_name for record in group)
        if twice := [name for name, count in names.items() if count > 1]:
            raise UserError(f"more than one record of {twice[0]}: keep one of them")


def protocol_of(records: Iterable[Record]) -> int | None:
    """The version of the protocol that records were measured by; None where none was measured.

    Raises:
        UserError: there are several, whose numbers mean different things under the same names.
    """
    cells: dict[int, list[str]] = {}
    for record in records:
        if record.protocol is not None:
            cells.setdefault(record.protocol.version, []).append(record.cell_name)
    if len(cells) > 1:
        sides = "; ".join(f"protocol {version} in {_listing(cells[version])}" for version in sorted(cells))
        raise UserError(
            f"the records are of several protocols, whose numbers do not compare ({sides}): run the older cells again, "
            "or name a folder that holds one protocol"
        )
    return next(iter(cells), None)


def check_sweep(records: Iterable[Record], groups: Callable[[Iterable[Record]], Groups] = by_setup) -> None:
    """Refuse variants of a task that differ in more than their forget images and what else `groups` joins.

    Raises:
        UserError: as `check_comparable`, and where variants differ in what has to agree within one.
    """
    records = list(records)
    check_comparable(records)
    for setup, group in groups(records):
        _check_alike(setup, group)


def _check_alike(where: str, group: Sequence[Record]) -> None:
    measured = [(record, record.protocol) for record in group if record.protocol is not None]
    # Thousands of records agree, and to tell that takes no look at each field of them.
    if any(protocol != measured[0][1] for _, protocol in measured):
        for field in Protocol.model_fields:
            _agree(where, field, [(record, compared(protocol, field)) for record, protocol in measured])
    # Of models from elsewhere it is not known what they began as, and seeds of one base are paired.
    _agree(where, "the base model", [(record, record.digests["base"]) for record in group if "base" in record.digests])
    _all_tell_their_base(where, group)
    by_seed: dict[int, list[Record]] = {}
    for record in group:
        by_seed.setdefault(record.seeds.sample, []).append(record)
    for seed, rows in by_seed.items():
        # There may be several retrained models, each for some of the seeds.
        golds = [(record, record.digests["retrain"]) for record in rows if "retrain" in record.digests]
        _agree(where, f"the retrained model of seed {seed}", golds)
    for probe in sorted({name for record in group for name in record.probe_settings}):
        found = [(record, record.probe_settings[probe]) for record in group if probe in record.probe_settings]
        _agree(where, f"the settings of {probe}", found)
    facts: dict[str, set[tuple[str, ...]]] = {}
    for record in group:
        for metric, result in record.metrics.items():
            facts.setdefault(metric, set()).add((result.label, result.unit, result.better))
    for metric in sorted(metric for metric, told in facts.items() if len(told) > 1):
        results = [(record, record.metrics[metric]) for record in group if metric in record.metrics]
        for field in ("label", "unit", "better"):
            _agree(where, f"{metric}'s {field}", [(record, getattr(result, field)) for record, result in results])
    methods: dict[str, list[Record]] = {}
    for record in group:
        methods.setdefault(record.row, []).append(record)
    for method, rows in sorted(methods.items()):
        _agree(f"{where}/{method}", "settings", [(record, record.settings) for record in rows])
        _agree(f"{where}/{method}", "regime", [(record, record.regime) for record in rows])
        told = [(record, record.digests["posterior"]) for record in rows if "posterior" in record.digests]
        _agree(f"{where}/{method}", "the posterior", told)
        codes = [(record, record.environment["method_code"]) for record in rows if "method_code" in record.environment]
        _agree(f"{where}/{method}", "the method's code", codes)


def _all_tell_their_base(where: str, group: Sequence[Record]) -> None:
    """Raises UserError where some records name the base that they rest on, and others do not."""
    told = [record for record in group if record.status == "ok" and record.role != "external"]
    silent = [record.cell_name for record in told if "base" not in record.digests]
    if silent and len(silent) < len(told):
        raise UserError(
            f"{where}: no digest of the base model in {_listing(silent)}, while other records have one: nobody can say "
            "that they rest on the same base; take the whole records from where they came from, or run the cells again"
        )


def _agree(where: str, what: str, values: Sequence[tuple[Record, Any]]) -> None:
    # Thousands of records agree, and to tell that takes no text of them.
    if not values or all(value == values[0][1] for _, value in values):
        return
    cells: dict[str, list[str]] = {}
    for record, value in _differing(values):
        cells.setdefault(json.dumps(value, sort_keys=True, default=str), []).append(record.cell_name)
    if len(cells) > 1:
        sides = "; ".join(
            f"{text} in {_listing(names)}"
            for text, names in zip(excerpts(list(cells), 60), cells.values(), strict=True)
        )
        raise UserError(f"{where}: {what} of the records differ, and one table or curve cannot hold both: {sides}")


def _differing(values: Sequence[tuple[Record, Any]]) -> Sequence[tuple[Record, Any]]:
    """The values; where all are mappings, of each the keys alone that are not the same in all."""
    if not values or not all(isinstance(value, Mapping) for _, value in values):
        return values
    first = values[0][1]
    found = [changed(first, value) | changed(value, first) for _, value in values]
    keys = sorted({key for one in found for key in one})
    return [(record, {key: _inside(value, key) for key in keys}) for record, value in values]


def _inside(value: Mapping[str, Any], key: str) -> Any:
    """What a dotted name, as from `changed`, stands for; None where there is nothing."""
    if key in value:
        return value[key]
    first, _, rest = key.partition(".")
    inner = value.get(first)
    return _inside(inner, rest) if rest and isinstance(inner, Mapping) else None


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
